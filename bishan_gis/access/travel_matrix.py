"""Travel times between many places: every pair within a cutoff, block by block, never a dense matrix."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_amounts, weigh
from bishan_gis.access.pair_search import PairSearch, prepare_pairs
from bishan_gis.access.parameters import check_whole
from bishan_gis.errors import SchemaError

if TYPE_CHECKING:
    from bishan_gis.access.decay import Decay
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.progress import Progress

__all__ = ["fold_travel_matrix", "travel_blocks", "travel_matrix"]


def travel_blocks(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    destinations: pd.DataFrame,
    *,
    cutoff_s: float,
    max_snap_m: float = 300.0,
    direction: str = "to",
    engine: str = "auto",
    threads: int = 2,
    progress: Progress | None = None,
) -> Generator[pd.DataFrame, None, None]:
    """Yield the travel matrix in blocks of destinations.

    Parameters are those of :func:`travel_matrix`; tables are checked before the first block is asked for. Beside the
    block yielded last, at most ``2 * threads`` blocks are in memory. A block has at most 256 destinations, and fewer
    where there are more than 16,384 origins: the product of both stays below 4.2 million pairs, unless one
    destination alone has more. A pair takes 16 bytes in the table and 8 while it waits; a search takes about 16 bytes
    per node and thread.

    Yields
    ------
    pandas.DataFrame
        ``from_id, to_id, cost_s`` as in :func:`travel_matrix`; every destination is whole in one block. Ids are
        categorical over all origins and all destinations, the same in all blocks. When the caller stops early (Ctrl-C
        included), searches end with the destination they are at.
    """
    search = prepare_pairs(
        network,
        costs,
        origins,
        destinations,
        cutoff_s=cutoff_s,
        max_snap_m=max_snap_m,
        direction=direction,
        engine=engine,
    )
    check_whole(threads=threads)
    return _tables(search, threads, progress)


def _tables(search: PairSearch, threads: int, progress: Progress | None) -> Generator[pd.DataFrame, None, None]:
    from_ids, to_ids = pd.CategoricalDtype(search.origin_ids), pd.CategoricalDtype(search.destination_ids)
    with closing(search.blocks(threads=threads, progress=progress)) as blocks:
        for block in blocks:
            yield pd.DataFrame(
                {
                    "from_id": pd.Categorical.from_codes(block.origin, dtype=from_ids, validate=False),
                    "to_id": pd.Categorical.from_codes(block.destination, dtype=to_ids, validate=False),
                    "cost_s": block.cost_ms / 1000,
                },
                copy=False,
            )


def travel_matrix(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    destinations: pd.DataFrame,
    *,
    cutoff_s: float,
    max_snap_m: float = 300.0,
    direction: str = "to",
    engine: str = "auto",
    threads: int = 2,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Find the time of every pair of origin and destination within a cutoff.

    Parameters
    ----------
    network : Network
        Streets.
    costs : EdgeCosts
        What they cost the traveller.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m, CRS of the network], or a GeoDataFrame of points without ``x, y``, which are projected;
        ids are unique.
    destinations : pandas.DataFrame
        ``facility_id, x, y`` [m]: where each is entered; a facility may have several rows, the best counts. A
        GeoDataFrame of points will do here, too. Optional
        ``offset_s`` [s]: what a place costs besides the trip, such as the turn-out of a fire engine.
    cutoff_s : float
        Longest time, inclusive, offset included [s].
    max_snap_m : float
        Places farther from every street are off the network and in no pair [m].
    direction : str
        ``to``: the trip goes from the origin to the destination; ``from``: the other way, as a fire engine does.
    engine : str
        ``numba``; ``scipy``: slower, equal to the millisecond; ``auto``: numba where it is installed.
    threads : int
        Blocks searched at the same time.
    progress : callable or bool, optional
        Called with blocks done and in all; True draws a bar.

    Returns
    -------
    pandas.DataFrame
        ``from_id, to_id, cost_s`` [s, to the millisecond], sorted by destination, then origin in the order given.
        ``from_id`` is always the origin and ``to_id`` the facility, whichever of them travels, so that measures take
        either matrix; both are categorical, which is far quicker and smaller than texts. A missing pair is not
        reached within the cutoff.

    Raises
    ------
    MissingColumnError, SchemaError
        A column, an id or a coordinate is missing, origin ids repeat, or an offset is missing, below 0 or not a number.
    CrsError
        Points without a CRS, or ``x, y`` beside a geometry in another CRS.
    InputError
        The cutoff is below 0, `max_snap_m` not above 0, `threads` below 1, or no such direction or engine.

    Notes
    -----
    One bounded search (Dijkstra 1959, doi:10.1007/BF01386390) per destination over the reversed streets; origins are
    met at the ends of their edges and on the destination's own edge, so that the result is exact.

    Examples
    --------
    A street of 400 m at 90 s per 100 m, schools 200 m and 400 m along it:

    >>> import geopandas as gpd
    >>> from bishan_gis.network.costs import edge_costs, load_profile
    >>> from bishan_gis.network.graph import Network
    >>> street = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 400 0)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame(geometry=street))
    >>> costs = edge_costs(network, load_profile("adult"))
    >>> homes = pd.DataFrame({"origin_id": ["A", "B"], "x": [0, 100], "y": [0, 0]})
    >>> schools = pd.DataFrame({"facility_id": ["f", "g"], "x": [200, 400], "y": [0, 0]})
    >>> travel_matrix(network, costs, homes, schools, cutoff_s=300).values.tolist()
    [['A', 'f', 180.0], ['B', 'f', 90.0], ['B', 'g', 270.0]]
    """
    blocks = travel_blocks(
        network,
        costs,
        origins,
        destinations,
        cutoff_s=cutoff_s,
        max_snap_m=max_snap_m,
        direction=direction,
        engine=engine,
        threads=threads,
        progress=progress,
    )
    tables = list(blocks)
    if not tables:
        return pd.DataFrame({"from_id": [], "to_id": [], "cost_s": np.zeros(0)})
    return pd.concat(tables, ignore_index=True)


def fold_travel_matrix(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    destinations: pd.DataFrame,
    supply: pd.Series | pd.DataFrame,
    *,
    cutoff_s: float,
    decay: Decay | None = None,
    max_snap_m: float = 300.0,
    direction: str = "to",
    engine: str = "auto",
    threads: int = 2,
    progress: Progress | None = None,
) -> pd.Series | pd.DataFrame:
    """Add up weighed supply over the travel matrix of every origin, without ever holding the matrix.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost the traveller.
    origins, destinations : pandas.DataFrame
        As :func:`travel_matrix`.
    supply : pandas.Series or pandas.DataFrame
        Indexed by facility, all of `destinations` in it; the amount offered [seats, beds, jobs ...]. Of a table every
        column is added up in the same pass.
    cutoff_s : float
        Longest time that counts, inclusive [s].
    decay : callable, optional
        Costs [s] to weights, see :mod:`bishan_gis.access.decay`; where left out every facility within the cutoff
        counts in full.
    max_snap_m : float
        Places farther from every street reach nothing [m].
    direction, engine : str
        As :func:`travel_matrix`.
    threads : int
        Blocks searched at the same time.
    progress : callable or bool, optional
        Called with blocks done and in all; True draws a bar.

    Returns
    -------
    pandas.Series or pandas.DataFrame
        Indexed by origin, in the order given; the shape of `supply`, in (weighed) units of it. 0 where nothing is
        reached; whether that is for want of a street is told by :func:`~bishan_gis.access.nearest.nearest_cost`.

    Raises
    ------
    SchemaError
        As :func:`travel_matrix`, or supply is not a number, missing, negative, repeats or lacks a facility.
    InputError
        As :func:`travel_matrix`.

    Notes
    -----
    ``A_i = sum_j S_j f(c_ij) [c_ij <= cutoff]``: without `decay`
    :func:`~bishan_gis.access.cumulative.cumulative_cutoff`, with it :func:`~bishan_gis.access.gravity.gravity` of the
    matrix up to the cutoff. Facilities are added in order of their ids, so that the sum does not depend on threads.
    Memory is that of :func:`travel_blocks`. A fold of another kind is a loop over :func:`travel_blocks`, in which
    every destination is whole in one block.

    Examples
    --------
    A street of 400 m at 90 s per 100 m, schools 200 m and 400 m along it:

    >>> import geopandas as gpd
    >>> from bishan_gis.network.costs import edge_costs, load_profile
    >>> from bishan_gis.network.graph import Network
    >>> street = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 400 0)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame(geometry=street))
    >>> costs = edge_costs(network, load_profile("adult"))
    >>> homes = pd.DataFrame({"origin_id": ["A", "B"], "x": [0, 100], "y": [0, 0]})
    >>> schools = pd.DataFrame({"facility_id": ["f", "g"], "x": [200, 400], "y": [0, 0]})
    >>> seats = pd.Series({"f": 30, "g": 50})
    >>> fold_travel_matrix(network, costs, homes, schools, seats, cutoff_s=300).to_dict()
    {'A': 30.0, 'B': 80.0}
    """
    search = prepare_pairs(
        network,
        costs,
        origins,
        destinations,
        cutoff_s=cutoff_s,
        max_snap_m=max_snap_m,
        direction=direction,
        engine=engine,
    )
    check_whole(threads=threads)
    table = supply.to_frame() if isinstance(supply, pd.Series) else supply
    amounts = [match_amounts(table.iloc[:, k], where="supply") for k in range(table.shape[1])]
    at = table.index.get_indexer(search.destination_ids)
    lost = search.destination_ids[at < 0]
    if len(lost):
        shown = ", ".join(map(str, lost[:5]))
        raise SchemaError(
            f"supply: 缺少 {len(lost)} 个设施 ({shown});请补充, 没有供给的填 0",
            f"supply: lacks {len(lost)} facilities ({shown}); add them, with 0 where nothing is offered",
        )
    total = np.zeros((len(amounts), len(origins)))
    with closing(search.blocks(threads=threads, progress=progress)) as blocks:
        for block in blocks:
            weight = np.ones(len(block.origin)) if decay is None else weigh(decay, block.cost_ms / 1000)
            facility = at[block.destination]
            for sums, amount in zip(total, amounts, strict=True):
                np.add.at(sums, block.origin, amount[facility] * weight)
    if isinstance(supply, pd.Series):
        return pd.Series(total[0], index=search.origin_ids, name=supply.name)
    return pd.DataFrame(total.T, index=search.origin_ids, columns=supply.columns)
