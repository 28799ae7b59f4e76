"""What the functions of the engine do with arguments nobody should give, and with all that they should take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from toy import EAST, NORTH, make_network

import bishan_gis as bg
from bishan_gis.errors import BishanGisWarning, CrsError, InputError, SchemaError
from bishan_gis.network.costs import EdgeCosts, edge_costs, load_profile

WALK = replace(load_profile("adult"), speed_kmh=3.6)


def at(key: str, ids: list, x: list, y: list | None = None, **more: object) -> pd.DataFrame:
    """Return places, in metres from the corner of the toy network."""
    y = [0.0] * len(x) if y is None else y
    return pd.DataFrame({key: ids, "x": EAST + np.array(x), "y": NORTH + np.array(y), **more})


# --- times that are too long --------------------------------------------------------------------------


def test_an_edge_that_takes_too_long_is_named() -> None:
    network = make_network([(0, 0), (3_000_000, 0), (3_000_100, 0)], [(0, 1), (1, 2)])
    with pytest.raises(InputError, match=r"1 edges take more than 596 hours, first edge 0 \(way 1\): 3000000 m, 3.6"):
        edge_costs(network, WALK)
    with pytest.raises(InputError, match=r"1 edges have a length .*first edge 1 \(way 2\): nan m"):
        edge_costs(replace(network, edge_length_m=np.array([100.0, np.nan])), WALK)
    slow = replace(WALK, delays={"signals": 3e6})
    here = replace(network, edge_length_m=np.full(2, 100.0), node_control=np.array([0, 1, 0], dtype=np.uint8))
    places = at("facility_id", ["f"], [0], service="s")
    with pytest.raises(InputError, match="2 edges with the wait at their end take more than 596 hours"):
        bg.nearest_cost(here, edge_costs(here, slow), at("origin_id", ["o"], [3_000_100]), places)


def test_sums_of_times_do_not_overflow() -> None:
    """Pieces of 500 hours each: one can be counted (596 hours), two cannot, and are as good as no street."""
    far = 1_800_000
    network = make_network([(k * far, 0) for k in range(4)], [(k, k + 1) for k in range(3)], frontier=(3,))
    costs = edge_costs(network, WALK)
    homes = at("origin_id", list("abcd"), [k * far for k in range(4)])
    shop = at("facility_id", ["f"], [0], service="s", offset_s=0.0)
    for engine in ("numba", "scipy"):
        near = bg.nearest_cost(network, costs, homes, shop, search_s=1e9, engine=engine).table
        assert near["value"].fillna(-1).tolist() == [0, far, -1, -1], engine
        assert near["status"].tolist() == ["reached", "reached", "unknown", "unknown"]
        matrix = bg.travel_matrix(network, costs, homes, shop, cutoff_s=1e9, engine=engine)
        assert matrix["cost_s"].tolist() == [0, far]
    ranked = bg.k_nearest(network, costs, homes, shop, k=2, search_s=1e9)
    assert ranked["cost_s"].fillna(-1).tolist() == [0, -1, far, -1, -1, -1, -1, -1]
    central = bg.network_centrality(network, costs, cutoff_s=1e9).nodes
    assert central["reached"].tolist() == [1, 2, 2, 1]
    assert central["farness_s"].max() == 2 * far
    late = shop.assign(offset_s=2e6)
    assert bg.nearest_cost(network, costs, homes, late, search_s=1e9).table["value"].fillna(-1).tolist()[1:] == [-1] * 3
    roads = bg.reached_streets(network, costs, shop.rename(columns={"facility_id": "origin_id"}), cutoffs_s=[1e9])
    assert roads["length_m"].sum() == pytest.approx((2**31 - 2) / 1000)


# --- tables of places ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def street() -> tuple[bg.Network, EdgeCosts]:
    """A street of 1,001 m from west to east, at a metre a second."""
    network = make_network([(0, 0), (1001, 0)], [(0, 1)])
    return network, edge_costs(network, WALK)


HOMES = at("origin_id", ["a", "b"], [0, 400])
SHOPS = at("facility_id", ["f", "g"], [200, 1001], service="s")


def doors(street: tuple[bg.Network, EdgeCosts]) -> dict[str, Callable[[pd.DataFrame, pd.DataFrame], object]]:
    """Return every public function that takes places."""
    n, c = street
    as_origins = lambda t: t.rename(columns={"facility_id": "origin_id"})  # noqa: E731
    return {
        "nearest_cost": lambda o, d: bg.nearest_cost(n, c, o, d),
        "k_nearest": lambda o, d: bg.k_nearest(n, c, o, d, k=1),
        "travel_matrix": lambda o, d: bg.travel_matrix(n, c, o, d, cutoff_s=900),
        "reachable": lambda o, d: bg.reachable(n, c, o, d.assign(seats=1), amounts=["seats"], cutoffs_s=[900]),
        "service_areas": lambda _, d: bg.service_areas(n, c, as_origins(d), cutoffs_s=[90]),
        "reached_streets": lambda _, d: bg.reached_streets(n, c, as_origins(d), cutoffs_s=[90]),
        "exclusive_areas": lambda _, d: bg.exclusive_areas(n, c, d, cutoffs_s=[90]),
        "overlaps": lambda _, d: bg.overlaps(n, c, d, cutoffs_s=[90]),
    }


PAIRS = ("nearest_cost", "k_nearest", "travel_matrix", "reachable")
ALL = (*PAIRS, "service_areas", "reached_streets", "exclusive_areas", "overlaps")


@pytest.mark.parametrize("name", ALL)
def test_every_door_refuses_what_is_no_place(street, name) -> None:
    door = doors(street)[name]
    for column, bad, rows in (("x", [np.nan, 1.0], 1), ("y", ["north", "south"], 2)):
        with pytest.raises(SchemaError, match=f"{rows} rows of column {column} are missing or not numbers"):
            door(HOMES, SHOPS.assign(**{column: bad}))
        if name in PAIRS:
            with pytest.raises(SchemaError, match=f"origins: {rows} rows of column {column}"):
                door(HOMES.assign(**{column: bad}), SHOPS)
    with pytest.raises(SchemaError, match=r"1 rows without (facility|origin)_id"):
        door(HOMES, SHOPS.assign(facility_id=["f", None]))
    if name != "reachable":  # which needs no order
        with pytest.raises(SchemaError, match="mixes kinds that cannot be sorted"):
            door(HOMES, SHOPS.assign(facility_id=[("f", 1), 2]))
    door(HOMES, SHOPS.assign(facility_id=["f", 2]))  # numbers come before texts
    with pytest.raises(SchemaError, match="offset_s"):
        door(HOMES, SHOPS.assign(offset_s=["soon", "1"]))
    with pytest.warns(BishanGisWarning, match="none of 2 places is where the network is"):
        door(HOMES, SHOPS.assign(x=106.2, y=29.6))
    if name in PAIRS:
        with pytest.raises(SchemaError, match="origins: 1 rows without origin_id"):
            door(HOMES.assign(origin_id=["a", None]), SHOPS)
        with pytest.raises(SchemaError, match="origins: column origin_id has 1 repeated"):
            door(HOMES.assign(origin_id="a"), SHOPS)
    if name in ("nearest_cost", "k_nearest"):
        with pytest.raises(SchemaError, match="access_points: 1 rows without service"):
            door(HOMES, SHOPS.assign(service=["s", None]))


@pytest.mark.parametrize("name", ALL)
def test_points_are_places(street, name) -> None:
    """A table of points needs no x, y, in whichever CRS it is; two answers to where a place is are one too many."""
    door, network = doors(street)[name], street[0]

    def drawn(table: pd.DataFrame, crs: object) -> gpd.GeoDataFrame:
        points = gpd.GeoSeries(gpd.points_from_xy(table["x"], table["y"]), crs=network.crs).to_crs(crs)
        return gpd.GeoDataFrame(table.drop(columns=["x", "y"]), geometry=points)

    def answer(*tables: pd.DataFrame) -> object:
        out = door(*tables)
        frame = getattr(out, "table", getattr(out, "sums", out))
        return frame.drop(columns="geometry", errors="ignore")

    homes, shops = drawn(HOMES, network.crs), drawn(SHOPS, network.crs)
    pd.testing.assert_frame_equal(answer(homes, shops), answer(HOMES, SHOPS))
    pd.testing.assert_frame_equal(answer(drawn(HOMES, 4326), drawn(SHOPS, 4326)), answer(HOMES, SHOPS), rtol=1e-3)
    with pytest.raises(CrsError, match="2 points without a CRS"):
        door(homes, shops.set_crs(None, allow_override=True))
    with pytest.raises(CrsError, match="has x, y and a geometry in EPSG:4326"):
        door(homes, drawn(SHOPS, 4326).assign(x=SHOPS["x"], y=SHOPS["y"]))
    with pytest.raises(SchemaError, match="2 rows have no geometry or one that is no point"):
        door(homes, shops.set_geometry(shops.buffer(1)))


def test_parameters_that_make_no_sense(street) -> None:
    network, costs = street
    for bad in (0, -1.0, np.nan):
        with pytest.raises(InputError, match="max_snap_m"):
            bg.nearest_cost(network, costs, HOMES, SHOPS, max_snap_m=bad)
    for bad in (-1.0, np.nan, "900"):
        with pytest.raises(InputError, match="search_s = "):
            bg.nearest_cost(network, costs, HOMES, SHOPS, search_s=bad)
        with pytest.raises(InputError, match="search_s = "):
            bg.k_nearest(network, costs, HOMES, SHOPS, k=1, search_s=bad)
        with pytest.raises(InputError, match="cutoff_s = "):
            bg.travel_matrix(network, costs, HOMES, SHOPS, cutoff_s=bad)
    for bad in (0, 1.5, True, "2"):
        with pytest.raises(InputError, match="k = "):
            bg.k_nearest(network, costs, HOMES, SHOPS, k=bad)
        with pytest.raises(InputError, match="threads = "):
            bg.travel_matrix(network, costs, HOMES, SHOPS, cutoff_s=9, threads=bad)
    with pytest.raises(InputError, match="origins: must be a DataFrame; it is a list"):
        bg.nearest_cost(network, costs, [1, 2], SHOPS)
    with pytest.raises(SchemaError, match="x: 1 coordinates"):
        bg.snap_points(network, [np.nan], [0.0], max_snap_m=100)


def test_ids_keep_their_type_and_order(street) -> None:
    """Of equally near facilities 9 comes before 10, as numbers do; one whole column of numbers stays one."""
    network, costs = street
    homes = HOMES.assign(origin_id=[7, 8])
    twins = at("facility_id", [10, 9], [200, 200], service="s")
    near, ranked = bg.nearest_cost(network, costs, homes, twins).table, bg.k_nearest(network, costs, homes, twins, k=1)
    assert near["facility_id"].dtype == "Int64"
    assert near["facility_id"].tolist() == ranked["facility_id"].tolist() == [9, 9]
    assert near["origin_id"].dtype == np.int64
    names = bg.nearest_cost(network, costs, homes, twins.assign(facility_id=["10", "9"])).table
    assert names["facility_id"].tolist() == ["10", "10"]
    assert bg.nearest_cost(network, costs, homes, twins[:0]).table.empty


def test_a_cutoff_is_met_to_the_millisecond(street) -> None:
    """1.001 times 1000 is a little less than 1001: a trip of 1.001 s is within it all the same."""
    network, _ = street
    quick = edge_costs(network, replace(WALK, speed_kmh=3600.0))  # a kilometre a second
    assert quick.forward_ms.tolist() == [1001]
    home, shop = at("origin_id", ["a"], [0]), at("facility_id", ["f"], [1001], service="s")
    c = 1.001
    assert c * 1000 < 1001
    assert bg.nearest_cost(network, quick, home, shop, search_s=c).table["status"].tolist() == ["reached"]
    assert len(bg.travel_matrix(network, quick, home, shop, cutoff_s=c)) == 1
    assert bg.network_centrality(network, quick, cutoff_s=c).nodes["reached"].tolist() == [1, 1]
    people = at("person", ["p"], [0], people=5)
    found = bg.exclusive_areas(network, quick, shop, cutoffs_s=[c], people=people, grid_m=50)
    assert found["people"].tolist() == [5]
    assert bg.overlaps(network, quick, shop, cutoffs_s=[c], people=people, grid_m=50).loc[1, "people"] == 5
    late = shop.rename(columns={"facility_id": "origin_id"}).assign(offset_s=c)
    assert bg.service_areas(network, quick, late, cutoffs_s=[c], grid_m=50)["status"].tolist() == ["reached"]
    roads = bg.reached_streets(network, quick, late.drop(columns="offset_s"), cutoffs_s=[c])
    assert roads["length_m"].tolist() == [1001.0]


# --- who travels on which streets ---------------------------------------------------------------------


def test_a_profile_is_for_the_streets_of_its_mode(street) -> None:
    network, _ = street
    for streets, name in (("walk", "cyclist"), ("drive", "adult"), ("cycle", "car")):
        with pytest.raises(InputError, match=f"for mode '{streets}', the profile {name} for"):
            edge_costs(replace(network, mode=streets), load_profile(name))
    with pytest.raises(InputError, match="mode = 'fly': no such mode of travel"):
        bg.Network.from_edges(network.edges[["geometry"]], mode="fly")
    graph = network.to_networkx()
    del graph.graph["mode"]
    assert bg.Network.from_networkx(graph, mode="cycle").mode == "cycle"


def test_fire_engines_want_their_own_rules(street) -> None:
    network = replace(street[0], mode="drive", edge_speed_kmh=np.array([40.0]))
    engine = load_profile("fire_engine")
    edge_costs(network, engine)  # own roads: whoever drew them knows
    edge_costs(replace(network, rule_table="emergency"), engine)
    with pytest.warns(BishanGisWarning, match="has the rules of 'drive', the profile fire_engine wants 'emergency'"):
        edge_costs(replace(network, rule_table="drive"), engine)
