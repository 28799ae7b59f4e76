"""One pass over an OSM file: ids and coordinates go to flat arrays as libosmium hands them out."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from shapely import Polygon

__all__ = ["LEFT_OUT", "RESTRICTION_KEYS", "OsmReader", "Restriction"]

#: What :attr:`OsmData.left_out` counts, in Chinese and in English.
LEFT_OUT = {
    "ways_too_short": ("少于两个节点的线", "ways with fewer than two nodes"),
    "ways_with_missing_nodes": ("缺节点的线 (保留其余部分)", "ways with missing nodes (the rest is kept)"),
    "missing_nodes": ("线上缺失的节点", "positions on ways whose node is missing"),
    "points_without_location": ("没有坐标的点", "points without coordinates"),
    "rings_too_short": ("少于三个角的环", "rings with fewer than three corners"),
    "rings_broken": ("自相交或缺节点的环", "rings that cross themselves or lack nodes"),
    "relations_broken": ("无法拼合的多边形关系", "area relations that could not be assembled"),
}

#: A relation with one of these keys may forbid a turn. Those that bind only buses or lorries are not among them.
RESTRICTION_KEYS = (
    "restriction",
    "restriction:vehicle",
    "restriction:motor_vehicle",
    "restriction:motorcar",
    "restriction:bicycle",
    "restriction:conditional",
)

_RAILWAY_AREAS = {"station", "halt", "platform", "platform_edge", "depot", "yard"}
_AREA_RELATIONS = {"multipolygon", "boundary"}
_PROGRESS_STEP = 20_000


@dataclass(frozen=True)
class Restriction:
    """A relation that forbids a turn, or allows only one.

    Attributes
    ----------
    id : int
        OSM id of the relation.
    tags : dict
        Its tags.
    from_ways, to_ways : tuple of int
        OSM ids of the ways one comes by and goes on by.
    via_nodes, via_ways : tuple of int
        OSM ids of what lies between.
    """

    id: int
    tags: dict[str, str]
    from_ways: tuple[int, ...]
    to_ways: tuple[int, ...]
    via_nodes: tuple[int, ...] = ()
    via_ways: tuple[int, ...] = ()


class OsmReader:
    """Collects one file; ids and coordinates go to flat arrays as they come."""

    def __init__(
        self,
        way_keys: tuple[str, ...],
        point_keys: tuple[str, ...],
        area_keys: tuple[str, ...],
        *,
        restrictions: bool = False,
    ) -> None:
        self.way_keys, self.point_keys, self.area_keys = way_keys, point_keys, area_keys
        self.restriction_keys = RESTRICTION_KEYS if restrictions else ()
        self.restrictions: list[Restriction] = []
        self.left_out: dict[str, int] = dict.fromkeys(LEFT_OUT, 0)
        self.point_id, self.point_lonlat = array("q"), array("d")
        self.point_tags: list[dict[str, str]] = []
        self.way_id, self.way_size, self.way_ref = array("q"), array("q"), array("q")
        self.way_wkb: list[str] = []
        self.way_tags: list[dict[str, str]] = []
        self.area_id: list[tuple[bool, int]] = []
        self.area_wkb: list[str] = []
        self.area_tags: list[dict[str, str]] = []
        self.rings: set[int] = set()
        self.relations: set[int] = set()
        self.closed: set[int] = set()
        self.whole: set[int] = set()

    def read(self, file: Path, progress: Callable[[int], None] | None) -> tuple[dict[str, str], Polygon | None]:
        """Read the file to its end; two passes when areas are wanted."""
        from osmium import osm

        processor, header, box = self._open(file)
        take = {osm.Node: self._take_node, osm.Way: self._take_way, osm.Area: self._take_area}
        take[osm.Relation] = self._take_relation
        for seen, item in enumerate(processor, 1):
            take[type(item)](item)
            if progress is not None and seen % _PROGRESS_STEP == 0:
                progress(seen)
        return header, box

    def _open(self, file: Path) -> tuple[Iterable[Any], dict[str, str], Polygon | None]:
        import osmium
        import shapely
        from osmium.filter import EntityFilter, KeyFilter

        name = file.name.lower()
        form = next(f for f in ("pbf", "osm.gz", "osm.bz2", "osm") if name.endswith(f))
        processor = osmium.FileProcessor(osmium.io.File(str(file), form)).with_locations()
        head = processor.header
        stamp = head.get("timestamp") or head.get("osmosis_replication_timestamp")
        header = {k: v for k, v in (("generator", head.get("generator")), ("timestamp", stamp)) if v}
        frame = head.box()
        box = None
        if frame.valid():
            low, high = frame.bottom_left, frame.top_right
            box = shapely.box(low.lon, low.lat, high.lon, high.lat)
        wanted = osmium.osm.NOTHING
        line_or_ring = self.way_keys + self.area_keys
        for entity, keys in (
            (osmium.osm.NODE, self.point_keys),
            (osmium.osm.WAY, line_or_ring),
            (osmium.osm.AREA, self.area_keys),
            (osmium.osm.RELATION, self.area_keys + self.restriction_keys),
        ):
            if keys:
                wanted = wanted | entity
                by_key = KeyFilter(*keys)
                by_key.enable_for(entity)
                processor.with_filter(by_key)
        processor.with_filter(EntityFilter(wanted))
        if self.area_keys:
            processor.with_areas(KeyFilter(*self.area_keys))
        factory = osmium.geom.WKBFactory()
        self._line: Callable[..., str] = factory.create_linestring
        self._polygon: Callable[[Any], str] = factory.create_multipolygon
        self._all_nodes = osmium.geom.ALL
        return processor, header, box

    def _take_node(self, node: Any) -> None:
        place = node.location
        if not place.valid():
            self.left_out["points_without_location"] += 1
            return
        self.point_id.append(node.id)
        self.point_lonlat.extend((place.lon, place.lat))
        self.point_tags.append(dict(node.tags))

    def _take_way(self, way: Any) -> None:
        tags, nodes = way.tags, way.nodes
        is_line = any(key in tags for key in self.way_keys)
        if is_line:
            refs = [node.ref for node in nodes]
            if len(refs) < 2:
                self.left_out["ways_too_short"] += 1
                return
            self.way_id.append(way.id)
            self.way_size.append(len(refs))
            self.way_ref.extend(refs)
            self.way_wkb.append(self._line_wkb(way))
            self.way_tags.append(tags := dict(tags))
            if not _is_area(tags, self.area_keys, from_way=True):
                return
        if len(nodes) > 1 and way.is_closed() and tags.get("area") != "no":
            if len(nodes) < 4:
                self.left_out["rings_too_short"] += 1
            else:
                self.rings.add(way.id)

    def _line_wkb(self, way: Any) -> str:
        """Return the coordinates of a way as hexadecimal little-endian doubles; NaN where missing."""
        from osmium import InvalidLocationError

        try:
            return self._line(way, self._all_nodes)[18:]
        except InvalidLocationError:
            places = [node.location for node in way.nodes]
            missing = sum(not place.valid() for place in places)
            self.left_out["ways_with_missing_nodes"] += 1
            self.left_out["missing_nodes"] += missing
            nan = float("nan")
            pairs = [(p.lon, p.lat) if p.valid() else (nan, nan) for p in places]
            return np.array(pairs, dtype="<f8").tobytes().hex()

    def _take_relation(self, relation: Any) -> None:
        tags = relation.tags
        kind = tags.get("type", "")
        if kind in _AREA_RELATIONS:
            if any(key in tags for key in self.area_keys):
                self.relations.add(relation.id)
        elif kind == "restriction" and any(key in tags for key in self.restriction_keys):
            members: dict[tuple[str, str], list[int]] = {}
            for member in relation.members:
                members.setdefault((member.type, member.role), []).append(member.ref)
            found = [tuple(members.get(k, ())) for k in (("w", "from"), ("w", "to"), ("n", "via"), ("w", "via"))]
            self.restrictions.append(Restriction(relation.id, dict(tags), *found))

    def _take_area(self, area: Any) -> None:
        from_way, number = area.from_way(), area.orig_id()
        if area.num_rings()[0] == 0:
            return  # assembled to nothing
        (self.closed if from_way else self.whole).add(number)
        tags = dict(area.tags)
        if _is_area(tags, self.area_keys, from_way=from_way):
            self.area_id.append((not from_way, number))
            self.area_wkb.append(self._polygon(area))
            self.area_tags.append(tags)


def _is_area(tags: dict[str, str], area_keys: tuple[str, ...], *, from_way: bool) -> bool:
    """Return whether a ring encloses something, or is only a line that comes back to its start."""
    keys = [key for key in area_keys if key in tags]
    if not keys:
        return False
    if not from_way or tags.get("area") == "yes":
        return True
    if "highway" in tags:
        return False
    return keys != ["railway"] or tags["railway"] in _RAILWAY_AREAS
