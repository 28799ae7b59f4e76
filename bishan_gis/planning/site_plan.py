"""Where to build: the sites that close most of a gap for the least, with the proof that there are no better ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_amounts
from bishan_gis.errors import InputError
from bishan_gis.planning.siting.case import build_case
from bishan_gis.planning.siting.report import describe
from bishan_gis.planning.siting.run import MODELS, Wish, run_model

__all__ = ["MODELS", "SitePlan", "choose_sites", "depth_weights", "site_curve"]


@dataclass(frozen=True, eq=False)
class SitePlan:
    """Sites that a model chose, what they do, and what they leave undone.

    Attributes
    ----------
    model : str
        The model, one of :data:`MODELS`.
    status : str
        ``optimal``: proven; ``time_limit``: the best found, see `gap`; ``infeasible``: nothing meets the limits.
    sites : pandas.DataFrame
        Sites in the order in which they help most: ``order`` (from 1), ``candidate_id, level`` ("" but for two levels),
        ``gain`` (what it adds to the objective, given those before it), ``people_new`` (people it brings within the
        cutoff), ``people_total`` (the same added up), ``cost_total``, and the columns of the candidates.
    uncovered : pandas.DataFrame
        Who stays without: ``demand_id, service, people, reason``: ``no_candidate`` (none within the cutoff), ``budget``
        (a candidate is near, sites or money ran out), ``capacity`` (near a site that is full), ``unreachable``,
        ``off_network``, ``unknown`` (the data ends first; whether what exists serves them cannot be told).
    assignment : pandas.DataFrame
        Who goes to which site: ``demand_id, service, candidate_id, cost_s, people``.
    alternatives : pandas.DataFrame
        The best solutions: ``rank`` (1 is the plan), ``objective, sites`` (ids, sorted).
    objective, bound : float
        The value reached, and the one that no plan can pass: people covered (weighted) for ``mclp``,
        ``capacitated_mclp`` and ``hierarchical``; covers for ``backup``; sites or money for ``lscp``; person-seconds
        for medians; seconds for ``p_center``.
    gap : float
        ``|bound - objective| / objective``; 0 where the optimum is proven.
    stages : pandas.DataFrame
        With priorities: ``rank, missing, bound``: the weighted people of each group who stay without, in turn.
    """

    model: str
    status: str
    sites: pd.DataFrame
    uncovered: pd.DataFrame
    assignment: pd.DataFrame
    alternatives: pd.DataFrame
    objective: float
    bound: float
    gap: float
    stages: pd.DataFrame

    @property
    def curve(self) -> pd.DataFrame:
        """What each further site of the plan adds: ``sites, gain, people_new, people_total, cost_total``."""
        columns = ["order", "gain", "people_new", "people_total", "cost_total"]
        return self.sites[columns].rename(columns={"order": "sites"})

    def summary(self) -> dict[str, Any]:
        """Return the figures of the plan, ready for JSON."""
        left = self.uncovered.groupby("reason")["people"].sum()
        return {
            "model": self.model,
            "status": self.status,
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "n_sites": len(self.sites),
            "cost": float(self.sites["cost"].sum()),
            "people_new": float(self.sites["people_new"].sum()),
            "people_uncovered": {str(k): float(v) for k, v in left.items()},
        }

    def __repr__(self) -> str:
        """One line."""
        return f"<SitePlan {self.model}: {len(self.sites)} sites, {self.status}, objective {self.objective:g}>"

    def _repr_html_(self) -> str:
        from html import escape

        table = pd.DataFrame(self.sites.drop(columns="geometry", errors="ignore"))
        return f"<p>{escape(repr(self))}</p>{table.to_html(index=False)}"


def choose_sites(
    demand: pd.Series | pd.DataFrame,
    candidates: pd.DataFrame,
    travel_matrix: pd.DataFrame,
    *,
    model: str = "mclp",
    sites: int | Mapping[str, int] | None = None,
    budget: float | None = None,
    cutoff_s: float | Mapping[str, float] | None = None,
    weights: pd.Series | None = None,
    existing: pd.DataFrame | None = None,
    fixed: Sequence[object] = (),
    priority: pd.Series | None = None,
    beyond_s: float | None = None,
    backup_weight: float = 0.5,
    least: str = "sites",
    count_unknown: bool = False,
    k_best: int = 1,
    time_limit_s: float = 60.0,
    cost: str = "cost_s",
) -> SitePlan:
    """Choose where to build.

    Parameters
    ----------
    demand : pandas.Series or pandas.DataFrame
        People by demand id (cell). A table has one column per service: its sites serve all of them, and are chosen
        to close most of all their gaps together.
    candidates : pandas.DataFrame
        ``candidate_id``; optional ``cost`` (default 1), ``fixed`` (built in any case), ``capacity`` (people),
        ``reason_excluded`` (not "": left out).
    travel_matrix : pandas.DataFrame
        ``from_id`` (demand), ``to_id`` (candidate) and the cost [s]; a missing pair is not reached.
    model : str
        ``lscp``: cover everybody who can be, with the fewest sites. ``mclp``: cover most people. ``p_median``: least
        time of all. ``p_center``: least time of the worst-off. ``backup``: cover most, and twice.
        ``capacitated_median`` and ``capacitated_mclp``: no site serves more than its capacity. ``hierarchical``:
        two levels at once.
    sites : int or mapping, optional
        Largest number of sites, fixed ones included; for ``hierarchical`` by level, lower level first.
    budget : float, optional
        Largest sum of ``cost``; with `sites` both hold.
    cutoff_s : float or mapping, optional
        Longest time that serves, inclusive [s]; by service, or by level for ``hierarchical``. Medians and ``p_center``
        do without.
    weights : pandas.Series, optional
        What a person of each demand counts, such as :func:`depth_weights`; default 1.
    existing : pandas.DataFrame, optional
        What exists: ``origin_id, value`` [s]``, status``, as ``nearest_cost`` gives it; ``service`` where there are
        several; ``unknown_from_s``; ``covers`` (number within the cutoff, for ``backup``). Demand that is served is not
        counted again; medians and ``p_center`` compare with its time.
    fixed : sequence
        Candidates that are built in any case.
    priority : pandas.Series, optional
        Group of each demand, smallest first: the plan is best for the first group, among such plans best for the
        second, and so on (``mclp`` and ``p_median``).
    beyond_s : float, optional
        Medians: time that counts for who reaches no site in the matrix [s]; without it everybody must be served.
    backup_weight : float
        ``backup``: what the second cover is worth against the first, 0 to 1.
    least : str
        ``lscp``: fewest ``sites`` or least ``cost``.
    count_unknown : bool
        Also count people for whom the data cannot tell whether they are served already.
    k_best : int
        How many of the best plans to list (``lscp, mclp, p_median``).
    time_limit_s : float
        Longest time for the solver [s]; what it has found by then is returned with its gap.
    cost : str
        The column of `travel_matrix` that holds the cost.

    Returns
    -------
    SitePlan
        The sites, what each adds, what stays uncovered and why, and the proof. The same input gives the same plan.

    Raises
    ------
    InputError
        No such model, or parameters that it needs are missing or do not fit.
    SchemaError
        A table lacks a column or a row, or holds values that are not numbers.
    NoDataError
        There is no candidate.

    Notes
    -----
    With y_j = 1 where a site is built, N_i the sites within the cutoff of demand i, w_i its weighted people:

    - ``lscp``: min sum y_j, sum_{j in N_i} y_j >= 1 (Toregas, Swain, ReVelle & Bergman 1971, the location of emergency
      service facilities, Operations Research 19:1363-1373 [S]);
    - ``mclp``: max sum w_i x_i, x_i <= sum_{j in N_i} y_j, sum y_j <= p (Church & ReVelle 1974, the maximal covering
      location problem, Papers of the Regional Science Association 32:101-118 [S]);
    - ``p_median``: min sum w_i c_ij x_ij (Hakimi 1964, Operations Research 12:450-459 [S]; ReVelle & Swain 1970,
      central facilities location, Geographical Analysis 2 [K]);
    - ``p_center``: min max c_ij x_ij (Hakimi 1964);
    - the others: :mod:`bishan_gis.planning.location_models`.

    Demand that nobody can serve is set aside and named, and does not make the rest infeasible.

    Examples
    --------
    Homes A, B and C; site g reaches A and B within ten minutes, f only A, h only C:

    >>> people = pd.Series({"A": 30, "B": 20, "C": 40, "D": 5})
    >>> sites = pd.DataFrame({"candidate_id": ["f", "g", "h"]})
    >>> matrix = pd.DataFrame(
    ...     {"from_id": list("AABC"), "to_id": list("fggh"), "cost_s": [60, 300, 500, 200]}
    ... )
    >>> plan = choose_sites(people, sites, matrix, sites=1, cutoff_s=600)
    >>> plan.sites[["candidate_id", "people_new"]].values.tolist(), plan.objective, plan.status
    ([['g', 50.0]], 50.0, 'optimal')
    >>> plan.uncovered[["demand_id", "people", "reason"]].values.tolist()
    [['C', 40.0, 'budget'], ['D', 5.0, 'no_candidate']]
    """
    wish = Wish.checked(
        model=model,
        sites=sites,
        budget=budget,
        cutoff_s=cutoff_s,
        beyond_s=beyond_s,
        backup_weight=backup_weight,
        least=least,
        count_unknown=count_unknown,
        k_best=k_best,
        time_limit_s=time_limit_s,
        several=isinstance(demand, pd.DataFrame),
        existing=existing is not None,
        priority=priority is not None,
    )
    table: pd.Series | pd.DataFrame = demand
    if model == "hierarchical" and isinstance(demand, pd.Series) and isinstance(cutoff_s, Mapping):
        table = pd.DataFrame(dict.fromkeys(cutoff_s, demand))
    case = build_case(
        table,
        candidates,
        travel_matrix,
        cutoff_s=cutoff_s,
        weights=weights,
        existing=existing,
        fixed=fixed,
        cost=cost,
    )
    rank = None
    if priority is not None:
        at = priority.index.get_indexer(pd.Index(case.demand_id))
        if (at < 0).any() or not pd.api.types.is_integer_dtype(priority.dtype):
            raise InputError(
                f"priority: {int((at < 0).sum())} 个需求点缺失, 或不是整数;请为每个需求点填写整数等级",
                f"priority: {int((at < 0).sum())} demands are missing, or not whole numbers; give each a whole number",
            )
        rank = priority.to_numpy(dtype=np.int64)[at]
    return SitePlan(model=model, **describe(case, wish, run_model(case, wish, rank=rank)))


def site_curve(
    demand: pd.Series | pd.DataFrame,
    candidates: pd.DataFrame,
    travel_matrix: pd.DataFrame,
    *,
    most: int,
    **options: Any,
) -> pd.DataFrame:
    """Find the best plan of 1, 2, ... sites, each by itself: what is bought with each further site.

    Parameters
    ----------
    demand, candidates, travel_matrix : pandas.Series or DataFrame, pandas.DataFrame, pandas.DataFrame
        As :func:`choose_sites`.
    most : int
        Largest number of sites.
    **options
        Passed on to :func:`choose_sites`.

    Returns
    -------
    pandas.DataFrame
        ``sites, objective, bound, status, candidate_ids``; begins at the number of fixed sites, at least 1.

    Raises
    ------
    InputError, SchemaError, NoDataError
        As :func:`choose_sites`.

    Examples
    --------
    >>> people = pd.Series({"A": 30, "B": 20})
    >>> matrix = pd.DataFrame({"from_id": ["A", "B"], "to_id": ["f", "g"], "cost_s": [60, 60]})
    >>> sites = pd.DataFrame({"candidate_id": ["f", "g"]})
    >>> site_curve(people, sites, matrix, most=2, cutoff_s=60)["objective"].tolist()
    [30.0, 50.0]
    """
    given = (
        candidates["fixed"].to_numpy(dtype=bool) if "fixed" in candidates.columns else np.zeros(len(candidates), bool)
    )
    given = given | candidates["candidate_id"].isin(list(options.get("fixed", ()))).to_numpy()
    rows = []
    for n in range(max(1, int(given.sum())), most + 1):
        plan = choose_sites(demand, candidates, travel_matrix, sites=n, **options)
        rows.append((n, plan.objective, plan.bound, plan.status, tuple(sorted(plan.sites["candidate_id"], key=str))))
    return pd.DataFrame(rows, columns=["sites", "objective", "bound", "status", "candidate_ids"])


def depth_weights(existing: pd.DataFrame, *, cutoff_s: float, most: float = 3.0) -> pd.Series:
    """Weigh people by how far beyond the cutoff the nearest facility is: who is worse off counts more.

    Parameters
    ----------
    existing : pandas.DataFrame
        ``origin_id, value`` [s], one service, as ``nearest_cost`` gives it.
    cutoff_s : float
        Time that serves [s].
    most : float
        Largest weight, also of those who reach nothing.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``weight``: ``clip(value / cutoff_s, 1, most)``, `most` where there is no value [P].

    Raises
    ------
    InputError
        The cutoff is not above 0, or `most` is below 1.
    SchemaError
        A column is missing.

    Examples
    --------
    >>> near = pd.DataFrame({"origin_id": ["A", "B", "C"], "value": [300.0, 1200.0, np.nan]})
    >>> depth_weights(near, cutoff_s=600).tolist()
    [1.0, 2.0, 3.0]
    """
    from bishan_gis.schema import check_columns

    check_columns(existing, ["origin_id", "value"], where="existing")
    if not (np.isfinite(cutoff_s) and cutoff_s > 0 and np.isfinite(most) and most >= 1):
        raise InputError(
            f"须 cutoff_s > 0 且 most >= 1,现为 {cutoff_s} 与 {most}",
            f"cutoff_s must be above 0 and most 1 or more; they are {cutoff_s} and {most}",
        )
    value = existing["value"].astype(float)
    weight = (value / cutoff_s).clip(1.0, most).fillna(most)
    out = pd.Series(weight.to_numpy(), index=pd.Index(existing["origin_id"], name="origin_id"), name="weight")
    match_amounts(out, where="existing")
    return out
