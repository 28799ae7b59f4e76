"""Slope by hand on a toy hill, and by property."""

from __future__ import annotations

from dataclasses import replace
from math import exp, inf, nan
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EAST, NORTH, grid_network, make_network

from bishan_gis import study_settings
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.errors import StudyError
from bishan_gis.network.costs import BLOCKED, SpeedProfile, edge_costs, load_profile
from bishan_gis.network.elevation import with_elevation
from bishan_gis.network.slope import (
    SLOPE_FUNCTIONS,
    edge_slope,
    load_slope_rules,
    slope_factor,
    slope_summary,
    smooth_elevation,
    structure_elevation,
)
from bishan_gis.planning.scenario_streets import add_streets, close_ways
from bishan_gis.planning.scenarios import AddStreet

METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand")
PEOPLE = ("adult", "child", "elderly", "wheelchair", "pushchair")
BY_SLOPE = sorted(set(SLOPE_FUNCTIONS) - {"none"})


def _line(heights, *, step=100.0, structure=""):
    """Streets of 100 m in a row, node i at heights[i]."""
    edges = [(i, i + 1, structure) for i in range(len(heights) - 1)]
    return with_elevation(make_network([(step * i, 0) for i in range(len(heights))], edges), heights)


def _reversed(network):
    return replace(
        network,
        edge_u=network.edge_v,
        edge_v=network.edge_u,
        edge_forward=network.edge_backward,
        edge_backward=network.edge_forward,
    )


@pytest.mark.parametrize(
    ("name", "slope", "by_hand"),
    [
        ("none", 0.3, 1.0),
        # Tobler: 6 exp(-0.175) km/h on the level, 6 km/h at -5 %, 6 exp(-0.875) at +20 %
        ("tobler", 0.0, 1.0),
        ("tobler", -0.05, exp(0.175)),
        ("tobler", 0.2, exp(-0.875) / exp(-0.175)),
        ("tobler", -0.2, exp(-0.525) / exp(-0.175)),
        # Naismith: 100 m at 10 % climb 10 m, as long as 79.2 m on the level
        ("naismith", 0.1, 100 / 179.2),
        ("naismith", -0.1, 1.0),
        # Rees: 0.75 + 0.018 + 0.584 s/m at 20 %
        ("rees", 0.2, 0.75 / 1.352),
        ("rees", -0.2, 0.75 / 1.352),
    ],
)
def test_factors_by_hand(name, slope, by_hand):
    assert slope_factor(name, slope) == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("name", SLOPE_FUNCTIONS)
def test_factors_are_sound(name):
    slope = np.linspace(-0.5, 0.5, 401)
    factor = slope_factor(name, slope)
    assert (factor > 0).all()
    assert slope_factor(name, 0.0) == 1.0
    assert (np.diff(factor[slope >= 0]) <= 0).all()  # the steeper the climb the slower
    assert (factor <= factor[::-1] + 1e-12)[slope > 0].all()  # never faster up than down


def test_tobler_up_and_down():
    slope = np.linspace(0.05, 0.5, 20)
    up, down = slope_factor("tobler", slope), slope_factor("tobler", -slope)
    assert down / up == pytest.approx(np.full(20, exp(0.35)))  # the same gap at every slope of 5 % and more
    assert (1 / up + 1 / down > 2).all()  # there and back is longer than on the level


def test_hill_by_hand():
    network = _line([300, 320, 320, 310])  # +20 %, level, -10 %
    assert edge_slope(network).slope == pytest.approx([0.2, 0.0, -0.1])
    costs = edge_costs(network, METRE_A_SECOND, slope="tobler")
    up20, down20 = 100_000 * exp(0.7), 100_000 * exp(0.35)  # 201.375 s and 141.907 s
    down10, up10 = 100_000, 100_000 * exp(0.35)  # |-0.1 + 0.05| = 0.05, as on the level
    assert costs.forward_ms.tolist() == [round(up20), 100_000, down10]
    assert costs.backward_ms.tolist() == [round(down20), 100_000, round(up10)]
    assert costs.forward_ms.dtype == np.int64


@pytest.mark.parametrize("name", ["tobler", "naismith"])
def test_times_depend_on_the_direction(name):
    import pandas as pd

    network = _line([200, 220])
    x, y = network.node_x, network.node_y
    costs = edge_costs(network, METRE_A_SECOND, slope=name)
    origins = pd.DataFrame({"origin_id": ["low", "high"], "x": x, "y": y})
    seconds = {}
    for i, where in enumerate(["low", "high"]):
        at = pd.DataFrame({"facility_id": ["f"], "service": ["s"], "x": [x[i]], "y": [y[i]]})
        seconds[where] = nearest_cost(network, costs, origins, at).table.set_index("origin_id")["value"]
    assert seconds["high"]["low"] == pytest.approx(costs.forward_ms[0] / 1000)
    assert seconds["low"]["high"] == pytest.approx(costs.backward_ms[0] / 1000)
    assert seconds["high"]["low"] > seconds["low"]["high"]


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("name", SLOPE_FUNCTIONS)
def test_level_ground_costs_exactly_what_it_did(who, name):
    network = grid_network(8, seed=4)
    level = with_elevation(network, np.full(network.n_nodes, 312.7))
    flat, on_level = edge_costs(network, load_profile(who)), edge_costs(level, load_profile(who), slope=name)
    expected = np.maximum(np.rint(network.edge_length_m / load_profile(who).speed_ms * 1000).astype(np.int64), 1)
    for costs in (flat, on_level):
        assert (costs.forward_ms == np.where(network.edge_forward, expected, BLOCKED)).all()
        assert (costs.backward_ms == np.where(network.edge_backward, expected, BLOCKED)).all()
    assert on_level.top_speed_ms == load_profile(who).speed_ms


@pytest.mark.parametrize("who", ["adult", "child", "elderly"])
def test_heights_change_nothing_until_slope_is_switched_on(who):
    network = grid_network(8, seed=4)
    hilly = with_elevation(network, np.random.default_rng(0).uniform(200, 230, network.n_nodes))
    before, after = edge_costs(network, load_profile(who)), edge_costs(hilly, load_profile(who))
    assert (before.forward_ms == after.forward_ms).all()
    assert (before.backward_ms == after.backward_ms).all()
    assert after.slope == "none"
    assert (edge_costs(hilly, load_profile(who), slope="tobler").forward_ms != after.forward_ms).any()


def test_wheelchair_is_stopped_by_steps_and_slopes():
    # 9 % up, exactly 1:12 up, 9 % down, steps, level
    nodes = [(i * 60.0, 0) for i in range(6)]
    network = make_network(nodes, [(0, 1), (1, 2), (2, 3), (3, 4, "steps"), (4, 5)])
    network = with_elevation(network, [100, 105.4, 110.4, 105, 90, 90])
    costs = edge_costs(network, load_profile("wheelchair"))
    assert (costs.forward_ms == BLOCKED).tolist() == [True, False, True, True, False]
    assert (costs.backward_ms == BLOCKED).tolist() == [True, False, True, True, False]
    assert costs.forward_ms[4] == 72_000  # 60 m at 3 km/h
    assert costs.slope == "none"
    found = slope_summary(network, costs)
    assert found["blocked_km"] == 0.18
    assert found["one_way_km"] == 0
    # without heights only the steps stop it
    bare = edge_costs(replace(network, node_elevation_m=np.full(6, nan)), load_profile("wheelchair"))
    assert (bare.forward_ms == BLOCKED).tolist() == [False, False, False, True, False]


def test_a_limit_holds_in_its_direction_only():
    network = _line([100, 110, 110])
    climber = replace(METRE_A_SECOND, max_slope=0.08)
    costs = edge_costs(network, climber)
    assert costs.forward_ms.tolist() == [BLOCKED, 100_000]
    assert costs.backward_ms.tolist() == [100_000, 100_000]
    assert slope_summary(network, costs)["one_way_km"] == 0.1
    assert edge_costs(network, replace(METRE_A_SECOND, max_descent=0.08)).backward_ms[0] == BLOCKED


def test_steps_have_their_factor_and_no_slope():
    network = _line([100, 150], structure="steps")
    costs = edge_costs(network, METRE_A_SECOND, slope="tobler")
    assert costs.forward_ms[0] == costs.backward_ms[0] == 200_000
    assert edge_costs(network, load_profile("pushchair")).forward_ms[0] == round(100 / (0.15 * 1.0) * 1000)


def _hill(x, y):
    """Up 5 % to 30 m at 600 m, and down again to 0 at 1200 m."""
    return 30 - np.abs(x - EAST - 600) / 20 + 0 * y


def test_a_hill_within_an_edge_costs_what_its_pieces_cost():
    whole = with_elevation(make_network([(0, 0), (1200, 0)], [(0, 1)]), _hill)
    nodes = [(60 * i, 0) for i in range(21)]
    parts = with_elevation(make_network(nodes, [(i, i + 1) for i in range(20)]), _hill)
    assert len(whole.sample_elevation_m) == 39
    for smooth_m in (0, 30):
        one, many = (edge_costs(smooth_elevation(n, smooth_m), METRE_A_SECOND, slope="tobler") for n in (whole, parts))
        assert abs(one.forward_ms[0] - many.forward_ms.sum()) <= 20  # each of 20 edges is rounded to 1 ms
        assert abs(one.backward_ms[0] - many.backward_ms.sum()) <= 20
    # by hand: 600 m at +5 % and 600 m at -5 %; its ends alone say level
    by_hand = 600_000 * (exp(0.175) + exp(-0.175))
    costs = edge_costs(whole, METRE_A_SECOND, slope="tobler")
    assert costs.forward_ms[0] == costs.backward_ms[0] == round(by_hand)
    ends = with_elevation(whole, _hill, step_m=0)
    assert ends.sample_start is None
    assert edge_costs(ends, METRE_A_SECOND, slope="tobler").forward_ms[0] == 1_200_000
    found = slope_summary(whole, costs)
    assert (found["long_km"], found["share_by_class"]["2-5%"]) == (0, 1)
    assert found["speed_up_kmh"] == pytest.approx(3.6 * exp(-0.175), abs=5e-4)
    assert slope_summary(ends, edge_costs(ends, METRE_A_SECOND))["long_km"] == 1.2
    # the limit sees the steepest piece, up and down
    climber, coaster = replace(METRE_A_SECOND, max_slope=0.04), replace(METRE_A_SECOND, max_descent=0.06)
    assert edge_costs(whole, climber).forward_ms[0] == edge_costs(whole, climber).backward_ms[0] == BLOCKED
    assert edge_costs(whole, coaster).forward_ms[0] == 1_200_000


def test_a_bridge_over_a_valley_stays_flat():
    valley = lambda x, y: 100 - np.clip(np.minimum(x - EAST - 90, EAST + 510 - x), 0, 60) + 0 * y  # noqa: E731
    nodes = [(0, 0), (90, 0), (510, 0), (600, 0)]
    edges = [(0, 1), (1, 2, "bridge"), (2, 3)]
    bridge = smooth_elevation(with_elevation(make_network(nodes, edges), valley))
    costs = edge_costs(bridge, METRE_A_SECOND, slope="tobler")
    assert costs.forward_ms.tolist() == costs.backward_ms.tolist() == [90_000, 420_000, 90_000]
    street = smooth_elevation(with_elevation(make_network(nodes, [(0, 1), (1, 2), (2, 3)]), valley), 0)
    assert edge_slope(street).descent[1] == pytest.approx(0.5)  # 60 m down within 60 m, limited
    # a street that was sampled on the ground and is a bridge after all
    made = replace(street, edge_structure=bridge.edge_structure)
    assert (edge_slope(made).climb == 0).all()


def test_edits_keep_heights_within_edges_and_new_streets_get_their_own():
    hilly = with_elevation(make_network([(0, 0), (90, 0), (150, 0)], [(0, 1), (1, 2)]), lambda x, y: x - EAST + 0 * y)
    assert hilly.sample_elevation_m.tolist() == [30, 60, 120]
    assert close_ways(hilly, [1]).sample_elevation_m.tolist() == [120]
    line = [(EAST + 150, NORTH), (EAST + 150, NORTH + 90)]
    street = AddStreet(line=line, coordinates="study")
    plain, _ = add_streets(hilly, [street], heights=lambda x, y: 150 + 0 * (x + y))
    assert plain.sample_start.tolist() == [0, 2, 3, 5]
    assert plain.sample_elevation_m == pytest.approx([30, 60, 120, 150, 150])
    deck, _ = add_streets(hilly, [street.model_copy(update={"structure": "bridge"})], heights=lambda x, y: 0 * (x + y))
    assert deck.sample_start.tolist() == [0, 2, 3, 3]
    assert close_ways(plain, [2]).sample_elevation_m == pytest.approx([30, 60, 150, 150])
    # a spike of the raster under the new street is evened out between ends that stay
    spike = lambda x, y: np.where(np.abs(y - NORTH - 30) < 1, 160.0, 150.0) + 0 * x  # noqa: E731
    spiked, _ = add_streets(hilly, [street], heights=spike)
    assert (spiked.node_elevation_m == plain.node_elevation_m).all()
    assert spiked.sample_elevation_m[:3].tolist() == [30, 60, 120]
    # 30 (z - 160) + 30 (z - 150) + 30 (z - w) = 0 and 30 (w - 150) + 30 (w - z) + 30 (w - 150) = 0
    assert spiked.sample_elevation_m[3:] == pytest.approx([153.75, 151.25])


def test_heights_follow_the_bends_of_a_street():
    bent = make_network([(0, 0), (60, 60)], [(0, 1)])  # by way of (60, 0): 120 m, four pieces
    bent = replace(
        bent,
        edge_length_m=np.array([120.0]),
        vertex_start=np.array([0, 3]),
        vertex_x=EAST + np.array([0.0, 60, 60]),
        vertex_y=NORTH + np.array([0.0, 0, 60]),
    )
    sampled = with_elevation(bent, lambda x, y: (x - EAST) + 10 * (y - NORTH))
    assert sampled.sample_elevation_m == pytest.approx([30, 60, 360])


def test_unknown_heights_count_as_level():
    network = _line([100, 110, nan, 130])
    slopes = edge_slope(network)
    assert slopes.slope.tolist() == [0.1, 0, 0]
    assert slopes.unknown.tolist() == [False, True, True]
    costs = edge_costs(network, METRE_A_SECOND, slope="naismith")
    assert costs.forward_ms[1:].tolist() == [100_000, 100_000]
    found = slope_summary(network, costs)
    assert (found["unknown_edges"], found["known_share"]) == (2, 0.3333)


def test_no_heights_at_all_are_an_error_only_when_asked_for():
    network = grid_network(3)
    with pytest.raises(StudyError, match=r"inputs\.elevation"):
        edge_costs(network, METRE_A_SECOND, slope="tobler")
    assert edge_costs(network, METRE_A_SECOND).slopes is None


def test_an_error_of_the_raster_is_limited():
    network = make_network([(0, 0), (1, 0), (1, 0)], [(0, 1), (1, 2), (2, 2)])  # 1 m, 0 m, and a loop
    slopes = edge_slope(with_elevation(network, [100, 90, 95]))
    limit = load_slope_rules().limit
    assert slopes.slope.tolist() == [-limit, limit, 0]
    assert slopes.limited.tolist() == [True, True, False]
    assert edge_slope(with_elevation(network, [100, 99.9, 99.9]), limit=0.05).slope[0] == -0.05


def test_a_bridge_runs_straight_from_end_to_end():
    # Over a gorge: the two nodes within the bridge lie over the ground at 20 and 0 m; the banks at 100 and 104 m.
    nodes = [(0, 0), (100, 0), (200, 0), (400, 0), (500, 0), (600, 0)]
    edges = [(0, 1), (1, 2, "bridge"), (2, 3, "bridge"), (3, 4, "bridge"), (4, 5)]
    network = with_elevation(make_network(nodes, edges), [100, 100, 20, 0, 104, 104])
    assert structure_elevation(network).node_elevation_m == pytest.approx([100, 100, 101, 103, 104, 104])
    assert edge_slope(network).slope == pytest.approx([0, 0.01, 0.01, 0.01, 0])
    assert network.node_elevation_m[3] == 0  # the network given stays as it is
    tunnel = replace(network, edge_structure=np.where(network.edge_structure == 1, 2, 0).astype(np.uint8))
    assert edge_slope(tunnel).slope == pytest.approx([0, 0.01, 0.01, 0.01, 0])
    # on the ground the same heights are a gorge
    ground = replace(network, edge_structure=np.zeros(5, dtype=np.uint8))
    assert edge_slope(ground).slope[1] == -0.5


def test_a_bridge_without_a_known_end():
    cut = make_network([(0, 0), (100, 0), (200, 0)], [(0, 1), (1, 2, "bridge")])  # the data ends on the bridge
    assert edge_slope(with_elevation(cut, [50, 50, 10])).slope.tolist() == [0, 0]
    alone = make_network([(0, 0), (9, 0), (50, 0), (90, 0)], [(0, 1, "bridge"), (2, 3)])
    slopes = edge_slope(with_elevation(alone, [5, 9, 100, 102]))
    assert slopes.unknown.tolist() == [True, False]
    one_end = make_network([(0, 0), (100, 0), (200, 0), (300, 0)], [(0, 1), (1, 2, "bridge"), (2, 3)])
    assert edge_slope(with_elevation(one_end, [1, 1, nan, 2])).unknown.tolist() == [False, True, True]


def test_smoothing_by_hand():
    # One street of 100 m, h = 50 m: 50 (z' - z) + 2500 / 100 (z' - other') = 0 at both ends, so 10 m become 5.
    network = smooth_elevation(_line([100, 110]), 50)
    assert network.node_elevation_m == pytest.approx([102.5, 107.5])
    assert smooth_elevation(_line([100, 110]), 0).node_elevation_m.tolist() == [100, 110]
    assert smooth_elevation(_line([100, nan]), 50).node_elevation_m[0] == 100
    with pytest.raises(StudyError, match="0 or more"):
        smooth_elevation(network, -1)


def test_smoothing_keeps_an_even_climb_and_takes_a_spike():
    climb = np.arange(41) * 2.0  # 8 % over pieces of 25 m
    kept = smooth_elevation(_line(climb, step=25), 30).node_elevation_m
    assert kept[15:26] == pytest.approx(climb[15:26], abs=1e-3)
    spike = np.full(41, 300.0)
    spike[20] = 310
    before, after = _line(spike, step=25), smooth_elevation(_line(spike, step=25), 30)
    assert np.abs(edge_slope(before).slope).max() == pytest.approx(0.4)
    assert np.abs(edge_slope(after).slope).max() < 0.1


def test_smoothing_stops_at_steps():
    nodes = [(0, 0), (100, 0), (120, 0), (220, 0)]
    terraces = with_elevation(make_network(nodes, [(0, 1), (1, 2, "steps"), (2, 3)]), [300, 300, 310, 310])
    assert smooth_elevation(terraces, 30).node_elevation_m == pytest.approx([300, 300, 310, 310])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), smooth_m=st.sampled_from([1.0, 30.0, 400.0]))
def test_smoothing_stays_within_bounds(seed, smooth_m):
    network = grid_network(6, seed=seed)
    rng = np.random.default_rng(seed)
    heights = rng.uniform(200, 300, network.n_nodes)
    heights[rng.random(network.n_nodes) < 0.1] = nan
    network = with_elevation(network, heights)
    z = smooth_elevation(network, smooth_m).node_elevation_m
    assert (np.isnan(z) == np.isnan(heights)).all()
    assert np.nanmin(z) >= np.nanmin(heights) - 1e-9
    assert np.nanmax(z) <= np.nanmax(heights) + 1e-9
    ends = np.concatenate([network.edge_u, network.edge_v])
    kept = np.tile(np.isfinite(z[network.edge_u] + z[network.edge_v]), 2)
    mass = np.bincount(ends[kept], weights=np.tile(network.edge_length_m, 2)[kept], minlength=network.n_nodes)
    on = mass > 0
    assert (mass[on] * z[on]).sum() == pytest.approx((mass[on] * heights[on]).sum())
    assert np.std(edge_slope(replace(network, node_elevation_m=z)).slope) <= np.std(edge_slope(network).slope) + 1e-9


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(BY_SLOPE), who=st.sampled_from(PEOPLE))
def test_turning_every_edge_round_swaps_the_costs(seed, name, who):
    network = grid_network(6, seed=seed)
    network = with_elevation(network, np.random.default_rng(seed).uniform(200, 230, network.n_nodes))
    costs = edge_costs(network, load_profile(who), slope=name)
    turned = edge_costs(_reversed(network), load_profile(who), slope=name)
    assert (costs.forward_ms == turned.backward_ms).all()
    assert (costs.backward_ms == turned.forward_ms).all()
    open_ = costs.forward_ms != BLOCKED
    assert (costs.forward_ms[open_] >= 1).all()
    fastest = (network.edge_length_m[open_] / costs.forward_ms[open_] * 1000).max(initial=0)
    assert fastest <= costs.top_speed_ms * 1.001


def test_summary_proves_that_slope_was_used():
    network = _line([100, 120, 120, 115, nan])  # +20 %, level, -5 %, unknown
    off = slope_summary(network, edge_costs(network, METRE_A_SECOND))
    assert off["slope"] == "none"
    assert off["speed_up_kmh"] == off["speed_down_kmh"] == off["speed_level_kmh"] == 3.6
    on = slope_summary(network, edge_costs(network, METRE_A_SECOND, slope="tobler"))
    assert on["slope"] == "tobler"
    assert on["speed_up_kmh"] == pytest.approx(3.6 * 2 / (exp(0.7) + exp(0.175)), abs=5e-4)
    assert on["speed_down_kmh"] == pytest.approx(3.6 * 2 / (exp(0.35) + exp(-0.175)), abs=5e-4)
    assert on["speed_level_kmh"] == 3.6
    assert on["known_share"] == 0.75
    shares = {"0-2%": 0.3333, "2-5%": 0.3333, "5-8.34%": 0, "8.34-12%": 0, "12-20%": 0.3333, ">20%": 0}
    assert on["share_by_class"] == shares
    assert (on["blocked_km"], on["one_way_km"], on["long_km"]) == (0, 0, 0)
    level = _line([100, 100])
    assert slope_summary(level, edge_costs(level, METRE_A_SECOND))["speed_up_kmh"] is None


@pytest.mark.parametrize("who", PEOPLE)
def test_profiles_say_where_they_come_from(who):
    profile = load_profile(who)
    assert any(tag in profile.source for tag in ("[S", "[K]", "[P]"))
    assert profile.slope == "none"


ROW = {
    "mode": '"walk"',
    "zh": '"我"',
    "en": '"me"',
    "speed_kmh": "4.0",
    "steps_factor": "0.5",
    "source": '"own"',
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"speed_kmh": "0.0"}, "speed_kmh = 0.0 must be a positive number"),
        ({"steps_factor": "-0.1"}, "steps_factor = -0.1 must be 0 or more"),
        ({"steps_factor": '"slow"'}, "steps_factor = 'slow'"),
        ({"max_slope": "nan"}, "max_slope = nan"),
        ({"slope": '"tobbler"'}, "no slope function 'tobbler'; the nearest is tobler"),
        ({"max_slop": "0.1"}, "unknown key max_slop; the nearest is max_slope"),
        ({"en": "3", "speed_kmh": None}, "speed_kmh is missing; en = 3 must be text"),
    ],
)
def test_wrong_settings_of_an_own_profile(tmp_path, changes, said):
    row = {k: v for k, v in {**ROW, **changes}.items() if v is not None}
    path = tmp_path / "own.toml"
    path.write_text("[me]\n" + "\n".join(f"{k} = {v}" for k, v in row.items()), encoding="utf-8")
    with pytest.raises(StudyError) as err:
        load_profile("me", path)
    assert said in str(err.value)


def test_own_profile_with_slope(tmp_path):
    row = {**ROW, "slope": '"naismith"', "max_slope": "0.2", "steps_factor": "0"}
    path = tmp_path / "own.toml"
    path.write_text("[me]\n" + "\n".join(f"{k} = {v}" for k, v in row.items()), encoding="utf-8")
    profile = load_profile("me", path)
    assert (profile.slope, profile.max_slope, profile.max_descent, profile.steps_factor) == ("naismith", 0.2, None, 0)
    network = _line([100, 110])
    assert edge_costs(network, profile).slope == "naismith"
    assert edge_costs(network, profile, slope="none").forward_ms[0] == 90_000


def test_the_table_of_slopes_is_no_profile():
    with pytest.raises(StudyError, match="adult"):
        load_profile("slope")


def test_names_are_known_to_the_study():
    assert list(get_args(study_settings.Slope)) == list(SLOPE_FUNCTIONS)
    assert study_settings.Walk().slope is None
    assert study_settings.Walk(slope="tobler").slope == "tobler"
    for wrong in ("toblr", "", inf):
        with pytest.raises(ValueError, match="slope"):
            study_settings.Walk(slope=wrong)
    with pytest.raises(StudyError, match="tobler"):
        edge_costs(grid_network(3), METRE_A_SECOND, slope="toblr")
