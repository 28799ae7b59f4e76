"""Snapping: where on the streets a place is entered, and how far off them it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import InputError, SchemaError
from bishan_gis.network.graph import STRUCTURES, Network

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["OFF_NETWORK", "Snaps", "enterable", "find_islands", "snap_points"]

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
    moved : ndarray of bool, shape (k,), or None
        The nearest street was an island, and the point was taken to another; None where islands were not looked for.
    """

    edge: NDArray[np.int32]
    fraction: NDArray[np.float64]
    leg_m: NDArray[np.float64]
    moved: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.edge)

    def take(self, rows: NDArray[np.int64]) -> Snaps:
        """Return some of the points."""
        moved = None if self.moved is None else self.moved[rows]
        return Snaps(self.edge[rows], self.fraction[rows], self.leg_m[rows], moved)

    @property
    def n_moved(self) -> int:
        """Number of points that were not left on the island that is nearest to them."""
        return 0 if self.moved is None else int(self.moved.sum())


def enterable(network: Network, usable: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Return which edges can be entered along the way: usable ones but bridges and tunnels."""
    closed = [STRUCTURES.index("bridge"), STRUCTURES.index("tunnel")]
    out: NDArray[np.bool_] = ~np.isin(network.edge_structure, closed)
    return out if usable is None else out & usable


def find_islands(network: Network, island_m: float, *, usable: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Say which edges belong to a small part of the streets that is joined to nothing else.

    Parameters
    ----------
    network : Network
        Streets.
    island_m : float
        A part whose streets are shorter in all is an island [m].
    usable : ndarray of bool, optional
        Edges the traveller may use (``EdgeCosts.usable``); all where left out.

    Returns
    -------
    ndarray of bool, shape (m,)
        True on islands; edges that are not usable belong to no part. A part that goes on where the data ends (it has
        a frontier node) is none, however short it is.

    Notes
    -----
    Parts are weakly connected: one-way streets join whichever way they go. Nothing is an island where every part is
    shorter than `island_m`: the longest then stands for the streets.

    Examples
    --------
    A street of 300 m, and 50 m of path behind a fence:

    >>> import geopandas as gpd
    >>> from bishan_gis.network.graph import Network
    >>> lines = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 300 0)", "LINESTRING (0 9, 50 9)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame(geometry=lines))
    >>> find_islands(network, 200).tolist()
    [False, True]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, rows = network.n_nodes, np.arange(network.n_edges) if usable is None else np.flatnonzero(usable)
    out = np.zeros(network.n_edges, dtype=np.bool_)
    if len(rows) == 0 or island_m <= 0:
        return out
    u, v = network.edge_u[rows], network.edge_v[rows]
    ones = np.ones(len(rows), dtype=np.int8)
    count, part = connected_components(coo_array((ones, (u, v)), shape=(n, n)), directed=False)
    length = np.bincount(part[u], weights=network.edge_length_m[rows], minlength=count)
    small = length < min(island_m, length.max())
    small[part[network.node_frontier]] = False
    out[rows] = small[part[u]]
    return out


def snap_points(
    network: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    max_snap_m: float,
    usable: NDArray[np.bool_] | None = None,
    island_m: float | None = None,
) -> Snaps:
    """Snap points to the nearest place on any street that can be entered there.

    Bridges and tunnels are entered at their ends only. Of equally near edges the first one counts, so that
    the order of the points does not matter. A point at an island (a fenced estate drawn without its gate) is taken to
    the nearest street that belongs to none, where there is one within `max_snap_m`; else it stays.

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
    island_m : float, optional
        Parts of the streets shorter than this in all are islands, see :func:`find_islands` [m]; 0: none are. Left
        out, it is that of the network, if it has one.

    Returns
    -------
    Snaps
        One row per point; ``moved`` says which were taken off an island.

    Raises
    ------
    InputError
        `max_snap_m` is not above 0 (inf is), or `island_m` is below 0 or not a number.
    SchemaError
        A coordinate is missing or not a number.

    Examples
    --------
    A home at a path behind a fence, 20 m from the street:

    >>> import geopandas as gpd
    >>> from bishan_gis.network.graph import Network
    >>> lines = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 300 0)", "LINESTRING (0 15, 50 15)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame(geometry=lines))
    >>> snap_points(network, [10], [20], max_snap_m=100).leg_m.tolist()
    [5.0]
    >>> snaps = snap_points(network, [10], [20], max_snap_m=100, island_m=200)
    >>> snaps.edge.tolist(), snaps.leg_m.tolist(), snaps.n_moved
    ([0], [20.0], 1)
    """
    import shapely

    least = network.island_m if island_m is None else island_m
    for name, value, fits in (("island_m", least, least >= 0), ("max_snap_m", max_snap_m, max_snap_m > 0)):
        if not fits:
            zh, en = ("不小于", "0 or more") if name == "island_m" else ("大于", "more than 0")
            raise InputError(f"{name} = {value}: 须为{zh} 0 的米数", f"{name} = {value}: must be {en} metres")
    points: Any = shapely.points(_numbers(x, "x"), _numbers(y, "y"))
    enter = enterable(network, usable)
    snaps = _nearest(network, points, np.flatnonzero(enter), max_snap_m)
    island = find_islands(network, least, usable=usable)
    if not island.any():
        return snaps if least == 0 else replace(snaps, moved=np.zeros(len(snaps), dtype=np.bool_))
    on = np.flatnonzero((snaps.edge != OFF_NETWORK) & island[snaps.edge])
    other = _nearest(network, points[on], np.flatnonzero(enter & ~island), max_snap_m)
    found = other.edge != OFF_NETWORK
    moved = np.zeros(len(snaps), dtype=np.bool_)
    moved[on] = found
    for mine, theirs in ((snaps.edge, other.edge), (snaps.fraction, other.fraction), (snaps.leg_m, other.leg_m)):
        mine[moved] = theirs[found]
    return replace(snaps, moved=moved)


def _numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return coordinates as floats."""
    import pandas as pd

    raw = np.asarray(values)
    out = raw if raw.dtype.kind in "fiu" else pd.to_numeric(pd.Series(raw), errors="coerce").to_numpy(np.float64)
    odd = int((~np.isfinite(out)).sum())
    if odd:
        raise SchemaError(
            f"{name}: {odd} 个坐标缺失或不是数值;请补全",
            f"{name}: {odd} coordinates are missing or not numbers; complete them",
        )
    return np.asarray(out, dtype=np.float64)


def _nearest(network: Network, points: Any, among: NDArray[np.int64], max_snap_m: float) -> Snaps:
    """Snap points to the nearest of some edges."""
    import shapely

    k = len(points)
    edge = np.full(k, OFF_NETWORK, dtype=np.int32)
    fraction = np.zeros(k)
    leg = np.full(k, np.inf)
    if k == 0 or len(among) == 0:
        return Snaps(edge, fraction, leg)
    lines = network.lines[among]
    tree = shapely.STRtree(lines)
    found, distance = tree.query_nearest(points, max_distance=max_snap_m, all_matches=True, return_distance=True)
    which, candidate = found
    order = np.lexsort((candidate, which))
    which, candidate, distance = which[order], candidate[order], distance[order]
    first = np.r_[True, which[1:] != which[:-1]] if len(which) else np.zeros(0, dtype=bool)
    which, candidate, distance = which[first], candidate[first], distance[first]
    edge[which] = among[candidate]
    along = shapely.line_locate_point(lines[candidate], points[which])
    length = shapely.length(lines[candidate])
    fraction[which] = np.clip(along / np.maximum(length, 1e-9), 0.0, 1.0)
    leg[which] = distance
    return Snaps(edge, fraction, leg)
