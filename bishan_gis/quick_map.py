"""A quick look at any table with geometry: a map in a notebook, without internet."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from bishan_gis.errors import InputError, MissingColumnError, NoDataError
from bishan_gis.schema import known_names

if TYPE_CHECKING:
    import folium
    import geopandas as gpd
    import pandas as pd

__all__ = ["explore"]

#: Colours of numbers (cividis of matplotlib) and of words (Okabe-Ito): both can be read by the colour-blind.
_NUMBERS = ("#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838")
_WORDS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_NONE = "#9a9a9a"


@cache
def _leaflet() -> tuple[str, str]:
    """Return Leaflet's script and style from the installed package, pictures inside."""
    folder = files("xstatic.pkg.leaflet") / "data"
    style = (folder / "leaflet.css").read_text(encoding="utf-8")

    def inline(match: re.Match[str]) -> str:
        picture = base64.b64encode((folder / match[1]).read_bytes()).decode("ascii")
        return f"url(data:image/png;base64,{picture})"

    script = (folder / "leaflet.js").read_text(encoding="utf-8")
    return re.sub(r"//# sourceMappingURL=.*", "", script), re.sub(r"url\((images/[\w.-]+)\)", inline, style)


def explore(
    frame: gpd.GeoDataFrame,
    column: str | None = None,
    *,
    tooltip: Iterable[str] | None = None,
    classes: int = 6,
    bounds: tuple[float, float, float, float] | None = None,
    limit: int = 20_000,
    tiles: Any = None,
    m: folium.Map | None = None,
    name: str = "",
    attribution: str = "© OpenStreetMap contributors (ODbL)",
    **options: Any,
) -> folium.Map:
    """Draw a table with geometry on a map that needs no internet.

    Where the table has a column ``kind`` with ``assumed`` or ``synthetic`` rows, the map says so.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        What to draw; with a CRS.
    column : str, optional
        Column that gives the colour: numbers in classes of equally many rows, words one colour each.
    tooltip : iterable of str, optional
        Columns shown under the mouse; those that are not there are left out. Default: the first six.
    classes : int
        Most classes of numbers, 2 to 6.
    bounds : tuple of float, optional
        West, south, east, north in the CRS of the frame: only what touches this box.
    limit : int
        Most rows that are drawn: a browser carries some ten thousand. More is an error, not a sample.
    tiles : folium.TileLayer or str, optional
        A background as folium knows it; it needs internet, nothing else does.
    m : folium.Map, optional
        A map to draw on, as an earlier call returned it.
    name : str
        Name of the layer in the list of layers.
    attribution : str
        Whose data it is, shown at the foot of the map.
    **options
        Style of Leaflet's paths, such as ``weight, opacity, radius``.

    Returns
    -------
    folium.Map
        Shows itself in a notebook; ``save("page.html")`` writes one page with everything inside.

    Raises
    ------
    MissingColumnError
        No such column.
    NoDataError
        No row to draw.
    InputError
        It is no GeoDataFrame, or there is no CRS, or more rows than `limit`.

    Examples
    --------
    >>> import geopandas as gpd
    >>> lines = gpd.GeoSeries.from_wkt(["LINESTRING (106.2 29.5, 106.3 29.6)"], crs="EPSG:4326")
    >>> page = explore(gpd.GeoDataFrame({"length_m": [1.0]}, geometry=lines), "length_m").get_root().render()
    >>> "https://cdn" in page
    False
    """
    import folium

    shown = _rows(frame, column, bounds, limit)
    colour, legend = _colours(shown[column], classes) if column else ([_WORDS[0]] * len(shown), [])
    plain = [c for c in (tooltip or shown.columns[:7]) if c in shown.columns and c != shown.geometry.name][:6]
    shown = shown[list(dict.fromkeys([*plain, shown.geometry.name]))]
    for c in plain:
        shown[c] = shown[c].map(_text)
    shown = shown.rename(columns={c: _safe(c) for c in plain})
    plain = [_safe(c) for c in plain]
    west, south, east, north = (float(v) for v in shown.total_bounds)
    fresh = m is None
    if m is None:
        m = _offline_map(tiles)
        m.fit_bounds([[south, west], [north, east]])
        page: Any = m.get_root()
        note = f'<div class="explore-note">{_warning(frame)}{_safe(attribution)}</div>'
        page.html.add_child(folium.Element(note), name="note")
    style = {"weight": 2, "radius": 4, "opacity": 0.9, "fillOpacity": 0.55, **options}
    shown = shown.assign(_colour=colour)
    layer = folium.GeoJson(
        shown.__geo_interface__,
        name=_safe(name) or "layer",
        style_function=lambda f: {
            **style,
            "color": f["properties"]["_colour"],
            "fillColor": f["properties"]["_colour"],
        },
        marker=folium.CircleMarker(radius=style["radius"], fill=True),
        tooltip=folium.GeoJsonTooltip(plain) if plain else None,
        zoom_on_click=False,
    )
    layer.add_to(m)
    if not fresh:
        folium.LayerControl(collapsed=False).add_to(m)
    if legend:
        rows = "".join(f'<div><i style="background:{c}"></i>{text}</div>' for c, text in legend)
        page = m.get_root()
        before = sum(key.startswith("legend") for key in page.html._children)
        place, title = f"right:{12 + 180 * before}px", _safe(str(column))
        html = f'<div class="explore-legend" style="{place}"><b>{title}</b>{rows}</div>'
        page.html.add_child(folium.Element(html), name=f"legend{before}")
    return m


def _warning(frame: gpd.GeoDataFrame) -> str:
    """Return the words about rows that are not observed, for the foot of the map."""
    from bishan_gis.schema import KINDS, weakest_kind

    if "kind" not in frame.columns:
        return ""
    weakest = weakest_kind([k for k in frame["kind"].dropna().unique() if k in KINDS] or ["observed"])
    words = {"synthetic": "含合成数据 · rests on synthetic data", "assumed": "含假设数据 · rests on assumed data"}
    return f"<b>{words[weakest]}</b> · " if weakest in words else ""


def _rows(
    frame: gpd.GeoDataFrame, column: str | None, bounds: tuple[float, float, float, float] | None, limit: int
) -> gpd.GeoDataFrame:
    """Return what is to be drawn, in degrees."""
    import shapely

    if column is not None and column not in frame.columns:
        zh, en = known_names(column, frame.columns)
        raise MissingColumnError(f"没有列 {column};{zh}", f"no column {column}; {en}")
    if not hasattr(frame, "crs"):
        name = type(frame).__name__
        raise InputError(f"frame: 须为 GeoDataFrame,现为 {name}", f"frame: must be a GeoDataFrame; it is a {name}")
    if frame.crs is None:
        raise InputError(
            f"{len(frame)} 行没有坐标系;请先 set_crs", f"{len(frame)} rows without a CRS; use set_crs first"
        )
    shown = frame if bounds is None else frame.cx[bounds[0] : bounds[2], bounds[1] : bounds[3]]
    shown = shown[shown.geometry.notna() & ~shown.geometry.is_empty]
    if len(shown) == 0:
        crs = frame.crs.to_string()
        zh, en = ("", "") if bounds is None else (f";bounds 须用 {crs}", f"; bounds must be in {crs}")
        raise NoDataError(f"{len(frame)} 行中没有可画的{zh}", f"nothing to draw among {len(frame)} rows{en}")
    if len(shown) > limit:
        raise InputError(
            f"{len(shown):,} 行超过上限 {limit:,};请用 bounds 选取一部分, 或提高 limit",
            f"{len(shown):,} rows are more than the limit of {limit:,}; choose a part with bounds, or raise limit",
        )
    out: gpd.GeoDataFrame = shown.to_crs(4326).reset_index(drop=True)
    # 7 decimals are a centimetre; more only makes the page longer.
    return out.set_geometry(shapely.transform(out.geometry.to_numpy(), lambda xy: xy.round(7)), crs=4326)


def _colours(values: pd.Series, classes: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Return a colour per row, and the legend."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        known = np.isfinite(numbers)
        count = min(max(classes, 2), len(_NUMBERS))
        some = numbers[known] if known.any() else np.zeros(1)
        ends = np.unique(np.quantile(some, np.arange(1, count + 1) / count, method="inverted_cdf"))
        pick = np.linspace(0, len(_NUMBERS) - 1, len(ends)).astype(int) if len(ends) > 1 else [0]
        ramp = [_NUMBERS[::-1][i] for i in pick]
        rank = np.searchsorted(ends, numbers)
        begins = [some.min(), *ends[:-1]]
        each = len(np.unique(some)) == len(ends)
        legend = [
            (c, f"{b:.4g}" if each or a == b else f"{a:.4g} - {b:.4g}")
            for c, a, b in zip(ramp, begins, ends, strict=True)
        ]
        colour = [ramp[r] if k else _NONE for r, k in zip(rank, known, strict=True)]
        return colour, legend if known.all() else [*legend, (_NONE, "-")]
    words = values.map(_text)
    common = words.value_counts()
    ranked = [w for w in sorted(common.index, key=lambda w: (-common[w], w)) if w != ""]
    table = dict(zip(ranked, _WORDS, strict=False))
    legend = [(c, w) for w, c in table.items()]
    if len(ranked) > len(table) or "" in set(common.index):
        legend.append((_NONE, "..." if len(ranked) > len(table) else "-"))
    return [table.get(w, _NONE) for w in words], legend


def _text(value: Any) -> str:
    """Return what is shown of a value."""
    import pandas as pd

    if not isinstance(value, (str, list, tuple, dict, set)) and pd.isna(value):
        return ""
    return _safe(f"{value:.6g}" if isinstance(value, float) else str(value))


def _safe(text: str) -> str:
    """Return text that neither the browser nor folium's templates take for theirs."""
    return escape(text).replace("{", "&#123;").replace("}", "&#125;")


def _no_template(html: str) -> str:
    """Keep jinja from reading the text as a template."""
    return "{% raw %}" + html.replace("{% endraw %}", "") + "{% endraw %}"


def _offline_map(tiles: Any) -> folium.Map:
    """Return a ``folium.Map`` with Leaflet inside and no address."""
    import folium

    class Offline(folium.Map):  # type: ignore[misc]
        default_js: list[tuple[str, str]] = []  # noqa: RUF012
        default_css: list[tuple[str, str]] = []  # noqa: RUF012

    m = Offline(tiles=tiles, attribution_control=tiles is not None)
    script, style = _leaflet()
    own = (
        ".leaflet-container{background:#f5f3ee}"
        ".explore-legend{position:fixed;bottom:20px;z-index:999;background:#fff;padding:8px 10px;"
        "font:12px/1.5 sans-serif;border-radius:4px;box-shadow:0 1px 4px #0004;max-height:60%;overflow:auto}"
        ".explore-note{position:fixed;left:0;bottom:0;z-index:999;background:#fffc;padding:2px 8px;"
        "font:11px sans-serif}"
        ".explore-note b{color:#a33b00}"
        ".explore-legend i{display:inline-block;width:14px;height:10px;margin-right:6px}"
    )
    root: Any = m.get_root()
    root.header._children.clear()
    head = f'<meta charset="utf-8"><style>{style}{own}</style><script>{script}</script>'
    root.header.add_child(folium.Element(_no_template(head)), name="leaflet")
    return m
