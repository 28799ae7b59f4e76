"""What the sheets of the workbook hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.output.gap_files import gap_rows
from bishan_gis.output.maps.context import Context
from bishan_gis.output.maps.villages import covered_by, village_zones
from bishan_gis.output.policy_table import policy_records
from bishan_gis.output.run_facts import run_facts
from bishan_gis.output.short_names import run_names
from bishan_gis.schema import UNIT_KINDS

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = ["SheetTable", "workbook_tables"]

_GAPS = (
    *("rank", "state", "service_zh", "level_min", "zone_name", "place_zh", "people", "people_firm", "fragile"),
    *("people_no_path", "depth_min", "nearest_min", "facility_name", "straight_m", "detour_ratio", "reason"),
    *("barrier_name", "n_also_missing", "n_cells", "score", "x", "y", "gap_id"),
)
_POLICY = (
    *("number", "key_work", "phrase", "state", "indicator", "value", "value_high", "unit", "verdict", "clause"),
    *("tag", "kind", "said_zh", "how_to_provide_zh"),
)
_MINUTES = "0.0"
#: Areas of each state that the sheet of gaps lists; ``gaps.csv`` has them all.
_LISTED = 5_000
#: Rows of coverage that a sheet holds, with room for its head.
_ROWS = 1_048_000


@dataclass(frozen=True)
class SheetTable:
    """A sheet.

    Attributes
    ----------
    name, title, warning : str
        Name of the sheet, its first line, and what a reader must know of the data.
    frame : pandas.DataFrame
        The rows.
    heads : list of str
        Head of each column.
    frozen : int
        Columns that stay in sight.
    sums : tuple of str
        Columns that are summed below.
    formats : dict
        Column -> number format, where its name does not tell.
    filters : bool
        Whether the rows can be filtered.
    sum_word : str
        What stands before the sums.
    widest : float
        Largest width of a column.
    """

    name: str
    title: str
    warning: str
    frame: pd.DataFrame
    heads: list[str]
    frozen: int = 1
    sums: tuple[str, ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict)
    filters: bool = True
    sum_word: str = ""
    widest: float = 48


def workbook_tables(results: Results) -> list[SheetTable]:
    """Return the sheets of a run.

    Parameters
    ----------
    results : Results
        A run.

    Returns
    -------
    list of SheetTable
        In the order of the workbook.
    """
    maker = _Maker(results)
    coverage, totals = maker.coverage(), [maker.totals(), *maker.villages()]
    found = [maker.gaps(), maker.policy(), maker.sites()]
    rest = [maker.facilities(), maker.people(), maker.datasets()]
    tables = [maker.summary(), coverage, *totals, *found, *rest]
    return [*tables, maker.dictionary(tables)]


class _Maker:
    """Makes the sheets of one run."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.context = Context(results)
        self.words = self.context.labels
        self.zh = self.words.lang == "zh"
        services = {str(k): self.context.service_name(str(k)) for k in results.services.index}
        self.services = services
        self.names = run_names(services, self.context.parts) if self.zh else {}

    def table(self, key: str, frame: pd.DataFrame, heads: Iterable[str] | None = None, **options: Any) -> SheetTable:
        """Return a sheet whose heads say the name in words, and the key of the column."""
        name = self.words(f"xl_{key}")
        columns = [str(c) for c in frame.columns]
        said = [f"{self.names[c]}\n{c}" if c in self.names else c for c in columns]
        title = f"{self.context.place} {name}" if self.zh else f"{self.context.place}: {name}"
        return SheetTable(
            name, title, self.context.warning(), frame, list(heads or said), sum_word=self.words("xl_sum"), **options
        )

    def summary(self) -> SheetTable:
        """Return who reaches each service at its standard, for the whole district, after the facts of the run."""
        words, context = self.words, self.context
        rows: list[tuple[Any, ...]] = []
        for key, name in self.services.items():
            if key not in context.services.index or (level := context.level(key)) is None:
                continue
            at, cut = list(context.services.index).index(key), context.cutoffs.index(context.shown(key))
            people, covered, unknown = context.numbers[0, at, cut, 0].tolist()
            row: Any = context.services.loc[key]
            clause = f"{row['standard']} {row['clause']} [{row['tag']}]"
            share = covered / people if people else np.nan
            rows.append((len(rows) + 1, name, level, int(row["n"]), people, covered, share, unknown, clause))
        columns = ["number", "service_zh", "level_min", "n", "people", "people_covered", "share_covered"]
        frame = pd.DataFrame(rows, columns=[*columns, "people_unknown", "clause"], dtype=object)
        texts = [*run_facts(context), *self.results.notes(words.lang)]
        notes = pd.DataFrame([(None, t) for t in texts], columns=["number", "service_zh"], dtype=object)
        blank = pd.DataFrame([(None, None)], columns=["number", "service_zh"], dtype=object)
        both = pd.concat([frame, blank, notes], ignore_index=True).astype(object)
        return self.table("summary", both, frozen=2, filters=False, widest=30)

    def coverage(self) -> SheetTable:
        """Return the whole coverage table with names and shares."""
        table, left = self._fitting(self.results.coverage)
        order = ["zone_kind", "zone_name", "service", "cutoff_min", "age_group", "people", "people_covered"]
        table["share_covered"] = table["people_covered"] / table["people"].where(table["people"] > 0)
        table.insert(0, "service_zh", table["service"].map(self.services))
        rest = [c for c in table.columns if c not in (*order, "share_covered", "service_zh")]
        table = table[[*order[:3], "service_zh", *order[3:], "share_covered", *rest]]
        kinds = {k: self.words(f"zone_{k}") for k in ("district", "direction", "township", *UNIT_KINDS)}
        table["zone_kind"] = table["zone_kind"].map(kinds).fillna(table["zone_kind"])
        sheet = self.table("coverage", table, frozen=2, formats={"share_covered": "0.0%"})
        said = self.words("list_mark").join(kinds[k] for k in left)
        return replace(sheet, title=f"{sheet.title} {self.words('xl_left_out', kinds=said)}") if left else sheet

    @staticmethod
    def _fitting(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """Return the rows that a sheet can hold, and the kinds of units that are left out: the smallest first."""
        left: list[str] = []
        for kind in reversed(UNIT_KINDS):
            if len(table) > _ROWS and (table["zone_kind"] == kind).any():
                table = table[table["zone_kind"] != kind]
                left.append(kind)
        return table.reset_index(drop=True) if left else table.copy(), left

    def totals(self) -> SheetTable:
        """Return people covered at the standard, townships by services, with their sums."""
        context = self.context
        rows = context.zone_rows
        towns = rows[rows["zone_kind"] == "township"]
        towns = towns if len(towns) else rows[rows["zone_kind"] == "district"]
        frame = pd.DataFrame({"zone_id": towns["zone_id"].astype(str), "name": towns["name"].astype(str)})
        return self._totals("totals", frame, str(towns["zone_kind"].iloc[0]))

    def villages(self) -> list[SheetTable]:
        """Return the same for villages, where the study has a layer of them."""
        zones = village_zones(self.context)
        if zones.empty:
            return []
        rows = self.context.zone_rows
        towns = dict(zip(rows["zone_id"].astype(str), rows["name"].astype(str), strict=True))
        frame = pd.DataFrame({"zone_id": zones["zone_id"].astype(str), "name": zones["name"].astype(str)})
        frame["township"] = zones["township"].astype(str).map(towns).fillna("")
        return [self._totals("villages", frame, "village")]

    def _totals(self, key: str, frame: pd.DataFrame, kind: str) -> SheetTable:
        """Return zones of one kind with the people covered at the standard, service by service."""
        context, first = self.context, frame.shape[1]
        known = {**self.names, "township": self.words("zone_township")}
        heads = [known.get(str(c), str(c)) for c in [*frame.columns, "people"]]
        found = covered_by(context, kind).reindex(frame["zone_id"])
        for column in found.columns:
            frame[column if column == "people" else f"{column}_people"] = found[column].to_numpy()
        for service in found.columns[1:]:
            heads.append(f"{context.service_name(str(service))}\n≤ {context.level(str(service)):g} min")
        sums = tuple(str(c) for c in frame.columns[first:])
        return self.table(key, frame.reset_index(drop=True), heads, frozen=2, sums=sums)

    def _none(self, key: str) -> SheetTable:
        frame = pd.DataFrame({"number": pd.Series([self.words("xl_not_computed")], dtype=object)})
        return self.table(key, frame, [""], filters=False, frozen=0, widest=80)

    def gaps(self) -> SheetTable:
        """Return the first areas where something is missing, unknown or short; the title says what is left out."""
        if self.results.findings is None:
            return self._none("gaps")
        rows = gap_rows(self.results.findings.gaps)
        reasons = {r: self.words.get(f"reason_{r}", r) for r in rows["reason"].dropna().unique()}
        states = {"deficient": "gap_gaps", "unknown": "gap_unknown", "short": "gap_short"}
        columns = [c if self.zh else c.replace("_zh", "_en") for c in _GAPS]
        rows = rows.assign(
            reason=rows["reason"].map(reasons), state=rows["state"].map({k: self.words(v) for k, v in states.items()})
        )[columns]
        formats = {"depth_min": _MINUTES, "nearest_min": _MINUTES, "detour_ratio": "0.00", "score": "0.0"}
        kept = rows.groupby("state", sort=False).head(_LISTED)
        table = self.table("gaps", kept.reset_index(drop=True), frozen=3, formats=formats, widest=30)
        left = rows.drop(index=kept.index)
        note = self.words("xl_more", n=f"{len(left):,}", people=f"{left['people'].sum():,}") if len(left) else ""
        return replace(table, title=f"{table.title} {note}".rstrip())

    def policy(self) -> SheetTable:
        """Return the policy, element by element."""
        if self.results.findings is None:
            return self._none("policy")
        rows = pd.DataFrame(policy_records(self.results.findings.policy), dtype=object)
        columns = [c if self.zh else c.replace("_zh", "_en") for c in _POLICY]
        rows = rows[columns].copy()
        for column, prefix in (("state", "state"), ("verdict", "verdict"), ("kind", "kind")):
            rows[column] = [self.words.get(f"{prefix}_{v}", v) for v in rows[column]]
        return self.table("policy", rows, frozen=3, formats={"value": "#,##0.0##", "value_high": "#,##0.0##"})

    def sites(self) -> SheetTable:
        """Return the sites of every plan, in their order."""
        if self.results.findings is None or not self.results.findings.plans:
            return self._none("sites")
        parts = []
        for i, found in enumerate(self.results.findings.plans, start=1):
            name = str(found.facts["service_zh" if self.zh else "service_en"])
            zone = found.facts["zone"] or self.context.place
            sites = pd.DataFrame(found.plan.sites).drop(columns=["reason_excluded", "level"], errors="ignore")
            column = "place_zh" if self.zh else "place_en"
            place_of = {str(c["candidate_id"]): c[column] for c in found.facts["chosen"]}
            sites.insert(1, column, sites["candidate_id"].astype(str).map(place_of))
            sites.insert(0, "service_zh", name)
            sites.insert(0, "zone_name", zone)
            sites.insert(0, "plan", i)
            parts.append(sites.assign(kind=found.facts["kind"]))
        formats = {"slope": "0.000", "gain": "#,##0"}
        return self.table("sites", pd.concat(parts, ignore_index=True), frozen=3, formats=formats)

    def facilities(self) -> SheetTable:
        """Return all facilities."""
        frame = pd.DataFrame(self.results.facilities.drop(columns="geometry"))
        frame.insert(2, "service_zh", frame["service"].map(self.services))
        return self.table("facilities", frame, frozen=2, formats={"capacity": "#,##0"})

    def people(self) -> SheetTable:
        """Return control totals and people placed, zone by zone; the differences sum to 0."""
        check = self.results.population_check
        names = dict(zip(self.results.zones["zone_id"].astype(str), self.results.zones["name"], strict=True))
        parts = list(dict.fromkeys(check["part"]))
        values = ["control", "placed", "difference"]
        wide = check.pivot_table(index="zone_id", columns="part", values=values, sort=False)
        frame = pd.DataFrame({"zone_id": wide.index.astype(str)})
        frame["name"] = frame["zone_id"].map(names)
        heads = [self.names.get(c, c) for c in frame.columns]
        for part in parts:
            for value in values:
                frame[f"{value} {part}"] = wide[value, part].astype("int64").to_numpy()
                heads.append(f"{self.names.get(value, value)}\n{self.context.age_name(part)}")
        return self.table("people", frame, heads, frozen=2, sums=tuple(map(str, frame.columns[2:])))

    def datasets(self) -> SheetTable:
        """Return what the run read."""
        columns = ["path", "title", "source", "licence", "kind", "date", "datum", "sha256"]
        rows = [[getattr(d, c, "") for c in columns] for d in self.results.datasets]
        frame = pd.DataFrame(rows, columns=columns, dtype=object)
        frame["kind"] = [self.words(f"kind_{k}") for k in frame["kind"]]
        return self.table("datasets", frame)

    def dictionary(self, tables: Iterable[SheetTable]) -> SheetTable:
        """Return what each column of the other sheets means."""
        from bishan_gis.output.tables import DICTIONARY

        rows, meant = [], 1 if self.zh else 2
        for table in tables:
            for column, head in zip(table.frame.columns, table.heads, strict=True):
                known = DICTIONARY.get(str(column))
                said = known[meant] if known else head.replace("\n", " ")
                rows.append((table.name, str(column), known[0] if known else "", said))
        columns = ["file", "column", "unit", "meaning_zh" if self.zh else "meaning_en"]
        return self.table("dictionary", pd.DataFrame(rows, columns=columns), widest=90)
