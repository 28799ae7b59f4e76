"""Completeness: how much of what a place should have is within reach, and what is missing.

An answer is one of three: reached, not reached, or not known because the data ends first. Shares therefore come as a
lower and an upper bound; what lies between them is what more data could change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import BrokenFileError, InputError, MissingFileError, SchemaError, StudyError
from bishan_gis.schema import check_columns, check_listed, known_names, nearest_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CategoryTimes", "RequiredSet", "category_times", "completeness", "load_required_set", "missing_services"]

_COLUMNS = ["origin_id", "service", "value", "status", "unknown_from_s"]


@dataclass(frozen=True)
class RequiredSet:
    """What a place should have within reach.

    Attributes
    ----------
    key, zh, en : str
        Name of the set.
    services : dict
        Category -> services; any one of them will do.
    cutoffs_s, weights : dict
        Category -> largest time that counts [s]; category -> how much it counts.
    labels : dict
        Category -> (zh, en).
    source, tag : str
        What the set rests on; ``S``, ``K`` or ``P``.
    """

    key: str
    zh: str
    en: str
    services: dict[str, tuple[str, ...]]
    cutoffs_s: dict[str, float]
    weights: dict[str, float]
    labels: dict[str, tuple[str, str]]
    source: str
    tag: str


def load_required_set(key: str, path: str | Path | None = None) -> RequiredSet:
    """Read a set of required services.

    Parameters
    ----------
    key : str
        Name of the set: ``daily_life``, ``nexi``, or one of an own table.
    path : str or pathlib.Path, optional
        Own TOML table; the package's (``data/completeness.toml``) where left out.

    Raises
    ------
    StudyError
        No such set, or it is incomplete.
    MissingFileError, BrokenFileError
        The own table is not there or is not TOML.

    Examples
    --------
    >>> nexi = load_required_set("nexi")
    >>> len(nexi.services), nexi.services["restaurants"], nexi.cutoffs_s["parks"], nexi.weights["shops"]
    (8, ('restaurant', 'canteen'), 900.0, 1.0)
    """
    where = str(path or "completeness.toml")
    source = Path(path) if path else files("bishan_gis").joinpath("data/completeness.toml")
    try:
        rows = tomllib.loads(source.read_text(encoding="utf-8")).get("set", [])
    except FileNotFoundError as err:
        raise MissingFileError(f"找不到清单 {where}", f"no table of sets at {where}") from err
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise BrokenFileError(f"{where}: 不是有效的 TOML: {err}", f"{where}: not valid TOML: {err}") from err
    known = {str(row.get("key")): row for row in rows if isinstance(row, dict)}
    if key not in known:
        zh, en = known_names(key, known)
        raise StudyError(f"{where}: 没有清单 {key!r};{zh}", f"{where}: no set {key!r}; {en}")
    try:
        return _read_set(known[key])
    except (KeyError, TypeError, ValueError) as err:
        raise StudyError(f"{where}: 清单 {key} 有误: {err!r}", f"{where}: set {key} is wrong: {err!r}") from err


def _read_set(row: Mapping[str, Any]) -> RequiredSet:
    rows = row["category"]
    services = {str(c["key"]): tuple(str(s) for s in c["services"]) for c in rows}
    if len(services) < len(rows) or not all(services.values()):
        raise ValueError(row["category"])
    cutoffs = {str(c["key"]): float(c.get("cutoff_s", row["cutoff_s"])) for c in rows}
    weights = {str(c["key"]): float(c.get("weight", 1.0)) for c in rows}
    labels = {str(c["key"]): (str(c["zh"]), str(c["en"])) for c in rows}
    return RequiredSet(
        key=str(row["key"]),
        zh=str(row["zh"]),
        en=str(row["en"]),
        services=services,
        cutoffs_s=cutoffs,
        weights=weights,
        labels=labels,
        source=str(row["source"]),
        tag=str(row["tag"]),
    )


@dataclass(frozen=True, eq=False)
class CategoryTimes:
    """Times to each category from each origin, as arrays of categories x origins.

    Attributes
    ----------
    origins : pandas.Index
        Origins in the order of the table.
    categories : list of str
        Categories in the order asked for.
    value_s : ndarray
        Time to the nearest service of the category [s]; NaN where none is reached.
    unknown_from_s : ndarray
        Earliest time at which the traveller could leave the data [s]; NaN: cannot.
    off_network, unreachable : ndarray of bool
        The origin lies off the network; no street leads to any service of the category and nothing is unknown.
    """

    origins: pd.Index
    categories: list[str]
    value_s: NDArray[np.float64]
    unknown_from_s: NDArray[np.float64]
    off_network: NDArray[np.bool_]
    unreachable: NDArray[np.bool_]

    def reached(self, cutoffs_s: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where each category is reached within its cutoff, and where that is not known."""
        yes = self.value_s <= cutoffs_s[:, None]
        return yes, ~yes & (self.off_network | (self.unknown_from_s <= cutoffs_s[:, None]))


def category_times(
    access: pd.DataFrame, required: Sequence[str] | Mapping[str, Sequence[str]], *, absent: str = "error"
) -> CategoryTimes:
    """Arrange an ``access`` table by category; of several services of a category the nearest counts.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s], a row for every origin and service; see
        :func:`bishan_gis.access.nearest.nearest_cost`.
    required : sequence of str, or mapping
        Services; or category -> services, any one of which will do.
    absent : str
        What a service without any row is: ``error``, or ``missing``, so that nobody reaches it (a district that has
        no such facility).

    Raises
    ------
    InputError
        Nothing is required, a service stands alone and not in a list, or `absent` is neither.
    SchemaError
        A column is missing, a service has no rows, or a pair of origin and service is missing or repeats.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "A"], "service": ["bank", "post"], "value": [900.0, 300.0],
    ...                        "status": "reached", "unknown_from_s": float("nan")})
    >>> category_times(access, {"money": ["bank", "post"]}).value_s.tolist()
    [[300.0]]
    """
    check_columns(access, _COLUMNS, where="access")
    check_listed(required=required)
    wanted = dict(required) if isinstance(required, Mapping) else {s: [s] for s in required}
    check_listed(**{f"required[{name!r}]": group for name, group in wanted.items()})
    if not wanted or not all(wanted.values()) or absent not in ("error", "missing"):
        raise InputError(
            f"required 须列出服务 ({len(wanted)} 项),absent 须为 error 或 missing (现为 {absent!r})",
            f"required must name services ({len(wanted)} do), absent must be error or missing (it is {absent!r})",
        )
    at, ids = pd.factorize(access["origin_id"], use_na_sentinel=False)
    origins = pd.Index(ids, name="origin_id")
    names = list(dict.fromkeys(s for group in wanted.values() for s in group))
    present = set(access["service"].unique())
    lost = [s for s in names if s not in present]
    if lost and absent == "error":
        hints = [h for h in (nearest_name(s, present) for s in lost) if h]
        raise SchemaError(
            f"access: 没有 {len(lost)} 种服务的行 ({'、'.join(lost)})"
            + (f",是否指 {'、'.join(hints)}?" if hints else "")
            + ";若区内确无此类设施,请用 absent='missing'",
            f"access: no rows for {len(lost)} services ({', '.join(lost)})"
            + (f", did you mean {', '.join(hints)}?" if hints else "")
            + "; if there is no such facility, use absent='missing'",
        )
    row = pd.Index(names).get_indexer(pd.Index(access["service"]))
    here = row >= 0
    row, column = row[here], at[here]
    count = np.bincount(row * len(origins) + column, minlength=len(names) * len(origins)).reshape(len(names), -1)
    wrong = int((count[[s in present for s in names]] != 1).sum())
    if wrong:
        raise SchemaError(
            f"access: {wrong} 组起点与服务缺行或重复;每组须恰有一行",
            f"access: {wrong} pairs of origin and service have no row or several; each must have one",
        )
    value = np.full((len(names), len(origins)), np.nan)
    value[row, column] = access["value"].to_numpy(dtype=np.float64, na_value=np.nan)[here]
    off = np.zeros(len(origins), dtype=bool)
    leave = np.full(len(origins), np.inf)
    np.fmin.at(leave, at, access["unknown_from_s"].to_numpy(dtype=np.float64, na_value=np.nan))
    off[at[(access["status"] == "off_network").to_numpy()]] = True
    leave = np.where(np.isinf(leave), np.nan, leave)
    best = np.full((len(wanted), len(origins)), np.nan)
    for i, group in enumerate(wanted.values()):
        for service in group:
            best[i] = np.fmin(best[i], value[names.index(service)])
    shape = (len(wanted), 1)
    none = np.isnan(best) & np.isnan(leave) & ~off
    return CategoryTimes(origins, list(wanted), best, np.tile(leave, shape), np.tile(off, shape), none)


def match_numbers(given: float | Mapping[str, float], categories: Sequence[str], *, where: str) -> NDArray[np.float64]:
    """Return one number above 0 per category, from one for all or one each."""
    if not isinstance(given, Mapping):
        check_positive(**{where: given})
        return np.full(len(categories), float(given))
    odd = sorted({*given} ^ {*categories})
    if odd:
        raise InputError(
            f"{where}: 须与 required 的类别一致;不符: {'、'.join(odd)}",
            f"{where}: must name the categories of required; these differ: {', '.join(odd)}",
        )
    check_positive(**{f"{where}[{c}]": given[c] for c in categories})
    return np.array([given[c] for c in categories], dtype=np.float64)


def completeness(
    access: pd.DataFrame,
    required: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    cutoff_s: float | Mapping[str, float],
    weights: Mapping[str, float] | None = None,
    absent: str = "error",
) -> pd.DataFrame:
    """Measure the share of the required services that each origin reaches within the cutoff.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s]; see :func:`category_times`.
    required : sequence of str, or mapping
        Services; or category -> services, any one of which will do.
    cutoff_s : float or mapping
        Largest time that counts, inclusive [s]: one for all, or category -> its own.
    weights : mapping, optional
        Category -> how much it counts, above 0. Default: all the same.
    absent : str
        What a service without any row is: ``error`` or ``missing``.

    Returns
    -------
    pandas.DataFrame
        Indexed by origin: ``completeness_low, completeness_high`` (0 to 1: what is certainly reached, and what more
        data could make of it), ``n_reached, n_missing, n_unknown`` (categories) and ``status``: ``reached`` (all of
        them), ``beyond_cutoff`` (certainly not all), ``unreachable`` (no street leads to any of them),
        ``off_network``, ``unknown`` (more data could change the share).

    Raises
    ------
    InputError
        Nothing is required, a cutoff or weight is not above 0, or they name other categories.
    SchemaError
        As :func:`category_times`.

    Notes
    -----
    ``low = sum_c w_c [t_c <= cutoff_c] / sum_c w_c``; a category that is not reached is unknown where the origin lies
    off the network or the traveller could leave the data within the cutoff: it is counted in ``high``. Reached is
    always certain: more data can only bring a service nearer.

    Examples
    --------
    A reaches the school and not the clinic; B reaches neither and could leave the data after 600 s.

    >>> access = pd.DataFrame({"origin_id": ["A", "B"] * 2, "service": ["school"] * 2 + ["clinic"] * 2,
    ...     "value": [300.0, 1200.0, 1500.0, float("nan")], "unknown_from_s": [float("nan"), 600.0] * 2,
    ...     "status": ["reached", "reached", "reached", "unknown"]})
    >>> table = completeness(access, ["school", "clinic"], cutoff_s=900, weights={"school": 3, "clinic": 1})
    >>> table[["completeness_low", "completeness_high", "status"]].values.tolist()
    [[0.75, 0.75, 'beyond_cutoff'], [0.0, 1.0, 'unknown']]
    """
    times = category_times(access, required, absent=absent)
    cutoffs = match_numbers(cutoff_s, times.categories, where="cutoff_s")
    weight = match_numbers(weights if weights is not None else 1.0, times.categories, where="weights")
    share = weight / weight.sum()
    yes, unknown = times.reached(cutoffs)
    every, some = yes.all(axis=0), unknown.any(axis=0)
    status = np.full(len(times.origins), "beyond_cutoff", dtype=object)
    status[times.unreachable.all(axis=0)] = "unreachable"
    status[some] = "unknown"
    status[times.off_network[0]] = "off_network"
    status[every] = "reached"
    low = np.where(every, 1.0, share @ yes)
    return pd.DataFrame(
        {
            "completeness_low": low,
            "completeness_high": np.where((yes | unknown).all(axis=0), 1.0, np.maximum(low, share @ (yes | unknown))),
            "n_reached": yes.sum(axis=0),
            "n_missing": (~yes & ~unknown).sum(axis=0),
            "n_unknown": unknown.sum(axis=0),
            "status": status,
        },
        index=times.origins,
    )


def missing_services(
    access: pd.DataFrame,
    required: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    cutoff_s: float | Mapping[str, float],
    absent: str = "error",
) -> pd.DataFrame:
    """List what each origin does not reach within the cutoff.

    Parameters
    ----------
    access : pandas.DataFrame
        ``origin_id, service, value`` [s]``, status, unknown_from_s`` [s]; see :func:`category_times`.
    required : sequence of str, or mapping
        Services; or category -> services, any one of which will do.
    cutoff_s : float or mapping
        Largest time that counts, inclusive [s]: one for all, or category -> its own.
    absent : str
        What a service without any row is: ``error`` or ``missing``.

    Returns
    -------
    pandas.DataFrame
        ``origin_id, category, cutoff_s, value`` [s; NaN: no path]``, status``, by origin and category in their
        order; one row per category not reached: ``beyond_cutoff``, ``unreachable``, ``off_network`` or ``unknown``.

    Raises
    ------
    InputError, SchemaError
        As :func:`completeness`.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "A"], "service": ["school", "clinic"], "value": [300.0, 1500.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> missing_services(access, ["school", "clinic"], cutoff_s=900)[["category", "value", "status"]].values.tolist()
    [['clinic', 1500.0, 'beyond_cutoff']]
    """
    times = category_times(access, required, absent=absent)
    cutoffs = match_numbers(cutoff_s, times.categories, where="cutoff_s")
    yes, unknown = times.reached(cutoffs)
    status = np.full(yes.shape, "beyond_cutoff", dtype=object)
    status[times.unreachable] = "unreachable"
    status[unknown] = "unknown"
    status[times.off_network] = "off_network"
    origin, category = np.nonzero(~yes.T)
    return pd.DataFrame(
        {
            "origin_id": times.origins.to_numpy()[origin],
            "category": np.array(times.categories, dtype=object)[category],
            "cutoff_s": cutoffs[category],
            "value": times.value_s[category, origin],
            "status": status[category, origin],
        }
    )
