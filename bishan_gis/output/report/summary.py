"""The first page: the numbers that matter, and findings of three sentences each: what, where, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.output.report import figures as fig
from bishan_gis.output.report.tables import worst_service

if TYPE_CHECKING:
    from bishan_gis.output.report.figures import Cell
    from bishan_gis.output.report.source import Source

__all__ = ["Finding", "find_findings", "headlines"]

#: ``title, what, where, do`` (sentences) and ``figures`` (the numbers in them).
Finding = dict[str, Any]

#: Why an area lacks a service -> key of what would help.
_HELP = ("distance", "detour", "slope", "not_connected", "off_network", "data_edge", "capacity")


def _headline(title: str, cell: Cell, text: str) -> dict[str, Any]:
    return {"title": title, "big": cell["text"], "value": cell["value"], "text": text}


def headlines(source: Source, policy: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the numbers at the head of the report.

    Parameters
    ----------
    source : Source
        The run.
    policy : dict
        Of :func:`bishan_gis.output.report.policy.policy_facts`.
    """
    w, context, whole = source.words, source.context, source.district
    first = context.default_service
    found = source.covered(whole, first)
    out = [
        _headline(
            w("head_people"),
            fig.count(source.zone_people(whole)),
            w(
                "head_people_text",
                services=fig.count(len(source.judged))["text"],
                facilities=fig.count(int(context.services.loc[source.judged, "n"].sum()))["text"],
            ),
        ),
        _headline(
            w("head_service", service=source.name(first)),
            fig.share(found.covered, found.people),
            w(
                "head_service_text",
                n=f"{source.level(first):g}",
                people=fig.people(found.covered)["text"],
                lacking=fig.people(found.lacking)["text"],
            ),
        ),
    ]
    complete = source.completeness(whole)
    if complete == complete:
        n = fig.count(len(source.walked))["text"]
        out.insert(1, _headline(w("head_complete"), fig.share(complete, 1), w("head_complete_text", n=n)))
    if policy:
        counts = policy["counts"]
        texts = {k: c["text"] for k, c in counts.items()}
        out.append(_headline(w("head_policy"), counts["evaluated"], w("head_policy_text", **texts)))
    else:
        shares = {s: source.covered(whole, s) for s in source.judged}
        worst = min(shares, key=lambda s: shares[s].covered / max(shares[s].people, 1))
        cell = fig.share(shares[worst].covered, shares[worst].people)
        words = w("service_within", service=source.name(worst), n=f"{source.level(worst):g}")
        out.append(_headline(w("head_worst"), cell, words))
    return out


def _most_severe(source: Source) -> str:
    """Return the service whose lack weighs most: people times minutes beyond the level, as the gaps are ranked."""
    gaps = source.gaps
    if gaps is None:
        return worst_service(source, source.district)
    table = gaps.people[(gaps.people["zone_kind"] == "district") & (gaps.people["age_group"] == "all")]
    severity = table.set_index("service")["severity_person_min"]
    weight = source.targets["weight"]
    score = [float(severity.get(s, 0.0)) * float(weight.get(s, 0.0)) for s in source.walked]
    return source.walked[int(np.argmax(score))] if source.walked else source.judged[0]


def _where(source: Source, service: str) -> str:
    """Say in which townships most people lack a service, and in which direction fewest reach it."""
    w, mark = source.words, source.words("list_mark")
    lacking = [(source.covered(z, service).lacking, z) for z in source.zones("township")]
    towns = sorted(((n, z) for n, z in lacking if n > 0), key=lambda p: (-p[0], p[1]))[:3]
    named = mark.join(w("place_people", place=source.zone_name(z), people=fig.people(n)["text"]) for n, z in towns)
    out = [w("where_towns", places=named)] if towns else []
    parts = [(source.covered(z, service), z) for z in source.zones("direction")]
    parts = [(f, z) for f, z in parts if f.people > 0]
    if parts:
        found, zone = min(parts, key=lambda p: (p[0].covered / p[0].people, p[1]))
        out.append(
            w("where_direction", place=source.zone_name(zone), share=fig.share(found.covered, found.people)["text"])
        )
    return w("clause_mark").join(out) + w("stop") if out else w("where_nowhere")


def _what_helps(source: Source, service: str) -> str:
    """Say what would help those who lack a service, by the reasons of its gaps, and what the plan adds."""
    w, gaps = source.words, source.gaps
    out = []
    if gaps is not None:
        table = gaps.areas.table[gaps.areas.table["service"] == service]
        by = {r: int(table[f"people_{r}"].sum()) for r in _HELP if f"people_{r}" in table.columns}
        total = sum(by.values())
        ordered = sorted((r for r in by if by[r]), key=lambda r: -by[r])[:2]
        out += [w(f"help_{r}", share=fig.share(by[r], total)["text"]) for r in ordered]
    plans = source.results.findings.plans if source.results.findings is not None else []
    for plan in plans:
        if plan.service == service and plan.facts["zone"] is None:
            facts = plan.facts
            out.append(
                w(
                    "help_plan",
                    n=fig.count(facts["n_sites"])["text"],
                    people=fig.people(facts["people_new"])["text"],
                )
            )
            break
    return w("clause_mark").join(out) + w("stop") if out else w("help_check")


def _about_service(source: Source, service: str, title: str) -> Finding:
    w = source.words
    found = source.covered(source.district, service)
    figures = {
        "lacking": fig.people(found.lacking),
        "share": fig.share(found.lacking, found.people),
        "covered": fig.share(found.covered, found.people),
    }
    texts = {k: c["text"] for k, c in figures.items()}
    what = w("what_service", service=source.inline(service), n=f"{source.level(service):g}", **texts)
    return {
        "key": f"service_{service}",
        "title": w(title, service=source.name(service)),
        "what": what,
        "where": _where(source, service),
        "do": _what_helps(source, service),
        "figures": figures,
    }


def _about_directions(source: Source) -> Finding | None:
    w = source.words
    zones = [z for z in source.zones("direction") if source.zone_people(z) > 0]
    if len(zones) < 2 or source.gaps is None:
        return None
    value = {z: source.completeness(z) for z in zones}
    best, worst = max(zones, key=lambda z: value[z]), min(zones, key=lambda z: value[z])
    lowest = min(source.zones("township"), key=lambda z: source.completeness(z) if source.zone_people(z) else 2.0)
    service = worst_service(source, worst)
    figures = {
        "best": fig.share(value[best], 1),
        "worst": fig.share(value[worst], 1),
        "people": fig.count(source.zone_people(worst)),
        "lowest": fig.share(source.completeness(lowest), 1),
        "lacking": fig.people(source.covered(worst, service).lacking),
    }
    texts = {k: c["text"] for k, c in figures.items()}
    names = {"best_name": source.zone_name(best), "worst_name": source.zone_name(worst)}
    names |= {"lowest_name": source.zone_name(lowest), "service": source.inline(service)}
    names["n"] = f"{source.level(service):g}"
    return {
        "key": "directions",
        "title": w("find_directions"),
        "what": w("what_directions", **texts, **names),
        "where": w("where_directions", **texts, **names),
        "do": w("do_directions", **texts, **names),
        "figures": figures,
    }


def _about_policy(source: Source, policy: dict[str, Any]) -> Finding | None:
    w = source.words
    if not policy:
        return None
    elements = [e for g in policy["groups"] for e in g["evaluated"]]
    failed = [e for e in elements if e["verdict"] == "not_met"]
    texts = {k: c["text"] for k, c in policy["counts"].items()}
    shown = w("list_mark").join(
        w("element", number=e["number"], indicator=e["indicator"], figure=e["figure"]["text"]) for e in failed
    )
    return {
        "key": "policy",
        "title": w("find_policy"),
        "what": w("what_policy", **texts),
        "where": w("where_policy", elements=shown) if failed else w("where_policy_none"),
        "do": w("do_policy", **texts),
        "figures": policy["counts"],
    }


def find_findings(source: Source, policy: dict[str, Any]) -> list[Finding]:
    """Return what a leader should know, most telling first.

    Parameters
    ----------
    source : Source
        The run.
    policy : dict
        Of :func:`bishan_gis.output.report.policy.policy_facts`.
    """
    first = source.context.default_service
    severe = _most_severe(source)
    out = [_about_service(source, first, "find_service")] if first in source.judged else []
    if severe != first:
        out.append(_about_service(source, severe, "find_severe"))
    planned = [p.service for p in source.results.findings.plans] if source.results.findings is not None else []
    for service in planned[:1]:
        if service not in (first, severe) and service in source.judged:
            out.append(_about_service(source, service, "find_planned"))
    more = [_about_directions(source), _about_policy(source, policy)]
    return [*out, *(f for f in more if f is not None)]
