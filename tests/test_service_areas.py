"""Service areas, reached streets, catchments and rasters: by hand, by property, against the truth."""

from __future__ import annotations

import dataclasses
from functools import partial

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from helsinki import HELSINKI_CRS, helsinki_pbf
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EAST, NORTH, grid_network, make_network

from bishan_gis.access.exclusive import exclusive_areas, overlaps
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.reached_streets import reached_streets
from bishan_gis.access.service_area import service_areas
from bishan_gis.access.time_grid import FAR, build_time_grid
from bishan_gis.access.time_surface import travel_time_surface
from bishan_gis.errors import InputError, MissingColumnError, NoDataError, OutputError, SchemaError
from bishan_gis.network.build import network_from_osm
from bishan_gis.network.costs import SpeedProfile, edge_costs, load_profile
from bishan_gis.network.snap import snap_points
from bishan_gis.output.rasters import NODATA, write_time_raster

METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand")


def places(*rows: tuple, key: str = "origin_id") -> pd.DataFrame:
    """Build a table of id, offsets in metres and, where there is a fourth value, offset_s."""
    columns = [key, "x", "y", "offset_s"][: len(rows[0])]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(x=EAST + table["x"], y=NORTH + table["y"])


@pytest.fixture(scope="module")
def lane():
    """A --400 m--> B one way, B --400 m-- C both ways."""
    network = make_network([(0, 0), (400, 0), (800, 0)], [(0, 1, "", True), (1, 2)], frontier=(2,))
    return network, edge_costs(network, METRE_A_SECOND)


@pytest.fixture(scope="module")
def town():
    network = grid_network(12, seed=4, oneway=0.15)
    return network, edge_costs(network, METRE_A_SECOND)


def test_area_by_hand(lane):
    """100 m either way along a straight street; the way off it takes time, so the ends are pointed."""
    network, costs = lane
    at = places(("b", 600, 0))
    area = service_areas(network, costs, at, cutoffs_s=[100], off_network_m=20, grid_m=2).iloc[0]
    # 80 m either way at full width of 40 m, then two triangles 20 m high
    assert area["area_km2"] * 1e6 == pytest.approx(160 * 40 + 2 * 20 * 20, rel=0.01)
    assert area.geometry.bounds == pytest.approx((EAST + 500, NORTH - 20, EAST + 700, NORTH + 20), abs=0.2)
    assert area["status"] == "reached"
    assert not area["at_frontier"]
    # 50 s of turn-out leave 50 m
    late = service_areas(network, costs, at.assign(offset_s=50.0), cutoffs_s=[100], off_network_m=20, grid_m=2)
    assert late["area_km2"][0] * 1e6 == pytest.approx(60 * 40 + 2 * 20 * 20, rel=0.01)


def test_direction(lane):
    """From B one cannot go back to A; to B one can come from A."""
    network, costs = lane
    at = places(("b", 390, 0))
    draw = partial(service_areas, network, costs, at, cutoffs_s=[100], off_network_m=20, grid_m=2)
    to, out = (draw(direction=d).geometry.iloc[0].bounds for d in ("to", "from"))
    with pytest.raises(InputError, match=r"a list: cutoffs_s = \[100\]"):
        draw(cutoffs_s=100)
    assert to[0] == pytest.approx(EAST + 290, abs=0.2)
    # to 390 m along the one-way piece: only from before it
    assert to[2] == pytest.approx(EAST + 390, abs=12)
    assert out[0] == pytest.approx(EAST + 390, abs=12)
    assert out[2] == pytest.approx(EAST + 490, abs=0.2)
    streets = {
        d: reached_streets(network, costs, at, cutoffs_s=[100], direction=d)[["edge", "from_fraction", "to_fraction"]]
        for d in ("to", "from")
    }
    np.testing.assert_allclose(streets["to"], [[0, 0.725, 0.975]])
    np.testing.assert_allclose(streets["from"], [[0, 0.975, 1.0], [1, 0.0, 0.225]])


def test_status_and_doors(lane):
    network, costs = lane
    at = places(("near", 500, 0, 0.0), ("late", 500, 0, 400.0), ("far", 5000, 5000, 0.0), ("two", 450, 0, 0.0))
    at = pd.concat([at, places(("two", 750, 0, 0.0))], ignore_index=True)
    areas = service_areas(network, costs, at, cutoffs_s=[60, 300], off_network_m=20, grid_m=5)
    assert list(areas["origin_id"]) == ["far", "far", "late", "late", "near", "near", "two", "two"]
    status = areas.groupby("origin_id")["status"].agg(list).to_dict()
    assert status == {
        "far": ["off_network"] * 2,
        "late": ["beyond_cutoff"] * 2,
        "near": ["reached"] * 2,
        "two": ["reached"] * 2,
    }
    assert (areas.loc[areas["status"] != "reached", "area_km2"] == 0).all()
    # C is where the data ends: 300 s from "near", 50 s from the second door of "two"
    assert areas["at_frontier"].tolist() == [False] * 4 + [False, True, True, True]
    two = areas.set_index(["origin_id", "cutoff_s"]).geometry[("two", 60)]
    assert len(two.geoms) == 2
    # The order of the rows does not matter; dissolved, all doors are one place.
    pd.testing.assert_frame_equal(
        areas, service_areas(network, costs, at[::-1], cutoffs_s=[300, 60], off_network_m=20, grid_m=5)
    )
    any_of = service_areas(network, costs, at, cutoffs_s=[60], off_network_m=20, grid_m=5, dissolve=True)
    assert any_of["origin_id"].tolist() == ["any"]
    union = shapely.union_all(areas.loc[areas["cutoff_s"] == 60].geometry.to_numpy())
    assert shapely.symmetric_difference(union, any_of.geometry[0]).area < 0.02 * union.area


def test_a_part_of_the_grid_equals_the_whole(town):
    network, costs = town
    whole = build_time_grid(network, step_m=10, off_network_m=25, usable=costs.usable)
    part = build_time_grid(
        network,
        step_m=10,
        off_network_m=25,
        usable=costs.usable,
        bounds=np.array([400, 300, 700, 800.0]) + [EAST, NORTH] * 2,
    )
    row, col = int((part.y0 - whole.y0) // 10), int((part.x0 - whole.x0) // 10)
    window = np.s_[row : row + part.edge.shape[0], col : col + part.edge.shape[1]]
    for name in ("edge", "fraction", "leg_m"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[window])
    # against snapping point by point
    x, y = np.meshgrid(part.x(), part.y())
    snaps = snap_points(network, x.ravel(), y.ravel(), max_snap_m=40, usable=costs.usable)
    np.testing.assert_array_equal(part.edge.ravel() >= 0, snaps.edge >= 0)
    on = snaps.edge >= 0
    np.testing.assert_allclose(part.leg_m.ravel()[on], snaps.leg_m[on], atol=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1100), st.floats(0, 1100)), min_size=2, max_size=5), st.integers(100, 500))
def test_nested_and_growing(town, spots, cutoff):
    """A larger cutoff or a further place never takes ground away, and streets neither."""
    network, costs = town
    table = places(*[(i, x, y) for i, (x, y) in enumerate(spots)])
    cutoffs = [cutoff, cutoff + 60]
    draw = partial(service_areas, network, costs, cutoffs_s=cutoffs, dissolve=True)
    small, large = draw(table).geometry
    assert small.difference(large.buffer(1e-6)).area < 1e-3
    fewer = draw(table[:-1]).geometry
    for less, more in zip(fewer, (small, large), strict=True):
        assert less.difference(more.buffer(1e-6)).area < 1e-3
    streets = reached_streets(network, costs, table, cutoffs_s=cutoffs)
    by_edge = streets.pivot_table(index=["origin_id", "edge"], columns="cutoff_s", values="length_m", aggfunc="sum")
    assert by_edge[cutoffs[1]].notna().all()
    assert (by_edge[cutoffs[0]].fillna(0) <= by_edge[cutoffs[1]] + 1e-9).all()


def test_streets_by_hand():
    """A square of 400 m a side, a place 100 m along its first: each way round, a gap is left."""
    network = make_network([(0, 0), (400, 0), (400, 400), (0, 400)], [(0, 1), (1, 2), (2, 3), (3, 0, "bridge")])
    costs = edge_costs(network, METRE_A_SECOND)
    streets = reached_streets(network, costs, places(("p", 100, 10, 5.0)), cutoffs_s=[90, 315, 715, 900])
    # 10 m of leg and 5 s of turn-out: 75 m either way; 300 m either way; 700 m either way, 200 m are left; all
    assert streets.groupby("cutoff_s")["length_m"].sum().to_dict() == pytest.approx(
        {90: 150, 315: 600, 715: 1400, 900: 1600}
    )
    last = streets[streets["cutoff_s"] == 715].set_index("edge").loc[2]
    assert (last["from_fraction"], last["to_fraction"]) == pytest.approx((0.5, 1))
    assert streets["length_m"].to_numpy() == pytest.approx(streets.length.to_numpy())
    first = streets[streets["cutoff_s"] == 90].iloc[0]
    assert (first["edge"], first["u"], first["v"], first["way"]) == (0, 0, 1, 1)
    assert (first["from_fraction"], first["to_fraction"]) == pytest.approx((25 / 400, 175 / 400))
    np.testing.assert_allclose(first.geometry.coords, [(EAST + 25, NORTH), (EAST + 175, NORTH)])


def test_streets_end_where_the_time_ends(town):
    """Exact times just inside and just outside every end of a piece."""
    network, costs = town
    at = places(("p", 520, 480))
    streets = reached_streets(network, costs, at, cutoffs_s=[400])
    points = at.rename(columns={"origin_id": "facility_id"}).assign(service="s")
    for end, outward in (("from_fraction", -1), ("to_fraction", 1)):
        cut = streets[(streets[end] > 1e-9) & (streets[end] < 1 - 1e-9)]
        assert len(cut) > 5
        for step, inside in ((-0.02, True), (0.02, False)):
            f = cut[end] + outward * step / network.edge_length_m[cut["edge"]]
            spots = shapely.line_interpolate_point(network.lines[cut["edge"]], f, normalized=True)
            table = pd.DataFrame({"origin_id": cut.index, "x": shapely.get_x(spots), "y": shapely.get_y(spots)})
            seconds = nearest_cost(network, costs, table, points).table["value"]
            # Where two pieces end at one spot, or a one-way piece begins at the place itself, there is no later time.
            right = (seconds <= 400.01) if inside else (seconds > 399.99) | seconds.isna()
            assert right.all()


def test_forbidden_turns_and_waits(lane):
    """The arrays are as long as the states, and a wait at a crossing is paid by who passes it."""
    network, _ = lane
    network = make_network([(0, 0), (400, 0), (800, 0), (400, 400)], [(0, 1), (1, 2), (1, 3)])
    network = dataclasses.replace(network, turns=np.array([[0, 1, 1]], dtype=np.int32))
    costs = edge_costs(network, METRE_A_SECOND)
    assert costs.n_states == network.n_nodes + 1
    at = places(("c", 700, 0))
    area = service_areas(network, costs, at, cutoffs_s=[500], off_network_m=20, grid_m=5).geometry[0]
    streets = reached_streets(network, costs, at, cutoffs_s=[500]).set_index("edge")
    # From the north one may turn into the street of the place; from the west one has to go on to the north and turn.
    assert streets.loc[2, "length_m"] == pytest.approx(200)
    assert 0 not in streets.index
    assert area.contains(shapely.Point(EAST + 400, NORTH + 150))
    assert not area.contains(shapely.Point(EAST + 300, NORTH))
    costs = dataclasses.replace(costs, delay_ms=np.array([0, 60_000, 0, 0], dtype=np.int64))
    streets = reached_streets(network, costs, at, cutoffs_s=[500]).set_index("edge")
    assert streets.loc[2, "length_m"] == pytest.approx(140)


def test_catchments_by_hand(lane):
    """Two clinics on a two-way street: the border is half-way, or nearer to the one that starts late."""
    network = make_network([(0, 0), (400, 0), (800, 0)], [(0, 1), (1, 2)])
    costs = edge_costs(network, METRE_A_SECOND)
    clinics = places(("b", 600, 0), ("a", 200, 0), ("far", 9000, 0), key="facility_id")
    people = pd.DataFrame(
        {"x": EAST + np.array([150, 399, 400, 401, 700, 3000]), "y": NORTH, "people": [1, 2, 4, 8, 16, 32]}
    )
    ask = partial(exclusive_areas, network, costs, people=people, cutoffs_s=[150, 300], grid_m=5, off_network_m=20)
    found = ask(clinics).set_index(["facility_id", "cutoff_s"])
    # at 400 m both are 200 m away: "a" sorts first
    assert found["people"].to_dict() == {
        ("a", 150): 1, ("a", 300): 7, ("b", 150): 16, ("b", 300): 24, ("far", 150): 0, ("far", 300): 0,
    }  # fmt: skip
    assert found["status"].tolist() == ["reached"] * 4 + ["off_network"] * 2
    assert found.geometry[("a", 300)].bounds[2] == pytest.approx(EAST + 400, abs=5)
    late = ask(clinics.assign(offset_s=[0, 100, 0])).set_index(["facility_id", "cutoff_s"])
    assert late["people"][("a", 300)] == 1
    assert late.geometry[("a", 300)].bounds[2] == pytest.approx(EAST + 350, abs=5)

    both = overlaps(network, costs, clinics, cutoffs_s=[150, 300], people=people, grid_m=5, off_network_m=20)
    assert both.columns.tolist() == ["cutoff_s", "n", "or_more", "people", "area_km2", "geometry"]
    # within 150 s: a serves 50-350, b 450-750; within 300 s: a up to 500, b from 300
    assert both["people"].tolist() == [14, 17, 0, 0, 0, 17, 14, 0]
    assert both["area_km2"].to_numpy()[[2, 3, 7]].tolist() == [0, 0, 0]
    shared = both.geometry[6]
    assert shared.bounds[::2] == pytest.approx((EAST + 300, EAST + 500), abs=1)


def test_catchments_divide_the_ground(town):
    network, costs = town
    rng = np.random.default_rng(5)
    schools = places(*[(f"s{i}", *rng.uniform(0, 1100, 2)) for i in range(7)], key="facility_id")
    cells = places(*[(i, *rng.uniform(-50, 1150, 2)) for i in range(3000)]).assign(people=rng.integers(1, 9, 3000))
    mine = exclusive_areas(network, costs, schools, cutoffs_s=[300], people=cells)
    union = service_areas(
        network, costs, schools.rename(columns={"facility_id": "origin_id"}), cutoffs_s=[300], dissolve=True
    )
    assert mine.is_valid.all()
    assert mine["area_km2"].sum() == pytest.approx(union["area_km2"].sum(), rel=1e-6)
    pieces = mine.geometry.to_numpy()
    overlap = [a.intersection(b).area for k, a in enumerate(pieces) for b in pieces[:k]]
    assert max(overlap) < 1e-6
    table = nearest_cost(network, costs, cells, schools.assign(service="s"), search_s=300).table
    served = table[table["status"] == "reached"].merge(cells, on="origin_id")
    assert mine.set_index("facility_id")["people"].to_dict() == served.groupby("facility_id")["people"].sum().to_dict()
    near = served.merge(table[["origin_id"]]).loc[lambda t: snap_points(
        network, t["x"], t["y"], max_snap_m=25).edge >= 0]  # fmt: skip
    inside = shapely.contains_xy(pieces[near["facility_id"].str[1:].astype(int)], near["x"], near["y"])
    assert inside.mean() > 0.95

    both = overlaps(network, costs, schools, cutoffs_s=[300], people=cells)
    assert both["area_km2"].sum() == pytest.approx(union["area_km2"].sum(), rel=1e-6)
    times = np.array(
        [
            nearest_cost(network, costs, cells, schools[k : k + 1].assign(service="s")).table["value"] <= 300
            for k in range(len(schools))
        ]
    ).sum(axis=0)
    on = snap_points(network, cells["x"], cells["y"], max_snap_m=300).edge >= 0
    expected = np.bincount(np.minimum(times, 3)[on], weights=cells["people"][on], minlength=4)
    assert both["people"].tolist() == expected.tolist()


def test_agreement_with_the_truth_in_helsinki():
    """IoU of 0.90 and more on real streets, with 25 m beside the street; times checked against networkx."""
    network = network_from_osm(helsinki_pbf(), crs=HELSINKI_CRS)
    costs = edge_costs(network, load_profile("adult"))
    rng = np.random.default_rng(3)
    pick = rng.choice(np.flatnonzero(network.component == 0), 12, replace=False)
    at = pd.DataFrame({"origin_id": pick, "x": network.node_x[pick], "y": network.node_y[pick]})
    areas = service_areas(network, costs, at, cutoffs_s=[300, 600, 900]).set_index(["origin_id", "cutoff_s"])
    low, high = (
        f(axis=1)
        for f in (np.array([network.node_x, network.node_y]).min, np.array([network.node_x, network.node_y]).max)
    )
    x, y = rng.uniform(low, high, (15_000, 2)).T
    snaps = snap_points(network, x, y, max_snap_m=25, usable=costs.usable)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    for u, v, ms in [
        *zip(network.edge_v.tolist(), network.edge_u.tolist(), costs.forward_ms.tolist(), strict=True),
        *zip(network.edge_u.tolist(), network.edge_v.tolist(), costs.backward_ms.tolist(), strict=True),
    ]:
        if ms >= 0 and ms < graph.get_edge_data(u, v, {"ms": np.inf})["ms"]:
            graph.add_edge(u, v, ms=ms)
    found = []
    on = snaps.edge >= 0
    e, f = snaps.edge[on], snaps.fraction[on]
    for origin in pick.tolist():
        lengths = nx.single_source_dijkstra_path_length(graph, origin, cutoff=900_000, weight="ms")
        node = np.full(network.n_nodes, np.inf)
        node[list(lengths)] = list(lengths.values())
        by_v = np.where(costs.forward_ms[e] >= 0, node[network.edge_v[e]] + (1 - f) * costs.forward_ms[e], np.inf)
        by_u = np.where(costs.backward_ms[e] >= 0, node[network.edge_u[e]] + f * costs.backward_ms[e], np.inf)
        seconds = np.full(len(x), np.inf)
        seconds[on] = np.minimum(by_u, by_v) / 1000 + snaps.leg_m[on] / costs.profile.speed_ms
        for cutoff in (300, 600, 900):
            truth = seconds <= cutoff
            inside = shapely.contains_xy(areas.geometry[(origin, cutoff)], x, y)
            found.append((truth & inside).sum() / (truth | inside).sum())
    assert np.mean(found) > 0.96
    assert np.min(found) > 0.90


def test_raster_read_back(town, tmp_path):
    import rasterio

    network, costs = town
    clinic = places(("c", 500, 500))
    grid, seconds = travel_time_surface(network, costs, clinic, cutoff_s=400, direction="to")
    path = write_time_raster(
        tmp_path / "new" / "time.tif", grid, seconds, network.crs, kind="synthetic", profile="toy", cutoff_s=400
    )
    with rasterio.open(path) as raster:
        assert raster.crs == rasterio.crs.CRS.from_epsg(4544)
        assert raster.transform.e == -10
        assert raster.profile["tiled"]
        assert raster.profile["compress"] == "deflate"
        assert raster.dtypes == ("float32",)
        assert raster.descriptions == ("travel time [s]",)
        tags = raster.tags()
        assert (tags["KIND"], tags["PROFILE"], tags["CUTOFF_S"]) == ("synthetic", "toy", "400")
        assert "OpenStreetMap" in tags["ATTRIBUTION"]
        values = raster.read(1)
        row, col = np.nonzero(values != NODATA)
        x, y = raster.xy(row, col)
    assert len(row) > 1000
    spots = pd.DataFrame({"origin_id": np.arange(len(row)), "x": x, "y": y})
    points = clinic.rename(columns={"origin_id": "facility_id"}).assign(service="s")
    exact = nearest_cost(network, costs, spots, points, max_snap_m=25.001).table["value"]
    # Ties between equally near streets, one of them one-way, may be decided otherwise.
    assert (np.abs(exact - values[row, col]) < 0.01).mean() > 0.999
    assert (values[row, col] <= 400).all()
    # A failure leaves what stood there.
    before = path.read_bytes()
    for change, says in (
        ({"kind": "real"}, "kind = 'real': there are observed"),
        ({"grid": (grid, seconds)}, "travel_time_surface returns"),
        ({"path": path.with_suffix(".png")}, r"time\.png must end in \.tif"),
    ):
        given = {"path": path, "grid": grid, "seconds": seconds, "crs": network.crs, "kind": "synthetic"} | change
        with pytest.raises(InputError, match=says):
            write_time_raster(**given)
    again = write_time_raster(tmp_path / "again.tif", grid, seconds, "EPSG:4544", kind="synthetic", profile="toy")
    with rasterio.open(again) as raster:
        assert raster.crs == rasterio.crs.CRS.from_epsg(4544)
    with pytest.raises(SchemaError, match="shape"):
        write_time_raster(path, grid, seconds[1:], network.crs, kind="synthetic")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        write_time_raster(tmp_path / "file" / "t.tif", grid, seconds, network.crs, kind="synthetic")
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["time.tif"]
    assert (seconds < FAR).sum() == len(row)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"cutoffs_s": []}, InputError, "cutoff"),
        ({"cutoffs_s": [300, 300]}, InputError, "twice"),
        ({"cutoffs_s": [-1]}, InputError, "cutoffs_s"),
        ({"direction": "back"}, InputError, "direction"),
        ({"grid_m": 0}, InputError, "grid_m"),
        ({"grid_m": 0.01}, InputError, "wider spacing"),
        ({"origins": pd.DataFrame({"origin_id": [1], "x": [EAST]})}, MissingColumnError, "y"),
        ({"origins": places(("a", 0, 0, -1.0))}, SchemaError, "offset_s"),
        ({"origins": places((None, 0, 0))}, SchemaError, "origin_id"),
    ],
)
def test_bad_input(town, change, error, words):
    network, costs = town
    arguments = {"origins": places(("a", 0, 0)), "cutoffs_s": [300]} | change
    with pytest.raises(error, match=words):
        service_areas(network, costs, **arguments)


def test_nothing_to_draw(town):
    network, costs = town
    nobody = places(("a", 0, 0))[:0]
    assert len(service_areas(network, costs, nobody, cutoffs_s=[300])) == 0
    assert len(reached_streets(network, costs, nobody, cutoffs_s=[300])) == 0
    none = nobody.rename(columns={"origin_id": "facility_id"})
    assert len(exclusive_areas(network, costs, none, cutoffs_s=[300])) == 0
    assert (overlaps(network, costs, none, cutoffs_s=[300])["area_km2"] == 0).all()
    with pytest.raises(NoDataError, match="CRS"):
        travel_time_surface(network, costs, places(("a", 9000, 9000)), cutoff_s=300)
    people = pd.DataFrame({"x": [EAST], "y": [NORTH], "people": [-1]})
    with pytest.raises(SchemaError, match="people"):
        exclusive_areas(network, costs, places(("a", 0, 0), key="facility_id"), cutoffs_s=[300], people=people)
    with pytest.raises(InputError, match="most"):
        overlaps(network, costs, places(("a", 0, 0), key="facility_id"), cutoffs_s=[300], most=0)
