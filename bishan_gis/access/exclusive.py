"""Who is served by which facility, and where people have a choice: catchments and overlaps, as ground and people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from threading import Lock, local
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.access.contours import contour_surface
from bishan_gis.access.doors import Doors, Reach, Searcher, look_around, read_doors
from bishan_gis.access.nearest import trip_costs
from bishan_gis.access.parameters import check_cutoffs, check_positive
from bishan_gis.access.place_tables import place_table, snap_table, whole_ms
from bishan_gis.access.time_grid import FAR, TimeGrid, build_time_grid, edge_boxes, time_surface
from bishan_gis.errors import InputError, SchemaError
from bishan_gis.network.search import nearest_on_edges, search_nearest
from bishan_gis.network.snap import Snaps
from bishan_gis.network.star import NOT_REACHED, StarGraph
from bishan_gis.progress import Progress, counting, in_threads
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = ["exclusive_areas", "overlaps"]

#: Smallest part of a catchment that is kept [m2]; what clipping leaves below has no width.
_SLIVER_M2 = 1e-6


def _read_people(
    network: Network, costs: EdgeCosts, people: pd.DataFrame | None, max_snap_m: float
) -> tuple[Snaps, NDArray[np.float64]] | None:
    """Snap the people to the streets."""
    if people is None:
        return None
    people = place_table(network, people, [], where="people")
    check_columns(people, ["people"], where="people")
    number = pd.to_numeric(people["people"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = int((~(np.isfinite(number) & (number >= 0))).sum())
    if wrong:
        raise SchemaError(
            f"people: 列 people 有 {wrong} 行为空或为负;请补全",
            f"people: {wrong} rows have no valid people (missing or below 0); complete them",
        )
    return snap_table(network, costs, people, max_snap_m=max_snap_m, where="people"), number


def _areal(shape: Any) -> Any:
    """Keep what has an area, as a MultiPolygon."""
    import shapely

    parts = shapely.get_parts(shape)
    return shapely.MultiPolygon(list(parts[shapely.area(parts) > _SLIVER_M2]))


def _label_polygons(label: NDArray[np.int32], grid: TimeGrid) -> dict[int, Any]:
    """Return the squares around the grid points of each label as one polygon."""
    import rasterio.features
    import shapely
    from affine import Affine

    half = grid.step_m / 2
    place = Affine(grid.step_m, 0, grid.x0 - half, 0, grid.step_m, grid.y0 - half)
    parts: dict[int, list[Any]] = {}
    for shape, value in rasterio.features.shapes(label, mask=label >= 0, transform=place):
        parts.setdefault(int(value), []).append(shapely.geometry.shape(shape))
    return {k: shapely.make_valid(shapely.MultiPolygon(v)) for k, v in parts.items()}


def _nearest_label(
    network: Network, costs: EdgeCosts, grid: TimeGrid, doors: Doors, cost: Any, who: Any
) -> NDArray[np.int32]:
    """Return the facility nearest in time at every grid point; where no street is near, that of the nearest point."""
    from scipy import ndimage

    near = grid.edge >= 0
    leg = grid.leg_m[near].astype(np.float64)
    places = Snaps(grid.edge[near], grid.fraction[near].astype(np.float64), leg)
    _, found = nearest_on_edges(network, costs, places, doors.on_edges(network, costs, label=doors.owner), cost, who)
    label = np.full(grid.edge.shape, -1, dtype=np.int32)
    label[near] = found
    if (label < 0).all():
        return label
    at = ndimage.distance_transform_edt(label < 0, return_distances=False, return_indices=True)
    filled: NDArray[np.int32] = label[tuple(at)]
    return filled


def exclusive_areas(
    network: Network,
    costs: EdgeCosts,
    facilities: pd.DataFrame,
    *,
    cutoffs_s: Sequence[float],
    people: pd.DataFrame | None = None,
    off_network_m: float = 25.0,
    grid_m: float = 10.0,
    direction: str = "to",
    max_snap_m: float = 300.0,
    threads: int = 2,
    progress: Progress | None = None,
) -> gpd.GeoDataFrame:
    """Divide the ground and the people among the facilities that are nearest to them in time.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost.
    facilities : pandas.DataFrame
        ``facility_id, x, y`` [m, CRS of the network], or a GeoDataFrame of points without ``x, y``, which are
        projected; a facility may have several doors. An ``offset_s`` column is added to every time from or to that door
        [s].
    cutoffs_s : sequence of float
        Longest times [s].
    people : pandas.DataFrame, optional
        ``x, y, people`` of each cell.
    off_network_m, grid_m, direction, max_snap_m
        As in :func:`~bishan_gis.access.service_area.service_areas`.
    threads : int
        Facilities worked on at the same time; the result does not depend on it.
    progress : callable or bool, optional
        Called with steps done and in all; True draws a bar.

    Returns
    -------
    geopandas.GeoDataFrame
        ``facility_id, cutoff_s, status, people, area_km2, geometry``: one row per facility and cutoff, sorted by
        both; `people` only where they are given. The polygons of one cutoff do not overlap and together are the
        ground within it of any facility. People are counted by exact time, not by polygon. `status` is ``reached``,
        ``beyond_cutoff`` (another facility is nearer everywhere, or nothing is within the cutoff) or ``off_network``.

    Raises
    ------
    InputError
        A parameter is out of range, or the ground is too large for the spacing.
    MissingColumnError, SchemaError
        A column, an id or a coordinate is missing, or an offset or number of people is below 0 or no number.
    CrsError
        Points without a CRS, or ``x, y`` beside a geometry in another CRS.

    Notes
    -----
    ``argmin_j (c_ij + offset_j)`` for ``min_j (c_ij + offset_j) <= C``: the network Voronoi diagram (Okabe & Sugihara
    2012, ISBN 978-0-470-77081-8). Equally near facilities: the id that sorts first. Inner borders follow the
    squares of the grid, outer ones the contour of the time.

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
    >>> schools = pd.DataFrame({"facility_id": ["a", "b"], "x": [200, 800], "y": [0, 0]})
    >>> cells = pd.DataFrame({"x": [100, 450, 900], "y": [0, 0, 0], "people": [10, 20, 40]})
    >>> areas = exclusive_areas(network, costs, schools, cutoffs_s=[600], people=cells)
    >>> areas.set_index("facility_id")["people"].to_dict()
    {'a': 30.0, 'b': 40.0}
    """
    import geopandas as gpd
    import shapely

    ends = check_cutoffs(cutoffs_s)
    check_positive(grid_m=grid_m, off_network_m=off_network_m)
    turned = trip_costs(network, costs, direction)
    doors = read_doors(network, turned, facilities, max_snap_m=max_snap_m, key="facility_id", where="facilities")
    living = _read_people(network, turned, people, max_snap_m)
    together = Doors(doors.ids[:1], np.zeros_like(doors.owner), doors.snaps, doors.offset_ms)
    star = StarGraph.from_network(network, turned, reverse=True)
    limit = whole_ms(ends[-1])
    (cost,), (who,) = search_nearest(star, [doors.seeds(network, turned, doors.owner)], limit_ms=limit, threads=threads)
    here = doors.on_edges(network, turned, label=doors.owner)

    searcher, boxes = Searcher(network, turned, together, ends[-1]), edge_boxes(network)
    margin = off_network_m + 2 * grid_m
    reach = look_around(searcher, 0, boxes, margin, searcher.arrays()) if doors.ids else None
    shapes: dict[tuple[int, float], Any] = {}
    if reach is not None:
        grid = build_time_grid(
            network,
            step_m=grid_m,
            off_network_m=off_network_m,
            usable=turned.usable,
            bounds=reach.bounds,
            boxes=boxes,
            max_snap_m=max_snap_m,
            threads=threads,
        )
        seconds = time_surface(network, turned, grid, cost, here)
        squares = _label_polygons(_nearest_label(network, turned, grid, doors, cost, who), grid)
        outlines = {c: contour_surface(seconds, grid, c, turned.profile.leg_speed_ms) for c in ends}
        keys = [(k, cutoff) for cutoff, whole in outlines.items() if whole is not None for k in squares]

        def cut(key: tuple[int, float]) -> Any:
            return _areal(shapely.intersection(outlines[key[1]], squares[key[0]]))

        parts = in_threads(cut, keys, threads=threads, progress=progress, what="catchments")
        shapes = {key: part for key, part in zip(keys, parts, strict=True) if not part.is_empty}
    count = {}
    if living is not None:
        time_ms, mine = nearest_on_edges(network, turned, living[0], here, cost, who)
        for cutoff in ends:
            served = time_ms <= whole_ms(cutoff)
            count[cutoff] = np.bincount(mine[served], weights=living[1][served], minlength=len(doors.ids))
    rows = []
    for i, facility in enumerate(doors.ids):
        for cutoff in ends:
            n = count[cutoff][i] if living is not None else 0.0
            shape = shapes.get((i, cutoff), shapely.MultiPolygon())
            status = "reached" if not shape.is_empty or n > 0 else _why_not(doors, i)
            rows.append((facility, cutoff, status, n, shape))
    columns = ["facility_id", "cutoff_s", "status", "people", "geometry"]
    frame = gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs=network.crs)
    frame.insert(4, "area_km2", frame.area / 1e6)
    return frame if living is not None else frame.drop(columns="people")


def _why_not(doors: Doors, place: int) -> str:
    """Return why a facility serves nobody."""
    return "beyond_cutoff" if (doors.snaps.edge[doors.owner == place] >= 0).any() else "off_network"


def overlaps(
    network: Network,
    costs: EdgeCosts,
    facilities: pd.DataFrame,
    *,
    cutoffs_s: Sequence[float],
    people: pd.DataFrame | None = None,
    most: int = 3,
    off_network_m: float = 25.0,
    grid_m: float = 10.0,
    direction: str = "to",
    max_snap_m: float = 300.0,
    threads: int = 2,
    progress: Progress | None = None,
) -> gpd.GeoDataFrame:
    """Show how many facilities serve each place within each cutoff: where people have a choice.

    Parameters
    ----------
    network, costs, facilities, cutoffs_s, people
        As in :func:`exclusive_areas`.
    most : int
        So many facilities or more are one class.
    off_network_m, grid_m, direction, max_snap_m, threads, progress
        As in :func:`exclusive_areas`.

    Returns
    -------
    geopandas.GeoDataFrame
        ``cutoff_s, n, or_more, people, area_km2, geometry``: ground served by exactly `n` facilities, or more where
        `or_more`; one row per cutoff and n from 1 to `most`, the geometry empty where there is no such ground. With
        `people` there is a row n = 0 as well: those on the network whom nobody serves, without ground; people off
        the network are in no row.

    Raises
    ------
    InputError
        A parameter is out of range, or the ground is too large for the spacing.
    MissingColumnError, SchemaError
        As in :func:`exclusive_areas`.

    Notes
    -----
    ``n_i = sum_j [c_ij + offset_j <= C]``; a facility with several doors counts once. The ground of n or more is the
    contour of the n-th smallest time at the cutoff, so that it is as exact as a service area and nested in n. People
    are counted by exact time.

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
    >>> schools = pd.DataFrame({"facility_id": ["a", "b"], "x": [200, 800], "y": [0, 0]})
    >>> cells = pd.DataFrame({"x": [100, 450, 900], "y": [0, 0, 0], "people": [10, 20, 40]})
    >>> overlaps(network, costs, schools, cutoffs_s=[360], people=cells).set_index("n")["people"].to_dict()
    {0: 0.0, 1: 50.0, 2: 20.0, 3: 0.0}
    """
    import geopandas as gpd
    import shapely

    ends = check_cutoffs(cutoffs_s)
    check_positive(grid_m=grid_m, off_network_m=off_network_m)
    if most < 1:
        raise InputError(f"most = {most};应不小于 1", f"most = {most}; it must be 1 or more")
    turned = trip_costs(network, costs, direction)
    doors = read_doors(network, turned, facilities, max_snap_m=max_snap_m, key="facility_id", where="facilities")
    living = _read_people(network, turned, people, max_snap_m)
    searcher, boxes = Searcher(network, turned, doors, ends[-1]), edge_boxes(network)
    margin, own, lock = off_network_m + 2 * grid_m, local(), Lock()
    choices = np.zeros((len(ends), len(living[1]) if living is not None else 0), dtype=np.int64)
    everyone = np.zeros(turned.n_states, dtype=np.int32)
    layers: list[Any] = []
    grid: Any = None

    def arrays() -> Any:
        if not hasattr(own, "arrays"):
            own.arrays = searcher.arrays()
        return own.arrays

    def look(i: int) -> Reach | None:
        return look_around(searcher, i, boxes, margin, arrays())

    def add(r: Reach) -> None:
        dist = arrays()[0]
        dist[r.state] = r.cost_ms
        here, box = doors.on_edges(network, turned, r.rows), grid.box(r.bounds)
        rest = time_surface(network, turned, grid, dist, here, box=box)
        within: Any = 0
        if living is not None:
            time_ms, _ = nearest_on_edges(network, turned, living[0], here, dist, everyone)
            within = time_ms <= np.array([whole_ms(c) for c in ends])[:, None]
        dist[r.state] = NOT_REACHED
        with lock:
            np.add(choices, within, out=choices)
            for layer in layers:
                layer[box], rest = np.minimum(layer[box], rest), np.maximum(layer[box], rest)

    with counting(progress, 2 * len(doors.ids), "overlaps") as step:
        looked = in_threads(look, range(len(doors.ids)), threads=threads, step=step)
        reaches = [r for r in looked if r is not None]
        step(len(looked) - len(reaches))
        if reaches:
            bounds = np.array([r.bounds for r in reaches])
            bounds = np.concatenate([bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)])
            grid = build_time_grid(
                network,
                step_m=grid_m,
                off_network_m=off_network_m,
                usable=turned.usable,
                bounds=bounds,
                boxes=boxes,
                max_snap_m=max_snap_m,
                threads=threads,
            )
            layers = [np.full(grid.edge.shape, FAR, dtype=np.float32) for _ in range(most)]
            in_threads(add, reaches, threads=threads, step=step)
    rows = []
    for k, cutoff in enumerate(ends):
        speed = turned.profile.leg_speed_ms
        drawn = [contour_surface(layer, grid, cutoff, speed) for layer in layers] if grid is not None else []
        shapes = [shapely.MultiPolygon() if s is None else s for s in drawn] or [shapely.MultiPolygon()] * most
        shapes = [_areal(shapely.difference(a, b)) for a, b in pairwise(shapes)] + shapes[-1:]
        if living is not None:
            on = living[0].edge >= 0
            n = np.bincount(np.minimum(choices[k][on], most), weights=living[1][on], minlength=most + 1)
            rows.append((cutoff, 0, False, n[0], shapely.MultiPolygon()))
        for i, shape in enumerate(shapes, start=1):
            rows.append((cutoff, i, i == most, n[i] if living is not None else 0.0, shape))
    columns = ["cutoff_s", "n", "or_more", "people", "geometry"]
    frame = gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs=network.crs)
    frame.insert(4, "area_km2", frame.area / 1e6)
    return frame if living is not None else frame.drop(columns="people")
