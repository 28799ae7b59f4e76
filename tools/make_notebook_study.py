"""Cut three townships out of the Bishan data, for the notebooks: a study that runs in a few seconds.

Usage: python tools/make_notebook_study.py [FOLDER]
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from shapely.geometry import mapping, shape
from shapely.ops import unary_union

from bishan_gis.sources.fetch.clip import clip_osm

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "data" / "raw" / "bishan"
CODES = ("500120003", "500120004", "500120005")
BUFFER_DEG = 0.012  # about 1.2 km: the longest walk that is asked for


def make(folder: Path) -> None:
    """Write the study's raw files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    towns = json.loads((SOURCE / "townships.geojson").read_text(encoding="utf-8"))["features"]
    towns = [t for t in towns if t["properties"]["code"] in CODES]
    _write(folder / "townships.geojson", towns)
    whole = unary_union([shape(t["geometry"]).buffer(1e-7) for t in towns]).simplify(1e-7)
    _write(
        folder / "district.geojson",
        [{"type": "Feature", "properties": {"name": "三镇街"}, "geometry": _rounded(mapping(whole))}],
    )
    area = whole.buffer(BUFFER_DEG, quad_segs=2)
    _write(
        folder / "streets.extent.geojson",
        [{"type": "Feature", "properties": {}, "geometry": _rounded(mapping(area))}],
    )
    target = folder / "streets.osm.pbf"
    target.unlink(missing_ok=True)
    clip_osm(SOURCE / "streets.osm.pbf", target, area)
    with (SOURCE / "population.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    lines = [head, *(r for r in rows if r[0] in CODES)]
    with (folder / "population.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


def _rounded(geometry: dict) -> dict:
    def deep(value):
        return round(value, 6) if isinstance(value, float) else [deep(v) for v in value]

    return {"type": geometry["type"], "coordinates": deep(geometry["coordinates"])}


def _write(file: Path, features: list[dict]) -> None:
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, separators=(",", ":"))
    file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "notebooks" / "data")
