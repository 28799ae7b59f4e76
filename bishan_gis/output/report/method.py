"""The end of the report: other measures, methods with their sources, data with date and licence, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.output.report import figures as fig
from bishan_gis.output.report.tables import make_table
from bishan_gis.output.words import tidy

if TYPE_CHECKING:
    from bishan_gis.output.report.figures import Cell
    from bishan_gis.output.report.source import Source
    from bishan_gis.output.report.tables import Table

__all__ = ["dataset_table", "limits", "measure_table", "methods"]


def _measured(value: float, unit: str, source: Source) -> Cell:
    if unit == "s":
        cell = fig.minutes(value)
        return cell if cell["value"] is None else cell | {"text": f"{cell['text']}\u00a0{source.words('min')}"}
    shown = source.words.get(f"unit_{unit}", unit)
    return fig.plain(value, "" if unit == "1" else shown)


def measure_table(source: Source) -> Table | None:
    """Return the other measures of the study, as means over people by direction; None where there are none.

    Parameters
    ----------
    source : Source
        The run.
    """
    table, w = source.results.zone_measures, source.words
    if table is None:
        return None
    table = table[table["age_group"] == "all"]
    zones = [*source.zones("direction"), source.district]
    zone_rows = source.context.zone_rows
    named = {m.name: m.zh if source.zh else m.en for m in source.results.study.measures}
    rows = []
    for _, mine in table.groupby(["measure_name", "cutoff_s"], sort=False):
        name, cutoff = str(mine["measure_name"].iloc[0]), float(mine["cutoff_s"].iloc[0])
        by = {(str(k), str(z)): v for k, z, v in mine[["zone_kind", "zone_id", "value"]].itertuples(index=False)}
        unit, label = str(mine["unit"].iloc[0]), named.get(name, "") or str(mine["label"].iloc[0])
        values = []
        for z in zones:
            key = (str(zone_rows.iloc[z]["zone_kind"]), str(zone_rows.iloc[z]["zone_id"]))
            values.append(_measured(float(by.get(key, np.nan)), unit, source))
        rows.append([fig.text(label or name), fig.minutes(cutoff), *values])
    columns = [(w("measure"), "left"), (w("minutes_limit"), "right")]
    columns += [(source.zone_name(z), "right") for z in zones]
    return make_table("measures", w("table_measures"), columns, rows, note=w("note_measures"))


def methods(source: Source) -> list[dict[str, str]]:
    """Return how each number was made: ``title, text, formula, source``.

    Parameters
    ----------
    source : Source
        The run.
    """
    w, profile = source.words, source.context.profile
    keys = ["nearest", "coverage"]
    if source.gaps is not None:
        keys += ["completeness", "severity"]
    if source.results.findings is not None:
        keys += ["verdict", *(["siting"] if source.results.findings.plans else [])]
    given: dict[str, dict[str, str]] = {
        "nearest": profile | {"snap": f"{source.results.study.walk.max_snap_m:g}"},
        "severity": {},
    }
    return [
        {
            "key": key,
            "title": w(f"method_{key}"),
            "text": w(f"method_{key}_text", **given.get(key, {})),
            "formula": w(f"method_{key}_formula"),
            "source": w(f"method_{key}_source", source=_profile_source(source)),
        }
        for key in keys
    ]


def _profile_source(source: Source) -> str:
    """Return where the speed comes from, in the language of the report where it is known."""
    profile = source.results.profile
    return str((source.zh and profile.get("source_zh")) or profile.get("source", ""))


def dataset_table(source: Source) -> Table:
    """Return every data set with its kind, date, licence and origin.

    Parameters
    ----------
    source : Source
        The run.
    """
    w = source.words
    rows = []
    for data in source.results.datasets:
        english = getattr(data, "title_en", "") if not source.zh else ""
        said = [data.said(k, source.lang) or fig.DASH for k in ("licence", "source", "note")]
        cells = [english or data.title, w(f"kind_{data.kind}"), data.date or fig.DASH, *said]
        rows.append([fig.text(c) for c in cells])
    columns = [(w("dataset"), "left"), (w("data_kind"), "left"), (w("date"), "left"), (w("licence"), "left")]
    columns += [(w("origin"), "wide"), (w("remark"), "wide")]
    return make_table("datasets", w("table_datasets"), columns, rows, note=w("note_datasets"))


def limits(source: Source) -> list[str]:
    """Return what the numbers cannot say, and the notes of the run.

    Parameters
    ----------
    source : Source
        The run.
    """
    w, results = source.words, source.results
    warning = source.warning()
    out = [warning] if warning else []
    out += [w(k) for k in ("limit_unknown", "limit_walk", "limit_capacity", "limit_standards", "limit_people")]
    if results.findings is None:
        out.append(w("limit_findings"))
    return [*out, *(w("limit_run", text=tidy(source.note(n))) for n in results.warnings)]


def tagged_sources(words: Any) -> dict[str, str]:
    """Return what the tags of sources mean.

    Parameters
    ----------
    words : Labels
        Words of the report.
    """
    return {tag: str(words(f"tag_{tag}")) for tag in ("S", "K", "P")}
