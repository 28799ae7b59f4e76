"""The command line: a thin door to the pipeline.

Exit codes: 0 fine, 2 bad input, 3 no data, 4 output could not be written, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="15 分钟生活圈规划工具 · Planning tools for the 15-minute life circle.",
    epilog="退出码 exit codes: 0 正常 fine · 2 输入有误 bad input · 3 没有数据 no data · 4 无法写出 output failed",
)

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="study.toml 或其文件夹 · or its folder")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="只在出错时说话 · speak only of errors")]
Json = Annotated[bool, typer.Option("--json", help="以 JSON 输出结果 · print the result as JSON")]
Lang = Annotated[str, typer.Option(help="zh | en; 默认随研究 · default: the study's", metavar="LANG")]


def _language(wanted: str) -> str:
    if wanted in ("zh", "en"):
        return wanted
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "en" if locale.startswith("en") else "zh"


@contextmanager
def _door(lang: str, *, as_json: bool) -> Iterator[dict[str, str]]:
    """Turn errors of ours into one line and an exit code; nothing else is hidden."""
    from bishan_gis.errors import BishanGisError

    state = {"lang": _language(lang)}
    try:
        yield state
    except BishanGisError as err:
        if as_json:
            _print_json({"ok": False, "error": type(err).__name__, "message": err.message(state["lang"])})
        label = "错误" if state["lang"] == "zh" else "error"
        typer.echo(f"{label}: {err.message(state['lang'])}", err=True)
        raise typer.Exit(err.exit_code) from err
    except KeyboardInterrupt as err:
        typer.echo("已中断,没有写出任何结果 · interrupted, nothing was written", err=True)
        raise typer.Exit(130) from err


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="新研究的文件夹 · folder of the new study")],
    lang: Lang = "",
) -> None:
    """新建研究: 写出带注释的 study.toml · Start a study: write a commented study.toml."""
    from importlib.resources import files

    from bishan_gis.errors import OutputError

    with _door(lang, as_json=False) as state:
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
    """检查研究的设置和数据, 不做计算 · Check settings and data of a study without computing."""
    with _door(lang, as_json=json) as state:
        from bishan_gis.info import check_study
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        with _progress(quiet or json) as progress:
            report = check_study(loaded, progress=progress)
        if json:
            _print_json({"ok": True, **report})
        elif not quiet:
            _print_facts(report, title=loaded.label())


@app.command()
def run(study: StudyPath, json: Json = False, quiet: Quiet = False, lang: Lang = "") -> None:
    """运行研究: 计算可达性, 写出地图和表格 · Run a study: compute access, write maps and tables."""
    with _door(lang, as_json=json) as state:
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        with _progress(quiet or json) as progress:
            from bishan_gis.pipeline import run as run_study

            results = run_study(loaded, progress=progress)
        if json:
            _print_json({"ok": True, **results.record})
        elif not quiet:
            _print_results(results, state["lang"])


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
    with _door(lang, as_json=json):
        from bishan_gis.info import describe

        facts = describe(path)
        if json:
            _print_json({"ok": True, **facts})
        else:
            _print_facts(facts, title=path.name)


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """Yield ``progress(step, done, total)`` that draws a bar per step on standard error."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield progress


def _print_facts(facts: dict[str, Any], *, title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), show_header=False)
    for key, value in facts.items():
        if isinstance(value, dict):
            value = "\n".join(f"{k}: {v}" for k, v in value.items())
        elif isinstance(value, list):
            value = "\n".join(str(v) for v in value)
        table.add_row(Text(str(key)), Text(str(value)))
    Console().print(table)


def _print_results(results: Any, lang: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    zh = lang == "zh"
    console = Console()
    cutoffs = results.study.reach.cutoffs_min
    table = Table(title=Text(f"{results.study.label()} · " + ("步行覆盖人口" if zh else "people covered on foot")))
    table.add_column("服务" if zh else "service")
    for c in cutoffs:
        table.add_column(f"{c:g} min", justify="right")
    table.add_column("无法判断" if zh else "unknown", justify="right")
    rows = results.coverage
    rows = rows[(rows["zone_kind"] == "district") & (rows["age_group"] == "all")]
    for key, service in results.services.iterrows():
        mine = rows[rows["service"] == key].set_index("cutoff_min")
        if mine.empty:
            continue
        shares = [f"{mine.loc[c, 'people_covered'] / max(mine.loc[c, 'people'], 1):.1%}" for c in cutoffs]
        unknown = f"{mine.loc[cutoffs[-1], 'people_unknown']:,}"
        table.add_row(Text(service["zh"] if zh else service["en"]), *shares, unknown)
    console.print(table)
    for line in results.notes(lang):
        console.print(Text(line))


def main() -> None:
    """Run the command line."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        sys.stderr.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    app()


if __name__ == "__main__":
    main()
