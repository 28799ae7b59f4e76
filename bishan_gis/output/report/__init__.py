"""The report of a study: one HTML, one PDF and one Word file that say the same.

:func:`report_facts` holds everything that is said, each number written once; :func:`render_html`,
:func:`render_pdf` and :func:`render_docx` only set it; :func:`write_report` writes the files, all or none.
"""

from __future__ import annotations

from bishan_gis.output.report.facts import report_facts
from bishan_gis.output.report.files import FORMATS, check_formats, write_report
from bishan_gis.output.report.html import render_html
from bishan_gis.output.report.pdf import render_pdf
from bishan_gis.output.report.word import render_docx

__all__ = ["FORMATS", "check_formats", "render_docx", "render_html", "render_pdf", "report_facts", "write_report"]
