"""Forbidden turns: search states that remember by which edges one came, only where that matters.

A search over nodes cannot tell how it got to a node. Where a turn is forbidden, those who come by its first edge
arrive in a state of their own, from which the forbidden edges do not leave; everybody else arrives in the state of
the node itself, whose number is the node's. Where a turn goes over edges in between, there is a state for each of its
beginnings, and one is always in that of the longest beginning that one has just travelled (Aho & Corasick 1975,
doi:10.1145/360825.360855). Where some streets are only for trips that begin or end there, one is at their nodes in a
state of having come from outside, and in another of having gone in, from which only such streets leave. A network
without forbidden turns and such streets has no other states.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.network.ragged import positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SearchStates", "build_states", "keep_turns", "turn_table"]


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
        State in which one arrives at u along each edge (backward), and at v (forward), whatever was before.
    turns : ndarray of int32, shape (t, 3) or wider
        Forbidden turns, each once, see :func:`turn_table`.
    closed : ndarray of int64
        ``state * m + edge`` of every edge that may not be taken from a state, rising.
    onward : ndarray of int64
        ``state * m + edge`` of every edge that leads from a state to another one than `end_u` or `end_v`, rising.
    onward_state : ndarray of int32
        The state in which one then arrives.
    local : ndarray of bool, shape (m,), or None
        Edges that only trips use which begin or end on them, or on others of them around.
    """

    n_nodes: int
    node: NDArray[np.int32]
    end_u: NDArray[np.int32]
    end_v: NDArray[np.int32]
    turns: NDArray[np.int32]
    closed: NDArray[np.int64]
    onward: NDArray[np.int64]
    onward_state: NDArray[np.int32]
    local: NDArray[np.bool_] | None = None

    @property
    def n_states(self) -> int:
        """Number of states: nodes, and further ones where it matters how one came."""
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

    def arriving(
        self, state: NDArray[np.int32], edge: NDArray[np.integer], end: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Return the states in which one arrives.

        Parameters
        ----------
        state, edge : ndarray, shape (k,)
            States, and an edge that is taken from each.
        end : ndarray of int32, shape (k,)
            `end_u` or `end_v` of the edge, by its direction.
        """
        if not len(self.onward):
            return end
        key = state.astype(np.int64) * len(self.end_u) + edge
        at = np.minimum(np.searchsorted(self.onward, key), len(self.onward) - 1)
        return np.where(self.onward[at] == key, self.onward_state[at], end)

    def reversed(self) -> SearchStates:
        """Return the states of the same streets travelled the other way round: from and to exchanged."""
        turns = self.turns[:, ::-1]
        if turns.shape[1] > 3:
            turns = turn_table(row[row >= 0].tolist() for row in turns)
        return build_states(self.n_nodes, self.node[self.end_u], self.node[self.end_v], turns, self.local)


def turn_table(rows: Iterable[Iterable[int]]) -> NDArray[np.int32]:
    """Return forbidden turns as one array.

    Parameters
    ----------
    rows : iterable of iterable of int
        Edge one comes by, node, edge one may not go on by. A turn over edges in between names them too, and the nodes
        on the way: edge, node, edge, node, edge ...; it is forbidden to travel all of them one after the other.

    Returns
    -------
    ndarray of int32, shape (t, 3) or wider
        A turn per row, filled up with -1.

    Examples
    --------
    >>> turn_table([(0, 1, 2), (0, 1, 1, 2, 3)]).tolist()
    [[0, 1, 2, -1, -1], [0, 1, 1, 2, 3]]
    """
    listed = [tuple(row) for row in rows]
    table = np.full((len(listed), max(map(len, listed), default=3)), -1, dtype=np.int32)
    for i, row in enumerate(listed):
        table[i, : len(row)] = row
    return table


def keep_turns(turns: NDArray[np.integer], edges: NDArray[np.integer], nodes: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the turns of some of the streets, by their numbers there.

    Parameters
    ----------
    turns : ndarray of int, shape (t, 3) or wider
        Forbidden turns, see :func:`turn_table`.
    edges, nodes : ndarray of int
        Which edges and nodes are kept, rising; their positions are the new numbers.

    Returns
    -------
    ndarray of int32
        The turns all of whose edges and nodes are kept, in their order; no wider than they need.

    Examples
    --------
    >>> keep_turns(np.array([[4, 7, 6], [4, 7, 5]]), np.array([4, 6]), np.array([7])).tolist()
    [[0, 0, 1]]
    """
    known = [nodes if i % 2 else edges for i in range(turns.shape[1])]
    at = np.column_stack([np.searchsorted(k, c) for k, c in zip(known, turns.T, strict=True)])
    at = np.minimum(at, [max(len(k) - 1, 0) for k in known])
    found = np.column_stack([k[a] == c if len(k) else c < c for k, a, c in zip(known, at.T, turns.T, strict=True)])
    at[turns < 0] = -1
    at = at[(found | (turns < 0)).all(axis=1)]
    width = max(int((at >= 0).sum(axis=1).max(initial=0)), 3)
    out: NDArray[np.int32] = at[:, :width].astype(np.int32)
    return out


def build_states(
    n_nodes: int,
    edge_u: NDArray[np.int32],
    edge_v: NDArray[np.int32],
    turns: NDArray[np.int32] | None = None,
    local: NDArray[np.bool_] | None = None,
) -> SearchStates:
    """Give those who come by an edge with a forbidden turn a state of their own.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    edge_u, edge_v : ndarray of int32, shape (m,)
        First and last node of each edge.
    turns : ndarray of int32, shape (t, 3) or wider, optional
        Forbidden turns: edge one comes by, node, edge one may not go on by, or more of them, see :func:`turn_table`.
        Turning round (the same edge twice) is allowed unless listed. Of a loop both directions are meant.
    local : ndarray of bool, shape (m,), optional
        Edges without through traffic: whoever came from others, and goes on along these, stays on these. Whoever begins
        at one of their nodes begins on them.

    Returns
    -------
    SearchStates
        As many states as nodes where no turn is forbidden and no edge is local.

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
    states, came = _turn_states(n_nodes, edge_u, edge_v, turns)
    return states if local is None or not local.any() else _without_through(states, came, edge_u, edge_v, local)


def _turn_states(
    n_nodes: int, edge_u: NDArray[np.int32], edge_v: NDArray[np.int32], turns: NDArray[np.int32] | None
) -> tuple[SearchStates, NDArray[np.int32]]:
    """Return the states that forbidden turns need, and the edge by which one comes to each of the further ones."""
    none = np.zeros(0, dtype=np.int64)
    few = none.astype(np.int32)
    if turns is None or not np.size(turns):
        base = np.arange(n_nodes, dtype=np.int32)
        return SearchStates(n_nodes, base, edge_u, edge_v, turn_table([]), none, none, few), few
    table = np.unique(np.asarray(turns, dtype=np.int32), axis=0)
    _check(table, edge_u, edge_v)
    m, steps = len(edge_u), (table >= 0).sum(axis=1) // 2
    # The beginnings of every turn, the last step first, so that those that end alike lie together.
    rows = [np.flatnonzero(steps >= k) for k in range(1, steps.max() + 1)]
    part = np.full((sum(map(len, rows)), 2 * len(rows)), -1, dtype=np.int32)
    cuts = np.cumsum([0, *map(len, rows)])
    for k, some in enumerate(rows):
        part[cuts[k] : cuts[k + 1], : 2 * k + 2] = table[some, : 2 * k + 2][:, ::-1]
    begin, which = np.unique(part, axis=0, return_inverse=True)
    number = n_nodes + which.ravel().astype(np.int64)
    node = np.concatenate([np.arange(n_nodes, dtype=np.int32), begin[:, 0]])
    end_u, end_v = edge_u.astype(np.int32), edge_v.astype(np.int32)
    came, at, state = table[:, 0], table[:, 1], number[: len(table)]
    for end, ends_there in ((end_u, edge_u), (end_v, edge_v)):
        here = ends_there[came] == at
        end[came[here]] = state[here]
    last = state.copy()
    for k, some in enumerate(rows):
        last[some] = number[cuts[k] : cuts[k + 1]]
    closed = np.unique(last * m + table[np.arange(len(table)), 2 * steps])
    memory = (closed, none, few) if len(rows) == 1 else _remember(n_nodes, m, begin, closed)
    return SearchStates(n_nodes, node, end_u, end_v, table, *memory), begin[:, 1]


def _remember(
    n_nodes: int, m: int, begin: NDArray[np.int32], closed: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Return `closed`, `onward` and `onward_state` where states remember several edges, listed the last one first."""
    path = [tuple(row[row >= 0].tolist()) for row in begin]
    state = {p: n_nodes + i for i, p in enumerate(path)}
    shut: dict[int, set[int]] = {}
    for key in closed.tolist():
        shut.setdefault(key // m, set()).add(key % m)
    onward: dict[int, dict[int, int]] = {}
    for p in path:
        if len(p) > 2:
            onward.setdefault(state[p[2:]], {})[p[1]] = state[p]
    # Whoever has travelled a beginning has also travelled its last part, and what holds there holds.
    for p in sorted(path, key=len):
        part = next((p[:k] for k in range(len(p) - 2, 0, -2) if p[:k] in state), None)
        if part is not None:
            here, there = state[p], state[part]
            shut[here] = shut.get(here, set()) | shut.get(there, set())
            onward[here] = onward.get(there, {}) | onward.get(here, {})
    keys = sorted((s * m + e, to) for s, edges in onward.items() for e, to in edges.items())
    return (
        np.array(sorted(s * m + e for s, edges in shut.items() for e in edges), dtype=np.int64),
        np.array([key for key, _ in keys], dtype=np.int64),
        np.array([to for _, to in keys], dtype=np.int32),
    )


def _without_through(
    states: SearchStates,
    came: NDArray[np.int32],
    edge_u: NDArray[np.int32],
    edge_v: NDArray[np.int32],
    local: NDArray[np.bool_],
) -> SearchStates:
    """Return states that also remember whether one began on local edges (0), came from others (1), or went in (2)."""
    n, m = states.n_nodes, len(edge_u)
    meets = np.zeros((2, n), dtype=np.bool_)
    for edges, touched in zip((~local, local), meets, strict=True):
        touched[edge_u[edges]] = touched[edge_v[edges]] = True
    further, inside = np.arange(n, states.n_states), local[came]
    # Whoever is at a node in its own state began on local edges, or there are none; so no state is added for that.
    outer, inner = np.flatnonzero(meets.all(axis=0)), np.flatnonzero(meets[1])
    old = np.concatenate([outer, inner, further, further[inside]])
    sizes = (len(outer), len(inner), len(further), int(inside.sum()))
    phase = np.repeat([1, 2, 0, 2], sizes)
    phase[sizes[0] + sizes[1] :][: sizes[2]] = ~inside
    order = np.lexsort((phase, old, states.node[old]))
    old, phase = old[order], phase[order]
    node = states.node[old]
    number = np.tile(np.arange(states.n_states), (3, 1))
    number[phase, old] = n + np.arange(len(old))
    made = np.zeros(number.shape, dtype=np.bool_)
    made[phase, old] = True

    def beside(edges: NDArray[np.int64], least: int) -> tuple[NDArray[np.int64], ...]:
        """List the states of at least some phase from which edges lead on, the edges, and where they did before."""
        tail = np.concatenate([edge_u[edges], edge_v[edges]])
        end = np.concatenate([states.end_v[edges], states.end_u[edges]])
        low = np.searchsorted(node, tail)
        count = np.searchsorted(node, tail, side="right") - low
        row, at = np.repeat(np.arange(len(tail)), count), positions(low, count)
        row, at = row[phase[at] >= least], at[phase[at] >= least]
        edge = np.concatenate([edges, edges])[row]
        return (n + at) * m + edge, states.arriving(old[at].astype(np.int32), edge, end[row]).astype(np.int64)

    shut, _ = beside(np.flatnonzero(~local), 2)
    at, edge = np.divmod(states.closed, m)
    closed = np.concatenate([shut, *((number[k, at] * m + edge)[made[k, at]] for k in range(3))])
    entered, there = beside(np.flatnonzero(local), 1)
    keys, to = [entered], [number[2, there]]
    at, edge = np.divmod(states.onward, m)
    for k in (0, 1):
        keys.append((number[k, at] * m + edge)[made[k, at]])
        to.append(number[np.where(local[edge], 0, 1), states.onward_state][made[k, at]])
    # Whoever goes in is listed first, and that counts.
    onward, first = np.unique(np.concatenate(keys), return_index=True)
    began = np.where(local, 0, 1)
    return SearchStates(
        n_nodes=n,
        node=np.concatenate([states.node[:n], node]),
        end_u=number[began, states.end_u].astype(np.int32),
        end_v=number[began, states.end_v].astype(np.int32),
        turns=states.turns,
        closed=np.unique(closed),
        onward=onward,
        onward_state=np.concatenate(to)[first].astype(np.int32),
        local=local,
    )


def _check(table: NDArray[np.int32], edge_u: NDArray[np.int32], edge_v: NDArray[np.int32]) -> None:
    """Check that turns lead from edge to edge."""
    filled = table >= 0
    size = filled.sum(axis=1)
    known = (size >= 3) & (size % 2 == 1) & (filled == (np.arange(table.shape[1]) < size[:, None])).all(axis=1)
    known &= (table[:, ::2] < len(edge_u)).all(axis=1)
    edge, node = table[known, ::2], table[known, 1::2]
    u, v = edge_u[edge], edge_v[edge]
    joined = np.ones(node.shape, dtype=np.bool_)
    for side in (slice(None, -1), slice(1, None)):
        joined &= (u[:, side] == node) | (v[:, side] == node)
    # Over an edge one comes to its other end.
    joined[:, 1:] &= node[:, :-1] + node[:, 1:] == (u + v)[:, 1:-1]
    known[known] = (joined | (node < 0)).all(axis=1)
    if not known.all():
        wrong = table[~known]
        msg = f"{len(wrong)} forbidden turns name an edge that does not end at their node, first {wrong[0].tolist()}"
        raise ValueError(msg)
