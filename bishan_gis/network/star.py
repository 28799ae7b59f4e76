"""The network as a search sees it: links by node, where a search starts, where it may end.

Costs are integer milliseconds, so no error accumulates and every result can be compared with an oracle
for equality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.errors import InputError
from bishan_gis.network.costs import BLOCKED, EdgeCosts
from bishan_gis.network.ragged import positions
from bishan_gis.network.snap import OFF_NETWORK, Snaps

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from bishan_gis.network.graph import Network

__all__ = [
    "NOT_REACHED",
    "NO_LIMIT",
    "EdgePlaces",
    "Seeds",
    "StarGraph",
    "by_edge",
    "junction_nodes",
    "leg_costs",
    "list_places",
    "snap_seeds",
]

#: Cost of a node or origin that no path reaches; node costs are 32 bits wide, because memory is what is slow.
NOT_REACHED = 2**31 - 1
#: A limit that is never met.
NO_LIMIT = 2**31 - 2
_MAX_NODES = 1 << 23
#: A place so near to the end of its edge, as a share of its length, stands at the node.
_AT_END = 1e-9


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
        """Build the star of a network: one link per way to go on from a state, wait at its end included.

        Parameters
        ----------
        network : Network
            Streets.
        costs : EdgeCosts
            Their costs.
        reverse : bool
            Turn every link round: a search from the destinations then gives the cost *to* them.
        """
        go, back = np.flatnonzero(costs.forward_ms != BLOCKED), np.flatnonzero(costs.backward_ms != BLOCKED)
        tail = np.concatenate([network.edge_u[go], network.edge_v[back]])
        head = np.concatenate([costs.end_v[go], costs.end_u[back]])
        cost = np.concatenate([costs.forward_ms[go], costs.backward_ms[back]])
        if costs.delay_ms is not None:
            cost += costs.delay_ms[costs.state_node[head]]
        edge = np.concatenate([go, back])
        row, tail = costs.states.leaving(tail, edge)
        head, cost = costs.states.arriving(tail, edge[row], head[row]), cost[row]
        if reverse:
            tail, head = head, tail
        return cls.from_links(costs.n_states, tail, head, cost)

    @classmethod
    def from_links(
        cls, n: int, tail: NDArray[np.int32], head: NDArray[np.int32], cost_ms: NDArray[np.int64]
    ) -> StarGraph:
        """Build a star from links given one by one; costs must be positive.

        Raises
        ------
        ValueError
            More than 8,388,608 nodes: the bounded search packs a node into 23 bits.
        InputError
            A link takes more than 596 hours, wait included: sums are counted in 64 bits, links and what is found in 32.
        """
        if n > _MAX_NODES:
            msg = f"{n:,} nodes; the kernels hold {_MAX_NODES:,}"
            raise ValueError(msg)
        if len(cost_ms) and cost_ms.max() > NO_LIMIT:
            many, most = int((cost_ms > NO_LIMIT).sum()), int(cost_ms.max()) // 3_600_000
            raise InputError(
                f"costs: {many} 个方向的路段连同节点等待超过 596 小时 (最长 {most} 小时);请检查长度、速度和 delays",
                f"costs: {many} edges with the wait at their end take more than 596 hours (the longest {most}); check "
                "lengths, speeds and delays",
            )
        start = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(tail, minlength=n), out=start[1:])
        target, cost = _sort_links(n, tail, head, cost_ms)
        return cls(start, target.astype(np.int32), cost.astype(np.int32))

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


def _sort_links(
    n: int, tail: NDArray[np.int32], head: NDArray[np.int32], cost_ms: NDArray[np.int64]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return heads and costs of links sorted by tail, head and cost: as one number each where 63 bits hold it."""
    of_node, of_cost = n.bit_length(), int(cost_ms.max(initial=0)).bit_length()
    if 2 * of_node + of_cost > 63:
        order = np.lexsort((cost_ms, head, tail))
        return head[order], cost_ms[order]
    key = (((tail.astype(np.int64) << of_node) | head) << of_cost) | cost_ms
    key.sort()
    return (key >> of_cost) & ((1 << of_node) - 1), key & ((1 << of_cost) - 1)


@dataclass(frozen=True, eq=False)
class Seeds:
    """Where a search starts: states of nodes, the cost already paid there [ms], and whom they belong to."""

    node: NDArray[np.int32]
    cost_ms: NDArray[np.int64]
    label: NDArray[np.int32]


def junction_nodes(costs: EdgeCosts, places: Snaps) -> NDArray[np.int32]:
    """Say which places stand at a node: those at an end of their edge.

    Such a place belongs to the node, not to that one edge. Who leaves it may take every street there; who arrives has
    arrived by whichever street; the wait of its own node is not paid.

    Parameters
    ----------
    costs : EdgeCosts
        For the ends of the edges.
    places : Snaps
        Places.

    Returns
    -------
    ndarray of int32, shape (len(places),)
        Node; -1 along an edge and off the network.
    """
    node = np.full(len(places), -1, dtype=np.int32)
    on, f = places.edge != OFF_NETWORK, places.fraction
    for end, there in ((costs.end_u, f <= _AT_END), (costs.end_v, f >= 1 - _AT_END)):
        rows = np.flatnonzero(on & there)
        node[rows] = costs.state_node[end[places.edge[rows]]]
    return node


def list_places(
    network: Network, costs: EdgeCosts, places: Snaps
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """List every edge on which a place is met without passing a node.

    That is its own edge; for a place at a node where one waits, every street there: who comes by any of them is at the
    place before the wait.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    places : Snaps
        Places; those off the network are left out.

    Returns
    -------
    row : ndarray of int64
        Row of `places`.
    edge : ndarray of int32
        Edge.
    fraction : ndarray of float64
        Position along it.
    """
    rows = np.flatnonzero(places.edge != OFF_NETWORK)
    if costs.delay_ms is None:
        return rows, places.edge[rows], places.fraction[rows]
    node = junction_nodes(costs, places)
    waits = (node >= 0) & (costs.delay_ms[node] > 0)
    rows = rows[~waits[rows]]
    row, edge, fraction = [rows], [places.edge[rows]], [places.fraction[rows]]
    many = np.flatnonzero(waits)
    many = many[np.argsort(node[many], kind="stable")]
    wanted = np.zeros(network.n_nodes, dtype=np.bool_)
    wanted[node[many]] = True
    for ends, f in ((network.edge_u, 0.0), (network.edge_v, 1.0)):
        there = np.flatnonzero(wanted[ends])
        low = np.searchsorted(node[many], ends[there])
        count = np.searchsorted(node[many], ends[there], side="right") - low
        at = positions(low, count)
        row.append(many[at])
        edge.append(np.repeat(there, count).astype(np.int32))
        fraction.append(np.full(len(at), f))
    return np.concatenate(row), np.concatenate(edge), np.concatenate(fraction)


def _further_states(costs: EdgeCosts, node: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the states of nodes beside the nodes themselves, and of which row of `node` each of them is."""
    n = costs.states.n_nodes
    low = np.searchsorted(costs.state_node[n:], node)
    count = np.searchsorted(costs.state_node[n:], node, side="right") - low
    row = np.repeat(np.arange(len(node)), count)
    state = n + positions(low, count)
    return row, state.astype(np.int32)


def snap_seeds(
    network: Network,
    costs: EdgeCosts,
    snaps: Snaps,
    label: NDArray[np.int32],
    *,
    arrive: bool,
    offset_ms: ArrayLike | None = None,
) -> Seeds:
    """Turn snapped places into seeds at both ends of their edges, or at the node they stand at.

    Who leaves a place pays the wait at the end of its edge and arrives there in the state of that edge; who arrives
    at a place pays no wait for it and may come from every state of the end that lets the edge be taken. Places at a
    node are those of :func:`junction_nodes`.

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
    offset_ms : array_like of int, optional
        What each place, or all of them, costs besides [ms], e.g. the turn-out of a fire station; 0 or more.

    Returns
    -------
    Seeds
        A place may have several.
    """
    leg, standing = leg_costs(costs, snaps, offset_ms), junction_nodes(costs, snaps)
    at = np.flatnonzero(standing >= 0)
    node, cost, who = [standing[at]], [leg[at]], [label[at]]
    if arrive:
        row, edge, f = list_places(network, costs, snaps)
        if costs.delay_ms is None:
            along = standing[row] < 0
            row, edge, f = row[along], edge[along], f[along]
        again, state = _further_states(costs, standing[at])
        node, cost, who = [*node, state], [*cost, leg[at[again]]], [*who, label[at[again]]]
    else:
        row = np.flatnonzero((standing < 0) & (snaps.edge != OFF_NETWORK))
        edge, f = snaps.edge[row], snaps.fraction[row]
    to_u, to_v = costs.backward_ms[edge], costs.forward_ms[edge]
    if arrive:
        to_u, to_v = to_v, to_u
    ends = ((network.edge_u, costs.end_u, to_u, f), (network.edge_v, costs.end_v, to_v, 1 - f))
    for street_end, end, whole, part in ends:
        # Whoever is at the node of a place has already arrived.
        ok = (whole != BLOCKED) & (street_end[edge] != standing[row])
        paid = leg[row[ok]] + np.rint(part[ok] * whole[ok]).astype(np.int64)
        owner = label[row[ok]]
        if arrive:
            again, state = costs.states.leaving(street_end[edge[ok]], edge[ok])
            paid, owner = paid[again], owner[again]
        else:
            state = end[edge[ok]]
            if costs.delay_ms is not None:
                paid += costs.delay_ms[costs.state_node[state]]
        node.append(state)
        cost.append(paid)
        who.append(owner)
    return Seeds(np.concatenate(node).astype(np.int32), np.concatenate(cost), np.concatenate(who).astype(np.int32))


@dataclass(frozen=True, eq=False)
class EdgePlaces:
    """Snapped places listed edge by edge.

    Attributes
    ----------
    start : ndarray of int64, shape (edges + 1,)
        Where the list of each edge begins.
    fraction, leg_ms, label : ndarray
        Position along the edge, cost of the leg and of what the place costs besides [ms], whom it belongs to.
    """

    start: NDArray[np.int64]
    fraction: NDArray[np.float64]
    leg_ms: NDArray[np.int64]
    label: NDArray[np.int32]


def leg_costs(costs: EdgeCosts, places: Snaps, offset_ms: ArrayLike | None = None) -> NDArray[np.int64]:
    """Return the cost of the leg between each place and its street, and what the place costs besides [ms].

    Parameters
    ----------
    costs : EdgeCosts
        For the speed off the network.
    places : Snaps
        Places; those off the network get 0.
    offset_ms : array_like of int, optional
        What each place, or all of them, costs besides [ms]; 0 or more.

    Returns
    -------
    ndarray of int64, shape (len(places),)
        Costs [ms].

    Raises
    ------
    ValueError
        An offset is below 0 or not a number, or there are not as many as places.
    """
    legs = np.zeros(len(places), dtype=np.int64)
    on = places.edge != OFF_NETWORK
    legs[on] = costs.profile.leg_ms(places.leg_m[on])
    if offset_ms is not None:
        extra = np.broadcast_to(np.asarray(offset_ms, dtype=np.float64), len(places))
        if not (extra >= 0).all() or not np.isfinite(extra).all():
            msg = "offset_ms must be 0 or more for every place"
            raise ValueError(msg)
        legs[on] += np.rint(extra[on]).astype(np.int64)
    return legs


def by_edge(
    network: Network,
    costs: EdgeCosts,
    places: Snaps,
    label: NDArray[np.int32] | None = None,
    *,
    offset_ms: ArrayLike | None = None,
) -> EdgePlaces:
    """List snapped places edge by edge, for trips that stay on one edge; see :func:`list_places`.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    places : Snaps
        Places; those off the network are left out.
    label : ndarray of int32, optional
        Whom each place belongs to; 0 where left out.
    offset_ms : array_like of int, optional
        What each place, or all of them, costs besides [ms]; 0 or more.

    Returns
    -------
    EdgePlaces
        By edge, then label.
    """
    label = np.zeros(len(places), dtype=np.int32) if label is None else label.astype(np.int32)
    row, edge, fraction = list_places(network, costs, places)
    order = np.lexsort((label[row], edge))
    row, edge, fraction = row[order], edge[order], fraction[order]
    start = np.zeros(network.n_edges + 1, dtype=np.int64)
    np.cumsum(np.bincount(edge, minlength=network.n_edges), out=start[1:])
    return EdgePlaces(start, fraction, leg_costs(costs, places, offset_ms)[row], label[row])
