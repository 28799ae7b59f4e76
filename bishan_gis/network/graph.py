"""The street network as arrays: nodes, directed street pieces, their geometry.

Streets meet only at shared nodes; a geometric crossing is not a junction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.network.ragged import positions

if TYPE_CHECKING:
    from pathlib import Path

    import folium
    import geopandas as gpd
    import networkx as nx
    import pandas as pd
    from numpy.typing import NDArray
    from pyproj import CRS
    from shapely import MultiPolygon, Polygon

    from bishan_gis.network.rules import Rules
    from bishan_gis.progress import Progress

__all__ = ["CONTROLS", "STRUCTURES", "Network"]

#: What carries an edge; the position is the code in :attr:`Network.edge_structure`.
STRUCTURES = ("", "bridge", "tunnel", "steps")
#: What makes a traveller wait at a node; the position is the code in :attr:`Network.node_control`. At an ``_arm``, a
#: stop line of a junction that several signals stand for, half of the wait is due: a trip passes two of them.
CONTROLS = (
    "",
    "signals",
    "crossing",
    "crossing_signals",
    "stop",
    "give_way",
    "level_crossing",
    "signals_arm",
    "crossing_signals_arm",
)


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
        Mean speed driven on each edge between junctions, not its limit [km/h]: from OSM 0.8 of the limit, see
        :func:`~bishan_gis.network.speeds.edge_speeds`. None where speed is the traveller's own.
    node_control : ndarray of uint8, shape (n,), or None
        Position in :data:`CONTROLS`; None: no node delays anybody.
    turns : ndarray of int32, shape (t, 3) or wider, or None
        Forbidden turns: the edge one comes by, the node, the edge one may not go on by. Where some go over edges in
        between, rows are edge, node, edge, node, edge ... and shorter ones are filled up with -1, see
        :func:`~bishan_gis.network.turns.turn_table`. None: all are allowed.
    island_m : float
        Places are not snapped to parts of the streets shorter than this in all, where there is another street near
        [m]; 0: to any. See :func:`bishan_gis.network.snap.find_islands`.
    rule_table : str
        Table of the package that decided who may pass: ``walk``, ``cycle``, ``drive``, ``emergency``; empty where it is
        another, or not known.
    sample_start : ndarray of int64, shape (m + 1,), or None
        Where the heights within each edge begin in `sample_elevation_m`; None: heights are known at nodes only.
    sample_elevation_m : ndarray of float64 or None
        Heights within the edges, evenly along each from u to v, ends apart; NaN where unknown [m].
    edge_local : ndarray of bool, shape (m,), or None
        Signed as being only for those who begin or end their trip there, see
        :func:`~bishan_gis.network.local_streets.find_local`. None: no edge is.
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
    island_m: float = 0.0
    rule_table: str = ""
    sample_start: NDArray[np.int64] | None = None
    sample_elevation_m: NDArray[np.float64] | None = None
    edge_local: NDArray[np.bool_] | None = None

    @classmethod
    def from_osm(
        cls,
        path: str | Path,
        *,
        crs: CRS | str | int,
        mode: str = "walk",
        rules: Rules | None = None,
        extent: Polygon | MultiPolygon | None = None,
        kind: str = "observed",
        controls: bool | None = None,
        progress: Progress | None = None,
    ) -> Network:
        """Read the streets of an OSM file that one mode of travel may use.

        Parameters
        ----------
        path : str or pathlib.Path
            ``.osm.pbf``, ``.osm``, ``.osm.gz`` or ``.osm.bz2``.
        crs : pyproj.CRS, str or int
            Working CRS [m].
        mode : str
            ``walk``, ``cycle`` or ``drive``: whose rules of the package decide.
        rules : Rules, optional
            Own rules; then `mode` is that of the rules.
        extent : shapely.Polygon or shapely.MultiPolygon, optional
            Where the data is complete, in `crs`; nodes outside are frontier.
        kind : str
            What an edge rests on when its way has no ``data_kind`` tag.
        controls : bool, optional
            Cut streets at signals, crossings and signs; left out, all modes but walking do.
        progress : callable or bool, optional
            As :func:`bishan_gis.load_osm`.

        Returns
        -------
        Network
            As :func:`bishan_gis.network.build.build_network` gives it. Places may be snapped to any street, a path
            behind a fence included, from which nothing is reached: ``dataclasses.replace(network, island_m=1000.0)``
            takes them to the streets beside, as studies do.

        Raises
        ------
        MissingFileError, BrokenFileError
            The file is not there or cannot be read.
        NoDataError
            No street is left that may be used.
        CrsError
            The working CRS is not metric or does not reach the data.

        Examples
        --------
        >>> Network.from_osm("district.osm.pbf", crs="EPSG:4544", mode="drive")  # doctest: +SKIP
        """
        from bishan_gis.network.build import network_from_osm
        from bishan_gis.network.rules import load_rules

        rules = load_rules(mode=mode) if rules is None else rules
        return network_from_osm(
            path, crs=crs, rules=rules, extent=extent, kind=kind, controls=controls, progress=progress
        )

    @classmethod
    def from_networkx(
        cls, graph: nx.MultiDiGraph, *, crs: CRS | str | int | None = None, mode: str | None = None
    ) -> Network:
        """Return an osmnx graph as a network.

        Parameters
        ----------
        graph : networkx.MultiDiGraph
            As osmnx makes it, simplified or not, projected or in degrees.
        crs : pyproj.CRS, str or int, optional
            Working CRS [m]; that of the graph where left out, which must then be projected.
        mode : str, optional
            Mode of travel the streets are for: ``walk``, ``cycle``, ``drive``; what the graph says where left out.

        Returns
        -------
        Network
            As :func:`bishan_gis.network.convert.from_networkx` gives it.

        Examples
        --------
        >>> graph = ox.graph_from_place("Bishan, Chongqing")  # doctest: +SKIP
        >>> Network.from_networkx(graph, crs="EPSG:4544")  # doctest: +SKIP
        """
        from bishan_gis.network.convert import from_networkx

        return from_networkx(graph, crs=crs, mode=mode)

    @classmethod
    def from_edges(
        cls,
        edges: gpd.GeoDataFrame,
        *,
        crs: CRS | str | int | None = None,
        mode: str = "walk",
        tolerance_m: float = 0.0,
        split: bool = False,
        extent: Polygon | MultiPolygon | None = None,
        kind: str = "observed",
    ) -> Network:
        """Build a network of own roads; they meet where their ends are shared, never where lines only cross.

        Parameters
        ----------
        edges : geopandas.GeoDataFrame
            One LineString per road; optional columns ``oneway, speed_kmh, structure, highway, name, kind, way``.
        crs : pyproj.CRS, str or int, optional
            Working CRS [m]; that of the table where left out.
        mode : str
            Mode of travel the roads are for.
        tolerance_m : float
            Ends this close to each other are one node [m]; 0: only equal ones.
        split : bool
            Roads also meet at vertices that they share.
        extent : shapely.Polygon or shapely.MultiPolygon, optional
            Where the data is complete, in the working CRS; nodes outside are frontier.
        kind : str
            What an edge rests on when the table does not say.

        Returns
        -------
        Network
            As :func:`bishan_gis.network.from_edges.network_from_edges` gives it.

        Examples
        --------
        >>> import geopandas as gpd
        >>> lines = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 100 0)", "LINESTRING (100 0, 100 50)"], crs="EPSG:4544")
        >>> Network.from_edges(gpd.GeoDataFrame(geometry=lines)).n_nodes
        3
        """
        from bishan_gis.network.from_edges import network_from_edges

        return network_from_edges(
            edges, crs=crs, mode=mode, tolerance_m=tolerance_m, split=split, extent=extent, kind=kind
        )

    def to_networkx(self) -> nx.MultiDiGraph:
        """Return the network as a graph that osmnx accepts, see :func:`bishan_gis.network.convert.to_networkx`."""
        from bishan_gis.network.convert import to_networkx

        return to_networkx(self)

    def save(self, path: str | Path) -> Path:
        """Write the network into one file, see :func:`bishan_gis.network.storage.save_network`.

        Parameters
        ----------
        path : str or pathlib.Path
            The file; the customary ending is ``.bgnet``. One that stands there is replaced.

        Returns
        -------
        pathlib.Path
            The file.

        Examples
        --------
        >>> network.save("bishan.bgnet")  # doctest: +SKIP
        >>> Network.load("bishan.bgnet")  # doctest: +SKIP
        """
        from bishan_gis.network.storage import save_network

        return save_network(self, path)

    @classmethod
    def load(cls, path: str | Path, *, verify: bool = False) -> Network:
        """Open a saved network in milliseconds, see :func:`bishan_gis.network.storage.load_network`.

        Parameters
        ----------
        path : str or pathlib.Path
            The file.
        verify : bool
            Also read all of it and compare its checksum.

        Returns
        -------
        Network
            Its arrays are mapped from the file.
        """
        from bishan_gis.network.storage import load_network

        return load_network(path, verify=verify)

    def explore(self, column: str | None = None, **options: Any) -> folium.Map:
        """Draw the streets on a map that needs no internet, see :func:`bishan_gis.quick_map.explore`.

        Parameters
        ----------
        column : str, optional
            Column of :attr:`edges` that gives the colour.
        **options
            Passed on to :func:`bishan_gis.quick_map.explore`, such as ``tooltip, bounds, limit, m``.

        Returns
        -------
        folium.Map
            Shows itself in a notebook; ``save("page.html")`` writes it.
        """
        from bishan_gis.quick_map import explore

        frame = self.edges.drop(columns=["u", "v"])
        return explore(frame, column, **{"tooltip": ["name", "highway", "length_m"], **options})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Make the texts of a loaded network when they are first asked for."""
            waiting = self.__dict__.get("_waiting", {})
            if name not in waiting:
                msg = f"{type(self).__name__!r} object has no attribute {name!r}"
                raise AttributeError(msg)
            code, end, text = waiting[name]
            letters, start = text.tobytes(), 0
            values = np.empty(len(end), dtype=object)
            for i, stop in enumerate(end.tolist()):
                values[i] = letters[start:stop].decode("utf-8")
                start = stop
            self.__dict__[name] = out = values[code]
            return out

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
        return self._make_lines(np.arange(self.n_edges))

    def lines_of(self, edges: NDArray[np.integer]) -> Any:
        """Return the geometries of some edges, see `lines`; of a few of them the others are not made.

        Parameters
        ----------
        edges : ndarray of int
            Which edges.
        """
        few = "lines" not in self.__dict__ and 2 * len(edges) < self.n_edges
        return self._make_lines(edges) if few else self.lines[edges]

    def _make_lines(self, edges: NDArray[np.integer]) -> Any:
        import shapely

        start, many = self.vertex_start[edges], np.diff(self.vertex_start)[edges]
        which = np.repeat(np.arange(len(edges)), many)
        at = positions(start, many)
        return shapely.linestrings(np.column_stack([self.vertex_x[at], self.vertex_y[at]]), indices=which)

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
        """Edges as a table, one row per street piece, both directions in it; ``speed_kmh`` where known."""
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
                **({} if self.edge_speed_kmh is None else {"speed_kmh": self.edge_speed_kmh}),
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
            **self._vehicle_facts(),
            "elevation_m": self._elevation_range(),
            "by_structure_km": {
                name or "street": round(float(self.edge_length_m[self.edge_structure == i].sum()) / 1000, 3)
                for i, name in enumerate(STRUCTURES)
            },
        }

    def _vehicle_facts(self) -> dict[str, Any]:
        """Return what only networks with speeds, waits or forbidden turns have."""
        out: dict[str, Any] = {}
        if self.edge_speed_kmh is not None:
            speeds, where = np.unique(self.edge_speed_kmh, return_inverse=True)
            km = np.bincount(where, weights=self.edge_length_m) / 1000
            out["by_speed_km"] = {f"{s:g} km/h": round(float(k), 3) for s, k in zip(speeds, km, strict=True)}
        if self.node_control is not None:
            count = np.bincount(self.node_control, minlength=len(CONTROLS))
            out["controls"] = {name: int(c) for name, c in zip(CONTROLS, count, strict=False) if name and c}
        if self.turns is not None:
            out["forbidden_turns"] = len(self.turns)
            if over := int((self.turns[:, 3:4] >= 0).sum()):
                out["forbidden_turns_via_way"] = over
        if self.edge_local is not None:
            out["no_through_km"] = round(float(self.edge_length_m[self.edge_local].sum()) / 1000, 3)
        return out

    def _elevation_range(self) -> list[float] | None:
        known = self.node_elevation_m[np.isfinite(self.node_elevation_m)]
        return [round(float(known.min()), 1), round(float(known.max()), 1)] if len(known) else None

    def __repr__(self) -> str:
        """One line."""
        s = self.summary()
        return f"<Network {s['nodes']:,} nodes, {s['edges']:,} edges, {s['length_km']:,.0f} km>"

    def _repr_html_(self) -> str:
        from html import escape

        from bishan_gis.thumbnail import beside, small_map

        rows = "".join(f"<tr><th>{escape(k)}</th><td>{escape(str(v))}</td></tr>" for k, v in self.summary().items())
        lines = (self.vertex_x, self.vertex_y, self.vertex_start) if self.n_edges else None
        return beside(small_map(lines=lines, alt=repr(self)), f"<table>{rows}</table>")
