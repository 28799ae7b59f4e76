"""Gap areas with what a reader needs: names, the way round and what lies between, and their rank."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.planning.gap_reasons import barriers_between, goes_round
from bishan_gis.planning.gap_words import place_names
from bishan_gis.planning.nearest_points import nearest_points

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.network.graph import Network
    from bishan_gis.planning.gap_areas import GapAreas
    from bishan_gis.planning.gap_cells import CellGaps
    from bishan_gis.results import Results

__all__ = [
    "add_ways",
    "area_scores",
    "describe_areas",
    "known_barriers",
    "named_facilities",
    "named_streets",
    "rank_areas",
    "township_names",
]


def known_barriers(results: Results) -> gpd.GeoDataFrame | None:
    """Return what the results know of that lies in the way: water, motorways, railways, rivers and canals.

    Parameters
    ----------
    results : Results
        ``water, barrier_lines``, and the network of ``drive`` where the study has one.

    Returns
    -------
    geopandas.GeoDataFrame or None
        ``kind`` (``water, motorway, railway, river``)``, name`` ("": none) and geometry, those with a name first; None:
        nothing is known.
    """
    import geopandas as gpd

    frames = []
    if results.water is not None and len(results.water):
        shapes = results.water.geometry.to_numpy()
        names = results.water["name"].fillna("") if "name" in results.water.columns else ""
        frames.append(gpd.GeoDataFrame({"kind": ["water"] * len(shapes), "name": names}, geometry=shapes))
    if results.barrier_lines is not None and len(results.barrier_lines):
        lines = results.barrier_lines
        facts = {"kind": lines["kind"], "name": lines["name"].fillna("")}
        frames.append(gpd.GeoDataFrame(facts, geometry=lines.geometry.to_numpy()))
    drive = results.networks.get("drive")
    if drive is not None:
        fast = drive.edge_highway == "motorway"
        if fast.any():
            facts = {"kind": ["motorway"] * int(fast.sum()), "name": drive.edge_name[fast]}
            frames.append(gpd.GeoDataFrame(facts, geometry=drive.lines[fast]))
    if not frames:
        return None
    every = pd.concat(frames, ignore_index=True)
    named_first = np.argsort(every["name"].to_numpy(dtype=str) == "", kind="stable")
    every = every.iloc[named_first].reset_index(drop=True)
    return gpd.GeoDataFrame(every, geometry="geometry", crs=results.cells.crs)


def named_facilities(facilities: pd.DataFrame) -> pd.DataFrame:
    """Return the facilities that have a name, as landmarks.

    Parameters
    ----------
    facilities : pandas.DataFrame
        ``facility_id, name, x, y`` [m].

    Returns
    -------
    pandas.DataFrame
        ``facility_id, name, x, y`` [m], in their order.
    """
    named = facilities["name"].fillna("").astype(str).str.strip() != ""
    return pd.DataFrame(facilities.loc[named, ["facility_id", "name", "x", "y"]]).reset_index(drop=True)


def named_streets(network: Network) -> pd.DataFrame:
    """Return the ends of named streets, as landmarks.

    Parameters
    ----------
    network : Network
        Streets.

    Returns
    -------
    pandas.DataFrame
        ``name, x, y`` [m].
    """
    named = np.flatnonzero(network.edge_name.astype(bool))
    ends = np.concatenate([network.edge_u[named], network.edge_v[named]])
    return pd.DataFrame(
        {"name": np.tile(network.edge_name[named], 2), "x": network.node_x[ends], "y": network.node_y[ends]}
    )


def describe_areas(
    areas: GapAreas,
    results: Results,
    cells: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    barriers: gpd.GeoDataFrame | None,
    way: CellGaps,
    speed_ms: float,
) -> GapAreas:
    """Add names, detours, barriers and ranks to areas.

    Parameters
    ----------
    areas : GapAreas
        From :func:`bishan_gis.planning.gap_areas.find_gap_areas`.
    results : Results
        Zones, facilities, access points and streets.
    cells : pandas.DataFrame
        The cells the areas are made of.
    targets : pandas.DataFrame
        ``service, name_zh, name_en, weight``.
    barriers : geopandas.GeoDataFrame or None
        See :func:`bishan_gis.planning.gap_reasons.barriers_between`.
    way : CellGaps
        Times on the level, for the detour.
    speed_ms : float
        Speed on the level [m/s].

    Returns
    -------
    GapAreas
        By rank, with ``service_zh, service_en, zone_name, facility_name, place_zh, place_en, detour_ratio`` (way on
        the level over straight distance, of the people with a path; NaN: none)``, barrier, barrier_name`` (of areas
        with reason ``detour``: what lies across the straight line from the cell with most people)``, score, rank``.
    """
    table = add_ways(
        areas,
        cells,
        targets,
        town_names=township_names(results.zones),
        facilities=results.facilities,
        access_points=results.access_points,
        barriers=barriers,
        way=way,
        speed_ms=speed_ms,
    )
    landmarks = [named_facilities(results.facilities), named_streets(results.network)]
    zh, en = place_names(table, results.cells, zone_names=township_names(results.zones), landmarks=landmarks)
    table["place_zh"], table["place_en"] = np.array(zh, dtype=object), np.array(en, dtype=object)
    table = rank_areas(table, weight=targets.set_index("service")["weight"])
    return replace(areas, table=table).ordered(np.argsort(table["rank"].to_numpy()))


def township_names(zones: pd.DataFrame) -> dict[str, str]:
    """Return township -> its name.

    Parameters
    ----------
    zones : pandas.DataFrame
        ``zone_id, zone_kind, name``.
    """
    towns = zones[zones["zone_kind"] == "township"]
    return dict(zip(towns["zone_id"], towns["name"], strict=True))


def add_ways(
    areas: GapAreas,
    cells: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    town_names: Mapping[str, str],
    facilities: pd.DataFrame,
    access_points: pd.DataFrame,
    barriers: gpd.GeoDataFrame | None,
    way: CellGaps,
    speed_ms: float,
) -> pd.DataFrame:
    """Add what does not depend on other services: names, the way to the nearest facility, and what lies across it.

    Parameters
    ----------
    areas, cells, targets
        As for :func:`describe_areas`.
    town_names : mapping
        From :func:`township_names`.
    facilities : pandas.DataFrame
        ``facility_id, name``.
    access_points : pandas.DataFrame
        ``service, x, y`` [m].
    barriers, way, speed_ms
        As for :func:`describe_areas`.

    Returns
    -------
    pandas.DataFrame
        The table of `areas` with ``service_zh, service_en, zone_name, facility_name, detour_ratio, barrier,
        barrier_name``; ``reason`` stays ``detour`` only where the area as a whole goes round.
    """
    table = areas.table.copy()
    by_service = targets.set_index("service")
    facility_names = dict(zip(facilities["facility_id"], facilities["name"].fillna(""), strict=True))
    table["service_zh"] = table["service"].map(by_service["name_zh"]).astype(object)
    table["service_en"] = table["service"].map(by_service["name_en"]).astype(object)
    table["zone_name"] = table["zone_id"].map(town_names).astype(object)
    table["facility_name"] = table["facility_id"].map(facility_names).fillna("").astype(object)
    heads = cells["people"].to_numpy(np.float64)[areas.cell]
    walked = way.value_ms[areas.service, areas.cell].astype(np.float64)
    on = walked >= 0
    metres = np.bincount(areas.area[on], weights=(heads * walked)[on] / 1000 * speed_ms, minlength=len(table))
    count = np.bincount(areas.area[on], weights=heads[on], minlength=len(table))
    apart = table["straight_m"].to_numpy(np.float64)
    good = (count > 0) & (apart > 0)
    table["detour_ratio"] = np.divide(metres, count * apart, out=np.full(len(table), np.nan), where=good)
    rows = np.flatnonzero(table["reason"] == "detour")
    across = barriers_between(*_crow_lines(table.iloc[rows], access_points), barriers)
    # Cells that go round in an area that on the whole does not: a crossing would not help it.
    known = np.array([bool(kind) for kind, _ in across], dtype=bool)
    round_ = goes_round(table["detour_ratio"].to_numpy()[rows], known)
    for column, k in (("barrier", 0), ("barrier_name", 1)):
        values = np.full(len(table), "", dtype=object)
        values[rows[round_]] = [pair[k] for pair, kept in zip(across, round_, strict=True) if kept]
        table[column] = values
    reason = table["reason"].to_numpy(dtype=object, copy=True)
    reason[rows[~round_]] = "distance"
    table["reason"] = reason
    return table


def _crow_lines(table: pd.DataFrame, access_points: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middle of each area and the facility nearest to it as the crow flies."""
    start = table[["x", "y"]].to_numpy(np.float64)
    end = np.full_like(start, np.nan)
    service = table["service"].to_numpy(dtype=object)
    for one in pd.unique(service):
        places = access_points.loc[access_points["service"] == one, ["x", "y"]].to_numpy(np.float64)
        rows = np.flatnonzero(service == one)
        if len(places):
            end[rows] = places[nearest_points(start[rows], places)[1]]
    return start, end


def area_scores(table: pd.DataFrame, *, weight: pd.Series, no_path_min: float = 60.0) -> NDArray[np.float64]:
    """Return weighted person-minutes beyond what areas should have, see :func:`rank_areas`.

    Parameters
    ----------
    table, weight, no_path_min
        As for :func:`rank_areas`.
    """
    share = table["service"].map(weight).to_numpy(np.float64)
    beyond = table["severity_person_min"].to_numpy() + no_path_min * table["people_no_path"].to_numpy()
    out: NDArray[np.float64] = share * beyond
    return out


def rank_areas(table: pd.DataFrame, *, weight: pd.Series, no_path_min: float = 60.0) -> pd.DataFrame:
    """Rank areas: the most people, farthest beyond what they should have, first.

    Parameters
    ----------
    table : pandas.DataFrame
        ``gap_id, service, people, people_no_path, severity_person_min``.
    weight : pandas.Series
        Service -> how much it counts.
    no_path_min : float
        People without any path count as being this many minutes beyond the threshold [min] [P]; their severity itself
        stays without them.

    Returns
    -------
    pandas.DataFrame
        With ``score`` (weighted person-minutes) and ``rank`` from 1; ties go to more people, then to the id.

    Examples
    --------
    >>> table = pd.DataFrame({"gap_id": ["a", "b"], "service": ["park", "school"], "people": [10, 10],
    ...     "people_no_path": [0, 0], "severity_person_min": [100.0, 80.0]})
    >>> rank_areas(table, weight=pd.Series({"park": 0.5, "school": 1.0}))[["score", "rank"]].values.tolist()
    [[50.0, 2.0], [80.0, 1.0]]
    """
    score = area_scores(table, weight=weight, no_path_min=no_path_min)
    order = np.lexsort((table["gap_id"].to_numpy(dtype=str), -table["people"].to_numpy(), -score))
    rank = np.empty(len(table), dtype=np.int64)
    rank[order] = np.arange(1, len(table) + 1)
    return table.assign(score=score, rank=rank)
