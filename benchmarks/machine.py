"""What this machine can do at most: sequential and random access to memory, one core."""

from __future__ import annotations

import statistics
import time

import numba
import numpy as np


@numba.njit(cache=True)
def _gather(values: np.ndarray, at: np.ndarray) -> int:
    total = 0
    for i in at:
        total += values[i]
    return total


@numba.njit(cache=True)
def _chase(following: np.ndarray, steps: int) -> int:
    at = 0
    for _ in range(steps):
        at = following[at]
    return at


@numba.njit(cache=True)
def _sum(values: np.ndarray) -> int:
    total = 0
    for v in values:
        total += v
    return total


def _seconds(work, runs: int = 5) -> float:
    work()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def machine_limits() -> list[tuple[str, str]]:
    """Return name and figure: sequential reading, and random reads in a small and in a large array."""
    rng = np.random.default_rng(1)
    big = np.arange(32_000_000, dtype=np.int64)
    out = [("sequential reading", f"{big.nbytes / _seconds(lambda: _sum(big)) / 1e9:.1f} GB/s")]
    for label, size in (("1 MB", 1 << 18), ("16 MB", 1 << 22), ("128 MB", 1 << 25)):
        values = np.arange(size, dtype=np.int32)
        at = rng.integers(0, size, 4_000_000).astype(np.int32)
        free = len(at) / _seconds(lambda v=values, a=at: _gather(v, a)) / 1e6
        order = rng.permutation(size).astype(np.int32)
        following = np.empty(size, dtype=np.int32)
        following[order] = np.roll(order, -1)
        chained = 1_000_000 / _seconds(lambda f=following: _chase(f, 1_000_000)) / 1e6
        out.append((f"random reads in {label}", f"{free:,.0f} M/s; each after the one before {chained:,.0f} M/s"))
    return out
