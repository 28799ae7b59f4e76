"""The page of a comparison: who gains and who loses, before beside after."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.output.maps.context import Context, whole
from bishan_gis.output.maps.elements import PackedCells, PackedData, PackedLayer, PackedPoints
from bishan_gis.output.maps.findings import SCRIPTS, STYLES
from bishan_gis.output.maps.layers import basemap_layers, ordered_cells, place_layer, zone_layers
from bishan_gis.output.maps.page import map_page
from bishan_gis.planning.comparison import coverage_at
from bishan_gis.schema import KINDS, STATUS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.output.maps.pack import Column
    from bishan_gis.planning.comparison import Comparison
    from bishan_gis.results import Results
    from bishan_gis.study import Study
    from bishan_gis.study_settings import Reach

__all__ = ["PackedChanges", "PackedSwipe", "compare_page"]

_COUNTS = ("people", "people_covered", "people_unknown")
_MOVES = ("people_gain", "people_gain_unknown", "people_lose", "people_lose_unknown")
_TIMES = ("people_sooner", "people_later", "people_found", "people_lost")
#: What became of a facility, in the order of the codes.
_FATES = ("kept", "added", "closed", "moved", "from")


class PackedSwipe(PackedCells):
    """Cells that are drawn in two states, left and right of a line."""

    _script_class = "Swipe"


class PackedChanges(PackedPoints):
    """Facilities by what became of them; column ``fate``."""

    _script_class = "Changes"


def _services(base: Results, other: Results, found: Comparison) -> pd.DataFrame:
    """Return the classes of the services that differ; the first of the page where none does."""
    pooled = pd.concat([other.services, base.services])
    pooled = pooled[~pooled.index.duplicated()]
    differ = {*found.coverage["service"], *found.times["service"], *found.cells["service"], *found.capacity["service"]}
    differ |= {s for names in found.measures["services"] for s in str(names).split("+")}
    mine = pooled[pooled.index.isin(differ)]
    return mine if len(mine) else pooled.head(1)


def _cells(base: Results, other: Results) -> gpd.GeoDataFrame:
    """Return the cells of both runs, in the order of every page."""
    more = base.cells[~base.cells["cell_id"].isin(set(other.cells["cell_id"]))]
    frame = pd.concat([other.cells, more], ignore_index=True) if len(more) else other.cells
    return ordered_cells(frame)


def _people(run: Results, ids: pd.Index, columns: list[str]) -> NDArray[np.int64]:
    table = run.cells.set_index("cell_id")[columns].reindex(ids, fill_value=0)
    return np.asarray(table.to_numpy(np.int64).T)


def _seconds(values: Any) -> NDArray[np.int64]:
    number = np.asarray(values, dtype=float)
    known = np.isfinite(number)
    return np.where(known, np.ceil(np.where(known, number, 0)), -1).astype(np.int64)


def _times(run: Results, ids: pd.Index, services: list[str]) -> dict[str, NDArray[np.int64]]:
    """Return seconds, where the data ends, and status of every service and cell; of an absent service nobody's."""
    n = len(ids)
    out = {k: np.full((len(services), n), -1, dtype=np.int64) for k in ("t", "u", "st")}
    out["st"][:] = STATUS.index("unknown")
    first = run.access[run.access["service"] == run.access["service"].iloc[0]].set_index("origin_id").reindex(ids)
    for i, service in enumerate(services):
        rows = run.access[run.access["service"] == service]
        rows = (
            rows.set_index("origin_id").reindex(ids) if len(rows) else first.assign(value=np.nan, status="unreachable")
        )
        off = ((rows["status"] == "off_network") | (first["status"] == "off_network")).to_numpy()
        out["t"][i] = _seconds(rows["value"])
        out["u"][i] = np.where(off, 0, _seconds(rows["unknown_from_s"]))
        out["st"][i] = pd.Index(STATUS).get_indexer(
            pd.Index(rows["status"].where(~off, "off_network").fillna("unknown"))
        )
    return out


def _table(context: Context, base: Results, other: Results, found: Comparison, services: list[str]) -> dict[str, Any]:
    """Return the numbers of every zone, service, cutoff and age group: before, after, and who moves."""
    rank = {"zone": context.zone_index, "service": services, "cutoff": context.cutoffs, "age": context.ages}
    shape = (len(context.zone_rows), len(services), len(context.cutoffs), len(context.ages))
    counts = np.zeros((*shape, 2 * len(_COUNTS) + len(_MOVES)), dtype=np.int64)

    def places(table: pd.DataFrame) -> tuple[list[NDArray[Any]], NDArray[np.bool_]]:
        pairs = zip(table["zone_kind"], table["zone_id"].astype(str), strict=True)
        at = [np.array([rank["zone"].get(p, -1) for p in pairs], dtype=np.int64)]  # type: ignore[attr-defined]
        at += [pd.Index(services).get_indexer(pd.Index(table["service"]))]
        if "cutoff_min" in table.columns:
            at += [pd.Index(context.cutoffs).get_indexer(pd.Index(table["cutoff_min"].astype(float)))]
        at += [pd.Index(context.ages).get_indexer(pd.Index(table["age_group"]))]
        return at, np.all([a >= 0 for a in at], axis=0)

    for run in (base, other):
        table = coverage_at(run, services, context.cutoffs)
        at, use = places(table)
        same = table.loc[use, list(_COUNTS)].to_numpy(np.int64)
        counts[tuple(a[use] for a in at)] = np.hstack([same, same, np.zeros((len(same), len(_MOVES)), dtype=np.int64)])
    at, use = places(found.coverage)
    wanted = [f"{c}_{w}" for w in ("before", "after") for c in _COUNTS] + list(_MOVES)
    counts[tuple(a[use] for a in at)] = found.coverage.loc[use, wanted].to_numpy(np.int64)
    times = np.zeros((shape[0], shape[1], shape[3], len(_TIMES) + 1), dtype=np.int64)
    at, use = places(found.times)
    rows = found.times.loc[use]
    change = np.rint(rows["mean_change_s"].fillna(0).to_numpy(float) * 10).astype(np.int64)
    times[tuple(a[use] for a in at)] = np.column_stack([rows[list(_TIMES)].to_numpy(np.int64), change])
    return {"counts": ("vi", counts), "times": ("vi", times)}


def _facilities(context: Context, base: Results, other: Results, services: list[str]) -> PackedChanges:
    """Return the facilities of these services in both runs, and what became of each."""
    was, now = (r.facilities[r.facilities["service"].isin(services)].set_index("facility_id") for r in (base, other))
    both = now.index.intersection(was.index)
    apart = np.hypot(now.loc[both, "x"] - was.loc[both, "x"], now.loc[both, "y"] - was.loc[both, "y"]).to_numpy() > 0.5
    moved = set(both[apart])
    fate = ["moved" if i in moved else "kept" if i in was.index else "added" for i in now.index]
    gone = was[~was.index.isin(now.index) | was.index.isin(moved)]
    fate += ["from" if i in moved else "closed" for i in gone.index]
    every = pd.concat([now, gone])
    sources = list(dict.fromkeys(every["source"].astype(str)))
    capacity = pd.to_numeric(every["capacity"], errors="coerce").fillna(-1).clip(upper=2**29)
    extra: dict[str, Column] = {
        "s": ("vi", pd.Index(services).get_indexer(every["service"])),
        "zone": ("vi", context.zone_of("township", every["zone_id"])),
        "dir": ("vi", context.zone_of("direction", every["direction"])),
        "kind": ("u8", pd.Index(KINDS).get_indexer(every["kind"])),
        "capacity": ("vi", np.rint(capacity.to_numpy(float))),
        "source": ("vi", pd.Index(sources).get_indexer(every["source"].astype(str))),
        "sources": ("js", sources),
        "names": ("js", [n if isinstance(n, str) else "" for n in every["name"]]),
        "fate": ("u8", [_FATES.index(f) for f in fate]),
    }
    return PackedChanges(every["x"].to_numpy(float), every["y"].to_numpy(float), context.crs, extra=extra, z=52)


def _supply(context: Context, found: Comparison) -> list[dict[str, Any]]:
    """Return what changes beside walking times, zone by zone: measures of the study, facilities and their places."""
    at = context.zone_index
    out: list[dict[str, Any]] = []

    def add(row: Mapping[Any, Any], name: str, before: float, after: float, unit: str, services: str) -> None:
        pair = [None if np.isnan(v) else float(v) for v in (before, after)]
        zone = at.get((row["zone_kind"], str(row["zone_id"])), -1)
        known = {"zone": zone, "kind": row["zone_kind"], "name": name, "unit": unit, "services": services.split("+")}
        out.append({**known, "before": pair[0], "after": pair[1]})

    for row in found.measures.to_dict("records"):
        minutes = f" ≤ {row['cutoff_s'] / 60:g}" if row["cutoff_s"] > 0 else ""
        value = [float(row[f"measure_value_{side}"]) for side in ("before", "after")]
        add(row, f"{row['label']}{minutes}", value[0], value[1], str(row["unit"]), str(row["services"]))
    for key, unit in (("facilities", "places"), ("capacity", "capacity")):
        for row in found.capacity[found.capacity[f"{key}_change"] != 0].to_dict("records"):
            word = context.labels(f"cpr_{unit}")
            add(row, word, float(row[f"{key}_before"]), float(row[f"{key}_after"]), "", str(row["service"]))
    return out


def _known(
    context: Context, classes: pd.DataFrame, facilities: pd.DataFrame, levels: Mapping[str, float]
) -> list[dict[str, Any]]:
    english = context.labels.lang == "en"
    out = []
    for key, row in classes.iterrows():
        level = float(levels.get(str(key), row["level"]))
        inside = facilities[(facilities["service"] == key) & (facilities["zone_id"].fillna("") != "")]
        out.append(
            {
                "key": str(key),
                "name": str(row["en" if english else "zh"] or key),
                "group": context.labels.get(f"group_{row['group']}", str(row["group"])),
                "level": whole(level if level > 0 else context.cutoffs[-1]),
                "radius": None if pd.isna(row["radius_m"]) else float(row["radius_m"]),
                "standard": context.cite(str(row["standard"] or "")),
                "clause": context.cite(str(row["clause"] or "")),
                "tag": str(row["tag"] or ""),
                "judged": True,
                "weight": 1,
                "n": len(inside),
            }
        )
    return out


def _same_file(run: Results, reach: Reach) -> Study:
    """Return the study of a run with other cutoffs; a copy of settings does not know its file."""
    study = run.study.model_copy(update={"reach": reach})
    study._file = run.study.file
    return study


def compare_page(base: Results, other: Results, found: Comparison, *, pages: Sequence[str] = ()) -> str:
    """Return the page of a comparison.

    Parameters
    ----------
    base, other : Results
        Before and after.
    found : Comparison
        Of :func:`bishan_gis.planning.comparison.compare` for these runs.
    pages : sequence of str
        Keys of the pages of the study that stand in the same folder, and are linked.

    Returns
    -------
    str
        HTML text, whole in one file.
    """
    # Cutoffs of the study, and the levels of the services that lie between them.
    reach = other.study.reach.model_copy(update={"cutoffs_min": list(found.cutoffs_min)})
    context = Context(replace(other, study=_same_file(other, reach)))
    context.pages[:] = [*pages, "compare"]
    classes = _services(base, other, found)
    services = [str(s) for s in classes.index]
    cells = _cells(base, other)
    ids = pd.Index(cells["cell_id"])
    sides = [_times(run, ids, services) for run in (base, other)]
    parts = context.parts
    crowd = [_people(run, ids, ["people"])[0] for run in (base, other)]
    some = [_people(run, ids, parts) if parts else np.zeros((0, len(ids)), dtype=np.int64) for run in (base, other)]
    extra: dict[str, Column] = {
        "zone": ("dv", context.zone_of("township", cells["zone_id"])),
        "dir": ("dv", context.zone_of("direction", cells["direction"])),
        "all": ("vi", crowd[1]),
        "all0": ("vi", crowd[0] - crowd[1]),
        "p": ("vi", some[1]),
        "p0": ("vi", some[0] - some[1]),
        "t": ("dv", sides[1]["t"]),
        "t0": ("vi", sides[0]["t"] - sides[1]["t"]),
        "u": ("dv", sides[1]["u"]),
        "u0": ("vi", sides[0]["u"] - sides[1]["u"]),
        "st": ("u8", sides[1]["st"]),
        "st0": ("u8", sides[0]["st"]),
        "f": ("vi", np.full(len(services) * len(ids), -1)),
    }
    layers: dict[str, PackedLayer] = {
        **basemap_layers(context),
        **zone_layers(context),
        "places": place_layer(context),
        "facilities": _facilities(context, base, other, services),
        "cells": PackedSwipe(cells.geometry.to_numpy(), context.crs, classes=[], extra=extra, z=30),
        "table": PackedData(_table(context, base, other, found, services)),
    }
    gains = found.summary().groupby("service")["people_gain"].max() if len(found.coverage) else pd.Series(dtype=float)
    first = str(gains.idxmax()) if len(gains) and str(gains.idxmax()) in services else services[0]
    known = _known(context, classes, other.facilities, found.levels_min)
    state = {"service": first, "cutoff": str(known[services.index(first)]["level"]), "age": context.ages[0]}
    config = {
        "state": {**state, "view": "change", "split": ""},
        "services": known,
        "before": found.before,
        "after": found.after,
        "empty": found.empty,
        "fates": list(_FATES),
        "supply": _supply(context, found),
        "families": [],
    }
    switches = [
        ("cells", True, ("cells",)),
        ("facilities", True, ("facilities",)),
        ("names", True, ("names",)),
        ("boundaries", True, ("boundaries", "outside", "zones")),
        ("streets", not context.tiles, ("streets",)),
        ("green", not context.tiles, ("green", "water")),
    ]
    return map_page(context, "compare", layers, switches=switches, config=config, scripts=SCRIPTS, styles=STYLES)
