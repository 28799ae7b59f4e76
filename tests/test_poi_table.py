"""Tables of places: encodings, columns, coordinates, types, workbooks, and what hostile files try."""

from __future__ import annotations

import csv
import io
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_study import lonlat, write_toy_study

from bishan_gis.datums import from_wgs84
from bishan_gis.errors import (
    BishanGisError,
    BrokenFileError,
    CrsError,
    InputError,
    MissingColumnError,
    NoDataError,
    SchemaError,
    StudyError,
)
from bishan_gis.output.tables import write_csv
from bishan_gis.places.classes import load_classes
from bishan_gis.places.facilities import find_facilities
from bishan_gis.sources.inputs import load_inputs
from bishan_gis.sources.poi_classes import find_services, load_poi_types
from bishan_gis.sources.poi_table import PoiTable, load_poi_table
from bishan_gis.sources.table_file import find_text_encoding, load_rows
from bishan_gis.study import load_study

GAODE = """id,name,type,typecode,address,location,tel,pname,adname
B1,甲区实验小学,科教文化服务;学校;小学,141203,某路1号,"106.2306,29.5883",023-1,某省,甲区
B2,=HYPERLINK("x"),医疗保健服务;医药保健销售店;药房,090601,某路2号,"106.2316,29.5893",,某省,甲区
B3,某网吧,体育休闲服务;娱乐场所;网吧,080308,,"106.2,29.6",,某省,甲区
B4,没有坐标的园,科教文化服务;学校;幼儿园,141204,某路3号,,,某省,甲区
B1,甲区实验小学,科教文化服务;学校;小学,141203,某路1号,"106.2306,29.5883",023-1,某省,甲区
B5,九年一贯制学校,科教文化服务;学校;中学,141202,,"106.25,29.6",,某省,甲区
B6,甲区高级中学,科教文化服务;学校;中学,141202,,"106.26,29.6",,某省,甲区
B7,乱码,科教文化服务;学校;中学,141202,,"106.26;x",,某省,甲区
B8,颠倒,科教文化服务;学校;小学,141203,,"29.6,106.26",,某省,甲区
"""


def write(folder: Path, text: str, *, encoding: str = "utf-8", name: str = "pois.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def load(folder: Path, text: str, **options: Any) -> PoiTable:
    return load_poi_table(write(folder, text), **{"datum": "wgs84", **options})


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gbk", "gb18030"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_a_gaode_export_in_every_encoding(tmp_path: Path, encoding: str, found: str) -> None:
    table = load_poi_table(write(tmp_path, GAODE, encoding=encoding), datum="gcj02", where="pois.csv")
    assert table.rows.encoding == found
    places = table.places
    assert places["facility_id"].tolist() == ["B1", "B2", "B3", "B5", "B6"]
    assert places["service"].tolist() == ["primary_school", "pharmacy", "", "primary_school;middle_school", ""]
    assert places["mapped_by"].tolist()[:2] == ["gaode:code=141203", "gaode:code=090601"]
    assert set(places["map_tag"]) == {"K", ""}
    assert places["source_row"].tolist() == [2, 3, 4, 7, 8]
    lon, lat = from_wgs84(places.geometry.x, places.geometry.y, "gcj02")
    assert lon == pytest.approx(places["lon_source"].to_numpy(), abs=1e-9)
    assert lat == pytest.approx(places["lat_source"].to_numpy(), abs=1e-9)
    lost = table.left_out.set_index("row")["reason"].to_dict()
    assert lost == {5: "no_coordinates", 6: "repeated_row", 9: "bad_coordinates", 10: "swapped_coordinates"}
    assert table.left_out.set_index("row").loc[5, "address"] == "某路3号"
    assert table.unmapped[["type_code", "n"]].to_numpy().tolist() == [["080308", 1], ["141202", 1]]
    assert len(table.warnings) == 5


def test_facilities_from_a_table_and_hostile_names(tmp_path: Path) -> None:
    table = load_poi_table(write(tmp_path, GAODE), datum="gcj02")
    found = find_facilities(table.places, load_classes(), name="pois.csv")
    assert dict(zip(found["facility_id"], found["service"], strict=True)) == {
        "pois/B1": "primary_school",
        "pois/B2": "pharmacy",
        "pois/B5:middle_school": "middle_school",
        "pois/B5:primary_school": "primary_school",
    }
    write_csv(pd.DataFrame(found.drop(columns="geometry")), tmp_path / "out.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8-sig"))))
    assert rows[1]["name"].startswith("'=")


def test_a_list_of_an_office(tmp_path: Path) -> None:
    text = (
        "甲区养老机构一览表,,,,,\n,,,,,\n序号,机构名称,机构类别,详细地址,经度(°),纬度(°),核定床位(张)\n"
        "1,夕阳红,养老机构,某路,106°13′48″E,29°35.5′,120张\n2,东街,日间照料中心,某路,106.24,29.6,约 30 人\n"
        "3,西街,民办,某路,106.25,29.61,若干\n"
    )
    table = load(tmp_path, text, service="nursing_home")
    assert table.places["service"].tolist() == ["nursing_home", "elderly_daycare", "nursing_home"]
    assert table.places["mapped_by"].tolist()[2] == "study"
    assert table.places.geometry.x.iloc[0] == pytest.approx(106.23)
    assert table.places.geometry.y.iloc[0] == pytest.approx(29.5 + 5.5 / 60)
    assert table.places["capacity"].tolist()[:2] == [120.0, 30.0]
    assert pd.isna(table.places["capacity"].iloc[2])
    assert table.places["facility_id"].tolist() == ["4", "5", "6"]  # the rows of the file
    assert load(tmp_path, text).unmapped["type"].tolist() == ["民办"]


def test_baidu_columns_datum_of_columns_and_own_types(tmp_path: Path) -> None:
    text = "uid;name;tag;location.lng;location.lat\na;某园;教育培训;幼儿园;106.2;29.6\n"
    with pytest.raises((NoDataError, CrsError, InputError, MissingColumnError)):
        load(tmp_path, text)  # the mark of the columns stands inside a type: refused, not guessed
    text = "uid,name,tag,bd09_lng,bd09_lat,类别码\na,某园,教育培训;幼儿园,106.2,29.6,x\nb,怪店,丙类,106.3,29.6,x\n"
    own = write(tmp_path, "match,value,service\nword,丙类,market\ntype,教育培训,library\n", name="own.csv")
    table = load_poi_table(write(tmp_path, text), types_csv=own)
    assert table.datum == "bd09"
    assert table.places["service"].tolist() == ["library", "market"]
    assert table.places["mapped_by"].tolist() == ["own:type=教育培训", "own:word=丙类"]
    said = load_poi_table(write(tmp_path, text), datum="gcj02").warnings
    assert any("BD-09" in zh and "GCJ-02" in zh for zh, _ in said)
    bare = load_poi_table(write(tmp_path, "名称,经度,纬度,typecode,adcode\n甲,106.2,29.6,1,2\n"))
    assert any("高德" in zh and "datum" in zh for zh, _ in bare.warnings)
    bad = write(tmp_path, "match,value,service,names\nwrod,x,y,\nword,x,y,(\n", name="bad.csv")
    with pytest.raises(SchemaError, match=r"row 2.*row 3"):
        load_poi_types(bad)


def test_the_table_of_types_is_sound() -> None:
    classes, types = load_classes(), load_poi_types()
    assert {s for t in types for s in t.services} <= set(classes)
    assert all(t.tag in "SKP" and t.source and t.scheme for t in types)
    assert len({(t.match, t.value, t.names) for t in types}) == len(types)

    def services(code: str = "", text: str = "", name: str = "") -> tuple[str, ...]:
        return find_services(types, code=code, type_text=text, name=name).services

    assert services("90601") == ("pharmacy",)  # a workbook took the nought away
    assert services("141203|141204") == ("primary_school", "kindergarten")
    assert services("090100", name="某镇卫生院") == ("health_center",)
    assert services("090100", name="区人民医院") == ("hospital",)
    assert services("090300", name="某牙科诊所") == ()
    assert services(text="科教文化服务;学校;小学|科教文化服务;学校;幼儿园") == ("primary_school", "kindergarten")
    assert services(text="购物服务;超级市场;沃尔玛") == ("supermarket",)
    assert services(text="公园") == ("park",)
    assert services(text="公园路") == ()


@pytest.mark.parametrize(
    ("text", "options", "error", "said"),
    [
        ("名称,地址\n甲,某路\n", {}, MissingColumnError, "geocode"),
        ("名称,经度,纬度\n甲,,\n乙,0,0\n", {}, NoDataError, "none of its 2 rows"),
        ("名称,经度,纬度\n甲,29.6,106.2\n乙,29.6,106.3\n", {}, InputError, "swapped in 2 rows"),
        ("名称,经度,纬度\n甲,106.2,29.6\n", {"columns": {"name": "名字"}}, MissingColumnError, "名字"),
        ("名称,经度,纬度\n甲,106.2,29.6\n", {"datum": "gcj"}, CrsError, "gcj02"),
        ("名称,东坐标,北坐标\n甲,35600000,3270000\n", {"crs": "EPSG:4544"}, CrsError, "EPSG:4523"),
        ("名称,东坐标,北坐标\n甲,3270000,600000\n", {"crs": "EPSG:4544"}, CrsError, "swapped"),
        (" \n\n", {}, NoDataError, "empty"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, text: str, options: dict[str, Any], error: type[BishanGisError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        load(tmp_path, text, **options)
    assert "pois.csv" in caught.value.zh or "datum" in said or error is CrsError


def test_projected_coordinates(tmp_path: Path) -> None:
    table = load(tmp_path, "名称,东坐标,北坐标\n甲,600000,3270000\n", crs="EPSG:4544")
    spot = table.places.to_crs(4544).geometry.iloc[0]
    assert (spot.x, spot.y) == (pytest.approx(600000, abs=1e-3), pytest.approx(3270000, abs=1e-3))


def test_encodings_that_cannot_be_told() -> None:
    assert find_text_encoding(b"plain", where="x") == "utf-8"
    assert find_text_encoding("名称,经度".encode("gbk"), where="x") == "gb18030"
    assert find_text_encoding("名称".encode() * 40, where="x") == "utf-8"
    for data in ("名稱,經度,臺灣麵鹽".encode("big5"), b"\x81\x00\x01", b"caf\xe9 \xff", "éàü".encode("latin-1")):
        with pytest.raises(BrokenFileError, match="encoding"):
            find_text_encoding(data, where="x")


# --- workbooks ---------------------------------------------------------------------------------------------


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    book.close()
    return path


def test_a_workbook(tmp_path: Path) -> None:
    rows = [["名录"], [], ["名称", "类型", "typecode", "经度", "纬度", "床位"]]
    rows += [["甲药房", "药店", 90601, 106.2, 29.6, 12.0], ["乙", "综合医院", None, 106.21, 29.61, "=1+1"]]
    file = workbook(tmp_path / "a.xlsx", {"名单": rows, "空": []})
    table = load_poi_table(file, datum="wgs84")
    assert table.rows.sheet == "名单"
    assert table.places["service"].tolist() == ["pharmacy", "hospital"]
    assert table.places["capacity"].tolist()[0] == 12.0
    assert pd.isna(table.places["capacity"].iloc[1])  # a formula that was never computed: no value, nothing is run
    assert table.places["source_row"].tolist() == [4, 5]
    two = workbook(tmp_path / "b.xlsx", {"一": rows, "二": rows})
    with pytest.raises(InputError, match=r"2 sheets.*一, 二"):
        load_poi_table(two)
    with pytest.raises(InputError, match="no sheet 三"):
        load_poi_table(two, sheet="三")
    assert len(load_poi_table(two, sheet="二", datum="wgs84").places) == 2


def test_workbooks_that_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    for name, data, error, said in (
        ("a.xls", b"\xd0\xcf\x11\xe0", InputError, r"\.xlsx"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0" + b"x" * 99, InputError, "encrypted"),
        ("b.xlsx", b"not a zip", BrokenFileError, "not a valid"),
        ("c.csv", b"PK\x03\x04", InputError, "workbook"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(error, match=said):
            load_rows(tmp_path / name)
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("xl/worksheets/sheet1.xml", b"0" * (60 * 2**20))
    with pytest.raises(BrokenFileError, match="too big"):
        load_rows(bomb)
    entity = tmp_path / "entity.xlsx"
    with zipfile.ZipFile(entity, "w") as z:
        z.writestr("xl/workbook.xml", '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    with pytest.raises(BrokenFileError, match="DOCTYPE"):
        load_rows(entity)
    good = workbook(tmp_path / "good.xlsx", {"a": [["名称", "经度", "纬度"], ["甲", 106.2, 29.6]]})
    data = good.read_bytes()
    for cut in (len(data) // 2, len(data) - 30):
        (tmp_path / "cut.xlsx").write_bytes(data[:cut])
        with pytest.raises(BrokenFileError):
            load_rows(tmp_path / "cut.xlsx")


# --- anything at all ---------------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text(alphabet='名称,经度纬"\n\t;0129.=-|x', max_size=120).map(str.encode)))
def test_any_bytes_give_a_table_or_one_of_our_errors(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fuzz.csv"
    path.write_bytes(data)
    table = None
    with suppress(BishanGisError):
        table = load_poi_table(path, datum="wgs84")
    if table is not None:
        assert len(table.places) > 0
        assert table.places.geometry.is_valid.all()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=15),
            st.one_of(st.floats(106, 107).map(repr), st.sampled_from(["", "x", "0", "1e999", "106,5", "-"])),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_row_is_a_place_or_listed(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as f:
        csv.writer(f).writerows([("名称", "经度", "纬度"), *((name, x, "29.5") for name, x in rows)])
    try:
        table = load_poi_table(path, datum="wgs84")
    except NoDataError:
        return
    assert sorted([*table.places["source_row"], *table.left_out["row"]]) == list(range(2, len(rows) + 2))


# --- in a study --------------------------------------------------------------------------------------------


def test_a_study_with_a_table(tmp_path: Path) -> None:
    file = write_toy_study(tmp_path)
    raw = tmp_path / "data" / "raw"
    spots = [from_wgs84(*lonlat(x, 320), "gcj02") for x in (200, 800)]
    lines = [f"B{i},某园{i},141204,{float(x)!r},{float(y)!r}" for i, (x, y) in enumerate(spots)]
    write(
        raw,
        "\n".join(["id,name,typecode,lng,lat", *lines, "B9,无,141204,,", "B8,怪,999999,106.2,29.5"]),
        encoding="gbk",
    )
    base = file.read_text(encoding="utf-8")
    extra = '[[inputs.facilities]]\ntype = "table"\npath = "pois.csv"\ndatum = "gcj02"\n'
    file.write_text(base.replace("[directions]", extra + "[directions]", 1), encoding="utf-8")
    data = load_inputs(load_study(file))
    frame = data.facilities[0][1]
    assert isinstance(frame, gpd.GeoDataFrame)
    assert frame.geometry.x.iloc[0] == pytest.approx(lonlat(200, 320)[0], abs=1e-7)
    assert data.unused is not None
    assert data.unused[["reason", "count"]].to_numpy().tolist() == [["no_coordinates", 1], ["unknown_type", 1]]
    assert data.prefixes == ("玩具区", "玩具")
    file.write_text(base.replace("[directions]", extra.replace("gcj02", "gcj") + "[directions]", 1), encoding="utf-8")
    with pytest.raises(StudyError, match="datum"):
        load_study(file)
