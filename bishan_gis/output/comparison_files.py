"""A comparison as files: tables, the cells that changed, and a record that scripts read; all of it or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.output.files import Staging
from bishan_gis.output.tables import DICTIONARY, write_csv

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    import pandas as pd

    from bishan_gis.planning.comparison import Comparison

__all__ = ["comparison_facts", "describe_columns", "write_comparison"]

_DIGITS = 7
#: Column -> unit, Chinese, English, of what only a comparison has.
_OWN: dict[str, tuple[str, str, str]] = {
    "people_gain": (
        "people",
        "两者都有的人口中, 之后才在阈值内可达",
        "of who is there in both: within reach only after",
    ),
    "people_gain_unknown": ("people", "其中之前无法判断", "of these, unknown before"),
    "people_lose": (
        "people",
        "两者都有的人口中, 之前才在阈值内可达",
        "of who is there in both: within reach only before",
    ),
    "people_lose_unknown": ("people", "其中之后无法判断", "of these, unknown after"),
    "people_sooner": ("people", "更快到达最近设施", "reach the nearest facility sooner"),
    "people_later": ("people", "更慢到达最近设施", "reach the nearest facility later"),
    "people_found": ("people", "之后才有路可达", "have a path only after"),
    "people_lost": ("people", "之前才有路可达", "had a path only before"),
    "people_timed": ("people", "前后都有路可达", "have a path in both"),
    "mean_change_s": ("s", "前后都有路可达者的平均变化, 负 = 更快", "mean change of these; negative: sooner"),
    "change": (
        "",
        "变化: sooner 更快, later 更慢, found 有路, lost 无路, status 状态, facility 最近设施, people 人口",
        "sooner, later, found or lost a path, status, nearest facility, people",
    ),
    "run": ("", "运行: 研究或年份", "the study, or the year of a phase"),
    "people": ("people", "人口 (times: 前后都在的人口)", "people (times: who is there in both)"),
    "value": ("s", "到最近设施的步行时间", "walking time to the nearest facility"),
    "facility": ("", "最近设施编号", "nearest facility"),
    "measure_value": ("", "指标值, 单位见 unit", "value of the measure, in `unit`"),
    "facilities": ("", "区内设施数", "facilities in the zone"),
    "with_capacity": ("", "其中写明容量的", "of these, with a capacity"),
    "cutoff_s": ("s", "指标的时间阈值", "cutoff of the measure"),
}
_WHEN = {"before": ("之前", "before"), "after": ("之后", "after"), "change": ("变化", "change")}


def describe_columns(columns: list[str]) -> dict[str, dict[str, str]]:
    """Return what each column of a comparison means.

    Parameters
    ----------
    columns : list of str
        Names.

    Returns
    -------
    dict
        Column -> ``unit, zh, en``.

    Examples
    --------
    >>> describe_columns(["people_covered_after"])["people_covered_after"]["en"]
    'people who reach the service within the threshold, after'
    """
    known = {**DICTIONARY, **_OWN}
    out = {}
    for column in columns:
        name, when = column, None
        if name not in known:
            name = name.removesuffix("_s")
            name, _, when = name.rpartition("_")
        unit, zh, en = known[name]
        if when:
            zh, en = f"{zh}, {_WHEN[when][0]}", f"{en}, {_WHEN[when][1]}"
        out[column] = {"unit": unit, "zh": zh, "en": en}
    return out


def write_comparison(
    comparison: Comparison,
    folder: str | Path,
    *,
    record: Mapping[str, Any] | None = None,
    series: pd.DataFrame | None = None,
    pages: Mapping[str, str] | None = None,
    maps: str | Path | None = None,
) -> dict[str, str]:
    """Write a comparison into a folder.

    Parameters
    ----------
    comparison : Comparison
        From :func:`bishan_gis.planning.comparison.compare`.
    folder : str or pathlib.Path
        Usually the processed folder of the study.
    record : mapping, optional
        Further facts for ``comparison.json``, such as the edits of the scenario.
    series : pandas.DataFrame, optional
        From :func:`bishan_gis.planning.comparison.coverage_series`; written as ``comparison_series.csv``.
    pages : mapping, optional
        File name -> HTML, such as ``compare.html``.
    maps : str or pathlib.Path, optional
        Where the pages go, beside the other pages of the study; beside the tables where left out.

    Returns
    -------
    dict
        Name of each file -> SHA-256: ``comparison.csv`` (coverage), ``comparison_times.csv``,
        ``comparison_measures.csv``, ``comparison_capacity.csv``, ``comparison.geojson`` (cells that changed, WGS84),
        and ``comparison.json``, the last to appear.

    Raises
    ------
    OutputError
        The folder or a file cannot be written; what stood there before still stands.
    """
    with Staging({"tables": Path(folder)} | ({} if maps is None else {"maps": Path(maps)})) as out:
        write_csv(comparison.coverage, out.path("tables", "comparison.csv"))
        write_csv(comparison.times, out.path("tables", "comparison_times.csv"))
        write_csv(comparison.measures, out.path("tables", "comparison_measures.csv"))
        write_csv(comparison.capacity, out.path("tables", "comparison_capacity.csv"))
        if series is not None:
            write_csv(series, out.path("tables", "comparison_series.csv"))
        for name, html in (pages or {}).items():
            out.path("tables" if maps is None else "maps", name).write_text(html, encoding="utf-8", newline="\n")
        out.path("tables", "comparison.geojson").write_text(_geojson(comparison.cells), encoding="utf-8", newline="\n")
        facts = {**comparison_facts(comparison), **(record or {}), "outputs": _names(out.hashes())}
        text = json.dumps(facts, ensure_ascii=False, indent=2, allow_nan=False)
        out.path("tables", "comparison.json").write_text(text + "\n", encoding="utf-8", newline="\n")
        hashes = _names(out.hashes())
        out.commit()
    return hashes


def _names(hashes: Mapping[str, str]) -> dict[str, str]:
    return {key.rsplit("/", 1)[-1]: value for key, value in hashes.items()}


def comparison_facts(comparison: Comparison) -> dict[str, Any]:
    """Return the figures of the district and the meaning of the columns, as JSON can hold them.

    Parameters
    ----------
    comparison : Comparison
        From :func:`bishan_gis.planning.comparison.compare`.

    Returns
    -------
    dict
        ``before, after, empty, cutoffs_min, levels_min, coverage, times`` (rows of the district, everybody)``,
        measures, capacity`` (rows of the district)``, cells`` (how many changed)``, columns``.
    """
    times = comparison.times
    times = times[(times["zone_kind"] == "district") & (times["age_group"] == "all")]
    tables = [comparison.coverage, comparison.times, comparison.cells, comparison.measures, comparison.capacity]
    columns = dict.fromkeys(column for table in tables for column in table)
    whole = [t[t["zone_kind"] == "district"].drop(columns=["zone_kind", "zone_id", "zone_name"]) for t in tables[3:]]
    columns.pop("geometry", None)
    return {
        "before": comparison.before,
        "after": comparison.after,
        "empty": comparison.empty,
        "cutoffs_min": list(comparison.cutoffs_min),
        "levels_min": comparison.levels_min,
        "coverage": _records(comparison.summary()),
        "times": _records(times.drop(columns=["zone_kind", "zone_id", "zone_name", "age_group"])),
        "measures": _records(whole[0]),
        "capacity": _records(whole[1]),
        "cells": len(comparison.cells["cell_id"].unique()),
        "columns": describe_columns(list(columns)),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    return [{str(k): v.item() if isinstance(v, np.generic) else v for k, v in row.items()} for row in rows]


def _geojson(cells: gpd.GeoDataFrame) -> str:
    import shapely

    shapes = shapely.transform(cells.geometry.to_crs(4326).to_numpy(), lambda xy: np.round(xy, _DIGITS))
    text: str = cells.set_geometry(shapes, crs=4326).to_json(na="null", drop_id=True, ensure_ascii=False)
    return text + "\n"
