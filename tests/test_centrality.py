"""Centrality and street figures: by hand, against networkx and osmnx."""

from __future__ import annotations

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from helsinki import HELSINKI_CRS, helsinki_pbf
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EAST, NORTH, TOY_CRS, grid_network, make_network

from bishan_gis.access.centrality import network_centrality
from bishan_gis.access.street_measures import street_measures, trip_circuity
from bishan_gis.errors import CrsError, InputError
from bishan_gis.network.build import network_from_osm
from bishan_gis.network.convert import to_networkx
from bishan_gis.network.costs import BLOCKED, edge_costs, load_profile


@pytest.fixture(scope="module")
def helsinki():
    return network_from_osm(helsinki_pbf(), crs=HELSINKI_CRS)


def digraph(network, costs):
    graph = nx.DiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    for u, v, go, back in zip(network.edge_u, network.edge_v, costs.forward_ms, costs.backward_ms, strict=True):
        for a, b, c in ((u, v, go), (v, u, back)):
            if c != BLOCKED and a != b and c < graph.get_edge_data(int(a), int(b), {"ms": 2**40})["ms"]:
                graph.add_edge(int(a), int(b), ms=int(c))
    return graph


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cutoff_s=st.sampled_from([90.0, 240.0, float("inf")]))
def test_every_figure_equals_networkx(seed, cutoff_s):
    network = grid_network(5, seed=seed, drop=0.2, oneway=0.3)
    costs = edge_costs(network, load_profile("adult"))
    found = network_centrality(network, costs, cutoff_s=cutoff_s)
    graph = digraph(network, costs)
    limit = None if np.isinf(cutoff_s) else cutoff_s * 1000
    between = np.zeros(network.n_nodes)
    for s in graph:
        dist = nx.single_source_dijkstra_path_length(graph, s, cutoff=limit, weight="ms")
        times = np.array([c for n, c in dist.items() if n != s])
        row = found.nodes.loc[s]
        assert row["reached"] == len(times)
        assert row["farness_s"] == pytest.approx(times.sum() / 1000, abs=1e-9)
        assert row["harmonic"] == pytest.approx((1000 / times).sum() if len(times) else 0.0)
        for t in dist:
            if t == s:
                continue
            paths = list(nx.all_shortest_paths(graph, s, t, weight="ms"))
            for path in paths:
                between[path[1:-1]] += 1 / len(paths)
    assert found.nodes["betweenness"].to_numpy() == pytest.approx(between)
    if limit is None:
        whole = nx.betweenness_centrality(graph, weight="ms", normalized=False)
        assert found.nodes["betweenness"].to_numpy() == pytest.approx([whole[i] for i in range(network.n_nodes)])


def test_equal_paths_share_a_trip_and_streets_are_counted_too():
    square = make_network([(0, 0), (100, 0), (100, 100), (0, 100)], [(0, 1), (1, 2), (2, 3), (3, 0)])
    found = network_centrality(square, edge_costs(square, load_profile("adult")), cutoff_s=900)
    assert found.nodes["betweenness"].tolist() == [1.0, 1.0, 1.0, 1.0]
    # Each street: its own pair there and back, and half of four of the trips between opposite corners.
    assert found.edges["betweenness"].tolist() == [4.0, 4.0, 4.0, 4.0]


def test_the_number_of_threads_changes_nothing_and_sources_can_be_chosen(helsinki):
    network = helsinki
    costs = edge_costs(network, load_profile("adult"))
    one = network_centrality(network, costs, cutoff_s=600, threads=1)
    two = network_centrality(network, costs, cutoff_s=600, threads=2)
    pd.testing.assert_frame_equal(one.nodes, two.nodes)
    pd.testing.assert_frame_equal(one.edges, two.edges)
    few = network_centrality(network, costs, cutoff_s=600, sources=np.array([5, 3, 3]))
    assert few.nodes["reached"].notna().sum() == 2
    assert few.nodes.loc[5, "farness_s"] == one.nodes.loc[5, "farness_s"]
    with pytest.raises(InputError, match="1 are not nodes"):
        network_centrality(network, costs, cutoff_s=600, sources=np.array([-1]))
    # As numbers a mask would be nodes 0 and 1, and 5.5 node 5.
    for mask in (np.arange(network.n_nodes) == 5, np.array([5.5])):
        with pytest.raises(InputError, match="turn a mask into rows"):
            network_centrality(network, costs, cutoff_s=600, sources=mask)
    with pytest.raises(InputError, match="cutoff_s"):
        network_centrality(network, costs, cutoff_s=0)


def test_what_the_end_of_the_data_can_change_is_unknown():
    row = make_network([(0, 0), (100, 0), (200, 0), (2000, 0)], [(0, 1), (1, 2), (2, 3)], frontier=(3,))
    nodes = network_centrality(row, edge_costs(row, load_profile("adult")), cutoff_s=300).nodes
    assert nodes["unknown"].tolist() == [False, False, False, True]
    nodes = network_centrality(row, edge_costs(row, load_profile("adult")), cutoff_s=1720).nodes
    assert nodes["unknown"].tolist() == [False, True, True, True]


def test_street_figures_equal_osmnx(helsinki):
    """Lengths, junctions and circuity of osmnx on the same streets; it takes every stub at the edge for a dead end."""
    import osmnx

    directed = to_networkx(helsinki)
    graph = osmnx.convert.to_undirected(osmnx.project_graph(directed, to_crs=helsinki.crs))
    box = shapely.box(*helsinki.edges.total_bounds).buffer(10)
    zone = gpd.GeoDataFrame({"zone_id": ["all"]}, geometry=[box], crs=helsinki.crs)
    row = street_measures(helsinki, zone).loc["all"]
    stats = osmnx.stats.basic_stats(graph, area=row["area_km2"] * 1e6)
    assert row["street_km"] * 1000 == pytest.approx(stats["street_length_total"])
    assert row["street_density_km_km2"] * 1000 == pytest.approx(stats["street_density_km"])
    # osmnx counts loops in the length though they have no straight distance; we leave them out of both.
    open_ended = graph.copy()
    open_ended.remove_edges_from(list(nx.selfloop_edges(graph, keys=True)))
    assert row["circuity"] == pytest.approx(osmnx.stats.circuity_avg(open_ended), rel=1e-6)
    degree = pd.Series(dict(graph.degree())).reindex(list(directed))
    closed = ~helsinki.node_frontier
    assert row["junctions"] == int((degree.to_numpy() >= 3)[closed].sum())


def test_street_figures_by_hand():
    # A street of 400 m, 200 m of it in the zone; a T junction in the zone and a dead end; the data end at node 3.
    network = make_network([(-200, 0), (0, 0), (200, 0), (0, 150)], [(0, 1), (1, 2), (1, 3)], frontier=(3,))
    zone = gpd.GeoDataFrame(
        {"zone_id": ["east", "empty"]},
        geometry=[
            shapely.box(EAST - 1, NORTH - 500, EAST + 999, NORTH + 500),
            shapely.box(EAST + 5e3, NORTH, EAST + 6e3, NORTH + 1e3),
        ],
        crs=TOY_CRS,
    )
    table = street_measures(network, zone)
    east, empty = table.loc["east"], table.loc["empty"]
    assert east["area_km2"] == pytest.approx(1.0)
    assert east["street_km"] == pytest.approx(0.351)
    assert (east["junctions"], east["dead_ends"], east["unknown_nodes"]) == (1, 1, 1)
    assert east["dead_end_share"] == 0.5
    assert empty["street_km"] == 0
    assert np.isnan(empty["circuity"])
    with pytest.raises(CrsError):
        street_measures(network, zone.to_crs("EPSG:4523"))
    pd.testing.assert_frame_equal(street_measures(network, zone.rename_geometry("shape")), table)
    assert list(street_measures(network, zone[:0])) == list(table)
    bow = shapely.Polygon([(EAST, NORTH), (EAST + 9, NORTH + 9), (EAST + 9, NORTH), (EAST, NORTH + 9)])
    for wrong, says in (
        (zone.assign(geometry=zone.centroid), "2 rows are no areas"),
        (zone.assign(geometry=[None, bow]), "1 rows are no areas .*, 1 cross themselves"),
        (zone.assign(zone_id="one"), "repeated values"),
        (pd.DataFrame(zone), "must be a GeoDataFrame"),
    ):
        with pytest.raises(InputError, match=says):
            street_measures(network, wrong)


def test_trip_circuity_takes_the_nearest_door_and_refuses_strange_ids():
    matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["c", "d"], "cost_s": [100.0, 60.0]})
    here = pd.DataFrame({"origin_id": ["A"], "x": [0.0], "y": [0.0]})
    there = pd.DataFrame({"facility_id": ["c", "c", "d"], "x": [80.0, 500.0, 40.0], "y": [0.0, 0.0, 0.0]})
    assert trip_circuity(matrix, here, there, speed_ms=1.5).tolist() == [240 / 120]
    with pytest.raises(InputError, match="1 ids"):
        trip_circuity(matrix, here, there.iloc[:2], speed_ms=1.0)
