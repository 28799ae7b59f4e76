"""Coverage gaps: every reason by hand, sums at every level, oracles, properties, changes, and bad input."""

from __future__ import annotations

import copy
import csv
import json
from dataclasses import replace
from importlib.resources import files
from types import SimpleNamespace

import geopandas as gpd
import jsonschema
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from fake_results import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from osm_xml import OsmXml
from toy import EAST, NORTH, TOY_CRS, grid_network, make_network

from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.neighbours import Neighbours, find_neighbours
from bishan_gis.errors import (
    BrokenFileError,
    ControlTotalError,
    InputError,
    MissingColumnError,
    MissingFileError,
    SchemaError,
)
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.output.gap_files import gap_record, json_text, write_gaps
from bishan_gis.planning.coverage import coverage
from bishan_gis.planning.gap_areas import area_geometry, find_gap_areas
from bishan_gis.planning.gap_cells import cell_gaps, gap_people
from bishan_gis.planning.gap_changes import compare_gaps
from bishan_gis.planning.gap_describe import known_barriers
from bishan_gis.planning.gap_places import cell_places, place_rows, place_sums
from bishan_gis.planning.gap_reasons import (
    NO_REASON,
    REASONS,
    barriers_between,
    crossed_lines,
    gap_reasons,
    straight_distances,
)
from bishan_gis.planning.gap_words import gap_sentence
from bishan_gis.planning.gaps import find_gaps
from bishan_gis.planning.sensitivity import gap_band
from bishan_gis.planning.standards import COLUMNS as STANDARD_COLUMNS
from bishan_gis.sources.gap_files import load_gaps
from bishan_gis.sources.osm import load_osm
from bishan_gis.stages.steps import barrier_lines
from bishan_gis.study_settings import Standards

NAN = np.nan
ADULT = load_profile("adult")  # 4 km/h: 333.3 m in 5 minutes
SCHEMA = json.loads(files("bishan_gis").joinpath("data/schemas/gaps.schema.json").read_text(encoding="utf-8"))


def _square(x, y, size=50.0):
    return shapely.box(EAST + x - size, NORTH + y - size, EAST + x + size, NORTH + y + size)


def _cells(places, people=None):
    xy = np.array(list(places.values()), dtype=float)
    frame = {"cell_id": list(places), "people": people or [10] * len(places), "zone_id": "t", "direction": "d"}
    frame |= {"district": "D", "x": EAST + xy[:, 0], "y": NORTH + xy[:, 1]}
    return gpd.GeoDataFrame(frame, geometry=[_square(*p) for p in xy], crs=TOY_CRS)


def _targets(**levels):
    return pd.DataFrame({"service": list(levels), "level_min": [float(v) for v in levels.values()]})


def _access(rows, service="school"):
    """Rows: cell -> (value, status, unknown_from_s)."""
    values = [(k, service, *v) for k, v in rows.items()]
    return pd.DataFrame(values, columns=["origin_id", "service", "value", "status", "unknown_from_s"])


# The river runs at x = 250, with the only bridge 200 m to the north:
#
#   4 --------- 5
#   |     ~     |
#   0(school) ~ 1       2 ---- 3 (island)      6 --...-- 7 (the data ends at 7)      0 --- 8 far east on the street
#
NODES = [(0, 0), (300, 0), (300, -900), (500, -900), (0, 200), (300, 200), (-2000, 0), (-2300, 0), (900, 200)]
EDGES = [(0, 4), (4, 5), (5, 1), (2, 3), (6, 7), (5, 8)]
PLACES = {
    "here": (0, 50),
    "over": (300, 0),
    "far": (900, 200),
    "isle": (400, -900),
    "off": (0, 3000),
    "edge": (-2200, 0),
}


def _town():
    network = make_network(NODES, EDGES, frontier=(7,))
    costs = edge_costs(network, ADULT)
    cells = _cells(PLACES, [10, 20, 30, 40, 50, 60])
    school = pd.DataFrame({"facility_id": ["S"], "service": ["school"], "x": [EAST], "y": [NORTH]})
    origins = cells.rename(columns={"cell_id": "origin_id"})
    return network, costs, cells, school, nearest_cost(network, costs, origins, school).table


def test_every_reason_by_hand():
    _, _, cells, school, access = _town()
    gaps = cell_gaps(access, cells, _targets(school=5))
    straight = straight_distances(gaps, cells, school)
    codes = gap_reasons(gaps, straight, speed_ms=ADULT.speed_ms)[0]
    said = {c: None if k == NO_REASON else REASONS[k] for c, k in zip(PLACES, codes, strict=True)}
    assert said == {
        "here": None,
        "over": "detour",  # 300 m as the crow flies is 4.5 min; the streets take 700 m
        "far": "distance",  # 922 m: no street could be short enough
        "isle": "not_connected",
        "off": "off_network",
        "edge": "data_edge",
    }
    assert straight[0, 1:3].tolist() == [300.0, pytest.approx(np.hypot(900, 200))]
    assert gaps.depth_ms[0].tolist() == [0, 330_000, 690_000, 0, 0, 0]  # 700 m: 10.5 min; 1100 m: 16.5 min
    assert gaps.no_path[0].tolist() == [False, False, False, True, False, False]
    river = gpd.GeoDataFrame(
        {"kind": ["river"], "name": ["璧南河"]},
        geometry=[shapely.LineString([(EAST + 250, NORTH - 400), (EAST + 250, NORTH + 190)])],
        crs=TOY_CRS,
    )
    at = cells[["x", "y"]].to_numpy()
    assert barriers_between(at[:2], np.tile([EAST, NORTH], (2, 1)), river) == [("", ""), ("river", "璧南河")]
    assert barriers_between(at[:1], at[1:2], None) == [("", "")]
    # Were the streets level, "over" would take 4 minutes: then it is the slope and not the way.
    flat = replace(gaps, value_ms=np.where(np.arange(6) == 1, 240_000, gaps.value_ms))
    assert REASONS[gap_reasons(gaps, straight, speed_ms=ADULT.speed_ms, flat=flat)[0, 1]] == "slope"


def test_people_by_hand_and_against_coverage():
    _, _, cells, _, access = _town()
    cells["old"] = [1, 2, 3, 4, 5, 6]
    zones = pd.DataFrame({"zone_id": ["t", "D", "empty"], "zone_kind": ["township", "district", "township"]})
    zones["name"] = zones["zone_id"]
    groups = {"all": ["people"], "65+": ["old"]}
    member = {"district": "district", "township": "zone_id"}
    gaps = cell_gaps(access, cells, _targets(school=5))
    table = gap_people(gaps, cells, zones, age_groups=groups, member=member)
    rows = table.set_index(["zone_kind", "zone_id", "age_group"])
    counts = ["people", "people_covered", "people_deficient", "people_unknown", "people_no_path"]
    assert rows.loc[("district", "D", "all"), counts].tolist() == [210, 10, 90, 110, 40]
    assert rows.loc[("township", "t", "65+"), counts].tolist() == [21, 1, 9, 11, 4]
    assert rows.loc[("township", "empty", "all"), counts].tolist() == [0] * 5
    assert rows.loc[("district", "D", "all"), "severity_person_min"] == 20 * 5.5 + 30 * 11.5
    assert rows.loc[("district", "D", "all"), "depth_min"] == pytest.approx((20 * 5.5 + 30 * 11.5) / 50)
    other = coverage(access, cells, zones, cutoffs_min=[5], age_groups=groups, member=member)
    keys = ["zone_kind", "zone_id", "service", "age_group"]
    both = table.merge(other, on=keys, suffixes=("", "_c"))
    assert len(both) == len(table) == len(other)
    for column in ("people", "people_covered", "people_unknown"):
        assert (both[column] == both[f"{column}_c"]).all()
    with pytest.raises(ControlTotalError):
        gap_people(gaps, cells.assign(zone_id="nowhere"), zones, age_groups=groups, member=member)


def _random(seed, n=40, services=("a", "b", "c")):
    rng = np.random.default_rng(seed)
    side = 10
    at = rng.choice(side * side, n, replace=False)
    cells = _cells({f"c{k:03d}": (100.0 * (k % side), 100.0 * (k // side)) for k in sorted(at)})
    cells["people"] = rng.integers(0, 50, n)
    cells["zone_id"] = rng.choice(["t1", "t2", "t3"], n)
    value = rng.integers(0, 1_800_000, (len(services), n)) / 1000
    value[rng.random(value.shape) < 0.1] = NAN
    off = rng.random(n) < 0.1
    value[:, off] = NAN
    leave = np.where(rng.random(n) < 0.2, rng.integers(0, 900, n), NAN)
    status = np.where(off, "off_network", np.where(np.isnan(value), "unreachable", "reached"))
    frames = [
        pd.DataFrame({"origin_id": cells["cell_id"], "service": s, "value": v, "status": t, "unknown_from_s": leave})
        for s, v, t in zip(services, value, status, strict=True)
    ]
    return cells, pd.concat(frames, ignore_index=True), _targets(**dict(zip(services, (5, 10, 15), strict=True)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), within=st.sampled_from([None, "zone_id"]))
def test_areas_are_the_connected_components_and_lose_nobody(seed, within):
    cells, access, targets = _random(seed)
    gaps = cell_gaps(access.sample(frac=1, random_state=seed), cells, targets)
    near = find_neighbours(cells)
    reasons = gap_reasons(gaps, np.full(gaps.state.shape, 100.0), speed_ms=1.0)
    _, best = gap_band(access, cells, targets)
    heads = cells["people"].to_numpy()
    zone = cells["zone_id"].to_numpy()
    for mask in (gaps.deficient, gaps.unknown):
        found = find_gap_areas(
            mask,
            gaps,
            cells,
            near,
            reasons=reasons,
            straight_m=np.full(mask.shape, 100.0),
            still=best.state > 0,
            within=within,
        )
        expected = set()
        for i, service in enumerate(gaps.services):
            graph = nx.Graph()
            graph.add_nodes_from(np.flatnonzero(mask[i] & (heads > 0)))
            pairs = zip(near.focal, near.neighbour, strict=True)
            graph.add_edges_from(
                (a, b) for a, b in pairs if a in graph and b in graph and (within is None or zone[a] == zone[b])
            )
            expected |= {(service, *sorted(c)) for c in nx.connected_components(graph)}
        assert {(s, *m) for s, m in zip(found.table["service"], found.cells_of(), strict=True)} == expected
        assert found.table["gap_id"].is_unique
        table = found.table
        assert table["people"].sum() == (mask * heads).sum()
        assert table[[f"people_{r}" for r in REASONS]].sum(axis=1).equals(table["people"])
        assert ((table["people_firm"] == 0) == table["fragile"]).all()
    by_service = table.groupby("service")["people"].sum()
    assert all(by_service.get(s, 0) == (gaps.unknown[i] * heads).sum() for i, s in enumerate(gaps.services))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_an_added_facility_never_opens_a_gap(seed):
    network = grid_network(6, seed=seed)
    rng = np.random.default_rng(seed)
    spots = rng.uniform([EAST, NORTH], [EAST + 500, NORTH + 500], (33, 2))
    origins = pd.DataFrame({"origin_id": [f"o{i:02d}" for i in range(30)], "x": spots[:30, 0], "y": spots[:30, 1]})
    school = pd.DataFrame({"facility_id": list("abc"), "service": "school", "x": spots[30:, 0], "y": spots[30:, 1]})
    costs = edge_costs(network, ADULT)
    cells = origins.rename(columns={"origin_id": "cell_id"}).assign(people=1)
    few, more = (
        cell_gaps(nearest_cost(network, costs, origins, s).table, cells, _targets(school=3))
        for s in (school.iloc[:2], school)
    )
    assert not (more.deficient & ~few.deficient).any()
    assert not (more.unknown & ~few.unknown).any()
    stay = more.deficient & ~more.no_path & ~few.no_path
    assert (more.depth_ms[stay] <= few.depth_ms[stay]).all()


def test_fragile_by_hand():
    cells = _cells({"a": (0, 0), "b": (100, 0), "c": (400, 0)}, [10, 20, 30])
    access = _access({"a": (310.0, "reached", NAN), "b": (320.0, "reached", NAN), "c": (345.0, "reached", NAN)})
    targets = _targets(school=5)
    gaps = cell_gaps(access, cells, targets)
    zero = {"reasons": np.zeros((1, 3), np.uint8), "straight_m": np.zeros((1, 3))}

    def firm(**given):
        _, best = gap_band(access, cells, targets, **given)
        found = find_gap_areas(gaps.deficient, gaps, cells, find_neighbours(cells), still=best.state > 0, **zero)
        return found.table[["people", "people_firm", "fragile"]].values.tolist()

    assert firm() == [[30, 0, True], [30, 30, False]]  # 345 s at 1.1 times the speed is 313.6 s
    legs = pd.Series({"a": 0.0, "b": 0.0, "c": 20.0})
    assert firm(leg_s=legs) == [[30, 0, True], [30, 0, True]]  # (345 - 20) / 1.1 = 295.5 s
    assert firm(speed_share=0.0) == [[30, 30, False], [30, 30, False]]


def test_areas_by_hand():
    cells = _cells({"a": (0, 0), "b": (100, 100), "c": (300, 0), "d": (200, 200)}, [10, 30, 5, 0])
    rows = {"a": (720.0, "reached", NAN), "b": (660.0, "reached", NAN), "c": (NAN, "unreachable", NAN)}
    access = _access({**rows, "d": (900.0, "reached", NAN)})
    gaps = cell_gaps(access, cells, _targets(school=10))
    reasons = gap_reasons(gaps, np.array([[900.0, 700.0, NAN, 100.0]]), speed_ms=4 / 3.6)
    found = find_gap_areas(
        gaps.deficient,
        gaps,
        cells,
        find_neighbours(cells),
        reasons=reasons,
        straight_m=np.array([[900.0, 700, NAN, 1]]),
    )
    table = found.table.set_index("gap_id")
    assert list(table.index) == ["school/b", "school/c"], "corners touch; nobody lives in d"
    corner, alone = table.loc["school/b"], table.loc["school/c"]
    assert [corner["people"], corner["severity_person_min"], corner["nearest_min"]] == [40, 50.0, 11.25]
    assert [corner["depth_min"], corner["straight_m"], corner["reason"]] == [1.25, 750.0, "distance"]
    assert [alone["people_no_path"], alone["severity_person_min"], alone["reason"]] == [5, 0.0, "not_connected"]
    assert np.isnan(alone["depth_min"])
    assert area_geometry(found, cells).area.tolist() == [pytest.approx(20_000), pytest.approx(10_000)]


def test_places_by_hand():
    """Two townships of two cells each; a lacks both services, b and d the school, c nothing.

    The school should be 10 minutes away: a 12, b 90, d no path. The park: a 11.
    """
    cells = _cells({"a": (0, 0), "b": (3000, 0), "c": (0, 9000), "d": (0, 5000)}, [10, 20, 40, 30])
    cells["zone_id"] = ["1", "1", "2", "2"]
    school = {"a": (720, "reached", NAN), "b": (5400, "reached", NAN), "c": (60, "reached", NAN)}
    school["d"] = (NAN, "unreachable", NAN)
    park = {c: (660 if c == "a" else 60, "reached", NAN) for c in "abcd"}
    access = pd.concat([_access(school), _access(park, "park")])
    gaps = cell_gaps(access, cells, _targets(school=10, park=10))
    reasons = np.where(gaps.deficient, REASONS.index("distance"), NO_REASON).astype(np.uint8)
    reasons[0, 3] = REASONS.index("not_connected")
    place, places = cell_places(cells, cells, zone_names={"1": "甲镇", "2": "乙镇"})
    # The people of 甲镇 live on average at x = 2000; those of 乙镇 at y = 7286.
    assert [places[i]["place_zh"] for i in place] == ["甲镇西部", "甲镇东部", "乙镇北部", "乙镇南部"]
    people = cells["people"].to_numpy()
    sums = place_sums(gaps, reasons, people, place, len(places))
    targets = [
        {"service": s, "name_zh": zh, "name_en": s, "weight": w}
        for s, zh, w in (("school", "小学", 1), ("park", "公园", 0.5))
    ]
    rows = place_rows(places, place, people, gaps.deficient, sums, targets)
    # 乙镇南部: 30 people without a path at 60 minutes; 甲镇东部: 20 x 60 of 80; 甲镇西部: 10 x 2 + 10 x 1 / 2.
    assert [(r["place_zh"], r["people_lacking"], r["score"]) for r in rows] == [
        ("乙镇南部", 30, 1800.0),
        ("甲镇东部", 20, 1200.0),
        ("甲镇西部", 10, 25.0),
    ]
    assert [m["service"] for m in rows[2]["missing"]] == ["park", "school"]
    assert (rows[2]["severity_person_min"], rows[2]["help_service"], rows[2]["cells"]) == (30.0, "school", [0])
    assert rows[1]["severity_person_min"] == 1600.0
    assert "接通道路" in rows[0]["text_zh"]


def test_sentences_say_each_reason():
    base = {"place_zh": "西镇", "place_en": "West", "service_zh": "小学", "service_en": "school", "people": 1200}
    base |= {"level_min": 10.0, "state": "deficient", "nearest_min": 18.2, "straight_m": 640.0, "detour_ratio": 1.9}
    for reason, zh, en in (
        ("distance", "需就近新增设施", "640 m as the crow flies"),
        ("detour", "直线仅 640 米而绕行 1.9 倍, 隔着璧南河", "璧南河 lies between"),
        ("slope", "坡度", "slopes"),
        ("not_connected", "无路可达", "no street leads there"),
    ):
        row = {**base, "reason": reason, "barrier": "river", "barrier_name": "璧南河"}
        assert zh in gap_sentence(row)
        assert en in gap_sentence(row, "en")
        assert "1,200 人步行 10 分钟内没有小学" in gap_sentence(row)
    row = {**base, "reason": "distance", "facility_name": "", "nearest_min": 393.0}
    assert "最近的小学步行约 6.5 小时" in gap_sentence(row)
    assert "about 6.5 hours away" in gap_sentence(row, "en")
    for state, reason, zh in (
        ("unknown", "off_network", "无法判断"),
        ("unknown", "data_edge", "扩大数据范围"),
        ("short", "capacity", "容量不足"),
    ):
        assert zh in gap_sentence({**base, "state": state, "reason": reason})
        assert gap_sentence({**base, "state": state, "reason": reason}, "en").startswith("West: ")


def test_a_study_from_results_to_files(toy_results, tmp_path):
    gaps = find_gaps(toy_results)
    record = write_gaps(gaps, tmp_path)
    jsonschema.validate(record, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert load_gaps(tmp_path) == json.loads(json_text(record))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gaps.csv", "gaps.geojson", "gaps.json", "places.csv"]
    people = gaps.people
    sums = people.groupby(["service", "age_group", "zone_kind"])[
        ["people", "people_covered", "people_deficient", "people_unknown", "people_no_path"]
    ].sum()
    whole = sums.xs("district", level="zone_kind")
    for kind in ("direction", "township"):
        pd.testing.assert_frame_equal(sums.xs(kind, level="zone_kind"), whole)
    assert (whole["people"] == whole[["people_covered", "people_deficient", "people_unknown"]].sum(axis=1)).all()
    everybody = whole.xs("all", level="age_group")
    assert gaps.areas.table.groupby("service")["people"].sum().reindex(everybody.index, fill_value=0).tolist() == (
        everybody["people_deficient"].tolist()
    )
    by_age = whole.drop("all", level="age_group").groupby("service").sum()
    assert by_age.loc[everybody.index].to_numpy().tolist() == everybody.to_numpy().tolist(), "ages add up"
    # Each person who lacks something is in one place once, and services add up over the places.
    assert sum(p["people_lacking"] for p in record["places"]) == gaps.people_lacking
    lists = {
        s: sum(m["people"] for p in record["places"] for m in p["missing"] if m["service"] == s)
        for s in record["levels"]
    }
    assert lists == everybody["people_deficient"].to_dict()
    assert [p["rank"] for p in record["places"]] == list(range(1, len(record["places"]) + 1))
    with (tmp_path / "places.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["place_zh"] for r in rows] == [p["place_zh"] for p in record["places"]]
    one = find_gaps(toy_results, zones=["西镇"], services=["kindergarten"]).areas.table
    rows = gaps.areas.table
    rows = rows[(rows["zone_name"] == "西镇") & (rows["service"] == "kindergarten")]
    assert sorted(one["gap_id"]) == sorted(rows["gap_id"]), "a selection has the areas of the whole"
    layer = gpd.read_file(tmp_path / "gaps.geojson")
    assert len(layer) == min(1000, len(gaps.areas.table)) + len(gaps.unknown.table)
    assert layer.geometry.is_valid.all()
    again = tmp_path / "again"
    write_gaps(find_gaps(toy_results), again)
    for file in tmp_path.glob("gaps.*"):
        assert file.read_bytes() == (again / file.name).read_bytes()
    short = gap_record(gaps, listed=1)
    jsonschema.validate(short, SCHEMA, cls=jsonschema.Draft202012Validator)
    listed, rest = short["gaps"][0]["people"], short["not_listed"]["gaps"]["people"]
    assert listed + rest == gaps.areas.table["people"].sum()


def test_hostile_names(toy_results, tmp_path):
    facilities = toy_results.facilities.copy()
    facilities["name"] = [HOSTILE[i % len(HOSTILE)] for i in range(len(facilities))]
    zones = toy_results.zones.copy()
    zones["name"] = ['=HYPERLINK("x")', *(f"@{i}\n<b>" for i in range(len(zones) - 1))]
    gaps = find_gaps(replace(toy_results, facilities=facilities, zones=zones))
    record = write_gaps(gaps, tmp_path)
    jsonschema.validate(record, SCHEMA, cls=jsonschema.Draft202012Validator)
    with (tmp_path / "gaps.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [value for row in csv.reader(file) for value in row]
    assert not [v for v in cells if v[:1] in "=+@\t\r" and v], "no cell is a formula"
    assert all("\n" not in row[f"text_{lang}"] for row in record["gaps"] for lang in ("zh", "en"))


def test_capacity_is_judged_only_where_it_is_known(toy_results, tmp_path):
    row = dict.fromkeys(STANDARD_COLUMNS, "")
    common = {"set": "own", "standard": "Own", "level": "15", "service": "kindergarten", "tag": "P", "status": "must"}
    rows = [
        {
            **row,
            **common,
            "id": "w",
            "name_zh": "幼",
            "name_en": "k",
            "indicator": "walk_min",
            "op": "<=",
            "value": "15",
        },
        {
            **row,
            **common,
            "id": "c",
            "name_zh": "位",
            "name_en": "p",
            "indicator": "per_1000",
            "op": ">=",
            "value": "30",
        },
    ]
    rows[0]["unit"], rows[1]["unit"] = "min", "bed/1000 person"
    own = tmp_path / "own.csv"
    pd.DataFrame(rows).to_csv(own, index=False)
    study = toy_results.study.model_copy(update={"standards": Standards(file=str(own))})
    study._file = toy_results.study.file

    def judge(places):
        facilities = toy_results.facilities.copy()
        facilities["capacity"] = facilities["capacity"].astype(float)
        facilities.loc[facilities["service"] == "kindergarten", "capacity"] = places
        return find_gaps(replace(toy_results, study=study, facilities=facilities), services=["kindergarten"])

    unknown, few, enough = judge(NAN), judge(10.0), judge(1000.0)
    covered = int((few.state.state[0] == 0) @ few.cells["people"].to_numpy())
    assert covered > 334, "10 places are fewer than 30 for each 1000 of those who reach them"
    assert unknown.capacity["status"].tolist() == ["unknown"]
    assert len(unknown.short.table) == len(enough.short.table) == 0
    assert few.short.table["people"].sum() == few.capacity["people_short"].iloc[0] == covered
    assert set(few.short.table["reason"]) == {"capacity"}
    assert few.areas.table["people"].sum() == enough.areas.table["people"].sum(), "presence is counted apart"
    jsonschema.validate(gap_record(few), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_known_barriers_have_names(toy_results):
    water = gpd.GeoDataFrame({"osm_id": [1], "name": ["秀湖"]}, geometry=[_square(0, 0)], crs=TOY_CRS)
    network = replace(toy_results.network, edge_highway=np.full(toy_results.network.n_edges, "motorway", dtype=object))
    found = known_barriers(replace(toy_results, water=water, networks={"drive": network}))
    assert found["kind"].value_counts().to_dict() == {"motorway": network.n_edges, "water": 1}
    assert found["name"].iloc[0] == "秀湖"
    assert known_barriers(replace(toy_results, water=None, networks={})) is None


def test_railways_and_rivers_are_barriers_where_they_lie_on_the_ground(toy_results, tmp_path):
    xml = OsmXml()
    for i in range(5):
        xml.node(2 * i + 1, 100 + 100 * i, -50).node(2 * i + 2, 100 + 100 * i, 50)
    xml.way(1, [1, 2], railway="rail", name="成渝铁路").way(2, [3, 4], waterway="canal")
    xml.way(3, [5, 6], railway="rail", tunnel="yes").way(4, [7, 8], railway="light_rail", bridge="viaduct")
    xml.way(5, [9, 10], waterway="stream")  # one steps over it
    (tmp_path / "a.osm").write_text(f"<osm version='0.6'>{''.join(xml.parts)}</osm>", encoding="utf-8")
    data = SimpleNamespace(osm=load_osm(tmp_path / "a.osm"), crs=TOY_CRS)
    lines = barrier_lines(data)
    assert lines[["kind", "name"]].to_numpy().tolist() == [["railway", "成渝铁路"], ["river", ""]]
    found = known_barriers(replace(toy_results, water=None, networks={}, barrier_lines=lines))
    east, north = 620_000.0, 3_280_000.0  # the corner of OsmXml
    for start, end, said in (
        (0, 90, ("", "")),
        (0, 110, ("railway", "成渝铁路")),
        (150, 260, ("river", "")),
        (250, 650, ("", "")),
    ):
        ends = [np.array([[east + x, north]]) for x in (start, end)]
        assert barriers_between(*ends, found) == [said]


def test_who_walks_about_as_far_as_the_crow_flies_is_not_behind_a_barrier():
    """At 4 km/h 5 minutes are 333 m; all are 300 m away and walk 340, 400, 400 and 440 m."""
    metres = [340.0, 400.0, 400.0, 440.0]
    cells = _cells({"a": (-300, 0), "b": (0, 300), "c": (300, 0), "d": (0, -300)})
    access = _access({c: (m * 0.9, "reached", NAN) for c, m in zip("abcd", metres, strict=True)})
    gaps = cell_gaps(access, cells, _targets(school=5))
    school = pd.DataFrame({"service": ["school"], "x": [EAST], "y": [NORTH]})
    straight = straight_distances(gaps, cells, school)
    walls = gpd.GeoDataFrame(
        {"kind": ["railway"], "name": [""]},
        geometry=[shapely.LineString([(EAST + 50, NORTH - 50), (EAST + 50, NORTH + 50)])],
        crs=TOY_CRS,
    )
    crossed = crossed_lines(gaps, cells, school, walls, wanted=gaps.deficient)
    assert crossed.tolist() == [[False, False, True, False]]
    everywhere = np.ones_like(crossed)
    for wall, said in (
        (None, ["distance", "distance", "distance", "detour"]),
        (crossed, ["distance", "distance", "detour", "detour"]),
        (everywhere, ["distance", "detour", "detour", "detour"]),  # 340 m: a crossing there would not shorten it
    ):
        codes = gap_reasons(gaps, straight, speed_ms=ADULT.speed_ms, crossed=wall)
        assert [REASONS[k] for k in codes[0]] == said


def _record(groups, people=(1, 2, 4, 8, 16), study="s", zones=(), level=10.0):
    cells = {"id": list("abcde"), "people": list(people), "zone_id": ["t"] * 5}
    return {
        "study": study,
        "selection": {"zones": list(zones)},
        "cells": cells,
        "levels": {"school": level},
        "deficient": {"school": groups},
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [[0, 1]], [("opened", 0, 3, 3, 0)]),
        ([[0, 1]], [], [("closed", 3, 0, 0, 3)]),
        ([[0]], [[0, 1]], [("grown", 1, 3, 2, 0)]),
        ([[0, 1]], [[1]], [("shrunk", 3, 2, 0, 1)]),
        ([[0, 1]], [[1, 2]], [("moved", 3, 6, 4, 1)]),
        ([[0, 1]], [[0, 1]], []),
        ([[0, 1, 2]], [[0], [2]], [("shrunk", 7, 5, 0, 2)]),
        ([[0]], [[4]], [("opened", 0, 16, 16, 0), ("closed", 1, 0, 0, 1)]),
    ],
)
def test_changes_by_hand(before, after, expected):
    change = compare_gaps(_record(before), _record(after))
    columns = ("change", "people_before", "people_after", "people_gained", "people_lost")
    assert [tuple(a[c] for c in columns) for a in change["areas"]] == expected


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_changes_add_up(data):
    def some():
        codes = data.draw(st.lists(st.integers(0, 3), min_size=5, max_size=5))
        groups = [[i for i, c in enumerate(codes) if c == k] for k in (1, 2, 3)]
        return _record([g for g in groups if g], data.draw(st.tuples(*[st.integers(0, 9)] * 5)))

    row = compare_gaps(some(), some())["services"][0]
    change = row["people_opened"] - row["people_closed"] + row["people_other"]
    assert row["people_after"] == row["people_before"] + change


def test_changes_of_other_runs_are_refused_and_levels_told():
    assert compare_gaps(_record([]), _record([], level=5.0))["levels"] == [
        {"service": "school", "level_min_before": 10.0, "level_min_after": 5.0}
    ]
    for other in (_record([], study="z"), _record([], zones=["t"])):
        with pytest.raises(InputError, match="--since"):
            compare_gaps(other, _record([]))


def test_bad_tables_are_named():
    cells = _cells({"a": (0, 0), "b": (100, 0)})
    good = _access({"a": (1.0, "reached", NAN), "b": (1.0, "reached", NAN)})
    with pytest.raises(MissingColumnError):
        cell_gaps(good.drop(columns="status"), cells, _targets(school=5))
    with pytest.raises(SchemaError, match="1 cells have no row"):
        cell_gaps(good.iloc[:1], cells, _targets(school=5))
    with pytest.raises(SchemaError):
        cell_gaps(good, cells, pd.concat([_targets(school=5)] * 2))
    gaps = cell_gaps(good, cells, _targets(school=5))
    with pytest.raises(SchemaError, match="same table"):
        straight_distances(gaps, cells.iloc[::-1], pd.DataFrame({"service": [], "x": [], "y": []}))
    with pytest.raises(SchemaError):
        gap_reasons(gaps, np.zeros((2, 2)), speed_ms=1.0)
    with pytest.raises(InputError):
        gap_reasons(gaps, np.zeros((1, 2)), speed_ms=0.0)
    alone = Neighbours(pd.Index(["a"]), np.zeros(0, np.int64), np.zeros(0, np.int64))
    with pytest.raises(SchemaError):
        find_gap_areas(
            gaps.deficient, gaps, cells, alone, reasons=np.zeros((1, 2), np.uint8), straight_m=np.zeros((1, 2))
        )


def test_bad_selections_are_all_named_at_once(toy_results):
    with pytest.raises(InputError, match=r"service kindergarden.*level 7 .*zone Nowhere"):
        find_gaps(toy_results, services=["kindergarden"], levels=[7], zones=["Nowhere"])
    with pytest.raises(InputError, match=r"a list: services = \['kindergarten'\], levels = \[15\]"):
        find_gaps(toy_results, services="kindergarten", levels=15)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda r: r.update(version=3), SchemaError),
        (lambda r: r.pop("cells"), SchemaError),
        (lambda r: r["deficient"].update(x=[[10**9]]), SchemaError),
        (lambda r: r["deficient"].update(x=[["a"]]), SchemaError),
        (lambda r: r["cells"].update(people=[1]), SchemaError),
        (lambda r: r["selection"].pop("zones"), SchemaError),
    ],
)
def test_bad_records(toy_results, tmp_path, spoil, error):
    record = copy.deepcopy(gap_record(find_gaps(toy_results, services=["kindergarten"])))
    spoil(record)
    (tmp_path / "gaps.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(error):
        load_gaps(tmp_path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(MissingFileError):
        load_gaps(tmp_path)
    for text in (b"{", b"\xff\xfe", b"[" * 100_000):
        (tmp_path / "gaps.json").write_bytes(text)
        with pytest.raises(BrokenFileError):
            load_gaps(tmp_path / "gaps.json")
    (tmp_path / "gaps.json").write_text("[]", encoding="utf-8")
    with pytest.raises(SchemaError):
        load_gaps(tmp_path)
