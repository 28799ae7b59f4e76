"""Everything a study names, read once and checked before any work starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.crs import check_study_crs, load_crs
from bishan_gis.errors import MissingFileError, NoDataError
from bishan_gis.sources.datasets import Dataset, check_datasets, load_datasets
from bishan_gis.sources.layers import load_layer
from bishan_gis.sources.osm import OsmData, load_osm
from bishan_gis.sources.population import Population, load_population

if TYPE_CHECKING:
    import geopandas as gpd
    from pyproj import CRS

    from bishan_gis.study import LayerInput, Study

__all__ = ["StudyData", "load_inputs"]


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
    kinds : dict
        Setting -> observed, derived, assumed or synthetic.
    datasets : list of Dataset
        What is known about the files.
    files : dict
        Setting -> path.
    notes : list of (zh, en)
        What the reader should know.
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
    kinds: dict[str, str]
    datasets: list[Dataset]
    files: dict[str, Path]
    notes: list[tuple[str, str]] = field(default_factory=list)


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
        shown = "; ".join(f"{setting} = {path}" for setting, path in missing.items())
        raise MissingFileError(
            f"{study.file.name}: 缺少 {len(missing)} 个输入文件: {shown};请放入文件或修改路径",
            f"{study.file.name}: {len(missing)} input files are missing: {shown}; add them or correct the path",
        )
    notes: list[tuple[str, str]] = []
    known: dict[Path, Dataset] = {}
    if study.datasets:
        known, warned = check_datasets(load_datasets(study.datasets), files.values())
        notes += warned
    kinds = {setting: known[path].kind for setting, path in files.items() if path in known}
    settings = study.inputs
    crs = load_crs(study.crs, where=f"{study.file.name}: crs")
    total = len(files)
    done = 0

    def layer(setting: str, spec: LayerInput) -> gpd.GeoDataFrame:
        nonlocal done
        frame = load_layer(
            files[setting],
            layer=spec.layer,
            encoding=spec.encoding,
            crs=spec.crs,
            columns=spec.columns,
            where=f"{setting} ({files[setting].name})",
        )
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
    _check_overlap(district, townships)
    extent = maybe("inputs.osm_extent", settings.osm_extent)
    landuse = maybe("inputs.landuse", settings.landuse)
    lines = maybe("inputs.control_lines", settings.control_lines)
    own = maybe("directions.layer", study.directions.layer)
    facilities = [(spec, layer(f"inputs.facilities[{i}]", spec)) for i, spec in enumerate(settings.facilities)]
    population = load_population(
        files["inputs.population"],
        settings.population,
        zones=townships,
        bounds=tuple(district.total_bounds),
    )
    kinds["inputs.population"] = settings.population.kind or kinds.get("inputs.population", "observed")
    osm = load_osm(files["inputs.osm"])
    kinds.setdefault("inputs.osm", "observed")
    if progress:
        progress(total, total)
    return StudyData(
        crs=crs,
        district=_with_kind(district.to_crs(crs), kinds["inputs.district"]),
        townships=_with_kind(townships.to_crs(crs), kinds["inputs.townships"]),
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
        notes=notes + population.warnings,
    )


def _unlisted(path: Path, kind: str | None) -> Dataset:
    """Return what is known of a file that no manifest describes: its name."""
    return Dataset(path.name, path.name, source="", licence="", kind=kind or "observed", sha256="")


def _with_kind(frame: gpd.GeoDataFrame, kind: str) -> gpd.GeoDataFrame:
    out = frame.copy()
    if "kind" not in out.columns:
        out["kind"] = kind
    return out


def _check_overlap(district: gpd.GeoDataFrame, townships: gpd.GeoDataFrame) -> None:
    """Raise when the townships lie elsewhere: a wrong file, datum or axis order."""
    west, south, east, north = district.total_bounds
    w, s, e, n = townships.total_bounds
    if e < west or w > east or n < south or s > north:
        raise NoDataError(
            f"街镇 ({w:.3f}, {s:.3f}) - ({e:.3f}, {n:.3f}) 与区界 ({west:.3f}, {south:.3f}) - "
            f"({east:.3f}, {north:.3f}) 没有重叠;请检查文件、坐标系和经纬度顺序",
            f"the townships ({w:.3f}, {s:.3f}) - ({e:.3f}, {n:.3f}) do not overlap the district "
            f"({west:.3f}, {south:.3f}) - ({east:.3f}, {north:.3f}); check file, CRS and axis order",
        )
