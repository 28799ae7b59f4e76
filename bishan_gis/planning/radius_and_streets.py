"""What the circle on paper promises, and what the streets deliver."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from bishan_gis.errors import SchemaError
from bishan_gis.planning.coverage import coverage as count_coverage
from bishan_gis.planning.coverage import radius_coverage
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = ["radius_versus_streets", "study_radius_versus_streets"]


def radius_versus_streets(radii: pd.DataFrame, coverage: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Compare the people inside the standard's circle with those the streets bring there in time.

    Parameters
    ----------
    radii : pandas.DataFrame
        ``service, radius_m, people, people_total``, see :func:`bishan_gis.planning.coverage.radius_coverage`; every
        target that has a radius needs its own.
    coverage : pandas.DataFrame
        Of `planning.coverage.coverage`: the rows of the district and of all people are used; the level of every
        target that has a radius needs its own cutoff.
    targets : pandas.DataFrame
        ``service, name_zh, name_en, level_min`` [min]``, radius_m`` [m]``, standard, clause, tag``, see
        :func:`bishan_gis.planning.standards.service_targets`. Services without a radius or a level are left out.

    Returns
    -------
    pandas.DataFrame
        ``service, radius_m, level_min, people, people_circle, people_streets, people_unknown, share_circle,
        share_streets, difference`` (streets less circle)``, sentence_zh, sentence_en, standard, clause, tag``.
        Shares are of all people; those unknown to the streets are counted apart and not as reached. The sentences
        carry the tag where it is not S.

    Raises
    ------
    SchemaError
        A radius or a cutoff is missing.

    Examples
    --------
    >>> radii = pd.DataFrame({"service": ["nursery"], "radius_m": [300.0], "people": [82], "people_total": [100]})
    >>> streets = pd.DataFrame({"zone_kind": ["district"], "age_group": ["all"], "service": ["nursery"],
    ...     "cutoff_min": [5.0], "people": [100], "people_covered": [61], "people_unknown": [0]})
    >>> target = pd.DataFrame({"service": ["nursery"], "name_zh": ["托儿所"], "name_en": ["Nursery"],
    ...     "level_min": [5.0], "radius_m": [300.0], "standard": ["GB 50180-2018"], "clause": ["Annex C"],
    ...     "tag": ["K"]})
    >>> radius_versus_streets(radii, streets, target)["sentence_zh"].item()
    '托儿所: 300 m 圆圈承诺 82.0 %, 街道 5 分钟实际 61.0 % [K]'
    """
    check_columns(radii, ["service", "radius_m", "people", "people_total"], where="radii")
    names = ["zone_kind", "age_group", "service", "cutoff_min", "people", "people_covered", "people_unknown"]
    check_columns(coverage, names, where="coverage")
    wanted = targets[targets["radius_m"].notna() & targets["level_min"].notna()]
    all_people = coverage[(coverage["zone_kind"] == "district") & (coverage["age_group"] == "all")]
    streets = all_people.set_index(["service", "cutoff_min"])
    circles = radii.set_index(["service", "radius_m"])
    lost = [
        f"{t.service} {t.radius_m:g} m" for t in wanted.itertuples() if (t.service, t.radius_m) not in circles.index
    ]
    lost += [
        f"{t.service} {t.level_min:g} min" for t in wanted.itertuples() if (t.service, t.level_min) not in streets.index
    ]
    if lost:
        shown = ", ".join(lost[:8])
        raise SchemaError(
            f"radii, coverage: 缺少 {len(lost)} 项 ({shown});请按目标补算",
            f"radii, coverage: {len(lost)} entries missing ({shown}); compute them for the targets",
        )
    rows = []
    for _, t in wanted.iterrows():
        circle, street = circles.loc[(t["service"], t["radius_m"])], streets.loc[(t["service"], t["level_min"])]
        radius, minutes, people = float(t["radius_m"]), float(t["level_min"]), int(street["people"])
        promised, real = int(circle["people"]), int(street["people_covered"])
        tag = "" if t["tag"] == "S" else f" [{t['tag']}]"
        a, b = (promised / people, real / people) if people else (math.nan, math.nan)
        rows.append(
            {
                "service": t["service"],
                "radius_m": radius,
                "level_min": minutes,
                "people": people,
                "people_circle": promised,
                "people_streets": real,
                "people_unknown": int(street["people_unknown"]),
                "share_circle": a,
                "share_streets": b,
                "difference": b - a,
                "sentence_zh": f"{t['name_zh']}: {radius:g} m 圆圈承诺 {a * 100:.1f} %, "
                f"街道 {minutes:g} 分钟实际 {b * 100:.1f} %{tag}",
                "sentence_en": f"{t['name_en']}: the {radius:g} m circle promises {a * 100:.1f} %, "
                f"the streets deliver {b * 100:.1f} % within {minutes:g} minutes{tag}",
                "standard": t["standard"],
                "clause": t["clause"],
                "tag": t["tag"],
            }
        )
    columns = ["service", "radius_m", "level_min", "people", "people_circle", "people_streets", "people_unknown"]
    columns += ["share_circle", "share_streets", "difference", "sentence_zh", "sentence_en"]
    return pd.DataFrame(rows, columns=[*columns, "standard", "clause", "tag"])


def study_radius_versus_streets(results: Results, targets: pd.DataFrame) -> pd.DataFrame:
    """Compare circles and streets for a study, with the radii and minutes its run did not compute.

    Parameters
    ----------
    results : Results
        A run.
    targets : pandas.DataFrame
        As for `radius_versus_streets`; services the run did not study are left out.

    Returns
    -------
    pandas.DataFrame
        As `radius_versus_streets`.
    """
    known = targets["service"].isin(results.services.index)
    targets = targets[known & targets["radius_m"].notna() & targets["level_min"].notna()]
    radii = [results.radii]
    for radius, group in targets.groupby("radius_m"):
        if float(str(radius)) not in results.study.reach.circles_m:
            places = pd.DataFrame(results.facilities[results.facilities["service"].isin(group["service"])])
            radii.append(radius_coverage(results.cells, places, radii_m=[float(str(radius))]))
    district = results.zones[results.zones["zone_kind"] == "district"]
    covered = [results.coverage]
    for level, group in targets.groupby("level_min"):
        if float(str(level)) not in results.cutoffs_min:
            covered.append(
                count_coverage(
                    results.access[results.access["service"].isin(group["service"])],
                    results.cells,
                    district,
                    cutoffs_min=[float(str(level))],
                    age_groups={"all": ["people"]},
                    member={"district": "district"},
                )
            )
    return radius_versus_streets(pd.concat(radii), pd.concat(covered), targets)
