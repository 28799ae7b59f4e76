"""Forbidden turns: search states that remember by which edge one came, only where that matters.

A search over nodes cannot tell how it got to a node. Where a turn is forbidden, those who come by its first edge
arrive in a state of their own, from which the forbidden edges do not leave; everybody else arrives in the state of
the node itself, whose number is the node's. A network without forbidden turns has no other states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SearchStates", "build_states"]


@dataclass(frozen=True, eq=False)
class SearchStates:
    """The states of a search.

    Attributes
    ----------
    n_nodes : int
        Number of nodes; states 0 to ``n_nodes - 1`` are the nodes themselves, from which every edge may be taken.
    node : ndarray of int32, shape (n_states,)
        Node of each state; those of the further states rise.
    end_u, end_v : ndarray of int32, shape (m,)
        State in which one arrives at u along each edge (backward), and at v (forward).
    turns : ndarray of int32, shape (t, 3)
        Forbidden turns, each once: edge one comes by, node, edge one may not go on by.
    closed : ndarray of int64, shape (t,)
        ``state * m + edge`` of every edge that may not be taken from a state, rising.
    """

    n_nodes: int
    node: NDArray[np.int32]
    end_u: NDArray[np.int32]
    end_v: NDArray[np.int32]
    turns: NDArray[np.int32]
    closed: NDArray[np.int64]

    @property
    def n_states(self) -> int:
        """Number of states: nodes, and one for each edge and node at which a turn is forbidden."""
        return len(self.node)

    def leaving(self, node: NDArray[np.int32], edge: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """List the states of a node from which an edge may be taken.

        Parameters
        ----------
        node, edge : ndarray, shape (k,)
            Nodes, and an edge of each.

        Returns
        -------
        row : ndarray of int64
            Row of the input; all rows in order first, then those again that have further states.
        state : ndarray of int32
            A state of that node from which that edge may be taken; the nodes themselves come first.
        """
        rows = np.arange(len(node))
        if self.n_states == self.n_nodes:
            return rows, node.astype(np.int32, copy=False)
        further = self.node[self.n_nodes :]
        low, high = np.searchsorted(further, node), np.searchsorted(further, node, side="right")
        again = np.repeat(rows, high - low)
        offset = np.arange(len(again)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
        state = self.n_nodes + low[again] + offset
        free = ~np.isin(state * len(self.end_u) + edge[again], self.closed)
        return np.concatenate([rows, again[free]]), np.concatenate([node, state[free]]).astype(np.int32)

    def reversed(self) -> SearchStates:
        """Return the states of the same streets travelled the other way round: from and to exchanged."""
        return build_states(self.n_nodes, self.node[self.end_u], self.node[self.end_v], self.turns[:, ::-1])


def build_states(
    n_nodes: int, edge_u: NDArray[np.int32], edge_v: NDArray[np.int32], turns: NDArray[np.int32] | None = None
) -> SearchStates:
    """Give those who come by an edge with a forbidden turn a state of their own.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    edge_u, edge_v : ndarray of int32, shape (m,)
        First and last node of each edge.
    turns : ndarray of int32, shape (t, 3), optional
        Forbidden turns: edge one comes by, node, edge one may not go on by. Turning round (the same edge twice) is
        allowed unless listed. Of a loop both ends are meant.

    Returns
    -------
    SearchStates
        As many states as nodes where no turn is forbidden.

    Raises
    ------
    ValueError
        A turn names an edge that does not end at its node.

    Examples
    --------
    Streets 0-1, 1-2, 1-3; who comes by the first may not go on by the second:

    >>> u, v = np.array([0, 1, 1], dtype=np.int32), np.array([1, 2, 3], dtype=np.int32)
    >>> states = build_states(4, u, v, np.array([[0, 1, 1]]))
    >>> states.node.tolist(), states.end_v.tolist()
    ([0, 1, 2, 3, 1], [4, 2, 3])
    >>> states.leaving(np.array([1, 1]), np.array([1, 2]))[1].tolist()
    [1, 1, 4]
    """
    table = np.zeros((0, 3), dtype=np.int32) if turns is None else np.asarray(turns, dtype=np.int32).reshape(-1, 3)
    if len(table) == 0:
        base = np.arange(n_nodes, dtype=np.int32)
        return SearchStates(n_nodes, base, edge_u, edge_v, table, np.zeros(0, dtype=np.int64))
    table = np.unique(table, axis=0)
    came, at, to = table.T
    m = len(edge_u)
    known = (table >= 0).all(axis=1) & (came < m) & (to < m)
    known[known] &= (edge_u[came[known]] == at[known]) | (edge_v[came[known]] == at[known])
    known[known] &= (edge_u[to[known]] == at[known]) | (edge_v[to[known]] == at[known])
    if not known.all():
        wrong = table[~known]
        msg = f"{len(wrong)} forbidden turns name an edge that does not end at their node, first {wrong[0].tolist()}"
        raise ValueError(msg)
    pairs, which = np.unique(np.column_stack([at, came]), axis=0, return_inverse=True)
    state = n_nodes + which.ravel().astype(np.int64)
    node = np.concatenate([np.arange(n_nodes, dtype=np.int32), pairs[:, 0]])
    end_u, end_v = edge_u.astype(np.int32), edge_v.astype(np.int32)
    for end, ends_there in ((end_u, edge_u), (end_v, edge_v)):
        here = ends_there[came] == at
        end[came[here]] = state[here]
    return SearchStates(n_nodes, node, end_u, end_v, table, np.unique(state * m + to))
