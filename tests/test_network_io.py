"""Networks in and out: own roads, osmnx graphs, files, maps."""

from __future__ import annotations

import hashlib
import itertools
import pickle
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from helsinki import HELSINKI_CRS, helsinki_pbf
from hypothesis import given, settings
from hypothesis import strategies as st
from osm_xml import equal_networks
from street_oracle import random_turns, turns_by_id
from toy import EAST, NORTH, TOY_CRS, grid_network, make_network

from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.errors import (
    BishanGisError,
    BrokenFileError,
    CrsError,
    InputError,
    MissingFileError,
    NoDataError,
    OutputError,
    SchemaError,
)
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.network.graph import CONTROLS, Network
from bishan_gis.network.turns import turn_table
from bishan_gis.quick_map import explore

WALK = load_profile("adult")


def same(a: Network, b: Network) -> None:
    """Hold everything of two networks against each other."""
    equal_networks(a, b)
    for name in ("edge_speed_kmh", "node_control", "turns", "edge_local"):
        assert (getattr(a, name) is None) == (getattr(b, name) is None), name
    assert (a.mode, a.crs) == (b.mode, b.crs)


def rich(seed: int, *, size: int = 5) -> Network:
    """Return a random town with speeds, waits, forbidden turns and strange names."""
    network, rng = grid_network(size, seed=seed), np.random.default_rng(seed)
    names = np.array(["", "人民路", "O'Brien \U0001f6b2", "a\nb"], dtype=object)
    inner = rng.integers(0, 3, network.n_edges)
    return replace(
        network,
        sample_start=np.concatenate([[0], np.cumsum(inner)]),
        sample_elevation_m=rng.normal(300, 9, inner.sum()),
        mode="drive",
        edge_name=names[rng.integers(4, size=network.n_edges)],
        edge_speed_kmh=rng.choice([20.0, 33.3, 60.0], network.n_edges),
        node_control=rng.integers(len(CONTROLS), size=network.n_nodes).astype(np.uint8),
        node_elevation_m=rng.normal(300, 9, network.n_nodes),
        turns=turn_table(random_turns(network, rng, seed % 8)),
        edge_local=rng.random(network.n_edges) < 0.3 if seed % 2 else None,
        rule_counts={"规则": {"ways": 3, "length_km": 0.5}},
        left_out={"missing_nodes": np.int64(2)},
    )


# --- files --------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_file_gives_back_what_was_saved(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    network = rich(seed)
    path = network.save(tmp_path_factory.mktemp("net") / "town.bgnet")
    again = Network.load(path, verify=True)
    same(network, again)
    assert (again.rule_counts, again.left_out) == (network.rule_counts, network.left_out)
    first = path.read_bytes()
    assert again.save(path).read_bytes() == first, "a file may be replaced by what was loaded from it"
    same(network, again)


def test_texts_wait_and_arrays_stay_out_of_the_file(tmp_path: Path) -> None:
    network = rich(1)
    path = network.save(tmp_path / "sub" / "town.bgnet")
    before = path.read_bytes()
    again = Network.load(path)
    assert "edge_name" not in vars(again)
    assert again.edges["name"].tolist() == network.edge_name.tolist()
    assert "edge_name" in vars(again)
    again.node_x[0] = 0.0
    assert path.read_bytes() == before
    same(network, replace(Network.load(path), mode="drive"))
    same(network, pickle.loads(pickle.dumps(Network.load(path))))
    with pytest.raises(AttributeError):
        _ = again.edge_colour
    plain = replace(make_network([(0, 0), (100, 0)], [(0, 1)]), island_m=750.0)
    same(plain, Network.load(plain.save(path)))
    assert Network.load(path).island_m == 750.0


def test_a_loaded_network_finds_the_same_ways(tmp_path: Path) -> None:
    network = rich(3, size=8)
    again = Network.load(network.save(tmp_path / "town.bgnet"))
    rng = np.random.default_rng(0)
    x, y = EAST + rng.uniform(0, 700, 40), NORTH + rng.uniform(0, 700, 40)
    origins = pd.DataFrame({"origin_id": range(40), "x": x, "y": y})
    places = pd.DataFrame({"facility_id": [f"f{i}" for i in range(5)], "x": x[:5], "y": y[:5]})
    car = load_profile("car")
    one, two = (travel_matrix(n, edge_costs(n, car), origins, places, cutoff_s=900) for n in (network, again))
    pd.testing.assert_frame_equal(one, two)
    assert len(one) > 50


def _whole(path: Path, header: bytes, rest: bytes) -> Path:
    lead = struct.pack("<8sQ32s", b"BGISNET\n", len(header), hashlib.sha256(header).digest())
    path.write_bytes(lead + header + bytes(-(len(lead) + len(header)) % 64) + rest)
    return path


def test_a_file_is_of_the_first_version_that_holds_it(tmp_path: Path) -> None:
    """Programs of before say of a file with turns over streets in between that it is of a later version."""
    path = tmp_path / "town.bgnet"
    plain = grid_network(4)
    hilly = replace(plain, sample_start=np.zeros(plain.n_edges + 1, dtype=np.int64), sample_elevation_m=np.zeros(0))
    for network, version in ((plain, 1), (hilly, 2)):
        for turns in (None, turn_table([(0, network.edge_v[0], 0)])):
            data = replace(network, turns=turns).save(path).read_bytes()
            assert b'"version":%d,' % version in data
    u, v = plain.edge_u[0], plain.edge_v[0]
    assert b'"version":3,' in replace(plain, edge_local=np.ones(plain.n_edges, dtype=bool)).save(path).read_bytes()
    long = replace(plain, turns=turn_table([(0, v, 0, u, 0), (0, v, 0)]))
    data = long.save(path).read_bytes()
    assert b'"version":3,' in data
    same(long, Network.load(path, verify=True))
    assert long.summary()["forbidden_turns_via_way"] == 1
    size = struct.unpack("<Q", data[8:16])[0]
    header = data[48 : 48 + size].replace(b'"shape":[2,5]', b'"shape":[5,2]')
    with pytest.raises(BrokenFileError, match="turns"):
        Network.load(_whole(path, header, data[-(-(48 + size) // 64) * 64 :]))


def test_files_that_are_not_whole(tmp_path: Path) -> None:
    good = grid_network(4).save(tmp_path / "good.bgnet")
    data, bad = good.read_bytes(), tmp_path / "bad.bgnet"
    with pytest.raises(MissingFileError):
        Network.load(tmp_path / "none.bgnet")
    with pytest.raises(BrokenFileError):
        Network.load(tmp_path)
    for length in [0, 7, 8, 47, 48, 300, len(data) // 2, len(data) - 1]:
        bad.write_bytes(data[:length])
        with pytest.raises(BrokenFileError):
            Network.load(bad)
    for wrong in (b"PK\x03\x04" + data[4:], data + b"\0", data[:60] + b"x" + data[61:], b"\x80\x04" * 99):
        bad.write_bytes(wrong)
        with pytest.raises(BrokenFileError) as told:
            Network.load(bad)
        assert "bad.bgnet" in told.value.zh
    size = struct.unpack("<Q", data[8:16])[0]
    header, rest = data[48 : 48 + size], data[-(-(48 + size) // 64) * 64 :]
    with pytest.raises(BrokenFileError, match="version 99"):
        Network.load(_whole(bad, header.replace(b'"version":1', b'"version":99'), rest))
    for old, new in (
        (b'"node_x"', b'"node_z"'),
        (b'"<i4"', b'"|O8"'),
        (b'"crs_wkt"', b'"crs_wkx"'),
        (b'"offset":0', b'"offset":-1'),
    ):
        assert old in header
        with pytest.raises(BrokenFileError):
            Network.load(_whole(bad, header.replace(old, new, 1), rest))
    damaged = bytearray(data)
    damaged[-(-(48 + size) // 64) * 64 + 3] ^= 1
    bad.write_bytes(damaged)
    Network.load(bad)
    with pytest.raises(BrokenFileError, match="checksum"):
        Network.load(bad, verify=True)
    with pytest.raises(OutputError):
        grid_network(4).save(good / "below.bgnet")
    assert good.read_bytes() == data
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.bgnet", "good.bgnet"]


# --- osmnx graphs -------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_round_trip_through_networkx(seed: int) -> None:
    network = rich(seed)
    back = Network.from_networkx(network.to_networkx())
    same(back, Network.from_networkx(back.to_networkx()))
    for what in (_edges_by_id, _nodes_by_id, turns_by_id):
        assert what(network) == what(back), "only the order of nodes and edges is another"
    assert back.left_out == {}
    graph = network.to_networkx()
    at = [e for e in graph.edges(keys=True, data="edge") if len(network.turns) and e[3] in network.turns[0, ::2]]
    graph.remove_edges_from([e[:3] for e in at])
    assert bool(Network.from_networkx(graph).left_out.get("turns")) == bool(at)


def _edges_by_id(n: Network) -> set[tuple]:
    ends = n.node_osmid[n.edge_u], n.node_osmid[n.edge_v]
    local = np.zeros(n.n_edges, dtype=bool) if n.edge_local is None else n.edge_local
    columns = (n.edge_way, n.edge_forward, n.edge_backward, n.edge_length_m, n.edge_name, n.edge_speed_kmh, local)
    return set(zip(*ends, *columns, strict=True))


def _nodes_by_id(n: Network) -> set[tuple]:
    return set(zip(n.node_osmid, n.node_x, n.node_y, n.node_control, n.node_elevation_m, strict=True))


def test_helsinki_by_car_survives_graph_and_file(tmp_path: Path) -> None:
    network = Network.from_osm(helsinki_pbf(), crs=HELSINKI_CRS, mode="drive")
    assert network.mode == "drive"
    assert network.edge_speed_kmh is not None
    assert network.node_control is not None
    same(network, Network.from_networkx(network.to_networkx()))
    same(network, Network.load(network.save(tmp_path / "h.bgnet")))


@pytest.mark.parametrize("oneway", [False, True])
def test_ways_of_an_osmnx_graph_are_those_of_osmnx(oneway: bool) -> None:
    """From every node to every other, to the millisecond, over a graph in degrees with speeds and signals.

    With one-way streets as a graph again: a place that snaps to the end of a one-way street is on that street.
    """
    import osmnx as ox

    town = rich(8, size=6)
    graph = nx.MultiDiGraph(crs="EPSG:4326")
    lonlat = gpd.GeoSeries(gpd.points_from_xy(town.node_x, town.node_y), crs=TOY_CRS).to_crs(4326)
    used = set(np.unique([town.edge_u, town.edge_v]).tolist())
    for i, p in ((i, p) for i, p in enumerate(lonlat) if i in used):
        graph.add_node(i + 1, x=p.x, y=p.y, **({"highway": "traffic_signals"} if i == 3 else {}))
    for i in range(town.n_edges):
        u, v = int(town.edge_u[i]) + 1, int(town.edge_v[i]) + 1
        graph.add_edge(u, v, osmid=i, highway="residential", reversed=False)
        if town.edge_backward[i] or not oneway:
            graph.add_edge(v, u, osmid=i, highway="residential", reversed=True)
    graph = ox.add_edge_speeds(ox.distance.add_edge_lengths(graph), hwy_speeds={"residential": 40.0})
    with pytest.raises(CrsError, match="EPSG:326"):
        Network.from_networkx(graph)
    network = Network.from_networkx(graph, crs=TOY_CRS)
    assert network.mode == "walk"
    assert set(network.edge_speed_kmh) == {40.0}
    assert network.node_osmid[network.node_control == CONTROLS.index("signals")].tolist() == [4]
    for *_, data in graph.edges(data=True):
        data["ms"] = max(round(data["length"] / WALK.speed_ms * 1000), 1)
    theirs = dict(nx.all_pairs_dijkstra_path_length(graph, weight="ms"))
    assert sum(len(row) for row in theirs.values()) > 1000
    if oneway:
        again = network.to_networkx()
        for *_, data in again.edges(data=True):
            data["ms"] = max(round(data["length"] / WALK.speed_ms * 1000), 1)
        assert dict(nx.all_pairs_dijkstra_path_length(again, weight="ms")) == theirs
        return
    costs = edge_costs(replace(network, node_control=None), WALK)
    at = pd.DataFrame({"origin_id": network.node_osmid, "x": network.node_x, "y": network.node_y})
    places = at.rename(columns={"origin_id": "facility_id"})
    matrix = travel_matrix(network, costs, at, places, cutoff_s=3600)
    found = {(a, b): round(c * 1000) for a, b, c in matrix.itertuples(index=False)}
    assert found == {(a, b): c for a, row in theirs.items() for b, c in row.items()}
    route = ox.routing.shortest_path(graph, 1, 30, weight="ms")
    assert found[1, 30] == sum(min(d["ms"] for d in graph[a][b].values()) for a, b in itertools.pairwise(route))
    del next(iter(graph.edges(data=True)))[2]["speed_kph"]
    with pytest.raises(SchemaError, match="speed_kph"):
        Network.from_networkx(graph, crs=TOY_CRS)


def bent() -> nx.MultiDiGraph:
    """A bent street 1 - 2 open both ways, a straight one 2 -> 3 that is one-way."""
    graph = nx.MultiDiGraph(crs=TOY_CRS.to_string())
    for name, x in ((1, 0.0), (2, 100.0), (3, 200.0)):
        graph.add_node(name, x=EAST + x, y=NORTH)
    line = shapely.LineString([(EAST, NORTH), (EAST + 50, NORTH + 40), (EAST + 100, NORTH)])
    graph.add_edge(1, 2, osmid=7, length=line.length, geometry=line, oneway=False, reversed=False)
    graph.add_edge(2, 1, osmid=7, length=line.length, geometry=line.reverse(), oneway=False, reversed=True)
    graph.add_edge(2, 3, osmid=8, length=100.0, oneway=True, reversed=False)
    return graph


def test_graphs_without_directions_are_open_both_ways() -> None:
    import osmnx as ox

    directed, plain = bent(), Network.from_networkx(bent())
    assert plain.edges[["way", "forward", "backward"]].values.tolist() == [[7, True, True], [8, True, False]]
    for graph in (ox.convert.to_undirected(directed), directed.to_undirected(), nx.Graph(directed)):
        network = Network.from_networkx(graph)
        assert sorted(network.edges[["way", "forward", "backward"]].values.tolist()) == [
            [7, True, True],
            [8, True, True],
        ]
        ends = network.vertex_start[:-1], network.vertex_start[1:] - 1
        for end, at in zip((network.edge_u, network.edge_v), ends, strict=True):
            assert network.vertex_x[at].tolist() == network.node_x[end].tolist()


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (lambda g: g.nodes[1].update(x=np.nan), SchemaError, "1 nodes lack x/y, or they are not numbers"),
        (lambda g: g.nodes[1].update(y="north"), SchemaError, "1 nodes lack x/y, or they are not numbers"),
        (lambda g: g[1][2][0].update(length=np.nan), SchemaError, "1 edges have a length that is missing, negative"),
        (lambda g: g[1][2][0].update(length=-1), SchemaError, "1 edges have a length that is missing, negative"),
        (lambda g: g[2][3][0].update(length=0), SchemaError, "1 edges have length 0 although their lines are longer"),
        (lambda g: g[2][3][0].pop("length"), SchemaError, "graph: 1 edges lack length; complete"),
        (lambda g: g[2][3][0].update(geometry="LINESTRING"), SchemaError, "1 edges have a geometry that is no Line"),
        (lambda g: g.graph.update(mode="fly"), InputError, "mode.* = 'fly': no such mode"),
        (lambda g: g.graph.update(island_m="far"), InputError, "island_m.* = 'far': must be 0 or more"),
    ],
)
def test_graphs_that_make_no_network(spoil: Callable, error: type, said: str) -> None:
    graph = bent()
    spoil(graph)
    with pytest.raises(error, match=said):
        Network.from_networkx(graph)


def test_names_of_any_kind() -> None:
    with pytest.raises(InputError, match="graph of networkx; it is a DataFrame"):
        Network.from_networkx(pd.DataFrame())
    graph = bent()
    graph[2][3][0]["osmid"] = "new road"
    assert sorted(Network.from_networkx(nx.relabel_nodes(graph, str)).node_osmid.tolist()) == [1, 2, 3]
    network = Network.from_networkx(nx.relabel_nodes(graph, {1: ("a", 1), 3: "c"}))
    at = dict(zip(network.node_osmid.tolist(), network.node_x.tolist(), strict=True))
    assert at == {1: EAST, 2: EAST + 100, 3: EAST + 200}  # in the order of the graph
    assert network.edge_way.tolist() == [7, -1]


def test_a_consolidated_graph_comes_back() -> None:
    """Two junctions 5 m apart become one; what waits and is forbidden there stays, and so do islands."""
    import osmnx as ox

    network = make_network([(0, 0), (100, 0), (105, 0), (205, 0), (100, 100)], [(0, 1), (1, 2), (2, 3), (1, 4)])
    control = np.array([CONTROLS.index(c) for c in ("", "stop", "signals", "", "crossing")], dtype=np.uint8)
    turns = np.array([[0, 1, 3], [1, 2, 2]], dtype=np.int32)
    network = replace(network, node_control=control, turns=turns, island_m=750.0, node_frontier=np.arange(5) == 2)
    graph = network.to_networkx()
    again = Network.from_networkx(ox.consolidate_intersections(graph, tolerance=5, rebuild_graph=True, dead_ends=True))
    assert (again.n_nodes, again.n_edges, again.island_m) == (4, 3, 750.0)
    (here,) = np.flatnonzero(again.node_control == CONTROLS.index("signals"))
    assert (again.node_x[here], again.node_y[here]) == pytest.approx((EAST + 102.5, NORTH))
    assert again.node_frontier.tolist() == [i == here for i in range(4)]
    assert [(again.edge_way[a], at, again.edge_way[b]) for a, at, b in again.turns] == [(1, here, 4)]
    assert again.left_out == {"turns": 1}
    assert Network.from_networkx(graph).n_nodes == 5


# --- own roads ----------------------------------------------------------------------------------------


def roads(*lines: list[tuple[float, float]], crs: object = TOY_CRS, **columns: list) -> gpd.GeoDataFrame:
    shapes = [shapely.LineString([(EAST + x, NORTH + y) for x, y in line]) for line in lines]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=crs)


def test_own_roads_by_hand() -> None:
    """A cross of four roads, a bridge over it, and a road that passes through the crossing without an end there."""
    middle = (100, 0)
    frame = roads(
        [(0, 0), middle],
        [middle, (200, 0)],
        [(100, 100), (100, 50), middle],
        [(50, -50), (50, 50)],
        [(100, -80), middle, (130, 80)],
        oneway=["no", "-1", True, None, 0],
        speed_kmh=[30, 40, 50.5, 60, 70],
        structure=["", None, "steps", "bridge", ""],
        name=["a", "b", "c", None, "e"],
        kind=["observed", "assumed", "observed", "synthetic", "observed"],
    )
    before = frame.copy()
    n = Network.from_edges(frame, mode="drive")
    pd.testing.assert_frame_equal(frame, before)
    assert (n.n_nodes, n.n_edges, n.mode) == (8, 5, "drive")
    e = n.edges.set_index("way")
    assert e["length_m"].tolist() == pytest.approx([e.length[w] for w in e.index])
    assert e.loc[[0, 1, 2, 3], ["forward", "backward"]].to_numpy().tolist() == [[1, 1], [0, 1], [1, 0], [1, 1]]
    assert e.loc[[2, 3], "structure"].tolist() == ["steps", "bridge"]
    assert e["speed_kmh"].to_dict() == {0: 30, 1: 40, 2: 50.5, 3: 60, 4: 70}
    assert (e.loc[3, "name"], e.loc[1, "kind"]) == ("", "assumed")
    assert n.component.max() == 2, "the bridge and the passing road touch nothing"
    joined = Network.from_edges(frame, split=True)
    assert (joined.n_nodes, joined.n_edges) == (8, 6)
    assert joined.component.max() == 1, "a shared vertex joins where asked; a crossing never does"
    turned = Network.from_edges(frame.iloc[::-1].assign(way=[4, 3, 2, 1, 0]), mode="drive")
    same(n, turned)
    assert n.edge_length_m.sum() == pytest.approx(frame.length.sum())


def test_ends_within_the_tolerance_meet() -> None:
    frame = roads([(0, 0), (100, 0.4)], [(100.3, 0), (200, 0)], [(200, 0.2), (200.1, 0)], [(200, 9), (200, 100)])
    assert Network.from_edges(frame).n_nodes == 8
    near = Network.from_edges(frame, tolerance_m=0.6)
    assert near.left_out == {"zero_length": 1}
    assert (near.n_nodes, near.n_edges, near.component.max()) == (5, 3, 1)
    ends = set(zip((near.node_x - EAST).round(3), (near.node_y - NORTH).round(3), strict=True))
    assert (100.0, 0.4) in ends, "the most south-western place stands for all"
    lines = shapely.get_coordinates(near.lines)
    assert set(map(tuple, lines)) == set(zip(near.node_x, near.node_y, strict=True))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), split=st.booleans())
def test_own_roads_keep_the_ways_of_a_town(seed: int, split: bool) -> None:
    """Edges of a town, taken as own roads, give the town; crossing lines between stay apart."""
    town = rich(seed)
    frame = town.edges.sample(frac=1.0, random_state=seed)
    frame["oneway"] = np.where(frame["backward"], "no", "yes")
    again = Network.from_edges(frame, split=split)
    assert again.n_edges == town.n_edges
    used = np.unique([town.edge_u, town.edge_v])
    assert again.n_nodes == len(used)
    costs = []
    for n in (town, again):
        place = {(x, y): i for i, (x, y) in enumerate(zip(n.node_x, n.node_y, strict=True))}
        at = [place[town.node_x[i], town.node_y[i]] for i in used]
        graph = nx.DiGraph()
        for i, row in enumerate(n.edges.itertuples()):
            graph.add_edge(int(n.edge_u[i]), int(n.edge_v[i]), w=row.length_m)
            if row.backward:
                graph.add_edge(int(n.edge_v[i]), int(n.edge_u[i]), w=row.length_m)
        found = nx.single_source_dijkstra_path_length(graph, at[0], weight="w")
        costs.append([found.get(i, -1.0) for i in at])
    assert costs[0] == pytest.approx(costs[1])


LINE = shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)])


@pytest.mark.parametrize(
    ("frame", "options", "error", "says"),
    [
        (pd.DataFrame({"a": [1]}), {}, InputError, "GeoDataFrame"),
        (gpd.GeoDataFrame(geometry=[LINE]), {}, CrsError, "without a CRS"),
        (gpd.GeoDataFrame(geometry=[shapely.LineString([(106, 29), (106.1, 29)])], crs=4326), {}, CrsError, "metres"),
        (gpd.GeoDataFrame(geometry=[LINE], crs=TOY_CRS), {"crs": 4326}, CrsError, "metres"),
        (gpd.GeoDataFrame(geometry=[], crs=TOY_CRS), {}, NoDataError, "0 rows"),
        (gpd.GeoDataFrame(geometry=[LINE], crs=TOY_CRS), {"tolerance_m": 99.0}, NoDataError, "length"),
        (gpd.GeoDataFrame(geometry=[LINE], crs=TOY_CRS), {"tolerance_m": -1.0}, InputError, "tolerance_m"),
        (gpd.GeoDataFrame(geometry=[LINE], crs=TOY_CRS), {"kind": "guess"}, SchemaError, "kind"),
        (roads([(0, 0), (9, 0)], oneway=["perhaps"]), {}, SchemaError, "oneway: 1 rows"),
        (roads([(0, 0), (9, 0)], speed_kmh=[0]), {}, SchemaError, "speed_kmh: 1 rows"),
        (roads([(0, 0), (9, 0)], structure=["stairs"]), {}, SchemaError, "structure: 1 rows"),
        (roads([(0, 0), (9, 0)], way=[1.5]), {}, SchemaError, "way: 1 rows"),
    ],
)
def test_own_roads_that_cannot_be_used(frame, options: dict, error: type[BishanGisError], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)) as told:
        Network.from_edges(frame, **options)
    assert told.value.zh != told.value.en


def test_all_wrong_geometries_are_named_at_once() -> None:
    two = shapely.MultiLineString([LINE, shapely.LineString([(EAST, NORTH), (EAST, NORTH + 9)])])
    with np.errstate(invalid="ignore"):
        odd = shapely.LineString([(EAST, NORTH), (np.nan, NORTH)])
    shapes = [LINE, None, shapely.LineString(), shapely.Point(EAST, NORTH), two, odd, shapely.MultiLineString([LINE])]
    with pytest.raises(SchemaError) as told:
        Network.from_edges(gpd.GeoDataFrame(geometry=shapes, crs=TOY_CRS))
    for n, what in ((2, "without a geometry"), (1, "not lines"), (1, "several parts"), (1, "not numbers")):
        assert re.search(f"{n} rows[^;]*{what}", told.value.en), told.value.en
    one = gpd.GeoDataFrame(geometry=[shapely.MultiLineString([LINE])], crs=TOY_CRS)
    assert Network.from_edges(one).n_edges == 1


# --- maps ---------------------------------------------------------------------------------------------


def test_a_map_needs_no_address_and_runs_no_names() -> None:
    network = grid_network(4)
    network = replace(network, edge_name=np.full(network.n_edges, "<script>x()</script>{{ 7*7 }}", dtype=object))
    page = network.explore("highway").get_root().render()
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=.?http", page)
    assert "<script>x()" not in page
    assert "7*7" in page, "a name is no template"
    assert "residential" in page
    both = explore(network.nodes, "component", m=network.explore("length_m"), name="nodes").get_root().render()
    assert both.count("explore-legend") > 2
    for bad, error in (
        ({"column": "colour"}, KeyError),
        ({"limit": 3}, ValueError),
        ({"bounds": (0, 0, 1, 1)}, NoDataError),
    ):
        with pytest.raises(error):
            network.explore(**bad)
    with pytest.raises(NoDataError, match="bounds must be in EPSG:4544"):
        network.explore(bounds=(106, 29, 107, 30))
    with pytest.raises(InputError, match="must be a GeoDataFrame; it is a DataFrame"):
        explore(pd.DataFrame(network.nodes))


def test_the_quick_map_names_its_source_and_what_it_rests_on():
    network = make_network([(0, 0), (100, 0)], [(0, 1)])
    page = network.explore().get_root().render()
    assert "OpenStreetMap contributors (ODbL)" in page
    assert "synthetic data" not in page
    invented = replace(network, edge_kind=np.array(["synthetic"], dtype=object))
    assert "rests on synthetic data" in invented.explore().get_root().render()
    assert "&lt;b&gt;me" in network.explore(attribution="<b>me").get_root().render()
