"""A policy as a catalogue: every element is evaluated, or it is said what would be needed. None is left out."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bishan_gis.errors import SchemaError
from bishan_gis.planning.policy_rules import RULES, Evidence, Finding, NotEvaluated
from bishan_gis.schema import COVERAGE, check_columns, known_names
from bishan_gis.sources.tables import read_csv

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = ["COLUMNS", "evaluate_policy", "load_coverage", "load_policy"]

#: Columns of a catalogue.
COLUMNS = (
    *("number", "key_work", "phrase", "meaning", "object", "indicator", "threshold", "rule", "indicators"),
    *("function", "needs", "how_zh", "how_en"),
)
_OUT = [
    "number",
    "key_work",
    "phrase",
    "meaning",
    "state",
    "indicator",
    "indicator_en",
    "value",
    "value_high",
    "unit",
    "verdict",
]
_OUT += ["clause", "tag", "kind", "function", "needs", "how_to_provide_zh", "how_to_provide_en", "said_zh", "said_en"]


def load_policy(path: str | Path | None = None) -> pd.DataFrame:
    """Read and check a catalogue of policy elements.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A CSV of the same columns; default the catalogue of the package.

    Returns
    -------
    pandas.DataFrame
        ``number, key_work, phrase, meaning, object, indicator, threshold, rule`` (how it is evaluated; ``layer``: it
        needs data first)``, indicators`` (ids of standards, separated by blanks)``, function, needs, how_zh, how_en``.

    Raises
    ------
    MissingFileError, BrokenFileError, MissingColumnError
        The file is not there or is no such table.
    SchemaError
        Rows are wrong; all problems of the file are named at once.

    Examples
    --------
    >>> len(load_policy())
    65
    """
    if path is None:
        with as_file(files("bishan_gis") / "data" / "policy.csv") as file:
            table = read_csv(file)
        where = "policy.csv"
    else:
        table, where = read_csv(path), str(path)
    check_columns(table, COLUMNS, where=where)
    problems: list[tuple[str, str]] = []
    if len(table) == 0:
        problems.append(("没有任何行", "no rows"))
    seen: set[str] = set()
    for line, row in enumerate(table[list(COLUMNS)].to_dict("records"), start=2):
        number, rule = str(row["number"]), str(row["rule"])
        if not number.isdecimal() or number in seen:
            problems.append(
                (f"第 {line} 行: number = {number!r} 不是唯一的整数", f"line {line}: number = {number!r} is not unique")
            )
        seen.add(number)
        if rule != "layer" and rule not in RULES:
            zh, en = known_names(rule, [*RULES, "layer"])
            problems.append((f"第 {line} 行: 未知的 rule {rule!r};{zh}", f"line {line}: unknown rule {rule!r}; {en}"))
        if rule == "indicators" and not row["indicators"]:
            problems.append((f"第 {line} 行: indicators 为空", f"line {line}: indicators is empty"))
        for column in ("phrase", "needs", "how_zh", "how_en"):
            if not row[column]:
                problems.append((f"第 {line} 行: {column} 为空", f"line {line}: {column} is empty"))
    if problems:
        n = len(problems)
        raise SchemaError(
            f"{where}: {n} 处有误: " + ";".join(p[0] for p in problems),
            f"{where}: {n} problem{'s' if n > 1 else ''}: " + "; ".join(p[1] for p in problems),
        )
    table = table[list(COLUMNS)].copy()
    table["number"] = table["number"].astype("int64")
    return table


def load_coverage(path: str | Path) -> pd.DataFrame:
    """Read ``coverage.csv`` of an earlier run, for the change of the scorecard.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, or the folder of processed tables that holds it.

    Returns
    -------
    pandas.DataFrame
        As :func:`bishan_gis.planning.coverage.coverage`.

    Raises
    ------
    MissingFileError, BrokenFileError, MissingColumnError
        It is not there or is no such table.
    SchemaError
        A number is none.
    """
    file = Path(path)
    file = file / "coverage.csv" if file.is_dir() else file
    table = read_csv(file)
    check_columns(table, COVERAGE, where=str(file))
    bad = []
    for column in ("cutoff_min", "people", "people_covered", "people_unknown"):
        number = pd.to_numeric(table[column], errors="coerce")
        if number.isna().any():
            bad.append(f"{column} ({int(number.isna().sum())})")
        table[column] = number
    if bad:
        raise SchemaError(f"{file}: 不是数字: {', '.join(bad)}", f"{file}: not numbers: {', '.join(bad)}")
    return table


def evaluate_policy(
    results: Results,
    *,
    catalogue: pd.DataFrame | None = None,
    standards: pd.DataFrame | None = None,
    previous: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Evaluate every element of a policy on a run.

    Parameters
    ----------
    results : Results
        A run.
    catalogue : pandas.DataFrame, optional
        Of `load_policy`; the one the study names, or the package's, when left out.
    standards : pandas.DataFrame, optional
        Of `planning.standards`; those of the study when left out.
    previous : pandas.DataFrame, optional
        ``coverage`` of an earlier run, for the change of the scorecard.

    Returns
    -------
    pandas.DataFrame
        One row per element of the catalogue, in its order: ``number, key_work, phrase, meaning, state`` (evaluated,
        not_evaluated)``, indicator, indicator_en`` (what `value` is)``, value, value_high`` (what more data could make
        of it)``, unit, verdict`` (met, not_met, unknown, no_threshold; empty where not evaluated)``, clause, tag, kind,
        function, needs, how_to_provide_zh, how_to_provide_en, said_zh, said_en`` (one sentence with the figures).
        Where several indicators belong to an element, `value` is the first that could be computed, the verdict the
        worst of all that could, and the sentences name them all.

    Raises
    ------
    SchemaError
        The catalogue names standards that do not exist.
    StudyError
        Tiers of the study do not fit its townships.
    """
    if catalogue is None:
        own = results.study.policy.catalogue
        catalogue = load_policy(results.study.raw(own) if own else None)
    evidence = Evidence(results, standards=standards, previous=previous)
    _check_ids(catalogue, evidence)
    rows = [_evaluate(row, evidence) for _, row in catalogue.iterrows()]
    return pd.DataFrame(rows, columns=_OUT)


def _check_ids(catalogue: pd.DataFrame, evidence: Evidence) -> None:
    """Raise when the catalogue names a standard that is neither among the chosen ones nor in the whole table."""
    named = [i for text in catalogue["indicators"] for i in str(text).split()]
    lost = [i for i in dict.fromkeys(named) if i not in evidence.known_ids]
    if lost:
        shown = ", ".join(lost[:8])
        raise SchemaError(
            f"policy: indicators 中有 {len(lost)} 个未知的标准 ({shown});请对照 standards.csv 的 id",
            f"policy: {len(lost)} unknown standards in `indicators` ({shown}); see the ids of standards.csv",
        )


def _evaluate(row: pd.Series, evidence: Evidence) -> dict[str, Any]:
    out: dict[str, Any] = dict.fromkeys(_OUT, "")
    out |= {c: row[c] for c in ("number", "key_work", "phrase", "meaning", "indicator", "function", "needs")}
    out |= {"how_to_provide_zh": row["how_zh"], "how_to_provide_en": row["how_en"]}
    out |= {"value": float("nan"), "value_high": float("nan"), "state": "not_evaluated"}
    if row["rule"] == "layer":
        answer: Finding | NotEvaluated = NotEvaluated(f"需要: {row['how_zh']}", f"needs {row['needs']}")
    else:
        answer = RULES[row["rule"]](evidence, row)
    out |= {"said_zh": answer.zh, "said_en": answer.en}
    if isinstance(answer, Finding):
        out |= {
            "state": "evaluated",
            "indicator": answer.indicator_zh,
            "indicator_en": answer.indicator_en,
            "value": answer.value,
            "value_high": answer.high,
            "unit": answer.unit,
            "verdict": answer.verdict,
            "clause": answer.clause,
            "tag": answer.tag,
            "kind": answer.kind,
        }
    return out
