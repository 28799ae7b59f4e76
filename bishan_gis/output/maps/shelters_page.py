"""The page of safety: shelters against the people they are for, and whom a fire engine reaches in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.output.maps.elements import PackedData
from bishan_gis.output.maps.findings import SCRIPTS, STYLES, cell_places, finding_layers, judged_services, number, words
from bishan_gis.output.maps.page import map_page
from bishan_gis.output.words import tidy, unit_words
from bishan_gis.planning.indicators import evaluate_indicators
from bishan_gis.planning.standards import study_standards
from bishan_gis.planning.zone_sums import ZoneSums
from bishan_gis.schema import STATUS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context

__all__ = ["fire_measure", "has_safety", "shelters_page"]

SHELTER, FIRE = "shelter", "fire_station"
_PLACES = ("zone_kind", "zone_id")


def fire_measure(context: Context) -> Any:
    """Return the study's measure of the way from fire stations, or None."""
    results = context.results
    if getattr(results, "measures", None) is None or getattr(results, "zone_measures", None) is None:
        return None
    have = set(results.measures["measure_name"])
    for measure in results.study.measures:
        if measure.services == [FIRE] and measure.measure == "nearest_cost" and measure.name in have:
            return measure
    return None


def has_safety(context: Context) -> bool:
    """Whether there is anything to show."""
    return SHELTER in context.services.index or fire_measure(context) is not None


def _indicators(context: Context, sums: ZoneSums) -> list[dict[str, Any]]:
    """Return every standard of shelters and fire stations: what it asks for, what was found, or what is missing."""
    standards = study_standards(context.results.study)
    ids = standards.loc[standards["service"].isin([SHELTER, FIRE]), "id"].tolist()
    table = evaluate_indicators(context.results, standards, sums=sums, ids=ids)
    out = []
    for _, rows in table.groupby("id", sort=False):
        first = rows.iloc[0]
        by_zone = [
            [context.zone_index.get((k, str(z)), -1), number(v), number(h), v2]
            for k, z, v, h, v2 in rows[[*_PLACES, "value", "value_high", "verdict"]].itertuples(index=False)
        ]
        out.append(
            {
                "service": str(first["service"]),
                "indicator": str(first["indicator"]),
                "name": words(first, context, "name"),
                "within": number(first["within"]),
                "unit": unit_words(str(first["unit"]), context.labels.lang),
                "op": {">=": "≥", "<=": "≤"}.get(str(first["op"]), str(first["op"])),
                "threshold": number(first["threshold"]),
                "verdict": str(first["verdict"]),
                "value": number(first["value"]),
                "open": bool(np.isinf(float(first["value_high"]))),
                "high": number(first["value_high"]),
                "clause": context.cite(f"{first['standard']} {first['clause']}".strip()),
                "tag": str(first["tag"]),
                "note": context.sentence(tidy(words(first, context, "note"))),
                "zones": [z for z in by_zone if z[0] >= 0] if first["value"] == first["value"] else [],
            }
        )
    return out


def _capacity(context: Context) -> list[list[int]]:
    """Return shelters per zone: how many, the capacity that is known, and of how many it is not."""
    f = context.facilities[context.facilities["service"] == SHELTER]
    known = pd.to_numeric(f["capacity"], errors="coerce").to_numpy(float)
    town, direction = context.zone_of("township", f["zone_id"]), context.zone_of("direction", f["direction"])
    out = []
    for i, kind in enumerate(context.zone_rows["zone_kind"]):
        here = {"district": (town >= 0) | (direction >= 0), "direction": direction == i, "township": town == i}[kind]
        mine = known[here]
        out.append([int(here.sum()), int(np.nansum(mine)), int(np.isnan(mine).sum())])
    return out


def _bands(context: Context, radii: list[float]) -> NDArray[np.int64]:
    """Return into which radius round a shelter each cell falls; the number of radii where into none."""
    from scipy.spatial import cKDTree

    cells, f = context.results.cells, context.results.facilities
    mine = f[f["service"] == SHELTER]
    if mine.empty:
        return np.full(len(cells), len(radii), dtype=np.int64)
    metres, _ = cKDTree(mine[["x", "y"]].to_numpy(float)).query(cells[["x", "y"]].to_numpy(float))
    return np.asarray(np.searchsorted(np.array(radii), metres, side="left"), dtype=np.int64)


def _fire(context: Context, measure: Any) -> tuple[dict[str, Any], dict[str, NDArray[np.int64]]]:
    """Return the numbers of each zone, and the seconds and status of each cell."""
    results = context.results
    cutoff = 60 * float(measure.cutoff_min or (measure.cutoffs_min or [5])[0])
    rows = results.measures[(results.measures["measure_name"] == measure.name)]
    cutoff = cutoff if (rows["cutoff_s"] == cutoff).any() else float(rows["cutoff_s"].max())
    rows = rows[rows["cutoff_s"] == cutoff].set_index("origin_id").reindex(results.cells["cell_id"])
    value = rows["value"].to_numpy(float)
    zones = results.zone_measures
    zones = zones[(zones["measure_name"] == measure.name) & (zones["age_group"] == "all")]
    zones = zones[zones["cutoff_s"] == cutoff]
    names = (measure.en if context.labels.lang == "en" else measure.zh) or measure.name
    facts = {
        "name": names,
        "cutoff": number(cutoff / 60),
        "zones": [
            [context.zone_index[k, str(z)], int(n), int(r), int(u)]
            for k, z, n, r, u in zones[[*_PLACES, "people", "people_reached", "people_unknown"]].itertuples(index=False)
            if (k, str(z)) in context.zone_index
        ],
    }
    seconds = np.where(np.isfinite(value), np.ceil(np.where(np.isfinite(value), value, 0)), -1).astype(np.int64)
    status = pd.Index(STATUS).get_indexer(rows["status"].fillna("unknown"))
    return facts, {"t": seconds, "st": np.asarray(status, dtype=np.int64)}


def shelters_page(context: Context) -> str:
    """Return the page of shelters and fire engines."""
    layers, base = finding_layers(context)
    cells = context.results.cells
    place = cell_places(context, cells["cell_id"])

    def ordered(values: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.zeros(len(cells), dtype=np.int64)
        out[place] = values
        return out

    sums = ZoneSums.of(context.results)
    found = _indicators(context, sums)
    radii = sorted({float(r["within"]) for r in found if r["indicator"] == "radius_m" and r["zones"]})
    columns: dict[str, Any] = {"band": ("u8", ordered(_bands(context, radii)))}
    measure, fire = fire_measure(context), None
    if measure is not None:
        fire, cellwise = _fire(context, measure)
        columns |= {"t": ("vi", ordered(cellwise["t"])), "st": ("u8", ordered(cellwise["st"]))}
    layers["safety"] = PackedData(columns)
    first = "fire" if not radii else str(radii.index(min(radii)))
    config = {
        "state": {"view": first},
        "services": judged_services(context),
        "radii": [number(r) for r in radii],
        "indicators": found,
        "capacity": _capacity(context),
        "fire": fire,
        "shelter": int(context.services.index.get_indexer(pd.Index([SHELTER]))[0]),
        "station": int(context.services.index.get_indexer(pd.Index([FIRE]))[0]),
    }
    switches = [("cells", True, ("cells", "outline")), ("facilities", True, ("facilities",)), *base]
    return map_page(context, "shelters", layers, switches=switches, config=config, scripts=SCRIPTS, styles=STYLES)
