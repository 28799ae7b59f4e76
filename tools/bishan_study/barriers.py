"""What people on foot cannot cross just anywhere: rivers, lakes, railways and motorways."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import shapely
import shapely.ops
from scipy.ndimage import gaussian_filter1d
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from . import layout
from .geo import SmoothNoise, chaikin, simplify_points, spline, stream, to_work
from .settlement import Frame
from .terrain import Grid, Terrain

HALF_M = {"river": 16.0, "railway": 15.0, "motorway": 27.0}


@dataclass
class Barrier:
    """A line that cuts streets off; `parts` are its runs with their structure ('', 'bridge', 'tunnel')."""

    kind: str
    name: str
    parts: list[tuple[str, np.ndarray]]
    half_m: float

    def surface(self) -> list[LineString]:
        """Return the runs at ground level, which are what cuts."""
        return [LineString(p) for s, p in self.parts if s == ""]


@dataclass
class Water:
    """Rivers, river polygons and lakes (a lake may hold an island)."""

    rivers: list[Barrier] = field(default_factory=list)
    river_area: BaseGeometry = field(default_factory=Polygon)
    lakes: list[tuple[str, Polygon]] = field(default_factory=list)


def structures(points: np.ndarray, terrain: Terrain, deep_m: float, high_m: float) -> list[tuple[str, np.ndarray]]:
    """Cut a line into runs on the ground, in tunnels and on viaducts, from a smoothed height profile."""
    z = terrain.height(points[:, 0], points[:, 1])
    step = np.hypot(*np.diff(points, axis=0).T).mean()
    grade = gaussian_filter1d(z, 1300 / step, mode="nearest")
    state = np.where(z - grade > deep_m, 1, np.where(grade - z > high_m, 2, 0))
    minimum = max(2, round(260 / step))
    k = 0
    while k < len(state):  # very short runs join the run before
        end = k
        while end < len(state) and state[end] == state[k]:
            end += 1
        if end - k < minimum and k > 0:
            state[k:end] = state[k - 1]
        k = end
    runs = []
    start = 0
    for k in range(1, len(points) + 1):
        if k == len(points) or state[k] != state[start]:
            piece = points[start : min(k + 1, len(points))]
            if len(piece) > 1:
                runs.append((("", "tunnel", "bridge")[state[start]], np.round(piece, 2)))
            start = k
    return runs


def lines_of(kind: str, table: dict[str, list[tuple[float, float]]], terrain: Terrain) -> list[Barrier]:
    """Motorways or railways of the layout."""
    out = []
    for name, control in table.items():
        curve = spline(np.column_stack(to_work(*np.array(control).T)), 70)
        curve = chaikin(simplify_points(curve, 25), 3)
        curve = spline(curve, 80)
        bend = SmoothNoise(name, 2600)
        curve = curve + np.column_stack([bend(*curve.T), bend(curve[:, 1], curve[:, 0])]) * 35
        out.append(Barrier(kind, name, structures(curve, terrain, 30, 28), HALF_M[kind]))
    return out


def _river_course(name: str, frame: Frame, grid: Grid, avoid: np.ndarray) -> np.ndarray:
    spec = layout.RIVERS[name]
    ends = np.column_stack(to_work(*np.array([spec["head"], spec["mouth"]]).T))
    mult = grid.mult * np.exp(np.clip(grid.z - 265, 0, 250) / 28)
    graph = grid.graph(mult, grade=0.2)

    def route(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        cells = grid.route(graph, grid.cell(*a), grid.cell(*b))
        return np.column_stack([grid.px[cells], grid.py[cells]])

    if not spec["via_core"]:
        return _meander(name, chaikin(simplify_points(route(*ends), 60), 3))
    best: tuple[float, np.ndarray] = (-1.0, ends)
    s = np.arange(-200, frame.length + 250, 90.0)
    for phase in range(24):
        wiggle = SmoothNoise(f"river{phase}", 1500)
        centre = -330 + phase % 6 * 25.0
        base = frame.point(s, np.full_like(s, centre))
        course = frame.point(s, centre + 95 * wiggle(*base.T))
        course = chaikin(course, 1)
        gap = shapely.distance(LineString(course), shapely.points(avoid)).min()
        if gap > best[0]:
            best = (float(gap), course)
    middle = best[1]
    north, south = route(ends[0], middle[0])[:-1], route(middle[-1], ends[1])[1:]
    north = _meander(name, chaikin(simplify_points(north, 60), 3))
    south = _meander(name, chaikin(simplify_points(south, 60), 3))
    joined = simplify_points(np.vstack([north[:-1], middle, south[1:]]), 8)
    return chaikin(joined, 2)


def _meander(name: str, points: np.ndarray) -> np.ndarray:
    """Let a river wander a little, less towards its ends."""
    points = spline(points, 70)
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    calm = np.clip(np.minimum(along, along[-1] - along) / 900, 0, 1)[:, None]
    wander = SmoothNoise("meander" + name, 1100)
    shift = np.column_stack([wander(*points.T), wander(points[:, 1], points[:, 0])])
    return chaikin(points + 75 * calm * shift, 1)


def _blob(name: str, x: float, y: float, radius: float, stretch: float = 1.5) -> Polygon:
    rng = stream("blob:" + name)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    r = radius * np.ones_like(angle)
    for k in (2, 3, 4, 5):
        r += radius * rng.normal(0, 0.16 / np.sqrt(k - 1)) * np.cos(k * angle + rng.uniform(0, 6.28))
    r = np.maximum(r, 0.45 * radius)
    turn = rng.uniform(0.9, 1.9)
    px, py = r * np.cos(angle) * stretch, r * np.sin(angle) / stretch
    out = np.column_stack([x + px * np.cos(turn) - py * np.sin(turn), y + px * np.sin(turn) + py * np.cos(turn)])
    return Polygon(np.round(out, 2)).buffer(0)


def build_water(
    frame: Frame,
    grid: Grid,
    core: Polygon,
    built: BaseGeometry,
    district: BaseGeometry,
    real: np.ndarray,
) -> Water:
    """Return rivers, their wide urban stretch and the lakes; real objects keep their feet dry."""  # fmt: skip
    water = Water()
    for name in layout.RIVERS:
        course = np.round(simplify_points(_river_course(name, frame, grid, real), 3), 2)
        for other in water.rivers:  # a river ends where it meets another
            hits = shapely.get_coordinates(LineString(course).intersection(LineString(other.parts[0][1])))
            if len(hits):
                at = min(LineString(course).project(Point(p)) for p in hits)
                kept = shapely.ops.substring(LineString(course), 0, at)
                course = np.round(np.asarray(kept.coords), 2)
        half = 24.0 if layout.RIVERS[name]["via_core"] else 14.0
        water.rivers.append(Barrier("river", name, [("", course)], half))
    main = LineString(water.rivers[0].parts[0][1])
    urban = main.intersection(core.buffer(1200))
    urban = max(getattr(urban, "geoms", [urban]), key=lambda g: g.length)
    at = np.arange(0, urban.length, 45.0)
    coords = shapely.get_coordinates(shapely.line_interpolate_point(urban, at))
    width = 17 + 5 * SmoothNoise("width", 900)(*coords.T)
    width *= np.clip(np.minimum(at, urban.length - at) / 400, 0.45, 1)
    discs = shapely.buffer(shapely.points(coords), np.clip(width, 7, 28), quad_segs=4)
    hulls = [shapely.convex_hull(shapely.union(a, b)) for a, b in itertools.pairwise(discs)]
    water.river_area = shapely.unary_union(hulls).simplify(1.5)

    points = shapely.multipoints(real)
    for k, (lon, lat, radius, island) in enumerate(layout.URBAN_LAKES):
        (x,), (y,) = to_work([lon], [lat])
        rng = stream(f"lake{k}")
        tries = [(x + rng.normal(0, 25 * n), y + rng.normal(0, 25 * n), radius * 0.985**n) for n in range(60)]
        for tx, ty, tr in tries:
            lake = _blob(f"urban{k}", tx, ty, tr)
            if lake.distance(points) > 45 and lake.distance(main) > 70:
                break
        else:
            continue
        if island:
            spot = shapely.maximum_inscribed_circle(lake).coords[0]
            hole = _blob(f"island{k}", *spot, island, 1.2)
            if lake.buffer(-20).contains(hole):
                lake = lake.difference(hole)
        water.lakes.append((f"合成·湖{k + 1:02d}", lake))
    rng = stream("reservoirs")
    inside = grid.cells_in(district.buffer(-900)) & ~grid.cells_in(built.buffer(700))
    inside &= (grid.slope > 0.02) & (grid.slope < 0.11)
    chosen: list[Point] = []
    for cell in rng.permutation(np.flatnonzero(inside)).tolist():
        spot = Point(grid.px[cell], grid.py[cell])
        radius = float(rng.uniform(75, 210))
        if any(spot.distance(p) < 4200 for p in chosen):
            continue
        lake = _blob(f"rural{len(chosen)}", spot.x, spot.y, radius, 1.7)
        if lake.distance(points) < 250 or any(lake.distance(LineString(r.parts[0][1])) < 250 for r in water.rivers):
            continue
        if len(chosen) % 5 == 0:
            centre = shapely.maximum_inscribed_circle(lake).coords[0]
            hole = _blob(f"hole{len(chosen)}", *centre, radius * 0.2, 1.2)
            lake = lake.difference(hole) if lake.buffer(-15).contains(hole) else lake
        chosen.append(spot)
        water.lakes.append((f"合成·水库{len(chosen):02d}", lake))
        if len(chosen) == 16:
            break
    return water


def zone_of(barriers: list[Barrier], water: Water, extra_m: float = 0.0) -> BaseGeometry:
    """Ground that no ordinary street may enter."""
    parts: list[BaseGeometry] = [water.river_area.buffer(10 + extra_m)]
    parts += [Polygon(lake.exterior).buffer(9 + extra_m) for _, lake in water.lakes]
    for b in [*barriers, *water.rivers]:
        half = 13.0 if b.kind == "river" else b.half_m
        parts += [line.buffer(half + extra_m, cap_style="flat", quad_segs=3) for line in b.surface()]
    return shapely.unary_union(parts).simplify(0.8)


def separate_crossings(lines: list[Barrier], water: Water) -> None:
    """Lift the later of two barriers that cross at ground level onto a bridge there."""
    for k, b in enumerate(lines):
        others = [s for a in [*water.rivers, *lines[:k]] for s in a.surface()]
        mine = shapely.unary_union(b.surface())
        hits = shapely.intersection(mine, shapely.unary_union(others))
        spots = shapely.points(shapely.get_coordinates(hits))
        if len(spots) == 0:
            continue
        near = shapely.multipoints(spots)
        parts: list[tuple[str, np.ndarray]] = []
        for structure, points in b.parts:
            if structure:
                parts.append((structure, points))
                continue
            middle = (points[:-1] + points[1:]) / 2
            high = shapely.distance(near, shapely.points(middle)) < 75
            start = 0
            for i in range(1, len(high) + 1):
                if i == len(high) or high[i] != high[start]:
                    parts.append(("bridge" if high[start] else "", points[start : i + 1]))
                    start = i
        b.parts = parts


def kind_finder(lines: list[Barrier], water: Water) -> Callable[[Point], str]:
    """Return a function that tells the kind of the nearest barrier."""
    shapes = [(b.kind, LineString(p)) for b in [*lines, *water.rivers] for s, p in b.parts if s == ""]
    shapes += [("river", lake) for _, lake in water.lakes]
    tree = shapely.STRtree([g for _, g in shapes])

    def kind_at(point: Point) -> str:
        return shapes[int(tree.nearest(point))][0]

    return kind_at


def offset_parts(barrier: Barrier, shift_m: float) -> list[tuple[str, np.ndarray]]:
    """Parts of a line moved sideways, still sharing their ends."""
    full = np.vstack([barrier.parts[0][1], *(p[1:] for _, p in barrier.parts[1:])])
    tangent = np.gradient(full, axis=0)
    tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    moved = np.round(full + shift_m * np.column_stack([tangent[:, 1], -tangent[:, 0]]), 2)
    out, start = [], 0
    for structure, points in barrier.parts:
        out.append((structure, moved[start : start + len(points)]))
        start += len(points) - 1
    return out
