"""The public transport of a study: its feeds, its lines and the routes of its OSM file; and its measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.transit_times import clock_s, transit_times
from bishan_gis.errors import NoDataError, StudyError
from bishan_gis.network.timetable import Line, Timetable, gtfs_timetable, join_timetables, line_timetable
from bishan_gis.schema import nearest_name, weakest_kind

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.measure_settings import Measure
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.study import Study
    from bishan_gis.transit_settings import TransitLine

__all__ = ["study_timetable", "transit_measure", "window_notes"]

#: Of routes that say nothing: stops included [km/h]. [P]
_SPEED_KMH = {"subway": 35.0, "train": 50.0, "light_rail": 30.0, "monorail": 30.0, "ferry": 15.0}
_OTHER_KMH = 18.0


def study_timetable(study: Study, facilities: gpd.GeoDataFrame) -> Timetable:
    """Put the public transport of a study together.

    Parameters
    ----------
    study : Study
        For its section ``[transit]``.
    facilities : geopandas.GeoDataFrame
        ``name, service`` and geometry in the working CRS [m]: the stations that lines name.

    Returns
    -------
    Timetable
        Of everything that is given.

    Raises
    ------
    StudyError
        A station is no facility of the study.
    NoDataError
        Nothing runs.
    BishanGisError
        As the readers of feeds and OSM files.
    """
    from bishan_gis.sources.gtfs import load_gtfs

    settings = study.transit
    parts = [gtfs_timetable(load_gtfs(study.raw(p)), date=settings.date, crs=study.crs) for p in settings.gtfs]
    if settings.lines:
        stations = facilities[facilities["service"].isin(settings.stations)]
        parts.append(_lines(settings.lines, stations))
    if settings.osm_routes:
        parts.append(_routes(study))
    if not any(len(p.trip) for p in parts):
        raise NoDataError("[transit] 没有任何班次", "[transit] holds no trip")  # noqa: EM101
    return join_timetables(parts)


def window_notes(timetable: Timetable, study: Study, longest_min: float) -> list[tuple[str, str]]:
    """Say where nothing leaves in the window of departures, or so long after it that it would count.

    Parameters
    ----------
    timetable : Timetable
        From :func:`study_timetable`.
    study : Study
        For the window.
    longest_min : float
        Longest time that counts [min].

    Returns
    -------
    list of (zh, en)
        One note, or nothing.
    """
    window = study.transit.window
    begin, end = (clock_s(t) for t in window)
    leave = timetable.depart_s
    if ((leave >= begin) & (leave <= end + longest_min * 60)).any():
        return []
    named = "-".join(window)
    return [
        (
            f"公交: 出发时段 {named} 及其后 {longest_min:g} 分钟内没有班次;所得时间均为步行",
            f"transit: nothing leaves in the window {named} or {longest_min:g} min after it: all times are on foot",
        )
    ]


def _lines(lines: Sequence[TransitLine], facilities: gpd.GeoDataFrame) -> Timetable:
    names = facilities["name"].astype(str)
    wanted = list(dict.fromkeys(s for line in lines for s in line.stations))
    lost = [s for s in wanted if s not in set(names)]
    if lost:
        shown = ", ".join(f"{s} ({nearest_name(s, list(names)) or '?'})" for s in lost)
        raise StudyError(
            f"transit.lines: {len(lost)} 个车站不在 transit.stations 的设施中: {shown}",
            f"transit.lines: {len(lost)} stations are no facility of transit.stations: {shown}",
        )
    middle = facilities.geometry.representative_point()
    place = pd.DataFrame({"stop_id": names, "x": middle.x, "y": middle.y}).drop_duplicates("stop_id")
    at = place.set_index("stop_id").loc[wanted]
    out = []
    for line in lines:
        run_s = [60 * v for v in line.run_min or ()]
        if not run_s:
            spots = at.loc[line.stations, ["x", "y"]].to_numpy()
            apart = np.hypot(*np.diff(spots, axis=0).T)
            whole_s = (line.length_km or 0.0) / (line.speed_kmh or 1.0) * 3600
            run_s = (whole_s * apart / apart.sum()).round().clip(min=1).tolist()
        times = (line.headway_min * 60, clock_s(line.first), clock_s(line.last))
        named = (line.name, tuple(line.stations), tuple(run_s))
        out.append(Line(*named, *times, both_ways=line.both_ways, kind=line.kind))
    return line_timetable(at.reset_index(), out)


def _routes(study: Study) -> Timetable:
    """Return the routes of the OSM file; what their tags do not say is assumed."""
    from pyproj import Transformer

    from bishan_gis.sources.transit_osm import load_routes

    routes, notes = load_routes(study.raw(study.inputs.osm))
    settings = study.transit
    to_metres = Transformer.from_crs(4326, study.crs, always_xy=True)
    stops: dict[str, tuple[str, float, float]] = {}
    lines, silent = [], 0
    for route in routes:
        headway = route.headway_min or settings.default_headway_min
        if not headway:
            silent += 1
            continue
        spots = [to_metres.transform(lon, lat) for _, _, lon, lat in route.stops]
        ids = [f"node/{stop[0]}" for stop in route.stops]
        stops |= {i: (s[1], *xy) for i, s, xy in zip(ids, route.stops, spots, strict=True)}
        apart = np.maximum(np.hypot(*np.diff(np.array(spots), axis=0).T), 1.0)
        guess_s = apart.sum() / (_SPEED_KMH.get(route.mode, _OTHER_KMH) / 3.6)
        run_s = (route.duration_min or guess_s / 60) * 60 * apart / apart.sum()
        sure = bool(route.headway_min and route.duration_min and route.first)
        first, last = clock_s(route.first or "06:00"), clock_s(route.last or "22:00")
        last = last if last >= first else last + 86_400
        times = tuple(run_s.round().clip(min=1))
        kind = "derived" if sure else "assumed"
        lines.append(Line(route.name, tuple(ids), times, headway * 60, first, last, both_ways=False, kind=kind))
    if silent:
        zh = f"公交: {silent} 条 OSM 线路没有发车间隔 (interval), 未用;可设 transit.default_headway_min"
        notes.append((zh, f"transit: {silent} OSM routes without interval left out; see transit.default_headway_min"))
    table = pd.DataFrame([(i, *v) for i, v in stops.items()], columns=["stop_id", "name", "x", "y"])
    found = line_timetable(table, lines)
    found.notes.extend(notes)
    return found


def transit_measure(
    measure: Measure,
    study: Study,
    streets: tuple[Network, EdgeCosts],
    timetable: Timetable,
    cells: pd.DataFrame,
    access_points: pd.DataFrame,
    *,
    kind: str,
) -> pd.DataFrame:
    """Compute a measure of mode ``transit``: door-to-door time to the nearest facility of the services.

    Parameters
    ----------
    measure : Measure
        ``nearest_cost`` with its cutoff and services.
    study : Study
        For the window of departures.
    streets : (Network, EdgeCosts)
        On foot.
    timetable : Timetable
        From :func:`study_timetable`.
    cells : pandas.DataFrame
        ``cell_id, x, y`` [m].
    access_points : pandas.DataFrame
        ``facility_id, service, x, y`` [m], on foot.
    kind : str
        What the inputs rest on beside the timetable.

    Returns
    -------
    pandas.DataFrame
        Rows as :func:`bishan_gis.access.study_measures.compute_measures` gives them: times beyond the cutoff too.
        ``unknown_from_s`` is NaN: what lies beyond the data could only shorten a time.
    """
    settings = study.transit
    cutoff_s = measure.search_min * 60
    goals = access_points.loc[access_points["service"].isin(measure.services), ["facility_id", "x", "y"]]
    found = transit_times(
        *streets,
        timetable,
        cells.rename(columns={"cell_id": "origin_id"})[["origin_id", "x", "y"]],
        goals,
        window=settings.window,
        step_min=settings.step_min,
        percentiles=(settings.percentile,),
        cutoff_s=cutoff_s,
        max_walk_s=settings.max_walk_min * 60,
        board_slack_s=settings.board_slack_s,
        max_snap_m=study.walk.max_snap_m,
        beyond=True,
    )
    return pd.DataFrame(
        {
            "origin_id": found["origin_id"],
            "measure_name": measure.name,
            "measure": measure.measure,
            "mode": measure.mode,
            "profile": streets[1].profile.name,
            "services": "+".join(measure.services),
            "cutoff_s": cutoff_s,
            "value": found["cost_s"],
            "unit": "s",
            "status": found["status"],
            "unknown_from_s": np.nan,
            "kind": weakest_kind([kind, timetable.kind]),
        }
    )
