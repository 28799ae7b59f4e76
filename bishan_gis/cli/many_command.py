"""``bishan-gis run-many``: many studies at once, and a report over all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bishan_gis.cli.door import Json, Lang, Quiet, app, door, print_json, progress_bars

__all__ = ["run_many"]


@app.command(name="run-many")
def run_many(
    studies: Annotated[
        list[Path],
        typer.Argument(
            metavar="STUDIES...", help="study.toml, 其文件夹, 或存放多个研究的文件夹 · or a folder of studies"
        ),
    ],
    scheduler: Annotated[
        str, typer.Option(metavar="WHERE", help="processes 本机 · sync 当前进程 · tcp://host:port Dask 集群 cluster")
    ] = "processes",
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="进程数; 默认每核一个 · default: one per core")
    ] = None,
    retries: Annotated[int, typer.Option(metavar="N", help="失败后重试次数 · how often a failed study is retried")] = 2,
    out: Annotated[Path, typer.Option(metavar="DIR", help="汇总报告的文件夹 · folder of the report")] = Path("city"),
    redo: Annotated[bool, typer.Option("--redo", help="已完成的也重新计算 · also run what is done")] = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """并行运行多个研究并汇总; 有研究失败时退出码为 1 · Run many studies at once; exit code 1 if any fails."""
    with door(lang, as_json=json) as state:
        from bishan_gis.many.studies import run_many as run_all

        with progress_bars(quiet or json) as bars:

            def progress(_name: str, done: int, total: int) -> None:
                if bars:
                    bars("研究 studies", done, total)

            ran = run_all(
                studies,
                scheduler=scheduler,
                workers=workers,
                retries=retries,
                out=out,
                redo=redo,
                lang=lang,
                progress=progress,
            )
        failed = {name: error.message(state["lang"]) for name, error in ran.errors.items()}
        if json:
            files = [str(f) for f in ran.files]
            print_json({"ok": not failed, "states": ran.states, "failed": failed, "files": files})
        elif not quiet:
            for name, now in ran.states.items():
                seconds = f" {ran.seconds[name]:.1f} s" if name in ran.seconds else ""
                typer.echo(f"{now:7}{seconds} {name}")
            for file in ran.files:
                typer.echo(str(file))
        for name, message in failed.items():
            typer.echo(f"{'错误' if state['lang'] == 'zh' else 'error'}: {name}: {message}", err=True)
        if failed:
            # As a run that is not possible at all where nothing could be run.
            raise typer.Exit(1 if ran.districts else 3)
