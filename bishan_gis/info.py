"""What a file or a study holds, without computing anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from bishan_gis.errors import MissingFileError
from bishan_gis.limits import check_limits
from bishan_gis.readiness import build_readiness
from bishan_gis.study import Study, load_study

if TYPE_CHECKING:
    from bishan_gis.measure_settings import Mode
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = ["check_study", "describe", "readiness_rows"]

_OSM = (".pbf", ".osm", ".osm.gz", ".osm.bz2")
_RASTER = (".tif", ".tiff", ".vrt", ".asc", ".img")


def describe(path: str | Path) -> dict[str, Any]:
    """Say what a file holds: an OSM extract, a raster, a saved network, a study, or any vector layer.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, or a folder with ``study.toml``.

    Returns
    -------
    dict
        Plain values, ready for JSON.

    Raises
    ------
    MissingFileError, BrokenFileError
        It is not there, or cannot be read as what its name says.
    """
    file = Path(path)
    if not file.exists():
        raise MissingFileError(f"找不到 {file}", f"{file} is not there")
    name = file.name.lower()
    if (file.is_dir() and (file / "study.toml").exists()) or name.endswith(".toml"):
        return _describe_study(load_study(file))
    if name.endswith(_OSM):
        from bishan_gis.sources.osm import describe_osm, load_osm

        return describe_osm(load_osm(file))
    if name.endswith(".bgnet"):
        from bishan_gis.network.slope import ground_summary
        from bishan_gis.network.storage import load_network

        network = load_network(file)
        facts = {"mode": network.mode, "crs": network.crs.to_string(), **network.summary()}
        return facts if facts["elevation_m"] is None else facts | {"slope": ground_summary(network)}
    if name.endswith(_RASTER):
        from bishan_gis.sources.elevation import describe_raster

        return describe_raster(file)
    from bishan_gis.sources.layers import describe_layer

    return describe_layer(file)


def _describe_study(study: Study) -> dict[str, Any]:
    files = {setting: ("" if path.exists() else "缺少 missing: ") + path.name for setting, path in study.input_files()}
    return {
        "id": study.id,
        "name": study.name,
        "crs": study.crs,
        "lang": study.lang,
        "directions": {k: "、".join(v) for k, v in study.directions.zones.items()},
        "cutoffs_min": study.reach.cutoffs_min,
        "profile": study.walk.profile,
        "modes": {mode: section.profile for mode, section in study.modes.items()},
        "measures": {m.name: f"{m.measure}, {m.mode}, {'+'.join(m.services)}" for m in study.measures},
        "slope": {str(mode): _slope_facts(study, str(mode)) for mode in study.modes},
        "inputs": files,
    }


def _slope_facts(study: Study, mode: str) -> dict[str, Any]:
    """Say how slope counts in a mode, and what the last run found where it left a record."""
    from bishan_gis.network.costs import load_profile

    section = study.modes[cast("Mode", mode)]
    profile = load_profile(section.profile)
    out: dict[str, Any] = {"function": section.slope or profile.slope}
    out |= {k: v for k in ("max_slope", "max_descent") if (v := getattr(profile, k)) is not None}
    try:
        record = json.loads((study.processed / "run.json").read_text(encoding="utf-8"))
        found = record["slope"] if mode == "walk" else record["modes"][mode]["slope"]
        return out | {"last_run": dict(found)}
    except (OSError, ValueError, KeyError, TypeError):
        return out


def check_study(
    study: Study, *, progress: Callable[[str, int, int], None] | None = None, lang: str = ""
) -> dict[str, Any]:
    """Read everything a study names and check it, without computing access.

    Parameters
    ----------
    study : Study
        The study.
    progress : callable, optional
        Called with the step, what is done and what there is in all.
    lang : str
        ``zh`` or ``en``, of warnings and of what is said of zoning; empty: that of the study.

    Returns
    -------
    dict
        What was found: counts, sums, kinds, warnings; ``readiness`` is the table of
        :func:`bishan_gis.readiness.build_readiness` as a list of rows; ``zoning`` says what is wrong with the codes and
        shapes of land use and control lines (:func:`bishan_gis.sources.zoning.check_zoning`).

    Raises
    ------
    BishanGisError
        The first input that cannot be used.
    """
    from bishan_gis.access.study_measures import check_services
    from bishan_gis.network.assemble import assemble_network
    from bishan_gis.network.slope import limit_warnings, slope_summary
    from bishan_gis.places.classes import load_classes
    from bishan_gis.places.population import build_controls
    from bishan_gis.places.zones import build_zones
    from bishan_gis.sources.inputs import load_inputs
    from bishan_gis.sources.zoning import check_zoning, describe_checks

    def report(done: int, total: int) -> None:
        if progress:
            progress("读取输入 read", done, total)

    own = study.raw(study.services.classes) if study.services.classes else None
    needed = check_limits(study, write=False)
    data = load_inputs(study, progress=report)
    zones = build_zones(data.district, data.townships, study.directions, direction_layer=data.directions)
    network, costs = assemble_network(study, data)
    others = {str(mode): assemble_network(study, data, mode) for mode in study.modes if mode != "walk"}
    modes = {mode: _mode_facts(*pair) for mode, pair in others.items()}
    check_services(study.measures, load_classes(own, include=study.services.include))
    controls = build_controls(data.population, data.townships, crs=data.crs)
    zh = (lang or study.lang) == "zh"
    notes = [*data.notes, *zones.attrs.get("warnings", []), *limit_warnings({"walk": (network, costs), **others})]
    official = {"inputs.landuse": data.landuse, "inputs.control_lines": data.control_lines}
    zoning = check_zoning(
        {setting: layer for setting, layer in official.items() if layer is not None}, district=data.district
    )
    return {
        "study": study.id,
        **({} if needed is None else {"memory_mb": round(needed.memory_mb), "seconds": round(needed.seconds)}),
        "zones": {str(k): int(v) for k, v in zones["zone_kind"].value_counts().sort_index().items()},
        "people": int(controls["people"].sum()),
        "network": network.summary(),
        "slope": slope_summary(network, costs),
        **modes,
        "measures": len(study.measures),
        "walk_rules": {r: int(v["ways"]) for r, v in network.rule_counts.items() if v["ways"]},
        "osm_left_out": {k: v for k, v in data.osm.left_out.items() if v},
        "kinds": data.kinds,
        "readiness": readiness_rows(build_readiness(study, data=data)),
        "zoning": [w[0] if zh else w[1] for w in describe_checks(zoning)],
        "warnings": [w[0] if zh else w[1] for w in notes],
    }


def readiness_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the table of readiness as rows of plain values, ready for JSON."""
    return [{str(k): None if v is pd.NA else v for k, v in row.items()} for row in table.to_dict("records")]


def _mode_facts(network: Network, costs: EdgeCosts) -> dict[str, Any]:
    """Say what a network of vehicles holds: length, what speeds rest on, slopes, waits and forbidden turns."""
    from bishan_gis.network.costs import climbs
    from bishan_gis.network.slope import slope_summary

    facts = network.summary()
    out: dict[str, Any] = {"profile": costs.profile.name}
    out |= {key: facts[key] for key in ("nodes", "edges", "length_km", "components")}
    oneway = network.edge_forward != network.edge_backward
    out["oneway_km"] = round(float(network.edge_length_m[oneway].sum()) / 1000, 1)
    out |= {f"{k}_km": v["length_km"] for k, v in network.rule_counts.items() if k.startswith("speed_")}
    if network.edge_speed_kmh is not None:
        mean = np.average(network.edge_speed_kmh, weights=network.edge_length_m)
        out["mean_speed_kmh"] = round(float(mean), 1)
    if climbs(costs.profile, costs.slope):
        out["slope"] = slope_summary(network, costs)
    bound = ("controls", "forbidden_turns", "forbidden_turns_via_way", "no_through_km")
    out |= {key: facts[key] for key in bound if key in facts}
    out |= {key: n for key, n in network.left_out.items() if key.startswith("turns") and n}
    return out
