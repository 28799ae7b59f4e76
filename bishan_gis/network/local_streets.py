"""Streets without through traffic: those that are signed so, and what can be reached over them only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.graph import Network

__all__ = ["find_local"]


def find_local(network: Network, forward: NDArray[np.bool_], backward: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return the edges that only trips use which begin or end there.

    Parameters
    ----------
    network : Network
        Streets; ``edge_local`` says which of them are signed so.
    forward, backward : ndarray of bool, shape (m,)
        Where the traveller may go from u to v, from v to u.

    Returns
    -------
    ndarray of bool, shape (m,), or None
        Those, and the streets to which, or from which, other streets do not lead: a yard behind a residents' street
        is as local as that street, else nobody would get there. None: there are none.

    Notes
    -----
    What other streets lead to is counted from the longest part of them in which one gets from everywhere to everywhere,
    in each part of the network that is joined. Forbidden turns are not looked at.
    """
    local = network.edge_local
    if local is None or not local.any():
        return None
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    n, u, v = network.n_nodes, network.edge_u, network.edge_v

    def links(edges: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        go, back = edges & forward, edges & backward
        return np.concatenate([u[go], v[back]]), np.concatenate([v[go], u[back]])

    def matrix(tail: NDArray[np.integer], head: NDArray[np.integer], size: int) -> coo_array:
        return coo_array((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(size, size)).tocsr()

    part = connected_components(matrix(*links(~local), n), directed=True, connection="strong")[1]
    whole = ~local & (part[u] == part[v])
    length = np.bincount(part[u[whole]], weights=network.edge_length_m[whole], minlength=part.max() + 1)
    of = np.empty(len(length), dtype=np.int64)
    of[part] = network.component
    order = np.lexsort((-length, of))
    longest = order[np.unique(of[order], return_index=True)[1]]
    start = np.flatnonzero(np.isin(part, longest[length[longest] > 0]))

    def reached(edges: NDArray[np.bool_], *, back: bool) -> NDArray[np.bool_]:
        tail, head = links(edges)[::-1] if back else links(edges)
        tail, head = np.concatenate([tail, np.full(len(start), n)]), np.concatenate([head, start])
        out = np.zeros(n + 1, dtype=np.bool_)
        out[breadth_first_order(matrix(tail, head, n + 1), n, return_predecessors=False)] = True
        return out[:n]

    every = np.ones(len(local), dtype=np.bool_)
    behind = np.zeros(n, dtype=np.bool_)
    for back in (False, True):
        behind |= reached(every, back=back) & ~reached(~local, back=back)
    out: NDArray[np.bool_] = local | behind[u] | behind[v]
    return out
