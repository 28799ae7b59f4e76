"""Whether coordinates can be in the coordinate system that is claimed for them, and lie where the study is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.crs import WGS84, load_crs
from bishan_gis.errors import CrsError, NoDataError

if TYPE_CHECKING:
    import geopandas as gpd
    from pyproj import CRS

__all__ = ["check_bounds", "check_layer_place", "check_overlap"]

_AREA_MARGIN_DEG = 5.0
_CGCS2000_3DEG = range(4513, 4534)  # EPSG codes with the zone number (25 to 45) in the easting
_TWIN = 21  # EPSG:4534 to 4554 are the same zones without it
_CGCS2000_6DEG = range(4491, 4502)  # zones 13 to 23 of 6 degrees, zone number in the easting
_CGCS2000_PLAIN = (*range(4502, 4513), *range(4534, 4555))  # 6 and 3 degrees, without it


def check_bounds(bounds: tuple[float, ...], crs: CRS, *, where: str) -> None:
    """Raise when coordinates cannot be in the coordinate system that is claimed for them.

    Parameters
    ----------
    bounds : tuple of float
        West, south, east, north in `crs`.
    crs : pyproj.CRS
        The claimed coordinate system.
    where : str
        What messages call the input.

    Raises
    ------
    CrsError
        Degrees called metres, metres called degrees, a zone number too many or too few in the easting
        (EPSG:4523 and EPSG:4544), swapped axes, or simply out of the area of the system.
    """
    if _possible(bounds, crs):
        return
    west, south, east, north = bounds
    hint = _crs_hint(bounds, crs) or ("请核对坐标系", "check the coordinate system")
    span = f"x {west:,.6g} - {east:,.6g}, y {south:,.6g} - {north:,.6g}"
    raise CrsError(
        f"{where}: 坐标 ({span}) 不可能是 {crs.to_string()}: {hint[0]}",
        f"{where}: coordinates ({span}) cannot be {crs.to_string()}: {hint[1]}",
    )


def _possible(bounds: tuple[float, ...], crs: CRS) -> bool:
    west, south, east, north = bounds
    if crs.is_geographic:
        return -180.001 <= west <= east <= 180.001 and -90.001 <= south <= north <= 90.001
    area = crs.area_of_use
    if area is None:
        return not (abs(west) <= 180 and abs(east) <= 180 and abs(south) <= 90 and abs(north) <= 90)
    from pyproj import Transformer

    middle = ((west + east) / 2, (south + north) / 2)
    lon, lat = Transformer.from_crs(crs, WGS84, always_xy=True).transform(*middle)
    d = _AREA_MARGIN_DEG
    inside = area.west - d <= lon <= area.east + d or area.west > area.east
    return bool(np.isfinite([lon, lat]).all() and inside and area.south - d <= lat <= area.north + d)


def _crs_hint(bounds: tuple[float, ...], crs: CRS) -> tuple[str, str] | None:
    west, south, east, north = bounds
    if _possible((south, west, north, east), crs):
        return "x 与 y 颠倒了 (先北后东),请交换", "x and y are swapped (northing first); swap them"
    code = crs.to_epsg() or 0
    zone = int(west // 1e6)
    if crs.is_geographic:
        if 25 <= zone <= 45:
            epsg = _CGCS2000_3DEG.start + zone - 25
            text = f"EPSG:{epsg}"
            return f"这是米,东距带号 {zone},应为 {text}", f"these are metres with zone number {zone}: {text}"
        if 13 <= zone <= 23:
            text = f"EPSG:{_CGCS2000_6DEG.start + zone - 13}"
            return f"这是米,6 度带带号 {zone},应为 {text}", f"these are metres with 6-degree zone number {zone}: {text}"
        return (
            "这是米而不是度;请写明投影坐标系,例如 EPSG:4544",
            "these are metres, not degrees; declare the projected system, e.g. EPSG:4544",
        )
    if abs(west) <= 180 and abs(east) <= 180 and abs(south) <= 90 and abs(north) <= 90:
        return (
            "这是度而不是米,应为 EPSG:4326 或 EPSG:4490",
            "these are degrees, not metres: EPSG:4326 or EPSG:4490",
        )
    if code - _TWIN in _CGCS2000_3DEG and 25 <= zone <= 45:
        text = f"EPSG:{_CGCS2000_3DEG.start + zone - 25}"
        return (
            f"东距 {west:,.0f} 含带号 {zone},应为 {text} (与 EPSG:{code} 不同)",
            f"an easting of {west:,.0f} carries zone number {zone}: {text}, not EPSG:{code}",
        )
    if 13 <= zone <= 23:
        text = f"EPSG:{_CGCS2000_6DEG.start + zone - 13}"
        return (
            f"东距 {west:,.0f} 含 6 度带带号 {zone},应为 {text} (与 EPSG:{code} 不同)",
            f"an easting of {west:,.0f} carries the 6-degree zone number {zone}: {text}, not EPSG:{code}",
        )
    if code in _CGCS2000_3DEG and 0 < west < 1e6:
        text = f"EPSG:{code + _TWIN}"
        return (
            f"东距 {west:,.0f} 不含带号,应为 {text} (与 EPSG:{code} 不同)",
            f"an easting of {west:,.0f} has no zone number: {text}, not EPSG:{code}",
        )
    return None


def check_overlap(
    bounds: tuple[float, ...], crs: CRS, study_bounds: tuple[float, ...], *, where: str, margin_deg: float = 0.2
) -> None:
    """Raise when a layer lies nowhere near the study, and say what may be wrong with its coordinates.

    Parameters
    ----------
    bounds : tuple of float
        West, south, east, north of the layer in `crs`, as its file has them.
    crs : pyproj.CRS
        The coordinate system they were read in.
    study_bounds : tuple of float
        West, south, east, north of the district [degrees].
    where : str
        What messages call the layer.
    margin_deg : float
        How far outside the district a layer may lie.

    Raises
    ------
    NoDataError
        It lies elsewhere: swapped axes, the zone next to the right one, or another place.
    """
    here = _lonlat(bounds, crs)
    if here is not None and _meet(here, study_bounds, margin_deg):
        return
    west, south, east, north = bounds
    reason = ("请检查文件、坐标系和经纬度顺序", "check the file, its coordinate system and axis order")
    turned = _lonlat((south, west, north, east), crs)
    if turned is not None and _meet(turned, study_bounds, margin_deg):
        reason = ("经纬度 (x 与 y) 颠倒了,请交换", "longitude and latitude (x and y) are swapped; swap them")
    elif (crs.to_epsg() or 0) in (*_CGCS2000_PLAIN, *_CGCS2000_3DEG, *_CGCS2000_6DEG):
        right = _right_zone(bounds, study_bounds, margin_deg)
        if right:
            reason = (
                f"按 {right} 则在研究区内 (中央经线选错了)",
                f"as {right} it would lie in the study: the central meridian is wrong",
            )
    shown = "(-)" if here is None else f"({here[0]:.3f}, {here[1]:.3f}) - ({here[2]:.3f}, {here[3]:.3f})"
    area = f"({study_bounds[0]:.3f}, {study_bounds[1]:.3f}) - ({study_bounds[2]:.3f}, {study_bounds[3]:.3f})"
    raise NoDataError(
        f"{where}: 位置 {shown} 与区界 {area} 没有重叠: {reason[0]}",
        f"{where}: {shown} does not overlap the district {area}: {reason[1]}",
    )


def check_layer_place(
    layer: gpd.GeoDataFrame, study_bounds: tuple[float, ...], *, where: str, margin_deg: float = 0.2
) -> None:
    """Raise when a layer that was read lies nowhere near the study (see `check_overlap`).

    Parameters
    ----------
    layer : geopandas.GeoDataFrame
        EPSG:4326; ``attrs["file_crs"]`` is the CRS of its file.
    study_bounds : tuple of float
        West, south, east, north of the district [degrees].
    where : str
        What messages call the layer.
    margin_deg : float
        How far outside the district a layer may lie.

    Raises
    ------
    NoDataError
        It lies elsewhere.
    """
    bounds = tuple(float(b) for b in layer.total_bounds)
    if _meet(bounds, study_bounds, margin_deg):
        return
    crs = load_crs(str(layer.attrs.get("file_crs") or "EPSG:4326"), where=where)
    if not crs.is_geographic:
        bounds = tuple(layer.to_crs(crs).total_bounds)
    check_overlap(bounds, crs, study_bounds, where=where, margin_deg=margin_deg)


def _lonlat(bounds: tuple[float, ...], crs: CRS) -> tuple[float, ...] | None:
    if not np.isfinite(bounds).all():
        return None
    if crs.is_geographic:
        return bounds
    from pyproj import Transformer

    out = Transformer.from_crs(crs, WGS84, always_xy=True).transform_bounds(bounds[0], bounds[1], bounds[2], bounds[3])
    return out if np.isfinite(out).all() else None


def _meet(bounds: tuple[float, ...], study: tuple[float, ...], margin: float) -> bool:
    west, south, east, north = bounds
    w, s, e, n = study
    return not (east < w - margin or west > e + margin or north < s - margin or south > n + margin)


def _right_zone(bounds: tuple[float, ...], study: tuple[float, ...], margin: float) -> str:
    """Return the zone of CGCS2000 under which an easting without zone number lies in the study, or ""."""
    if bounds[0] >= 1e6:
        return ""
    middle = (study[0] + study[2]) / 2
    three, six = round((middle - 75) / 3), round((middle - 75) / 6)
    near = [4534 + three + d for d in (0, -1, 1)] + [4502 + six + d for d in (0, -1, 1)]
    for code in (c for c in near if c in _CGCS2000_PLAIN):
        found = _lonlat(bounds, WGS84.from_epsg(code))
        if found is not None and _meet(found, study, margin):
            return f"EPSG:{code}"
    return ""
