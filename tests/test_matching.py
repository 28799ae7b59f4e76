"""The same place in two sources: names, pairs, and what is merged because of them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EAST, NORTH, TOY_CRS

from bishan_gis.names import name_similarity, normal_name, place_prefixes
from bishan_gis.places.facilities import merge_duplicates
from bishan_gis.places.matching import match_places

PREFIXES = place_prefixes(["璧山区"])


def layer(source: str, *rows: tuple[str, str, str, float]) -> gpd.GeoDataFrame:
    """Return facilities (id, service, name, metres to the east)."""
    frame = pd.DataFrame(rows, columns=["facility_id", "service", "name", "x"])
    frame = frame.assign(capacity=np.nan, source=source, kind="observed")
    shapes = [shapely.Point(EAST + x, NORTH) for x in frame.pop("x")]
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=TOY_CRS).to_crs(4326)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("重庆市璧山区人民医院", "璧山人民医院"),
        ("璧山区实验小学", "实验小学"),
        ("ABC便利店", "ABC 便利店"),
        ("和平药房(东街店)", "和平药房(东街店)"),
    ],
)
def test_ways_of_writing_one_name(a: str, b: str) -> None:
    assert normal_name(a, PREFIXES) == normal_name(b, PREFIXES)


def test_what_makes_names_differ() -> None:
    def alike(a: str, b: str) -> float:
        return name_similarity(normal_name(a, PREFIXES), normal_name(b, PREFIXES))

    assert alike("璧山区第一小学", "璧山区第二小学") == 0
    assert alike("三中", "3中") >= 0.5  # the same number, written twice
    assert alike("和平药房(东街店)", "和平药房(西街店)") == 0
    assert 0.9 < alike("和平药房(东街店)", "和平药房") < 1
    assert alike("璧泉街道社区卫生服务中心", "璧泉社区卫生服务中心") > 0.85
    assert alike("", "实验小学") == 0
    assert normal_name("璧山") == "璧山"
    assert normal_name("璧山区", PREFIXES) == "璧山区"  # nothing would be left
    assert normal_name(None) == ""
    assert normal_name(float("nan")) == ""
    assert place_prefixes(["", "A县"]) == ("a县",)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12), st.text(alphabet="璧山区第一二小学()(店)1 ", max_size=10))
def test_similarity_is_symmetric_and_one_only_when_equal(a: str, b: str) -> None:
    x, y = normal_name(a, PREFIXES), normal_name(b, PREFIXES)
    assert name_similarity(x, y) == name_similarity(y, x)
    assert 0 <= name_similarity(x, y) <= 1
    assert (name_similarity(x, y) == 1) == (x == y != "")


def test_pairs_by_hand() -> None:
    pois = layer(
        "poi.csv",
        ("p1", "hospital", "重庆市璧山区人民医院", 0),
        ("p2", "pharmacy", "和平药房(东街店)", 300),
        ("p3", "bank", "农商行", 600),
        ("p4", "bank", "农商行", 605),
        ("p5", "bank", "另一家", 900),
    )
    osm = layer(
        "osm.pbf",
        ("node/1", "hospital", "璧山人民医院", 140),
        ("node/2", "pharmacy", "和平药房(西街店)", 301),
        ("node/3", "bank", "农商行", 610),
        ("node/4", "school", "另一家", 900),
    )
    out = match_places(pois, osm, crs=TOY_CRS, prefixes=PREFIXES)
    got = {(r.facility_id, r.other_id): (r.state, r.similarity) for r in out.itertuples()}
    assert got[("p1", "node/1")] == ("matched", 1.0)
    assert got[("p4", "node/3")] == ("matched", 1.0)  # the nearer one
    assert got[("p3", "node/3")] == ("second", 1.0)
    assert {k for k, v in got.items() if v[0] == "only_here"} == {("p2", ""), ("p3", ""), ("p5", "")}
    assert {k for k, v in got.items() if v[0] == "only_there"} == {("", "node/2"), ("", "node/4")}
    shuffled = match_places(pois.iloc[::-1], osm.iloc[::-1], crs=TOY_CRS, prefixes=PREFIXES)
    pd.testing.assert_frame_equal(out, shuffled)
    nobody = match_places(pois.iloc[:0], osm, crs=TOY_CRS)
    assert set(nobody["state"]) == {"only_there"}


def test_similar_names_are_merged_only_across_sources_and_the_winner_is_stated() -> None:
    pois = layer(
        "poi.csv",
        ("p/1", "hospital", "重庆市璧山区人民医院", 80),
        ("p/2", "primary_school", "第二小学", 320),
        ("p/3", "bank", "农商银行东街支行", 600),
        ("p/4", "bank", "农商银行东街分行", 640),
    )
    osm = layer("osm.pbf", ("node/1", "hospital", "璧山人民医院", 0), ("node/2", "primary_school", "第一小学", 300))
    both = pd.concat([pois.assign(kind="assumed"), osm], ignore_index=True)
    kept, merged = merge_duplicates(both, crs=TOY_CRS, prefixes=PREFIXES)
    assert set(kept["facility_id"]) == {"node/1", "node/2", "p/2", "p/3", "p/4"}
    row = merged.iloc[0]
    assert len(merged) == 1
    assert (row["facility_id"], row["merged_id"], row["rule"]) == ("node/1", "p/1", "similar_name")
    assert (row["similarity"], row["distance_m"]) == (1.0, pytest.approx(80, abs=0.05))
    assert (row["name"], row["merged_name"]) == ("璧山人民医院", "重庆市璧山区人民医院")
    assert (row["source"], row["merged_source"], row["kept_because"]) == ("osm.pbf", "poi.csv", "kind")
    assert len(merge_duplicates(both, crs=TOY_CRS)[1]) == 0  # without the district's names, 80 m is too far


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a.csv", "b.pbf", "c.gpkg"]),
            st.sampled_from(["璧山区小学", "小学", "璧山中心小学", ""]),
            st.integers(0, 250),
        ),
        min_size=1,
        max_size=10,
    ),
    st.integers(0, 99),
)
def test_merging_is_the_same_in_any_order(rows: list[tuple[str, str, int]], seed: int) -> None:
    parts = [layer(source, (f"{i:02}", "primary_school", name, x)) for i, (source, name, x) in enumerate(rows)]
    table = pd.concat(parts, ignore_index=True)
    kept, merged = merge_duplicates(table, crs=TOY_CRS, prefixes=PREFIXES)
    assert sorted([*kept["facility_id"], *merged["merged_id"]]) == sorted(table["facility_id"])
    order = np.random.default_rng(seed).permutation(len(table))
    again = merge_duplicates(table.iloc[order], crs=TOY_CRS, prefixes=PREFIXES)
    pd.testing.assert_frame_equal(pd.DataFrame(kept), pd.DataFrame(again[0]))
    pd.testing.assert_frame_equal(merged, again[1])
