"""Trips over streets with waits and forbidden turns by networkx: the oracle of our searches."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import networkx as nx
import numpy as np

from bishan_gis.network.costs import SpeedProfile
from bishan_gis.network.graph import CONTROLS
from bishan_gis.network.snap import Snaps
from bishan_gis.network.star import NOT_REACHED

WAITS = {"signals": 30.0, "crossing": 2.5, "level_crossing": 0.001}
METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand", delays=WAITS)


def controls(network, **at):
    """Put controls at nodes: signals=[1, 3] ..."""
    control = np.zeros(network.n_nodes, dtype=np.uint8)
    for name, nodes in at.items():
        control[nodes] = CONTROLS.index(name)
    return replace(network, node_control=control)


def forbid(network, *turns):
    """Forbid turns: edge, node, edge."""
    return replace(network, turns=np.array(turns, dtype=np.int32).reshape(-1, 3))


def snaps_at(*places):
    """Put places on edges: edge, fraction, leg [m]."""
    edge, fraction, leg = zip(*places, strict=True)
    return Snaps(np.array(edge, dtype=np.int32), np.array(fraction, dtype=float), np.array(leg, dtype=float))


def oracle(network, costs, origins, goals, offset_ms=None):
    """Dijkstra of networkx over arcs: being at an arc's beginning, free to take it; a place at a node is the node."""
    price = {0: costs.forward_ms, 1: costs.backward_ms}
    ends = {0: (network.edge_u, network.edge_v), 1: (network.edge_v, network.edge_u)}
    arcs = [(e, d) for e, d in product(range(network.n_edges), (0, 1)) if price[d][e] >= 0]
    seconds = np.array([costs.profile.delays.get(c, 0.0) for c in CONTROLS])
    control = np.zeros(network.n_nodes, dtype=int) if network.node_control is None else network.node_control
    wait = np.rint(seconds * 1000).astype(int)[control]
    forbidden = set() if network.turns is None else set(map(tuple, network.turns.tolist()))
    offset = np.zeros(len(goals)) if offset_ms is None else np.asarray(offset_ms)
    leg = lambda places, i: int(np.rint(places.leg_m[i] / costs.profile.leg_speed_ms * 1000))  # noqa: E731

    def onward(e, d):
        node = ends[d][1][e]
        return [(a, b) for a, b in arcs if ends[b][0][a] == node and (e, node, a) not in forbidden], int(wait[node])

    def stands(places, i):
        return {0.0: network.edge_u, 1.0: network.edge_v}.get(places.fraction[i], np.full(network.n_edges, -1))[
            places.edge[i]
        ]

    def ways(places, i):
        """On which arcs a place lies, and the share of each that lies before it."""
        node, e, f = stands(places, i), places.edge[i], places.fraction[i]
        if node < 0:
            return [((e, d), f if d == 0 else 1 - f) for d in (0, 1) if (e, d) in arcs]
        return [((e, d), float(end)) for e, d in arcs for end in (0, 1) if ends[d][end][e] == node]

    graph = nx.MultiDiGraph()
    for e, d in arcs:
        following, here = onward(e, d)
        graph.add_weighted_edges_from(((e, d), arc, int(price[d][e]) + here) for arc in following)
    for i in range(len(origins)):
        for (e, d), before in ways(origins, i):
            if before == 0.0:
                graph.add_edge(("from", i), (e, d), weight=leg(origins, i))
            elif before < 1.0:
                following, here = onward(e, d)
                part = int(np.rint((1 - before) * price[d][e]))
                for arc in following:
                    graph.add_edge(("from", i), arc, weight=leg(origins, i) + part + here)
    for j in range(len(goals)):
        last = leg(goals, j) + int(offset[j])
        for (e, d), share in ways(goals, j):
            graph.add_edge((e, d), ("to", j), weight=int(np.rint(share * price[d][e])) + last)
        for i in range(len(origins)):
            both = leg(origins, i) + last
            if stands(goals, j) >= 0 and stands(goals, j) == stands(origins, i):
                graph.add_edge(("from", i), ("to", j), weight=both)
            for (arc, before), (other, share) in product(ways(origins, i), ways(goals, j)):
                if arc == other and before <= share:
                    along = int(np.rint((share - before) * price[arc[1]][arc[0]]))
                    graph.add_edge(("from", i), ("to", j), weight=both + along)
    out = np.full((len(origins), len(goals)), NOT_REACHED, dtype=np.int64)
    for i in range(len(origins)):
        if ("from", i) in graph:
            reached = nx.single_source_dijkstra_path_length(graph, ("from", i))
            for j in range(len(goals)):
                out[i, j] = reached.get(("to", j), NOT_REACHED)
    return out
