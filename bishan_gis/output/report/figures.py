"""Numbers of the report: each is written once, and kept with its value."""

from __future__ import annotations

import math
from typing import Any

from bishan_gis.output.maps import numbers as fmt

__all__ = ["Cell", "area", "count", "minutes", "people", "plain", "share", "text"]

#: A number as it is written, and its value; a text has none.
Cell = dict[str, Any]

DASH = "—"


def text(words: object) -> Cell:
    """Return a text as a cell.

    Parameters
    ----------
    words : object
        What is written.
    """
    return {"text": str(words), "value": None}


def _number(value: float, written: str) -> Cell:
    plain_value = float(value)
    if not math.isfinite(plain_value):
        return {"text": DASH, "value": None}
    return {"text": written, "value": int(plain_value) if plain_value.is_integer() else plain_value}


def count(value: float) -> Cell:
    """Return a whole number, such as people of a census or facilities.

    Parameters
    ----------
    value : float
        The number.

    Examples
    --------
    >>> count(756_022)
    {'text': '756,022', 'value': 756022}
    """
    return _number(value, fmt.exact(value) if math.isfinite(value) else DASH)


def people(value: float) -> Cell:
    """Return people that were computed: to hundreds above 10,000, to tens above 100.

    Parameters
    ----------
    value : float
        People.
    """
    return _number(value, fmt.people(value) if math.isfinite(value) else DASH)


def share(part: float, whole: float) -> Cell:
    """Return a share with one decimal; its value is the plain share (0-1).

    Parameters
    ----------
    part, whole : float
        What is divided; where `whole` is 0 there is no share.
    """
    return _number(part / whole if whole > 0 else math.nan, fmt.percent(part, whole))


def area(value_km2: float) -> Cell:
    """Return an area with one decimal.

    Parameters
    ----------
    value_km2 : float
        Area [km2].
    """
    return _number(value_km2, fmt.area_km2(value_km2).replace(" ", "\u00a0") if math.isfinite(value_km2) else DASH)


def minutes(seconds: float) -> Cell:
    """Return whole minutes, rounded up; the value stays in seconds.

    Parameters
    ----------
    seconds : float
        Time [s].
    """
    return _number(seconds, fmt.minutes(seconds) if math.isfinite(seconds) else DASH)


def plain(value: float, unit: str = "", *, decimals: int = 2) -> Cell:
    r"""Return another number with its unit.

    Parameters
    ----------
    value : float
        The number.
    unit : str
        Its unit as it is written.
    decimals : int
        How many, unless the number is whole.

    Examples
    --------
    >>> plain(13.861, "km/km²")["text"]
    '13.86\xa0km/km²'
    """
    if not math.isfinite(value):
        return {"text": DASH, "value": None}
    digits = 0 if float(value).is_integer() else decimals + (abs(value) < 0.1)
    written = f"{value:,.{digits}f}"
    return _number(value, f"{written}\u00a0{unit}" if unit else written)
