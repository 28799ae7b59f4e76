"""The report: the same numbers in HTML, PDF and Word, text that stays text, and files that are whole or not there."""

from __future__ import annotations

import re
import sys
import zipfile
from dataclasses import replace
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from docx import Document
from lxml import html as parser
from pypdf import PdfReader
from pypdf.generic import ContentStream
from toy_study import write_toy_study
from typer.testing import CliRunner

import bishan_gis as bg
from bishan_gis.chinese import full_width
from bishan_gis.cli import app
from bishan_gis.errors import BrokenFileError, InputError, MissingFileError, OutputError
from bishan_gis.output.fonts import GETA, font_characters
from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.report import files as report_files
from bishan_gis.output.report import render_docx, render_html, render_pdf, report_facts, write_report
from bishan_gis.output.report.lead_map import lead_map
from bishan_gis.output.report.pdf import drawable, fixed_day
from bishan_gis.output.report.pictures import map_pictures
from bishan_gis.output.report.source import Source, in_language
from bishan_gis.output.words import clean, load_words
from bishan_gis.sources.report_files import ReportFiles, load_report_files

ROOT = Path(__file__).parent.parent
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "formula": '=HYPERLINK("http://x")',
    "jinja": "{{ 7*7 }}{% raw %}",
    "typst": '#read("/etc/passwd") $x$ *b*',
}
MORE = """
[[siting.plans]]
service = "primary_school"
sites = 2
[report]
office = "规划局 & <b>"
author = "{{ 6*6 }}"
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    names = dict(zip(("kindergarten", "primary_school", "pharmacy", "park"), HOSTILE.values(), strict=True))
    file = write_toy_study(tmp_path_factory.mktemp("report"), names=names)
    file.write_text(file.read_text(encoding="utf-8") + MORE, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def results(study):
    found = bg.run(study, write=False, findings=True)
    zones = found.zones.copy()
    hostile = {"西镇": HOSTILE["script"], "东镇": HOSTILE["typst"]}
    zones["name"] = zones["name"].replace(hostile)
    return replace(found, zones=zones)


@pytest.fixture(scope="module")
def drawn(results):
    """The maps, drawn once: they are what takes time."""
    return map_pictures(results, report_facts(results)["maps"], lang="zh")


@pytest.fixture
def quick(monkeypatch, drawn):
    def drawn_before(results, maps, *, lang):
        return {m["key"]: drawn[m["key"]] for m in maps}

    monkeypatch.setattr(report_files, "map_pictures", drawn_before)


@pytest.fixture(scope="module", params=["zh", "en"])
def made(request, results, drawn):
    """Facts, and the three files, of one language."""
    facts = report_facts(in_language(results, request.param))
    pictures = drawn
    page = render_html(facts, pictures)
    return facts, pictures, page, render_pdf(facts, pictures), render_docx(facts, pictures)


def _tables(facts):
    gaps = facts["gaps"]["tables"] if facts["gaps"] else []
    extra = [t for t in (facts["measures"], facts["datasets"]) if t]
    return [*facts["zones"], *facts["tables"], *gaps, *(s["table"] for s in facts["sites"]), *extra]


def _cells(table):
    rows = [*table["rows"], *([table["sum"]] if table["sum"] else [])]
    return [[c["text"] for c in row] for row in rows]


def _squeezed(text):
    return re.sub(r"\s", "", text.replace("\u00ad", ""))


def _pdf_text(data):
    return _squeezed("".join(page.extract_text() for page in PdfReader(BytesIO(data)).pages))


def test_facts_are_the_numbers_of_the_tables(results):
    facts = report_facts(results)
    coverage = results.coverage[
        (results.coverage["zone_kind"] == "district") & (results.coverage["age_group"] == "all")
    ]
    levels = results.findings.gaps.targets.set_index("service")["level_min"]
    services = next(t for t in facts["tables"] if t["key"] == "services")
    source = Source(results)
    assert len(services["rows"]) == len(source.judged) > 3
    checked = 0
    for service, row in zip(source.judged, services["rows"], strict=True):
        name, _, level, n, covered, share, lacking, unknown = row
        assert name["text"] == results.services.loc[service, "zh"]
        assert level["value"] == levels[service]
        assert n["value"] == results.services.loc[service, "n"]
        truth = coverage[(coverage["service"] == service) & (coverage["cutoff_min"] == levels[service])]
        if len(truth):
            (truth,) = truth.to_dict("records")
            checked += 1
            assert covered["value"] == truth["people_covered"]
            assert covered["text"] == fmt.people(truth["people_covered"])
            assert share["text"] == fmt.percent(truth["people_covered"], truth["people"])
            assert unknown["value"] == truth["people_unknown"]
        assert covered["value"] + lacking["value"] + unknown["value"] == 1501
    assert checked >= 3
    people = results.findings.gaps.people
    people = people[(people["zone_kind"] == "district") & (people["age_group"] == "all")].set_index("service")
    assert [r[6]["value"] for r in services["rows"]] == people.loc[source.judged, "people_deficient"].tolist()
    lacking = next(t for t in facts["tables"] if t["key"] == "lacking")
    for row in lacking["rows"]:
        assert sum(c["value"] for c in row[2:-1]) == row[-1]["value"]
    radius = next(t for t in facts["tables"] if t["key"] == "radius")
    circles = results.radius_streets
    assert len(radius["rows"]) == len(circles) > 0
    for row, one in zip(radius["rows"], circles.to_dict("records"), strict=True):
        assert [c["value"] for c in row[4:6]] == [one["share_circle"], one["share_streets"]]
        assert row[6]["value"] == pytest.approx(100 * (row[5]["value"] - row[4]["value"]))
    assert full_width(circles["sentence_zh"].loc[circles["difference"].abs().idxmax()]) in radius["note"]
    for table in facts["zones"]:
        at = next(i for i, c in enumerate(table["columns"]) if c["text"] == load_words("zh")("people"))
        assert sum(r[at]["value"] for r in table["rows"]) == table["sum"][at]["value"] == 1501


def test_completeness_and_policy_are_those_of_the_run(results):
    facts, policy = report_facts(results), results.findings.policy
    circle = policy[policy["indicator"] == "生活圈完整度"]["value"].iloc[0]
    complete = next(h for h in facts["headlines"] if h["title"] == load_words("zh")("head_complete"))
    assert complete["value"] == pytest.approx(circle, abs=1e-12)
    groups = facts["policy"]["groups"]
    numbers = [e["number"] for g in groups for e in [*g["evaluated"], *g["needing"]]]
    assert sorted(numbers) == policy["number"].tolist()
    assert all(e["needs"] for g in groups for e in g["needing"])
    met = {e["number"] for g in groups for e in g["evaluated"] if e["verdict"] == "met"}
    assert met == set(policy.loc[policy["verdict"] == "met", "number"])
    assert facts["policy"]["counts"]["met"]["value"] == len(met)


def test_html_holds_the_facts_and_nothing_active(made):
    facts, pictures, page, _, _ = made
    tree = parser.fromstring(page.encode())
    for table in _tables(facts):
        (shown,) = tree.xpath(f"//figure[@id='t-{table['key']}']")
        rows = [[c.text_content() for c in r.xpath("td")] for r in shown.xpath(".//tbody/tr|.//tfoot/tr")]
        assert rows == _cells(table)
    text = tree.text_content()
    for head in facts["headlines"]:
        assert head["big"] in text
    assert not tree.xpath("//script|//iframe|//link|//b|//@onclick|//@onerror")
    assert all(s.startswith("data:image/png") for s in tree.xpath("//img/@src"))
    assert len(tree.xpath("//img[string-length(@alt) > 3]")) == len(facts["maps"]) == len(pictures)
    assert {a[1:] for a in tree.xpath("//nav//a/@href")} <= set(tree.xpath("//@id"))
    assert facts["warning"] in text
    assert facts["approval"] in text


def test_pdf_holds_the_facts_and_no_boxes(made):
    facts, _, _, pdf, _ = made
    text, reader = _pdf_text(pdf), PdfReader(BytesIO(pdf))
    for table in _tables(facts):
        for row in _cells(table):
            for cell in row:
                assert _squeezed(cell) in text, (table["key"], cell)
    for finding in facts["findings"]:
        assert _squeezed(finding["what"]) in text
    strips = [_squeezed(facts["warning_short"]) in _squeezed(p.extract_text()) for p in reader.pages]
    assert facts["warning_short"]
    assert all(strips)
    first = _squeezed(reader.pages[0].extract_text())
    assert all(_squeezed(f["do"]) in first for f in facts["findings"])
    assert {ord(c) for c in text} <= font_characters()
    fonts, glyphs = set(), 0
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            fonts.add(str(font.get_object()["/BaseFont"]).split("+")[-1])
        for operands, operator in ContentStream(page.get_contents(), reader).operations:
            parts = operands[0] if operator == b"TJ" else operands if operator == b"Tj" else []
            for part in parts:
                raw = part if isinstance(part, bytes) else getattr(part, "original_bytes", b"")
                codes = [raw[i : i + 2] for i in range(0, len(raw), 2)]
                glyphs += len(codes)
                assert b"\0\0" not in codes
    assert glyphs > 1000
    assert len(fonts) == 1
    assert "NotoSansSC" in fonts.pop()
    assert reader.metadata.title == facts["title"]
    assert "/StructTreeRoot" in reader.trailer["/Root"]


def test_word_holds_the_facts(made):
    facts, pictures, _, _, docx = made
    document = Document(BytesIO(docx))
    shown = [[[c.text for c in r.cells] for r in t.rows] for t in document.tables]
    for table in _tables(facts):
        assert [[c["text"] for c in table["columns"]], *_cells(table)] in shown, table["key"]
    head = [p.text for p in document.sections[0].header.paragraphs]
    assert facts["warning_short"] in head
    assert facts["running"] in document.sections[0].footer.paragraphs[0].text
    words = [p.text for p in document.paragraphs]
    assert facts["warning"] in words
    named = [s._inline.docPr.get("descr") for s in document.inline_shapes]
    assert len(named) == len(pictures)
    colon = facts["words"]["colon"]
    assert all(f"{m['title']}{colon}{m['caption']}" in named for m in facts["maps"])
    body = document.element.xml
    assert "{{" not in body.replace(HOSTILE["jinja"].split("{%")[0], "").replace("{{ 6*6 }}", "")


def test_each_evaluated_element_leads_to_its_map(results, study, quick, tmp_path):
    """Clause, indicator, value, verdict - and a map: drawn beside it or a figure, and the page where it is explored."""
    maps = results.study.maps
    maps.mkdir(parents=True, exist_ok=True)
    (maps / "index.html").write_text("x", encoding="utf-8")
    (file,), facts = write_report(results, tmp_path / "out", formats=["html"], lang="zh")
    tree = parser.fromstring(file.read_bytes())
    elements = [e for g in facts["policy"]["groups"] for e in g["evaluated"]]
    shown = tree.xpath("//article")
    assert len(shown) == len(elements) > 8
    services = set()
    for element, article in zip(elements, shown, strict=True):
        assert element["page"]["file"] in article.text_content()
        assert element["map_figure"] in article.text_content()
        drawn = article.xpath(".//figure/img/@src")
        assert bool(drawn) == bool(element["picture"])
        assert element["map_figure"]
        assert not (drawn and element["map_figure"].startswith("图 "))
        (link,) = article.xpath(".//a[contains(@href, '.html')]/@href")
        assert (file.parent / link.split("#")[0]).resolve().parent == maps.resolve()
        state = dict(parse_qsl(link.partition("#")[2]))
        services |= {state["service"]} if "service" in state else set()
    assert services
    assert services <= set(results.services.index)


def test_chinese_report_is_chinese(results):
    """No English of the table of standards, no keys of services, no half-width marks beside Chinese characters."""
    facts = report_facts(results, lang="zh")
    texts: list[str] = []

    def gather(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key not in ("key", "what", "service", "state", "file", "page", "formula", "verdict"):
                    gather(inner)
        elif isinstance(value, list):
            for inner in value:
                gather(inner)
        elif isinstance(value, str):
            texts.append(value)

    gather({k: facts[k] for k in ("headlines", "findings", "policy", "zones", "tables", "gaps", "sites", "limits")})
    han = "\u3400-\u9fff"
    for text in texts:
        for hostile in HOSTILE.values():
            text = text.replace(hostile, "")
        assert not re.search(rf"[{han}]\s?[,;:(]|[,;:]\s?[{han}]", text), text
        assert not re.search(r"Annex|Table \d|residential|inputs\.|[a-z]+_[a-z]+", text), text


def test_hostile_text_stays_text(made):
    facts, _, page, pdf, docx = made
    text, tree = _pdf_text(pdf), parser.fromstring(page.encode())
    document = Document(BytesIO(docx))
    words = " ".join(t for t in document.element.body.itertext())
    seen = parser.tostring(tree, method="text", encoding="unicode")
    said = str(facts)
    present = [h for h in (*HOSTILE.values(), "规划局 & <b>", "{{ 6*6 }}") if h in said]
    assert {HOSTILE["script"], HOSTILE["typst"], "规划局 & <b>", "{{ 6*6 }}"} <= set(present)
    assert len(present) >= 5
    for hostile in present:
        assert hostile in seen
        assert hostile in words
        assert _squeezed(hostile) in text
    assert "root:x:" not in text
    assert "<script" not in page
    assert "49" not in [c["text"] for t in facts["zones"] for r in t["rows"] for c in r]


@pytest.mark.usefixtures("quick")
def test_without_findings_the_rest_stands(results, tmp_path):
    bare = replace(results, findings=None)
    facts = report_facts(bare)
    assert not facts["policy"]
    assert not facts["gaps"]
    assert not facts["sites"]
    assert {m["what"] for m in facts["maps"]} == {"lead_plain", "directions", "coverage", "nearest"}
    written, _ = write_report(bare, tmp_path)
    assert [p.suffix for p in written] == [".html", ".pdf", ".docx"]
    said = load_words("zh")("no_findings")
    assert said in written[0].read_text(encoding="utf-8")
    assert _squeezed(said) in _pdf_text(written[1].read_bytes())
    assert said in [p.text for p in Document(str(written[2])).paragraphs]


@pytest.mark.usefixtures("quick")
def test_equal_bytes_and_whole_or_nothing(results, drawn, tmp_path, monkeypatch):
    first = report_facts(results)["maps"][:2]
    assert map_pictures(results, first, lang="zh") == {m["key"]: drawn[m["key"]] for m in first}
    one, _ = write_report(results, tmp_path / "a")
    two, _ = write_report(results, tmp_path / "b")
    assert [p.name for p in one] == ["report_zh.html", "report_zh.pdf", "report_zh.docx"]
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
    before = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}

    def broken(*args, **kwargs):
        raise OutputError("坏", "broken")

    monkeypatch.setattr(report_files, "render_docx", broken)
    with pytest.raises(OutputError):
        write_report(in_language(results, "en"), tmp_path / "a")
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == before


def test_a_study_without_directions(results):
    zones, coverage = results.zones, results.coverage
    plain = replace(
        results,
        zones=zones[zones["zone_kind"] != "direction"],
        coverage=coverage[coverage["zone_kind"] != "direction"],
        findings=None,
    )
    facts = report_facts(plain)
    assert [t["key"] for t in facts["zones"]] == ["townships"]
    assert [t["key"] for t in facts["tables"]] == ["services", "radius", "rates_1"]
    assert {m["what"] for m in facts["maps"]} == {"lead_plain", "coverage", "nearest"}
    words = [t.get_text() for t in lead_map(Source(plain)).axes[0].texts]
    assert {HOSTILE["script"], HOSTILE["typst"]} <= set(words)
    share = next(t for t in facts["tables"] if t["key"] == "rates_1")["rows"][0][2]["text"]
    assert share in words
    assert render_pdf(facts, {})


def _template(*paragraphs):
    document, out = Document(), BytesIO()
    for text in paragraphs:
        document.add_paragraph(text)
    document.save(out)
    return out.getvalue()


def test_own_template(results):
    facts = report_facts(results)
    own = _template("本局: {{ f.title }}", "{%p for x in f.findings %}", "{{ x.what }}", "{%p endfor %}")
    words = [p.text for p in Document(BytesIO(render_docx(facts, {}, template=own))).paragraphs]
    assert words == [f"本局: {facts['title']}", *(x["what"] for x in facts["findings"])]
    for bad in ("{{ f.nothing_like_it }}", "{{ f.__class__.__mro__ }}", "{% for %}"):
        with pytest.raises(OutputError, match=r"report\.template"):
            render_docx(facts, {}, template=_template(bad))
    with pytest.raises(BrokenFileError):
        render_docx(facts, {}, template=b"no zip")


def test_files_of_the_office(results, tmp_path):
    picture = BytesIO()
    from PIL import Image

    Image.new("RGB", (40, 20), "navy").save(picture, "JPEG")
    raw = results.study.raw("logo.jpg")
    raw.write_bytes(picture.getvalue())
    section = results.study.report

    def named(**values):
        study = results.study.model_copy(update={"report": section.model_copy(update=values)})
        return replace(results, study=study)

    given = load_report_files(named(logo="logo.jpg").study)
    assert given == ReportFiles(None, picture.getvalue())
    facts = report_facts(results)
    both = {"logo": picture.getvalue()}
    assert 'class="logo"' in render_html(facts, both)
    assert len(Document(BytesIO(render_docx(facts, both))).inline_shapes) == 1
    assert render_pdf(facts, both) != render_pdf(facts, {})
    with pytest.raises(MissingFileError, match=r"report\.logo"):
        write_report(named(logo="away.png"), tmp_path / "out")
    results.study.raw("bad.docx").write_text("no", encoding="utf-8")
    with pytest.raises(BrokenFileError, match=r"report\.template"):
        write_report(named(template="bad.docx"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("quick")
def test_command(study, results, tmp_path, monkeypatch):
    asked = []

    def run(loaded, **options):
        asked.append((loaded.id, options["write"], options["findings"]))
        return results

    monkeypatch.setattr("bishan_gis.pipeline.run", run)
    done = CliRunner().invoke(app, ["report", str(study), "--format", "html", "--out", str(tmp_path), "--lang", "en"])
    assert done.exit_code == 0, done.output
    assert [p.name for p in tmp_path.iterdir()] == ["report_en.html"]
    assert "have no kindergarten within" in done.stdout
    assert 'lang="en"' in (tmp_path / "report_en.html").read_text(encoding="utf-8")
    for args in (["--format", "odt"], ["--lang", "fr"]):
        wrong = CliRunner().invoke(app, ["report", str(study), *args])
        assert wrong.exit_code == 2
    assert asked == [("toy", False, True)]


def test_words_are_whole_and_the_template_is_the_tools(monkeypatch):
    zh, en = load_words("zh"), load_words("en")
    assert set(zh) == set(en)
    assert all(zh.values())
    assert all(en.values())
    text = (files("bishan_gis") / "data" / "report_words.csv").read_text(encoding="utf-8")
    keys = [line.split(",")[0] for line in text.splitlines()[1:]]
    assert len(keys) == len(set(keys))
    for key in zh:
        assert set(re.findall(r"{\w+}", zh[key])) == set(re.findall(r"{\w+}", en[key])), key
    assert {ord(c) for c in "".join([*zh.values(), *en.values()])} <= font_characters()
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import make_report_template

    shipped = (files("bishan_gis") / "data" / "report_template.docx").read_bytes()
    with zipfile.ZipFile(BytesIO(shipped)) as old, zipfile.ZipFile(BytesIO(make_report_template.make())) as new:
        for name in ("word/document.xml", "word/header1.xml", "word/footer1.xml"):
            assert old.read(name) == new.read(name), f"{name}: run tools/make_report_template.py"
    sys.modules.pop("make_report_template")


def test_text_is_made_fit():
    assert clean("a\x00b\u202ec\u200bd\r\n e") == "a b c d e"
    assert drawable("𠮷🚲 ok") == f"{GETA}{GETA} ok" or ord("𠮷") in font_characters()
    assert fixed_day("2026年3月9日").day == 9
    assert fixed_day("2026-13") is None
    with pytest.raises(InputError):
        report_files.check_formats(["pdf", "odt"])
