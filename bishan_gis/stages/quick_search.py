"""The times to one service: what all services share is kept, and the search itself needs nothing that loads slowly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.network.plain_search import nearest_on_edges_plainly, search_nearest_plainly
from bishan_gis.network.snap import EdgeTree, Snaps, enterable, snap_points
from bishan_gis.network.star import NOT_REACHED, StarGraph, by_edge, snap_seeds
from bishan_gis.stages.access_table import STATUS
from bishan_gis.stages.forms import TABLES

if TYPE_CHECKING:
    from bishan_gis.cache import Kept
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.stages.study_stages import StudyStages

__all__ = ["search_ground", "search_service"]


def _costs(stages: StudyStages, *, level: bool) -> EdgeCosts:
    from bishan_gis.network.costs import edge_costs

    return edge_costs(stages.network, stages.costs.profile, slope="none") if level else stages.costs


def search_ground(stages: StudyStages, *, level: bool) -> Kept:
    """Keep what the searches of all services share.

    Parameters
    ----------
    stages : StudyStages
        The study.
    level : bool
        As if all streets were level.

    Returns
    -------
    Kept
        ``start, target, cost_ms`` (links, turned round)``, island`` (edges)``, edge, fraction, leg_m, leg_s`` (of the
        cells)``, leave_s`` (when one could have left the data).
    """

    def make() -> dict[str, Any]:
        from bishan_gis.access.nearest import frontier_seeds
        from bishan_gis.network.snap import find_islands

        network, costs = stages.network, _costs(stages, level=level)
        cells, far = stages.cells, stages.study.walk.max_snap_m
        snaps = snap_points(network, cells["x"], cells["y"], max_snap_m=far, usable=costs.usable)
        star = StarGraph.from_network(network, costs, reverse=True)
        nothing = by_edge(network, costs, snaps.take(np.zeros(0, dtype=np.int64)))
        found = search_nearest_plainly(star, frontier_seeds(network, costs))
        cost, _ = nearest_on_edges_plainly(costs, snaps, nothing, *found)
        leave = np.full(len(snaps), np.nan)
        leave[cost < NOT_REACHED] = cost[cost < NOT_REACHED] / 1000
        legs = np.full(len(snaps), np.inf)
        on = np.isfinite(snaps.leg_m)
        legs[on] = costs.profile.leg_ms(snaps.leg_m[on]) / 1000
        return {
            **{"start": star.start, "target": star.target, "cost_ms": star.cost_ms},
            "island": find_islands(network, network.island_m, usable=costs.usable),
            **{"edge": snaps.edge, "fraction": snaps.fraction, "leg_m": snaps.leg_m, "leg_s": legs, "leave_s": leave},
        }

    needs = [stages.network_kept, stages.origins_hash, stages.study.walk.model_dump(mode="json"), level]
    return stages.store.keep("search", needs, make, TABLES)


def search_service(stages: StudyStages, ground: Kept, service: str, *, level: bool) -> dict[str, Any]:
    """Find the times from every cell to the nearest facility of one service.

    Parameters
    ----------
    stages : StudyStages
        The study.
    ground : Kept
        From :func:`search_ground`.
    service : str
        Which service.
    level : bool
        As if all streets were level.

    Returns
    -------
    dict
        As :func:`bishan_gis.stages.access_table.pack_access` gives for the rows of
        :func:`bishan_gis.access.nearest.nearest_cost`, equal in every bit.
    """
    network, costs, known = stages.network, _costs(stages, level=level), ground.value
    points = stages.points([service])
    places = _snap(stages, costs, known["island"], points["x"].to_numpy(float), points["y"].to_numpy(float))
    ids, number = np.unique(points["facility_id"].to_numpy(dtype=str), return_inverse=True)
    label = np.asarray(number, dtype=np.int32)
    star = StarGraph(known["start"], known["target"], known["cost_ms"])
    found = search_nearest_plainly(star, snap_seeds(network, costs, places, label, arrive=True))
    origins = Snaps(known["edge"], known["fraction"], known["leg_m"])
    cost, who = nearest_on_edges_plainly(costs, origins, by_edge(network, costs, places, label), *found)
    near, leave = cost < NOT_REACHED, known["leave_s"]
    value = np.where(near, cost / 1000, np.nan)
    status = np.full(len(cost), STATUS.index("unreachable"), dtype=np.int8)
    status[~near & ~np.isnan(leave)] = STATUS.index("unknown")
    status[near] = STATUS.index("beyond_cutoff")
    status[near & (value <= stages.study.reach.search_min * 60)] = STATUS.index("reached")
    status[origins.edge < 0] = STATUS.index("off_network")
    used = np.unique(who[near])
    return {
        "value": value,
        "unknown_from_s": leave,
        "status": status,
        "facility": np.where(near, np.searchsorted(used, who), -1).astype(np.int32),
        "ids": ids[used].tolist(),
    }


def _snap(stages: StudyStages, costs: EdgeCosts, island: Any, x: Any, y: Any) -> Snaps:
    """Snap places as :func:`~bishan_gis.network.snap.snap_points` does, where the islands are known."""
    import shapely

    far, network = stages.study.walk.max_snap_m, stages.network
    near = enterable(network, costs.usable) & _near(network, x, y, far)
    points = np.asarray(shapely.points(x, y), dtype=object)
    snaps = EdgeTree(network, np.flatnonzero(near)).nearest(points, far)
    return snaps.off_islands(
        island, lambda on: EdgeTree(network, np.flatnonzero(near & ~island)).nearest(points[on], far)
    )


def _near(network: Network, x: Any, y: Any, far: float) -> Any:
    """Return the edges whose bounding box comes near to one of the places: most of a district need not be drawn."""
    if not network.n_edges:
        return np.zeros(0, dtype=np.bool_)
    first, far = network.vertex_start[:-1], far * 1.001
    both = (network.vertex_x, network.vertex_y)
    low, high = ([most.reduceat(line, first) for line in both] for most in (np.minimum, np.maximum))
    out = np.zeros(network.n_edges, dtype=np.bool_)
    for place in zip(x.tolist(), y.tolist(), strict=True):
        beside = [(low[i] <= place[i] + far) & (high[i] >= place[i] - far) for i in range(2)]
        out |= beside[0] & beside[1]
    return out
