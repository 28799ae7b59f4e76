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


def test_one_standard_and_one_number_for_each_service_everywhere(visit, results):
    """Gaps, coverage table, overview, card, Excel and report hold a service against the same minutes."""
    from bishan_gis.output.excel_tables import workbook_tables
    from bishan_gis.output.maps.context import Context
    from bishan_gis.output.maps.index import _services
    from bishan_gis.output.report.source import Source

    gaps = results.findings.gaps
    own = gaps.people[(gaps.people["zone_kind"] == "district") & (gaps.people["age_group"] == "all")]
    own = own.set_index("service")
    assert set(results.services.index[results.services["level"] > 0]) == set(own.index)
    assert "fire_station" not in own.index  # comes by vehicle: listed, and not judged on foot
    table = results.coverage
    table = table[(table["zone_kind"] == "district") & (table["age_group"] == "all")]
    table = table.set_index(["service", "cutoff_min"])["people_covered"]
    context, source = Context(results), Source(results)
    index = {s["key"]: s for s in _services(context)}
    sheet = workbook_tables(results)[0].frame
    xlsx = {row["service_zh"]: row for row in sheet.to_dict("records")}
    for service, row in own.iterrows():
        level, covered = float(row["level_min"]), int(row["people_covered"])
        assert table.loc[(service, level)] == covered
        assert (index[service]["level"], index[service]["numbers"][1]) == (f"{level:g}", covered)
        assert (source.level(service), source.covered(source.district, service).covered) == (level, covered)
        line = xlsx[context.service_name(service)]
        assert (line["level_min"], line["people_covered"]) == (level, covered)
    page = visit("coverage.html")
    levels = page.evaluate("Object.fromEntries(BG.current.config.services.map((s) => [s.key, s.level]))")
    assert {k: v for k, v in levels.items() if v is not None} == own["level_min"].to_dict()


def test_one_service_goes_by_its_own_name_in_the_legend_of_the_district(visit, results):
    page = visit("district.html")
    assert "医疗与养老" in page.inner_text("#legend")
    page.select_option("#choose-service", "health_station")
    legend = page.inner_text("#legend")
    assert "医疗与养老" not in legend
    assert results.services.loc["health_station", "zh"] in legend
