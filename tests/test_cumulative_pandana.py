"""Cumulative opportunities on real streets against pandana, an independent search and sum."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helsinki import HELSINKI_CRS, helsinki_pbf

from bishan_gis.access import decay
from bishan_gis.access.cumulative import cumulative_cutoff, cumulative_range
from bishan_gis.access.gravity import gravity
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.network.build import network_from_osm
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.network.snap import snap_points
from bishan_gis.network.star import StarGraph

LIMIT_S = 600


@pytest.fixture(scope="module")
def helsinki():
    """Every node is an origin; 150 facilities stand on nodes. Pandana gets the same links, in the same milliseconds.

    Pandana keeps an impedance as ``int(impedance * 1000)`` (``graphalg.cpp``), which cuts off: 1.001 becomes 1000.
    Whole milliseconds, given as they are, stay exact.
    """
    pandana = pytest.importorskip("pandana")
    network = network_from_osm(helsinki_pbf(), crs=HELSINKI_CRS)
    costs = edge_costs(network, load_profile("adult"))
    x, y = network.node_x, network.node_y
    star = StarGraph.from_network(network, costs, reverse=False)
    links = pd.DataFrame(
        {"u": np.repeat(np.arange(network.n_nodes), np.diff(star.start)), "v": star.target, "ms": star.cost_ms}
    )
    links = links.groupby(["u", "v"], as_index=False)["ms"].min()
    theirs = pandana.Network(
        pd.Series(x), pd.Series(y), links["u"], links["v"], links[["ms"]].astype(float), twoway=False
    )
    # Only nodes that their place leads back to: not on a bridge, which is entered at its ends, nor under one.
    place = pd.DataFrame({"x": x, "y": y})
    snaps = snap_points(network, place["x"], place["y"], max_snap_m=300.0, usable=costs.usable)
    node = np.where(snaps.fraction == 0, network.edge_u[snaps.edge], network.edge_v[snaps.edge])
    exact = (snaps.leg_m == 0) & np.isin(snaps.fraction, [0, 1]) & (node == np.arange(len(x)))
    alone = np.flatnonzero(exact & ~place.duplicated(keep=False) & (snaps.edge >= 0))
    rng = np.random.default_rng(5)
    at = rng.choice(alone, 150, replace=False)
    supply = pd.Series(rng.integers(1, 100, len(at)), index=at)
    origins = place.iloc[alone].rename_axis("origin_id").reset_index()
    facilities = place.iloc[at].rename_axis("facility_id").reset_index()
    matrix = travel_matrix(network, costs, origins, facilities, cutoff_s=LIMIT_S)
    theirs.set(pd.Series(at), variable=supply.reset_index(drop=True), name="seats")
    return matrix, supply, pd.Index(alone), theirs


def test_cumulative_against_pandana(helsinki):
    matrix, supply, origins, theirs = helsinki
    ours = cumulative_range(matrix, supply, cutoffs_s=[150, 300, LIMIT_S], origins=origins)
    for cutoff in (150, 300, LIMIT_S):
        told = theirs.aggregate(cutoff * 1000.0, type="sum", decay="flat", name="seats").loc[origins]
        np.testing.assert_array_equal(ours[cutoff], told)
        np.testing.assert_array_equal(ours[cutoff], cumulative_cutoff(matrix, supply, cutoff_s=cutoff, origins=origins))
    assert (ours[LIMIT_S] > 0).mean() > 0.9


def test_linear_decay_against_pandana(helsinki):
    matrix, supply, origins, theirs = helsinki
    ours = gravity(matrix, supply, decay=decay.linear(cutoff_s=LIMIT_S), origins=origins)
    told = theirs.aggregate(LIMIT_S * 1000.0, type="sum", decay="linear", name="seats").loc[origins]
    np.testing.assert_allclose(ours, told, rtol=1e-5, atol=1e-3)  # its distances are 32-bit floats


def test_pandana_cuts_off():
    """The rounding that the oracle has: 1.001 s is 1000 ms there."""
    pandana = pytest.importorskip("pandana")
    x = pd.Series([0.0, 1.0])
    net = pandana.Network(x, x * 0, pd.Series([0]), pd.Series([1]), pd.DataFrame({"s": [1.001]}))
    assert net.shortest_path_length(0, 1) == 1.0
