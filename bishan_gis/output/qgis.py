"""The layers of a run for QGIS: their styles inside the GeoPackage, and a project that opens them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bishan_gis.errors import OutputError
from bishan_gis.output.excel import clean_text
from bishan_gis.output.files import Staging
from bishan_gis.output.maps.context import Context, whole
from bishan_gis.output.maps.pages import land_class, land_name
from bishan_gis.output.qgis_xml import VERSION, Rule, Style, Symbol, quoted, style_elements, style_qml, xml_text
from bishan_gis.output.tables import write_gpkg
from bishan_gis.output.tokens import (
    BASEMAP,
    CONTROL_LINES,
    GROUPS,
    INK,
    NEAREST,
    NEAREST_MIN,
    ROAD_CLASSES,
    ROADS,
    UNKNOWN,
    reach_colors,
)

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.output.labels import Labels
    from bishan_gis.results import Results

__all__ = ["layer_styles", "project_xml", "write_layer_styles", "write_qgis"]

#: Layers from the top of the map down, and whether the project shows them at first.
ORDER = (
    *(("facilities", False), ("zones", True), ("control_lines", False), ("circles", False)),
    *(("facility_circles", False), ("cells", True), ("streets", True), ("landuse", False)),
)
_TABLE = """CREATE TABLE layer_styles (
id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"""
_FIXED = "2000-01-01T00:00:00.000Z"


def layer_styles(results: Results, layers: Mapping[str, gpd.GeoDataFrame]) -> dict[str, Style]:
    """Return how each layer is drawn.

    Parameters
    ----------
    results : Results
        A run.
    layers : mapping
        Layers of :func:`bishan_gis.output.run_layers.run_layers`.

    Returns
    -------
    dict
        Name of the layer -> style. Zones and streets by kind, facilities by service, circles by time, land use by code
        in the official colours, control lines by type, cells by minutes to the study's default service.
    """
    context = Context(results)
    words = context.labels
    styles = {"zones": _zones(context), "streets": _streets(context), "cells": _cells(context)}
    services = context.services
    families = {f: GROUPS[i % len(GROUPS)] for i, f in enumerate(dict.fromkeys(context.families.values()))}
    styles["facilities"] = Style(
        [
            Rule(
                context.service_name(str(k)),
                Symbol("marker", families[context.families[str(services.loc[k, "group"])]], INK["paper"], 2.2),
                value=str(k),
            )
            for k in services.index
        ],
        attribute="service",
    )
    shades = list(zip(context.cutoffs, reach_colors(len(context.cutoffs)), strict=True))
    default = context.default_service
    outline = [
        (f"≤ {whole(c):g} {words('min')}", Symbol("fill", color, color, 0.3, alpha=0.35), c)
        for c, color in reversed(shades)
    ]
    name = context.service_name(default)
    styles["circles"] = Style(
        [
            Rule(f"{name} {t}", s, expression=f'"service" = {quoted(default)} AND "cutoff_min" = {c:g}')
            for t, s, c in outline
        ]
    )
    styles["facility_circles"] = Style([Rule(t, s, expression=f'"cutoff_min" = {c:g}') for t, s, c in outline])
    if "landuse" in layers:
        styles["landuse"] = _landuse(layers["landuse"], words.lang)
    if "control_lines" in layers:
        styles["control_lines"] = _control(layers["control_lines"], words)
    return {name: style for name, style in styles.items() if name in layers and len(layers[name])}


def _zones(context: Context) -> Style:
    looks = {
        "township": Symbol("fill", "", BASEMAP["township"], 0.25, (2.4, 0.8, 0.4, 0.8)),
        "direction": Symbol("fill", "", INK["muted"], 0.4),
        "district": Symbol("fill", "", BASEMAP["district"], 0.8),
    }
    rules = [Rule(context.labels(f"zone_{k}"), s, value=k) for k, s in looks.items()]
    return Style(rules, attribute="zone_kind", label="name", label_pt=9)


def _streets(context: Context) -> Style:
    words = context.labels
    rules = []
    for k in range(3):
        kinds = ", ".join(quoted(h) for h, c in ROAD_CLASSES.items() if c == k)
        line = Symbol("line", stroke=ROADS[k]["color"], width=(0.9, 0.6, 0.3)[k])
        rules.append(Rule(words(f"qg_road_{k}"), line, expression=f'"highway" IN ({kinds})'))
    path = Symbol("line", stroke=ROADS[3]["color"], width=0.25, dash=(1.2, 0.6))
    return Style([*rules, Rule(words("qg_road_3"), path, expression="ELSE")])


def _cells(context: Context) -> Style:
    """Return classes of minutes; what has no time is drawn too, in grey."""
    column = quoted(f"s_{context.default_service}_s", '"')
    name, words = context.service_name(context.default_service), context.labels
    ends = (0, *NEAREST_MIN)
    rules = [
        Rule(
            f"{name} {ends[i]}–{ends[i + 1]} {words('min')}",
            Symbol("fill", NEAREST[i]),
            expression=f"{column} > {ends[i] * 60 if i else -1} AND {column} <= {ends[i + 1] * 60}",
        )
        for i in range(len(NEAREST_MIN))
    ]
    far = words("near_over", n=NEAREST_MIN[-1])
    rules.append(Rule(f"{name} {far}", Symbol("fill", NEAREST[-1]), expression=f"{column} > {NEAREST_MIN[-1] * 60}"))
    return Style([*rules, Rule(words("qg_no_time"), Symbol("fill", UNKNOWN), expression="ELSE")])


def _landuse(frame: gpd.GeoDataFrame, lang: str) -> Style:
    rules = []
    for code in sorted(set(frame["code"].astype(str))):
        known = land_class(code)
        symbol = Symbol("fill", known["color"] if known else INK["panel"], INK["rule"], 0.1)
        rules.append(Rule(land_name(code, lang), symbol, value=code))
    return Style(rules, attribute="code", label="code", label_pt=6)


def _control(frame: gpd.GeoDataFrame, words: Labels) -> Style:
    flat = bool(frame.geom_type.str.contains("Polygon").all())
    rules = []
    for name in dict.fromkeys(frame["line_type"].astype(str)):
        _, color, dash = next(c for c in CONTROL_LINES if c[0] in name)
        pattern = tuple(d * 0.4 for d in dash)
        symbol = Symbol("fill" if flat else "line", stroke=color, width=0.6, dash=pattern)
        rules.append(Rule(words.get(f"control_{name}", name), symbol, value=name))
    return Style(rules, attribute="line_type")


def write_layer_styles(styles: Mapping[str, Style], path: Path) -> None:
    """Add styles to a GeoPackage, where QGIS looks for them (table ``layer_styles``).

    Parameters
    ----------
    styles : mapping
        Name of the layer -> style.
    path : pathlib.Path
        The GeoPackage; a table that is already there is replaced.

    Raises
    ------
    OutputError
        The file is no GeoPackage or cannot be written.
    """
    try:
        with closing(sqlite3.connect(path)) as db, db:
            found = db.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall()
            geometry = {str(t): str(c) for t, c in found}
            db.execute("DROP TABLE IF EXISTS layer_styles")
            db.execute(_TABLE)
            db.execute("DELETE FROM gpkg_contents WHERE table_name = 'layer_styles'")
            db.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) "
                "VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?, 0)",
                (_FIXED,),
            )
            rows = [
                ("", "", name, geometry[name], name[:30], style_qml(style), "", True, "bishan_gis", "", None, _FIXED)
                for name, style in styles.items()
                if name in geometry
            ]
            db.executemany(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
                "styleName, styleQML, styleSLD, useAsDefault, description, owner, ui, update_time) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
    except sqlite3.Error as err:
        raise OutputError(
            f"无法把样式写入 {path.name}: {err}", f"cannot write the styles into {path.name}: {err}"
        ) from err


def project_xml(
    results: Results, layers: Mapping[str, gpd.GeoDataFrame], styles: Mapping[str, Style], *, gpkg: str
) -> str:
    """Return a QGIS project that shows the layers of a GeoPackage.

    Parameters
    ----------
    results : Results
        A run.
    layers : mapping
        The layers that the GeoPackage holds.
    styles : mapping
        How they are drawn.
    gpkg : str
        Name of the GeoPackage, which lies beside the project.
    """
    context = Context(results)
    words, study = context.labels, results.study
    root = ET.Element("qgis", {"projectname": clean_text(study.label()), "version": VERSION})
    ET.SubElement(root, "title").text = clean_text(study.label())
    ET.SubElement(root, "projectCrs").append(_crs(study.crs, context.crs.to_wkt()))
    tree = ET.SubElement(root, "layer-tree-group")
    canvas = ET.SubElement(root, "mapcanvas", {"name": "theMapCanvas", "annotationsVisible": "1"})
    ET.SubElement(canvas, "units").text = "meters"
    west, south, east, north = context.zone_rows.total_bounds
    extent = ET.SubElement(canvas, "extent")
    for name, value in (("xmin", west), ("ymin", south), ("xmax", east), ("ymax", north)):
        ET.SubElement(extent, name).text = f"{value:.3f}"
    ET.SubElement(canvas, "rotation").text = "0"
    ET.SubElement(canvas, "destinationsrs").append(_crs(study.crs, context.crs.to_wkt()))
    listed = ET.SubElement(root, "projectlayers")
    for name, shown in ORDER:
        if name not in styles:
            continue
        key, source, title = f"{name}_layer", f"./{gpkg}|layername={name}", words(f"qg_{name}")
        check = "Qt::Checked" if shown else "Qt::Unchecked"
        entry = {"id": key, "name": title, "source": source, "providerKey": "ogr", "checked": check, "expanded": "0"}
        ET.SubElement(tree, "layer-tree-layer", entry)
        listed.append(_layer(key, title, source, layers[name], styles[name]))
    properties = ET.SubElement(root, "properties")
    ET.SubElement(ET.SubElement(properties, "Paths"), "Absolute", {"type": "bool"}).text = "false"
    note = ET.SubElement(ET.SubElement(root, "projectMetadata"), "abstract")
    note.text = clean_text(" ".join([context.warning(), words("fact_osm")]).strip())
    return xml_text(root)


def _crs(name: str, wkt: str) -> ET.Element:
    top = ET.Element("spatialrefsys", {"nativeFormat": "Wkt"})
    ET.SubElement(top, "wkt").text = wkt
    ET.SubElement(top, "authid").text = name
    return top


def _layer(key: str, title: str, source: str, frame: gpd.GeoDataFrame, style: Style) -> ET.Element:
    from pyproj import CRS

    kinds = {"fill": "Polygon", "line": "Line", "marker": "Point"}
    geometry = kinds[style.rules[0].symbol.kind]
    attributes = {"type": "vector", "geometry": geometry, "labelsEnabled": "1" if style.label else "0"}
    layer = ET.Element("maplayer", {**attributes, "hasScaleBasedVisibilityFlag": "0", "autoRefreshEnabled": "0"})
    ET.SubElement(layer, "id").text = key
    ET.SubElement(layer, "datasource").text = source
    ET.SubElement(layer, "layername").text = title
    ET.SubElement(layer, "srs").append(_crs("EPSG:4326", CRS.from_epsg(4326).to_wkt()))
    ET.SubElement(layer, "provider", {"encoding": "UTF-8"}).text = "ogr"
    layer.extend(style_elements(style))
    ET.SubElement(layer, "title").text = f"{title} (n = {len(frame):,})"
    return layer


def write_qgis(
    results: Results, layers: Mapping[str, gpd.GeoDataFrame], out: Staging, folder: str, *, gpkg: str = "layers.gpkg"
) -> None:
    """Write the layers of a run as a GeoPackage with styles, and a QGIS project beside it.

    Parameters
    ----------
    results : Results
        A run.
    layers : mapping
        What the GeoPackage shall hold.
    out : Staging
        Where outputs are gathered.
    folder : str
        Key of the folder in `out`.
    gpkg : str
        Name of the GeoPackage; the project is called as the study.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    path = out.path(folder, gpkg)
    write_gpkg(layers, path)
    styles = layer_styles(results, layers)
    write_layer_styles(styles, path)
    project = out.path(folder, f"{results.study.id}.qgs")
    text = project_xml(results, layers, styles, gpkg=gpkg)
    project.write_text(text, encoding="utf-8", newline="\n")
