"""Every pair: against the nearest search, scipy and networkx, by hand, in blocks, as a file, and stopped half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from helsinki import HELSINKI_CRS, helsinki_pbf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from street_oracle import forbid, random_turns
from toy import EAST, NORTH, grid_network, make_network

import bishan_gis.access.pair_search as module
from bishan_gis.access.cumulative import cumulative_cutoff
from bishan_gis.access.decay import linear
from bishan_gis.access.gravity import gravity
from bishan_gis.access.k_nearest import k_nearest
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.travel_matrix import fold_travel_matrix, travel_blocks, travel_matrix
from bishan_gis.errors import BishanGisWarning, BrokenFileError, InputError, MissingFileError, OutputError, SchemaError
from bishan_gis.network.build import network_from_osm
from bishan_gis.network.costs import BLOCKED, SpeedProfile, edge_costs, load_profile
from bishan_gis.network.snap import snap_points
from bishan_gis.output.matrix_file import read_matrix_metadata, write_travel_matrix

METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand")


def _table(key, rows):
    return pd.DataFrame([(i, EAST + x, NORTH + y) for i, x, y in rows], columns=[key, "x", "y"])


def _case(seed, n=8, origins=30, goals=7):
    network = grid_network(n, seed=seed)
    rng = np.random.default_rng(seed)
    side = 100 * (n - 1)
    o = _table("origin_id", [(f"o{i}", *rng.uniform(0, side, 2)) for i in range(origins)])
    d = _table("facility_id", [(f"f{i:02d}", *rng.uniform(0, side, 2)) for i in range(goals)])
    return network, edge_costs(network, METRE_A_SECOND), o, d


def _with_turns_and_waits(seed, n=6):
    """A town where turns are forbidden and people wait at nodes."""
    network = grid_network(n, seed=seed)
    rng = np.random.default_rng(seed)
    came, to = rng.integers(0, network.n_edges, (2, 400))
    met = network.edge_v[came] == network.edge_u[to]
    turns = np.column_stack([came, network.edge_v[came], to])[met].tolist()
    network = forbid(network, *turns, *random_turns(network, rng, 30))
    costs = edge_costs(network, METRE_A_SECOND)
    assert costs.n_states > network.n_nodes
    return network, replace(costs, delay_ms=rng.integers(0, 20_000, network.n_nodes))


def _pairs(matrix):
    return {(a, b): c for a, b, c in matrix.itertuples(index=False)}


def test_by_hand():
    network = make_network([(0, 0), (100, 0), (200, 0)], [(0, 1), (1, 2, "", True)])
    costs = edge_costs(network, METRE_A_SECOND)
    origins = _table("origin_id", [("a", 0, 0), ("b", 150, 10), ("far", 0, 900)])
    goals = _table("facility_id", [("end", 200, 0), ("mid", 50, -5), ("two", 0, 0), ("two", 100, 0)])
    t = travel_matrix(network, costs, origins, goals, cutoff_s=200)
    # b is on a one-way street: it reaches the end and nothing behind it; "two" is entered where it is nearest.
    assert _pairs(t) == {("a", "end"): 200, ("b", "end"): 60, ("a", "mid"): 55, ("a", "two"): 0}
    # The other way: "end" goes nowhere, "two" comes to b from its second door; turn-out counts.
    late = goals.assign(offset_s=[0, 0, 90, 7.5])
    t = travel_matrix(network, costs, origins, late, cutoff_s=200, direction="from")
    assert _pairs(t) == {("a", "mid"): 55, ("b", "mid"): 115, ("a", "two"): 90, ("b", "two"): 67.5}


def test_cutoff_is_inclusive_to_the_millisecond():
    network = make_network([(0, 0), (100, 0)], [(0, 1)])
    origins, goals = _table("origin_id", [("a", 0, 0)]), _table("facility_id", [("f", 1.001, 0)])
    for cutoff, pairs in ((1.001, 1), (1.0009999, 0), (np.inf, 1)):
        assert (
            len(travel_matrix(network, edge_costs(network, METRE_A_SECOND), origins, goals, cutoff_s=cutoff)) == pairs
        )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), direction=st.sampled_from(["to", "from"]))
def test_its_minimum_is_the_nearest_and_scipy_gives_the_same(seed, direction):
    network, costs, origins, goals = _case(seed)
    goals["offset_s"] = np.random.default_rng(seed).integers(0, 90, len(goals))
    matrix = travel_matrix(network, costs, origins, goals, cutoff_s=500, direction=direction)
    other = travel_matrix(network, costs, origins, goals, cutoff_s=500, direction=direction, engine="scipy")
    pd.testing.assert_frame_equal(matrix, other)
    alone = nearest_cost(network, costs, origins, goals.assign(service=goals["facility_id"]), direction=direction).table
    alone = alone[alone["value"] <= 500]
    assert _pairs(matrix) == _pairs(alone[["origin_id", "facility_id", "value"]])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_forbidden_turns_and_waits(seed):
    _, _, origins, goals = _case(seed, n=6)
    network, costs = _with_turns_and_waits(seed)
    matrix = travel_matrix(network, costs, origins, goals, cutoff_s=800)
    other = travel_matrix(network, costs, origins, goals, cutoff_s=800, engine="scipy")
    pd.testing.assert_frame_equal(matrix, other)
    services = goals.assign(service=goals["facility_id"])
    for engine in ("numba", "scipy"):
        alone = nearest_cost(network, costs, origins, services, engine=engine).table
        assert _pairs(matrix) == _pairs(alone.loc[alone["value"] <= 800, ["origin_id", "facility_id", "value"]])
    several = k_nearest(network, costs, origins, goals.assign(service="s"), k=len(goals), search_s=800)
    several = several.loc[several["status"] == "reached", ["origin_id", "facility_id", "cost_s"]]
    assert _pairs(matrix) == _pairs(several)
    # The way back is the way there with the roles exchanged.
    back = travel_matrix(network, costs, origins, goals, cutoff_s=800, direction="from")
    swapped = travel_matrix(
        network,
        costs,
        goals.rename(columns={"facility_id": "origin_id"}),
        origins.rename(columns={"origin_id": "facility_id"}),
        cutoff_s=800,
    )
    assert _pairs(back) == {(a, b): c for (b, a), c in _pairs(swapped).items()}


def _star_by_hand(network, costs):
    """Links of the network with the cheapest of parallel ones."""
    go, back = costs.forward_ms != BLOCKED, costs.backward_ms != BLOCKED
    links = pd.DataFrame(
        {
            "u": np.r_[network.edge_u[go], network.edge_v[back]],
            "v": np.r_[network.edge_v[go], network.edge_u[back]],
            "c": np.r_[costs.forward_ms[go], costs.backward_ms[back]],
        }
    )
    return links.groupby(["u", "v"], as_index=False)["c"].min()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_equals_networkx(seed):
    # Costs differ by direction; no one-way streets, since a place at a junction is on one of the streets there.
    network = grid_network(6, seed=seed, oneway=0)
    costs = edge_costs(network, METRE_A_SECOND)
    slower = np.random.default_rng(seed).integers(0, 90_000, network.n_edges)
    costs = replace(costs, backward_ms=costs.backward_ms + slower)
    links = _star_by_hand(network, costs)
    graph = nx.DiGraph()
    graph.add_weighted_edges_from(links.itertuples(index=False, name=None))
    # Places are nodes, of which only those that have a street are on the network without a leg.
    nodes = np.unique(np.r_[network.edge_u, network.edge_v])
    at = {"x": network.node_x[nodes], "y": network.node_y[nodes]}
    o, d = pd.DataFrame({"origin_id": nodes, **at}), pd.DataFrame({"facility_id": nodes, **at})
    t = travel_matrix(network, costs, o, d, cutoff_s=400)
    expected = {
        (a, b): d / 1000 for a, far in nx.all_pairs_dijkstra_path_length(graph, cutoff=400_000) for b, d in far.items()
    }
    assert _pairs(t) == expected


def test_equals_scipy_on_real_streets():
    network = network_from_osm(helsinki_pbf(), crs=HELSINKI_CRS)
    costs = edge_costs(network, load_profile("adult"))
    rng = np.random.default_rng(4)
    on = np.unique(np.r_[network.edge_u, network.edge_v])
    origins, goals = rng.choice(on, 300, replace=False), np.sort(rng.choice(on, 40, replace=False))
    links = _star_by_hand(network, costs)
    n = network.n_nodes
    graph = coo_array((links["c"].astype(float), (links["v"], links["u"])), shape=(n, n)).tocsr()
    back = dijkstra(graph, indices=goals, limit=900_000)
    o = pd.DataFrame({"origin_id": origins, "x": network.node_x[origins], "y": network.node_y[origins]})
    d = pd.DataFrame({"facility_id": goals, "x": network.node_x[goals], "y": network.node_y[goals]})
    # Under a bridge a place is on the street below: compare those that are at their own node.
    home = snap_points(network, o["x"], o["y"], max_snap_m=300, usable=costs.usable)
    there = snap_points(network, d["x"], d["y"], max_snap_m=300, usable=costs.usable)

    def at_node(snaps, nodes):
        ends = np.where(snaps.fraction < 0.5, network.edge_u[snaps.edge], network.edge_v[snaps.edge])
        return (ends == nodes) & np.isin(snaps.fraction, (0.0, 1.0)) & (snaps.leg_m == 0)

    keep, stay = at_node(home, origins), at_node(there, goals)
    assert keep.mean() > 0.8
    t = travel_matrix(network, costs, o[keep], d[stay], cutoff_s=900)
    rows, columns = np.nonzero(np.isfinite(back[stay][:, origins[keep]]))
    expected = {
        (origins[keep][c], goals[stay][r]): back[stay][r, origins[keep][c]] / 1000
        for r, c in zip(rows, columns, strict=True)
    }
    assert _pairs(t) == expected


def test_blocks_make_the_whole_and_memory_is_bounded(monkeypatch):
    network, costs, origins, goals = _case(1, origins=50, goals=23)
    whole = travel_matrix(network, costs, origins, goals, cutoff_s=600)
    monkeypatch.setattr(module, "_BLOCK", 4)
    said = []
    parts = travel_matrix(network, costs, origins, goals, cutoff_s=600, progress=lambda *x: said.append(x), threads=3)
    pd.testing.assert_frame_equal(whole, parts)
    assert said[-1] == (6, 6)
    monkeypatch.setattr(module, "_BLOCK_PAIRS", 100)
    begun = []
    real = module.PairSearch.search
    monkeypatch.setattr(module.PairSearch, "search", lambda self, *a: begun.append(a[:2]) or real(self, *a))
    for taken, block in enumerate(travel_blocks(network, costs, origins, goals, cutoff_s=600, threads=2), 1):
        # 50 origins times 2 destinations are 100 pairs; 2 * 2 blocks may be ahead of the one in hand.
        assert len(begun) <= taken + 4
        assert len(block) <= 100
        assert block["to_id"].nunique() <= 2
    assert taken == 12


def test_folded_into_a_measure():
    network, costs, origins, goals = _case(3, origins=60, goals=20)
    supply = pd.Series(np.arange(1.0, 21), index=goals["facility_id"], name="seats")
    ids = pd.Index(origins["origin_id"])
    matrix = travel_matrix(network, costs, origins, goals, cutoff_s=500)
    plain = fold_travel_matrix(network, costs, origins, goals, supply, cutoff_s=500)
    expected = cumulative_cutoff(matrix, supply, cutoff_s=500, origins=ids)
    pd.testing.assert_series_equal(plain, expected, check_names=False)
    decay = linear(cutoff_s=500)
    both = fold_travel_matrix(
        network, costs, origins, goals, pd.DataFrame({"a": supply, "b": 2 * supply}), cutoff_s=500, decay=decay
    )
    expected = gravity(matrix, supply, decay=decay, origins=ids)
    np.testing.assert_allclose(both["a"], expected, rtol=1e-12)
    np.testing.assert_array_equal(both["b"], 2 * both["a"])
    with pytest.raises(SchemaError, match="lacks 1 facilities"):
        fold_travel_matrix(network, costs, origins, goals, supply.iloc[1:], cutoff_s=500)


def test_written_block_by_block(tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    monkeypatch.setattr(module, "_BLOCK", 4)
    network, costs, origins, goals = _case(2, origins=50, goals=23)
    path = tmp_path / "matrix.parquet"
    goals["kind"] = "assumed"
    pairs = write_travel_matrix(path, network, costs, origins, goals, cutoff_s=600)
    whole = travel_matrix(network, costs, origins, goals, cutoff_s=600)
    assert pairs == len(whole)
    read = pd.read_parquet(path)
    assert isinstance(read["from_id"].dtype, pd.CategoricalDtype)
    pd.testing.assert_frame_equal(
        read.astype({"from_id": str, "to_id": str}), whole.astype({"from_id": str, "to_id": str})
    )
    assert pq.ParquetFile(path).num_row_groups == 6
    about = read_matrix_metadata(path)
    assert (about["cutoff_s"], about["profile"], about["kind"], about["destinations"]) == (600, "toy", "assumed", 23)
    assert [p.name for p in tmp_path.iterdir()] == ["matrix.parquet"]


def test_a_file_is_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 2)
    network, costs, origins, goals = _case(2, origins=50, goals=23)
    path = tmp_path / "matrix.parquet"
    path.write_text("what stood here")

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_travel_matrix(path, network, costs, origins, goals, cutoff_s=600, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["matrix.parquet"]
    assert path.read_text() == "what stood here"
    with pytest.raises(OutputError):
        write_travel_matrix(path / "no" / "folder.parquet", network, costs, origins, goals, cutoff_s=600)
    with pytest.raises(InputError, match="parquet"):
        write_travel_matrix(path.parent / "matrix.csv", network, costs, origins, goals, cutoff_s=600)
    with pytest.raises(BrokenFileError):
        read_matrix_metadata(path)
    with pytest.raises(MissingFileError):
        read_matrix_metadata(tmp_path / "none.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(InputError, match="not a travel matrix"):
        read_matrix_metadata(path)


_LONG = """
import sys, time
sys.path.insert(0, sys.argv[2])
import bishan_gis.access.pair_search as module
from bishan_gis.output.matrix_file import write_travel_matrix
from test_travel_matrix import _case
module._BLOCK = 1
network, costs, origins, goals = _case(2, n=20, origins=200, goals=99)
def say(done, total):
    print(done, flush=True)
    time.sleep(0.5)
write_travel_matrix(sys.argv[1], network, costs, origins, goals, cutoff_s=3600, progress=say)
"""


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    command = [sys.executable, "-c", _LONG, str(tmp_path / "matrix.parquet"), str(Path(__file__).parent)]
    root = str(Path(__file__).parent.parent)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    ) as child:
        assert child.stdout.readline() == "1\n", child.stderr.read()
        assert any(p.name.startswith(".writing-") for p in tmp_path.iterdir())
        child.send_signal(signal.SIGINT)
        _, error = child.communicate(timeout=60)
    assert "KeyboardInterrupt" in error
    assert child.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_who_stops_taking_blocks_stops_the_search(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 1)
    network, costs, origins, goals = _case(5, goals=40)
    begun = []
    real = module.PairSearch.search
    monkeypatch.setattr(module.PairSearch, "search", lambda self, *a: begun.append(a) or real(self, *a))
    blocks = travel_blocks(network, costs, origins, goals, cutoff_s=600, threads=1)
    next(blocks)
    blocks.close()
    assert len(begun) <= 3
    assert begun[0][2][0] == 1


@pytest.mark.parametrize(
    ("origins", "goals", "options", "says"),
    [
        ([("a", 0, 0), ("a", 10, 0)], {}, {}, "origin_id"),
        ([(None, 0, 0)], {}, {}, "without origin_id"),
        ([("a", 0, 0)], {"offset_s": [-1]}, {}, "1 rows of column offset_s"),
        ([("a", 0, 0)], {"offset_s": ["soon"]}, {}, "1 rows of column offset_s"),
        ([("a", 0, 0)], {}, {"cutoff_s": np.nan}, "cutoff_s"),
        ([("a", 0, 0)], {}, {"direction": "back"}, "direction = 'back'"),
        ([("a", 0, 0)], {}, {"engine": "fast"}, "engine = 'fast'"),
    ],
)
def test_bad_input(origins, goals, options, says):
    network = make_network([(0, 0), (100, 0)], [(0, 1)])
    places = _table("facility_id", [("f", 0, 0)]).assign(**goals)
    with pytest.raises(InputError, match=says):
        travel_matrix(
            network,
            edge_costs(network, METRE_A_SECOND),
            _table("origin_id", origins),
            places,
            **{"cutoff_s": 9, **options},
        )


def test_nothing_to_search():
    network = make_network([(0, 0), (100, 0)], [(0, 1)])
    costs = edge_costs(network, METRE_A_SECOND)
    none, one = _table("facility_id", []), _table("origin_id", [("a", 0, 0)])
    assert list(travel_matrix(network, costs, one, none, cutoff_s=9).columns) == ["from_id", "to_id", "cost_s"]
    far = _table("facility_id", [("f", 0, 5000)])
    with pytest.warns(BishanGisWarning, match="destinations: none of 1 places is where the network is"):
        assert len(travel_matrix(network, costs, one, far, cutoff_s=9)) == 0
    with pytest.warns(BishanGisWarning):
        assert fold_travel_matrix(network, costs, one, far, pd.Series({"f": 1}), cutoff_s=9).to_dict() == {"a": 0.0}
