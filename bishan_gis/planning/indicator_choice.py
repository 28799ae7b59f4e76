"""Which facilities a row of the standards speaks of: all of a service, those of a size, or those of a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.planning.indicator_answers import Missing
from bishan_gis.planning.shelter_classes import FIXED, shelter_classes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bishan_gis.planning.zone_sums import ZoneSums

__all__ = ["Choice", "choose", "row_class"]

_BY = {
    "grade": ("按图层所载级别", "by the grade given"),
    "name": ("按名称", "by name"),
    "area": ("按面积", "by area"),
    "capacity": ("按容量推定 [P]", "by capacity [P]"),
}


@dataclass(frozen=True)
class Choice:
    """The facilities of a row.

    Attributes
    ----------
    sure, unsure : ndarray of bool
        Those that are meant, and those of the service that may be: nothing tells their size or class.
    note : tuple of str
        How they were told apart, in both languages.
    tag : str
        How far the rule that told them apart was checked; empty: the row's own.
    """

    sure: NDArray[np.bool_]
    unsure: NDArray[np.bool_]
    note: tuple[str, str] = ("", "")
    tag: str = ""


def row_class(row: pd.Series) -> str:
    """Return the class of facility a row speaks of; empty: it names none."""
    value = row.get("class", "")
    return value if isinstance(value, str) else ""


def choose(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Choice | Missing:
    """Choose the facilities of the service, size and class a row names.

    Parameters
    ----------
    sums : ZoneSums
        A run.
    row : pandas.Series
        A standard, with ``service, size_min_m2, size_max_m2, class``.
    standards : pandas.DataFrame
        The standards the class bounds come from.

    Returns
    -------
    Choice or Missing
        Missing where the row names a size or class and nothing tells it of any facility.
    """
    mine = sums.of_service(row["service"])
    if row_class(row):
        return _of_class(sums, row_class(row), mine, standards)
    low, high = float(row["size_min_m2"]), float(row["size_max_m2"])
    if low != low and high != high:
        return Choice(mine, np.zeros(len(mine), dtype=bool))
    area = sums.facility_area_m2
    known = mine & np.isfinite(area)
    if not known.any():
        return Missing("设施没有面积, 无法按规模分级", "the facilities have no area to class them by")
    low, high = (0.0 if low != low else low), (np.inf if high != high else high)
    unsure = mine & ~known
    n, ends = int(unsure.sum()), _ends(low, high)
    sure = known & (area >= low) & (area < high)
    lost = (f", 另 {n} 处没有面积", f", {n} more without area") if n else ("", "")
    note = (
        f"按面积分级 {ends}: {int(sure.sum())} 处{lost[0]}",
        f"classed by area {ends}: {int(sure.sum())}{lost[1]}",
    )
    return Choice(sure, unsure, note, tag="K")


def _ends(low: float, high: float) -> str:
    if high == np.inf:
        return f">= {low / 1e4:g} ha"
    return f"< {high / 1e4:g} ha" if low == 0 else f"{low / 1e4:g}-{high / 1e4:g} ha"


def _of_class(sums: ZoneSums, wanted: str, mine: NDArray[Any], standards: pd.DataFrame) -> Choice | Missing:
    places = sums.results.facilities.loc[mine]
    table = shelter_classes(places, sums.facility_area_m2[mine], standards)
    told = table["class"].to_numpy(str) != ""
    if not told.any():
        return Missing(
            f"{len(table)} 处没有一处有级别、面积或容量, 无法分级;请在设施图层提供 grade、面状图形或 capacity",
            f"none of {len(table)} has a grade, an area or a capacity to class it by; "
            "give `grade`, polygons or `capacity` in the layer of facilities",
        )
    right = table["class"].isin(FIXED if wanted == "fixed" else [wanted]).to_numpy(dtype=bool)
    sure, unsure = np.zeros(len(mine), dtype=bool), np.zeros(len(mine), dtype=bool)
    sure[mine], unsure[mine] = right, ~told
    ways = table.loc[told, "by"].value_counts()
    mine_by = table.loc[right, "by"].value_counts()
    n, lost = int(right.sum()), int((~told).sum())
    how = [(f"{_BY[str(b)][0]} {int(k)} 处", f"{int(k)} {_BY[str(b)][1]}") for b, k in mine_by.items()]
    by = (f" ({'、'.join(h[0] for h in how)})", f" ({', '.join(h[1] for h in how)})") if how else ("", "")
    rest = (f", 级别未知 {lost} 处", f", {lost} of unknown class") if lost else ("", "")
    note = (f"此级 {n} 处{by[0]}{rest[0]}", f"{n} of this class{by[1]}{rest[1]}")
    tag = "P" if {"name", "capacity"} & set(ways.index) else "K" if "area" in ways.index else ""
    return Choice(sure, unsure, note, tag)
