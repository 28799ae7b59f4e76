"""Commands that plan: policy, gaps, sites, scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bishan_gis.cli.door import Json, Lang, Quiet, StudyPath, app, door, print_json, progress_bars
from bishan_gis.cli.show import show_comparison, show_gaps, show_sites

__all__ = ["compare", "gaps", "policy", "siting"]


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
    with door(lang, as_json=json) as state:
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
        with progress_bars(quiet or json) as progress:
            from bishan_gis.pipeline import run as run_study

            results = run_study(loaded, write=False, progress=progress)
        table = evaluate_policy(results, catalogue=catalogue, standards=standards, previous=previous)
        if json:
            print_json(policy_records(table))
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
    years: Annotated[
        str, typer.Option(help="各年的表用这些年份 · the years of that table", metavar="2025,2030,2035")
    ] = "",
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """比较情景: 谁受益, 谁受损 · Compare a scenario: who gains, who loses."""
    with door(lang, as_json=json) as state:
        from bishan_gis.planning.scenarios import load_scenario
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        plans = [load_scenario(p) for p in (scenario, other) if p is not None]
        with progress_bars(quiet or json) as progress:
            from bishan_gis.scenario_run import compare_scenarios

            found, after, facts = compare_scenarios(
                loaded,
                plans,
                year=year,
                services=service or None,
                series=series,
                years=_years(years),
                progress=progress,
            )
        if json:
            print_json({"ok": True, **facts})
        elif not quiet:
            show_comparison(found, after, facts["services"], state["lang"])


def _years(text: str) -> list[int]:
    """Return years written with commas between."""
    from bishan_gis.errors import InputError

    parts = [p.strip() for p in text.split(",") if p.strip()]
    if not all(p.isdecimal() and 1900 <= int(p) <= 2200 for p in parts):
        raise InputError(f"--years {text}: 请写成 2025,2030,2035", f"--years {text}: write it as 2025,2030,2035")
    return [int(p) for p in parts]


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
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="全部重新计算, 不读不写缓存 · compute everything anew")
    ] = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """找出覆盖缺口: 哪里缺什么, 多少人, 为什么 · Find coverage gaps: what is missing where, for whom, and why."""
    with door(lang, as_json=json == "-") as state:
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        old = None
        if since is not None:
            from bishan_gis.sources.gap_files import load_gaps

            old = load_gaps(since)
        from bishan_gis.cache import Store
        from bishan_gis.stages import gap_answer as answers

        chosen: dict[str, Any] = {"services": service or [], "levels": level or [], "zones": zone or []}
        extra = Path(json) if json not in ("", "-") else None
        if extra is not None:
            answers.check_place(extra)
        with (
            progress_bars(quiet or json == "-") as progress,
            Store(None if no_cache else answers.cache_folder(loaded)) as store,
        ):
            answer = answers.gap_answer(loaded, store, progress=progress, **chosen)
        suffix = answers.selection_suffix(**chosen)
        text = answers.write_answer(answer, loaded, old=old, extra=extra, suffix=suffix)
        if json == "-":
            typer.echo(text, nl=False)
        elif not quiet:
            import json as reader

            show_gaps(
                reader.loads(text),
                state["lang"],
                files=f"{loaded.processed}: gaps{suffix}.json .csv .geojson, places{suffix}.csv",
            )
        lacking = answers.people_lacking(text) if fail_above is not None else 0
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
    service: Annotated[
        list[str],
        typer.Option(help="设施类别, 可重复: 共用选址 · service to build; several share the sites", metavar="SERVICE"),
    ],
    sites: Annotated[int | None, typer.Option(min=1, metavar="N", help="至多几处 · at most this many sites")] = None,
    model: Annotated[
        str, typer.Option(help="lscp | mclp | p_median | p_center | backup | hierarchical", metavar="MODEL")
    ] = "mclp",
    zone: Annotated[str | None, typer.Option(help="只在此分区, 编号或名称 · within this zone, id or name")] = None,
    age: Annotated[str, typer.Option(help="年龄组 · age group", metavar="GROUP")] = "all",
    cutoff: Annotated[
        float | None, typer.Option(help="分钟数, 代替标准 · minutes, in place of the standards", metavar="MIN")
    ] = None,
    budget: Annotated[float | None, typer.Option(min=0, help="总预算 · sum of costs")] = None,
    capacity: Annotated[
        float | None, typer.Option(help="每处可服务的人数 · people that a site can serve", metavar="N")
    ] = None,
    equity: Annotated[
        str, typer.Option(help="none | weight 越远权重越大 | first 最远者优先 · how the worst-off count")
    ] = "none",
    upper_sites: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="hierarchical: 其中高一级几处 · sites of the upper level")
    ] = None,
    code: Annotated[
        list[str] | None,
        typer.Option(help="候选地的用地代码前缀, 可重复 · land-use code of candidates, as 14: parks", metavar="CODE"),
    ] = None,
    best: Annotated[int, typer.Option(min=1, metavar="K", help="列出最好的几个方案 · list the K best plans")] = 1,
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="另写为 compare 可读的情景 · also as a scenario.toml")
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="全部重新计算, 不读不写缓存 · compute everything anew")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
) -> None:
    """选址: 新设施建在哪里, 服务的人最多 · Choose sites: where new facilities serve most people."""
    with door(lang, as_json=json) as state:
        from bishan_gis.planning.site_question import ask_sites
        from bishan_gis.sources.siting_layers import load_siting_layers
        from bishan_gis.study import load_study

        loaded = load_study(study)
        state["lang"] = lang or loaded.lang
        options: dict[str, Any] = {"service": service, "model": model, "sites": sites, "budget": budget, "zone": zone}
        options |= {"age": age, "cutoff_min": cutoff, "capacity": capacity, "equity": equity, "k_best": best}
        options |= {"upper_sites": upper_sites, "codes": code or []}
        ask_sites(loaded, **options)
        layers = load_siting_layers(loaded)
        from typing import cast

        from bishan_gis.cache import Store
        from bishan_gis.output.maps.beside import refresh_index
        from bishan_gis.output.siting_files import write_siting
        from bishan_gis.planning.study_sites import study_sites
        from bishan_gis.stages.gap_answer import cache_folder
        from bishan_gis.stages.study_stages import StudyStages

        with (
            progress_bars(quiet or json) as progress,
            Store(None if no_cache else cache_folder(loaded)) as store,
        ):
            results: Any = cast("Any", StudyStages(loaded, store, progress))
            found = study_sites(results, layers=layers, **options)
        write_siting(found, loaded.processed, scenario=scenario, study_file=loaded.file)
        refresh_index(loaded)
        if json:
            print_json({"ok": True, **found.facts})
        elif not quiet:
            show_sites(found.facts, state["lang"])
