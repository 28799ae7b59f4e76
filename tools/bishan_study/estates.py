"""Inside the blocks: estate paths with gates, apartment buildings, factory sheds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from .blocks import Mesh, edge
from .city import STREETS, Block
from .geo import stream
from .streets import Streets

FLOOR_M2 = 38.0  # floor space per person


@dataclass
class Building:
    """A building outline with its tags."""

    polygon: Polygon
    tags: dict[str, str]


def gates_of(mesh: Mesh, block: Block, rng: np.random.Generator, count: int) -> list[tuple[int, np.ndarray]]:
    """Put up to `count` gates on the streets around a block: (node, inward unit vector), far from each other."""
    ring = mesh.expand(block.ring)
    found: list[tuple[int, np.ndarray]] = []
    sides = []
    for k, a in enumerate(ring):
        b = ring[(k + 1) % len(ring)]
        p, q = np.array(mesh.xy[a]), np.array(mesh.xy[b])
        length = float(np.hypot(*(q - p)))
        if mesh.cls[edge(a, b)] in STREETS and length > 26:
            quiet = mesh.cls[edge(a, b)] not in ("primary", "trunk")
            sides.append((min(length, 120) * (1.5 if quiet else 1.0), k, a, b, p, q, length))
    sides.sort(key=lambda s: (-s[0], s[1]))
    spots: list[np.ndarray] = []
    for _, _, a, b, p, q, length in sides:
        share = float(rng.uniform(0.35, 0.65))
        m = p + share * (q - p)
        if all(np.hypot(*(m - s)) > 70 for s in spots):
            inward = np.array([-(q - p)[1], (q - p)[0]]) / length
            if not block.polygon.contains(Point(m + inward * 6)):
                inward = -inward
            found.append((mesh.split_edge(a, b, share), inward))
            spots.append(m)
        if len(found) == count:
            break
    return found


def _inside_path(
    block: Polygon, gates: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator, ring: bool
) -> list[np.ndarray]:
    """Paths of an estate: a spine between the gates (or to the middle), or a ring road in a large block."""
    core = block.buffer(-16)
    if core.is_empty or core.geom_type != "Polygon":
        return []
    middle = np.array(core.representative_point().coords[0])
    heads = [m + inward * 17 for m, inward in gates]
    out: list[np.ndarray] = []
    if ring and block.area > 26_000:
        loop = block.buffer(-float(rng.uniform(22, 30))).simplify(6)
        if loop.geom_type == "Polygon" and loop.area > 6000:
            corners = np.asarray(loop.exterior.coords)[:-1]
            joins = []
            for m, _ in gates:
                at = loop.exterior.project(Point(m))
                joins.append((at, m))
            along = [(loop.exterior.project(Point(p)), p) for p in corners]
            extra = [(at, np.array(loop.exterior.interpolate(at).coords[0])) for at, _ in joins]
            points = [p for _, p in sorted([*along, *extra], key=lambda v: v[0])]
            out.append(np.round(np.vstack([*points, points[0]]), 2))
            out += [np.round(np.vstack([m, p]), 2) for (_, m), (_, p) in zip(joins, extra, strict=True)]
            return out
    if len(gates) == 1:
        out.append(np.vstack([gates[0][0], heads[0], middle]))
    elif len(gates) > 1:
        out.append(np.vstack([gates[0][0], heads[0], middle, heads[1], gates[1][0]]))
        out += [np.vstack([gates[k][0], heads[k], middle]) for k in range(2, len(gates))]
    return [np.round(p, 2) for p in out]


def main_paths(
    mesh: Mesh, block: Block, gates: list[tuple[int, np.ndarray]], rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the main paths of an estate, from its gates."""
    at = [(np.array(mesh.xy[n]), inward) for n, inward in gates]
    ground = block.polygon.buffer(0.5)
    return [p for p in _inside_path(block.polygon, at, rng, block.use == "0701") if ground.contains(LineString(p))]


def door_paths(paths: list[np.ndarray], buildings: list[Building], rng: np.random.Generator) -> list[np.ndarray]:
    """Return a path from the nearest main path to the door of each building, where nothing stands between."""
    if not paths or not buildings:
        return []
    web = shapely.multilinestrings([LineString(p) for p in paths])
    walls = np.array([b.polygon for b in buildings])
    links = shapely.shortest_line(web, walls)
    tree = shapely.STRtree(walls)
    out = []
    for k, link in enumerate(links):
        length = shapely.length(link)
        if not 5 < length < 75 or rng.random() < 0.12:
            continue
        if any(j != k for j in tree.query(link, predicate="intersects").tolist()):
            continue
        (ax, ay), (bx, by) = shapely.get_coordinates(link)
        w = (length - 1.2) / length
        out.append(np.round([(ax, ay), (ax + w * (bx - ax), ay + w * (by - ay))], 2))
    return out


def lay_paths(
    mesh: Mesh,
    block: Block,
    paths: list[np.ndarray],
    doors: list[np.ndarray],
    streets: Streets,
    rng: np.random.Generator,
) -> None:
    """Add the paths of an estate to the network, with gates a few metres inside the block."""
    private = rng.random() < 0.10
    tags = {"highway": "service" if rng.random() < 0.6 else "footway"}
    if private:
        tags["access"] = "private"
        if rng.random() < 0.5:
            tags["foot"] = "yes"
    lines = [LineString(p) for p in paths]
    joins: dict[tuple[int, int], list[tuple[float, int]]] = {}
    first_new = len(streets.ways)
    for path in paths:
        streets.add(path, tags)
    for door in doors:
        start = Point(door[0])
        i = int(np.argmin([line.distance(start) for line in lines]))
        nodes = streets.ways[first_new + i].nodes
        xy = np.array([streets.xy[n] for n in nodes])
        parts = shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1))
        k = int(np.argmin(shapely.distance(parts, start)))
        share = float(shapely.line_locate_point(parts[k], start, normalized=True))
        near = nodes[k] if share * parts[k].length < 1.5 else nodes[k + 1]
        if share * parts[k].length < 1.5 or (1 - share) * parts[k].length < 1.5:
            streets.add([streets.xy[near], door[1]], {**tags, "highway": "footway"})
            continue
        node = streets.node(*door[0])
        joins.setdefault((first_new + i, k), []).append((round(share, 6), node))
        streets.add(door, {**tags, "highway": "footway"})
    streets.insert(joins)
    for n, _ in block.gates:
        if rng.random() < 0.55:
            _put_gate(streets, streets.node(*mesh.xy[n]), first_new, private, rng)


def _put_gate(streets: Streets, node: int, first_new: int, private: bool, rng: np.random.Generator) -> None:
    """Put a gate on an estate path six metres behind the street, so that the street itself stays open."""
    way = next((w for w in streets.ways[first_new:] if node in (w.nodes[0], w.nodes[-1])), None)
    if way is None:
        return
    at_start = way.nodes[0] == node
    p, q = np.array(streets.xy[node]), np.array(streets.xy[way.nodes[1 if at_start else -2]])
    d = float(np.hypot(*(q - p)))
    if d < 9:
        return
    gate = streets.node(*np.round(p + (q - p) / d * 6, 2))
    way.nodes.insert(1 if at_start else len(way.nodes) - 1, gate)
    access = "private" if private else str(rng.choice(["yes", "permissive", "residents"], p=[0.5, 0.35, 0.15]))
    tags = {"barrier": str(rng.choice(["gate", "lift_gate"], p=[0.7, 0.3]))}
    tags.update({"access": "private", "foot": "yes"} if access == "residents" else {"access": access})
    streets.node_tags[gate] = tags


def _rows(
    inner: BaseGeometry,
    angle: float,
    long_m: float,
    deep_m: float,
    gap_x: float,
    gap_y: float,
    rng: np.random.Generator,
) -> list[Polygon]:
    """Slabs in rows, turned by `angle`, that fit into `inner`."""
    c = inner.centroid
    u = np.array([np.cos(angle), np.sin(angle)])
    v = np.array([-u[1], u[0]])
    reach = max(inner.bounds[2] - inner.bounds[0], inner.bounds[3] - inner.bounds[1]) * 0.72
    shift = rng.uniform(0, 1, 2)
    y = np.arange(-reach + shift[1] * gap_y, reach, deep_m + gap_y)
    x = np.arange(-reach + shift[0] * gap_x, reach, long_m + gap_x)
    gx, gy = (g.ravel() for g in np.meshgrid(x, y))
    gx = gx + rng.uniform(-2, 2, gx.size)
    middle = np.array([c.x, c.y]) + gx[:, None] * u + gy[:, None] * v
    half = (
        np.array([u * long_m + v * deep_m, u * long_m - v * deep_m, -u * long_m - v * deep_m, v * deep_m - u * long_m])
        / 2
    )
    slabs = shapely.polygons(np.round(middle[:, None, :] + half[None], 2))
    shapely.prepare(inner)
    return list(slabs[shapely.contains(inner, slabs)])


def south_facing(polygon: Polygon) -> float:
    """Angle of rows: the side of the block nearest to east-west, which is how housing stands here."""
    box = np.asarray(shapely.oriented_envelope(polygon).exterior.coords)
    angles = [np.arctan2(*(box[k + 1] - box[k])[::-1]) for k in (0, 1)]
    fold = [((a + np.pi / 2) % np.pi) - np.pi / 2 for a in angles]
    return float(min(fold, key=abs))


def housing(block: Block, blocked: BaseGeometry, rng: np.random.Generator) -> list[Building]:
    """Apartment buildings for the people of a block: floor space decides height and number."""
    inner = block.polygon.buffer(-9).difference(blocked)
    if inner.is_empty or inner.area < 400:
        return []
    floor = 1.13 * block.people * FLOOR_M2  # some blocks have no room and some houses give way to paths
    far = floor / block.polygon.area
    angle = south_facing(block.polygon)
    kinds = [(46, 12.5, 10, 17, 7), (40, 14, 13, 26, 12), (30, 17, 18, 36, 26)]
    for long_m, deep_m, gap_x, gap_y, top in kinds if far < 1.25 else kinds[1:]:
        slabs: list[Polygon] = []
        for scale in (1.0, 0.72, 0.5):
            slabs = _rows(inner, angle, long_m * scale, deep_m, gap_x, gap_y, rng)
            if len(slabs) > 2:
                break
        foot = sum(s.area for s in slabs)
        if foot * top >= floor or top == kinds[-1][4]:
            break
    if not slabs:
        return []
    low = {7: 6, 12: 8, 26: 11}[top]
    size = slabs[0].area
    wanted = int(np.clip(np.ceil(floor / (size * (low + top) / 2)), 1, len(slabs)))
    order = rng.permutation(len(slabs))[:wanted] if wanted < 0.75 * len(slabs) else np.arange(len(slabs))
    slabs = [slabs[k] for k in sorted(order.tolist())]
    level = float(np.clip(floor / sum(s.area for s in slabs), 3, 32))
    out = []
    for slab in slabs:
        levels = int(np.clip(round(level + rng.uniform(-0.8, 0.8)), 3, 33))
        kind = "apartments" if levels > 3 else "residential"
        out.append(Building(slab, {"building": kind, "building:levels": str(levels)}))
    return out


WORKPLACES = {
    "0901": ("commercial", 48, 24, 16, 18, 3),
    "0902": ("office", 36, 26, 22, 24, 9),
    "0801": ("public", 56, 16, 18, 30, 4),
    "080403": ("school", 62, 14, 22, 34, 4),
    "080601": ("hospital", 60, 20, 20, 26, 6),
    "0802": ("office", 46, 18, 20, 26, 5),
    "080302": ("public", 44, 30, 20, 24, 2),
    "080301": ("public", 50, 34, 20, 24, 3),
    "080401": ("university", 66, 16, 24, 32, 5),
    "0805": ("public", 60, 44, 30, 30, 1),
    "1101": ("warehouse", 70, 30, 22, 20, 1),
}


def workplaces(block: Block, blocked: BaseGeometry, rng: np.random.Generator) -> list[Building]:
    """Place the buildings of shops, offices, schools and other workplaces."""
    kind, long_m, deep_m, gap_x, gap_y, levels = WORKPLACES[block.use]
    inner = block.polygon.buffer(-10).difference(blocked)
    if inner.is_empty or inner.area < 900:
        return []
    slabs = _rows(inner, south_facing(block.polygon), long_m, deep_m, gap_x, gap_y, rng)
    slabs = slabs or _rows(inner, south_facing(block.polygon), long_m * 0.55, deep_m * 0.7, gap_x, gap_y, rng)
    share = 0.5 if kind in ("school", "university", "public") else 0.8
    slabs = [s for s in slabs if rng.random() < share] or slabs[:1]
    return [
        Building(s, {"building": kind, "building:levels": str(max(1, levels + int(rng.integers(-1, 2))))})
        for s in slabs
    ]


def sheds(block: Block, blocked: BaseGeometry, rng: np.random.Generator) -> list[Building]:
    """Place the halls of an industrial block."""
    inner = block.polygon.buffer(-14).difference(blocked)
    if inner.is_empty or inner.area < 2500:
        return []
    angle = south_facing(block.polygon)
    halls: list[Polygon] = []
    for size in (float(rng.uniform(75, 110)), 62.0, 44.0):
        halls = _rows(inner, angle, size, size * float(rng.uniform(0.4, 0.6)), 18, 18, rng)
        if sum(h.area for h in halls) > 0.2 * block.polygon.area:
            break
    return [Building(h, {"building": "industrial"}) for h in halls if rng.random() < 0.8]


def build_interiors(
    blocks: list[Block], mesh_of: dict[str, Mesh], streets: Streets, keep_clear: BaseGeometry
) -> tuple[list[Building], list[Any]]:
    """Lay estate paths and buildings in all blocks; return the buildings and the estates' outlines.

    Parameters
    ----------
    blocks : list of Block
        With use and people.
    mesh_of : dict
        Mesh of every place; gates were put on its edges by `plan_gates`.
    streets : Streets
        Network, changed.
    keep_clear : shapely geometry
        Ground without buildings (real objects, facilities).
    """
    rng = stream("interiors")
    buildings: list[Building] = []
    estates: list[tuple[Polygon, int]] = []
    tree = shapely.STRtree(getattr(keep_clear, "geoms", [keep_clear]))
    for block in blocks:
        if block.use not in ("0701", "1001") and block.use not in WORKPLACES:
            continue
        paths = main_paths(mesh_of[block.place], block, block.gates, rng) if block.gates else []
        near = [tree.geometries[k] for k in sorted(tree.query(block.polygon).tolist())]
        blocked = shapely.union_all([*(LineString(p).buffer(3.6) for p in paths), *near])
        if block.use == "0701":
            new = housing(block, blocked, rng)
            if len(new) > 3 and block.polygon.area > 9000:
                estates.append((block.polygon.buffer(-6, join_style="mitre"), len(estates)))
        elif block.use == "1001":
            new = sheds(block, blocked, rng)
        else:
            new = workplaces(block, blocked, rng)
        lay_paths(mesh_of[block.place], block, paths, door_paths(paths, new, rng), streets, rng)
        buildings += new
    return buildings, estates


def plan_gates(blocks: list[Block], mesh_of: dict[str, Mesh]) -> None:
    """Choose the gates of all estates before the streets are written, so that streets carry their nodes."""
    rng = stream("gates")
    for block in blocks:
        size = block.polygon.area
        if block.use in ("0701", "1001", "0901") and size > 3500:
            count = (3 if size > 26_000 else 2) if block.use == "0701" else 1
            block.gates = gates_of(mesh_of[block.place], block, rng, count)
