"""Rows of uneven length in one flat array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["positions"]


def positions(first: NDArray[Any], count: NDArray[Any]) -> NDArray[np.int64]:
    """Return the positions of some rows, one row after the other.

    Parameters
    ----------
    first, count : ndarray of int
        Where each row begins, and how long it is.

    Examples
    --------
    >>> positions(np.array([7, 0]), np.array([2, 3])).tolist()
    [7, 8, 0, 1, 2]
    """
    out: NDArray[np.int64] = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
    return out
