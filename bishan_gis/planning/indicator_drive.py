"""Indicators of trips by vehicle: ground and people reached in time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.chinese import cite_zh
from bishan_gis.network.costs import load_profile
from bishan_gis.planning.drive_reach import GROUND_M, Trip, ground_reached, people_reached
from bishan_gis.planning.indicator_answers import Answer, Computed, Missing, no_service, over
from bishan_gis.planning.indicator_land import URBAN, line_kinds

if TYPE_CHECKING:
    import pandas as pd

    from bishan_gis.planning.zone_sums import ZoneSums

__all__ = ["drive_min"]

#: Services whose vehicles come to the people.
_COMING = ("fire_station",)


def drive_min(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    """Return the share of the ground, or of the people, within some minutes by vehicle.

    Parameters
    ----------
    sums : ZoneSums
        A run.
    row : pandas.Series
        A standard: ``value`` [min]; of a ``denominator`` that begins with "area" the ground counts.
    standards : pandas.DataFrame
        Where no measure of the study says how long vehicles turn out, the row ``fire.turnout``.

    Returns
    -------
    Computed or Missing
        Missing where the run has no mode ``drive`` or no facility.
    """
    if "drive" not in sums.results.networks:
        return Missing(
            "需要行车网络 (在研究中增加 [drive] 一节: profile, max_snap_m)",
            "needs [drive]: add the section to the study (profile, max_snap_m)",
        )
    if not sums.has(row["service"]):
        return no_service(row)
    trip = _trip(sums, row, standards)
    if str(row["denominator"]).startswith("area"):
        return _ground(sums, row, trip)
    reached, unknown = people_reached(sums, trip)
    who = load_profile(sums.results.study.modes["drive"].profile if not trip.profile else trip.profile)
    asked = str(row["denominator"])
    note = (
        f"没有{cite_zh(asked)}的界线, 按人口计; 车速按{who.zh}, 不计停车",
        f"of people, for want of {asked}; speeds of {who.name}, parking not counted",
    )
    kinds = sums.kind(row["service"], streets=True)
    share = (over(reached, sums.people), over(reached + unknown, sums.people))
    return Computed(*share, sums.people, "person", kinds, "1", _limits(row), note)


def _limits(row: pd.Series) -> tuple[float, float]:
    least = float(row["share_min"])
    return (least, np.inf) if least == least else (np.nan, np.nan)


def _trip(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Trip:
    """Return the trip a row asks about, as the study's own measure of the service has it."""
    service, minutes = str(row["service"]), float(row["value"])
    if service not in _COMING:
        return Trip(service, minutes, profile="car")
    said = standards.loc[standards["id"] == "fire.turnout", "value"]
    turnout = float(said.iloc[0]) if len(said) else 1.0
    for measure in sums.results.study.measures:
        if measure.services == [service] and measure.mode == "drive" and measure.offset_min:
            turnout = float(measure.offset_min)
    if "without turn-out" in str(row["denominator"]):
        turnout = 0.0
    return Trip(service, minutes, direction="from", turnout_min=turnout)


def _ground(sums: ZoneSums, row: pd.Series, trip: Trip) -> Computed:
    """Return the share of the urban area, or where no line bounds it of the zone, that is reached."""
    urban = URBAN if sums.line_areas(URBAN) is not None else ""
    reached, unsure, whole = ground_reached(sums, trip, inside=urban)
    at = int(sums.zones["zone_kind"].eq("district").argmax())
    turn = (f"含出动 {trip.turnout_min:g} 分钟", f"turn-out of {trip.turnout_min:g} min included")
    kinds = sums.kind(row["service"], more=line_kinds(sums) if urban else (), streets=True)
    where = (f"按{URBAN}内面积计 {whole[at]:.1f} km²", f"of the area inside the line {URBAN}, {whole[at]:.1f} km2")
    if not urban:
        where = (f"按全区面积计 {whole[at]:.1f} km²", f"of all the area, {whole[at]:.1f} km2")
    more_zh, more_en = "", ""
    if urban:
        part, _, all_of = ground_reached(sums, trip)
        share = float(over(part, all_of)[at])
        more_zh, more_en = f"; 按全区面积为 {share:.1%}", f"; of all the district {share:.1%}"
    people, _ = _people_of_measure(sums, trip)
    if people == people:
        more_zh, more_en = f"{more_zh}; 按人口为 {people:.1%}", f"{more_en}; of people {people:.1%}"
    how = (f"{GROUND_M:g} m 网格取样", f"sampled every {GROUND_M:g} m")
    answer = Computed(
        over(reached, whole),
        over(reached + unsure, whole),
        whole,
        "km2",
        kinds,
        "1",
        _limits(row),
        (f"{where[0]}, {turn[0]}, {how[0]}{more_zh}", f"{where[1]}, {turn[1]}, {how[1]}{more_en}"),
    )
    return replace(answer, tag="P") if urban else answer


def _people_of_measure(sums: ZoneSums, trip: Trip) -> tuple[float, float]:
    """Return the share of the district's people that a measure of the study has for a trip; NaN where it has none."""
    table = sums.results.zone_measures
    nothing = (float("nan"), float("nan"))
    if table is None:
        return nothing
    mine = table[(table["measure"] == "nearest_cost") & (table["mode"] == "drive") & (table["age_group"] == "all")]
    mine = mine[(mine["services"] == trip.service) & (mine["cutoff_s"] == trip.minutes * 60)]
    mine = mine[mine["zone_kind"] == "district"]
    if mine.empty or not int(mine["people"].iloc[0]):
        return nothing
    people = float(mine["people"].iloc[0])
    return float(mine["people_reached"].iloc[0]) / people, float(mine["people_unknown"].iloc[0]) / people
