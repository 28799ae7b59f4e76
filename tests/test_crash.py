"""Killed, out of space, locked out: the last result stands, the next run completes, nothing stays behind."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy_study import write_toy_study
from typer.testing import CliRunner

from bishan_gis.cli import app
from bishan_gis.errors import OutputError
from bishan_gis.output.files import Staging
from bishan_gis.sources import journal
from bishan_gis.sources.datasets import check_datasets, study_datasets
from bishan_gis.sources.fetch.store import FetchedSet

ROOT = Path(__file__).parent.parent
OLD = {"a.csv": "old a", "b.csv": "old b", "gone.csv": "old only", "run.json": ""}
NEW = {"a.csv": "new a", "b.csv": "new b", "more.csv": "new only", "run.json": ""}
#: Everything by which the set changes the disk.
CALLS = ("replace", "unlink", "link", "mkdir", "rmdir", "fsync")


def write_set(places, texts):
    """Write a set over two folders, as a run does; the record last."""
    with Staging(places) as out:
        for name, text in texts.items():
            if name != "run.json":
                out.path("maps" if name == "b.csv" else "tables", name).write_text(text)
        record = json.dumps({"outputs": out.hashes()})
        out.path("tables", "run.json").write_text(record)
        out.replaces("tables", "run.json")
        out.commit()


def found(places):
    """Return what the folders hold, hidden names too; the record by what it lists."""
    out = {}
    for folder in places.values():
        for p in folder.rglob("*"):
            if p.is_file():
                out[p.name] = p.read_text()
    if "run.json" in out:
        out["run.json"] = ""
    return out


@pytest.fixture
def places(tmp_path):
    folders = {"tables": tmp_path / "data/processed", "maps": tmp_path / "maps"}
    write_set(folders, OLD)
    assert found(folders) == OLD
    return folders


@contextmanager
def after(count, then):
    """Call `then` in place of the `count`-th change of the disk."""
    left = [count]

    def counted(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                then()
            return real(*args, **kwargs)

        return call

    real = {name: getattr(os, name) for name in CALLS}
    for name, call in real.items():
        setattr(os, name, counted(call))
    try:
        yield left
    finally:
        for name, call in real.items():
            setattr(os, name, call)


def in_child(work):
    """Run in a process of its own and return how it ended: 0, or minus the signal."""
    number = os.fork()
    if number == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_fetch_killed_at_every_change_of_the_disk(tmp_path):
    """Streets, their extent and the list of both are of one fetch, for whoever reads next."""
    folder = tmp_path / "data/raw/fetched"
    study = SimpleNamespace(fetched=folder, datasets=None)
    known = {"title": "t", "source": "s", "licence": "l", "kind": "observed"}

    def fetch(which):
        with FetchedSet(folder) as new:
            for name in ("streets.osm.pbf", "streets_extent.geojson"):
                new.path(name).write_text(which)
                new.enter(name, {**known, "date": which})
            new.commit()

    fetch("2020")
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    seen, step = [], 0
    while not seen or seen[-1][0] != 0:
        step += 1
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)

        def work(step=step):
            with after(step, die):
                fetch("2024")

        code = in_child(work)
        used, notes = check_datasets(study_datasets(study))
        assert (len(used), notes) == (2, [])
        texts = {p.read_text() for p in folder.glob("streets*")}
        assert texts == {d.date for d in used.values()}
        seen.append((code, texts.pop()))
        fetch("2024")
        assert sorted(p.name for p in folder.iterdir()) == [
            "datasets.toml",
            "streets.osm.pbf",
            "streets_extent.geojson",
        ]
    assert len({w for c, w in seen if c == -signal.SIGKILL}) == 2
    assert [w for _, w in seen] == sorted(w for _, w in seen)


def test_killed_at_every_change_of_the_disk(places):
    """Old or new, never some of each, wherever the kill falls; and the next writer finds nothing in its way."""
    pristine = places["tables"].parents[1]
    kept = pristine.with_name("kept")
    shutil.copytree(pristine, kept)
    ends, step = [], 0
    while True:
        step += 1
        shutil.rmtree(pristine)
        shutil.copytree(kept, pristine)

        def work(step=step):
            with after(step, die):
                write_set(places, NEW)

        code = in_child(work)
        visible = {p.name: p.read_text() for f in places.values() for p in f.iterdir() if p.is_file()}
        for name, text in visible.items():
            if not name.startswith(".") and name != "run.json":
                assert text in (OLD.get(name), NEW.get(name)), f"{name} is half written after step {step}"
        journal.recover(places.values())
        assert found(places) in (OLD, NEW), f"a mixed set after step {step}"
        ends.append(found(places) == NEW)
        assert not [p for f in places.values() for p in f.iterdir() if p.name.startswith(".")]
        write_set(places, NEW)
        assert found(places) == NEW
        if code == 0:
            break
    assert step > 20
    assert ends == sorted(ends), "there is one moment before which the old set stands and after which the new"
    assert not ends[0]
    assert ends[-1]


def test_killed_while_completing(places):
    """Completing what was killed may be killed too."""
    step = 0
    while True:
        step += 1
        write_set(places, OLD)
        state = {"left": 0}

        def begin():
            original = Path.replace

            def replace(self, target):
                if Path(target).name == "b.csv":
                    die()
                return original(self, target)

            Path.replace = replace
            write_set(places, NEW)

        assert in_child(begin) == -signal.SIGKILL

        def complete(step=step, state=state):
            with after(step, die):
                journal.recover(places.values())

        code = in_child(complete)
        journal.recover([places["maps"]])
        assert (places["maps"] / "b.csv").read_text() == "new b"
        assert (places["tables"] / "a.csv").read_text() == "new a"
        journal.recover(places.values())
        assert found(places) == NEW
        if code == 0:
            break
    assert step > 5


def test_a_failure_in_the_middle_takes_everything_back(places):
    """No space, no right, at each step of the commit: an error of ours and the old set."""

    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    failed = 0
    for name in ("replace", "fsync", "mkdir"):
        for step in range(1, 30):
            write_set(places, OLD)
            real, left = getattr(os, name), [step]

            def call(*args, real=real, left=left, **kwargs):
                left[0] -= 1
                if left[0] == 0:
                    full()
                return real(*args, **kwargs)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, name, call)
                try:
                    write_set(places, NEW)
                except OutputError as err:
                    failed += 1
                    assert "No space left" in err.en  # noqa: PT017
                    assert "磁盘空间" in err.zh  # noqa: PT017
                    assert found(places) == OLD, (name, step)
                else:
                    break
    assert failed > 12


def test_a_folder_where_a_file_should_be(places):
    (places["maps"] / "b.csv").unlink()
    (places["maps"] / "b.csv").mkdir()
    with pytest.raises(OutputError, match=r"b\.csv"):
        write_set(places, NEW)
    assert (places["tables"] / "a.csv").read_text() == "old a"


def test_two_writers_at_once_never_mix(places):
    context = multiprocessing.get_context("fork")
    sets = [{**NEW, "a.csv": f"{i}", "b.csv": f"{i}", "more.csv": f"{i}"} for i in range(2)]
    both = [context.Process(target=_many, args=(places, s)) for s in sets]
    for p in both:
        p.start()
    for p in both:
        p.join(60)
        assert p.exitcode == 0
    assert found(places) in sets


def _many(places, texts):
    for _ in range(15):
        write_set(places, texts)


def test_who_waits_too_long_is_told(places):
    number = journal.hold(places["tables"])
    try:
        with (
            pytest.raises(OutputError, match="another process is writing"),
            journal.locked(places.values(), wait_s=0.05),
        ):
            pass
    finally:
        os.close(number)
    journal.recover(places.values())


def test_folders_of_the_living_stay_and_those_of_the_dead_go(places):
    dead = places["tables"] / ".writing-0123-0"
    dead.mkdir()
    (dead / "half.csv").write_text("ha")
    with Staging(places) as one:
        one.path("tables", "a.csv").write_text("mine")
        assert not dead.exists()
        write_set(places, NEW)
        one.commit()
    assert found(places)["a.csv"] == "mine"


def test_a_forged_journal_reaches_no_other_folder(places, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine.txt").write_text("mine")
    hidden = outside / ".writing-f00d-0"
    hidden.mkdir()
    (hidden / "mine.txt").write_text("evil")
    digest = journal.file_sha256(hidden / "mine.txt")
    text = {
        "folders": ["../../outside", "."],
        "moves": [[0, "mine.txt", digest], [1, "../../outside/mine.txt", digest], [7, "x", digest], "?"],
        "removes": [[0, "mine.txt", journal.file_sha256(outside / "mine.txt")]],
    }
    (places["tables"] / ".commit-f00d.json").write_text(json.dumps(text))
    journal.recover(places.values())
    assert (outside / "mine.txt").read_text() == "mine"
    (places["tables"] / ".commit-1.json").write_text("[1, {")
    journal.recover(places.values())
    assert found(places) == OLD


def test_what_was_changed_since_is_not_removed(places):
    (places["tables"] / "gone.csv").write_text("notes of an analyst")
    write_set(places, NEW)
    assert found(places)["gone.csv"] == "notes of an analyst"


@pytest.mark.parametrize("limit", [1 << 12, 1 << 17], ids=["temporary files", "outputs"])
def test_disk_full_during_a_run(tmp_path, limit):
    """A limit on the size of files stands for a disk that takes no more."""
    study = write_toy_study(tmp_path)
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / "index.html").write_text("the last result")

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-m", "bishan_gis.cli", "run", str(study), "-q", "--lang", "en"],
        capture_output=True,
        text=True,
        preexec_fn=work,
        check=False,
    )
    assert done.returncode == (4 if limit > 1 << 16 else 2), done.stderr
    *before, line = done.stderr.strip().splitlines()
    assert all(said.startswith(("ERROR ", "Warning ")) for said in before), f"GDAL's own words: {before}"
    assert line.startswith("error: writing the results failed: " if limit > 1 << 16 else "error: ")
    assert "free space" in line or "too large" in line
    assert [p.name for p in maps.iterdir()] == ["index.html"]
    assert (maps / "index.html").read_text() == "the last result"
    assert not list(tmp_path.glob("data/processed/*"))


def test_a_folder_without_right_to_write(tmp_path):
    """As a user without rights; root is let in everywhere."""
    if os.geteuid() != 0:
        places = {"tables": tmp_path / "locked"}
        places["tables"].mkdir(mode=0o500)
        with pytest.raises(OutputError, match="cannot write to"), Staging(places):
            pass
        return
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o755)

    def work():
        os.setgid(65534)
        os.setuid(65534)
        try:
            with Staging({"tables": folder}):
                pass
        except OutputError as err:
            os._exit(7 if "Permission" in err.en or "cannot write" in err.en else 8)

    assert in_child(work) == 7
    assert not list(folder.iterdir())


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EIO, errno.EACCES])
def test_a_file_that_vanishes_while_it_is_read(tmp_path, monkeypatch, number):
    study = write_toy_study(tmp_path)
    real = Path.read_bytes

    def read(self):
        if self.name == "population.csv":
            raise OSError(number, os.strerror(number), str(self))
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", read)
    for lang, word in (("zh", "读取"), ("en", "read")):
        done = CliRunner().invoke(app, ["run", str(study), "-q", "--lang", lang])
        assert done.exit_code == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert "population.csv" in done.stderr
        assert word in done.stderr
    assert not (tmp_path / "maps").exists()


def test_killed_at_random_moments():
    """A few of the kills that `make stress` does fifty of."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/stress.py"), "--moments", "3", "--commands", "run", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
