"""Tasks on Dask: local processes, a cluster, or this process; failures do not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bishan_gis.errors import BishanGisError, InputError, NetworkError

__all__ = ["LOCAL", "SYNC", "Outcome", "check_scheduler", "run_tasks"]

#: Processes of this machine.
LOCAL = "processes"
#: This process, one task after the other.
SYNC = "sync"
#: How long a scheduler has to answer, and a first worker to appear [s].
_ANSWER_S = 30.0


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    name : str
        Name of the task.
    value : Any
        What it returned; None where it failed.
    error : BishanGisError or None
        Why it failed, after all retries.
    """

    name: str
    value: Any = None
    error: BishanGisError | None = None


def check_scheduler(scheduler: str | None) -> str:
    """Return where tasks run, or raise.

    Parameters
    ----------
    scheduler : str or None
        ``processes`` (also None), ``sync``, or the address of a Dask scheduler, ``tcp://host:port``.

    Returns
    -------
    str
        The same, ``processes`` for None.

    Raises
    ------
    InputError
        It is none of these.

    Examples
    --------
    >>> check_scheduler(None), check_scheduler("tcp://10.0.0.5:8786")
    ('processes', 'tcp://10.0.0.5:8786')
    """
    wanted = scheduler or LOCAL
    if wanted in (LOCAL, SYNC) or wanted.startswith(("tcp://", "tls://")):
        return wanted
    raise InputError(
        f"scheduler = {wanted!r} 无效;可用: {LOCAL} (本机进程), {SYNC} (当前进程), tcp://主机:端口 (Dask 集群)",
        f"scheduler = {wanted!r}: use {LOCAL} (this machine), {SYNC} (this process) or tcp://host:port (a cluster)",
    )


def run_tasks(
    function: Callable[..., Any],
    tasks: Mapping[str, tuple[Any, ...]],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    retries: int = 2,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Outcome]:
    """Call a function once for every task; a task that fails does not stop the others.

    Parameters
    ----------
    function : callable
        At the top level of a module, so that workers find it. It may be called again for the same task, also while
        a worker that was taken for dead is still at it: what it leaves must not depend on that.
    tasks : mapping
        Name -> arguments.
    scheduler : str, optional
        See :func:`check_scheduler`. A cluster is trusted: what is sent to it is code.
    workers : int, optional
        Processes; default one per core. Of a cluster: how many to wait for, default one.
    retries : int
        How often a task is tried again; so many workers may also die under it.
    progress : callable, optional
        Called with the name of a task that ended, tasks ended, and tasks in all.

    Returns
    -------
    list of Outcome
        In the order of `tasks`.

    Raises
    ------
    InputError
        A number or the scheduler is wrong, or Dask is not installed.
    NetworkError
        The cluster does not answer.

    Examples
    --------
    >>> [outcome.value for outcome in run_tasks(divmod, {"a": (7, 2), "b": (9, 3)}, scheduler="sync")]
    [(3, 1), (3, 0)]
    """
    where = check_scheduler(scheduler)
    for name, number, least in (("workers", workers, 1), ("retries", retries, 0)):
        if number is not None and number < least:
            raise InputError(f"{name} = {number}: 不得小于 {least}", f"{name} = {number}: must be {least} or more")
    ended: dict[str, Outcome] = {}
    runs = _here(function, tasks, retries) if where == SYNC else _there(function, tasks, where, workers, retries)
    for outcome in runs:
        ended[outcome.name] = outcome
        if progress:
            progress(outcome.name, len(ended), len(tasks))
    return [ended[name] for name in tasks]


def _here(function: Callable[..., Any], tasks: Mapping[str, tuple[Any, ...]], retries: int) -> Iterator[Outcome]:
    for name, arguments in tasks.items():
        for left in range(retries, -1, -1):
            try:
                outcome = Outcome(name, function(*arguments))
                break
            except Exception as err:
                outcome = Outcome(name, error=_ours(err))
                if left == 0:
                    break
        yield outcome


def _there(
    function: Callable[..., Any], tasks: Mapping[str, tuple[Any, ...]], where: str, workers: int | None, retries: int
) -> Iterator[Outcome]:
    if not tasks:
        return
    with _client(where, workers, len(tasks), retries) as client:
        from distributed import as_completed

        futures = {
            client.submit(function, *arguments, key=f"bishan-gis-{i}-{client.id}", retries=retries, pure=False): name
            for i, (name, arguments) in enumerate(tasks.items())
        }
        try:
            for future in as_completed(list(futures)):  # type: ignore[no-untyped-call]
                if future.status == "cancelled":
                    raise _lost(where, "the scheduler is gone")
                error = future.exception()
                value = None if error else future.result()
                yield Outcome(futures[future], value, _ours(error) if error else None)
        except OSError as err:
            if isinstance(err, BishanGisError):
                raise
            raise _lost(where, str(err)) from err
        except BaseException:
            client.cancel(list(futures))
            raise


@contextmanager
def _client(where: str, workers: int | None, n_tasks: int, retries: int) -> Iterator[Any]:
    """Yield a client of a cluster of ours, which ends with it, or of one that stands."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as err:
        said = (
            "并行运行需要 dask 和 distributed: pip install 'bishan-gis[many]';或用 --scheduler sync",
            "running in parallel needs dask and distributed: pip install 'bishan-gis[many]'; or use --scheduler sync",
        )
        raise InputError(*said) from err
    import os
    import tempfile

    with ExitStack() as stack:
        if where == LOCAL:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bishan_gis-", ignore_cleanup_errors=True))
            settings = {"distributed.scheduler.allowed-failures": retries, "distributed.worker.daemon": False}
            stack.enter_context(dask.config.set(settings))
            cluster: Any = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=min(workers or os.cpu_count() or 1, n_tasks),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                local_directory=folder,
                silence_logs=logging.CRITICAL,
            )
            stack.enter_context(cluster)
            address: Any = cluster
        else:
            address = where
        try:
            client = stack.enter_context(Client(address, timeout=_ANSWER_S))  # type: ignore[no-untyped-call]
            client.wait_for_workers(1 if where == LOCAL else workers or 1, timeout=_ANSWER_S)
        except (OSError, TimeoutError, ValueError) as err:
            raise _lost(where, str(err)) from err
        yield client


def _lost(where: str, why: str) -> NetworkError:
    return NetworkError(
        f"Dask 集群 {where} 没有响应或没有工作进程: {why};请检查地址以及 dask worker 是否在运行",
        f"the Dask cluster {where} does not answer or has no workers: {why}; check the address and that workers run",
    )


def _ours(error: BaseException) -> BishanGisError:
    """Return an error as one of ours; those of others keep their words."""
    if isinstance(error, BishanGisError):
        return error
    if type(error).__name__ == "KilledWorker":
        return InputError(
            "工作进程多次中途退出 (很可能是内存不足);请减少 --workers 或增加内存",
            "worker processes died under it again and again (most likely out of memory); use fewer --workers",
        )
    said = f"{type(error).__name__}: {error}"
    return InputError(f"未预料的错误: {said}", f"unexpected error: {said}")
