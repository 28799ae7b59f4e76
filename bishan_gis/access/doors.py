"""Places whose surroundings are drawn: their doors on the streets, and what is near each within a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.access.nearest import offset_column
from bishan_gis.access.place_tables import number_ids, place_table, snap_table, whole_ms
from bishan_gis.access.time_grid import TimeGrid, build_time_grid
from bishan_gis.network.search import search_bounded
from bishan_gis.network.snap import OFF_NETWORK, Snaps
from bishan_gis.network.star import NOT_REACHED, EdgePlaces, Seeds, StarGraph, by_edge, leg_costs, snap_seeds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = [
    "Doors",
    "Reach",
    "Searcher",
    "lay_grids",
    "look_around",
    "neighbours",
    "read_doors",
]

#: The id under which all places are drawn as one.
ANY = "any"
#: Places whose ground is drawn together.
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Doors:
    """Where each place meets the streets; a place may have several doors.

    Attributes
    ----------
    ids : list
        Places, sorted.
    owner : ndarray of int32
        Position in `ids` of each door.
    snaps : Snaps
        Where the doors are.
    offset_ms : ndarray of int64
        What each door costs besides [ms].
    """

    ids: list[Any]
    owner: NDArray[np.int32]
    snaps: Snaps
    offset_ms: NDArray[np.int64]

    def seeds(self, network: Network, costs: EdgeCosts, label: NDArray[np.int32]) -> Seeds:
        """Return the seeds of a search over the reversed star."""
        return snap_seeds(network, costs, self.snaps, label, arrive=True, offset_ms=self.offset_ms)

    def on_edges(
        self,
        network: Network,
        costs: EdgeCosts,
        rows: NDArray[np.int64] | None = None,
        label: NDArray[np.int32] | None = None,
    ) -> EdgePlaces:
        """Return some of the doors edge by edge."""
        rows = np.arange(len(self.owner)) if rows is None else rows
        return by_edge(network, costs, self.snaps.take(rows), label, offset_ms=self.offset_ms[rows])


def read_doors(
    network: Network,
    costs: EdgeCosts,
    table: pd.DataFrame,
    *,
    max_snap_m: float,
    dissolve: bool = False,
    key: str = "origin_id",
    where: str = "origins",
    warn: bool = True,
) -> Doors:
    """Snap the doors of places to the streets.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    table : pandas.DataFrame
        The id, ``x, y`` [m, CRS of the network], or a GeoDataFrame of points without ``x, y``, which are projected; and
        ``offset_s`` [s] where there is one; one row per door.
    max_snap_m : float
        Doors farther from every street are off the network [m].
    dissolve : bool
        All are doors of one place, called ``any``.
    key, where : str
        Name of the column of ids, and of the table, for messages.
    warn : bool
        Whether to warn where no door lies where the network is.

    Returns
    -------
    Doors
        Sorted, so that the order of the rows does not matter.

    Raises
    ------
    MissingColumnError, SchemaError, CrsError, InputError
        A column is missing, an id or a coordinate is empty, an offset is missing, below 0 or no number; the CRS of the
        points is missing or not clear; `max_snap_m` is not above 0.
    """
    table = place_table(network, table, [key], where=where)
    given = offset_column(table, where=where)
    offset = np.zeros(len(table), dtype=np.int64) if given is None else given
    owner, known = number_ids(table[key], where=where)
    ids = known.tolist()
    order = np.lexsort((offset, table["y"], table["x"], owner))
    snaps = snap_table(network, costs, table.iloc[order], max_snap_m=max_snap_m, where=where, warn=warn)
    if dissolve:
        return Doors([ANY] if len(ids) else [], np.zeros(len(owner), dtype=np.int32), snaps, offset[order])
    return Doors(ids, owner[order], snaps, offset[order])


class Searcher:
    """Bounded searches from one place after the other.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    doors : Doors
        The places.
    limit_s : float
        Longest time, inclusive [s].
    """

    def __init__(self, network: Network, costs: EdgeCosts, doors: Doors, limit_s: float) -> None:
        self.network, self.costs, self.doors = network, costs, doors
        self.limit_ms = whole_ms(limit_s)
        self._star = StarGraph.from_network(network, costs, reverse=True)
        self._seeds = doors.seeds(network, costs, np.arange(len(doors.owner), dtype=np.int32))
        owner = doors.owner[self._seeds.label]
        self._paid = leg_costs(costs, doors.snaps, doors.offset_ms)
        self._order = np.argsort(owner, kind="stable")
        self._first = np.searchsorted(owner[self._order], np.arange(len(doors.ids) + 1))

    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Return the arrays of one thread: cost of each state, the states reached, the heap."""
        n = self.costs.n_states
        return np.full(n, NOT_REACHED, dtype=np.int32), np.empty(n, dtype=np.int32), np.empty(4096, dtype=np.int64)

    def rows(self, place: int) -> NDArray[np.int64]:
        """Return the doors of a place whose street is reached within the limit."""
        mine: NDArray[np.int64] = np.flatnonzero(self.doors.owner == place)
        on = (self.doors.snaps.edge[mine] != OFF_NETWORK) & (self._paid[mine] <= self.limit_ms)
        out: NDArray[np.int64] = mine[on]
        return out

    def run(self, place: int, dist: NDArray[np.int32], touched: NDArray[np.int32], heap: NDArray[np.int64]) -> int:
        """Search from a place; ``dist[touched[:n]]`` holds the costs [ms] and is cleared by the caller."""
        pick = self._order[self._first[place] : self._first[place + 1]]
        s = self._star
        node, cost = self._seeds.node[pick], self._seeds.cost_ms[pick]
        count: int = search_bounded(s.start, s.target, s.cost_ms, node, cost, self.limit_ms, dist, touched, heap)
        return count

    def near_edges(self, dist: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which edges have an end that was reached, or a door."""
        out: NDArray[np.bool_] = (dist[self.costs.end_u] < NOT_REACHED) & (self.costs.backward_ms >= 0)
        out |= (dist[self.costs.end_v] < NOT_REACHED) & (self.costs.forward_ms >= 0)
        out[self.doors.snaps.edge[rows]] = True
        return out

    def status(self, place: int, cutoff_s: float) -> str:
        """Return ``reached``, ``beyond_cutoff`` where leg and offset alone take longer, or ``off_network``."""
        mine = self.doors.owner == place
        on = mine & (self.doors.snaps.edge != OFF_NETWORK)
        if not on.any():
            return "off_network"
        return "reached" if self._paid[on].min() <= whole_ms(cutoff_s) else "beyond_cutoff"


@dataclass(frozen=True, eq=False)
class Reach:
    """What one bounded search found: states and their costs [ms], doors, and the ground it may cover [m]."""

    place: int
    state: NDArray[np.int32]
    cost_ms: NDArray[np.int32]
    rows: NDArray[np.int64]
    bounds: NDArray[np.float64]


def look_around(searcher: Searcher, place: int, boxes: NDArray[np.float64], margin: float, arrays: Any) -> Reach | None:
    """Search from one place and bound the ground: the edges reached, and no farther than top speed carries."""
    network, costs = searcher.network, searcher.costs
    dist = arrays[0]
    rows = searcher.rows(place)
    n = searcher.run(place, *arrays)
    near = arrays[1][:n].copy()
    cost = dist[near]
    edges = searcher.near_edges(dist, rows)
    dist[near] = NOT_REACHED
    if len(rows) == 0:
        return None
    b = boxes[:, edges]
    snaps = searcher.doors.snaps
    node = np.concatenate([costs.state_node[near], network.edge_u[snaps.edge[rows]], network.edge_v[snaps.edge[rows]]])
    left = np.concatenate([searcher.limit_ms - cost, np.full(2 * len(rows), searcher.limit_ms)])
    slack = left / 1000 * costs.top_speed_ms
    x, y = network.node_x[node], network.node_y[node]
    low = [max(b[0].min(), (x - slack).min()), max(b[1].min(), (y - slack).min())]
    high = [min(b[2].max(), (x + slack).max()), min(b[3].max(), (y + slack).max())]
    return Reach(place, near, cost, rows, np.array([*low, *high]) + np.array([-1, -1, 1, 1]) * margin)


def lay_grids(
    reaches: Sequence[Reach], network: Network, costs: EdgeCosts, boxes: NDArray[np.float64], **options: Any
) -> Iterator[tuple[TimeGrid, list[Reach]]]:
    """Lay one grid for all where that is less work than one for each."""
    if not reaches:
        return
    bounds = np.array([r.bounds for r in reaches])
    whole = np.concatenate([bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)])
    alone = float(np.prod(bounds[:, 2:] - bounds[:, :2], axis=1).sum())
    together = np.prod(whole[2:] - whole[:2]) <= alone
    for group in [list(reaches)] if together else [[r] for r in reaches]:
        part = whole if together else group[0].bounds
        yield build_time_grid(network, usable=costs.usable, bounds=part, boxes=boxes, threads=1, **options), group


def neighbours(doors: Doors, side_m: float, network: Network) -> list[NDArray[np.int64]]:
    """Split places into batches of neighbours, which share a grid."""
    owner, first = np.unique(doors.owner, return_index=True)
    node = network.edge_u[np.maximum(doors.snaps.edge[first], 0)] if network.n_edges else np.zeros(len(first), int)
    row, column = (np.floor(at[node] / side_m) for at in (network.node_y, network.node_x))
    order: Any = owner[np.lexsort((column, row))].astype(np.int64)
    return [order[k : k + _BATCH] for k in range(0, len(order), _BATCH)]
