"""The maps of the report as pictures, drawn once for all formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from bishan_gis.output.report.source import Source, in_language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bishan_gis.results import Results

__all__ = ["element_pictures", "map_pictures"]

_DPI, _LEAD_DPI = 200, 300


def map_pictures(results: Results, maps: Sequence[Mapping[str, Any]], *, lang: str) -> dict[str, bytes]:
    """Draw the maps of a report.

    Parameters
    ----------
    results : Results
        A run.
    maps : sequence of mapping
        ``key, what, service, cutoff_min`` of each map, as the facts of the report hold them.
    lang : {"zh", "en"}
        Language of title and legend.

    Returns
    -------
    dict
        Key of the map -> PNG; equal results give equal bytes.
    """
    from bishan_gis.output.report.lead_map import lead_map
    from bishan_gis.output.static_maps import static_map

    source = Source(in_language(results, lang))
    out = {}
    for one in maps:
        first = str(one["what"]).startswith("lead")
        if first:
            figure = lead_map(source)
        else:
            figure = static_map(results, one["what"], service=one["service"], cutoff_min=one["cutoff_min"], lang=lang)
        out[str(one["key"])] = _png(figure, _LEAD_DPI if first else _DPI, 200)
    return out


def _png(figure: Figure, dpi: int, colors: int) -> bytes:
    """Return a figure as a small PNG of few colours."""
    from PIL import Image

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    figure.clear()
    small = Image.open(buffer).convert("RGB").quantize(colors, dither=Image.Dither.NONE)
    buffer = BytesIO()
    small.save(buffer, "PNG", optimize=True, dpi=(_DPI, _DPI))
    return buffer.getvalue()


def element_pictures(results: Results, wanted: Sequence[Mapping[str, Any]], *, lang: str) -> dict[str, bytes]:
    """Draw the small maps of the policy.

    Parameters
    ----------
    results : Results
        A run.
    wanted : sequence of mapping
        ``key, what, service, limit`` of each, as the facts of the report hold them under ``policy.pictures``.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    dict
        Key -> PNG; equal results give equal bytes.
    """
    from bishan_gis.output.report.element_maps import element_map

    source = Source(in_language(results, lang))
    return {
        str(one["key"]): _png(
            element_map(source, str(one["what"]), service=str(one["service"]), limit=float(one["limit"])), _LEAD_DPI, 32
        )
        for one in wanted
    }
