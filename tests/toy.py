"""Networks small enough to check by hand, and random ones for oracles."""

from __future__ import annotations

import numpy as np
from pyproj import CRS

from bishan_gis.network.graph import STRUCTURES, Network

TOY_CRS = CRS.from_epsg(4544)
#: A place inside the validity of the CRS, so that conversions to degrees work too.
EAST, NORTH = 620_000.0, 3_270_000.0


def make_network(
    nodes: list[tuple[float, float]],
    edges: list[tuple],
    *,
    frontier: tuple[int, ...] = (),
) -> Network:
    """Build a network of straight edges ``(u, v[, structure[, oneway]])``; node offsets in metres."""
    x = EAST + np.array([n[0] for n in nodes], dtype=float)
    y = NORTH + np.array([n[1] for n in nodes], dtype=float)
    u = np.array([e[0] for e in edges], dtype=np.int32)
    v = np.array([e[1] for e in edges], dtype=np.int32)
    structure = np.array([STRUCTURES.index(e[2] if len(e) > 2 else "") for e in edges], dtype=np.uint8)
    oneway = np.array([bool(e[3]) if len(e) > 3 else False for e in edges])
    m = len(edges)
    at_edge = np.zeros(len(nodes), dtype=bool)
    at_edge[list(frontier)] = True
    return Network(
        crs=TOY_CRS,
        node_x=x,
        node_y=y,
        node_osmid=np.arange(1, len(nodes) + 1, dtype=np.int64),
        edge_u=u,
        edge_v=v,
        edge_length_m=np.hypot(x[v] - x[u], y[v] - y[u]),
        edge_forward=np.ones(m, dtype=bool),
        edge_backward=~oneway,
        edge_way=np.arange(1, m + 1, dtype=np.int64),
        edge_structure=structure,
        edge_highway=np.full(m, "residential", dtype=object),
        edge_name=np.full(m, "", dtype=object),
        edge_kind=np.full(m, "observed", dtype=object),
        vertex_start=np.arange(0, 2 * m + 1, 2, dtype=np.int64),
        vertex_x=np.column_stack([x[u], x[v]]).ravel(),
        vertex_y=np.column_stack([y[u], y[v]]).ravel(),
        node_frontier=at_edge,
        node_elevation_m=np.full(len(nodes), np.nan),
    )


def grid_network(n: int, step: float = 100.0, *, seed: int = 0, drop: float = 0.15, oneway: float = 0.1) -> Network:
    """Build a jittered street grid of n x n nodes with missing and one-way pieces."""
    rng = np.random.default_rng(seed)
    nodes = [(step * c + rng.uniform(-20, 20), step * r + rng.uniform(-20, 20)) for r in range(n) for c in range(n)]
    pairs = [(r * n + c, r * n + c + 1) for r in range(n) for c in range(n - 1)]
    pairs += [(r * n + c, (r + 1) * n + c) for r in range(n - 1) for c in range(n)]
    edges = [(u, v, "", rng.random() < oneway) for u, v in pairs if rng.random() >= drop]
    return make_network(nodes, edges)
