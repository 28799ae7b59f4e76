"""The network as a search sees it: links by node, where a search starts, where it may end.

Costs are integer milliseconds, so no error accumulates and every result can be compared with an oracle
for equality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.network.costs import BLOCKED, EdgeCosts
from bishan_gis.network.snap import OFF_NETWORK, Snaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.graph import Network

__all__ = ["NOT_REACHED", "NO_LIMIT", "EdgePlaces", "Seeds", "StarGraph", "by_edge", "leg_costs", "snap_seeds"]

#: Cost of a node or origin that no path reaches; node costs are 32 bits wide, because memory is what is slow.
NOT_REACHED = 2**31 - 1
#: A limit that is never met.
NO_LIMIT = 2**31 - 2
_MAX_NODES = 1 << 23


@dataclass(frozen=True, eq=False)
class StarGraph:
    """Forward star: the links that leave each node.

    Attributes
    ----------
    start : ndarray of int64, shape (n + 1,)
        Where the links of each node begin.
    target : ndarray of int32
        Other end of each link.
    cost_ms : ndarray of int32
        Cost of each link [ms].
    """

    start: NDArray[np.int64]
    target: NDArray[np.int32]
    cost_ms: NDArray[np.int32]

    @classmethod
    def from_network(cls, network: Network, costs: EdgeCosts, *, reverse: bool = False) -> StarGraph:
        """Build the star of a network.

        Parameters
        ----------
        network : Network
            Streets.
        costs : EdgeCosts
            Their costs.
        reverse : bool
            Turn every link round: a search from the destinations then gives the cost *to* them.
        """
        go, back = costs.forward_ms != BLOCKED, costs.backward_ms != BLOCKED
        tail = np.concatenate([network.edge_u[go], network.edge_v[back]])
        head = np.concatenate([network.edge_v[go], network.edge_u[back]])
        cost = np.concatenate([costs.forward_ms[go], costs.backward_ms[back]])
        if reverse:
            tail, head = head, tail
        return cls.from_links(network.n_nodes, tail, head, cost)

    @classmethod
    def from_links(
        cls, n: int, tail: NDArray[np.int32], head: NDArray[np.int32], cost_ms: NDArray[np.int64]
    ) -> StarGraph:
        """Build a star from links given one by one; costs must be positive.

        Raises
        ------
        ValueError
            More than 8,388,608 nodes: the bounded search packs a node into 23 bits.
        """
        if n > _MAX_NODES:
            msg = f"{n:,} nodes; the kernels hold {_MAX_NODES:,}"
            raise ValueError(msg)
        order = np.lexsort((cost_ms, head, tail))
        start = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(tail, minlength=n), out=start[1:])
        return cls(start, head[order].astype(np.int32), cost_ms[order].astype(np.int32))

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.start) - 1

    @property
    def buckets(self) -> tuple[int, int]:
        """Width of a search bucket in bits (a quarter to half of the mean cost), and how many there are."""
        if len(self.cost_ms) == 0:
            return 0, 2
        shift = max(int(self.cost_ms.mean()).bit_length() - 2, 0)
        return shift, 1 << ((int(self.cost_ms.max()) >> shift) + 2).bit_length()


@dataclass(frozen=True, eq=False)
class Seeds:
    """Where a search starts: nodes, the cost already paid there [ms], and whom they belong to."""

    node: NDArray[np.int32]
    cost_ms: NDArray[np.int64]
    label: NDArray[np.int32]


def snap_seeds(network: Network, costs: EdgeCosts, snaps: Snaps, label: NDArray[np.int32], *, arrive: bool) -> Seeds:
    """Turn snapped places into seeds at both ends of their edges.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    snaps : Snaps
        Places; those off the network give no seed.
    label : ndarray of int32
        Whom each place belongs to.
    arrive : bool
        True: the cost from the node to the place (search the reversed star);
        False: from the place to the node.
    """
    on = np.flatnonzero(snaps.edge != OFF_NETWORK)
    edge, f = snaps.edge[on], snaps.fraction[on]
    leg = costs.profile.leg_ms(snaps.leg_m[on])
    to_u, to_v = costs.backward_ms[edge], costs.forward_ms[edge]
    if arrive:
        to_u, to_v = to_v, to_u
    ok_u, ok_v = to_u != BLOCKED, to_v != BLOCKED
    node = np.concatenate([network.edge_u[edge][ok_u], network.edge_v[edge][ok_v]])
    cost = np.concatenate(
        [
            (leg + np.rint(f * to_u).astype(np.int64))[ok_u],
            (leg + np.rint((1 - f) * to_v).astype(np.int64))[ok_v],
        ]
    )
    who = np.concatenate([label[on][ok_u], label[on][ok_v]])
    return Seeds(node.astype(np.int32), cost, who.astype(np.int32))


@dataclass(frozen=True, eq=False)
class EdgePlaces:
    """Snapped places listed edge by edge.

    Attributes
    ----------
    start : ndarray of int64, shape (edges + 1,)
        Where the list of each edge begins.
    fraction, leg_ms, label : ndarray
        Position along the edge, cost of the leg [ms], whom it belongs to.
    """

    start: NDArray[np.int64]
    fraction: NDArray[np.float64]
    leg_ms: NDArray[np.int64]
    label: NDArray[np.int32]


def leg_costs(costs: EdgeCosts, places: Snaps) -> NDArray[np.int64]:
    """Return the cost of the leg between each place and its street [ms]; 0 off the network."""
    legs = np.zeros(len(places), dtype=np.int64)
    on = places.edge != OFF_NETWORK
    legs[on] = costs.profile.leg_ms(places.leg_m[on])
    return legs


def by_edge(network: Network, costs: EdgeCosts, places: Snaps, label: NDArray[np.int32] | None = None) -> EdgePlaces:
    """List snapped places edge by edge; those off the network are left out, and labels default to 0."""
    label = np.zeros(len(places), dtype=np.int32) if label is None else label.astype(np.int32)
    on = np.flatnonzero(places.edge != OFF_NETWORK)
    order = on[np.lexsort((label[on], places.edge[on]))]
    start = np.zeros(network.n_edges + 1, dtype=np.int64)
    np.cumsum(np.bincount(places.edge[order], minlength=network.n_edges), out=start[1:])
    return EdgePlaces(start, places.fraction[order], costs.profile.leg_ms(places.leg_m[order]), label[order])
