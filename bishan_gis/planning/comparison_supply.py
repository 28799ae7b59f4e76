"""What a scenario changes beside walking times: the measures of a study, and what its facilities can take."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.schema import KINDS

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = ["compare_capacity", "compare_measures"]

_ZONE = ["zone_kind", "zone_id", "zone_name"]
_MEASURE = [*_ZONE, "measure_name", "label", "mode", "services", "cutoff_s", "age_group", "unit"]
_VALUES = ["measure_value", "people_reached", "people_unknown"]
_SUPPLY = ["facilities", "with_capacity", "capacity"]


def compare_measures(base: Results, other: Results, *, services: Collection[str] | None = None) -> pd.DataFrame:
    """Put the measures of two runs of a study side by side, zone by zone, and keep what differs.

    Parameters
    ----------
    base, other : Results
        Before and after; ``zone_measures``.
    services : collection of str, optional
        Only measures that look at one of these.

    Returns
    -------
    pandas.DataFrame
        ``zone_kind, zone_id, zone_name, measure_name, label, mode, services`` (joined by +)``, cutoff_s, age_group,
        unit``, and ``measure_value`` (in `unit`, NaN where nobody has one)``, people_reached, people_unknown``, each
        with ``_before, _after, _change``; ``kind``. Empty where the study has no measures.
    """
    columns = [*_MEASURE, *_sides(_VALUES), "kind"]
    if base.zone_measures is None or other.zone_measures is None:
        return pd.DataFrame(columns=columns)
    both = (base.zone_measures, other.zone_measures)
    tables = [table.rename(columns={"value": "measure_value"}) for table in both]
    if services is not None:
        tables = [t[[bool(set(str(s).split("+")) & set(services)) for s in t["services"]]] for t in tables]
    first, second = (t[[*_MEASURE, *_VALUES, "kind"]] for t in tables)
    return _differing(first, second, _MEASURE, _VALUES)


def compare_capacity(base: Results, other: Results, *, services: Collection[str] | None = None) -> pd.DataFrame:
    """Put the facilities of two runs and their capacity side by side, by zone and service, and keep what differs.

    Parameters
    ----------
    base, other : Results
        Before and after; ``facilities`` that lie in the district, ``zones``.
    services : collection of str, optional
        Only these.

    Returns
    -------
    pandas.DataFrame
        ``zone_kind, zone_id, zone_name, service``, and ``facilities, with_capacity`` (how many say what they can take)
        and ``capacity`` (places of these together), each with ``_before, _after, _change``; ``kind``.
    """
    tables = [_supply(run, services) for run in (base, other)]
    keys = pd.concat([t[[*_ZONE, "service"]] for t in tables]).drop_duplicates()
    first, second = (keys.merge(t, on=[*_ZONE, "service"], how="left", validate="1:1") for t in tables)
    for table, run in ((first, base), (second, other)):
        table[_SUPPLY] = table[_SUPPLY].astype(float).fillna(0)
        table["kind"] = table["kind"].fillna(run.kind)
    out = _differing(first, second, [*_ZONE, "service"], _SUPPLY)
    for name in ("facilities", "with_capacity"):
        for column in (f"{name}_{side}" for side in ("before", "after", "change")):
            out[column] = out[column].astype(np.int64)
    return out.sort_values("service", kind="stable", ignore_index=True)


def _sides(names: list[str]) -> list[str]:
    return [f"{name}_{side}" for name in names for side in ("before", "after", "change")]


def _supply(run: Results, services: Collection[str] | None) -> pd.DataFrame:
    """Return how many facilities there are in each zone, and what they can take."""
    there = run.facilities[run.facilities["zone_id"].fillna("") != ""]
    if services is not None:
        there = there[there["service"].isin(services)]
    zones = run.zones
    places = pd.to_numeric(there["capacity"], errors="coerce").astype(float)
    frames = []
    for kind, column in (("district", None), ("direction", "direction"), ("township", "zone_id")):
        rows = zones.loc[zones["zone_kind"] == kind, [*_ZONE[:2], "name"]].rename(columns={"name": "zone_name"})
        if rows.empty:
            continue
        at = there[column].to_numpy() if column else np.full(len(there), rows["zone_id"].iloc[0], dtype=object)
        table = pd.DataFrame({"zone_id": at, "service": there["service"].to_numpy(), "places": places.to_numpy()})
        summed = table.groupby(["zone_id", "service"], sort=True)["places"].agg(["size", "count", "sum"]).reset_index()
        frames.append(pd.DataFrame(rows).merge(summed, on="zone_id", how="inner"))
    names = {"size": "facilities", "count": "with_capacity", "sum": "capacity"}
    out = pd.concat(frames, ignore_index=True).rename(columns=names)
    return out.assign(kind=run.kind)


def _differing(first: pd.DataFrame, second: pd.DataFrame, keys: list[str], values: list[str]) -> pd.DataFrame:
    """Join two tables by their keys and keep the rows whose values differ."""
    joined = first.merge(second, on=keys, how="inner", suffixes=("_before", "_after"), validate="1:1")
    keep = np.zeros(len(joined), dtype=bool)
    for name in values:
        a, b = (joined[f"{name}_{side}"].to_numpy(dtype=float) for side in ("before", "after"))
        joined[f"{name}_change"] = joined[f"{name}_after"] - joined[f"{name}_before"]
        keep |= (a != b) & ~(np.isnan(a) & np.isnan(b))
    kinds = [joined[f"kind_{side}"].map(KINDS.index) for side in ("before", "after")]
    weakest = np.maximum(*(k.to_numpy(dtype=np.int64) for k in kinds))
    joined["kind"] = np.array(KINDS, dtype=object)[weakest]
    return joined.loc[keep, [*keys, *_sides(values), "kind"]].reset_index(drop=True)
