"""The searches of :mod:`bishan_gis.network.search` by scipy, for where numba is not installed; exactly equal.

Cost and label travel as one number, ``cost * labels + label``, so that equally near seeds are told apart as the kernels
do it: the smaller label counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import InputError
from bishan_gis.network.jit import HAS_NUMBA
from bishan_gis.network.ragged import positions
from bishan_gis.network.star import NO_LIMIT, NOT_REACHED, junction_nodes, leg_costs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.snap import Snaps
    from bishan_gis.network.star import EdgePlaces, Seeds, StarGraph

__all__ = ["along_edges", "choose_engine", "nearest_on_edges_by_scipy", "search_nearest_by_scipy"]

#: Sets of seeds that one call of scipy searches from.
_TOGETHER = 16
#: Whole numbers are exact in scipy's floats below this.
_EXACT = 2**53


def choose_engine(engine: str) -> str:
    """Say which engine searches.

    Parameters
    ----------
    engine : str
        ``numba``, ``scipy``, or ``auto``: numba where it is installed, else scipy.

    Returns
    -------
    str
        ``numba`` or ``scipy``.

    Raises
    ------
    InputError
        No such engine, or numba is asked for and not installed.

    Examples
    --------
    >>> choose_engine("scipy")
    'scipy'
    """
    if engine not in ("auto", "numba", "scipy"):
        raise InputError(
            f"engine = {engine!r} 无效;可用: auto、numba、scipy", f"engine = {engine!r}: use auto, numba or scipy"
        )
    if engine == "numba" and not HAS_NUMBA:
        raise InputError(
            f"engine = {engine!r}: 未安装 numba;请安装它, 或用 engine = 'auto'",
            f"engine = {engine!r}: numba is not installed; install it, or use engine = 'auto'",
        )
    if engine == "auto":
        return "numba" if HAS_NUMBA else "scipy"
    return engine


def search_nearest_by_scipy(
    star: StarGraph, seeds: Sequence[Seeds], *, limit_ms: int = NO_LIMIT
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find the cost from the nearest seed to every node, as :func:`~bishan_gis.network.search.search_nearest` does.

    Parameters
    ----------
    star : StarGraph
        Links to follow. For the cost *to* the seeds give the reversed star.
    seeds : sequence of Seeds
        One set per service.
    limit_ms : int
        Largest cost that counts, inclusive [ms].

    Returns
    -------
    cost_ms : ndarray of int32, shape (sets, n_states)
        :data:`~bishan_gis.network.star.NOT_REACHED` where no path within the limit exists.
    label : ndarray of int32, shape (sets, n_states)
        Label of the seed reached, the smallest of equally near ones; -1 where none.

    Raises
    ------
    ValueError
        More than four million labels, which floats cannot tell apart.

    Notes
    -----
    One added node per set of seeds, and ``scipy.sparse.csgraph.dijkstra`` from it.
    """
    n, limit = star.n_nodes, min(limit_ms, NO_LIMIT)
    cost = np.full((len(seeds), n), NOT_REACHED, dtype=np.int32)
    label = np.full((len(seeds), n), -1, dtype=np.int32)
    scale = 1 + max((int(s.label.max()) for s in seeds if len(s.label)), default=0)
    if (limit + 2) * scale >= _EXACT:
        msg = f"{scale:,} labels are too many for scipy"
        raise ValueError(msg)
    for first in range(0, len(seeds), _TOGETHER):
        some = seeds[first : first + _TOGETHER]
        found = _from_added_nodes(star, some, limit, scale)
        near = np.isfinite(found)
        whole = found[near].astype(np.int64)
        cost[first : first + len(some)][near] = whole // scale
        label[first : first + len(some)][near] = whole % scale
    return cost, label


def _from_added_nodes(star: StarGraph, seeds: Sequence[Seeds], limit: int, scale: int) -> NDArray[np.float64]:
    """Return ``cost * scale + label`` of every node, a row per set; inf where not reached."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    n = star.n_nodes
    tail = [np.repeat(np.arange(n), np.diff(star.start))]
    head: list[NDArray[Any]] = [star.target]
    paid: list[NDArray[Any]] = [star.cost_ms.astype(np.int64) * scale]
    for i, s in enumerate(seeds):
        ok = np.flatnonzero(s.cost_ms <= limit)
        tail.append(np.full(len(ok), n + i))
        head.append(s.node[ok])
        # A link of cost 0 would be none: the first step costs 1 ms more, which is taken off in the end.
        paid.append((s.cost_ms[ok] + 1) * scale + s.label[ok])
    t, h, p = np.concatenate(tail), np.concatenate(head), np.concatenate(paid)
    # Of parallel links the cheapest counts; scipy would add them up.
    order = np.lexsort((p, h, t))
    t, h, p = t[order], h[order], p[order]
    first = np.r_[True, (t[1:] != t[:-1]) | (h[1:] != h[:-1])] if len(t) else np.zeros(0, dtype=bool)
    size = n + len(seeds)
    graph = csr_array((p[first].astype(np.float64), (t[first], h[first])), shape=(size, size))
    most = (limit + 1) * scale + scale - 1
    found: NDArray[np.float64] = dijkstra(graph, indices=np.arange(n, size), limit=most)[:, :n]
    return found - scale


def along_edges(gap: NDArray[np.float64], forward: NDArray[np.int64], backward: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cost between places on one edge, `gap` of its length apart [ms]; NOT_REACHED where not allowed.

    Parameters
    ----------
    gap : ndarray of float64
        Fraction of the edge from origin to destination, positive from u to v.
    forward, backward : ndarray of int64
        Costs of the whole edges [ms].

    Returns
    -------
    ndarray of int64
        Costs [ms].
    """
    ahead = np.where((gap >= 0) & (forward >= 0), np.rint(gap * forward), NOT_REACHED)
    behind = np.where((gap <= 0) & (backward >= 0), np.rint(-gap * backward), NOT_REACHED)
    out: NDArray[np.int64] = np.minimum(ahead, behind).astype(np.int64)
    return out


def nearest_on_edges_by_scipy(
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
        One row of :func:`search_nearest_by_scipy` over the reversed star.

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
    row, cost, label = [], [], []
    for end, whole, part in ((costs.end_v, costs.forward_ms, 1.0 - f), (costs.end_u, costs.backward_ms, f)):
        state = end[e]
        ok = np.flatnonzero((whole[e] >= 0) & (node_cost[state] < NOT_REACHED))
        state = state[ok]
        wait = costs.state_delay_ms[state] if len(costs.state_delay_ms) else 0
        row.append(ok)
        cost.append(leg[ok] + np.rint(part[ok] * whole[e[ok]]).astype(np.int64) + node_cost[state] + wait)
        label.append(node_label[state])
    node = junction_nodes(costs, origins)[on]
    ok = np.flatnonzero((node >= 0) & (node_cost[node] < NOT_REACHED))
    row.append(ok)
    cost.append(leg[ok] + node_cost[node[ok]])
    label.append(node_label[node[ok]])
    # Every place on the edge of every origin.
    many = destinations.start[e + 1] - destinations.start[e]
    pair = np.repeat(np.arange(len(e)), many)
    place = positions(destinations.start[e], many)
    edge = e[pair]
    direct = along_edges(destinations.fraction[place] - f[pair], costs.forward_ms[edge], costs.backward_ms[edge])
    free = direct < NOT_REACHED
    row.append(pair[free])
    cost.append((direct + leg[pair] + destinations.leg_ms[place])[free])
    label.append(destinations.label[place][free])
    rows, paid, who = np.concatenate(row), np.concatenate(cost), np.concatenate(label)
    order = np.lexsort((who, paid, rows))
    reached, best = np.unique(rows[order], return_index=True)
    out = np.full(len(origins), NOT_REACHED, dtype=np.int64)
    out_label = np.full(len(origins), -1, dtype=np.int32)
    out[on[reached]] = paid[order][best]
    out_label[on[reached]] = who[order][best]
    return out, out_label
