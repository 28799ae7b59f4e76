"""Polygons from many small surfaces at once.

Windows are stacked into one sheet, separated by a border that lies outside, and contoured in a single pass:
drawing ten thousand circles one by one would spend its time on calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.access.time_grid import FAR
from bishan_gis.network.jit import njit

if TYPE_CHECKING:
    import shapely
    from numpy.typing import NDArray

    from bishan_gis.access.time_grid import TimeGrid

__all__ = ["contour_surface", "contour_windows", "level_field"]

#: Field around a window; windows that do not end at the rim of the grid end outside by themselves.
_OUTSIDE = 10.0
#: Side of the tiles that :func:`_patches` looks at [grid points]; found by measuring.
_TILE = 16


@njit(cache=True, nogil=True)
def _level(seconds, leg_m, cutoff_s, off_m, speed, cap, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Fill the field; return the rows and columns between which something is inside."""
    rows, cols = seconds.shape
    top, bottom, left, right = rows, -1, cols, -1
    for i in range(rows):
        for j in range(cols):
            late = seconds[i, j] - cutoff_s
            aside = (leg_m[i, j] - off_m) / speed
            z = min(max(late, aside), cap)
            if z == 0.0:
                z = 1e-3
            if z < 0.0:
                top, bottom = min(top, i), max(bottom, i)
                left, right = min(left, j), max(right, j)
            out[i, j] = z
    return top, bottom, left, right


def level_field(
    seconds: NDArray[np.float32],
    grid: TimeGrid,
    box: tuple[slice, slice],
    cutoff_s: float,
    speed: float,
    mine: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.float64], tuple[int, int]] | None:
    """Return seconds past the edge of the service area, negative inside.

    Inside is what lies within the cutoff and within the off-network distance; beyond, the field is capped at
    two steps of walking, so that what is not reached pulls the contour no further than the next grid point.

    Parameters
    ----------
    seconds : ndarray of float32
        Travel time in the box [s].
    grid : TimeGrid
        The grid.
    box : tuple of slice
        Rows and columns of the grid that `seconds` covers.
    cutoff_s, speed : float
        Cutoff [s], walking speed [m/s].
    mine : ndarray of bool, optional
        Where False, nothing counts as inside.

    Returns
    -------
    (ndarray, (int, int)) or None
        The field, cut to what is inside and one point around it, and where it begins in the grid; None where
        nothing is inside.
    """
    out = np.empty(seconds.shape)
    cap = 2 * grid.step_m / speed
    if mine is not None:
        seconds = np.where(mine, seconds, FAR)
    top, bottom, left, right = _level(seconds, grid.leg_m[box], cutoff_s, grid.off_network_m, speed, cap, out)
    if bottom < 0:
        return None
    top, left = max(top - 1, 0), max(left - 1, 0)
    return out[top : bottom + 2, left : right + 2], (box[0].start + top, box[1].start + left)


def contour_windows(
    fields: Sequence[NDArray[np.float64]], corners: Sequence[tuple[int, int]], grid: TimeGrid
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Draw the zero contour of many windows of the grid.

    Parameters
    ----------
    fields : sequence of ndarray
        Negative inside.
    corners : sequence of (int, int)
        Row and column of the grid where each window begins.
    grid : TimeGrid
        The grid.

    Returns
    -------
    polygons : ndarray of shapely.Polygon
        With holes, in the CRS of the network.
    window : ndarray of int64
        The window each polygon belongs to, rising.
    """
    import shapely
    from contourpy import FillType, contour_generator

    heights = np.array([f.shape[0] + 2 for f in fields])
    top = np.concatenate([[0], np.cumsum(heights)])
    sheet = np.full((top[-1], max(f.shape[1] for f in fields) + 2), _OUTSIDE)
    for field, row in zip(fields, top[:-1], strict=True):
        sheet[row + 1 : row + 1 + field.shape[0], 1 : 1 + field.shape[1]] = field
    drawn: Any = contour_generator(z=sheet, fill_type=FillType.ChunkCombinedOffsetOffset).filled(-np.inf, 0.0)
    (xy,), (rings,), (outers,) = drawn
    if xy is None or rings is None or outers is None:
        return np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
    # A polygon belongs to the window its first vertex lies in; all its vertices move with it.
    of_polygon = np.searchsorted(top, xy[rings[outers[:-1]], 1], side="right") - 1
    of_vertex = np.repeat(of_polygon, np.diff(rings[outers]))
    first = np.array(corners)
    moved = np.column_stack(
        [
            grid.x0 + (xy[:, 0] - 1 + first[of_vertex, 1]) * grid.step_m,
            grid.y0 + (xy[:, 1] - 1 - top[of_vertex] + first[of_vertex, 0]) * grid.step_m,
        ]
    )
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, moved, (rings.astype(np.int64), outers.astype(np.int64))
    )
    order = np.argsort(of_polygon, kind="stable")
    return polygons[order], of_polygon[order]


@njit(cache=True, nogil=True)
def _tiles(seconds, leg_m, cutoff_s, off_m, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Mark the tiles in which some grid point is inside."""
    for i in range(seconds.shape[0]):
        for j in range(seconds.shape[1]):
            if seconds[i, j] < cutoff_s and leg_m[i, j] < off_m:
                out[i // _TILE, j // _TILE] = True


def _patches(
    seconds: NDArray[np.float32], leg_m: NDArray[np.float32], cutoff_s: float, off_m: float
) -> Iterator[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
    """Split a large, mostly empty grid into windows around what is inside.

    Groups of tiles that touch stay together and others are a tile away, so no contour is cut.
    """
    from scipy import ndimage

    rows, cols = seconds.shape
    tiles = np.zeros((-(-rows // _TILE), -(-cols // _TILE)), dtype=bool)
    _tiles(seconds, leg_m, seconds.dtype.type(cutoff_s), leg_m.dtype.type(off_m), tiles)
    group, _ = ndimage.label(tiles, structure=np.ones((3, 3)))
    for number, (r, c) in enumerate(ndimage.find_objects(group), start=1):
        # One tile around, cut to one grid point, so that contours close.
        wide = (slice(max(r.start - 1, 0), r.stop + 1), slice(max(c.start - 1, 0), c.stop + 1))
        near = ndimage.binary_dilation(group[wide] == number, structure=np.ones((3, 3), dtype=bool))
        part = (
            slice(max(r.start * _TILE - 1, 0), min(r.stop * _TILE + 1, rows)),
            slice(max(c.start * _TILE - 1, 0), min(c.stop * _TILE + 1, cols)),
        )
        tile = [np.arange(s.start, s.stop) // _TILE - w.start for s, w in zip(part, wide, strict=True)]
        yield part, near[np.ix_(*tile)]


def _width(window: tuple[NDArray[np.float64], tuple[int, int]]) -> int:
    """Return the class of width of a window; those of one class share a sheet."""
    return int(window[0].shape[1]).bit_length()


def contour_surface(
    seconds: NDArray[np.float32], grid: TimeGrid, cutoff_s: float, speed: float
) -> shapely.MultiPolygon | None:
    """Draw the ground within a cutoff from a surface that covers the whole grid, however much of it is empty.

    Parameters
    ----------
    seconds : ndarray of float32
        Travel time at every grid point [s].
    grid : TimeGrid
        The grid.
    cutoff_s, speed : float
        Cutoff [s], speed off the streets [m/s].

    Returns
    -------
    shapely.MultiPolygon or None
        With holes; None where nothing is inside.
    """
    import shapely

    windows = []
    for part, mine in _patches(seconds, grid.leg_m, cutoff_s, grid.off_network_m):
        window = level_field(seconds[part], grid, part, cutoff_s, speed, mine)
        if window is not None:
            windows.append(window)
    polygons = []
    for _, alike in groupby(sorted(windows, key=_width), key=_width):
        fields, corners = zip(*alike, strict=True)
        polygons.append(contour_windows(fields, corners, grid)[0])
    return shapely.MultiPolygon(list(np.concatenate(polygons))) if polygons else None
