"""Which pages a run gets, in what order and in which groups: only those that its results can fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bishan_gis.output.maps.context import Context

__all__ = ["GROUPS", "PAGES", "Page", "page_groups", "pages_of"]

#: Groups of pages in the order in which a newcomer reads them; their names are the labels ``pages_<group>``.
GROUPS = ("now", "missing", "plan")


@dataclass(frozen=True)
class Page:
    """A page: its group ("" for the overview), whether a run can fill it, and how it is made."""

    group: str
    there: Callable[[Context], bool]
    make: Callable[[Context], str]


def _always(_context: Context) -> bool:
    return True


def _findings(context: Context) -> bool:
    return getattr(context.results, "findings", None) is not None


def _plans(context: Context) -> bool:
    return _findings(context) and len(context.results.findings.plans) > 0


def _safety(context: Context) -> bool:
    from bishan_gis.output.maps.shelters_page import has_safety

    return _findings(context) and has_safety(context)


def _scores(context: Context) -> bool:
    return _findings(context) and bool((context.zone_rows["zone_kind"] == "township").any())


def _trials(context: Context) -> bool:
    from bishan_gis.output.maps.whatif import whatif_problem

    return bool(context.results.study.outputs.whatif) and whatif_problem(context) is None


def _index(context: Context) -> str:
    from bishan_gis.output.maps.index import index_page

    return index_page(context)


def _district(context: Context) -> str:
    from bishan_gis.output.maps.pages import district_page

    return district_page(context)


def _coverage(context: Context) -> str:
    from bishan_gis.output.maps.pages import coverage_page

    return coverage_page(context)


def _nearest(context: Context) -> str:
    from bishan_gis.output.maps.pages import nearest_page

    return nearest_page(context)


def _gaps(context: Context) -> str:
    from bishan_gis.output.maps.gap_page import gaps_page

    return gaps_page(context)


def _completeness(context: Context) -> str:
    from bishan_gis.output.maps.completeness_page import completeness_page

    return completeness_page(context)


def _siting(context: Context) -> str:
    from bishan_gis.output.maps.siting_page import siting_page

    return siting_page(context)


def _shelters(context: Context) -> str:
    from bishan_gis.output.maps.shelters_page import shelters_page

    return shelters_page(context)


def _scorecard(context: Context) -> str:
    from bishan_gis.output.maps.scorecard_page import scorecard_page

    return scorecard_page(context)


def _whatif(context: Context) -> str:
    from bishan_gis.output.maps.whatif import whatif_page

    return whatif_page(context)


#: Every page, in the order of the links.
PAGES: dict[str, Page] = {
    "index": Page("", _always, _index),
    "district": Page("now", _always, _district),
    "coverage": Page("now", _always, _coverage),
    "nearest": Page("now", _always, _nearest),
    "completeness": Page("now", _findings, _completeness),
    "gaps": Page("missing", _findings, _gaps),
    "shelters": Page("missing", _safety, _shelters),
    "scorecard": Page("missing", _scores, _scorecard),
    "siting": Page("plan", _plans, _siting),
    "whatif": Page("plan", _trials, _whatif),
}


def page_groups(context: Context) -> dict[str, list[str]]:
    """Return the pages of a run by group, without the overview; pages that the table does not know stand last."""
    out: dict[str, list[str]] = {g: [] for g in (*GROUPS, "more")}
    for key in context.pages:
        group = PAGES[key].group if key in PAGES else "more"
        if group:
            out[group].append(key)
    return {g: keys for g, keys in out.items() if keys}


def pages_of(context: Context) -> list[str]:
    """Return the keys of the pages that a run can fill, in the order of their links."""
    return [key for key, page in PAGES.items() if page.there(context)]
