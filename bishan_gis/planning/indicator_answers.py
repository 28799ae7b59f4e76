"""What an indicator comes to: a value in every zone, or why it cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.chinese import cite_zh
from bishan_gis.places.classes import load_classes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bishan_gis.planning.zone_sums import ZoneSums

__all__ = ["Answer", "Computed", "Missing", "Rule", "join_notes", "needs", "no_service", "over"]


@dataclass(frozen=True)
class Computed:
    """An indicator in every zone.

    Attributes
    ----------
    low, high : ndarray
        Value, and what more data could make of it; NaN where a zone has nothing to measure.
    basis : ndarray
        People or area it is measured over.
    basis_unit : str
        ``person`` or ``km2``.
    kinds : list of str
        What each zone's value rests on.
    unit : str
        Unit of the value where it is not that of the standard.
    limits : tuple of float, optional
        Smallest and largest value allowed; left out: those of the standard.
    note : tuple of str
        How it differs from what the standard means, in both languages.
    at_most : bool
        More is counted than the standard means: the figure can miss a threshold for sure, and never meet it for sure.
    tag : str
        How far what was taken beside the standard was checked, such as a rule that classes facilities.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    basis: NDArray[Any]
    basis_unit: str
    kinds: list[str]
    unit: str = ""
    limits: tuple[float, float] | None = None
    note: tuple[str, str] = ("", "")
    at_most: bool = False
    tag: str = ""


@dataclass(frozen=True)
class Missing:
    """An indicator that cannot be told, and what would be needed."""

    zh: str
    en: str


Answer = Computed | Missing
Rule = Callable[["ZoneSums", "pd.Series", "pd.DataFrame"], Answer]


def over(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Divide; NaN where there is nothing to divide by."""
    out = np.full(len(whole), np.nan)
    np.divide(part, whole, out=out, where=np.asarray(whole) > 0)
    return out


def join_notes(*notes: tuple[str, str]) -> tuple[str, str]:
    """Put notes behind one another, each language by itself; empty ones are left out.

    Examples
    --------
    >>> join_notes(("甲", "a"), ("", ""), ("乙", "b"))
    ('甲; 乙', 'a; b')
    """
    return "; ".join(n[0] for n in notes if n[0]), "; ".join(n[1] for n in notes if n[1])


@cache
def _class_names() -> dict[str, str]:
    """Return the Chinese names of the classes of the package."""
    return {key: one.zh for key, one in load_classes().items()}


def no_service(row: pd.Series) -> Missing:
    """Say that the run has no facilities of the service a row speaks of."""
    key = row["service"] or row["name_zh"]
    name = _class_names().get(key, row["name_zh"])
    return Missing(
        f"没有{name};请在设施图层 (inputs.facilities) 或 OSM 中提供, 并列入服务清单 (services.include = {key})",
        f"no facilities of {key}; give them in inputs.facilities or in OSM, and in services.include",
    )


def needs(row: pd.Series) -> Missing:
    """Say what data a row needs that a run does not have."""
    what = row["denominator"] or row["indicator"]
    return Missing(f"需要数据: {cite_zh(what)}", f"needs data: {what} ({row['indicator']})")
