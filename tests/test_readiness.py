"""What is there, what is missing, old or doubtful, and what is impossible without it."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from toy_study import write_toy_study
from typer.testing import CliRunner

import bishan_gis as bg
from bishan_gis.cli import app
from bishan_gis.readiness import STATES, build_readiness
from bishan_gis.sources.datasets import Dataset, file_sha256, mixed_inputs, read_date
from bishan_gis.sources.inputs import load_inputs

TODAY = dt.date(2026, 11, 24)
ENTRY = """
[[dataset]]
path = "{file}"
title = "{file}"
source = "test"
licence = "CC0-1.0"
kind = "{kind}"
date = "{date}"
sha256 = "{sha256}"
"""


@pytest.fixture
def toy(tmp_path) -> Path:
    """A study with everything listed, observed, and of this month."""
    study = write_toy_study(tmp_path)
    edit(study, 'datasets = ""', 'datasets = "data/raw/datasets.toml"')
    edit(study, '[directions]\nkind = "assumed"', '[directions]\nkind = "observed"')
    for name in ("streets.osm", "district.geojson", "townships.geojson", "population.csv"):
        enter(study, name)
    return study


def edit(study: Path, old: str, new: str) -> None:
    text = study.read_text(encoding="utf-8")
    assert old in text
    study.write_text(text.replace(old, new), encoding="utf-8")


def enter(study: Path, file: str, *, kind: str = "observed", date: str = "2026-11", sha256: str = "") -> None:
    raw = study.parent / "data/raw"
    text = ENTRY.format(file=file, kind=kind, date=date, sha256=sha256 or file_sha256(raw / file))
    with (raw / "datasets.toml").open("a", encoding="utf-8") as out:
        out.write(text)


def states(study: Path, **options) -> dict[str, str]:
    table = build_readiness(bg.load_study(study), today=TODAY, **options)
    assert set(table["status"]) <= set(STATES)
    assert (table[["zh", "en", "prevents_zh", "prevents_en"]] != "").all(axis=None)
    worse = table["status"].isin(["missing", "doubtful", "stale"])
    assert ((table["reason_zh"] != "") == worse).all()
    return dict(zip(table["input"], table["status"], strict=True))


def row(study: Path, name: str, **options):
    table = build_readiness(bg.load_study(study), today=TODAY, **options).set_index("input")
    return table.loc[name]


def test_all_is_there(toy):
    assert states(toy) == {
        "inputs.district": "present",
        "inputs.townships": "present",
        "inputs.osm": "present",
        "inputs.villages": "absent",
        "inputs.grids": "absent",
        "inputs.osm_extent": "absent",
        "inputs.facilities": "absent",
        "inputs.population": "present",
        "inputs.landuse": "absent",
        "inputs.control_lines": "absent",
        "inputs.elevation": "absent",
        "directions": "present",
        "paths.datasets": "present",
    }
    assert row(toy, "inputs.osm")["age_days"] == 0
    assert row(toy, "inputs.osm")["licence"] == "CC0-1.0"


def test_missing_names_every_alternative(toy):
    edit(toy, 'path = "population.csv"', 'path = ["observed/people.csv", "population.csv"]')
    found = row(toy, "inputs.population")
    assert (found["status"], found["better"], found["file"]) == ("present", "observed/people.csv", "population.csv")
    (toy.parent / "data/raw/population.csv").unlink()
    found = row(toy, "inputs.population")
    assert found["status"] == "missing"
    assert found["reason_en"] == "no observed/people.csv | population.csv"
    assert found["prevents_en"] == "people covered, gaps, equity"


def test_stale_by_the_limit_of_each(toy):
    listed = toy.parent / "data/raw/datasets.toml"
    text = listed.read_text(encoding="utf-8")
    listed.write_text(text.replace("2026-11", "2023"), encoding="utf-8")
    found = states(toy)
    assert found["inputs.osm"] == "stale"
    assert found["inputs.population"] == found["inputs.townships"] == "present"
    assert row(toy, "inputs.osm")["age_days"] == (TODAY - dt.date(2023, 12, 31)).days
    with toy.open("a", encoding="utf-8") as out:
        out.write("[fetch]\nstale_days = 2000\n")
    assert states(toy)["inputs.osm"] == "present"


def _changed(study: Path) -> None:
    path = study.parent / "data/raw/population.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("501,101", "502,102"), encoding="utf-8")


def _elsewhere(study: Path) -> None:
    path = study.parent / "data/raw/landuse.gpkg"
    gpd.read_file(path).set_geometry(gpd.read_file(path).translate(3, 0)).to_file(path)


def _without_crs(study: Path) -> None:
    path = study.parent / "data/raw/landuse.gpkg"
    frame = gpd.read_file(path)
    path.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that is what is wanted
        frame.set_crs(None, allow_override=True).to_file(path)


def _no_layer(study: Path) -> None:
    (study.parent / "data/raw/landuse.gpkg").write_bytes(b"SQLite format 3\0 and then nothing")


@pytest.mark.parametrize(
    ("spoil", "name", "said"),
    [
        (None, "inputs.landuse", "synthetic data"),
        (_changed, "inputs.population", "has changed"),
        (_elsewhere, "inputs.landuse", "does not overlap the district"),
        (_without_crs, "inputs.landuse", "no coordinate system"),
        (_no_layer, "inputs.landuse", "cannot be read"),
    ],
)
def test_doubtful(toy, spoil, name, said):
    raw = toy.parent / "data/raw"
    towns = gpd.read_file(raw / "townships.geojson").assign(dlbm="0701")
    towns.to_file(raw / "landuse.gpkg")
    edit(
        toy,
        "[inputs.population]",
        '[inputs.landuse]\npath = "landuse.gpkg"\ncolumns = { code = "dlbm" }\n[inputs.population]',
    )
    if spoil:
        spoil(toy)
    enter(toy, "landuse.gpkg", kind="observed" if spoil else "synthetic")
    found = row(toy, name)
    assert found["status"] == "doubtful"
    assert said in found["reason_en"]


def test_a_raster_that_covers_half(toy):
    raw = toy.parent / "data/raw"
    west, _, east, north = gpd.read_file(raw / "district.geojson").total_bounds
    step = (east - west) / 20
    place = rasterio.Affine(step, 0, west, 0, -step, north)
    profile = {"driver": "GTiff", "width": 10, "height": 40, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(raw / "dem.tif", "w", **profile, transform=place) as out:
        out.write(np.full((40, 10), 300, dtype="float32"), 1)
    edit(toy, 'osm = "streets.osm"', 'osm = "streets.osm"\nelevation = "dem.tif"')
    enter(toy, "dem.tif", date="2011-2015")
    found = row(toy, "inputs.elevation")
    assert found["reason_en"] == "covers only 50% of the district's extent"


def test_thinly_mapped_streets_and_an_unlisted_file(toy):
    (toy.parent / "data/raw/datasets.toml").write_text("", encoding="utf-8")
    study = bg.load_study(toy)
    data = load_inputs(study)
    assert "not in the list" in row(toy, "inputs.osm")["reason_en"]
    assert "thinly" not in row(toy, "inputs.osm", data=data)["reason_en"]  # 5 places for 1,501 people
    data.population.controls["people"] *= 10
    assert "thinly mapped" in row(toy, "inputs.osm", data=data)["reason_en"]


def test_assumed_directions_and_a_broken_list(toy):
    edit(toy, '[directions]\nkind = "observed"', '[directions]\nkind = "assumed"\nnote = "名单未公开"')
    assert row(toy, "directions")["reason_zh"] == "名单未公开"
    (toy.parent / "data/raw/datasets.toml").write_text("[[dataset]]\n", encoding="utf-8")
    assert row(toy, "paths.datasets")["status"] == "missing"


def test_the_command_says_so_where_it_fails_too(toy):
    good = json.loads(CliRunner().invoke(app, ["check", str(toy), "--json"]).stdout)
    assert good["ok"]
    assert {r["input"]: r["status"] for r in good["readiness"]}["inputs.osm"] == "present"
    (toy.parent / "data/raw/streets.osm").unlink()
    done = CliRunner().invoke(app, ["check", str(toy), "--json"])
    bad = json.loads(done.stdout)
    assert (done.exit_code, bad["ok"], bad["error"]) == (2, False, "MissingFileError")
    assert {r["input"]: r["status"] for r in bad["readiness"]}["inputs.osm"] == "missing"
    for lang, words in (("zh", ("缺少", "没有它则无法", "一切步行时间")), ("en", ("missing", "impossible without it"))):
        done = CliRunner().invoke(app, ["check", str(toy), "--lang", lang, "-q"])
        assert (done.exit_code, done.stdout) == (2, "")
        shown = CliRunner().invoke(app, ["check", str(toy), "--lang", lang], env={"COLUMNS": "100"})
        assert shown.exit_code == 2
        assert all(word in shown.stdout for word in words)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2020", "2020-12-31"),
        ("2024-02", "2024-02-29"),
        ("2026-11-24", "2026-11-24"),
        ("2026-11-20T10:00:00Z", "2026-11-20"),
        ("2011-2015", "2015-12-31"),
        ("2023-02-31", "2023-02-28"),
        ("", None),
        ("unknown", None),
        ("120200", None),
    ],
)
def test_dates_mean_their_last_day(text, day):
    assert read_date(text) == (dt.date.fromisoformat(day) if day else None)


def test_mixed_inputs_are_said_once():
    files = {"inputs.osm": Path("a.pbf"), "inputs.population": Path("p.csv"), "inputs.landuse": Path("l.gpkg")}
    known = {Path("a.pbf"): Dataset("a.pbf", "", "", "", "observed", "", date="2026-11")}
    kinds = {"inputs.osm": "observed", "inputs.population": "observed", "inputs.landuse": "observed"}
    assert mixed_inputs(known, kinds, files) == []
    (years,) = mixed_inputs(known, kinds, files, dates={"inputs.population": "2020"})
    assert years[1] == "the inputs are of different years: 2020 (p.csv); 2026 (a.pbf)"
    (ground,) = mixed_inputs(known, {**kinds, "inputs.landuse": "synthetic"}, files)
    assert ground[0] == "输入资料的性质不一：实测（a.pbf、p.csv）；合成（l.gpkg）"


def test_every_input_of_the_shipped_knowledge_is_an_input():
    from bishan_gis import study_settings
    from bishan_gis.data import __path__ as place

    known = tomllib.loads((Path(place[0]) / "readiness.toml").read_text(encoding="utf-8"))
    assert set(known["inputs"]) == set(study_settings.Inputs.model_fields)
