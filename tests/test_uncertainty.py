"""Bands and the edge of the data: against a search anew, on a city cut in two, by hand and by property."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EAST, NORTH, grid_network, make_network

from bishan_gis.access.completeness import completeness
from bishan_gis.access.data_edge import uncertain_origins, unknown_share
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.uncertainty import band_tables, changed_access, coverage_band, origin_legs
from bishan_gis.errors import ControlTotalError, InputError, MissingColumnError, SchemaError
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.planning.coverage import coverage
from bishan_gis.planning.uncertainty import coverage_with_band

NAN = np.nan
ADULT = load_profile("adult")


def _places(network, seed, *, west=0.0):
    """Scatter 60 origins and 4 facilities of two services over a network."""
    rng = np.random.default_rng(seed)
    x, y = network.node_x, network.node_y
    spots = rng.uniform([x.min() + west, y.min()], [x.max(), y.max()], size=(64, 2))
    origins = pd.DataFrame({"origin_id": [f"o{i}" for i in range(60)], "x": spots[:60, 0], "y": spots[:60, 1]})
    points = pd.DataFrame({"facility_id": list("abcd"), "service": ["school", "clinic"] * 2})
    return origins, points.assign(x=spots[60:, 0], y=spots[60:, 1])


@pytest.mark.parametrize("slope", [None, "tobler"])
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_equals_a_new_search(factor, slope):
    """The factor on the table gives the times of a search at that speed, to the rounding of each edge."""
    network = grid_network(9, seed=4)
    origins, points = _places(network, 4)
    if slope:
        rng = np.random.default_rng(0)
        network = replace(network, node_elevation_m=rng.uniform(200, 230, network.n_nodes))
    table = nearest_cost(network, edge_costs(network, ADULT, slope=slope), origins, points).table
    speed = replace(ADULT, speed_kmh=ADULT.speed_kmh * factor)
    new = nearest_cost(network, edge_costs(network, speed, slope=slope), origins, points).table
    changed = changed_access(table, speed=factor)
    assert changed["status"].tolist() == new["status"].tolist()
    np.testing.assert_allclose(changed["value"], new["value"], atol=0.05)  # 40 edges at most, half a ms each
    low, high = band_tables(table)
    assert (table["value"].isna() | (low["value"] >= table["value"]) & (table["value"] >= high["value"])).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4_000_000), st.integers(1, 3_600_000), st.integers(1, 99))
def test_factor_is_a_cutoff(value_ms, cutoff_ms, percent):
    """Changed times against the cutoff: the same as times against the changed cutoff, in whole milliseconds."""
    access = pd.DataFrame(
        {"origin_id": ["A"], "service": "s", "value": [value_ms / 1000], "status": "reached", "unknown_from_s": [NAN]}
    )
    band = coverage_band(access, cutoffs_s=[cutoff_ms / 1000], speed_share=percent / 100).iloc[0]
    share = Fraction(percent, 100)
    assert band["covered_low"] == (value_ms <= (1 - share) * cutoff_ms)
    assert band["covered"] == (value_ms <= cutoff_ms)
    assert band["covered_high"] == (value_ms <= (1 + share) * cutoff_ms)


def test_legs_and_alternatives():
    """A on the street, B 60 m off it at 1 m/s; the school stands at the far end, 540 m on."""
    walk = replace(ADULT, speed_kmh=3.6, leg_kmh=None)
    network = make_network([(0, 0), (600, 0)], [(0, 1)])
    origins = pd.DataFrame({"origin_id": ["A", "B", "C"], "x": EAST + 60.0, "y": NORTH + np.array([0.0, 60, 900])})
    school = pd.DataFrame({"facility_id": ["f"], "service": ["school"], "x": [EAST + 600.0], "y": [NORTH]})
    near = nearest_cost(network, edge_costs(network, walk), origins, school)
    legs = origin_legs(near)
    assert legs.to_dict() == {"A": 0.0, "B": 60.0, "C": np.inf}
    low, high = band_tables(near.table, speed_share=0, leg_s=legs)
    np.testing.assert_array_equal(low["value"], [540, 660, NAN])
    np.testing.assert_array_equal(high["value"], [540, 540, NAN])
    # Snapped over 50 m at most B is off the network; over a kilometre C is on it, 540 + 900 s.
    strict, wide = (
        nearest_cost(network, edge_costs(network, walk), origins, school, max_snap_m=m).table for m in (50, 1e3)
    )
    low, high = band_tables(near.table, speed_share=0, alternatives=[strict.iloc[::-1], wide])
    np.testing.assert_array_equal(low["value"], [540, NAN, NAN])
    np.testing.assert_array_equal(high["value"], [540, 600, 1440])
    assert low["status"].tolist() == ["reached", "off_network", "off_network"]
    assert high["status"].tolist() == ["reached"] * 3
    band = coverage_band(near.table, cutoffs_s=[600], speed_share=0, alternatives=[strict, wide])
    assert band["fragile"].tolist() == [False, True, False]


def test_coverage_with_band():
    network = grid_network(9, seed=1)
    origins, points = _places(network, 1)
    near = nearest_cost(network, edge_costs(network, ADULT), origins, points)
    rng = np.random.default_rng(1)
    cells = origins.rename(columns={"origin_id": "cell_id"}).assign(
        young=rng.integers(0, 20, 60), old=rng.integers(0, 20, 60), town=["t1", "t2"] * 30, district="d"
    )
    zones = pd.DataFrame({"zone_id": ["t1", "t2", "d"], "zone_kind": ["town", "town", "district"], "name": list("xyz")})
    asked = {
        "cutoffs_min": [3, 5, 15],
        "age_groups": {"all": ["young", "old"], "old": ["old"]},
        "member": {"town": "town", "district": "district"},
    }
    table = coverage_with_band(near.table, cells, zones, **asked, leg_s=origin_legs(near))
    plain = coverage(near.table, cells, zones, **asked)
    pd.testing.assert_frame_equal(table[plain.columns], plain)
    assert (table["people_covered_low"] <= table["people_covered"]).all()
    assert (table["people_covered"] <= table["people_covered_high"]).all()
    assert table["fragile"].any()
    assert not table["fragile"].all()
    # Towns add up to the district, and the sums are those of the origins.
    keys = ["service", "cutoff_min", "age_group"]
    kinds = {
        k: g.groupby(keys)[["people_covered_low", "people_covered_high"]].sum() for k, g in table.groupby("zone_kind")
    }
    pd.testing.assert_frame_equal(kinds["town"], kinds["district"])
    band = coverage_band(near.table, cutoffs_s=[300], leg_s=origin_legs(near))
    old = cells.set_index("cell_id")["old"]
    mine = band[band["covered_low"]].groupby("service")["origin_id"].agg(lambda ids: old[ids].sum())
    theirs = kinds["district"].xs((5.0, "old"), level=["cutoff_min", "age_group"])["people_covered_low"]
    assert mine.to_dict() == theirs.to_dict()
    with pytest.raises(ControlTotalError):
        coverage_with_band(near.table, cells.assign(town="t9"), zones, **asked)


def _cut(network, keep):
    """Return the part of a network between some nodes; where an edge is lost, its end is at the edge of the data."""
    inside = keep[network.edge_u] & keep[network.edge_v]
    place = np.cumsum(keep) - 1
    lost = ~inside
    at_edge = np.unique(np.concatenate([network.edge_u[lost], network.edge_v[lost]]))
    at_edge = at_edge[keep[at_edge]]
    nodes = list(zip(network.node_x[keep] - EAST, network.node_y[keep] - NORTH, strict=True))
    ways = ~network.edge_backward
    edges = [(place[network.edge_u[e]], place[network.edge_v[e]], "", ways[e]) for e in np.flatnonzero(inside)]
    return make_network(nodes, edges, frontier=tuple(place[at_edge]))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_certain_stays(seed):
    """Half a city, then all of it: what is called certain does not change, and bounds hold."""
    full = grid_network(12, seed=seed)
    part = _cut(full, full.node_x < EAST + 560)
    origins, points = _places(part, seed)
    beyond = pd.DataFrame({"facility_id": list("stuvwxyz"), "service": ["school", "clinic"] * 4, "x": EAST + 620.0})
    beyond["y"] = NORTH + np.arange(8) * 150
    few = nearest_cost(part, edge_costs(part, ADULT), origins, points)
    all_of_it = nearest_cost(full, edge_costs(full, ADULT), origins, pd.concat([points, beyond], ignore_index=True))
    few, known = few.table, all_of_it.table
    assert (few[["origin_id", "service"]] == known[["origin_id", "service"]]).all(axis=None)
    # An origin may snap to a street that is only in the whole city.
    same = ~few["origin_id"].isin(origins["origin_id"][origins["x"] > EAST + 450])
    changed = 0
    for cutoff in (200, 300, 400, 700):
        changed += ((few["value"] <= cutoff) != (known["value"] <= cutoff))[same].sum()
        sure = same & ~uncertain_origins(few, cutoffs_s=[cutoff])["uncertain"]
        assert ((few["value"] <= cutoff) == (known["value"] <= cutoff))[sure].all()
        sure = same & ~uncertain_origins(few, cutoffs_s=[cutoff], result="time")["uncertain"] & (few["value"] <= cutoff)
        assert (few["value"] == known["value"])[sure].all()
        assert sure.any()
        bounds = completeness(few[same], ["school", "clinic"], cutoff_s=cutoff)
        truth = completeness(known[same], ["school", "clinic"], cutoff_s=cutoff)["completeness_low"]
        assert ((bounds["completeness_low"] <= truth) & (truth <= bounds["completeness_high"])).all()
    assert changed  # or else the test would say nothing


def test_unknown_share_by_hand():
    access = pd.DataFrame(
        [
            ("A", 300, "reached", 200),  # covered; something nearer may lie outside
            ("B", 1200, "reached", 600),  # not covered, could leave in time
            ("C", NAN, "unreachable", NAN),  # certainly not
            ("D", NAN, "off_network", NAN),
            ("E", 1200, "reached", 1000),  # could leave, too late
        ],
        columns=["origin_id", "value", "status", "unknown_from_s"],
    ).assign(service="school")
    people = pd.DataFrame({"all": [10, 20, 30, 40, 0], "none": 0}, index=list("ABCDE"))
    for result, unsure in [("coverage", 60), ("time", 70), ("sum", 70)]:
        table = unknown_share(access, people, cutoffs_s=[900], result=result).set_index("age_group")
        assert table.loc["all", ["people", "people_unknown"]].tolist() == [100, unsure]
        assert table.loc["all", "unknown_share"] == unsure / 100
        assert np.isnan(table.loc["none", "unknown_share"])
    assert unknown_share(access, people["all"], cutoffs_s=[100, 700])["people_unknown"].tolist() == [40, 60]
    # The same people as coverage counts.
    cells = pd.DataFrame({"cell_id": list("ABCDE"), "n": people["all"].to_numpy(), "z": "z"})
    zones = pd.DataFrame({"zone_id": ["z"], "zone_kind": ["k"], "name": ["z"]})
    table = coverage(access, cells, zones, cutoffs_min=[15], age_groups={"all": ["n"]}, member={"k": "z"})
    assert table["people_unknown"].tolist() == [60]


ONE = pd.DataFrame(
    {"origin_id": ["A"], "service": ["s"], "value": [1.0], "status": ["reached"], "unknown_from_s": [NAN]}
)


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (InputError, lambda: changed_access(ONE, speed=0)),
        (InputError, lambda: changed_access(ONE, speed=2)),
        (InputError, lambda: changed_access(ONE, legs=NAN)),
        (InputError, lambda: band_tables(ONE, speed_share=1)),
        (SchemaError, lambda: band_tables(ONE, leg_s=pd.Series({"B": 1.0}))),
        (SchemaError, lambda: band_tables(ONE, leg_s=pd.Series({"A": -1.0}))),
        (SchemaError, lambda: band_tables(ONE, leg_s=pd.Series([1.0, 2.0], index=["A", "A"]))),
        (SchemaError, lambda: band_tables(ONE, alternatives=[ONE.assign(origin_id="B")])),
        (MissingColumnError, lambda: coverage_band(ONE.drop(columns="status"), cutoffs_s=[1])),
        (InputError, lambda: coverage_band(ONE, cutoffs_s=[0])),
        (InputError, lambda: uncertain_origins(ONE, cutoffs_s=[1], result="gravity")),
        (InputError, lambda: uncertain_origins(ONE, cutoffs_s=[-1])),
        (SchemaError, lambda: unknown_share(ONE, pd.Series({"A": 1, "B": 1}), cutoffs_s=[1])),
        (SchemaError, lambda: unknown_share(pd.concat([ONE, ONE]), pd.Series({"A": 1}), cutoffs_s=[1])),
        (SchemaError, lambda: unknown_share(ONE, pd.Series({"A": NAN}), cutoffs_s=[1])),
    ],
)
def test_bad_input(error, call):
    with pytest.raises(error):
        call()
