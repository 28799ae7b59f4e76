"""Decay functions and their fitted parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from measure_town import make_city

from bishan_gis.access import competition, decay
from bishan_gis.access.fitting import fit_decay, fit_trips
from bishan_gis.errors import BishanGisError, InputError, NoDataError

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
    fit = fit_decay(cost, true(cost), form=form)
    assert fit.parameter == pytest.approx(value, rel=1e-6)
    assert fit.rmse < 1e-6
    noise = np.random.default_rng(1).normal(0, 0.02, 30)
    assert fit_decay(cost, np.clip(true(cost) + noise, 0, 1), form=form).parameter == pytest.approx(value, rel=0.1)


@pytest.mark.parametrize("form", ["exponential", "power", "gaussian"])
def test_a_best_fit_at_the_edge_says_so(form):
    cost = np.array([120.0, 300, 600, 900])
    assert fit_decay(cost, np.ones(4), form=form).at_edge  # nobody minds any way
    assert fit_decay(cost, np.zeros(4), form=form).at_edge  # nobody goes at all
    with pytest.raises(BishanGisError, match="equally long; they have 4, 3, 4"):
        fit_decay(cost, np.ones(3), form=form)
    assert not fit_decay(cost, [0.9, 0.7, 0.4, 0.2], form=form).at_edge


@pytest.mark.parametrize(
    "call",
    [
        lambda: decay.binary(cutoff_s=0),
        lambda: decay.linear(cutoff_s=-1),
        lambda: decay.power(exponent=np.nan),
        lambda: decay.power(exponent=1, least_s=0),
        lambda: decay.exponential(rate_per_s=np.inf),
        lambda: decay.gaussian(sigma_s=0),
        lambda: decay.catchment_gaussian(cutoff_s=0),
        lambda: decay.logistic(midpoint_s=0, sd_s=1),
        lambda: decay.stepped(steps_s=[2, 1], weights=[1, 0.5]),
        lambda: decay.stepped(steps_s=[1, 2], weights=[0.5, 1]),
        lambda: decay.stepped(steps_s=[1, 2], weights=[1.5, 1]),
        lambda: decay.stepped(steps_s=[], weights=[]),
        lambda: fit_decay([1, 2], [1, 0.5], form="cubic"),
        lambda: fit_decay([1, 2], [1, 1.5]),
        lambda: fit_decay([0, 0], [1, 0.5]),
        lambda: fit_decay([1, 2, 3], [1, 0.5]),
    ],
)
def test_wrong_parameters(call):
    with pytest.raises(BishanGisError):
        call()


def test_many_steps_are_few_steps():
    """Above 16 steps they are searched, below compared: the same weights, also at the edges and for no number."""
    steps, weights = np.arange(1, 40) * 60.0, np.linspace(1, 0.1, 39)
    cost = np.concatenate([steps, steps - 0.001, steps + 0.001, [0, 1e9, np.nan]])
    many = decay.stepped(steps_s=steps, weights=weights)(cost)
    for k in (1, 16):
        few = decay.stepped(steps_s=steps[:k], weights=weights[:k])(cost)
        np.testing.assert_array_equal(few, np.where(cost <= steps[k - 1], many, 0))


# --- fitted to trips ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "true", "value"),
    [
        ("exponential", decay.exponential(rate_per_s=0.0017), 0.0017),
        ("power", decay.power(exponent=1.3), 1.3),
        ("gaussian", decay.gaussian(sigma_s=540), 540),
    ],
)
def test_trips_give_back_what_made_them(form, true, value):
    """Trips drawn up by the model itself: the parameter is found, wherever the facilities stand."""
    matrix, supply, demand = make_city()
    seen = competition.singly_constrained(matrix, supply, demand, decay=true).rename(columns={"people": "trips"})
    seen = seen.merge(matrix).sample(frac=1, random_state=2)
    fit = fit_trips(seen, supply, form=form)
    assert fit.parameter == pytest.approx(value, rel=1e-9)
    assert fit.rmse < 1e-9
    np.testing.assert_allclose(fit.decay([0, 300, 900]), true([0, 300, 900]), rtol=1e-9)
    # The likelihood is nowhere higher.
    whole = seen.assign(trips=np.random.default_rng(3).poisson(seen["trips"]))
    best = fit_trips(whole, supply, form=form)
    assert best.parameter == pytest.approx(value, rel=0.05)

    def likelihood(weigh):
        pull = whole["to_id"].map(supply) * weigh(whole["cost_s"])
        share = pull / pull.groupby(whole["from_id"]).transform("sum")
        return (whole["trips"] * np.log(share)).sum()

    make = {"exponential": "rate_per_s", "power": "exponent", "gaussian": "sigma_s"}[form]
    for factor in (0.98, 1.02):
        other = getattr(decay, form)(**{make: best.parameter * factor})
        assert likelihood(other) < likelihood(best.decay)


def test_trips_by_hand():
    """The mean cost of the model is the mean cost observed, also with sizes and several origins."""
    rows = [("A", "f", 0, 60), ("A", "g", 600, 40), ("B", "f", 600, 30), ("B", "g", 0, 70)]
    seen = pd.DataFrame(rows, columns=["from_id", "to_id", "cost_s", "trips"])
    # 70 of 200 trips go to the far one; by symmetry the weight there is 70/130.
    fit = fit_trips(seen, pd.Series({"f": 5, "g": 5}))
    assert fit.decay(600) == pytest.approx(70 / 130)
    # Twice the size draws twice: 2/3 by size alone, 1/2 observed, so the far large one weighs 1/2.
    seen = seen.iloc[:2].assign(trips=50)
    assert fit_trips(seen, pd.Series({"f": 1, "g": 2})).decay(600) == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("error", "changes", "supply"),
    [
        (InputError, {"trips": [10, 30]}, (1, 1)),  # farther than chance
        (InputError, {"trips": [30, 0]}, (1, 1)),  # all to the nearest
        (InputError, {"trips": [30, 10]}, (1, 0)),  # to a facility of size 0
        (NoDataError, {"trips": [0, 0]}, (1, 1)),
        (NoDataError, {"cost_s": [5, 5]}, (1, 1)),  # nothing to choose between
        (NoDataError, {"cost_s": [0, 0]}, (1, 1)),
        (InputError, {"trips": [30, -1]}, (1, 1)),
        (InputError, {"trips": [30, np.nan]}, (1, 1)),
    ],
)
def test_trips_that_say_nothing(error, changes, supply):
    seen = pd.DataFrame({"from_id": "A", "to_id": ["f", "g"], "cost_s": [0, 600], "trips": [30, 10]}).assign(**changes)
    with pytest.raises(error):
        fit_trips(seen, pd.Series(supply, index=["f", "g"]))
    with pytest.raises(InputError):
        fit_trips(seen.assign(trips=[30, 10]), pd.Series({"f": 1, "g": 1}), form="cubic")
