"""What the pages show first and where: zooming, inset, card beside the legend, bars, the scope of a township."""

from __future__ import annotations

import pytest
from test_browser import visit
from test_browser_pages import after, difference, folder, press, results

__all__ = ["after", "difference", "folder", "results", "visit"]

MIDDLE = "(() => { const a = BG.current, p = a.map.containerPointToLatLng(a.middle()); return [p.lat, p.lng]; })()"
INSIDE = "((ll) => BG.current.layers.zones.at(L.latLng(ll), () => true) >= 0)"
WAIT = "() => { const b = document.getElementById('inset'); return b && !b.hidden && b.firstChild.width > 100; }"


@pytest.mark.parametrize("how", ["button", "key"])
def test_zooming_keeps_the_middle_of_what_is_free(visit, how):
    page = visit("coverage.html")
    before, zoom = page.evaluate(MIDDLE), page.evaluate("BG.current.map.getZoom()")
    right = page.evaluate("BG.current.map.getSize().x - BG.current.middle().x")
    assert right > 252, "the legend is not counted as free"
    if how == "key":
        page.evaluate("BG.current.map.getContainer().focus()")
    for _ in range(3):
        if how == "key":
            page.keyboard.press("+")
        else:
            page.click(".leaflet-control-zoom-in")
    assert page.evaluate("BG.current.map.getZoom()") == pytest.approx(zoom + 3)
    # The free part became wider when the inset went, so the place is looked for where it was.
    now = page.evaluate(
        "(ll) => { const p = BG.current.map.latLngToContainerPoint(ll), s = BG.current.map.getSize(); "
        "return [p.x, s.x - 252 - p.x, p.y, s.y - p.y]; }",
        before,
    )
    assert min(now) > 0, now
    assert page.evaluate(INSIDE + "(" + str(page.evaluate(MIDDLE)) + ")")


def test_the_inset_shows_where_people_live_and_leads_there(visit):
    page = visit("coverage.html")
    page.wait_for_function(WAIT)
    seen = """() => { const from = document.querySelector("#inset canvas"), c = document.createElement("canvas");
        c.width = from.width; c.height = from.height;
        const t = c.getContext("2d"); t.drawImage(from, 0, 0);
        const d = t.getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] === 0xd9 && d[i + 1] === 0x48; return n; }"""
    gap = page.evaluate(seen)
    assert gap > 50
    press(page, "cutoff", "15")
    page.wait_for_timeout(300)
    assert page.evaluate(seen) < gap, "the inset follows the choice"
    page.click("#b-layers")
    page.uncheck("[data-layer=inset]")
    page.wait_for_function("() => document.getElementById('inset').hidden")
    page.check("[data-layer=inset]")
    page.wait_for_function(WAIT)
    page.keyboard.press("Escape")
    page.focus("#inset")
    page.keyboard.press("Enter")
    assert page.evaluate("BG.current.map.getBounds().contains(BG.current.config.core)")
    assert page.locator("#inset").is_hidden(), "the map is larger than the inset"
    phone = visit("coverage.html", width=390, height=844, touch=True)
    assert phone.locator("#inset").is_hidden()


def test_the_inset_is_printed(visit):
    page = visit("coverage.html")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    inset, legend = page.locator("#inset").bounding_box(), page.locator("#legend").bounding_box()
    stage = page.locator("#stage").bounding_box()
    assert inset["x"] + inset["width"] < legend["x"]
    assert stage["y"] < inset["y"]
    assert inset["y"] + inset["height"] < stage["y"] + stage["height"]


@pytest.mark.parametrize("name", ["coverage.html", "nearest.html", "gaps.html"])
def test_the_card_leaves_the_legend_in_sight(visit, name):
    page = visit(name)
    page.evaluate("BG.current.click(BG.current.layers.cells.centre(5))")
    card, legend = page.locator("#card").bounding_box(), page.locator("#legend").bounding_box()
    assert card["height"] > 150
    assert card["y"] + card["height"] <= legend["y"] or card["x"] + card["width"] <= legend["x"]


@pytest.mark.parametrize("name", ["coverage.html", "completeness.html", "compare.html"])
def test_bars_of_a_list_begin_together_and_share_a_scale(visit, name):
    page = visit(name)
    lists = page.evaluate(
        """() => [...document.querySelectorAll("ul.bars")].map((u) => [...u.querySelectorAll(".bar")].map((b) => {
        const r = b.getBoundingClientRect(); return [Math.round(10 * r.left), Math.round(10 * r.width)]; }))"""
    )
    assert lists
    for bars in lists:
        assert len({tuple(b) for b in bars}) == 1, bars
        assert bars[0][1] > 400


def test_a_township_pales_what_lies_beyond_and_keeps_its_legend(visit):
    page = visit("coverage.html")
    page.select_option("#choose-town", label="来凤街道")
    assert "步行 5 分钟圈" in page.inner_text("#legend")
    got = page.evaluate(
        """() => { const { facilities, zones } = BG.current.layers, d = facilities.data;
        const town = BG.current.config.zones.find((z) => z.name === "来凤街道");
        const inks = { in: new Set(), out: new Set() }, side = (i) => d.zone[i] === town.index ? "in" : "out";
        for (let i = 0; i < d.s.length; i++) inks[side(i)].add(facilities.options.color(i));
        return [[...inks.in], [...inks.out], zones.options.classes[0].mask, zones._filter(town.at)]; }"""
    )
    assert got == [["#1a1a1a"], ["#b5b5b0"], True, True]
    page.select_option("#choose-town", "")
    assert page.evaluate("BG.current.layers.zones.options.classes[0].mask") is False


def test_the_swipe_begins_at_the_middle_of_the_district(visit):
    page = visit("compare.html")
    press(page, "view", "swipe")
    page.wait_for_timeout(100)
    line = page.locator(".swipe-line").bounding_box()["x"] - page.locator("#stage").bounding_box()["x"]
    middle = page.evaluate(
        "BG.current.map.latLngToContainerPoint(L.latLngBounds(BG.current.config.bounds).getCenter()).x"
    )
    assert abs(line - middle) < 12


def test_bars_of_the_comparison_use_their_whole_length(visit):
    page = visit("compare.html")
    longest = page.evaluate(
        """() => [...document.querySelectorAll("ul.bars")].map((u) => Math.max(...[...u.querySelectorAll(".bar")].map(
        (b) => [...b.children].reduce((n, p) => n + parseFloat(p.style.width), 0))))"""
    )
    assert all(v == 0 or v == pytest.approx(100, abs=0.1) for v in longest)
    assert max(longest) > 99


def test_land_use_takes_the_dots_away_and_gives_them_back(visit):
    page = visit("district.html")
    page.click("#b-layers")
    page.check("[data-layer=landuse]")
    assert not page.is_checked("[data-layer=facilities]")
    assert page.evaluate("BG.current.layers.facilities._map") is None
    page.uncheck("[data-layer=landuse]")
    assert page.is_checked("[data-layer=facilities]")


def test_the_standard_is_marked_among_the_times(visit):
    page = visit("coverage.html")
    for service, level in (("kindergarten", "5"), ("hospital", "15")):
        page.select_option("#choose-service", service)
        marked = page.locator(".segments .standard")
        assert marked.count() == 1
        assert marked.locator("input").input_value() == level


def test_a_phone_shows_the_whole_district_and_reaches_print_and_export(visit):
    page = visit("coverage.html", width=390, height=844, touch=True)
    page.wait_for_timeout(300)
    assert page.evaluate("BG.current.map.getBounds().contains(BG.current.config.bounds)")
    page.click("#b-layers")
    with page.expect_download():
        page.click("#layers .narrow >> nth=1")
    assert page.locator("#layers .narrow >> nth=0").bounding_box()["height"] >= 44
