"""Closeness and betweenness of every junction within 15 minutes: ours and cityseer."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Any

import networkx as nx
import numpy as np
from longer_way import processor_seconds
from nearest import check_equal, median_seconds

#: A kilometre at 4 km/h.
CUTOFF_S, CUTOFF_M = 900.0, 1000


def _theirs(network: Any, costs: Any) -> Any:
    """Return what measures the same streets with cityseer, without what ours does not compute."""
    from cityseer.metrics.networks import centrality_shortest
    from cityseer.tools.io import network_structure_from_nx

    logging.disable(logging.INFO)
    graph = nx.MultiGraph(crs=network.crs)
    for i, (x, y) in enumerate(zip(network.node_x.tolist(), network.node_y.tolist(), strict=True)):
        graph.add_node(str(i), x=x, y=y)
    ends = zip(network.edge_u.tolist(), network.edge_v.tolist(), network.lines, costs.forward_ms.tolist(), strict=True)
    for u, v, line, cost_ms in ends:
        if u != v and cost_ms >= 0:
            # Steps are slower than their length says.
            metres = cost_ms * CUTOFF_M / CUTOFF_S / 1000
            graph.add_edge(str(u), str(v), geom=line, imp_factor=metres / max(line.length, 1e-9))
    with contextlib.redirect_stderr(io.StringIO()):
        nodes, _, structure = network_structure_from_nx(graph)

    def work() -> Any:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return centrality_shortest(
                structure,
                nodes,
                distances=[CUTOFF_M],
                speed_m_s=CUTOFF_M / CUTOFF_S,
                closeness={"density": "1", "farness": "c", "harmonic": "1/c"},
                betweenness={"betweenness": "1"},
                cycles=False,
                postprocess={},
            )

    return work


def centrality_rows(network: Any) -> list[dict[str, Any]]:
    """Measure both on one network; what they count must agree."""
    from bishan_gis.access.centrality import network_centrality
    from bishan_gis.network.costs import edge_costs, load_profile

    costs = edge_costs(network, load_profile("adult"))
    network_centrality(network, costs, cutoff_s=60)  # compile
    rows = []
    for threads in (2, 1):
        seconds, mine = median_seconds(
            lambda t=threads: network_centrality(network, costs, cutoff_s=CUTOFF_S, threads=t).nodes
        )
        note = f"{network.n_nodes:,} nodes, {mine['reached'].mean():,.0f} within reach of one"
        rows.append({"tool": f"bishan_gis, {threads} thread{'s' * (threads > 1)}", "seconds": seconds, "note": note})
    work = _theirs(network, costs)
    seconds, found = median_seconds(work, 3)
    used, _ = processor_seconds(work, 1)
    same = found[f"cc_density_{CUTOFF_M}"].to_numpy() == mine["reached"].to_numpy()
    check_equal(same.mean() > 0.99)
    farness = mine["farness_s"].to_numpy() * CUTOFF_M / CUTOFF_S
    check_equal(np.allclose(found[f"cc_farness_{CUTOFF_M}"].to_numpy()[same], farness[same], rtol=1e-4, atol=1))
    between = 2 * found[f"cc_betweenness_{CUTOFF_M}"].to_numpy()
    alike = np.corrcoef(between, mine["betweenness"])[0, 1]
    check_equal(alike > 0.99)
    note = f"{used:.2f} s of processors; the same nodes within reach but for {(~same).sum()}, where rounding decides; "
    rows.append({"tool": "cityseer", "seconds": seconds, "note": note + f"betweenness correlates {alike:.4f}"})
    return rows
