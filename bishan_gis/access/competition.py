"""Competition: who gets what when everyone wants it, and who goes where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.cost_measures import reach_costs
from bishan_gis.access.matrix import Pairs, match_sides, weigh
from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import ControlTotalError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.access.decay import Decay

__all__ = ["balancing_cost", "doubly_constrained", "singly_constrained", "spatial_availability"]


def spatial_availability(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    demand: pd.Series,
    *,
    decay: Decay,
    alpha: float = 1.0,
    cost: str = "cost_s",
) -> pd.Series:
    """Divide every facility among the origins that reach it, by their demand and nearness.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    supply : pandas.Series
        Indexed by facility; its capacity.
    demand : pandas.Series
        Indexed by origin; the people who need it.
    decay : callable
        Costs [s] to weights, see :mod:`bishan_gis.access.decay`.
    alpha : float
        Below 1, small places get more than their share of people; above 1, less.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``spatial_availability``, in the unit of `supply` for the whole origin: divide by
        `demand` for a figure per person. 0 where nothing is reached or nobody lives.

    Raises
    ------
    InputError
        `alpha` is not above 0.
    SchemaError
        A column is missing, a pair repeats, a cost, capacity or demand is negative or missing, or an id is unknown.

    Notes
    -----
    ``V_i = sum_j S_j D_i**a f(c_ij) / sum_k D_k**a f(c_kj)`` (Soukhov et al. 2023, doi:10.1371/journal.pone.0278468;
    their two factors multiply to this). The sum over origins is the capacity of all facilities that are reached.

    Examples
    --------
    >>> from bishan_gis.access.decay import linear
    >>> matrix = pd.DataFrame({"from_id": ["A", "B"], "to_id": ["f", "f"], "cost_s": [0, 600]})
    >>> supply, demand = pd.Series({"f": 30}), pd.Series({"A": 10, "B": 20})
    >>> spatial_availability(matrix, supply, demand, decay=linear(cutoff_s=1200)).to_dict()
    {'A': 15.0, 'B': 15.0}
    """
    check_positive(alpha=alpha)
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost)
    claim = people[pairs.origin] ** alpha * weigh(decay, pairs.cost)
    ratio = _ratio(capacity, pairs.sum_destinations(claim))
    return pairs.series(pairs.sum_origins(claim * ratio[pairs.destination]), "spatial_availability")


def balancing_cost(
    travel_matrix: pd.DataFrame, supply: pd.Series, demand: pd.Series, *, cost: str = "cost_s"
) -> pd.Series:
    """Find the cost within which each origin reaches as much supply as it has people.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id``, ``to_id``, ``cost_s`` [s]. A missing pair is not reached.
    supply : pandas.Series
        Indexed by facility; the amount offered, in people served.
    demand : pandas.Series
        Indexed by origin; the people who need it.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``balancing_cost`` [s]; 0 where nobody lives, NaN where all that is reached is not
        enough.

    Raises
    ------
    SchemaError
        As :func:`spatial_availability`.

    Notes
    -----
    ``A_i = min {t : sum_j S_j [c_ij <= t] >= D_i}`` (Barboza et al. 2021, doi:10.1016/j.jtrangeo.2020.102924), exact,
    without steps of time.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A", "B"], "to_id": ["f", "g", "g"], "cost_s": [300, 900, 600]})
    >>> balancing_cost(matrix, pd.Series({"f": 30, "g": 50}), pd.Series({"A": 60, "B": 50})).to_dict()
    {'A': 900.0, 'B': 600.0}
    """
    pairs, offered, people = match_sides(travel_matrix, supply, demand, cost=cost, by_origin=True)
    return pairs.series(reach_costs(pairs, offered, people), "balancing_cost")


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide; 0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _flows(pairs: Pairs, people: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "from_id": pairs.origins.take(pairs.origin),
            "to_id": pairs.destinations.take(pairs.destination),
            "people": people,
        }
    )


def singly_constrained(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    demand: pd.Series,
    *,
    decay: Decay,
    hold: str = "demand",
    cost: str = "cost_s",
) -> pd.DataFrame:
    """Estimate who goes where when one side is known: all people leave home, or all places are taken.

    Parameters
    ----------
    travel_matrix, supply, demand, decay : pandas.DataFrame, pandas.Series, pandas.Series, callable
        As :func:`spatial_availability`.
    hold : str
        ``demand``: the people of each origin are divided among facilities by size and nearness (Huff).
        ``supply``: the places of each facility are divided among origins by people and nearness.
    cost : str
        As :func:`spatial_availability`.

    Returns
    -------
    pandas.DataFrame
        ``from_id``, ``to_id``, ``people``: one row per reached pair, by origin and facility. People of an origin that
        reaches nothing, and places of a facility that nobody reaches, are in no row.

    Raises
    ------
    InputError
        `hold` is neither.
    SchemaError
        As :func:`spatial_availability`.

    Notes
    -----
    ``T_ij = D_i S_j f(c_ij) / sum_k S_k f(c_ik)`` (Huff 1963, doi:10.2307/3144521), or
    ``T_ij = S_j D_i f(c_ij) / sum_k D_k f(c_kj)`` (Wilson 1971, doi:10.1068/a030001). Held on ``supply``, sums
    by origin are :func:`spatial_availability`.

    Examples
    --------
    >>> from bishan_gis.access.decay import linear
    >>> matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "g"], "cost_s": [0, 600]})
    >>> supply, demand = pd.Series({"f": 30, "g": 60}), pd.Series({"A": 10})
    >>> singly_constrained(matrix, supply, demand, decay=linear(cutoff_s=1200))["people"].tolist()
    [5.0, 5.0]
    """
    if hold not in ("demand", "supply"):
        raise InputError(f"hold 须为 demand 或 supply,现为 {hold}", f"hold must be demand or supply; it is {hold}")
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost, by_origin=True)
    pull = weigh(decay, pairs.cost)
    if hold == "demand":
        pull = pull * capacity[pairs.destination]
        return _flows(pairs, pull * _ratio(people, pairs.sum_origins(pull))[pairs.origin])
    pull = pull * people[pairs.origin]
    return _flows(pairs, pull * _ratio(capacity, pairs.sum_destinations(pull))[pairs.destination])


def doubly_constrained(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    demand: pd.Series,
    *,
    decay: Decay,
    tolerance: float = 1e-9,
    max_rounds: int = 10_000,
    cost: str = "cost_s",
) -> pd.DataFrame:
    """Estimate who goes where when both sides are known: everyone leaves home and every place is taken.

    Parameters
    ----------
    travel_matrix, supply, demand, decay : pandas.DataFrame, pandas.Series, pandas.Series, callable
        As :func:`spatial_availability`; `supply` and `demand` have the same sum.
    tolerance : float
        Settled when no origin is off by more than this share of all people.
    max_rounds : int
        Rounds after which it gives up.
    cost : str
        As :func:`spatial_availability`.

    Returns
    -------
    pandas.DataFrame
        ``from_id``, ``to_id``, ``people``: one row per reached pair, by origin and facility.

    Raises
    ------
    ControlTotalError
        The two sums differ.
    InputError
        An origin with demand or a facility with capacity is in no pair, no flow over the pairs meets both sides, or it
        has not settled after `max_rounds`.
    SchemaError
        As :func:`spatial_availability`.

    Notes
    -----
    ``T_ij = A_i D_i B_j S_j f(c_ij)`` with ``A_i = 1 / sum_j B_j S_j f(c_ij)`` and ``B_j = 1 / sum_i A_i D_i f(c_ij)``
    in turn (Furness 1965; Wilson 1971, doi:10.1068/a030001).

    Examples
    --------
    >>> from bishan_gis.access.decay import binary
    >>> matrix = pd.DataFrame({"from_id": ["A", "A", "B"], "to_id": ["f", "g", "g"], "cost_s": [300, 300, 300]})
    >>> supply, demand = pd.Series({"f": 10, "g": 30}), pd.Series({"A": 20, "B": 20})
    >>> doubly_constrained(matrix, supply, demand, decay=binary(cutoff_s=900))["people"].round(6).tolist()
    [10.0, 10.0, 20.0]
    """
    check_positive(tolerance=tolerance)
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost, by_origin=True)
    whole = float(people.sum())
    if abs(whole - float(capacity.sum())) > 1e-9 * max(whole, float(capacity.sum())):
        raise ControlTotalError(
            f"双约束要求供需总量相等: supply 合计 {capacity.sum():g},demand 合计 {whole:g}",
            f"both sides must add up to the same: supply {capacity.sum():g}, demand {whole:g}",
        )
    pull = weigh(decay, pairs.cost)
    alone = [
        (pairs.origins[(people > tolerance * whole) & (pairs.sum_origins(pull) == 0)], "from_id"),
        (pairs.destinations[(capacity > tolerance * whole) & (pairs.sum_destinations(pull) == 0)], "to_id"),
    ]
    if any(len(ids) for ids, _ in alone):
        said = "; ".join(f"{side} {len(ids)} ({', '.join(map(str, ids[:5]))})" for ids, side in alone if len(ids))
        raise InputError(
            f"有需求或容量而没有可达点对: {said};请补点对、加大时限, 或从两侧删去",
            f"demand or capacity that no pair reaches: {said}; add pairs, widen the cutoff, or leave them out of both",
        )
    by_place = capacity.copy()
    for _ in range(max_rounds):
        by_origin = _ratio(people, pairs.sum_origins(pull * by_place[pairs.destination]))
        by_place = _ratio(capacity, pairs.sum_destinations(pull * by_origin[pairs.origin]))
        flow = pull * by_origin[pairs.origin] * by_place[pairs.destination]
        off = max(
            float(np.abs(pairs.sum_origins(flow) - people).max(initial=0.0)),
            float(np.abs(pairs.sum_destinations(flow) - capacity).max(initial=0.0)),
        )
        if off <= tolerance * whole:
            return _flows(pairs, flow)
    raise InputError(
        f"{max_rounds} 轮后仍差 {off:g} 人: 可达点对可能无法同时满足两侧,请检查 travel_matrix 或放宽 tolerance",
        f"still {off:g} people off after {max_rounds} rounds: the reached pairs may not be able to meet both sides; "
        "check travel_matrix or raise tolerance",
    )
