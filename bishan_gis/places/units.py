"""Villages and grids: the units that townships are made of, where a study has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from bishan_gis.schema import KINDS, UNIT_KINDS, check_columns, check_unique, weakest_kind
from bishan_gis.sources.tables import zone_key

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["add_units", "unit_kinds", "unit_of"]

_NAMES = {"village": ("村社", "villages"), "grid": ("网格", "grids")}
_REST_NAME = "未划分"
#: Overlaps of less than this share of their area, and less of a unit beyond the border of its township, are slips of a
#: drawing.
_OVERLAP, _BEYOND = 1e-3, 0.05


def _rest(kind: str) -> str:
    """Return the id of what no unit of a kind covers."""
    return f"unassigned_{kind}"


def add_units(
    zones: gpd.GeoDataFrame, units: Mapping[str, gpd.GeoDataFrame], notes: list[tuple[str, str]]
) -> gpd.GeoDataFrame:
    """Add villages and grids to the zones of a study.

    Parameters
    ----------
    zones : geopandas.GeoDataFrame
        District, directions and townships, see :func:`bishan_gis.places.zones.build_zones`.
    units : mapping
        Kind of :data:`bishan_gis.schema.UNIT_KINDS` -> ``zone_id, name``, polygons in the same CRS, and ``kind`` where
        it is known.
    notes : list of (zh, en)
        What the reader should know is added here.

    Returns
    -------
    geopandas.GeoDataFrame
        With ``township``: the township that most of the area of a unit lies in. A unit that lies in none is left out;
        of units that cross the border of a township the reader is told.
        Townships without any unit make up one unit of their own, so that the units add up to the district.

    Raises
    ------
    SchemaError
        A column is missing, or ids repeat.
    """
    import geopandas as gpd

    towns = zones[zones["zone_kind"] == "township"].reset_index(drop=True)
    parts = [zones.assign(township="")]
    for kind in UNIT_KINDS:
        if kind not in units:
            continue
        layer, where = units[kind], f"inputs.{kind}s"
        check_columns(layer, ["zone_id", "name"], where=where)
        ids = zone_key(layer["zone_id"])
        check_unique(ids, where=where)
        shapes = layer.geometry.to_numpy()
        share = _shares(shapes, towns.geometry.to_numpy())
        town = np.where(share.max(axis=1) > 0, share.argmax(axis=1), -1)
        crossing = layer["name"][(share > _BEYOND).sum(axis=1) > 1].astype(str).tolist()
        own = gpd.GeoDataFrame(
            {
                "zone_id": ids.to_numpy(dtype=object),
                "zone_kind": kind,
                "name": layer["name"].astype(str).str.strip().to_numpy(dtype=object),
                "kind": [k if k in KINDS else KINDS[0] for k in layer.get("kind", pd.Series(KINDS[0], layer.index))],
                "direction": towns["direction"].to_numpy(dtype=object)[town],
                "township": towns["zone_id"].to_numpy(dtype=object)[town],
            },
            geometry=shapes,
            crs=zones.crs,
        )
        outside = own.loc[town < 0, "name"].tolist()
        own = own[town >= 0].sort_values("zone_id", ignore_index=True)
        parts.append(own)
        empty = towns[~towns["zone_id"].isin(own["township"])]
        notes += _notes(kind, where, outside, crossing, own.geometry.to_numpy(), empty["name"].tolist())
        if len(empty):
            row = {"zone_id": _rest(kind), "zone_kind": kind, "name": _REST_NAME, "direction": "", "township": ""}
            whole = [shapely.union_all(empty.geometry.to_numpy())]
            parts.append(
                gpd.GeoDataFrame([{**row, "kind": weakest_kind(empty["kind"])}], geometry=whole, crs=zones.crs)
            )
    out = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry", crs=zones.crs)
    return out[[*zones.columns.drop("geometry"), "township", "geometry"]]


def _shares(shapes: NDArray[np.object_], towns: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the share of the area of each shape that lies in each township."""
    shape, town = shapely.STRtree(towns).query(shapes, predicate="intersects")
    out = np.zeros((len(shapes), len(towns)))
    out[shape, town] = shapely.area(shapely.intersection(shapes[shape], towns[town])) / shapely.area(shapes[shape])
    return out


def _notes(
    kind: str, where: str, outside: list[str], crossing: list[str], shapes: NDArray[np.object_], empty: list[str]
) -> list[tuple[str, str]]:
    zh, en = _NAMES[kind]
    out = []
    if outside:
        some = ", ".join(outside[:5])
        out.append(
            (
                f"{where}: {len(outside)} 个{zh}不在任何街镇内,未采用: {some}",
                f"{where}: {en} in no township, left out: {len(outside)} ({some})",
            )
        )
    if crossing:
        some = ", ".join(crossing[:5])
        out.append(
            (
                f"{where}: {len(crossing)} 个{zh}跨街镇界,其合计不等于街镇: {some}",
                f"{where}: {en} across a border of townships, whose sums are not those of townships: {len(crossing)} "
                f"({some})",
            )
        )
    area = float(shapely.area(shapes).sum())
    double = area - float(shapely.union_all(shapes).area) if len(shapes) else 0.0
    if double > _OVERLAP * area:
        out.append(
            (
                f"{where}: {zh}互相重叠 {double / 1e6:.2f} km²;每个人口单元只计入一个",
                f"{where}: {en} overlap by {double / 1e6:.2f} km2; every cell counts for one of them",
            )
        )
    if empty:
        some = ", ".join(empty[:5])
        out.append(
            (
                f"{where}: {len(empty)} 个街镇没有{zh},归入“{_REST_NAME}”: {some}",
                f"{where}: townships without {en}, shown as {_REST_NAME}: {len(empty)} ({some})",
            )
        )
    return out


def unit_kinds(zones: pd.DataFrame) -> list[str]:
    """Return the kinds of units that there are; each is the column of cells and facilities with the id of theirs.

    Parameters
    ----------
    zones : pandas.DataFrame
        ``zone_kind``.
    """
    present = set(zones["zone_kind"])
    return [kind for kind in UNIT_KINDS if kind in present]


def unit_of(points: gpd.GeoDataFrame, zones: gpd.GeoDataFrame, kind: str) -> pd.Series:
    """Return the unit that each point is in, of those that its township is made of.

    Parameters
    ----------
    points : geopandas.GeoDataFrame
        Points with ``zone_id``, their township; "" outside the district.
    zones : geopandas.GeoDataFrame
        From :func:`add_units`, same CRS.
    kind : str
        Kind of unit.

    Returns
    -------
    pandas.Series
        ``zone_id`` of the unit on the index of `points`: of several the smallest id, between units the nearest; "" for
        points outside. A unit of another township counts where more than a slip of it lies here; where none does, the
        units of a township have exactly its people.
    """
    towns = zones[zones["zone_kind"] == "township"]
    units = zones[zones["zone_kind"] == kind].sort_values("zone_id", ignore_index=True)
    shape = points.geometry.to_numpy()
    town = points["zone_id"].fillna("").astype(str).to_numpy(dtype=object)
    share = _shares(units.geometry.to_numpy(), towns.geometry.to_numpy()) > _BEYOND
    out = np.full(len(points), "", dtype=object)
    for one in sorted(set(town) - {""}):
        at = np.flatnonzero(town == one)
        here = share[:, towns["zone_id"].to_numpy(dtype=object) == one].any(axis=1)
        mine = units[(units["township"] == one) | (here & (units["township"] != ""))]
        if mine.empty:
            out[at] = _rest(kind)
            continue
        ids, tree = mine["zone_id"].to_numpy(dtype=object), shapely.STRtree(mine.geometry.to_numpy())
        found = np.full(len(at), len(ids), dtype=np.int64)
        inside = tree.query(shape[at], predicate="intersects")
        np.minimum.at(found, inside[0], inside[1])
        between = np.flatnonzero(found == len(ids))
        near = tree.query_nearest(shape[at[between]], all_matches=True)
        np.minimum.at(found, between[near[0]], near[1])
        out[at] = ids[found]
    return pd.Series(out, index=points.index, name=kind, dtype=object)
