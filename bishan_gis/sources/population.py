"""People, in the three forms they come in: a table per zone, a raster of counts, a vector grid.

A table gives control totals. A raster or a grid gives people on small areas, as weights from which the
totals of each zone follow (:func:`bishan_gis.places.population.controls_from_weights`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import (
    BishanGisError,
    BrokenFileError,
    ControlTotalError,
    CrsError,
    NoDataError,
    SchemaError,
)
from bishan_gis.schema import check_columns, nearest_name
from bishan_gis.sources.bounds import check_bounds
from bishan_gis.sources.layers import load_layer
from bishan_gis.sources.safety import check_raster_file, open_raster
from bishan_gis.sources.tables import check_file, raise_together, read_csv, zone_key

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.study_settings import PopulationInput

__all__ = ["Population", "check_controls", "load_population"]

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Population:
    """People as they were read.

    Attributes
    ----------
    controls : pandas.DataFrame or None
        Form ``table``: ``zone_id``, ``people`` and one integer column per part.
    weights : geopandas.GeoDataFrame or None
        Forms ``raster`` and ``grid``: areas or points in EPSG:4326 with ``weight`` (people, not rounded) and,
        where the file has them, one column per part.
    parts : tuple of str
        Age groups that add up to ``people``.
    shares : dict
        Part -> share of all people, where the parts do not come from the file.
    warnings : list of (zh, en)
        What the reader should know.
    """

    controls: pd.DataFrame | None
    weights: gpd.GeoDataFrame | None
    parts: tuple[str, ...]
    shares: Mapping[str, float]
    warnings: list[tuple[str, str]] = field(default_factory=list)


def load_population(
    path: str | Path,
    setting: PopulationInput,
    *,
    zones: pd.DataFrame | None = None,
    bounds: tuple[float, float, float, float] | None = None,
) -> Population:
    """Read people.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; UTF-8 (with or without BOM) or GBK where it is a table.
    setting : PopulationInput
        Form and columns, from the study.
    zones : pandas.DataFrame, optional
        The townships, ``zone_id`` and ``name``: a table must have each of them once and no other.
    bounds : tuple of float, optional
        West, south, east, north [degrees]: the part of a raster that is read.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, is empty, or cannot be read.
    MissingColumnError
        A column of the setting is not there.
    SchemaError
        Numbers that are not whole or below zero, zones that repeat, are unknown or missing.
    ControlTotalError
        Parts that do not add up to people, or shares that do not add up to 1.
    """
    name = Path(path).name
    by_share = bool(setting.shares) and (not setting.parts or setting.type == "raster")
    if by_share and abs(sum(setting.shares.values()) - 1) > 1e-6:
        total = sum(setting.shares.values())
        raise ControlTotalError(
            f"inputs.population.shares 之和为 {total:.6g},应为 1",
            f"inputs.population.shares add up to {total:.6g}, not 1",
        )
    shares = dict(setting.shares) if by_share else {}
    parts = tuple(shares) if by_share else tuple(setting.parts)
    if setting.type == "raster":
        return Population(None, _load_raster(path, bounds, name), tuple(shares), shares)
    if setting.type == "grid":
        weights, notes = _load_grid(path, setting, name)
        return Population(None, weights, parts, shares, notes)
    controls = _load_table(path, setting, name)
    check_controls(controls, tuple(setting.parts), zones=zones, where=name)
    return Population(controls, None, parts, shares)


def _load_table(path: str | Path, setting: PopulationInput, name: str) -> pd.DataFrame:
    raw = read_csv(path, encoding=setting.encoding)
    columns = {"people": setting.people, **setting.parts}
    check_columns(raw, [setting.zone, *columns.values()], where=name)
    if len(raw) == 0:
        raise NoDataError(f"{name}: 表中没有任何行", f"{name}: the table has no row")
    out = pd.DataFrame({"zone_id": zone_key(raw[setting.zone])})
    bad: list[str] = []
    for ours, theirs in columns.items():
        text = raw[theirs].str.replace(r"^\d{1,3}(,\d{3})+$", lambda m: m[0].replace(",", ""), regex=True)
        whole = text.str.fullmatch(r"\d{1,15}(\.0*)?").to_numpy(dtype=bool)
        bad += [f"{theirs} {i + 2}: {raw[theirs].iloc[i]!r}" for i in np.flatnonzero(~whole)]
        out[ours] = pd.to_numeric(text.where(whole, "0")).astype(np.int64)
    if bad:
        shown = "; ".join(bad[:_SHOWN])
        raise SchemaError(
            f"{name}: {len(bad)} 个人数不是非负整数 (列 行: 值): {shown}",
            f"{name}: {len(bad)} numbers of people are not whole and >= 0 (column line: value): {shown}",
        )
    return out


def check_controls(
    controls: pd.DataFrame,
    parts: Sequence[str],
    *,
    zones: pd.DataFrame | None = None,
    where: str = "population",
) -> None:
    """Raise unless every zone has its people once, and the parts add up to them.

    Parameters
    ----------
    controls : pandas.DataFrame
        ``zone_id``, ``people`` and one column per part.
    parts : sequence of str
        Columns that add up to ``people``; none: nothing to add up.
    zones : pandas.DataFrame, optional
        Known zones, ``zone_id`` and perhaps ``name``.
    where : str
        What messages call the table.

    Raises
    ------
    ControlTotalError
        Parts do not add up; the rows and the differences are named.
    SchemaError
        Zones repeat, are unknown or missing.
    """
    check_columns(controls, ["zone_id", "people", *parts], where=where)
    problems: list[BishanGisError] = []
    if parts:
        over = controls[list(parts)].sum(axis=1) - controls["people"]
        wrong = controls.loc[over != 0, "zone_id"].astype(str)
        if len(wrong):
            off = over[over != 0]
            rows = "; ".join(f"{z}: {d:+,}" for z, d in zip(wrong.head(_SHOWN), off.head(_SHOWN), strict=True))
            names = " + ".join(parts)
            problems.append(
                ControlTotalError(
                    f"{where}: {len(wrong)} 个分区的 {names} 不等于 people (差值 {rows});请更正",
                    f"{where}: in {len(wrong)} zones {names} do not add up to people (off by {rows}); correct them",
                )
            )
    ids = zone_key(controls["zone_id"])
    twice = sorted(ids[ids.duplicated()].unique())
    if twice:
        shown = ", ".join(twice[:_SHOWN])
        problems.append(
            SchemaError(f"{where}: 分区重复: {shown}", f"{where}: {len(twice)} zones are listed twice: {shown}")
        )
    if zones is not None:
        problems += _zone_problems(ids, zones, where)
    raise_together(problems)


def _zone_problems(ids: pd.Series, zones: pd.DataFrame, where: str) -> list[BishanGisError]:
    known = zone_key(zones["zone_id"])
    names = dict(zip(known, zones["name"].astype(str) if "name" in zones else known, strict=True))
    out: list[BishanGisError] = []
    unknown = sorted(set(ids) - set(known))
    if unknown:
        hints = {u: nearest_name(u, [*known, *names.values()]) for u in unknown[:_SHOWN]}
        shown = ", ".join(f"{u} ({h}?)" if h else u for u, h in hints.items())
        out.append(
            SchemaError(
                f"{where}: {len(unknown)} 个分区不在乡镇图层中: {shown}",
                f"{where}: {len(unknown)} zones are not in the township layer: {shown}",
            )
        )
    missing = sorted(set(known) - set(ids))
    if missing:
        shown = ", ".join(f"{m} {names[m]}" if names[m] != m else m for m in missing[:_SHOWN])
        out.append(
            SchemaError(
                f"{where}: {len(missing)} 个乡镇没有人口: {shown}",
                f"{where}: {len(missing)} townships have no row: {shown}",
            )
        )
    return out


def _load_grid(path: str | Path, setting: PopulationInput, name: str) -> tuple[gpd.GeoDataFrame, list[tuple[str, str]]]:
    columns = {"weight": setting.people, **setting.parts}
    frame = load_layer(path, layer=setting.layer, encoding=setting.encoding, columns=columns, where=name)
    out = frame[[*columns, "geometry"]].copy()
    bad = []
    for ours, theirs in columns.items():
        values = pd.to_numeric(out[ours], errors="coerce").astype(float)
        wrong = ~np.isfinite(values) | (values < 0)
        if wrong.any():
            bad.append(f"{theirs}: {int(wrong.sum())}")
        out[ours] = values
    if bad:
        raise SchemaError(
            f"{name}: 格网人数为空、非数字或为负 (列: 行数): {', '.join(bad)}",
            f"{name}: people missing, not a number or below zero (column: rows): {', '.join(bad)}",
        )
    parts = list(setting.parts)
    if parts:
        over = out[parts].sum(axis=1) - out["weight"]
        wrong = over.abs() > 1e-6 * np.maximum(out["weight"], 1)
        if wrong.any():
            raise ControlTotalError(
                f"{name}: {int(wrong.sum())} 个格网的 {' + '.join(parts)} 不等于 people "
                f"(最大差 {over.abs().max():,.6g})",
                f"{name}: in {int(wrong.sum())} cells {' + '.join(parts)} do not add up to people "
                f"(off by up to {over.abs().max():,.6g})",
            )
    notes: list[tuple[str, str]] = list(frame.attrs["warnings"])
    return out.loc[out["weight"] > 0].reset_index(drop=True), notes


def _load_raster(path: str | Path, bounds: tuple[float, float, float, float] | None, name: str) -> gpd.GeoDataFrame:
    """Return the pixels that hold people as boxes."""
    import geopandas as gpd
    import pyproj
    import rasterio
    import shapely
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.warp import transform_bounds
    from rasterio.windows import Window, from_bounds

    check_file(Path(path))
    check_raster_file(Path(path), where=name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            warnings.simplefilter("ignore", PendingDeprecationWarning)  # of affine, inside rasterio
            with open_raster(Path(path)) as raster:
                if raster.crs is None:
                    raise CrsError(
                        f"{name}: 栅格没有坐标系;请用 gdal_translate -a_srs 写入",
                        f"{name}: the raster has no coordinate system; write it with gdal_translate -a_srs",
                    )
                crs = pyproj.CRS.from_wkt(raster.crs.to_wkt())
                check_bounds(tuple(raster.bounds), crs, where=name)
                whole = Window(0, 0, raster.width, raster.height)
                window = whole
                if bounds is not None:
                    near = from_bounds(*transform_bounds("EPSG:4326", raster.crs, *bounds), raster.transform)
                    near = Window(near.col_off - 1, near.row_off - 1, near.width + 2, near.height + 2)
                    near = near.round_offsets().round_lengths(op="ceil")
                    if not rasterio.windows.intersect(near, whole):
                        raise NoDataError(f"{name}: 栅格不覆盖研究区", f"{name}: the raster does not cover the study")
                    window = near.intersection(whole)
                band = raster.read(1, window=window, masked=True)
                transform = raster.window_transform(window)
    except (RasterioError, OSError) as err:
        if isinstance(err, BishanGisError):
            raise
        said = re.sub(r"\s+", " ", str(err))
        raise BrokenFileError(
            f"{name}: 无法作为栅格读取 ({said})", f"{name}: cannot be read as a raster ({said})"
        ) from err
    values = np.ma.filled(band.astype(np.float64), 0.0)
    if (values < 0).any():
        n = int((values < 0).sum())
        raise SchemaError(
            f"{name}: {n} 个像元人数为负;若为无数据值请在栅格中写明 nodata",
            f"{name}: {n} pixels hold people below zero; if that marks no data, declare it as nodata in the raster",
        )
    rows, columns = np.nonzero(np.nan_to_num(values, nan=0.0, posinf=0.0) > 0)
    if len(rows) == 0:
        raise NoDataError(f"{name}: 研究区内没有人口", f"{name}: no people within the study area")
    a, b, c, d, e, f = tuple(transform)[:6]
    column = columns[:, None] + np.array([0, 1, 1, 0, 0])
    row = rows[:, None] + np.array([0, 0, 1, 1, 0])
    rings = np.stack([a * column + b * row + c, d * column + e * row + f], axis=2)
    frame = gpd.GeoDataFrame({"weight": values[rows, columns]}, geometry=shapely.polygons(rings), crs=crs)
    return frame.to_crs("EPSG:4326")
