"""A network from a table of lines: an own road layer, a plan, a survey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.crs import check_metric, load_crs, warn_stretched
from bishan_gis.errors import CrsError, InputError, NoDataError, SchemaError
from bishan_gis.network.build import hilbert_order, outside_extent
from bishan_gis.network.graph import STRUCTURES, Network
from bishan_gis.network.rules import check_mode
from bishan_gis.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection

    import geopandas as gpd
    from numpy.typing import NDArray
    from pyproj import CRS
    from shapely import MultiPolygon, Polygon

__all__ = ["network_from_edges"]

_ONEWAY = {"yes": 1, "true": 1, "1": 1, "1.0": 1, "no": 0, "false": 0, "0": 0, "0.0": 0, "": 0, "-1": -1, "-1.0": -1}


def network_from_edges(
    edges: gpd.GeoDataFrame,
    *,
    crs: CRS | str | int | None = None,
    mode: str = "walk",
    tolerance_m: float = 0.0,
    split: bool = False,
    extent: Polygon | MultiPolygon | None = None,
    kind: str = "observed",
) -> Network:
    """Build a network of own roads; they meet where their ends are shared, never where lines only cross.

    Parameters
    ----------
    edges : geopandas.GeoDataFrame
        One LineString per road (a MultiLineString of one part will do; Z is ignored) and, if wanted, ``oneway``
        (true, ``yes``, 1: along the line; -1: against it; false, ``no``, 0 or nothing: both ways), ``speed_kmh``
        (mean speed driven, used as it is: about 0.8 of a limit [km/h], for all roads or none), ``structure``
        (``bridge, tunnel, steps`` or nothing), ``highway, name`` (texts), ``kind`` (``observed`` ...), ``way`` (whole
        numbers, the row number where left out).
    crs : pyproj.CRS, str or int, optional
        Working CRS [m]; that of the table where left out.
    mode : str
        Mode of travel the roads are for: ``walk``, ``cycle``, ``drive``.
    tolerance_m : float
        Ends this close to each other become one node [m], at the most south-western of them, and so do chains of
        such ends; 0: only equal ends meet.
    split : bool
        Roads also meet at vertices that they share, as streets of OSM do: exact or, with `tolerance_m`, close ones,
        which should then be well below the spacing of vertices. A road that meets itself is split, too.
    extent : shapely.Polygon or shapely.MultiPolygon, optional
        Where the data is complete, in the working CRS; nodes outside are frontier.
    kind : str
        What a road rests on when the table does not say.

    Returns
    -------
    Network
        Nodes along a Hilbert curve and numbered from 1 in ``node_osmid``; edges sorted by (u, v, way). Lengths are
        planar. ``left_out`` counts ``zero_length`` roads (all vertices at one place, or drawn into one by the
        tolerance).

    Raises
    ------
    InputError
        `edges` is not a GeoDataFrame, `extent` no polygon, `tolerance_m` is negative, or `mode` is unknown.
    NoDataError
        No rows, or no road has a length.
    CrsError
        No CRS, or not in metres.
    SchemaError
        Geometries that are missing, empty, not lines or of several parts, coordinates that are not numbers, values of
        a column that are not understood: all are named at once with their number.

    Warns
    -----
    BishanGisWarning
        The working CRS is that of another part of the world: lengths are off by more than 1 %. Or no node
        lies in the extent.

    Notes
    -----
    Where a bridge crosses a street the two lines cross and do not meet; give them a shared end where one can change.

    Examples
    --------
    A street of two pieces, and a bridge across it that touches nothing:

    >>> import geopandas as gpd
    >>> wkt = ["LINESTRING (0 0, 100 0)", "LINESTRING (100 0, 200 0)", "LINESTRING (50 50, 50 -50)"]
    >>> lines = gpd.GeoSeries.from_wkt(wkt, crs="EPSG:4544")
    >>> roads = gpd.GeoDataFrame({"structure": ["", "", "bridge"]}, geometry=lines)
    >>> network = network_from_edges(roads)
    >>> network.n_nodes, network.n_edges, int(network.component.max()) + 1
    (5, 3, 2)
    """
    import geopandas as gpd
    import shapely

    if not isinstance(edges, gpd.GeoDataFrame):
        name = type(edges).__name__
        raise InputError(f"edges: 须为 GeoDataFrame,现为 {name}", f"edges: must be a GeoDataFrame; it is a {name}")
    check_mode(mode)
    if not (np.isfinite(tolerance_m) and tolerance_m >= 0):
        raise InputError(
            f"tolerance_m = {tolerance_m}: 须为非负数 [m]", f"tolerance_m = {tolerance_m}: must be 0 or more [m]"
        )
    if len(edges) == 0:
        raise NoDataError(f"edges: {len(edges)} 行;请检查图层", f"edges: {len(edges)} rows; check the layer")
    lines = _lines(edges.geometry)
    if edges.crs is None:
        raise CrsError(
            f"edges: {len(edges)} 条道路没有坐标系;请先 set_crs",
            f"edges: {len(edges)} roads without a CRS; use set_crs",
        )
    if crs is not None:
        crs = load_crs(crs)
        lines = gpd.GeoSeries(lines, crs=edges.crs).to_crs(crs).to_numpy()
    working: CRS = edges.crs if crs is None else crs
    check_metric(gpd.GeoSeries([], crs=working), where="edges")
    values = _columns(edges, kind)

    xy, row = shapely.get_coordinates(lines, return_index=True)
    lost = int((~np.isfinite(xy).all(axis=1)).sum())
    if lost:
        raise CrsError(
            f"edges: {lost} 个顶点无法投影到 {working.to_string()};请检查坐标系",
            f"edges: {lost} vertices cannot be projected to {working.to_string()}; check the CRS",
        )
    warn_stretched(working, xy[:, 0], xy[:, 1], where="edges")
    node, xy = _meet(xy, row, tolerance_m, split=split)
    new = np.ones(len(row), dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (xy[1:] != xy[:-1]).any(axis=1)
    # Of vertices drawn to one place the end of the road must not be lost: it is the one that has a node.
    node = np.maximum.reduceat(node, np.flatnonzero(new))
    xy, row = xy[new], row[new]
    alone = np.bincount(row, minlength=len(edges))[row] == 1
    node, xy, row = node[~alone], xy[~alone], row[~alone]
    if not len(row):
        raise NoDataError(
            f"edges: {len(edges)} 条道路长度均为 0;请检查坐标和 tolerance_m",
            f"edges: none of {len(edges)} roads has a length; check the coordinates and tolerance_m",
        )
    start, end = _cut(node, row, split=split)
    return _assemble(working, mode, xy, row, node, start, end, values, extent, {"zero_length": int(alone.sum())})


def _lines(geometry: gpd.GeoSeries) -> NDArray[np.object_]:
    """Return one LineString per row, or say all that is wrong."""
    import shapely

    shapes = geometry.to_numpy()
    nothing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    kinds = shapely.get_type_id(shapes)
    multi = kinds == shapely.GeometryType.MULTILINESTRING
    several = multi & (shapely.get_num_geometries(shapes) > 1)
    other = ~nothing & ~multi & ~np.isin(kinds, [shapely.GeometryType.LINESTRING])
    out: NDArray[np.object_] = np.where(multi & ~several, shapely.get_geometry(shapes, 0), shapes)
    xy, row = shapely.get_coordinates(out, return_index=True)
    odd = len(np.unique(row[~np.isfinite(xy).all(axis=1)]))
    problems = [
        (int(nothing.sum()), "行没有几何", "rows without a geometry", "删去", "drop them"),
        (int(other.sum()), "行不是线", "rows that are not lines", "只保留 LineString", "keep LineStrings"),
        (int(several.sum()), "行含多段", "rows of several parts", "请先 explode()", "use explode() first"),
        (odd, "行的坐标含 NaN", "rows with coordinates that are not numbers", "修正坐标", "mend them"),
    ]
    _raise([(f"{n} {zh} ({do})", f"{n} {en} ({todo})") for n, zh, en, do, todo in problems if n], len(shapes))
    return out


def _columns(edges: gpd.GeoDataFrame, kind: str) -> dict[str, NDArray[Any]]:
    """Return the values of every column that counts, or say all that is wrong."""
    import pandas as pd

    n = len(edges)
    problems: list[tuple[str, str]] = []

    def texts(name: str, default: str, known: Collection[str] | None = None) -> NDArray[np.object_]:
        out = np.full(n, default, dtype=object)
        if name in edges.columns:
            column = edges[name]
            out[:] = [default if gone else str(v) for v, gone in zip(column, pd.isna(column), strict=True)]
        bad = sum(v not in known for v in out) if known is not None else 0
        if bad:
            shown = ", ".join(k or "''" for k in known or ())
            problems.append((f"{name}: {bad} 行的值不是 {shown} 之一", f"{name}: {bad} rows are none of {shown}"))
        return out

    values: dict[str, NDArray[Any]] = {
        "highway": texts("highway", ""),
        "name": texts("name", ""),
        "kind": texts("kind", kind, KINDS),
        "structure": texts("structure", "", STRUCTURES),
        "oneway": np.zeros(n, dtype=np.int8),
        "way": np.arange(n, dtype=np.int64),
    }
    oneway = [_ONEWAY.get(v.strip().lower()) for v in texts("oneway", "")]
    if None in oneway:
        bad = oneway.count(None)
        problems.append((f"oneway: {bad} 行的值无法识别", f"oneway: {bad} rows are not yes, no, 1, 0 or -1"))
    else:
        values["oneway"] = np.array(oneway, dtype=np.int8)
    for name in ("speed_kmh", "way"):
        if name in edges.columns:
            numbers = pd.to_numeric(edges[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            fits = numbers > 0 if name == "speed_kmh" else numbers == np.rint(numbers)
            bad = int((~(np.isfinite(numbers) & fits)).sum())
            if bad:
                what = ("缺失或不为正数", "not a number above 0") if name == "speed_kmh" else ("不是整数", "not whole")
                problems.append((f"{name}: {bad} 行{what[0]}", f"{name}: {bad} rows are {what[1]}"))
            elif name == "way":
                values[name] = edges[name].to_numpy(dtype=np.int64)
            else:
                values[name] = numbers
    _raise(problems, n)
    return values


def _raise(problems: list[tuple[str, str]], n: int) -> None:
    if problems:
        raise SchemaError(
            f"edges: 共 {n} 行, " + ";".join(p[0] for p in problems),
            f"edges: of {n} rows " + "; ".join(p[1] for p in problems),
        )


def _ends(row: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which vertices are the first or last of their road."""
    change = row[1:] != row[:-1]
    out: NDArray[np.bool_] = np.r_[True, change] | np.r_[change, True]
    return out


def _meet(
    xy: NDArray[np.float64], row: NDArray[np.int64], tolerance_m: float, *, split: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the place of each vertex that may be a junction, -1 for others, and coordinates moved to it."""
    node = np.full(len(row), -1, dtype=np.int64)
    may = np.ones(len(row), dtype=bool) if split else _ends(row)
    places, which = np.unique(xy[may] + 0.0, axis=0, return_inverse=True)
    which = which.ravel()
    if tolerance_m > 0:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
        from scipy.spatial import cKDTree

        near = cKDTree(places).query_pairs(tolerance_m, output_type="ndarray")
        n = len(places)
        matrix = coo_array((np.ones(len(near), dtype=np.int8), (near[:, 0], near[:, 1])), shape=(n, n))
        label = connected_components(matrix, directed=False)[1]
        # Places are sorted by x and y: the first of each cluster stands for it.
        which, places = label[which].astype(np.int64), places[np.unique(label, return_index=True)[1]]
    moved = xy.copy()
    moved[may] = places[which]
    node[may] = which
    return node, moved


def _cut(
    node: NDArray[np.int64], row: NDArray[np.int64], *, split: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last vertex of every edge."""
    stop = _ends(row)
    if split:
        stop = stop | (np.bincount(node)[node] > 1)
    at = np.flatnonzero(stop)
    inside = row[at[:-1]] == row[at[1:]]
    return at[:-1][inside], at[1:][inside]


def _assemble(
    crs: CRS,
    mode: str,
    xy: NDArray[np.float64],
    row: NDArray[np.int64],
    node: NDArray[np.int64],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    values: dict[str, NDArray[Any]],
    extent: Polygon | MultiPolygon | None,
    left_out: dict[str, int],
) -> Network:
    """Order nodes and edges and put the arrays together."""
    _, first, ends = np.unique(node[np.r_[start, end]], return_index=True, return_inverse=True)
    x, y = xy[np.r_[start, end]][first].T
    place = hilbert_order(x, y, np.lexsort((y, x)).argsort())
    rank = np.argsort(place)
    u, v = rank[ends.ravel()].reshape(2, -1)
    road = row[start]
    order = np.lexsort((start, values["way"][road], v, u))
    start, end, road, u, v = start[order], end[order], road[order], u[order], v[order]
    vertex_start = np.zeros(len(start) + 1, dtype=np.int64)
    np.cumsum(end - start + 1, out=vertex_start[1:])
    vertex = np.repeat(start - vertex_start[:-1], end - start + 1) + np.arange(vertex_start[-1])
    vx, vy = np.ascontiguousarray(xy[vertex].T)
    step = np.hypot(np.diff(vx, append=vx[-1:]), np.diff(vy, append=vy[-1:]))
    step[vertex_start[1:] - 1] = 0.0
    x, y = x[place], y[place]
    outside = outside_extent(x, y, extent)
    speed = values.get("speed_kmh")
    return Network(
        crs=crs,
        node_x=x,
        node_y=y,
        node_osmid=np.arange(1, len(x) + 1, dtype=np.int64),
        edge_u=u.astype(np.int32),
        edge_v=v.astype(np.int32),
        edge_length_m=np.add.reduceat(step, vertex_start[:-1]),
        edge_forward=values["oneway"][road] >= 0,
        edge_backward=values["oneway"][road] <= 0,
        edge_way=values["way"][road],
        edge_structure=np.array([STRUCTURES.index(s) for s in values["structure"][road]], dtype=np.uint8),
        edge_highway=values["highway"][road],
        edge_name=values["name"][road],
        edge_kind=values["kind"][road],
        vertex_start=vertex_start,
        vertex_x=vx,
        vertex_y=vy,
        node_frontier=outside,
        node_elevation_m=np.full(len(x), np.nan),
        left_out=left_out,
        mode=mode,
        edge_speed_kmh=None if speed is None else speed[road],
    )
