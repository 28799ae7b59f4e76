"""The long travel matrix: its checks, and its pairs as positions that measures add up.

A travel matrix has one row per reached pair: ``from_id``, ``to_id`` and a cost. A pair that is missing is not reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.pairs import Pairs, count_repeats, say_order, sort_pairs
from bishan_gis.access.text_ids import find_texts
from bishan_gis.errors import InputError, SchemaError
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.access.decay import Decay

__all__ = ["Pairs", "check_travel_matrix", "match_amounts", "match_pairs"]
__all__ += ["match_sides", "say_lost", "weigh"]


def _shown(ids: pd.Series) -> str:
    return ", ".join(str(i) for i in ids.unique()[:5])


def _strangers(lost: pd.Series, name: str, known: pd.Index, holder: str) -> tuple[str, str]:
    """Say which ids are not known, and how those look that are: text in quotes, so that '1' is told from 1."""
    n, shown = len(lost), _shown(lost)
    if len(known):
        held = ", ".join(repr(i) for i in known[:3].tolist())
        held_zh, held_en = f"{holder} 的索引形如 {held}", f"the index of {holder} has {held}"
    else:
        held_zh, held_en = f"{holder} 为空", f"{holder} is empty"
    return (
        f"{name} 有 {n} 行的标识缺失或未知 ({shown});{held_zh},须为同一标识、同一类型",
        f"{n} rows with a missing or unknown {name} ({shown}); {held_en}: it must hold the same ids, of the same type",
    )


def _positions(ids: pd.Series, known: pd.Index) -> NDArray[np.int32]:
    """Return the position of each id in `known`, -1 where it is not; each distinct id is looked up once."""
    if isinstance(ids.dtype, pd.CategoricalDtype):
        codes, kinds = ids.cat.codes.to_numpy(), ids.cat.categories
    elif ids.dtype.kind in "iu" and isinstance(ids.dtype, np.dtype) and isinstance(known.dtype, np.dtype):
        return _whole_positions(ids.to_numpy(), known)
    else:
        found = find_texts(ids, known)
        if found is not None:
            return found
        codes, kinds = pd.factorize(ids)
    if len(codes) == 0:
        return np.empty(0, dtype=np.int32)
    # The -1 at the end answers for the code -1: an id that is missing.
    return np.append(known.get_indexer(pd.Index(kinds)), -1).astype(np.int32)[codes]


def _whole_positions(ids: NDArray[np.int_], known: pd.Index) -> NDArray[np.int32]:
    """Find whole numbers in a table from the least to the largest known one, if it is short enough to write down."""
    if len(known) == 0 or known.dtype.kind not in "iu":
        return known.get_indexer(pd.Index(ids)).astype(np.int32)
    low, high = int(known.min()), int(known.max())
    if high - low >= 8 * max(len(known), len(ids)) or high > np.iinfo(np.int64).max:
        return known.get_indexer(pd.Index(ids)).astype(np.int32)
    table = np.full(high - low + 1, -1, dtype=np.int32)
    table[known.to_numpy().astype(np.int64) - low] = np.arange(len(known))
    inside = (ids >= low) & (ids <= high)
    if inside.all():
        return table[ids.astype(np.int64, copy=False) - low]
    return np.where(inside, table[np.where(inside, ids, low).astype(np.int64) - low], np.int32(-1))


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
    by_origin: bool = True,
    holders: tuple[str, str] = ("origins", "supply"),
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
    by_origin : bool
        Whether the pairs must be sorted by origin and destination. If not, pairs that come sorted by destination and
        origin stay so: enough for sums, which meet the pairs of an origin, and those of a destination, in the same
        order either way.
    holders : (str, str)
        What the reader knows the tables as whose ids are `origins` and `destinations`.

    Returns
    -------
    Pairs
        Sorted, so that no result depends on the order of rows.

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
    ends: list[NDArray[np.int32]] = []
    indexes: list[pd.Index] = []
    for name, given, holder in zip(("from_id", "to_id"), (origins, destinations), holders, strict=True):
        known = _known(travel_matrix[name]) if given is None else given
        if not isinstance(known, pd.Index):  # an index stays the one that remembers whether its ids repeat
            known = pd.Index(known)
        if not known.is_unique:
            twice = _shown(known[known.duplicated()].to_series())
            raise SchemaError(f"{name}: 已知的标识有重复: {twice}", f"{name}: known ids repeat: {twice}")
        ids = travel_matrix[name]
        at = _positions(ids, known)
        lost = at < 0
        if lost.any():
            problems.append(_strangers(ids[lost], name, known, holder))
        ends.append(at)
        indexes.append(known)
    origin, destination = ends
    if any((at < 0).any() for at in ends):
        # Ids that are not known are said above; repeats are looked for among the rest.
        true = (origin >= 0) & (destination >= 0)
        origin, destination, costs = origin[true], destination[true], costs[true]
    laid = say_order(origin, destination)
    if laid == 0 or (laid == 1 and by_origin):
        origin, destination, costs = sort_pairs(origin, destination, costs, len(indexes[0]), len(indexes[1]))
    twice_n = int(count_repeats(origin, destination))
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


def match_amounts(amounts: pd.Series, *, where: str, signed: bool = False) -> NDArray[np.float64]:
    """Check supply, demand or people and return them as numbers.

    Parameters
    ----------
    amounts : pandas.Series
        One amount per id; the index is the id.
    where : str
        What the reader knows it as.
    signed : bool
        They may be below 0, as what only ranks people may.

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
    if not isinstance(amounts, pd.Series):
        kind = type(amounts).__name__
        raise SchemaError(
            f"{where}: 须为以标识为索引的 pandas.Series, 而不是 {kind}",
            f"{where} must be a pandas.Series indexed by id, not a {kind}",
        )
    numeric = pd.api.types.is_numeric_dtype(amounts.dtype)
    values = amounts.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else np.full(len(amounts), np.nan)
    problems: list[tuple[str, str]] = []
    odd = ~np.isfinite(values) | ((values < 0) & (not signed))
    if odd.any():
        n, shown = int(odd.sum()), _shown(amounts.index[odd].to_series())
        zh, en = ("缺失", "missing") if signed else ("缺失、为负", "missing, negative")
        problems.append((f"{n} 个值{zh}或不是数值 ({shown})", f"{n} values {en} or not numeric ({shown})"))
    if not amounts.index.is_unique:
        again = amounts.index[amounts.index.duplicated()].to_series()
        problems.append((f"{len(again)} 个标识重复 ({_shown(again)})", f"{len(again)} ids repeat ({_shown(again)})"))
    if problems:
        raise SchemaError(
            f"{where}: {','.join(zh for zh, _ in problems)};请补全或删去",
            f"{where}: {', '.join(en for _, en in problems)}; complete or drop them",
        )
    return values


def say_lost(index: pd.Index, wanted: pd.Index, holder: str) -> tuple[str, str]:
    """Say which ids a table lacks, text in quotes; nothing where it has them all.

    Parameters
    ----------
    index, wanted : pandas.Index
        Ids it has, and those it should.
    holder : str
        What the reader knows the table as.

    Returns
    -------
    (zh, en)
        To go behind a count of rows.

    Examples
    --------
    >>> say_lost(pd.Index(["1", "2"]), pd.Index([1]), "people")[1]
    '; people lacks 1: 1'
    """
    lost = wanted.difference(index, sort=False)
    some = ", ".join(repr(i) for i in lost[:5].tolist())
    return (f";{holder} 缺 {len(lost)} 个: {some}", f"; {holder} lacks {len(lost)}: {some}") if len(lost) else ("", "")


def match_sides(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    demand: pd.Series,
    *,
    cost: str = "cost_s",
    by_origin: bool = False,
) -> tuple[Pairs, NDArray[np.float64], NDArray[np.float64]]:
    """Check the three tables of a measure of competition.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        ``from_id``, ``to_id`` and the column named by `cost` [s]; one row per reached pair.
    supply, demand : pandas.Series
        Indexed by facility and by origin; amounts, not negative.
    cost : str
        The column that holds the cost.
    by_origin : bool
        As :func:`match_pairs`.

    Returns
    -------
    Pairs, ndarray of float64, ndarray of float64
        The pairs over all of `demand` and `supply`, capacity per destination, people per origin.

    Raises
    ------
    MissingColumnError, SchemaError
        As :func:`match_pairs` and :func:`match_amounts`.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A"], "to_id": ["f"], "cost_s": [60.0]})
    >>> pairs, capacity, people = match_sides(matrix, pd.Series({"f": 30}), pd.Series({"A": 10, "B": 20}))
    >>> pairs.origin.tolist(), capacity.tolist(), people.tolist()
    ([0], [30.0], [10.0, 20.0])
    """
    capacity, people = match_amounts(supply, where="supply"), match_amounts(demand, where="demand")
    pairs = match_pairs(
        travel_matrix,
        origins=demand.index,
        destinations=supply.index,
        cost=cost,
        by_origin=by_origin,
        holders=("demand", "supply"),
    )
    return pairs, capacity, people


def weigh(decay: Decay, cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of costs and check them: a decay function may be anybody's own.

    Parameters
    ----------
    decay : callable
        Costs [s] to weights.
    cost : ndarray of float64
        Costs [s].

    Returns
    -------
    ndarray of float64
        One weight per cost.

    Raises
    ------
    InputError
        Not one weight per cost, or weights that are missing, infinite or negative.

    Examples
    --------
    >>> weigh(lambda cost: 1 / (1 + cost), np.array([0.0, 1.0])).tolist()
    [1.0, 0.5]
    """
    if not callable(decay):
        raise InputError(
            f"decay = {decay!r}: 须为衰减函数, 如 bishan_gis.exponential(rate_per_s=...)",
            f"decay = {decay!r} must be a function of costs, such as bishan_gis.exponential(rate_per_s=...)",
        )
    weight = np.ascontiguousarray(decay(cost), dtype=np.float64)
    if weight.shape != cost.shape:
        raise InputError(
            f"decay 须为每个成本返回一个权重: {cost.shape} 个成本得到 {weight.shape}",
            f"decay must return one weight per cost: {cost.shape} costs gave {weight.shape}",
        )
    odd = int((~np.isfinite(weight) | (weight < 0)).sum())
    if odd:
        raise InputError(
            f"decay 返回的权重中有 {odd} 个缺失、无穷或为负",
            f"{odd} weights returned by decay are missing, infinite or negative",
        )
    return weight
