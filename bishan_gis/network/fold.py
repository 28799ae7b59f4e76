"""Sums of what lies within reach of many origins, straight from the network: no travel matrix is ever written.

Origins that are neighbours share their work. A block of them is searched once for the nodes any of them can reach;
then 16 origins at a time are carried up and down the :class:`~bishan_gis.network.hierarchy.Hierarchy` of these nodes,
each number of theirs side by side with the other 15, and what is near enough is added up on the spot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.network.jit import njit
from bishan_gis.network.lanes import FAR, LANES, pull, relax, tally
from bishan_gis.network.search import along_edge, search_bounded
from bishan_gis.network.star import NOT_REACHED, EdgePlaces, Seeds
from bishan_gis.progress import Progress, in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.hierarchy import Hierarchy
    from bishan_gis.network.star import StarGraph

__all__ = ["Sources", "Targets", "fold_sums"]

#: Origins of a group share one part of the network; a block of 16 groups shares one search for it.
_GROUP = 192


@dataclass(frozen=True, eq=False)
class Sources:
    """Where each origin enters the search, and where on an edge it lies.

    Attributes
    ----------
    count : int
        Number of origins.
    seeds : Seeds
        States and costs [ms]; ``label`` is the origin.
    edge : ndarray of int32, shape (count,)
        Edge the origin lies on; -1 where it is a node or off the network.
    fraction : ndarray of float64, shape (count,)
        Position along that edge.
    leg_ms : ndarray of int64, shape (count,)
        Cost of the leg [ms].
    """

    count: int
    seeds: Seeds
    edge: NDArray[np.int32]
    fraction: NDArray[np.float64]
    leg_ms: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Targets:
    """Where each place is reached, and how much it has.

    Attributes
    ----------
    seeds : Seeds
        States and the cost from there to the place [ms]; ``label`` is the place.
    on : EdgePlaces
        Places by edge, for origins on the same one.
    amount : ndarray of float64, shape (columns, places)
        What is added up.
    """

    seeds: Seeds
    on: EdgePlaces
    amount: NDArray[np.float64]


@njit(cache=True, nogil=True)
def _carry(cost, active, nodes, rows, start, above, up, down):  # type: ignore[no-untyped-def] # pragma: no cover
    """Carry what the active rows hold up the hierarchy, then down to every row."""
    for i in range(nodes - 1, -1, -1):
        if active[i]:
            for k in range(start[i], start[i + 1]):
                w = np.int64(above[k])
                if not active[w]:
                    active[w] = True
                    cost[w * LANES : (w + 1) * LANES] = FAR
                relax(cost, w, i, up[k])
    for i in range(rows):
        pull(cost, i, not active[i], above, down, start[i], start[i + 1])
        active[i] = False


@njit(cache=True, nogil=True)
def _enter(cost, active, row, lane, paid):  # type: ignore[no-untyped-def] # pragma: no cover
    if not active[row]:
        active[row] = True
        cost[row * LANES : (row + 1) * LANES] = FAR
    cost[row * LANES + lane] = min(cost[row * LANES + lane], paid)


@njit(cache=True, nogil=True)
def _same_edge(  # type: ignore[no-untyped-def] # pragma: no cover
    cost, lane, o, o_edge, o_f, o_leg, on_start, on_place, on_f, on_leg, forward, backward, place_row, row_map, limit
):
    """Lower what the places on the edge of an origin cost it."""
    e = o_edge[o]
    if e < 0:
        return
    for k in range(on_start[e], on_start[e + 1]):
        row = np.int64(row_map[place_row[on_place[k]]])
        c = along_edge(on_f[k] - o_f[o], forward[e], backward[e])
        if row >= 0 and c < NOT_REACHED:
            c += o_leg[o] + on_leg[k]
            if c <= limit:
                cost[row * LANES + lane] = min(np.int64(cost[row * LANES + lane]), c)


@njit(cache=True, nogil=True)
def _fold(  # type: ignore[no-untyped-def] # pragma: no cover
    first,
    last,
    group,
    links,
    hierarchy,
    sources,
    origin_edge,
    places,
    place_edge,
    amount,
    cutoffs,
    weights,
    sums,
    decayed,
):
    """Fill the rows `first` to `last` of `sums` (by column and cutoff) and `decayed` (by column and decay)."""
    star_start, star_target, star_cost = links
    rank, h_start, h_above, h_up, h_down = hierarchy
    o_start, o_node, o_cost = sources
    o_edge, o_f, o_leg, forward, backward = origin_edge
    p_start, p_node, p_cost, at_start, at_place = places
    on_start, on_place, on_f, on_leg, on_edge = place_edge
    n, n_places, columns, limit = len(rank), len(p_start) - 1, len(amount), np.int64(cutoffs[-1])
    dist = np.full(n, NOT_REACHED, dtype=np.int32)
    touched, heap = np.empty(n, dtype=np.int32), np.empty(4096, dtype=np.int64)
    row_of, place_row = np.full(n, -1, dtype=np.int32), np.full(n_places, -1, dtype=np.int32)
    most, arcs = n + n_places, len(h_above) + len(p_node)
    near = np.empty(most, dtype=np.int32)
    start, above = np.empty(most + 1, dtype=np.int64), np.empty(arcs, dtype=np.int32)
    up, down = np.empty(arcs, dtype=np.int32), np.empty(arcs, dtype=np.int32)
    part_start, part_above = np.empty(most + 1, dtype=np.int64), np.empty(arcs, dtype=np.int32)
    part_up, part_down = np.empty(arcs, dtype=np.int32), np.empty(arcs, dtype=np.int32)
    part_of, itself = np.empty(most + 1, dtype=np.int32), np.arange(most + 1).astype(np.int32)
    active = np.zeros(most, dtype=np.bool_)
    # A row is a cache line, and must not lie across two.
    space = np.empty((most + 1) * LANES, dtype=np.int32)
    cost = space[-(space.ctypes.data // 4) % LANES :]
    found, entry = np.empty(n_places, dtype=np.int32), np.empty(n_places, dtype=np.int32)
    held = np.empty((columns, n_places), dtype=np.float64)
    total = np.empty(sums.shape[1] * LANES, dtype=np.float64)
    # A place that is nowhere here has row -1, which means the last item of a map of rows.
    part_of[most], itself[most] = -1, -1
    a = first
    while a < last:
        z = min(a + group * LANES, last)
        # The nodes any origin of the block reaches, top of the hierarchy first, with the arcs between them.
        count = search_bounded(
            star_start,
            star_target,
            star_cost,
            o_node[o_start[a] : o_start[z]],
            o_cost[o_start[a] : o_start[z]],
            limit,
            dist,
            touched,
            heap,
        )
        keys = np.empty(count, dtype=np.int64)
        for i in range(count):
            dist[touched[i]] = NOT_REACHED
            keys[i] = (np.int64(rank[touched[i]]) << 32) | touched[i]
        keys.sort()
        m, n_found = 0, 0
        for i in range(count):
            v = keys[i] & 0xFFFFFFFF
            row_of[v] = i
            start[i] = m
            for k in range(h_start[v], h_start[v + 1]):
                w = row_of[h_above[k]]
                if w >= 0:
                    above[m], up[m], down[m] = w, h_up[k], h_down[k]
                    m += 1
            for k in range(at_start[v], at_start[v + 1]):
                if place_row[at_place[k]] == -1:
                    place_row[at_place[k]] = -2
                    found[n_found] = at_place[k]
                    n_found += 1
        for o in range(a, z):
            e = o_edge[o]
            if e >= 0:
                for k in range(on_start[e], on_start[e + 1]):
                    if place_row[on_place[k]] == -1:
                        place_row[on_place[k]] = -2
                        found[n_found] = on_place[k]
                        n_found += 1
        # Places come after the nodes, as rows of their own but where one is simply at a node.
        rows = count
        for j in range(n_found):
            p = found[j]
            b = p_start[p]
            if p_start[p + 1] - b == 1 and p_cost[b] == 0 and not on_edge[p]:
                place_row[p] = row_of[p_node[b]]
                continue
            place_row[p] = rows
            start[rows] = m
            rows += 1
            for k in range(b, p_start[p + 1]):
                w = row_of[p_node[k]]
                if w >= 0 and p_cost[k] <= limit:
                    above[m], up[m], down[m] = w, FAR, p_cost[k]
                    m += 1
        start[rows] = m
        # Which of them each group reaches: one group a lane.
        for o in range(a, z):
            for k in range(o_start[o], o_start[o + 1]):
                if o_cost[k] <= limit:
                    _enter(cost, active, row_of[o_node[k]], (o - a) // group, o_cost[k])
        _carry(cost, active, count, rows, start, above, up, down)
        for o in range(a, z):
            _same_edge(
                cost, (o - a) // group, o, o_edge, o_f, o_leg, on_start, on_place, on_f, on_leg, forward, backward,
                place_row, itself, limit,
            )  # fmt: skip
        for i in range(rows):
            bits = 0
            for q in range(LANES):
                bits |= (cost[i * LANES + q] <= limit) << q
            near[i] = bits
        for g in range(LANES):
            low, high = a + g * group, min(a + (g + 1) * group, z)
            if low >= high:
                break
            m, r, part_nodes = 0, 0, 0
            for i in range(rows):
                part_of[i] = -1
                if (near[i] >> g) & 1:
                    part_of[i] = r
                    part_start[r] = m
                    r += 1
                    part_nodes += i < count
                    for k in range(start[i], start[i + 1]):
                        w = part_of[above[k]]
                        if w >= 0:
                            part_above[m], part_up[m], part_down[m] = w, up[k], down[k]
                            m += 1
            part_start[r] = m
            entries = 0
            for j in range(n_found):
                row = part_of[place_row[found[j]]]
                if row >= 0:
                    entry[entries] = row
                    for c in range(columns):
                        held[c, entries] = amount[c, found[j]]
                    entries += 1
            for s in range(low, high, LANES):
                end = min(s + LANES, high)
                for o in range(s, end):
                    for k in range(o_start[o], o_start[o + 1]):
                        if o_cost[k] <= limit:
                            _enter(cost, active, part_of[row_of[o_node[k]]], o - s, o_cost[k])
                _carry(cost, active, part_nodes, r, part_start, part_above, part_up, part_down)
                for o in range(s, end):
                    _same_edge(
                        cost, o - s, o, o_edge, o_f, o_leg, on_start, on_place, on_f, on_leg, forward, backward,
                        place_row, part_of, limit,
                    )  # fmt: skip
                total[:] = 0.0
                for c in range(columns):
                    for h in range(len(cutoffs)):
                        tally(total, c * len(cutoffs) + h, cost, entry, held[c], entries, cutoffs[h])
                for o in range(s, end):
                    for x in range(sums.shape[1]):
                        sums[o, x] = total[x * LANES + o - s]
                for y in range(len(weights)):
                    for j in range(entries):
                        for o in range(s, end):
                            t = cost[np.int64(entry[j]) * LANES + o - s]
                            if t <= limit:
                                for c in range(columns):
                                    decayed[o, c * len(weights) + y] += held[c, j] * weights[y, t]
        for i in range(count):
            row_of[keys[i] & 0xFFFFFFFF] = -1
        for j in range(n_found):
            place_row[found[j]] = -1
        a = z


def _by_label(seeds: Seeds, count: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    order = np.lexsort((seeds.node, seeds.label))
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(seeds.label, minlength=count), out=start[1:])
    return start, seeds.node[order], seeds.cost_ms[order]


def fold_sums(
    star: StarGraph,
    hierarchy: Hierarchy,
    costs: EdgeCosts,
    sources: Sources,
    targets: Targets,
    *,
    cutoffs_ms: NDArray[np.int64],
    weights: NDArray[np.float64] | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up what each origin reaches within each cutoff, and by weights that depend on the cost.

    Parameters
    ----------
    star : StarGraph
        Links in the direction of the trip.
    hierarchy : Hierarchy
        That of `star`, up to the last cutoff or farther.
    costs : EdgeCosts
        For trips that stay on one edge.
    sources, targets : Sources, Targets
        Origins and places.
    cutoffs_ms : ndarray of int64
        Inclusive, rising [ms], below :data:`~bishan_gis.network.lanes.FAR`.
    weights : ndarray of float64, shape (decays, last cutoff + 1), optional
        Weight of every cost in ms: costs are whole, so the table is exact.
    threads : int
        Parts folded at the same time; the result does not depend on it.
    progress : callable or bool, optional
        Called with parts done and in all; True draws a bar.

    Returns
    -------
    sums : ndarray of float64, shape (origins, columns, cutoffs)
        Amounts within each cutoff.
    decayed : ndarray of float64, shape (origins, columns, decays)
        Weighted amounts within the last cutoff.

    Notes
    -----
    Two passes over the arcs of a hierarchy in place of a queue: Delling et al. 2013, doi:10.1016/j.jpdc.2012.02.007.
    A place counts at its least cost, whichever end of its edge it is reached by.
    """
    n, amount = star.n_nodes, np.ascontiguousarray(targets.amount, dtype=np.float64)
    columns, n_places = amount.shape
    table = np.zeros((0, 1)) if weights is None else np.ascontiguousarray(weights, dtype=np.float64)
    p_start, p_node, p_cost = _by_label(targets.seeds, n_places)
    p_cost = np.minimum(p_cost, FAR).astype(np.int32)
    by_node = np.argsort(p_node, kind="stable")
    at_start = np.searchsorted(p_node[by_node], np.arange(n + 1))
    at_place = np.repeat(np.arange(n_places, dtype=np.int32), np.diff(p_start))[by_node]
    on_edge = np.zeros(n_places, dtype=np.bool_)
    on_edge[targets.on.label] = True
    # Origins one after the other along the curve on which the nodes lie.
    begin, node, paid = _by_label(sources.seeds, sources.count)
    any_node = np.full(sources.count, n, dtype=np.int64)
    some = np.flatnonzero(np.diff(begin))
    any_node[some] = node[begin[some]]
    order = np.argsort(costs.state_node[np.minimum(any_node, n - 1)] + (any_node == n) * n, kind="stable")
    size = np.diff(begin)[order]
    o_start = np.concatenate([[0], np.cumsum(size)])
    row = np.repeat(begin[order] - o_start[:-1], size) + np.arange(o_start[-1])
    sums = np.zeros((sources.count, columns * len(cutoffs_ms)))
    decayed = np.zeros((sources.count, columns * len(table)))
    group = LANES
    if 4 * sources.count >= n:
        # Large groups share more, small ones are more even parts for threads; it depends on the input alone.
        group = min(_GROUP, max(LANES, sources.count // (4 * LANES * LANES) * LANES))
    block = group * LANES
    step = block * max(1, -(-sources.count // (block * 16 * max(threads, 1))))
    arguments: tuple[Any, ...] = (
        (star.start, star.target, star.cost_ms),
        (hierarchy.rank, hierarchy.start, hierarchy.above, hierarchy.up_ms, hierarchy.down_ms),
        (o_start, node[row], paid[row]),
        (sources.edge[order], sources.fraction[order], sources.leg_ms[order], costs.forward_ms, costs.backward_ms),
        (p_start, p_node, p_cost, at_start, at_place),
        (targets.on.start, targets.on.label, targets.on.fraction, targets.on.leg_ms, on_edge),
        amount,
        np.asarray(cutoffs_ms, dtype=np.int32),
        table,
        sums,
        decayed,
    )
    parts = range(0, sources.count, step)

    def work(a: int) -> None:
        _fold(a, min(a + step, sources.count), group, *arguments)

    in_threads(work, parts, threads=threads, progress=progress, what="sums")
    back = np.argsort(order, kind="stable")
    shape = (sources.count, columns)
    return sums[back].reshape(*shape, len(cutoffs_ms)), decayed[back].reshape(*shape, len(table))
