"""The toy study with everything that exports show: hostile names, land use, control lines, gaps and a plan."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import geopandas as gpd
import shapely
from toy import EAST, NORTH, TOY_CRS
from toy_study import write_toy_study

import bishan_gis as bg
from bishan_gis.results import Results

NAMES = {
    "kindergarten": '=HYPERLINK("http://x")',
    "primary_school": "$\\frac{1}{2}$ <b>&amp;</b> 🚲",
    "pharmacy": "@SUM(1)%%u\\P{x}^J;",
    "park": "公园\t一号",
}
PLAN = '\n[[siting.plans]]\nservice = "primary_school"\nsites = 2\n'


def write_export_study(folder: Path, *, names: dict[str, str] | None = None) -> Path:
    """Write the study into a folder."""
    file = write_toy_study(folder, names=NAMES if names is None else names)
    file.write_text(file.read_text(encoding="utf-8") + PLAN, encoding="utf-8")
    return file


@cache
def export_results() -> Results:
    """Return the run, made once; nobody changes it, copies are changed."""
    with tempfile.TemporaryDirectory() as folder:
        found = bg.run(write_export_study(Path(folder)), write=False, findings=True)
    west = shapely.box(EAST, NORTH, EAST + 300, NORTH + 200)
    holed = west.difference(west.buffer(-60))
    east = shapely.box(EAST + 900, NORTH + 300, EAST + 1200, NORTH + 500)
    land = {"code": ["070102", "1401"], "name": ["住宅", "绿地"], "kind": "synthetic"}
    line = shapely.LineString([(EAST, NORTH + 400), (EAST + 1800, NORTH + 420)])
    lines = {"line_type": ["城镇开发边界", "历史/紫线"], "kind": "synthetic"}
    landuse = gpd.GeoDataFrame(land, geometry=[holed, east], crs=TOY_CRS)
    control = gpd.GeoDataFrame(lines, geometry=[east.buffer(50), line], crs=TOY_CRS)
    return replace(found, landuse=landuse, control_lines=control)
