"""Measures over a travel matrix: by hand, by property, against formulas written again, with wrong input."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_town import MATRIX, NAN, NEAR, PEOPLE, SEATS, ZONES, make_city, towns

import bishan_gis as bg
from bishan_gis.access import competition, cost_measures, cumulative, decay, utility
from bishan_gis.access import floating_catchment as fca
from bishan_gis.access.gravity import gravity
from bishan_gis.access.matrix import check_travel_matrix, match_pairs
from bishan_gis.errors import InputError, MissingColumnError, SchemaError


@pytest.mark.parametrize(
    ("measure", "answer"),
    [
        (partial(cumulative.cumulative_cutoff, cutoff_s=200, origins=PEOPLE.index), (30, 90, 60, 0)),
        # B reaches both at 200 s: half of the cutoffs from 100 to 300 s hold them.
        (partial(cumulative.cumulative_interval, from_s=100, to_s=300, origins=PEOPLE.index), (30, 45, 60, 0)),
        (partial(cost_measures.cost_to_reach, amount=60, origins=PEOPLE.index), (300, 200, 100, NAN)),
        # 30 x 3/4 + 60 x 1/4, and so on
        (partial(gravity, decay=decay.linear(cutoff_s=400), origins=PEOPLE.index), (37.5, 45, 52.5, 0)),
        # Utility halves each 100 s: 30/2 + 60/8, 90/4, 30/8 + 60/2
        (
            partial(utility.logsum, rate_per_s=np.log(2) / 100, origins=PEOPLE.index),
            (np.log(22.5), np.log(22.5), np.log(33.75), NAN),
        ),
    ],
)
def test_supply_by_hand(measure, answer):
    result = measure(MATRIX, SEATS)
    assert list(result.index) == list("ABCD")
    np.testing.assert_allclose(result, answer, rtol=1e-12)


def test_more_by_hand():
    origins = PEOPLE.index
    np.testing.assert_array_equal(cost_measures.nearest(MATRIX, origins=origins), [100, 200, 100, NAN])
    np.testing.assert_array_equal(cost_measures.k_nearest_mean(MATRIX, k=2, origins=origins), [200, 200, 200, NAN])
    table = cumulative.cumulative_range(MATRIX, SEATS, cutoffs_s=[300, 100, 200], origins=origins)
    assert list(table.columns) == [100, 200, 300]
    np.testing.assert_array_equal(table, [[30, 30, 90], [0, 90, 90], [60, 60, 90], [0, 0, 0]])
    flow = competition.singly_constrained(MATRIX, SEATS, PEOPLE, decay=NEAR)
    np.testing.assert_allclose(flow["people"], [10, 0, 20 / 3, 40 / 3, 0, 30])
    # B goes where places are left: f has 20 less A's 10, g has 40 less C's 30.
    flow = competition.doubly_constrained(MATRIX, pd.Series({"f": 20, "g": 40}), PEOPLE.drop("D"), decay=NEAR)
    np.testing.assert_allclose(flow["people"], [10, 0, 10, 10, 0, 30], atol=1e-6)
    seconds = utility.logsum(MATRIX, SEATS, rate_per_s=0.01, in_seconds=True)
    np.testing.assert_allclose(seconds, utility.logsum(MATRIX, SEATS, rate_per_s=0.01) / 0.01)


# --- every measure ------------------------------------------------------------------------------------------------

#: Measures of supply, and whether an origin that reaches nothing has 0 or no answer.
OF_SUPPLY = {
    "cumulative_cutoff": (partial(cumulative.cumulative_cutoff, cutoff_s=200), 0),
    "cumulative_range": (partial(cumulative.cumulative_range, cutoffs_s=[100, 200]), 0),
    "cumulative_interval": (partial(cumulative.cumulative_interval, from_s=0, to_s=200), 0),
    "gravity": (partial(gravity, decay=NEAR), 0),
    "cost_to_reach": (partial(cost_measures.cost_to_reach, amount=20), NAN),
    "logsum": (partial(utility.logsum, rate_per_s=0.01), NAN),
}
#: Measures of supply and demand; flows have no row for who reaches nothing.
OF_BOTH = {
    "two_step": (partial(fca.two_step, cutoff_s=200), 0),
    "enhanced_two_step": (partial(fca.enhanced_two_step, steps_s=[100, 200], weights=[1, 0.5]), 0),
    "gaussian_two_step": (partial(fca.gaussian_two_step, cutoff_s=400), 0),
    "kernel_two_step": (partial(fca.kernel_two_step, cutoff_s=400), 0),
    "three_step": (partial(fca.three_step, decay=ZONES), 0),
    "modified_two_step": (partial(fca.modified_two_step, decay=ZONES), 0),
    "raam": (partial(fca.raam, tau_s=600), NAN),
    "spatial_availability": (partial(competition.spatial_availability, decay=ZONES), 0),
    "balancing_cost": (competition.balancing_cost, NAN),
    "singly_constrained": (partial(competition.singly_constrained, decay=ZONES), None),
    "doubly_constrained": (partial(competition.doubly_constrained, decay=ZONES, tolerance=1), None),
}
#: Measures of costs alone.
OF_COST = {"nearest": (cost_measures.nearest, NAN), "k_nearest_mean": (partial(cost_measures.k_nearest_mean, k=1), NAN)}
MEASURES = OF_SUPPLY | OF_BOTH | OF_COST
EQUAL = PEOPLE * SEATS.sum() / PEOPLE.sum()  # as many people as seats, for the doubly constrained


def call(name, *, matrix=MATRIX, supply=SEATS, demand=EQUAL, **more):
    """Call a measure with valid defaults, each of which a case may replace."""
    measure = MEASURES[name][0]
    if name in OF_COST:
        return measure(matrix, origins=demand.index, **more)
    if name in OF_SUPPLY:
        return measure(matrix, supply, origins=demand.index, **more)
    return measure(matrix, supply, demand, **more)


def _with(**columns):
    return MATRIX.assign(**columns)


WRONG = {
    "column": (MissingColumnError, {"matrix": MATRIX.drop(columns="to_id")}),
    "text": (SchemaError, {"matrix": _with(cost_s="long")}),
    "nan": (SchemaError, {"matrix": _with(cost_s=[NAN, 1, 1, 1, 1, 1])}),
    "infinite": (SchemaError, {"matrix": _with(cost_s=[np.inf, 1, 1, 1, 1, 1])}),
    "negative": (SchemaError, {"matrix": _with(cost_s=-1)}),
    "twice": (SchemaError, {"matrix": pd.concat([MATRIX, MATRIX.iloc[:1]])}),
    "unknown origin": (SchemaError, {"demand": EQUAL.drop("A")}),
    "origin twice": (SchemaError, {"demand": pd.concat([EQUAL, EQUAL.iloc[:1]])}),
    "no origin id": (SchemaError, {"matrix": _with(from_id=[None, "A", "B", "B", "C", "C"])}),
    "no facility id": (SchemaError, {"matrix": _with(to_id=["f", "g", "f", "g", "f", None])}),
    "unknown facility": (SchemaError, {"supply": SEATS.drop("g")}),
    "supply twice": (SchemaError, {"supply": pd.Series([1, 2, 3], index=["f", "g", "g"])}),
    "supply negative": (SchemaError, {"supply": -SEATS}),
    "supply missing": (SchemaError, {"supply": SEATS.where(SEATS > 30)}),
    "supply infinite": (SchemaError, {"supply": pd.Series({"f": 1, "g": np.inf})}),
    "supply text": (SchemaError, {"supply": SEATS.astype(str)}),
    "demand negative": (SchemaError, {"demand": -EQUAL}),
    "demand missing": (SchemaError, {"demand": EQUAL.where(EQUAL > 8)}),
    "demand infinite": (SchemaError, {"demand": EQUAL.where(EQUAL > 8, np.inf)}),
    "demand text": (SchemaError, {"demand": EQUAL.astype(str)}),
}
#: Parameters of one measure.
WRONG_PARAMETERS = [
    *[(n, {"cutoff_s": v}) for n in ("cumulative_cutoff", "two_step", "kernel_two_step") for v in (0, -1, NAN, np.inf)],
    ("gaussian_two_step", {"cutoff_s": 0}),
    ("cumulative_range", {"cutoffs_s": []}),
    ("cumulative_range", {"cutoffs_s": [5, 5]}),
    ("cumulative_range", {"cutoffs_s": [0, 5]}),
    ("cumulative_interval", {"from_s": 200}),
    ("cumulative_interval", {"from_s": -1}),
    ("cumulative_interval", {"to_s": np.inf}),
    ("cost_to_reach", {"amount": 0}),
    ("k_nearest_mean", {"k": 0}),
    ("k_nearest_mean", {"k": 1.5}),
    ("logsum", {"rate_per_s": 0}),
    ("logsum", {"size_exponent": NAN}),
    ("enhanced_two_step", {"weights": [1]}),
    ("spatial_availability", {"alpha": 0}),
    ("raam", {"tau_s": 0}),
    ("raam", {"rho": -1}),
    ("raam", {"tolerance": 1e-15, "max_rounds": 1}),
    ("singly_constrained", {"hold": "both"}),
    ("doubly_constrained", {"tolerance": 0}),
    # Somebody's own decay: too few weights, negative, missing.
    *[
        (n, {"decay": d})
        for n in ("gravity", "three_step", "modified_two_step", "spatial_availability", "singly_constrained")
        for d in (lambda cost: cost[:1], lambda cost: 1.0 - cost, lambda cost: cost * NAN)
    ],
]


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("case", WRONG)
def test_one_wrong_argument(name, case):
    error, wrong = WRONG[case]
    if ("supply" in wrong and name in OF_COST) or ("demand" in wrong and name not in OF_BOTH and "origin" not in case):
        return  # the measure does not ask for it
    with pytest.raises(error) as caught:
        call(name, **wrong)
    assert caught.value.zh != caught.value.en


@pytest.mark.parametrize(("name", "wrong"), WRONG_PARAMETERS)
def test_one_wrong_parameter(name, wrong):
    with pytest.raises(InputError):
        call(name, **wrong)


@pytest.mark.parametrize("name", MEASURES)
def test_what_nothing_means(name):
    """An empty matrix, one origin, somebody on an island, nothing offered, nobody there."""
    nothing = MEASURES[name][1]
    if nothing is None:  # flows
        balanced = {"supply": SEATS * 0, "demand": EQUAL * 0}
        assert call(name, matrix=MATRIX.iloc[:0], **balanced).empty
        assert call(name, **balanced)["people"].eq(0).all()
        return
    np.testing.assert_array_equal(np.ravel(call(name).loc["D"])[0], nothing)
    empty = call(name, matrix=MATRIX.iloc[:0], demand=PEOPLE)
    assert list(empty.index) == list(PEOPLE.index)
    if name == "balancing_cost":  # nobody needs nothing
        assert call(name, demand=PEOPLE * 0).eq(0).all()
    else:
        np.testing.assert_array_equal(empty, np.full(empty.shape, float(nothing)))
    one = call(name, matrix=MATRIX[MATRIX["from_id"] == "A"], demand=PEOPLE[["A"]])
    assert one.notna().all(axis=None)
    if name not in OF_COST:
        idle = call(name, supply=SEATS * 0, demand=PEOPLE)
        np.testing.assert_array_equal(idle, np.full(idle.shape, float(nothing)))
    if name in ("two_step", "enhanced_two_step", "three_step", "modified_two_step", "spatial_availability"):
        assert call(name, demand=PEOPLE * 0).eq(0).all()  # no demand, no ratio


def test_all_problems_at_once():
    bad = pd.concat([_with(cost_s=[NAN, -1, 1, 1, 1, 1]), MATRIX.iloc[4:].assign(to_id=["x", "g"])])
    with pytest.raises(SchemaError) as caught:
        check_travel_matrix(bad, destinations=SEATS.index)
    said = caught.value.message("en")
    for part in ("1 missing or infinite", "1 negative", "1 rows with a missing or unknown to_id (x)", "1 pairs occur"):
        assert part in said


def test_ids_that_do_not_meet_are_shown_beside_those_that_are_known():
    """The commonest mistake: a table's own rows, or numbers read as text, in place of the ids."""
    rows = MATRIX.assign(to_id=MATRIX["to_id"].map({"f": 0, "g": 1}))
    texts = SEATS.set_axis(["0", "1"])
    for supply, held in ((texts, "the index of supply has '0', '1'"), (SEATS[:0], "supply is empty")):
        with pytest.raises(SchemaError, match=rf"missing or unknown to_id \(0, 1\); {held}"):
            fca.two_step(rows, supply, PEOPLE, cutoff_s=900)
    with pytest.raises(SchemaError, match=r"from_id .*the index of demand has 0, 1, 2: it must hold the same"):
        fca.two_step(MATRIX, SEATS, PEOPLE.reset_index(drop=True), cutoff_s=900)
    with pytest.raises(SchemaError, match=r"\| supply: 1 values .*numeric \(g\), 1 ids repeat \(f\);"):
        fca.two_step(MATRIX, pd.Series([1, 2, -1], index=["f", "f", "g"]), PEOPLE, cutoff_s=900)
    with pytest.raises(SchemaError, match=r"people lacks 4: 'A', 'B', 'C', 'D'\)"):
        bg.gini(PEOPLE, PEOPLE.reset_index(drop=True))
    with pytest.raises(SchemaError, match="people_by_group lacks 1: 'D'"):
        bg.equity_by_group(PEOPLE, pd.DataFrame({"all": PEOPLE.drop("D")}))
    with pytest.raises(InputError, match="people_by_group: must be a DataFrame; it is a Series"):
        bg.equity_by_group(PEOPLE, PEOPLE)


@pytest.mark.parametrize(
    "ids",
    [
        pd.Index([3, 1, 2], dtype="int64"),
        pd.Index([3, 1, 2], dtype="uint8"),
        pd.Index([-5, 10**15, 7]),
        pd.Index([2**63 + 5, 1, 2**63], dtype="uint64"),
        pd.Index(["c", "a", "b"]),
        pd.Index(["c", "a", "b"], dtype=object),
        pd.CategoricalIndex(["c", "a", "b"]),
        pd.Index([0.5, 2.5, 1.5]),
        pd.Index([3, 1, 2], dtype="Int64"),
        pd.to_datetime(["2026-01-03", "2026-01-01", "2026-01-02"]),
    ],
)
def test_any_kind_of_id(ids):
    """Each id finds its place, and one that is not known is said, whatever ids are."""
    rows = np.array([2, 0, 1, 0])
    matrix = pd.DataFrame({"from_id": ids[rows], "to_id": ids[[0, 0, 1, 1]], "cost_s": [1.0, 2, 3, 4]})
    pairs = match_pairs(matrix, origins=ids, destinations=ids)
    assert pairs.origin.tolist() == [0, 0, 1, 2]
    assert pairs.destination.tolist() == [0, 1, 1, 0]
    assert pairs.cost.tolist() == [2, 4, 3, 1]
    with pytest.raises(SchemaError, match="1 rows with a missing or unknown from_id"):
        match_pairs(matrix, origins=ids[:2])


# --- properties and oracles ---------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(towns(), st.integers(1, 1800), st.integers(0, 900), st.randoms(use_true_random=False))
def test_more_never_lowers_and_order_does_not_matter(town, cutoff, more, random):
    matrix, supply, demand = town
    reach = partial(cumulative.cumulative_cutoff, origins=demand.index)
    small, large = (reach(matrix, supply, cutoff_s=c) for c in (cutoff, cutoff + more))
    assert (large >= small).all()
    added = pd.DataFrame({"from_id": demand.index, "to_id": "new", "cost_s": 60.0})
    bigger = reach(pd.concat([matrix, added]), pd.concat([supply, pd.Series({"new": 7})]), cutoff_s=cutoff)
    assert (bigger >= small).all()
    ranged = cumulative.cumulative_range(matrix, supply, cutoffs_s=[cutoff, cutoff + more + 1], origins=demand.index)
    np.testing.assert_array_equal(ranged[cutoff], small)
    # The interval is the mean over cutoffs: whole seconds make it a sum.
    mean = cumulative.cumulative_interval(matrix, supply, from_s=cutoff, to_s=cutoff + 3, origins=demand.index)
    parts = [reach(matrix, supply, cutoff_s=cutoff + k) for k in range(3)]
    np.testing.assert_allclose(mean, sum(parts) / 3, atol=1e-9)
    order = list(range(len(matrix)))
    random.shuffle(order)
    mixed = matrix.iloc[order].astype({"from_id": "category", "to_id": "category"})
    before = mixed.copy()
    by_place = matrix.sort_values(["to_id", "from_id"])
    for name in MEASURES:
        if name != "doubly_constrained":  # sums are seldom equal here
            parts = {"supply": supply, "demand": demand}
            told = call(name, matrix=matrix, **parts)
            for other in (mixed, by_place):
                assert call(name, matrix=other, **parts).equals(told)  # exact: every sum is made in the same order
    pd.testing.assert_frame_equal(mixed, before)


def test_against_dense_formulas():
    """Written again as matrices, from the papers, sharing no code."""
    city = matrix, supply, demand = make_city()
    cost = matrix.pivot_table(index="from_id", columns="to_id", values="cost_s").reindex(
        index=demand.index, columns=supply.index
    )
    c, s, d = cost.fillna(np.inf).to_numpy(), supply.to_numpy(), demand.to_numpy()
    w = np.exp(-(c**2) / (2 * 300**2))
    bell = decay.gaussian(sigma_s=300)
    np.testing.assert_allclose(gravity(matrix, supply, decay=bell, origins=demand.index), w @ s)
    np.testing.assert_allclose(fca.modified_two_step(*city, decay=bell), w**2 @ (s / (d @ w)))
    dai = np.where(c <= 700, (np.exp(-((c / 700) ** 2) / 2) - np.exp(-0.5)) / (1 - np.exp(-0.5)), 0)
    np.testing.assert_allclose(fca.gaussian_two_step(*city, cutoff_s=700), dai @ (s / (d @ dai)))
    np.testing.assert_allclose(
        utility.logsum(matrix, supply, rate_per_s=0.01, origins=demand.index), np.log(np.exp(-0.01 * c) @ s)
    )
    flow = competition.doubly_constrained(matrix, supply / supply.sum() * demand.sum(), demand, decay=bell)
    np.testing.assert_allclose(flow.groupby("from_id")["people"].sum(), d, rtol=1e-6)
    np.testing.assert_allclose(flow.groupby("to_id")["people"].sum(), s / s.sum() * d.sum(), rtol=1e-6)
    # Its form: log flow less log weight is a sum of one term per row and one per column.
    lone = (
        np.log(flow.pivot_table(index="from_id", columns="to_id", values="people")) - np.log(np.where(w > 0, w, NAN))
    ).to_numpy()
    full = lone[~np.isnan(lone).any(axis=1)]
    centred = full - full.mean(axis=1, keepdims=True) - full.mean(axis=0) + full.mean()
    np.testing.assert_allclose(centred, 0, atol=1e-9)


ANSWER = {"origin_id": "A", "service": "x", "value": 60.0, "status": "reached", "unknown_from_s": NAN}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: bg.two_step(m, supply={"x": 1}, demand=pd.Series({"A": 1}), cutoff_s=100), "pandas.Series.*dict"),
        (lambda m: bg.gravity(m, supply=pd.Series({"x": 1.0}), origins=["A"], decay="linear"), "function of costs"),
        (lambda m: bg.cost_to_reach(m.drop(columns="cost_s"), pd.Series({"x": 1.0}), amount=1), "Rename the columns"),
        (lambda _: bg.open_at(pd.Series({"x": "24/7"}), "2026-11-25T10:00"), r"datetime\(2026"),
        (lambda m: bg.two_step(m, pd.Series({"x": 1}), pd.Series({"A": 1}), cutoff_s="900"), "cutoff_s = '900'"),
        (lambda m: bg.cumulative_range(m, pd.Series({"x": 1}), cutoffs_s=900), r"a list: cutoffs_s = \[900\]"),
        (lambda m: bg.completeness(m.assign(**ANSWER), "x", cutoff_s=900), r"a list: required = \['x'\]"),
        (lambda m: bg.completeness(m.assign(**ANSWER), {"a": "x"}, cutoff_s=900), r"required\['a'\] = \['x'\]"),
        (lambda m: bg.completeness(SimpleNamespace(table=m), ["x"], cutoff_s=900), r"DataFrame.*; use its \.table"),
    ],
)
def test_slips_of_the_pen_are_named(call, said: str) -> None:
    with pytest.raises((InputError, SchemaError, MissingColumnError), match=said):
        call(pd.DataFrame({"from_id": ["A"], "to_id": ["x"], "cost_s": [60.0]}))
