"""Spatial statistics: Moran's I by hand, neighbours against libpysal, significance against all arrangements."""

from __future__ import annotations

import sys
from itertools import combinations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from shapely import Point, Polygon, box

from bishan_gis.access.neighbours import Neighbours, find_neighbours
from bishan_gis.access.spatial_statistics import global_moran, hot_spots, local_moran
from bishan_gis.errors import CrsError, InputError, MissingColumnError, NoDataError, SchemaError


def _grid(n, size=100.0, *, seed=None):
    """Lay out n x n squares; with a seed their corners are off by rounding."""
    cells = [box(size * c, size * r, size * (c + 1), size * (r + 1)) for r in range(n) for c in range(n)]
    if seed is not None:
        rng = np.random.default_rng(seed)
        cells = [Polygon(np.asarray(p.exterior.coords)[:-1] + rng.uniform(-1e-4, 1e-4, (4, 2))) for p in cells]
    return gpd.GeoDataFrame({"cell_id": [f"c{i:04}" for i in range(n * n)]}, geometry=cells, crs=4544)


CELLS = _grid(3)
ROOK = find_neighbours(CELLS, method="distance", distance_m=100)
QUEEN = find_neighbours(CELLS)


def _series(values, cells=CELLS):
    return pd.Series(values, index=cells["cell_id"])


def _moran(values, neighbours):
    """Write out the formula: n / S0 * sum w z z / sum z2, each row of w summing to 1."""
    z = np.asarray(values, float) - np.mean(values)
    w = np.zeros((len(z), len(z)))
    w[neighbours.focal, neighbours.neighbour] = 1
    w /= w.sum(axis=1, keepdims=True)
    return len(z) / w.sum() * (z @ w @ z) / (z @ z)


def test_moran_by_hand():
    """1 0 1 / 0 1 0 / 1 0 1: over sides every neighbour differs; z is 4/9 for a 1 and -5/9 for a 0."""
    board = _series([1, 0, 1, 0, 1, 0, 1, 0, 1])
    # sum z2 = 5 (16/81) + 4 (25/81) = 180/81; each of the 9 products is (4/9)(-5/9) = -20/81
    assert global_moran(board, ROOK).statistic == pytest.approx(-9 * 20 / 180)
    # 0 0 0 / 1 1 1 / 2 2 2 over sides, z = -1 0 1: row of 0s: corners lag -1/2, middle -2/3; so 2 (1/2 + 1/2 + 2/3) / 6
    rows = _series([0, 0, 0, 1, 1, 1, 2, 2, 2])
    found = global_moran(rows, ROOK)
    assert found.statistic == pytest.approx(10 / 18)
    assert found.expected == -1 / 8
    assert (found.n_cells, found.n_islands, found.n_unknown) == (9, 0, 0)
    for neighbours in (ROOK, QUEEN):
        for values in (board, rows, _series(np.arange(9) ** 2)):
            assert global_moran(values, neighbours).statistic == pytest.approx(_moran(values, neighbours), abs=1e-12)
    local = local_moran(rows, ROOK)["statistic"]
    # I_i = (n - 1) z_i lag_i / sum z2, sum z2 = 6
    np.testing.assert_allclose(local, 8 / 6 * np.array([0.5, 2 / 3, 0.5, 0, 0, 0, 0.5, 2 / 3, 0.5]), atol=1e-12)


def test_neighbours_against_libpysal():
    cells = _grid(8).sample(40, random_state=2).reset_index(drop=True)
    plain = cells.set_index("cell_id").geometry
    oracles = {
        "queen": (Graph.build_contiguity(plain, rook=False), {}),
        "distance": (Graph.build_distance_band(plain.centroid, threshold=250), {"distance_m": 250}),
    }
    for method, (oracle, more) in oracles.items():
        mine = find_neighbours(cells, method=method, **more)
        theirs = oracle.adjacency[oracle.adjacency > 0]
        pairs = {(mine.ids[a], mine.ids[b]) for a, b in zip(mine.focal, mine.neighbour, strict=True)}
        assert pairs == set(theirs.index)
    # Points in general position: no ties.
    rng = np.random.default_rng(0)
    points = gpd.GeoDataFrame(
        {"cell_id": np.arange(60)}, geometry=[Point(p).buffer(1) for p in rng.uniform(0, 1000, (60, 2))], crs=4544
    )
    mine = find_neighbours(points, method="knn", k=5)
    theirs = Graph.build_knn(points.set_index("cell_id").centroid, k=5).adjacency
    assert set(zip(mine.focal, mine.neighbour, strict=True)) == set(theirs.index)


def test_neighbours_of_awkward_cells():
    """Corners off by rounding touch; the two halves of a cell at a border, drawn alike, are neighbours."""
    np.testing.assert_array_equal(find_neighbours(_grid(6, seed=1)).counts, find_neighbours(_grid(6)).counts)
    twins = pd.concat([CELLS, CELLS.iloc[:1].assign(cell_id="c0000-2")], ignore_index=True)
    counts = find_neighbours(twins).counts
    assert counts["c0000"] == counts["c0000-2"] == 4
    assert find_neighbours(twins, method="knn", k=1).counts.eq(1).all()
    order = find_neighbours(CELLS.iloc[::-1])
    assert order.counts.loc[CELLS["cell_id"]].tolist() == QUEEN.counts.tolist() == [3, 5, 3, 5, 8, 5, 3, 5, 3]


def test_a_cluster_is_found_and_chance_is_not():
    cells = _grid(20)
    neighbours = find_neighbours(cells)
    rng = np.random.default_rng(5)
    noise = rng.uniform(0, 1, 400)
    column, row = np.arange(400) % 20, np.arange(400) // 20
    patch = (column < 5) & (row < 5)
    found = hot_spots(_series(noise + 2 * patch, cells), neighbours)
    inner = (column < 4) & (row < 4)
    assert (found["cluster"][inner] == "hot").all()
    assert (found["cluster"][(column > 6) | (row > 6)] == "hot").mean() < 0.05
    local = local_moran(_series(noise + 2 * patch, cells), neighbours)
    assert (local["cluster"][inner] == "high_high").all()
    assert global_moran(_series(noise + 2 * patch, cells), neighbours).p_value < 0.01
    # Covered or not, by chance: ties everywhere and nothing to find.
    for seed in range(3):
        chance = _series((np.random.default_rng(seed).random(400) < 0.1).astype(float), cells)
        for measure in (hot_spots, local_moran):
            assert measure(chance, neighbours)["cluster"].ne("not_significant").mean() < 0.02
        assert global_moran(chance, neighbours).p_value > 0.01


def test_p_values_against_all_arrangements():
    """On 3 x 3 cells every choice of neighbours can be written out; with ties and without."""
    for values in ([3, 1, 4, 1, 5, 9, 2, 6, 5], [0, 0, 0, 0, 1, 0, 0, 1, 1]):
        y = np.array(values, float)
        table = hot_spots(_series(y), ROOK, permutations=4999)
        for i in range(9):
            near = ROOK.neighbour[ROOK.focal == i]
            others = np.delete(y, i)
            sums = np.array([sum(c) for c in combinations(others, len(near))])
            tail = min((sums >= y[near].sum()).mean(), (sums <= y[near].sum()).mean())
            assert table["p_value"].iloc[i] == pytest.approx(min(1, 2 * tail), abs=0.05)
        # The same neighbours decide for the local Moran.
        away = (y != y.mean()).nonzero()[0]
        local = local_moran(_series(y), ROOK, permutations=4999)
        assert local["p_value"].iloc[away].tolist() == table["p_value"].iloc[away].tolist()
    # Gi* by hand for a corner: itself and 2 neighbours of 9
    spread = y.std() * np.sqrt(3 * (9 - 3) / (9 - 1))
    assert table["statistic"].iloc[0] == pytest.approx((y[[0, 1, 3]].sum() - 3 * y.mean()) / spread)


def test_islands_and_gaps():
    """A cell far away and a cell without a value are named; the others are what they would be without them."""
    far = gpd.GeoDataFrame({"cell_id": ["far"]}, geometry=[box(9e3, 9e3, 9.1e3, 9.1e3)], crs=4544)
    cells = pd.concat([CELLS, far], ignore_index=True)
    values = _series([5, 4, 3, 4, np.nan, 2, 3, 2, 1, 9.0], cells)
    rest = CELLS.drop(index=4)
    plain, asked = find_neighbours(rest), find_neighbours(cells)
    found = global_moran(values, asked)
    assert found == global_moran(values.loc[rest["cell_id"]], plain)._replace(n_islands=1, n_unknown=1)
    for measure in (hot_spots, local_moran):
        table = measure(values.sample(frac=1, random_state=1), asked)
        assert table.index.tolist() == cells["cell_id"].tolist()
        assert table.loc["far", "cluster"] == "island"
        assert table.loc["c0004", "cluster"] == "unknown"
        assert table.loc[["far", "c0004"], ["statistic", "p_value", "q_value"]].isna().all(axis=None)
        pd.testing.assert_frame_equal(table.loc[rest["cell_id"]], measure(values.loc[rest["cell_id"]], plain))
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert found == global_moran(values, asked)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "esda", None)
    for measure in (global_moran, local_moran, hot_spots):
        with pytest.raises(InputError, match=r"pip install bishan-gis\[stats\]"):
            measure(_series(range(9)), QUEEN)
    assert find_neighbours(CELLS).counts.sum() == 40


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (CrsError, lambda: find_neighbours(CELLS.to_crs(4326))),
        (MissingColumnError, lambda: find_neighbours(CELLS.drop(columns="cell_id"))),
        (SchemaError, lambda: find_neighbours(CELLS.assign(cell_id="same"))),
        (SchemaError, lambda: find_neighbours(CELLS.set_geometry([*CELLS.geometry[:8], None], crs=4544))),
        (SchemaError, lambda: find_neighbours(CELLS.set_geometry(CELLS.centroid))),
        (InputError, lambda: find_neighbours(CELLS, method="rook")),
        (InputError, lambda: find_neighbours(CELLS, method="distance")),
        (InputError, lambda: find_neighbours(CELLS, method="distance", distance_m=-1)),
        (InputError, lambda: find_neighbours(CELLS, method="knn", k=9)),
        (InputError, lambda: global_moran(_series(range(9)), QUEEN, permutations=9)),
        (InputError, lambda: local_moran(_series(range(9)), QUEEN, alpha=1)),
        (InputError, lambda: hot_spots(_series(range(-1, 8)), QUEEN)),
        (SchemaError, lambda: global_moran(_series(range(9)).iloc[1:], QUEEN)),
        (NoDataError, lambda: global_moran(_series([1] * 9), QUEEN)),
        (NoDataError, lambda: hot_spots(_series([np.nan] * 9), QUEEN)),
        (NoDataError, lambda: local_moran(_series(range(9)), Neighbours(QUEEN.ids, QUEEN.focal[:0], QUEEN.focal[:0]))),
    ],
)
def test_bad_input(error, call):
    with pytest.raises(error):
        call()


def test_cells_without_a_value_are_named():
    with pytest.raises(SchemaError, match=r"\(9 and 9; values lacks 9: 'c0000', "):
        local_moran(pd.Series(range(9)), QUEEN)
