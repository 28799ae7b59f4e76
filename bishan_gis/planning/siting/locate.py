"""Choices and limits as a program, and its best solutions."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.planning.siting.choices import Levels, dominated_sites
from bishan_gis.planning.siting.greedy import greedy_sites
from bishan_gis.planning.siting.milp import Program, Rows, solve_program, stack_rows
from bishan_gis.planning.siting.relaxation import relax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.planning.siting.choices import Choices
    from bishan_gis.planning.siting.milp import Outcome

__all__ = ["Limits", "Solution", "locate", "locate_in_turn", "site_rows"]


@dataclass(frozen=True, eq=False)
class Limits:
    """What may be built.

    Attributes
    ----------
    fixed : ndarray of bool, shape (n,)
        Sites that are built in any case; they count.
    price : ndarray of float64, shape (n,)
        Price of each site.
    sites : int or None
        Largest number of sites.
    budget : float or None
        Largest sum of prices.
    """

    fixed: NDArray[np.bool_]
    price: NDArray[np.float64]
    sites: int | None = None
    budget: float | None = None

    def allow(self, sites: NDArray[np.int64]) -> bool:
        """Say whether these sites may be built together."""
        few = self.sites is None or len(sites) <= self.sites
        cheap = self.budget is None or float(self.price[sites].sum()) <= self.budget * (1 + 1e-9)
        return few and cheap and bool(np.isin(np.flatnonzero(self.fixed), sites).all())


@dataclass(frozen=True, eq=False)
class Solution:
    """Sites and what they cost everybody.

    Attributes
    ----------
    status : str
        ``optimal, time_limit`` or ``infeasible``.
    sites : ndarray of int64
        Positions of the sites, sorted.
    objective, bound : float
        What is minimised, and the value that no solution can be below.
    """

    status: str
    sites: NDArray[np.int64]
    objective: float
    bound: float


_NONE = np.zeros(0, dtype=np.int64)
#: The solver alone is as quick where people have fewer options than this in all.
_WORTH_RELAXING = 2000


def site_rows(limits: Limits, *, exact: bool = False, first: int = 0) -> list[Rows]:
    """Return the constraints on the columns of sites.

    Parameters
    ----------
    limits : Limits
        What may be built.
    exact : bool
        Build the whole number of sites, not fewer.
    first : int
        Column of the first site.
    """
    n = len(limits.price)
    rows, columns = [], first + np.arange(n)
    if limits.sites is not None:
        most = float(min(limits.sites, n))
        rows.append(Rows.single(columns, np.ones(n), lower=most if exact else -np.inf, upper=most))
    if limits.budget is not None:
        paid = limits.price > 0
        rows.append(Rows.single(columns[paid], limits.price[paid], upper=limits.budget))
    return rows


def _program(levels: Levels, limits: Limits, opening: NDArray[np.float64], *, exact: bool) -> Program:
    n, k = len(limits.price), len(levels.penalty)
    child = np.flatnonzero(levels.parent >= 0)
    row = np.r_[np.repeat(np.arange(k), np.diff(levels.start)), np.arange(k), child]
    column = np.r_[levels.site, n + np.arange(k), n + levels.parent[child]]
    value = np.r_[np.ones(len(levels.site) + k), -np.ones(len(child))]
    least = (levels.parent < 0).astype(float)
    sets = Rows.from_entries(row, column, value, lower=least, upper=np.full(k, np.inf))
    return Program(
        cost=np.r_[opening, levels.penalty],
        integer=np.r_[np.ones(n, dtype=bool), np.zeros(k, dtype=bool)],
        lower=np.r_[limits.fixed.astype(float), np.zeros(k)],
        upper=np.r_[np.ones(n), np.where(levels.required, 0.0, 1.0)],
        rows=stack_rows([sets, *site_rows(limits, exact=exact)]),
    )


def _start(choices: Choices, limits: Limits, n_columns: int) -> NDArray[np.float64] | None:
    found, _ = greedy_sites(
        choices,
        most=limits.sites,
        first=np.flatnonzero(limits.fixed),
        price=limits.price,
        budget=np.inf if limits.budget is None else limits.budget - float(limits.price[limits.fixed].sum()),
    )
    if not np.isfinite(choices.total(found)) or not limits.allow(found):
        return None
    x = np.full(n_columns, np.nan)
    x[: choices.n_sites] = 0.0
    x[found] = 1.0
    return x


def _whole(*arrays: NDArray[np.float64]) -> bool:
    return all(bool((a == np.rint(a)).all()) and float(np.abs(a).sum()) < 2**40 for a in arrays)


def _solution(
    outcome: Outcome, choices: Choices, opening: NDArray[np.float64], constant: float, *, whole: bool
) -> Solution:
    if outcome.status == "infeasible" or outcome.x is None:
        return Solution(outcome.status, _NONE, np.inf, outcome.bound + constant)
    sites = np.flatnonzero(outcome.x[: choices.n_sites] > 0.5).astype(np.int64)
    objective = choices.total(sites) + float(opening[sites].sum())
    bound = objective if whole and outcome.status == "optimal" else min(outcome.bound + constant, objective)
    return Solution(outcome.status, sites, objective, bound)


def locate(
    choices: Choices,
    limits: Limits,
    *,
    opening: NDArray[np.float64] | None = None,
    k_best: int = 1,
    time_limit_s: float = 60.0,
    reduce: bool = True,
) -> list[Solution]:
    """Choose the sites at which demand bears least.

    Parameters
    ----------
    choices : Choices
        Who may be served by which site at which cost.
    limits : Limits
        What may be built.
    opening : ndarray of float64, optional
        What building each site adds to the objective.
    k_best : int
        Number of solutions, best first. With `opening` each lacks a site of every one before it, otherwise each has a
        site that they lack: none is contained in another for nothing.
    time_limit_s : float
        Longest time of all [s].
    reduce : bool
        Leave out sites that others replace for everybody (one solution only; the optimum stays).

    Returns
    -------
    list of Solution
        At least one; fewer than `k_best` where there are no more.

    Notes
    -----
    ``min sum_j f_j y_j + sum_S p_S z_S`` with ``sum_{j in S} y_j + z_S >= 1`` for every set S of sites near somebody
    (:class:`~bishan_gis.planning.siting.choices.Levels`): y is whole, z follows. Sets are nested, so that each is
    written as what it has besides a smaller one: ``z_S + sum_{j in S - T} y_j >= z_T``.

    Examples
    --------
    Homes of 30, 20 and 10 people; site 1 reaches the first two, site 2 the last:

    >>> from bishan_gis.planning.siting.choices import Choices
    >>> choices = Choices.from_pairs(
    ...     [0, 0, 1, 2], [0, 1, 1, 2], [0, 0, 0, 0], weight=[30, 20, 10], base=[1, 1, 1], n_sites=3
    ... )
    >>> best, next_best = locate(choices, Limits(np.zeros(3, dtype=bool), np.ones(3), sites=1), k_best=2)
    >>> best.sites.tolist(), best.objective, next_best.sites.tolist(), next_best.objective
    ([1], 10.0, [0], 30.0)
    """
    ends = time.monotonic() + time_limit_s
    f = np.zeros(choices.n_sites) if opening is None else opening
    levels = Levels.from_choices(choices)
    several = k_best > 1
    program = _program(levels, limits, f, exact=several and limits.budget is None and opening is None)
    if reduce and not several:
        gone = dominated_sites(choices, price=np.column_stack([f, limits.price]), fixed=limits.fixed)
        program = replace(program, upper=np.where(np.r_[gone, np.zeros(len(levels.penalty), bool)], 0.0, program.upper))
    whole = _whole(levels.penalty, f, np.array([levels.constant]))
    start = _start(choices, limits, len(program.cost))
    if start is not None and (start[: choices.n_sites] > program.upper[: choices.n_sites]).any():
        start = None
    if reduce and not several and start is not None and limits.budget is None:
        program, start = _without_hopeless(program, choices, limits, f, start)
    out: list[Solution] = []
    while len(out) < k_best:
        left = max(ends - time.monotonic(), 0.01)
        outcome = solve_program(program, start=start, time_limit_s=left, whole=whole)
        found = _solution(outcome, choices, f, levels.constant, whole=whole)
        if out and not len(found.sites):
            break
        out.append(found)
        if found.status == "infeasible" or not len(found.sites):
            break
        program, start = program.add(_cut(found.sites, choices.n_sites, fewer=opening is not None)), None
    return out


def _without_hopeless(
    program: Program,
    choices: Choices,
    limits: Limits,
    opening: NDArray[np.float64],
    start: NDArray[np.float64],
) -> tuple[Program, NDArray[np.float64]]:
    """Close the sites that cannot be part of an optimum, and begin with the best solution met on the way."""
    n = choices.n_sites
    if len(choices.site) < _WORTH_RELAXING:
        return program, start
    found = relax(
        choices,
        fixed=limits.fixed,
        may=program.upper[:n] > 0,
        opening=opening,
        sites=limits.sites,
        start=np.flatnonzero(start[:n] > 0),
    )
    upper, better = program.upper.copy(), start.copy()
    upper[:n][found.hopeless] = 0.0
    better[:n] = 0.0
    better[found.sites] = 1.0
    return replace(program, upper=upper), better


def _cut(sites: NDArray[np.int64], n: int, *, fewer: bool) -> Rows:
    if fewer:
        return Rows.single(sites, np.ones(len(sites)), upper=len(sites) - 1.0)
    others = np.setdiff1d(np.arange(n), sites)
    return Rows.single(others, np.ones(len(others)), lower=1.0)


def locate_in_turn(
    choices: Choices, limits: Limits, *, rank: NDArray[np.int64], time_limit_s: float = 60.0
) -> tuple[Solution, list[tuple[int, float, float]]]:
    """Choose the sites at which the first group bears least, of these the ones best for the second, and so on.

    Parameters
    ----------
    choices : Choices
        Who may be served by which site at which cost, not merged.
    limits : Limits
        What may be built.
    rank : ndarray of int64, shape (m,)
        Group of each demand; the smallest comes first.
    time_limit_s : float
        Longest time of all [s].

    Returns
    -------
    Solution, list of tuple
        The last solution, whose objective and bound are those of all groups together; and rank, objective and bound of
        each group in turn.

    Examples
    --------
    Ten people who come first outweigh thirty:

    >>> from bishan_gis.planning.siting.choices import Choices
    >>> choices = Choices.from_pairs([0, 1], [0, 1], [0, 0], weight=[30, 10], base=[1, 1], n_sites=2)
    >>> limits = Limits(np.zeros(2, dtype=bool), np.ones(2), sites=1)
    >>> locate_in_turn(choices, limits, rank=np.array([2, 1]))[0].sites.tolist()
    [1]
    """
    ends = time.monotonic() + time_limit_s
    n, levels = choices.n_sites, Levels.from_choices(choices)
    zero = np.zeros(n)
    program = _program(levels, limits, zero, exact=False)
    row = choices.row
    stages: list[tuple[int, float, float]] = []
    start = _start(choices, limits, len(program.cost))
    status, found = "optimal", Solution("infeasible", _NONE, np.inf, np.inf)
    for r in np.unique(rank):
        mine = levels.step * (rank[row] == r)
        penalty = np.bincount(levels.of_option, weights=mine, minlength=len(levels.penalty)).astype(np.float64)
        whole = _whole(penalty)
        part = replace(program, cost=np.r_[zero, penalty])
        outcome = solve_program(part, start=start, time_limit_s=max(ends - time.monotonic(), 0.01), whole=whole)
        if outcome.x is None:
            found = Solution(outcome.status, found.sites, found.objective, found.bound)
            return found, stages
        if outcome.status != "optimal":
            status = outcome.status
        sites = np.flatnonzero(outcome.x[:n] > 0.5).astype(np.int64)
        group = choices.take(np.flatnonzero(rank == r), choices.weight[rank == r])
        reached = group.total(sites)
        low = _lowest(group)
        bound = reached if whole and outcome.status == "optimal" else min(outcome.bound + low, reached)
        stages.append((int(r), reached, bound))
        total = choices.total(sites)
        found = Solution(status, sites, total, total if status == "optimal" else -np.inf)
        some = np.flatnonzero(penalty)
        slack = 0.5 if whole else 1e-7 * max(1.0, abs(reached - low))
        program = program.add(Rows.single(n + some, penalty[some], upper=reached - low + slack))
        start = np.full(len(program.cost), np.nan)
        start[:n] = 0.0
        start[sites] = 1.0
    return found, stages


def _lowest(choices: Choices) -> float:
    return Levels.from_choices(choices).constant
