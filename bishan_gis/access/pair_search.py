"""Searches for every pair of origin and destination within a cutoff, as arrays and block by block."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.nearest import offset_column, trip_costs
from bishan_gis.access.pair_kernels import collect_pairs
from bishan_gis.access.parameters import check_least_0
from bishan_gis.access.place_tables import number_ids, place_table, snap_table, whole_ms
from bishan_gis.network.scipy_search import along_edges, choose_engine, search_nearest_by_scipy
from bishan_gis.network.star import (
    NOT_REACHED,
    EdgePlaces,
    Seeds,
    StarGraph,
    by_edge,
    leg_costs,
    list_places,
    snap_seeds,
)
from bishan_gis.progress import Progress, counting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = ["PairBlock", "PairSearch", "prepare_pairs"]

#: A block has at most so many destinations, and fewer where that many times all origins is more pairs than this.
_BLOCK = 256
_BLOCK_PAIRS = 1 << 22


@dataclass(frozen=True, eq=False)
class PairBlock:
    """The pairs of some destinations in a row, sorted by destination, then origin.

    Attributes
    ----------
    first : int
        Position of the first destination.
    start : ndarray of int64, shape (destinations + 1,)
        Where the pairs of each destination begin.
    origin, cost_ms : ndarray of int32
        Position of the origin, and cost [ms].
    """

    first: int
    start: NDArray[np.int64]
    origin: NDArray[np.int32]
    cost_ms: NDArray[np.int32]

    @property
    def destination(self) -> NDArray[np.int32]:
        """Position of the destination of each pair."""
        each = np.arange(self.first, self.first + len(self.start) - 1, dtype=np.int32)
        return np.repeat(each, np.diff(self.start))


@dataclass(frozen=True, eq=False)
class PairSearch:
    """All that the search of a block needs, made once; see :func:`prepare_pairs`."""

    origin_ids: pd.Index
    destination_ids: pd.Index
    costs: EdgeCosts
    star: StarGraph
    limit_ms: int
    seeds: Seeds
    seed_start: NDArray[np.int64]
    places: EdgePlaces
    place_edge: NDArray[np.int32]
    leave: Seeds
    leave_start: NDArray[np.int64]
    on: EdgePlaces
    slow: bool

    @property
    def block_size(self) -> int:
        """Number of destinations in a block."""
        return max(1, min(_BLOCK, _BLOCK_PAIRS // max(len(self.origin_ids), 1)))

    def search(self, first: int, last: int, stop: NDArray[np.uint8]) -> PairBlock:
        """Search from the destinations `first` to `last`, this not included, until ``stop[0]`` is set."""
        if self.slow:
            return self._search_by_scipy(first, last)
        shift = self.star.buckets[0] + 2
        longest = int(self.star.cost_ms.max(initial=0)) >> shift
        ends, found = collect_pairs(
            self.star.start,
            self.star.target,
            self.star.cost_ms,
            self.seed_start,
            self.seeds.node,
            self.seeds.cost_ms,
            self.places.start,
            self.place_edge,
            self.places.fraction,
            self.places.leg_ms,
            self.leave_start,
            self.leave.label,
            self.leave.cost_ms,
            self.on.start,
            self.on.label,
            self.on.fraction,
            self.on.leg_ms,
            self.costs.forward_ms,
            self.costs.backward_ms,
            len(self.origin_ids),
            first,
            last,
            self.limit_ms,
            shift,
            1 << (longest + 2).bit_length(),
            stop,
        )
        return PairBlock(first, ends, found[:, 0].copy(), found[:, 1].copy())

    def _search_by_scipy(self, first: int, last: int) -> PairBlock:
        parts = [slice(self.seed_start[d], self.seed_start[d + 1]) for d in range(first, last)]
        everyone = np.zeros(len(self.seeds.node), dtype=np.int32)
        seeds = [Seeds(self.seeds.node[p], self.seeds.cost_ms[p], everyone[p]) for p in parts]
        node_cost, _ = search_nearest_by_scipy(self.star, seeds, limit_ms=self.limit_ms)
        at = np.repeat(np.arange(len(self.leave_start) - 1), np.diff(self.leave_start))
        origin, cost, ends = [], [], [0]
        for d, row in zip(range(first, last), node_cost, strict=True):
            best = np.full(len(self.origin_ids), NOT_REACHED, dtype=np.int64)
            np.minimum.at(best, self.leave.label, row[at] + self.leave.cost_ms)
            for p in range(self.places.start[d], self.places.start[d + 1]):
                e = self.place_edge[p]
                here = slice(self.on.start[e], self.on.start[e + 1])
                gap = self.places.fraction[p] - self.on.fraction[here]
                along = along_edges(gap, self.costs.forward_ms[e], self.costs.backward_ms[e])
                np.minimum.at(best, self.on.label[here], along + self.on.leg_ms[here] + self.places.leg_ms[p])
            near = np.flatnonzero(best <= self.limit_ms)
            origin.append(near.astype(np.int32))
            cost.append(best[near].astype(np.int32))
            ends.append(ends[-1] + len(near))
        return PairBlock(first, np.asarray(ends, dtype=np.int64), np.concatenate(origin), np.concatenate(cost))

    def blocks(self, *, threads: int = 2, progress: Progress | None = None) -> Generator[PairBlock, None, None]:
        """Yield all blocks in order.

        Parameters
        ----------
        threads : int
            Blocks searched at the same time, 1 or more.
        progress : callable or bool, optional
            Called with blocks done and in all, in the caller's thread; True draws a bar.

        Yields
        ------
        PairBlock
            Every destination is whole in one block. Beside the one that was yielded last, at most ``2 * threads``
            blocks are there, searched or not. When the caller stops, by an error, Ctrl-C or ``close``, searches end
            with the destination they are at.
        """
        size, n = self.block_size, len(self.destination_ids)
        starts = iter(range(0, n, size))
        total = -(-n // size)
        stop = np.zeros(1, dtype=np.uint8)
        pool = ThreadPoolExecutor(max_workers=max(threads, 1))
        jobs: deque = deque()

        def submit() -> None:
            first = next(starts, None)
            if first is not None:
                jobs.append(pool.submit(self.search, first, min(first + size, n), stop))

        try:
            for _ in range(2 * max(threads, 1)):
                submit()
            with counting(progress, total, "travel matrix") as step:
                for _ in range(total):
                    block = jobs.popleft().result()
                    submit()
                    step(1)
                    yield block
        finally:
            stop[0] = 1
            pool.shutdown(cancel_futures=True)


def prepare_pairs(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    destinations: pd.DataFrame,
    *,
    cutoff_s: float,
    max_snap_m: float = 300.0,
    direction: str = "to",
    engine: str = "auto",
) -> PairSearch:
    """Check the tables and bring them to the streets; parameters as :func:`~bishan_gis.access.travel_matrix`.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    origins, destinations : pandas.DataFrame
        ``origin_id, x, y`` and ``facility_id, x, y`` [m], or GeoDataFrames of points; destinations may have
        ``offset_s`` [s].
    cutoff_s : float
        Longest time, inclusive [s].
    max_snap_m : float
        Places farther from every street are in no pair [m].
    direction, engine : str
        As :func:`~bishan_gis.access.nearest.nearest_cost`.

    Raises
    ------
    MissingColumnError, SchemaError, CrsError, InputError
        A column is missing, origin ids repeat, an id or a coordinate is missing, an offset or a parameter is wrong.
    """
    slow = choose_engine(engine) == "scipy"
    costs = trip_costs(network, costs, direction)
    check_least_0(cutoff_s=cutoff_s)
    origins = place_table(network, origins, ["origin_id"], where="origins", unique=True)
    destinations = place_table(network, destinations, ["facility_id"], where="destinations")
    owner, ids = number_ids(destinations["facility_id"], where="destinations")
    order = np.argsort(owner, kind="stable")
    points, owner = destinations.iloc[order].reset_index(drop=True), owner[order]
    offset = offset_column(points, where="destinations")
    o_snaps = snap_table(network, costs, origins, max_snap_m=max_snap_m, where="origins")
    d_snaps = snap_table(network, costs, points, max_snap_m=max_snap_m, where="destinations")
    limit = whole_ms(cutoff_s)
    seeds = snap_seeds(network, costs, d_snaps, owner, arrive=True, offset_ms=offset)
    order = np.lexsort((seeds.cost_ms, seeds.label))
    seeds = Seeds(seeds.node[order], seeds.cost_ms[order], seeds.label[order])
    on, on_edge, fraction = list_places(network, costs, d_snaps)
    order = np.argsort(owner[on], kind="stable")
    on, on_edge, fraction = on[order], on_edge[order], fraction[order]
    # What an origin pays to get to either end of its edge and past the wait there, listed by state.
    number = np.arange(len(origins), dtype=np.int32)
    leave = snap_seeds(network, costs, o_snaps, number, arrive=False)
    order = np.argsort(leave.node, kind="stable")
    order = order[leave.cost_ms[order] <= limit]
    leave = Seeds(leave.node[order], leave.cost_ms[order], leave.label[order])
    each = np.arange(len(ids) + 1)
    return PairSearch(
        origin_ids=pd.Index(origins["origin_id"]),
        destination_ids=pd.Index(ids.to_numpy(), name=None),
        costs=costs,
        star=StarGraph.from_network(network, costs, reverse=True),
        limit_ms=limit,
        seeds=seeds,
        seed_start=np.searchsorted(seeds.label, each),
        places=EdgePlaces(
            np.searchsorted(owner[on], each),
            fraction,
            leg_costs(costs, d_snaps, offset)[on],
            owner[on],
        ),
        place_edge=on_edge,
        leave=leave,
        leave_start=np.searchsorted(leave.node, np.arange(costs.n_states + 1)),
        on=by_edge(network, costs, o_snaps, number),
        slow=slow,
    )
