"""What a siting question takes from a study: levels of services, a zone, people, what exists, times to sites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError
from bishan_gis.places.zones import zone_columns, zone_repeats, zones_called
from bishan_gis.schema import known_names

if TYPE_CHECKING:
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.results import Results
    from bishan_gis.study import Study

__all__ = [
    "ServiceLevel",
    "age_columns",
    "count_existing",
    "existing_times",
    "nearest_site",
    "people_of",
    "service_levels",
    "site_times",
    "zone_cells",
]

#: What a class says of a service that no standard chosen speaks of.
_CLASS = ["zh", "en", "level", "radius_m", "standard", "clause", "tag"]


class ServiceLevel(NamedTuple):
    """A service and the walking time that serves."""

    service: str
    zh: str
    en: str
    level_min: float


def service_levels(study: Study, services: Sequence[str], *, cutoff_min: float | None = None) -> list[ServiceLevel]:
    """Return names and levels of services as the standards of a study ask for them; a service may have no facility.

    Parameters
    ----------
    study : Study
        Its ``[services]`` and ``[standards]``.
    services : sequence of str
        Keys of service classes.
    cutoff_min : float, optional
        Walking time that serves [min], in place of the levels.

    Returns
    -------
    list of ServiceLevel
        In the order asked for; the level is that of :func:`bishan_gis.planning.standards.service_targets`, by which
        gaps are judged as well.

    Raises
    ------
    InputError
        There is no such service, it is named twice, no standard gives it a walking time (what comes by vehicle, such
        as a fire engine), or the time given is not above 0; all problems are named at once.
    """
    from bishan_gis.places.classes import load_classes
    from bishan_gis.planning.standards import service_targets, study_standards

    own = study.raw(study.services.classes) if study.services.classes else None
    classes = load_classes(own)
    problems: list[tuple[str, str]] = []
    if not services or len(set(services)) < len(services):
        problems.append(("须给出设施类别, 且不重复", "give services, none twice"))
    if cutoff_min is not None and not (np.isfinite(cutoff_min) and cutoff_min > 0):
        problems.append((f"cutoff_min = {cutoff_min}: 须大于 0", f"cutoff_min = {cutoff_min}: must be above 0"))
    known = [s for s in services if s in classes]
    rows = pd.DataFrame([{c: getattr(classes[k], c) for c in _CLASS} for k in known], index=known, columns=_CLASS)
    targets = service_targets(study_standards(study), services=rows)
    minutes = dict(zip(targets["service"], targets["level_min"], strict=True))
    for service in services:
        if service not in classes:
            zh, en = known_names(service, classes)
            problems.append((f"没有设施类别 {service};{zh}", f"no service {service}; {en}"))
        elif cutoff_min is None and not minutes[service] > 0:
            zh = f"{service}: 所选标准没有步行时间 (由车辆到达的不按步行选址)"
            en = f"{service}: the standards chosen give no walking time (what comes by vehicle is not sited on foot)"
            zh = f"{zh};请用 cutoff_min 给出分钟数, 或在研究的标准中写明"
            problems.append((zh, f"{en}; give cutoff_min, or a row in the standards of the study"))
    if problems:
        raise InputError(";".join(p[0] for p in problems), "; ".join(p[1] for p in problems))
    return [
        ServiceLevel(s, classes[s].zh, classes[s].en, float(minutes[s] if cutoff_min is None else cutoff_min))
        for s in services
    ]


def zone_cells(results: Results, zone: str | None) -> tuple[pd.Series, tuple[str, str] | None]:
    """Return which cells are in a zone, and the zone as kind and id.

    Parameters
    ----------
    results : Results
        Its ``zones`` and ``cells``.
    zone : str or None
        Id or name of a zone; None: everywhere.

    Raises
    ------
    InputError
        There is no such zone, or several are called so.
    """
    if zone is None:
        return pd.Series(True, index=results.cells.index), None
    zones = results.zones
    ids = zones_called(zones, zone)
    if len(ids) > 1:
        raise InputError(*zone_repeats(zone, ids))
    if not ids:
        names = [str(n) for n in zones["name"]]
        zh, en = known_names(zone, names)
        raise InputError(f"没有分区 {zone};{zh}", f"no zone {zone}; {en}")
    kind = str(zones.loc[zones["zone_id"].astype(str) == ids[0], "zone_kind"].iloc[0])
    return results.cells[zone_columns(zones)[kind]] == ids[0], (kind, ids[0])


def age_columns(study: Study, age: str) -> list[str]:
    """Return the columns of cells that make up an age group.

    Parameters
    ----------
    study : Study
        Its ``[inputs.population]``.
    age : str
        An age group.

    Raises
    ------
    InputError
        There is no such group.
    """
    given = study.inputs.population
    groups = {"all": ["people"], **{p: [p] for p in (given.parts or given.shares)}, **given.groups}
    if age not in groups:
        zh, en = known_names(age, groups)
        raise InputError(f"没有年龄组 {age};{zh}", f"no age group {age}; {en}")
    return list(groups[age])


def people_of(results: Results, age: str) -> pd.Series:
    """Return the people of an age group by cell.

    Parameters
    ----------
    results : Results
        Its ``study`` and ``cells``.
    age : str
        An age group.

    Raises
    ------
    InputError
        There is no such group.
    """
    people = results.cells[age_columns(results.study, age)].sum(axis=1).to_numpy()
    return pd.Series(people, index=pd.Index(results.cells["cell_id"]))


def existing_times(results: Results, services: Sequence[str], cells: pd.Index) -> pd.DataFrame:
    """Return what exists of some services: time and status by cell.

    Parameters
    ----------
    results : Results
        Its ``access``.
    services : sequence of str
        Keys; of one that has no facility only who is off the network is known.
    cells : pandas.Index
        Ids of the cells looked at.

    Returns
    -------
    pandas.DataFrame
        ``origin_id, service, value`` [s, NaN: nothing is reached]``, status, unknown_from_s``, a row for each service
        and cell.
    """
    access = results.access
    parts = []
    for service in services:
        mine = access[access["service"] == service]
        if mine.empty:
            mine = access[access["service"] == access["service"].iloc[0]]
            off = mine["status"] == "off_network"
            mine = mine.assign(value=np.nan, status=np.where(off, "off_network", ""), service=service)
        columns = ["origin_id", "service", "value", "status", "unknown_from_s"]
        parts.append(pd.DataFrame(mine.loc[mine["origin_id"].isin(cells), columns]))
    return pd.concat(parts, ignore_index=True)


def count_existing(
    results: Results, costs: EdgeCosts, origins: pd.DataFrame, level: ServiceLevel, existing: pd.DataFrame
) -> pd.DataFrame:
    """Count the facilities of a service that each cell has within its level: more than one is a backup already.

    Parameters
    ----------
    results : Results
        Its ``network`` and ``access_points``.
    costs : EdgeCosts
        Of the walker.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m].
    level : ServiceLevel
        The service and its level.
    existing : pandas.DataFrame
        From :func:`existing_times`, of this service alone.

    Returns
    -------
    pandas.DataFrame
        `existing` with ``covers``; a facility with several entrances counts once.
    """
    from bishan_gis.access.travel_matrix import travel_matrix

    points = results.access_points
    points = pd.DataFrame(points.loc[points["service"] == level.service, ["facility_id", "x", "y"]])
    if points.empty:
        return existing.assign(covers=0)
    matrix = travel_matrix(
        results.network,
        costs,
        origins,
        points,
        cutoff_s=level.level_min * 60,
        max_snap_m=results.study.walk.max_snap_m,
    )
    count = matrix["from_id"].value_counts()
    covers = count.reindex(existing["origin_id"]).fillna(0).to_numpy(dtype=np.int64)
    # Both searches agree to the millisecond; what is on the line is on it in both.
    return existing.assign(covers=covers)


def site_times(
    results: Results,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    sites: pd.DataFrame,
    *,
    near_s: float,
    late_s: pd.Series | None = None,
    longest_s: float = np.inf,
) -> pd.DataFrame:
    """Find the times to candidates: all that are near, and of who is badly off those farther away as well.

    Parameters
    ----------
    results : Results
        Its ``network`` and ``study``.
    costs : EdgeCosts
        Of the walker.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m].
    sites : pandas.DataFrame
        ``candidate_id, x, y`` [m].
    near_s : float
        Every pair up to this time [s].
    late_s : pandas.Series, optional
        By origin, of those who are badly off: time to what exists [s], infinite where there is nothing. Of them pairs
        beyond `near_s` are found too, where they are sooner than that.
    longest_s : float
        Longest time of these [s].

    Returns
    -------
    pandas.DataFrame
        A travel matrix, see :func:`bishan_gis.access.travel_matrix.travel_matrix`.
    """
    from bishan_gis.access.travel_matrix import travel_matrix

    to = pd.DataFrame(sites[["candidate_id", "x", "y"]].rename(columns={"candidate_id": "facility_id"}))
    far = results.study.walk.max_snap_m
    matrix = travel_matrix(results.network, costs, origins, to, cutoff_s=near_s, max_snap_m=far)
    if late_s is None or late_s.empty or to.empty or longest_s <= near_s:
        return matrix
    late = origins[origins["origin_id"].isin(late_s.index)]
    more = travel_matrix(results.network, costs, late, to, cutoff_s=min(longest_s, late_s.max()), max_snap_m=far)
    now = late_s.reindex(more["from_id"].cat.categories).to_numpy()[more["from_id"].cat.codes]
    more = more[(more["cost_s"] > near_s) & (more["cost_s"] < now)]
    more["from_id"] = more["from_id"].cat.set_categories(matrix["from_id"].cat.categories)
    return pd.concat([matrix, more], ignore_index=True)


def nearest_site(results: Results, costs: EdgeCosts, origins: pd.DataFrame, sites: pd.DataFrame) -> pd.Series:
    """Return the time to the nearest candidate by origin [s], infinite where none is reached.

    Parameters
    ----------
    results : Results
        Its ``network`` and ``study``.
    costs : EdgeCosts
        Of the walker.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m].
    sites : pandas.DataFrame
        ``candidate_id, x, y`` [m].
    """
    from bishan_gis.access.nearest import nearest_cost

    if sites.empty:
        return pd.Series(np.inf, index=pd.Index(origins["origin_id"]))
    to = pd.DataFrame(sites[["candidate_id", "x", "y"]].rename(columns={"candidate_id": "facility_id"}))
    far = results.study.walk.max_snap_m
    table = nearest_cost(results.network, costs, origins, to.assign(service="site"), max_snap_m=far).table
    return table.set_index("origin_id")["value"].fillna(np.inf).reindex(origins["origin_id"])
