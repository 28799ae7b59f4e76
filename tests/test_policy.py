"""The policy as a catalogue: all 65 elements on a toy town and on the embedded study, and bad catalogues."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from toy import EAST, NORTH
from toy_study import write_toy_study
from typer.testing import CliRunner

import bishan_gis as bg
from bishan_gis.cli import app
from bishan_gis.errors import SchemaError, StudyError
from bishan_gis.network.graph import Network
from bishan_gis.output.policy_table import policy_records, policy_table
from bishan_gis.planning.drive_reach import Trip, ground_reached
from bishan_gis.planning.indicators import evaluate_indicators
from bishan_gis.planning.policy import COLUMNS, evaluate_policy, load_coverage, load_policy
from bishan_gis.planning.policy_measures import (
    assign_tiers,
    direction_figures,
    neighbourhood_hubs,
    nesting_check,
    rank_size,
    scorecard,
)
from bishan_gis.planning.standards import load_standards, service_targets

#: Elements a study with facilities, people, streets, control lines and [drive] can answer.
EVALUATED = [1, 2, 3, 8, 9, 15, 29, 32, 33, 35, 36, 37, 38, 42, 43, 45, 46, 52, 53, 54, 58, 61, 62, 64]


# --- the catalogue --------------------------------------------------------------------------------------


def test_the_catalogue_is_complete() -> None:
    rows = load_policy()
    assert rows["number"].tolist() == list(range(1, 66))
    assert rows.loc[rows["rule"] != "layer", "number"].tolist() == EVALUATED
    known = set(load_standards()["id"])
    assert {i for text in rows["indicators"] for i in text.split()} <= known


def test_bad_catalogues(tmp_path, toy_results) -> None:
    good = dict.fromkeys(COLUMNS, "x") | {"number": "1", "rule": "layer", "indicators": ""}
    file = tmp_path / "policy.csv"
    rows = [good, good | {"rule": "direction"}, good | {"number": "2", "rule": "indicators", "needs": ""}]
    pd.DataFrame(rows).to_csv(file, index=False)
    with pytest.raises(SchemaError, match="4 problems") as err:
        load_policy(file)
    for said in (
        "'1' is not unique",
        "unknown rule 'direction'; the nearest is directions",
        "indicators is empty",
        "needs is empty",
    ):
        assert said in err.value.en
    pd.DataFrame([good | {"rule": "indicators", "indicators": "no.such"}]).to_csv(file, index=False)
    with pytest.raises(SchemaError, match=r"no\.such"):
        evaluate_policy(toy_results, catalogue=load_policy(file))


# --- measures by hand -----------------------------------------------------------------------------------


def test_rank_size_is_zipf() -> None:
    people = pd.Series({f"t{k:02d}": 1e6 / k for k in range(1, 16)})
    table = rank_size(people.sample(frac=1, random_state=1))
    assert table["slope"].iloc[0] == pytest.approx(1.0)
    assert table["primacy"].iloc[0] == pytest.approx(2.0)
    assert table.index.tolist() == people.index.tolist()


def test_tiers() -> None:
    people = pd.Series({"a": 40, "b": 30, "c": 20, "d": 6, "e": 4})
    # a is below half, a and b are above: both are core; the mean of c, d, e is 10.
    assert assign_tiers(people).tolist() == ["core", "core", "centre", "town", "town"]
    own = {"核心": ["a"], "镇": ["b", "c", "d", "e"]}
    assert assign_tiers(people, own).tolist() == ["核心", "镇", "镇", "镇", "镇"]
    with pytest.raises(StudyError) as err:
        assign_tiers(people, {"核心": ["a", "f"], "镇": ["a", "b", "c", "d"]})
    for said in ("no f", "a is in two tiers", "without a tier: e"):
        assert said in err.value.en


def test_hubs() -> None:
    """Exactly at the distance counts; one service twice is one function."""
    places = pd.DataFrame(
        [
            ("h1", "hub", 0, 0),
            ("h2", "hub", 900, 0),
            ("a", "care", 100, 0),
            ("b", "care", 0, 50),
            ("c", "meal", 0, 101),
        ],
        columns=["facility_id", "service", "x", "y"],
    ).assign(name="")
    out = neighbourhood_hubs(places, anchor="hub", functions={"care": ["care"], "meals": ["meal"]}, within_m=100)
    assert out["functions"].tolist() == ["care", ""]
    assert neighbourhood_hubs(places, anchor="none", functions={"care": ["care"]}).empty


def test_scorecard_and_its_change(toy_results, tmp_path) -> None:
    targets = service_targets(load_standards(), services=toy_results.services)
    now = scorecard(toy_results.coverage, targets)
    rows = toy_results.coverage.query("zone_kind == 'township' and age_group == 'all'")
    level = {"kindergarten": 5, "primary_school": 10, "park": 5, "bus_stop": 10, "pharmacy": 8}
    for zone, row in now.iterrows():
        mine = rows[rows["zone_id"] == zone].set_index(["service", "cutoff_min"])
        shares = [mine.loc[(s, m), "people_covered"] / mine.loc[(s, m), "people"] for s, m in level.items()]
        assert row["score"] == pytest.approx(100 * np.mean(shares))
    assert sorted(now["rank"]) == [1, 2]
    assert now["score"].is_monotonic_decreasing
    # One definition: the score of element 64 is the completeness of element 36, pharmacies at 8 minutes included.
    policy = evaluate_policy(toy_results).set_index("number")
    assert policy.loc[64, "value"] == pytest.approx(100 * policy.loc[36, "value"])
    assert "5 services" in policy.loc[36, "said_en"]
    assert "5 services" in policy.loc[64, "said_en"]
    # Nobody reached anything before: the change is the whole score, and both were first.
    before = toy_results.coverage.assign(people_covered=0)
    before.to_csv(tmp_path / "coverage.csv", index=False)
    changed = scorecard(toy_results.coverage, targets, load_coverage(tmp_path))
    assert changed["change"].tolist() == pytest.approx(changed["score"].tolist())
    assert changed[["rank_before", "rank_change", "compared"]].to_numpy().tolist() == [[1, 0, 5], [1, -1, 5]]
    # What an earlier run did not have is compared with nothing; no change is no "-0.0".
    less = toy_results.coverage[toy_results.coverage["service"] != "park"]
    same = scorecard(toy_results.coverage, targets, less)
    assert (same["change"] == 0).all()
    assert not np.signbit(same["change"]).any()
    assert same["compared"].tolist() == [4, 4]
    said = (
        evaluate_policy(toy_results, previous=before[before["service"] != "park"])
        .set_index("number")
        .loc[64, "said_en"]
    )
    assert "changes over the 4 services that both runs have; 1 " in said
    assert "(rank 1 before, down 1, score +" in said
    (tmp_path / "coverage.csv").write_text(before.to_csv(index=False).replace(",5.0,", ",five,"), encoding="utf-8")
    with pytest.raises(SchemaError, match="cutoff_min"):
        load_coverage(tmp_path)


def test_directions_and_nesting(toy_results) -> None:
    table = direction_figures(toy_results).set_index("zone_id")
    assert table.loc["西拓", "people"] == 1000
    assert table.loc["东融", "people_share"] == pytest.approx(501 / 1501)
    assert table.loc["西拓", "area_km2"] == pytest.approx(1.0 * 1.1, rel=1e-3)
    check = nesting_check(toy_results)
    assert check["units"].tolist() == [1, 2, 2]
    assert check["people"].tolist() == [1501] * 3
    assert check["area_difference_share"].abs().max() < 1e-4
    assert check["outside_share"].max() < 1e-4
    assert check.loc["township", ["people_least", "people_most"]].tolist() == [501, 1000]


def _square(west: float, south: float, side: float):
    return shapely.box(west, south, west + side, south + side)


def test_ground_reached_by_fire_engines() -> None:
    """A street along y = 0 driven at 50 km/h, yards at 10 km/h, one minute of turn-out: five minutes by hand."""
    street = gpd.GeoDataFrame({"speed_kmh": [50.0]}, geometry=[shapely.LineString([(0, 0), (4000, 0)])], crs=4544)
    zones = pd.DataFrame({"zone_kind": ["district", "township"], "zone_id": ["d", "t"]})
    zones["geometry"] = [shapely.box(0, -500, 4000, 500), shapely.box(3000, -500, 4000, 500)]
    points = pd.DataFrame({"facility_id": ["f"], "service": ["fire_station"], "x": [0.0], "y": [0.0]})
    study = SimpleNamespace(modes={"drive": SimpleNamespace(profile="fire_engine", slope=None, max_snap_m=300.0)})
    networks = {"drive": Network.from_edges(street, mode="drive")}
    run = SimpleNamespace(networks=networks, access_points=points, study=study)
    sums = SimpleNamespace(zones=zones, results=run, kept={"ground": {}})
    trip = Trip("fire_station", 5, direction="from", turnout_min=1)
    reached, unsure, whole = ground_reached(sums, trip)
    x, y = (np.arange(40) + 0.5) * 100, (np.arange(10) - 4.5) * 100
    seconds = 60 + x[:, None] / (50 / 3.6) + np.abs(y)[None] / (10 / 3.6)
    inside = (seconds <= 300) & (np.abs(y)[None] <= 300)
    assert reached.tolist() == pytest.approx([inside.sum() / 100, inside[30:].sum() / 100])
    assert whole.tolist() == [4.0, 1.0]
    assert (unsure == 0).all()
    assert 0 < reached[0] < whole[0]


def test_land_by_hand(toy_results) -> None:
    """Two hectares of homes and one of works inside the line, one of homesteads outside, all in fields and woods."""
    west, south = EAST + 100.0, NORTH + 100.0
    kinds = ["0701", "0701", "1001", "0703", "0101", "0301"]
    shapes = [_square(west + 150 * i, south, 100) for i in range(6)]
    land = gpd.GeoDataFrame({"code": kinds, "kind": "observed"}, geometry=shapes, crs=toy_results.cells.crs)
    lines = gpd.GeoDataFrame(
        {"line_type": ["城镇开发边界", "生态保护红线"], "kind": "observed"},
        geometry=[
            shapely.box(west, south, west + 449, south + 100),
            shapely.box(west + 400, south, west + 900, south + 50),
        ],
        crs=land.crs,
    )
    out = evaluate_policy(replace(toy_results, landuse=land, control_lines=lines)).set_index("number")
    assert out.loc[1, "value"] == pytest.approx(1 / 6)
    assert "0.5 ha of built land inside the line 生态保护红线" in out.loc[1, "said_en"]
    assert out.loc[2, "value"] == pytest.approx(1 / 3)
    assert out.loc[15, ["value", "unit"]].tolist() == [pytest.approx(1.0), "ha"]
    assert "2.5" not in out.loc[52, "said_en"]
    assert out.loc[52, "value"] == pytest.approx(2.5e4 / 2.0e6, rel=0.2)
    ids = [
        "tdt1063.built_in_boundary",
        "tdt1063.jobs_homes",
        "tdt1063.arable",
        "tdt1063.wetland",
        "tdt1063.industry_share",
    ]
    rows = evaluate_indicators(replace(toy_results, landuse=land, control_lines=lines), ids=ids)
    town = rows[rows["zone_kind"] == "district"].set_index("id")
    assert town["value"].loc[ids[:3]].tolist() == pytest.approx([3, 1 / 3, 1])
    assert town.loc["tdt1063.industry_share", "value"] == pytest.approx(1 / 4)
    assert "no class 05" in town.loc["tdt1063.wetland", "note_en"]
    by_town = rows[(rows["id"] == "tdt1063.arable") & (rows["zone_kind"] == "township")]
    assert by_town["value"].sum() == pytest.approx(1)
    # The stop has one of the two blocks of homes and not the other.
    run = replace(toy_results, landuse=land.iloc[[0, 1]], control_lines=None)
    stop = run.facilities.iloc[[0]].assign(service="bus_stop", x=west + 50, y=south + 50)
    rows = evaluate_indicators(
        replace(run, facilities=stop), load_standards().assign(value=80), ids=["transit.stop500"]
    )
    assert rows.loc[rows["zone_kind"] == "district", "value"].item() == pytest.approx(0.5)
    assert rows["note_en"].iloc[0].startswith("of built land")


# --- the whole ------------------------------------------------------------------------------------------


def test_policy_of_the_toy_town(toy_results) -> None:
    out = evaluate_policy(toy_results)
    assert out["number"].tolist() == list(range(1, 66))
    assert set(out["state"]) == {"evaluated", "not_evaluated"}
    done = out[out["state"] == "evaluated"].set_index("number")
    assert done.index.tolist() == [3, 8, 9, 35, 36, 42, 45, 46, 53, 54, 61, 62, 64]
    assert done["value"].notna().all()
    assert done["tag"].isin(["S", "K", "P"]).all()
    assert done["kind"].isin(["observed", "derived", "assumed", "synthetic"]).all()
    assert done.loc[3, "value"] == 2
    assert done.loc[8, "said_zh"] == "2 个街镇, 首位 西镇 1,000 人, 首位度 2.00, 位序-规模斜率 1.00"
    assert done.loc[61, ["value", "verdict"]].tolist() == [750.5, "met"]
    # There is green enough, and no comprehensive park: what decides stands first.
    assert done.loc[54, ["value", "verdict"]].tolist() == [0, "not_met"]
    assert "11.2" in done.loc[54, "said_zh"]
    left = out[out["state"] == "not_evaluated"].set_index("number")
    assert (left["verdict"] == "").all()
    assert (left[["needs", "how_to_provide_zh", "how_to_provide_en", "said_zh", "said_en"]] != "").all(axis=None)
    assert "needs [drive]" in left.loc[29, "said_en"] or "no facilities of fire_station" in left.loc[29, "said_en"]
    records = policy_records(out)
    assert len(records) == 65
    json.dumps(records, allow_nan=False)
    for lang in ("zh", "en"):
        assert policy_table(out, title="玩具区", lang=lang).row_count == 65


def test_a_standard_left_out_is_named(toy_results) -> None:
    out = evaluate_policy(toy_results, standards=load_standards(sets=["gb50180"])).set_index("number")
    assert out.loc[54, "state"] == "not_evaluated"
    assert "leaves out gb55014.green" in out.loc[54, "said_en"]
    assert out.loc[46, "indicator_en"] == "primary school", "what is left of the list still counts"


def test_tiers_of_a_study_must_fit(toy_results) -> None:
    policy = toy_results.study.policy.model_copy(update={"tiers": {"核心": ["西镇"]}})
    study = toy_results.study.model_copy(update={"policy": policy})
    with pytest.raises(StudyError, match="without a tier: 东镇"):
        evaluate_policy(replace(toy_results, study=study))


def test_the_command(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path / "s").parent
    done = CliRunner().invoke(app, ["policy", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert [r["number"] for r in said] == list(range(1, 66))
    assert not (folder / "data" / "processed").exists(), "nothing is written"
    shown = CliRunner().invoke(app, ["policy", str(folder), "--lang", "en"])
    assert shown.exit_code == 0
    bad = CliRunner().invoke(app, ["policy", str(folder), "--json", "--since", str(tmp_path / "none.csv")])
    assert bad.exit_code == 2
    assert json.loads(bad.stdout)["error"] == "MissingFileError"


def test_policy_of_the_embedded_study(bishan_results) -> None:
    out = evaluate_policy(bishan_results)
    assert out["number"].tolist() == list(range(1, 66))
    done = out[out["state"] == "evaluated"]
    assert done["number"].tolist() == EVALUATED
    assert set(done["kind"]) <= {"synthetic", "assumed", "derived"}, "no figure of this study is observed throughout"
    assert done.set_index("number").loc[3, "value"] == 5
    people = direction_figures(bishan_results)
    assert people.loc[people["zone_kind"] == "direction", "people"].sum() == people["people"].iloc[0]
    assert bg.load_study(bishan_results.study.file).policy.tiers == {}
