"""The page of sites: which places a plan chose, whom they serve, who stays without, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.output.maps.elements import PackedData, PackedPoints
from bishan_gis.output.maps.findings import SCRIPTS, STYLES, cell_places, finding_layers, judged_services, number
from bishan_gis.output.maps.page import map_page
from bishan_gis.output.maps.pages import land_name
from bishan_gis.output.tokens import CHANGE, GAP, MISSING, REACH, UNKNOWN
from bishan_gis.output.words import site_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context
    from bishan_gis.output.maps.pack import Column
    from bishan_gis.planning.study_sites import StudySites

__all__ = ["CELL_COLORS", "CELL_STATES", "PackedSites", "plan_cells", "siting_page"]

#: What a plan says of a cell, in the order of the codes; those after ``new`` are reasons why people stay without.
CELL_STATES = (
    *("served", "new", "budget", "no_candidate", "capacity", "unreachable", "off_network", "unknown", "outside"),
)
#: Their colours, on the page and on the printed map.
CELL_COLORS = (REACH[-1], REACH[0], GAP, MISSING[2], MISSING[5], "#4d4d4d", UNKNOWN, UNKNOWN, CHANGE["same"])


class PackedSites(PackedPoints):
    """Candidates as small diamonds, chosen sites as numbered discs; column ``order`` (0: not chosen), ``why``."""

    _script_class = "Sites"


def plan_cells(found: StudySites, cells: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what a plan says of every cell.

    Parameters
    ----------
    found : StudySites
        A plan.
    cells : pandas.DataFrame
        ``cell_id``.

    Returns
    -------
    state, order : ndarray of int
        Position in :data:`CELL_STATES`; the order of the site that newly serves the cell, 0 where none does.
    """
    plan = found.plan
    ids = pd.Index(cells["cell_id"])
    state = np.zeros(len(ids), dtype=np.int64)
    order = np.zeros(len(ids), dtype=np.int64)
    chosen = dict(zip(plan.sites["candidate_id"], plan.sites["order"].astype(int), strict=True))
    at = ids.get_indexer(plan.assignment["demand_id"])
    state[at[at >= 0]] = CELL_STATES.index("new")
    order[at[at >= 0]] = [chosen[c] for c, i in zip(plan.assignment["candidate_id"], at, strict=True) if i >= 0]
    at = ids.get_indexer(plan.uncovered["demand_id"])
    code = pd.Index(CELL_STATES).get_indexer(pd.Index(plan.uncovered["reason"]))
    use = (at >= 0) & (code >= 0)
    state[at[use]], order[at[use]] = code[use], 0
    return state, order


def _inside(found: StudySites, context: Context) -> NDArray[np.bool_]:
    """Return which cells the plan is for."""
    cells, zone = context.results.cells, found.facts.get("zone")
    if not zone:
        return np.ones(len(cells), dtype=bool)
    zones = context.results.zones
    hit = zones[(zones["zone_id"].astype(str) == zone) | (zones["name"].astype(str) == zone)]
    if hit.empty:
        return np.ones(len(cells), dtype=bool)
    column = {"township": "zone_id"}.get(str(hit["zone_kind"].iloc[0]), str(hit["zone_kind"].iloc[0]))
    if column not in cells.columns:
        return np.ones(len(cells), dtype=bool)
    return np.asarray((cells[column].astype(str) == str(hit["zone_id"].iloc[0])).to_numpy(), dtype=bool)


def _facts(found: StudySites, context: Context) -> dict[str, Any]:
    f: Mapping[str, Any] = found.facts
    zone = f.get("zone")
    names = dict(zip(context.results.zones["zone_id"].astype(str), context.results.zones["name"], strict=True))
    return {
        "service": found.service,
        "name": str(f["service_en" if context.labels.lang == "en" else "service_zh"]),
        "s": int(context.services.index.get_indexer(pd.Index([found.service]))[0]),
        "zone": str(names.get(str(zone), zone)) if zone else "",
        "age": str(f["age_group"]),
        "ageName": context.age_name(str(f["age_group"])),
        "cutoff": number(f["cutoff_min"]),
        "model": str(f["model"]),
        "status": str(f["status"]),
        "kind": str(f["kind"]),
        "people": number(f["people"]),
        "new": number(f["people_new"]),
        "gap": number(f["gap"]),
        "cost": number(f["cost"]),
        "left": {str(k): number(v) for k, v in f["people_uncovered"].items()},
        "candidates": int(f["candidates"]),
        "rejected": {str(k): int(v) for k, v in f["rejected"].items()},
    }


def siting_page(context: Context) -> str:
    """Return the page of sites; the results carry at least one plan."""
    plans: list[StudySites] = context.results.findings.plans
    layers, base = finding_layers(context)
    cells = context.results.cells
    place = cell_places(context, cells["cell_id"])
    states: list[NDArray[np.int64]] = []
    orders: list[NDArray[np.int64]] = []
    frames: list[pd.DataFrame] = []
    for i, found in enumerate(plans):
        state, order = plan_cells(found, pd.DataFrame(cells[["cell_id"]]))
        state[~_inside(found, context)] = CELL_STATES.index("outside")
        for values, out in ((state, states), (order, orders)):
            row = np.zeros(len(cells), dtype=np.int64)
            row[place] = values
            out.append(row)
        gain = found.plan.sites[["candidate_id", "people_new", "people_total"]]
        place_of = {str(c["candidate_id"]): str(c[f"place_{context.labels.lang}"]) for c in found.facts["chosen"]}
        frame = pd.DataFrame(found.candidates).merge(gain, on="candidate_id", how="left").assign(plan=i)
        frames.append(frame.assign(place=[place_of.get(str(c), "") for c in frame["candidate_id"]]))
    sites = pd.concat(frames, ignore_index=True)
    land = [land_name(str(c), context.labels.lang) for c in sites["code"].fillna("")]
    land_names = list(dict.fromkeys(land))
    area = pd.to_numeric(sites["area_m2"], errors="coerce").fillna(-1).clip(upper=2**29)
    slope = pd.to_numeric(sites["slope"], errors="coerce").fillna(-1)
    reasons = list(dict.fromkeys(sites["reason_excluded"].astype(str)))
    extra: dict[str, Column] = {
        "plan": ("u8", sites["plan"]),
        "order": ("vi", sites["order"]),
        "why": ("u8", pd.Index(reasons).get_indexer(pd.Index(sites["reason_excluded"].astype(str)))),
        "reasons": ("js", reasons),
        "zone": ("vi", context.zone_of("township", sites["township"].astype(str))),
        "area": ("vi", np.rint(area.to_numpy(float))),
        "slope": ("vi", np.rint(slope.to_numpy(float) * 1000)),
        "new": ("vi", np.rint(sites["people_new"].fillna(0).to_numpy(float))),
        "total": ("vi", np.rint(sites["people_total"].fillna(0).to_numpy(float))),
        "land": ("vi", pd.Index(land_names).get_indexer(pd.Index(land))),
        "lands": ("js", land_names),
        "names": ("js", [site_name(str(i), context.labels.lang) for i in sites["candidate_id"]]),
        "places": ("js", sites["place"].tolist()),
    }
    layers["sites"] = PackedSites(sites["x"].to_numpy(), sites["y"].to_numpy(), context.crs, extra=extra, z=44)
    layers["plans"] = PackedData({"state": ("u8", np.concatenate(states)), "order": ("vi", np.concatenate(orders))})
    config = {
        "state": {"plan": "0"},
        "services": judged_services(context),
        "plans": [_facts(p, context) for p in plans],
        "cellStates": list(CELL_STATES),
        "cellFills": list(CELL_COLORS),
    }
    switches = [
        ("cells", True, ("cells", "outline")),
        ("sites", True, ("sites",)),
        ("facilities", True, ("facilities",)),
        *base,
    ]
    return map_page(context, "siting", layers, switches=switches, config=config, scripts=SCRIPTS, styles=STYLES)
