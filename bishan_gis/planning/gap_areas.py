"""Gap areas: neighbouring cells that lack the same service, as one thing that can be named, ranked and closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import SchemaError
from bishan_gis.planning.gap_cells import DEFICIENT, STATES, CellGaps, check_same_cells
from bishan_gis.planning.gap_reasons import NO_REASON, REASONS
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    import geopandas as gpd
    import shapely
    from numpy.typing import NDArray

    from bishan_gis.access.neighbours import Neighbours

__all__ = ["GapAreas", "also_missing", "area_geometry", "find_gap_areas", "missing_too", "union_cells"]


@dataclass(frozen=True, eq=False)
class GapAreas:
    """Gap areas and the cells they are made of.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per area, see :func:`find_gap_areas`.
    area, service, cell : ndarray of int
        Members: position of the area in `table`, of the service and of the cell; by area and cell.
    """

    table: pd.DataFrame
    area: NDArray[np.int64]
    service: NDArray[np.int64]
    cell: NDArray[np.int64]

    def cells_of(self) -> list[list[int]]:
        """Return the positions of the cells of every area."""
        ends = np.searchsorted(self.area, np.arange(len(self.table) + 1))
        return [self.cell[a:b].tolist() for a, b in pairwise(ends)]

    def ordered(self, order: NDArray[np.int64]) -> GapAreas:
        """Return the same areas in another order."""
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        area = place[self.area]
        by = np.argsort(area, kind="stable")
        table = self.table.iloc[order].reset_index(drop=True)
        return GapAreas(table, area[by], self.service[by], self.cell[by])


def find_gap_areas(
    mask: NDArray[np.bool_],
    gaps: CellGaps,
    cells: pd.DataFrame,
    neighbours: Neighbours,
    *,
    reasons: NDArray[np.uint8],
    straight_m: NDArray[np.float64],
    still: NDArray[np.bool_] | None = None,
    within: str | None = None,
    also_share: float = 0.5,
) -> GapAreas:
    """Join neighbouring cells with people that lack the same service.

    Parameters
    ----------
    mask : ndarray of bool, services x cells
        Which to join: ``gaps.deficient``, ``gaps.unknown`` ...
    gaps : CellGaps
        From :func:`bishan_gis.planning.gap_cells.cell_gaps`.
    cells : pandas.DataFrame
        ``cell_id, people, x, y`` [m]``, zone_id`` (the township).
    neighbours : Neighbours
        Who is next to whom, see :func:`bishan_gis.access.neighbours.find_neighbours`.
    reasons : ndarray of uint8, services x cells
        From :func:`bishan_gis.planning.gap_reasons.gap_reasons`.
    straight_m : ndarray, services x cells
        Straight distance to the nearest facility [m].
    still : ndarray of bool, services x cells, optional
        Where the service is lacking in the best case too, see :mod:`bishan_gis.planning.sensitivity`. Left out: no
        area is marked.
    within : str, optional
        Column of `cells`: areas do not cross from one value of it to another, such as from township to township.
    also_share : float
        A further service is missing in an area where at least this share of its people lacks it.

    Returns
    -------
    GapAreas
        Its table: ``gap_id`` (service and the cell with most people), ``service, level_min, state, n_cells, people,
        people_no_path, severity_person_min, depth_min`` (mean of those with a path; NaN: none)``, nearest_min`` (mean
        time of those with a path)``, cell_id, x, y`` (of the cell with most people)``, zone_id`` (township with most
        of the people)``, facility_id`` (nearest to most of the people; None: no path)``, straight_m`` (mean)``,
        reason`` (of most of the people)``, people_<reason>`` (of each of `REASONS`)``, n_also_missing`` (further
        services missing there, see :func:`also_missing`)``, people_firm`` (who lack it in the best case
        too)``, fragile`` (nobody does). Every person of the mask is in exactly one area.

    Raises
    ------
    SchemaError
        Cells, neighbours and arrays do not fit together.

    Examples
    --------
    >>> from bishan_gis.access.neighbours import Neighbours
    >>> from bishan_gis.planning.gap_cells import cell_gaps
    >>> access = pd.DataFrame({"origin_id": list("ABC"), "service": "school", "value": [720.0, 660.0, 900.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": list("ABC"), "people": [5, 10, 2], "x": 0.0, "y": 0.0, "zone_id": "t"})
    >>> gaps = cell_gaps(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> pairs = Neighbours(pd.Index(list("ABC")), np.array([0, 1]), np.array([1, 0]))
    >>> found = find_gap_areas(gaps.deficient, gaps, cells, pairs, reasons=np.zeros((1, 3), np.uint8),
    ...     straight_m=np.full((1, 3), 800.0))
    >>> found.table[["gap_id", "people", "severity_person_min"]].values.tolist()
    [['school/B', 15, 20.0], ['school/C', 2, 10.0]]
    """
    check_same_cells(gaps, cells)
    check_columns(cells, ["people", "x", "y", "zone_id"], where="cells")
    people = cells["people"].to_numpy(np.int64)
    shapes = {mask.shape, reasons.shape, straight_m.shape, gaps.state.shape}
    if len(shapes) > 1 or not neighbours.ids.equals(gaps.cells):
        raise SchemaError(
            f"gaps: 数组形状 {shapes} 或相邻关系与单元不一致",
            f"gaps: arrays {shapes} or neighbours do not fit the cells",
        )
    apart = None if within is None else pd.factorize(cells[within])[0]
    service, cell, area, n = _join(mask & (people > 0), neighbours, apart)
    weight = people[cell]
    at = (service, cell)
    total = _sum(area, weight, n)
    deep = np.where(gaps.value_ms[at] >= 0, weight, 0)
    known = np.maximum(_sum(area, deep, n), 1)
    has_path = _sum(area, deep, n) > 0
    severity = _sum(area, weight * gaps.depth_ms[at], n)
    walked = _sum(area, deep * np.maximum(gaps.value_ms[at], 0), n) / known / 60_000
    top = _heaviest(area, cell, weight, n)
    own = _heaviest(area, service, weight, n)
    zone_code, zones = pd.factorize(cells["zone_id"], sort=True)
    zone = _heaviest(area, zone_code[cell].astype(np.int64), weight, n)
    who = gaps.facility_code[at].astype(np.int64)
    nearest = _heaviest(area, np.where(who < 0, len(gaps.facilities), who), deep, n)
    codes = reasons[at].astype(np.int64)
    codes = np.where(codes == NO_REASON, len(REASONS), codes)
    by_reason = np.column_stack([_sum(area[codes == c], weight[codes == c], n) for c in range(len(REASONS))])
    crow = straight_m[at]
    near = np.isfinite(crow)
    straight = _float_mean(area[near], weight[near], crow[near], n)
    firm = total if still is None else _sum(area, weight * still[at], n)
    state = gaps.state[own, top] if n else np.zeros(0, dtype=np.uint8)
    ids = cells["cell_id"].astype(str).to_numpy(dtype=object)
    names = np.array(gaps.services, dtype=object)
    table = pd.DataFrame(
        {
            "gap_id": [f"{s}/{c}" for s, c in zip(names[own], ids[top], strict=True)],
            "service": names[own],
            "level_min": gaps.level_min[own],
            "state": np.array(STATES, dtype=object)[state],
            "n_cells": np.bincount(area, minlength=n),
            "people": total,
            "people_no_path": _sum(area, weight * gaps.no_path[at], n),
            "severity_person_min": severity / 60_000,
            "depth_min": np.where(has_path & (state == DEFICIENT), severity / known / 60_000, np.nan),
            "nearest_min": np.where(has_path, walked, np.nan),
            "cell_id": ids[top],
            "x": cells["x"].to_numpy(np.float64)[top],
            "y": cells["y"].to_numpy(np.float64)[top],
            "zone_id": np.asarray(zones, dtype=object)[zone],
            "facility_id": gaps.nearest_id(nearest),
            "straight_m": straight,
            "reason": np.array(REASONS, dtype=object)[by_reason.argmax(axis=1)],
            **{f"people_{r}": by_reason[:, i] for i, r in enumerate(REASONS)},
            "n_also_missing": _also(gaps, people, area, cell, own, total, also_share).sum(axis=1),
            "people_firm": firm,
            "fragile": firm == 0,
        }
    )
    return GapAreas(table, area, service, cell)


def also_missing(
    areas: GapAreas, gaps: CellGaps, cells: pd.DataFrame, *, rows: Sequence[int], also_share: float = 0.5
) -> list[list[str]]:
    """List the other services that are missing in some of the areas.

    Parameters
    ----------
    areas, gaps, cells
        As given to and returned by :func:`find_gap_areas`.
    rows : sequence of int
        Positions of the areas in the table.
    also_share : float
        A service is missing where at least this share of the people of an area lacks it.

    Returns
    -------
    list of list of str
        Services of each of the areas asked for, in the order of the targets.
    """
    check_same_cells(gaps, cells)
    n = len(areas.table)
    own = np.zeros(n, dtype=np.int64)
    own[areas.area] = areas.service
    total = areas.table["people"].to_numpy(np.int64)
    more = _also(gaps, cells["people"].to_numpy(np.int64), areas.area, areas.cell, own, total, also_share)
    return [[gaps.services[j] for j in np.flatnonzero(more[i])] for i in rows]


def _join(
    mask: NDArray[np.bool_], neighbours: Neighbours, apart: NDArray[np.int64] | None
) -> tuple[NDArray, NDArray, NDArray, int]:
    """Return service, cell and area of every member, by area, and the number of areas."""
    services, cells, areas, n = [], [], [], 0
    focal, other = neighbours.focal, neighbours.neighbour
    if apart is not None:
        same = apart[focal] == apart[other]
        focal, other = focal[same], other[same]
    once = focal < other
    focal, other = focal[once], other[once]
    for i, row in enumerate(mask):
        here = np.flatnonzero(row)
        if not len(here):
            continue
        both = row[focal] & row[other]
        place = np.cumsum(row) - 1
        ends = (place[focal[both]], place[other[both]])
        label = _parts(len(here), *ends)
        order = np.argsort(label, kind="stable")
        services.append(np.full(len(here), i, dtype=np.int64))
        cells.append(here[order].astype(np.int64))
        areas.append(label[order].astype(np.int64) + n)
        n += int(label.max()) + 1
    if not n:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none, 0
    return np.concatenate(services), np.concatenate(cells), np.concatenate(areas), n


def _parts(n: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the connected part of each of `n` members, numbered by their first members."""
    label = np.arange(n, dtype=np.int64)
    while True:
        # The ends of a pair, and those that stand for them, take the lower of their two labels; then labels of labels.
        low = np.minimum(label[a], label[b])
        new = label.copy()
        for who in (a, b, label[a], label[b]):
            np.minimum.at(new, who, low)
        while not (new[new] == new).all():
            new = new[new]
        if (new == label).all():
            return np.unique(label, return_inverse=True)[1]
        label = new


def _sum(area: NDArray[np.int64], values: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Add up whole numbers by area, exactly; members stand by area."""
    out = np.zeros(n, dtype=np.int64)
    if len(area):
        starts = np.flatnonzero(np.diff(area, prepend=area[0] - 1))
        out[area[starts]] = np.add.reduceat(values, starts)
    return out


def _float_mean(
    area: NDArray[np.int64], weight: NDArray[np.int64], values: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    heads = np.bincount(area, weights=weight, minlength=n)
    sums = np.bincount(area, weights=weight * values, minlength=n)
    out: NDArray[np.float64] = np.divide(sums, heads, out=np.full(n, np.nan), where=heads > 0)
    return out


def _heaviest(area: NDArray[np.int64], code: NDArray[np.int64], weight: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return the code with most weight in each area; ties go to the lowest."""
    if not n:
        return np.zeros(0, dtype=np.int64)
    width = int(code.max()) + 1
    whole = area * width + code
    by = np.argsort(whole, kind="stable")
    starts = np.flatnonzero(np.diff(whole[by], prepend=-1))
    key = whole[by][starts]
    sums = np.add.reduceat(weight[by], starts)
    order = np.lexsort((key, -sums, key // width))
    first = np.searchsorted((key // width)[order], np.arange(n))
    out: NDArray[np.int64] = key[order][first] % width
    return out


def _also(
    gaps: CellGaps,
    people: NDArray[np.int64],
    area: NDArray[np.int64],
    cell: NDArray[np.int64],
    own: NDArray[np.int64],
    total: NDArray[np.int64],
    share: float,
) -> NDArray[np.bool_]:
    """Return which other services much of each area lacks too, as areas x services."""
    return missing_too(gaps.deficient, people, area, cell, own, total, share)


def missing_too(
    deficient: NDArray[np.bool_],
    people: NDArray[np.int64],
    area: NDArray[np.int64],
    cell: NDArray[np.int64],
    own: NDArray[np.int64],
    total: NDArray[np.int64],
    share: float = 0.5,
) -> NDArray[np.bool_]:
    """Say which other services much of each area lacks too.

    Parameters
    ----------
    deficient : ndarray of bool, services x cells
        Where each service is lacking.
    people : ndarray of int
        People of each cell.
    area, cell : ndarray of int
        Members of the areas, by area: every area has some.
    own, total : ndarray of int
        Service and people of each area.
    share : float
        A service is missing where at least this share of the people of an area lacks it.

    Returns
    -------
    ndarray of bool, areas x services
        Which are missing; never an area's own.

    Examples
    --------
    Of the 15 people of one area that lacks service 0, 10 lack service 1 and 5 lack service 2:

    >>> lacking = np.array([[True, True], [False, True], [True, False]])
    >>> inside = (np.array([0, 0]), np.array([0, 1]), np.array([0]), np.array([15]))
    >>> missing_too(lacking, np.array([5, 10]), *inside).tolist()
    [[False, True, False]]
    """
    n = len(total)
    more = np.zeros((n, len(deficient)), dtype=np.bool_)
    if n:
        starts, least = np.searchsorted(area, np.arange(n)), share * total
        for j, row in enumerate(deficient):
            lacking = np.add.reduceat(np.where(row, people, 0)[cell], starts)
            more[:, j] = (lacking >= least) & (lacking > 0)
        more[np.arange(n), own] = False
    return more


def area_geometry(areas: GapAreas, cells: gpd.GeoDataFrame, *, rows: Sequence[int] | None = None) -> gpd.GeoSeries:
    """Return the outlines of areas.

    Parameters
    ----------
    areas : GapAreas
        From :func:`find_gap_areas`.
    cells : geopandas.GeoDataFrame
        The same cells, with their polygons.
    rows : sequence of int, optional
        Positions of the areas in the table; all where left out.

    Returns
    -------
    geopandas.GeoSeries
        One polygon or multipolygon per area asked for, in that order and the CRS of the cells.
    """
    import geopandas as gpd

    shape = cells.geometry.to_numpy()
    wanted = range(len(areas.table)) if rows is None else rows
    members = areas.cells_of()
    out = union_cells([members[i] for i in wanted], shape)
    return gpd.GeoSeries(out, index=areas.table.index[list(wanted)], crs=cells.crs)


def union_cells(members: Sequence[Sequence[int]], shapes: NDArray[np.object_]) -> list[shapely.Geometry]:
    """Join the polygons of cells.

    Parameters
    ----------
    members : sequence of sequence of int
        Cells of each area.
    shapes : ndarray of shapely.Geometry
        Polygon of each cell.

    Returns
    -------
    list of shapely.Geometry
        Outline of each area.
    """
    import shapely

    made: dict[tuple[int, ...], shapely.Geometry] = {}
    out = []
    for cells in members:
        key = tuple(cells)
        if key not in made:
            made[key] = shapes[key[0]] if len(key) == 1 else shapely.union_all(shapes[list(key)])
        out.append(made[key])
    return out
