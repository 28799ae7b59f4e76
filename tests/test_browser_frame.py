"""The frame of the pages: township, distances, link, keyboard, paper, menus, colours, and axe-core on every page."""

from __future__ import annotations

import csv
import io
import os
import re
from itertools import combinations
from pathlib import Path

import axe_playwright_python
import numpy as np
import pypdf
import pytest
from fake_results import fake_results, shared_results
from pyproj import Geod
from test_browser import expected, headline, visit

from bishan_gis.output import tokens
from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps import render_maps
from bishan_gis.output.maps.catalogue import PAGES
from bishan_gis.output.maps.context import Context
from bishan_gis.output.maps.page import navigation

__all__ = ["visit"]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
SHEETS = {"a4-across": (297, 210), "a4-upright": (210, 297), "a3-across": (420, 297), "a3-upright": (297, 420)}
#: Simulated dichromacy, severity 1.0 (Machado, Oliveira and Fernandes 2009) [K], applied to linear sRGB.
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.fixture(scope="module")
def results():
    return fake_results(scale=0.5)


@pytest.fixture(scope="module")
def folder(results, tmp_path_factory):
    out = tmp_path_factory.mktemp("frame")
    for name, html in render_maps(results).items():
        (out / name).write_text(html, encoding="utf-8")
    return out


def zone_row(results, kind: str, name: str, service: str, cutoff: float, age: str = "all") -> list[int]:
    t = results.coverage
    use = (t["zone_kind"] == kind) & (t["zone_name"] == name) & (t["service"] == service)
    row = t[use & (t["cutoff_min"] == cutoff) & (t["age_group"] == age)].iloc[0]
    return [int(row[c]) for c in ("people", "people_covered", "people_unknown")]


def pick_zone(page, name: str) -> None:
    page.select_option("#choose-town", label=name)


def exported(page) -> list[list[str]]:
    with page.expect_download() as download:
        page.click("#b-export")
    raw = Path(download.value.path()).read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))


@pytest.mark.parametrize(("kind", "name"), [("township", "来凤街道"), ("direction", "南进")])
def test_township_filters_numbers_map_and_table(visit, results, kind, name):
    page = visit("coverage.html")
    pick_zone(page, name)
    want = zone_row(results, kind, name, "kindergarten", 5)
    assert headline(page) == want
    assert name in page.inner_text("#title")
    shown = page.evaluate(
        """() => { const { cells } = BG.current.layers, d = cells.data; let sum = 0;
        for (let i = 0; i < d.all.length; i++) if (!cells._filter || cells._filter(i)) sum += d.all[i]; return sum; }"""
    )
    assert shown == want[0]
    rows = exported(page)
    townships = set(results.zones.loc[results.zones["zone_kind"] == "township", "name"])
    assert rows[1][0] == name
    assert [int(v) for v in rows[1][4:6]] == want[:2]
    assert len({r[0] for r in rows[1:]} & townships) == (1 if kind == "township" else 6)
    assert "town=" in page.url
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    assert headline(page) == want
    pick_zone(page, "全区")
    assert headline(page) == expected(results, "kindergarten", 5, "all")


@pytest.mark.parametrize("name", ["nearest.html", "district.html"])
def test_township_filters_the_other_pages(visit, results, name):
    page = visit(name)
    pick_zone(page, "八塘镇")
    people = zone_row(results, "township", "八塘镇", "kindergarten", 5)[0]
    if name == "nearest.html":
        sums = [int(v) for v in page.get_attribute("#legend", "data-numbers").split(",")]
        assert sum(sums) == people
    else:
        assert fmt.exact(people) in page.inner_text("#headline")
    assert [row[0] for row in exported(page)[1:]] == ["八塘镇"]
    assert page.locator("#where tbody tr").count() == 1


def test_the_choice_goes_along_to_the_next_page(visit):
    page = visit("coverage.html")
    page.select_option("#choose-service", "hospital")
    pick_zone(page, "八塘镇")
    link = page.locator("nav.pages a[href='nearest.html']")
    if not link.is_visible():
        page.locator("nav.pages details", has=link).locator("summary").click()
    link.click()
    page.wait_for_url("**/nearest.html*")
    page.wait_for_selector("body[data-ready=yes]")
    assert page.input_value("#choose-service") == "hospital"
    assert "八塘镇" in page.inner_text("#title")


def test_the_address_keeps_view_and_layers(visit):
    page = visit("coverage.html")
    assert "at=" not in page.url
    page.evaluate("BG.current.map.setView([29.61234, 106.21234], 14.2, {animate: false})")
    page.click("#b-layers")
    page.check("[data-layer=rings]")
    page.uncheck("[data-layer=names]")
    url = page.url
    page.goto("about:blank")
    page.goto(url)
    page.wait_for_selector("body[data-ready=yes]")
    view = page.evaluate("[BG.current.map.getCenter().lat, BG.current.map.getCenter().lng, BG.current.map.getZoom()]")
    assert np.allclose(view, [29.61234, 106.21234, 14.2], atol=2e-4)
    assert page.is_checked("[data-layer=rings]", timeout=1000) is True
    assert page.evaluate("BG.current.layers.names._map") is None
    page.click("#b-home")
    assert "at=" not in page.url


def test_a_spoilt_address_opens_the_whole_district(visit, results):
    page = visit("coverage.html#at=NaN,<b>,9e9&town=%22%3E&show=-x,,&cutoff=7&service=no&age=no&zoom=1")
    assert headline(page) == expected(results, Context(results).services.index[0], 5, "all")
    page.goto(page.url.split("#")[0] + "#at=999,999,99")
    page.wait_for_selector("body[data-ready=yes]")
    assert page.evaluate("BG.current.map.getZoom()") <= 18


def test_distances_are_those_of_the_ellipsoid(visit):
    page = visit("nearest.html")
    rng = np.random.default_rng(5)
    pairs = rng.uniform([-70, -179, -70, -179], [70, 179, 70, 179], (40, 4))
    pairs[20:, 2:] = pairs[20:, :2] + rng.uniform(-0.2, 0.2, (20, 2))
    pairs[0, 2:] = pairs[0, :2]
    got = page.evaluate(
        "(all) => all.map((p) => BG.geodesic({lat: p[0], lng: p[1]}, {lat: p[2], lng: p[3]}))", pairs.tolist()
    )
    want = Geod(ellps="WGS84").inv(pairs[:, 1], pairs[:, 0], pairs[:, 3], pairs[:, 2])[2]
    assert np.abs(np.array(got) - want).max() < 1e-3


@pytest.mark.parametrize("how", ["mouse", "touch", "keyboard"])
def test_a_distance_is_measured(visit, how):
    touch = how == "touch"
    page = visit("coverage.html", width=390 if touch else 1366, height=844 if touch else 768, touch=touch)
    page.click("#b-measure")
    assert page.get_attribute("#b-measure", "aria-pressed") == "true"
    box = page.locator("#stage").bounding_box()
    spots = [
        (box["x"] + box["width"] * a, box["y"] + box["height"] * b) for a, b in ((0.4, 0.5), (0.6, 0.7), (0.5, 0.8))
    ]
    if how == "keyboard":
        page.focus(".folium-map")
        for keys in (["Enter"], ["ArrowRight"] * 5 + ["Enter"], ["ArrowDown"] * 3 + ["Enter"]):
            for key in keys:
                page.keyboard.press(key)
    else:
        for spot in spots:
            (page.touchscreen.tap if touch else page.mouse.click)(*spot)
            page.wait_for_timeout(400 if touch else 20)
    points = page.evaluate(
        """() => { const out = [];
        BG.current.map.eachLayer((l) => { if (l instanceof L.CircleMarker) out.push(l.getLatLng()); });
        return out.map((p) => [p.lat, p.lng]); }"""
    )
    assert len(points) == 3
    lat, lon = zip(*points, strict=True)
    want = Geod(ellps="WGS84").line_length(lon, lat)
    assert abs(float(page.get_attribute("#measure", "data-metres")) - want) < 0.01
    assert fmt.exact(want) + " m" in page.inner_text("#measure")
    assert page.locator("#card").is_hidden()
    if how == "keyboard":
        page.keyboard.press("Backspace")
        assert float(page.get_attribute("#measure", "data-metres")) < want
    page.keyboard.press("Escape")
    assert page.locator("#measure").is_hidden()
    assert page.get_attribute("#b-measure", "aria-pressed") == "false"
    assert page.locator(".leaflet-tooltip").count() == 0


def test_the_map_from_the_keyboard_alone(visit):
    page = visit("coverage.html#at=29.604,106.228,15.0")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('folium-map')"):
            break
    else:
        pytest.fail("the map is not reached by the tab key")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')")
    zoom = page.evaluate("BG.current.map.getZoom()")
    page.keyboard.press("+")
    assert page.evaluate("BG.current.map.getZoom()") == zoom + 1
    page.keyboard.press("-")
    target = page.evaluate(
        """() => { const { map, layers } = BG.current, at = BG.current.cursor(), c = layers.cells;
        let best = -1, near = 1e9;
        for (let i = 0; i < c.cx.length; i++) {
          const d = map.latLngToContainerPoint(c.centre(i)).distanceTo(at);
          if (d > 30 && d < near && layers.facilities.at(c.centre(i)) < 0) { near = d; best = i; } }
        return best; }"""
    )
    for _ in range(60):
        dx, dy = page.evaluate(
            """(i) => { const { map, layers } = BG.current, p = map.latLngToContainerPoint(layers.cells.centre(i));
            return [p.x - BG.current.cursor().x, p.y - BG.current.cursor().y]; }""",
            target,
        )
        reach = page.evaluate(
            """Math.max(12, Math.min(60, BG.current.layers.cells._side * 256
            * 2 ** BG.current.map.getZoom() / 40075016.7)) / 2"""
        )
        if abs(dx) <= reach + 1 and abs(dy) <= reach + 1:
            break
        key = (
            ("ArrowRight" if dx > 0 else "ArrowLeft") if abs(dx) > reach + 1 else ("ArrowDown" if dy > 0 else "ArrowUp")
        )
        page.keyboard.press(key)
    assert page.locator(".cursor").evaluate("(e) => !e.hidden")
    said = page.inner_text("#said")
    assert said
    page.keyboard.press("Enter")
    assert page.locator("#card").is_visible()
    assert page.evaluate("document.activeElement.id") == "card"
    page.keyboard.press("Escape")
    assert page.locator("#card").is_hidden()
    assert page.evaluate("document.activeElement.classList.contains('folium-map')")
    for _ in range(80):
        page.keyboard.press("Shift+ArrowLeft")
    inside = page.evaluate(
        "(() => { const p = BG.current.cursor(), s = BG.current.map.getSize(); return p.x >= 0 && p.x <= s.x; })()"
    )
    assert inside


def test_every_sheet_holds_all(visit):
    page = visit("coverage.html")
    for sheet in SHEETS if "BISHAN_GIS_STRESS" in os.environ else ("a4-upright", "a3-across"):
        check_sheet(page, sheet)


def test_a_long_legend_is_printed_whole(visit):
    page = visit("district.html")
    page.click("#b-layers")
    page.check("[data-layer=landuse]")
    check_sheet(page, "a4-upright")


def check_sheet(page, sheet: str) -> None:
    """One page of that size, and nothing of the drawing beyond its edge or cut off."""
    page.evaluate("(s) => BG.current.paper(s)", sheet)
    if sheet in ("a4-across", "a3-upright"):
        pdf = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True, print_background=True)))
        assert len(pdf.pages) == 1
        size = [float(v) / 72 * 25.4 for v in pdf.pages[0].mediabox[2:]]
        assert np.allclose(size, SHEETS[sheet], atol=0.6)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    cut = page.evaluate(
        """() => { const body = document.body.getBoundingClientRect(), out = [];
        for (const id of ["title", "headline", "where", "stage", "legend", "foot"]) {
          const e = document.getElementById(id), b = e.getBoundingClientRect();
          if (!b.width || !b.height || b.right > body.right + 1 || b.bottom > body.bottom + 1) out.push(id); }
        for (const id of ["legend", "panel", "foot"]) { const e = document.getElementById(id);
          if (e.scrollHeight > e.clientHeight + 2) out.push(id + " is cut"); }
        const strip = document.querySelector(".strip").getBoundingClientRect(); if (!strip.height) out.push("strip");
        if (document.querySelector(".tools").offsetParent) out.push("tools");
        return out; }"""
    )
    assert cut == []
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.body.classList.contains('printing')") is False


def test_print_asks_for_the_sheet(visit):
    page = visit("coverage.html")
    page.evaluate("window.print = () => { window.printed = document.body.dataset.sheet; }")
    page.click("#b-print")
    page.click("[data-sheet='a3-upright']")
    assert page.evaluate("window.printed") == "a3-upright"
    assert page.locator("#papers").is_hidden()


def test_few_pages_are_links_and_many_are_menus(results):
    context = Context(results)
    context.pages[:] = ["index", "district", "coverage", "nearest"]
    assert "<details" not in navigation(context, "coverage")
    context.pages.extend(["completeness", "gaps", "shelters", "scorecard", "siting"])
    html = navigation(context, "gaps")
    assert html.count("<details") == 2
    assert html.count('aria-current="page"') == 1
    assert re.findall(r'href="(\w+)\.html"', html) == context.pages
    assert "·" in re.search(r'class="here">.*?</summary>', html, flags=re.DOTALL)[0]


@pytest.mark.parametrize("width", [1366, 390])
def test_menus_open_close_and_fit(browser, results, tmp_path, width):
    context = Context(results)
    context.pages.extend(["completeness", "gaps", "shelters", "scorecard", "siting"])
    file = tmp_path / "nearest.html"
    file.write_text(PAGES["nearest"].make(context), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=30_000)
    menus = page.locator("nav.pages details")
    assert menus.count() == 2
    for i in range(2):
        menus.nth(i).locator("summary").click()
        box = menus.nth(i).locator("ul").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert page.locator("nav.pages details[open]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("nav.pages details[open]").count() == 0
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_axe_finds_nothing_serious(browser, tmp_path):
    """Every page with card, menus, layers and a measured distance open; the overview and one map on a phone, too."""
    found = []
    for name, html in render_maps(shared_results()).items():
        (tmp_path / name).write_text(html, encoding="utf-8")
    # Every page under `make stress`; in every test run those whose parts the others share.
    chosen = "*" if "BISHAN_GIS_STRESS" in os.environ else "[cgiw]*"
    for file in sorted(tmp_path.glob(f"{chosen}.html")):
        for width in (1366, 390) if file.stem in ("index", "coverage") else (1366,):
            page = browser.new_page(viewport={"width": width, "height": 800}, bypass_csp=True)
            page.goto(file.as_uri())
            if file.stem != "index":
                page.wait_for_selector("body[data-ready=yes]", timeout=30_000)
            page.evaluate(AXE)
            for opened in (False, True) if file.stem == "coverage" else (file.stem != "index",):
                if opened:
                    page.evaluate(
                        """() => { const a = BG.current, c = a.layers.cells;
                        document.querySelectorAll("nav details").forEach((d) => { d.open = true; });
                        document.getElementById("layers").hidden = false;
                        document.getElementById("b-measure").click();
                        a.measure.add(a.map.getCenter()); a.measure.add(a.map.getBounds().getNorthEast());
                        document.body.classList.add("sheet-open");
                        if (a.click && c && c.cx) a.click(c.centre(5)); }"""
                    )
                seen = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
                found += [(file.stem, width, v["impact"], v["id"], v["nodes"][0]["html"][:120]) for v in seen]
            page.close()
    assert [f for f in found if f[2] in ("serious", "critical")] == []
    assert {f[3] for f in found} <= {"region"}


def _linear(color: str) -> np.ndarray:
    c = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    """CIELAB of linear sRGB, white D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(
        linear, 0, 1
    )
    t = xyz / [0.9505, 1.0, 1.089]
    f = np.where(t > 216 / 24389, np.cbrt(t), t * 24389 / 3132 + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", BLINDNESS)
@pytest.mark.parametrize(
    "colors",
    [
        (*tokens.REACH, tokens.GAP, tokens.UNKNOWN),
        tokens.NEAREST,
        tokens.COMPLETENESS,
        tokens.MISSING,
        tuple(tokens.CHANGE.values()),
    ],
)
def test_classes_differ_to_the_colour_blind(colors, sight):
    """Classes of one legend stay at least 8 apart in CIELAB, which is seen at a glance."""
    matrix = np.array(BLINDNESS[sight])
    lab = [_lab(matrix @ _linear(c)) for c in colors]
    near = min((float(np.linalg.norm(a - b)), i, j) for (i, a), (j, b) in combinations(enumerate(lab), 2))
    assert near[0] > 8, (colors[near[1]], colors[near[2]])
