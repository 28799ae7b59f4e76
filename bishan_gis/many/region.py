"""A region cut into districts, and a district with its halo: streets, facilities and people that equal the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError, SchemaError
from bishan_gis.many.halo import top_speed_ms
from bishan_gis.network.costs import EdgeCosts, SpeedProfile
from bishan_gis.network.graph import Network
from bishan_gis.network.turns import build_states, keep_turns
from bishan_gis.schema import check_columns
from bishan_gis.sources.partition import load_part, load_region, store_region

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["Part", "partition_region", "read_part"]

#: Fields of a network that an edge carries, and those that both its ends carry.
_EDGE = ("length_m", "forward", "backward", "way", "structure", "highway", "name", "kind", "speed_kmh")
_NODE = ("x", "y", "osmid", "frontier", "elevation_m", "control")


@dataclass(frozen=True, eq=False)
class Part:
    """A district and its halo.

    Attributes
    ----------
    district : str
        Name.
    network, costs : Network, EdgeCosts
        Streets, in the order they have in the whole; where streets were cut off, nodes are frontier.
    cells : pandas.DataFrame
        People of the district and its halo: the columns given and ``own``, True for cells of the district itself.
    places : pandas.DataFrame
        Access points of facilities: the columns given.
    services : list of str
        Every service of the whole, also where the part has no place of it.
    """

    district: str
    network: Network
    costs: EdgeCosts
    cells: pd.DataFrame
    places: pd.DataFrame
    services: list[str]


def partition_region(
    folder: str | Path,
    network: Network,
    costs: EdgeCosts,
    cells: pd.DataFrame,
    places: pd.DataFrame,
    *,
    district: str = "district",
) -> Path:
    """Write a region as GeoParquet, cut by district.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where to, see :func:`bishan_gis.sources.partition.store_region`.
    network, costs : Network, EdgeCosts
        All streets, and what they cost; costs are kept, so that slopes and turns are those of the whole.
    cells : pandas.DataFrame
        ``cell_id, x, y`` [m], `district`, people. A cell belongs to one district, that of its zone.
    places : pandas.DataFrame
        ``facility_id, service, x, y`` [m] and more: access points.
    district : str
        The column of `cells`. Streets and places are kept with the district of the nearest cell, for order only.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    SchemaError
        A column is missing or named as one of ours, a cell is twice or in no district, or there is none.
    OutputError
        The folder cannot be written, or holds something else.
    """
    import geopandas as gpd
    import shapely
    from scipy.spatial import cKDTree

    check_columns(cells, ["cell_id", "x", "y", district], where="cells")
    check_columns(places, ["facility_id", "service", "x", "y"], where="places")
    lost, twice = int(cells[district].isna().sum()), int(cells["cell_id"].duplicated().sum())
    if lost or twice or not len(cells):
        raise SchemaError(
            f"cells: 共 {len(cells)} 行, {lost} 行没有 {district}, {twice} 个 cell_id 重复",
            f"cells: {len(cells)} rows, {lost} without {district}, {twice} cell_ids repeat",
        )
    for where, given in (("cells", cells), ("places", places)):
        taken = sorted({"row", "own", "bbox", "_district"} & set(given.columns))
        if taken:
            raise SchemaError(f"{where}: 列名 {taken} 已被占用", f"{where}: columns {taken} are ours; rename them")
    tree = cKDTree(cells[["x", "y"]].to_numpy(float))
    names = cells[district].astype(str).to_numpy(dtype=object)

    def table(frame: pd.DataFrame, geometry: Any, x: Any, y: Any) -> gpd.GeoDataFrame:
        owner = names[tree.query(np.column_stack([x, y]))[1]] if len(frame) else np.zeros(0, dtype=object)
        plain = frame.drop(columns="geometry", errors="ignore").assign(row=np.arange(len(frame)), _district=owner)
        return gpd.GeoDataFrame(plain, geometry=geometry, crs=network.crs)

    streets = _streets(network, costs)
    middle = network.lines
    at = shapely.get_coordinates(shapely.line_interpolate_point(middle, 0.5, normalized=True))
    people = table(cells, gpd.points_from_xy(cells["x"], cells["y"]), cells["x"], cells["y"])
    people["_district"] = names
    tables = {
        "streets": table(streets, middle, at[:, 0], at[:, 1]),
        "cells": people,
        "places": table(places, gpd.points_from_xy(places["x"], places["y"]), places["x"], places["y"]),
    }
    if network.turns is not None and len(network.turns):
        # Where a turn goes over streets in between, "edge_out" is the first of them.
        more = [f"{what}_{i}" for i in range(2, network.turns.shape[1] // 2 + 1) for what in ("node", "edge")]
        turns = pd.DataFrame(network.turns, columns=["edge_in", "node", "edge_out", *more])
        x, y = network.node_x[turns["node"]], network.node_y[turns["node"]]
        tables["turns"] = table(turns, gpd.points_from_xy(x, y), x, y)
    facts = {
        "services": sorted(str(s) for s in places["service"].unique()),
        "mode": network.mode,
        "island_m": network.island_m,
        "longest_m": _longest_m(network),
        "speed_ms": top_speed_ms(network, costs),
        "profile": asdict(costs.profile) | {"delays": dict(costs.profile.delays)},
        "slope": costs.slope,
        "top_factor": costs.top_factor,
    }
    return store_region(folder, tables, district="_district", facts=facts)


def _streets(network: Network, costs: EdgeCosts) -> pd.DataFrame:
    """Return one row per edge with all that is known of it and of both its ends."""
    degree = np.bincount(np.r_[network.edge_u, network.edge_v], minlength=network.n_nodes)
    columns: dict[str, Any] = {"forward_ms": costs.forward_ms, "backward_ms": costs.backward_ms}
    for name in _EDGE:
        values = getattr(network, f"edge_{name}")
        if values is not None:
            columns[f"edge_{name}"] = values
    if costs.states.local is not None:
        columns["edge_local"] = costs.states.local
    for end, node in (("u", network.edge_u), ("v", network.edge_v)):
        columns |= {end: node, f"{end}_degree": degree[node]}
        if costs.delay_ms is not None:
            columns[f"{end}_delay_ms"] = costs.delay_ms[node]
        for name in _NODE:
            values = getattr(network, f"node_{name}")
            if values is not None:
                columns[f"{end}_{name}"] = values[node]
    return pd.DataFrame(columns)


def _longest_m(network: Network) -> float:
    """Return the length of the streets of the longest part that is joined [m]."""
    part = network.component[network.edge_u]
    return float(np.bincount(part, weights=network.edge_length_m).max(initial=0.0))


def read_part(folder: str | Path, district: str, halo_m: float) -> Part:
    """Read a district and its halo.

    Parameters
    ----------
    folder : str or pathlib.Path
        From :func:`partition_region`.
    district : str
        Name of the district.
    halo_m : float
        How far round the cells of the district to look [m], see :func:`bishan_gis.many.halo_m`.

    Returns
    -------
    Part
        Everything that meets the box round the cells of the district and its halo; streets whole, with both ends.

    Raises
    ------
    InputError
        No such district.
    MissingFileError, BrokenFileError
        Files are missing or cannot be read.

    Notes
    -----
    Whether a street is an island hangs on the longest part of the whole. Where the halo holds no part that is long
    enough to tell, it is widened until it does.
    """
    region = load_region(folder)
    if district not in region["districts"]:
        known = "、".join(region["districts"][:5])
        raise InputError(f"没有区 {district};有: {known} …", f"no district {district}; there are {known} ...")
    held = region["boxes"]["cells"][region["districts"].index(district)]
    if held is None:
        raise InputError(f"区 {district} 没有人口单元", f"district {district} has no cells")
    facts = region["facts"]
    wanted, margin = min(facts["island_m"], facts["longest_m"]), halo_m
    while True:
        box = (held[0] - margin, held[1] - margin, held[2] + margin, held[3] + margin)
        streets = load_part(folder, "streets", box, region=region)
        network, costs = _rebuild(streets, _turns(folder, box, region), facts)
        everything = _inside(region["boxes"]["streets"], box)
        if wanted <= 0 or everything or _longest_m(network) >= wanted:
            break
        margin = max(2 * margin, margin + wanted)
    box = (held[0] - halo_m, held[1] - halo_m, held[2] + halo_m, held[3] + halo_m)
    cells, places = (
        load_part(folder, name, box, region=region).sort_values("row", kind="stable").reset_index(drop=True)
        for name in ("cells", "places")
    )
    cells["own"] = cells["_district"].astype(str) == district
    drop = ["row", "_district", "geometry"]
    people, doors = (pd.DataFrame(table.drop(columns=drop)) for table in (cells, places))
    return Part(district, network, costs, people, doors, facts["services"])


def _inside(boxes: list[Any], box: tuple[float, float, float, float]) -> bool:
    """Say whether a box holds all boxes."""
    return all(b is None or (box[0] <= b[0] and box[1] <= b[1] and box[2] >= b[2] and box[3] >= b[3]) for b in boxes)


def _turns(folder: str | Path, box: Any, region: Mapping[str, Any]) -> pd.DataFrame | None:
    if "turns" not in region["boxes"]:
        return None
    turns: pd.DataFrame = load_part(folder, "turns", box, region=region).sort_values("row", kind="stable")
    return turns


def _rebuild(
    streets: gpd.GeoDataFrame, turns: pd.DataFrame | None, facts: Mapping[str, Any]
) -> tuple[Network, EdgeCosts]:
    """Return streets as a network: nodes and edges in the order of the whole."""
    import shapely

    streets = streets.sort_values("row", kind="stable").reset_index(drop=True)
    ends: NDArray[Any] = np.r_[streets["u"].to_numpy(np.int64), streets["v"].to_numpy(np.int64)]
    number, first, place = np.unique(ends, return_index=True, return_inverse=True)
    m, n = len(streets), len(number)

    def of_nodes(name: str) -> NDArray[Any]:
        values: NDArray[Any] = np.r_[streets[f"u_{name}"].to_numpy(), streets[f"v_{name}"].to_numpy()][first]
        return values

    node: dict[str, Any] = {f"node_{name}": of_nodes(name) for name in _NODE if f"u_{name}" in streets}
    cut = of_nodes("degree") > np.bincount(place, minlength=n)
    node["node_frontier"] = node["node_frontier"].astype(bool) | cut
    if "node_control" in node:
        node["node_control"] = node["node_control"].astype(np.uint8)
    edge: dict[str, Any] = {
        f"edge_{name}": streets[f"edge_{name}"].to_numpy() for name in (*_EDGE, "local") if f"edge_{name}" in streets
    }
    for name in ("highway", "name", "kind"):
        edge[f"edge_{name}"] = edge[f"edge_{name}"].astype(object)
    edge["edge_structure"] = edge["edge_structure"].astype(np.uint8)
    lines: Any = streets.geometry.to_numpy()
    xy = shapely.get_coordinates(lines)
    u, v = place[:m].astype(np.int32), place[m:].astype(np.int32)
    columns = [] if turns is None else [c for c in turns if str(c).startswith(("edge_", "node"))]
    kept = None if turns is None else keep_turns(turns[columns].to_numpy(), streets["row"].to_numpy(), number)
    network = Network(
        crs=streets.crs,
        edge_u=u,
        edge_v=v,
        vertex_start=np.r_[0, np.cumsum(shapely.get_num_coordinates(lines))].astype(np.int64),
        vertex_x=np.ascontiguousarray(xy[:, 0]),
        vertex_y=np.ascontiguousarray(xy[:, 1]),
        turns=kept,
        mode=facts["mode"],
        island_m=facts["island_m"],
        **node,
        **edge,
    )
    costs = EdgeCosts(
        forward_ms=streets["forward_ms"].to_numpy(np.int64),
        backward_ms=streets["backward_ms"].to_numpy(np.int64),
        profile=SpeedProfile(**facts["profile"]),
        states=build_states(n, u, v, kept, network.edge_local),
        slope=facts["slope"],
        top_factor=facts["top_factor"],
        delay_ms=of_nodes("delay_ms").astype(np.int64) if "u_delay_ms" in streets else None,
    )
    return network, costs
