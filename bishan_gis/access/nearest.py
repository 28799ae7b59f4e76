"""Time to the nearest facility of each service, with a status per origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.access.parameters import check_least_0
from bishan_gis.access.place_tables import number_ids, place_table, snap_table
from bishan_gis.errors import InputError, SchemaError
from bishan_gis.network.cost_checks import check_costs
from bishan_gis.network.costs import EdgeCosts
from bishan_gis.network.scipy_search import choose_engine, nearest_on_edges_by_scipy, search_nearest_by_scipy
from bishan_gis.network.search import nearest_on_edges, search_nearest
from bishan_gis.network.snap import OFF_NETWORK, Snaps
from bishan_gis.network.star import NOT_REACHED, EdgePlaces, Seeds, StarGraph, by_edge, snap_seeds
from bishan_gis.progress import Progress, counting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.graph import Network

__all__ = ["NearestResult", "frontier_seeds", "nearest_cost", "offset_column", "trip_costs"]


class NearestResult:
    """Nearest costs, with what further measures can use again.

    Attributes
    ----------
    table : pandas.DataFrame
        The ``access`` table, see :func:`nearest_cost`.
    services : list of str
        Order of the rows of `node_cost_ms`.
    node_cost_ms : ndarray of int32, shape (services, n_states)
        Cost from each search state (the nodes first) to the nearest facility [ms], turn-out included.
    targets : pandas.DataFrame
        The access points, sorted by service and facility.
    origin_snaps, target_snaps : Snaps
        Where origins and `targets` meet the streets.
    costs : EdgeCosts
        What was searched over: those given, or their reverse where facilities travel to the origins. Service areas
        that go on from `node_cost_ms` need these.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        services: list[str],
        node_cost_ms: NDArray[np.int32],
        targets: pd.DataFrame,
        origin_snaps: Snaps,
        target_snaps: Snaps,
        costs: EdgeCosts,
    ) -> None:
        self.table = table
        self.services = services
        self.node_cost_ms = node_cost_ms
        self.targets = targets
        self.origin_snaps = origin_snaps
        self.target_snaps = target_snaps
        self.costs = costs

    @property
    def edge_share(self) -> pd.Series:
        """Share of origins per service whose answer rests on the edge of the data.

        For these the data ends before the answer is certain: no facility was found and the traveller could leave
        the data (``unknown``), or one could have left it before the nearest one found is reached (``value`` is
        later than ``unknown_from_s``). Origins off the network are not counted.
        """
        t = self.table[self.table["status"] != "off_network"]
        late = (t["status"] == "unknown") | (t["value"] > t["unknown_from_s"])
        return late.groupby(t["service"]).mean().astype(float).rename("edge_share")


def trip_costs(network: Network, costs: EdgeCosts, direction: str) -> EdgeCosts:
    """Return the costs to search over so that the cost "to" a place is that of the trip wanted.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost the traveller.
    direction : str
        ``to``: origins travel to facilities; ``from``: facilities travel to origins (fire engines, deliveries).

    Raises
    ------
    InputError
        `direction` is neither, or the costs are not those of the network.
    """
    check_costs(network, costs)
    if direction not in ("to", "from"):
        raise InputError(
            f"direction = {direction!r} 无效;可用: to (前往设施), from (由设施出发)",
            f"direction = {direction!r}: use 'to' (to the facilities) or 'from' (from them)",
        )
    return costs if direction == "to" else costs.reversed()


def offset_column(points: pd.DataFrame, *, where: str) -> NDArray[np.int64] | None:
    """Return what each place costs besides the trip [ms], or None where the table does not say.

    Parameters
    ----------
    points : pandas.DataFrame
        May have ``offset_s`` [s, 0 or more]: turn-out of fire engines, time to park ...
    where : str
        What the reader knows the table as.

    Raises
    ------
    SchemaError
        An offset is missing, below 0 or not a number.

    Examples
    --------
    >>> offset_column(pd.DataFrame({"facility_id": ["f"], "offset_s": [60]}), where="access_points")
    array([60000])
    """
    if "offset_s" not in points.columns:
        return None
    seconds = pd.to_numeric(points["offset_s"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = int((~np.isfinite(seconds) | (seconds < 0)).sum())
    if wrong:
        raise SchemaError(
            f"{where}: 列 offset_s 有 {wrong} 行缺失、为负或不是数值;请填写不小于 0 的秒数",
            f"{where}: {wrong} rows of column offset_s are missing, negative or not numeric; give seconds, 0 or more",
        )
    out: NDArray[np.int64] = np.rint(seconds * 1000).astype(np.int64)
    return out


def _take(ids: pd.Index, code: NDArray[np.int32]) -> Any:
    """Return the id of each code, none for -1: whole numbers stay whole (``Int64``), all else is an object."""
    if pd.api.types.is_integer_dtype(ids.dtype):
        return ids.astype("Int64").array.take(code, allow_fill=True)
    out = np.full(len(code), None, dtype=object)
    out[code >= 0] = ids.to_numpy(dtype=object)[code[code >= 0]]
    return out


def frontier_seeds(network: Network, costs: EdgeCosts) -> Seeds:
    """Return seeds of cost 0 wherever the traveller could leave the data.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    """
    at = np.flatnonzero(network.node_frontier[costs.state_node]).astype(np.int32)
    return Seeds(at, np.zeros(len(at), np.int64), np.zeros(len(at), np.int32))


def nearest_cost(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    access_points: pd.DataFrame,
    *,
    search_s: float = 3600.0,
    max_snap_m: float = 300.0,
    direction: str = "to",
    engine: str = "auto",
    threads: int = 2,
    progress: Progress | None = None,
) -> NearestResult:
    """Find the time from every origin to the nearest facility of each service.

    Parameters
    ----------
    network : Network
        Streets.
    costs : EdgeCosts
        What they cost the traveller.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m, CRS of the network], or a GeoDataFrame of points without ``x, y``, which are projected;
        ids are unique.
    access_points : pandas.DataFrame
        ``facility_id, service, x, y`` [m]: where each facility is entered; a facility may have several. Optional
        ``offset_s`` [s]: what a place costs besides the trip, such as the turn-out of a fire engine; it is part of
        ``value``. A GeoDataFrame of points will do here, too.
    search_s : float
        Longer times are ``beyond_cutoff`` [s].
    max_snap_m : float
        Origins and access points farther from every street are ``off_network`` [m].
    direction : str
        ``to``: the trip goes from the origin to the facility; ``from``: from the facility to the origin.
    engine : str
        ``numba``; ``scipy``: slower, equal to the millisecond; ``auto``: numba where it is installed.
    threads : int
        Services searched at the same time; the result does not depend on it.
    progress : callable or bool, optional
        Called with steps done and in all, two for each service (search, origins); True draws a bar.

    Returns
    -------
    NearestResult
        Its ``table`` has one row per origin and service: ``origin_id, service, measure`` ("nearest"),
        ``cutoff_s, value`` [s, to the millisecond], ``status, facility_id, unknown_from_s``.
        ``value`` is NaN where no street path exists (``unreachable``, ``off_network``, ``unknown``); where it
        is above the cutoff the status is ``beyond_cutoff``. ``unknown_from_s`` [s] is the time at which the
        traveller could leave the data (``from``: come in from outside): where a street was cut, what lies beyond
        is not known, and an answer that is later than that time is only an upper bound; an earlier one is certain
        (NaN: cannot leave). The share of such answers is :attr:`NearestResult.edge_share`. Ids keep their type;
        whole numbers are ``Int64``, as some may be missing. Without access points no service is known, and there are
        no rows; which origins are off the network then is in ``origin_snaps``.

    Raises
    ------
    MissingColumnError
        A column is missing.
    SchemaError
        A coordinate or an offset is missing, not a number or below 0; an id or a service is missing; origins repeat.
    CrsError
        Points without a CRS, or ``x, y`` beside a geometry in another CRS.
    InputError
        No such direction or engine; the costs are not those of the network; `search_s` is below 0, `max_snap_m` not
        above 0, or not numbers.

    Warns
    -----
    BishanGisWarning
        Not one origin, or not one access point, lies where the network is.

    Notes
    -----
    ``c_i = min_j (leg_i + d(i, j) + leg_j + offset_j)``: multi-source Dijkstra (1959, doi:10.1007/BF01386390) over
    the reversed streets, one search per service; for ``from`` over the streets as they are. Ties go to the facility
    whose id sorts first.

    Examples
    --------
    A street of 400 m at 90 s per 100 m, a fire station 200 m along it whose engines need 60 s to turn out:

    >>> import geopandas as gpd
    >>> from bishan_gis.network.costs import edge_costs, load_profile
    >>> from bishan_gis.network.graph import Network
    >>> street = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 400 0)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame(geometry=street))
    >>> costs = edge_costs(network, load_profile("adult"))
    >>> homes = pd.DataFrame({"origin_id": ["A", "B"], "x": [0, 100], "y": [0, 0]})
    >>> station = pd.DataFrame({"facility_id": ["f"], "service": ["fire"], "x": [200], "y": [0], "offset_s": [60]})
    >>> near = nearest_cost(network, costs, homes, station, search_s=200, direction="from")
    >>> near.table[["origin_id", "value", "status"]].values.tolist()
    [['A', 240.0, 'beyond_cutoff'], ['B', 150.0, 'reached']]
    """
    slow = choose_engine(engine) == "scipy"
    costs = trip_costs(network, costs, direction)
    check_least_0(search_s=search_s)
    origins = place_table(network, origins, ["origin_id"], where="origins", unique=True)
    access_points = place_table(network, access_points, ["facility_id", "service"], where="access_points")
    owner, ids = number_ids(access_points["facility_id"], where="access_points")
    group, named = number_ids(access_points["service"], where="access_points")
    order = np.lexsort((access_points["y"], access_points["x"], owner, group))
    points, label, group = access_points.iloc[order].reset_index(drop=True), owner[order], group[order]
    services = named.tolist()
    o_snaps = snap_table(network, costs, origins, max_snap_m=max_snap_m, where="origins")
    t_snaps = snap_table(network, costs, points, max_snap_m=max_snap_m, where="access_points")

    offset = offset_column(points, where="access_points")
    groups = [np.flatnonzero(group == i) for i in range(len(services))]
    parts = [t_snaps.take(g) for g in groups]
    extra = [None if offset is None else offset[g] for g in groups]
    seeds = [
        snap_seeds(network, costs, p, label[g], arrive=True, offset_ms=o)
        for p, g, o in zip(parts, groups, extra, strict=True)
    ]
    reverse = StarGraph.from_network(network, costs, reverse=True)
    every = [*seeds, frontier_seeds(network, costs)]
    off = o_snaps.edge == OFF_NETWORK
    frames = []
    with counting(progress, 2 * len(services) + 1, "nearest") as step:
        if slow:
            node_cost, node_label = search_nearest_by_scipy(reverse, every)
            step(len(every))
        else:
            node_cost, node_label = search_nearest(reverse, every, threads=threads, step=step)

        def carry(places: EdgePlaces, row: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
            if slow:
                return nearest_on_edges_by_scipy(costs, o_snaps, places, node_cost[row], node_label[row])
            return nearest_on_edges(network, costs, o_snaps, places, node_cost[row], node_label[row])

        leave = np.full(len(origins), np.nan)
        nothing = by_edge(network, costs, t_snaps.take(np.zeros(0, dtype=np.int64)))
        cost, _ = carry(nothing, len(services))
        leave[cost < NOT_REACHED] = cost[cost < NOT_REACHED] / 1000
        for i, service in enumerate(services):
            here = by_edge(network, costs, parts[i], label[groups[i]], offset_ms=extra[i])
            cost, who = carry(here, i)
            found = cost < NOT_REACHED
            value = np.where(found, cost / 1000, np.nan)
            status = np.full(len(origins), "unreachable", dtype=object)
            status[~found & ~np.isnan(leave)] = "unknown"
            status[found] = "beyond_cutoff"
            status[found & (value <= search_s)] = "reached"
            status[off] = "off_network"
            frames.append(
                pd.DataFrame(
                    {
                        "origin_id": origins["origin_id"].to_numpy(),
                        "service": service,
                        "measure": "nearest",
                        "cutoff_s": float(search_s),
                        "value": value,
                        "status": status,
                        "facility_id": _take(ids, np.where(found, who, -1)),
                        "unknown_from_s": leave,
                    }
                )
            )
            step(1)
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
    return NearestResult(table, services, node_cost[:-1], points, o_snaps, t_snaps, costs)
