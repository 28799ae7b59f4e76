"""Completeness, the 15-minute index and mix: by hand, by property, against brute force and scipy."""

from __future__ import annotations

from functools import partial

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from shapely import box

from bishan_gis.access import completeness as comp
from bishan_gis.access import decay, diversity, equity, equity_groups
from bishan_gis.access import fifteen_minutes as fifteen
from bishan_gis.errors import (
    BishanGisError,
    BrokenFileError,
    CrsError,
    InputError,
    MissingColumnError,
    MissingFileError,
    NoDataError,
    SchemaError,
    StudyError,
)
from bishan_gis.places.classes import load_classes

NAN, INF = np.nan, np.inf
# A: everything known. B: may leave after 600 s. C: off the network. D: an island without a clinic.
ACCESS = pd.DataFrame(
    [
        ("A", "school", 300, "reached", NAN),
        ("A", "clinic", 1200, "reached", NAN),
        ("B", "school", 500, "reached", 600),
        ("B", "clinic", NAN, "unknown", 600),
        ("C", "school", NAN, "off_network", NAN),
        ("C", "clinic", NAN, "off_network", NAN),
        ("D", "school", 900, "reached", NAN),
        ("D", "clinic", NAN, "unreachable", NAN),
    ],
    columns=["origin_id", "service", "value", "status", "unknown_from_s"],
)
BOTH = ["school", "clinic"]


def test_completeness_by_hand():
    table = comp.completeness(ACCESS, BOTH, cutoff_s=900)
    assert table["completeness_low"].tolist() == [0.5, 0.5, 0, 0.5]
    assert table["completeness_high"].tolist() == [0.5, 1, 1, 0.5]
    assert table["status"].tolist() == ["beyond_cutoff", "unknown", "off_network", "beyond_cutoff"]
    assert table[["n_reached", "n_missing", "n_unknown"]].to_numpy().tolist() == [
        [1, 1, 0],
        [1, 0, 1],
        [0, 0, 2],
        [1, 1, 0],
    ]
    # Nothing can be left before 600 s: what is not reached by then is certainly missing.
    assert comp.completeness(ACCESS, BOTH, cutoff_s=599).loc["B", "status"] == "beyond_cutoff"
    assert comp.completeness(ACCESS, ["clinic"], cutoff_s=900)["status"].tolist() == [
        "beyond_cutoff",
        "unknown",
        "off_network",
        "unreachable",
    ]
    # One cutoff and weight each; any service of a category will do.
    own = comp.completeness(ACCESS, BOTH, cutoff_s={"school": 299, "clinic": 1200}, weights={"school": 1, "clinic": 3})
    assert own.loc["A", "completeness_low"] == 0.75
    assert comp.completeness(ACCESS, {"any": BOTH}, cutoff_s=900)["completeness_low"].tolist() == [1, 1, 0, 1]
    missing = comp.missing_services(ACCESS, BOTH, cutoff_s=900)
    assert missing[["origin_id", "category", "status"]].to_numpy().tolist() == [
        ["A", "clinic", "beyond_cutoff"],
        ["B", "clinic", "unknown"],
        ["C", "school", "off_network"],
        ["C", "clinic", "off_network"],
        ["D", "clinic", "unreachable"],
    ]
    # A district without any library: nobody has one, unless it may lie outside.
    with pytest.raises(SchemaError, match="library"):
        comp.completeness(ACCESS, ["school", "library"], cutoff_s=900)
    none = comp.completeness(ACCESS, ["library"], cutoff_s=900, absent="missing")
    assert none["status"].tolist() == ["unreachable", "unknown", "off_network", "unreachable"]


def test_proximity_and_index_by_hand():
    time = fifteen.proximity_time(ACCESS, BOTH)
    assert time["mean_s"].tolist() == [750, INF, INF, INF]
    assert time["mean_least_s"].tolist() == [750, 550, 0, INF]
    assert time["max_s"].tolist() == [1200, INF, INF, INF]
    assert time["status"].tolist() == ["reached", "unknown", "off_network", "unreachable"]
    # f(300) = 1, f(1200) = 0.4, f(500) = 1300/1500, f(600) = 0.8, f(900) = 0.6
    index = fifteen.fifteen_minute_index(ACCESS, BOTH)
    np.testing.assert_allclose(index["index_low"], [70, 130 / 3, 0, 30])
    np.testing.assert_allclose(index["index_high"], [70, 130 / 3 + 40, 100, 30])
    assert index["status"].tolist() == ["reached", "unknown", "off_network", "unreachable"]
    sharp = fifteen.fifteen_minute_index(ACCESS, BOTH, decay=decay.binary(cutoff_s=900))
    share = comp.completeness(ACCESS, BOTH, cutoff_s=900)
    np.testing.assert_allclose(sharp["index_low"], 100 * share["completeness_low"])
    np.testing.assert_allclose(sharp["index_high"], 100 * share["completeness_high"])
    people = pd.Series({"D": 10, "A": 30, "B": 0, "C": 0})
    mean = fifteen.mean_by_zone(time, people, zones=pd.Series({"A": "x", "B": "x", "C": "y", "D": "z"}))
    assert mean.index.tolist() == ["x", "y", "z", "all"]
    assert mean["mean_s"].tolist()[::2] == [750, INF]
    assert np.isnan(mean.loc["y", "mean_s"])
    assert mean.loc["all", "mean_s"] == INF
    np.testing.assert_allclose(fifteen.mean_by_zone(index, people).loc["all", "index_low"], 60)


SECONDS = st.one_of(st.just(NAN), st.integers(0, 2000).map(float))


@st.composite
def access_tables(draw):
    n, services = draw(st.integers(1, 5)), ["a", "b", "c"]
    rows = []
    for i in range(n):
        leave, off = draw(SECONDS), draw(st.booleans())
        for service in services:
            value = NAN if off else draw(SECONDS)
            status = "off_network" if off else "reached" if value == value else "unknown"
            rows.append((f"o{i}", service, value, status, NAN if off else leave))
    return pd.DataFrame(rows, columns=ACCESS.columns).sample(frac=1, random_state=draw(st.integers(0, 99)))


@settings(max_examples=60, deadline=None)
@given(access_tables(), st.integers(1, 1500), st.integers(1, 500))
def test_bounds(access, cutoff, more):
    """What more data can do stays within the bounds; a longer cutoff never lowers what is reached."""
    required, weights = {"x": ["a", "b"], "y": ["c"]}, {"x": 2.0, "y": 1.0}
    run = partial(comp.completeness, required=required, weights=weights)
    table = run(access, cutoff_s=cutoff)
    assert (table["completeness_low"] <= table["completeness_high"]).all()
    assert (run(access, cutoff_s=cutoff + more)["completeness_low"] >= table["completeness_low"]).all()
    pd.testing.assert_frame_equal(run(access.sort_index(), cutoff_s=cutoff).loc[table.index], table)
    # The best that more data could bring: everything right behind the edge, or at the door of who is off the network.
    off = access["status"] == "off_network"
    best = access.assign(
        value=np.where(off, 0.0, np.fmin(access["value"], access["unknown_from_s"])),
        status="reached",
        unknown_from_s=NAN,
    )
    np.testing.assert_allclose(run(best, cutoff_s=cutoff)["completeness_low"], table["completeness_high"])
    index = fifteen.fifteen_minute_index(access, required, weights=weights)
    np.testing.assert_allclose(
        fifteen.fifteen_minute_index(best, required, weights=weights)["index_low"], index["index_high"]
    )
    assert (index["index_low"] <= index["index_high"]).all()
    late = access.assign(value=access["value"] + more, unknown_from_s=access["unknown_from_s"] + more)
    later = fifteen.fifteen_minute_index(late, required, weights=weights)
    assert (later["index_low"] <= index["index_low"] + 1e-9).all()
    time = fifteen.proximity_time(access, required, weights=weights)
    assert (time["mean_least_s"] <= time["mean_s"]).all()
    assert (time["mean_s"] <= time["max_s"]).all()


def test_sets_know_the_services(tmp_path):
    classes = load_classes()
    for key in ("daily_life", "nexi"):
        one = comp.load_required_set(key)
        assert {s for group in one.services.values() for s in group} <= set(classes)
        assert set(one.cutoffs_s) == set(one.weights) == set(one.labels) == set(one.services)
        assert one.tag in "SKP"
        access = pd.concat([ACCESS[ACCESS["service"] == "school"].assign(service=s) for s in classes])
        table = comp.completeness(access, one.services, cutoff_s=one.cutoffs_s, weights=one.weights)
        assert table.loc["C", "status"] == "off_network"
    # A category asks for a service no later than its own level of the standard.
    life = comp.load_required_set("daily_life")
    assert all(life.cutoffs_s[c] >= 60 * min(classes[s].level for s in life.services[c]) for c in life.services)
    with pytest.raises(StudyError, match="daily_life"):
        comp.load_required_set("daily")
    with pytest.raises(MissingFileError):
        comp.load_required_set("x", tmp_path / "no.toml")
    own = tmp_path / "own.toml"
    own.write_text("[[set", encoding="utf-8")
    with pytest.raises(BrokenFileError):
        comp.load_required_set("x", own)
    own.write_text('[[set]]\nkey = "x"\nzh = "x"', encoding="utf-8")
    with pytest.raises(StudyError, match="x"):
        comp.load_required_set("x", own)


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (InputError, lambda: comp.completeness(ACCESS, [], cutoff_s=900)),
        (InputError, lambda: comp.completeness(ACCESS, {"x": []}, cutoff_s=900)),
        (InputError, lambda: comp.completeness(ACCESS, BOTH, cutoff_s=0)),
        (InputError, lambda: comp.completeness(ACCESS, BOTH, cutoff_s={"school": 900})),
        (InputError, lambda: comp.completeness(ACCESS, BOTH, cutoff_s=900, weights={"school": 1, "clinic": 0})),
        (InputError, lambda: comp.completeness(ACCESS, BOTH, cutoff_s=900, absent="maybe")),
        (SchemaError, lambda: comp.completeness(ACCESS.iloc[1:], BOTH, cutoff_s=900)),
        (SchemaError, lambda: comp.completeness(pd.concat([ACCESS, ACCESS.iloc[:1]]), BOTH, cutoff_s=900)),
        (MissingColumnError, lambda: comp.completeness(ACCESS.drop(columns="status"), BOTH, cutoff_s=900)),
        (InputError, lambda: fifteen.fifteen_minute_index(ACCESS, BOTH, full_s=900, zero_s=900)),
        (InputError, lambda: fifteen.fifteen_minute_index(ACCESS, BOTH, decay=lambda s: np.asarray(s) / 2000)),
        (SchemaError, lambda: fifteen.mean_by_zone(pd.DataFrame({"y": [1.0]}, index=["A"]), pd.Series({"B": 1}))),
        (NoDataError, lambda: fifteen.mean_by_zone(pd.DataFrame({"y": [1.0]}, index=["A"]), pd.Series({"A": 0}))),
        (InputError, lambda: diversity.diversity(pd.DataFrame({"a": [1.0]}))),
        (SchemaError, lambda: diversity.diversity(pd.DataFrame({"a": [1.0], "b": [-1.0]}))),
    ],
)
def test_bad_input(error, call):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, BishanGisError)


# --- mix -----------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), min_size=4, max_size=4), min_size=1, max_size=6))
def test_diversity_against_scipy(rows):
    table = pd.DataFrame(rows, columns=list("abcd"), dtype=float)
    out = diversity.diversity(table)
    for i, row in enumerate(rows):
        if sum(row) == 0:
            assert out.loc[i, "status"] == "empty"
            assert out.loc[i, ["entropy", "herfindahl", "simpson"]].isna().all()
            continue
        share = np.array(row) / sum(row)
        assert out.loc[i, "entropy"] == pytest.approx(entropy(row) / np.log(4), abs=1e-12)
        assert out.loc[i, "herfindahl"] == pytest.approx((share**2).sum())
        assert out.loc[i, "simpson"] == pytest.approx(1 - (share**2).sum())
        assert (out.loc[i, "status"] == "one_class") == (np.count_nonzero(row) == 1)


def test_landuse_by_hand():
    """A 20 x 10 zone: 100 m2 homes, 50 m2 shops; 50 m2 are of no class."""
    land = gpd.GeoDataFrame(
        {"code": ["0701", "0702", "05", "11", None]},
        geometry=[box(0, 0, 5, 10), box(5, 0, 10, 10), box(10, 0, 15, 10), box(15, 0, 20, 10), box(0, 0, 9, 9)],
        crs=4544,
    )
    zones = gpd.GeoDataFrame(
        {"zone_id": ["A", "B", "C"]}, geometry=[box(0, 0, 20, 10), box(0, 0, 8, 10), box(90, 90, 99, 99)], crs=4544
    )
    classes = {"homes": ["07"], "shops": ["05"]}
    areas = diversity.landuse_shares(land, zones, classes=classes)
    assert areas.to_numpy().tolist() == [[100, 50], [80, 0], [0, 0]]
    out = diversity.landuse_entropy(land, zones, classes=classes)
    expected = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)) / np.log(2)
    np.testing.assert_allclose(out["entropy"], [expected, 0, NAN])
    np.testing.assert_allclose(out["known_share"], [0.75, 1, 0])
    assert out["status"].tolist() == ["mixed", "one_class", "empty"]
    # The longest code that fits decides, and what is listed twice is refused.
    fine = diversity.landuse_shares(land, zones, classes={"flats": ["0701"], "other": ["07"]})
    assert fine.loc["A"].tolist() == [50, 50]
    with pytest.raises(SchemaError, match="07"):
        diversity.landuse_shares(land, zones, classes={"a": ["07"], "b": ["07"]})
    with pytest.raises(CrsError):
        diversity.landuse_shares(land.to_crs(4326), zones, classes=classes)
    with pytest.raises(CrsError):
        diversity.landuse_shares(land.to_crs(4545), zones, classes=classes)


def test_reach_diversity_by_hand():
    matrix = pd.DataFrame({"from_id": list("AAABC"), "to_id": list("fghfh"), "cost_s": [100, 200, 300, 400, 900]})
    services = pd.Series({"f": "school", "g": "school", "h": "clinic"})
    out = diversity.reach_diversity(matrix, services, cutoff_s=400, origins=pd.Index(list("ABCD")))
    assert out["n_facilities"].tolist() == [3, 1, 0, 0]
    assert out["status"].tolist() == ["mixed", "one_class", "empty", "empty"]
    assert out.loc["A", "simpson"] == pytest.approx(4 / 9)


# --- equity of age groups ------------------------------------------------------------------------------


def test_equity_by_group():
    rng = np.random.default_rng(3)
    ids = [f"c{i}" for i in range(40)]
    values = pd.Series(rng.integers(0, 30, 40), index=ids)
    people = pd.DataFrame({"child": rng.integers(0, 9, 40), "old": rng.integers(0, 9, 40), "none": 0}, index=ids)
    zones = pd.Series(["x", "y"] * 20, index=ids)
    table = equity_groups.equity_by_group(values, people.sample(frac=1, random_state=1), zones=zones, line=10)
    key = table.set_index(["zone", "age_group", "measure"])["value"]
    assert len(table) == 3 * 3 * 7
    for zone, here in [("all", zones.notna()), ("x", zones == "x")]:
        v, n = values[here], people["old"][here]
        assert key[zone, "old", "gini"] == equity.gini(v, n)
        assert key[zone, "old", "mean"] == pytest.approx(np.average(v, weights=n))
        assert key[zone, "old", "poverty_share"] == pytest.approx(n[v < 10].sum() / n.sum())
    assert table.loc[table["age_group"] == "none", "value"].isna().all()
    parts = equity_groups.theil_between_groups(values, people[["child", "old"]])
    assert parts.total == pytest.approx(equity.theil_t(values, people["child"] + people["old"]))
    assert parts.between + parts.within == pytest.approx(parts.total)
    rank = pd.Series(rng.integers(1, 9, 40), index=ids)
    names = ["concentration_index", "theil_between", "theil_within"]
    more = equity_groups.equity_by_group(values, people, measures=names, zones=zones, rank_by=rank)
    key = more.set_index(["zone", "age_group", "measure"])["value"]
    here = zones == "x"
    expected = equity.concentration_index(values[here], people["old"][here], rank_by=rank[here])
    assert key["x", "old", "concentration_index"] == expected
    split = equity.theil_groups(values, people["old"], groups=zones)
    assert (key["all", "old", "theil_between"], key["all", "old", "theil_within"]) == split[1:]
    assert len(more) == 3 * 3 + 2 * 3  # the parts of Theil's index only for all zones
    with pytest.raises(InputError, match="give rank_by, zones"):
        equity_groups.equity_by_group(values, people, measures=names)
    mine = equity_groups.equity_by_group(values, people, measures={"most": lambda v, n: v[n > 0].max()})
    assert mine["measure"].unique().tolist() == ["most"]
    with pytest.raises(InputError, match="gini"):
        equity_groups.equity_by_group(values, people, measures=["ginni"])
    with pytest.raises(InputError, match="line"):
        equity_groups.equity_by_group(values, people, measures=["poverty_gap"])
    with pytest.raises(SchemaError):
        equity_groups.equity_by_group(values, people.iloc[1:])
    with pytest.raises(SchemaError, match="zones"):
        equity_groups.equity_by_group(values, people, zones=zones.iloc[1:])
