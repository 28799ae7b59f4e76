"""The gaps of a study as the bytes of its files: from the store where nothing has changed, else from the stages."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bishan_gis.cache import Store
from bishan_gis.errors import InputError
from bishan_gis.stages.forms import TABLES

if TYPE_CHECKING:
    from bishan_gis.results import Results
    from bishan_gis.study import Study

__all__ = [
    "GAP_FILES",
    "cache_folder",
    "check_place",
    "gap_answer",
    "people_lacking",
    "selection_suffix",
    "write_answer",
]

#: What the command leaves; the record comes last.
GAP_FILES = ("gaps.geojson", "gaps.csv", "places.csv", "gaps.json")


def cache_folder(study: Study) -> Path:
    """Return where a study keeps its stages; it may be deleted at any time.

    Parameters
    ----------
    study : Study
        The settings.
    """
    return study.processed / ".cache"


def gap_answer(
    study: Study,
    store: Store,
    *,
    services: Sequence[str] = (),
    levels: Sequence[float] = (),
    zones: Sequence[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, bytes]:
    """Find the gaps of a study, computing only what has changed since the store saw it last.

    Parameters
    ----------
    study : Study
        The settings.
    store : Store
        Where stages are kept.
    services, levels, zones : sequence
        What to look at, see :func:`bishan_gis.planning.gaps.find_gaps`.
    progress : callable, optional
        Called with the name of the step, what is done, and what there is in all.

    Returns
    -------
    dict
        Name of each of `GAP_FILES` -> its bytes; equal to that of a run from nothing.

    Raises
    ------
    BishanGisError
        Anything that is wrong with the input; see :class:`StudyStages` and
        :func:`bishan_gis.planning.gaps.find_gaps`.
    """
    from bishan_gis.stages.study_stages import StudyStages

    stages = StudyStages(study, store, progress)
    selection = [sorted(set(services)), sorted({float(v) for v in levels}), sorted(set(zones))]

    made: dict[str, bytes] = {}

    def make() -> dict[str, bytes]:
        made.update(files())
        return made

    def files() -> dict[str, bytes]:
        if not zones:
            from bishan_gis.stages.gap_parts import GapParts
            from bishan_gis.stages.gap_text import gap_texts

            parts = GapParts(stages, services=services, levels=levels)
            if parts.targets_kept.value["services"]:
                return gap_texts(parts)
        from bishan_gis.output.gap_files import write_gaps
        from bishan_gis.planning.gaps import find_gaps

        results = cast("Results", stages)
        found = find_gaps(results, services=services, levels=levels, zones=zones)
        with tempfile.TemporaryDirectory(prefix="bishan_gis-") as folder:
            write_gaps(found, Path(folder))
            return {name: Path(folder, name).read_bytes() for name in GAP_FILES}

    kept = store.keep("answer", [*stages.everything, *selection], make, TABLES)
    # What has just been written is not read again: bytes come back as they went.
    return made or dict(kept.value)


def people_lacking(text: str) -> int:
    """Return how many people lack a service by a record of gaps, without reading all of it.

    Parameters
    ----------
    text : str
        What ``gaps.json`` holds.

    Examples
    --------
    >>> people_lacking('{"label":"x","totals":{"people":9,"people_lacking":3},"services":[]}')
    3
    """
    begin = text.index('"totals":{') + len('"totals":')
    return int(json.loads(text[begin : text.index("}", begin) + 1])["people_lacking"])


def selection_suffix(services: Sequence[str], levels: Sequence[float], zones: Sequence[str]) -> str:
    """Return what tells the files of a selection from those of everything: `gaps.json` is never a part of the answer.

    Parameters
    ----------
    services, levels, zones : sequence
        As for :func:`gap_answer`.

    Returns
    -------
    str
        Empty where nothing is selected. Letters and digits of any script, ``-``, ``.`` and ``_`` only, 80 bytes at
        most; where that loses something, it ends with a digest of what was asked for.

    Examples
    --------
    >>> selection_suffix(["park", "clinic"], [5.0], ["南进"])
    '_clinic_park_5min_南进'
    >>> selection_suffix([], [], [])
    ''
    """
    parts = [*sorted(set(services)), *(f"{v:g}min" for v in sorted({float(v) for v in levels})), *sorted(set(zones))]
    plain = "_".join("".join(c if c.isalnum() or c in "-." else "-" for c in part) for part in parts)
    if plain != "_".join(parts) or len(plain.encode("utf-8")) > 80:
        digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]
        plain = f"{plain.encode('utf-8')[:70].decode('utf-8', 'ignore')}-{digest}"
    return f"_{plain}" if parts else ""


def check_place(path: Path) -> None:
    """Raise when a file cannot be written there: no folder is made for it.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    InputError
        Its folder is missing, or it is a folder itself.
    """
    if not path.parent.is_dir():
        raise InputError(
            f"--json {path}: 文件夹 {path.parent} 不存在;请先建立, 或改正路径",
            f"--json {path}: there is no folder {path.parent}; make it, or mend the path",
        )
    if path.is_dir():
        raise InputError(f"--json {path}: 是文件夹;请给出文件名", f"--json {path} is a folder; name a file")


def write_answer(
    answer: dict[str, bytes], study: Study, *, old: Any = None, extra: Path | None = None, suffix: str = ""
) -> str:
    """Write the files of the gaps, all of them or none.

    Parameters
    ----------
    answer : dict
        From :func:`gap_answer`.
    study : Study
        The settings; the files go where its tables are.
    old : dict, optional
        The record of an older run to compare with, from :func:`bishan_gis.sources.gap_files.load_gaps`.
    extra : pathlib.Path, optional
        A further place for the record; its folder must be there.
    suffix : str
        From :func:`selection_suffix`: what the names of the files have before their ending.

    Returns
    -------
    str
        What ``gaps.json`` holds.

    Raises
    ------
    InputError
        The folder of `extra` is missing.
    OutputError
        A file cannot be written; what stood there before still stands.
    """
    from bishan_gis.output.files import Staging

    texts = dict(answer)
    if old is not None:
        record: dict[str, Any] = json.loads(texts["gaps.json"])
        from bishan_gis.output.gap_files import json_text
        from bishan_gis.planning.gap_changes import compare_gaps

        record["changes"] = compare_gaps(old, record)
        texts["gaps.json"] = json_text(record).encode("utf-8")
    if extra is not None:
        check_place(extra)
    places = {"gaps": study.processed} | ({} if extra is None else {"extra": extra.parent})
    with Staging(places) as out:
        if extra is not None:
            out.path("extra", extra.name).write_bytes(texts["gaps.json"])
        for name in GAP_FILES:
            stem, dot, ending = name.partition(".")
            out.path("gaps", f"{stem}{suffix}{dot}{ending}").write_bytes(texts[name])
        out.commit()
    return texts["gaps.json"].decode("utf-8")
