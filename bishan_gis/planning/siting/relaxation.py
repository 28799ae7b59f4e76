"""Lagrangian relaxation: a bound, a good solution, and the sites that no optimum has, before the solver begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.planning.siting.choices import Choices

__all__ = ["Relaxation", "relax"]

#: The step is halved after so many rounds without a better bound, and the search ends below the least step.
_PATIENCE, _LEAST_STEP = 20, 1e-3


@dataclass(frozen=True, eq=False)
class Relaxation:
    """What the relaxation tells.

    Attributes
    ----------
    bound : float
        No solution is below.
    sites : ndarray of int64
        The best solution met, sorted.
    objective : float
        Its value.
    with_site : ndarray of float64, shape (n,)
        No solution that has this site is below.
    """

    bound: float
    sites: NDArray[np.int64]
    objective: float
    with_site: NDArray[np.float64]

    @property
    def hopeless(self) -> NDArray[np.bool_]:
        """Sites that every solution as good as :attr:`sites` does without."""
        slack = 1e-9 * max(1.0, abs(self.objective))
        out: NDArray[np.bool_] = self.with_site > self.objective + slack
        out[self.sites] = False
        return out


def relax(
    choices: Choices,
    *,
    fixed: NDArray[np.bool_],
    may: NDArray[np.bool_],
    opening: NDArray[np.float64],
    sites: int | None,
    start: NDArray[np.int64],
    rounds: int = 1000,
) -> Relaxation:
    """Bound the weighted cost of the best sites from below.

    Parameters
    ----------
    choices : Choices
        Who may be served by which site at which cost.
    fixed, may : ndarray of bool, shape (n,)
        Sites that are built in any case, and those that may be.
    opening : ndarray of float64, shape (n,)
        What building each site adds.
    sites : int or None
        Largest number of sites, the fixed ones included.
    start : ndarray of int64
        A solution to begin with; its total must be finite.
    rounds : int
        Most steps.

    Returns
    -------
    Relaxation
        Bound, best solution met, and bounds site by site.

    Notes
    -----
    Everybody is served once: ``sum_j x_ij = 1``. With prices u for this the rest falls apart by sites:
    ``L(u) = sum_i u_i + min_y sum_j y_j (f_j + sum_i min(0, w_i c_ij - u_i))`` with ``u_i <= w_i b_i`` is at most the
    optimum (Fisher 1981, doi:10.1287/mnsc.27.1.1); u climbs by subgradients (Held, Wolfe & Crowder
    1974 [K]). A site outside the best y costs at least the difference to the dearest chosen one more.

    Examples
    --------
    Homes of 30, 20 and 10 people; site 1 reaches the first two, site 0 the first, site 2 the last:

    >>> from bishan_gis.planning.siting.choices import Choices
    >>> choices = Choices.from_pairs(
    ...     [0, 0, 1, 2], [0, 1, 1, 2], [0, 0, 0, 0], weight=[30, 20, 10], base=[1, 1, 1], n_sites=3
    ... )
    >>> no, yes = np.zeros(3, dtype=bool), np.ones(3, dtype=bool)
    >>> found = relax(choices, fixed=no, may=yes, opening=np.zeros(3), sites=1, start=np.array([1]))
    >>> round(found.bound, 6), found.objective, found.hopeless.tolist()
    (10.0, 10.0, [True, False, True])
    """
    n, row, site, w = choices.n_sites, choices.row, choices.site, choices.weight
    pays = w[row] * choices.cost
    finite = np.isfinite(choices.base)
    bare = np.where(finite, w * np.where(finite, choices.base, 0.0), np.inf)
    free = may & ~fixed
    most = None if sites is None else max(sites - int(fixed.sum()), 0)
    order = np.argsort(site, kind="stable")
    begins = np.searchsorted(site[order], np.arange(n + 1))

    def options_of(chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate([order[begins[j] : begins[j + 1]] for j in chosen]) if len(chosen) else order[:0]

    def value(chosen: NDArray[np.int64], options: NDArray[np.int64]) -> float:
        bears = bare.copy()
        np.minimum.at(bears, row[options], pays[options])
        return float(bears.sum() + opening[chosen].sum())

    top, best = value(start, options_of(start)), np.sort(start)
    # A price is worth no less than the cheapest option and no more than what being without one costs.
    least, dearest = np.full(len(w), np.inf), np.zeros(len(w))
    np.minimum.at(least, row, pays)
    np.maximum.at(dearest, row, pays)
    least = np.where(np.isfinite(least), least, bare)
    u = 0.5 * (least + np.where(finite, bare, dearest))
    bound, at, step, idle = -np.inf, u, 1.0, 0
    reduced_at = np.zeros(n)
    for _ in range(rounds):
        saves = np.minimum(pays - u[row], 0.0)
        reduced = opening + np.bincount(site, weights=saves, minlength=n)
        chosen = _cheapest_sites(reduced, fixed, free, most)
        low = float(u.sum() + reduced[chosen].sum())
        idle = 0 if low > bound + 1e-6 * abs(low) else idle + 1
        if low > bound:
            bound, at, reduced_at = low, u, reduced
        options = options_of(chosen)
        whole = value(chosen, options)
        if whole < top:
            top, best = whole, np.sort(chosen)
        if idle > _PATIENCE:
            step, idle, u = step / 2, 0, at
            if step < _LEAST_STEP:
                break
            continue
        served = options[saves[options] < 0]
        slope = 1.0 - np.bincount(row[served], minlength=len(w))
        slope[((u >= bare) & (slope > 0)) | ((u <= least) & (slope < 0))] = 0.0
        length = float(slope @ slope)
        if length == 0 or top - low <= 1e-9 * max(1.0, abs(top)):
            break
        u = np.clip(u + step * (top - low) / length * slope, least, bare)
    return Relaxation(bound, best, top, bound + _more(reduced_at, fixed, free, most))


def _cheapest_sites(
    reduced: NDArray[np.float64], fixed: NDArray[np.bool_], free: NDArray[np.bool_], most: int | None
) -> NDArray[np.int64]:
    """Return the fixed sites and the free ones that lower the sum, no more than allowed."""
    good = np.flatnonzero(free & (reduced < 0))
    if most is not None and len(good) > most:
        good = good[np.argsort(reduced[good], kind="stable")[:most]]
    out: NDArray[np.int64] = np.r_[np.flatnonzero(fixed), good].astype(np.int64)
    return out


def _more(
    reduced: NDArray[np.float64], fixed: NDArray[np.bool_], free: NDArray[np.bool_], most: int | None
) -> NDArray[np.float64]:
    """Return by how much the bound grows where each site must be built."""
    chosen = _cheapest_sites(reduced, fixed, free, most)
    out = np.zeros(len(reduced))
    other = free.copy()
    other[chosen] = False
    # Where there is no room the dearest free site that was chosen has to go.
    mine = chosen[~fixed[chosen]]
    full = most is not None and len(mine) >= most
    gives_way = float(reduced[mine].max()) if full and len(mine) else 0.0
    out[other] = np.maximum(reduced[other] - gives_way, 0.0) if not full or len(mine) else np.inf
    return out
