"""How evenly access is spread over people.

Every index weighs each origin by the people who live there; people of one age group are simply the people passed in.
Values must be known for everyone counted: decide first what being unreached counts as.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_amounts, say_lost
from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import InputError, NoDataError, SchemaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "TheilParts",
    "concentration_index",
    "fgt_poverty",
    "gini",
    "lorenz",
    "palma",
    "theil_groups",
    "theil_t",
]


def _align(column: pd.Series, index: pd.Index, where: str, *, more: bool = False) -> pd.Series:
    """Return a column in the order of another's index; both must have the same ids, or the column `more`."""
    if column.index.is_unique and column.index.equals(index):
        return column
    at = column.index.get_indexer(index) if column.index.is_unique else np.array([-1])
    if (at < 0).any() or (len(column) != len(index) and not more):
        lost_zh, lost_en = say_lost(column.index, index, where)
        raise SchemaError(
            f"{where} 与 values 的标识须一致且不重复 ({len(column)} 与 {len(index)} 行{lost_zh})",
            f"{where} and values must have the same ids, each once ({len(column)} and {len(index)} rows{lost_en})",
        )
    return column.iloc[at]


def _ranks(rank_by: pd.Series, index: pd.Index) -> NDArray[np.float64]:
    """Return what ranks people in the order of an index."""
    return match_amounts(_align(rank_by, index, "rank_by", more=True), where="rank_by", signed=True)


def _match(values: pd.Series, people: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check values and people; return them as numbers, in the order of `values`."""
    amount = match_amounts(values, where="values")
    heads = match_amounts(_align(people, values.index, "people"), where="people")
    if heads.sum() <= 0:
        raise NoDataError(f"people: {len(heads)} 行,没有人", f"people: {len(heads)} rows and nobody in them")
    return amount, heads


def lorenz(values: pd.Series, people: pd.Series) -> pd.DataFrame:
    """Draw the Lorenz curve: the share of all access that the worst-off share of people has.

    Parameters
    ----------
    values : pandas.Series
        Indexed by origin; access per person, not negative.
    people : pandas.Series
        Indexed by the same origins.

    Returns
    -------
    pandas.DataFrame
        ``people_share`` and ``value_share``, both rising from 0 to 1; origins with the same value are one point.
        Where nobody has anything, both are equal.

    Raises
    ------
    SchemaError
        A value or number is missing or negative, or the ids differ.
    NoDataError
        Nobody is counted.

    Notes
    -----
    Lorenz (1905, doi:10.2307/2276207).

    Examples
    --------
    >>> lorenz(pd.Series({"A": 1, "B": 3}), pd.Series({"A": 30, "B": 10}))["value_share"].tolist()
    [0.0, 0.5, 1.0]
    """
    amount, heads = _match(values, people)
    level, place = np.unique(amount[heads > 0], return_inverse=True)
    group = np.bincount(place, weights=heads[heads > 0])
    share = np.concatenate([[0.0], np.cumsum(group)])
    held = np.concatenate([[0.0], np.cumsum(group * level)])
    return pd.DataFrame(
        {"people_share": share / share[-1], "value_share": held / held[-1] if held[-1] > 0 else share / share[-1]}
    )


def gini(values: pd.Series, people: pd.Series) -> float:
    """Measure how unevenly access is spread: 0 if all have the same, towards 1 if one person has all.

    Parameters
    ----------
    values : pandas.Series
        Indexed by origin; access per person, not negative.
    people : pandas.Series
        Indexed by the same origins.

    Returns
    -------
    float
        Between 0 and 1; 0 where nobody has anything.

    Raises
    ------
    SchemaError, NoDataError
        As :func:`lorenz`.

    Notes
    -----
    ``G = 1 - sum_k (p_k - p_k-1) (L_k + L_k-1)`` under the curve of :func:`lorenz` (Gastwirth 1972,
    doi:10.2307/1937992).

    Examples
    --------
    >>> gini(pd.Series({"A": 1, "B": 3}), pd.Series({"A": 30, "B": 10}))
    0.25
    """
    curve = lorenz(values, people)
    p, held = curve["people_share"].to_numpy(), curve["value_share"].to_numpy()
    return float(np.clip(1.0 - (np.diff(p) * (held[1:] + held[:-1])).sum(), 0.0, 1.0))


def palma(values: pd.Series, people: pd.Series, *, rank_by: pd.Series | None = None) -> float:
    """Compare the mean access of the top 10 % of people with that of the bottom 40 %.

    Parameters
    ----------
    values : pandas.Series
        Indexed by origin; access per person, not negative.
    people : pandas.Series
        Indexed by the same origins.
    rank_by : pandas.Series, optional
        Indexed by the same origins, or more of them; what ranks people, e.g. income per head. Default: `values`.

    Returns
    -------
    float
        1 if both have the same; infinite where the bottom has nothing, NaN where neither has anything.

    Raises
    ------
    SchemaError, NoDataError
        As :func:`lorenz`.

    Notes
    -----
    Palma (2011, doi:10.1111/j.1467-7660.2011.01694.x) on means. An origin at the border is split; origins of the same
    rank are one, so that their order decides nothing.

    Examples
    --------
    >>> palma(pd.Series({"A": 1, "B": 3, "C": 4}), pd.Series({"A": 40, "B": 50, "C": 10}))
    4.0
    """
    amount, heads = _match(values, people)
    rank = amount if rank_by is None else _ranks(rank_by, values.index)
    place = np.unique(rank, return_inverse=True)[1]
    group = np.bincount(place, weights=heads)
    held = np.concatenate([[0.0], np.cumsum(np.bincount(place, weights=heads * amount))])
    share = np.concatenate([[0.0], np.cumsum(group)]) / heads.sum()
    low, high = np.interp([0.4, 0.9], share, held)
    bottom, top = low / 0.4, (held[-1] - high) / 0.1
    if bottom > 0:
        return float(top / bottom)
    return float("inf") if top > 0 else float("nan")


def _theil(amount: NDArray[np.float64], heads: NDArray[np.float64]) -> float:
    mean = (heads * amount).sum() / heads.sum()
    some = (amount > 0) & (heads > 0)
    if not some.any():
        return 0.0
    relative = amount[some] / mean
    return float((heads[some] * relative * np.log(relative)).sum() / heads.sum())


def theil_t(values: pd.Series, people: pd.Series) -> float:
    """Measure inequality so that it can be split into parts between and within groups.

    Parameters
    ----------
    values : pandas.Series
        Indexed by origin; access per person, not negative.
    people : pandas.Series
        Indexed by the same origins.

    Returns
    -------
    float
        0 if all have the same, up to the logarithm of the number of people; 0 where nobody has anything.

    Raises
    ------
    SchemaError, NoDataError
        As :func:`lorenz`.

    Notes
    -----
    ``T = sum_i n_i/N y_i/m ln(y_i/m)`` with ``0 ln 0 = 0`` (Theil 1967, Economics and Information Theory [K]).

    Examples
    --------
    >>> round(theil_t(pd.Series({"A": 0, "B": 2}), pd.Series({"A": 10, "B": 10})), 4)  # ln 2
    0.6931
    """
    return _theil(*_match(values, people))


class TheilParts(NamedTuple):
    """Inequality and its two parts; they add up.

    Parameters
    ----------
    total, between, within : float
        Theil T of all people, of the means of the groups, and left inside the groups.
    """

    total: float
    between: float
    within: float


def theil_groups(values: pd.Series, people: pd.Series, *, groups: pd.Series) -> TheilParts:
    """Split inequality into what lies between groups, e.g. townships, and what lies within them.

    Parameters
    ----------
    values : pandas.Series
        Indexed by origin; access per person, not negative.
    people : pandas.Series
        Indexed by the same origins.
    groups : pandas.Series
        Indexed by the same origins; the group of each.

    Returns
    -------
    TheilParts
        ``total``, ``between``, ``within``.

    Raises
    ------
    SchemaError
        As :func:`lorenz`, or an origin has no group.
    NoDataError
        Nobody is counted.

    Notes
    -----
    ``T = sum_g N_g m_g / (N m) ln(m_g / m) + sum_g N_g m_g / (N m) T_g`` (Shorrocks 1980, doi:10.2307/1913126).

    Examples
    --------
    >>> values, people = pd.Series({"A": 0, "B": 2, "C": 1}), pd.Series({"A": 10, "B": 10, "C": 20})
    >>> parts = theil_groups(values, people, groups=pd.Series({"A": "east", "B": "east", "C": "west"}))
    >>> round(parts.between, 4), round(parts.within, 4)
    (0.0, 0.3466)
    """
    amount, heads = _match(values, people)
    label = _align(groups, values.index, "groups")
    if label.isna().any():
        raise SchemaError(f"groups: {label.isna().sum()} 行缺失", f"groups: {label.isna().sum()} rows missing")
    code = pd.factorize(label, sort=False)[0]
    size = np.bincount(code, weights=heads).astype(np.float64)
    held = np.bincount(code, weights=heads * amount).astype(np.float64)
    mean = np.divide(held, size, out=np.zeros_like(held), where=size > 0)
    total = held.sum()
    parts = [_theil(amount[code == g], heads[code == g]) * held[g] for g in np.flatnonzero(held > 0)]
    return TheilParts(_theil(amount, heads), _theil(mean, size), float(sum(parts) / total) if total > 0 else 0.0)


def concentration_index(
    values: pd.Series, people: pd.Series, *, rank_by: pd.Series, bounds: tuple[float, float] | None = None
) -> float:
    """Measure whether access goes to the better-off (above 0) or the worse-off (below 0).

    Parameters
    ----------
    values : pandas.Series
        Indexed by origin; access per person, not negative.
    people : pandas.Series
        Indexed by the same origins.
    rank_by : pandas.Series
        Indexed by the same origins, or more of them; what ranks people, e.g. income per head or an index of wealth,
        which may be below 0.
    bounds : (float, float), optional
        Least and largest value possible: returns the corrected index of Erreygers.

    Returns
    -------
    float
        Between -1 and 1; 0 where nobody has anything.

    Raises
    ------
    InputError
        The bounds do not hold the values.
    SchemaError, NoDataError
        As :func:`lorenz`.

    Notes
    -----
    ``C = 2/m cov(y, r)`` with r the fractional rank (Kakwani et al. 1997, doi:10.1016/S0304-4076(96)01807-6); equal
    ranks share their middle. Corrected: ``4 m / (b - a) C`` (Erreygers 2009, doi:10.1016/j.jhealeco.2008.02.003).

    Examples
    --------
    >>> values, people = pd.Series({"A": 1, "B": 3}), pd.Series({"A": 30, "B": 10})
    >>> concentration_index(values, people, rank_by=pd.Series({"A": 2000, "B": 1000}))
    -0.25
    """
    amount, heads = _match(values, people)
    rank = _ranks(rank_by, values.index)
    place = np.unique(rank, return_inverse=True)[1]
    group = np.bincount(place, weights=heads) / heads.sum()
    middle = (np.cumsum(group) - group / 2)[place]
    mean = float((heads * amount).sum() / heads.sum())
    twice = 2.0 * float((heads * (amount - mean) * (middle - 0.5)).sum() / heads.sum())
    if bounds is None:
        return twice / mean if mean > 0 else 0.0
    low, high = bounds
    if not (low < high and low <= amount.min() and amount.max() <= high):
        raise InputError(
            f"bounds {bounds} 须包含全部值 ({amount.min():g} 至 {amount.max():g})",
            f"bounds {bounds} must hold all values ({amount.min():g} to {amount.max():g})",
        )
    return 4.0 * twice / (high - low)


def fgt_poverty(values: pd.Series, people: pd.Series, *, line: float, power: float = 0.0, poor: str = "below") -> float:
    """Measure poverty of access: how many are poor, how far from the line, or both with weight on the worst.

    Parameters
    ----------
    values : pandas.Series
        Indexed by origin; access or cost per person, not negative.
    people : pandas.Series
        Indexed by the same origins.
    line : float
        Poverty line, in the unit of `values`; who is exactly on it is not poor.
    power : float
        0: share of people who are poor; 1: mean gap as a share of the line; 2: mean squared gap.
    poor : str
        ``below``: too little access; ``above``: too high a cost.

    Returns
    -------
    float
        0 if nobody is poor; with ``below`` at most 1, with ``above`` and a power it may exceed 1.

    Raises
    ------
    InputError
        `line` is not above 0, `power` is negative, or `poor` is neither.
    SchemaError, NoDataError
        As :func:`lorenz`.

    Notes
    -----
    ``P = 1/N sum_poor n_i (gap_i / line)**power`` with ``gap = |y - line|`` (Foster et al. 1984, doi:10.2307/1913475).

    Examples
    --------
    >>> minutes, people = pd.Series({"A": 10, "B": 30}), pd.Series({"A": 30, "B": 10})
    >>> fgt_poverty(minutes, people, line=15, power=0, poor="above")
    0.25
    >>> fgt_poverty(minutes, people, line=15, power=1, poor="above")
    0.25
    """
    check_positive(line=line)
    if poor not in ("below", "above") or not (np.isfinite(power) and power >= 0):
        raise InputError(
            f"poor 须为 below 或 above (现为 {poor}),power 须非负 (现为 {power})",
            f"poor must be below or above (it is {poor}), power not negative (it is {power})",
        )
    amount, heads = _match(values, people)
    gap = (line - amount if poor == "below" else amount - line) / line
    some = gap > 0
    return float((heads[some] * gap[some] ** power).sum() / heads.sum())
