"""Which cells lack which service, by how much, and for which the data cannot tell; and the people who live there.

Everything is arrays of services x cells, so that a district with dozens of services takes fractions of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.changed_times import changed_times
from bishan_gis.errors import ControlTotalError, SchemaError
from bishan_gis.schema import check_columns, check_unique

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COVERED", "DEFICIENT", "STATES", "UNKNOWN", "CellGaps", "CellTimes", "cell_gaps"]
__all__ += ["cell_times", "gap_people"]

#: What is known about one cell and one service, in the order of the codes.
STATES = ("covered", "deficient", "unknown")
COVERED, DEFICIENT, UNKNOWN = 0, 1, 2

_COUNTS = ["people", "people_covered", "people_deficient", "people_unknown", "people_no_path"]


@dataclass(frozen=True, eq=False)
class CellGaps:
    """State of every service in every cell, as arrays of services x cells.

    Attributes
    ----------
    services : list of str
        Services, in the order of the targets.
    cells : pandas.Index
        Cells, in the order of the table of cells.
    level_min : ndarray
        Threshold of each service [min].
    state : ndarray of uint8
        Position in `STATES`.
    value_ms : ndarray of int64
        Time to the nearest facility [ms]; -1: no path is known.
    off_network : ndarray of bool, one per cell
        No street is near.
    facility_code : ndarray of int32
        The nearest facility, as a position in `facilities`; -1: none is known.
    facilities : ndarray of object
        Ids of facilities, sorted.
    """

    services: list[str]
    cells: pd.Index
    level_min: NDArray[np.float64]
    state: NDArray[np.uint8]
    value_ms: NDArray[np.int64]
    off_network: NDArray[np.bool_]
    facility_code: NDArray[np.int32]
    facilities: NDArray[np.object_]

    @property
    def level_ms(self) -> NDArray[np.int64]:
        """Threshold of each service [ms]."""
        out: NDArray[np.int64] = np.rint(self.level_min * 60_000).astype(np.int64)
        return out

    @property
    def deficient(self) -> NDArray[np.bool_]:
        """Where a service is certainly not within its threshold."""
        out: NDArray[np.bool_] = self.state == DEFICIENT
        return out

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Where the data cannot tell."""
        out: NDArray[np.bool_] = self.state == UNKNOWN
        return out

    @property
    def no_path(self) -> NDArray[np.bool_]:
        """Where no street leads to any facility of the service, for certain."""
        return self.deficient & (self.value_ms < 0)

    @property
    def depth_ms(self) -> NDArray[np.int64]:
        """Time beyond the threshold where a service is deficient and a path exists [ms]; 0 elsewhere."""
        out: NDArray[np.int64] = np.where(
            self.deficient & (self.value_ms >= 0), self.value_ms - self.level_ms[:, None], 0
        )
        return out

    def nearest_id(self, code: NDArray[np.integer]) -> NDArray[np.object_]:
        """Return the ids of facilities from their positions; None where there is none."""
        ids = np.full(len(self.facilities) + 1, None, dtype=object)
        ids[:-1] = self.facilities
        out: NDArray[np.object_] = ids[code]
        return out

    def table(self) -> pd.DataFrame:
        """Return the deficient and unknown cells as a long table.

        Returns
        -------
        pandas.DataFrame
            ``cell_id, service, level_min, state, value_s`` [s; NaN: no path]``, depth_min`` [min beyond the threshold;
            NaN: no path, or unknown]``, facility_id``, by service and cell.
        """
        row, column = np.nonzero(self.state != COVERED)
        value = self.value_ms[row, column]
        depth = self.depth_ms[row, column] / 60_000
        deep = (self.state[row, column] == DEFICIENT) & (value >= 0)
        return pd.DataFrame(
            {
                "cell_id": self.cells.to_numpy()[column],
                "service": np.array(self.services, dtype=object)[row],
                "level_min": self.level_min[row],
                "state": np.array(STATES, dtype=object)[self.state[row, column]],
                "value_s": np.where(value >= 0, value / 1000, np.nan),
                "depth_min": np.where(deep, depth, np.nan),
                "facility_id": self.nearest_id(self.facility_code[row, column]),
            }
        )


def cell_gaps(access: pd.DataFrame, cells: pd.DataFrame, targets: pd.DataFrame) -> CellGaps:
    """Compare the time to the nearest facility with what is asked for, in every cell.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s] and optionally ``facility_id``: a row for
        every cell and service, see :func:`bishan_gis.access.nearest.nearest_cost`. Other origins are left out.
    cells : pandas.DataFrame
        ``cell_id``.
    targets : pandas.DataFrame
        ``service, level_min`` [min], see :func:`bishan_gis.planning.standards.service_targets`. Rows without a level
        and services without a row in `access` are left out.

    Returns
    -------
    CellGaps
        One state per service and cell.

    Raises
    ------
    MissingColumnError
        A column is missing.
    SchemaError
        A key repeats, or a cell has no row or several for a service.

    Notes
    -----
    As in :func:`bishan_gis.planning.coverage.coverage`: covered is what is reached within the level, inclusive;
    unknown is what is not covered and lies off the network or could leave the data within the level; the rest is
    deficient. More data could not bring a deficient cell within the level.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "B", "C"], "service": "school", "value": [300.0, 720.0, float("nan")],
    ...     "status": ["reached", "reached", "unreachable"], "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B", "C"]})
    >>> gaps = cell_gaps(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> gaps.table()[["cell_id", "state", "depth_min"]].values.tolist()
    [['B', 'deficient', 2.0], ['C', 'deficient', nan]]
    """
    return cell_times(access, cells, targets).gaps()


@dataclass(frozen=True, eq=False)
class CellTimes:
    """Time from every cell to the nearest facility of every service, as arrays of services x cells.

    Attributes
    ----------
    services, cells, level_min, facility_code, facilities
        As in :class:`CellGaps`.
    value_s : ndarray
        Time [s]; NaN: no path is known.
    leave_s : ndarray
        When the traveller could have left the data [s]; NaN: never.
    off : ndarray of bool
        The cell is off the network.
    """

    services: list[str]
    cells: pd.Index
    level_min: NDArray[np.float64]
    value_s: NDArray[np.float64]
    leave_s: NDArray[np.float64]
    off: NDArray[np.bool_]
    facility_code: NDArray[np.int32]
    facilities: NDArray[np.object_]

    def changed(self, *, speed: float, more_s: NDArray[np.float64] | float = 0.0) -> CellTimes:
        """Return the times of people who walk at another speed, with another leg to the streets."""
        value = changed_times(self.value_s, speed=speed, more_s=more_s)
        return replace(self, value_s=value, leave_s=changed_times(self.leave_s, speed=speed, more_s=more_s))

    def gaps(self) -> CellGaps:
        """Compare the times with what is asked for."""
        limit = (self.level_min * 60)[:, None]
        covered = self.value_s <= limit
        unknown = ~covered & ((self.leave_s <= limit) | self.off)
        state = np.full(self.value_s.shape, DEFICIENT, dtype=np.uint8)
        state[covered] = COVERED
        state[unknown] = UNKNOWN
        ms = np.where(np.isnan(self.value_s), -1.0, np.rint(self.value_s * 1000)).astype(np.int64)
        off = np.asarray(self.off.any(axis=0))
        return CellGaps(self.services, self.cells, self.level_min, state, ms, off, self.facility_code, self.facilities)


def cell_times(access: pd.DataFrame, cells: pd.DataFrame, targets: pd.DataFrame) -> CellTimes:
    """Arrange the times by service and cell.

    Parameters
    ----------
    access, cells, targets : pandas.DataFrame
        See :func:`cell_gaps`.

    Returns
    -------
    CellTimes
        The times.

    Raises
    ------
    MissingColumnError, SchemaError
        As :func:`cell_gaps`.
    """
    check_columns(access, ["origin_id", "service", "value", "status", "unknown_from_s"], where="access")
    check_columns(cells, ["cell_id"], where="cells")
    check_columns(targets, ["service", "level_min"], where="targets")
    check_unique(cells["cell_id"], where="cells")
    check_unique(targets["service"], where="targets")
    index = pd.Index(cells["cell_id"])
    named = targets[targets["level_min"] > 0]
    rows_of = access.groupby("service", sort=False, observed=True).indices
    here = named[named["service"].isin(list(rows_of))]
    services = [str(s) for s in here["service"]]
    level = here["level_min"].to_numpy(np.float64)
    rows = _rows(
        access["origin_id"].to_numpy(), index, [np.asarray(rows_of[s], dtype=np.int64) for s in services], services
    )
    value = access["value"].to_numpy(np.float64, na_value=np.nan)[rows]
    leave = access["unknown_from_s"].to_numpy(np.float64, na_value=np.nan)[rows]
    off = (access["status"] == "off_network").to_numpy(dtype=bool)[rows]
    who = np.full(rows.shape, -1, dtype=np.int32)
    ids = np.zeros(0, dtype=object)
    if "facility_id" in access.columns:
        code, names = pd.factorize(access["facility_id"], sort=True)
        ids = np.asarray(names, dtype=object)
        who = np.where(np.isnan(value), -1, code[rows]).astype(np.int32)
    return CellTimes(services, index, level, value, leave, off, who, ids)


def _rows(
    origin: NDArray[np.object_], cells: pd.Index, groups: list[NDArray[np.int64]], services: list[str]
) -> NDArray[np.int64]:
    """Return the row of each service and cell; tables in the order of the cells need no look-up."""
    ids = cells.to_numpy()
    out = np.zeros((len(groups), len(cells)), dtype=np.int64)
    for i, group in enumerate(groups):
        if len(group) == len(ids) and (origin[group] == ids).all():
            out[i] = group
            continue
        at = cells.get_indexer(pd.Index(origin[group]))
        count = np.bincount(at[at >= 0], minlength=len(cells))
        wrong = int((count != 1).sum())
        if wrong:
            raise SchemaError(
                f"access: 服务 {services[i]} 有 {wrong} 个单元缺行或重复;每个单元须恰有一行",
                f"access: service {services[i]}: {wrong} cells have no row or several; each must have one",
            )
        out[i, at[at >= 0]] = group[at >= 0]
    return out


def gap_people(
    gaps: CellGaps,
    cells: pd.DataFrame,
    zones: pd.DataFrame,
    *,
    age_groups: Mapping[str, list[str]],
    member: Mapping[str, str],
) -> pd.DataFrame:
    """Count the people who are covered, not covered and unknown, and how far beyond the threshold they are.

    Parameters
    ----------
    gaps : CellGaps
        From :func:`cell_gaps` for the same cells, in their order.
    cells : pandas.DataFrame
        ``cell_id``, the columns of people (whole numbers), and a column with the zone of each kind.
    zones : pandas.DataFrame
        ``zone_id, zone_kind, name``.
    age_groups : mapping
        Age group -> columns of `cells` that make it up.
    member : mapping
        Kind of zone -> column of `cells` that holds the zone id.

    Returns
    -------
    pandas.DataFrame
        ``zone_kind, zone_id, zone_name, service, level_min, age_group, people, people_covered, people_deficient,
        people_unknown, people_no_path`` (of the deficient, those without any path: they have no depth),
        ``severity_person_min`` (people x minutes beyond the threshold), ``depth_min`` (mean minutes beyond the
        threshold of the deficient with a path; NaN: there are none). Covered, deficient and unknown add up to people;
        the zones of every kind add up to the same sums.

    Raises
    ------
    SchemaError
        The cells are others than those of `gaps`.
    ControlTotalError
        A cell lies in no zone of some kind, so the sums would differ.

    Notes
    -----
    ``severity = sum_i p_i max(0, c_i - level)``, added up as whole person-milliseconds, so that every level agrees.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "B", "C"], "service": "school", "value": [300.0, 720.0, float("nan")],
    ...     "status": ["reached", "reached", "unreachable"], "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B", "C"], "zone": "z", "people": [5, 10, 2]})
    >>> zones = pd.DataFrame({"zone_id": ["z"], "zone_kind": ["town"], "name": ["Z"]})
    >>> gaps = cell_gaps(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> table = gap_people(gaps, cells, zones, age_groups={"all": ["people"]}, member={"town": "zone"})
    >>> table[["people_covered", "people_deficient", "people_no_path", "depth_min"]].values.tolist()
    [[5.0, 12.0, 2.0, 2.0]]
    """
    check_same_cells(gaps, cells)
    groups = list(age_groups)
    people = np.stack([cells[list(age_groups[g])].sum(axis=1).to_numpy(np.int64) for g in groups])
    places = _places(cells, zones, member)
    k, n = gaps.state.shape
    # Cells that lie in the same zone of every kind are added up once; the kinds add up those sums.
    corner, part = np.unique(np.stack([np.zeros(n, dtype=np.int64), *places.values()]), axis=1, return_inverse=True)
    m, g = corner.shape[1], len(groups)
    order = np.argsort(part.ravel(), kind="stable")
    starts = np.searchsorted(part.ravel()[order], np.arange(m))
    what = np.concatenate([gaps.deficient, gaps.unknown, gaps.no_path, gaps.depth_ms, np.ones((1, n))]).astype(np.int64)
    sums = np.zeros((g, m, 4 * k + 1), dtype=np.int64)
    for i in range(g if n else 0):
        sums[i] = np.add.reduceat(what[:, order] * people[i, order], starts, axis=1).T
    frames = []
    for i, (kind, place) in enumerate(places.items()):
        rows = zones[zones["zone_kind"] == kind]
        by_zone = np.zeros((g, len(rows), 4 * k + 1), dtype=np.int64)
        for j in range(m if len(place) else 0):
            by_zone[:, corner[i + 1, j]] += sums[:, j]
        four = by_zone[:, :, :-1].reshape(g, len(rows), 4, k).transpose(2, 0, 3, 1).reshape(4, -1)
        total = np.repeat(by_zone[:, :, -1][:, None, :], k, axis=1).ravel()
        lacking, unknown, no_path, depth = four
        severity = depth / 60_000
        deep = lacking - no_path
        frames.append(
            pd.DataFrame(
                {
                    "zone_kind": kind,
                    "zone_id": np.tile(rows["zone_id"].to_numpy(), g * k),
                    "zone_name": np.tile(rows["name"].to_numpy(), g * k),
                    "service": np.tile(np.repeat(np.array(gaps.services, dtype=object), len(rows)), g),
                    "level_min": np.tile(np.repeat(gaps.level_min, len(rows)), g),
                    "age_group": np.repeat(np.array(groups, dtype=object), k * len(rows)),
                    "people": total,
                    "people_covered": total - lacking - unknown,
                    "people_deficient": lacking,
                    "people_unknown": unknown,
                    "people_no_path": no_path,
                    "severity_person_min": severity,
                    "depth_min": np.where(deep > 0, severity / np.maximum(deep, 1), np.nan),
                }
            )
        )
    columns = ["zone_kind", "zone_id", "zone_name", "service", "level_min", "age_group", *_COUNTS]
    columns += ["severity_person_min", "depth_min"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _places(cells: pd.DataFrame, zones: pd.DataFrame, member: Mapping[str, str]) -> dict[str, NDArray[np.int64]]:
    """Return the position of each cell among the zones of every kind."""
    out = {}
    for kind, column in member.items():
        check_columns(cells, [column], where="cells")
        ids = pd.Index(zones.loc[zones["zone_kind"] == kind, "zone_id"])
        place = ids.get_indexer(cells[column]).astype(np.int64)
        lost = int((place < 0).sum())
        if lost:
            raise ControlTotalError(
                f"gaps: {lost} 个单元不属于任何 {kind};请检查分区",
                f"gaps: {lost} cells lie in no {kind}; check the zones",
            )
        out[kind] = place
    return out


def check_same_cells(gaps: CellGaps, cells: pd.DataFrame) -> None:
    """Raise when the cells are others than those of the gaps, or in another order.

    Raises
    ------
    SchemaError
        They are.
    """
    check_columns(cells, ["cell_id"], where="cells")
    if len(cells) != len(gaps.cells) or not (cells["cell_id"].to_numpy() == gaps.cells.to_numpy()).all():
        raise SchemaError(
            f"cells: {len(cells)} 行与缺口计算所用的 {len(gaps.cells)} 个单元不同或顺序不同;请用同一张表",
            f"cells: {len(cells)} rows are others than the {len(gaps.cells)} cells of the gaps, or in another order; "
            "use the same table",
        )
