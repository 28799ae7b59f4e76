"""Potential: supply weighed by how willingly people travel to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from bishan_gis.access.matrix import match_amounts, match_pairs, weigh

if TYPE_CHECKING:
    from bishan_gis.access.decay import Decay

__all__ = ["gravity"]


def gravity(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    *,
    decay: Decay,
    origins: pd.Index | None = None,
    cost: str = "cost_s",
) -> pd.Series:
    """Sum all supply, each facility weighed by its cost.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    supply : pandas.Series
        Indexed by facility; the amount offered.
    decay : callable
        Costs [s] to weights, see :mod:`bishan_gis.access.decay`.
    origins : pandas.Index, optional
        Origins to answer for, in this order; default: those of the matrix, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``gravity``, in weighed units of `supply`; 0 where nothing is reached.

    Raises
    ------
    SchemaError
        A column is missing, a pair repeats, a cost is negative or missing, or an id is unknown.

    Notes
    -----
    ``A_i = sum_j S_j f(c_ij)`` (Hansen 1959, doi:10.1080/01944365908978307).

    Examples
    --------
    >>> from bishan_gis.access.decay import linear
    >>> matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "g"], "cost_s": [300, 900]})
    >>> gravity(matrix, pd.Series({"f": 30, "g": 50}), decay=linear(cutoff_s=1200)).to_dict()
    {'A': 35.0}
    """
    amounts = match_amounts(supply, where="supply")
    pairs = match_pairs(travel_matrix, origins=origins, destinations=supply.index, cost=cost, by_origin=False)
    return pairs.series(pairs.gather_origins(amounts, weigh(decay, pairs.cost)), "gravity")
