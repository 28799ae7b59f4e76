"""A study as `init` writes it: no directions of its own, land use with codes alone; everything that is made of it."""

from __future__ import annotations

import json

import geopandas as gpd
import pytest
import shapely
from toy import EAST, NORTH, TOY_CRS
from toy_study import lonlat, write_toy_study

import bishan_gis as bg
from bishan_gis.output.export import write_exports
from bishan_gis.output.maps.pages import landuse_classes
from bishan_gis.output.report import write_report
from bishan_gis.planning.comparison import compare
from bishan_gis.planning.scenarios import Scenario
from bishan_gis.scenario_run import run_scenario


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    file = write_toy_study(tmp_path_factory.mktemp("bare"))
    text = file.read_text(encoding="utf-8")
    begin, end = text.index("[directions]"), text.index("[services]")
    land = '[inputs.landuse]\npath = "land.gpkg"\ncolumns = { code = "dlbm" }\n[directions]\n[directions.zones]\n'
    land += '[[inputs.facilities]]\npath = "places.csv"\ntype = "table"\ndatum = "wgs84"\n'
    plan = '[[siting.plans]]\nservice = "primary_school"\nsites = 1\n'
    means = '[[measures]]\nname = "near"\nmeasure = "nearest_cost"\nservices = ["pharmacy"]\ncutoff_min = 15\n'
    file.write_text(text[:begin] + land + text[end:] + plan + means, encoding="utf-8")
    boxes = [shapely.box(EAST, NORTH, EAST + 300, NORTH + 200), shapely.box(EAST + 900, NORTH, EAST + 990, NORTH + 90)]
    layer = gpd.GeoDataFrame({"dlbm": ["070102", "080403"]}, geometry=boxes, crs=TOY_CRS)
    layer.to_file(file.parent / "data/raw/land.gpkg")
    lon, lat = lonlat(330, 320)  # 20 m from the 大药房 of OSM, under the name of its district as well
    rows = f"name,service,lon,lat\n玩具区大药房,pharmacy,{lon},{lat}\n"
    (file.parent / "data/raw/places.csv").write_text(rows, encoding="utf-8")
    return bg.run(file)


def test_every_output_of_a_study_without_directions(bare, tmp_path):
    assert set(bare.zones["zone_kind"]) == {"district", "township"}
    assert bare.kind == "derived", "directions that are not there are not assumed"
    sums = bare.coverage.groupby(["zone_kind", "service", "cutoff_min", "age_group"])["people"].sum()
    assert set(sums[:, "pharmacy", 15.0, "all"].items()) == {("district", 1501), ("township", 1501)}
    assert set(bare.zone_measures["zone_kind"]) == {"district", "township"}
    assert set(bare.findings.gaps.people["zone_kind"]) == {"district", "township"}
    assert len(bare.findings.plans) == 1
    pages = {p.name for p in bare.study.maps.glob("*.html")}
    assert {"index.html", "gaps.html", "district.html"} <= pages, pages
    shown = (bare.study.maps / "district.html").read_text(encoding="utf-8")
    name = landuse_classes()["070102"]["name"]
    assert name in shown or json.dumps(name)[1:-1] in shown, "a class without a name in the file has the official one"
    assert "来源未登记" in (bare.study.maps / "nearest.html").read_text(encoding="utf-8"), "no manifest lists its files"
    files, _ = write_report(bare, tmp_path / "report", formats=["html"])
    assert files
    assert write_exports(bare, tmp_path / "export", formats=["xlsx", "qgis", "dxf"])


def test_the_name_of_the_district_does_not_make_two_places_of_one(bare):
    assert (bare.facilities["service"] == "pharmacy").sum() == 1
    row = bare.merged.set_index("service").loc["pharmacy"]
    assert {row["name"], row["merged_name"]} == {"大药房", "玩具区大药房"}
    assert row["similarity"] == 1.0


def test_a_scenario_without_directions(bare):
    place = {"service": "pharmacy", "x": EAST + 1500, "y": NORTH + 600}
    plan = Scenario.model_validate({"scenario": {"name": "x"}, "add_facility": [place]})
    after = run_scenario(bare.study, plan, base=bare)
    found = compare(bare, after)
    assert set(found.coverage["zone_kind"]) == {"district", "township"}
    rows = found.coverage[(found.coverage["age_group"] == "all") & (found.coverage["cutoff_min"] == 15)]
    gain = rows.groupby("zone_kind")["people_gain"].sum()
    assert gain["district"] == gain["township"] > 0
