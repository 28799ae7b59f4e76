"""Parks: neighbouring green blocks grow together; entrances are mapped in three different ways."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon

from .blocks import Mesh, edge
from .city import STREETS, Block
from .estates import gates_of
from .facilities import Facility
from .geo import stream
from .streets import Streets

ENTRANCE_MODES = ("mapped", "crossing", "none")


@dataclass
class Park:
    """A park made of one or more blocks."""

    blocks: list[Block]
    mode: str
    polygon: Polygon = field(default_factory=Polygon)
    gates: list[tuple[int, np.ndarray]] = field(default_factory=list)


def plan_parks(blocks: list[Block], mesh_of: dict[str, Mesh]) -> list[Park]:
    """Group neighbouring park blocks, turn the lanes between them into park paths and choose entrances."""
    rng = stream("parks")
    green = [k for k, b in enumerate(blocks) if b.use == "1401"]
    owner: dict[tuple[str, int, int], list[int]] = {}
    for k in green:
        ring = mesh_of[blocks[k].place].expand(blocks[k].ring)
        for n, a in enumerate(ring):
            owner.setdefault((blocks[k].place, *edge(a, ring[(n + 1) % len(ring)])), []).append(k)
    parent = {k: k for k in green}

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    for (place, a, b), pair in sorted(owner.items()):
        mesh = mesh_of[place]
        if len(pair) == 2 and mesh.cls[(a, b)] not in ("primary", "secondary", "tertiary"):
            if mesh.cls[(a, b)] in STREETS:
                mesh.cls[(a, b)] = "footway"
            parent[max(root(pair[0]), root(pair[1]))] = min(root(pair[0]), root(pair[1]))
    groups: dict[int, list[Block]] = {}
    for k in green:
        groups.setdefault(root(k), []).append(blocks[k])
    parks = []
    for group in groups.values():
        whole = shapely.unary_union([b.polygon for b in group]).buffer(-5, join_style="mitre")
        whole = max(getattr(whole, "geoms", [whole]), key=lambda g: g.area) if not whole.is_empty else whole
        if whole.is_empty or whole.area < 700:
            continue
        park = Park(group, ENTRANCE_MODES[len(parks) % 3], Polygon(whole.exterior))
        largest = max(group, key=lambda b: b.polygon.area)
        if park.mode != "none":
            rim = shapely.unary_union([b.polygon for b in group]).boundary
            found = gates_of(mesh_of[largest.place], largest, rng, 3)
            mesh = mesh_of[largest.place]
            park.gates = [(n, v) for n, v in found if rim.distance(Point(mesh.xy[n])) < 0.6]
            if not park.gates:
                park.mode = "none"
        parks.append(park)
    return parks


def build_parks(parks: list[Park], mesh_of: dict[str, Mesh], streets: Streets, names: dict[str, str]) -> list[Facility]:
    """Lay park paths and return the parks as areas."""
    rng = stream("park paths")
    out = []
    for k, park in enumerate(parks):
        middle = np.round(park.polygon.representative_point().coords[0], 2)
        entrances = []
        for n, _ in park.gates:
            mesh = mesh_of[park.blocks[0].place]
            path = LineString([mesh.xy[n], middle])
            hit = path.intersection(park.polygon.exterior)
            if hit.geom_type != "Point":
                continue
            door = (round(hit.x, 2), round(hit.y, 2))
            swing = np.array([-(middle - np.array(door))[1], (middle - np.array(door))[0]]) * float(
                rng.uniform(-0.2, 0.2)
            )
            bend = np.round((middle + np.array(door)) / 2 + swing, 2)
            inside = park.polygon.buffer(0.1)
            bends = [bend] if inside.contains(LineString([door, bend, middle])) else []
            if not inside.contains(LineString([door, *bends, middle])):
                continue
            points = [mesh.xy[n], *([door] if park.mode == "mapped" else []), *bends, middle]
            streets.add(points, {"highway": str(rng.choice(["footway", "path"], p=[0.75, 0.25]))})
            if park.mode == "mapped":
                entrances.append(door)
        tags = {"leisure": "park"}
        block = park.blocks[0]
        if rng.random() < 0.9:
            tags["name"] = f"合成·{names[block.town]}公园{k + 1:03d}"
        out.append(Facility("park", tags, float(middle[0]), float(middle[1]), park.polygon, entrances))
    return out


def plazas(blocks: list[Block], mesh_of: dict[str, Mesh], streets: Streets) -> None:
    """Pedestrian areas on the blocks that are squares, joined to the streets around them."""
    number = 0
    for block in (b for b in blocks if b.use == "1403" and b.polygon.area > 2500):
        ring = block.polygon.buffer(-9, join_style="mitre")
        if ring.is_empty or ring.geom_type != "Polygon":
            continue
        number += 1
        points = np.round(np.asarray(ring.simplify(2).exterior.coords), 2)
        streets.add(points, {"highway": "pedestrian", "area": "yes", "name": f"合成·广场{number:02d}"})
        mesh = mesh_of[block.place]
        around = mesh.expand(block.ring)
        sides = zip(around, around[1:] + around[:1], strict=True)
        nodes = [a for a, b in sides if mesh.cls[edge(a, b)] in STREETS]
        for n in nodes[:: max(1, len(nodes) // 3)][:3]:
            corner = points[int(np.argmin(np.hypot(*(points - np.array(mesh.xy[n])).T)))]
            streets.add([mesh.xy[n], corner], {"highway": "footway"})
