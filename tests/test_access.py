"""Times and service areas: by hand, against scipy, and by property."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from toy import EAST, NORTH, grid_network, make_network

import bishan_gis as bg
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.service_area import facility_circles, union_areas
from bishan_gis.access.time_grid import build_time_grid
from bishan_gis.errors import InputError
from bishan_gis.network.costs import BLOCKED, SpeedProfile, edge_costs, load_profile
from bishan_gis.network.search import search_nearest
from bishan_gis.network.snap import snap_points
from bishan_gis.network.star import NOT_REACHED, Seeds, StarGraph

METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand")


def _origins(*rows: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame([(i, EAST + x, NORTH + y) for i, x, y in rows], columns=["origin_id", "x", "y"])


def _points(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [(f, s, EAST + x, NORTH + y) for f, s, x, y in rows], columns=["facility_id", "service", "x", "y"]
    )


@pytest.fixture
def town():
    """A --100 m-- B --100 m-- C, steps of 40 m from B down to D; a bridge A-E passes over B-C."""
    nodes = [(0, 0), (100, 0), (200, 0), (100, -40), (180, 300)]
    edges = [(0, 1), (1, 2), (1, 3, "steps"), (0, 4, "bridge")]
    return make_network(nodes, edges, frontier=(2,))


def _table(network, origins, points, **kw):
    result = nearest_cost(network, edge_costs(network, METRE_A_SECOND), origins, points, **kw)
    return result.table.set_index(["origin_id", "service"])


def test_town_by_hand(town):
    origins = _origins(("A", 0, 0), ("B", 100, 0), ("D", 100, -40), ("lane", 30, 10), ("far", 5000, 5000))
    points = _points(("c1", "clinic", 200, 0), ("s1", "school", 60, -5), ("s2", "school", 0, 300))
    t = _table(town, origins, points)
    assert t.loc[("A", "clinic"), "value"] == 200.0
    assert t.loc[("B", "clinic"), "value"] == 100.0
    # 40 m of steps at half speed, then 100 m
    assert t.loc[("D", "clinic"), "value"] == 180.0
    # 10 m leg, 170 m of street
    assert t.loc[("lane", "clinic"), "value"] == 180.0
    # same edge: 10 m leg + 30 m + 5 m leg, without going round by a node
    assert t.loc[("lane", "school"), "value"] == 45.0
    assert t.loc[("lane", "school"), "facility_id"] == "s1"
    assert t.loc[("far", "clinic"), "status"] == "off_network"
    assert np.isnan(t.loc[("far", "clinic"), "value"])
    # C is where the data ends: what lies beyond can change any answer later than that
    assert t.loc[("A", "school"), "unknown_from_s"] == 200.0


def test_bridge_is_entered_at_its_ends(town):
    # Right under the bridge, 90 m along it: the street is A-B, not the bridge deck.
    snaps = snap_points(town, [EAST + 50], [NORTH + 83], max_snap_m=300)
    assert snaps.edge[0] == 0
    assert snaps.leg_m[0] == pytest.approx(83)


def test_places_are_not_entered_from_where_the_traveller_may_not_go(town):
    chair = load_profile("wheelchair")
    costs = edge_costs(town, chair)
    origins = _origins(("by the steps", 105, -30))
    t = nearest_cost(town, costs, origins, _points(("c", "clinic", 100, 0))).table.iloc[0]
    # 30 m straight to the street above, not 5 m to the steps below, which lead nowhere for a wheelchair
    assert t["status"] == "reached"
    assert t["value"] == pytest.approx((30 + 5) / chair.speed_ms, abs=0.002)


def test_status_tells_apart():
    network = make_network([(0, 0), (100, 0), (10_000, 0), (0, 5000), (100, 5000)], [(0, 1), (1, 2), (3, 4)])
    origins = _origins(("near", 90, 0), ("late", 9990, 0), ("island", 50, 5000))
    t = _table(network, origins, _points(("f", "s", 0, 0)), search_s=600)
    assert list(t["status"]) == ["reached", "beyond_cutoff", "unreachable"]
    assert t.loc[("late", "s"), "value"] == 9990.0


def test_oneway_is_directed():
    network = make_network([(0, 0), (100, 0), (100, 100), (0, 100)], [(0, 1, "", True), (1, 2), (2, 3), (3, 0)])
    t = _table(network, _origins(("o", 75, 0)), _points(("back", "b", 25, 0), ("ahead", "a", 100, 0)))
    assert t.loc[("o", "a"), "value"] == 25.0
    assert t.loc[("o", "b"), "value"] == 25 + 300 + 25


def test_fire_engines_turn_out_and_come():
    """Two depots on a one-way street, one behind its end; the slower crew is nearer."""
    network = make_network([(0, 0), (300, 0), (300, 300)], [(0, 1, "", True), (1, 2)], frontier=(2,))
    costs = edge_costs(network, METRE_A_SECOND)
    points = _points(("back", "fire", 300, 50), ("front", "fire", 0, 0), ("slow", "fire", 140, 0))
    points["offset_s"] = [0, 60, 130.5]
    origins = _origins(("house", 150, 0), ("corner", 300, 100))
    come = nearest_cost(network, costs, origins, points, direction="from", search_s=200)
    t = come.table.set_index("origin_id")
    # "back" cannot drive against the one-way street; "slow" is 10 m away and 130.5 s late.
    assert t.loc["house", ["value", "facility_id"]].tolist() == [140.5, "slow"]
    assert t.loc["corner", ["value", "facility_id"]].tolist() == [50, "back"]
    # Somebody could come in from outside at (300, 300), but not into the one-way street.
    assert np.isnan(t.loc["house", "unknown_from_s"])
    assert t.loc["corner", "unknown_from_s"] == 200
    assert come.edge_share["fire"] == 0
    go = nearest_cost(network, costs, origins, points)
    assert go.table["value"].tolist() == [200, 50]
    assert go.costs is costs
    far = nearest_cost(network, costs, origins, points[points["facility_id"] == "front"]).table
    assert far["status"].tolist() == ["unknown", "unknown"]


def test_share_that_rests_on_the_edge_of_the_data(town):
    origins = _origins(("A", 0, 0), ("B", 100, 0), ("far", 9000, 0))
    points = _points(("s", "school", 0, 0), ("c", "clinic", 200, 0))
    result = nearest_cost(town, edge_costs(town, METRE_A_SECOND), origins, points)
    # From B the data ends after 100 s, when the school is just reached: certain. Move the school on, and it is not.
    assert result.edge_share.to_dict() == {"clinic": 0.0, "school": 0.0}
    points = _points(("s", "school", 0, 20), ("c", "clinic", 200, 0))
    result = nearest_cost(town, edge_costs(town, METRE_A_SECOND), origins, points)
    assert result.edge_share.to_dict() == {"clinic": 0.0, "school": 0.5}


@pytest.mark.parametrize(("n", "most"), [(9, 4), (9, 2**31 - 2), (1 << 22, 2**31 - 2)])
def test_links_lie_by_tail_head_and_cost(n, most):
    """Sorted as one number each or, where 63 bits do not hold it, by column."""
    rng = np.random.default_rng(0)
    tail, head = rng.integers(n - 9, n, (2, 300), dtype=np.int32)
    cost = rng.integers(0, most, 300, endpoint=True)
    star = StarGraph.from_links(n, tail, head, cost)
    order = np.lexsort((cost, head, tail))
    for mine, told in ((star.target, head), (star.cost_ms, cost), (np.repeat(np.arange(n), np.diff(star.start)), tail)):
        np.testing.assert_array_equal(mine, told[order])


def test_costs_of_something_else_are_named(town):
    """What every search takes first: a profile, the name of one or the costs of another network in place of costs."""
    origins, points = _origins(("A", 0, 0)), _points(("c1", "clinic", 200, 0))
    searches = [
        lambda network, costs: nearest_cost(network, costs, origins, points, direction="from"),
        lambda network, costs: bg.k_nearest(network, costs, origins, points, k=1),
        lambda network, costs: bg.travel_matrix(network, costs, origins, points, cutoff_s=900),
        lambda network, costs: bg.reachable(network, costs, origins, points.assign(beds=1), cutoffs_s=[900]),
        lambda network, costs: bg.service_areas(network, costs, origins, cutoffs_s=[900]),
        lambda network, costs: bg.network_centrality(network, costs, cutoff_s=900),
    ]
    for search in searches:
        with pytest.raises(InputError, match=r"costs: must be what edge_costs\(network, profile\) gives, it is a Sp"):
            search(town, METRE_A_SECOND)
        with pytest.raises(InputError, match=r"another network \(\d+ edges, 9 nodes; this one has 4 and 5\)"):
            search(town, edge_costs(grid_network(3), METRE_A_SECOND))
    with pytest.raises(InputError, match=r"profile: must be a SpeedProfile, it is a str; use load_profile\('child'\)"):
        edge_costs(town, "child")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_equals_scipy_to_the_millisecond(seed):
    network = grid_network(9, seed=seed)
    costs = edge_costs(network, load_profile("adult"))
    rng = np.random.default_rng(seed)
    n = network.n_nodes
    sources = rng.choice(n, 5, replace=False).astype(np.int32)
    seeds = Seeds(sources, rng.integers(0, 60_000, 5), np.arange(5, dtype=np.int32))
    star = StarGraph.from_network(network, costs)
    (mine,), (label,) = search_nearest(star, [seeds])
    go, back = costs.forward_ms != BLOCKED, costs.backward_ms != BLOCKED
    tail = np.r_[network.edge_u[go], network.edge_v[back], np.full(5, n)]
    head = np.r_[network.edge_v[go], network.edge_u[back], sources]
    cost = np.r_[costs.forward_ms[go], costs.backward_ms[back], seeds.cost_ms + 1]
    theirs = dijkstra(coo_array((cost.astype(float), (tail, head)), shape=(n + 1, n + 1)).tocsr(), indices=n)[:n]
    reached = np.isfinite(theirs)
    assert (mine[reached] == theirs[reached] - 1).all()
    assert (mine[~reached] == NOT_REACHED).all()
    assert ((label >= 0) == reached).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_more_never_hurts_and_order_does_not_matter(seed):
    network = grid_network(8, seed=seed)
    costs = edge_costs(network, METRE_A_SECOND)
    rng = np.random.default_rng(seed)
    origins = _origins(*[(f"o{i}", *rng.uniform(0, 700, 2)) for i in range(40)])
    points = _points(*[(f"f{i}", "s", *rng.uniform(0, 700, 2)) for i in range(4)])
    few = nearest_cost(network, costs, origins, points.iloc[:3]).table["value"].fillna(np.inf)
    many = nearest_cost(network, costs, origins, points).table
    assert (many["value"].fillna(np.inf) <= few).all()
    mixed = nearest_cost(network, costs, origins.sample(frac=1, random_state=seed), points.iloc[::-1]).table
    both = many.merge(mixed, on=["origin_id", "service"])
    pd.testing.assert_series_equal(both["value_x"], both["value_y"], check_names=False)
    assert (both["facility_id_x"].fillna("") == both["facility_id_y"].fillna("")).all()


@pytest.fixture(scope="module")
def areas():
    network = grid_network(14, seed=3, oneway=0)
    costs = edge_costs(network, METRE_A_SECOND)
    rng = np.random.default_rng(1)
    origins = _origins(*[(f"o{i}", *rng.uniform(0, 1300, 2)) for i in range(400)])
    points = _points(("f1", "s", 410, 395), ("f2", "s", 900, 700), ("g1", "t", 100, 1200))
    result = nearest_cost(network, costs, origins, points)
    grid = build_time_grid(network, step_m=10, off_network_m=30)
    rows = [np.flatnonzero(result.targets["service"] == s) for s in result.services]
    union = union_areas(
        network,
        costs,
        grid,
        result.node_cost_ms,
        result.target_snaps,
        rows,
        result.services,
        cutoffs_s=[300, 600, 900],
    )
    people = np.ones(len(origins), dtype=np.int64)
    circles = facility_circles(
        network,
        costs,
        grid,
        result.targets,
        result.target_snaps,
        result.origin_snaps,
        people,
        cutoffs_s=[300, 600, 900],
    )
    return network, costs, origins, result, union, circles


def test_areas_are_valid_and_nested(areas):
    *_, union, circles = areas
    assert union.is_valid.all()
    assert circles.is_valid.all()
    for _, group in circles.groupby("facility_id"):
        small, middle, large = group.sort_values("cutoff_min").geometry
        assert small.difference(middle.buffer(0.01)).area < 1
        assert middle.difference(large.buffer(0.01)).area < 1
    assert any(len(p.interiors) for g in union.geometry for p in g.geoms), "holes are kept"


def test_union_is_the_union_of_the_circles(areas):
    *_, union, circles = areas
    for row in union.itertuples():
        mine = circles[(circles["service"] == row.service) & (circles["cutoff_min"] == row.cutoff_min)]
        whole = shapely.union_all(mine.geometry.to_numpy())
        assert whole.symmetric_difference(row.geometry).area < 0.02 * whole.area


def test_areas_agree_with_sampled_truth(areas):
    network, costs, _, result, union, _ = areas
    rng = np.random.default_rng(7)
    samples = _origins(*[(f"p{i:05d}", *rng.uniform(0, 1300, 2)) for i in range(6000)])
    truth = nearest_cost(network, costs, samples, result.targets, max_snap_m=30).table
    for row in union.itertuples():
        mine = truth[truth["service"] == row.service]
        inside = shapely.contains_xy(row.geometry, samples["x"], samples["y"])
        real = (mine["value"] <= row.cutoff_min * 60).to_numpy()
        iou = (inside & real).sum() / (inside | real).sum()
        assert iou > 0.93, (row.service, row.cutoff_min, iou)


def test_people_in_a_circle_are_counted_by_exact_time(areas):
    network, costs, origins, result, _, circles = areas
    alone = nearest_cost(network, costs, origins, result.targets[result.targets["facility_id"] == "f2"]).table
    for row in circles[circles["facility_id"] == "f2"].itertuples():
        assert row.people == (alone["value"] <= row.cutoff_min * 60).sum()
