"""Read an OSM extract into arrays: tagged points, lines with their node ids, areas.

The file is decoded and filtered by libosmium. Untagged nodes never become Python objects, and a way
becomes a slice of flat arrays, so that a city is read in seconds. Extracts that were clipped (missing
nodes, broken relations, rings of two points) are read as far as they go, and what was left out is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import BrokenFileError, MissingFileError
from bishan_gis.sources.osm_reader import LEFT_OUT, OsmReader, Restriction
from bishan_gis.sources.safety import check_unpacked

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray
    from shapely import Polygon

    from bishan_gis.progress import Progress

__all__ = ["AREA_KEYS", "LEFT_OUT", "POINT_KEYS", "SUFFIXES", "WAY_KEYS", "OsmData", "Restriction"]
__all__ += ["describe_osm", "load_osm"]

#: File names that are read.
SUFFIXES = (".osm.pbf", ".pbf", ".osm", ".osm.gz", ".osm.bz2")

#: A way with one of these keys is kept as a line.
WAY_KEYS = ("highway", "railway", "waterway", "barrier")

#: A node with one of these keys is kept as a point. ``natural`` is not among them: cities map every tree.
POINT_KEYS = (
    "amenity",
    "shop",
    "leisure",
    "highway",
    "railway",
    "barrier",
    "entrance",
    "public_transport",
    "healthcare",
    "education",
    "office",
    "social_facility",
    "emergency",
    "tourism",
    "sport",
    "place",
    "building",
    "crossing",
    "landuse",
    "club",
    "craft",
)

#: A closed way or a multipolygon relation with one of these keys is kept as an area.
AREA_KEYS = (
    "building",
    "landuse",
    "leisure",
    "amenity",
    "shop",
    "natural",
    "tourism",
    "office",
    "healthcare",
    "education",
    "social_facility",
    "sport",
    "place",
    "water",
    "boundary",
    "public_transport",
    "highway",
    "railway",
    "club",
    "craft",
)


@dataclass(frozen=True, eq=False)
class OsmData:
    """What an extract holds.

    Attributes
    ----------
    path : str
        The file it was read from.
    point_id : ndarray of int64
        OSM ids of the tagged nodes.
    point_lon, point_lat : ndarray of float64
        Their position [degrees, WGS84].
    point_tags : list of dict
        Their tags.
    way_id : ndarray of int64, shape (n,)
        OSM ids of the lines.
    way_start : ndarray of int64, shape (n + 1,)
        Where each line begins in `way_ref`, `way_lon`, `way_lat`.
    way_ref : ndarray of int64
        OSM node ids along the lines.
    way_lon, way_lat : ndarray of float64
        Position of those nodes [degrees, WGS84]; NaN where a clipped extract lacks the node.
    way_tags : list of dict
        Tags of the lines.
    areas : geopandas.GeoDataFrame
        EPSG:4326, columns ``osm_id`` ("way/123", "relation/12"), ``tags`` (dict), ``geometry``.
    left_out : dict
        Reason (:data:`LEFT_OUT`) -> count.
    box : shapely.Polygon or None
        The bounding box that the file's header declares.
    header : dict
        ``generator`` and ``timestamp`` where the file says so.
    restrictions : list of Restriction
        Relations that forbid turns, by id.
    """

    path: str
    point_id: NDArray[np.int64]
    point_lon: NDArray[np.float64]
    point_lat: NDArray[np.float64]
    point_tags: list[dict[str, str]]
    way_id: NDArray[np.int64]
    way_start: NDArray[np.int64]
    way_ref: NDArray[np.int64]
    way_lon: NDArray[np.float64]
    way_lat: NDArray[np.float64]
    way_tags: list[dict[str, str]]
    areas: gpd.GeoDataFrame
    left_out: dict[str, int] = field(default_factory=dict)
    box: Polygon | None = None
    header: dict[str, str] = field(default_factory=dict)
    restrictions: list[Restriction] = field(default_factory=list)

    @property
    def bounds(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north of what was read [degrees], or None when nothing has a position."""
        parts = [
            (lon[np.isfinite(lon)], lat[np.isfinite(lat)])
            for lon, lat in ((self.point_lon, self.point_lat), (self.way_lon, self.way_lat))
        ]
        if len(self.areas):
            west, south, east, north = self.areas.total_bounds
            parts.append((np.array([west, east]), np.array([south, north])))
        lon = np.concatenate([p[0] for p in parts])
        lat = np.concatenate([p[1] for p in parts])
        if not len(lon):
            return None
        return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())

    def __repr__(self) -> str:
        """One line."""
        return (
            f"<OsmData {Path(self.path).name}: {len(self.point_id):,} points, "
            f"{len(self.way_id):,} ways, {len(self.areas):,} areas>"
        )


def load_osm(
    path: str | Path,
    *,
    way_keys: Iterable[str] = WAY_KEYS,
    point_keys: Iterable[str] = POINT_KEYS,
    area_keys: Iterable[str] = AREA_KEYS,
    restrictions: bool = True,
    progress: Progress | None = None,
) -> OsmData:
    """Read an OSM file.

    Parameters
    ----------
    path : str or pathlib.Path
        A ``.osm.pbf``, ``.pbf``, ``.osm``, ``.osm.gz`` or ``.osm.bz2`` file, sorted as OSM files are
        (nodes, ways, relations).
    way_keys, point_keys, area_keys : iterable of str
        An object with one of these keys is kept. A closed ``highway`` is an area only with ``area=yes``.
    restrictions : bool
        Read the relations that forbid turns.
    progress : callable or bool, optional
        Called every 20,000 objects with the number seen so far and 0, as nobody knows how many there will be; True
        draws a bar.

    Returns
    -------
    OsmData
        Points, ways and areas, and what was left out.

    Raises
    ------
    MissingFileError
        There is no such file.
    BrokenFileError
        The file is empty, truncated, not OSM, of another format than its name says, not sorted, or holds
        objects with negative ids. Nothing is returned from a file that cannot be read to its end.

    Examples
    --------
    >>> data = load_osm("helsinki.osm.pbf")  # doctest: +SKIP
    >>> data.way_ref[data.way_start[0] : data.way_start[1]]  # doctest: +SKIP
    """
    from osmium import InvalidLocationError

    file = _check_file(Path(path))
    check_unpacked(file, where=str(file))
    reader = OsmReader(tuple(way_keys), tuple(point_keys), tuple(area_keys), restrictions=restrictions)
    try:
        header, box = reader.read(file, progress)
    except (RuntimeError, ValueError, InvalidLocationError) as err:
        reason = " ".join(str(err).split())[:200]
        if isinstance(err, InvalidLocationError):
            raise BrokenFileError(
                f"{file}: 有节点的坐标不可能在地球上 ({reason});经纬度可能写反了,请核对并对调 lat 与 lon 后重新导出",
                f"{file}: nodes lie at places that are not on earth ({reason}); latitude and longitude may be swapped: "
                "look, exchange lat and lon, and export it again",
            ) from err
        raise BrokenFileError(
            f"{file}: 无法作为 OSM 文件读取 ({reason});文件可能不完整、格式与后缀不符或不是 OSM 数据,请重新下载",
            f"{file}: cannot be read as OSM ({reason}); it may be incomplete, of another format than its "
            "name says, or not OSM at all: fetch it again",
        ) from err
    data = _assemble(reader, str(file), header, box)
    _check_ids(data)
    return data


def describe_osm(data: OsmData) -> dict[str, Any]:
    """Return the figures that say what an extract holds.

    Parameters
    ----------
    data : OsmData
        What :func:`load_osm` read.

    Returns
    -------
    dict
        ``points``, ``ways``, ``areas``, ``highways`` (the 15 most frequent values -> ways), ``services``
        (the 15 most frequent ``amenity``, ``shop`` and ``leisure`` values), ``bounds``, ``header``,
        ``data_kind`` (kind -> share of all objects; what carries no ``data_kind`` tag is observed) and
        ``left_out``.
    """
    area_tags: list[dict[str, str]] = list(data.areas["tags"])
    highways = Counter(t["highway"] for t in data.way_tags if "highway" in t)
    services = Counter(
        f"{key}={t[key]}"
        for tags in (data.point_tags, area_tags)
        for t in tags
        for key in ("amenity", "shop", "leisure")
        if key in t
    )
    kinds = Counter(
        t.get("data_kind", "observed") for tags in (data.point_tags, data.way_tags, area_tags) for t in tags
    )
    total = max(kinds.total(), 1)
    return {
        "points": len(data.point_id),
        "ways": len(data.way_id),
        "areas": len(data.areas),
        "highways": dict(highways.most_common(15)),
        "services": dict(services.most_common(15)),
        "bounds": data.bounds,
        "header": dict(data.header),
        "data_kind": {kind: round(n / total, 4) for kind, n in sorted(kinds.items())},
        "left_out": {reason: n for reason, n in data.left_out.items() if n},
    }


def _check_file(file: Path) -> Path:
    if not file.exists():
        raise MissingFileError(f"{file}: 找不到该 OSM 文件;请检查路径", f"{file}: no such OSM file; check the path")
    if not file.name.lower().endswith(SUFFIXES):
        known = ", ".join(SUFFIXES)
        raise BrokenFileError(
            f"{file}: 不支持的文件后缀;OSM 文件应为 {known}", f"{file}: unknown suffix; an OSM file is one of {known}"
        )
    if not file.is_file():
        raise BrokenFileError(f"{file}: 是文件夹,不是 OSM 文件", f"{file}: a folder, not an OSM file")
    if file.stat().st_size == 0:
        raise BrokenFileError(
            f"{file}: 文件为空 (0 字节);请重新下载", f"{file}: the file is empty (0 bytes); fetch it again"
        )
    return file


def _check_ids(data: OsmData) -> None:
    """Raise when no street could get its coordinates."""
    if np.any(data.way_ref < 0):
        n = int((data.way_ref < 0).sum())
        raise BrokenFileError(
            f"{data.path}: {n} 处节点编号为负 (JOSM 未上传的数据);请先运行 osmium renumber",
            f"{data.path}: {n} node ids are negative (JOSM data that was not uploaded); run osmium renumber",
        )
    if len(data.way_ref) and not np.isfinite(data.way_lon).any():
        raise BrokenFileError(
            f"{data.path}: {len(data.way_id)} 条线的节点都没有坐标;文件缺少节点或未按 节点-线-关系 排序,"
            "请先运行 osmium sort",
            f"{data.path}: none of the nodes of {len(data.way_id)} ways has coordinates; the file lacks its "
            "nodes or is not sorted (nodes, ways, relations): run osmium sort",
        )


def _assemble(reader: OsmReader, path: str, header: dict[str, str], box: Polygon | None) -> OsmData:
    """Turn what was collected into arrays."""
    reader.left_out["rings_broken"] = len(reader.rings - reader.closed)
    reader.left_out["relations_broken"] = len(reader.relations - reader.whole)
    lonlat = np.array(reader.point_lonlat, dtype=float).reshape(-1, 2)
    start = np.zeros(len(reader.way_size) + 1, dtype=np.int64)
    np.cumsum(reader.way_size, out=start[1:])
    return OsmData(
        path=path,
        point_id=np.array(reader.point_id, dtype=np.int64),
        point_lon=lonlat[:, 0].copy(),
        point_lat=lonlat[:, 1].copy(),
        point_tags=reader.point_tags,
        way_id=np.array(reader.way_id, dtype=np.int64),
        way_start=start,
        way_ref=reader.way_ref,
        way_lon=reader.way_lonlat[:, 0].copy(),
        way_lat=reader.way_lonlat[:, 1].copy(),
        way_tags=reader.way_tags,
        areas=_area_frame(reader),
        left_out=reader.left_out,
        box=box,
        header=header,
        restrictions=sorted(reader.restrictions, key=lambda r: r.id),
    )


def _area_frame(reader: OsmReader) -> gpd.GeoDataFrame:
    """Return the areas, ways before relations, each by id: libosmium's order depends on its buffers."""
    import geopandas as gpd
    import pandas as pd

    order = sorted(range(len(reader.area_id)), key=reader.area_id.__getitem__)
    ids = [f"{'relation' if is_relation else 'way'}/{number}" for is_relation, number in sorted(reader.area_id)]
    shapes = np.empty(len(order), dtype=object)
    shapes[:] = [reader.area_shapes[i] for i in order]
    tags = pd.Series([reader.area_tags[i] for i in order], dtype=object)
    return gpd.GeoDataFrame({"osm_id": pd.Series(ids, dtype="str"), "tags": tags}, geometry=shapes, crs="EPSG:4326")
