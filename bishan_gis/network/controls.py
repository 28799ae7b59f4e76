"""What holds traffic at nodes: signals, crossings and signs, and turns that are forbidden.

Controls are mapped as points on the streets, mostly some metres before a junction; restrictions are relations from
a way over a node, or over further ways, to a way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.network.graph import CONTROLS
from bishan_gis.network.turns import turn_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.sources.osm import OsmData, Restriction

__all__ = ["TURNS_LEFT_OUT", "JunctionEdges", "control_code", "find_controls", "forbidden_turns", "read_restriction"]

#: What :func:`forbidden_turns` counts, in Chinese and in English.
TURNS_LEFT_OUT = {
    "turns_conditional": (
        "仅部分时段有效的转向限制 (未采用)",
        "turn restrictions that hold at certain hours only (not used)",
    ),
    "turns_via_way": (
        "所经由的路段走不通的转向限制 (未采用)",
        "turn restrictions over ways in between that do not lead to the last one (not used)",
    ),
    "turns_incomplete": (
        "成员缺失或类型不明的转向限制 (未采用)",
        "turn restrictions that lack members or make no sense",
    ),
    "turns_elsewhere": ("涉及的道路不在路网中的转向限制", "turn restrictions of streets that are not in the network"),
    "turns_ambiguous": (
        "道路穿过路口、方向不唯一的转向限制",
        "turn restrictions that fit several pairs of streets; all are forbidden",
    ),
}

#: Tags that bind a mode, the most specific first, and its names in ``except``.
_BINDING = {
    "drive": ("restriction:motorcar", "restriction:motor_vehicle", "restriction:vehicle", "restriction"),
    "cycle": ("restriction:bicycle", "restriction:vehicle", "restriction"),
}
_EXCEPTED = {"drive": {"motorcar", "motor_vehicle", "vehicle"}, "cycle": {"bicycle", "vehicle"}}
_HOURS = ("day_on", "day_off", "hour_on", "hour_off", "time")
_KINDS = {"left_turn", "right_turn", "straight_on", "u_turn"}
_NO = {f"no_{kind}" for kind in _KINDS} | {"no_entry", "no_exit"}
_ONLY = {f"only_{kind}" for kind in _KINDS}
#: Angles of a turn, to the left [degrees], that its name allows; used only where several pairs of streets fit.
_ANGLES = {"left_turn": (20, 170), "right_turn": (-170, -20), "straight_on": (-60, 60), "u_turn": (120, 240)}
#: So many ways to travel the members of one restriction, or it makes no sense.
_MOST_WALKS = 1000


def control_code(tags: Mapping[str, str], mode: str) -> int:
    """Return the position in :data:`~bishan_gis.network.graph.CONTROLS` of what a point does to a traveller.

    Parameters
    ----------
    tags : mapping
        OSM tags of a node.
    mode : str
        ``walk``, ``cycle`` or ``drive``. Where signals and a crossing are one point, walkers wait at a crossing with
        signals and vehicles at signals. Crossings without markings delay walkers only. Walkers do not stop at signs
        for vehicles.

    Returns
    -------
    int
        0: nothing.

    Notes
    -----
    Which direction a sign or a signal faces (``direction``, ``traffic_signals:direction``) is not read: it holds for
    both. Tramway tracks in the street (``railway=tram_level_crossing``) hold nobody.

    Examples
    --------
    >>> CONTROLS[control_code({"highway": "crossing", "crossing": "traffic_signals"}, "walk")]
    'crossing_signals'
    """
    highway = _values(tags, "highway")
    crossing = _values(tags, "crossing")
    railway = _values(tags, "railway")
    walks = mode == "walk"
    is_crossing = ("crossing" in highway or bool(crossing)) and "no" not in crossing
    signalled = "traffic_signals" in crossing or tags.get("crossing:signals") == "yes"
    name = ""
    if railway & {"level_crossing", "crossing"}:
        name = "level_crossing"
    elif "traffic_signals" in highway:
        name = "crossing_signals" if walks and is_crossing else "signals"
    elif is_crossing and signalled:
        name = "crossing_signals"
    elif not walks and "stop" in highway:
        name = "stop"
    elif not walks and "give_way" in highway:
        name = "give_way"
    elif is_crossing and (walks or "unmarked" not in crossing):
        name = "crossing"
    return CONTROLS.index(name)


def find_controls(osm: OsmData, mode: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the OSM ids of nodes that hold travellers, and what they are.

    Parameters
    ----------
    osm : OsmData
        Points with ``highway``, ``railway`` and ``crossing``.
    mode : str
        ``walk``, ``cycle`` or ``drive``.

    Returns
    -------
    ids : ndarray of int64
        OSM node ids.
    codes : ndarray of uint8
        Position in :data:`~bishan_gis.network.graph.CONTROLS`.
    """
    codes = np.array([control_code(tags, mode) for tags in osm.point_tags], dtype=np.uint8)
    return osm.point_id[codes > 0], codes[codes > 0]


def read_restriction(restriction: Restriction, mode: str) -> tuple[str, str]:
    """Return the turn that a restriction forbids or prescribes to a mode, and why it is left out.

    Parameters
    ----------
    restriction : Restriction
        A relation.
    mode : str
        ``cycle`` or ``drive``.

    Returns
    -------
    turn : str
        ``no_left_turn``, ``only_straight_on`` ...; "" when it does not bind this mode or is left out.
    reason : str
        Key of :data:`TURNS_LEFT_OUT`; "" when it is used, or does not concern this mode.

    Examples
    --------
    >>> from bishan_gis.sources.osm import Restriction
    >>> tags = {"restriction": "no_left_turn", "except": "bicycle;bus"}
    >>> [read_restriction(Restriction(1, tags, (2,), (3,), (4,)), mode) for mode in ("cycle", "drive")]
    [('', ''), ('no_left_turn', '')]
    """
    tags = restriction.tags
    key = next((k for k in _BINDING[mode] if k in tags), None)
    if key is None:
        conditional = any(f"{k}:conditional" in tags for k in _BINDING[mode])
        return "", "turns_conditional" if conditional else ""
    turn = tags[key].strip()
    if turn in ("none", "no") or (key == "restriction" and _values(tags, "except") & _EXCEPTED[mode]):
        return "", ""
    if any(k in tags for k in _HOURS):
        return "", "turns_conditional"
    via = len(restriction.via_nodes) == 1 if not restriction.via_ways else not restriction.via_nodes
    whole = restriction.from_ways and restriction.to_ways and via
    many_from = len(restriction.from_ways) > 1 and turn != "no_entry"
    many_to = len(restriction.to_ways) > 1 and turn != "no_exit"
    if not whole or many_from or many_to or turn not in _NO | _ONLY:
        return "", "turns_incomplete"
    return turn, ""


@dataclass(frozen=True, eq=False)
class JunctionEdges:
    """The edges of a network in their final order, as far as turns need them.

    Attributes
    ----------
    u, v : ndarray of int64, shape (m,)
        Ends of each edge.
    way : ndarray of int64, shape (m,)
        OSM way id.
    forward, backward : ndarray of bool, shape (m,)
        May be used from u to v, from v to u.
    vertex_start : ndarray of int64, shape (m + 1,)
        Where the vertices of each edge begin.
    vertex_x, vertex_y : ndarray of float64
        Vertices of all edges, ends included [m].
    """

    u: NDArray[np.int64]
    v: NDArray[np.int64]
    way: NDArray[np.int64]
    forward: NDArray[np.bool_]
    backward: NDArray[np.bool_]
    vertex_start: NDArray[np.int64]
    vertex_x: NDArray[np.float64]
    vertex_y: NDArray[np.float64]

    def arriving(self, edge: int, node: int) -> bool:
        """Return whether one may come to a node by an edge."""
        return bool((self.v[edge] == node and self.forward[edge]) or (self.u[edge] == node and self.backward[edge]))

    def leaving(self, edge: int, node: int) -> bool:
        """Return whether one may leave a node by an edge."""
        return bool((self.u[edge] == node and self.forward[edge]) or (self.v[edge] == node and self.backward[edge]))

    def angle(self, walk: tuple[int, ...]) -> float:
        """Return the turn from the first edge of a walk into the last: positive to the left, 180 back by the same.

        The walk is edge, node, edge, or further nodes and edges [degrees].
        """
        first, last = walk[0], walk[-1]
        if first == last:
            return 180.0
        turn = self._bearing(last, walk[-2]) - (self._bearing(first, walk[1]) + 180)
        return float((turn + 180) % 360 - 180)

    def _bearing(self, edge: int, node: int) -> float:
        """Return the direction in which an edge leaves a node [degrees, anticlockwise]."""
        first, end = int(self.vertex_start[edge]), int(self.vertex_start[edge + 1])
        here, there = (first, first + 1) if self.u[edge] == node else (end - 1, end - 2)
        dx, dy = self.vertex_x[there] - self.vertex_x[here], self.vertex_y[there] - self.vertex_y[here]
        return float(np.degrees(np.arctan2(dy, dx)))


def forbidden_turns(
    restrictions: list[Restriction], mode: str, edges: JunctionEdges, nodes_of: Mapping[int, tuple[int, ...]]
) -> tuple[NDArray[np.int32] | None, dict[str, int]]:
    """Translate restrictions into forbidden turns from edge to edge.

    Parameters
    ----------
    restrictions : list of Restriction
        What the map says.
    mode : str
        ``cycle`` or ``drive``; walkers are not bound.
    edges : JunctionEdges
        The network's edges.
    nodes_of : mapping
        OSM node id of every via node -> the nodes of the network that stand for it.

    Returns
    -------
    turns : ndarray of int32, shape (t, 3) or wider, or None
        Edge one comes by, node, edge one may not go on by, or more of them where a restriction goes over ways in
        between, see :func:`~bishan_gis.network.turns.turn_table`; sorted, each once. None: nothing is forbidden.
    left_out : dict
        Key of :data:`TURNS_LEFT_OUT` -> count of relations.

    Notes
    -----
    ``no_*`` forbids the walk it names, ``only_*`` every other way to go on from the same street, turning round
    included (https://wiki.openstreetmap.org/wiki/Relation:restriction: a route must follow the members). So over ways
    in between, ``only_*`` binds all who come by the first street: they go on into them and follow them to the last; who
    gets onto them elsewhere is free. GraphHopper and Valhalla read it so too; OSRM binds only those who have gone all
    of the way before the last street. Those who come by the first street do not turn round on the ways in between of
    ``no_*`` either: two turns on the spot would get round it.

    Where a way runs on through the node, or a restriction names one way twice, several walks may fit: one-way streets,
    then the angle of the turn decide; what still fits is all taken and counted as ambiguous. Ways in between may be
    listed in any order; all of them are travelled, each street piece once at most, over as few pieces as will do.
    """
    left_out: Counter[str] = Counter(dict.fromkeys(TURNS_LEFT_OUT, 0))
    rows: set[tuple[int, ...]] = set()
    read = [(one, *read_restriction(one, mode)) for one in restrictions]
    left_out.update(reason for _, _, reason in read if reason)
    used = [(one, turn) for one, turn, _ in read if turn]
    long = [one for one, _ in used if one.via_ways]
    over = np.flatnonzero(np.isin(edges.way, [way for one in long for way in _members(one)]))
    ends: dict[int, set[int]] = {}
    for way, u, v in zip(*(a[over].tolist() for a in (edges.way, edges.u, edges.v)), strict=True):
        ends.setdefault(way, set()).update((u, v))
    single = {n for one, _ in used for via in one.via_nodes for n in nodes_of.get(via, ())}
    at = _edges_at(edges, single.union(*ends.values()))
    for one, turn in used:
        nodes = [n for via in one.via_nodes for n in nodes_of.get(via, ())]
        nodes += sorted({n for way in one.via_ways for n in ends.get(way, ())})
        walks = _choose(_walks(one, edges, at, nodes), turn, one, edges)
        if not walks:
            there = one.via_ways and all(way in ends for way in _members(one))
            left_out["turns_via_way" if there else "turns_elsewhere"] += 1
            continue
        left_out["turns_ambiguous"] += len(walks) > max(len(one.from_ways), len(one.to_ways))
        if turn in _NO:
            rows.update(walks)
            back = {(*walk[:k], walk[k - 2]) for walk in walks for k in range(4, len(walk), 2)}
            rows.update(walk for walk in back if edges.leaving(walk[-1], walk[-2]))
            continue
        begun = {walk[:k] for walk in walks for k in range(1, len(walk) + 1)}
        for part in (part for part in begun if len(part) % 2 == 0):
            rows.update((*part, e) for e in at[part[-1]] if edges.leaving(e, part[-1]) and (*part, e) not in begun)
    return turn_table(sorted(rows)) if rows else None, dict(left_out)


def _members(restriction: Restriction) -> tuple[int, ...]:
    return (*restriction.from_ways, *restriction.via_ways, *restriction.to_ways)


def _walks(
    restriction: Restriction, edges: JunctionEdges, at: Mapping[int, list[int]], nodes: list[int]
) -> list[tuple[int, ...]]:
    """Return every way to travel the members of a restriction: edge, node, edge ...; `nodes` may be the first."""
    way, via = edges.way, set(restriction.via_ways)
    begun: list[tuple[int, ...]] = [
        (a, n) for n in nodes for a in at.get(n, ()) if way[a] in restriction.from_ways and edges.arriving(a, n)
    ]
    found: list[tuple[int, ...]] = []
    while begun:
        longer = []
        for walk in begun:
            node, between = walk[-1], walk[2::2]
            leaving = [e for e in at[node] if edges.leaving(e, node)]
            if {int(way[e]) for e in between} == via:
                found += [(*walk, b) for b in leaving if way[b] in restriction.to_ways]
            further = [e for e in leaving if way[e] in via and e not in between]
            longer += [(*walk, e, int(edges.u[e] + edges.v[e]) - node) for e in further]
        begun = longer
        if len(begun) > _MOST_WALKS:
            return []
    least: dict[tuple[int, int], int] = {}
    for walk in found:  # the shortest come first
        least.setdefault((walk[0], walk[-1]), len(walk))
    return [walk for walk in found if len(walk) == least[walk[0], walk[-1]]]


def _choose(
    walks: list[tuple[int, ...]], turn: str, restriction: Restriction, edges: JunctionEdges
) -> set[tuple[int, ...]]:
    """Return the walks that are meant, where one-way streets left several."""
    kind = turn.partition("_")[2]
    if kind == "u_turn" and restriction.from_ways == restriction.to_ways:
        return {walk for walk in walks if walk[0] == walk[-1]}
    if len(walks) > 1 and kind in _ANGLES and (kind != "u_turn" or restriction.via_ways):
        low, high = _ANGLES[kind]
        fitting = {walk for walk in walks if (edges.angle(walk) - low) % 360 <= high - low}
        return fitting or set(walks)
    return set(walks)


def _edges_at(edges: JunctionEdges, nodes: set[int]) -> dict[int, list[int]]:
    """Return the edges that end at each of a few nodes."""
    wanted = np.array(sorted(nodes), dtype=np.int64)
    at: dict[int, list[int]] = {}
    for edge in np.flatnonzero(np.isin(edges.u, wanted) | np.isin(edges.v, wanted)).tolist():
        for node in {int(edges.u[edge]), int(edges.v[edge])} & nodes:
            at.setdefault(node, []).append(edge)
    return at


def _values(tags: Mapping[str, str], key: str) -> set[str]:
    return {part.strip() for part in tags.get(key, "").split(";")} - {""}
