"""What a graph made elsewhere may hold: whether a network can be made of it, and numbers for its names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import CrsError, InputError, NoDataError, SchemaError
from bishan_gis.network.graph import CONTROLS

if TYPE_CHECKING:
    import networkx as nx
    from numpy.typing import NDArray

__all__ = ["check_graph", "flag", "graph_island_m", "merged", "node_control", "node_ids", "way_ids"]

#: What osmnx keeps of a node's tags, and what it makes one wait for; of several the first counts.
_TAGS = (
    ("control", "signals", "signals"),
    ("control", "signals_arm", "signals_arm"),
    ("control", "crossing_signals", "crossing_signals"),
    ("control", "crossing_signals_arm", "crossing_signals_arm"),
    ("control", "level_crossing", "level_crossing"),
    ("control", "stop", "stop"),
    ("control", "give_way", "give_way"),
    ("control", "crossing", "crossing"),
    ("control", "", ""),
    ("railway", "level_crossing", "level_crossing"),
    ("highway", "traffic_signals", "signals"),
    ("highway", "stop", "stop"),
    ("highway", "give_way", "give_way"),
    ("highway", "crossing", "crossing"),
)


def merged(value: Any) -> list[Any]:
    """Return the values that osmnx merged into one attribute, or the only one; none where it is empty (None, NaN)."""
    values = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    return [v for v in values if v is not None and v == v]


def flag(value: Any) -> bool | None:
    """Return a true or false of Python or numpy; None for anything else."""
    return bool(value) if isinstance(value, bool | np.bool_) else None


def check_graph(graph: nx.MultiDiGraph) -> None:
    """Check that a network can be made of a graph; all that is wrong with its nodes and edges is named at once.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        Of any kind of networkx.

    Raises
    ------
    InputError
        It is no graph of networkx.
    NoDataError
        It has no edges.
    CrsError
        It has no ``crs``.
    SchemaError
        Nodes without a number for ``x`` or ``y``; edges whose ``length`` is missing, not a number or negative, or 0
        although the line has a length; edges whose geometry is not a LineString of numbers.
    """
    import networkx as nx

    if not isinstance(graph, nx.Graph):
        name = type(graph).__name__
        raise InputError(
            f"graph: 须为 networkx 的图,现为 {name};道路表请用 Network.from_edges",
            f"graph: must be a graph of networkx; it is a {name}. For a table of roads use Network.from_edges",
        )
    if not graph.number_of_edges():
        raise NoDataError(
            f"graph: 图有 {len(graph)} 个节点,没有边;请检查下载范围",
            f"graph: {len(graph)} nodes and no edges; check the area that was fetched",
        )
    if graph.graph.get("crs") is None:
        raise CrsError(
            f"graph: 图 ({len(graph)} 个节点) 没有 crs 属性;请设置 graph.graph['crs']",
            f"graph: {len(graph)} nodes and no crs; set graph.graph['crs']",
        )
    nodes = graph.nodes(data=True)
    points = sum(not np.isfinite([_number(d.get("x")), _number(d.get("y"))]).all() for _, d in nodes)
    edges = list(graph.edges(data=True))
    given = np.array(["length" in d for *_, d in edges])
    length = np.array([_number(d.get("length")) for *_, d in edges])
    drawn = np.array([_drawn(graph, u, v, d.get("geometry")) for u, v, d in edges])
    bad = int((given & ~(np.isfinite(length) & (length >= 0))).sum())
    nothing = int(((length == 0) & (drawn > 0) & np.isfinite(drawn)).sum())
    odd = int(np.isinf(drawn).sum())
    problems = [
        (points, "个节点的 x/y 缺失或不是数值", "nodes lack x/y, or they are not numbers"),
        (int((~given).sum()), "条边缺少 length", "edges lack length"),
        (bad, "条边的 length 为空、为负或不是数值", "edges have a length that is missing, negative or not a number"),
        (nothing, "条边的 length 为 0, 线却有长度", "edges have length 0 although their lines are longer"),
        (odd, "条边的 geometry 不是由数值组成的 LineString", "edges have a geometry that is no LineString of numbers"),
    ]
    if any(n for n, *_ in problems):
        raise SchemaError(
            "graph: " + ",".join(f"{n} {zh}" for n, zh, _ in problems if n) + ";请先用 osmnx 补全",
            "graph: " + "; ".join(f"{n} {en}" for n, _, en in problems if n) + "; complete them with osmnx first",
        )


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def _drawn(graph: nx.MultiDiGraph, u: Any, v: Any, line: Any) -> float:
    """Return the length of a line as it is drawn; inf where it is none, NaN where its ends are unknown."""
    if not merged(line):
        (ux, uy), (vx, vy) = ((_number(graph.nodes[n].get("x")), _number(graph.nodes[n].get("y"))) for n in (u, v))
        return float(np.hypot(vx - ux, vy - uy))
    if getattr(line, "geom_type", "") != "LineString" or line.is_empty:
        return np.inf
    length = float(line.length)
    return length if np.isfinite(length) else np.inf


def node_ids(names: list[Any]) -> NDArray[np.int64]:
    """Return a number per node: its own where all are whole numbers, else 1, 2, 3 ... in the order of the graph.

    Parameters
    ----------
    names : list
        What the graph calls its nodes.

    Examples
    --------
    >>> node_ids([7, "8"]).tolist(), node_ids(["a", (1, 2)]).tolist()
    ([7, 8], [1, 2])
    """
    numbers = [_whole(v) for v in names]
    if all(n is not None for n in numbers):
        return np.array(numbers, dtype=np.int64)
    return np.arange(1, len(names) + 1, dtype=np.int64)


def way_ids(values: Iterable[Any]) -> list[int]:
    """Return a number per ``osmid`` of an edge: of merged ones the smallest, which is the same in both directions.

    What is no number gets -1, -2, ... by its text, in order of appearance; what is empty 0.

    Examples
    --------
    >>> way_ids([7, [9, 8], "10", "new road", None, "new road"])
    [7, 8, 10, -1, 0, -1]
    """
    texts: dict[str, int] = {}
    out = []
    for value in values:
        several = merged(value)
        numbers = [_whole(v) for v in several]
        whole = [n for n in numbers if n is not None]
        if not several:
            out.append(0)
        elif len(whole) == len(several):
            out.append(min(whole))
        else:
            out.append(texts.setdefault("|".join(sorted(map(str, several))), -len(texts) - 1))
    return out


def _whole(value: Any) -> int | None:
    """Return a number that fits 64 bits; None for all else."""
    try:
        out = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    fits = -(2**63) <= out < 2**63 and (isinstance(value, str) or out == value)
    return out if fits else None


def node_control(tags: dict[str, Any]) -> int | None:
    """Return what one waits for at a node, a position in ``CONTROLS``; None where the graph does not say.

    Of several, as where osmnx consolidated intersections, the longest wait counts.
    """
    for key, value, control in _TAGS:
        if value in merged(tags.get(key)):
            return CONTROLS.index(control)
    return None


def graph_island_m(graph: nx.MultiDiGraph) -> float:
    """Return the ``island_m`` of a graph [m], 0 where it has none.

    Raises
    ------
    InputError
        It is not a number, or negative.
    """
    value = _number(graph.graph.get("island_m", 0.0))
    if not (np.isfinite(value) and value >= 0):
        said = f"graph.graph['island_m'] = {graph.graph['island_m']!r}"
        raise InputError(f"{said}: 须为不小于 0 的米数", f"{said}: must be 0 or more metres")
    return value
