"""Floating catchments: capacity shared among all who reach it.

Demand of one age group is simply the demand passed in, a column of the population table. An origin without demand gets
what someone living there would find. A facility whose catchment holds no demand has no ratio of capacity to demand and
adds nothing. A capacity that is missing is refused, never taken as 0: leave the facility out of `supply` and of the
matrix, or fill in a figure and say where it is from.

Examples
--------
One table of people by age, one service for each age: the nursery is shared by the young, the day centre by the old.

>>> matrix = pd.DataFrame({"from_id": ["A", "B"], "to_id": ["f", "f"], "cost_s": [300, 600]})
>>> people = pd.DataFrame({"age_0_2": [10, 30], "age_60_up": [40, 0]}, index=["A", "B"])
>>> two_step(matrix, pd.Series({"f": 20}), people["age_0_2"], cutoff_s=900).to_dict()
{'A': 0.5, 'B': 0.5}
>>> two_step(matrix, pd.Series({"f": 20}), people["age_60_up"], cutoff_s=900).to_dict()  # B: for who moves there
{'A': 0.5, 'B': 0.5}
>>> from bishan_gis.errors import SchemaError
>>> try:
...     two_step(matrix, pd.Series({"f": None}, dtype=float), people["age_0_2"], cutoff_s=900)
... except SchemaError as error:
...     error.message("en")
'supply: 1 values missing, negative or not numeric (f); complete or drop them'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.decay import binary, catchment_gaussian, stepped
from bishan_gis.access.matrix import Pairs, match_sides, weigh
from bishan_gis.access.parameters import check_positive
from bishan_gis.access.raam import raam

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.access.decay import Decay

__all__ = ["enhanced_two_step", "gaussian_two_step", "kernel_two_step", "modified_two_step"]
__all__ += ["raam", "three_step", "two_step"]


def _share_out(
    pairs: Pairs,
    capacity: NDArray[np.float64],
    people: NDArray[np.float64],
    claim: NDArray[np.float64],
    gain: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Divide capacity by claims and sum the ratios each origin gains; one weight per pair for each step."""
    claimed = pairs.gather_destinations(people, claim)
    ratio = np.divide(capacity, claimed, out=np.zeros_like(capacity), where=claimed > 0)
    return pairs.gather_origins(ratio, gain)


def two_step(
    travel_matrix: pd.DataFrame, supply: pd.Series, demand: pd.Series, *, cutoff_s: float, cost: str = "cost_s"
) -> pd.Series:
    """Share capacity among all demand within a cutoff (2SFCA).

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    supply : pandas.Series
        Indexed by facility; its capacity [seats, beds ...].
    demand : pandas.Series
        Indexed by origin; the people who need it.
    cutoff_s : float
        Edge of the catchment, inclusive [s].
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``two_step`` [capacity per person]; 0 where nothing is reached.

    Raises
    ------
    InputError
        `cutoff_s` is not above 0.
    SchemaError
        A column is missing, a pair repeats, a cost, capacity or demand is negative or missing, or an id is unknown.

    Notes
    -----
    ``R_j = S_j / sum_k D_k [c_kj <= c0]``, ``A_i = sum_j R_j [c_ij <= c0]`` (Luo & Wang 2003, doi:10.1068/b29120).
    Nothing is lost: ``sum_i D_i A_i`` is the capacity of all facilities with demand in their catchment.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "B"], "to_id": ["f", "f"], "cost_s": [300, 900]})
    >>> two_step(matrix, pd.Series({"f": 30}), pd.Series({"A": 10, "B": 20}), cutoff_s=900).to_dict()
    {'A': 1.0, 'B': 1.0}
    """
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost)
    weight = binary(cutoff_s=cutoff_s)(pairs.cost)
    return pairs.series(_share_out(pairs, capacity, people, weight, weight), "two_step")


def enhanced_two_step(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    demand: pd.Series,
    *,
    steps_s: Sequence[float] = (600.0, 1200.0, 1800.0),
    weights: Sequence[float] = (1.0, 0.68, 0.22),
    cost: str = "cost_s",
) -> pd.Series:
    """Share capacity, with a weight for each zone of the catchment (E2SFCA).

    Parameters
    ----------
    travel_matrix, supply, demand : pandas.DataFrame, pandas.Series, pandas.Series
        As :func:`two_step`.
    steps_s : sequence of float
        Upper ends of the zones, inclusive and rising [s].
    weights : sequence of float
        As many; the default is the slow decay of the source, made for 30 minutes by car.
    cost : str
        As :func:`two_step`.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``enhanced_two_step`` [capacity per weighed person]; 0 where nothing is reached.

    Raises
    ------
    InputError, SchemaError
        As :func:`two_step` and :func:`bishan_gis.access.decay.stepped`.

    Notes
    -----
    ``R_j = S_j / sum_k D_k w(c_kj)``, ``A_i = sum_j R_j w(c_ij)`` (Luo & Qi 2009,
    doi:10.1016/j.healthplace.2009.06.002). Nothing is lost, as in :func:`two_step`.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "B"], "to_id": ["f", "f"], "cost_s": [300, 900]})
    >>> enhanced_two_step(
    ...     matrix, pd.Series({"f": 30}), pd.Series({"A": 10, "B": 20}), steps_s=[600, 900], weights=[1, 0.5]
    ... ).to_dict()
    {'A': 1.5, 'B': 0.75}
    """
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost)
    weight = stepped(steps_s=steps_s, weights=weights)(pairs.cost)
    return pairs.series(_share_out(pairs, capacity, people, weight, weight), "enhanced_two_step")


def gaussian_two_step(
    travel_matrix: pd.DataFrame, supply: pd.Series, demand: pd.Series, *, cutoff_s: float, cost: str = "cost_s"
) -> pd.Series:
    """Share capacity, with a bell curve that ends at the edge of the catchment.

    Parameters
    ----------
    travel_matrix, supply, demand : pandas.DataFrame, pandas.Series, pandas.Series
        As :func:`two_step`.
    cutoff_s : float
        Edge of the catchment, where the weight reaches 0 [s].
    cost : str
        As :func:`two_step`.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``gaussian_two_step`` [capacity per weighed person]; 0 where nothing is reached.

    Raises
    ------
    InputError, SchemaError
        As :func:`two_step`.

    Notes
    -----
    :func:`enhanced_two_step` with ``w`` = :func:`bishan_gis.access.decay.catchment_gaussian` (Dai 2010,
    doi:10.1016/j.healthplace.2010.06.012). Nothing is lost, as in :func:`two_step`.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "B"], "to_id": ["f", "f"], "cost_s": [0, 450]})
    >>> access = gaussian_two_step(matrix, pd.Series({"f": 30}), pd.Series({"A": 10, "B": 20}), cutoff_s=900)
    >>> access.round(4).to_dict()
    {'A': 1.2486, 'B': 0.8757}
    """
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost)
    weight = catchment_gaussian(cutoff_s=cutoff_s)(pairs.cost)
    return pairs.series(_share_out(pairs, capacity, people, weight, weight), "gaussian_two_step")


def kernel_two_step(
    travel_matrix: pd.DataFrame, supply: pd.Series, demand: pd.Series, *, cutoff_s: float, cost: str = "cost_s"
) -> pd.Series:
    """Share capacity, with the parabola of kernel density estimates (KD2SFCA).

    Parameters
    ----------
    travel_matrix, supply, demand : pandas.DataFrame, pandas.Series, pandas.Series
        As :func:`two_step`.
    cutoff_s : float
        Edge of the catchment, where the weight reaches 0 [s].
    cost : str
        As :func:`two_step`.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``kernel_two_step`` [capacity per weighed person]; 0 where nothing is reached.

    Raises
    ------
    InputError, SchemaError
        As :func:`two_step`.

    Notes
    -----
    ``w(c) = 3/4 (1 - (c/c0)**2)`` up to c0; 3/4 cancels (Dai & Wang 2011, doi:10.1068/b36149). Nothing is lost.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "B"], "to_id": ["f", "f"], "cost_s": [0, 450]})
    >>> access = kernel_two_step(matrix, pd.Series({"f": 30}), pd.Series({"A": 10, "B": 20}), cutoff_s=900)
    >>> access.round(9).to_dict()
    {'A': 1.2, 'B': 0.9}
    """
    check_positive(cutoff_s=cutoff_s)
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost)
    weight = 1.0 - np.minimum(pairs.cost / cutoff_s, 1.0) ** 2
    return pairs.series(_share_out(pairs, capacity, people, weight, weight), "kernel_two_step")


def three_step(
    travel_matrix: pd.DataFrame, supply: pd.Series, demand: pd.Series, *, decay: Decay, cost: str = "cost_s"
) -> pd.Series:
    """Share capacity among people who divide themselves among the facilities they reach (3SFCA).

    Parameters
    ----------
    travel_matrix, supply, demand : pandas.DataFrame, pandas.Series, pandas.Series
        As :func:`two_step`.
    decay : callable
        Costs [s] to weights, see :mod:`bishan_gis.access.decay`; 0 outside the catchment.
    cost : str
        As :func:`two_step`.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``three_step`` [capacity per weighed person]; 0 where nothing is reached.

    Raises
    ------
    SchemaError
        As :func:`two_step`.

    Notes
    -----
    ``G_ij = w_ij / sum_k w_ik``, ``R_j = S_j / sum_k G_kj D_k w_kj``, ``A_i = sum_j G_ij R_j w_ij`` (Wan et al. 2012,
    doi:10.1080/13658816.2011.624987): a second clinic nearby takes demand off the first. Nothing is lost, as in
    :func:`two_step`.

    Examples
    --------
    >>> from bishan_gis.access.decay import binary
    >>> matrix = pd.DataFrame({"from_id": ["A", "A", "B"], "to_id": ["f", "g", "g"], "cost_s": [300, 300, 300]})
    >>> supply, demand = pd.Series({"f": 10, "g": 30}), pd.Series({"A": 20, "B": 20})
    >>> three_step(matrix, supply, demand, decay=binary(cutoff_s=900)).to_dict()
    {'A': 1.0, 'B': 1.0}
    """
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost)
    weight = weigh(decay, pairs.cost)
    total = pairs.sum_origins(weight)[pairs.origin]
    chosen = weight * np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    return pairs.series(_share_out(pairs, capacity, people, chosen, chosen), "three_step")


def modified_two_step(
    travel_matrix: pd.DataFrame, supply: pd.Series, demand: pd.Series, *, decay: Decay, cost: str = "cost_s"
) -> pd.Series:
    """Share capacity, part of which is lost where facilities stand badly (M2SFCA).

    Parameters
    ----------
    travel_matrix, supply, demand : pandas.DataFrame, pandas.Series, pandas.Series
        As :func:`two_step`.
    decay : callable
        Costs [s] to weights, see :mod:`bishan_gis.access.decay`; 0 outside the catchment.
    cost : str
        As :func:`two_step`.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``modified_two_step`` [capacity per weighed person]; 0 where nothing is reached.

    Raises
    ------
    SchemaError
        As :func:`two_step`.

    Notes
    -----
    ``A_i = sum_j S_j w_ij**2 / sum_k D_k w_kj`` (Delamater 2013, doi:10.1016/j.healthplace.2013.07.012): moving a
    facility away from everyone lowers access, which :func:`enhanced_two_step` does not see. So ``sum_i D_i A_i`` is at
    most the capacity, and equal only where every weight is 0 or 1.

    Examples
    --------
    >>> from bishan_gis.access.decay import stepped
    >>> matrix = pd.DataFrame({"from_id": ["A", "B"], "to_id": ["f", "f"], "cost_s": [300, 900]})
    >>> zones = stepped(steps_s=[600, 900], weights=[1, 0.5])
    >>> modified_two_step(matrix, pd.Series({"f": 30}), pd.Series({"A": 10, "B": 20}), decay=zones).to_dict()
    {'A': 1.5, 'B': 0.375}
    """
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost)
    weight = weigh(decay, pairs.cost)
    return pairs.series(_share_out(pairs, capacity, people, weight, weight**2), "modified_two_step")
