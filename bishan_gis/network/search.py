"""Search kernels: shortest travel costs from many places at once.

The kernels are compiled once by numba and kept in its cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.network.jit import njit
from bishan_gis.network.star import NO_LIMIT, NOT_REACHED, junction_nodes, leg_costs
from bishan_gis.progress import in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.network.snap import Snaps
    from bishan_gis.network.star import EdgePlaces, Seeds, StarGraph

#: Seeds whose nodes differ in the last bits only are searched together; found by measuring.
_GROUP_BITS = 13
#: At most so many sets of seeds go over the map together: a group of one, the same group of the next, and so on.
_SETS_TOGETHER = 5

__all__ = ["along_edge", "nearest_on_edges", "search_bounded", "search_nearest"]


@njit(cache=True, nogil=True)
def _push(heap, size, key):  # type: ignore[no-untyped-def] # pragma: no cover
    i = size
    while i > 0:
        parent = (i - 1) >> 2
        if heap[parent] <= key:
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = key
    return size + 1


@njit(cache=True, nogil=True)
def _pop(heap, size):  # type: ignore[no-untyped-def] # pragma: no cover
    top = heap[0]
    size -= 1
    key = heap[size]
    i = 0
    while True:
        child = 4 * i + 1
        if child >= size:
            break
        best = child
        end = min(child + 4, size)
        for c in range(child + 1, end):
            if heap[c] < heap[best]:
                best = c
        if heap[best] >= key:
            break
        heap[i] = heap[best]
        i = best
    heap[i] = key
    return top, size


@njit(cache=True, nogil=True)
def _nearest(start, target, cost, seed_node, seed_cost, seed_label, limit, shift, span, dist, label):  # type: ignore[no-untyped-def] # pragma: no cover
    """Multi-source search with a ring of buckets; ties go to the smaller label.

    A bucket holds costs that share all but the last `shift` bits. Within a bucket nodes are corrected until
    nothing changes (delta-stepping, Meyer & Sanders 2003, doi:10.1016/S0196-6774(03)00076-2), so the result
    is exact whatever the width. `seed_*` are sorted by cost; `span`, a power of two, holds the longest link.
    """
    mask = span - 1
    head = np.full(span, -1, dtype=np.int32)
    # Entries of the buckets as linked lists; spent entries are used again.
    pool = np.empty((1024, 3), dtype=np.int32)
    room = len(pool)
    free, top, active, current, s = -1, 0, 0, 0, 0
    seeds = len(seed_node)
    while True:
        if active == 0:
            if s == seeds or seed_cost[s] > limit:
                break
            current = seed_cost[s] >> shift
        slot = current & mask
        while s < seeds and seed_cost[s] <= limit and (seed_cost[s] >> shift) <= current:
            u, c, who = seed_node[s], seed_cost[s], seed_label[s]
            s += 1
            if c < dist[u] or (c == dist[u] and who < label[u]):
                dist[u] = c
                label[u] = who
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
            who = label[u]
            if top + start[u + 1] - start[u] > room:
                pool = np.concatenate((pool, np.empty_like(pool), np.empty((start[u + 1] - start[u], 3), np.int32)))
                room = len(pool)
            for k in range(start[u], start[u + 1]):
                nd = d + np.int64(cost[k])
                if nd > limit:
                    continue
                v = target[k]
                old = dist[v]
                if nd < old or (nd == old and who < label[v]):
                    dist[v] = nd
                    label[v] = who
                    if start[v + 1] - start[v] == 1 and target[start[v]] == u:
                        continue  # from a dead end one only comes back
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


@njit(cache=True, nogil=True)
def search_bounded(start, target, cost, seed_node, seed_cost, limit, dist, touched, heap):  # type: ignore[no-untyped-def] # pragma: no cover
    """Search from few seeds up to a limit, writing into `dist`; the nodes reached are listed in `touched`.

    The caller owns the arrays and clears ``dist[touched]`` afterwards, so that many small searches cost
    nothing where they do not go. Returns how many nodes were reached.
    """
    n, size = 0, 0
    for i in range(len(seed_node)):
        u, c = seed_node[i], seed_cost[i]
        if c <= limit and c < dist[u]:
            if dist[u] == NOT_REACHED:
                touched[n] = u
                n += 1
            dist[u] = c
            if size == len(heap):
                heap = np.concatenate((heap, np.empty_like(heap)))
            size = _push(heap, size, (c << 23) | u)
    while size > 0:
        key, size = _pop(heap, size)
        d, u = key >> 23, key & 0x7FFFFF
        if d > dist[u]:
            continue
        for k in range(start[u], start[u + 1]):
            v, nd = target[k], d + cost[k]
            if nd <= limit and nd < dist[v]:
                if dist[v] == NOT_REACHED:
                    touched[n] = v
                    n += 1
                dist[v] = nd
                if size == len(heap):
                    heap = np.concatenate((heap, np.empty_like(heap)))
                size = _push(heap, size, (nd << 23) | v)
    return n


def _groups(seeds: Seeds) -> list[tuple[int, tuple[NDArray[Any], ...]]]:
    """Return seeds that lie together on the map: number of the group; node, cost and label, sorted by cost."""
    group = seeds.node >> _GROUP_BITS
    order = np.lexsort((seeds.cost_ms, group))
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return [(int(group[p[0]]), (seeds.node[p], seeds.cost_ms[p], seeds.label[p])) for p in parts if len(p)]


def search_nearest(
    star: StarGraph,
    seeds: Sequence[Seeds],
    *,
    limit_ms: int = NO_LIMIT,
    threads: int = 2,
    step: Callable[[int], None] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find the cost from the nearest seed to every node, for several sets of seeds.

    Parameters
    ----------
    star : StarGraph
        Links to follow. For the cost *to* the seeds give the reversed star.
    seeds : sequence of Seeds
        One set per service.
    limit_ms : int
        Largest cost that counts, inclusive [ms].
    threads : int
        Sets searched at the same time.
    step : callable, optional
        Called with the number of sets that were searched together, see :func:`~bishan_gis.progress.counting`.

    Returns
    -------
    cost_ms : ndarray of int32, shape (sets, n_states)
        :data:`NOT_REACHED` where no path within the limit exists.
    label : ndarray of int32, shape (sets, n_states)
        Label of the seed reached, the smallest of equally near ones; -1 where none.

    Notes
    -----
    Seeds that lie together on the map are searched together, each group against what the groups before it found: on
    large networks the nodes in use then stay in the cache. Several sets go from group to group together, so that the
    streets there are read from memory once for all of them. The result is that of one search.
    """
    cost = np.empty((len(seeds), star.n_nodes), dtype=np.int32)
    label = np.empty((len(seeds), star.n_nodes), dtype=np.int32)
    limit = np.int64(min(limit_ms, NO_LIMIT))
    shift, span = star.buckets
    # Half as wide, more of it stays in the cache.
    start = star.start.astype(np.int32 if len(star.target) < 2**31 else np.int64)

    def run(sets: NDArray[np.int64]) -> None:
        for i in sets:
            # Filled here, so that the threads share the work of touching new memory.
            cost[i].fill(NOT_REACHED)
            label[i].fill(-1)
        groups = [(g, i, part) for i in sets for g, part in _groups(seeds[i])]
        for _, i, part in sorted(groups, key=lambda group: group[0]):
            found = cost[i], label[i]
            _nearest(start, star.target, star.cost_ms, *part, limit, shift, span, *found)

    rounds = -(-len(seeds) // (max(threads, 1) * _SETS_TOGETHER))
    parts = np.array_split(np.arange(len(seeds)), max(rounds * max(threads, 1), 1))
    in_threads(run, parts, threads=threads, sizes=[len(part) for part in parts], step=step)
    return cost, label


@njit(cache=True, nogil=True)
def along_edge(gap, forward, backward):  # type: ignore[no-untyped-def] # pragma: no cover
    """Cost between two places on one edge, `gap` of its length apart; NOT_REACHED where not allowed."""
    cost = np.int64(NOT_REACHED)
    if gap >= 0.0 and forward >= 0:
        cost = np.int64(np.rint(gap * forward))
    if gap <= 0.0 and backward >= 0:
        cost = min(cost, np.int64(np.rint(-gap * backward)))
    return cost


@njit(cache=True, nogil=True)
def _finish(  # type: ignore[no-untyped-def] # pragma: no cover
    end_u,
    end_v,
    delay,
    forward,
    backward,
    o_edge,
    o_f,
    o_node,
    o_leg,
    dist,
    node_label,
    t_start,
    t_f,
    t_leg,
    t_label,
    out,
    out_label,
):
    # `delay` is the wait by state, empty where nobody waits; `o_node` is -1 for origins along an edge.
    waits = len(delay) > 0
    for i in range(len(o_edge)):
        e = o_edge[i]
        if e < 0:
            continue
        best = np.int64(NOT_REACHED)
        who = -1
        f, leg = o_f[i], o_leg[i]
        u, v = end_u[e], end_v[e]
        if forward[e] >= 0 and dist[v] < NOT_REACHED:
            best = leg + np.int64(np.rint((1.0 - f) * forward[e])) + dist[v] + (delay[v] if waits else 0)
            who = node_label[v]
        if backward[e] >= 0 and dist[u] < NOT_REACHED:
            c = leg + np.int64(np.rint(f * backward[e])) + dist[u] + (delay[u] if waits else 0)
            w = node_label[u]
            if c < best or (c == best and w < who):
                best, who = c, w
        u = o_node[i]
        if u >= 0 and dist[u] < NOT_REACHED:
            c, w = leg + dist[u], node_label[u]
            if c < best or (c == best and w < who):
                best, who = c, w
        for j in range(t_start[e], t_start[e + 1]):
            c = along_edge(t_f[j] - f, forward[e], backward[e])
            if c < NOT_REACHED:
                c += leg + t_leg[j]
            if c < best or (c == best and t_label[j] < who):
                best, who = c, t_label[j]
        out[i] = best
        out_label[i] = who


def nearest_on_edges(
    network: Network,
    costs: EdgeCosts,
    origins: Snaps,
    destinations: EdgePlaces,
    node_cost: NDArray[np.int32],
    node_label: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Carry the costs of the nodes to origins on the edges and at nodes; the same edge is exact.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    origins : Snaps
        Places that leave.
    destinations : EdgePlaces
        Places that are sought.
    node_cost, node_label : ndarray, shape (n_states,)
        One row of :func:`search_nearest` over the reversed star.

    Returns
    -------
    cost_ms : ndarray of int64
        Leg at the origin + streets with the waits passed + leg at the destination and what it costs besides;
        :data:`NOT_REACHED` where no path.
    label : ndarray of int32
        Destination reached, -1 where none.
    """
    costs.check(network, node_cost)
    out = np.full(len(origins), NOT_REACHED, dtype=np.int64)
    out_label = np.full(len(origins), -1, dtype=np.int32)
    _finish(
        costs.end_u,
        costs.end_v,
        costs.state_delay_ms,
        costs.forward_ms,
        costs.backward_ms,
        origins.edge,
        origins.fraction,
        junction_nodes(costs, origins),
        leg_costs(costs, origins),
        node_cost,
        node_label,
        destinations.start,
        destinations.fraction,
        destinations.leg_ms,
        destinations.label,
        out,
        out_label,
    )
    return out, out_label
