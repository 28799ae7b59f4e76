"""Scenarios: what they may say, what they change and what they leave alone, and who gains by them."""

from __future__ import annotations

import json
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from street_oracle import forbid, random_turns, turns_by_id
from toy import EAST, NORTH, grid_network
from toy_study import COLS, POPULATION, STEP, lonlat, write_toy_study
from typer.testing import CliRunner

import bishan_gis as bg
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.cache import Store
from bishan_gis.cli import app
from bishan_gis.errors import InputError, MissingFileError, NoDataError, StudyError
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.planning.comparison import compare, coverage_series
from bishan_gis.planning.scenario_edits import edit_controls
from bishan_gis.planning.scenario_streets import add_streets, close_ways
from bishan_gis.planning.scenarios import AddStreet, Scenario, load_scenario
from bishan_gis.scenario_run import compare_scenarios, run_scenario, run_years
from bishan_gis.stages.kept_results import kept_results
from bishan_gis.stages.study_stages import StudyStages
from bishan_gis.study import load_study

TABLES = ["facilities", "services", "access", "coverage", "circles", "facility_circles", "radii", "facility_radii"]
TABLES += ["access_points", "cells", "zones", "measures", "zone_measures"]
NURSERY = {"service": "kindergarten", "x": EAST + 1510, "y": NORTH + 605}


def plan(**edits) -> Scenario:
    return Scenario.model_validate({"scenario": {"name": "方案", "name_en": "Plan"}, **edits})


def write(folder, text):
    file = folder / "plan.toml"
    file.write_text(text, encoding="utf-8")
    return file


def assert_same(one, other, tables=TABLES):
    for name in tables:
        left, right = getattr(one, name), getattr(other, name)
        if left is None:
            assert right is None, name
            continue
        left, right = pd.DataFrame(left).copy(), pd.DataFrame(right).copy()
        if "geometry" in left:
            # A circle is drawn together with others, which decides where its rings begin and the last digits.
            drawn = [shapely.normalize(t.pop("geometry").to_numpy()) for t in (left, right)]
            assert shapely.area(shapely.symmetric_difference(*drawn)).max() < 1e-3, name
        pd.testing.assert_frame_equal(left, right, obj=name)


@pytest.fixture(scope="module")
def base(toy_results):
    return toy_results


MEASURES = """
[[measures]]
name = "places"
measure = "two_step"
services = ["kindergarten"]
supply = "capacity"
default_capacity = 90
demand = "0-14"
cutoff_min = 10
[[measures]]
name = "shops"
measure = "cumulative_cutoff"
services = ["pharmacy"]
cutoff_min = 15
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The toy study with two measures."""
    file = write_toy_study(tmp_path_factory.mktemp("measured"))
    file.write_text(file.read_text(encoding="utf-8") + MEASURES, encoding="utf-8")
    return bg.run(file, write=False)


# ---- what a scenario may say


def test_all_problems_of_a_file_are_named_at_once(tmp_path):
    file = write(
        tmp_path,
        """
[scenario]
nam = "x"
[[add_facility]]
service = "park"
lon = 106.2
capasity = 3
[[add_facility]]
service = "park"
lon = 506.2
lat = 29.4
[[grow_population]]
township = "A"
factor = 1.1
people = 5
[[closed_street]]
way = 1
[[add_street]]
line = [[106.2, 29.4]]
[[add_housing]]
people = 5
ages = { young = 3 }
lon = 106.2
lat = 29.4
""",
    )
    with pytest.raises(StudyError) as err:
        load_scenario(file)
    for lang, words in {
        "zh": ["未知的键 scenario.nam;最接近的是 name", "缺少 scenario.name", "最接近的是 close_street", "各组合计 3"],
        "en": [
            "unknown key add_facility[1].capasity; the nearest is capacity",
            "add_facility[2].lon",
            "grow_population[1]: give one of factor, people, ages",
            "the nearest is close_street",
            "add_street[1].line",
            "the ages sum to 3",
            "8 problems",
        ],
    }.items():
        for word in words:
            assert word in err.value.message(lang)


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        ({"add_facility": [{"service": "park"}]}, "give the place as"),
        ({"add_facility": [{"service": "park", "lon": 106.0}]}, "give the place as"),
        ({"add_facility": [{"service": "park", "lon": 1.0, "lat": 1.0, "x": 1.0, "y": 1.0}]}, "one of the two"),
        ({"add_facility": [{"service": "park", "x": float("nan"), "y": 1.0}]}, "finite"),
        ({"resize_facility": [{"facility_id": "a", "capacity": 0}]}, "greater than 0"),
        ({"add_street": [{"line": [[1, 2], [3, 4]], "modes": ["drive"]}]}, "speed_kmh is needed"),
        ({"add_street": [{"line": [[1, 2], [1, 2]]}]}, "two different points"),
        ({"walkers": [{"year": 2030}]}, "profile or speed_factor is missing"),
        ({"add_housing": [{"x": 1.0, "y": 1.0}]}, "people or ages"),
    ],
)
def test_edits_that_make_no_sense(edit, word):
    with pytest.raises(ValueError, match=word):
        plan(**edit)


def test_files_that_are_not_there_or_not_toml(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.toml"):
        load_scenario(tmp_path / "none.toml")
    with pytest.raises(MissingFileError):
        load_scenario(tmp_path)
    with pytest.raises(StudyError, match="not valid UTF-8 TOML"):
        load_scenario(write(tmp_path, "[scenario"))


def test_years_choose_edits_and_keep_their_numbers():
    years = (2035, 2030, None)
    p = plan(add_facility=[{**NURSERY, "year": y} if y else NURSERY for y in years])
    assert p.years == [2030, 2035]
    assert [a.facility_id for a in p.at_year(2029).add_facility] == ["plan/3"]
    assert [a.facility_id for a in p.at_year(2030).add_facility] == ["plan/3", "plan/2"]
    assert p.at_year().n_edits == 3
    assert p.at_year(2030).label("en") == "Plan (2030)"


# ---- names that the data does not have


def test_unknown_names_are_named_at_once_with_the_nearest(base):
    p = plan(
        add_facility=[{**NURSERY, "service": "kindergaten"}, {**NURSERY, "facility_id": "node/900"}],
        close_facility=[{"facility_id": "node/9020"}],
        move_facility=[{"facility_id": "node/901", "lon": 29.5, "lat": 80.0}],
    )
    with pytest.raises(StudyError) as err:
        run_scenario(base.study, p, base=base)
    text = err.value.message("en")
    for word in (
        "4 problems",
        "the nearest is kindergarten",
        "node/900 is taken",
        "the nearest is node/902",
        "outside",
    ):
        assert word in text
    with pytest.raises(StudyError, match=r"the nearest is 西镇|known: 西镇") as err:
        run_scenario(
            base.study, plan(grow_population=[{"township": "西", "factor": 2}, {"township": "1", "ages": {"x": 1}}])
        )
    assert "2 problems" in err.value.message("en")
    with pytest.raises(StudyError, match="there is no such way"):
        run_scenario(base.study, plan(close_street=[{"way": 99999}]))
    with pytest.raises(StudyError, match="does not walk"):
        run_scenario(base.study, plan(walkers=[{"profile": "car"}]))
    with pytest.raises(StudyError, match="outside of all townships"):
        run_scenario(base.study, plan(add_housing=[{"people": 5, "x": EAST - 5000, "y": NORTH}]))


def test_streets_and_townships_that_are_not_there_are_named_before_a_run(tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError((args, kwargs))

    monkeypatch.setattr("bishan_gis.scenario_run.run", never)
    study = load_study(write_toy_study(tmp_path))
    edits = {"grow_population": [{"township": "西街", "factor": 2}], "close_street": [{"way": 99999}]}
    with pytest.raises(StudyError) as err:
        compare_scenarios(study, [plan(**edits)])
    said = err.value.message("en")
    assert "2 problems" in said
    assert "no township 西街" in said
    assert "close_street[1].way = 99999" in said


def test_a_scenario_of_another_study_is_refused(base, tmp_path):
    file = write(tmp_path, '[scenario]\nname = "x"\nbase = "elsewhere"\n')
    with pytest.raises(StudyError, match="is not the study"):
        run_scenario(base.study, load_scenario(file), base=base)


# ---- a scenario is a run of edited files


def test_streets_people_and_places_equal_edited_files(base, tmp_path):
    """What a scenario says, said in the files instead: the same table of times, to the millisecond."""
    file = write_toy_study(tmp_path)
    osm = tmp_path / "data/raw/streets.osm"
    # A bridge from junction (1, 1) to junction (4, 3): it crosses streets and joins none of them.
    ends = [(1, 1), (4, 3)]
    refs = [1 + r * COLS + c for c, r in ends]
    tags = '<tag k="highway" v="footway"/><tag k="bridge" v="yes"/>'
    way = f'<way id="500" version="1"><nd ref="{refs[0]}"/><nd ref="{refs[1]}"/>{tags}</way>'
    lon, lat = lonlat(1510, 605)
    node = f'<node id="990" lat="{lat}" lon="{lon}" version="1"><tag k="amenity" v="kindergarten"/></node>'
    text = osm.read_text(encoding="utf-8").replace("</osm>", way + "</osm>")
    first = text.index('<node id="2000"')
    osm.write_text(text[:first] + node + text[first:], encoding="utf-8")
    people = tmp_path / "data/raw/population.csv"
    people.write_text(POPULATION.replace("1,1000,200,600,200", "1,1500,300,900,300"), encoding="utf-8")
    wanted = bg.run(file, write=False)
    p = plan(
        add_street=[{"line": [lonlat(c * STEP, r * STEP) for c, r in ends], "structure": "bridge"}],
        add_facility=[{"service": "kindergarten", "lon": lon, "lat": lat, "facility_id": "node/990"}],
        grow_population=[{"township": "西镇", "factor": 1.5}],
    )
    found = run_scenario(base.study, p)
    for name in ("access", "coverage", "cells", "radii"):
        left, right = (pd.DataFrame(getattr(r, name)).drop(columns="kind") for r in (wanted, found))
        pd.testing.assert_frame_equal(left, right, obj=name)
    new = found.network.edges.iloc[-1]
    assert (new["kind"], new["structure"]) == ("assumed", "bridge")
    assert not compare(base, found).empty
    assert {found.kind, *found.access["kind"], *found.coverage["kind"]} == {"assumed"}


def test_a_closed_street_is_as_if_it_had_not_been_mapped(base, tmp_path):
    file = write_toy_study(tmp_path)
    osm = tmp_path / "data/raw/streets.osm"
    lines = osm.read_text(encoding="utf-8").splitlines()
    osm.write_text("\n".join(x for x in lines if '<way id="36"' not in x), encoding="utf-8")
    wanted = bg.run(file, write=False).access
    found = run_scenario(base.study, plan(close_street=[{"way": 36}])).access
    assert (wanted["status"] == found["status"]).all()
    # The file no longer cuts the streets that crossed: each cut may round by half a millisecond.
    assert np.abs(wanted["value"] - found["value"]).max() <= 0.01
    assert (found["value"] >= base.access["value"]).all()
    assert (found["value"] > base.access["value"]).any()


def test_street_ends_that_join_nothing(base):
    away = [[EAST + 40, NORTH + 75], [EAST + 75, NORTH + 75]]
    with pytest.raises(StudyError, match=r"add_street\[1\] \(walk\): 2 of its ends join no node"):
        run_scenario(base.study, plan(add_street=[{"line": away, "coordinates": "study"}]))
    short = [[EAST, NORTH], [EAST + 3, NORTH]]
    with pytest.raises(StudyError, match="both ends join the same node"):
        run_scenario(base.study, plan(add_street=[{"line": short, "coordinates": "study"}]))
    blind = [[EAST + 3, NORTH + 4], [EAST + 75, NORTH + 75]]
    found = run_scenario(base.study, plan(add_street=[{"line": blind, "coordinates": "study"}]))
    assert any("1 of its ends" in en for _, en in found.warnings)
    assert found.network.n_nodes == base.network.n_nodes + 1
    with pytest.raises(NoDataError, match="no street would be left"):
        close_ways(base.network, np.unique(base.network.edge_way))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.6))
def test_closing_streets_and_building_them_again_changes_no_time(seed, share):
    rng = np.random.default_rng(seed)
    network = grid_network(5, seed=seed)
    gone = rng.choice(network.edge_way, max(int(share * network.n_edges), 1), replace=False)
    fewer = close_ways(network, gone)
    assert fewer.n_edges == network.n_edges - len(gone)
    bound = forbid(network, *random_turns(network, rng, 30))
    left = [turn for turn in turns_by_id(bound) if not set(turn[::2]) & set(gone.tolist())]
    assert turns_by_id(close_ways(bound, gone)) == left
    quiet = close_ways(replace(network, edge_local=network.edge_way % 3 == 0), gone)
    assert (quiet.edge_local == (quiet.edge_way % 3 == 0)).all()
    rows = np.flatnonzero(np.isin(network.edge_way, gone))
    streets = [
        AddStreet(
            line=shapely.get_coordinates(network.lines[r]).tolist(),
            coordinates="study",
            oneway=bool(network.edge_forward[r] and not network.edge_backward[r]),
            join_m=0.001,
        )
        for r in rows
    ]
    again, _ = add_streets(fewer, streets)
    assert network.n_edges == again.n_edges
    xy = EAST + rng.uniform(-20, 420, 30), NORTH + rng.uniform(-20, 420, 30)
    origins = pd.DataFrame({"origin_id": np.arange(30), "x": xy[0], "y": xy[1]})
    xs, ys = np.array([50.0, 350.0]), np.array([60.0, 310.0])
    points = pd.DataFrame({"facility_id": ["a", "b"], "service": "s", "x": EAST + xs, "y": NORTH + ys})
    profile = load_profile("adult")
    one, two, three = (nearest_cost(n, edge_costs(n, profile), origins, points).table for n in (network, again, fewer))
    pd.testing.assert_frame_equal(one.drop(columns="facility_id"), two.drop(columns="facility_id"))
    both = np.isfinite(one["value"]) & np.isfinite(three["value"])
    kept = np.isin(fewer.edge_way, network.edge_way).all()
    assert kept
    assert both.any() or three["value"].isna().any()


def test_new_homes_add_exactly_their_people_and_move_nobody(base):
    square = [lonlat(x, y) for x, y in [(800, 300), (1000, 300), (1000, 500), (800, 500)]]
    p = plan(
        add_housing=[
            {"polygon": square, "ages": {"0-14": 30, "65+": 20}},
            {"x": EAST + 310, "y": NORTH + 320, "people": 100},
        ]
    )
    found = run_scenario(base.study, p)
    new = found.cells[found.cells["cell_id"].str.contains("+h", regex=False)]
    assert set(new["kind"]) == {"assumed"}
    first = new[new["cell_id"].str.endswith("+h1")]
    # The square lies across the border at x = 900: half of it in either township.
    assert first.groupby("zone_id")["people"].sum().tolist() == [25, 25]
    assert first[["people", "0-14", "15-64", "65+"]].sum().tolist() == [50, 30, 0, 20]
    second = new[new["cell_id"].str.endswith("+h2")]
    assert second[["zone_id", "people", "0-14", "15-64", "65+", "x", "y"]].to_numpy().tolist() == [
        ["1", 100, 20, 60, 20, EAST + 310, NORTH + 320]
    ]
    old = found.cells[~found.cells["cell_id"].isin(new["cell_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.DataFrame(old), pd.DataFrame(base.cells))
    check = found.population_check
    assert (check["difference"] == 0).all()
    assert check.loc[check["part"] == "all", "control"].sum() == 1501 + 150 == found.cells["people"].sum()


@given(
    people=st.lists(st.integers(0, 500), min_size=3, max_size=3),
    factor=st.floats(0, 3),
    more=st.lists(st.integers(0, 50), min_size=3, max_size=3),
)
def test_growth_keeps_parts_and_sum_together(people, factor, more):
    parts = ["a", "b", "c"]
    controls = pd.DataFrame([["1", sum(people), *people], ["2", 9, 2, 3, 4]], columns=["zone_id", "people", *parts])
    towns = pd.DataFrame({"zone_id": ["1", "2"], "name": ["East", "West"]})
    before = controls.copy()
    edits = [{"township": "East", "factor": factor}, {"township": "1", "ages": dict(zip(parts, more, strict=True))}]
    out = edit_controls(controls, plan(grow_population=edits), towns, parts=parts)
    pd.testing.assert_frame_equal(controls, before)
    assert (out[parts].sum(axis=1) == out["people"]).all()
    assert out.loc[0, "people"] == int(np.floor(sum(people) * factor + 0.5)) + sum(more)
    assert out.loc[1].tolist() == before.loc[1].tolist()
    with pytest.raises(StudyError, match="fewer than nobody"):
        edit_controls(controls, plan(grow_population=[{"township": "2", "people": -10}]), towns, parts=parts)


def test_slower_walkers_are_later_everywhere(base):
    found = run_scenario(base.study, plan(walkers=[{"speed_factor": 0.5}]))
    both = base.access["value"].notna()
    ratio = found.access.loc[both, "value"] / base.access.loc[both, "value"]
    assert ratio.min() > 1.99
    assert ratio.max() < 2.01
    assert found.profile["speed_kmh"] == base.profile["speed_kmh"] / 2
    c = compare(base, found)
    assert (c.coverage["people_gain"] == 0).all()
    assert (c.times["people_sooner"] == 0).all()
    # 5 minutes at full speed are 10 at half: the same people to about a rounding at the edge.
    slow = c.summary()[lambda t: t["cutoff_min"] == 10].set_index("service")["people_covered_after"]
    full = base.coverage.query("zone_kind == 'district' and age_group == 'all' and cutoff_min == 5")
    assert slow.to_dict() == full.set_index("service")["people_covered"].to_dict()


# ---- only what is touched is computed again


@pytest.mark.parametrize(
    "edits",
    [
        {"add_facility": [NURSERY, {**NURSERY, "service": "park", "x": EAST + 20.0, "y": NORTH + 20.0}]},
        {"close_facility": [{"facility_id": "node/900"}], "add_facility": [{**NURSERY, "capacity": 90}]},
        {"move_facility": [{"facility_id": "way/60", "x": EAST + 300, "y": NORTH + 710}]},
        {"move_facility": [{"facility_id": "node/900", "x": EAST + 900, "y": NORTH + 640}]},
        {"resize_facility": [{"facility_id": "node/900", "capacity": 45}]},
        {"close_facility": [{"facility_id": "way/60"}]},
    ],
    ids=["add", "replace", "area becomes point", "move", "resize", "close the last"],
)
def test_touched_services_only_equals_the_whole_run(measured, edits):
    p = plan(**edits)
    before = {name: getattr(measured, name).copy() for name in TABLES}
    quick = run_scenario(measured.study, p, base=measured)
    for name, table in before.items():
        pd.testing.assert_frame_equal(pd.DataFrame(table), pd.DataFrame(getattr(measured, name)), obj=name)
    whole = run_scenario(measured.study, p)
    assert_same(whole, quick)
    assert whole.kind == quick.kind == "assumed"
    assert compare(whole, quick).empty
    named = quick.facilities[quick.facilities["source"].str.contains("方案")]
    changed = "close_facility" not in edits or "add_facility" in edits
    assert len(named) == (len(edits.get("add_facility", [1])) if changed else 0)
    assert set(named["kind"]) <= {"assumed"}
    light = run_scenario(measured.study, p, base=measured, circles=False)
    assert_same(light, quick, ["access", "coverage", "measures"])


def test_nothing_due_is_the_base_itself(base):
    p = plan(add_facility=[{**NURSERY, "year": 2035}])
    assert run_scenario(base.study, p, base=base, year=2030) is base
    assert compare(base, run_scenario(base.study, p, year=2030)).empty


# ---- comparison


MIXED = {
    "add_facility": [NURSERY],
    "close_facility": [{"facility_id": "node/902"}],
    "grow_population": [{"township": "西镇", "factor": 0.7}],
    "add_housing": [{"x": EAST + 1200, "y": NORTH + 400, "people": 77}],
    "close_street": [{"way": 36}],
    "move_facility": [{"facility_id": "node/901", "x": EAST + 910, "y": NORTH + 460}],
}


@pytest.fixture(scope="module")
def mixed(base):
    return run_scenario(base.study, plan(**MIXED))


def test_no_change_gives_no_difference(base):
    c = compare(base, base)
    assert c.empty
    assert len(c.coverage) == len(c.times) == len(c.cells) == len(c.summary()) == 0


def test_the_other_way_round_is_minus(base, mixed):
    there, back = compare(base, mixed), compare(mixed, base)
    pairs = {"gain": "lose", "before": "after", "sooner": "later", "found": "lost"}

    def turned(name):
        for one, other in pairs.items():
            words = name.split("_")
            if one in words or other in words:
                return "_".join({one: other, other: one}.get(w, w) for w in words)
        return name

    for name in ("coverage", "times", "cells"):
        table = pd.DataFrame(getattr(back, name))
        table = table.rename(columns=turned)
        for column in table.columns:
            if "change" in column.split("_")[1:]:
                table[column] = -table[column]
        if name == "cells":
            table["change"] = table["change"].map(turned)
        wanted = pd.DataFrame(getattr(there, name))
        pd.testing.assert_frame_equal(table[wanted.columns], wanted, obj=name)


def test_places_and_measures_are_compared_too(measured):
    """A kindergarten of 45 places in place of 90 is no nearer and no farther: what it can take differs."""
    p = plan(resize_facility=[{"facility_id": "node/900", "capacity": 45}])
    c = compare(measured, run_scenario(measured.study, p, base=measured))
    assert not c.empty
    assert c.coverage.empty
    row = c.capacity[c.capacity["zone_kind"] == "district"].iloc[0]
    assert row[["service", "facilities_change", "capacity_before", "capacity_after"]].tolist() == [
        "kindergarten",
        0,
        0,
        45,
    ]
    assert set(c.capacity["zone_name"]) == {"玩具区", "西拓", "西镇"}
    places = c.measures[c.measures["zone_kind"] == "district"].set_index("measure_name")
    assert places.index.tolist() == ["places"]
    assert places.loc["places", "measure_value_after"] == pytest.approx(
        places.loc["places", "measure_value_before"] / 2
    )
    assert compare(measured, measured).empty
    assert compare(measured, run_scenario(measured.study, p, base=measured), services=["pharmacy"]).empty


def test_the_level_of_a_service_is_a_cutoff_of_its_own(base):
    """The standards ask for a pharmacy within 8 minutes, which is none of 5, 10 and 15."""
    new = {"service": "pharmacy", "x": EAST + 1510, "y": NORTH + 605}
    after = run_scenario(base.study, plan(add_facility=[new]), base=base)
    c = compare(base, after)
    assert c.cutoffs_min == (5.0, 8.0, 10.0, 15.0)
    row = c.summary().set_index("cutoff_min").loc[8.0]
    for side, run in (("before", base), ("after", after)):
        times = run.access[run.access["service"] == "pharmacy"].set_index("origin_id")["value"]
        near = times.reindex(run.cells["cell_id"]).to_numpy() <= 480
        assert row[f"people_covered_{side}"] == run.cells.loc[near, "people"].sum()
    assert row["people_gain"] > 0


def test_who_gains_and_loses_against_a_count_by_hand(base, mixed):
    c = compare(base, mixed)
    group, cutoff, service = "0-14", 10.0, "kindergarten"
    sides = []
    for run in (base, mixed):
        people = run.cells.set_index("cell_id")[group].to_dict()
        rows = run.access[run.access["service"] == service].set_index("origin_id")["value"].to_dict()
        sides.append((people, rows))
    (p0, t0), (p1, t1) = sides
    gain = lose = come = go = 0
    for cell in {*p0, *p1}:
        stay = min(p0.get(cell, 0), p1.get(cell, 0))
        was, now = t0.get(cell, np.nan) <= cutoff * 60, t1.get(cell, np.nan) <= cutoff * 60
        gain += stay * (now and not was)
        lose += stay * (was and not now)
        come += (p1.get(cell, 0) - stay) * now
        go += (p0.get(cell, 0) - stay) * was
    row = c.summary(group).set_index(["service", "cutoff_min"]).loc[(service, cutoff)]
    assert (row["people_gain"], row["people_lose"]) == (gain, lose)
    assert row["people_covered_change"] == gain - lose + come - go
    assert gain > 0
    assert come > 0
    assert go > 0
    # Every level of zones adds up to the same.
    sums = c.coverage.groupby(["service", "cutoff_min", "age_group", "zone_kind"])[
        ["people_gain", "people_change"]
    ].sum()
    spread = sums.groupby(level=[0, 1, 2]).agg(["min", "max"])
    for column in ("people_gain", "people_change"):
        assert (spread[column]["min"] == spread[column]["max"]).all()
    # The last pharmacy closed: nobody is covered, and who could leave the data is unknown, not uncovered.
    gone = c.summary()[lambda t: t["service"] == "pharmacy"]
    assert (gone["people_covered_after"] == 0).all()
    assert (gone["people_after"] == mixed.cells["people"].sum()).all()
    assert set(c.cells.loc[c.cells["service"] == "pharmacy", "change"]) == {"lost"}
    assert set(c.cells.loc[c.cells["service"] == "", "change"]) == {"people"}


def test_runs_that_cannot_be_compared(base, tmp_path):
    other = write_toy_study(tmp_path)
    text = other.read_text(encoding="utf-8").replace("[directions]", "[reach]\ncutoffs_min = [5, 15]\n[directions]")
    other.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"other must be what a run gives, it is a str; .*run_scenario\(study"):
        compare(base, "scenario.toml")
    with pytest.raises(InputError, match="other cutoffs"):
        compare(base, bg.run(other, write=False))
    with pytest.raises(InputError, match="no hospital"):
        compare(base, base, services=["hospital"])


def test_a_series_of_years_rises(base):
    p = plan(add_facility=[{**NURSERY, "year": 2030}, {**NURSERY, "x": EAST + 900, "y": NORTH + 880, "year": 2035}])
    runs = run_years(base.study, p, base=base)
    table = coverage_series({"now": base, **{str(y): r for y, r in runs.items()}}, services=["kindergarten"])
    assert list(table["run"].unique()) == ["now", "2030", "2035"]
    keys = ["zone_kind", "zone_id", "cutoff_min", "age_group"]
    wide = table.pivot_table(index=keys, columns="run", values="people_covered")
    assert (wide["2030"] >= wide["now"]).all()
    assert (wide["2035"] >= wide["2030"]).all()


# ---- the command


TOML = """
[scenario]
name = "新园"
name_en = "New nursery"
[[add_facility]]
service = "kindergarten"
x = {x}
y = {y}
year = 2030
"""


def test_command_writes_all_or_nothing(tmp_path):
    study = write_toy_study(tmp_path)
    file = write(tmp_path, TOML.format(x=EAST + 1510, y=NORTH + 605))
    runner = CliRunner()
    result = runner.invoke(app, ["compare", str(study), str(file), "--json", "--series", "--service", "kindergarten"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    folder = tmp_path / "data/processed"
    names = ["comparison.csv", "comparison.geojson", "comparison.json", "comparison_capacity.csv"]
    names += ["comparison_measures.csv", "comparison_series.csv", "comparison_times.csv"]
    names.sort()
    assert sorted(p.name for p in folder.iterdir() if p.is_file()) == names
    assert sorted([*names, "compare.html"]) == sorted(said["outputs"])
    assert [p.name for p in (tmp_path / "maps").iterdir()] == ["compare.html"]
    record = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert record["coverage"] == said["coverage"]
    assert record["scenarios"][0]["edits"]["add_facility"][0]["service"] == "kindergarten"
    assert record["kind"] == "assumed"
    table = pd.read_csv(folder / "comparison.csv", encoding="utf-8-sig", keep_default_na=False)
    assert set(table.columns) <= set(record["columns"])
    everybody = table.query("zone_kind == 'district' and age_group == 'all'")
    assert everybody["people_gain"].tolist() == [row["people_gain"] for row in said["coverage"]]
    cells = gpd.read_file(folder / "comparison.geojson")
    assert set(cells["change"]) == {"sooner"}
    assert cells.crs == 4326
    first = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    shown = runner.invoke(
        app, ["compare", str(study), str(file), "--series", "--service", "kindergarten", "--lang", "en"]
    )
    assert "New nursery" not in shown.stdout or shown.exit_code == 0
    assert "Kindergarten" in shown.stdout
    for wrong, word in ((["--service", "kindergarden"], "kindergarten"), (["--years", "soon"], "2025,2030")):
        bad = runner.invoke(app, ["compare", str(study), str(file), *wrong])
        assert bad.exit_code == 2
        assert word in bad.stderr
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == first
    none = runner.invoke(app, ["compare", str(study), str(file), str(file)])
    assert "没有任何变化" in none.stdout
    file.write_text(TOML.format(x=1, y=2), encoding="utf-8")
    now = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    wrong = runner.invoke(app, ["compare", str(study), str(file), "--quiet"])
    assert wrong.exit_code == 2
    assert "add_facility[1]" in wrong.stderr
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == now


def test_what_a_scenario_is_compared_with_is_kept_until_an_input_changes(tmp_path, measured):
    fresh, file = measured, write_toy_study(tmp_path)
    file.write_text(file.read_text(encoding="utf-8") + MEASURES, encoding="utf-8")

    def kept(make):
        study = load_study(file)
        with Store(tmp_path / "kept") as store:
            return kept_results(StudyStages(study, store), lambda: make(study))

    def never(study):
        raise AssertionError(study)

    tables = [*TABLES, "population_check", "merged", "water", "green", "landuse", "radius_streets", "barrier_lines"]
    for make in (lambda study: bg.run(study, write=False), never):
        again = kept(make)
        assert_same(again, fresh, tables)
        for name in ("kind", "profile", "warnings"):
            assert getattr(again, name) == getattr(fresh, name)
        assert [d.label() for d in again.datasets] == [d.label() for d in fresh.datasets]
        assert set(again.networks) == set(fresh.networks)
        assert again.network.summary() == fresh.network.summary()
    population = tmp_path / "data" / "raw" / "population.csv"
    population.write_text(POPULATION.replace("1,1000,200", "1,1001,201"), encoding="utf-8")
    with pytest.raises(AssertionError):
        kept(never)


def test_a_scenario_can_be_written_beside_the_study(tmp_path):
    study = write_toy_study(tmp_path)
    file = write(tmp_path, TOML.format(x=EAST + 1510, y=NORTH + 605))
    bg.run(study, scenario=load_scenario(file).at_year(2030))
    assert not (tmp_path / "data/processed/run.json").exists()
    record = json.loads((tmp_path / "data/processed/scenarios/plan/run.json").read_text(encoding="utf-8"))
    assert record["scenario"]["label"] == "新园 (2030)"
    pages = list((tmp_path / "maps/scenarios/plan").glob("*.html"))
    assert pages
    assert all("新园" in p.read_text(encoding="utf-8") for p in pages)


# ---- a story


def test_two_kindergartens_where_the_gap_is_worst(base):
    """Find the direction that lacks most, site two there, and see who gains."""
    from bishan_gis.planning.study_sites import study_sites

    rows = base.coverage.query("zone_kind == 'direction' and service == 'kindergarten' and age_group == 'all'")
    rows = rows[rows["cutoff_min"] == 10]
    worst = rows.loc[(rows["people"] - rows["people_covered"] - rows["people_unknown"]).idxmax()]
    found = study_sites(base, service="kindergarten", sites=2, zone=worst["zone_name"], cutoff_min=10)
    chosen = found.candidates[found.candidates["order"] > 0]
    p = plan(add_facility=[{"service": "kindergarten", "x": c.x, "y": c.y} for c in chosen.itertuples()])
    c = compare(base, run_scenario(base.study, p, base=base))
    everybody = c.summary().set_index("cutoff_min")
    assert (c.coverage["people_lose"] == 0).all()
    assert (c.times["people_later"] == 0).all()
    assert (c.coverage["people_change"] == 0).all()
    assert (c.coverage["people_covered_change"] == c.coverage["people_gain"]).all()
    # Siting promised as many people as the comparison finds in that direction.
    inside = c.coverage.query("zone_kind == 'direction' and age_group == 'all' and cutoff_min == 10")
    inside = inside.set_index("zone_name")["people_gain"]
    assert inside[worst["zone_name"]] == found.plan.sites["people_new"].sum() > 0
    assert everybody.loc[10.0, "people_gain"] == inside.sum()


def test_the_worst_gap_for_nurseries_in_the_south_is_closed(tmp_path):
    """Find the worst gap, site two, compare what the plan writes, look again: the gap is gone from the list."""
    from bishan_gis.output.siting_files import write_siting
    from bishan_gis.planning.gaps import find_gaps
    from bishan_gis.planning.study_sites import study_sites

    file = write_toy_study(tmp_path)
    raw = tmp_path / "data/raw"
    text = file.read_text(encoding="utf-8").replace('"西拓" =', '"南进" =').replace('"park", ', '"park", "nursery", ')
    file.write_text(text + "[siting]\nspacing_m = 100\n", encoding="utf-8")
    # The south is one column of blocks, a mile from the only nursery.
    towns = gpd.read_file(raw / "townships.geojson").to_crs("EPSG:4544")
    whole = towns.union_all()
    west, south, _, north = whole.bounds
    strip = shapely.box(west, south, EAST + 160, north)
    towns = towns.set_geometry([whole.intersection(strip), whole.difference(strip)], crs=towns.crs)
    towns.to_crs(4326).to_file(raw / "townships.geojson", driver="GeoJSON")
    lon, lat = lonlat(1510, 605)
    node = f'<node id="990" lat="{lat}" lon="{lon}" version="1"><tag k="amenity" v="childcare"/></node>'
    osm = (raw / "streets.osm").read_text(encoding="utf-8")
    at = osm.index('<node id="2000"')
    (raw / "streets.osm").write_text(osm[:at] + node + osm[at:], encoding="utf-8")

    base = bg.run(file, write=False)
    asked = {"services": ["nursery"], "zones": ["南进"]}
    gaps = find_gaps(base, **asked)
    worst = gaps.areas.table.iloc[0]
    lacking = gaps.areas.table["people"].sum()
    assert (worst["service"], worst["people"] > 0, lacking) == ("nursery", True, 1000)
    found = study_sites(base, service="nursery", sites=2, zone="南进")
    assert found.facts["people_new"] == lacking
    write_siting(found, tmp_path / "out", scenario=tmp_path / "two.toml", study_file=file)
    after = run_scenario(base.study, load_scenario(tmp_path / "two.toml"), base=base)
    again = find_gaps(after, **asked)
    assert again.areas.table.empty
    assert again.unknown.table.empty
    assert again.people_lacking == 0
    rows = compare(base, after).coverage.query("zone_name == '南进' and age_group == 'all' and cutoff_min == 5")
    assert rows[["people_covered_before", "people_gain", "people_covered_after"]].to_numpy().tolist() == [
        [0, 1000, 1000]
    ]
    # The list of the whole district is the shorter by those gaps.
    everywhere = [find_gaps(run, services=["nursery"]).areas.table for run in (base, after)]
    assert len(everywhere[1]) <= len(everywhere[0]) - len(gaps.areas.table)


def test_years_that_are_asked_for(base):
    """A year between two changes is as the last one before it."""
    p = plan(add_facility=[{**NURSERY, "year": 2028}])
    runs = run_years(base.study, p, base=base, years=[2025, 2030, 2035])
    assert list(runs) == [2025, 2030, 2035]
    assert runs[2025] is base
    assert runs[2030] is runs[2035]
    assert len(runs[2030].facilities) == len(base.facilities) + 1


def test_examples_and_template_are_valid():
    import tomllib

    from conftest import ROOT

    examples = sorted((ROOT / "studies/bishan/scenarios").glob("*.toml"))
    assert examples
    for file in examples:
        assert load_scenario(file).base == ROOT / "studies/bishan/study.toml"
    template = ROOT / "bishan_gis/data/scenario_template.toml"
    assert load_scenario(template).n_edits == 0
    # With every comment that shows an edit opened, it is still a scenario (but for the two ways to say one thing).
    lines = template.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line == "# [[add_facility]]")
    opened = [x[2:] for x in lines[start:] if x.startswith("# [[") or " = " in x]
    text = '[scenario]\nname = "x"\n' + "\n".join(opened)
    assert len(Scenario.model_validate(tomllib.loads(text)).edits) == 9
