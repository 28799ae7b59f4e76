"""The plan as a drawing for CAD (DXF, R2010): Chinese layers, closed outlines, hatches, points with names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from bishan_gis.errors import OutputError
from bishan_gis.output.maps.context import Context, whole
from bishan_gis.output.maps.pages import land_class, land_name
from bishan_gis.output.run_facts import run_facts
from bishan_gis.output.tokens import BASEMAP, CONTROL_LINES, GROUPS, INK, ROAD_CLASSES, ROADS, reach_colors

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.results import Results

__all__ = ["LayerNames", "drawing_text", "write_dxf"]

_STYLE, _BLOCK = "HZ", "FACILITY"
#: Heights of texts, and the radius of a facility [m].
_TOWN_M, _NAME_M, _DOT_M = 250.0, 12.0, 8.0
_LONGEST = 255
#: The line on which the library says when it wrote the file.
_STAMP = re.compile(r"^(\d+\.\d+\S*) @ \d{4}-\d\d-\d\dT\S+$", re.MULTILINE)


def drawing_text(value: object) -> str:
    r"""Return a text that CAD shows as it is: no code of its own (``%%u``, ``\P``, ``^J``) is left in it.

    Parameters
    ----------
    value : object
        A name, such as somebody typed.

    Examples
    --------
    >>> drawing_text("50%%u \\P ^J")
    '50％％u ＼P ＾J'
    """
    text = "" if value is None or value != value else str(value)
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+", " ", text).strip()
    return text.replace("%%", "％％").replace("\\", "＼").replace("^", "＾")


class LayerNames:
    """Names of layers: what CAD forbids becomes ``_``; two that would become the same are refused.

    Examples
    --------
    >>> LayerNames()("用地", "0701/a")
    '用地_0701_a'
    """

    def __init__(self) -> None:
        self._of: dict[str, tuple[str, ...]] = {}

    def __call__(self, *words: object) -> str:
        """Return the name of a layer made of words.

        Parameters
        ----------
        *words : object
            Its parts.

        Raises
        ------
        OutputError
            Another layer has the name already.
        """
        given = tuple(str(w) for w in words)
        name = re.sub(r"[<>/\\\":;?*|=`',\x00-\x1f\x7f-\x9f\ud800-\udfff]", "_", "_".join(given)).strip() or "_"
        name = name[:_LONGEST]
        other = self._of.setdefault(name.lower(), given)
        if other != given:
            a, b = " / ".join(other), " / ".join(given)
            raise OutputError(
                f"DXF 图层重名: {a!r} 与 {b!r} 都成为 {name!r};请改名",
                f"DXF: layers {a!r} and {b!r} would both be called {name!r}; rename one",
            )
        return name


def _rgb(color: str) -> int:
    return int(color[1:7], 16)


class _Drawing:
    """A drawing in the making."""

    def __init__(self, crs: str) -> None:
        from ezdxf import units
        from ezdxf.filemanagement import new

        self.doc = new("R2010", setup=False, units=units.M)
        self.doc.header["$MEASUREMENT"] = 1
        self.doc.header.custom_vars.append("CRS", crs)
        self.doc.styles.add(_STYLE, font="simhei.ttf")
        for name, pattern in (("DASHED", [3.0, 2.0, -1.0]), ("DASHDOT", [5.0, 3.0, -0.9, 0.2, -0.9])):
            self.doc.linetypes.add(name, pattern)
        block = self.doc.blocks.new(_BLOCK)
        block.add_circle((0, 0), _DOT_M, dxfattribs={"layer": "0", "color": 0})
        block.add_point((0, 0), dxfattribs={"layer": "0", "color": 0})
        self.space: Any = self.doc.modelspace()
        self.names = LayerNames()

    def layer(self, *words: object, color: str, linetype: str = "CONTINUOUS", on: bool = True) -> str:
        """Return the name of a layer, which is made at first."""
        name = self.names(*words)
        if name not in self.doc.layers:
            layer = self.doc.layers.add(name, true_color=_rgb(color), linetype=linetype)
            if not on:
                layer.off()
        return name

    def outlines(self, shapes: Any, layer: str, *, hatch: str | None = None) -> None:
        """Draw polygons as closed polylines, and their ground with its holes in the colour of another layer."""
        for part in shapely.get_parts(np.asarray(shapes, dtype=object)):
            if part is None or part.is_empty or part.geom_type != "Polygon":
                continue
            rings = [np.asarray(r.coords)[:-1, :2].tolist() for r in (part.exterior, *part.interiors)]
            if hatch:
                filled = self.space.add_hatch(color=256, dxfattribs={"layer": hatch})
                for i, ring in enumerate(rings):
                    filled.paths.add_polyline_path(ring, is_closed=True, flags=1 if i == 0 else 16)
            for ring in rings:
                self.space.add_lwpolyline(ring, close=True, dxfattribs={"layer": layer})

    def lines(self, shapes: Any, layer: str) -> None:
        """Draw lines."""
        for part in shapely.get_parts(np.asarray(shapes, dtype=object)):
            if part is not None and part.geom_type == "LineString" and not part.is_empty:
                self.space.add_lwpolyline(np.asarray(part.coords)[:, :2].tolist(), dxfattribs={"layer": layer})

    def text(self, text: object, at: tuple[float, float], layer: str, *, height_m: float, middle: bool = False) -> None:
        """Write a text."""
        from ezdxf.enums import TextEntityAlignment

        shown = drawing_text(text)
        if shown:
            written = self.space.add_text(shown, height=height_m, dxfattribs={"layer": layer, "style": _STYLE})
            written.set_placement(at, align=TextEntityAlignment.MIDDLE_CENTER if middle else TextEntityAlignment.LEFT)


def write_dxf(results: Results, path: Path) -> None:
    """Write the plan of a run as a drawing.

    Parameters
    ----------
    results : Results
        A run.
    path : pathlib.Path
        Where to.

    Raises
    ------
    OutputError
        Two layers would have the same name, or the drawing has errors or cannot be written.

    Notes
    -----
    Units are metres in the working CRS, which stands in a comment at the head of the file, in its properties, and with
    the notice on synthetic or assumed data in the drawing itself. Layers: boundaries, names, streets by class,
    facilities by service (a block each) with their names, land use by code (closed outlines and solid hatches in the
    official colours), control lines by type, circles of the study's default service. Texts are in a style with SimHei,
    which Windows has. Equal results give equal bytes.
    """
    context = Context(results)
    drawing = _Drawing(results.study.crs)
    _zones(drawing, context)
    _streets(drawing, context)
    _facilities(drawing, context)
    if results.landuse is not None:
        _landuse(drawing, context, results.landuse)
    if results.control_lines is not None:
        _control(drawing, context, results.control_lines)
    _circles(drawing, context)
    _notes(drawing, context)
    auditor = drawing.doc.audit()
    if auditor.errors:
        n, first = len(auditor.errors), auditor.errors[0].message
        raise OutputError(f"DXF 图形有 {n} 处错误: {first}", f"the drawing has {n} errors: {first}")
    text = StringIO()
    with _fixed_meta_data():
        drawing.doc.write(text)
    head = "".join(f"999\n{line}\n" for line in (f"CRS {results.study.crs}, metres", f"kind {results.kind}"))
    try:
        path.write_text(
            head + _STAMP.sub(r"\1 @ 2000-01-01T00:00:00+00:00", text.getvalue()), encoding="utf-8", newline="\n"
        )
    except OSError as err:
        raise OutputError(f"无法写入 {path.name}: {err}", f"cannot write {path.name}: {err}") from err


@contextmanager
def _fixed_meta_data() -> Iterator[None]:
    """Keep times and random ids out of the file."""
    options: Any = import_module("ezdxf").options
    before = options.write_fixed_meta_data_for_testing
    options.write_fixed_meta_data_for_testing = True
    try:
        yield
    finally:
        options.write_fixed_meta_data_for_testing = before


def _zones(drawing: _Drawing, context: Context) -> None:
    words, rows = context.labels, context.zone_rows
    for kind, color, linetype in (
        ("district", BASEMAP["district"], "CONTINUOUS"),
        ("direction", INK["muted"], "CONTINUOUS"),
        ("township", BASEMAP["township"], "DASHDOT"),
    ):
        mine = rows[rows["zone_kind"] == kind]
        if mine.empty:
            continue
        layer = drawing.layer(words("layer_boundaries"), words(f"zone_{kind}"), color=color, linetype=linetype)
        drawing.outlines(mine.geometry, layer)
        if kind != "district":
            names = drawing.layer(words("layer_names"), words(f"zone_{kind}"), color=INK["ink"])
            at = mine.geometry.representative_point()
            height = _TOWN_M * (2.0 if kind == "direction" else 1.0)
            for name, point in zip(mine["name"], at, strict=True):
                drawing.text(name, (point.x, point.y), names, height_m=height, middle=True)


def _streets(drawing: _Drawing, context: Context) -> None:
    edges = context.results.network.edges
    rank = edges["highway"].map(ROAD_CLASSES).fillna(3).to_numpy(int)
    shapes = edges.geometry.to_numpy()
    words = context.labels
    for k in range(4):
        if (rank == k).any():
            layer = drawing.layer(words("layer_streets"), words(f"qg_road_{k}"), color=ROADS[k]["color"])
            drawing.lines(shapes[rank == k], layer)


def _facilities(drawing: _Drawing, context: Context) -> None:
    words, services, frame = context.labels, context.services, context.facilities
    families = list(dict.fromkeys(context.families.values()))
    for key in services.index:
        mine = frame[frame["service"] == key]
        if mine.empty:
            continue
        color = GROUPS[families.index(context.families[str(services.loc[key, "group"])]) % len(GROUPS)]
        name = context.service_name(str(key))
        layer = drawing.layer(words("facilities"), name, color=color)
        texts = drawing.layer(words("layer_names"), name, color=INK["muted"], on=False)
        for label, point in zip(mine["name"], mine.geometry, strict=True):
            drawing.space.add_blockref(_BLOCK, (point.x, point.y), dxfattribs={"layer": layer})
            drawing.text(label, (point.x + 1.5 * _DOT_M, point.y), texts, height_m=_NAME_M)


def _landuse(drawing: _Drawing, context: Context, frame: gpd.GeoDataFrame) -> None:
    word = context.labels("layer_landuse")
    codes = frame["code"].astype(str)
    lines = drawing.layer(word, context.labels("layer_boundaries"), color=INK["muted"])
    for code in sorted(set(codes)):
        known = land_class(code)
        layer = drawing.layer(
            word, *land_name(code, context.labels.lang).split(" ", 1), color=known["color"] if known else INK["rule"]
        )
        drawing.outlines(frame.geometry[(codes == code).to_numpy()], lines, hatch=layer)


def _control(drawing: _Drawing, context: Context, frame: gpd.GeoDataFrame) -> None:
    types = frame["line_type"].astype(str)
    for name in dict.fromkeys(types):
        color = next(c for word, c, _ in CONTROL_LINES if word in name)
        said = context.labels.get(f"control_{name}", name)
        layer = drawing.layer(context.labels("layer_control"), said, color=color, linetype="DASHED")
        shapes = frame.geometry[(types == name).to_numpy()]
        drawing.outlines(shapes, layer)
        drawing.lines(shapes, layer)


def _circles(drawing: _Drawing, context: Context) -> None:
    service = context.default_service
    mine = context.results.circles
    mine = mine[mine["service"] == service]
    shades = dict(zip(context.cutoffs, reach_colors(len(context.cutoffs)), strict=True))
    for cutoff, shape in zip(mine["cutoff_min"], mine.geometry, strict=True):
        words = (context.labels("layer_circles"), context.service_name(service), f"{whole(float(cutoff)):g}min")
        drawing.outlines([shape], drawing.layer(*words, color=shades[float(cutoff)]))


def _notes(drawing: _Drawing, context: Context) -> None:
    """Write under the drawing what it rests on."""
    west, south, _, _ = context.zone_rows.total_bounds
    layer = drawing.layer(context.labels("xl_summary"), color=INK["warn"])
    lines = [context.place, context.warning(), *run_facts(context)]
    for i, line in enumerate(x for x in lines if x):
        drawing.text(line, (west, south - _TOWN_M * (3 + 2 * i)), layer, height_m=_TOWN_M)
