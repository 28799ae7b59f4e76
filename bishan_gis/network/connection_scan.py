"""Earliest arrivals by timetable: one pass over the connections, latest departure first (profile connection scan).

For one set of destinations the pass gives, at every stop, the list of departures worth taking and when each arrives.
All origins and all times of departure are then looked up in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.network.jit import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.timetable import Timetable

__all__ = ["NEVER", "Legs", "StopProfiles", "arrivals", "scan_connections"]

#: Arrival of who does not arrive [ms].
NEVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, eq=False)
class Legs:
    """Walks from places to stops, or from stops to stops, place after place.

    Attributes
    ----------
    start : ndarray of int64
        First walk of each place, and at the end their number.
    stop : ndarray of int64
        Where each walk leads.
    cost_ms : ndarray of int64
        How long it takes [ms].
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    cost_ms: NDArray[np.int64]

    @classmethod
    def sorted(cls, place: NDArray[np.int64], stop: NDArray[np.int64], cost_ms: NDArray[np.int64], n: int) -> Legs:
        """Return the walks of `n` places in their order."""
        order = np.lexsort([stop, place])
        start = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(place, minlength=n), out=start[1:])
        return cls(start, np.ascontiguousarray(stop[order]), np.ascontiguousarray(cost_ms[order]))


@dataclass(frozen=True, eq=False)
class StopProfiles:
    """Departures worth taking at every stop, latest first, and their arrivals at the destination.

    Attributes
    ----------
    start, count : ndarray of int64
        Where the departures of each stop begin, and how many there are.
    depart_ms, arrive_ms : ndarray of int64
        Departure of the vehicle, arrival at the destination, both falling along the list of a stop [ms].
    """

    start: NDArray[np.int64]
    count: NDArray[np.int64]
    depart_ms: NDArray[np.int64]
    arrive_ms: NDArray[np.int64]


@njit(cache=True)
def _lookup(depart, arrive, begin, count, when):  # type: ignore[no-untyped-def]
    """Return the best arrival of a departure at `when` or later; departures fall along the list."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if depart[begin + middle] >= when:
            low = middle + 1
        else:
            high = middle
    return arrive[begin + low - 1] if low > 0 else np.iinfo(np.int64).max // 4


@njit(cache=True)
def _scan(depart, arrive, source, target, trip, n_trips, egress, walk_start, walk_stop, walk_ms, slack, start):  # type: ignore[no-untyped-def]
    never = np.iinfo(np.int64).max // 4
    n_stops = len(start) - 1
    best_depart = np.empty(start[n_stops], dtype=np.int64)
    best_arrive = np.empty(start[n_stops], dtype=np.int64)
    count = np.zeros(n_stops, dtype=np.int64)
    on_trip = np.full(n_trips, never)
    for i in range(len(depart) - 1, -1, -1):
        u, v = source[i], target[i]
        found = on_trip[trip[i]]
        if egress[v] < never:
            found = min(found, arrive[i] + egress[v])
        for j in range(walk_start[v], walk_start[v + 1]):
            w = walk_stop[j]
            if count[w] > 0:
                when = arrive[i] + walk_ms[j] + slack
                found = min(found, _lookup(best_depart, best_arrive, start[w], count[w], when))
        on_trip[trip[i]] = found
        if found >= never:
            continue
        begin, n = start[u], count[u]
        if n > 0 and best_arrive[begin + n - 1] <= found:
            continue
        if n > 0 and best_depart[begin + n - 1] == depart[i]:
            best_arrive[begin + n - 1] = found
        else:
            best_depart[begin + n], best_arrive[begin + n] = depart[i], found
            count[u] = n + 1
    return count, best_depart, best_arrive


@njit(cache=True)
def _arrivals(times, leg_start, leg_stop, leg_ms, slack, start, count, depart, arrive, out):  # type: ignore[no-untyped-def]
    never = np.iinfo(np.int64).max // 4
    for i in range(out.shape[0]):
        for j in range(leg_start[i], leg_start[i + 1]):
            s = leg_stop[j]
            if count[s] == 0:
                continue
            for k in range(len(times)):
                found = _lookup(depart, arrive, start[s], count[s], times[k] + leg_ms[j] + slack)
                if found < never and found - times[k] < out[i, k]:
                    out[i, k] = found - times[k]


def scan_connections(
    timetable: Timetable, egress_ms: NDArray[np.int64], transfers: Legs, *, board_slack_s: float = 60.0
) -> StopProfiles:
    """Find, for every stop, the departures worth taking to a set of destinations.

    Parameters
    ----------
    timetable : Timetable
        Connections of the day.
    egress_ms : ndarray of int64
        Per stop: the walk from it to the nearest destination [ms]; :data:`NEVER` where it is too far.
    transfers : Legs
        Walks from stop to stop; each stop also to itself, at no cost.
    board_slack_s : float
        Time between coming to a stop and boarding there, at least 1 [s].

    Returns
    -------
    StopProfiles
        Exact: no departure left out would arrive earlier.

    Notes
    -----
    Profile connection scan (Dibbelt et al. 2018, Connection Scan Algorithm [K]). Between two vehicles one walks once,
    by `transfers`; how often one changes is not limited.
    """
    n_stops = len(timetable.stops)
    start = np.zeros(n_stops + 1, dtype=np.int64)
    np.cumsum(np.bincount(timetable.from_stop, minlength=n_stops), out=start[1:])
    slack = np.int64(round(max(board_slack_s, 1.0) * 1000))
    count, depart, arrive = _scan(
        timetable.depart_s * 1000,
        timetable.arrive_s * 1000,
        timetable.from_stop,
        timetable.to_stop,
        timetable.trip,
        timetable.n_trips,
        egress_ms,
        transfers.start,
        transfers.stop,
        transfers.cost_ms,
        slack,
        start,
    )
    return StopProfiles(start, count, depart, arrive)


def arrivals(
    profiles: StopProfiles,
    access: Legs,
    times_s: NDArray[np.int64],
    walk_ms: NDArray[np.int64],
    *,
    board_slack_s: float = 60.0,
) -> NDArray[np.int64]:
    """Return how long each origin takes at each time of departure.

    Parameters
    ----------
    profiles : StopProfiles
        From :func:`scan_connections`.
    access : Legs
        Walks from the origins to stops.
    times_s : ndarray of int64
        Times of departure [s after midnight].
    walk_ms : ndarray of int64
        Per origin: the way on foot alone [ms]; :data:`NEVER` where there is none.
    board_slack_s : float
        As in :func:`scan_connections`.

    Returns
    -------
    ndarray of int64, shape (origins, times)
        Door to door [ms]; :data:`NEVER` or more: does not arrive.
    """
    out = np.repeat(walk_ms[:, None], len(times_s), axis=1)
    slack = np.int64(round(max(board_slack_s, 1.0) * 1000))
    p = profiles
    legs = (access.start, access.stop, access.cost_ms)
    _arrivals(times_s * 1000, *legs, slack, p.start, p.count, p.depart_ms, p.arrive_ms, out)
    return np.minimum(out, NEVER)
