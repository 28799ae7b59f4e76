"""A town small enough to work by hand, random towns, and a city for oracles."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from bishan_gis.access import decay

# A --- B --- C in a row, 200 s apart; D on an island. Clinic f near A, clinic g near C, 100 s down the lane:
# from B either is 200 s away.
MATRIX = pd.DataFrame(
    [("A", "f", 100), ("A", "g", 300), ("B", "f", 200), ("B", "g", 200), ("C", "f", 300), ("C", "g", 100)],
    columns=["from_id", "to_id", "cost_s"],
)
SEATS = pd.Series({"f": 30, "g": 60})
PEOPLE = pd.Series({"A": 10, "B": 20, "C": 30, "D": 5})
ZONES = decay.stepped(steps_s=[100, 200], weights=[1, 0.5])
NEAR = decay.binary(cutoff_s=200)
NAN = np.nan


@st.composite
def towns(draw):
    """A matrix of whole seconds with holes, supply and demand."""
    n, m = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    cell = st.one_of(st.none(), st.integers(0, 1800))
    costs = draw(st.lists(cell, min_size=n * m, max_size=n * m))
    rows = [(f"o{k // m}", f"f{k % m}", c) for k, c in enumerate(costs) if c is not None]
    matrix = pd.DataFrame(rows, columns=["from_id", "to_id", "cost_s"]).astype({"cost_s": float})
    supply = pd.Series({f"f{j}": draw(st.integers(0, 50)) for j in range(m)})
    demand = pd.Series({f"o{i}": draw(st.integers(0, 50)) for i in range(n)})
    return matrix, supply, demand


def make_city():
    """Return costs within 1500 s of 60 origins and 12 facilities, in no order, supply and demand."""
    rng = np.random.default_rng(7)
    n, m = 60, 12
    cost = np.hypot(*(rng.uniform(0, 1500, n)[:, None] - rng.uniform(0, 1500, m) for _ in range(2))).round()
    i, j = np.nonzero(cost <= 1500)
    matrix = pd.DataFrame({"from_id": i, "to_id": 1000 + j, "cost_s": cost[i, j]}).sample(frac=1, random_state=1)
    supply = pd.Series(rng.integers(5, 50, m), index=1000 + np.arange(m))
    return matrix, supply, pd.Series(rng.integers(1, 2000, n), index=np.arange(n))
