"""Travel times as GeoTIFF, for every desktop GIS."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.access.time_grid import FAR
from bishan_gis.crs import load_crs
from bishan_gis.errors import InputError, OutputError, SchemaError
from bishan_gis.output.files import Staging, check_ending
from bishan_gis.schema import KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyproj import CRS

    from bishan_gis.access.time_grid import TimeGrid

__all__ = ["OSM_ATTRIBUTION", "write_time_raster"]

#: What ODbL asks for wherever OSM data is shown or passed on.
OSM_ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0, https://www.openstreetmap.org/copyright"
#: Value of cells that no time is known for.
NODATA = -9999.0


def write_time_raster(
    path: str | Path,
    grid: TimeGrid,
    seconds: NDArray[np.float32],
    crs: CRS | str | int,
    *,
    kind: str,
    profile: str = "",
    cutoff_s: float | None = None,
    source: str = OSM_ATTRIBUTION,
) -> Path:
    """Write a travel-time surface as GeoTIFF, whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, ending in ``.tif``; the folder is made where it is missing.
    grid : TimeGrid
        The grid.
    seconds : ndarray of float32
        Time at every grid point [s], as :func:`~bishan_gis.access.time_grid.time_surface` and
        :func:`~bishan_gis.access.time_surface.travel_time_surface` return it.
    crs : pyproj.CRS, str or int
        CRS of the grid (``network.crs``).
    kind : str
        What the times rest on: ``observed``, ``derived``, ``assumed`` or ``synthetic``.
    profile : str
        Name of the speed profile.
    cutoff_s : float, optional
        Longer times become nodata [s].
    source : str
        Whose data it is; written into the file.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SchemaError
        `seconds` does not cover the grid.
    InputError
        The name does not end in ``.tif``, there is no such `kind`, or `grid` is none.
    CrsError
        There is no such CRS.
    OutputError
        The file cannot be written; what stood there before still stands.

    Notes
    -----
    One band, float32 seconds, nodata -9999, tiled, deflated, north up: a cell is a square of the grid's spacing around
    its grid point. Tags: ``KIND, PROFILE, CUTOFF_S, ATTRIBUTION``. Cells farther from a street than the grid's
    off-network distance, not reached or beyond the cutoff are nodata.

    Examples
    --------
    >>> import tempfile
    >>> from pyproj import CRS
    >>> from bishan_gis.access.time_grid import TimeGrid
    >>> near = np.zeros((3, 4), dtype=np.float32)
    >>> grid = TimeGrid(600_000.0, 3_270_000.0, 10.0, near.astype(np.int32), near, near, 25.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "time.tif"
    ...     write_time_raster(path, grid, near + 60, CRS.from_epsg(4544), kind="synthetic").name
    'time.tif'
    """
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.transform import from_origin

    target = Path(path)
    check_ending(target, (".tif", ".tiff"), "GeoTIFF")
    if kind not in KINDS:
        there = ", ".join(KINDS)
        raise InputError(f"kind = {kind!r} 无效;可用: {there}", f"kind = {kind!r}: there are {there}")
    if not hasattr(grid, "edge") or not hasattr(seconds, "shape"):
        zh = "grid, seconds: 须依次为 travel_time_surface 返回的两项"
        raise InputError(zh, "grid, seconds: must be the two things that travel_time_surface returns, in that order")
    system = load_crs(crs)
    if seconds.shape != grid.edge.shape:
        raise SchemaError(
            f"seconds: 形状 {seconds.shape} 与格网 {grid.edge.shape} 不符;请传入整个格网的时间",
            f"seconds: shape {seconds.shape} is not that of the grid {grid.edge.shape}; pass the whole surface",
        )
    known = (seconds < FAR) & (grid.leg_m <= grid.off_network_m)
    if cutoff_s is not None:
        known &= seconds <= cutoff_s
    values = np.where(known, seconds, NODATA).astype(np.float32)[::-1]
    rows, cols = values.shape
    half = grid.step_m / 2
    north = grid.y0 + (rows - 1) * grid.step_m + half
    tags = {"KIND": kind, "PROFILE": profile, "ATTRIBUTION": source}
    if cutoff_s is not None:
        tags["CUTOFF_S"] = f"{cutoff_s:g}"
    try:
        with Staging({"raster": target.parent}) as out, warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)  # of affine, inside rasterio
            with rasterio.open(
                out.path("raster", target.name),
                "w",
                driver="GTiff",
                width=cols,
                height=rows,
                count=1,
                dtype="float32",
                nodata=NODATA,
                crs=rasterio.crs.CRS.from_wkt(system.to_wkt()),
                transform=from_origin(grid.x0 - half, north, grid.step_m, grid.step_m),
                compress="deflate",
                predictor=3,
                tiled=True,
                blockxsize=256,
                blockysize=256,
                bigtiff="if_safer",
            ) as raster:
                raster.write(values, 1)
                raster.set_band_description(1, "travel time [s]")
                raster.update_tags(**tags)
                raster.update_tags(1, units="s")
            out.commit()
    except RasterioError as err:
        raise OutputError(
            f"无法写入 {target}: {err};请检查磁盘空间和权限",
            f"cannot write {target}: {err}; check free space and permissions",
        ) from err
    return target
