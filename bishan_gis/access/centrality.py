"""Centrality of junctions and streets: closeness and betweenness within a travel time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.parameters import check_positive, check_whole
from bishan_gis.access.place_tables import whole_ms
from bishan_gis.errors import InputError
from bishan_gis.network.cost_checks import check_costs
from bishan_gis.network.costs import BLOCKED
from bishan_gis.network.jit import njit
from bishan_gis.network.star import NOT_REACHED
from bishan_gis.progress import Progress, counting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = ["Centrality", "network_centrality"]

#: Sources whose sums are kept apart; fixed, so that the result does not depend on the number of threads.
_CHUNK = 512


@dataclass(frozen=True, eq=False)
class Centrality:
    """What :func:`network_centrality` found.

    Attributes
    ----------
    nodes : pandas.DataFrame
        Indexed by node: ``reached`` (nodes within the cutoff, itself not counted), ``farness_s`` (sum of the times to
        them [s]), ``closeness`` [1/s], ``harmonic`` [1/s], ``betweenness`` (ordered pairs of other nodes), and
        ``unknown`` (the data ends within the cutoff, so all figures are lower bounds).
    edges : pandas.DataFrame
        Indexed by edge: ``betweenness`` (ordered pairs whose path uses it).
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Links:
    """One link per ordered pair of nodes, the cheapest, listed by its tail and by its head."""

    tail: NDArray[np.int32]
    head: NDArray[np.int32]
    cost: NDArray[np.int64]
    edge: NDArray[np.int32]
    out_start: NDArray[np.int64]
    in_start: NDArray[np.int64]
    in_link: NDArray[np.int64]


def _links(network: Network, costs: EdgeCosts) -> _Links:
    go, back = costs.forward_ms != BLOCKED, costs.backward_ms != BLOCKED
    every = np.arange(network.n_edges, dtype=np.int32)
    tail = np.concatenate([network.edge_u[go], network.edge_v[back]])
    head = np.concatenate([network.edge_v[go], network.edge_u[back]])
    cost = np.concatenate([costs.forward_ms[go], costs.backward_ms[back]])
    edge = np.concatenate([every[go], every[back]])
    delay = getattr(costs, "delay_ms", None)
    if delay is not None:
        cost = cost + delay[head]
    order = np.lexsort((edge, cost, head, tail))
    tail, head, cost, edge = tail[order], head[order], cost[order], edge[order]
    keep = tail != head
    keep[1:] &= (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    tail, head, cost, edge = tail[keep], head[keep], cost[keep], edge[keep]
    out_start = np.searchsorted(tail, np.arange(network.n_nodes + 1))
    in_link = np.argsort(head, kind="stable")
    in_start = np.searchsorted(head[in_link], np.arange(network.n_nodes + 1))
    return _Links(tail, head, cost, edge, out_start, in_start, in_link)


@njit(cache=True, nogil=True)
def _sift(heap, size, key):  # type: ignore[no-untyped-def] # pragma: no cover
    i = size
    while i > 0:
        up = (i - 1) >> 1
        if heap[up] <= key:
            break
        heap[i] = heap[up]
        i = up
    heap[i] = key
    return size + 1


@njit(cache=True, nogil=True)
def _take(heap, size):  # type: ignore[no-untyped-def] # pragma: no cover
    top = heap[0]
    size -= 1
    key = heap[size]
    i = 0
    while 2 * i + 1 < size:
        c = 2 * i + 1
        if c + 1 < size and heap[c + 1] < heap[c]:
            c += 1
        if heap[c] >= key:
            break
        heap[i] = heap[c]
        i = c
    heap[i] = key
    return top, size


@njit(cache=True, nogil=True)
def _brandes(  # type: ignore[no-untyped-def] # pragma: no cover
    sources,
    out_start,
    head,
    cost,
    in_start,
    in_link,
    tail,
    limit,
    never,
    frontier,
    reached,
    farness,
    harmonic,
    unknown,
    between,
    used,
    stop,
):
    """Count shortest paths from each source up to the limit, then share them out backwards (Brandes)."""
    n = len(out_start) - 1
    dist = np.full(n, never, dtype=np.int64)
    paths = np.zeros(n)
    share = np.zeros(n)
    order = np.empty(n, dtype=np.int32)
    heap = np.empty(1024, dtype=np.int64)
    for s in sources:
        if stop[0]:
            return
        size, count = _sift(heap, 0, np.int64(s)), 0
        dist[s], paths[s] = 0, 1.0
        while size > 0:
            key, size = _take(heap, size)
            d, u = key >> 23, key & 0x7FFFFF
            if d > dist[u]:
                continue
            order[count] = u
            count += 1
            for k in range(out_start[u], out_start[u + 1]):
                v, nd = head[k], d + cost[k]
                if nd > limit or nd > dist[v]:
                    continue
                if nd == dist[v]:
                    paths[v] += paths[u]
                else:
                    dist[v], paths[v] = nd, paths[u]
                    if size == len(heap):
                        heap = np.concatenate((heap, np.empty_like(heap)))
                    size = _sift(heap, size, (nd << 23) | v)
        total = np.int64(0)
        near = 0.0
        for i in range(1, count):
            total += dist[order[i]]
            near += 1000.0 / dist[order[i]]
        reached[s], farness[s], harmonic[s] = count - 1, total, near
        for i in range(count):
            unknown[s] |= frontier[order[i]]
        for i in range(count - 1, 0, -1):
            v = order[i]
            due = (1.0 + share[v]) / paths[v]
            for k in range(in_start[v], in_start[v + 1]):
                link = in_link[k]
                u = tail[link]
                if dist[u] < never and dist[u] + cost[link] == dist[v]:
                    part = paths[u] * due
                    share[u] += part
                    used[link] += part
            between[v] += share[v]
        for i in range(count):
            dist[order[i]], paths[order[i]], share[order[i]] = never, 0.0, 0.0


def network_centrality(
    network: Network,
    costs: EdgeCosts,
    *,
    cutoff_s: float,
    sources: NDArray[np.int64] | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> Centrality:
    """Measure how central junctions and streets are for trips of a limited time.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost the traveller; one-way and slope make the figures directed (times *from* a node).
        Waits at nodes count, forbidden turns do not.
    cutoff_s : float
        Longest trip that counts, inclusive [s]; ``inf`` for all.
    sources : ndarray of int, optional
        Nodes where trips start, as rows of ``network.nodes``; all where left out. Figures of nodes that are no source
        are NaN but for betweenness, which then counts the trips from the sources alone.
    threads : int
        Parts searched at the same time.
    progress : callable or bool, optional
        Called with parts done and in all; True draws a bar.

    Returns
    -------
    Centrality
        Tables of nodes and of edges; a node that is not reached is in no sum. Parallel streets: the cheapest counts, of
        equal ones the first.

    Raises
    ------
    InputError
        The cutoff is not positive, or a source is not a node, such as a value of a mask.

    Notes
    -----
    With R_i the nodes within the cutoff of i: ``closeness_i = |R_i| / sum_j c_ij`` (Freeman 1978,
    doi:10.1016/0378-8733(78)90021-7), ``harmonic_i = sum_j 1 / c_ij`` (Boldi & Vigna 2014,
    doi:10.1080/15427951.2013.865686) and ``betweenness_v = sum_{i != v != j} s_ij(v) / s_ij`` with s the number of
    shortest paths (Freeman 1977, doi:10.2307/3033543), by Brandes (2001, doi:10.1080/0022250X.2001.9990249). Costs are
    whole milliseconds, so equally short paths are found exactly. Pairs are ordered: in a network without one-way
    streets halve the betweenness to compare it with an undirected figure.

    Examples
    --------
    Three junctions in a row, a minute apart; all trips between the ends pass the middle, there and back:

    >>> import geopandas as gpd, shapely
    >>> import bishan_gis as bg
    >>> from bishan_gis.network.costs import edge_costs
    >>> lines = [shapely.LineString([(x, 3e6), (x + 60, 3e6)]) for x in (5e5, 5e5 + 60)]
    >>> net = bg.Network.from_edges(gpd.GeoDataFrame(geometry=lines, crs="EPSG:4544"))
    >>> walk = edge_costs(net, bg.load_profile("adult"))
    >>> table = network_centrality(net, walk, cutoff_s=900).nodes
    >>> table["betweenness"].tolist(), table["reached"].tolist()
    ([0.0, 2.0, 0.0], [2, 2, 2])
    >>> network_centrality(net, walk, cutoff_s=60).nodes["betweenness"].sum()
    np.float64(0.0)
    """
    check_costs(network, costs)
    check_whole(threads=threads)
    check_positive(cutoff_s=1.0 if cutoff_s == np.inf else cutoff_s)
    n = network.n_nodes
    given = np.arange(n) if sources is None else np.asarray(sources)
    if given.size and given.dtype.kind not in "iu":
        raise InputError(
            f"sources: 须为节点的行号 (整数),现为 {given.dtype};布尔掩码请用 numpy.flatnonzero 换成行号",
            f"sources: must be rows of network.nodes (whole numbers), they are {given.dtype}; turn a mask into rows "
            "with numpy.flatnonzero",
        )
    chosen = np.unique(given.astype(np.int64))
    wrong = int(((chosen < 0) | (chosen >= n)).sum())
    if wrong:
        raise InputError(
            f"sources: {wrong} 个不是节点;应为 0 到 {n - 1}", f"sources: {wrong} are not nodes; 0 to {n - 1} are"
        )
    link = _links(network, costs)
    limit = whole_ms(cutoff_s)
    reached, farness = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    harmonic, unknown = np.zeros(n), np.zeros(n, dtype=bool)
    stop = np.zeros(1, dtype=np.uint8)

    def work(part: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        between, used = np.zeros(n), np.zeros(len(link.tail))
        _brandes(
            part,
            link.out_start,
            link.head,
            link.cost,
            link.in_start,
            link.in_link,
            link.tail,
            limit,
            np.int64(NOT_REACHED),
            network.node_frontier,
            reached,
            farness,
            harmonic,
            unknown,
            between,
            used,
            stop,
        )
        return between, used

    between, used = np.zeros(n), np.zeros(len(link.tail))
    parts = [chosen[i : i + _CHUNK] for i in range(0, len(chosen), _CHUNK)]
    pool = ThreadPoolExecutor(max_workers=max(threads, 1))
    try:
        with counting(progress, len(parts), "centrality") as step:
            for b, u in pool.map(work, parts):
                between += b
                used += u
                step(1)
    finally:
        stop[0] = 1
        pool.shutdown(cancel_futures=True)
    is_source = np.isin(np.arange(n), chosen)
    seconds = farness / 1000
    nodes = pd.DataFrame(
        {
            "reached": reached,
            "farness_s": seconds,
            "closeness": np.divide(reached, seconds, out=np.zeros(n), where=farness > 0),
            "harmonic": harmonic,
            "betweenness": between,
            "unknown": unknown,
        },
        index=pd.RangeIndex(n, name="node"),
    )
    if sources is not None:
        nodes = nodes.astype({"reached": float})
        nodes.loc[~is_source, ["reached", "farness_s", "closeness", "harmonic"]] = np.nan
    per_edge = np.bincount(link.edge, weights=used, minlength=network.n_edges)
    return Centrality(nodes, pd.DataFrame({"betweenness": per_edge}, index=pd.RangeIndex(network.n_edges, name="edge")))
