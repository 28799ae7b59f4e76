"""Make ``bishan_gis/data/report_template.docx``, the Word template that the report fills and an office may replace.

Run it after a change; a test compares what it makes with the file of the package::

    python tools/make_report_template.py

Every ``{{ ... }}`` is a value of ``report_facts`` (``f``); ``{%p ... %}`` repeats or leaves out paragraphs,
``{%tr ... %}`` rows, ``{%tc ... %}`` cells.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from bishan_gis.output.report.word import pack_docx
from bishan_gis.output.tokens import INK, REACH

TARGET = Path(__file__).parent.parent / "bishan_gis" / "data" / "report_template.docx"
FONT, ASIAN = "Arial", "Microsoft YaHei"
WIDTH = Mm(178)


def color(value: str) -> RGBColor:
    """Return a colour of the tokens."""
    return RGBColor.from_string(value.lstrip("#"))


def element(tag: str, **attributes: str) -> Any:
    """Return an element of WordprocessingML."""
    out = OxmlElement(tag)
    for name, value in attributes.items():
        out.set(qn(name.replace("_", ":", 1)), value)
    return out


def fonts(style: Any) -> None:
    """Give a style both fonts."""
    style.font.name = FONT
    part = style.element.get_or_add_rPr().get_or_add_rFonts()
    for name in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
        part.attrib.pop(qn(name), None)
    for name, value in (("w:ascii", FONT), ("w:hAnsi", FONT), ("w:eastAsia", ASIAN), ("w:cs", FONT)):
        part.set(qn(name), value)


def shade(properties: Any, fill: str) -> None:
    """Fill a paragraph or cell; Word wants the filling of a paragraph before its spacing."""
    shading = element("w:shd", w_val="clear", w_color="auto", w_fill=fill.lstrip("#"))
    spacing = properties.find(qn("w:spacing"))
    if spacing is None:
        properties.append(shading)
    else:
        spacing.addprevious(shading)


def style(doc: Any, name: str, size: float, **kwargs: Any) -> Any:
    """Return a paragraph style, made where it is not there."""
    names = [s.name for s in doc.styles]
    out = doc.styles[name] if name in names else doc.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    if name not in names:
        out.base_style = doc.styles["Normal"]
    fonts(out)
    out.font.size = Pt(size)
    out.font.bold = kwargs.get("bold", False)
    out.font.italic = False
    out.font.color.rgb = color(kwargs.get("ink", INK["ink"]))
    out.paragraph_format.space_before = Pt(kwargs.get("before", 0))
    out.paragraph_format.space_after = Pt(kwargs.get("after", 3))
    out.paragraph_format.line_spacing = kwargs.get("line", 1.25)
    out.paragraph_format.keep_with_next = kwargs.get("keep", False)
    return out


def styles(doc: Any) -> None:
    """Set the styles that the office may change."""
    style(doc, "Normal", 10)
    style(doc, "Title", 20, bold=True, after=2, keep=True)
    border = doc.styles["Title"].element.pPr.find(qn("w:pBdr"))
    if border is not None:
        doc.styles["Title"].element.pPr.remove(border)
    style(doc, "Heading 1", 15, bold=True, before=18, after=6, keep=True, ink=REACH[0])
    style(doc, "Heading 2", 12, bold=True, before=12, after=4, keep=True)
    style(doc, "Heading 3", 10.5, bold=True, before=8, after=2, keep=True)
    style(doc, "Caption", 9, bold=True, before=8, after=3, keep=True)
    style(doc, "Report Muted", 8.5, ink=INK["muted"])
    style(doc, "Report Cell", 7.5, after=0, line=1.1)
    style(doc, "Report Head", 7.5, after=0, line=1.1, bold=True)
    style(doc, "Report Small", 8.5, after=2, line=1.15)
    style(doc, "Report Big", 17, bold=True, after=0, line=1.1, ink=REACH[0])
    strip = style(doc, "Report Strip", 9, before=3, after=6, ink=INK["warn"])
    shade(strip.element.get_or_add_pPr(), INK["warn-paper"])


def paragraph(where: Any, text: str, name: str = "Normal", *, right: bool = False) -> Any:
    """Add a paragraph."""
    out = where.add_paragraph(text, style=name)
    if right:
        out.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    return out


def field(run: Any, code: str) -> None:
    """Add a field such as the number of the page."""
    for kind, text in (("begin", None), (None, code), ("separate", None), ("text", "1"), ("end", None)):
        if kind == "text":
            run._r.append(element("w:t"))
            run._r[-1].text = text
        elif kind is None:
            run._r.append(element("w:instrText"))
            run._r[-1].text = text
        else:
            run._r.append(element("w:fldChar", w_fldCharType=kind))


def plain_table(where: Any, rows: int, widths: list[Any]) -> Any:
    """Add a table without lines."""
    out = where.add_table(rows, len(widths))
    out.alignment = WD_TABLE_ALIGNMENT.LEFT
    out.autofit = False
    for row in out.rows:
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = width
    return out


def into(cell: Any, text: str, name: str, *, right: bool = False) -> None:
    """Write the first paragraph of a cell."""
    p = cell.paragraphs[0]
    p.text, p.style = text, name
    if right:
        p.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def lines(cell: Any, **edges: int) -> None:
    """Draw lines at edges of a cell [eighths of a point]."""
    borders = element("w:tcBorders")
    for edge, size in edges.items():
        borders.append(element(f"w:{edge}", w_val="single", w_sz=str(size), w_space="0", w_color="404040"))
    cell._tc.get_or_add_tcPr().append(borders)


def data_row(table: Any, i: int, loop: str, text: str, name: str, edges: dict[str, int]) -> None:
    """Fill a row whose cells repeat, right-aligned where the column holds numbers."""
    cells = table.rows[i].cells
    into(cells[0], f"{{%tc for c in {loop} %}}", name)
    into(cells[1], "{%tc if c.right %}", name)
    into(cells[2], text, name, right=True)
    into(cells[3], "{%tc else %}", name)
    into(cells[4], text, name)
    into(cells[5], "{%tc endif %}", name)
    into(cells[6], "{%tc endfor %}", name)
    for k in (2, 4):
        lines(cells[k], **edges)


def data_table(doc: Any, value: str) -> None:
    """Add the table of a value of the facts: title, head that repeats, rows, sum, note."""
    paragraph(doc, f"{{{{ {value}.title }}}}", "Caption")
    table = doc.add_table(7, 7)
    table.alignment = WD_TABLE_ALIGNMENT.LEFT
    width = table._tbl.tblPr.find(qn("w:tblW"))
    width.set(qn("w:w"), "5000")
    width.set(qn("w:type"), "pct")  # columns are fitted to what they hold when the report is made
    data_row(table, 0, f"{value}.columns", "{{ c.text }}", "Report Head", {"bottom": 8})
    properties = table.rows[0]._tr.get_or_add_trPr()
    properties.append(element("w:tblHeader"))
    into(table.rows[1].cells[0], f"{{%tr for row in {value}.rows %}}", "Report Cell")
    data_row(table, 2, "row", "{{ c.text }}", "Report Cell", {"bottom": 2})
    table.rows[2]._tr.get_or_add_trPr().append(element("w:cantSplit"))
    into(table.rows[3].cells[0], "{%tr endfor %}", "Report Cell")
    into(table.rows[4].cells[0], f"{{%tr if {value}.sum %}}", "Report Cell")
    data_row(table, 5, f"{value}.sum", "{{ c.text }}", "Report Head", {"top": 8})
    into(table.rows[6].cells[0], "{%tr endif %}", "Report Cell")
    paragraph(doc, f"{{%p if {value}.note %}}")
    paragraph(doc, f"{{{{ {value}.note }}}}", "Report Muted")
    paragraph(doc, "{%p endif %}")


def each(doc: Any, loop: str, *body: tuple[str, str]) -> None:
    """Add paragraphs that repeat."""
    paragraph(doc, f"{{%p for {loop} %}}")
    for text, name in body:
        paragraph(doc, text, name)
    paragraph(doc, "{%p endfor %}")


def maps(doc: Any, kinds: str) -> None:
    """Add the maps of some kinds."""
    paragraph(doc, f"{{%p for m in f.maps if m.what in {kinds} and m.image %}}")
    paragraph(doc, "{{ m.image }}").paragraph_format.keep_with_next = True
    paragraph(doc, "{{ f.words.figure }} {{ m.number }} {{ m.title }} — {{ m.caption }}", "Report Small")
    paragraph(doc, "{%p endfor %}")


def first_page(doc: Any) -> None:
    """Add title, strip, headlines, one map, findings."""
    paragraph(doc, "{%p if logo %}")
    paragraph(doc, "{{ logo }}", right=True)
    paragraph(doc, "{%p endif %}")
    paragraph(doc, "{{ f.title }}", "Title")
    paragraph(doc, "{{ f.signed }}", "Report Muted")
    paragraph(doc, "{%p if f.warning %}")
    paragraph(doc, "{{ f.warning }}", "Report Strip")
    paragraph(doc, "{%p endif %}")
    table = plain_table(doc, 1, [Mm(44)] * 3)
    cells = table.rows[0].cells
    into(cells[0], "{%tc for h in f.headlines %}", "Report Small")
    into(cells[1], "{{ h.title }}", "Report Head")
    paragraph(cells[1], "{{ h.big }}", "Report Big")
    paragraph(cells[1], "{{ h.text }}", "Report Small")
    shade(cells[1]._tc.get_or_add_tcPr(), INK["panel"])
    into(cells[2], "{%tc endfor %}", "Report Small")
    paragraph(doc, "", "Report Small")
    table = plain_table(doc, 1, [Mm(80), Mm(98)])
    left, right = table.rows[0].cells
    into(left, "{%p for m in f.maps[:1] if m.image %}", "Report Small")
    paragraph(left, "{{ m.image_small }}", "Report Small")
    paragraph(left, "{{ f.words.figure }} {{ m.number }} {{ m.title }} — {{ m.caption }}", "Report Small")
    paragraph(left, "{%p endfor %}", "Report Small")
    paragraph(left, "", "Report Small")
    into(right, "{{ f.words.findings }}", "Heading 2")
    paragraph(right, "{%p for x in f.findings %}", "Report Small")
    paragraph(right, "{{ loop.index }}. {{ x.title }}", "Heading 3")
    for key in ("what", "where", "do"):
        p = paragraph(right, "", "Report Small")
        p.add_run(f"{{{{ f.words.{key} }}}}  ").font.color.rgb = color(INK["muted"])
        p.add_run(f"{{{{ x.{key} }}}}")
    paragraph(right, "{%p endfor %}", "Report Small")
    paragraph(right, "", "Report Small")
    paragraph(doc, "{%p if not f.has_findings %}")
    paragraph(doc, "{{ f.words.no_findings }}", "Report Muted")
    paragraph(doc, "{%p endif %}")


def policy(doc: Any) -> None:
    """Add the policy, element by element, and what the others need."""
    paragraph(doc, "{%p if f.policy %}")
    paragraph(doc, "{{ f.words.policy }}", "Heading 1").paragraph_format.page_break_before = True
    paragraph(doc, "{{ f.policy.sentence }}")
    paragraph(doc, "{%p for g in f.policy.groups if g.evaluated %}")
    paragraph(doc, "{{ g.title }}", "Heading 2")
    paragraph(doc, "{%p for e in g.evaluated %}")
    paragraph(doc, "{{ e.number }}  {{ e.phrase }} {{ e.meaning }}", "Heading 3")
    table = plain_table(doc, 2, [Mm(v) for v in (58, 48, 26, 23, 23)])
    values = ["{{ e.clause_tag }}", "{{ e.indicator }}", "{{ e.figure.text }}", "{{ e.verdict_text }}"]
    values += ["{{ e.kind }}"]
    for i, key in enumerate(("clause", "indicator", "value", "verdict", "kind")):
        into(table.rows[0].cells[i], f"{{{{ f.words.{key} }}}}", "Report Cell")
        into(table.rows[1].cells[i], values[i], "Report Head" if key in ("value", "verdict") else "Report Cell")
        lines(table.rows[0].cells[i], bottom=2)
    paragraph(doc, "{{ f.words.map }}{{ f.words.colon }}{{ e.map_text }}", "Report Small")
    table = plain_table(doc, 1, [Mm(146), Mm(32)])
    said, beside = table.rows[0].cells
    into(said, "{%p for line in e.said_lines %}", "Report Small")
    paragraph(said, "{{ line }}", "Report Small")
    paragraph(said, "{%p endfor %}", "Report Small")
    paragraph(said, "", "Report Cell")
    into(beside, "{{ e.image }}", "Report Cell")
    paragraph(beside, "{{ e.image_caption }}", "Report Cell")
    paragraph(doc, "{%p endfor %}")
    paragraph(doc, "{%p endfor %}")
    data_table(doc, "needing")
    paragraph(doc, "{%p endif %}")


def chapters(doc: Any) -> None:
    """Add everything behind the policy."""
    paragraph(doc, "{{ f.words.places_head }}", "Heading 1").paragraph_format.page_break_before = True
    paragraph(doc, "{%p for t in f.zones %}")
    data_table(doc, "t")
    paragraph(doc, "{%p endfor %}")
    maps(doc, "['directions', 'completeness']")
    paragraph(doc, "{{ f.words.coverage }}", "Heading 1").paragraph_format.page_break_before = True
    maps(doc, "['coverage', 'nearest']")
    paragraph(doc, "{%p for t in f.tables %}")
    data_table(doc, "t")
    paragraph(doc, "{%p endfor %}")
    paragraph(doc, "{%p if f.measures %}")
    data_table(doc, "f.measures")
    paragraph(doc, "{%p endif %}")
    paragraph(doc, "{%p if f.gaps %}")
    paragraph(doc, "{{ f.words.gaps }}", "Heading 1").paragraph_format.page_break_before = True
    each(doc, "x in f.gaps.sentences", ("{{ x }}", "Normal"))
    paragraph(doc, "{%p for t in f.gaps.tables %}")
    data_table(doc, "t")
    paragraph(doc, "{%p endfor %}")
    maps(doc, "['gaps']")
    paragraph(doc, "{%p endif %}")
    paragraph(doc, "{%p if f.sites %}")
    paragraph(doc, "{{ f.words.sites }}", "Heading 1").paragraph_format.page_break_before = True
    paragraph(doc, "{%p for s in f.sites %}")
    paragraph(doc, "{{ s.title }}", "Heading 2")
    each(doc, "x in s.sentences", ("{{ x }}", "Normal"))
    data_table(doc, "s.table")
    paragraph(doc, "{%p endfor %}")
    maps(doc, "['siting']")
    paragraph(doc, "{%p endif %}")
    paragraph(doc, "{{ f.words.methods }}", "Heading 1").paragraph_format.page_break_before = True
    body = [("{{ m.title }}", "Heading 2"), ("{{ m.text }}", "Normal"), ("{{ m.formula }}", "Normal")]
    each(doc, "m in f.methods", *body, ("{{ f.words.source }}{{ f.words.colon }}{{ m.source }}", "Report Muted"))
    paragraph(
        doc, "{{ f.words.tags }}{{ f.words.colon }}{{ f.tags.S }} · {{ f.tags.K }} · {{ f.tags.P }}", "Report Muted"
    )
    paragraph(doc, "{{ f.words.sources }}", "Heading 1")
    data_table(doc, "f.datasets")
    paragraph(doc, "{{ f.words.limits }}", "Heading 1")
    each(doc, "x in f.limits", ("{{ x }}", "List Bullet"))
    paragraph(doc, "{{ f.notices | join(' · ') }} · {{ made_by }}", "Report Muted")


def make() -> bytes:
    """Return the template."""
    doc = Document()
    styles(doc)
    section = doc.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(16)
    section.top_margin, section.bottom_margin = Mm(22), Mm(20)
    head = section.header.paragraphs[0]
    head.style = doc.styles["Report Muted"]
    head.text = "{{ f.title }}"
    paragraph(section.header, "{%p if f.warning_short %}", "Report Muted")
    paragraph(section.header, "{{ f.warning_short }}", "Report Strip")
    paragraph(section.header, "{%p endif %}", "Report Muted")
    foot = section.footer.paragraphs[0]
    foot.style = doc.styles["Report Muted"]
    foot.paragraph_format.tab_stops.add_tab_stop(WIDTH, 2)
    foot.add_run("{{ f.running }}\t")
    field(foot.add_run(), "PAGE")
    foot.add_run(" / ")
    field(foot.add_run(), "NUMPAGES")
    first_page(doc)
    policy(doc)
    chapters(doc)
    properties = doc.core_properties
    properties.author, properties.title, properties.comments = "bishan_gis", "", ""
    properties.created = properties.modified = datetime(1980, 1, 1, tzinfo=UTC)
    return pack_docx(doc, day=None)


if __name__ == "__main__":
    TARGET.write_bytes(make())
    sys.stdout.write(f"{TARGET}: {TARGET.stat().st_size:,} bytes\n")
