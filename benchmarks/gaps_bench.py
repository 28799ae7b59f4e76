"""``bishan-gis gaps`` as a process: from nothing, unchanged, and after one facility has moved."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUNS = 5


def gaps_rows() -> list[dict[str, float | str]]:
    """Return wall and processor time [s] of the command on a copy of the Bishan study, process start included."""
    with tempfile.TemporaryDirectory(prefix="bishan_gis-bench-") as folder:
        home = Path(folder)
        shutil.copytree(ROOT / "studies", home / "studies")
        shutil.copytree(ROOT / "data" / "raw", home / "data" / "raw")
        first = _run(home)
        same = [_run(home) for _ in range(RUNS)]
        changed = []
        for i in range(RUNS):
            _move_kindergarten(home / "data" / "raw", 106.2 + i / 1000)
            time.sleep(2.5)  # what has just been written is read again: the clock of files is coarse
            changed.append(_run(home))
    cases = (("first run", [first]), ("unchanged", same), ("one facility moved", changed))
    return [
        {"work": name, **{k: statistics.median(one[j] for one in times) for j, k in enumerate(("wall_s", "cpu_s"))}}
        for name, times in cases
    ]


def _run(home: Path) -> tuple[float, float]:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as installed: modules are compiled
    command = [sys.executable, "-m", "bishan_gis.cli", "gaps", "studies/bishan", "--quiet"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=home, env={**env, "PYTHONPATH": str(ROOT)})
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status  # or it would be said to be running still
    wall = time.perf_counter() - begun
    if status:
        msg = f"{command}: {status}"
        raise RuntimeError(msg)
    return wall, used.ru_utime + used.ru_stime


def _move_kindergarten(raw: Path, lon: float) -> None:
    """Put one kindergarten more, or the same elsewhere, into the layer, and its hash into the manifest."""
    layer, manifest = raw / "bishan" / "osm_features.geojson", raw / "datasets.toml"
    old = hashlib.sha256(layer.read_bytes()).hexdigest()
    table = json.loads(layer.read_text(encoding="utf-8"))
    point = {"type": "Point", "coordinates": [round(lon, 6), 29.59]}
    facts = {"osm_id": "1", "fclass": "kindergarten", "name": "新幼儿园"}
    rest = [f for f in table["features"] if f["properties"].get("osm_id") != "1"]
    table["features"] = [*rest, {"type": "Feature", "geometry": point, "properties": facts}]
    layer.write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    text = manifest.read_text(encoding="utf-8").replace(old, hashlib.sha256(layer.read_bytes()).hexdigest())
    manifest.write_text(re.sub(r"bytes = \d+", "", text), encoding="utf-8")
