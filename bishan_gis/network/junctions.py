"""Signals of one junction drawn as several nodes: a trip through the junction waits once.

On a crossing of divided roads every crossing of two carriageways, or every stop line, is a node of its own in the map,
and a trip passes one to four of them. OSRM charges each and calls it a known fault (Project-OSRM/osrm-backend, issues
1250 and 1490); OSMnx consolidates such nodes into one for the same reason. Here the streets keep their shape: signals
that stand together are taken off their nodes, and every street that leaves the group gets a stop line. A trip through
the junction passes two of these, one in and one out, and waits half at each, whichever way it turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.network.graph import CONTROLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.vertices import Vertices

__all__ = ["JOIN_M", "join_signals"]

#: Signals this near to each other along the streets belong to one junction [m].
JOIN_M = 30.0
#: A group wider than this is no junction but a street with many signals, each of which is waited at [m].
WIDEST_M = 100.0
#: A stop line lies this far outside the group, or a third of the street [m].
_STOP_M = 5.0

_SIGNALS, _CROSSING = CONTROLS.index("signals"), CONTROLS.index("crossing_signals")
_ARM = {_SIGNALS: CONTROLS.index("signals_arm"), _CROSSING: CONTROLS.index("crossing_signals_arm")}


def join_signals(line: Vertices) -> int:
    """Put the wait of signals that stand together on the streets that lead out of them.

    Parameters
    ----------
    line : Vertices
        The streets with their controls; changed in place.

    Returns
    -------
    int
        Number of junctions that several signals stand for.

    Notes
    -----
    Two nodes with signals (``signals``, ``crossing_signals``) belong together where a way along the streets of at most
    :data:`JOIN_M` joins them, whatever the direction of travel; the nodes on that way are of the junction too, and so
    are streets of at most :data:`JOIN_M` between its nodes. Groups wider than :data:`WIDEST_M` stay as they are. Where
    one node of the group has ``signals`` its arms have ``signals_arm``, else ``crossing_signals_arm``. Other controls
    of the nodes (signs, crossings without signals) stay. Who starts or ends within the junction waits half.
    """
    start, end = line.cut()
    if not len(start):
        return 0
    step = np.hypot(np.diff(line.vertex_x), np.diff(line.vertex_y))
    along = np.concatenate([[0.0], np.cumsum(step)])
    u, v, length = line.node[start], line.node[end], along[end] - along[start]
    group = _groups(line, u, v, length)
    if not (group >= 0).any():
        return 0
    members = group[group >= 0]
    signal = np.isin(line.code, (_SIGNALS, _CROSSING))
    kind = np.full(members.max() + 1, _CROSSING)
    kind[group[(line.code == _SIGNALS) & (group >= 0)]] = _SIGNALS
    inner = (group[u] == group[v]) & (length <= JOIN_M)
    where: list[tuple[int, float, int, int]] = []
    for ends, sign in ((u, 1.0), (v, -1.0)):
        for e in np.flatnonzero((group[ends] >= 0) & ~inner).tolist():
            away = min(_STOP_M, float(length[e]) / 3)
            at = along[start[e]] + away if sign > 0 else along[end[e]] - away
            after = int(np.clip(np.searchsorted(along, at, side="right") - 1, start[e], end[e] - 1))
            share = (at - along[after]) / max(step[after], 1e-9)
            where.append((after, float(np.clip(share, 0.0, 1.0)), int(ends[e]), _ARM[int(kind[group[ends[e]]])]))
    line.code[signal & (group >= 0)] = 0
    line.insert(where)
    return len(np.unique(members))


def _groups(
    line: Vertices, u: NDArray[np.int64], v: NDArray[np.int64], length: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the junction of each node, -1 where it is of none: signals that are near, and nodes between them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, dijkstra

    n = len(line.osmid)
    out = np.full(n, -1, dtype=np.int64)
    signals = np.flatnonzero(np.isin(line.code, (_SIGNALS, _CROSSING)))
    short = (length <= JOIN_M) & (u != v)
    if len(signals) < 2 or not short.any():
        return out
    a, b, d = u[short], v[short], np.maximum(length[short], 1e-6)
    order = np.lexsort((d, np.maximum(a, b), np.minimum(a, b)))  # of parallel streets the shortest
    low, high, d = np.minimum(a, b)[order], np.maximum(a, b)[order], d[order]
    first = np.ones(len(low), dtype=bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    low, high, d = low[first], high[first], d[first]
    graph: Any = coo_array((d, (low, high)), shape=(n, n)).tocsr()
    dist, before, source = dijkstra(
        graph, directed=False, indices=signals, limit=JOIN_M, return_predecessors=True, min_only=True
    )
    met = np.isfinite(dist[low]) & np.isfinite(dist[high]) & (source[low] != source[high])
    met &= np.where(met, dist[low] + d + dist[high], np.inf) <= JOIN_M + 1e-6
    if not met.any():
        return out
    ones = np.ones(int(met.sum()), dtype=np.int8)
    pairs: Any = coo_array((ones, (source[low[met]], source[high[met]])), shape=(n, n))
    label = connected_components(pairs, directed=False)[1]
    joined = np.unique(np.concatenate([source[low[met]], source[high[met]]]))
    out[joined] = label[joined]
    for node in np.concatenate([low[met], high[met]]).tolist():
        mine = label[source[node]]
        while node >= 0 and out[node] < 0:
            out[node] = mine
            node = int(before[node])
    x, y, inside = line.x, line.y, out >= 0
    wide = np.zeros(n, dtype=np.float64)
    for values in (x, y):
        most, least = np.full(n, -np.inf), np.full(n, np.inf)
        np.maximum.at(most, out[inside], values[inside])
        np.minimum.at(least, out[inside], values[inside])
        wide = np.hypot(wide, np.where(most >= least, most - least, 0.0))
    out[inside] = np.where(wide[out[inside]] <= WIDEST_M, out[inside], -1)
    return out
