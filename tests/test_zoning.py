"""Official zoning: codes, the land survey's crosswalk, control lines, and shapes that do not fit together."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EAST, NORTH
from toy_study import write_toy_study

from bishan_gis.errors import MissingColumnError
from bishan_gis.sources.inputs import load_inputs
from bishan_gis.sources.layers import load_layer
from bishan_gis.sources.zoning import CHECKS, check_topology, check_zoning, describe_checks
from bishan_gis.sources.zoning_codes import (
    check_codes,
    check_lines,
    dltb_to_landuse,
    find_classification,
    line_name,
    load_codes,
)
from bishan_gis.study import load_study


def box(x: float, y: float, w: float, h: float) -> shapely.Polygon:
    return shapely.box(EAST + x, NORTH + y, EAST + x + w, NORTH + y + h)


def layer(*shapes: shapely.Geometry, **columns: list[object]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=4544)


def found(table: pd.DataFrame) -> dict[str, tuple[str, int, float]]:
    return {r.check: (r.what, r.count, r.area_m2) for r in table.itertuples()}


DISTRICT = layer(box(0, 0, 300, 100))


def test_shapes_that_fit() -> None:
    whole = layer(box(0, 0, 100, 100), box(100, 0, 100, 100), box(200, 0, 100, 40), box(200, 40, 100, 60))
    assert check_topology(whole, district=DISTRICT).empty
    assert list(check_topology(whole).columns) == ["check", "what", "count", "area_m2", "lon", "lat", "detail"]


def test_every_fault_by_hand() -> None:
    bow = shapely.Polygon([(EAST, NORTH), (EAST + 9, NORTH + 9), (EAST + 9, NORTH), (EAST, NORTH + 9)])
    faulty = layer(
        box(0, 0, 100, 100),
        box(90, 0, 110, 100),  # 10 m over the first
        box(200.5, 0, 99.5, 100),  # half a metre off the second: open at both ends, no hole
        box(0, 0, 100, 100),  # the first again
        box(250, 50, 60, 20),  # inside the third, 10 m out of the district
        bow,
        shapely.Polygon(),
    )
    before = faulty.copy()
    got = found(check_topology(faulty, district=DISTRICT))
    assert got["duplicate"] == ("4", 1, pytest.approx(10_000, rel=1e-3))
    assert got["overlap"][:2] == ("1+2, 3+5", 2) or got["overlap"][:2] == ("3+5, 1+2", 2)
    assert got["overlap"][2] == pytest.approx(1000 + 50 * 20, rel=1e-3)
    assert got["uncovered"][1:] == (1, pytest.approx(50, rel=1e-3))
    assert got["outside"][1:] == (1, pytest.approx(200, rel=1e-3))
    assert got["invalid"][:2] == ("6", 1)
    assert got["empty"][:2] == ("7", 1)
    assert set(got) == {"duplicate", "overlap", "uncovered", "outside", "invalid", "empty"}
    assert faulty.geom_equals_exact(before, 0).all() or faulty.geometry.isna().any()


def test_holes_and_slivers() -> None:
    ring = box(0, 0, 300, 100).difference(box(50, 50, 20, 20)).difference(box(150, 10, 0.5, 80))
    got = found(check_topology(layer(ring), district=DISTRICT))
    assert got["hole"][1:] == (1, pytest.approx(400, rel=1e-3))
    assert got["sliver_gap"][1:] == (1, pytest.approx(40, rel=1e-3))
    assert got["uncovered"][1:] == (2, pytest.approx(440, rel=1e-3))
    lines = check_topology(layer(ring), district=DISTRICT, whole=False)
    assert lines.empty
    row = check_topology(layer(ring)).set_index("check").loc["hole"]
    spot = gpd.GeoSeries([shapely.Point(row["lon"], row["lat"])], crs=4326).to_crs(4544).iloc[0]
    assert box(49, 49, 22, 22).contains(spot)


def test_declared_areas_are_those_on_the_ellipsoid() -> None:
    from pyproj import Geod

    shapes = [box(0, 0, 400, 300), box(400, 0, 200, 300), box(600, 0, 100, 300)]
    lonlat = layer(*shapes).to_crs(4326).geometry
    true = [abs(Geod(ellps="GRS80").geometry_area_perimeter(g)[0]) for g in lonlat]
    assert check_topology(layer(*shapes, TBMJ=[round(a, 2) for a in true]), area_column="TBMJ").empty
    wrong = check_topology(layer(*shapes, TBMJ=[true[0], true[1] * 1.01, true[2]]), area_column="TBMJ")
    got = found(wrong)
    assert got["area"] == ("2", 1, pytest.approx(true[1] * 0.01, rel=0.01))
    assert got["area_total"][2] == pytest.approx(true[1] * 0.01, rel=0.01)
    mu = check_topology(layer(*shapes, TBMJ=[a * 3 / 2000 for a in true]), area_column="TBMJ")
    assert mu["check"].tolist() == ["area_unit"]
    assert mu["detail"].tolist() == ["亩"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 20)] * 2), min_size=1, max_size=7, unique=True))
def test_areas_add_up(boxes: list[tuple[int, int, int, int]]) -> None:
    shapes = [box(*b) for b in boxes]
    border = layer(box(0, 0, 60, 60))
    got = found(check_topology(layer(*shapes), district=border, tolerance_m2=0.0))
    scale = shapely.area(border.geometry.iloc[0]) / 3600
    union = shapely.union_all(shapes)
    pairs = sum(a.intersection(b).area for i, a in enumerate(shapes) for b in shapes[:i])
    assert got.get("overlap", ("", 0, 0.0))[2] == pytest.approx(pairs * scale, rel=1e-3, abs=0.02)
    assert got.get("uncovered", ("", 0, 0.0))[2] == pytest.approx(3600 - union.area, rel=1e-3, abs=0.02)
    assert "duplicate" not in got
    assert "outside" not in got


# --- codes -------------------------------------------------------------------------------------------------


def test_unknown_codes_are_listed() -> None:
    codes = ["0701", "0701", "0799", "0799", "", None, "1207", 801.0]
    names = ["城镇住宅用地", "商业用地", "", "", "", None, "城镇村道路用地", None]
    table = check_codes(pd.DataFrame({"DLBM": codes, "DLMC": names}))
    rows = {(r.check, r.what): (r.count, r.detail) for r in table.itertuples()}
    assert rows[("unknown_code", "0799")][0] == 2
    assert rows[("empty_code", "")][0] == 2
    assert rows[("name_differs", "0701 商业用地")] == (1, "城镇住宅用地")
    assert rows[("unknown_code", "801")][0] == 1
    with pytest.raises(MissingColumnError, match="code"):
        check_codes(pd.DataFrame({"a": [1]}))


def test_which_classification() -> None:
    def of(codes: list[str], names: list[str] | None = None) -> str:
        return find_classification(pd.DataFrame({"DLBM": codes, **({"DLMC": names} if names else {})}))

    assert of(["08H1", "05H1", "0810A"]) == "dltb"
    assert of(["080403", "1401", "0901"]) == "landuse"
    assert of(["0101", "0103"]) == "both"
    assert of(["0601"], ["工业用地"]) == "dltb"
    assert of(["0601"], ["农村道路"]) == "landuse"
    assert of(["x", "y"]) == "unknown"
    assert find_classification(pd.DataFrame({"a": [1]})) == "unknown"


def test_the_crosswalk_is_sound() -> None:
    survey, landuse = load_codes("dltb"), load_codes("landuse")
    assert survey.index.is_unique
    assert landuse.index.is_unique
    assert set(survey["landuse"]) <= set(landuse.index)
    assert set(survey["relation"]) == {"exact", "several"}
    assert set(survey["tag"]) == {"K"}
    same = survey[(survey["relation"] == "exact") & (survey.index.str.len() == 4)]
    for _, row in same.iterrows():  # one to one: the names share more than their ending
        assert set(row["name"].removeprefix("可调整")) & set(landuse.loc[row["landuse"], "name"])
    out = dltb_to_landuse(pd.Series(["0601", " 1104a ", None, "99"], index=[5, 6, 7, 8]))
    assert out["code"].tolist() == ["1001", "1704", "", ""]
    assert out["relation"].tolist() == ["exact", "exact", "unknown", "unknown"]
    assert out.index.tolist() == [5, 6, 7, 8]


def test_control_lines() -> None:
    assert [line_name(t) for t in ("永农", "STBHHX_2022", "开发边界", "蓝线", None)] == [
        "永久基本农田",
        "生态保护红线",
        "城镇开发边界",
        "",
        "",
    ]
    lines = layer(box(0, 0, 9, 9), box(20, 0, 9, 9), HXMC=["永农", "蓝线"])
    rows = {(r.check, r.what) for r in check_lines(lines).itertuples()}
    assert rows == {("other_line", "蓝线"), ("missing_line", "生态保护红线"), ("missing_line", "城镇开发边界")}


# --- in a study --------------------------------------------------------------------------------------------


def test_a_study_with_the_land_survey(tmp_path: Path) -> None:
    file = write_toy_study(tmp_path)
    raw = tmp_path / "data" / "raw"
    shapes = [box(-100, -100, 1000, 1100), box(890, -100, 1110, 1100)]
    bow = shapely.Polygon([(EAST, NORTH), (EAST + 9, NORTH + 9), (EAST + 9, NORTH), (EAST, NORTH + 9)])
    columns = {"DLBM": ["0601", "08H2", "9999"], "DLMC": ["工业用地", "科教文卫用地", "?"]}
    layer(*shapes, bow, **columns).to_file(raw / "DLTB.gpkg")
    layer(box(0, 0, 50, 50), HXMC=["永农"]).to_file(raw / "lines.gpkg")
    more = (
        '[inputs.landuse]\npath = "DLTB.gpkg"\nclassification = "dltb"\n[inputs.control_lines]\npath = "lines.gpkg"\n'
    )
    text = file.read_text(encoding="utf-8").replace("[inputs.population]", more + "[inputs.population]", 1)
    file.write_text(text, encoding="utf-8")
    data = load_inputs(load_study(file))
    assert data.landuse is not None
    assert data.control_lines is not None
    assert data.landuse["code"].tolist() == ["1001", "08", ""]
    assert data.landuse["code_source"].tolist() == columns["DLBM"]
    assert data.control_lines["line_type"].tolist() == ["永久基本农田"]
    said = " ".join(zh for zh, _ in data.notes)
    assert "9999 1" in said
    assert "一对多 1" in said
    own = load_layer(raw / "DLTB.gpkg")
    report = check_zoning(
        {"inputs.landuse": own, "inputs.control_lines": data.control_lines},
        district=data.district,
        classification="dltb",
    )
    checks = set(report.loc[report["setting"] == "inputs.landuse", "check"])
    assert {"unknown_code", "invalid", "overlap"} <= checks
    overlap = report[report["check"] == "overlap"].iloc[0]
    assert overlap["area_m2"] == pytest.approx(10 * 1100 + 0, rel=0.02)
    lines = describe_checks(report)
    assert len(lines) == len(report)
    assert all(zh and en and "nan" not in zh + en for zh, en in lines)
    assert set(report["check"]) <= set(CHECKS)
    assert np.isfinite(report["count"]).all()
    assert check_zoning({}, district=data.district).empty
