"""What the functions of the engine do with arguments nobody should give, and with all that they should take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from toy import EAST, NORTH, make_network

import bishan_gis as bg
from bishan_gis.errors import InputError
from bishan_gis.network.costs import edge_costs, load_profile

WALK = replace(load_profile("adult"), speed_kmh=3.6)


def at(key: str, ids: list, x: list, y: list | None = None, **more: object) -> pd.DataFrame:
    """Return places, in metres from the corner of the toy network."""
    y = [0.0] * len(x) if y is None else y
    return pd.DataFrame({key: ids, "x": EAST + np.array(x), "y": NORTH + np.array(y), **more})


# --- times that are too long --------------------------------------------------------------------------


def test_an_edge_that_takes_too_long_is_named() -> None:
    network = make_network([(0, 0), (3_000_000, 0), (3_000_100, 0)], [(0, 1), (1, 2)])
    with pytest.raises(InputError, match=r"1 edges take more than 596 hours, first edge 0 \(way 1\): 3000000 m, 3.6"):
        edge_costs(network, WALK)
    with pytest.raises(InputError, match=r"1 edges have a length .*first edge 1 \(way 2\): nan m"):
        edge_costs(replace(network, edge_length_m=np.array([100.0, np.nan])), WALK)
    slow = replace(WALK, delays={"signals": 3e6})
    here = replace(network, edge_length_m=np.full(2, 100.0), node_control=np.array([0, 1, 0], dtype=np.uint8))
    places = at("facility_id", ["f"], [0], service="s")
    with pytest.raises(InputError, match="2 edges with the wait at their end take more than 596 hours"):
        bg.nearest_cost(here, edge_costs(here, slow), at("origin_id", ["o"], [3_000_100]), places)


def test_sums_of_times_do_not_overflow() -> None:
    """Pieces of 500 hours each: one can be counted (596 hours), two cannot, and are as good as no street."""
    far = 1_800_000
    network = make_network([(k * far, 0) for k in range(4)], [(k, k + 1) for k in range(3)], frontier=(3,))
    costs = edge_costs(network, WALK)
    homes = at("origin_id", list("abcd"), [k * far for k in range(4)])
    shop = at("facility_id", ["f"], [0], service="s", offset_s=0.0)
    for engine in ("numba", "scipy"):
        near = bg.nearest_cost(network, costs, homes, shop, search_s=1e9, engine=engine).table
        assert near["value"].fillna(-1).tolist() == [0, far, -1, -1], engine
        assert near["status"].tolist() == ["reached", "reached", "unknown", "unknown"]
        matrix = bg.travel_matrix(network, costs, homes, shop, cutoff_s=1e9, engine=engine)
        assert matrix["cost_s"].tolist() == [0, far]
    ranked = bg.k_nearest(network, costs, homes, shop, k=2, search_s=1e9)
    assert ranked["cost_s"].fillna(-1).tolist() == [0, -1, far, -1, -1, -1, -1, -1]
    central = bg.network_centrality(network, costs, cutoff_s=1e9).nodes
    assert central["reached"].tolist() == [1, 2, 2, 1]
    assert central["farness_s"].max() == 2 * far
    late = shop.assign(offset_s=2e6)
    assert bg.nearest_cost(network, costs, homes, late, search_s=1e9).table["value"].fillna(-1).tolist()[1:] == [-1] * 3
    roads = bg.reached_streets(network, costs, shop.rename(columns={"facility_id": "origin_id"}), cutoffs_s=[1e9])
    assert roads["length_m"].sum() == 2 * far  # the second piece from its first end, to which there is a time
