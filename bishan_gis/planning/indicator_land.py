"""Indicators of land: areas, lines and densities of every zone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.planning.indicator_answers import Answer, Computed, Missing, needs, no_service, over

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

    from bishan_gis.planning.zone_sums import ZoneSums

__all__ = [
    "BUILT",
    "URBAN",
    "area_km2",
    "areas_by_zone",
    "built_land",
    "built_within",
    "density",
    "land_ha",
    "land_use",
    "line_kinds",
    "residents",
]

#: Control line that bounds the urban area of a plan.
URBAN = "城镇开发边界"
#: Classes of the 2023 guide that are built land; homesteads (0703), railways and highways lie in the country [P].
BUILT = ("07", "08", "09", "10", "11", "12", "13", "14", "15")
_RURAL = ("0703", "1201", "1202")
#: What a denominator may say of land use.
_LAND = re.compile(
    r"(?:land use (?P<codes>\d+(?: \d+)*)|built land)"
    r"(?: of (?P<of>district|built land)| inside (?P<line>\S+)| over (?P<other>\d+(?: \d+)*))?"
)


def area_km2(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    """Return the area of a zone over its stations."""
    del standards
    if row["denominator"] != "station":
        return needs(row)
    if not sums.has(row["service"]):
        return no_service(row)
    count = sums.sum_facilities(sums.of_service(row["service"]).astype(float))
    value = over(sums.area_km2, count)
    note = ("分区面积除以站数, 不是辖区", "area of the zone over its stations, not their districts")
    return Computed(value, value, sums.area_km2, "km2", sums.kind(row["service"]), note=note)


def land_ha(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    """Return the land inside a control line, or that of classes of land use."""
    import shapely

    if not row["denominator"].startswith("control line "):
        return land_use(sums, row, standards)
    line = row["denominator"].removeprefix("control line ")
    parts = sums.line_areas(line)
    if parts is None:
        return Missing(f"没有控制线{line} (inputs.control_lines)", f"inputs.control_lines has no {line}")
    value = shapely.area(parts) / 1e4
    return Computed(value, value, sums.area_km2, "km2", sums.kind(more=line_kinds(sums)))


def residents(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    """Return the people."""
    del standards
    if row["denominator"] != "district":
        return needs(row)
    return Computed(sums.people, sums.people, sums.people, "person", sums.kind())


def line_kinds(sums: ZoneSums) -> tuple[str, ...]:
    """Return what the control lines rest on."""
    lines = sums.results.control_lines
    return () if lines is None else tuple(str(k) for k in lines["kind"].unique())


def density(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    """Return streets or people over the urban area."""
    del standards
    import geopandas as gpd
    import shapely

    from bishan_gis.access.street_measures import street_measures

    if row["denominator"] != "urban area":
        return needs(row)
    urban = sums.line_areas(URBAN)
    if urban is None:
        return Missing(f"没有控制线{URBAN} (inputs.control_lines)", f"inputs.control_lines has no {URBAN}")
    area = shapely.area(urban) / 1e6
    kinds = sums.kind(more=line_kinds(sums), streets=True)
    note = (f"{URBAN}以内", f"inside the line {URBAN}")
    if row["indicator"] == "density_person_km2":
        cells = sums.results.cells
        inside = np.zeros(len(cells), dtype=bool)
        for whole in urban[(sums.zones["zone_kind"] == "district").to_numpy()]:
            shapely.prepare(whole)
            inside |= shapely.intersects_xy(whole, cells["x"].to_numpy(float), cells["y"].to_numpy(float))
        people = sums.sum_cells(np.where(inside, cells["people"].to_numpy(np.int64), 0))
        value = over(people, area)
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


def built_land(sums: ZoneSums, *, rural: bool = False) -> gpd.GeoDataFrame | None:
    """Return the built land of a run, or None where it has no land use.

    Parameters
    ----------
    sums : ZoneSums
        A run.
    rural : bool
        Also homesteads, railways and highways.
    """
    import geopandas as gpd

    land = sums.results.landuse
    if land is None:
        return None
    code = land["code"].astype(str).str
    keep = code.startswith(BUILT) & (rural | ~code.startswith(_RURAL))
    return gpd.GeoDataFrame(land[keep].reset_index(drop=True))


def areas_by_zone(shapes: NDArray[Any], bounds: NDArray[Any]) -> NDArray[np.float64]:
    """Return the area of polygons inside each of several bounds, in square units of their coordinates."""
    import shapely

    tree, out = shapely.STRtree(shapes), np.zeros(len(bounds))
    for i, bound in enumerate(bounds):
        shapely.prepare(bound)
        at = tree.query(bound, predicate="intersects")
        inside = shapely.covers(bound, shapes[at])
        cut = shapely.intersection(shapes[at[~inside]], bound)
        out[i] = shapely.area(shapes[at[inside]]).sum() + shapely.area(cut).sum()
    return out


def _inside_any(shapes: NDArray[Any], circles: NDArray[Any]) -> NDArray[Any]:
    """Return the part of each polygon that lies in any of the circles."""
    import shapely

    whole, tree = shapely.union_all(circles), shapely.STRtree(circles)
    shapely.prepare(whole)
    inside = shapely.covers(whole, shapes)
    out = np.array(shapes, dtype=object)
    out[~inside] = shapely.Polygon()
    cut = np.flatnonzero(shapely.intersects(whole, shapes) & ~inside)
    # The circles at hand are few; all of them together have a long border.
    for i in cut:
        near = circles[tree.query(shapes[i], predicate="intersects")]
        out[i] = shapely.intersection(shapes[i], shapely.union_all(near))
    return np.asarray(out, dtype=object)


def land_use(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Answer:
    """Return the area or the share of classes of land use, as the denominator of a row names them.

    Parameters
    ----------
    sums : ZoneSums
        A run.
    row : pandas.Series
        ``denominator``: ``land use`` and classes, or ``built land``; then nothing (their area), ``inside`` a control
        line, ``of district``, ``of built land``, or ``over`` other classes.
    standards : pandas.DataFrame
        Not used.
    """
    del standards
    import shapely

    found = _LAND.fullmatch(str(row["denominator"]))
    land = sums.results.landuse
    if found is None:
        return needs(row)
    if land is None or land.empty:
        return Missing("需要土地利用 (inputs.landuse)", "needs land use (inputs.landuse)")
    codes = tuple((found["codes"] or "").split())
    mine = land[land["code"].astype(str).str.startswith(codes)] if codes else built_land(sums, rural=True)
    if mine is None or mine.empty:
        shown = " ".join(codes) or "07-15"
        return Missing(f"土地利用中没有 {shown} 类", f"the land use has no class {shown}")
    bounds, kinds = sums.zones["geometry"].to_numpy(), tuple(str(k) for k in mine["kind"].unique())
    if found["line"]:
        line = sums.line_areas(found["line"])
        if line is None:
            return Missing(
                f"没有控制线{found['line']} (inputs.control_lines)", f"inputs.control_lines has no {found['line']}"
            )
        bounds, kinds = line, (*kinds, *line_kinds(sums))
    area = areas_by_zone(shapely.make_valid(mine.geometry.to_numpy()), bounds)
    kind = sums.kind(more=kinds)
    note = ("按土地利用图层", "by the layer of land use")
    if row["indicator"] == "land_ha":
        return Computed(area / 1e4, area / 1e4, sums.area_km2, "km2", kind, note=note)
    if found["of"] == "district":
        whole = shapely.area(sums.zones["geometry"].to_numpy())
    else:
        other = built_land(sums, rural=True)
        if found["other"]:
            other = land[land["code"].astype(str).str.startswith(tuple(found["other"].split()))]
        if other is None or other.empty:
            return needs(row)
        whole = areas_by_zone(shapely.make_valid(other.geometry.to_numpy()), bounds)
    value = over(area, whole)
    return Computed(value, value, whole / 1e6, "km2", kind, note=note)


def built_within(sums: ZoneSums, row: pd.Series, chosen: NDArray[np.bool_]) -> Answer:
    """Return the share of the built land that lies within a straight line of facilities."""
    import shapely

    land = built_land(sums)
    if land is None or land.empty:
        return needs(row)
    places = sums.results.facilities.loc[chosen, ["x", "y"]].to_numpy(float)
    circles = shapely.buffer(shapely.points(places), float(row["value"]), quad_segs=32)
    bounds, note = sums.zones["geometry"].to_numpy(), ("", "")
    urban = sums.line_areas(URBAN)
    if urban is not None:
        bounds, note = urban, (f", {URBAN}以内", f", inside the line {URBAN}")
    shape = shapely.make_valid(land.geometry.to_numpy())
    whole = areas_by_zone(shape, bounds)
    part = areas_by_zone(_inside_any(shape, circles), bounds)
    share, least = over(part, whole), float(row["share_min"])
    said = (
        f"按建设用地面积计 ({whole[_district(sums)] / 1e6:.1f} km²{note[0]})",
        f"of built land ({whole[_district(sums)] / 1e6:.1f} km2{note[1]})",
    )
    kinds = sums.kind(row["service"], more=(*land["kind"].unique(), *_line_kinds_of(sums, urban is not None)))
    limits = (least, np.inf) if least == least else (np.nan, np.nan)
    return Computed(share, share, whole / 1e6, "km2", kinds, "1", limits, said, tag="P")


def _line_kinds_of(sums: ZoneSums, used: bool) -> tuple[str, ...]:
    return line_kinds(sums) if used else ()


def _district(sums: ZoneSums) -> int:
    return int(sums.zones["zone_kind"].eq("district").argmax())
