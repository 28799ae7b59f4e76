"""Siting against spopt with the same solver (HiGHS through pulp), in one run, with objectives checked equal.

`run` returns a row per case: seconds from the matrix of times to the proven optimum, ours and theirs.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def make_town(
    homes: int, candidates: int, *, width_m: float, seed: int = 1
) -> tuple[np.ndarray, pd.Series, pd.DataFrame]:
    """Return times as the crow flies at 1.2 m/s, people, and candidates."""
    rng = np.random.default_rng(seed)
    at, sites = rng.uniform(0, width_m, (homes, 2)), rng.uniform(0, width_m, (candidates, 2))
    seconds = np.round(np.hypot(*(at[:, None] - sites[None]).transpose(2, 0, 1)) / 1.2, 3)
    people = pd.Series(rng.integers(1, 200, homes), index=np.arange(homes))
    return seconds, people, pd.DataFrame({"candidate_id": np.arange(candidates)})


def _matrix(seconds: np.ndarray, cutoff_s: float) -> pd.DataFrame:
    i, j = np.nonzero(seconds <= cutoff_s)
    return pd.DataFrame({"from_id": i, "to_id": j, "cost_s": seconds[i, j]})


def _timed(work: Callable[[], Any], runs: int) -> tuple[float, Any]:
    times, result = [], None
    for _ in range(runs):
        begun = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times), result


def bench_model(
    model: str, *, homes: int, candidates: int, width_m: float, cutoff_s: float, sites: int, runs: int
) -> dict[str, Any]:
    """Measure one case; `cutoff_s` of the p-median only bounds the matrix (every home has sites within it)."""
    import pulp
    from spopt.locate import MCLP, PMedian

    from bishan_gis.planning.site_plan import choose_sites

    seconds, people, table = make_town(homes, candidates, width_m=width_m)
    matrix = _matrix(seconds, cutoff_s)
    covering = model == "mclp"

    def ours() -> Any:
        return choose_sites(
            people, table, matrix, model=model, sites=sites, cutoff_s=cutoff_s if covering else None, time_limit_s=900
        )

    def theirs() -> Any:
        weights = people.to_numpy()
        if covering:
            problem = MCLP.from_cost_matrix(seconds, weights, cutoff_s, p_facilities=sites)
        else:
            problem = PMedian.from_cost_matrix(seconds, weights, p_facilities=sites)
        return problem.solve(pulp.HiGHS(msg=False))

    ours_s, plan = _timed(ours, runs)
    theirs_s, solved = _timed(theirs, 1)
    value = solved.problem.objective.value()
    np.testing.assert_allclose(plan.objective, value, rtol=1e-7)
    return {
        "pairs": len(matrix),
        "ours_s": ours_s,
        "theirs_s": theirs_s,
        "ratio": theirs_s / ours_s,
        "objective": plan.objective,
        "status": plan.status,
    }


def run(*, runs: int = 3) -> dict[str, dict[str, Any]]:
    """Measure all cases: the median of `runs` of ours, one of theirs (most of a minute each)."""
    out = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, on newer pandas and pulp
        bench_model("mclp", homes=50, candidates=10, width_m=5000, cutoff_s=900, sites=2, runs=1)
        for width in (20_000, 15_000, 10_000):
            name = f"MCLP 5,000 x 500, 15 min, {width // 1000} km"
            options: dict[str, Any] = {"homes": 5000, "candidates": 500, "cutoff_s": 900, "sites": 15}
            out[name] = bench_model("mclp", width_m=width, runs=runs, **options)
        out["p-median 500 x 100"] = bench_model(
            "p_median", homes=500, candidates=100, width_m=10_000, cutoff_s=4000, sites=15, runs=runs
        )
    return out


if __name__ == "__main__":
    for case, row in run().items():
        print(case, {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()})
