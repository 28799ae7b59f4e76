"""Where the land is built up: the valley city and the towns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from rasterio import Affine
from rasterio.features import shapes
from shapely.geometry import LineString, Polygon, shape

from . import layout
from .geo import SmoothNoise, chaikin, spline, to_work
from .terrain import Terrain

STEP_M = 50.0


@dataclass
class Frame:
    """Coordinates along (`s`) and across (`t`, positive to the west when going south) the valley axis."""

    axis: LineString

    @classmethod
    def build(cls) -> Frame:
        """Return the frame of the layout's axis."""
        points = np.column_stack(to_work(*np.array(layout.AXIS).T))
        return cls(LineString(chaikin(spline(points, 400), 2)).simplify(1.0))

    @property
    def length(self) -> float:
        """Length of the axis [m]."""
        return float(self.axis.length)

    def point(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Working coordinates of (s, t), extended straight beyond both ends."""
        s, t = np.broadcast_arrays(np.asarray(s, float), np.asarray(t, float))
        inside = np.clip(s, 0, self.length)
        h = 300.0
        mid = shapely.get_coordinates(shapely.line_interpolate_point(self.axis, inside))
        back = shapely.get_coordinates(shapely.line_interpolate_point(self.axis, np.clip(inside - h, 0, self.length)))
        fore = shapely.get_coordinates(shapely.line_interpolate_point(self.axis, np.clip(inside + h, 0, self.length)))
        tangent = fore - back
        tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
        normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
        return mid + tangent * (s - inside).reshape(-1, 1) + normal * t.reshape(-1, 1)

    def locate(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(s, t) of working coordinates."""
        points = shapely.points(np.ravel(x), np.ravel(y))
        s = shapely.line_locate_point(self.axis, points)
        near = self.point(s, np.zeros_like(s))
        one = self.point(s, np.ones_like(s))
        normal = one - near
        offset = shapely.get_coordinates(points) - near
        side = np.sign((offset * normal).sum(1))
        return s, side * np.hypot(offset[:, 0], offset[:, 1])


def _outline(score: np.ndarray, x0: float, y1: float, area_m2: float) -> Polygon:
    """Smooth outline of the best-scoring `area_m2` of a raster (rows from the north)."""
    cells = int(area_m2 / STEP_M**2)
    limit = np.sort(score.ravel())[::-1][cells]
    mask = (score > limit).astype("uint8")
    geoms = [shape(g) for g, v in shapes(mask, transform=Affine(STEP_M, 0, x0, 0, -STEP_M, y1)) if v]
    merged = shapely.unary_union(geoms).buffer(130).buffer(-230).buffer(100)
    parts = sorted(getattr(merged, "geoms", [merged]), key=lambda g: -g.area)
    ring = np.asarray(Polygon(parts[0].exterior).simplify(55).exterior.coords)
    closed = np.vstack([ring, ring[1:2]])
    smooth = chaikin(closed, 2)[2:-1]
    return Polygon(np.round(smooth, 2)).buffer(0)


def core_outline(frame: Frame, terrain: Terrain, anchors: np.ndarray) -> Polygon:
    """Outline of the valley city; `anchors` (real objects) pull it towards them."""
    x0, y0, x1, y1 = frame.axis.buffer(4200).bounds
    gx, gy = np.meshgrid(np.arange(x0, x1, STEP_M), np.arange(y1, y0, -STEP_M))
    fx, fy = gx.ravel() + STEP_M / 2, gy.ravel() - STEP_M / 2
    s, t = frame.locate(fx, fy)
    share = s / frame.length * (len(layout.WIDTH_WEST) - 1)
    at = np.arange(len(layout.WIDTH_WEST))
    width = np.where(t > 0, np.interp(share, at, layout.WIDTH_WEST), np.interp(share, at, layout.WIDTH_EAST))
    score = -np.abs(t) / width - 4.0 * np.maximum(terrain.slope(fx, fy) - 0.03, 0)
    score += 0.13 * SmoothNoise("core", 1500)(fx, fy)
    tree = shapely.STRtree(shapely.points(anchors))
    _, dist = tree.query_nearest(shapely.points(fx, fy), return_distance=True, all_matches=False)
    score += 0.9 * np.exp(-((dist / 420) ** 2))
    return _outline(score.reshape(gx.shape), gx[0, 0], gy[0, 0], layout.CORE_KM2 * 1e6)


def town_outline(code: str, terrain: Terrain, anchors: np.ndarray) -> Polygon:
    """Outline of the town of township `code`."""
    lon, lat, km2, _ = layout.TOWNS[code]
    (cx,), (cy,) = to_work([lon], [lat])
    reach = 1500 * np.sqrt(km2) + 600
    gx, gy = np.meshgrid(np.arange(cx - reach, cx + reach, STEP_M), np.arange(cy + reach, cy - reach, -STEP_M))
    fx, fy = gx.ravel() + STEP_M / 2, gy.ravel() - STEP_M / 2
    along = (fx - cx) * 0.35 + (fy - cy) * 0.94  # valleys run north by north-east
    across = (fx - cx) * 0.94 - (fy - cy) * 0.35
    radius = np.hypot(along / 1.35, across * 1.15) / (560 * np.sqrt(km2))
    score = -radius - 5.0 * np.maximum(terrain.slope(fx, fy) - 0.04, 0)
    score += 0.17 * SmoothNoise("town" + code, 1100)(fx, fy)
    near = anchors[np.hypot(*(anchors - [cx, cy]).T) < reach]
    for px, py in near:
        score += 0.6 * np.exp(-(((fx - px) ** 2 + (fy - py) ** 2) / 200**2))
    return _outline(score.reshape(gx.shape), gx[0, 0], gy[0, 0], km2 * 1e6)
