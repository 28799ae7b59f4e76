"""Section ``[transit]`` of a study: timetables, lines of which only headways are known, and when one leaves."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bishan_gis.measure_settings import Section, wrong

__all__ = ["Transit", "TransitLine"]

Positive = Annotated[float, Field(gt=0)]
Clock = Annotated[str, Field(pattern=r"^([0-3]?\d|4[0-7]):[0-5]\d$")]


class TransitLine(Section):
    """A line by its stations; they are facilities of the study, known by their names."""

    name: str
    stations: list[str] = Field(min_length=2)
    run_min: list[Positive] | None = Field(default=None, description="running time to each next station")
    length_km: Positive | None = Field(default=None, description="with speed_kmh, in place of run_min")
    speed_kmh: Positive | None = Field(default=None, description="stops included")
    headway_min: Positive
    first: Clock = "06:30"
    last: Clock = "22:00"
    both_ways: bool = True
    kind: Literal["observed", "derived", "assumed", "synthetic"] = "assumed"
    source: str = ""

    @model_validator(mode="after")
    def _times(self) -> TransitLine:
        if self.run_min is None and (self.length_km is None or self.speed_kmh is None):
            raise wrong(*("须给出 run_min, 或 length_km 与 speed_kmh", "give run_min, or length_km and speed_kmh"))
        if self.run_min is not None and len(self.run_min) != len(self.stations) - 1:
            n, m = len(self.stations), len(self.run_min)
            raise wrong(f"{n} 个站须有 {n - 1} 个 run_min, 现有 {m} 个", f"{n} stations need {n - 1} run_min, not {m}")
        return self


class Transit(Section):
    """What runs, and the window of departures over which times are taken."""

    gtfs: list[str] = Field(default_factory=list, description="feeds: zip files or folders")
    date: str = Field(default="", description="day of the feeds, YYYY-MM-DD")
    osm_routes: bool = Field(default=False, description="also the route relations of the OSM file")
    default_headway_min: Positive | None = Field(default=None, description="of OSM routes that say nothing: assumed")
    window: tuple[Clock, Clock] = ("07:30", "08:30")
    step_min: Positive = 5.0
    percentile: Annotated[float, Field(gt=0, le=100)] = 50.0
    max_walk_min: Positive = 15.0
    board_slack_s: Annotated[float, Field(ge=1)] = 60.0
    stations: list[str] = Field(default=["rail_station", "bus_stop"], description="services that lines stop at")
    lines: list[TransitLine] = Field(default_factory=list)

    @model_validator(mode="after")
    def _date(self) -> Transit:
        if self.gtfs and not self.date:
            raise wrong(*("使用 gtfs 时须给出 date", "gtfs needs a date"))
        try:
            if self.date and dt.date.fromisoformat(self.date).isoformat() != self.date:
                raise ValueError(self.date)
        except ValueError as err:
            raise wrong(
                f"date = {self.date} 不是日期; 应为 YYYY-MM-DD", f"date = {self.date} is no date; write YYYY-MM-DD"
            ) from err
        return self

    @property
    def given(self) -> bool:
        """Whether the study says anything about public transport."""
        return bool(self.gtfs or self.lines or self.osm_routes)
