"""What the sections of the report are made from: one run, its words, and one place where each number comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.chinese import cite_zh
from bishan_gis.output.maps.context import Context
from bishan_gis.output.words import load_words

if TYPE_CHECKING:
    from bishan_gis.output.labels import Labels
    from bishan_gis.planning.gaps import Gaps
    from bishan_gis.results import Results

__all__ = ["Covered", "Source", "in_language"]


def in_language(results: Results, lang: str) -> Results:
    """Return the same results for another language of the reader.

    Parameters
    ----------
    results : Results
        A run.
    lang : {"zh", "en"}
        Language.
    """
    if results.study.lang == lang:
        return results
    study = results.study.model_copy(update={"lang": lang})
    return replace(results, study=study)


@dataclass(frozen=True)
class Covered:
    """People of a zone by what is known of a service.

    Attributes
    ----------
    people, covered, unknown : int
        All people, those who reach it in time, and those of whom it cannot be told.
    """

    people: int
    covered: int
    unknown: int

    @property
    def lacking(self) -> int:
        """People who certainly do not reach it in time."""
        return self.people - self.covered - self.unknown


@dataclass(frozen=True, eq=False)
class Source:
    """A run, and where the report takes its numbers from.

    Parameters
    ----------
    results : Results
        A run whose study has the language of the report.
    """

    results: Results

    @cached_property
    def context(self) -> Context:
        """What the maps of the run say of it: the report says the same."""
        return Context(self.results)

    @property
    def lang(self) -> str:
        """Language of the report."""
        return str(self.results.study.lang)

    @property
    def zh(self) -> bool:
        """Whether the report is in Chinese."""
        return self.lang == "zh"

    @cached_property
    def words(self) -> Labels:
        """Words of the report."""
        return load_words(self.lang)

    @property
    def gaps(self) -> Gaps | None:
        """Gaps, where the run looked for them."""
        return self.results.findings.gaps if self.results.findings is not None else None

    @cached_property
    def targets(self) -> pd.DataFrame:
        """What is asked for, by service; empty where the run did not look for gaps."""
        if self.gaps is None:
            return pd.DataFrame(columns=["level_min", "standard", "clause", "tag", "weight"])
        return self.gaps.targets.set_index("service")

    @cached_property
    def judged(self) -> list[str]:
        """Services that the report judges, in the order of the maps."""
        order = [str(s) for s in self.context.services.index]
        return [s for s in order if s in self.targets.index] if len(self.targets) else order

    def level(self, service: str) -> float:
        """Return the walking time that a service is held against [min].

        Parameters
        ----------
        service : str
            Key of the service.
        """
        if service in self.targets.index:
            return float(self.targets.loc[[service], "level_min"].iloc[0])
        return self.context.shown(service)

    def clause(self, service: str) -> dict[str, str]:
        """Return standard, clause and tag of the walking time of a service.

        Parameters
        ----------
        service : str
            Key of the service.
        """
        table = self.targets if service in self.targets.index else self.context.services
        row = table.loc[[service]].iloc[0]
        found = {k: "" if pd.isna(row[k]) else str(row[k]) for k in ("standard", "clause", "tag")}
        return {k: cite_zh(v) for k, v in found.items()} if self.zh else found

    def name(self, service: str) -> str:
        """Return the name of a service.

        Parameters
        ----------
        service : str
            Key of the service.
        """
        return self.context.service_name(service)

    def inline(self, service: str) -> str:
        """Return the name of a service as it stands within a sentence.

        Parameters
        ----------
        service : str
            Key of the service.
        """
        name = self.name(service)
        return name if self.zh else name.lower()

    def warning(self) -> str:
        """Return one sentence that says what is not observed, or nothing."""
        words = self.context.warning()
        return words.replace(self.words("strip_page"), self.words("strip_report"), 1)

    @cached_property
    def _gap_rows(self) -> dict[tuple[str, str, str], Covered]:
        if self.gaps is None:
            return {}
        table = self.gaps.people
        table = table[table["age_group"] == "all"]
        columns = ["zone_kind", "zone_id", "service", "people", "people_covered", "people_unknown"]
        return {
            (str(k), str(z), str(s)): Covered(int(p), int(c), int(u))
            for k, z, s, p, c, u in table[columns].itertuples(index=False)
        }

    def covered(self, zone: int, service: str) -> Covered:
        """Return who reaches a service within its walking time in a zone.

        Parameters
        ----------
        zone : int
            Position in ``context.zone_rows``.
        service : str
            Key of the service.

        Notes
        -----
        From the coverage table where its cutoffs hold the walking time, else from the table of the gaps.
        """
        level = self.level(service)
        context = self.context
        if level in context.cutoffs:
            i = list(context.services.index).index(service)
            people, covered, unknown = context.numbers[zone, i, context.cutoffs.index(level), 0]
            return Covered(int(people), int(covered), int(unknown))
        row = context.zone_rows.iloc[zone]
        return self._gap_rows[(str(row["zone_kind"]), str(row["zone_id"]), service)]

    def zones(self, kind: str) -> list[int]:
        """Return the positions of the zones of one kind.

        Parameters
        ----------
        kind : str
            ``district``, ``direction`` or ``township``.
        """
        return [int(i) for i in np.flatnonzero((self.context.zone_rows["zone_kind"] == kind).to_numpy())]

    @property
    def district(self) -> int:
        """Position of the district."""
        return self.zones("district")[0]

    def zone_name(self, zone: int) -> str:
        """Return the name of a zone.

        Parameters
        ----------
        zone : int
            Its position; the district takes the name of the study, in the language of the report.
        """
        row = self.context.zone_rows.iloc[zone]
        return self.context.place if row["zone_kind"] == "district" else str(row["name"])

    def zone_people(self, zone: int) -> int:
        """Return the people of a zone.

        Parameters
        ----------
        zone : int
            Its position.
        """
        return int(self.context.numbers[zone, 0, 0, 0, 0])

    @cached_property
    def walked(self) -> list[str]:
        """Services that people walk to; not those that come by vehicle and have no walking time of their own."""
        table = self.targets
        if self.gaps is None:
            return self.judged
        drives = table["drive_min"].notna() & (table["level_id"] == "")
        mine = set(table.index[~drives & (table["level_min"] <= 15)])
        return [s for s in self.judged if s in mine]

    @cached_property
    def _complete(self) -> pd.DataFrame | None:
        """Share of the services that a cell reaches, beside its people and zones; None without gaps."""
        from bishan_gis.planning.gap_quality import cell_completeness

        if self.gaps is None or not self.walked:
            return None
        cells, access = self.results.cells, self.results.access
        access = access[access["service"].isin(self.walked)]
        share = cell_completeness(access, self.gaps.targets, self.walked)["completeness_low"]
        frame = pd.DataFrame(cells[["people", "zone_id", "direction"]])
        return frame.assign(low=share.reindex(cells["cell_id"]).to_numpy(np.float64))

    def completeness(self, zone: int) -> float:
        """Return the mean share of the services within reach, over the people of a zone; NaN where nobody lives.

        Parameters
        ----------
        zone : int
            Its position.

        Notes
        -----
        As the policy has it for the whole district: each service within its own walking time, weighted as the
        standards weigh it; what cannot be told counts as not reached.
        """
        table, row = self._complete, self.context.zone_rows.iloc[zone]
        if table is None:
            return float("nan")
        column = {"township": "zone_id", "direction": "direction"}.get(str(row["zone_kind"]))
        if column:
            table = table[table[column].astype(str).isin([str(row["zone_id"]), str(row["name"])])]
        people = table["people"].to_numpy(np.float64)
        return float((people * table["low"].to_numpy()).sum() / people.sum()) if people.sum() else float("nan")

    def note(self, pair: Any) -> str:
        """Return a warning of the run in the language of the report.

        Parameters
        ----------
        pair : object
            A text, or a Chinese and an English one.
        """
        return str(pair[0 if self.zh else 1]) if isinstance(pair, tuple) else str(pair)
