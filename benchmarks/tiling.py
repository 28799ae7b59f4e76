"""Large networks for measurements: copies of a real one side by side, joined by bridges."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from bishan_gis.network.build import hilbert_order
from bishan_gis.network.graph import STRUCTURES, Network

#: Space between copies [m], and at most so many bridges between two neighbours, none longer [m] but the first.
GAP_M = 40.0
BRIDGES = 8
LONGEST_M = 400.0


def tiled_network(network: Network, copies: int) -> Network:
    """Lay copies of a network side by side and join neighbours by bridges.

    Parameters
    ----------
    network : Network
        A real one.
    copies : int
        How many; they fill a grid that is about as wide as high.

    Returns
    -------
    Network
        All fields are valid: nodes along a Hilbert curve, edges sorted by (u, v, way), ids of nodes and ways unique.
        Neighbours are pushed together until their outlines are 40 m apart at the nearest place and joined by the
        shortest straight lines between outermost nodes of the facing borders: at most 8, none but the first longer
        than 400 m. They are ``bridge`` and ``synthetic``. Overlapping outlines meet nowhere else.

    Examples
    --------
    >>> tiled_network(helsinki, 18).n_nodes  # doctest: +SKIP
    69462
    """
    n, m = network.n_nodes, network.n_edges
    right, left = _facing(network, network.node_y, network.node_x)
    top, bottom = _facing(network, network.node_x, network.node_y)
    wide = float((network.node_x[right] - network.node_x[left]).max()) + GAP_M
    high = float((network.node_y[top] - network.node_y[bottom]).max()) + GAP_M
    columns = min(copies, max(1, round(float(np.sqrt(copies * high / wide)))))
    tile = np.arange(copies)
    east, north = (tile % columns) * wide, (tile // columns) * high
    bridge_u, bridge_v = _bridges(network, copies, columns, east, north)
    k = len(bridge_u)
    values: dict[str, Any] = {f.name: getattr(network, f.name) for f in fields(network)}
    x = np.tile(network.node_x, copies) + np.repeat(east, n)
    y = np.tile(network.node_y, copies) + np.repeat(north, n)
    step = int(network.node_osmid.max()) + 1
    osmid = np.tile(network.node_osmid, copies) + np.repeat(tile, n) * step
    place = hilbert_order(x, y, osmid)
    rank = np.empty(len(place), dtype=np.int64)
    rank[place] = np.arange(len(place))

    shift = np.repeat(tile, m) * n
    u = rank[np.concatenate([np.tile(network.edge_u, copies) + shift, bridge_u])]
    v = rank[np.concatenate([np.tile(network.edge_v, copies) + shift, bridge_v])]
    ways = np.abs(network.edge_way).max(initial=0) + 1
    way = np.concatenate([np.tile(network.edge_way, copies) + np.repeat(tile, m) * ways, ways * copies + np.arange(k)])
    order = np.lexsort((np.arange(len(u)), way, v, u))
    count = np.concatenate([np.tile(np.diff(network.vertex_start), copies), np.full(k, 2, dtype=np.int64)])
    first = np.concatenate([[0], np.cumsum(count)])
    vertex_start = np.concatenate([[0], np.cumsum(count[order])])
    vertex = np.repeat(first[order] - vertex_start[:-1], count[order]) + np.arange(vertex_start[-1])
    corners = len(network.vertex_x)
    ends = np.column_stack([bridge_u, bridge_v]).ravel()
    values["vertex_x"] = np.concatenate([np.tile(network.vertex_x, copies) + np.repeat(east, corners), x[ends]])[vertex]
    values["vertex_y"] = np.concatenate([np.tile(network.vertex_y, copies) + np.repeat(north, corners), y[ends]])[
        vertex
    ]

    new: dict[str, Any] = {
        "edge_length_m": np.hypot(x[bridge_u] - x[bridge_v], y[bridge_u] - y[bridge_v]),
        "edge_forward": np.ones(k, dtype=bool),
        "edge_backward": np.ones(k, dtype=bool),
        "edge_structure": np.full(k, STRUCTURES.index("bridge"), dtype=np.uint8),
        "edge_highway": np.full(k, "footway", dtype=object),
        "edge_name": np.full(k, "", dtype=object),
        "edge_kind": np.full(k, "synthetic", dtype=object),
        "edge_speed_kmh": np.full(k, 50.0),
        "edge_local": np.zeros(k, dtype=bool),
    }
    for name, more in new.items():
        if values[name] is not None:
            values[name] = np.concatenate([np.tile(values[name], copies), more])[order]
    for name in ("node_frontier", "node_elevation_m", "node_control"):
        if values[name] is not None:
            values[name] = np.tile(values[name], copies)[place]
    if network.turns is not None:
        at = np.empty(len(order), dtype=np.int64)
        at[order] = np.arange(len(order))
        t = np.tile(network.turns.astype(np.int64), (copies, 1))
        which = np.repeat(tile, len(network.turns))
        new_numbers = [rank[c + which * n] if i % 2 else at[c + which * m] for i, c in enumerate(t.T)]
        values["turns"] = np.where(t < 0, -1, np.column_stack(new_numbers)).astype(np.int32)
    values.update(
        node_x=x[place],
        node_y=y[place],
        node_osmid=osmid[place],
        edge_u=u[order].astype(np.int32),
        edge_v=v[order].astype(np.int32),
        edge_way=way[order],
        vertex_start=vertex_start,
    )
    return Network(**values)


def _bridges(
    network: Network, copies: int, columns: int, east: np.ndarray, north: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the bridges, numbered copy by copy."""
    n = network.n_nodes
    tile = np.arange(copies)
    u, v = [], []
    for along, across, moved, neighbour in (
        (network.node_y, network.node_x, east, np.where((tile + 1) % columns, tile + 1, copies)),
        (network.node_x, network.node_y, north, tile + columns),
    ):
        last, first = _facing(network, along, across)
        has = np.flatnonzero(neighbour < copies)
        if len(has):
            step = moved[neighbour[has[0]]] - moved[has[0]]
            gap = np.hypot(across[first] + step - across[last], along[first] - along[last])
            best = np.argsort(gap, kind="stable")[:BRIDGES]
            best = best[gap[best] <= max(LONGEST_M, float(gap.min()))]
            u.append((has[:, None] * n + last[best]).ravel())
            v.append((neighbour[has][:, None] * n + first[best]).ravel())
    if not u:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(u), np.concatenate(v)


def _facing(network: Network, along: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the outermost nodes of the main part on both sides, one of each in every of 64 bands that has nodes."""
    main = np.flatnonzero(network.component == 0)
    band = ((along[main] - along.min()) / max(float(np.ptp(along)), 1e-9) * 63).astype(np.int64)
    order = np.lexsort((across[main], band))
    starts = np.flatnonzero(np.r_[True, np.diff(band[order]) > 0])
    ends = np.r_[starts[1:], len(order)] - 1
    return main[order[ends]], main[order[starts]]
