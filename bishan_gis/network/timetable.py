"""A timetable as connections: each leaves one stop at a time and comes to the next of its trip at another.

Built from a GTFS feed, or from lines of which only stations, running times and headways are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError, NoDataError, SchemaError
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.sources.gtfs import Gtfs

__all__ = ["Line", "Timetable", "gtfs_timetable", "join_timetables", "line_timetable"]

_DAY_S = 86_400


@dataclass(frozen=True, eq=False)
class Timetable:
    """Connections of one day.

    Attributes
    ----------
    stops : pandas.DataFrame
        ``stop_id, name, x, y`` [m]; connections name them by position.
    depart_s, arrive_s : ndarray of int64
        Times after midnight [s], by departure; they may pass 24 hours.
    from_stop, to_stop, trip : ndarray of int64
        Positions of stops, and the trip; connections of a trip follow each other.
    kind : str
        ``observed`` for a published timetable, ``assumed`` where headways or running times are guessed.
    notes : list of (str, str)
        What a reader should know.
    """

    stops: pd.DataFrame
    depart_s: NDArray[np.int64]
    arrive_s: NDArray[np.int64]
    from_stop: NDArray[np.int64]
    to_stop: NDArray[np.int64]
    trip: NDArray[np.int64]
    kind: str = "observed"
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def n_trips(self) -> int:
        """How many trips there are."""
        return int(self.trip.max()) + 1 if len(self.trip) else 0

    def __repr__(self) -> str:
        """One line."""
        sizes = f"{len(self.stops):,} stops, {self.n_trips:,} trips, {len(self.trip):,} connections"
        return f"<Timetable: {sizes}, {self.kind}>"


@dataclass(frozen=True)
class Line:
    """A line of which only headways are known.

    Attributes
    ----------
    name : str
        What it is called.
    stops : tuple of str
        Ids of the stops in their order.
    run_s : tuple of float
        Running time to each next stop [s], one less than stops.
    headway_s, first_s, last_s : float
        Time between two departures from the first stop, the first and the last of them [s after midnight].
    dwell_s : float
        Stay at each stop on the way [s].
    both_ways : bool
        It also runs in the other direction, with the same times.
    kind : str
        How sure this is.
    """

    name: str
    stops: tuple[str, ...]
    run_s: tuple[float, ...]
    headway_s: float
    first_s: float
    last_s: float
    dwell_s: float = 0.0
    both_ways: bool = True
    kind: str = "assumed"


def line_timetable(stops: pd.DataFrame, lines: Sequence[Line]) -> Timetable:
    """Write the departures of lines out: one every headway, from the first to the last.

    Parameters
    ----------
    stops : pandas.DataFrame
        ``stop_id, x, y`` [m]; optional ``name``.
    lines : sequence of Line
        The lines.

    Returns
    -------
    Timetable
        The first departure is at ``first_s`` to the second: the phase of a headway is an assumption, which a window of
        departures evens out.

    Raises
    ------
    InputError
        A line has fewer than two stops, times that are not above 0, or as many running times as stops.
    SchemaError
        A line names a stop that is not there, or ids repeat.

    Examples
    --------
    >>> stops = pd.DataFrame({"stop_id": ["A", "B"], "x": [0.0, 900.0], "y": 0.0})
    >>> line_timetable(stops, [Line("1", ("A", "B"), (120,), 600, 25200, 25800, both_ways=False)]).depart_s.tolist()
    [25200, 25800]
    """
    check_columns(stops, ["stop_id", "x", "y"], where="stops")
    ids = pd.Index(stops["stop_id"].astype(str))
    if not ids.is_unique:
        n = int(ids.duplicated().sum())
        raise SchemaError(f"stops: {n} 个 stop_id 重复", f"stops: {n} repeated stop_id")
    rows: list[NDArray[np.int64]] = []
    n_trips = 0
    for line in lines:
        times = [*line.run_s, line.headway_s]
        fits = len(line.stops) > 1 and len(line.run_s) == len(line.stops) - 1
        if not fits or min(times) <= 0 or line.dwell_s < 0 or line.last_s < line.first_s or line.first_s < 0:
            raise InputError(
                f"线路 {line.name}: {len(line.stops)} 个站须有 {len(line.stops) - 1} 个大于 0 的区间时间 "
                f"(现有 {len(line.run_s)} 个), 间隔须大于 0, 末班不早于首班",
                f"line {line.name}: {len(line.stops)} stops need {len(line.stops) - 1} running times above 0 (there "
                f"are {len(line.run_s)}), a headway above 0, and a last departure not before the first",
            )
        at = ids.get_indexer(pd.Index(line.stops))
        if (at < 0).any():
            lost = ", ".join(s for s, i in zip(line.stops, at, strict=True) if i < 0)
            raise SchemaError(f"线路 {line.name}: 没有站点 {lost}", f"line {line.name}: no stop {lost}")
        starts = np.arange(line.first_s, line.last_s + 0.5, line.headway_s)
        for way, run in ((at, line.run_s), (at[::-1], line.run_s[::-1]))[: 1 + line.both_ways]:
            leave = np.concatenate([[0.0], np.cumsum(np.asarray(run) + line.dwell_s)])[:-1]
            reach = leave + np.asarray(run)
            for i, start in enumerate(starts):
                trip = np.full(len(run), n_trips + i)
                rows.append(
                    np.column_stack([start + leave, start + reach, way[:-1], way[1:], trip]).round().astype(int)
                )
            n_trips += len(starts)
    from bishan_gis.schema import weakest_kind

    table = np.concatenate(rows) if rows else np.empty((0, 5), dtype=np.int64)
    frame = pd.DataFrame(stops).assign(stop_id=ids.to_numpy(), name=stops.get("name", stops["stop_id"]))
    kind = weakest_kind([line.kind for line in lines]) if lines else "observed"
    return _timetable(frame, table, kind=kind)


def gtfs_timetable(feed: Gtfs, *, date: str, crs: object) -> Timetable:
    """Return the connections of one day of a feed.

    Parameters
    ----------
    feed : Gtfs
        From :func:`bishan_gis.sources.gtfs.load_gtfs`.
    date : str
        ``YYYY-MM-DD``.
    crs : str or pyproj.CRS
        Working CRS in metres.

    Returns
    -------
    Timetable
        Trips by frequency are written out from their start on. Trips of the day before that pass midnight are in it.

    Raises
    ------
    NoDataError
        Nothing runs that day.
    """
    from pyproj import CRS, Transformer

    from bishan_gis.sources.gtfs import trips_on

    day_before = str((pd.Timestamp(date) - pd.Timedelta(days=1)).date())
    today = trips_on(feed, date)
    parts = [_gtfs_rows(feed, today, shift_s=0)]
    try:
        late = _gtfs_rows(feed, trips_on(feed, day_before), shift_s=-_DAY_S)
    except NoDataError:
        late = parts[0].iloc[:0]
    ends = late.groupby("trip")["arrive_s"].transform("max") if len(late) else pd.Series(dtype=float)
    parts.append(late[(ends > 0).to_numpy()] if len(late) else late)
    parts[1] = parts[1][parts[1]["depart_s"] >= 0].assign(trip=lambda t: t["trip"] + parts[0]["trip"].max() + 1)
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        zh, en = f"{feed.path}: {date} 没有行程", f"{feed.path}: no trip on {date} has two stops"
        raise NoDataError(zh, en)
    rows["trip"] = pd.factorize(rows["trip"])[0]
    stops = feed.stops
    used = np.unique(rows[["from_stop", "to_stop"]].to_numpy())
    to_metres = Transformer.from_crs(4326, CRS.from_user_input(crs), always_xy=True)
    x, y = to_metres.transform(stops["stop_lon"].to_numpy(), stops["stop_lat"].to_numpy())
    frame = pd.DataFrame({"stop_id": stops["stop_id"], "name": stops["stop_name"], "x": x, "y": y})
    place = np.full(len(stops), -1)
    place[used] = np.arange(len(used))
    rows = rows.assign(from_stop=place[rows["from_stop"]], to_stop=place[rows["to_stop"]])
    columns = ["depart_s", "arrive_s", "from_stop", "to_stop", "trip"]
    return _timetable(frame.iloc[used].reset_index(drop=True), rows[columns].to_numpy(np.int64), notes=feed.notes)


def _gtfs_rows(feed: Gtfs, trips: pd.Series, *, shift_s: int) -> pd.DataFrame:
    """Return the connections of trips: one from each stop to the next."""
    times = feed.stop_times[feed.stop_times["trip_id"].isin(trips)].reset_index(drop=True)
    stop = pd.Index(feed.stops["stop_id"]).get_indexer(pd.Index(times["stop_id"]))
    trip, _ = pd.factorize(times["trip_id"])
    on = trip[:-1] == trip[1:]
    rows = pd.DataFrame(
        {
            "trip_id": times["trip_id"].to_numpy()[:-1][on],
            "depart_s": times["departure_s"].to_numpy()[:-1][on],
            "arrive_s": times["arrival_s"].to_numpy()[1:][on],
            "from_stop": stop[:-1][on],
            "to_stop": stop[1:][on],
            "trip": trip[:-1][on],
        }
    )
    freq = feed.frequencies[feed.frequencies["trip_id"].isin(trips)]
    if len(freq):
        rows = _repeat(rows, freq, feed.path)
    return rows.drop(columns="trip_id").assign(depart_s=rows["depart_s"] + shift_s, arrive_s=rows["arrive_s"] + shift_s)


def _repeat(rows: pd.DataFrame, freq: pd.DataFrame, path: str) -> pd.DataFrame:
    """Write trips by frequency out."""
    from bishan_gis.sources.gtfs import gtfs_seconds

    try:
        start, end = gtfs_seconds(freq["start_time"]), gtfs_seconds(freq["end_time"])
        headway = pd.to_numeric(freq["headway_secs"]).to_numpy(dtype=float)
    except ValueError as err:
        raise SchemaError(f"{path}: frequencies.txt 有误: {err}", f"{path}: frequencies.txt is wrong: {err}") from err
    if not (headway > 0).all() or np.isnan(start).any() or np.isnan(end).any():
        zh, en = "frequencies.txt 的 headway_secs 须大于 0, 时间不能为空", "headway_secs must be above 0, times given"
        raise SchemaError(f"{path}: {zh}", f"{path}: frequencies.txt: {en}")
    out = [rows[~rows["trip_id"].isin(freq["trip_id"])]]
    n = int(rows["trip"].max()) + 1 if len(rows) else 0
    for trip_id, begin, stop, step in zip(freq["trip_id"], start, end, headway, strict=True):
        mine = rows[rows["trip_id"] == trip_id]
        if mine.empty:
            continue
        zero = int(mine["depart_s"].iloc[0])
        for t in np.arange(begin, stop, step):
            shift = int(t) - zero
            moved = mine.assign(depart_s=mine["depart_s"] + shift, arrive_s=mine["arrive_s"] + shift, trip=n)
            out.append(moved)
            n += 1
    return pd.concat(out, ignore_index=True)


def _timetable(
    stops: pd.DataFrame,
    table: NDArray[np.int64],
    *,
    kind: str = "observed",
    notes: Sequence[tuple[str, str]] = (),
) -> Timetable:
    """Sort connections by departure; those of a trip keep their order where times are the same."""
    order = np.lexsort([np.arange(len(table)), table[:, 4], table[:, 0]])
    depart, arrive, start, end, trip = np.ascontiguousarray(table[order].T)
    frame = stops[["stop_id", "name", "x", "y"]].reset_index(drop=True)
    return Timetable(frame, depart, arrive, start, end, trip, kind=kind, notes=list(notes))


def join_timetables(timetables: Sequence[Timetable]) -> Timetable:
    """Return several timetables as one; stops of different ones stay apart, and one walks between them.

    Parameters
    ----------
    timetables : sequence of Timetable
        All in the same CRS.

    Raises
    ------
    NoDataError
        There is none.
    """
    from bishan_gis.schema import weakest_kind

    if not timetables:
        raise NoDataError("没有时刻表", "there is no timetable")  # noqa: EM101
    tables, stops, n_stops, n_trips = [], [], 0, 0
    for t in timetables:
        columns = [t.depart_s, t.arrive_s, t.from_stop + n_stops, t.to_stop + n_stops, t.trip + n_trips]
        tables.append(np.column_stack(columns))
        stops.append(t.stops)
        n_stops, n_trips = n_stops + len(t.stops), n_trips + t.n_trips
    notes = [note for t in timetables for note in t.notes]
    return _timetable(
        pd.concat(stops, ignore_index=True),
        np.concatenate(tables),
        kind=weakest_kind([t.kind for t in timetables]),
        notes=notes,
    )
