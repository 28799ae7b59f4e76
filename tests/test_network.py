"""The walking network: by hand, against a naive graph, to networkx and back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from osm_xml import CRS_4544, EAST, LONLAT, NORTH, OsmXml, equal_networks
from pyproj import CRS

from bishan_gis.errors import BishanGisWarning, CrsError, InputError, NoDataError, SchemaError
from bishan_gis.network.build import build_network, network_from_osm
from bishan_gis.network.convert import from_networkx, to_networkx
from bishan_gis.network.elevation import with_elevation
from bishan_gis.network.graph import Network
from bishan_gis.network.rules import load_rules
from bishan_gis.sources.osm import OsmData, load_osm

RULES = load_rules()


# --- a town by hand -----------------------------------------------------------------------------------


def town() -> OsmXml:
    """Streets in metres; the comments say what each is there for."""
    xml = OsmXml()
    places = {1: (0, 0), 2: (100, 0), 3: (200, 0), 4: (100, -50), 5: (150, -50), 6: (150, 50)}
    places |= {8: (300, 0), 9: (0, -20), 10: (200, -20), 11: (150, 100), 12: (200, 100), 13: (200, 150)}
    places |= {14: (250, 100), 15: (-100, 0), 16: (-200, 0), 17: (-200, 100), 18: (-100, 100), 19: (-150, 30)}
    for number, (x, y) in places.items():
        xml.node(number, x, y)
    xml.node(7, 250, 0, barrier="gate", access="private").node(20, -150, 100, barrier="bollard")
    xml.way(110, [1, 2, 3], highway="residential", name="正街")
    xml.way(111, [2, 4], highway="steps")
    xml.way(112, [5, 6], highway="footway", bridge="yes", layer="1")  # passes over 2-3 without a common node
    xml.way(113, [4, 5], highway="footway", data_kind="synthetic")
    xml.way(114, [3, 7, 8], highway="service")  # a private gate at 7 cuts it
    xml.way(115, [9, 10], highway="motorway")
    xml.way(116, [6, 12], highway="residential", foot="no")
    xml.way(117, [6, 11], highway="service", access="private", foot="yes")
    xml.way(118, [11, 12, 13, 11], highway="pedestrian", area="yes")  # a square: walked along its outline
    xml.way(119, [12, 14], highway="path")
    xml.way(120, [1, 999, 15, 15, 16], highway="residential")  # clipped: 999 is missing; 15 is repeated
    xml.way(121, [16, 17], highway="residential", oneway="yes")
    xml.way(122, [17, 20, 18], highway="footway", oneway__foot="yes")  # the bollard lets walkers pass
    xml.way(123, [15, 19, 16], highway="tertiary", tunnel="yes")  # parallel to 15-16
    xml.way(124, [998, 18, 997], highway="path")  # one node between two gaps
    return xml


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> OsmData:
    return load_osm(town().write(tmp_path_factory.mktemp("town") / "town.osm"))


@pytest.fixture(scope="module")
def network(data: OsmData) -> Network:
    return build_network(data, crs=CRS_4544)


def edge_table(network: Network) -> pd.DataFrame:
    table = pd.DataFrame(network.edges.drop(columns="geometry"))
    table["u"], table["v"] = network.node_osmid[table.u], network.node_osmid[table.v]
    return table.set_index("way").sort_index()


def test_streets_by_hand(network: Network) -> None:
    table = edge_table(network)
    found = sorted((way, r.u, r.v, round(r.length_m)) for way, r in table.iterrows())
    assert found == [
        (110, 1, 2, 100),
        (110, 2, 3, 100),
        (111, 2, 4, 50),
        (112, 5, 6, 100),
        (113, 4, 5, 50),
        (114, 3, 7, 50),
        (114, 7, 8, 50),
        (117, 6, 11, 50),
        (118, 11, 12, 50),
        (118, 12, 11, 121),
        (119, 12, 14, 50),
        (120, 15, 16, 100),
        (121, 16, 17, 100),
        (122, 17, 18, 100),
        (123, 15, 16, 117),
    ]
    assert table.structure.to_dict() == dict.fromkeys(table.index, "") | {
        111: "steps",
        112: "bridge",
        123: "tunnel",
    }
    assert (table.forward.all(), table.index[~table.backward].tolist()) == (True, [122])
    assert table.kind[113] == "synthetic"
    assert (table.kind.drop(113) == "observed").all()
    assert table.name[110].tolist() == ["正街", "正街"]


def test_what_is_not_joined(network: Network) -> None:
    graph = to_networkx(network).to_undirected()
    # the gate has a node for each side; nothing passes it
    assert network.node_osmid.tolist().count(7) == 2
    assert nx.has_path(graph, 1, 14)  # by the steps, under and over the bridge, around the square
    assert not nx.has_path(graph, 3, 8)
    assert not nx.has_path(graph, 1, 15)
    length = nx.shortest_path_length(graph, 2, 6, weight="length")
    assert length == pytest.approx(50 + 50 + 100, abs=0.1)


def test_where_the_data_ends(network: Network, data: OsmData) -> None:
    assert set(network.node_osmid[network.node_frontier].tolist()) == {1, 15, 18}
    assert network.left_out == {
        "missing_nodes": 3,
        "repeated_nodes": 1,
        "blocked_nodes": 1,
        "zero_length": 0,
        "lone_nodes": 2,
    }
    east = shapely.box(EAST - 10, NORTH - 200, EAST + 999, NORTH + 200)
    clipped = build_network(data, crs="EPSG:4544", extent=east)
    assert set(clipped.node_osmid[clipped.node_frontier].tolist()) == {1, 15, 16, 17, 18}


def test_an_extent_that_is_none_is_said(data: OsmData) -> None:
    """In degrees it holds no node, and every answer would be unknown; a layer is no polygon."""
    network = build_network(data, crs=CRS_4544)
    build = partial(build_network, data, crs=CRS_4544), partial(Network.from_edges, network.edges)
    for make in build:
        with pytest.warns(BishanGisWarning, match=r"extent: all \d+ nodes lie outside of it \(bounds 106,"):
            assert make(extent=shapely.box(106, 29, 107, 30)).node_frontier.all()
        with pytest.raises(InputError, match="it is a GeoSeries; of a layer give union_all"):
            make(extent=network.nodes.buffer(9))


def test_counts_by_rule(network: Network) -> None:
    assert network.rule_counts["motorway"] == {"ways": 1, "length_km": pytest.approx(0.2, abs=1e-3)}
    assert network.rule_counts["foot_no"]["ways"] == 1
    assert network.rule_counts["steps"] == {"ways": 1, "length_km": 0.05}
    assert sum(r["ways"] for r in network.rule_counts.values()) == 15
    denied = network.rule_counts["motorway"]["length_km"] + network.rule_counts["foot_no"]["length_km"]
    total = sum(r["length_km"] for r in network.rule_counts.values())
    assert total - denied == pytest.approx(network.edge_length_m.sum() / 1000, abs=5e-3)


def test_parts(network: Network) -> None:
    assert network.component.max() == 2
    main = set(network.node_osmid[network.component == 0].tolist())
    assert main == {1, 2, 3, 4, 5, 6, 7, 11, 12, 14}
    assert set(network.node_osmid[network.component == 2].tolist()) == {7, 8}


def test_a_file_gives_the_same(network: Network, data: OsmData) -> None:
    equal_networks(network, network_from_osm(data.path, crs="EPSG:4544"))


def test_order_of_ways_does_not_matter(network: Network, tmp_path: Path) -> None:
    xml = town()
    nodes = [p for p in xml.parts if p.startswith("<node")]
    ways = [p for p in xml.parts if p.startswith("<way")]
    xml.parts = nodes[::-1] + ways[::-1]
    turned = network_from_osm(xml.write(tmp_path / "turned.osm"), crs="EPSG:4544")
    for name in ("node_osmid", "edge_u", "edge_v", "edge_way", "edge_length_m", "vertex_x"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(network, name))


def test_nodes_at_one_place_become_one(tmp_path: Path) -> None:
    xml = OsmXml().node(1, 0, 0).node(2, 100, 0).node(3, 100, 0).node(4, 200, 0).node(5, 100, 100)
    xml.node(6, 100, 0)  # at the same place, on another level: not joined by any way
    xml.way(10, [1, 2, 3, 4], highway="path").way(11, [3, 5], highway="path").way(12, [2, 3], highway="path")
    xml.way(13, [6, 5], highway="path")
    network = network_from_osm(xml.write(tmp_path / "one.osm"), crs=CRS_4544)
    assert sorted(network.node_osmid.tolist()) == [1, 2, 4, 5, 6]
    assert (network.edge_length_m > 99).all()
    assert network.n_edges == 4
    assert network.left_out["zero_length"] == 2


def test_no_street_left(tmp_path: Path) -> None:
    bare = OsmXml().node(1, 0, 0).node(2, 100, 0).way(10, [1, 2], highway="motorway")
    with pytest.raises(NoDataError, match="1 ways, 0 of them open") as caught:
        network_from_osm(bare.write(tmp_path / "motorway.osm"), crs=CRS_4544)
    assert "motorway.osm" in caught.value.zh
    assert caught.value.exit_code == 3
    with pytest.raises(NoDataError, match="0 ways"):
        network_from_osm(OsmXml().write(tmp_path / "none.osm"), crs=CRS_4544)


def test_wrong_crs(data: OsmData) -> None:
    with pytest.raises(CrsError, match="not in metres"):
        build_network(data, crs="EPSG:4326")
    with pytest.raises(CrsError, match="3857"):
        build_network(data, crs="EPSG:3857")


def test_a_crs_of_elsewhere_is_said(data: OsmData) -> None:
    """Finland's reaches Chongqing, and makes every street twice as long there."""
    with pytest.warns(BishanGisWarning, match=r"crs: EPSG:3067 stretches lengths by \d\d\d?.\d%.*106\.\d\dE"):
        away = build_network(data, crs="EPSG:3067")
    here = build_network(data, crs=4544)
    assert here.crs == CRS.from_epsg(4544)
    assert away.edge_length_m.sum() > 1.5 * here.edge_length_m.sum()
    for again in (
        lambda: Network.from_edges(here.edges, crs=3067),
        lambda: Network.from_networkx(here.to_networkx(), crs=3067),
    ):
        with pytest.warns(BishanGisWarning, match="EPSG:3067 stretches"):
            assert again().crs == CRS.from_epsg(3067)


def test_elevation(network: Network) -> None:
    hilly = with_elevation(network, lambda x, y: 300 + (x - EAST) / 10 + 0 * y)
    assert np.isnan(network.node_elevation_m).all()
    assert hilly.node_elevation_m[hilly.node_osmid == 3] == pytest.approx([320], abs=0.1)
    values = np.full(network.n_nodes, 5.0)
    values[0] = -np.inf
    flat = with_elevation(network, values)
    assert np.isnan(flat.node_elevation_m[0])
    assert flat.node_elevation_m[1] == 5
    with pytest.raises(SchemaError, match="one value per place"):
        with_elevation(network, [1.0])
    with pytest.raises(InputError, match=r"dem\.tif is a file; give a height per node"):
        with_elevation(network, "dem.tif")


# --- against a naive graph ----------------------------------------------------------------------------


def make_osm(places: list[tuple[int, int]], ways: list[list[int]]) -> OsmData:
    xy = np.array(places, dtype=float)
    lon, lat = LONLAT.transform(EAST + xy[:, 0], NORTH + xy[:, 1])
    refs = np.array([r for way in ways for r in way], dtype=np.int64)
    missing = np.where(refs == 0, np.nan, 0.0)
    return OsmData(
        path="drawn",
        point_id=np.empty(0, np.int64),
        point_lon=np.empty(0),
        point_lat=np.empty(0),
        point_tags=[],
        way_id=np.arange(1, len(ways) + 1, dtype=np.int64),
        way_start=np.cumsum([0, *map(len, ways)]).astype(np.int64),
        way_ref=refs,
        way_lon=lon[refs] + missing,
        way_lat=lat[refs] + missing,
        way_tags=[{"highway": "path"} for _ in ways],
        areas=None,
    )


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=12, max_size=12),
    st.lists(st.lists(st.integers(0, 11), min_size=2, max_size=9), min_size=1, max_size=6),
)
def test_same_as_every_segment_an_edge(places: list[tuple[int, int]], ways: list[list[int]]) -> None:
    """Node 0 is missing everywhere; loops, repetitions, parallels and doubled places all occur."""
    osm = make_osm([(x * 50, y * 50) for x, y in places], ways)
    x, y = LONLAT.transform(osm.way_lon, osm.way_lat, direction="INVERSE")
    naive = nx.MultiGraph()
    at = 0
    for way in ways:
        for i in range(at, at + len(way) - 1):
            a, b = int(osm.way_ref[i]), int(osm.way_ref[i + 1])
            if a and b and a != b:
                naive.add_edge(a, b, length=float(np.hypot(x[i + 1] - x[i], y[i + 1] - y[i])))
        at += len(way)
    total = sum(d for *_, d in naive.edges(data="length"))
    if total == 0:
        with pytest.raises(NoDataError):
            build_network(osm, crs=CRS_4544, rules=RULES)
        return
    network = build_network(osm, crs=CRS_4544, rules=RULES)
    assert network.edge_length_m.sum() == pytest.approx(total)
    assert (network.edge_length_m > 0).all()
    assert len(np.unique(network.node_osmid)) == network.n_nodes
    graph = to_networkx(network)
    slow = dict(nx.all_pairs_dijkstra_path_length(naive, weight="length"))
    fast = dict(nx.all_pairs_dijkstra_path_length(graph, weight="length"))
    for a, reached in fast.items():
        assert reached.keys() == slow[a].keys() & set(graph)
        assert reached == pytest.approx({b: slow[a][b] for b in reached})
    lines = network.lines
    np.testing.assert_allclose(shapely.length(lines), network.edge_length_m)
    np.testing.assert_array_equal(shapely.get_x(shapely.get_point(lines, 0)), network.node_x[network.edge_u])
    np.testing.assert_array_equal(shapely.get_y(shapely.get_point(lines, -1)), network.node_y[network.edge_v])
    equal_networks(network, from_networkx(graph, crs=CRS_4544))


# --- to networkx and back -----------------------------------------------------------------------------


def test_round_trip(network: Network) -> None:
    raised = with_elevation(network, lambda x, y: x - EAST + 0 * y)
    graph = to_networkx(raised)
    assert graph.graph["crs"] == "EPSG:4544"
    equal_networks(raised, from_networkx(graph, crs="EPSG:4544"))
    back = to_networkx(from_networkx(graph, crs="EPSG:4544"))
    assert nx.utils.graphs_equal(graph, back)


def test_one_way_the_other_way(network: Network) -> None:
    turned = replace(
        network, edge_forward=~(network.edge_way == 122), edge_backward=np.ones(network.n_edges, dtype=bool)
    )
    equal_networks(turned, from_networkx(to_networkx(turned), crs="EPSG:4544"))


def test_from_networkx_checks(network: Network) -> None:
    graph = to_networkx(network)
    with pytest.raises(NoDataError):
        from_networkx(nx.MultiDiGraph(crs="EPSG:4544"), crs="EPSG:4544")
    bare = graph.copy()
    del bare.graph["crs"]
    with pytest.raises(CrsError):
        from_networkx(bare, crs="EPSG:4544")
    bare = graph.copy()
    del bare.nodes[1]["x"]
    with pytest.raises(SchemaError, match="1 nodes lack x/y"):
        from_networkx(bare, crs="EPSG:4544")


def test_osmnx_works_on_it(network: Network) -> None:
    import osmnx as ox

    graph = to_networkx(network)
    ox.convert.validate_graph(graph)
    assert ox.routing.shortest_path(graph, 1, 14, weight="length") == [1, 2, 4, 5, 6, 11, 12, 14]
    assert ox.routing.shortest_path(graph, 18, 17, weight="length") is None  # one way for walkers
    nodes, edges = ox.graph_to_gdfs(graph)
    assert (len(nodes), len(edges)) == (network.n_nodes, 2 * network.n_edges - 1)
    equal_networks(network, from_networkx(ox.graph_from_gdfs(nodes, edges, graph_attrs=graph.graph), crs="EPSG:4544"))
    assert ox.distance.nearest_nodes(graph, EAST + 201, NORTH + 2) == 3
    stats = ox.stats.basic_stats(ox.convert.to_undirected(graph))
    assert stats["street_length_total"] == pytest.approx(network.edge_length_m.sum())
