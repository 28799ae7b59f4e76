"""To networkx and back, in the form that osmnx works on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.crs import check_metric, load_crs
from bishan_gis.errors import CrsError, NoDataError, SchemaError
from bishan_gis.network.build import hilbert_order, structure_code
from bishan_gis.network.graph import CONTROLS, STRUCTURES, Network

if TYPE_CHECKING:
    import networkx as nx
    from numpy.typing import NDArray
    from pyproj import CRS, Transformer

__all__ = ["from_networkx", "to_networkx"]

#: What osmnx keeps of a node's tags -> what it makes one wait for.
_TAGS = {
    ("highway", "traffic_signals"): "signals",
    ("highway", "crossing"): "crossing",
    ("highway", "stop"): "stop",
    ("highway", "give_way"): "give_way",
    ("railway", "level_crossing"): "level_crossing",
}


def to_networkx(network: Network) -> nx.MultiDiGraph:
    """Return the network as a graph that osmnx accepts.

    Parameters
    ----------
    network : Network
        The streets.

    Returns
    -------
    networkx.MultiDiGraph
        Nodes are OSM ids with ``x, y`` in the network's CRS, ``street_count``, ``frontier`` and, where
        known, ``elevation``; the second and later nodes of one OSM id (a street cut at a barrier) get
        negative ids and carry the real one as ``osm_node``. One edge per direction that is open, with
        ``osmid, length`` [m], ``geometry, highway, name, oneway, reversed, kind`` and ``bridge`` or
        ``tunnel``; where the network has them ``speed_kph`` [km/h], and ``control`` on nodes. The graph's
        attributes ``crs`` and ``mode`` are the network's; ``turns`` lists its forbidden turns as
        (``edge`` of the street one comes by, node, ``edge`` of the street one may not go on by).

    Examples
    --------
    >>> import geopandas as gpd
    >>> lines = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 100 0)"], crs="EPSG:4544")
    >>> graph = to_networkx(Network.from_edges(gpd.GeoDataFrame({"oneway": [True]}, geometry=lines)))
    >>> graph.number_of_nodes(), graph.number_of_edges(), graph.graph["crs"]
    (2, 1, 'EPSG:4544')
    """
    import networkx as nx

    graph = nx.MultiDiGraph(crs=network.crs.to_string(), simplified=True, kind="bishan_gis", mode=network.mode)
    names = _node_names(network.node_osmid)
    ends = np.concatenate([network.edge_u, network.edge_v])
    degree = np.bincount(ends, minlength=network.n_nodes).tolist()
    for i, (name, osmid, x, y, streets, cut, z) in enumerate(
        zip(
            names,
            network.node_osmid.tolist(),
            network.node_x.tolist(),
            network.node_y.tolist(),
            degree,
            network.node_frontier.tolist(),
            network.node_elevation_m.tolist(),
            strict=True,
        )
    ):
        data: dict[str, Any] = {"x": x, "y": y, "street_count": streets, "frontier": cut, "order": i}
        if name != osmid:
            data["osm_node"] = osmid
        if z == z:
            data["elevation"] = z
        if network.node_control is not None:
            data["control"] = CONTROLS[network.node_control[i]]
        graph.add_node(name, **data)
    if network.turns is not None:
        graph.graph["turns"] = [(a, names[at], b) for a, at, b in network.turns.tolist()]
    lines, backs = network.lines, _reverse(network.lines)
    for i in range(network.n_edges):
        u, v = names[network.edge_u[i]], names[network.edge_v[i]]
        forward, backward = bool(network.edge_forward[i]), bool(network.edge_backward[i])
        data = {
            "osmid": int(network.edge_way[i]),
            "length": float(network.edge_length_m[i]),
            "highway": network.edge_highway[i],
            "oneway": forward != backward,
            "kind": network.edge_kind[i],
        }
        if network.edge_name[i]:
            data["name"] = network.edge_name[i]
        structure = STRUCTURES[network.edge_structure[i]]
        if structure in ("bridge", "tunnel"):
            data[structure] = "yes"
        elif structure and data["highway"] != structure:
            data["structure"] = structure
        if network.edge_speed_kmh is not None:
            data["speed_kph"] = float(network.edge_speed_kmh[i])
        if network.turns is not None:
            data["edge"] = i
        if forward:
            graph.add_edge(u, v, **data, reversed=False, geometry=lines[i])
        if backward:
            graph.add_edge(v, u, **data, reversed=True, geometry=backs[i])
    return graph


def from_networkx(graph: nx.MultiDiGraph, *, crs: CRS | str | None = None) -> Network:
    """Return an osmnx graph as a network.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        As osmnx makes it: nodes with ``x, y``, edges with ``length`` [m] and, where bent, ``geometry``, all
        in the graph's ``crs``; simplified or not. Two opposite edges of one way and one shape become one
        street open both ways.
    crs : pyproj.CRS or str, optional
        Working CRS of the network [m]; that of the graph where left out, which must then be projected.

    Returns
    -------
    Network
        Lengths are those of the graph. Where osmnx merged ways, the smallest id and the first
        name and value stand for all. ``speed_kph`` (``osmnx.add_edge_speeds``) becomes ``edge_speed_kmh`` as it
        is, so that times are those of ``osmnx.add_edge_travel_times``: cars at the limit, where streets read from OSM
        have 0.8 of it; ``replace(load_profile("car"), street_factor=0.8)`` drives these alike. The faster direction
        stands for both. ``highway`` and ``railway`` of nodes become ``node_control``: signals,
        crossings, stop and give way. The mode is the graph's attribute ``mode``, else ``walk``.
        An edge that is closed both ways has no place in a graph and does not come back, nor does a
        forbidden turn of one; ``left_out`` counts ``turns`` that were lost.

    Raises
    ------
    NoDataError
        The graph has no edges.
    CrsError
        The graph has no ``crs``, or its positions cannot be projected.
    SchemaError
        Nodes without ``x, y``, edges without ``length``, or only some edges with ``speed_kph``.

    Examples
    --------
    >>> import networkx as nx
    >>> graph = nx.MultiDiGraph(crs="EPSG:4544")
    >>> graph.add_nodes_from([(1, {"x": 0.0, "y": 0.0}), (2, {"x": 100.0, "y": 0.0})])
    >>> for u, v in ((1, 2), (2, 1)):
    ...     _ = graph.add_edge(u, v, osmid=7, length=100.0)
    >>> from_networkx(graph).edges[["way", "forward", "backward"]].values.tolist()
    [[7, True, True]]
    """
    _check_graph(graph)
    drawn = load_crs(str(graph.graph["crs"]), where="graph.crs")
    crs = _working_crs(graph, drawn) if crs is None else load_crs(crs) if isinstance(crs, str) else crs
    _check_metric_crs(crs)
    there = _transformer(drawn, crs)
    names = list(graph.nodes)
    data = [graph.nodes[n] for n in names]
    x, y = _move(there, np.array([d["x"] for d in data], float), np.array([d["y"] for d in data], float))
    osmid = np.array([d.get("osm_node", n) for n, d in zip(names, data, strict=True)], dtype=np.int64)
    tie = np.lexsort(([d.get("order", 0) for d in data], osmid))
    rank = np.empty(len(names), dtype=np.int64)
    rank[tie] = np.arange(len(names))
    order = hilbert_order(x, y, rank)
    position = {names[i]: k for k, i in enumerate(order.tolist())}
    streets = _pair(graph, position)
    u = np.array([s.u for s in streets], dtype=np.int32)
    v = np.array([s.v for s in streets], dtype=np.int32)
    way = np.array([s.way for s in streets], dtype=np.int64)
    by = np.lexsort((way, v, u))
    rows = [streets[i] for i in by.tolist()]
    sizes = [len(s.shape) for s in rows]
    vertex_start = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(sizes, out=vertex_start[1:])
    shape = np.concatenate([s.shape for s in rows])
    vertex_x, vertex_y = _move(there, shape[:, 0], shape[:, 1])
    turns, lost = _turns(graph, rows, position)
    return Network(
        crs=crs,
        node_x=x[order],
        node_y=y[order],
        node_osmid=osmid[order],
        edge_u=u[by],
        edge_v=v[by],
        edge_length_m=np.array([s.tags["length"] for s in rows], dtype=np.float64),
        edge_forward=np.array([s.forward for s in rows], dtype=bool),
        edge_backward=np.array([s.backward for s in rows], dtype=bool),
        edge_way=way[by],
        edge_structure=np.array([_structure(s.tags) for s in rows], dtype=np.uint8),
        edge_highway=_texts(rows, "highway", ""),
        edge_name=_texts(rows, "name", ""),
        edge_kind=_texts(rows, "kind", "observed"),
        vertex_start=vertex_start,
        vertex_x=vertex_x,
        vertex_y=vertex_y,
        node_frontier=np.array([bool(d.get("frontier", False)) for d in data], dtype=bool)[order],
        node_elevation_m=np.array([d.get("elevation", np.nan) for d in data], dtype=np.float64)[order],
        left_out={"turns": lost} if lost else {},
        mode=str(graph.graph.get("mode", "walk")),
        edge_speed_kmh=_speeds(rows),
        node_control=_controls([data[i] for i in order.tolist()]),
        turns=turns,
    )


@dataclass
class _Street:
    """One street piece, both directions in it."""

    u: int
    v: int
    way: int
    shape: NDArray[np.float64]
    tags: dict[str, Any] = field(repr=False)
    forward: bool
    backward: bool


def _pair(graph: nx.MultiDiGraph, position: dict[Any, int]) -> list[_Street]:
    """Join the two directions of each street; what has only one stays one-way."""
    waiting: dict[tuple[int, int, int, bytes], list[_Street]] = {}
    streets: list[_Street] = []
    edges = list(graph.edges(data=True))
    for against in (False, True):
        for a, b, tags in edges:
            if (tags.get("reversed") is True) != against:
                continue
            shape = _shape(graph, a, b, tags)
            u, v, way = position[a], position[b], _way(tags)
            back = np.ascontiguousarray(shape[::-1])
            twins = waiting.get((v, u, way, back.tobytes()))
            if twins and tags.get("reversed") is not False:
                twin = twins.pop(0)
                twin.forward = twin.backward = True
                if "speed_kph" in tags and "speed_kph" in twin.tags:
                    twin.tags = {**twin.tags, "speed_kph": max(twin.tags["speed_kph"], tags["speed_kph"])}
                elif "speed_kph" in tags or "speed_kph" in twin.tags:
                    twin.tags = {**twin.tags, "speed_kph": np.nan}
                continue
            if against:  # only the way back is open: keep the drawn direction
                u, v, shape = v, u, back
            street = _Street(u, v, way, shape, tags, forward=not against, backward=against)
            streets.append(street)
            if not against:
                waiting.setdefault((u, v, way, shape.tobytes()), []).append(street)
    return streets


def _shape(graph: nx.MultiDiGraph, a: Any, b: Any, tags: dict[str, Any]) -> NDArray[np.float64]:
    line = tags.get("geometry")
    if line is not None:
        return np.array(line.coords, dtype=np.float64)[:, :2]
    first, last = graph.nodes[a], graph.nodes[b]
    return np.array([(first["x"], first["y"]), (last["x"], last["y"])], dtype=np.float64)


def _check_graph(graph: nx.MultiDiGraph) -> None:
    if not graph.number_of_edges():
        raise NoDataError(
            f"graph: 图有 {len(graph)} 个节点,没有边;请检查下载范围",
            f"graph: {len(graph)} nodes and no edges; check the area that was fetched",
        )
    if graph.graph.get("crs") is None:
        raise CrsError(
            f"graph: 图 ({len(graph)} 个节点) 没有 crs 属性;请设置 graph.graph['crs']",
            f"graph: {len(graph)} nodes and no crs; set graph.graph['crs']",
        )
    points = sum("x" not in d or "y" not in d for _, d in graph.nodes(data=True))
    edges = sum("length" not in d for _, _, d in graph.edges(data=True))
    if points or edges:
        raise SchemaError(
            f"graph: {points} 个节点缺少 x/y,{edges} 条边缺少 length;请先用 osmnx 补全",
            f"graph: {points} nodes lack x/y and {edges} edges lack length; complete them with osmnx first",
        )


def _working_crs(graph: nx.MultiDiGraph, drawn: CRS) -> CRS:
    """Return the CRS of the graph if one can compute in it; else say which one to name."""
    if not drawn.is_geographic:
        return drawn
    points = [(d["x"], d["y"]) for _, d in graph.nodes(data=True)]
    lon, lat = np.mean(points, axis=0)
    hint = f"EPSG:{(32600 if lat >= 0 else 32700) + int((lon + 180) // 6) % 60 + 1}"
    raise CrsError(
        f"graph: {len(points)} 个节点的坐标以度为单位;请指定米制坐标系,例如 crs='{hint}'",
        f"graph: its {len(points)} nodes are in degrees; name a CRS in metres, for instance crs='{hint}'",
    )


def _check_metric_crs(crs: CRS) -> None:
    import geopandas as gpd

    check_metric(gpd.GeoSeries([], crs=crs), where="crs")


def _speeds(rows: list[_Street]) -> NDArray[np.float64] | None:
    """Return the speed of each street; None where no street has one."""
    some = sum("speed_kph" in s.tags for s in rows)
    if not some:
        return None
    out = np.array([_one(s.tags.get("speed_kph", np.nan)) for s in rows], dtype=np.float64)
    bad = int((~(np.isfinite(out) & (out > 0))).sum())
    if bad:
        raise SchemaError(
            f"graph: {len(rows)} 条街道中 {bad} 条的 speed_kph 缺失或不为正数;请先用 osmnx.add_edge_speeds 补全",
            f"graph: {bad} of {len(rows)} streets lack a positive speed_kph; complete them with osmnx.add_edge_speeds",
        )
    return out


def _controls(data: list[dict[str, Any]]) -> NDArray[np.uint8] | None:
    """Return what one waits for at each node; None where the graph knows of nothing."""
    out = np.zeros(len(data), dtype=np.uint8)
    known = False
    for i, tags in enumerate(data):
        own = tags.get("control")
        if own is None:
            own = next((c for (key, value), c in _TAGS.items() if tags.get(key) == value), None)
        if own is not None:
            known, out[i] = True, CONTROLS.index(own) if own in CONTROLS else 0
    return out if known else None


def _turns(
    graph: nx.MultiDiGraph, rows: list[_Street], position: dict[Any, int]
) -> tuple[NDArray[np.int32] | None, int]:
    """Return the forbidden turns between streets that are still there, and how many are lost."""
    listed = graph.graph.get("turns")
    if not isinstance(listed, list):
        return None, 0
    at = {s.tags["edge"]: (i, (s.u, s.v)) for i, s in enumerate(rows) if "edge" in s.tags}
    out = []
    for a, node, b in listed:
        here = position.get(node)
        if a in at and b in at and here in at[a][1] and here in at[b][1]:
            out.append((at[a][0], here, at[b][0]))
    return np.array(out, dtype=np.int32).reshape(-1, 3), len(listed) - len(out)


def _node_names(osmid: NDArray[np.int64]) -> list[int]:
    """Return a unique id per node: the OSM id, and a negative number for its second and later copies."""
    seen: Counter[int] = Counter()
    names = []
    for i, one in enumerate(osmid.tolist()):
        names.append(-(i + 1) if seen[one] else one)
        seen[one] += 1
    return names


def _reverse(lines: NDArray[np.object_]) -> NDArray[np.object_]:
    import shapely

    out: NDArray[np.object_] = shapely.reverse(lines)
    return out


def _transformer(source: CRS, target: CRS) -> Transformer | None:
    if source == target:
        return None
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


def _move(
    there: Transformer | None, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if there is None:
        return x.copy(), y.copy()
    moved_x, moved_y = there.transform(x, y)
    beyond = int((~np.isfinite(moved_x)).sum())
    if beyond:
        raise CrsError(
            f"graph: {beyond} 个位置无法投影到工作坐标系;请检查 crs",
            f"graph: {beyond} positions cannot be projected to the working CRS; check both",
        )
    return np.asarray(moved_x, dtype=np.float64), np.asarray(moved_y, dtype=np.float64)


def _way(tags: dict[str, Any]) -> int:
    """Return the way's id; of several the smallest, which is the same in both directions."""
    value = tags.get("osmid", 0)
    return int(min(value)) if isinstance(value, list) else int(value)


def _one(value: Any) -> Any:
    """Return the first of the values that osmnx merged, or the only one."""
    return value[0] if isinstance(value, list) else value


def _structure(tags: dict[str, Any]) -> int:
    if tags.get("structure") in STRUCTURES:
        return STRUCTURES.index(tags["structure"])
    return structure_code({k: str(_one(tags[k])) for k in ("highway", "bridge", "tunnel") if tags.get(k) is not None})


def _texts(rows: list[_Street], key: str, default: str) -> NDArray[np.object_]:
    out = np.empty(len(rows), dtype=object)
    out[:] = [default if (value := _one(s.tags.get(key))) is None else str(value) for s in rows]
    return out
