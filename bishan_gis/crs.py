"""Coordinate reference systems: which one is meant, and whether it can be true.

Lengths and areas are computed in the working CRS of the study (metres); storage and web maps use
EPSG:4326. CGCS2000 and WGS84 are treated as equal (they differ by less than 1 m).
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError as ProjError
from pyproj.exceptions import ProjError as OperationError

from bishan_gis.errors import BishanGisWarning, CrsError

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "WGS84",
    "areas_km2",
    "check_metric",
    "check_study_crs",
    "datum_notes",
    "load_crs",
    "reproject",
    "to_lonlat",
    "to_working",
    "warn_stretched",
]

WGS84 = CRS.from_epsg(4326)
_MAX_SCALE_ERROR = 1e-3
#: Of a network alone a systematic stretch up to this is let pass: equal-area systems of whole countries have it.
_SAID_SCALE_ERROR = 1e-2


def load_crs(text: CRS | str | int, *, where: str = "crs") -> CRS:
    """Read a CRS from user text or a bare EPSG number; one that is read already stays as it is.

    Raises
    ------
    CrsError
        PROJ does not know it.
    """
    try:
        return CRS.from_user_input(text)
    except ProjError as err:
        raise CrsError(
            f"{where}: 无法识别坐标系 {text!r};请写成 EPSG:4544 这样的代码",
            f"{where}: unknown coordinate system {text!r}; write a code such as EPSG:4544",
        ) from err


def datum_notes(crs: CRS, x: float, y: float, *, where: str) -> list[tuple[str, str]]:
    """Say where PROJ does not know how a datum lies to WGS84 and takes them for the same.

    Parameters
    ----------
    crs : pyproj.CRS
        Of a layer or of the study.
    x, y : float
        A place in it, in its units: what PROJ knows depends on the region.
    where : str
        What the reader knows it as.

    Returns
    -------
    list of (zh, en)
        One note, or nothing: CGCS2000 is WGS84 to less than 1 m, whatever PROJ knows.

    Notes
    -----
    Xian 1980 (EPSG:4610, 2343, 2363 ...) has no published parameters, and Beijing 1954 has some for parts of the
    country only: PROJ then passes latitudes and longitudes on as they are ("ballpark"), of accuracy -1. Places are off
    by some tens of metres, in the west of the country by more than 100 m.

    Examples
    --------
    >>> [len(datum_notes(load_crs(f"EPSG:{n}"), 616_000, 3_270_000, where="a")) for n in (2343, 4544)]
    [1, 0]
    """
    ellipsoid = crs.ellipsoid
    if ellipsoid is None or abs(ellipsoid.semi_major_metre - 6_378_137.0) < 1:
        return []
    used = Transformer.from_crs(crs, WGS84, always_xy=True)
    used.transform(x, y)
    try:
        accuracy = used.get_last_used_operation().accuracy
    except OperationError:  # there is only one
        accuracy = used.accuracy
    if accuracy >= 0:
        return []
    return [
        (
            f"{where}: {crs.to_string()} ({crs.name}) 到 WGS84 没有已知的转换参数,按同一经纬度处理,位置可能偏差几十米到"
            "一百多米;请先由测绘单位转换为 CGCS2000",
            f"{where}: no parameters are known from {crs.to_string()} ({crs.name}) to WGS84; latitudes and longitudes "
            "are taken as they are, off by tens of metres to more than 100 m: have it converted to CGCS2000 first",
        )
    ]


def check_metric(frame: gpd.GeoDataFrame | gpd.GeoSeries, *, where: str) -> None:
    """Raise unless the frame is in a projected CRS with metres, other than Web Mercator.

    Raises
    ------
    CrsError
        No CRS, degrees, another unit, or EPSG:3857 (areas 32 % too large at 29.6 N).
    """
    crs = frame.crs
    if crs is None:
        raise CrsError(
            f"{where}: 数据没有坐标系;请在来源处声明 crs",
            f"{where}: the layer has no coordinate system; declare `crs` at its source",
        )
    _check_metric_crs(crs, where=where)


def _check_metric_crs(crs: CRS, *, where: str) -> None:
    if crs.is_geographic or crs.axis_info[0].unit_name != "metre":
        raise CrsError(
            f"{where}: 坐标系 {crs.to_string()} 不以米为单位;请改用高斯-克吕格等投影坐标系,例如 EPSG:4544",
            f"{where}: {crs.to_string()} is not in metres; use a projected system such as EPSG:4544",
        )
    if crs.to_epsg() == 3857:
        raise CrsError(
            f"{where}: EPSG:3857 (网络墨卡托) 会放大距离和面积,不能用于计算",
            f"{where}: EPSG:3857 (Web Mercator) stretches distances and areas; do not compute in it",
        )


def check_study_crs(crs: CRS, lonlat_bounds: tuple[float, float, float, float], *, where: str) -> None:
    """Raise when a working CRS is not metric, or is stretched where the study lies.

    Parameters
    ----------
    crs : pyproj.CRS
        The working CRS.
    lonlat_bounds : tuple of float
        West, south, east, north of the study [degrees].
    where : str
        The setting to name in the message.

    Raises
    ------
    CrsError
        Not in metres, or a metre on the map is off by more than 0.1 % on the ground.
    """
    _check_metric_crs(crs, where=where)
    west, south, east, north = lonlat_bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    scale = _scale(crs, lon, lat)
    if abs(scale - 1) > _MAX_SCALE_ERROR:
        raise CrsError(
            f"{where}: {crs.to_string()} 在研究区 ({lon:.2f}E, {lat:.2f}N) 长度变形 {abs(scale - 1):.2%},"
            "不适用;请选中央经线靠近研究区的 3 度带 (重庆 EPSG:4544)",
            f"{where}: {crs.to_string()} stretches lengths by {abs(scale - 1):.2%} at {lon:.2f}E {lat:.2f}N; "
            "choose a zone whose central meridian is near the study (Chongqing: EPSG:4544)",
        )


def warn_stretched(crs: CRS, x: NDArray[np.float64], y: NDArray[np.float64], *, where: str) -> None:
    """Warn when a metre of a CRS is off by more than 1 % in the middle of some places, as in the zone of elsewhere.

    Parameters
    ----------
    crs : pyproj.CRS
        The working CRS, metric.
    x, y : ndarray of float64
        Places in it [m].
    where : str
        What the reader knows the CRS as.

    Warns
    -----
    BishanGisWarning
        The CRS was made for somewhere else. A local system, of which PROJ does not know where it lies, passes.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     warn_stretched(load_crs("EPSG:4544"), np.array([616_000.0]), np.array([3_270_000.0]), where="crs")
    >>> len(said)
    0
    """
    try:
        lon, lat = to_lonlat(np.mean(x), np.mean(y), crs)
        if not (np.isfinite(lon) and np.isfinite(lat)):
            return
        scale = _scale(crs, float(lon), float(lat))
    except (ProjError, OperationError):
        return
    if abs(scale - 1) > _SAID_SCALE_ERROR:
        warnings.warn(
            BishanGisWarning(
                f"{where}: {crs.to_string()} 在数据所在处 ({lon:.2f}E, {lat:.2f}N) 长度变形 {abs(scale - 1):.1%}"
                ",时间和面积随之有误;请选覆盖该处的坐标系",
                f"{where}: {crs.to_string()} stretches lengths by {abs(scale - 1):.1%} where the data lies "
                f"({lon:.2f}E, {lat:.2f}N), and times and areas with them; choose a system made for that place",
            ),
            stacklevel=3,
        )


def _scale(crs: CRS, lon: float, lat: float) -> float:
    """Return the metres of a CRS for one on the ground, northward; infinite where it does not reach."""
    d = 0.01
    x, y = to_working([lon, lon, lon], [lat - d, lat + d, lat], crs)
    if not np.all(np.isfinite([*x, *y])):
        return np.inf
    from pyproj import Geod

    _, _, ground = Geod(ellps="WGS84").inv(lon, lat - d, lon, lat + d)
    return float(np.hypot(x[1] - x[0], y[1] - y[0]) / ground)


@lru_cache(maxsize=16)
def _transformer(source: CRS, target: CRS) -> Transformer:
    pipeline = _plain_pipeline(source, target)
    if pipeline is not None:
        return Transformer.from_pipeline(pipeline)
    return Transformer.from_crs(source, target, always_xy=True)


def _plain_pipeline(source: CRS, target: CRS) -> str | None:
    """Return the steps between WGS84 and a projection of WGS84 or CGCS2000; None: PROJ has to choose.

    PROJ looks through its whole database for other ways (0.1 s) and then takes these steps, to the bit.
    """
    plane = target if source == WGS84 else source if target == WGS84 else None
    how = plane.coordinate_operation if plane is not None else None
    if plane is None or how is None or plane.geodetic_crs is None or plane.geodetic_crs.datum is None:
        return None
    same = ("China 2000", "World Geodetic System 1984", "World Geodetic System 1984 ensemble")
    head, *steps = how.to_proj4().split(" +step ")
    swap, radians = "+proj=axisswap +order=2,1", "+proj=unitconvert +xy_in=deg +xy_out=rad"
    # Axes are east and north on both sides, whatever their order is by the book.
    if steps[3:] in ([], [swap]) and steps[:2] == [swap, radians] and plane.geodetic_crs.datum.name in same:
        if plane is target:
            return f"{head} +step {radians} +step {steps[2]}"
        return f"{head} +step +inv {steps[2]} +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    return None


def reproject(shapes: gpd.GeoSeries, crs: CRS) -> gpd.GeoSeries:
    """Return shapes in another CRS: what ``to_crs`` gives, without its search between WGS84 and a projection of it.

    Parameters
    ----------
    shapes : geopandas.GeoSeries
        In any CRS.
    crs : pyproj.CRS
        The other one.

    Returns
    -------
    geopandas.GeoSeries
        With the same index.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> town = gpd.GeoSeries([shapely.Point(106.2, 29.6)], crs=WGS84)
    >>> plane = load_crs("EPSG:4544")
    >>> bool(reproject(town, plane).geom_equals(town.to_crs(plane)).all())
    True
    """
    import shapely

    data = shapes.to_numpy()
    if shapes.crs is None or shapes.crs == crs or _plain_pipeline(shapes.crs, crs) is None or shapely.has_z(data).any():
        return shapes.to_crs(crs)
    use = _transformer(shapes.crs, crs)
    moved = shapely.transform(data, lambda xy: np.stack(use.transform(xy[:, 0], xy[:, 1]), axis=1))
    return type(shapes)(moved, index=shapes.index, crs=crs, name=shapes.name)


def to_working(lon: ArrayLike, lat: ArrayLike, crs: CRS) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project longitude and latitude [degrees, WGS84] to the working CRS [m]."""
    x, y = _transformer(WGS84, crs).transform(np.asarray(lon), np.asarray(lat))
    return np.asarray(x, dtype=float), np.asarray(y, dtype=float)


def to_lonlat(x: ArrayLike, y: ArrayLike, crs: CRS) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unproject working coordinates [m] to longitude and latitude [degrees, WGS84]."""
    lon, lat = _transformer(crs, WGS84).transform(np.asarray(x), np.asarray(y))
    return np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)


def areas_km2(frame: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return the area of each shape on the ellipsoid [km2]; a plane CRS is off by up to 0.1 % away from its axis.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        Areas, in any CRS.

    Returns
    -------
    numpy.ndarray
        One area per row [km2].
    """
    return np.asarray(frame.geometry.to_crs(6933).area.to_numpy(float) / 1e6)
