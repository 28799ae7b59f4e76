"""The command line: a thin door to the pipeline.

Exit codes: 0 fine, 1 more people lack a service than ``gaps --fail-above`` allows, 2 bad input, 3 no data, 4 output
could not be written, 130 interrupted.
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
    epilog="退出码 exit codes: 0 正常 fine · 1 超过 gaps --fail-above · 2 输入有误 bad input · 3 没有数据 no data · "
    "4 无法写出 output failed",
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
def policy(
    study: StudyPath,
    since: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD", help="上次运行的 coverage.csv 或其文件夹 · coverage.csv of an earlier run, or its folder"
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """逐条评价政策: 数值, 结论, 或所需数据 · Evaluate a policy, element by element, or say what it needs."""
    with _door(lang, as_json=json) as state:
        from bishan_gis.output.policy_table import policy_records, policy_table
        from bishan_gis.planning.policy import evaluate_policy, load_coverage, load_policy
        from bishan_gis.planning.standards import study_standards
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        # What a run of a minute would only find wrong at its end is read first.
        catalogue = load_policy(loaded.raw(loaded.policy.catalogue) if loaded.policy.catalogue else None)
        standards = study_standards(loaded)
        previous = load_coverage(since) if since else None
        with _progress(quiet or json) as progress:
            from bishan_gis.pipeline import run as run_study

            results = run_study(loaded, write=False, progress=progress)
        table = evaluate_policy(results, catalogue=catalogue, standards=standards, previous=previous)
        if json:
            _print_json(policy_records(table))
        elif not quiet:
            from rich.console import Console

            console = Console()
            console.print(policy_table(table, title=loaded.label(), lang=state["lang"]))
            for line in results.notes(state["lang"])[:2]:
                console.print(line, markup=False)


@app.command()
def compare(
    study: StudyPath,
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="scenario.toml")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[SCENARIO2]", help="与第一个情景比较 · compared with the first one")
    ] = None,
    service: Annotated[list[str] | None, typer.Option(help="只比较此服务, 可重复 · only this service")] = None,
    year: Annotated[int | None, typer.Option(help="到此年为止的修改 · edits up to this year")] = None,
    series: Annotated[bool, typer.Option("--series", help="另写各年的表 · also a table over all years")] = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """比较情景: 谁受益, 谁受损 · Compare a scenario: who gains, who loses."""
    with _door(lang, as_json=json) as state:
        from bishan_gis.planning.scenarios import load_scenario
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        plans = [load_scenario(p) for p in (scenario, other) if p is not None]
        with _progress(quiet or json) as progress:
            from bishan_gis.scenario_run import compare_scenarios

            found, after, facts = compare_scenarios(
                loaded, plans, year=year, services=service or None, series=series, progress=progress
            )
        if json:
            _print_json({"ok": True, **facts})
        elif not quiet:
            _print_comparison(found, after, facts["services"], state["lang"])


@app.command()
def gaps(
    study: StudyPath,
    json: Annotated[
        str, typer.Option("--json", metavar="FILE|-", help="另写 JSON; - 为输出 · also as JSON; -: here")
    ] = "",
    service: Annotated[list[str] | None, typer.Option(help="只看这些设施 · only this service; repeat for more")] = None,
    level: Annotated[list[float] | None, typer.Option(help="只看这些级别, 分钟 · only this level [min]")] = None,
    zone: Annotated[
        list[str] | None, typer.Option(help="只看这些分区, 编号或名称 · only this zone, id or name")
    ] = None,
    since: Annotated[
        Path | None, typer.Option(metavar="OLD_RUN", help="与以前的 gaps.json 比较 · compare with")
    ] = None,
    fail_above: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="缺设施的人多于 N 时退出码为 1 · exit 1 above N people")
    ] = None,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """找出覆盖缺口: 哪里缺什么, 多少人, 为什么 · Find coverage gaps: what is missing where, for whom, and why."""
    with _door(lang, as_json=json == "-") as state:
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        old = None
        if since is not None:
            from bishan_gis.sources.gap_files import load_gaps

            old = load_gaps(since)
        with _progress(quiet or json == "-") as progress:
            from bishan_gis.pipeline import run as run_study

            results = run_study(loaded, write=False, progress=progress)
        from bishan_gis.output.gap_files import gap_record, json_text, write_gaps
        from bishan_gis.planning.gap_changes import compare_gaps
        from bishan_gis.planning.gaps import find_gaps

        found = find_gaps(results, services=service or [], levels=level or [], zones=zone or [])
        changes = None if old is None else compare_gaps(old, gap_record(found, listed=0))
        extra = Path(json) if json not in ("", "-") else None
        record = write_gaps(found, loaded.processed, changes=changes, extra=extra)
        if json == "-":
            typer.echo(json_text(record), nl=False)
        elif not quiet:
            _print_gaps(record, state["lang"])
        lacking = record["totals"]["people_lacking"]
        if fail_above is not None and lacking > fail_above:
            zh, en = (
                f"{lacking:,} 人缺设施, 多于 {fail_above:,}",
                f"{lacking:,} people lack a service, above {fail_above:,}",
            )
            typer.echo(zh if state["lang"] == "zh" else en, err=True)
            raise typer.Exit(1)


@app.command()
def siting(
    study: StudyPath,
    service: Annotated[str, typer.Option(help="设施类别 · service to build", metavar="SERVICE")],
    sites: Annotated[int | None, typer.Option(min=1, metavar="N", help="至多几处 · at most this many sites")] = None,
    model: Annotated[str, typer.Option(help="lscp | mclp | p_median | p_center | backup", metavar="MODEL")] = "mclp",
    zone: Annotated[str | None, typer.Option(help="只在此分区, 编号或名称 · within this zone, id or name")] = None,
    age: Annotated[str, typer.Option(help="年龄组 · age group", metavar="GROUP")] = "all",
    budget: Annotated[float | None, typer.Option(min=0, help="总预算 · sum of costs")] = None,
    best: Annotated[int, typer.Option(min=1, metavar="K", help="列出最好的几个方案 · list the K best plans")] = 1,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """选址: 新设施建在哪里, 服务的人最多 · Choose sites: where new facilities serve most people."""
    with _door(lang, as_json=json) as state:
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        with _progress(quiet or json) as progress:
            from bishan_gis.pipeline import run as run_study

            results = run_study(loaded, write=False, progress=progress)
        from bishan_gis.output.siting_files import write_siting
        from bishan_gis.planning.study_sites import study_sites

        options: dict[str, Any] = {"sites": sites, "budget": budget, "zone": zone, "age": age, "k_best": best}
        found = study_sites(results, service=service, model=model, **options)
        write_siting(found, loaded.processed)
        if json:
            _print_json({"ok": True, **found.facts})
        elif not quiet:
            _print_sites(found.facts, state["lang"])


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


def _print_comparison(found: Any, after: Any, services: dict[str, dict[str, str]], lang: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    zh = lang == "zh"
    console = Console()
    if found.empty:
        console.print(Text("没有任何变化" if zh else "nothing changes"))
        return
    table = Table(title=Text(f"{found.before} → {found.after}"))
    names = ["服务", "阈值", "之前", "之后", "变化", "受益", "受损", "无法判断"]
    if not zh:
        names = ["service", "cutoff", "before", "after", "change", "gain", "lose", "unknown"]
    for i, name in enumerate(names):
        table.add_column(name, justify="right" if i else "left")
    for _, row in found.summary().iterrows():
        numbers = [row["people_covered_before"], row["people_covered_after"]]
        shown = [f"{n:,}" for n in numbers] + [f"{row['people_covered_change']:+,}"]
        shown += [f"{row[c]:,}" for c in ("people_gain", "people_lose", "people_unknown_after")]
        table.add_row(Text(services[row["service"]]["zh" if zh else "en"]), f"{row['cutoff_min']:g} min", *shown)
    console.print(table)
    for line in after.notes(lang):
        console.print(Text(line))


def _print_gaps(record: dict[str, Any], lang: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    zh = lang == "zh"
    console = Console()
    table = Table(title=Text(f"{record['label']} · " + ("覆盖缺口" if zh else "coverage gaps")))
    for head in (
        ("服务", "阈值", "未覆盖", "占比", "未知", "缺口") if zh else ("service", "", "lack it", "", "unknown", "areas")
    ):
        table.add_column(head, justify="left" if not table.columns else "right")
    for row in sorted(record["services"], key=lambda r: -r["weight"] * r["severity_person_min"]):
        share = f"{row['people_deficient'] / max(row['people'], 1):.1%}"
        numbers = [f"{row['people_deficient']:,}", share, f"{row['people_unknown']:,}", f"{row['areas']:,}"]
        table.add_row(Text(row[f"name_{lang}"]), f"{row['level_min']:g} min", *numbers)
    console.print(table)
    for row in record["gaps"][:10]:
        console.print(Text(f"{row['rank']}. {row[f'text_{lang}']}"))
    for row in record.get("changes", {}).get("services", []):
        opened, closed = row["people_opened"], row["people_closed"]
        if opened or closed:
            more, fewer = ("新增", "减少") if zh else ("opened", "closed")
            console.print(Text(f"{row['service']}: {more} {opened:,}, {fewer} {closed:,}"))
    if record["kind"] in ("assumed", "synthetic"):
        zh_note, en_note = "注意: 结果依赖合成或假设数据,不能用于决策", "note: rests on synthetic or assumed data"
        console.print(Text(zh_note if zh else en_note))


def _print_sites(facts: dict[str, Any], lang: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    zh = lang == "zh"
    console = Console()
    table = Table(title=Text(f"{facts[f'service_{lang}']} · {facts['cutoff_min']:g} min · {facts['model']}"))
    for head in ("序", "候选地", "镇街", "新增人口", "累计") if zh else ("", "site", "township", "people", "in all"):
        table.add_column(head, justify="left" if head in ("候选地", "镇街", "site", "township") else "right")
    for row in facts["chosen"]:
        numbers = f"{row['people_new']:,.0f}", f"{row['people_total']:,.0f}"
        table.add_row(str(row["order"]), Text(row["candidate_id"]), Text(str(row["township"])), *numbers)
    console.print(table)
    left = ", ".join(f"{k} {v:,.0f}" for k, v in facts["people_uncovered"].items())
    out = ", ".join(f"{k} {v:,}" for k, v in facts["rejected"].items())
    lines = [
        f"求解: {facts['status']}, 差距 {facts['gap']:.2%}" if zh else f"{facts['status']}, gap {facts['gap']:.2%}",
        f"仍未覆盖: {left}" if zh else f"still uncovered: {left}",
        ("候选地" if zh else "candidates") + f" {facts['candidates']:,}; " + ("排除: " if zh else "excluded: ") + out,
    ]
    if facts["kind"] in ("assumed", "synthetic"):
        zh_note, en_note = "注意: 结果依赖合成或假设数据,不能用于决策", "note: rests on synthetic or assumed data"
        lines.append(zh_note if zh else en_note)
    for line in lines:
        console.print(Text(line))


def main() -> None:
    """Run the command line."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        sys.stderr.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    app()


if __name__ == "__main__":
    main()
