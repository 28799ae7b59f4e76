"""Places at junctions belong to the node, not to one street there; islands are not snapped to."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from street_oracle import METRE_A_SECOND, forbid, oracle, random_turns, snaps_at
from toy import EAST, NORTH, grid_network, make_network

from bishan_gis.access.exclusive import exclusive_areas, overlaps
from bishan_gis.access.k_nearest import k_nearest
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.reachable import reachable
from bishan_gis.access.reached_streets import reached_streets
from bishan_gis.access.service_area import service_areas
from bishan_gis.access.time_grid import FAR, build_time_grid, time_surface
from bishan_gis.access.time_surface import travel_time_surface
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.network.costs import edge_costs
from bishan_gis.network.search import nearest_on_edges, search_nearest
from bishan_gis.network.snap import OFF_NETWORK, Snaps, entries, find_islands, snap_points
from bishan_gis.network.star import NOT_REACHED, StarGraph, by_edge, snap_seeds


def _busy_town(seed):
    """Streets with one-way pieces, forbidden turns and waits; places along them, and often at their nodes."""
    network, rng = grid_network(6, seed=seed), np.random.default_rng(seed)
    ends = list(zip(network.edge_u.tolist(), network.edge_v.tolist(), strict=True))
    turns = [(a, v, b) for a, b in product(range(len(ends)), repeat=2) for v in set(ends[a]) & set(ends[b])]
    network = forbid(network, *(turns[i] for i in rng.choice(len(turns), 25)), *random_turns(network, rng, 25))
    network = replace(
        network,
        node_control=rng.choice([0, 0, 1, 2], network.n_nodes).astype(np.uint8),
        edge_local=rng.random(network.n_edges) < 0.2 * (seed % 2),
    )
    x, y = EAST + rng.uniform(0, 500, 17), NORTH + rng.uniform(0, 500, 17)
    at, node = rng.random(17) < 0.5, rng.integers(0, network.n_nodes, 17)
    x[at], y[at] = network.node_x[node[at]], network.node_y[node[at]]
    origins = pd.DataFrame({"origin_id": [f"o{i:02d}" for i in range(12)], "x": x[:12], "y": y[:12]})
    goals = pd.DataFrame({"facility_id": [f"f{i}" for i in range(5)], "x": x[12:], "y": y[12:]})
    return network, edge_costs(network, METRE_A_SECOND), origins, goals.assign(offset_s=rng.integers(0, 60, 5))


def _expected(network, costs, places, doors, offset, direction):
    if direction == "to":
        return oracle(network, costs, places, doors, offset)
    return np.minimum(oracle(network, costs, doors, places).T + offset, NOT_REACHED)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000), direction=st.sampled_from(["to", "from"]), engine=st.sampled_from(["numba", "scipy"])
)
def test_the_measures_know_junctions_turns_and_waits(seed, direction, engine):
    network, costs, origins, goals = _busy_town(seed)
    a, b = (snap_points(network, t["x"], t["y"], max_snap_m=300, usable=costs.usable) for t in (origins, goals))
    assert (a.edge != OFF_NETWORK).all()
    offset = goals["offset_s"].to_numpy() * 1000
    pairs = _expected(network, costs, a, b, offset, direction)
    asked = {"direction": direction, "engine": engine}
    found = travel_matrix(network, costs, origins, goals, cutoff_s=600, **asked)
    found = found.set_index(["from_id", "to_id"])["cost_s"]
    expected = {
        (origins["origin_id"][i], goals["facility_id"][j]): pairs[i, j] / 1000 for i, j in np.argwhere(pairs <= 600_000)
    }
    assert found.to_dict() == expected
    one = goals.assign(service="s")
    near = nearest_cost(network, costs, origins, one, **asked).table.set_index("origin_id")["value"]
    assert near.fillna(NOT_REACHED / 1000).tolist() == (pairs.min(axis=1) / 1000).tolist()
    three = k_nearest(network, costs, origins, one, k=3, direction=direction)["cost_s"].fillna(NOT_REACHED / 1000)
    assert (three.to_numpy().reshape(-1, 3) == np.sort(pairs, axis=1)[:, :3] / 1000).all()
    supply = goals.assign(seats=2 ** np.arange(5))
    sums = reachable(network, costs, origins, supply, cutoffs_s=[300], direction=direction).sums["seats"][300]
    assert sums.tolist() == ((pairs <= 300_000) @ supply["seats"]).tolist()
    owner = pairs.argmin(axis=1)[pairs.min(axis=1) <= 300_000]
    areas = exclusive_areas(
        network, costs, goals, cutoffs_s=[300], people=origins.assign(people=1), grid_m=50, direction=direction
    )
    assert areas["people"].tolist() == np.bincount(owner, minlength=5).tolist()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), direction=st.sampled_from(["to", "from"]))
def test_the_streets_reached_are_those_of_networkx(seed, direction):
    network, costs, _, goals = _busy_town(seed)
    along = [(e, f, 0.0) for e in np.flatnonzero(costs.usable) for f in (0.004, 0.31, 0.77, 0.996)]
    places, doors = snaps_at(*along), snap_points(network, goals["x"], goals["y"], max_snap_m=300, usable=costs.usable)
    pairs = _expected(network, costs, places, doors, goals["offset_s"].to_numpy() * 1000, direction)
    streets = reached_streets(
        network, costs, goals.rename(columns={"facility_id": "origin_id"}), cutoffs_s=[200], direction=direction
    )
    at = shapely.line_interpolate_point(network.lines[places.edge], places.fraction, normalized=True)
    for j, door in enumerate(goals["facility_id"]):
        mine = streets[streets["origin_id"] == door]
        for (e, f, _), ms, point in zip(along, pairs[:, j], at, strict=True):
            if abs(ms - 200_000) > 2:  # a piece ends where the time does; there the millisecond decides
                assert (mine.loc[mine["edge"] == e].distance(point).min() < 1e-6) == (ms < 200_000), (door, e, f)


def _frame(*rows, key="origin_id"):
    return pd.DataFrame([(i, EAST + x, NORTH + y) for i, x, y in rows], columns=[key, "x", "y"])


def test_a_facility_at_the_end_of_a_one_way_street():
    """School at node 1, where the street 0 -> 1 ends and 1 - 2 begins; it snaps to the first of them."""
    network = make_network([(0, 0), (100, 0), (200, 0)], [(0, 1, "", True), (1, 2)])
    costs = edge_costs(network, METRE_A_SECOND)
    homes, school = _frame(("west", 50, 0), ("at", 100, 0), ("east", 170, 10)), _frame(("s", 100, 0), key="facility_id")
    snaps = snap_points(network, school["x"], school["y"], max_snap_m=9)
    assert (snaps.edge.item(), snaps.fraction.item()) == (0, 1.0)
    for engine in ("numba", "scipy"):
        for direction, seconds in (("to", [50, 0, 80]), ("from", [np.nan, 0, 80])):
            table = nearest_cost(
                network, costs, homes, school.assign(service="s"), direction=direction, engine=engine
            ).table
            assert table["value"].fillna(-1).tolist() == pd.Series(seconds).fillna(-1).tolist()
            assert table["status"].tolist() == ["unreachable" if s != s else "reached" for s in seconds]


def test_a_bridge_is_entered_from_a_place_at_its_end():
    """The street 0 -> 1 is one-way, 1 - 2 is a bridge, 2 - 3 a street."""
    network = make_network([(0, 0), (100, 0), (200, 0), (300, 0)], [(0, 1, "", True), (1, 2, "bridge"), (2, 3)])
    costs, goals = edge_costs(network, METRE_A_SECOND), _frame(("bank", 200, 5), ("on", 250, 0), key="facility_id")
    pairs = travel_matrix(network, costs, _frame(("here", 100, 0)), goals, cutoff_s=600)
    assert pairs["cost_s"].tolist() == [105, 150]


def _estate():
    """A street of 1,000 m, paths of 60 m and 30 m behind fences, and the first 20 m of a street that leads away."""
    nodes = [(0, 0), (500, 0), (1000, 0), (100, 30), (160, 30), (400, 400), (430, 400), (700, 50), (720, 50)]
    return make_network(nodes, [(0, 1), (1, 2), (3, 4), (5, 6), (7, 8)], frontier=(8,))


def test_islands_by_hand():
    network = _estate()
    assert find_islands(network, 200).tolist() == [False, False, True, True, False]  # the last leads out of the data
    assert find_islands(network, 60).tolist() == [False, False, False, True, False]  # 60 m are not shorter than 60 m
    assert not find_islands(network, 0).any()
    assert find_islands(network, 1e9).tolist() == [False, False, True, True, False]  # the longest part stays
    usable = np.array([True, False, True, True, True])
    assert find_islands(network, 1e9, usable=usable).tolist() == [False, False, True, True, False]
    homes = _frame(("fenced", 130, 40), ("street", 130, 10), ("remote", 410, 405), ("edge", 710, 60), ("far", 0, 9000))
    snap = {"x": homes["x"], "y": homes["y"], "max_snap_m": 300}
    plain = snap_points(network, **snap)
    assert plain.moved is None
    assert plain.n_moved == 0
    assert plain.edge.tolist() == [2, 0, 3, 4, OFF_NETWORK]
    snaps = snap_points(network, **snap, island_m=200)
    assert snaps.edge.tolist() == [0, 0, 3, 4, OFF_NETWORK]  # no other street within 300 m of the remote one
    assert snaps.moved.tolist() == [True, False, False, False, False]
    assert (snaps.leg_m[0], snaps.fraction[0]) == (40, 0.26)
    assert snaps.take(np.array([1, 0])).moved.tolist() == [False, True]
    none = snap_points(network, **snap, island_m=0)
    assert none.edge.tolist() == plain.edge.tolist()
    assert none.n_moved == 0
    with pytest.raises(ValueError, match="island_m = nan: must be 0 or more"):
        snap_points(network, **snap, island_m=np.nan)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), island_m=st.sampled_from([0.0, 150.0, 400.0, 1500.0]), max_snap_m=st.integers(5, 90)
)
def test_islands_equal_a_search_by_hand(seed, island_m, max_snap_m):
    """The nearest of all streets, or of those of large parts, found by trying every one; parts by networkx."""
    network, rng = grid_network(6, seed=seed, drop=0.55), np.random.default_rng(seed)
    usable = rng.random(network.n_edges) < 0.9
    x, y = EAST + rng.uniform(-50, 550, 40), NORTH + rng.uniform(-50, 550, 40)
    graph = nx.Graph((int(network.edge_u[e]), int(network.edge_v[e])) for e in np.flatnonzero(usable))
    parts = list(nx.connected_components(graph))
    length = [network.edge_length_m[usable & np.isin(network.edge_u, list(p))].sum() for p in parts]
    large = {v for p, m in zip(parts, length, strict=True) if m >= min(island_m, max(length)) for v in p}
    on_large = usable & np.isin(network.edge_u, list(large))
    far = shapely.distance(network.lines[:, None], shapely.points(x, y))

    def nearest(among):
        gap = np.where(among[:, None], far, np.inf)
        return np.where(gap.min(axis=0) <= max_snap_m, gap.argmin(axis=0), OFF_NETWORK)

    first, better = nearest(usable), nearest(on_large)
    fenced = (first != OFF_NETWORK) & ~on_large[first]
    snaps = snap_points(network, x, y, max_snap_m=max_snap_m, usable=usable, island_m=island_m)
    assert snaps.edge.tolist() == np.where(fenced & (better != OFF_NETWORK), better, first).tolist()
    assert snaps.n_moved == int((fenced & (better != OFF_NETWORK)).sum())
    same = snap_points(network, x, y, max_snap_m=max_snap_m, usable=usable)
    assert (snaps.leg_m >= same.leg_m).all()
    assert same.edge.tolist() == first.tolist()
    town = replace(network, island_m=island_m)
    grid = build_time_grid(town, step_m=20, off_network_m=40, usable=usable, max_snap_m=max_snap_m)
    at = np.meshgrid(grid.x(), grid.y())
    homes = snap_points(town, at[0].ravel(), at[1].ravel(), max_snap_m=max_snap_m, usable=usable)
    near = min(40, max_snap_m)
    assert np.minimum(grid.leg_m, near).ravel() == pytest.approx(np.minimum(homes.leg_m, near), abs=1e-3)


def test_ground_and_people_of_an_island_agree():
    """School on the street at 100 m; a home 10 m from it, nearer to a fenced path; a clinic on a remote path."""
    network = replace(_estate(), island_m=200.0)
    costs, ask = edge_costs(network, METRE_A_SECOND), {"cutoffs_s": [300], "off_network_m": 25, "grid_m": 5}
    homes = _frame(("fenced", 130, 22), ("remote", 425, 400))
    school, clinic = (_frame(row, key="facility_id") for row in (("school", 100, 0), ("clinic", 400, 400)))
    for place, mine, home, other in ((school, 52, 0, 1), (clinic, 25, 1, 0)):
        near = nearest_cost(network, costs, homes, place.assign(service="s")).table
        assert near["value"][home] == mine
        assert np.isnan(near["value"][other])
        point = shapely.Point(homes["x"][home], homes["y"][home])
        one = exclusive_areas(network, costs, place, people=homes.assign(people=[1, 1]), **ask)
        assert one["people"].tolist() == [1]
        origins = place.rename(columns={"facility_id": "origin_id"})
        some = overlaps(network, costs, place, **ask), service_areas(network, costs, origins, **ask)
        assert all(frame.geometry.iloc[0].contains(point) for frame in (one, *some))
        grid, seconds = travel_time_surface(network, costs, origins, cutoff_s=300, grid_m=1)
        row, column = round(point.y - grid.y0), round(point.x - grid.x0)
        assert seconds[row, column] == pytest.approx(mine, abs=0.01)
    assert snap_points(network, [EAST], [NORTH], max_snap_m=9, usable=costs.usable).edge.tolist() == [0]
    assert entries(network, costs.usable) is entries(network, costs.usable.copy())
    assert entries(network, costs.usable) is not entries(network)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_surface_of_the_life_circles_knows_junctions(seed):
    network, costs, _, goals = _busy_town(seed)
    grid = build_time_grid(network, step_m=20, off_network_m=40, usable=costs.usable)
    doors = snap_points(network, goals["x"], goals["y"], max_snap_m=300, usable=costs.usable)
    label, here = np.zeros(5, dtype=np.int32), by_edge(network, costs, doors)
    star = StarGraph.from_network(network, costs, reverse=True)
    (dist,), (who,) = search_nearest(star, [snap_seeds(network, costs, doors, label, arrive=True)])
    near = grid.edge >= 0
    points = Snaps(grid.edge[near], grid.fraction[near].astype(float), grid.leg_m[near].astype(float))
    exact, _ = nearest_on_edges(network, costs, points, here, dist, who)
    mine = time_surface(network, costs, grid, dist, here)[near]
    assert ((mine < FAR) == (exact < NOT_REACHED)).all()
    assert np.abs(mine - exact / 1000)[mine < FAR].max(initial=0) < 0.01


def test_points_snapped_before_are_told_apart_by_place_distance_and_traveller():
    network, homes = _estate(), _frame(("fenced", 130, 40), ("street", 600, 12))
    at, ask = (homes["x"], homes["y"]), {"max_snap_m": 100, "island_m": 0}
    first = snap_points(network, *at, **ask)
    first.leg_m[:] = -1
    again = snap_points(network, *at, **ask)
    assert again.leg_m.tolist() == [10, 12]
    assert snap_points(network, homes["x"], homes["y"] + 1, **ask).leg_m.tolist() == [11, 13]
    assert snap_points(network, *at, max_snap_m=11, island_m=0).leg_m.tolist() == [10, np.inf]
    assert snap_points(network, *at, max_snap_m=100, island_m=200).leg_m.tolist() == [40, 12]
    usable = np.array([True, False, True, True, True])
    assert snap_points(network, *at, **ask, usable=usable).leg_m[1] > 100
