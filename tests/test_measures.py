"""Measures over a travel matrix: by hand, by property, against published values and independent libraries."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bishan_gis.access import competition, cost_measures, cumulative, decay, equity, utility
from bishan_gis.access import floating_catchment as fca
from bishan_gis.access.gravity import gravity
from bishan_gis.access.matrix import check_travel_matrix
from bishan_gis.errors import (
    BishanGisError,
    ControlTotalError,
    InputError,
    MissingColumnError,
    NoDataError,
    SchemaError,
)

# A --- B --- C in a row, 200 s apart; D on an island. Clinic f near A, clinic g near C, 100 s down the lane:
# from B either is 200 s away.
MATRIX = pd.DataFrame(
    [("A", "f", 100), ("A", "g", 300), ("B", "f", 200), ("B", "g", 200), ("C", "f", 300), ("C", "g", 100)],
    columns=["from_id", "to_id", "cost_s"],
)
SEATS = pd.Series({"f": 30, "g": 60})
PEOPLE = pd.Series({"A": 10, "B": 20, "C": 30, "D": 5})
ZONES = decay.stepped(steps_s=[100, 200], weights=[1, 0.5])
NEAR = decay.binary(cutoff_s=200)
NAN = np.nan


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


@pytest.mark.parametrize(
    ("measure", "answer"),
    [
        # f: 30 seats for A and B, 1 each; g: 60 for B and C, 1.2 each
        (partial(fca.two_step, cutoff_s=200), (1, 2.2, 1.2, 0)),
        # f: 30 for 10 + 20/2; g: 60 for 20/2 + 30
        (partial(fca.enhanced_two_step, steps_s=[100, 200], weights=[1, 0.5]), (1.5, 1.5, 1.5, 0)),
        # weights 15/16, 12/16, 7/16; f: 30 for 37.5, g: 60 for 47.5
        (partial(fca.kernel_two_step, cutoff_s=400), (0.75 + 10.5 / 19, 0.6 + 18 / 19, 0.35 + 22.5 / 19, 0)),
        # B sends half of its people to each: f: 30 for 20, g: 60 for 40
        (partial(fca.three_step, decay=NEAR), (1.5, 1.5, 1.5, 0)),
        # ratios as in the enhanced one; B gains a quarter of each
        (partial(fca.modified_two_step, decay=ZONES), (1.5, 0.75, 1.5, 0)),
        (partial(competition.spatial_availability, decay=NEAR), (10, 44, 36, 0)),
        (competition.balancing_cost, (100, 200, 100, NAN)),
    ],
)
def test_competition_by_hand(measure, answer):
    result = measure(MATRIX, SEATS, PEOPLE)
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


def test_nobody_wants_it():
    """A facility without demand, demand without a facility, and an empty matrix."""
    idle = fca.two_step(MATRIX, SEATS, pd.Series({"A": 0, "B": 0, "C": 30}), cutoff_s=100)
    np.testing.assert_array_equal(idle, [0, 0, 2])
    empty = MATRIX.iloc[:0]
    for measure in (partial(fca.two_step, cutoff_s=9), competition.balancing_cost, partial(fca.raam, tau_s=9)):
        assert len(measure(empty, SEATS, PEOPLE)) == 4
    assert cumulative.cumulative_cutoff(empty, SEATS, cutoff_s=9, origins=PEOPLE.index).sum() == 0
    assert fca.raam(MATRIX, SEATS * 0, PEOPLE, tau_s=9).isna().all()


def test_published_spatial_availability():
    """The example of Soukhov et al. 2023, doi:10.1371/journal.pone.0278468; minutes."""
    costs = [15, 30, 100, 30, 15, 100, 100, 100, 15]
    matrix = pd.DataFrame({"from_id": list("AAABBBCCC"), "to_id": list("123") * 3, "cost_s": costs})
    jobs = pd.Series({"1": 100_000, "2": 100_000, "3": 10_000})
    people = pd.Series({"A": 50_000, "B": 150_000, "C": 10_000})
    result = competition.spatial_availability(matrix, jobs, people, decay=decay.exponential(rate_per_s=0.1))
    assert result.round().tolist() == [66_833, 133_203, 9_963]


# --- decay -------------------------------------------------------------------------------------------------------

DECAYS = {
    "binary": decay.binary(cutoff_s=900),
    "linear": decay.linear(cutoff_s=900),
    "power": decay.power(exponent=1.5),
    "exponential": decay.exponential(rate_per_s=0.002),
    "gaussian": decay.gaussian(sigma_s=500),
    "catchment_gaussian": decay.catchment_gaussian(cutoff_s=900),
    "logistic": decay.logistic(midpoint_s=900, sd_s=200),
    "stepped": decay.stepped(steps_s=[300, 600, 900], weights=[1, 0.68, 0.22]),
}


@pytest.mark.parametrize("name", DECAYS)
def test_decay_falls_from_one(name):
    weight = DECAYS[name](np.append(np.linspace(0, 3600, 500), 1e9))
    assert weight[0] == pytest.approx(1)
    assert (np.diff(weight) <= 0).all()
    assert weight.min() >= 0
    assert weight[-1] < 1e-9


@pytest.mark.parametrize(
    ("form", "true", "value"),
    [
        ("exponential", decay.exponential(rate_per_s=0.0017), 0.0017),
        ("power", decay.power(exponent=1.3), 1.3),
        ("gaussian", decay.gaussian(sigma_s=740), 740),
    ],
)
def test_fit_finds_what_was_put_in(form, true, value):
    cost = np.linspace(60, 1800, 30)
    fit = decay.fit_decay(cost, true(cost), form=form)
    assert fit.parameter == pytest.approx(value, rel=1e-6)
    assert fit.rmse < 1e-6
    noise = np.random.default_rng(1).normal(0, 0.02, 30)
    assert decay.fit_decay(cost, np.clip(true(cost) + noise, 0, 1), form=form).parameter == pytest.approx(
        value, rel=0.1
    )


# --- wrong input -------------------------------------------------------------------------------------------------


def _with(**columns):
    return MATRIX.assign(**columns)


WRONG = {
    "column": (MissingColumnError, {"matrix": MATRIX.drop(columns="to_id")}),
    "text": (SchemaError, {"matrix": _with(cost_s="long")}),
    "nan": (SchemaError, {"matrix": _with(cost_s=[NAN, 1, 1, 1, 1, 1])}),
    "infinite": (SchemaError, {"matrix": _with(cost_s=[np.inf, 1, 1, 1, 1, 1])}),
    "negative": (SchemaError, {"matrix": _with(cost_s=-1)}),
    "twice": (SchemaError, {"matrix": pd.concat([MATRIX, MATRIX.iloc[:1]])}),
    "unknown facility": (SchemaError, {"supply": SEATS.drop("g")}),
    "unknown origin": (SchemaError, {"demand": PEOPLE.drop("A")}),
    "no id": (SchemaError, {"matrix": _with(from_id=[None, "A", "B", "B", "C", "C"])}),
    "supply twice": (SchemaError, {"supply": pd.Series([1, 2, 3], index=["f", "g", "g"])}),
    "supply negative": (SchemaError, {"supply": -SEATS}),
    "demand missing": (SchemaError, {"demand": PEOPLE.where(PEOPLE > 5)}),
    "demand text": (SchemaError, {"demand": PEOPLE.astype(str)}),
    "cutoff": (InputError, {"cutoff_s": 0}),
    "cutoff nan": (InputError, {"cutoff_s": NAN}),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_wrong_argument(case):
    error, wrong = WRONG[case]
    given_ = {"matrix": MATRIX, "supply": SEATS, "demand": PEOPLE, "cutoff_s": 200} | wrong
    with pytest.raises(error) as caught:
        fca.two_step(given_["matrix"], given_["supply"], given_["demand"], cutoff_s=given_["cutoff_s"])
    assert caught.value.zh != caught.value.en


def test_all_problems_at_once():
    bad = pd.concat([_with(cost_s=[NAN, -1, 1, 1, 1, 1]), MATRIX.iloc[4:].assign(to_id=["x", "g"])])
    with pytest.raises(SchemaError) as caught:
        check_travel_matrix(bad, destinations=SEATS.index)
    said = caught.value.message("en")
    for part in ("1 missing or infinite", "1 negative", "1 rows with a missing or unknown to_id (x)", "1 pairs occur"):
        assert part in said


@pytest.mark.parametrize(
    "call",
    [
        lambda: decay.stepped(steps_s=[2, 1], weights=[1, 0.5]),
        lambda: decay.stepped(steps_s=[1, 2], weights=[0.5, 1]),
        lambda: decay.stepped(steps_s=[], weights=[]),
        lambda: decay.fit_decay([1, 2], [1, 0.5], form="cubic"),
        lambda: decay.fit_decay([1, 2], [1, 1.5]),
        lambda: decay.fit_decay([0, 0], [1, 0.5]),
        lambda: cost_measures.k_nearest_mean(MATRIX, k=0),
        lambda: cumulative.cumulative_range(MATRIX, SEATS, cutoffs_s=[5, 5]),
        lambda: cumulative.cumulative_interval(MATRIX, SEATS, from_s=5, to_s=5),
        lambda: competition.singly_constrained(MATRIX, SEATS, PEOPLE, decay=NEAR, hold="both"),
        lambda: fca.raam(MATRIX, SEATS, PEOPLE, tau_s=100, tolerance=1e-15, max_rounds=1),
        lambda: equity.fgt_poverty(PEOPLE, PEOPLE, line=1, poor="both"),
        lambda: equity.gini(PEOPLE, PEOPLE.drop("A")),
        lambda: equity.concentration_index(PEOPLE, PEOPLE, rank_by=PEOPLE, bounds=(0, 10)),
    ],
)
def test_wrong_parameters(call):
    with pytest.raises(BishanGisError):
        call()


def test_doubly_constrained_says_what_cannot_be():
    with pytest.raises(ControlTotalError):
        competition.doubly_constrained(MATRIX, SEATS, PEOPLE, decay=NEAR)
    # D reaches nothing, so its 5 people cannot leave home.
    seats = pd.Series({"f": 30, "g": 35})
    with pytest.raises(InputError, match="still"):
        competition.doubly_constrained(MATRIX, seats, PEOPLE, decay=NEAR, max_rounds=50)


# --- properties --------------------------------------------------------------------------------------------------


@st.composite
def towns(draw):
    """A matrix of whole seconds with holes, supply and demand."""
    n, m = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    cell = st.one_of(st.none(), st.integers(0, 1800))
    costs = draw(st.lists(cell, min_size=n * m, max_size=n * m))
    rows = [(f"o{k // m}", f"f{k % m}", c) for k, c in enumerate(costs) if c is not None]
    matrix = pd.DataFrame(rows, columns=["from_id", "to_id", "cost_s"]).astype({"cost_s": float})
    supply = pd.Series({f"f{j}": draw(st.integers(0, 50)) for j in range(m)})
    demand = pd.Series({f"o{i}": draw(st.integers(0, 50)) for i in range(n)})
    return matrix, supply, demand


CONSERVING = {
    "two_step": (partial(fca.two_step, cutoff_s=900), decay.binary(cutoff_s=900)),
    "enhanced": (partial(fca.enhanced_two_step), decay.stepped(steps_s=[600, 1200, 1800], weights=[1, 0.68, 0.22])),
    "gaussian": (partial(fca.gaussian_two_step, cutoff_s=900), decay.catchment_gaussian(cutoff_s=900)),
    "kernel": (partial(fca.kernel_two_step, cutoff_s=900), decay.linear(cutoff_s=900)),
    "three_step": (partial(fca.three_step, decay=decay.gaussian(sigma_s=500)), decay.gaussian(sigma_s=500)),
}


@settings(max_examples=40, deadline=None)
@given(towns())
def test_capacity_is_conserved(town):
    matrix, supply, demand = town
    for measure, reach in CONSERVING.values():
        claims = reach(matrix["cost_s"]) * matrix["from_id"].map(demand).astype(float)
        wanted = claims.groupby(matrix["to_id"]).sum()
        whole = supply[wanted[wanted > 0].index].sum()
        assert (measure(matrix, supply, demand) * demand).sum() == pytest.approx(whole)
        shares = competition.spatial_availability(matrix, supply, demand, decay=reach)
        assert shares.sum() == pytest.approx(whole)
        modified = fca.modified_two_step(matrix, supply, demand, decay=reach)
        assert (modified * demand).sum() <= whole * (1 + 1e-9)
    # Divided by people, spatial availability is the two-step answer.
    some = demand > 0
    shares = competition.spatial_availability(matrix, supply, demand, decay=decay.binary(cutoff_s=900))
    np.testing.assert_allclose((shares / demand)[some], fca.two_step(matrix, supply, demand, cutoff_s=900)[some])


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
    for measure in [m for m, _ in CONSERVING.values()] + [competition.balancing_cost, partial(fca.raam, tau_s=600)]:
        pd.testing.assert_series_equal(
            measure(mixed, supply, demand), measure(matrix, supply, demand), check_exact=True
        )
    pd.testing.assert_frame_equal(mixed, before)


@settings(max_examples=40, deadline=None)
@given(towns(), st.integers(60, 1200))
def test_raam_is_travel_and_crowding(town, tau):
    """Never less than travel alone, and nothing else where there is room for everyone."""
    matrix, supply, demand = town
    supply = supply + 1
    answer = fca.raam(matrix, supply, demand, tau_s=tau, rho=1, tolerance=1e-9)
    reached = matrix["from_id"].unique()
    assert answer.notna().sum() == len(reached)
    cheapest = matrix.groupby("from_id")["cost_s"].min()[reached] / tau
    assert (answer[reached] >= cheapest - 1e-9).all()
    wide = fca.raam(matrix, supply * 1e9, demand, tau_s=tau, rho=1)
    np.testing.assert_allclose(wide[reached], cheapest, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.sampled_from("xyz")), min_size=1, max_size=12))
def test_equity_properties(rows):
    values, people, groups = (pd.Series(c) for c in zip(*rows, strict=True))
    if people.sum() == 0:
        with pytest.raises(NoDataError):
            equity.gini(values, people)
        return
    assert 0 <= equity.gini(values, people) <= 1
    parts = equity.theil_groups(values, people, groups=groups)
    assert parts.between + parts.within == pytest.approx(parts.total, abs=1e-12)
    assert parts.total == equity.theil_t(values, people)
    assert min(parts) >= -1e-12
    # Ranked by access itself, concentration is inequality; turned round, its opposite.
    assert equity.concentration_index(values, people, rank_by=values) == pytest.approx(equity.gini(values, people))
    turned = equity.concentration_index(values, people, rank_by=100 - values)
    assert turned == pytest.approx(-equity.gini(values, people))
    # Everyone on their own row says the same.
    alone = values.repeat(people).reset_index(drop=True)
    ones = pd.Series(1, index=alone.index)
    for index in (equity.gini, equity.theil_t, partial(equity.fgt_poverty, line=20, power=2)):
        assert index(alone, ones) == pytest.approx(index(values, people), abs=1e-12)
    assert equity.palma(alone, ones) == pytest.approx(equity.palma(values, people), nan_ok=True)


def test_equity_by_hand():
    values, people = pd.Series({"A": 0, "B": 10, "C": 20}), pd.Series({"A": 1, "B": 2, "C": 1})
    income = pd.Series({"C": 1, "A": 2, "B": 3})
    # Curve (0, 0) (1/4, 0) (3/4, 1/2) (1, 1): area 1/8 + 3/16
    assert equity.gini(values, people) == pytest.approx(1 - 2 * (1 / 8 + 3 / 16))
    # Bottom 1.6 people: A and 0.6 of B; top 0.4: C
    assert equity.palma(values, people) == pytest.approx(20 / (6 / 1.6))
    # Ranked by income: bottom 1.6 is C and 0.6 of A, top is B
    assert equity.palma(values, people, rank_by=income) == pytest.approx(10 / (20 / 1.6))
    # 1/4 x 2 ln 2
    assert equity.theil_t(values, people) == pytest.approx(np.log(2) / 2)
    # Ranks: C 1/8, A 3/8, B 6/8; mean 10
    hand = 2 / 10 / 4 * (10 * (1 / 8 - 1 / 2) - 10 * (3 / 8 - 1 / 2))
    assert equity.concentration_index(values, people, rank_by=income) == pytest.approx(hand)
    corrected = equity.concentration_index(values, people, rank_by=income, bounds=(0, 40))
    assert corrected == pytest.approx(4 * 10 / 40 * hand)
    poverty = partial(equity.fgt_poverty, values, people)
    # below 20: A with gap 1, B twice with gap 1/2; above 5: B twice with gap 1, C with gap 3
    assert [poverty(line=20, power=p) for p in (0, 1, 2)] == [3 / 4, 2 / 4, 1.5 / 4]
    assert [poverty(line=5, power=p, poor="above") for p in (0, 1, 2)] == [3 / 4, 5 / 4, 11 / 4]


# --- oracles -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def city():
    rng = np.random.default_rng(7)
    n, m = 60, 12
    cost = np.hypot(*(rng.uniform(0, 1500, n)[:, None] - rng.uniform(0, 1500, m) for _ in range(2))).round()
    i, j = np.nonzero(cost <= 1500)
    matrix = pd.DataFrame({"from_id": i, "to_id": 1000 + j, "cost_s": cost[i, j]}).sample(frac=1, random_state=1)
    supply = pd.Series(rng.integers(5, 50, m), index=1000 + np.arange(m))
    return matrix, supply, pd.Series(rng.integers(1, 2000, n), index=np.arange(n))


def _pysal(function, city, **more):
    matrix, supply, demand = city
    return function(
        demand.rename("demand").rename_axis("geoid").reset_index(),
        supply.rename("supply").to_frame(),
        matrix.rename(columns={"from_id": "origin", "to_id": "dest", "cost_s": "cost"}),
        **more,
    ).reindex(demand.index)


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
def test_against_pysal_access(city):
    from access.fca import three_stage_fca, two_stage_fca

    zones = {"steps_s": [300, 600, 900], "weights": [1, 0.68, 0.22]}
    bell = decay.gaussian(sigma_s=300)
    for ours, theirs in [
        (fca.two_step(*city, cutoff_s=700), _pysal(two_stage_fca, city, max_cost=700)),
        (fca.enhanced_two_step(*city, **zones), _pysal(two_stage_fca, city, weight_fn=decay.stepped(**zones))),
        (
            fca.gaussian_two_step(*city, cutoff_s=700),
            _pysal(two_stage_fca, city, weight_fn=decay.catchment_gaussian(cutoff_s=700)),
        ),
        (fca.three_step(*city, decay=bell), _pysal(three_stage_fca, city, max_cost=None, weight_fn=bell)),
    ]:
        np.testing.assert_allclose(ours, theirs.fillna(0), rtol=1e-10)


def test_raam_against_pysal_access(city):
    """PySAL moves whole people in steps: where few live its answer is a mix of choices, not the best one."""
    from access.raam import raam

    ours = fca.raam(*city, tau_s=600)
    theirs = _pysal(raam, city, tau=600, demand_index="geoid", max_cycles=600, min_step=0.001)
    many = city[2] >= 200
    np.testing.assert_allclose(ours[many], theirs[many], rtol=0.01)


def test_raam_against_scipy(city):
    """The same equilibrium as a convex program, solved by another method."""
    from scipy.optimize import minimize

    matrix, supply, demand = city[0].query("from_id < 8 and to_id < 1004"), city[1][:4], city[2][:8]
    cost = matrix.pivot_table(index="from_id", columns="to_id", values="cost_s").reindex(demand.index).to_numpy() / 600
    cost, d = np.where(np.isnan(cost), 50.0, cost), demand.to_numpy() / demand.sum()
    room = supply.to_numpy() / supply.sum()

    def paid(x):
        load = x.reshape(cost.shape).sum(axis=0)
        return (cost.ravel() @ x) + (load**2 / (2 * room)).sum(), (cost + load / room).ravel()

    everyone = {"type": "eq", "fun": lambda x: x.reshape(cost.shape).sum(axis=1) - d}
    start = np.repeat(d / 4, 4)
    found = minimize(paid, start, jac=True, method="SLSQP", bounds=[(0, None)] * len(start), constraints=everyone)
    assert found.success
    best = paid(found.x)[1].reshape(cost.shape).min(axis=1)
    np.testing.assert_allclose(fca.raam(matrix, supply, demand, tau_s=600), best, atol=2e-3)


def test_against_dense_formulas(city):
    """Written again as matrices, from the papers, sharing no code."""
    matrix, supply, demand = city
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


def test_against_inequality(city):
    from inequality.gini import Gini
    from inequality.theil import TheilD

    matrix, supply, people = city
    values = gravity(matrix, supply, decay=decay.gaussian(sigma_s=300), origins=people.index)
    groups = pd.Series(np.arange(len(people)) % 4, index=people.index)
    everyone, theirs = values.repeat(people).to_numpy(), groups.repeat(people).to_numpy()
    assert equity.gini(values, people) == pytest.approx(Gini(everyone).g)
    oracle = TheilD(everyone, theirs)
    parts = equity.theil_groups(values, people, groups=groups)
    np.testing.assert_allclose(parts, [oracle.T, *np.ravel(oracle.bg), *np.ravel(oracle.wg)])
