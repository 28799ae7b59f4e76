"""Cut an OSM file to an area so that nothing in it refers to something outside it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import BrokenFileError, NoDataError
from bishan_gis.sources.opl import disk_full, osm_writer

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["COMPLETED", "TRIMMED", "Clipped", "clip_osm"]

#: Relations that are kept with all of their members where one of them lies inside.
COMPLETED = ("multipolygon", "restriction")
#: Relations that are kept with the members that are kept: a line that leaves the area keeps its stops within it.
TRIMMED = ("route", "public_transport")

_PIECE = 1_000_000


@dataclass(frozen=True)
class Clipped:
    """What a cut file holds.

    Attributes
    ----------
    nodes, ways, relations : int
        Objects written.
    relations_left_out : int
        Relations that touch the area and were not kept: those of other types with members outside (borders), and
        multipolygons of which the source itself lacks members.
    relations_trimmed : int
        Lines of public transport that were kept without their members outside.
    stamp : str
        Until when the source is up to date, where its header says so.
    """

    nodes: int
    ways: int
    relations: int
    relations_left_out: int
    relations_trimmed: int
    stamp: str


def clip_osm(source: Path, target: Path, area: BaseGeometry) -> Clipped:
    """Write what lies in an area, complete.

    Parameters
    ----------
    source : pathlib.Path
        A sorted OSM file.
    target : pathlib.Path
        The ``.osm.pbf`` to write.
    area : shapely geometry
        What is wanted [degrees, WGS84], one or more polygons.

    Returns
    -------
    Clipped
        What was written.

    Raises
    ------
    BrokenFileError
        The source cannot be read to its end.
    NoDataError
        Nothing of it lies in the area.
    OutputError
        The disk is full.

    Notes
    -----
    Kept are the nodes inside, the ways with one of them and all of their other nodes, the multipolygons and turn bans
    with one of those as a member and all of their other members, and any other relation of which every member is
    kept. Lines of public transport keep the members that are kept. A way that crosses the area without a node inside
    is not kept.
    """
    import osmium

    try:
        stamp = _stamp(source)
        keep = _find(source, area)
        counts = _write(source, target, keep, area, stamp)
    except (RuntimeError, ValueError, osmium.InvalidLocationError) as err:
        target.unlink(missing_ok=True)
        if full := disk_full(err, target):
            raise full from err
        said = " ".join(str(err).split())[:200]
        raise BrokenFileError(
            f"{source}: 无法作为 OSM 文件读取 ({said});文件可能不完整,请删除后重新获取",
            f"{source}: cannot be read as OSM ({said}); it may be incomplete: delete it and fetch it again",
        ) from err
    return Clipped(*counts, keep.left_out, len(keep.trimmed), stamp)


@dataclass
class _Keep:
    """Ids to write."""

    nodes: set[int]
    ways: set[int]
    relations: set[int]
    trimmed: set[int]
    left_out: int

    def holds(self, kind: str, ref: int) -> bool:
        """Return whether an object is written."""
        return ref in {"n": self.nodes, "w": self.ways, "r": self.relations}[kind]


def _stamp(source: Path) -> str:
    import osmium

    with osmium.io.Reader(_file(source)) as reader:
        head = reader.header()
    return str(head.get("osmosis_replication_timestamp") or head.get("timestamp") or "")


def _file(source: Path) -> Any:
    import osmium

    name = source.name.lower()
    form = next((f for f in ("pbf", "osm.gz", "osm.bz2", "osm") if name.endswith(f)), "pbf")
    return osmium.io.File(str(source), form)


def _objects(source: Path, entities: Any) -> Iterable[Any]:
    import osmium

    return osmium.FileProcessor(_file(source), entities)


def _find(source: Path, area: BaseGeometry) -> _Keep:
    """First pass: what lies inside. Second: what those relations need besides."""
    import osmium

    inside = _nodes_inside(source, area)
    if not len(inside):
        zh, en = "OSM 数据: 研究区内没有任何对象", "OSM data: nothing of it lies in the study area"
        raise NoDataError(zh, en)
    nodes: set[int] = set(inside.tolist())
    inner = frozenset(nodes)
    ways: set[int] = set()
    wanted: dict[int, list[tuple[str, int]]] = {}
    others: dict[int, list[tuple[str, int]]] = {}
    lines: dict[int, list[tuple[str, int]]] = {}
    for item in _objects(source, osmium.osm.WAY | osmium.osm.RELATION):
        if item.is_way():
            refs = [node.ref for node in item.nodes]
            if not inner.isdisjoint(refs):
                ways.add(item.id)
                nodes.update(refs)
            continue
        members = [(m.type, m.ref) for m in item.members]
        if any((t == "w" and r in ways) or (t == "n" and r in inner) for t, r in members):
            kind = item.tags.get("type")
            (wanted if kind in COMPLETED else lines if kind in TRIMMED else others)[item.id] = members
    _complete(source, wanted, nodes, ways, inner)
    relations = {i for i, members in wanted.items() if _held(members, nodes, ways, set())} | set(lines)
    grown = True
    while grown:  # a relation of relations is kept once its parts are
        more = {i for i, ms in others.items() if i not in relations and _held(ms, nodes, ways, relations)}
        relations |= more
        grown = bool(more)
    trimmed = {i for i, members in lines.items() if not _held(members, nodes, ways, relations)}
    left_out = len(wanted) + len(others) + len(lines) - len(relations)
    return _Keep(nodes, ways, relations, trimmed, left_out)


def _nodes_inside(source: Path, area: BaseGeometry) -> np.ndarray:
    import osmium
    import shapely

    shapely.prepare(area)
    west, south, east, north = area.bounds
    ids, lonlat = array("q"), array("d")
    found: list[np.ndarray] = []

    def judge() -> None:
        xy = np.frombuffer(lonlat, dtype=float).reshape(-1, 2)
        found.append(np.array(ids, dtype=np.int64)[shapely.intersects_xy(area, xy[:, 0], xy[:, 1])])

    for node in _objects(source, osmium.osm.NODE):
        place = node.location
        if place.valid() and west <= place.lon <= east and south <= place.lat <= north:
            ids.append(node.id)
            lonlat.extend((place.lon, place.lat))
            if len(ids) >= _PIECE:
                judge()
                ids, lonlat = array("q"), array("d")
    judge()
    return np.concatenate(found)


def _complete(
    source: Path, wanted: dict[int, list[tuple[str, int]]], nodes: set[int], ways: set[int], inner: frozenset[int]
) -> None:
    """Add the ways that relations need, and their nodes; keep only nodes that the source has."""
    import osmium

    missing = {r for members in wanted.values() for t, r in members if t == "w"} - ways
    lone = {r for members in wanted.values() for t, r in members if t == "n"}
    if missing:
        for way in _objects(source, osmium.osm.WAY):
            if way.id in missing:
                ways.add(way.id)
                nodes.update(node.ref for node in way.nodes)
    asked = (nodes | lone) - inner
    nodes &= inner
    nodes |= {node.id for node in _objects(source, osmium.osm.NODE) if node.id in asked}


def _held(members: list[tuple[str, int]], nodes: set[int], ways: set[int], relations: set[int]) -> bool:
    held = {"n": nodes, "w": ways, "r": relations}
    return all(ref in held[kind] for kind, ref in members)


def _write(source: Path, target: Path, keep: _Keep, area: BaseGeometry, stamp: str) -> tuple[int, int, int]:
    import osmium

    header = osmium.io.Header()
    header.set("generator", "bishan-gis")
    if stamp:
        header.set("osmosis_replication_timestamp", stamp)
    header.add_box(osmium.osm.Box(*area.bounds))
    place = osmium.io.File(str(target), "pbf,add_metadata=version+timestamp")
    counts = dict.fromkeys("nwr", 0)
    with osm_writer(place, header=header) as writer:
        for item in _objects(source, osmium.osm.ALL):
            kind = item.type_str()
            if not keep.holds(kind, item.id):
                continue
            if kind == "r" and item.id in keep.trimmed:
                held = [m for m in item.members if keep.holds(m.type, m.ref)]
                item = item.replace(members=[(m.type, m.ref, m.role) for m in held])
            writer.add(item)
            counts[kind] += 1
    return counts["n"], counts["w"], counts["r"]
