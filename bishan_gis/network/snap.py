"""Snapping: where on the streets a place is entered, and how far off them it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.network.graph import STRUCTURES, Network

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["OFF_NETWORK", "Snaps", "enterable", "snap_points"]

#: Edge of a point that lies too far from every street.
OFF_NETWORK = -1


@dataclass(frozen=True, eq=False)
class Snaps:
    """Points on edges.

    Attributes
    ----------
    edge : ndarray of int32, shape (k,)
        Edge, or :data:`OFF_NETWORK`.
    fraction : ndarray of float64, shape (k,)
        Position along the edge from u (0) to v (1).
    leg_m : ndarray of float64, shape (k,)
        Straight distance from the point to the street [m]; inf off the network.
    """

    edge: NDArray[np.int32]
    fraction: NDArray[np.float64]
    leg_m: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.edge)

    def take(self, rows: NDArray[np.int64]) -> Snaps:
        """Return some of the points."""
        return Snaps(self.edge[rows], self.fraction[rows], self.leg_m[rows])


def enterable(network: Network, usable: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Return which edges can be entered along the way: usable ones but bridges and tunnels."""
    closed = [STRUCTURES.index("bridge"), STRUCTURES.index("tunnel")]
    out: NDArray[np.bool_] = ~np.isin(network.edge_structure, closed)
    return out if usable is None else out & usable


def snap_points(
    network: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    max_snap_m: float,
    usable: NDArray[np.bool_] | None = None,
) -> Snaps:
    """Snap points to the nearest place on any street that can be entered there.

    Bridges and tunnels are entered at their ends only. Of equally near edges the first one counts, so that
    the order of the points does not matter.

    Parameters
    ----------
    network : Network
        Streets.
    x, y : array_like of float, shape (k,)
        Points in the CRS of the network [m].
    max_snap_m : float
        Farther points are off the network [m].
    usable : ndarray of bool, optional
        Edges the traveller may use (``EdgeCosts.usable``); all where left out.

    Returns
    -------
    Snaps
        One row per point.
    """
    import shapely

    points: Any = shapely.points(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    k = len(points)
    edge = np.full(k, OFF_NETWORK, dtype=np.int32)
    fraction = np.zeros(k)
    leg = np.full(k, np.inf)
    open_edges = np.flatnonzero(enterable(network, usable))
    if k == 0 or len(open_edges) == 0:
        return Snaps(edge, fraction, leg)
    lines = network.lines[open_edges]
    tree = shapely.STRtree(lines)
    found, distance = tree.query_nearest(points, max_distance=max_snap_m, all_matches=True, return_distance=True)
    which, candidate = found
    order = np.lexsort((candidate, which))
    which, candidate, distance = which[order], candidate[order], distance[order]
    first = np.r_[True, which[1:] != which[:-1]] if len(which) else np.zeros(0, dtype=bool)
    which, candidate, distance = which[first], candidate[first], distance[first]
    edge[which] = open_edges[candidate]
    along = shapely.line_locate_point(lines[candidate], points[which])
    length = shapely.length(lines[candidate])
    fraction[which] = np.clip(along / np.maximum(length, 1e-9), 0.0, 1.0)
    leg[which] = distance
    return Snaps(edge, fraction, leg)
