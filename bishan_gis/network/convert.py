"""To networkx and back, in the form that osmnx works on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.crs import load_crs
from bishan_gis.errors import CrsError, NoDataError, SchemaError
from bishan_gis.network.build import hilbert_order, structure_code
from bishan_gis.network.graph import STRUCTURES, Network

if TYPE_CHECKING:
    import networkx as nx
    from numpy.typing import NDArray
    from pyproj import CRS, Transformer

__all__ = ["from_networkx", "to_networkx"]


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
        ``tunnel``. The graph's attribute ``crs`` is the network's.
    """
    import networkx as nx

    graph = nx.MultiDiGraph(crs=network.crs.to_string(), simplified=True, kind="bishan_gis")
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
        graph.add_node(name, **data)
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
        if forward:
            graph.add_edge(u, v, **data, reversed=False, geometry=lines[i])
        if backward:
            graph.add_edge(v, u, **data, reversed=True, geometry=backs[i])
    return graph


def from_networkx(graph: nx.MultiDiGraph, *, crs: CRS | str) -> Network:
    """Return an osmnx graph as a network.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        As osmnx makes it: nodes with ``x, y``, edges with ``length`` [m] and, where bent, ``geometry``, all
        in the graph's ``crs``; simplified or not. Two opposite edges of one way and one shape become one
        street open both ways.
    crs : pyproj.CRS or str
        Working CRS of the network [m].

    Returns
    -------
    Network
        Lengths are those of the graph. Where osmnx merged ways, the smallest id and the first
        name and value stand for all.
        An edge that is closed both ways has no place in a graph and does not come back.

    Raises
    ------
    NoDataError
        The graph has no edges.
    CrsError
        The graph has no ``crs``, or its positions cannot be projected.
    SchemaError
        Nodes without ``x, y`` or edges without ``length``.
    """
    crs = load_crs(crs) if isinstance(crs, str) else crs
    _check_graph(graph)
    there = _transformer(load_crs(str(graph.graph["crs"]), where="graph.crs"), crs)
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
    return structure_code({k: str(_one(tags[k])) for k in ("highway", "bridge", "tunnel") if tags.get(k) is not None})


def _texts(rows: list[_Street], key: str, default: str) -> NDArray[np.object_]:
    out = np.empty(len(rows), dtype=object)
    out[:] = [default if (value := _one(s.tags.get(key))) is None else str(value) for s in rows]
    return out
