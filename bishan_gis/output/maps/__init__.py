"""Maps a planner opens without a network: pages round a Folium map, whole in one file each.

:func:`render_maps` makes all pages of a run. The elements (:class:`PackedCells` and others) may be added to
a ``folium.Map`` of one's own.
"""

from __future__ import annotations

from typing import Any

from bishan_gis.output.maps.elements import (
    OfflineMap,
    PackedCells,
    PackedLines,
    PackedNames,
    PackedPoints,
    PackedPolygons,
)

__all__ = [
    "OfflineMap",
    "PackedCells",
    "PackedLines",
    "PackedNames",
    "PackedPoints",
    "PackedPolygons",
    "render_maps",
]


def render_maps(results: Any) -> dict[str, str]:
    """Return every page of a run.

    Parameters
    ----------
    results : bishan_gis.pipeline.Results
        The results of a run.

    Returns
    -------
    dict
        File name -> HTML text. Equal results give equal text.

    Raises
    ------
    SchemaError
        The coverage table lacks rows.
    StudyError
        Online tiles are asked for and their key is not set.
    """
    from bishan_gis.output.maps.context import Context
    from bishan_gis.output.maps.index import index_page
    from bishan_gis.output.maps.pages import coverage_page, district_page, nearest_page

    context = Context(results)
    return {
        "index.html": index_page(context),
        "district.html": district_page(context),
        "coverage.html": coverage_page(context),
        "nearest.html": nearest_page(context),
    }
