"""A grid of points near the streets, and the exact travel time at each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import InputError
from bishan_gis.network.costs import EdgeCosts
from bishan_gis.network.graph import Network
from bishan_gis.network.jit import njit
from bishan_gis.network.snap import OFF_NETWORK, entries
from bishan_gis.network.star import NOT_REACHED, EdgePlaces
from bishan_gis.progress import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from bishan_gis.network.snap import Entries

__all__ = ["TimeGrid", "build_time_grid", "each_band", "edge_boxes", "grid_frame", "time_surface"]

#: Seconds and metres of what is not reached.
FAR = np.float32(1e6)
#: Largest grid that is laid [points]: 12 bytes each, and as many again while a surface is drawn.
_MOST_POINTS = 150_000_000


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

    def x(self) -> NDArray[np.float64]:
        """Return the easting of each column [m]."""
        return self.x0 + self.step_m * np.arange(self.edge.shape[1], dtype=np.float64)

    def y(self) -> NDArray[np.float64]:
        """Return the northing of each row, the southernmost first [m]."""
        return self.y0 + self.step_m * np.arange(self.edge.shape[0], dtype=np.float64)

    def box(self, bounds: NDArray[np.float64]) -> tuple[slice, slice]:
        """Return the rows and columns inside west, south, east, north [m], and one more on every side."""
        low = np.floor((bounds[:2] - (self.x0, self.y0)) / self.step_m).astype(int)
        high = np.ceil((bounds[2:] - (self.x0, self.y0)) / self.step_m).astype(int) + 1
        rows, cols = self.edge.shape
        return (
            slice(min(max(low[1], 0), rows), min(max(high[1], 0), rows)),
            slice(min(max(low[0], 0), cols), min(max(high[0], 0), cols)),
        )


def edge_boxes(network: Network) -> NDArray[np.float64]:
    """Return west, south, east, north of every edge [m], shape (4, m).

    Parameters
    ----------
    network : Network
        Streets.
    """
    if network.n_edges == 0:
        return np.zeros((4, 0))
    first = network.vertex_start[:-1]
    boxes = [
        reduce.reduceat(at, first)
        for reduce, at in (
            (np.minimum, network.vertex_x),
            (np.minimum, network.vertex_y),
            (np.maximum, network.vertex_x),
            (np.maximum, network.vertex_y),
        )
    ]
    return np.array(boxes)


@njit(cache=True, nogil=True)
def _stamp(vx, vy, start, edges, x0, y0, step, reach, first, last, edge, fraction, leg):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write the nearest of `edges`, which rise, into some rows of the grid; of equally near ones the first counts."""
    cols = edge.shape[1]
    least = np.full((last - first, cols), reach * reach)
    for e in edges:
        total = 0.0
        for i in range(start[e], start[e + 1] - 1):
            total += np.hypot(vx[i + 1] - vx[i], vy[i + 1] - vy[i])
        before = 0.0
        for i in range(start[e], start[e + 1] - 1):
            ax, ay, bx, by = vx[i], vy[i], vx[i + 1], vy[i + 1]
            dx, dy = bx - ax, by - ay
            square = dx * dx + dy * dy
            size = np.sqrt(square)
            per = 1.0 / square if square > 0 else 0.0
            r0 = max(int(np.ceil((min(ay, by) - reach - y0) / step)), first)
            r1 = min(int(np.floor((max(ay, by) + reach - y0) / step)), last - 1)
            for r in range(r0, r1 + 1):
                py = y0 + r * step - ay
                # The stretch of the segment that is within reach of this row, and the columns within reach of that.
                low, high = 0.0, 1.0
                if dy != 0.0:
                    one, two = (py - reach) / dy, (py + reach) / dy
                    low, high = max(min(one, two), 0.0), min(max(one, two), 1.0)
                    if low > high:
                        continue
                west, east = ax + low * dx, ax + high * dx
                c0 = max(int(np.ceil((min(west, east) - reach - x0) / step)), 0)
                c1 = min(int(np.floor((max(west, east) + reach - x0) / step)), cols - 1)
                for c in range(c0, c1 + 1):
                    px = x0 + c * step - ax
                    t = min(max((px * dx + py * dy) * per, 0.0), 1.0)
                    gap_x, gap_y = px - t * dx, py - t * dy
                    d = gap_x * gap_x + gap_y * gap_y
                    if d < least[r - first, c]:
                        least[r - first, c] = d
                        edge[r, c] = e
                        fraction[r, c] = (before + t * size) / total if total > 0 else 0.0
            before += size
    for r in range(first, last):
        for c in range(cols):
            if edge[r, c] >= 0:
                leg[r, c] = np.sqrt(least[r - first, c])


def build_time_grid(
    network: Network,
    *,
    step_m: float = 25.0,
    off_network_m: float = 60.0,
    usable: NDArray[np.bool_] | None = None,
    bounds: NDArray[np.float64] | None = None,
    boxes: NDArray[np.float64] | None = None,
    max_snap_m: float = 300.0,
    threads: int = 2,
    step: Callable[[int], None] | None = None,
) -> TimeGrid:
    """Lay a grid over the streets: each point of it is entered where :func:`snap_points` would enter a home there.

    Ground at an island of the streets (``network.island_m``) so belongs to the street its people are taken to, and to
    the island only where there is no other street within `max_snap_m`.

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
    bounds : ndarray of float64, optional
        West, south, east, north of the part wanted [m]; the whole network where left out.
    boxes : ndarray of float64, shape (4, m), optional
        What :func:`edge_boxes` returned, for many parts of one network.
    max_snap_m : float
        Places farther from every street are off the network [m].
    threads : int
        Bands of rows laid at the same time; the result does not depend on it.
    step : callable, optional
        Called with the rows that are done, see :func:`~bishan_gis.progress.counting`.

    Returns
    -------
    TimeGrid
        Aligned to whole multiples of the spacing, so that a part of the grid equals the whole there.

    Raises
    ------
    InputError
        The spacing is not above 0, or the grid would have more than 150 million points.
    """
    check_positive(step_m=step_m, off_network_m=off_network_m)
    reach = off_network_m + 1.5 * step_m
    where = entries(network, usable)
    stamped = where.enter
    b = edge_boxes(network) if boxes is None else boxes
    if bounds is None:
        low, high = (np.array([at(network.vertex_x), at(network.vertex_y)]) for at in (np.min, np.max))
        bounds = np.concatenate([low - reach, high + reach])
    else:
        west, south, east, north = bounds
        over = reach + step_m
        stamped = stamped & (b[0] <= east + over) & (b[2] >= west - over)
        stamped &= (b[1] <= north + over) & (b[3] >= south - over)
    x0, y0, rows, cols = grid_frame(bounds, step_m)
    if rows * cols > _MOST_POINTS:
        raise InputError(
            f"格网过大: {rows:,} x {cols:,} 个点;请加大格网间距 (现为 {step_m:g} m)",
            f"the grid is too large: {rows:,} x {cols:,} points; use a wider spacing (now {step_m:g} m)",
        )
    place = (x0, y0, float(step_m))

    def lay(edges: NDArray[np.int64], step: Callable[[int], None] | None) -> TimeGrid:
        edge = np.full((rows, cols), OFF_NETWORK, dtype=np.int32)
        grid = TimeGrid(*place, edge, np.zeros((rows, cols), np.float32), np.full((rows, cols), FAR), off_network_m)
        lines, out = (network.vertex_x, network.vertex_y, network.vertex_start), (edge, grid.fraction, grid.leg_m)

        def band(part: slice) -> None:
            low, high = y0 + step_m * part.start - reach - step_m, y0 + step_m * part.stop + reach
            some = edges[(b[1, edges] <= high) & (b[3, edges] >= low)]
            _stamp(*lines, some, x0, y0, step_m, reach, part.start, part.stop, *out)

        each_band(band, rows, threads=threads, step=step)
        return grid

    grid = lay(np.flatnonzero(stamped & ~where.island), step)
    if where.has_islands:
        remote = _remote(network, where, np.flatnonzero(stamped & where.island), max_snap_m - reach)
        if len(remote):
            _stay(network, where, grid, lay(remote, None), max_snap_m)
    return grid


def grid_frame(bounds: NDArray[np.float64], step_m: float) -> tuple[float, float, int, int]:
    """Return the first column and row [m], and the number of rows and columns of a grid.

    Parameters
    ----------
    bounds : ndarray of float64
        West, south, east, north [m].
    step_m : float
        Spacing [m]; the grid is aligned to whole multiples of it.
    """
    x0, y0 = (float(np.floor(low / step_m) * step_m) for low in bounds[:2])
    cols, rows = (int(np.ceil((high - low) / step_m)) + 1 for high, low in ((bounds[2], x0), (bounds[3], y0)))
    return x0, y0, rows, cols


def each_band(
    work: Callable[[slice], None], rows: int, *, threads: int, step: Callable[[int], None] | None = None
) -> None:
    """Do something for all rows of a grid, a band of them in each thread at a time.

    Parameters
    ----------
    work : callable
        Called with the rows of each band.
    rows : int
        Rows of the grid.
    threads : int
        Bands worked on at the same time.
    step : callable, optional
        Called with the rows that are done.
    """
    size = max(-(-rows // (4 * threads)), 1) if threads > 1 else max(rows, 1)
    bands = [slice(k, min(k + size, rows)) for k in range(0, rows, size)]
    in_threads(work, bands, threads=threads, sizes=[s.stop - s.start for s in bands], step=step)


def _remote(network: Network, where: Entries, islands: NDArray[np.int64], least_m: float) -> NDArray[np.int64]:
    """Return the edges of islands that may have a point so far from all other streets."""
    settled = where.tree(network, settled=True)
    _, distance = settled.tree.query_nearest(network.lines[islands], return_distance=True, all_matches=False)
    far: NDArray[np.int64] = islands[distance + network.edge_length_m[islands] > least_m]
    return far


def _stay(network: Network, where: Entries, grid: TimeGrid, other: TimeGrid, max_snap_m: float) -> None:
    """Leave ground on its island, in place, where no other street is near enough to take its people to."""
    import shapely

    at = np.nonzero((other.edge >= 0) & ((grid.edge < 0) | (grid.leg_m > max_snap_m)))
    points = shapely.points(grid.x()[at[1]], grid.y()[at[0]])
    alone = where.tree(network, settled=True).nearest(points, max_snap_m).edge == OFF_NETWORK
    rows, cols = at[0][alone], at[1][alone]
    for mine, theirs in ((grid.edge, other.edge), (grid.fraction, other.fraction), (grid.leg_m, other.leg_m)):
        mine[rows, cols] = theirs[rows, cols]


@njit(cache=True, nogil=True)
def _surface(  # type: ignore[no-untyped-def] # pragma: no cover
    edge, fraction, leg, node_u, node_v, end_u, end_v, delay, forward, backward, dist, t_start, t_f, t_ms, speed, out
):
    """Seconds from every grid point to the nearest destination; `t_*` hold those on each edge, `delay` may be None."""
    for i in range(edge.shape[0]):
        for j in range(edge.shape[1]):
            e = edge[i, j]
            if e < 0:
                continue
            f = fraction[i, j]
            best = np.int64(NOT_REACHED)
            u, v = end_u[e], end_v[e]
            if forward[e] >= 0 and dist[v] < NOT_REACHED:
                best = np.int64((1.0 - f) * forward[e]) + dist[v]
                if delay is not None:
                    best += delay[v]
            if backward[e] >= 0 and dist[u] < NOT_REACHED:
                back = np.int64(f * backward[e]) + dist[u]
                if delay is not None:
                    back += delay[u]
                best = min(best, back)
            # A point at a node may take every street there, and does not wait at its own node.
            if f <= 0.0:
                best = min(best, np.int64(dist[node_u[e]]))
            elif f >= 1.0:
                best = min(best, np.int64(dist[node_v[e]]))
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
    node_cost_ms : ndarray of int32, shape (n_states,)
        Cost from each state to the nearest destination [ms].
    destinations : EdgePlaces
        The destinations, for points on the same edge.
    box : tuple of slice
        Rows and columns wanted.

    Returns
    -------
    ndarray of float32
        Leg + streets + leg [s]; :data:`FAR` where not reached or no street is near.
    """
    costs.check(network, node_cost_ms)
    out = np.full(grid.edge[box].shape, FAR, dtype=np.float32)
    _surface(
        grid.edge[box],
        grid.fraction[box],
        grid.leg_m[box],
        network.edge_u,
        network.edge_v,
        costs.end_u,
        costs.end_v,
        None if costs.delay_ms is None else costs.state_delay_ms,
        costs.forward_ms,
        costs.backward_ms,
        node_cost_ms,
        destinations.start,
        destinations.fraction,
        destinations.leg_ms,
        costs.profile.leg_speed_ms,
        out,
    )
    return out
