"""Cut rasters to a study: pixels are taken as they are, never blended."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bishan_gis.errors import BrokenFileError, NoDataError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["cut_rasters"]


def cut_rasters(sources: Sequence[Path], target: Path, area: BaseGeometry) -> tuple[int, int]:
    """Write the part of one or more rasters that holds an area.

    Parameters
    ----------
    sources : sequence of pathlib.Path
        Rasters of one band, in the same coordinate system; the first one's grid is kept.
    target : pathlib.Path
        The GeoTIFF to write.
    area : shapely geometry
        What is wanted [degrees, WGS84].

    Returns
    -------
    int, int
        Rows and columns written.

    Raises
    ------
    BrokenFileError
        A raster cannot be read, or says not where it lies.
    NoDataError
        None of them holds a value near the area.
    """
    import numpy as np
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.merge import merge
    from rasterio.warp import transform_bounds

    opened: list[Any] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            warnings.simplefilter("ignore", PendingDeprecationWarning)  # of affine, inside rasterio
            for source in sources:
                opened.append(rasterio.open(source, driver="GTiff"))
                if opened[-1].crs is None or opened[-1].transform.is_identity:
                    raise BrokenFileError(
                        f"{source.name}: 栅格没有坐标系", f"{source.name}: the raster does not say where it lies"
                    )
            first = opened[0]
            bounds = transform_bounds("EPSG:4326", first.crs, *area.bounds)
            box = _snap(bounds, first.transform)
            touching = [r for r in opened if _touch(r.bounds, box)]
            if not touching:
                raise _nothing(sources[0])
            whole = _within(box, touching)
            values, transform = merge(touching, bounds=whole, res=first.res, nodata=first.nodata)
            band = values[0]
            empty = ~np.isfinite(band) if first.nodata is None else ~np.isfinite(band) | (band == first.nodata)
            if empty.all():
                raise _nothing(sources[0])
            profile = {
                "driver": "GTiff",
                "height": band.shape[0],
                "width": band.shape[1],
                "count": 1,
                "dtype": band.dtype,
                "crs": first.crs,
                "transform": transform,
                "nodata": first.nodata,
                "compress": "deflate",
                "predictor": 3 if band.dtype.kind == "f" else 2,
            }
            with rasterio.open(target, "w", **profile) as out:
                out.write(band, 1)
    except (RasterioError, OSError) as err:
        if isinstance(err, BrokenFileError):
            raise
        said = " ".join(str(err).split())[:200]
        names = ", ".join(p.name for p in sources)
        raise BrokenFileError(
            f"{names}: 无法作为栅格读取 ({said});请删除缓存后重新获取",
            f"{names}: cannot be read as a raster ({said}); delete the cache and fetch again",
        ) from err
    finally:
        for raster in opened:
            raster.close()
    return int(band.shape[0]), int(band.shape[1])


def _nothing(source: Path) -> NoDataError:
    return NoDataError(f"{source.name}: 不覆盖研究区", f"{source.name}: does not cover the study area")


def _snap(bounds: Sequence[float], transform: Any) -> tuple[float, float, float, float]:
    """Widen bounds to whole pixels, and one more on each side."""
    west, south, east, north = bounds
    a, e, c, f = transform.a, transform.e, transform.c, transform.f
    left, right = math.floor((west - c) / a) - 1, math.ceil((east - c) / a) + 1
    top, bottom = math.floor((north - f) / e) - 1, math.ceil((south - f) / e) + 1
    return c + left * a, f + bottom * e, c + right * a, f + top * e


def _touch(one: Any, box: Sequence[float]) -> bool:
    return bool(one.left < box[2] and one.right > box[0] and one.bottom < box[3] and one.top > box[1])


def _within(box: Sequence[float], rasters: Sequence[Any]) -> tuple[float, float, float, float]:
    """Return the part of a box that rasters hold; all lie on one grid, so it ends at whole pixels again."""
    west = max(box[0], min(r.bounds.left for r in rasters))
    south = max(box[1], min(r.bounds.bottom for r in rasters))
    east = min(box[2], max(r.bounds.right for r in rasters))
    north = min(box[3], max(r.bounds.top for r in rasters))
    return west, south, east, north
