"""A small map beside each element of the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.output.maps.policy_links import element_service
from bishan_gis.output.static_sheet import patches
from bishan_gis.output.tokens import BASEMAP, CONTROL_LINES, GAP, INK, REACH, ROAD_CLASSES, SPACES, UNKNOWN
from bishan_gis.planning.indicator_land import URBAN, built_land
from bishan_gis.planning.policy_land import HOMES, JOBS, land_spaces
from bishan_gis.planning.zone_sums import ZoneSums
from bishan_gis.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bishan_gis.output.report.source import Source

__all__ = ["element_map", "small_map"]

_WIDTH_MM, _TALLEST_MM = 25.0, 52.0
#: Data sets of one row, where an element is about them and not about a place.
_A_ROW = 4
_KIND_COLORS = dict(zip(KINDS, (REACH[0], REACH[-1], SPACES["production"], GAP), strict=True))
_LAND = {"spaces": "spaces", "land_balance": "balance", "outside_line": "built", "ecology": "ecology"}


def small_map(source: Source, function: str, meant: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the small map of an element shows: ``key, what, service, limit, title, caption``; empty for none.

    Parameters
    ----------
    source : Source
        The run.
    function : str
        Function that evaluated the element, without its module.
    meant : mapping
        Standard that decided: ``service, indicator, value``; empty where there is none.
    """
    w, results, service = source.words, source.results, element_service(source.context, function, meant)
    if function in _LAND:
        if results.landuse is None or (function in ("outside_line", "ecology") and results.control_lines is None):
            return {}
        return _named(source, _LAND[function], "", 0.0, w(f"small_{_LAND[function]}"))
    if function == "datasets":
        kinds = [d.kind for d in results.datasets]
        return _named(source, "datasets", "", 0.0, w("small_datasets", **{k: kinds.count(k) for k in KINDS}))
    if function == "street_measures":
        return _named(source, "roads", "", 0.0, w("small_roads"))
    if not service:
        return {}
    name = source.name(service)
    if meant.get("indicator") == "drive_min":
        found = _fire(source) if service == "fire_station" else None
        return {} if found is None else _named(source, "fire", service, found[1], w("small_fire", n=f"{found[1]:g}"))
    if meant.get("indicator") == "radius_m":
        radius = float(meant["value"])
        return _named(source, "radius", service, radius, w("small_radius", service=name, n=f"{radius:,.0f}"))
    level = source.context.shown(service)
    return _named(source, "walk", service, level, w("small_walk", service=name, n=f"{level:g}"))


def _named(source: Source, what: str, service: str, limit: float, caption: str) -> dict[str, Any]:
    key = "_".join(v for v in ("element", what, service, f"{limit:g}" if service else "") if v)
    title = source.words("small_title", what=caption.split(source.words("small_mark"))[0])
    return {"key": key, "what": what, "service": service, "limit": limit, "title": title, "caption": caption}


def element_map(source: Source, what: str, *, service: str = "", limit: float = 0.0) -> Figure:
    """Draw the small map of an element, without words: its caption says what the colours are.

    Parameters
    ----------
    source : Source
        The run.
    what : {"walk", "radius", "fire", "spaces", "balance", "built", "ecology", "roads", "datasets"}
        What is shown; ``datasets`` is a square for each.
    service : str
        Service of the first three.
    limit : float
        Minutes on foot, metres, minutes by fire engine.

    Returns
    -------
    matplotlib.figure.Figure
        In the working CRS.
    """
    from matplotlib.figure import Figure

    if what == "datasets":
        return _squares([d.kind for d in source.results.datasets])
    rows = source.context.zone_rows
    west, south, east, north = (float(v) for v in rows.geometry.iloc[[source.district]].total_bounds)
    m_per_mm = max((east - west) / (_WIDTH_MM - 1), (north - south) / (_TALLEST_MM - 1))
    half, high = _WIDTH_MM * m_per_mm / 2, (north - south) + m_per_mm
    figure = Figure(figsize=(_WIDTH_MM / 25.4, high / m_per_mm / 25.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    middle = (west + east) / 2
    axes.set(xlim=(middle - half, middle + half), ylim=(south - m_per_mm / 2, north + m_per_mm / 2))
    if what in ("walk", "radius", "fire"):
        _fill(axes, rows.geometry.iloc[[source.district]].to_numpy(), BASEMAP["green"])
        state = _states(source, what, service, limit)
        shapes = source.results.cells.geometry.to_numpy()
        for i, color in enumerate((REACH[0], GAP, UNKNOWN)):
            _fill(axes, shapes[state == i], color)
    elif what == "roads":
        _roads(axes, source)
    else:
        _land(axes, source, what)
    for kind, color, width in (("township", BASEMAP["township"], 0.25), ("district", INK["ink"], 0.5)):
        _outline(axes, rows.geometry.iloc[source.zones(kind)].to_numpy(), color, width)
    return figure


def _squares(kinds: list[str]) -> Figure:
    """Draw a square for each data set, observed ones first."""
    import shapely
    from matplotlib.figure import Figure

    lines = -(-len(kinds) // _A_ROW)
    figure = Figure(figsize=(_WIDTH_MM / 25.4, lines * _WIDTH_MM / _A_ROW / 25.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, _A_ROW), ylim=(-lines, 0))
    for i, kind in enumerate(sorted(kinds, key=KINDS.index)):
        x, y = i % _A_ROW, -(i // _A_ROW)
        _fill(axes, np.array([shapely.box(x + 0.06, y - 0.94, x + 0.94, y - 0.06)]), _KIND_COLORS[kind])
    return figure


def _states(source: Source, what: str, service: str, limit: float) -> NDArray[np.int64]:
    """Return 0 (within), 1 (beyond), 2 (cannot be told) of each cell."""
    results = source.results
    if what == "radius":
        return np.where(ZoneSums.of(results).within_m(service, limit), 0, 1).astype(np.int64)
    if what == "fire":
        found = _fire(source)
        table: Any = None if found is None else found[0]
    else:
        table = results.access[(results.access["service"] == service) & (results.access["measure"] == "nearest")]
    if table is None:
        return np.full(len(results.cells), 2, dtype=np.int64)
    rows = table.set_index("origin_id").reindex(results.cells["cell_id"])
    value, leaves = rows["value"].to_numpy(float), rows["unknown_from_s"].to_numpy(float, copy=True)
    leaves[rows["status"].isin(["off_network", "unknown"]).to_numpy()] = 0
    inside = value <= limit * 60
    return np.where(inside, 0, np.where(leaves <= limit * 60, 2, 1)).astype(np.int64)


def _fire(source: Source) -> tuple[pd.DataFrame, float] | None:
    """Return the rows of the measure of fire engines, and its minutes."""
    from bishan_gis.output.maps.shelters_page import fire_measure

    measure = fire_measure(source.context)
    if measure is None:
        return None
    rows: Any = source.results.measures
    rows = rows[rows["measure_name"] == measure.name]
    limit = float(rows["cutoff_s"].min())
    return rows[rows["cutoff_s"] == limit], limit / 60


def _land(axes: Axes, source: Source, what: str) -> None:
    """Draw land use by what it is for, or inside and outside a control line."""
    import shapely

    results = source.results
    land: Any = results.landuse
    lines: Any = results.control_lines
    shapes, code = land.geometry.to_numpy(), land["code"].astype(str)
    if what == "spaces":
        of = land_spaces(code).to_numpy()
        for space, color in SPACES.items():
            _fill(axes, shapes[of == space], color)
        return
    if what == "balance":
        _fill(axes, shapes[code.str.startswith(HOMES).to_numpy()], SPACES["living"])
        _fill(axes, shapes[code.str.startswith(JOBS).to_numpy()], SPACES["production"])
        return
    name = URBAN if what == "built" else "生态保护红线"
    mine = lines[lines["line_type"] == name].geometry.to_numpy()
    color = next(c for word, c, _ in CONTROL_LINES if word in name)
    if what == "built":
        built = built_land(ZoneSums.of(results), rural=True)
        _fill(axes, np.array([]) if built is None else built.geometry.to_numpy(), GAP)
        whole = shapely.union_all(shapely.make_valid(mine))
        inside = [] if built is None else shapely.intersection(shapely.make_valid(built.geometry.to_numpy()), whole)
        _fill(axes, np.asarray(inside, dtype=object), UNKNOWN)
    else:
        _fill(axes, mine, SPACES["ecology"])
    _outline(axes, mine, color, 0.5)


def _roads(axes: Axes, source: Source) -> None:
    """Draw the streets that cars use, and the line their length is counted in."""
    from matplotlib.collections import LineCollection

    edges = source.results.network.edges
    kind = edges["highway"].map(lambda v: ROAD_CLASSES.get(str(v), 3)).to_numpy()
    for level, width in ((2, 0.12), (1, 0.3), (0, 0.55)):
        parts = [np.asarray(g.coords)[:, :2] for g in edges.geometry.to_numpy()[kind == level]]
        axes.add_collection(LineCollection(parts, colors=INK["muted"] if level else INK["ink"], linewidths=width))
    lines = source.results.control_lines
    if lines is not None:
        color = next(c for word, c, _ in CONTROL_LINES if word in URBAN)
        _outline(axes, lines[lines["line_type"] == URBAN].geometry.to_numpy(), color, 0.5)


def _fill(axes: Axes, shapes: NDArray[Any], color: str) -> None:
    from matplotlib.collections import PathCollection

    if len(shapes):
        axes.add_collection(PathCollection(patches(shapes)[0], facecolors=color, edgecolors=color, linewidths=0.05))


def _outline(axes: Axes, shapes: NDArray[Any], color: str, width: float) -> None:
    from matplotlib.collections import PathCollection

    if len(shapes):
        axes.add_collection(PathCollection(patches(shapes)[0], facecolors="none", edgecolors=color, linewidths=width))
