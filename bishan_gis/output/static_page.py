"""The frame of a printed map: title, notice, sources at the foot, and the quiet map under the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from bishan_gis.output.run_facts import run_facts
from bishan_gis.output.static_sheet import COLUMN, Sheet, frame_axes, wrap
from bishan_gis.output.tokens import BASEMAP, INK, ROAD_CLASSES, ROADS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context

__all__ = ["new_sheet"]

_A4 = (8.27, 11.69)
_MARGIN, _GAP, _FOOT = 0.45, 0.15, 0.95


def new_sheet(context: Context, title: str, subtitle: str) -> Sheet:
    """Return a sheet with title, notice and sources; the map shows the whole district.

    Parameters
    ----------
    context : Context
        Results and words.
    title, subtitle : str
        What the map says.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = context.zone_rows
    district = rows[rows["zone_kind"] == "district"]
    west, south, east, north = (district if len(district) else rows).total_bounds
    upright = (north - south) > (east - west)
    wide, high = _A4 if upright else _A4[::-1]
    figure = Figure(figsize=(wide, high), facecolor=INK["paper"])
    FigureCanvasAgg(figure)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, wide), ylim=(0, high))
    page.set_axis_off()
    inner = wide - 2 * _MARGIN
    words = context.labels

    axes = figure.add_axes((0, 0, 1, 1))
    column = figure.add_axes((0, 0, 1, 1))
    sheet = Sheet(context, figure, axes, column)
    y = high - _MARGIN - 0.2
    for text, size, color, step in ((title, 16, INK["ink"], 0.28), (subtitle, 9, INK["muted"], 0.18)):
        for line in wrap(text, inner, size):
            sheet.text(page, _MARGIN, y, line, size=size, color=color, va="baseline")
            y -= step
    warning = context.warning()
    if warning:
        lines = wrap(warning, inner - 0.2, 8)
        y_top, deep = y + 0.06, 0.16 * len(lines) + 0.1
        page.fill(
            [_MARGIN, wide - _MARGIN, wide - _MARGIN, _MARGIN],
            [y_top, y_top, y_top - deep, y_top - deep],
            fc=INK["warn-paper"],
            ec=INK["warn"],
            lw=0.6,
        )
        for i, line in enumerate(lines):
            sheet.text(page, _MARGIN + 0.1, y_top - 0.165 - 0.16 * i, line, size=8, color=INK["warn"], va="baseline")
        y = y_top - deep - 0.02

    foot = wrap(" · ".join(run_facts(context)), inner * 0.985, 7)
    sources = wrap(words("sm_sources") + " " + words("list_mark").join(context.data_lines()), inner * 0.985, 6.5)
    if len(sources) > 4:
        sources = [*sources[:3], sources[3][:-1] + "…"]
    bottom = max(_FOOT, _MARGIN + 0.14 * (len(foot) + len(sources)) + 0.05)
    at = bottom - 0.17
    for line in foot:
        sheet.text(page, _MARGIN, at, line, size=7, color=INK["ink"], va="baseline")
        at -= 0.14
    for line in sources:
        sheet.text(page, _MARGIN, at, line, size=6.5, color=INK["muted"], va="baseline")
        at -= 0.13

    box = (inner - COLUMN - _GAP, y - 0.05 - bottom)
    axes.set_position((_MARGIN / wide, bottom / high, box[0] / wide, box[1] / high))
    column.set_position(((wide - _MARGIN - COLUMN) / wide, bottom / high, COLUMN / wide, box[1] / high))
    column.set(xlim=(0, COLUMN), ylim=(box[1], 0))
    column.set_axis_off()
    span = max((east - west) / box[0], (north - south) / box[1]) * 1.05
    mid = np.array([west + east, south + north]) / 2
    half = np.array(box) * span / 2
    frame_axes(axes, *(mid - half), *(mid + half))
    _basemap(sheet, district.geometry.to_numpy())
    return sheet


def _basemap(sheet: Sheet, district: NDArray[np.object_]) -> None:
    """Add green, water, roads, what lies outside, boundaries and names of towns."""
    context, results = sheet.context, sheet.context.results
    for name, z in (("green", 0.5), ("water", 0.6)):
        areas = getattr(results, name)
        if areas is not None and len(areas):
            sheet.polygons(areas.geometry, BASEMAP[name], z=z)
    edges = results.network.edges
    rank = edges["highway"].map(ROAD_CLASSES).fillna(3).to_numpy(int)
    shapes = edges.geometry.to_numpy()
    for k, width in ((2, 0.3), (1, 0.5), (0, 0.9)):
        if k < 2 or sheet.metres(sheet.axes) < 2_000:
            sheet.lines(shapes[rank == k], ROADS[k]["color"], width=width, z=1 - k / 10)
    (w, e), (s, n) = sheet.axes.get_xlim(), sheet.axes.get_ylim()
    sheet.polygons(district, INK["panel"], z=0.1)
    if len(district):
        outside = shapely.difference(shapely.box(w, s, e, n), shapely.union_all(district))
        sheet.polygons([outside], INK["paper"], z=4, alpha=0.7)
    rows = context.zone_rows
    kind = rows["zone_kind"].to_numpy()
    sheet.lines(rows.geometry[kind == "township"], BASEMAP["township"], width=0.5, z=5, dash=(6, 2, 1, 2))
    sheet.lines(rows.geometry[kind == "district"], BASEMAP["district"], width=1.3, z=5.1)
