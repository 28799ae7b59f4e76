"""Datums of Chinese map services: GCJ-02 and BD-09, to WGS84 and back, offline.

Online maps in China shift every coordinate by a few hundred metres: GCJ-02 (Gaode, Tencent)
and BD-09 (Baidu) once more on top of it. CGCS2000, the national datum, is treated as equal to WGS84: they differ by
less than 1 m, and by centimetres where the data was not surveyed.

The formulas are public (for instance github.com/reesun1130/WGS84TOGCJ02 and the package gcj-tool [S]); they were never
published officially, and agree with what the services draw to about a metre. Neither shift is defined outside a
rectangle around China (72.004 - 137.8347 E, 0.8293 - 55.8271 N): coordinates there are returned unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from bishan_gis.errors import CrsError

if TYPE_CHECKING:
    from collections.abc import Callable

    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray

    Pair = tuple[NDArray[np.float64], NDArray[np.float64]]

__all__ = ["DATUMS", "Datum", "datum_label", "find_datum", "frame_to_wgs84", "from_wgs84", "in_china", "to_wgs84"]

Datum = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]
#: Datums that a source may declare.
DATUMS: tuple[str, ...] = get_args(Datum)
_LABELS = {"wgs84": "WGS84", "cgcs2000": "CGCS2000", "gcj02": "GCJ-02", "bd09": "BD-09"}
_ALSO = {"epsg4326": "wgs84", "epsg4490": "cgcs2000", "国家2000": "cgcs2000", "火星坐标": "gcj02", "火星": "gcj02"}
_ALSO |= {"高德": "gcj02", "腾讯": "gcj02", "百度": "bd09", "bd09ll": "bd09", "gcj": "gcj02", "wgs": "wgs84"}

_A, _EE = 6378245.0, 0.00669342162296594323  # Krasovsky 1940
_TURN = np.pi * 3000.0 / 180.0
_BD_LON, _BD_LAT = 0.0065, 0.006
_TOLERANCE_DEG = 5e-11  # 0.006 mm
_MAX_STEPS = 30


def datum_label(datum: str) -> str:
    """Return the name of a datum as people write it.

    Examples
    --------
    >>> datum_label("gcj02")
    'GCJ-02'
    """
    return _LABELS.get(datum, datum)


def find_datum(text: str) -> Datum | None:
    """Return the datum that a text names, however it is written; None where it names none.

    Examples
    --------
    >>> find_datum("GCJ-02"), find_datum("火星坐标"), find_datum("WGS 84"), find_datum("")
    ('gcj02', 'gcj02', 'wgs84', None)
    """
    key = "".join(c for c in text.casefold() if c.isalnum())
    for datum in get_args(Datum):
        if key == datum or _ALSO.get(key) == datum:
            return datum  # type: ignore[no-any-return]
    return None


def in_china(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Tell where the shifts are defined: inside the customary rectangle around China."""
    x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    return (x >= 72.004) & (x <= 137.8347) & (y >= 0.8293) & (y <= 55.8271)


def from_wgs84(lon: ArrayLike, lat: ArrayLike, datum: str) -> Pair:
    """Shift WGS84 coordinates to another datum.

    Parameters
    ----------
    lon, lat : array_like
        Longitude and latitude [degrees, WGS84]. NaN stays NaN.
    datum : {"wgs84", "cgcs2000", "gcj02", "bd09"}
        The datum to go to.

    Returns
    -------
    lon, lat : ndarray of float64
        In that datum [degrees]; unchanged outside China.

    Raises
    ------
    CrsError
        The datum is unknown.

    Examples
    --------
    >>> lon, lat = from_wgs84(104.0, 30.5, "gcj02")
    >>> round(float(lon), 4), round(float(lat), 4)
    (104.0023, 30.4974)
    """
    return _apply(_forward(datum), lon, lat)


def to_wgs84(lon: ArrayLike, lat: ArrayLike, datum: str) -> Pair:
    """Bring coordinates of another datum back to WGS84.

    Parameters
    ----------
    lon, lat : array_like
        Longitude and latitude in `datum` [degrees]. NaN stays NaN.
    datum : {"wgs84", "cgcs2000", "gcj02", "bd09"}
        The datum they are in.

    Returns
    -------
    lon, lat : ndarray of float64
        WGS84 [degrees]; unchanged outside China.

    Raises
    ------
    CrsError
        The datum is unknown.

    Notes
    -----
    The shift changes so slowly that w <- g - shift(w), begun at w = g, gains two digits a step (three steps for
    GCJ-02, five for BD-09); it is repeated until nothing moves by 0.01 mm.

    Examples
    --------
    >>> lon, lat = to_wgs84(*from_wgs84(104.0, 30.5, "bd09"), "bd09")
    >>> round(float(lon), 9), round(float(lat), 9)
    (104.0, 30.5)
    """
    forward = _forward(datum)
    if forward is None:
        return _apply(None, lon, lat)

    def back(x: NDArray[np.float64], y: NDArray[np.float64]) -> Pair:
        w, v = x.copy(), y.copy()
        for _ in range(_MAX_STEPS):
            gx, gy = forward(w, v)
            dx, dy = x - gx, y - gy
            w, v = w + dx, v + dy
            if not len(w) or max(np.abs(dx).max(), np.abs(dy).max()) < _TOLERANCE_DEG:
                break
        return w, v

    return _apply(back, lon, lat)


def frame_to_wgs84(frame: gpd.GeoDataFrame, datum: str | None) -> gpd.GeoDataFrame:
    """Bring a whole layer in degrees from a datum to WGS84, vertex by vertex.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        In EPSG:4326 by name, in `datum` in fact. Points, lines or areas.
    datum : {"wgs84", "cgcs2000", "gcj02", "bd09"} or None
        None, WGS84 and CGCS2000 change nothing.

    Returns
    -------
    geopandas.GeoDataFrame
        A new frame; ``attrs`` are kept.

    Raises
    ------
    CrsError
        The datum is unknown, or the layer is not in degrees.
    """
    if datum is None or _forward(datum) is None:
        return frame.copy()
    if frame.crs is None or not frame.crs.is_geographic:
        name = datum_label(datum)
        raise CrsError(
            f"只有经纬度数据可以由 {name} 换算,请先转为 EPSG:4326",
            f"only data in degrees can be brought from {name}: convert it to EPSG:4326 first",
        )
    import shapely

    def convert(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(to_wgs84(points[:, 0], points[:, 1], datum))

    moved = shapely.transform(frame.geometry.to_numpy(), convert)
    return frame.set_geometry(moved, crs=frame.crs)


def _forward(datum: str) -> Callable[[NDArray[np.float64], NDArray[np.float64]], Pair] | None:
    if datum in ("wgs84", "cgcs2000"):
        return None
    if datum == "gcj02":
        return _gcj02
    if datum == "bd09":
        return _bd09
    known = ", ".join(DATUMS)
    raise CrsError(f"未知的基准 {datum!r};可用: {known}", f"unknown datum {datum!r}; known: {known}")


def _apply(
    function: Callable[[NDArray[np.float64], NDArray[np.float64]], Pair] | None, lon: ArrayLike, lat: ArrayLike
) -> Pair:
    """Call a function on the coordinates that lie in China, flat; leave the others as they are."""
    given_x, given_y = np.broadcast_arrays(np.asarray(lon, dtype=float), np.asarray(lat, dtype=float))
    x, y = given_x.copy(), given_y.copy()
    if function is not None:
        inside = in_china(x, y)
        if inside.any():
            x[inside], y[inside] = function(x[inside], y[inside])
    return x, y


def _gcj02(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Pair:
    """Add the shift of GCJ-02: polynomials and sines [m] at (lon - 105, lat - 35), turned into degrees."""
    x, y = lon - 105.0, lat - 35.0
    pi = np.pi
    both = 20.0 * np.sin(6.0 * pi * x) + 20.0 * np.sin(2.0 * pi * x)
    north = 20.0 * np.sin(pi * y) + 40.0 * np.sin(pi * y / 3.0)
    north += 160.0 * np.sin(pi * y / 12.0) + 320.0 * np.sin(pi * y / 30.0)
    east = 20.0 * np.sin(pi * x) + 40.0 * np.sin(pi * x / 3.0)
    east += 150.0 * np.sin(pi * x / 12.0) + 300.0 * np.sin(pi * x / 30.0)
    root = np.sqrt(np.abs(x))
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + (both + north) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + (both + east) * 2.0 / 3.0
    phi = np.radians(lat)
    w = 1.0 - _EE * np.sin(phi) ** 2
    meridian = _A * (1.0 - _EE) / (w * np.sqrt(w))
    parallel = _A / np.sqrt(w) * np.cos(phi)
    return lon + np.degrees(east_m / parallel), lat + np.degrees(north_m / meridian)


def _bd09(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Pair:
    """Add the shift of BD-09: that of GCJ-02, a ripple in radius and angle, and a constant."""
    x, y = _gcj02(lon, lat)
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * _TURN)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _TURN)
    return radius * np.cos(angle) + _BD_LON, radius * np.sin(angle) + _BD_LAT
