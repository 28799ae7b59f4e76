"""Who is within reach of a service, who is not, and for whom the data cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import ControlTotalError
from bishan_gis.schema import COVERAGE, check_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["coverage", "people_in_circles", "radius_coverage"]


def coverage(
    access: pd.DataFrame,
    cells: pd.DataFrame,
    zones: pd.DataFrame,
    *,
    cutoffs_min: Sequence[float],
    age_groups: Mapping[str, Sequence[str]],
    member: Mapping[str, str],
) -> pd.DataFrame:
    """Count people covered, not covered and unknown, by zone, service, cutoff and age group.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s]; every service has a row for every
        cell.
    cells : pandas.DataFrame
        ``cell_id``, the columns of people, and a column with the zone of each kind.
    zones : pandas.DataFrame
        ``zone_id, zone_kind, name``.
    cutoffs_min : sequence of float
        Thresholds [min].
    age_groups : mapping
        Age group -> columns of `cells` that make it up.
    member : mapping
        Kind of zone -> column of `cells` that holds the zone id.

    Returns
    -------
    pandas.DataFrame
        ``zone_kind, zone_id, zone_name, service, cutoff_min, age_group, people, people_covered,
        people_unknown``, all people as integers. For one service, cutoff and age group the
        rows of each kind of zone add up to the same sums.

    Raises
    ------
    ControlTotalError
        A cell lies in no zone of some kind, so the sums would differ.

    Notes
    -----
    Covered is what reaches the service within the cutoff, inclusive. Unknown is what is not covered and
    either lies off the network or could walk out of the data within the cutoff. The rest is certainly not covered.
    """
    from scipy.sparse import csr_array

    check_columns(access, ["origin_id", "service", "value", "status", "unknown_from_s"], where="access")
    groups = list(age_groups)
    people = np.column_stack([cells[list(age_groups[g])].sum(axis=1).to_numpy(np.int64) for g in groups])
    wide, services = _by_service(access, cells["cell_id"].to_numpy())
    frames = []
    for kind, column in member.items():
        rows = zones[zones["zone_kind"] == kind].reset_index(drop=True)
        place = pd.Index(rows["zone_id"]).get_indexer(cells[column])
        if (place < 0).any():
            lost = int(people[place < 0, 0].sum())
            raise ControlTotalError(
                f"coverage: {int((place < 0).sum())} 个单元 ({lost} 人) 不属于任何 {kind};请检查分区",
                f"coverage: {int((place < 0).sum())} cells ({lost} people) lie in no {kind}; check the zones",
            )
        by_zone = csr_array((np.ones_like(place), (place, np.arange(len(place)))), shape=(len(rows), len(place)))
        total = by_zone @ people
        sums = np.empty((2, len(cutoffs_min), len(services), *total.shape), dtype=np.int64)
        for c, cutoff in enumerate(cutoffs_min):
            may_leave = (wide["leave"] <= cutoff * 60) | wide["off"]
            for i, value in enumerate(wide["value"]):
                covered = value <= cutoff * 60
                sums[0, c, i] = by_zone @ (people * covered[:, None])
                sums[1, c, i] = by_zone @ (people * (~covered & may_leave)[:, None])
        frames.append(_rows(kind, rows, services, [float(c) for c in cutoffs_min], groups, total, sums))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COVERAGE))


def _rows(
    kind: str,
    zones: pd.DataFrame,
    services: Sequence[str],
    cutoffs: Sequence[float],
    groups: Sequence[str],
    total: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> pd.DataFrame:
    """Lay sums by cutoff, service, zone and age group out as rows in that order."""
    cutoff, service, zone, group = (at.ravel() for at in np.indices(sums.shape[1:]))
    return pd.DataFrame(
        {
            "zone_kind": kind,
            "zone_id": zones["zone_id"].to_numpy()[zone],
            "zone_name": zones["name"].to_numpy()[zone],
            "service": np.asarray(services, dtype=object)[service],
            "cutoff_min": np.asarray(cutoffs, dtype=float)[cutoff],
            "age_group": np.asarray(groups, dtype=object)[group],
            "people": total[zone, group],
            "people_covered": sums[0].ravel(),
            "people_unknown": sums[1].ravel(),
        }
    )


def _by_service(access: pd.DataFrame, cell_ids: NDArray[np.object_]) -> tuple[dict[str, NDArray], list[str]]:
    services = sorted(access["service"].unique())
    index = pd.Index(cell_ids)
    value = np.full((len(services), len(index)), np.nan)
    leave = np.full(len(index), np.nan)
    off = np.zeros(len(index), dtype=bool)
    rows_of = access.groupby("service", sort=False).indices
    at = index.get_indexer(pd.Index(access["origin_id"]))
    columns = {c: access[c].to_numpy() for c in ("value", "unknown_from_s", "status")}
    for i, service in enumerate(services):
        rows = rows_of[service]
        value[i, at[rows]] = columns["value"][rows]
        leave[at[rows]] = columns["unknown_from_s"][rows]
        off[at[rows]] = columns["status"][rows] == "off_network"
    return {"value": value, "leave": leave, "off": off}, services


def radius_coverage(cells: pd.DataFrame, facilities: pd.DataFrame, *, radii_m: Sequence[float]) -> pd.DataFrame:
    """Count people within a straight-line radius of any facility: the plain circle of a standard.

    Parameters
    ----------
    cells : pandas.DataFrame
        ``people, x, y`` [m].
    facilities : pandas.DataFrame
        ``service, x, y`` [m].
    radii_m : sequence of float
        Radii, inclusive [m].

    Returns
    -------
    pandas.DataFrame
        ``service, radius_m, people, people_total``.
    """
    from scipy.spatial import cKDTree

    people = cells["people"].to_numpy(np.int64)
    points = cells[["x", "y"]].to_numpy(float)
    rows = []
    for service, group in facilities.groupby("service", sort=True):
        distance, _ = cKDTree(group[["x", "y"]].to_numpy(float)).query(points)
        rows += [(service, float(r), int(people[distance <= r].sum()), int(people.sum())) for r in radii_m]
    return pd.DataFrame(rows, columns=["service", "radius_m", "people", "people_total"])


def people_in_circles(cells: pd.DataFrame, facilities: pd.DataFrame, *, radii_m: Sequence[float]) -> pd.DataFrame:
    """Count the people inside the plain circle round each facility, for comparison with its service circle.

    Parameters
    ----------
    cells : pandas.DataFrame
        ``people, x, y`` [m].
    facilities : pandas.DataFrame
        ``facility_id, service, x, y`` [m].
    radii_m : sequence of float
        Radii, inclusive [m].

    Returns
    -------
    pandas.DataFrame
        ``facility_id, service, radius_m, people``, one row per facility and radius.

    Examples
    --------
    >>> cells = pd.DataFrame({"people": [10, 20], "x": [0.0, 400.0], "y": [0.0, 0.0]})
    >>> nursery = pd.DataFrame({"facility_id": ["n"], "service": ["nursery"], "x": [0.0], "y": [0.0]})
    >>> people_in_circles(cells, nursery, radii_m=[300, 500])["people"].tolist()
    [10, 30]
    """
    from scipy.spatial import cKDTree

    people = cells["people"].to_numpy(np.int64)
    tree = cKDTree(cells[["x", "y"]].to_numpy(float))
    frames = []
    for radius in radii_m:
        inside = tree.query_ball_point(facilities[["x", "y"]].to_numpy(float), radius)
        count = [int(people[rows].sum()) for rows in inside]
        frames.append(facilities[["facility_id", "service"]].assign(radius_m=float(radius), people=count))
    out = pd.concat([pd.DataFrame(f) for f in frames], ignore_index=True)
    return out.sort_values(["facility_id", "radius_m"], ignore_index=True)
