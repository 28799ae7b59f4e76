"""Which class of shelter a facility is: what it is said to be, else what its area or its capacity makes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import StudyError
from bishan_gis.planning.standards import load_standards

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CLASSES", "FIXED", "LEVELS", "class_bounds", "shelter_classes"]

#: Classes of GB 51143-2015 3.1.4, the smallest first.
CLASSES = ("emergency", "short", "medium", "long", "central")
#: Those that the standards call fixed.
FIXED = ("short", "medium", "long")
#: Levels of government of the policy (district, township, community), the highest first.
LEVELS = ("district", "township", "community")

_SAID = {"emergency": "紧急|应急级", "short": "短期", "medium": "中期", "long": "长期", "central": "中心避难|中心应急"}
_SAID_LEVEL = {"district": "区级|县级|市级", "township": "镇级|乡级|乡镇|街道级|镇街", "community": "村级|社区级|村社"}
_LEVEL_OF = {"central": "district", "long": "district", "medium": "township", "short": "township"}


def class_bounds(standards: pd.DataFrame) -> pd.DataFrame:
    """Return from which area and which capacity on a shelter belongs to each class.

    Parameters
    ----------
    standards : pandas.DataFrame
        Of `planning.standards`; rows with a ``class``. Where it lacks any, those of the package.

    Returns
    -------
    pandas.DataFrame
        Indexed by class, the smallest first: ``area_m2`` (least area of the class [m2]; emergency: 0)``,
        capacity`` (least people [person]; emergency: 0).

    Raises
    ------
    StudyError
        The bounds do not rise from class to class.

    Notes
    -----
    Least areas are those of the standard; of the two of the central class the smaller counts. In people, a class begins
    where the limit of the class before it ends, the short-term class where its least area gives each person the area
    that it asks for (2,000 m2 / 2.0 m2 = 1,000 people) [P].

    Examples
    --------
    >>> class_bounds(load_standards())["capacity"].tolist()
    [0.0, 1000.0, 5000.0, 23000.0, 90000.0]
    """
    said = _values_by_class(load_standards()) | _values_by_class(standards)

    def values(kind: str, indicator: str) -> list[float]:
        return said.get((kind, indicator), [float("nan")])

    area = [0.0, *(min(values(c, "site_m2")) for c in CLASSES[1:])]
    heads = [0.0, area[1] / max(values("short", "per_person_m2"))]
    heads += [max(values(c, "capacity")) for c in CLASSES[1:-1]]
    out = pd.DataFrame({"area_m2": area, "capacity": heads}, index=list(CLASSES))
    if not (out.diff().iloc[1:] > 0).all(axis=None):
        shown = ", ".join(f"{c} {a:g} m2 / {n:g}" for c, a, n in out.itertuples())
        raise StudyError(
            f"standards: 各级避难场所的面积或容量没有逐级递增 ({shown});请检查 standards.override 或标准表",
            f"standards: areas or capacities of the shelter classes do not rise from class to class ({shown}); "
            "check standards.override or the table",
        )
    return out


def _values_by_class(standards: pd.DataFrame) -> dict[tuple[str, str], list[float]]:
    """Return the values of standards by class and indicator."""
    out: dict[tuple[str, str], list[float]] = {}
    if "class" in standards.columns:
        rows = standards[standards["class"].isin(CLASSES) & standards["value"].notna()]
        for kind, indicator, value in rows[["class", "indicator", "value"]].itertuples(index=False):
            out.setdefault((str(kind), str(indicator)), []).append(float(value))
    return out


def shelter_classes(facilities: pd.DataFrame, area_m2: NDArray[np.float64], standards: pd.DataFrame) -> pd.DataFrame:
    """Class shelters: by what they are said to be, else by area, else by capacity.

    Parameters
    ----------
    facilities : pandas.DataFrame
        ``name, capacity`` [person] and, where the layer gives it, ``grade`` (the class or the level in words).
    area_m2 : ndarray
        Ground of each [m2]; NaN where it is not known.
    standards : pandas.DataFrame
        Bounds, see `class_bounds`.

    Returns
    -------
    pandas.DataFrame
        On the index of `facilities`: ``class`` (one of `CLASSES`; empty: nothing tells)``, level`` (one of `LEVELS`, or
        empty)``, by`` (``grade``, ``name``, ``area``, ``capacity``, or empty).

    Notes
    -----
    The level is the one that is said, else central and long-term shelters serve the district, medium and short-term
    ones a township, emergency ones a community [P].

    Examples
    --------
    >>> places = pd.DataFrame({"name": ["中心避难场所", "", ""], "capacity": [None, 4000.0, None]})
    >>> table = shelter_classes(places, np.array([np.nan, np.nan, 12_000.0]), load_standards())
    >>> table["class"].tolist(), table["by"].tolist()
    (['central', 'short', 'medium'], ['name', 'capacity', 'area'])
    """
    bounds = class_bounds(standards)
    grade = facilities["grade"].fillna("").astype(str) if "grade" in facilities.columns else None
    names = facilities["name"].fillna("").astype(str)
    kind = np.full(len(facilities), "", dtype=object)
    level, by = kind.copy(), kind.copy()
    for source, texts in (("grade", grade), ("name", names)):
        if texts is None:
            continue
        for known, words in ((kind, _SAID), (level, _SAID_LEVEL)):
            for key, pattern in words.items():
                asked = re.compile(f"^{key}$|{pattern}" if source == "grade" else pattern)
                hit = (known == "") & texts.map(lambda t, asked=asked: bool(asked.search(t))).to_numpy(dtype=bool)
                known[hit] = key
                by[hit & (by == "")] = source
    amounts = (("area", "area_m2", area_m2), ("capacity", "capacity", facilities["capacity"].to_numpy(dtype=float)))
    for source, column, amount in amounts:
        at = np.searchsorted(bounds[column].to_numpy(float), amount, side="right") - 1
        hit = (kind == "") & np.isfinite(amount) & (amount > 0)
        kind[hit] = np.array(CLASSES, dtype=object)[at[hit]]
        by[hit & (by == "")] = source
    drawn = [_LEVEL_OF.get(k, "community") if k else "" for k in kind]
    return pd.DataFrame(
        {"class": kind.astype(str), "level": np.where(level == "", drawn, level).astype(str), "by": by.astype(str)},
        index=facilities.index,
    )
