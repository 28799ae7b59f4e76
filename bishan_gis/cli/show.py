"""Tables on the terminal."""

from __future__ import annotations

from typing import Any

__all__ = ["show_comparison", "show_facts", "show_gaps", "show_results", "show_sites"]


def show_facts(facts: dict[str, Any], *, title: str) -> None:
    """Show names and values."""
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


def show_results(results: Any, lang: str) -> None:
    """Show who is covered, service by service."""
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


def show_comparison(found: Any, after: Any, services: dict[str, dict[str, str]], lang: str) -> None:
    """Show who gains and who loses."""
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
    everybody = found.summary()
    for _, row in everybody.iterrows():
        numbers = [row["people_covered_before"], row["people_covered_after"]]
        shown = [f"{n:,}" for n in numbers] + [f"{row['people_covered_change']:+,}"]
        shown += [f"{row[c]:,}" for c in ("people_gain", "people_lose", "people_unknown_after")]
        table.add_row(Text(services[row["service"]]["zh" if zh else "en"]), f"{row['cutoff_min']:g} min", *shown)
    if len(everybody):
        console.print(table)
    for line in (*_supply_lines(found, services, zh), *after.notes(lang)):
        console.print(Text(line))


def _supply_lines(found: Any, services: dict[str, dict[str, str]], zh: bool) -> list[str]:
    """Say what changes beside walking times: measures of the study, and places."""
    lines = []
    measures = found.measures[found.measures["zone_kind"] == "district"]
    for _, row in measures.iterrows():
        values = [row[f"measure_value_{side}"] for side in ("before", "after")]
        shown = " → ".join("-" if value != value else f"{value:,.4g}" for value in values)
        reached = f"{row['people_reached_before']:,} → {row['people_reached_after']:,}"
        cutoff = f" ({row['cutoff_s'] / 60:g} min)" if row["cutoff_s"] > 0 else ""
        text = f"{row['label']}{cutoff}: {shown} {row['unit']}; "
        lines.append(text + (f"可达 {reached} 人" if zh else f"reached: {reached} people"))
    for _, row in found.capacity[found.capacity["zone_kind"] == "district"].iterrows():
        name = services[row["service"]]["zh" if zh else "en"]
        count, places = (f"{row[f'{c}_before']:,.0f} → {row[f'{c}_after']:,.0f}" for c in ("facilities", "capacity"))
        some = row["with_capacity_after"] or row["with_capacity_before"]
        text = f"{name}: {'设施' if zh else 'facilities'} {count}"
        lines.append(text + (f", {'容量' if zh else 'capacity'} {places}" if some else ""))
    return lines


def show_gaps(record: dict[str, Any], lang: str, *, files: str = "", listed: int = 10) -> None:
    """Show which places lack most, what is missing, the worst areas, what changed, and how the files are called."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    zh = lang == "zh"
    console = Console()
    names = {row["service"]: row[f"name_{lang}"] for row in record["services"]}
    heads = ("", "地点", "至少缺一项", "加权人·分钟", "缺什么 (人)", "先补")
    if not zh:
        heads = ("", "place", "lack something", "weighted person-min", "missing (people)", "begin with")
    table = Table(title=Text(f"{record['label']} · " + ("覆盖缺口, 按地点" if zh else "coverage gaps by place")))
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i in (0, 2, 3) else "left")
    for row in record["places"][:listed]:
        said = ", ".join(f"{names[m['service']]} {m['people']:,}" for m in row["missing"][:3])
        more = row["n_missing"] - 3
        if more > 0:
            said += f" 等 {row['n_missing']} 项" if zh else f" and {more} more"
        numbers = f"{row['people_lacking']:,} / {row['people']:,}", f"{row['score']:,.0f}"
        best = Text(names[row["help_service"]])
        table.add_row(str(row["rank"]), Text(row[f"place_{lang}"]), *numbers, Text(said), best)
    console.print(table)
    table = Table(title=Text("按服务" if zh else "by service"))
    labels = ["服务", "阈值", "未覆盖", "占比", "未知", "缺口"]
    if not zh:
        labels = ["service", "", "lack it", "", "unknown", "areas"]
    for column in labels:
        table.add_column(column, justify="left" if not table.columns else "right")
    for row in sorted(record["services"], key=lambda r: -r["weight"] * r["severity_person_min"]):
        share = f"{row['people_deficient'] / max(row['people'], 1):.1%}"
        figures = [f"{row['people_deficient']:,}", share, f"{row['people_unknown']:,}", f"{row['areas']:,}"]
        table.add_row(Text(row[f"name_{lang}"]), f"{row['level_min']:g} min", *figures)
    console.print(table)
    for row in record["gaps"][:listed]:
        console.print(Text(f"{row['rank']}. {row[f'text_{lang}']}"))
    for line in _changes(record.get("changes", {}), names, lang, listed):
        console.print(Text(line))
    if files:
        console.print(Text(("已写出 " if zh else "written: ") + files), soft_wrap=True)
    if record["kind"] in ("assumed", "synthetic"):
        zh_note, en_note = "注意: 结果依赖合成或假设数据,不能用于决策", "note: rests on synthetic or assumed data"
        console.print(Text(zh_note if zh else en_note))


#: What became of an area, see `bishan_gis.planning.gap_changes.CHANGES`.
_CHANGED = {"opened": "新增", "grown": "扩大", "moved": "变动", "shrunk": "缩小", "closed": "消除"}


def _changes(changes: dict[str, Any], names: dict[str, str], lang: str, listed: int) -> list[str]:
    """Return what opened and closed, by service, and in which places most people are concerned."""
    zh = lang == "zh"
    out = []
    for row in changes.get("services", []):
        opened, closed = row["people_opened"], row["people_closed"]
        if opened or closed:
            more, fewer = ("新增", "减少") if zh else ("opened", "closed")
            name = names.get(row["service"], row["service"])
            out.append(f"{name}: {more} {opened:,}, {fewer} {closed:,}" + (" 人" if zh else " people"))
    areas = changes.get("areas", [])
    for row in areas[:listed]:
        name = names.get(row["service"], row["service"])
        what = _CHANGED[row["change"]] if zh else row["change"]
        sums = f"{row['people_before']:,} → {row['people_after']:,}" + (" 人" if zh else " people")
        out.append(f"  {row[f'place_{lang}']}: {name} {what}, {sums}")
    if len(areas) > listed:
        rest = len(areas) - listed
        out.append(
            f"  另有 {rest:,} 处, 见 gaps.json 的 changes" if zh else f"  and {rest:,} more: changes in gaps.json"
        )
    return out


def show_sites(facts: dict[str, Any], lang: str) -> None:
    """Show the sites chosen."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bishan_gis.output.labels import load_labels

    zh, words = lang == "zh", load_labels(lang)
    console = Console()
    minutes = " / ".join(f"{m:g}" for m in dict.fromkeys(facts["levels_min"].values()))
    table = Table(title=Text(f"{facts[f'service_{lang}']} · {minutes} min · {facts['model']}"))
    left_heads = ("候选地", "地点", "级别", "site", "place", "level")
    heads = ("序", "地点", "候选地", "新增人口", "累计") if zh else ("", "place", "site", "people", "in all")
    two = facts["model"] == "hierarchical"
    for head in (*heads, *((("级别",) if zh else ("level",)) if two else ())):
        table.add_column(head, justify="left" if head in left_heads else "right")
    for row in facts["chosen"]:
        numbers = f"{row['people_new']:,.0f}", f"{row['people_total']:,.0f}"
        place = Text(row[f"place_{lang}"] or str(row["township"]))
        level = (Text(row["level"]),) if two else ()
        table.add_row(str(row["order"]), place, Text(row["candidate_id"]), *numbers, *level)
    console.print(table)
    comma = "、" if zh else ", "
    left = comma.join(f"{words[f'sit_left_{k}']} {v:,.0f}" for k, v in facts["people_uncovered"].items())
    out = comma.join(f"{words[f'sit_why_{k}']} {v:,}" for k, v in facts["rejected"].items())
    status = {"optimal": "sit_optimal", "infeasible": "sit_infeasible"}.get(facts["status"])
    proof = words[status] if status else words("sit_limit", g=f"{facts['gap']:.2%}".rstrip("%"))
    lines = [
        f"求解: {proof}" if zh else f"{facts['status']}: {proof}",
        *_before_line(facts, zh),
        f"仍未覆盖 (人): {left}" if zh else f"still without (people): {left}",
        ("候选地" if zh else "candidates") + f" {facts['candidates']:,}; " + ("排除: " if zh else "excluded: ") + out,
    ]
    if not facts["helps"]:
        none_zh, none_en = "没有可用的候选地能改善现状", "no site that may be built betters what there is"
        lines.insert(1, none_zh if zh else none_en)
    if facts["kind"] in ("assumed", "synthetic"):
        zh_note, en_note = "注意: 结果依赖合成或假设数据,不能用于决策", "note: rests on synthetic or assumed data"
        lines.append(zh_note if zh else en_note)
    for line in lines:
        console.print(Text(line))


def _before_line(facts: dict[str, Any], zh: bool) -> list[str]:
    """Say what a median or a centre has before and after."""
    if facts["model"] not in ("p_center", "p_median") or facts["status"] == "infeasible":
        return []
    share = 1 if facts["model"] == "p_center" else max(facts["people"] * len(facts["levels_min"]), 1)
    if facts["equity"] == "weight":
        return []
    before = "-" if facts["before"] is None else f"{facts['before'] / share / 60:,.1f}"
    after = f"{facts['objective'] / share / 60:,.1f}"
    word = ("最远者" if zh else "the worst-off") if facts["model"] == "p_center" else ("平均" if zh else "mean")
    return [f"{word}: {before} → {after} min"]
