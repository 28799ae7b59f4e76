"""To networkx and back, in the form that osmnx works on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.crs import check_metric, load_crs, warn_stretched
from bishan_gis.errors import CrsError, SchemaError
from bishan_gis.network.build import hilbert_order, structure_code
from bishan_gis.network.graph import CONTROLS, STRUCTURES, Network
from bishan_gis.network.graph_checks import (
    check_graph,
    flag,
    graph_island_m,
    merged,
    node_control,
    node_ids,
    way_ids,
)
from bishan_gis.network.pieces import join_samples, split_samples
from bishan_gis.network.rules import check_mode
from bishan_gis.network.turns import turn_table

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
        ``tunnel``; where the network has them ``speed_kph`` [km/h], ``elevations`` (heights within the edge, in the
        direction of the edge) [m], ``local`` (no through traffic), and ``control`` on nodes. The graph's
        attributes ``crs``, ``mode``, ``rule_table`` and, where they are not 0, ``island_m`` are the network's;
        ``turns`` lists its forbidden turns as (``edge`` of the street one comes by, node, ``edge`` of the street one
        may not go on by), or more nodes and streets where a turn goes over streets in between.

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
    if network.rule_table:
        graph.graph["rule_table"] = network.rule_table
    if network.island_m:
        graph.graph["island_m"] = network.island_m
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
        listed = [[k for k in row if k >= 0] for row in network.turns.tolist()]
        graph.graph["turns"] = [tuple(names[k] if i % 2 else k for i, k in enumerate(row)) for row in listed]
    lines, backs, heights = network.lines, _reverse(network.lines), split_samples(network)
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
        if network.edge_local is not None and network.edge_local[i]:
            data["local"] = True
        there = {"elevations": heights[i]} if len(heights[i]) else {}
        back = {"elevations": heights[i][::-1]} if there else {}
        if forward:
            graph.add_edge(u, v, **data, **there, reversed=False, geometry=lines[i])
        if backward:
            graph.add_edge(v, u, **data, **back, reversed=True, geometry=backs[i])
    return graph


def from_networkx(graph: nx.MultiDiGraph, *, crs: CRS | str | int | None = None, mode: str | None = None) -> Network:
    """Return an osmnx graph as a network.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        As osmnx makes it: nodes with ``x, y``, edges with ``length`` [m] and, where bent, ``geometry``, all
        in the graph's ``crs``; simplified, consolidated or not. Two opposite edges of one way and one shape become
        one street open both ways; of a graph without directions (``osmnx.convert.to_undirected``, ``networkx.Graph``)
        every street is, whatever its ``oneway`` says.
    crs : pyproj.CRS, str or int, optional
        Working CRS of the network [m]; that of the graph where left out, which must then be projected.
    mode : str, optional
        Mode of travel the streets are for, which must be that of the profile: ``walk``, ``cycle``, ``drive``. Left
        out, it is the graph's attribute ``mode``, else ``walk``; graphs of osmnx have none.

    Returns
    -------
    Network
        Lengths are those of the graph. Nodes keep the names that the graph has for them where all are whole numbers;
        else they are numbered 1, 2, 3 ... in the order of the graph. Where osmnx merged ways, the smallest id and the
        first name and value stand for all; ids of ways that are no numbers become -1, -2 ... Where it merged nodes, the
        longest wait counts and turns stay forbidden. ``speed_kph`` (``osmnx.add_edge_speeds``) becomes
        ``edge_speed_kmh`` as it is, so that times are those of ``osmnx.add_edge_travel_times``: cars at the limit,
        where streets read from OSM have 0.8 of it; ``replace(load_profile("car"), street_factor=0.8)`` drives these
        alike. The faster direction stands for both. ``highway`` and ``railway`` of nodes become ``node_control``:
        signals, crossings, stop and give way. ``island_m`` is the graph's attribute.
        An edge that is closed both ways has no place in a graph and does not come back, nor does a
        forbidden turn of one; ``left_out`` counts ``turns`` that were lost.

    Raises
    ------
    InputError
        It is no graph of networkx, or its ``mode`` or ``island_m`` is unknown.
    NoDataError
        The graph has no edges.
    CrsError
        The graph has no ``crs``, or its positions cannot be projected.
    SchemaError
        Nodes without numbers for ``x, y``; edges without ``length``, or with one that is not a number, negative, or 0
        though the line is longer; geometries that are no lines; only some edges with ``speed_kph``.

    Warns
    -----
    BishanGisWarning
        The working CRS is that of another part of the world: distances in it are off by more than 1 %.

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
    check_graph(graph)
    check_mode(given := graph.graph.get("mode", "walk") if mode is None else mode, where="mode")
    mode, island_m = str(given), graph_island_m(graph)
    drawn = load_crs(str(graph.graph["crs"]), where="graph.crs")
    crs = _working_crs(graph, drawn) if crs is None else load_crs(crs)
    _check_metric_crs(crs)
    there = _transformer(drawn, crs)
    names = list(graph.nodes)
    data = [graph.nodes[n] for n in names]
    x, y = _move(there, np.array([d["x"] for d in data], float), np.array([d["y"] for d in data], float))
    warn_stretched(crs, x, y, where="crs")
    # Where osmnx consolidated intersections, nodes have new names, and lists of what they had before.
    consolidated = any("osmid_original" in d for d in data)
    own = [{} if consolidated else d for d in data]
    osmid = node_ids([d.get("osm_node", n) for n, d in zip(names, own, strict=True)])
    tie = np.lexsort(([d.get("order", 0) for d in own], osmid))
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
    turns, lost = _turns(graph, rows, position, consolidated=consolidated)
    heights = [s.tags.get("elevations", []) for s in rows]
    heights = [h if s.forward else h[::-1] for s, h in zip(rows, heights, strict=True)]
    sample_start, sample_elevation_m = join_samples(heights)
    local = np.array([any(flag(v) for v in merged(s.tags.get("local"))) for s in rows], dtype=bool)
    return Network(
        crs=crs,
        node_x=x[order],
        node_y=y[order],
        node_osmid=osmid[order],
        edge_u=u[by],
        edge_v=v[by],
        edge_length_m=np.array([float(s.tags["length"]) for s in rows], dtype=np.float64),
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
        node_frontier=np.array([any(merged(d.get("frontier"))) for d in data], dtype=bool)[order],
        node_elevation_m=np.array([_mean(d.get("elevation")) for d in data], dtype=np.float64)[order],
        left_out={"turns": lost} if lost else {},
        mode=mode,
        edge_speed_kmh=_speeds(rows),
        node_control=_controls([data[i] for i in order.tolist()]),
        turns=turns,
        island_m=island_m,
        rule_table=str(graph.graph.get("rule_table", "")),
        sample_start=sample_start,
        sample_elevation_m=sample_elevation_m,
        edge_local=local if local.any() else None,
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
    """Join the two directions of each street; what has only one stays one-way, unless the graph has no directions."""
    waiting: dict[tuple[int, int, int, bytes], list[_Street]] = {}
    streets: list[_Street] = []
    edges = list(graph.edges(data=True))
    ways = way_ids(tags.get("osmid") for *_, tags in edges)
    if not graph.is_directed():
        for (a, b, tags), way in zip(edges, ways, strict=True):
            shape = _shape(graph, a, b, tags)
            # Such a graph does not say from which end a street was drawn.
            a_xy, b_xy = (np.array([graph.nodes[n]["x"], graph.nodes[n]["y"]], dtype=float) for n in (a, b))
            if _gap(shape, b_xy, a_xy) < _gap(shape, a_xy, b_xy):
                a, b = b, a
            streets.append(_Street(position[a], position[b], way, shape, tags, forward=True, backward=True))
        return streets
    for against in (False, True):
        for (a, b, tags), way in zip(edges, ways, strict=True):
            turned = flag(tags.get("reversed"))
            if (turned is True) != against:
                continue
            shape = _shape(graph, a, b, tags)
            u, v = position[a], position[b]
            back = np.ascontiguousarray(shape[::-1])
            twins = waiting.get((v, u, way, back.tobytes()))
            if twins and turned is not False:
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


def _gap(shape: NDArray[np.float64], first: NDArray[np.float64], last: NDArray[np.float64]) -> float:
    """Return how far the ends of a line lie from two places, added up."""
    return float(np.hypot(*(shape[0] - first)) + np.hypot(*(shape[-1] - last)))


def _shape(graph: nx.MultiDiGraph, a: Any, b: Any, tags: dict[str, Any]) -> NDArray[np.float64]:
    line = _one(tags.get("geometry"))
    if line is not None:
        return np.array(line.coords, dtype=np.float64)[:, :2]
    first, last = graph.nodes[a], graph.nodes[b]
    return np.array([(first["x"], first["y"]), (last["x"], last["y"])], dtype=np.float64)


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
    out = np.array([np.nan if (v := _one(s.tags.get("speed_kph"))) is None else v for s in rows], dtype=np.float64)
    bad = int((~(np.isfinite(out) & (out > 0))).sum())
    if bad:
        raise SchemaError(
            f"graph: {len(rows)} 条街道中 {bad} 条的 speed_kph 缺失或不为正数;请先用 osmnx.add_edge_speeds 补全",
            f"graph: {bad} of {len(rows)} streets lack a positive speed_kph; complete them with osmnx.add_edge_speeds",
        )
    return out


def _controls(data: list[dict[str, Any]]) -> NDArray[np.uint8] | None:
    """Return what one waits for at each node; None where the graph knows of nothing."""
    known = [node_control(tags) for tags in data]
    return None if set(known) == {None} else np.array([c or 0 for c in known], dtype=np.uint8)


def _turns(
    graph: nx.MultiDiGraph, rows: list[_Street], position: dict[Any, int], *, consolidated: bool
) -> tuple[NDArray[np.int32] | None, int]:
    """Return the forbidden turns between streets that are still there, and how many are lost."""
    listed = graph.graph.get("turns")
    if not isinstance(listed, list):
        return None, 0
    if consolidated:
        was = {name: n for n, d in graph.nodes(data=True) for name in merged(d.get("osmid_original"))}
        position = {name: position[n] for name, n in was.items()}
    at = {s.tags["edge"]: i for i, s in enumerate(rows) if "edge" in s.tags}
    out: list[list[Any]] = []
    for turn in listed:
        found: list[Any] = [position.get(k) if i % 2 else at.get(k) for i, k in enumerate(turn)]
        if None not in found and _joined(found, rows):
            out.append(found)
    return turn_table(out), len(listed) - len(out)


def _joined(turn: list[Any], rows: list[_Street]) -> bool:
    """Say whether a turn leads from street to street: each has the nodes before and after it as its ends."""
    if len(turn) < 3 or len(turn) % 2 == 0:
        return False
    ends = [Counter((rows[e].u, rows[e].v)) for e in turn[::2]]
    return all(not Counter(turn[max(2 * i - 1, 1) : 2 * i + 2 : 2]) - ends[i] for i in range(len(ends)))


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


def _mean(value: Any) -> float:
    """Return the mean of the values that osmnx merged, NaN where there is none."""
    values = merged(value)
    return float(np.mean(values)) if values else np.nan


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


def _one(value: Any) -> Any:
    """Return the first of the values that osmnx merged, or the only one; None where it is empty."""
    return next(iter(merged(value)), None)


def _structure(tags: dict[str, Any]) -> int:
    if tags.get("structure") in STRUCTURES:
        return STRUCTURES.index(tags["structure"])
    return structure_code(
        {k: str(_one(tags[k])) for k in ("highway", "bridge", "tunnel") if _one(tags.get(k)) is not None}
    )


def _texts(rows: list[_Street], key: str, default: str) -> NDArray[np.object_]:
    out = np.empty(len(rows), dtype=object)
    out[:] = [default if (value := _one(s.tags.get(key))) is None else str(value) for s in rows]
    return out
