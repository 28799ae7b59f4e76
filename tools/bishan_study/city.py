"""Built-up places: arterials of the city, blocks of the city and the towns, their streets."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from . import layout
from .blocks import NO_STREET, Mesh, build_mesh, edge, subdivide
from .geo import SmoothNoise, chaikin, stream, to_work
from .settlement import Frame
from .streets import Streets, merge_edges

STREETS = {"trunk", "primary", "secondary", "tertiary", "residential", "living_street", "service", "footway"}


@dataclass
class Block:
    """A block of built-up land; `use` is its 2023 land-use code."""

    place: str
    ring: list[int]
    polygon: Polygon
    use: str = ""
    people: float = 0.0
    town: str = ""
    real: list[int] = field(default_factory=list)
    gates: list[tuple[int, np.ndarray]] = field(default_factory=list)

    @property
    def centre(self) -> tuple[float, float]:
        """Centroid, rounded."""
        c = self.polygon.centroid
        return round(c.x, 2), round(c.y, 2)


def core_arterials(frame: Frame) -> list[tuple[str, LineString]]:
    """Arterials along and across the valley, bent by smooth noise."""
    rng = stream("arterials")
    bend_x, bend_y = SmoothNoise("bend x", 3200), SmoothNoise("bend y", 3200)

    def bent(p: np.ndarray) -> np.ndarray:
        return np.round(p + 105 * np.column_stack([bend_x(*p.T), bend_y(*p.T)]), 2)

    out = []
    west, east = [0.0], [-680.0]
    while west[-1] < 3300:
        west.append(west[-1] + float(rng.uniform(560, 860)))
    while east[-1] > -3300:
        east.append(east[-1] - float(rng.uniform(560, 860)))
    s = np.arange(-1400, frame.length + 1400, 70.0)
    for k, t in enumerate(sorted([*west, *east])):
        cls = "primary" if k % 3 == 1 else "secondary"
        drift = 90 * SmoothNoise(f"drift{k}", 3000)(s, s * 0)
        out.append((cls, LineString(bent(chaikin(frame.point(s, t + drift), 1)))))
    at, k = -1200.0, 0
    t = np.arange(-4200, 4200, 70.0)
    while at < frame.length + 1300:
        skew = rng.normal(0, 0.06)
        across = frame.point(at + skew * t + 40 * SmoothNoise(f"cross{k}", 2400)(t, t * 0), t)
        out.append(("primary" if k % 3 == 0 else "secondary", LineString(bent(across))))
        at += float(rng.uniform(560, 980))
        k += 1
    return out


def _thin_ends(arterials: list[tuple[str, LineString]], outline: Polygon) -> list[tuple[str, LineString]]:
    """Cut arterials at the outline and drop short pieces."""
    out = []
    for cls, line in arterials:
        inside = line.intersection(outline)
        for g in getattr(inside, "geoms", [inside]):
            if g.length > 420:
                c = np.asarray(g.coords)
                for k, j in ((0, 1), (-1, -2)):  # reach over the outline so that noding meets it
                    if outline.exterior.distance(Point(c[k])) < 0.5:
                        d = c[k] - c[j]
                        c[k] = c[k] + d / max(np.hypot(*d), 1e-6) * 0.4
                out.append((cls, LineString(c)))
    return out


def core_lines(frame: Frame, outline: Polygon) -> tuple[list[tuple[str, LineString]], np.ndarray]:
    """Arterials of the city cut at its outline, and their ends (gates) there."""
    lines = _thin_ends(core_arterials(frame), outline)
    ends = [p for _, g in lines for p in (g.coords[0], g.coords[-1])]
    edge_of_town = outline.exterior
    gates = [p for p in ends if edge_of_town.distance(Point(p)) < 1]
    return lines, np.round(np.array(sorted(gates)), 2)


def _street_of(area: float, rng: np.random.Generator) -> str:
    if area > 180_000:
        return "tertiary"
    if area > 50_000:
        return str(rng.choice(["residential", "tertiary"], p=[0.85, 0.15]))
    kinds = ["residential", "living_street", "service", "footway"]
    return str(rng.choice(kinds, p=[0.56, 0.2, 0.12, 0.12]))


class HotSpots:
    """Strength (0 to 1) of the nearest of a few round spots."""

    def __init__(self, spots: list[tuple[float, float, float]], wider: float = 1.0) -> None:
        lon, lat, radius = np.array(spots).T
        self._x, self._y = to_work(lon, lat)
        self._r2 = (radius * wider) ** 2

    def __call__(self, x: float, y: float) -> float:
        """Evaluate at a point."""
        return float(np.exp(-((x - self._x) ** 2 + (y - self._y) ** 2) / self._r2).max())


industry_at = HotSpots(layout.INDUSTRY)
commerce_at = HotSpots(layout.COMMERCE)
around_commerce_at = HotSpots(layout.COMMERCE, 2.2)
old_town_at = HotSpots(layout.OLD_TOWN)


def build_place(
    place: str, outline: Polygon, zone: BaseGeometry, lakes: BaseGeometry, arterials: list[tuple[str, LineString]]
) -> tuple[Mesh, list[Block]]:
    """Return the mesh and the blocks of one built-up place."""
    rng = stream("place" + place)
    shore = lakes.buffer(9.01)
    mesh = build_mesh(outline, zone, [(c, g.difference(shore)) for c, g in arterials])
    if place == "core":

        def target(p: np.ndarray) -> float:
            if industry_at(*p) > 0.45:
                return 42_000.0
            return 12_500.0 if old_town_at(*p) > 0.4 else 17_500.0
    else:

        def target(p: np.ndarray) -> float:
            return 30_000.0 if industry_at(*p) > 0.5 else 11_000.0

    chords = subdivide(mesh, target, rng, _street_of)
    greenway, perimeter = SmoothNoise("greenway", 1500), SmoothNoise("perimeter", 900)
    for e, cls in list(mesh.cls.items()):
        if cls in ("bank", "outline"):
            mid = np.mean([mesh.xy[e[0]], mesh.xy[e[1]]], axis=0)
            if cls == "bank":
                walk = greenway(*mid) > -0.1 or lakes.distance(Point(mid)) < 12
                mesh.cls[e] = "footway" if walk else NO_STREET
            else:
                mesh.cls[e] = "residential" if perimeter(*mid) > 0.15 else NO_STREET
    drop_runs(mesh, chords, rng, 0.12)
    blocks = []
    for ring in mesh.leaves:
        polygon = mesh.polygon(ring)
        if polygon.is_valid and polygon.area > 30:
            blocks.append(Block(place, ring, polygon))
    return mesh, blocks


def drop_runs(mesh: Mesh, chords: list[list[int]], rng: np.random.Generator, share: float) -> None:
    """Take away about `share` of the local street runs between junctions: dead ends and merged blocks."""
    for chord in chords:
        nodes = mesh.expand(chord, closed=False)
        run: list[int] = [nodes[0]]
        for n in nodes[1:]:
            run.append(n)
            if n in mesh.junction or n == nodes[-1]:
                local = mesh.cls[edge(run[0], run[1])] not in ("tertiary", "secondary", "primary")
                if local and rng.random() < share:
                    for a, b in itertools.pairwise(run):
                        mesh.cls[edge(a, b)] = NO_STREET
                run = [n]


def street_edges(mesh: Mesh) -> dict[tuple[int, int], str]:
    """Return the final street edges of a mesh (edges that were split give way to their parts)."""
    return {e: c for e, c in mesh.cls.items() if e not in mesh.mid and c in STREETS}


def add_streets(streets: Streets, mesh: Mesh, place: str, zone_kind: Any) -> None:
    """Add the streets of a mesh and its bridges to the network.

    Parameters
    ----------
    streets : Streets
        Network, changed.
    mesh : Mesh
        Blocks of one place.
    place : str
        Used in the names.
    zone_kind : callable
        Kind of barrier at a point: ``river``, ``railway`` or ``motorway``.
    """
    rng = stream("streets" + place)
    counter = 0
    for cls, nodes in merge_edges(street_edges(mesh), mesh.xy):
        tags = {"highway": cls}
        length = float(np.hypot(*np.diff(mesh.points(nodes), axis=0).T).sum())
        if cls in ("primary", "secondary", "tertiary") and length > 250:
            counter += 1
            tags["name"] = f"合成·{place}路{counter:03d}"
        tags.update(street_details(cls, rng))
        streets.add(mesh.points(nodes), tags)
    over = {(min(a, b), max(a, b)): c for c, (a, b) in mesh.bridges}
    for cls, nodes in merge_edges(over, mesh.xy, max_turn=60):
        points = mesh.points(nodes)
        kind = zone_kind(Point(points.mean(0)))
        under = kind in ("railway", "motorway") and rng.random() < 0.45
        tags = {"highway": cls, **({"tunnel": "yes", "layer": "-1"} if under else {"bridge": "yes", "layer": "1"})}
        tags["sidewalk"] = "both"
        streets.add(points, tags, -1 if under else 1)


def street_details(cls: str, rng: np.random.Generator) -> dict[str, str]:
    """Tags that vary between streets: sidewalks, one-way, speed, a few closed to people on foot."""
    tags: dict[str, str] = {}
    if cls in ("trunk", "primary", "secondary"):
        tags["sidewalk"] = str(rng.choice(["both", "separate", "left", "none"], p=[0.72, 0.08, 0.12, 0.08]))
        tags["maxspeed"] = {"trunk": "80", "primary": "60", "secondary": "50"}[cls]
    elif cls in ("tertiary", "residential") and rng.random() < 0.3:
        tags["sidewalk"] = str(rng.choice(["both", "none", "right"], p=[0.6, 0.25, 0.15]))
    draw = rng.random()
    if cls in ("residential", "tertiary") and draw < 0.05:
        tags["oneway"] = "yes"
    elif cls == "residential" and draw < 0.08:
        tags["oneway"] = "no"
    elif cls == "service" and draw < 0.12:
        tags["access"] = "private"
    elif cls == "service" and draw < 0.16:
        tags["foot"] = "no"
    elif cls == "footway" and draw < 0.3:
        tags["foot"] = "designated"
    return tags


def footbridges(streets: Streets, blocks_zone: BaseGeometry, river: LineString, core: Polygon) -> None:
    """Add footbridges over the river between arterial bridges: two nodes of the banks joined over the water."""
    rng = stream("footbridges")
    inside = river.intersection(core)
    inside = max(getattr(inside, "geoms", [inside]), key=lambda g: g.length)
    where, ends = streets.segments(walkable=True)
    keep = [k for k, (w, _) in enumerate(where) if streets.ways[w].tags["highway"] in ("footway", "residential")]
    nodes = np.unique(ends[keep].ravel())
    xy = streets.array()[nodes]
    near = np.flatnonzero(shapely.distance(river, shapely.points(xy)) < 70)
    nodes, xy = nodes[near], xy[near]
    at = 500.0
    while at < inside.length - 300:
        p = np.array(inside.interpolate(at).coords[0])
        q = np.array(inside.interpolate(at + 20).coords[0])
        side = (xy - p) @ np.array([-(q - p)[1], (q - p)[0]])
        gap = np.hypot(*(xy - p).T)
        left, right = np.flatnonzero((side > 0) & (gap < 130)), np.flatnonzero((side < 0) & (gap < 130))
        best: tuple[float, int, int] | None = None
        for i in left.tolist():
            for j in right.tolist():
                span = LineString([xy[i], xy[j]])
                wet = span.intersection(blocks_zone).length
                if span.length < 95 and wet > 0.6 * span.length and (best is None or span.length < best[0]):
                    best = (span.length, i, j)
        if best:
            tags = {"highway": "footway", "bridge": "yes", "layer": "1", "name": "合成·步行桥"}
            streets.add([xy[best[1]], xy[best[2]]], tags, 1)
        at += float(rng.uniform(650, 1100))
