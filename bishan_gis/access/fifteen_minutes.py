"""The 15-minute city as a number: a proximity time in seconds, an index from 0 to 100, and their means by zone.

Two published ideas, since one alone misleads: a mean time is not capped, so that one far service outweighs many near
ones; an index is capped, so that what is out of reach is simply 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.completeness import CategoryTimes, category_times, match_numbers
from bishan_gis.access.matrix import match_amounts
from bishan_gis.errors import InputError, NoDataError, SchemaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.access.decay import Decay

__all__ = ["fifteen_minute_index", "mean_by_zone", "proximity_time"]


def _bounds(times: CategoryTimes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the earliest and the latest time that more data leaves possible; infinite where nothing is found."""
    late = np.where(np.isnan(times.value_s), np.inf, times.value_s)
    early = np.fmin(late, times.unknown_from_s)
    return np.where(times.off_network, 0.0, early), late


def _status(times: CategoryTimes, sure: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return the status of each origin: what stands in the way of the answer."""
    status = np.full(len(times.origins), "reached", dtype=object)
    status[times.unreachable.any(axis=0)] = "unreachable"
    status[~sure] = "unknown"
    status[times.off_network[0]] = "off_network"
    return status


def proximity_time(
    access: pd.DataFrame,
    required: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    weights: Mapping[str, float] | None = None,
    absent: str = "error",
) -> pd.DataFrame:
    """Average the time to the nearest service over the categories of daily life, and find the farthest of them.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s]; see
        :func:`bishan_gis.access.completeness.category_times`.
    required : sequence of str, or mapping
        Services; or category -> services, any one of which will do.
    weights : mapping, optional
        Category -> how much it counts, above 0. Default: all the same.
    absent : str
        What a service without any row is: ``error`` or ``missing``.

    Returns
    -------
    pandas.DataFrame
        Indexed by origin: ``mean_s`` and ``mean_least_s`` [s], the mean time by what the data holds and the least that
        more data could make of it; ``max_s`` [s], the time to the farthest category; and ``status``. Times are
        infinite where some category is not reached at all: ``unreachable``, or ``unknown`` or ``off_network``.
        ``unknown``: more data could shorten the mean.

    Raises
    ------
    InputError, SchemaError
        As :func:`bishan_gis.access.completeness.completeness`.

    Notes
    -----
    ``PT_i = sum_c w_c t_ic / sum_c w_c``: the proximity time of Bruno et al. (2024, doi:10.1038/s44284-024-00119-4),
    who average over several facilities of each category, here with the nearest one; with equal weights it is the mean
    over the categories, and ``max_s`` the worst of them, as the tool for the NExt proXimity Index gives them (Olivari
    et al. 2023, doi:10.1016/j.urbmob.2023.100057). A place is a "15-minute" one where ``max_s`` is at most 900 s.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "A"], "service": ["school", "clinic"], "value": [300.0, 1200.0],
    ...     "status": "reached", "unknown_from_s": [600.0, 600.0]})
    >>> proximity_time(access, ["school", "clinic"]).loc["A"].to_dict()
    {'mean_s': 750.0, 'mean_least_s': 450.0, 'max_s': 1200.0, 'status': 'unknown'}
    """
    times = category_times(access, required, absent=absent)
    weight = match_numbers(weights if weights is not None else 1.0, times.categories, where="weights")
    early, late = _bounds(times)
    share = (weight / weight.sum())[:, None]
    return pd.DataFrame(
        {
            "mean_s": (share * late).sum(axis=0),
            "mean_least_s": (share * early).sum(axis=0),
            "max_s": late.max(axis=0),
            "status": _status(times, (early == late).all(axis=0)),
        },
        index=times.origins,
    )


def fifteen_minute_index(
    access: pd.DataFrame,
    required: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    weights: Mapping[str, float] | None = None,
    full_s: float = 300.0,
    zero_s: float = 1800.0,
    decay: Decay | None = None,
    absent: str = "error",
) -> pd.DataFrame:
    """Score each origin from 0 to 100 by how near the services of daily life are.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s]; see
        :func:`bishan_gis.access.completeness.category_times`.
    required : sequence of str, or mapping
        Services; or category -> services, any one of which will do.
    weights : mapping, optional
        Category -> how much it counts, above 0. Default: all the same.
    full_s, zero_s : float
        Up to the first a category counts fully, from the second on not at all, and in between linearly [s].
    decay : callable, optional
        In place of both: costs [s] to weights from 1 to 0 that never rise, e.g. of :mod:`bishan_gis.access.decay`.
    absent : str
        What a service without any row is: ``error`` or ``missing``.

    Returns
    -------
    pandas.DataFrame
        Indexed by origin: ``index_low, index_high`` (0 to 100: by what the data holds, and the most that more data
        could make of it) and ``status``: ``reached`` where both are the same, else ``unknown`` or ``off_network``;
        ``unreachable`` where no street leads to some category, which counts 0.

    Raises
    ------
    InputError
        ``0 <= full_s < zero_s`` does not hold, or `decay` gives weights outside 0 to 1 or rising ones.
    SchemaError
        As :func:`bishan_gis.access.completeness.completeness`.

    Notes
    -----
    ``S_i = 100 sum_c w_c f(t_ic) / sum_c w_c``, ``f(t) = clip((zero - t) / (zero - full), 0, 1)``. The form is that of
    Walk Score, used for the life circle of Shanghai by Yang et al. (2023, doi:10.3390/land12010153). Walk Score
    publishes that a 5-minute walk counts fully and a 30-minute walk not at all (walkscore.com/methodology.shtml) and
    not the curve in between: the line is ours [P]; so a service 15 minutes away counts 0.6. Unlike Walk Score, one
    facility per category counts and streets are not scored.

    Examples
    --------
    A school 5 minutes away counts 1, a clinic 20 minutes away 0.4.

    >>> access = pd.DataFrame({"origin_id": ["A", "A"], "service": ["school", "clinic"], "value": [300.0, 1200.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> fifteen_minute_index(access, ["school", "clinic"]).round(6).loc["A"].to_dict()
    {'index_low': 70.0, 'index_high': 70.0, 'status': 'reached'}
    """
    if not 0 <= full_s < zero_s < np.inf:
        raise InputError(
            f"须满足 0 <= full_s < zero_s,现为 {full_s} 与 {zero_s}",
            f"0 <= full_s < zero_s must hold; they are {full_s} and {zero_s}",
        )
    times = category_times(access, required, absent=absent)
    weight = match_numbers(weights if weights is not None else 1.0, times.categories, where="weights")
    early, late = _bounds(times)

    def score(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        known = np.where(np.isinf(time_s), 0.0, time_s)
        line = np.clip((zero_s - known) / (zero_s - full_s), 0.0, 1.0) if decay is None else decay(known)
        return np.where(np.isinf(time_s), 0.0, line)

    worst, best = score(late), score(early)
    falling = score(np.unique(np.concatenate([late, early])))
    if not ((falling >= 0) & (falling <= 1)).all() or (np.diff(falling) > 0).any():
        zh, en = "decay 的权重须在 0 至 1 之间且不随时间上升", "the weights of decay must lie in 0 to 1 and never rise"
        raise InputError(zh, en)
    share = (weight / weight.sum())[:, None]
    return pd.DataFrame(
        {
            "index_low": np.clip(100 * (share * worst).sum(axis=0), 0, 100),
            "index_high": np.clip(100 * (share * best).sum(axis=0), 0, 100),
            "status": _status(times, (worst == best).all(axis=0)),
        },
        index=times.origins,
    )


def mean_by_zone(table: pd.DataFrame, people: pd.Series, *, zones: pd.Series | None = None) -> pd.DataFrame:
    """Average results per person over zones, and over everybody.

    Parameters
    ----------
    table : pandas.DataFrame
        Indexed by origin; its numeric columns are averaged. From :func:`fifteen_minute_index`,
        :func:`proximity_time`, :func:`bishan_gis.access.completeness.completeness` ...
    people : pandas.Series
        Indexed by the same origins.
    zones : pandas.Series, optional
        Indexed by the same origins; the zone of each. Default: only the row for everybody.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``zone`` (sorted, then ``all``): ``people`` and the mean of each numeric column per person. Infinite
        where it is infinite for somebody, NaN where the zone has nobody.

    Raises
    ------
    SchemaError
        Ids differ, a number of people is missing or negative, or an origin has no zone.
    NoDataError
        Nobody is counted.

    Notes
    -----
    ``m_z = sum_i n_i y_i / sum_i n_i`` over the origins of the zone; origins where nobody lives do not count.

    Examples
    --------
    >>> table = pd.DataFrame({"index_low": [80.0, 20.0]}, index=["A", "B"])
    >>> mean_by_zone(table, pd.Series({"A": 30, "B": 10})).loc["all"].to_dict()
    {'people': 40.0, 'index_low': 65.0}
    """
    same = len(people) == len(table) and set(people.index) == set(table.index) and table.index.is_unique
    if not same or (zones is not None and not set(table.index) <= set(zones.dropna().index)):
        raise SchemaError(
            f"people 与 zones 须包含 table 的全部起点 ({len(table)} 与 {len(people)} 行)",
            f"people and zones must hold the origins of the table, each once ({len(table)} and {len(people)} rows)",
        )
    heads = match_amounts(people.loc[table.index], where="people")
    if heads.sum() <= 0:
        raise NoDataError(f"people: {len(heads)} 行,没有人", f"people: {len(heads)} rows and nobody in them")
    numbers = table.select_dtypes("number").astype(np.float64)
    lived = heads[:, None] > 0
    amount = np.where(lived, numbers.to_numpy(), 0.0) * heads[:, None]
    held = pd.DataFrame(amount, index=table.index, columns=numbers.columns).assign(people=heads)
    parts = [held.sum().to_frame("all").T]
    if zones is not None:
        parts.insert(0, held.groupby(zones.loc[table.index].to_numpy(), sort=True).sum())
    sums = pd.concat(parts)
    out = sums[numbers.columns].div(sums["people"].where(sums["people"] > 0), axis=0)
    out.insert(0, "people", sums["people"])
    return out.rename_axis("zone")
