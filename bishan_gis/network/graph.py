"""The street network as arrays: nodes, directed street pieces, their geometry.

Streets meet only at shared nodes; a geometric crossing is not a junction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray
    from pyproj import CRS

__all__ = ["CONTROLS", "STRUCTURES", "Network"]

#: What carries an edge; the position is the code in :attr:`Network.edge_structure`.
STRUCTURES = ("", "bridge", "tunnel", "steps")
#: What makes a traveller wait at a node; the position is the code in :attr:`Network.node_control`.
CONTROLS = ("", "signals", "crossing", "crossing_signals", "stop", "give_way", "level_crossing")


@dataclass(frozen=True, eq=False)
class Network:
    """Streets that a traveller may use, as arrays.

    Attributes
    ----------
    crs : pyproj.CRS
        Working CRS [m].
    node_x, node_y : ndarray of float64, shape (n,)
        Node coordinates in `crs` [m].
    node_osmid : ndarray of int64, shape (n,)
        OSM node id.
    edge_u, edge_v : ndarray of int32, shape (m,)
        First and last node of each edge.
    edge_length_m : ndarray of float64, shape (m,)
        Length along the street [m].
    edge_forward, edge_backward : ndarray of bool, shape (m,)
        May be used from u to v, from v to u.
    edge_way : ndarray of int64, shape (m,)
        OSM way id.
    edge_structure : ndarray of uint8, shape (m,)
        Position in :data:`STRUCTURES`.
    edge_highway, edge_name : ndarray of object, shape (m,)
        OSM ``highway`` value and name ("" where none).
    edge_kind : ndarray of object, shape (m,)
        ``observed`` or ``synthetic`` ...
    vertex_start : ndarray of int64, shape (m + 1,)
        Where the vertices of each edge begin in `vertex_x`, `vertex_y`.
    vertex_x, vertex_y : ndarray of float64
        Vertices of all edges in order, ends included [m].
    node_frontier : ndarray of bool, shape (n,)
        The data ends here: a street that goes on was cut at this node.
    node_elevation_m : ndarray of float64, shape (n,)
        Elevation, NaN where unknown.
    rule_counts : dict
        Rule of the table -> number of ways and metres it decided.
    left_out : dict
        Reason -> number of things that were not used.
    mode : str
        Mode of travel whose rules made it: ``walk``, ``cycle``, ``drive``.
    edge_speed_kmh : ndarray of float64, shape (m,), or None
        Speed of vehicles on each edge, posted or by class [km/h]; None where speed is the traveller's own.
    node_control : ndarray of uint8, shape (n,), or None
        Position in :data:`CONTROLS`; None: no node delays anybody.
    turns : ndarray of int32, shape (t, 3), or None
        Forbidden turns: the edge one comes by, the node, the edge one may not go on by. None: all are allowed.
    """

    crs: CRS
    node_x: NDArray[np.float64]
    node_y: NDArray[np.float64]
    node_osmid: NDArray[np.int64]
    edge_u: NDArray[np.int32]
    edge_v: NDArray[np.int32]
    edge_length_m: NDArray[np.float64]
    edge_forward: NDArray[np.bool_]
    edge_backward: NDArray[np.bool_]
    edge_way: NDArray[np.int64]
    edge_structure: NDArray[np.uint8]
    edge_highway: NDArray[np.object_]
    edge_name: NDArray[np.object_]
    edge_kind: NDArray[np.object_]
    vertex_start: NDArray[np.int64]
    vertex_x: NDArray[np.float64]
    vertex_y: NDArray[np.float64]
    node_frontier: NDArray[np.bool_]
    node_elevation_m: NDArray[np.float64]
    rule_counts: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    mode: str = "walk"
    edge_speed_kmh: NDArray[np.float64] | None = None
    node_control: NDArray[np.uint8] | None = None
    turns: NDArray[np.int32] | None = None

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.node_x)

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edge_u)

    @cached_property
    def component(self) -> NDArray[np.int32]:
        """Weakly connected part of each node; 0 is the one with the most street length."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        n = self.n_nodes
        ones = np.ones(self.n_edges, dtype=np.int8)
        matrix = coo_array((ones, (self.edge_u, self.edge_v)), shape=(n, n))
        count, label = connected_components(matrix, directed=False)
        length = np.bincount(label[self.edge_u], weights=self.edge_length_m, minlength=count)
        rank = np.empty(count, dtype=np.int32)
        rank[np.argsort(-length, kind="stable")] = np.arange(count, dtype=np.int32)
        out: NDArray[np.int32] = rank[label]
        return out

    @cached_property
    def lines(self) -> Any:
        """Edge geometries as shapely LineStrings in `crs`."""
        import shapely

        which = np.repeat(np.arange(self.n_edges), np.diff(self.vertex_start))
        lines: Any = shapely.linestrings(np.column_stack([self.vertex_x, self.vertex_y]), indices=which)
        return lines

    @property
    def nodes(self) -> gpd.GeoDataFrame:
        """Nodes as a table: ``osmid, elevation_m, component, frontier, geometry``."""
        import geopandas as gpd

        return gpd.GeoDataFrame(
            {
                "osmid": self.node_osmid,
                "elevation_m": self.node_elevation_m,
                "component": self.component,
                "frontier": self.node_frontier,
            },
            geometry=gpd.points_from_xy(self.node_x, self.node_y),
            crs=self.crs,
        )

    @property
    def edges(self) -> gpd.GeoDataFrame:
        """Edges as a table, one row per street piece, both directions in it."""
        import geopandas as gpd

        return gpd.GeoDataFrame(
            {
                "u": self.edge_u,
                "v": self.edge_v,
                "way": self.edge_way,
                "highway": self.edge_highway,
                "name": self.edge_name,
                "structure": np.asarray(STRUCTURES, dtype=object)[self.edge_structure],
                "forward": self.edge_forward,
                "backward": self.edge_backward,
                "length_m": self.edge_length_m,
                "kind": self.edge_kind,
            },
            geometry=self.lines,
            crs=self.crs,
        )

    @property
    def rules(self) -> pd.DataFrame:
        """How many ways and metres each rule of the table decided."""
        import pandas as pd

        return pd.DataFrame.from_dict(self.rule_counts, orient="index").rename_axis("rule").reset_index()

    def summary(self) -> dict[str, Any]:
        """Return the figures that describe the network."""
        comp = self.component
        length = np.bincount(comp[self.edge_u], weights=self.edge_length_m) if self.n_edges else np.zeros(1)
        return {
            "nodes": self.n_nodes,
            "edges": self.n_edges,
            "length_km": round(float(self.edge_length_m.sum()) / 1000, 3),
            "components": int(comp.max()) + 1 if self.n_nodes else 0,
            "main_component_share": round(float(length[0] / max(length.sum(), 1e-9)), 4),
            "frontier_nodes": int(self.node_frontier.sum()),
            "elevation_m": self._elevation_range(),
            "by_structure_km": {
                name or "street": round(float(self.edge_length_m[self.edge_structure == i].sum()) / 1000, 3)
                for i, name in enumerate(STRUCTURES)
            },
        }

    def _elevation_range(self) -> list[float] | None:
        known = self.node_elevation_m[np.isfinite(self.node_elevation_m)]
        return [round(float(known.min()), 1), round(float(known.max()), 1)] if len(known) else None

    def __repr__(self) -> str:
        """One line."""
        s = self.summary()
        return f"<Network {s['nodes']:,} nodes, {s['edges']:,} edges, {s['length_km']:,.0f} km>"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{k}</th><td>{v}</td></tr>" for k, v in self.summary().items())
        return f"<table>{rows}</table>"
