"""Geometry for the screen: Web Mercator metres, rounded, as flat arrays. For drawing only, never for measuring."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray
    from pyproj import CRS, Transformer

    from bishan_gis.output.maps.pack import Column

__all__ = ["line_columns", "point_columns", "polygon_columns", "to_mercator"]


@lru_cache(maxsize=8)
def _to_mercator(crs: str) -> Transformer:
    from pyproj import Transformer

    return Transformer.from_crs(crs, 3857, always_xy=True)


def to_mercator(x: ArrayLike, y: ArrayLike, crs: CRS | str) -> NDArray[np.float64]:
    """Return coordinates of `crs` as Web Mercator metres, shape (n, 2)."""
    name = crs if isinstance(crs, str) else crs.to_string()
    mx, my = _to_mercator(name).transform(np.asarray(x), np.asarray(y))
    return np.column_stack([mx, my]).astype(float).reshape(-1, 2)


def _quantise(xy: NDArray[np.float64], step: float) -> tuple[dict[str, float], NDArray[np.int64]]:
    origin = np.floor(xy.min(axis=0)) if len(xy) else np.zeros(2)
    geo = {"ox": float(origin[0]), "oy": float(origin[1]), "q": float(step)}
    return geo, np.rint((xy - origin) / step).astype(np.int64)


def _drop_repeats(path: NDArray[np.int64], xy: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Drop vertices that rounding put onto the one before, within one path."""
    keep = np.ones(len(path), dtype=bool)
    keep[1:] = (path[1:] != path[:-1]) | (xy[1:] != xy[:-1]).any(axis=1)
    return path[keep], xy[keep]


def point_columns(x: ArrayLike, y: ArrayLike, crs: CRS, *, step: float = 1.0) -> dict[str, Column]:
    """Return points as columns ``g, x, y``."""
    geo, xy = _quantise(to_mercator(x, y, crs), step)
    return {"g": ("js", geo), "x": ("dv", xy[:, 0]), "y": ("dv", xy[:, 1])}


def _columns(
    coords: NDArray[np.float64], path: NDArray[np.int64], n_paths: int, crs: CRS | str, step: float
) -> dict[str, Column]:
    geo, xy = _quantise(to_mercator(coords[:, 0], coords[:, 1], crs), step)
    path, xy = _drop_repeats(path, xy)
    size = np.bincount(path, minlength=n_paths)
    return {"g": ("js", geo), "n": ("vi", size), "x": ("dv", xy[:, 0]), "y": ("dv", xy[:, 1])}


def line_columns(
    lines: ArrayLike, crs: CRS, *, step: float = 1.0, simplify_m: float = 0.0
) -> tuple[dict[str, Column], NDArray[np.int64]]:
    """Return (multi)lines as columns ``g, n, x, y``, and which input each line came from.

    Parameters
    ----------
    lines : array_like of shapely geometry
        Lines in `crs`.
    crs : pyproj.CRS
        Working CRS [m].
    step : float
        Rounding [m of Web Mercator].
    simplify_m : float
        Largest shift a line may take [m].
    """
    parts, of = shapely.get_parts(np.asarray(lines, dtype=object), return_index=True)
    if simplify_m:
        parts = shapely.simplify(parts, simplify_m, preserve_topology=False)
    coords, path = shapely.get_coordinates(parts, return_index=True)
    return _columns(coords, path, len(parts), crs, step), of


def polygon_columns(
    polygons: gpd.GeoSeries | Any, crs: CRS | str, *, step: float = 1.0, simplify_m: float = 0.0
) -> dict[str, Column]:
    """Return (multi)polygons as columns ``g, n, x, y, r``; ``r`` counts the rings of each polygon.

    Rings are drawn with the even-odd rule, so holes need no mark of their own. The closing vertex is left out.
    """
    shapes = np.asarray(polygons, dtype=object)
    if simplify_m:
        shapes = shapely.simplify(shapes, simplify_m, preserve_topology=False)
    parts, of = shapely.get_parts(shapes, return_index=True)
    flat = shapely.get_type_id(parts) == 3
    parts, of = parts[flat], of[flat]
    rings, of_part = shapely.get_rings(parts, return_index=True)
    coords, path = shapely.get_coordinates(rings, return_index=True)
    last = np.ones(len(path), dtype=bool)
    last[:-1] = path[1:] != path[:-1]
    columns = _columns(coords[~last], path[~last], len(rings), crs, step)
    per_shape = np.bincount(of[of_part], minlength=len(shapes)) if len(rings) else np.zeros(len(shapes), int)
    columns["r"] = ("vi", per_shape)
    return columns
