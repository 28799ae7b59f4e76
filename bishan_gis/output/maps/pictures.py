"""Small pictures of the maps for the overview, as PNG inside the page."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from bishan_gis.output.maps.middle import middle
from bishan_gis.output.maps.shapes import to_mercator
from bishan_gis.output.tokens import (
    BASEMAP,
    COMPLETENESS,
    GAP,
    INK,
    MISSING,
    NEAREST,
    NEAREST_MIN,
    REACH,
    SITE,
    UNKNOWN,
    reach_colors,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context

__all__ = ["pictures"]

_WIDTH, _HEIGHT, _FINER = 190, 300, 3
_CORE_M = np.array([7_600.0, 12_000.0])


class _Paper:
    """A drawing at three times its size, scaled down at the end."""

    def __init__(self, context: Context, window: NDArray[np.float64] | None = None) -> None:
        from PIL import Image, ImageDraw

        (south, west), (north, east) = context.bounds
        corner = to_mercator([west, east], [south, north], "EPSG:4326")
        self.crs = context.crs
        if window is not None and (np.ptp(corner, axis=0) > np.ptp(window, axis=0)).all():
            corner = window
        size = np.array([_WIDTH, _HEIGHT]) * _FINER
        span = corner[1] - corner[0]
        self.scale = float(min((size - 24) / span))
        self.shift = size / 2 - self.scale * corner.mean(axis=0) * np.array([1, -1])
        self.image = Image.new("RGB", (int(size[0]), int(size[1])), INK["paper"])
        self.draw = ImageDraw.Draw(self.image)

    def pixels(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return coordinates of the study as pixels."""
        out = to_mercator(xy[:, 0], xy[:, 1], self.crs) * self.scale * np.array([1, -1]) + self.shift
        return np.asarray(out)

    def polygons(self, shapes: Any, fill: str) -> None:
        """Fill polygons without their holes."""
        for part in shapely.get_parts(np.asarray(shapes, dtype=object)):
            ring = shapely.get_exterior_ring(part)
            if ring is not None:
                self.draw.polygon([tuple(p) for p in self.pixels(shapely.get_coordinates(ring))], fill=fill)

    def lines(self, shapes: Any, color: str, width: int) -> None:
        """Draw lines or the edges of polygons."""
        shapes = np.asarray(shapes, dtype=object)
        flat = shapely.boundary(shapes) if len(shapes) and shapely.get_dimensions(shapes[0]) == 2 else shapes
        for part in shapely.get_parts(flat):
            path = [tuple(p) for p in self.pixels(shapely.get_coordinates(part))]
            self.draw.line(path, fill=color, width=width, joint="curve")

    def squares(self, xy: NDArray[np.float64], colors: NDArray[np.object_], size: float) -> None:
        """Draw a square of one colour at each place."""
        half = max(size * self.scale / 2, 0.9)
        for (px, py), color in zip(self.pixels(xy), colors, strict=True):
            self.draw.rectangle((px - half, py - half, px + half, py + half), fill=color)

    def uri(self) -> str:
        """Return the drawing as a data address."""
        from PIL import Image

        small = self.image.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
        small = small.quantize(96, dither=Image.Dither.NONE)
        buffer = BytesIO()
        small.save(buffer, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _frame(paper: _Paper, context: Context, *, tint: bool) -> None:
    rows = context.zone_rows
    kind = rows["zone_kind"]
    paper.polygons(rows.geometry[kind == "district"], INK["panel"])
    if tint:
        for name, shape in zip(rows["name"], rows.geometry, strict=True):
            if name in context.direction_colors and shape is not None:
                paper.polygons([shape], _pale(context.direction_colors[name]))


def _edges(paper: _Paper, context: Context) -> None:
    rows = context.zone_rows
    kind = rows["zone_kind"]
    paper.lines(rows.geometry[kind == "township"], BASEMAP["township"], 1)
    paper.lines(rows.geometry[kind == "district"], BASEMAP["district"], 4)


def _pale(color: str) -> str:
    parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - (255 - p) * 0.45):02x}" for p in parts)


def _core(context: Context) -> NDArray[np.float64]:
    """Return the corners of the window where most people live, so that single cells can be seen."""
    cells = context.results.cells
    x, y = middle(cells)
    at = to_mercator([x], [y], context.crs)[0]
    return np.array([at - _CORE_M / 2, at + _CORE_M / 2])


def pictures(context: Context) -> dict[str, str]:
    """Return a picture of each map page as a data address."""
    results = context.results
    cells = results.cells
    xy = cells[["x", "y"]].to_numpy(float)
    side = float(np.sqrt(np.median(cells.geometry.area))) * 1.13
    service = context.default_service
    access = results.access[(results.access["service"] == service) & (results.access["measure"] == "nearest")]
    rows = access.set_index("origin_id").reindex(cells["cell_id"])
    value = rows["value"].to_numpy(float)
    leaves = rows["unknown_from_s"].to_numpy(float, copy=True)
    leaves[(rows["status"] == "off_network").to_numpy()] = 0

    limit = context.shown(service) * 60
    reach = [c for c in context.cutoffs if c * 60 <= limit]
    colors = np.full(len(cells), GAP, dtype=object)
    colors[~(value <= limit) & (leaves <= limit)] = UNKNOWN
    for cut, color in reversed(list(zip(reach, reach_colors(len(context.cutoffs)), strict=False))):
        colors[value <= cut * 60] = color
    classes = np.searchsorted(np.array(NEAREST_MIN) * 60, np.where(np.isfinite(value), value, 1e9))
    minutes = np.array(NEAREST, dtype=object)[classes]
    minutes[~np.isfinite(value) & (leaves <= NEAREST_MIN[-1] * 60)] = UNKNOWN

    out = {}
    paints = {"coverage": colors, "nearest": minutes, "whatif": colors} | _finding_colors(context)
    for page in context.pages:
        if page != "district" and page not in paints and page != "scorecard":
            continue
        paper = _Paper(context, None if page in ("district", "scorecard") else _core(context))
        _frame(paper, context, tint=page == "district")
        if page == "district":
            points = context.facilities.geometry
            at = np.column_stack([points.x, points.y])
            paper.squares(at, np.full(len(at), INK["ink"], dtype=object), side * 1.5)
        elif page == "scorecard":
            for shape, color in _scores(context):
                paper.polygons([shape], color)
        else:
            paper.squares(xy, paints[page], side)
        if page == "siting":
            at = context.results.findings.plans[0].plan.sites[["x", "y"]].to_numpy(float)
            paper.squares(at, np.full(len(at), INK["paper"], dtype=object), side * 3.4)
            paper.squares(at, np.full(len(at), SITE, dtype=object), side * 2.6)
        if page == "whatif":
            at = middle(cells)[None]
            paper.squares(at, np.full(1, INK["paper"], dtype=object), side * 6)
            paper.squares(at, np.full(1, SITE, dtype=object), side * 4.6)
        _edges(paper, context)
        out[page] = paper.uri()
    return out


def _finding_colors(context: Context) -> dict[str, NDArray[np.object_]]:
    """Return a colour for every cell on the pages that a run with findings has."""
    findings = getattr(context.results, "findings", None)
    if findings is None:
        return {}
    from bishan_gis.output.maps.completeness_page import natural_breaks
    from bishan_gis.output.maps.siting_page import CELL_STATES, plan_cells

    cells, gaps = context.results.cells, findings.gaps
    place = pd.Index(gaps.cells["cell_id"]).get_indexer(cells["cell_id"])
    low = gaps.completeness["completeness_low"].reindex(cells["cell_id"]).fillna(0).to_numpy(float)
    breaks = np.array(natural_breaks(low, cells["people"].to_numpy(np.int64), len(COMPLETENESS)))
    out = {"completeness": np.array(COMPLETENESS, dtype=object)[np.searchsorted(breaks + 1e-9, low)]}
    lacking = gaps.state.deficient.sum(axis=0)[place]
    ends = np.ceil(len(gaps.state.services) * np.arange(6) / 5)
    out["gaps"] = np.array(MISSING, dtype=object)[np.searchsorted(ends, lacking)]
    if "shelter" in context.services.index and "shelters" in context.pages:
        mine = context.results.facilities
        mine = mine.loc[mine["service"] == "shelter", ["x", "y"]].to_numpy(float)
        near = _within(cells[["x", "y"]].to_numpy(float), mine, 500.0)
        out["shelters"] = np.where(near, REACH[0], MISSING[2]).astype(object)
    if findings.plans:
        state, _ = plan_cells(findings.plans[0], pd.DataFrame(cells[["cell_id"]]))
        colors = {"served": REACH[2], "new": REACH[0]}
        of_state = np.array([colors.get(s, MISSING[2]) for s in CELL_STATES], dtype=object)
        out["siting"] = of_state[state]
    return out


def _within(at: NDArray[np.float64], places: NDArray[np.float64], metres: float) -> NDArray[np.bool_]:
    from scipy.spatial import cKDTree

    if not len(places):
        return np.zeros(len(at), dtype=bool)
    distance, _ = cKDTree(places).query(at)
    return np.asarray(distance <= metres, dtype=bool)


def _scores(context: Context) -> list[tuple[Any, str]]:
    """Return the townships with the colour of their score."""
    from bishan_gis.output.maps.completeness_page import natural_breaks

    scores = context.town_scores["score"]
    breaks = np.array(natural_breaks(scores.to_numpy(float), np.ones(len(scores), np.int64), len(COMPLETENESS)))
    rows = context.zone_rows[context.zone_rows["zone_kind"] == "township"]
    shapes = dict(zip(rows["zone_id"].astype(str), rows.geometry, strict=True))
    return [
        (shapes[str(z)], COMPLETENESS[int(np.searchsorted(breaks + 1e-9, v))])
        for z, v in scores.items()
        if shapes.get(str(z)) is not None
    ]
