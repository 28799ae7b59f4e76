"""Time to the nearest of 25 facilities of 20 services from every node: ours, scipy, pandana, networkx; and growth."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SERVICES = 20
FACILITIES_PER_1000 = 0.75
LIMIT_MS = 15 * 60 * 1000
_SHORT_S = 0.3


def median_seconds(work: Callable[[], Any], runs: int = 5) -> tuple[float, Any]:
    """Return the median time of several runs and the last result; of what is short there are thrice as many.

    Garbage is collected before, not between: that would empty the caches of the processor each time.
    """
    times, result, left = [], None, runs
    gc.collect()
    gc.disable()
    try:
        while left:
            begun = time.perf_counter()
            result = work()
            times.append(time.perf_counter() - begun)
            left += 2 * runs * (len(times) == 1 and times[0] < _SHORT_S) - 1
    finally:
        gc.enable()
    return statistics.median(times), result


def walking_network(path: Path, crs: str, copies: int = 1) -> Any:
    """Read a network, and lay copies of it side by side."""
    from tiling import tiled_network

    from bishan_gis.network.build import network_from_osm

    network = network_from_osm(path, crs=crs)
    return network if copies == 1 else tiled_network(network, copies)


def _places(network: Any) -> list[np.ndarray]:
    """Draw the nodes of the facilities; pandana finds them by place, so each place holds one node only."""
    rng = np.random.default_rng(0)
    _, first, count = np.unique(np.c_[network.node_x, network.node_y], axis=0, return_index=True, return_counts=True)
    each = max(int(network.n_nodes * FACILITIES_PER_1000 / 1000), 25)
    return [rng.choice(first[count == 1], each, replace=False).astype(np.int32) for _ in range(SERVICES)]


def nearest_rows(network: Any, label: str, *, peers: tuple[str, ...]) -> list[dict[str, Any]]:
    """Measure everybody on one network; results must be equal."""
    from longer_way import longer_way, processor_seconds
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    from bishan_gis.network.costs import edge_costs, load_profile
    from bishan_gis.network.search import search_nearest
    from bishan_gis.network.star import NOT_REACHED, Seeds, StarGraph

    costs = edge_costs(network, load_profile("adult"))
    star = StarGraph.from_network(network, costs, reverse=True)
    n, places = network.n_nodes, _places(network)
    seeds = [Seeds(p, np.zeros(len(p), np.int64), np.arange(len(p), dtype=np.int32)) for p in places]
    search_nearest(star, seeds[:1], limit_ms=LIMIT_MS)  # compile
    ours, (mine, _) = median_seconds(lambda: search_nearest(star, seeds, limit_ms=LIMIT_MS, threads=2))
    longer = longer_way(lambda: search_nearest(star, seeds, limit_ms=LIMIT_MS, threads=2), 9)
    one, _ = median_seconds(lambda: search_nearest(star, seeds, limit_ms=LIMIT_MS, threads=1))
    reached = mine <= LIMIT_MS
    links = len(star.target)
    settled = float(reached.mean()) * links * SERVICES / one
    note = f"{n:,} nodes; {longer * 1000:,.1f} ms of processor in the longer of the two"
    rows = [
        {"work": label, "tool": "bishan_gis, 2 threads", "seconds": ours, "times": 1.0, "note": note},
        {"tool": "bishan_gis, 1 thread", "seconds": one, "times": one / ours, "note": f"{settled / 1e6:.0f} M links/s"},
    ]
    tail = np.repeat(np.arange(n), np.diff(star.start))
    frame = pd.DataFrame({"u": tail, "v": star.target, "c": star.cost_ms}).groupby(["u", "v"], as_index=False).min()
    if "scipy" in peers:
        matrix = coo_array((frame["c"].astype(float), (frame["u"], frame["v"])), shape=(n, n)).tocsr()

        def scipy_way() -> np.ndarray:
            return np.array([dijkstra(matrix, indices=p, min_only=True, limit=LIMIT_MS) for p in places])

        theirs, found = median_seconds(scipy_way)
        check_equal((np.where(np.isfinite(found), found, NOT_REACHED) == mine).all())
        used, _ = processor_seconds(scipy_way, 5)
        note = f"equal to the millisecond; {used * 1000:,.1f} ms of processor, {used / longer:.1f} x the longer of ours"
        rows.append(_row("scipy dijkstra min_only", theirs, ours, note))
    if "pandana" in peers:
        rows.append(_pandana(network, frame, places, mine, reached, ours))
    if "networkx" in peers:
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_nodes_from(range(n))
        graph.add_weighted_edges_from(frame[["u", "v", "c"]].itertuples(index=False, name=None))
        begun = time.perf_counter()
        lengths = nx.multi_source_dijkstra_path_length(graph, set(places[0].tolist()), cutoff=LIMIT_MS)
        theirs = (time.perf_counter() - begun) * SERVICES
        check_equal(all(mine[0][k] == v for k, v in lengths.items()) and len(lengths) == int(reached[0].sum()))
        note = f"one service x {SERVICES}, one run; equal to the millisecond"
        rows.append(_row("networkx multi_source_dijkstra", theirs, ours, note))
    return rows


def _pandana(
    network: Any, frame: pd.DataFrame, places: list[np.ndarray], mine: np.ndarray, reached: np.ndarray, ours: float
) -> dict[str, Any]:
    import pandana

    x, y = pd.Series(network.node_x), pd.Series(network.node_y)
    pand = pandana.Network(x, y, frame["v"], frame["u"], (frame["c"] / 1000).to_frame("w"), twoway=False)
    begun = time.perf_counter()
    pand.precompute(LIMIT_MS / 1000)
    before = time.perf_counter() - begun
    for i, p in enumerate(places):
        pand.set_pois(f"s{i}", LIMIT_MS / 1000, 1, x[p], y[p])

    def work() -> np.ndarray:
        return np.array([pand.nearest_pois(LIMIT_MS / 1000, f"s{i}", num_pois=1)[1] for i in range(SERVICES)])

    theirs, found = median_seconds(work)
    off = np.abs(found[reached] - mine[reached] / 1000)
    check_equal(float(off.max()) < 0.01)
    note = f"without its precomputation of {before:.1f} s; differs by at most {off.max():.3f} s"
    return _row("pandana nearest_pois", theirs, ours, note)


def _row(tool: str, seconds: float, ours: float, note: str) -> dict[str, Any]:
    return {"tool": tool, "seconds": seconds, "times": seconds / ours, "note": note}


def check_equal(same: bool) -> None:
    """Stop the run when results differ: the comparison would be void."""
    if not same:
        msg = "results differ: the comparison is void"
        raise SystemExit(msg)
