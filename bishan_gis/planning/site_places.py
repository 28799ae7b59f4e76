"""Where the sites of a plan are, in words and degrees, and the plan as a scenario that can be compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.crs import load_crs, to_lonlat
from bishan_gis.planning.gap_describe import named_facilities, township_names
from bishan_gis.planning.nearest_points import nearest_points

if TYPE_CHECKING:
    from bishan_gis.planning.study_sites import StudySites
    from bishan_gis.results import Results

__all__ = ["describe_sites", "scenario_text"]

#: Digits of degrees: about a centimetre.
_DIGITS = 7


def describe_sites(sites: pd.DataFrame, results: Results) -> list[dict[str, Any]]:
    """Return the sites of a plan as records that JSON can hold.

    Parameters
    ----------
    sites : pandas.DataFrame
        ``SitePlan.sites`` of candidates of :func:`bishan_gis.planning.candidates.candidate_sites`.
    results : Results
        Zones, facilities as landmarks, and the CRS of ``x, y``.

    Returns
    -------
    list of dict
        ``order, candidate_id, level, x, y`` [m, CRS of the study]``, lon, lat`` [degrees, WGS84]``, source, code,
        area_m2, cost, township`` (id)``, township_name, place_zh, place_en`` (township and the nearest named
        facility)``, people_new, people_total, gain``.
    """
    marks = named_facilities(results.facilities)
    away, row = nearest_points(sites[["x", "y"]].to_numpy(float), marks[["x", "y"]].to_numpy(float))
    names = township_names(results.zones)
    lon, lat = to_lonlat(
        sites["x"].to_numpy(float), sites["y"].to_numpy(float), load_crs(results.study.crs, where="study.crs")
    )
    table = sites.assign(
        lon=np.round(np.asarray(lon, dtype=float), _DIGITS),
        lat=np.round(np.asarray(lat, dtype=float), _DIGITS),
        township_name=[names.get(str(t), "") for t in sites["township"]],
    )
    zh, en = [], []
    for i, town in enumerate(table["township_name"]):
        metres, mark = round(float(away[i]), -1), marks["name"].iloc[int(row[i])] if row[i] >= 0 else ""
        beside = (f"旁约 {metres:.0f} m", f"about {metres:.0f} m from") if metres else ("处", "at")
        zh.append(f"{town} {mark}{beside[0]}" if mark else str(town))
        en.append(f"{town}, {beside[1]} {mark}" if mark else str(town))
    table["place_zh"], table["place_en"] = zh, en
    columns = [
        "order",
        "candidate_id",
        "level",
        "x",
        "y",
        "lon",
        "lat",
        "source",
        "code",
        "area_m2",
        "cost",
        "township",
    ]
    columns += ["township_name", "place_zh", "place_en", "people_new", "people_total", "gain"]
    rows = table[columns].astype(object).where(table[columns].notna(), None)
    return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]


def scenario_text(found: StudySites, *, base: str) -> str:
    """Return a plan as ``scenario.toml``: every site with every service that it has, for ``bishan-gis compare``.

    Parameters
    ----------
    found : StudySites
        A plan.
    base : str
        The study, relative to where the file will lie.

    Returns
    -------
    str
        TOML; places are ``x, y`` in the CRS of the study, so that the comparison finds what the plan promises.
    """
    facts = found.facts
    text = json.dumps  # a basic string of TOML is one of JSON
    lines = [
        "[scenario]",
        f"name = {text('选址方案: ' + facts['service_zh'], ensure_ascii=False)}",
        f"name_en = {text('Sites for ' + facts['service_en'], ensure_ascii=False)}",
        f"base = {text(base, ensure_ascii=False)}",
        f"note = {text(facts['model'] + ', ' + facts['status'])}",
    ]
    services = found.services
    for site in facts["chosen"]:
        # Of two levels the upper one has the lower one as well.
        mine = services if site["level"] in ("", services[-1]) else services[:1]
        for service in mine:
            lines += ["", "[[add_facility]]", f"service = {text(service)}"]
            lines += [f"name = {text('选址 ' + str(site['order']) + ' ' + site['place_zh'], ensure_ascii=False)}"]
            lines += [f"x = {site['x']!r}", f"y = {site['y']!r}", f"note = {text(str(site['candidate_id']))}"]
            lines += [f"# lon, lat = {site['lon']}, {site['lat']}"]
            if facts["capacity"] is not None:
                lines += [f"capacity = {float(facts['capacity'])}"]
    return "\n".join(lines) + "\n"
