"""Travel times between many places: every pair within a cutoff, block by block, never a dense matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numba import njit

from bishan_gis.network.search import along_edge, search_bounded
from bishan_gis.network.snap import OFF_NETWORK, snap_points
from bishan_gis.network.star import NOT_REACHED, StarGraph, by_edge, leg_costs, snap_seeds
from bishan_gis.schema import check_columns, check_unique

if TYPE_CHECKING:
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = ["travel_blocks", "travel_matrix"]

_BLOCK = 256


@njit(cache=True, nogil=True)
def _pairs(  # type: ignore[no-untyped-def] # pragma: no cover
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
    o_f,
    o_leg,
    forward,
    backward,
    first,
    last,
    limit,
    never,
):
    """Search back from each destination and collect the origins at the nodes reached."""
    n = len(start) - 1
    dist = np.full(n, never, dtype=np.int32)
    touched = np.empty(n, dtype=np.int32)
    heap = np.empty(1024, dtype=np.int64)
    best = np.full(len(o_f), never, dtype=np.int32)
    mine = np.empty(len(o_f), dtype=np.int64)
    room = 1024
    out = np.empty((room, 3), dtype=np.int64)
    size = 0
    for d in range(first, last):
        a, b = seed_start[d], seed_start[d + 1]
        count = search_bounded(start, target, cost, seed_node[a:b], seed_cost[a:b], limit, dist, touched, heap)
        found = 0
        for i in range(count):
            u = touched[i]
            for k in range(at_start[u], at_start[u + 1]):
                c = dist[u] + at_cost[k]
                o = at_origin[k]
                if c <= limit and c < best[o]:
                    if best[o] == never:
                        mine[found] = o
                        found += 1
                    best[o] = c
            dist[u] = never
        for p in range(place_start[d], place_start[d + 1]):
            e = place_edge[p]
            for k in range(on_start[e], on_start[e + 1]):
                o = on_origin[k]
                c = along_edge(place_f[p] - o_f[o], forward[e], backward[e])
                if c < never:
                    c += o_leg[o] + place_leg[p]
                if c <= limit and c < best[o]:
                    if best[o] == never:
                        mine[found] = o
                        found += 1
                    best[o] = c
        while size + found > room:
            out = np.concatenate((out, np.empty_like(out)))
            room = len(out)
        for i in range(found):
            o = mine[i]
            out[size, 0], out[size, 1], out[size, 2] = o, d, best[o]
            best[o] = never
            size += 1
    return out[:size]


def travel_blocks(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    destinations: pd.DataFrame,
    *,
    cutoff_s: float,
    max_snap_m: float = 300.0,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[pd.DataFrame]:
    """Yield the travel matrix in blocks of destinations.

    Parameters are those of :func:`travel_matrix`. Memory holds at most ``2 * threads`` blocks of 256 destinations
    and four numbers per node and thread.

    Yields
    ------
    pandas.DataFrame
        ``from_id, to_id, cost_s``; every destination is whole in one block.
    """
    check_columns(origins, ["origin_id", "x", "y"], where="origins")
    check_columns(destinations, ["facility_id", "x", "y"], where="destinations")
    check_unique(origins["origin_id"], where="origins")
    o_snaps = snap_points(network, origins["x"], origins["y"], max_snap_m=max_snap_m, usable=costs.usable)
    points = destinations.sort_values("facility_id", kind="stable").reset_index(drop=True)
    d_snaps = snap_points(network, points["x"], points["y"], max_snap_m=max_snap_m, usable=costs.usable)
    ids, owner = np.unique(points["facility_id"].to_numpy(dtype=object), return_inverse=True)
    star = StarGraph.from_network(network, costs, reverse=True)
    seeds = snap_seeds(network, costs, d_snaps, owner.astype(np.int32), arrive=True)
    by_owner = np.argsort(seeds.label, kind="stable")
    seed_start = np.searchsorted(seeds.label[by_owner], np.arange(len(ids) + 1))
    places = np.flatnonzero(d_snaps.edge != OFF_NETWORK)
    place_start = np.searchsorted(owner[places], np.arange(len(ids) + 1))
    # What an origin pays to get to either end of its edge, listed by node.
    leave = snap_seeds(network, costs, o_snaps, np.arange(len(origins), dtype=np.int32), arrive=False)
    by_node = np.argsort(leave.node, kind="stable")
    at_start = np.searchsorted(leave.node[by_node], np.arange(network.n_nodes + 1))
    on = by_edge(network, costs, o_snaps, np.arange(len(origins), dtype=np.int32))
    legs = leg_costs(costs, o_snaps)
    limit = int(np.floor(cutoff_s * 1000))
    names = origins["origin_id"].to_numpy()

    def work(first: int) -> pd.DataFrame:
        found = _pairs(
            star.start,
            star.target,
            star.cost_ms,
            seed_start,
            seeds.node[by_owner],
            seeds.cost_ms[by_owner],
            place_start,
            d_snaps.edge[places],
            d_snaps.fraction[places],
            costs.profile.leg_ms(d_snaps.leg_m[places]),
            at_start,
            leave.label[by_node],
            leave.cost_ms[by_node],
            on.start,
            on.label,
            o_snaps.fraction,
            legs,
            costs.forward_ms,
            costs.backward_ms,
            first,
            min(first + _BLOCK, len(ids)),
            limit,
            np.int64(NOT_REACHED),
        )
        found = found[np.lexsort((found[:, 0], found[:, 1]))]
        return pd.DataFrame({"from_id": names[found[:, 0]], "to_id": ids[found[:, 1]], "cost_s": found[:, 2] / 1000})

    starts = list(range(0, len(ids), _BLOCK))
    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        # A sliding window of jobs, so that blocks nobody has taken yet do not pile up.
        ahead = 2 * max(threads, 1)
        jobs = [pool.submit(work, s) for s in starts[:ahead]]
        for i in range(len(starts)):
            block = jobs[i].result()
            jobs[i] = None  # type: ignore[call-overload]
            if i + ahead < len(starts):
                jobs.append(pool.submit(work, starts[i + ahead]))
            if progress:
                progress(i + 1, len(starts))
            yield block


def travel_matrix(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    destinations: pd.DataFrame,
    *,
    cutoff_s: float,
    max_snap_m: float = 300.0,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Find the time of every pair of origin and destination within a cutoff.

    Parameters
    ----------
    network : Network
        Streets.
    costs : EdgeCosts
        What they cost the traveller.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m, CRS of the network]; ids are unique.
    destinations : pandas.DataFrame
        ``facility_id, x, y`` [m]: where each is entered; a facility may have several rows, the best counts.
    cutoff_s : float
        Longest time, inclusive [s].
    max_snap_m : float
        Places farther from every street are off the network and in no pair [m].
    threads : int
        Blocks searched at the same time.
    progress : callable, optional
        Called with blocks done and in all.

    Returns
    -------
    pandas.DataFrame
        ``from_id, to_id, cost_s`` [s, to the millisecond], sorted by destination, then origin in the order given.
        A missing pair is not reached within the cutoff.

    Raises
    ------
    MissingColumnError, SchemaError
        A column is missing, or origin ids repeat.

    Notes
    -----
    One bounded search (Dijkstra 1959, doi:10.1007/BF01386390) per destination over the reversed streets; origins are
    met at the ends of their edges and on the destination's own edge, so that the result is exact.
    """
    blocks = list(
        travel_blocks(
            network,
            costs,
            origins,
            destinations,
            cutoff_s=cutoff_s,
            max_snap_m=max_snap_m,
            threads=threads,
            progress=progress,
        )
    )
    if not blocks:
        return pd.DataFrame({"from_id": [], "to_id": [], "cost_s": np.zeros(0)})
    return pd.concat(blocks, ignore_index=True)
