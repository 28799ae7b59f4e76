"""Folium elements: an offline map and layers of packed data. They work in any ``folium.Map``, too.

Examples
--------
>>> import folium
>>> m = folium.Map([29.59, 106.22], zoom_start=12)  # doctest: +SKIP
>>> PackedPolygons(geometries, crs, classes=[{"fill": "#4292c6"}]).add_to(m)  # doctest: +SKIP
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from copy import copy
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Self

import folium
from branca.element import Element, Figure, MacroElement
from folium.map import Layer
from folium.template import Template

from bishan_gis.output.maps.pack import Column, pack
from bishan_gis.output.maps.shapes import line_columns, point_columns, polygon_columns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pyproj import CRS

__all__ = [
    "OfflineMap",
    "PackedCells",
    "PackedData",
    "PackedLayer",
    "PackedLines",
    "PackedNames",
    "PackedPoints",
    "PackedPolygons",
    "PackedRings",
    "Raw",
    "asset",
    "json_text",
    "leaflet",
]

_LIBRARY = ("pack.js", "format.js", "canvas.js", "raster.js", "marks.js")


@cache
def asset(name: str) -> str:
    """Return a script, style or template of this package."""
    return (files("bishan_gis") / "output" / "assets" / name).read_text(encoding="utf-8")


@cache
def leaflet() -> tuple[str, str]:
    """Return Leaflet's script and style with its pictures inside and no address outside."""
    folder = files("xstatic.pkg.leaflet") / "data"
    script = (folder / "leaflet.js").read_text(encoding="utf-8")
    script = re.sub(r"//# sourceMappingURL=.*", "", script)
    script = script.replace('href="https://leafletjs.com"', 'href="#"')
    style = (folder / "leaflet.css").read_text(encoding="utf-8")
    style = style.replace("behavior: url(#default#VML);", "")

    def inline(match: re.Match[str]) -> str:
        data = (folder / match[1]).read_bytes()
        return f"url(data:image/png;base64,{base64.b64encode(data).decode('ascii')})"

    return script, re.sub(r"url\((images/[\w.-]+)\)", inline, style)


def json_text(value: Any) -> str:
    r"""Return JSON that may stand inside a ``<script>`` element.

    Examples
    --------
    >>> json_text("</script>&")
    '"\\u003c/script\\u003e\\u0026"'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


class Raw(Element):  # type: ignore[misc]
    """Text that is put into the page as it is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._name = "Raw"
        self.text = text

    def render(self, **_kwargs: Any) -> str:
        """Return the text."""
        return self.text


class AsDrawn(MacroElement):  # type: ignore[misc]
    """An element whose markup goes into the page as its macros gave it.

    Branca takes what a macro gave for a template once more: data of several megabytes are then parsed, and two braces
    in a name would be lost.
    """

    def render(self, **kwargs: Any) -> Any:
        """Put each part where it belongs, then draw the children."""
        figure: Any = self.get_root()
        for place in ("header", "html", "script"):
            macro = getattr(self._template.module, place, None)
            if macro is not None:
                text = macro(self, kwargs).removesuffix("\n")
                getattr(figure, place).add_child(Raw(text), name=self.get_name())
        for child in self._children.values():
            child.render(**kwargs)


class OfflineMap(folium.Map):  # type: ignore[misc]
    """A ``folium.Map`` that needs no address: Leaflet is taken from the installed ``xstatic-leaflet``.

    Parameters
    ----------
    bounds : sequence
        ``[[south, west], [north, east]]``.
    tiles : folium.TileLayer, optional
        An online layer, if one is asked for.
    """

    default_js: list[tuple[str, str]] = []  # noqa: RUF012
    default_css: list[tuple[str, str]] = []  # noqa: RUF012
    _template = Template(
        """
        {% macro html(this, kwargs) %}<div class="folium-map" id={{ this.get_name()|tojson }}></div>{% endmacro %}
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.map({{ this.get_name()|tojson }}, {{ this.offline_options|tojavascript }});
        {{ this.get_name() }}.fitBounds({{ this.offline_bounds|tojson }}, {animate: false});
        {% endmacro %}
        """
    )

    def __init__(self, bounds: Sequence[Sequence[float]], *, tiles: folium.TileLayer | None = None) -> None:
        (south, west), (north, east) = bounds
        super().__init__(location=[(south + north) / 2, (west + east) / 2], tiles=tiles)
        pad_y, pad_x = north - south, east - west
        self.offline_bounds = [[south, west], [north, east]]
        self.offline_options = {
            "attribution_control": False,
            "zoom_animation": False,
            "fade_animation": False,
            "marker_zoom_animation": False,
            "inertia": False,
            "zoom_snap": 0.1,
            "wheel_px_per_zoom_level": 120,
            "min_zoom": 8,
            "max_zoom": 18,
            "max_bounds": [[south - pad_y, west - pad_x * 9], [north + pad_y, east + pad_x * 9]],
        }

    def render(self, **kwargs: Any) -> Any:
        """Put Leaflet into the head, then draw."""
        figure: Any = self.get_root()
        script, style = leaflet()
        own = "html,body{height:100%;margin:0}.folium-map{height:100%}"
        figure.header.add_child(Raw(f"<style>{style}{own}</style>"), name="leaflet_css")
        figure.header.add_child(Raw(f"<script>{script}</script>"), name="leaflet_js")
        return super().render(**kwargs)  # type: ignore[no-untyped-call]


class PackedLayer(Layer, AsDrawn):  # type: ignore[misc]
    """A layer whose data travel as packed columns and are drawn on a canvas.

    Parameters
    ----------
    columns : mapping
        See :func:`bishan_gis.output.maps.pack.pack`.
    name : str, optional
        Name in a layer control.
    show : bool
        Whether the layer is on at first.
    **options
        Options of the script class.
    """

    _script_class = "CanvasLayer"
    _template = Template(
        """
        {% macro html(this, kwargs) %}
        <script type="text/plain" id="{{ this.get_name() }}_data">{{ this.packed }}</script>
        {% endmacro %}
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = new BG.{{ this._script_class }}({{ (this.get_name() ~ "_data")|tojson }},
            {{ this.options|tojavascript }});
        {% endmacro %}
        """
    )

    def __init__(
        self, columns: Mapping[str, Column], *, name: str | None = None, show: bool = True, **options: Any
    ) -> None:
        super().__init__(name=name, overlay=True, show=show)
        self._name = type(self).__name__
        self.columns = dict(columns)
        self.options = options

    @cached_property
    def packed(self) -> str:
        """The columns as base64 text."""
        return pack(self.columns)

    def again(self) -> Self:
        """Return the same layer for another page; it is packed once."""
        _ = self.packed
        twin = copy(self)
        twin._children, twin._parent = type(self._children)(), None
        return twin

    def render(self, **kwargs: Any) -> Any:
        """Put our scripts into the head once, then draw."""
        figure = self.get_root()
        if not isinstance(figure, Figure):
            msg = "a packed layer must be added to a map before it is drawn"
            raise TypeError(msg)
        code = "\n".join(asset(n) for n in _LIBRARY)
        figure.header.add_child(Raw(f"<script>{code}</script>"), name="bishan_gis_js")
        return super().render(**kwargs)  # type: ignore[no-untyped-call]


class PackedLines(PackedLayer):
    """Lines in classes.

    Parameters
    ----------
    lines : array_like of shapely geometry
        (Multi)lines in `crs`.
    crs : pyproj.CRS
        Their CRS [m].
    classes : sequence of dict
        ``color, widths`` (at zoom 10, 14, 18) ``, zoom`` (appears at) ``, dash``; the first is drawn on top.
    of_class : array_like of int
        Class of each line.
    """

    _script_class = "Lines"

    def __init__(
        self,
        lines: ArrayLike,
        crs: CRS,
        *,
        classes: Sequence[Mapping[str, Any]],
        of_class: ArrayLike,
        simplify_m: float = 0.0,
        **options: Any,
    ) -> None:
        import numpy as np

        columns, of = line_columns(lines, crs, simplify_m=simplify_m)
        columns["c"] = ("u8", np.asarray(of_class, dtype=int)[of])
        super().__init__(columns, classes=[dict(c) for c in classes], **options)


class PackedPolygons(PackedLayer):
    """Polygons in classes of ``fill, hatch, stroke, width, dash, code, mask``; ``extra`` adds columns."""

    _script_class = "Polygons"

    def __init__(
        self,
        polygons: ArrayLike,
        crs: CRS | str,
        *,
        classes: Sequence[Mapping[str, Any]],
        extra: Mapping[str, Column] | None = None,
        step: float = 1.0,
        simplify_m: float = 0.0,
        **options: Any,
    ) -> None:
        columns = polygon_columns(polygons, crs, step=step, simplify_m=simplify_m) | dict(extra or {})
        super().__init__(columns, classes=[dict(c) for c in classes], **options)


class PackedCells(PackedPolygons):
    """Many small polygons that are found under the pointer; hundreds of thousands stay fluid.

    In a map of one's own: give `classes` and `of_class`, and `texts` for what is said under the pointer.

    Parameters
    ----------
    polygons : array_like of shapely geometry
        (Multi)polygons in `crs`; small ones, such as the squares of a grid.
    crs : pyproj.CRS
        Their CRS.
    classes : sequence of dict
        ``fill, hatch`` of each class.
    of_class : array_like of int, optional
        Class of each polygon, 0 to 254; 255 is not drawn. All are of class 0 if it is left out.
    texts : sequence of str, optional
        What is said of each polygon under the pointer; shown as text, whatever it holds.
    extra : mapping, optional
        Further columns for a script of one's own.
    **options
        Options of :class:`PackedPolygons` and of the layer.

    Examples
    --------
    >>> import folium, shapely
    >>> m = folium.Map([29.59, 106.22], zoom_start=12, tiles=None)
    >>> squares = shapely.box([615000, 615100], 3274000, [615100, 615200], 3274100)
    >>> classes = [{"fill": "#08519c"}, {"fill": "#d94801"}]
    >>> layer = PackedCells(squares, "EPSG:4544", classes=classes, of_class=[0, 1], texts=["near", "far"]).add_to(m)
    >>> len(layer.packed) < 400
    True
    """

    _script_class = "Cells"

    def __init__(
        self,
        polygons: ArrayLike,
        crs: CRS | str,
        *,
        classes: Sequence[Mapping[str, Any]],
        of_class: ArrayLike | None = None,
        texts: Sequence[str] | None = None,
        extra: Mapping[str, Column] | None = None,
        **options: Any,
    ) -> None:
        columns = dict(extra or {})
        if of_class is not None:
            columns["c"] = ("u8", of_class)
        if texts is not None:
            columns["texts"] = ("js", [str(text) for text in texts])
        super().__init__(polygons, crs, classes=classes, extra=columns, **options)


class PackedPoints(PackedLayer):
    """Points as dots; ``extra`` adds columns (``names``, ``s`` ...)."""

    _script_class = "Points"

    def __init__(
        self, x: ArrayLike, y: ArrayLike, crs: CRS, *, extra: Mapping[str, Column] | None = None, **options: Any
    ) -> None:
        super().__init__(point_columns(x, y, crs) | dict(extra or {}), **options)


class PackedNames(PackedPoints):
    """Names that never overlap; column ``names`` holds ``text, zoom, size, bold, color``."""

    _script_class = "Names"


class PackedRings(PackedLayer):
    """Plain circles of one radius round the points of another layer, set by the page."""

    _script_class = "Rings"


class PackedData(PackedLayer):
    """Columns without a drawing."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        super().__init__(columns, show=False)
        self.control = False


class PageStart(AsDrawn):
    """The last child of a page's map: closes the frame and hands map, layers and settings to the script."""

    _template = Template(
        """
        {% macro html(this, kwargs) %}{{ this.stage }}
        <script type="application/json" id="config">{{ this.config }}</script>{% endmacro %}
        {% macro script(this, kwargs) %}
        BG.start({{ this._parent.get_name() }}, {
        {%- for key, layer in this.layers.items() %}{{ key }}: {{ layer.get_name() }}, {% endfor -%}
        }, "config");
        {% endmacro %}
        """
    )

    def __init__(self, layers: Mapping[str, PackedLayer], config: Mapping[str, Any], stage: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "PageStart"
        self.layers = dict(layers)
        self.config = json_text(config)
        self.stage = stage
