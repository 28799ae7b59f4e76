"""Pages in a real browser, offline and from a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_results import HOSTILE, shared_results

from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps import render_maps
from bishan_gis.output.maps.context import Context

MAPS = ["district.html", "coverage.html", "nearest.html"]
COLOURS = """() => [...document.querySelectorAll("canvas")].map((c) => {
  const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = new Set();
  for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) seen.add((d[i] << 16) | (d[i + 1] << 8) | d[i + 2]);
  return seen.size; }).reduce((a, b) => a + b, 0)"""


@pytest.fixture(scope="module")
def results():
    return shared_results()


@pytest.fixture(scope="module")
def folder(results, tmp_path_factory):
    out = tmp_path_factory.mktemp("maps")
    for name, html in render_maps(results).items():
        (out / name).write_text(html, encoding="utf-8")
    return out


@pytest.fixture
def visit(browser, folder):
    """Open a page; at the end nothing may have been complained about, asked for, or executed."""
    contexts, said, asked = [], [], []

    def go(name: str, *, width: int = 1366, height: int = 768, touch: bool = False, **more):
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, has_touch=touch, is_mobile=touch, **more
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: said.append(str(e)))
        page.on("dialog", lambda d: (said.append("dialog " + d.message), d.dismiss()))
        page.on("request", lambda r: asked.append(r.url))
        page.goto(f"file://{folder}/{name}")
        if not name.startswith("index"):
            page.wait_for_selector("body[data-ready=yes]", timeout=30_000)
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []
    pages = re.compile(rf"file://{re.escape(str(folder))}/\w+\.html")
    assert [url for url in asked if not pages.match(url) and not url.startswith(("data:", "blob:"))] == []


def headline(page) -> list[int]:
    return [int(v) for v in page.get_attribute("#headline", "data-numbers").split(",")]


def expected(results, service: str, cutoff: float, age: str) -> list[int]:
    t = results.coverage
    row = t[
        (t["zone_kind"] == "district")
        & (t["service"] == service)
        & (t["cutoff_min"] == cutoff)
        & (t["age_group"] == age)
    ].iloc[0]
    return [int(row["people"]), int(row["people_covered"]), int(row["people_unknown"])]


def find_on_map(page, what: str) -> None:
    """Move the pointer onto the first cell or name that is in view and not under a panel."""
    at = page.evaluate(
        """(what) => { const a = BG.current, layer = a.layers[what], box = a.map.getContainer().getBoundingClientRect();
        const n = what === "cells" ? layer.cx.length : layer.data.x.length;
        const place = (i) => what === "cells" ? layer.centre(i) : layer.toLatLng(layer.data.x[i], layer.data.y[i]);
        for (let i = 0; i < n; i++) { const ll = place(i), p = a.map.latLngToContainerPoint(ll);
          if (p.x > 60 && p.y > 100 && p.x < box.width - 330 && p.y < box.height - 60
              && (what !== "cells" || a.layers.facilities.at(ll) < 0)) return [box.x + p.x, box.y + p.y]; } }""",
        what,
    )
    page.mouse.move(*at)
    page.wait_for_timeout(120)


@pytest.mark.parametrize("name", ["index.html", *MAPS])
def test_page_opens_quietly(visit, name):
    page = visit(name)
    assert page.title()
    assert page.locator(".strip").is_visible()
    if name != "index.html":
        assert page.evaluate(COLOURS) > 40
        assert page.locator(".leaflet-control-scale-line").is_visible()
        assert page.locator(".north").is_visible()


@pytest.mark.parametrize("name", MAPS)
def test_no_layer_is_blank(visit, name):
    page = visit(name)
    page.evaluate("BG.current.map.setZoom(13, {animate: false})")
    blank = page.evaluate(
        """() => Object.entries(BG.current.layers).filter(([k, l]) => l._canvas && !["zones", "rings"].includes(k))
        .filter(([, l]) => { const c = l._canvas, d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
          for (let i = 3; i < d.length; i += 4) if (d[i]) return false; return true; }).map(([k]) => k)"""
    )
    assert set(blank) <= {"outside", "water", "circles"}


def test_headline_follows_service_time_and_age(visit, results):
    page = visit("coverage.html")
    assert headline(page) == expected(results, "kindergarten", 5, "all")
    page.select_option("#choose-service", "primary_school")
    page.check("input[name=cutoff][value='15']", force=True)
    assert headline(page) == expected(results, "primary_school", 15, "all")
    page.select_option("#choose-age", "65+")
    people, covered, unknown = expected(results, "primary_school", 15, "65+")
    assert headline(page) == [people, covered, unknown]
    assert page.inner_text("#headline .big") == fmt.percent(covered, people)
    assert "小学" in page.inner_text("#title")
    assert "15 分钟" in page.inner_text("#title")
    legend = page.inner_text("#legend")
    assert fmt.people(people - covered - unknown) in legend
    foot = page.inner_text("#where tfoot").split()
    assert fmt.people(people) in foot


def test_every_choice_equals_the_table(visit, results):
    """The cells that are coloured, counted in the page, give the numbers of the coverage table."""
    page = visit("coverage.html")
    for service in Context(results).services.index:
        page.select_option("#choose-service", service)
        got = page.evaluate(
            """() => { const a = BG.current, c = a.layers.cells.data, out = {};
            for (let i = 0; i < c.all.length; i++) out[c.c[i]] = (out[c.c[i]] || 0) + c.all[i]; return out; }"""
        )
        _, covered, unknown = expected(results, service, 5, "all")
        assert got.get("0", 0) == covered
        assert got.get("2", 0) == unknown


def test_nearest_classes_add_up(visit, results):
    page = visit("nearest.html")
    sums = [int(v) for v in page.get_attribute("#legend", "data-numbers").split(",")]
    assert sum(sums) == 756_022
    for upto, cutoff in ((1, 5), (2, 10), (3, 15)):
        assert sum(sums[:upto]) == expected(results, "kindergarten", cutoff, "all")[1]


def test_link_opens_the_choice(visit, results):
    page = visit("index.html")
    page.click("a:has-text('医院')")
    page.wait_for_selector("body[data-ready=yes]")
    assert headline(page) == expected(results, "hospital", 15, "all")


@pytest.mark.parametrize("name", ["coverage.html", "nearest.html"])
def test_tooltip_and_card(visit, name):
    page = visit(name)
    page.evaluate("BG.current.map.setView([29.60, 106.228], 14, {animate: false})")
    find_on_map(page, "cells")
    assert "人" in page.inner_text("#tip")
    page.mouse.down()
    page.mouse.up()
    card = page.inner_text("#card")
    assert "人" in card
    assert "便利店" in card
    assert "GB 50180-2018" in card
    page.keyboard.press("Escape")
    assert page.locator("#card").is_hidden()


def test_district_tooltip_and_layers(visit):
    page = visit("district.html")
    find_on_map(page, "names")
    assert "人" in page.inner_text("#tip")
    page.click("#b-layers")
    page.check("[data-layer=landuse]")
    assert "07" in page.inner_text("#legend")
    page.uncheck("[data-layer=facilities]")
    assert page.evaluate("BG.current.layers.facilities._map") is None


def test_search_by_keyboard(visit):
    page = visit("coverage.html")
    before = page.evaluate("BG.current.map.getZoom()")
    page.fill("#search", "八塘")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert page.input_value("#search") == "八塘镇"
    assert page.evaluate("BG.current.map.getZoom()") > before
    page.fill("#search", "没有这个地方")
    assert page.locator("#found .none").is_visible()


def test_hostile_names_are_shown_as_text(visit):
    page = visit("coverage.html")
    for name in HOSTILE:
        page.fill("#search", name)
        assert name in page.inner_text("#found li >> nth=0")
        page.keyboard.press("Enter")
        assert page.inner_text("#card-title") == name
    assert page.evaluate("document.querySelectorAll('#card img, #found img, #card script, #found b').length") == 0


def test_exported_table_has_no_formula(visit):
    page = visit("district.html")
    assert page.evaluate("['=cmd()', '+1', 'a,b', -5].map(BG.csvField)") == ["'=cmd()", "'+1", '"a,b"', "-5"]
    with page.expect_download() as download:
        page.click("#b-export")
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert "璧城街道" in text


@pytest.mark.parametrize("name", MAPS)
def test_phone(visit, name):
    page = visit(name, width=390, height=844, touch=True, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#stage").bounding_box()["height"] > 300
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, .leaflet-bar a, nav a")]
        .filter((e) => e.offsetParent && !e.closest("#where, #layers, .segments, [hidden]"))
        .filter((e) => e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert small == []
    assert page.locator("#legend").bounding_box()["y"] > 844
    page.click("#grip")
    page.wait_for_timeout(50)
    assert page.locator("#where h2 >> nth=0").bounding_box()["y"] < 844


def test_print_is_one_sheet_with_the_map(visit):
    page = visit("coverage.html")
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    seen = page.evaluate(
        """() => { const c = document.querySelector(".print-canvas"), seen = new Set();
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        for (let i = 0; i < d.length; i += 4) seen.add((d[i] << 16) | (d[i + 1] << 8) | d[i + 2]);
        return seen.size; }"""
    )
    assert seen > 40
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator(".print-canvas").count() == 0


def test_numbers_are_written_alike(visit):
    page = visit("coverage.html")
    values = [0, 0.4, 1, 57, 99.5, 100, 104.9, 105, 999, 9_995, 10_000, 10_050, 463_412, 756_022, 1_234_567]
    assert page.evaluate("(v) => v.map(BG.fmt.people)", values) == [fmt.people(v) for v in values]
    assert page.evaluate("(v) => v.map(BG.fmt.exact)", values) == [fmt.exact(v) for v in values]
    assert page.evaluate("(v) => v.map(BG.fmt.distance)", values) == [fmt.distance(v) for v in values]
    assert page.evaluate("(v) => v.map(BG.fmt.area)", values) == [fmt.area_km2(v) for v in values]
    assert page.evaluate("(v) => v.map(BG.fmt.minutes)", values) == [fmt.minutes(v) for v in values]
    shares = [[0, 0], [0, 5], [1, 100_000], [613, 1000], [99_999, 100_000], [5, 5], [12_345, 99_999], [1, 3]]
    assert page.evaluate("(v) => v.map((p) => BG.fmt.percent(...p))", shares) == [fmt.percent(*s) for s in shares]
