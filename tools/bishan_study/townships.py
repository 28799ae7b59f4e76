"""Township polygons: a power diagram of the known centroids whose cells have the known areas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import shapely
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import polygonize

from .geo import geom_to_lonlat, to_work


def _half_plane(polygon: Polygon, p: np.ndarray, q: np.ndarray, wp: float, wq: float) -> BaseGeometry:
    """Part of `polygon` nearer in power to `p` than to `q`."""
    normal = q - p
    length = np.hypot(*normal)
    unit = normal / length
    offset = (length**2 + wp - wq) / (2 * length)
    origin = p + unit * offset
    side = np.array([-unit[1], unit[0]]) * 4e5
    back = -unit * 4e5
    return polygon.intersection(Polygon([origin - side, origin + side, origin + side + back, origin - side + back]))


def _cells(sites: np.ndarray, weights: np.ndarray, frame: BaseGeometry) -> list[BaseGeometry]:
    out = []
    for i in range(len(sites)):
        cell = frame
        for j in range(len(sites)):
            if i != j:
                cell = _half_plane(cell, sites[i], sites[j], weights[i], weights[j])
        out.append(cell)
    return out


def fit_weights(sites: np.ndarray, areas: np.ndarray, district: BaseGeometry) -> np.ndarray:
    """Weights [m2] for which each cell of the power diagram inside `district` has its area.

    Notes
    -----
    Newton's method on the concave dual: the derivative of cell i's area by the weight of its neighbour j is minus
    the length of their shared border over twice the distance of their sites (Aurenhammer et al. 1998).
    """
    n = len(sites)
    weights = np.zeros(n)
    target = areas * district.area / areas.sum()
    for _ in range(60):
        cells = _cells(sites, weights, district)
        have = np.array([c.area for c in cells])
        miss = target - have
        if np.abs(miss).max() < 1.0:
            break
        hess = np.zeros((n, n))
        for i in range(n):
            for j in range(i + 1, n):
                if cells[i].distance(cells[j]) < 1e-3:
                    shared = cells[i].buffer(0.5).intersection(cells[j].buffer(0.5)).area
                    gain = shared / 1.0 / (2 * np.hypot(*(sites[i] - sites[j])))
                    hess[i, j] = hess[j, i] = -gain
        np.fill_diagonal(hess, -hess.sum(1) + 1e-9)
        step = np.zeros(n)
        step[1:] = np.linalg.solve(hess[1:, 1:], miss[1:])
        scale = 1.0
        while scale > 1e-3:
            trial = weights + scale * step
            trial_have = np.array([c.area for c in _cells(sites, trial, district)])
            if trial_have.min() > 0.3 * have.min() and np.abs(target - trial_have).sum() < np.abs(miss).sum():
                break
            scale /= 2
        weights = weights + scale * step
    return np.round(weights, 1)


def build_townships(facts: pd.DataFrame, district_lonlat: BaseGeometry, district: BaseGeometry) -> list[dict[str, Any]]:
    """Return one row per township, polygons in degrees that partition the district.

    Parameters
    ----------
    facts : pandas.DataFrame
        The table townships.csv.
    district_lonlat, district : shapely geometry
        The district in degrees and in working metres.
    """
    sites = np.column_stack(to_work(facts["centroid_lon"], facts["centroid_lat"]))
    areas = facts["area_km2"].to_numpy(float) * 1e6
    weights = fit_weights(sites, areas, district)
    frame = box(*district.bounds).buffer(5000, join_style="mitre")
    cells = [geom_to_lonlat(c.segmentize(2000)) for c in _cells(sites, weights, frame)]
    lines: list[BaseGeometry] = [LineString(c.exterior.coords) for c in cells]
    lines += [LineString(p.exterior.coords) for p in getattr(district_lonlat, "geoms", [district_lonlat])]
    noded = shapely.unary_union(lines, grid_size=1e-6)
    parts: list[list[Polygon]] = [[] for _ in cells]
    for face in polygonize(noded):
        point = face.representative_point()
        if district_lonlat.covers(point):
            parts[int(np.argmin([c.distance(point) for c in cells]))].append(face)
    rows = []
    for record, part in zip(facts.to_dict("records"), parts, strict=True):
        merged = shapely.normalize(shapely.unary_union(part, grid_size=1e-6))
        rows.append({"code": str(record["code"]), "name": record["name"], "kind": "derived", "geometry": merged})
    return rows
