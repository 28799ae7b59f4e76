"""The terrain: smooth elevation between the 30 arc-second cells, and least-cost routes over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from scipy.interpolate import RectBivariateSpline
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from shapely.geometry.base import BaseGeometry

from .geo import SmoothNoise, stream, to_lonlat

CELL_M = 125.0
_MOVES = [(0, 1), (1, 0), (1, 1), (1, -1)]


class Terrain:
    """Bicubic surface through the observed elevation cells.

    Parameters
    ----------
    path : Path
        GeoTIFF of elevation [m] in degrees.
    """

    def __init__(self, path: Path) -> None:
        with rasterio.open(path) as raster:
            z = raster.read(1).astype(float)
            t = raster.transform
        lon = t.c + t.a * (np.arange(z.shape[1]) + 0.5)
        lat = t.f + t.e * (np.arange(z.shape[0]) + 0.5)
        self._surface = RectBivariateSpline(lat[::-1], lon, z[::-1], kx=3, ky=3)

    def height(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Elevation [m] at working coordinates, rounded to a centimetre."""
        lon, lat = to_lonlat(x, y, 9)
        return np.round(self._surface.ev(lat, lon), 2)

    def slope(self, x: np.ndarray, y: np.ndarray, step: float = 60.0) -> np.ndarray:
        """Steepest slope [m/m] at working coordinates."""
        gx = (self.height(x + step, y) - self.height(x - step, y)) / (2 * step)
        gy = (self.height(x, y + step) - self.height(x, y - step)) / (2 * step)
        return np.hypot(gx, gy)


class Grid:
    """A jittered grid over the district on which roads find their way.

    Parameters
    ----------
    terrain : Terrain
        The elevation.
    bounds : tuple of float
        Working bounds ``(x0, y0, x1, y1)``.
    """

    def __init__(self, terrain: Terrain, bounds: tuple[float, float, float, float]) -> None:
        self.x0, self.y0 = (np.floor(b / CELL_M) * CELL_M for b in bounds[:2])
        self.nx = int((bounds[2] - self.x0) / CELL_M) + 1
        self.ny = int((bounds[3] - self.y0) / CELL_M) + 1
        gx, gy = np.meshgrid(self.x0 + CELL_M * np.arange(self.nx), self.y0 + CELL_M * np.arange(self.ny))
        rng = stream("grid")
        self.cx, self.cy = gx.ravel(), gy.ravel()
        self.px = np.round(self.cx + rng.uniform(-38, 38, gx.size), 2)
        self.py = np.round(self.cy + rng.uniform(-38, 38, gx.size), 2)
        self.z = terrain.height(self.px, self.py)
        self.slope = terrain.slope(self.px, self.py)
        rough = SmoothNoise("rough", 900)(self.cx, self.cy)
        self.mult = np.exp(0.22 * rough) * rng.uniform(0.85, 1.25, gx.size)

    def cell(self, x: float, y: float) -> int:
        """Index of the cell holding a point."""
        i = int(np.clip(round((x - self.x0) / CELL_M), 0, self.nx - 1))
        j = int(np.clip(round((y - self.y0) / CELL_M), 0, self.ny - 1))
        return j * self.nx + i

    def cells_in(self, geom: BaseGeometry) -> np.ndarray:
        """Boolean mask of the cells whose node lies in `geom`."""
        import shapely

        shapely.prepare(geom)
        return shapely.contains_xy(geom, self.px, self.py)

    def push_out(self, lines: list[BaseGeometry], clear_m: float) -> None:
        """Move nodes nearer than `clear_m` to a barrier line away from it and make its cells costly."""
        import shapely

        tree = shapely.STRtree(lines)
        points = shapely.points(self.px, self.py)
        index, line_index = tree.query(points, predicate="dwithin", distance=clear_m)
        for k, li in zip(index.tolist(), line_index.tolist(), strict=True):
            line = lines[li]
            near = line.interpolate(line.project(shapely.Point(self.px[k], self.py[k])))
            dx, dy = self.px[k] - near.x, self.py[k] - near.y
            d = max(np.hypot(dx, dy), 1e-6)
            if d < clear_m:
                self.px[k] = round(near.x + dx / d * clear_m, 2)
                self.py[k] = round(near.y + dy / d * clear_m, 2)
        self.mult[np.unique(index)] *= 2.5

    def graph(self, mult: np.ndarray, grade: float = 0.05) -> csr_matrix:
        """Return the symmetric cost graph; `grade` is the slope that doubles the cost."""
        n = self.nx * self.ny
        ids = np.arange(n).reshape(self.ny, self.nx)
        rows, cols = [], []
        for dj, di in _MOVES:
            a = ids[: self.ny - dj, max(0, -di) : self.nx - max(0, di)]
            b = ids[dj:, max(0, di) : self.nx + min(0, di)]
            rows.append(a.ravel())
            cols.append(b.ravel())
        u, v = np.concatenate(rows), np.concatenate(cols)
        length = np.hypot(self.px[u] - self.px[v], self.py[u] - self.py[v])
        steep = np.abs(self.z[u] - self.z[v]) / np.maximum(length, 1) / grade
        cost = length * (1 + steep**2) * 0.5 * (mult[u] + mult[v])
        return csr_matrix((cost, (u, v)), shape=(n, n))

    def route(self, graph: csr_matrix, source: int, target: int, margin_m: float = 5000) -> list[int]:
        """Cells of the cheapest route between two cells, searched in a window around them."""
        pad = int(margin_m / CELL_M)
        (j0, i0), (j1, i1) = divmod(source, self.nx), divmod(target, self.nx)
        jj = np.arange(max(0, min(j0, j1) - pad), min(self.ny, max(j0, j1) + pad + 1))
        ii = np.arange(max(0, min(i0, i1) - pad), min(self.nx, max(i0, i1) + pad + 1))
        keep = (jj[:, None] * self.nx + ii[None, :]).ravel()
        sub = graph[keep][:, keep]
        s, t = int(np.searchsorted(keep, source)), int(np.searchsorted(keep, target))
        _, before = dijkstra(sub, directed=False, indices=s, return_predecessors=True)
        path = [t]
        while path[-1] != s:
            step = int(before[path[-1]])
            if step < 0:
                raise RuntimeError(f"no route between cells {source} and {target}")
            path.append(step)
        return [int(keep[k]) for k in reversed(path)]

    def forest(self, graph: csr_matrix, sources: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Cost to, and previous cell towards, the nearest of `sources` for every cell."""
        cost, before, _ = dijkstra(graph, directed=False, indices=sources, min_only=True, return_predecessors=True)
        return cost, before
