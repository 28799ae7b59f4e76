"""Measures that elements of a policy ask for and no standard defines: directions, tiers, hubs, nesting, scorecard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import StudyError
from bishan_gis.planning.zone_sums import ZoneSums
from bishan_gis.schema import nearest_name

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = [
    "assign_tiers",
    "direction_figures",
    "neighbourhood_hubs",
    "nesting_check",
    "rank_size",
    "scorecard",
    "tier_completeness",
]

#: Tiers a rule gives where a study names none, the highest first.
TIERS = ("core", "centre", "town")
#: Kinds of zones of which each is made up of the next.
NESTED = ("district", "direction", "township", "village", "grid")


def rank_size(people: pd.Series) -> pd.DataFrame:
    """Order places by people and fit the rank-size rule.

    Parameters
    ----------
    people : pandas.Series
        People by place.

    Returns
    -------
    pandas.DataFrame
        Indexed by place, most people first (of equals the earlier index): ``people, rank, share`` (0-1)``, slope`` (q,
        the same in every row; NaN below two places with people)``, primacy`` (the first over the second).

    Notes
    -----
    ``log P = log C - q log rank`` by least squares over places with people; q = 1 is Zipf's rule, a larger q means that
    people gather in few places (Rosen & Resnick 1980, [K]).

    Examples
    --------
    >>> table = rank_size(pd.Series({"a": 100, "b": 50, "c": 25}))
    >>> table["rank"].tolist(), float(table["primacy"].iloc[0])
    ([1, 2, 3], 2.0)
    """
    ordered = people.sort_index().sort_values(ascending=False, kind="stable")
    rank = np.arange(1, len(ordered) + 1)
    some = ordered.to_numpy(float) > 0
    slope = np.nan
    if some.sum() > 1:
        slope = -float(np.polyfit(np.log(rank[some]), np.log(ordered.to_numpy(float)[some]), 1)[0])
    second = float(ordered.iloc[1]) if len(ordered) > 1 else 0.0
    total = max(float(ordered.sum()), 1.0)
    return pd.DataFrame(
        {
            "people": ordered,
            "rank": rank,
            "share": ordered / total,
            "slope": slope,
            "primacy": float(ordered.iloc[0]) / second if second else np.nan,
        }
    )


def assign_tiers(people: pd.Series, tiers: Mapping[str, Sequence[str]] | None = None) -> pd.Series:
    """Give every place its tier: as the study says, or by a rule.

    Parameters
    ----------
    people : pandas.Series
        People by name of the place.
    tiers : mapping, optional
        Tier -> names, the highest tier first.

    Returns
    -------
    pandas.Series
        Name -> tier.

    Raises
    ------
    StudyError
        A name is unknown, stands in two tiers, or a place has none.

    Notes
    -----
    The rule [P]: ``core`` are the largest places that together first reach half of the people; of the rest those with
    at least the mean of the rest are ``centre``, the others ``town``.

    Examples
    --------
    >>> assign_tiers(pd.Series({"a": 60, "b": 30, "c": 10})).to_dict()
    {'a': 'core', 'b': 'centre', 'c': 'town'}
    """
    if tiers:
        said: dict[str, str] = {}
        problems: list[tuple[str, str]] = []
        for tier, names in tiers.items():
            for name in names:
                if name not in people.index:
                    near = nearest_name(name, people.index)
                    hint = f" ({near}?)" if near else ""
                    problems.append((f"{tier}: 没有 {name}{hint}", f"{tier}: no {name}{hint}"))
                if name in said:
                    problems.append((f"{name} 在两级中", f"{name} is in two tiers"))
                said[name] = tier
        lost = [n for n in people.index if n not in said]
        if lost:
            problems.append((f"没有级别: {'、'.join(lost)}", f"without a tier: {', '.join(lost)}"))
        if problems:
            raise StudyError(
                "policy.tiers: " + ";".join(p[0] for p in problems),
                "policy.tiers: " + "; ".join(p[1] for p in problems),
            )
        return pd.Series(said).reindex(people.index)
    ordered = people.sort_index().sort_values(ascending=False, kind="stable")
    before = ordered.cumsum() - ordered
    core = before < ordered.sum() / 2
    rest = ordered[~core]
    mean = rest.mean() if len(rest) else 0.0
    ruled = np.where(core, TIERS[0], np.where(ordered >= mean, TIERS[1], TIERS[2]))
    return pd.Series(ruled, index=ordered.index).reindex(people.index)


def tier_completeness(present: pd.DataFrame, tier: pd.Series) -> pd.DataFrame:
    """Measure how many of the services asked for are there, by tier.

    Parameters
    ----------
    present : pandas.DataFrame
        Place x service: True where there is at least one facility.
    tier : pandas.Series
        Place -> tier.

    Returns
    -------
    pandas.DataFrame
        Indexed by tier, in order of appearance of the highest share: ``places, completeness`` (mean share of the
        services that a place has, 0-1)``, missing`` (services that some place of the tier lacks, joined by ", ").

    Examples
    --------
    >>> present = pd.DataFrame({"school": [True, True], "clinic": [True, False]}, index=["a", "b"])
    >>> table = tier_completeness(present, pd.Series({"a": "core", "b": "town"}))
    >>> table["completeness"].tolist(), table["missing"].tolist()
    ([1.0, 0.5], ['', 'clinic'])
    """
    rows = []
    for name in dict.fromkeys(tier):
        mine = present.loc[tier.index[tier == name]]
        lost = [str(s) for s in mine.columns if not mine[s].all()]
        rows.append((name, len(mine), float(mine.to_numpy(float).mean()), ", ".join(lost)))
    return pd.DataFrame(rows, columns=["tier", "places", "completeness", "missing"]).set_index("tier")


def direction_figures(results: Results, sums: ZoneSums | None = None) -> pd.DataFrame:
    """Return people, area and coverage of each development direction, beside the district.

    Returns
    -------
    pandas.DataFrame
        ``zone_kind, zone_id, zone_name, people, people_share, area_km2, area_share, density_person_km2,
        coverage_15min`` (mean over the services studied of the share of people within 15 minutes, or within the
        largest cutoff below)``, facilities``.
    """
    sums = sums or ZoneSums.of(results)
    rows = sums.zones["zone_kind"].isin(["district", "direction"]).to_numpy()
    longest = max((c for c in results.study.reach.cutoffs_min if c <= 15), default=results.study.reach.cutoffs_min[0])
    covered = np.mean([sums.covered(s, longest)[0] for s in results.services.index], axis=0)
    people, area = sums.people[rows], sums.area_km2[rows]
    out = sums.zones.loc[rows, ["zone_kind", "zone_id", "zone_name"]].reset_index(drop=True)
    whole = np.flatnonzero(out["zone_kind"] == "district")[0]
    return out.assign(
        people=people,
        people_share=people / max(int(people[whole]), 1),
        area_km2=area,
        area_share=area / area[whole],
        density_person_km2=people / area,
        coverage_15min=covered[rows] / np.maximum(people, 1),
        facilities=sums.sum_facilities(np.ones(len(results.facilities)))[rows].astype(np.int64),
    )


def neighbourhood_hubs(
    facilities: pd.DataFrame, *, anchor: str, functions: Mapping[str, Sequence[str]], within_m: float = 100.0
) -> pd.DataFrame:
    """Find places where several functions stand together, as a neighbourhood hub brings them under one roof.

    Parameters
    ----------
    facilities : pandas.DataFrame
        ``facility_id, service, name, x, y`` [m].
    anchor : str
        Service that a hub grows from.
    functions : mapping
        Function -> services, any one of which will do.
    within_m : float
        Straight distance that counts as together, inclusive [m] [P].

    Returns
    -------
    pandas.DataFrame
        One row per facility of `anchor`: ``facility_id, name, x, y, n_functions, functions``.

    Examples
    --------
    >>> places = pd.DataFrame({"facility_id": ["a", "b", "c"], "service": ["community_centre", "nursery", "canteen"],
    ...     "name": "", "x": [0.0, 60.0, 500.0], "y": 0.0})
    >>> hubs = neighbourhood_hubs(places, anchor="community_centre", functions={"child": ["nursery"],
    ...     "meals": ["canteen"]})
    >>> hubs["functions"].tolist()
    ['child']
    """
    from scipy.spatial import cKDTree

    hubs = pd.DataFrame(facilities.loc[facilities["service"] == anchor, ["facility_id", "name", "x", "y"]])
    at = hubs[["x", "y"]].to_numpy(float)
    found: list[list[str]] = [[] for _ in range(len(hubs))]
    for function, services in functions.items():
        points = facilities.loc[facilities["service"].isin(list(services)), ["x", "y"]].to_numpy(float)
        if len(points) == 0 or len(at) == 0:
            continue
        distance, _ = cKDTree(points).query(at)
        for i in np.flatnonzero(distance <= within_m):
            found[i].append(function)
    out = hubs.assign(n_functions=[len(f) for f in found], functions=[", ".join(f) for f in found])
    return out.reset_index(drop=True)


def nesting_check(results: Results, sums: ZoneSums | None = None) -> pd.DataFrame:
    """Check that the units of one level make up those of the level above: people and area.

    Returns
    -------
    pandas.DataFrame
        Indexed by kind of zone, the largest first (``district, direction, township`` and, where the study has them,
        ``village, grid``): ``units, people, area_km2, people_per_unit, area_per_unit_km2, people_least, people_most``
        (of one unit)``, people_difference`` (from the district)``, area_difference_share, outside_share`` (of the area
        of the units, what lies outside the unit of the level above that holds most of it).
    """
    import shapely

    sums = sums or ZoneSums.of(results)
    rows: list[tuple[str, int, int, float, int, int, float]] = []
    above: Any = None
    for kind in NESTED:
        mine = (sums.zones["zone_kind"] == kind).to_numpy()
        if not mine.any():
            continue
        shape, people = sums.zones["geometry"].to_numpy()[mine], sums.people[mine]
        outside = 0.0
        if above is not None:
            inside = [float(shapely.area(shapely.intersection(above, one)).max()) for one in shape]
            outside = max(0.0, 1 - sum(inside) / float(shapely.area(shape).sum()))
        n = int(mine.sum())
        ends = (int(people.min()), int(people.max()))
        rows.append((kind, n, int(people.sum()), float(sums.area_km2[mine].sum()), *ends, outside))
        above = shape
    names = ["zone_kind", "units", "people", "area_km2", "people_least", "people_most", "outside_share"]
    out = pd.DataFrame(rows, columns=names).set_index("zone_kind")
    return out.assign(
        people_per_unit=out["people"] / out["units"],
        area_per_unit_km2=out["area_km2"] / out["units"],
        people_difference=out["people"] - out["people"].iloc[0],
        area_difference_share=out["area_km2"] / out["area_km2"].iloc[0] - 1,
    )


def scorecard(coverage: pd.DataFrame, targets: pd.DataFrame, previous: pd.DataFrame | None = None) -> pd.DataFrame:
    """Score and rank the townships by the services their people reach at the level asked for.

    Parameters
    ----------
    coverage : pandas.DataFrame
        Of `planning.coverage.coverage`.
    targets : pandas.DataFrame
        ``service, level_min, weight``, see :func:`bishan_gis.planning.standards.service_targets`. A service counts at
        its level; where `coverage` has no such cutoff it is left out.
    previous : pandas.DataFrame, optional
        `coverage` of an earlier run.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``zone_id``, best first (of equals the earlier id): ``zone_name, people, score`` (0-100)``,
        score_high`` (what more data could make of it)``, rank`` (equals share one)``, services``; with `previous` also
        ``score_before, rank_before, change, rank_change`` (places gained)``, compared`` (services): from the
        services that both runs have at their level, NaN where the earlier run had no such township.

    Notes
    -----
    ``score = 100 sum_s w_s c_s / sum_s w_s`` with c_s the share of the people within the level of service s. Weights
    are those of the targets [P].

    Examples
    --------
    >>> table = pd.DataFrame({"zone_kind": "township", "zone_id": ["1", "2"], "zone_name": ["a", "b"],
    ...     "service": "school", "cutoff_min": 10.0, "age_group": "all", "people": [100, 50],
    ...     "people_covered": [50, 50], "people_unknown": [10, 0]})
    >>> target = pd.DataFrame({"service": ["school"], "level_min": [10.0], "weight": [1.0]})
    >>> scorecard(table, target)[["score", "score_high", "rank"]].to_numpy().tolist()
    [[100.0, 100.0, 1.0], [50.0, 60.0, 2.0]]
    """
    out = _scores(coverage, targets)
    if previous is None:
        return out
    both = targets[_counted(coverage, targets) & _counted(previous, targets)]
    now, old = _scores(coverage, both).reindex(out.index), _scores(previous, both).reindex(out.index)
    out["score_before"], out["rank_before"] = old["score"].astype(float), old["rank"].astype(float)
    # A difference below what either score is certain to is none; adding 0 turns -0 into 0.
    out["change"] = (now["score"].astype(float) - out["score_before"]).round(9) + 0.0
    out["rank_change"] = out["rank_before"] - now["rank"].astype(float)
    out["compared"] = len(both)
    return out


def _towns(coverage: pd.DataFrame) -> pd.DataFrame:
    table = coverage[(coverage["zone_kind"] == "township") & (coverage["age_group"] == "all")].copy()
    # An earlier run may come from CSV, where ids look like numbers.
    table["zone_id"] = table["zone_id"].astype(str)
    table["cutoff_min"] = table["cutoff_min"].astype(float)
    return table


def _counted(coverage: pd.DataFrame, targets: pd.DataFrame) -> pd.Series:
    """Say which targets a table of coverage has at their level."""
    known = pd.MultiIndex.from_frame(_towns(coverage)[["service", "cutoff_min"]].drop_duplicates())
    wanted = pd.MultiIndex.from_frame(targets[["service", "level_min"]].astype({"level_min": float}))
    return pd.Series(wanted.isin(known), index=targets.index)


def _scores(coverage: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    table = _towns(coverage)
    usable = targets[_counted(coverage, targets)]
    frames = []
    for service, level, weight in zip(usable["service"], usable["level_min"], usable["weight"], strict=True):
        rows = table[(table["service"] == service) & (table["cutoff_min"] == float(level))]
        frames.append(rows.assign(weight=float(weight)))
    if not frames:
        return pd.DataFrame(columns=["zone_name", "people", "score", "score_high", "rank", "services"])
    rows = pd.concat(frames)
    heads = rows["people"].clip(lower=1)
    rows["low"] = rows["weight"] * rows["people_covered"] / heads
    rows["high"] = rows["weight"] * (rows["people_covered"] + rows["people_unknown"]) / heads
    grouped = rows.groupby("zone_id", sort=True)
    whole = grouped["weight"].sum()
    out = grouped[["zone_name", "people"]].first()
    out["score"] = 100 * grouped["low"].sum() / whole
    out["score_high"] = 100 * grouped["high"].sum() / whole
    out["rank"] = out["score"].round(9).rank(ascending=False, method="min").astype("int64")
    out["services"] = len(frames)
    return pd.DataFrame(out.sort_values("rank", kind="stable"))
