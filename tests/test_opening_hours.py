"""Opening hours: by hand, by property, and with all the ways in which they are written wrong."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point

from bishan_gis.errors import InputError, MissingColumnError
from bishan_gis.places.opening_hours import (
    availability_windows,
    facilities_open,
    hours_report,
    open_at,
    open_during,
    translate_hours,
)

NAN = np.nan
MONDAY = dt.date(2026, 11, 23)


def _at(text, *when, **more):
    return open_at(pd.Series([text]), dt.datetime(*when), **more).iloc[0]


@pytest.mark.parametrize(
    ("text", "hour", "state"),
    [
        ("08:00-18:00", 8, "open"),
        ("08:00-18:00", 18, "closed"),
        ("24/7", 3, "open"),
        ("Mo-Fr 08:00-12:00,14:00-18:00", 13, "closed"),
        ("Tu-Su 08:00-18:00", 10, "closed"),
        ("22:00-06:00", 5, "open"),  # of Sunday night
        ("Mo 22:00-06:00", 5, "closed"),
        ("08:00-26:00", 1, "open"),
        ("off", 10, "closed"),
        ("08:00-18:00 unknown", 10, "unknown"),
        ('"by appointment"', 10, "unknown"),
        ('08:00-18:00 "ring the bell"', 10, "unknown"),
        ('08:00-18:00 "ring the bell"', 20, "closed"),
        ("周一至周五 9:00-17:00", 10, "open"),
        ("周二至周日9:00-17:00,周一闭馆", 10, "closed"),
        ("", 10, "unknown"),
        ("  ", 10, "unknown"),
        (None, 10, "unknown"),
        (NAN, 10, "unknown"),
        (pd.NA, 10, "unknown"),
        (12, 10, "unknown"),
        ("8-18", 10, "unknown"),
        ("夏季8:00-18:00", 10, "unknown"),
        ("周日休息", 10, "unknown"),
        ("see door", 10, "unknown"),
        ("25:00-99:00", 10, "unknown"),
    ],
)
def test_states_on_a_monday(text, hour, state):
    assert _at(text, 2026, 11, 23, hour) == state


@pytest.mark.parametrize(
    ("text", "osm"),
    [
        ("周一至周五:8:30—12:00,14:00—18:00", "Mo-Fr 8:30-12:00,14:00-18:00"),
        ("营业时间:9:00~21:00", "9:00-21:00"),
        ("每天08:00-22:00", "Mo-Su 08:00-22:00"),
        ("24小时营业", "24/7"),
        ("星期一到星期六 8点-18点半", "Mo-Sa 8:00-18:30"),
        ("周一、三、五9:00-11:00", "Mo,We,Fr 9:00-11:00"),
        ("周六日 9:00-12:00", "Sa,Su 9:00-12:00"),
        ("周末 9:00-12:00", "Sa,Su 9:00-12:00"),
        ("工作日 9:00-17:00", "Mo-Fr 9:00-17:00; PH off"),
        ("工作日9:00-17:00,节假日休息", "Mo-Fr 9:00-17:00; PH off"),
        ("周一至周五 9:00-17:00 周六 9:00-12:00", "Mo-Fr 9:00-17:00; Sa 9:00-12:00"),
        ("上午9:00-下午5:00", "9:00-17:00"),
        ("上午8:30-12:00,下午2:00-5:30,7:00-8:00", "8:30-12:00,14:00-17:30,19:00-20:00"),
        ("晚上7点到次日2:00", "19:00-2:00"),
        ("晚上6:00-12:00", "18:00-24:00"),
        ("早8:00-晚8:00", "8:00-20:00"),
        ("全年无休", ""),
        ("每周一闭馆", ""),
    ],
)
def test_chinese(text, osm):
    assert translate_hours(text) == osm
    assert hours_report(pd.Series([text]))["status"].tolist() == ["translated" if osm else "invalid"]


def test_what_cannot_be_read_is_counted():
    hours = pd.Series(["8-18", "24/7", "8-18", "not yet", None], index=list("abcde"))
    state = open_at(hours, dt.datetime(2026, 11, 23, 10))
    assert state.to_dict() == {"a": "unknown", "b": "open", "c": "unknown", "d": "unknown", "e": "unknown"}
    assert state.attrs["invalid"] == {"8-18": 2, "not yet": 1}
    report = hours_report(hours).set_index("text")
    assert report["n"].sum() == 5
    assert report.loc["8-18"].tolist() == ["8-18", "invalid", 2]


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=20),
        st.lists(
            st.sampled_from(
                ["Mo", "-", "Fr", ",", ";", " ", "08:00", "18:00", "PH", "off", "+", "周一", "至", "下午", "休息", "24"]
            ),
            max_size=8,
        ).map("".join),
    )
)
def test_no_text_is_a_crash(text):
    hours = pd.Series([text])
    noon = dt.datetime(2026, 11, 23, 12)
    state = open_at(hours, noon).iloc[0]
    windows = availability_windows(hours, MONDAY)
    inside = windows[(windows["opens_min"] <= 720) & (windows["closes_min"] > 720)]["status"].tolist()
    assert inside == ([] if state == "closed" else [state])
    share = open_during(hours, dt.datetime(2026, 11, 23), dt.datetime(2026, 11, 24)).iloc[0]
    for name, part in (("open", share["open_share"]), ("unknown", share["unknown_share"])):
        rows = windows[windows["status"] == name]
        assert (rows["closes_min"] - rows["opens_min"]).sum() == pytest.approx(1440 * part)


def test_chinese_holidays():
    """The library knows the first day of a holiday; the rest of the week is told by `like`."""
    text = "Mo-Fr 09:00-17:00; PH off"
    for month, day in [(1, 1), (2, 17), (5, 1), (6, 19), (9, 25), (10, 1)]:
        assert _at(text, 2026, month, day, 10) == "closed"
    assert _at(text, 2026, 2, 18, 10) == "open"
    assert _at(text, 2026, 10, 1, 10, country=None) == "open"
    assert _at("PH,Mo-Fr 09:00-17:00", 2026, 10, 1, 10) == "open"
    like = {dt.date(2026, 10, d): dt.date(2026, 10, 1) for d in range(2, 8)}
    like[dt.date(2026, 10, 10)] = dt.date(2026, 10, 9)  # a Saturday worked like a Friday
    assert [_at(text, 2026, 10, d, 10, like=like) for d in (7, 8, 10)] == ["closed", "open", "open"]
    share = open_during(pd.Series([text]), dt.datetime(2026, 10, 1, 9), dt.datetime(2026, 10, 8, 17), like=like)[
        "open_share"
    ]
    assert share.tolist() == [pytest.approx(8 / (7 * 24 + 8))]


def test_times_of_day():
    hours = pd.Series({"night": "22:00-06:00", "sun": "sunrise-sunset", "shut": "Su", "gap": None})
    windows = availability_windows(hours, MONDAY, coords=(29.6, 106.2))
    key = windows.set_index("facility_id")
    assert key.loc["night", ["opens_min", "closes_min"]].to_numpy().tolist() == [[0, 360], [1320, 1440]]
    assert 440 < key.loc["sun", "opens_min"] < 450  # sunrise at 7:25 here, in Chinese time
    assert key.loc["shut", "status"] == "closed"
    assert np.isnan(key.loc["shut", "opens_min"])
    assert key.loc["gap", ["opens_min", "closes_min", "status"]].tolist() == [0, 1440, "unknown"]
    # 17:59:59 is open, and 10:00 in London is 18:00 here.
    assert _at("08:00-18:00", 2026, 11, 23, 17, 59, 59) == "open"
    london = dt.datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Europe/London"))
    assert open_at(pd.Series(["08:00-18:00"]), london).tolist() == ["closed"]
    empty = pd.Series([], dtype=object)
    assert open_at(empty, dt.datetime(2026, 1, 1)).empty
    assert availability_windows(empty, MONDAY).empty
    assert open_during(empty, dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 2)).empty


def test_facilities_open():
    table = gpd.GeoDataFrame(
        {"facility_id": list("abc"), "opening_hours": ["08:00-18:00", "", "Su 08:00-12:00"]},
        geometry=[Point(106.2, 29.6)] * 3,
        crs=4326,
        index=[5, 6, 7],
    )
    noon = dt.datetime(2026, 11, 23, 12)
    kept = facilities_open(table, noon)
    assert kept.index.tolist() == [5, 6]
    assert kept["open"].tolist() == ["open", "unknown"]
    assert kept.attrs["open_counts"] == {"open": 1, "closed": 1, "unknown": 1}
    assert facilities_open(table, noon, unknown="drop")["facility_id"].tolist() == ["a"]
    assert "open" not in table.columns
    with pytest.raises(InputError, match="maybe"):
        facilities_open(table, noon, unknown="maybe")
    with pytest.raises(MissingColumnError):
        facilities_open(table.drop(columns="opening_hours"), noon)


@pytest.mark.parametrize(
    "wrong",
    [{"country": "XX"}, {"timezone": "Asia/Nowhere"}, {"coords": (300.0, 0.0)}],
    ids=["country", "zone", "coords"],
)
def test_bad_settings(wrong):
    with pytest.raises(InputError):
        _at("24/7", 2026, 1, 1, **wrong)
    with pytest.raises(InputError):
        open_during(pd.Series(["24/7"]), dt.datetime(2026, 1, 2), dt.datetime(2026, 1, 1))
