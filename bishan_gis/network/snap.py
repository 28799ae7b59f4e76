"""Snapping: where on the streets a place is entered, and how far off them it lies."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from bishan_gis.errors import InputError, SchemaError
from bishan_gis.network.graph import STRUCTURES, Network
from bishan_gis.progress import Progress, counting

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["OFF_NETWORK", "EdgeTree", "Entries", "Snaps", "enterable", "entries", "find_islands", "snap_points"]

#: Edge of a point that lies too far from every street.
OFF_NETWORK = -1
#: Travellers (masks of usable edges) whose trees are kept per network.
_KEPT = 4
#: Sets of points whose places on the streets are kept per traveller.
_KEPT_POINTS = 4
#: Points snapped at once: a second's work can be counted, and ended.
_AT_ONCE = 4096


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

    def off_islands(self, island: NDArray[np.bool_], settled: Callable[[NDArray[np.int64]], Snaps]) -> Snaps:
        """Return the points with those at an island taken to a street that belongs to none, where one is near.

        Parameters
        ----------
        island : ndarray of bool
            Edges that are islands.
        settled : callable
            Snaps some of the points, given by their rows, to the edges that are none.
        """
        on = np.flatnonzero((self.edge != OFF_NETWORK) & island[self.edge])
        moved = np.zeros(len(self), dtype=np.bool_)
        if not len(on):
            return replace(self, moved=moved)
        other = settled(on)
        better = other.edge != OFF_NETWORK
        moved[on] = better
        edge, fraction, leg = self.edge.copy(), self.fraction.copy(), self.leg_m.copy()
        for mine, theirs in ((edge, other.edge), (fraction, other.fraction), (leg, other.leg_m)):
            mine[moved] = theirs[better]
        return Snaps(edge, fraction, leg, moved)

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


class EdgeTree:
    """Some edges in a tree, to find the nearest of them; read by any number of threads.

    Parameters
    ----------
    network : Network
        Streets.
    edges : ndarray of int64
        Which edges, rising.
    """

    def __init__(self, network: Network, edges: NDArray[np.int64]) -> None:
        import shapely

        self.edges = edges
        self.lines = network.lines_of(edges)
        for array in (self.edges, self.lines):
            array.setflags(write=False)
        self.tree = shapely.STRtree(self.lines)

    def nearest(self, points: Any, max_snap_m: float) -> Snaps:
        """Snap points to the nearest of the edges, the first of equally near ones.

        Parameters
        ----------
        points : ndarray of shapely.Point
            In the CRS of the network.
        max_snap_m : float
            Farther points are off the network [m].
        """
        import shapely

        k = len(points)
        edge = np.full(k, OFF_NETWORK, dtype=np.int32)
        fraction = np.zeros(k)
        leg = np.full(k, np.inf)
        if k == 0 or len(self.edges) == 0:
            return Snaps(edge, fraction, leg)
        found, distance = self.tree.query_nearest(
            points, max_distance=max_snap_m, all_matches=True, return_distance=True
        )
        which, candidate = found
        order = np.lexsort((candidate, which))
        which, candidate, distance = which[order], candidate[order], distance[order]
        first = np.r_[True, which[1:] != which[:-1]] if len(which) else np.zeros(0, dtype=bool)
        which, candidate, distance = which[first], candidate[first], distance[first]
        edge[which] = self.edges[candidate]
        along = shapely.line_locate_point(self.lines[candidate], points[which])
        length = shapely.length(self.lines[candidate])
        fraction[which] = np.clip(along / np.maximum(length, 1e-9), 0.0, 1.0)
        leg[which] = distance
        return Snaps(edge, fraction, leg)


class Entries:
    """Where one traveller enters the streets; made once for a network and its usable edges, see :func:`entries`.

    Parameters
    ----------
    network : Network
        Streets.
    usable : ndarray of bool or None
        Edges the traveller may use; None: all.
    island_m : float
        As for :func:`find_islands` [m].
    """

    def __init__(self, network: Network, usable: NDArray[np.bool_] | None, island_m: float) -> None:
        self.enter = enterable(network, usable)
        self.island = find_islands(network, island_m, usable=usable)
        self.has_islands = bool(self.island.any())
        self.enter.setflags(write=False)
        self.island.setflags(write=False)
        self._trees: dict[bool, EdgeTree] = {}
        self._snapped: OrderedDict[tuple[float, bytes], Snaps] = OrderedDict()
        self._lock = Lock()

    def tree(self, network: Network, *, settled: bool) -> EdgeTree:
        """Return the edges that can be entered, where `settled` but those of islands.

        Parameters
        ----------
        network : Network
            The network this was made for; it is not held, so that it can be forgotten.
        settled : bool
            Leave islands out.
        """
        key = settled and self.has_islands
        with self._lock:
            if key not in self._trees:
                among = self.enter & ~self.island if key else self.enter
                self._trees[key] = EdgeTree(network, np.flatnonzero(among))
            return self._trees[key]

    def snapped(
        self, points: NDArray[np.float64], max_snap_m: float, snap: Callable[[], Snaps], step: Callable[[int], None]
    ) -> Snaps:
        """Return where points meet the streets; the last sets of points are known by their coordinates.

        Parameters
        ----------
        points : ndarray of float64, shape (2, k)
            Coordinates [m].
        max_snap_m : float
            Farther points are off the network [m].
        snap : callable
            Finds it out, and counts the points.
        step : callable
            Called with the number of points where they are known.

        Returns
        -------
        Snaps
            Arrays of the caller's own.
        """
        key = (float(max_snap_m), blake2b(points.tobytes(), digest_size=16).digest())
        with self._lock:
            known = self._snapped.get(key)
        if known is None:
            known = snap()
        else:
            step(len(known))
        with self._lock:
            self._snapped[key] = known
            self._snapped.move_to_end(key)
            while len(self._snapped) > _KEPT_POINTS:
                self._snapped.popitem(last=False)
        return known.take(np.arange(len(known)))


_KNOWN: WeakKeyDictionary[Network, OrderedDict[tuple[float, bytes], Entries]] = WeakKeyDictionary()
_LOCK = Lock()


def entries(network: Network, usable: NDArray[np.bool_] | None = None, *, island_m: float | None = None) -> Entries:
    """Return where a traveller enters the streets: what can be entered, what is an island, and trees of both.

    Every function that snaps places or lays ground over the streets asks here, so that all leave out the same edges.

    Parameters
    ----------
    network : Network
        Streets.
    usable : ndarray of bool, optional
        Edges the traveller may use (``EdgeCosts.usable``); all where left out.
    island_m : float, optional
        As for :func:`find_islands` [m]; left out, that of the network.

    Returns
    -------
    Entries
        Kept for the network as long as it lives, for the last four travellers.
    """
    least = network.island_m if island_m is None else island_m
    key = (float(least), b"" if usable is None else blake2b(usable.tobytes(), digest_size=16).digest())
    with _LOCK:
        known = _KNOWN.setdefault(network, OrderedDict())
        if key in known:
            known.move_to_end(key)
            return known[key]
    made = Entries(network, usable, least)
    with _LOCK:
        made = known.setdefault(key, made)
        while len(known) > _KEPT:
            known.popitem(last=False)
    return made


def snap_points(
    network: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    max_snap_m: float,
    usable: NDArray[np.bool_] | None = None,
    island_m: float | None = None,
    progress: Progress | None = None,
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
    progress : callable or bool, optional
        Called with points done and in all; True draws a bar.

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
    least = network.island_m if island_m is None else island_m
    for name, value, fits in (("island_m", least, least >= 0), ("max_snap_m", max_snap_m, max_snap_m > 0)):
        if not fits:
            zh, en = ("不小于", "0 or more") if name == "island_m" else ("大于", "more than 0")
            raise InputError(f"{name} = {value}: 须为{zh} 0 的米数", f"{name} = {value}: must be {en} metres")
    at = np.stack([_numbers(x, "x"), _numbers(y, "y")])
    where = entries(network, usable, island_m=least)
    with counting(progress, at.shape[1], "snapping") as step:
        return where.snapped(at, max_snap_m, lambda: _snap(network, where, at, max_snap_m, least, step), step)


def _snap(
    network: Network,
    where: Entries,
    at: NDArray[np.float64],
    max_snap_m: float,
    least: float,
    step: Callable[[int], None],
) -> Snaps:
    """Snap points to the nearest street, and those at an island to the nearest that belongs to none."""
    import shapely

    points: Any = shapely.points(*at)
    tree = where.tree(network, settled=False)
    parts = [points[a : a + _AT_ONCE] for a in range(0, len(points), _AT_ONCE)] or [points]
    found = []
    for part in parts:
        found.append(tree.nearest(part, max_snap_m))
        step(len(part))
    snaps = Snaps(*(np.concatenate([getattr(s, name) for s in found]) for name in ("edge", "fraction", "leg_m")))
    if not where.has_islands:
        return snaps if least == 0 else replace(snaps, moved=np.zeros(len(snaps), dtype=np.bool_))
    return snaps.off_islands(where.island, lambda on: where.tree(network, settled=True).nearest(points[on], max_snap_m))


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
