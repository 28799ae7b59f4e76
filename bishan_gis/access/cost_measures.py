"""Costs that a travel matrix answers: to the nearest, to the k nearest, to enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import Pairs, match_amounts, match_pairs
from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import InputError
from bishan_gis.network.jit import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cost_to_reach", "k_nearest_mean", "nearest", "reach_costs"]


def nearest(travel_matrix: pd.DataFrame, *, origins: pd.Index | None = None, cost: str = "cost_s") -> pd.Series:
    """Find the cost to the nearest destination of a matrix.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    origins : pandas.Index, optional
        Origins to answer for, in this order; default: those of the matrix, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``nearest`` [s]; NaN where nothing is reached.

    Raises
    ------
    SchemaError
        A column is missing, a pair repeats, a cost is negative or missing, or an origin is unknown.

    Notes
    -----
    ``A_i = min_j c_ij`` (Apparicio et al. 2017, doi:10.1186/s12942-017-0105-9). On a network,
    :func:`bishan_gis.access.nearest.nearest_cost` needs no matrix.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "g"], "cost_s": [300, 900]})
    >>> nearest(matrix, origins=pd.Index(["A", "B"])).to_dict()
    {'A': 300.0, 'B': nan}
    """
    pairs = match_pairs(travel_matrix, origins=origins, cost=cost)
    best = np.full(len(pairs.origins), np.inf)
    np.minimum.at(best, pairs.origin, pairs.cost)
    return pairs.series(np.where(np.isinf(best), np.nan, best), "nearest")


def k_nearest_mean(
    travel_matrix: pd.DataFrame, *, k: int, origins: pd.Index | None = None, cost: str = "cost_s"
) -> pd.Series:
    """Average the costs to the k nearest destinations: nearness with a choice.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    k : int
        How many destinations, at least 1.
    origins : pandas.Index, optional
        Origins to answer for, in this order; default: those of the matrix, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``k_nearest_mean`` [s]; NaN where fewer than `k` are reached.

    Raises
    ------
    InputError
        `k` is below 1 or not whole.
    SchemaError
        As :func:`nearest`.

    Notes
    -----
    ``A_i = 1/k sum_{m<=k} c_i(m)`` with costs in rising order (Apparicio et al. 2017,
    doi:10.1186/s12942-017-0105-9).

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A", "B"], "to_id": ["f", "g", "g"], "cost_s": [300, 900, 600]})
    >>> k_nearest_mean(matrix, k=2).to_dict()
    {'A': 600.0, 'B': nan}
    """
    if k < 1 or int(k) != k:
        raise InputError(f"k 须为不小于 1 的整数,现为 {k}", f"k must be a whole number of at least 1; it is {k}")
    pairs = match_pairs(travel_matrix, origins=origins, cost=cost).sort_by_cost()
    starts = pairs.starts()
    first = pairs.keep(np.arange(len(pairs.cost)) - starts[pairs.origin] < k)
    return pairs.series(np.where(np.diff(starts) >= k, first.sum_origins(first.cost) / k, np.nan), "k_nearest_mean")


@njit(cache=True, nogil=True)
def _reach(starts, to, cost, supply, wanted):  # type: ignore[no-untyped-def] # pragma: no cover
    """Add up the supply of each origin, cheapest first, until it is enough."""
    out = np.zeros(len(wanted))
    for i in range(len(wanted)):
        if wanted[i] <= 0:
            continue
        out[i] = np.nan
        held = 0.0
        for k in range(starts[i], starts[i + 1]):
            held += supply[to[k]]
            if held >= wanted[i] * (1.0 - 1e-9):
                out[i] = cost[k]
                break
    return out


def reach_costs(pairs: Pairs, supply: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the cost within which each origin reaches what it wants.

    Parameters
    ----------
    pairs : Pairs
        Reached pairs.
    supply : ndarray of float64
        Per destination.
    wanted : ndarray of float64
        Per origin.

    Returns
    -------
    ndarray of float64
        Per origin [s]; 0 where nothing is wanted, NaN where all that is reached is not enough.
    """
    ranked = pairs.sort_by_cost()
    out: NDArray[np.float64] = _reach(ranked.starts(), ranked.destination, ranked.cost, supply, wanted)
    return out


def cost_to_reach(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    *,
    amount: float,
    origins: pd.Index | None = None,
    cost: str = "cost_s",
) -> pd.Series:
    """Find the cost within which each origin reaches a given amount of supply.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    supply : pandas.Series
        Indexed by facility; the amount offered.
    amount : float
        How much is wanted, in the unit of `supply`.
    origins : pandas.Index, optional
        Origins to answer for, in this order; default: those of the matrix, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``cost_to_reach`` [s]; NaN where all that is reached is not enough.

    Raises
    ------
    InputError
        `amount` is not above 0.
    SchemaError
        A column is missing, a pair repeats, a cost is negative or missing, or an id is unknown.

    Notes
    -----
    ``A_i = min {t : sum_j S_j [c_ij <= t] >= amount}``, the balancing time of Barboza et al. (2021,
    doi:10.1016/j.jtrangeo.2020.102924) with one amount for all; a sum short by less than one part in 10**9
    counts as enough, so that rounding of fractions decides nothing.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A", "B"], "to_id": ["f", "g", "g"], "cost_s": [300, 900, 600]})
    >>> cost_to_reach(matrix, pd.Series({"f": 30, "g": 50}), amount=60).to_dict()
    {'A': 900.0, 'B': nan}
    """
    check_positive(amount=amount)
    offered = match_amounts(supply, where="supply")
    pairs = match_pairs(travel_matrix, origins=origins, destinations=supply.index, cost=cost)
    return pairs.series(reach_costs(pairs, offered, np.full(len(pairs.origins), float(amount))), "cost_to_reach")
