"""How willingness to travel falls with cost: each factory returns a function from costs [s] to weights in 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bishan_gis.access.matrix import check_positive
from bishan_gis.errors import InputError, NoDataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Decay",
    "FittedDecay",
    "binary",
    "catchment_gaussian",
    "exponential",
    "fit_decay",
    "gaussian",
    "linear",
    "logistic",
    "power",
    "stepped",
]

#: Costs [s] in, weights out.
Decay: TypeAlias = "Callable[[ArrayLike], NDArray[np.float64]]"


def _costs(cost_s: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(cost_s, dtype=np.float64)


def binary(*, cutoff_s: float) -> Decay:
    """Weigh 1 up to the cutoff (inclusive) and 0 beyond.

    Parameters
    ----------
    cutoff_s : float
        Largest cost that counts [s].

    Returns
    -------
    callable
        Costs [s] to weights.

    Raises
    ------
    InputError
        `cutoff_s` is not above 0.

    Examples
    --------
    >>> binary(cutoff_s=900)([0, 900, 901]).tolist()
    [1.0, 1.0, 0.0]
    """
    check_positive(cutoff_s=cutoff_s)
    return lambda cost_s: (_costs(cost_s) <= cutoff_s).astype(np.float64)


def linear(*, cutoff_s: float) -> Decay:
    """Fall evenly from 1 at no cost to 0 at the cutoff.

    Parameters
    ----------
    cutoff_s : float
        Cost at which the weight reaches 0 [s].

    Returns
    -------
    callable
        Costs [s] to weights.

    Raises
    ------
    InputError
        `cutoff_s` is not above 0.

    Examples
    --------
    >>> linear(cutoff_s=900)([0, 450, 900, 1800]).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    check_positive(cutoff_s=cutoff_s)
    return lambda cost_s: np.maximum(1.0 - _costs(cost_s) / cutoff_s, 0.0)


def power(*, exponent: float, least_s: float = 60.0) -> Decay:
    """Fall with a power of the cost.

    Parameters
    ----------
    exponent : float
        How steeply.
    least_s : float
        Costs below this weigh 1: a power has no bound at 0 [s].

    Returns
    -------
    callable
        Costs [s] to weights.

    Raises
    ------
    InputError
        A parameter is not above 0.

    Notes
    -----
    ``f(c) = (max(c, least) / least) ** -exponent`` (Hansen 1959, doi:10.1080/01944365908978307).

    Examples
    --------
    >>> power(exponent=2)([0, 60, 120, 600]).tolist()
    [1.0, 1.0, 0.25, 0.01]
    """
    check_positive(exponent=exponent, least_s=least_s)
    return lambda cost_s: (np.maximum(_costs(cost_s), least_s) / least_s) ** -exponent


def exponential(*, rate_per_s: float) -> Decay:
    """Fall by the same share each second.

    Parameters
    ----------
    rate_per_s : float
        ``ln 2 / rate_per_s`` is the cost that halves the weight [1/s].

    Returns
    -------
    callable
        Costs [s] to weights.

    Raises
    ------
    InputError
        `rate_per_s` is not above 0.

    Notes
    -----
    ``f(c) = exp(-rate c)`` (Wilson 1971, doi:10.1068/a030001).

    Examples
    --------
    >>> exponential(rate_per_s=np.log(2) / 600)([0, 600, 1200]).round(9).tolist()
    [1.0, 0.5, 0.25]
    """
    check_positive(rate_per_s=rate_per_s)
    return lambda cost_s: np.exp(-rate_per_s * _costs(cost_s))


def gaussian(*, sigma_s: float) -> Decay:
    """Fall like a bell curve: slowly at first.

    Parameters
    ----------
    sigma_s : float
        Cost at which the weight is ``exp(-1/2)`` = 0.607 [s].

    Returns
    -------
    callable
        Costs [s] to weights.

    Raises
    ------
    InputError
        `sigma_s` is not above 0.

    Notes
    -----
    ``f(c) = exp(-c**2 / (2 sigma**2))``, 1 at no cost (Kwan 1998, doi:10.1111/j.1538-4632.1998.tb00396.x).

    Examples
    --------
    >>> gaussian(sigma_s=600)([0, 600, 1200]).round(4).tolist()
    [1.0, 0.6065, 0.1353]
    """
    check_positive(sigma_s=sigma_s)
    return lambda cost_s: np.exp(-0.5 * (_costs(cost_s) / sigma_s) ** 2)


def catchment_gaussian(*, cutoff_s: float) -> Decay:
    """Fall like a bell curve that is moved and stretched to end at 0 exactly at the cutoff.

    Parameters
    ----------
    cutoff_s : float
        Edge of the catchment [s].

    Returns
    -------
    callable
        Costs [s] to weights.

    Raises
    ------
    InputError
        `cutoff_s` is not above 0.

    Notes
    -----
    ``f(c) = (exp(-(c/c0)**2 / 2) - exp(-1/2)) / (1 - exp(-1/2))`` for ``c <= c0``, else 0
    (Dai 2010, doi:10.1016/j.healthplace.2010.06.012).

    Examples
    --------
    >>> catchment_gaussian(cutoff_s=900)([0, 450, 900, 901]).round(4).tolist()
    [1.0, 0.7014, 0.0, 0.0]
    """
    check_positive(cutoff_s=cutoff_s)
    foot = float(np.exp(-0.5))

    def decay(cost_s: ArrayLike) -> NDArray[np.float64]:
        share = np.minimum(_costs(cost_s) / cutoff_s, 1.0)
        return _costs((np.exp(-0.5 * share**2) - foot) / (1.0 - foot))

    return decay


def logistic(*, midpoint_s: float, sd_s: float) -> Decay:
    """Fall in an S: flat near the door, steep around the midpoint, flat far off.

    Parameters
    ----------
    midpoint_s : float
        Where the fall is steepest [s].
    sd_s : float
        Standard deviation of the tolerated cost among people: small is a cliff, large a slope [s].

    Returns
    -------
    callable
        Costs [s] to weights, 1 at no cost.

    Raises
    ------
    InputError
        A parameter is not above 0.

    Notes
    -----
    ``f(c) = (1 + exp(-m k)) / (1 + exp((c - m) k))`` with ``k = pi / (sd sqrt 3)``: the share of people whose
    tolerated cost, distributed logistically, is above c, set to 1 at no cost.

    Examples
    --------
    >>> logistic(midpoint_s=900, sd_s=180)([0, 900, 1800]).round(4).tolist()
    [1.0, 0.5001, 0.0001]
    """
    check_positive(midpoint_s=midpoint_s, sd_s=sd_s)
    steep = np.pi / (sd_s * np.sqrt(3.0))
    at_door = np.logaddexp(0.0, -midpoint_s * steep)
    return lambda cost_s: _costs(np.exp(at_door - np.logaddexp(0.0, (_costs(cost_s) - midpoint_s) * steep)))


def stepped(*, steps_s: Sequence[float], weights: Sequence[float]) -> Decay:
    """Weigh by zones of cost: the first weight up to the first step (inclusive), and so on; 0 beyond the last.

    Parameters
    ----------
    steps_s : sequence of float
        Upper ends of the zones, rising [s].
    weights : sequence of float
        As many, none rising, between 0 and 1.

    Returns
    -------
    callable
        Costs [s] to weights.

    Raises
    ------
    InputError
        The steps do not rise, or the weights do not match them.

    Examples
    --------
    >>> stepped(steps_s=[600, 1200, 1800], weights=[1, 0.68, 0.22])([600, 601, 1800, 1801]).tolist()
    [1.0, 0.68, 0.22, 0.0]
    """
    ends, values = _costs(steps_s), _costs(weights)
    sound = len(ends) == len(values) > 0 and bool(np.isfinite(ends).all()) and ends[0] > 0
    if not (
        sound and (np.diff(ends) > 0).all() and (np.diff(values) <= 0).all() and values[-1] >= 0 and values[0] <= 1
    ):
        raise InputError(
            f"分段上限须递增且为正,权重须同数、在 0 与 1 之间且不增: {list(steps_s)}, {list(weights)}",
            "steps must be positive and rise, weights be as many, between 0 and 1, and never rise: "
            f"{list(steps_s)}, {list(weights)}",
        )
    padded = np.append(values, 0.0)
    return lambda cost_s: padded[np.searchsorted(ends, _costs(cost_s), side="left")]


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
        Root of the weighted mean squared difference to the observed shares.
    decay : callable
        Ready to be passed to a measure.
    """

    form: str
    parameter: float
    rmse: float
    decay: Decay


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
    Minimises ``sum w (share - f(cost))**2`` on a logarithmic grid, drawn finer around its best point ten times.
    The shares themselves are fitted, not their logarithms.

    Examples
    --------
    >>> fit = fit_decay([300, 600, 900], [0.7071, 0.5, 0.3536])
    >>> round(np.log(2) / fit.parameter)
    600
    """
    cost, seen = _costs(cost_s).ravel(), _costs(share).ravel()
    heavy = np.ones_like(cost) if weights is None else _costs(weights).ravel()
    if form not in _FORMS or not (len(cost) == len(seen) == len(heavy)):
        raise InputError(
            f"form 须为 exponential、power 或 gaussian (现为 {form}),且各数组须等长",
            f"form must be exponential, power or gaussian (it is {form}), and the arrays equally long",
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
    value = float(np.exp((a + b) / 2))
    return FittedDecay(form, value, float(np.sqrt(loss(np.log(value)) / heavy.sum())), _FORMS[form](value))
