"""What other commands put beside the pages of a run, and the overview that leads there, brought up to date."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from bishan_gis.output.files import Staging, relative_link
from bishan_gis.output.labels import Labels, load_labels
from bishan_gis.output.maps.page import template
from bishan_gis.places.classes import load_classes

if TYPE_CHECKING:
    from bishan_gis.study import Study

__all__ = ["beside_html", "refresh_index"]

_PART = r"<!--beside:{what}-->.*?<!--/beside-->"
_EXPORTS = (".xlsx", ".qgs", ".dxf")


def _links(study: Study, words: Labels) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return pages and files that are there: the comparison; report, sites, exports where their commands put them."""
    maps, plans, loads = study.maps, [], []
    if (maps / "compare.html").is_file():
        plans.append({"href": "compare.html", "title": words("page_compare"), "text": words("idx_compare_text")})

    def link(file: Path, text: str) -> None:
        href = relative_link(file, maps)
        if href:
            loads.append({"href": href, "text": text})

    for kind in ("html", "pdf", "docx"):
        name = f"report_{words.lang}.{kind}"
        file = next((f for f in (maps / name, study.processed / "report" / name) if f.is_file()), None)
        if file is not None:
            link(file, words(f"idx_file_{kind}"))
    for suffix in _EXPORTS:
        for folder in (maps, study.processed / "export"):
            if (folder / f"{study.id}{suffix}").is_file():
                link(folder / f"{study.id}{suffix}", words(f"idx_file_{suffix[1:]}"))
                break
    sites = sorted(study.processed.glob("siting_*.csv"))
    if sites:
        own = study.raw(study.services.classes) if study.services.classes else None
        names = {key: one.label(words.lang) for key, one in load_classes(own).items()}
    for file in sites:
        key = file.stem.removeprefix("siting_")
        link(file, words("idx_file_siting", service=names.get(key, key)))
    export = study.processed / "export"
    others = [f for f in export.rglob("*") if f.is_file() and f.suffix not in _EXPORTS and not _hidden(f, export)]
    if others:
        link(export, words("idx_file_export", n=len(others)))
    return plans, loads


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def beside_html(study: Study, lang: str, what: str) -> Markup:
    """Return a part of the overview that lists what other commands made, between comments that name it.

    Parameters
    ----------
    study : Study
        Where its files are.
    lang : {"zh", "en"}
        Language.
    what : {"plans", "group", "downloads"}
        Entries of the group of plans; the group itself, where a run has no page of it; files to take along.
    """
    words = load_labels(lang)
    plans, loads = _links(study, words)
    inner = template("beside.html", what=what, t=words, plans=plans, downloads=loads)
    return Markup(f"<!--beside:{what}-->{inner.strip()}<!--/beside-->")


def refresh_index(study: Study) -> Path | None:
    """Let the overview of a run lead to what is there now: comparison, report, exports, lists of sites.

    Parameters
    ----------
    study : Study
        A study.

    Returns
    -------
    pathlib.Path or None
        The overview; None where there is none or nothing in it changes. It is replaced in one step, and the record of
        the run keeps its hash.

    Raises
    ------
    OutputError
        It cannot be written; the old one still stands.
    """
    file = study.maps / "index.html"
    try:
        old = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    lang = "en" if '<html lang="en"' in old[:200] else "zh"
    new = old
    for what in ("plans", "group", "downloads"):
        part = str(beside_html(study, lang, what))
        new = re.sub(_PART.format(what=what), lambda _, part=part: part, new, flags=re.S)  # type: ignore[misc]
    if new == old:
        return None
    with Staging({"tables": study.processed, "maps": study.maps}) as out:
        out.path("maps", "index.html").write_text(new, encoding="utf-8", newline="\n")
        record = _record(study.processed / "run.json", out.hashes()["maps/index.html"])
        if record:
            out.path("tables", "run.json").write_text(record, encoding="utf-8", newline="\n")
        out.commit()
    return file


def _record(file: Path, digest: str) -> str:
    """Return the record of the run with the hash of the new overview; nothing where it has none."""
    try:
        record: Any = json.loads(file.read_text(encoding="utf-8"))
        if "maps/index.html" not in record["outputs"]:
            return ""
        record["outputs"]["maps/index.html"] = digest
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return json.dumps(record, ensure_ascii=False, indent=2, sort_keys=False) + "\n"
