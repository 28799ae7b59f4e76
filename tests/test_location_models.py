"""Location models: against exhaustive search, against spopt, and properties that every optimum has."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bishan_gis.planning.location_models import backup_cover, capacitated, two_levels
from bishan_gis.planning.site_plan import choose_sites, depth_weights, site_curve
from bishan_gis.planning.siting.choices import Choices, dominated_sites
from bishan_gis.planning.siting.locate import Limits, locate
from bishan_gis.planning.siting.relaxation import relax

CUT = 5.0


@st.composite
def cases(draw, rows=7, columns=5):
    """Draw people, times (inf: not reached) and prices of a small town; ties are frequent."""
    m, n = draw(st.integers(1, rows)), draw(st.integers(1, columns))
    cost = st.one_of(st.integers(0, 9).map(float), st.just(np.inf))
    times = np.array(draw(st.lists(st.lists(cost, min_size=n, max_size=n), min_size=m, max_size=m)))
    people = np.array(draw(st.lists(st.integers(0, 9), min_size=m, max_size=m)), dtype=float)
    price = np.array(draw(st.lists(st.integers(1, 4), min_size=n, max_size=n)), dtype=float)
    return times, people, price


def tables(times, people, price=None):
    i, j = np.nonzero(np.isfinite(times))
    matrix = pd.DataFrame({"from_id": i, "to_id": j, "cost_s": times[i, j]})
    sites = pd.DataFrame({"candidate_id": np.arange(times.shape[1])})
    if price is not None:
        sites["cost"] = price
    return pd.Series(people, index=np.arange(len(people))), sites, matrix


def subsets(n, most=None):
    return [s for k in range(n + 1) if most is None or k <= most for s in combinations(range(n), k)]


def nearest(times, sites):
    return times[:, list(sites)].min(axis=1, initial=np.inf)


def covered(times, people, sites):
    return float(people[nearest(times, sites) <= CUT].sum())


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(0, 4), st.integers(0, 8))
def test_covering_is_as_good_as_trying_everything(case, p, money):
    times, people, price = case
    plan = choose_sites(*tables(times, people, price), sites=p, budget=money, cutoff_s=CUT)
    may = [s for s in subsets(len(price), p) if price[list(s)].sum() <= money]
    assert plan.objective == plan.bound == max(covered(times, people, s) for s in may)
    assert plan.objective == plan.sites["people_new"].sum() == plan.sites["gain"].sum()
    assert plan.objective == covered(times, people, plan.sites["candidate_id"])
    assert plan.sites["gain"].is_monotonic_decreasing
    assert plan.uncovered["people"].sum() == people.sum() - plan.objective


@settings(max_examples=40, deadline=None)
@given(cases(), st.sampled_from(["sites", "cost"]))
def test_covering_everybody_is_as_cheap_as_trying_everything(case, least):
    times, people, price = case
    plan = choose_sites(*tables(times, people, price), model="lscp", cutoff_s=CUT, least=least)
    can = (people > 0) & (times <= CUT).any(axis=1)
    pays = np.ones_like(price) if least == "sites" else price
    best = min(pays[list(s)].sum() for s in subsets(len(price)) if (nearest(times, s)[can] <= CUT).all())
    assert plan.objective == best
    assert set(plan.uncovered["reason"]) <= {"no_candidate"}
    assert set(plan.uncovered["demand_id"]) == set(np.flatnonzero(~can & (people > 0)))


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(1, 4), st.sampled_from([None, 12.0]))
def test_medians_and_centres_are_as_good_as_trying_everything(case, p, beyond):
    times, people, _ = case
    can = (people > 0) & np.isfinite(times).any(axis=1)
    mine = (people > 0) if beyond else can
    sums, worst = [], []
    for s in subsets(times.shape[1], p):
        bears = nearest(times, s)[mine]
        sums.append(float(people[mine] @ np.minimum(bears, beyond)) if beyond else _sum(people[mine], bears))
        worst.append(float(nearest(times, s)[can].max(initial=0)))
    median = choose_sites(*tables(times, people), model="p_median", sites=p, beyond_s=beyond)
    assert median.objective == pytest.approx(min(sums))
    assert (median.status == "infeasible") == np.isinf(min(sums))
    centre = choose_sites(*tables(times, people), model="p_center", sites=p)
    assert centre.objective == min(worst)
    assert (centre.status == "infeasible") == np.isinf(min(worst))


def _sum(people, bears):
    return float(people @ bears) if np.isfinite(bears).all() else np.inf


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(1, 3), st.integers(1, 4))
def test_k_best_are_the_best_in_order(case, p, k):
    times, people, price = case
    p = min(p, len(price))
    plan = choose_sites(*tables(times, people), sites=p, cutoff_s=CUT, k_best=k)
    every = sorted((covered(times, people, s) for s in combinations(range(len(price)), p)), reverse=True)
    assert plan.alternatives["objective"].tolist() == every[:k]
    assert plan.alternatives["sites"].is_unique


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 3), st.sampled_from([0.0, 0.3, 1.0]), st.data())
def test_backup_is_as_good_as_trying_everything(case, p, b, data):
    times, people, price = case
    have = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(people), max_size=len(people))))
    i, j = np.nonzero(times <= CUT)
    choices = Choices.from_pairs(
        i, j, np.zeros(len(i)), weight=people + 1, base=np.ones(len(people)), n_sites=len(price), merge=False
    )
    found = backup_cover(choices, Limits(price < 0, price, p), covers=have, backup_weight=b)
    missing = []
    for s in subsets(len(price), p):
        count = have + (times[:, list(s)] <= CUT).sum(axis=1)
        missing.append(float((people + 1) @ ((count < 1) + b * (count < 2))))
    assert found.objective == pytest.approx(min(missing))


@settings(max_examples=30, deadline=None)
@given(cases(), st.integers(1, 3), st.integers(3, 15))
def test_capacities_are_as_good_as_sending_people_by_linear_programs(case, p, room):
    from scipy.optimize import linprog

    times, people, _ = case
    m, n = times.shape
    best = np.inf
    cost = np.minimum(np.where(np.isfinite(times), times, 20.0), 20.0)
    for s in subsets(n, p):
        flow = np.column_stack([cost[:, list(s)], np.full(m, 20.0)])
        width = flow.shape[1]
        equal = np.kron(np.eye(m), np.ones(width))
        within = np.kron(np.ones(m), np.eye(width))[:-1]
        got = linprog(
            flow.ravel(),
            A_ub=within if len(s) else None,
            b_ub=np.full(width - 1, room) if len(s) else None,
            A_eq=equal,
            b_eq=people,
        )
        best = min(best, got.fun)
    demand, sites, matrix = tables(times, people)
    plan = choose_sites(demand, sites.assign(capacity=room), matrix, model="capacitated_median", sites=p, beyond_s=20.0)
    assert plan.objective == pytest.approx(best, abs=1e-4)
    assert (plan.assignment.groupby("candidate_id")["people"].sum() <= room + 1e-4).all()
    assert plan.assignment["people"].sum() + plan.uncovered["people"].sum() == pytest.approx(people.sum(), abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(cases(6, 4), st.integers(0, 2), st.integers(0, 2))
def test_two_levels_are_as_good_as_trying_everything(case, p, q):
    times, people, price = case
    demand, sites, matrix = tables(times, people)
    plan = choose_sites(
        demand, sites, matrix, model="hierarchical", sites={"low": p, "high": q}, cutoff_s={"low": 3.0, "high": 7.0}
    )
    best = 0.0
    for x in subsets(len(price), p):
        for y in subsets(len(price), q):
            both = (nearest(times, {*x, *y}) <= 3) & (nearest(times, y) <= 7)
            best = max(best, float(people[both].sum()))
    assert plan.objective == best
    assert (plan.sites["level"] == "low").sum() <= p
    assert (plan.sites["level"] == "high").sum() <= q


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(1, 3))
def test_who_comes_first_is_served_first(case, p):
    times, people, price = case
    rank = np.arange(len(people)) % 2
    for model in ("mclp", "p_median"):
        plan = choose_sites(
            *tables(times, people),
            model=model,
            sites=p,
            cutoff_s=CUT,
            beyond_s=12.0 if model == "p_median" else None,
            priority=pd.Series(rank),
        )
        options = []
        for s in subsets(len(price), p):
            bears = np.minimum(nearest(times, s), 12.0) if model == "p_median" else 1.0 * (nearest(times, s) > CUT)
            options.append(tuple(float(people[rank == r] @ bears[rank == r]) for r in range(int(rank.max()) + 1)))
        got = dict(zip(plan.stages["rank"], plan.stages["missing"], strict=True))
        assert tuple(got.get(r, 0.0) for r in range(int(rank.max()) + 1)) == pytest.approx(min(options))


@settings(max_examples=40, deadline=None)
@given(cases(9, 6), st.integers(0, 4))
def test_more_is_never_worse_and_shortcuts_change_nothing(case, p):
    times, people, price = case
    demand, sites, matrix = tables(times, people)
    one = choose_sites(demand, sites, matrix, sites=p, cutoff_s=CUT).objective
    assert choose_sites(demand, sites, matrix, sites=p + 1, cutoff_s=CUT).objective >= one
    fewer = sites.assign(reason_excluded=np.where(sites["candidate_id"] == 0, "slope", ""))
    if len(sites) > 1:
        assert choose_sites(demand, fewer, matrix, sites=p, cutoff_s=CUT).objective <= one
    shuffled = matrix.sample(frac=1, random_state=1)
    assert choose_sites(demand[::-1], sites, shuffled, sites=p, cutoff_s=CUT).objective == one
    i, j = np.nonzero(times <= CUT)
    limits = Limits(price < 0, np.ones_like(price), p)
    answers = set()
    for merge in (True, False):
        choices = Choices.from_pairs(
            i, j, np.zeros(len(i)), weight=people, base=np.ones(len(people)), n_sites=len(price), merge=merge
        )
        for reduce in (True, False):
            answers.add(choices.weight.sum() - locate(choices, limits, reduce=reduce)[0].objective)
    assert answers == {one}


@settings(max_examples=80, deadline=None)
@given(cases(9, 6), st.integers(0, 6), st.booleans(), st.booleans(), st.data())
def test_the_relaxation_is_below_every_solution_and_closes_no_site_of_an_optimum(case, p, all_served, one_built, data):
    times, people, price = case
    n, (i, j) = len(price), np.nonzero(np.isfinite(times))
    base = np.full(len(people), np.inf if all_served else 8.0)
    choices = Choices.from_pairs(i, j, times[i, j], weight=people, base=base, n_sites=n)
    fixed = np.arange(n) < one_built
    may = fixed | np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    allowed = [s for s in subsets(n, p) if np.isin(np.flatnonzero(fixed), s).all() and may[list(s)].all()]
    cost = {s: choices.total(s) + price[list(s)].sum() for s in allowed}
    possible = [s for s in allowed if np.isfinite(cost[s])]
    if not possible:
        return
    start = np.array(data.draw(st.sampled_from(possible)), dtype=np.int64)
    found = relax(choices, fixed=fixed, may=may, opening=price, sites=p, start=start, rounds=60)
    best = min(cost.values())
    assert found.bound <= best + 1e-6 <= found.objective + 2e-6
    assert found.objective == pytest.approx(cost[tuple(found.sites.tolist())])
    for s in allowed:
        assert all(found.with_site[k] <= cost[s] + 1e-6 for k in s)
    kept = [s for s in possible if not found.hopeless[list(s)].any()]
    assert min(cost[s] for s in kept) == pytest.approx(best)


@pytest.mark.parametrize("model", ["mclp", "p_median"])
def test_what_the_relaxation_closes_changes_no_optimum(model, monkeypatch):
    from bishan_gis.planning.siting import locate as room

    times, people = _town(300, 40, 5)
    options = {"model": model, "sites": 5, "cutoff_s": 900 if model == "mclp" else None}
    closed = []
    monkeypatch.setattr(room, "_WORTH_RELAXING", 0)
    monkeypatch.setattr(room, "relax", lambda *a, **k: closed.append(relax(*a, **k)) or closed[-1])
    quick = choose_sites(*tables(times, people), **options)
    monkeypatch.setattr(room, "_WORTH_RELAXING", 10**9)
    plain = choose_sites(*tables(times, people), **options)
    assert quick.status == plain.status == "optimal"
    assert quick.objective == pytest.approx(plain.objective, rel=1e-12)
    assert len(closed) == 1
    assert closed[0].hopeless.sum() > 10


def _town(m, n, seed):
    rng = np.random.default_rng(seed)
    homes, sites = rng.uniform(0, 6000, (m, 2)), rng.uniform(0, 6000, (n, 2))
    times = np.round(np.hypot(*(homes[:, None] - sites[None]).transpose(2, 0, 1)) / 1.2, 3)
    return times, rng.integers(1, 200, m).astype(float)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_optimum_as_spopt(seed):
    import pulp
    from spopt.locate import LSCP, MCLP, PCenter, PMedian

    times, people = _town(120, 30, seed)
    solver = pulp.HiGHS(msg=False)
    town = tables(times, people)
    theirs = MCLP.from_cost_matrix(times, people, 900.0, p_facilities=4).solve(solver)
    assert choose_sites(*town, sites=4, cutoff_s=900).objective == theirs.problem.objective.value()
    theirs = LSCP.from_cost_matrix(times, 2000.0).solve(solver)
    assert choose_sites(*town, model="lscp", cutoff_s=2000).objective == theirs.problem.objective.value()
    theirs = PMedian.from_cost_matrix(times, people, p_facilities=4).solve(solver)
    ours = choose_sites(*town, model="p_median", sites=4)
    assert ours.objective == pytest.approx(theirs.problem.objective.value(), rel=1e-9)
    theirs = PCenter.from_cost_matrix(times, p_facilities=4).solve(solver)
    ours = choose_sites(*town, model="p_center", sites=4)
    assert ours.objective == pytest.approx(theirs.problem.objective.value(), rel=1e-9)


def test_what_exists_counts():
    times = np.array([[1, 9], [9, 1], [1, 9]], dtype=float)
    people = np.array([50.0, 20.0, 5.0])
    existing = pd.DataFrame(
        {"origin_id": [0, 1, 2], "value": [4.0, np.nan, np.nan], "status": ["reached", "unreachable", "unknown"]}
    )
    plan = choose_sites(*tables(times, people), sites=1, cutoff_s=CUT, existing=existing)
    assert plan.sites["candidate_id"].tolist() == [1]
    assert plan.uncovered[["demand_id", "reason"]].values.tolist() == [[2, "unknown"]]
    plan = choose_sites(*tables(times, people), sites=1, cutoff_s=CUT, existing=existing, count_unknown=True)
    assert plan.sites["candidate_id"].tolist() == [1]
    # Only the second home has nothing: the median gains 0 s there against 3 s x 50 and all of the third.
    plan = choose_sites(*tables(times, people), model="p_median", sites=1, beyond_s=20, existing=existing)
    assert plan.objective == min(50 * 1 + 20 * 9 + 5 * 1, 50 * 4 + 20 * 1 + 5 * 9)
    assert depth_weights(existing, cutoff_s=2).tolist() == [2.0, 3.0, 3.0]


def test_several_services_share_a_site():
    times = np.array([[1, 9, 1], [9, 1, 1]], dtype=float)
    _, sites, matrix = tables(times, np.ones(2))
    need = pd.DataFrame({"school": [10, 0], "clinic": [0, 12]})
    plan = choose_sites(need, sites, matrix, sites=1, cutoff_s={"school": 5, "clinic": 5})
    assert plan.sites[["candidate_id", "people_new"]].values.tolist() == [[2, 22.0]]
    assert plan.assignment["service"].tolist() == ["school", "clinic"]
    plan = choose_sites(need, sites, matrix, sites=1, cutoff_s={"school": 5, "clinic": 0.5})
    assert plan.uncovered["reason"].tolist() == ["no_candidate"]


def test_fixed_sites_are_built_and_the_curve_rises():
    times, people = _town(60, 12, 3)
    demand, sites, matrix = tables(times, people)
    free = choose_sites(demand, sites, matrix, sites=3, cutoff_s=900)
    worst = next(c for c in sites["candidate_id"] if c not in set(free.sites["candidate_id"]))
    held = choose_sites(demand, sites, matrix, sites=3, cutoff_s=900, fixed=[worst])
    assert held.sites["candidate_id"].iloc[0] == worst
    assert held.objective <= free.objective
    curve = site_curve(demand, sites, matrix, most=5, cutoff_s=900)
    assert curve["objective"].is_monotonic_increasing
    assert curve.loc[2, "objective"] == free.objective
    again = choose_sites(demand, sites, matrix, sites=3, cutoff_s=900)
    pd.testing.assert_frame_equal(free.sites, again.sites)


def test_dominance_keeps_one_of_equals():
    choices = Choices.from_pairs([0, 0, 0], [0, 1, 2], [0, 0, 0], weight=[1], base=[1], n_sites=4)
    gone = dominated_sites(choices, price=np.array([2.0, 1.0, 1.0, 1.0]), fixed=np.zeros(4, dtype=bool))
    assert gone.tolist() == [True, False, True, True]


def test_parts_of_a_cell_may_go_to_different_sites():
    choices = Choices.from_pairs([0, 0], [0, 1], [1, 2], weight=[10], base=[np.inf], n_sites=2, merge=False)
    found = capacitated(choices, Limits(np.zeros(2, bool), np.ones(2), 2), capacity=np.array([4.0, 9.0]))
    assert found.amount.tolist() == [4.0, 6.0]
    none = capacitated(choices, Limits(np.zeros(2, bool), np.ones(2), 1), capacity=np.array([4.0, 9.0]))
    assert none.solution.status == "infeasible"
    low = Choices.from_pairs([0], [0], [0], weight=[1], base=[1], n_sites=1)
    one = Limits(np.zeros(1, bool), np.ones(1), 1)
    assert two_levels(low, low, one, one)[0].objective == 0
