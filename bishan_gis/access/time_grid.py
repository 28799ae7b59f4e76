"""A grid of points near the streets, and the exact travel time at each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from bishan_gis.network.costs import EdgeCosts
from bishan_gis.network.graph import Network
from bishan_gis.network.snap import enterable
from bishan_gis.network.star import NOT_REACHED, EdgePlaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TimeGrid", "build_time_grid", "time_surface"]

#: Seconds and metres of what is not reached.
FAR = np.float32(1e6)


@dataclass(frozen=True, eq=False)
class TimeGrid:
    """Grid points near streets: which edge is nearest, where on it, and how far.

    Attributes
    ----------
    x0, y0, step_m : float
        First column and row, spacing [m, CRS of the network].
    edge : ndarray of int32, shape (rows, cols)
        Nearest edge, -1 beyond the off-network distance (and one step more).
    fraction, leg_m : ndarray of float32, shape (rows, cols)
        Position along the edge, distance from it [m].
    off_network_m : float
        Distance that counts as on the street [m].
    """

    x0: float
    y0: float
    step_m: float
    edge: NDArray[np.int32]
    fraction: NDArray[np.float32]
    leg_m: NDArray[np.float32]
    off_network_m: float


@njit(cache=True, nogil=True)
def _stamp(vx, vy, start, usable, x0, y0, step, reach, edge, fraction, leg):  # type: ignore[no-untyped-def] # pragma: no cover
    rows, cols = edge.shape
    for e in range(len(start) - 1):
        if not usable[e]:
            continue
        total = 0.0
        for i in range(start[e], start[e + 1] - 1):
            total += np.hypot(vx[i + 1] - vx[i], vy[i + 1] - vy[i])
        before = 0.0
        for i in range(start[e], start[e + 1] - 1):
            ax, ay, bx, by = vx[i], vy[i], vx[i + 1], vy[i + 1]
            dx, dy = bx - ax, by - ay
            size = np.hypot(dx, dy)
            c0 = max(int(np.ceil((min(ax, bx) - reach - x0) / step)), 0)
            c1 = min(int(np.floor((max(ax, bx) + reach - x0) / step)), cols - 1)
            r0 = max(int(np.ceil((min(ay, by) - reach - y0) / step)), 0)
            r1 = min(int(np.floor((max(ay, by) + reach - y0) / step)), rows - 1)
            for r in range(r0, r1 + 1):
                py = y0 + r * step
                for c in range(c0, c1 + 1):
                    px = x0 + c * step
                    t = 0.0
                    if size > 0:
                        t = min(max(((px - ax) * dx + (py - ay) * dy) / (size * size), 0.0), 1.0)
                    d = np.hypot(px - ax - t * dx, py - ay - t * dy)
                    if d <= reach and d < leg[r, c]:
                        leg[r, c] = d
                        edge[r, c] = e
                        fraction[r, c] = (before + t * size) / total if total > 0 else 0.0
            before += size


def build_time_grid(
    network: Network,
    *,
    step_m: float = 25.0,
    off_network_m: float = 60.0,
    usable: NDArray[np.bool_] | None = None,
) -> TimeGrid:
    """Lay a grid over the streets.

    Parameters
    ----------
    network : Network
        Streets.
    step_m : float
        Spacing of the grid [m].
    off_network_m : float
        How far from a street the ground still counts as reached from it [m].
    usable : ndarray of bool, optional
        Edges the traveller may use (``EdgeCosts.usable``); all where left out.

    Returns
    -------
    TimeGrid
        Aligned to whole multiples of the spacing.
    """
    reach = off_network_m + 1.5 * step_m
    x0 = np.floor((network.vertex_x.min() - reach) / step_m) * step_m
    y0 = np.floor((network.vertex_y.min() - reach) / step_m) * step_m
    cols = int(np.ceil((network.vertex_x.max() + reach - x0) / step_m)) + 1
    rows = int(np.ceil((network.vertex_y.max() + reach - y0) / step_m)) + 1
    edge = np.full((rows, cols), -1, dtype=np.int32)
    fraction = np.zeros((rows, cols), dtype=np.float32)
    leg = np.full((rows, cols), FAR, dtype=np.float32)
    _stamp(
        network.vertex_x,
        network.vertex_y,
        network.vertex_start,
        enterable(network, usable),
        x0,
        y0,
        step_m,
        reach,
        edge,
        fraction,
        leg,
    )
    return TimeGrid(float(x0), float(y0), float(step_m), edge, fraction, leg, float(off_network_m))


@njit(cache=True, nogil=True)
def _surface(edge, fraction, leg, edge_u, edge_v, forward, backward, dist, t_start, t_f, t_ms, speed, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Seconds from every grid point to the nearest destination; `t_*` hold those on each edge."""
    for i in range(edge.shape[0]):
        for j in range(edge.shape[1]):
            e = edge[i, j]
            if e < 0:
                continue
            f = fraction[i, j]
            best = np.int64(NOT_REACHED)
            if forward[e] >= 0 and dist[edge_v[e]] < NOT_REACHED:
                best = np.int64((1.0 - f) * forward[e]) + dist[edge_v[e]]
            if backward[e] >= 0 and dist[edge_u[e]] < NOT_REACHED:
                best = min(best, np.int64(f * backward[e]) + dist[edge_u[e]])
            for k in range(t_start[e], t_start[e + 1]):
                gap = t_f[k] - f
                if gap >= 0 and forward[e] >= 0:
                    best = min(best, np.int64(gap * forward[e]) + t_ms[k])
                if gap <= 0 and backward[e] >= 0:
                    best = min(best, np.int64(-gap * backward[e]) + t_ms[k])
            if best < NOT_REACHED:
                out[i, j] = best / 1000.0 + leg[i, j] / speed


def time_surface(
    network: Network,
    costs: EdgeCosts,
    grid: TimeGrid,
    node_cost_ms: NDArray[np.int32],
    destinations: EdgePlaces,
    *,
    box: tuple[slice, slice] = (slice(None), slice(None)),
) -> NDArray[np.float32]:
    """Return the seconds from every grid point to the nearest destination.

    Parameters
    ----------
    network, costs, grid : Network, EdgeCosts, TimeGrid
        Streets, prices, grid.
    node_cost_ms : ndarray of int32, shape (n,)
        Cost from each node to the nearest destination [ms].
    destinations : EdgePlaces
        The destinations, for points on the same edge.
    box : tuple of slice
        Rows and columns wanted.

    Returns
    -------
    ndarray of float32
        Leg + streets + leg [s]; :data:`FAR` where not reached or no street is near.
    """
    out = np.full(grid.edge[box].shape, FAR, dtype=np.float32)
    _surface(
        grid.edge[box],
        grid.fraction[box],
        grid.leg_m[box],
        network.edge_u,
        network.edge_v,
        costs.forward_ms,
        costs.backward_ms,
        node_cost_ms,
        destinations.start,
        destinations.fraction,
        destinations.leg_ms,
        costs.profile.speed_ms,
        out,
    )
    return out
