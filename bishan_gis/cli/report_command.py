"""``bishan-gis report``: the report of a study as HTML, PDF and Word."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bishan_gis.cli.door import Json, Lang, Quiet, StudyPath, app, door, print_json, progress_bars

__all__ = ["report"]


@app.command()
def report(
    study: StudyPath,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="FORMAT", help="html | pdf | docx, 可重复; 默认全部 · repeat; default: all"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="写到此文件夹; 默认 processed/report · folder to write to")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """生成报告: 结论, 政策逐条, 表格, 缺口, 选址, 数据 · Write the report as HTML, PDF and Word."""
    with door(lang, as_json=json) as state:
        from bishan_gis.errors import InputError
        from bishan_gis.output.maps.beside import refresh_index
        from bishan_gis.output.report import check_formats, write_report
        from bishan_gis.sources.report_files import load_report_files
        from bishan_gis.study import load_study

        loaded = load_study(study)
        if lang not in ("", "zh", "en"):
            raise InputError(f"--lang {lang}: 只有 zh 与 en", f"--lang {lang}: there are zh and en")
        state["lang"] = lang or loaded.lang
        # What a run of a minute would only find wrong at its end is read first.
        wanted = check_formats(formats or [])
        extra = load_report_files(loaded)
        with progress_bars(quiet or json) as progress:
            from bishan_gis.pipeline import run as run_study

            results = run_study(loaded, write=False, findings=loaded.outputs.findings, progress=progress)
            if progress:
                progress("报告 report", 0, 1)
            folder = out if out is not None else loaded.processed / "report"
            files, facts = write_report(results, folder, formats=wanted, lang=state["lang"], extra=extra)
            refresh_index(loaded)
            if progress:
                progress("报告 report", 1, 1)
        if json:
            heads = [{k: h[k] for k in ("title", "big", "value", "text")} for h in facts["headlines"]]
            print_json({"ok": True, "files": [str(f) for f in files], "kind": facts["kind"], "headlines": heads})
        elif not quiet:
            for head in facts["headlines"]:
                typer.echo(f"{head['title']}: {head['big']} {head['text']}")
            for finding in facts["findings"]:
                typer.echo(f"- {finding['what']}")
            if facts["warning"]:
                typer.echo(facts["warning"])
            for file in files:
                typer.echo(str(file))
