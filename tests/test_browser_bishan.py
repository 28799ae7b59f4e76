"""The pages of the embedded study, as a planner opens them: from a folder, offline."""

from __future__ import annotations

import pytest
from test_browser import COLOURS, MAPS, expected, find_on_map, headline, visit

__all__ = ["visit"]


@pytest.fixture(scope="module")
def results(bishan_results):
    return bishan_results


@pytest.fixture(scope="module")
def folder(bishan_results):
    return bishan_results.study.maps


@pytest.mark.parametrize("name", ["index.html", *MAPS])
def test_page_opens_offline_and_says_what_it_rests_on(visit, folder, name):
    assert (folder / name).stat().st_size < 3_000_000
    page = visit(name)
    assert "合成" in page.inner_text(".strip")
    if name != "index.html":
        assert page.evaluate(COLOURS) > 40
        text = page.inner_text("body")
        assert "OpenStreetMap" in text
        assert "EPSG:4544" in text
        assert "审图号" in text


@pytest.mark.parametrize("service", ["kindergarten", "park", "rail_station", "fire_station"])
def test_numbers_on_the_page_are_those_of_the_table(visit, results, service):
    page = visit("coverage.html")
    page.select_option("#choose-service", service)
    for cutoff in (5, 10, 15):
        page.check(f"input[name=cutoff][value='{cutoff}']", force=True)
        for age in ("all", "0-14", "65+"):
            page.select_option("#choose-age", age)
            assert headline(page) == expected(results, service, cutoff, age)


@pytest.mark.parametrize("width", [1366, 390])
def test_a_cell_can_be_asked(visit, width):
    page = visit("nearest.html", width=width, height=844 if width < 500 else 768)
    if width > 500:
        find_on_map(page, "cells")
        assert page.locator(".leaflet-tooltip, .tip").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
