"""Rational agents: everyone goes where travel and crowding together cost the least."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_sides
from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import InputError
from bishan_gis.network.jit import njit
from bishan_gis.progress import Progress, counting

__all__ = ["raam"]


@njit(cache=True, nogil=True)
def _divide(starts, to, travel, room, people, load, part):  # type: ignore[no-untyped-def] # pragma: no cover
    """Let every origin in turn divide its people anew, the others staying where they are; changes `load`, `part`."""
    for i in range(len(people)):
        a, b = starts[i], starts[i + 1]
        if people[i] <= 0 or a == b:
            continue
        # Fill the cheapest first, like water: the level at which all of the demand has found a place.
        base = np.empty(b - a)
        for k in range(a, b):
            load[to[k]] -= part[k]
            base[k - a] = travel[k] + load[to[k]] / room[to[k]]
        base -= base.min()  # only differences matter, and small ones must survive
        level = np.inf
        filled, wide = people[i], 0.0
        for k in np.argsort(base, kind="mergesort"):
            if base[k] >= level:
                break
            filled += room[to[a + k]] * base[k]
            wide += room[to[a + k]]
            # The lowest of these levels is the one at which exactly the facilities below it are used.
            level = min(level, filled / wide)
        for k in range(a, b):
            part[k] = room[to[k]] * max(level - base[k - a], 0.0)
            load[to[k]] += part[k]


@njit(cache=True, nogil=True)
def _round(starts, to, travel, room, people, load, part, best):  # type: ignore[no-untyped-def] # pragma: no cover
    """Divide once more; return what is spent in all and what would be if everyone had the best, and write that."""
    _divide(starts, to, travel, room, people, load, part)
    load[:] = 0.0  # summed anew, so that no rounding piles up
    for k in range(len(to)):
        load[to[k]] += part[k]
    spent = least = 0.0
    for i in range(len(people)):
        for k in range(starts[i], starts[i + 1]):
            total = travel[k] + load[to[k]] / room[to[k]]
            spent += part[k] * total
            if k == starts[i] or total < best[i]:
                best[i] = total
        if starts[i + 1] > starts[i]:
            least += people[i] * best[i]
    return spent, least


def raam(
    travel_matrix: pd.DataFrame,
    supply: pd.Series,
    demand: pd.Series,
    *,
    tau_s: float,
    rho: float | None = None,
    tolerance: float = 1e-6,
    max_rounds: int = 2000,
    cost: str = "cost_s",
    progress: Progress | None = None,
) -> pd.Series:
    """Find the cost of travel and crowding when everyone chooses the best for themselves (RAAM); lower is better.

    Parameters
    ----------
    travel_matrix, supply, demand : pandas.DataFrame, pandas.Series, pandas.Series
        As :func:`bishan_gis.access.floating_catchment.two_step`. A facility without capacity is no choice.
    tau_s : float
        Travel that weighs as much as crowding at the average load [s].
    rho : float, optional
        Load that counts as 1 [people per unit of capacity]; default: all demand by all capacity.
    tolerance, max_rounds : float, int
        Settled when moving could save no more than this share of the whole cost; rounds after which it gives up.
    cost : str
        As :func:`bishan_gis.access.floating_catchment.two_step`.
    progress : callable or bool, optional
        Called with rounds done and at most, and at the end as if all were; True draws a bar.

    Returns
    -------
    pandas.Series
        Indexed like `demand`, named ``raam``, in multiples of `tau_s`; NaN where nothing is reached.

    Raises
    ------
    InputError
        A parameter is not above 0, or demand has not settled after `max_rounds`.
    SchemaError
        As :func:`bishan_gis.access.floating_catchment.two_step`.

    Notes
    -----
    Demand ``x_ij`` is divided so that ``c_ij / tau + sum_k x_kj / (rho S_j)`` is equal at every facility that origin i
    uses and no lower at any other; that cost is the answer (Saxon & Snow 2020, doi:10.1080/24694452.2019.1629870).
    It minimises ``sum c_ij x_ij / tau + sum_j L_j**2 / (2 rho S_j)``, with ``L_j`` the load; here origin by origin in
    closed form until settled, where PySAL ``access`` moves whole people a fixed number of times.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A"], "to_id": ["f", "g"], "cost_s": [0, 600]})
    >>> raam(matrix, pd.Series({"f": 10, "g": 10}), pd.Series({"A": 20}), tau_s=600).to_dict()  # 15 to f, 5 to g
    {'A': 1.5}
    """
    check_positive(tau_s=tau_s, tolerance=tolerance)
    pairs, capacity, people = match_sides(travel_matrix, supply, demand, cost=cost, by_origin=True)
    if rho is None:
        rho = people.sum() / capacity.sum() if people.sum() > 0 and capacity.sum() > 0 else 1.0
    check_positive(rho=rho)
    pairs = pairs.keep(capacity[pairs.destination] > 0)
    sides = (pairs.starts(), pairs.destination, pairs.cost / tau_s, rho * capacity, people)
    load, part, best = np.zeros(len(capacity)), np.zeros(len(pairs.cost)), np.full(len(people), np.nan)
    settled = False
    with counting(progress, max_rounds, "raam") as step:
        for done in range(max_rounds):
            spent, least = _round(*sides, load, part, best)
            settled = spent - least <= tolerance * spent
            step(max_rounds - done if settled else 1)
            if settled:
                break
    if not settled:
        raise InputError(
            f"RAAM 在 {max_rounds} 轮后仍未稳定;请提高 max_rounds 或放宽 tolerance",
            f"RAAM has not settled after {max_rounds} rounds; raise max_rounds or tolerance",
        )
    return pairs.series(best, "raam")
