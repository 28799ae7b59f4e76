"""How far a long task is: everywhere ``progress(done, total)``, and a bar where the caller says ``progress=True``.

Whole runs (:func:`bishan_gis.run` and the like) call ``progress(step, done, total)``, as they have steps with names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Progress", "counting", "in_threads", "step_bars"]

#: Called with what is done and what there is in all (0: not known); True: draw a bar; None or False: say nothing.
Progress = Callable[[int, int], None] | bool

P = TypeVar("P")
R = TypeVar("R")

#: Shortest time between two pictures of a bar in a notebook [s].
_EVERY_S = 0.1


@contextmanager
def counting(progress: Progress | None, total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told, from any thread, how much more is done.

    Parameters
    ----------
    progress : callable, bool or None
        What the caller wants, see :data:`Progress`. What it raises ends the task.
    total : int
        How much there is in all; 0 where it is not known.
    what : str
        Name of the task, beside the bar.

    Yields
    ------
    callable
        ``step(n)``.
    """
    if not progress:
        yield lambda _n: None
        return
    lock, done = Lock(), 0

    def step(n: int) -> None:
        nonlocal done
        with lock:
            done += n
            say(done, total)

    if callable(progress):
        say = progress
        yield step
        return
    with step_bars() as bars:
        say = lambda done, total: bars(what, done, total)  # noqa: E731
        say(0, total)
        yield step


def in_threads(
    work: Callable[[P], R],
    parts: Sequence[P],
    *,
    threads: int,
    progress: Progress | None = None,
    what: str = "",
    sizes: Sequence[int] | None = None,
    stop: NDArray[Any] | None = None,
    step: Callable[[int], None] | None = None,
) -> list[R]:
    """Work on parts in several threads; an error, or Ctrl-C, ends it with the parts that are being worked on.

    Parameters
    ----------
    work : callable
        Called with each part; it should let the interpreter go, as numpy, shapely and compiled functions do.
    parts : sequence
        In the order of the results.
    threads : int
        Parts worked on at the same time.
    progress : callable, bool or None
        See :data:`Progress`; called in the caller's thread.
    what : str
        Name of the task, beside the bar.
    sizes : sequence of int, optional
        How much each part counts; 1 where left out.
    stop : ndarray, optional
        Its first value is set to 1 at the end, so that a compiled function that looks at it ends early.
    step : callable, optional
        Of :func:`counting`, where this is one piece of a longer task; then `progress` and `what` do not matter.

    Returns
    -------
    list
        What `work` returned for each part.

    Examples
    --------
    >>> in_threads(abs, [-1, 2, -3], threads=2)
    [1, 2, 3]
    """
    size = [1] * len(parts) if sizes is None else list(sizes)
    pool = ThreadPoolExecutor(max_workers=max(threads, 1))
    try:
        with counting(None if step else progress, sum(size), what) as own:
            jobs = {pool.submit(work, part): n for part, n in zip(parts, size, strict=True)}
            for job in as_completed(jobs):
                job.result()
                (step or own)(jobs[job])
        return [job.result() for job in jobs]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # before `stop`: what ends early must not begin the next part
        if stop is not None:
            stop[0] = 1
        pool.shutdown()


@contextmanager
def step_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Yield ``progress(step, done, total)`` that draws a bar per step: on standard error, in notebooks below the cell.

    Yields
    ------
    callable
        For whole runs: ``bishan_gis.run(study, progress=bars)``.
    """
    kernel = _notebook()
    if kernel is not None:
        yield kernel
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def say(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total or None)
            bars.update(tasks[step], completed=done, total=total or None)

        yield say


def _notebook() -> Callable[[str, int, int], None] | None:
    """Return what draws bars below a notebook's cell, None elsewhere; rich needs ipywidgets for that."""
    import sys

    shell = sys.modules.get("IPython")
    running: Any = shell.get_ipython() if shell else None
    if running is None or not hasattr(running, "kernel"):
        return None
    from IPython.display import display

    show: Callable[..., Any] = display
    begun: dict[str, float] = {}
    drawn: dict[str, float] = {}
    handles: dict[str, Any] = {}

    def say(step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done != total and now - drawn.get(step, -1.0) < _EVERY_S:
            return
        drawn[step] = now
        full = round(20 * done / total) if total else 0
        share = f"{done / total:4.0%}" if total else f"{done:,}"
        text = f"{step} {'█' * full}{'░' * (20 - full)} {share} {now - begun.setdefault(step, now):.0f} s"
        if step in handles:
            handles[step].update({"text/plain": text}, raw=True)
        else:
            handles[step] = show({"text/plain": text}, raw=True, display_id=True)

    return say
