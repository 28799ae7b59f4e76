"""What a scenario changes: who gains, who loses, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError
from bishan_gis.planning.comparison_sides import KEY, MOVES, Both, Side, people_groups, zone_kinds
from bishan_gis.planning.comparison_supply import compare_capacity, compare_measures
from bishan_gis.planning.standards import service_targets, study_standards

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.results import Results
    from bishan_gis.study import Study

__all__ = ["Comparison", "compare", "coverage_at", "coverage_series"]

_PEOPLE = ["people", "people_covered", "people_unknown"]


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
    measures : pandas.DataFrame
        Measures of the study by zone, only rows that differ, see
        :func:`bishan_gis.planning.comparison_supply.compare_measures`: what comes by vehicle, places per child ...
    capacity : pandas.DataFrame
        Facilities and their capacity by zone and service, only rows that differ, see
        :func:`bishan_gis.planning.comparison_supply.compare_capacity`.
    cutoffs_min : tuple of float
        Cutoffs compared [min]: those of the study, and the levels of the services that differ, where standards name
        others.
    levels_min : dict
        Service that differs -> level [min]; services without a walking level are left out.
    """

    before: str
    after: str
    coverage: pd.DataFrame
    times: pd.DataFrame
    cells: gpd.GeoDataFrame
    measures: pd.DataFrame
    capacity: pd.DataFrame
    cutoffs_min: tuple[float, ...]
    levels_min: dict[str, float]

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        return not any(map(len, (self.coverage, self.times, self.cells, self.measures, self.capacity)))

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
        One is no run, such as a scenario; the runs have other zones, cutoffs or age groups, or no such service is in
        either.

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
    sides = [Side(run, chosen) for run in (base, other)]
    both = Both(*sides)
    measured = None if services is None else set(services)
    capacity = compare_capacity(base, other, services=measured)
    differ = sorted({*both.services, *capacity["service"]})
    levels = _levels_of(base.study, pd.concat([other.services, base.services]), differ)
    cutoffs = _with_levels(base.study.reach.cutoffs_min, levels)
    return Comparison(
        before=before or _label(base),
        after=after or _label(other),
        coverage=_coverage(sides, both, cutoffs),
        times=both.times(),
        cells=both.changed_cells(),
        measures=compare_measures(base, other, services=measured),
        capacity=capacity,
        cutoffs_min=cutoffs,
        levels_min=levels,
    )


def _levels_of(study: Study, services: pd.DataFrame, chosen: Sequence[str]) -> dict[str, float]:
    """Return the walking times that the standards of a study ask of services [min]; of some none is asked.

    Parameters
    ----------
    study : Study
        Its ``[standards]``.
    services : pandas.DataFrame
        Classes by key, see :func:`bishan_gis.planning.standards.service_targets`; keys may repeat.
    chosen : sequence of str
        Keys.
    """
    if not chosen:
        return {}
    known = services[~services.index.duplicated()]
    targets = service_targets(study_standards(study), services=known[known.index.isin(chosen)])
    some = targets[targets["level_min"] > 0]
    return {str(s): float(v) for s, v in zip(some["service"], some["level_min"], strict=True)}


def _with_levels(cutoffs_min: Sequence[float], levels_min: Mapping[str, float]) -> tuple[float, ...]:
    """Return the cutoffs of a study and the levels of its services, rising.

    Examples
    --------
    >>> _with_levels([5, 10, 15], {"pharmacy": 8, "market": 10})
    (5.0, 8.0, 10.0, 15.0)
    """
    return tuple(sorted({*map(float, cutoffs_min), *map(float, levels_min.values())}))


def coverage_at(run: Results, services: Sequence[str], cutoffs_min: Sequence[float]) -> pd.DataFrame:
    """Return the coverage table of a run for some services and cutoffs, also such that the run has not.

    Parameters
    ----------
    run : Results
        A run; of a service without any facility nobody is covered.
    services : sequence of str
        Keys.
    cutoffs_min : sequence of float
        Cutoffs [min].
    """
    return Side(run, services).coverage(services, cutoffs_min)


def _label(run: Results) -> str:
    return str(run.record.get("scenario", {}).get("label") or run.study.label())


def _check_same(base: Results, other: Results) -> None:
    for name, run in (("base", base), ("other", other)):
        if not hasattr(run, "zones"):
            kind = type(run).__name__
            raise InputError(
                f"compare: {name} 须为一次运行的结果,现为 {kind};请先 run(study) 或 run_scenario(study, scenario)",
                f"compare: {name} must be what a run gives, it is a {kind}; use run(study) or "
                "run_scenario(study, scenario) first",
            )

    def zones(run: Results) -> list[tuple[str, str]]:
        return sorted(zip(run.zones["zone_kind"], run.zones["zone_id"], strict=True))

    differ = []
    if zones(base) != zones(other):
        differ.append(("分区", "zones"))
    if base.study.reach.cutoffs_min != other.study.reach.cutoffs_min:
        differ.append(("时间阈值", "cutoffs"))
    if people_groups(base) != people_groups(other):
        differ.append(("年龄组", "age groups"))
    if differ:
        raise InputError(
            f"compare: 两次运行的{'、'.join(d[0] for d in differ)}不同;请比较同一研究的运行",
            f"compare: the two runs have other {', '.join(d[1] for d in differ)}; compare runs of one study",
        )


def _coverage(sides: Sequence[Side], both: Both, cutoffs_min: Sequence[float]) -> pd.DataFrame:
    """Put coverage before and after side by side, and keep what differs."""
    tables = [s.coverage(both.services, cutoffs_min)[[*KEY, *_PEOPLE]] for s in sides]
    # Zones in their own order, which sorting by their key would lose.
    joined = tables[0].merge(tables[1], on=KEY, suffixes=("_before", "_after"), validate="1:1")
    moves = both.moves(cutoffs_min)
    if len(moves):
        joined = joined.merge(moves, on=KEY, how="left", validate="1:1")
        joined[MOVES] = joined[MOVES].fillna(0).astype(np.int64)
    else:
        joined[MOVES] = 0
    columns = []
    for name in _PEOPLE:
        joined[f"{name}_change"] = joined[f"{name}_after"] - joined[f"{name}_before"]
        columns += [f"{name}_before", f"{name}_after", f"{name}_change"]
    changed = joined[[*(f"{n}_change" for n in _PEOPLE), *MOVES]].any(axis=1)
    out = joined[changed].sort_values(["service", "cutoff_min"], kind="stable").reset_index(drop=True)
    out["kind"] = zone_kinds(out, sides) if len(out) else np.empty(0, dtype=object)
    return out[[*KEY, *columns, *MOVES, "kind"]]


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
        ``run`` and the columns of the coverage table, at the cutoffs of the study and the levels of the services. A
        service that one run lacks is there with nobody covered.
    """
    have = sorted({s for run in runs.values() for s in run.access["service"].unique()})
    chosen = [s for s in have if services is None or s in services]
    parts = []
    first = next(iter(runs.values()))
    levels = _levels_of(first.study, pd.concat([run.services for run in runs.values()]), chosen)
    cutoffs = _with_levels(first.study.reach.cutoffs_min, levels)
    for name, run in runs.items():
        table = coverage_at(run, chosen, cutoffs)
        table = table.sort_values(["service", "cutoff_min"], kind="stable", ignore_index=True)
        table.insert(0, "run", str(name))
        parts.append(table)
    return pd.concat(parts, ignore_index=True)
