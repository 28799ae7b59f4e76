"""Write everything as one OpenStreetMap file: sorted ids, no timestamps, every tagged object marked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import osmium
from shapely.geometry import Polygon

from .barriers import Barrier, Water, offset_parts
from .estates import Building
from .facilities import Facility
from .geo import to_lonlat
from .streets import Streets
from .villages import Village

MARK = {"data_kind": "synthetic"}


@dataclass
class OsmFile:
    """Nodes, ways and relations in the order they get their ids."""

    xy: list[tuple[float, float]] = field(default_factory=list)
    node_tags: dict[int, dict[str, str]] = field(default_factory=dict)
    ways: list[tuple[list[int], dict[str, str]]] = field(default_factory=list)
    relations: list[tuple[list[tuple[int, str]], dict[str, str]]] = field(default_factory=list)
    _key: dict[tuple[int, int], int] = field(default_factory=dict)

    def node(self, x: float, y: float, *, fresh: bool = False) -> int:
        """Return the node at a point (shared unless `fresh`)."""
        key = (round(x * 100), round(y * 100))
        if fresh or key not in self._key:
            self.xy.append((key[0] / 100, key[1] / 100))
            if fresh:
                return len(self.xy) - 1
            self._key[key] = len(self.xy) - 1
        return self._key[key]

    def line(self, points: np.ndarray, tags: dict[str, str]) -> int:
        """Add a way through points; return its position."""
        self.ways.append(([self.node(*p) for p in points], tags))
        return len(self.ways) - 1

    def ring(self, coords: object, tags: dict[str, str]) -> int:
        """Add a closed way."""
        nodes: list[int] = []
        for x, y in np.asarray(coords)[:-1]:
            n = self.node(x, y)
            if not nodes or nodes[-1] != n:
                nodes.append(n)
        self.ways.append(([*nodes, nodes[0]], tags))
        return len(self.ways) - 1

    def area(self, polygon: Polygon, tags: dict[str, str]) -> None:
        """Add an area: a closed way, or a multipolygon relation where it has holes."""
        if not polygon.interiors:
            self.ring(polygon.exterior.coords, tags)
            return
        members = [(self.ring(polygon.exterior.coords, {}), "outer")]
        members += [(self.ring(hole.coords, {}), "inner") for hole in polygon.interiors]
        self.relations.append((members, {"type": "multipolygon", **tags}))

    def write(self, path: Path) -> None:
        """Write the file as PBF."""
        lon, lat = to_lonlat(*np.array(self.xy).T)
        path.unlink(missing_ok=True)
        header = osmium.io.Header()
        header.set("generator", "bishan_gis tools/make_bishan_study.py")
        header.add_box(osmium.osm.Box(float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())))
        target = osmium.io.File(str(path), "pbf,add_metadata=false")
        mutable = osmium.osm.mutable
        with osmium.SimpleWriter(target, header=header) as out:
            for k, (x, y) in enumerate(zip(lon.tolist(), lat.tolist(), strict=True)):
                tags = self.node_tags.get(k)
                out.add_node(mutable.Node(id=k + 1, location=(x, y), tags={**tags, **MARK} if tags else {}))
            for k, (nodes, tags) in enumerate(self.ways):
                out.add_way(mutable.Way(id=k + 1, nodes=[n + 1 for n in nodes], tags={**tags, **MARK} if tags else {}))
            for k, (members, tags) in enumerate(self.relations):
                items = [("w", w + 1, role) for w, role in members]
                out.add_relation(mutable.Relation(id=k + 1, members=items, tags={**tags, **MARK}))


def structure_tags(structure: str) -> dict[str, str]:
    """Tags of a bridge or a tunnel."""
    if structure == "tunnel":
        return {"tunnel": "yes", "layer": "-1"}
    return {"bridge": "yes", "layer": "2"} if structure == "bridge" else {}


def collect(
    streets: Streets,
    lines: list[Barrier],
    water: Water,
    buildings: list[Building],
    estates: list[tuple[Polygon, int]],
    facilities: list[Facility],
    shuttle: np.ndarray,
    villages: list[Village],
    ramps: list[np.ndarray],
) -> OsmFile:
    """Put all parts of the study area into one file."""
    osm = OsmFile()
    used = sorted({n for w in streets.ways for n in w.nodes})
    index = {n: osm.node(*streets.xy[n]) for n in used}
    for n, tags in sorted(streets.node_tags.items()):
        if n in index:
            osm.node_tags[index[n]] = tags
    for way in streets.ways:
        osm.ways.append(([index[n] for n in way.nodes], way.tags))
    for b in lines:
        if b.kind == "motorway":
            for shift in (11.0, -11.0):
                run = offset_parts(b, shift)
                for structure, points in run:
                    tags = {"highway": "motorway", "oneway": "yes", "lanes": "2", "maxspeed": "100", "name": b.name}
                    flow = points if shift > 0 else points[::-1]
                    osm.line(flow, {**tags, **structure_tags(structure)})
        else:
            for structure, points in b.parts:
                osm.line(points, {"railway": "rail", "name": b.name, **structure_tags(structure)})
    for ramp in ramps:
        osm.line(ramp, {"highway": "motorway_link", "oneway": "yes", "bridge": "yes", "layer": "1"})
    osm.line(shuttle, {"railway": "light_rail", "bridge": "yes", "layer": "2", "name": "合成·云巴走向"})
    for river in water.rivers:
        osm.line(river.parts[0][1], {"waterway": "river", "name": river.name})
    for part in getattr(water.river_area, "geoms", [water.river_area]):
        osm.area(part, {"natural": "water", "water": "river", "name": water.rivers[0].name})
    for name, lake in water.lakes:
        osm.area(lake, {"natural": "water", "water": "reservoir" if "库" in name else "lake", "name": name})
    for polygon, k in estates:
        if polygon.geom_type == "Polygon" and not polygon.is_empty:
            osm.ring(polygon.exterior.coords, {"landuse": "residential", "name": f"合成·小区{k + 1:04d}"})
    for building in buildings:
        osm.ring(building.polygon.exterior.coords, building.tags)
    for v in villages:
        osm.node_tags[osm.node(v.x + 9, v.y + 9, fresh=True)] = {"place": "village", "name": v.name}
    for f in facilities:
        if f.area is None:
            osm.node_tags[osm.node(f.x, f.y, fresh=True)] = f.tags
            continue
        ring = [(round(x, 2), round(y, 2)) for x, y in list(f.area.exterior.coords)[:-1]]
        for door in f.entrances:
            ring = insert_on_ring(ring, door)
            osm.node_tags[osm.node(*door)] = {"entrance": "main"}
        osm.ring([*ring, ring[0]], f.tags)
    return osm


def insert_on_ring(ring: list[tuple[float, float]], door: tuple[float, float]) -> list[tuple[float, float]]:
    """Put a point on the side of a ring that it lies on."""
    pts = np.array(ring)
    nxt = np.roll(pts, -1, axis=0)
    side = nxt - pts
    w = np.clip(((np.array(door) - pts) * side).sum(1) / np.maximum((side**2).sum(1), 1e-9), 0, 1)
    k = int(np.argmin(np.hypot(*(pts + w[:, None] * side - np.array(door)).T)))
    return [*ring[: k + 1], door, *ring[k + 1 :]]
