"""The sheet of a printed map: A4 with title, map, legend, enlargement, north, scale, sources. Sizes in inches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from bishan_gis.output.fonts import drawable_text, font_properties, text_width_pt
from bishan_gis.output.maps.middle import middle
from bishan_gis.output.tokens import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context

__all__ = ["COLUMN", "Layer", "Sheet", "frame_axes", "nice_length", "patches", "wrap"]

#: Width of the column at the right [inch].
COLUMN = 2.35
#: Side of the enlargement [m]: towns as they are.
_CORE_M = 8_000.0
#: Above this many shapes a layer is a picture inside the PDF or SVG.
_VECTORS = 30_000

#: Draws one layer into axes that show `width` metres over an inch.
Layer = Callable[["Axes", float], None]


def wrap(text: str, width_in: float, size_pt: float) -> list[str]:
    """Return a text as lines that fit, broken between any two Chinese characters and between English words.

    Parameters
    ----------
    text : str
        One paragraph.
    width_in : float
        Width there is [inch].
    size_pt : float
        Size of the font [pt].
    """
    lines, line = [], ""
    words: list[str] = []
    for c in drawable_text(text):
        if words and c.isascii() and words[-1][-1].isascii() and " " not in (c, words[-1][-1]):
            words[-1] += c
        else:
            words.append(c)
    used = 0.0
    for word in words:
        wide = text_width_pt(word, size_pt)
        if line and word not in "，。；：、）】？！" and used + wide > width_in * 72:
            lines.append(line.rstrip())
            line, used = "", 0.0
        if line or word != " ":
            line, used = line + word, used + wide
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def nice_length(most_m: float) -> float:
    """Return the longest of 1, 2, 5 times a power of ten that is not longer [m].

    Examples
    --------
    >>> nice_length(12_700), nice_length(480)
    (10000.0, 200.0)
    """
    step = 10.0 ** math.floor(math.log10(most_m))
    # The logarithm of a number just below a power of ten may round to that power.
    return float(max(k * step for k in (0.1, 0.2, 0.5, 1, 2, 5) if k * step <= most_m))


def patches(shapes: NDArray[np.object_]) -> tuple[list[Any], NDArray[np.int64]]:
    """Return polygons as paths with their holes, and which shape each came from."""
    from matplotlib.path import Path

    parts, of = shapely.get_parts(shapes, return_index=True)
    flat = (shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)
    parts, of = shapely.orient_polygons(parts[flat]), of[flat]
    paths = []
    for part in parts:
        rings = [np.asarray(part.exterior.coords), *(np.asarray(r.coords) for r in part.interiors)]
        codes = [np.r_[Path.MOVETO, np.full(len(r) - 2, Path.LINETO), Path.CLOSEPOLY] for r in rings]
        paths.append(Path(np.vstack(rings)[:, :2], np.concatenate(codes).astype(Path.code_type)))
    return paths, of


@dataclass(eq=False)
class Sheet:
    """A sheet that is being drawn.

    Attributes
    ----------
    context : Context
        Results and words.
    figure : Figure
        The sheet.
    axes : Axes
        The map, in metres of the working CRS.
    column : Axes
        The column at the right, in inches from its top.
    """

    context: Context
    figure: Figure
    axes: Axes
    column: Axes
    layers: list[Layer] = field(default_factory=list)
    y: float = 0.0

    # Layers ------------------------------------------------------------------

    def layer(self, draw: Layer) -> None:
        """Add what the map and its enlargement both show."""
        self.layers.append(draw)

    def polygons(
        self, shapes: Any, colors: Any, *, z: float, edge: str | None = None, width: float = 0, **style: Any
    ) -> None:
        """Add polygons, each of its colour, or all of one."""
        from matplotlib.collections import PathCollection

        paths, of = patches(np.asarray(shapes, dtype=object))
        if not paths:
            return
        fills = colors if isinstance(colors, str) else [str(c) for c in np.asarray(colors, dtype=object)[of]]

        def draw(axes: Axes, _: float) -> None:
            drawn = PathCollection(paths, facecolors=fills, edgecolors=edge or fills, linewidths=width, zorder=z)
            drawn.set(rasterized=len(paths) > _VECTORS, **style)
            axes.add_collection(drawn, autolim=False)

        self.layer(draw)

    def lines(self, shapes: Any, color: str, *, width: float, z: float, dash: Sequence[float] = ()) -> None:
        """Add lines, or the edges of polygons; what the map cannot show is left out."""
        from matplotlib.collections import LineCollection

        shapes = np.asarray(shapes, dtype=object)
        if len(shapes) and shapely.get_dimensions(shapes).max() == 2:
            shapes = shapely.boundary(shapes)
        parts = shapely.get_parts(shapes)

        def draw(axes: Axes, metres: float) -> None:
            (w, e), (s, n) = axes.get_xlim(), axes.get_ylim()
            seen = parts[shapely.intersects(parts, shapely.box(w, s, e, n))]
            if not len(seen):
                return
            thin = shapely.simplify(seen, metres / 400, preserve_topology=False)
            paths = [shapely.get_coordinates(p) for p in thin]
            style: Any = (0, tuple(dash)) if dash else "solid"
            drawn = LineCollection(paths, colors=color, linewidths=width, linestyles=[style], zorder=z)
            drawn.set(rasterized=len(paths) > _VECTORS, capstyle="butt" if dash else "round")
            axes.add_collection(drawn, autolim=False)

        self.layer(draw)

    def points(self, xy: NDArray[np.float64], color: str, *, size: float, z: float = 6) -> None:
        """Add discs with a white rim; `size` is their width [pt] where there is room, less on a small scale."""

        def draw(axes: Axes, metres: float) -> None:
            wide = size * min(1.0, max(0.55, 5_000 / metres))
            axes.scatter(xy[:, 0], xy[:, 1], s=wide**2, c=color, edgecolors=INK["paper"], linewidths=wide / 8, zorder=z)

        self.layer(draw)

    def labels(self, texts: Sequence[str], xy: NDArray[np.float64], *, size: float, color: str) -> None:
        """Add names with a white halo, first come first placed; one that would cover another is left out."""
        taken: dict[int, list[tuple[float, float, float, float]]] = {}

        def draw(axes: Axes, metres: float) -> None:
            boxes = taken.setdefault(id(axes), getattr(axes, "_names", []))
            axes._names = boxes  # type: ignore[attr-defined]
            (w, e), (s, n) = axes.get_xlim(), axes.get_ylim()
            high = size * 1.25 / 72 * metres
            for text, (x, y) in zip(texts, xy, strict=True):
                wide = text_width_pt(drawable_text(text), size) / 72 * metres
                box = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
                inside = box[0] > w and box[2] < e and box[1] > s and box[3] < n
                if inside and not any(_overlap(box, b) for b in boxes):
                    boxes.append(box)
                    self.text(axes, x, y, text, size=size, color=color, ha="center", va="center", halo=True, zorder=9)

        self.layer(draw)

    # Words -------------------------------------------------------------------

    def text(
        self, axes: Any, x: float, y: float, text: str, *, size: float, color: str, halo: bool = False, **style: Any
    ) -> None:
        """Write a text; nothing in it is read as markup."""
        from matplotlib.patheffects import withStroke

        effects = [withStroke(linewidth=size / 3.5, foreground=INK["paper"])] if halo else None
        font = font_properties().copy()
        font.set_size(size)
        axes.text(
            x, y, drawable_text(text), fontproperties=font, color=color, parse_math=False, path_effects=effects, **style
        )

    def heading(self, text: str, right: str = "") -> None:
        """Write a heading of the legend."""
        self.y += 0.1 if self.y else 0.0
        for line in wrap(text, COLUMN - 0.6, 9.5):
            self.text(self.column, 0, self.y + 0.14, line, size=9.5, color=INK["ink"], va="baseline")
            self.y += 0.19
        if right:
            self.text(
                self.column, COLUMN, self.y - 0.05, right, size=7.5, color=INK["muted"], ha="right", va="baseline"
            )
        self.column.plot([0, COLUMN], [self.y, self.y], color=INK["rule"], lw=0.6)
        self.y += 0.06

    def row(self, mark: Callable[[Axes, float], None] | None, text: str, number: str = "") -> None:
        """Write a row of the legend: a mark, words, and a number at the right."""
        room = text_width_pt(number, 8) / 72 + 0.08 if number else 0
        left = 0.34 if mark else 0.0
        lines = wrap(text, (COLUMN - left - room) * 0.98, 8)
        if mark:
            mark(self.column, self.y + 0.085)
        if number:
            self.text(self.column, COLUMN, self.y + 0.125, number, size=8, color=INK["ink"], ha="right", va="baseline")
        for line in lines:
            self.text(self.column, left, self.y + 0.125, line, size=8, color=INK["ink"], va="baseline")
            self.y += 0.165
        self.y += 0.025

    def note(self, text: str) -> None:
        """Write a note of the legend."""
        for line in wrap(text, COLUMN * 0.97, 7):
            self.text(self.column, 0, self.y + 0.11, line, size=7, color=INK["muted"], va="baseline")
            self.y += 0.14
        self.y += 0.03

    # What every sheet has ------------------------------------------------------

    def finish(self) -> Figure:
        """Draw the layers, the enlargement, north and scale."""
        for draw in self.layers:
            draw(self.axes, self.metres(self.axes))
        self._north()
        _scale_bar(self, self.axes)
        self._enlarge()
        self.axes.set_autoscale_on(False)
        return self.figure

    def metres(self, axes: Axes) -> float:
        """Return the metres of an inch of a map."""
        left, right = axes.get_xlim()
        return float((right - left) / (axes.get_position().width * self.figure.get_figwidth()))

    def on_land(self, west: float, south: float, east: float, north: float) -> float:
        """Return how much of the district a box covers [m2]."""
        rows = self.context.zone_rows
        district = rows.geometry[rows["zone_kind"] == "district"].to_numpy()
        return float(shapely.area(shapely.intersection(district, shapely.box(west, south, east, north))).sum())

    def _north(self) -> None:
        """Draw an arrow to true north, which leans a little against the grid of the map."""
        from pyproj import Transformer

        (w, e), (s, n) = self.axes.get_xlim(), self.axes.get_ylim()
        there = Transformer.from_crs(self.context.crs, 4326, always_xy=True)
        lon, lat = there.transform((w + e) / 2, (s + n) / 2)
        (x0, x1), (y0, y1) = there.transform([lon, lon], [lat, lat + 0.01], direction="INVERSE")
        lean = math.atan2(x1 - x0, y1 - y0)
        m = self.metres(self.axes)
        at = np.array([e - 0.3 * m, n - 0.45 * m])
        turn = np.array([[math.cos(lean), -math.sin(lean)], [math.sin(lean), math.cos(lean)]])
        shape = np.array([[0, 0.2], [0.09, -0.16], [0, -0.08], [-0.09, -0.16]]) @ turn * m + at
        ink = INK["ink"]
        self.axes.fill(shape[:, 0], shape[:, 1], fc=INK["paper"], ec=ink, lw=0.7, zorder=20)
        self.axes.fill(shape[[0, 2, 3], 0], shape[[0, 2, 3], 1], fc=ink, ec=ink, lw=0.7, zorder=20)
        word = self.context.labels("north")
        self.text(self.axes, at[0], at[1] + 0.24 * m, word, size=8, color=ink, ha="center", halo=True, zorder=20)

    def _enlarge(self) -> None:
        """Draw where most people live at a larger scale, if there is room and it would be larger."""
        wide, high = self.figure.get_size_inches()
        top = self.column.get_position().y1 * high - self.y - 0.35
        bottom = self.axes.get_position().y0 * high
        room = min(top - bottom, 4.6)
        if room < 1.5 or self.metres(self.axes) / 2 < _CORE_M / COLUMN:
            return
        left = self.column.get_position().x0 * wide
        axes = self.figure.add_axes((left / wide, bottom / high, COLUMN / wide, room / high))
        half = np.array([_CORE_M, _CORE_M * room / COLUMN]) / 2
        mid = middle(self.context.results.cells)
        frame_axes(axes, *(mid - half), *(mid + half))
        for draw in self.layers:
            draw(axes, self.metres(axes))
        _scale_bar(self, axes)
        box = np.array(
            [mid - half, [mid[0] + half[0], mid[1] - half[1]], mid + half, [mid[0] - half[0], mid[1] + half[1]]]
        )
        self.axes.fill(box[:, 0], box[:, 1], fc="none", ec=INK["ink"], lw=0.8, zorder=12)
        y = self.column.get_ylim()[0] - room - 0.08
        self.text(self.column, 0, y, self.context.labels("sm_core"), size=8, color=INK["muted"], va="baseline")


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def frame_axes(axes: Axes, west: float, south: float, east: float, north: float) -> None:
    """Make axes a map that shows a box of the working CRS [m]."""
    axes.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[], facecolor=INK["paper"])
    for spine in axes.spines.values():
        spine.set(color=INK["muted"], linewidth=0.6, zorder=30)


def _scale_bar(sheet: Sheet, axes: Axes) -> None:
    """Draw a bar of whole kilometres or metres, true in the working CRS."""
    m = sheet.metres(axes)
    wide = axes.get_position().width * sheet.figure.get_figwidth()
    length = nice_length(min(1.5, wide * 0.34) * m)
    (w, e), (s, _) = axes.get_xlim(), axes.get_ylim()
    unit = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    right = length + (text_width_pt(unit, 7) / 72 / 2 + 0.06) * m
    x, y, high = w + 0.14 * m, s + 0.14 * m, 0.045 * m
    if sheet.on_land(x, y, x + right, y + 0.3 * m) > sheet.on_land(e - right - 0.06 * m, y, e, y + 0.3 * m):
        x = e - right - 0.06 * m
    axes.fill(
        [x - 0.08 * m, x + right, x + right, x - 0.08 * m],
        [y - 0.06 * m, y - 0.06 * m, y + 0.23 * m, y + 0.23 * m],
        fc=INK["paper"],
        ec="none",
        alpha=0.85,
        zorder=19,
    )
    for i, fill in enumerate((INK["ink"], INK["paper"])):
        left = x + i * length / 2
        axes.fill(
            [left, left + length / 2, left + length / 2, left],
            [y, y, y + high, y + high],
            fc=fill,
            ec=INK["ink"],
            lw=0.6,
            zorder=20,
        )
    for at, word in ((x, "0"), (x + length, unit)):
        sheet.text(axes, at, y + high + 0.04 * m, word, size=7, color=INK["ink"], ha="center", zorder=20)
