"""Styles as QGIS writes them (QML): symbols, renderers, labels. Colours come from the design tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from bishan_gis.output.excel import clean_text
from bishan_gis.output.fonts import FONT_FAMILY
from bishan_gis.output.tokens import INK

__all__ = ["DOCTYPE", "Rule", "Style", "Symbol", "quoted", "style_elements", "style_qml", "xml_text"]

DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
#: Read by every QGIS since; newer ones convert it.
VERSION = "3.16.0-Hannover"


@dataclass(frozen=True)
class Symbol:
    """How one thing is drawn.

    Attributes
    ----------
    kind : {"fill", "line", "marker"}
        Kind of geometry.
    color : str
        ``#rrggbb`` of fill or marker; empty: none.
    stroke : str
        ``#rrggbb`` of the line or rim; empty: none.
    width : float
        Of the line [mm], or of the marker.
    dash : tuple of float
        Dash pattern [mm]; empty: a whole line.
    alpha : float
        0 (invisible) to 1.
    """

    kind: str
    color: str = ""
    stroke: str = ""
    width: float = 0.2
    dash: tuple[float, ...] = ()
    alpha: float = 1.0


@dataclass(frozen=True)
class Rule:
    """What is drawn with a symbol: features of a value, or that an expression holds for.

    Attributes
    ----------
    label : str
        Words of the legend.
    symbol : Symbol
        How it is drawn.
    value : str
        Value of the attribute of the style; unused by rules.
    expression : str
        QGIS expression, ``ELSE`` for the rest; unused by categories.
    """

    label: str
    symbol: Symbol
    value: str = ""
    expression: str = ""


@dataclass(frozen=True)
class Style:
    """How a layer is drawn.

    Attributes
    ----------
    rules : sequence of Rule
        In the order of the legend.
    attribute : str
        Column of categories; empty: the rules have expressions.
    label : str
        Column of the names that are written; empty: none.
    label_pt : float
        Size of the names [pt].
    """

    rules: Sequence[Rule]
    attribute: str = ""
    label: str = ""
    label_pt: float = 8.0


def quoted(text: str, mark: str = "'") -> str:
    """Return a text or the name of a column as a QGIS expression has it.

    Parameters
    ----------
    text : str
        Text or column.
    mark : str
        ``'`` for a text, ``"`` for a column.

    Examples
    --------
    >>> quoted("O'Hara"), quoted("80+", '"')
    ("'O''Hara'", '"80+"')
    """
    return mark + text.replace(mark, mark * 2) + mark


def _rgba(color: str, alpha: float = 1.0) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        return "0,0,0,0"
    return ",".join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5)) + f",{round(alpha * 255)}"


def _symbol(parent: ET.Element, symbol: Symbol, name: str) -> None:
    attributes = {"type": symbol.kind, "name": name, "alpha": f"{symbol.alpha:g}", "clip_to_extent": "1"}
    top = ET.SubElement(parent, "symbol", {**attributes, "force_rhr": "0"})
    drawn = {"fill": "SimpleFill", "line": "SimpleLine", "marker": "SimpleMarker"}[symbol.kind]
    layer = ET.SubElement(top, "layer", {"class": drawn, "enabled": "1", "locked": "0", "pass": "0"})
    style = ("dash" if symbol.dash else "solid") if symbol.stroke else "no"
    if symbol.kind == "line":
        values = {
            "line_color": _rgba(symbol.stroke),
            "line_style": style,
            "line_width": f"{symbol.width:g}",
            "line_width_unit": "MM",
            "capstyle": "flat" if symbol.dash else "round",
            "joinstyle": "round",
            "use_custom_dash": "1" if symbol.dash else "0",
            "customdash": ";".join(f"{d:g}" for d in symbol.dash) or "5;2",
            "customdash_unit": "MM",
        }
    elif symbol.kind == "fill":
        values = {
            "color": _rgba(symbol.color),
            "style": "solid" if symbol.color else "no",
            "outline_color": _rgba(symbol.stroke),
            "outline_style": style,
            "outline_width": f"{symbol.width:g}",
            "outline_width_unit": "MM",
            "joinstyle": "round",
        }
    else:
        values = {
            "name": "circle",
            "color": _rgba(symbol.color),
            "outline_color": _rgba(symbol.stroke or INK["paper"]),
            "outline_style": "solid",
            "outline_width": "0.2",
            "outline_width_unit": "MM",
            "size": f"{symbol.width:g}",
            "size_unit": "MM",
        }
    for key, value in values.items():
        ET.SubElement(layer, "prop", {"k": key, "v": value})


def style_elements(style: Style) -> list[ET.Element]:
    """Return ``renderer-v2`` and, where there are names, ``labeling``.

    Parameters
    ----------
    style : Style
        How the layer is drawn.
    """
    kind = "categorizedSymbol" if style.attribute else "RuleRenderer"
    renderer = ET.Element("renderer-v2", {"type": kind, "forceraster": "0", "symbollevels": "0", "enableorderby": "0"})
    if style.attribute:
        renderer.set("attr", style.attribute)
        listed = ET.SubElement(renderer, "categories")
    else:
        listed = ET.SubElement(renderer, "rules", {"key": "{rules}"})
    for i, rule in enumerate(style.rules):
        words = {"symbol": str(i), "label": clean_text(rule.label)}
        if style.attribute:
            ET.SubElement(listed, "category", {"render": "true", "value": clean_text(rule.value), **words})
        else:
            ET.SubElement(listed, "rule", {"key": f"{{rule{i}}}", "filter": clean_text(rule.expression), **words})
    symbols = ET.SubElement(renderer, "symbols")
    for i, rule in enumerate(style.rules):
        _symbol(symbols, rule.symbol, str(i))
    return [renderer, _labeling(style)] if style.label else [renderer]


def _labeling(style: Style) -> ET.Element:
    labeling = ET.Element("labeling", {"type": "simple"})
    settings = ET.SubElement(labeling, "settings")
    text = ET.SubElement(
        settings,
        "text-style",
        {
            "fieldName": style.label,
            "isExpression": "0",
            "fontFamily": FONT_FAMILY,
            "fontSize": f"{style.label_pt:g}",
            "fontSizeUnit": "Point",
            "textColor": _rgba(INK["ink"]),
            "textOpacity": "1",
        },
    )
    halo = {"bufferDraw": "1", "bufferSize": "0.8", "bufferSizeUnits": "MM", "bufferColor": _rgba(INK["paper"])}
    ET.SubElement(text, "text-buffer", {**halo, "bufferOpacity": "1"})
    ET.SubElement(settings, "placement", {"placement": "0", "priority": "5"})
    ET.SubElement(settings, "rendering", {"drawLabels": "1", "obstacle": "1", "displayAll": "0"})
    return labeling


def xml_text(root: ET.Element) -> str:
    """Return a document with the head that QGIS expects."""
    ET.indent(root, space=" ")
    return DOCTYPE + ET.tostring(root, encoding="unicode") + "\n"


def style_qml(style: Style) -> str:
    """Return a style as the text of a QML file.

    Parameters
    ----------
    style : Style
        How the layer is drawn.

    Examples
    --------
    >>> text = style_qml(Style([Rule("A & B", Symbol("line", stroke="#08519c"), value="x")], attribute="kind"))
    >>> "A &amp; B" in text, "8,81,156,255" in text
    (True, True)
    """
    root = ET.Element("qgis", {"version": VERSION, "styleCategories": "Symbology|Labeling"})
    root.set("labelsEnabled", "1" if style.label else "0")
    root.extend(style_elements(style))
    return xml_text(root)
