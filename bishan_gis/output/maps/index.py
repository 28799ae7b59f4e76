"""The overview: the numbers that matter, a picture of each map, tables, and what the data are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np

from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps.beside import beside_html
from bishan_gis.output.maps.catalogue import page_groups
from bishan_gis.output.maps.elements import asset
from bishan_gis.output.maps.page import finish, frame_words, template
from bishan_gis.output.maps.pictures import pictures
from bishan_gis.output.maps.villages import village_rows
from bishan_gis.output.tokens import css_variables
from bishan_gis.output.words import tidy

if TYPE_CHECKING:
    from bishan_gis.output.maps.context import Context

__all__ = ["index_page"]


def _cell(people: int, covered: int, unknown: int) -> dict[str, Any]:
    share = covered / people if people else 0.0
    return {
        "share": fmt.percent(covered, people).removesuffix("\u00a0%"),
        "gap": fmt.people(people - covered - unknown),
        "unknown": fmt.people(unknown) if unknown else "",
        "shade": int(share * 5) if people else -1,
    }


def _note(warning: Any, *, english: bool) -> str:
    """Return a warning, in the language of the page where it has both."""
    return str(warning[1 if english else 0]) if isinstance(warning, tuple) else str(warning)


def _services(context: Context) -> list[dict[str, Any]]:
    """Every service at its own standard level: all zones in their order."""
    out = []
    for i, key in enumerate(context.services.index):
        level = context.level(key)
        if level is None:
            continue
        row = context.numbers[:, i, context.cutoffs.index(context.shown(key)), 0, :]
        out.append(
            {
                "key": key,
                "name": context.service_name(key),
                "group": str(context.services["group"].loc[key]),
                "level": f"{level:g}",
                "count": fmt.exact(int(context.services["n"].loc[key])),
                "link": "coverage.html#" + urlencode({"service": key, "cutoff": f"{level:g}", "age": context.ages[0]}),
                "numbers": row[0].tolist(),
                "cells": [_cell(*(int(v) for v in values)) for values in row],
            }
        )
    return out


def _headlines(context: Context, services: list[dict[str, Any]]) -> list[dict[str, str]]:
    t = context.labels
    share = [s["numbers"][1] / max(s["numbers"][0], 1) for s in services]
    first = next((s for s in services if s["key"] == context.default_service), services[0])
    best, worst = services[int(np.argmax(share))], services[int(np.argmin(share))]
    total = int(context.numbers[0, 0, 0, 0, 0])

    def line(service: dict[str, Any], title: str) -> dict[str, str]:
        people, covered, unknown = service["numbers"]
        return {
            "title": title,
            "big": fmt.percent(covered, people),
            "text": t("idx_default", n=service["level"], service=service["name"]),
            "sub": t("idx_gap", n=fmt.people(people - covered - unknown)),
            "link": service["link"],
        }

    found = fmt.exact(int(context.services.loc[[s["key"] for s in services], "n"].sum()))
    return [
        {
            "title": t("idx_people"),
            "big": fmt.exact(total),
            "text": f"{len(services)} {t('idx_services')} · {found} {t('idx_facilities')}",
            "sub": t("fact_profile", **context.profile),
            "link": "district.html",
        },
        line(first, first["name"]),
        line(best, t("idx_best", service=best["name"])),
        line(worst, t("idx_worst", service=worst["name"])),
    ]


def _finding_headlines(context: Context) -> list[dict[str, str]]:
    """Return what a run with findings adds: completeness, the first gap, the policy, the first plan."""
    findings = getattr(context.results, "findings", None)
    if findings is None:
        return []
    t, gaps, english = context.labels, findings.gaps, context.labels.lang == "en"
    out = []
    people = gaps.cells["people"].to_numpy(float)
    low = gaps.completeness["completeness_low"].reindex(gaps.cells["cell_id"]).fillna(0).to_numpy(float)
    mean = float((people * low).sum())
    out.append(
        {
            "title": t("cmp_title"),
            "big": fmt.percent(mean, float(people.sum())),
            "text": t("cmp_caption", n=len(gaps.state.services), who=""),
            "sub": t("idx_lacking", n=fmt.people(gaps.people_lacking)),
            "link": "completeness.html",
        }
    )
    if len(gaps.areas.table):
        first = gaps.areas.table.iloc[0]
        out.append(
            {
                "title": t("idx_first_gap"),
                "big": fmt.people(int(first["people"])),
                "text": str(first["place_en" if english else "place_zh"]),
                "sub": t("idx_without", service=str(first["service_en" if english else "service_zh"])),
                "link": "gaps.html",
            }
        )
    if "scorecard" in context.pages:
        policy = findings.policy
        done = int((policy["state"] == "evaluated").sum())
        out.append(
            {
                "title": t("scr_policy"),
                "big": f"{done} / {len(policy)}",
                "text": t("scr_policy_caption"),
                "sub": t("idx_not_met", n=int((policy["verdict"] == "not_met").sum())),
                "link": "scorecard.html#view=policy",
            }
        )
    if findings.plans:
        plan = findings.plans[0].facts
        out.append(
            {
                "title": t("idx_plan", service=str(plan["service_en" if english else "service_zh"])),
                "big": "+" + fmt.people(plan["people_new"]),
                "text": t(
                    "sit_caption",
                    n=plan["n_sites"],
                    service=str(plan["service_en" if english else "service_zh"]),
                    min=f"{plan['cutoff_min']:g}",
                    who="",
                ),
                "sub": t("sit_optimal") if plan["status"] == "optimal" else "",
                "link": "siting.html",
            }
        )
    return out


def _radius(context: Context) -> list[dict[str, str]]:
    """Return what circles promise and streets deliver, the widest apart first."""
    found = getattr(context.results, "radius_streets", None)
    if found is None or found.empty:
        return []
    said = "sentence_en" if context.labels.lang == "en" else "sentence_zh"
    order = found["difference"].abs().sort_values(ascending=False, kind="stable").index
    return [
        {
            "name": context.service_name(row["service"]),
            "said": context.sentence(str(row[said])),
            "radius": f"{row['radius_m']:,.0f} m",
            "level": f"{row['level_min']:g}",
            "circle": fmt.percent(row["people_circle"], row["people"]),
            "streets": fmt.percent(row["people_streets"], row["people"]),
            "points": f"{100 * row['difference'] + 0.0:+.1f}".replace("-", "−"),
        }
        for row in found.loc[order].to_dict("records")
    ]


def index_page(context: Context) -> str:
    """Return the overview; it has no script."""
    t, study = context.labels, context.results.study
    zones = context.zones
    services = _services(context)
    drawings = pictures(context)
    title = (study.title_en or study.title) if t.lang == "en" else study.title
    groups: list[dict[str, Any]] = [
        {
            "title": t(f"pages_{group}"),
            "text": t.get(f"idx_pages_{group}", ""),
            "maps": [
                {
                    "href": f"{page}.html",
                    "title": t(f"page_{page}"),
                    "text": t.get(f"idx_{page}_text", ""),
                    "picture": drawings.get(page, ""),
                }
                for page in pages
            ],
            "beside": beside_html(study, t.lang, "plans") if group == "plan" else "",
        }
        for group, pages in page_groups(context).items()
    ]
    english = t.lang == "en"
    datasets = [
        {
            "title": (getattr(d, "title_en", "") if english else d.title) or d.title,
            "kind": t(f"kind_{d.kind}"),
            "weak": d.kind in ("assumed", "synthetic"),
            "date": d.date or "—",
            "source": d.said("source", t.lang) or "—",
            "licence": d.said("licence", t.lang) or "—",
        }
        for d in context.results.datasets
    ]
    words = frame_words(context, "index")
    html = template(
        "index.html",
        **words,
        lang="en" if english else "zh-CN",
        csp="@@content-policy@@",
        style=css_variables() + asset("page.css") + asset("index.css") + asset("media.css"),
        title=title or context.place,
        headlines=_headlines(context, services) + _finding_headlines(context),
        groups=groups,
        beside_group="" if any(g["beside"] for g in groups) else beside_html(study, t.lang, "group"),
        beside_downloads=beside_html(study, t.lang, "downloads"),
        services=services,
        directions=[z for z in zones if z["kind"] == "direction"],
        townships=[z for z in zones if z["kind"] == "township"],
        people=fmt.people,
        villages=village_rows(context),
        radius=_radius(context),
        datasets=datasets,
        notes=[context.sentence(tidy(_note(w, english=english))) for w in context.results.warnings],
        direction_note=context.direction_note,
        profile=context.profile,
    )
    return finish(html)
