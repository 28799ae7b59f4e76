"""A small study on disk: two townships, a street grid, a few facilities. Fast enough to run in every test."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import shapely
from toy import EAST, NORTH, TOY_CRS

from bishan_gis.crs import to_lonlat

STEP, COLS, ROWS = 150.0, 13, 7

STUDY = """
id = "toy"
name = "玩具区"
name_en = "Toy District"
lang = "zh"
crs = "EPSG:4544"
date = "2026-11"
[paths]
raw = "data/raw"
datasets = ""
[inputs]
osm = "streets.osm"
[inputs.district]
path = "district.geojson"
columns = { name = "name" }
[inputs.townships]
path = "townships.geojson"
columns = { zone_id = "code", name = "name" }
[inputs.population]
path = "population.csv"
zone = "code"
parts = { "0-14" = "young", "15-64" = "middle", "65+" = "old" }
[directions]
kind = "assumed"
[directions.zones]
"西拓" = ["西镇"]
"东融" = ["东镇"]
[services]
include = ["kindergarten", "primary_school", "pharmacy", "park", "bus_stop"]
default = "kindergarten"
"""

POPULATION = "code,people,young,middle,old\n1,1000,200,600,200\n2,501,101,300,100\n"


def lonlat(x: float, y: float) -> tuple[float, float]:
    """Return degrees of a point given in metres from the corner of the town."""
    lon, lat = to_lonlat([EAST + x], [NORTH + y], TOY_CRS)
    return round(float(lon[0]), 7), round(float(lat[0]), 7)


def write_toy_study(folder: Path, *, names: dict[str, str] | None = None) -> Path:
    """Write the study into a folder; `names` renames facilities. Returns ``study.toml``."""
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    (raw / "population.csv").write_text(POPULATION, encoding="utf-8")
    width, height = STEP * (COLS - 1), STEP * (ROWS - 1)
    west = shapely.box(EAST - 100, NORTH - 100, EAST + width / 2, NORTH + height + 100)
    east = shapely.box(EAST + width / 2, NORTH - 100, EAST + width + 100, NORTH + height + 100)
    towns = gpd.GeoDataFrame({"code": ["1", "2"], "name": ["西镇", "东镇"]}, geometry=[west, east], crs=TOY_CRS)
    towns.to_crs(4326).to_file(raw / "townships.geojson", driver="GeoJSON")
    district = gpd.GeoDataFrame({"name": ["玩具区"]}, geometry=[towns.union_all()], crs=TOY_CRS)
    district.to_crs(4326).to_file(raw / "district.geojson", driver="GeoJSON")
    (raw / "streets.osm").write_text(_osm(names or {}), encoding="utf-8")
    return folder / "study.toml"


def _osm(names: dict[str, str]) -> str:
    out = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6" generator="toy">']
    tagged = [
        (900, 160, 145, {"amenity": "kindergarten", "name": names.get("kindergarten", "西镇幼儿园")}),
        (901, 1500, 610, {"amenity": "school", "name": names.get("primary_school", "东镇小学")}),
        (902, 310, 320, {"amenity": "pharmacy", "name": names.get("pharmacy", "大药房")}),
        (903, 900, 450, {"highway": "bus_stop", "name": "镇中心"}),
    ]
    for r in range(ROWS):
        for c in range(COLS):
            lon, lat = lonlat(c * STEP, r * STEP)
            out.append(f'<node id="{1 + r * COLS + c}" lat="{lat}" lon="{lon}" version="1"/>')
    for number, x, y, tags in tagged:
        lon, lat = lonlat(x, y)
        inner = "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items())
        out.append(f'<node id="{number}" lat="{lat}" lon="{lon}" version="1">{inner}</node>')
    corners = [(1210, 160), (1340, 160), (1340, 290), (1210, 290)]
    for i, (x, y) in enumerate(corners):
        lon, lat = lonlat(x, y)
        out.append(f'<node id="{950 + i}" lat="{lat}" lon="{lon}" version="1"/>')
    blocks = [(c * STEP + 40, r * STEP + 40) for r in range(ROWS - 1) for c in range(COLS - 1) if (c, r) != (8, 1)]
    for k, (x, y) in enumerate(blocks):
        for i, (dx, dy) in enumerate([(0, 0), (50, 0), (50, 30), (0, 30)]):
            lon, lat = lonlat(x + dx, y + dy)
            out.append(f'<node id="{2000 + 4 * k + i}" lat="{lat}" lon="{lon}" version="1"/>')
    for r in range(ROWS):
        out.append(_way(10 + r, [1 + r * COLS + c for c in range(COLS)], {"highway": "residential"}))
    for c in range(COLS):
        out.append(_way(30 + c, [1 + r * COLS + c for r in range(ROWS)], {"highway": "tertiary"}))
    park = {"leisure": "park", "name": names.get("park", "中央公园")}
    out.append(_way(60, [950, 951, 952, 953, 950], park))
    for k in range(len(blocks)):
        ring = [2000 + 4 * k + i for i in (0, 1, 2, 3, 0)]
        out.append(_way(100 + k, ring, {"building": "apartments", "building:levels": str(2 + k % 5)}))
    return "\n".join([*out, "</osm>"])


def _way(number: int, refs: list[int], tags: dict[str, str]) -> str:
    inner = "".join(f'<nd ref="{r}"/>' for r in refs)
    inner += "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items())
    return f'<way id="{number}" version="1">{inner}</way>'
