"""Maps for print: everything said is on them, no character is missing, the scale is true, the bytes repeat."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from export_toy import NAMES, export_results
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from bishan_gis.errors import InputError
from bishan_gis.output import fonts
from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps.siting_page import CELL_COLORS, plan_cells
from bishan_gis.output.static_maps import MAPS, static_map, static_map_files, write_static_maps
from bishan_gis.output.static_sheet import nice_length, patches, wrap
from bishan_gis.output.tokens import UNKNOWN


@pytest.fixture(scope="module")
def results():
    return export_results()


def words(figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


@pytest.mark.parametrize("what", MAPS)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_map_says_what_it_rests_on_and_misses_no_character(results, what, lang):
    figure = static_map(results, what, lang=lang)
    figure.canvas.draw()  # a missing glyph would warn, and warnings are errors
    said = words(figure)
    known = set(TTFont(fonts.font_file()).getBestCmap())
    assert all(ord(c) in known for text in said for c in text)
    text = "\n".join(said)
    assert "OpenStreetMap" in text
    assert "EPSG:4544" in text
    assert ("审图号" if lang == "zh" else "Map approval") in text
    assert results.study.label() in text or lang == "en"
    if what != "directions":
        assert "1,501" in said  # the legend sums to the population
    assert all(not t.get_parse_math() for t in figure.findobj(Text) if t.get_text())


def test_a_page_lies_as_the_district_does_and_its_scale_is_true(results):
    figure = static_map(results, "coverage")
    wide, high = figure.get_size_inches()
    assert wide > high
    axes = figure.axes[1]
    box = axes.get_position()
    (w, e), (s, n) = axes.get_xlim(), axes.get_ylim()
    assert (e - w) / (box.width * wide) == pytest.approx((n - s) / (box.height * high))
    bars = [p for p in axes.patches if p.get_facecolor()[:3] != (1, 1, 1) and p.get_zorder() == 20]
    spans = {round(float(np.ptp(p.get_xy()[:, 0])), 6) for p in bars}
    assert 100.0 in spans  # half of the bar of 200 m
    assert "200 m" in words(figure)


def test_what_is_unknown_is_a_class_of_its_own(results):
    access = results.access.copy()
    first = results.cells["cell_id"].iloc[0]
    mine = (access["origin_id"] == first) & (access["service"] == "kindergarten")
    access.loc[mine, ["value", "status"]] = [np.nan, "off_network"]
    said = words(static_map(replace(results, access=access), "coverage"))
    people = int(results.cells["people"].iloc[0])
    at = said.index("无法判断")
    assert str(people) in (said[at - 1], said[at + 1])


def test_printed_maps_say_people_as_the_pages_do(results):
    plan = results.findings.plans[0]
    state, _ = plan_cells(plan, results.cells[["cell_id"]])
    people = results.cells["people"].to_numpy()
    shown = [fmt.people(people[state == code].sum()) for code in set(state.tolist())]
    chosen = [fmt.people(n) for n in plan.plan.sites["people_new"]]
    figure = static_map(results, "siting")
    assert {*shown, *chosen} <= set(words(figure))
    # Colours mean the same as on the page of sites.
    marks = {to_hex(h.get_facecolor()) for h in figure.findobj(Rectangle)}
    assert {CELL_COLORS[code] for code in set(state.tolist()) if CELL_COLORS[code] != UNKNOWN} <= marks
    lacking = results.findings.gaps.people_lacking
    assert any(fmt.people(lacking) in text for text in words(static_map(results, "gaps")))


def test_names_from_outside_are_drawn_as_they_are(results):
    zones = results.zones.copy()
    zones["name"] = zones["name"].replace({"西镇": NAMES["primary_school"]})
    said = words(static_map(replace(results, zones=zones), "directions"))
    assert "$\\frac{1}{2}$ <b>&amp;</b> 〓" in said


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_results_give_the_same_bytes(results, kind):
    few = replace(results, findings=None)
    one, two = (dict(static_map_files(few, formats=[kind])) for _ in range(2))
    assert one == two
    assert sorted(one) == [
        f"map_coverage_kindergarten.{kind}",
        f"map_directions.{kind}",
        f"map_nearest_kindergarten.{kind}",
    ]
    for content in one.values():
        assert not re.search(rb"CreationDate|<dc:date>|Matplotlib v", content)
        assert kind != "svg" or b"<text" not in content


def test_files_are_written_whole(results, tmp_path):
    paths = write_static_maps(results, tmp_path, formats=["png"], services=["pharmacy"])
    assert [p.name for p in paths] == [
        f"map_{n}.png"
        for n in (
            "directions",
            "coverage_pharmacy",
            "nearest_pharmacy",
            "gaps",
            "completeness",
            "siting_primary_school",
        )
    ]
    with pytest.raises(InputError, match="no such"):
        write_static_maps(results, tmp_path / "x", services=["no such"])
    assert not list((tmp_path / "x").iterdir())


@pytest.mark.parametrize(
    ("what", "options", "says"),
    [
        ("north", {}, "directions"),
        ("coverage", {"service": "casino"}, "kindergarten"),
        ("coverage", {"cutoff_min": 7}, "5, 8, 10, 15"),
        ("gaps", {"service": "bus_stop", "bare": True}, "findings"),
        ("siting", {"service": "park"}, "siting.plans"),
    ],
)
def test_what_cannot_be_drawn_is_explained(results, what, options, says):
    options = dict(options)
    some = replace(results, findings=None) if options.pop("bare", False) else results
    with pytest.raises(InputError, match=says):
        static_map(some, what, **options)


@given(st.floats(min_value=1, max_value=1e6))
def test_a_bar_is_a_round_number_and_not_much_shorter(most):
    length = nice_length(most)
    assert length <= most < 2.5 * length
    assert f"{length:.0e}"[0] in "125"


@given(st.text(alphabet="璧山区 abc，。1", max_size=60))
def test_wrapping_loses_nothing(text):
    lines = wrap(text, 1.0, 10)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_holes_stay_holes(results):
    paths, of = patches(results.landuse.geometry.to_numpy())
    assert of.tolist() == [0, 1]
    west, south, east, north = results.landuse.geometry.iloc[0].bounds
    figure = Figure(figsize=(1, 1), dpi=60)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(west, east), ylim=(south, north))
    axes.set_axis_off()
    axes.add_collection(PathCollection(paths[:1], facecolors="#000000"))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    shown = np.asarray(canvas.buffer_rgba())[:, :, 0]
    assert (shown[30, 30], shown[3, 30]) == (255, 0)
