"""Pages as text: offline, escaped, small, the same twice; packing and numbers."""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import folium
import numpy as np
import pytest
import shapely
from fake_results import HOSTILE, shared_results

from bishan_gis.chinese import full_width
from bishan_gis.errors import SchemaError, StudyError
from bishan_gis.output.files import Staging
from bishan_gis.output.gap_sentences import read_gap
from bishan_gis.output.labels import load_labels
from bishan_gis.output.maps import PackedPolygons, render_maps
from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps.beside import beside_html, refresh_index
from bishan_gis.output.maps.completeness_page import natural_breaks
from bishan_gis.output.maps.context import Context
from bishan_gis.output.maps.elements import asset, json_text
from bishan_gis.output.maps.findings import cell_places
from bishan_gis.output.maps.gap_page import chosen_areas
from bishan_gis.output.maps.index import index_page
from bishan_gis.output.maps.layers import ordered_cells
from bishan_gis.output.maps.pack import pack, varints
from bishan_gis.output.maps.pages import landuse_classes, legend_classes
from bishan_gis.output.maps.shapes import polygon_columns
from bishan_gis.output.tokens import INK, NEAREST, NEAREST_MIN, reach_colors
from bishan_gis.sources.datasets import file_sha256

BARE = ["index.html", "district.html", "coverage.html", "nearest.html"]
PAGES = [*BARE, "completeness.html", "gaps.html", "shelters.html", "scorecard.html", "siting.html"]
ASSETS = ["pack", "format", "canvas", "marks", "frame", "parts", "model", "coverage", "nearest", "district"]
ASSETS += ["findings", "gaps", "completeness", "siting", "shelters", "scorecard", "compare", "raster"]
ASSETS += ["paper", "measure", "keys", "whatif", "whatif_parts", "whatif_plan", "whatif_reach", "scenario_file"]
ASSETS += ["engine", "engine_search", "engine_ask", "view", "inset"]


@pytest.fixture(scope="module")
def results():
    return shared_results()


@pytest.fixture(scope="module")
def pages(results):
    return render_maps(results)


class Addresses(HTMLParser):
    """Everything in a page that a browser would fetch or follow, and every element that could run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.handlers: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [v for k, v in attrs if k in ("src", "href", "srcset", "action", "data", "poster") and v]
        self.handlers += [k for k, _ in attrs if k.startswith("on")]


def unpack(html: str, name: str) -> dict:
    """Read packed columns back, without the scripts."""
    text = re.search(rf'<script type="text/plain" id="{name}_\d+_data">([^<]*)</script>', html)[1]
    raw = gzip.decompress(base64.b64decode(text))
    size = int.from_bytes(raw[:4], "little")
    out, at = {}, 4 + size
    for col in json.loads(raw[4:at]):
        data = raw[at : at + col["b"]]
        out[col["n"]] = json.loads(data) if col["t"] == "js" else data if col["t"] == "u8" else _ints(col, data)
        at += col["b"]
    return out


def unpack_id(html: str, name: str) -> dict:
    """Read the packed columns of one layer by its whole id."""
    return unpack(html.replace(f'id="{name}_data"', 'id="wanted_0_data"'), "wanted")


def _ints(col: dict, data: bytes) -> np.ndarray:
    values, z, shift = [], 0, 0
    for byte in data:
        z |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append((z >> 1) ^ -(z & 1))
            z, shift = 0, 0
    assert len(values) == col["c"]
    return np.cumsum(values) if col["t"] == "dv" else np.array(values)


def test_pages_are_all_there_and_small(pages):
    assert [p for p in pages if p in PAGES] == PAGES
    assert max(len(html.encode()) for html in pages.values()) < 3_000_000


@pytest.mark.parametrize("name", PAGES)
def test_no_address_outside_the_page(results, pages, name):
    html = pages[name]
    # The overview also links what other commands have written for the study.
    beside = set(
        Addresses(beside_html(results.study, "zh", "plans") + beside_html(results.study, "zh", "downloads")).found
    )
    found = Addresses(html).found
    assert found
    for address in found:
        assert re.match(r"(data:|#)", address) or re.sub("#.*", "", address) in {*pages, *beside}, address
    assert not re.search(r"url\(\s*['\"]?(?!data:|#)", html)
    assert not re.search(r"@import|sourceMappingURL|//cdn", html)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", html)


@pytest.mark.parametrize("name", PAGES)
def test_policy_allows_only_the_scripts_of_the_page(pages, name):
    html = pages[name]
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    rule = re.search(r"script-src ([^;]*)", policy)[1]
    assert "unsafe" not in rule
    assert len(rule.split()) == max(1, len(scripts))
    assert "default-src 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("name", PAGES)
def test_hostile_names_are_text(pages, name):
    html = pages[name]
    for bad in ("alert(1)", "alert(2)", "alert(3)", "alert(4)", "onerror=alert"):
        assert bad not in html
    assert not Addresses(html).handlers
    if name in PAGES[1:]:
        assert unpack(html, "packed_points")["names"][: len(HOSTILE)] == list(HOSTILE)


def test_hostile_names_in_static_text(results):
    bad = copy.copy(results)
    bad.zones = results.zones.replace({"name": {"八塘镇": HOSTILE[1]}})
    bad.coverage = results.coverage.replace({"zone_name": {"八塘镇": HOSTILE[1]}})
    bad.services = results.services.replace({"zh": {"小学": HOSTILE[0]}})
    bad.study = results.study.model_copy(update={"title": HOSTILE[3], "name": HOSTILE[3]})
    for html in render_maps(bad).values():
        seen = Addresses(html)
        assert not seen.handlers
        assert "<img src=x" not in html
        assert "<script>alert" not in html


def test_json_in_a_script_cannot_close_it():
    text = json_text({"a": "</script><!-- & \u2028\u2029"})
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {"a": "</script><!-- & \u2028\u2029"}


def test_two_renders_are_the_same_bytes(results, pages):
    assert render_maps(results) == pages


def test_another_process_gives_the_same_bytes(pages):
    code = (
        "import hashlib, sys; sys.path.insert(0, 'tests'); from fake_results import shared_results;"
        "from bishan_gis.output.maps import render_maps; p = render_maps(shared_results());"
        "sys.stdout.write(hashlib.sha256(''.join(p.values()).encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == hashlib.sha256("".join(pages.values()).encode()).hexdigest()


def test_cells_carry_what_the_coverage_table_counts(results, pages):
    d = unpack(pages["coverage.html"], "packed_cells")
    context = Context(results)
    n = len(results.cells)
    time = d["t"].reshape(-1, n)
    leave = d["u"].reshape(-1, n)
    for i, service in enumerate(context.services.index):
        for j, cutoff in enumerate(context.cutoffs):
            yes = (time[i] >= 0) & (time[i] <= cutoff * 60)
            unknown = ~yes & (leave[i] >= 0) & (leave[i] <= cutoff * 60)
            people, covered, not_known = context.numbers[0, i, j, 0]
            assert d["all"].sum() == people == 756_022
            assert d["all"][yes].sum() == covered, service
            assert d["all"][unknown].sum() == not_known, service
    parts = d["p"].reshape(-1, n)
    assert (parts.sum(axis=0) == d["all"]).all()


def test_warning_and_footer(results, pages):
    for html in pages.values():
        strip = re.search(r'<p class="strip" role="note">(.*?)</p>', html)[1]
        assert "合成示例" in strip
        assert "方向划分" in strip
        assert "OpenStreetMap contributors, ODbL" in html
        for word in ("审图号", "EPSG:4544", "4.0 km/h", "2026-11"):
            assert word in html
    sure = copy.copy(results)
    sure.kind, sure.datasets = "observed", []
    sure.study = results.study.model_copy(
        update={"directions": results.study.directions.model_copy(update={"kind": "observed"})}
    )
    assert '<p class="strip"' not in index_page(Context(sure))


def test_english_pages(results):
    english = copy.copy(results)
    english.study = results.study.model_copy(update={"lang": "en"})
    html = index_page(Context(english))
    assert 'lang="en"' in html
    assert "Kindergarten" in html
    assert "synthetic" in html


def test_missing_rows_are_an_error(results):
    bad = copy.copy(results)
    bad.coverage = results.coverage.iloc[:-1]
    with pytest.raises(SchemaError, match="coverage"):
        render_maps(bad)


def test_tiles_only_when_asked_for(results, monkeypatch):
    asked = copy.copy(results)
    outputs = results.study.outputs.model_copy(update={"tiles": "tianditu"})
    asked.study = results.study.model_copy(update={"outputs": outputs})
    monkeypatch.delenv("TIANDITU_KEY", raising=False)
    with pytest.raises(StudyError, match="TIANDITU_KEY"):
        render_maps(asked)
    monkeypatch.setenv("TIANDITU_KEY", "abc123")
    html = render_maps(asked)["coverage.html"]
    assert "tianditu.gov.cn" in re.search(r"img-src ([^;]*)", html)[1]
    assert "tk=abc123" in html


def test_layers_work_in_a_map_of_ones_own():
    m = folium.Map([29.59, 106.22], zoom_start=12, tiles=None)
    square = shapely.box(615_000, 3_274_000, 616_000, 3_275_000)
    layer = PackedPolygons([square], working_crs(), classes=[{"fill": "#4292c6"}], name="square")
    layer.add_to(m)
    folium.LayerControl().add_to(m)
    html = m.get_root().render()
    assert html.count("new BG.Polygons(") == 1
    assert "addTo(map_" in html
    with pytest.raises(TypeError, match="added to a map"):
        PackedPolygons([square], working_crs(), classes=[]).render()


def working_crs():
    from bishan_gis.crs import load_crs

    return load_crs("EPSG:4544")


def test_optional_layers_may_be_missing(results):
    bare = copy.copy(results)
    bare.landuse = bare.control_lines = bare.water = bare.green = None
    assert "用地用海分类" not in re.search(r'"layers":\[.*?\]', render_maps(bare)["district.html"])[0]


def test_the_overview_leads_to_what_other_commands_made(results, tmp_path):
    """Only to what is there: nothing at first, then the comparison and the files, by addresses that work from there."""
    some = copy.copy(results)
    some.study = results.study.model_copy()
    some.study._file = tmp_path / "studies" / "bishan" / "study.toml"
    maps, processed = some.study.maps, some.study.processed
    assert tmp_path in maps.parents
    context = Context(some)
    assert "compare.html" not in index_page(context)
    for file in (maps / "compare.html", processed / "report" / "report_zh.pdf", processed / "export" / "bishan.xlsx"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    html = index_page(context)
    assert 'href="compare.html"' in html
    links = re.findall(r'<a href="([^"]+)">(?:报告|数据表)', html)
    assert len(links) == 2
    assert all((maps / unquote(link)).resolve().is_file() for link in links)


def test_the_overview_follows_later_commands(results, tmp_path):
    """A report, a comparison, sites or exports made after the run stand on the overview as if they had been there."""
    some = copy.copy(results)
    some.study = results.study.model_copy()
    some.study._file = tmp_path / "studies" / "bishan" / "study.toml"
    maps, processed = some.study.maps, some.study.processed
    assert refresh_index(some.study) is None
    context = Context(some)
    with Staging({"tables": processed, "maps": maps}) as out:
        out.path("maps", "index.html").write_text(index_page(context), encoding="utf-8")
        record = {"study": "bishan", "outputs": out.hashes()}
        out.path("tables", "run.json").write_text(json.dumps(record), encoding="utf-8")
        out.commit()
    assert refresh_index(some.study) is None
    made = ["report/report_zh.docx", "siting_nursery.csv", "export/bishan.xlsx", "export/shp/zones.shp"]
    for file in (maps / "compare.html", *(processed / name for name in made)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    assert refresh_index(some.study) == maps / "index.html"
    html = (maps / "index.html").read_text(encoding="utf-8")
    assert html == index_page(context)
    assert 'href="compare.html"' in html
    assert "选址表（CSV）：托儿所" in html
    links = re.findall(r'<a href="([^"]+)">(?:报告|数据表|选址表|其他导出)', html)
    assert len(links) == 4
    assert all((maps / unquote(link)).resolve().exists() for link in links)
    recorded = json.loads((processed / "run.json").read_text())["outputs"]["maps/index.html"]
    assert recorded == file_sha256(maps / "index.html")
    assert sorted(p.name for p in maps.iterdir() if not p.name.startswith(".")) == ["compare.html", "index.html"]
    (maps / "compare.html").unlink()
    refresh_index(some.study)
    assert (maps / "index.html").read_text(encoding="utf-8") == index_page(context)


def test_pages_that_cannot_be_filled_are_left_out_and_not_linked(results):
    bare = copy.copy(results)
    bare.findings = None
    pages = render_maps(bare)
    assert [p for p in pages if p in PAGES] == BARE
    for html in pages.values():
        assert not re.search(r'href="(gaps|completeness|siting|shelters|scorecard)\.html', html)
    some = copy.copy(results)
    some.findings = replace(results.findings, plans=[])
    some.measures = some.zone_measures = some.landuse = None
    pages = render_maps(some)
    assert "siting.html" not in pages
    assert "shelters.html" in pages
    assert "siting.html" not in pages["gaps.html"]


def test_gap_page_tells_what_the_gaps_say(results, pages):
    gaps = results.findings.gaps
    data = areas_of(pages["gaps.html"])
    told = [a for a in data["areas"] if a["list"] == 0]
    table = gaps.areas.table
    said = [full_width(read_gap(row)) for row in table.head(20).to_dict("records")]
    assert [f"{a['place']}：{a['text']}" for a in told[:20]] == said
    every = data["sums"].reshape(8, -1)
    assert every[7].sum() == sum((p.table["people"] >= 100).sum() for p in (gaps.areas, gaps.unknown, gaps.short))
    assert every[6].sum() == sum(len(part.table) for part in (gaps.areas, gaps.unknown, gaps.short))
    assert every[5][every[0] == 0].sum() == table["people"].sum()
    first = gaps.areas.cells_of()[told[0]["rank"] - 1]
    order = ordered_cells(results.cells)["cell_id"].to_numpy()
    assert set(order[data["cells"][: data["n"][0]]]) == set(gaps.cells["cell_id"].iloc[first])
    for by in ("service", "zone_id"):
        some = table.iloc[chosen_areas(table)]
        assert set(some[by]) == set(table[by])


def areas_of(html: str) -> dict:
    names = re.findall(r'id="(packed_data)_(\d+)_data"', html)
    found = [unpack_id(html, f"{a}_{b}") for a, b in names]
    return next(d for d in found if "areas" in d)


def test_states_of_cells_are_those_of_the_gaps(results, pages):
    gaps = results.findings.gaps
    d = unpack(pages["gaps.html"], "packed_cells")
    n = len(results.cells)
    time, leave = d["t"].reshape(-1, n), d["u"].reshape(-1, n)
    index = list(Context(results).services.index)
    place = cell_places(Context(results), gaps.cells["cell_id"])
    for row, service in enumerate(gaps.state.services):
        i, limit = index.index(service), gaps.state.level_min[row] * 60
        yes = (time[i] >= 0) & (time[i] <= limit)
        state = np.where(yes, 0, np.where((leave[i] >= 0) & (leave[i] <= limit), 2, 1))
        assert (state[place] == gaps.state.state[row]).all(), service


@pytest.mark.parametrize(("n", "k"), [(4, 2), (15, 5), (400, 5)])
def test_classes_are_those_of_mapclassify(n, k):
    import mapclassify

    values = np.sort(np.random.default_rng(n).random(n) ** 2)
    found = natural_breaks(values, np.full(n, 400 // n if 400 % n == 0 else 1), k)
    if 400 % n == 0:
        assert found == pytest.approx(mapclassify.FisherJenks(values, k=k).bins)
    assert found[-1] == values[-1]
    assert natural_breaks(np.zeros(3), np.ones(3, dtype=int), 5) == [0.0]
    assert natural_breaks(np.array([0.5, 0.2]), np.zeros(2, dtype=int), 5) == [0.5]


def test_varints_and_columns_come_back():
    values = np.array([0, -1, 1, 63, 64, -64, -65, 2**30 - 1, -(2**30) + 1])
    assert _ints({"t": "vi", "c": len(values)}, varints(values)).tolist() == values.tolist()
    with pytest.raises(ValueError, match="31 bits"):
        varints([2**30])
    with pytest.raises(ValueError, match="0 to 255"):
        pack({"a": ("u8", [256])})
    assert pack({"a": ("dv", values[:-2])}) == pack({"a": ("dv", values[:-2])})


def test_holes_and_empty_shapes_are_kept_in_place():
    ring = shapely.Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [[(3, 3), (6, 3), (6, 6), (3, 6)]])
    shapes = [shapely.transform(ring, lambda p: p + np.array([600_000, 3_270_000])), shapely.Polygon()]
    columns = polygon_columns(shapes, working_crs())
    assert columns["r"][1].tolist() == [2, 0]
    assert columns["n"][1].tolist() == [4, 4]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (99.6, "100"), (101, "100"), (106, "110"), (9_996, "10,000"), (10_049, "10,000"), (756_022, "756,000")],
)
def test_people(value, text):
    assert fmt.people(value) == text


def test_other_numbers():
    assert fmt.minutes(600) == "10"
    assert fmt.minutes(600.01) == "11"
    assert fmt.minutes(0) == "1"
    assert fmt.distance(304) == "300 m"
    assert fmt.distance(12_340) == "12.3 km"
    assert fmt.area_km2(1_032.66) == "1,032.7 km²"
    assert fmt.percent(5, 0) == "—"


def test_every_label_that_a_script_asks_for_is_there():
    labels = load_labels("zh")
    code = "".join(asset(f"{name}.js") for name in ASSETS)
    for key in re.findall(r"""\bt\(["'](\w+)["']""", code):
        assert key in labels or key.endswith("_"), key
    assert set(labels) == set(load_labels("en"))
    assert all(labels.values())


def test_no_file_is_long_or_takes_names_as_markup():
    for name in ASSETS:
        code = asset(f"{name}.js")
        assert code.count("\n") < 400
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", code)


def test_land_use_is_named_as_the_official_list_names_it(pages):
    """Every code of the legend stands with the name of that very class."""
    official = {code: row["name"] for code, row in landuse_classes().items()}
    for code, name in official.items():
        assert legend_classes([[code]]) == [(code, name, False)]
    by_color: dict[str, list[str]] = {}
    for code, row in landuse_classes().items():
        by_color.setdefault(row["legend"], []).append(code)
    for codes in by_color.values():
        ((code, name, _),) = legend_classes([codes])
        assert all(c.startswith(code) for c in codes)
        assert official.get(code, "") == name
    english = {code: legend_classes([[code]], "en")[0][1] for code in official}
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9 (),-]+", name) for name in english.values())
    assert len(set(english.values())) == len(set(official.values()))
    found = re.search(r'id="config">(.*?)</script>', pages["district.html"], flags=re.DOTALL)
    rows = json.loads(found[1])["landuse"]
    assert rows
    for row in rows:
        assert row["name"].removesuffix("（其余）") == official[row["code"]]


def test_classes_and_contrast():
    assert len(NEAREST) == len(NEAREST_MIN) + 1 == 7
    assert len(set(reach_colors(5))) == 5
    assert _contrast(INK["muted"], INK["panel"]) > 4.5
    assert _contrast("#6e4800", INK["warn-paper"]) > 4.5
    assert landuse_classes()["0701"]["color"] == "#ffff2d"
    assert {row["level"] for row in landuse_classes().values()} == {"1", "2", "3"}


def _contrast(a: str, b: str) -> float:
    def light(color: str) -> float:
        c = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)
