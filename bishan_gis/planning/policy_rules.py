"""How an element of a policy is evaluated: one function per rule that a catalogue may name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.completeness import completeness
from bishan_gis.planning.indicators import evaluate_indicators, worst_verdict
from bishan_gis.planning.policy_measures import (
    assign_tiers,
    direction_figures,
    neighbourhood_hubs,
    nesting_check,
    rank_size,
    scorecard,
    tier_completeness,
)
from bishan_gis.planning.standards import load_standards, service_targets, study_standards, weakest_tag
from bishan_gis.planning.zone_sums import ZoneSums
from bishan_gis.schema import weakest_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bishan_gis.results import Results

__all__ = ["RULES", "Evidence", "Finding", "NotEvaluated"]

#: Functions of a neighbourhood hub and the services that give them [P].
HUB_FUNCTIONS = {
    "care": ["elderly_daycare"],
    "childcare": ["nursery"],
    "meals": ["canteen"],
    "health": ["health_station", "health_center"],
    "culture": ["culture_station", "culture_center", "library"],
    "sport": ["fitness", "pitch", "sports_center"],
}


@dataclass(frozen=True)
class Finding:
    """What an evaluation found: a headline figure and a sentence with all of them."""

    indicator_zh: str
    indicator_en: str
    value: float
    high: float
    unit: str
    verdict: str
    clause: str
    tag: str
    kind: str
    zh: str
    en: str


@dataclass(frozen=True)
class NotEvaluated:
    """Why an element could not be evaluated on this run."""

    zh: str
    en: str


class Evidence:
    """What the rules share: a run, its sums, standards and targets.

    Parameters
    ----------
    results : Results
        A run.
    standards : pandas.DataFrame, optional
        Those of the study when left out.
    previous : pandas.DataFrame, optional
        ``coverage`` of an earlier run.
    """

    def __init__(
        self, results: Results, *, standards: pd.DataFrame | None = None, previous: pd.DataFrame | None = None
    ) -> None:
        self.results = results
        self.standards = study_standards(results.study) if standards is None else standards
        self.previous = previous
        self.sums = ZoneSums(results)
        self.targets = service_targets(self.standards, services=results.services)

    @property
    def walked(self) -> pd.DataFrame:
        """Targets of at most 15 minutes on foot; not of services that come by vehicle and have no level on foot."""
        by_vehicle = self.targets["drive_min"].notna() & (self.targets["level_id"] == "")
        return self.targets[(self.targets["level_min"] <= 15) & ~by_vehicle]

    @cached_property
    def known_ids(self) -> set[str]:
        """Ids of the chosen standards and of the package's."""
        return {*self.standards["id"], *load_standards()["id"]}

    def indicators(self, ids: list[str]) -> pd.DataFrame:
        """Evaluate some standards for the district, in the order of `ids`."""
        table = evaluate_indicators(self.results, self.standards, sums=self.sums, ids=ids)
        table = table[table["zone_kind"] == "district"].set_index("id", drop=False)
        return table.loc[[i for i in ids if i in table.index]]

    def towns(self) -> pd.DataFrame:
        """Return the townships: ``zone_id, zone_name, people``."""
        mine = (self.sums.zones["zone_kind"] == "township").to_numpy()
        return self.sums.zones.loc[mine, ["zone_id", "zone_name"]].assign(people=self.sums.people[mine])

    def people_mean(self, values: pd.Series) -> float:
        """Return the mean of a value of the cells over their people."""
        people = self.results.cells["people"].to_numpy(float)
        number = values.reindex(self.results.cells["cell_id"]).to_numpy(float)
        return float((people * number).sum() / people.sum()) if people.sum() else float("nan")


def _indicators(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    ids = str(row["indicators"]).split()
    table = evidence.indicators(ids)
    done = table[table["value"].notna()]
    if done.empty:
        lost = [i for i in ids if i not in table.index]
        why_zh = [*dict.fromkeys(table["note_zh"]), *([f"[standards] 未选 {', '.join(lost)}"] if lost else [])]
        why_en = [*dict.fromkeys(table["note_en"]), *([f"[standards] leaves out {', '.join(lost)}"] if lost else [])]
        return NotEvaluated("需要: " + ";".join(w for w in why_zh if w), "needs: " + "; ".join(w for w in why_en if w))
    verdict = worst_verdict(list(done["verdict"]))
    # The figure that decided stands first, not one that the standard sets no limit to.
    first = done[done["verdict"] == verdict].iloc[0]
    said_zh = [_said(r, "zh") for _, r in table.iterrows()]
    said_en = [_said(r, "en") for _, r in table.iterrows()]
    clauses = list(dict.fromkeys(f"{r['standard']} {r['clause']}" for _, r in done.iterrows()))
    return Finding(
        indicator_zh=str(first["name_zh"]),
        indicator_en=str(first["name_en"]),
        value=float(first["value"]),
        high=float(first["value_high"]),
        unit=str(first["unit"]),
        verdict=verdict,
        clause="; ".join(clauses),
        tag=weakest_tag(done["tag"]),
        kind=weakest_kind(done["kind"]),
        zh=";".join(said_zh),
        en="; ".join(said_en),
    )


_TIER_ZH = {"core": "城区", "centre": "中心镇(街道)", "town": "镇"}
_ZONE_ZH = {"district": "区县", "direction": "方向", "township": "街镇"}
_VERDICT_ZH = {"met": "达标", "not_met": "未达标", "unknown": "无法判断", "no_threshold": "标准无数值"}


def _said(row: pd.Series, lang: str) -> str:
    name = row["name_zh"] if lang == "zh" else row["name_en"]
    if row["indicator"] == "radius_m":
        name += f" (半径 {row['within']:g} m)" if lang == "zh" else f" ({row['within']:g} m as the crow flies)"
    if row["value"] != row["value"]:
        return f"{name}: {row['note_zh']}" if lang == "zh" else f"{name}: {row['note_en']}"
    figure = f"{row['value'] * 100:.1f} %" if row["unit"] == "1" else f"{row['value']:.2f} {row['unit']}"
    limit = ""
    if row["threshold"] == row["threshold"] and row["op"]:
        scale, unit = (100, " %") if row["unit"] == "1" else (1, "")
        limit = f" ({row['op']} {row['threshold'] * scale:g}{unit})"
    verdict = _VERDICT_ZH[row["verdict"]] if lang == "zh" else row["verdict"].replace("_", " ")
    return f"{name} {figure}{limit} {verdict} [{row['tag']}]"


def _directions(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    table = direction_figures(evidence.results, evidence.sums)
    mine = table[table["zone_kind"] == "direction"]
    if mine.empty:
        return NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")
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
        return NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")
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
        return NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")
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
        return NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")
    low, high = _share_reached(evidence, dict.fromkeys(known, 300.0), None)
    n, left = len(known), ", ".join(lost)
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
        zh=f"20 项中 {n} 类设施可测, 居民 5 分钟平均可达 {low:.1%}; 未测: {left}, 以及面积与管理类要求",
        en=f"{n} services of the 20 items can be measured, residents reach {low:.1%} of them within 5 minutes; "
        f"not measured: {left}, and what concerns floor space and management",
    )


def _circle(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    targets = evidence.walked
    if targets.empty:
        return NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")
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


def _find_hubs(evidence: Evidence) -> pd.DataFrame:
    inside = evidence.results.facilities
    inside = inside[inside["zone_id"].fillna("").astype(str) != ""]
    return neighbourhood_hubs(pd.DataFrame(inside), anchor="community_centre", functions=HUB_FUNCTIONS)


def _hubs(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    hubs = _find_hubs(evidence)
    if hubs.empty:
        return NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")
    need = evidence.standards.loc[evidence.standards["id"] == "hub.functions", "value"]
    least = float(need.iloc[0]) if len(need) else 3.0
    good = int((hubs["n_functions"] >= least).sum())
    return _hub_finding(evidence, good, len(hubs), f"{least:g} 类以上功能", f"{least:g} or more functions")


def _hubs_all_ages(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    hubs = _find_hubs(evidence)
    if hubs.empty:
        return NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")
    told = hubs["functions"].str.split(", ")
    both = int(told.map(lambda f: "care" in f and "childcare" in f).sum())
    return _hub_finding(evidence, both, len(hubs), "养老和托育", "care for old and young")


def _hub_finding(evidence: Evidence, good: int, n: int, zh: str, en: str) -> Finding:
    services = ["community_centre", *(s for f in HUB_FUNCTIONS.values() for s in f)]
    return Finding(
        indicator_zh=f"100 m 内兼有{zh}的社区服务站比例",
        indicator_en=f"share of community stations with {en} within 100 m",
        value=good / n,
        high=good / n,
        unit="1",
        verdict="no_threshold",
        clause="NDRC 城市社区嵌入式服务设施建设导则",
        tag="P",
        kind=weakest_kind(evidence.sums.kind(*services)),
        zh=f"{n} 处社区服务站中 {good} 处 100 m 内兼有{zh} [P]; 面积未知",
        en=f"{good} of {n} community stations have {en} within 100 m [P]; floor space is not known",
    )


def _nesting(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    table = nesting_check(evidence.results, evidence.sums)
    good = bool((table["people_difference"] == 0).all() and (table["area_difference_share"].abs() <= 1e-4).all())
    each = float(table["people_per_unit"].iloc[-1])
    worst = float(table["area_difference_share"].abs().max())
    return Finding(
        indicator_zh="每个街镇平均人口",
        indicator_en="people per township",
        value=each,
        high=each,
        unit="person",
        verdict="met" if good else "not_met",
        clause="",
        tag="P",
        kind=weakest_kind(evidence.sums.kind()),
        zh="、".join(f"{_ZONE_ZH[str(k)]} {int(n)} 个" for k, n in table["units"].items())
        + f": 人口{'相符' if (table['people_difference'] == 0).all() else '不符'}, 面积差最多 {worst:.2%}; "
        f"没有村社和网格图层 ({row['how_zh']})",
        en=", ".join(f"{int(n)} {k}" for k, n in table["units"].items())
        + f": people {'agree' if (table['people_difference'] == 0).all() else 'differ'}, areas differ by "
        f"{worst:.2%} at most; there are no communities and grids ({row['how_en']})",
    )


def _scorecard(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    table = scorecard(evidence.results.coverage, evidence.walked, evidence.previous)
    if table.empty:
        return NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")
    parts = []
    for _, one in table.iterrows():
        moved = "change" in table.columns and one["change"] == one["change"]
        parts.append(
            f"{one['rank']} {one['zone_name']} {one['score']:.1f}" + (f" ({one['change']:+.1f})" if moved else "")
        )
    mean = float(np.average(table["score"], weights=table["people"])) if table["people"].sum() else float("nan")
    top = float(np.average(table["score_high"], weights=table["people"])) if table["people"].sum() else float("nan")
    n = int(table["services"].iloc[0])
    return Finding(
        indicator_zh="服务达标综合得分",
        indicator_en="score of services at their level",
        value=mean,
        high=top,
        unit="point",
        verdict="no_threshold",
        clause="",
        tag="P",
        kind=weakest_kind(evidence.sums.kind(*evidence.results.services.index, streets=True)),
        zh=f"{n} 类设施按级别覆盖, 权重 [P]: " + ", ".join(parts),
        en=f"{n} services at their level, weights [P]: " + ", ".join(parts),
    )


#: Rule -> how it evaluates an element.
RULES: dict[str, Callable[[Evidence, pd.Series], Finding | NotEvaluated]] = {
    "indicators": _indicators,
    "directions": _directions,
    "rank_size": _rank_size,
    "tiers": _tiers,
    "complete": _complete,
    "circle": _circle,
    "hubs": _hubs,
    "hubs_all_ages": _hubs_all_ages,
    "nesting": _nesting,
    "scorecard": _scorecard,
}
