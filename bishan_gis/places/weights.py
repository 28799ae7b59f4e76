"""Weights: where in a township its people live, and how that falls on cells.

A weight belongs to exactly one township and one cell: a point to those it lies in, an area is cut at their
borders and its weight goes with the area.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from bishan_gis.crs import to_lonlat, to_working
from bishan_gis.errors import SchemaError

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray
    from pyproj import CRS

    from bishan_gis.study_settings import Cells

__all__ = ["cell_polygons", "cut_by_zone", "residential_weights", "spread_weights"]

_GAP_M = 1.0
_MIN_AREA_M2 = 1e-6


def cut_by_zone(
    weights: gpd.GeoDataFrame, zones: gpd.GeoDataFrame, columns: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Give every weight to one zone; areas are cut at the borders and their weight goes with the area.

    Parameters
    ----------
    weights : geopandas.GeoDataFrame
        Points or areas with `columns`, in the working CRS [m].
    zones : geopandas.GeoDataFrame
        ``zone_id`` and polygons that do not overlap, same CRS, in order of ``zone_id``.
    columns : sequence of str
        Numeric columns to share out.

    Returns
    -------
    pandas.DataFrame, dict
        ``zone_id, geometry`` and `columns`, one row per piece; and per column what lies outside all zones.
    """
    values = weights[list(columns)].to_numpy(dtype=float)
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        raise SchemaError(
            f"权重有 {int(bad.any(axis=1).sum())} 行为空或为负",
            f"{int(bad.any(axis=1).sum())} weights are missing or below zero",
        )
    shape: NDArray[np.object_] = weights.geometry.to_numpy().copy()
    flat = shapely.get_dimensions(shape) != 2
    shape[flat] = shapely.centroid(shape[flat])
    ids = zones["zone_id"].to_numpy(dtype=object)
    polygons = zones.geometry.to_numpy()
    tree = shapely.STRtree(polygons)
    item, zone = tree.query(shape, predicate="intersects")
    order = np.lexsort((zone, item))
    item, zone = item[order], zone[order]
    first = np.r_[True, item[1:] != item[:-1]] if len(item) else np.zeros(0, dtype=bool)
    keep = ~flat[item] | first
    item, zone = item[keep], zone[keep]
    lost = np.setdiff1d(np.flatnonzero(flat), item)
    if len(lost):
        near_item, near_zone = tree.query_nearest(shape[lost], max_distance=_GAP_M, all_matches=False)
        item, zone = np.r_[item, lost[near_item]], np.r_[zone, near_zone]
    piece = shape[item]
    share = np.ones(len(item))
    shapely.prepare(polygons)
    cut = ~flat[item]
    cut[cut] = ~shapely.covers(polygons[zone[cut]], piece[cut])
    if cut.any():
        piece[cut] = shapely.intersection(piece[cut], polygons[zone[cut]])
        share[cut] = shapely.area(piece[cut]) / np.maximum(shapely.area(shape[item[cut]]), _MIN_AREA_M2)
    kept = flat[item] | (shapely.area(piece) > _MIN_AREA_M2)
    out = pd.DataFrame(values[item] * share[:, None], columns=list(columns))
    out.insert(0, "zone_id", ids[zone])
    out["geometry"] = piece
    out = out.loc[kept].reset_index(drop=True)
    outside = {c: float(values[:, k].sum() - out[c].sum()) for k, c in enumerate(columns)}
    return out, outside


def spread_weights(pieces: pd.DataFrame, columns: Sequence[str], *, cells: Cells, crs: CRS) -> pd.DataFrame:
    """Sum weights per zone and cell.

    Parameters
    ----------
    pieces : pandas.DataFrame
        From `cut_by_zone`.
    columns : sequence of str
        Columns to sum; the first says where in a cell its centre lies.
    cells : Cells
        Setting of the study.
    crs : pyproj.CRS
        Working CRS [m].

    Returns
    -------
    pandas.DataFrame
        ``zone_id, cell, x, y`` and `columns`, in order of zone and cell; (x, y) is the weighted centre [m].
    """
    shape = pieces["geometry"].to_numpy(dtype=object)
    item, cell, part = _h3_parts(shape, cells.resolution, crs) if cells.type == "h3" else _squares(shape, cells.size_m)
    area = shapely.area(part)
    whole = np.bincount(item, weights=area, minlength=len(shape))[item]
    share = np.where(whole > 0, area / np.where(whole > 0, whole, 1.0), 1.0)
    centre = shapely.get_coordinates(shapely.centroid(part))
    table = pd.DataFrame(
        {"zone_id": pieces["zone_id"].to_numpy()[item], "cell": cell, "x": centre[:, 0], "y": centre[:, 1]}
    )
    for column in columns:
        table[column] = pieces[column].to_numpy(dtype=float)[item] * share
    table = table.loc[table[columns[0]] > 0]
    table = table.sort_values(["zone_id", "cell", "x", "y", *columns], ignore_index=True)
    group = table.groupby(["zone_id", "cell"], sort=True)
    out = group[list(columns)].sum()
    for axis in ("x", "y"):
        moment = (table[axis] * table[columns[0]]).groupby([table["zone_id"], table["cell"]], sort=True).sum()
        out[axis] = moment / out[columns[0]]
    return out.reset_index()[["zone_id", "cell", "x", "y", *columns]]


def _squares(
    shape: NDArray[np.object_], size: float
) -> tuple[NDArray[np.int64], NDArray[np.object_], NDArray[np.object_]]:
    """Cut shapes along the lines whose coordinates are multiples of `size`."""
    low = np.floor(shapely.bounds(shape)[:, :2] / size).astype(np.int64)
    high = np.floor(shapely.bounds(shape)[:, 2:] / size).astype(np.int64)
    wide, tall = (high - low + 1).T
    count = wide * tall
    item = np.repeat(np.arange(len(shape)), count)
    number = np.arange(len(item)) - np.repeat(np.cumsum(count) - count, count)
    column = low[item, 0] + number % wide[item]
    row = low[item, 1] + number // wide[item]
    part = shape[item]
    many = np.flatnonzero(count[item] > 1)
    box = shapely.box(column[many] * size, row[many] * size, (column[many] + 1) * size, (row[many] + 1) * size)
    part[many] = _clip(part[many], box)
    keep = np.ones(len(item), dtype=bool)
    keep[many] = shapely.area(part[many]) > _MIN_AREA_M2
    name = np.array([f"E{c}N{r}" for c, r in zip(column[keep], row[keep], strict=True)], dtype=object)
    return item[keep], name, part[keep]


def _h3_parts(
    shape: NDArray[np.object_], resolution: int, crs: CRS
) -> tuple[NDArray[np.int64], NDArray[np.object_], NDArray[np.object_]]:
    """Cut shapes along H3 cells."""
    import h3

    flat = shapely.get_dimensions(shape) != 2
    centre = shapely.get_coordinates(shapely.centroid(shape))
    lon, lat = to_lonlat(centre[:, 0], centre[:, 1], crs)
    degrees = shape.copy()
    degrees[~flat] = shapely.transform(shape[~flat], lambda p: np.column_stack(to_lonlat(p[:, 0], p[:, 1], crs)))
    items: list[int] = []
    names: list[str] = []
    for i in range(len(shape)):
        found: Iterable[str] = [h3.latlng_to_cell(lat[i], lon[i], resolution)]
        if not flat[i]:
            for one in shapely.get_parts(degrees[i]):
                h3shape = h3.geo_to_h3shape(one)
                found = {*found, *h3.h3shape_to_cells_experimental(h3shape, resolution, "overlap")}
        for name in sorted(found):
            items.append(i)
            names.append(name)
    item, cell = np.array(items, dtype=np.int64), np.array(names, dtype=object)
    part = shape[item]
    area = np.flatnonzero(~flat[item])
    part[area] = _clip(part[area], cell_polygons(cell[area], resolution=resolution, crs=crs))
    keep = flat[item] | (shapely.area(part) > _MIN_AREA_M2)
    return item[keep], cell[keep], part[keep]


def _clip(shape: NDArray[np.object_], box: NDArray[np.object_]) -> NDArray[np.object_]:
    """Intersect pairs; boxes wholly inside are not computed."""
    shapely.prepare(shape)
    inside = shapely.contains_properly(shape, box)
    out = box.copy()
    out[~inside] = shapely.intersection(shape[~inside], box[~inside])
    return out


def cell_polygons(
    names: NDArray[np.object_], *, crs: CRS, size_m: float = 0.0, resolution: int | None = None
) -> NDArray[np.object_]:
    """Return the polygon of each cell in the working CRS; H3 cells where a resolution is given."""
    if resolution is None:
        text = pd.Series(names, dtype=object).str.extract(r"^E(-?\d+)N(-?\d+)$").astype(float).to_numpy()
        x, y = text[:, 0] * size_m, text[:, 1] * size_m
        boxes: NDArray[np.object_] = np.asarray(shapely.box(x, y, x + size_m, y + size_m), dtype=object)
        return boxes
    import h3

    unique, back = np.unique(names.astype(str), return_inverse=True)
    rings = [np.asarray(h3.cell_to_boundary(n), dtype=float) for n in unique]
    if not rings:
        return np.empty(0, dtype=object)
    corners = np.concatenate(rings)
    x, y = to_working(corners[:, 1], corners[:, 0], crs)
    owner = np.repeat(np.arange(len(rings)), [len(r) for r in rings])
    shapes = shapely.polygons(shapely.linearrings(x, y, indices=owner))
    return np.asarray(shapes, dtype=object)[back]


def residential_weights(
    areas: gpd.GeoDataFrame | None,
    landuse: gpd.GeoDataFrame | None,
    *,
    crs: CRS,
    townships: gpd.GeoDataFrame | None = None,
    controls: pd.DataFrame | None = None,
) -> tuple[gpd.GeoDataFrame | None, str]:
    """Say where people live: residential floor area, else residential land.

    Parameters
    ----------
    areas : geopandas.GeoDataFrame, optional
        OSM areas with a column ``tags`` (dict).
    landuse : geopandas.GeoDataFrame, optional
        Land-use polygons with ``code`` (2023 classes).
    crs : pyproj.CRS
        Working CRS [m].
    townships, controls : optional
        ``zone_id`` and polygons; ``zone_id`` and ``people``. Where given, a township whose mapped buildings
        are too few for its people (figure in ``residential_weights.toml``) uses its residential land instead.

    Returns
    -------
    geopandas.GeoDataFrame or None, str
        ``weight`` (m2 of floor) and geometry (buildings as points, land as polygons) in `crs`; None where
        nothing is known. The rule: ``buildings``, ``landuse``, ``buildings+landuse`` or ``uniform``.
    """
    rules = tomllib.loads((files("bishan_gis") / "data" / "residential_weights.toml").read_text(encoding="utf-8"))
    houses = _buildings(areas, rules, crs)
    land = _land(areas, landuse, rules, crs)
    if houses is None or land is None or townships is None or controls is None:
        if houses is not None:
            return houses, "buildings"
        return (land, "landuse") if land is not None else (None, "uniform")
    zones = townships.to_crs(crs).sort_values("zone_id", ignore_index=True)
    floor, _ = cut_by_zone(houses, zones, ["weight"])
    need = controls.set_index("zone_id")["people"] * rules["min_floor_m2_per_person"]
    have = floor.groupby("zone_id")["weight"].sum().reindex(need.index, fill_value=0.0)
    poor = set(need.index[have < need])
    ground, _ = cut_by_zone(land, zones, ["weight"])
    poor &= set(ground["zone_id"])
    if not poor:
        return houses, "buildings"
    import geopandas as gpd

    parts = pd.concat(
        [floor.loc[~floor["zone_id"].isin(poor)], ground.loc[ground["zone_id"].isin(poor)]], ignore_index=True
    )
    rule = "landuse" if poor >= set(floor["zone_id"]) else "buildings+landuse"
    return gpd.GeoDataFrame(parts[["weight"]], geometry=parts["geometry"].to_numpy(), crs=crs), rule


def _buildings(areas: gpd.GeoDataFrame | None, rules: Mapping[str, Any], crs: CRS) -> gpd.GeoDataFrame | None:
    import geopandas as gpd

    if areas is None or areas.empty:
        return None
    tags = list(areas["tags"])
    home = np.array([t.get("building") in rules["levels"] for t in tags], dtype=bool)
    if not home.any():
        return None
    shape = areas.geometry[home].to_crs(crs).to_numpy()
    levels = [
        _number(t.get("building:levels")) or float(rules["levels"][t["building"]])
        for t, h in zip(tags, home, strict=True)
        if h
    ]
    weight = shapely.area(shape) * np.clip(levels, 1, rules["max_levels"])
    return gpd.GeoDataFrame({"weight": weight}, geometry=shapely.point_on_surface(shape), crs=crs)


def _number(text: object) -> float:
    try:
        value = float(str(text).split(";")[0])
    except ValueError:
        return 0.0
    return value if np.isfinite(value) and value > 0 else 0.0


def _land(
    areas: gpd.GeoDataFrame | None, landuse: gpd.GeoDataFrame | None, rules: Mapping[str, Any], crs: CRS
) -> gpd.GeoDataFrame | None:
    import geopandas as gpd

    if landuse is not None and not landuse.empty and "code" in landuse.columns:
        table: Mapping[str, float] = rules["landuse"]
        code = landuse["code"].astype(str)
        density = np.array(
            [max(((len(k), v) for k, v in table.items() if c.startswith(k)), default=(0, 0.0))[1] for c in code]
        )
        source = landuse
    elif areas is not None and not areas.empty:
        density = np.array([rules["osm_landuse"].get(t.get("landuse"), 0.0) for t in areas["tags"]])
        source = areas
    else:
        return None
    if not (density > 0).any():
        return None
    shape = source.geometry[density > 0].to_crs(crs).to_numpy()
    return gpd.GeoDataFrame({"weight": shapely.area(shape) * density[density > 0]}, geometry=shape, crs=crs)
