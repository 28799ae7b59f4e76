"""Without numba: the same results, by scipy and by the kernels as plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EAST, NORTH, grid_network

from bishan_gis.access.k_nearest import k_nearest
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.errors import InputError
from bishan_gis.network.costs import SpeedProfile, edge_costs, load_profile
from bishan_gis.network.jit import HAS_NUMBA, njit
from bishan_gis.network.scipy_search import choose_engine, search_nearest_by_scipy
from bishan_gis.network.search import search_nearest
from bishan_gis.network.star import NOT_REACHED, Seeds, StarGraph

METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand")


def town(seed=7):
    network = grid_network(6, seed=seed)
    network.node_frontier[:2] = True
    rng = np.random.default_rng(seed)
    x, y = EAST + rng.uniform(-50, 550, 40), NORTH + rng.uniform(-50, 550, 40)
    origins = pd.DataFrame({"origin_id": [f"o{i}" for i in range(30)], "x": x[:30], "y": y[:30]})
    points = pd.DataFrame({"facility_id": [f"f{i % 8}" for i in range(10)], "service": ["s", "t"] * 5})
    return network, origins, points.assign(x=x[30:], y=y[30:], offset_s=rng.integers(0, 50, 10))


def answers(folder, **options):
    network, origins, points = town()
    costs = edge_costs(network, METRE_A_SECOND)
    nearest_cost(network, costs, origins, points, **options).table.to_pickle(folder / "nearest.pkl")
    travel_matrix(network, costs, origins, points, cutoff_s=400, **options).to_pickle(folder / "matrix.pkl")
    k_nearest(network, costs, origins, points, k=2).to_pickle(folder / "k.pkl")


_WITHOUT = """
import sys
from pathlib import Path
sys.modules["numba"] = None
from bishan_gis.network.jit import HAS_NUMBA
assert not HAS_NUMBA
import test_fallback
test_fallback.answers(Path(sys.argv[1]))
"""


def test_without_numba_the_results_are_the_same(tmp_path):
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    answers(tmp_path / "with")
    here = Path(__file__).parent
    path = os.pathsep.join([str(here.parent), str(here)])
    command = [sys.executable, "-c", _WITHOUT, str(tmp_path / "without")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("nearest.pkl", "matrix.pkl", "k.pkl"):
        mine, other = (pd.read_pickle(tmp_path / folder / name) for folder in ("with", "without"))
        assert len(mine) > 0
        pd.testing.assert_frame_equal(mine, other)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), direction=st.sampled_from(["to", "from"]), mode=st.sampled_from(["toy", "adult"]))
def test_scipy_engine_equals_numba(seed, direction, mode):
    network, origins, points = town(seed)
    costs = edge_costs(network, METRE_A_SECOND if mode == "toy" else load_profile(mode))
    fast = nearest_cost(network, costs, origins, points, direction=direction, engine="numba")
    slow = nearest_cost(network, costs, origins, points, direction=direction, engine="scipy")
    pd.testing.assert_frame_equal(fast.table, slow.table)
    np.testing.assert_array_equal(fast.node_cost_ms, slow.node_cost_ms)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    limit=st.sampled_from([0, 6, 2**31 - 2]),
    group_bits=st.sampled_from([2, 13]),
    threads=st.sampled_from([1, 2, 7]),
)
def test_labels_of_equally_near_seeds_are_the_same(seed, limit, group_bits, threads):
    """Also where seeds fall into several groups, and sets go from group to group in several parts."""
    rng = np.random.default_rng(seed)
    tail, head = rng.integers(0, 25, 60).astype(np.int32), rng.integers(0, 25, 60).astype(np.int32)
    star = StarGraph.from_links(25, tail, head, rng.integers(1, 4, 60))
    seeds = [
        Seeds(rng.integers(0, 25, 8).astype(np.int32), rng.integers(0, 5, 8), rng.integers(0, 5, 8).astype(np.int32))
        for _ in range(18)
    ] + [Seeds(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int32))]
    with patch("bishan_gis.network.search._GROUP_BITS", group_bits):
        found = search_nearest(star, seeds, limit_ms=limit, threads=threads)
    for mine, other in zip(found, search_nearest_by_scipy(star, seeds, limit_ms=limit), strict=True):
        np.testing.assert_array_equal(mine, other)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), limit=st.sampled_from([0, 3, 2**31 - 2]))
def test_dead_ends_loops_and_links_that_cost_nothing(seed, limit):
    """Against the least cost and label that going along links again and again gives; seeds lie in dead ends, too."""
    rng = np.random.default_rng(seed)
    n = 20
    inner = rng.integers(0, n, (2, 12))  # loops and links side by side among them
    branch = np.array([[rng.integers(0, v), v] for v in range(1, n)]).T  # a tree: many nodes have one neighbour
    keep = rng.random(n - 1) < 0.8
    tail = np.r_[inner[0], branch[0], branch[1][keep]].astype(np.int32)
    head = np.r_[inner[1], branch[1], branch[0][keep]].astype(np.int32)
    cost = rng.integers(0, 3, len(tail))
    node, paid, label = rng.integers(0, n, 4), rng.integers(0, 3, 4), rng.integers(0, 3, 4)
    best = [(NOT_REACHED, -1)] * n
    for u, c, who in zip(node.tolist(), paid.tolist(), label.tolist(), strict=True):
        best[u] = min(best[u], (c, who)) if c <= limit else best[u]
    for _ in range(n):
        for u, v, c in zip(tail.tolist(), head.tolist(), cost.tolist(), strict=True):
            if best[u][0] + c <= limit:
                best[v] = min(best[v], (best[u][0] + c, best[u][1]))
    star = StarGraph.from_links(n, tail, head, cost)
    seeds = Seeds(node.astype(np.int32), paid, label.astype(np.int32))
    (found,), (who,) = search_nearest(star, [seeds], limit_ms=limit)
    assert list(zip(found.tolist(), who.tolist(), strict=True)) == best


def test_engine_is_chosen(monkeypatch):
    assert HAS_NUMBA
    assert choose_engine("auto") == "numba"
    monkeypatch.setattr("bishan_gis.network.scipy_search.HAS_NUMBA", False)
    assert choose_engine("auto") == "scipy"
    with pytest.raises(InputError, match="numba is not installed"):
        choose_engine("numba")
    assert callable(njit)
