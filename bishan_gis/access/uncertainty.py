"""Bands: what coverage would be if people walked faster or slower, or were snapped to the streets differently.

Nothing is searched again. Where every cost is a length over a speed, a speed higher by a tenth makes all costs lower by
the same factor, on every path alike: the nearest facility stays the nearest, and its cost is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.parameters import check_each_positive
from bishan_gis.errors import InputError, SchemaError
from bishan_gis.schema import check_columns, check_unique

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.access.nearest import NearestResult

__all__ = ["band_tables", "changed_access", "coverage_band", "origin_legs"]

_COLUMNS = ["origin_id", "service", "value", "status", "unknown_from_s"]


def origin_legs(result: NearestResult) -> pd.Series:
    """Return how long the leg from each origin to the streets takes.

    Parameters
    ----------
    result : NearestResult
        From :func:`bishan_gis.access.nearest.nearest_cost`; holds at least one service.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``leg_s`` [s]; infinite off the network.
    """
    n = len(result.origin_snaps)
    ids = pd.Index(result.table["origin_id"].to_numpy()[:n], name="origin_id")
    leg = np.full(n, np.inf)
    on = np.isfinite(result.origin_snaps.leg_m)
    leg[on] = result.costs.profile.leg_ms(result.origin_snaps.leg_m[on]) / 1000
    return pd.Series(leg, index=ids, name="leg_s")


def _legs(access: pd.DataFrame, leg_s: pd.Series | None) -> NDArray[np.float64]:
    if leg_s is None:
        return np.zeros(len(access))
    check_unique(leg_s.index.to_series(name="leg_s"), where="leg_s")
    at = leg_s.index.get_indexer(pd.Index(access["origin_id"]))
    legs = leg_s.to_numpy(dtype=np.float64, na_value=np.nan)[at]
    wrong = int((at < 0).sum() + (np.isnan(legs) | (legs < 0)).sum())
    if wrong:
        raise SchemaError(
            f"leg_s: {wrong} 行缺失或为负;每个起点须有不小于 0 的秒数",
            f"leg_s: {wrong} rows are missing or negative; give seconds, 0 or more, for every origin",
        )
    return np.where(np.isinf(legs), 0.0, legs)


def changed_access(
    access: pd.DataFrame, *, speed: float = 1.0, leg_s: pd.Series | None = None, legs: float = 0.0
) -> pd.DataFrame:
    """Return the access table of people who walk at another speed, or whose leg to the streets is another.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s]; ``cutoff_s`` where it is there decides
        between ``reached`` and ``beyond_cutoff``.
    speed : float
        Factor on every speed, above 0 and below 2.
    leg_s : pandas.Series, optional
        Indexed by origin: time of the leg to the streets, part of ``value`` [s]; see :func:`origin_legs`.
    legs : float
        How many such legs to add: -1 leaves the leg out, 1 charges it twice.

    Returns
    -------
    pandas.DataFrame
        As `access`, with other times [s, rounded up to the millisecond]. A leg longer than the time leaves 0.

    Raises
    ------
    InputError
        `speed` is outside its limits or `legs` is not finite.
    SchemaError
        A column is missing, or an origin has no leg.

    Notes
    -----
    ``v' = (v + legs * leg) / speed``. Exact to the rounding of costs, half a millisecond per edge, where every cost is
    a length over a speed, slopes included. Where some of the time does not depend on speed (waits at crossings, the
    turn-out of fire engines), true times lie between ``v`` and ``v'``: a band made of them is too wide, never too
    narrow. Without its leg an origin is taken to enter at the same place. Rounding up makes ``v' <= c`` the same as
    ``v <= speed * c`` for every cutoff ``c`` in whole milliseconds.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A"], "service": ["school"], "value": [810.0], "status": ["reached"],
    ...     "unknown_from_s": [float("nan")]})
    >>> changed_access(access, speed=0.9)["value"].tolist()
    [900.0]
    >>> changed_access(access, leg_s=pd.Series({"A": 60.0}), legs=-1)["value"].tolist()
    [750.0]
    """
    check_columns(access, _COLUMNS, where="access")
    if not (0 < speed < 2 and np.isfinite(legs)):
        raise InputError(
            f"speed 须大于 0 且小于 2,legs 须有限 (现为 {speed} 与 {legs})",
            f"speed must lie between 0 and 2 and legs be finite (they are {speed} and {legs})",
        )
    more = legs * _legs(access, leg_s)

    def change(column: str) -> NDArray[np.float64]:
        seconds = np.maximum(access[column].to_numpy(dtype=np.float64, na_value=np.nan) + more, 0.0)
        # Below the millisecond there is only the noise of floats: taken out before rounding up.
        return np.asarray(np.ceil(np.round(seconds * 1000 / speed, 4)) / 1000, dtype=np.float64)

    out = access.assign(value=change("value"), unknown_from_s=change("unknown_from_s"))
    if "cutoff_s" in access.columns:
        found = out["status"].isin(["reached", "beyond_cutoff"])
        near = out["value"] <= out["cutoff_s"]
        status = out["status"].mask(found & near, "reached").mask(found & ~near, "beyond_cutoff")
        out = out.assign(status=status)
    return out


def _worst(access: pd.DataFrame, others: Sequence[pd.DataFrame], *, best: bool) -> pd.DataFrame:
    """Take each row from the table in which the trip is longest, or shortest; not found is longest."""
    value = access["value"].to_numpy(dtype=np.float64, na_value=np.nan).copy()
    status = access["status"].to_numpy(dtype=object).copy()
    keys = pd.MultiIndex.from_frame(access[["origin_id", "service"]])
    for i, other in enumerate(others):
        check_columns(other, _COLUMNS, where=f"alternatives[{i}]")
        theirs = pd.MultiIndex.from_frame(other[["origin_id", "service"]])
        if len(other) != len(access) or not theirs.is_unique or not keys.isin(theirs).all():
            raise SchemaError(
                f"alternatives[{i}]: 起点与服务须与 access 一致 ({len(other)} 与 {len(access)} 行)",
                f"alternatives[{i}] must have the origins and services of access ({len(other)}, {len(access)} rows)",
            )
        rows = other.iloc[theirs.get_indexer(keys)]
        new = rows["value"].to_numpy(dtype=np.float64, na_value=np.nan)
        a, b = np.where(np.isnan(value), np.inf, value), np.where(np.isnan(new), np.inf, new)
        take = b < a if best else b > a
        value, status = np.where(take, new, value), np.where(take, rows["status"].to_numpy(dtype=object), status)
    return access.assign(value=value, status=status)


def band_tables(
    access: pd.DataFrame,
    *,
    speed_share: float = 0.1,
    leg_s: pd.Series | None = None,
    alternatives: Sequence[pd.DataFrame] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the access tables of the worst and of the best case.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s].
    speed_share : float
        Everybody walks slower or faster by this share, 0 or more and below 1.
    leg_s : pandas.Series, optional
        Indexed by origin: time of the leg to the streets [s]. The worst case charges it twice, since the way to the
        street is no straight line; the best case leaves it out, since the door may stand at the street.
    alternatives : sequence of pandas.DataFrame
        Access tables of the same origins and services under other assumptions, e.g. with another ``max_snap_m``.

    Returns
    -------
    low, high : pandas.DataFrame
        As `access`, in its order: the longest and the shortest times.

    Raises
    ------
    InputError
        `speed_share` is outside its limits.
    SchemaError
        A column is missing, an origin has no leg, or an alternative has other rows.

    Notes
    -----
    All changes are taken together, so the band is that of the worst and the best case and not of chance.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A"], "service": ["school"], "value": [810.0], "status": ["reached"],
    ...     "unknown_from_s": [float("nan")]})
    >>> low, high = band_tables(access, leg_s=pd.Series({"A": 90.0}))
    >>> low["value"].tolist(), high["value"].tolist()  # (810 + 90) / 0.9, (810 - 90) / 1.1
    ([1000.0], [654.546])
    """
    if not 0 <= speed_share < 1:
        raise InputError(
            f"speed_share 须在 0 (含) 至 1 (不含) 之间,现为 {speed_share}",
            f"speed_share must be 0 or more and below 1; it is {speed_share}",
        )
    low = [changed_access(t, speed=1 - speed_share, leg_s=leg_s, legs=1) for t in (access, *alternatives)]
    high = [changed_access(t, speed=1 + speed_share, leg_s=leg_s, legs=-1) for t in (access, *alternatives)]
    return _worst(low[0], low[1:], best=False), _worst(high[0], high[1:], best=True)


def coverage_band(
    access: pd.DataFrame,
    *,
    cutoffs_s: Sequence[float],
    speed_share: float = 0.1,
    leg_s: pd.Series | None = None,
    alternatives: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """Tell for each origin whether a service is within reach in the worst, the central and the best case.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s].
    cutoffs_s : sequence of float
        Cutoffs, inclusive [s].
    speed_share, leg_s, alternatives
        See :func:`band_tables`.

    Returns
    -------
    pandas.DataFrame
        ``origin_id, service, cutoff_s, covered_low, covered, covered_high, fragile``, one row per row of `access` and
        cutoff; ``fragile`` where worst and best differ. Never covered in a worse case and not in a better one.

    Raises
    ------
    InputError
        A cutoff is not above 0, or as :func:`band_tables`.
    SchemaError
        As :func:`band_tables`.

    Notes
    -----
    With speed alone: ``covered_low = v <= (1 - p) c``, ``covered_high = v <= (1 + p) c``; see :func:`changed_access`
    for where that is exact. The sums by zone and age group are in :mod:`bishan_gis.planning.uncertainty`.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "B", "C"], "service": "school", "value": [810.0, 811.0, 991.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> coverage_band(access, cutoffs_s=[900])[["covered_low", "covered", "covered_high"]].astype(int).values.tolist()
    [[1, 1, 1], [0, 1, 1], [0, 0, 0]]
    """
    check_each_positive(cutoffs_s=cutoffs_s)
    low, high = band_tables(access, speed_share=speed_share, leg_s=leg_s, alternatives=alternatives)
    frames = []
    for cutoff in cutoffs_s:
        worst, central, best = (t["value"].to_numpy() <= cutoff for t in (low, access, high))
        frames.append(
            access[["origin_id", "service"]].assign(
                cutoff_s=float(cutoff),
                covered_low=worst,
                covered=central,
                covered_high=best,
                fragile=worst != best,
            )
        )
    columns = ["origin_id", "service", "cutoff_s", "covered_low", "covered", "covered_high", "fragile"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
