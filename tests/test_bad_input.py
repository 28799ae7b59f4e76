"""Bad input: one clear message each, in both languages, an exit code, and nothing half written."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from bad_inputs import CASES, Bad
from toy_study import write_toy_study
from typer.testing import CliRunner

from bishan_gis.cli import app
from bishan_gis.errors import BishanGisError

PAGE = Path(__file__).parent.parent / "docs/bad-input.md"
HEAD = """# What is said of bad input

Every row is a test (`tests/bad_inputs.py`): the study is spoilt in one place, the command is run, and this line, alone,
is what it says; nothing is written. `tests/test_bad_input.py` compares this page with what is said and, with
`BISHAN_GIS_WRITE=1`, writes it.

| what is wrong | error, exit code | Chinese | English |
|---|---|---|---|
"""
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pristine")
    write_toy_study(folder)
    return folder


@pytest.fixture(scope="module")
def rows():
    """What was said of each case; compared with the page when all were run."""
    said: dict[str, str] = {}
    yield said
    if set(said) == {c.id for c in CASES}:
        import os

        text = HEAD + "".join(said[c.id] for c in CASES)
        if os.environ.get("BISHAN_GIS_WRITE"):
            PAGE.write_text(text, encoding="utf-8")
        assert PAGE.read_text(encoding="utf-8") == text, "run the tests with BISHAN_GIS_WRITE=1 and look at the page"


def said_of(case: Bad, folder: Path, monkeypatch) -> tuple[BishanGisError, str, int]:
    """Run the command; return the error it met, the line it said and its exit code."""
    met: list[BishanGisError] = []
    real = BishanGisError.message

    def message(self, lang="zh"):
        met.append(self)
        return real(self, lang)

    monkeypatch.setattr(BishanGisError, "message", message)
    done = CliRunner().invoke(app, [case.command, str(folder), "--quiet", "--lang", "zh"])
    assert met, (done.output, done.exception)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return met[0], lines[0], done.exit_code


def test_there_are_many_and_each_is_named_once():
    assert len(CASES) >= 60
    assert len({c.id for c in CASES}) == len({c.zh for c in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[c.id for c in CASES])
def test_one_clear_message(pristine, tmp_path, case, monkeypatch, rows):
    folder = tmp_path / "study"
    shutil.copytree(pristine, folder)
    case.spoil(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    err, line, code = said_of(case, folder, monkeypatch)
    zh, en = (BishanGisError.message(err, lang).replace(str(folder) + "/", "") for lang in ("zh", "en"))
    assert line.startswith("错误: ")
    assert code == err.exit_code in (2, 3)
    assert type(err).__name__ == case.error or not case.error, f"{type(err).__name__}: {err}"
    assert all(w in zh for w in case.words), zh
    assert all(w in en for w in case.words if not CHINESE.search(w)), en
    assert CHINESE.search(zh), zh
    assert not any(word in en for word in ("请", "缺少", "错误", "无法", "个")), en
    assert len(zh) < 700, "one line that is read"
    after = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert after == before, "nothing may be half written"
    cells = [f"{case.zh} · {case.en}", f"{type(err).__name__}, {code}", *(t.replace("|", "\\|") for t in (zh, en))]
    rows[case.id] = "| " + " | ".join(c.replace("<", "&lt;").replace("\0", "") for c in cells) + " |\n"


def test_json_errors_are_json(pristine, tmp_path):
    shutil.copytree(pristine, tmp_path / "s")
    next(c for c in CASES if c.id == "no streets").spoil(tmp_path / "s")
    done = CliRunner().invoke(app, ["run", str(tmp_path / "s"), "--json"])
    assert done.exit_code == 3
    said = json.loads(done.stdout)
    assert said["ok"] is False
    assert said["error"] == "NoDataError"


def test_a_place_that_cannot_be_written(pristine, tmp_path):
    shutil.copytree(pristine, tmp_path / "s")
    (tmp_path / "s/maps").write_text("a file where a folder should be", encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(tmp_path / "s"), "--quiet"])
    assert done.exit_code == 4
    assert "maps" in done.stderr
    assert not list((tmp_path / "s").rglob(".writing-*"))


def test_invalid_polygons_are_mended_and_counted(pristine, tmp_path):
    shutil.copytree(pristine, tmp_path / "s")
    path = tmp_path / "s/data/raw/townships.geojson"
    frame = gpd.read_file(path)
    ring = list(frame.geometry.iloc[0].exterior.coords)
    bow = shapely.Polygon([ring[0], *ring])
    frame.geometry = [bow, frame.geometry.iloc[1]]
    frame.to_file(path, driver="GeoJSON")
    assert CliRunner().invoke(app, ["check", str(tmp_path / "s"), "--quiet"]).exit_code == 0
