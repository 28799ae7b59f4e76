"""Every pair: against the nearest search, by hand, and in blocks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EAST, NORTH, grid_network, make_network

import bishan_gis.access.travel_matrix as module
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.errors import SchemaError
from bishan_gis.network.costs import SpeedProfile, edge_costs

METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand")


def _table(key, rows):
    return pd.DataFrame([(i, EAST + x, NORTH + y) for i, x, y in rows], columns=[key, "x", "y"])


def test_by_hand():
    network = make_network([(0, 0), (100, 0), (200, 0)], [(0, 1), (1, 2, "", True)])
    costs = edge_costs(network, METRE_A_SECOND)
    origins = _table("origin_id", [("a", 0, 0), ("b", 150, 10), ("far", 0, 900)])
    goals = _table("facility_id", [("end", 200, 0), ("mid", 50, -5), ("two", 0, 0), ("two", 100, 0)])
    t = travel_matrix(network, costs, origins, goals, cutoff_s=200).set_index(["from_id", "to_id"])["cost_s"]
    # b is on a one-way street: it reaches the end and nothing behind it; "two" is entered where it is nearest.
    assert t.to_dict() == {("a", "end"): 200, ("b", "end"): 60, ("a", "mid"): 55, ("a", "two"): 0}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_its_minimum_is_the_nearest(seed):
    network = grid_network(8, seed=seed)
    costs = edge_costs(network, METRE_A_SECOND)
    rng = np.random.default_rng(seed)
    origins = _table("origin_id", [(f"o{i}", *rng.uniform(0, 700, 2)) for i in range(30)])
    goals = _table("facility_id", [(f"f{i}", *rng.uniform(0, 700, 2)) for i in range(7)])
    matrix = travel_matrix(network, costs, origins, goals, cutoff_s=500)
    for goal in goals["facility_id"]:
        one = goals[goals["facility_id"] == goal].assign(service="s")
        alone = nearest_cost(network, costs, origins, one).table.set_index("origin_id")["value"]
        mine = matrix[matrix["to_id"] == goal].set_index("from_id")["cost_s"]
        expected = alone[alone <= 500]
        assert mine.sort_index().equals(expected.sort_index().rename("cost_s").rename_axis("from_id"))


def test_blocks_make_the_whole(monkeypatch):
    network = grid_network(8, seed=1)
    costs = edge_costs(network, METRE_A_SECOND)
    rng = np.random.default_rng(1)
    origins = _table("origin_id", [(f"o{i}", *rng.uniform(0, 700, 2)) for i in range(50)])
    goals = _table("facility_id", [(f"f{i:02d}", *rng.uniform(0, 700, 2)) for i in range(23)])
    whole = travel_matrix(network, costs, origins, goals, cutoff_s=600)
    monkeypatch.setattr(module, "_BLOCK", 4)
    said = []
    parts = travel_matrix(network, costs, origins, goals, cutoff_s=600, progress=lambda *x: said.append(x), threads=3)
    pd.testing.assert_frame_equal(whole, parts)
    assert said[-1] == (6, 6)


def test_ids_must_be_unique():
    network = make_network([(0, 0), (100, 0)], [(0, 1)])
    origins = _table("origin_id", [("a", 0, 0), ("a", 10, 0)])
    with pytest.raises(SchemaError, match="origin_id"):
        travel_matrix(
            network, edge_costs(network, METRE_A_SECOND), origins, _table("facility_id", [("f", 0, 0)]), cutoff_s=9
        )
