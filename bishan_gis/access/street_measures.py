"""Figures of the street network itself: density, junctions, dead ends, circuity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.crs import check_metric
from bishan_gis.errors import CrsError, InputError, SchemaError
from bishan_gis.schema import check_columns, check_unique

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.network.graph import Network

__all__ = ["street_measures", "trip_circuity"]

_FIGURES = ["area_km2", "street_km", "street_density_km_km2", "junctions", "junction_density_km2", "dead_ends"]
_FIGURES += ["dead_end_share", "circuity", "unknown_nodes"]


def street_measures(network: Network, zones: gpd.GeoDataFrame) -> pd.DataFrame:
    """Measure density, junctions and directness of the streets in each zone.

    Parameters
    ----------
    network : Network
        Streets.
    zones : geopandas.GeoDataFrame
        ``zone_id`` and polygons in the CRS of the network [m]; they may overlap.

    Returns
    -------
    pandas.DataFrame
        Indexed by zone, one row each: ``area_km2``, ``street_km`` (cut at the border), ``street_density_km_km2``,
        ``junctions`` (nodes where three or more street ends meet), ``junction_density_km2``, ``dead_ends``,
        ``dead_end_share`` (of junctions and dead ends; NaN without either), ``circuity`` (length over straight
        distance of the pieces that lie wholly in the zone, loops left out; NaN without any).
        Nodes where the data ends are neither junctions nor dead ends: what lies beyond them is unknown; they
        are counted in ``unknown_nodes``.

    Raises
    ------
    MissingColumnError, SchemaError, CrsError
        ``zone_id`` is missing or repeats; a zone has no shape, is a point or a line, or crosses itself; the zones are
        not in the CRS of the network.
    InputError
        `zones` is not a GeoDataFrame.

    Notes
    -----
    Street density is length over area [km/km2] (GB/T 51328-2018 asks for 8 km/km2 [S, quoted]). Circuity is
    ``sum l_e / sum d_e`` (Boeing 2017, doi:10.1016/j.compenvurbsys.2017.05.004). A street is counted once, whatever
    its directions; pieces drawn for each carriageway count each.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> import bishan_gis as bg
    >>> cross = [shapely.LineString([(0, 0), end]) for end in [(100, 0), (-100, 0), (0, 100), (0, -100)]]
    >>> net = bg.Network.from_edges(gpd.GeoDataFrame(geometry=cross, crs="EPSG:4544"))
    >>> zone = gpd.GeoDataFrame({"zone_id": ["a"]}, geometry=[shapely.box(-50, -500, 950, 500)], crs="EPSG:4544")
    >>> row = street_measures(net, zone).loc["a"]
    >>> float(row["street_km"]), int(row["junctions"]), int(row["dead_ends"]), float(row["circuity"])
    (0.35, 1, 3, 1.0)
    """
    import shapely

    _check_zones(zones)
    if zones.crs != network.crs:
        raise CrsError(
            f"zones: 坐标系 {zones.crs} 与路网 {network.crs} 不同;请先转换",
            f"zones: the CRS {zones.crs} is not that of the network, {network.crs}; convert them first",
        )
    shapes: Any = zones.geometry.to_numpy()
    lines = network.lines
    ends = np.concatenate([network.edge_u, network.edge_v])
    degree = np.bincount(ends, minlength=network.n_nodes)
    closed = ~network.node_frontier
    points: Any = shapely.points(network.node_x, network.node_y)
    straight = np.hypot(
        network.node_x[network.edge_u] - network.node_x[network.edge_v],
        network.node_y[network.edge_u] - network.node_y[network.edge_v],
    )
    street_tree, node_tree = shapely.STRtree(lines), shapely.STRtree(points)
    rows = []
    for shape in shapes:
        shapely.prepare(shape)
        near = street_tree.query(shape, predicate="intersects")
        inside = near[shapely.covers(shape, lines[near])]
        partly = np.setdiff1d(near, inside)
        metres = network.edge_length_m[inside].sum()
        if len(partly):
            metres += shapely.length(shapely.intersection(lines[partly], shape)).sum()
        node = node_tree.query(shape, predicate="covers")
        junctions = int((closed[node] & (degree[node] >= 3)).sum())
        dead = int((closed[node] & (degree[node] == 1)).sum())
        direct = inside[network.edge_u[inside] != network.edge_v[inside]]
        crow, area = straight[direct].sum(), shapely.area(shape) / 1e6
        rows.append(
            {
                "area_km2": area,
                "street_km": metres / 1000,
                "street_density_km_km2": metres / 1000 / area,
                "junctions": junctions,
                "junction_density_km2": junctions / area,
                "dead_ends": dead,
                "dead_end_share": dead / (junctions + dead) if junctions + dead else np.nan,
                "circuity": network.edge_length_m[direct].sum() / crow if crow > 0 else np.nan,
                "unknown_nodes": int((~closed[node]).sum()),
            }
        )
    return pd.DataFrame(rows, index=pd.Index(zones["zone_id"], name="zone_id"), columns=_FIGURES)


def _check_zones(zones: gpd.GeoDataFrame) -> None:
    """Raise unless each row is one zone with an area."""
    import geopandas as gpd
    import shapely

    if not isinstance(zones, gpd.GeoDataFrame):
        name = type(zones).__name__
        raise InputError(f"zones: 须为 GeoDataFrame,现为 {name}", f"zones: must be a GeoDataFrame; it is a {name}")
    check_columns(zones, ["zone_id"], where="zones")
    check_unique(zones["zone_id"], where="zones")
    check_metric(zones, where="zones")
    shapes = zones.geometry.to_numpy()
    flat = int(((shapely.get_dimensions(shapes) != 2) | shapely.is_empty(shapes)).sum())
    crossed = int((~shapely.is_valid(shapes[~shapely.is_missing(shapes)])).sum())
    if flat or crossed:
        raise SchemaError(
            f"zones: {flat} 行没有面 (缺失、为空、是点或线), {crossed} 行自相交;请给出面, 或先 make_valid()",
            f"zones: {flat} rows are no areas (missing, empty, points or lines), {crossed} cross themselves; give "
            "polygons, or use make_valid() first",
        )


def trip_circuity(
    travel_matrix: pd.DataFrame, origins: pd.DataFrame, destinations: pd.DataFrame, *, speed_ms: float
) -> pd.Series:
    """Compare the way with the straight line: how much farther trips are than the crow flies.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        ``from_id, to_id, cost_s`` [s]; a missing pair is not reached and not compared.
    origins, destinations : pandas.DataFrame
        ``origin_id, x, y`` and ``facility_id, x, y`` [m]; of several rows per facility the nearest as the crow flies
        counts.
    speed_ms : float
        Speed that turns time into distance [m/s]; must be positive.

    Returns
    -------
    pandas.Series
        Indexed by origin, named ``circuity``: sum of the ways over sum of the straight distances of its pairs; NaN
        where it has none.

    Raises
    ------
    MissingColumnError, InputError
        A column is missing, the speed is not positive, or an id of the matrix is unknown.

    Notes
    -----
    ``q_i = sum_j v c_ij / sum_j d_ij`` (detour index; Levinson & El-Geneidy 2009,
    doi:10.1016/j.regsciurbeco.2009.07.003). Time spent waiting or climbing counts as distance here.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A"], "to_id": ["c"], "cost_s": [200.0]})
    >>> here = pd.DataFrame({"origin_id": ["A", "B"], "x": [0.0, 9.0], "y": [0.0, 9.0]})
    >>> there = pd.DataFrame({"facility_id": ["c"], "x": [80.0], "y": [60.0]})
    >>> trip_circuity(matrix, here, there, speed_ms=1.0).tolist()
    [2.0, nan]
    """
    from bishan_gis.access.parameters import check_positive
    from bishan_gis.errors import InputError

    check_positive(speed_ms=speed_ms)
    check_columns(travel_matrix, ["from_id", "to_id", "cost_s"], where="travel_matrix")
    check_columns(origins, ["origin_id", "x", "y"], where="origins")
    check_columns(destinations, ["facility_id", "x", "y"], where="destinations")
    strange = (~travel_matrix["from_id"].isin(origins["origin_id"])).sum()
    strange += (~travel_matrix["to_id"].isin(destinations["facility_id"])).sum()
    if strange:
        raise InputError(
            f"travel_matrix: {strange} 个编号不在 origins 或 destinations 中",
            f"travel_matrix: {strange} ids are not in origins or destinations",
        )
    pairs = travel_matrix.merge(origins[["origin_id", "x", "y"]], left_on="from_id", right_on="origin_id")
    pairs = pairs.merge(
        destinations[["facility_id", "x", "y"]], left_on="to_id", right_on="facility_id", suffixes=("", "_to")
    )
    pairs["straight_m"] = np.hypot(pairs["x"] - pairs["x_to"], pairs["y"] - pairs["y_to"])
    pairs = pairs.groupby(["from_id", "to_id"], as_index=False).agg({"cost_s": "first", "straight_m": "min"})
    sums = pairs.groupby("from_id")[["cost_s", "straight_m"]].sum()
    ratio = (sums["cost_s"] * speed_ms / sums["straight_m"]).where(sums["straight_m"] > 0)
    return ratio.reindex(origins["origin_id"]).rename("circuity").rename_axis("origin_id")
