"""Bad input: one clear message each, in the language asked for, an exit code, and nothing half written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from toy_study import write_toy_study
from typer.testing import CliRunner

from bishan_gis.cli import app


def _replace(name: str, old: str, new: str):
    def spoil(folder: Path) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return spoil


def _write(name: str, content: bytes):
    return lambda folder: (folder / name).write_bytes(content)


def _append(text: str):
    def spoil(folder: Path) -> None:
        path = folder / "study.toml"
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    return spoil


def _metres_called_degrees(folder: Path) -> None:
    path = folder / "data/raw/district.geojson"
    frame = gpd.read_file(path).to_crs(4544)
    data = json.loads(frame.to_json(drop_id=True))
    data.pop("crs", None)
    path.write_text(json.dumps(data), encoding="utf-8")


def _degrees_called_metres(folder: Path) -> None:
    frame = gpd.read_file(folder / "data/raw/townships.geojson").set_crs(4544, allow_override=True)
    frame.to_file(folder / "data/raw/townships.gpkg")
    _replace("study.toml", "townships.geojson", "townships.gpkg")(folder)


def _without_crs(folder: Path) -> None:
    frame = gpd.read_file(folder / "data/raw/townships.geojson")
    frame.to_file(folder / "data/raw/townships.shp", encoding="UTF-8")
    (folder / "data/raw/townships.prj").unlink(missing_ok=True)
    _replace("study.toml", "townships.geojson", "townships.shp")(folder)


def _elsewhere(folder: Path) -> None:
    frame = gpd.read_file(folder / "data/raw/townships.geojson")
    frame.geometry = frame.translate(3, 0)
    frame.to_file(folder / "data/raw/townships.geojson", driver="GeoJSON")


def _truncated_pbf(folder: Path) -> None:
    import osmium

    source, target = folder / "data/raw/streets.osm", folder / "data/raw/streets.osm.pbf"
    writer = osmium.SimpleWriter(str(target))
    for item in osmium.FileProcessor(str(source)):
        writer.add(item)
    writer.close()
    target.write_bytes(target.read_bytes()[:-200])
    _replace("study.toml", 'osm = "streets.osm"', 'osm = "streets.osm.pbf"')(folder)


def _no_streets(folder: Path) -> None:
    path = folder / "data/raw/streets.osm"
    path.write_text(path.read_text(encoding="utf-8").replace('k="highway"', 'k="was:highway"'), encoding="utf-8")


def _no_features(folder: Path) -> None:
    empty = {"type": "FeatureCollection", "features": []}
    (folder / "data/raw/townships.geojson").write_text(json.dumps(empty), encoding="utf-8")


def _changed_file(folder: Path) -> None:
    _replace("study.toml", 'datasets = ""', 'datasets = "data/raw/datasets.toml"')(folder)
    (folder / "data/raw/datasets.toml").write_text(
        '[[dataset]]\npath = "population.csv"\ntitle = "人口"\nsource = "x"\nlicence = "x"\nkind = "assumed"\n'
        f'sha256 = "{"0" * 64}"\n',
        encoding="utf-8",
    )


CASES = [
    ("unknown key", _replace("study.toml", "lang =", "langg ="), 2, ["langg", "lang"]),
    ("unknown key in a section", _append("[reach]\ncutoff_min = [5]\n"), 2, ["reach.cutoff_min", "cutoffs_min"]),
    (
        "several problems at once",
        _replace("study.toml", 'id = "toy"\nname = "玩具区"', 'id = "a b"'),
        2,
        ["id", "name"],
    ),
    ("not TOML", _write("study.toml", b"id = [1,"), 2, ["study.toml", "TOML"]),
    ("not UTF-8", _write("study.toml", "名".encode("gbk")), 2, ["study.toml", "UTF-8"]),
    ("cutoffs fall", _append("[reach]\ncutoffs_min = [15, 5]\n"), 2, ["cutoffs_min"]),
    ("unknown CRS", _replace("study.toml", "EPSG:4544", "EPSG:99999"), 2, ["99999"]),
    ("CRS in degrees", _replace("study.toml", "EPSG:4544", "EPSG:4326"), 2, ["4326"]),
    ("Web Mercator", _replace("study.toml", "EPSG:4544", "EPSG:3857"), 2, ["3857"]),
    ("zone of another country", _replace("study.toml", "EPSG:4544", "EPSG:3067"), 2, ["3067"]),
    ("unknown profile", _append('[walk]\nprofile = "adlut"\n'), 2, ["adlut", "adult"]),
    ("unknown service", _replace("study.toml", '"pharmacy"', '"farmacy"'), 2, ["farmacy", "pharmacy"]),
    ("unknown town in a direction", _replace("study.toml", '["西镇"]', '["西真"]'), 2, ["西真"]),
    ("town in two directions", _replace("study.toml", '["西镇"]', '["西镇", "东镇"]'), 2, ["东镇"]),
    ("file missing", lambda f: (f / "data/raw/population.csv").unlink(), 2, ["population.csv", "inputs.population"]),
    ("empty OSM file", _write("data/raw/streets.osm", b""), 2, ["streets.osm"]),
    ("OSM file is a web page", _write("data/raw/streets.osm", b"<html><body>429</body></html>"), 2, ["streets.osm"]),
    ("truncated pbf", _truncated_pbf, 2, ["streets.osm.pbf"]),
    ("no streets", _no_streets, 3, ["streets.osm"]),
    ("no features", _no_features, 3, ["townships.geojson"]),
    ("layer is no layer", _write("data/raw/townships.geojson", b"hello"), 2, ["townships.geojson"]),
    ("empty layer file", _write("data/raw/townships.geojson", b""), 2, ["townships.geojson"]),
    ("no CRS", _without_crs, 2, ["townships.shp"]),
    ("metres called degrees", _metres_called_degrees, 2, ["district.geojson"]),
    ("degrees called metres", _degrees_called_metres, 2, ["townships.gpkg"]),
    ("towns elsewhere", _elsewhere, 3, ["经纬度"]),
    ("column missing", _replace("study.toml", 'zone_id = "code"', 'zone_id = "coed"'), 2, ["coed", "code"]),
    ("population column missing", _replace("study.toml", '"young"', '"yuong"'), 2, ["population.csv", "yuong"]),
    ("parts do not add up", _replace("data/raw/population.csv", "1000,200", "1000,201"), 2, ["population.csv", "1"]),
    ("not a number", _replace("data/raw/population.csv", "501,101", "501,many"), 2, ["population.csv"]),
    ("negative people", _replace("data/raw/population.csv", "501,101,300,100", "-1,-1,0,0"), 2, ["population.csv"]),
    ("town unknown to the population", _replace("data/raw/population.csv", "\n2,", "\n7,"), 2, ["population.csv", "7"]),
    ("file changed", _changed_file, 2, ["population.csv"]),
]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pristine")
    write_toy_study(folder)
    return folder


@pytest.mark.parametrize(("spoil", "code", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_one_clear_message(pristine, tmp_path, spoil, code, words):
    folder = tmp_path / "study"
    shutil.copytree(pristine, folder)
    spoil(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for lang in ("zh", "en"):
        done = CliRunner().invoke(app, ["run", str(folder), "--quiet", "--lang", lang])
        assert done.exit_code == code, done.output
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("错误: " if lang == "zh" else "error: ")
        if lang == "zh":
            assert all(w in lines[0] for w in words), lines[0]
        else:
            assert not any(word in lines[0] for word in ("请", "缺少", "错误", "无法")), lines[0]
    after = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert after == before, "nothing may be half written"


def test_json_errors_are_json(pristine, tmp_path):
    shutil.copytree(pristine, tmp_path / "s")
    _no_streets(tmp_path / "s")
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
