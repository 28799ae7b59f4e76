"""The search of one service in plain Python: for a program that answers one question and ends.

It equals :mod:`bishan_gis.network.search` to the millisecond and to the facility. On a district it takes a tenth of a
second, which is less than loading compiled kernels, or scipy, takes.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.network.ragged import positions
from bishan_gis.network.star import NO_LIMIT, NOT_REACHED, junction_nodes, leg_costs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.snap import Snaps
    from bishan_gis.network.star import EdgePlaces, Seeds, StarGraph

__all__ = ["nearest_on_edges_plainly", "search_nearest_plainly"]

#: Bits of a node in an entry of the heap; as many as the kernels hold.
_BITS = 23


def search_nearest_plainly(star: StarGraph, seeds: Seeds) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find the cost from the nearest seed to every node, as :func:`~bishan_gis.network.search.search_nearest` does.

    Parameters
    ----------
    star : StarGraph
        Links to follow. For the cost *to* the seeds give the reversed star.
    seeds : Seeds
        Where the search starts.

    Returns
    -------
    cost_ms : ndarray of int32, shape (n_states,)
        :data:`~bishan_gis.network.star.NOT_REACHED` where no path exists.
    label : ndarray of int32, shape (n_states,)
        Label of the seed reached, the smallest of equally near ones; -1 where none.

    Notes
    -----
    Dijkstra (1959, doi:10.1007/BF01386390). Cost, label and node travel as one whole number, which Python holds however
    large it is.

    Examples
    --------
    >>> from bishan_gis.network.star import Seeds, StarGraph
    >>> star = StarGraph.from_links(3, np.array([0, 1]), np.array([1, 2]), np.array([5, 7]))
    >>> start = Seeds(np.array([0], dtype=np.int32), np.array([1]), np.array([4], dtype=np.int32))
    >>> search_nearest_plainly(star, start)[0].tolist()
    [1, 6, 13]
    """
    n, scale = star.n_nodes, 1 + max(seeds.label.tolist(), default=0)
    start, target = star.start.tolist(), star.target.tolist()
    cost = (star.cost_ms.astype(np.int64) * scale).tolist()
    never = (NO_LIMIT + 1) * scale
    best = [never] * n
    heap = []
    for node, paid, who in zip(seeds.node.tolist(), seeds.cost_ms.tolist(), seeds.label.tolist(), strict=True):
        key = paid * scale + who
        if key < best[node]:
            best[node] = key
            heap.append((key << _BITS) | node)
    heapify(heap)
    mask = (1 << _BITS) - 1
    while heap:
        entry = heappop(heap)
        node, key = entry & mask, entry >> _BITS
        if key != best[node]:
            continue
        for k in range(start[node], start[node + 1]):
            there, further = target[k], key + cost[k]
            if further < best[there]:
                best[there] = further
                heappush(heap, (further << _BITS) | there)
    found = np.array(best, dtype=np.int64)
    near = found < never
    out = np.where(near, found // scale, NOT_REACHED).astype(np.int32)
    return out, np.where(near, found % scale, -1).astype(np.int32)


def nearest_on_edges_plainly(
    costs: EdgeCosts,
    origins: Snaps,
    destinations: EdgePlaces,
    node_cost: NDArray[np.int32],
    node_label: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Carry the costs of the nodes to origins, as :func:`~bishan_gis.network.search.nearest_on_edges` does.

    Parameters
    ----------
    costs : EdgeCosts
        What the streets cost.
    origins : Snaps
        Places that leave.
    destinations : EdgePlaces
        Places that are sought.
    node_cost, node_label : ndarray, shape (n_states,)
        From :func:`search_nearest_plainly` over the reversed star.

    Returns
    -------
    cost_ms : ndarray of int64
        :data:`~bishan_gis.network.star.NOT_REACHED` where no path.
    label : ndarray of int32
        Destination reached, -1 where none.
    """
    on = np.flatnonzero(origins.edge >= 0)
    e, f = origins.edge[on], origins.fraction[on]
    leg = leg_costs(costs, origins)[on]
    ways: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]] = []
    for end, whole, part in ((costs.end_v, costs.forward_ms, 1.0 - f), (costs.end_u, costs.backward_ms, f)):
        ok = np.flatnonzero((whole[e] >= 0) & (node_cost[end[e]] < NOT_REACHED))
        state = end[e[ok]]
        wait = costs.state_delay_ms[state] if len(costs.state_delay_ms) else 0
        paid = leg[ok] + np.rint(part[ok] * whole[e[ok]]).astype(np.int64) + node_cost[state] + wait
        ways.append((ok, paid, node_label[state]))
    node = junction_nodes(costs, origins)[on]
    ok = np.flatnonzero((node >= 0) & (node_cost[node] < NOT_REACHED))
    ways.append((ok, leg[ok] + node_cost[node[ok]], node_label[node[ok]]))
    # Every place on the edge of every origin: ahead of it, behind it, or both where it is the same place.
    first, many = destinations.start[e], destinations.start[e + 1] - destinations.start[e]
    pair = np.repeat(np.arange(len(e)), many)
    place = positions(first, many)
    gap = destinations.fraction[place] - f[pair]
    for sign, whole in ((1, costs.forward_ms[e[pair]]), (-1, costs.backward_ms[e[pair]])):
        free = np.flatnonzero((sign * gap >= 0) & (whole >= 0))
        along = np.rint(sign * gap[free] * whole[free]).astype(np.int64)
        paid = along + leg[pair[free]] + destinations.leg_ms[place[free]]
        ways.append((pair[free], paid, destinations.label[place[free]]))
    row, paid, who = (np.concatenate([way[i] for way in ways]) for i in range(3))
    order = np.lexsort((who, paid, row))
    reached, best = np.unique(row[order], return_index=True)
    out = np.full(len(origins), NOT_REACHED, dtype=np.int64)
    label = np.full(len(origins), -1, dtype=np.int32)
    out[on[reached]] = paid[order][best]
    label[on[reached]] = who[order][best]
    return out, label
