"""From OSM ways to a network: streets are split where they share a node, and only there.

Everything runs on flat arrays; a bridge that passes over a street without a common node does not join it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.crs import check_metric, load_crs, to_working, warn_stretched
from bishan_gis.errors import BishanGisWarning, CrsError, InputError, NoDataError
from bishan_gis.network.controls import JunctionEdges, find_controls, forbidden_turns
from bishan_gis.network.graph import STRUCTURES, Network
from bishan_gis.network.junctions import join_signals
from bishan_gis.network.rules import Decisions, Rules, apply_rules, load_rules
from bishan_gis.network.speeds import edge_speeds, speed_counts
from bishan_gis.network.vertices import Vertices
from bishan_gis.schema import KINDS
from bishan_gis.sources.osm import OsmData, load_osm

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyproj import CRS
    from shapely import MultiPolygon, Polygon

    from bishan_gis.progress import Progress

__all__ = ["STREETS_LEFT_OUT", "build_network", "hilbert_order", "network_from_osm", "outside_extent", "structure_code"]

#: What ``left_out`` of a network counts besides forbidden turns, in Chinese and in English.
STREETS_LEFT_OUT = {
    "missing_nodes": ("道路上缺坐标的点 (在此断开)", "positions on streets whose node is missing (cut there)"),
    "repeated_nodes": ("道路上重复的点", "repeated nodes on streets"),
    "zero_length": ("长度为零的路段 (两端合并)", "segments of no length (their ends are one)"),
    "lone_nodes": ("只剩一点的路段", "pieces of one node"),
    "blocked_nodes": ("不能通行的门栏 (道路在此断开)", "barriers where streets are cut"),
}

_HILBERT_LEVELS = 16


def build_network(
    osm: OsmData,
    *,
    crs: CRS | str | int,
    rules: Rules | None = None,
    extent: Polygon | MultiPolygon | None = None,
    kind: str = "observed",
    controls: bool | None = None,
) -> Network:
    """Build the network that one mode of travel may use.

    Parameters
    ----------
    osm : OsmData
        What :func:`bishan_gis.sources.osm.load_osm` read; ways with ``highway`` and ``railway``, points
        with ``barrier``; for controls also points with ``highway``, ``railway`` and ``crossing``.
    crs : pyproj.CRS, str or int
        Working CRS [m].
    rules : Rules, optional
        Who may pass; the walking rules of the package by default.
    extent : shapely.Polygon or shapely.MultiPolygon, optional
        Where the data is complete, in `crs`; nodes outside are frontier.
    kind : str
        What an edge rests on when its way has no ``data_kind`` tag.
    controls : bool, optional
        Cut streets at signals, crossings and signs and keep them as ``node_control``; left out, all modes but
        walking do.

    Returns
    -------
    Network
        Nodes along a Hilbert curve, edges sorted by (u, v, way, position along the way); the same input
        gives the same arrays. Elevation is NaN. ``left_out`` counts ``missing_nodes`` (the way is cut
        there and both sides are frontier), ``lone_nodes`` (pieces of one node between two gaps),
        ``repeated_nodes``, ``zero_length`` (segments between two nodes at one place, which become one
        node) and ``blocked_nodes`` (barriers where streets are cut: each street end keeps a node of its
        own there, so that an OSM id may occur more than once, as it does at the stop lines of junctions whose signals
        stand together, see :func:`~bishan_gis.network.junctions.join_signals`). Vehicles are bound by forbidden
        turns; those that were not used are counted under :data:`~bishan_gis.network.controls.TURNS_LEFT_OUT`. Cars have
        ``edge_speed_kmh``, and ``rule_counts`` says how many kilometres rest on posted limits
        (:data:`~bishan_gis.network.speeds.SPEED_BASES`); ``edge_local`` is where they may not drive through.

    Raises
    ------
    NoDataError
        No street is left that may be used.
    CrsError
        The working CRS is not metric or does not reach the data.
    InputError
        `extent` is no polygon.

    Warns
    -----
    BishanGisWarning
        The working CRS is that of another part of the world: lengths are off by more than 1 %. Or no node
        lies in the extent.

    Notes
    -----
    Lengths are planar in `crs`. Parallel edges and loops are kept. An area (a square) is walked along its
    outline; outlines that exist only as relations are not streets.
    """
    crs = load_crs(crs)
    rules = load_rules() if rules is None else rules
    controls = rules.mode != "walk" if controls is None else controls
    decided = apply_rules(osm.way_tags, rules)
    x, y = _project(osm, crs)
    way = np.repeat(np.arange(len(osm.way_id), dtype=np.int32), np.diff(osm.way_start))
    rule_counts = _rule_counts(decided, way, x, y)
    left_out: dict[str, int] = {}
    line = Vertices(osm, decided.allow, way, x, y, left_out)
    del x, y, way  # a country has many vertices
    line.block(_barriers(osm, rules))
    if controls:
        line.control(*find_controls(osm, rules.mode))
    left_out["blocked_nodes"] = int(line.blocked.sum())
    left_out["zero_length"] = line.merge()
    left_out["lone_nodes"] = line.drop_lone()
    if controls:
        join_signals(line)
    start, end = line.cut()
    if not len(start):
        n, allowed = len(osm.way_id), int(decided.allow.sum())
        raise NoDataError(
            f"{osm.path}: {n} 条线中有 {allowed} 条可通行,但没有可用的街道;请检查研究范围、数据文件和通行规则",
            f"{osm.path}: {n} ways, {allowed} of them open, and no usable street is left; check the extent, "
            "the file and the rules",
        )
    node, ends = _nodes(line.node[start], line.node[end], line.blocked)
    node_x, node_y = line.x[node], line.y[node]
    place = hilbert_order(node_x, node_y, line.osmid[node])
    rank = np.empty(len(place), dtype=np.int64)
    rank[place] = np.arange(len(place))
    node, node_x, node_y, ends = node[place], node_x[place], node_y[place], rank[ends]
    order = np.lexsort((start, osm.way_id[line.way[start]], ends[:, 1], ends[:, 0]))
    start, end, ends = start[order], end[order], ends[order]
    vertex_start = np.zeros(len(start) + 1, dtype=np.int64)
    np.cumsum(end - start + 1, out=vertex_start[1:])
    vertex = np.repeat(start - vertex_start[:-1], end - start + 1) + np.arange(vertex_start[-1])
    vertex_x, vertex_y = line.vertex_x[vertex], line.vertex_y[vertex]
    edge_way = line.way[start]
    tags = [osm.way_tags[i] for i in edge_way.tolist()]
    forward, backward = decided.forward[edge_way], decided.backward[edge_way]
    local = decided.local[edge_way]
    length_m = _lengths(vertex_x, vertex_y, vertex_start)
    turns = speed_kmh = None
    if rules.mode != "walk":
        junctions = JunctionEdges(
            ends[:, 0], ends[:, 1], osm.way_id[edge_way], forward, backward, vertex_start, vertex_x, vertex_y
        )
        via = {n for one in osm.restrictions for n in one.via_nodes}
        turns, unused = forbidden_turns(osm.restrictions, rules.mode, junctions, line.places(via, node))
        left_out.update(unused)
    if rules.mode == "drive":
        speeds = edge_speeds(tags)
        speed_kmh = speeds.speed_kmh
        rule_counts.update(speed_counts(speeds.basis, osm.way_id[edge_way], length_m))
    return Network(
        crs=crs,
        node_x=node_x,
        node_y=node_y,
        node_osmid=line.osmid[node],
        edge_u=ends[:, 0].astype(np.int32),
        edge_v=ends[:, 1].astype(np.int32),
        edge_length_m=length_m,
        edge_forward=forward,
        edge_backward=backward,
        edge_way=osm.way_id[edge_way],
        edge_structure=np.array([structure_code(t) for t in tags], dtype=np.uint8),
        edge_highway=_objects([t.get("highway") or t.get("railway", "") for t in tags]),
        edge_name=_objects([t.get("name", "") for t in tags]),
        edge_kind=_objects([k if (k := t.get("data_kind")) in KINDS else kind for t in tags]),
        vertex_start=vertex_start,
        vertex_x=vertex_x,
        vertex_y=vertex_y,
        node_frontier=line.frontier[node] | outside_extent(node_x, node_y, extent),
        node_elevation_m=np.full(len(node), np.nan),
        rule_counts=rule_counts,
        left_out=left_out,
        mode=rules.mode,
        rule_table=rules.table,
        edge_speed_kmh=speed_kmh,
        node_control=line.code[node] if controls else None,
        turns=turns,
        edge_local=local if local.any() else None,
    )


def network_from_osm(
    path: str | Path,
    *,
    crs: CRS | str | int,
    rules: Rules | None = None,
    extent: Polygon | MultiPolygon | None = None,
    kind: str = "observed",
    controls: bool | None = None,
    progress: Progress | None = None,
) -> Network:
    """Read the streets of an OSM file and build their network; areas and places are skipped.

    Parameters are those of :func:`bishan_gis.sources.osm.load_osm` and :func:`build_network`.

    Returns
    -------
    Network
        As :func:`build_network` gives it.

    Examples
    --------
    >>> network_from_osm("helsinki.osm.pbf", crs="EPSG:3067")  # doctest: +SKIP
    """
    vehicles = rules is not None and rules.mode != "walk"
    with_controls = vehicles if controls is None else controls
    data = load_osm(
        path,
        way_keys=("highway", "railway"),
        point_keys=("barrier", "highway", "railway", "crossing") if with_controls else ("barrier",),
        area_keys=(),
        restrictions=vehicles,
        progress=progress,
    )
    return build_network(data, crs=crs, rules=rules, extent=extent, kind=kind, controls=controls)


def structure_code(tags: dict[str, str]) -> int:
    """Return the position in :data:`~bishan_gis.network.graph.STRUCTURES` of what carries a way.

    A passage through a building is at ground level and no tunnel.
    """
    if tags.get("highway") == "steps":
        return STRUCTURES.index("steps")
    if tags.get("bridge", "no") not in ("no", ""):
        return STRUCTURES.index("bridge")
    if tags.get("tunnel", "no") not in ("no", "", "building_passage"):
        return STRUCTURES.index("tunnel")
    return 0


def hilbert_order(x: NDArray[np.float64], y: NDArray[np.float64], tie: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order of points along a Hilbert curve; points at one place are ordered by `tie`.

    Neighbours on the map become neighbours in memory, which makes searches faster.

    Notes
    -----
    D. Hilbert (1891), doi:10.1007/BF01199431; 65,536 x 65,536 fields over the bounds of the points.
    """
    side = 1 << _HILBERT_LEVELS
    width = max(float(np.ptp(x)), float(np.ptp(y)), 1e-9)
    px = ((x - x.min()) / width * (side - 1)).astype(np.int64)
    py = ((y - y.min()) / width * (side - 1)).astype(np.int64)
    key = np.zeros(len(x), dtype=np.int64)
    for level in reversed(range(_HILBERT_LEVELS)):
        half = 1 << level
        rx, ry = (px >> level) & 1, (py >> level) & 1
        key += half * half * ((3 * rx) ^ ry)
        flip = (ry == 0) & (rx == 1)
        px, py = np.where(flip, side - 1 - px, px), np.where(flip, side - 1 - py, py)
        swap = ry == 0
        px, py = np.where(swap, py, px), np.where(swap, px, py)
    return np.lexsort((tie, key))


def _project(osm: OsmData, crs: CRS) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import geopandas as gpd

    check_metric(gpd.GeoSeries([], crs=crs), where="crs")
    located = np.isfinite(osm.way_lon)
    x, y = np.full(len(located), np.nan), np.full(len(located), np.nan)
    x[located], y[located] = to_working(osm.way_lon[located], osm.way_lat[located], crs)
    beyond = int((~np.isfinite(x[located]) | ~np.isfinite(y[located])).sum())
    if beyond:
        raise CrsError(
            f"{osm.path}: {beyond} 个节点无法投影到 {crs.to_string()};请检查坐标系是否覆盖数据范围",
            f"{osm.path}: {beyond} nodes cannot be projected to {crs.to_string()}; check that it covers the data",
        )
    if located.any():
        warn_stretched(crs, x[located], y[located], where="crs")
    return x, y


def _barriers(osm: OsmData, rules: Rules) -> NDArray[np.int64]:
    """Return the OSM ids of nodes that no one passes."""
    keys = rules.node_keys
    known: dict[tuple[str | None, ...], bool] = {}
    blocked = []
    for number, tags in zip(osm.point_id.tolist(), osm.point_tags, strict=True):
        combination = tuple([tags.get(key) for key in keys])
        if combination not in known:
            known[combination] = rules.blocks(tags) is not None
        if known[combination]:
            blocked.append(number)
    return np.array(blocked, dtype=np.int64)


def _nodes(
    u: NDArray[np.int64], v: NDArray[np.int64], blocked: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the dense node behind each network node, and both ends of each edge.

    Every edge that ends at a blocked node gets a copy of it.
    """
    ends = np.column_stack([u, v]).ravel()
    at = np.flatnonzero(blocked[ends])
    origin = np.concatenate([np.arange(len(blocked)), ends[at]])
    ends[at] = len(blocked) + np.arange(len(at))
    used, ends = np.unique(ends, return_inverse=True)
    return origin[used], ends.reshape(-1, 2)


def _lengths(x: NDArray[np.float64], y: NDArray[np.float64], start: NDArray[np.int64]) -> NDArray[np.float64]:
    step = np.hypot(np.diff(x, append=x[-1:]), np.diff(y, append=y[-1:]))
    step[start[1:] - 1] = 0.0
    length: NDArray[np.float64] = np.add.reduceat(step, start[:-1])
    return length


def outside_extent(
    x: NDArray[np.float64], y: NDArray[np.float64], extent: Polygon | MultiPolygon | None
) -> NDArray[np.bool_]:
    """Return which nodes lie outside of where the data is complete.

    Parameters
    ----------
    x, y : ndarray of float64
        Nodes [m, working CRS].
    extent : shapely.Polygon or shapely.MultiPolygon or None
        Where the data is complete; None: everywhere.

    Raises
    ------
    InputError
        `extent` is no polygon.

    Warns
    -----
    BishanGisWarning
        All nodes lie outside, as where the extent is in degrees.
    """
    if extent is None:
        return np.zeros(len(x), dtype=bool)
    import shapely

    if not isinstance(extent, shapely.Polygon | shapely.MultiPolygon):
        kind = type(extent).__name__
        raise InputError(
            f"extent: 须为 Polygon 或 MultiPolygon,现为 {kind};图层请用 union_all()",
            f"extent: must be a Polygon or MultiPolygon; it is a {kind}; of a layer give union_all()",
        )
    shapely.prepare(extent)
    outside: NDArray[np.bool_] = ~shapely.intersects_xy(extent, x, y)
    if outside.all():
        bounds = ", ".join(f"{v:g}" for v in extent.bounds)
        warnings.warn(
            BishanGisWarning(
                f"extent: {len(x)} 个节点全部在其外 (范围 {bounds});须用工作坐标系 [m],否则一切结果为 unknown",
                f"extent: all {len(x)} nodes lie outside of it (bounds {bounds}); it must be in the working CRS [m], "
                "else every answer is unknown",
            ),
            stacklevel=4,
        )
    return outside


def _rule_counts(
    decided: Decisions, way: NDArray[np.int32], x: NDArray[np.float64], y: NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    """Return how many ways and kilometres each rule decided."""
    step = np.hypot(np.diff(x), np.diff(y))
    step[(way[1:] != way[:-1]) | ~np.isfinite(step)] = 0.0
    metres = np.bincount(decided.rule[way[:-1]], weights=step, minlength=len(decided.names))
    ways = np.bincount(decided.rule, minlength=len(decided.names))
    return {
        name: {"ways": int(n), "length_km": round(float(m) / 1000, 3)}
        for name, n, m in zip(decided.names, ways, metres, strict=True)
        if n
    }


def _objects(values: list[str]) -> NDArray[np.object_]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
