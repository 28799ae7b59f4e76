"""The long travel matrix: its checks, and its pairs as positions that measures add up.

A travel matrix has one row per reached pair: ``from_id``, ``to_id`` and a cost. A pair that is missing is not reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError, SchemaError
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pairs", "check_positive", "check_travel_matrix", "match_amounts", "match_pairs"]


@dataclass(frozen=True)
class Pairs:
    """The reached pairs, sorted by origin and then destination, so that sums do not depend on the order of rows.

    Parameters
    ----------
    origins, destinations : pandas.Index
        What positions refer to.
    origin, destination : ndarray of int
        Position of each pair's ends.
    cost : ndarray of float64
        Cost of each pair [s].
    """

    origins: pd.Index
    destinations: pd.Index
    origin: NDArray[np.intp]
    destination: NDArray[np.intp]
    cost: NDArray[np.float64]

    def sum_origins(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up a value per pair for each origin; 0 where there is no pair."""
        return np.bincount(self.origin, weights=values, minlength=len(self.origins)).astype(np.float64, copy=False)

    def sum_destinations(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up a value per pair for each destination; 0 where there is no pair."""
        return np.bincount(self.destination, weights=values, minlength=len(self.destinations)).astype(
            np.float64, copy=False
        )

    def keep(self, mask: NDArray[np.bool_]) -> Pairs:
        """Return only the pairs where `mask` holds, over the same origins and destinations."""
        return Pairs(self.origins, self.destinations, self.origin[mask], self.destination[mask], self.cost[mask])

    def sort_by_cost(self) -> Pairs:
        """Return the pairs of each origin with the cheapest first; equal costs stay in order of destination."""
        order = np.lexsort((self.cost, self.origin))
        return Pairs(self.origins, self.destinations, self.origin[order], self.destination[order], self.cost[order])

    def starts(self) -> NDArray[np.intp]:
        """Return where the pairs of each origin begin, and at the end the number of pairs."""
        counts = np.bincount(self.origin, minlength=len(self.origins))
        return np.concatenate([[0], np.cumsum(counts)])

    def series(self, values: NDArray[np.float64], name: str) -> pd.Series:
        """Return a value per origin on the caller's index."""
        return pd.Series(values, index=self.origins, name=name)


def check_positive(**values: float) -> None:
    """Raise when a parameter is not a finite number above 0.

    Parameters
    ----------
    **values : float
        Parameters by name.

    Raises
    ------
    InputError
        One or more values are 0, negative, infinite or NaN; all are named at once.

    Examples
    --------
    >>> check_positive(cutoff_s=900)
    """
    wrong = [f"{name} = {value}" for name, value in values.items() if not (np.isfinite(value) and value > 0)]
    if wrong:
        raise InputError(
            f"参数必须是大于 0 的有限数: {'、'.join(wrong)}",
            f"parameters must be finite and above 0: {', '.join(wrong)}",
        )


def _shown(ids: pd.Series) -> str:
    return ", ".join(str(i) for i in ids.unique()[:5])


def _positions(ids: pd.Series, known: pd.Index) -> NDArray[np.intp]:
    """Return the position of each id in `known`, -1 where it is not; each category is looked up once."""
    if isinstance(ids.dtype, pd.CategoricalDtype):
        found = known.get_indexer(ids.cat.categories)
        return np.append(found, -1)[ids.cat.codes.to_numpy()].astype(np.intp)
    return known.get_indexer(pd.Index(ids))


def _known(ids: pd.Series) -> pd.Index:
    if isinstance(ids.dtype, pd.CategoricalDtype):
        ids = ids.astype(ids.cat.categories.dtype)
    known: pd.Index = pd.Index(ids.dropna().unique()).sort_values()
    return known


def match_pairs(
    travel_matrix: pd.DataFrame,
    *,
    origins: pd.Index | None = None,
    destinations: pd.Index | None = None,
    cost: str = "cost_s",
) -> Pairs:
    """Check a travel matrix and turn its ids into positions.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        ``from_id``, ``to_id`` and the column named by `cost` [s]; one row per reached pair.
    origins, destinations : pandas.Index, optional
        All that are known, in the order wanted; default: those of the matrix, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    Pairs
        Sorted by origin and destination.

    Raises
    ------
    MissingColumnError
        A column is missing.
    SchemaError
        Costs that are not numbers, missing, infinite or negative, pairs that repeat, ids that are missing or
        unknown: everything that is wrong is said at once.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["B", "A"], "to_id": ["f", "f"], "cost_s": [90.0, 60.0]})
    >>> match_pairs(matrix).cost.tolist()
    [60.0, 90.0]
    """
    check_columns(travel_matrix, ["from_id", "to_id", cost], where="travel_matrix")
    column = travel_matrix[cost]
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise SchemaError(
            f"travel_matrix: 列 {cost} 不是数值 ({column.dtype});请换算为秒",
            f"travel_matrix: column {cost} is not numeric ({column.dtype}); convert it to seconds",
        )
    costs = column.to_numpy(dtype=np.float64, na_value=np.nan)
    problems: list[tuple[str, str]] = []
    odd = int((~np.isfinite(costs)).sum())
    if odd:
        problems.append(
            (
                f"{cost} 有 {odd} 个缺失或无穷值 (不可达的点对应删去该行)",
                f"{odd} missing or infinite values in {cost} (leave out the row of a pair that is not reached)",
            )
        )
    negative = int((costs < 0).sum())
    if negative:
        problems.append((f"{cost} 有 {negative} 个负值", f"{negative} negative values in {cost}"))
    ends: list[NDArray[np.intp]] = []
    indexes: list[pd.Index] = []
    for name, given in (("from_id", origins), ("to_id", destinations)):
        known = _known(travel_matrix[name]) if given is None else given
        if not known.is_unique:
            twice = _shown(known[known.duplicated()].to_series())
            raise SchemaError(f"{name}: 已知的标识有重复: {twice}", f"{name}: known ids repeat: {twice}")
        ids = travel_matrix[name]
        at = _positions(ids, known)
        lost = at < 0
        if lost.any():
            shown = _shown(ids[lost])
            problems.append(
                (
                    f"{name} 有 {int(lost.sum())} 行的标识缺失或未知 ({shown})",
                    f"{int(lost.sum())} rows with a missing or unknown {name} ({shown})",
                )
            )
        ends.append(at)
        indexes.append(known)
    origin, destination = ends
    key = origin.astype(np.int64) * (len(indexes[1]) + 1) + destination
    step = np.diff(key)
    if (step < 0).any():
        order = np.argsort(key, kind="stable")
        origin, destination, costs = origin[order], destination[order], costs[order]
        step = np.diff(key[order])
    # Ids that are not known are said above; here only true pairs count.
    twice_n = int(((step == 0) & (origin[1:] >= 0) & (destination[1:] >= 0)).sum())
    if twice_n:
        problems.append((f"{twice_n} 个点对重复", f"{twice_n} pairs occur more than once"))
    if problems:
        raise SchemaError(
            "travel_matrix: " + ";".join(zh for zh, _ in problems),
            "travel_matrix: " + "; ".join(en for _, en in problems),
        )
    return Pairs(indexes[0], indexes[1], origin, destination, costs)


def check_travel_matrix(
    travel_matrix: pd.DataFrame,
    *,
    origins: pd.Index | None = None,
    destinations: pd.Index | None = None,
    cost: str = "cost_s",
) -> None:
    """Raise when a travel matrix cannot be used; see :func:`match_pairs` for what is checked.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        ``from_id``, ``to_id`` and the column named by `cost` [s].
    origins, destinations : pandas.Index, optional
        All ids that are known.
    cost : str
        The column that holds the cost.

    Raises
    ------
    MissingColumnError, SchemaError
        As :func:`match_pairs`.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "f"], "cost_s": [60.0, -1.0]})
    >>> try:
    ...     check_travel_matrix(matrix)
    ... except SchemaError as error:
    ...     print(error.message("en"))
    travel_matrix: 1 negative values in cost_s; 1 pairs occur more than once
    """
    match_pairs(travel_matrix, origins=origins, destinations=destinations, cost=cost)


def match_amounts(amounts: pd.Series, *, where: str) -> NDArray[np.float64]:
    """Check supply, demand or people and return them as numbers.

    Parameters
    ----------
    amounts : pandas.Series
        One amount per id; the index is the id.
    where : str
        What the reader knows it as.

    Returns
    -------
    ndarray of float64
        In the order of the index.

    Raises
    ------
    SchemaError
        An id repeats, or an amount is not a number, missing, infinite or negative.

    Examples
    --------
    >>> match_amounts(pd.Series({"f": 30}), where="supply")
    array([30.])
    """
    numeric = pd.api.types.is_numeric_dtype(amounts.dtype)
    values = amounts.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else np.full(len(amounts), np.nan)
    odd = int((~np.isfinite(values) | (values < 0)).sum())
    twice = int(amounts.index.duplicated().sum())
    if odd or twice:
        raise SchemaError(
            f"{where}: {odd} 个值缺失、为负或不是数值,{twice} 个标识重复",
            f"{where}: {odd} values missing, negative or not numeric, {twice} ids repeat",
        )
    return values
