"""Cycling and driving: who may pass, how fast, what waits at nodes, which turns are forbidden."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import osmium
import pandas as pd
import pytest
import shapely
from helsinki import HELSINKI_CRS, helsinki_pbf
from osm_xml import CRS_4544, EAST, NORTH, OsmXml, equal_networks
from street_oracle import METRE_A_SECOND

from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.errors import SchemaError, StudyError
from bishan_gis.network.build import build_network, network_from_osm
from bishan_gis.network.controls import control_code, read_restriction
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.network.graph import CONTROLS, Network
from bishan_gis.network.rules import MODES, NO_RULE, Rules, apply_rules, load_rules
from bishan_gis.network.slope import cycling, slope_factor
from bishan_gis.network.speeds import SPEED_BASES, edge_speeds, load_speeds, posted_speed
from bishan_gis.sources.osm import OsmData, load_osm

RULES = {mode: load_rules(mode=mode) for mode in MODES}
BOTH, AHEAD, BACK, NEITHER = (True, True), (True, False), (False, True), (False, False)


def tags_of(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split())


def decide(mode: str, text: str) -> str:
    """Return the rule that decides, with a minus where it denies."""
    found = apply_rules([tags_of(text)], RULES[mode])
    return ("" if found.allow[0] else "-") + found.names[found.rule[0]]


# --- rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "cycle", "drive"),
    [
        ("highway=residential", "street", "street"),
        ("highway=motorway", "-motorway", "motorway"),
        ("highway=motorway bicycle=yes", "-motorway", "motorway"),
        ("highway=primary motorroad=yes", "-motorroad", "street"),
        ("highway=trunk", "trunk", "street"),
        ("highway=trunk expressway=yes", "-trunk_expressway", "street"),
        ("highway=trunk expressway=yes cycleway:right=track", "trunk_cycleway_right", "street"),
        ("highway=service access=private", "-access_private", "-access_private"),
        ("highway=service access=private bicycle=yes", "bicycle_yes", "-access_private"),
        ("highway=service access=no motor_vehicle=destination", "-access_private", "motor_vehicle_yes"),
        ("highway=service access=no vehicle=yes", "street", "service"),
        ("highway=service motor_vehicle=yes motorcar=no", "street", "-motorcar_no"),
        ("highway=service motor_vehicle=no motorcar=yes", "street", "motorcar_yes"),
        ("highway=residential vehicle=no", "-vehicle_no", "-vehicle_no"),
        ("highway=residential vehicle=no bicycle=yes", "bicycle_yes", "-vehicle_no"),
        ("highway=residential motor_vehicle=delivery", "street", "-motor_vehicle_no"),
        ("highway=residential access=delivery", "-access_private", "-access_private"),
        ("highway=residential access=destination", "street", "street"),
        ("highway=residential bicycle=use_sidepath", "-bicycle_no", "street"),
        ("highway=service service=parking_aisle", "street", "service"),
        ("highway=service service=emergency_access", "-service_private", "-service_private"),
        ("highway=steps bicycle=yes", "-not_ridden", "-not_driven"),
        ("highway=footway", "-foot_only", "-not_for_cars"),
        ("highway=footway bicycle=yes", "bicycle_yes", "-not_for_cars"),
        ("highway=footway bicycle=dismount", "-bicycle_no", "-not_for_cars"),
        ("highway=pedestrian motor_vehicle=yes", "-foot_only", "motor_vehicle_yes"),
        ("highway=cycleway", "cycleway", "-not_for_cars"),
        ("highway=path", "path", "-not_for_cars"),
        ("highway=path surface=mud", "-soft_path", "-not_for_cars"),
        ("highway=path sac_scale=alpine_hiking", "-mountain", "-not_for_cars"),
        ("highway=path mtb:scale=3", "-mountain_bike", "-not_for_cars"),
        ("highway=track", "track", "-track"),
        ("highway=track tracktype=grade1", "track", "track_firm"),
        ("highway=track tracktype=grade5", "-" + NO_RULE, "-track"),
        ("highway=track surface=asphalt", "track", "track_paved"),
        ("highway=track tracktype=grade4 surface=compacted", "track", "-track"),
        ("highway=track motor_vehicle=yes", "track", "motor_vehicle_yes"),
        ("highway=unclassified smoothness=impassable", "-impassable", "-impassable"),
        ("highway=unclassified smoothness=horrible", "street", "-impassable"),
        ("highway=primary oneway=reversible", "-reversible", "-reversible"),
        ("highway=service oneway=yes motor_vehicle:forward=no", "street", "-no_direction_left"),
        ("highway=service oneway:motor_vehicle=yes motor_vehicle:forward=no", "street", "-no_direction_left_motor"),
        ("highway=construction motor_vehicle=yes", "-not_built", "-not_built"),
        ("highway=busway", "-" + NO_RULE, "-not_for_cars"),
        ("highway=hyperloop", "-" + NO_RULE, "-" + NO_RULE),
        ("railway=rail", "-not_a_street", "-not_a_street"),
        ("railway=platform", "-not_a_street", "-not_a_street"),
        ("route=ferry motor_vehicle=yes", "-not_a_street", "-not_a_street"),
    ],
)
def test_ways(tags: str, cycle: str, drive: str) -> None:
    assert (decide("cycle", tags), decide("drive", tags)) == (cycle, drive)


@pytest.mark.parametrize(
    ("tags", "cycle", "drive"),
    [
        ("", BOTH, BOTH),
        ("oneway=yes", AHEAD, AHEAD),
        ("oneway=1", AHEAD, AHEAD),
        ("oneway=-1", BACK, BACK),
        ("oneway=no", BOTH, BOTH),
        ("oneway=alternating", BOTH, BOTH),
        ("junction=roundabout", AHEAD, AHEAD),
        ("junction=circular", AHEAD, AHEAD),
        ("junction=circular oneway=no", BOTH, BOTH),
        ("junction=roundabout oneway=-1", BACK, BACK),
        ("oneway=yes oneway:bicycle=no", BOTH, AHEAD),
        ("oneway=yes cycleway=opposite", BOTH, AHEAD),
        ("oneway=yes cycleway:left=opposite_lane", BOTH, AHEAD),
        ("oneway=yes cycleway:left:oneway=-1", BOTH, AHEAD),
        ("oneway=-1 cycleway:left:oneway=-1", BACK, BACK),
        ("oneway=yes bicycle:backward=yes", BOTH, AHEAD),
        ("oneway:bicycle=yes", AHEAD, BOTH),
        ("oneway:bicycle=-1 oneway=yes", BACK, AHEAD),
        ("oneway:motor_vehicle=yes", BOTH, AHEAD),
        ("oneway=yes oneway:motor_vehicle=no", AHEAD, BOTH),
        ("motor_vehicle:backward=no", BOTH, AHEAD),
        ("motor_vehicle:forward=no", BOTH, BACK),
        ("vehicle:backward=no", AHEAD, AHEAD),
    ],
)
def test_directions(tags: str, cycle: tuple[bool, bool], drive: tuple[bool, bool]) -> None:
    for mode, expected in (("cycle", cycle), ("drive", drive)):
        found = apply_rules([tags_of("highway=residential " + tags)], RULES[mode])
        assert (found.forward[0], found.backward[0]) == expected, mode


def test_motorways_are_one_way() -> None:
    motorways = [
        "highway=motorway",
        "highway=motorway oneway=no",
        "highway=motorway_link",
        "highway=motorway access=no",
    ]
    found = apply_rules([tags_of(t) for t in motorways], RULES["drive"])
    assert list(zip(found.forward.tolist(), found.backward.tolist(), strict=True)) == [AHEAD, BOTH, BOTH, NEITHER]


@pytest.mark.parametrize(
    ("tags", "cycle", "drive"),
    [
        ("barrier=bollard", None, "barrier_closed"),
        ("barrier=block", None, "barrier_closed"),
        ("barrier=bollard motor_vehicle=yes", None, None),
        ("barrier=cycle_barrier", None, "barrier_closed"),
        ("barrier=cycle_barrier bicycle=no", "barrier_bicycle_no", "barrier_closed"),
        ("barrier=turnstile", "barrier_foot_only", "barrier_closed"),
        ("barrier=gate", None, None),
        ("barrier=gate access=private", "barrier_private", "barrier_private"),
        ("barrier=gate access=private bicycle=yes", None, "barrier_private"),
        ("barrier=gate access=no motor_vehicle=yes", "barrier_private", None),
        ("barrier=gate vehicle=no", "barrier_vehicle_no", "barrier_vehicle_no"),
        ("barrier=gate locked=yes", "barrier_locked", "barrier_locked"),
        ("barrier=lift_gate motor_vehicle=private", None, "barrier_motor_vehicle_no"),
        ("barrier=toll_booth", None, None),
        ("barrier=height_restrictor", None, None),
        ("barrier=kerb", None, None),
        ("barrier=fence", "barrier_wall", "barrier_closed"),
        ("barrier=yes", None, "barrier_closed"),
        ("highway=crossing access=no", None, None),
    ],
)
def test_barriers(tags: str, cycle: str | None, drive: str | None) -> None:
    for mode, expected in (("cycle", cycle), ("drive", drive)):
        found = RULES[mode].blocks(tags_of(tags))
        assert (found.id if found else None) == expected, mode


def test_tables(tmp_path: Path) -> None:
    for mode, rules in RULES.items():
        assert rules.mode == mode
        for rule in (*rules.way, *rules.direction, *rules.node, *rules.through):
            assert all((rule.zh, rule.en, rule.source, rule.match)), rule.id
    with pytest.raises(StudyError, match="walk, cycle, drive"):
        load_rules(mode="swim")
    file = tmp_path / "own.toml"
    file.write_text('[[way]]\nid = "a"\nmatch = { highway = ["*"] }\ndecision = "allow"\n')
    assert load_rules(file, mode="drive").mode == "drive"
    file.write_text('mode = "fly"\n' + file.read_text())
    with pytest.raises(SchemaError, match="'fly' is not one of"):
        load_rules(file)


# --- speeds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kmh"),
    [
        ("60", 60.0),
        ("60 km/h", 60.0),
        ("60kmh", 60.0),
        ("30 mph", 30 * 1.609344),
        ("80; 60", 60.0),
        ("60|40", 40.0),
        ("none;50", 50.0),
        ("walk", 7.0),
        ("CN:urban", 50.0),
        ("DE:rural", 70.0),
        ("DE:zone:30", 30.0),
        ("FR:zone30", 30.0),
        ("none", None),
        ("signals", None),
        ("fast", None),
        ("0", None),
        ("600", None),
        ("", None),
    ],
)
def test_posted_speed(value: str, kmh: float | None) -> None:
    assert posted_speed(value) == (None if kmh is None else pytest.approx(kmh))


@pytest.mark.parametrize(
    ("tags", "kmh", "basis"),
    [
        ("highway=primary", 60 * 0.8, "class"),
        ("highway=primary maxspeed=50", 40.0, "posted"),
        ("highway=primary maxspeed=none", 48.0, "class"),
        ("highway=primary maxspeed=fast", 48.0, "unreadable"),
        ("highway=primary maxspeed=CN:rural", 56.0, "implicit"),
        ("highway=primary maxspeed:type=CN:urban", 40.0, "implicit"),
        ("highway=primary source:maxspeed=sign", 48.0, "class"),
        ("highway=primary maxspeed=50 maxspeed:motorcar=40", 32.0, "posted"),
        ("highway=primary maxspeed=50 maxspeed:forward=30", 24.0, "posted"),
        ("highway=primary maxspeed:backward=30 maxspeed:forward=40", 24.0, "posted"),
        ("highway=residential maxspeed=60", 48.0, "posted"),  # a posted limit is not lowered to the class
        ("highway=tertiary surface=mud", 10.0, "class"),
        ("highway=tertiary surface=asphalt;sett", 32.0, "class"),
        ("highway=track tracktype=grade2 surface=gravel", 16.0, "class"),
        ("highway=tertiary smoothness=very_bad", 20.0, "class"),
        ("highway=pedestrian motor_vehicle=yes", 8.0, "class"),
    ],
)
def test_edge_speeds(tags: str, kmh: float, basis: str) -> None:
    found = edge_speeds([tags_of(tags)])
    assert found.speed_kmh[0] == pytest.approx(kmh)
    assert SPEED_BASES[found.basis[0]] == f"speed_{basis}"


def test_faster_classes_are_not_slower() -> None:
    by_class = load_speeds().class_kmh
    order = ["motorway", "trunk", "primary", "secondary", "tertiary", "residential", "service", "living_street"]
    speeds = [by_class[c] for c in order]
    assert speeds == sorted(speeds, reverse=True)
    assert all(by_class[f"{c}_link"] <= by_class[c] for c in order[:5])


# --- controls ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "walk", "drive"),
    [
        ("highway=traffic_signals", "signals", "signals"),
        ("highway=traffic_signals crossing=traffic_signals", "crossing_signals", "signals"),
        ("highway=crossing crossing=traffic_signals", "crossing_signals", "crossing_signals"),
        ("highway=crossing crossing:signals=yes", "crossing_signals", "crossing_signals"),
        ("highway=crossing crossing=uncontrolled", "crossing", "crossing"),
        ("highway=crossing", "crossing", "crossing"),
        ("crossing=marked", "crossing", "crossing"),
        ("highway=crossing crossing=unmarked", "crossing", ""),
        ("highway=crossing crossing=no", "", ""),
        ("highway=stop", "", "stop"),
        ("highway=give_way", "", "give_way"),
        ("railway=level_crossing", "level_crossing", "level_crossing"),
        ("railway=tram_level_crossing", "", ""),
        ("highway=bus_stop", "", ""),
    ],
)
def test_controls(tags: str, walk: str, drive: str) -> None:
    found = [CONTROLS[control_code(tags_of(tags), mode)] for mode in MODES]
    assert found == [walk, drive, drive]


def street() -> OsmXml:
    """A street of 300 m with a signal between its junctions; a footway and a path that is not built cross it."""
    xml = OsmXml()
    xml.node(1, 0, 0).node(2, 100, 0, highway="traffic_signals").node(3, 200, 0, highway="crossing", crossing="zebra")
    xml.node(4, 300, 0).node(5, 200, 50).node(6, 100, 50, highway="stop")
    xml.way(10, [1, 2, 3, 4], highway="residential", maxspeed="40").way(11, [3, 5], highway="footway")
    xml.way(12, [2, 6], highway="construction").way(13, [4, 1], highway="service", oneway="yes")
    return xml


def test_streets_are_cut_at_controls(tmp_path: Path) -> None:
    file = street().write(tmp_path / "street.osm")
    data = load_osm(file)
    drive = build_network(data, crs=CRS_4544, rules=RULES["drive"])
    assert (drive.mode, drive.n_nodes, drive.n_edges) == ("drive", 4, 4)
    control = {int(i): CONTROLS[c] for i, c in zip(drive.node_osmid, drive.node_control, strict=True)}
    assert control == {1: "", 2: "signals", 3: "crossing", 4: ""}
    np.testing.assert_allclose(np.sort(drive.edge_length_m), [100, 100, 100, 300], atol=0.02)
    assert drive.edge_speed_kmh.tolist() == [16.0 if w == 13 else 32.0 for w in drive.edge_way.tolist()]
    assert drive.rule_counts["speed_posted"] == {"ways": 1, "length_km": 0.3}
    assert drive.rule_counts["speed_class"] == {"ways": 1, "length_km": 0.3}
    assert (drive.edge_backward == (drive.edge_way == 10)).all()
    assert drive.turns is None
    cycle = build_network(data, crs=CRS_4544, rules=RULES["cycle"])
    assert (cycle.mode, cycle.edge_speed_kmh, cycle.n_edges) == ("cycle", None, 4)
    walk = build_network(data, crs=CRS_4544)
    assert (walk.mode, walk.edge_speed_kmh, walk.node_control, walk.turns) == ("walk", None, None, None)
    assert walk.n_edges == 4  # 1-3, 3-4, 3-5, 4-1: the signal at 2 is no junction
    waits = build_network(data, crs=CRS_4544, controls=True)
    assert waits.n_edges == 5
    assert {int(i) for i in waits.node_osmid[waits.node_control > 0]} == {2, 3}
    without = build_network(data, crs=CRS_4544, rules=RULES["drive"], controls=False)
    assert (without.n_edges, without.node_control) == (2, None)
    for mode, one in (("walk", walk), ("cycle", cycle), ("drive", drive)):
        equal_networks(one, network_from_osm(file, crs=CRS_4544, rules=RULES[mode]))


def divided(*, signals: bool, stop_lines: bool = False) -> OsmXml:
    """Two divided roads, carriageways 20 m apart, 300 m each way; eastbound is the southern, northbound the eastern."""
    tags = {"highway": "traffic_signals"} if signals and not stop_lines else {}
    xml = OsmXml()
    corners = {1: (-10, -10), 2: (10, -10), 3: (10, 10), 4: (-10, 10)}
    for number, (x, y) in corners.items():
        xml.node(number, x, y, **tags)
    ends = {11: (-310, -10), 12: (310, -10), 13: (310, 10), 14: (-310, 10)}
    ends |= {15: (10, -310), 16: (10, 310), 17: (-10, 310), 18: (-10, -310)}
    for number, (x, y) in ends.items():
        xml.node(number, x, y)
    stops = {21: (-18, -10), 22: (18, 10), 23: (10, -18), 24: (-10, 18)}
    for number, (x, y) in stops.items():
        xml.node(number, x, y, **({"highway": "traffic_signals"} if stop_lines else {}))
    one = {"highway": "primary", "oneway": "yes", "maxspeed": "60"}
    xml.way(1, [11, 21, 1, 2, 12], **one).way(2, [13, 22, 3, 4, 14], **one)
    return xml.way(3, [15, 23, 2, 3, 16], **one).way(4, [17, 24, 4, 1, 18], **one)


@pytest.mark.parametrize("stop_lines", [False, True])
def test_a_junction_of_divided_roads_is_waited_at_once(tmp_path: Path, *, stop_lines: bool) -> None:
    def seconds(signals: bool) -> dict[str, float]:
        data = load_osm(divided(signals=signals, stop_lines=stop_lines and signals).write(tmp_path / "x.osm"))
        network = build_network(data, crs=CRS_4544, rules=RULES["drive"])
        costs = edge_costs(network, replace(load_profile("car"), leg_kmh=36.0))
        at = {n: np.flatnonzero(network.node_osmid == n)[0] for n in (11, 12, 16, 18, 13, 14)}
        place = pd.DataFrame({"x": network.node_x[list(at.values())], "y": network.node_y[list(at.values())]})
        origins = place.assign(origin_id=[str(n) for n in at])
        goals = place.assign(facility_id=[str(n) for n in at])
        table = travel_matrix(network, costs, origins, goals, cutoff_s=999).set_index(["from_id", "to_id"])["cost_s"]
        trips = {"ahead": ("11", "12"), "left": ("11", "16"), "right": ("11", "18"), "back": ("11", "14")}
        codes = [CONTROLS[c] for c in network.node_control if c]
        if signals:
            # stop lines, 36 m apart, are passed one by one; corners are passed by two or three
            assert codes == (["signals"] * 4 if stop_lines else ["signals_arm"] * 8)
            assert network.edge_length_m.sum() == pytest.approx(4 * 620, abs=0.1)
        return {name: float(table[pair]) for name, pair in trips.items()}

    free = seconds(signals=False)
    for name, value in seconds(signals=True).items():
        assert value - free[name] == pytest.approx(15, abs=0.01), name


def test_signals_that_stand_apart_are_waited_at_one_by_one(tmp_path: Path) -> None:
    def codes(*x: float) -> list[str]:
        xml = OsmXml().node(1, 0, 0).node(99, 900, 0)
        for i, at in enumerate(x):
            xml.node(2 + i, at, 0, highway="traffic_signals")
        xml.way(10, [1, *range(2, 2 + len(x)), 99], highway="residential")
        network = build_network(load_osm(xml.write(tmp_path / "x.osm")), crs=CRS_4544, rules=RULES["drive"])
        return sorted(CONTROLS[c] for c in network.node_control if c)

    assert codes(100, 140) == ["signals"] * 2
    assert codes(100, 125) == ["signals_arm"] * 2
    assert codes(100, 125, 300) == ["signals"] + ["signals_arm"] * 2
    assert codes(100, 125, 150, 175, 205) == ["signals"] * 5  # 105 m: a street with many signals


def test_walkers_wait_once_between_two_carriageways(tmp_path: Path) -> None:
    xml = OsmXml().node(1, 0, 0).node(2, 100, 0, highway="crossing", crossing="traffic_signals")
    xml.node(3, 118, 0, highway="crossing", crossing="traffic_signals").node(4, 218, 0)
    xml.way(10, [1, 2, 3, 4], highway="footway")
    network = build_network(load_osm(xml.write(tmp_path / "x.osm")), crs=CRS_4544, controls=True)
    costs = edge_costs(network, load_profile("adult"))
    assert costs.delay_ms.sum() == 20_000
    assert sorted(network.edge_length_m.round().tolist()) == [28, 95, 95]


# --- forbidden turns --------------------------------------------------------------------------------------

#: A crossing of four streets, west 10, east 11, south 12, north 13; 14 runs through it, 15 is a footway.
ARMS = {10: [1, 5], 11: [5, 2], 12: [3, 5], 13: [5, 4]}


def crossing(
    tmp_path: Path,
    from_ways: list[int],
    to_ways: list[int],
    *,
    via: str = '<member type="node" ref="5" role="via"/>',
    ways: dict[int, list[int]] | None = None,
    oneway: tuple[int, ...] = (),
    mode: str = "drive",
    **tags: str,
) -> tuple[set[tuple[int, ...]], dict[str, int], Network]:
    """Return the forbidden turns as the OSM nodes they run over, what was left out, and the network."""
    xml = OsmXml()
    xml.node(1, -100, 0).node(2, 100, 0).node(3, 0, -100).node(4, 0, 100).node(5, 0, 0).node(6, 70, 70)
    xml.node(7, 0, 0, highway="stop")
    for number, refs in {**(ways or ARMS), 15: [5, 6]}.items():
        more = {"oneway": "yes"} if number in oneway else {}
        xml.way(number, refs, highway="footway" if number == 15 else "residential", **more)
    body = "".join(f'<member type="way" ref="{w}" role="from"/>' for w in from_ways) + via
    body += "".join(f'<member type="way" ref="{w}" role="to"/>' for w in to_ways)
    xml.raw("relation", 90, "", body, {"type": "restriction", **tags})
    file = xml.write(tmp_path / "crossing.osm")
    network = network_from_osm(file, crs=CRS_4544, rules=RULES[mode])
    equal_networks(network, build_network(load_osm(file), crs=CRS_4544, rules=RULES[mode]))
    turns = np.empty((0, 3), dtype=np.int32) if network.turns is None else network.turns
    assert turns.dtype == np.int32
    osmid, ends = network.node_osmid, (network.edge_u, network.edge_v)
    found = set()
    for first, node, second in turns.tolist():
        assert osmid[node] == 5
        assert all(node in (ends[0][e], ends[1][e]) for e in (first, second))
        far = [int(osmid[ends[0][e] + ends[1][e] - node]) for e in (first, second)]
        found.add((far[0], 5, far[1]))
    assert len(found) == len(turns)
    return found, {k: v for k, v in network.left_out.items() if k.startswith("turns_") and v}, network


@pytest.mark.parametrize(
    "turn", ["no_left_turn", "no_right_turn", "no_straight_on", "no_u_turn", "no_entry", "no_exit"]
)
def test_no_forbids_the_pair(turn: str, tmp_path: Path) -> None:
    found, left_out, _ = crossing(tmp_path, [10], [13], restriction=turn)  # the name does not matter: one pair fits
    assert found == {(1, 5, 4)}
    assert left_out == {}


@pytest.mark.parametrize("turn", ["only_left_turn", "only_right_turn", "only_straight_on", "only_u_turn"])
def test_only_forbids_the_rest_and_turning_round(turn: str, tmp_path: Path) -> None:
    found, left_out, _ = crossing(tmp_path, [10], [11], restriction=turn)
    assert found == {(1, 5, 1), (1, 5, 3), (1, 5, 4)}
    assert left_out == {}


THROUGH = {10: [1, 5], 11: [5, 2], 14: [3, 5, 4]}
CROSSED = {13: [1, 5, 2], 14: [3, 5, 4]}


def test_ways_that_run_through(tmp_path: Path) -> None:
    """The angle decides where the way that is meant goes on over the node."""

    def turns(a: int, b: int, turn: str, ways: dict, oneway: tuple[int, ...] = ()) -> tuple:
        return crossing(tmp_path, [a], [b], restriction=turn, ways=ways, oneway=oneway)[:2]

    assert turns(10, 14, "no_left_turn", THROUGH) == ({(1, 5, 4)}, {})
    assert turns(10, 14, "no_right_turn", THROUGH) == ({(1, 5, 3)}, {})
    assert turns(14, 11, "no_right_turn", THROUGH) == ({(3, 5, 2)}, {})
    assert turns(10, 14, "only_left_turn", THROUGH) == ({(1, 5, n) for n in (1, 2, 3)}, {})
    # one-way northwards: the only way to go on is north, whatever the name says
    assert turns(10, 14, "no_right_turn", THROUGH, (14,)) == ({(1, 5, 4)}, {})
    # turning round on the same street: on both sides of the node
    assert turns(14, 14, "no_u_turn", THROUGH) == ({(3, 5, 3), (4, 5, 4)}, {"turns_ambiguous": 1})
    assert turns(10, 10, "no_u_turn", THROUGH) == ({(1, 5, 1)}, {})
    # both ways run through: from either side the left turn is forbidden
    assert turns(13, 14, "no_left_turn", CROSSED) == ({(1, 5, 4), (2, 5, 3)}, {"turns_ambiguous": 1})
    assert turns(14, 14, "no_straight_on", THROUGH) == ({(3, 5, 4), (4, 5, 3)}, {"turns_ambiguous": 1})


def test_nodes_at_one_place(tmp_path: Path) -> None:
    """5 and 7 lie at one place and become one node: the restriction and the sign at 7 hold there."""
    ways = {10: [1, 5], 11: [7, 2], 12: [3, 5], 13: [5, 4], 14: [5, 7]}
    via = '<member type="node" ref="7" role="via"/>'
    found, left_out, network = crossing(tmp_path, [10], [11], restriction="no_straight_on", ways=ways, via=via)
    assert (found, left_out) == ({(1, 5, 2)}, {})
    assert {int(i): CONTROLS[c] for i, c in zip(network.node_osmid, network.node_control, strict=True)}[5] == "stop"


def test_who_is_bound(tmp_path: Path) -> None:
    def bound(mode: str, **tags: str) -> bool:
        found, left_out, network = crossing(tmp_path, [10], [13], mode=mode, **tags)
        assert left_out == {}
        assert network.mode == mode
        return found == {(1, 5, 4)}

    cases = [
        ({"restriction": "no_left_turn"}, [False, True, True]),
        ({"restriction": "no_left_turn", "except": "bicycle;psv"}, [False, False, True]),
        ({"restriction": "no_left_turn", "except": "motorcar"}, [False, True, False]),
        ({"restriction": "no_left_turn", "except": "bus"}, [False, True, True]),
        ({"restriction:motorcar": "no_left_turn"}, [False, False, True]),
        ({"restriction:bicycle": "no_left_turn"}, [False, True, False]),
        ({"restriction:hgv": "no_left_turn"}, [False, False, False]),
        ({"restriction": "none"}, [False, False, False]),
    ]
    for tags, expected in cases:
        assert [bound(mode, **tags) for mode in MODES] == expected, tags


def test_what_is_left_out(tmp_path: Path) -> None:
    def why(from_ways: list[int], to_ways: list[int], **more: str) -> dict[str, int]:
        found, left_out, network = crossing(tmp_path, from_ways, to_ways, **more)
        assert found == set()
        assert network.turns is None
        return left_out

    no = {"restriction": "no_left_turn"}
    assert why([10], [13], **{"restriction:conditional": "no_left_turn @ (Mo-Fr)"}) == {"turns_conditional": 1}
    assert why([10], [13], **no, hour_on="7") == {"turns_conditional": 1}
    assert why([10], [13], **no, via='<member type="way" ref="11" role="via"/>') == {"turns_via_way": 1}
    assert why([10], [13], **no, via="") == {"turns_incomplete": 1}
    assert why([10, 12], [13], **no) == {"turns_incomplete": 1}
    assert why([10], [], **no) == {"turns_incomplete": 1}
    assert why([10], [13], restriction="no_turn_on_red") == {"turns_incomplete": 1}
    assert why([10], [15], **no) == {"turns_elsewhere": 1}  # a footway
    assert why([10], [15], restriction="only_straight_on") == {"turns_elsewhere": 1}  # would close the street
    assert why([10], [12], **no, oneway=(12,)) == {"turns_elsewhere": 1}  # against the one-way street anyway
    several, left_out, _ = crossing(tmp_path, [10, 12], [13], restriction="no_entry")
    assert (several, left_out) == ({(1, 5, 4), (3, 5, 4)}, {})


#: A divided road from west to east: 10, 11 eastwards in the south, 12, 13 westwards 20 m north of it, joined by 17 in
#: the east. 19 is a footway. 14 is the link between them, with a stop sign, 15 goes on to the north, 16 to the south.
LINKED = {
    10: [1, 2],
    11: [2, 3],
    12: [4, 5],
    13: [5, 6],
    14: [2, 9, 5],
    15: [5, 7],
    16: [8, 2],
    17: [3, 4],
    19: [5, 0],
}
NO_U_TURN = {"restriction": "no_u_turn"}


def linked(
    tmp_path: Path,
    start: int,
    via: list[int],
    end: int,
    *,
    ways: dict[int, list[int]] | None = None,
    oneway: tuple[int, ...] = (10, 11, 12, 13),
    mode: str = "drive",
    **tags: str,
) -> tuple[set[tuple[int, ...]], dict[str, int], Network]:
    """Return the forbidden turns as the OSM nodes they run over, what was left out, and the network."""
    xml = OsmXml()
    xml.node(1, -200, 0).node(2, 0, 0).node(3, 200, 0).node(4, 200, 20).node(5, 0, 20).node(6, -200, 20)
    xml.node(7, 0, 200).node(8, 0, -200).node(9, 0, 10, highway="stop").node(0, 20, 40)
    for number, refs in {**LINKED, 19: [5, 0], **(ways or {})}.items():
        more = {"oneway": "yes"} if number in oneway else {}
        xml.way(number, refs, highway="footway" if number == 19 else "residential", **more)
    xml.relation(90, [(start, "from"), *((w, "via") for w in via), (end, "to")], type="restriction", **tags)
    network = network_from_osm(xml.write(tmp_path / "divided.osm"), crs=CRS_4544, rules=RULES[mode])
    osmid = network.node_osmid.tolist()
    found = set()
    for row in [] if network.turns is None else network.turns.tolist():
        row = [k for k in row if k >= 0]
        far = [int(network.edge_u[e] + network.edge_v[e]) - n for e, n in ((row[0], row[1]), (row[-1], row[-2]))]
        found.add(tuple(osmid[k] for k in (far[0], *row[1::2], far[1])))
    return found, {k: v for k, v in network.left_out.items() if k.startswith("turns_") and v}, network


def test_restrictions_over_ways(tmp_path: Path) -> None:
    from_west = {(1, 2, 9, 2), (1, 2, 9, 5, 9)}  # nor does one turn round on the way
    assert linked(tmp_path, 10, [14], 13, **NO_U_TURN)[:2] == (from_west | {(1, 2, 9, 5, 6)}, {})
    assert linked(tmp_path, 10, [14], 15, restriction="no_left_turn")[:2] == (from_west | {(1, 2, 9, 5, 7)}, {})
    # who comes from the south has to go on to the north: out of 16 over all of the link, and turns round nowhere
    only, left_out, _ = linked(tmp_path, 16, [14], 15, restriction="only_straight_on")
    assert only == {(8, 2, 3), (8, 2, 8), (8, 2, 9, 2), (8, 2, 9, 5, 6), (8, 2, 9, 5, 9)}
    assert left_out == {}
    # two ways in between, in any order
    halves = {14: [2, 9], 18: [5, 9]}
    for via in ([14, 18], [18, 14]):
        assert linked(tmp_path, 10, via, 13, ways=halves, **NO_U_TURN)[:2] == (from_west | {(1, 2, 9, 5, 6)}, {})
    # streets that run through and are open both ways: the angle decides
    through = {10: [1, 2, 3], 13: [4, 5, 6], 11: [3, 0], 12: [4, 0]}
    both = linked(tmp_path, 10, [14], 13, ways=through, oneway=(), **NO_U_TURN)
    from_east = {(3, 2, 9, 2), (3, 2, 9, 5, 9)}
    assert both[:2] == (from_west | from_east | {(1, 2, 9, 5, 6), (3, 2, 9, 5, 4)}, {"turns_ambiguous": 1})
    right = linked(tmp_path, 16, [14], 13, ways=through, oneway=(), restriction="no_right_turn")
    assert right[:2] == ({(8, 2, 9, 2), (8, 2, 9, 5, 9), (8, 2, 9, 5, 4)}, {})


def test_restrictions_over_ways_that_are_left_out(tmp_path: Path) -> None:
    def why(start: int, via: list[int], end: int, **more: str) -> dict[str, int]:
        found, left_out, network = linked(tmp_path, start, via, end, **{**NO_U_TURN, **more})
        assert (found, network.turns) == (set(), None)
        return left_out

    assert why(10, [15], 13) == {"turns_via_way": 1}  # they do not meet
    assert why(10, [14, 17], 13) == {"turns_via_way": 1}  # not all of them are on the way
    assert why(13, [14], 10) == {"turns_via_way": 1}  # against one-way streets
    assert why(10, [14], 19) == {"turns_elsewhere": 1}  # a footway
    assert why(10, [14], 13, mode="cycle", **{"except": "bicycle"}) == {}
    assert why(10, [14], 13, mode="walk") == {}
    assert linked(tmp_path, 10, [14], 13, mode="cycle", **NO_U_TURN)[0] >= {(1, 2, 9, 5, 6)}


def test_no_u_turn_over_a_link_by_hand(tmp_path: Path) -> None:
    """From west to west, 100 m from the link; places in the middle of streets, there and back."""
    car = replace(METRE_A_SECOND, mode="drive")

    def metres(network: Network, start: tuple[int, int], end: tuple[int, int], direction: str) -> int:
        places = [
            pd.DataFrame({name: ["x"], "x": [EAST + x], "y": [NORTH + y]})
            for name, (x, y) in (("origin_id", start), ("facility_id", end))
        ]
        costs = edge_costs(network, car)
        engines = [
            travel_matrix(network, costs, *places, cutoff_s=2000, direction=direction, engine=engine)
            for engine in ("numba", "scipy")
        ]
        pd.testing.assert_frame_equal(*engines)
        return round(float(engines[0]["cost_s"].item()))

    before, after, south, link = (-100, 0), (-100, 20), (0, -100), (0, 4)
    _, _, free = linked(tmp_path, 10, [14], 13, restriction="none")
    _, _, bound = linked(tmp_path, 10, [14], 13, **NO_U_TURN)
    assert metres(free, before, after, "to") == metres(free, after, before, "from") == 220
    # over the link to the north end and back from there: nobody turns round on the link
    assert metres(bound, before, after, "to") == metres(bound, after, before, "from") == 100 + 20 + 2 * 180 + 100
    assert metres(bound, south, after, "to") == metres(bound, after, south, "from") == 220
    assert metres(bound, link, after, "to") == metres(bound, after, link, "from") == 116
    assert metres(bound, before, link, "to") == 104
    # who has to go straight on from the south turns at the north end too
    _, _, only = linked(tmp_path, 16, [14], 15, restriction="only_straight_on")
    assert metres(only, south, after, "to") == metres(only, after, south, "from") == 100 + 20 + 2 * 180 + 100
    assert metres(only, before, after, "to") == 220


# --- through traffic --------------------------------------------------------------------------------------


def test_who_may_drive_through() -> None:
    def local(text: str, rules: Rules = RULES["drive"]) -> bool:
        return bool(apply_rules([tags_of("highway=residential " + text)], rules).local[0])

    assert [local(f"{key}=destination") for key in ("motorcar", "motor_vehicle", "vehicle", "access")] == [True] * 4
    assert local("access=customers")
    assert not local("")
    # what is said of cars is stronger than what is said of all
    assert not local("access=destination motor_vehicle=yes")
    assert local("access=yes motor_vehicle=destination")
    assert not local("bicycle=destination")
    assert not local("access=destination", load_rules(mode="drive", table="emergency"))
    assert not any(local("vehicle=destination access=destination", RULES[mode]) for mode in ("walk", "cycle"))


def test_no_through_traffic_by_hand(tmp_path: Path) -> None:
    """A shortcut 11 that is for residents, a detour 12, and behind the shortcut a yard 13 that nothing is said of.

        3 --12-- 4
        |        |      10, 14: 100 m, 11: 100 m, 12: 300 m
    1 --10-- 2 --11-- 5 --14-- 6
                 |
                 7
    """
    xml = OsmXml()
    xml.node(1, 0, 0).node(2, 100, 0).node(5, 200, 0).node(6, 300, 0).node(3, 100, 100).node(4, 200, 100)
    xml.node(7, 150, -50).node(8, 150, 0)
    xml.way(10, [1, 2], highway="residential").way(12, [2, 3, 4, 5], highway="residential")
    xml.way(11, [2, 8, 5], highway="residential", access="destination").way(13, [8, 7], highway="service")
    xml.way(14, [5, 6], highway="residential")
    file = xml.write(tmp_path / "shortcut.osm")
    drive, walk, engine = (
        network_from_osm(file, crs=CRS_4544, rules=rules)
        for rules in (RULES["drive"], RULES["walk"], load_rules(mode="drive", table="emergency"))
    )
    assert (walk.edge_local, engine.edge_local) == (None, None)
    assert drive.edge_way[drive.edge_local].tolist() == [11, 11]
    assert drive.summary()["no_through_km"] == 0.1
    costs = edge_costs(drive, replace(METRE_A_SECOND, mode="drive"))
    assert sorted(drive.edge_way[costs.states.local].tolist()) == [11, 11, 13]
    at = {"west": (50, 0), "east": (250, 0), "yard": (150, -20), "in": (120, 0), "far": (180, 0), "corner": (100, 0)}
    places = pd.DataFrame({"x": [EAST + x for x, _ in at.values()], "y": [NORTH + y for _, y in at.values()]})
    places.loc[5] = drive.node_x[drive.node_osmid == 2][0], drive.node_y[drive.node_osmid == 2][0]
    origins, goals = places.assign(origin_id=list(at)), places.assign(facility_id=list(at))
    first, *others = (
        travel_matrix(drive, costs, origins, goals, cutoff_s=2000, direction=direction, engine=engine)
        for direction in ("to", "from")
        for engine in ("numba", "scipy")
    )
    for one in others:
        pd.testing.assert_frame_equal(first, one)
    found = {(a, b): round(c) for a, b, c in first.itertuples(index=False)}
    assert len(found) == len(at) ** 2  # everything can be reached
    assert found["west", "east"] == 50 + 300 + 50  # not through
    assert found["west", "yard"] == found["yard", "west"] == 50 + 50 + 20
    assert found["yard", "east"] == 20 + 50 + 50
    assert found["in", "east"] == 80 + 50  # out of it on the other side
    assert found["in", "far"] == 60
    # from the corner one may begin on either street
    assert found["corner", "east"] == 100 + 50


def test_helsinki_has_streets_for_residents(helsinki: OsmData) -> None:
    network = build_network(helsinki, crs=HELSINKI_CRS, rules=RULES["drive"])
    assert network.edge_local is not None
    signed = {
        way
        for way, tags in zip(helsinki.way_id.tolist(), helsinki.way_tags, strict=True)
        if "destination" in (tags.get(key) for key in ("motorcar", "motor_vehicle", "vehicle", "access"))
    }
    assert set(network.edge_way[network.edge_local].tolist()) <= signed
    local = edge_costs(network, load_profile("car")).states.local
    assert (int(network.edge_local.sum()), int(local.sum())) == (50, 60)


# --- slope ------------------------------------------------------------------------------------------------


def test_cycling_slope() -> None:
    # km/h on the level, at 3 % and 6 % up, at 3 % down: 6.01 - 0.4002 x 3 m/s ...
    speeds = 21.636 * slope_factor("cycling", [0, 0.03, 0.06, -0.03])
    np.testing.assert_allclose(speeds, [21.636, 3.6 * 4.8094, 3.6 * 3.6088, 3.6 * 6.7237])
    slopes = np.linspace(-0.5, 0.5, 101)
    assert (np.diff(cycling(slopes)) <= 0).all()
    assert (cycling(slopes) > 0.2).all()
    assert 21.636 * cycling(-0.5) < 35


# --- Helsinki ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def helsinki() -> OsmData:
    return load_osm(helsinki_pbf())


def test_helsinki_directed_streets_equal_osmnx(helsinki: OsmData, tmp_path: Path) -> None:
    """With the same ways, the directed metres are osmnx's: to the millimetre but for one way.

    Osmnx reads ``oneway`` and ``junction=roundabout``; ``motor_vehicle:backward=no``, which one way has, it does not.
    Both are measured in EPSG:3067, ways are cut at their missing nodes, and barriers are left aside.
    """
    import osmnx as ox

    rules = RULES["drive"]
    found = apply_rules(helsinki.way_tags, rules)
    runs: list[tuple[list[int], dict[str, str]]] = []
    for i in np.flatnonzero(found.allow):
        part = slice(helsinki.way_start[i], helsinki.way_start[i + 1])
        known = np.isfinite(helsinki.way_lon[part])
        cuts = np.flatnonzero(np.diff(known.astype(int))) + 1
        refs = np.split(helsinki.way_ref[part], cuts)
        pieces = zip(refs, np.split(known, cuts), strict=True)
        runs += [(r.tolist(), helsinki.way_tags[i]) for r, k in pieces if k[0] and len(r) > 1]
    used = {r for run, _ in runs for r in run}
    path = tmp_path / "drive.osm"
    with osmium.SimpleWriter(str(path)) as writer:
        for node in osmium.FileProcessor(str(helsinki_pbf()), osmium.osm.NODE):
            if node.id in used:
                writer.add_node(node)
        for number, (run, tags) in enumerate(runs, 1):
            kept = {k: v for k, v in tags.items() if k in ("highway", "oneway", "junction")}
            writer.add_way(osmium.osm.mutable.Way(id=number, nodes=run, tags=kept))
    graph = ox.project_graph(ox.graph_from_xml(path, simplify=False, retain_all=True), to_crs=HELSINKI_CRS)
    at = {n: (d["x"], d["y"]) for n, d in graph.nodes(data=True)}
    theirs = sum(float(np.hypot(at[a][0] - at[b][0], at[a][1] - at[b][1])) for a, b in graph.edges())
    network = build_network(helsinki, crs=HELSINKI_CRS, rules=Rules("drive", rules.way, rules.direction))
    length, both = network.edge_length_m, network.edge_forward & network.edge_backward
    ours = float(length.sum() + length[both].sum())
    tags = {int(i): t for i, t in zip(helsinki.way_id, helsinki.way_tags, strict=True)}
    bound = np.array([tags[w].get("motor_vehicle:backward") == "no" for w in network.edge_way.tolist()])
    assert set(network.edge_way[bound].tolist()) == {36730331}
    assert ours + float(length[bound].sum()) == pytest.approx(theirs, abs=1e-3)
    assert 0.4 < float(length[~both].sum() / length.sum()) < 0.8


def test_helsinki_against_the_filter_of_osmnx(helsinki: OsmData) -> None:
    """Each way that we and osmnx's filters decide differently belongs to one of these groups."""
    from osmnx._overpass import _get_network_filter

    def differences(mode: str, theirs: str) -> dict[tuple[str, str], int]:
        conditions = re.findall(r'\["([^"]+)"(?:!~"([^"]*)")?\]', _get_network_filter(theirs))
        assert len(conditions) > 5

        def why_not(tags: dict[str, str]) -> str:
            for key, pattern in conditions:
                if key not in tags and not pattern:
                    return f"no {key}"
                if pattern and key in tags and re.search(pattern, tags[key]):
                    return f"{key}={tags[key]}"
            return ""

        ours = apply_rules(helsinki.way_tags, RULES[mode])
        reasons = [why_not(t) for t in helsinki.way_tags]
        rows = [(ours.names[ours.rule[i]], r) for i, r in enumerate(reasons) if ours.allow[i] != (r == "")]
        return pd.Series(rows).value_counts().to_dict()

    assert differences("drive", "drive_service") == {
        # here they are highway=trail, paths over rock; osmnx does not name that value
        ("not_for_cars", ""): 159,
        # vehicle, access=no and access=delivery bind cars too; osmnx reads motor_vehicle, motorcar and access=private
        ("vehicle_no", ""): 26,
        ("access_private", ""): 12,
        ("motor_vehicle_no", ""): 2,
        ("motorcar_no", ""): 1,
        ("no_direction_left_motor", ""): 1,  # for trams and taxis
        # trips begin and end in parking aisles and on yards
        ("service", "service=parking_aisle"): 13,
        ("service", "area=yes"): 6,
        # what the mapper says about cars is stronger than the class
        ("motor_vehicle_yes", "highway=pedestrian"): 2,
        ("motorcar_yes", "highway=cycleway"): 1,
    }
    assert differences("cycle", "bike") == {
        ("no_rule", ""): 159,  # highway=trail
        # the track beside must be used; osmnx reads bicycle=no only
        ("bicycle_no", ""): 115,
        ("vehicle_no", ""): 24,
        ("access_private", ""): 12,
        # footways are open where the mapper says so; osmnx leaves all of them out
        ("bicycle_yes", "highway=footway"): 62,
        # pedestrian streets are closed unless the mapper opens them
        ("foot_only", ""): 8,
        ("bicycle_yes", "area=yes"): 5,
        ("street", "area=yes"): 5,
    }


def test_helsinki_turns(helsinki: OsmData) -> None:
    """Every relation with one street on either side is there, and nothing that no relation asks for."""
    network = build_network(helsinki, crs=HELSINKI_CRS, rules=RULES["drive"])
    ends = pd.DataFrame({"u": network.edge_u, "v": network.edge_v, "way": network.edge_way})
    expected: set[tuple[int, int, int]] = set()
    counts: Counter[str] = Counter()
    for one in helsinki.restrictions:
        turn, reason = read_restriction(one, "drive")
        counts[reason or turn.partition("_")[0]] += 1
        if not turn:
            continue
        here = (network.node_osmid == one.via_nodes[0]) & (network.node_control < CONTROLS.index("signals_arm"))
        for node in np.flatnonzero(here).tolist():
            come = ends[((ends.v == node) & network.edge_forward) | ((ends.u == node) & network.edge_backward)]
            go = ends[((ends.u == node) & network.edge_forward) | ((ends.v == node) & network.edge_backward)]
            first = come.index[come.way == one.from_ways[0]].tolist()
            second = go.index[go.way == one.to_ways[0]].tolist()
            assert len(first) <= 1
            assert len(second) <= 1
            if first and second:
                ruled = second if turn.startswith("no_") else sorted(set(go.index) - set(second))
                expected |= {(first[0], node, b) for b in ruled}
    assert {tuple(row) for row in network.turns.tolist()} == expected
    assert len(helsinki.restrictions) == sum(counts.values())
    assert counts == {"only": 29, "no": 14, "turns_conditional": 2}


def test_cars_go_at_0_8_of_the_limit_from_the_tag_to_seconds(tmp_path: Path) -> None:
    """1 km at 50 km/h is 90 s; fire engines go no faster than 60 km/h; roads and graphs that give a speed keep it."""
    xml = OsmXml()
    xml.node(1, 0, 0).node(2, 1000, 0).node(3, 2000, 0)
    xml.way(10, [1, 2], highway="primary", maxspeed="50").way(11, [2, 3], highway="trunk", maxspeed="100")
    drive = Network.from_osm(xml.write(tmp_path / "road.osm"), crs=CRS_4544, mode="drive")
    roads = drive.edges[["way", "geometry", "speed_kmh"]]
    for network in (drive, Network.from_edges(roads, mode="drive"), Network.from_networkx(drive.to_networkx())):
        assert dict(zip(network.edge_way.tolist(), network.edge_speed_kmh.tolist(), strict=True)) == {
            10: 40.0,
            11: 80.0,
        }
        x, y = network.node_x, network.node_y
        origins = pd.DataFrame({"origin_id": ["west"], "x": x.min(), "y": y.mean()})
        places = pd.DataFrame({"facility_id": ["middle", "east"], "x": np.sort(x)[1:], "y": y.mean()})
        for name, seconds in (("car", [90 + 45, 90]), ("fire_engine", [90 + 60, 90])):
            costs = edge_costs(replace(network, rule_table=""), load_profile(name))
            table = travel_matrix(network, costs, origins, places, cutoff_s=600)
            assert table["cost_s"].to_numpy() == pytest.approx(seconds, abs=0.3), name


def test_helsinki_controls(helsinki: OsmData) -> None:
    """No signal on a street that is driven is lost, and the streets are as long as without the cuts."""
    network = build_network(helsinki, crs=HELSINKI_CRS, rules=RULES["drive"])
    plain = build_network(helsinki, crs=HELSINKI_CRS, rules=RULES["drive"], controls=False)
    assert network.edge_length_m.sum() == pytest.approx(plain.edge_length_m.sum(), abs=1e-6)
    assert network.n_edges > plain.n_edges
    allow = apply_rules(helsinki.way_tags, RULES["drive"]).allow
    way = np.repeat(np.arange(len(allow)), np.diff(helsinki.way_start))
    driven = set(helsinki.way_ref[allow[way] & np.isfinite(helsinki.way_lon)].tolist())
    tagged = zip(helsinki.point_id.tolist(), helsinki.point_tags, strict=True)
    signals = {i for i, t in tagged if t.get("highway") == "traffic_signals" and i in driven}
    single = network.node_control == CONTROLS.index("signals")
    arms = network.node_control == CONTROLS.index("signals_arm")
    assert set(network.node_osmid[single].tolist()) < signals
    # A signal without a wait of its own stands in a junction whose arms have it.
    junctions = shapely.MultiPoint(np.column_stack([network.node_x[arms], network.node_y[arms]]))
    joined = np.isin(network.node_osmid, list(signals - set(network.node_osmid[single].tolist())))
    places = shapely.points(network.node_x[joined], network.node_y[joined])
    assert joined.sum() > 10
    assert shapely.distance(places, junctions).max() <= 100
    assert len(signals) > 50
    assert ((network.edge_speed_kmh >= 4) & (network.edge_speed_kmh <= 80)).all()
    posted = network.rule_counts["speed_posted"]["length_km"] / (network.edge_length_m.sum() / 1000)
    assert 0.3 < posted < 1


def test_fire_engines_pass_gates_and_private_streets_that_stop_cars() -> None:
    car, engine = load_rules(mode="drive"), load_rules(mode="drive", table="emergency")
    tags = [
        {"highway": "service", "access": "private"},
        {"highway": "footway", "emergency": "yes"},
        {"highway": "footway"},
        {"highway": "residential", "access": "no", "emergency": "no"},
        {"highway": "construction", "access": "private"},
    ]
    assert apply_rules(tags, car).allow.tolist() == [False] * 5
    assert apply_rules(tags, engine).allow.tolist() == [True, True, False, False, False]
    gate, bollard = {"barrier": "gate", "access": "private"}, {"barrier": "bollard"}
    assert [bool(car.blocks(t)) for t in (gate, bollard)] == [True, True]
    assert [bool(engine.blocks(t)) for t in (gate, bollard)] == [False, True]
    assert engine.mode == "drive"
    assert load_profile("fire_engine").rules == "emergency"
