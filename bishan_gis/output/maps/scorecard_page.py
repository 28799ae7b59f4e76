"""The page of scores: townships by the services their people reach, and the policy, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.output.maps.completeness_page import natural_breaks
from bishan_gis.output.maps.context import whole
from bishan_gis.output.maps.elements import PackedPolygons
from bishan_gis.output.maps.findings import SCRIPTS, STYLES, finding_layers, gaps_of, judged_services, number
from bishan_gis.output.maps.page import map_page
from bishan_gis.output.maps.policy_links import deciding_standards, element_page
from bishan_gis.output.tokens import COMPLETENESS
from bishan_gis.planning.zone_sums import ZoneSums

if TYPE_CHECKING:
    from bishan_gis.output.maps.context import Context

__all__ = ["scorecard_page"]


def _shares(context: Context, services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the people of each zone within reach of each judged service at its level, and those not known."""
    sums, out = ZoneSums.of(context.results), []
    zones = [(k, str(z)) for k, z in zip(sums.zones["zone_kind"], sums.zones["zone_id"], strict=True)]
    shown = np.array([zone in context.zone_index for zone in zones])
    at = [context.zone_index[zone] for zone in zones if zone in context.zone_index]
    for i, service in enumerate(services):
        if not service["judged"] or service.get("vehicle") or service["level"] is None or service["level"] > 15:
            continue
        level = float(service["level"])
        rows = np.zeros((len(context.zone_rows), 2), dtype=np.int64)
        rows[at] = np.column_stack(sums.covered(service["key"], level))[shown]
        out.append({"s": i, "cutoff": whole(level), "rows": rows.tolist()})
    return out


def _elements(context: Context) -> list[dict[str, Any]]:
    """Return the policy as the page tells it."""
    from bishan_gis.output.words import load_words, tidy, unit_words

    english = context.labels.lang == "en"
    works = load_words("en") if english else {}
    about = deciding_standards(context)
    rows = []
    for row in context.results.findings.policy.to_dict("records"):
        rows.append(
            {
                "number": int(row["number"]),
                "work": works.get(f"work_{row['key_work']}", str(row["key_work"])),
                "phrase": str(row["meaning"] if english else row["phrase"]),
                "state": str(row["state"]),
                "indicator": str(row["indicator_en" if english else "indicator"]),
                "value": number(row["value"]),
                "high": number(row["value_high"]),
                "unit": unit_words(str(row["unit"]), context.labels.lang),
                "verdict": str(row["verdict"]),
                "clause": context.cite(str(row["clause"])),
                "tag": str(row["tag"]),
                "kind": str(row["kind"]),
                "said": context.sentence(tidy(str(row["said_en" if english else "said_zh"]))),
                "needs": context.sentence(str(row["how_to_provide_en" if english else "how_to_provide_zh"])),
                "page": element_page(
                    context, str(row["function"]).rsplit(".", 1)[-1], about.get(int(row["number"]), {})
                ),
            }
        )
    return rows


def scorecard_page(context: Context) -> str:
    """Return the page of scores and of the policy."""
    layers, base = finding_layers(context)
    del layers["cells"], layers["outline"]
    scores = context.town_scores
    rows = context.zone_rows
    towns = rows[rows["zone_kind"] == "township"]
    services = judged_services(context) if gaps_of(context) is not None else context.config()["services"]
    table = [
        {
            "zone": context.zone_index["township", str(zone)],
            "rank": int(r["rank"]),
            "score": round(float(r["score"]), 6),
            "high": round(float(r["score_high"]), 6),
            "people": int(r["people"]),
            "services": int(r["services"]),
        }
        for zone, r in scores.iterrows()
        if ("township", str(zone)) in context.zone_index
    ]
    values = np.array([r["score"] for r in table])
    breaks = natural_breaks(values, np.ones(len(values), dtype=np.int64), len(COMPLETENESS)) if len(values) else []
    by_zone = {r["zone"]: int(np.searchsorted(np.array(breaks) + 1e-9, r["score"])) for r in table}
    classes = [{"fill": c, "stroke": "#ffffff", "width": 1} for c in COMPLETENESS[: max(1, len(breaks))]]
    classes.append({"fill": "#96969633", "hatch": "/", "stroke": "#ffffff", "width": 1})
    code = [by_zone.get(int(i), len(classes) - 1) for i in towns.index]
    layers["scores"] = PackedPolygons(
        towns.geometry.to_numpy(),
        context.crs,
        classes=classes,
        extra={"c": ("u8", code), "zone": ("vi", towns.index.to_numpy())},
        simplify_m=3,
        z=7,
    )
    config = {
        "state": {"view": "rank", "pick": ""},
        "core": None,
        "services": services,
        "scores": table,
        "breaks": breaks,
        "colors": list(COMPLETENESS),
        "shares": _shares(context, services),
        "elements": _elements(context),
    }
    switches = [("scores", True, ("scores",)), ("facilities", False, ("facilities",)), *base]
    return map_page(context, "scorecard", layers, switches=switches, config=config, scripts=SCRIPTS, styles=STYLES)
