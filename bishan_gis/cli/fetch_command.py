"""The command that fetches open data: the only one that opens a connection."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePath
from typing import Annotated, Any

import typer

from bishan_gis.cli.door import Json, Lang, Quiet, StudyPath, app, door, print_json, progress_bars

__all__ = ["fetch"]


class Door(StrEnum):
    """What can be fetched."""

    osm = "osm"
    elevation = "elevation"
    population = "population"


class Source(StrEnum):
    """Where streets come from."""

    overpass = "overpass"
    pbf = "pbf"


@app.command()
def fetch(
    study: StudyPath,
    only: Annotated[
        list[Door] | None, typer.Option(help="只取此项, 可重复 · only this; may be repeated", show_default=False)
    ] = None,
    source: Annotated[
        Source | None, typer.Option(help="街道来源, 默认按 [fetch] · where streets come from, default: as [fetch] says")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="只用已下载的, 不联网 · no connection at all")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只说明将取什么 · only say what would be fetched")] = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """联网获取公开数据: 街道, 高程, 人口; 中断后可续 · Fetch open data; goes on from where it was interrupted."""
    with door(lang, as_json=json) as state:
        from bishan_gis.sources.fetch.run import fetch_study
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        doors, streets = [str(d) for d in only or ()], str(source) if source else None
        options: dict[str, Any] = {"lang": state["lang"], "only": doors, "source": streets}
        try:
            with progress_bars(quiet or json or dry_run) as progress:
                found = fetch_study(loaded, offline=offline, dry_run=dry_run, progress=progress, **options)
        except KeyboardInterrupt as err:
            stopped = "已中断;再运行同一命令会从中断处继续"
            if state["lang"] == "en":
                stopped = "interrupted; run the same command again to go on from there"
            typer.echo(stopped, err=True)
            raise typer.Exit(130) from err
        if json:
            print_json({"ok": True, "dry_run": dry_run, **found})
        elif not quiet:
            _show(found, state["lang"], dry_run=dry_run)


def _show(found: dict[str, Any], lang: str, *, dry_run: bool) -> None:
    """Show what came, or would come."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    zh = lang == "zh"
    title = ("将获取" if zh else "would be fetched") if dry_run else ("已获取" if zh else "fetched")
    table = Table(title=Text(f"{found['study']} · {title}"), show_lines=True)
    for head in ("数据", "文件", "来源与许可") if zh else ("data", "file", "from, and licence"):
        table.add_column(head, overflow="fold")
    for item in found["items"]:
        size = ("大小未知" if zh else "size unknown") if item["bytes"] is None else f"{item['bytes'] / 1e6:,.1f} MB"
        asked = f"{item['requests']:,} 次请求" if zh else f"{item['requests']:,} requests"
        facts = [PurePath(item["file"]).name, size, asked, item["date"], item["kind"]]
        urls = item["url"]
        more = f" (+{len(urls) - 1})" if len(urls) > 1 else ""
        lines = "\n".join(v for v in facts if v)
        table.add_row(Text(item["what"]), Text(lines), Text(f"{urls[0]}{more}\n{item['licence']}"))
    console = Console()
    console.print(table)
    for note in found["notes"]:
        console.print(Text(note))
    place = found["folder"] if dry_run else found["datasets"]
    said = ("写入" if zh else "would go into") if dry_run else ("已登记于" if zh else "entered in")
    console.print(Text(f"{said} {place}"))
