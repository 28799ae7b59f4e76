"""The whole pipeline on a real city: the Helsinki extract, as a study of the same shape as any other."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely
from helsinki import HELSINKI_CRS, helsinki_pbf

import bishan_gis as bg
from bishan_gis.network.costs import BLOCKED, edge_costs, load_profile
from bishan_gis.network.search import search_nearest
from bishan_gis.network.star import NOT_REACHED, Seeds, StarGraph

STUDY = f"""
id = "helsinki"
name = "赫尔辛基"
name_en = "Helsinki"
lang = "en"
crs = "{HELSINKI_CRS}"
[paths]
raw = "raw"
datasets = ""
[inputs]
osm = "streets.osm.pbf"
[inputs.district]
path = "district.gpkg"
columns = {{ name = "name" }}
[inputs.townships]
path = "townships.gpkg"
columns = {{ zone_id = "id", name = "name" }}
[inputs.population]
path = "population.csv"
zone = "id"
parts = {{ "0-14" = "young", "15+" = "rest" }}
kind = "synthetic"
[directions.zones]
north = ["nw", "ne"]
south = ["sw", "se"]
"""


@pytest.fixture(scope="module")
def helsinki(tmp_path_factory) -> bg.Results:
    folder: Path = tmp_path_factory.mktemp("helsinki")
    raw = folder / "raw"
    raw.mkdir()
    (raw / "streets.osm.pbf").symlink_to(helsinki_pbf())
    west, south, east, north = bg.load_osm(helsinki_pbf()).bounds
    x, y = (west + east) / 2, (south + north) / 2
    quarter = {
        "nw": shapely.box(west, y, x, north),
        "ne": shapely.box(x, y, east, north),
        "sw": shapely.box(west, south, x, y),
        "se": shapely.box(x, south, east, y),
    }
    frame = gpd.GeoDataFrame({"id": list(quarter), "name": list(quarter)}, geometry=list(quarter.values()), crs=4326)
    frame.to_file(raw / "townships.gpkg")
    gpd.GeoDataFrame({"name": ["Helsinki"]}, geometry=[frame.union_all()], crs=4326).to_file(raw / "district.gpkg")
    (raw / "population.csv").write_text(
        "id,people,young,rest\nnw,5000,700,4300\nne,4000,600,3400\nsw,3000,400,2600\nse,2001,301,1700\n",
        encoding="utf-8",
    )
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return bg.run(folder)


def test_the_same_road_for_a_real_city(helsinki):
    r = helsinki
    assert int(r.cells["people"].sum()) == 14_001
    assert len(r.services) >= 10
    assert {"restaurant", "park"} <= set(r.services.index)
    everybody = r.coverage[(r.coverage["zone_kind"] == "district") & (r.coverage["age_group"] == "all")]
    assert (everybody["people"] == 14_001).all()
    eat = everybody[(everybody["service"] == "restaurant") & (everybody["cutoff_min"] == 15)].iloc[0]
    assert eat["people_covered"] / eat["people"] > 0.9
    # the extract is clipped: people near its edge who reach nothing are unknown, not uncovered
    assert everybody["people_unknown"].sum() > 0
    assert (r.study.maps / "index.html").stat().st_size < 5e6
    page = (r.study.maps / "coverage.html").read_text(encoding="utf-8")
    assert "OpenStreetMap" in page
    assert "Helsinki" in page


def test_times_equal_networkx_on_real_streets(helsinki):
    network = helsinki.network
    costs = edge_costs(network, load_profile("adult"))
    rng = np.random.default_rng(4)
    start = rng.choice(network.n_nodes, 12, replace=False).astype(np.int32)
    seeds = Seeds(start, np.zeros(12, np.int64), np.arange(12, dtype=np.int32))
    (mine,), _ = search_nearest(StarGraph.from_network(network, costs), [seeds], limit_ms=900_000)
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    for u, v, go, back in zip(network.edge_u, network.edge_v, costs.forward_ms, costs.backward_ms, strict=True):
        if go != BLOCKED:
            graph.add_edge(u, v, weight=int(go))
        if back != BLOCKED:
            graph.add_edge(v, u, weight=int(back))
    theirs = nx.multi_source_dijkstra_path_length(graph, set(start.tolist()), cutoff=900_000)
    assert {i: int(c) for i, c in enumerate(mine) if c < NOT_REACHED} == theirs
    assert len(theirs) > 1000


def test_osmnx_works_on_our_network(helsinki):
    import osmnx as ox

    from bishan_gis.network.convert import to_networkx

    graph = to_networkx(helsinki.network)
    nodes, edges = ox.graph_to_gdfs(graph)
    assert len(nodes) == helsinki.network.n_nodes
    total = edges.drop_duplicates(subset=["osmid", "length"])["length"].sum()
    assert total > 0
    largest = ox.truncate.largest_component(graph)
    first, *_, last = largest
    path = ox.routing.shortest_path(largest, first, last, weight="length")
    assert path[0] == first
    assert path[-1] == last
