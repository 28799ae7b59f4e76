"""Floating catchments: capacity shared among all who reach it.

Demand of one age group is simply the demand passed in. An origin without demand gets what someone living there would
find. A facility whose catchment holds no demand has no ratio of capacity to demand and adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.decay import binary, catchment_gaussian, stepped
from bishan_gis.access.matrix import Pairs, check_positive, match_amounts, match_pairs
from bishan_gis.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.access.decay import Decay

__all__ = ["enhanced_two_step", "gaussian_two_step", "kernel_two_step", "modified_two_step"]
__all__ += ["raam", "three_step", "two_step"]


def _match(
    travel_matrix: pd.DataFrame, supply: pd.Series, demand: pd.Series, cost: str
) -> tuple[Pairs, NDArray[np.float64], NDArray[np.float64]]:
    """Check the three tables; return pairs, capacity per destination and demand per origin."""
    capacity, people = match_amounts(supply, where="supply"), match_amounts(demand, where="demand")
    pairs = match_pairs(travel_matrix, origins=demand.index, destinations=supply.index, cost=cost)
    return pairs, capacity, people


def _share_out(
    pairs: Pairs,
    capacity: NDArray[np.float64],
    people: NDArray[np.float64],
    claim: NDArray[np.float64],
    gain: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Divide capacity by claims and sum the ratios each origin gains; one weight per pair for each step."""
    claimed = pairs.sum_destinations(people[pairs.origin] * claim)
    ratio = np.divide(capacity, claimed, out=np.zeros_like(capacity), where=claimed > 0)
    return pairs.sum_origins(ratio[pairs.destination] * gain)


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
    pairs, capacity, people = _match(travel_matrix, supply, demand, cost)
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
    pairs, capacity, people = _match(travel_matrix, supply, demand, cost)
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
    pairs, capacity, people = _match(travel_matrix, supply, demand, cost)
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
    pairs, capacity, people = _match(travel_matrix, supply, demand, cost)
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
    pairs, capacity, people = _match(travel_matrix, supply, demand, cost)
    weight = decay(pairs.cost)
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
    pairs, capacity, people = _match(travel_matrix, supply, demand, cost)
    weight = decay(pairs.cost)
    return pairs.series(_share_out(pairs, capacity, people, weight, weight**2), "modified_two_step")


def raam(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    demand: pd.Series,
    *,
    tau_s: float,
    rho: float | None = None,
    tolerance: float = 1e-6,
    max_rounds: int = 2000,
    cost: str = "cost_s",
) -> pd.Series:
    """Find the cost of travel and crowding when everyone chooses the best for themselves (RAAM); lower is better.

    Parameters
    ----------
    travel_matrix, supply, demand : pandas.DataFrame, pandas.Series, pandas.Series
        As :func:`two_step`. A facility without capacity is no choice.
    tau_s : float
        Travel that weighs as much as crowding at the average load [s].
    rho : float, optional
        Load that counts as 1 [people per unit of capacity]; default: all demand by all capacity.
    tolerance, max_rounds : float, int
        Settled when moving could save no more than this share of the whole cost; rounds after which it gives up.
    cost : str
        As :func:`two_step`.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``raam``, in multiples of `tau_s`; NaN where nothing is reached.

    Raises
    ------
    InputError
        A parameter is not above 0, or demand has not settled after `max_rounds`.
    SchemaError
        As :func:`two_step`.

    Notes
    -----
    Demand ``x_ij`` is divided so that ``c_ij / tau + sum_k x_kj / (rho S_j)`` is equal at every facility that origin i
    uses and no lower at any other; that cost is the answer (Saxon & Snow 2020, doi:10.1080/24694452.2019.1629870).
    It minimises ``sum c_ij x_ij / tau + sum_j L_j**2 / (2 rho S_j)``, with ``L_j`` the load; here origin by origin in
    closed form until settled, where PySAL ``access`` moves whole people a fixed number of times.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "g"], "cost_s": [0, 600]})
    >>> raam(matrix, pd.Series({"f": 10, "g": 10}), pd.Series({"A": 20}), tau_s=600).to_dict()  # 15 to f, 5 to g
    {'A': 1.5}
    """
    check_positive(tau_s=tau_s, tolerance=tolerance)
    pairs, capacity, people = _match(travel_matrix, supply, demand, cost)
    if rho is None:
        rho = people.sum() / capacity.sum() if people.sum() > 0 and capacity.sum() > 0 else 1.0
    check_positive(rho=rho)
    pairs = pairs.keep(capacity[pairs.destination] > 0)
    room, travel, starts = rho * capacity, pairs.cost / tau_s, pairs.starts()
    load, part = np.zeros_like(capacity), np.zeros_like(travel)
    best = np.full(len(people), np.nan)
    some = np.flatnonzero(np.diff(starts) > 0)
    busy = [(i, slice(starts[i], starts[i + 1])) for i in some if people[i] > 0]
    for _ in range(max_rounds):
        for i, mine in busy:
            to = pairs.destination[mine]
            load[to] -= part[mine]
            # Fill the cheapest first, like water: the level at which all of the demand has found a place.
            base, wide = travel[mine] + load[to] / room[to], room[to]
            base -= base.min()  # only differences matter, and small ones must survive
            order = np.argsort(base, kind="stable")
            levels = (people[i] + np.cumsum((wide * base)[order])) / np.cumsum(wide[order])
            # The lowest of these levels is the one at which exactly the facilities below it are used.
            part[mine] = wide * np.maximum(levels.min() - base, 0.0)
            load[to] += part[mine]
        load = pairs.sum_destinations(part)
        total = travel + load[pairs.destination] / room[pairs.destination]
        best[some] = np.minimum.reduceat(total, starts[some]) if len(some) else np.nan
        spent = float((part * total).sum())
        if spent - float(people[some] @ best[some]) <= tolerance * spent:
            return pairs.series(best, "raam")
    raise InputError(
        f"RAAM 在 {max_rounds} 轮后仍未稳定;请提高 max_rounds 或放宽 tolerance",
        f"RAAM has not settled after {max_rounds} rounds; raise max_rounds or tolerance",
    )
