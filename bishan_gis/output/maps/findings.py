"""What the pages of gaps, completeness, sites, shelters and scores share: services as judged, classes, helpers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.output.maps.context import whole
from bishan_gis.output.maps.elements import PackedLayer
from bishan_gis.output.maps.layers import ordered_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context
    from bishan_gis.planning.gaps import Gaps

__all__ = [
    "SCRIPTS",
    "STYLES",
    "PackedOutline",
    "cell_places",
    "finding_layers",
    "gaps_of",
    "judged_services",
    "number",
    "words",
]

#: Scripts of these pages beside the frame and their own.
SCRIPTS = ("findings.js",)
#: Their style sheet.
STYLES = ("findings.css",)


class PackedOutline(PackedLayer):
    """The outline of some cells of another layer, chosen by the page; it has no data of its own."""

    _script_class = "Outline"


def gaps_of(context: Context) -> Gaps | None:
    """Return the gaps of a run, or None where nobody looked for them."""
    findings = getattr(context.results, "findings", None)
    return None if findings is None else findings.gaps


def number(value: Any, digits: int = 6) -> float | int | None:
    """Return a number as JSON can hold it, None where it is none.

    Examples
    --------
    >>> number(float("nan")), number(10.0), number(2.5)
    (None, 10, 2.5)
    """
    if value is None or value is pd.NA or not math.isfinite(value):
        return None
    return whole(round(float(value), digits))


def words(row: Any, context: Context, name: str) -> str:
    """Return the text of a row in the language of the pages: column ``<name>_zh`` or ``<name>_en``."""
    value = row[f"{name}_en" if context.labels.lang == "en" else f"{name}_zh"]
    return value if isinstance(value, str) else ""


def judged_services(context: Context) -> list[dict[str, Any]]:
    """Return the services as the scripts know them, each with the level, clause and weight it is judged by.

    The order is that of every page. A service that no standard gives a time for has ``judged`` false.
    """
    gaps = gaps_of(context)
    rows: list[dict[str, Any]] = context.config()["services"]
    if gaps is None:
        return [{**row, "judged": True, "weight": 1} for row in rows]
    targets = gaps.targets.set_index("service")
    out = []
    for row in rows:
        if row["key"] not in gaps.state.services:
            out.append({**row, "judged": False, "weight": 0})
            continue
        own = targets.loc[row["key"]]
        out.append(
            {
                **row,
                "judged": True,
                "level": whole(float(own["level_min"])),
                "radius": number(own["radius_m"]),
                "standard": context.cite(str(own["standard"])),
                "clause": context.cite(str(own["clause"])),
                "tag": str(own["tag"]),
                "status": str(own["status"]),
                "vehicle": bool(pd.notna(own["drive_min"])) and not own["level_id"],
                "weight": number(own["weight"]),
            }
        )
    return out


def cell_places(context: Context, ids: Any) -> NDArray[np.int64]:
    """Return where cells stand in the order of the pages; -1 where there is no such cell."""
    order = pd.Index(ordered_cells(context.results.cells)["cell_id"])
    return np.asarray(order.get_indexer(ids), dtype=np.int64)


def finding_layers(context: Context) -> tuple[dict[str, PackedLayer], list[Any]]:
    """Return the layers of a page with cells and an outline, and the entries of the layer list for what lies below."""
    from bishan_gis.output.maps.pages import base_layers

    layers, switches = base_layers(context)
    layers |= {"cells": context.layers["cells"], "outline": PackedOutline({}, z=37)}
    return layers, switches
