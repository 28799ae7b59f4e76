"""The nearest of some places as the crow flies; of equally near ones the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["nearest_points"]


def nearest_points(
    from_xy: NDArray[np.float64], to_xy: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the nearest place to each point.

    Parameters
    ----------
    from_xy, to_xy : ndarray, shape (n, 2) and (m, 2)
        Points and places [m]; finite.

    Returns
    -------
    distance_m : ndarray of float64
        Distance [m]; infinite where there is no place at all.
    row : ndarray of int64
        Row of `to_xy`, of equally near ones the first; -1 where there is none.

    Examples
    --------
    >>> distance, row = nearest_points(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [4.0, 3.0]]))
    >>> distance.tolist(), row.tolist()
    ([5.0], [0])
    """
    import shapely

    n = len(from_xy)
    if not n or not len(to_xy):
        return np.full(n, np.inf), np.full(n, -1, dtype=np.int64)
    tree = shapely.STRtree(np.asarray(shapely.points(to_xy), dtype=object))
    who, place = tree.query_nearest(shapely.points(from_xy), all_matches=True)
    row = np.full(n, len(to_xy), dtype=np.int64)
    np.minimum.at(row, who, place)
    return np.hypot(*(from_xy - to_xy[row]).T), row
