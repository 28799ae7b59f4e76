"""What a scenario changes: who gains, who loses, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError
from bishan_gis.planning.coverage import coverage
from bishan_gis.schema import KINDS

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.results import Results

__all__ = ["Comparison", "compare", "coverage_series"]

_ZONE = ["zone_kind", "zone_id", "zone_name"]
_KEY = [*_ZONE, "service", "cutoff_min", "age_group"]
_MEMBER = {"district": "district", "direction": "direction", "township": "zone_id"}
_PEOPLE = ["people", "people_covered", "people_unknown"]
_MOVES = ["people_gain", "people_gain_unknown", "people_lose", "people_lose_unknown"]
_TIMES = ["people_sooner", "people_later", "people_found", "people_lost"]
_KINDS = np.array(KINDS, dtype=object)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Differences between two runs of a study; equal runs have empty tables.

    Attributes
    ----------
    before, after : str
        What is compared.
    coverage : pandas.DataFrame
        By zone, service, cutoff and age group, only rows that differ: ``people, people_covered, people_unknown``, each
        with ``_before, _after, _change``; and of the people who are there in both, by exact time: ``people_gain``
        (reach the service within the cutoff only after; ``people_gain_unknown`` of them were unknown before) and
        ``people_lose`` (only before; ``people_lose_unknown`` of them are unknown after); ``kind``.
    times : pandas.DataFrame
        By zone, service and age group, only rows that differ, of the people who are there in both: ``people``,
        ``people_sooner, people_later`` (nearest facility sooner, later), ``people_found, people_lost`` (a path only
        after, only before), ``people_timed`` (a path in both) and ``mean_change_s``, the mean over these [s]; ``kind``.
    cells : geopandas.GeoDataFrame
        One row per cell and service whose time, status or nearest facility differs, and one row with service "" per
        cell whose people differ: ``cell_id, zone_id, direction, service, change`` (``sooner, later, found, lost,
        status, facility, people``), ``people_before, people_after, value_before_s, value_after_s, value_change_s,
        status_before, status_after, facility_before, facility_after, kind, geometry`` in the working CRS.
        A cell that is not there has 0 people and no time; its status is "".
    """

    before: str
    after: str
    coverage: pd.DataFrame
    times: pd.DataFrame
    cells: gpd.GeoDataFrame

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        return not (len(self.coverage) or len(self.times) or len(self.cells))

    def summary(self, age_group: str = "all") -> pd.DataFrame:
        """Return the rows of the whole district for one age group, by service and cutoff."""
        rows = self.coverage[(self.coverage["zone_kind"] == "district") & (self.coverage["age_group"] == age_group)]
        return rows.drop(columns=["zone_kind", "zone_id", "zone_name", "age_group"]).reset_index(drop=True)

    def __repr__(self) -> str:
        """One line."""
        return f"<Comparison {self.before} -> {self.after}: {len(self.coverage):,} rows, {len(self.cells):,} cells>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self))}</p>{self.summary().to_html()}"


def compare(
    base: Results,
    other: Results,
    *,
    services: Sequence[str] | None = None,
    before: str | None = None,
    after: str | None = None,
) -> Comparison:
    """Compare two runs of the same study.

    Parameters
    ----------
    base, other : Results
        Before and after: runs of a study and of scenarios of it.
    services : sequence of str, optional
        Only these; all that either run has where left out.
    before, after : str, optional
        What the two are called; their names, or that of the study, where left out.

    Returns
    -------
    Comparison
        Comparing the other way round gives the same tables with signs and sides exchanged.

    Raises
    ------
    InputError
        The runs have other zones, cutoffs or age groups, or no such service is in either.

    Notes
    -----
    Who gains and loses is counted over the people who are in a cell in both runs, min(before, after) of each cell and
    age group, so that newcomers are no gain. With N the people who come and G those who go: covered after - covered
    before = gain - lose + covered of N - covered of G, exactly. A service without any facility is there with nobody
    covered; who could leave the data in time is unknown, as in a run.
    """
    _check_same(base, other)
    have = sorted({*base.access["service"].unique(), *other.access["service"].unique()})
    missing = sorted(set(services or []) - set(have))
    if missing:
        raise InputError(
            f"services: 没有 {'、'.join(missing)};可用: {', '.join(have)}",
            f"services: no {', '.join(missing)}; there are {', '.join(have)}",
        )
    chosen = sorted(services) if services else have
    sides = [_Side(run, chosen) for run in (base, other)]
    both = _Both(*sides)
    table = _coverage(sides, both, chosen)
    return Comparison(
        before=before or _label(base),
        after=after or _label(other),
        coverage=table,
        times=both.times(),
        cells=both.changed_cells(),
    )


def _label(run: Results) -> str:
    return str(run.record.get("scenario", {}).get("label") or run.study.label())


def _groups(run: Results) -> dict[str, list[str]]:
    population = run.study.inputs.population
    parts = list(population.parts or population.shares)
    present = [p for p in parts if p in run.cells.columns]
    return {"all": ["people"], **{p: [p] for p in present}, **(population.groups if present else {})}


def _check_same(base: Results, other: Results) -> None:
    def zones(run: Results) -> list[tuple[str, str]]:
        return sorted(zip(run.zones["zone_kind"], run.zones["zone_id"], strict=True))

    differ = []
    if zones(base) != zones(other):
        differ.append(("分区", "zones"))
    if base.cutoffs_min != other.cutoffs_min:
        differ.append(("时间阈值", "cutoffs"))
    if _groups(base) != _groups(other):
        differ.append(("年龄组", "age groups"))
    if differ:
        raise InputError(
            f"compare: 两次运行的{'、'.join(d[0] for d in differ)}不同;请比较同一研究的运行",
            f"compare: the two runs have other {', '.join(d[1] for d in differ)}; compare runs of one study",
        )


class _Side:
    """One run, with every service that is asked for."""

    def __init__(self, run: Results, services: Sequence[str]) -> None:
        self.run = run
        self.cells = run.cells
        self.kind = str(run.access["kind"].iloc[0])
        there = run.access[run.access["service"].isin(services)]
        self.absent = sorted(set(services) - set(there["service"].unique()))
        if self.absent:
            some = run.access[run.access["service"] == run.access["service"].iloc[0]]
            status = np.where(some["unknown_from_s"].notna(), "unknown", "unreachable")
            status = np.where(some["status"] == "off_network", "off_network", status)
            bare = some.assign(value=np.nan, status=status, facility_id=None)
            there = pd.concat([there, *(bare.assign(service=s) for s in self.absent)], ignore_index=True)
        self.access = there

    def coverage(self, services: Sequence[str]) -> pd.DataFrame:
        rows = self.run.coverage[self.run.coverage["service"].isin(services)]
        if not self.absent:
            return rows
        bare = self.access[self.access["service"].isin(self.absent)]
        groups = _groups(self.run)
        cutoffs = self.run.cutoffs_min
        more = coverage(bare, self.cells, self.run.zones, cutoffs_min=cutoffs, age_groups=groups, member=_MEMBER)
        kinds = self.run.coverage.groupby("zone_kind")["kind"].first()
        return pd.concat([rows, more.assign(kind=more["zone_kind"].map(kinds))], ignore_index=True)


class _Both:
    """The cells of two runs side by side, in one order."""

    def __init__(self, base: _Side, other: _Side) -> None:
        self.sides = (base, other)
        frames = [s.cells.set_index("cell_id") for s in self.sides]
        self.ids = frames[0].index.union(frames[1].index)
        self.groups = _groups(base.run)
        self.kind = KINDS[max(KINDS.index(s.kind) for s in self.sides)]
        counts = []
        for frame in frames:
            columns = [frame[c].sum(axis=1) for c in self.groups.values()]
            wide = pd.concat(columns, axis=1).reindex(self.ids, fill_value=0)
            counts.append(wide.to_numpy(dtype=np.int64))
        self.people = counts
        self.stay: NDArray[np.int64] = np.minimum(*counts)
        fixed = ["zone_id", "direction", "district", "geometry"]
        where = frames[0][fixed].reindex(self.ids)
        gone = where["zone_id"].isna()
        where.loc[gone] = frames[1][fixed].reindex(self.ids[gone])
        self.where = where
        self.services = sorted(base.access["service"].unique())
        self.tables = [dict(iter(s.access.groupby("service", sort=False))) for s in self.sides]

    def one(self, service: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the answers of both runs for every cell; status "" where a cell is not there."""
        columns = ["value", "status", "facility_id", "unknown_from_s"]
        found = [t[service].set_index("origin_id")[columns].reindex(self.ids) for t in self.tables]
        first, second = (f.assign(status=f["status"].fillna(""), ms=np.rint(f["value"] * 1000)) for f in found)
        return first, second

    def zone_rows(self) -> list[tuple[pd.DataFrame, NDArray[np.int64]]]:
        """Return the zones of each kind, and the zone of each cell among them."""
        zones = self.sides[0].run.zones
        out = []
        for kind, column in _MEMBER.items():
            rows = zones.loc[zones["zone_kind"] == kind, ["zone_kind", "zone_id", "name"]]
            rows = pd.DataFrame(rows).rename(columns={"name": "zone_name"}).reset_index(drop=True)
            out.append((rows, pd.Index(rows["zone_id"]).get_indexer(self.where[column])))
        return out

    def sums(self, counts: Mapping[str, NDArray[np.int64]], key: Mapping[str, Any]) -> list[pd.DataFrame]:
        """Add up people by zone and age group."""
        frames = []
        names = list(self.groups)
        for rows, place in self.zone_rows():
            out = rows.loc[rows.index.repeat(len(names))].reset_index(drop=True).assign(**key)
            out["age_group"] = np.tile(np.asarray(names, dtype=object), len(rows))
            for name, values in counts.items():
                total = np.zeros((len(rows), len(names)), dtype=np.int64)
                np.add.at(total, place, values)
                out[name] = total.ravel()
            frames.append(out)
        return frames

    def moves(self, cutoffs_min: Sequence[float]) -> pd.DataFrame:
        """Count who comes within each cutoff and who falls out of it."""
        frames = []
        for service in self.services:
            pair = self.one(service)
            for cutoff in cutoffs_min:
                covered = [(p["value"] <= cutoff * 60).to_numpy() for p in pair]
                unknown = [
                    ((p["unknown_from_s"] <= cutoff * 60) | (p["status"] == "off_network")).to_numpy() & ~c
                    for p, c in zip(pair, covered, strict=True)
                ]
                gain, lose = covered[1] & ~covered[0], covered[0] & ~covered[1]
                if not (gain.any() or lose.any()):
                    continue
                masks = (gain, gain & unknown[0], lose, lose & unknown[1])
                counts = {n: self.stay * m[:, None] for n, m in zip(_MOVES, masks, strict=True)}
                frames += self.sums(counts, {"service": service, "cutoff_min": float(cutoff)})
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*_KEY, *_MOVES])

    def times(self) -> pd.DataFrame:
        frames = []
        for service in self.services:
            a, b = (p["ms"].to_numpy() for p in self.one(service))
            timed = np.isfinite(a) & np.isfinite(b)
            change = np.where(timed, b - a, 0).astype(np.int64)
            masks = (change < 0, change > 0, np.isnan(a) & np.isfinite(b), np.isfinite(a) & np.isnan(b))
            if not any(m.any() for m in masks):
                continue
            counts = {n: self.stay * m[:, None] for n, m in zip(_TIMES, masks, strict=True)}
            counts |= {"people": self.stay, "people_timed": self.stay * timed[:, None]}
            counts |= {"sum_ms": self.stay * change[:, None]}
            frames += self.sums(counts, {"service": service})
        columns = [*_ZONE, "service", "age_group", "people", *_TIMES, "people_timed", "mean_change_s", "kind"]
        if not frames:
            return pd.DataFrame(columns=columns)
        out = pd.concat(frames, ignore_index=True)
        out = out[out[_TIMES].any(axis=1)].reset_index(drop=True)
        timed_people = out["people_timed"].to_numpy()
        mean = np.full(len(out), np.nan)
        some = timed_people > 0
        mean[some] = out["sum_ms"].to_numpy()[some] / timed_people[some] / 1000
        out["mean_change_s"] = mean
        out["kind"] = _zone_kinds(out, self.sides)
        return out[columns]

    def changed_cells(self) -> gpd.GeoDataFrame:
        import geopandas as gpd

        people = [p[:, 0] for p in self.people]
        frames = []
        for service in self.services:
            a, b = self.one(service)
            there = (a["status"] != "").to_numpy() & (b["status"] != "").to_numpy()
            had, has = a["ms"].notna().to_numpy(), b["ms"].notna().to_numpy()
            change = np.where(had & has, b["ms"] - a["ms"], 0)
            status = (a["status"] != b["status"]).to_numpy()
            moved = (a["facility_id"].fillna("") != b["facility_id"].fillna("")).to_numpy()
            label = np.select(
                [~had & has, had & ~has, change < 0, change > 0, status, moved],
                ["found", "lost", "sooner", "later", "status", "facility"],
                default="",
            ).astype(object)
            rows = np.flatnonzero(there & (label != ""))
            if len(rows):
                frames.append(self._rows(rows, people, service, label[rows], a, b))
        rows = np.flatnonzero((self.people[0] != self.people[1]).any(axis=1))
        if len(rows):
            a, b = self.one(self.services[0])
            nothing = {"value": np.nan, "ms": np.nan, "facility_id": None, "status": ""}
            label = np.full(len(rows), "people", dtype=object)
            frames.append(self._rows(rows, people, "", label, a.assign(**nothing), b.assign(**nothing)))
        columns = ["cell_id", "zone_id", "direction", "service", "change", "people_before", "people_after"]
        columns += ["value_before_s", "value_after_s", "value_change_s", "status_before", "status_after"]
        columns += ["facility_before", "facility_after", "kind", "geometry"]
        data = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
        crs = self.sides[0].cells.crs
        return gpd.GeoDataFrame(data[columns], geometry="geometry", crs=crs)

    def _rows(
        self,
        rows: NDArray[np.int64],
        people: Sequence[NDArray[np.int64]],
        service: str,
        label: NDArray[np.object_],
        a: pd.DataFrame,
        b: pd.DataFrame,
    ) -> pd.DataFrame:
        a, b, where = a.iloc[rows], b.iloc[rows], self.where.iloc[rows]
        return pd.DataFrame(
            {
                "cell_id": self.ids[rows],
                "zone_id": where["zone_id"].to_numpy(),
                "direction": where["direction"].to_numpy(),
                "service": service,
                "change": label,
                "people_before": people[0][rows],
                "people_after": people[1][rows],
                "value_before_s": a["value"].to_numpy(dtype=float),
                "value_after_s": b["value"].to_numpy(dtype=float),
                "value_change_s": (b["ms"].to_numpy(dtype=float) - a["ms"].to_numpy(dtype=float)) / 1000,
                "status_before": a["status"].to_numpy(),
                "status_after": b["status"].to_numpy(),
                "facility_before": a["facility_id"].to_numpy(dtype=object),
                "facility_after": b["facility_id"].to_numpy(dtype=object),
                "kind": self.kind,
                "geometry": where["geometry"].to_numpy(),
            }
        )


def _zone_kinds(table: pd.DataFrame, sides: Sequence[_Side]) -> NDArray[np.object_]:
    """Return what rows of zones rest on: the weaker of the two runs."""
    rank = [table["zone_kind"].map(s.run.coverage.groupby("zone_kind")["kind"].first()).map(KINDS.index) for s in sides]
    out: NDArray[np.object_] = _KINDS[np.maximum(rank[0].to_numpy(), rank[1].to_numpy()).astype(np.int64)]
    return out


def _coverage(sides: Sequence[_Side], both: _Both, services: Sequence[str]) -> pd.DataFrame:
    """Put coverage before and after side by side, and keep what differs."""
    tables = [s.coverage(services)[[*_KEY, *_PEOPLE]] for s in sides]
    # Zones in their own order, which sorting by their key would lose.
    joined = tables[0].merge(tables[1], on=_KEY, suffixes=("_before", "_after"), validate="1:1")
    joined = joined.merge(both.moves(sides[0].run.cutoffs_min), on=_KEY, how="left", validate="1:1")
    joined[_MOVES] = joined[_MOVES].fillna(0).astype(np.int64)
    columns = []
    for name in _PEOPLE:
        joined[f"{name}_change"] = joined[f"{name}_after"] - joined[f"{name}_before"]
        columns += [f"{name}_before", f"{name}_after", f"{name}_change"]
    changed = joined[[*(f"{n}_change" for n in _PEOPLE), *_MOVES]].any(axis=1)
    out = joined[changed].sort_values(["service", "cutoff_min"], kind="stable").reset_index(drop=True)
    out["kind"] = _zone_kinds(out, sides) if len(out) else np.empty(0, dtype=object)
    return out[[*_KEY, *columns, *_MOVES, "kind"]]


def coverage_series(runs: Mapping[str, Results], *, services: Sequence[str] | None = None) -> pd.DataFrame:
    """Put the coverage of several runs below each other, such as the phases of a plan.

    Parameters
    ----------
    runs : mapping of str to Results
        Name or year -> run of one study.
    services : sequence of str, optional
        Only these.

    Returns
    -------
    pandas.DataFrame
        ``run`` and the columns of the coverage table. A service that one run lacks is there with nobody covered.
    """
    have = sorted({s for run in runs.values() for s in run.access["service"].unique()})
    chosen = [s for s in have if services is None or s in services]
    parts = []
    for name, run in runs.items():
        table = _Side(run, chosen).coverage(chosen)
        table = table.sort_values(["service", "cutoff_min"], kind="stable", ignore_index=True)
        table.insert(0, "run", str(name))
        parts.append(table)
    return pd.concat(parts, ignore_index=True)
