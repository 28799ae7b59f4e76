"""Measures of competition: by hand, by property, against published values and PySAL access."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_town import MATRIX, NAN, NEAR, PEOPLE, SEATS, ZONES, make_city, towns

from bishan_gis.access import competition, cumulative, decay
from bishan_gis.access import floating_catchment as fca
from bishan_gis.errors import ControlTotalError, InputError


@pytest.fixture(scope="module")
def city():
    return make_city()


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
    # Theirs of Shen's kind, the two steps with this decay, is the same per person.
    claims = decay.exponential(rate_per_s=0.1)(matrix["cost_s"])
    ratio = jobs / (claims * matrix["from_id"].map(people)).groupby(matrix["to_id"]).sum()
    shen = (claims * matrix["to_id"].map(ratio)).groupby(matrix["from_id"]).sum()
    np.testing.assert_allclose(result / people, shen, rtol=1e-12)


def test_doubly_constrained_says_what_cannot_be():
    with pytest.raises(ControlTotalError):
        competition.doubly_constrained(MATRIX, SEATS, PEOPLE, decay=NEAR)
    # D reaches nothing, so its 5 people cannot leave home.
    seats = pd.Series({"f": 30, "g": 35})
    with pytest.raises(InputError, match=r"no pair reaches: from_id 1 \(D\);"):
        competition.doubly_constrained(MATRIX, seats, PEOPLE, decay=NEAR)
    closed = MATRIX[MATRIX["to_id"] != "g"]
    with pytest.raises(InputError, match=r"from_id \d \(.*D\); to_id 1 \(g\);"):
        competition.doubly_constrained(closed, seats, PEOPLE, decay=NEAR)
    # All reach something, and yet the two who reach f alone are more than it holds.
    both = pd.DataFrame({"from_id": ["A", "B", "C"], "to_id": ["f", "f", "g"], "cost_s": [60.0, 60.0, 60.0]})
    with pytest.raises(InputError, match="still"):
        competition.doubly_constrained(both, pd.Series({"f": 20, "g": 40}), PEOPLE.drop("D"), decay=NEAR, max_rounds=50)


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


# --- oracles -----------------------------------------------------------------------------------------------------


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


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
def test_where_pysal_access_differs():
    """Three differences, by hand: which answer is right is argued in docs/measures.md."""
    from access.fca import three_stage_fca, two_stage_fca

    town = (MATRIX, SEATS, PEOPLE)
    # Whoever reaches nothing is missing there, and is 0 here.
    near = {"max_cost": 200}
    theirs = _pysal(two_stage_fca, town, **near)
    assert theirs.isna().tolist() == [False, False, False, True]
    assert fca.two_step(*town, cutoff_s=200)["D"] == 0
    # Nobody wants f: 30 seats for 0 people is infinite there. Here a ratio without demand adds nothing.
    nobody = (MATRIX, SEATS, PEOPLE * [0, 0, 1, 0])
    assert np.isinf(_pysal(two_stage_fca, nobody, max_cost=100)["A"])
    assert fca.two_step(*nobody, cutoff_s=100).tolist() == [0, 0, 2, 0]
    # Three steps, decay 1, catchment 200 s: there A counts at f, its only clinic, as one half, because its choice is
    # also divided with g, which is 300 s away and out of its catchment. Here people divide themselves within it.
    theirs = _pysal(three_stage_fca, town, weight_fn=lambda _: 1.0, **near)
    # f: 30 for 10/2 + 20/2, g: 60 for 20/2 + 30/2; halves of the ratios 2 and 2.4
    np.testing.assert_allclose(theirs, [1, 2.2, 1.2, NAN])
    # f: 30 for 10 + 20/2, g: 60 for 20/2 + 30
    np.testing.assert_allclose(fca.three_step(*town, decay=NEAR), [1.5, 1.5, 1.5, 0])
    # With a decay that is 0 beyond the catchment they agree.
    agreed = _pysal(three_stage_fca, town, weight_fn=lambda cost: float(cost <= 200), max_cost=None)
    np.testing.assert_allclose(agreed.fillna(0), [1.5, 1.5, 1.5, 0])


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
