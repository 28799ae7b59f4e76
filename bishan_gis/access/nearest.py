"""Time to the nearest facility of each service, with a status per origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.network.costs import EdgeCosts
from bishan_gis.network.search import nearest_on_edges, search_nearest
from bishan_gis.network.snap import OFF_NETWORK, Snaps, snap_points
from bishan_gis.network.star import NOT_REACHED, Seeds, StarGraph, by_edge, snap_seeds
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.graph import Network

__all__ = ["NearestResult", "nearest_cost"]


class NearestResult:
    """Nearest costs, with what further measures can use again.

    Attributes
    ----------
    table : pandas.DataFrame
        The ``access`` table, see :func:`nearest_cost`.
    services : list of str
        Order of the rows of `node_cost_ms`.
    node_cost_ms : ndarray of int32, shape (services, nodes)
        Cost from each node to the nearest facility [ms].
    targets : pandas.DataFrame
        The access points, sorted by service and facility.
    origin_snaps, target_snaps : Snaps
        Where origins and `targets` meet the streets.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        services: list[str],
        node_cost_ms: NDArray[np.int32],
        targets: pd.DataFrame,
        origin_snaps: Snaps,
        target_snaps: Snaps,
    ) -> None:
        self.table = table
        self.services = services
        self.node_cost_ms = node_cost_ms
        self.targets = targets
        self.origin_snaps = origin_snaps
        self.target_snaps = target_snaps


def nearest_cost(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    access_points: pd.DataFrame,
    *,
    search_s: float = 3600.0,
    max_snap_m: float = 300.0,
    progress: Callable[[int, int], None] | None = None,
) -> NearestResult:
    """Find the time from every origin to the nearest facility of each service.

    Parameters
    ----------
    network : Network
        Streets.
    costs : EdgeCosts
        What they cost the traveller.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m, CRS of the network].
    access_points : pandas.DataFrame
        ``facility_id, service, x, y`` [m]: where each facility is entered; a facility may have several.
    search_s : float
        Longer times are ``beyond_cutoff`` [s].
    max_snap_m : float
        Origins and access points farther from every street are ``off_network`` [m].
    progress : callable, optional
        Called with services done and in all.

    Returns
    -------
    NearestResult
        Its ``table`` has one row per origin and service: ``origin_id, service, measure`` ("nearest"),
        ``cutoff_s, value`` [s, to the millisecond], ``status, facility_id, unknown_from_s``.
        ``value`` is NaN where no street path exists (``unreachable``, ``off_network``, ``unknown``); where it
        is above the cutoff the status is ``beyond_cutoff``. ``unknown_from_s`` is the time at which the
        traveller could leave the data: an answer that is later than that time is only an upper bound
        (NaN: cannot leave).

    Raises
    ------
    MissingColumnError
        A column is missing.

    Notes
    -----
    ``c_i = min_j (leg_i + d(i, j) + leg_j)``: multi-source Dijkstra (1959, doi:10.1007/BF01386390) over the reversed
    streets, one search per service. Ties go to the facility whose id sorts first.
    """
    check_columns(origins, ["origin_id", "x", "y"], where="origins")
    check_columns(access_points, ["facility_id", "service", "x", "y"], where="access_points")
    o_snaps = snap_points(network, origins["x"], origins["y"], max_snap_m=max_snap_m, usable=costs.usable)
    points = access_points.sort_values(["service", "facility_id", "x", "y"], kind="stable").reset_index(drop=True)
    t_snaps = snap_points(network, points["x"], points["y"], max_snap_m=max_snap_m, usable=costs.usable)
    ids = np.unique(points["facility_id"].to_numpy(dtype=str)) if len(points) else np.zeros(0, dtype=str)
    label = np.searchsorted(ids, points["facility_id"].to_numpy(dtype=str)).astype(np.int32)
    services = sorted(points["service"].unique())

    frontier = np.flatnonzero(network.node_frontier).astype(np.int32)
    edge_of_data = Seeds(frontier, np.zeros(len(frontier), np.int64), np.zeros(len(frontier), np.int32))
    groups = [np.flatnonzero(points["service"].to_numpy() == s) for s in services]
    parts = [t_snaps.take(g) for g in groups]
    seeds = [snap_seeds(network, costs, p, label[g], arrive=True) for p, g in zip(parts, groups, strict=True)]
    reverse = StarGraph.from_network(network, costs, reverse=True)
    node_cost, node_label = search_nearest(reverse, [*seeds, edge_of_data])

    leave = np.full(len(origins), np.nan)
    nothing = by_edge(network, costs, t_snaps.take(np.zeros(0, dtype=np.int64)))
    cost, _ = nearest_on_edges(network, costs, o_snaps, nothing, node_cost[-1], node_label[-1])
    leave[cost < NOT_REACHED] = cost[cost < NOT_REACHED] / 1000

    off = o_snaps.edge == OFF_NETWORK
    frames = []
    for i, service in enumerate(services):
        here = by_edge(network, costs, parts[i], label[groups[i]])
        cost, who = nearest_on_edges(network, costs, o_snaps, here, node_cost[i], node_label[i])
        found = cost < NOT_REACHED
        value = np.where(found, cost / 1000, np.nan)
        status = np.full(len(origins), "unreachable", dtype=object)
        status[~found & ~np.isnan(leave)] = "unknown"
        status[found] = "beyond_cutoff"
        status[found & (value <= search_s)] = "reached"
        status[off] = "off_network"
        name = np.full(len(origins), None, dtype=object)
        name[found] = ids[who[found]]
        frames.append(
            pd.DataFrame(
                {
                    "origin_id": origins["origin_id"].to_numpy(),
                    "service": service,
                    "measure": "nearest",
                    "cutoff_s": float(search_s),
                    "value": value,
                    "status": status,
                    "facility_id": name,
                    "unknown_from_s": leave,
                }
            )
        )
        if progress:
            progress(i + 1, len(services))
    columns = [
        "origin_id",
        "service",
        "measure",
        "cutoff_s",
        "value",
        "status",
        "facility_id",
        "unknown_from_s",
    ]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return NearestResult(table, services, node_cost[:-1], points, o_snaps, t_snaps)
