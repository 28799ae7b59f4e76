"""Everything that the report says, as one plain dictionary: the single source of its three formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bishan_gis import __version__
from bishan_gis.chinese import full_width
from bishan_gis.output.report.method import dataset_table, limits, measure_table, methods, tagged_sources
from bishan_gis.output.report.places import gap_facts, site_facts
from bishan_gis.output.report.policy import policy_facts
from bishan_gis.output.report.source import Source, in_language
from bishan_gis.output.report.summary import find_findings, headlines
from bishan_gis.output.report.tables import coverage_tables, zone_tables
from bishan_gis.output.words import clean

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = ["report_facts", "wanted_maps"]

#: Keys of words that the templates use.
_FIXED = (
    *("contents", "summary", "findings", "what", "where", "do", "policy", "no", "phrase", "indicator", "value"),
    *("verdict", "clause", "kind", "map", "needs", "evaluated", "not_evaluated", "coverage", "gaps", "sites"),
    *("methods", "formula", "source", "sources", "limits", "figure", "page", "weak_short", "element_result"),
    *("policy_needing", "no_findings", "made_by", "other_measures", "tags", "places_head", "formula_head", "undrawn"),
    "colon",
)

#: Keys whose texts are not sentences.
_VERBATIM = ("office", "author", "software", "formula", "file", "state")


def wanted_maps(source: Source) -> list[dict[str, Any]]:
    """Return the maps of the report in their order: ``key, what, service, cutoff_min, title, caption, number``.

    Parameters
    ----------
    source : Source
        The run.
    """
    w, context = source.words, source.context
    first = context.default_service
    level = source.level(first)
    cutoff = level if level in context.cutoffs else context.shown(first)
    named = {"service": source.name(first), "n": f"{cutoff:g}"}
    found: list[tuple[str, str, str | None, float | None, dict[str, str]]] = []
    lead = "lead" if source.gaps is not None and source.walked else "lead_plain"
    found.append(("lead", lead, first, None, named))
    if source.zones("direction"):
        found.append(("directions", "directions", None, None, {}))
    found += [("coverage", "coverage", first, cutoff, named), ("nearest", "nearest", first, None, named)]
    if source.gaps is not None:
        found.insert(1, ("completeness", "completeness", None, None, {}))
        found.append(("gaps", "gaps", None, None, {}))
    plans = source.results.findings.plans if source.results.findings is not None else []
    for service in dict.fromkeys(p.service for p in plans):
        facts = next(p.facts for p in plans if p.service == service)
        name = str(facts["service_zh" if source.zh else "service_en"])
        found.append((f"siting_{service}", "siting", service, None, {"service": name}))
    return [
        {
            "key": key,
            "what": what,
            "service": service,
            "cutoff_min": cutoff,
            "number": i,
            "title": w(f"map_{what}", place=context.place, **words),
            "caption": w(f"map_{what}_text", **words),
        }
        for i, (key, what, service, cutoff, words) in enumerate(found, start=1)
    ]


def _notices(source: Source) -> list[str]:
    """Return the lines under the title: who walks, coordinates, licence of the streets."""
    labels, study = source.context.labels, source.results.study
    date = [labels("fact_date", d=study.date)] if study.date else []
    first = labels("fact_profile", **source.context.profile)
    return [first, *date, source.words("fact_crs", c=study.crs), labels("fact_osm")]


def report_facts(results: Results, *, lang: str | None = None) -> dict[str, Any]:
    """Return everything that the report of a run says.

    Parameters
    ----------
    results : Results
        A run, with findings for the whole report; without them the report says what is left out.
    lang : {"zh", "en"}, optional
        Language; the study's where left out.

    Returns
    -------
    dict
        Plain lists, dictionaries, texts and numbers that JSON can hold: ``title, place, date, office, author, warning,
        approval, headlines, findings, maps, policy, zones, tables, gaps, sites, measures, methods, datasets, limits,
        words`` and ``running`` (the line at the foot of every page). Each number is ``{"text": as written, "value": as
        computed}``; tables are ``{key, title, note, columns, rows, sum}`` of such cells.
        ``maps_href`` is the way to the map pages, where they are.

    Raises
    ------
    SchemaError
        The coverage table of the run lacks rows.

    Examples
    --------
    >>> facts = report_facts(results)  # doctest: +SKIP
    >>> facts["headlines"][0]["big"]  # doctest: +SKIP
    '756,022'
    """
    source = Source(in_language(results, lang or results.study.lang))
    w, study, context = source.words, source.results.study, source.context
    maps = wanted_maps(source)
    policy = policy_facts(source, maps={m["what"]: m["number"] for m in maps})
    title = (study.title_en or study.title) if not source.zh else study.title
    approval = context.labels("fact_approval", n=study.outputs.map_approval or "—")
    warning = source.warning()
    kind = context.labels(f"kind_{source.results.kind}")
    facts = {
        "lang": source.lang,
        "study": study.id,
        "title": w("title", name=title or context.place),
        "place": context.place,
        "date": study.date,
        "office": study.report.office,
        "author": study.report.author,
        "software": f"bishan_gis {__version__}",
        "kind": kind,
        "warning": warning,
        "warning_short": w("weak_short", kind=kind) if source.results.kind in ("assumed", "synthetic") else "",
        "approval": approval,
        "running": " · ".join(v for v in (context.place, study.date, w("data_is", kind=kind), approval) if v),
        "notices": _notices(source),
        "headlines": headlines(source, policy),
        "findings": find_findings(source, policy),
        "has_findings": source.results.findings is not None,
        "maps": maps,
        "policy": policy,
        "zones": zone_tables(source),
        "tables": coverage_tables(source),
        "gaps": gap_facts(source),
        "sites": site_facts(source),
        "measures": measure_table(source) or {},
        "methods": methods(source),
        "datasets": dataset_table(source),
        "limits": limits(source),
        "tags": tagged_sources(w),
        "words": {key: w(key) for key in _FIXED},
        "maps_href": "",
    }
    cleaned: dict[str, Any] = clean(_chinese_marks(facts) if source.zh else facts)
    return cleaned


def _chinese_marks(value: Any, key: str = "") -> Any:
    """Return facts whose sentences have full-width marks; names of people, offices and formulas stay as they are."""
    if isinstance(value, str):
        return value if key in _VERBATIM else full_width(value)
    if isinstance(value, dict):
        return {k: _chinese_marks(v, k) for k, v in value.items()}
    return [_chinese_marks(v) for v in value] if isinstance(value, list) else value
