"""What parameters of measures must be: each check names all that are wrong at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bishan_gis.errors import InputError
from bishan_gis.schema import check_listed

__all__ = ["check_cutoffs", "check_each_positive", "check_least_0", "check_positive", "check_whole"]


def check_positive(**values: float) -> None:
    """Raise when a parameter is not a finite number above 0.

    Parameters
    ----------
    **values : float
        Parameters by name.

    Raises
    ------
    InputError
        One or more values are 0, negative, infinite, NaN or no number; all are named at once.

    Examples
    --------
    >>> check_positive(cutoff_s=900)
    """
    wrong = [
        f"{name} = {value!r}" if isinstance(value, str) else f"{name} = {value}"
        for name, value in values.items()
        if not (isinstance(value, int | float | np.number) and np.isfinite(value) and value > 0)
    ]
    if wrong:
        raise InputError(
            f"参数必须是大于 0 的有限数: {'、'.join(wrong)}",
            f"parameters must be finite and above 0: {', '.join(wrong)}",
        )


def check_each_positive(**lists: Sequence[float]) -> None:
    """Raise when a parameter is not a list of finite numbers above 0.

    Parameters
    ----------
    **lists : sequence of float
        Parameters by name.

    Raises
    ------
    InputError
        It is one number, not a list; or some are 0, negative, infinite, NaN or no number: all are named at once.

    Examples
    --------
    >>> check_each_positive(cutoffs_s=[300, 900])
    """
    check_listed(**lists)
    check_positive(**{f"{name}[{k}]": value for name, values in lists.items() for k, value in enumerate(values)})


def check_cutoffs(cutoffs_s: Sequence[float]) -> list[float]:
    """Return the cutoffs, rising.

    Parameters
    ----------
    cutoffs_s : sequence of float
        Cutoffs [s].

    Raises
    ------
    InputError
        A cutoff is not above 0, repeats, or there is none.
    """
    check_each_positive(cutoffs_s=cutoffs_s)
    ends = sorted(cutoffs_s)
    if not ends or len(set(ends)) < len(ends):
        raise InputError(f"须有至少一个且不重复的时限: {ends}", f"give at least one cutoff, none twice: {ends}")
    return ends


def check_least_0(**seconds: float) -> None:
    """Raise when a parameter is not a number, or below 0; infinite ones pass.

    Parameters
    ----------
    **seconds : float
        Parameters by name.

    Raises
    ------
    InputError
        One or more are NaN, negative or no number; all are named at once.
    """
    wrong = [f"{name} = {value!r}" for name, value in seconds.items() if not (_is_number(value) and value >= 0)]
    if wrong:
        raise InputError(
            f"参数必须是不小于 0 的数: {'、'.join(wrong)}", f"parameters must be 0 or more: {', '.join(wrong)}"
        )


def check_whole(**counts: int) -> None:
    """Raise when a parameter is not a whole number of 1 or more.

    Parameters
    ----------
    **counts : int
        Parameters by name.

    Raises
    ------
    InputError
        One or more are not; all are named at once.
    """
    wrong = [
        f"{name} = {value!r}"
        for name, value in counts.items()
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1
    ]
    if wrong:
        raise InputError(
            f"参数须为不小于 1 的整数: {'、'.join(wrong)}",
            f"parameters must be whole numbers of 1 or more: {', '.join(wrong)}",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
