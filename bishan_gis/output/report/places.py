"""Gaps and sites in the report: the largest areas in sentences, and where to build."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.output.gap_sentences import read_gap
from bishan_gis.output.maps.pages import land_name
from bishan_gis.output.report import figures as fig
from bishan_gis.output.report.tables import make_table
from bishan_gis.output.words import site_name

if TYPE_CHECKING:
    import pandas as pd

    from bishan_gis.output.report.source import Source
    from bishan_gis.output.report.tables import Table
    from bishan_gis.planning.gaps import Gaps
    from bishan_gis.planning.study_sites import StudySites

__all__ = ["gap_facts", "site_facts"]

#: How many areas are described.
LISTED = 20


def _areas(source: Source, table: pd.DataFrame, key: str) -> Table | None:
    w = source.words
    if not len(table):
        return None
    rows = []
    for record in table.head(LISTED).to_dict("records"):
        row = {str(k): v for k, v in record.items()}
        nearest = float(row["nearest_min"])
        rows.append(
            [
                fig.count(int(row["rank"])),
                fig.text(read_gap(row, source.lang)),
                fig.people(int(row["people"])),
                fig.minutes(nearest * 60) if nearest == nearest else fig.text(fig.DASH),
            ]
        )
    columns = [(w("rank"), "right"), (w("gap"), "wide"), (w("people"), "right"), (w("nearest_min"), "right")]
    listed, every = int(table.head(LISTED)["people"].sum()), int(table["people"].sum())
    total = [fig.text(""), fig.text(w("sum_listed")), fig.people(listed), fig.text("")]
    note = w("note_gaps", n=fig.count(len(table))["text"], people=fig.people(every)["text"])
    return make_table(key, w(f"table_{key}"), columns, rows, total=total, note=note)


def _firmness(source: Source, gaps: Gaps) -> Table | None:
    """Lacking people by service, how far speed moves that, how many areas, and why."""
    w = source.words
    cases = gaps.sensitivity.pivot_table(index="service", columns="case", values="people_deficient")
    areas = gaps.areas.table.groupby("service")
    number, fragile = areas.size(), areas["fragile"].sum()
    rows = []
    for service in source.judged:
        if service not in cases.index:
            continue
        found = source.covered(source.district, service)
        spread = [float(v) for v in cases.loc[[service]].to_numpy(np.float64).ravel()]
        rows.append(
            [
                fig.text(source.name(service)),
                fig.plain(source.level(service)),
                fig.people(found.lacking),
                fig.share(found.lacking, found.people),
                fig.people(min(spread)),
                fig.people(max(spread)),
                fig.count(int(number.get(service, 0))),
                fig.count(int(fragile.get(service, 0))),
            ]
        )
    columns = [(w("service"), "left"), (w("minutes_limit"), "right"), (w("lacking"), "right"), (w("rate"), "right")]
    columns += [(w(k), "right") for k in ("lacking_best", "lacking_worst", "areas", "areas_fragile")]
    n = [fig.count(sum(int(r[k]["value"]) for r in rows)) for k in (6, 7)]
    total = [fig.text(w("sum")), *([fig.text("")] * 5), *n]
    return make_table("gap_services", w("table_gap_services"), columns, rows, total=total, note=w("note_firmness"))


def gap_facts(source: Source) -> dict[str, Any]:
    """Return the gaps: sentences on the whole, and tables.

    Parameters
    ----------
    source : Source
        The run.

    Returns
    -------
    dict
        Empty where the run did not look for gaps; else ``sentences, tables, figures``.
    """
    gaps, w = source.gaps, source.words
    if gaps is None:
        return {}
    lacking = fig.people(gaps.people_lacking)
    share = fig.share(gaps.people_lacking, source.zone_people(source.district))
    sentences = [w("gaps_all", people=lacking["text"], share=share["text"], n=fig.count(len(source.judged))["text"])]
    unknown = gaps.unknown.table
    if len(unknown):
        sentences.append(w("gaps_unknown", n=fig.count(len(unknown))["text"]))
    name = "name_zh" if source.zh else "name_en"
    if len(gaps.absent):
        names = source.words("list_mark").join(str(n) for n in gaps.absent[name])
        sentences.append(w("gaps_absent", names=names))
    if gaps.no_level:
        names = source.words("list_mark").join(source.name(s) for s in gaps.no_level)
        sentences.append(w("gaps_no_level", names=names))
    parts = [
        _firmness(source, gaps),
        _areas(source, gaps.areas.table, "gaps"),
        _areas(source, gaps.short.table, "short"),
    ]
    return {
        "sentences": sentences,
        "tables": [t for t in parts if t is not None],
        "figures": {"lacking": lacking, "share": share},
    }


def _plan(source: Source, plan: StudySites, number: int) -> dict[str, Any]:
    w, facts = source.words, plan.facts
    names = {str(i): str(n) for i, n in zip(source.results.zones["zone_id"], source.results.zones["name"], strict=True)}
    service = str(facts["service_zh" if source.zh else "service_en"])
    zone = str(facts["zone"] or "")
    place = names.get(zone, zone) or source.context.place
    new = fig.people(facts["people_new"])
    sentences = [
        w(
            "site_result",
            place=place,
            n=fig.count(facts["n_sites"])["text"],
            service=service if source.zh else service.lower(),
            minutes=f"{float(facts['cutoff_min']):g}",
            people=new["text"],
            who=source.context.age_name(str(facts["age_group"])),
        )
    ]
    state = "site_optimal" if facts["status"] == "optimal" else f"site_{facts['status']}"
    gap = fig.share(float(facts["gap"]), 1)["text"]
    model = w.get(f"model_{facts['model']}", str(facts["model"]))
    sentences.append(w(state, gap=gap, model=model) if state in w else w("site_other", state=facts["status"]))
    left = {k: v for k, v in facts["people_uncovered"].items() if v}
    if left:
        said = [w("reason_people", reason=w.get(f"left_{k}", k), people=fig.people(v)["text"]) for k, v in left.items()]
        sentences.append(w("site_left", reasons=w("list_mark").join(said)))
    out = sum(facts["rejected"].values())
    sentences.append(w("site_candidates", n=fig.count(facts["candidates"])["text"], out=fig.count(out)["text"]))
    rows = []
    for site in facts["chosen"]:
        ground = float(site["area_m2"]) if site["area_m2"] else math.nan
        rows.append(
            [
                fig.count(int(site["order"])),
                fig.text(site["place_zh" if source.zh else "place_en"] or fig.DASH),
                fig.text(site_name(str(site["candidate_id"]), source.lang)),
                fig.text(land_name(str(site["code"] or ""), source.words.lang) or fig.DASH),
                fig.count(ground),
                fig.count(float(site["x"])),
                fig.count(float(site["y"])),
                fig.people(float(site["people_new"])),
                fig.people(float(site["people_total"])),
            ]
        )
    heads: tuple[tuple[str, str], ...] = (
        ("rank", "right"),
        ("site_place", "left"),
        ("site", "left"),
        ("code", "left"),
        ("ground", "right"),
    )
    heads += (("east", "right"), ("north", "right"), ("people_new", "right"), ("people_added", "right"))
    total = [fig.text(""), fig.text(w("sum")), *([fig.text("")] * 5), new, new]
    title = w("table_site", number=number, place=place, service=service)
    note = w("note_sites", crs=source.results.study.crs)
    table = make_table(f"sites_{number}", title, [(w(k), kind) for k, kind in heads], rows, total=total, note=note)
    return {"title": w("plan_title", place=place, service=service), "sentences": sentences, "table": table}


def site_facts(source: Source) -> list[dict[str, Any]]:
    """Return every siting plan of the run: ``title, sentences, table``.

    Parameters
    ----------
    source : Source
        The run.
    """
    findings = source.results.findings
    plans = findings.plans if findings is not None else []
    return [_plan(source, plan, i) for i, plan in enumerate(plans, start=1)]
