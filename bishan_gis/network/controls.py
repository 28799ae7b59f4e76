"""What holds traffic at nodes: signals, crossings and signs, and turns that are forbidden.

Controls are mapped as points on the streets, mostly some metres before a junction; restrictions are relations from
a way over a node to a way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.network.graph import CONTROLS

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
    "turns_via_way": ("经由路段的转向限制 (未采用)", "turn restrictions over a way in between (not used)"),
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
_ANGLES = {"left_turn": (20, 170), "right_turn": (-170, -20), "straight_on": (-60, 60)}


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
    if restriction.via_ways:
        return "", "turns_via_way"
    whole = restriction.from_ways and restriction.to_ways and len(restriction.via_nodes) == 1
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

    def angle(self, first: int, node: int, second: int) -> float:
        """Return the turn from an edge into another [degrees]: positive to the left, 180 back by the same edge."""
        if first == second:
            return 180.0
        turn = self._bearing(second, node) - (self._bearing(first, node) + 180)
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
    """Translate restrictions into forbidden pairs of edges.

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
    turns : ndarray of int32, shape (t, 3), or None
        Edge one comes by, node, edge one may not go on by; sorted, each once. None: nothing is forbidden.
    left_out : dict
        Key of :data:`TURNS_LEFT_OUT` -> count of relations.

    Notes
    -----
    ``no_*`` forbids the pair it names, ``only_*`` every other way to go on from the same street, turning round
    included (https://wiki.openstreetmap.org/wiki/Relation:restriction: a route must follow the members). Where a way
    runs on through the node, or a restriction names one way twice, several pairs of edges may fit: one-way streets,
    then the angle of the turn decide; what still fits is all taken and counted as ambiguous.
    """
    left_out: Counter[str] = Counter(dict.fromkeys(TURNS_LEFT_OUT, 0))
    rows: set[tuple[int, int, int]] = set()
    read = [(one, *read_restriction(one, mode)) for one in restrictions]
    left_out.update(reason for _, _, reason in read if reason)
    used = [(one, turn) for one, turn, _ in read if turn]
    at = _edges_at(edges, {n for one, _ in used for n in nodes_of.get(one.via_nodes[0], ())})
    for one, turn in used:
        found = []
        for node in nodes_of.get(one.via_nodes[0], ()):
            meeting = at.get(node, [])
            come = [e for e in meeting if int(edges.way[e]) in one.from_ways and edges.arriving(e, node)]
            go = [e for e in meeting if int(edges.way[e]) in one.to_ways and edges.leaving(e, node)]
            found += [(a, node, b) for a in come for b in go]
        pairs = _choose(found, turn, one, edges)
        if not pairs:
            left_out["turns_elsewhere"] += 1
            continue
        left_out["turns_ambiguous"] += len(pairs) > max(len(one.from_ways), len(one.to_ways))
        if turn in _NO:
            rows.update(pairs)
            continue
        for first, node in {(a, n) for a, n, _ in pairs}:
            rows.update((first, node, e) for e in at[node] if edges.leaving(e, node) and (first, node, e) not in pairs)
    turns = np.array(sorted(rows), dtype=np.int32) if rows else None
    return turns, dict(left_out)


def _choose(
    pairs: list[tuple[int, int, int]], turn: str, restriction: Restriction, edges: JunctionEdges
) -> set[tuple[int, int, int]]:
    """Return the pairs that are meant, where one-way streets left several."""
    kind = turn.partition("_")[2]
    if kind == "u_turn" and restriction.from_ways == restriction.to_ways:
        return {(a, n, b) for a, n, b in pairs if a == b}
    if len(pairs) > 1 and kind in _ANGLES:
        low, high = _ANGLES[kind]
        fitting = {(a, n, b) for a, n, b in pairs if low <= edges.angle(a, n, b) <= high}
        return fitting or set(pairs)
    return set(pairs)


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
