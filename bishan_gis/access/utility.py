"""Utility: what having the choice is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_amounts, match_pairs
from bishan_gis.access.parameters import check_positive

__all__ = ["logsum"]


def logsum(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    *,
    rate_per_s: float,
    size_exponent: float = 1.0,
    in_seconds: bool = False,
    origins: pd.Index | None = None,
    cost: str = "cost_s",
) -> pd.Series:
    """Return the expected utility of the best choice among all reached facilities (logit).

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    supply : pandas.Series
        Indexed by facility; the size of each choice. A facility of size 0 is no choice.
    rate_per_s : float
        Utility lost per second of travel [1/s].
    size_exponent : float
        How much the size of a facility counts.
    in_seconds : bool
        Return utility divided by `rate_per_s`, so that differences read as seconds of travel saved.
    origins : pandas.Index, optional
        Origins to answer for, in this order; default: those of the matrix, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``logsum``, in units of utility or [s]; only differences have a meaning, and it may
        be negative. NaN where nothing is reached.

    Raises
    ------
    InputError
        A parameter is not above 0.
    SchemaError
        A column is missing, a pair repeats, a cost is negative or missing, or an id is unknown.

    Notes
    -----
    ``A_i = ln sum_j S_j**a exp(-rate c_ij)`` (Williams 1977, doi:10.1068/a090285; Ben-Akiva & Lerman 1985 [K]),
    computed relative to each origin's best choice, so that no cost is too large.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "g"], "cost_s": [600, 600]})
    >>> logsum(matrix, pd.Series({"f": 1, "g": 1}), rate_per_s=0.001).round(4).to_dict()  # ln 2 - 0.6
    {'A': 0.0931}
    """
    check_positive(rate_per_s=rate_per_s, size_exponent=size_exponent)
    amounts = match_amounts(supply, where="supply")
    pairs = match_pairs(travel_matrix, origins=origins, destinations=supply.index, cost=cost)
    pairs = pairs.keep(amounts[pairs.destination] > 0)
    utility = size_exponent * np.log(amounts[pairs.destination]) - rate_per_s * pairs.cost
    best = np.full(len(pairs.origins), -np.inf)
    np.maximum.at(best, pairs.origin, utility)
    some = best > -np.inf
    total = pairs.sum_origins(np.exp(utility - best[pairs.origin]))
    out = np.where(some, best, np.nan)
    out[some] += np.log(total[some])
    return pairs.series(out / rate_per_s if in_seconds else out, "logsum")
