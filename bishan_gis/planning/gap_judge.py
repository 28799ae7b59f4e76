"""Services judged one by one: who lacks each of them, where, why, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.places.zones import zone_columns
from bishan_gis.planning.gap_areas import GapAreas, find_gap_areas
from bishan_gis.planning.gap_cells import CellGaps, gap_people
from bishan_gis.planning.gap_quality import capacity_table, places_per_person
from bishan_gis.planning.gap_reasons import (
    BARRIER_RATIO,
    DETOUR_RATIO,
    REASONS,
    crossed_lines,
    detour_ratios,
    gap_reasons,
    straight_distances,
)
from bishan_gis.planning.sensitivity import count_cases, gap_cases

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.access.neighbours import Neighbours
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.results import Results

__all__ = ["SELECTED", "Judged", "age_groups", "judge_services", "members"]

#: Kind and id of what stands for all cells where only some zones are looked at.
SELECTED = "selection"


@dataclass(frozen=True, eq=False)
class Judged:
    """What was found of some services; none of it depends on other services.

    Attributes
    ----------
    targets, access : pandas.DataFrame
        What is asked for, and the times, of the services and cells that were judged.
    state, way : CellGaps
        State of every service and cell; the times on level streets.
    people, capacity, sensitivity : pandas.DataFrame
        As in :class:`Gaps`. Where only some cells are judged, `people` begins with a zone of kind `SELECTED` that is
        all of them, and has no zone that lies only partly among them.
    reasons : ndarray of uint8, services x cells
        See :func:`~bishan_gis.planning.gap_reasons.gap_reasons`.
    areas : list of GapAreas
        Where a service is certainly missing; where the data cannot tell; where there are too few places.
    """

    targets: pd.DataFrame
    access: pd.DataFrame
    state: CellGaps
    way: CellGaps
    people: pd.DataFrame
    capacity: pd.DataFrame
    sensitivity: pd.DataFrame
    areas: list[GapAreas]
    reasons: NDArray[np.uint8]


def judge_services(
    results: Results,
    targets: pd.DataFrame,
    cells: gpd.GeoDataFrame,
    needs: pd.DataFrame,
    *,
    neighbours: Neighbours,
    costs: EdgeCosts,
    flat: CellGaps | None,
    leg_s: pd.Series,
    barriers: gpd.GeoDataFrame | None = None,
    speed_share: float = 0.1,
) -> Judged:
    """Judge services one by one; the result for several is that for each.

    Parameters
    ----------
    results : Results
        ``study, zones, cells, access, access_points, facilities, network`` are read, and only the rows of `targets`.
    targets : pandas.DataFrame
        From :func:`~bishan_gis.planning.standards.service_targets`.
    cells : geopandas.GeoDataFrame
        The cells to look at.
    needs : pandas.DataFrame
        From :func:`~bishan_gis.planning.gap_quality.capacity_needs`.
    neighbours : Neighbours
        Of `cells`.
    costs : EdgeCosts
        What the streets cost who walks.
    flat : CellGaps or None
        The states that level streets would give; None where slopes do not count.
    leg_s : pandas.Series
        Indexed by cell: time of the leg to the streets [s].
    barriers : geopandas.GeoDataFrame, optional
        From :func:`~bishan_gis.planning.gap_describe.known_barriers`.
    speed_share : float
        As for :func:`find_gaps`.

    Returns
    -------
    Judged
        What was found.
    """
    member = members(results)
    access = results.access[results.access["service"].isin(targets["service"])]
    if len(cells) < len(results.cells):
        access = access[access["origin_id"].isin(cells["cell_id"])]
    cases = gap_cases(access, cells, targets, speed_share=speed_share, leg_s=leg_s)
    state, still = cases["central"], cases["best"].state > 0
    targets = targets[targets["service"].isin(state.services)].reset_index(drop=True)
    used = {z for column in member.values() for z in cells[column].unique()}
    zones = results.zones[results.zones["zone_id"].isin(used)]
    straight_m = straight_distances(state, cells, results.access_points)
    pace: dict[str, Any] = {"speed_ms": costs.profile.speed_ms, "flat": flat}
    ratio = detour_ratios(state, straight_m, **pace)
    unsure = state.deficient & (ratio >= BARRIER_RATIO) & (ratio < DETOUR_RATIO)
    crossed = crossed_lines(state, cells, results.access_points, barriers, wanted=unsure)
    reasons = gap_reasons(state, straight_m, crossed=crossed, **pace)
    capacity = capacity_table(results.facilities, state.services)
    lacking, capacity = _short(results, costs, state, cells, capacity, needs)
    common: dict[str, Any] = {"straight_m": straight_m, "within": "zone_id"}
    code = np.where(lacking, REASONS.index("capacity"), reasons).astype(np.uint8)
    found = [
        find_gap_areas(state.deficient, state, cells, neighbours, reasons=reasons, still=still, **common),
        find_gap_areas(state.unknown, state, cells, neighbours, reasons=reasons, still=still, **common),
        find_gap_areas(lacking, state, cells, neighbours, reasons=code, **common),
    ]
    found[2] = replace(found[2], table=found[2].table.assign(state="short"))
    return Judged(
        targets=targets,
        access=access,
        state=state,
        way=flat or state,
        people=_people(results, state, cells, zones, member),
        capacity=capacity,
        sensitivity=count_cases(cases, cells),
        areas=found,
        reasons=reasons,
    )


def members(results: Results) -> dict[str, str]:
    """Return kind of zone -> column of the cells, for every kind that both know.

    Parameters
    ----------
    results : Results
        ``zones, cells``.
    """
    known = zone_columns(results.zones)
    return {kind: column for kind, column in known.items() if column in results.cells.columns}


def age_groups(results: Results) -> dict[str, list[str]]:
    """Return the age groups whose people the cells know, and the columns that make up each.

    Parameters
    ----------
    results : Results
        ``study, cells``.
    """
    population = results.study.inputs.population
    parts = [p for p in (population.parts or population.shares) if p in results.cells.columns]
    groups = {k: list(v) for k, v in population.groups.items()} if parts else {}
    return {"all": ["people"], **{p: [p] for p in parts}, **groups}


def _people(
    results: Results, state: CellGaps, cells: pd.DataFrame, zones: pd.DataFrame, member: dict[str, str]
) -> pd.DataFrame:
    """Count people by zone; of some cells only zones that lie wholly among them, after a row for all of them."""
    groups = age_groups(results)
    if len(cells) == len(results.cells):
        return gap_people(state, cells, zones, age_groups=groups, member=member)
    one = pd.DataFrame({"zone_id": [SELECTED], "zone_kind": [SELECTED], "name": ["所选范围"]})
    every = pd.concat([one, zones[["zone_id", "zone_kind", "name"]]], ignore_index=True)
    table = gap_people(
        state, cells.assign(**{SELECTED: SELECTED}), every, age_groups=groups, member={SELECTED: SELECTED, **member}
    )
    keep = table["zone_kind"] == SELECTED
    for kind, column in member.items():
        there, all_of_it = (frame[column].value_counts() for frame in (cells, results.cells))
        whole = there.index[there.to_numpy() == all_of_it.reindex(there.index).to_numpy()]
        keep |= (table["zone_kind"] == kind) & table["zone_id"].isin(whole)
    return table[keep].reset_index(drop=True)


def _short(
    results: Results,
    costs: EdgeCosts,
    state: CellGaps,
    cells: pd.DataFrame,
    capacity: pd.DataFrame,
    needs: pd.DataFrame,
) -> tuple[NDArray[np.bool_], pd.DataFrame]:
    """Return where a service is within reach with fewer places per person than asked for, and the table with it."""
    out = np.zeros(state.state.shape, dtype=bool)
    groups = age_groups(results)
    rows = needs[needs["age_group"].isin(groups)]
    need = dict(zip(rows["service"], zip(rows["age_group"], rows["places_per_person"], strict=True), strict=True))
    judged = dict(zip(capacity["service"], capacity["status"] == "known", strict=True))
    asked = np.full(len(capacity), np.nan)
    people_short = np.full(len(capacity), np.nan)
    heads = cells["people"].to_numpy(np.int64)
    everybody = results.cells.rename(columns={"cell_id": "origin_id"})
    for i, service in enumerate(state.services):
        if service not in need or not judged[service]:
            continue
        from bishan_gis.access.travel_matrix import travel_matrix

        group, asked[i] = need[service]
        demand = results.cells[groups[group]].sum(axis=1)
        demand = demand.set_axis(pd.Index(results.cells["cell_id"]))
        cutoff_s = float(state.level_min[i] * 60)
        points = results.access_points[results.access_points["service"] == service]
        pairs = travel_matrix(
            results.network, costs, everybody, points, cutoff_s=cutoff_s, max_snap_m=results.study.walk.max_snap_m
        )
        per_person = places_per_person(pairs, results.facilities, demand, service=service, cutoff_s=cutoff_s)
        got = per_person.reindex(state.cells).to_numpy(np.float64)
        out[i] = (state.state[i] == 0) & (got < asked[i])
        people_short[i] = float(heads[out[i]].sum())
    return out, capacity.assign(needed_per_person=asked, people_short=people_short)
