"""``bishan-gis gaps``: what it prints and writes, and with which code it ends."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import jsonschema
import pytest
from toy_study import lonlat, write_toy_study
from typer.testing import CliRunner

from bishan_gis.cli import app
from bishan_gis.errors import OutputError
from bishan_gis.output import gap_files
from bishan_gis.stages.gap_answer import selection_suffix

SCHEMA = json.loads(files("bishan_gis").joinpath("data/schemas/gaps.schema.json").read_text(encoding="utf-8"))


def _gaps(*args):
    return CliRunner().invoke(app, ["gaps", *map(str, args)])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The toy study, with its gaps written once."""
    file = write_toy_study(tmp_path_factory.mktemp("gaps"))
    assert _gaps(file, "--quiet").exit_code == 0
    return file


def _written(study):
    return study.parent / "data" / "processed"


def test_files_and_table(study, tmp_path):
    done = _gaps(study, "--json", tmp_path / "copy.json")
    assert done.exit_code == 0, done.stderr
    assert "覆盖缺口" in done.stdout
    assert "1. " in done.stdout
    assert done.stdout.index("按地点") < done.stdout.index("按服务") < done.stdout.index("1. ")
    text = (_written(study) / "gaps.json").read_bytes()
    assert text == (tmp_path / "copy.json").read_bytes()
    jsonschema.validate(json.loads(text), SCHEMA, cls=jsonschema.Draft202012Validator)
    assert {"gaps.json", "gaps.csv", "gaps.geojson"} <= {p.name for p in _written(study).iterdir()}
    english = _gaps(study, "--lang", "en")
    assert "coverage gaps by place" in english.stdout
    assert "people have no" in english.stdout


def test_json_alone_on_standard_output_and_selection(study):
    done = _gaps(study, "--json", "-", "--service", "kindergarten", "--level", "5", "--zone", "西镇")
    record = json.loads(done.stdout)
    jsonschema.validate(record, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert record["selection"] == {"services": ["kindergarten"], "levels": [5.0], "zones": ["西镇"]}
    assert record["totals"]["people"] == 1000
    assert {g["service"] for g in record["gaps"]} == {"kindergarten"}
    assert set(record["cells"]["zone_id"]) == {"1"}
    (service,) = record["services"]
    assert service["people_deficient"] == sum(g["people"] for g in record["gaps"]) == record["totals"]["people_lacking"]


def test_a_selection_leaves_the_files_of_everything(study, tmp_path):
    before = {p.name: p.read_bytes() for p in _written(study).glob("gaps.*")}
    assert _gaps(study, "--quiet", "--service", "park", "--zone", "西拓").exit_code == 0
    assert _gaps(study, "--quiet", "--level", "5").exit_code == 0
    assert {p.name: p.read_bytes() for p in _written(study).glob("gaps.*")} == before
    record = json.loads((_written(study) / "gaps_park_西拓.json").read_text(encoding="utf-8"))
    jsonschema.validate(record, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert (_written(study) / "gaps_5min.csv").exists()
    # The district lies only partly in the west: its name must not stand beside the people of the west.
    assert {row[0] for row in record["people"]["rows"]} == {"selection", "direction", "township"}
    people = record["people"]["columns"].index("people")
    assert {(row[2], row[people]) for row in record["people"]["rows"] if row[5] == "all"} == {
        ("所选范围", 1000),
        ("西拓", 1000),
        ("西镇", 1000),
    }
    missing = tmp_path / "none" / "a.json"
    done = _gaps(study, "--quiet", "--json", missing)
    assert done.exit_code == 2
    assert "不存在" in done.stderr
    assert not missing.parent.exists()


@pytest.mark.parametrize(
    ("zones", "suffix"),
    [
        (["a/b"], r"_park_a-b-[0-9a-f]{8}"),
        (["..", "a\nb"], r"_park_\.\._a-b-[0-9a-f]{8}"),
        (["镇" * 90], r"_park_镇{21}-[0-9a-f]{8}"),
    ],
)
def test_names_of_files_are_safe(zones, suffix):
    assert re.fullmatch(suffix, selection_suffix(["park"], [], zones))
    assert selection_suffix([], [], zones) != selection_suffix([], [], [zones[0] + " "])


def test_too_many_people_end_with_1(study):
    args = (study, "--service", "kindergarten", "--quiet")
    lacking = json.loads(_gaps(*args, "--json", "-").stdout)["totals"]["people_lacking"]
    assert 0 < lacking < 1501
    assert _gaps(*args, "--fail-above", lacking).exit_code == 0
    above = _gaps(*args, "--fail-above", lacking - 1)
    assert above.exit_code == 1
    assert f"{lacking:,}" in above.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--service", "kindergarden"], "kindergarten"),
        (["--level", "7"], "level 7"),
        (["--zone", "南镇"], "zone 南镇"),
        (["--since", "no-such-folder"], "no-such-folder"),
        (["--service", "kindergarten", "--level", "10"], "没有共同项"),
    ],
)
def test_bad_input_ends_with_2(study, args, said):
    done = _gaps(study, *args, "--quiet")
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_since_tells_what_closed(tmp_path):
    study = write_toy_study(tmp_path)
    assert _gaps(study, "--quiet").exit_code == 0
    before = json.loads((_written(study) / "gaps.json").read_text(encoding="utf-8"))
    streets = study.parent / "data" / "raw" / "streets.osm"
    lon, lat = lonlat(1500, 610)
    more = f'<node id="999" lat="{lat}" lon="{lon}" version="1"><tag k="amenity" v="kindergarten"/></node>'
    text = streets.read_text(encoding="utf-8").replace('<node id="1" ', more + '<node id="1" ', 1)
    streets.write_text(text, encoding="utf-8")
    done = _gaps(study, "--since", _written(study), "--json", "-")
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    jsonschema.validate(record, SCHEMA, cls=jsonschema.Draft202012Validator)
    rows = {r["service"]: r for r in record["changes"]["services"]}
    was = next(s for s in before["services"] if s["service"] == "kindergarten")["people_deficient"]
    now = next(s for s in record["services"] if s["service"] == "kindergarten")["people_deficient"]
    kindergarten = rows.pop("kindergarten")
    assert (kindergarten["people_before"], kindergarten["people_after"]) == (was, now)
    assert kindergarten["people_closed"] == was - now > 0
    assert kindergarten["people_opened"] == 0
    assert all(r["people_opened"] == r["people_closed"] == 0 for r in rows.values())
    assert {a["change"] for a in record["changes"]["areas"]} <= {"closed", "shrunk"}
    assert {a["place_zh"][:2] for a in record["changes"]["areas"]} == {"东镇"}
    shown = _gaps(study, "--since", _written(study), "--lang", "zh")  # the files are those of the run just now
    assert "减少" not in shown.stdout
    (study.parent / "old.json").write_text(json.dumps(before), encoding="utf-8")
    shown = _gaps(study, "--since", study.parent / "old.json").stdout
    assert f"幼儿园: 新增 0, 减少 {was - now} 人" in shown
    assert re.search(r"  东镇.*: 幼儿园 (消除|缩小), ", shown)
    assert {i for a in record["changes"]["areas"] for i in a["gap_ids_before"]} <= {g["gap_id"] for g in before["gaps"]}
    assert _gaps(study, "--since", _written(study), "--zone", "西镇").exit_code == 2, "another selection of zones"


def test_a_failure_leaves_the_last_files(study, monkeypatch):
    before = {p.name: p.read_bytes() for p in _written(study).glob("gaps.*")}

    def fail(*_args):
        zh, en = "磁盘已满", "disk full"
        raise OutputError(zh, en)

    monkeypatch.setattr(gap_files, "write_csv", fail)
    assert _gaps(study, "--zone", "西镇").exit_code == 4
    assert {p.name: p.read_bytes() for p in _written(study).glob("gaps.*")} == before
