"""Villages: lanes that grow out of the road, and farmsteads along them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from .estates import FLOOR_M2, Building
from .geo import stream
from .streets import Streets
from .terrain import Terrain

IN_VILLAGES = 0.76  # share of the rural people in villages; the others live on scattered farmsteads


@dataclass
class Village:
    """A village: its township, centre [m], people, houses and outline."""

    name: str
    town: str
    x: float
    y: float
    people: float
    houses: list[Polygon] = field(default_factory=list)
    lanes: list[LineString] = field(default_factory=list)


def grow_lanes(
    village: Village, terrain: Terrain, streets: Streets, wet: BaseGeometry, size: int, rng: np.random.Generator
) -> None:
    """Grow a small net of lanes from the village centre, rather along the slope than up it.

    Parameters
    ----------
    village : Village
        Its lanes are set.
    terrain : Terrain
        The elevation.
    streets : Streets
        Network, changed; the centre must be a node of it.
    wet : shapely geometry
        Prepared ground that lanes keep out of.
    size : int
        Number of lane pieces tried.
    """

    def fall(x: float, y: float) -> tuple[float, float]:
        z = terrain.height(x + np.array([50, -50, 0, 0]), y + np.array([0, 0, 50, -50]))
        return float(z[0] - z[1]), float(z[2] - z[3])

    nodes = [np.array([village.x, village.y])]
    falls = [fall(village.x, village.y)]
    middles = np.full((size + 1, 2), 1e12)
    heading = [float(rng.uniform(0, 2 * np.pi))]
    lines: list[LineString] = []
    for _ in range(size * 8):
        if len(lines) >= size:
            break
        k = (
            int(rng.integers(max(0, len(nodes) - 9), len(nodes)))
            if rng.random() < 0.7
            else int(rng.integers(len(nodes)))
        )
        p = nodes[k]
        turn = rng.normal(0, 0.35) if rng.random() < 0.6 else rng.choice([-1, 1]) * rng.uniform(1.1, 1.8)
        a = heading[k] + float(turn)
        gx, gy = falls[k]
        if np.hypot(gx, gy) > 6:  # follow the contour
            contour = float(np.arctan2(gx, -gy))
            contour += np.pi if np.cos(a - contour) < 0 else 0
            a = contour + 0.45 * float(np.angle(np.exp(1j * (a - contour))))
        q = np.round(p + float(rng.uniform(38, 85)) * np.array([np.cos(a), np.sin(a)]), 2)
        gaps = np.hypot(*(np.array(nodes) - q).T)
        close = int(np.argmin(gaps))
        if gaps[close] < 30:
            if close == k or rng.random() < 0.5:
                continue
            q = nodes[close]
        line = LineString([p, q])
        trimmed = LineString([p + (q - p) * 0.06, q - (q - p) * 0.06]) if close != k else line
        near = np.flatnonzero(np.hypot(*(middles[: len(lines)] - (p + q) / 2).T) < 115).tolist()
        if (
            line.length < 20
            or any(trimmed.distance(lines[n]) < (3 if lines[n].intersects(line) else 13) for n in near)
            or wet.intersects(line)
        ):
            continue
        middles[len(lines)] = (p + q) / 2
        lines.append(line)
        if gaps[close] >= 30:
            nodes.append(q)
            falls.append(fall(float(q[0]), float(q[1])))
            heading.append(a)
        ends = terrain.height(np.array([p[0], q[0]]), np.array([p[1], q[1]]))
        rise = abs(float(ends[1] - ends[0])) / line.length
        cls = str(rng.choice(["unclassified", "track", "path", "service"], p=[0.4, 0.2, 0.28, 0.12]))
        if rise > 0.11 and cls in ("path", "track"):
            cls = "steps" if rise > 0.16 or rng.random() < 0.5 else "path"
        tags = {"highway": cls}
        if cls == "unclassified" and rng.random() < 0.3:
            tags["surface"] = "concrete"
        streets.add([p, q], tags)
    village.lanes = lines


def place_houses(
    village: Village, roads: list[LineString], blocked: shapely.STRtree, wet: BaseGeometry, rng: np.random.Generator
) -> list[Building]:
    """Put farmsteads along the lanes until the floor space fits the people."""
    spots = []
    for line in [*village.lanes, *roads]:
        at = float(rng.uniform(6, 16))
        while at < line.length - 6:
            spots.append((line, at))
            at += float(rng.uniform(19, 34))
    if not spots:
        return []
    lines, at_m = np.array([s[0] for s in spots]), np.array([s[1] for s in spots])
    p = shapely.get_coordinates(shapely.line_interpolate_point(lines, at_m))
    q = shapely.get_coordinates(shapely.line_interpolate_point(lines, np.maximum(at_m - 2, 0)))
    u = (p - q) / np.maximum(np.hypot(*(p - q).T), 1e-6)[:, None]
    p, u = np.vstack([p, p]), np.vstack([u, u])
    side = np.repeat([1.0, -1.0], len(spots))[:, None]
    v = np.column_stack([-u[:, 1], u[:, 0]]) * side
    wide, deep = rng.uniform(15, 32, (len(p), 1)), rng.uniform(9, 12.5, (len(p), 1))
    front = p + v * rng.uniform(6.5, 11, (len(p), 1))
    half = u * wide / 2
    corners = np.stack([front - half, front + half, front + half + v * deep, front - half + v * deep], axis=1)
    houses = shapely.polygons(np.round(corners, 2))
    bad = shapely.intersects(wet, houses)
    bad[blocked.query(houses, predicate="dwithin", distance=3.0)[0]] = True
    one, two = shapely.STRtree(houses).query(houses, predicate="dwithin", distance=3.0)
    rivals: dict[int, list[int]] = {}
    for a, b in zip(one.tolist(), two.tolist(), strict=True):
        rivals.setdefault(a, []).append(b)
    need, chosen, out = village.people * FLOOR_M2, set[int](), []
    levels = rng.choice([2, 3, 4], p=[0.45, 0.42, 0.13], size=len(houses))
    for k in rng.permutation(len(houses)).tolist():
        if need <= 0:
            break
        if bad[k] or any(r in chosen for r in rivals[k]):
            continue
        chosen.add(k)
        need -= houses[k].area * int(levels[k])
        village.houses.append(houses[k])
        kind = "house" if wide[k, 0] < 22 else "residential"
        out.append(Building(houses[k], {"building": kind, "building:levels": str(levels[k])}))
    return out


def build_villages(
    sites: list[tuple[str, float, float]],
    rural: dict[str, float],
    names: dict[str, str],
    terrain: Terrain,
    streets: Streets,
    wet: BaseGeometry,
) -> tuple[list[Village], list[Building]]:
    """Return all villages and their farmsteads.

    Parameters
    ----------
    sites : list
        ``(township code, x, y)``, each a node of the network.
    rural : dict
        People living outside built-up land per township.
    names : dict
        Short township names.
    terrain, streets, wet
        See `grow_lanes`.
    """
    rng = stream("villages")
    count: dict[str, int] = {}
    for town, _, _ in sites:
        count[town] = count.get(town, 0) + 1
    shares = rng.uniform(0.7, 1.4, len(sites))
    total: dict[str, float] = {}
    for (town, _, _), s in zip(sites, shares, strict=True):
        total[town] = total.get(town, 0) + float(s)
    shapely.prepare(wet)
    villages, number = [], {}
    for (town, x, y), s in zip(sites, shares, strict=True):
        number[town] = number.get(town, 0) + 1
        people = round(IN_VILLAGES * rural[town] * float(s) / total[town], 1)
        village = Village(f"合成·{names[town]}{number[town]:02d}村", town, x, y, people)
        grow_lanes(village, terrain, streets, wet, int(np.clip(people / 30, 18, 60)), rng)
        villages.append(village)
    where, ends = streets.segments(walkable=True)
    lines = streets.lines(ends)
    tree = shapely.STRtree(lines)
    buildings: list[Building] = []
    for village in villages:
        near = tree.query(Point(village.x, village.y), predicate="dwithin", distance=420)
        roads = [
            lines[k]
            for k in sorted(near.tolist())
            if lines[k].length > 15
            and streets.ways[where[k][0]].tags["highway"] in ("unclassified", "track", "tertiary", "path")
        ]
        buildings += place_houses(village, roads, tree, wet, rng)
    return villages, buildings
