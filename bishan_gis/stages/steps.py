"""Single steps of a run that the whole run and its stages share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import NoDataError
from bishan_gis.schema import weakest_kind

if TYPE_CHECKING:
    import geopandas as gpd
    from pyproj import CRS

    from bishan_gis.places.classes import FacilityClass
    from bishan_gis.planning.scenarios import Scenario
    from bishan_gis.sources.inputs import StudyData
    from bishan_gis.study import Study
    from bishan_gis.study_settings import LayerInput

__all__ = [
    "age_groups",
    "barrier_lines",
    "check_any",
    "count_once",
    "count_services",
    "district_prefixes",
    "facility_places",
    "find_all",
    "found_notes",
    "judge_services",
    "layer_facilities",
    "osm_facilities",
    "place_people",
    "service_table",
    "study_classes",
    "tagged_areas",
]

_CLASS = ("key", "zh", "en", "group", "group_zh", "group_en", "level", "radius_m", "standard", "clause", "tag", "icon")


def age_groups(study: Study, parts: Sequence[str]) -> dict[str, list[str]]:
    """Return the age groups of a study and the columns of people that make up each.

    Parameters
    ----------
    study : Study
        The settings.
    parts : sequence of str
        Age columns of the population.
    """
    return {"all": ["people"], **{p: [p] for p in parts}, **study.inputs.population.groups}


def study_classes(study: Study) -> dict[str, FacilityClass]:
    """Return the facility classes of a study, its own or the package's.

    Parameters
    ----------
    study : Study
        The settings.
    """
    from bishan_gis.places.classes import load_classes

    own = study.raw(study.services.classes) if study.services.classes else None
    return load_classes(own, include=study.services.include)


def find_all(study: Study, data: StudyData, classes: Mapping[str, FacilityClass]) -> list[gpd.GeoDataFrame]:
    """Find the facilities of every source of a study: OSM, then each layer.

    Parameters
    ----------
    study : Study
        The settings.
    data : StudyData
        Its inputs.
    classes : mapping
        From :func:`study_classes`.
    """
    found = [osm_facilities(data, classes)]
    for i, (spec, frame) in enumerate(data.facilities):
        setting = f"inputs.facilities[{i}]"
        found.append(layer_facilities(study, spec, frame, classes, kind=data.kinds[setting]))
    return found


def osm_facilities(data: StudyData, classes: Mapping[str, FacilityClass]) -> gpd.GeoDataFrame:
    """Find the facilities of the street file.

    Parameters
    ----------
    data : StudyData
        The inputs.
    classes : mapping
        From :func:`study_classes`.
    """
    from bishan_gis.places.facilities import find_facilities

    return find_facilities(data.osm, classes, name=data.files["inputs.osm"].name, kind=data.kinds["inputs.osm"])


def layer_facilities(
    study: Study, spec: LayerInput, frame: gpd.GeoDataFrame, classes: Mapping[str, FacilityClass], *, kind: str
) -> gpd.GeoDataFrame:
    """Find the facilities of one layer of a study.

    Parameters
    ----------
    study, spec : Study, LayerInput
        The settings of the study and of the layer.
    frame : geopandas.GeoDataFrame
        The layer, EPSG:4326.
    classes : mapping
        From :func:`study_classes`.
    kind : str
        What the layer rests on.

    Returns
    -------
    geopandas.GeoDataFrame
        See :func:`bishan_gis.places.facilities.find_facilities`.
    """
    from bishan_gis.places.facilities import find_facilities
    from bishan_gis.sources.tables import load_services

    services = load_services(study.raw(spec.services_csv)) if spec.services_csv else None
    return find_facilities(frame, classes, name=study.raw(spec.path).name, kind=kind, services=services)


def found_notes(found: gpd.GeoDataFrame) -> list[tuple[str, str]]:
    """Return what the reader should know of the facilities of one source.

    Parameters
    ----------
    found : geopandas.GeoDataFrame
        From :func:`layer_facilities` or :func:`osm_facilities`.
    """
    left = found.attrs.get("left_out", {})
    return [(f"设施: {what} {n}", f"facilities: {what} {n}") for what, n in left.items()]


def district_prefixes(study: Study, zones: gpd.GeoDataFrame) -> tuple[str, ...]:
    """Return the names of the district that names of places may begin with: 某某区中医院 is 中医院.

    Parameters
    ----------
    study : Study
        The settings.
    zones : geopandas.GeoDataFrame
        From :func:`bishan_gis.places.zones.build_zones`.
    """
    from bishan_gis.names import place_prefixes

    return place_prefixes([*zones.loc[zones["zone_kind"] == "district", "name"], study.name])


def count_once(
    found: Sequence[gpd.GeoDataFrame], *, crs: CRS, prefixes: tuple[str, ...] = ()
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Put the facilities of all sources together and count each once; services do not depend on one another.

    Parameters
    ----------
    found : sequence of geopandas.GeoDataFrame
        Facilities of each source.
    crs : pyproj.CRS
        Working CRS [m].
    prefixes : tuple of str
        From :func:`district_prefixes`.

    Returns
    -------
    facilities, merged : GeoDataFrame, DataFrame
        What is left, in `crs`, by id; what went into another one.
    """
    from bishan_gis.crs import reproject
    from bishan_gis.places.facilities import merge_duplicates

    kept, merged = merge_duplicates(pd.concat(found, ignore_index=True), crs=crs, prefixes=prefixes)
    there = kept.set_geometry(reproject(kept.geometry, crs))
    return there.sort_values("facility_id", ignore_index=True), merged


def check_any(found: int, *, osm: str) -> None:
    """Raise when there is no facility at all.

    Parameters
    ----------
    found : int
        Number of facilities.
    osm : str
        Name of the street file, for the message.

    Raises
    ------
    NoDataError
        There is none.
    """
    if not found:
        raise NoDataError(
            f"{osm}: 没有找到任何设施;请检查标签, services.include 或增加 inputs.facilities",
            f"{osm}: no facility found; check the tags, services.include, or add inputs.facilities",
        )


def service_table(classes: Mapping[str, FacilityClass], present: Collection[str]) -> pd.DataFrame:
    """Return the classes that occur, by key.

    Parameters
    ----------
    classes : mapping
        From :func:`study_classes`.
    present : collection of str
        The services that have a facility.
    """
    rows = [[getattr(c, name) for name in _CLASS] for key, c in classes.items() if key in present]
    return pd.DataFrame(rows, columns=list(_CLASS)).set_index("key")


def judge_services(study: Study, services: pd.DataFrame) -> tuple[pd.DataFrame, list[float]]:
    """Hold every service against the standards of the study.

    Parameters
    ----------
    study : Study
        The settings.
    services : pandas.DataFrame
        From :func:`service_table`.

    Returns
    -------
    DataFrame, list of float
        See :func:`bishan_gis.planning.standards.judged_services`. The thresholds of the study and the walking times of
        all services it looks at, so that runs with other facilities have the same [min].
    """
    from bishan_gis.planning.standards import judged_cutoffs, judged_services, service_targets, study_standards

    classes = study_classes(study)
    targets = service_targets(study_standards(study), services=service_table(classes, set(classes)))
    return judged_services(services, targets), judged_cutoffs(study.reach.cutoffs_min, targets)


def place_people(
    study: Study, data: StudyData, zones: gpd.GeoDataFrame, scenario: Scenario | None = None
) -> tuple[gpd.GeoDataFrame, pd.DataFrame, str]:
    """Place the people of a study on cells.

    Parameters
    ----------
    study : Study
        The settings.
    data : StudyData
        Its inputs.
    zones : geopandas.GeoDataFrame
        From :func:`bishan_gis.places.zones.build_zones`.
    scenario : Scenario, optional
        Edits to people and housing.

    Returns
    -------
    cells, check, placed_by : GeoDataFrame, DataFrame, str
        See :func:`bishan_gis.places.population.build_cells`; the cells have ``direction`` and ``district`` as well.
        What people were placed by.
    """
    from bishan_gis.places.population import build_cells, build_controls
    from bishan_gis.places.units import unit_kinds, unit_of
    from bishan_gis.places.weights import residential_weights

    townships = zones[zones["zone_kind"] == "township"]
    controls = build_controls(data.population, data.townships, crs=data.crs)
    if scenario is not None:
        from bishan_gis.planning.scenario_edits import edit_controls

        controls = edit_controls(controls, scenario, townships, parts=list(data.population.parts))
    weights, placed_by = (data.population.weights, "population")
    if weights is None:
        weights, placed_by = residential_weights(
            data.osm.areas, data.landuse, crs=data.crs, townships=data.townships, controls=controls
        )
    cells, check = build_cells(
        controls,
        data.townships,
        weights,
        cells=study.cells,
        crs=data.crs,
        parts=data.population.parts,
        kind=weakest_kind(["derived", *(data.kinds[f"inputs.{i}"] for i in ("population", "townships", "osm"))]),
    )
    if scenario is not None:
        from bishan_gis.planning.scenario_edits import add_housing

        sizes, parts = study.cells, list(data.population.parts)
        cells, check = add_housing(cells, check, scenario, townships, settings=sizes, parts=parts)
    cells = cells.merge(townships[["zone_id", "direction"]], on="zone_id", validate="m:1")
    cells["district"] = zones.loc[zones["zone_kind"] == "district", "zone_id"].iloc[0]
    for kind in unit_kinds(zones):
        cells[kind] = unit_of(cells.set_geometry(cells.geometry.representative_point()), zones, kind)
    return cells, check, placed_by


def facility_places(facilities: gpd.GeoDataFrame, zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return facilities as points with the zones they lie in.

    Parameters
    ----------
    facilities : geopandas.GeoDataFrame
        From :func:`count_once`.
    zones : geopandas.GeoDataFrame
        From :func:`bishan_gis.places.zones.build_zones`.

    Returns
    -------
    geopandas.GeoDataFrame
        With ``x, y`` [m] of a point in each facility, which is its geometry now, its ``area_m2``, and ``zone_id,
        direction``, and ``village, grid`` where the study has them.
    """
    from bishan_gis.places.units import unit_kinds, unit_of
    from bishan_gis.places.zones import zone_of

    middle = facilities.geometry.representative_point()
    places = facilities.assign(x=middle.x, y=middle.y, area_m2=facilities.geometry.area).set_geometry(middle)
    for kind, column in (("township", "zone_id"), ("direction", "direction")):
        places[column] = zone_of(places, zones, kind)
    for kind in unit_kinds(zones):
        places[kind] = unit_of(places, zones, kind)
    return places


def count_services(services: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Return the service classes with the number of facilities in the district.

    Parameters
    ----------
    services : pandas.DataFrame
        From :func:`service_table`.
    places : pandas.DataFrame
        From :func:`facility_places`.
    """
    inside = places.loc[places["zone_id"] != "", "service"]
    return services.assign(n=inside.value_counts().reindex(services.index).fillna(0).astype(int))


def tagged_areas(data: StudyData, wanted: Mapping[str, Sequence[str]]) -> gpd.GeoDataFrame | None:
    """Return OSM areas with one of the tags, in the working CRS.

    Parameters
    ----------
    data : StudyData
        The inputs.
    wanted : mapping
        Key -> values.
    """
    areas = data.osm.areas
    if len(areas) == 0:
        return None
    keep = [any(tags.get(k) in values for k, values in wanted.items()) for tags in areas["tags"]]
    if not any(keep):
        return None
    out = areas.loc[keep, ["osm_id", "geometry"]].to_crs(data.crs).reset_index(drop=True)
    out["name"] = [tags.get("name", "") for tags in areas.loc[keep, "tags"]]
    return out[["osm_id", "name", "geometry"]]


#: Lines that who walks cannot cross but where a street does: kind of barrier -> key and values in OSM.
_BARRIER_LINES = {
    "railway": ("railway", ("rail", "light_rail", "narrow_gauge")),
    "river": ("waterway", ("river", "canal")),
}


def barrier_lines(data: StudyData) -> gpd.GeoDataFrame | None:
    """Return the railways, rivers and canals that lie in the way, as lines in the working CRS.

    Parameters
    ----------
    data : StudyData
        The inputs.

    Returns
    -------
    geopandas.GeoDataFrame or None
        ``kind`` (``railway, river``)``, name`` and geometry, without what runs in a tunnel, on a bridge or underground;
        None: there is none.
    """
    import geopandas as gpd
    import shapely

    osm = data.osm
    kinds, names, lines = [], [], []
    for i, tags in enumerate(osm.way_tags):
        kind = next((k for k, (key, values) in _BARRIER_LINES.items() if tags.get(key) in values), None)
        below = any(tags.get(key, "no") not in ("no", "") for key in ("tunnel", "bridge", "covered"))
        if kind is None or below or tags.get("location") == "underground":
            continue
        part = slice(osm.way_start[i], osm.way_start[i + 1])
        xy = np.stack([osm.way_lon[part], osm.way_lat[part]], axis=1)
        xy = xy[np.isfinite(xy).all(axis=1)]
        if len(xy) > 1:
            kinds.append(kind)
            names.append(tags.get("name", ""))
            lines.append(shapely.LineString(xy))
    if not lines:
        return None
    return gpd.GeoDataFrame({"kind": kinds, "name": names}, geometry=lines, crs=4326).to_crs(data.crs)
