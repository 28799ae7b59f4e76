"""Villages and governance grids: what they add up to, and what is wrong with a layer of them."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from toy import EAST, NORTH, TOY_CRS
from toy_study import COLS, STEP, write_toy_study

import bishan_gis as bg
from bishan_gis.cache import Store
from bishan_gis.errors import InputError, MissingColumnError, SchemaError
from bishan_gis.output.excel_tables import workbook_tables
from bishan_gis.output.gap_files import write_gaps
from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps import render_maps
from bishan_gis.places.zones import build_zones
from bishan_gis.planning.gaps import find_gaps
from bishan_gis.planning.policy_measures import nesting_check
from bishan_gis.planning.scenarios import Scenario
from bishan_gis.planning.study_sites import study_sites
from bishan_gis.scenario_run import run_scenario
from bishan_gis.stages.gap_answer import GAP_FILES, gap_answer

MIDDLE = EAST + STEP * (COLS - 1) / 2  # the border of the two townships
BOTTOM, TOP = NORTH - 100, NORTH + 1100
KEYS = """
[inputs.villages]
path = "villages.geojson"
columns = { zone_id = "code", name = "name" }
[inputs.grids]
path = "grids.geojson"
[inputs.population]"""


def write_layer(folder, file, boxes, **columns):
    shapes = [shapely.box(west, BOTTOM, east, TOP) for west, east in boxes]
    layer = gpd.GeoDataFrame(columns, geometry=shapes, crs=TOY_CRS)
    layer.to_crs(4326).to_file(folder / "data" / "raw" / file, driver="GeoJSON")


def write_study(folder):
    """Two villages in 西镇, one 12 m beyond the border and 40 m apart from the other; none in 东镇; three grids."""
    file = write_toy_study(folder)
    file.write_text(file.read_text(encoding="utf-8").replace("[inputs.population]", KEYS[1:]), encoding="utf-8")
    villages = [(EAST - 100, EAST + 400), (EAST + 440, MIDDLE + 12)]
    write_layer(folder, "villages.geojson", villages, code=["11", "12"], name=["新民村", "河边村"])
    grids = [(EAST - 100, EAST + 600), (EAST + 600, MIDDLE + 300), (MIDDLE + 300, MIDDLE + 1200)]
    write_layer(folder, "grids.geojson", grids, zone_id=["a", "b", "c"], name=["新民村", "乙", "丙"])
    return file


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("villages"))


@pytest.fixture(scope="module")
def results(study):
    return bg.run(study, write=False)


def test_sums_agree_at_every_level(results):
    cells, zones = results.cells, results.zones
    middle = cells.geometry.representative_point().x
    west = cells["zone_id"] == "1"
    # Between the villages the nearer one; beyond the border the village is no one's.
    assert (cells.loc[west, "village"] == (middle[west] > EAST + 420).map({True: "12", False: "11"})).all()
    assert set(cells.loc[~west, "village"]) == {"unassigned_village"}
    assert (cells["grid"] == pd.cut(middle, [0, EAST + 600, MIDDLE + 300, 1e9], labels=["a", "b", "c"])).all()
    rows = zones.set_index("zone_id")
    assert rows.loc[["11", "12", "a", "b", "c"], "township"].tolist() == ["1", "1", "1", "2", "2"]
    assert rows.loc["12", "direction"] == "西拓"
    said = [en for _, en in results.warnings if en.startswith("inputs.")]
    assert said == [
        "inputs.villages: townships without villages, shown as 未划分: 1 (东镇)",
        "inputs.grids: grids across a border of townships, whose sums are not those of townships: 1 (乙)",
    ]

    keys, counts = ["service", "cutoff_min", "age_group"], ["people", "people_covered", "people_unknown"]
    sums = {kind: rows.groupby(keys)[counts].sum() for kind, rows in results.coverage.groupby("zone_kind")}
    assert set(sums) == {"district", "direction", "township", "village", "grid"}
    assert all(table.equals(sums["district"]) for table in sums.values())
    town, villages = (results.coverage[results.coverage["zone_id"].isin(z)] for z in (["1"], ["11", "12"]))
    assert town.groupby(keys)[counts].sum().equals(villages.groupby(keys)[counts].sum())
    gaps = find_gaps(results)
    missing = gaps.people.groupby(["age_group", "service", "zone_kind"])["people_deficient"].sum()
    assert missing.groupby(["age_group", "service"]).nunique().eq(1).all()
    assert {p["place_zh"] for p in gaps.places} == {"西镇新民村", "西镇河边村", "东镇未划分"}
    assert (nesting_check(results)["people_difference"] == 0).all()
    kindergarten = results.facilities.set_index("service").loc["kindergarten"]
    assert (kindergarten["village"], kindergarten["grid"]) == ("11", "a")


def test_pages_and_workbook_show_villages(browser, results, tmp_path):
    """The list of villages on the page, the overview and the workbook have the numbers of the coverage table."""
    for name, html in render_maps(results).items():
        (tmp_path / name).write_text(html, encoding="utf-8")
    table = results.coverage[results.coverage["zone_kind"] == "village"]
    names = dict(zip(results.zones["zone_id"], results.zones["name"], strict=True))
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    said = []
    page.on("pageerror", lambda e: said.append(str(e)))
    page.goto(f"file://{tmp_path}/index.html")
    rows = {r.split("\t")[0]: r.split("\t") for r in page.locator("#villages tbody tr").all_inner_texts()}
    assert set(rows) == {"新民村", "河边村", "未划分"}
    assert rows["河边村"][1] == "西镇"
    page.click("#villages a:has-text('河边村')")
    page.wait_for_selector("body[data-ready=yes]")
    assert page.evaluate("[BG.current.state.level, BG.current.state.village]") == ["village", "12"]
    assert "西镇" in page.inner_text("#title")
    assert page.locator("#where tbody tr").count() == 2  # of this township only
    page.select_option("#choose-town", "")
    for service in ("kindergarten", "pharmacy"):
        page.select_option("#choose-service", service)
        for cutoff in (5, 15):
            page.check(f"input[name=cutoff][value='{cutoff}']", force=True)
            for age in ("all", "65+"):
                page.select_option("#choose-age", age)
                want = table[
                    (table["service"] == service) & (table["cutoff_min"] == cutoff) & (table["age_group"] == age)
                ].set_index("zone_id")
                shown = [r.split() for r in page.locator("#where tbody tr").all_inner_texts()]
                assert {r[0] for r in shown} == {names[z] for z in want.index[want["people"] > 0]}
                for zone, row in want.iterrows():
                    line = next(r for r in shown if r[0] == names[zone])
                    lacking = row["people"] - row["people_covered"] - row["people_unknown"]
                    assert line[-3:] == [fmt.people(n) for n in (lacking, row["people_unknown"], row["people"])]
    page.click("#where tbody button:has-text('新民村')")
    assert page.evaluate("BG.current.map.getBounds().contains(BG.current.layers.villages.bounds(0))")
    assert page.evaluate("BG.current.state.village") == "11"
    page.fill("#search", "河边")
    assert "河边村" in page.inner_text("#found")
    with page.expect_download() as download:
        page.click("#b-export")
    assert "新民村" in Path(download.value.path()).read_text(encoding="utf-8-sig")
    page.close()
    assert said == []
    sheets = {t.name: t for t in workbook_tables(results)}
    own = sheets["覆盖汇总·村社"].frame.set_index("zone_id")
    town = sheets["覆盖汇总"].frame
    assert own["township"].to_dict() == {"11": "西镇", "12": "西镇", "unassigned_village": ""}
    sums = [c for c in own.columns if c.endswith("people")]
    assert own[sums].sum().to_dict() == town[sums].sum().to_dict()
    assert "村社" in set(sheets["覆盖"].frame["zone_kind"])


def test_a_sheet_of_too_many_rows_leaves_out_the_smallest_units(results, monkeypatch):
    every = len(results.coverage)
    monkeypatch.setattr("bishan_gis.output.excel_tables._ROWS", every - 1)
    sheet = next(t for t in workbook_tables(results) if t.name == "覆盖")
    assert set(results.coverage["zone_kind"]) - {"grid"} == {"district", "direction", "township", "village"}
    assert len(sheet.frame) == int((results.coverage["zone_kind"] != "grid").sum())
    assert "网格" in sheet.title


def test_stages_scenarios_and_selection_know_villages(study, results, tmp_path):
    write_gaps(find_gaps(results), tmp_path)
    with Store(tmp_path / "store") as store:
        assert gap_answer(bg.load_study(study), store) == {n: (tmp_path / n).read_bytes() for n in GAP_FILES}
    gaps = find_gaps(results, zones=["河边村"])
    assert int(gaps.cells["people"].sum()) == int(results.cells.query("village == '12'")["people"].sum())
    with pytest.raises(InputError, match="11, a"):  # a village and a grid are called alike
        find_gaps(results, zones=["新民村"])
    nursery = {"service": "kindergarten", "x": EAST + 610, "y": NORTH + 605}
    plan = Scenario.model_validate({"scenario": {"name": "园"}, "add_facility": [nursery]})
    quick, whole = (run_scenario(study, plan, base=base, circles=False) for base in (results, None))
    pd.testing.assert_frame_equal(quick.coverage, whole.coverage)
    pd.testing.assert_frame_equal(pd.DataFrame(quick.facilities), pd.DataFrame(whole.facilities))
    assert quick.facilities["grid"].tolist().count("b") == results.facilities["grid"].tolist().count("b") + 1
    found = bg.compare(results, quick).coverage
    assert set(found["zone_kind"]) >= {"village", "grid"}


def test_sites_lie_in_the_village_that_is_asked_for(results):
    asked = {"service": "pharmacy", "sites": 1, "cutoff_min": 3, "codes": ["07", "14", "13"]}
    found = study_sites(results, zone="河边村", **asked)
    free = found.candidates[found.candidates["reason_excluded"] == ""]
    assert set(free["village"]) == {"12"}
    assert free["township"].eq("1").all()
    living = int(results.cells.query("village == '12'")["people"].sum())
    assert 0 < found.plan.sites["people_total"].sum() <= living
    with pytest.raises(InputError, match="11, a"):
        study_sites(results, zone="新民村", **asked)


@pytest.mark.parametrize(
    ("columns", "error", "said"),
    [
        ({"code": ["11", "11"], "name": ["甲", "乙"]}, SchemaError, "inputs.villages.*11"),
        ({"code": ["1", "12"], "name": ["甲", "乙"]}, SchemaError, "zones.*1"),
        ({"codes": ["11", "12"], "name": ["甲", "乙"]}, MissingColumnError, "inputs.villages.*codes"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, columns, error, said):
    file = write_study(tmp_path)
    write_layer(tmp_path, "villages.geojson", [(EAST, EAST + 400), (EAST + 440, MIDDLE)], **columns)
    with pytest.raises(error, match=said):
        bg.run(file, write=False)


def test_villages_elsewhere_are_left_out(tmp_path):
    file = write_study(tmp_path)
    boxes = [(EAST - 100, MIDDLE), (EAST - 900, EAST - 500)]
    write_layer(tmp_path, "villages.geojson", boxes, code=["11", "99"], name=["甲", "远村"])
    study = bg.load_study(file)
    data = bg.load_inputs(study)
    zones = build_zones(data.district, data.townships, study.directions, units=data.units)
    assert "99" not in set(zones["zone_id"])
    assert any("in no township, left out: 1 (远村)" in en for _, en in zones.attrs["warnings"])
