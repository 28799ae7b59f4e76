"""Kernels of the travel matrix: a small search, and who is met on it."""

from __future__ import annotations

import numpy as np

from bishan_gis.network.jit import njit
from bishan_gis.network.search import along_edge
from bishan_gis.network.star import NOT_REACHED

__all__ = ["collect_pairs", "spread"]


@njit(cache=True, nogil=True)
def spread(start, target, cost, seed_node, seed_cost, limit, shift, head, pool, dist, touched):  # type: ignore[no-untyped-def] # pragma: no cover
    """Search from few seeds, sorted by cost, up to a limit; list the nodes reached.

    A ring of buckets as in :func:`~bishan_gis.network.search.search_nearest`. The caller owns the arrays, finds `head`
    empty again, and clears ``dist[touched]``. Returns how many nodes were reached, and the pool, which may have grown.
    """
    mask = len(head) - 1
    room = len(pool)
    n, free, top, active, current, s = 0, -1, 0, 0, 0, 0
    seeds = len(seed_node)
    while True:
        if active == 0:
            if s == seeds or seed_cost[s] > limit:
                break
            current = seed_cost[s] >> shift
        slot = current & mask
        while s < seeds and seed_cost[s] <= limit and (seed_cost[s] >> shift) <= current:
            u, c = seed_node[s], seed_cost[s]
            s += 1
            if c < dist[u]:
                if dist[u] == NOT_REACHED:
                    touched[n] = u
                    n += 1
                dist[u] = c
                if top == room:
                    pool = np.concatenate((pool, np.empty_like(pool)))
                    room = len(pool)
                pool[top, 0], pool[top, 1], pool[top, 2] = u, c, head[slot]
                head[slot] = top
                top += 1
                active += 1
        while head[slot] >= 0:
            e = head[slot]
            head[slot] = pool[e, 2]
            u, d = pool[e, 0], pool[e, 1]
            pool[e, 2] = free
            free = e
            active -= 1
            if d != dist[u]:
                continue
            if top + start[u + 1] - start[u] > room:
                pool = np.concatenate((pool, np.empty_like(pool), np.empty((start[u + 1] - start[u], 3), np.int32)))
                room = len(pool)
            for k in range(start[u], start[u + 1]):
                nd = np.int64(d) + np.int64(cost[k])
                v = target[k]
                old = dist[v]
                if nd > limit or nd >= old:
                    continue
                if old == NOT_REACHED:
                    touched[n] = v
                    n += 1
                dist[v] = nd
                if free >= 0:
                    e = free
                    free = pool[e, 2]
                else:
                    e = top
                    top += 1
                b = (nd >> shift) & mask
                pool[e, 0], pool[e, 1], pool[e, 2] = v, nd, head[b]
                head[b] = e
                active += 1
        current += 1
    return n, pool


@njit(cache=True, nogil=True)
def collect_pairs(  # type: ignore[no-untyped-def] # pragma: no cover
    start,
    target,
    cost,
    seed_start,
    seed_node,
    seed_cost,
    place_start,
    place_edge,
    place_f,
    place_leg,
    at_start,
    at_origin,
    at_cost,
    on_start,
    on_origin,
    on_f,
    on_leg,
    forward,
    backward,
    n_origins,
    first,
    last,
    limit,
    shift,
    span,
    stop,
):
    """Search back from each destination and collect the origins at the nodes reached, in their order."""
    n = len(start) - 1
    dist = np.full(n, NOT_REACHED, dtype=np.int32)
    touched = np.empty(n, dtype=np.int32)
    head = np.full(span, -1, dtype=np.int32)
    pool = np.empty((1024, 3), dtype=np.int32)
    best = np.full(n_origins, NOT_REACHED, dtype=np.int32)
    mine = np.empty(n_origins, dtype=np.int32)
    room = 1024
    out = np.empty((room, 2), dtype=np.int32)
    ends = np.zeros(last - first + 1, dtype=np.int64)
    size = 0
    for d in range(first, last):
        if stop[0]:
            break
        a, b = seed_start[d], seed_start[d + 1]
        count, pool = spread(
            start, target, cost, seed_node[a:b], seed_cost[a:b], limit, shift, head, pool, dist, touched
        )
        found, low, high = 0, n_origins, -1
        for i in range(count):
            u = touched[i]
            for k in range(at_start[u], at_start[u + 1]):
                c = np.int64(dist[u]) + at_cost[k]
                o = at_origin[k]
                if c <= limit and c < best[o]:
                    if best[o] == NOT_REACHED:
                        mine[found] = o
                        found += 1
                        low, high = min(low, o), max(high, o)
                    best[o] = c
            dist[u] = NOT_REACHED
        for p in range(place_start[d], place_start[d + 1]):
            e = place_edge[p]
            for k in range(on_start[e], on_start[e + 1]):
                o = on_origin[k]
                c = along_edge(place_f[p] - on_f[k], forward[e], backward[e])
                if c < NOT_REACHED:
                    c += on_leg[k] + place_leg[p]
                if c <= limit and c < best[o]:
                    if best[o] == NOT_REACHED:
                        mine[found] = o
                        found += 1
                        low, high = min(low, o), max(high, o)
                    best[o] = c
        while size + found > room:
            out = np.concatenate((out, np.empty_like(out)))
            room = len(out)
        if high - low < 16 * found:
            for o in range(low, high + 1):
                if best[o] != NOT_REACHED:
                    out[size, 0], out[size, 1] = o, best[o]
                    best[o] = NOT_REACHED
                    size += 1
        else:
            mine[:found].sort()
            for i in range(found):
                o = mine[i]
                out[size, 0], out[size, 1] = o, best[o]
                best[o] = NOT_REACHED
                size += 1
        ends[d - first + 1] = size
    return ends, out[:size]
