"""The indicators of the standards for every zone of a run: value, threshold, verdict, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.planning.indicator_answers import Computed, Missing
from bishan_gis.planning.indicator_values import RULES
from bishan_gis.planning.standards import study_standards, weakest_tag
from bishan_gis.planning.zone_sums import ZoneSums

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = ["VERDICTS", "evaluate_indicators", "worst_verdict"]

#: What an indicator says about a zone, the worst first.
VERDICTS = ("not_met", "unknown", "met", "no_threshold")

_COLUMNS = [
    "id",
    "set",
    "service",
    "indicator",
    "within",
    "name_zh",
    "name_en",
    "zone_kind",
    "zone_id",
    "zone_name",
    "value",
    "value_high",
]
_COLUMNS += ["unit", "op", "threshold", "threshold_max", "verdict", "basis", "basis_unit", "kind", "standard", "clause"]
_COLUMNS += ["tag", "note_zh", "note_en"]


#: Indicators that ask how many people lie within some minutes or metres.
_WITHIN = ("walk_min", "radius_m", "drive_min")


def evaluate_indicators(
    results: Results,
    standards: pd.DataFrame | None = None,
    *,
    sums: ZoneSums | None = None,
    ids: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Compute every indicator of the standards, or say what it needs.

    Parameters
    ----------
    results : Results
        A run.
    standards : pandas.DataFrame, optional
        Of `planning.standards`; those of the study when left out.
    sums : ZoneSums, optional
        Sums of the same run, to share with other evaluations.
    ids : sequence of str, optional
        Only these rows of the standards; what they refer to is still looked up in all.

    Returns
    -------
    pandas.DataFrame
        One row per indicator and zone: ``id, set, service, indicator, within`` (the minutes or metres of a share)``,
        name_zh, name_en, zone_kind, zone_id, zone_name, value,
        value_high`` (what more data could make of it; infinite: no limit)``, unit, op, threshold, threshold_max,
        verdict`` (met, not_met, unknown, no_threshold)``, basis, basis_unit`` (person, km2)``, kind, standard, clause,
        tag, note_zh, note_en``. An indicator that cannot be computed has one row, for the district, with the verdict
        ``unknown`` and in the notes what it needs.

    Notes
    -----
    Walking and driving minutes and radii give the share of people within them, whose threshold is ``share_min`` of the
    standard; of a range of radii the smaller counts, of a range of minutes the larger. A verdict is met when the value
    is sure to meet the threshold, not_met when it is sure not to: people for whom the data cannot tell, and facilities
    of unknown size, leave it unknown. The walking shares of TD/T 1063 mean residential land; here they count people.
    """
    sums = sums or ZoneSums.of(results)
    standards = study_standards(results.study) if standards is None else standards
    columns: dict[str, list[Any]] = {c: [] for c in _COLUMNS}
    at = np.arange(len(standards)) if ids is None else np.flatnonzero(standards["id"].isin(list(ids)))
    # The policy and the pages ask alike: what a row of a table says of a run is worked out once.
    marks = pd.util.hash_pandas_object(standards, index=False).to_numpy()
    whole = marks.tobytes()
    known: dict[tuple[bytes, int], Computed | _Untold] = sums.kept["answers"]
    for mark, (_, row) in zip(marks[at], standards.iloc[at].iterrows(), strict=True):
        key = (whole, int(mark))
        if key not in known:
            known[key] = _answer(sums, row, standards)
        _add_rows(columns, sums, row, known[key])
    return pd.DataFrame(columns)


def _answer(sums: ZoneSums, row: pd.Series, standards: pd.DataFrame) -> Computed | _Untold:
    rule = RULES.get(row["indicator"])
    measured = row["indicator"] in _WITHIN
    if rule is None or (measured and row["value"] != row["value"]):
        answer: Any = Missing(f"需要数据: {row['indicator']}", f"needs data: {row['indicator']}")
    else:
        answer = rule(sums, row, standards)
    return _untold(sums, answer) if isinstance(answer, Missing) else answer


@dataclass(frozen=True)
class _Untold:
    """An indicator nobody can tell, as the one row it gets."""

    note: tuple[str, str]
    kinds: list[str]
    row: int


def _untold(sums: ZoneSums, answer: Missing) -> _Untold:
    return _Untold((answer.zh, answer.en), [sums.results.kind], int(sums.zones["zone_kind"].eq("district").argmax()))


def _add_rows(columns: dict[str, list[Any]], sums: ZoneSums, row: pd.Series, answer: Computed | _Untold) -> None:
    """Append the zones of one indicator to the columns of the table."""
    names = ["id", "set", "service", "indicator", "name_zh", "name_en", "standard", "clause", "tag"]
    same: dict[str, Any] = {c: row[c] for c in names}
    same["within"] = float(row["value"]) if row["indicator"] in _WITHIN else np.nan
    same["note_zh"], same["note_en"] = answer.note
    if isinstance(answer, Computed) and answer.tag:
        same["tag"] = weakest_tag([str(row["tag"]), answer.tag])
    op, least, most, unit = str(row["op"]), float(row["value"]), float(row["value_max"]), str(row["unit"])
    if isinstance(answer, _Untold):
        rows = [answer.row]
        low = high = basis = np.array([np.nan])
        verdicts, basis_unit = ["unknown"], ""
    else:
        rows = list(range(len(sums.zones)))
        low, high = np.asarray(answer.low, dtype=float), np.asarray(answer.high, dtype=float)
        basis, basis_unit, unit = np.asarray(answer.basis, dtype=float), answer.basis_unit, answer.unit or unit
        if answer.limits is not None:
            least, most = answer.limits[0], np.nan
            op = ">=" if np.isfinite(least) else ""
        verdicts = [_verdict(op, a, b, least, most, answer.at_most) for a, b in zip(low, high, strict=True)]
    same |= {"op": op, "threshold": least, "threshold_max": most, "unit": unit, "basis_unit": basis_unit}
    for column, value in same.items():
        columns[column] += [value] * len(rows)
    for column in ("zone_kind", "zone_id", "zone_name"):
        columns[column] += sums.zones[column].iloc[rows].tolist()
    columns["value"] += low.tolist()
    columns["value_high"] += high.tolist()
    columns["basis"] += basis.tolist()
    columns["verdict"] += verdicts
    columns["kind"] += answer.kinds


def _verdict(op: str, low: float, high: float, least: float, most: float, at_most: bool) -> str:
    """Judge a value known to lie between two bounds."""
    if least != least or not op:
        return "no_threshold"
    if low != low or high != high:
        return "unknown"
    ends = [_holds(op, v, least, most) for v in (low, high)]
    if all(ends):
        return "unknown" if at_most else "met"
    inside = op == "between" and low < least <= high
    return "unknown" if any(ends) or inside else "not_met"


def _holds(op: str, value: float, least: float, most: float) -> bool:
    tests = {
        ">=": value >= least,
        ">": value > least,
        "<=": value <= least,
        "<": value < least,
        "between": least <= value <= most,
    }
    return bool(tests[op])


def worst_verdict(verdicts: list[str]) -> str:
    """Return what several verdicts say together: the worst; thresholds that are not there say nothing.

    Examples
    --------
    >>> worst_verdict(["met", "no_threshold", "unknown"])
    'unknown'
    """
    ranks = [VERDICTS.index(v) for v in verdicts]
    return VERDICTS[min(ranks)] if ranks else "no_threshold"
