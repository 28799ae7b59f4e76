"""Door-to-door times by public transport: walk, wait, ride, change, walk; or walk all the way where that is quicker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.place_tables import place_table, whole_ms
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.errors import InputError
from bishan_gis.network.connection_scan import NEVER, Legs, arrivals, scan_connections
from bishan_gis.schema import check_listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.network.timetable import Timetable

__all__ = ["clock_s", "transit_times"]


def clock_s(text: str) -> int:
    """Return a time of day as seconds after midnight.

    Raises
    ------
    InputError
        It is none.

    Examples
    --------
    >>> clock_s("07:30")
    27000
    """
    hours, _, minutes = str(text).partition(":")
    if not (hours.isdigit() and minutes.isdigit() and len(minutes) == 2 and int(hours) < 48 and int(minutes) < 60):
        raise InputError(f"时刻 {text!r} 有误,应为 HH:MM", f"{text!r} is no time of day; write HH:MM")
    return int(hours) * 3600 + int(minutes) * 60


def transit_times(
    network: Network,
    costs: EdgeCosts,
    timetable: Timetable,
    origins: pd.DataFrame,
    destinations: pd.DataFrame,
    *,
    window: tuple[str, str],
    step_min: float = 1.0,
    percentiles: Sequence[float] = (50.0,),
    cutoff_s: float = 3600.0,
    max_walk_s: float = 900.0,
    board_slack_s: float = 60.0,
    max_snap_m: float = 300.0,
    threads: int = 2,
    beyond: bool = False,
) -> pd.DataFrame:
    """Find the time from every origin to the nearest destination of each service, over a window of departures.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost on foot.
    timetable : Timetable
        From :mod:`bishan_gis.network.timetable`, in the CRS of the network.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m].
    destinations : pandas.DataFrame
        ``facility_id, x, y`` [m]; optional ``service``: times are to the nearest of each service.
    window : (str, str)
        First and last time of departure, ``HH:MM``, both included.
    step_min : float
        Minutes between two departures.
    percentiles : sequence of float
        Which of the times of the window, above 0 to 100: 50 is the time not exceeded by half of the departures.
    cutoff_s : float
        Longest time that counts, inclusive [s].
    max_walk_s : float
        Longest walk to the first stop, between two vehicles, and from the last stop, each [s]. The way on foot alone
        may take up to the cutoff.
    board_slack_s : float
        Time between coming to a stop and boarding, at least 1 [s].
    max_snap_m : float
        Places and stops farther from every street are off the network [m].
    threads : int
        For the walks.
    beyond : bool
        Also give times above the cutoff; their status stays ``beyond_cutoff``.

    Returns
    -------
    pandas.DataFrame
        One row per service, percentile and origin: ``origin_id, service, percentile, cost_s`` [s, NaN where above the
        cutoff unless `beyond`]``, share_within`` (of the departures that arrive within the cutoff)``, status``
        (``reached, beyond_cutoff, off_network``). What lies beyond the data, and vehicles that are not in the
        timetable, could only shorten a time.

    Raises
    ------
    InputError
        The window, step, percentiles or a limit make no sense.
    MissingColumnError, SchemaError
        A table lacks columns or ids repeat.

    Notes
    -----
    Exact for the timetable. Percentiles are nearest ranks: of n departures the k-th shortest with k = ceil(p n / 100),
    so that departures which do not arrive count as the longest.
    """
    check_listed(window=window, percentiles=percentiles)
    begin, end = (clock_s(t) for t in window)
    checks = {
        "window": begin <= end,
        "step_min": step_min > 0,
        "percentiles": len(percentiles) > 0 and all(0 < p <= 100 for p in percentiles),
        "cutoff_s": 0 < cutoff_s < np.inf,
        "max_walk_s": 0 < max_walk_s < np.inf,
        "board_slack_s": board_slack_s >= 1,
    }
    wrong = [name for name, fits in checks.items() if not fits]
    if wrong:
        raise InputError(f"设置有误: {'、'.join(wrong)}", f"settings make no sense: {', '.join(wrong)}")
    origins = place_table(network, origins, ["origin_id"], where="origins", unique=True)
    destinations = place_table(network, destinations, ["facility_id"], where="destinations")
    times = np.arange(begin, end + 1, round(step_min * 60), dtype=np.int64)
    common: dict[str, Any] = {"max_snap_m": max_snap_m, "threads": threads}
    here = _Walks(network, costs, timetable, origins, max_walk_s, common)
    service = destinations["service"] if "service" in destinations.columns else pd.Series("any", destinations.index)
    off = _off_network(network, costs, origins, max_snap_m)
    frames = []
    for name, rows in destinations.groupby(service.to_numpy(), sort=True):
        egress = here.to_stops(rows)
        profiles = scan_connections(timetable, egress, here.transfers, board_slack_s=board_slack_s)
        direct = here.direct(rows, np.inf if beyond else cutoff_s)
        cost_ms = arrivals(profiles, here.access, times, direct, board_slack_s=board_slack_s)
        frames += _rows(str(name), origins["origin_id"], cost_ms, off, percentiles, cutoff_s, beyond=beyond)
    columns = ["origin_id", "service", "percentile", "cost_s", "share_within", "status"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


class _Walks:
    """Walks between origins, stops and destinations."""

    def __init__(
        self,
        network: Network,
        costs: EdgeCosts,
        timetable: Timetable,
        origins: pd.DataFrame,
        max_walk_s: float,
        common: dict[str, Any],
    ) -> None:
        self.streets, self.max_walk_s, self.common = (network, costs), max_walk_s, common
        self.origins = pd.DataFrame(origins[["origin_id", "x", "y"]])
        place = timetable.stops[["x", "y"]].reset_index(drop=True)
        self.n_stops = len(place)
        self.stops = place.assign(origin_id=np.arange(self.n_stops), facility_id=np.arange(self.n_stops))
        first = self._matrix(self.origins, self.stops, max_walk_s)
        self.access = Legs.sorted(*first, len(origins))
        place_from, place_to, cost_ms = self._matrix(self.stops, self.stops, max_walk_s)
        apart = place_from != place_to
        same = np.arange(self.n_stops)
        self.transfers = Legs.sorted(
            np.concatenate([place_from[apart], same]),
            np.concatenate([place_to[apart], same]),
            np.concatenate([cost_ms[apart], np.zeros(self.n_stops, dtype=np.int64)]),
            self.n_stops,
        )

    def _matrix(
        self, origins: pd.DataFrame, places: pd.DataFrame, cutoff_s: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of origins and places, and the walks between them."""
        ids = pd.Index(places["facility_id"].unique())
        found = travel_matrix(*self.streets, origins, places, cutoff_s=cutoff_s, **self.common)
        start = pd.Index(origins["origin_id"]).get_indexer(pd.Index(found["from_id"].astype(object)))
        end = ids.get_indexer(pd.Index(found["to_id"].astype(object)))
        cost_ms = np.rint(found["cost_s"].to_numpy() * 1000).astype(np.int64)
        return start.astype(np.int64), end.astype(np.int64), cost_ms

    def to_stops(self, places: pd.DataFrame) -> NDArray[np.int64]:
        """Return the walk from each stop to the nearest of the places [ms]."""
        stop, _, cost_ms = self._matrix(self.stops, places, self.max_walk_s)
        out = np.full(self.n_stops, NEVER)
        np.minimum.at(out, stop, cost_ms)
        return out

    def direct(self, places: pd.DataFrame, cutoff_s: float) -> NDArray[np.int64]:
        """Return the walk from each origin to the nearest of the places [ms]."""
        if np.isinf(cutoff_s):
            some = places.assign(service="any")
            found = nearest_cost(*self.streets, self.origins, some, search_s=cutoff_s, **self.common).table
            first = found["value"].to_numpy(dtype=np.float64)
            known = np.isfinite(first)
            return np.where(known, np.rint(np.where(known, first, 0) * 1000), NEVER).astype(np.int64)
        origin, _, cost_ms = self._matrix(self.origins, places, cutoff_s)
        out = np.full(len(self.origins), NEVER)
        np.minimum.at(out, origin, cost_ms)
        return out


def _off_network(network: Network, costs: EdgeCosts, origins: pd.DataFrame, max_snap_m: float) -> NDArray[np.bool_]:
    from bishan_gis.network.snap import snap_points

    snaps = snap_points(network, origins["x"], origins["y"], max_snap_m=max_snap_m, usable=costs.usable)
    out: NDArray[np.bool_] = snaps.edge < 0
    return out


def _rows(
    service: str,
    ids: pd.Series,
    cost_ms: NDArray[np.int64],
    off: NDArray[np.bool_],
    percentiles: Sequence[float],
    cutoff_s: float,
    *,
    beyond: bool,
) -> list[pd.DataFrame]:
    ranked = np.sort(cost_ms, axis=1)
    n = ranked.shape[1]
    limit = whole_ms(cutoff_s)
    within = (cost_ms <= limit).mean(axis=1)
    out = []
    for p in percentiles:
        k = max(int(np.ceil(p * n / 100 - 1e-9)), 1)
        taken = ranked[:, k - 1]
        here = taken <= limit
        frame = pd.DataFrame({"origin_id": ids.to_numpy(), "service": service, "percentile": float(p)})
        frame["cost_s"] = np.where(here | (beyond & ~off & (taken < NEVER)), taken / 1000, np.nan)
        frame["share_within"] = within
        frame["status"] = np.select([off, here], ["off_network", "reached"], "beyond_cutoff")
        out.append(frame)
    return out
