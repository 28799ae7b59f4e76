"""The pieces that heights along an edge cut it into: all of one length, from node to sample to node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.network.graph import STRUCTURES, Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DECKS", "SHORTEST_M", "Pieces", "edge_pieces", "join_samples", "sample_points", "split_samples"]

#: Structures that do not follow the ground.
DECKS = (STRUCTURES.index("bridge"), STRUCTURES.index("tunnel"))
#: Shortest length that divides anything [m].
SHORTEST_M = 0.1


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of edges, edge by edge, on the way from u to v.

    Attributes
    ----------
    start : ndarray of int64, shape (m + 1,)
        Where the pieces of each edge begin; each edge has at least one.
    edge : ndarray of int64, shape (p,)
        Edge of each piece.
    begin, end : ndarray of int64, shape (p,)
        Points at its ends: nodes, then samples in the order of ``sample_elevation_m``.
    length_m : ndarray of float64, shape (p,)
        Length along the street [m].
    n_points : int
        Number of nodes and samples.
    """

    start: NDArray[np.int64]
    edge: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    length_m: NDArray[np.float64]
    n_points: int

    @property
    def count(self) -> NDArray[np.int64]:
        """Number of pieces of each edge."""
        return np.diff(self.start)

    def heights(self, network: Network) -> NDArray[np.float64]:
        """Return the height of every point [m], NaN where unknown."""
        inner = network.sample_elevation_m
        if self.n_points == network.n_nodes or inner is None:
            return network.node_elevation_m
        return np.concatenate([network.node_elevation_m, inner])

    def with_heights(self, network: Network, z: NDArray[np.float64]) -> Network:
        """Return the network with other heights at its points."""
        inner = z[network.n_nodes :] if len(z) > network.n_nodes else network.sample_elevation_m
        return replace(network, node_elevation_m=z[: network.n_nodes], sample_elevation_m=inner)

    def largest(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the largest value on each edge; for truth values whether any is true."""
        if len(values) == len(self.start) - 1:
            return values
        out: NDArray[Any] = np.maximum.reduceat(values, self.start[:-1])
        return out

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean on each edge; exactly the value where all pieces of the edge have the same."""
        if len(values) == len(self.start) - 1:
            return values
        first = values[self.start[:-1]]
        sums: NDArray[np.float64] = np.add.reduceat(values - first[self.edge], self.start[:-1])
        return first + sums / self.count

    def speed(self, piece: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return length over time of each edge from the speeds of its pieces; exact where they are all the same."""
        if len(piece) == len(self.start) - 1:
            return piece
        low = np.minimum.reduceat(piece, self.start[:-1])
        even = low == self.largest(piece)
        return np.where(even, low, 1 / self.mean(1 / piece))

    def shared(self, whole: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each piece has of its edge, by weight."""
        return whole[self.edge] * weight / (self.mean(weight) * self.count)[self.edge]


def edge_pieces(network: Network, *, samples: bool = True) -> Pieces:
    """Return the pieces of every edge.

    Parameters
    ----------
    network : Network
        Streets.
    samples : bool
        False: from node to node, whatever there is between them.

    Returns
    -------
    Pieces
        Bridges and tunnels run straight, and steps have a factor in place of a slope: they are one piece each.
    """
    m, n = network.n_edges, network.n_nodes
    u, v = network.edge_u.astype(np.int64), network.edge_v.astype(np.int64)
    first, heights = network.sample_start, network.sample_elevation_m
    if not samples or first is None or heights is None or not len(heights):
        return Pieces(np.arange(m + 1), np.arange(m), u, v, network.edge_length_m, n)
    count = np.where(_plain(network), np.diff(first) + 1, 1)
    start = np.zeros(m + 1, dtype=np.int64)
    np.cumsum(count, out=start[1:])
    edge = np.repeat(np.arange(m), count)
    place = np.arange(start[-1]) - start[edge]
    sample = n + first[edge] + place
    begin = np.where(place == 0, u[edge], sample - 1)
    end = np.where(place == count[edge] - 1, v[edge], sample)
    return Pieces(start, edge, begin, end, (network.edge_length_m / count)[edge], n + len(heights))


def sample_points(
    network: Network, step_m: float, *, edges: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return where heights within edges are taken: evenly along the street, its ends apart.

    Parameters
    ----------
    network : Network
        Streets.
    step_m : float
        Samples are at most this far apart [m]; 0: there are none.
    edges : ndarray of bool, shape (m,), optional
        Only on these; left out, on all but bridges, tunnels and steps.

    Returns
    -------
    start : ndarray of int64, shape (m + 1,)
        Where the samples of each edge begin.
    x, y : ndarray of float64
        Their places [m].
    """
    wanted = _plain(network) if edges is None else edges & _plain(network)
    count = np.zeros(network.n_edges, dtype=np.int64)
    if step_m > 0:
        count[wanted] = np.maximum(np.ceil(network.edge_length_m[wanted] / step_m - 1e-6), 1) - 1
    start = np.zeros(network.n_edges + 1, dtype=np.int64)
    np.cumsum(count, out=start[1:])
    edge = np.repeat(np.arange(network.n_edges), count)
    share = (np.arange(start[-1]) - start[edge] + 1) / (count[edge] + 1)
    vx, vy, first = network.vertex_x, network.vertex_y, network.vertex_start
    step = np.hypot(np.diff(vx), np.diff(vy))
    step[first[1:-1] - 1] = 0.0
    along = np.concatenate([[0.0], np.cumsum(step)])
    begin, last = along[first[edge]], along[first[edge + 1] - 1]
    at = begin + share * (last - begin)
    low = np.clip(np.searchsorted(along, at, side="right") - 1, first[edge], first[edge + 1] - 2)
    part = np.clip((at - along[low]) / np.maximum(along[low + 1] - along[low], 1e-9), 0.0, 1.0)
    return start, vx[low] + part * (vx[low + 1] - vx[low]), vy[low] + part * (vy[low + 1] - vy[low])


def split_samples(network: Network) -> list[list[float]]:
    """Return the heights within each edge, from u to v [m]; empty where there are none."""
    if network.sample_start is None or network.sample_elevation_m is None:
        return [[] for _ in range(network.n_edges)]
    return [part.tolist() for part in np.split(network.sample_elevation_m, network.sample_start[1:-1])]


def join_samples(heights: Sequence[Sequence[float]]) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Return ``sample_start`` and ``sample_elevation_m`` of edges, None where no edge has heights within it."""
    start = np.concatenate([[0], np.cumsum([len(h) for h in heights], dtype=np.int64)])
    if not start[-1]:
        return None, None
    return start, np.concatenate([np.asarray(h, dtype=np.float64) for h in heights])


def _plain(network: Network) -> NDArray[np.bool_]:
    """Edges that follow the ground and have a slope."""
    return ~np.isin(network.edge_structure, (*DECKS, STRUCTURES.index("steps")))
