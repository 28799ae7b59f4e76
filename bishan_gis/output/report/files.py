"""The report as files, all formats that were asked for or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bishan_gis.errors import InputError
from bishan_gis.output.files import Staging, relative_link
from bishan_gis.output.report.facts import report_facts
from bishan_gis.output.report.html import render_html
from bishan_gis.output.report.pdf import render_pdf
from bishan_gis.output.report.pictures import element_pictures, map_pictures
from bishan_gis.output.report.source import in_language
from bishan_gis.output.report.word import render_docx
from bishan_gis.sources.report_files import ReportFiles, load_report_files

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = ["FORMATS", "check_formats", "write_report"]

FORMATS = ("html", "pdf", "docx")


def check_formats(formats: Sequence[str]) -> list[str]:
    """Return the formats asked for, each once; all where none is named.

    Parameters
    ----------
    formats : sequence of str
        Of :data:`FORMATS`.

    Raises
    ------
    InputError
        A format is unknown.

    Examples
    --------
    >>> check_formats(["pdf", "pdf"]), check_formats([])
    (['pdf'], ['html', 'pdf', 'docx'])
    """
    lost = [f for f in dict.fromkeys(formats) if f not in FORMATS]
    if lost:
        shown, known = ", ".join(lost), ", ".join(FORMATS)
        raise InputError(f"未知的格式 {shown};可用: {known}", f"unknown format {shown}; use {known}")
    return list(dict.fromkeys(formats)) or list(FORMATS)


def _maps_href(results: Results, folder: Path) -> str:
    """Return the way from the report to the map pages of the study, where they are; else nothing."""
    maps = results.study.maps
    link = relative_link(maps, folder) if (maps / "index.html").is_file() else ""
    return f"{link}/" if link else ""


def write_report(
    results: Results,
    folder: Path,
    *,
    formats: Sequence[str] = (),
    lang: str | None = None,
    extra: ReportFiles | None = None,
) -> tuple[list[Path], dict[str, Any]]:
    """Write the report of a run.

    Parameters
    ----------
    results : Results
        A run, with findings for the whole report.
    folder : pathlib.Path
        Where to.
    formats : sequence of {"html", "pdf", "docx"}
        All where left out.
    lang : {"zh", "en"}, optional
        Language; the study's where left out.
    extra : ReportFiles, optional
        Template and logo; what the study names where left out.

    Returns
    -------
    files : list of pathlib.Path
        ``report_<lang>.html`` and so on. Equal results give equal bytes.
    facts : dict
        What they say, see :func:`bishan_gis.output.report.facts.report_facts`.

    Raises
    ------
    InputError
        A format is unknown; a template or logo is missing or broken.
    OutputError
        A file cannot be written or a template cannot be filled; what stood there before still stands.
    """
    wanted = check_formats(formats)
    given = load_report_files(results.study) if extra is None else extra
    results = in_language(results, lang or results.study.lang)
    facts = report_facts(results)
    pictures = map_pictures(results, facts["maps"], lang=facts["lang"])
    if facts["policy"]:
        pictures |= element_pictures(results, facts["policy"]["pictures"], lang=facts["lang"])
    facts["maps_href"] = _maps_href(results, folder)
    if given.logo is not None:
        pictures["logo"] = given.logo
    made: dict[str, bytes] = {}
    for kind in wanted:
        if kind == "html":
            made[kind] = render_html(facts, pictures).encode("utf-8")
        elif kind == "pdf":
            made[kind] = render_pdf(facts, pictures)
        else:
            made[kind] = render_docx(facts, pictures, template=given.template)
    with Staging({"report": folder}) as out:
        for kind, data in made.items():
            out.path("report", f"report_{facts['lang']}.{kind}").write_bytes(data)
        return out.commit(), facts
