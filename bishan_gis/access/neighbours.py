"""Who is next to whom: the neighbours of cells, found from their geometry.

Cells split by a border, cells that stand alone and coordinates with rounding noise are treated alike everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import InputError, SchemaError
from bishan_gis.schema import check_columns, check_unique

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["Neighbours", "find_neighbours"]

_METHODS = ("queen", "knn", "distance")


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Who is next to whom.

    Attributes
    ----------
    ids : pandas.Index
        Cells.
    focal, neighbour : ndarray of int
        Positions of the pairs, by focal and neighbour; nobody is their own neighbour.
    """

    ids: pd.Index
    focal: NDArray[np.int64]
    neighbour: NDArray[np.int64]

    @property
    def counts(self) -> pd.Series:
        """Number of neighbours of each cell; 0: an island."""
        return pd.Series(np.bincount(self.focal, minlength=len(self.ids)), index=self.ids, name="n_neighbours")

    def among(self, keep: NDArray[np.bool_]) -> Neighbours:
        """Return the neighbours among some of the cells."""
        both = keep[self.focal] & keep[self.neighbour]
        place = np.cumsum(keep) - 1
        return Neighbours(self.ids[keep], place[self.focal[both]], place[self.neighbour[both]])


def find_neighbours(
    cells: gpd.GeoDataFrame,
    *,
    method: str = "queen",
    k: int = 8,
    distance_m: float | None = None,
    touch_m: float = 0.01,
    id_column: str = "cell_id",
) -> Neighbours:
    """Find the neighbours of each cell from the geometry.

    Parameters
    ----------
    cells : geopandas.GeoDataFrame
        Polygons, in a CRS with metres; points will do where centres alone count.
    method : str
        ``queen``: those that touch, a corner is enough, or overlap; ``knn``: the `k` whose centres are nearest;
        ``distance``: those whose centres lie within `distance_m`.
    k : int
        Number of neighbours for ``knn``; of equally near ones the first rows count.
    distance_m : float, optional
        For ``distance`` [m].
    touch_m : float
        Gaps up to this still touch [m]: coordinates are rounded.
    id_column : str
        Where the id of a cell stands.

    Returns
    -------
    Neighbours
        Pairs; mutual but for ``knn``.

    Raises
    ------
    CrsError
        The cells are not in metres.
    InputError
        No such method, no distance, or `k` is not between 1 and the number of other cells.
    SchemaError
        Ids are missing or repeat, a cell has no geometry, or is no polygon where they are to touch.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> row = gpd.GeoDataFrame({"cell_id": list("ABC")}, geometry=[box(x, 0, x + 1, 1) for x in (0, 1, 5)], crs=4544)
    >>> find_neighbours(row).counts.to_dict()
    {'A': 1, 'B': 1, 'C': 0}
    """
    import shapely
    from scipy.spatial import cKDTree

    from bishan_gis.crs import check_metric

    check_metric(cells, where="cells")
    check_columns(cells, [id_column], where="cells")
    check_unique(cells[id_column], where="cells")
    shape = cells.geometry.to_numpy()
    n, empty = len(cells), int((shapely.is_missing(shape) | shapely.is_empty(shape)).sum())
    if empty:
        raise SchemaError(f"cells: {empty} 个单元没有几何", f"cells: {empty} cells have no geometry")
    centre = shapely.get_coordinates(shapely.centroid(shape))
    if method == "queen":
        flat = int((shapely.get_dimensions(shape) != 2).sum())
        if flat:
            raise SchemaError(
                f"cells: {flat} 个单元不是面, 无从相接;请给出面, 或用 method = 'knn' 或 'distance'",
                f"cells: {flat} cells are no polygons and touch nothing; give polygons, or use method = 'knn' or "
                "'distance'",
            )
        focal, other = shapely.STRtree(shape).query(shape, predicate="dwithin", distance=touch_m)
    elif method == "distance":
        if distance_m is None:
            zh, en = "method = distance 须给出 distance_m", "method = distance needs distance_m"
            raise InputError(zh, en)
        check_positive(distance_m=distance_m)
        pairs = cKDTree(centre).query_pairs(distance_m, output_type="ndarray")
        focal, other = np.concatenate([pairs, pairs[:, ::-1]]).T
    elif method == "knn":
        if not 1 <= k < n:
            raise InputError(f"k = {k} 须在 1 与 {n - 1} 之间", f"k = {k} must lie between 1 and {n - 1}")
        focal, other = _nearest(centre, k)
    else:
        known = ", ".join(_METHODS)
        raise InputError(f"method = {method!r} 无效;可用: {known}", f"no method {method!r}; known: {known}")
    focal, other = focal[focal != other], other[focal != other]
    order = np.lexsort((other, focal))
    return Neighbours(pd.Index(cells[id_column]), focal[order].astype(np.int64), other[order].astype(np.int64))


def _nearest(centre: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each point's `k` nearest others; ties, to the millimetre, go to the first rows."""
    from scipy.spatial import cKDTree

    n, tree = len(centre), cKDTree(centre)
    reach = tree.query(centre, k=k + 1)[0][:, -1]
    found = tree.query_ball_point(centre, reach + 1e-3)
    focal = np.repeat(np.arange(n), [len(f) for f in found])
    other = np.concatenate([np.asarray(f, dtype=np.int64) for f in found])
    focal, other = focal[focal != other], other[focal != other]
    distance = np.round(np.hypot(*(centre[focal] - centre[other]).T), 3)
    order = np.lexsort((other, distance, focal))
    focal, other = focal[order], other[order]
    starts = np.searchsorted(focal, np.arange(n))
    first = np.arange(len(focal)) - starts[focal] < k
    return focal[first], other[first]
