"""What the rules of a policy share: a run with its sums and standards, and what they find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.planning.indicators import evaluate_indicators, worst_verdict
from bishan_gis.planning.standards import load_standards, service_targets, study_standards, weakest_tag
from bishan_gis.planning.zone_sums import ZoneSums
from bishan_gis.schema import weakest_kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bishan_gis.results import Results

__all__ = ["Evidence", "Finding", "NotEvaluated", "Said", "add_said", "indicator_finding", "needs_data"]

#: A sentence in both languages.
Said = tuple[str, str]


@dataclass(frozen=True)
class Finding:
    """What an evaluation found: a headline figure and a sentence with all of them."""

    indicator_zh: str
    indicator_en: str
    value: float
    high: float
    unit: str
    verdict: str
    clause: str
    tag: str
    kind: str
    zh: str
    en: str


@dataclass(frozen=True)
class NotEvaluated:
    """Why an element could not be evaluated on this run."""

    zh: str
    en: str


class Evidence:
    """What the rules share: a run, its sums, standards and targets.

    Parameters
    ----------
    results : Results
        A run.
    standards : pandas.DataFrame, optional
        Those of the study when left out.
    previous : pandas.DataFrame, optional
        ``coverage`` of an earlier run.
    """

    def __init__(
        self, results: Results, *, standards: pd.DataFrame | None = None, previous: pd.DataFrame | None = None
    ) -> None:
        self.results = results
        self.standards = study_standards(results.study) if standards is None else standards
        self.previous = previous
        self.sums = ZoneSums.of(results)
        self.targets = service_targets(self.standards, services=results.services)

    @cached_property
    def district(self) -> int:
        """Position of the district among the zones of `sums`."""
        return int(self.sums.zones["zone_kind"].eq("district").argmax())

    @property
    def walked(self) -> pd.DataFrame:
        """Targets of at most 15 minutes on foot; not of services that come by vehicle and have no level on foot."""
        by_vehicle = self.targets["drive_min"].notna() & (self.targets["level_id"] == "")
        return self.targets[(self.targets["level_min"] <= 15) & ~by_vehicle]

    @cached_property
    def known_ids(self) -> set[str]:
        """Ids of the chosen standards and of the package's."""
        return {*self.standards["id"], *load_standards()["id"]}

    def indicators(self, ids: list[str]) -> pd.DataFrame:
        """Evaluate some standards for the district, in the order of `ids`."""
        table = evaluate_indicators(self.results, self.standards, sums=self.sums, ids=ids)
        table = table[table["zone_kind"] == "district"].set_index("id", drop=False)
        return table.loc[[i for i in ids if i in table.index]]

    @cached_property
    def level_coverage(self) -> pd.DataFrame:
        """Coverage of every walked target at its own minutes, with the columns of `planning.coverage.coverage`."""
        zones = self.sums.zones[["zone_kind", "zone_id", "zone_name"]]
        frames = []
        for service, level in zip(self.walked["service"], self.walked["level_min"], strict=True):
            covered, unknown = self.sums.covered(str(service), float(level))
            part = zones.assign(service=service, cutoff_min=float(level), age_group="all", people=self.sums.people)
            frames.append(part.assign(people_covered=covered, people_unknown=unknown))
        columns = [*zones.columns, "service", "cutoff_min", "age_group", "people", "people_covered", "people_unknown"]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    def towns(self) -> pd.DataFrame:
        """Return the townships: ``zone_id, zone_name, people``."""
        mine = (self.sums.zones["zone_kind"] == "township").to_numpy()
        return self.sums.zones.loc[mine, ["zone_id", "zone_name"]].assign(people=self.sums.people[mine])

    def people_mean(self, values: pd.Series) -> float:
        """Return the mean of a value of the cells over their people."""
        people = self.results.cells["people"].to_numpy(float)
        number = values.reindex(self.results.cells["cell_id"]).to_numpy(float)
        return float((people * number).sum() / people.sum()) if people.sum() else float("nan")


def indicator_finding(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Evaluate the standards an element names; all of them are said, with how each differs from what is meant."""
    ids = str(row["indicators"]).split()
    table = evidence.indicators(ids)
    done = table[table["value"].notna()]
    if done.empty:
        lost = [i for i in ids if i not in table.index]
        why_zh = [*dict.fromkeys(table["note_zh"]), *([f"[standards] 未选 {', '.join(lost)}"] if lost else [])]
        why_en = [*dict.fromkeys(table["note_en"]), *([f"[standards] leaves out {', '.join(lost)}"] if lost else [])]
        return NotEvaluated("需要: " + ";".join(w for w in why_zh if w), "needs: " + "; ".join(w for w in why_en if w))
    verdict = worst_verdict(list(done["verdict"]))
    # The figure that decided stands first, not one that the standard sets no limit to.
    first = done[done["verdict"] == verdict].iloc[0]
    said_zh = [_said(r, "zh") for _, r in table.iterrows()]
    said_en = [_said(r, "en") for _, r in table.iterrows()]
    clauses = list(dict.fromkeys(f"{r['standard']} {r['clause']}" for _, r in done.iterrows()))
    return Finding(
        indicator_zh=str(first["name_zh"]),
        indicator_en=str(first["name_en"]),
        value=float(first["value"]),
        high=float(first["value_high"]),
        unit=str(first["unit"]),
        verdict=verdict,
        clause="; ".join(clauses),
        tag=weakest_tag(done["tag"]),
        kind=weakest_kind(done["kind"]),
        zh=";".join(said_zh),
        en="; ".join(said_en),
    )


_VERDICT_ZH = {"met": "达标", "not_met": "未达标", "unknown": "无法判断", "no_threshold": "标准无数值"}


def _said(row: pd.Series, lang: str) -> str:
    zh = lang == "zh"
    name, note = (row["name_zh"], row["note_zh"]) if zh else (row["name_en"], row["note_en"])
    if row["indicator"] == "radius_m":
        name += f" (半径 {row['within']:g} m)" if zh else f" ({row['within']:g} m as the crow flies)"
    if row["value"] != row["value"]:
        return f"{name}: {note}"
    figure = f"{row['value'] * 100:.1f} %" if row["unit"] == "1" else f"{row['value']:.2f} {row['unit']}"
    if row["value_high"] == np.inf:
        figure = f"≥ {figure}"
    elif row["unit"] == "1" and row["value_high"] - row["value"] >= 0.0005:
        figure = f"{row['value'] * 100:.1f}–{row['value_high'] * 100:.1f} %"
    limit = ""
    if row["threshold"] == row["threshold"] and row["op"]:
        scale, unit = (100, " %") if row["unit"] == "1" else (1, "")
        asked = "要求" if zh else "asked"
        limit = f" ({asked} {row['op']} {row['threshold'] * scale:g}{unit})"
    verdict = _VERDICT_ZH[row["verdict"]] if zh else row["verdict"].replace("_", " ")
    return f"{name} {figure}{limit} {verdict} [{row['tag']}]" + (f" ({note})" if note else "")


def needs_data(row: pd.Series) -> NotEvaluated:
    """Say what an element needs, as the catalogue has it."""
    return NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")


def add_said(
    found: Finding | NotEvaluated, said: Iterable[Said], *, tag: str = "P", kind: str = "", first: bool = False
) -> Finding | NotEvaluated:
    """Put more sentences to a finding; what they rest on counts."""
    more = list(said)
    if not more or not isinstance(found, Finding):
        return found
    zh, en = [m[0] for m in more], [m[1] for m in more]
    return replace(
        found,
        zh=";".join([*zh, found.zh] if first else [found.zh, *zh]),
        en="; ".join([*en, found.en] if first else [found.en, *en]),
        tag=weakest_tag([found.tag, tag]),
        kind=weakest_kind([found.kind, kind] if kind else [found.kind]),
    )
