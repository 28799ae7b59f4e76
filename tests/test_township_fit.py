"""Townships that do not make up the district: said in km2, by hand."""

from __future__ import annotations

import json

import geopandas as gpd
from shapely import box
from toy_study import write_toy_study
from typer.testing import CliRunner

from bishan_gis.cli import app
from bishan_gis.sources.township_fit import township_fit


def _said(*shapes):
    whole = gpd.GeoDataFrame(geometry=[box(0, 0, 10_000, 10_000)], crs=4544)
    names = [chr(ord("a") + i) for i in range(len(shapes))]
    return [en for _, en in township_fit(whole, gpd.GeoDataFrame({"name": names}, geometry=list(shapes), crs=4544))]


def test_by_hand():
    west, east = box(0, 0, 5_000, 10_000), box(5_000, 0, 10_000, 10_000)
    assert _said(west, east) == []
    assert _said(west, box(5_000, 0.5, 10_000, 10_000)) == [], "borders that differ in their last digits"
    shifted = _said(box(1_000, 0, 6_000, 10_000), box(6_000, 0, 11_000, 10_000))
    assert [s.split(" km²")[0] for s in shifted] == ["townships: 10.00"] * 2
    assert "outside" in shifted[0]
    assert "no township" in shifted[1]
    (double,) = _said(west, box(4_000, 0, 10_000, 10_000))
    assert double.startswith("townships: 10.00 km² (10.0 %) are in more than one township")
    (out, far) = _said(west, east, box(35_000, 0, 37_000, 1_000))
    assert "2.00 km² (2.0 %) of the townships lie outside" in out
    assert far.startswith("1 townships lie wholly outside the district: c")


def test_check_says_it(tmp_path):
    file = write_toy_study(tmp_path)
    path = file.parent / "data/raw/townships.geojson"
    frame = gpd.read_file(path)
    frame.geometry = frame.translate(0.002, 0)
    frame.to_file(path, driver="GeoJSON")
    done = CliRunner().invoke(app, ["check", str(file), "--json"])
    warnings = json.loads(done.stdout)["warnings"]
    assert sum("街镇与区界不符" in w for w in warnings) == 2, warnings
    done = CliRunner().invoke(app, ["check", str(file), "--json", "--lang", "en"])
    warnings = json.loads(done.stdout)["warnings"]
    assert sum(w.startswith("townships: ") for w in warnings) == 2, warnings
