"""The streets within a travel time of a place, cut exactly where the time ends."""

from __future__ import annotations

from collections.abc import Sequence
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.access.doors import Searcher, read_doors
from bishan_gis.access.nearest import trip_costs
from bishan_gis.access.parameters import check_cutoffs
from bishan_gis.access.place_tables import whole_ms
from bishan_gis.network.jit import njit
from bishan_gis.network.star import NOT_REACHED
from bishan_gis.progress import Progress, in_threads

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = ["reached_streets"]


@njit(cache=True, nogil=True)
def _pieces(edges, end_u, end_v, delay, forward, backward, dist, t_start, t_f, t_ms, limit):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return the pieces of each edge within the limit: edge, first and last fraction, sorted, disjoint."""
    # `delay` is the wait by state, empty where nobody waits.
    waits = len(delay) > 0
    room = 2 * len(edges) + 16
    which = np.empty(room, dtype=np.int64)
    span = np.empty((room, 2))
    size = 0
    for e in edges:
        doors = t_start[e + 1] - t_start[e]
        found = np.empty((2 + 2 * doors, 2))
        n = 0
        if forward[e] >= 0:
            on = np.int64(dist[end_v[e]])
            if waits and on < limit:
                on += delay[end_v[e]]
            if on < limit:
                found[n, 0], found[n, 1] = max(1.0 - (limit - on) / forward[e], 0.0), 1.0
                n += 1
        if backward[e] >= 0:
            on = np.int64(dist[end_u[e]])
            if waits and on < limit:
                on += delay[end_u[e]]
            if on < limit:
                found[n, 0], found[n, 1] = 0.0, min((limit - on) / backward[e], 1.0)
                n += 1
        for k in range(t_start[e], t_start[e + 1]):
            left = limit - t_ms[k]
            if left <= 0:
                continue
            if forward[e] >= 0:
                found[n, 0], found[n, 1] = max(t_f[k] - left / forward[e], 0.0), t_f[k]
                n += 1
            if backward[e] >= 0:
                found[n, 0], found[n, 1] = t_f[k], min(t_f[k] + left / backward[e], 1.0)
                n += 1
        # Put together what touches, from the beginning of the edge on.
        order = np.argsort(found[:n, 0])
        if size + n > room:
            which = np.concatenate((which, np.empty(room + n, dtype=np.int64)))
            span = np.concatenate((span, np.empty((room + n, 2))))
            room = len(which)
        begun = size
        for i in order:
            if found[i, 1] <= found[i, 0]:
                continue
            if size > begun and found[i, 0] <= span[size - 1, 1]:
                span[size - 1, 1] = max(span[size - 1, 1], found[i, 1])
            else:
                which[size] = e
                span[size, 0], span[size, 1] = found[i, 0], found[i, 1]
                size += 1
    return which[:size], span[:size]


@njit(cache=True, nogil=True)
def _cut(vx, vy, start, which, span):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return the vertices of each piece one after the other, and the piece of each vertex."""
    room = 2 * len(which)
    for e in which:
        room += start[e + 1] - start[e]
    xy = np.empty((room, 2))
    piece = np.empty(room, dtype=np.int64)
    n = 0
    for p in range(len(which)):
        e = which[p]
        first, last = start[e], start[e + 1] - 1
        total = 0.0
        for i in range(first, last):
            total += np.hypot(vx[i + 1] - vx[i], vy[i + 1] - vy[i])
        begin, end = span[p, 0] * total, span[p, 1] * total
        at, begun = 0.0, False
        for i in range(first, last):
            size = np.hypot(vx[i + 1] - vx[i], vy[i + 1] - vy[i])
            if not begun and (at + size >= begin or i == last - 1):
                t = min((begin - at) / size, 1.0) if size > 0 else 0.0
                xy[n, 0], xy[n, 1], piece[n] = vx[i] + t * (vx[i + 1] - vx[i]), vy[i] + t * (vy[i + 1] - vy[i]), p
                n += 1
                begun = True
            if begun:
                if at + size >= end or i == last - 1:
                    t = min((end - at) / size, 1.0) if size > 0 else 1.0
                    xy[n, 0], xy[n, 1], piece[n] = vx[i] + t * (vx[i + 1] - vx[i]), vy[i] + t * (vy[i + 1] - vy[i]), p
                    n += 1
                    break
                xy[n, 0], xy[n, 1], piece[n] = vx[i + 1], vy[i + 1], p
                n += 1
            at += size
    return xy[:n], piece[:n]


def reached_streets(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    *,
    cutoffs_s: Sequence[float],
    direction: str = "to",
    max_snap_m: float = 300.0,
    dissolve: bool = False,
    threads: int = 2,
    progress: Progress | None = None,
) -> gpd.GeoDataFrame:
    """List the streets within each cutoff of each place, cut where the time ends.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    origins : pandas.DataFrame
        ``origin_id, x, y`` [m, CRS of the network]; rows of one id are doors of one place. An ``offset_s`` column is
        added to every time from or to that door [s].
    cutoffs_s : sequence of float
        Longest times [s].
    direction : str
        ``to``: the streets from which the place is reached in time; ``from``: what is reached from the place.
    max_snap_m : float
        Places farther from every street reach nothing [m].
    dissolve : bool
        Streets near any of the places, called ``any``.
    threads : int
        Places worked on at the same time; the result does not depend on it.
    progress : callable or bool, optional
        Called with places done and in all; True draws a bar.

    Returns
    -------
    geopandas.GeoDataFrame
        One row per piece: ``origin_id, cutoff_s, edge, u, v, way, from_fraction, to_fraction, length_m, geometry``
        (LineString in the CRS of the network), sorted by place, cutoff, edge and position. Each cutoff holds all that
        is within it, so that the pieces of 5 minutes lie in those of 10. `edge`, `u` and `v` are rows of
        ``network.edges`` and ``network.nodes``, fractions count from u to v. A place off the network has no row.

    Raises
    ------
    InputError
        A cutoff or the direction is out of range.
    MissingColumnError, SchemaError
        A column is missing, or an offset is below 0.

    Notes
    -----
    A point at fraction f of an edge is within the cutoff C when it can leave by v, ``(1 - f) c_uv + d(v) <= C``, by u,
    ``f c_vu + d(u) <= C``, or go straight to a door on the same edge. Each of these is an interval of f; a piece is
    their union. An edge may so be reached from both ends with a gap in between. Bridges and tunnels are reached,
    although the ground along them is not. Of a piece of no length there is no row.

    Examples
    --------
    A street of 1 km, walked at 4 km/h:

    >>> import geopandas as gpd
    >>> import pandas as pd
    >>> from bishan_gis.network.costs import edge_costs, load_profile
    >>> from bishan_gis.network.from_edges import network_from_edges
    >>> line = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 1000 0)"], crs="EPSG:4544")
    >>> network = network_from_edges(gpd.GeoDataFrame(geometry=line))
    >>> costs = edge_costs(network, load_profile("adult"))
    >>> school = pd.DataFrame({"origin_id": ["school"], "x": [500], "y": [0]})
    >>> reached_streets(network, costs, school, cutoffs_s=[90, 180])["length_m"].round(3).tolist()
    [200.0, 400.0]
    """
    import geopandas as gpd
    import shapely

    ends = check_cutoffs(cutoffs_s)
    turned = trip_costs(network, costs, direction)
    doors = read_doors(network, turned, origins, max_snap_m=max_snap_m, dissolve=dissolve)
    searcher = Searcher(network, turned, doors, ends[-1])
    own = local()

    def work(i: int) -> list[tuple[NDArray[np.int64], NDArray[np.float64], int, int]]:
        rows = searcher.rows(i)
        if len(rows) == 0:
            return []
        if not hasattr(own, "arrays"):
            own.arrays = searcher.arrays()
        dist = own.arrays[0]
        n, out = searcher.run(i, *own.arrays), []
        near = np.flatnonzero(searcher.near_edges(dist, rows))
        here = doors.on_edges(network, turned, rows)
        for k, cutoff in enumerate(ends):
            which, span = _pieces(
                near,
                turned.end_u,
                turned.end_v,
                turned.state_delay_ms,
                turned.forward_ms,
                turned.backward_ms,
                dist,
                here.start,
                here.fraction,
                here.leg_ms,
                whole_ms(cutoff),
            )
            out.append((which, span, i, k))
        dist[own.arrays[1][:n]] = NOT_REACHED
        return out

    found = in_threads(work, range(len(doors.ids)), threads=threads, progress=progress, what="streets")
    pieces = [piece for part in found for piece in part]
    size = [len(piece[0]) for piece in pieces]
    edge: NDArray[np.int64] = np.concatenate([np.zeros(0, dtype=np.int64), *(piece[0] for piece in pieces)])
    span = np.concatenate([np.zeros((0, 2)), *(piece[1] for piece in pieces)])
    place = np.repeat(np.array([piece[2] for piece in pieces], dtype=np.int64), size)
    rank = np.repeat(np.array([piece[3] for piece in pieces], dtype=np.int64), size)
    xy, piece = _cut(network.vertex_x, network.vertex_y, network.vertex_start, edge, span)
    lines: Any = shapely.linestrings(xy, indices=piece) if len(edge) else np.zeros(0, dtype=object)
    ids = np.empty(len(doors.ids), dtype=object)
    ids[:] = doors.ids
    return gpd.GeoDataFrame(
        {
            "origin_id": ids[place].tolist(),
            "cutoff_s": np.asarray(ends)[rank],
            "edge": edge,
            "u": network.edge_u[edge],
            "v": network.edge_v[edge],
            "way": network.edge_way[edge],
            "from_fraction": span[:, 0],
            "to_fraction": span[:, 1],
            "length_m": (span[:, 1] - span[:, 0]) * network.edge_length_m[edge],
        },
        geometry=lines,
        crs=network.crs,
    )
