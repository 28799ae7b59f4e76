"""One function per kind of indicator: its value in every zone, or why it cannot be told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.chinese import cite_zh
from bishan_gis.planning.indicator_answers import (
    Answer,
    Computed,
    Missing,
    Rule,
    join_notes,
    needs,
    no_service,
    over,
)
from bishan_gis.planning.indicator_choice import Choice, choose, row_class
from bishan_gis.planning.indicator_drive import drive_min
from bishan_gis.planning.indicator_land import area_km2, built_within, density, land_ha, land_use, residents

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bishan_gis.planning.zone_sums import ZoneSums

__all__ = ["RULES"]


def _share(
    sums: ZoneSums, row: pd.Series, covered: Any, unknown: Any, *, streets: bool, note: tuple[str, str] = ("", "")
) -> Computed:
    least = float(row["share_min"])
    asked = str(row["denominator"]).removesuffix("; here people")
    if not asked.startswith("people"):
        said = (f"按人口计 (标准按{cite_zh(asked)}计)", f"of people (the standard: {asked})")
        note = join_notes(said, note)
    return Computed(
        low=over(covered, sums.people),
        high=over(covered + unknown, sums.people),
        basis=sums.people,
        basis_unit="person",
        kinds=sums.kind(*[row["service"]] if row["service"] else [], streets=streets),
        unit="1",
        limits=(least, np.inf) if least == least else (np.nan, np.nan),
        note=note,
    )


def _walk_min(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    minutes = float(row["value_max"] if row["op"] == "between" else row["value"])
    if row["service"]:
        if not sums.has(row["service"]):
            return no_service(row)
        covered, unknown = sums.covered(row["service"], minutes)
        return _share(sums, row, covered, unknown, streets=True)
    if row["denominator"] != "residential land; here people":
        return Missing("是分级定义, 不是指标", "it defines a level and measures nothing")
    walked = standards[(standards["indicator"] == "walk_min") & (standards["set"] == row["set"])]
    kinds = [s for s in dict.fromkeys(walked["service"]) if s and sums.has(s)]
    if not kinds:
        return no_service(row)
    pairs = [sums.covered(s, minutes) for s in kinds]
    shown = len(kinds)
    return Computed(
        low=over(np.mean([p[0] for p in pairs], axis=0), sums.people),
        high=over(np.mean([p[0] + p[1] for p in pairs], axis=0), sums.people),
        basis=sums.people,
        basis_unit="person",
        kinds=sums.kind(*kinds, streets=True),
        unit="1",
        limits=(np.nan, np.nan),
        note=(
            f"{shown} 类设施覆盖率的平均: {'、'.join(map(sums.service_zh, kinds))}",
            f"mean over {shown} services: {', '.join(kinds)}",
        ),
    )


def _within(sums: ZoneSums, row: pd.Series, choice: Choice) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the people within the radius of the facilities meant, and of those that may be meant."""
    people = sums.results.cells["people"].to_numpy(np.int64)
    inside = sums.within_m(row["service"], float(row["value"]), choice.sure)
    maybe = sums.within_m(row["service"], float(row["value"]), choice.unsure) & ~inside
    return sums.sum_cells(np.where(inside, people, 0)), sums.sum_cells(np.where(maybe, people, 0))


def _radius_m(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    if not sums.has(row["service"]):
        return no_service(row)
    chosen = choose(sums, row, standards)
    if isinstance(chosen, Missing):
        return chosen
    if row["denominator"] == "built land" and sums.results.landuse is not None:
        return built_within(sums, row, chosen.sure)
    covered, unknown = _within(sums, row, chosen)
    answer = _share(sums, row, covered, unknown, streets=False, note=chosen.note)
    return replace(answer, tag=chosen.tag if row_class(row) else "")


def _present(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    if not sums.has(row["service"]):
        return no_service(row)
    count = sums.sum_facilities(sums.of_service(row["service"]).astype(float))
    note = ("按分区计数, 不是按生活圈", "counted by zone, not by circle")
    return Computed(count, count, sums.people, "person", sums.kind(row["service"]), note=note)


def _per_head(
    sums: ZoneSums, row: pd.Series, standards: pd.DataFrame, amount: NDArray[np.float64], heads: Any, factor: float
) -> Answer:
    """Add up what is known of the facilities meant; where something is not known it is a lower bound."""
    what = ("面积 (面状图形)", "an area (a polygon)") if row["unit"].startswith("m2") else ("容量", "a `capacity`")
    if not sums.has(row["service"]):
        return no_service(row)
    chosen = choose(sums, row, standards)
    if isinstance(chosen, Missing):
        return chosen
    mine = chosen.sure | chosen.unsure
    known = chosen.sure & np.isfinite(amount)
    if not known.any() and mine.any():
        return Missing(
            f"{sums.service_zh(row['service'])} {int(mine.sum())} 处没有一处有{what[0]}, 请在设施图层提供",
            f"none of {int(mine.sum())} {row['service']} has {what[1]}; give it in the layer of facilities",
        )
    total = sums.sum_facilities(np.where(known, amount, 0.0))
    lost = sums.sum_facilities((mine & ~known).astype(float))
    low = over(total * factor, heads)
    high = np.where(lost > 0, np.inf, low)
    # Nothing known and something unknown is no figure at all.
    low = np.where((total == 0) & (lost > 0), np.nan, low)
    n, m = int((mine & ~known).sum()), int(mine.sum())
    note = (f"{m} 处中 {n} 处未知, 只是下限", f"{n} of {m} unknown: a lower bound") if n else ("", "")
    kinds = sums.kind(row["service"])
    return Computed(low, high, np.asarray(heads), "person", kinds, note=join_notes(chosen.note, note), tag=chosen.tag)


def _per_person_m2(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    area = sums.facility_area_m2
    if row["denominator"] == "people":
        return _per_head(sums, row, standards, area, sums.people, 1.0)
    if row["denominator"] != "people sheltered" or not row_class(row):
        return needs(row)
    if not sums.has(row["service"]):
        return no_service(row)
    chosen = choose(sums, row, standards)
    if isinstance(chosen, Missing):
        return chosen
    capacity = sums.results.facilities["capacity"].to_numpy(float)
    both = chosen.sure & np.isfinite(area) & np.isfinite(capacity)
    n = int(chosen.sure.sum())
    if not both.any():
        return Missing(
            f"{chosen.note[0]}, 没有一处同时有面积和容量;请在设施图层提供面状图形和容量",
            f"{chosen.note[1]}, none has both an area and a capacity; give polygons and `capacity`",
        )
    heads = sums.sum_facilities(np.where(both, capacity, 0.0))
    value = over(sums.sum_facilities(np.where(both, area, 0.0)), heads)
    whole = int(both.sum()) == n and not chosen.unsure.any()
    note = (
        f"{n} 处中 {int(both.sum())} 处面积和容量均已知",
        f"area and capacity of {int(both.sum())} of {n} are known",
    )
    # What is not known may lie on either side: no upper end, and so no verdict.
    high = value if whole else np.full(len(value), np.nan)
    kinds = sums.kind(row["service"])
    return Computed(value, high, heads, "person", kinds, note=join_notes(chosen.note, note), tag=chosen.tag)


def _per_1000(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    group = row["denominator"].removeprefix("people").strip()
    heads = sums.group(group) if group else sums.people
    if heads is None:
        return Missing(f"研究没有年龄组 {group}", f"the study has no age group {group}")
    return _per_head(sums, row, standards, sums.results.facilities["capacity"].to_numpy(float), heads, 1000.0)


def _per_100000(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    one = np.ones(len(sums.results.facilities))
    return _per_head(sums, row, standards, one, sums.people, 100_000.0)


def _share_of(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    if row["denominator"].startswith("planned people"):
        capacity = sums.results.facilities["capacity"].to_numpy(float)
        answer = _per_head(sums, row, standards, capacity, sums.people, 1.0)
        if isinstance(answer, Missing):
            return answer
        note = ("按现状人口", "of the present people")
        if not row_class(row):
            note = join_notes(note, ("含所有级别的设施", "facilities of every class"))
        return replace(answer, at_most=True, note=join_notes(note, answer.note))
    if str(row["denominator"]).startswith(("land use", "built land")):
        return land_use(sums, row, standards)
    sized = standards[(standards["service"] == row["service"]) & (standards["indicator"] == "radius_m")]
    sized = sized[sized["size_min_m2"].notna() & (sized["set"] == "checkup")]
    if row["service"] and row["denominator"].startswith("residential") and len(sized):
        return _radii_together(sums, row, sized)
    return needs(row)


def _radii_together(sums: ZoneSums, row: pd.Series, sized: pd.DataFrame) -> Answer:
    """Count the people within the radius that belongs to the size of any facility."""
    if not sums.has(row["service"]):
        return no_service(row)
    inside = np.zeros(len(sums.results.cells), dtype=bool)
    maybe, lost = inside.copy(), 0
    for _, one in sized.iterrows():
        chosen = choose(sums, one, sized)
        if isinstance(chosen, Missing):
            return chosen
        inside |= sums.within_m(row["service"], float(one["value"]), chosen.sure)
        maybe |= sums.within_m(row["service"], float(one["value"]), chosen.unsure)
        lost = int(chosen.unsure.sum())
    people = sums.results.cells["people"].to_numpy(np.int64)
    low = over(sums.sum_cells(np.where(inside, people, 0)), sums.people)
    high = over(sums.sum_cells(np.where(inside | maybe, people, 0)), sums.people)
    note = (f"半径按{'、'.join(sized['name_zh'])}, 按人口计", f"radii of {', '.join(sized['id'])}, of people")
    if lost:
        note = join_notes(note, (f"{lost} 处没有面积", f"{lost} without area"))
    return Computed(low, high, sums.people, "person", sums.kind(row["service"]), note=note)


def _site_m2(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    """Share of the sites whose area lies within the standard; every one should."""
    same = standards[(standards["service"] == row["service"]) & (standards["indicator"] == "site_m2")]
    if not sums.has(row["service"]):
        return no_service(row)
    if (same["set"] == row["set"]).sum() > 1:
        return Missing(
            "同一标准对不同级别各有规模, 级别本身即由规模判定",
            "sizes differ by class, and it is the size that tells the class",
        )
    area = sums.facility_area_m2
    mine = sums.of_service(row["service"])
    known = mine & np.isfinite(area)
    if not known.any():
        return Missing("设施没有面积", "the facilities have no area")
    high = float(row["value_max"]) if row["op"] == "between" else np.inf
    good = sums.sum_facilities((known & (area >= float(row["value"])) & (area <= high)).astype(float))
    lost = sums.sum_facilities((mine & ~known).astype(float))
    count = sums.sum_facilities(mine.astype(float))
    note = ("达标设施所占比例", "share of the sites that meet it")
    kinds = sums.kind(row["service"])
    return Computed(over(good, count), over(good + lost, count), sums.people, "person", kinds, "1", (1.0, np.inf), note)


def _not(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del sums, standards
    return needs(row)


#: Indicator -> how it is computed; what is not named here needs data a run does not have.
RULES: dict[str, Rule] = {
    "walk_min": _walk_min,
    "radius_m": _radius_m,
    "present": _present,
    "per_person_m2": _per_person_m2,
    "per_1000": _per_1000,
    "per_100000": _per_100000,
    "share": _share_of,
    "drive_min": drive_min,
    "area_km2": area_km2,
    "land_ha": land_ha,
    "land_ratio": land_use,
    "people": residents,
    "density_km_km2": density,
    "density_person_km2": density,
    "site_m2": _site_m2,
    "not_spatial": _not,
}
