"""Coverage gaps of a study: what is missing where, for how many, why, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError
from bishan_gis.places.zones import zone_repeats, zones_called
from bishan_gis.planning.gap_areas import GapAreas
from bishan_gis.planning.gap_cells import CellGaps, cell_gaps
from bishan_gis.planning.gap_describe import describe_areas, known_barriers, township_names
from bishan_gis.planning.gap_judge import judge_services, members
from bishan_gis.planning.gap_places import cell_places, place_rows, place_sums
from bishan_gis.planning.gap_quality import (
    capacity_needs,
    cell_completeness,
    hierarchy_completeness,
)
from bishan_gis.planning.gap_words import gap_sentence
from bishan_gis.planning.standards import service_targets, study_standards
from bishan_gis.schema import check_listed, known_names

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.planning.gap_judge import Judged
    from bishan_gis.results import Results
    from bishan_gis.study import Study

__all__ = ["Gaps", "absent_services", "find_gaps", "place_settings", "select"]


@dataclass(frozen=True, eq=False)
class Gaps:
    """What is missing where.

    Attributes
    ----------
    study, label, kind : str
        Id and name of the study, and what its results rest on.
    selection : dict
        ``services, levels, zones`` that were asked for; empty lists: all.
    targets : pandas.DataFrame
        What is asked for, see :func:`bishan_gis.planning.standards.service_targets`.
    cells : geopandas.GeoDataFrame
        The cells that were looked at.
    state : CellGaps
        State of every service and cell.
    people : pandas.DataFrame
        See :func:`bishan_gis.planning.gap_cells.gap_people`.
    areas, unknown, short : GapAreas
        Areas where a service is certainly missing; where the data cannot tell; where it is within reach and has too
        few places. Columns as :func:`~bishan_gis.planning.gap_areas.find_gap_areas` and
        :func:`~bishan_gis.planning.gap_describe.describe_areas`; ordered by rank.
    places : list of dict
        The same by place, see :func:`bishan_gis.planning.gap_places.place_rows`.
    completeness : pandas.DataFrame
        Share of the services asked for within reach, per cell.
    hierarchy, capacity, sensitivity : pandas.DataFrame
        See :mod:`bishan_gis.planning.gap_quality` and :mod:`bishan_gis.planning.sensitivity`.
    absent : pandas.DataFrame
        Services that must be there by the standards and of which the data holds no facility at all: ``service,
        name_zh, name_en, level_min, standard, clause, tag``. Nobody is counted as lacking them: the facilities, or the
        data on them, may be missing.
    no_level : list of str
        Services that no standard gives a walking time for: not judged.
    """

    study: str
    label: str
    kind: str
    selection: dict[str, list[Any]]
    targets: pd.DataFrame
    cells: gpd.GeoDataFrame
    state: CellGaps
    people: pd.DataFrame
    areas: GapAreas
    unknown: GapAreas
    short: GapAreas
    places: list[dict[str, Any]]
    completeness: pd.DataFrame
    hierarchy: pd.DataFrame
    capacity: pd.DataFrame
    sensitivity: pd.DataFrame
    absent: pd.DataFrame
    no_level: list[str]

    @property
    def people_lacking(self) -> int:
        """People who certainly lack at least one of the services; each is counted once."""
        heads = self.cells["people"].to_numpy(np.int64)
        return int(heads[self.state.deficient.any(axis=0)].sum())

    def sentences(self, n: int = 20, *, lang: str = "zh") -> list[str]:
        """Return one sentence for each of the first areas: place, people, what is missing, and what would help.

        Parameters
        ----------
        n : int
            How many areas, by rank.
        lang : str
            ``zh`` or ``en``.
        """
        rows = self.areas.table.head(n).to_dict("records")
        return [gap_sentence({str(k): v for k, v in row.items()}, lang) for row in rows]

    def __repr__(self) -> str:
        """One line."""
        return (
            f"<Gaps {self.study}: {len(self.areas.table):,} areas, {len(self.state.services)} services, "
            f"{self.people_lacking:,} people lack at least one>"
        )


def find_gaps(
    results: Results,
    *,
    services: Sequence[str] = (),
    levels: Sequence[float] = (),
    zones: Sequence[str] = (),
    speed_share: float = 0.1,
    barriers: gpd.GeoDataFrame | None = None,
) -> Gaps:
    """Find what is missing where in the results of a run.

    Parameters
    ----------
    results : Results
        From :func:`bishan_gis.pipeline.run`.
    services, levels, zones : sequence
        Only these services; only services of these levels [min]; only cells in these zones (ids or names of any kind).
        All where left out.
    speed_share : float
        A gap that is none when everybody walks faster by this share, and without the leg to the streets, is fragile.
    barriers : geopandas.GeoDataFrame, optional
        ``kind, name`` and geometry of what lies in the way. Left out: what
        :func:`~bishan_gis.planning.gap_describe.known_barriers` finds in the results.

    Returns
    -------
    Gaps
        Tables and areas. Areas do not cross from township to township, so that a selection of townships gives the
        same areas as the whole.

    Raises
    ------
    InputError
        A service, level or zone is unknown; all are named at once.
    SchemaError, ControlTotalError
        The tables of the results do not fit together.
    """
    from bishan_gis.access.neighbours import find_neighbours
    from bishan_gis.network.costs import edge_costs, load_profile

    standards = study_standards(results.study)
    member = members(results)
    targets, cells = select(
        results, service_targets(standards, services=results.services), member, **_lists(services, levels, zones)
    )
    walk = results.study.walk
    costs = edge_costs(results.network, load_profile(walk.profile), slope=walk.slope)
    barriers = known_barriers(results) if barriers is None else barriers
    judged = judge_services(
        results,
        targets,
        cells,
        capacity_needs(standards),
        neighbours=find_neighbours(cells),
        costs=costs,
        flat=_on_level_streets(results, costs, cells, targets),
        leg_s=_legs(results, costs, cells),
        barriers=barriers,
        speed_share=speed_share,
    )
    state = judged.state
    way: dict[str, Any] = {"way": judged.way, "speed_ms": costs.profile.speed_ms}
    named = [describe_areas(a, results, cells, judged.targets, barriers=barriers, **way) for a in judged.areas]
    return Gaps(
        study=results.study.id,
        label=results.study.label(),
        kind=results.kind,
        selection=_lists(services, levels, zones),
        targets=judged.targets,
        cells=cells,
        state=state,
        people=judged.people,
        areas=named[0],
        unknown=named[1],
        short=named[2],
        places=_places(results, judged, cells),
        completeness=cell_completeness(judged.access, judged.targets, state.services),
        hierarchy=hierarchy_completeness(judged.people, results.facilities),
        capacity=judged.capacity,
        sensitivity=judged.sensitivity,
        absent=absent_services(results.study, standards, set(results.services.index)),
        no_level=sorted(set(results.services.index) - set(state.services)) if not (services or levels) else [],
    )


def _places(results: Results, judged: Judged, cells: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what is missing by place."""
    heads = cells["people"].to_numpy(np.int64)
    place, places = cell_places(cells, results.cells, **place_settings(results))
    sums = place_sums(judged.state, judged.reasons, heads, place, len(places))
    rows = {r["service"]: {str(k): v for k, v in r.items()} for r in judged.targets.to_dict("records")}
    targets = [rows[s] for s in judged.state.services]
    return place_rows(places, place, heads, judged.state.deficient, sums, targets)


def place_settings(results: Results) -> dict[str, Any]:
    """Return the names of townships and, where they cover all cells, villages, for :func:`cell_places`.

    Parameters
    ----------
    results : Results
        ``zones, cells``.
    """
    zones = results.zones
    rows = zones[zones["zone_kind"] == "village"]
    villages = dict(zip(rows["zone_id"].astype(str), rows["name"], strict=True)) if len(rows) else None
    return {"zone_names": township_names(zones), "village_names": villages if "village" in members(results) else None}


def _lists(services: Sequence[str], levels: Sequence[float], zones: Sequence[str]) -> dict[str, list[Any]]:
    check_listed(services=services, levels=levels, zones=zones)
    return {
        "services": sorted(set(services)),
        "levels": sorted({float(v) for v in levels}),
        "zones": sorted(set(zones)),
    }


def select(
    results: Results,
    targets: pd.DataFrame,
    member: Mapping[str, str],
    *,
    services: list[str],
    levels: list[float],
    zones: list[str],
) -> tuple[pd.DataFrame, gpd.GeoDataFrame]:
    """Return the targets and cells asked for; everything unknown is named at once.

    Parameters
    ----------
    results : Results
        ``zones, cells``.
    targets : pandas.DataFrame
        From :func:`~bishan_gis.planning.standards.service_targets`.
    member : mapping
        From :func:`~bishan_gis.planning.gap_judge.members`.
    services, levels, zones : list
        As for :func:`find_gaps`.

    Raises
    ------
    InputError
        Something is unknown, or nothing is left.
    """
    problems: list[tuple[str, str]] = []
    judged = targets[targets["level_min"] > 0]
    called = {one: zones_called(results.zones, one) for one in zones}
    problems += [zone_repeats(one, ids) for one, ids in called.items() if len(ids) > 1]
    names = dict.fromkeys([*results.zones["name"].astype(str), *results.zones["zone_id"].astype(str)])
    known: list[tuple[str, list[Any], list[Any]]] = [
        ("service", services, list(judged["service"])),
        ("level", levels, sorted(set(judged["level_min"]))),
        ("zone", zones, list(names)),
    ]
    for what, asked, there in known:
        lost = [a for a in asked if a not in there]
        for one in lost:
            shown = f"{one:g}" if isinstance(one, float) else str(one)
            zh, en = known_names(shown, there)
            problems.append((f"{what} {shown} 未知;{zh}", f"{what} {shown} is unknown; {en}"))
    if problems:
        raise InputError(";".join(p[0] for p in problems), "; ".join(p[1] for p in problems))
    if services:
        targets = targets[targets["service"].isin(services)]
    if levels:
        targets = targets[targets["level_min"].isin(levels)]
    if targets[targets["level_min"] > 0].empty:
        zh, en = "所选服务与级别没有共同项;请放宽选择", "no service has the level asked for; widen the selection"
        raise InputError(zh, en)
    cells = results.cells
    if zones:
        wanted = {ids[0] for ids in called.values()}
        inside = np.zeros(len(cells), dtype=bool)
        for column in member.values():
            inside |= cells[column].astype(str).isin(wanted).to_numpy()
        cells = cells[inside]
    return targets, cells.reset_index(drop=True)


def _on_level_streets(
    results: Results, costs: EdgeCosts, cells: pd.DataFrame, targets: pd.DataFrame
) -> CellGaps | None:
    """Return the states that level streets would give, or None where slopes do not count anyway."""
    if costs.slope == "none":
        return None
    from bishan_gis.access.nearest import nearest_cost
    from bishan_gis.network.costs import edge_costs

    walk = results.study.walk
    level = edge_costs(results.network, costs.profile, slope="none")
    origins = cells.rename(columns={"cell_id": "origin_id"})
    points = results.access_points[results.access_points["service"].isin(targets["service"])]
    near = nearest_cost(results.network, level, origins, points, max_snap_m=walk.max_snap_m)
    return cell_gaps(near.table, cells, targets)


def _legs(results: Results, costs: EdgeCosts, cells: pd.DataFrame) -> pd.Series:
    """Return the time of the leg from each cell to the streets [s]; infinite off the network."""
    from bishan_gis.network.snap import snap_points

    far = results.study.walk.max_snap_m
    leg_m = snap_points(results.network, cells["x"], cells["y"], max_snap_m=far, usable=costs.usable).leg_m
    out = np.full(len(cells), np.inf)
    on = np.isfinite(leg_m)
    out[on] = costs.profile.leg_ms(leg_m[on]) / 1000
    return pd.Series(out, index=pd.Index(cells["cell_id"]), name="leg_s")


def absent_services(study: Study, standards: pd.DataFrame, present: set[str]) -> pd.DataFrame:
    """Return the services that must be there and have no facility in the data.

    Parameters
    ----------
    study : Study
        Its classes of facilities.
    standards : pandas.DataFrame
        From :func:`~bishan_gis.planning.standards.study_standards`.
    present : set of str
        The services that have one.

    Returns
    -------
    pandas.DataFrame
        ``service, name_zh, name_en, level_min, standard, clause, tag``.
    """
    from bishan_gis.places.classes import load_classes

    own = study.services
    known = load_classes(study.raw(own.classes) if own.classes else None, include=own.include)
    lost = standards["service"].isin(list(known)) & ~standards["service"].isin(present)
    rows = service_targets(standards[lost])
    rows = rows[(rows["status"] == "must") & (rows["level_min"] > 0)]
    columns = ["service", "name_zh", "name_en", "level_min", "standard", "clause", "tag"]
    return rows[columns].reset_index(drop=True)
