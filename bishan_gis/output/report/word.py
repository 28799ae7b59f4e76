"""The report as a Word file: a template that an office may replace, filled with the facts."""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from io import BytesIO
from typing import Any

from bishan_gis.errors import BrokenFileError, OutputError
from bishan_gis.output.report.pdf import fixed_day

__all__ = ["pack_docx", "render_docx"]

_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
_WIDE_MM, _SMALL_MM, _ELEMENT_MM, _TALL_MM = 165, 78, 25, 225


def pack_docx(document: Any, *, day: datetime | None) -> bytes:
    """Return a document as bytes that are equal when its content is.

    Parameters
    ----------
    document : docx.document.Document or docxtpl.DocxTemplate
        The document.
    day : datetime, optional
        Date of the parts; the first that an archive can hold where left out.
    """
    raw, out = BytesIO(), BytesIO()
    document.save(raw)
    stamp = (day or _EARLIEST).timetuple()[:6]
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, date_time=stamp)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 0, 0
            new.writestr(info, old.read(name))
    return out.getvalue()


def _right(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table whose cells know whether they stand to the right."""
    if not table:
        return {}
    flags = [c["right"] for c in table["columns"]]

    def flagged(row: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**c, "right": r} for c, r in zip(row, flags, strict=True)]

    return {**table, "rows": [flagged(r) for r in table["rows"]], "sum": flagged(table["sum"]) if table["sum"] else []}


def _needing(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the elements that were not evaluated as a table."""
    words, groups = facts["words"], facts["policy"].get("groups", []) if facts["policy"] else []
    rows = [
        [{"text": v} for v in (str(e["number"]), " ".join(p for p in (e["phrase"], e["meaning"]) if p), e["needs"])]
        for g in groups
        for e in g["needing"]
    ]
    columns = [{"text": words[k], "right": k == "no", "wide": False} for k in ("no", "phrase", "needs")]
    table = {"title": words["policy_needing"], "note": "", "columns": columns, "rows": rows, "sum": []}
    return _right(table)


def _shown(facts: Mapping[str, Any], image: Callable[[str], Any]) -> dict[str, Any]:
    """Return the facts with what a template cannot make by itself."""
    out = dict(facts)
    out["signed"] = " · ".join(v for v in (facts["office"], facts["author"], facts["date"]) if v)
    for key in ("zones", "tables"):
        out[key] = [_right(t) for t in facts[key]]
    out["measures"], out["datasets"] = _right(facts["measures"]), _right(facts["datasets"])
    if facts["gaps"]:
        out["gaps"] = {**facts["gaps"], "tables": [_right(t) for t in facts["gaps"]["tables"]]}
    out["sites"] = [{**s, "table": _right(s["table"])} for s in facts["sites"]]
    if facts["policy"]:
        groups = [{**g, "evaluated": [_told(e, image) for e in g["evaluated"]]} for g in facts["policy"]["groups"]]
        out["policy"] = {**facts["policy"], "groups": groups}
    return out


def _told(element: Mapping[str, Any], image: Callable[[str], Any]) -> dict[str, Any]:
    """Return an element with its small map."""
    picture = element["picture"]
    return {
        **element,
        "clause_tag": _tagged(element),
        "map_text": element["map"] or "—",
        "image": image(picture["key"]) if picture else "",
        "image_caption": picture["caption"] if picture else "",
    }


def _tagged(element: Mapping[str, Any]) -> str:
    return f"{element['clause']} [{element['tag']}]" if element["tag"] else str(element["clause"])


def _open(template: bytes | None) -> Any:
    from docxtpl import DocxTemplate

    data = template
    if data is None:
        data = (files("bishan_gis") / "data" / "report_template.docx").read_bytes()
    try:
        out = DocxTemplate(BytesIO(data))
        out.init_docx()
    except (ValueError, KeyError, zipfile.BadZipFile) as err:
        zh = f"report.template 不是 Word 文档 (.docx): {err}"
        raise BrokenFileError(zh, f"report.template is no Word document (.docx): {err}") from err
    return out


def _image(document: Any, picture: bytes, *, most_mm: float) -> Any:
    """Return a picture for the document, no wider than asked and no taller than a page."""
    from docx.shared import Mm
    from docxtpl import InlineImage
    from PIL import Image

    with Image.open(BytesIO(picture)) as opened:
        width, height = opened.size
    return InlineImage(document, BytesIO(picture), width=Mm(min(most_mm, _TALL_MM * width / height)))


def _name_pictures(document: Any, pictures: Mapping[str, bytes], words: Mapping[str, str]) -> None:
    """Say in words what each picture shows."""
    from docx.oxml.ns import qn

    part = document.docx.part
    for inline in document.docx.element.body.iter(qn("wp:inline")):
        blip = next(inline.iter(qn("a:blip")), None)
        if blip is None:
            continue
        blob = part.related_parts[blip.get(qn("r:embed"))].blob
        key = next((k for k, v in pictures.items() if v == blob), "")
        inline.find(qn("wp:docPr")).set("descr", words.get(key, ""))


def _length(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _fit_columns(document: Any) -> None:
    """Give the columns of tables that fill the page widths by what they hold, so that every program shows the same."""
    from docx.oxml.ns import qn

    section = document.docx.sections[0]
    whole = int((section.page_width - section.left_margin - section.right_margin) / 635)
    for table in document.docx.element.body.iter(qn("w:tbl")):
        width = table.tblPr.find(qn("w:tblW"))
        if width is None or width.get(qn("w:type")) != "pct":
            continue
        rows = [["".join(t.text or "" for t in cell.iter(qn("w:t"))) for cell in row.tc_lst] for row in table.tr_lst]
        n = len(rows[0]) if rows else 0
        if not n or any(len(r) != n for r in rows):
            continue
        head = [min(_length(v), 8) for v in rows[0]]
        most = [max((_length(r[i]) for r in rows[1:]), default=0) for i in range(n)]
        need = [max(5, head[i], min(most[i], 40)) for i in range(n)]
        share = [v**0.75 for v in need]
        sizes = [int(whole * v / sum(share)) for v in share]
        for column, size in zip(table.tblGrid.findall(qn("w:gridCol")), sizes, strict=False):
            column.set(qn("w:w"), str(size))
        for row in table.tr_lst:
            for cell, size in zip(row.tc_lst, sizes, strict=True):
                cell.width = size * 635


def render_docx(facts: Mapping[str, Any], pictures: Mapping[str, bytes], *, template: bytes | None = None) -> bytes:
    """Return the report as a Word document.

    Parameters
    ----------
    facts : mapping
        Of :func:`bishan_gis.output.report.facts.report_facts`.
    pictures : mapping
        Key of a map, or ``logo`` -> PNG (the logo also JPEG). A map without a picture is left out.
    template : bytes, optional
        Own template (.docx); the package's where left out.

    Returns
    -------
    bytes
        The file; equal facts, pictures and template give equal bytes.

    Raises
    ------
    BrokenFileError
        The template is no Word document.
    OutputError
        The template asks for something that the report does not have, or is not well formed.

    Notes
    -----
    A template knows ``f``, the facts with ``signed`` (office, author, date), cells of tables that know whether they
    stand to the ``right``, and maps with ``image`` and ``image_small``, elements of the policy with ``image`` and
    ``image_caption``; ``needing`` (the table of elements that were
    not evaluated); ``logo``; ``made_by``. It is filled by docxtpl in a sandbox: ``{{ f.title }}``,
    ``{%p for x in f.findings %}`` and ``{%p endfor %}``. All values are escaped.
    """
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import SandboxedEnvironment

    document = _open(template)

    def element_image(key: str) -> Any:
        return _image(document, pictures[key], most_mm=_ELEMENT_MM) if key in pictures else ""

    shown = _shown(facts, element_image)
    shown["maps"] = [
        {
            **m,
            "image": _image(document, pictures[m["key"]], most_mm=_WIDE_MM) if m["key"] in pictures else "",
            "image_small": _image(document, pictures[m["key"]], most_mm=_SMALL_MM) if m["key"] in pictures else "",
        }
        for m in facts["maps"]
    ]
    context = {
        "f": shown,
        "needing": _needing(facts),
        "logo": _image(document, pictures["logo"], most_mm=40) if "logo" in pictures else "",
        "made_by": facts["words"]["made_by"].replace("{software}", facts["software"]),
    }
    env = SandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
    try:
        document.render(context, jinja_env=env, autoescape=True)
    except TemplateError as err:
        raise OutputError(
            f"report.template 无法填写: {err};可用的变量见 render_docx 的说明",
            f"report.template cannot be filled: {err}; render_docx says which variables there are",
        ) from err
    _fit_columns(document)
    colon = facts["words"]["colon"]
    words = {m["key"]: f"{m['title']}{colon}{m['caption']}" for m in facts["maps"]}
    words |= {p["key"]: p["caption"] for p in (facts["policy"]["pictures"] if facts["policy"] else [])}
    _name_pictures(document, pictures, words)
    day = fixed_day(str(facts["date"])) or _EARLIEST
    about = document.docx.core_properties
    about.title, about.author = facts["title"][:255], (facts["author"] or facts["office"] or facts["software"])[:255]
    about.last_modified_by, about.created, about.modified = "", day.replace(tzinfo=None), day.replace(tzinfo=None)
    return pack_docx(document, day=day)
