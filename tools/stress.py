"""Kill `run`, `gaps`, `report` and `fetch` at random moments and look at what is left.

    python tools/stress.py [--moments 50] [--commands run gaps report fetch] [--seed N] [--quiet]

The toy study alternates between two populations, `fetch` between two servers on loopback. After each kill every file
must be whole; once the set is completed it must be that of one input and equal, byte for byte, to an undisturbed
run; nothing hidden may stay. Each kill is a fork that dies by SIGKILL: nothing in the program can prepare for it. Exit
code 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = (
    "geopandas",
    "numba",
    "osmium",
    "scipy.sparse.csgraph",
    "pyogrio",
    "rasterio",
    "shapely",
    "bishan_gis.pipeline",
)
#: What says that a set is whole and whose it is; the only files with times in them.
RECORDS = {"run": "run.json", "gaps": "gaps.json", "report": "report.json", "fetch": "datasets.toml"}


def main() -> int:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--commands", nargs="+", default=list(RECORDS), choices=list(RECORDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true")
    given = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    for name in HEAVY:
        importlib.import_module(name)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for command in given.commands:
            one = FetchStress if command == "fetch" else Stress
            wrong += one(command, Path(folder) / command, random.Random(given.seed)).run(given.moments, given.quiet)
    return 1 if wrong else 0


class Stress:
    """One command, killed again and again."""

    def __init__(self, command: str, folder: Path, dice: random.Random) -> None:
        from toy_study import POPULATION, write_toy_study

        self.command, self.folder, self.dice = command, folder, dice
        self.study = write_toy_study(folder)
        self.people = [POPULATION, POPULATION.replace("1000,200,600,200", "1010,210,600,200")]
        self.wanted: list[dict[str, str]] = []
        self.seconds = 0.0

    def run(self, moments: int, quiet: bool) -> int:
        """Kill it so many times; return how often something was wrong."""
        for which in (0, 1):
            self._wipe()
            self._population(which)
            begun = time.perf_counter()
            if self._child(None) != 0:
                print(f"{self.command}: does not run undisturbed")
                return 1
            self.seconds = time.perf_counter() - begun
            self.wanted.append(self._state())
        if self.wanted[0] == self.wanted[1]:
            print(f"{self.command}: both inputs give one result; nothing can be seen")
            return 1
        problems, killed, completed, moment = 0, 0, 0, 0
        while killed < moments and moment < 10 * moments:
            moment += 1
            which = moment % 2
            self._population(which)
            # Half of the kills fall where files are moved.
            early = self.dice.random() < 0.5
            when = self.seconds * (self.dice.uniform(0, 0.9) if early else self.dice.uniform(0.85, 1.0))
            begun = time.perf_counter()
            ended = self._child(when)
            if ended == 0:  # it ended before the kill: the machine has become quicker
                self.seconds = time.perf_counter() - begun
            killed += ended == -signal.SIGKILL
            said = self._problems()
            if self.dice.random() < 0.3 or killed == moments:
                completed += 1
                if self._child(None) != 0:
                    said.append("the next run does not complete")
                elif self._state() != self.wanted[which]:
                    said.append("the next run gives other bytes")
                said += self._left_over()
            for text in said:
                print(f"{self.command}: kill {moment} at {when:.2f} s: {text}", flush=True)
            problems += bool(said)
        if not quiet or problems or killed < moments:
            counts = f"{killed} of {moments} killed in {moment} tries, {completed} completed, {problems} wrong"
            print(f"{self.command}: {counts}", flush=True)
        return problems + (killed < moments)

    def _problems(self) -> list[str]:
        """Complete what was begun and compare."""
        from bishan_gis.sources.journal import recover

        recover([f for f in self._outputs() if f.is_dir()])
        state = self._state()
        if state not in (*self.wanted, {}):
            unlike = [sorted(k for k in {*state, *w} if state.get(k) != w.get(k)) for w in self.wanted]
            return [f"the files are neither of one run nor of the other; nearest: {min(unlike, key=len)}"]
        return self._left_over()

    def _outputs(self) -> list[Path]:
        return [self.folder / "data/processed", self.folder / "maps", self.folder / "report"]

    def _left_over(self) -> list[str]:
        hidden = [
            p.name for f in self._outputs() if f.is_dir() for p in f.iterdir() if p.name.startswith((".w", ".com"))
        ]
        return [f"left behind: {', '.join(hidden)}"] if hidden else []

    def _population(self, which: int) -> None:
        (self.folder / "data/raw/population.csv").write_text(self.people[which], encoding="utf-8")

    def _wipe(self) -> None:
        for f in self._outputs():
            shutil.rmtree(f, ignore_errors=True)

    def _state(self) -> dict[str, str]:
        """Return name -> hash of every result; of the record what does not tell the time."""
        out = {}
        for folder in self._outputs():
            for p in sorted(folder.glob("*")) if folder.is_dir() else ():
                if p.is_file() and not p.name.startswith("."):
                    data = p.read_bytes()
                    if p.name == "run.json":
                        record = json.loads(data)
                        record.pop("steps")
                        data = json.dumps(record, sort_keys=True).encode()
                    out[f"{folder.name}/{p.name}"] = hashlib.sha256(data).hexdigest()
        return out

    def _child(self, when: float | None) -> int:
        """Run the command in a fork, killed after so many seconds; return how it ended."""
        number = os.fork()
        if number == 0:
            self._work()
        if when is not None:
            end = time.perf_counter() + when
            while time.perf_counter() < end:
                if os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    break  # what has ended is not killed any more
                time.sleep(0.002)
            os.kill(number, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])

    def _work(self) -> None:
        from bishan_gis.cli import app

        code: object = 1
        try:
            os.chdir(self.folder)
            extra = {"report": ["--out", "report"], "fetch": ["--only", "osm"]}.get(self.command, [])
            app([self.command, str(self.study), "--quiet", *extra], standalone_mode=False)
            code = 0
        finally:
            os._exit(0 if code == 0 else 1)


class FetchStress(Stress):
    """`fetch`, between two servers; whole answers are kept, or forgotten so that the kill falls where they come."""

    def __init__(self, command: str, folder: Path, dice: random.Random) -> None:
        super().__init__(command, folder, dice)
        streets = folder / "data/raw/streets.osm"
        other = folder / "other.osm"
        other.write_text(streets.read_text(encoding="utf-8").replace('v="residential"', 'v="living_street"'))
        self.text = self.study.read_text(encoding="utf-8")
        self.url = _serve([streets, other])

    def run(self, moments: int, quiet: bool) -> int:
        """Kill it so many times; end the server."""
        try:
            return super().run(moments, quiet)
        finally:
            os.kill(self.url[1], signal.SIGKILL)
            os.waitpid(self.url[1], 0)

    def _population(self, which: int) -> None:
        server = f'[fetch]\noverpass = "{self.url[0]}/{which}"\npause_s = 0\ntile_deg = 0.01\n'
        self.study.write_text(f"{self.text}\n{server}", encoding="utf-8")
        if self.dice.random() < 0.5:
            shutil.rmtree(self.folder / "data/raw/fetched/cache", ignore_errors=True)

    def _outputs(self) -> list[Path]:
        return [self.folder / "data/raw/fetched"]


def _serve(sources: list[Path]) -> tuple[str, int]:
    """Answer as Overpass servers do, one per file, in a process of its own; return address and process."""
    from loopback import SLOTS_FREE, Reply, loopback_server
    from test_fetch import overpass_xml

    read, write = os.pipe()
    parent = os.getpid()
    number = os.fork()
    if number == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the server says of clients that die
        with loopback_server() as server:
            for i, source in enumerate(sources):
                server.on(f"/{i}/status", SLOTS_FREE)
                server.on(f"/{i}/interpreter", lambda asked, source=source: Reply(overpass_xml(source, asked.data)))
            os.write(write, server.url.encode())
            while os.getppid() == parent:
                time.sleep(1)
        os._exit(0)
    os.close(write)
    return os.read(read, 100).decode(), number


if __name__ == "__main__":
    sys.exit(main())
