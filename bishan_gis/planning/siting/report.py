"""From positions of sites to the tables that a reader wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.planning.siting.greedy import greedy_sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.planning.siting.case import Case
    from bishan_gis.planning.siting.run import Found, Wish

__all__ = ["describe"]


def describe(case: Case, wish: Wish, found: Found) -> dict[str, Any]:
    """Return the fields of a ``SitePlan`` beside the model.

    Parameters
    ----------
    case : Case
        What was asked about.
    wish : Wish
        What was asked for.
    found : Found
        What the model answered.
    """
    best = found.solutions[0]
    sites = _ordered(case, wish, found)
    positions = sites["position"].to_numpy(dtype=np.int64)
    ids = case.candidates["candidate_id"].to_numpy(dtype=object)
    alternatives = pd.DataFrame(
        {
            "rank": np.arange(1, len(found.solutions) + 1),
            "objective": [s.objective for s in found.solutions],
            "sites": [tuple(sorted(ids[s.sites], key=str)) for s in found.solutions],
        }
    )
    off = abs(best.bound - best.objective)
    gap = 0.0 if best.status == "optimal" or off == 0 else float(off / max(abs(best.objective), 1e-9))
    assignment = _assignment(case, found, positions)
    columns = ["rank", "missing", "bound"]
    return {
        "status": best.status,
        "sites": _with_candidates(case, sites),
        "uncovered": _uncovered(case, wish, found, assignment),
        "assignment": assignment.drop(columns="row"),
        "alternatives": alternatives,
        "objective": best.objective,
        "bound": best.bound,
        "gap": gap if np.isfinite(off) else np.inf,
        "stages": pd.DataFrame(found.stages, columns=columns),
    }


def _ordered(case: Case, wish: Wish, found: Found) -> pd.DataFrame:
    """Return position, level, gain and people of each site in the order in which they help most."""
    chosen, upper = found.solutions[0].sites, found.upper
    parts = [("", chosen, found.counted)]
    if upper is not None:
        m = len(case.weight) // 2
        lower = np.arange(2 * m) < m
        parts = [(wish.levels[1], upper, found.counted & ~lower)]
        parts += [(wish.levels[0], np.setdiff1d(chosen, upper), found.counted & lower)]
    frames = []
    reached = case.covered.copy()
    for level, mine, rows in parts:
        order, gain = _order(case, wish, mine, rows, upper)
        people = np.zeros(len(order))
        for k, site in enumerate(order):
            at = case.row[(case.site == site) & case.near]
            new = at[~reached[at] & (rows[at] | (upper is None))]
            people[k] = case.people[new].sum()
            reached[new] = True
        if found.allocation is not None:
            # A site that is full leaves people who are near.
            got: NDArray[np.float64] = np.zeros(len(case.candidates))
            np.add.at(got, found.allocation.site, found.allocation.amount)
            people = got[order]
        frames.append(pd.DataFrame({"position": order, "level": level, "gain": gain, "people_new": people}))
    return pd.concat(frames, ignore_index=True)


def _order(
    case: Case,
    wish: Wish,
    mine: NDArray[np.int64],
    rows: NDArray[np.bool_],
    upper: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    among = np.zeros(len(case.candidates), dtype=bool)
    among[mine] = True
    fixed = case.candidates["fixed"].to_numpy(dtype=bool) & among
    if wish.model in ("p_median", "p_center", "capacitated_median"):
        longest = float(case.cost.max(initial=0.0))
        base = np.minimum(case.present_s, longest if wish.beyond_s is None else wish.beyond_s)
        choices = case.choices(rows, cost=case.cost, base=base)
    else:
        open_ = rows & ~case.covered
        if upper is not None and mine is not upper:
            served = np.zeros(len(rows), dtype=bool)
            served[case.row[np.isin(case.site, upper) & case.near]] = True
            open_ &= ~served
        choices = case.choices(open_, cost=None, base=1.0)
    useful = wish.model in ("mclp", "p_median") and wish.k_best == 1
    return greedy_sites(choices, first=np.flatnonzero(fixed), among=among, useful=useful)


def _with_candidates(case: Case, sites: pd.DataFrame) -> pd.DataFrame:
    own = case.candidates.iloc[sites["position"].to_numpy(dtype=np.int64)].reset_index(drop=True)
    head = pd.DataFrame(
        {
            "order": np.arange(1, len(sites) + 1),
            "candidate_id": own["candidate_id"],
            "level": sites["level"],
            "gain": sites["gain"],
            "people_new": sites["people_new"],
            "people_total": sites["people_new"].cumsum(),
            "cost_total": own["cost"].cumsum(),
        }
    )
    return pd.concat([head, pd.DataFrame(own.drop(columns="candidate_id"))], axis=1)


def _assignment(case: Case, found: Found, positions: NDArray[np.int64]) -> pd.DataFrame:
    """Return who goes where: to the nearest site, or as capacities allow."""
    ids = case.candidates["candidate_id"].to_numpy(dtype=object)
    if found.allocation is not None:
        back = np.flatnonzero(found.counted)
        row, site, people = back[found.allocation.row], found.allocation.site, found.allocation.amount
        n = len(ids)
        key = case.row * n + case.site
        order = np.argsort(key)
        cost = case.cost[order[np.searchsorted(key[order], row * n + site)]] if len(row) else np.zeros(0)
    else:
        use = np.isin(case.site, positions) & case.near & (case.weight[case.row] > 0)
        if found.upper is not None:
            higher = case.row >= len(case.weight) // 2
            use &= ~higher | np.isin(case.site, found.upper)
        use &= ~(case.covered[case.row] | (case.cost >= case.present_s[case.row]))
        row, site, cost = case.row[use], case.site[use], case.cost[use]
        order = np.lexsort((site, cost, row))
        row, site, cost = row[order], site[order], cost[order]
        first = np.r_[True, row[1:] != row[:-1]] if len(row) else np.zeros(0, dtype=bool)
        row, site, cost = row[first], site[first], cost[first]
        people = case.people[row]
    return pd.DataFrame(
        {
            "row": row,
            "demand_id": case.demand_id[row],
            "service": case.service[row],
            "candidate_id": ids[site],
            "cost_s": cost,
            "people": people,
        }
    )


def _uncovered(case: Case, wish: Wish, found: Found, assignment: pd.DataFrame) -> pd.DataFrame:
    """Return who stays without, and why."""
    m = len(case.weight)
    served = np.bincount(assignment["row"], weights=assignment["people"], minlength=m)
    # Where no cutoff says who is served, whoever reaches anything is.
    there = case.covered | (np.isinf(case.cutoff_s) & np.isfinite(case.present_s))
    left = np.where(there, 0.0, np.maximum(case.people - served, 0.0))
    left[left < 1e-6] = 0.0
    reach = np.bincount(case.row[case.near], minlength=m) > 0
    reason = np.where(reach, "budget", "no_candidate").astype(object)
    if found.allocation is not None:
        open_ = np.isin(case.site, found.solutions[0].sites) & case.near
        reason[np.bincount(case.row[open_], minlength=m) > 0] = "capacity"
    for status in ("unreachable", "off_network"):
        reason[~reach & (case.status == status)] = status
    if not wish.count_unknown:
        reason[case.unknown] = "unknown"
    rows = np.flatnonzero(left > 0)
    return pd.DataFrame(
        {
            "demand_id": case.demand_id[rows],
            "service": case.service[rows],
            "people": left[rows],
            "reason": reason[rows],
        }
    )
