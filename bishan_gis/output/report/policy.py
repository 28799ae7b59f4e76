"""The policy in the report, element by element: clause, indicator, value, verdict and map, or what it needs."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from bishan_gis.chinese import cite_zh, without_settings
from bishan_gis.crs import areas_km2
from bishan_gis.output.maps.policy_links import deciding_standards, element_page
from bishan_gis.output.report import figures as fig
from bishan_gis.output.report.element_maps import small_map
from bishan_gis.output.words import tidy, unit_words

if TYPE_CHECKING:
    from bishan_gis.output.report.figures import Cell
    from bishan_gis.output.report.source import Source

__all__ = ["policy_facts"]

_VERDICTS = ("met", "not_met", "unknown", "no_threshold")
#: End of the function that evaluated an element -> the map of the report that shows it.
_MAP = {
    "direction_figures": "directions",
    "rank_size": "directions",
    "nesting_check": "directions",
    "tier_completeness": "completeness",
    "completeness": "completeness",
    "scorecard": "lead",
}


def _figure(value: float, unit: str, function: str, source: Source) -> Cell:
    if not math.isfinite(value):
        return fig.text(fig.DASH)
    if unit == "1" and 0 <= value <= 1 and not function.endswith("rank_size"):
        return fig.share(value, 1)
    if unit == "person":
        return fig.people(value)
    return fig.plain(value, "" if unit == "1" else unit_words(unit, source.lang))


def _directions_said(source: Source) -> str:
    """Say of each direction what the tables and maps say: their areas are those of the ellipsoid."""
    from bishan_gis.planning.policy_measures import direction_figures

    area = areas_km2(source.context.zone_rows)
    mean = direction_figures(source.results).set_index("zone_id")["coverage_15min"]
    ids = source.context.zone_rows["zone_id"]
    return source.words("list_semicolon").join(
        source.words(
            "direction_said",
            place=source.zone_name(z),
            people=fig.count(source.zone_people(z))["text"],
            area=fig.area(float(area[z]))["text"],
            share=fig.share(float(mean[ids.iloc[z]]), 1)["text"],
        )
        for z in source.zones("direction")
    )


def _units(source: Source, said: str) -> str:
    """Return a sentence with units in words, the longest first."""
    units = sorted((k for k in source.words if k.startswith("unit_") and "/" in k), key=len, reverse=True)
    for key in units:
        said = re.sub(rf"(?<=\d)[ \u00a0]{re.escape(key[5:])}(?=$|[^\w/])", f"\u00a0{source.words(key)}", said)
    return tidy(said)


def _plain(source: Source, said: str) -> str:
    """Return a sentence as a planner reads it: units in words, and in Chinese no names of settings."""
    return _units(source, without_settings(said) if source.zh else said)


def _lines(said: str) -> list[str]:
    """Return the statements of a sentence, one a line: semicolons within brackets part nothing."""
    out, depth = [""], 0
    for c in said:
        depth += (c in "(（") - (c in ")）")
        out[-1] += c
        if c in ";；" and depth <= 0:
            out.append("")
    return [line.strip() for line in out if line.strip()]


def _shown_by(source: Source, function: str, meant: dict[str, Any], maps: dict[str, int]) -> dict[str, Any]:
    """Say which maps show an element: a numbered one of the report or a small one of its own, and a page."""
    w = source.words
    what = _MAP.get(function, "")
    if not what and meant.get("service") == source.context.default_service and meant["indicator"] == "walk_min":
        what = "coverage"
    figure = w("figure_n", n=maps[what]) if what in maps else ""
    page = element_page(source.context, function, meant)
    picture = {} if figure else small_map(source, function, meant)
    said = [figure] if figure else [w("small_here")] if picture else []
    if page:
        said.append(w("map_page", title=page["title"], file=page["file"]))
    return {
        "map": w("map_mark").join(said),
        "map_figure": figure or (w("small_here") if picture else ""),
        "map_anchor": what if figure else "",
        "page": page,
        "page_text": w("map_page", title=page["title"], file=page["file"]) if page else "",
        "picture": picture,
    }


def _element(source: Source, row: dict[str, Any], meant: dict[str, Any], maps: dict[str, int]) -> dict[str, Any]:
    zh, w = source.zh, source.words
    evaluated = row["state"] == "evaluated"
    function = str(row["function"])
    said = str(row["said_zh" if zh else "said_en"])
    if evaluated and function.endswith("direction_figures"):
        said = _directions_said(source)
    out = {
        "number": int(row["number"]),
        "work": str(row["key_work"]),
        "phrase": str(row["phrase"]),
        "meaning": "" if zh else str(row["meaning"]),
        "evaluated": evaluated,
        "state": w("evaluated" if evaluated else "not_evaluated"),
        "indicator": str(row["indicator" if zh or not evaluated else "indicator_en"]),
        "said": _plain(source, said),
        "said_lines": _lines(_plain(source, said)),
        "needs": "",
        "picture": {},
    }
    if not evaluated:
        needs = str(row["how_to_provide_zh" if zh else "how_to_provide_en"])
        return out | {"needs": _plain(source, needs), "indicator": ""}
    value = _figure(float(row["value"]), str(row["unit"]), function, source)
    return out | {
        "figure": value,
        "clause": (cite_zh(str(row["clause"])) if zh else str(row["clause"])) or w("no_clause"),
        "tag": str(row["tag"]),
        "kind": w(f"kind_{row['kind']}"),
        "weak": str(row["kind"]) in ("assumed", "synthetic"),
        "verdict": str(row["verdict"]),
        "verdict_text": w(f"verdict_{row['verdict']}"),
        **_shown_by(source, function.rsplit(".", 1)[-1], meant, maps),
    }


def policy_facts(source: Source, *, maps: dict[str, int]) -> dict[str, Any]:
    """Return the policy by key work, with how many elements were evaluated and how they came out.

    Parameters
    ----------
    source : Source
        The run.
    maps : dict
        Map that the report holds -> its number, for elements to point to.

    Returns
    -------
    dict
        Empty without findings; else ``sentence, counts, pictures`` (the small maps, each once)``, groups`` (``title,
        evaluated, needing``).
    """
    findings = source.results.findings
    if findings is None:
        return {}
    w = source.words
    rows = [{str(k): v for k, v in r.items()} for r in findings.policy.to_dict("records")]
    about = deciding_standards(source.context)
    elements = [_element(source, r, about.get(int(r["number"]), {}), maps) for r in rows]
    done = [e for e in elements if e["evaluated"]]
    counts = {v: fig.count(sum(e["verdict"] == v for e in done)) for v in _VERDICTS}
    counts |= {"all": fig.count(len(elements)), "evaluated": fig.count(len(done))}
    counts["not_evaluated"] = fig.count(len(elements) - len(done))
    groups: dict[str, list[dict[str, Any]]] = {}
    for element in elements:
        groups.setdefault(element["work"], []).append(element)
    return {
        "sentence": w("policy_counts", **{k: c["text"] for k, c in counts.items()}),
        "counts": counts,
        "pictures": list({e["picture"]["key"]: e["picture"] for e in done if e["picture"]}.values()),
        "groups": [
            {
                "title": work if source.zh else w.get(f"work_{work}", work),
                "evaluated": [e for e in mine if e["evaluated"]],
                "needing": [e for e in mine if not e["evaluated"]],
            }
            for work, mine in groups.items()
        ],
    }
