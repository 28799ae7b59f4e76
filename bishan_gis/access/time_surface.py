"""The travel time on a grid around some places, for rasters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.access.doors import Searcher, look_around, read_doors
from bishan_gis.access.nearest import trip_costs
from bishan_gis.access.parameters import check_cutoffs, check_positive
from bishan_gis.access.time_grid import FAR, TimeGrid, build_time_grid, each_band, edge_boxes, grid_frame, time_surface
from bishan_gis.errors import NoDataError
from bishan_gis.progress import Progress, counting

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = ["travel_time_surface"]


def travel_time_surface(
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    *,
    cutoff_s: float,
    off_network_m: float = 25.0,
    grid_m: float = 10.0,
    direction: str = "to",
    max_snap_m: float = 300.0,
    threads: int = 2,
    progress: Progress | None = None,
) -> tuple[TimeGrid, NDArray[np.float32]]:
    """Find the time to or from the nearest of some places on a grid, for rasters.

    Parameters
    ----------
    network, costs, origins
        As in :func:`~bishan_gis.access.service_area.service_areas`.
    cutoff_s : float
        Longest time [s].
    off_network_m, grid_m, direction, max_snap_m
        As in :func:`~bishan_gis.access.service_area.service_areas`.
    threads : int
        Bands of rows worked on at the same time; the result does not depend on it.
    progress : callable or bool, optional
        Called with rows done and in all; True draws a bar.

    Returns
    -------
    grid : TimeGrid
        The grid around what is reached.
    seconds : ndarray of float32
        Exact time at each grid point [s]; :data:`~bishan_gis.access.time_grid.FAR` where no street is within
        `off_network_m`, or the time is longer than the cutoff.

    Raises
    ------
    NoDataError
        No place is on the network, or nothing is within the cutoff.
    InputError, MissingColumnError, SchemaError
        As in :func:`~bishan_gis.access.service_area.service_areas`.

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
    >>> grid, seconds = travel_time_surface(network, costs, school, cutoff_s=90)
    >>> row, column = round((0 - grid.y0) / 10), round((450 - grid.x0) / 10)
    >>> float(seconds[row, column])
    45.0
    """
    (end,) = check_cutoffs([cutoff_s])
    check_positive(grid_m=grid_m, off_network_m=off_network_m)
    turned = trip_costs(network, costs, direction)
    doors = read_doors(network, turned, origins, max_snap_m=max_snap_m, dissolve=True, warn=False)
    searcher = Searcher(network, turned, doors, end)
    boxes, arrays = edge_boxes(network), searcher.arrays()
    reach = look_around(searcher, 0, boxes, off_network_m + 2 * grid_m, arrays) if doors.ids else None
    if reach is None:
        raise NoDataError(
            f"origins: {len(origins)} 个点在 {cutoff_s:g} 秒内均未到达路网;请检查坐标系或 max_snap_m",
            f"origins: none of {len(origins)} places meets a street within {cutoff_s:g} s; check the CRS or max_snap_m",
        )
    rows = grid_frame(reach.bounds, grid_m)[2]
    with counting(progress, 2 * rows, "surface") as step:
        grid = build_time_grid(
            network,
            step_m=grid_m,
            off_network_m=off_network_m,
            usable=turned.usable,
            bounds=reach.bounds,
            boxes=boxes,
            max_snap_m=max_snap_m,
            threads=threads,
            step=step,
        )
        arrays[0][reach.state] = reach.cost_ms
        here = doors.on_edges(network, turned, reach.rows)
        seconds = np.empty(grid.edge.shape, dtype=np.float32)

        def work(rows: slice) -> None:
            box = (rows, slice(None))
            found = time_surface(network, turned, grid, arrays[0], here, box=box)
            seconds[box] = np.where((found <= end) & (grid.leg_m[box] <= off_network_m), found, FAR)

        each_band(work, len(seconds), threads=threads, step=step)
    return grid, seconds
