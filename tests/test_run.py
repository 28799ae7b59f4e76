"""The whole road: what a run leaves, that it adds up, and that it is the same twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyogrio
import pytest
from toy_study import STEP, write_toy_study

import bishan_gis as bg
from bishan_gis.errors import OutputError


def _district(results, service, cutoff, group="all"):
    t = results.coverage
    row = t[
        (t["zone_kind"] == "district")
        & (t["service"] == service)
        & (t["cutoff_min"] == cutoff)
        & (t["age_group"] == group)
    ]
    assert len(row) == 1
    return row.iloc[0]


def test_toy_town_by_hand(toy_results):
    r = toy_results
    assert len(r.zones) == 5
    assert int(r.cells["people"].sum()) == 1501
    near = r.access[r.access["service"] == "kindergarten"].merge(
        r.cells, left_on="origin_id", right_on="cell_id", validate="1:1"
    )
    # Kindergarten at (160, 145): 5 m from the street y = 150, 10 m past the corner (150, 150). Streets are a
    # grid, so the way is |dx| + |dy| from where the cell meets its street.
    from toy import EAST, NORTH

    nearest = near.loc[near["value"].idxmin()]
    assert nearest["facility_id"] == "node/900"
    speed = 4000 / 3600
    one = near.iloc[len(near) // 2]
    x, y = one["x"] - EAST, one["y"] - NORTH
    # distance to the nearest street line of either direction, then the Manhattan way to (160, 150)
    dx, dy = abs(x - round(x / STEP) * STEP), abs(y - round(y / STEP) * STEP)
    px, py = (round(x / STEP) * STEP, y) if dx < dy else (x, round(y / STEP) * STEP)
    way = min(dx, dy) + 5
    if dx < dy:
        way += abs(px - 160) + abs(py - 150)
    else:
        # along a street y = const: to reach y = 150 a cross street must be taken
        way += min(
            abs(px - k * STEP) + abs(py - 150) + abs(k * STEP - 160) for k in (int(px // STEP), int(px // STEP) + 1)
        )
    assert one["value"] == pytest.approx(way / speed, abs=0.5)


def test_sums_agree_at_every_level(toy_results, bishan_results):
    for r in (toy_results, bishan_results):
        by_kind = r.coverage.groupby(["service", "cutoff_min", "age_group", "zone_kind"])[
            ["people", "people_covered", "people_unknown"]
        ].sum()
        spread = by_kind.groupby(level=[0, 1, 2]).agg(["min", "max"])
        for column in ("people", "people_covered", "people_unknown"):
            assert (spread[column]["min"] == spread[column]["max"]).all()
        assert (r.population_check["difference"] == 0).all()
        assert (r.coverage["people_covered"] + r.coverage["people_unknown"] <= r.coverage["people"]).all()
        parts = list(r.study.inputs.population.parts)
        wide = r.coverage.pivot_table(
            index=["zone_kind", "zone_id", "service", "cutoff_min"], columns="age_group", values="people_covered"
        )
        assert (wide[parts].sum(axis=1) == wide["all"]).all()


def test_larger_cutoff_never_covers_fewer(bishan_results):
    wide = bishan_results.coverage.pivot_table(
        index=["zone_kind", "zone_id", "service", "age_group"], columns="cutoff_min", values="people_covered"
    )
    assert (wide[10.0] >= wide[5.0]).all()
    assert (wide[15.0] >= wide[10.0]).all()


def test_bishan_facts(bishan_results):
    r = bishan_results
    assert _district(r, "kindergarten", 15)["people"] == 756_022
    assert _district(r, "kindergarten", 15, "65+")["people"] == 125_890
    assert (r.zones["zone_kind"] == "township").sum() == 15
    assert set(r.zones.loc[r.zones["zone_kind"] == "direction", "name"]) == {"北延", "南进", "西拓", "东融", "中优"}
    assert r.zones.loc[r.zones["zone_kind"] == "district"].area.sum() / 1e6 == pytest.approx(914.8, abs=1)
    assert len(r.services) >= 25
    assert r.network.n_nodes >= 20_000
    assert r.kind == "synthetic"
    for table in (r.coverage, r.access, r.radii, r.circles, r.facility_circles, r.cells):
        assert set(table["kind"]) == {"synthetic"}, "every table says what it rests on"
    low, high = r.network.summary()["elevation_m"]
    assert 150 < low < high < 900
    stations = r.facilities[(r.facilities["service"] == "rail_station") & (r.facilities["kind"] == "observed")]
    assert {"秀湖公园", "高观音", "成渝高铁站", "1号地铁站"} <= set(stations["name"])
    assert r.cells["direction"].ne("").all()


def test_plain_circles_beside_service_circles(toy_results):
    r = toy_results
    walk = r.facility_circles[
        (r.facility_circles["cutoff_min"] == 15) & (r.facility_circles["facility_id"] == "node/900")
    ]
    plain = r.facility_radii[(r.facility_radii["radius_m"] == 1000) & (r.facility_radii["facility_id"] == "node/900")]
    # Nobody who walks 15 minutes at 1000 m in 15 minutes lives outside the 1000 m circle.
    assert 0 < walk["people"].iloc[0] < plain["people"].iloc[0] <= 1501
    one = r.radii[(r.radii["service"] == "kindergarten") & (r.radii["radius_m"] == 1000)]["people"].iloc[0]
    assert plain["people"].iloc[0] == one, "the toy town has one kindergarten"


def test_outputs_are_complete_and_recorded(toy_results):
    folder = toy_results.study.processed
    names = {p.name for p in folder.iterdir()}
    assert {"layers.gpkg", "access.parquet", "coverage.parquet", "coverage.csv", "dictionary.csv", "run.json"} <= names
    assert not [n for n in names if n.startswith(".")]
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    places = {"tables": folder, "maps": toy_results.study.maps}
    for key, digest in record["outputs"].items():
        place, name = key.split("/")
        assert hashlib.sha256((places[place] / name).read_bytes()).hexdigest() == digest
    assert {"zones", "cells", "facilities", "circles", "streets"} <= {
        row[0] for row in pyogrio.list_layers(folder / "layers.gpkg")
    }
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "coverage.parquet"), toy_results.coverage)
    # What circles promise and streets deliver is a result of its own: a table, and a section of the overview.
    said = pd.read_csv(folder / "radius_streets.csv")["sentence_zh"]
    assert said.tolist() == toy_results.radius_streets["sentence_zh"].tolist()
    page = (toy_results.study.maps / "index.html").read_text(encoding="utf-8")
    widest = toy_results.radius_streets["difference"].abs().idxmax()
    # the page has the marks of Chinese print where the table has those of a keyboard
    shown = said[widest].replace(": ", "：").replace(", ", "，")
    assert shown in page.split('<section id="radius">')[1].split("</section>")[0]
    described = pd.read_csv(folder / "dictionary.csv")
    assert set(toy_results.coverage.columns) <= set(described["column"])
    ages = described[described["meaning_en"].str.startswith("people aged")]["column"]
    assert set(ages) == set(toy_results.study.inputs.population.parts)
    assert not described["meaning_en"].eq("a column of the input file").any(), "the toy inputs bring no own columns"


def test_two_runs_give_equal_bytes(tmp_path, toy_results):
    again = bg.run(write_toy_study(tmp_path))
    assert again.record["outputs"] == toy_results.record["outputs"]


def test_python_and_command_give_the_same(toy_results):
    from typer.testing import CliRunner

    from bishan_gis.cli import app

    done = CliRunner().invoke(app, ["run", str(toy_results.study.file), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["outputs"] == toy_results.record["outputs"]


def test_a_run_that_fails_leaves_the_last_result(tmp_path, monkeypatch):
    study = write_toy_study(tmp_path)
    bg.run(study)
    before = {p: p.read_bytes() for p in [*(tmp_path / "data/processed").iterdir(), *(tmp_path / "maps").iterdir()]}
    raw = {p: p.read_bytes() for p in (tmp_path / "data/raw").iterdir()}
    import bishan_gis.output.write as write

    def fail(*_args, **_named):
        raise OutputError("磁盘已满", "disk full")

    monkeypatch.setattr(write, "write_dictionary", fail)
    study.write_text(study.read_text(encoding="utf-8") + '[walk]\nprofile = "elderly"\n', encoding="utf-8")
    with pytest.raises(OutputError):
        bg.run(study)
    after = {p: p.read_bytes() for p in [*(tmp_path / "data/processed").iterdir(), *(tmp_path / "maps").iterdir()]}
    assert after == before
    assert {p: p.read_bytes() for p in (tmp_path / "data/raw").iterdir()} == raw


def test_slower_walkers_reach_less(tmp_path, toy_results):
    study = write_toy_study(tmp_path)
    study.write_text(study.read_text(encoding="utf-8") + '[walk]\nprofile = "elderly"\n', encoding="utf-8")
    slow = bg.run(study, write=False)
    assert (
        _district(slow, "kindergarten", 10)["people_covered"]
        < _district(toy_results, "kindergarten", 10)["people_covered"]
    )


def test_h3_cells_and_elsewhere(tmp_path, toy_results):
    study = write_toy_study(tmp_path)
    study.write_text(study.read_text(encoding="utf-8") + '[cells]\ntype = "h3"\n', encoding="utf-8")
    r = bg.run(study, write=False)
    assert int(r.cells["people"].sum()) == 1501
    one, two = (_district(x, "kindergarten", 15)["people_covered"] for x in (r, toy_results))
    assert abs(int(one) - int(two)) < 100


def test_names_that_attack(tmp_path):
    nasty = {"kindergarten": "<script>alert(1)</script>", "pharmacy": "=cmd|' /C calc'!A0"}
    study = write_toy_study(tmp_path, names=nasty)
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace('"西镇"]', '"=1+1镇"]'), encoding="utf-8")
    towns = tmp_path / "data/raw/townships.geojson"
    towns.write_text(towns.read_text(encoding="utf-8").replace("西镇", "=1+1镇"), encoding="utf-8")
    r = bg.run(study)
    assert nasty["kindergarten"] in set(r.facilities["name"]), "names are data and stay as they are"
    for page in (tmp_path / "maps").glob("*.html"):
        assert nasty["kindergarten"] not in page.read_text(encoding="utf-8")
    csv = (r.study.processed / "coverage.csv").read_text(encoding="utf-8-sig")
    assert ",=1+1镇" not in csv
    assert "'=1+1镇" in csv


def test_results_show_themselves(toy_results):
    assert "toy" in repr(toy_results)
    assert "<table" in toy_results._repr_html_()
    assert "<table" in toy_results.study._repr_html_()
    assert "<table" in toy_results.network._repr_html_()
    assert isinstance(toy_results.notes("en"), list)
    assert np.isfinite(toy_results.circles["area_km2"]).all()


def test_raw_data_is_what_the_manifest_says():
    from bishan_gis.sources.datasets import check_datasets, load_datasets

    study = bg.load_study(Path(__file__).parent.parent / "studies/bishan")
    known, warned = check_datasets(load_datasets(study.datasets), dict(study.input_files()).values())
    assert not warned
    assert {d.kind for d in known.values()} == {"observed", "derived", "assumed", "synthetic"}
