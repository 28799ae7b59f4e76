"""Printed maps of what the results mean: gaps, completeness, sites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError
from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps.completeness_page import natural_breaks
from bishan_gis.output.maps.context import Context, whole
from bishan_gis.output.maps.siting_page import CELL_COLORS, CELL_STATES, plan_cells
from bishan_gis.output.static_marks import dot, draw_classes, draw_facilities, finish_map
from bishan_gis.output.static_page import new_sheet
from bishan_gis.output.static_sheet import Sheet
from bishan_gis.output.tokens import COMPLETENESS, GAP, INK, MISSING, REACH, SITE, UNKNOWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["completeness_map", "gap_map", "siting_map"]


def gap_map(context: Context, service: str | None) -> Figure:
    """Draw how many services are missing, or where one is."""
    words = context.labels
    gaps: Any = context.results.findings.gaps
    place = pd.Index(gaps.cells["cell_id"]).get_indexer(context.results.cells["cell_id"])
    if service is not None:
        if service not in gaps.state.services:
            raise InputError(f"缺口分析没有判断 {service!r}", f"the findings do not judge {service!r}")
        row = gaps.state.services.index(service)
        of = np.where(place < 0, 2, gaps.state.state[row, place].astype(np.int64))
        minutes = whole(float(gaps.state.level_min[row]))
        named = {"place": context.place, "service": context.service_name(service), "n": minutes}
        sheet = new_sheet(context, words("sm_title_gap", **named), words("sm_sub_gap", **named))
        classes = [(REACH[2], words("sm_within", n=minutes)), (GAP, words("gap_gaps")), (UNKNOWN, words("gap_unknown"))]
        draw_classes(sheet, words("gap_title"), classes, of)
        draw_facilities(sheet, service)
        return finish_map(sheet)
    n = len(gaps.state.services)
    lacking = np.where(place < 0, 0, gaps.state.deficient.sum(axis=0)[place])
    ends = np.ceil(n * np.arange(len(MISSING)) / (len(MISSING) - 1)).astype(int)
    of = np.searchsorted(ends, lacking).astype(np.int64)
    of[(lacking == 0) & (place >= 0) & gaps.state.unknown.any(axis=0)[place]] = len(MISSING)
    classes = [(MISSING[0], words("gap_none"))]
    classes += [(MISSING[i], words("gap_band", a=ends[i - 1] + 1, b=ends[i])) for i in range(1, len(MISSING))]
    classes.append((UNKNOWN, words("gap_unknown")))
    subtitle = words("sm_sub_gaps", n=n, people=fmt.people(gaps.people_lacking), areas=fmt.exact(len(gaps.areas.table)))
    sheet = new_sheet(context, words("sm_title_gaps", place=context.place), subtitle)
    draw_classes(sheet, words("gap_legend_any"), classes, of)
    sheet.note(words("gap_bands_note", n=n))
    return finish_map(sheet)


def completeness_map(context: Context) -> Figure:
    """Draw the share of the services asked for that is within reach."""
    words = context.labels
    gaps: Any = context.results.findings.gaps
    cells = context.results.cells
    low = gaps.completeness["completeness_low"].reindex(cells["cell_id"]).fillna(0).to_numpy(float)
    people = cells["people"].to_numpy(np.int64)
    breaks = np.array(natural_breaks(low, people, len(COMPLETENESS)))
    of = np.minimum(np.searchsorted(breaks + 1e-9, low), len(breaks) - 1)
    starts = [float(low.min()) if len(low) else 0.0, *breaks[:-1]]
    texts = [f"{a * 100:.1f}–{b * 100:.1f} %" for a, b in zip(starts, breaks, strict=True)]
    mean = float((low * people).sum() / people.sum()) if people.sum() else 0.0
    n = len(gaps.state.services)
    subtitle = words("sm_sub_completeness", n=n, p=f"{mean * 100:.1f} %")
    sheet = new_sheet(context, words("sm_title_completeness", place=context.place), subtitle)
    draw_classes(sheet, words("cmp_legend"), list(zip(COMPLETENESS, texts, strict=False)), of)
    sheet.note(words("cmp_classes", k=len(breaks), n=fmt.exact(len(cells))))
    sheet.note(words("cmp_weights"))
    return finish_map(sheet)


def siting_map(context: Context, service: str | None) -> Figure:
    """Draw the sites of the first plan, whom they serve and who stays without."""
    words = context.labels
    plans = [p for p in context.results.findings.plans if service in (None, p.service)]
    if not plans:
        wanted = "" if service is None else f" ({service})"
        raise InputError(
            f"研究没有选址方案{wanted};请在 study.toml 的 [[siting.plans]] 中写明",
            f"the study has no plan of sites{wanted}; add [[siting.plans]] to study.toml",
        )
    found = plans[0]
    facts = found.facts
    name = str(facts["service_en" if words.lang == "en" else "service_zh"])
    state, _ = plan_cells(found, pd.DataFrame(context.results.cells[["cell_id"]]))
    state[~_inside(context, facts["zone"])] = CELL_STATES.index("outside")
    keys = ("sit_cell_served", "sit_cell_new", *(f"sit_left_{s}" for s in CELL_STATES[2:8]), "sit_cell_outside")
    classes = list(zip(CELL_COLORS, map(words, keys), strict=True))
    title = words("sm_title_siting", place=context.place, service=name)
    new, minutes = fmt.people(int(facts["people_new"])), whole(float(facts["cutoff_min"]))
    who = context.age_name(str(facts["age_group"]))
    subtitle = words("sm_sub_siting", n=facts["n_sites"], service=name, min=minutes, people=new, who=who)
    sheet = new_sheet(context, title, subtitle)
    draw_classes(sheet, words("sm_served"), classes, state, people=_people(context, str(facts["age_group"])))
    draw_facilities(sheet, found.service)
    sites = found.plan.sites
    xy = sites[["x", "y"]].to_numpy(float)
    _sites(sheet, xy, sites["order"].astype(int).tolist())
    sheet.heading(words("sit_chosen"), f"{words('sit_new')} ({words('people')})")
    for order, gained in zip(sites["order"].astype(int), sites["people_new"], strict=True):
        sheet.row(dot(SITE, 7), words("sit_site", n=order), fmt.people(float(gained)))
    sheet.note(words("sit_note", kind=words(f"kind_{facts['kind']}")))
    return finish_map(sheet)


def _inside(context: Context, zone: str | None) -> NDArray[np.bool_]:
    """Return which cells lie in a zone, given by id or name; all where none is given."""
    cells, zones = context.results.cells, context.results.zones
    hit = zones[(zones["zone_id"].astype(str) == zone) | (zones["name"].astype(str) == zone)]
    column = "" if hit.empty else str(hit["zone_kind"].iloc[0]).replace("township", "zone_id")
    if column not in cells.columns:
        return np.ones(len(cells), dtype=bool)
    return np.asarray((cells[column].astype(str) == str(hit["zone_id"].iloc[0])).to_numpy(), dtype=bool)


def _people(context: Context, age: str) -> NDArray[np.int64]:
    """Return the people of an age group in each cell."""
    groups = context.results.study.inputs.population.groups
    columns = ["people"] if age == "all" else list(groups.get(age, [age]))
    return np.asarray(context.results.cells[columns].sum(axis=1).to_numpy(np.int64))


def _sites(sheet: Sheet, xy: NDArray[np.float64], orders: Sequence[int]) -> None:
    """Add the sites chosen, with their number."""

    def draw(axes: Axes, _: float) -> None:
        axes.scatter(xy[:, 0], xy[:, 1], s=110, c=SITE, edgecolors=INK["paper"], linewidths=1.2, zorder=8)
        for (x, y), order in zip(xy, orders, strict=True):
            sheet.text(
                axes,
                x,
                y,
                str(order),
                size=7.5,
                color=INK["paper"],
                ha="center",
                va="center_baseline",
                zorder=8.1,
                clip_on=True,
            )

    sheet.layer(draw)
