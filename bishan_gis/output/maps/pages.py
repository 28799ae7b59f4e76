"""The three map pages: which layers they hold and what their scripts are told."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.crs import areas_km2
from bishan_gis.output.maps.context import Context, whole
from bishan_gis.output.maps.elements import PackedData, PackedLayer, PackedPolygons, PackedRings
from bishan_gis.output.maps.layers import (
    basemap_layers,
    cell_layer,
    circle_layer,
    facility_layer,
    place_layer,
    zone_layers,
)
from bishan_gis.output.maps.page import map_page
from bishan_gis.output.maps.villages import village_layer, village_zones
from bishan_gis.output.tokens import CONTROL_LINES, FONT

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Switch",
    "base_layers",
    "coverage_page",
    "district_page",
    "land_class",
    "land_name",
    "landuse_classes",
    "legend_classes",
    "nearest_page",
]

Switch = tuple[str, bool, tuple[str, ...]]


@cache
def landuse_classes() -> dict[str, dict[str, str]]:
    """Return the land-use classes by code: ``name, name_en, color, level, legend, hatch``."""
    text = (files("bishan_gis") / "data" / "landuse_classes.csv").read_text(encoding="utf-8")
    return {row["code"]: row for row in csv.DictReader(text.splitlines())}


def land_class(code: str) -> dict[str, str] | None:
    """Return the class of a code, or of the class above it that is known."""
    known = landuse_classes()
    return next((known[code[:n]] for n in range(len(code), 1, -1) if code[:n] in known), None)


def land_name(code: str, lang: str) -> str:
    """Return a code of land with what its class is called; a code that is not known stands alone."""
    known = land_class(code) or {}
    return f"{code} {known.get('name_en' if lang == 'en' else 'name', '')}".rstrip()


def base_layers(context: Context) -> tuple[dict[str, PackedLayer], list[Switch]]:
    """Return what lies under every page, and its entries in the layer list; the cells are made, and left out."""
    if not context.layers:
        context.layers.update(basemap_layers(context) | zone_layers(context))
        context.layers.update(facilities=facility_layer(context), places=place_layer(context))
        context.layers["cells"] = cell_layer(context)
    layers = {key: layer for key, layer in context.layers.items() if key != "cells"}
    own = not context.tiles
    return layers, [
        ("names", True, ("names",)),
        ("boundaries", True, ("boundaries", "outside", "zones")),
        ("streets", own, ("streets",)),
        ("green", own, ("green", "water")),
    ]


def coverage_page(context: Context) -> str:
    """Return the page of who is covered: service, cutoff and age group to choose."""
    results = context.results
    layers, base = base_layers(context)
    numbers = context.numbers
    service_cut = pd.MultiIndex.from_product([context.services.index, context.cutoffs])
    circles = results.circles
    at = service_cut.get_indexer(pd.MultiIndex.from_arrays([circles["service"], circles["cutoff_min"].astype(float)]))
    circle = np.full((len(service_cut), 2), -1, dtype=np.int64)
    circle[at[at >= 0], 0] = circles["people"].to_numpy()[at >= 0]
    circle[at[at >= 0], 1] = np.rint(circles["area_km2"].to_numpy(float)[at >= 0] * 100)
    radii = [float(r) for r in results.study.reach.circles_m]
    service_radius = pd.MultiIndex.from_product([context.services.index, radii])
    table = results.radii
    at = service_radius.get_indexer(pd.MultiIndex.from_arrays([table["service"], table["radius_m"].astype(float)]))
    radius = np.full(len(service_radius), -1, dtype=np.int64)
    radius[at[at >= 0]] = table["people"].to_numpy()[at >= 0]
    layers |= {
        "cells": context.layers["cells"],
        "circles": circle_layer(context),
        "rings": PackedRings({}, z=35),
        "table": PackedData(
            {
                "people": ("dv", numbers[..., 0]),
                "covered": ("dv", numbers[..., 1]),
                "unknown": ("vi", numbers[..., 2]),
                "circle": ("vi", circle),
                "radius": ("vi", radius),
            }
        ),
    }
    switches: list[Switch] = [
        ("cells", True, ("cells",)),
        ("circles", True, ("circles",)),
        ("rings", False, ("rings",)),
        ("facilities", True, ("facilities",)),
        *base,
    ]
    first = context.default_service
    state = {"service": first, "cutoff": str(whole(context.shown(first))), "age": context.ages[0]}
    if len(village_zones(context)):
        layers["villages"] = village_layer(context)
        switches.insert(4, ("villages", True, ("villages",)))
        state |= {"level": "township", "village": ""}
    config = {"state": state, "radii": [whole(r) for r in radii]}
    return map_page(context, "coverage", layers, switches=switches, config=config)


def nearest_page(context: Context) -> str:
    """Return the page of minutes to the nearest facility."""
    layers, base = base_layers(context)
    layers["cells"] = context.layers["cells"]
    switches: list[Switch] = [("cells", True, ("cells",)), ("facilities", True, ("facilities",)), *base]
    state = {"service": context.default_service, "age": context.ages[0]}
    return map_page(context, "nearest", layers, switches=switches, config={"state": state})


def _landuse(context: Context) -> tuple[PackedPolygons, list[dict[str, Any]]]:
    frame = context.results.landuse
    codes = frame["code"].astype(str).to_numpy()
    found = [land_class(c) for c in codes]
    legend_name = np.array([f["legend"] if f else codes[i] for i, f in enumerate(found)], dtype=object)
    area = areas_km2(frame)
    rows: list[dict[str, Any]] = []
    of = np.zeros(len(frame), dtype=np.int64)
    first = {name: min(codes[legend_name == name]) for name in dict.fromkeys(legend_name)}
    order = sorted(first, key=first.__getitem__)
    groups = [sorted(set(codes[legend_name == name])) for name in order]
    named = legend_classes(groups, context.labels.lang)
    for i, name in enumerate(order):
        mine = legend_name == name
        known = found[int(np.flatnonzero(mine)[0])]
        code, official, rest = named[i]
        official = official or str(name)
        rows.append(
            {
                "code": code,
                "name": context.labels("landuse_rest", name=official) if rest else official,
                "fill": known["color"] if known else "#eeeeee",
                "hatch": known["hatch"] if known else "x",
                "area": round(float(area[mine].sum()), 4),
            }
        )
        of[mine] = i
    names = frame["name"] if "name" in frame.columns else [""] * len(frame)
    texts = [f"{c} {_text_name(n, c, context.labels.lang)}".rstrip() for c, n in zip(codes, names, strict=True)]
    words = list(dict.fromkeys(texts))
    extra = {
        "c": ("u8", np.minimum(of, 255)),
        "code": ("vi", pd.Index(words).get_indexer(pd.Index(texts))),
        "codes": ("js", words),
    }
    classes = [
        {"fill": r["fill"], "hatch": r["hatch"], "stroke": "rgba(0,0,0,.18)", "width": 0.5, "code": r["code"]}
        for r in rows
    ]
    layer = PackedPolygons(
        frame.geometry.to_numpy(), context.crs, classes=classes, extra=extra, simplify_m=2, z=10, font=FONT
    )
    return layer, rows


def _text_name(name: Any, code: str, lang: str) -> str:
    known = land_class(code)
    if known and lang == "en":
        return known["name_en"]
    return name if isinstance(name, str) and name else (known["name"] if known else "")


def legend_classes(groups: Sequence[Sequence[str]], lang: str = "zh") -> list[tuple[str, str, bool]]:
    """Return code, name, and whether it is only the rest, of each group of codes that share a colour.

    A group of one code has that class's own name; of more, the nearest class above all of them. It is the rest where
    another group has codes of that class, too.

    Parameters
    ----------
    groups : sequence of sequence of str
        Codes of 用地用海分类 (2023) of each group.
    lang : {"zh", "en"}
        Language of the name: the official one, or what it means in English.

    Examples
    --------
    >>> legend_classes([["0201"], ["070101", "070102"]])
    [('0201', '果园', False), ('0701', '城镇住宅用地', False)]
    >>> legend_classes([["1201", "1208"], ["1207"]])
    [('12', '交通运输用地', True), ('1207', '城镇村道路用地', False)]
    """
    known, column = landuse_classes(), "name_en" if lang == "en" else "name"
    out = []
    for i, group in enumerate(groups):
        code = min(group)
        while code and not all(c.startswith(code) for c in group):
            code = code[:-2]
        rest = len(group) > 1 and any(c.startswith(code) for k, g in enumerate(groups) if k != i for c in g)
        out.append((code, known[code][column] if code in known else "", rest and code in known))
    return out


def _control(context: Context) -> tuple[PackedPolygons, list[dict[str, Any]]]:
    frame = context.results.control_lines
    types = frame["line_type"].astype(str)
    area = areas_km2(frame)
    rows, classes = [], []
    for name in dict.fromkeys(types):
        _, color, dash = next(c for c in CONTROL_LINES if c[0] in name)
        said = context.labels.get(f"control_{name}", name)
        rows.append({"name": said, "stroke": color, "area": round(float(area[types == name].sum()), 4)})
        classes.append({"stroke": color, "width": 2, "dash": dash})
    extra = {"c": ("u8", pd.Index(types.unique()).get_indexer(types))}
    layer = PackedPolygons(frame.geometry.to_numpy(), context.crs, classes=classes, extra=extra, simplify_m=3, z=34)
    return layer, rows


def district_page(context: Context) -> str:
    """Return the page of directions, townships, land use, control lines and facilities."""
    results = context.results
    layers, base = base_layers(context)
    rows = context.zone_rows
    dirs = rows[rows["zone_kind"] == "direction"]
    layers["directions"] = PackedPolygons(
        dirs.geometry.to_numpy(),
        context.crs,
        classes=[{"fill": context.direction_colors[str(n)] + "30"} for n in dirs["name"]],
        extra={"c": ("u8", np.arange(len(dirs)))},
        simplify_m=3,
        z=7,
    )
    config: dict[str, Any] = {
        "state": {"service": ""},
        "landuse": [],
        "controlLines": [],
        "directionNote": context.direction_note,
    }
    switches: list[Switch] = [("facilities", True, ("facilities",)), ("directions", True, ("directions",))]
    if results.landuse is not None and len(results.landuse):
        layers["landuse"], config["landuse"] = _landuse(context)
        switches.append(("landuse", False, ("landuse",)))
    if results.control_lines is not None and len(results.control_lines):
        layers["control"], config["controlLines"] = _control(context)
        switches.append(("control", False, ("control",)))
    return map_page(context, "district", layers, switches=[*switches, *base], config=config)
