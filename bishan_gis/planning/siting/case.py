"""The tables of a siting question, checked and turned into arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_amounts, match_pairs
from bishan_gis.errors import InputError, NoDataError, SchemaError
from bishan_gis.planning.siting.choices import Choices
from bishan_gis.planning.siting.locate import Limits
from bishan_gis.schema import check_columns, check_unique, known_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Case", "build_case"]


@dataclass(frozen=True, eq=False)
class Case:
    """Demand by service, candidates, and the pairs between them.

    Attributes
    ----------
    demand_id, service : ndarray of object, shape (m,)
        One row per demand and service.
    people, weight : ndarray of float64, shape (m,)
        People, and what they count.
    cutoff_s : ndarray of float64, shape (m,)
        Longest time that serves them [s]; inf where there is none.
    present_s : ndarray of float64, shape (m,)
        Time to what exists [s], inf where nothing is reached.
    covers : ndarray of int64, shape (m,)
        Facilities that exist within the cutoff, as far as known.
    status : ndarray of object, shape (m,)
        Status of what exists, "" where it was not given.
    unknown : ndarray of bool, shape (m,)
        The data cannot tell whether what exists serves them.
    candidates : pandas.DataFrame
        Candidates that may be built.
    row, site, cost : ndarray
        Pairs: position of demand and of candidate, time [s].
    """

    demand_id: NDArray[np.object_]
    service: NDArray[np.object_]
    people: NDArray[np.float64]
    weight: NDArray[np.float64]
    cutoff_s: NDArray[np.float64]
    present_s: NDArray[np.float64]
    covers: NDArray[np.int64]
    status: NDArray[np.object_]
    unknown: NDArray[np.bool_]
    candidates: pd.DataFrame
    row: NDArray[np.int64]
    site: NDArray[np.int64]
    cost: NDArray[np.float64]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Who is served by what exists."""
        out: NDArray[np.bool_] = self.covers > 0
        return out

    @property
    def near(self) -> NDArray[np.bool_]:
        """Which pairs are within the cutoff."""
        out: NDArray[np.bool_] = self.cost <= self.cutoff_s[self.row]
        return out

    def choices(
        self,
        rows: NDArray[np.bool_],
        *,
        cost: NDArray[np.float64] | None,
        base: NDArray[np.float64] | float,
        weight: NDArray[np.float64] | None = None,
        merge: bool = True,
    ) -> Choices:
        """Return the options of some rows: within the cutoff at cost 0, or all at the costs given."""
        place = np.cumsum(rows) - 1
        use = rows[self.row] & (self.near if cost is None else np.ones(len(self.row), dtype=bool))
        full = self.weight if weight is None else weight
        return Choices.from_pairs(
            place[self.row[use]],
            self.site[use],
            np.zeros(int(use.sum())) if cost is None else cost[use],
            weight=full[rows],
            base=np.broadcast_to(np.asarray(base, dtype=np.float64), rows.shape)[rows],
            n_sites=len(self.candidates),
            merge=merge,
        )

    def limits(self, *, sites: int | None, budget: float | None) -> Limits:
        """Return what may be built."""
        fixed = self.candidates["fixed"].to_numpy(dtype=bool)
        price = self.candidates["cost"].to_numpy(dtype=np.float64)
        if sites is not None and (sites < 0 or sites != int(sites)):
            raise InputError(
                f"sites = {sites}: 须为不小于 0 的整数", f"sites = {sites}: give a whole number, 0 or more"
            )
        if budget is not None and not (np.isfinite(budget) and budget >= 0):
            raise InputError(
                f"budget = {budget}: 须为不小于 0 的有限数", f"budget = {budget}: give a number, 0 or more"
            )
        if sites is not None and fixed.sum() > sites:
            raise InputError(
                f"已确定 {int(fixed.sum())} 处, 多于 sites = {sites};已确定的计入总数",
                f"{int(fixed.sum())} sites are fixed, more than sites = {sites}; fixed sites count",
            )
        if budget is not None and float(price[fixed].sum()) > budget:
            raise InputError(
                f"已确定的选址费用 {price[fixed].sum():g} 超过预算 {budget:g}",
                f"the fixed sites cost {price[fixed].sum():g}, more than the budget {budget:g}",
            )
        return Limits(fixed, price, sites, budget)


def build_case(
    demand: pd.Series | pd.DataFrame,
    candidates: pd.DataFrame,
    travel_matrix: pd.DataFrame,
    *,
    cutoff_s: float | Mapping[str, float] | None,
    weights: pd.Series | None,
    existing: pd.DataFrame | None,
    fixed: Sequence[object],
    cost: str,
) -> Case:
    """Check the tables and make one row per demand and service; parameters are those of ``choose_sites``."""
    table = demand.to_frame(name="") if isinstance(demand, pd.Series) else demand
    services = [str(c) for c in table.columns]
    people = [match_amounts(table.iloc[:, k], where=f"demand {s}".strip()) for k, s in enumerate(services)]
    sites = _candidates(candidates, fixed)
    pairs = match_pairs(
        travel_matrix,
        origins=table.index,
        destinations=pd.Index(candidates["candidate_id"]),
        cost=cost,
        by_origin=False,
        holders=("demand", "candidates"),
    )
    at = pd.Index(sites["candidate_id"]).get_indexer(pairs.destinations)[pairs.destination]
    origin, at, seconds = (a[at >= 0] for a in (pairs.origin.astype(np.int64), at, pairs.cost))
    m, k = len(table), len(services)
    cut = np.repeat([_cutoff(cutoff_s, s) for s in services], m)
    factor = np.ones(m) if weights is None else _weights(weights, table.index)
    ids = np.tile(table.index.to_numpy(dtype=object), k)
    names = np.repeat(np.array(services, dtype=object), m)
    count = np.concatenate(people) if people else np.zeros(0)
    present = _existing(existing, table.index, services, cut)
    return Case(
        demand_id=ids,
        service=names,
        people=count,
        weight=count * np.tile(factor, k),
        cutoff_s=cut,
        **present,
        candidates=sites,
        row=np.concatenate([origin + m * s for s in range(k)]) if k else np.zeros(0, np.int64),
        site=np.tile(at.astype(np.int64), k),
        cost=np.tile(seconds, k),
    )


def _cutoff(cutoff_s: float | Mapping[str, float] | None, service: str) -> float:
    if isinstance(cutoff_s, Mapping):
        if service not in cutoff_s:
            zh, en = known_names(service, cutoff_s)
            raise InputError(
                f"cutoff_s 缺少 {service or '服务'} 的时限;{zh}", f"cutoff_s lacks {service or 'the service'}; {en}"
            )
        value = float(cutoff_s[service])
    else:
        value = np.inf if cutoff_s is None else float(cutoff_s)
    if np.isnan(value) or value <= 0:
        raise InputError(f"cutoff_s = {value}: 须大于 0", f"cutoff_s = {value}: must be above 0")
    return value


def _weights(weights: pd.Series, index: pd.Index) -> NDArray[np.float64]:
    values = match_amounts(weights, where="weights")
    at = weights.index.get_indexer(index)
    if (at < 0).any():
        raise SchemaError(
            f"weights: 缺少 {int((at < 0).sum())} 个需求点的权重;请补充, 不计的填 0",
            f"weights: {int((at < 0).sum())} demands have none; add them, 0 where they do not count",
        )
    out: NDArray[np.float64] = values[at]
    return out


def _candidates(candidates: pd.DataFrame, fixed: Sequence[object]) -> pd.DataFrame:
    check_columns(candidates, ["candidate_id"], where="candidates")
    check_unique(candidates["candidate_id"], where="candidates.candidate_id")
    out = candidates.reset_index(drop=True)
    if "cost" not in out.columns:
        out["cost"] = 1.0
    price = pd.to_numeric(out["cost"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = int((~np.isfinite(price) | (price < 0)).sum())
    if wrong:
        raise SchemaError(
            f"candidates: {wrong} 行的 cost 缺失、为负或不是数值;请填写费用",
            f"candidates: cost is missing, negative or not numeric in {wrong} rows; fill it in",
        )
    out["cost"] = price
    given = np.array(out["fixed"], dtype=bool) if "fixed" in out.columns else np.zeros(len(out), dtype=bool)
    named = (
        pd.Index(out["candidate_id"]).get_indexer(pd.Index(list(fixed), dtype=object))
        if len(fixed)
        else np.zeros(0, int)
    )
    if (named < 0).any():
        lost = ", ".join(str(f) for f, at in zip(fixed, named, strict=True) if at < 0)
        raise InputError(f"fixed: 候选地中没有 {lost}", f"fixed: no such candidate: {lost}")
    given[named] = True
    out["fixed"] = given
    if "reason_excluded" in out.columns:
        out = out[(out["reason_excluded"].fillna("") == "") | out["fixed"]].reset_index(drop=True)
    if out.empty:
        zh = "没有可用的候选地;请放宽候选条件"
        raise NoDataError(zh, "no candidate may be built; relax the rules of candidates")
    return out


def _existing(
    existing: pd.DataFrame | None, index: pd.Index, services: list[str], cutoff_s: NDArray[np.float64]
) -> dict[str, NDArray]:
    """Return what exists per row: time, covers, status, and whether the data cannot tell."""
    n = len(index) * len(services)
    seconds = np.full(n, np.inf)
    status = np.full(n, "", dtype=object)
    leave = np.full(n, np.inf)
    known = np.full(n, -1, dtype=np.int64)
    if existing is not None:
        check_columns(existing, ["origin_id", "value", "status"], where="existing")
        for k, service in enumerate(services):
            mine = existing
            if "service" in existing.columns and service:
                mine = existing[existing["service"] == service]
            check_unique(mine["origin_id"], where="existing.origin_id")
            at = pd.Index(mine["origin_id"]).get_indexer(index)
            if (at < 0).any():
                raise SchemaError(
                    f"existing: {service} 缺少 {int((at < 0).sum())} 个需求点的行",
                    f"existing: {int((at < 0).sum())} demands have no row for {service or 'the service'}",
                )
            rows = slice(k * len(index), (k + 1) * len(index))
            value = mine["value"].to_numpy(dtype=np.float64, na_value=np.nan)[at]
            seconds[rows] = np.where(np.isnan(value), np.inf, value)
            status[rows] = mine["status"].to_numpy(dtype=object)[at]
            if "unknown_from_s" in mine.columns:
                late = mine["unknown_from_s"].to_numpy(dtype=np.float64, na_value=np.nan)[at]
                leave[rows] = np.where(np.isnan(late), np.inf, late)
            if "covers" in mine.columns:
                known[rows] = mine["covers"].to_numpy(dtype=np.int64)[at]
    within = seconds <= np.where(np.isfinite(cutoff_s), cutoff_s, -1.0)
    covers = np.where(known >= 0, known, within.astype(np.int64))
    unknown = (covers == 0) & ((status == "unknown") | (leave <= cutoff_s) & np.isfinite(leave))
    return {"present_s": seconds, "covers": covers, "status": status, "unknown": unknown & np.isfinite(cutoff_s)}
