"""Several choices: by hand, against scipy and networkx, the travel matrix and the nearest search."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from helsinki import HELSINKI_CRS, helsinki_pbf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from toy import EAST, NORTH, grid_network, make_network

from bishan_gis.access.k_nearest import k_nearest, search_k_nearest
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.errors import InputError
from bishan_gis.network.build import network_from_osm
from bishan_gis.network.costs import SpeedProfile, edge_costs, load_profile
from bishan_gis.network.star import NOT_REACHED, Seeds, StarGraph

METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand")


def _origins(*rows):
    return pd.DataFrame([(i, EAST + x, NORTH + y) for i, x, y in rows], columns=["origin_id", "x", "y"])


def _points(*rows):
    table = [(f, s, EAST + x, NORTH + y, o) for f, s, x, y, o in rows]
    return pd.DataFrame(table, columns=["facility_id", "service", "x", "y", "offset_s"])


def test_by_hand():
    """Streets A --100 m-- B --100 m-- C; D stands alone with its own street."""
    network = make_network([(0, 0), (100, 0), (200, 0), (0, 900), (50, 900)], [(0, 1), (1, 2), (3, 4)], frontier=(2,))
    costs = edge_costs(network, METRE_A_SECOND)
    origins = _origins(("A", 0, 0), ("mid", 50, 10), ("island", 20, 900), ("far", 5000, 0))
    points = _points(
        ("big", "s", 40, -5, 0),  # on mid's own street, and by a second door
        ("big", "s", 200, 0, 0),
        ("late", "s", 60, 0, 100),  # near, but it takes 100 s to be served
        ("twin", "s", 100, 0, 0),
        ("alone", "t", 200, 0, 0),
    )
    t = k_nearest(network, costs, origins, points, k=3, search_s=110).set_index(["origin_id", "service"])
    s = t.loc[("mid", "s")]
    assert list(zip(s["facility_id"], s["cost_s"], strict=True)) == [("big", 25), ("twin", 60), ("late", 120)]
    assert list(s["status"]) == ["reached", "reached", "beyond_cutoff"]
    assert list(s["rank"]) == [1, 2, 3]
    assert list(t.loc[("A", "s"), "cost_s"]) == [45, 100, 160]
    # One facility of t: further ones could only be where the data ends, or nowhere at all.
    assert list(t.loc[("A", "t"), "status"]) == ["beyond_cutoff", "unknown", "unknown"]
    assert list(t.loc[("island", "t"), "status"]) == ["unreachable"] * 3
    assert list(t.loc[("far", "t"), "status"]) == ["off_network"] * 3
    assert t.loc[("far", "t"), ["cost_s", "facility_id"]].isna().all(axis=None)
    assert t.loc[("A", "s"), "unknown_from_s"].tolist() == [200] * 3
    assert len(t) == 4 * 2 * 3


def _links(rng, n, m):
    tail, head = rng.integers(0, n, m), rng.integers(0, n, m)
    # Few different costs, so that many facilities are equally near.
    return tail.astype(np.int32), head.astype(np.int32), rng.integers(1, 6, m)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 5), limit=st.sampled_from([7, 2**31 - 2]))
def test_search_equals_scipy_and_networkx_on_random_directed_graphs(seed, k, limit):
    rng = np.random.default_rng(seed)
    n, labels = 30, 6
    tail, head, cost = _links(rng, n, 70)
    star = StarGraph.from_links(n, tail, head, cost)
    seeds = Seeds(rng.integers(0, n, 12).astype(np.int32), rng.integers(0, 9, 12), rng.integers(0, labels, 12))
    mine, who = search_k_nearest(star, seeds, k=k, limit_ms=limit)
    links = pd.DataFrame({"u": tail, "v": head, "c": cost}).groupby(["u", "v"], as_index=False).min()
    graph = coo_array((links["c"].astype(float), (links["u"], links["v"])), shape=(n, n)).tocsr()
    far = dijkstra(graph, indices=seeds.node) + seeds.cost_ms[:, None]
    by_label = np.array([far[seeds.label == i].min(axis=0, initial=np.inf) for i in range(labels)])
    other = nx.DiGraph()
    other.add_nodes_from(range(n))
    other.add_weighted_edges_from(links.itertuples(index=False, name=None))
    first = nx.single_source_dijkstra_path_length(other, int(seeds.node[0]))
    assert all(far[0, v] == d + seeds.cost_ms[0] for v, d in first.items())
    for v in range(n):
        expected = sorted((d, i) for i, d in enumerate(by_label[:, v]) if d <= limit)[:k]
        found = [(c, w) for c, w in zip(mine[v], who[v], strict=True) if c < NOT_REACHED]
        assert found == expected


def _by_matrix(network, costs, origins, points, k, direction):
    """The k smallest of each row of the whole matrix, service by service."""
    rows = set()
    for service, some in points.groupby("service"):
        m = travel_matrix(network, costs, origins, some, cutoff_s=1e6, direction=direction)
        m = m.astype({"from_id": str, "to_id": str}).sort_values(["from_id", "cost_s", "to_id"])
        m["rank"] = m.groupby("from_id").cumcount() + 1
        m = m[m["rank"] <= k]
        rows |= {(o, service, r, c, f) for o, f, c, r in m.itertuples(index=False)}
    return rows


def _found(table):
    t = table.dropna(subset="cost_s")
    return set(t[["origin_id", "service", "rank", "cost_s", "facility_id"]].itertuples(index=False, name=None))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 4), direction=st.sampled_from(["to", "from"]))
def test_equals_the_sorted_matrix(seed, k, direction):
    network = grid_network(6, seed=seed)
    costs = edge_costs(network, METRE_A_SECOND)
    rng = np.random.default_rng(seed)
    origins = _origins(*[(f"o{i}", *rng.uniform(0, 500, 2)) for i in range(30)])
    # Several doors per facility, and places on one edge.
    points = _points(
        *[(f"f{i % 9}", f"s{i % 3}", *rng.uniform(0, 500, 2), int(rng.integers(0, 60))) for i in range(24)]
    )
    table = k_nearest(network, costs, origins, points, k=k, direction=direction)
    assert _found(table) == _by_matrix(network, costs, origins, points, k, direction)
    first = table[table["rank"] == 1].reset_index(drop=True)
    near = nearest_cost(network, costs, origins, points, direction=direction).table
    for mine, theirs in (("cost_s", "value"), ("status", "status"), ("unknown_from_s", "unknown_from_s")):
        left, right = first[mine], near[theirs].astype(first[mine].dtype)
        pd.testing.assert_series_equal(left, right, check_names=False)
    assert (first["facility_id"].astype(object).fillna("") == near["facility_id"].fillna("")).all()


def test_equals_the_sorted_matrix_on_real_streets():
    network = network_from_osm(helsinki_pbf(), crs=HELSINKI_CRS)
    costs = edge_costs(network, load_profile("adult"))
    rng = np.random.default_rng(3)
    at = rng.integers(0, network.n_nodes, 360)
    x, y = network.node_x[at] + rng.normal(0, 20, 360), network.node_y[at] + rng.normal(0, 20, 360)
    origins = pd.DataFrame({"origin_id": [f"o{i}" for i in range(300)], "x": x[:300], "y": y[:300]})
    points = pd.DataFrame(
        {"facility_id": [f"f{i % 40}" for i in range(60)], "service": [f"s{i % 2}" for i in range(60)]}
    ).assign(x=x[300:], y=y[300:])
    said = []
    table = k_nearest(network, costs, origins, points, k=3, progress=lambda *a: said.append(a))
    assert _found(table) == _by_matrix(network, costs, origins, points, 3, "to")
    assert said == [(1, 2), (2, 2)]


def test_bad_input():
    network = make_network([(0, 0), (100, 0)], [(0, 1)])
    costs, origins = edge_costs(network, METRE_A_SECOND), _origins(("a", 0, 0))
    with pytest.raises(InputError, match="k = 0"):
        k_nearest(network, costs, origins, _points(("f", "s", 0, 0, 0)), k=0)
    with pytest.raises(InputError, match="offset_s"):
        k_nearest(network, costs, origins, _points(("f", "s", 0, 0, np.nan)), k=1)
    assert len(k_nearest(network, costs, origins, _points(), k=2)) == 0
