"""Times of people who walk at another speed, or whose leg to the streets is another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["changed_times"]


def changed_times(seconds: ArrayLike, *, speed: float = 1.0, more_s: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Return what times become, see :func:`bishan_gis.access.uncertainty.changed_access`.

    Parameters
    ----------
    seconds : array_like
        Times [s]; NaN stays NaN.
    speed : float
        Factor on every speed.
    more_s : array_like
        What is added before [s]: legs to the streets, below 0 where they are left out.

    Returns
    -------
    ndarray of float64
        Times [s], rounded up to the millisecond and not below 0.

    Examples
    --------
    >>> changed_times([810.0], speed=0.9).tolist()
    [900.0]
    """
    known = np.maximum(np.asarray(seconds, dtype=np.float64) + np.asarray(more_s, dtype=np.float64), 0.0)
    # Below the millisecond there is only the noise of floats: taken out before rounding up.
    return np.asarray(np.ceil(np.round(known * 1000 / speed, 4)) / 1000, dtype=np.float64)
