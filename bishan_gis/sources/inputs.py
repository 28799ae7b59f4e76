"""Everything a study names, read once and checked before any work starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.crs import WGS84, check_study_crs, load_crs
from bishan_gis.errors import MissingFileError, SchemaError
from bishan_gis.schema import UNIT_KINDS
from bishan_gis.sources.bounds import check_layer_place, check_overlap
from bishan_gis.sources.datasets import Dataset, check_datasets, mixed_inputs, study_datasets
from bishan_gis.sources.gtfs import load_gtfs, trips_on
from bishan_gis.sources.layers import load_layer
from bishan_gis.sources.osm import OsmData, load_osm
from bishan_gis.sources.place_inputs import input_datum, load_places, name_prefixes, shift_notes, unused_rows
from bishan_gis.sources.population import Population, load_population
from bishan_gis.sources.township_fit import township_fit
from bishan_gis.sources.zoning_codes import prepare_landuse, prepare_lines
from bishan_gis.study_choices import SITE_LAYERS, extent_file
from bishan_gis.study_settings import FacilityInput, LayerInput

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from pyproj import CRS

    from bishan_gis.study import Study

__all__ = ["StudyData", "load_inputs"]


#: Settings of layers of areas.
_AREAS = (
    *("inputs.district", "inputs.townships", "inputs.villages", "inputs.grids", "inputs.osm_extent"),
    *("inputs.landuse", "directions.layer"),
)
#: Settings whose files times on foot and people do not rest on.
_APART = ("siting.", "transit.")


@dataclass(eq=False)
class StudyData:
    """The inputs of a study; layers in the working CRS.

    Attributes
    ----------
    crs : pyproj.CRS
        Working CRS [m].
    district, townships : geopandas.GeoDataFrame
        Areas; ``kind`` says what they rest on.
    extent : geopandas.GeoDataFrame
        Where the street data is complete: the study's own layer, or the district.
    osm : OsmData
        Streets, facilities, buildings.
    facilities : list of (setting, GeoDataFrame)
        Further facility layers, EPSG:4326.
    population : Population
        People.
    landuse, control_lines, directions : geopandas.GeoDataFrame or None
        Zoning layers.
    units : dict
        ``village, grid`` -> the areas of that kind, where the study has them.
    kinds : dict
        Setting -> observed, derived, assumed or synthetic.
    datasets : list of Dataset
        What is known about the files.
    files : dict
        Setting -> path.
    notes : list of (zh, en)
        What the reader should know.
    prefixes : tuple of str
        Names of the district that names of places may begin with.
    unused : pandas.DataFrame
        Rows of facility tables that were not used, and why (:func:`~bishan_gis.sources.place_inputs.unused_rows`).
    """

    crs: CRS
    district: gpd.GeoDataFrame
    townships: gpd.GeoDataFrame
    extent: gpd.GeoDataFrame
    osm: OsmData
    facilities: list[tuple[LayerInput, gpd.GeoDataFrame]]
    population: Population
    landuse: gpd.GeoDataFrame | None
    control_lines: gpd.GeoDataFrame | None
    directions: gpd.GeoDataFrame | None
    units: dict[str, gpd.GeoDataFrame]
    kinds: dict[str, str]
    datasets: list[Dataset]
    files: dict[str, Path]
    notes: list[tuple[str, str]] = field(default_factory=list)
    prefixes: tuple[str, ...] = ()
    unused: pd.DataFrame | None = None

    def kinds_apart(self, section: str) -> list[str]:
        """Return what the files of a section rest on that times on foot do not use, such as ``transit``."""
        known = zip(self.files, self.datasets, strict=True)
        return [d.kind for setting, d in known if setting.startswith(f"{section}.")]


def load_inputs(study: Study, *, progress: Callable[[int, int], None] | None = None) -> StudyData:
    """Read every input of a study.

    Parameters
    ----------
    study : Study
        The settings.
    progress : callable, optional
        Called with inputs read and in all.

    Returns
    -------
    StudyData
        All inputs.

    Raises
    ------
    MissingFileError
        Files are not there; all are named at once.
    InputError
        A file is broken, changed, in a wrong CRS, or lacks columns.
    NoDataError
        A layer is empty.
    """
    files = dict(study.input_files())
    missing = {setting: path for setting, path in files.items() if not path.exists()}
    if missing:
        named = study.alternatives
        shown = "; ".join(
            f"{setting} = {' | '.join(map(str, named.get(setting, [path])))}" for setting, path in missing.items()
        )
        raise MissingFileError(
            f"{study.file.name}: 缺少 {len(missing)} 个输入文件: {shown};请放入文件或修改路径",
            f"{study.file.name}: {len(missing)} input files are missing: {shown}; add them or correct the path",
        )
    notes: list[tuple[str, str]] = []
    known: dict[Path, Dataset] = {}
    listed = study_datasets(study)
    if study.datasets or listed:
        # Without a manifest of its own the study lists nothing but what was fetched for it.
        checked = [f for f in files.values() if study.datasets or f.resolve() in listed]
        known, warned = check_datasets(listed, checked)
        notes += warned
    kinds = {s: known[path].kind for s, path in files.items() if path in known and not s.startswith(_APART)}
    settings = study.inputs
    crs = load_crs(study.crs, where=f"{study.file.name}: crs")
    total = len(files)
    done = 0

    def layer(setting: str, spec: LayerInput) -> gpd.GeoDataFrame:
        nonlocal done
        where = f"{setting} ({files[setting].name})"
        datum, said = input_datum(spec, known.get(files[setting]), where=where)
        notes.extend(said)
        if isinstance(spec, FacilityInput):
            own_types = files.get(f"{setting}.types_csv")
            frame = load_places(spec, files[setting], where=where, datum=datum, types_csv=own_types)
        else:
            frame = load_layer(
                files[setting],
                layer=spec.layer,
                encoding=spec.encoding,
                crs=spec.crs,
                datum=datum,
                columns=spec.columns,
                where=where,
            )
        if setting in _AREAS:
            _check_areas(frame, where)
        if setting == "inputs.control_lines":
            notes.extend(_check_lines(frame, where))
        if setting != "inputs.district":
            check_layer_place(frame, tuple(district.total_bounds), where=where)
        kinds[setting] = spec.kind or kinds.get(setting, "observed")
        notes.extend(frame.attrs.get("warnings", []))
        for what, count in frame.attrs.get("left_out", {}).items():
            if count:
                notes.append((f"{files[setting].name}: {what} {count}", f"{files[setting].name}: {what} {count}"))
        done += 1
        if progress:
            progress(done, total)
        return frame

    def maybe(setting: str, spec: LayerInput | None) -> gpd.GeoDataFrame | None:
        return None if spec is None else layer(setting, spec)

    district = layer("inputs.district", settings.district)
    townships = layer("inputs.townships", settings.townships)
    check_study_crs(crs, tuple(district.total_bounds), where=f"{study.file.name}: crs")
    beside = files.get("inputs.osm_extent") == extent_file(files["inputs.osm"])
    units = {kind: maybe(f"inputs.{kind}s", getattr(settings, f"{kind}s")) for kind in UNIT_KINDS}
    extent = maybe("inputs.osm_extent", LayerInput(path="") if beside else settings.osm_extent)
    landuse = maybe("inputs.landuse", settings.landuse)
    if landuse is not None and settings.landuse is not None:
        kind = settings.landuse.classification
        landuse, said = prepare_landuse(landuse, classification=kind, where="inputs.landuse")
        notes += said
    lines = maybe("inputs.control_lines", settings.control_lines)
    if lines is not None:
        lines, said = prepare_lines(lines, where="inputs.control_lines")
        notes += said
    for setting, path in files.items():
        if setting.startswith("transit.gtfs"):
            trips_on(load_gtfs(path), study.transit.date)  # without a trip on that day it is no use
    own = maybe("directions.layer", study.directions.layer)
    for name in SITE_LAYERS:
        # Read to be checked; siting reads them again, and times and people do not rest on them.
        maybe(f"siting.{name}", getattr(study.siting, name))
        kinds.pop(f"siting.{name}", None)
    facilities: list[tuple[LayerInput, gpd.GeoDataFrame]] = [
        (spec, layer(f"inputs.facilities[{i}]", spec)) for i, spec in enumerate(settings.facilities)
    ]
    population = load_population(
        files["inputs.population"],
        settings.population,
        zones=townships,
        bounds=tuple(district.total_bounds),
    )
    when = settings.population.date
    kinds["inputs.population"] = settings.population.kind or kinds.get("inputs.population", "observed")
    osm = load_osm(files["inputs.osm"])
    if osm.bounds is not None:
        name = f"inputs.osm ({files['inputs.osm'].name})"
        check_overlap(osm.bounds, WGS84, tuple(district.total_bounds), where=name, margin_deg=0.0)
    notes += township_fit(district.to_crs(crs), townships.to_crs(crs))
    kinds.setdefault("inputs.osm", "observed")
    prefixes = name_prefixes(district, study.name)
    names = [f"inputs.facilities[{i}]" for i in range(len(facilities))]
    places = {name: (files[name].name, frame) for name, (_, frame) in zip(names, facilities, strict=True)}
    notes += shift_notes(places, osm, crs=crs, prefixes=prefixes)
    if progress:
        progress(total, total)
    return StudyData(
        crs=crs,
        district=_with_kind(district.to_crs(crs), kinds["inputs.district"]),
        townships=_with_kind(townships.to_crs(crs), kinds["inputs.townships"]),
        units={
            kind: _with_kind(layer.to_crs(crs), kinds[f"inputs.{kind}s"])
            for kind, layer in units.items()
            if layer is not None
        },
        extent=(extent if extent is not None else district).to_crs(crs),
        osm=osm,
        facilities=facilities,
        population=population,
        landuse=None if landuse is None else _with_kind(landuse.to_crs(crs), kinds["inputs.landuse"]),
        control_lines=None if lines is None else _with_kind(lines.to_crs(crs), kinds["inputs.control_lines"]),
        directions=None if own is None else _with_kind(own.to_crs(crs), kinds["directions.layer"]),
        kinds=kinds,
        datasets=[known.get(path) or _unlisted(path, kinds.get(setting)) for setting, path in files.items()],
        files=files,
        prefixes=prefixes,
        unused=unused_rows(places),
        notes=notes + population.warnings + mixed_inputs(known, kinds, files, dates={"inputs.population": when}),
    )


def _check_areas(frame: gpd.GeoDataFrame, where: str) -> None:
    """Raise where a layer of areas holds points or lines."""
    wrong = int((~frame.geom_type.isin(["Polygon", "MultiPolygon"])).sum())
    if wrong:
        raise SchemaError(
            f"{where}: {wrong} 个要素不是面 (是点或线);请给出面图层",
            f"{where}: {wrong} features are points or lines, not areas; give a layer of polygons",
        )


def _check_lines(frame: gpd.GeoDataFrame, where: str) -> list[tuple[str, str]]:
    """Raise where control lines are points; say where they are lines, which have no inside."""
    points = int(frame.geom_type.isin(["Point", "MultiPoint"]).sum())
    if points:
        raise SchemaError(
            f"{where}: {points} 个要素是点;请给出控制线的面图层",
            f"{where}: {points} features are points; give a layer of the areas that control lines bound",
        )
    lines = int(frame.geom_type.isin(["LineString", "MultiLineString"]).sum())
    if not lines:
        return []
    return [
        (
            f"{where}: {lines} 条控制线是线而不是面, 没有范围: 只画出, 不计面积;请给出面图层",
            f"{where}: {lines} control lines are lines, not areas: they are drawn, and have no area; "
            "give a layer of polygons",
        )
    ]


def _unlisted(path: Path, kind: str | None) -> Dataset:
    """Return what is known of a file that no manifest describes: its name."""
    return Dataset(path.name, path.name, source="", licence="", kind=kind or "observed", sha256="")


def _with_kind(frame: gpd.GeoDataFrame, kind: str) -> gpd.GeoDataFrame:
    out = frame.copy()
    if "kind" not in out.columns:
        out["kind"] = kind
    return out
