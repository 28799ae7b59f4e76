"""People per township and age group: known totals, the rest shared out."""

from __future__ import annotations

import numpy as np
import pandas as pd

GROUPS = ["age_0_14", "age_15_64", "age_65_79", "age_80p"]
GROUP_TOTALS = np.array([106_757, 523_375, 100_593, 25_297])
DISTRICT_PEOPLE = 756_022
SHARED_2010 = {"500120003": 78_582, "500120004": 78_582}  # one figure stands for both
SPLIT_NOTE = "2010 figure 78,582 covers 青杠 and 来凤 together, split by area"


def largest_remainder(values: np.ndarray, total: int) -> np.ndarray:
    """Round `values` to integers that sum to `total`."""
    values = values * total / values.sum()
    out = np.floor(values).astype(int)
    order = np.lexsort((np.arange(len(values)), -(values - out)))
    out[order[: total - out.sum()]] += 1
    return out


def controlled_round(table: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Round a table to integers that keep the given row and column sums.

    Floors everything, then hands the missing units out where the fraction lost is largest while both the row and
    the column still miss some; a last pass moves units along a row where needed.
    """
    out = np.floor(table).astype(int)
    need_r, need_c = rows - out.sum(1), columns - out.sum(0)
    loss = table - out
    for flat in np.argsort(-loss.ravel(), kind="stable"):
        i, j = divmod(int(flat), table.shape[1])
        if need_r[i] > 0 and need_c[j] > 0:
            out[i, j] += 1
            need_r[i] -= 1
            need_c[j] -= 1
    for i in np.flatnonzero(need_r):
        while need_r[i] > 0:
            j = int(np.argmax(need_c))
            out[i, j] += 1
            need_r[i] -= 1
            need_c[j] -= 1
    return out


def build_population(facts: pd.DataFrame) -> pd.DataFrame:
    """Return people per township and age group.

    Notes
    -----
    璧城 and 璧泉 are census 2020. The other 13 share the remaining 329,022 people in proportion to 2010. Age groups
    start from an assumed town-countryside gradient and are fitted (iterative proportional fitting) to the
    district totals of the 2020 census.
    """
    code = facts["code"].astype(str)
    known = facts["people_2020"].to_numpy(float)
    area = facts["area_km2"].to_numpy(float)
    base = facts["people_2010"].to_numpy(float).copy()
    pair = code.isin(list(SHARED_2010)).to_numpy()
    base[pair] = 78_582 * area[pair] / area[pair].sum()
    is_known = ~np.isnan(known)
    people = np.zeros(len(facts), int)
    people[is_known] = known[is_known].astype(int)
    people[~is_known] = largest_remainder(base[~is_known], DISTRICT_PEOPLE - int(people.sum()))

    rural = np.where(is_known, 0.0, np.where(pair, 0.35, 1.0))
    bias = np.stack([1 - 0.06 * rural, 1 - 0.10 * rural, 1 + 0.45 * rural, 1 + 0.60 * rural], axis=1)
    table = bias * GROUP_TOTALS / DISTRICT_PEOPLE * people[:, None]
    for _ in range(200):
        table *= (people / table.sum(1))[:, None]
        table *= GROUP_TOTALS / table.sum(0)
    table *= (people / table.sum(1))[:, None]
    whole = controlled_round(np.round(table, 6), people, GROUP_TOTALS)

    notes = np.where(is_known, "people: census 2020; ages: assumed", "people: 2010 share of 329,022; ages: assumed")
    notes = [f"{n}; {SPLIT_NOTE}" if p else n for n, p in zip(notes, pair, strict=True)]
    out = pd.DataFrame({"code": code, "name": facts["name"], "people": people})
    for k, group in enumerate(GROUPS):
        out[group] = whole[:, k]
    out["source_note"] = notes
    return out
