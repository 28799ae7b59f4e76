"""What presence alone does not show: capacity against demand, completeness per cell, and hierarchy per town."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.planning.gap_cells import COVERED, DEFICIENT
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "capacity_needs",
    "capacity_table",
    "cell_completeness",
    "completeness_bounds",
    "hierarchy_completeness",
    "places_per_person",
]

_GROUPS = {"bed/1000 person": "all", "bed/1000 person 65+": "65+"}


def capacity_needs(standards: pd.DataFrame) -> pd.DataFrame:
    """Return how many places per person the standards ask for.

    Parameters
    ----------
    standards : pandas.DataFrame
        From :func:`bishan_gis.planning.standards.load_standards`.

    Returns
    -------
    pandas.DataFrame
        ``service, age_group, places_per_person, standard, clause, tag``; only rows whose figure is known.

    Examples
    --------
    >>> rows = pd.DataFrame({"service": ["hospital"], "indicator": "per_1000", "value": [7.5], "op": ">=",
    ...     "unit": "bed/1000 person", "standard": "S", "clause": "1", "tag": "P"})
    >>> capacity_needs(rows)[["service", "age_group", "places_per_person"]].values.tolist()
    [['hospital', 'all', 0.0075]]
    """
    check_columns(standards, ["service", "indicator", "value", "op", "unit"], where="standards")
    at_least = standards["op"].isin([">=", ">", "between"])
    rows = standards[(standards["indicator"] == "per_1000") & standards["value"].notna() & at_least]
    rows = rows[(rows["service"] != "") & rows["unit"].isin(_GROUPS)].drop_duplicates("service")
    out = rows.assign(age_group=rows["unit"].map(_GROUPS), places_per_person=rows["value"] / 1000)
    columns = ["service", "age_group", "places_per_person", "standard", "clause", "tag"]
    return pd.DataFrame(out[columns]).reset_index(drop=True)


def capacity_table(facilities: pd.DataFrame, services: list[str]) -> pd.DataFrame:
    """Say for which services the capacity is known.

    Parameters
    ----------
    facilities : pandas.DataFrame
        ``facility_id, service, capacity`` (NaN: not known).
    services : list of str
        Services asked for.

    Returns
    -------
    pandas.DataFrame
        ``service, facilities, with_capacity, capacity, status``: ``known`` (of every facility), ``partly`` or
        ``unknown``. What is not known of every facility is not judged: it stays unknown whether places suffice.

    Examples
    --------
    >>> two = pd.DataFrame({"facility_id": ["a", "b"], "service": "school", "capacity": [30.0, float("nan")]})
    >>> capacity_table(two, ["school"]).values.tolist()
    [['school', 2, 1, 30.0, 'partly']]
    """
    check_columns(facilities, ["facility_id", "service", "capacity"], where="facilities")
    places = pd.to_numeric(facilities["capacity"], errors="coerce").astype(np.float64)
    grouped = places.groupby(facilities["service"].to_numpy()).agg(["size", "count", "sum"])
    grouped = grouped.reindex(services).fillna(0.0)
    size, known = grouped["size"].to_numpy(np.int64), grouped["count"].to_numpy(np.int64)
    status = np.where(known == 0, "unknown", np.where(known == size, "known", "partly"))
    return pd.DataFrame(
        {
            "service": services,
            "facilities": size,
            "with_capacity": known,
            "capacity": grouped["sum"].to_numpy(np.float64),
            "status": status.astype(object),
        }
    )


def places_per_person(
    travel_matrix: pd.DataFrame, facilities: pd.DataFrame, demand: pd.Series, *, service: str, cutoff_s: float
) -> pd.Series:
    """Share the places of a service among the people who can reach them.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        ``from_id, to_id, cost_s`` [s]: pairs of cell and facility within the cutoff.
    facilities : pandas.DataFrame
        ``facility_id, service, capacity``; of `service` every capacity is known.
    demand : pandas.Series
        Indexed by cell; the people who need it.
    service : str
        Which service.
    cutoff_s : float
        Edge of the catchment, inclusive [s].

    Returns
    -------
    pandas.Series
        Indexed by cell [places per person], see :func:`bishan_gis.access.floating_catchment.two_step`.

    Raises
    ------
    InputError, SchemaError
        As :func:`~bishan_gis.access.floating_catchment.two_step`.

    Examples
    --------
    >>> pairs = pd.DataFrame({"from_id": ["A", "B"], "to_id": "f", "cost_s": [60.0, 120.0]})
    >>> school = pd.DataFrame({"facility_id": ["f"], "service": ["school"], "capacity": [30.0]})
    >>> people = pd.Series({"A": 40, "B": 20})
    >>> places_per_person(pairs, school, people, service="school", cutoff_s=300).tolist()
    [0.5, 0.5]
    """
    from bishan_gis.access.floating_catchment import two_step

    mine = facilities[facilities["service"] == service].set_index("facility_id")
    supply = pd.to_numeric(mine["capacity"], errors="coerce").astype(np.float64)
    pairs = travel_matrix[travel_matrix["to_id"].isin(supply.index)]
    return two_step(pairs, supply, demand, cutoff_s=cutoff_s)


def cell_completeness(access: pd.DataFrame, targets: pd.DataFrame, services: list[str]) -> pd.DataFrame:
    """Measure the share of the services asked for that each cell reaches, each within its own level.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s].
    targets : pandas.DataFrame
        ``service, level_min, weight``.
    services : list of str
        Which of them.

    Returns
    -------
    pandas.DataFrame
        As :func:`bishan_gis.access.completeness.completeness`.

    Raises
    ------
    InputError, SchemaError
        As :func:`~bishan_gis.access.completeness.completeness`.
    """
    from bishan_gis.access.completeness import completeness

    mine = targets.set_index("service").loc[services]
    cutoffs = (mine["level_min"] * 60).to_dict()
    weights = {str(k): float(v) for k, v in mine["weight"].items()}
    return completeness(access, services, cutoff_s={str(k): float(v) for k, v in cutoffs.items()}, weights=weights)


def completeness_bounds(
    state: NDArray[np.uint8], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure the same from the states of :func:`~bishan_gis.planning.gap_cells.cell_gaps`.

    Parameters
    ----------
    state : ndarray of uint8, services x cells
        Positions in :data:`bishan_gis.planning.gap_cells.STATES`.
    weights : ndarray
        How much each service counts.

    Returns
    -------
    low, high : ndarray, one per cell
        Share that is certainly reached, and that more data could bring, see
        :func:`bishan_gis.access.completeness.completeness`.

    Examples
    --------
    >>> state = np.array([[0, 1], [2, 0]], dtype=np.uint8)
    >>> [b.tolist() for b in completeness_bounds(state, np.array([1.0, 3.0]))]
    [[0.25, 0.75], [1.0, 0.75]]
    """
    share = weights / weights.sum()
    yes, could = state == COVERED, state != DEFICIENT
    low = np.where(yes.all(axis=0), 1.0, share @ yes)
    return low, np.where(could.all(axis=0), 1.0, np.maximum(low, share @ could))


def hierarchy_completeness(
    people: pd.DataFrame,
    facilities: pd.DataFrame,
    *,
    zone_kind: str = "township",
    column: str = "zone_id",
    share: float = 0.5,
) -> pd.DataFrame:
    """Say for every town and level how many of the services it should have are there, and reach its people.

    Parameters
    ----------
    people : pandas.DataFrame
        From :func:`bishan_gis.planning.gap_cells.gap_people`.
    facilities : pandas.DataFrame
        ``service`` and the zone each lies in.
    zone_kind, column : str
        Kind of zone, and the column of `facilities` that names it.
    share : float
        A service reaches a town when it covers at least this share of the people.

    Returns
    -------
    pandas.DataFrame
        ``zone_id, zone_name, level_min, n_services, n_present`` (a facility stands in the town)``, n_reached`` (covers
        the share, wherever it stands)``, n_unknown`` (does not, and could with the people for whom the data cannot
        tell)``, people, covered_mean`` (mean share of the people covered; NaN: nobody lives there)``.

    Examples
    --------
    >>> from bishan_gis.planning.gap_cells import cell_gaps, gap_people
    >>> access = pd.DataFrame({"origin_id": ["A", "B"], "service": "school", "value": [300.0, 720.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B"], "zone": "t", "people": [5, 15]})
    >>> towns = pd.DataFrame({"zone_id": ["t"], "zone_kind": ["township"], "name": ["T"]})
    >>> gaps = cell_gaps(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> people = gap_people(gaps, cells, towns, age_groups={"all": ["people"]}, member={"township": "zone"})
    >>> school = pd.DataFrame({"service": ["school"], "zone_id": ["t"]})
    >>> table = hierarchy_completeness(people, school)
    >>> table[["level_min", "n_services", "n_present", "n_reached", "covered_mean"]].values.tolist()
    [[10.0, 1.0, 1.0, 0.0, 0.25]]
    """
    check_columns(facilities, ["service", column], where="facilities")
    rows = people[(people["zone_kind"] == zone_kind) & (people["age_group"] == "all")]
    there = set(zip(facilities[column], facilities["service"], strict=True))
    heads = rows["people"].to_numpy(np.float64)
    covered = rows["people_covered"].to_numpy(np.float64)
    could = covered + rows["people_unknown"].to_numpy(np.float64)
    lived = heads > 0
    table = pd.DataFrame(
        {
            "zone_id": rows["zone_id"].to_numpy(),
            "zone_name": rows["zone_name"].to_numpy(),
            "level_min": rows["level_min"].to_numpy(),
            "n_services": 1,
            "n_present": [int(key in there) for key in zip(rows["zone_id"], rows["service"], strict=True)],
            "n_reached": (lived & (covered >= share * heads)).astype(np.int64),
            "n_unknown": (lived & (covered < share * heads) & (could >= share * heads)).astype(np.int64),
            "people": rows["people"].to_numpy(),
            "covered_mean": np.divide(covered, heads, out=np.full(len(rows), np.nan), where=lived),
        }
    )
    how: Mapping[str, str] = {"n_services": "sum", "n_present": "sum", "n_reached": "sum", "n_unknown": "sum"}
    how = {**how, "people": "first", "covered_mean": "mean"}
    return table.groupby(["zone_id", "zone_name", "level_min"], sort=True).agg(how).reset_index()
