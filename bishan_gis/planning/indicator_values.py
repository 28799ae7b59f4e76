"""One function per kind of indicator: its value in every zone, or why it cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bishan_gis.planning.zone_sums import ZoneSums

__all__ = ["RULES", "Computed", "Missing"]

#: Control line that bounds the urban area of a plan.
URBAN = "城镇开发边界"


@dataclass(frozen=True)
class Computed:
    """An indicator in every zone.

    Attributes
    ----------
    low, high : ndarray
        Value, and what more data could make of it; NaN where a zone has nothing to measure.
    basis : ndarray
        People or area it is measured over.
    basis_unit : str
        ``person`` or ``km2``.
    kinds : list of str
        What each zone's value rests on.
    unit : str
        Unit of the value where it is not that of the standard.
    limits : tuple of float, optional
        Smallest and largest value allowed; left out: those of the standard.
    note : tuple of str
        How it differs from what the standard means, in both languages.
    at_most : bool
        More is counted than the standard means: the figure can miss a threshold for sure, and never meet it for sure.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    basis: NDArray[Any]
    basis_unit: str
    kinds: list[str]
    unit: str = ""
    limits: tuple[float, float] | None = None
    note: tuple[str, str] = ("", "")
    at_most: bool = False


@dataclass(frozen=True)
class Missing:
    """An indicator that cannot be told, and what would be needed."""

    zh: str
    en: str


Answer = Computed | Missing
Rule = Callable[["ZoneSums", "pd.Series", "pd.DataFrame"], Answer]


def _over(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    out = np.full(len(whole), np.nan)
    np.divide(part, whole, out=out, where=np.asarray(whole) > 0)
    return out


def _no_service(row: pd.Series) -> Missing:
    key = row["service"] or row["name_zh"]
    return Missing(
        f"没有 {key} 的设施;请在 inputs.facilities 或 OSM 中提供, 并列入 services.include",
        f"no facilities of {key}; give them in inputs.facilities or in OSM, and in services.include",
    )


def _share(
    sums: ZoneSums, row: pd.Series, covered: Any, unknown: Any, *, streets: bool, note: Any = ("", "")
) -> Answer:
    least = float(row["share_min"])
    over = str(row["denominator"]).removesuffix("; here people")
    if not over.startswith("people"):
        said = (f"按人口计 (标准: {over})", f"of people (the standard: {over})")
        note = tuple("; ".join(x for x in pair if x) for pair in zip(said, note, strict=True))
    return Computed(
        low=_over(covered, sums.people),
        high=_over(covered + unknown, sums.people),
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
            return _no_service(row)
        covered, unknown = sums.covered(row["service"], minutes)
        return _share(sums, row, covered, unknown, streets=True)
    if row["denominator"] != "residential land; here people":
        return Missing("是分级定义, 不是指标", "it defines a level and measures nothing")
    walked = standards[(standards["indicator"] == "walk_min") & (standards["set"] == row["set"])]
    kinds = [s for s in dict.fromkeys(walked["service"]) if s and sums.has(s)]
    if not kinds:
        return _no_service(row)
    pairs = [sums.covered(s, minutes) for s in kinds]
    shown = len(kinds)
    return Computed(
        low=_over(np.mean([p[0] for p in pairs], axis=0), sums.people),
        high=_over(np.mean([p[0] + p[1] for p in pairs], axis=0), sums.people),
        basis=sums.people,
        basis_unit="person",
        kinds=sums.kind(*kinds, streets=True),
        unit="1",
        limits=(np.nan, np.nan),
        note=(f"{shown} 类设施覆盖率的平均: {'、'.join(kinds)}", f"mean over {shown} services: {', '.join(kinds)}"),
    )


def _sized(sums: ZoneSums, row: pd.Series) -> NDArray[np.bool_] | None:
    """Return the facilities of the size a row speaks of, all where it names none, None where no size is known."""
    low, high = float(row["size_min_m2"]), float(row["size_max_m2"])
    area = sums.facility_area_m2
    if low != low and high != high:
        return np.ones(len(area), dtype=bool)
    if not np.isfinite(area[sums.of_service(row["service"])]).any():
        return None
    low, high = (0.0 if low != low else low), (np.inf if high != high else high)
    return np.asarray((area >= low) & (area < high))


def _radius_m(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    if not sums.has(row["service"]):
        return _no_service(row)
    chosen = _sized(sums, row)
    if chosen is None:
        return Missing("设施没有面积, 无法按规模分级", "the facilities have no area to class them by")
    inside = sums.within_m(row["service"], float(row["value"]), chosen)
    covered = sums.sum_cells(np.where(inside, sums.results.cells["people"].to_numpy(np.int64), 0))
    unsized = sums.of_service(row["service"]) & ~np.isfinite(sums.facility_area_m2)
    note = ("", "")
    if row["size_min_m2"] == row["size_min_m2"] and unsized.any():
        n = int(unsized.sum())
        note = (f"{n} 处没有面积, 未计入", f"{n} without area are left out")
    return _share(sums, row, covered, np.zeros_like(covered), streets=False, note=note)


def _present(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    if not sums.has(row["service"]):
        return _no_service(row)
    count = sums.sum_facilities(sums.of_service(row["service"]).astype(float))
    note = ("按分区计数, 不是按生活圈", "counted by zone, not by circle")
    return Computed(count, count, sums.people, "person", sums.kind(row["service"]), note=note)


def _total(sums: ZoneSums, service: str, amount: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any], Any]:
    """Add up what is known of the facilities of a service, and count the facilities where it is not."""
    mine = sums.of_service(service)
    known = mine & np.isfinite(amount)
    total = sums.sum_facilities(np.where(known, amount, 0.0))
    return total, sums.sum_facilities((mine & ~known).astype(float)), known


def _per_head(sums: ZoneSums, row: pd.Series, amount: NDArray[np.float64], heads: Any, factor: float) -> Answer:
    what = (
        ("面积 (面状图形)", "an area (a polygon)")
        if row["unit"].startswith("m2")
        else ("容量 capacity", "a `capacity`")
    )
    if not sums.has(row["service"]):
        return _no_service(row)
    total, lost, known = _total(sums, row["service"], amount)
    if not known.any():
        return Missing(
            f"{row['service']} 没有一处有{what[0]};请在设施图层提供",
            f"no {row['service']} has {what[1]}; give it in the layer of facilities",
        )
    low = _over(total * factor, heads)
    high = np.where(lost > 0, np.inf, low)
    # Nothing known and something unknown is no figure at all.
    low = np.where((total == 0) & (lost > 0), np.nan, low)
    n = int(lost[0]) if len(lost) else 0
    note = (f"{n} 处未知, 只是下限", f"{n} unknown: a lower bound") if n else ("", "")
    return Computed(low, high, np.asarray(heads), "person", sums.kind(row["service"]), note=note)


def _per_person_m2(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    if row["denominator"] != "people":
        return _needs(row)
    return _per_head(sums, row, sums.facility_area_m2, sums.people, 1.0)


def _per_1000(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    group = row["denominator"].removeprefix("people").strip()
    heads = sums.group(group) if group else sums.people
    if heads is None:
        return Missing(f"研究没有年龄组 {group}", f"the study has no age group {group}")
    return _per_head(sums, row, sums.results.facilities["capacity"].to_numpy(float), heads, 1000.0)


def _per_100000(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    one = np.ones(len(sums.results.facilities))
    return _per_head(sums, row, one, sums.people, 100_000.0)


def _share_of(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    if row["denominator"].startswith("planned people"):
        answer = _per_head(sums, row, sums.results.facilities["capacity"].to_numpy(float), sums.people, 1.0)
        if isinstance(answer, Missing):
            return answer
        note = ("现状人口, 所有级别的设施", "present people, facilities of every class")
        both = tuple("; ".join(x for x in pair if x) for pair in zip(note, answer.note, strict=True))
        return replace(answer, at_most=True, note=(both[0], both[1]))
    sized = standards[(standards["service"] == row["service"]) & (standards["indicator"] == "radius_m")]
    sized = sized[sized["size_min_m2"].notna() & (sized["set"] == "checkup")]
    if row["service"] and row["denominator"].startswith("residential") and len(sized):
        return _radii_together(sums, row, sized)
    return _needs(row)


def _radii_together(sums: ZoneSums, row: pd.Series, sized: pd.DataFrame) -> Answer:
    """Count the people within the radius that belongs to the size of any facility."""
    if not sums.has(row["service"]):
        return _no_service(row)
    inside = np.zeros(len(sums.results.cells), dtype=bool)
    for _, one in sized.iterrows():
        chosen = _sized(sums, one)
        if chosen is None:
            return Missing("设施没有面积, 无法按规模分级", "the facilities have no area to class them by")
        inside |= sums.within_m(row["service"], float(one["value"]), chosen)
    covered = sums.sum_cells(np.where(inside, sums.results.cells["people"].to_numpy(np.int64), 0))
    share = _over(covered, sums.people)
    note = (f"半径按 {'、'.join(sized['id'])}", f"radii of {', '.join(sized['id'])}")
    return Computed(share, share, sums.people, "person", sums.kind(row["service"]), note=note)


def _drive_min(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    table = sums.results.zone_measures
    found = None
    if table is not None:
        mine = table[(table["measure"] == "nearest_cost") & (table["mode"] == "drive") & (table["age_group"] == "all")]
        mine = mine[(mine["services"] == row["service"]) & (mine["cutoff_s"] == float(row["value"]) * 60)]
        found = mine if len(mine) else None
    if found is None:
        return Missing(
            f'需要 [drive] 和一个 [[measures]]: measure = "nearest_cost", mode = "drive", '
            f'services = ["{row["service"]}"], cutoff_min = {row["value"]:g}',
            f'needs [drive] and a [[measures]] entry: measure = "nearest_cost", mode = "drive", '
            f'services = ["{row["service"]}"], cutoff_min = {row["value"]:g}',
        )
    found = found[found["measure_name"] == found["measure_name"].iloc[0]].set_index(["zone_kind", "zone_id"])
    at = [found.loc[(k, z)] for k, z in zip(sums.zones["zone_kind"], sums.zones["zone_id"], strict=True)]
    reached = np.array([int(r["people_reached"]) for r in at])
    unknown = np.array([int(r["people_unknown"]) for r in at])
    return _share(sums, row, reached, unknown, streets=True)


def _area_km2(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    if row["denominator"] != "station":
        return _needs(row)
    if not sums.has(row["service"]):
        return _no_service(row)
    count = sums.sum_facilities(sums.of_service(row["service"]).astype(float))
    value = _over(sums.area_km2, count)
    note = ("分区面积除以站数, 不是辖区", "area of the zone over its stations, not their districts")
    return Computed(value, value, sums.area_km2, "km2", sums.kind(row["service"]), note=note)


def _land_ha(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    import shapely

    if not row["denominator"].startswith("control line "):
        return _needs(row)
    line = row["denominator"].removeprefix("control line ")
    parts = sums.line_areas(line)
    if parts is None:
        return Missing(f"inputs.control_lines 中没有 {line}", f"inputs.control_lines has no {line}")
    value = shapely.area(parts) / 1e4
    return Computed(value, value, sums.area_km2, "km2", sums.kind(more=_line_kinds(sums)))


def _people(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    if row["denominator"] != "district":
        return _needs(row)
    return Computed(sums.people, sums.people, sums.people, "person", sums.kind())


def _line_kinds(sums: ZoneSums) -> tuple[str, ...]:
    lines = sums.results.control_lines
    return () if lines is None else tuple(str(k) for k in lines["kind"].unique())


def _density(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del standards
    import geopandas as gpd
    import shapely

    from bishan_gis.access.street_measures import street_measures

    if row["denominator"] != "urban area":
        return _needs(row)
    urban = sums.line_areas(URBAN)
    if urban is None:
        return Missing(f"inputs.control_lines 中没有 {URBAN}", f"inputs.control_lines has no {URBAN}")
    area = shapely.area(urban) / 1e6
    kinds = sums.kind(more=_line_kinds(sums), streets=True)
    note = (f"{URBAN} 以内", f"inside the line {URBAN}")
    if row["indicator"] == "density_person_km2":
        cells = sums.results.cells
        inside = np.zeros(len(cells), dtype=bool)
        for whole in urban[(sums.zones["zone_kind"] == "district").to_numpy()]:
            shapely.prepare(whole)
            inside |= shapely.intersects_xy(whole, cells["x"].to_numpy(float), cells["y"].to_numpy(float))
        people = sums.sum_cells(np.where(inside, cells["people"].to_numpy(np.int64), 0))
        value = _over(people, area)
        return Computed(value, value, area, "km2", kinds, note=note)
    rows = np.flatnonzero(area > 0)
    value = np.full(len(area), np.nan)
    drive = sums.results.networks.get("drive")
    network = sums.results.network if drive is None else drive
    if len(rows):
        places = gpd.GeoDataFrame({"zone_id": rows.astype(str)}, geometry=urban[rows], crs=network.crs)
        value[rows] = street_measures(network, places)["street_density_km_km2"].to_numpy(float)
    which = (
        ("步行网络, 含人行道", "walking network, paths included") if drive is None else ("行车网络", "driving network")
    )
    note = (f"{note[0]}, {which[0]}, 含小区内道路", f"{note[1]}, {which[1]}, streets of estates included")
    return Computed(value, value, area, "km2", kinds, note=note, at_most=True)


def _site_m2(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    """Share of the sites whose area lies within the standard; every one should."""
    same = standards[(standards["service"] == row["service"]) & (standards["indicator"] == "site_m2")]
    if not sums.has(row["service"]):
        return _no_service(row)
    if (same["set"] == row["set"]).sum() > 1:
        return Missing("同一标准对不同级别各有规模;设施没有级别", "sizes differ by class; the facilities have no class")
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
    return Computed(
        _over(good, count), _over(good + lost, count), sums.people, "person", kinds, "1", (1.0, np.inf), note
    )


def _needs(row: pd.Series) -> Missing:
    what = row["denominator"] or row["indicator"]
    return Missing(f"需要数据: {what} ({row['indicator']})", f"needs data: {what} ({row['indicator']})")


def _not(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    del sums, standards
    return _needs(row)


#: Indicator -> how it is computed; what is not named here needs data a run does not have.
RULES: dict[str, Rule] = {
    "walk_min": _walk_min,
    "radius_m": _radius_m,
    "present": _present,
    "per_person_m2": _per_person_m2,
    "per_1000": _per_1000,
    "per_100000": _per_100000,
    "share": _share_of,
    "drive_min": _drive_min,
    "area_km2": _area_km2,
    "land_ha": _land_ha,
    "people": _people,
    "density_km_km2": _density,
    "density_person_km2": _density,
    "site_m2": _site_m2,
    "not_spatial": _not,
}
