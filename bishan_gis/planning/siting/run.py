"""From a case and a wish to the sites: which model is asked what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import InputError
from bishan_gis.planning.location_models import backup_cover, capacitated, p_center, two_levels
from bishan_gis.planning.siting.locate import locate, locate_in_turn
from bishan_gis.schema import known_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.planning.location_models import Allocation
    from bishan_gis.planning.siting.case import Case
    from bishan_gis.planning.siting.locate import Limits, Solution

__all__ = ["MODELS", "Found", "Wish", "run_model"]

#: Models, and what each minimises or maximises.
MODELS = {
    "lscp": "fewest sites that cover everybody",
    "mclp": "most people covered",
    "p_median": "least time of all",
    "p_center": "least time of the worst-off",
    "backup": "most people covered, and twice",
    "capacitated_median": "least time of all within capacities",
    "capacitated_mclp": "most people served within capacities",
    "hierarchical": "most people with both levels of a service",
}
_COVERING = ("lscp", "mclp", "backup", "capacitated_mclp", "hierarchical")


@dataclass(frozen=True, eq=False)
class Wish:
    """What is asked for; fields are the parameters of ``choose_sites``."""

    model: str
    sites: int | Mapping[str, int] | None
    budget: float | None
    levels: tuple[str, ...]
    beyond_s: float | None
    backup_weight: float
    least: str
    count_unknown: bool
    k_best: int
    time_limit_s: float

    @classmethod
    def checked(
        cls,
        *,
        cutoff_s: float | Mapping[str, float] | None,
        several: bool,
        existing: bool,
        priority: bool,
        **given: Any,
    ) -> Wish:
        """Check that the parameters fit the model and each other; all that do not are named at once.

        Raises
        ------
        InputError
            No such model, or parameters that are missing, too many or out of range.
        """
        model = given["model"]
        if model not in MODELS:
            zh, en = known_names(model, MODELS)
            raise InputError(f"没有模型 {model};{zh}", f"no model {model}; {en}")
        levels = tuple(cutoff_s) if isinstance(cutoff_s, Mapping) else ()
        hierarchical = model == "hierarchical"
        bad: list[tuple[str, str]] = []
        if model != "lscp" and given["sites"] is None and given["budget"] is None:
            bad.append(("须给出 sites 或 budget", "give sites or budget"))
        if model in _COVERING and cutoff_s is None:
            bad.append(("须给出 cutoff_s", "give cutoff_s"))
        if hierarchical and (len(levels) != 2 or several):
            bad.append(
                ("hierarchical 的 cutoff_s 须为两级, 需求为一列", "two levels in cutoff_s and one column of demand")
            )
        if hierarchical and not (isinstance(given["sites"], Mapping) and set(given["sites"]) == set(levels)):
            bad.append(("hierarchical 的 sites 须按级给出", "sites must be given by level, the levels of cutoff_s"))
        if hierarchical and given["budget"] is not None:
            bad.append(("hierarchical 不支持 budget", "hierarchical takes no budget"))
        if not hierarchical and isinstance(given["sites"], Mapping):
            bad.append(("sites 只在 hierarchical 中按级给出", "only hierarchical takes sites by level"))
        if model.startswith("capacitated") and existing:
            bad.append(
                (
                    "现有设施请作为 fixed 的候选地 (含 capacity) 给出",
                    "give what exists as fixed candidates with capacity",
                )
            )
        if given["k_best"] < 1 or (given["k_best"] > 1 and model not in ("lscp", "mclp", "p_median")):
            bad.append(("k_best 须不小于 1, 且只用于 lscp, mclp, p_median", "k_best is for lscp, mclp, p_median"))
        if priority and (model not in ("mclp", "p_median") or given["k_best"] > 1):
            bad.append(
                ("priority 只用于 mclp, p_median 且 k_best = 1", "priority is for mclp and p_median, with k_best 1")
            )
        if given["least"] not in ("sites", "cost"):
            bad.append(("least 须为 sites 或 cost", "least must be sites or cost"))
        if not 0 <= given["backup_weight"] <= 1:
            bad.append(("backup_weight 须在 0 与 1 之间", "backup_weight must be from 0 to 1"))
        beyond = given["beyond_s"]
        if beyond is not None and not (np.isfinite(beyond) and beyond > 0):
            bad.append(("beyond_s 须大于 0", "beyond_s must be above 0"))
        if not given["time_limit_s"] > 0:
            bad.append(("time_limit_s 须大于 0", "time_limit_s must be above 0"))
        if bad:
            raise InputError(f"{model}: " + ";".join(b[0] for b in bad), f"{model}: " + "; ".join(b[1] for b in bad))
        return cls(levels=levels, **given)


@dataclass(frozen=True, eq=False)
class Found:
    """What a model answered.

    Attributes
    ----------
    solutions : list of Solution
        Best first; objective and bound as the reader wants them.
    counted : ndarray of bool, shape (m,)
        Demand that the model looked at.
    upper : ndarray of int64 or None
        Sites of the higher level.
    allocation : Allocation or None
        Flows, rows counted among `counted`.
    stages : list of tuple
        Rank, objective and bound of each group.
    """

    solutions: list[Solution]
    counted: NDArray[np.bool_]
    upper: NDArray[np.int64] | None = None
    allocation: Allocation | None = None
    stages: list[tuple[int, float, float]] = field(default_factory=list)


def run_model(case: Case, wish: Wish, *, rank: NDArray[np.int64] | None = None) -> Found:
    """Ask the model of a wish."""
    if wish.model == "hierarchical":
        return _two_levels(case, wish)
    sites = wish.sites if not isinstance(wish.sites, Mapping) else None
    limits = case.limits(sites=sites, budget=wish.budget)
    needed = case.weight > 0
    known = needed & (wish.count_unknown | ~case.unknown)
    if wish.model in ("lscp", "mclp"):
        return _cover(case, wish, limits, known & ~case.covered, rank)
    if wish.model == "backup":
        return _backup(case, wish, limits, known & (case.covers < 2))
    if wish.model.startswith("capacitated"):
        return _capacitated(case, wish, limits, needed)
    base = np.minimum(case.present_s, np.inf if wish.beyond_s is None else wish.beyond_s)
    counted = needed & ((np.bincount(case.row, minlength=len(needed)) > 0) | np.isfinite(base))
    if wish.model == "p_center":
        found = p_center(case.choices(counted, cost=case.cost, base=base), limits, time_limit_s=wish.time_limit_s)
        return Found([found], counted)
    choices = case.choices(counted, cost=case.cost, base=base, merge=rank is None)
    if rank is None:
        found_all = locate(choices, limits, k_best=wish.k_best, time_limit_s=wish.time_limit_s)
        return Found(found_all, counted)
    found, stages = locate_in_turn(choices, limits, rank=rank[counted], time_limit_s=wish.time_limit_s)
    return Found([found], counted, stages=stages)


def _flip(found: Solution, total: float) -> Solution:
    """Turn what is missing into what is had."""
    if not np.isfinite(found.objective):
        return found
    return type(found)(found.status, found.sites, total - found.objective, total - found.bound)


def _cover(case: Case, wish: Wish, limits: Limits, counted: NDArray[np.bool_], rank: NDArray[np.int64] | None) -> Found:
    if wish.model == "lscp":
        near = np.bincount(case.row[case.near], minlength=len(counted)) > 0
        counted = counted & near
        opening = np.ones(len(limits.price)) if wish.least == "sites" else limits.price
        choices = case.choices(counted, cost=None, base=np.inf)
        options: dict[str, Any] = {"k_best": wish.k_best, "time_limit_s": wish.time_limit_s}
        return Found(locate(choices, limits, opening=opening, **options), counted)
    choices = case.choices(counted, cost=None, base=1.0, merge=rank is None)
    total = float(choices.weight.sum())
    if rank is None:
        found_all = locate(choices, limits, k_best=wish.k_best, time_limit_s=wish.time_limit_s)
        return Found([_flip(f, total) for f in found_all], counted)
    found, stages = locate_in_turn(choices, limits, rank=rank[counted], time_limit_s=wish.time_limit_s)
    return Found([_flip(found, total)], counted, stages=stages)


def _backup(case: Case, wish: Wish, limits: Limits, counted: NDArray[np.bool_]) -> Found:
    choices = case.choices(counted, cost=None, base=1.0, merge=False)
    covers = case.covers[counted]
    found = backup_cover(
        choices, limits, covers=covers, backup_weight=wish.backup_weight, time_limit_s=wish.time_limit_s
    )
    missing = float(choices.weight @ ((covers == 0) + wish.backup_weight))
    return Found([_flip(found, missing)], counted)


def _capacitated(case: Case, wish: Wish, limits: Limits, counted: NDArray[np.bool_]) -> Found:
    if "capacity" not in case.candidates.columns:
        raise InputError(
            f"{wish.model}: 候选地缺少列 capacity (人);请填写",
            f"{wish.model}: candidates lack `capacity` (people); add it",
        )
    room = case.candidates["capacity"].to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = int((~np.isfinite(room) | (room < 0)).sum())
    if wrong or not np.array_equal(case.weight, case.people):
        raise InputError(
            f"{wish.model}: {wrong} 个候选地的 capacity 缺失或为负;且不支持 weights",
            f"{wish.model}: capacity is missing or negative at {wrong} candidates; weights are not taken",
        )
    covering = wish.model == "capacitated_mclp"
    base = 1.0 if covering else (np.inf if wish.beyond_s is None else wish.beyond_s)
    if not np.isfinite(base):
        counted = counted & (np.bincount(case.row, minlength=len(counted)) > 0)
    choices = case.choices(counted, cost=None if covering else case.cost, base=base, merge=False)
    found = capacitated(choices, limits, capacity=room, time_limit_s=wish.time_limit_s)
    solution = _flip(found.solution, float(choices.weight.sum())) if covering else found.solution
    return Found([solution], counted, allocation=found)


def _two_levels(case: Case, wish: Wish) -> Found:
    wanted = wish.sites if isinstance(wish.sites, Mapping) else {}
    m = len(case.weight) // 2
    unknown = case.unknown[:m] | case.unknown[m:]
    counted = np.tile((case.weight[:m] > 0) & (wish.count_unknown | ~unknown), 2)
    lower = np.arange(2 * m) < m
    low_limits, high_limits = (case.limits(sites=wanted[level], budget=None) for level in wish.levels)
    # Options at -1 stay in the table even of who is served already (base 0), so that both levels have the same rows.
    cost = np.where(case.near, -1.0, np.inf)
    base = np.where(case.covered, 0.0, 1.0)
    low, high = (case.choices(counted & rows, cost=cost, base=base, merge=False) for rows in (lower, ~lower))
    free = replace(low_limits, fixed=np.zeros_like(low_limits.fixed))
    found, _, upper = two_levels(low, high, free, high_limits, time_limit_s=wish.time_limit_s)
    return Found([_flip(found, float(low.weight.sum()))], counted, upper=upper)
