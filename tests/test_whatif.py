"""The what-if page in a real browser: its numbers are those of the command line for the same edits."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fake_results import HOSTILE
from toy_study import write_toy_study

import bishan_gis as bg
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.output.maps.catalogue import pages_of
from bishan_gis.output.maps.context import Context
from bishan_gis.output.maps.layers import ordered_cells
from bishan_gis.output.maps.whatif import whatif_page, whatif_problem
from bishan_gis.planning.comparison import compare
from bishan_gis.planning.coverage import coverage
from bishan_gis.planning.scenarios import load_scenario
from bishan_gis.scenario_run import run_scenario

MEMBER = {"district": "district", "direction": "direction", "township": "zone_id"}
TABLE = ["zone", "service", "cutoff", "age", "people", "before", "after", "gained", "lost", "gap", "unknown", "off"]


@pytest.fixture(scope="module")
def folder(toy_results, tmp_path_factory):
    out = tmp_path_factory.mktemp("whatif")
    (out / "whatif.html").write_text(whatif_page(Context(toy_results)), encoding="utf-8")
    return out


@pytest.fixture
def visit(browser):
    """Open a page; at the end nothing may have been complained about, asked for, or executed."""
    contexts, said, asked = [], [], []

    def go(file: Path, *, width: int = 1366, height: int = 768, touch: bool = False, script: str = ""):
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, has_touch=touch, is_mobile=touch
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: said.append(str(e)))
        page.on("dialog", lambda d: (said.append("dialog " + d.message), d.dismiss()))
        page.on("request", lambda r: asked.append(r.url))
        if script:
            page.add_init_script(script)
        page.goto(f"file://{file}")
        page.wait_for_selector("body[data-engine]", timeout=60_000)
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []
    assert [u for u in asked if not re.match(r"(file://.*/whatif\.html|blob:|data:)", u)] == []


@pytest.fixture
def page(visit, folder):
    return visit(folder / "whatif.html")


def trial(page, act) -> None:
    """Do something and wait until the numbers have followed."""
    before = int(page.get_attribute("body", "data-trial") or 0)
    act()
    page.wait_for_function("(n) => Number(document.body.dataset.trial || 0) > n", arg=before)


def tool(page, name: str) -> None:
    if page.evaluate("BG.current.state.tool") != name:
        trial(page, lambda: page.check(f"input[name=tool][value={name}]", force=True))


def minutes(page, value: int) -> None:
    if page.evaluate("BG.current.state.cutoff") != str(value):
        trial(page, lambda: page.check(f"input[name=cutoff][value='{value}']", force=True))


def places(page, n: int, seed: int = 3) -> list[tuple[float, float]]:
    """Return random pixels of the map that no panel covers."""
    box = page.locator("#stage").bounding_box()
    rng = np.random.default_rng(seed)
    # Whole pixels: a click's own coordinates have no fractions.
    x = rng.uniform(box["x"] + 120, box["x"] + box["width"] - 290, n).round()
    y = rng.uniform(box["y"] + 60, box["y"] + box["height"] - 60, n).round()
    return list(zip(x.tolist(), y.tolist(), strict=True))


def shown(page) -> pd.DataFrame:
    """Return the table that the page exports."""
    return pd.DataFrame(page.evaluate("BG.current.table().slice(1)"), columns=TABLE)


def times(results, points: pd.DataFrame, **options) -> pd.DataFrame:
    study = results.study
    costs = edge_costs(results.network, load_profile(study.walk.profile), slope=study.walk.slope)
    cells = results.cells.rename(columns={"cell_id": "origin_id"})
    return nearest_cost(
        results.network, costs, cells, points, search_s=3600, max_snap_m=study.walk.max_snap_m, **options
    ).table


def by_age_key(page, table: pd.DataFrame) -> pd.DataFrame:
    names = {a["name"]: a["key"] for a in page.evaluate("BG.current.config.ages")}
    return table.assign(age_group=table["age"].map(names)).set_index(["zone", "age_group"])


def covered(results, access: pd.DataFrame, cutoff: float) -> pd.DataFrame:
    """Return who is covered, as a run counts them."""
    population = results.study.inputs.population
    groups = {"all": ["people"], **{p: [p] for p in population.parts}, **population.groups}
    return coverage(access, results.cells, results.zones, cutoffs_min=[cutoff], age_groups=groups, member=MEMBER)


def assert_same_people(page, results, access: pd.DataFrame, cutoff: float) -> None:
    table, mine = covered(results, access, cutoff), by_age_key(page, shown(page))
    # A direction may bear the name of its only township: rows of one name are compared as a set.
    for (name, age), rows in table.groupby(["zone_name", "age_group"]):
        found = mine.loc[[(name, age)], ["people", "after", "unknown"]].to_numpy().tolist()
        assert sorted(found) == sorted(rows[["people", "people_covered", "people_unknown"]].to_numpy().tolist())
    assert (mine["people"] == mine["after"] + mine["gap"] + mine["unknown"]).all()


def at(results, service: str, gone: list[str], new: list[dict[str, float]]) -> pd.DataFrame:
    points = results.access_points[["facility_id", "service", "x", "y"]]
    points = points[(points["service"] == service) & ~points["facility_id"].isin(gone)]
    rows = [{"facility_id": f"plan/{i}", "service": service, **p} for i, p in enumerate(new, start=1)]
    return pd.concat([points, pd.DataFrame(rows)], ignore_index=True) if rows else points


# ---- the same numbers


def test_fifty_pins_dropped_at_random_give_what_python_gives(page, toy_results):
    tool(page, "add")
    off = 0
    for k, (x, y) in enumerate(places(page, 50)):
        if k % 10 == 0:
            minutes(page, [5, 10, 15][k // 10 % 3])
        trial(page, lambda x=x, y=y: page.mouse.click(x, y))
        (edit,) = page.evaluate("BG.current.trial.edits")
        new = [{k: edit["keys"][k] for k in "xy"}]
        cutoff = float(page.evaluate("BG.current.state.cutoff"))
        ms = page.evaluate("[...BG.current.trial.now.get('kindergarten').ms]")
        access = times(toy_results, at(toy_results, "kindergarten", [], new))
        order = pd.Index(toy_results.cells["cell_id"]).get_indexer(_cells(toy_results))
        value = np.array([np.nan if v == 2**31 - 1 else v / 1000 for v in ms])
        np.testing.assert_array_equal(value, access["value"].to_numpy()[order])
        assert_same_people(page, toy_results, access, cutoff)
        off += page.locator(".edits .off").count()
        trial(page, lambda: page.keyboard.press("Control+z"))
    assert page.evaluate("BG.current.trial.edits.length") == 0
    assert off < 50


def _cells(results) -> list[str]:
    return ordered_cells(results.cells)["cell_id"].tolist()


def test_base_numbers_of_every_service_are_those_of_the_run(page, toy_results):
    table = toy_results.coverage
    for service in Context(toy_results).services.index:
        trial(page, lambda s=service: page.select_option("#choose-service", s))
        numbers = [int(v) for v in page.get_attribute("#headline", "data-numbers").split(",")]
        cutoff = float(page.evaluate("BG.current.state.cutoff"))
        row = table[(table["zone_kind"] == "district") & (table["service"] == service)]
        row = row[(row["cutoff_min"] == cutoff) & (row["age_group"] == "all")].iloc[0]
        assert numbers[:3] == [row["people"], row["people_covered"], row["people_covered"]]
        assert numbers[3:5] == [0, 0]
        assert numbers[6] == row["people_unknown"]


def test_saved_scenario_gives_the_same_people_on_the_command_line(page, toy_results, visit, folder, tmp_path):
    tool(page, "add")
    spots = places(page, 4, seed=8)
    trial(page, lambda: page.mouse.click(*spots[0]))
    trial(page, lambda: page.mouse.click(*spots[1]))
    ids = page.evaluate("BG.current.trial.ids")
    school = ids.index(_one(toy_results, "primary_school"))
    trial(page, lambda: page.select_option("#choose-service", "primary_school"))
    trial(page, lambda: page.mouse.click(*spots[2]))
    tool(page, "look")
    _press(page, school, "#wi-move")
    trial(page, lambda: page.mouse.click(*spots[3]))
    pharmacy = ids.index(_one(toy_results, "pharmacy"))
    trial(page, lambda: page.select_option("#choose-service", "pharmacy"))
    trial(page, lambda: _press(page, pharmacy, "#wi-close"))
    page.fill("#wi-name", '南"门\\方案 </script>')
    page.dispatch_event("#wi-name", "change")
    with page.expect_download() as download:
        page.click("#wi-save")
    assert download.value.suggested_filename == "scenario.toml"
    file = tmp_path / "scenario.toml"
    download.value.save_as(file)

    plan = load_scenario(file)
    assert plan.scenario.name == '南"门\\方案 </script>'
    assert {k: len(v) for k, v in plan.edits.items()} == {"add_facility": 3, "move_facility": 1, "close_facility": 1}
    after = run_scenario(toy_results.study, plan, base=toy_results, circles=False)
    found = compare(toy_results, after).coverage
    again = visit(folder / "whatif.html")
    with again.expect_file_chooser() as chooser:
        again.get_by_role("button", name="打开情景").click()
    trial(again, lambda: chooser.value.set_files(file))
    assert again.input_value("#wi-name") == plan.scenario.name
    for one in (page, again):
        assert one.evaluate("BG.current.trial.edits.map((e) => e.sort).sort()") == sorted(
            ["add_facility"] * 3 + ["move_facility", "close_facility"]
        )
        for service in ("kindergarten", "primary_school", "pharmacy"):
            trial(one, lambda s=service, p=one: p.select_option("#choose-service", s))
            cutoff = float(one.evaluate("BG.current.state.cutoff"))
            mine = by_age_key(one, shown(one))
            rows = found[(found["service"] == service) & (found["cutoff_min"] == cutoff)]
            changed = rows.set_index(["zone_name", "age_group"])
            columns = ["people_covered_before", "people_covered_after", "people_gain", "people_lose"]
            left = mine.loc[changed.index, ["before", "after", "gained", "lost"]].to_numpy().tolist()
            assert left == changed[columns].to_numpy().tolist()
            assert mine.drop(changed.index)[["gained", "lost"]].to_numpy().sum() == 0
    assert {"kindergarten", "primary_school", "pharmacy"} <= set(found["service"])


def _one(results, service: str) -> str:
    return str(results.facilities.loc[results.facilities["service"] == service, "facility_id"].iloc[0])


def _press(page, facility: int, button: str) -> None:
    """Click a facility on the map, then a button of its card."""
    spot = page.evaluate(
        """(i) => { const a = BG.current, box = a.map.getContainer().getBoundingClientRect();
        const p = a.map.latLngToContainerPoint(a.layers.facilities.centre(i)); return [box.x + p.x, box.y + p.y]; }""",
        facility,
    )
    page.mouse.click(*spot)
    page.click(button)


def test_a_facility_is_dragged_and_a_pin_too(page, toy_results):
    school = page.evaluate("BG.current.trial.ids").index(_one(toy_results, "kindergarten"))
    _press(page, school, "#wi-move")
    ring = page.locator(".mark.grab").bounding_box()
    x, y = ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2

    def drag(x, y, dx, dy):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + dx / 2, y + dy / 2, steps=4)
        page.mouse.move(x + dx, y + dy, steps=4)
        page.mouse.up()

    trial(page, lambda: drag(x, y, 120, -60))
    (edit,) = page.evaluate("BG.current.trial.edits")
    assert edit["sort"] == "move_facility"
    points = at(toy_results, "kindergarten", [edit["keys"]["facility_id"]], [{k: edit["keys"][k] for k in "xy"}])
    assert_same_people(page, toy_results, times(toy_results, points), 5)
    trial(page, lambda: drag(x + 120, y - 60, 50, 90))
    (moved,) = page.evaluate("BG.current.trial.edits")
    assert moved["keys"]["x"] > edit["keys"]["x"]
    points = at(toy_results, "kindergarten", [edit["keys"]["facility_id"]], [{k: moved["keys"][k] for k in "xy"}])
    assert_same_people(page, toy_results, times(toy_results, points), 5)
    for n in (1, 0):
        trial(page, lambda: page.click("#b-undo"))
        assert page.evaluate("BG.current.trial.edits.length") == n
    assert page.is_disabled("#b-undo")
    trial(page, lambda: page.keyboard.press("Control+y"))
    assert page.evaluate("BG.current.trial.edits") == [edit]


def test_click_anywhere_shows_what_is_reached_from_there(page, toy_results):
    people = toy_results.cells["people"].to_numpy()
    for k, spot in enumerate(places(page, 8, seed=5)):
        page.mouse.click(*spot)
        page.wait_for_function("(n) => document.body.dataset.reach === String(n)", arg=k + 1)
        got = [int(v) for v in page.get_attribute("#card", "data-numbers").split(",")]
        place = page.evaluate("BG.current.trial.place(BG.current.map.containerPointToLatLng([0, 0]))")
        assert set(place) == {"x", "y"}
        xy = page.evaluate(
            """([x, y]) => { const a = BG.current, box = a.map.getContainer().getBoundingClientRect();
            return a.trial.place(a.map.containerPointToLatLng([x - box.x, y - box.y])); }""",
            list(spot),
        )
        point = pd.DataFrame({"facility_id": ["p"], "service": ["p"], **{c: [v] for c, v in xy.items()}})
        value = times(toy_results, point, direction="from")["value"].to_numpy()
        assert got == [int(people[value <= c * 60].sum()) for c in toy_results.cutoffs_min]
        page.keyboard.press("Escape")
        assert page.locator("#card").is_hidden()


def test_suggested_site_keeps_its_promise(page):
    minutes(page, 5)
    page.click("#wi-suggest")
    page.wait_for_selector("body[data-sites]")
    best = page.locator(".ideas button").first
    promised = page.locator(".ideas").inner_text()
    assert "位置 A" in promised
    gain = int(re.search(r"新增 ([\d,]+)", promised)[1].replace(",", ""))
    trial(page, lambda: best.click())
    numbers = [int(v) for v in page.get_attribute("#headline", "data-numbers").split(",")]
    assert abs(numbers[3] - gain) <= 5
    assert numbers[2] == numbers[1] + numbers[3]


def test_the_first_of_a_service_that_is_nowhere(visit, toy_results, tmp_path):
    services = toy_results.study.services
    study = toy_results.study.model_copy(
        update={"services": services.model_copy(update={"include": [*services.include, "nursery"]})}
    )
    results = SimpleNamespace(**{**vars(toy_results), "study": study})
    (tmp_path / "whatif.html").write_text(whatif_page(Context(results)), encoding="utf-8")
    page = visit(tmp_path / "whatif.html")
    trial(page, lambda: page.select_option("#choose-service", "nursery"))
    people = int(toy_results.cells["people"].sum())
    assert page.get_attribute("#headline", "data-numbers").split(",")[:3] == [str(people), "0", "0"]
    trial(page, lambda: page.click("#wi-centre"))
    (edit,) = page.evaluate("BG.current.trial.edits")
    points = at(toy_results, "nursery", [], [{k: edit["keys"][k] for k in "xy"}])
    assert_same_people(page, results, times(results, points), float(page.evaluate("BG.current.state.cutoff")))


# ---- files that are opened


def _open(page, text: str) -> None:
    page.set_input_files("#wi-file", {"name": "s.toml", "mimeType": "text/plain", "buffer": text.encode()})


def test_degrees_and_years_are_read_as_python_reads_them(page, toy_results, tmp_path):
    text = """# by hand
[scenario]
name = 'Plan'   # literal
year = 2030
[[add_facility]]
service = "kindergarten"
lon = 106.2428
lat = 29.5461
name = "<img src=x onerror=alert(1)>"
[[add_facility]]
service = "kindergarten"
lon = 106.2428
lat = 29.5461
year = 2035
"""
    lon, lat = page.evaluate(
        """() => { const c = BG.current.map.getCenter(); return [c.lng, c.lat]; }""",
    )
    text = text.replace("106.2428", repr(lon + 0.001)).replace("29.5461", repr(lat))
    trial(page, lambda: _open(page, text))
    file = tmp_path / "s.toml"
    file.write_text(text, encoding="utf-8")
    after = run_scenario(toy_results.study, file, base=toy_results, circles=False)
    new = after.access_points[after.access_points["facility_id"] == "plan/1"].iloc[0]
    assert page.evaluate("BG.current.trial.shown.put.map((p) => [p.x, p.y])") == [[new["x"], new["y"]]]
    row = after.coverage[(after.coverage["zone_kind"] == "district") & (after.coverage["service"] == "kindergarten")]
    row = row[(row["cutoff_min"] == 5) & (row["age_group"] == "all")].iloc[0]
    assert int(page.get_attribute("#headline", "data-numbers").split(",")[2]) == row["people_covered"]
    assert page.locator(".edits img").count() == 0
    assert "2035" in page.inner_text(".edits")


REFUSED = [
    ("[scenario]\nname = 'a'\n[[add_street]]\nline = [[1, 2], [3, 4]]\n", "add_street"),
    ("[scenario]\nname = 'a'\n[[close_facility]]\nfacility_id = 'node/0'\n", "node/0"),
    ("[scenario]\nname = 'a'\n[[add_facility]]\nservice = 'park'\nlon = 1.0\nlat = 2.0\n", "plan/1"),
    ("[scenario]\nname = 'a'\n[[add_facility]]\nservice = 'park'\nlon = 1.0\n", "add_facility"),
    ("[scenario]\nname = 'a'\nname = 'b'\n", "name"),
    ("[scenario]\nname = a\n", "2"),
    ("[[close_facility]]\nfacility_id = 'node/0'\n", "name"),
    ("[scenario]\nname = 'a'\n[[close_facility]]\n__proto__ = 'x'\n", "__proto__"),
    ("\x00\x01", "1"),
]


def test_a_file_that_cannot_be_shown_is_refused_and_changes_nothing(page):
    for text, word in REFUSED:
        page.evaluate("document.getElementById('wi-says').textContent = ''")
        _open(page, text)
        page.wait_for_function("() => document.getElementById('wi-says').textContent")
        assert word in page.inner_text("#wi-says")
        assert page.evaluate("BG.current.trial.edits.length") == 0


# ---- the page itself


def test_page_is_one_safe_file(folder, toy_results):
    html = (folder / "whatif.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "worker-src blob:" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert "whatif" in pages_of(Context(toy_results))


def test_without_a_worker_the_page_computes_itself(visit, folder):
    page = visit(folder / "whatif.html", script="delete window.Worker")
    assert page.get_attribute("body", "data-engine") == "page"
    before = page.get_attribute("#headline", "data-numbers")
    trial(page, lambda: page.click("#wi-centre"))
    assert page.get_attribute("#headline", "data-numbers") != before


def test_keyboard_and_phone(visit, folder):
    page = visit(folder / "whatif.html", width=390, height=844, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#grip")
    page.wait_for_timeout(50)
    small = page.evaluate(
        """() => [...document.querySelectorAll("#where .trial button, #where .trial input:not([hidden]), .step")]
        .filter((e) => e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert small == []
    page.focus("#wi-centre")
    trial(page, lambda: page.keyboard.press("Enter"))
    assert page.evaluate("document.activeElement.id") == "wi-centre"
    page.focus(".leaflet-marker-icon")
    page.keyboard.press("Enter")
    assert "幼儿园" in page.inner_text("#card-title")
    page.keyboard.press("Escape")
    page.focus(".close-edit")
    trial(page, lambda: page.keyboard.press("Enter"))
    assert page.evaluate("BG.current.trial.edits.length") == 0


def test_hostile_names_are_text(browser, visit, tmp_path):
    names = dict(zip(("kindergarten", "primary_school", "pharmacy", "park"), HOSTILE, strict=False))
    results = bg.run(write_toy_study(tmp_path, names=names), write=False, findings=False)
    (tmp_path / "whatif.html").write_text(whatif_page(Context(results)), encoding="utf-8")
    page = visit(tmp_path / "whatif.html")
    _press(page, page.evaluate("BG.current.trial.ids").index(_one(results, "kindergarten")), "#wi-close")
    page.wait_for_selector(".edits li")
    assert HOSTILE[0] in page.inner_text(".edits")
    assert page.locator(".mark.gone").count() == 1
    assert page.evaluate("document.querySelectorAll('.edits script, .edits img, .leaflet-marker-pane img').length") == 0


def test_where_the_page_cannot_be_made(toy_results):
    network = toy_results.network
    for change in ({"record": {"scenario": {}}}, {"access_points": None}, {"network": None}):
        bare = SimpleNamespace(**{**vars(toy_results), **change})
        assert all(whatif_problem(Context(bare)))
        assert "whatif" not in pages_of(Context(bare))
    turns = np.array([[0, network.edge_v[0], 0]], dtype=np.int32)
    bare = SimpleNamespace(**{**vars(toy_results), "network": replace(network, turns=turns)})
    assert "禁止转向" in whatif_problem(Context(bare))[0]
    outputs = toy_results.study.outputs.model_copy(update={"whatif": False})
    study = toy_results.study.model_copy(update={"outputs": outputs})
    assert "whatif" not in pages_of(Context(SimpleNamespace(**{**vars(toy_results), "study": study})))


# ---- the embedded study


def test_embedded_study_stays_small_and_exact(bishan_results, visit):
    file = bishan_results.study.maps / "whatif.html"
    html = file.read_text(encoding="utf-8")
    assert len(html.encode()) < 3_000_000
    assert sum(len(t) for t in re.findall(r'<script type="text/plain"[^>]*>([^<]*)<', html)) < 1_500_000
    page = visit(file)
    page.evaluate("BG.current.map.setView([29.59, 106.22], 13, {animate: false})")
    tool(page, "add")
    new = []
    for spot in places(page, 8, seed=1):
        trial(page, lambda s=spot: page.mouse.click(*s))
        new.append({k: page.evaluate("BG.current.trial.edits.at(-1).keys")[k] for k in "xy"})
        access = times(bishan_results, at(bishan_results, "kindergarten", [], new))
        assert_same_people(page, bishan_results, access, 5)
