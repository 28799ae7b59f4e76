"""Joining the country roads to the towns, and the finishing touches of the network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from .city import street_details
from .estates import Building
from .geo import stream
from .roads import RANK, cross_zone, village_sites
from .streets import Streets
from .terrain import Grid

Special = list[tuple[str, list[tuple[str, np.ndarray]]]]
DIRECTION_EN = {"北延": "north", "南进": "south", "西拓": "west", "东融": "east", "中优": "core"}
VILLAGES = 180


def directions(facts: pd.DataFrame) -> dict[str, str]:
    """Assumed direction of every township, in English."""
    return {c: DIRECTION_EN[d] for c, d in zip(facts["code"], facts["direction_assumed"], strict=True)}


def choose_sites(
    grid: Grid,
    cells: list[tuple[str, BaseGeometry]],
    rural: dict[str, float],
    built: BaseGeometry,
    zone: BaseGeometry,
    district: BaseGeometry,
) -> list[tuple[str, int]]:
    """Sites of the villages: numbers follow the people outside built-up land and the land there is."""
    free = district.difference(built.buffer(320))
    land = {c: g.intersection(free).area for c, g in cells}
    weight = {c: 0.6 * rural[c] / sum(rural.values()) + 0.4 * land[c] / sum(land.values()) for c, _ in cells}
    wanted = [(c, g, max(2, round(VILLAGES * weight[c]))) for c, g in cells]
    return village_sites(grid, wanted, free, zone)


def through_roads(
    chains: list[tuple[str, np.ndarray]], special: Special, outline: Polygon
) -> list[tuple[str, LineString]]:
    """Country roads that cross a town, as its arterials."""
    out = []
    for cls, points in [*chains, *((c, p) for c, runs in special for s, p in runs if s == "")]:
        line = LineString(points)
        if line.intersects(outline):
            part = line.intersection(outline.buffer(0.5))
            rank = {"trunk": "primary", "unclassified": "tertiary", "track": "residential", "path": "footway"}.get(
                cls, cls
            )
            out += [(rank, g) for g in getattr(part, "geoms", [part]) if g.geom_type == "LineString" and g.length > 1]
    return out


def _snap(point: np.ndarray, tree: shapely.STRtree, xy: np.ndarray, reach: float) -> np.ndarray | None:
    k = tree.query_nearest(Point(point), max_distance=reach, all_matches=False)
    return None if len(k) == 0 else xy[int(k[0])]


def add_country_roads(
    streets: Streets,
    chains: list[tuple[str, np.ndarray]],
    special: Special,
    core: Polygon,
    towns: dict[str, Polygon],
    zone: BaseGeometry,
    kind_at: Callable[[Point], str],
) -> None:
    """Add the parts of country roads outside towns; bridge the barriers; join ends to the streets of the towns."""
    rng = stream("country roads")
    built = shapely.unary_union([core, *towns.values()])
    rim = built.boundary
    _, ends = streets.segments(walkable=True)
    used = np.unique(ends.ravel())
    xy = streets.array()[used]
    tree = shapely.STRtree(shapely.points(xy))
    number = 0

    def lay(points: np.ndarray, cls: str, name: str) -> None:
        tags = {"highway": cls, **street_details(cls, rng)}
        if name:
            tags["name"] = name
        if cls == "unclassified" and rng.random() < 0.2:
            tags["surface"] = "concrete"
        for inside, run in cross_zone(points, zone):
            if not inside:
                streets.add(run, tags)
                continue
            kind = kind_at(Point(run.mean(0)))
            under = kind in ("railway", "motorway") and rng.random() < 0.5
            extra = {"tunnel": "yes", "layer": "-1"} if under else {"bridge": "yes", "layer": "1"}
            streets.add(run[[0, -1]], {**tags, **extra}, -1 if under else 1)

    def outside(points: np.ndarray, cls: str, name: str) -> None:
        rest = LineString(points).difference(built)
        for g in getattr(rest, "geoms", [rest]):
            if g.is_empty or g.length < 5:
                continue
            c = np.round(np.asarray(g.coords), 2)
            for k in (0, -1):
                if rim.distance(Point(c[k])) < 2.0:
                    near = _snap(c[k], tree, xy, 1.6)
                    if near is not None:
                        c[k] = near
                        continue
                    near = _snap(c[k], tree, xy, 320)
                    if near is not None:
                        c = np.vstack([near, c]) if k == 0 else np.vstack([c, near])
            lay(c, cls, name)

    for cls, points in chains:
        name = ""
        if RANK.index(cls) <= 3:
            number += 1
            name = f"合成·公路{number:03d}"
        outside(points, cls, name)
    for cls, runs in special:
        number += 1
        name = f"合成·隧道路{number:03d}"
        for structure, points in runs:
            if structure == "tunnel":
                tags = {
                    "highway": cls,
                    "name": name,
                    "tunnel": "yes",
                    "layer": "-1",
                    "sidewalk": "none",
                    "maxspeed": "60",
                }
                streets.add(points, tags, -1)
            else:
                outside(points, cls, name)


def lonely_paths(
    streets: Streets, grid: Grid, district: BaseGeometry, built: BaseGeometry, wet: BaseGeometry
) -> list[tuple[float, float]]:
    """Lay six small nets of paths that join nothing, for the checks to find; return a node of each."""
    rng = stream("lonely paths")
    free = np.flatnonzero(grid.cells_in(district.buffer(-600)) & ~grid.cells_in(built.buffer(700)) & (grid.slope < 0.2))
    _, ends = streets.segments(walkable=True)
    tree = shapely.STRtree(streets.lines(ends))
    out: list[tuple[float, float]] = []
    for cell in rng.permutation(free).tolist():
        c = np.array([grid.px[cell], grid.py[cell]])
        ring = Point(c).buffer(150)
        if len(tree.query(ring.buffer(60), predicate="intersects")) or ring.intersects(wet):
            continue
        if any(np.hypot(*(c - np.array(o))) < 4000 for o in out):
            continue
        angles = np.sort(rng.uniform(0, 2 * np.pi, 4))
        tips = [np.round(c + float(rng.uniform(60, 140)) * np.array([np.cos(a), np.sin(a)]), 2) for a in angles]
        for tip in tips:
            streets.add([c, tip], {"highway": str(rng.choice(["path", "track"]))})
        out.append((float(c[0]), float(c[1])))
        if len(out) == 6:
            break
    return out


def drop_wet(streets: Streets, zone: BaseGeometry) -> None:
    """Take away ground-level streets that would enter water or a fenced line."""
    inner = zone.buffer(-1.5)
    shapely.prepare(inner)
    where, ends = streets.segments()
    bad = shapely.intersects(inner, streets.lines(ends))
    cut: dict[int, set[int]] = {}
    for (w, k), b in zip(where.tolist(), bad.tolist(), strict=True):
        if b:
            cut.setdefault(w, set()).add(k)
    ways = []
    for w, way in enumerate(streets.ways):
        if w not in cut:
            ways.append(way)
            continue
        run = [way.nodes[0]]
        for k in range(len(way.nodes) - 1):
            if k in cut[w]:
                if len(run) > 1:
                    ways.append(type(way)(run, way.tags, way.layer))
                run = []
            run.append(way.nodes[k + 1])
        if len(run) > 1:
            ways.append(type(way)(run, way.tags, way.layer))
    streets.ways = ways


def mark_junctions(streets: Streets) -> None:
    """Traffic signals where main streets meet, marked crossings where people join them."""
    rng = stream("junctions")
    main: dict[int, int] = {}
    local: dict[int, int] = {}
    for way in streets.ways:
        if way.layer != 0:
            continue
        big = way.tags["highway"] in ("primary", "secondary")
        count = main if big else local
        if big or way.tags["highway"] in ("tertiary", "residential", "footway", "service", "living_street"):
            for k, n in enumerate(way.nodes):
                count[n] = count.get(n, 0) + (1 if k in (0, len(way.nodes) - 1) else 2)
    for n in sorted(main):
        if n in streets.node_tags:
            continue
        if main[n] >= 3 and rng.random() < 0.7:
            streets.node_tags[n] = {"highway": "traffic_signals"}
        elif n in local and rng.random() < 0.3:
            kind = str(rng.choice(["uncontrolled", "traffic_signals", "unmarked"], p=[0.6, 0.25, 0.15]))
            streets.node_tags[n] = {"highway": "crossing", "crossing": kind}


def clear_of_streets(
    buildings: list[Building], streets: Streets, zone: BaseGeometry, ramps: list[np.ndarray]
) -> list[Building]:
    """Leave out buildings that a street runs through or that stand in a barrier."""
    _, ends = streets.segments(ground=False)
    lines = [*streets.lines(ends), *(LineString(r) for r in ramps)]
    tree = shapely.STRtree(lines)
    polygons = np.array([b.polygon for b in buildings])
    hit = np.unique(tree.query(polygons, predicate="intersects")[0])
    bad = np.zeros(len(buildings), bool)
    bad[hit] = True
    bad |= shapely.intersects(zone, polygons)
    return [b for b, x in zip(buildings, bad.tolist(), strict=True) if not x]
