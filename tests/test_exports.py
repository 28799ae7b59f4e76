"""Exports read back by other programs: sums, hostile texts, GBK, names, styles, the same bytes twice."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from xml.etree import ElementTree as ET

import ezdxf
import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from export_toy import NAMES, export_results, write_export_study
from hypothesis import given
from hypothesis import strategies as st
from toy import TOY_CRS
from typer.testing import CliRunner

from bishan_gis.cli import app
from bishan_gis.errors import InputError, OutputError
from bishan_gis.output import excel, pmtiles
from bishan_gis.output.dxf import LayerNames, drawing_text, write_dxf
from bishan_gis.output.excel import clean_text, write_tables, write_workbook
from bishan_gis.output.excel_tables import SheetTable
from bishan_gis.output.export import EXPORTS, write_exports
from bishan_gis.output.pmtiles import write_pmtiles
from bishan_gis.output.qgis import layer_styles
from bishan_gis.output.qgis_xml import quoted
from bishan_gis.output.run_layers import run_layers
from bishan_gis.output.shapefile import field_names, gbk_table, write_shapefiles
from bishan_gis.output.short_names import run_names, short_names

SHEETS = ["摘要", "覆盖", "覆盖汇总", "缺口", "政策", "选址", "设施", "人口核对", "数据来源", "数据字典"]
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(scope="module")
def results():
    return export_results()


@pytest.fixture(scope="module")
def layers(results):
    return run_layers(results)


@pytest.fixture(scope="module")
def book(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "toy.xlsx"
    write_workbook(results, path)
    return path


def sheet(path, name: str) -> pd.DataFrame:
    """Return a sheet as GDAL reads it: the rows under the head, by key of the column."""
    with pyogrio_text():
        raw = pyogrio.read_dataframe(path, layer=name)
    rows = raw.iloc[2:].reset_index(drop=True)
    rows.columns = [str(v).split("\n")[-1] for v in raw.iloc[1]]
    return rows


def pyogrio_text():
    from contextlib import contextmanager

    @contextmanager
    def settings():
        pyogrio.set_gdal_config_options({"OGR_XLSX_HEADERS": "DISABLE", "OGR_XLSX_FIELD_TYPES": "STRING"})
        yield
        pyogrio.set_gdal_config_options({"OGR_XLSX_HEADERS": None, "OGR_XLSX_FIELD_TYPES": None})

    return settings()


def test_the_workbook_holds_the_tables(results, book):
    assert [str(row[0]) for row in pyogrio.list_layers(book)] == SHEETS
    cover = sheet(book, "覆盖")
    wanted = results.coverage
    assert len(cover) == len(wanted)
    for column in ("people", "people_covered", "people_unknown"):
        assert cover[column].astype(int).tolist() == wanted[column].tolist()
    both = wanted["people_covered"] / wanted["people"].where(wanted["people"] > 0)
    assert pd.to_numeric(cover["share_covered"]).to_numpy() == pytest.approx(both.to_numpy(), nan_ok=True)
    totals = sheet(book, "覆盖汇总")
    assert totals.iloc[-1, 0] == "合计"
    district = wanted[(wanted["zone_kind"] == "district") & (wanted["age_group"] == "all")].set_index("service")
    for i, service in enumerate(results.services.index):
        level = float(results.services.loc[service, "level"])
        row = district[district["cutoff_min"] == level].loc[service]
        assert int(totals.iloc[-1, 3 + i]) == row["people_covered"]
    check = sheet(book, "人口核对")
    assert check.iloc[-1, 2:5].astype(int).tolist() == [1501, 1501, 0]
    assert len(sheet(book, "缺口")) == sum(len(p.table) for p in _areas(results))
    assert len(sheet(book, "政策")) == len(results.findings.policy)
    chosen = [site["place_zh"] for plan in results.findings.plans for site in plan.facts["chosen"]]
    assert sheet(book, "选址")["place_zh"].tolist() == chosen


def _areas(results):
    gaps = results.findings.gaps
    return gaps.areas, gaps.unknown, gaps.short


def test_no_text_becomes_a_formula_or_a_link_and_heads_stay_in_sight(results, book):
    names = set(sheet(book, "设施")["name"])
    assert {NAMES["kindergarten"], NAMES["pharmacy"], NAMES["primary_school"]} <= names
    with zipfile.ZipFile(book) as pack:
        files = {n: pack.read(n) for n in pack.namelist()}
        assert {i.date_time[:2] for i in pack.infolist()} == {(1980, 1)}
    for n, content in files.items():
        if not n.startswith("xl/worksheets/sheet"):
            continue
        root = ET.fromstring(content)
        formulas = [f.text for f in root.iter(f"{MAIN}f")]
        assert all(f.startswith("SUM(") for f in formulas)
        assert not list(root.iter(f"{MAIN}hyperlink"))
        pane = root.find(f"{MAIN}sheetViews/{MAIN}sheetView/{MAIN}pane")
        assert pane.get("state") == "frozen"
        assert pane.get("ySplit") == "2"
        text = "".join(root.itertext())
        assert "假设" in text
    assert not any("hyperlink" in n for n in files)


def test_the_workbook_repeats_and_works_without_findings(results, book, tmp_path):
    again = tmp_path / "again.xlsx"
    write_workbook(results, again)
    assert again.read_bytes() == book.read_bytes()
    write_workbook(replace(results, findings=None), again)
    assert [str(row[0]) for row in pyogrio.list_layers(again)] == SHEETS
    assert "没有计算" in sheet(again, "缺口").iloc[0, 0]


def test_the_limits_of_excel_are_kept(monkeypatch, tmp_path):
    frame = pd.DataFrame({"a": ["x\x00\x0by", "_x0041_", "-1", np.nan], "b": [1.5, np.inf, np.nan, 2]})
    table = SheetTable("t", "t", "", frame, ["a", "b"])
    write_tables([table], tmp_path / "a.xlsx")
    back = sheet(tmp_path / "a.xlsx", "t")
    assert back["a"].tolist()[0] == "xy"
    assert back["a"].tolist()[2] == "-1"
    assert len(clean_text("长" * 40_000)) == 32_767
    monkeypatch.setattr(excel, "MAX_ROWS", 6)
    with pytest.raises(OutputError, match="4 行"):
        write_tables([table], tmp_path / "b.xlsx")
    assert not (tmp_path / "b.xlsx").exists()


# GeoPackage and QGIS ---------------------------------------------------------


@pytest.fixture(scope="module")
def exported(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    write_exports(_plain(results), folder, formats=["qgis", "shp", "dxf"])
    return folder


def _plain(results):
    """Return the results with names that GBK can hold."""
    facilities = results.facilities.copy()
    facilities["name"] = facilities["name"].str.replace("🚲", "é")
    return replace(results, facilities=facilities)


def test_styles_are_where_qgis_looks_and_are_valid_xml(results, exported, layers):
    with closing(sqlite3.connect(exported / "layers.gpkg")) as db:
        columns = [r[1] for r in db.execute("PRAGMA table_info(layer_styles)")]
        rows = db.execute("SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles").fetchall()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert columns == [
        *("id", "f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column", "styleName"),
        *("styleQML", "styleSLD", "useAsDefault", "description", "owner", "ui", "update_time"),
    ]
    assert {r[0] for r in rows} == set(layers)
    for name, geometry, qml, default in rows:
        assert (geometry, default) == ("geom", 1)
        root = ET.fromstring(qml)
        renderer = root.find("renderer-v2")
        symbols = {s.get("name") for s in renderer.findall("symbols/symbol")}
        used = {e.get("symbol") for e in [*renderer.iter("category"), *renderer.iter("rule")]}
        assert used == symbols
        assert renderer.get("attr", "") in ("", *layers[name].columns)
        if renderer.get("type") == "categorizedSymbol":
            values = {c.get("value") for c in renderer.iter("category")}
            assert set(layers[name][renderer.get("attr")].astype(str)) <= values
    land = ET.fromstring(next(r[2] for r in rows if r[0] == "landuse"))
    assert {c.get("value") for c in land.iter("category")} == {"070102", "1401"}
    assert land.find("labeling/settings/text-style").get("fieldName") == "code"


def test_the_project_points_to_the_layers_beside_it(results, exported, layers):
    text = (exported / "toy.qgs").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE qgis ")
    root = ET.fromstring(text)
    sources = {e.findtext("id"): e.findtext("datasource") for e in root.iter("maplayer")}
    inside = {str(r[0]) for r in pyogrio.list_layers(exported / "layers.gpkg")}
    for source in sources.values():
        file, layer = source.split("|layername=")
        assert file == "./layers.gpkg"
        assert layer in inside
    assert [e.get("id") for e in root.iter("layer-tree-layer")] == list(sources)
    assert len(sources) == len(layers)
    assert root.findtext("projectCrs/spatialrefsys/authid") == "EPSG:4544"
    assert root.findtext("properties/Paths/Absolute") == "false"


def test_circles_of_each_facility_can_be_left_out(results):
    assert "facility_circles" in run_layers(results)
    assert "facility_circles" not in run_layers(results, facility_circles=False)


def test_expressions_are_quoted():
    assert quoted("x' OR 1=1 --") == "'x'' OR 1=1 --'"


# Shapefile -------------------------------------------------------------------


def test_shapefiles_speak_gbk_and_split_by_geometry(results, exported, layers):
    folder = exported / "shp"
    assert {p.suffix for p in folder.iterdir()} == {".shp", ".shx", ".dbf", ".prj", ".cpg", ".csv"}
    assert (folder / "zones.cpg").read_text() == "GBK"
    zones = pyogrio.read_dataframe(folder / "zones.shp")
    assert zones["名称"].tolist() == results.zones["name"].tolist()
    assert zones.crs.to_epsg() == 4544
    raw = (folder / "zones.dbf").read_bytes()
    assert "名称".encode("gbk") in raw
    assert "西镇".encode("gbk") in raw
    assert (folder / "control_lines_line.shp").exists()
    assert (folder / "control_lines_polygon.shp").exists()
    cells = pyogrio.read_dataframe(folder / "cells.shp")
    assert int(cells["人口"].sum()) == 1501
    assert cells["幼儿园秒"].sum() == pytest.approx(layers["cells"]["s_kindergarten_s"].sum(), abs=0.01)
    fields = pd.read_csv(folder / "fields.csv")
    assert fields.query("layer == 'cells' and field == '人口65up'")["column"].tolist() == ["65+"]


def test_field_names_are_short_and_differ():
    assert all(len(v.encode("gbk")) <= 10 for v in short_names().values())
    names = run_names({"a": "社区卫生服务站", "b": "社区卫生服务中心", "c": "幼儿园"}, ["0-14", "80+"])
    assert names["s_a_s"] != names["s_b_s"]
    assert all(len(v.encode("gbk")) <= 10 for v in names.values())
    with pytest.raises(OutputError, match="people_covered_low, people_covered_high -> people_cov"):
        field_names(["people_covered_low", "people_covered_high"], {})
    with pytest.raises(OutputError, match="Name, name"):
        field_names(["Name", "name"], {})
    with pytest.raises(OutputError, match="六个汉字太长"):
        field_names(["a"], {"a": "六个汉字太长"})


@given(st.lists(st.text(min_size=1, max_size=14), unique=True, max_size=6))
def test_a_field_name_always_fits_or_is_refused(columns):
    try:
        names = field_names(columns, {})
    except OutputError:
        return
    assert all(0 < len(n.encode("gbk")) <= 10 for n in names.values())
    assert len({n.lower() for n in names.values()}) == len(columns)


def test_what_gbk_lacks_is_refused_and_what_is_too_long_is_counted(tmp_path):
    frame = pd.DataFrame({"name": ["好", "公园🚲", None], "ok": [True, False, True]})
    with pytest.raises(OutputError, match=r"1 处文字.*公园"):
        gbk_table(frame, layer="x")
    day = pd.to_datetime(["2026-11-24", None])
    table, cut = gbk_table(pd.DataFrame({"name": ["长" * 200, "a" * 254], "day": day}), layer="x")
    assert cut == 1
    assert table["name"].tolist() == ["长" * 127, "a" * 254]
    assert table["day"].tolist() == ["2026-11-24", None]
    point = gpd.GeoDataFrame({"v": [1]}, geometry=[shapely.Point(6e5, 3.27e6)], crs=TOY_CRS)
    one, two = tmp_path / "1", tmp_path / "2"
    for folder in (one, two):
        folder.mkdir()
        write_shapefiles({"p": point}, folder, short={"v": "数值"})
    assert all(p.read_bytes() == (two / p.name).read_bytes() for p in one.iterdir())


# DXF -------------------------------------------------------------------------


def test_the_drawing_is_clean_in_metres_and_has_chinese_layers(results, exported, tmp_path):
    path = exported / "toy.dxf"
    doc = ezdxf.readfile(path)
    assert not doc.audit().errors
    assert doc.units == ezdxf.units.M
    assert "CRS EPSG:4544" in path.read_text(encoding="utf-8")[:60]
    names = {layer.dxf.name for layer in doc.layers}
    assert {"界线_全区", "设施_幼儿园"} <= names
    assert "控制线_历史_紫线" in names
    space = doc.modelspace()
    outlines = space.query('LWPOLYLINE[layer=="界线_街镇"]')
    assert len(outlines) == 2
    assert all(line.closed for line in outlines)
    towns = results.zones[results.zones["zone_kind"] == "township"]
    area = sum(shapely.Polygon([p[:2] for p in line.get_points()]).area for line in outlines)
    assert area == pytest.approx(towns.area.sum())
    hatch = next(h for h in space.query("HATCH") if "_070102_" in h.dxf.layer)
    assert len(hatch.paths) == 2
    assert len(space.query("INSERT")) == len(results.facilities)
    texts = {t.dxf.text for t in space.query("TEXT")}
    assert "西镇" in texts
    assert "@SUM(1)％％u＼P{x}＾J;" in texts
    assert any("假设" in t for t in texts)
    again = tmp_path / "again.dxf"
    write_dxf(_plain(results), again)
    assert again.read_bytes() == path.read_bytes()


def test_land_and_lines_are_named_in_the_language_of_the_study(results, layers, tmp_path):
    english = replace(results, study=results.study.model_copy(update={"lang": "en"}))
    lines = english.control_lines.assign(line_type="生态保护红线")
    english = replace(english, control_lines=lines)
    styles = layer_styles(english, layers | {"control_lines": lines})
    land = [rule.label for rule in styles["landuse"].rules]
    assert land == ["070102 Urban housing, class 2", "1401 Parks"]
    assert [rule.label for rule in styles["control_lines"].rules] == ["Ecological red line"]
    write_dxf(_plain(english), tmp_path / "en.dxf")
    names = {layer.dxf.name for layer in ezdxf.readfile(tmp_path / "en.dxf").layers}
    assert {"Land use_1401_Parks", "Control lines_Ecological red line"} <= names


def test_layers_of_the_same_name_are_refused():
    names = LayerNames()
    assert names("控制线", "a/b") == "控制线_a_b"
    assert names("控制线", "a/b") == "控制线_a_b"
    with pytest.raises(OutputError, match=r"a/b.*a:b"):
        names("控制线", "a:b")


@given(st.text(max_size=40))
def test_no_code_of_cad_is_left_in_a_text(text):
    shown = drawing_text(text)
    assert "%%" not in shown
    assert not set(shown) & set("\\^\n\r\t\x00")


# PMTiles, all together, the door ---------------------------------------------------


def test_the_installed_gdal_writes_tiles(layers, tmp_path):
    assert pmtiles.has_driver()
    paths = write_pmtiles({k: layers[k] for k in ("zones", "facilities")}, tmp_path, max_zoom=9)
    assert [p.name for p in paths] == ["zones.pmtiles", "facilities.pmtiles"]
    back = pyogrio.read_dataframe(paths[0])
    assert set(back["name"]) == set(layers["zones"]["name"])


def test_without_the_driver_the_error_says_what_to_do(layers, tmp_path, monkeypatch):
    monkeypatch.setattr(pmtiles, "has_driver", lambda: False)
    with pytest.raises(OutputError, match="pyogrio"):
        write_pmtiles(layers, tmp_path)


def test_exports_are_whole_or_not_at_all(results, tmp_path):
    facilities = results.facilities.copy()
    facilities.loc[facilities.index[0], "name"] = "公园🚲"
    with pytest.raises(OutputError, match="GBK"):
        write_exports(replace(results, facilities=facilities), tmp_path, formats=["qgis", "shp"])
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    with pytest.raises(InputError, match=", ".join(EXPORTS)):
        write_exports(results, tmp_path, formats=["doc"])


def test_the_door(tmp_path):
    file = write_export_study(tmp_path, names={})
    done = CliRunner().invoke(app, ["export", str(file), "--format", "shp", "--format", "xlsx", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert {p.rsplit("/", 1)[-1] for p in said["files"]} >= {"toy.xlsx", "cells.shp", "fields.csv"}
    wrong = CliRunner().invoke(app, ["export", str(file), "--format", "doc"])
    assert wrong.exit_code == 2
    assert "pmtiles" in wrong.output
