"""How numbers are written; ``assets/format.js`` says the same for the browser, and a test compares the two."""

from __future__ import annotations

import math

__all__ = ["area_km2", "distance", "exact", "minutes", "people", "percent", "rounded_people"]


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def exact(value: float) -> str:
    """Return a whole number with thousands separated."""
    return f"{_round(value):,}"


def people(value: float) -> str:
    """Return people: to hundreds above 10,000, to tens above 100.

    Examples
    --------
    >>> people(463_412), people(1_284), people(57)
    ('463,400', '1,280', '57')
    """
    return f"{rounded_people(value):,}"


def rounded_people(value: float) -> int:
    """Return people as `people` writes them, as a number for sentences made elsewhere.

    Parameters
    ----------
    value : float
        People.

    Examples
    --------
    >>> rounded_people(208_171)
    208200
    """
    step = 100 if value > 10_000 else 10 if value > 100 else 1
    return _round(value / step) * step


def percent(part: float, whole: float) -> str:
    r"""Return a share with one decimal; what is not quite all or none never reads as all or none.

    Examples
    --------
    >>> percent(613, 1000), percent(99_999, 100_000), percent(1, 100_000), percent(0, 0)
    ('61.3\xa0%', '>99.9\xa0%', '<0.1\xa0%', '—')
    """
    if not whole > 0:
        return "—"
    tenths = _round(part / whole * 1000)
    if tenths >= 1000 and part < whole:
        return ">99.9\u00a0%"
    if tenths <= 0 and part > 0:
        return "<0.1\u00a0%"
    return f"{tenths / 10:.1f}\u00a0%"


def minutes(seconds: float) -> str:
    """Return whole minutes, rounded up, so that what reads 10 is within 10."""
    return str(max(1, math.ceil(seconds / 60)))


def distance(metres: float) -> str:
    """Return metres by 10, from 2 km on kilometres with one decimal."""
    by10 = _round(metres / 10) * 10
    if by10 < 2000:
        return f"{by10:,} m"
    return f"{_round(by10 / 100) / 10:.1f} km"


def area_km2(value: float) -> str:
    """Return square kilometres with one decimal."""
    return f"{_round(value * 10) / 10:,.1f} km²"
