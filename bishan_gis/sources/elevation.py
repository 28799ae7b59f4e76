"""Elevation rasters, sampled at points."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.crs import WGS84
from bishan_gis.errors import BrokenFileError, CrsError, NoDataError
from bishan_gis.sources.bounds import check_bounds
from bishan_gis.sources.safety import check_raster_file, open_raster
from bishan_gis.sources.tables import check_file

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from pyproj import CRS

__all__ = ["Elevation", "describe_raster", "load_elevation", "sample_elevation"]


@dataclass(frozen=True, eq=False)
class Elevation:
    """A grid of heights.

    Attributes
    ----------
    values : ndarray of float64, shape (rows, columns)
        Heights [m], NaN where unknown.
    transform : tuple of float
        Affine coefficients a, b, c, d, e, f from (column, row) to `crs`.
    crs : pyproj.CRS
        Coordinate system of the grid.
    """

    values: NDArray[np.float64]
    transform: tuple[float, ...]
    crs: CRS


def load_elevation(
    path: str | Path, *, bounds: tuple[float, float, float, float] | None = None, where: str | None = None
) -> Elevation:
    """Read a raster of heights.

    Parameters
    ----------
    path : str or pathlib.Path
        Any raster GDAL reads; the first band is used.
    bounds : tuple of float, optional
        West, south, east, north [degrees, WGS84]: only this part is read, with two pixels around it.
    where : str, optional
        What messages call the input; default the path.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, is empty, or is no raster.
    CrsError
        No coordinate system, or an extent that cannot be in it.
    NoDataError
        It has no height in `bounds`.
    """
    import pyproj
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    name = where or str(path)
    check_file(Path(path))
    check_raster_file(Path(path), where=name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            warnings.simplefilter("ignore", PendingDeprecationWarning)  # of affine, inside rasterio
            with open_raster(Path(path)) as raster:
                if raster.crs is None or raster.transform.is_identity:
                    raise CrsError(
                        f"{name}: 栅格没有坐标系或定位信息;请用 gdal_translate 写入",
                        f"{name}: the raster has no coordinate system or no position; write them with gdal_translate",
                    )
                crs = pyproj.CRS.from_wkt(raster.crs.to_wkt())
                check_bounds(tuple(raster.bounds), crs, where=name)
                window = _window(raster, crs, bounds, name)
                band = raster.read(1, window=window, masked=True)
                transform = tuple(raster.window_transform(window))[:6]
    except (RasterioError, OSError) as err:
        if isinstance(err, BrokenFileError):
            raise
        said = " ".join(str(err).split())
        raise BrokenFileError(
            f"{name}: 无法作为栅格读取 ({said})", f"{name}: cannot be read as a raster ({said})"
        ) from err
    values = np.ma.filled(band.astype(np.float64), np.nan)
    values[~np.isfinite(values)] = np.nan
    if np.isnan(values).all():
        raise _nothing(name)
    return Elevation(values=values, transform=transform, crs=crs)


def _nothing(name: str) -> NoDataError:
    return NoDataError(f"{name}: 研究区内没有高程值", f"{name}: no height within the study area")


def _window(raster: object, crs: CRS, bounds: tuple[float, float, float, float] | None, name: str) -> object:
    from pyproj import Transformer
    from rasterio.windows import Window

    width, height = raster.width, raster.height  # type: ignore[attr-defined]
    if bounds is None:
        return Window(0, 0, width, height)
    lon = np.linspace(bounds[0], bounds[2], 20)
    lat = np.linspace(bounds[1], bounds[3], 20)
    grid = np.meshgrid(lon, lat)
    x, y = Transformer.from_crs(WGS84, crs, always_xy=True).transform(grid[0].ravel(), grid[1].ravel())
    affine = tuple(raster.transform)[:6]  # type: ignore[attr-defined]
    column, row = _to_pixel(affine, np.asarray(x), np.asarray(y))
    ok = np.isfinite(column) & np.isfinite(row)
    if not ok.any():
        raise _nothing(name)
    left, right = max(int(column[ok].min()) - 2, 0), min(int(column[ok].max()) + 3, width)
    top, bottom = max(int(row[ok].min()) - 2, 0), min(int(row[ok].max()) + 3, height)
    if left >= right or top >= bottom:
        raise _nothing(name)
    return Window(left, top, right - left, bottom - top)


def sample_elevation(source: Elevation | str | Path, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float64]:
    """Height at points, bilinear between the four pixel centres around each.

    Parameters
    ----------
    source : Elevation or path
        The raster; a path is read where the points lie.
    lon, lat : array_like
        Points [degrees, WGS84].

    Returns
    -------
    ndarray of float64
        Heights [m]. NaN outside the raster, and where one of the pixels that count is unknown. In the outer
        half of the border pixels, where there are no four centres, the border's own value holds on.

    Raises
    ------
    NoDataError
        A path was given and no point lies where the raster has heights.
    """
    from pyproj import Transformer

    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    out = np.full(lon.shape, np.nan)
    ok = np.isfinite(lon) & np.isfinite(lat)
    if not ok.any():
        return out
    if not isinstance(source, Elevation):
        bounds = (float(lon[ok].min()), float(lat[ok].min()), float(lon[ok].max()), float(lat[ok].max()))
        source = load_elevation(source, bounds=bounds)
    x, y = Transformer.from_crs(WGS84, source.crs, always_xy=True).transform(lon[ok], lat[ok])
    column, row = _to_pixel(source.transform, np.asarray(x), np.asarray(y))
    rows, columns = source.values.shape
    eps = 1e-9
    inside = (column >= -eps) & (column <= columns + eps) & (row >= -eps) & (row <= rows + eps)
    at_column = np.clip(np.where(inside, column, 0) - 0.5, 0, columns - 1)
    at_row = np.clip(np.where(inside, row, 0) - 0.5, 0, rows - 1)
    c0, r0 = np.floor(at_column).astype(int), np.floor(at_row).astype(int)
    c1, r1 = np.minimum(c0 + 1, columns - 1), np.minimum(r0 + 1, rows - 1)
    right, down = at_column - c0, at_row - r0
    value = np.zeros(len(c0))
    for r, c, share in (
        (r0, c0, (1 - down) * (1 - right)),
        (r0, c1, (1 - down) * right),
        (r1, c0, down * (1 - right)),
        (r1, c1, down * right),
    ):
        value += np.where(share > eps, source.values[r, c], 0.0) * share
    out[ok] = np.where(inside, value, np.nan)
    return out


def _to_pixel(
    transform: tuple[float, ...], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b, c, d, e, f = transform
    det = a * e - b * d
    return (e * (x - c) - b * (y - f)) / det, (a * (y - f) - d * (x - c)) / det


def describe_raster(path: str | Path) -> dict[str, object]:
    """Say what a raster holds: size, CRS, bounds, and the range of its first band.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, is empty, or is no raster.
    NoDataError
        The raster holds no value.
    """
    grid = load_elevation(path)
    rows, columns = grid.values.shape
    a, b, c, d, e, f = grid.transform
    xs = [c + a * i + b * j for i in (0, columns) for j in (0, rows)]
    ys = [f + d * i + e * j for i in (0, columns) for j in (0, rows)]
    return {
        "rows": rows,
        "columns": columns,
        "crs": grid.crs.to_string() if grid.crs.to_epsg() is None else f"EPSG:{grid.crs.to_epsg()}",
        "bounds": [round(v, 6) for v in (min(xs), min(ys), max(xs), max(ys))],
        "min": float(np.nanmin(grid.values)),
        "max": float(np.nanmax(grid.values)),
        "unknown_cells": int(np.isnan(grid.values).sum()),
    }
