"""Carry elevation on a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.errors import SchemaError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from bishan_gis.network.graph import Network

__all__ = ["with_elevation"]


def with_elevation(
    network: Network,
    sample: ArrayLike | Callable[[NDArray[np.float64], NDArray[np.float64]], ArrayLike],
) -> Network:
    """Return the network with the elevation of its nodes.

    Parameters
    ----------
    network : Network
        Stays as it is.
    sample : array_like or callable
        Elevations in the order of the nodes [m], NaN where unknown; or a function that gives them from
        ``x, y`` in the network's CRS [m].

    Returns
    -------
    Network
        The same streets with ``node_elevation_m`` filled.

    Raises
    ------
    SchemaError
        There is not one elevation per node.

    Examples
    --------
    >>> hilly = with_elevation(network, lambda x, y: 250 + 0 * x)  # doctest: +SKIP
    """
    values = sample(network.node_x, network.node_y) if callable(sample) else sample
    elevation = np.array(values, dtype=np.float64)
    if elevation.shape != (network.n_nodes,):
        raise SchemaError(
            f"elevation: 网络有 {network.n_nodes} 个节点,高程形状却为 {elevation.shape};每个节点需要一个高程值",
            f"elevation: the network has {network.n_nodes} nodes, the elevations have shape {elevation.shape}; "
            "give one value per node",
        )
    elevation[~np.isfinite(elevation)] = np.nan
    return replace(network, node_elevation_m=elevation)
