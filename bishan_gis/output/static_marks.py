"""What the printed maps share: marks of the legend, cells by class, facilities, names and lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.tokens import BASEMAP, INK, UNKNOWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bishan_gis.output.static_sheet import Sheet

__all__ = ["Mark", "box", "dot", "draw_classes", "draw_facilities", "finish_map", "line"]

#: Draws what stands before a line of the legend, into the column of the sheet at a height.
Mark = Callable[["Axes", float], None]


def box(color: str, *, hatch: bool = False) -> Mark:
    """Return a patch of a colour."""

    def draw(axes: Axes, y: float) -> None:
        from matplotlib.patches import Rectangle

        edge, wide = (INK["paper"], 0.0) if hatch else (INK["muted"], 0.3)
        shape = Rectangle((0, y - 0.055), 0.24, 0.11, fc=color, ec=edge, lw=wide, hatch="//////" if hatch else None)
        axes.add_patch(shape)

    return draw


def dot(color: str, size: float) -> Mark:
    """Return a disc of a width [pt] with a white rim."""

    def draw(axes: Axes, y: float) -> None:
        axes.plot(0.12, y, "o", ms=size, mfc=color, mec=INK["paper"], mew=0.5)

    return draw


def line(color: str, width: float, dash: tuple[float, ...] = ()) -> Mark:
    """Return a piece of a line, whole or dashed."""

    def draw(axes: Axes, y: float) -> None:
        drawn = axes.plot([0, 0.24], [y, y], color=color, lw=width)[0]
        if dash:
            drawn.set_dashes(dash)

    return draw


def _cells(sheet: Sheet, colors: NDArray[np.object_], unknown: NDArray[np.bool_]) -> None:
    """Add the cells, and a hatch over those of which nothing is known."""
    shapes = sheet.context.results.cells.geometry.to_numpy()
    sheet.polygons(shapes, colors, z=2, width=0.15)
    if unknown.any():
        sheet.polygons(
            shapes[unknown],
            "none",
            z=2.1,
            edge=INK["paper"],
            hatch="//////",
            hatch_linewidth=0.4,
            hatchcolor=INK["paper"],
        )


def draw_classes(
    sheet: Sheet,
    heading: str,
    classes: Sequence[tuple[str, str]],
    of: NDArray[np.int64],
    *,
    people: NDArray[np.int64] | None = None,
) -> None:
    """Draw cells by class, and the legend with people of each; empty classes are left out, the grey ones hatched."""
    people = sheet.context.results.cells["people"].to_numpy(np.int64) if people is None else people
    colors = np.array([c for c, _ in classes], dtype=object)[of]
    _cells(sheet, colors, colors == UNKNOWN)
    words = sheet.context.labels
    sheet.heading(heading, words("people"))
    for i, (color, text) in enumerate(classes):
        if (of == i).any():
            sheet.row(box(color, hatch=color == UNKNOWN), text, fmt.people(int(people[of == i].sum())))
    sheet.row(None, words("sum"), fmt.exact(int(people.sum())))


def finish_map(sheet: Sheet, *, names: bool = True) -> Figure:
    """Add names of towns, what the lines mean, and the rest of the sheet."""
    words, rows = sheet.context.labels, sheet.context.zone_rows
    towns = rows[rows["zone_kind"] == "township"]
    if names and len(towns):
        heads = sheet.context.numbers[towns.index.to_numpy(), 0, 0, 0, 0]
        towns = towns.iloc[np.argsort(-heads, kind="stable")]
        at = towns.geometry.representative_point()
        xy = np.column_stack([at.x, at.y])
        sheet.labels(towns["name"].astype(str).tolist(), xy, size=7.5, color=INK["ink"])
    sheet.heading(words("layer_boundaries"))
    sheet.row(line(BASEMAP["district"], 1.3), words("sm_line_district"))
    if len(towns):
        sheet.row(line(BASEMAP["township"], 0.6, (6, 2, 1, 2)), words("sm_line_township"))
    return sheet.finish()


def draw_facilities(sheet: Sheet, service: str) -> None:
    """Add the facilities of a service, and how many there are."""
    sheet.heading(sheet.context.labels("facilities"), "n")
    mine = sheet.context.facilities
    mine = mine[mine["service"] == service]
    xy = np.column_stack([mine.geometry.x, mine.geometry.y])
    sheet.points(xy, INK["ink"], size=3.0)
    sheet.row(dot(INK["ink"], 4), sheet.context.service_name(service), str(len(mine)))
