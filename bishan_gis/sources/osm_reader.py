"""The passes over an OSM file: ids and coordinates go to flat arrays as libosmium hands them out."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import OutputError
from bishan_gis.progress import Progress, counting
from bishan_gis.sources.heap import freed_at_once
from bishan_gis.sources.opl import opl_nodes, opl_tags, opl_words, write_opl

if TYPE_CHECKING:
    from numpy.typing import NDArray
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
_WAYS_AT_ONCE = 4_000
_AREAS_AT_ONCE = 2_000
_TAGS_KNOWN = 50_000


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
        self.way_id, self.way_size = array("q"), array("q")
        self.way_nodes: list[str] = []
        self.way_ref: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.way_lonlat: NDArray[np.float64] = np.empty((0, 2))
        self.way_tags: list[dict[str, str]] = []
        self.area_id: list[tuple[bool, int]] = []
        self.area_wkb: list[str] = []
        self.area_shapes: list[Any] = []
        self.ring_tags: dict[int, dict[str, str]] = {}
        self._placed: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        self._way_keys = frozenset(way_keys)
        # Half of the objects of a town have the tags of another one: equal tags are kept once.
        self._tags = lru_cache(maxsize=_TAGS_KNOWN)(opl_tags)
        self.area_tags: list[dict[str, str]] = []
        self.rings: set[int] = set()
        self.relations: set[int] = set()
        self.closed: set[int] = set()
        self.whole: set[int] = set()

    def read(self, file: Path, progress: Progress | None) -> tuple[dict[str, str], Polygon | None]:
        """Read the file to its end: points and ways as text, then areas and relations one by one."""
        name = file.name.lower()
        form = next(f for f in ("pbf", "osm.gz", "osm.bz2", "osm") if name.endswith(f))
        header, box = self._head(file, form)
        with freed_at_once(), tempfile.TemporaryDirectory(prefix="bishan_gis-") as folder:
            text = Path(folder) / "wanted.opl"
            try:
                write_opl(file, form, text, point_keys=self.point_keys, way_keys=self.way_keys + self.area_keys)
            except RuntimeError as err:
                if "No space left" in str(err):
                    raise OutputError(
                        f"临时文件夹 {folder} 空间不足,无法读取 {file.name};请清理磁盘或设置 TMPDIR",
                        f"no space left in {folder} to read {file.name}; free some, or set TMPDIR",
                    ) from err
                raise
            with counting(progress, 0, file.name) as step:
                seen = self._take_lines(text, step)
                self._take_areas(file, form, seen, step)
        return header, box

    def _head(self, file: Path, form: str) -> tuple[dict[str, str], Polygon | None]:
        import osmium
        import shapely

        with osmium.io.Reader(osmium.io.File(str(file), form), osmium.osm.NOTHING) as reader:
            head = reader.header()
        stamp = head.get("timestamp") or head.get("osmosis_replication_timestamp")
        header = {k: v for k, v in (("generator", head.get("generator")), ("timestamp", stamp)) if v}
        frame = head.box()
        if not frame.valid():
            return header, None
        low, high = frame.bottom_left, frame.top_right
        return header, shapely.box(low.lon, low.lat, high.lon, high.lat)

    def _take_lines(self, text: Path, step: Callable[[int], None]) -> int:
        seen = 0
        with text.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
            for seen, line in enumerate(lines, 1):
                words = opl_words(line.rstrip("\n"))
                if line[0] == "w":
                    self._take_way(words)
                else:
                    self._take_node(words)
                if seen % _PROGRESS_STEP == 0:
                    step(_PROGRESS_STEP)
        self._place_ways()
        self.way_ref, self.way_lonlat = (np.concatenate(part) for part in zip(*self._placed, strict=True))
        self._placed.clear()
        return seen

    def _take_areas(self, file: Path, form: str, seen: int, step: Callable[[int], None]) -> None:
        import osmium
        from osmium.filter import EntityFilter, KeyFilter

        if not self.area_keys + self.restriction_keys:
            return
        source = osmium.io.File(str(file), form)
        wanted = osmium.osm.RELATION
        if self.area_keys:
            wanted = wanted | osmium.osm.AREA
            processor = osmium.FileProcessor(source).with_locations().with_areas(KeyFilter(*self.area_keys))
            factory = osmium.geom.WKBFactory()
            self._polygon: Callable[[Any], str] = factory.create_multipolygon
        else:
            processor = osmium.FileProcessor(source, osmium.osm.RELATION)
        for entity, keys in (
            (osmium.osm.AREA, self.area_keys),
            (osmium.osm.RELATION, self.area_keys + self.restriction_keys),
        ):
            if keys:
                by_key = KeyFilter(*keys)
                by_key.enable_for(entity)
                processor.with_filter(by_key)
        for count, item in enumerate(processor.with_filter(EntityFilter(wanted)), seen + 1):
            if isinstance(item, osmium.osm.Area):
                self._take_area(item)
            else:
                self._take_relation(item)
            if count % _PROGRESS_STEP == 0:
                step(_PROGRESS_STEP)
        self._shape_areas()
        self.ring_tags.clear()

    def _take_node(self, words: list[str]) -> None:
        x, y = words[2][1:], words[3][1:]
        if not x or not y or abs(float(x)) > 180 or abs(float(y)) > 90:
            self.left_out["points_without_location"] += 1
            return
        self.point_id.append(int(words[0][1:]))
        self.point_lonlat.extend((float(x), float(y)))
        self.point_tags.append(self._tags(words[1]))

    def _take_way(self, words: list[str]) -> None:
        number, tags, nodes = int(words[0][1:]), self._tags(words[1]), words[2]
        size = nodes.count(",") + (len(nodes) > 1)
        if not self._way_keys.isdisjoint(tags):
            if size < 2:
                self.left_out["ways_too_short"] += 1
                return
            self.way_id.append(number)
            self.way_size.append(size)
            self.way_nodes.append(nodes)
            self.way_tags.append(tags)
            if len(self.way_nodes) == _WAYS_AT_ONCE:
                self._place_ways()
            if not _is_area(tags, self.area_keys, from_way=True):
                return
        first, last = nodes[1:].partition("x")[0], nodes.rpartition("n")[2].partition("x")[0]
        if size > 1 and first[1:] == last and tags.get("area") != "no":
            if size < 4:
                self.left_out["rings_too_short"] += 1
            else:
                self.rings.add(number)
                self.ring_tags[number] = tags

    def _place_ways(self) -> None:
        """Turn the nodes of the last ways into numbers."""
        ids, lonlat, missing = opl_nodes(self.way_nodes)
        self._placed.append((ids, lonlat))
        self.left_out["missing_nodes"] += missing
        if missing:
            size = np.array(self.way_size[-len(self.way_nodes) :], dtype=np.int64)
            starts = np.cumsum(size) - size
            self.left_out["ways_with_missing_nodes"] += int(
                np.add.reduceat(np.isnan(lonlat[:, 0]), starts).astype(bool).sum()
            )
        self.way_nodes.clear()

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
        tags = self.ring_tags.pop(number, None) if from_way else None
        if tags is None:
            tags = dict(area.tags)
        if _is_area(tags, self.area_keys, from_way=from_way):
            self.area_id.append((not from_way, number))
            self.area_wkb.append(self._polygon(area))
            self.area_tags.append(tags)
            if len(self.area_wkb) == _AREAS_AT_ONCE:
                self._shape_areas()

    def _shape_areas(self) -> None:
        """Turn the outlines of the last areas from text into polygons, or several where there are several."""
        import shapely

        shapes: Any = shapely.from_wkb(self.area_wkb)
        single = shapely.get_num_geometries(shapes) == 1
        shapes[single] = shapely.get_geometry(shapes[single], 0)
        self.area_shapes.extend(shapes.tolist())
        self.area_wkb.clear()


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
