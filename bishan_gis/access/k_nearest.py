"""The several nearest facilities of each service: how many choices people have, and how far each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.nearest import frontier_seeds, offset_column, trip_costs
from bishan_gis.access.parameters import check_least_0, check_whole
from bishan_gis.access.place_tables import number_ids, place_table, snap_table
from bishan_gis.network.jit import njit
from bishan_gis.network.search import along_edge, nearest_on_edges, search_nearest
from bishan_gis.network.snap import OFF_NETWORK
from bishan_gis.network.star import NO_LIMIT, NOT_REACHED, StarGraph, by_edge, junction_nodes, leg_costs, snap_seeds
from bishan_gis.progress import Progress, in_threads
from bishan_gis.schema import STATUS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.network.snap import Snaps
    from bishan_gis.network.star import EdgePlaces, Seeds

__all__ = ["k_nearest", "search_k_nearest"]


@njit(cache=True, nogil=True)
def _place(cost, label, c, who):  # type: ignore[no-untyped-def] # pragma: no cover
    """Put a cost and label into a short list sorted by both, each label once; return whether it changed."""
    k = len(cost)
    if c > cost[k - 1] or (c == cost[k - 1] and who >= label[k - 1]):
        return False
    at = k - 1
    for i in range(k):
        if label[i] == who:
            if cost[i] <= c:
                return False
            at = i
            break
    while at > 0 and (c < cost[at - 1] or (c == cost[at - 1] and who < label[at - 1])):
        cost[at], label[at] = cost[at - 1], label[at - 1]
        at -= 1
    cost[at], label[at] = c, who
    return True


@njit(cache=True, nogil=True)
def _k_nearest(start, target, cost, seed_node, seed_cost, seed_label, limit, shift, span, dist, label):  # type: ignore[no-untyped-def] # pragma: no cover
    """Multi-source search in which every node keeps the k nearest labels; see the notes of `search_k_nearest`."""
    mask = span - 1
    head = np.full(span, -1, dtype=np.int32)
    pool = np.empty((1024, 4), dtype=np.int32)
    room = len(pool)
    free, top, active, current, s = -1, 0, 0, 0, 0
    seeds = len(seed_node)
    k = dist.shape[1]
    while True:
        if active == 0:
            if s == seeds or seed_cost[s] > limit:
                break
            current = seed_cost[s] >> shift
        slot = current & mask
        while s < seeds and seed_cost[s] <= limit and (seed_cost[s] >> shift) <= current:
            u, c, who = seed_node[s], seed_cost[s], seed_label[s]
            s += 1
            if _place(dist[u], label[u], c, who):
                if top == room:
                    pool = np.concatenate((pool, np.empty_like(pool)))
                    room = len(pool)
                pool[top, 0], pool[top, 1], pool[top, 2], pool[top, 3] = u, c, who, head[slot]
                head[slot] = top
                top += 1
                active += 1
        while head[slot] >= 0:
            e = head[slot]
            head[slot] = pool[e, 3]
            u, d, who = pool[e, 0], pool[e, 1], pool[e, 2]
            pool[e, 3] = free
            free = e
            active -= 1
            # Still among the k nearest of its node, and at this cost?
            i = 0
            while i < k and label[u, i] != who:
                i += 1
            if i == k or dist[u, i] != d:
                continue
            if top + start[u + 1] - start[u] > room:
                pool = np.concatenate((pool, np.empty_like(pool), np.empty((start[u + 1] - start[u], 4), np.int32)))
                room = len(pool)
            for j in range(start[u], start[u + 1]):
                nd = np.int64(d) + np.int64(cost[j])
                if nd > limit:
                    continue
                v = target[j]
                if not _place(dist[v], label[v], nd, who):
                    continue
                if free >= 0:
                    e = free
                    free = pool[e, 3]
                else:
                    e = top
                    top += 1
                b = (nd >> shift) & mask
                pool[e, 0], pool[e, 1], pool[e, 2], pool[e, 3] = v, nd, who, head[b]
                head[b] = e
                active += 1
        current += 1


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
    who,
):
    """Carry the lists of the nodes to origins on the edges, and to those at nodes."""
    k = dist.shape[1]
    for i in range(len(o_edge)):
        e = o_edge[i]
        if e < 0:
            continue
        f, leg = o_f[i], o_leg[i]
        for way in range(2):
            whole, end, part = (forward[e], end_v[e], 1.0 - f) if way == 0 else (backward[e], end_u[e], f)
            if whole < 0:
                continue
            paid = leg + np.int64(np.rint(part * whole))
            if len(delay) > 0:
                paid += delay[end]
            for j in range(k):
                if dist[end, j] == NOT_REACHED:
                    break
                _place(out[i], who[i], paid + dist[end, j], node_label[end, j])
        u = o_node[i]
        if u >= 0:
            for j in range(k):
                if dist[u, j] == NOT_REACHED:
                    break
                _place(out[i], who[i], leg + dist[u, j], node_label[u, j])
        for j in range(t_start[e], t_start[e + 1]):
            c = along_edge(t_f[j] - f, forward[e], backward[e])
            if c < NOT_REACHED:
                _place(out[i], who[i], c + leg + t_leg[j], t_label[j])


def search_k_nearest(
    star: StarGraph, seeds: Seeds, *, k: int, limit_ms: int = NO_LIMIT
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find the k nearest labels of every node, in one search.

    Parameters
    ----------
    star : StarGraph
        Links to follow. For the cost *to* the seeds give the reversed star.
    seeds : Seeds
        Labels are 0 or more; several seeds may have the same.
    k : int
        How many different labels.
    limit_ms : int
        Largest cost that counts, inclusive [ms].

    Returns
    -------
    cost_ms, label : ndarray of int32, shape (n_states, k)
        Sorted by cost, then label; :data:`~bishan_gis.network.star.NOT_REACHED` and -1 where there is no further one.

    Notes
    -----
    Dijkstra's search (1959, doi:10.1007/BF01386390) in which a node goes on with each of its k first labels. If k
    others come before a label at a node, they come before it at every node that is reached from there by the same
    link; so what is dropped at one node is missed at none.

    Examples
    --------
    Links 0 -> 1 -> 2 of 5 ms, labels 7 at node 0 and 8 at node 1:

    >>> from bishan_gis.network.star import Seeds
    >>> star = StarGraph.from_links(3, np.array([0, 1]), np.array([1, 2]), np.array([5, 5]))
    >>> cost, label = search_k_nearest(star, Seeds(np.array([0, 1]), np.array([0, 0]), np.array([7, 8])), k=2)
    >>> cost[2].tolist(), label[2].tolist()
    ([5, 10], [8, 7])
    """
    cost = np.full((star.n_nodes, k), NOT_REACHED, dtype=np.int32)
    label = np.full((star.n_nodes, k), -1, dtype=np.int32)
    order = np.argsort(seeds.cost_ms, kind="stable")
    node, paid, who = seeds.node[order], seeds.cost_ms[order], seeds.label[order]
    shift, span = star.buckets
    limit = np.int64(min(limit_ms, NO_LIMIT))
    _k_nearest(star.start, star.target, star.cost_ms, node, paid, who, limit, shift, span, cost, label)
    return cost, label


def k_nearest(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    access_points: pd.DataFrame,
    *,
    k: int,
    search_s: float = 3600.0,
    max_snap_m: float = 300.0,
    direction: str = "to",
    threads: int = 2,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Find the k nearest facilities of each service from every origin.

    Parameters
    ----------
    network : Network
        Streets.
    costs : EdgeCosts
        What they cost the traveller.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m, CRS of the network], or a GeoDataFrame of points without ``x, y``, which are projected;
        ids are unique.
    access_points : pandas.DataFrame
        ``facility_id, service, x, y`` [m]: where each facility is entered; a facility may have several and counts once,
        by the nearest. A GeoDataFrame of points will do here, too. Optional ``offset_s`` [s]: what a place costs
        besides the trip.
    k : int
        How many different facilities, 1 or more.
    search_s : float
        Longer times are ``beyond_cutoff`` [s].
    max_snap_m : float
        Origins and access points farther from every street are ``off_network`` [m].
    direction : str
        ``to``: the trip goes from the origin to the facility; ``from``: from the facility to the origin.
    threads : int
        Services searched at the same time.
    progress : callable or bool, optional
        Called with services done and in all; True draws a bar.

    Returns
    -------
    pandas.DataFrame
        ``k`` rows per origin and service, sorted by service, origin in the order given, and rank: ``origin_id,
        service, rank`` (1 is the nearest), ``cost_s`` [s, to the millisecond], ``facility_id, status,
        unknown_from_s``. Where there is no further facility that a street leads to, ``cost_s`` is NaN, there is no
        ``facility_id``, and the status says why: ``unreachable``, ``off_network``, or ``unknown`` where the traveller
        could leave the data. A cost above ``search_s`` is given and ``beyond_cutoff``. ``unknown_from_s`` is as in
        :func:`~bishan_gis.access.nearest.nearest_cost`: a later answer is an upper bound. Texts are categorical.

    Raises
    ------
    MissingColumnError
        A column is missing.
    SchemaError
        A coordinate or an offset is missing, not a number or below 0; an id or a service is missing; origins repeat.
    CrsError
        Points without a CRS, or ``x, y`` beside a geometry in another CRS.
    InputError
        `k` or `threads` is no whole number of 1 or more; `search_s` is below 0, `max_snap_m` not above 0, or not
        numbers; no such direction.

    Notes
    -----
    One search per service, see :func:`search_k_nearest`. Equally near facilities are in order of their ids.
    Without numba the kernels run as plain Python: the same results, slowly.

    Examples
    --------
    A street of 400 m at 90 s per 100 m, schools 200 m and 400 m along it:

    >>> import geopandas as gpd
    >>> from bishan_gis.network.costs import edge_costs, load_profile
    >>> from bishan_gis.network.graph import Network
    >>> street = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 400 0)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame(geometry=street))
    >>> costs = edge_costs(network, load_profile("adult"))
    >>> homes = pd.DataFrame({"origin_id": ["A", "B"], "x": [0, 100], "y": [0, 0]})
    >>> schools = pd.DataFrame({"facility_id": ["f", "g"], "service": "school", "x": [200, 400], "y": [0, 0]})
    >>> table = k_nearest(network, costs, homes, schools, k=2)
    >>> table[["origin_id", "rank", "facility_id", "cost_s"]].values.tolist()
    [['A', 1, 'f', 180.0], ['A', 2, 'g', 360.0], ['B', 1, 'f', 90.0], ['B', 2, 'g', 270.0]]
    """
    check_whole(k=k, threads=threads)
    check_least_0(search_s=search_s)
    costs = trip_costs(network, costs, direction)
    origins = place_table(network, origins, ["origin_id"], where="origins", unique=True)
    access_points = place_table(network, access_points, ["facility_id", "service"], where="access_points")
    o_snaps = snap_table(network, costs, origins, max_snap_m=max_snap_m, where="origins")
    t_snaps = snap_table(network, costs, access_points, max_snap_m=max_snap_m, where="access_points")
    offset = offset_column(access_points, where="access_points")
    owner, ids = number_ids(access_points["facility_id"], where="access_points")
    group, services = number_ids(access_points["service"], where="access_points")
    reverse = StarGraph.from_network(network, costs, reverse=True)
    standing, legs = junction_nodes(costs, o_snaps), leg_costs(costs, o_snaps)
    cost = np.full((len(services), len(origins), k), NOT_REACHED, dtype=np.int64)
    label = np.full((len(services), len(origins), k), -1, dtype=np.int32)

    def run(i: int) -> None:
        rows = np.flatnonzero(group == i)
        part, extra = t_snaps.take(rows), None if offset is None else offset[rows]
        who = owner[rows]
        seeds = snap_seeds(network, costs, part, who, arrive=True, offset_ms=extra)
        node_cost, node_label = search_k_nearest(reverse, seeds, k=k)
        here = by_edge(network, costs, part, who, offset_ms=extra)
        _carry(costs, o_snaps, standing, legs, here, node_cost, node_label, cost[i], label[i])

    in_threads(run, range(len(services)), threads=threads, progress=progress, what="nearest")
    leave = _leave(network, costs, o_snaps, reverse)
    return _table(origins, services, ids, cost, label, leave, o_snaps, search_s)


def _carry(
    costs: EdgeCosts,
    origins: Snaps,
    standing: NDArray[np.int32],
    legs: NDArray[np.int64],
    places: EdgePlaces,
    node_cost: NDArray[np.int32],
    node_label: NDArray[np.int32],
    out: NDArray[np.int64],
    out_label: NDArray[np.int32],
) -> None:
    _finish(
        costs.end_u,
        costs.end_v,
        costs.state_delay_ms,
        costs.forward_ms,
        costs.backward_ms,
        origins.edge,
        origins.fraction,
        standing,
        legs,
        node_cost,
        node_label,
        places.start,
        places.fraction,
        places.leg_ms,
        places.label,
        out,
        out_label,
    )


def _leave(network: Network, costs: EdgeCosts, origins: Snaps, reverse: StarGraph) -> NDArray[np.float64]:
    """Return the time at which each origin could leave the data [s]; NaN where it cannot."""
    node_cost, node_label = search_nearest(reverse, [frontier_seeds(network, costs)])
    nothing = by_edge(network, costs, origins.take(np.zeros(0, dtype=np.int64)))
    cost, _ = nearest_on_edges(network, costs, origins, nothing, node_cost[0], node_label[0])
    return np.where(cost < NOT_REACHED, cost / 1000, np.nan)


def _table(
    origins: pd.DataFrame,
    services: pd.Index,
    ids: pd.Index,
    cost: NDArray[np.int64],
    label: NDArray[np.int32],
    leave: NDArray[np.float64],
    o_snaps: Snaps,
    search_s: float,
) -> pd.DataFrame:
    n_services, n, k = cost.shape
    found = cost < NOT_REACHED
    value = np.where(found, cost / 1000, np.nan)
    code = {name: np.int8(i) for i, name in enumerate(STATUS)}
    nowhere = np.where(np.isnan(leave), code["unreachable"], code["unknown"])
    nowhere[o_snaps.edge == OFF_NETWORK] = code["off_network"]
    status = np.where(found, np.where(value <= search_s, code["reached"], code["beyond_cutoff"]), nowhere[:, None])
    origin = np.tile(np.repeat(np.arange(n), k), n_services)
    return pd.DataFrame(
        {
            "origin_id": origins["origin_id"].array.take(origin),
            "service": pd.Categorical.from_codes(np.repeat(np.arange(n_services), n * k), services),
            "rank": np.tile(np.arange(1, k + 1, dtype=np.int32), n_services * n),
            "cost_s": value.ravel(),
            "facility_id": pd.Categorical.from_codes(label.ravel(), ids),
            "status": pd.Categorical.from_codes(status.ravel(), pd.Index(STATUS)),
            "unknown_from_s": leave[origin],
        },
        copy=False,
    )
