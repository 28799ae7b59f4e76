"""The vertices of streets on flat arrays, and where streets are cut: shared nodes, barriers, controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.sources.osm import OsmData

__all__ = ["Vertices"]


class Vertices:
    """The vertices of the open ways, without gaps, repetitions and zero-length segments.

    Parameters
    ----------
    osm : OsmData
        The lines.
    allow : ndarray of bool
        Which ways are open.
    way : ndarray of int32
        Way of each vertex, by position.
    x, y : ndarray of float64
        Position of each vertex [m]; NaN where missing.
    left_out : dict
        Takes the counts of what is dropped.

    Notes
    -----
    ``way, piece, node, vertex_x, vertex_y`` are per vertex: ``piece`` numbers the uncut parts of ways, ``node``
    counts from 0. ``osmid, x, y, frontier, blocked, code`` are per node; ``ids, dense`` is every OSM node with the
    node it became. Nodes that are inserted have the OSM id of another.
    """

    def __init__(
        self,
        osm: OsmData,
        allow: NDArray[np.bool_],
        way: NDArray[np.int32],
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        left_out: dict[str, int],
    ) -> None:
        is_open, located = allow[way], np.isfinite(x)
        left_out["missing_nodes"] = int((is_open & ~located).sum())
        same = way[1:] == way[:-1]
        by_gap = np.zeros(len(way), dtype=bool)
        by_gap[1:] |= same & ~located[:-1]
        by_gap[:-1] |= same & ~located[1:]
        index = np.flatnonzero(is_open & located)
        new = np.ones(len(index), dtype=bool)
        new[1:] = (way[index[1:]] != way[index[:-1]]) | (np.diff(index) != 1)
        self.way, self.piece = way[index], np.cumsum(new, dtype=np.int32)
        self.vertex_x, self.vertex_y = x[index], y[index]
        self.osmid, self.node = np.unique(osm.way_ref[index], return_inverse=True)
        self.ids, self.dense = self.osmid, np.arange(len(self.osmid))
        self.frontier = np.zeros(len(self.osmid), dtype=bool)
        self.frontier[self.node[by_gap[index]]] = True
        self.blocked = np.zeros(len(self.osmid), dtype=bool)
        self.code = np.zeros(len(self.osmid), dtype=np.uint8)
        left_out["repeated_nodes"] = self._drop(self._follows(self.node[1:] == self.node[:-1]))

    @property
    def x(self) -> NDArray[np.float64]:
        """Easting of each node [m]."""
        return self._of_nodes(self.vertex_x)

    @property
    def y(self) -> NDArray[np.float64]:
        """Northing of each node [m]."""
        return self._of_nodes(self.vertex_y)

    def _of_nodes(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros(len(self.osmid))
        out[self.node] = values
        return out

    def _follows(self, same: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which vertices repeat the one before them in their piece."""
        out = np.zeros(len(self.piece), dtype=bool)
        out[1:] = same & (self.piece[1:] == self.piece[:-1])
        return out

    def _drop(self, which: NDArray[np.bool_]) -> int:
        for name in ("way", "piece", "vertex_x", "vertex_y", "node"):
            setattr(self, name, getattr(self, name)[~which])
        return int(which.sum())

    def block(self, barriers: NDArray[np.int64]) -> None:
        """Mark the nodes that no one passes."""
        self.blocked = np.isin(self.osmid, barriers)

    def control(self, ids: NDArray[np.int64], codes: NDArray[np.uint8]) -> None:
        """Mark the nodes that hold travellers."""
        used = np.isin(ids, self.osmid)
        self.code[np.searchsorted(self.osmid, ids[used])] = codes[used]

    def places(self, ids: set[int], node: NDArray[np.int64]) -> dict[int, tuple[int, ...]]:
        """Return the nodes of the network that stand for some OSM nodes; `node` is the dense node behind each."""
        wanted = np.array(sorted(ids), dtype=np.int64)
        wanted = wanted[np.isin(wanted, self.ids)]
        dense = self.dense[np.searchsorted(self.ids, wanted)]
        rows = np.flatnonzero(np.isin(node, dense))
        at: dict[int, list[int]] = {}
        for row, one in zip(rows.tolist(), node[rows].tolist(), strict=True):
            at.setdefault(one, []).append(row)
        return {i: tuple(at.get(d, ())) for i, d in zip(wanted.tolist(), dense.tolist(), strict=True)}

    def merge(self) -> int:
        """Make one node of nodes at one place that a way joins."""
        at = (self.vertex_x[1:] == self.vertex_x[:-1]) & (self.vertex_y[1:] == self.vertex_y[:-1])
        zero = self._follows(at)
        if not zero.any():
            return 0
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        second = np.flatnonzero(zero)
        pair, n = (self.node[second - 1], self.node[second]), len(self.osmid)
        label = connected_components(coo_array((np.ones(len(second)), pair), shape=(n, n)), directed=False)[1]
        first = np.unique(label, return_index=True)[1]
        self.node, self.osmid = label[self.node].astype(np.int64), self.osmid[first]
        self.dense, code = label[self.dense], np.zeros(len(first), dtype=np.uint8)
        np.maximum.at(code, label, self.code)
        self.code = code
        self.frontier = np.bincount(label, weights=self.frontier) > 0
        self.blocked = np.bincount(label, weights=self.blocked) > 0
        return self._drop(zero)

    def drop_lone(self) -> int:
        """Drop pieces of a single vertex."""
        return self._drop(np.bincount(self.piece)[self.piece] == 1) if len(self.piece) else 0

    def insert(self, places: list[tuple[int, float, int, int]]) -> None:
        """Put nodes into streets.

        Parameters
        ----------
        places : list of (int, float, int, int)
            The vertex it follows, the share of the way to the next, the node whose OSM id it gets, its control.
        """
        places = sorted(places)
        after = np.array([p[0] for p in places], dtype=np.int64)
        share = np.array([p[1] for p in places])
        like = np.array([p[2] for p in places], dtype=np.int64)
        new = len(self.osmid) + np.arange(len(places))
        x, y = (v[after] + share * (v[after + 1] - v[after]) for v in (self.vertex_x, self.vertex_y))
        for name, values in (("vertex_x", x), ("vertex_y", y), ("node", new)):
            setattr(self, name, np.insert(getattr(self, name), after + 1, values))
        for name in ("way", "piece"):
            own = getattr(self, name)
            setattr(self, name, np.insert(own, after + 1, own[after]))
        none = np.zeros(len(places), dtype=bool)
        self.osmid = np.concatenate([self.osmid, self.osmid[like]])
        self.frontier, self.blocked = np.concatenate([self.frontier, none]), np.concatenate([self.blocked, none])
        self.code = np.concatenate([self.code, np.array([p[3] for p in places], dtype=np.uint8)])

    def cut(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first and last vertex of every edge."""
        if not len(self.piece):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        first = np.ones(len(self.piece), dtype=bool)
        first[1:] = self.piece[1:] != self.piece[:-1]
        last = np.roll(first, -1)
        shared = (np.bincount(self.node, minlength=len(self.osmid)) > 1) | self.blocked | (self.code > 0)
        stop = np.flatnonzero(first | last | shared[self.node])
        inside = self.piece[stop[:-1]] == self.piece[stop[1:]]
        return stop[:-1][inside], stop[1:][inside]
