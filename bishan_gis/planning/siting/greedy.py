"""Sites one after the other, each the one that helps most: the order of building, and a start for the solver."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.planning.siting.choices import Choices

__all__ = ["greedy_sites"]


def greedy_sites(
    choices: Choices,
    *,
    most: int | None = None,
    first: NDArray[np.int64] | None = None,
    among: NDArray[np.bool_] | None = None,
    price: NDArray[np.float64] | None = None,
    budget: float = np.inf,
    useful: bool = True,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Build the site that lowers the weighted cost most, again and again.

    Parameters
    ----------
    choices : Choices
        Who may be served by which site at which cost. An infinite `base` counts as more than every cost.
    most : int, optional
        Number of sites, `first` included; default: as many as help.
    first : ndarray of int64, optional
        Sites that are built before all others, in the best order among themselves.
    among : ndarray of bool, optional
        Sites that may be built; default: all.
    price : ndarray of float64, optional
        With a budget: price of each site; the site with the greatest gain per price is built.
    budget : float
        Sites that would exceed what is left are passed over.
    useful : bool
        Stop where no site gains anything.

    Returns
    -------
    ndarray of int64, ndarray of float64
        Sites in the order of building, and by how much each lowers the weighted cost.

    Notes
    -----
    Gains never grow as sites are added, so that a site is looked at again only when its last gain is the largest (lazy
    greedy, Minoux 1978 [K]). Of equal gains the first site wins. Covering: at least 1 - 1/e of the optimum (Nemhauser,
    Wolsey & Fisher 1978 [K]).

    Examples
    --------
    >>> from bishan_gis.planning.siting.choices import Choices
    >>> choices = Choices.from_pairs(
    ...     [0, 0, 1, 2], [0, 1, 1, 2], [0, 0, 0, 0], weight=[30, 20, 10], base=[1, 1, 1], n_sites=3
    ... )
    >>> sites, gains = greedy_sites(choices)
    >>> sites.tolist(), gains.tolist()
    ([1, 2], [50.0, 10.0])
    """
    n = choices.n_sites
    order = np.argsort(choices.site, kind="stable")
    row, cost = choices.row[order], choices.cost[order]
    at = np.searchsorted(choices.site[order], np.arange(n + 1))
    high = float(choices.cost.max(initial=0.0)) + 1
    bears = np.where(np.isfinite(choices.base), choices.base, max(2 * high, 1.0))
    weight = choices.weight
    rate = np.ones(n) if price is None or not np.isfinite(budget) else np.maximum(price, 1e-12)
    spent = np.zeros(n) if price is None else price

    def gain(j: int) -> float:
        mine = slice(at[j], at[j + 1])
        return float(weight[row[mine]] @ np.maximum(bears[row[mine]] - cost[mine], 0.0))

    sites: list[int] = []
    gains: list[float] = []
    left = float(budget)
    early = [] if first is None else [int(j) for j in first]
    late = np.ones(n, dtype=bool) if among is None else among.copy()
    late[early] = False
    for group, bound in ((early, len(early)), (np.flatnonzero(late).tolist(), n if most is None else most)):
        heap = [(-gain(j) / rate[j], j) for j in group]
        heapq.heapify(heap)
        must = group is early
        while heap and len(sites) < bound:
            _, j = heapq.heappop(heap)
            if not must and spent[j] > left:
                continue
            now = gain(j)
            if heap and (-now / rate[j], j) > heap[0]:
                heapq.heappush(heap, (-now / rate[j], j))
                continue
            if now <= 0 and useful and not must:
                break
            sites.append(j)
            gains.append(now)
            left -= float(spent[j])
            mine = slice(at[j], at[j + 1])
            np.minimum.at(bears, row[mine], cost[mine])
    return np.array(sites, dtype=np.int64), np.array(gains)
