"""How willingness to travel falls with cost: each factory returns a function from costs [s] to weights in 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Decay",
    "binary",
    "catchment_gaussian",
    "exponential",
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

    Notes
    -----
    ``f(c) = [c <= c0]`` (Handy & Niemeier 1997, doi:10.1068/a291175).

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

    Notes
    -----
    ``f(c) = max(1 - c/c0, 0)`` (one of the forms of Kwan 1998, doi:10.1111/j.1538-4632.1998.tb00396.x [K]).

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
    tolerated cost, distributed logistically, is above c, set to 1 at no cost (Bauer & Groneberg 2016,
    doi:10.1371/journal.pone.0159148; the same as ``decay_logistic`` of R ``accessibility``).

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

    Notes
    -----
    ``f(c) = w_z`` for the first zone z whose end holds c (Luo & Qi 2009, doi:10.1016/j.healthplace.2009.06.002).

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

    def decay(cost_s: ArrayLike) -> NDArray[np.float64]:
        cost = _costs(cost_s)
        if len(ends) > 16:
            return padded[np.searchsorted(ends, cost, side="left")]
        # A few comparisons are quicker than a search; what is not a number is beyond every step.
        zone = np.zeros(cost.shape, dtype=np.uint8)
        for end in ends:
            zone += ~(cost <= end)
        return padded[zone]

    return decay
