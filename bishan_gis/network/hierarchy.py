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

#: Neighbouring nodes whose inner ones are taken out apart from all others.
_REGION = 4096
#: Regions leave nodes with more neighbours to the end.
_MOST_NEIGHBOURS = 6
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
    the order and witnesses of at most two arcs. Regions of consecutive nodes are contracted first, their borders and
    what has many neighbours last.
    """
    n = star.n_nodes
    links = np.diff(star.start)
    tail, head, cost = np.repeat(np.arange(n, dtype=np.int32), links), star.target, star.cost_ms
    region_of, to_region = tail // _REGION, head // _REGION
    crossing = region_of != to_region
    frozen = np.zeros(n, dtype=np.bool_)
    frozen[tail[crossing]] = True
    frozen[head[crossing]] = True

    def work(lo: int) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
        hi = min(lo + _REGION, n)
        part = slice(star.start[lo], star.start[hi])
        inner = ~crossing[part]
        order, at, size, pool = _contract(
            hi - lo,
            tail[part][inner] - lo,
            head[part][inner] - lo,
            cost[part][inner],
            frozen[lo:hi],
            limit_ms,
            _MOST_NEIGHBOURS,
        )
        rest = _others(hi - lo, order)
        taken, left = _gather(order, at, size, pool), _gather(rest, at, size, pool)
        taken[:, 0] += lo
        left[:, 0] += lo
        left_of = np.repeat(rest + lo, size[rest])
        return order + lo, size[order], taken, left_of, left

    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool_of_threads:
        parts = list(pool_of_threads.map(work, range(0, n, _REGION)))
    orders = [p[0] for p in parts]
    rest = _others(n, np.concatenate([*orders, np.zeros(0, dtype=np.int32)]))
    place = np.full(n, -1, dtype=np.int32)
    place[rest] = np.arange(len(rest))
    out = [p[4][:, 1] < FAR for p in parts]
    order, at, size, pool = _contract(
        len(rest),
        place[np.concatenate([*[p[3][o] for p, o in zip(parts, out, strict=True)], tail[crossing]])],
        place[np.concatenate([*[p[4][o, 0] for p, o in zip(parts, out, strict=True)], head[crossing]])],
        np.concatenate([*[p[4][o, 1] for p, o in zip(parts, out, strict=True)], cost[crossing]]),
        np.zeros(len(rest), dtype=np.bool_),
        limit_ms,
        n,
    )
    arcs = _gather(order, at, size, pool)
    arcs[:, 0] = rest[arcs[:, 0]]
    nodes = np.concatenate([*orders, rest[order]])
    count = np.concatenate([*[p[1] for p in parts], size[order]])
    arcs = np.concatenate([*[p[2] for p in parts], arcs])
    rank = np.empty(n, dtype=np.int32)
    rank[nodes] = np.arange(n - 1, -1, -1)
    # Arcs in the order of the nodes, so that neighbours on the map stay neighbours in memory.
    begun = np.cumsum(count) - count
    back = np.argsort(nodes, kind="stable")
    start = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(count[back], out=start[1:])
    row = np.repeat(begun[back] - start[:-1], count[back]) + np.arange(start[-1])
    arcs = arcs[row]
    return Hierarchy(rank, start, arcs[:, 0].copy(), arcs[:, 1].copy(), arcs[:, 2].copy(), limit_ms)
