"""Sums within reach: by hand, by property against the travel matrix, against scipy, and with bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helsinki import HELSINKI_CRS, helsinki_pbf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from street_oracle import forbid, random_turns
from toy import EAST, NORTH, grid_network, make_network

from bishan_gis.access import decay
from bishan_gis.access.cumulative import cumulative_range
from bishan_gis.access.gravity import gravity
from bishan_gis.access.reachable import reachable
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.errors import BishanGisError, InputError, MissingColumnError, SchemaError
from bishan_gis.network import fold, hierarchy
from bishan_gis.network.build import network_from_osm
from bishan_gis.network.costs import SpeedProfile, edge_costs, load_profile
from bishan_gis.network.graph import CONTROLS
from bishan_gis.network.star import StarGraph

ADULT = load_profile("adult")
METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand")
DECAYS = {"steps": decay.stepped(steps_s=[100, 300], weights=[1, 0.5]), "bell": decay.gaussian(sigma_s=200)}


def points(rng, k, size, key):
    xy = rng.uniform(-60, size + 60, (k, 2))
    return pd.DataFrame({key: [f"{key[0]}{i}" for i in range(k)], "x": EAST + xy[:, 0], "y": NORTH + xy[:, 1]})


def town():
    """A -100 m- B -100 m- C, the data ends at C; D--E apart from them."""
    nodes = [(0, 0), (100, 0), (200, 0), (0, 5000), (100, 5000)]
    return make_network(nodes, [(0, 1), (1, 2), (3, 4)], frontier=(2,))


def test_by_hand():
    net = town()
    walk = edge_costs(net, METRE_A_SECOND)
    homes = pd.DataFrame(
        {
            "origin_id": list("abcde"),
            "x": EAST + np.array([0, 90, 20, 50, 999]),
            "y": NORTH + np.array([0, 0, 0, 5e3, 0]),
        }
    )
    # A shop 50 m along A-B with 3 desks; a school with an entrance at A and one 10 m from B.
    supply = pd.DataFrame(
        {
            "facility_id": ["shop", "school", "school", "far"],
            "x": EAST + np.array([50, 0, 110, 999]),
            "y": NORTH + np.array([0, 0, 0, 9999]),
            "desks": [3, 40, 40, 7],
        }
    )
    out = reachable(net, walk, homes, supply, cutoffs_s=[30, 20, 120], decay=DECAYS["steps"], max_snap_m=100)
    # a: school 0 s, shop 50 s; b: school 20 s, shop 40 s; c: school 20 s, shop 30 s
    sums = out.sums["desks"]
    assert sums.index.tolist() == list("abcde")
    assert sums.columns.tolist() == [20, 30, 120]
    np.testing.assert_array_equal(sums, [[40, 40, 43], [40, 40, 43], [40, 43, 43], [0, 0, 0], [np.nan] * 3])
    np.testing.assert_array_equal(out.decayed[("desks", "decay")], [43, 43, 43, 0, np.nan])
    assert out.status[20].tolist() == ["reached"] * 3 + ["unreachable", "off_network"]
    np.testing.assert_array_equal(out.nearest_s, [0, 20, 20, np.nan, np.nan])
    np.testing.assert_array_equal(out.unknown_from_s, [200, 110, 180, np.nan, np.nan])
    assert out.unknown_share.to_dict() == {20: 0, 30: 0, 120: 0.25}
    assert out.supply_off_network.tolist() == ["far"]
    assert out.table["measure"].value_counts().to_dict() == {"cumulative": 15, "decay": 5}
    lonely = reachable(net, walk, None, supply.iloc[:1], cutoffs_s=[10, 200])
    assert lonely.status[10].tolist() == ["beyond_cutoff"] * 2 + ["unknown"] + ["unreachable"] * 2
    assert lonely.status[200].tolist() == ["reached"] * 3 + ["unreachable"] * 2
    at_node = reachable(net, walk, None, pd.DataFrame({"facility_id": [1], "node": [2], "beds": [5]}), cutoffs_s=[100])
    assert at_node.sums[("beds", 100)].tolist() == [0, 5, 5, 0, 0]


def test_steps_that_go_one_way():
    """A one-way edge is left at its end only; two places on it see each other in one direction."""
    net = make_network([(0, 0), (100, 0)], [(0, 1, "", True)])
    walk = edge_costs(net, METRE_A_SECOND)
    home = pd.DataFrame({"origin_id": [0, 1], "x": EAST + np.array([30, 80]), "y": NORTH})
    shop = pd.DataFrame({"facility_id": [0], "x": EAST + 55.0, "y": [NORTH], "n": 1})
    to = reachable(net, walk, home, shop, cutoffs_s=[30, 500])
    assert to.sums["n"].to_numpy().tolist() == [[1, 1], [0, 0]]
    back = reachable(net, walk, home, shop, cutoffs_s=[30, 500], direction="from")
    assert back.sums["n"].to_numpy().tolist() == [[0, 0], [1, 1]]


def with_waits_and_turns(net, rng):
    """Let nodes delay and forbid some turns."""
    control = rng.choice(len(CONTROLS), net.n_nodes, p=[0.7] + [0.3 / (len(CONTROLS) - 1)] * (len(CONTROLS) - 1))
    turns = []
    for node in rng.choice(net.n_nodes, 12, replace=False):
        here = np.flatnonzero((net.edge_u == node) | (net.edge_v == node))
        if len(here) > 1:
            a, b = rng.choice(here, 2, replace=False)
            turns.append((a, node, b))
    net = replace(net, node_control=control.astype(np.uint8), edge_local=rng.random(net.n_edges) < 0.1)
    return forbid(net, *turns, *random_turns(net, rng, 20))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    direction=st.sampled_from(["to", "from"]),
    slow=st.booleans(),
    longest=st.sampled_from([100.0, 301.001, 2000.0]),
)
def test_equals_the_travel_matrix(seed, direction, slow, longest):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 13))
    net = grid_network(size, seed=seed, oneway=0.3, drop=0.2)
    if slow and size > 4:
        net = with_waits_and_turns(net, rng)
    profile = replace(ADULT, delays={"signals": 20.0, "stop": 3.0}) if slow else ADULT
    costs = edge_costs(net, profile)
    homes = points(rng, int(rng.integers(1, 90)), 100 * size, "origin_id")
    gates = points(rng, int(rng.integers(1, 60)), 100 * size, "facility_id")
    # Some entrances belong to one facility, some places lie beside each other on one edge.
    gates["facility_id"] = rng.permutation(rng.choice(gates["facility_id"], len(gates)))
    some = rng.integers(0, len(homes), len(gates) // 2)
    gates.loc[: len(some) - 1, ["x", "y"]] = homes[["x", "y"]].to_numpy()[some] + rng.uniform(-30, 30, (len(some), 2))
    gates["offset_s"] = rng.choice([0, 0, 7.5], len(gates))
    names = gates["facility_id"].unique()
    amount = pd.DataFrame(
        {"seats": rng.integers(0, 50, len(names)), "beds": rng.uniform(0, 9, len(names))}, index=names
    )
    supply = gates.join(amount, on="facility_id")
    cutoffs = [longest, longest / 3, longest / 2]
    mine = reachable(
        net, costs, homes, supply, cutoffs_s=cutoffs, decay=DECAYS, direction=direction, max_snap_m=40, threads=1
    )
    matrix = travel_matrix(net, costs, homes, gates, cutoff_s=longest, max_snap_m=40, direction=direction)
    off = mine.status[longest].to_numpy() == "off_network"
    index = pd.Index(homes["origin_id"])
    for name, rtol in (("seats", 0), ("beds", 1e-12)):
        other = cumulative_range(matrix, amount[name], cutoffs_s=cutoffs, origins=index)
        np.testing.assert_allclose(mine.sums[name][~off], other[~off], rtol=rtol, atol=rtol)
        assert mine.sums[name][off].isna().all(axis=None)
        for key, weigh in DECAYS.items():
            other = gravity(matrix, amount[name], decay=weigh, origins=index)
            np.testing.assert_allclose(mine.decayed[(name, key)][~off], other[~off], rtol=1e-12, atol=1e-12)
    near = matrix.groupby("from_id")["cost_s"].min().reindex(index)
    reached = mine.status[longest].to_numpy() == "reached"
    assert (reached == near.notna()).all()
    np.testing.assert_array_equal(mine.nearest_s[reached], near[reached])


def test_every_node_of_a_real_network(monkeypatch):
    """Against scipy, with regions and groups so small that there are many of each; threads do not matter."""
    net = network_from_osm(helsinki_pbf(), crs=HELSINKI_CRS)
    costs = edge_costs(net, ADULT)
    star = StarGraph.from_network(net, costs)
    n = net.n_nodes
    tail = np.repeat(np.arange(n), np.diff(star.start))
    frame = pd.DataFrame({"u": tail, "v": star.target, "c": star.cost_ms}).groupby(["u", "v"], as_index=False).min()
    graph = csr_array((frame["c"].astype(float), (frame["u"], frame["v"])), shape=(n, n))
    rng = np.random.default_rng(1)
    supply = pd.DataFrame({"facility_id": np.arange(n), "node": rng.permutation(n), "people": rng.integers(0, 99, n)})
    people = supply.set_index("node")["people"].sort_index().to_numpy()
    rows = rng.choice(n, 400, replace=False)
    distance = dijkstra(graph, indices=rows, limit=900_000)
    for threads, levels, group in ((1, hierarchy._LEVELS, 192), (2, ((256, 6), (1024, 9)), 16), (1, ((64, 9**9),), 16)):
        monkeypatch.setattr(hierarchy, "_LEVELS", levels)
        monkeypatch.setattr(fold, "_GROUP", group)
        parts = []
        mine = reachable(
            net, costs, None, supply, cutoffs_s=[300, 900], threads=threads, progress=lambda *a, p=parts: p.append(a)
        )
        for cutoff in (300, 900):
            np.testing.assert_array_equal(
                mine.sums[("people", cutoff)].iloc[rows], (distance <= cutoff * 1000) @ people.astype(float)
            )
        assert parts[-1][0] == parts[-1][1] == len(parts)
    made = [hierarchy.build_hierarchy(star, limit_ms=900_000, threads=threads) for threads in (1, 2)]
    for name in ("rank", "start", "above", "up_ms", "down_ms"):
        np.testing.assert_array_equal(*(getattr(h, name) for h in made))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_more_never_lowers_and_order_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    net = grid_network(8, seed=seed, oneway=0.2)
    costs = edge_costs(net, ADULT)
    homes, shops = points(rng, 40, 800, "origin_id"), points(rng, 20, 800, "facility_id").assign(n=1)
    mine = reachable(net, costs, homes, shops, cutoffs_s=[100, 200, 400], max_snap_m=500).sums["n"]
    assert (mine.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    mixed = reachable(
        net, costs, homes.sample(frac=1, random_state=1), shops[::-1], cutoffs_s=[400, 100, 200], max_snap_m=500
    )
    pd.testing.assert_frame_equal(mixed.sums["n"].loc[mine.index], mine)
    fewer = reachable(net, costs, homes, shops.iloc[:10], cutoffs_s=[100, 200, 400], max_snap_m=500).sums["n"]
    assert (fewer <= mine).all(axis=None)


SHOP = pd.DataFrame({"facility_id": ["s"], "x": [EAST], "y": [NORTH], "n": [1]})
HOME = pd.DataFrame({"origin_id": ["h"], "x": [EAST], "y": [NORTH]})


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"cutoffs_s": []}, InputError),
        ({"cutoffs_s": [0]}, InputError),
        ({"cutoffs_s": [60, 60]}, InputError),
        ({"cutoffs_s": [2e6]}, InputError),
        ({"direction": "at"}, InputError),
        ({"decay": lambda c: c * np.nan}, InputError),
        ({"decay": lambda _: 1.0}, InputError),
        ({"origins": HOME.drop(columns="x")}, MissingColumnError),
        ({"origins": pd.concat([HOME, HOME])}, SchemaError),
        ({"supply": SHOP.drop(columns="facility_id")}, MissingColumnError),
        ({"supply": SHOP.drop(columns="n")}, SchemaError),
        ({"supply": SHOP.assign(facility_id=[None])}, SchemaError),
        ({"supply": SHOP.assign(n=-1)}, SchemaError),
        ({"supply": SHOP.assign(n="many")}, SchemaError),
        ({"supply": SHOP.assign(offset_s=-1)}, SchemaError),
        ({"supply": SHOP.assign(node=5)}, SchemaError),
        ({"supply": SHOP.assign(node=0.5)}, SchemaError),
        ({"supply": pd.concat([SHOP, SHOP.assign(n=2)])}, SchemaError),
        ({"amounts": ["m"]}, MissingColumnError),
    ],
)
def test_bad_input(change, error):
    net = town()
    given = {"origins": HOME, "supply": SHOP, "cutoffs_s": [60], **change}
    with pytest.raises(error) as caught:
        reachable(net, edge_costs(net, ADULT), given.pop("origins"), given.pop("supply"), **given)
    assert isinstance(caught.value, BishanGisError)


def test_nothing_to_do():
    nowhere = StarGraph.from_links(0, *(np.zeros(0, dtype=kind) for kind in (np.int32, np.int32, np.int64)))
    assert len(hierarchy.build_hierarchy(nowhere, limit_ms=1).above) == 0
    net = town()
    walk = edge_costs(net, ADULT)
    assert len(reachable(net, walk, HOME.iloc[:0], SHOP, cutoffs_s=[60]).table) == 0
    empty = reachable(net, walk, HOME, SHOP.iloc[:0], cutoffs_s=[60])
    assert empty.sums.to_numpy().tolist() == [[0]]
    assert empty.status[60].tolist() == ["beyond_cutoff"]  # a street leads out of the data, but not within a minute
