"""The whole generation on one screen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from shapely.geometry import LineString, Point, shape

from . import (
    barriers,
    city,
    estates,
    facilities,
    farmsteads,
    greens,
    interchanges,
    landuse,
    layout,
    manifest,
    rural,
    settlement,
    uses,
    villages,
)
from .geo import geom_to_work, spline, to_work, write_geojson
from .osm_write import collect
from .population import build_population
from .roads import RoadMaker, tunnel_roads
from .streets import Streets
from .terrain import Grid, Terrain
from .townships import build_townships

#: Files that are copied as they are; the rest is made.
GIVEN = ["district.geojson", "townships.csv", "osm_features.geojson", "dem_30s.tif", "facility_services.csv"]
STATIONS = [
    "1号地铁站",
    "科创小镇",
    "景山路",
    "千层岩",
    "秀湖公园",
    "秀水湾",
    "东岳公园",
    "儿童公园",
    "聚金大道",
    "双鱼",
    "莲花湖",
    "刘家嘴",
    "高观音",
    "沙坡",
    "成渝高铁站",
]


def read_facts(folder: Path) -> dict[str, Any]:
    """Read the four tables of observed facts."""
    district = json.loads((folder / "district.geojson").read_text(encoding="utf-8"))["features"][0]
    real = json.loads((folder / "osm_features.geojson").read_text(encoding="utf-8"))["features"]
    lonlat = np.array([f["geometry"]["coordinates"] for f in real])
    xy = np.column_stack(to_work(*lonlat.T))
    name = [f["properties"]["name"] for f in real]
    return {
        "district_lonlat": shape(district["geometry"]),
        "district": geom_to_work(shape(district["geometry"])),
        "townships": pd.read_csv(folder / "townships.csv", dtype={"code": str}),
        "real": xy,
        "real_class": [f["properties"]["fclass"] for f in real],
        "shuttle": np.array([xy[name.index(s)] for s in STATIONS]),
        "terrain": Terrain(folder / "dem_30s.tif"),
    }


def main(facts_folder: Path, out: Path) -> dict[str, Any]:
    """Generate all files under `out`/bishan and the list of datasets; return a few counts.

    Parameters
    ----------
    facts_folder : Path
        Folder of the observed files.
    out : Path
        Folder ``data/raw``.
    """
    target = out / "bishan"
    target.mkdir(parents=True, exist_ok=True)
    for name in GIVEN:
        if (facts_folder / name).resolve() != (target / name).resolve():
            shutil.copyfile(facts_folder / name, target / name)
    facts = read_facts(target)
    district, terrain, real = facts["district"], facts["terrain"], facts["real"]

    townships = build_townships(facts["townships"], facts["district_lonlat"], district)
    write_geojson(target / "townships.geojson", townships)
    population = build_population(facts["townships"])
    population.to_csv(target / "population.csv", index=False, lineterminator="\n")
    people = dict(zip(population["code"], population["people"].astype(int), strict=True))
    cells = [(r["code"], geom_to_work(r["geometry"])) for r in townships]
    urban = uses.urban_people(people)

    frame = settlement.Frame.build()
    core = settlement.core_outline(frame, terrain, real)
    towns = {c: settlement.town_outline(c, terrain, real) for c in layout.TOWNS}
    built = shapely.unary_union([core, *towns.values()])
    grid = Grid(terrain, district.buffer(2200).bounds)
    water = barriers.build_water(frame, grid, core, built, district, real)
    lines = barriers.lines_of("railway", layout.RAILWAYS, terrain)
    lines += barriers.lines_of("motorway", layout.MOTORWAYS, terrain)
    barriers.separate_crossings(lines, water)
    zone = barriers.zone_of(lines, water)
    shapely.prepare(zone)
    kind_at = barriers.kind_finder(lines, water)

    arterials, gates = city.core_lines(frame, core)
    grid.push_out([s for b in [*lines, *water.rivers] for s in b.surface()], 52.0)
    maker = RoadMaker(grid, core, gates)
    maker.close(shapely.unary_union([lake for _, lake in water.lakes]).buffer(75))
    maker.towns()
    rural_people = {c: people[c] - urban[c] for c in people}
    sites = rural.choose_sites(grid, cells, rural_people, built, zone, district)
    lonely = [grid.cell(*p) for p in real if built.distance(Point(p)) > 60]
    maker.villages(sites, lonely)
    chains = maker.chains()
    special = tunnel_roads(terrain, gates)

    meshes, blocks = {}, []
    lakes = shapely.unary_union([shapely.Polygon(lake.exterior) for _, lake in water.lakes])
    all_water = shapely.unary_union([water.river_area, *(lake for _, lake in water.lakes)])
    for place, outline in [("core", core), *towns.items()]:
        through = arterials if place == "core" else rural.through_roads(chains, special, outline)
        mesh, found = city.build_place(place, outline, zone, lakes, through)
        uses.assign_uses(found, outline, all_water, real, facts["real_class"], place)
        meshes[place] = mesh
        blocks += found
    uses.assign_towns(blocks, cells)
    parks = greens.plan_parks(blocks, meshes)
    estates.plan_gates(blocks, meshes)

    names = {
        c: n.removesuffix("街道").removesuffix("镇")
        for c, n in zip(population["code"], population["name"], strict=True)
    }
    directions = rural.directions(facts["townships"])
    streets = Streets()
    for place, mesh in meshes.items():
        city.add_streets(streets, mesh, "城区" if place == "core" else names[place], kind_at)
    main_river = LineString(water.rivers[0].parts[0][1])
    city.footbridges(streets, zone, main_river, core)
    rural.add_country_roads(streets, chains, special, core, towns, zone, kind_at)
    wet = shapely.unary_union([zone.buffer(12), built])
    village_points = [(c, float(grid.px[k]), float(grid.py[k])) for c, k in sites]
    hamlets, farmhouses = villages.build_villages(village_points, rural_people, names, terrain, streets, wet)

    rural_land = district.difference(built.buffer(60))
    farmhouses += farmsteads.build_farmsteads(
        cells, rural_people, streets, terrain, rural_land, wet, [b.polygon for b in farmhouses]
    )

    stock = facilities.Stock(blocks, [], meshes, names, directions, frame)
    uses.settle_people(blocks, urban)
    facilities.place_areas(stock)
    uses.settle_people(blocks, urban)
    stock.villages = hamlets
    facilities.place_points(stock)
    facilities.place_village_schools(stock)
    doubled = facilities.choose_duplicates(stock)
    park_areas = greens.build_parks(parks, meshes, streets, names)
    greens.plazas(blocks, meshes, streets)
    clear = shapely.GeometryCollection(
        [*shapely.buffer(shapely.points(real), 24), *(Point(f.x, f.y).buffer(13) for f in doubled)]
    )
    buildings, estate_areas = estates.build_interiors(blocks, meshes, streets, clear)
    buildings += farmhouses
    islands = rural.lonely_paths(streets, grid, district, built, wet)
    rural.drop_wet(streets, zone)
    streets.node_crossings()
    footprints = shapely.unary_union([b.polygon for b in buildings])
    streets.connect(real, [{"highway": "footway"}] * len(real), shapely.union(zone, footprints), 40.0)
    streets.tidy()
    doubles = facilities.duplicates(doubled, streets)
    stops = facilities.bus_stops(streets, built)
    rural.mark_junctions(streets)
    keep = {streets.node(*p) for p in islands}
    streets.drop_small_parts(keep)

    everything = [*stock.placed, *park_areas, *doubles, *stops]
    ramps = interchanges.all_ramps(lines, streets)
    buildings = rural.clear_of_streets(buildings, streets, zone, ramps)
    shuttle = np.round(spline(facts["shuttle"], 90), 2)
    osm = collect(streets, lines, water, buildings, estate_areas, everything, shuttle, hamlets, ramps)
    osm.write(target / "streets.osm.pbf")
    rows = landuse.build_landuse(
        blocks_final(blocks, meshes), [core, *towns.values()], water, lines, hamlets, district, terrain
    )
    write_geojson(target / "landuse.geojson", rows)
    write_geojson(target / "control_lines.geojson", landuse.control_lines(core, towns, district, terrain))
    manifest.write_readme(target / "README.md", stock.gaps)
    manifest.write_datasets(out / "datasets.toml", out)
    _, length = streets.parts()
    count: dict[str, int] = {}
    for f in everything:
        count[f.service] = count.get(f.service, 0) + 1
    return {
        "graph_nodes": streets.graph_nodes(),
        "street_ways": len(streets.ways),
        "ways": len(osm.ways),
        "nodes": len(osm.xy),
        "buildings": len(buildings),
        "blocks": len(blocks),
        "villages": len(hamlets),
        "landuse": len(rows),
        "main_share": round(float(length.max() / length.sum()), 4),
        "street_km": round(float(length.sum() / 1000), 1),
        "facilities": dict(sorted(count.items())),
        "total_facilities": sum(count.values()),
    }


def blocks_final(blocks: list[city.Block], meshes: dict[str, Any]) -> list[city.Block]:
    """Blocks with all shared nodes in their outlines."""
    for block in blocks:
        block.polygon = meshes[block.place].polygon(block.ring)
    return blocks
