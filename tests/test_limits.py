"""Limits that are checked before the work, and what no file can make the program do."""

from __future__ import annotations

import ast
import bz2
import gzip
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from toy_study import write_toy_study

import bishan_gis as bg
from bishan_gis import limits
from bishan_gis.errors import BrokenFileError, InputError, OutputError
from bishan_gis.limits import check_limits, estimate
from bishan_gis.sources.safety import check_raster_file, check_unpacked, check_vector_file

PACKAGE = Path(bg.__file__).parent
#: Calls that run what a file says, or let it be run.
FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "pickle.load",
    "pickle.loads",
}
FORBIDDEN |= {
    "marshal.loads",
    "shelve.open",
    "joblib.load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "tarfile.extractall",
}
MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "telnetlib", "ftplib"}


@pytest.fixture
def study(tmp_path):
    return bg.load_study(write_toy_study(tmp_path))


def with_(study, **sections):
    copy = study.model_copy(update={k: getattr(study, k).model_copy(update=v) for k, v in sections.items()})
    copy._file = study.file
    return copy


def test_finer_never_needs_less(study):
    first = estimate(study)
    assert first.memory_mb == pytest.approx(sum(m for m, _ in first.parts.values()))
    for finer in ({"cells": {"size_m": 10.0}}, {"reach": {"grid_m": 1.0}}, {"cells": {"type": "h3", "resolution": 12}}):
        assert estimate(with_(study, **finer)).memory_mb > first.memory_mb
    assert estimate(with_(study, cells={"size_m": 0.2})).largest == "pairs"
    assert estimate(with_(study, reach={"grid_m": 0.05})).largest == "grid"


def test_the_estimate_of_bishan_is_of_the_right_order():
    """Measured: 1,104 MB (benchmarks/RESULTS.md)."""
    found = estimate(bg.load_study(PACKAGE.parent / "studies/bishan"))
    assert 600 < found.memory_mb < 1600


def test_too_large_is_refused_before_the_work(study, monkeypatch):
    monkeypatch.setattr(limits, "available_memory_mb", lambda: 500.0)
    check_limits(study)
    small = with_(study, limits={"memory_mb": 100.0})
    with pytest.raises(InputError, match=r"100 MB are there; nothing was begun: close other programs"):
        bg.run(small)
    with pytest.raises(InputError, match=r"请增大 cells\.size_m"):
        bg.run(with_(study, cells={"size_m": 0.2}))
    with pytest.raises(InputError, match=r"streets\.osm: 0 MB is above limits\.file_mb"):
        check_limits(with_(study, limits={"file_mb": 0.001}))
    # The study's own limit wins over what the machine says.
    assert check_limits(with_(study, cells={"size_m": 1.0}, limits={"memory_mb": 1e6}))
    assert not study.processed.exists()


def test_memory_of_a_container_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "_cgroup_mb", lambda: [300.0])
    assert limits.available_memory_mb() == 300.0
    monkeypatch.setattr(limits, "_meminfo_mb", lambda: 200.0)
    assert limits.available_memory_mb() == 200.0


def test_no_place_for_outputs_is_said_first(study, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 3 << 20))
    with pytest.raises(OutputError, match="3 MB are free"):
        bg.run(study)
    monkeypatch.undo()
    monkeypatch.setattr(limits.os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="no right to write"):
        bg.run(study)
    monkeypatch.undo()
    study.maps.write_text("a file")
    with pytest.raises(OutputError, match="is not a folder"):
        bg.run(study)


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_unpacking_is_bounded(tmp_path, pack, suffix):
    path = tmp_path / f"a.osm{suffix}"
    path.write_bytes(pack(bytes(70 << 20)))
    with pytest.raises(BrokenFileError, match="200 times"):
        check_unpacked(path, where="a")
    path.write_bytes(pack(b"<osm/>"))
    check_unpacked(path, where="a")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BrokenFileError, match="damaged"):
        check_unpacked(path, where="a")


def test_files_that_point_elsewhere_are_not_followed(tmp_path):
    for name, text in (("a.json", "<OGRWFSDataSource/>"), ("a.kml", "<kml><NetworkLink/></kml>")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="points to data elsewhere"):
            check_vector_file(tmp_path / name, where=name)
    for name in ("a.vrt", "a.tar", "a.xml"):
        with pytest.raises(InputError, match="is not read"):
            check_raster_file(tmp_path / name, where=name)
    for name in ("a.vrt", "a.gml", "a.pkl", "a", "a.zip"):
        with pytest.raises(InputError, match="GeoPackage"):
            check_vector_file(tmp_path / name, where=name)


def dotted(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def unsafe(tree):
    """Yield line and name of what runs, or unpickles, what a file says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from ((node.lineno, n) for n in names if n.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in FORBIDDEN and name != "re.compile":
                yield node.lineno, name
            for given in node.keywords:
                on = isinstance(given.value, ast.Constant) and given.value.value is True
                if given.arg in ("shell", "allow_pickle") and on:
                    yield node.lineno, f"{name}({given.arg}=True)"


def test_nothing_in_a_file_is_ever_run():
    assert [n for _, n in unsafe(ast.parse("import pickle\neval('1')\nnp.load(f, allow_pickle=True)"))] == [
        "pickle",
        "eval",
        "np.load(allow_pickle=True)",
    ]
    found = {
        f"{path.relative_to(PACKAGE)}:{line} {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, name in unsafe(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert not found
