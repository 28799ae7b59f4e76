"""Timetables as GTFS feeds: the tables of a zip file or folder, checked."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import (
    BrokenFileError,
    InputError,
    MissingColumnError,
    MissingFileError,
    NoDataError,
    SchemaError,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Gtfs", "gtfs_seconds", "load_gtfs", "trips_on"]

#: Table -> columns it must have; those after ``|`` may be missing.
_TABLES = {
    "stops": "stop_id stop_lat stop_lon | stop_name",
    "trips": "trip_id route_id service_id | trip_headsign",
    "stop_times": "trip_id arrival_time departure_time stop_id stop_sequence",
    "routes": "route_id | route_short_name route_long_name route_type",
    "calendar": "service_id monday tuesday wednesday thursday friday saturday sunday start_date end_date",
    "calendar_dates": "service_id date exception_type",
    "frequencies": "trip_id start_time end_time headway_secs",
}
_NEEDED = ("stops", "trips", "stop_times")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: A member may not unpack to more than this [bytes], nor to more than this many times its packed size.
_MAX_BYTES, _MAX_RATIO = 2_000_000_000, 400


@dataclass(frozen=True, eq=False)
class Gtfs:
    """The tables of a feed.

    Attributes
    ----------
    path : str
        Where it came from.
    stops, trips, stop_times, routes, calendar, calendar_dates, frequencies : pandas.DataFrame
        As in the feed, texts as texts; ``stop_times`` has ``arrival_s, departure_s`` [s after midnight], sorted by trip
        and place in it; times between two that are given are interpolated.
    notes : list of (str, str)
        What a reader should know, in both languages.
    """

    path: str
    stops: pd.DataFrame
    trips: pd.DataFrame
    stop_times: pd.DataFrame
    routes: pd.DataFrame
    calendar: pd.DataFrame
    calendar_dates: pd.DataFrame
    frequencies: pd.DataFrame
    notes: list[tuple[str, str]] = field(default_factory=list)


def load_gtfs(path: str | Path) -> Gtfs:
    """Read a GTFS feed.

    Parameters
    ----------
    path : str or pathlib.Path
        A zip file or a folder of tables.

    Returns
    -------
    Gtfs
        Its tables, checked.

    Raises
    ------
    MissingFileError, BrokenFileError
        There is no such feed, it is no zip, a table cannot be read, or unpacks to too much.
    MissingColumnError
        A table lacks columns; all are named.
    SchemaError
        Ids repeat or point nowhere, a time is none, or a trip goes back in time.
    NoDataError
        There is no stop, trip or time.

    Notes
    -----
    The format: https://gtfs.org/documentation/schedule/reference/. Fares, shapes, pathways and levels are not read.
    """
    file = Path(path)
    texts = _texts(file)
    lacking = [f"{n}.txt" for n in _NEEDED if n not in texts]
    if not {"calendar", "calendar_dates"} & set(texts):
        lacking.append("calendar.txt / calendar_dates.txt")
    if lacking:
        names = ", ".join(lacking)
        raise MissingFileError(f"{file}: 时刻表缺少 {names}", f"{file}: the feed lacks {names}")
    tables, missing = {}, []
    for name, columns in _TABLES.items():
        needed, _, optional = columns.partition(" | ")
        frame = _table(file, name, texts.get(name))
        if name in texts:
            missing += [f"{name}.txt: {c}" for c in needed.split() if c not in frame.columns]
        tables[name] = frame.reindex(columns=[*needed.split(), *optional.split()], fill_value="").astype(str)
    if missing:
        names = ", ".join(missing)
        raise MissingColumnError(f"{file}: 缺少列 {names}", f"{file}: columns are missing: {names}")
    for name in _NEEDED:
        if tables[name].empty:
            raise NoDataError(f"{file}: {name}.txt 没有任何行", f"{file}: {name}.txt has no row")
    tables["stops"] = _places(file, tables["stops"])
    tables["stop_times"], notes = _times(file, tables["stop_times"])
    _check_ids(file, tables)
    return Gtfs(path=str(file), notes=notes, **tables)


def _texts(file: Path) -> dict[str, bytes]:
    """Return the bytes of every table that is there."""
    if file.is_dir():
        return {n: (file / f"{n}.txt").read_bytes() for n in _TABLES if (file / f"{n}.txt").is_file()}
    if not file.is_file():
        raise MissingFileError(f"找不到时刻表 {file}", f"no feed at {file}")
    out: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(file) as packed:
            for member in packed.infolist():
                folder, _, name = member.filename.rpartition("/")
                key = name.removesuffix(".txt")
                if key not in _TABLES or folder.count("/") or (folder and key in out):
                    continue
                if member.file_size > min(_MAX_BYTES, _MAX_RATIO * max(member.compress_size, 1)):
                    raise BrokenFileError(
                        f"{file}: {member.filename} 解压后 {member.file_size:,} 字节,过大,拒绝读取",
                        f"{file}: {member.filename} unpacks to {member.file_size:,} bytes; refused",
                    )
                with packed.open(member) as f:
                    out[key] = f.read(member.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as err:
        raise BrokenFileError(f"{file}: 不是完整的 zip 文件: {err}", f"{file}: not a whole zip file: {err}") from err
    return out


def _table(file: Path, name: str, data: bytes | None) -> pd.DataFrame:
    if not data:
        return pd.DataFrame()
    try:
        frame = pd.read_csv(io.BytesIO(data), dtype=str, encoding="utf-8-sig", skipinitialspace=True, na_filter=False)
    except (ValueError, UnicodeDecodeError) as err:
        reason = " ".join(str(err).split())[:160]
        raise BrokenFileError(f"{file}: {name}.txt 无法读取: {reason}", f"{file}: {name}.txt: {reason}") from err
    frame.columns = [str(c).strip() for c in frame.columns]
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice:
        names = ", ".join(twice)
        raise SchemaError(f"{file}: {name}.txt 有重复的列 {names}", f"{file}: {name}.txt repeats the column {names}")
    return frame


def _places(file: Path, stops: pd.DataFrame) -> pd.DataFrame:
    lat, lon = (pd.to_numeric(stops[c], errors="coerce") for c in ("stop_lat", "stop_lon"))
    wrong = ~(lat.between(-90, 90) & lon.between(-180, 180)) | ((lat == 0) & (lon == 0))
    if wrong.any():
        first = stops.loc[wrong, "stop_id"].iloc[0]
        raise SchemaError(
            f"{file}: stops.txt 有 {int(wrong.sum())} 个站点坐标有误 (如 {first});请更正 stop_lat, stop_lon",
            f"{file}: stops.txt: {int(wrong.sum())} stops have wrong coordinates (such as {first}); mend stop_lat, "
            "stop_lon",
        )
    return stops.assign(stop_lat=lat, stop_lon=lon)


def gtfs_seconds(texts: pd.Series) -> NDArray[np.float64]:
    """Return times of day as seconds after midnight; hours may pass 24; NaN where a text is empty.

    Raises
    ------
    ValueError
        A text is no time.

    Examples
    --------
    >>> gtfs_seconds(pd.Series(["07:30:00", "25:00:10", ""])).tolist()
    [27000.0, 90010.0, nan]
    """
    given = texts.str.strip()
    parts = given.str.extract(r"^(\d{1,3}):([0-5]\d):([0-5]\d)$").astype(float)
    out: NDArray[np.float64] = (parts[0] * 3600 + parts[1] * 60 + parts[2]).to_numpy(dtype=np.float64)
    wrong = np.isnan(out) & (given != "").to_numpy()
    if wrong.any():
        raise ValueError(int(wrong.sum()), given[wrong].iloc[0])
    return out


def _times(file: Path, table: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Return the times in seconds, sorted, gaps filled."""
    try:
        arrival, departure = gtfs_seconds(table["arrival_time"]), gtfs_seconds(table["departure_time"])
    except ValueError as err:
        n, first = err.args
        raise SchemaError(
            f"{file}: stop_times.txt 有 {n} 个时间不是 HH:MM:SS (如 {first!r})",
            f"{file}: stop_times.txt: {n} times are not HH:MM:SS (such as {first!r})",
        ) from err
    place = pd.to_numeric(table["stop_sequence"], errors="coerce")
    if place.isna().any():
        n = int(place.isna().sum())
        raise SchemaError(
            f"{file}: stop_times.txt 有 {n} 行 stop_sequence 不是数", f"{file}: {n} rows of stop_sequence are no number"
        )
    arrival, departure = (np.where(np.isnan(a), b, a) for a, b in ((arrival, departure), (departure, arrival)))
    table = table.assign(stop_sequence=place, arrival_s=arrival, departure_s=departure)
    table = table.sort_values(["trip_id", "stop_sequence"], kind="stable", ignore_index=True)
    filled = int(table["arrival_s"].isna().sum())
    if filled:
        table = _fill(file, table)
    same = table["trip_id"].eq(table["trip_id"].shift())
    back = (same & (table["arrival_s"] < table["departure_s"].shift())) | (table["departure_s"] < table["arrival_s"])
    if back.any():
        raise SchemaError(
            f"{file}: {int(back.sum())} 行的时间早于上一站 (如班次 {table.loc[back, 'trip_id'].iloc[0]})",
            f"{file}: {int(back.sum())} rows go back in time (such as trip {table.loc[back, 'trip_id'].iloc[0]})",
        )
    notes = []
    if filled:
        notes.append((f"时刻表: {filled} 个时间为内插", f"timetable: {filled} times were interpolated"))
    return table.astype({"arrival_s": np.int64, "departure_s": np.int64}), notes


def _fill(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Fill times that are not given: evenly from the departure before to the arrival after."""
    known = table["arrival_s"].notna().to_numpy()
    trip = pd.factorize(table["trip_id"])[0]
    ends = np.append(trip[1:] != trip[:-1], True) | np.insert(trip[1:] != trip[:-1], 0, True)
    lost = len(np.unique(trip[ends & ~known]))
    if lost:
        raise SchemaError(
            f"{file}: {lost} 个班次的首末站没有时间", f"{file}: {lost} trips have no time at their first or last stop"
        )
    at, given = np.arange(len(table)), np.flatnonzero(known)
    before = given[np.searchsorted(given, at, side="right") - 1]
    after = given[np.minimum(np.searchsorted(given, at), len(given) - 1)]
    leave, reach = table["departure_s"].to_numpy()[before], table["arrival_s"].to_numpy()[after]
    share = np.divide(at - before, after - before, out=np.zeros(len(table)), where=after > before)
    times = np.rint(leave + (reach - leave) * share)
    return table.assign(**{c: np.where(known, table[c], times) for c in ("arrival_s", "departure_s")})


def _check_ids(file: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    problems: list[tuple[str, str]] = []
    for name, key in (("stops", "stop_id"), ("trips", "trip_id")):
        n = int(tables[name][key].duplicated().sum())
        if n:
            problems.append((f"{name}.txt 有 {n} 个 {key} 重复", f"{name}.txt: {n} repeated {key}"))
    links = (
        ("stop_times", "trip_id", "trips"),
        ("stop_times", "stop_id", "stops"),
        ("frequencies", "trip_id", "trips"),
    )
    for name, key, other in links:
        lost = ~tables[name][key].isin(tables[other][key])
        if lost.any():
            first = tables[name].loc[lost, key].iloc[0]
            problems.append(
                (
                    f"{name}.txt 有 {int(lost.sum())} 行的 {key} 不在 {other}.txt 中 (如 {first!r})",
                    f"{name}.txt: {int(lost.sum())} rows name a {key} that is not in {other}.txt (such as {first!r})",
                )
            )
    if problems:
        raise SchemaError(
            f"{file}: " + "; ".join(p[0] for p in problems), f"{file}: " + "; ".join(p[1] for p in problems)
        )


def trips_on(feed: Gtfs, date: str) -> pd.Series:
    """Return the ids of the trips that run on a day.

    Parameters
    ----------
    feed : Gtfs
        From :func:`load_gtfs`.
    date : str
        ``YYYY-MM-DD``.

    Returns
    -------
    pandas.Series
        ``trip_id``.

    Raises
    ------
    InputError
        The date is none.
    NoDataError
        Nothing runs on it; the message says when something does.
    """
    try:
        day = pd.Timestamp(date)
    except ValueError as err:
        raise InputError(f"日期 {date!r} 有误,应为 YYYY-MM-DD", f"{date!r} is no date; write YYYY-MM-DD") from err
    number = day.strftime("%Y%m%d")
    calendar, extra = feed.calendar, feed.calendar_dates
    runs = (
        calendar[_DAYS[day.weekday()]].eq("1") & (calendar["start_date"] <= number) & (calendar["end_date"] >= number)
    )
    services = set(calendar.loc[runs, "service_id"])
    today = extra[extra["date"] == number]
    services |= set(today.loc[today["exception_type"] == "1", "service_id"])
    services -= set(today.loc[today["exception_type"] == "2", "service_id"])
    found = feed.trips.loc[feed.trips["service_id"].isin(services), "trip_id"]
    if found.empty:
        days = [*calendar["start_date"], *extra["date"]]
        ends = [*calendar["end_date"], *extra["date"]]
        raise NoDataError(
            f"{feed.path}: {date} 没有班次;时刻表的有效期为 {min(days)} 至 {max(ends)}",
            f"{feed.path}: nothing runs on {date}; the feed holds from {min(days)} to {max(ends)}",
        )
    return found.reset_index(drop=True)
