"""Where results cluster: Moran's I, its local parts, and hot and cold spots of Getis and Ord.

Needs the extra ``stats``: esda and libpysal give the statistics. Significance is found here, with ties counted on both
sides: where many cells share a value (covered or not), counting them on one side finds clusters in pure chance.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import say_lost
from bishan_gis.access.neighbours import Neighbours, find_neighbours
from bishan_gis.errors import InputError, NoDataError, SchemaError
from bishan_gis.progress import Progress, counting

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GlobalMoran", "Neighbours", "find_neighbours", "global_moran", "hot_spots", "local_moran"]

#: Arrangements computed together.
_AT_ONCE = 32


def _stats() -> tuple[Any, Any]:
    """Import esda and libpysal, or say how to get them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import esda  # type: ignore[import-untyped]
            from libpysal.graph import Graph  # type: ignore[import-untyped]
    except ImportError as err:
        raise InputError(
            f"空间统计需要 esda 与 libpysal ({err.name} 不可用);请安装: pip install bishan-gis[stats]",
            f"spatial statistics need esda and libpysal ({err.name} is not there): pip install bishan-gis[stats]",
        ) from err
    return esda, Graph


def _prepare(
    values: pd.Series, neighbours: Neighbours, permutations: int
) -> tuple[NDArray[np.float64], Neighbours, pd.Series]:
    """Return numbers and neighbours of the cells that take part, and what stands in the way of the others."""
    if permutations < 99:
        raise InputError(
            f"permutations = {permutations} 须不小于 99", f"permutations = {permutations}: take 99 or more"
        )
    ids = neighbours.ids
    if not values.index.is_unique or len(values) != len(ids) or not ids.isin(values.index).all():
        lost_zh, lost_en = say_lost(values.index, ids, "values")
        raise SchemaError(
            f"values 与 neighbours 的单元须一致 ({len(values)} 与 {len(ids)} 个{lost_zh})",
            f"values and neighbours must have the same cells ({len(values)} and {len(ids)}{lost_en})",
        )
    number = values.loc[ids].to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(number)
    left = neighbours.among(known)
    social = np.zeros(len(ids), dtype=bool)
    social[np.flatnonzero(known)[left.counts.to_numpy() > 0]] = True
    state = pd.Series(np.select([~known, ~social], ["unknown", "island"], "ok").astype(object), index=ids)
    left, number = neighbours.among(social), number[social]
    if len(number) < 3 or np.ptp(number) <= 0:
        raise NoDataError(
            f"values: 有邻居且有值的单元 {len(number)} 个,须至少 3 个且取值不全相同",
            f"values: {len(number)} cells have a value and neighbours; 3 are needed, and not all with the same value",
        )
    return number, left, state


def _graph(graph: Any, neighbours: Neighbours) -> Any:
    weight = np.ones(len(neighbours.focal))
    return graph.from_arrays(neighbours.focal, neighbours.neighbour, weight)


class GlobalMoran(NamedTuple):
    """Moran's I of a result.

    Parameters
    ----------
    statistic, expected, z_score, p_value : float
        I, its expectation where nothing clusters, and how far it lies from the permutations; `p_value` is two-sided.
    n_cells, n_islands, n_unknown : int
        Cells that took part; left out for want of neighbours; left out for want of a value.
    """

    statistic: float
    expected: float
    z_score: float
    p_value: float
    n_cells: int
    n_islands: int
    n_unknown: int


def global_moran(values: pd.Series, neighbours: Neighbours, *, permutations: int = 999, seed: int = 0) -> GlobalMoran:
    """Measure whether like values lie beside like (above the expectation) or beside unlike ones (below it).

    Parameters
    ----------
    values : pandas.Series
        Indexed by cell; a result. Cells without a finite value are left out.
    neighbours : Neighbours
        Of the same cells.
    permutations : int
        Random arrangements to compare with, 99 or more.
    seed : int
        Of the arrangements: the same seed gives the same answer.

    Returns
    -------
    GlobalMoran
        The statistic and what it rests on.

    Raises
    ------
    InputError
        Too few permutations, or the extra ``stats`` is not installed.
    SchemaError
        The cells differ.
    NoDataError
        Fewer than 3 cells take part, or all have the same value.

    Notes
    -----
    ``I = n / S0 * sum_ij w_ij z_i z_j / sum_i z_i**2`` with ``z`` the deviation from the mean, ``w`` summing to 1 over
    the neighbours of each cell and ``S0 = n``; expectation ``-1 / (n - 1)`` (Moran 1950 [K]; statistic by esda).
    ``p = min(1, 2 (1 + min(a, b)) / (1 + permutations))`` with a, b the arrangements at or above and at or below I.

    Examples
    --------
    A B C in a row, values 0, 0, 3: z = -1, -1, 2; lags -1, 0.5, -1; I = (1 - 0.5 - 2) / 6.

    >>> row = Neighbours(pd.Index(list("ABC")), np.array([0, 1, 1, 2]), np.array([1, 0, 2, 1]))
    >>> global_moran(pd.Series({"A": 0, "B": 0, "C": 3}), row).statistic
    -0.25
    """
    from scipy.sparse import csr_matrix

    esda, graph = _stats()
    number, left, state = _prepare(values, neighbours, permutations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = esda.Moran(number, _graph(graph, left), permutations=0)
    z = number - number.mean()
    n = len(z)
    weight = 1.0 / left.counts.to_numpy()[left.focal]
    lag = csr_matrix((weight, (left.focal, left.neighbour)), shape=(n, n))
    rng = np.random.default_rng(seed)
    random = np.empty(permutations)
    for first in range(0, permutations, _AT_ONCE):
        mixed = np.column_stack([rng.permutation(z) for _ in range(min(_AT_ONCE, permutations - first))])
        random[first : first + _AT_ONCE] = (mixed * (lag @ mixed)).sum(axis=0) / (z @ z)
    spread = float(random.std())
    return GlobalMoran(
        float(found.I),
        -1.0 / (n - 1),
        float((found.I - random.mean()) / spread) if spread > 0 else float("nan"),
        _tails(random, float(found.I)),
        n,
        int((state == "island").sum()),
        int((state == "unknown").sum()),
    )


def _tails(random: NDArray[np.float64], observed: float) -> float:
    """Return the two-sided p-value of an observation among random ones; equal ones count on both sides."""
    noise = 1e-9 * max(1.0, abs(observed))
    above, below = int((random >= observed - noise).sum()), int((random <= observed + noise).sum())
    return min(1.0, 2 * (1 + min(above, below)) / (1 + len(random)))


def _conditional_p(
    number: NDArray[np.float64], neighbours: Neighbours, permutations: int, seed: int, progress: Progress | None
) -> NDArray[np.float64]:
    """Return for each cell how rarely as many others, drawn at random, have a sum as far out as its neighbours."""
    n, count = len(number), neighbours.counts.to_numpy()
    rng = np.random.default_rng(seed)
    draws = np.array([rng.permutation(n - 1)[: count.max()] for _ in range(permutations)])
    own = np.bincount(neighbours.focal, weights=number[neighbours.neighbour], minlength=n)
    out = np.empty(n)
    with counting(progress, n, "permutations") as step:
        for i in range(n):
            others = draws[:, : count[i]]
            out[i] = _tails(number[others + (others >= i)].sum(axis=1), own[i])
            step(1)
    return out


def _local_table(
    state: pd.Series,
    statistic: NDArray[np.float64],
    p_value: NDArray[np.float64],
    kind: NDArray[np.object_],
    alpha: float,
) -> pd.DataFrame:
    """Put the results of the cells that took part beside those that did not, and correct for many tests."""
    from scipy.stats import false_discovery_control

    if not 0 < alpha < 1:
        raise InputError(f"alpha = {alpha} 须在 0 与 1 之间", f"alpha = {alpha} must lie between 0 and 1")
    part = (state == "ok").to_numpy()
    q_value = false_discovery_control(p_value, method="bh")
    out = pd.DataFrame(
        {"statistic": np.nan, "p_value": np.nan, "q_value": np.nan, "cluster": state.where(~part, "not_significant")},
        index=state.index,
    )
    for column, found in (("statistic", statistic), ("p_value", p_value), ("q_value", q_value)):
        out.loc[part, column] = found
    out.loc[part, "cluster"] = np.where(q_value <= alpha, kind, "not_significant")
    return out


def local_moran(
    values: pd.Series,
    neighbours: Neighbours,
    *,
    permutations: int = 999,
    seed: int = 0,
    alpha: float = 0.05,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Find where like values lie beside like, and where one stands out among its neighbours.

    Parameters
    ----------
    values : pandas.Series
        Indexed by cell; a result. Cells without a finite value are left out.
    neighbours : Neighbours
        Of the same cells.
    permutations : int
        Random arrangements of the neighbours of each cell, 99 or more. No p-value lies below 2 / (1 + permutations):
        take more where there are thousands of cells.
    seed : int
        Of the arrangements.
    alpha : float
        Share of false finds among the cells marked.
    progress : callable or bool, optional
        Called with cells done and in all; True draws a bar.

    Returns
    -------
    pandas.DataFrame
        Indexed by cell, in the order of `neighbours`: ``statistic``, ``p_value`` (two-sided), ``q_value`` (corrected
        for the number of cells) and ``cluster``: ``high_high, low_low, high_low`` (high among low)``, low_high``,
        ``not_significant``, ``island`` (no neighbours) or ``unknown`` (no value).

    Raises
    ------
    InputError
        Too few permutations, a wrong `alpha`, or the extra ``stats`` is not installed.
    SchemaError, NoDataError
        As :func:`global_moran`.

    Notes
    -----
    ``I_i = (n - 1) z_i sum_j w_ij z_j / sum_k z_k**2`` (Anselin 1995, doi:10.1111/j.1538-4632.1995.tb00338.x; esda),
    with conditional permutations: as many neighbours drawn from all other cells; significance controls the false
    discovery rate (Benjamini & Hochberg; Caldas de Castro & Singer 2006, Geographical Analysis) at `alpha`.

    Examples
    --------
    >>> row = Neighbours(pd.Index(list("ABC")), np.array([0, 1, 1, 2]), np.array([1, 0, 2, 1]))
    >>> table = local_moran(pd.Series({"A": 0, "B": 0, "C": 3}), row)
    >>> table["statistic"].round(4).tolist()  # 2 / 6 of (-1)(-1), (-1)(0.5), (2)(-1)
    [0.3333, -0.1667, -0.6667]
    """
    esda, graph = _stats()
    number, left, state = _prepare(values, neighbours, permutations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = esda.Moran_Local(number, _graph(graph, left), permutations=0, seed=seed)
    kind = np.array(["", "high_high", "low_high", "low_low", "high_low"], dtype=object)[found.q]
    # A cell at the mean has I = 0 whatever its neighbours are.
    p_value = np.where(found.z == 0, 1.0, _conditional_p(number, left, permutations, seed, progress))
    return _local_table(state, np.asarray(found.Is, dtype=np.float64), p_value, kind, alpha)


def hot_spots(
    values: pd.Series,
    neighbours: Neighbours,
    *,
    permutations: int = 999,
    seed: int = 0,
    alpha: float = 0.05,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Find where high values (hot spots) and low values (cold spots) gather: Gi* of Getis and Ord.

    Parameters
    ----------
    values : pandas.Series
        Indexed by cell; a result, not negative. Cells without a finite value are left out.
    neighbours : Neighbours
        Of the same cells; each cell also counts itself.
    permutations, seed, alpha, progress
        As :func:`local_moran`.

    Returns
    -------
    pandas.DataFrame
        Indexed by cell, in the order of `neighbours`: ``statistic`` (Gi* as a z-score), ``p_value`` (two-sided, by
        permutation), ``q_value`` and ``cluster``: ``hot, cold, not_significant, island`` or ``unknown``.

    Raises
    ------
    InputError
        A value is negative, or as :func:`local_moran`.
    SchemaError, NoDataError
        As :func:`global_moran`.

    Notes
    -----
    ``Gi* = sum_j w_ij y_j / sum_j y_j`` with w = 1 for the cell and its neighbours, less its expectation, over its
    standard deviation (Ord & Getis 1995, doi:10.1111/j.1538-4632.1995.tb00912.x; esda). Hot is where there is much of
    the value: for times, that is where it takes long.

    Examples
    --------
    A and B together hold 0 of 6, C and D all of it.

    >>> row = Neighbours(pd.Index(list("ABCD")), np.array([0, 1, 1, 2, 2, 3]), np.array([1, 0, 2, 1, 3, 2]))
    >>> hot_spots(pd.Series({"A": 0, "B": 0, "C": 3, "D": 3}), row)["statistic"].round(4).tolist()
    [-1.7321, -1.0, 1.0, 1.7321]
    """
    esda, graph = _stats()
    number, left, state = _prepare(values, neighbours, permutations)
    if number.min() < 0:
        raise InputError(
            f"values: {int((number < 0).sum())} 个值为负;Gi* 只用于非负的值",
            f"values: {int((number < 0).sum())} are negative; Gi* is for values that are not",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = esda.G_Local(
            number,
            _graph(graph, left),
            transform="B",
            star=True,
            permutations=0,
        )
    score = np.asarray(found.Zs, dtype=np.float64)
    kind = np.where(score > 0, "hot", "cold").astype(object)
    return _local_table(state, score, _conditional_p(number, left, permutations, seed, progress), kind, alpha)
