"""The measures of a study, from its tables to values per cell and means per zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from bishan_gis.access.measure_choices import open_facilities
from bishan_gis.access.study_measures import check_services, compute_measures, measure_services, zone_measures
from bishan_gis.access.study_transit import study_timetable, transit_measure, window_notes
from bishan_gis.places.entrances import find_access_points
from bishan_gis.places.zones import zone_columns
from bishan_gis.schema import weakest_kind

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.progress import Progress
    from bishan_gis.study import Study

__all__ = ["run_measures"]


def run_measures(
    study: Study,
    networks: Mapping[str, tuple[Network, EdgeCosts]],
    cells: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    facilities: gpd.GeoDataFrame,
    access_points: pd.DataFrame,
    entrances: gpd.GeoDataFrame,
    age_groups: Mapping[str, Sequence[str]],
    *,
    kind: str,
    ride_kinds: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the measures that a study asks for, and their means per zone.

    Parameters
    ----------
    study : Study
        What is asked for.
    networks : mapping of str to (Network, EdgeCosts)
        Mode -> streets and their costs.
    cells, zones, facilities : geopandas.GeoDataFrame
        People, zones, facilities in the working CRS.
    access_points : pandas.DataFrame
        Where facilities are entered on foot; for other modes they are looked for on their own streets.
    entrances : geopandas.GeoDataFrame
        Mapped entrances.
    age_groups : mapping of str to sequence of str
        Age group -> columns of `cells` to add up.
    kind : str
        What the inputs rest on.
    ride_kinds : sequence of str
        What the timetables of public transport rest on besides.
    progress : callable or bool, optional
        Called with measures done and in all; True draws a bar.

    Returns
    -------
    measures, means : pandas.DataFrame
        See :func:`~bishan_gis.access.study_measures.compute_measures` (also for ``attrs["notes"]``) and
        :func:`~bishan_gis.access.study_measures.zone_measures`.
    """
    points = {"walk": access_points}
    rides = [m for m in study.measures if m.mode == "transit"]
    others = [m for m in study.measures if m.mode != "transit"]
    for mode in sorted({m.mode for m in others} - {"walk"}):
        wanted = {s for m in study.measures if m.mode == mode for s in measure_services(m)}
        some = facilities[facilities["service"].isin(wanted)].reset_index(drop=True)
        found = find_access_points(some, networks[mode][0], entrances=entrances)
        points[mode] = found.merge(some[["facility_id", "service"]], on="facility_id")
    table = compute_measures(
        others,
        networks,
        cells,
        facilities,
        points,
        age_groups=age_groups,
        max_snap_m={mode: section.max_snap_m for mode, section in study.modes.items()},
        slope={mode: section.slope for mode, section in study.modes.items()},
        kind=kind,
        progress=progress,
    )
    notes = table.attrs.pop("notes", [])
    if rides:
        check_services(rides, set(facilities["service"]))
        timetable = study_timetable(study, facilities)
        notes += [*timetable.notes, *window_notes(timetable, study, max(m.search_min for m in rides))]
        ridden = {}
        for m in rides:
            there, said, guessed = open_facilities([m], facilities[facilities["service"].isin(m.services)])
            notes += said
            goals = access_points[access_points["facility_id"].isin(there["facility_id"])]
            rests_on = weakest_kind([kind, *ride_kinds, *(["assumed"] if guessed else [])])
            ridden[m.name] = transit_measure(m, study, networks["walk"], timetable, cells, goals, kind=rests_on)
        by_name = {str(name): rows for name, rows in table.groupby("measure_name", sort=False)} | ridden
        table = pd.concat([by_name[m.name] for m in study.measures], ignore_index=True)
    means = zone_measures(
        table,
        cells,
        zones,
        measures=study.measures,
        age_groups=age_groups,
        member=zone_columns(zones),
        lang=study.lang,
    )
    drawn = {k: weakest_kind([k, study.directions.kind]) for k in means["kind"].unique()}
    by_direction = means["zone_kind"] == "direction"
    means["kind"] = means["kind"].where(~by_direction, means["kind"].map(drawn))
    table.attrs["notes"] = notes
    return table, means
