"""Ramps between motorways and main roads."""

from __future__ import annotations

import numpy as np

from . import layout
from .barriers import Barrier, offset_parts
from .geo import to_work
from .streets import Streets

MAIN = ("trunk", "primary", "secondary")


def main_road_nodes(streets: Streets) -> np.ndarray:
    """Coordinates [m] of the nodes of main roads on the ground."""
    nodes = {n for w in streets.ways if w.layer == 0 and w.tags["highway"] in MAIN for n in w.nodes}
    return np.array([streets.xy[n] for n in sorted(nodes)])


def all_ramps(lines: list[Barrier], streets: Streets) -> list[np.ndarray]:
    """Return the ramps of all motorways."""
    roads = main_road_nodes(streets)
    out = []
    for b in lines:
        if b.kind == "motorway":
            for shift in (11.0, -11.0):
                run = offset_parts(b, shift)
                whole = np.vstack([run[0][1], *(p[1:] for _, p in run[1:])])
                out += ramps(b.name, whole if shift > 0 else whole[::-1], roads)
    return out


def _curve(a: np.ndarray, via: np.ndarray, b: np.ndarray) -> np.ndarray:
    w = np.linspace(0, 1, 9)[:, None]
    return np.round((1 - w) ** 2 * a + 2 * w * (1 - w) * via + w**2 * b, 2)


def ramps(name: str, flow: np.ndarray, roads: np.ndarray) -> list[np.ndarray]:
    """Exit and entry ramps of one carriageway, each from its start to its end in driving direction.

    Parameters
    ----------
    name : str
        Motorway.
    flow : numpy.ndarray
        Carriageway in driving direction [m].
    roads : numpy.ndarray
        Nodes of main roads that a ramp may join [m].
    """
    out = []
    for lon, lat in layout.INTERCHANGES.get(name, []):
        spot = np.array(to_work([lon], [lat]))[:, 0]
        k = int(np.argmin(np.hypot(*(flow - spot).T)))
        if k < 5 or k > len(flow) - 6:
            continue
        gap = np.hypot(*(roads - flow[k]).T)
        clear = np.array([np.hypot(*(flow - r).T).min() for r in roads[gap < 1500]])
        near = np.flatnonzero(gap < 1500)[clear > 90]
        if len(near) == 0:
            continue
        road = roads[near[int(np.argmin(gap[near]))]]
        out.append(_curve(flow[k - 5], flow[k - 1], road))
        out.append(_curve(road, flow[k + 1], flow[k + 5]))
    return out
