"""Cumulative opportunities: how much is within reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_amounts, match_pairs
from bishan_gis.access.parameters import check_cutoffs, check_positive
from bishan_gis.errors import InputError

__all__ = ["cumulative_cutoff", "cumulative_interval", "cumulative_range"]


def cumulative_cutoff(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    *,
    cutoff_s: float,
    origins: pd.Index | None = None,
    cost: str = "cost_s",
) -> pd.Series:
    """Sum the supply each origin reaches within a cutoff.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    supply : pandas.Series
        Indexed by facility; the amount offered [seats, beds, 1 ...].
    cutoff_s : float
        Largest cost that counts, inclusive [s].
    origins : pandas.Index, optional
        Origins to answer for, in this order; default: those of the matrix, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``cumulative``, in the unit of `supply`; 0 where nothing is reached.

    Raises
    ------
    InputError
        `cutoff_s` is not above 0.
    SchemaError
        A column is missing, a pair repeats, a cost is negative or missing, or an id is unknown.

    Notes
    -----
    ``A_i = sum_j S_j [c_ij <= cutoff]`` (Handy & Niemeier 1997, doi:10.1068/a291175).

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A", "B"], "to_id": ["f", "g", "g"], "cost_s": [300, 900, 600]})
    >>> cumulative_cutoff(matrix, pd.Series({"f": 30, "g": 50}), cutoff_s=600).to_dict()
    {'A': 30.0, 'B': 50.0}
    """
    check_positive(cutoff_s=cutoff_s)
    amounts = match_amounts(supply, where="supply")
    pairs = match_pairs(travel_matrix, origins=origins, destinations=supply.index, cost=cost, by_origin=False)
    near = pairs.keep(pairs.cost <= cutoff_s)
    return near.series(near.sum_origins(amounts[near.destination]), "cumulative")


def cumulative_range(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    *,
    cutoffs_s: Sequence[float],
    origins: pd.Index | None = None,
    cost: str = "cost_s",
) -> pd.DataFrame:
    """Sum the supply each origin reaches within each of several cutoffs.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    supply : pandas.Series
        Indexed by facility; the amount offered.
    cutoffs_s : sequence of float
        Cutoffs, inclusive [s]; sorted in the result.
    origins : pandas.Index, optional
        Origins to answer for, in this order; default: those of the matrix, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.DataFrame
        Indexed by origin; one column per cutoff, named by it [s], in the unit of `supply`; 0 where nothing is reached.

    Raises
    ------
    InputError
        A cutoff is not above 0, repeats, or there is none.
    SchemaError
        As :func:`cumulative_cutoff`.

    Notes
    -----
    ``A_i(t) = sum_j S_j [c_ij <= t]``, one pass for all cutoffs: each pair is counted at the first cutoff that holds
    it and carried on.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "g"], "cost_s": [300, 900]})
    >>> cumulative_range(matrix, pd.Series({"f": 30, "g": 50}), cutoffs_s=[300, 600, 900]).loc["A"].to_dict()
    {300: 30.0, 600: 30.0, 900: 80.0}
    """
    ends = check_cutoffs(cutoffs_s)
    amounts = match_amounts(supply, where="supply")
    pairs = match_pairs(travel_matrix, origins=origins, destinations=supply.index, cost=cost, by_origin=False)
    rank = np.searchsorted(np.asarray(ends, dtype=np.float64), pairs.cost, side="left")
    near, rank = pairs.keep(rank < len(ends)), rank[rank < len(ends)]
    cell = near.origin.astype(np.int64) * len(ends) + rank
    flat = np.bincount(cell, weights=amounts[near.destination], minlength=len(pairs.origins) * len(ends))
    return pd.DataFrame(
        flat.reshape(len(pairs.origins), len(ends)).cumsum(axis=1),
        index=pairs.origins,
        columns=pd.Index(ends, name="cutoff_s"),
    )


def cumulative_interval(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    *,
    from_s: float,
    to_s: float,
    origins: pd.Index | None = None,
    cost: str = "cost_s",
) -> pd.Series:
    """Average what each origin reaches over every cutoff of an interval, so that no single cutoff decides.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    supply : pandas.Series
        Indexed by facility; the amount offered.
    from_s, to_s : float
        The interval of cutoffs [s].
    origins : pandas.Index, optional
        Origins to answer for, in this order; default: those of the matrix, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``cumulative_interval``, in the unit of `supply`; 0 where nothing is reached.

    Raises
    ------
    InputError
        The interval is empty or begins below 0.
    SchemaError
        As :func:`cumulative_cutoff`.

    Notes
    -----
    ``A_i = 1/(b - a) int_a^b sum_j S_j [c_ij <= t] dt = sum_j S_j clip((b - c_ij) / (b - a), 0, 1)``: exact, where
    Tomasiello et al. (2023, doi:10.1016/j.apgeog.2023.103007) and R ``accessibility`` sample the cutoffs.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "g"], "cost_s": [300, 900]})
    >>> cumulative_interval(matrix, pd.Series({"f": 30, "g": 50}), from_s=600, to_s=1200).to_dict()
    {'A': 55.0}
    """
    if not (0 <= from_s < to_s < np.inf):
        raise InputError(
            f"区间须满足 0 <= from_s < to_s,现为 {from_s} 与 {to_s}",
            f"the interval must have 0 <= from_s < to_s; it has {from_s} and {to_s}",
        )
    amounts = match_amounts(supply, where="supply")
    pairs = match_pairs(travel_matrix, origins=origins, destinations=supply.index, cost=cost, by_origin=False)
    share = np.clip((to_s - pairs.cost) / (to_s - from_s), 0.0, 1.0)
    return pairs.series(pairs.gather_origins(amounts, share), "cumulative_interval")
