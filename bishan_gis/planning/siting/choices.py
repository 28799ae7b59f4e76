"""Who may be served by which site at which cost: the one form that covering, median and centre models share.

Demand i has options (site, cost) and a cost ``base`` that it bears where none of its options is built; ``base``
infinite means that one of them must be. Covering within a cutoff is the case in which options cost 0 and ``base`` is 1;
the p-median has travel times, and the time to what exists already as ``base``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Choices", "Levels", "dominated_sites"]


@dataclass(frozen=True, eq=False)
class Choices:
    """Options of every demand, cheapest first.

    Attributes
    ----------
    n_sites : int
        Number of candidate sites.
    start : ndarray of int64, shape (m + 1,)
        Where the options of each demand begin.
    site : ndarray of int32
        Site of each option.
    cost : ndarray of float64
        Cost of each option, below `base` of its demand.
    weight : ndarray of float64, shape (m,)
        How much each demand counts.
    base : ndarray of float64, shape (m,)
        Cost of a demand none of whose options is built; inf: one must be.
    """

    n_sites: int
    start: NDArray[np.int64]
    site: NDArray[np.int32]
    cost: NDArray[np.float64]
    weight: NDArray[np.float64]
    base: NDArray[np.float64]

    @classmethod
    def from_pairs(
        cls,
        row: ArrayLike,
        site: ArrayLike,
        cost: ArrayLike,
        *,
        weight: ArrayLike,
        base: ArrayLike,
        n_sites: int,
        merge: bool = True,
    ) -> Choices:
        """Sort pairs and leave out what changes nothing.

        Parameters
        ----------
        row, site : array_like of int
            Demand and site of each pair; no pair twice.
        cost : array_like of float
            Cost of each pair.
        weight, base : array_like of float
            One per demand.
        n_sites : int
            Number of candidate sites.
        merge : bool
            Put demands with equal options and `base` together: their weights add up, the optimum stays.

        Returns
        -------
        Choices
            Demands without weight are left out, and options that are no better than `base`.

        Examples
        --------
        Two of three homes are covered by the same site:

        >>> choices = Choices.from_pairs(
        ...     [0, 1, 2], [4, 4, 5], [0.0, 0.0, 0.0], weight=[10, 20, 5], base=[1, 1, 1], n_sites=6
        ... )
        >>> choices.weight.tolist(), choices.site.tolist()
        ([30.0, 5.0], [4, 5])
        """
        r, s = np.asarray(row, dtype=np.int64), np.asarray(site, dtype=np.int32)
        c, w, b = (np.asarray(a, dtype=np.float64) for a in (cost, weight, base))
        kept = (c < b[r]) & (w[r] > 0)
        r, s, c = r[kept], s[kept], c[kept]
        order = np.lexsort((s, c, r))
        r, s, c = r[order], s[order], c[order]
        count = np.bincount(r, minlength=len(w))
        rows = np.flatnonzero((count > 0) | ((w > 0) & np.isfinite(b)))
        start = np.r_[0, np.cumsum(count[rows])].astype(np.int64)
        out = cls(n_sites, start, s, c, w[rows], b[rows])
        return out.merged() if merge else out

    @property
    def row(self) -> NDArray[np.int64]:
        """Demand of each option."""
        return np.repeat(np.arange(len(self.weight)), np.diff(self.start))

    def merged(self) -> Choices:
        """Put demands with equal options and base together; their weights add up."""
        count = np.diff(self.start)
        m = len(count)
        if m == 0:
            return self
        key = np.column_stack(
            [count.astype(np.uint64), self.base.view(np.uint64), _row_sums(self.start, _mix(self.site, self.cost))]
        )
        _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
        leader = first[group.ravel()]
        # A hash only proposes: every demand is compared with its leader entry by entry.
        row = self.row
        twin = self.start[leader[row]] + (np.arange(len(row)) - self.start[row])
        same = (self.site == self.site[twin]) & (self.cost == self.cost[twin])
        leader[row[~same]] = row[~same]
        rows = np.unique(leader)
        weight: NDArray[np.float64] = np.bincount(leader, weights=self.weight, minlength=m)[rows].astype(np.float64)
        return self.take(rows, weight)

    def take(self, rows: NDArray[np.int64], weight: NDArray[np.float64]) -> Choices:
        """Return some demands under new weights."""
        count = np.diff(self.start)[rows]
        start = np.r_[0, np.cumsum(count)].astype(np.int64)
        entry = np.repeat(self.start[rows] - start[:-1], count) + np.arange(start[-1])
        return Choices(self.n_sites, start, self.site[entry], self.cost[entry], weight, self.base[rows])

    def best(self, sites: ArrayLike) -> NDArray[np.float64]:
        """Return what each demand bears when these sites are built: its cheapest option, or `base`."""
        built = np.zeros(self.n_sites, dtype=bool)
        built[np.asarray(sites, dtype=np.int64)] = True
        out = self.base.copy()
        at = built[self.site]
        np.minimum.at(out, self.row[at], self.cost[at])
        return out

    def total(self, sites: ArrayLike) -> float:
        """Return what all demands bear, by weight; inf where one that must be served is not."""
        return float(self.weight @ self.best(sites))


def _mix(site: NDArray[np.int32], cost: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return two 64-bit numbers per option that look random and depend on site and cost alone."""
    seed = site.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ (cost + 0.0).view(np.uint64)
    out = np.empty((len(site), 2), dtype=np.uint64)
    for k, salt in enumerate((0x243F6A8885A308D3, 0x13198A2E03707344)):
        z = seed + np.uint64(salt)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[:, k] = z ^ (z >> np.uint64(31))
    return out


def _row_sums(start: NDArray[np.int64], values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Add up the entries of each row, modulo 2**64."""
    running = np.vstack([np.zeros((1, 2), dtype=np.uint64), np.cumsum(values, axis=0, dtype=np.uint64)])
    out: NDArray[np.uint64] = running[start[1:]] - running[start[:-1]]
    return out


@dataclass(frozen=True, eq=False)
class Levels:
    """Each set of sites near some demand, once: what is lost where none of them is built.

    Attributes
    ----------
    penalty : ndarray of float64, shape (n_levels,)
        What it costs all demands together that no site of the set is built.
    required : ndarray of bool, shape (n_levels,)
        One site of the set must be built.
    parent : ndarray of int64, shape (n_levels,)
        A smaller set within it, or -1.
    start, site : ndarray
        The sites that the set has besides its parent's.
    constant : float
        What demands bear even when every site is built.
    of_option : ndarray of int64
        Level of each option of the choices.
    step : ndarray of float64
        How much more the next site costs the demand than each option does, times its weight; 0 within ties.
    """

    penalty: NDArray[np.float64]
    required: NDArray[np.bool_]
    parent: NDArray[np.int64]
    start: NDArray[np.int64]
    site: NDArray[np.int32]
    constant: float
    of_option: NDArray[np.int64]
    step: NDArray[np.float64]

    @classmethod
    def from_choices(cls, choices: Choices) -> Levels:
        """Find the sets of sites within each cost of each demand; equal sets of different demands are one.

        Notes
        -----
        With c_1 < c_2 < ... < c_K the costs of demand i, c_{K+1} its base and S_k the sites at cost c_k or less, demand
        i bears ``c_1 + sum_k (c_{k+1} - c_k) z_k``, where z_k is 1 if no site of S_k is built (Cornuejols, Nemhauser &
        Wolsey 1980, a canonical representation of simple plant location problems [K]). Sets that are equal share
        their z (Church 2003, COBRA: a new formulation of the classic p-median location problem [K]). Equal sets are
        found by sums of 128 random bits per site.
        """
        row, start = choices.row, choices.start
        n = len(row)
        if n == 0:
            none = np.zeros(0, dtype=np.int64)
            constant = float(choices.weight @ choices.base) if len(choices.weight) else 0.0
            empty = np.zeros(0)
            return cls(empty, empty > 0, none, np.zeros(1, np.int64), none.astype(np.int32), constant, none, empty)
        last = np.r_[(row[1:] != row[:-1]) | (choices.cost[1:] != choices.cost[:-1]), True]
        end_of_row = np.r_[row[1:] != row[:-1], True]
        # Levels one after the other: the options that end one, and the cost of what comes next.
        ends = np.flatnonzero(last)
        after = np.where(end_of_row[ends], choices.base[row[ends]], choices.cost[np.minimum(ends + 1, n - 1)])
        required = ~np.isfinite(after)
        step = np.where(
            required, 0.0, choices.weight[row[ends]] * (np.where(required, 0.0, after) - choices.cost[ends])
        )
        running = np.cumsum(_mix(choices.site, np.zeros(n)), axis=0, dtype=np.uint64)
        before = np.vstack([np.zeros((1, 2), np.uint64), running])[start[row[ends]]]
        size = ends + 1 - start[row[ends]]
        key = np.column_stack([size.astype(np.uint64), running[ends] - before])
        _, first, same = np.unique(key, axis=0, return_index=True, return_inverse=True)
        same = same.ravel().astype(np.int64)
        follows = np.r_[False, row[ends][1:] == row[ends][:-1]]
        parent = np.where(follows[first], same[np.maximum(first - 1, 0)], -1)
        begin = np.r_[0, ends[:-1] + 1]
        count = (ends + 1 - begin)[first]
        fresh = np.r_[0, np.cumsum(count)].astype(np.int64)
        entry = np.repeat(begin[first] - fresh[:-1], count) + np.arange(fresh[-1])
        must = np.zeros(len(first), dtype=bool)
        must[same[required]] = True
        level_of = np.cumsum(np.r_[0, last[:-1]])
        full = np.zeros(n)
        full[ends] = step
        filled = np.diff(start) > 0
        cheapest = np.where(filled, choices.cost[np.minimum(start[:-1], n - 1)], choices.base)
        return cls(
            np.bincount(same, weights=step, minlength=len(first)).astype(np.float64),
            must,
            parent,
            fresh,
            choices.site[entry],
            float(choices.weight @ cheapest),
            same[level_of],
            full,
        )


def dominated_sites(
    choices: Choices, *, price: NDArray[np.float64], fixed: NDArray[np.bool_], most: int = 30_000_000
) -> NDArray[np.bool_]:
    """Find sites that another one replaces for everybody, at no higher price.

    Parameters
    ----------
    choices : Choices
        Options that all cost the same per demand (covering); otherwise nothing is looked for.
    price : ndarray of float64, shape (n_sites,) or (n_sites, k)
        Prices, by every one of which the other site must not be dearer.
    fixed : ndarray of bool, shape (n_sites,)
        Sites that stay.
    most : int
        Nothing is looked for where it takes more products than this.

    Returns
    -------
    ndarray of bool, shape (n_sites,)
        Sites that some optimum does without; of equal ones the first stays.

    Examples
    --------
    Site 1 covers what site 0 does and more:

    >>> choices = Choices.from_pairs([0, 0, 1], [0, 1, 1], [0, 0, 0], weight=[5, 5], base=[1, 1], n_sites=2)
    >>> dominated_sites(choices, price=np.ones(2), fixed=np.zeros(2, dtype=bool)).tolist()
    [True, False]
    """
    from scipy.sparse import csr_array

    n, count = choices.n_sites, np.diff(choices.start)
    size = np.bincount(choices.site, minlength=n)
    out = (size == 0) & ~fixed
    tied = len(choices.cost) == 0 or bool((choices.cost == choices.cost[0]).all())
    if not tied or int((count.astype(np.int64) ** 2).sum()) > most:
        return out if tied else np.zeros(n, dtype=bool)
    a = csr_array((np.ones(len(choices.site)), choices.site, choices.start), shape=(len(count), n))
    shared = (a.T @ a).tocoo()
    i, j = shared.coords
    rank = price.reshape(n, -1)
    within = (shared.data == size[i]) & (i != j) & (rank[j] <= rank[i]).all(axis=1)
    equal = (size[i] == size[j]) & (rank[j] == rank[i]).all(axis=1)
    within &= ~equal | (j < i) | fixed[j]
    out[i[within]] = True
    gone: NDArray[np.bool_] = out & ~fixed
    return gone
