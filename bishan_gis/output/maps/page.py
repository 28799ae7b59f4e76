"""The frame of every page: title, warning strip, footer; and the last steps that make a file of it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2
from branca.element import Element, Figure
from folium.template import Template
from markupsafe import Markup

from bishan_gis.output.maps.elements import OfflineMap, PackedLayer, PageStart, Raw, asset
from bishan_gis.output.maps.middle import core
from bishan_gis.output.maps.villages import villages
from bishan_gis.output.tokens import css_variables

if TYPE_CHECKING:
    from bishan_gis.output.maps.context import Context

__all__ = ["content_policy", "finish", "frame_words", "map_page", "navigation", "template"]

#: As many pages stand in one row; of more, each group gets a menu.
_FEW_PAGES = 5
_CSP = "@@content-policy@@"
_TIANDITU = "https://*.tianditu.gov.cn"
_SCRIPTS = ("frame.js", "view.js", "inset.js", "parts.js", "paper.js", "measure.js", "keys.js", "model.js")


class Page(Figure):  # type: ignore[misc]
    """A ``branca`` figure with a language, a content policy and a body of ours."""

    _template = Template(
        "<!DOCTYPE html>\n"
        '<html lang="{{ this.lang }}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        "<title>{{ this.title|e }}</title>\n{{ this.header.render(**kwargs) }}\n</head>\n"
        '<body class="map-page">\n{{ this.html.render(**kwargs) }}\n'
        "<script>\n{{ this.script.render(**kwargs) }}\n</script>\n</body>\n</html>\n"
    )

    def __init__(self, *, title: str, lang: str) -> None:
        super().__init__(title=title)
        self.lang = lang
        self.header._children.clear()


def template(name: str, **values: Any) -> str:
    """Fill a template of this package; every value is escaped."""
    return _compiled(name).render(**values)


@cache
def _compiled(name: str) -> jinja2.Template:
    env = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False)
    return env.from_string(asset(name))


def navigation(context: Context, page: str) -> Markup:
    """Return the links to every page that is made: one row if they are few, else a menu for each group.

    Parameters
    ----------
    context : Context
        What all pages share; its ``pages`` are linked, in the groups of :mod:`bishan_gis.output.maps.catalogue`.
    page : str
        Key of the page that the links stand on.
    """
    from bishan_gis.output.maps.catalogue import page_groups

    t = context.labels

    def link(key: str) -> dict[str, Any]:
        return {"href": f"{key}.html", "text": t(f"page_{key}"), "here": key == page}

    grouped = page_groups(context)
    inside = {key for keys in grouped.values() for key in keys}
    groups: list[dict[str, Any]] = [{"name": "", "links": [link(key) for key in context.pages if key not in inside]}]
    for name, keys in grouped.items():
        links = [link(key) for key in keys]
        few = len(links) == 1 or len(context.pages) <= _FEW_PAGES
        here = next((one["text"] for one in links if one["here"]), "")
        groups.append({"name": "" if few else t(f"pages_{name}"), "here": here, "links": links})
    return Markup(template("nav.html", t=t, groups=groups))


def frame_words(context: Context, page: str) -> dict[str, Any]:
    """Return what the templates of every page need."""
    return {
        "t": context.labels,
        "place": context.place,
        "nav": navigation(context, page),
        "strip": context.warning(),
        "data": context.data_lines(),
        "facts": context.facts(),
    }


def _name_in_order(element: Element, count: list[int]) -> None:
    """Replace the random ids of ``branca`` by a running number, so that equal pages are equal bytes."""
    count[0] += 1
    element._id = f"{count[0]:03d}"
    for child in element._children.values():
        _name_in_order(child, count)


def content_policy(html: str, *, tiles: bool, worker: bool = False) -> str:
    """Return the policy of a page: its own scripts by their hash, nothing from outside; a worker only if asked for."""
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode("ascii") for s in scripts]
    allowed = " ".join(f"'sha256-{h}'" for h in dict.fromkeys(hashes)) or "'none'"
    images = f"data: blob: {_TIANDITU}" if tiles else "data: blob:"
    workers = "; worker-src blob:" if worker else ""
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src {images}; "
        f"font-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'{workers}"
    )


def finish(html: str, *, tiles: bool = False, worker: bool = False) -> str:
    """Return the page with its content policy, and ends of lines as Unix has them."""
    html = html.replace("\r\n", "\n")
    return html.replace(_CSP, content_policy(html, tiles=tiles, worker=worker), 1)


def map_page(
    context: Context,
    page: str,
    layers: Mapping[str, PackedLayer],
    *,
    switches: Sequence[tuple[str, bool, Sequence[str]]],
    config: Mapping[str, Any],
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    worker: bool = False,
) -> str:
    """Return the HTML of a page round a map.

    Parameters
    ----------
    context : Context
        What all pages share.
    page : str
        Key of the page; also the name of its script.
    layers : mapping
        Name -> layer, as the script knows them.
    switches : sequence of (key, on, names)
        Entries of the layer list: label ``layer_<key>``, whether on at first, and the layers it switches.
    config : mapping
        Settings of this page beside the common ones.
    scripts, styles : sequence of str
        Further assets of this page: scripts run between the frame and the page's own, styles come after the common.
    worker : bool
        The page runs a worker, made of its own scripts.
    """
    t = context.labels
    title = f"{context.place} · {t(f'page_{page}')}"
    figure = Page(title=title, lang="en" if t.lang == "en" else "zh-CN")
    folium_map = OfflineMap(context.bounds)
    figure.add_child(folium_map)
    names = {key: layer.again() for key, layer in layers.items()}
    entries = list(switches)
    for tile in context.tile_layers():
        folium_map.add_child(tile)
    for layer in names.values():
        layer.show = False
        folium_map.add_child(layer)
    words = frame_words(context, page)
    every = {
        "page": page,
        "labels": dict(t),
        "place": context.place,
        "bounds": context.bounds,
        "legendWidth": 252,
        "core": core(context.results.cells, context.crs),
        "layers": [{"key": k, "label": t(f"layer_{k}"), "on": on, "of": list(of)} for k, on, of in entries],
    }
    settings = every | context.config() | dict(config)
    if known := villages(context):
        settings["villages"] = known
    folium_map.add_child(PageStart(names, settings, template("stage.html", **words)))
    style = css_variables() + "".join(asset(n) for n in ("page.css", "media.css", *styles))
    figure.html.add_child(Raw(template("frame.html", **words)), name="frame")
    figure.header.add_child(Raw(f"<style>{style}</style>"), name="page_css")
    code = "\n".join(asset(n) for n in (*_SCRIPTS, *scripts, f"{page}.js"))
    figure.html.add_child(Raw(f"<script>{code}</script>"), name="page_js")
    _name_in_order(figure, [0])
    return finish(figure.render(), tiles=context.tiles, worker=worker)
