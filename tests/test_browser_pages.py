"""The pages of findings in a real browser: their numbers are those of the tables, by every choice."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pandas as pd
import pytest
from fake_results import HOSTILE, shared_results
from test_browser import COLOURS, find_on_map, headline, visit

from bishan_gis.chinese import full_width
from bishan_gis.output.gap_files import gap_record
from bishan_gis.output.gap_sentences import read_gap
from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps import render_maps
from bishan_gis.output.maps.compare_page import compare_page
from bishan_gis.output.maps.context import Context
from bishan_gis.output.words import site_name
from bishan_gis.planning.comparison import compare
from bishan_gis.planning.coverage import coverage
from bishan_gis.planning.indicators import evaluate_indicators
from bishan_gis.planning.zone_sums import ZoneSums

__all__ = ["visit"]

PAGES = ["gaps.html", "completeness.html", "siting.html", "shelters.html", "scorecard.html", "compare.html"]
MEMBER = {"district": "district", "direction": "direction", "township": "zone_id"}


@pytest.fixture(scope="module")
def results():
    return shared_results()


@pytest.fixture(scope="module")
def after(results):
    """The same place with one more library, one park closed, one moved, and fewer people in a township."""
    run = copy.copy(results)
    cells = results.cells.copy()
    town = cells["zone_id"] == cells["zone_id"].iloc[0]
    cells.loc[town, "15-64"] //= 2
    cells["people"] = cells[["0-14", "15-64", "65-79", "80+"]].sum(axis=1)
    f = results.facilities.copy()
    parks = f.index[f["service"] == "park"]
    f.loc[parks[1], "x"] += 900
    f = f.drop(parks[0])
    new = f[f["service"] == "library"].head(1).assign(facility_id="library-new", name="新馆")
    run.facilities = pd.concat([f, new], ignore_index=True)
    access = results.access.copy()
    for service, factor in (("library", 0.4), ("park", 1.3)):
        mine = access["service"] == service
        access.loc[mine, "value"] *= factor
    run.access, run.cells = access, cells
    groups = {"all": ["people"], **{p: [p] for p in ("0-14", "15-64", "65-79", "80+")}, "65+": ["65-79", "80+"]}
    cutoffs = results.study.reach.cutoffs_min
    table = coverage(access, cells, results.zones, cutoffs_min=cutoffs, age_groups=groups, member=MEMBER)
    run.coverage = table.assign(kind="synthetic")
    return run


@pytest.fixture(scope="module")
def difference(results, after):
    return compare(results, after, before="现状", after='<img src=x onerror="alert(9)">')


@pytest.fixture(scope="module")
def folder(results, after, difference, tmp_path_factory):
    out = tmp_path_factory.mktemp("maps")
    for name, html in render_maps(results).items():
        (out / name).write_text(html, encoding="utf-8")
    (out / "compare.html").write_text(compare_page(results, after, difference), encoding="utf-8")
    return out


def choose(page, key: str, value: str) -> None:
    page.select_option(f"#choose-{key}", value)


def press(page, key: str, value: str) -> None:
    page.check(f"input[name={key}][value='{value}']", force=True)


def legend(page) -> list[int]:
    return [int(v) for v in page.get_attribute("#legend", "data-numbers").split(",")]


@pytest.mark.parametrize("name", PAGES)
def test_page_opens_quietly_and_small(visit, folder, name):
    assert (folder / name).stat().st_size < 3_000_000
    page = visit(name)
    assert page.locator(".strip").is_visible()
    assert page.evaluate(COLOURS) > 30
    assert page.locator("#legend li").count() >= 3
    assert "{" not in page.inner_text("body")
    for word in ("undefined", "NaN", "null"):
        assert word not in page.inner_text("body")


@pytest.mark.parametrize("name", PAGES)
def test_phone(visit, name):
    page = visit(name, width=390, height=844, touch=True, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#stage").bounding_box()["height"] > 280
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, .leaflet-bar a, nav a")]
        .filter((e) => e.offsetParent && !e.closest("#where, #layers, .segments, [hidden]"))
        .filter((e) => e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert small == []
    page.click("#grip")
    page.wait_for_timeout(50)
    assert page.locator("#where h2 >> nth=0").bounding_box()["y"] < 844


@pytest.mark.parametrize("name", ["gaps.html", "siting.html"])
def test_on_a_phone_the_card_leaves_what_was_chosen_in_view(visit, name):
    page = visit(name, width=390, height=844, touch=True, device_scale_factor=2)
    page.click("#grip")
    page.click(".find .plain >> nth=1")
    page.wait_for_timeout(100)
    at = page.evaluate(
        """() => { const a = BG.current, o = a.layers.outline, box = a.map.getContainer().getBoundingClientRect();
        const p = a.map.latLngToContainerPoint(o.bounds().getCenter());
        return [p.y, document.getElementById("card").getBoundingClientRect().top - box.top]; }"""
    )
    assert at[1] >= 150
    assert 0 < at[0] < at[1]
    # So does a click at the lower end of the map.
    page.click("#b-close")
    at = page.evaluate(
        """() => { const a = BG.current, cell = a.layers.cells.centre(0), size = a.map.getSize();
        a.map.setView(cell, 15, {animate: false});
        a.map.panBy([0, 12 - size.y / 2], {animate: false});
        const before = a.map.latLngToContainerPoint(cell).y;
        a.pick(cell);
        const both = [document.getElementById("card"), a.map.getContainer()];
        const [card, map] = both.map((e) => e.getBoundingClientRect());
        return [before, a.map.latLngToContainerPoint(cell).y, card.top - map.top]; }"""
    )
    assert 0 < at[1] < at[2] < at[0]


@pytest.mark.parametrize("name", ["coverage.html", "nearest.html", "gaps.html", "compare.html"])
def test_a_card_does_not_hide_what_it_is_about(visit, name):
    page = visit(name)
    for share in (0.3, 0.6, 0.9):
        at, box = page.evaluate(
            """(share) => { const a = BG.current, cell = a.layers.cells.centre(0), size = a.map.getSize();
            a.closeCard();
            a.map.setView(cell, 14, {animate: false});
            a.map.panBy([size.x * (0.5 - share), 0], {animate: false});
            a.pick(cell);
            const map = a.map.getContainer().getBoundingClientRect(), p = a.map.latLngToContainerPoint(cell);
            const card = document.getElementById("card").getBoundingClientRect();
            return [[map.x + p.x, map.y + p.y], [card.left, card.top, card.right, card.bottom]]; }""",
            share,
        )
        assert not (box[0] < at[0] < box[2] and box[1] < at[1] < box[3]), share


@pytest.mark.parametrize("name", ["coverage.html", *PAGES, "shelters.html#view=fire", "index.html"])
def test_marks_and_units_are_those_of_a_chinese_page(visit, name):
    page = visit(name)
    text = page.inner_text("body").replace("\u00a0", " ")
    for hostile in HOSTILE:
        text = text.replace(hostile, "")
    assert not re.search("[\u4e00-\u9fff][,:;] ", text), re.findall(".{9}[\u4e00-\u9fff][,:;] .{9}", text)
    assert not re.search(r">=|<=|km2|m2\b", text)
    if page.locator("#headline .gapless").count():
        assert page.inner_text("#headline .gapless").split("（")[0].endswith(" 人")


@pytest.mark.parametrize("name", PAGES)
def test_no_name_is_cut_short(visit, name):
    page = visit(name)
    cut = page.evaluate(
        """() => [...document.querySelectorAll("#where *, #headline *, #legend *")]
        .filter((e) => !e.closest("svg") && e.scrollWidth > e.clientWidth + 1 && e.clientWidth
          && getComputedStyle(e).overflowX === "hidden").map((e) => e.textContent)"""
    )
    assert cut == []
    assert page.evaluate("document.querySelector('.inset:not([hidden])')?.offsetWidth || 198") <= 200


@pytest.mark.parametrize("name", [*PAGES, "scorecard.html#view=policy"])
def test_print_shrinks_no_words_and_goes_on_to_further_sheets(visit, name):
    page = visit(name)
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    sheets = len(re.findall(rb"/Type\s*/Page\b", pdf))
    words = "() => [...document.querySelectorAll('#where li, #where tr, #where h2')].map((e) => e.textContent)"
    before = page.evaluate(words)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".further").count() == (sheets > 1)
    printed, smallest = page.evaluate(
        """() => { const all = [...document.querySelectorAll("#where *, .further *")];
        const shown = all.filter((e) => e.checkVisibility());
        const size = (e) => parseFloat(getComputedStyle(e).fontSize) * (e.currentCSSZoom || 1);
        return [shown.filter((e) => e.matches("li, tr")).length,
          Math.min(...shown.filter((e) => !e.children.length && e.textContent).map(size))]; }"""
    )
    assert smallest >= 7 * 96 / 72
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(words) == before
    assert printed >= len(before) - page.locator("#where h2").count() - page.locator("details li").count()
    assert page.locator(".further").count() == 0


def test_gaps_are_those_of_the_record(visit, results):
    gaps = results.findings.gaps
    record = gap_record(gaps, listed=0)
    page = visit("gaps.html")
    people, lacking, _, areas, fragile, _ = headline(page)
    totals = record["totals"]
    assert [people, lacking, areas] == [totals["people"], totals["people_lacking"], totals["areas"]]
    assert fragile == int(gaps.areas.table["fragile"].sum())
    assert sum(legend(page)) == people
    # Each sentence is that of the list, its numbers round and its marks full-width, as in the report.
    places, said = (page.locator(f".find {s}").all_inner_texts() for s in ("b", "p"))
    rows = gaps.areas.table.head(len(said)).to_dict("records")
    assert places == [row["place_zh"] for row in rows]
    assert [f"{p}：{t}" for p, t in zip(places, said, strict=True)] == [full_width(read_gap(row)) for row in rows]
    assert all(fmt.people(row["people"]) in t for row, t in zip(rows, said, strict=True))
    assert not re.search(r"[,:;] ", "".join(said))
    big = int((gaps.areas.table["people"] >= 100).sum())
    assert f"100 人以上 {big:,} 个" in page.inner_text("#headline")
    # Headline, legend and colours are those of the list that is chosen.
    heads = gaps.cells["people"].to_numpy()
    short = {i for part in gaps.short.cells_of() for i in part}
    for key, mine in (
        ("unknown", int(heads[(gaps.state.state == 2).any(axis=0)].sum())),
        ("short", int(heads[sorted(short)].sum())),
    ):
        press(page, "list", key)
        assert headline(page)[1] == mine
        assert headline(page)[3] == totals[f"areas_{key}"]
        assert legend(page) == [people - mine, mine]
        assert page.inner_text("#legend li >> nth=1").startswith({"unknown": "无法判断", "short": "容量不足"}[key])
    assert page.locator("#where .note >> nth=0").is_visible()


@pytest.mark.parametrize("town", ["", "璧城街道", "健龙镇"])
def test_gaps_follow_service_town_reason_and_age(visit, results, town):
    gaps = results.findings.gaps
    zones = results.zones
    zone = zones.loc[zones["name"] == (town or "璧山区"), "zone_id"].iloc[0]
    page = visit("gaps.html")
    if town:
        choose(page, "town", zone)
    table = gaps.areas.table
    here = table[table["zone_id"] == zone] if town else table
    for service in ("kindergarten", "library"):
        choose(page, "service", service)
        row = gaps.people
        row = row[(row["zone_id"] == zone) & (row["service"] == service) & (row["age_group"] == "all")].iloc[0]
        mine = here[here["service"] == service]
        wanted = [int(row[c]) for c in ("people", "people_deficient", "people_unknown")]
        assert headline(page) == [*wanted, len(mine), int(mine["fragile"].sum()), int(mine["people"].sum())]
        assert legend(page)[1:] == wanted[1:]
    choose(page, "service", "")
    choose(page, "reason", "detour")
    mine = here[here["reason"] == "detour"]
    assert headline(page)[3:] == [len(mine), int(mine["fragile"].sum()), int(mine["people"].sum())]


def test_an_area_is_found_marked_and_explained(visit, results):
    page = visit("gaps.html")
    page.click(".find .plain >> nth=1")
    card = page.inner_text("#card")
    row = results.findings.gaps.areas.table.iloc[1]
    for text in (row["place_zh"], row["service_zh"], "依据", fmt.people(row["people"])):
        assert text in card
    assert page.locator(".find.chosen").count() == 1
    ink = page.evaluate(
        """() => { const c = BG.current.layers.outline._canvas;
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 200; return n; }"""
    )
    assert ink > 100
    assert "area=gaps-2" in page.url
    page.keyboard.press("Escape")
    assert page.locator("#card").is_hidden()
    assert page.locator(".find.chosen").count() == 0
    assert page.evaluate("document.querySelectorAll('#where img, #where script, #card img').length") == 0


def test_completeness_is_that_of_the_gaps(visit, results):
    gaps = results.findings.gaps
    table = gaps.completeness.reindex(gaps.cells["cell_id"])
    page = visit("completeness.html")
    for age, columns in (("all", ["people"]), ("65+", ["65-79", "80+"])):
        choose(page, "age", age)
        people = gaps.cells[columns].sum(axis=1).to_numpy()
        low, high, total = (float(v) for v in page.get_attribute("#headline", "data-numbers").split(","))
        assert total == people.sum()
        assert low == pytest.approx((people * table["completeness_low"].to_numpy()).sum() / people.sum(), abs=1e-9)
        assert high == pytest.approx((people * table["completeness_high"].to_numpy()).sum() / people.sum(), abs=1e-9)
        assert sum(legend(page)) == total
    page.evaluate("BG.current.map.setView([29.60, 106.228], 14, {animate: false})")
    find_on_map(page, "cells")
    page.mouse.down()
    page.mouse.up()
    card = page.inner_text("#card")
    for word in ("完整度", "缺失", "GB", "分钟", "街道"):
        assert word in card, word


def test_sites_serve_whom_the_plan_says(visit, results):
    page = visit("siting.html")
    for i, plan in enumerate(results.findings.plans):
        choose(page, "plan", str(i))
        facts = plan.facts
        numbers = headline(page)
        assert numbers[:2] == [facts["people"], facts["people_new"]]
        assert numbers[2:] == [c["people_new"] for c in facts["chosen"]]
        sums = legend(page)
        assert sums[1] == facts["people_new"]
        reasons = ("budget", "no_candidate", "capacity", "unreachable", "off_network", "unknown")
        assert sums[2:8] == [facts["people_uncovered"].get(r, 0) for r in reasons]
        assert sum(sums[:8]) == facts["people"]
        assert page.locator(".curve rect").count() == len(facts["chosen"])
        # A place stands first, the number of the parcel last; nobody reads keys.
        for site, said in zip(facts["chosen"], page.locator(".find").all_inner_texts(), strict=True):
            assert site["place_zh"] in said.splitlines()
            assert site_name(str(site["candidate_id"])) in said
            assert "/" not in said
    page.click(".find .plain >> nth=0")
    card = page.inner_text("#card")
    assert fmt.people(facts["chosen"][0]["people_new"]) in card
    assert facts["chosen"][0]["place_zh"] in card
    with page.expect_download() as download:
        page.click("#b-export")
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert facts["chosen"][0]["place_zh"] in text
    # A site is also found by its place, whichever plan is shown.
    first = results.findings.plans[0].facts["chosen"][0]
    page.keyboard.press("Escape")
    page.fill("#search", first["place_zh"])
    page.locator("#found li", has_text="第 1 处").first.click()
    assert page.input_value("#choose-plan") == "0"
    assert fmt.people(first["people_new"]) in page.inner_text("#card")


@pytest.mark.parametrize("name", ["siting.html", "compare.html"])
def test_names_step_aside_for_what_is_planned(visit, name):
    page = visit(name)
    if name == "compare.html":
        choose(page, "service", "park")
    seen = page.evaluate(
        """() => { const a = BG.current, names = a.layers.names, own = names.keepOff, boxes = [];
        const size = a.map.getSize();
        let planned = [];
        names._write = (ctx, n, px, py, w, h) => { boxes.push([px - w / 2, py - h / 2, px + w / 2, py + h / 2]); };
        names.keepOff = (v) => { planned = own(v); return planned; };
        names.redraw();
        // Where the marks are on the sheet that names are drawn on, by the map's own reckoning.
        const pad = size.multiplyBy(names.options.margin).round();
        const at = planned.map(([layer, i]) => a.map.latLngToContainerPoint(layer.centre(i)).add(pad));
        const on = (p) => (b) => p.x >= b[0] && p.x <= b[2] && p.y >= b[1] && p.y <= b[3];
        const under = (list) => at.filter((p) => list.some(on(p)));
        const free = under(boxes).length, number = boxes.length;
        // A name that stands on a mark goes elsewhere, and none is lost.
        const mark = { data: { g: names.data.g, x: [names.data.x[7]], y: [names.data.y[7]] } };
        boxes.length = 0;
        names.keepOff = () => [[mark, 0, 9]];
        names.redraw();
        const there = a.map.latLngToContainerPoint(names.toLatLng(mark.data.x[0], mark.data.y[0])).add(pad);
        at.splice(0, at.length, there);
        return { planned: planned.length, free, moved: under(boxes).length, lost: number - boxes.length }; }"""
    )
    assert seen.pop("planned") > 0
    assert seen == {"free": 0, "moved": 0, "lost": 0}


def test_shelters_and_fire_are_those_of_the_indicators(visit, results):
    ids = ["gb51143.emergency.distance", "gb51143.short.distance", "gb51080.time", "tdt1063.shelter_area"]
    table = evaluate_indicators(results, ids=ids)
    table = table[table["zone_kind"] == "district"].set_index("id")
    page = visit("shelters.html")
    sums = ZoneSums(results)
    for key, view in (("gb51143.emergency.distance", "0"), ("gb51143.short.distance", "1")):
        choose(page, "view", view)
        people, inside, *_ = headline(page)
        # The map counts every shelter, the standards those of their class.
        near = sums.within_m("shelter", table.loc[key, "within"])
        assert inside == results.cells.loc[near, "people"].sum() >= round(table.loc[key, "value"] * people)
    shelters = results.facilities[results.facilities["service"] == "shelter"]
    known = shelters["capacity"]
    assert headline(page)[3:] == [len(shelters), int(known.sum()), int(known.isna().sum())]
    text = page.inner_text("#where")
    assert "级别" in text
    assert table.loc["tdt1063.shelter_area", "value"] != table.loc["tdt1063.shelter_area", "value"]
    page.click("#where summary")
    assert "人均应急避难场所面积" in page.inner_text("#where")
    choose(page, "view", "fire")
    sums = results.zone_measures
    row = sums[sums["zone_kind"] == "district"].iloc[0]
    assert headline(page)[:3] == [row["people"], row["people_reached"], row["people_unknown"]]
    assert legend(page) == [
        headline(page)[1],
        row["people"] - row["people_reached"] - row["people_unknown"],
        headline(page)[2],
    ]


def test_scores_and_policy_are_those_of_the_tables(visit, results):
    scores, policy = Context(results).town_scores, results.findings.policy
    page = visit("scorecard.html")
    rows = page.locator("#where tbody tr")
    first = rows.nth(0).inner_text().split()
    assert first[0] == scores["zone_name"].iloc[0]
    assert float(first[2]) == pytest.approx(scores["score"].iloc[0], abs=0.051)
    assert rows.count() == len(scores) == sum(legend(page))
    press(page, "view", "policy")
    done = policy[policy["state"] == "evaluated"]
    assert headline(page) == [len(done), len(policy)]
    assert page.locator(".element").count() == len(policy)
    choose(page, "pick", "not_evaluated")
    assert page.locator(".element").count() == len(policy) - len(done)
    choose(page, "pick", "met")
    assert page.locator(".element").count() == int((policy["verdict"] == "met").sum())


def test_comparison_is_that_of_the_tables(visit, difference, after):
    table = difference.coverage
    page = visit("compare.html")
    assert sorted(
        v for v in page.locator("#choose-service option").evaluate_all("o => o.map((x) => x.value)")
    ) == sorted({*table["service"]})
    columns = [f"{c}_{w}" for w in ("before", "after") for c in ("people", "people_covered", "people_unknown")]
    for service in ("library", "park"):
        choose(page, "service", service)
        for cutoff in (5, 15):
            press(page, "cutoff", str(cutoff))
            for age in ("all", "15-64"):
                choose(page, "age", age)
                row = table[
                    (table["service"] == service) & (table["cutoff_min"] == cutoff) & (table["age_group"] == age)
                ]
                row = row[row["zone_kind"] == "district"].iloc[0]
                moves = [int(row["people_gain"]), int(row["people_lose"])]
                assert headline(page) == [*(int(row[c]) for c in columns), *moves]
                # The cells that are coloured give the same numbers as the table.
                assert legend(page)[:2] == moves
                for view, side in (("before", 0), ("after", 3)):
                    press(page, "view", view)
                    people, covered, unknown = headline(page)[side : side + 3]
                    assert legend(page) == [covered, people - covered - unknown, unknown]
                press(page, "view", "change")


def test_swipe_shows_both_sides(visit):
    page = visit("compare.html")
    choose(page, "service", "park")
    press(page, "cutoff", "10")
    press(page, "view", "swipe")
    slider = page.locator(".swipe input")
    assert slider.is_visible()
    pixels = """() => { const from = BG.current.layers.cells._canvas, c = document.createElement("canvas");
        c.width = from.width; c.height = from.height;
        const t = c.getContext("2d"); t.drawImage(from, 0, 0);
        const d = t.getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] === 0x42 && d[i + 1] === 0x92; return n; }"""
    seen = []
    for value in (0, 50, 100):
        slider.evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value)
        seen.append(page.evaluate(pixels))
    assert seen[0] <= seen[1] <= seen[2]
    assert seen[0] < seen[2]
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert slider.input_value() == "99"


def test_comparison_of_equal_runs_says_so(browser, results, tmp_path):
    html = compare_page(results, results, compare(results, results))
    (tmp_path / "compare.html").write_text(html, encoding="utf-8")
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/compare.html")
    page.wait_for_selector("body[data-ready=yes]")
    assert "没有差别" in page.inner_text("#headline")
    page.close()


def test_overview_leads_to_every_page(visit, results):
    page = visit("index.html")
    for name in PAGES[:-1]:
        assert page.locator(f"main a[href^='{name}']").count() >= 1, name
    # A comparison is linked where somebody made one.
    assert page.locator("main a[href^='compare']").count() == (results.study.maps / "compare.html").exists()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    page.click("main .maps a[href='gaps.html']")
    page.wait_for_selector("body[data-ready=yes]")
