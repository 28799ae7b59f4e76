"""How an element of a policy is evaluated: one function per rule that a catalogue may name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.completeness import completeness
from bishan_gis.planning.policy_evidence import Evidence, Finding, NotEvaluated, indicator_finding, needs_data
from bishan_gis.planning.policy_land import ecology, land_balance, outside_line, spaces
from bishan_gis.planning.policy_measures import (
    NESTED,
    assign_tiers,
    direction_figures,
    nesting_check,
    rank_size,
    scorecard,
    tier_completeness,
)
from bishan_gis.planning.policy_services import hubs, hubs_all_ages, old_and_young, schools, shelter_levels
from bishan_gis.planning.policy_supply import datasets
from bishan_gis.planning.standards import weakest_tag
from bishan_gis.schema import weakest_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RULES", "Evidence", "Finding", "NotEvaluated"]

_TIER_ZH = {"core": "城区", "centre": "中心镇(街道)", "town": "镇"}
_ZONE_ZH = {"district": "区县", "direction": "方向", "township": "街镇", "village": "村社", "grid": "网格"}


def _directions(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    table = direction_figures(evidence.results, evidence.sums)
    mine = table[table["zone_kind"] == "direction"]
    if mine.empty:
        return needs_data(row)
    note = evidence.results.study.directions
    rows = list(zip(mine["zone_name"], mine["people"], mine["area_km2"], mine["coverage_15min"], strict=True))
    return Finding(
        indicator_zh="方向数",
        indicator_en="number of directions",
        value=float(len(mine)),
        high=float(len(mine)),
        unit="direction",
        verdict="no_threshold",
        clause="",
        tag="P",
        kind=weakest_kind([note.kind, *evidence.sums.kind(*evidence.results.services.index, streets=True)]),
        zh=";".join(f"{n} {p:,} 人, {a:.1f} km², 15 分钟平均覆盖 {c:.1%}" for n, p, a, c in rows),
        en="; ".join(f"{n} {p:,} people, {a:.1f} km2, mean 15-minute coverage {c:.1%}" for n, p, a, c in rows),
    )


def _rank_size(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    towns = evidence.towns()
    if len(towns) < 2:
        return needs_data(row)
    table = rank_size(towns.set_index("zone_name")["people"])
    slope, primacy = float(table["slope"].iloc[0]), float(table["primacy"].iloc[0])
    first = f"{table.index[0]} {int(table['people'].iloc[0]):,}"
    return Finding(
        indicator_zh="位序-规模斜率",
        indicator_en="rank-size slope",
        value=slope,
        high=slope,
        unit="1",
        verdict="no_threshold",
        clause="",
        tag="P",
        kind=weakest_kind(evidence.sums.kind()),
        zh=f"{len(table)} 个街镇, 首位 {first} 人, 首位度 {primacy:.2f}, 位序-规模斜率 {slope:.2f}",
        en=f"{len(table)} townships, the largest {first} people, primacy {primacy:.2f}, rank-size slope {slope:.2f}",
    )


def _tiers(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    towns = evidence.towns()
    people = towns.set_index("zone_name")["people"]
    said = evidence.results.study.policy.tiers
    tier = assign_tiers(people, said)
    wanted = evidence.targets.loc[evidence.targets["status"] == "must", "service"]
    if len(wanted) == 0:
        return needs_data(row)
    sums = evidence.sums
    mine = (sums.zones["zone_kind"] == "township").to_numpy()
    present = pd.DataFrame(
        {s: sums.sum_facilities(sums.of_service(s).astype(float))[mine] > 0 for s in wanted}, index=people.index
    )
    table = tier_completeness(present, tier)
    order = list(said) if said else [t for t in ("core", "centre", "town") if t in table.index]
    table = table.loc[order]
    lowest = table["completeness"].iloc[-1]
    rule_zh, rule_en = ("", "") if said else (" (级别按人口推定 [P])", " (tiers by a rule on people [P])")
    rows = list(zip(table.index, table["places"], table["completeness"], strict=True))
    return Finding(
        indicator_zh=f"{_TIER_ZH.get(table.index[-1], table.index[-1])}设施完备度",
        indicator_en=f"share of services a place of tier {table.index[-1]} has",
        value=float(lowest),
        high=float(lowest),
        unit="1",
        verdict="no_threshold",
        clause="GB 50180-2018 Annex B",
        tag="P",
        kind=weakest_kind(sums.kind(*wanted)),
        zh=";".join(f"{_TIER_ZH.get(t, t)} {n} 个, {len(wanted)} 类设施有 {c:.1%}" for t, n, c in rows) + rule_zh,
        en="; ".join(f"{t}: {n} places have {c:.1%} of {len(wanted)} services" for t, n, c in rows) + rule_en,
    )


def _share_reached(
    evidence: Evidence, cutoffs_s: Mapping[str, float], weights: Mapping[str, float] | None
) -> tuple[float, float]:
    """Return how much of a list of services people reach, from the least certain to the most."""
    wanted = {s: [s] for s in cutoffs_s}
    table = completeness(evidence.results.access, wanted, cutoff_s=dict(cutoffs_s), weights=weights)
    return evidence.people_mean(table["completeness_low"]), evidence.people_mean(table["completeness_high"])


def _complete(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    items = evidence.standards[(evidence.standards["set"] == "complete") & (evidence.standards["level"] == 5)]
    items = items[items["service"] != ""]
    known = [s for s in dict.fromkeys(items["service"]) if evidence.sums.has(s)]
    lost = [s for s in dict.fromkeys(items["service"]) if not evidence.sums.has(s)]
    if not known:
        return needs_data(row)
    low, high = _share_reached(evidence, dict.fromkeys(known, 300.0), None)
    n, left = len(known), ", ".join(lost)
    named = items.drop_duplicates("service").set_index("service")["name_zh"]
    left_zh = "、".join(str(named[s]) for s in lost)
    return Finding(
        indicator_zh="5 分钟内可达的完整社区设施比例",
        indicator_en="share of a complete community's services within 5 minutes",
        value=low,
        high=high,
        unit="1",
        verdict="no_threshold",
        clause=str(items["standard"].iloc[0]),
        tag=weakest_tag(items.loc[items["service"].isin(known), "tag"]),
        kind=weakest_kind(evidence.sums.kind(*known, streets=True)),
        zh=f"20 项中 {n} 类设施可测, 居民 5 分钟平均可达 {low:.1%}; 未测: {left_zh}, 以及面积与管理类要求",
        en=f"{n} services of the 20 items can be measured, residents reach {low:.1%} of them within 5 minutes; "
        f"not measured: {left}, and what concerns floor space and management",
    )


def _circle(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    targets = evidence.walked
    if targets.empty:
        return needs_data(row)
    cutoffs = {s: float(m) * 60 for s, m in zip(targets["service"], targets["level_min"], strict=True)}
    weights = {s: float(w) for s, w in zip(targets["service"], targets["weight"], strict=True)}
    low, high = _share_reached(evidence, cutoffs, weights)
    n = len(targets)
    return Finding(
        indicator_zh="生活圈完整度",
        indicator_en="completeness of the 15-minute circle",
        value=low,
        high=high,
        unit="1",
        verdict="no_threshold",
        clause="; ".join(dict.fromkeys(targets["standard"])),
        tag="P",
        kind=weakest_kind(evidence.sums.kind(*targets["service"], streets=True)),
        zh=f"{n} 类设施按各自时限步行, 居民平均可达 {low:.1%} (最多 {high:.1%}; 权重 [P])",
        en=f"of {n} services, each within its own minutes, residents reach {low:.1%} (at most {high:.1%}; weights [P])",
    )


def _nesting(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    table = nesting_check(evidence.results, evidence.sums)
    good = bool((table["people_difference"] == 0).all() and (table["area_difference_share"].abs() <= 1e-4).all())
    good = good and bool((table["outside_share"] <= 1e-4).all())
    last = table.iloc[-1]
    worst, out = float(table["area_difference_share"].abs().max()), float(table["outside_share"].max())
    lost = [k for k in NESTED if k not in table.index and k != "direction"]
    name = _ZONE_ZH[str(table.index[-1])]
    units_zh = "、".join(f"{_ZONE_ZH[str(k)]} {int(n)} 个" for k, n in table["units"].items())
    units_en = ", ".join(f"{int(n)} {k}" for k, n in table["units"].items())
    left_zh = f"; 缺{'、'.join(_ZONE_ZH[k] for k in lost)}图层 ({row['how_zh']})" if lost else ""
    left_en = f"; layers missing: {', '.join(lost)} ({row['how_en']})" if lost else ""
    agree = (table["people_difference"] == 0).all()
    return Finding(
        indicator_zh=f"每个{name}平均人口",
        indicator_en=f"people per {table.index[-1]}",
        value=float(last["people_per_unit"]),
        high=float(last["people_per_unit"]),
        unit="person",
        verdict="met" if good else "not_met",
        clause="",
        tag="P",
        kind=weakest_kind(evidence.sums.kind()),
        zh=f"{units_zh}: 人口{'相符' if agree else '不符'}, 面积差最多 {worst:.2%}, 跨上级界线最多 {out:.2%}; "
        f"每个{name} {int(last['people_least']):,}–{int(last['people_most']):,} 人, "
        f"平均 {last['area_per_unit_km2']:.1f} km²{left_zh}",
        en=f"{units_en}: people {'agree' if agree else 'differ'}, areas differ by {worst:.2%} at most, "
        f"{out:.2%} at most lies across a border above; {int(last['people_least']):,} to {int(last['people_most']):,} "
        f"people and {last['area_per_unit_km2']:.1f} km2 on average per {table.index[-1]}{left_en}",
    )


def _place(one: pd.Series) -> tuple[str, str]:
    """Say the rank and score of a township, and how both moved."""
    here = f"{int(one['rank'])} {one['zone_name']} {one['score']:.1f}"
    if "change" not in one.index or one["change"] != one["change"]:
        return here, here
    moved, places = round(float(one["change"]), 1) + 0.0, int(one["rank_change"])
    score = f"{moved:+.1f}" if moved else "0.0"
    step = (
        ("名次不变", "same rank")
        if not places
        else (f"名次{'升' if places > 0 else '降'} {abs(places)}", f"{'up' if places > 0 else 'down'} {abs(places)}")
    )
    before = int(one["rank_before"])
    return (
        f"{here} (上次第 {before}, {step[0]}, 得分 {score})",
        f"{here} (rank {before} before, {step[1]}, score {score})",
    )


def _scorecard(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    table = scorecard(evidence.level_coverage, evidence.walked, evidence.previous)
    if table.empty:
        return needs_data(row)
    said = [_place(one) for _, one in table.iterrows()]
    people = float(table["people"].sum())
    mean = float(np.average(table["score"], weights=table["people"])) if people else float("nan")
    top = float(np.average(table["score_high"], weights=table["people"])) if people else float("nan")
    n = int(table["services"].iloc[0])
    note = ("", "")
    if "compared" in table.columns:
        same = int(table["compared"].iloc[0])
        note = (f"变化按两次都有的 {same} 类设施; ", f"changes over the {same} services that both runs have; ")
    else:
        note = (f"{row['how_zh']}; ", f"change of rank: {row['how_en']}; ")
    return Finding(
        indicator_zh="服务达标综合得分",
        indicator_en="score of services at their level",
        value=mean,
        high=top,
        unit="point",
        verdict="no_threshold",
        clause="",
        tag="P",
        kind=weakest_kind(evidence.sums.kind(*evidence.walked["service"], streets=True)),
        zh=f"{n} 类设施按级别覆盖, 权重 [P]; {note[0]}" + ", ".join(s[0] for s in said),
        en=f"{n} services at their level, weights [P]; {note[1]}" + ", ".join(s[1] for s in said),
    )


#: Rule -> how it evaluates an element.
RULES: dict[str, Callable[[Evidence, pd.Series], Finding | NotEvaluated]] = {
    "indicators": indicator_finding,
    "directions": _directions,
    "rank_size": _rank_size,
    "tiers": _tiers,
    "complete": _complete,
    "circle": _circle,
    "hubs": hubs,
    "hubs_all_ages": hubs_all_ages,
    "shelters": shelter_levels,
    "old_and_young": old_and_young,
    "schools": schools,
    "spaces": spaces,
    "land_balance": land_balance,
    "outside_line": outside_line,
    "ecology": ecology,
    "datasets": datasets,
    "nesting": _nesting,
    "scorecard": _scorecard,
}
