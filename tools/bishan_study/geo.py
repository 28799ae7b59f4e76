"""Coordinates, seeded random streams, smooth noise and compact GeoJSON."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import LineString, mapping

SEED = 500120
WORK_CRS = "EPSG:4544"
# CGCS2000 and WGS84 are taken as equal (they differ by less than a metre): a pure projection, no datum shift.
_TO_WORK = Transformer.from_crs("EPSG:4490", WORK_CRS, always_xy=True)
_TO_LONLAT = Transformer.from_crs(WORK_CRS, "EPSG:4490", always_xy=True)


def to_work(lon: Any, lat: Any) -> tuple[np.ndarray, np.ndarray]:
    """Project degrees to working metres."""
    x, y = _TO_WORK.transform(np.asarray(lon, float), np.asarray(lat, float))
    return np.round(x, 3), np.round(y, 3)


def to_lonlat(x: Any, y: Any, decimals: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Project working metres to rounded degrees."""
    lon, lat = _TO_LONLAT.transform(np.asarray(x, float), np.asarray(y, float))
    return np.round(lon, decimals), np.round(lat, decimals)


def geom_to_lonlat(geom: Any, decimals: int = 6) -> Any:
    """Return `geom` (working metres) in rounded degrees; equal points stay equal."""
    return shapely.transform(geom, lambda c: np.column_stack(to_lonlat(c[:, 0], c[:, 1], decimals)))


def geom_to_work(geom: Any) -> Any:
    """Return `geom` (degrees) in working metres."""
    return shapely.transform(geom, lambda c: np.column_stack(to_work(c[:, 0], c[:, 1])))


def stream(name: str) -> np.random.Generator:
    """Return the random stream called `name`; streams do not disturb each other."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


class SmoothNoise:
    """Smooth random field of unit variance made of cosine waves.

    Parameters
    ----------
    name : str
        Name of the random stream.
    wavelength : float
        Typical wavelength [m].
    waves : int
        Number of cosine waves summed.
    """

    def __init__(self, name: str, wavelength: float, waves: int = 16) -> None:
        rng = stream("noise:" + name)
        angle = rng.uniform(0, 2 * np.pi, waves)
        length = wavelength * rng.uniform(0.6, 1.8, waves)
        self._kx = np.cos(angle) * 2 * np.pi / length
        self._ky = np.sin(angle) * 2 * np.pi / length
        self._phase = rng.uniform(0, 2 * np.pi, waves)
        self._scale = np.sqrt(2 / waves)

    def __call__(self, x: Any, y: Any) -> np.ndarray:
        """Evaluate the field at working coordinates."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        arg = x[..., None] * self._kx + y[..., None] * self._ky + self._phase
        return np.cos(arg).sum(-1) * self._scale


def chaikin(points: np.ndarray, times: int = 2) -> np.ndarray:
    """Round the corners of a polyline; its ends stay."""
    for _ in range(times):
        if len(points) < 3:
            return points
        a, b = points[:-1], points[1:]
        mid = np.empty((2 * len(a), 2))
        mid[0::2] = 0.75 * a + 0.25 * b
        mid[1::2] = 0.25 * a + 0.75 * b
        points = np.vstack([points[:1], mid[1:-1], points[-1:]])
    return points


def spline(points: np.ndarray, step: float) -> np.ndarray:
    """Sample a smooth curve through `points` every `step` metres."""
    from scipy.interpolate import PchipInterpolator

    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0, along[-1], max(2, round(along[-1] / step) + 1))
    curve = np.column_stack([PchipInterpolator(along, points[:, k])(at) for k in (0, 1)])
    return chaikin(curve, 1) if len(curve) > 2 else curve


def simplify_points(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Drop points that change a polyline by less than `tolerance` metres."""
    return np.asarray(LineString(points).simplify(tolerance).coords)


def write_geojson(path: Path, rows: list[dict[str, Any]], decimals: int = 6) -> None:
    """Write rows (``geometry`` in degrees and properties) as compact GeoJSON, one feature a line.

    Parameters
    ----------
    path : Path
        Target file.
    rows : list of dict
        Each with key ``geometry`` and its properties in the order they are written.
    decimals : int
        Decimals of a degree kept.
    """

    def rounded(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, decimals)
        return [rounded(v) for v in value]

    lines = []
    for row in rows:
        geometry = mapping(row["geometry"])
        geometry = {"type": geometry["type"], "coordinates": rounded(geometry["coordinates"])}
        properties = {k: v for k, v in row.items() if k != "geometry"}
        feature = {"type": "Feature", "properties": properties, "geometry": geometry}
        lines.append(json.dumps(feature, ensure_ascii=False, separators=(",", ":")))
    body = ",\n".join(lines)
    path.write_text(
        '{"type":"FeatureCollection","name":"' + path.stem + '","features":[\n' + body + "\n]}\n",
        encoding="utf-8",
        newline="\n",
    )
