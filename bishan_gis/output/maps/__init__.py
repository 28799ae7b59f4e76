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
        File name -> HTML text. Equal results give equal text. A page that the results cannot fill, such as the gaps
        of a run that did not look for them, is left out and not linked.

    Raises
    ------
    SchemaError
        The coverage table lacks rows.
    StudyError
        Online tiles are asked for and their key is not set.
    """
    from bishan_gis.output.maps.catalogue import PAGES, pages_of
    from bishan_gis.output.maps.context import Context

    context = Context(results)
    context.pages[:] = pages_of(context)
    return {f"{key}.html": PAGES[key].make(context) for key in context.pages}
