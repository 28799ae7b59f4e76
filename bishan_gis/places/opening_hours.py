"""Opening hours: whether a place is open, closed, or nobody knows.

The strings are those of the OSM key ``opening_hours``, evaluated by the ``opening_hours`` library; common Chinese ways
of writing are translated first. What is missing or cannot be read is ``unknown``, never closed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError
from bishan_gis.places.opening_hours_zh import translate_hours
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "HOURS_STATES",
    "availability_windows",
    "facilities_open",
    "hours_report",
    "open_at",
    "open_during",
    "translate_hours",
]

HOURS_STATES = ("open", "closed", "unknown")
_DAY_MIN = 1440.0


@dataclass
class _Reader:
    """Parsed strings and their days: each distinct string is read once."""

    country: str | None
    timezone: str
    coords: tuple[float, float] | None
    like: Mapping[dt.date, dt.date]
    parsed: dict[str, tuple[Any, str, str]] = field(default_factory=dict)
    days: dict[tuple[str, dt.date], list[tuple[float, float, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            self.zone = ZoneInfo(self.timezone)
            self._parse("24/7")
        except (ZoneInfoNotFoundError, ValueError, OSError) as err:
            raise InputError(f"未知的时区 {self.timezone!r}", f"unknown time zone {self.timezone!r}") from err
        except Exception as err:
            raise InputError(
                f"country = {self.country!r} 或 coords = {self.coords!r} 无效: {err}",
                f"country = {self.country!r} or coords = {self.coords!r} cannot be used: {err}",
            ) from err

    def _parse(self, text: str) -> Any:
        from opening_hours import OpeningHours

        return OpeningHours(
            text,
            timezone=self.zone,
            country=self.country,
            coords=self.coords,
            auto_country=False,
        )

    def read(self, text: str) -> tuple[Any, str, str]:
        """Return the parsed hours (or None), what was parsed, and how that went."""
        from opening_hours import ParserError  # type: ignore[attr-defined]

        if text not in self.parsed:
            if not text:
                self.parsed[text] = (None, "", "missing")
                return self.parsed[text]
            self.parsed[text] = (None, text, "invalid")
            for candidate, how in ((text, "valid"), (translate_hours(text), "translated")):
                try:
                    self.parsed[text] = (self._parse(candidate), candidate, how)
                    break
                except (ParserError, ValueError, OverflowError):
                    continue
        return self.parsed[text]

    def day(self, text: str, day: dt.date) -> list[tuple[float, float, str]]:
        """Return the states of one day: from, to [minutes of the day], state; they cover the day."""
        key = (text, day)
        if key not in self.days:
            hours, _, _ = self.read(text)
            whole = [(0.0, _DAY_MIN, "unknown")]
            self.days[key] = whole if hours is None else self._states(hours, self.like.get(day, day)) or whole
        return self.days[key]

    def _states(self, hours: Any, day: dt.date) -> list[tuple[float, float, str]]:
        begin = dt.datetime.combine(day, dt.time())
        out = []
        for start, end, state, comment in hours.intervals(begin, begin + dt.timedelta(days=1)):
            start, end = start.replace(tzinfo=None), (end or begin + dt.timedelta(days=1)).replace(tzinfo=None)
            low = max(0.0, (start - begin).total_seconds() / 60)
            high = min(_DAY_MIN, (end - begin).total_seconds() / 60)
            name = str(state).lower().rsplit(".", 1)[-1]
            # A comment ("by appointment") says that more is needed than to come at this time.
            out.append((low, high, "unknown" if comment and name == "open" else name))
        return out


def _reader(
    country: str | None,
    timezone: str,
    coords: tuple[float, float] | None,
    like: Mapping[dt.date, dt.date] | None,
) -> _Reader:
    return _Reader(country, timezone, coords, dict(like or {}))


def _texts(hours: pd.Series) -> list[str]:
    return ["" if v is None or v is pd.NA or v != v else str(v).strip() for v in hours.tolist()]


def _local(when: dt.datetime, reader: _Reader) -> dt.datetime:
    if not isinstance(when, dt.datetime):
        raise InputError(
            f"时刻 {when!r} 须为 datetime.datetime, 如 datetime(2026, 10, 1, 10)",
            f"time {when!r} must be a datetime.datetime, such as datetime(2026, 10, 1, 10)",
        )
    return when if when.tzinfo is None else when.astimezone(reader.zone).replace(tzinfo=None)


def _invalid(reader: _Reader, texts: list[str]) -> dict[str, int]:
    bad = [t for t in texts if reader.read(t)[2] == "invalid"]
    return {t: bad.count(t) for t in sorted(set(bad))}


def hours_report(hours: pd.Series, *, country: str | None = "CN") -> pd.DataFrame:
    """List the distinct opening hours and how they were read.

    Parameters
    ----------
    hours : pandas.Series
        Opening hours as text; missing or empty: not known.
    country : str, optional
        ISO code for public holidays.

    Returns
    -------
    pandas.DataFrame
        ``text, read_as, status, n``, by status and text: ``valid``, ``translated`` (from Chinese), ``invalid`` or
        ``missing``.

    Examples
    --------
    >>> table = hours_report(pd.Series(["24/7", "周一至周五9点-17点", "see door", None]))
    >>> table[["read_as", "status"]].values.tolist()
    [['see door', 'invalid'], ['', 'missing'], ['Mo-Fr 9:00-17:00', 'translated'], ['24/7', 'valid']]
    """
    reader = _reader(country, "UTC", None, None)
    texts = pd.Series(_texts(hours), dtype=object)
    counts = texts.value_counts()
    rows = [(str(t), *reader.read(str(t))[1:], int(n)) for t, n in counts.items()]
    out = pd.DataFrame(rows, columns=["text", "read_as", "status", "n"])
    return out.sort_values(["status", "text"], ignore_index=True)


def open_at(
    hours: pd.Series,
    when: dt.datetime,
    *,
    country: str | None = "CN",
    timezone: str = "Asia/Shanghai",
    coords: tuple[float, float] | None = None,
    like: Mapping[dt.date, dt.date] | None = None,
) -> pd.Series:
    """Tell which places are open at a time.

    Parameters
    ----------
    hours : pandas.Series
        Opening hours as text, in the syntax of OSM or in common Chinese; missing or empty: not known.
    when : datetime.datetime
        The time; local where it has no time zone.
    country : str, optional
        ISO code for public holidays (``PH``).
    timezone : str
        Where the places are.
    coords : (float, float), optional
        Latitude and longitude [degrees] for sunrise and sunset; without them the library takes fixed hours.
    like : mapping, optional
        Date -> date whose hours hold instead: a day of a holiday week like the holiday, a Saturday worked in its place
        like a Friday.

    Returns
    -------
    pandas.Series
        On the same index, named ``open``: ``open``, ``closed`` or ``unknown`` (missing, unreadable, or with a condition
        in a comment). ``attrs["invalid"]``: unreadable text -> how often.

    Raises
    ------
    InputError
        The country, time zone or coordinates are not known, or the time is none.

    Notes
    -----
    For China the library knows the first day of each public holiday and neither 清明 nor the weeks and exchanged
    working days the State Council announces each year: give those in `like`. Open includes the opening minute and not
    the closing one. Syntax: https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification

    Examples
    --------
    >>> hours = pd.Series({"a": "08:00-18:00; PH off", "b": "24/7", "c": "周一至周五 9:00-17:00", "d": None})
    >>> open_at(hours, dt.datetime(2026, 10, 1, 10)).tolist()  # National Day
    ['closed', 'open', 'open', 'unknown']
    >>> second = {dt.date(2026, 10, 2): dt.date(2026, 10, 1)}
    >>> friday = dt.datetime(2026, 10, 2, 10)
    >>> open_at(hours, friday)["a"], open_at(hours, friday, like=second)["a"]
    ('open', 'closed')
    """
    reader = _reader(country, timezone, coords, like)
    local = _local(when, reader)
    minute = (local - dt.datetime.combine(local.date(), dt.time())).total_seconds() / 60
    texts = _texts(hours)
    states = [next(s for low, high, s in reader.day(t, local.date()) if low <= minute < high) for t in texts]
    out = pd.Series(states, index=hours.index, name="open", dtype=object)
    out.attrs["invalid"] = _invalid(reader, texts)
    return out


def availability_windows(
    hours: pd.Series,
    day: dt.date,
    *,
    country: str | None = "CN",
    timezone: str = "Asia/Shanghai",
    coords: tuple[float, float] | None = None,
    like: Mapping[dt.date, dt.date] | None = None,
) -> pd.DataFrame:
    """List when places are open on a day.

    Parameters
    ----------
    hours : pandas.Series
        Indexed by facility; opening hours as text, missing or empty: not known.
    day : datetime.date
        The day.
    country, timezone, coords, like
        See :func:`open_at`.

    Returns
    -------
    pandas.DataFrame
        ``facility_id, opens_min, closes_min`` [minutes of the day, 0 to 1440]``, status``: a row per window that is
        ``open`` or ``unknown``, in the order of `hours` and of the day. Who is ``closed`` all day has one row without
        times. Hours past midnight end at 1440 and go on at 0 of the next day.

    Raises
    ------
    InputError
        As :func:`open_at`.

    Examples
    --------
    >>> hours = pd.Series({"a": "08:00-12:00,14:00-18:00", "b": None})
    >>> availability_windows(hours, dt.date(2026, 11, 23)).values.tolist()
    [['a', 480.0, 720.0, 'open'], ['a', 840.0, 1080.0, 'open'], ['b', 0.0, 1440.0, 'unknown']]
    """
    reader = _reader(country, timezone, coords, like)
    rows: list[tuple[object, float, float, str]] = []
    for facility, text in zip(hours.index, _texts(hours), strict=True):
        some = [(facility, low, high, s) for low, high, s in reader.day(text, day) if s != "closed"]
        rows += some or [(facility, np.nan, np.nan, "closed")]
    out = pd.DataFrame(rows, columns=["facility_id", "opens_min", "closes_min", "status"])
    return out.astype({"opens_min": float, "closes_min": float})


def open_during(
    hours: pd.Series,
    start: dt.datetime,
    end: dt.datetime,
    *,
    country: str | None = "CN",
    timezone: str = "Asia/Shanghai",
    coords: tuple[float, float] | None = None,
    like: Mapping[dt.date, dt.date] | None = None,
) -> pd.DataFrame:
    """Measure the share of a span of time in which places are open.

    Parameters
    ----------
    hours : pandas.Series
        Opening hours as text; missing or empty: not known.
    start, end : datetime.datetime
        The span; local where they have no time zone.
    country, timezone, coords, like
        See :func:`open_at`.

    Returns
    -------
    pandas.DataFrame
        On the same index: ``open_share`` and ``unknown_share`` (0 to 1); the rest is closed.

    Raises
    ------
    InputError
        `end` is not after `start`, or as :func:`open_at`.

    Examples
    --------
    >>> hours = pd.Series({"a": "08:00-12:00", "b": None})
    >>> evening = dt.datetime(2026, 11, 23, 10), dt.datetime(2026, 11, 23, 18)
    >>> open_during(hours, *evening).values.tolist()
    [[0.25, 0.0], [0.0, 1.0]]
    """
    reader = _reader(country, timezone, coords, like)
    start, end = _local(start, reader), _local(end, reader)
    if not start < end:
        raise InputError(
            f"结束时间须晚于开始时间: {start} 至 {end}", f"the end must be after the start: {start} to {end}"
        )
    span = (end - start).total_seconds() / 60
    texts = _texts(hours)
    shares: dict[str, tuple[float, float]] = {}
    for text in set(texts):
        minutes = dict.fromkeys(HOURS_STATES, 0.0)
        day = start.date()
        while (begin := dt.datetime.combine(day, dt.time())) < end:
            low, high = ((t - begin).total_seconds() / 60 for t in (start, end))
            for opens, closes, state in reader.day(text, day):
                minutes[state] += max(0.0, min(closes, high) - max(opens, low))
            day += dt.timedelta(days=1)
        shares[text] = (minutes["open"] / span, minutes["unknown"] / span)
    table = np.array([shares[t] for t in texts], dtype=np.float64).reshape(-1, 2)
    return pd.DataFrame(table, index=hours.index, columns=["open_share", "unknown_share"])


def facilities_open(
    facilities: gpd.GeoDataFrame,
    when: dt.datetime,
    *,
    unknown: str = "keep",
    country: str | None = "CN",
    timezone: str = "Asia/Shanghai",
    coords: tuple[float, float] | None = None,
    like: Mapping[dt.date, dt.date] | None = None,
) -> gpd.GeoDataFrame:
    """Keep the facilities that are open at a time.

    Parameters
    ----------
    facilities : geopandas.GeoDataFrame
        With ``opening_hours`` as text, missing or empty: not known.
    when : datetime.datetime
        The time; local where it has no time zone.
    unknown : str
        What becomes of those whose hours are not known: ``keep`` or ``drop``.
    country, timezone, coords, like
        See :func:`open_at`.

    Returns
    -------
    geopandas.GeoDataFrame
        Rows of `facilities`, in their order, with ``open``; ``attrs["open_counts"]``: state -> how many there were,
        before any was taken out.

    Raises
    ------
    MissingColumnError
        No ``opening_hours``.
    InputError
        `unknown` is neither, or as :func:`open_at`.

    Examples
    --------
    >>> table = pd.DataFrame({"facility_id": ["a", "b"], "opening_hours": ["08:00-18:00", ""]})
    >>> [facilities_open(table, dt.datetime(2026, 11, 23, 20), unknown=u)["open"].tolist() for u in ("keep", "drop")]
    [['unknown'], []]
    """
    if unknown not in ("keep", "drop"):
        raise InputError(f"unknown = {unknown!r} 须为 keep 或 drop", f"unknown must be keep or drop; it is {unknown!r}")
    check_columns(facilities, ["opening_hours"], where="facilities")
    state = open_at(facilities["opening_hours"], when, country=country, timezone=timezone, coords=coords, like=like)
    stay = state.isin(["open", "unknown"] if unknown == "keep" else ["open"]).to_numpy()
    out = facilities.assign(open=state.to_numpy())[stay].copy()
    out.attrs["open_counts"] = {s: int((state == s).sum()) for s in HOURS_STATES}
    return out
