"""Zones: the district, its development directions, its townships; and which of them a place is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from bishan_gis.crs import check_metric
from bishan_gis.errors import SchemaError, StudyError
from bishan_gis.places.units import add_units
from bishan_gis.schema import KINDS, UNIT_KINDS, check_columns, check_unique, nearest_name, weakest_kind
from bishan_gis.sources.tables import zone_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.study_settings import Directions

__all__ = ["UNASSIGNED", "ZONE_COLUMNS", "assign_zone", "build_zones", "zone_columns", "zone_of"]
__all__ += ["zone_repeats", "zones_called"]

#: Zone id of what no direction takes.
UNASSIGNED = "unassigned"
_UNASSIGNED_NAME = "未分配"
_SLIVER_M = 1.0
#: Kind of zone -> column of cells and of facilities that holds its id, the largest first.
ZONE_COLUMNS = {"district": "district", "direction": "direction", "township": "zone_id"}
ZONE_COLUMNS |= {kind: kind for kind in UNIT_KINDS}


def build_zones(
    district: gpd.GeoDataFrame,
    townships: gpd.GeoDataFrame,
    directions: Directions,
    *,
    direction_layer: gpd.GeoDataFrame | None = None,
    units: Mapping[str, gpd.GeoDataFrame] | None = None,
) -> gpd.GeoDataFrame:
    """Put the district, the directions, the townships and what lies below them into one table.

    Parameters
    ----------
    district : geopandas.GeoDataFrame
        One or more polygons in the working CRS [m]; ``zone_id`` and ``name`` are used where given.
    townships : geopandas.GeoDataFrame
        ``zone_id``, ``name`` and polygons, same CRS. A column ``kind`` with observed, derived ... is kept.
    directions : Directions
        Setting of the study: direction -> names or ids of townships.
    direction_layer : geopandas.GeoDataFrame, optional
        Polygons of the directions, ``name`` (and ``zone_id``), instead of lists of townships.
    units : mapping, optional
        Kind of `UNIT_KINDS` -> ``zone_id``, ``name`` and polygons of villages or grids.

    Returns
    -------
    geopandas.GeoDataFrame
        ``zone_id, zone_kind, name, kind, direction, geometry``: the district first, then the directions in
        the order of the study, then the townships by id. ``direction`` is the id of the direction a township
        lies in (with polygons: where most of its area lies), `UNASSIGNED` where none takes it, "" where the
        study has no directions. Units come last, by id; ``township`` (only where there are units) is the id of the
        township that most of a unit lies in, and what no unit covers of the townships is one unit more.
        ``attrs["warnings"]`` is a list of (zh, en).

    Raises
    ------
    StudyError
        A township is in two directions, or a name is unknown; all are named at once.
    SchemaError
        Ids repeat, or direction polygons overlap.
    CrsError
        A frame is not in metres, or their CRS differ.
    """
    import geopandas as gpd

    check_metric(townships, where="townships")
    check_metric(district, where="district")
    check_columns(townships, ["zone_id", "name"], where="townships")
    crs = townships.crs
    district = district.to_crs(crs)
    towns = gpd.GeoDataFrame(
        {
            "zone_id": zone_key(townships["zone_id"]),
            "zone_kind": "township",
            "name": townships["name"].astype(str).str.strip(),
            "kind": _kinds(townships),
        },
        geometry=townships.geometry.to_numpy(),
        crs=crs,
    ).sort_values("zone_id", ignore_index=True)
    check_unique(towns["zone_id"], where="townships")
    whole = _district(district, towns, crs)
    notes: list[tuple[str, str]] = []
    if direction_layer is not None:
        layer = direction_layer.to_crs(crs)
        own = _own_directions(layer, whole.geometry.iloc[0], directions.kind, notes)
        towns["direction"] = _largest_share(towns, own)
    elif directions.zones:
        towns["direction"] = _listed(towns, directions, notes)
        own = _dissolve(towns, directions)
    else:
        towns["direction"] = ""
        own = towns.iloc[:0].copy()
    out = pd.concat([f for f in (whole, own, towns) if len(f)], ignore_index=True)
    zones = gpd.GeoDataFrame(out, geometry="geometry", crs=crs)
    zones = zones[["zone_id", "zone_kind", "name", "kind", "direction", "geometry"]]
    if units:
        zones = add_units(zones, units, notes)
    check_unique(zones["zone_id"], where="zones")
    zones.attrs["warnings"] = notes
    return zones


def _kinds(frame: gpd.GeoDataFrame) -> NDArray[np.object_]:
    if "kind" not in frame.columns:
        return np.full(len(frame), KINDS[0], dtype=object)
    given = frame["kind"].astype(str)
    return np.asarray(given.where(given.isin(KINDS), KINDS[0]), dtype=object)


def _district(district: gpd.GeoDataFrame, towns: gpd.GeoDataFrame, crs: object) -> gpd.GeoDataFrame:
    import geopandas as gpd

    one = len(district) == 1
    zone_id = zone_key(district["zone_id"]).iloc[0] if one and "zone_id" in district.columns else "district"
    if zone_id in set(towns["zone_id"]):
        zone_id = "district"
    name = str(district["name"].iloc[0]) if "name" in district.columns else ""
    return gpd.GeoDataFrame(
        {
            "zone_id": [zone_id],
            "zone_kind": ["district"],
            "name": [name],
            "kind": [weakest_kind(_kinds(district))],
            "direction": [""],
        },
        geometry=[shapely.union_all(district.geometry.to_numpy())],
        crs=crs,
    )


def _listed(towns: gpd.GeoDataFrame, directions: Directions, notes: list[tuple[str, str]]) -> NDArray[np.object_]:
    """Return the direction of each township from the lists of the study."""
    ids = {z: {z} for z in towns["zone_id"]}
    by_name: dict[str, set[str]] = {}
    for zone_id, name in zip(towns["zone_id"], towns["name"], strict=True):
        by_name.setdefault(name, set()).add(zone_id)
    taken: dict[str, list[str]] = {}
    problems: list[tuple[str, str]] = []
    for direction, members in directions.zones.items():
        for member in members:
            found = ids.get(member) or by_name.get(member) or set()
            if not found:
                near = nearest_name(member, [*by_name, *ids])
                problems.append(
                    (
                        f"{direction} 中的 {member} 不是乡镇" + (f",是否指 {near}?" if near else ""),
                        f"{member} in {direction} is no township" + (f", did you mean {near}?" if near else ""),
                    )
                )
            elif len(found) > 1:
                shown = ", ".join(sorted(found))
                problems.append(
                    (
                        f"{member} 重名,请写编号 ({shown})",
                        f"{member} is the name of several, write ids ({shown})",
                    )
                )
            else:
                taken.setdefault(min(found), []).append(direction)
    names = dict(zip(towns["zone_id"], towns["name"], strict=True))
    for zone_id in sorted(taken):
        if len(taken[zone_id]) > 1:
            several = " / ".join(taken[zone_id])
            problems.append(
                (
                    f"{names[zone_id]} 重复列入 {several}",
                    f"{names[zone_id]} is in more than one place: {several}",
                )
            )
    if problems:
        n = len(problems)
        raise StudyError(
            f"directions.zones 有 {n} 处错误: " + ";".join(p[0] for p in problems),
            f"directions.zones has {n} problem{'s' if n > 1 else ''}: " + "; ".join(p[1] for p in problems),
        )
    out = np.array([taken.get(z, [UNASSIGNED])[0] for z in towns["zone_id"]], dtype=object)
    left = [names[z] for z in towns["zone_id"] if z not in taken]
    if left:
        notes.append(
            (
                f"{len(left)} 个乡镇未列入任何方向,归入“{_UNASSIGNED_NAME}”: {'、'.join(left)}",
                f"{len(left)} townships are in no direction and are shown as unassigned: {', '.join(left)}",
            )
        )
    return out


def _dissolve(towns: gpd.GeoDataFrame, directions: Directions) -> gpd.GeoDataFrame:
    import geopandas as gpd

    present = set(towns["direction"])
    order = [d for d in (*directions.zones, UNASSIGNED) if d in present]
    rows = []
    for direction in order:
        members = towns.loc[towns["direction"] == direction]
        rows.append(
            {
                "zone_id": direction,
                "zone_kind": "direction",
                "name": _UNASSIGNED_NAME if direction == UNASSIGNED else direction,
                "kind": weakest_kind([directions.kind, *members["kind"]]),
                "direction": direction,
                "geometry": shapely.union_all(members.geometry.to_numpy()),
            }
        )
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=towns.crs)


def _own_directions(
    layer: gpd.GeoDataFrame, district: shapely.Geometry, kind: str, notes: list[tuple[str, str]]
) -> gpd.GeoDataFrame:
    import geopandas as gpd

    check_columns(layer, ["name"], where="directions.layer")
    key = "zone_id" if "zone_id" in layer.columns else "name"
    ids = zone_key(layer[key]).to_numpy()
    order = list(dict.fromkeys(ids))
    shapes = [shapely.union_all(layer.geometry.to_numpy()[ids == z]) for z in order]
    double = [
        f"{order[i]} / {order[j]}"
        for i in range(len(order))
        for j in range(i)
        if shapely.intersection(shapes[i], shapes[j]).buffer(-_SLIVER_M / 2).area > 0
    ]
    if double:
        raise SchemaError(
            f"directions.layer: 方向互相重叠: {', '.join(double)};每处只能属于一个方向",
            f"directions.layer: directions overlap: {', '.join(double)}; every place is in exactly one",
        )
    names = dict(zip(ids, layer["name"].astype(str), strict=True))
    kinds = dict(zip(ids, _kinds(layer), strict=True))
    rows = [
        {"zone_id": z, "name": names[z], "kind": weakest_kind([kind, kinds[z]]), "geometry": s}
        for z, s in zip(order, shapes, strict=True)
    ]
    rest = shapely.difference(district, shapely.union_all(shapes))
    open_area = shapely.buffer(shapely.buffer(rest, -_SLIVER_M), _SLIVER_M)
    if open_area.area > 0:
        rows.append({"zone_id": UNASSIGNED, "name": _UNASSIGNED_NAME, "kind": kind, "geometry": rest})
        notes.append(
            (
                f"{open_area.area / 1e6:.2f} km² 不在任何方向内,归入“{_UNASSIGNED_NAME}”",
                f"{open_area.area / 1e6:.2f} km² are in no direction and are shown as unassigned",
            )
        )
    out = gpd.GeoDataFrame(rows, geometry="geometry", crs=layer.crs)
    out["zone_kind"] = "direction"
    out["direction"] = out["zone_id"]
    return out


def _largest_share(towns: gpd.GeoDataFrame, own: gpd.GeoDataFrame) -> NDArray[np.object_]:
    area = np.stack(
        [shapely.area(shapely.intersection(towns.geometry.to_numpy(), shape)) for shape in own.geometry],
        axis=1,
    )
    ids = own["zone_id"].to_numpy(dtype=object)
    best = ids[area.argmax(axis=1)]
    return np.where(area.max(axis=1) > 0, best, UNASSIGNED).astype(object)


def zones_called(zones: pd.DataFrame, called: str) -> list[str]:
    """Return the ids of the zones that are meant: of several with one name, the one whose id it is too, else all.

    Parameters
    ----------
    zones : pandas.DataFrame
        ``zone_id, name``.
    called : str
        Id or name.

    Examples
    --------
    >>> zones = pd.DataFrame({"zone_id": ["1", "2", "3"], "name": ["南", "新民", "新民"]})
    >>> [zones_called(zones, called) for called in ("1", "南", "新民", "北")]
    [['1'], ['1'], ['2', '3'], []]
    """
    ids = zones["zone_id"].astype(str)
    named = ids[zones["name"].astype(str) == called].tolist()
    return [called] if (ids == called).any() and (len(named) < 2 or called in named) else named


def zone_repeats(called: str, ids: list[str]) -> tuple[str, str]:
    """Return what is said, in both languages, where :func:`zones_called` found several."""
    shown = ", ".join(ids)
    return f"zone {called} 重名,请写编号: {shown}", f"zone {called} is the name of several: {shown}"


def zone_columns(zones: pd.DataFrame) -> dict[str, str]:
    """Return the kinds of zones that there are, and the column of the cells that holds the id of each.

    Parameters
    ----------
    zones : pandas.DataFrame
        ``zone_kind``; a study may do without directions.

    Returns
    -------
    dict
        Those of `ZONE_COLUMNS` that occur, in its order.

    Examples
    --------
    >>> zone_columns(pd.DataFrame({"zone_kind": ["district", "township", "township"]}))
    {'district': 'district', 'township': 'zone_id'}
    """
    present = set(zones["zone_kind"])
    return {kind: column for kind, column in ZONE_COLUMNS.items() if kind in present}


def zone_of(points: gpd.GeoSeries | gpd.GeoDataFrame, zones: gpd.GeoDataFrame, kind: str) -> pd.Series:
    """Return the zone of a kind that each point is in, as :func:`assign_zone`; "" where there is none of that kind.

    Parameters
    ----------
    points : geopandas.GeoSeries or GeoDataFrame
        Points in the working CRS [m].
    zones : geopandas.GeoDataFrame
        From `build_zones`, same CRS.
    kind : str
        ``zone_kind`` to look in.
    """
    if (zones["zone_kind"] == kind).any():
        return assign_zone(points, zones, kind)
    return pd.Series("", index=points.index, name="zone_id", dtype=object)


def assign_zone(points: gpd.GeoSeries | gpd.GeoDataFrame, zones: gpd.GeoDataFrame, kind: str) -> pd.Series:
    """Return the one zone of a kind that each point is in.

    Parameters
    ----------
    points : geopandas.GeoSeries or GeoDataFrame
        Points in the working CRS [m].
    zones : geopandas.GeoDataFrame
        From `build_zones`, same CRS.
    kind : str
        ``zone_kind`` to look in: ``district``, ``direction``, ``township`` ...

    Returns
    -------
    pandas.Series
        ``zone_id`` on the index of `points`. A point on a shared border is in the smallest id; a point inside
        the district but in a gap between zones is in the nearest one; a point outside is "", and
        ``attrs["outside"]`` counts those.

    Raises
    ------
    CrsError
        A frame is not in metres.
    SchemaError
        There is no zone of that kind.
    """
    check_metric(points, where="points")
    check_metric(zones, where="zones")
    of_kind = zones.loc[zones["zone_kind"] == kind].sort_values("zone_id")
    if of_kind.empty:
        present = ", ".join(sorted(set(zones["zone_kind"])))
        raise SchemaError(f"没有类型为 {kind} 的分区;现有: {present}", f"no zone of kind {kind}; there are: {present}")
    geometry = points.geometry.to_crs(zones.crs).to_numpy()
    ids = of_kind["zone_id"].to_numpy(dtype=object)
    found = np.full(len(geometry), len(ids), dtype=np.int64)
    tree = shapely.STRtree(of_kind.geometry.to_numpy())
    point, zone = tree.query(geometry, predicate="intersects")
    np.minimum.at(found, point, zone)
    district = zones.loc[zones["zone_kind"] == "district"].geometry.to_numpy()
    gap = np.flatnonzero(found == len(ids))
    if len(gap) and len(district):
        whole = shapely.union_all(district)
        shapely.prepare(whole)
        gap = gap[shapely.intersects(whole, geometry[gap])]
        if len(gap):
            point, zone = tree.query_nearest(geometry[gap], all_matches=True)
            np.minimum.at(found, gap[point], zone)
    out = pd.Series(np.append(ids, "")[found], index=points.index, name="zone_id", dtype=object)
    out.attrs["outside"] = int((found == len(ids)).sum())
    return out
