"""What a call with two threads takes where both cores are idle, measured in processor time: other work hardly counts.

That is the time of the calling thread plus, for each pool of threads, that of the busier of two threads that take its
parts in turn. The parts are measured while two threads work at once, so that what they take from each other counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

_submit = ThreadPoolExecutor.submit


def longer_way(work: Callable[[], Any], runs: int) -> float:
    """Return the median over runs of the processor time along the longer way [s]; `work` uses two threads."""
    return statistics.median(_once(work) for _ in range(runs))


def processor_seconds(work: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """Return the median over runs of the processor time of all threads [s], and what the last run returned."""
    times, result = [], None
    for _ in range(runs):
        begun = time.process_time()
        result = work()
        times.append(time.process_time() - begun)
    return statistics.median(times), result


def _once(work: Callable[[], Any]) -> float:
    pools: dict[int, list[float]] = {}

    def submit(pool: ThreadPoolExecutor, call: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
        parts = pools.setdefault(id(pool), [])
        parts.append(0.0)
        place = len(parts) - 1

        def timed(*args: Any, **options: Any) -> Any:
            begun = time.thread_time()
            try:
                return call(*args, **options)
            finally:
                parts[place] = time.thread_time() - begun

        return _submit(pool, timed, *args, **options)

    with patch.object(ThreadPoolExecutor, "submit", submit):
        begun = time.thread_time()
        work()
        seconds = time.thread_time() - begun
    for parts in pools.values():
        busy = [0.0, 0.0]
        for part in parts:
            busy[busy[1] < busy[0]] += part
        seconds += max(busy)
    return seconds
