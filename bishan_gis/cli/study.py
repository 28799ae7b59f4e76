"""Commands about a study as a whole: start, check, run, describe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bishan_gis.cli.door import Json, Lang, Quiet, StudyPath, app, door, print_json, progress_bars
from bishan_gis.cli.readiness_table import show_readiness
from bishan_gis.cli.show import show_facts, show_results

__all__ = ["check", "info", "init", "run"]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="新研究的文件夹 · folder of the new study")],
    lang: Lang = "",
) -> None:
    """新建研究: 写出带注释的 study.toml · Start a study: write a commented study.toml."""
    from importlib.resources import files

    from bishan_gis.errors import OutputError

    with door(lang, as_json=False) as state:
        target = folder / "study.toml"
        if target.exists():
            raise OutputError(
                f"{target} 已存在,不会覆盖;请换一个文件夹",
                f"{target} exists and is not overwritten; choose another folder",
            )
        data = files("bishan_gis").joinpath("data")
        try:
            (folder / "data" / "raw").mkdir(parents=True, exist_ok=True)
            for name, source in (
                ("study.toml", "study_template.toml"),
                ("data/raw/datasets.toml", "datasets_template.toml"),
            ):
                place = folder / name
                if not place.exists():
                    place.write_text(data.joinpath(source).read_text(encoding="utf-8"), encoding="utf-8")
        except OSError as err:
            raise OutputError(f"无法写入 {folder}: {err}", f"cannot write to {folder}: {err}") from err
        done = f"已写出 {target};请按注释填写,然后运行 bishan-gis check {folder}"
        if state["lang"] == "en":
            done = f"wrote {target}; fill it in as its comments say, then run bishan-gis check {folder}"
        typer.echo(done)


@app.command()
def check(study: StudyPath, json: Json = False, quiet: Quiet = False, lang: Lang = "") -> None:
    """检查研究的设置和数据是否齐备, 不做计算 · Check settings and data of a study without computing."""
    with door(lang, as_json=json) as state:
        from bishan_gis.errors import BishanGisError
        from bishan_gis.info import check_study, readiness_rows
        from bishan_gis.readiness import build_readiness
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        try:
            with progress_bars(quiet or json) as progress:
                report = check_study(loaded, progress=progress, lang=state["lang"])
        except BishanGisError as err:
            # What is there and what is not is most wanted where something is wrong.
            rows = readiness_rows(build_readiness(loaded))
            if json:
                message = err.message(state["lang"])
                print_json({"ok": False, "error": type(err).__name__, "message": message, "readiness": rows})
                typer.echo(f"{'错误' if state['lang'] == 'zh' else 'error'}: {message}", err=True)
                raise typer.Exit(err.exit_code) from err
            if not quiet:
                show_readiness(rows, state["lang"], title=loaded.label())
            raise
        if json:
            print_json({"ok": True, **report})
        elif not quiet:
            show_readiness(report.pop("readiness"), state["lang"], title=loaded.label())
            show_facts(report, title=loaded.label())


@app.command()
def run(study: StudyPath, json: Json = False, quiet: Quiet = False, lang: Lang = "") -> None:
    """运行研究: 计算可达性, 写出地图和表格 · Run a study: compute access, write maps and tables."""
    with door(lang, as_json=json) as state:
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        with progress_bars(quiet or json) as progress:
            from bishan_gis.pipeline import run as run_study

            results = run_study(loaded, progress=progress)
        if json:
            print_json({"ok": True, **results.record})
        elif not quiet:
            show_results(results, state["lang"])


@app.command()
def info(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="OSM 文件, 图层, 栅格或研究 · OSM file, layer, raster or study"),
    ],
    json: Json = False,
    lang: Lang = "",
) -> None:
    """说明一个文件里有什么 · Say what a file holds."""
    with door(lang, as_json=json):
        from bishan_gis.info import describe

        facts = describe(path)
        if json:
            print_json({"ok": True, **facts})
        else:
            show_facts(facts, title=path.name)
