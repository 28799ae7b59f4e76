"""Service areas: the ground within a walking time of a facility, as polygons.

The method, in three steps. (1) A regular grid is laid over the study; each grid point within the off-network
distance of a street that can be entered knows the nearest place on it (`access.time_grid`). (2) Its travel
time is exact: the leg plus the cost along the streets. (3) The polygon is the contour of that surface at the cutoff,
bounded by the off-network distance, interpolated linearly between grid points; holes are kept. Areas are
nested because the surface is one. Polygons are for the eye: statistics use the exact times of the origins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.access.contours import contour_windows, level_field
from bishan_gis.access.time_grid import TimeGrid, time_surface
from bishan_gis.network.costs import EdgeCosts
from bishan_gis.network.search import nearest_on_edges, search_bounded
from bishan_gis.network.star import NOT_REACHED, StarGraph, by_edge, snap_seeds

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import shapely
    from numpy.typing import NDArray

    from bishan_gis.network.graph import Network
    from bishan_gis.network.snap import Snaps

__all__ = ["facility_circles", "union_areas"]

#: Side of the tiles that :func:`_patches` looks at [grid points]; found by measuring.
_TILE = 16
#: Facilities whose circles are contoured together.
_BATCH = 32


def _patches(inside: NDArray[np.bool_]) -> Iterator[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
    """Split a large, mostly empty grid into windows around what is inside.

    Groups of tiles that touch stay together and others are a tile away, so no contour is cut.
    """
    from scipy import ndimage

    rows, cols = inside.shape
    shape = (-(-rows // _TILE), -(-cols // _TILE))
    padded = np.zeros((shape[0] * _TILE, shape[1] * _TILE), dtype=bool)
    padded[:rows, :cols] = inside
    tiles = padded.reshape(shape[0], _TILE, shape[1], _TILE).any(axis=(1, 3))
    group, _ = ndimage.label(tiles, structure=np.ones((3, 3)))
    for number, (r, c) in enumerate(ndimage.find_objects(group), start=1):
        # One tile around, cut to one grid point, so that contours close.
        wide = (slice(max(r.start - 1, 0), r.stop + 1), slice(max(c.start - 1, 0), c.stop + 1))
        near = ndimage.binary_dilation(group[wide] == number, structure=np.ones((3, 3), dtype=bool))
        part = (
            slice(max(r.start * _TILE - 1, 0), min(r.stop * _TILE + 1, rows)),
            slice(max(c.start * _TILE - 1, 0), min(c.stop * _TILE + 1, cols)),
        )
        tile = [np.arange(s.start, s.stop) // _TILE - w.start for s, w in zip(part, wide, strict=True)]
        yield part, near[np.ix_(*tile)]


def _width(window: tuple[NDArray[np.float64], tuple[int, int]]) -> int:
    """Return the class of width of a window; those of one class share a sheet."""
    return int(window[0].shape[1]).bit_length()


def union_areas(
    network: Network,
    costs: EdgeCosts,
    grid: TimeGrid,
    node_cost_ms: NDArray[np.int32],
    destinations: Snaps,
    rows_of: Sequence[NDArray[np.int64]],
    services: Sequence[str],
    *,
    cutoffs_s: Sequence[float],
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> gpd.GeoDataFrame:
    """Draw the ground within each cutoff of *any* facility of a service.

    Parameters
    ----------
    network, costs, grid : Network, EdgeCosts, TimeGrid
        Streets, prices, grid.
    node_cost_ms : ndarray, shape (services, nodes)
        Cost from each node to the nearest facility [ms].
    destinations : Snaps
        Where access points meet the streets.
    rows_of : sequence of ndarray
        Rows of `destinations` of each service.
    services : sequence of str
        Names of the rows.
    cutoffs_s : sequence of float
        Cutoffs [s], rising.
    threads : int
        Services drawn at the same time.
    progress : callable, optional
        Called with services done and in all.

    Returns
    -------
    geopandas.GeoDataFrame
        ``service, cutoff_min, area_km2, geometry`` in the CRS of the network; nothing reached, no row.
    """
    import geopandas as gpd
    import shapely

    speed = costs.profile.speed_ms
    done = [0]

    def draw(i: int) -> list[tuple[str, float, shapely.MultiPolygon]]:
        here = by_edge(network, costs, destinations.take(rows_of[i]))
        seconds = time_surface(network, costs, grid, node_cost_ms[i], here)
        found = []
        for cutoff in cutoffs_s:
            windows = []
            for part, mine in _patches((seconds < cutoff) & (grid.leg_m < grid.off_network_m)):
                window = level_field(seconds[part], grid, part, cutoff, speed, mine)
                if window is not None:
                    windows.append(window)
            polygons = []
            for _, alike in groupby(sorted(windows, key=_width), key=_width):
                fields, corners = zip(*alike, strict=True)
                polygons.append(contour_windows(fields, corners, grid)[0])
            if polygons:
                found.append((services[i], cutoff / 60, shapely.MultiPolygon(list(np.concatenate(polygons)))))
        done[0] += 1
        if progress:
            progress(done[0], len(services))
        return found

    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        rows = [r for part in pool.map(draw, range(len(services))) for r in part]
    frame = gpd.GeoDataFrame(rows, columns=["service", "cutoff_min", "geometry"], geometry="geometry", crs=network.crs)
    frame.insert(2, "area_km2", frame.area / 1e6)
    return frame


def _window(
    network: Network,
    grid: TimeGrid,
    near: NDArray[np.int32],
    left_ms: NDArray[np.int32],
    own: NDArray[np.int32],
    limit_ms: int,
    speed: float,
) -> tuple[slice, slice]:
    """Rows and columns that can be reached: around each node what time is left, and the facility's own edges."""
    node = np.concatenate([near, network.edge_u[own], network.edge_v[own]])
    slack = np.concatenate([left_ms, np.full(2 * len(own), limit_ms)]) / 1000 * speed
    slack += grid.off_network_m + 2 * grid.step_m
    box = []
    for at, origin, size in (
        (network.node_y[node], grid.y0, grid.edge.shape[0]),
        (network.node_x[node], grid.x0, grid.edge.shape[1]),
    ):
        low = int(((at - slack).min() - origin) // grid.step_m)
        high = int(((at + slack).max() - origin) // grid.step_m) + 2
        box.append(slice(max(low, 0), min(high, size)))
    return box[0], box[1]


def _assemble(
    rows: list[tuple[str, str, float, int]], polygons: NDArray[np.object_], window: NDArray[np.int64]
) -> list[tuple[str, str, float, int, shapely.MultiPolygon]]:
    """Put the polygons of each window together."""
    import shapely

    shapes: Any = shapely.multipolygons(polygons, indices=window)
    return [(*rows[w], shape) for w, shape in zip(np.unique(window), shapes[np.unique(window)], strict=True)]


def facility_circles(
    network: Network,
    costs: EdgeCosts,
    grid: TimeGrid,
    facilities: pd.DataFrame,
    destinations: Snaps,
    origins: Snaps,
    people: NDArray[np.int64],
    *,
    cutoffs_s: Sequence[float],
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> gpd.GeoDataFrame:
    """Draw the service circle of each facility at each cutoff.

    Parameters
    ----------
    network, costs, grid : Network, EdgeCosts, TimeGrid
        Streets, prices, grid.
    facilities : pandas.DataFrame
        ``facility_id, service`` of each access point, in the order of `destinations`.
    destinations : Snaps
        Where access points meet the streets.
    origins : Snaps
        Where the population cells meet the streets.
    people : ndarray of int64
        People in each cell.
    cutoffs_s : sequence of float
        Cutoffs [s], rising.
    threads : int
        Facilities drawn at the same time.
    progress : callable, optional
        Called with facilities done and in all.

    Returns
    -------
    geopandas.GeoDataFrame
        ``facility_id, service, cutoff_min, people, area_km2, geometry`` (MultiPolygon with holes). People are those
        whose exact time is within the cutoff, not those inside the polygon.
    """
    import geopandas as gpd

    reverse = StarGraph.from_network(network, costs, reverse=True)
    speed = costs.profile.speed_ms
    limit = int(max(cutoffs_s) * 1000)
    keys = facilities[["facility_id", "service"]].drop_duplicates().sort_values(["service", "facility_id"])
    rows_of = facilities.groupby(["facility_id", "service"], sort=False).indices
    seeds_all = snap_seeds(network, costs, destinations, np.arange(len(facilities), dtype=np.int32), arrive=True)
    order = np.argsort(seeds_all.label, kind="stable")
    first = np.searchsorted(seeds_all.label[order], np.arange(len(facilities) + 1))
    work = list(keys.itertuples(index=False, name=None))
    chunks = np.array_split(np.arange(len(work)), max(len(work) // _BATCH, 1))
    everyone = np.zeros(network.n_nodes, dtype=np.int32)
    done = [0]

    def draw(chunk: NDArray[np.int64]) -> list[tuple[str, str, float, int, shapely.MultiPolygon]]:
        dist = np.full(network.n_nodes, NOT_REACHED, dtype=np.int32)
        touched = np.empty(network.n_nodes, dtype=np.int32)
        heap = np.empty(4096, dtype=np.int64)
        rows_out, fields, corners = [], [], []
        for w in chunk:
            facility_id, service = work[w]
            rows = np.asarray(rows_of[(facility_id, service)], dtype=np.int64)
            rows = rows[destinations.edge[rows] >= 0]
            if len(rows) == 0:
                continue
            pick = np.concatenate([order[first[r] : first[r + 1]] for r in rows])
            node, cost = seeds_all.node[pick], seeds_all.cost_ms[pick]
            n = search_bounded(reverse.start, reverse.target, reverse.cost_ms, node, cost, limit, dist, touched, heap)
            near = touched[:n]
            here = by_edge(network, costs, destinations.take(rows))
            box = _window(network, grid, near, limit - dist[near], destinations.edge[rows], limit, costs.top_speed_ms)
            seconds = time_surface(network, costs, grid, dist, here, box=box)
            time_ms, _ = nearest_on_edges(network, costs, origins, here, dist, everyone)
            dist[near] = NOT_REACHED
            for cutoff in cutoffs_s:
                window = level_field(seconds, grid, box, cutoff, speed)
                if window is not None:
                    inside = int(people[time_ms <= cutoff * 1000].sum())
                    rows_out.append((facility_id, service, cutoff / 60, inside))
                    fields.append(window[0])
                    corners.append(window[1])
        out = _assemble(rows_out, *contour_windows(fields, corners, grid)) if fields else []
        done[0] += len(chunk)
        if progress:
            progress(done[0], len(work))
        return out

    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        found = [r for part in pool.map(draw, chunks) for r in part]
    columns = ["facility_id", "service", "cutoff_min", "people", "geometry"]
    frame = gpd.GeoDataFrame(found, columns=columns, geometry="geometry", crs=network.crs)
    frame.insert(4, "area_km2", frame.area / 1e6)
    return frame
