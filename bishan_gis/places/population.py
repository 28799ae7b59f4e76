"""People on cells, so that every total of the census is kept to the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from bishan_gis.errors import ControlTotalError, NoDataError
from bishan_gis.places.weights import cell_polygons, cut_by_zone, spread_weights
from bishan_gis.sources.population import check_controls
from bishan_gis.sources.tables import zone_key

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray
    from pyproj import CRS

    from bishan_gis.sources.population import Population
    from bishan_gis.study_settings import Cells

__all__ = ["build_cells", "build_controls", "interleave_parts", "largest_remainder"]


def largest_remainder(total: int, weights: ArrayLike) -> NDArray[np.int64]:
    """Share a whole number out in proportion to weights, in whole numbers.

    Parameters
    ----------
    total : int
        What is shared out, >= 0.
    weights : array_like
        Shares, >= 0; all zero: equal shares.

    Returns
    -------
    ndarray of int64
        Sums to `total`; each is the exact quota rounded down or up. Ties go to the earlier position.

    Notes
    -----
    Hamilton's method: every position gets the whole part of its quota, what is left goes one each to the
    largest remainders (compared to nine decimals, so that the order of additions cannot decide).

    Examples
    --------
    >>> largest_remainder(10, [1, 1, 1]).tolist()
    [4, 3, 3]
    """
    share = np.asarray(weights, dtype=float)
    if not len(share):
        return np.zeros(0, dtype=np.int64)
    top = share.max()
    share = share / top if top > 0 else np.ones(len(share))
    quota = total * (share / share.sum())
    out: NDArray[np.int64] = np.floor(np.round(quota, 9)).astype(np.int64)
    missing = int(total - out.sum())
    rest = np.round(quota - out, 9)
    order = np.lexsort((np.arange(len(out)), -rest))
    out[order[:missing]] += 1
    return out


def interleave_parts(people: ArrayLike, totals: Sequence[int]) -> NDArray[np.int64]:
    """Split whole numbers of people into parts, keeping the sums of both.

    Parameters
    ----------
    people : array_like of int, shape (n,)
        People per place, >= 0.
    totals : sequence of int, length k
        People per part over all places; sums to the same as `people`.

    Returns
    -------
    ndarray of int64, shape (n, k)
        Rows sum to `people`, columns to `totals`, nothing below zero.

    Notes
    -----
    The members of each part are spread evenly along one line of all people (member m of a part with t
    members stands at (m - 1/2) / t), and each place takes the next ones of that line. Over any run of
    places a part stays within about one person of its share, so small parts are not drawn to large cells.

    Examples
    --------
    >>> interleave_parts([2, 2], [2, 2]).tolist()
    [[1, 1], [1, 1]]
    """
    count = np.asarray(people, dtype=np.int64)
    size = np.asarray(totals, dtype=np.int64)
    part = np.repeat(np.arange(len(size)), size)
    member = np.arange(len(part)) - np.repeat(np.cumsum(size) - size, size)
    order = np.lexsort((part, (member + 0.5) / np.maximum(size[part], 1)))
    place = np.repeat(np.arange(len(count)), count)
    out = np.zeros((len(count), len(size)), dtype=np.int64)
    np.add.at(out, (place, part[order]), 1)
    return out


def build_controls(population: Population, townships: gpd.GeoDataFrame, *, crs: CRS) -> pd.DataFrame:
    """Return the control totals of each township, whatever form the population came in.

    Parameters
    ----------
    population : Population
        From :func:`bishan_gis.sources.population.load_population`.
    townships : geopandas.GeoDataFrame
        ``zone_id`` and polygons.
    crs : pyproj.CRS
        Working CRS [m].

    Returns
    -------
    pandas.DataFrame
        ``zone_id, people`` and one column per part, whole numbers, by ``zone_id``. People of a raster or a
        grid are rounded so that the townships sum to the rounded total; ``attrs["warnings"]`` says how many
        lie outside all townships.

    Raises
    ------
    NoDataError
        Nobody lives in the townships.
    """
    notes = list(population.warnings)
    if population.controls is not None:
        out = population.controls.copy()
        out["zone_id"] = zone_key(out["zone_id"])
        out = out.sort_values("zone_id", ignore_index=True)
    else:
        out = _sum_weights(population, townships, crs, notes)
    if population.shares:
        total = int(out["people"].sum())
        sizes = largest_remainder(total, list(population.shares.values()))
        split = interleave_parts(out["people"], sizes.tolist())
        for k, part in enumerate(population.shares):
            out[part] = split[:, k]
    if not int(out["people"].sum()):
        zh, en = "乡镇内没有人口", "nobody lives in the townships"
        raise NoDataError(zh, en)
    out.attrs["warnings"] = notes
    return out


def _sum_weights(
    population: Population, townships: gpd.GeoDataFrame, crs: CRS, notes: list[tuple[str, str]]
) -> pd.DataFrame:
    if population.weights is None:
        zh, en = "没有人口数据", "there is no population"
        raise NoDataError(zh, en)
    zones = _by_id(townships, crs)
    parts = [p for p in population.parts if p in population.weights.columns]
    columns = ["weight", *parts]
    pieces, outside = cut_by_zone(population.weights.to_crs(crs), zones, columns)
    sums = pieces.groupby("zone_id")[columns].sum().reindex(zones["zone_id"], fill_value=0.0)
    if outside["weight"] >= 0.5:
        n = round(outside["weight"])
        notes.append((f"{n:,} 人在所有乡镇之外,未计入", f"{n:,} people lie outside all townships and are left out"))
    out = pd.DataFrame({"zone_id": zones["zone_id"].to_numpy()})
    for column in columns:
        out[column] = largest_remainder(round(float(sums[column].sum())), sums[column])
    out = out.rename(columns={"weight": "people"})
    if parts:
        out["people"] = out[parts].sum(axis=1)
    return out


def build_cells(
    controls: pd.DataFrame,
    townships: gpd.GeoDataFrame,
    weights: gpd.GeoDataFrame | None = None,
    *,
    cells: Cells,
    crs: CRS,
    parts: Sequence[str] = (),
    kind: str = "derived",
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Place people on cells.

    Parameters
    ----------
    controls : pandas.DataFrame
        ``zone_id, people`` and one integer column per part.
    townships : geopandas.GeoDataFrame
        ``zone_id`` and polygons that do not overlap.
    weights : geopandas.GeoDataFrame, optional
        Points or areas with ``weight`` (and, where parts are known there, a column per part): where people
        live. None, or none in a township: evenly over its area.
    cells : Cells
        Squares of ``size_m`` whose sides are multiples of it in `crs`, or H3 cells.
    crs : pyproj.CRS
        Working CRS [m].
    parts : sequence of str
        Age groups that add up to ``people``.
    kind : str
        What the cells rest on.

    Returns
    -------
    cells : geopandas.GeoDataFrame
        ``cell_id, zone_id, people``, parts, ``x, y`` (weighted centre of where people live in the cell: the
        origin of their ways), ``kind, geometry`` (the cell), in `crs`, by ``cell_id``; populated cells only.
        Squares are named by their column and row (E5123N32670: from 512,300 E, 3,267,000 N at 100 m). Where
        a border passes between the people of a cell, the cell stands once per township, as
        ``<cell>-<zone_id>``. ``attrs["warnings"]`` is a list of (zh, en).
    check : pandas.DataFrame
        ``zone_id, part, control, placed, difference``; part "all" is everybody, ``difference`` is 0.

    Raises
    ------
    ControlTotalError
        Parts do not add up.
    SchemaError, MissingColumnError
        Zones of the controls are unknown or missing.

    Notes
    -----
    Per township: people go to cells by largest remainder; they are split into parts by
    :func:`interleave_parts`. Where the weights know the parts, each part is placed by largest remainder on
    its own weights, and people are their sum.
    """
    import geopandas as gpd

    zones = _by_id(townships, crs)
    controls = controls.assign(zone_id=zone_key(controls["zone_id"])).sort_values("zone_id", ignore_index=True)
    check_controls(controls, parts, zones=zones)
    parts = list(parts)
    own = [p for p in parts if weights is not None and p in weights.columns]
    own = own if len(own) == len(parts) else []
    notes: list[tuple[str, str]] = []
    table = _weigh(zones, controls, weights, ["weight", *own], cells, crs, notes)
    placed = [
        _place(group.sort_values("cell", ignore_index=True), control, parts, own)
        for (_, group), control in zip(
            table.groupby("zone_id", sort=True), _rows(controls, set(table["zone_id"])), strict=True
        )
    ]
    out = pd.concat(placed, ignore_index=True) if placed else table.assign(people=0)
    border = out["cell"].duplicated(keep=False)
    out["cell_id"] = out["cell"].where(~border, out["cell"] + "-" + out["zone_id"])
    out = out.loc[out["people"] > 0].sort_values("cell_id", ignore_index=True)
    out["kind"] = kind
    shape = cell_polygons(
        out["cell"].to_numpy(dtype=object),
        crs=crs,
        size_m=cells.size_m,
        resolution=cells.resolution if cells.type == "h3" else None,
    )
    frame = gpd.GeoDataFrame(out[["cell_id", "zone_id", "people", *parts, "x", "y", "kind"]], geometry=shape, crs=crs)
    frame.attrs["warnings"] = notes
    return frame, _check(controls, frame, parts)


def _by_id(townships: gpd.GeoDataFrame, crs: CRS) -> gpd.GeoDataFrame:
    zones = townships.to_crs(crs)
    return zones.assign(zone_id=zone_key(zones["zone_id"])).sort_values("zone_id", ignore_index=True)


def _rows(controls: pd.DataFrame, present: set[str]) -> list[Mapping[str, int]]:
    rows = controls.loc[controls["zone_id"].isin(present)]
    return [dict(zip(rows.columns, r, strict=True)) for r in rows.itertuples(index=False, name=None)]


def _weigh(
    zones: gpd.GeoDataFrame,
    controls: pd.DataFrame,
    weights: gpd.GeoDataFrame | None,
    columns: list[str],
    cells: Cells,
    crs: CRS,
    notes: list[tuple[str, str]],
) -> pd.DataFrame:
    """Return weights per township and cell, evenly where a township with people has none."""
    tables = []
    weighed: set[str] = set()
    if weights is not None and not weights.empty:
        pieces, _ = cut_by_zone(weights.to_crs(crs), zones, columns)
        tables.append(spread_weights(pieces, columns, cells=cells, crs=crs))
        weighed = set(tables[0]["zone_id"])
    bare = zones.loc[zones["zone_id"].isin(controls.loc[controls["people"] > 0, "zone_id"])]
    bare = bare.loc[~bare["zone_id"].isin(weighed)]
    if not bare.empty:
        shape = bare.geometry.to_numpy()
        even = pd.DataFrame({"zone_id": bare["zone_id"].to_numpy(), "geometry": shape})
        for column in columns:
            even[column] = shapely.area(shape)
        tables.append(spread_weights(even, columns, cells=cells, crs=crs))
        shown = ", ".join(bare["zone_id"])
        notes.append(
            (
                f"{len(bare)} 个乡镇没有居住地数据,人口按面积均布: {shown}",
                f"{len(bare)} townships have no data on where people live; they are spread evenly: {shown}",
            )
        )
    return pd.concat(tables, ignore_index=True)


def _place(group: pd.DataFrame, control: Mapping[str, int], parts: Sequence[str], own: Sequence[str]) -> pd.DataFrame:
    """Place the people of one township on its cells."""
    weight = group["weight"].to_numpy(dtype=float)
    counts: dict[str, NDArray[np.int64]] = {}
    if own:
        for part in parts:
            share = group[part].to_numpy(dtype=float)
            counts[part] = largest_remainder(int(control[part]), share if share.sum() > 0 else weight)
        people = np.sum(list(counts.values()), axis=0)
    else:
        people = largest_remainder(int(control["people"]), weight)
        split = interleave_parts(people, [int(control[p]) for p in parts]) if parts else None
        counts = {p: split[:, k] for k, p in enumerate(parts)} if split is not None else {}
    out = group[["zone_id", "cell", "x", "y"]].copy()
    out["people"] = np.asarray(people, dtype=np.int64)
    for part in parts:
        out[part] = counts[part]
    return out


def _check(controls: pd.DataFrame, cells: gpd.GeoDataFrame, parts: Sequence[str]) -> pd.DataFrame:
    columns = ["people", *parts]
    placed = cells.groupby("zone_id")[columns].sum().reindex(controls["zone_id"], fill_value=0)
    out = pd.concat(
        [
            pd.DataFrame(
                {
                    "zone_id": controls["zone_id"],
                    "part": "all" if c == "people" else c,
                    "control": controls[c].to_numpy(dtype=np.int64),
                    "placed": placed[c].to_numpy(dtype=np.int64),
                }
            )
            for c in columns
        ],
        ignore_index=True,
    )
    out["difference"] = out["placed"] - out["control"]
    wrong = out.loc[out["difference"] != 0]
    off_parts = int((cells[list(parts)].sum(axis=1) != cells["people"]).sum()) if parts else 0
    if len(wrong) or off_parts:
        raise ControlTotalError(
            f"人口落格后与控制数不符: {len(wrong)} 项, {off_parts} 个格网各组之和不等",
            f"people on cells do not re-sum: {len(wrong)} totals, {off_parts} cells whose parts are off",
        )
    return out
