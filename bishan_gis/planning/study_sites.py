"""Siting on a study: where a service that people lack could be built, from the results of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.planning.candidates import candidate_sites, street_slope
from bishan_gis.planning.site_places import describe_sites
from bishan_gis.planning.site_plan import choose_sites, depth_weights
from bishan_gis.planning.site_question import SiteQuestion, ask_sites
from bishan_gis.planning.study_demand import (
    count_existing,
    existing_times,
    nearest_site,
    people_of,
    site_times,
    zone_cells,
)
from bishan_gis.schema import weakest_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import geopandas as gpd

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.planning.site_plan import SitePlan
    from bishan_gis.results import Results

__all__ = ["StudySites", "study_sites"]


@dataclass(frozen=True, eq=False)
class StudySites:
    """A plan of sites for one service of a study, or for several that share them.

    Attributes
    ----------
    service : str
        Key of the service; of several, their keys with "-" between.
    candidates : geopandas.GeoDataFrame
        All candidates, see :func:`~bishan_gis.planning.candidates.candidate_sites`, with ``order`` (0: not chosen) and
        ``kind``.
    plan : SitePlan
        The sites chosen.
    facts : dict
        What was asked and found, ready for JSON.
    """

    service: str
    candidates: gpd.GeoDataFrame
    plan: SitePlan
    facts: dict[str, Any]

    @property
    def services(self) -> list[str]:
        """Keys of the services."""
        return list(self.facts["levels_min"])


def study_sites(
    results: Results,
    *,
    service: str | Sequence[str],
    model: str = "mclp",
    sites: int | None = None,
    budget: float | None = None,
    zone: str | None = None,
    age: str = "all",
    cutoff_min: float | None = None,
    capacity: float | None = None,
    equity: str = "none",
    upper_sites: int | None = None,
    codes: Sequence[str] = (),
    k_best: int = 1,
    time_limit_s: float = 60.0,
    layers: Mapping[str, gpd.GeoDataFrame] | None = None,
) -> StudySites:
    """Choose sites for a service of a study, so that who lacks it today gets it.

    Parameters
    ----------
    results : Results
        What a run found.
    service : str or sequence of str
        Key of a service class; it may have no facility yet. Several share every site, which is chosen to close most of
        all their gaps together; for ``hierarchical`` two, the lower level first.
    model : str
        ``lscp, mclp, p_median, p_center, backup, hierarchical``, see
        :func:`~bishan_gis.planning.site_plan.choose_sites`.
    sites : int, optional
        Largest number of sites; 3 where neither this nor a budget is given and the model needs one.
    budget : float, optional
        Largest sum of costs, in the unit of the study's ``[siting] cost``.
    zone : str, optional
        Id or name of a zone: people and sites within it only.
    age : str
        Age group of the study: whom to count.
    cutoff_min : float, optional
        Walking time that serves [min]; the level of the standards where left out, as for gaps.
    capacity : float, optional
        People that a site can serve (``mclp, p_median``). What exists goes on serving whom it reaches within the
        level: only who certainly lacks the service is assigned to new sites.
    equity : str
        ``none``: everybody counts alike. ``weight``: who is farther beyond the level counts more, up to three times
        (:func:`~bishan_gis.planning.site_plan.depth_weights`; of several services the largest). ``first``: who is
        beyond three times the level is served first, then who is beyond twice, then the others.
    upper_sites : int, optional
        ``hierarchical``: how many of the sites have the upper level as well.
    codes : sequence of str
        Prefixes of the land-use codes of candidates, in place of those of the study, such as parks for shelters.
    k_best : int
        How many of the best plans to list.
    time_limit_s : float
        Longest time for the solver [s].
    layers : mapping, optional
        ``candidates, fixed, forbidden, hazards`` of the section ``[siting]`` in the working CRS, see
        :func:`bishan_gis.sources.siting_layers.load_siting_layers`.

    Returns
    -------
    StudySites
        Candidates, plan and facts. ``facts["before"]`` is what medians and ``p_center`` have without any site, None
        where somebody reaches nothing; ``facts["helps"]`` is False where no site that may be built betters it.

    Raises
    ------
    InputError
        There is no such service, zone, age group or model, no walking time is set for the service, or what is asked
        does not go together.
    NoDataError
        No candidate may be built.

    Notes
    -----
    Candidates come from `codes` of the land use where given, else from the study's own layer where it has one, else
    from its land use, else from its streets; rules are those of the section ``[siting]`` of the study. The times are
    those of the study's walker. Medians and ``p_center`` look as far as the worst time of today; who reaches nothing
    counts in a median with that time, or with ``[reach] search_min`` where it is longer.
    """
    from bishan_gis.network.costs import edge_costs, load_profile

    asked = ask_sites(
        results.study,
        service=service,
        model=model,
        sites=sites,
        budget=budget,
        zone=zone,
        age=age,
        cutoff_min=cutoff_min,
        capacity=capacity,
        equity=equity,
        upper_sites=upper_sites,
        codes=codes,
        k_best=k_best,
    )
    study = results.study
    inside, within = zone_cells(results, zone)
    people = people_of(results, age)[inside.to_numpy()]
    given = dict(layers or {})
    if codes:
        given.pop("candidates", None)
    found, land_kinds = _candidates(results, asked, given, within)
    costs = edge_costs(results.network, load_profile(study.walk.profile), slope=study.walk.slope)
    origins = pd.DataFrame(results.cells.loc[inside, ["cell_id", "x", "y"]].rename(columns={"cell_id": "origin_id"}))
    existing = existing_times(results, [level.service for level in asked.levels], people.index)
    plan, before = _solve(results, asked, people, found, existing, costs, origins, time_limit_s)
    order = dict(zip(plan.sites["candidate_id"], plan.sites["order"], strict=True))
    found["order"] = [int(order.get(i, 0)) for i in found["candidate_id"]]
    found["kind"] = weakest_kind([results.kind, *land_kinds, "derived"])
    rejected = found.loc[found["reason_excluded"] != "", "reason_excluded"].value_counts()
    facts = {
        "study": study.id,
        "service": asked.key,
        "service_zh": "、".join(level.zh for level in asked.levels),
        "service_en": ", ".join(level.en for level in asked.levels),
        "levels_min": {level.service: level.level_min for level in asked.levels},
        "zone": zone,
        "age_group": age,
        "cutoff_min": max(level.level_min for level in asked.levels),
        "sites": asked.sites,
        "upper_sites": upper_sites,
        "budget": budget,
        "capacity": capacity,
        "equity": equity,
        "kind": str(found["kind"].iloc[0]) if len(found) else results.kind,
        "people": int(people.sum()),
        **plan.summary(),
        "before": before,
        "helps": bool(len(plan.sites)) and not (before is not None and plan.objective >= before),
        "crs": study.crs,
        "layers": sorted(given),
        "candidates": len(found),
        "rejected": {str(k): int(v) for k, v in rejected.sort_index().items()},
        "chosen": describe_sites(plan.sites, results),
        "alternatives": [
            {"rank": int(r), "objective": float(o), "sites": list(s)}
            for r, o, s in plan.alternatives.itertuples(index=False)
        ],
    }
    return StudySites(asked.key, found, plan, facts)


def _candidates(
    results: Results, asked: SiteQuestion, given: Mapping[str, gpd.GeoDataFrame], within: tuple[str, str] | None
) -> tuple[gpd.GeoDataFrame, list[str]]:
    """Return the candidates of a study, and what their land use rests on."""
    settings = results.study.siting
    own = given.get("candidates")
    land = results.landuse if own is None else None
    found = candidate_sites(
        landuse=land,
        codes=asked.codes or settings.codes,
        network=results.network,
        spacing_m=settings.spacing_m if land is None and own is None else None,
        layer=own,
        fixed=given.get("fixed"),
        forbidden=given.get("forbidden"),
        hazards=given.get("hazards"),
        hazard_m=settings.hazard_m,
        zones=results.zones,
        control_lines=results.control_lines,
        lines=settings.lines,
        min_area_m2=settings.min_area_m2,
        slope=street_slope(results.network),
        max_slope=settings.max_slope,
        max_snap_m=results.study.walk.max_snap_m,
        cost=settings.cost,
    )
    if within is not None:
        kind, zone_id = within
        away = (found[kind] != zone_id) & (found["reason_excluded"] == "")
        found.loc[away, "reason_excluded"] = "outside"
    if asked.capacity is not None:
        found["capacity"] = asked.capacity
    used = [frame for frame in (land, *given.values()) if frame is not None and "kind" in frame.columns]
    return found, sorted({str(kind) for frame in used for kind in frame["kind"].unique()})


def _solve(
    results: Results,
    asked: SiteQuestion,
    people: pd.Series,
    found: gpd.GeoDataFrame,
    existing: pd.DataFrame,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    time_limit_s: float,
) -> tuple[SitePlan, float | None]:
    """Ask the model, and return its plan and what medians and centres have without any site."""
    levels = asked.levels
    if asked.model == "backup":
        rows = [existing[existing["service"] == one.service] for one in levels]
        counted = [count_existing(results, costs, origins, o, r) for o, r in zip(levels, rows, strict=True)]
        existing = pd.concat(counted, ignore_index=True)
    demand: pd.Series | pd.DataFrame = people
    cutoff: float | dict[str, float] = levels[0].level_min * 60
    if len(levels) > 1:
        cutoff = {one.service: one.level_min * 60 for one in levels}
        if asked.model != "hierarchical":
            demand = pd.DataFrame(dict.fromkeys(cutoff, people))
    options: dict[str, Any] = {"model": asked.model, "sites": asked.sites, "budget": asked.budget}
    options |= {"cutoff_s": cutoff, "existing": existing, "k_best": asked.k_best, "time_limit_s": time_limit_s}
    if asked.upper_sites is not None:
        options["sites"] = {levels[0].service: asked.sites, levels[1].service: asked.upper_sites}
    if asked.equity != "none":
        options |= _equity(asked, existing, people.index)
    usable = found[(found["reason_excluded"] == "") | found["fixed"]]
    table = pd.DataFrame(found.drop(columns="geometry"))
    near_s = max(one.level_min * 60 for one in levels)
    search_s = max(near_s, results.study.reach.search_min * 60)
    present = existing.pivot_table(index="origin_id", columns="service", values="value", dropna=False)
    present = present.reindex(index=people.index, columns=[one.service for one in levels]).fillna(np.inf)
    worst = present[people > 0].max(axis=1)
    times = partial(site_times, results, costs, origins, usable)
    if asked.model == "p_center":
        best = nearest_site(results, costs, origins, usable)
        return _center(demand, table, options, times, worst, best, near_s, search_s)
    if asked.model == "p_median":
        # As far as today's worst: a site that halves a way of two hours is worth an hour.
        beyond = max(search_s, float(worst[np.isfinite(worst)].max()) if np.isfinite(worst).any() else 0.0)
        late = worst[worst > search_s].clip(upper=beyond)
        weight = people * options["weights"] if "weights" in options else people
        before = float((present.clip(upper=beyond).sum(axis=1) * weight).sum())
        matrix = times(near_s=search_s, late_s=late, longest_s=beyond)
        return choose_sites(demand, table, matrix, **options, beyond_s=beyond), before
    if not asked.model.startswith("capacitated"):
        return choose_sites(demand, table, times(near_s=near_s), **options), None
    return _within_capacity(people, table, options, times, near_s, search_s), None


def _center(
    demand: pd.Series | pd.DataFrame,
    table: pd.DataFrame,
    options: Mapping[str, Any],
    times: Callable[..., pd.DataFrame],
    worst: pd.Series,
    best: pd.Series,
    near_s: float,
    search_s: float,
) -> tuple[SitePlan, float | None]:
    """Search as far as it takes: an optimum within the time searched is one whatever lies beyond.

    Nobody can do better than with every candidate built. Who does at least as well today decides nothing, and of the
    others times are found up to a limit that is raised until the optimum lies within it, or everything is known.
    """
    reach = worst.clip(upper=best.reindex(worst.index))
    reach = reach[np.isfinite(reach)]
    floor = float(reach.max()) if len(reach) else 0.0
    late = worst[(worst > floor) & worst.index.isin(reach.index)]
    limit = max(search_s, floor)
    while True:
        matrix = times(near_s=near_s, late_s=late, longest_s=limit)
        plan = choose_sites(demand, table, matrix, **options)
        if plan.objective <= limit or late.empty or limit >= late.max():
            break
        limit *= 4 if limit < 100 * search_s else np.inf
    before = float(worst[reach.index].max()) if len(reach) else 0.0
    return plan, before if np.isfinite(before) else None


def _within_capacity(
    people: pd.Series,
    table: pd.DataFrame,
    options: Mapping[str, Any],
    times: Callable[..., pd.DataFrame],
    near_s: float,
    search_s: float,
) -> SitePlan:
    """Share new sites among those who certainly lack the service; what exists keeps whom it serves."""
    existing = options["existing"].set_index("origin_id").reindex(people.index)
    served = existing["value"] <= near_s
    unknown = ~served & ((existing["unknown_from_s"] <= near_s) | (existing["status"] == "unknown"))
    lacking = people.where(~served & ~unknown, 0)
    median = options["model"] == "capacitated_median"
    matrix = times(near_s=search_s if median else near_s)
    own = {k: v for k, v in options.items() if k != "existing"}
    plan = choose_sites(lacking, table, matrix, **own, beyond_s=search_s if median else None)
    left = plan.uncovered.copy()
    off = (existing["status"] == "off_network").reindex(left["demand_id"]).to_numpy(dtype=bool)
    left.loc[off & (left["reason"] == "no_candidate"), "reason"] = "off_network"
    some = people[unknown & (people > 0)]
    more = pd.DataFrame({"demand_id": some.index, "service": "", "people": some.to_numpy(float), "reason": "unknown"})
    return replace(plan, uncovered=pd.concat([left, more], ignore_index=True) if len(more) else left)


def _equity(asked: SiteQuestion, existing: pd.DataFrame, cells: pd.Index) -> dict[str, pd.Series]:
    """Return what makes the worst-off count: weights, or the group that is served first."""
    depth = [
        depth_weights(existing[existing["service"] == one.service], cutoff_s=one.level_min * 60) for one in asked.levels
    ]
    worst = pd.concat(depth, axis=1).max(axis=1).reindex(cells)
    if asked.equity == "weight":
        return {"weights": worst}
    return {"priority": pd.Series(np.select([worst >= 3, worst >= 2], [0, 1], default=2), index=cells)}
