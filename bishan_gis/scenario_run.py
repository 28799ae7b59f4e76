"""A study as a scenario would have it: the whole run again, or only the services that a scenario touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError, StudyError
from bishan_gis.pipeline import Progress, run
from bishan_gis.planning.scenarios import Scenario, load_scenario
from bishan_gis.schema import weakest_kind
from bishan_gis.study import Study, load_study

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.access.nearest import NearestResult
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.planning.comparison import Comparison
    from bishan_gis.results import Results
    from bishan_gis.stages.study_stages import StudyStages

__all__ = ["compare_scenarios", "run_scenario", "run_years"]


def run_scenario(
    study: Study | str | Path,
    scenario: Scenario | str | Path,
    *,
    year: int | None = None,
    base: Results | None = None,
    circles: bool = True,
    progress: Progress | None = None,
) -> Results:
    """Compute a study with the edits of a scenario; nothing is written.

    Parameters
    ----------
    study : Study or path
        The study the scenario is made for.
    scenario : Scenario or path
        The edits.
    year : int, optional
        Edits up to this year; see :meth:`~bishan_gis.planning.scenarios.Scenario.at_year`.
    base : Results, optional
        The run of the study itself. Where only facilities change, what they do not touch is taken from it; the tables
        are equal to those of the whole run.
    circles : bool
        Also draw the service circles again; without, those of services that changed are left out; all
        of them where the whole study is computed again.
    progress : callable, optional
        As for :func:`bishan_gis.pipeline.run`.

    Returns
    -------
    Results
        As of a run; everything that rests on the scenario is at best ``assumed``. With no edit due, `base` itself
        where it is given.

    Raises
    ------
    StudyError
        The scenario is made for another study, or names what the data does not have.
    """
    study = study if isinstance(study, Study) else load_study(study)
    scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    _check_base(study, scenario)
    edits = scenario.at_year(year)
    if base is not None and not edits.n_edits:
        return base
    if base is not None and edits.only_facilities and _can_reuse(base, edits):
        return _touched_only(base, edits, circles=circles)
    return run(study, write=False, circles=circles, progress=progress, scenario=edits)


def run_years(
    study: Study | str | Path,
    scenario: Scenario | str | Path,
    *,
    base: Results,
    years: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> dict[int, Results]:
    """Compute every phase of a scenario: one run per year in which something changes, or per year asked for.

    Parameters
    ----------
    study, scenario : Study, Scenario or path
        See :func:`run_scenario`.
    base : Results
        The run of the study itself.
    years : sequence of int, optional
        Years to look at; those in which something changes where left out.
    progress : callable, optional
        As for :func:`bishan_gis.pipeline.run`.

    Returns
    -------
    dict of int to Results
        In order of the years; without service circles of what changed. Years between which nothing changes share
        one run.
    """
    scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    out: dict[int, Results] = {}
    known: dict[int, Results] = {}
    for year in sorted(set(years)) if years else scenario.years:
        # What holds in a year is what holds since the last change.
        since = max((y for y in scenario.years if y <= year), default=0)
        if since not in known:
            known[since] = run_scenario(study, scenario, year=year, base=base, circles=False, progress=progress)
        out[year] = known[since]
    return out


def compare_scenarios(
    study: Study,
    scenarios: Sequence[Scenario],
    *,
    year: int | None = None,
    services: Sequence[str] | None = None,
    series: bool = False,
    years: Sequence[int] | None = None,
    write: bool = True,
    progress: Progress | None = None,
) -> tuple[Comparison, Results, dict[str, Any]]:
    """Compare a scenario with its study, or two scenarios with each other, and write what differs.

    Parameters
    ----------
    study : Study
        What the scenarios are made for.
    scenarios : sequence of Scenario
        One, compared with the study; or two, the second compared with the first.
    year : int, optional
        Edits up to this year.
    services : sequence of str, optional
        Only these.
    series : bool
        Also a table of the coverage in every year of the last scenario.
    years : sequence of int, optional
        The years of that table; where left out, those in which something changes. Given, the table is made.
    write : bool
        Write the files into the processed folder of the study; with ``[outputs] maps`` also ``compare.html`` into its
        folder of maps, beside the pages of a run, which it links.
    progress : callable, optional
        As for :func:`bishan_gis.pipeline.run`.

    Returns
    -------
    Comparison, Results, dict
        What differs, the run it leads to, and what ``comparison.json`` says of it, with the names and SHA-256 of the
        files.

    Raises
    ------
    BishanGisError
        The scenarios do not go with the study, or the folder cannot be written; nothing is half written.
    """
    from bishan_gis.cache import Store
    from bishan_gis.output.comparison_files import comparison_facts, write_comparison
    from bishan_gis.planning.comparison import compare, coverage_series
    from bishan_gis.stages.gap_answer import cache_folder
    from bishan_gis.stages.kept_results import kept_results
    from bishan_gis.stages.study_stages import StudyStages

    for plan in scenarios:
        _check_base(study, plan)
    with Store(cache_folder(study)) as store:
        stages = StudyStages(study, store)
        _check_first(stages, scenarios, years=[year, *(years or ())], services=services)
        base = kept_results(stages, lambda: run(study, write=False, circles=False, progress=progress))
    runs = [base]
    for plan in scenarios:
        runs.append(run_scenario(study, plan, year=year, base=base, circles=False, progress=progress))
    labels = [study.label(), *(plan.at_year(year).label(study.lang) for plan in scenarios)]
    found = compare(runs[-2], runs[-1], services=services, before=labels[-2], after=labels[-1])
    table = None
    if series or years:
        phases = run_years(study, scenarios[-1], base=base, years=years, progress=progress)
        table = coverage_series({labels[0]: base, **{str(y): r for y, r in phases.items()}}, services=services)
    names = pd.concat([r.services[["zh", "en"]] for r in runs])
    names = names[~names.index.duplicated()].loc[
        lambda t: t.index.isin({*found.coverage["service"], *found.capacity["service"]})
    ]
    record: dict[str, Any] = {"study": study.id, "services": names.to_dict(orient="index")}
    record |= {"kind": runs[-1].kind, "scenarios": [p.at_year(year).record(study.lang) for p in scenarios]}
    facts = {**comparison_facts(found), **record}
    if write:
        pages = {}
        if study.outputs.maps:
            from bishan_gis.output.maps.beside import refresh_index
            from bishan_gis.output.maps.catalogue import PAGES
            from bishan_gis.output.maps.compare_page import compare_page

            beside = [key for key in PAGES if (study.maps / f"{key}.html").exists()]
            pages["compare.html"] = compare_page(runs[-2], runs[-1], found, pages=beside)
        maps = study.maps if pages else None
        hashes = write_comparison(found, study.processed, record=record, series=table, pages=pages, maps=maps)
        if pages:
            refresh_index(study)
        facts |= {"folder": str(study.processed), "outputs": hashes}
    return found, runs[-1], facts


def _check_base(study: Study, scenario: Scenario) -> None:
    """Raise where a scenario says that it is made for another study."""
    if scenario.base is not None and scenario.base.resolve() != study.file.resolve():
        where = f"{scenario.file.name}: scenario.base = {scenario.scenario.base}"
        raise StudyError(f"{where}: 不是研究 {study.file}", f"{where}: is not the study {study.file}")


def _check_first(
    stages: StudyStages, scenarios: Sequence[Scenario], *, years: Sequence[int | None], services: Sequence[str] | None
) -> None:
    """Name what scenarios and services have wrong, by what the store of stages has, before a run."""
    from bishan_gis.planning.scenario_edits import edit_places, unknown_townships
    from bishan_gis.planning.scenario_streets import unknown_ways
    from bishan_gis.planning.scenarios import raise_problems
    from bishan_gis.schema import nearest_name

    towns = stages.zones[stages.zones["zone_kind"] == "township"]
    for plan in scenarios:
        lost_ways = unknown_ways(plan, stages.networks) if plan.close_street else []
        raise_problems(plan.file.name, [*unknown_townships(plan, towns), *lost_ways])
    places, known = stages.facilities, stages.services
    have = set(known.index)
    for plan in scenarios:
        for year in dict.fromkeys([*years, *plan.years]):
            have |= set(edit_places(places, known, plan.at_year(year), stages.study)[1].index)
    lost = sorted(set(services or ()) - have)
    if lost:
        hints = [nearest_name(s, have) for s in lost]
        hint = ", ".join(h for h in hints if h) or ", ".join(sorted(have))
        raise InputError(
            f"services: 没有 {'、'.join(lost)};可用: {hint}", f"services: no {', '.join(lost)}; there are {hint}"
        )


def _can_reuse(base: Results, edits: Scenario) -> bool:
    """Whether no measure of another mode is touched: their entrances are not in the results."""
    from bishan_gis.planning.scenario_edits import touched_services

    touched = set(touched_services(base.facilities, edits))
    return not any(m.mode != "walk" and touched & set(m.services) for m in base.study.measures)


def _touched_only(base: Results, edits: Scenario, *, circles: bool) -> Results:
    """Search the services again whose facilities change, and take the rest from the base."""
    from bishan_gis.access.nearest import nearest_cost
    from bishan_gis.access.uncertainty import origin_legs
    from bishan_gis.network.costs import edge_costs, load_profile
    from bishan_gis.places.entrances import find_access_points
    from bishan_gis.places.units import unit_kinds, unit_of
    from bishan_gis.places.zones import ZONE_COLUMNS, zone_columns, zone_of
    from bishan_gis.planning.coverage import people_in_circles, radius_coverage
    from bishan_gis.planning.scenario_edits import edit_places, touched_services
    from bishan_gis.planning.uncertainty import coverage_with_band
    from bishan_gis.stages.steps import judge_services

    study, network, cells, zones = base.study, base.network, base.cells, base.zones
    places, services, changed = edit_places(base.facilities, base.services, edits, study)
    touched = touched_services(base.facilities, edits)
    new = places["facility_id"].isin(changed)
    moved = {str(e.facility_id) for e in edits.add_facility} | {e.facility_id for e in edits.move_facility}
    if new.any():
        points = places.loc[new]
        if "area_m2" in places:
            # What is put at a place is a point there, whatever it was before.
            places["area_m2"] = places["area_m2"].where(~places["facility_id"].isin(moved), 0.0)
        for column, values in (("x", points.geometry.x), ("y", points.geometry.y)):
            places[column] = places[column].where(~new, values.reindex(places.index))
        for kind, column in (("township", "zone_id"), ("direction", "direction")):
            places[column] = places[column].where(~new, zone_of(points, zones, kind).reindex(places.index))
        for kind in unit_kinds(zones):
            places[kind] = places[kind].where(~new, unit_of(places.loc[new], zones, kind).reindex(places.index))
    inside = places.loc[places["zone_id"] != "", "service"]
    services, _ = judge_services(study, services)
    services["n"] = inside.value_counts().reindex(services.index).fillna(0).astype(int)

    stays = base.access_points["facility_id"].isin(set(places["facility_id"]) - moved)
    some = places.loc[places["facility_id"].isin(moved)].reset_index(drop=True)
    found = find_access_points(some, network).merge(some[["facility_id", "service"]], on="facility_id")
    access_points = (
        pd.concat([base.access_points[stays], found], ignore_index=True) if len(found) else (base.access_points[stays])
    )
    access_points = access_points.sort_values(["facility_id", "x", "y"], ignore_index=True)

    costs = edge_costs(network, load_profile(study.walk.profile), slope=study.walk.slope)
    search = access_points[access_points["service"].isin(touched)].drop(columns="kind").reset_index(drop=True)
    near = nearest_cost(
        network,
        costs,
        cells.rename(columns={"cell_id": "origin_id"}),
        search,
        search_s=study.reach.search_min * 60,
        max_snap_m=study.walk.max_snap_m,
    )
    access = _swap(base.access, near.table, touched, ["service"])
    population = study.inputs.population
    groups = {"all": ["people"], **{p: [p] for p in population.parts}, **population.groups}
    table = base.coverage.iloc[:0]
    if len(near.table):
        cutoffs = base.cutoffs_min
        table = coverage_with_band(
            near.table,
            cells,
            zones,
            cutoffs_min=cutoffs,
            age_groups=groups,
            member=zone_columns(zones),
            leg_s=origin_legs(near),
        )
    kinds = pd.Series(range(len(ZONE_COLUMNS)), index=list(ZONE_COLUMNS))
    order = {"zone_kind": kinds}
    table = _swap(base.coverage, table, touched, ["zone_kind", "cutoff_min", "service"], ranks=order)

    file_kinds = [v["kind"] for v in base.record["inputs"].values() if v["kind"]]
    rests_on = weakest_kind([*file_kinds, *cells["kind"].unique(), *places["kind"].unique(), "assumed"])
    direction_kind = weakest_kind([rests_on, *study.direction_kinds])
    table["kind"] = np.where(table["zone_kind"] == "direction", direction_kind, rests_on)
    mine = places[places["service"].isin(touched)]
    radii, facility_radii = base.radii, base.facility_radii
    near_places = radius_coverage(cells, mine, radii_m=study.reach.circles_m)
    radii = _swap(radii, near_places, touched, ["service", "radius_m"])
    kept = facility_radii[facility_radii["facility_id"].isin(set(places["facility_id"]) - moved)]
    if len(some):
        drawn = people_in_circles(cells, places[places["facility_id"].isin(moved)], radii_m=study.reach.circles_m)
        kept = pd.concat([kept, drawn], ignore_index=True)
    facility_radii = kept.sort_values(["facility_id", "radius_m"], ignore_index=True)

    unions = base.circles[~base.circles["service"].isin(touched)]
    each = base.facility_circles[base.facility_circles["facility_id"].isin(set(places["facility_id"]) - moved)]
    if circles:
        unions, each = _draw(base, costs, near, unions, each, moved, table)
    measures, zone_measures = _measures(base, costs, places, access_points, groups, touched, rests_on)
    out = [access, access_points, radii, facility_radii, unions, each]
    out = [frame.assign(kind=rests_on) for frame in out]
    access, access_points, radii, facility_radii, unions, each = out
    return replace(
        base,
        facilities=places,
        services=services,
        access=access,
        coverage=table,
        circles=unions.reset_index(drop=True),
        facility_circles=each.reset_index(drop=True),
        radii=radii,
        facility_radii=facility_radii,
        access_points=access_points,
        kind=direction_kind,
        record={**base.record, "scenario": edits.record(study.lang)},
        measures=measures,
        zone_measures=zone_measures,
    )


def _swap(
    old: pd.DataFrame,
    new: pd.DataFrame,
    services: list[str],
    by: list[str],
    *,
    ranks: dict[str, pd.Series] | None = None,
) -> pd.DataFrame:
    """Replace the rows of some services, in the order that a whole run gives."""
    parts = [old[~old["service"].isin(services)], new]
    out = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    rank = ranks or {}
    return out.sort_values(
        by, kind="stable", ignore_index=True, key=lambda c: c.map(rank[str(c.name)]) if c.name in rank else c
    )


def _draw(
    base: Results,
    costs: EdgeCosts,
    near: NearestResult,
    unions: gpd.GeoDataFrame,
    each: gpd.GeoDataFrame,
    moved: set[str],
    table: pd.DataFrame,
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Draw the circles of the services that were searched, and of the facilities that moved."""
    from bishan_gis.access.service_area import facility_circles, union_areas
    from bishan_gis.access.time_grid import build_time_grid

    if not len(near.targets):
        return unions, each
    study, network = base.study, base.network
    cutoffs = [c * 60 for c in base.cutoffs_min]
    reach = study.reach
    grid = build_time_grid(
        network,
        step_m=reach.grid_m,
        off_network_m=reach.off_network_m,
        usable=costs.usable,
        max_snap_m=study.walk.max_snap_m,
    )
    rows = [np.flatnonzero(near.targets["service"] == s) for s in near.services]
    drawn = union_areas(
        network, costs, grid, near.node_cost_ms, near.target_snaps, rows, near.services, cutoffs_s=cutoffs
    )
    everybody = table[(table["zone_kind"] == "district") & (table["age_group"] == "all")]
    inside = everybody[["service", "cutoff_min", "people_covered"]].rename(columns={"people_covered": "people"})
    drawn = drawn.merge(inside, on=["service", "cutoff_min"], how="left")
    unions = pd.concat([unions, drawn], ignore_index=True).sort_values(["service", "cutoff_min"], ignore_index=True)
    own = np.flatnonzero(near.targets["facility_id"].isin(moved))
    if len(own):
        people = base.cells["people"].to_numpy(np.int64)
        some = near.targets.iloc[own].reset_index(drop=True)
        alone = facility_circles(
            network, costs, grid, some, near.target_snaps.take(own), near.origin_snaps, people, cutoffs_s=cutoffs
        )
        each = pd.concat([each, alone], ignore_index=True)
        each = each.sort_values(["service", "facility_id", "cutoff_min"], ignore_index=True)
    return unions, each


def _measures(
    base: Results,
    costs: EdgeCosts,
    places: gpd.GeoDataFrame,
    access_points: pd.DataFrame,
    age_groups: dict[str, list[str]],
    touched: list[str],
    kind: str,
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Compute the measures that look at services that changed."""
    from bishan_gis.access.measure_run import run_measures

    study = base.study
    if base.measures is None or base.zone_measures is None:
        return base.measures, base.zone_measures
    some = [m for m in study.measures if set(m.services) & set(touched)]
    out = [base.measures, base.zone_measures]
    if some:
        new = run_measures(
            study.model_copy(update={"measures": some}),
            {"walk": (base.network, costs)},
            base.cells,
            base.zones,
            places,
            access_points,
            places.iloc[:0],
            age_groups,
            kind=kind,
        )
        new[0].attrs.pop("notes", None)
        order = {m.name: i for i, m in enumerate(study.measures)}
        names = [m.name for m in some]
        out = [
            pd.concat([old[~old["measure_name"].isin(names)], fresh], ignore_index=True).sort_values(
                "measure_name", key=lambda c: c.map(order), kind="stable", ignore_index=True
            )
            for old, fresh in zip(out, new, strict=True)
        ]
    values, means = out
    # A scenario is an assumption, whatever a measure rests on besides.
    weaker = {k: weakest_kind([k, kind]) for k in {*values["kind"], *means["kind"]}}
    return values.assign(kind=values["kind"].map(weaker)), means.assign(kind=means["kind"].map(weaker))
