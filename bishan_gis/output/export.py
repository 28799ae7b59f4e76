"""Results in the formats of other programs, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.errors import InputError
from bishan_gis.output.files import Staging
from bishan_gis.output.run_layers import run_layers

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = ["EXPORTS", "check_formats", "write_exports"]

#: Formats, in the order in which they are written.
EXPORTS = ("xlsx", "qgis", "shp", "dxf", "png", "svg", "pdf", "pmtiles")

Progress = Callable[[str, int, int], None]


def check_formats(formats: Sequence[str]) -> list[str]:
    """Return the formats asked for, each once, in the order of :data:`EXPORTS`.

    Parameters
    ----------
    formats : sequence of str
        What was asked for.

    Raises
    ------
    InputError
        One is not known, or there is none.

    Examples
    --------
    >>> check_formats(["png", "xlsx", "png"])
    ['xlsx', 'png']
    """
    wrong = [f for f in formats if f not in EXPORTS]
    if wrong or not formats:
        given, known = ", ".join(wrong) or "-", ", ".join(EXPORTS)
        raise InputError(f"没有导出格式 {given};可用: {known}", f"no format {given}; there are {known}")
    return [f for f in EXPORTS if f in formats]


def write_exports(
    results: Results,
    folder: Path,
    *,
    formats: Sequence[str],
    services: Sequence[str] = (),
    progress: Progress | None = None,
) -> list[Path]:
    """Write the results of a run in the formats asked for.

    Parameters
    ----------
    results : Results
        A run; with findings for gaps, policy and sites.
    folder : pathlib.Path
        Where to; Shapefiles and tiles go into folders of their own in it.
    formats : sequence of str
        Of :data:`EXPORTS`: Excel, GeoPackage with styles and a QGIS project, Shapefile, DXF, maps for print as PNG, SVG
        or PDF, vector tiles.
    services : sequence of str
        Services that maps for print show; the study's default where left out.
    progress : callable, optional
        Called with the format, what is done, and what there is in all.

    Returns
    -------
    list of pathlib.Path
        The files, in the order in which they were written.

    Raises
    ------
    InputError
        A format or service is unknown.
    OutputError
        A file cannot be written, or a format cannot hold the data; what stood there before still stands.
    """
    wanted = check_formats(formats)
    study = results.study
    places = {"export": folder} | {f: folder / f for f in ("shp", "pmtiles") if f in wanted}
    pictures = [f for f in wanted if f in ("png", "svg", "pdf")]
    layers = run_layers(results, facility_circles=study.outputs.facility_circles and "qgis" in wanted)
    few = {name: frame for name, frame in layers.items() if name != "facility_circles"}

    def tell(name: str, done: int) -> None:
        if progress:
            progress(name, done, 1)

    with Staging(places) as out:
        for name in [f for f in wanted if f not in pictures] + (["maps"] if pictures else []):
            tell(name, 0)
            if name == "xlsx":
                from bishan_gis.output.excel import write_workbook

                write_workbook(results, out.path("export", f"{study.id}.xlsx"))
            elif name == "qgis":
                from bishan_gis.output.qgis import write_qgis

                write_qgis(results, layers, out, "export")
            elif name == "shp":
                from bishan_gis.output.maps.context import Context
                from bishan_gis.output.shapefile import write_shapefiles
                from bishan_gis.output.short_names import run_names

                services_zh = {str(k): str(v) for k, v in results.services["zh"].items()}
                short = run_names(services_zh, Context(results).parts)
                hidden = out.path("shp", "fields.csv").parent
                for path in write_shapefiles(few, hidden, short=short, lang=study.lang):
                    out.path("shp", path.name)
            elif name == "dxf":
                from bishan_gis.output.dxf import write_dxf

                write_dxf(results, out.path("export", f"{study.id}.dxf"))
            elif name == "pmtiles":
                from bishan_gis.output.pmtiles import LAYERS, write_pmtiles

                hidden = out.path("pmtiles", f"{next(iter(LAYERS))}.pmtiles").parent
                for path in write_pmtiles(few, hidden):
                    out.path("pmtiles", path.name)
            else:
                from bishan_gis.output.static_maps import static_map_files

                for file, content in static_map_files(results, formats=pictures, services=services):
                    out.path("export", file).write_bytes(content)
            tell(name, 1)
        return out.commit()
