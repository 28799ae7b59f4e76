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
from bishan_gis.network.turns import turn_table

WAITS = {"signals": 30.0, "crossing": 2.5, "level_crossing": 0.001}
METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand", delays=WAITS)


def controls(network, **at):
    """Put controls at nodes: signals=[1, 3] ..."""
    control = np.zeros(network.n_nodes, dtype=np.uint8)
    for name, nodes in at.items():
        control[nodes] = CONTROLS.index(name)
    return replace(network, node_control=control)


def forbid(network, *turns):
    """Forbid turns: edge, node, edge, or further nodes and edges."""
    return replace(network, turns=turn_table(turns))


def random_turns(network, rng, count):
    """Walks over two to four streets to forbid, each beside the one before it or along it."""
    out = []
    while len(out) < count:
        walk = [int(rng.integers(network.n_edges))]
        node = int(rng.choice([network.edge_u[walk[0]], network.edge_v[walk[0]]]))
        for _ in range(rng.integers(1, 4)):
            here = np.flatnonzero((network.edge_u == node) | (network.edge_v == node))
            walk += [node, int(rng.choice(here))]
            node = int(network.edge_u[walk[-1]] + network.edge_v[walk[-1]]) - node
        out.append(walk)
    return out


def turns_by_id(network):
    """Return forbidden turns by the ids of ways and nodes."""
    by_place = network.edge_way.tolist(), network.node_osmid.tolist()
    return sorted([by_place[i % 2][k] for i, k in enumerate(row) if k >= 0] for row in network.turns.tolist())


def snaps_at(*places):
    """Put places on edges: edge, fraction, leg [m]."""
    edge, fraction, leg = zip(*places, strict=True)
    return Snaps(np.array(edge, dtype=np.int32), np.array(fraction, dtype=float), np.array(leg, dtype=float))


def oracle(network, costs, origins, goals, offset_ms=None):
    """Dijkstra of networkx over walks: arcs just travelled, and the next, at whose beginning one is, free to take it.

    A place at a node is the node.
    """
    price = {0: costs.forward_ms, 1: costs.backward_ms}
    ends = {0: (network.edge_u, network.edge_v), 1: (network.edge_v, network.edge_u)}
    arcs = [(e, d) for e, d in product(range(network.n_edges), (0, 1)) if price[d][e] >= 0]
    seconds = np.array([costs.profile.delays.get(c, 0.0) for c in CONTROLS])
    control = np.zeros(network.n_nodes, dtype=int) if network.node_control is None else network.node_control
    wait = np.rint(seconds * 1000).astype(int)[control]
    turns = [] if network.turns is None else [[k for k in row if k >= 0] for row in network.turns.tolist()]
    local = costs.states.local
    named = {e for turn in turns for e in turn[::2]}
    most = max((len(turn) // 2 for turn in turns), default=1)
    offset = np.zeros(len(goals)) if offset_ms is None else np.asarray(offset_ms)
    leg = lambda places, i: int(np.rint(places.leg_m[i] / costs.profile.leg_speed_ms * 1000))  # noqa: E731

    def forbidden(walk):
        """Whether the last arcs of a walk are a forbidden turn."""
        travelled = [k for e, d in walk for k in (e, ends[d][1][e])][:-1]
        return any(travelled[-len(turn) :] == turn for turn in turns)

    def onward(walk, inside):
        """The walks with one arc more, as much of them as matters later, and the wait before that arc."""
        e, d = walk[-1]
        node = ends[d][1][e]
        longer = [(*walk, arc) for arc in arcs if ends[arc[1]][0][arc[0]] == node]
        out = []
        for one in (one for one in longer if not forbidden(one)):
            since = max((i for i, (e, _) in enumerate(one[:-1]) if e not in named), default=-1) + 1
            now = enter(one[-1], inside)
            if now != "through":
                out.append((one[since:][-most:], now))
        return out, int(wait[node])

    def enter(arc, inside):
        """Where one is on an arc: on local streets from the "begin", "out" on others, "in" again or going "through"."""
        if local is not None and local[arc[0]]:
            return "begin" if inside == "begin" else "in"
        return "through" if inside == "in" else "out"

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
    waiting = []
    for i in range(len(origins)):
        for (e, d), before in ways(origins, i):
            first = (((e, d),), enter((e, d), "begin"))
            following, paid = [first], leg(origins, i)
            if 0.0 < before < 1.0:
                following, here = onward(*first)
                paid += int(np.rint((1 - before) * price[d][e])) + here
            if before < 1.0:
                graph.add_weighted_edges_from((("from", i), walk, paid) for walk in following)
                waiting += following
    walks = set()
    while waiting:
        walk = waiting.pop()
        if walk not in walks:
            walks.add(walk)
            following, here = onward(*walk)
            e, d = walk[0][-1]
            graph.add_weighted_edges_from((walk, longer, int(price[d][e]) + here) for longer in following)
            waiting += following
    for j in range(len(goals)):
        last = leg(goals, j) + int(offset[j])
        for arc, share in ways(goals, j):
            ahead = [(walk, ("to", j)) for walk in walks if walk[0][-1] == arc]
            graph.add_edges_from(ahead, weight=int(np.rint(share * price[arc[1]][arc[0]])) + last)
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
