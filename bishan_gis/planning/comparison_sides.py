"""Two runs of a study side by side, cell by cell, in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.places.units import unit_kinds
from bishan_gis.places.zones import zone_columns
from bishan_gis.planning.coverage import coverage
from bishan_gis.schema import KINDS

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.results import Results

__all__ = ["KEY", "MOVES", "Both", "Side", "people_groups", "zone_kinds"]

_ZONE = ["zone_kind", "zone_id", "zone_name"]
#: What a row of a coverage table is about.
KEY = [*_ZONE, "service", "cutoff_min", "age_group"]
#: Who moves across a cutoff.
MOVES = ["people_gain", "people_gain_unknown", "people_lose", "people_lose_unknown"]
_TIMES = ["people_sooner", "people_later", "people_found", "people_lost"]
_KINDS = np.array(KINDS, dtype=object)


def people_groups(run: Results) -> dict[str, list[str]]:
    """Return the age groups of a run and the columns of people that make up each."""
    population = run.study.inputs.population
    parts = list(population.parts or population.shares)
    present = [p for p in parts if p in run.cells.columns]
    return {"all": ["people"], **{p: [p] for p in present}, **(population.groups if present else {})}


class Side:
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

    def coverage(self, services: Sequence[str], cutoffs_min: Sequence[float]) -> pd.DataFrame:
        """Return the coverage table for some services and cutoffs, also such that the run has not counted."""
        rows = self.run.coverage
        mine = rows["service"].isin(services)
        rows = rows[mine & rows["cutoff_min"].isin(list(map(float, cutoffs_min)))]
        have = set(self.run.cutoffs_min)
        present = [s for s in services if s not in self.absent]
        absent = [s for s in services if s in self.absent]
        parts = [rows]
        kinds = self.run.coverage.groupby("zone_kind")["kind"].first()
        # What a run has not counted: cutoffs that only a standard names, and services that have no facility here.
        for some, at in ((present, [c for c in cutoffs_min if c not in have]), (absent, list(cutoffs_min))):
            if some and at:
                bare = self.access[self.access["service"].isin(some)]
                groups = people_groups(self.run)
                more = coverage(
                    bare,
                    self.cells,
                    self.run.zones,
                    cutoffs_min=at,
                    age_groups=groups,
                    member=zone_columns(self.run.zones),
                )
                parts.append(more.assign(kind=more["zone_kind"].map(kinds)))
        return pd.concat(parts, ignore_index=True) if len(parts) > 1 else rows.reset_index(drop=True)


class Both:
    """The cells of two runs side by side, in one order."""

    def __init__(self, base: Side, other: Side) -> None:
        self.sides = (base, other)
        frames = [s.cells.set_index("cell_id") for s in self.sides]
        self.ids = frames[0].index.union(frames[1].index)
        self.groups = people_groups(base.run)
        self.kind = KINDS[max(KINDS.index(s.kind) for s in self.sides)]
        counts = []
        for frame in frames:
            columns = [frame[c].sum(axis=1) for c in self.groups.values()]
            wide = pd.concat(columns, axis=1).reindex(self.ids, fill_value=0)
            counts.append(wide.to_numpy(dtype=np.int64))
        self.people = counts
        self.stay: NDArray[np.int64] = np.minimum(*counts)
        fixed = ["zone_id", "direction", "district", *unit_kinds(base.run.zones), "geometry"]
        where = frames[0][fixed].reindex(self.ids)
        gone = where["zone_id"].isna()
        where.loc[gone] = frames[1][fixed].reindex(self.ids[gone])
        self.where = where
        self.tables = [dict(iter(s.access.groupby("service", sort=False))) for s in self.sides]
        same_people = bool((counts[0] == counts[1]).all())
        every = sorted(base.access["service"].unique())
        #: Services of which anything differs; nothing else needs to be added up.
        self.services = [s for s in every if not (same_people and self._same(s))]

    def _same(self, service: str) -> bool:
        one, two = (t[service] for t in self.tables)
        if len(one) != len(two):
            return False
        columns = ["origin_id", "value", "status", "facility_id", "unknown_from_s"]
        return all(one[c].reset_index(drop=True).equals(two[c].reset_index(drop=True)) for c in columns)

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
        for kind, column in zone_columns(zones).items():
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
                counts = {n: self.stay * m[:, None] for n, m in zip(MOVES, masks, strict=True)}
                frames += self.sums(counts, {"service": service, "cutoff_min": float(cutoff)})
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*KEY, *MOVES])

    def times(self) -> pd.DataFrame:
        """Count who is sooner and who is later, whatever the cutoff."""
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
        out["kind"] = zone_kinds(out, self.sides)
        return out[columns]

    def changed_cells(self) -> gpd.GeoDataFrame:
        """Return the cells whose time, status, facility or people differ."""
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


def zone_kinds(table: pd.DataFrame, sides: Sequence[Side]) -> NDArray[np.object_]:
    """Return what rows of zones rest on: the weaker of the two runs."""
    rank = [table["zone_kind"].map(s.run.coverage.groupby("zone_kind")["kind"].first()).map(KINDS.index) for s in sides]
    out: NDArray[np.object_] = _KINDS[np.maximum(rank[0].to_numpy(), rank[1].to_numpy()).astype(np.int64)]
    return out
