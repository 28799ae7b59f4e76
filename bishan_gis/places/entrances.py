"""Where people enter a facility: parks, schools and estates are not reached at their centre."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from bishan_gis.crs import WGS84, check_metric
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray
    from pyproj import CRS

    from bishan_gis.network.graph import Network
    from bishan_gis.sources.osm import OsmData

__all__ = ["ENTRANCE_RULES", "find_access_points", "find_entrances"]

#: How an access point was found, best first; also the values of the column ``rule``.
ENTRANCE_RULES = ("point", "entrance", "crossing", "boundary")

_ENTRANCE_M = 5.0
_NEAR_M = 50.0
_STEP_M = 50.0
_GATES = {
    "gate",
    "entrance",
    "lift_gate",
    "swing_gate",
    "sliding_gate",
    "kissing_gate",
    "turnstile",
    "toll_booth",
}
_CLOSED = {"no", "private", "emergency", "service", "exit"}
_CARRIED = (1, 2)  # bridge and tunnel, positions in network.graph.STRUCTURES


def find_entrances(osm: OsmData) -> gpd.GeoDataFrame:
    """Return the entrances and gates that an extract maps as points, those closed to the public left out.

    Returns
    -------
    geopandas.GeoDataFrame
        ``osm_id, geometry`` in EPSG:4326.
    """
    import geopandas as gpd

    keep = np.array([_is_open(t) for t in osm.point_tags], dtype=bool)
    ids = [f"node/{i}" for i in np.asarray(osm.point_id)[keep].tolist()]
    lon, lat = np.asarray(osm.point_lon)[keep], np.asarray(osm.point_lat)[keep]
    return gpd.GeoDataFrame({"osm_id": ids}, geometry=gpd.points_from_xy(lon, lat), crs=WGS84)


def _is_open(tags: dict[str, str]) -> bool:
    entrance = tags.get("entrance", "")
    if not (entrance or tags.get("barrier") in _GATES):
        return False
    if entrance in _CLOSED:
        return False
    return tags.get("foot", tags.get("access", "yes")) not in {"no", "private"}


def find_access_points(
    facilities: gpd.GeoDataFrame, network: Network, *, entrances: gpd.GeoDataFrame | None = None
) -> pd.DataFrame:
    """Find the points at which each facility is entered.

    Parameters
    ----------
    facilities : geopandas.GeoDataFrame
        ``facility_id`` and points or areas.
    network : Network
        Streets that may be walked.
    entrances : geopandas.GeoDataFrame, optional
        Mapped entrances and gates, from `find_entrances`.

    Returns
    -------
    pandas.DataFrame
        ``facility_id, x, y, rule``: at least one row per facility, in the CRS of the network [m], by id.
        ``rule`` says how it was found: ``point`` (the facility is a point), ``entrance`` (mapped on the
        boundary or within 5 m of it), ``crossing`` (a way people walk crosses the boundary; bridges and
        tunnels only where they end inside), ``boundary`` (points of the boundary that face a street within
        50 m, one per 50 m, and the one nearest to a street).

    Notes
    -----
    Ways of the largest connected part of the network count first; a smaller part only where an area has
    neither a crossing nor a street within 50 m of the largest.
    """
    check_columns(facilities, ["facility_id"], where="facilities")
    crs: CRS = network.crs
    projected = facilities.geometry.to_crs(crs)
    check_metric(projected, where="facilities")
    shape = projected.to_numpy()
    ids = facilities["facility_id"].to_numpy(dtype=object)
    is_area = shapely.get_dimensions(shape) == 2
    spot = shape[~is_area].copy()
    line = shapely.get_dimensions(spot) != 0
    spot[line] = shapely.point_on_surface(spot[line])
    spot = shapely.centroid(spot)
    found = [_rows(np.flatnonzero(~is_area), spot, "point")]
    open_ = np.flatnonzero(is_area)
    if entrances is not None and len(entrances) and len(open_):
        rows = _entrance(shape, open_, entrances.geometry.to_crs(crs).to_numpy())
        found.append(rows)
        open_ = np.setdiff1d(open_, rows["item"])
    every = np.arange(network.n_edges if len(open_) else 0)
    main = np.flatnonzero(network.component[network.edge_u] == 0) if len(open_) else every
    for edges in (main, every):
        if len(edges) and len(open_):
            rows = _crossing(shape, open_, network, edges)
            found.append(rows)
            open_ = np.setdiff1d(open_, rows["item"])
            rows = _boundary(shape, open_, network.lines[edges], far=edges is every)
            found.append(rows)
            open_ = np.setdiff1d(open_, rows["item"])
    found.append(_rows(open_, shapely.point_on_surface(shape[open_]), "point"))
    table = pd.concat([f for f in found if len(f)] or found[:1], ignore_index=True)
    table["facility_id"] = ids[table["item"].to_numpy(dtype=np.int64)]
    table = table.drop_duplicates(["facility_id", "x", "y"])
    return table.sort_values(["facility_id", "x", "y"], ignore_index=True)[["facility_id", "x", "y", "rule"]]


def _rows(item: NDArray[np.int64], points: NDArray[np.object_], rule: str) -> pd.DataFrame:
    xy = np.round(shapely.get_coordinates(points), 3)
    return pd.DataFrame({"item": np.asarray(item, dtype=np.int64), "x": xy[:, 0], "y": xy[:, 1], "rule": rule})


def _outline(areas: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return outer boundaries; holes are not entered from outside."""
    parts, owner = shapely.get_parts(areas, return_index=True)
    rings = shapely.get_exterior_ring(parts)
    return np.asarray(shapely.multilinestrings(rings, indices=owner), dtype=object)


def _entrance(shape: NDArray[np.object_], items: NDArray[np.int64], gates: NDArray[np.object_]) -> pd.DataFrame:
    area, gate = shapely.STRtree(gates).query(_outline(shape[items]), predicate="dwithin", distance=_ENTRANCE_M)
    return _rows(items[area], gates[gate], "entrance")


def _crossing(
    shape: NDArray[np.object_], items: NDArray[np.int64], network: Network, edges: NDArray[np.int64]
) -> pd.DataFrame:
    lines = network.lines[edges]
    outline = _outline(shape[items])
    area, hit = shapely.STRtree(lines).query(outline, predicate="intersects")
    carried = np.isin(network.edge_structure[edges[hit]], _CARRIED)
    if carried.any():
        owner = shape[items[area]]
        keep = ~carried
        for ends in (network.edge_u, network.edge_v):
            node = ends[edges[hit[carried]]]
            point = shapely.points(network.node_x[node], network.node_y[node])
            keep[carried] |= shapely.intersects(owner[carried], point)
        area, hit = area[keep], hit[keep]
    where = shapely.intersection(outline[area], lines[hit])
    parts, pair = shapely.get_parts(where, return_index=True)
    along = shapely.get_dimensions(parts) == 1
    parts[along] = shapely.line_interpolate_point(parts[along], 0.5, normalized=True)
    return _rows(items[area[pair]], parts, "crossing")


def _boundary(
    shape: NDArray[np.object_], items: NDArray[np.int64], lines: NDArray[np.object_], *, far: bool
) -> pd.DataFrame:
    """Points of the boundary that face a street; with `far`, at least the one nearest to any street."""
    if not len(items):
        return _rows(items, np.empty(0, dtype=object), "boundary")
    tree = shapely.STRtree(lines)
    outline = _outline(shape[items])
    reach = None if far else _NEAR_M
    item, line = tree.query_nearest(outline, max_distance=reach, all_matches=False)
    touch = shapely.get_point(shapely.shortest_line(outline[item], lines[line]), 0)
    nearest = _rows(items[item], touch, "boundary")
    rings, owner = shapely.get_parts(outline, return_index=True)
    length = shapely.length(rings)
    count = np.maximum(np.ceil(length / _STEP_M).astype(np.int64), 1)
    ring = np.repeat(np.arange(len(rings)), count)
    step = np.arange(len(ring)) - np.repeat(np.cumsum(count) - count, count)
    sample = shapely.line_interpolate_point(rings[ring], step / count[ring], normalized=True)
    which, line = tree.query_nearest(sample, max_distance=_NEAR_M, all_matches=False)
    view = shapely.shortest_line(sample[which], lines[line])
    area = shape[items[owner[ring[which]]]]
    shapely.prepare(area)
    facing = ~shapely.crosses(area, view) & ~shapely.contains(area, view)
    return pd.concat(
        [nearest, _rows(items[owner[ring[which[facing]]]], sample[which[facing]], "boundary")],
        ignore_index=True,
    )
