"""The gaps of a study as the bytes of its files: from the store where nothing has changed, else from the stages."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bishan_gis.cache import Store
from bishan_gis.stages.forms import TABLES

if TYPE_CHECKING:
    from bishan_gis.results import Results
    from bishan_gis.study import Study

__all__ = ["GAP_FILES", "cache_folder", "gap_answer", "people_lacking", "write_answer"]

#: What the command leaves; the record comes last.
GAP_FILES = ("gaps.geojson", "gaps.csv", "gaps.json")


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

    def make() -> dict[str, bytes]:
        if not any(selection):
            from bishan_gis.stages.gap_parts import GapParts
            from bishan_gis.stages.gap_text import gap_texts

            parts = GapParts(stages)
            if parts.targets_kept.value["services"]:
                return gap_texts(parts)
        from bishan_gis.output.gap_files import write_gaps
        from bishan_gis.planning.gaps import find_gaps

        results = cast("Results", stages)
        found = find_gaps(results, services=services, levels=levels, zones=zones)
        with tempfile.TemporaryDirectory(prefix="bishan_gis-") as folder:
            write_gaps(found, Path(folder))
            return {name: Path(folder, name).read_bytes() for name in GAP_FILES}

    return dict(store.keep("answer", [*stages.everything, *selection], make, TABLES).value)


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


def write_answer(answer: dict[str, bytes], study: Study, *, old: Any = None, extra: Path | None = None) -> str:
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
        A further place for the record.

    Returns
    -------
    str
        What ``gaps.json`` holds.

    Raises
    ------
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
    places = {"gaps": study.processed} | ({} if extra is None else {"extra": extra.parent})
    with Staging(places) as out:
        out.path("gaps", "gaps.geojson").write_bytes(texts["gaps.geojson"])
        out.path("gaps", "gaps.csv").write_bytes(texts["gaps.csv"])
        if extra is not None:
            out.path("extra", extra.name).write_bytes(texts["gaps.json"])
        out.path("gaps", "gaps.json").write_bytes(texts["gaps.json"])
        out.commit()
    return texts["gaps.json"].decode("utf-8")
