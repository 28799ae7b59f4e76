"""Reached pairs as positions, in a fixed order, and the sums over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.network.jit import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pairs", "count_repeats", "say_order", "sort_pairs"]


@njit(cache=True, nogil=True)
def say_order(origin, destination):  # type: ignore[no-untyped-def] # pragma: no cover
    """Say how pairs lie: 2 by origin and destination, 1 by destination and origin, 0 neither (repeats are either)."""
    rows = columns = True
    for k in range(1, len(origin)):
        if origin[k] < origin[k - 1] or (origin[k] == origin[k - 1] and destination[k] < destination[k - 1]):
            rows = False
        if destination[k] < destination[k - 1] or (destination[k] == destination[k - 1] and origin[k] < origin[k - 1]):
            columns = False
        if not rows and not columns:
            return 0
    return 2 if rows else 1


@njit(cache=True, nogil=True)
def _ends(key, n):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return where the pairs of each key begin, and at the end their number."""
    at = np.zeros(n + 1, dtype=np.intp)
    for k in key:
        at[k + 1] += 1
    for i in range(n):
        at[i + 1] += at[i]
    return at


@njit(cache=True, nogil=True)
def sort_pairs(origin, destination, cost, n, m):  # type: ignore[no-untyped-def] # pragma: no cover
    """Sort by origin and destination in linear time: by counting, first destinations and then origins."""
    at = _ends(destination, m)
    by_place, price = np.empty_like(origin), np.empty_like(cost)
    for k in range(len(origin)):
        p = at[destination[k]]
        at[destination[k]] = p + 1
        by_place[p], price[p] = origin[k], cost[k]
    begin = _ends(origin, n)
    to = begin[:-1].copy()
    out_origin, out_destination, out_cost = np.empty_like(origin), np.empty_like(destination), np.empty_like(cost)
    k = 0
    for j in range(m):
        while k < at[j]:  # by now at[j] is where the pairs of j end
            p = to[by_place[k]]
            to[by_place[k]] = p + 1
            out_destination[p], out_cost[p] = j, price[k]
            k += 1
    for i in range(n):
        out_origin[begin[i] : begin[i + 1]] = i
    return out_origin, out_destination, out_cost


@njit(cache=True, nogil=True)
def count_repeats(origin, destination):  # type: ignore[no-untyped-def] # pragma: no cover
    """Count pairs that equal the one before."""
    twice = 0
    for k in range(1, len(origin)):
        twice += origin[k] == origin[k - 1] and destination[k] == destination[k - 1]
    return twice


@njit(cache=True, nogil=True)
def _sum_products(to, of, amount, weight, n):  # type: ignore[no-untyped-def] # pragma: no cover
    """Add up ``amount[of] * weight`` for each of n positions `to`, in the order of the pairs."""
    out = np.zeros(n)
    for k in range(len(to)):
        out[to[k]] += amount[of[k]] * weight[k]
    return out


@njit(cache=True, nogil=True)
def _cheapest_first(starts, cost):  # type: ignore[no-untyped-def] # pragma: no cover
    """Sort the pairs of each origin by cost; equal costs stay in order."""
    order = np.empty(len(cost), dtype=np.intp)
    for i in range(len(starts) - 1):
        a, b = starts[i], starts[i + 1]
        order[a:b] = a + np.argsort(cost[a:b], kind="mergesort")
    return order


@dataclass(frozen=True)
class Pairs:
    """The reached pairs, in a fixed order, so that sums do not depend on the order of rows: by origin and destination.

    Parameters
    ----------
    origins, destinations : pandas.Index
        What positions refer to.
    origin, destination : ndarray of int
        Position of each pair's ends.
    cost : ndarray of float64
        Cost of each pair [s].
    """

    origins: pd.Index
    destinations: pd.Index
    origin: NDArray[np.int32]
    destination: NDArray[np.int32]
    cost: NDArray[np.float64]

    def sum_origins(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up a value per pair for each origin; 0 where there is no pair."""
        return np.bincount(self.origin, weights=values, minlength=len(self.origins)).astype(np.float64, copy=False)

    def sum_destinations(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up a value per pair for each destination; 0 where there is no pair."""
        return np.bincount(self.destination, weights=values, minlength=len(self.destinations)).astype(
            np.float64, copy=False
        )

    def gather_origins(self, amount: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up, for each origin, the amount of each destination times the weight of the pair."""
        out: NDArray[np.float64] = _sum_products(self.origin, self.destination, amount, weight, len(self.origins))
        return out

    def gather_destinations(self, amount: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up, for each destination, the amount of each origin times the weight of the pair."""
        out: NDArray[np.float64] = _sum_products(self.destination, self.origin, amount, weight, len(self.destinations))
        return out

    def keep(self, mask: NDArray[np.bool_]) -> Pairs:
        """Return only the pairs where `mask` holds, over the same origins and destinations."""
        return Pairs(self.origins, self.destinations, self.origin[mask], self.destination[mask], self.cost[mask])

    def sort_by_cost(self) -> Pairs:
        """Return the pairs of each origin with the cheapest first; equal costs stay in order of destination."""
        order = _cheapest_first(self.starts(), self.cost)
        return Pairs(self.origins, self.destinations, self.origin[order], self.destination[order], self.cost[order])

    def starts(self) -> NDArray[np.intp]:
        """Return where the pairs of each origin begin, and at the end the number of pairs."""
        counts = np.bincount(self.origin, minlength=len(self.origins))
        return np.concatenate([[0], np.cumsum(counts)])

    def series(self, values: NDArray[np.float64], name: str) -> pd.Series:
        """Return a value per origin on the caller's index."""
        return pd.Series(values, index=self.origins, name=name)
