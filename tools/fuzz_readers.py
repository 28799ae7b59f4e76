"""Let atheris look for bytes that make a reader fail with anything but an error of ours.

    python tools/fuzz_readers.py [READER ...] [--seconds 60] [--list]

Readers and valid files are those of `tests/test_fuzz.py`; atheris changes their bytes by what lines they reach. Each
reader runs in a process of its own, so that a crash of a C library is seen as well. atheris is not among the extras: it
has wheels for some Pythons only (`pip install atheris`). What breaks a reader goes to `fuzz/<reader>-<hash>`. Exit
code 1 where something broke, 2 where atheris is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def main() -> int:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*")
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not importlib.util.find_spec("atheris"):
        print("atheris: NOT DONE, not installed (pip install atheris)")
        return 2
    if given.child:
        fuzz(given.child, given.seconds)
        return 0
    from test_fuzz import READERS

    names = given.readers or list(READERS)
    if given.list:
        print("\n".join(READERS))
        return 0
    wrong = 0
    for name in names:
        begun = time.perf_counter()
        command = [sys.executable, __file__, "--child", name, "--seconds", str(given.seconds)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
        said = done.stdout + done.stderr
        runs = next((line.split()[1] for line in reversed(said.splitlines()) if line.startswith("Done ")), "?")
        wrong += done.returncode != 0
        state = "clean" if done.returncode == 0 else f"BROKEN ({done.returncode})"
        print(f"{name}: {state}, {runs} files in {time.perf_counter() - begun:.0f} s", flush=True)
        if done.returncode:
            print("\n".join(said.splitlines()[-40:]), flush=True)
    return 1 if wrong else 0


def fuzz(name: str, seconds: int) -> None:
    """Change one reader's file for so long."""
    import atheris

    with atheris.instrument_imports(include=["bishan_gis", "csv", "tomllib", "json", "zipfile"]):
        from test_fuzz import READERS, read
    try:
        read(name, READERS[name][1])  # all imports, before anything is counted
    except Exception as err:
        sys.exit(f"{name}: the valid file is not read: {err!r}")

    def once(data: bytes) -> None:
        try:
            read(name, data)
        except BaseException:
            kept = ROOT / "fuzz" / f"{name.replace(' ', '_')}-{hashlib.sha256(data).hexdigest()[:12]}"
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(data)
            print(f"kept: {kept}", flush=True)
            raise

    with tempfile.TemporaryDirectory() as corpus:
        (Path(corpus) / "valid").write_bytes(READERS[name][1])
        os.chdir(corpus)
        options = [
            f"-max_total_time={seconds}",
            "-rss_limit_mb=4096",
            "-timeout=60",
            f"-max_len={max(65_536, 2 * len(READERS[name][1]))}",
        ]
        atheris.Setup([sys.argv[0], *options, corpus], once)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
