"""The report as a PDF, set by typst with the font of an installed package."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bishan_gis.errors import OutputError
from bishan_gis.output.fonts import GETA, drawable_text, font_file
from bishan_gis.output.report.html import data_file
from bishan_gis.output.words import each_text

__all__ = ["drawable", "fixed_day", "render_pdf"]


def drawable(value: Any) -> Any:
    """Return texts with a mark in place of each character that the font does not have.

    Parameters
    ----------
    value : object
        Text, number, list or mapping.

    Examples
    --------
    >>> drawable(["重庆 é", "🚲"])
    ['重庆 é', '〓']
    """
    return each_text(value, drawable_text)


def fixed_day(date: str) -> datetime | None:
    """Return the day that the files of a study carry, so that equal results are equal bytes.

    Parameters
    ----------
    date : str
        The date of the study: a year, a month or a day; what is left out is the first.

    Examples
    --------
    >>> fixed_day("2026-11").isoformat(), fixed_day("no day")
    ('2026-11-01T00:00:00+00:00', None)
    """
    found = re.match(r"(\d{4})(?:\D+(\d{1,2}))?(?:\D+(\d{1,2}))?", date)
    if not found:
        return None
    year, month, day = (int(v) if v else 1 for v in found.groups())
    try:
        return datetime(max(year, 1980), month, day, tzinfo=UTC)
    except ValueError:
        return None


def render_pdf(facts: Mapping[str, Any], pictures: Mapping[str, bytes]) -> bytes:
    """Return the report as a tagged PDF.

    Parameters
    ----------
    facts : mapping
        Of :func:`bishan_gis.output.report.facts.report_facts`.
    pictures : mapping
        Key of a map, or ``logo`` -> PNG (the logo also JPEG). A map without a picture is left out.

    Returns
    -------
    bytes
        The file; equal facts and pictures give equal bytes. Texts reach typst as data and are never read as markup.

    Raises
    ------
    OutputError
        The report cannot be set, such as with a logo that is no picture.
    """
    import typst

    shown = drawable(dict(facts))
    named = {}
    for i, (key, data) in enumerate(pictures.items()):
        named[key] = f"picture{i}." + ("jpg" if data[:2] == b"\xff\xd8" else "png")
    day = fixed_day(str(facts["date"]))
    shown["day"] = [day.year, day.month, day.day] if day else None
    shown["pictures"] = named
    shown["undrawn"] = ""
    if shown["words"] and GETA in json.dumps({**shown, "words": {}}, ensure_ascii=False):
        shown["undrawn"] = facts["words"]["undrawn"]
    with tempfile.TemporaryDirectory(prefix="bishan-report-") as folder:
        root = Path(folder)
        for key, data in pictures.items():
            (root / named[key]).write_bytes(data)
        (root / "facts.json").write_text(json.dumps(shown, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        (root / "main.typ").write_text(data_file("report_page.typ"), encoding="utf-8")
        try:
            done = typst.compile(
                str(root / "main.typ"),
                root=str(root),
                font_paths=[str(font_file().parent)],
                ignore_system_fonts=True,
                format="pdf",
                pdf_standards=["ua-1"],
                timestamp=day or datetime(1980, 1, 1, tzinfo=UTC),
            )
        except RuntimeError as err:
            words = str(err).replace(str(root), "").strip()
            raise OutputError(
                f"无法排版 PDF 报告: {words};请检查 [report] 的 logo 是否为 PNG 或 JPEG",
                f"cannot set the PDF report: {words}; check that the logo of [report] is a PNG or JPEG",
            ) from err
    return bytes(done)
