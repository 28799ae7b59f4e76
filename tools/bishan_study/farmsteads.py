"""Scattered farmsteads: short lanes off the country roads with a few houses each."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from .estates import FLOOR_M2, Building
from .geo import stream
from .streets import Streets
from .terrain import Terrain
from .villages import IN_VILLAGES


def build_farmsteads(
    townships: list[tuple[str, BaseGeometry]],
    rural: dict[str, float],
    streets: Streets,
    terrain: Terrain,
    free: BaseGeometry,
    wet: BaseGeometry,
    houses: list[Polygon],
) -> list[Building]:
    """Lay short lanes off the country roads, each with one to four farmsteads.

    Parameters
    ----------
    townships : list
        ``(code, polygon)``.
    rural : dict
        People living outside built-up land per township.
    streets : Streets
        Network, changed.
    terrain : Terrain
        The elevation: steep lanes become steps.
    free, wet : shapely geometry
        Ground open to farmsteads; ground to keep out of.
    houses : list of shapely.Polygon
        Houses that exist already.
    """
    rng = stream("farmsteads")
    where, ends = streets.segments(walkable=True)
    classes = np.array([streets.ways[w].tags["highway"] for w, _ in where])
    lines = streets.lines(ends)
    tree = shapely.STRtree(lines)
    taken = shapely.STRtree(houses)
    shapely.prepare(free)
    shapely.prepare(wet)
    rural_class = np.isin(classes, ["unclassified", "track", "path", "tertiary", "secondary"])
    middle = shapely.line_interpolate_point(lines, 0.5, normalized=True)
    pool = np.flatnonzero(rural_class & (shapely.length(lines) > 30) & shapely.contains(free, middle))
    extra: dict[tuple[int, int], list[tuple[float, int]]] = {}
    out: list[Building] = []
    laid: set[tuple[int, int]] = set()
    for code, polygon in townships:
        shapely.prepare(polygon)
        mine = pool[shapely.contains(polygon, middle[pool])]
        if len(mine) == 0:
            continue
        need = (1 - IN_VILLAGES) * rural[code] * FLOOR_M2
        weight = shapely.length(lines[mine])
        for s in rng.choice(mine, size=len(mine) * 3, p=weight / weight.sum()).tolist():
            if need <= 0:
                break
            p, q = np.array(lines[s].coords[0]), np.array(lines[s].coords[-1])
            share = float(rng.uniform(0.15, 0.85))
            foot = np.round(p + share * (q - p), 2)
            u = (q - p) / np.hypot(*(q - p))
            v = np.array([-u[1], u[0]]) * float(rng.choice([-1, 1]))
            bend = np.round(foot + v * float(rng.uniform(30, 75)) + u * float(rng.uniform(-12, 12)), 2)
            tip = np.round(bend + (v + u * float(rng.uniform(-0.7, 0.7))) * float(rng.uniform(25, 75)), 2)
            points = np.array([foot, bend, tip])
            keys = [(int(c[0] // 40), int(c[1] // 40)) for c in points]
            if any((i + a, j + b) in laid for i, j in keys for a in (-1, 0, 1) for b in (-1, 0, 1)):
                continue
            lane = LineString([foot, bend, tip])
            away = LineString([foot + v * 6, bend, tip])
            if wet.intersects(lane) or not free.contains(lane):
                continue
            if len(tree.query(away, predicate="dwithin", distance=5)) or len(
                taken.query(lane, predicate="dwithin", distance=4)
            ):
                continue
            yard: list[Polygon] = []
            for _ in range(int(rng.integers(1, 4))):
                at = float(rng.uniform(0.45, 1.0)) * lane.length
                m = np.array(lane.interpolate(at).coords[0])
                w, d = float(rng.uniform(14, 26)), float(rng.uniform(9, 12))
                a = float(rng.normal(0, 0.3))
                e, n = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
                m = m + n * float(rng.choice([-1, 1])) * float(rng.uniform(12, 16)) + e * float(rng.uniform(-6, 6))
                house = Polygon(
                    np.round(
                        [
                            m - e * w / 2 - n * d / 2,
                            m + e * w / 2 - n * d / 2,
                            m + e * w / 2 + n * d / 2,
                            m - e * w / 2 + n * d / 2,
                        ],
                        2,
                    )
                )
                clash = house.distance(lane) < 2 or len(taken.query(house, predicate="dwithin", distance=3)) > 0
                clash = clash or any(house.distance(h) < 3 for h in yard)
                if clash or wet.intersects(house) or len(tree.query(house, predicate="dwithin", distance=3)):
                    continue
                yard.append(house)
            if not yard:
                continue
            for house in yard:
                levels = int(rng.choice([2, 3], p=[0.6, 0.4]))
                need -= house.area * levels
                out.append(Building(house, {"building": "house", "building:levels": str(levels)}))
            node = streets.node(*foot)
            extra.setdefault((int(where[s][0]), int(where[s][1])), []).append((round(share, 6), node))
            rise = float(np.abs(np.diff(terrain.height(points[[0, 2], 0], points[[0, 2], 1])))[0]) / lane.length
            kind = str(rng.choice(["track", "path", "service"], p=[0.36, 0.43, 0.21]))
            if rise > 0.13:
                streets.add(points[:2], {"highway": "path"})
                streets.add(points[1:], {"highway": "steps"})
            else:
                streets.add(points, {"highway": kind})
            laid.update(keys)
    streets.insert(extra)
    return out
