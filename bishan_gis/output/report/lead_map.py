"""The one map of the first page: each township with its own number, to be read without a legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.output.fonts import drawable_text, font_properties, text_width_pt
from bishan_gis.output.maps.completeness_page import natural_breaks
from bishan_gis.output.report import figures as fig
from bishan_gis.output.static_sheet import nice_length, patches
from bishan_gis.output.tokens import BASEMAP, COMPLETENESS, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bishan_gis.output.report.figures import Cell
    from bishan_gis.output.report.source import Source

__all__ = ["lead_map", "lead_values"]

_WIDTH_MM, _TALLEST_MM, _SIZE, _SMALLEST = 92.0, 150.0, 6.6, 4.6


def lead_values(source: Source) -> dict[int, Cell]:
    """Return what the map shows of each township: its completeness, without gaps the coverage of the first service.

    Parameters
    ----------
    source : Source
        The run.

    Returns
    -------
    dict
        Position of the township -> share; townships where nobody lives are left out.
    """
    out = {}
    for zone in source.zones("township"):
        if not source.zone_people(zone):
            continue
        if source.gaps is not None and source.walked:
            out[zone] = fig.share(source.completeness(zone), 1)
        else:
            found = source.covered(zone, source.context.default_service)
            out[zone] = fig.share(found.covered, found.people)
    return out


def _text(axes: Axes, x: float, y: float, words: str, size: float, **style: Any) -> None:
    given: dict[str, Any] = {"ha": "center", "va": "center", "color": INK["ink"], "zorder": 10} | style
    axes.text(x, y, drawable_text(words), fontproperties=font_properties(), fontsize=size, parse_math=False, **given)


def _labels(axes: Axes, source: Source, values: dict[int, Cell], m_per_pt: float, dark: set[int]) -> None:
    """Write name and number into each township, smaller where it is narrow."""
    from matplotlib.patheffects import withStroke

    rows = source.context.zone_rows
    for zone, value in values.items():
        shape = rows.geometry.iloc[zone]
        if shape is None or shape.is_empty:
            continue
        at = shape.representative_point()
        name = source.zone_name(zone)
        wide = shape.bounds[2] - shape.bounds[0]
        fits = wide * 0.9 / m_per_pt / max(text_width_pt(drawable_text(name), 1.0), 1e-9)
        size = float(np.clip(fits, _SMALLEST, _SIZE))
        ink, halo = (INK["paper"], INK["ink"]) if zone in dark else (INK["ink"], INK["paper"])
        around = [withStroke(linewidth=1.3, foreground=halo, alpha=0.6)]
        gap = size * 0.62 * m_per_pt
        _text(axes, at.x, at.y + gap, name, size, color=ink, path_effects=around)
        _text(axes, at.x, at.y - gap, value["text"], size, color=ink, path_effects=around)


def _legend(axes: Axes, starts: list[float], breaks: list[float], box: tuple[float, ...], m_per_pt: float) -> None:
    """Draw the classes side by side below the map."""
    high, wide = 5.0 * m_per_pt, 41.0 * m_per_pt
    top = box[1] - 6 * m_per_pt
    for i, (low, limit) in enumerate(zip(starts, breaks, strict=True)):
        x = box[0] + 2 * m_per_pt + i * wide
        corners = ([x, x + wide, x + wide, x], [top, top, top - high, top - high])
        axes.fill(*corners, fc=COMPLETENESS[i], ec=INK["muted"], lw=0.3)
        words = f"{low * 100:.1f}–{limit * 100:.1f}" + (" %" if i == len(breaks) - 1 else "")
        _text(axes, x + wide / 2, top - high - 6 * m_per_pt, words, 6.0)


def _scale_and_north(axes: Axes, box: tuple[float, ...], m_per_pt: float, north: str) -> None:
    length = nice_length(36 * m_per_pt)
    x, y = box[2] - 8 * m_per_pt - length, box[1] - 11 * m_per_pt
    for i, fill in enumerate((INK["ink"], INK["paper"])):
        a, b = x + i * length / 2, x + (i + 1) * length / 2
        axes.fill([a, b, b, a], [y, y, y + 3 * m_per_pt, y + 3 * m_per_pt], fc=fill, ec=INK["ink"], lw=0.5, zorder=9)
    unit = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    _text(axes, x + length / 2, y - 6 * m_per_pt, unit, 6.0)
    top, middle = box[3] - 2 * m_per_pt, box[2] - 8 * m_per_pt
    axes.fill(
        [middle, middle + 4 * m_per_pt, middle, middle - 4 * m_per_pt],
        [top, top - 16 * m_per_pt, top - 12.5 * m_per_pt, top - 16 * m_per_pt],
        fc=INK["ink"],
        ec="none",
        zorder=9,
    )
    _text(axes, middle, top - 21 * m_per_pt, north, 6.8)


def lead_map(source: Source) -> Figure:
    """Draw the townships by how much their people reach, with directions and district.

    Parameters
    ----------
    source : Source
        The run.

    Returns
    -------
    matplotlib.figure.Figure
        In the working CRS, so that its scale bar is true in metres.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

    rows, values = source.context.zone_rows, lead_values(source)
    shares = {z: float(v["value"]) for z, v in values.items()}
    given = np.array(list(shares.values()) or [0.0])
    breaks = natural_breaks(given, np.ones(len(given), dtype=np.int64), len(COMPLETENESS))
    starts = [float(given.min()), *breaks[:-1]]
    west, south, east, north = (float(v) for v in rows.geometry.iloc[[source.district]].total_bounds)
    width_pt = _WIDTH_MM / 25.4 * 72
    m_per_pt = max((east - west) / (width_pt - 8), (north - south) / (_TALLEST_MM / 25.4 * 72))
    wide = width_pt * m_per_pt
    middle = (west + east) / 2
    box = (middle - wide / 2, south - 4 * m_per_pt, middle + wide / 2, north + 4 * m_per_pt)
    below = 30 * m_per_pt
    figure = Figure(figsize=(width_pt / 72, (box[3] - box[1] + below) / m_per_pt / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(box[0], box[2]), ylim=(box[1] - below, box[3]))
    of = {z: min(int(np.searchsorted(np.array(breaks) + 1e-9, s)), len(breaks) - 1) for z, s in shares.items()}
    for kind, edge, line in (
        ("township", BASEMAP["outside"], 0.6),
        ("direction", INK["paper"], 1.6),
        ("district", INK["ink"], 0.8),
    ):
        zones = source.zones(kind)
        paths, which = patches(rows.geometry.iloc[zones].to_numpy())
        fill = [COMPLETENESS[of[zones[i]]] if zones[i] in of else BASEMAP["green"] for i in which]
        drawn = PathCollection(
            paths, facecolors=fill if kind == "township" else "none", edgecolors=edge, linewidths=line
        )
        axes.add_collection(drawn)
    _labels(axes, source, values, m_per_pt, {z for z, k in of.items() if k > 1})
    _scale_and_north(axes, box, m_per_pt, source.context.labels("north"))
    _legend(axes, starts, breaks, box, m_per_pt)
    return figure
