"""The whole run on one screen: read, build, compute, write."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis import __version__
from bishan_gis.limits import check_limits
from bishan_gis.progress import step_bars
from bishan_gis.results import Findings, Results
from bishan_gis.schema import weakest_kind
from bishan_gis.stages.notes import run_notes
from bishan_gis.stages.steps import (
    age_groups,
    barrier_lines,
    check_any,
    count_once,
    count_services,
    district_prefixes,
    facility_places,
    find_all,
    found_notes,
    judge_services,
    place_people,
    service_table,
    study_classes,
    tagged_areas,
)
from bishan_gis.study import Study, load_study

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.access.nearest import NearestResult
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.planning.scenarios import Scenario
    from bishan_gis.sources.inputs import StudyData

__all__ = ["run"]

#: Called with the name of the step, what is done and what there is in all.
Progress = Callable[[str, int, int], None]


@dataclass
class _Clock:
    """Seconds and memory per step, for ``run.json``."""

    progress: Progress | None
    steps: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[int, int], None] | None]:
        import resource

        begun = time.perf_counter()
        report = self.progress
        if report:
            report(name, 0, 1)
        yield (lambda done, total: report(name, done, total)) if report else None
        if report:
            report(name, 1, 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.steps.append(
            {"step": name, "seconds": round(time.perf_counter() - begun, 3), "peak_memory_mb": round(peak, 1)}
        )


def run(
    study: Study | str | Path,
    *,
    write: bool = True,
    findings: bool | None = None,
    progress: Progress | bool | None = None,
    scenario: Scenario | None = None,
    circles: bool = True,
) -> Results:
    """Run a study from its files to its maps and tables.

    Parameters
    ----------
    study : Study or path
        A study, ``study.toml`` or its folder.
    write : bool
        Also write tables and maps, as the command does.
    findings : bool, optional
        Also look for gaps, evaluate the policy and choose sites; where left out, when the run writes and the study's
        ``[outputs] findings`` does not say no.
    progress : callable or bool, optional
        Called with the name of the step, what is done, and what there is in all; True draws a bar for each step.
    scenario : Scenario, optional
        Edits to the inputs, such as :meth:`~bishan_gis.planning.scenarios.Scenario.at_year` gives; what is written goes
        into a folder of its own, ``scenarios/<file>``, beside the outputs of the study.

    circles : bool
        Also draw the service circles, which take as long as all the rest; without, their tables are empty. A run that
        writes draws them in any case.

    Returns
    -------
    Results
        Every table of the run.

    Raises
    ------
    BishanGisError
        Anything that is wrong with the input, the data or the place to write to; nothing is half written.
    """
    if progress is True:
        with step_bars() as bars:
            return run(study, write=write, findings=findings, progress=bars, scenario=scenario)
    study = study if isinstance(study, Study) else load_study(study)
    clock = _Clock(progress or None)
    if scenario is not None:
        study = scenario.study(study)
    check_limits(study, write=write)
    seek = findings if findings is not None else write and study.outputs.findings
    if seek:
        from bishan_gis.planning.site_question import ask_sites

        # What is wrong with a plan is known before the run.
        for wanted in study.siting.plans:
            ask_sites(study, **wanted.model_dump())
    results = _compute(study, clock, scenario, circles=circles or write)
    with clock.step("半径与街道 radius and streets"):
        results.radius_streets = _radius_streets(results)
    if scenario is not None:
        results.record["scenario"] = scenario.record(study.lang)
    if seek:
        results.findings = _findings(results, clock)
    if write:
        from bishan_gis.output.write import write_results

        with clock.step("写出 write"):
            hashes = write_results(results, clock.steps)
        results.record["outputs"] = hashes
    results.record["steps"] = clock.steps
    return results


def _compute(study: Study, clock: _Clock, scenario: Scenario | None = None, *, circles: bool = True) -> Results:
    """Read, build, compute: the steps of a run in their order."""
    from bishan_gis.access.measure_run import run_measures
    from bishan_gis.access.nearest import nearest_cost
    from bishan_gis.access.study_measures import check_services
    from bishan_gis.access.uncertainty import origin_legs
    from bishan_gis.network.assemble import assemble_network
    from bishan_gis.places.entrances import find_access_points, find_entrances
    from bishan_gis.places.zones import build_zones, zone_columns
    from bishan_gis.planning.coverage import people_in_circles, radius_coverage
    from bishan_gis.planning.scenario_edits import edit_places
    from bishan_gis.planning.scenario_streets import edit_networks
    from bishan_gis.planning.uncertainty import coverage_with_band
    from bishan_gis.sources.inputs import load_inputs

    with clock.step("读取输入 read") as report:
        data = load_inputs(study, progress=report)
    with clock.step("分区 zones"):
        zones = build_zones(
            data.district, data.townships, study.directions, direction_layer=data.directions, units=data.units
        )
    with clock.step("步行网络 network"):
        network, costs = assemble_network(study, data)
    networks = {"walk": (network, costs), **_other_networks(study, data, clock)}
    if scenario is not None:
        networks, notes = edit_networks(networks, scenario, study, elevation=data.files.get("inputs.elevation"))
        network, costs = networks["walk"]
        data.notes.extend(notes)
    with clock.step("设施 facilities"):
        facilities, merged, services = _facilities(study, data, zones)
        if scenario is not None:
            facilities, services, _ = edit_places(facilities, services, scenario, study)
        check_services(study.measures, list(services.index))
        services, cutoffs_min = judge_services(study, services)
        entrances = find_entrances(data.osm)
        points = find_access_points(facilities, network, entrances=entrances)
        points = points.merge(facilities[["facility_id", "service"]], on="facility_id")
    with clock.step("人口 population"):
        cells, check, placed_by = place_people(study, data, zones, scenario)
    with clock.step("步行时间 walking times") as report:
        near = nearest_cost(
            network,
            costs,
            cells.rename(columns={"cell_id": "origin_id"}),
            points,
            search_s=study.reach.search_min * 60,
            max_snap_m=study.walk.max_snap_m,
            progress=report,
        )
    unions, each = _circles(study, network, costs, near, cells, clock, cutoffs_min=cutoffs_min, drawn=circles)
    with clock.step("覆盖 coverage"):
        groups = age_groups(study, list(data.population.parts))
        table = coverage_with_band(
            near.table,
            cells,
            zones,
            cutoffs_min=cutoffs_min,
            age_groups=groups,
            member=zone_columns(zones),
            leg_s=origin_legs(near),
        )
        everybody = table[(table["zone_kind"] == "district") & (table["age_group"] == "all")]
        inside = everybody[["service", "cutoff_min", "people_covered"]].rename(columns={"people_covered": "people"})
        unions = unions.merge(inside, on=["service", "cutoff_min"], how="left")
        places = facility_places(facilities, zones)
        radii = radius_coverage(cells, places, radii_m=study.reach.circles_m)
        plain = people_in_circles(cells, places, radii_m=study.reach.circles_m)
        rests_on = weakest_kind([*data.kinds.values(), *cells["kind"].unique(), *places["kind"].unique()])
        if scenario is not None:
            rests_on = weakest_kind([rests_on, "assumed"])
        by_direction = table["zone_kind"] == "direction"
        table["kind"] = np.where(by_direction, weakest_kind([rests_on, study.directions.kind]), rests_on)
        near.table["kind"] = unions["kind"] = each["kind"] = radii["kind"] = plain["kind"] = points["kind"] = rests_on
    measures, zone_measures = (None, None)
    hours: list[tuple[str, str]] = []
    if study.measures:
        with clock.step("指标 measures") as report:
            measures, zone_measures = run_measures(
                study,
                networks,
                cells,
                zones,
                facilities,
                points,
                entrances,
                groups,
                kind=rests_on,
                ride_kinds=data.kinds_apart("transit"),
                progress=report,
            )
            hours = measures.attrs.pop("notes", [])
    profile = costs.profile
    services = count_services(services.loc[[s for s in services.index if s in set(near.services)]], places)
    return Results(
        study=study,
        zones=zones,
        cells=cells,
        facilities=places,
        services=services,
        network=network,
        access=near.table,
        coverage=table,
        circles=unions,
        facility_circles=each,
        radii=radii,
        facility_radii=plain,
        access_points=points,
        population_check=check,
        merged=merged,
        landuse=data.landuse,
        control_lines=data.control_lines,
        water=tagged_areas(data, {"natural": ["water"], "waterway": ["riverbank"]}),
        green=tagged_areas(data, {"leisure": ["park", "garden"], "landuse": ["forest", "grass"], "natural": ["wood"]}),
        datasets=data.datasets,
        kind=weakest_kind([rests_on, *study.direction_kinds]),
        profile={
            "name": profile.name,
            "name_zh": profile.zh,
            "name_en": profile.en,
            "speed_kmh": profile.speed_kmh,
            "source": profile.source,
            "source_zh": profile.source_zh,
            "slope": costs.slope,
        },
        warnings=[*run_notes(data, zones, networks, near, placed_by), *hours],
        record=_record(study, data, networks),
        measures=measures,
        zone_measures=zone_measures,
        networks={mode: pair[0] for mode, pair in networks.items()},
        unused=data.unused,
        barrier_lines=barrier_lines(data),
    )


def _radius_streets(results: Results) -> pd.DataFrame:
    """Hold what the standards' circles promise against what the streets deliver."""
    from bishan_gis.planning.radius_and_streets import study_radius_versus_streets
    from bishan_gis.planning.standards import service_targets, study_standards

    targets = service_targets(study_standards(results.study), services=results.services)
    return study_radius_versus_streets(results, targets).assign(kind=results.kind)


def _circles(
    study: Study,
    network: Network,
    costs: EdgeCosts,
    near: NearestResult,
    cells: gpd.GeoDataFrame,
    clock: _Clock,
    *,
    cutoffs_min: list[float],
    drawn: bool,
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Draw the circles of the services and of every facility; not drawn, both tables are empty."""
    import geopandas as gpd

    from bishan_gis.access.service_area import facility_circles, union_areas
    from bishan_gis.access.time_grid import build_time_grid

    if not drawn:
        columns = ["service", "cutoff_min", "area_km2"]
        none = pd.DataFrame({c: pd.Series(dtype="str" if c == "service" else float) for c in columns})
        empty = gpd.GeoDataFrame(none, geometry=gpd.GeoSeries([], crs=network.crs))
        alone = empty.assign(facility_id=pd.Series(dtype="str"), people=pd.Series(dtype=np.int64))
        return empty, alone[["facility_id", "service", "cutoff_min", "people", "area_km2", "geometry"]]
    cutoffs = [c * 60 for c in cutoffs_min]
    with clock.step("生活圈 life circles") as report:
        grid = build_time_grid(
            network,
            step_m=study.reach.grid_m,
            off_network_m=study.reach.off_network_m,
            usable=costs.usable,
            max_snap_m=study.walk.max_snap_m,
        )
        rows = [np.flatnonzero(near.targets["service"] == s) for s in near.services]
        unions = union_areas(
            network,
            costs,
            grid,
            near.node_cost_ms,
            near.target_snaps,
            rows,
            near.services,
            cutoffs_s=cutoffs,
            progress=report,
        )
    with clock.step("单个设施 each facility") as report:
        each = facility_circles(
            network,
            costs,
            grid,
            near.targets,
            near.target_snaps,
            near.origin_snaps,
            cells["people"].to_numpy(np.int64),
            cutoffs_s=cutoffs,
            progress=report,
        )
    return unions, each


def _findings(results: Results, clock: _Clock) -> Findings:
    """Say what the results mean: what is missing, what the policy asks, where to build."""
    from bishan_gis.planning.gaps import find_gaps
    from bishan_gis.planning.policy import evaluate_policy, load_policy
    from bishan_gis.planning.standards import study_standards
    from bishan_gis.planning.study_sites import study_sites
    from bishan_gis.sources.siting_layers import load_siting_layers

    study = results.study
    with clock.step("缺口 gaps"):
        gaps = find_gaps(results)
    with clock.step("政策 policy"):
        own = study.raw(study.policy.catalogue) if study.policy.catalogue else None
        policy = evaluate_policy(results, catalogue=load_policy(own), standards=study_standards(study))
    plans = []
    if study.siting.plans:
        with clock.step("选址 sites"):
            layers = load_siting_layers(study)
            plans = [study_sites(results, layers=layers, **wanted.model_dump()) for wanted in study.siting.plans]
    return Findings(gaps=gaps, policy=policy, plans=plans)


def _other_networks(study: Study, data: StudyData, clock: _Clock) -> dict[str, tuple[Network, EdgeCosts]]:
    """Build the networks of the modes beside walking."""
    from bishan_gis.network.assemble import assemble_network

    out = {}
    names = {"cycle": "骑行网络 cycling network", "drive": "行车网络 driving network"}
    for mode in study.modes:
        if mode in names:
            with clock.step(names[mode]):
                out[str(mode)] = assemble_network(study, data, mode)
    return out


def _facilities(
    study: Study, data: StudyData, zones: gpd.GeoDataFrame
) -> tuple[gpd.GeoDataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the facilities that lie in reach of the district, what was merged, and their classes."""
    classes = study_classes(study)
    found = find_all(study, data, classes)
    data.notes.extend(note for one in found for note in found_notes(one))
    check_any(sum(map(len, found)), osm=data.files["inputs.osm"].name)
    kept, merged = count_once(found, crs=data.crs, prefixes=district_prefixes(study, zones))
    return kept, merged, service_table(classes, set(kept["service"]))


def _record(study: Study, data: StudyData, networks: dict[str, tuple[Network, EdgeCosts]]) -> dict[str, Any]:
    """Return what ``run.json`` says before times and outputs are known."""
    from importlib.metadata import PackageNotFoundError, version

    from bishan_gis.network.costs import climbs
    from bishan_gis.network.slope import slope_summary
    from bishan_gis.sources.datasets import file_sha256

    versions = {"bishan_gis": __version__}
    for name in ("geopandas", "shapely", "osmium", "numpy", "numba", "folium", "pyproj", "rasterio"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = ""
    inputs = {"study.toml": study.file, **data.files}
    return {
        "study": study.model_dump(mode="json"),
        "versions": versions,
        "inputs": {
            setting: {
                "file": path.name,
                "path": os.path.relpath(path, study.folder),
                "kind": data.kinds.get(setting, ""),
                "sha256": file_sha256(path),
                "alternatives": [p.name for p in study.alternatives.get(setting, [])],
            }
            for setting, path in inputs.items()
        },
        "notes": [zh for zh, _ in data.notes],
        "network": networks["walk"][0].summary(),
        "slope": slope_summary(*networks["walk"]),
        "modes": {
            mode: {
                "profile": costs.profile.name,
                **network.summary(),
                **({"slope": slope_summary(network, costs)} if climbs(costs.profile, costs.slope) else {}),
            }
            for mode, (network, costs) in networks.items()
            if mode != "walk"
        },
    }
