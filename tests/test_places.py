"""Zones, facility classes, facilities, duplicates, access points."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from bishan_gis.errors import CrsError, MissingColumnError, MissingFileError, SchemaError, StudyError
from bishan_gis.network.graph import Network
from bishan_gis.places.classes import Matcher, load_classes
from bishan_gis.places.entrances import find_access_points, find_entrances
from bishan_gis.places.facilities import clean_name, find_facilities, merge_duplicates
from bishan_gis.places.zones import UNASSIGNED, assign_zone, build_zones
from bishan_gis.study_settings import Directions

WORK = CRS("EPSG:4544")
X0, Y0 = 600000.0, 3270000.0
CLASSES = load_classes()


def box(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    return shapely.box(X0 + x0, Y0 + y0, X0 + x1, Y0 + y1)


# --- zones -------------------------------------------------------------------------------------------------


def towns() -> gpd.GeoDataFrame:
    shape = [
        box(0, 0, 1000, 1000),
        box(1000, 0, 2000, 1000),
        box(0, 1000, 1000, 2000),
        box(1000, 1000, 1997, 2000),
    ]
    return gpd.GeoDataFrame(
        {"zone_id": [3, 1, 2, 4], "name": ["丙镇", "甲镇", "乙镇", "丁镇"], "kind": "derived"},
        geometry=shape,
        crs=WORK,
    )


def district() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"name": ["区"]}, geometry=[box(0, 0, 2000, 2000)], crs=WORK)


def test_zones_by_hand() -> None:
    zones = build_zones(district(), towns(), Directions(zones={"南进": ["丙镇", "1"], "北延": ["乙镇", "丁镇"]}))
    assert zones["zone_id"].tolist() == ["district", "南进", "北延", "1", "2", "3", "4"]
    assert zones["zone_kind"].tolist() == ["district", "direction", "direction", *["township"] * 4]
    assert zones["direction"].tolist() == ["", "南进", "北延", "南进", "北延", "南进", "北延"]
    assert zones["kind"].tolist() == ["observed", "assumed", "assumed", *["derived"] * 4]
    of = zones.set_index("zone_id").geometry
    assert of["南进"].equals(box(0, 0, 2000, 1000))
    assert zones.attrs["warnings"] == []


def test_unassigned_is_a_zone_and_a_warning() -> None:
    zones = build_zones(district(), towns(), Directions(zones={"南进": ["丙镇", "甲镇"]}))
    row = zones.set_index("zone_id").loc[UNASSIGNED]
    assert row["name"] == "未分配"
    assert row.geometry.area == pytest.approx(1997e3)
    assert "乙镇, 丁镇" in zones.attrs["warnings"][0][1]


def test_wrong_directions_are_named_together() -> None:
    directions = Directions(zones={"南进": ["丙镇", "甲镇", "乙真"], "北延": ["甲镇", "丁镇"]})
    with pytest.raises(StudyError, match=r"乙真 in 南进 is no township.*甲镇 is in more than one place: 南进 / 北延"):
        build_zones(district(), towns(), directions)
    twins = towns().assign(name=["同名", "同名", "乙镇", "丁镇"])
    with pytest.raises(StudyError, match=r"同名 is the name of several, write ids \(1, 3\)"):
        build_zones(district(), twins, Directions(zones={"南进": ["同名"]}))


def test_no_directions() -> None:
    zones = build_zones(district(), towns(), Directions())
    assert set(zones["zone_kind"]) == {"district", "township"}
    assert set(zones["direction"]) == {""}


def test_directions_of_their_own() -> None:
    layer = gpd.GeoDataFrame({"name": ["西", "东"]}, geometry=[box(0, 0, 900, 2000), box(900, 0, 1900, 2000)], crs=WORK)
    zones = build_zones(district(), towns(), Directions(), direction_layer=layer)
    own = zones[zones["zone_kind"] == "direction"]
    assert own["zone_id"].tolist() == ["西", "东", UNASSIGNED]
    assert own.geometry.area.sum() == pytest.approx(4e6)
    assert zones.set_index("zone_id")["direction"][["1", "2"]].tolist() == ["东", "西"]
    assert "0.20 km²" in zones.attrs["warnings"][0][1]
    layer.loc[0, "geometry"] = box(0, 0, 1000, 2000)
    with pytest.raises(SchemaError, match="东 / 西"):
        build_zones(district(), towns(), Directions(), direction_layer=layer)


def test_zones_need_metres_and_columns() -> None:
    with pytest.raises(CrsError, match="EPSG:4544"):
        build_zones(district(), towns().to_crs(4326), Directions())
    with pytest.raises(MissingColumnError, match="zone_id"):
        build_zones(district(), towns().drop(columns="zone_id"), Directions())


def spots(*xy: tuple[float, float]) -> gpd.GeoSeries:
    return gpd.GeoSeries([shapely.Point(X0 + x, Y0 + y) for x, y in xy], crs=WORK)


def test_assign_zone_by_hand() -> None:
    zones = build_zones(district(), towns(), Directions())
    out = assign_zone(spots((500, 500), (1000, 500), (1000, 1000), (1999, 1500), (2001, 500)), zones, "township")
    assert out.tolist() == ["3", "1", "1", "4", ""]  # inside, shared side, shared corner, gap, outside
    assert out.attrs["outside"] == 1
    with pytest.raises(SchemaError, match="district, township"):
        assign_zone(spots((1, 1)), zones, "village")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 2000), st.floats(0, 2000)), min_size=1, max_size=30), st.integers(0, 99))
def test_every_place_is_in_exactly_one_zone(xy: list[tuple[float, float]], seed: int) -> None:
    zones = build_zones(district(), towns(), Directions(zones={"南": ["甲镇"], "北": ["乙镇", "丁镇"]}))
    for kind in ("township", "direction", "district"):
        out = assign_zone(spots(*xy), zones, kind)
        assert out.attrs["outside"] == 0
        order = np.random.default_rng(seed).permutation(len(zones))
        assert assign_zone(spots(*xy), zones.iloc[order], kind).equals(out)


# --- classes -----------------------------------------------------------------------------------------------


def test_classes_cover_daily_life() -> None:
    wanted = [
        "kindergarten", "primary_school", "middle_school", "nursery", "health_station", "health_center",
        "hospital", "pharmacy", "elderly_daycare", "nursing_home", "market", "supermarket",
        "convenience", "mall", "restaurant", "library", "culture_station", "culture_center",
        "sports_center", "pitch", "fitness", "park", "playground", "bus_stop", "rail_station", "bank",
        "post", "police", "fire_station", "toilet", "community_centre", "town_hall", "shelter",
        "recycling",
    ]  # fmt: skip
    assert len(wanted) >= 25
    assert set(wanted) <= set(CLASSES)
    for one in CLASSES.values():
        # A hospital has 2 km: half an hour, and none of the life circles.
        assert one.level in ((30,) if one.key == "hospital" else (5, 10, 15))
        assert one.tag in ("S", "K", "P")
        assert one.zh
        assert one.en
        assert one.standard
        assert len(one.icon) == 1
        assert one.group_zh != one.group
    assert len({c.icon for c in CLASSES.values()}) == len(CLASSES)


def test_own_classes_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        '[[class]]\nkey = "a"\nzh = "甲"\nen = "A"\ngroup = "g"\nlevle = 5\nnames = "("\ntags = [{ x = "y" }]\n'
    )
    with pytest.raises(StudyError, match=r"a: unknown key levle \(level\?\).*level is missing.*bad expression.*write"):
        load_classes(path)
    with pytest.raises(MissingFileError):
        load_classes(tmp_path / "no.toml")
    with pytest.raises(StudyError, match="did you mean park"):
        load_classes(include=["parkk"])
    some = load_classes(include=["park"])
    assert [k for k, c in some.items() if c.studied] == ["park"]


def osm(*things: tuple[str, dict[str, str], shapely.Geometry]) -> SimpleNamespace:
    """An extract: nodes are points, everything else is an area; coordinates in the working CRS."""
    shape = gpd.GeoSeries([g for _, _, g in things], crs=WORK).to_crs(4326)
    node = [i for i, (name, _, _) in enumerate(things) if name.startswith("node/")]
    area = [i for i in range(len(things)) if i not in node]
    return SimpleNamespace(
        point_id=np.array([int(things[i][0][5:]) for i in node], dtype=np.int64),
        point_lon=np.array([shape.iloc[i].x for i in node]),
        point_lat=np.array([shape.iloc[i].y for i in node]),
        point_tags=[things[i][1] for i in node],
        areas=gpd.GeoDataFrame(
            {"osm_id": [things[i][0] for i in area], "tags": [things[i][1] for i in area]},
            geometry=[shape.iloc[i] for i in area],
            crs=4326,
        ),
    )


def found(*things: tuple[str, dict[str, str], shapely.Geometry], **options: object) -> gpd.GeoDataFrame:
    return find_facilities(osm(*things), CLASSES, name="a.osm.pbf", **options)


HERE = shapely.Point(X0, Y0)


@pytest.mark.parametrize(
    ("tags", "services"),
    [
        ("amenity=kindergarten", ["kindergarten"]),
        ("amenity=kindergarten;name=阳光托育中心", ["nursery"]),
        ("amenity=school;name=璧山实验小学", ["primary_school"]),
        ("amenity=school;name=西南大学附属小学", ["primary_school"]),
        ("amenity=school;name=丁家中学", ["middle_school"]),
        ("amenity=school;name=某初级中学", ["middle_school"]),
        ("amenity=school;isced:level=2;name=某校", ["middle_school"]),
        ("amenity=school;name=某高级中学", []),
        ("amenity=school;name=某职业教育中心", []),
        ("amenity=school;name=某实验学校(九年一贯制)", ["primary_school", "middle_school"]),
        ("amenity=school", ["primary_school"]),
        ("amenity=clinic;name=璧城街道社区卫生服务中心", ["health_center"]),
        ("amenity=clinic;name=璧泉街道社区卫生服务中心龙井卫生服务站", ["health_station"]),
        ("amenity=doctors;name=村卫生室", ["health_station"]),
        ("amenity=hospital;name=正兴镇卫生院", ["health_center"]),
        ("amenity=hospital;name=人民医院", ["hospital"]),
        ("amenity=clinic;name=口腔门诊", []),
        ("amenity=social_facility;social_facility=day_care;social_facility:for=senior", ["elderly_daycare"]),
        ("amenity=social_facility;social_facility=nursing_home;social_facility:for=senior", ["nursing_home"]),
        ("amenity=social_facility;name=幸福敬老院", ["nursing_home"]),
        ("amenity=community_centre;community_centre=cultural_centre", ["culture_station"]),
        ("amenity=community_centre;name=渝邻汇", ["community_centre"]),
        ("amenity=community_centre;name=街道文化活动中心", ["culture_center"]),
        ("shop=supermarket;name=永辉生鲜超市", ["market"]),
        ("shop=supermarket;name=永辉超市", ["supermarket"]),
        ("building=yes;name=东街农贸市场", ["market"]),
        ("building=yes;name=某楼", []),
        ("leisure=park;access=private", []),
        ("leisure=pitch;sport=soccer", ["pitch"]),
        ("highway=bus_stop;public_transport=platform", ["bus_stop"]),
        ("railway=station;station=subway", ["rail_station"]),
        ("amenity=toilets;access=customers", []),
        ("amenity=parcel_locker", ["parcel"]),
        ("emergency=assembly_point", ["shelter"]),
        ("amenity=cafe;shop=books", ["restaurant"]),
        ("amenity=bench", []),
    ],
)
def test_tags_and_names(tags: str, services: list[str]) -> None:
    pairs = dict(p.split("=", 1) for p in re.split(r";(?=[a-z:_]+=)", tags))
    out = found(("node/1", pairs, HERE))
    assert sorted(out["service"]) == sorted(services)
    ids = ["node/1"] if len(services) == 1 else [f"node/1:{s}" for s in sorted(services)]
    assert out["facility_id"].tolist() == (ids if services else [])


def test_only_what_no_class_asks_for_is_passed_over() -> None:
    matcher = Matcher(load_classes())
    asked = [(k, v) for c in matcher.classes.values() for t in (*c.tags, *c.weak, *c.fallback) for k, v in t.items()]
    objects = [{k: word} for k, values in asked for v in values for word in (v.replace("*", "any"), f"other; {v}")]
    hits = [tags for tags in objects if matcher.find(tags, "") != ([], False)]
    assert len(hits) > 50
    assert all(matcher.may_be(tags) for tags in hits)
    assert not matcher.may_be({"surface": "asphalt", "amenity": "bench"})


def test_one_service_is_not_taken_for_another_when_few_are_studied() -> None:
    some = load_classes(include=["community_centre"])
    tags = {"amenity": "community_centre", "community_centre": "cultural_centre"}
    assert len(find_facilities(osm(("node/1", tags, HERE)), some, name="a")) == 0


def test_unclear_objects_are_counted() -> None:
    out = found(
        ("node/1", {"amenity": "school", "name": "某职业学校"}, HERE),
        ("way/2", {"building": "yes"}, box(0, 0, 9, 9)),
    )
    assert out.attrs["left_out"] == {"unclear_service": 1}
    assert out.attrs["unclear"] == ["node/1"]


def test_facility_columns_and_names_carried_unchanged() -> None:
    out = found(
        ("node/1", {"amenity": "bank", "name": "<script>alert(1)</script>", "data_kind": "synthetic"}, HERE),
        (
            "way/7",
            {"amenity": "school", "name": "=cmd()\x00|'小学\n 一\u200b", "capacity": "900"},
            box(0, 0, 50, 50),
        ),
        ("relation/9", {"amenity": "hospital", "beds": "120", "capacity": "many"}, box(100, 0, 200, 50)),
        ("node/4", {"amenity": "bank", "name": "长" * 300}, HERE),
    )
    rows = out.set_index("facility_id")
    assert rows.loc["node/1", "name"] == "<script>alert(1)</script>"
    assert rows.loc["node/1", "kind"] == "synthetic"
    assert rows.loc["way/7", "name"] == "=cmd() |'小学 一"
    assert rows["capacity"].tolist()[-2:] == [120.0, 900.0]
    assert np.isnan(rows.loc["node/1", "capacity"])
    assert len(rows.loc["node/4", "name"]) == 200
    assert out["source"].eq("a.osm.pbf").all()
    assert out.crs.to_epsg() == 4326
    assert clean_name(None) == clean_name(float("nan")) == ""


def facility_layer(**columns: Sequence[object]) -> gpd.GeoDataFrame:
    n = len(next(iter(columns.values())))
    return gpd.GeoDataFrame(columns, geometry=[shapely.Point(X0 + 100 * i, Y0) for i in range(n)], crs=WORK).to_crs(
        4326
    )


def test_a_layer_with_classes_services_and_a_list_of_services() -> None:
    layer = facility_layer(
        facility_id=["10", "11", "12", "13", "14"],
        **{"class": ["school", "building;library", "building", "building", "park"]},
        name=["实验小学", "图书馆", "1号站", None, "公园"],
        service=[None, None, None, "bank;post", ""],
    )
    listed = pd.DataFrame({"facility_id": ["12", "14"], "service": ["rail_station", ""]})
    out = find_facilities(layer, CLASSES, name="osm/pois.geojson", kind="assumed", services=listed)
    assert dict(zip(out["facility_id"], out["service"], strict=True)) == {
        "pois/10": "primary_school",
        "pois/11": "library",
        "pois/12": "rail_station",
        "pois/13:bank": "bank",
        "pois/13:post": "post",
    }
    assert set(out["kind"]) == {"assumed"}
    wrong = pd.DataFrame({"facility_id": ["12", "99"], "service": ["railstation", "bank"]})
    with pytest.raises(SchemaError, match=r"railstation.*did you mean rail_station.*99"):
        find_facilities(layer, CLASSES, name="pois.geojson", services=wrong)
    with pytest.raises(SchemaError, match="repeat"):
        find_facilities(facility_layer(facility_id=["1", "1"], service=["bank", "bank"]), CLASSES, name="x")
    plain = find_facilities(facility_layer(amenity=["bank", "pharmacy"]), CLASSES, name="x.gpkg")
    assert plain["facility_id"].tolist() == ["x/1", "x/2"]


# --- duplicates --------------------------------------------------------------------------------------------


def spot(x: float, y: float = 0.0) -> shapely.Point:
    return shapely.Point(X0 + x, Y0 + y)


def merge(*things: tuple[str, dict[str, str], shapely.Geometry]) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    return merge_duplicates(found(*things), crs=WORK)


def test_a_point_and_its_area_are_one() -> None:
    kept, merged = merge(
        ("node/1", {"amenity": "kindergarten", "name": "甲", "capacity": "90"}, spot(20, 20)),
        ("way/2", {"amenity": "kindergarten"}, box(0, 0, 40, 40)),
        ("node/3", {"amenity": "kindergarten"}, spot(52, 20)),
        ("node/4", {"amenity": "kindergarten", "name": "乙"}, spot(50, 30)),
        ("node/5", {"amenity": "bank"}, spot(20, 20)),
    )
    assert kept["facility_id"].tolist() == [
        "node/4",
        "node/5",
        "way/2",
    ]  # 乙 is not joined to 甲 through node/3
    row = kept.set_index("facility_id").loc["way/2"]
    assert (row["name"], row["capacity"], row.geometry.geom_type) == ("甲", 90.0, "Polygon")
    rules = dict(zip(merged["merged_id"], merged["rule"], strict=True))
    assert rules["node/1"] == "inside"
    assert rules["node/3"] == "near"


def test_same_name_unnamed_and_what_is_not_a_duplicate() -> None:
    bank = {"amenity": "bank"}
    kept, merged = merge(
        ("node/1", {**bank, "name": "农 商 行"}, spot(0)),
        ("node/2", {**bank, "name": "农商行"}, spot(55)),
        ("node/3", {**bank, "name": "农商行"}, spot(200)),
        ("node/4", bank, spot(300)),
        ("node/5", bank, spot(314)),
        ("node/6", bank, spot(330)),
        ("node/7", {**bank, "name": "甲"}, spot(400)),
        ("node/8", {**bank, "name": "乙"}, spot(401)),
    )
    assert merged[["facility_id", "merged_id", "rule"]].to_numpy().tolist() == [
        ["node/1", "node/2", "same_name"],
        ["node/4", "node/5", "unnamed"],
    ]
    assert merged["distance_m"].tolist() == pytest.approx([55, 14], abs=0.01)
    assert len(kept) == 6


def test_bus_stops_stand_in_pairs() -> None:
    stop = {"highway": "bus_stop", "name": "东街"}
    kept, merged = merge(("node/1", stop, spot(0)), ("node/2", stop, spot(25)), ("node/3", stop, spot(30)))
    assert merged["merged_id"].tolist() == ["node/3"]
    assert len(kept) == 2


def test_observed_stays_and_takes_the_shape() -> None:
    kept, _ = merge(
        ("node/1", {"leisure": "park", "name": "秀湖公园"}, spot(50, 50)),
        ("way/2", {"leisure": "park", "name": "合成公园", "data_kind": "synthetic"}, box(0, 0, 100, 100)),
    )
    row = kept.iloc[0]
    assert (row["facility_id"], row["name"], row["kind"]) == ("node/1", "秀湖公园", "synthetic")
    assert row.geometry.geom_type == "Polygon"
    kept, _ = merge(
        ("node/1", {"amenity": "bank", "name": "行", "data_kind": "synthetic"}, spot(0)),
        ("node/2", {"amenity": "bank", "name": "行"}, spot(9)),
    )
    assert kept[["facility_id", "kind"]].to_numpy().tolist() == [["node/2", "observed"]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 60), st.sampled_from(["", "甲", "乙"]), st.booleans()),
        min_size=1,
        max_size=15,
    ),
    st.integers(0, 99),
)
def test_merging_keeps_everything_once_whatever_the_order(rows: list[tuple[int, int, str, bool]], seed: int) -> None:
    things = []
    for i, (x, y, name, area) in enumerate(rows):
        tags = {"amenity": "bank", **({"name": name} if name else {})}
        shape = box(x, y, x + 20, y + 20) if area else spot(x, y)
        things.append((f"way/{i}" if area else f"node/{i}", tags, shape))
    table = found(*things)
    kept, merged = merge_duplicates(table, crs=WORK)
    assert sorted([*kept["facility_id"], *merged["merged_id"]]) == sorted(table["facility_id"])
    assert set(merged["facility_id"]) <= set(kept["facility_id"])
    order = np.random.default_rng(seed).permutation(len(table))
    again, merged_again = merge_duplicates(table.iloc[order], crs=WORK)
    pd.testing.assert_frame_equal(pd.DataFrame(kept), pd.DataFrame(again))
    pd.testing.assert_frame_equal(merged, merged_again)
    assert merge_duplicates(kept, crs=WORK)[0]["facility_id"].is_unique


# --- access points -----------------------------------------------------------------------------------------


def network(*lines: tuple[Sequence[tuple[float, float]], int]) -> Network:
    """Streets by their corners and structure code; ends with equal coordinates are one node."""
    ends: dict[tuple[float, float], int] = {}
    u, v, x, y, start = [], [], [], [], [0]
    for corners, _ in lines:
        for end, to in ((corners[0], u), (corners[-1], v)):
            to.append(ends.setdefault(end, len(ends)))
        x += [X0 + c[0] for c in corners]
        y += [Y0 + c[1] for c in corners]
        start.append(len(x))
    n, m = len(ends), len(lines)
    length = [shapely.LineString(c).length for c, _ in lines]
    text = np.full(m, "", dtype=object)
    return Network(
        crs=WORK,
        node_x=np.array([X0 + e[0] for e in ends]),
        node_y=np.array([Y0 + e[1] for e in ends]),
        node_osmid=np.arange(n),
        edge_u=np.array(u, dtype=np.int32),
        edge_v=np.array(v, dtype=np.int32),
        edge_length_m=np.array(length),
        edge_forward=np.ones(m, dtype=bool),
        edge_backward=np.ones(m, dtype=bool),
        edge_way=np.arange(m),
        edge_structure=np.array([s for _, s in lines], dtype=np.uint8),
        edge_highway=text,
        edge_name=text,
        edge_kind=text,
        vertex_start=np.array(start),
        vertex_x=np.array(x),
        vertex_y=np.array(y),
        node_frontier=np.zeros(n, dtype=bool),
        node_elevation_m=np.full(n, np.nan),
    )


def access(
    shape: shapely.Geometry, streets: Network, entrances: gpd.GeoDataFrame | None = None
) -> tuple[set[str], list[tuple[float, float]]]:
    facilities = gpd.GeoDataFrame({"facility_id": ["f"]}, geometry=[shape], crs=WORK).to_crs(4326)
    out = find_access_points(facilities, streets, entrances=entrances)
    assert len(out)
    return set(out["rule"]), sorted(
        (round(x - X0, 1), round(y - Y0, 1)) for x, y in zip(out["x"], out["y"], strict=True)
    )


PARK = box(0, 0, 200, 100)
STREET = ([(-100.0, -20.0), (300.0, -20.0)], 0)


def test_a_point_is_its_own_entrance() -> None:
    assert access(spot(3, 4), network(STREET)) == ({"point"}, [(3, 4)])


def test_mapped_entrances_come_first() -> None:
    gates = osm(
        ("node/1", {"barrier": "gate"}, spot(50, -3)),
        ("node/2", {"entrance": "main"}, spot(200, 50)),
        ("node/3", {"barrier": "gate", "access": "private"}, spot(70, 0)),
        ("node/4", {"entrance": "emergency"}, spot(80, 0)),
        ("node/5", {"barrier": "gate"}, spot(100, 50)),
        ("node/6", {"barrier": "bollard"}, spot(90, 0)),
        ("node/7", {"barrier": "gate", "access": "private", "foot": "yes"}, spot(0, 60)),
    )
    path = ([(100.0, -20.0), (100.0, 50.0)], 0)
    rules, where = access(PARK, network(STREET, path), find_entrances(gates))
    assert rules == {"entrance"}
    assert where == [(0, 60), (50, -3), (200, 50)]


def test_a_path_that_crosses_the_boundary() -> None:
    path = ([(100.0, -20.0), (100.0, 50.0)], 0)
    halves = [([(-100.0, -20.0), (100.0, -20.0)], 0), ([(100.0, -20.0), (300.0, -20.0)], 0)]
    assert access(PARK, network(*halves, path)) == ({"crossing"}, [(100, 0)])


@pytest.mark.parametrize("structure", [1, 2])
def test_a_bridge_over_a_park_is_no_entrance_and_one_into_it_is(structure: int) -> None:
    over = ([(300.0, -20.0), (150.0, 150.0), (100.0, -50.0)], structure)
    assert access(PARK, network(STREET, over))[0] == {"boundary"}
    into = ([(300.0, -20.0), (150.0, 50.0)], structure)
    assert access(PARK, network(STREET, into)) == ({"crossing"}, [(200, round(70 * 100 / 150 - 20, 1))])


def test_boundary_points_face_the_street() -> None:
    rules, where = access(PARK, network(STREET))
    assert rules == {"boundary"}
    assert {y for _, y in where} <= {
        0.0,
        50.0,
    }  # the side along the street, and the two ends within 50 m of it
    assert all(not (0 < x < 200) or y == 0 for x, y in where)
    assert len(where) >= 4


def test_a_park_far_from_every_street_has_one_point() -> None:
    assert access(PARK, network(([(-500.0, 50.0), (-300.0, 50.0)], 0))) == ({"boundary"}, [(0, 50)])


def test_the_main_part_of_the_network_comes_first() -> None:
    lonely = ([(100.0, 50.0), (100.0, 130.0)], 0)
    assert access(PARK, network(STREET, lonely))[0] == {"boundary"}
    far = ([(-2000.0, -500.0), (2000.0, -500.0)], 0)
    assert access(PARK, network(far, lonely)) == ({"crossing"}, [(100, 100)])


def test_many_facilities_keep_their_ids() -> None:
    shapes = [
        spot(5, 5),
        PARK,
        box(500, 0, 520, 20),
        shapely.MultiPolygon([box(0, 300, 9, 309), box(50, 300, 59, 309)]),
    ]
    table = gpd.GeoDataFrame({"facility_id": ["d", "c", "b", "a"]}, geometry=shapes, crs=WORK)
    out = find_access_points(table, network(STREET))
    assert out["facility_id"].unique().tolist() == ["a", "b", "c", "d"]
    again = find_access_points(table.iloc[::-1], network(STREET))
    pd.testing.assert_frame_equal(out, again)
    outline = table.set_index("facility_id").geometry
    for one, x, y, rule in out.itertuples(index=False):
        gap = outline[one].boundary.distance(shapely.Point(x, y)) if rule == "boundary" else 0
        assert gap < 0.01
