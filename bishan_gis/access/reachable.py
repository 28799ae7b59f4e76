"""What lies within reach of every origin, or of every node, added up straight from the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_amounts
from bishan_gis.access.nearest import frontier_seeds, offset_column, trip_costs
from bishan_gis.access.parameters import check_cutoffs, check_whole
from bishan_gis.access.place_tables import check_no_gaps, place_table, snap_table, whole_ms
from bishan_gis.errors import InputError, SchemaError
from bishan_gis.network.fold import Sources, Targets, fold_sums
from bishan_gis.network.hierarchy import build_hierarchy
from bishan_gis.network.lanes import FAR
from bishan_gis.network.search import nearest_on_edges, search_nearest
from bishan_gis.network.snap import OFF_NETWORK, Snaps
from bishan_gis.network.star import NOT_REACHED, EdgePlaces, Seeds, StarGraph, by_edge, leg_costs, snap_seeds
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.access.decay import Decay
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.progress import Progress

__all__ = ["Reachable", "reachable"]

#: Statuses, each certain only where no later one holds.
_WORDS = pd.Series(["unreachable", "beyond_cutoff", "unknown", "reached", "off_network"])
#: Columns of a supply table that are not amounts.
_NOT_AMOUNTS = ("facility_id", "x", "y", "node", "offset_s")


@dataclass(frozen=True, eq=False)
class Reachable:
    """What each origin reaches.

    Attributes
    ----------
    sums : pandas.DataFrame
        Indexed by origin in the caller's order; one column per ``amount`` and ``cutoff_s``, in the unit of the amount;
        0 where nothing is reached, NaN for origins off the network.
    decayed : pandas.DataFrame
        The same by ``amount`` and ``decay``, within the largest cutoff; no columns where no decay was asked for.
    status : pandas.DataFrame
        Per origin and ``cutoff_s``: ``reached`` (some place of supply is), ``unknown`` (none is, and one could leave
        the data within the cutoff), ``beyond_cutoff`` (none is, for certain), ``unreachable`` (no path to any, nor out
        of the data), ``off_network``.
    nearest_s : pandas.Series
        Cost to the nearest place of supply [s]; NaN where no path.
    unknown_from_s : pandas.Series
        Cost at which one could leave the data [s]: sums of larger cutoffs are lower bounds; NaN where never.
    supply_off_network : pandas.Index
        Facilities with no way onto the network: in no sum.
    """

    sums: pd.DataFrame
    decayed: pd.DataFrame
    status: pd.DataFrame
    nearest_s: pd.Series
    unknown_from_s: pd.Series
    supply_off_network: pd.Index

    @property
    def unknown_share(self) -> pd.Series:
        """Share of origins per cutoff whose search met the edge of the data; those off the network are not counted."""
        on = self.status.iloc[:, 0] != "off_network"
        met = {cutoff: float((self.unknown_from_s[on] <= cutoff).mean()) for cutoff in self.status.columns}
        return pd.Series(met, name="unknown_share", dtype=float).rename_axis("cutoff_s")

    @property
    def table(self) -> pd.DataFrame:
        """The ``access`` table: ``origin_id, service, measure, cutoff_s, value, status, unknown_from_s``.

        ``service`` is the amount; ``measure`` is ``cumulative`` or the name of the decay.
        """
        cutoffs = list(self.status.columns)
        names = self.sums.columns.unique("amount")
        decays = self.decayed.columns.unique("decay")
        columns = [(a, "cumulative", c, self.sums[(a, c)]) for a in names for c in cutoffs]
        columns += [(a, str(d), cutoffs[-1], self.decayed[(a, d)]) for a in names for d in decays]
        frames = [
            pd.DataFrame(
                {
                    "origin_id": self.status.index,
                    "service": amount,
                    "measure": measure,
                    "cutoff_s": float(cutoff),
                    "value": values.to_numpy(),
                    "status": self.status[cutoff].to_numpy(),
                    "unknown_from_s": self.unknown_from_s.to_numpy(),
                }
            )
            for amount, measure, cutoff, values in columns
        ]
        return pd.concat(frames, ignore_index=True)


def reachable(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame | None,
    supply: pd.DataFrame,
    *,
    cutoffs_s: Sequence[float],
    decay: Decay | Mapping[str, Decay] | None = None,
    amounts: Sequence[str] | None = None,
    direction: str = "to",
    max_snap_m: float = 300.0,
    threads: int = 2,
    progress: Progress | None = None,
) -> Reachable:
    """Add up the supply that each origin reaches within cutoffs, and by decay of cost, without a travel matrix.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost the traveller.
    origins : pandas.DataFrame or None
        ``origin_id, x, y`` [m, CRS of the network], or a GeoDataFrame of points without ``x, y``, which are projected;
        None: every node of the network, by its number.
    supply : pandas.DataFrame
        ``facility_id, x, y`` [m], or a GeoDataFrame of points, or ``facility_id, node``, and what there is of each
        amount: seats, people ... A facility may have several rows, one for each entrance: the best counts, and each
        says the same amounts. Optional ``offset_s`` [s]: what a place costs besides the trip.
    cutoffs_s : sequence of float
        Largest costs that count, inclusive [s].
    decay : callable, or mapping of str to callable, optional
        Of :mod:`bishan_gis.access.decay`; weighs each place by its cost, up to the largest cutoff.
    amounts : sequence of str, optional
        Columns of `supply` to add up; where left out, all but ``facility_id, x, y, node, offset_s``.
    direction : str
        ``to``: the trip goes from the origin to the supply; ``from``: from the supply to the origin.
    max_snap_m : float
        Places farther from every street are off the network [m].
    threads : int
        Parts of the network worked on at the same time; the result does not depend on it.
    progress : callable or bool, optional
        Called with parts done and in all; True draws a bar.

    Returns
    -------
    Reachable
        Sums, statuses, and what is not certain.

    Raises
    ------
    MissingColumnError, SchemaError, CrsError
        A column is missing; ids repeat or are missing; coordinates are missing or not numbers, or in another CRS;
        amounts are missing, negative, not numeric, or differ between the entrances of a facility; a node does not
        exist; an offset is wrong.
    InputError
        A cutoff is not above 0, repeats, or is longer than 298 hours; a direction is unknown; a decay weighs a cost by
        what is not a number.

    Notes
    -----
    ``A_i(t) = sum_j S_j [c_ij <= t]`` (Handy & Niemeier 1997, doi:10.1068/a291175) and ``A_i = sum_j S_j f(c_ij)``
    (Hansen 1959, doi:10.1080/01944365908978307): equal to :func:`~bishan_gis.access.cumulative.cumulative_cutoff` and
    :func:`~bishan_gis.access.gravity.gravity` over :func:`~bishan_gis.access.travel_matrix.travel_matrix`, to the
    digit for whole amounts, else to the rounding of sums. Costs are whole milliseconds, so a decay is evaluated once
    for every cost there can be, 8 bytes each: 7 MB for a quarter of an hour. Every place counts once, at its least
    cost.

    Examples
    --------
    A street of two pieces, 60 m each; at 3.3 km/h the school at its end is 131 s from the other end:

    >>> import geopandas as gpd, shapely
    >>> import bishan_gis as bg
    >>> from bishan_gis.network.costs import edge_costs
    >>> lines = [shapely.LineString([(x, 3e6), (x + 60, 3e6)]) for x in (5e5, 5e5 + 60)]
    >>> net = bg.Network.from_edges(gpd.GeoDataFrame(geometry=lines, crs="EPSG:4544"))
    >>> walk = edge_costs(net, bg.load_profile("elderly"))
    >>> school = pd.DataFrame({"facility_id": ["s"], "x": [5e5 + 120], "y": [3e6], "seats": [30]})
    >>> home = pd.DataFrame({"origin_id": ["a", "b"], "x": [5e5, 5e5 + 80], "y": [3e6, 3e6]})
    >>> found = reachable(net, walk, home, school, cutoffs_s=[60, 300])
    >>> found.sums["seats"].to_dict("list")
    {60: [0.0, 30.0], 300: [30.0, 30.0]}
    >>> found.status[60].tolist()
    ['beyond_cutoff', 'reached']
    """
    ends = _cutoffs(cutoffs_s)
    check_whole(threads=threads)
    limits = np.array([whole_ms(c) for c in ends], dtype=np.int64)
    costs = trip_costs(network, costs, direction)
    decays = dict(decay) if isinstance(decay, Mapping) else {} if decay is None else {"decay": decay}
    weights = _weights(decays, int(limits[-1])) if decays else None

    targets, names, lost = _targets(network, costs, supply, amounts, max_snap_m)
    sources, snaps, index = _sources(network, costs, origins, max_snap_m)
    star = StarGraph.from_network(network, costs)
    hierarchy = build_hierarchy(star, limit_ms=int(limits[-1]), threads=threads)
    sums, decayed = fold_sums(
        star, hierarchy, costs, sources, targets, cutoffs_ms=limits, weights=weights, threads=threads, progress=progress
    )

    nearest, leave = _nearest(network, costs, star, snaps, targets, threads)
    off = np.zeros(len(index), dtype=np.bool_) if snaps is None else snaps.edge == OFF_NETWORK
    sums[off], decayed[off] = np.nan, np.nan
    status = {}
    for cutoff, limit in zip(ends, limits, strict=True):
        word = (np.minimum(nearest, leave) < NOT_REACHED).astype(np.int8)
        word[leave <= limit] = 2
        word[nearest <= limit] = 3
        word[off] = 4
        status[cutoff] = _WORDS.take(word).array
    return Reachable(
        _wide(sums, index, pd.MultiIndex.from_product([names, ends], names=["amount", "cutoff_s"])),
        _wide(decayed, index, pd.MultiIndex.from_product([names, list(decays)], names=["amount", "decay"])),
        pd.DataFrame(status, index=index).rename_axis(columns="cutoff_s"),
        pd.Series(np.where(nearest < NOT_REACHED, nearest / 1000, np.nan), index=index, name="nearest_s"),
        pd.Series(np.where(leave < NOT_REACHED, leave / 1000, np.nan), index=index, name="unknown_from_s"),
        lost,
    )


def _wide(values: NDArray[np.float64], index: pd.Index, columns: pd.MultiIndex) -> pd.DataFrame:
    return pd.DataFrame(values.reshape(len(index), len(columns)), index=index, columns=columns)


def _cutoffs(cutoffs_s: Sequence[float]) -> list[float]:
    ends = check_cutoffs(cutoffs_s)
    if ends[-1] * 1000 >= FAR - 1:
        raise InputError(
            f"须有至少一个且不重复、短于 298 小时的时限: {ends}",
            f"give at least one cutoff, none twice, none longer than 298 hours: {ends}",
        )
    return ends


def _weights(decays: Mapping[str, Decay], limit: int) -> NDArray[np.float64]:
    cost_s = np.arange(limit + 1) / 1000
    rows = []
    for name, weigh in decays.items():
        row = np.asarray(weigh(cost_s), dtype=np.float64)
        if row.shape != cost_s.shape or not np.isfinite(row).all():
            raise InputError(
                f"decay {name!r}: 对 0 到 {limit / 1000:g} 秒的成本须各给出一个有限的权重",
                f"decay {name!r}: must give a finite weight for each cost from 0 to {limit / 1000:g} s",
            )
        rows.append(row)
    return np.array(rows)


def _node_seeds(costs: EdgeCosts, node: NDArray[np.int64], label: NDArray[np.int32], paid: NDArray[np.int64]) -> Seeds:
    """Seed places that are nodes: whoever arrives there has arrived, by whichever edge."""
    n = costs.states.n_nodes
    further = costs.state_node[n:]
    low, high = np.searchsorted(further, node), np.searchsorted(further, node, side="right")
    again = np.repeat(np.arange(len(node)), high - low)
    state = n + low[again] + np.arange(len(again)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    return Seeds(
        np.concatenate([node, state]).astype(np.int32),
        np.concatenate([paid, paid[again]]),
        np.concatenate([label, label[again]]),
    )


def _targets(
    network: Network, costs: EdgeCosts, supply: pd.DataFrame, amounts: Sequence[str] | None, max_snap_m: float
) -> tuple[Targets, list[str], pd.Index]:
    """Check the supply and bring it to the streets; also the names of its amounts and what is off the network."""
    at_nodes = "node" in supply.columns
    geometry = getattr(supply, "active_geometry_name", None)
    names = [c for c in supply.columns if c not in (*_NOT_AMOUNTS, geometry)] if amounts is None else list(amounts)
    check_columns(supply, ["facility_id", *(["node"] if at_nodes else []), *names], where="supply")
    if not names:
        shown = ", ".join(map(str, supply.columns))
        raise SchemaError(
            f"supply: 没有数量列 (现有 {shown}),至少须有一列",
            f"supply: no column of amounts (there are {shown}), at least one is needed",
        )
    if at_nodes:
        check_no_gaps(supply, ["facility_id"], where="supply")
    else:
        supply = place_table(network, supply, ["facility_id"], where="supply")
    owner, ids = pd.factorize(supply["facility_id"])
    label = owner.astype(np.int32)
    first = np.unique(owner, return_index=True)[1]
    table = np.array([match_amounts(supply[c].reset_index(drop=True), where=f"supply.{c}") for c in names])
    amount = table[:, first]
    differ = int((table != amount[:, owner]).any(axis=0).sum())
    if differ:
        raise SchemaError(
            f"supply: {differ} 行的数量与同一设施的第一行不同;每个入口须写明同样的数量",
            f"supply: {differ} rows have other amounts than the first row of their facility; write the same at each",
        )
    offset = offset_column(supply, where="supply")
    if at_nodes:
        node = supply["node"].to_numpy()
        wrong = int(((node < 0) | (node >= network.n_nodes)).sum()) if node.dtype.kind in "iu" else len(node)
        if wrong:
            raise SchemaError(
                f"supply: 列 node 有 {wrong} 行不是路网节点;应为 0 到 {network.n_nodes - 1}",
                f"supply: {wrong} rows of column node are no nodes of the network; 0 to {network.n_nodes - 1} are",
            )
        paid = np.zeros(len(node), dtype=np.int64) if offset is None else offset
        seeds = _node_seeds(costs, node.astype(np.int64), label, paid)
        return Targets(seeds, _nowhere(network), amount), names, pd.Index(ids[:0], name="facility_id")
    snaps = snap_table(network, costs, supply, max_snap_m=max_snap_m, where="supply")
    seeds = snap_seeds(network, costs, snaps, label, arrive=True, offset_ms=offset)
    on = by_edge(network, costs, snaps, label, offset_ms=offset)
    found = np.zeros(len(ids), dtype=np.bool_)
    found[label[snaps.edge != OFF_NETWORK]] = True
    return Targets(seeds, on, amount), names, pd.Index(ids[~found], name="facility_id")


def _nowhere(network: Network) -> EdgePlaces:
    """Return no places on edges."""
    nothing = np.zeros(0, dtype=np.int64)
    start = np.zeros(network.n_edges + 1, dtype=np.int64)
    return EdgePlaces(start, nothing.astype(np.float64), nothing, nothing.astype(np.int32))


def _sources(
    network: Network, costs: EdgeCosts, origins: pd.DataFrame | None, max_snap_m: float
) -> tuple[Sources, Snaps | None, pd.Index]:
    """Bring the origins to the streets; None of snaps says that they are the nodes."""
    if origins is None:
        n = network.n_nodes
        everyone = np.arange(n, dtype=np.int32)
        nothing = np.zeros(n, dtype=np.int64)
        sources = Sources(n, Seeds(everyone, nothing, everyone), everyone * 0 - 1, np.zeros(n), nothing)
        return sources, None, pd.RangeIndex(n, name="node")
    origins = place_table(network, origins, ["origin_id"], where="origins", unique=True)
    snaps = snap_table(network, costs, origins, max_snap_m=max_snap_m, where="origins")
    label = np.arange(len(origins), dtype=np.int32)
    seeds = snap_seeds(network, costs, snaps, label, arrive=False)
    sources = Sources(len(origins), seeds, snaps.edge, snaps.fraction, leg_costs(costs, snaps))
    return sources, snaps, pd.Index(origins["origin_id"])


def _turned(star: StarGraph) -> StarGraph:
    """Turn every link round."""
    from scipy.sparse import csr_array

    n = star.n_nodes
    matrix = csr_array((star.cost_ms, star.target, star.start), shape=(n, n)).tocsc()
    return StarGraph(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data)


def _nearest(
    network: Network, costs: EdgeCosts, star: StarGraph, snaps: Snaps | None, targets: Targets, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cost from every origin to the nearest place of supply and to the nearest way out of the data."""
    cost, label = search_nearest(_turned(star), [targets.seeds, frontier_seeds(network, costs)], threads=threads)
    if snaps is None:
        n = network.n_nodes
        return cost[0, :n].astype(np.int64), cost[1, :n].astype(np.int64)
    nearest, _ = nearest_on_edges(network, costs, snaps, targets.on, cost[0], label[0])
    leave, _ = nearest_on_edges(network, costs, snaps, _nowhere(network), cost[1], label[1])
    return nearest, leave
