"""Waits, forbidden turns, reversed travel, offsets and speeds of streets: by hand, and against networkx."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from street_oracle import METRE_A_SECOND, controls, forbid, oracle, snaps_at
from toy import grid_network, make_network

from bishan_gis.access.time_grid import FAR, build_time_grid, time_surface
from bishan_gis.errors import StudyError
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.network.graph import CONTROLS
from bishan_gis.network.plain_search import nearest_on_edges_plainly, search_nearest_plainly
from bishan_gis.network.search import nearest_on_edges, search_bounded, search_nearest
from bishan_gis.network.snap import snap_points
from bishan_gis.network.star import NOT_REACHED, StarGraph, by_edge, list_places, snap_seeds
from bishan_gis.network.turns import build_states, turn_table
from bishan_gis.planning.scenario_streets import close_ways


def _times(network, costs, origins, goals, offset_ms=None):
    """Our cost of every pair, (origins, goals), by the bounded and by the nearest search."""
    star = StarGraph.from_network(network, costs, reverse=True)
    offset = np.zeros(len(goals)) if offset_ms is None else np.asarray(offset_ms)
    out = np.empty((len(origins), len(goals)), dtype=np.int64)
    label = np.zeros(len(goals), dtype=np.int32)
    for j in range(len(goals)):
        one, extra = goals.take(np.array([j])), offset[[j]]
        seeds = snap_seeds(network, costs, one, label[[j]], arrive=True, offset_ms=extra)
        here = by_edge(network, costs, one, offset_ms=extra)
        (dist,), (who,) = search_nearest(star, [seeds])
        bounded = np.full(costs.n_states, NOT_REACHED, dtype=np.int32)
        touched, heap = np.empty(costs.n_states, dtype=np.int32), np.empty(4, dtype=np.int64)
        n = search_bounded(
            star.start, star.target, star.cost_ms, seeds.node, seeds.cost_ms, 10**9, bounded, touched, heap
        )
        assert (bounded == dist).all()
        assert set(touched[:n]) == set(np.flatnonzero(dist < NOT_REACHED))
        out[:, j], _ = nearest_on_edges(network, costs, origins, here, dist, who)
    return out


@st.composite
def long_turns(draw, pairs, at):
    """Parts of one walk, over two to four streets, that overlap; some leave it at the end."""
    walk = [draw(st.integers(0, len(pairs) - 1))]
    node = draw(st.sampled_from(pairs[walk[0]]))
    for _ in range(6):
        walk += [node, draw(st.sampled_from(at[node]))]
        node = sum(pairs[walk[-1]]) - node
    turns = []
    for first, size in draw(st.lists(st.tuples(st.integers(0, 5), st.integers(2, 4)), max_size=5)):
        turn = walk[2 * first : 2 * (first + size) - 1]
        turns.append([*turn[:-1], draw(st.sampled_from([turn[-1], *at[turn[-2]]]))])
    return turns


@st.composite
def towns(draw):
    """Any directed multigraph with loops, parallel and closed streets, waits and forbidden turns; places on it."""
    n = draw(st.integers(1, 6))
    pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=12))
    m = len(pairs)
    network = make_network([(100.0 * i, 0.0) for i in range(n)], pairs)
    flags = st.lists(st.sampled_from([(True, True), (True, True), (True, False), (False, True), (False, False)]))
    way = np.array((draw(flags) + [(True, True)] * m)[:m])
    network = replace(
        network,
        edge_length_m=np.array(draw(st.lists(st.integers(1, 60), min_size=m, max_size=m)), dtype=float),
        edge_forward=way[:, 0],
        edge_backward=way[:, 1],
        node_control=np.array(draw(st.lists(st.sampled_from([0, 1, 2, 6]), min_size=n, max_size=n)), dtype=np.uint8),
        edge_local=np.array(draw(st.one_of(st.just([False] * m), st.lists(st.booleans(), min_size=m, max_size=m)))),
    )
    at = [[e for e, ends in enumerate(pairs) if v in ends] for v in range(n)]
    turns = [(a, v, b) for v in range(n) for a, b in product(at[v], at[v])]
    over = draw(long_turns(pairs, at))
    network = forbid(network, *draw(st.lists(st.sampled_from(turns), max_size=len(turns) if not over else 6)), *over)
    place = st.tuples(
        st.integers(0, m - 1), st.sampled_from([0.0, 0.0, 0.25, 1 / 3, 0.9, 1.0, 1.0]), st.sampled_from([0.0, 7.3])
    )
    origins, goals = (snaps_at(*draw(st.lists(place, min_size=1, max_size=5))) for _ in range(2))
    offset = np.array(draw(st.lists(st.integers(0, 9999), min_size=len(goals), max_size=len(goals))))
    return network, origins, goals, offset


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_states_allow_just_the_walks_without_a_forbidden_turn(data):
    """Every walk of up to five streets, from state to state, there and back; nobody drives through local ones."""
    pairs = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=5))
    at = [[e for e, ends in enumerate(pairs) if v in ends] for v in range(3)]
    u, v = np.array(pairs, dtype=np.int32).T
    turns = data.draw(long_turns(pairs, at)) + data.draw(long_turns(pairs, at))
    local = np.array(data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs))))
    states = build_states(3, u, v, turn_table(turns), local)

    def follow(states, turns, walk, state, left):
        node = states.node[state]
        for e in at[node] if left else ():
            _, from_state = states.leaving(np.array([node]), np.array([e]))
            longer = [*walk, node, e] if walk else [e]
            known = not any(longer[-len(turn) :] == turn for turn in turns)
            known &= not re.search("-L+-", "".join("L" if local[e] else "-" for e in longer[::2]))
            assert (state in from_state) == known, longer
            if known:
                end = states.end_v[[e]] if u[e] == node else states.end_u[[e]]
                here = states.arriving(np.array([state]), np.array([e]), end)[0]
                follow(states, turns, longer, here, left - 1)

    for node in range(3):
        follow(states, turns, [], node, 5)
        follow(states.reversed(), [turn[::-1] for turn in turns], [], node, 5)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.9))
def test_local_streets_close_nothing(seed, share):
    """Where one gets from everywhere to everywhere, one still does, whichever streets are local."""
    rng = np.random.default_rng(seed)
    whole = grid_network(4, seed=seed, drop=0.3, oneway=0.3)
    ends = np.column_stack([whole.edge_u, whole.edge_v])
    graph = nx.DiGraph([*ends.tolist(), *ends[whole.edge_backward, ::-1].tolist()])
    strong = max(nx.strongly_connected_components(graph), key=len)
    inner = np.isin(ends, list(strong)).all(axis=1)
    if not inner.any():
        return
    network = close_ways(whole, whole.edge_way[~inner])
    network = replace(network, edge_local=rng.random(network.n_edges) < share)
    costs = edge_costs(network, METRE_A_SECOND)
    some = snaps_at(*((int(e), 0.5, 0.0) for e in rng.integers(0, network.n_edges, 6)))
    there = _times(network, costs, some, some)
    free = _times(network, edge_costs(replace(network, edge_local=None), METRE_A_SECOND), some, some)
    assert ((there < NOT_REACHED) & (there >= free)).all()


@settings(max_examples=150, deadline=None)
@given(town=towns())
def test_every_pair_is_that_of_networkx_there_and_back(town):
    network, origins, goals, offset = town
    costs = edge_costs(network, METRE_A_SECOND)
    mine = _times(network, costs, origins, goals, offset)
    assert (mine == oracle(network, costs, origins, goals, offset)).all()
    back = costs.reversed()
    turned = _times(network, back, goals, origins).T
    assert (turned == oracle(network, costs, origins, goals)).all()
    assert (_times(network, back.reversed(), origins, goals, offset) == mine).all()


@settings(max_examples=100, deadline=None)
@given(town=towns())
def test_the_nearest_of_several(town):
    network, origins, goals, offset = town
    costs = edge_costs(network, METRE_A_SECOND)
    label = np.arange(len(goals), dtype=np.int32)
    seeds = snap_seeds(network, costs, goals, label, arrive=True, offset_ms=offset)
    star = StarGraph.from_network(network, costs, reverse=True)
    (dist,), (who,) = search_nearest(star, [seeds])
    here = by_edge(network, costs, goals, label, offset_ms=offset)
    cost, nearest = nearest_on_edges(network, costs, origins, here, dist, who)
    plain = nearest_on_edges_plainly(costs, origins, here, *search_nearest_plainly(star, seeds))
    assert np.array_equal(plain, (cost, nearest))
    pairs = oracle(network, costs, origins, goals, offset)
    assert (cost == pairs.min(axis=1)).all()
    assert (nearest == np.where(cost < NOT_REACHED, pairs.argmin(axis=1), -1)).all()


@settings(max_examples=100, deadline=None)
@given(town=towns())
def test_searching_forward_meets_searching_back(town):
    """A search from the origin, met at every state with what it still costs to the goal, is the same trip."""
    network, origins, goals, _ = town
    costs = edge_costs(network, METRE_A_SECOND)
    expected = oracle(network, costs, origins, goals)
    on, back = StarGraph.from_network(network, costs), StarGraph.from_network(network, costs, reverse=True)
    label = np.zeros(1, dtype=np.int32)
    for i, j in product(range(len(origins)), range(len(goals))):
        a, b = origins.take(np.array([i])), goals.take(np.array([j]))
        (done,), _ = search_nearest(on, [snap_seeds(network, costs, a, label, arrive=False)])
        (left,), _ = search_nearest(back, [snap_seeds(network, costs, b, label, arrive=True)])
        met = (done < NOT_REACHED) & (left < NOT_REACHED)
        through = (done[met].astype(np.int64) + left[met]).min(initial=NOT_REACHED)
        if set(list_places(network, costs, a)[1]) & set(list_places(network, costs, b)[1]):
            assert through >= expected[i, j]
        else:
            assert through == expected[i, j]


def _block():
    """A crossing 1 with streets from the west 0, to the north 2, east 3; round the block: 3-4-2.

        2 ---- 4
        |      |
    0 - 1 ---- 3       all of 100 m
    """
    nodes = [(0, 0), (100, 0), (100, 100), (200, 0), (200, 100)]
    return make_network(nodes, [(0, 1), (1, 2), (1, 3), (3, 4), (2, 4)])


def test_no_left_turn_by_hand():
    network = _block()
    west, north, between = snaps_at((0, 0.5, 0.0)), snaps_at((1, 0.4, 0.0)), snaps_at((0, 1.0, 0.0))
    free = edge_costs(network, METRE_A_SECOND)
    assert free.n_states == network.n_nodes
    assert free.end_u is network.edge_u
    assert free.delay_ms is None
    assert _times(network, free, west, north).item() == 90_000
    network = forbid(network, (0, 1, 1))
    costs = edge_costs(network, METRE_A_SECOND)
    assert (costs.n_states, costs.state_node.tolist()) == (6, [0, 1, 2, 3, 4, 1])
    # Going on to the east, turning round there (allowed) and right into the north street, is longer by 200 m;
    # round the block one comes from above: 50 + 300 + 60 m.
    assert _times(network, costs, west, north).item() == 50_000 + 200_000 + 40_000
    no_turning = forbid(network, (0, 1, 1), (2, 3, 2))
    costs = edge_costs(no_turning, METRE_A_SECOND)
    assert _times(no_turning, costs, west, north).item() == 50_000 + 300_000 + 60_000
    # Whoever stands at the crossing came by no street: all are open, and from all of them it is reached.
    assert _times(no_turning, costs, between, north).item() == 40_000
    assert _times(no_turning, costs, north, between).item() == 40_000
    assert _times(no_turning, costs.reversed(), between, north).item() == 40_000
    # The other way round it is free, and over reversed costs it is not.
    assert _times(no_turning, costs, north, west).item() == 90_000
    assert _times(no_turning, costs.reversed(), north, west).item() == 410_000
    assert _times(no_turning, costs.reversed(), west, north).item() == 90_000


def test_waits_by_hand():
    network = controls(_block(), signals=[1], crossing=[4])
    costs = edge_costs(network, METRE_A_SECOND)
    assert costs.delay_ms.tolist() == [0, 30_000, 0, 0, 2_500]
    west, at, north, east = (
        snaps_at((0, 0.5, 3.0)),
        snaps_at((0, 1.0, 0.0)),
        snaps_at((1, 0.4, 0.0)),
        snaps_at((3, 0.5, 0.0)),
    )
    assert _times(network, costs, west, north).item() == 3_000 + 50_000 + 30_000 + 40_000
    assert _times(network, costs, at, north).item() == 40_000  # from the node, not through it
    assert _times(network, costs, west, at).item() == 53_000  # the trip ends before the wait
    assert _times(network, costs, north, at).item() == 40_000  # by whichever street one comes
    assert _times(network, costs, at, at).item() == 0
    assert _times(network, costs, north, east).item() == 60_000 + 100_000 + 2_500 + 50_000  # round by 4
    for costs_ in (costs, costs.reversed()):
        assert _times(network, costs_, north, west).item() == 123_000


def test_a_fire_engine_with_turn_out_from_two_depots():
    # West depot turns out in 60 s, east depot in 240 s; 40 and 80 km/h are driven on the streets, up to 60 by engines.
    network = make_network([(0, 0), (1000, 0), (2000, 0), (4000, 0)], [(0, 1), (1, 2), (2, 3)])
    network = controls(replace(network, mode="drive", edge_speed_kmh=np.array([40.0, 40.0, 80.0])), signals=[1, 2])
    engine = load_profile("fire_engine")
    costs = edge_costs(network, engine)
    assert costs.forward_ms.tolist() == [90_000, 90_000, 120_000]
    assert costs.top_speed_ms * 3.6 == pytest.approx(60)
    depots = snaps_at((0, 0.0, 10.0), (2, 1.0, 0.0))
    house = snaps_at((1, 0.5, 20.0), (2, 0.25, 0.0))
    wait = round(engine.delays["signals"] * 1000)
    from_depot = costs.reversed()
    west = [3_600 + 90_000 + wait + 45_000 + 7_200 + 60_000, 3_600 + 180_000 + 2 * wait + 30_000 + 60_000]
    east = [120_000 + wait + 45_000 + 7_200 + 240_000, 90_000 + 240_000]
    turn_out = [60_000, 240_000]
    assert _times(network, from_depot, house, depots, turn_out).tolist() == np.column_stack([west, east]).tolist()
    label = np.arange(2, dtype=np.int32)
    seeds = snap_seeds(network, from_depot, depots, label, arrive=True, offset_ms=turn_out)
    star = StarGraph.from_network(network, from_depot, reverse=True)
    (dist,), (who,) = search_nearest(star, [seeds])
    here = by_edge(network, from_depot, depots, label, offset_ms=turn_out)
    cost, first = nearest_on_edges(network, from_depot, house, here, dist, who)
    assert cost.tolist() == [min(p) for p in zip(west, east, strict=True)]
    assert first.tolist() == [int(e < w) for w, e in zip(west, east, strict=True)]
    # The surface of the life circles knows waits, turns and offsets too.
    grid = build_time_grid(network, step_m=10, off_network_m=10)
    seconds = time_surface(network, from_depot, grid, dist, here)
    place = snap_points(network, *_centres(grid, seconds < FAR), max_snap_m=99)
    exact, _ = nearest_on_edges(network, from_depot, place, here, dist, who)
    assert np.abs(seconds[seconds < FAR] - exact / 1000).max() < 0.01


def _centres(grid, mask):
    rows, cols = np.nonzero(mask)
    return grid.x0 + cols * grid.step_m, grid.y0 + rows * grid.step_m


def test_speeds_of_streets():
    network = replace(_block(), mode="drive", edge_speed_kmh=np.array([36.0, 18.0, 90.0, 36.0, 36.0]))
    car = replace(METRE_A_SECOND, mode="drive", speeds="street", speed_kmh=72.0, street_factor=0.5, leg_kmh=3.6)
    costs = edge_costs(network, car)
    assert costs.forward_ms.tolist() == [20_000, 40_000, 8_000, 20_000, 20_000]
    assert costs.top_speed_ms == pytest.approx(12.5)  # 45 km/h, the fastest street
    assert edge_costs(network, replace(car, street_factor=1.0)).top_speed_ms == pytest.approx(20)  # its own highest
    assert edge_costs(network, replace(car, street_factor=0.01)).top_speed_ms == pytest.approx(1)  # off the streets
    assert car.leg_ms(10).item() == 10_000
    own = replace(METRE_A_SECOND, mode="drive")
    assert edge_costs(network, own).forward_ms.tolist() == [100_000] * 5
    with pytest.raises(StudyError, match=r"speeds = 'street'.*no speeds of streets"):
        edge_costs(replace(_block(), mode="drive"), car)
    with pytest.raises(StudyError, match="2 edges have no positive speed"):
        edge_costs(replace(network, edge_speed_kmh=np.array([0.0, np.nan, 1, 1, 1])), car)


@pytest.mark.parametrize("name", ["adult", "cyclist", "ebike", "car", "fire_engine"])
def test_profiles_of_the_package(name):
    profile = load_profile(name)
    assert profile.mode == {"adult": "walk", "cyclist": "cycle", "ebike": "cycle"}.get(name, "drive")
    assert set(profile.delays) <= set(CONTROLS[1:])
    assert (profile.speeds == "street") == (profile.mode == "drive")
    assert profile.leg_speed_ms <= profile.speed_ms


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mode = 'fly'", "mode = 'fly'; known: walk、cycle、drive"),
        ("mode = 'drive'\nspeeds = 'fast'", "speeds = 'fast'; known: own、street"),
        (
            "mode = 'drive'\nstreet_factor = 0\nleg_kmh = -1",
            "street_factor = 0 must be a positive number; leg_kmh = -1",
        ),
        ("mode = 'drive'\ndelays = 3", "delays = 3 must be a table"),
        (
            "mode = 'drive'\ndelays = { signal = 3, stop = -1 }",
            "unknown key delays.signal; the nearest is signals; delays.stop",
        ),
    ],
)
def test_wrong_profiles(tmp_path, line, said):
    path = tmp_path / "own.toml"
    path.write_text(f"[me]\nzh = '我'\nen = 'me'\nsource = 'x'\nspeed_kmh = 9\nsteps_factor = 1\n{line}", "utf-8")
    with pytest.raises(StudyError) as err:
        load_profile("me", path)
    assert said in str(err.value)


def test_bad_input():
    network = _block()
    with pytest.raises(ValueError, match=r"1 forbidden turns name an edge .* first \[0, 2, 1\]"):
        build_states(5, network.edge_u, network.edge_v, np.array([[0, 1, 1], [0, 2, 1]]))
    for wrong in ([0, 1, 1, 1, 2], [0, 1, 1, 2, 3], [0, 1, 1, 2, -1], [0, 1, -1, -1, 2], [0, 1, 9, 2, 4]):
        with pytest.raises(ValueError, match="1 forbidden turns name an edge"):
            build_states(5, network.edge_u, network.edge_v, np.array([wrong, [0, 1, 2, 3, 3]]))
    costs = edge_costs(network, METRE_A_SECOND)
    one = snaps_at((0, 0.5, 0.0))
    for offset in (-1, np.nan):
        with pytest.raises(ValueError, match="offset_ms must be 0 or more"):
            by_edge(network, costs, one, offset_ms=offset)
    turned = edge_costs(forbid(network, (0, 1, 1)), METRE_A_SECOND)
    few = np.zeros(network.n_nodes, dtype=np.int32)
    with pytest.raises(ValueError, match=r"6 states do not go with .* a search over 5 states"):
        nearest_on_edges(network, turned, one, by_edge(network, turned, one), few, few)
