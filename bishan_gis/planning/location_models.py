"""Location models beyond choosing by a weighted sum: the worst time, backup, capacity, two levels of a service.

Covering everybody (LSCP), covering most (MCLP) and the p-median are :func:`bishan_gis.planning.siting.locate.locate` on
different choices; :func:`bishan_gis.planning.site_plan.choose_sites` is the door to all of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.planning.siting.choices import Choices
from bishan_gis.planning.siting.greedy import greedy_sites
from bishan_gis.planning.siting.locate import Limits, Solution, locate, site_rows
from bishan_gis.planning.siting.milp import Program, Rows, solve_program, stack_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Allocation", "backup_cover", "capacitated", "p_center", "two_levels"]

_NONE = np.zeros(0, dtype=np.int64)


def p_center(choices: Choices, limits: Limits, *, time_limit_s: float = 60.0) -> Solution:
    """Choose the sites at which the worst-off demand bears least.

    Parameters
    ----------
    choices : Choices
        Times; `base` is the time to what exists already, inf where that serves nobody. Weights do not matter.
    limits : Limits
        What may be built.
    time_limit_s : float
        Longest time of all [s].

    Returns
    -------
    Solution
        Its objective is the longest time; ``infeasible`` where not everybody can be served.

    Notes
    -----
    ``min_Y max_i min_{j in Y} c_ij``: the smallest radius at which everybody can be covered within the limits, by
    bisection over the times that occur, each step a covering problem (Minieka 1970 [K]); exact, as the answer is one
    of these times.

    Examples
    --------
    >>> choices = Choices.from_pairs(
    ...     [0, 0, 1, 1], [0, 1, 0, 1], [60, 90, 240, 120], weight=[1, 1], base=[np.inf, np.inf], n_sites=2
    ... )
    >>> found = p_center(choices, Limits(np.zeros(2, dtype=bool), np.ones(2), sites=1))
    >>> found.sites.tolist(), found.objective
    ([1], 120.0)
    """
    ends = time.monotonic() + time_limit_s
    if len(choices.weight) == 0:
        return Solution("optimal", np.flatnonzero(limits.fixed).astype(np.int64), 0.0, 0.0)
    radii = np.unique(np.r_[choices.cost, choices.base[np.isfinite(choices.base)]])
    # Nobody can do better than with every site built.
    nearest = choices.best(np.arange(choices.n_sites))
    low, high, found = int(np.searchsorted(radii, nearest.max())), len(radii), _NONE
    proven, status = low, "infeasible"
    while low < high:
        middle = (low + high) // 2
        answer = _cover_within(choices, limits, float(radii[middle]), max(ends - time.monotonic(), 0.01))
        if answer is not None and answer[0]:
            high, found = middle, answer[1]
            continue
        low = middle + 1
        if answer is None:
            status = "time_limit"
        elif status != "time_limit":
            proven = low
    if high == len(radii):
        return Solution(status, _NONE, np.inf, float(radii[proven]) if proven < len(radii) else np.inf)
    worst = float(choices.best(found).max())
    if status == "time_limit":
        return Solution(status, found, worst, min(float(radii[proven]), worst))
    return Solution("optimal", found, worst, worst)


def _cover_within(
    choices: Choices, limits: Limits, radius: float, time_limit_s: float
) -> tuple[bool, NDArray[np.int64]] | None:
    """Say whether everybody can be covered within a radius, and by which sites; None where time ran out."""
    row, near = choices.row, choices.cost <= radius
    left = np.flatnonzero(choices.base > radius)
    served = np.bincount(row[near], minlength=len(choices.weight)) > 0
    if not served[left].all():
        return False, _NONE
    new = np.full(len(choices.weight), -1)
    new[left] = np.arange(len(left))
    keep = near & (new[row] >= 0)
    cover = Choices.from_pairs(
        new[row[keep]],
        choices.site[keep],
        np.zeros(int(keep.sum())),
        weight=np.ones(len(left)),
        base=np.full(len(left), np.inf),
        n_sites=choices.n_sites,
    )
    quick, _ = greedy_sites(cover, first=np.flatnonzero(limits.fixed))
    if limits.allow(quick) and np.isfinite(cover.total(quick)):
        return True, np.sort(quick)
    found = locate(cover, limits, time_limit_s=time_limit_s)[0]
    if found.status == "infeasible":
        return False, _NONE
    return (True, found.sites) if np.isfinite(found.objective) else None


def backup_cover(
    choices: Choices,
    limits: Limits,
    *,
    covers: NDArray[np.int64],
    backup_weight: float = 0.5,
    time_limit_s: float = 60.0,
) -> Solution:
    """Choose the sites that cover most people, and cover them twice where that is worth more.

    Parameters
    ----------
    choices : Choices
        Options within the cutoff, not merged; costs and `base` do not matter.
    limits : Limits
        What may be built.
    covers : ndarray of int64, shape (m,)
        How many facilities that exist cover each demand.
    backup_weight : float
        What the second cover of a person is worth against the first, 0 to 1.
    time_limit_s : float
        Longest time [s].

    Returns
    -------
    Solution
        Its objective is what is missing to everybody being covered twice: a person without any cover counts
        ``1 + backup_weight``, a person with one `backup_weight`.

    Notes
    -----
    ``min sum_i w_i (u_i + b v_i)`` with ``sum_{j in N_i} y_j + u_i + v_i >= 2 - e_i``, u and v from 0 to 1: with b <= 1
    the first cover is had before the second (Hogan & ReVelle 1986, concepts and applications of backup coverage,
    Management Science 32 [K]).

    Examples
    --------
    >>> choices = Choices.from_pairs(
    ...     [0, 0, 1], [0, 1, 2], [0, 0, 0], weight=[30, 10], base=[1, 1], n_sites=3, merge=False
    ... )
    >>> limits = Limits(np.zeros(3, dtype=bool), np.ones(3), sites=2)
    >>> [backup_cover(choices, limits, covers=np.zeros(2, int), backup_weight=b).objective for b in (0.5, 1)]
    [15.0, 20.0]
    """
    n, m = choices.n_sites, len(choices.weight)
    wanted = np.maximum(2 - covers, 0)
    # Demand with the same options and covers is one.
    same = replace(choices, cost=np.zeros(len(choices.cost)), base=1.0 + wanted)
    one = same.merged() if m else same
    k, wanted = len(one.weight), one.base - 1.0
    row, i = one.row, np.arange(k)
    sets = Rows.from_entries(
        np.r_[row, i, i],
        np.r_[one.site, n + i, n + k + i],
        np.ones(len(row) + 2 * k),
        lower=wanted,
        upper=np.full(k, np.inf),
    )
    cost = np.r_[np.zeros(n), one.weight, backup_weight * one.weight]
    program = Program(
        cost=cost,
        integer=np.r_[np.ones(n, dtype=bool), np.zeros(2 * k, dtype=bool)],
        lower=np.r_[limits.fixed.astype(float), np.zeros(2 * k)],
        upper=np.r_[np.ones(n), np.where(wanted >= 2, 1.0, 0.0), np.ones(k)],
        rows=stack_rows([sets, *site_rows(limits)]),
    )
    outcome = solve_program(program, time_limit_s=time_limit_s)
    if outcome.x is None:
        return Solution(outcome.status, _NONE, np.inf, outcome.bound)
    sites = np.flatnonzero(outcome.x[:n] > 0.5).astype(np.int64)
    built = np.zeros(n)
    built[sites] = 1
    missing = np.maximum(wanted - np.bincount(row, weights=built[one.site], minlength=k), 0.0)
    bare = np.maximum(missing - 1, 0)
    objective = float(one.weight @ (bare + backup_weight * np.minimum(missing, 1)))
    return Solution(outcome.status, sites, objective, min(outcome.bound, objective))


@dataclass(frozen=True, eq=False)
class Allocation:
    """Sites and how much of which demand each serves.

    Attributes
    ----------
    solution : Solution
        The sites.
    row, site : ndarray
        Demand and site of each flow.
    amount : ndarray of float64
        How much of the demand is served there.
    """

    solution: Solution
    row: NDArray[np.int64]
    site: NDArray[np.int64]
    amount: NDArray[np.float64]


def capacitated(
    choices: Choices,
    limits: Limits,
    *,
    capacity: NDArray[np.float64],
    time_limit_s: float = 60.0,
) -> Allocation:
    """Choose sites and send demand to them so that none takes more than it can.

    Parameters
    ----------
    choices : Choices
        Costs per person; weights are people, not merged. A finite `base` is the cost of a person who is not served,
        inf: everybody must be.
    limits : Limits
        What may be built.
    capacity : ndarray of float64, shape (n,)
        People that each site can serve.
    time_limit_s : float
        Longest time [s].

    Returns
    -------
    Allocation
        Sites and flows. The people of one cell may go to several sites.

    Notes
    -----
    ``min sum w_i c_ij x_ij`` with ``sum_j x_ij + u_i = 1``, ``sum_i w_i x_ij <= K_j y_j`` and ``x_ij <= y_j``:
    location-allocation with capacities (capacitated p-median, e.g. Daskin & Maass 2015 [K]).

    Examples
    --------
    >>> choices = Choices.from_pairs(
    ...     [0, 0, 1, 1], [0, 1, 0, 1], [60, 90, 60, 200], weight=[30, 10], base=[np.inf, np.inf], n_sites=2
    ... )
    >>> limits = Limits(np.zeros(2, dtype=bool), np.ones(2), sites=2)
    >>> found = capacitated(choices, limits, capacity=np.array([25.0, 25.0]))
    >>> found.solution.objective, found.amount.tolist()
    (2850.0, [15.0, 15.0, 10.0])
    """
    n, m, row = choices.n_sites, len(choices.weight), choices.row
    a, i, e = len(row), np.arange(m), np.arange(len(row))
    may = np.isfinite(choices.base)
    site, w = choices.site.astype(np.int64), choices.weight
    all_of = Rows.from_entries(
        np.r_[row, i], np.r_[n + e, n + a + i], np.ones(a + m), lower=np.ones(m), upper=np.ones(m)
    )
    room = np.minimum(capacity, float(w.sum()))
    within = Rows.from_entries(
        np.r_[site, np.arange(n)],
        np.r_[n + e, np.arange(n)],
        np.r_[w[row], -room],
        lower=np.full(n, -np.inf),
        upper=np.zeros(n),
    )
    built = Rows.from_entries(
        np.r_[e, e], np.r_[n + e, site], np.r_[np.ones(a), -np.ones(a)], lower=np.full(a, -np.inf), upper=np.zeros(a)
    )
    program = Program(
        cost=np.r_[np.zeros(n), w[row] * choices.cost, np.where(may, w * np.where(may, choices.base, 0), 0)],
        integer=np.r_[np.ones(n, dtype=bool), np.zeros(a + m, dtype=bool)],
        lower=np.r_[limits.fixed.astype(float), np.zeros(a + m)],
        upper=np.r_[np.ones(n + a), may.astype(float)],
        rows=stack_rows([all_of, within, built, *site_rows(limits)]),
    )
    outcome = solve_program(program, time_limit_s=time_limit_s)
    if outcome.x is None:
        return Allocation(Solution(outcome.status, _NONE, np.inf, outcome.bound), _NONE, _NONE, np.zeros(0))
    x = outcome.x
    amount = w[row] * x[n : n + a]
    flows = amount > 1e-6
    # What is tiny is the solver's tolerance.
    solution = Solution(
        outcome.status,
        np.flatnonzero(x[:n] > 0.5).astype(np.int64),
        float(f"{outcome.objective:.9g}"),
        float(f"{min(outcome.bound, outcome.objective):.9g}"),
    )
    return Allocation(solution, row[flows], site[flows], np.round(amount[flows], 6))


def two_levels(
    low: Choices, high: Choices, low_limits: Limits, high_limits: Limits, *, time_limit_s: float = 60.0
) -> tuple[Solution, NDArray[np.int64], NDArray[np.int64]]:
    """Choose sites of two levels at once, so that most people have both.

    Parameters
    ----------
    low, high : Choices
        Options within the cutoff of each level over the same demands, not merged; an infinite `cost` is not allowed. A
        site of the higher level offers the lower one, too. `base` 0: what exists already covers the demand.
    low_limits, high_limits : Limits
        What may be built of each level.
    time_limit_s : float
        Longest time [s].

    Returns
    -------
    Solution, ndarray of int64, ndarray of int64
        The people who lack a level, sites of the lower and of the higher level.

    Notes
    -----
    ``min sum_i w_i z_i`` with ``sum_{j in N_i} (x_j + y_j) + z_i >= 1`` and ``sum_{j in M_i} y_j + z_i >= 1``, N and M
    the sites within the lower and the higher cutoff (successively inclusive: Moore & ReVelle 1982, the hierarchical
    service location problem, Management Science 28 [K]).

    Examples
    --------
    >>> low = Choices.from_pairs([0, 1], [0, 1], [0, 0], weight=[30, 10], base=[1, 1], n_sites=2, merge=False)
    >>> high = Choices.from_pairs(
    ...     [0, 0, 1, 1], [0, 1, 0, 1], [0] * 4, weight=[30, 10], base=[1, 1], n_sites=2, merge=False
    ... )
    >>> one = Limits(np.zeros(2, dtype=bool), np.ones(2), sites=1)
    >>> found, x, y = two_levels(low, high, one, one)
    >>> found.objective, sorted([*x.tolist(), *y.tolist()])
    (0.0, [0, 1])
    """
    n, m = low.n_sites, len(low.weight)
    i = np.arange(m)
    low_row, high_row = low.row, high.row
    first = Rows.from_entries(
        np.r_[low_row, low_row, i],
        np.r_[low.site, n + low.site, 2 * n + i],
        np.ones(2 * len(low_row) + m),
        lower=(low.base > 0).astype(float),
        upper=np.full(m, np.inf),
    )
    second = Rows.from_entries(
        np.r_[high_row, i],
        np.r_[n + high.site, 2 * n + i],
        np.ones(len(high_row) + m),
        lower=(high.base > 0).astype(float),
        upper=np.full(m, np.inf),
    )
    program = Program(
        cost=np.r_[np.zeros(2 * n), low.weight],
        integer=np.r_[np.ones(2 * n, dtype=bool), np.zeros(m, dtype=bool)],
        lower=np.r_[low_limits.fixed, high_limits.fixed, np.zeros(m)].astype(float),
        upper=np.ones(2 * n + m),
        rows=stack_rows([first, second, *site_rows(low_limits), *site_rows(high_limits, first=n)]),
    )
    whole = bool((low.weight == np.rint(low.weight)).all())
    outcome = solve_program(program, time_limit_s=time_limit_s, whole=whole)
    if outcome.x is None:
        return Solution(outcome.status, _NONE, np.inf, outcome.bound), _NONE, _NONE
    y = np.flatnonzero(outcome.x[n : 2 * n] > 0.5).astype(np.int64)
    x = np.setdiff1d(np.flatnonzero(outcome.x[:n] > 0.5), y[~low_limits.fixed[y]]).astype(np.int64)
    has = _served(low, np.union1d(x, y)) & _served(high, y)
    objective = float(low.weight @ ~has)
    bound = objective if whole and outcome.status == "optimal" else min(outcome.bound, objective)
    return Solution(outcome.status, np.union1d(x, y), objective, bound), x, y


def _served(choices: Choices, sites: NDArray[np.int64]) -> NDArray[np.bool_]:
    built = np.zeros(choices.n_sites, dtype=bool)
    built[sites] = True
    out: NDArray[np.bool_] = choices.base <= 0
    out[choices.row[built[choices.site]]] = True
    return out
