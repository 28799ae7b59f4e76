"""Indices of inequality: by hand, by property, against another library."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_town import NAN, PEOPLE, make_city

from bishan_gis.access import decay, equity
from bishan_gis.access.gravity import gravity
from bishan_gis.errors import BishanGisError, NoDataError, SchemaError


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
    # Only the order counts: indices of wealth have their middle at 0.
    wealth = income - income.mean()
    assert equity.concentration_index(values, people, rank_by=wealth) == pytest.approx(hand)
    assert equity.palma(values, people, rank_by=wealth) == equity.palma(values, people, rank_by=income)
    with pytest.raises(SchemaError, match="rank_by: 1 values missing or not numeric"):
        equity.concentration_index(values, people, rank_by=wealth.where(wealth < wealth.max()))
    corrected = equity.concentration_index(values, people, rank_by=income, bounds=(0, 40))
    assert corrected == pytest.approx(4 * 10 / 40 * hand)
    poverty = partial(equity.fgt_poverty, values, people)
    # below 20: A with gap 1, B twice with gap 1/2; above 5: B twice with gap 1, C with gap 3
    assert [poverty(line=20, power=p) for p in (0, 1, 2)] == [3 / 4, 2 / 4, 1.5 / 4]
    assert [poverty(line=5, power=p, poor="above") for p in (0, 1, 2)] == [3 / 4, 5 / 4, 11 / 4]


def test_against_inequality():
    from inequality.gini import Gini
    from inequality.theil import TheilD

    matrix, supply, people = make_city()
    values = gravity(matrix, supply, decay=decay.gaussian(sigma_s=300), origins=people.index)
    groups = pd.Series(np.arange(len(people)) % 4, index=people.index)
    everyone, theirs = values.repeat(people).to_numpy(), groups.repeat(people).to_numpy()
    assert equity.gini(values, people) == pytest.approx(Gini(everyone).g)
    oracle = TheilD(everyone, theirs)
    parts = equity.theil_groups(values, people, groups=groups)
    np.testing.assert_allclose(parts, [oracle.T, *np.ravel(oracle.bg), *np.ravel(oracle.wg)])


ONES = pd.Series({"A": 1, "B": 2})
INDICES = {
    "lorenz": equity.lorenz,
    "gini": equity.gini,
    "palma": equity.palma,
    "theil_t": equity.theil_t,
    "theil_groups": partial(equity.theil_groups, groups=ONES),
    "concentration_index": partial(equity.concentration_index, rank_by=ONES),
    "fgt_poverty": partial(equity.fgt_poverty, line=1),
}


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize(
    ("error", "values", "people"),
    [
        (SchemaError, pd.Series({"A": NAN, "B": 1}), ONES),
        (SchemaError, pd.Series({"A": np.inf, "B": 1}), ONES),
        (SchemaError, -ONES, ONES),
        (SchemaError, ONES.astype(str), ONES),
        (SchemaError, ONES, -ONES),
        (SchemaError, ONES, ONES.drop("A")),
        (SchemaError, ONES, pd.Series({"A": 1, "C": 2})),
        (SchemaError, ONES, pd.Series([1, 2, 3], index=["A", "B", "B"])),
        (NoDataError, ONES, ONES * 0),
    ],
)
def test_one_wrong_argument(name, error, values, people):
    with pytest.raises(error) as caught:
        INDICES[name](values, people)
    assert caught.value.zh != caught.value.en


@pytest.mark.parametrize("name", INDICES)
def test_order_and_people_who_are_not_there(name):
    """The order of rows and origins without people change nothing."""
    values, people = pd.Series({"A": 3.0, "B": 1.0, "C": 9.0}), pd.Series({"C": 0, "B": 2, "A": 5})
    more = {"theil_groups": {"groups": people}, "concentration_index": {"rank_by": values}}.get(name, {})
    measure = partial(getattr(equity, name), **({"line": 2} if name == "fgt_poverty" else {}))
    told = measure(values, people, **more)
    less = {k: v.drop("C") for k, v in more.items()}
    np.testing.assert_array_equal(measure(values[::-1], people, **more), told)
    np.testing.assert_allclose(measure(values.drop("C"), people.drop("C"), **less), told)


@pytest.mark.parametrize(
    "call",
    [
        lambda: equity.fgt_poverty(PEOPLE, PEOPLE, line=1, poor="both"),
        lambda: equity.fgt_poverty(PEOPLE, PEOPLE, line=0),
        lambda: equity.fgt_poverty(PEOPLE, PEOPLE, line=1, power=-1),
        lambda: equity.concentration_index(PEOPLE, PEOPLE, rank_by=PEOPLE, bounds=(0, 10)),
        lambda: equity.concentration_index(PEOPLE, PEOPLE, rank_by=PEOPLE.drop("A")),
        lambda: equity.theil_groups(PEOPLE, PEOPLE, groups=PEOPLE.where(PEOPLE > 5)),
        lambda: equity.palma(PEOPLE, PEOPLE, rank_by=PEOPLE.where(PEOPLE > 5)),
    ],
)
def test_wrong_parameters(call):
    with pytest.raises(BishanGisError):
        call()
