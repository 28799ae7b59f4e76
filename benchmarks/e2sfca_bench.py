"""Floating catchments and rational agents against PySAL access, in one run, with results checked equal.

`run` returns a row per case: who needs how much processor time for the same input; both work in one thread. The first
call of ours is made before the clock starts, so that kernels are compiled.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from longer_way import processor_seconds

STEPS_S = (600.0, 1200.0, 1800.0)
WEIGHTS = (1.0, 0.68, 0.22)


def make_town(
    origins: int, facilities: int, *, reach_s: float, names: bool = False, seed: int = 1
) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Return pairs within reach over 20 x 20 km as the crow flies at 1.2 m/s, by facility; capacity; people."""
    rng = np.random.default_rng(seed)
    homes, doors = rng.uniform(0, 20_000, (origins, 2)), rng.uniform(0, 20_000, (facilities, 2))
    parts = []
    for j, (x, y) in enumerate(doors):
        cost = (np.hypot(homes[:, 0] - x, homes[:, 1] - y) / 1.2).round(3)
        near = np.flatnonzero(cost <= reach_s)
        parts.append((near, np.full(len(near), j), cost[near]))
    i, j, cost = (np.concatenate(column) for column in zip(*parts, strict=True))
    home = np.array([f"o{k:05d}" for k in range(origins)]) if names else np.arange(origins)
    door = np.array([f"f{k:03d}" for k in range(facilities)]) if names else 100_000 + np.arange(facilities)
    matrix = pd.DataFrame({"from_id": home[i], "to_id": door[j], "cost_s": cost})
    supply = pd.Series(rng.integers(5, 50, facilities), index=door)
    return matrix, supply, pd.Series(rng.integers(1, 2000, origins), index=home)


def _tables(town: tuple[pd.DataFrame, pd.Series, pd.Series]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return demand, supply and costs under the names that PySAL access expects; made before the clock starts."""
    matrix, supply, demand = town
    return (
        demand.rename("demand").rename_axis("geoid").reset_index(),
        supply.rename("supply").to_frame(),
        matrix.rename(columns={"from_id": "origin", "to_id": "dest", "cost_s": "cost"}),
    )


def bench_catchments(town: tuple[pd.DataFrame, pd.Series, pd.Series], *, runs: int) -> dict[str, float]:
    """Measure E2SFCA; PySAL's ``enhanced_two_stage_fca`` is its ``two_stage_fca`` with a function of steps."""
    from access.fca import two_stage_fca
    from access.weights import step_fn

    from bishan_gis.access.floating_catchment import enhanced_two_step

    weigh, tables = step_fn(dict(zip(STEPS_S, WEIGHTS, strict=True))), _tables(town)
    enhanced_two_step(*town, steps_s=STEPS_S, weights=WEIGHTS)
    theirs_s, theirs = processor_seconds(lambda: two_stage_fca(*tables, weight_fn=weigh), runs)
    ours_s, ours = processor_seconds(lambda: enhanced_two_step(*town, steps_s=STEPS_S, weights=WEIGHTS), runs)
    np.testing.assert_allclose(ours, theirs.reindex(ours.index).fillna(0), rtol=1e-12)
    return {"pairs": len(town[0]), "ours_s": ours_s, "theirs_s": theirs_s, "ratio": theirs_s / ours_s}


def bench_agents(town: tuple[pd.DataFrame, pd.Series, pd.Series], *, runs: int) -> dict[str, float]:
    """Measure RAAM; theirs moves whole people 150 times, ours settles: the difference is a result, too."""
    from access.raam import raam as theirs_raam

    from bishan_gis.access.raam import raam

    matrix, supply, demand = town
    demand = demand[demand.index.isin(matrix["from_id"])]
    _, capacity, costs = _tables(town)
    people = demand.rename("demand").to_frame()
    raam(matrix, supply, demand, tau_s=600)
    theirs_s, theirs = processor_seconds(lambda: theirs_raam(people, capacity, costs, tau=600), runs)
    ours_s, ours = processor_seconds(lambda: raam(matrix, supply, demand, tau_s=600), runs)
    off = (theirs.reindex(ours.index) / ours - 1).abs()
    return {
        "pairs": len(matrix),
        "ours_s": ours_s,
        "theirs_s": theirs_s,
        "ratio": theirs_s / ours_s,
        "median_difference": float(off.median()),
        "largest_difference": float(off.max()),
    }


def run(*, runs: int = 5, whole: bool = False) -> dict[str, dict[str, float]]:
    """Measure all cases: medians of `runs`; `whole` adds all 10 million pairs (needs 8 GB and some minutes)."""
    out: dict[str, dict[str, float]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, on newer pandas
        for names in (False, True):
            town = make_town(20_000, 500, reach_s=STEPS_S[-1], names=names)
            by_origin = town[0].sort_values(["from_id", "to_id"], ignore_index=True)
            mixed = town[0].sample(frac=1, random_state=1, ignore_index=True)
            kind = "text" if names else "whole numbers"
            for order, matrix in (("by facility", town[0]), ("by origin", by_origin), ("mixed", mixed)):
                name = f"E2SFCA 20,000 x 500 within 30 min, ids {kind}, rows {order}"
                out[name] = bench_catchments((matrix, *town[1:]), runs=runs)
        out["RAAM 5,000 x 100 within 50 min"] = bench_agents(make_town(5000, 100, reach_s=3000), runs=runs)
        if whole:
            town = make_town(20_000, 500, reach_s=1e9)
            out["E2SFCA 20,000 x 500, all pairs, ids whole numbers"] = bench_catchments(town, runs=runs)
    return out


if __name__ == "__main__":
    for case, row in run(whole=True).items():
        print(case, {key: float(f"{value:.4g}") for key, value in row.items()})
