"""The middle of the people, round which maps show an inset at a larger scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.crs import to_lonlat

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray
    from pyproj import CRS

__all__ = ["core", "middle"]


def middle(cells: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return the place with half of the people on either side of it, west to east and south to north.

    Parameters
    ----------
    cells : geopandas.GeoDataFrame
        ``x, y`` [m], ``people``; one row or more.

    Returns
    -------
    ndarray of float
        ``x, y`` in the CRS of the cells [m].

    Examples
    --------
    >>> import pandas as pd
    >>> middle(pd.DataFrame({"x": [0.0, 50.0, 90.0], "y": [9.0, 5.0, 1.0], "people": [10, 30, 60]})).tolist()
    [90.0, 1.0]
    """
    people = cells["people"].to_numpy(float)
    out = []
    for c in ("x", "y"):
        order = np.argsort(cells[c].to_numpy(), kind="stable")
        out.append(cells[c].to_numpy(float)[order][np.searchsorted(np.cumsum(people[order]), people.sum() / 2)])
    return np.array(out)


def core(cells: gpd.GeoDataFrame, crs: CRS) -> list[float] | None:
    """Return the middle of the people as ``[latitude, longitude]`` [degrees], None without cells."""
    if not len(cells):
        return None
    x, y = middle(cells)
    lon, lat = to_lonlat(x, y, crs)
    return [round(float(lat), 5), round(float(lon), 5)]
