"""The edge of the data: for how many people a result could change if the data went further.

A traveller who could leave the data within the cutoff might find something out there. Which results that touches
depends on what is asked; three questions are kept apart here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_amounts
from bishan_gis.access.parameters import check_each_positive
from bishan_gis.errors import InputError, SchemaError
from bishan_gis.schema import check_columns

__all__ = ["RESULTS", "uncertain_origins", "unknown_share"]

#: What is asked: covered within the cutoff or not; the time to the nearest; a sum over everything within the cutoff.
RESULTS = ("coverage", "time", "sum")


def uncertain_origins(access: pd.DataFrame, *, cutoffs_s: Sequence[float], result: str = "coverage") -> pd.DataFrame:
    """Mark the origins whose result could change if the data went further.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s]; see
        :func:`bishan_gis.access.nearest.nearest_cost`.
    cutoffs_s : sequence of float
        Cutoffs, inclusive [s].
    result : str
        ``coverage``: whether the service is reached within the cutoff; ``time``: the time to the nearest facility,
        where it is within the cutoff; ``sum``: how much is reached within the cutoff (cumulative opportunities, gravity
        with that limit): here ``value`` plays no part.

    Returns
    -------
    pandas.DataFrame
        ``origin_id, service, cutoff_s, uncertain`` (bool), one row per row of `access` and cutoff, in their order.

    Raises
    ------
    InputError
        No such `result`, or a cutoff is not above 0.
    MissingColumnError
        A column is missing.

    Notes
    -----
    With value ``v``, cutoff ``c`` and the time ``u`` at which the traveller could leave the data (never: infinite),
    what lies beyond costs at least ``u``. So coverage is uncertain where ``v > c`` and ``u <= c``; the time where
    ``u < min(v, c)``, or ``u <= c`` and nothing is found within it; a sum wherever ``u <= c``. Origins off the network
    are uncertain. Floating catchments add to this the uncertainty of the demand at each facility, which is not here.

    Examples
    --------
    A walks 300 s and could leave after 200 s: covered for certain, while something nearer may lie outside.

    >>> access = pd.DataFrame({"origin_id": ["A"], "service": ["school"], "value": [300.0], "status": ["reached"],
    ...     "unknown_from_s": [200.0]})
    >>> [bool(uncertain_origins(access, cutoffs_s=[900], result=r)["uncertain"][0]) for r in RESULTS]
    [False, True, True]
    """
    if result not in RESULTS:
        known = ", ".join(RESULTS)
        raise InputError(f"result = {result!r} 无效;可用: {known}", f"no result {result!r}; known: {known}")
    check_columns(access, ["origin_id", "service", "value", "status", "unknown_from_s"], where="access")
    check_each_positive(cutoffs_s=cutoffs_s)
    found = access["value"].to_numpy(dtype=np.float64, na_value=np.nan)
    value = np.where(np.isnan(found), np.inf, found)
    leave = access["unknown_from_s"].to_numpy(dtype=np.float64, na_value=np.nan)
    off = (access["status"] == "off_network").to_numpy()
    frames = []
    for cutoff in cutoffs_s:
        out = leave <= cutoff
        if result == "coverage":
            out &= value > cutoff
        elif result == "time":
            out &= leave < value
        frames.append(access[["origin_id", "service"]].assign(cutoff_s=float(cutoff), uncertain=out | off))
    columns = ["origin_id", "service", "cutoff_s", "uncertain"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def unknown_share(
    access: pd.DataFrame,
    people: pd.Series | pd.DataFrame,
    *,
    cutoffs_s: Sequence[float],
    result: str = "coverage",
) -> pd.DataFrame:
    """Count the people whose result could change if the data went further.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s]; each service has a row for every origin.
    people : pandas.Series or pandas.DataFrame
        Indexed by origin; people, or a column per age group.
    cutoffs_s : sequence of float
        Cutoffs, inclusive [s].
    result : str
        ``coverage``, ``time`` or ``sum``, see :func:`uncertain_origins`.

    Returns
    -------
    pandas.DataFrame
        ``service, cutoff_s, age_group`` ("all" for a Series)``, people, people_unknown, unknown_share`` (NaN where
        nobody is in the group).

    Raises
    ------
    InputError
        As :func:`uncertain_origins`.
    SchemaError
        A column is missing, people are missing or negative, or a service lacks an origin or has it twice.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "B"], "service": "school", "value": [300.0, 1200.0],
    ...     "status": "reached", "unknown_from_s": [200.0, 600.0]})
    >>> unknown_share(access, pd.Series({"A": 30, "B": 10}), cutoffs_s=[900])["unknown_share"].tolist()
    [0.25]
    """
    marks = uncertain_origins(access, cutoffs_s=cutoffs_s, result=result)
    groups = people.to_frame("all") if isinstance(people, pd.Series) else people
    heads = np.column_stack([match_amounts(groups[g], where=f"people[{g}]") for g in groups.columns])
    at = groups.index.get_indexer(pd.Index(marks["origin_id"]))
    counts = marks.groupby(["service", "cutoff_s"], sort=False)["origin_id"].agg(["size", "nunique"])
    if (at < 0).any() or (counts != len(groups)).to_numpy().any():
        raise SchemaError(
            f"access: 每种服务须对 people 的 {len(groups)} 个起点各有一行",
            f"access: every service must have one row for each of the {len(groups)} origins of people",
        )
    total = heads.sum(axis=0)
    unsure = pd.DataFrame(heads[at] * marks["uncertain"].to_numpy()[:, None], columns=groups.columns)
    sums = unsure.groupby([marks["service"], marks["cutoff_s"]], sort=True).sum()
    n = len(sums)
    keys = sums.index.repeat(len(groups.columns)).to_frame(index=False)
    out = keys.assign(
        age_group=np.tile(groups.columns.to_numpy(), n),
        people=np.tile(total, n),
        people_unknown=sums.to_numpy().ravel(),
    )
    out["unknown_share"] = out["people_unknown"] / out["people"].where(out["people"] > 0)
    return out
