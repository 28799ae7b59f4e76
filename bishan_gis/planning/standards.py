"""Planning standards as data: what each one asks for, in which clause, and how far it was checked.

Values live in ``data/standards.csv`` or in a study's own file, never in code. A value whose original was not opened
stays visible as such: ``tag`` is [S] seen in the source named, [K] known and not checked, [P] proposed.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bishan_gis.errors import SchemaError, StudyError
from bishan_gis.planning.standard_rows import COLUMNS, INDICATORS, OPTIONAL, TAGS, find_problems, parse_numbers
from bishan_gis.schema import check_columns, nearest_name
from bishan_gis.sources.tables import read_csv

__all__ = [
    "COLUMNS",
    "INDICATORS",
    "TAGS",
    "judged_cutoffs",
    "judged_services",
    "load_standards",
    "override_standards",
    "service_targets",
    "study_standards",
    "weakest_tag",
]

#: A service that must be there counts twice one that should be there as needed [P].
_WEIGHTS = {"must": 1.0, "should": 0.5}


def load_standards(path: str | Path | None = None, *, sets: Sequence[str] | None = None) -> pd.DataFrame:
    """Read and check a table of standards.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A CSV of the same columns; default the one of the package.
    sets : sequence of str, optional
        Only these sets, in this order: where two ask the same of a service, the earlier set decides. All sets in
        the order of the file when left out or empty.

    Returns
    -------
    pandas.DataFrame
        ``id, set, standard, clause, level`` [min, 0: not one of the life circles]``, service`` (empty: not of one
        service)``, name_zh, name_en, indicator`` (one of `INDICATORS`)``, op, value, value_max`` [unit]``, unit,
        denominator, status`` (must, should)``, source, tag`` (S, K, P)``, share_min`` [0-1]``, size_min_m2,
        size_max_m2, class``. A row without `value` names an indicator that the standard sets no figure for.

    Raises
    ------
    MissingFileError, BrokenFileError, MissingColumnError
        The file is not there or is no such table.
    SchemaError
        Rows are wrong; all problems of the file are named at once.
    StudyError
        `sets` names a set the file does not have.

    Examples
    --------
    >>> rows = load_standards(sets=["gb50180"])
    >>> row = rows.set_index("id").loc["gb50180.kindergarten.radius"]
    >>> float(row["value"]), row["unit"], row["tag"]
    (300.0, 'm', 'S')
    """
    table, where = (_embedded(), "standards.csv") if path is None else (_read(Path(path), str(path)), str(path))
    known = list(dict.fromkeys(table["set"]))
    lost = [s for s in sets or () if s not in known]
    if lost:
        hint = ", ".join(known)
        raise StudyError(
            f"standards.sets: {where} 中没有 {'、'.join(lost)};可用: {hint}",
            f"standards.sets: {where} has no {', '.join(lost)}; known: {hint}",
        )
    order = {s: i for i, s in enumerate(sets or known)}
    table = table[table["set"].isin(order)]
    return table.sort_values("set", key=lambda s: s.map(order), kind="stable", ignore_index=True)


@cache
def _embedded() -> pd.DataFrame:
    with as_file(files("bishan_gis") / "data" / "standards.csv") as file:
        return _read(file, "standards.csv")


def _read(path: Path, where: str) -> pd.DataFrame:
    text = read_csv(path)
    check_columns(text, COLUMNS, where=where)
    text = text[text.astype(bool).any(axis=1)].reset_index(drop=True)
    for column in OPTIONAL:
        if column not in text.columns:
            text[column] = ""
    table = parse_numbers(text)
    problems = [*find_problems(text, table)]
    if problems:
        n = len(problems)
        raise SchemaError(
            f"{where}: {n} 处有误: " + ";".join(p[0] for p in problems),
            f"{where}: {n} problem{'s' if n > 1 else ''}: " + "; ".join(p[1] for p in problems),
        )
    return table[[*COLUMNS, *OPTIONAL]]


def weakest_tag(tags: Iterable[str]) -> str:
    """Return the weakest of several tags.

    Examples
    --------
    >>> weakest_tag(["S", "K", "S"])
    'K'
    """
    ranks = [TAGS.index(t) for t in tags]
    return TAGS[max(ranks)] if ranks else TAGS[0]


def override_standards(standards: pd.DataFrame, overrides: Iterable[Any]) -> pd.DataFrame:
    """Replace values of a standard by a study's own, visibly.

    Parameters
    ----------
    standards : pandas.DataFrame
        From `load_standards`.
    overrides : iterable
        Objects or mappings with ``id``, ``reason`` and one or more of ``value, value_max, share_min``.

    Returns
    -------
    pandas.DataFrame
        The same rows with two more columns: ``value_before`` and ``reason``. A row that was replaced has tag P.

    Raises
    ------
    StudyError
        An id is unknown or repeats, a reason is empty, or nothing is replaced; all problems are named at once.

    Examples
    --------
    >>> rows = load_standards(sets=["gb50180"])
    >>> own = {"id": "gb50180.kindergarten.radius", "value": 500, "reason": "hill town"}
    >>> row = override_standards(rows, [own]).set_index("id").loc["gb50180.kindergarten.radius"]
    >>> float(row["value"]), float(row["value_before"]), row["tag"], row["reason"]
    (500.0, 300.0, 'P', 'hill town')
    """
    out = standards.copy()
    out["value_before"] = np.nan
    out["reason"] = ""
    place = {key: i for i, key in enumerate(out["id"])}
    problems: list[tuple[str, str]] = []
    done: set[str] = set()
    for one in overrides:
        given = dict(one) if isinstance(one, Mapping) else dict(vars(one))
        key, reason = str(given.get("id", "")), str(given.get("reason", "")).strip()
        new = {k: float(given[k]) for k in ("value", "value_max", "share_min") if given.get(k) is not None}
        at = f"standards.override {key}"
        before = len(problems)
        if key not in place:
            near = nearest_name(key, place)
            hint = f" ({near}?)" if near else ""
            problems.append((f"{at}: 没有这个 id{hint}", f"{at}: no such id{hint}"))
        if key in done:
            problems.append((f"{at}: 重复", f"{at}: is there twice"))
        if not reason:
            problems.append((f"{at}: 缺少理由 reason", f"{at}: give a reason"))
        if not new or not all(math.isfinite(v) and v >= 0 for v in new.values()):
            problems.append((f"{at}: 缺少非负的 value", f"{at}: give a value of 0 or more"))
        done.add(key)
        if len(problems) > before:
            continue
        row = out.index[place[key]]
        out.loc[row, "value_before"] = out.loc[row, "value"]
        for column, number in new.items():
            out.loc[row, column] = number
        out.loc[row, "tag"], out.loc[row, "reason"] = "P", reason
        if out.loc[row, "op"] == "between" and not out.loc[row, "value_max"] >= out.loc[row, "value"]:
            problems.append((f"{at}: 需要 value <= value_max", f"{at}: needs value <= value_max"))
    if problems:
        raise StudyError(";".join(p[0] for p in problems), "; ".join(p[1] for p in problems))
    return out


def study_standards(study: Any) -> pd.DataFrame:
    """Return the standards a study chose, with its own values in place.

    Parameters
    ----------
    study : Study
        ``[standards]``: ``sets``, ``file`` and ``override``.

    Returns
    -------
    pandas.DataFrame
        As `override_standards`.
    """
    chosen = study.standards
    path = study.raw(chosen.file) if chosen.file else None
    return override_standards(load_standards(path, sets=chosen.sets or None), chosen.override)


def service_targets(
    standards: pd.DataFrame,
    *,
    services: pd.DataFrame | None = None,
    overrides: Iterable[Any] = (),
    weights: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Return what the chosen standards ask for each service: one row per service.

    Parameters
    ----------
    standards : pandas.DataFrame
        From `load_standards` or `override_standards`; earlier rows decide.
    services : pandas.DataFrame, optional
        Services of a study, indexed by key, with ``level`` and, where known, ``radius_m, standard, clause, tag, zh,
        en``: the rows of the result are these. Where no standard chosen speaks of a service, its own class does.
        Left out: every service the standards name.
    overrides : iterable
        As for `override_standards`; for standards that have none yet.
    weights : mapping, optional
        Status -> weight; by default 1 for must and 0.5 for should [P].

    Returns
    -------
    pandas.DataFrame
        ``service, name_zh, name_en, level_min`` [min on foot; NaN: no level]``, radius_m`` [m; NaN: the standard has
        none]``, drive_min`` [min by vehicle; NaN]``, status, standard, clause, tag, weight, level_id, radius_id`` (the
        rows they come from; empty: the class table). ``tag`` is the weakest of the rows used.

    Raises
    ------
    StudyError
        As `override_standards`.

    Notes
    -----
    The level comes from the first set that speaks of the service on foot: its walking minutes, else the life circle
    that its radius or its presence belongs to. The radius comes from the first set that has one; of a range the
    smaller counts.

    Examples
    --------
    >>> row = service_targets(load_standards(sets=["gb50180"])).set_index("service").loc["primary_school"]
    >>> float(row["level_min"]), float(row["radius_m"]), row["status"], row["tag"]
    (10.0, 500.0, 'must', 'K')
    """
    overrides = list(overrides)
    if overrides:
        standards = override_standards(standards, overrides)
    weights = dict(weights or _WEIGHTS)
    named = standards[standards["service"] != ""]
    keys = list(services.index) if services is not None else list(dict.fromkeys(named["service"]))
    said: dict[str, list[dict[str, Any]]] = {}
    for row in named.to_dict("records"):
        said.setdefault(row["service"], []).append({str(k): v for k, v in row.items()})
    own = services.to_dict("index") if services is not None else {}
    rows = [_target(str(key), said.get(key, []), own.get(key, {}), weights) for key in keys]
    names = ["service", "name_zh", "name_en", "level_min", "radius_m", "drive_min", "status", "standard", "clause"]
    return pd.DataFrame(rows, columns=[*names, "tag", "weight", "level_id", "radius_id"]).astype(
        {"level_min": float, "radius_m": float, "drive_min": float, "weight": float}
    )


def judged_services(services: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Return the classes of services with the walking time that the standards of the study ask for.

    Parameters
    ----------
    services : pandas.DataFrame
        Classes by key, with ``level, standard, clause, tag``.
    targets : pandas.DataFrame
        From :func:`service_targets`, of the same services.

    Returns
    -------
    pandas.DataFrame
        The same rows; ``level`` [min on foot] is NaN for what comes by vehicle and is not walked to.

    Examples
    --------
    >>> classes = pd.DataFrame(
    ...     {"level": [5, 15], "standard": "", "clause": "", "tag": "P"}, index=["primary_school", "fire_station"]
    ... )
    >>> targets = service_targets(load_standards(sets=["gb50180", "fire"]), services=classes)
    >>> judged_services(classes, targets)["level"].tolist()
    [10.0, nan]
    """
    asked = targets.set_index("service").reindex(services.index)
    return services.assign(level=asked["level_min"], **{c: asked[c] for c in ("standard", "clause", "tag")})


def judged_cutoffs(cutoffs_min: Sequence[float], targets: pd.DataFrame) -> list[float]:
    """Return the thresholds of a study and the walking times of its standards, so that each can be counted exactly.

    Parameters
    ----------
    cutoffs_min : sequence of float
        Thresholds of the study [min].
    targets : pandas.DataFrame
        ``level_min`` [min], see :func:`service_targets`. Times beyond the last threshold are left out.

    Examples
    --------
    >>> judged_cutoffs([5, 10, 15], pd.DataFrame({"level_min": [8.0, 10.0, 30.0, float("nan")]}))
    [5.0, 8.0, 10.0, 15.0]
    """
    asked = targets["level_min"].dropna()
    return sorted({*(float(c) for c in cutoffs_min), *(float(c) for c in asked if 0 < c <= max(cutoffs_min))})


def _target(
    key: str, mine: Sequence[Mapping[str, Any]], fallback: Mapping[Hashable, Any], weights: Mapping[str, float]
) -> dict[str, Any]:
    level, minutes = _level(mine)
    radius = _first(mine, "radius_m", valued=True)
    drive = _first(mine, "drive_min", valued=True)
    used = [r for r in (level, radius) if r is not None]
    tags = [str(r["tag"]) for r in used]
    own_level, own_radius = fallback.get("level"), fallback.get("radius_m")
    # What comes by vehicle is not asked to be within a walk, unless a standard says so.
    if level is None and own_level is not None and drive is None:
        minutes = float(own_level)
        tags.append(str(fallback.get("tag", "P")))
    reach = float(radius["value"]) if radius is not None else math.nan
    if radius is None and own_radius is not None and not pd.isna(own_radius):
        reach = float(own_radius)
        tags.append(str(fallback.get("tag", "P")))
    main = next((r for r in (level, radius, drive) if r is not None), None)
    if main is None and mine:
        main = mine[0]
    said = {"standard": fallback.get("standard", ""), "clause": fallback.get("clause", ""), "status": "should"}
    if main is not None:
        said = {c: main[c] for c in ("standard", "clause", "status")}
        tags = tags or [str(main["tag"])]
    return {
        "service": key,
        "name_zh": fallback.get("zh", main["name_zh"] if main is not None else key),
        "name_en": fallback.get("en", main["name_en"] if main is not None else key),
        "level_min": minutes,
        "radius_m": reach,
        "drive_min": float(drive["value"]) if drive is not None else math.nan,
        **said,
        "tag": weakest_tag(tags or ["P"]),
        "weight": weights[said["status"]],
        "level_id": level["id"] if level is not None else "",
        "radius_id": radius["id"] if radius is not None else "",
    }


def _level(mine: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any] | None, float]:
    """Return the row that says how many minutes on foot, and the minutes."""
    speaks = [
        r
        for r in mine
        if (r["indicator"] == "walk_min" and not math.isnan(r["value"]))
        or (r["indicator"] in ("radius_m", "present") and r["level"] > 0)
    ]
    speaks = [r for r in speaks if r["set"] == speaks[0]["set"]]
    for indicator in ("walk_min", "radius_m", "present"):
        row = _first(speaks, indicator)
        if row is not None:
            if indicator == "walk_min":
                return row, float(row["value_max"] if row["op"] == "between" else row["value"])
            return row, float(row["level"])
    return None, math.nan


def _first(rows: Sequence[Mapping[str, Any]], indicator: str, *, valued: bool = False) -> Mapping[str, Any] | None:
    return next((r for r in rows if r["indicator"] == indicator and not (valued and math.isnan(r["value"]))), None)
