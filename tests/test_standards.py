"""Standards as data: the table itself, a study's own values, targets, indicators on a toy town, and bad files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import EAST, NORTH
from toy_study import write_toy_study

import bishan_gis as bg
from bishan_gis.errors import MissingColumnError, MissingFileError, SchemaError, StudyError
from bishan_gis.planning.coverage import radius_coverage
from bishan_gis.planning.indicators import _holds, _verdict, evaluate_indicators, worst_verdict
from bishan_gis.planning.radius_and_streets import radius_versus_streets, study_radius_versus_streets
from bishan_gis.planning.shelter_classes import shelter_classes
from bishan_gis.planning.standard_rows import COLUMNS
from bishan_gis.planning.standards import load_standards, override_standards, service_targets, study_standards
from bishan_gis.planning.zone_sums import ZoneSums

HEAD = ",".join(COLUMNS)
GOOD = "a.radius,a,A 1,1.2,5,nursery,托儿所,nursery,radius_m,<=,300,,m,people,must,page 3,S"


def table(tmp_path, *rows: str):
    file = tmp_path / "own.csv"
    file.write_text("\n".join([HEAD, *rows, ""]), encoding="utf-8")
    return file


# --- the table -----------------------------------------------------------------------------------------


def test_the_table_of_the_package() -> None:
    rows = load_standards()
    assert rows["id"].is_unique
    assert set(rows["tag"]) == {"S", "K"}, "a proposal belongs into a study"
    assert (rows.loc[rows["tag"] == "S", "source"] != "").all()
    by_id = rows.set_index("id")
    seen = {
        "gb50180.kindergarten.radius": (300, "S"),
        "gb50180.primary_school.radius": (500, "K"),
        "gb50180.middle_school.radius": (1000, "K"),
        "tdt1063.elderly5": (5, "S"),
        "gb51080.area": (7, "S"),
        "shelter.fixed_share": (0.15, "S"),
        "gb55014.green": (8, "S"),
        "gb51143.long.area": (50_000, "K"),
    }
    for key, (value, tag) in seen.items():
        assert (by_id.loc[key, "value"], by_id.loc[key, "tag"]) == (value, tag), key
    assert by_id.loc["transit.stop300", ["value", "share_min"]].tolist() == [300, 0.5]
    # The first set decides, so the order of `sets` is that of the rows.
    assert load_standards(sets=["fire", "parks"])["set"].drop_duplicates().tolist() == ["fire", "parks"]


#: The spatial indicators of TD/T 1063-2021, as the source lists them.
TDT1063 = """
永久基本农田保护面积 耕地保有量 生态保护红线面积 历史文化保护线面积 湿地面积 河湖水面率 高标准农田面积占比
生态保护红线范围内城乡建设用地面积 再生水利用率 人均应急避难场所面积 消防救援5分钟可达覆盖率 城区透水表面占比
城市内涝积水点数量 超高层建筑数量 综合减灾示范社区比例 防洪堤防达标率 经过治理的地质灾害隐患点数量
年平均地面沉降量 闲置土地处置率 存量土地供应比例 城乡工业用地占比 城区道路网密度 新增城市更新改造用地面积
城乡职住用地比例 批而未供土地处置率 常住人口 城区常住人口密度 建设用地总面积 城区建筑密度
城镇开发边界范围内城乡建设用地面积 人均城镇建设用地 人均村庄建设用地 等级医院交通30分钟行政村覆盖率
行政村等级公路通达率 人均地下空间面积 森林覆盖率 林地保有量 新增生态修复面积 工业用地地均增加值 每万元GDP地耗
绿色交通出行比例 分布式清洁能源设施覆盖面积 1小时到达中心城市国际机场或干线机场的县级单元比例 高速公路网密度
铁路网密度 城市对外日均人流联系量 工作日平均通勤时间 45分钟通勤时间内居民占比 都市圈1小时人口覆盖率
轨道交通站点800米半径服务覆盖率 15分钟社区生活圈覆盖率 社区卫生服务设施步行15分钟覆盖率 市区级医院2公里覆盖率
社区小学步行10分钟覆盖率 社区中学步行15分钟覆盖率 社区养老设施步行5分钟覆盖率 社区文化活动设施步行15分钟覆盖率
菜市场(生鲜超市)步行10分钟覆盖率 每万人幼儿园班数 每千人床位 每千老人养老床位 城镇人均住房面积 殡葬用地面积
社区体育设施步行15分钟覆盖率 足球场地设施步行15分钟覆盖率 公园绿地、广场用地步行5分钟覆盖率
森林步行15分钟覆盖率 人均公园绿地面积 人均绿道长度 每10万人拥有的图书馆 每10万人拥有的博物馆
每10万人拥有的科技馆 每10万人拥有的艺术馆 每万人咖啡馆茶舍数
"""


def test_no_section_of_the_standards_is_left_out() -> None:
    rows = load_standards()
    mine = rows[(rows["set"] == "tdt1063") & (rows["clause"] != "definitions")]
    assert sorted(mine["clause"]) == sorted(TDT1063.split())
    assert set(mine["tag"]) == {"S"}
    seen = rows.groupby("set").size().to_dict()
    assert seen == {
        **{"gb50180": 125, "tdt1062": 10, "tdt1063": len(TDT1063.split()) + 2, "complete": 32, "quarter_hour": 8},
        **{"checkup": 27, "parks": 10, "transit": 6, "fire": 18, "shelters": 38, "floods": 2, "speeds": 7},
        **{"chongqing": 21, "governance": 1},
    }
    # Annex C: which facilities have a radius, by life circle.
    radii = rows[(rows["set"] == "gb50180") & (rows["indicator"] == "radius_m")]
    assert radii.groupby("level").size().to_dict() == {0: 1, 5: 8, 10: 5, 15: 7}
    by_id = rows.set_index("id")
    assert by_id.loc["gb50180.block.spacing", ["value", "value_max", "tag"]].tolist() == [150, 250, "S"]
    assert by_id.loc["gb50014.medium", ["value", "value_max", "tag"]].tolist() == [20, 30, "K"]
    assert by_id.loc["checkup.community.elderly", "tag"] == "S"
    assert by_id.loc["checkup.community.charging", "tag"] == "K"


def test_a_radius_fits_the_minutes_it_stands_under() -> None:
    """Nobody walks 2 km in 15 minutes; only the culture station has 500 m in the 5-minute circle, as Annex C says."""
    rows = load_standards()
    rows = rows[(rows["indicator"] == "radius_m") & (rows["level"] > 0)]
    longest = rows["level"].map({5: 300, 10: 500, 15: 1000})
    slips = rows[rows[["value", "value_max"]].max(axis=1) > longest]
    assert slips["id"].tolist() == ["gb50180.culture_station.radius"]
    hospital = service_targets(load_standards()).set_index("service").loc["hospital"]
    assert np.isnan(hospital["level_min"]), "no standard asks for a hospital within a walk"
    assert hospital[["radius_m", "drive_min"]].tolist() == [2000, 30]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("nursery,radius_m", "nursery,radius_km"), "radius_m"),
        ((",m,people", ",km,people"), "does not fit radius_m"),
        ((",300,", ",three,"), "no number of 0 or more"),
        ((",300,", ",-1,"), "no number of 0 or more"),
        ((",300,,", ",300,200,"), "between only"),
        (("<=,300,,", "between,300,200,"), "value <= value_max"),
        ((",5,nursery", ",5.5,nursery"), "whole number of minutes"),
        (("must", "may"), "known: must, should"),
        (("page 3,S", "page 3,X"), "tag = 'X'"),
        (("page 3,S", ",S"), "source is empty"),
        (("托儿所", ""), "name_zh is empty"),
    ],
)
def test_bad_rows_are_named(tmp_path, change, said) -> None:
    with pytest.raises(SchemaError, match="line 3") as err:
        load_standards(table(tmp_path, GOOD, GOOD.replace("a.radius", "b.radius").replace(*change)))
    assert said in err.value.en
    assert "第 3 行" in err.value.zh


def test_all_problems_at_once(tmp_path) -> None:
    bad = GOOD.replace("must", "may").replace(",S", ",X")
    with pytest.raises(SchemaError, match="4 problems") as err:
        load_standards(table(tmp_path, GOOD, GOOD, bad))
    assert "id repeats that of line 2" in err.value.en
    with pytest.raises(SchemaError, match="no rows"):
        load_standards(table(tmp_path))
    with pytest.raises(MissingFileError):
        load_standards(tmp_path / "none.csv")
    file = tmp_path / "short.csv"
    file.write_text("id,set\na,b\n", encoding="utf-8")
    with pytest.raises(MissingColumnError, match="indicator"):
        load_standards(file)
    with pytest.raises(StudyError, match="gb50180"):
        load_standards(sets=["gb5018"])


# --- a study's own values -------------------------------------------------------------------------------


def test_an_override_is_shown(tmp_path) -> None:
    rows = load_standards(table(tmp_path, GOOD))
    before = rows.copy()
    own = override_standards(rows, [{"id": "a.radius", "value": 500, "reason": "hills"}]).iloc[0]
    assert own[["value", "value_before", "tag", "reason"]].tolist() == [500, 300, "P", "hills"]
    pd.testing.assert_frame_equal(rows, before)
    bad = [
        {"id": "a.radiu", "value": 1, "reason": "x"},
        {"id": "a.radius", "reason": "x"},
        {"id": "a.radius", "value": 1},
    ]
    with pytest.raises(StudyError) as err:
        override_standards(rows, bad)
    for said in ("a.radius?", "give a value", "give a reason", "is there twice"):
        assert said in err.value.en


def test_a_study_chooses(tmp_path) -> None:
    file = write_toy_study(tmp_path)
    text = file.read_text(encoding="utf-8")
    mine = '[standards]\nsets = ["tdt1063", "gb50180"]\n[[standards.override]]\nid = "tdt1063.primary10"\nvalue = 12\n'
    file.write_text(text + mine + 'reason = "山地"\n', encoding="utf-8")
    rows = study_standards(bg.load_study(file))
    assert rows["set"].drop_duplicates().tolist() == ["tdt1063", "gb50180"]
    target = service_targets(rows).set_index("service").loc["primary_school"]
    assert target[["level_min", "radius_m", "tag"]].tolist() == [12, 500, "P"]
    file.write_text(text + mine, encoding="utf-8")
    with pytest.raises(StudyError, match=r"standards.override.0.reason is missing"):
        bg.load_study(file)


def test_targets() -> None:
    """The first set that speaks of a service decides; where none does, the class of the study."""
    rows = load_standards()
    services = pd.DataFrame(
        {"level": [10, 15, 15], "radius_m": [np.nan] * 3, "tag": ["S", "K", "S"], "zh": list("abc"), "en": list("abc")},
        index=["market", "bank", "fire_station"],
    ).assign(standard="class", clause="")
    out = service_targets(rows, services=services).set_index("service")
    assert out.loc["market", ["level_min", "radius_m", "tag"]].tolist() == [10, 500, "K"]
    assert out.loc["bank", ["level_min", "standard", "tag", "status"]].tolist() == [15, "class", "K", "should"]
    assert out.loc["fire_station", ["drive_min", "tag"]].tolist() == [5, "S"]
    assert np.isnan(out.loc["fire_station", "level_min"]), "no standard asks for it on foot"
    quarter = service_targets(load_standards(sets=["quarter_hour", "gb50180"]), services=services).set_index("service")
    assert quarter.loc["market", ["level_min", "radius_m"]].tolist() == [8, 500]
    assert quarter.loc["market", "clause"] == "8 min"


# --- both measures --------------------------------------------------------------------------------------


def test_circle_and_streets(toy_results) -> None:
    targets = service_targets(load_standards(), services=toy_results.services)
    out = study_radius_versus_streets(toy_results, targets).set_index("service")
    assert set(out.index) == {"kindergarten", "primary_school", "park", "bus_stop"}
    at = toy_results.facilities.set_index("service").loc["kindergarten", ["x", "y"]].to_numpy(float)
    cells = toy_results.cells
    near = np.hypot(cells["x"] - at[0], cells["y"] - at[1]) <= 300
    row = out.loc["kindergarten"]
    assert row["people_circle"] == cells.loc[near, "people"].sum()
    there = toy_results.access
    there = there[(there["service"] == "kindergarten") & (there["value"] <= 300)]["origin_id"]
    assert row["people_streets"] == cells.loc[cells["cell_id"].isin(there), "people"].sum()
    assert 0 < row["share_streets"] < row["share_circle"] < 1
    assert (
        f"{row['share_circle'] * 100:.1f} %, 街道 5 分钟实际 {row['share_streets'] * 100:.1f} %" in row["sentence_zh"]
    )
    run_has = toy_results.radius_streets
    assert run_has is not None
    pd.testing.assert_frame_equal(run_has.drop(columns="kind"), out.reset_index()[run_has.columns.drop("kind")])
    assert set(run_has["kind"]) == {toy_results.kind}
    with pytest.raises(SchemaError, match="kindergarten 300 m"):
        radius_versus_streets(toy_results.radii.iloc[:0], toy_results.coverage, targets)


# --- indicators -----------------------------------------------------------------------------------------


def test_indicators_of_the_toy_town(toy_results) -> None:
    out = evaluate_indicators(toy_results)
    assert set(out["id"]) == set(load_standards()["id"]), "nothing is left out"
    town = out[out["zone_kind"] == "district"].set_index("id")
    assert town.index.is_unique
    # A park of 130 m x 130 m for 1501 people, and one of a known size is all there is.
    green = town.loc["gb55014.green"]
    assert green["value"] == pytest.approx(130 * 130 / 1501, rel=1e-3)
    assert (green["verdict"], green["basis"]) == ("met", 1501)
    # It lies in the eastern township, which has 501 of them.
    by_town = out[(out["id"] == "gb55014.green") & (out["zone_kind"] == "township")].set_index("zone_id")
    assert by_town["value"].tolist() == [0, pytest.approx(130 * 130 / 501, rel=1e-3)]
    assert by_town["verdict"].tolist() == ["not_met", "met"]
    # 16,900 m2 is a large park: its radius is 500 m, and no small one is there.
    cells = toy_results.cells
    distance = np.hypot(cells["x"] - (EAST + 1275), cells["y"] - (NORTH + 225))
    assert town.loc["checkup.park_large", "value"] == pytest.approx(cells.loc[distance <= 500, "people"].sum() / 1501)
    assert town.loc["checkup.park_small", "value"] == 0
    assert town.loc["gb55014.cover", "value"] == town.loc["checkup.park_large", "value"]
    # Radii agree with the function of the run, minutes with its table.
    stops = radius_coverage(cells, pd.DataFrame(toy_results.facilities), radii_m=[500]).set_index("service")
    assert town.loc["gbt51328.stop500", "value"] * 1501 == pytest.approx(stops.loc["bus_stop", "people"])
    covered = toy_results.coverage.query("zone_kind == 'district' and age_group == 'all'")
    school = covered.query("service == 'primary_school' and cutoff_min == 10").iloc[0]
    assert town.loc["tdt1063.primary10", "value"] * 1501 == pytest.approx(school["people_covered"])
    assert town.loc["tdt1063.primary10", "verdict"] == "no_threshold"
    # What cannot be told says what it needs.
    for key, said in {
        "tdt1063.beds": "no facilities of hospital",
        "gb51080.time": "needs [drive]",
        "gbt51328.density": "inputs.control_lines",
        "complete.16": "needs data",
    }.items():
        assert (town.loc[key, "verdict"], np.isnan(town.loc[key, "value"])) == ("unknown", True), key
        assert said in town.loc[key, "note_en"], key


def test_unknown_sizes_leave_a_lower_bound(toy_results) -> None:
    """One kindergarten of 40 and one whose places nobody knows: 40 is the least, and no verdict below the threshold."""
    from dataclasses import replace

    rows = pd.concat([toy_results.facilities[toy_results.facilities["service"] == "kindergarten"]] * 2)
    rows = rows.assign(facility_id=["a", "b"], capacity=[40.0, np.nan], service="hospital")
    services = toy_results.services.rename(index={"kindergarten": "hospital"})
    run = replace(toy_results, facilities=rows.reset_index(drop=True), services=services)
    rule = load_standards(sets=["tdt1063"])
    rule = rule[rule["id"] == "tdt1063.beds"]
    for least, verdict in ((20.0, "met"), (30.0, "unknown")):
        one = evaluate_indicators(run, rule.assign(value=least)).iloc[0]
        assert one["value"] == pytest.approx(40 / 1501 * 1000)
        assert (one["value_high"], one["verdict"]) == (np.inf, verdict)


def _with_places(run, rows, service):
    """Return a run whose only facilities are `rows` of one service."""
    from dataclasses import replace

    base = pd.DataFrame(run.facilities.iloc[[0] * len(rows)]).reset_index(drop=True)
    table = base.assign(service=service, name="", capacity=np.nan, area_m2=0.0).drop(columns=["geometry"])
    for i, row in enumerate(rows):
        for column, value in {"facility_id": f"f{i}", **row}.items():
            table.loc[i, column] = value
    services = run.services.iloc[[0]].rename(index={run.services.index[0]: service})
    return replace(run, facilities=table, services=services)


def test_parks_are_classed_by_their_area(toy_results) -> None:
    """12 ha are a general park, 2 ha a community park, 0.5 ha neither; one of no known area leaves both open above."""
    sizes = [{"area_m2": a} for a in (120_000.0, 20_000.0, 5_000.0)]
    ids = ["gb55014.green", "gb55014.general", "gb55014.community"]
    for more, high in (([], None), ([{}], np.inf)):
        out = evaluate_indicators(_with_places(toy_results, [*sizes, *more], "park"), ids=ids)
        town = out[out["zone_kind"] == "district"].set_index("id")
        assert town["value"].tolist() == pytest.approx([145_000 / 1501, 120_000 / 1501, 20_000 / 1501])
        assert town["value_high"].tolist() == pytest.approx([high or v for v in town["value"]])
        assert town["tag"].tolist() == ["S", "K", "K"], "the size of a class is not checked"
    assert "classed by area >= 10 ha: 1, 1 more without area" in town.loc["gb55014.general", "note_en"]


def test_shelters_are_classed(toy_results) -> None:
    """By the grade given, the name, the area, and only then the capacity; the standards see their own class."""
    rows = [
        {"grade": "区级 长期", "capacity": 100.0},  # what is said wins
        {"name": "紧急避难点", "capacity": 9_000.0},
        {"area_m2": 9_999.0, "capacity": 90_000.0},  # below 1 ha: short
        {"capacity": 999.0},  # fewer than 2,000 m2 hold at 2.0 m2: emergency
        {"capacity": 5_000.0},
        {},
    ]
    rows = [{"grade": "", **r} for r in rows]
    run = _with_places(toy_results, rows, "shelter")
    table = shelter_classes(run.facilities, ZoneSums(run).facility_area_m2, load_standards())
    assert table["class"].tolist() == ["long", "emergency", "short", "emergency", "medium", ""]
    assert table["by"].tolist() == ["grade", "name", "area", "capacity", "capacity", ""]
    assert table["level"].tolist() == ["district", "community", "township", "community", "township", ""]
    ids = ["shelter.fixed_share", "gb51143.central.distance", "gb51143.short.distance", "gb51143.short.per_person"]
    out = evaluate_indicators(run, ids=ids)
    town = out[out["zone_kind"] == "district"].set_index("id")
    assert town.loc["shelter.fixed_share", "value"] == pytest.approx((100 + 90_000 + 5_000) / 1501)
    assert town.loc["gb51143.central.distance", "value"] == 0 < town.loc["gb51143.central.distance", "value_high"]
    assert town.loc["gb51143.short.per_person", ["value", "verdict"]].tolist() == [pytest.approx(0.1111), "unknown"]
    assert set(town["tag"]) == {"P"}
    bare = evaluate_indicators(_with_places(toy_results, [{}, {}], "shelter"), ids=ids)
    assert (bare["value"].isna() & bare["note_en"].str.contains("none of 2 has a grade")).all()


@given(
    st.sampled_from([">=", ">", "<=", "<", "between"]),
    st.floats(0, 10),
    st.floats(0, 10),
    st.floats(0, 10),
    st.floats(0, 5),
    st.floats(0, 1),
)
def test_a_verdict_is_certain(op, a, b, least, width, where) -> None:
    low, high = sorted([a, b])
    value = low + where * (high - low)
    verdict = _verdict(op, low, high, least, least + width, at_most=False)
    if verdict in ("met", "not_met") and low <= value <= high:
        assert _holds(op, value, least, least + width) == (verdict == "met")
    assert _verdict(op, low, high, least, least + width, at_most=True) in (
        "unknown",
        verdict if verdict != "met" else "",
    )


def test_worst_verdict() -> None:
    assert worst_verdict(["met", "no_threshold"]) == "met"
    assert worst_verdict([]) == "no_threshold"


def test_people_of_the_study_add_up(bishan_results) -> None:
    """Every count of people is the same for the district, its directions and its townships."""
    out = evaluate_indicators(bishan_results)
    counts = out[(out["basis_unit"] == "person") & (out["unit"] == "1") & out["value"].notna()]
    counts = counts[~counts["indicator"].isin(["site_m2"])].assign(n=lambda t: t["value"] * t["basis"])
    counts = counts[counts["id"] != "shelter.fixed_share"]
    sums = counts.pivot_table(index="id", columns="zone_kind", values=["n", "basis"], aggfunc="sum")
    assert len(sums) > 30
    for what in ("n", "basis"):
        for kind in ("direction", "township"):
            assert np.allclose(sums[what, kind], sums[what, "district"])
    assert set(sums["basis", "district"]) == {float(bishan_results.cells["people"].sum())}
