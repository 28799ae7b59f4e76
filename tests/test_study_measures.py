"""Measures of the study file: what may be asked for, what comes out, and that nothing else changes."""

from __future__ import annotations

import datetime as dt
from inspect import Parameter, signature
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import EAST, NORTH, TOY_CRS, grid_network, make_network
from toy_study import write_toy_study

import bishan_gis as bg
from bishan_gis.access import decay, study_measures
from bishan_gis.access.completeness import load_required_set
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.study_measures import compute_measures, measure_function, measure_settings, zone_measures
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.crs import to_lonlat
from bishan_gis.errors import SchemaError, StudyError
from bishan_gis.measure_settings import DECAYS, Measure, load_measures
from bishan_gis.network.costs import edge_costs, load_profile

WALK = load_profile("adult")
SPEED = 4000 / 3600
NEED = {
    "cutoff_min": 10,
    "cutoffs_min": [5, 10],
    "from_min": 5,
    "to_min": 12,
    "steps_min": [5, 10],
    "weights": [1.0, 0.5],
    "decay": {"type": "linear", "cutoff_min": 12},
    "k": 2,
    "amount": 2,
    "rate_per_min": 0.1,
    "tau_min": 10,
    "required": "nexi",
}
SETS = [name for name, row in load_measures().items() if "required" in row["needs"]]


def ask(measure: str, **changes: object) -> Measure:
    given = {k: NEED[k] for k in load_measures()[measure]["needs"]}
    given |= {} if "required" in given else {"services": ["a"]}
    return Measure.model_validate({"name": "m", "measure": measure, **given, **changes})


# --- the table of measures ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(load_measures()))
def test_the_table_fits_the_functions(name: str) -> None:
    """What a measure needs here is what its function needs there; nothing is offered that it does not take."""
    row = load_measures()[name]
    assert set(row) == {"function", "needs", "may", "unit", "zh", "en"}
    if name == "nearest_cost" or name in SETS:
        return
    takes = signature(measure_function(name)).parameters
    mine = measure_settings(ask(name), [k for k in row["needs"] if k not in ("supply", "demand")])
    given = {k for k in mine if k in takes}
    assert set(mine) - given <= {"cutoff_s"}, "the cutoff may also be that of the matrix"
    needed = {k for k, p in takes.items() if p.default is Parameter.empty}
    assert needed - {"travel_matrix", "supply", "demand"} <= given
    for key in row["may"]:
        assert key.replace("_per_min", "_per_s").replace("_min", "_s") in takes
    assert ("supply" in takes) == ("supply" in row["may"])
    assert ("demand" in takes) == ("demand" in row["may"])


@pytest.mark.parametrize("name", list(DECAYS))
def test_every_decay_can_be_asked_for(name: str) -> None:
    needs, may = DECAYS[name]
    values = {"steps_min": [5, 10], "weights": [1.0, 0.5], "exponent": 2}
    given = {k: values.get(k, 3) for k in (*needs, *may)}
    m = ask("gravity", decay={"type": name, **given})
    made = measure_settings(m, ["decay"])["decay"]
    assert 0 <= made([100.0])[0] <= 1
    takes = signature(getattr(decay, name)).parameters
    assert {k.replace("_per_min", "_per_s").replace("_min", "_s") for k in (*needs, *may)} == set(takes)


def test_every_name_of_the_package_loads() -> None:
    assert [name for name in bg.__all__ if not callable(getattr(bg, name)) and name != "__version__"] == []


# --- what is wrong is said ----------------------------------------------------------------------------

MEASURE = """
[[measures]]
name = "parks"
measure = "gravity"
services = ["park"]
cutoff_min = 15
decay = { type = "exponential", rate_per_min = 0.07 }
"""


@pytest.mark.parametrize(
    ("old", "new", "zh", "en"),
    [
        ('"gravity"', '"gravitty"', "最接近的是 gravity", "the nearest is gravity"),
        ('"exponential"', '"exponental"', "最接近的是 exponential", "the nearest is exponential"),
        ("cutoff_min = 15", "", "还需要 cutoff_min", "also needs cutoff_min"),
        (
            "cutoff_min = 15",
            "cutof_min = 15",
            "未知的键 measures.0.cutof_min;最接近的是",
            "unknown key measures.0.cutof_min",
        ),
        ("cutoff_min = 15", "cutoff_min = 15\nk = 3", "不使用 k", "does not use k"),
        ("rate_per_min", "sigma_min", "还需要 rate_per_min", "decay exponential also needs rate_per_min"),
        ("cutoff_min = 15", 'cutoff_min = 15\nmode = "drive"', "需要 [drive] 一节", "needs a section [drive]"),
        ("cutoff_min = 15", 'cutoff_min = 15\ndemand = "60+"', "没有年龄组 60+;最接近的是 65+", "no age group 60+"),
        ("cutoff_min = 15", "cutoff_min = 15\noffset_min = 15", "offset_min 须小于时限", "offset_min must be below"),
        (
            "cutoff_min = 15",
            "cutoff_min = 15\ndefault_capacity = 9",
            "不使用 default_capacity",
            "does not use default_",
        ),
        ("cutoff_min = 15", "cutoff_min = -1", "measures.0.cutoff_min = -1", "measures.0.cutoff_min = -1"),
        ('services = ["park"]', "services = []", "measures.0: services", "measures.0: services"),
        ('name = "parks"', 'name = "a b"', "measures.0.name", "measures.0.name"),
        ("[[measures]]", MEASURE + "[[measures]]", "名称重复 parks", "names repeat: parks"),
    ],
)
def test_errors_of_the_study_file(tmp_path: Path, old: str, new: str, zh: str, en: str) -> None:
    file = write_toy_study(tmp_path)
    file.write_text(file.read_text(encoding="utf-8") + MEASURE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StudyError) as told:
        bg.load_study(file)
    assert zh in told.value.zh
    assert en in told.value.en


def test_a_service_that_is_not_there_and_a_profile_of_another_mode(tmp_path: Path) -> None:
    file = write_toy_study(tmp_path)
    text = file.read_text(encoding="utf-8")
    file.write_text(text + MEASURE.replace('"park"', '"parc"'), encoding="utf-8")
    with pytest.raises(StudyError, match=r"parks: parc \(park\?\)"):
        bg.run(file, write=False)
    file.write_text(text + '[drive]\nprofile = "adult"\n', encoding="utf-8")
    with pytest.raises(StudyError, match="adult is for walk"):
        bg.run(file, write=False)


# --- by hand ------------------------------------------------------------------------------------------


def _line_town(**options: object) -> pd.DataFrame:
    """Return one measure on a street of 600 m with a facility at its start, data that ends at 600 m, and an island."""
    network = make_network([(0, 0), (300, 0), (600, 0), (0, 900), (50, 900)], [(0, 1), (1, 2), (3, 4)], frontier=(2,))
    cells = pd.DataFrame(
        {
            "cell_id": ["near", "far", "edge", "island", "off"],
            "x": EAST + np.array([100.0, 400, 550, 25, 300]),
            "y": NORTH + np.array([0.0, 0, 0, 900, 400]),
            "all": [10, 20, 30, 40, 50],
        }
    )
    facilities = pd.DataFrame({"facility_id": ["f", "g"], "service": ["a", "b"], "capacity": [30.0, np.nan]})
    points = pd.DataFrame({"facility_id": ["f", "g"], "service": ["a", "b"], "x": EAST, "y": NORTH})
    m = Measure.model_validate({"name": "m", "services": ["a"], **options})
    return compute_measures(
        [m],
        {"walk": (network, edge_costs(network, WALK))},
        cells,
        facilities,
        {"walk": points},
        age_groups={"all": ["all"]},
        max_snap_m={"walk": 100.0},
    ).set_index("origin_id")


def test_statuses_by_hand() -> None:
    near = _line_town(measure="nearest_cost", cutoff_min=5)
    assert near["value"].round().to_dict() == pytest.approx(
        {"near": 90, "far": 360, "edge": 495, "island": np.nan, "off": np.nan}, nan_ok=True
    )
    expected = {"near": "reached", "far": "unknown", "edge": "unknown", "island": "unreachable", "off": "off_network"}
    assert near["status"].to_dict() == expected
    assert near["unknown_from_s"].round().tolist()[:3] == [450, 180, 45]
    shorter = _line_town(measure="nearest_cost", cutoff_min=2)
    assert shorter.loc[["far", "edge"], "status"].tolist() == ["beyond_cutoff", "unknown"]
    count = _line_town(measure="cumulative_cutoff", cutoff_min=2)
    assert count["value"].to_dict() == pytest.approx(
        {"near": 1, "far": 0, "edge": np.nan, "island": 0, "off": np.nan}, nan_ok=True
    )
    assert count["status"].tolist() == shorter["status"].tolist()
    shared = _line_town(measure="two_step", cutoff_min=6, supply="capacity")
    assert shared.loc[["near", "far"], "value"].tolist() == [1.0, 1.0], "30 places for the 30 people within 6 minutes"
    assert set(shared["unit"]) == {"places/person"}
    two = _line_town(measure="k_nearest_mean", k=2, cutoff_min=10)
    assert two.loc["near", "status"] == "unknown", "a second one may lie where the data ends"
    assert _line_town(measure="k_nearest_mean", k=2, cutoff_min=5).loc["near", "status"] == "beyond_cutoff"


def test_capacity_that_is_not_known() -> None:
    with pytest.raises(SchemaError, match="1 of 1 facilities have no capacity"):
        _line_town(measure="two_step", cutoff_min=6, supply="capacity", services=["b"])
    table = _line_town(measure="two_step", cutoff_min=6, supply="capacity", services=["b"], default_capacity=60)
    assert table.loc["near", "value"] == 2.0
    assert set(table["kind"]) == {"assumed"}


def test_fire_engines_come_the_other_way_and_turn_out_first() -> None:
    """A one-way ring of 4 x 300 m: from the station to the cell 300 m on, back 900 m."""
    network = make_network(
        [(0, 0), (300, 0), (300, 300), (0, 300)],
        [(0, 1, "", True), (1, 2, "", True), (2, 3, "", True), (3, 0, "", True)],
    )
    cells = pd.DataFrame({"cell_id": ["c"], "x": [EAST + 300.0], "y": [NORTH + 150.0], "all": [1]})
    facilities = pd.DataFrame({"facility_id": ["f"], "service": ["fire"], "capacity": [1.0]})
    points = pd.DataFrame({"facility_id": ["f"], "service": ["fire"], "x": [EAST + 150.0], "y": [NORTH]})
    given = {"services": ["fire"], "offset_min": 1, "cutoff_min": 20}
    measures = [
        Measure.model_validate({"name": f"{d}_{m}", "measure": m, "direction": d, **given, **extra})
        for d in ("to", "from")
        for m, extra in (("nearest_cost", {}), ("k_nearest_mean", {"k": 1}))
    ]
    table = compute_measures(
        measures,
        {"walk": (network, edge_costs(network, WALK))},
        cells,
        facilities,
        {"walk": points},
        age_groups={"all": ["all"]},
        max_snap_m={"walk": 100.0},
    )
    assert table["value"].tolist() == pytest.approx([60 + 900 / SPEED] * 2 + [60 + 300 / SPEED] * 2)


def test_means_over_the_people_of_a_zone() -> None:
    table = _line_town(measure="nearest_cost", cutoff_min=2).reset_index()
    cells = pd.DataFrame({"cell_id": ["near", "far", "edge", "island", "off"], "all": [10, 20, 30, 40, 50]})
    cells["town"] = ["w", "w", "e", "e", "n"]
    zones = pd.DataFrame({"zone_kind": "township", "zone_id": ["w", "e", "n"], "name": ["西", "东", "北"]})
    m = Measure.model_validate({"name": "m", "services": ["a"], "measure": "nearest_cost", "cutoff_min": 2})
    out = zone_measures(
        table, cells, zones, measures=[m], age_groups={"all": ["all"]}, member={"township": "town"}
    ).set_index("zone_id")
    assert out.loc["w", "value"] == pytest.approx((10 * 90 + 20 * 360) / 30)
    assert out["value"].isna().tolist() == [False, False, True]
    columns = ["people", "people_reached", "people_unknown", "people_valued"]
    assert out[columns].to_numpy().tolist() == [[30, 10, 0, 30], [70, 0, 30, 30], [50, 0, 50, 0]]


# --- against the functions ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in load_measures() if n not in ("nearest_cost", "cumulative_range", *SETS)])
def test_a_measure_of_the_study_is_that_of_its_function(name: str) -> None:
    network, rng = grid_network(8, seed=4, drop=0.0, oneway=0.0), np.random.default_rng(1)
    costs = edge_costs(network, WALK)
    x, y = EAST + rng.uniform(0, 700, 60), NORTH + rng.uniform(0, 700, 60)
    cells = pd.DataFrame({"cell_id": np.arange(60), "x": x, "y": y, "old": rng.integers(1, 9, 60)})
    facilities = pd.DataFrame({"facility_id": list("abcdef"), "service": list("aaabbb"), "capacity": [9.0] * 6})
    points = facilities.assign(x=x[:6], y=y[:6])
    both = ask(name, services=["a", "b"], demand="65+")
    table = compute_measures(
        [both],
        {"walk": (network, costs)},
        cells,
        facilities,
        {"walk": points},
        age_groups={"65+": ["old"]},
        max_snap_m={"walk": 300.0},
    )
    origins = cells.rename(columns={"cell_id": "origin_id"})
    matrix = travel_matrix(network, costs, origins, points, cutoff_s=both.search_min * 60)
    settings = measure_settings(both, load_measures()[name]["needs"])
    takes = signature(measure_function(name)).parameters
    settings = {k: v for k, v in settings.items() if k in takes}
    people = cells.set_index("cell_id")["old"]
    settings |= {"demand": people} if "demand" in takes else {"origins": people.index}
    settings |= {"supply": pd.Series(1.0, index=list("abcdef"))} if "supply" in takes else {}
    expected = measure_function(name)(matrix, **settings)
    np.testing.assert_array_equal(table["value"].to_numpy(), expected.to_numpy())
    assert np.isfinite(expected).sum() > 30
    assert (table["status"] == "reached").sum() == np.isfinite(expected).sum()


@pytest.mark.parametrize("name", SETS)
def test_a_set_of_required_services_is_that_of_its_function(name: str) -> None:
    network, rng = grid_network(8, seed=4, drop=0.0, oneway=0.0), np.random.default_rng(1)
    costs = edge_costs(network, WALK)
    x, y = EAST + rng.uniform(0, 700, 60), NORTH + rng.uniform(0, 700, 60)
    x[0] += 5000
    cells = pd.DataFrame({"cell_id": np.arange(60), "x": x, "y": y, "all": 1})
    services = ["market", "restaurant", "kindergarten", "hospital", "bank", "park", "library", "pub"]
    facilities = pd.DataFrame({"facility_id": list("abcdefgh"), "service": services, "capacity": 1.0})
    points = facilities.assign(x=x[1:9], y=y[1:9])
    table = compute_measures(
        [ask(name), ask("two_step", name="other", services=["market"], demand="all")],
        {"walk": (network, costs)},
        cells,
        facilities,
        {"walk": points},
        age_groups={"all": ["all"]},
        max_snap_m={"walk": 300.0},
    )
    table = table[table["measure"] == name].set_index("origin_id")
    access = nearest_cost(
        network, costs, cells.rename(columns={"cell_id": "origin_id"}), points, search_s=float("inf"), max_snap_m=300
    ).table
    wanted = load_required_set("nexi")
    more = {"cutoff_s": wanted.cutoffs_s} if name == "completeness" else {}
    expected = measure_function(name)(access, wanted.services, absent="missing", **more)
    first = expected.iloc[:, 0].where(np.isfinite(expected.iloc[:, 0])).where(expected["status"] != "off_network")
    pd.testing.assert_series_equal(table["value"], first, check_names=False, check_index_type=False)
    assert table["status"].tolist() == expected["status"].tolist()
    assert table.loc[0, "status"] == "off_network"
    assert np.isnan(table.loc[0, "value"])
    assert (name == "proximity_time") == (table["value"].notna().sum() == 0), "no mall: a mean time is not to be had"


def test_a_set_or_services_and_never_both() -> None:
    with pytest.raises(ValueError, match="leave services out"):
        ask("completeness", services=["a"])
    with pytest.raises(ValueError, match="at least one service"):
        ask("two_step", services=[])
    with pytest.raises(StudyError, match="nexi"):
        study_measures.check_services([ask("completeness", required="nexy")], [])


# --- a whole run --------------------------------------------------------------------------------------

RUN = (
    MEASURE
    + """
[[measures]]
name = "park_share"
measure = "two_step"
services = ["park"]
demand = "65+"
cutoff_min = 10
line = 0.001
[[measures]]
name = "both"
measure = "cumulative_range"
services = ["pharmacy", "kindergarten"]
mode = "cycle"
cutoffs_min = [5, 10]
[cycle]
[drive]
"""
)


def test_a_run_writes_measures_and_leaves_the_rest_as_it_is(tmp_path: Path, toy_results, monkeypatch) -> None:
    calls: list[float] = []

    def counted(*args: object, **named: object) -> pd.DataFrame:
        calls.append(named["cutoff_s"])
        return travel_matrix(*args, **named)

    monkeypatch.setattr(study_measures, "travel_matrix", counted)
    file = write_toy_study(tmp_path)
    file.write_text(file.read_text(encoding="utf-8") + RUN, encoding="utf-8")
    r = bg.run(file)
    assert calls == [900, 600], "both measures of parks on foot share one matrix, up to the longer cutoff"
    before, after = toy_results.record["outputs"], r.record["outputs"]
    new = {"tables/measures.parquet", "tables/measures_zones.csv", "tables/measures_equity.csv"}
    assert set(after) - set(before) == new
    changed = {k for k in before if before[k] != after[k]}
    # The policy on the scorecard names what a network of streets for cars lets it evaluate.
    assert changed <= {"tables/dictionary.csv", "maps/scorecard.html"}
    assert set(r.networks) == {"walk", "cycle", "drive"}
    assert r.record["modes"]["drive"]["profile"] == "car"
    table = pd.read_parquet(r.study.processed / "measures.parquet")
    assert len(table) == 4 * len(r.cells)
    pd.testing.assert_frame_equal(table, r.measures)
    zones = pd.read_csv(r.study.processed / "measures_zones.csv", encoding="utf-8-sig")
    assert len(zones) == 4 * len(r.zones)
    sums = zones.groupby(["measure_name", "cutoff_s", "zone_kind"])[["people", "people_reached"]].sum()
    spread = sums.groupby(level=[0, 1]).agg(["min", "max"])
    assert (spread.xs("min", axis=1, level=1) == spread.xs("max", axis=1, level=1)).all(axis=None)
    assert set(zones.loc[zones["zone_kind"] == "direction", "kind"]) == {"assumed"}
    described = pd.read_csv(r.study.processed / "dictionary.csv").set_index("file")
    even = pd.read_csv(r.study.processed / "measures_equity.csv", encoding="utf-8-sig", keep_default_na=False)
    one = table[table["measure_name"] == "park_share"].set_index("origin_id")["value"].dropna()
    old = r.cells.set_index("cell_id").loc[one.index, "65+"]
    mine = even[(even["measure_name"] == "park_share") & (even["age_group"] == "65+")].set_index(["zones", "index"])
    assert float(mine.loc[("", "gini"), "value"]) == pytest.approx(bg.gini(one, old))
    parts = [float(mine.loc[("township", f"theil_{part}"), "value"]) for part in ("between", "within")]
    assert sum(parts) == pytest.approx(float(mine.loc[("", "theil_t"), "value"]))
    assert int(mine.loc[("", "gini"), "people_valued"]) == old.sum()
    poor = even[(even["measure_name"] == "park_share") & (even["index"] == "poverty_share")].set_index("age_group")
    assert float(poor.loc["65+", "value"]) == pytest.approx(old[one < 0.001].sum() / old.sum())
    for name, frame in (("measures.parquet", table), ("measures_zones.csv", zones), ("measures_equity.csv", even)):
        assert set(described.loc[name, "column"]) == set(frame.columns)
        assert not described.loc[name, "meaning_en"].eq("a column of the input file").any()
    assert described.loc["access.parquet"].set_index("column").loc["value", "unit"] == "s"
    page = r.explore("parks", limit=100_000).get_root().render()
    assert "value" in page
    with pytest.raises(ValueError, match="park_share"):
        r.explore("parcs")


def test_check_says_what_the_modes_hold(tmp_path: Path) -> None:
    from bishan_gis.info import check_study, describe

    file = write_toy_study(tmp_path)
    file.write_text(file.read_text(encoding="utf-8") + RUN, encoding="utf-8")
    facts = check_study(bg.load_study(file))
    assert facts["measures"] == 3
    assert facts["drive"]["length_km"] == facts["network"]["length_km"]
    assert facts["drive"]["speed_class_km"] == pytest.approx(facts["drive"]["length_km"], abs=0.01)
    assert describe(file)["modes"] == {"walk": "adult", "cycle": "cyclist", "drive": "car"}
    net = bg.run(file, write=False).networks["drive"].save(tmp_path / "cars.bgnet")
    assert describe(net)["mode"] == "drive"
    assert "slope" not in describe(net)  # no heights


def test_slopes_are_said_for_every_mode_and_limits_without_heights_warned_of(tmp_path: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    from bishan_gis.info import check_study, describe

    file = write_toy_study(tmp_path)
    text = file.read_text(encoding="utf-8") + '[walk]\nprofile = "wheelchair"\n'
    file.write_text(text, encoding="utf-8")
    facts = check_study(bg.load_study(file))
    assert facts["slope"]["limit_not_applied_km"] == facts["network"]["length_km"] > 0
    assert any("8.34%" in w and "wheelchair" in w for w in facts["warnings"])
    results = bg.run(file, write=False)
    assert any("its limit of 8.34% is not applied" in en for _, en in results.warnings)
    assert describe(file)["slope"] == {"walk": {"function": "none", "max_slope": 0.0834, "max_descent": 0.0834}}

    # a plain that rises 5 % to the east
    west, north = (float(v[0]) for v in to_lonlat([EAST - 500], [NORTH + 1500], TOY_CRS))
    rise = np.tile(np.arange(60, dtype="float32") * 0.0005 * 96_500 * 0.05, (60, 1))
    with rasterio.open(
        file.parent / "data/raw/dem.tif",
        "w",
        driver="GTiff",
        height=60,
        width=60,
        count=1,
        dtype="float32",
        crs="EPSG:4326",
        transform=from_origin(west, north, 0.0005, 0.0005),
    ) as out:
        out.write(rise, 1)
    text = text.replace("[inputs.district]", 'elevation = "dem.tif"\n[inputs.district]', 1)
    file.write_text(text + '[cycle]\nslope = "cycling"\n[drive]\n', encoding="utf-8")
    facts = check_study(bg.load_study(file))
    assert facts["slope"]["limit_not_applied_km"] == 0
    assert not any("wheelchair" in w for w in facts["warnings"])
    assert facts["cycle"]["slope"]["speed_up_kmh"] < 13.5 < facts["cycle"]["slope"]["speed_down_kmh"]
    assert "slope" not in facts["drive"]
    results = bg.run(file, findings=False)
    said = describe(file)["slope"]
    assert said["cycle"]["last_run"] == facts["cycle"]["slope"]
    assert said["walk"]["last_run"] == facts["slope"]
    assert said["drive"] == {"function": "none"}
    net = describe(results.networks["cycle"].save(tmp_path / "cycle.bgnet"))
    assert net["slope"]["known_share"] == 1
    assert net["slope"]["share_by_class"]["2-5%"] + net["slope"]["share_by_class"]["5-8.34%"] > 0.4


def test_walkers_wait_where_the_study_says_so(tmp_path: Path) -> None:
    from bishan_gis.cache import Store
    from bishan_gis.stages.study_stages import StudyStages

    file = write_toy_study(tmp_path)
    raw = file.parent / "data/raw/streets.osm"
    # signals on the third crossing of the second street (300 m, 150 m), a zebra on the next one to the east
    for number, tags in ((16, 'k="highway" v="traffic_signals"'), (17, 'k="highway" v="crossing"')):
        text = raw.read_text(encoding="utf-8")
        at = text.index(f'<node id="{number}" ')
        end = text.index("/>", at)
        raw.write_text(f"{text[:end]}><tag {tags}/></node>{text[end + 2 :]}", encoding="utf-8")
    plain = bg.run(file, write=False)
    assert plain.network.node_control is None
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "[walk]\nwaits = true\n", encoding="utf-8")
    study = bg.load_study(file)
    waits = bg.run(study, write=False)
    costs = edge_costs(waits.network, WALK)
    assert sorted(costs.delay_ms[costs.delay_ms > 0].tolist()) == [3_000, 20_000]
    by = ["origin_id", "service"]
    more = waits.access.set_index(by)["value"] - plain.access.set_index(by)["value"]
    assert sorted(more.dropna().round(3).unique().tolist())[0] == 0
    assert {3.0, 20.0} <= set(more.dropna().round(3))
    assert more.max() <= 23.001
    with Store(tmp_path / "store", code="1") as store:
        kept = StudyStages(study, store).access.set_index(by)["value"]
    pd.testing.assert_series_equal(kept.sort_index(), waits.access.set_index(by)["value"].sort_index())


def test_a_measure_at_a_time_counts_what_is_open_then() -> None:
    """At 100 m a facility that is shut in the evening, at 300 m one of unknown hours, at 500 m one always open."""
    network = make_network([(0, 0), (1000, 0)], [(0, 1)])
    cells = pd.DataFrame({"cell_id": ["c"], "x": [EAST], "y": [NORTH], "all": [10]})
    facilities = pd.DataFrame({"facility_id": ["near", "far", "maybe"], "service": "a", "capacity": 1.0})
    facilities["opening_hours"] = ["08:00-18:00", "24/7", ""]
    points = facilities[["facility_id", "service"]].assign(x=EAST + np.array([100.0, 500, 300]), y=NORTH)
    same: dict[str, object] = {"services": ["a"], "cutoff_min": 60}
    wanted = [
        {"name": "always"},
        {"name": "noon", "at": "2026-11-25T12:00"},
        {"name": "evening", "at": "2026-11-25T19:00"},
        {"name": "surely", "at": "2026-11-25T19:00", "unknown_hours": "drop"},
        {"name": "many", "at": "2026-11-25T19:00", "measure": "cumulative_cutoff"},
    ]
    table = compute_measures(
        [Measure.model_validate({"measure": "nearest_cost", **same, **one}) for one in wanted],
        {"walk": (network, edge_costs(network, WALK))},
        cells,
        facilities,
        {"walk": points},
        age_groups={"all": ["all"]},
        max_snap_m={"walk": 100.0},
    )
    values = table.set_index("measure_name")["value"]
    assert values[["always", "noon", "evening", "surely"]].tolist() == pytest.approx([90, 90, 270, 450])
    assert values["many"] == 2
    kinds = table.set_index("measure_name")["kind"].to_dict()
    assert kinds == {"always": "observed", "noon": "assumed", "evening": "assumed", "surely": "observed"} | {
        "many": "assumed"
    }
    said = dict(zip(["noon", "evening", "many", "surely"], [en for _, en in table.attrs["notes"]], strict=True))
    assert said["evening"].endswith("19:00 1 open, 1 closed (left out), 1 of unknown hours (counted)")
    assert said["surely"].endswith("1 of unknown hours (left out)")
    with pytest.raises(ValueError, match="with at"):
        Measure.model_validate({"name": "m", "measure": "nearest_cost", **same, "unknown_hours": "drop"})
    # A day would be its midnight, when all is closed, and a number 1970.
    for when in ("2026-11-25", dt.date(2026, 11, 25), 19):
        with pytest.raises(ValueError, match="a date and a time of day, such as 2026-11-25T19:00; it is"):
            Measure.model_validate({"name": "m", "measure": "nearest_cost", **same, "at": when})
    with pytest.raises(StudyError, match="nothing is left"):
        compute_measures(
            [Measure.model_validate({**same, **wanted[3], "measure": "nearest_cost"})],
            {"walk": (network, edge_costs(network, WALK))},
            cells,
            facilities.iloc[[0]],
            {"walk": points},
            age_groups={"all": ["all"]},
            max_snap_m={"walk": 100.0},
        )


def test_a_measure_may_be_of_another_traveller(tmp_path: Path) -> None:
    file = write_toy_study(tmp_path)
    extra = """
[drive]
[[measures]]
name = "adults"
measure = "nearest_cost"
services = ["pharmacy"]
cutoff_min = 15
[[measures]]
name = "old"
measure = "nearest_cost"
services = ["pharmacy"]
cutoff_min = 15
demand = "65+"
profile = "elderly"
"""
    plain = file.read_text(encoding="utf-8")
    file.write_text(plain + extra, encoding="utf-8")
    results = bg.run(file, write=False)
    wide = results.measures.pivot_table(index="origin_id", columns="measure_name", values="value")
    # 4.0 km/h against 3.3, every metre of the way and no steps anywhere
    assert (wide["old"] / wide["adults"]).dropna().to_numpy() == pytest.approx(4.0 / 3.3, rel=1e-4)
    near = results.access[results.access["service"] == "pharmacy"].set_index("origin_id")["value"]
    assert (wide["adults"] == near.reindex(wide.index)).all()
    zones = results.zone_measures.set_index(["measure_name", "zone_kind"]).sort_index()
    old = zones.loc[("old", "district")]
    assert (old["profile"], zones.loc[("adults", "district"), "profile"]) == ("elderly", "adult")
    people = results.cells.set_index("cell_id")["65+"]
    assert old["people_reached"] == people[wide.index[wide["old"] <= 900]].sum()
    assert old["people_reached"] < people[wide.index[wide["adults"] <= 900]].sum()
    for change, said in (("cyclist", "is for cycle"), ("eldrly", "elderly")):
        file.write_text(plain + extra.replace('"elderly"', f'"{change}"'), encoding="utf-8")
        with pytest.raises(StudyError, match=said):
            bg.run(file, write=False)
    cars = extra.replace('demand = "65+"', 'mode = "drive"').replace("elderly", "fire_engine")
    file.write_text(plain + cars, encoding="utf-8")
    with pytest.raises(StudyError, match="other rules"):
        bg.run(file, write=False)
