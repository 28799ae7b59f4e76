"""The command that writes results for other programs."""

from __future__ import annotations

from typing import Annotated

import typer

from bishan_gis.cli.door import Json, Lang, Quiet, StudyPath, app, door, print_json, progress_bars

__all__ = ["export"]


@app.command()
def export(
    study: StudyPath,
    format_: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="xlsx | qgis | shp | dxf | png | svg | pdf | pmtiles, 可重复 · repeat for more; 默认 default: xlsx",
        ),
    ] = None,
    service: Annotated[list[str] | None, typer.Option(help="图片所示的设施, 可重复 · service shown on maps")] = None,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """导出: Excel, QGIS, Shapefile, CAD, 图片, 矢量瓦片 · Export for Excel, QGIS, GIS of old, CAD, print, web tiles."""
    with door(lang, as_json=json) as state:
        from bishan_gis.output.export import check_formats, write_exports
        from bishan_gis.output.maps.beside import refresh_index
        from bishan_gis.study import load_study

        formats = check_formats(format_ or ["xlsx"])
        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        with progress_bars(quiet or json) as progress:
            from bishan_gis.pipeline import run as run_study

            needs = bool({"xlsx", "png", "svg", "pdf"} & set(formats)) and loaded.outputs.findings
            results = run_study(loaded, write=False, findings=needs, progress=progress)
            folder = loaded.processed / "export"
            paths = write_exports(results, folder, formats=formats, services=service or [], progress=progress)
            refresh_index(loaded)
        if json:
            print_json({"ok": True, "kind": results.kind, "files": [str(p) for p in paths]})
        elif not quiet:
            for path in paths:
                typer.echo(path)
            for line in results.notes(state["lang"])[:2]:
                typer.echo(line)
