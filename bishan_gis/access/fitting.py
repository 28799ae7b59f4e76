"""Parameters of decay functions from what people were seen or said to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.decay import Decay, exponential, gaussian, power
from bishan_gis.access.matrix import match_amounts, match_pairs
from bishan_gis.errors import InputError, NoDataError
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["FittedDecay", "fit_decay", "fit_trips"]


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True)
class FittedDecay:
    """A decay function and how it was found.

    Parameters
    ----------
    form : str
        ``exponential``, ``power`` or ``gaussian``.
    parameter : float
        ``rate_per_s``, ``exponent`` or ``sigma_s`` of the factory.
    rmse : float
        Root of the weighted mean squared difference to the observed shares: of people still willing
        (:func:`fit_decay`), or of each origin's trips that go to each facility (:func:`fit_trips`).
    decay : callable
        Ready to be passed to a measure.
    at_edge : bool
        The best parameter is the least or the largest that was tried: what was observed does not fall with cost, or
        at once. It does not describe how far people go, and should not be used.
    """

    form: str
    parameter: float
    rmse: float
    decay: Decay
    at_edge: bool = False


_FORMS: dict[str, Callable[[float], Decay]] = {
    "exponential": lambda value: exponential(rate_per_s=value),
    "power": lambda value: power(exponent=value),
    "gaussian": lambda value: gaussian(sigma_s=value),
}


def fit_decay(
    cost_s: ArrayLike, share: ArrayLike, *, form: str = "exponential", weights: ArrayLike | None = None
) -> FittedDecay:
    """Fit a decay function to observed shares by least squares.

    Parameters
    ----------
    cost_s : array_like
        Costs [s].
    share : array_like
        Observed share of people still willing to travel at that cost, between 0 and 1.
    form : str
        ``exponential``, ``power`` or ``gaussian``.
    weights : array_like, optional
        How much each observation counts, e.g. people asked; default: all the same.

    Returns
    -------
    FittedDecay
        Its ``decay`` goes into any measure.

    Raises
    ------
    InputError, NoDataError
        `form` is unknown, lengths differ, shares lie outside 0 to 1; no cost or weight is above 0.

    Notes
    -----
    Minimises ``sum w (share - f(cost))**2`` on a logarithmic grid, drawn finer around its best point ten times; where
    the best is an end of the grid, ``at_edge`` says so (shares that are all 1, or all 0 beyond the door).
    The shares themselves are fitted, not their logarithms.

    Examples
    --------
    >>> fit = fit_decay([300, 600, 900], [0.7071, 0.5, 0.3536])
    >>> round(np.log(2) / fit.parameter)
    600
    """
    cost, seen = _numbers(cost_s).ravel(), _numbers(share).ravel()
    heavy = np.ones_like(cost) if weights is None else _numbers(weights).ravel()
    if form not in _FORMS:
        raise InputError(
            f"form 须为 exponential、power 或 gaussian (现为 {form})",
            f"form must be exponential, power or gaussian (it is {form})",
        )
    if not len(cost) == len(seen) == len(heavy):
        sizes = len(cost), len(seen), len(heavy)
        raise InputError(
            f"cost_s, share, weights 须等长,现为 {sizes}",
            f"cost_s, share and weights must be equally long; they have {', '.join(map(str, sizes))}",
        )
    sound = np.isfinite(cost) & (cost >= 0) & (seen >= 0) & (seen <= 1) & (heavy >= 0)
    if not sound.all():
        raise InputError(
            f"{(~sound).sum()} 个观测不可用: 成本须为非负有限数,比例须在 0 与 1 之间,权重须非负",
            f"{(~sound).sum()} observations cannot be used: costs and weights must not be negative, shares in 0 to 1",
        )
    useful = (cost > 0) & (heavy > 0)
    if not useful.any():
        raise NoDataError(
            f"{len(cost)} 个观测中没有成本和权重均大于 0 的",
            f"none of {len(cost)} observations has a positive cost and weight",
        )
    low, high = cost[useful].min(), cost[useful].max()
    span = {"exponential": (1e-4 / high, 50.0 / low), "power": (1e-3, 50.0), "gaussian": (low / 10, high * 100)}[form]

    def loss(log_parameter: float) -> float:
        return float((heavy * (seen - _FORMS[form](float(np.exp(log_parameter)))(cost)) ** 2).sum())

    a, b = np.log(span)
    for points in (400, *[21] * 10):
        grid = np.linspace(a, b, points)
        best = int(np.argmin([loss(g) for g in grid]))
        a, b = grid[max(best - 1, 0)], grid[min(best + 1, points - 1)]
    best_log, rim = (a + b) / 2, np.log(span)
    value = float(np.exp(best_log))
    # Where several parameters are as good, as for shares of 0, the first was taken: an end of the grid, or as good.
    at_edge = bool(np.abs(best_log - rim).min() < 0.05 or loss(best_log) >= min(loss(rim[0]), loss(rim[1])))
    rmse = float(np.sqrt(loss(best_log) / heavy.sum()))
    return FittedDecay(form, value, rmse, _FORMS[form](value), at_edge)


#: What a decay is the exponential of: f(c) = exp(-b g(c)), so that the likelihood has one maximum in b.
_GROWTH: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "exponential": lambda cost: cost,
    "power": lambda cost: np.log(np.maximum(cost, 60.0) / 60.0),
    "gaussian": lambda cost: cost**2 / 2.0,
}


def fit_trips(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    *,
    trips: str = "trips",
    form: str = "exponential",
    cost: str = "cost_s",
) -> FittedDecay:
    """Fit a decay function to observed trips by maximum likelihood.

    What people could have chosen counts, not only what they chose: where everything is near, short trips prove
    nothing.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per pair that people could choose: ``from_id``, ``to_id``, ``cost_s`` [s] and the number of trips
        observed, 0 where nobody went.
    supply : pandas.Series
        Indexed by facility; its size.
    trips : str
        The column that holds the trips.
    form : str
        ``exponential``, ``power`` (costs below 60 s weigh 1) or ``gaussian``.
    cost : str
        The column that holds the cost.

    Returns
    -------
    FittedDecay
        Its ``decay`` goes into any measure.

    Raises
    ------
    InputError
        `form` is unknown; trips go to a facility of size 0; trips are no shorter than chance would have them, or
        everyone goes to the nearest, so that no finite decay above 0 fits best.
    NoDataError
        No trip is observed where there was a choice.
    SchemaError
        A column is missing, a pair repeats, a cost or number of trips is negative or missing, or an id is unknown.

    Notes
    -----
    Trips of origin i are divided as ``p_ij = S_j f(c_ij) / sum_k S_k f(c_ik)``, the model of
    :func:`bishan_gis.access.competition.singly_constrained`. With ``f = exp(-b g(c))`` the likelihood of b has one
    maximum, where the observed sum of g equals the expected one (Hyman 1969, doi:10.1068/a010105): for ``exponential``,
    where the mean cost of the model is the mean cost observed. It is found by bisection
    (:func:`scipy.optimize.brentq`).

    Examples
    --------
    Two clinics of the same size, one at the door, one 10 minutes away; 3 of 4 people go to the nearer. So the far
    one weighs 1/3: ``exp(-600 rate) = 1/3``.

    >>> seen = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "g"], "cost_s": [0, 600], "trips": [30, 10]})
    >>> fit = fit_trips(seen, pd.Series({"f": 1, "g": 1}))
    >>> float(fit.decay(600).round(6)), bool(np.isclose(fit.parameter, np.log(3) / 600))
    (0.333333, True)
    """
    from scipy.optimize import brentq

    if form not in _GROWTH:
        raise InputError(
            f"form 须为 exponential、power 或 gaussian (现为 {form})",
            f"form must be exponential, power or gaussian (it is {form})",
        )
    amounts = match_amounts(supply, where="supply")
    check_columns(travel_matrix, [trips], where="travel_matrix")
    pairs = match_pairs(travel_matrix, destinations=supply.index, cost=cost)
    # The same order of pairs, with the trips in the place of the cost.
    made = match_pairs(travel_matrix, destinations=supply.index, cost=trips).cost
    size = amounts[pairs.destination]
    if (made[size == 0] > 0).any():
        n = int((made[size == 0] > 0).sum())
        raise InputError(
            f"{n} 个点对有出行,但设施的 supply 为 0", f"{n} pairs have trips to a facility whose supply is 0"
        )
    pairs, made, size = pairs.keep(size > 0), made[size > 0], size[size > 0]
    growth = _GROWTH[form](pairs.cost)
    leaving = pairs.sum_origins(made)
    scale = float(growth.max(initial=0.0))
    lowest = np.full(len(leaving), np.inf)
    np.minimum.at(lowest, pairs.origin, growth)

    def shares(b: float) -> NDArray[np.float64]:
        pull = size * np.exp(-b * (growth - lowest[pairs.origin]))
        return _numbers(pull / pairs.sum_origins(pull)[pairs.origin])

    def surplus(b: float) -> float:
        """Return by how much the model travels farther than was observed."""
        return float(((leaving[pairs.origin] * shares(b) - made) * (growth - lowest[pairs.origin])).sum())

    choice = (leaving[pairs.origin] > 0) & (growth > lowest[pairs.origin])
    if not choice.any():
        raise NoDataError(
            f"{len(made)} 个点对中没有可供选择的出行观测",
            f"no trip is observed where there was a choice: {len(made)} pairs",
        )
    farther = float((made * (growth - lowest[pairs.origin])).sum())  # than to the nearest
    if farther <= 0 or surplus(0.0) <= 0:
        raise InputError(
            f"{made.sum():g} 次出行不随成本衰减,或全部去往最近设施: 无法确定衰减参数",
            f"{made.sum():g} trips are no shorter than chance would have them, or all to the nearest: no decay is best",
        )
    high = 1.0 / scale
    while surplus(high) > 0:  # ends: with b the model draws ever nearer to the nearest, and some went farther
        high *= 4.0
    b = float(brentq(surplus, 0.0, high, xtol=1e-300, rtol=1e-14))
    value = b**-0.5 if form == "gaussian" else b
    off = (made / np.maximum(leaving[pairs.origin], 1e-300) - shares(b)) ** 2 * leaving[pairs.origin]
    weight = float(leaving[pairs.origin].sum())
    return FittedDecay(form, value, float(np.sqrt(off.sum() / weight)), _FORMS[form](value))
