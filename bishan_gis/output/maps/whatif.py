"""The page of trials: a pin is dropped, a facility closed or moved, and the numbers follow at once.

The page carries what a search needs and a small engine (``assets/engine*.js``) that gives the milliseconds of
:func:`bishan_gis.access.nearest.nearest_cost`. What was tried is saved as a ``scenario.toml`` that
``bishan-gis compare`` reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import CrsError
from bishan_gis.output.maps.context import Context, whole
from bishan_gis.output.maps.elements import PackedCells, PackedData, PackedLayer
from bishan_gis.output.maps.findings import judged_services
from bishan_gis.output.maps.layers import ordered_cells
from bishan_gis.output.maps.page import map_page
from bishan_gis.output.maps.pages import base_layers
from bishan_gis.output.maps.whatif_pack import projection_of, snap_columns, street_columns
from bishan_gis.output.tokens import CHANGE, SITE

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.output.maps.pack import Column

__all__ = ["SCRIPTS", "STYLES", "engine_columns", "whatif_page", "whatif_problem"]

SCRIPTS = (
    "engine.js",
    "engine_search.js",
    "engine_ask.js",
    "scenario_file.js",
    "whatif_parts.js",
    "whatif_plan.js",
    "whatif_reach.js",
)
STYLES = ("whatif.css",)
#: Colours of what a pin changes: newly reached, no longer reached.
_GAINED, _LOST = CHANGE["gain"], "#67001f"
#: How far round the pin or the middle of the map a site is looked for, and how far apart those shown are [m].
_SUGGEST_M, _APART_M = 1000.0, 200.0


class PackedReached(PackedLayer):
    """The streets that are reached, drawn by the page; it has no data of its own."""

    _script_class = "Reached"


def whatif_problem(context: Context) -> tuple[str, str] | None:
    """Say why the page cannot be made for these results, in Chinese and English; None where it can.

    Parameters
    ----------
    context : Context
        What all pages share.
    """
    results = context.results
    network = results.network
    if getattr(results, "access_points", None) is None or network is None or not network.n_edges:
        return "结果中没有路网或出入口", "the results carry no streets or access points"
    if "scenario" in results.record:
        return "情景的结果不能再作为情景的起点", "these are results of a scenario, which no scenario starts from"
    if network.turns is not None and len(network.turns):
        return (
            "步行路网含禁止转向,浏览器引擎不支持",
            "the streets have forbidden turns, which the browser does not know",
        )
    try:
        projection_of(network)
    except CrsError as err:
        return err.message("zh"), err.message("en")
    return None


def _costs(context: Context) -> EdgeCosts:
    """Return what the streets cost who walks in the study."""
    from bishan_gis.network.costs import edge_costs, load_profile

    walk = context.results.study.walk
    return edge_costs(context.results.network, load_profile(walk.profile), slope=walk.slope)


def engine_columns(context: Context, cells: gpd.GeoDataFrame) -> dict[str, Column]:
    """Return all that the engine of the page works on.

    Parameters
    ----------
    context : Context
        What all pages share.
    cells : geopandas.GeoDataFrame
        Cells in the order of the page.

    Returns
    -------
    dict
        Columns of :func:`~bishan_gis.output.maps.whatif_pack.street_columns`, places of cells (``ce, cf, cl``) and of
        the doors of facilities (``do`` facility, ``de, df, dl``), ``ids`` of facilities.
    """
    from bishan_gis.network.snap import snap_points

    results, walk = context.results, context.results.study.walk
    costs = _costs(context)

    def snapped(table: Any, prefix: str) -> dict[str, Column]:
        snaps = snap_points(results.network, table["x"], table["y"], max_snap_m=walk.max_snap_m, usable=costs.usable)
        return snap_columns(prefix, costs, snaps)

    ids = pd.Index(context.facilities["facility_id"].astype(str))
    points = results.access_points
    owner = ids.get_indexer(points["facility_id"].astype(str))
    points = points[owner >= 0].assign(owner=owner[owner >= 0]).sort_values(["owner", "x", "y"], kind="stable")
    return {
        **street_columns(results.network, costs),
        **snapped(cells, "c"),
        "do": ("dv", points["owner"].to_numpy(np.int64)),
        **snapped(points, "d"),
        "ids": ("js", ids.tolist()),
    }


def _absent_services(context: Context) -> list[dict[str, Any]]:
    """Return the services that the study looks at and the data has nothing of: the first one may be put on the map."""
    from bishan_gis.places.classes import load_classes
    from bishan_gis.planning.standards import service_targets, study_standards

    study, t = context.results.study, context.labels
    own = study.raw(study.services.classes) if study.services.classes else None
    out: list[dict[str, Any]] = []
    asked = service_targets(study_standards(study)).set_index("service")["level_min"]
    for key, one in load_classes(own, include=study.services.include).items():
        if not one.studied or key in context.services.index:
            continue
        level = asked.get(key, float(one.level))
        group = t.get(f"group_{one.group}", one.group)
        row: dict[str, Any] = {"key": key, "name": one.label(t.lang), "group": group, "family": group}
        row |= {"level": whole(level) if level > 0 else None, "n": 0}
        row |= {"radius": one.radius_m, "tag": one.tag}
        row |= {"standard": context.cite(one.standard), "clause": context.cite(one.clause)}
        out.append({**row, "judged": False, "weight": 0})
    return out


def whatif_page(context: Context) -> str:
    """Return the page of trials; :func:`whatif_problem` has nothing against it."""
    results, study = context.results, context.results.study
    layers, base = base_layers(context)
    cells = ordered_cells(results.cells)
    extra: dict[str, Column] = {
        "zone": ("dv", context.zone_of("township", cells["zone_id"])),
        "dir": ("dv", context.zone_of("direction", cells["direction"])),
        "all": ("vi", cells["people"].to_numpy(np.int64)),
        "p": ("vi", cells[context.parts].to_numpy(np.int64).T if context.parts else []),
    }
    layers["cells"] = PackedCells(cells.geometry.to_numpy(), context.crs, classes=[], extra=extra, z=30)
    layers["reached"] = PackedReached({}, z=33)
    layers["engine"] = PackedData(engine_columns(context, cells))
    profile = _costs(context).profile
    west, south, east, north = results.facilities.total_bounds
    first = context.default_service
    config = {
        "state": {"service": first, "cutoff": str(whole(context.shown(first))), "age": context.ages[0], "tool": "look"},
        "services": judged_services(context) + _absent_services(context),
        "rules": {
            "maxSnap": float(study.walk.max_snap_m),
            "legKmh": float(profile.speed_kmh if profile.leg_kmh is None else profile.leg_kmh),
        },
        "suggest": {"radius": _SUGGEST_M, "apart": _APART_M, "count": 3},
        "ground": [float(west), float(south), float(east), float(north)],
        "colors": {"gained": _GAINED, "lost": _LOST, "site": SITE},
        "study": study.label(),
    }
    switches = [
        ("cells", True, ("cells",)),
        ("reached", True, ("reached",)),
        ("facilities", True, ("facilities",)),
        *base,
    ]
    return map_page(
        context, "whatif", layers, switches=switches, config=config, scripts=SCRIPTS, styles=STYLES, worker=True
    )
