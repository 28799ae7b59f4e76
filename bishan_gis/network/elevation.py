"""Carry elevation on a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.errors import InputError, SchemaError
from bishan_gis.network.pieces import sample_points
from bishan_gis.network.slope import load_slope_rules

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from bishan_gis.network.graph import Network

__all__ = ["with_elevation"]


def with_elevation(
    network: Network,
    sample: ArrayLike | Callable[[NDArray[np.float64], NDArray[np.float64]], ArrayLike],
    *,
    step_m: float | None = None,
) -> Network:
    """Return the network with the elevation of its nodes, and of points along its edges.

    Parameters
    ----------
    network : Network
        Stays as it is.
    sample : array_like or callable
        Elevations in the order of the nodes [m], NaN where unknown, nodes only; or a function that gives them from
        ``x, y`` in the network's CRS [m].
    step_m : float, optional
        With a function: heights are taken along each edge at most this far apart, so that a hill within an edge is
        seen [m]; 0: at nodes only; ``sample_m`` of the ``[slope]`` table where left out.

    Returns
    -------
    Network
        The same streets with ``node_elevation_m`` filled, and ``sample_elevation_m`` where edges are longer than
        `step_m`. Bridges, tunnels and steps have no samples: they run straight from end to end.

    Raises
    ------
    SchemaError
        There is not one elevation per node, or per place that was asked for.
    InputError
        `sample` is a file.

    Examples
    --------
    A slope of 10 % to the east, and the heights of a raster:

    >>> import geopandas as gpd
    >>> from bishan_gis.network.graph import Network
    >>> line = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 400 0)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame(geometry=line))
    >>> with_elevation(network, lambda x, y: 250 + x / 10).node_elevation_m.tolist()
    [250.0, 290.0]
    >>> from bishan_gis.crs import to_lonlat
    >>> from bishan_gis.sources.elevation import sample_elevation
    >>> def dem(x, y):
    ...     return sample_elevation("dem.tif", *to_lonlat(x, y, network.crs))
    >>> with_elevation(network, dem)  # doctest: +SKIP
    """
    start, x, y, n = None, network.node_x, network.node_y, network.n_nodes
    if callable(sample):
        step_m = load_slope_rules().sample_m if step_m is None else step_m
        start, inner_x, inner_y = sample_points(network, step_m)
        x, y = np.concatenate([x, inner_x]), np.concatenate([y, inner_y])
    if isinstance(sample, str | PathLike):
        raise InputError(
            f"sample: {sample} 是文件;请给出每个节点的高程, 或由 x, y 取高程的函数 (栅格见 with_elevation 的示例)",
            f"sample: {sample} is a file; give a height per node, or a function of x, y (of a raster: as in the "
            "example of with_elevation)",
        )
    values = sample(x, y) if callable(sample) else sample
    elevation = np.array(values, dtype=np.float64)
    if elevation.shape != x.shape:
        raise SchemaError(
            f"elevation: 网络需要 {len(x)} 个高程值 (其中 {n} 个节点),高程形状却为 {elevation.shape};"
            "每个位置需要一个高程值",
            f"elevation: the network needs {len(x)} heights ({n} of them for nodes), the elevations have shape "
            f"{elevation.shape}; give one value per place",
        )
    elevation[~np.isfinite(elevation)] = np.nan
    some = len(x) > n
    return replace(
        network,
        node_elevation_m=elevation[:n].copy(),
        sample_start=start if some else None,
        sample_elevation_m=elevation[n:].copy() if some else None,
    )
