"""Siting on a study: where a service that people lack could be built, from the results of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError
from bishan_gis.planning.candidates import candidate_sites, street_slope
from bishan_gis.planning.site_plan import choose_sites
from bishan_gis.schema import nearest_name, weakest_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd

    from bishan_gis.planning.site_plan import SitePlan
    from bishan_gis.results import Results

__all__ = ["StudySites", "study_sites"]


@dataclass(frozen=True, eq=False)
class StudySites:
    """A plan of sites for one service of a study.

    Attributes
    ----------
    service : str
        Key of the service.
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


def study_sites(
    results: Results,
    *,
    service: str,
    model: str = "mclp",
    sites: int | None = None,
    budget: float | None = None,
    zone: str | None = None,
    age: str = "all",
    cutoff_min: float | None = None,
    k_best: int = 1,
    time_limit_s: float = 60.0,
    layers: Mapping[str, gpd.GeoDataFrame] | None = None,
) -> StudySites:
    """Choose sites for a service of a study, so that who lacks it today gets it.

    Parameters
    ----------
    results : Results
        What a run found.
    service : str
        Key of a service class; it may have no facility yet.
    model : str
        ``lscp, mclp, p_median, p_center, backup``, see :func:`~bishan_gis.planning.site_plan.choose_sites`.
    sites : int, optional
        Largest number of sites; 3 where neither this nor a budget is given and the model needs one.
    budget : float, optional
        Largest sum of costs, in the unit of the study's ``[siting] cost``.
    zone : str, optional
        Id or name of a zone: people and sites within it only.
    age : str
        Age group of the study: whom to count.
    cutoff_min : float, optional
        Walking time that serves [min]; the level of the service where left out.
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
        Candidates, plan and facts.

    Raises
    ------
    InputError
        There is no such service, zone, age group or model.
    NoDataError
        No candidate may be built.

    Notes
    -----
    Candidates come from the study's own layer where it has one, else from its land use, else from its streets; rules
    are those of the section ``[siting]`` of the study. The times are those of the study's walker.
    """
    from bishan_gis.access.travel_matrix import travel_matrix
    from bishan_gis.network.costs import edge_costs, load_profile

    study, settings = results.study, results.study.siting
    level, names = _service(results, service)
    minutes = level if cutoff_min is None else float(cutoff_min)
    if not (np.isfinite(minutes) and minutes > 0):
        raise InputError(f"cutoff_min = {minutes}: 须大于 0", f"cutoff_min = {minutes}: must be above 0")
    if model.startswith("capacitated") or model == "hierarchical":
        zh = f"模型 {model} 需要容量或分级;请在 Python 中使用 choose_sites"
        raise InputError(zh, f"model {model} needs capacities or levels; use choose_sites in Python")
    if model != "lscp" and sites is None and budget is None:
        sites = 3
    cells = results.cells
    inside, within = _zone(results, zone)
    demand = _people(results, age)[inside.to_numpy()]
    given = dict(layers or {})
    own = given.get("candidates")
    land = results.landuse if own is None else None
    found = candidate_sites(
        landuse=land,
        codes=settings.codes,
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
        max_snap_m=study.walk.max_snap_m,
        cost=settings.cost,
    )
    if within is not None:
        kind, zone_id = within
        away = (found[kind] != zone_id) & (found["reason_excluded"] == "")
        found.loc[away, "reason_excluded"] = "outside"
    usable = found[found["reason_excluded"] == ""]
    costs = edge_costs(results.network, load_profile(study.walk.profile), slope=study.walk.slope)
    covering = model in ("lscp", "mclp", "backup")
    longest = minutes * 60 if covering else study.reach.search_min * 60
    origins = cells.loc[inside, ["cell_id", "x", "y"]].rename(columns={"cell_id": "origin_id"})
    matrix = travel_matrix(
        results.network,
        costs,
        pd.DataFrame(origins),
        pd.DataFrame(usable[["candidate_id", "x", "y"]].rename(columns={"candidate_id": "facility_id"})),
        cutoff_s=longest,
        max_snap_m=study.walk.max_snap_m,
    )
    plan = choose_sites(
        demand,
        pd.DataFrame(found.drop(columns="geometry")),
        matrix,
        model=model,
        sites=sites,
        budget=budget,
        cutoff_s=minutes * 60,
        existing=_existing(results, service, demand.index),
        beyond_s=longest if model == "p_median" else None,
        k_best=k_best,
        time_limit_s=time_limit_s,
    )
    order = dict(zip(plan.sites["candidate_id"], plan.sites["order"], strict=True))
    found["order"] = [int(order.get(i, 0)) for i in found["candidate_id"]]
    land_kind = [] if land is None or "kind" not in land.columns else sorted(land["kind"].unique())
    found["kind"] = weakest_kind([results.kind, *land_kind, "derived"])
    rejected = found.loc[found["reason_excluded"] != "", "reason_excluded"].value_counts()
    facts = {
        "study": study.id,
        "service": service,
        "service_zh": names[0],
        "service_en": names[1],
        "zone": zone,
        "age_group": age,
        "cutoff_min": minutes,
        "sites": sites,
        "budget": budget,
        "kind": str(found["kind"].iloc[0]) if len(found) else results.kind,
        "people": int(demand.sum()),
        **plan.summary(),
        "layers": sorted(given),
        "candidates": len(found),
        "rejected": {str(k): int(v) for k, v in rejected.sort_index().items()},
        "chosen": _chosen(plan),
        "alternatives": [
            {"rank": int(r), "objective": float(o), "sites": list(s)}
            for r, o, s in plan.alternatives.itertuples(index=False)
        ],
    }
    return StudySites(service, found, plan, facts)


def _chosen(plan: SitePlan) -> list[dict[str, Any]]:
    columns = ["order", "candidate_id", "x", "y", "source", "code", "area_m2", "cost", "township"]
    columns += ["people_new", "people_total", "gain"]
    rows = plan.sites[columns].astype(object).where(plan.sites[columns].notna(), None)
    return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]


def _service(results: Results, service: str) -> tuple[float, tuple[str, str]]:
    """Return the level [min] and the names of a service, which may have no facility yet."""
    from bishan_gis.places.classes import load_classes

    if service in results.services.index:
        row = results.services.loc[[service]].iloc[0].to_dict()
        return float(row["level"]), (str(row["zh"]), str(row["en"]))
    own = results.study.raw(results.study.services.classes) if results.study.services.classes else None
    classes = load_classes(own)
    if service not in classes:
        hint = nearest_name(service, classes) or ", ".join(results.services.index)
        raise InputError(f"没有设施类别 {service};可用: {hint}", f"no service {service}; there are: {hint}")
    one = classes[service]
    return float(one.level), (one.zh, one.en)


def _zone(results: Results, zone: str | None) -> tuple[pd.Series, tuple[str, str] | None]:
    """Return which cells are in a zone, and the zone as kind and id."""
    cells = results.cells
    if zone is None:
        return pd.Series(True, index=cells.index), None
    zones = results.zones
    hit = zones[(zones["zone_id"].astype(str) == zone) | (zones["name"].astype(str) == zone)]
    if hit.empty:
        names = [str(n) for n in zones["name"]]
        hint = nearest_name(zone, names) or ", ".join(names)
        raise InputError(f"没有分区 {zone};可用: {hint}", f"no zone {zone}; there are: {hint}")
    kind, zone_id = str(hit["zone_kind"].iloc[0]), str(hit["zone_id"].iloc[0])
    column = {"township": "zone_id"}.get(kind, kind)
    return cells[column] == zone_id, (kind, zone_id)


def _people(results: Results, age: str) -> pd.Series:
    """Return the people of an age group by cell."""
    given = results.study.inputs.population
    groups = {"all": ["people"], **{p: [p] for p in (given.parts or given.shares)}, **given.groups}
    if age not in groups:
        hint = nearest_name(age, groups) or ", ".join(groups)
        raise InputError(f"没有年龄组 {age};可用: {hint}", f"no age group {age}; there are: {hint}")
    people = results.cells[list(groups[age])].sum(axis=1).to_numpy()
    return pd.Series(people, index=pd.Index(results.cells["cell_id"]))


def _existing(results: Results, service: str, cells: pd.Index) -> pd.DataFrame:
    """Return what exists of a service; of one that has no facility, only who is off the network."""
    access = results.access
    mine = access[access["service"] == service]
    if mine.empty:
        mine = access[access["service"] == access["service"].iloc[0]]
        off = mine["status"] == "off_network"
        mine = mine.assign(value=np.nan, status=np.where(off, "off_network", ""))
    columns = ["origin_id", "value", "status", "unknown_from_s"]
    return pd.DataFrame(mine.loc[mine["origin_id"].isin(cells), columns])
