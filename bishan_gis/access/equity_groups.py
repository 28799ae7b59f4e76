"""Equity for each age group and zone: the indices of :mod:`bishan_gis.access.equity` in one tidy table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from bishan_gis.access.equity import TheilParts, concentration_index, fgt_poverty, gini, palma, theil_groups, theil_t
from bishan_gis.access.matrix import match_amounts, say_lost
from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import InputError, SchemaError
from bishan_gis.schema import check_columns, nearest_name

__all__ = ["MEASURES", "Measure", "equity_by_group", "theil_between_groups"]

#: Values and people, both by origin, in; an index out.
Measure = Callable[[pd.Series, pd.Series], float]

#: Indices that need nothing but values and people.
MEASURES: Mapping[str, Measure] = {
    "mean": lambda values, people: float((values * people).sum() / people.sum()),
    "gini": gini,
    "palma": palma,
    "theil_t": theil_t,
}
_POVERTY = {"poverty_share": 0.0, "poverty_gap": 1.0, "poverty_gap_squared": 2.0}
#: Split between the zones; for the whole district only.
_PARTS = ("theil_between", "theil_within")
_ALL = "all"


def _match(values: pd.Series, people_by_group: pd.DataFrame) -> pd.DataFrame:
    """Return people in the order of `values`; both must have the same origins."""
    match_amounts(values, where="values")
    check_columns(people_by_group, [], where="people_by_group")
    index = people_by_group.index
    same = index.equals(values.index)
    apart = not same and (len(index) != len(values) or set(index) != set(values.index))
    if people_by_group.empty or not index.is_unique or apart:
        lost_zh, lost_en = say_lost(index, values.index, "people_by_group")
        raise SchemaError(
            f"people_by_group 与 values 的标识须一致且不重复 ({len(index)} 与 {len(values)} 行{lost_zh})",
            f"people_by_group and values must have the same ids, each once ({len(index)} and {len(values)} rows"
            f"{lost_en})",
        )
    if people_by_group.columns.has_duplicates:
        zh, en = "people_by_group: 列名重复", "people_by_group: a column repeats"
        raise SchemaError(zh, en)
    for group in people_by_group.columns:
        match_amounts(people_by_group[group], where=f"people_by_group[{group}]")
    return people_by_group if same else people_by_group.loc[values.index]


def equity_by_group(
    values: pd.Series,
    people_by_group: pd.DataFrame,
    *,
    measures: Sequence[str] | Mapping[str, Measure] | None = None,
    line: float | None = None,
    poor: str = "below",
    zones: pd.Series | None = None,
    rank_by: pd.Series | None = None,
) -> pd.DataFrame:
    """Measure equity among the people of each age group, over the district and within each zone.

    Parameters
    ----------
    values : pandas.Series
        Indexed by origin; access or cost per person, not negative. Decide first what being unreached counts as.
    people_by_group : pandas.DataFrame
        Indexed by the same origins, a column per age group.
    measures : sequence of str, or mapping, optional
        Names out of :data:`MEASURES`, ``poverty_share, poverty_gap, poverty_gap_squared``, ``concentration_index`` and
        ``theil_between, theil_within``; or name -> function of values and people. Default: all of :data:`MEASURES`,
        with a `line` the poverty measures, with `rank_by` the concentration index too.
    line : float, optional
        Poverty line, in the unit of `values`; the poverty measures need it.
    poor : str
        ``below``: too little access; ``above``: too high a cost.
    zones : pandas.Series, optional
        Indexed by the same origins; the zone of each. ``theil_between`` and ``theil_within`` split the inequality
        among the people of a group into what lies between the zones and what lies within them.
    rank_by : pandas.Series, optional
        Indexed by the same origins; what ranks people, e.g. income per head: the concentration index needs it.

    Returns
    -------
    pandas.DataFrame
        ``zone`` ("all" first, then sorted)``, age_group, measure, people, value``. ``value`` is NaN where the group has
        nobody in the zone (``people`` is 0). The parts of Theil's index have rows for ``all`` only.

    Raises
    ------
    InputError
        An unknown measure, one without what it needs (line, rank_by, zones), or a wrong line.
    SchemaError
        A value, rank or number is missing or negative, ids differ, or an origin has no zone.

    Notes
    -----
    Each index weighs every origin by the people of the group who live there; formulas and sources stand with the
    functions of :mod:`bishan_gis.access.equity`. Within one cell all people have the same access: differences inside it
    are not seen.

    Examples
    --------
    Old people live where access is 1, children where it is 3 as well.

    >>> people = pd.DataFrame({"old": [10, 0], "child": [30, 10]}, index=["A", "B"])
    >>> table = equity_by_group(pd.Series({"A": 1, "B": 3}), people, measures=["mean", "gini"])
    >>> table[["age_group", "measure", "value"]].values.tolist()
    [['old', 'mean', 1.0], ['old', 'gini', 0.0], ['child', 'mean', 1.5], ['child', 'gini', 0.25]]
    """
    if line is not None:
        check_positive(line=line)
    people = _match(values, people_by_group)
    chosen = _choose(measures, line, poor, rank_by, zones)
    places: list[tuple[object, np.ndarray]] = [(_ALL, np.ones(len(values), dtype=bool))]
    if zones is not None:
        zone = zones.reindex(values.index) if zones.index.is_unique else zones.iloc[:0].reindex(values.index)
        if zone.isna().any():
            n = int(zone.isna().sum())
            raise SchemaError(f"zones: {n} 个起点没有分区或重复", f"zones: {n} origins have no zone or several")
        places += [(z, (zone == z).to_numpy()) for z in sorted(zone.unique())]
    within = {n: m for n, m in chosen.items() if n not in _PARTS}
    rows = []
    for place, here in places if within else places[:1]:
        inside, lived = values[here], people[here]
        for group in people.columns:
            heads = lived[group]
            total = float(heads.sum())
            parts: dict[str, float] = {}
            if zones is not None and place is _ALL and total > 0 and None in chosen.values():
                parts = _theil_parts(inside, heads, zones)
            for name, measure in (chosen if place is _ALL else within).items():
                if total > 0:
                    index = parts[name] if measure is None else float(measure(inside, heads))
                else:
                    index = float("nan")
                rows.append((place, group, name, total, index))
    return pd.DataFrame(rows, columns=["zone", "age_group", "measure", "people", "value"])


def _choose(
    measures: Sequence[str] | Mapping[str, Measure] | None,
    line: float | None,
    poor: str,
    rank_by: pd.Series | None,
    zones: pd.Series | None,
) -> dict[str, Measure | None]:
    """Return the measures that are asked for; None: a part of Theil's index."""
    if isinstance(measures, Mapping):
        return dict(measures)
    known: dict[str, Measure | None] = dict(MEASURES)
    if line is not None:
        for name, power in _POVERTY.items():
            known[name] = partial(fgt_poverty, line=line, power=power, poor=poor)
    if rank_by is not None:
        known["concentration_index"] = partial(concentration_index, rank_by=rank_by)
    names = list(known) if measures is None else list(measures)
    if zones is not None:
        for part in _PARTS:
            known[part] = None
    needs = {**dict.fromkeys(_POVERTY, "line"), "concentration_index": "rank_by", **dict.fromkeys(_PARTS, "zones")}
    odd = [n for n in names if n not in known]
    if odd:
        near = [h for h in (nearest_name(n, [*known, *needs]) for n in odd) if h]
        more = sorted({needs[n] for n in odd if n in needs})
        raise InputError(
            f"未知的指标 {'、'.join(odd)}"
            + (f";须给出 {'、'.join(more)}" if more else "")
            + f";可用: {'、'.join(near or known)}",
            f"unknown measures {', '.join(odd)}"
            + (f"; give {', '.join(more)}" if more else "")
            + f"; known: {', '.join(near or known)}",
        )
    return {n: known[n] for n in names}


def _theil_parts(values: pd.Series, people: pd.Series, zones: pd.Series) -> dict[str, float]:
    """Return what of Theil's index lies between, and within, the zones."""
    found = theil_groups(values, people, groups=zones.reindex(values.index))
    return dict(zip(_PARTS, (found.between, found.within), strict=True))


def theil_between_groups(values: pd.Series, people_by_group: pd.DataFrame) -> TheilParts:
    """Split inequality into what lies between age groups and what lies within them.

    Parameters
    ----------
    values : pandas.Series
        Indexed by origin; access per person, not negative.
    people_by_group : pandas.DataFrame
        Indexed by the same origins, a column per age group; nobody is in two groups.

    Returns
    -------
    TheilParts
        ``total``, ``between``, ``within``.

    Raises
    ------
    SchemaError
        As :func:`equity_by_group`.
    NoDataError
        Nobody is counted.

    Notes
    -----
    :func:`bishan_gis.access.equity.theil_groups` with each group at each origin for an origin of its own.

    Examples
    --------
    >>> people = pd.DataFrame({"old": [10, 0], "child": [0, 10]}, index=["A", "B"])
    >>> parts = theil_between_groups(pd.Series({"A": 0, "B": 2}), people)
    >>> round(parts.between, 4), parts.within  # ln 2: everything lies between the groups
    (0.6931, 0.0)
    """
    people = _match(values, people_by_group)
    n, k = people.shape
    index = pd.RangeIndex(n * k)
    return theil_groups(
        pd.Series(np.repeat(values.to_numpy(), k), index=index),
        pd.Series(people.to_numpy().ravel(), index=index),
        groups=pd.Series(np.tile(np.arange(k), n), index=index),
    )
