"""How evenly the measures of a study are shared: indices of equity per measure and age group, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.access.equity_groups import equity_by_group

if TYPE_CHECKING:
    from bishan_gis.measure_settings import Measure

__all__ = ["measure_equity"]

_KEYS = ["measure_name", "measure", "mode", "profile", "services", "cutoff_s", "unit", "kind"]
_COLUMNS = [*_KEYS[:-2], "age_group", "people", "people_valued", "zones", "index", "value", "unit", "kind"]
_INDICES = ["mean", "gini", "palma", "theil_t"]
_SPLIT = ["theil_between", "theil_within"]
_POVERTY = ["poverty_share", "poverty_gap", "poverty_gap_squared"]


def measure_equity(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    measures: Sequence[Measure],
    age_groups: Mapping[str, Sequence[str]],
    member: Mapping[str, str],
) -> pd.DataFrame:
    """Measure how evenly each measure of a study is shared among the people of each age group.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`bishan_gis.access.study_measures.compute_measures` returned.
    cells : pandas.DataFrame
        ``cell_id``, people per age part, and the columns named by `member`.
    measures : sequence of Measure
        For the poverty line of each, in the unit of its values.
    age_groups : mapping of str to sequence of str
        Age group -> columns of `cells` to add up.
    member : mapping of str to str
        Kind of zone -> column of `cells` with the zone's id; of each kind Theil's index is split into what lies between
        its zones and what lies within them.

    Returns
    -------
    pandas.DataFrame
        One row per measure, cutoff, age group and index: ``measure_name, measure, mode, profile, services, cutoff_s``
        [s]``, age_group, people`` (all of the group)``, people_valued`` (those who have a value: the index is about
        them)``, zones`` (kind of zone of a split; else empty)``, index, value, unit`` (of the index)``, kind``.
        ``index``: ``mean`` and ``palma, gini, theil_t, theil_between, theil_within`` and, with a line, ``poverty_share,
        poverty_gap, poverty_gap_squared``. NaN where nobody has a value.

    Notes
    -----
    Formulas and sources stand with the functions of :mod:`bishan_gis.access.equity`. People without a value (not
    reached by a time, off the network, beyond the data) are left out and counted: an index over few of the people says
    little about the others.

    Examples
    --------
    >>> from bishan_gis.measure_settings import Measure
    >>> parks = Measure(name="parks", measure="cumulative_cutoff", services=["park"], cutoff_min=15)
    >>> table = pd.DataFrame({"origin_id": ["A", "B"], "measure_name": "parks", "value": [1, 3], "cutoff_s": 900.0})
    >>> table = table.assign(measure="cumulative", mode="walk", profile="adult", services="park", unit="facilities")
    >>> cells = pd.DataFrame({"cell_id": ["A", "B"], "old": [10, 0], "child": [30, 10]})
    >>> groups = {"old": ["old"], "child": ["child"]}
    >>> out = measure_equity(table.assign(kind="observed"), cells, measures=[parks], age_groups=groups, member={})
    >>> out.loc[out["index"] == "gini", ["age_group", "people_valued", "value"]].values.tolist()
    [['old', 10, 0.0], ['child', 40, 0.25]]
    """
    asked = {m.name: m for m in measures}
    people = pd.DataFrame({g: cells[list(parts)].sum(axis=1) for g, parts in age_groups.items()})
    people = people.set_index(pd.Index(cells["cell_id"]))
    places = {kind: pd.Series(cells[column].to_numpy(), index=people.index) for kind, column in member.items()}
    frames = []
    for key, rows in table.groupby(_KEYS, sort=False):
        facts: dict[str, Any] = dict(zip(_KEYS, key, strict=True))
        unit = facts.pop("unit")
        values = rows.set_index("origin_id")["value"].reindex(people.index).astype(float)
        valued = values.notna().to_numpy()
        known, heads = values[valued], people[valued]
        m = asked[facts["measure_name"]]
        names = [*_INDICES, *(_POVERTY if m.line is not None else [])]
        parts = [_indices(known, heads, names, line=m.line, poor=m.poor).assign(zones="")]
        for kind, zone in places.items():
            parts.append(_indices(known, heads, _SPLIT, zones=zone[valued]).assign(zones=kind))
        out = pd.concat(parts, ignore_index=True).rename(columns={"measure": "index", "people": "people_valued"})
        out["unit"] = np.where(out["index"] == "mean", unit, "")
        out["people"] = out["age_group"].map(people.sum())
        frames.append(out.assign(**facts))
    if not frames:
        return pd.DataFrame(columns=_COLUMNS)
    whole = pd.concat(frames, ignore_index=True)[_COLUMNS]
    return whole.astype({"people": np.int64, "people_valued": np.int64})


def _indices(known: pd.Series, heads: pd.DataFrame, names: list[str], **given: Any) -> pd.DataFrame:
    """Return indices of each age group over all the people who have a value; NaN where there are none."""
    if known.empty:
        rows = [(group, name, 0, np.nan) for group in heads.columns for name in names]
        return pd.DataFrame(rows, columns=["age_group", "measure", "people", "value"])
    table = equity_by_group(known, heads, measures=names, **given)
    return table[table["zone"] == "all"]
