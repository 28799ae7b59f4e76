"""Whether coordinates can be in the coordinate system that is claimed for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.crs import WGS84
from bishan_gis.errors import CrsError

if TYPE_CHECKING:
    from pyproj import CRS

__all__ = ["check_bounds"]

_AREA_MARGIN_DEG = 5.0
_CGCS2000_3DEG = range(4513, 4534)  # EPSG codes with the zone number (25 to 45) in the easting
_TWIN = 21  # EPSG:4534 to 4554 are the same zones without it


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
    if code in _CGCS2000_3DEG and 0 < west < 1e6:
        text = f"EPSG:{code + _TWIN}"
        return (
            f"东距 {west:,.0f} 不含带号,应为 {text} (与 EPSG:{code} 不同)",
            f"an easting of {west:,.0f} has no zone number: {text}, not EPSG:{code}",
        )
    return None
