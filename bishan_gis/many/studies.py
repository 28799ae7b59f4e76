"""Many studies, each a task; a report over all of them."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bishan_gis.cache import code_fingerprint
from bishan_gis.errors import BishanGisError, InputError, MissingFileError
from bishan_gis.many.tasks import Outcome, run_tasks
from bishan_gis.study import Study, load_study

__all__ = ["ManyRun", "find_studies", "run_many", "run_study_task", "task_key"]


@dataclass(frozen=True)
class ManyRun:
    """What became of many studies.

    Attributes
    ----------
    districts : list of dict
        Facts of every study that has results, ordered by id, see :func:`bishan_gis.output.city.district_facts`.
    states : dict
        File of a study -> ``done``, ``kept`` (nothing had changed) or ``failed``.
    seconds, memory_mb : dict
        File -> time [s] and largest memory of the process so far [MB], where the study was run.
    errors : dict
        File -> why the study failed.
    files : list of pathlib.Path
        The report over all, where one was asked for.
    """

    districts: list[dict[str, Any]]
    states: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    errors: dict[str, BishanGisError] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)


def find_studies(paths: Iterable[str | Path]) -> list[Path]:
    """Return the ``study.toml`` files that are meant.

    Parameters
    ----------
    paths : iterable of str or pathlib.Path
        Each a ``study.toml``, the folder of one, or a folder of such folders.

    Returns
    -------
    list of pathlib.Path
        Absolute, sorted, each once.

    Raises
    ------
    MissingFileError
        There is no study at one of them.
    """
    found: set[Path] = set()
    for given in paths:
        path = Path(given)
        here = [path] if path.is_file() else sorted(path.glob("study.toml")) or sorted(path.glob("*/study.toml"))
        if not here:
            raise MissingFileError(
                f"{path}: 找不到 study.toml;请给出 study.toml、其文件夹, 或存放多个研究文件夹的文件夹",
                f"{path}: no study.toml; give one, its folder, or a folder of such folders",
            )
        found.update(p.resolve() for p in here)
    return sorted(found)


def run_many(
    studies: Sequence[str | Path],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    retries: int = 2,
    out: str | Path | None = None,
    redo: bool = False,
    lang: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> ManyRun:
    """Run many studies, each a task of its own, and report over all.

    Parameters
    ----------
    studies : sequence of str or pathlib.Path
        See :func:`find_studies`.
    scheduler : str, optional
        ``processes`` (default), ``sync``, or ``tcp://host:port``: the files of the studies must then have the same
        paths on every host, and the package the same version.
    workers, retries : int
        See :func:`bishan_gis.many.tasks.run_tasks`.
    out : str or pathlib.Path, optional
        Folder for ``city.html, city.csv, city.json`` over all, and ``many.json``, the only file with times.
    redo : bool
        Also run what is done already.
    lang : str
        Language of the report; default that of the first study.
    progress : callable, optional
        Called with the file of a study that ended, studies ended, and studies in all.

    Returns
    -------
    ManyRun
        A study that failed is in ``errors``; the others go on, and what they wrote stands.

    Raises
    ------
    MissingFileError
        There is no study at one of the paths.
    InputError
        Two studies have the same id or write to the same folder, or a setting is wrong.
    NetworkError
        The cluster does not answer.
    OutputError
        The report cannot be written; the studies stand.

    Notes
    -----
    A study is done when the record beside its tables carries its key, a hash of its settings, all its input files and
    the program, and every file it wrote still has the hash it was written with. So what a study leaves does not
    depend on when, where and how often it was run, nor on the number of workers.

    Examples
    --------
    >>> run_many(["studies"], out="city").districts  # doctest: +SKIP
    """
    files = find_studies(studies)
    language, errors = _check(files)
    code = _code()
    tasks = {str(f): (str(f), code, redo) for f in files if str(f) not in errors}
    outcomes = run_tasks(
        run_study_task, tasks, scheduler=scheduler, workers=workers, retries=retries, progress=progress
    )
    outcomes += [Outcome(name, error=error) for name, error in errors.items()]
    outcomes.sort(key=lambda o: o.name)
    good = {o.name: o.value for o in outcomes if o.error is None}
    failed = {o.name: o.error for o in outcomes if o.error is not None}
    states = {o.name: "failed" if o.error else str(o.value["state"]) for o in outcomes}
    run = ManyRun(
        districts=sorted((value["facts"] for value in good.values()), key=lambda d: str(d["id"])),
        states=states,
        seconds={name: value["seconds"] for name, value in good.items() if "seconds" in value},
        memory_mb={name: value["memory_mb"] for name, value in good.items() if "memory_mb" in value},
        errors=failed,
    )
    if out is not None:
        from bishan_gis.output.city import write_city

        above = os.path.commonpath([str(f.parent.parent) for f in files])
        wrong = {
            Path(os.path.relpath(Path(name).parent, above)).as_posix(): _without(str(Path(name).parent), error)
            for name, error in failed.items()
        }
        times = {"states": states, "seconds": run.seconds, "memory_mb": run.memory_mb}
        run.files.extend(write_city(run.districts, Path(out), failed=wrong, times=times, lang=lang or language))
    return run


def _check(files: list[Path]) -> tuple[str, dict[str, BishanGisError]]:
    """Return the language, and the studies that cannot be read; no two may meet in an id or a folder."""
    errors: dict[str, BishanGisError] = {}
    taken: dict[tuple[str, str], Path] = {}
    language = ""
    for file in files:
        try:
            study = load_study(file)
        except BishanGisError as err:
            errors[str(file)] = err
            continue
        language = language or study.lang
        places = {"id": study.id, "paths.processed": str(study.processed)}
        if study.outputs.maps:
            places["paths.maps"] = str(study.maps)
        for what, value in places.items():
            other = taken.setdefault((what, value), file)
            if other != file:
                raise InputError(
                    f"{other} 与 {file}: {what} 相同 ({value});结果会互相覆盖, 请分别设置",
                    f"{other} and {file} have the same {what} ({value}); give each its own",
                )
    return language or "zh", errors


def _without(folder: str, error: BishanGisError) -> tuple[str, str]:
    """Return what an error says, without where this machine keeps the study."""
    return error.zh.replace(folder + os.sep, ""), error.en.replace(folder + os.sep, "")


def run_study_task(file: str, code: str, redo: bool) -> dict[str, Any]:
    """Run one study unless it is done: what a worker does.

    Parameters
    ----------
    file : str
        ``study.toml``.
    code : str
        Fingerprint of the program that asks; the worker's must be the same.
    redo : bool
        Run it even if it is done.

    Returns
    -------
    dict
        ``state`` (``done`` or ``kept``), ``facts``; where it was run also ``seconds, memory_mb``.

    Raises
    ------
    BishanGisError
        Anything that is wrong with the study, or the worker has another version of the program.
    """
    from bishan_gis.output.city import district_facts, load_done, write_done
    from bishan_gis.pipeline import run

    if _code() != code:
        said = (
            "工作进程的程序版本与提交任务的不同;请在每台机器上安装相同版本",
            "the worker has another version of the program or of its packages; install the same on every host",
        )
        raise InputError(*said)
    study = load_study(file)
    key = task_key(study, code)
    facts = None if redo else load_done(study, key)
    if facts is not None:
        return {"state": "kept", "facts": facts}
    begun = time.perf_counter()
    facts = district_facts(run(study))
    if task_key(load_study(file), code) == key:  # else an input changed under the run, and it is not done
        write_done(study, key, facts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "state": "done",
        "facts": facts,
        "seconds": round(time.perf_counter() - begun, 3),
        "memory_mb": round(peak, 1),
    }


@cache
def _code() -> str:
    return code_fingerprint()


def task_key(study: Study, code: str) -> str:
    """Return what stands for everything the results of a study depend on.

    Parameters
    ----------
    study : Study
        The settings.
    code : str
        Fingerprint of the program, :func:`bishan_gis.cache.code_fingerprint`.

    Returns
    -------
    str
        Hexadecimal SHA-256 over `code`, the settings, and name and content of every file they name, files that
        belong to those (``a.shp``: ``a.dbf``, ``a.prj`` ...) included.
    """
    from bishan_gis.sources.datasets import file_sha256

    wanted = {study.file, *(path for _, path in study.input_files())}
    if study.datasets:
        wanted.add(study.datasets)
    settings = study.model_dump(mode="json", exclude={"paths", "fetch"})
    wanted.update(path for path in map(study.raw, _texts(settings)) if _is_file(path))
    files = set(wanted)
    for path in wanted:
        if _is_file(path):
            files.update(p for p in path.parent.iterdir() if p.stem == path.stem and p.is_file())
    found = {os.path.relpath(path, study.folder): file_sha256(path) for path in files if path.exists()}
    text = json.dumps([code, sorted(found.items())])
    return hashlib.sha256(text.encode()).hexdigest()


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a setting: any of them may name a file."""
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text that is no name of a file
        return False
