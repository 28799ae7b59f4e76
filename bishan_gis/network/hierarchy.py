"""An order of the nodes in which every shortest path first only rises and then only falls.

Nodes are taken out of the network one by one, those with few neighbours first; where the way through a node may have
been the shortest between two of its neighbours, a shortcut takes its place. Afterwards the costs from any source are
found by two passes along the order, without a queue, for many sources at once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.network.jit import njit
from bishan_gis.network.lanes import FAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.star import StarGraph

__all__ = ["Hierarchy", "build_hierarchy"]

#: So many neighbouring nodes are a region, whose inner nodes are taken out apart from all others, but for those with
#: more than so many neighbours; then the same in larger regions.
_LEVELS = ((1 << 12, 6), (1 << 15, 20))
#: A key of the queue is so many times the neighbours of a node, plus its level.
_WEIGHT = 64
_KEYS = 1 << 14


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Nodes in order and the arcs between each and those above it.

    Attributes
    ----------
    rank : ndarray of int32, shape (n,)
        Position of each node; 0 is the top.
    start : ndarray of int64, shape (n + 1,)
        Where the arcs of each node begin.
    above : ndarray of int32
        Node at the upper end of each arc.
    up_ms, down_ms : ndarray of int32
        Cost from the node to the upper one and back [ms]; :data:`~bishan_gis.network.lanes.FAR` where there is none.
    limit_ms : int
        Paths up to this cost are kept [ms].
    """

    rank: NDArray[np.int32]
    start: NDArray[np.int64]
    above: NDArray[np.int32]
    up_ms: NDArray[np.int32]
    down_ms: NDArray[np.int32]
    limit_ms: int


@njit(cache=True, nogil=True)
def _find(pool, first, count, node):  # type: ignore[no-untyped-def] # pragma: no cover
    for q in range(first, first + count):
        if pool[q, 0] == node:
            return q
    return -1


@njit(cache=True, nogil=True)
def _join(pool, at, size, room, top, i, j, out, back):  # type: ignore[no-untyped-def] # pragma: no cover
    """Lower the costs from i to j and back in the list of i; a list that is full moves to the end of the pool."""
    q = _find(pool, at[i], size[i], j)
    if q >= 0:
        pool[q, 1] = min(pool[q, 1], out)
        pool[q, 2] = min(pool[q, 2], back)
        return pool, top
    if size[i] == room[i]:
        need = 2 * room[i] + 4
        if top + need > len(pool):
            pool = np.concatenate((pool, np.empty((len(pool) + need, 3), np.int32)))
        for k in range(size[i]):
            pool[top + k] = pool[at[i] + k]
        at[i], room[i], top = top, need, top + need
    q = at[i] + size[i]
    pool[q, 0], pool[q, 1], pool[q, 2] = j, out, back
    size[i] += 1
    return pool, top


@njit(cache=True, nogil=True)
def _contract(n, tail, head, cost, frozen, limit, most):  # type: ignore[no-untyped-def] # pragma: no cover
    """Take out nodes, fewest neighbours first, until all that are left are frozen or have more than `most`.

    Returns those taken out in order, and per node where its neighbours of that moment lie in a pool of
    ``neighbour, cost to it, cost from it``.
    """
    degree = np.zeros(n, dtype=np.int64)
    for k in range(len(tail)):
        degree[tail[k]] += 1
        degree[head[k]] += 1
    at, size, room = np.empty(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    top = 0
    for v in range(n):
        at[v], room[v] = top, degree[v] + 2
        top += room[v]
    pool = np.empty((top + top // 2 + 64, 3), dtype=np.int32)
    for k in range(len(tail)):
        u, v, c = tail[k], head[k], cost[k]
        if u != v and c <= limit:
            pool, top = _join(pool, at, size, room, top, u, v, c, FAR)
            pool, top = _join(pool, at, size, room, top, v, u, FAR, c)
    # A queue of buckets by key; entries whose key is old are passed over.
    first = np.full(_KEYS, -1, dtype=np.int64)
    entry = np.empty((2 * n + 64, 2), dtype=np.int64)
    used, spare = 0, -1
    key, level = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for v in range(n - 1, -1, -1):
        if not frozen[v]:
            key[v] = min(_WEIGHT * size[v], _KEYS - 1)
            entry[used, 0], entry[used, 1] = v, first[key[v]]
            first[key[v]] = used
            used += 1
    direct = np.full(n, FAR, dtype=np.int32)
    order = np.empty(n, dtype=np.int32)
    taken, low = 0, 0
    while low < _KEYS:
        e = first[low]
        if e < 0:
            low += 1
            continue
        v, first[low] = entry[e, 0], entry[e, 1]
        entry[e, 1] = spare
        spare = e
        if key[v] != low:
            continue
        if size[v] > most:
            key[v] = -1
            continue
        key[v] = -1
        order[taken] = v
        taken += 1
        here = np.int64(at[v])
        d = size[v]
        for q in range(here, here + d):
            i = pool[q, 0]
            s = _find(pool, at[i], size[i], v)
            size[i] -= 1
            pool[s] = pool[at[i] + size[i]]
        for q in range(here, here + d):
            i, come = pool[q, 0], np.int64(pool[q, 2])
            if come == FAR:
                continue
            for s in range(at[i], at[i] + size[i]):
                direct[pool[s, 0]] = pool[s, 1]
            for p in range(here, here + d):
                j, c = pool[p, 0], come + pool[p, 1]
                if j == i or c > limit or direct[j] <= c:
                    continue
                # Not needed where a way over one other node is as short.
                other = False
                for s in range(at[j], at[j] + size[j]):
                    if np.int64(direct[pool[s, 0]]) + pool[s, 2] <= c:
                        other = True
                        break
                if other:
                    continue
                pool, top = _join(pool, at, size, room, top, i, j, c, FAR)
                pool, top = _join(pool, at, size, room, top, j, i, FAR, c)
                direct[j] = c
            for s in range(at[i], at[i] + size[i]):
                direct[pool[s, 0]] = FAR
        for q in range(here, here + d):
            i = pool[q, 0]
            level[i] = max(level[i], level[v] + 1)
            if frozen[i]:
                continue
            now = min(_WEIGHT * size[i] + level[i], _KEYS - 1)
            if now == key[i]:
                continue
            key[i] = now
            if spare >= 0:
                e = spare
                spare = entry[e, 1]
            else:
                if used == len(entry):
                    entry = np.concatenate((entry, np.empty_like(entry)))
                e = used
                used += 1
            entry[e, 0], entry[e, 1] = i, first[now]
            first[now] = e
            low = min(low, now)
    return order[:taken], at, size, pool[:top]


@njit(cache=True, nogil=True)
def _gather(nodes, at, size, pool):  # type: ignore[no-untyped-def] # pragma: no cover
    """Copy the lists of some nodes, one after the other."""
    count = 0
    for v in nodes:
        count += size[v]
    out = np.empty((count, 3), dtype=np.int32)
    k = 0
    for v in nodes:
        for q in range(at[v], at[v] + size[v]):
            out[k] = pool[q]
            k += 1
    return out


def _others(n: int, taken: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the nodes below n that were not taken out."""
    left = np.ones(n, dtype=np.bool_)
    left[taken] = False
    return np.flatnonzero(left)


@dataclass(frozen=True)
class _Links:
    """Links between the nodes that are left, by position in `node`, sorted by tail."""

    node: NDArray[np.int32]
    tail: NDArray[np.int32]
    head: NDArray[np.int32]
    cost: NDArray[np.int32]


@dataclass(frozen=True)
class _Taken:
    """Nodes in the order in which they were taken out, and their arcs one after the other."""

    node: NDArray[np.int32]
    count: NDArray[np.int64]
    arcs: NDArray[np.int32]


def _take_out(links: _Links, region: int, most: int, limit_ms: int, threads: int) -> tuple[_Taken, _Links]:
    """Take out inner nodes of regions with at most so many neighbours; also what is left."""
    tail, head, cost = links.tail, links.head, links.cost
    region_of = links.node // region
    crossing = region_of[tail] != region_of[head]
    frozen = np.zeros(len(region_of), dtype=np.bool_)
    frozen[tail[crossing]] = True
    frozen[head[crossing]] = True
    cuts = (np.flatnonzero(np.diff(region_of)) + 1).tolist()

    def work(lo: int, hi: int) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
        part = slice(*np.searchsorted(tail, [lo, hi]))
        inner = ~crossing[part]
        ends = tail[part][inner] - lo, head[part][inner] - lo
        order, at, size, pool = _contract(hi - lo, *ends, cost[part][inner], frozen[lo:hi], limit_ms, most)
        rest = _others(hi - lo, order)
        taken, left = _gather(order, at, size, pool), _gather(rest, at, size, pool)
        taken[:, 0] += lo
        left[:, 0] += lo
        left_of = np.repeat(rest + lo, size[rest])
        on = left[:, 1] < FAR
        return order + lo, size[order], taken, left_of[on], left[on]

    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool_of_threads:
        parts = list(pool_of_threads.map(work, [0, *cuts], [*cuts, len(region_of)]))
    order, count, arcs, left_of, left = (np.concatenate(column) for column in zip(*parts, strict=True))
    arcs[:, 0] = links.node[arcs[:, 0]]
    rest = _others(len(region_of), order)
    place = np.empty(len(region_of), dtype=np.int32)
    place[rest] = np.arange(len(rest))
    tail = place[np.concatenate([left_of, tail[crossing]])]
    head = place[np.concatenate([left[:, 0], head[crossing]])]
    cost = np.concatenate([left[:, 1], cost[crossing]])
    by_tail = np.argsort(tail, kind="stable")
    remaining = _Links(links.node[rest], tail[by_tail], head[by_tail], cost[by_tail])
    return _Taken(links.node[order], count, arcs), remaining


@njit(cache=True, nogil=True)
def _lay_out(node, count, arcs, start, above, up, down):  # type: ignore[no-untyped-def] # pragma: no cover
    """Copy arcs to where those of their node belong."""
    k = 0
    for i in range(len(node)):
        for q in range(start[node[i]], start[node[i]] + count[i]):
            above[q], up[q], down[q] = arcs[k, 0], arcs[k, 1], arcs[k, 2]
            k += 1


def build_hierarchy(star: StarGraph, *, limit_ms: int, threads: int = 2) -> Hierarchy:
    """Order the nodes of a network and add the shortcuts that the order needs.

    Parameters
    ----------
    star : StarGraph
        Links, all of positive cost.
    limit_ms : int
        Longest path that matters [ms], below :data:`~bishan_gis.network.lanes.FAR`: longer shortcuts are left out.
    threads : int
        Regions contracted at the same time; the result does not depend on it.

    Returns
    -------
    Hierarchy
        Between two nodes at most `limit_ms` apart one of the cheapest paths rises, then falls.

    Notes
    -----
    Contraction hierarchies (Geisberger et al. 2008, doi:10.1007/978-3-540-68552-4_24) with the number of neighbours as
    the order and witnesses of at most two arcs. Regions of consecutive nodes are contracted first, then larger ones
    with what is left inside them, their borders and what has many neighbours last.
    """
    n = star.n_nodes
    every = np.arange(n, dtype=np.int32)
    links = _Links(every, np.repeat(every, np.diff(star.start)), star.target, star.cost_ms)
    levels = []
    for region, most in (*_LEVELS, (max(n, 1), n)):
        taken, links = _take_out(links, region, most, limit_ms, threads)
        levels.append(taken)
    node, count, arcs = (np.concatenate([getattr(t, name) for t in levels]) for name in ("node", "count", "arcs"))
    rank, start = np.empty(n, dtype=np.int32), np.zeros(n + 1, dtype=np.int64)
    rank[node] = np.arange(n - 1, -1, -1)
    start[node + 1] = count
    np.cumsum(start, out=start)
    # Arcs in the order of the nodes, so that neighbours on the map stay neighbours in memory.
    above, up, down = (np.empty(len(arcs), dtype=np.int32) for _ in range(3))
    _lay_out(node, count, arcs, start, above, up, down)
    return Hierarchy(rank, start, above, up, down, limit_ms)
