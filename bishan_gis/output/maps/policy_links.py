"""From an element of the policy to the map page that shows it, with what of its state leads there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bishan_gis.planning.policy import load_policy
from bishan_gis.planning.standards import load_standards, study_standards

if TYPE_CHECKING:
    import pandas as pd

    from bishan_gis.output.maps.context import Context

__all__ = ["deciding_standards", "element_page", "element_service"]

#: End of the function that evaluated an element -> page, and what of its state leads to what is meant.
_PAGES: dict[str, tuple[str, dict[str, str]]] = {
    # Dots of facilities would hide the land.
    "spaces": ("district", {"show": "landuse,-facilities"}),
    "land_balance": ("district", {"show": "landuse,-facilities"}),
    "outside_line": ("district", {"show": "landuse,control,-facilities"}),
    "ecology": ("district", {"show": "control,-facilities"}),
    "direction_figures": ("district", {}),
    "rank_size": ("district", {}),
    "nesting_check": ("district", {}),
    "street_measures": ("district", {}),
    "tier_completeness": ("scorecard", {}),
    "completeness": ("completeness", {}),
    "scorecard": ("scorecard", {}),
    "datasets": ("index", {}),
    "shelter_levels": ("shelters", {}),
}
_HUBS = ("hubs", "hubs_all_ages")


def deciding_standards(context: Context) -> dict[int, dict[str, Any]]:
    """Return the standard whose figure each element of the policy shows.

    Parameters
    ----------
    context : Context
        A run with findings.

    Returns
    -------
    dict
        Number of the element -> ``name_zh, service, indicator, value``; the first standard that speaks of a service
        where the figure is of none; empty where the element names none.
    """
    study = context.results.study
    catalogue = load_policy(study.raw(study.policy.catalogue) if study.policy.catalogue else None)
    standards = {**_by_id(load_standards()), **_by_id(study_standards(study))}
    shown = {
        int(n): str(i) for n, i in context.results.findings.policy[["number", "indicator"]].itertuples(index=False)
    }
    out = {}
    for number, ids in catalogue[["number", "indicators"]].itertuples(index=False):
        mine = [standards[i] for i in str(ids).split() if i in standards]
        named = [s for s in mine if s["name_zh"] == shown.get(int(number))]
        out[int(number)] = next(iter([*named, *(s for s in mine if s["service"])]), {})
    return out


def _by_id(standards: pd.DataFrame) -> dict[str, dict[str, Any]]:
    rows = standards[["id", "name_zh", "service", "indicator", "value"]].to_dict("records")
    return {str(r["id"]): {str(k): v for k, v in r.items()} for r in rows}


def element_service(context: Context, function: str, meant: Mapping[str, Any]) -> str:
    """Return the service that a map of an element shows; nothing where it is not about one.

    Parameters
    ----------
    context : Context
        The run.
    function : str
        Function that evaluated the element, without its module.
    meant : mapping
        Of :func:`deciding_standards`.
    """
    wanted = "community_centre" if function in _HUBS else str(meant.get("service", ""))
    return wanted if wanted in context.services.index else ""


def element_page(context: Context, function: str, meant: Mapping[str, Any]) -> dict[str, str]:
    """Return the map page of an element: ``file, state, title``; empty where no page shows it.

    Parameters
    ----------
    context : Context
        The run.
    function : str
        Function that evaluated the element, without its module.
    meant : mapping
        Of :func:`deciding_standards`.
    """
    from bishan_gis.output.maps.catalogue import PAGES

    service = element_service(context, function, meant)
    page, state = _PAGES.get(function, ("", {}))
    if not page and service:
        if meant.get("indicator") == "drive_min":
            page, state = "shelters", {"view": "fire"} if service == "fire_station" else {}
        else:
            state = {"service": service, "cutoff": f"{context.shown(service):g}", "age": context.ages[0]}
            page = "coverage"
    if not page or not PAGES[page].there(context):
        return {}
    return {"file": f"{page}.html", "state": urlencode(state), "title": context.labels(f"page_{page}")}
