"""Elements of a policy about services: shelters by level, medical tiers, old and young, schools, hubs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bishan_gis.planning.policy_evidence import (
    Evidence,
    Finding,
    NotEvaluated,
    Said,
    add_said,
    indicator_finding,
    needs_data,
)
from bishan_gis.planning.policy_measures import neighbourhood_hubs
from bishan_gis.planning.shelter_classes import LEVELS, shelter_classes
from bishan_gis.schema import weakest_kind

__all__ = ["hubs", "hubs_all_ages", "old_and_young", "schools", "shelter_levels"]

#: Functions of a neighbourhood hub and the services that give them [P].
HUB_FUNCTIONS = {
    "care": ["elderly_daycare"],
    "childcare": ["nursery"],
    "meals": ["canteen"],
    "health": ["health_station", "health_center"],
    "culture": ["culture_station", "culture_center", "library"],
    "sport": ["fitness", "pitch", "sports_center"],
}
#: Age group -> the service it needs nearest, for the cover weighted by age [P].
FOR_AGE = {"0-14": "nursery", "15-64": "community_centre", "65+": "elderly_daycare"}
_LEVEL_ZH = {"district": "区级", "township": "镇(街道)级", "community": "村(社区)级"}
#: Service -> years of age it is for: how many of the fifteen of 0-14 [K].
_YEARS = {"nursery": 3, "kindergarten": 3, "primary_school": 6, "middle_school": 3}


def shelter_levels(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Hold the capacity of shelters against the people, and their area per head, at each of the three levels."""
    found = indicator_finding(evidence, row)
    if not isinstance(found, Finding):
        return found
    sums = evidence.sums
    inside = (sums.results.facilities["zone_id"].fillna("").astype(str) != "").to_numpy()
    mine = sums.of_service("shelter") & inside
    places, area = sums.results.facilities[mine], sums.facility_area_m2[mine]
    table = shelter_classes(places, area, evidence.standards)
    people = max(int(sums.people[evidence.district]), 1)
    capacity = places["capacity"].to_numpy(float)
    said: list[Said] = []
    for level in LEVELS:
        here = (table["level"] == level).to_numpy()
        zh, en = f"{_LEVEL_ZH[level]} {int(here.sum())} 处", f"{level}: {int(here.sum())}"
        if here.any():
            held, measured = here & np.isfinite(capacity), here & np.isfinite(area)
            total, ground = float(capacity[held].sum()), float(area[measured].sum())
            if held.any():
                zh += f", 容量 {total:,.0f} 人 ({int(held.sum())} 处已知), 为人口的 {total / people:.1%}"
                en += f", capacity {total:,.0f} ({int(held.sum())} known), {total / people:.1%} of the people"
            else:
                zh, en = f"{zh}, 容量未知", f"{en}, capacity not known"
            if measured.any():
                zh += f", 人均 {ground / people:.2f} m² ({int(measured.sum())} 处已知)"
                en += f", {ground / people:.2f} m2 per head ({int(measured.sum())} known)"
            else:
                zh, en = f"{zh}, 人均面积未知 (没有面状图形)", f"{en}, area per head not known (no polygons)"
        said.append((zh, en))
    lost = int((table["level"] == "").sum())
    if lost:
        said.append(
            (f"级别未知 {lost} 处 (没有级别、面积、容量)", f"level of {lost} not known (no grade, area, capacity)")
        )
    said[-1] = (
        f"{said[-1][0]} (三级: 中心、长期为区级, 中期、短期为镇街级, 紧急为村社级 [P])",
        f"{said[-1][1]} (levels: central and long-term district, medium and short-term township, "
        "emergency community [P])",
    )
    return add_said(found, said, kind=weakest_kind(sums.kind("shelter")), first=True)


def _places(evidence: Evidence, service: str, zh: str, en: str, per: str) -> Said | None:
    """Say the places of a service that are known against the children of its years."""
    sums = evidence.sums
    children = sums.group("0-14")
    if not sums.has(service) or children is None:
        return None
    inside = (sums.results.facilities["zone_id"].fillna("").astype(str) != "").to_numpy()
    mine = sums.of_service(service) & inside
    capacity = sums.results.facilities["capacity"].to_numpy(float)
    known = mine & np.isfinite(capacity)
    n, of = int(known.sum()), int(mine.sum())
    if not n:
        return f"{zh}: {of} 处都没有容量, 缺口无法计算", f"{en}: none of {of} has a capacity, no gap can be told"
    total = float(capacity[known].sum())
    need = float(children[evidence.district]) * _YEARS[service] / 15
    gap = need - total
    open_zh, open_en = ("至多缺", "at most") if n < of else ("缺", "")
    told_zh = f"{open_zh} {gap:,.0f} 个" if gap > 0 else "已知部分已够"
    told_en = f"short of {open_en} {gap:,.0f}".replace("  ", " ") if gap > 0 else "those known are enough"
    return (
        f"{zh} {total:,.0f} 个 ({of} 处中 {n} 处已知), 适龄儿童约 {need:,.0f} 人 (0-14 岁按年均分 [P]), {told_zh}",
        f"{total:,.0f} {en} ({n} of {of} known) for about {need:,.0f} {per} (0-14 spread evenly over its years [P]), "
        f"{told_en}",
    )


def old_and_young(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Evaluate what is there for older people and children, with the places for children."""
    said = [
        _places(evidence, "nursery", "托位", "nursery places", "children below 3"),
        _places(evidence, "kindergarten", "幼儿园学位", "kindergarten places", "children of 3 to 5"),
    ]
    kind = weakest_kind(evidence.sums.kind("nursery", "kindergarten"))
    return add_said(indicator_finding(evidence, row), [s for s in said if s], kind=kind)


def schools(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Evaluate schools, with their seats against the children of their years."""
    said = [
        _places(evidence, "primary_school", "小学学位", "primary seats", "children of 6 to 11"),
        _places(evidence, "middle_school", "初中学位", "middle-school seats", "children of 12 to 14"),
    ]
    kind = weakest_kind(evidence.sums.kind("primary_school", "middle_school"))
    return add_said(indicator_finding(evidence, row), [s for s in said if s], kind=kind)


def _find_hubs(evidence: Evidence) -> pd.DataFrame:
    inside = evidence.results.facilities
    inside = inside[inside["zone_id"].fillna("").astype(str) != ""]
    return neighbourhood_hubs(pd.DataFrame(inside), anchor="community_centre", functions=HUB_FUNCTIONS)


def hubs(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Count the community stations where several functions stand together."""
    found = _find_hubs(evidence)
    if found.empty:
        return needs_data(row)
    need = evidence.standards.loc[evidence.standards["id"] == "hub.functions", "value"]
    least = float(need.iloc[0]) if len(need) else 3.0
    good = int((found["n_functions"] >= least).sum())
    return _hub_finding(evidence, good, len(found), f"{least:g} 类以上功能", f"{least:g} or more functions")


def hubs_all_ages(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Count the stations with care for old and young, and weight the cover by the ages it is for."""
    found_at = _find_hubs(evidence)
    if found_at.empty:
        return needs_data(row)
    told = found_at["functions"].str.split(", ")
    both = int(told.map(lambda f: "care" in f and "childcare" in f).sum())
    found = _hub_finding(evidence, both, len(found_at), "养老和托育", "care for old and young")
    kind = weakest_kind(evidence.sums.kind(*FOR_AGE.values(), streets=True))
    return add_said(found, _age_weighted(evidence), kind=kind)


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


def _age_weighted(evidence: Evidence) -> list[Said]:
    """Say the cover within five minutes on foot, each age by what it needs nearest."""
    table = evidence.results.coverage
    table = table[(table["zone_kind"] == "district") & (table["cutoff_min"] == 5)]
    table = table.set_index(["service", "age_group"])
    known = {a: s for a, s in FOR_AGE.items() if (s, a) in table.index}
    if not known:
        return []
    rows: dict[str, Any] = {a: table.loc[(s, a)] for a, s in known.items()}
    people = sum(int(r["people"]) for r in rows.values())
    covered = sum(int(r["people_covered"]) for r in rows.values())
    names: Any = evidence.results.services
    parts = [
        (a, s, int(r["people_covered"]) / max(int(r["people"]), 1))
        for (a, s), r in zip(known.items(), rows.values(), strict=True)
    ]
    lost = [a for a in FOR_AGE if a not in known]
    rest = (f"; 未计: {'、'.join(lost)}", f"; left out: {', '.join(lost)}") if lost else ("", "")
    whole = covered / max(people, 1)
    zh = "、".join(f"{a} 岁到{names.loc[s, 'zh']} {v:.1%}" for a, s, v in parts)
    en = ", ".join(f"aged {a} to {names.loc[s, 'en']} {v:.1%}" for a, s, v in parts)
    return [
        (
            f"按年龄加权, 步行 5 分钟覆盖 {whole:.1%} ({zh}) [P]{rest[0]}",
            f"weighted by age {whole:.1%} are within 5 minutes on foot ({en}) [P]{rest[1]}",
        )
    ]
