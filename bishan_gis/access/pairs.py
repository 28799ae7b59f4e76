"""Reached pairs as positions, in a fixed order, and the sums over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.network.jit import HAS_NUMBA, njit

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
def _sort_keys(origin, destination, row_bits, middle_bits, bits, keys, spare):  # type: ignore[no-untyped-def] # pragma: no cover
    """Sort numbers made of origin, destination and row, 8 bits at a time; return them and the array that is free."""
    for k in range(len(keys)):
        keys[k] = (((np.int64(origin[k]) << middle_bits) | destination[k]) << row_bits) | k
    at = np.empty(256, dtype=np.int64)
    for shift in range(row_bits, bits, 8):  # rows come in order
        at[:] = 0
        for key in keys:
            at[(key >> shift) & 255] += 1
        begin = 0
        for digit in range(256):
            at[digit], begin = begin, begin + at[digit]
        for key in keys:
            digit = (key >> shift) & 255
            spare[at[digit]] = key
            at[digit] += 1
        keys, spare = spare, keys
    return keys, spare


@njit(cache=True, nogil=True)
def _take_apart(keys, row_bits, middle_bits, cost, origin, destination, price):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write origin, destination and cost of each key."""
    rows, middle = (1 << row_bits) - 1, (1 << middle_bits) - 1
    for k in range(len(keys)):
        price[k] = cost[keys[k] & rows]
        pair = keys[k] >> row_bits
        origin[k], destination[k] = pair >> middle_bits, pair & middle


def sort_pairs(
    origin: NDArray[np.int32], destination: NDArray[np.int32], cost: NDArray[np.float64], n: int, m: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Sort by origin and destination, of which there are n and m, in linear time; the two are written over.

    New memory is what costs time here: the keys are two arrays, and the one that is free at the end holds the costs.
    """
    row_bits, middle_bits = (len(cost) - 1).bit_length(), (m - 1).bit_length()
    bits = row_bits + middle_bits + (n - 1).bit_length()
    if not HAS_NUMBA or bits > 63:
        order = np.lexsort((destination, origin))
        return origin[order], destination[order], cost[order]
    keys, spare = np.empty(len(cost), dtype=np.int64), np.empty(len(cost), dtype=np.int64)
    keys, spare = _sort_keys(origin, destination, row_bits, middle_bits, bits, keys, spare)
    price = spare.view(np.float64)
    _take_apart(keys, row_bits, middle_bits, cost, origin, destination, price)
    return origin, destination, price


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
