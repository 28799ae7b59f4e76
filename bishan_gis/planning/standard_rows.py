"""What a row of a table of standards may say, and the check of every row."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from bishan_gis.schema import known_names

__all__ = ["COLUMNS", "INDICATORS", "OPTIONAL", "STATUSES", "TAGS", "find_problems", "parse_numbers"]

#: Columns every file of standards has; the optional ones follow.
COLUMNS = (
    *("id", "set", "standard", "clause", "level", "service", "name_zh", "name_en", "indicator", "op"),
    *("value", "value_max", "unit", "denominator", "status", "source", "tag"),
)
#: ``share_min``: share of the denominator that must lie within `value` [0-1]; ``size_*_m2``: sites it holds for;
#: ``class``: class of facility it holds for (of shelters one of `shelter_classes.CLASSES`, or ``fixed``).
OPTIONAL = ("share_min", "size_min_m2", "size_max_m2", "class")

#: How far a value was checked, strongest first: seen, known and not checked, proposed.
TAGS = ("S", "K", "P")

#: What a row may ask for -> units it may be given in.
INDICATORS: dict[str, tuple[str, ...]] = {
    "walk_min": ("min",),
    "walk_m": ("m",),
    "drive_min": ("min",),
    "offset_min": ("min",),
    "commute_min": ("min",),
    "radius_m": ("m",),
    "distance_m": ("m",),
    "width_m": ("m",),
    "height_m": ("m",),
    "present": ("facility",),
    "building_m2": ("m2",),
    "site_m2": ("m2",),
    "area_km2": ("km2",),
    "land_ha": ("ha",),
    "people": ("person",),
    "dwellings": ("dwelling",),
    "households": ("household",),
    "capacity": ("person", "class"),
    "functions": ("function",),
    "entrances": ("entrance",),
    "share": ("1",),
    "per_person_m2": ("m2/person",),
    "per_10000_m2": ("m2/10000 person",),
    "per_100_households_m2": ("m2/100 household",),
    "per_1000": ("bed/1000 person", "bed/1000 person 65+"),
    "per_10000": ("class/10000 person", "facility/10000 person"),
    "per_100000": ("facility/100000 person",),
    "per_dwelling": ("space/dwelling",),
    "density_km_km2": ("km/km2",),
    "density_person_km2": ("person/km2",),
    "per_person_m": ("m/person",),
    "per_ha_yuan": ("10000 yuan/ha",),
    "per_gdp_m2": ("m2/10000 yuan",),
    "people_day": ("person/day",),
    "subsidence_mm": ("mm/year",),
    "return_years": ("year",),
    "speed": ("m/min", "km/h"),
    "land_ratio": ("1",),
    "count": ("facility", "site", "building", "community", "circle", "road", "element"),
    "not_spatial": ("",),
}
#: Whether a service must be there, or should be as needed.
STATUSES = ("must", "should")
_OPS = ("<=", "<", ">=", ">", "between", "")
_NUMBERS = ("value", "value_max", "share_min", "size_min_m2", "size_max_m2")
_CLASSES = ("", "emergency", "short", "medium", "long", "central", "fixed")


def parse_numbers(text: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text with its numbers as numbers; what is none becomes NaN, a level that is none -1."""
    out = text.copy()
    for column in _NUMBERS:
        out[column] = pd.to_numeric(text[column].where(text[column] != "", None), errors="coerce").astype(float)
    out["level"] = pd.to_numeric(text["level"], errors="coerce").fillna(-1).astype("int64")
    return out


def find_problems(text: pd.DataFrame, table: pd.DataFrame) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with a table, line by line as an editor counts them."""
    if len(text) == 0:
        yield "没有任何行", "no rows"
    seen: dict[str, int] = {}
    lines = zip(text.to_dict("records"), table.to_dict("records"), strict=True)
    for i, (said, numbers) in enumerate(lines):
        row = {str(k): str(v) for k, v in said.items()}
        who = f" ({row['id']})" if row["id"] else ""
        found = [*_row_problems(row, numbers)]
        if row["id"] in seen:
            found.append((f"id 与第 {seen[row['id']]} 行重复", f"id repeats that of line {seen[row['id']]}"))
        seen.setdefault(row["id"], i + 2)
        for zh, en in found:
            yield f"第 {i + 2} 行{who}: {zh}", f"line {i + 2}{who}: {en}"


def _row_problems(row: Mapping[str, str], numbers: Mapping[Hashable, Any]) -> Iterable[tuple[str, str]]:
    for column in ("id", "set", "standard", "name_zh", "name_en"):
        if not row[column]:
            yield f"{column} 为空", f"{column} is empty"
    allowed = {"indicator": tuple(INDICATORS), "op": _OPS, "status": STATUSES, "tag": TAGS, "class": _CLASSES}
    for column, values in allowed.items():
        if row[column] not in values:
            zh, en = known_names(row[column], [v for v in values if v])
            yield f"{column} = {row[column]!r} 未知;{zh}", f"{column} = {row[column]!r} is unknown; {en}"
    for column in _NUMBERS:
        if row[column] and not (math.isfinite(numbers[column]) and numbers[column] >= 0):
            yield f"{column} = {row[column]!r} 不是非负数", f"{column} = {row[column]!r} is no number of 0 or more"
    if numbers["level"] < 0 or row["level"] != str(numbers["level"]):
        yield f"level = {row['level']!r} 不是整分钟数", f"level = {row['level']!r} is no whole number of minutes"
    units = INDICATORS.get(row["indicator"], (row["unit"],))
    if row["unit"] not in units:
        yield (
            f"unit = {row['unit']!r} 与 {row['indicator']} 不符;可用: {', '.join(units)}",
            f"unit = {row['unit']!r} does not fit {row['indicator']}; use {', '.join(units)}",
        )
    if row["op"] == "between" and not numbers["value_max"] >= numbers["value"]:
        yield "between 需要 value <= value_max", "between needs value <= value_max"
    if row["op"] != "between" and row["value_max"]:
        yield "value_max 只用于 between", "value_max goes with between only"
    if row["value"] and not row["op"]:
        yield "有 value 而没有 op", "a value without op"
    if row["share_min"] and numbers["share_min"] > 1:
        yield f"share_min = {row['share_min']} 大于 1", f"share_min = {row['share_min']} is above 1"
    if row["tag"] == "S" and not row["source"]:
        yield "tag 为 S 而 source 为空", "tag is S and source is empty"
