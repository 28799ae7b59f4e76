"""Candidates, the checks of a siting question, and the command: by hand, on a small study, with wrong input."""

from __future__ import annotations

import json
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from toy import EAST, NORTH, TOY_CRS, make_network
from toy_study import write_toy_study
from typer.testing import CliRunner

import bishan_gis as bg
from bishan_gis.cli import app
from bishan_gis.errors import InputError, MissingColumnError, MissingFileError, NoDataError, OutputError, SchemaError
from bishan_gis.output.siting_files import write_siting
from bishan_gis.planning.candidates import candidate_sites, street_slope
from bishan_gis.planning.site_plan import choose_sites, depth_weights
from bishan_gis.planning.study_sites import study_sites
from bishan_gis.sources.siting_layers import load_siting_layers
from bishan_gis.study import load_study


def box(x, y, width=100.0, height=100.0):
    return shapely.box(EAST + x, NORTH + y, EAST + x + width, NORTH + y + height)


def layer(shapes, **columns):
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=TOY_CRS)


LAND = layer(
    [box(0, 0), box(200, 0), box(400, 0, 10, 10), box(600, 0), box(800, 0), box(1000, 0)],
    code=["16", "0804", "1602", "0801", "0701", "08"],
)


def test_every_rule_excludes_what_it_should():
    lines = layer(
        [box(150, -50, 300, 200), box(600, 0, 60, 100), box(0, 0, 900, 900)],
        line_type=["生态保护红线", "永久基本农田", "城镇开发边界"],
    )
    sites = candidate_sites(
        landuse=LAND,
        control_lines=lines,
        min_area_m2=3000,
        hazards=layer([box(1150, 0)]),
        hazard_m=60,
        fixed=layer([box(210, 10)], candidate_id=["decided"]),
    )
    got = dict(zip(sites["candidate_id"], sites["reason_excluded"], strict=True))
    assert got == {
        "landuse/0": "",
        "landuse/1": "control_line",
        "landuse/2": "control_line",
        "landuse/3": "",
        "landuse/5": "hazard",
        "decided": "",
    }
    assert sites.attrs == {"considered": 6, "rejected": {"control_line": 2, "hazard": 1}}
    # Of the fourth only what the farmland leaves counts, and the site lies there.
    rest = sites.set_index("candidate_id").loc["landuse/3"]
    assert rest["area_m2"] == pytest.approx(4000)
    assert EAST + 660 <= rest["x"] <= EAST + 700
    assert sites.loc[sites["fixed"], "candidate_id"].tolist() == ["decided"]
    small = candidate_sites(landuse=LAND, control_lines=lines, min_area_m2=4500)
    assert small.attrs["rejected"] == {"control_line": 2, "area": 1}


def test_streets_are_thinned_and_steep_ones_left_out():
    network = make_network([(0, 0), (10, 0), (300, 0), (600, 0)], [(0, 1), (1, 2), (2, 3)])
    heights = np.array([0.0, 0.0, 0.0, 60.0])
    from bishan_gis.network.elevation import with_elevation

    hilly = with_elevation(network, heights)
    sites = candidate_sites(network=hilly, spacing_m=100, slope=street_slope(hilly), max_slope=0.1)
    assert len(sites) == 3
    assert sites["reason_excluded"].tolist().count("slope") == 1
    far = layer([shapely.Point(EAST + 10, NORTH + 500)])
    sites = candidate_sites(layer=far, network=network, max_snap_m=300)
    assert sites["reason_excluded"].tolist() == ["off_network"]
    with pytest.raises(InputError, match="source"):
        candidate_sites(network=network)
    with pytest.raises(InputError, match="slope"):
        candidate_sites(layer=far, max_slope=0.1)
    with pytest.raises(MissingColumnError):
        candidate_sites(landuse=far)


PEOPLE = pd.Series({"A": 30, "B": 20})
SITES = pd.DataFrame({"candidate_id": ["f", "g"]})
MATRIX = pd.DataFrame({"from_id": ["A", "B"], "to_id": ["f", "g"], "cost_s": [60.0, 90.0]})
WRONG = {
    "model": (InputError, {"model": "mcpl"}),
    "no limit": (InputError, {"sites": None}),
    "no cutoff": (InputError, {"cutoff_s": None}),
    "cutoff": (InputError, {"cutoff_s": -1}),
    "sites": (InputError, {"sites": -1}),
    "part of a site": (InputError, {"sites": 1.5}),
    "budget": (InputError, {"budget": float("nan")}),
    "fixed": (InputError, {"fixed": ["h"]}),
    "too many fixed": (InputError, {"fixed": ["f", "g"], "sites": 1}),
    "dear fixed": (InputError, {"fixed": ["f"], "budget": 0.5}),
    "levels": (InputError, {"sites": {"low": 1}}),
    "hierarchical": (InputError, {"model": "hierarchical"}),
    "k of centre": (InputError, {"model": "p_center", "k_best": 2}),
    "priority of lscp": (InputError, {"model": "lscp", "priority": pd.Series({"A": 1, "B": 2})}),
    "priority missing": (InputError, {"priority": pd.Series({"A": 1})}),
    "capacity": (InputError, {"model": "capacitated_median"}),
    "backup": (InputError, {"model": "backup", "backup_weight": 2}),
    "beyond": (InputError, {"model": "p_median", "beyond_s": 0}),
    "least": (InputError, {"model": "lscp", "least": "money"}),
    "id": (MissingColumnError, {"candidates": SITES.rename(columns={"candidate_id": "id"})}),
    "twice": (SchemaError, {"candidates": pd.concat([SITES, SITES])}),
    "cost": (SchemaError, {"candidates": SITES.assign(cost=-1)}),
    "none left": (NoDataError, {"candidates": SITES.assign(reason_excluded="area")}),
    "unknown site": (SchemaError, {"candidates": SITES.iloc[:1]}),
    "unknown home": (SchemaError, {"demand": PEOPLE.iloc[:1]}),
    "negative": (SchemaError, {"demand": -PEOPLE}),
    "weights": (SchemaError, {"weights": pd.Series({"A": 1})}),
    "existing": (SchemaError, {"existing": pd.DataFrame({"origin_id": ["A"], "value": [1.0], "status": ["reached"]})}),
    "existing column": (MissingColumnError, {"existing": pd.DataFrame({"origin_id": ["A", "B"]})}),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named(case):
    error, change = WRONG[case]
    given = {"demand": PEOPLE, "candidates": SITES, "travel_matrix": MATRIX, "sites": 1, "cutoff_s": 100} | change
    first = [given.pop(name) for name in ("demand", "candidates", "travel_matrix")]
    with pytest.raises(error) as caught:
        choose_sites(*first, **given)
    assert caught.value.zh
    assert caught.value.en


def test_inputs_stay_and_the_plan_shows_itself():
    before = [PEOPLE.copy(), SITES.copy(), MATRIX.copy()]
    plan = choose_sites(PEOPLE, SITES, MATRIX, sites=2, cutoff_s=100, weights=pd.Series({"A": 1, "B": 3}))
    for old, new in zip(before, (PEOPLE, SITES, MATRIX), strict=True):
        assert old.equals(new)
    # Weighted, B counts more; people are people.
    assert plan.sites[["candidate_id", "gain", "people_new"]].values.tolist() == [["g", 60.0, 20.0], ["f", 30.0, 30.0]]
    assert plan.curve["people_total"].tolist() == [20.0, 50.0]
    assert "optimal" in repr(plan)
    assert "<table" in plan._repr_html_()
    assert json.loads(json.dumps(plan.summary()))["n_sites"] == 2
    with pytest.raises(InputError):
        depth_weights(pd.DataFrame({"origin_id": ["A"], "value": [1.0]}), cutoff_s=0)


def test_nothing_meets_the_limits():
    plan = choose_sites(PEOPLE, SITES, MATRIX, model="lscp", sites=1, cutoff_s=100)
    assert (plan.status, len(plan.sites)) == ("infeasible", 0)
    assert plan.uncovered["reason"].tolist() == ["budget", "budget"]
    plan = choose_sites(PEOPLE, SITES, MATRIX, model="p_median", sites=1)
    assert plan.status == "infeasible"


# --- a study ------------------------------------------------------------------------------------------------------


def test_a_study_builds_where_people_lack_a_kindergarten(toy_results):
    found = study_sites(toy_results, service="kindergarten", sites=2)
    access = toy_results.access[toy_results.access["service"] == "kindergarten"].set_index("origin_id")["value"]
    people = toy_results.cells.set_index("cell_id")["people"]
    lacking = int(people[access.reindex(people.index) > 300].sum())
    assert found.facts["people_new"] + sum(found.facts["people_uncovered"].values()) == lacking
    assert found.facts["status"] == "optimal"
    assert (found.candidates["order"] > 0).sum() == 2
    more = study_sites(toy_results, service="kindergarten", sites=3)
    assert more.plan.objective >= found.plan.objective
    east = study_sites(toy_results, service="kindergarten", sites=1, zone="东融", age="0-14")
    assert east.plan.sites["direction"].tolist() == ["东融"]
    assert east.facts["people"] == 101
    for wrong in ({"zone": "东荣"}, {"age": "0-15"}, {"service": "kindergarden"}, {"model": "hierarchical"}):
        with pytest.raises(InputError):
            study_sites(toy_results, **({"service": "kindergarten"} | wrong))


def test_what_the_plan_promises_the_streets_keep(toy_results):
    from bishan_gis.access.nearest import nearest_cost
    from bishan_gis.network.costs import edge_costs, load_profile

    r = toy_results
    plan = study_sites(r, service="kindergarten", sites=3).plan
    costs = edge_costs(r.network, load_profile(r.study.walk.profile), slope=r.study.walk.slope)
    doors = r.access_points.loc[r.access_points["service"] == "kindergarten", ["facility_id", "service", "x", "y"]]
    new = plan.sites[["candidate_id", "x", "y"]].rename(columns={"candidate_id": "facility_id"})
    origins = r.cells.rename(columns={"cell_id": "origin_id"})
    served = []
    for points in (doors, pd.concat([doors, new.assign(service="kindergarten")], ignore_index=True)):
        table = nearest_cost(r.network, costs, origins, points, max_snap_m=r.study.walk.max_snap_m).table
        near = table.set_index("origin_id")["value"].reindex(r.cells["cell_id"]).to_numpy() <= 300
        served.append(int(r.cells.loc[near, "people"].sum()))
    assert served[1] - served[0] == plan.objective


def test_a_service_without_any_facility_can_be_planned(toy_results):
    found = study_sites(toy_results, service="market", model="lscp")
    assert found.facts["people_new"] > 0
    assert found.facts["people_new"] + sum(found.facts["people_uncovered"].values()) == 1501


def near_and_far(results, sites):
    """All times to some sites, however long, as a table of cells by sites [s]; infinite where there is no way."""
    from bishan_gis.access.travel_matrix import travel_matrix
    from bishan_gis.network.costs import edge_costs, load_profile

    r = results
    costs = edge_costs(r.network, load_profile(r.study.walk.profile), slope=r.study.walk.slope)
    cells = r.cells[["cell_id", "x", "y"]].rename(columns={"cell_id": "origin_id"})
    to = sites[["candidate_id", "x", "y"]].rename(columns={"candidate_id": "facility_id"})
    far = r.study.walk.max_snap_m
    table = travel_matrix(r.network, costs, pd.DataFrame(cells), pd.DataFrame(to), cutoff_s=np.inf, max_snap_m=far)
    wide = table.pivot_table(index="from_id", columns="to_id", values="cost_s", observed=True)
    return wide.reindex(r.cells["cell_id"]).fillna(np.inf)


@pytest.mark.parametrize("search_min", [1.0, 60.0])
def test_the_worst_off_are_helped_however_far_they_walk_today(toy_results, search_min):
    """One site against every single candidate tried: what a run searches first must not hide the distant ones."""
    study = toy_results.study
    study = study.model_copy(update={"reach": study.reach.model_copy(update={"search_min": search_min})})
    r = replace(toy_results, study=study)
    access = r.access[r.access["service"] == "kindergarten"].set_index("origin_id")["value"]
    now = access.reindex(r.cells["cell_id"]).to_numpy()
    people = r.cells["people"].to_numpy()
    found = study_sites(r, service="kindergarten", model="p_center", sites=1)
    usable = found.candidates[found.candidates["reason_excluded"] == ""]
    best = np.minimum(near_and_far(r, usable).to_numpy(), now[:, None])
    assert found.facts["before"] == now[people > 0].max() > found.plan.objective
    assert found.plan.objective == best[people > 0].max(axis=0).min()
    assert found.facts["helps"]
    median = study_sites(r, service="kindergarten", model="p_median", sites=1)
    assert median.plan.objective == pytest.approx((best * people[:, None]).sum(axis=0).min(), rel=1e-9)
    assert median.facts["before"] == pytest.approx((now * people).sum(), rel=1e-9)


def test_a_plan_that_helps_nobody_says_so(toy_results):
    points = toy_results.access_points
    there = points[points["service"] == "kindergarten"].iloc[0]
    beside = gpd.GeoDataFrame(geometry=[shapely.Point(there["x"], there["y"])], crs=TOY_CRS)
    found = study_sites(toy_results, service="kindergarten", model="p_center", layers={"candidates": beside})
    assert (found.facts["helps"], found.facts["objective"]) == (False, found.facts["before"])


def test_what_exists_twice_needs_no_backup(toy_results):
    """With every kindergarten there twice, the first cover is all that a site can add."""
    points = toy_results.access_points
    twin = points[points["service"] == "kindergarten"].assign(facility_id="twin")
    r = replace(toy_results, access_points=pd.concat([points, twin], ignore_index=True))
    first = study_sites(r, service="kindergarten", sites=1).plan.objective
    assert study_sites(r, service="kindergarten", model="backup", sites=1).plan.objective == first
    assert study_sites(toy_results, service="kindergarten", model="backup", sites=1).plan.objective >= first


def test_levels_are_those_by_which_gaps_are_judged(toy_results):
    from bishan_gis.planning.gaps import find_gaps
    from bishan_gis.planning.study_demand import service_levels

    targets = find_gaps(toy_results).targets.set_index("service")["level_min"]
    for one in service_levels(toy_results.study, list(toy_results.services.index)):
        assert one.level_min == targets[one.service]
    study = toy_results.study
    own = {"sets": ["gb50180"], "override": [{"id": "gb50180.kindergarten.radius", "value": 900, "reason": "x"}]}
    changed = study.model_copy(update={"standards": type(study.standards).model_validate(own)})
    assert service_levels(changed, ["pharmacy"])[0].level_min != targets["pharmacy"]
    with pytest.raises(InputError, match="no walking time"):
        study_sites(toy_results, service="fire_station")
    assert study_sites(toy_results, service="fire_station", cutoff_min=9).facts["cutoff_min"] == 9


def test_both_files_or_none(toy_results, tmp_path):
    found = study_sites(toy_results, service="kindergarten", sites=2)
    paths = write_siting(found, tmp_path)
    assert [p.name for p in paths] == ["siting_kindergarten.geojson", "siting_kindergarten.csv"]
    frame = gpd.read_file(paths[0])
    assert frame.crs.to_epsg() == 4326
    assert len(frame) == len(found.candidates)
    table = pd.read_csv(paths[1], encoding="utf-8-sig")
    assert table["order"].tolist() == [1, 2]
    assert table["candidate_id"].tolist() == found.plan.sites["candidate_id"].tolist()
    before = [p.read_bytes() for p in paths]
    write_siting(study_sites(toy_results, service="kindergarten", sites=2), tmp_path)
    assert [p.read_bytes() for p in paths] == before
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_siting(found, tmp_path / "file")


def test_the_command(tmp_path):
    write_toy_study(tmp_path / "s")
    run = CliRunner().invoke
    done = run(app, ["siting", str(tmp_path / "s"), "--service", "kindergarten", "--sites", "2", "--json"])
    assert done.exit_code == 0
    facts = json.loads(done.stdout)
    assert facts["ok"]
    assert len(facts["chosen"]) == 2
    assert (tmp_path / "s" / "data" / "processed" / "siting_kindergarten.csv").exists()
    done = run(app, ["siting", str(tmp_path / "s"), "--service", "kindergarten", "--zone", "南方", "--lang", "zh"])
    assert done.exit_code == 2
    assert "没有分区" in done.stderr
    site = facts["chosen"][0]
    assert facts["crs"] == "EPSG:4544"
    point = gpd.GeoSeries([shapely.Point(site["lon"], site["lat"])], crs=4326).to_crs(TOY_CRS).iloc[0]
    assert point.distance(shapely.Point(site["x"], site["y"])) < 0.05
    assert site["township_name"] in ("西镇", "东镇")
    assert site["place_zh"].startswith(site["township_name"])
    done = run(app, ["siting", str(tmp_path / "s"), "--service", "kindergarten", "--lang", "zh"])
    assert done.exit_code == 0
    assert "已证明最优" in done.stdout
    assert "时限内没有候选地" in done.stdout or "名额用完" in done.stdout
    assert "budget" not in done.stdout
    done = run(app, ["siting", str(tmp_path / "s"), "--service", "kindergarten", "--lang", "en"])
    assert "proven best" in done.stdout


def test_what_is_mistyped_costs_no_run(tmp_path, monkeypatch):
    import bishan_gis.stages.study_stages as stages

    file = write_toy_study(tmp_path / "s")
    monkeypatch.setattr(stages.StudyStages, "access", property(lambda _: pytest.fail("a search was made")))
    base = ["siting", str(file), "--service"]
    for wrong, word in (
        (["kindergarden"], "kindergarten"),
        (["kindergarten", "--model", "mcpl"], "mclp"),
        (["kindergarten", "--age", "0-15"], "0-14"),
        (["kindergarten", "--zone", "东荣"], "东融"),
        (["kindergarten", "--capacity", "10", "--model", "lscp"], "capacity"),
        (["kindergarten", "--model", "hierarchical"], "upper_sites"),
        (["kindergarten", "--equity", "all"], "weight"),
    ):
        done = CliRunner().invoke(app, [*base, *wrong])
        assert done.exit_code == 2, wrong
        assert word in done.stderr
    file.write_text(file.read_text(encoding="utf-8") + '[[siting.plans]]\nservice = "kindergarden"\n', "utf-8")
    with pytest.raises(InputError, match="kindergarten"):
        bg.run(file)


def test_several_services_share_a_site_and_the_plan_is_a_scenario(tmp_path):
    """What three questions in one promise, the comparison of the written scenario finds to the last person."""
    file = write_toy_study(tmp_path / "s")
    both = ["--service", "kindergarten", "--service", "pharmacy"]
    out = tmp_path / "plans" / "both.toml"
    done = CliRunner().invoke(app, ["siting", str(file), *both, "--sites", "2", "--scenario", str(out), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["levels_min"] == {"kindergarten": 5.0, "pharmacy": 8.0}
    assert (tmp_path / "s/data/processed/siting_kindergarten-pharmacy.csv").exists()
    done = CliRunner().invoke(app, ["compare", str(file), str(out), "--json"])
    assert done.exit_code == 0, done.output
    rows = pd.DataFrame(json.loads(done.stdout)["coverage"]).set_index(["service", "cutoff_min"])["people_gain"]
    assert facts["people_new"] == sum(rows.get(pair, 0) for pair in facts["levels_min"].items()) > 0


def test_capacity_equity_and_two_levels(toy_results):
    plain = study_sites(toy_results, service="kindergarten", sites=2)
    full = study_sites(toy_results, service="kindergarten", sites=2, capacity=40)
    assert full.plan.objective == full.plan.sites["people_new"].sum() == min(80, plain.plan.objective)
    assert full.plan.assignment.groupby("candidate_id")["people"].sum().max() <= 40
    left = full.facts["people_new"] + sum(full.facts["people_uncovered"].values())
    assert left == plain.facts["people_new"] + sum(plain.facts["people_uncovered"].values())
    access = toy_results.access[toy_results.access["service"] == "kindergarten"].set_index("origin_id")["value"]
    first = study_sites(toy_results, service="kindergarten", sites=1, equity="first")
    worst = access.reindex(first.plan.assignment["demand_id"]).to_numpy() >= 900

    def far(found):
        there = found.plan.assignment.set_index("demand_id")["people"]
        return there[access.reindex(there.index) >= 900].sum()

    assert worst.any()
    assert far(first) >= far(study_sites(toy_results, service="kindergarten", sites=1))
    weighted = study_sites(toy_results, service="kindergarten", sites=1, equity="weight")
    assert weighted.plan.objective >= weighted.plan.sites["people_new"].sum()
    two = study_sites(
        toy_results, service=["kindergarten", "primary_school"], model="hierarchical", sites=2, upper_sites=1
    )
    assert sorted(two.plan.sites["level"]) in (
        ["kindergarten", "primary_school"],
        ["kindergarten", "kindergarten", "primary_school"],
    )


def test_own_layers_of_the_study(toy_results, tmp_path):
    """Own candidates replace land use; fixed sites are built, hazards and forbidden ground are kept away from."""
    base = study_sites(toy_results, service="kindergarten", sites=3)
    chosen = base.plan.sites.set_index("candidate_id")
    spots = gpd.GeoDataFrame(
        {"candidate_id": ["one", "two", "three"]},
        geometry=gpd.points_from_xy(chosen["x"], chosen["y"]),
        crs=toy_results.cells.crs,
    )
    file = write_toy_study(tmp_path / "s")
    spots.to_file(tmp_path / "s" / "data" / "raw" / "spots.gpkg")
    spots.iloc[[2]].to_file(tmp_path / "s" / "data" / "raw" / "works.gpkg")
    text = file.read_text(encoding="utf-8")
    lines = '[siting]\ncandidates = { path = "spots.gpkg" }\nhazards = { path = "works.gpkg" }\nhazard_m = 1\n'
    file.write_text(text + lines, encoding="utf-8")
    layers = load_siting_layers(load_study(file))
    assert set(layers) == {"candidates", "hazards"}
    study = load_study(file)
    found = study_sites(replace(toy_results, study=study), service="kindergarten", sites=3, layers=layers)
    assert found.candidates.set_index("candidate_id")["reason_excluded"].to_dict() == {
        "one": "",
        "two": "",
        "three": "hazard",
    }
    best = study_sites(toy_results, service="kindergarten", sites=2).plan.objective
    assert 0 < found.plan.objective <= best
    done = CliRunner().invoke(app, ["siting", str(file), "--service", "kindergarten", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["layers"] == ["candidates", "hazards"]


def test_a_siting_layer_is_an_input_like_any_other(toy_results, tmp_path):
    """Its datum counts, its file is hashed and missed, and a plan rests on no more than it does."""
    from bishan_gis.datums import from_wgs84
    from bishan_gis.sources.inputs import load_inputs

    home = toy_results.cells.geometry.iloc[:3].centroid.to_crs(4326)
    shifted = gpd.GeoSeries(gpd.points_from_xy(*from_wgs84(home.x, home.y, "gcj02")), crs=4326)
    file = write_toy_study(tmp_path / "s")
    raw = tmp_path / "s" / "data" / "raw"
    gpd.GeoDataFrame(geometry=shifted).to_file(raw / "spots.geojson")
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text + '[siting.candidates]\npath = "spots.geojson"\ndatum = "gcj02"\nkind = "synthetic"\n', "utf-8"
    )
    study = load_study(file)
    spots = load_siting_layers(study)["candidates"]
    assert spots.distance(home.to_crs(TOY_CRS)).max() < 0.1
    assert dict(study.input_files())["siting.candidates"] == raw / "spots.geojson"
    data = load_inputs(study)
    assert data.files["siting.candidates"].name == "spots.geojson"
    assert "synthetic" not in data.kinds.values()
    layers = {"candidates": spots}
    assert study_sites(toy_results, service="kindergarten", layers=layers).facts["kind"] == "synthetic"
    (raw / "spots.geojson").unlink()
    with pytest.raises(MissingFileError, match=r"siting\.candidates"):
        load_inputs(study)
