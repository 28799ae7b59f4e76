"""Slope: how steep each street piece is, and what that does to a traveller's speed.

Heights are known at nodes only: a hill between the ends of a long piece is not seen, so climbs are
underestimated there; :func:`slope_summary` says how much street is in such long pieces.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import StudyError
from bishan_gis.network.graph import STRUCTURES, Network
from bishan_gis.schema import nearest_name

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from bishan_gis.network.costs import EdgeCosts

__all__ = ["SLOPE_FUNCTIONS", "EdgeSlopes", "SlopeRules", "cycling", "edge_slope", "load_slope_rules", "naismith"]
__all__ += ["rees", "slope_factor", "slope_summary", "smooth_elevation", "structure_elevation", "tobler"]

_DECKS = (STRUCTURES.index("bridge"), STRUCTURES.index("tunnel"))
_STEPS = STRUCTURES.index("steps")
#: Shortest length that divides anything [m].
_SHORTEST_M = 0.1


def tobler(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the speed on a slope as a share of that on the level, after Tobler.

    Parameters
    ----------
    slope : array_like
        Rise over run, positive uphill.

    Returns
    -------
    ndarray of float64
        Factor on the level speed; largest at a descent of 5 %.

    Notes
    -----
    W(s) = 6 exp(-3.5 |s + 0.05|) km/h (Tobler 1993, Three presentations on geographical analysis and modeling,
    NCGIA technical report 93-1). Here W(s) / W(0) = exp(-3.5 (|s + 0.05| - 0.05)), so that the level keeps the
    profile's own speed in place of Tobler's 5.04 km/h.

    Examples
    --------
    >>> tobler([0, -0.05, 0.2]).round(3).tolist()
    [1.0, 1.191, 0.497]
    """
    out: NDArray[np.float64] = np.exp(-3.5 * (np.abs(np.asarray(slope, dtype=float) + 0.05) - 0.05))
    return out


def naismith(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the speed on a slope as a share of that on the level, after Naismith.

    Parameters
    ----------
    slope : array_like
        Rise over run, positive uphill.

    Returns
    -------
    ndarray of float64
        Factor on the level speed; 1 downhill.

    Notes
    -----
    An hour for three miles and an hour for every 2000 feet of ascent (Naismith 1892, Scottish Mountaineering
    Club Journal 2:136): a metre up takes as long as 15840 / 2000 = 7.92 m on the level, so the factor is
    1 / (1 + 7.92 max(s, 0)). Langmuir's corrections for descents are left out on purpose: just below 12 degrees
    they give two and a half times the level speed, which no street allows.

    Examples
    --------
    >>> naismith([0, 0.1, -0.1]).round(3).tolist()
    [1.0, 0.558, 1.0]
    """
    out: NDArray[np.float64] = 1 / (1 + 7.92 * np.maximum(np.asarray(slope, dtype=float), 0.0))
    return out


def rees(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the speed on a slope as a share of that on the level, after Rees.

    Parameters
    ----------
    slope : array_like
        Rise over run; up and down cost the same.

    Returns
    -------
    ndarray of float64
        Factor on the level speed.

    Notes
    -----
    Seconds per metre = 0.75 + 0.09 |s| + 14.6 s^2 (Rees 2004, Least-cost paths in mountainous terrain, Computers &
    Geosciences 30:203-209, doi:10.1016/j.cageo.2003.11.001; coefficients as the R package leastcostpath has them).
    Here divided into the 0.75 s/m of the level.

    Examples
    --------
    >>> rees([0, 0.1, -0.1]).round(3).tolist()
    [1.0, 0.829, 0.829]
    """
    s = np.abs(np.asarray(slope, dtype=float))
    out: NDArray[np.float64] = 0.75 / (0.75 + 0.09 * s + 14.6 * s**2)
    return out


def cycling(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the speed of a cyclist on a slope as a share of that on the level, after Parkin and Rotheram.

    Parameters
    ----------
    slope : array_like
        Rise over run, positive uphill.

    Returns
    -------
    ndarray of float64
        Factor on the level speed, from 0.201 on climbs of 12 % and more to 1.594 on descents of 15 % and more.

    Notes
    -----
    v(s) = 6.01 - 0.4002 (100 s) m/s uphill, 6.01 + 0.2379 (100 |s|) m/s downhill, here divided by v(0) (Parkin &
    Rotheram 2010, Design speeds and acceleration characteristics of bicycle traffic, Transport Policy,
    doi:10.1016/j.tranpol.2010.03.001; coefficients and their range as MATSim has them [S]). Beyond the range the
    speed stays: 12 % uphill leaves 4.4 km/h of 21.6, the pace at which one pushes. Measured on everyday cyclists in
    Leeds, without a motor: an electric bicycle loses less.

    Examples
    --------
    >>> cycling([0, 0.03, 0.2, -0.03]).round(3).tolist()
    [1.0, 0.8, 0.201, 1.119]
    """
    percent = 100 * np.clip(np.asarray(slope, dtype=float), -0.15, 0.12)
    out: NDArray[np.float64] = 1 - np.where(percent > 0, 0.4002, 0.2379) * percent / 6.01
    return out


#: Name -> factor on the level speed as a function of the slope.
SLOPE_FUNCTIONS: dict[str, Callable[[ArrayLike], NDArray[np.float64]]] = {
    "none": lambda slope: np.ones(np.shape(slope)),
    "tobler": tobler,
    "naismith": naismith,
    "rees": rees,
    "cycling": cycling,
}


def slope_factor(name: str, slope: ArrayLike, *, where: str = "walk.slope") -> NDArray[np.float64]:
    """Return the speed on slopes as a share of that on the level; exactly 1 on the level.

    Parameters
    ----------
    name : str
        Key of :data:`SLOPE_FUNCTIONS`.
    slope : array_like
        Rise over run in the direction of travel.
    where : str
        What messages call the setting.

    Raises
    ------
    StudyError
        No such function.
    """
    if name not in SLOPE_FUNCTIONS:
        hint = nearest_name(name, SLOPE_FUNCTIONS) or "、".join(SLOPE_FUNCTIONS)
        raise StudyError(
            f"{where}: 没有坡度函数 {name!r};可用: {hint}", f"{where}: no slope function {name!r}; known: {hint}"
        )
    s = np.asarray(slope, dtype=float)
    return np.where(s == 0, 1.0, SLOPE_FUNCTIONS[name](s))


@dataclass(frozen=True)
class SlopeRules:
    """Figures of the ``[slope]`` table of ``speed_profiles.toml``.

    Attributes
    ----------
    limit : float
        A street is not taken as steeper than this, up or down.
    smooth_m : float
        Length over which heights are evened out [m].
    long_m : float
        From this length on a hill between the ends may be missed [m].
    classes : tuple of float
        Bounds of the slope classes of the summary.
    """

    limit: float
    smooth_m: float
    long_m: float
    classes: tuple[float, ...]


@cache
def load_slope_rules() -> SlopeRules:
    """Read the ``[slope]`` table of the package.

    Examples
    --------
    >>> load_slope_rules().limit
    0.5
    """
    text = files("bishan_gis").joinpath("data/speed_profiles.toml").read_text(encoding="utf-8")
    row = tomllib.loads(text)["slope"]
    return SlopeRules(row["limit"], row["smooth_m"], row["long_m"], tuple(row["classes"]))


@dataclass(frozen=True, eq=False)
class EdgeSlopes:
    """Slope of every edge.

    Attributes
    ----------
    slope : ndarray of float64, shape (m,)
        Rise over run from u to v; from v to u it is the opposite. 0 where unknown.
    unknown : ndarray of bool, shape (m,)
        The height of an end is not known.
    limited : ndarray of bool, shape (m,)
        The heights gave a steeper slope than the limit.
    """

    slope: NDArray[np.float64]
    unknown: NDArray[np.bool_]
    limited: NDArray[np.bool_]


def edge_slope(network: Network, *, limit: float | None = None) -> EdgeSlopes:
    """Return the slope of every edge, from the heights of its ends.

    Parameters
    ----------
    network : Network
        Streets with ``node_elevation_m``; give heights of a fine raster through :func:`smooth_elevation` first.
    limit : float, optional
        Largest slope up or down; ``limit`` of the ``[slope]`` table where left out.

    Returns
    -------
    EdgeSlopes
        One row per edge.

    Notes
    -----
    s = (z_v - z_u) / length. Bridges and tunnels run straight from end to end: nodes within them take no
    height from the ground (:func:`structure_elevation`).
    """
    limit = load_slope_rules().limit if limit is None else limit
    z = structure_elevation(network).node_elevation_m
    rise = z[network.edge_v] - z[network.edge_u]
    unknown = ~np.isfinite(rise)
    slope = np.where(unknown, 0.0, rise) / np.maximum(network.edge_length_m, _SHORTEST_M)
    limited = np.abs(slope) > limit
    return EdgeSlopes(np.clip(slope, -limit, limit) + 0.0, unknown, limited)


def _laplacian(network: Network, edges: NDArray[np.bool_]) -> Any:
    """Weights 1 / length between the nodes of some edges: heights that are linear along a street are in balance."""
    from scipy.sparse import coo_array

    n = network.n_nodes
    edges = edges & (network.edge_u != network.edge_v)
    u, v = network.edge_u[edges], network.edge_v[edges]
    w = 1 / np.maximum(network.edge_length_m[edges], _SHORTEST_M)
    data = np.concatenate([w, w, -w, -w])
    return coo_array((data, (np.r_[u, v, u, v], np.r_[u, v, v, u])), shape=(n, n)).tocsr()


def _within(network: Network) -> NDArray[np.bool_]:
    """Nodes that only bridges and tunnels meet at: they do not lie on the ground."""
    deck = np.isin(network.edge_structure, _DECKS)
    ground, on = np.zeros(network.n_nodes, dtype=bool), np.zeros(network.n_nodes, dtype=bool)
    for end in (network.edge_u, network.edge_v):
        ground[end[~deck]] = True
        on[end[deck]] = True
    return on & ~ground


def structure_elevation(network: Network) -> Network:
    """Lay bridges and tunnels straight between their ends.

    Parameters
    ----------
    network : Network
        Streets with heights sampled on the ground.

    Returns
    -------
    Network
        Nodes where only bridges and tunnels meet have the height on the straight line between the ends of the
        structure (where several meet: the mean of their neighbours weighted by 1 / length); where the structure
        has no end of known height, NaN. All other nodes stay.
    """
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import spsolve

    free = _within(network)
    if not free.any() or not np.isfinite(network.node_elevation_m).any():
        return network
    z = network.node_elevation_m.copy()
    z[free] = np.nan
    fixed = np.isfinite(z)
    open_ = (free | fixed)[network.edge_u] & (free | fixed)[network.edge_v]
    matrix = _laplacian(network, open_)
    inner, pull = matrix[free][:, free], matrix[free][:, fixed]
    count, part = connected_components(inner, directed=False)
    anchored = np.zeros(count, dtype=bool)
    anchored[part[np.asarray(abs(pull).sum(axis=1)).ravel() > 0]] = True
    solve = anchored[part]
    if solve.any():
        z[np.flatnonzero(free)[solve]] = spsolve(inner[solve][:, solve].tocsc(), -(pull @ z[fixed])[solve])
    return replace(network, node_elevation_m=z)


def smooth_elevation(network: Network, smooth_m: float | None = None) -> Network:
    """Even out the heights along the streets, so that errors of the raster do not make slopes.

    Parameters
    ----------
    network : Network
        Streets with heights.
    smooth_m : float, optional
        Length over which heights are evened out, about one cell of a fine raster [m]; 0 leaves the ground as it
        is; ``smooth_m`` of the ``[slope]`` table where left out.

    Returns
    -------
    Network
        The same streets. Heights stay within the range they had, and their mean weighted by street length stays;
        a street that climbs evenly stays as it is but near its ends; NaN stays NaN. Bridges and tunnels are
        laid straight. Nothing is evened out across steps: there the ground does break.

    Notes
    -----
    The heights z' that minimise sum_i m_i (z'_i - z_i)^2 + h^2 sum_e (z'_u - z'_v)^2 / L_e, with m_i half of the
    length of the streets at node i, L_e the length of a piece, h = `smooth_m`: Whittaker's smoother (1923,
    doi:10.1017/S0013091500077853) on a graph. Along a street it weights neighbours by exp(-distance / h).
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import spsolve

    h = load_slope_rules().smooth_m if smooth_m is None else smooth_m
    if not (np.isfinite(h) and h >= 0):
        raise StudyError(f"smooth_m = {h}: 必须为非负数", f"smooth_m = {h}: must be 0 or more")
    network = structure_elevation(network)
    z = network.node_elevation_m
    kept = np.isfinite(z[network.edge_u]) & np.isfinite(z[network.edge_v]) & (network.edge_u != network.edge_v)
    kept &= network.edge_structure != _STEPS
    if h == 0 or not kept.any():
        return network
    half = np.maximum(network.edge_length_m[kept], _SHORTEST_M) / 2
    mass = np.zeros(network.n_nodes)
    for end in (network.edge_u, network.edge_v):
        mass += np.bincount(end[kept], weights=half, minlength=network.n_nodes)
    rows = mass > 0
    mass[_within(network)] = 0.0
    matrix = (diags_array(mass) + h**2 * _laplacian(network, kept)).tocsr()[rows][:, rows].tocsc()
    out = z.copy()
    out[rows] = spsolve(matrix, mass[rows] * np.where(rows, z, 0.0)[rows])
    return replace(network, node_elevation_m=out)


def slope_summary(network: Network, costs: EdgeCosts) -> dict[str, Any]:
    """Return the figures that show what slope did to a traveller.

    Parameters
    ----------
    network : Network
        Streets.
    costs : EdgeCosts
        Their costs, from ``edge_costs``.

    Returns
    -------
    dict
        ``slope`` (the function), ``known_share`` of street length, ``unknown_edges``, ``limited_edges``, ``long_km``
        (pieces so long that a hill between their ends may be missed), ``share_by_class`` (share of the length of known
        slope by |slope|), ``speed_up_kmh``, ``speed_level_kmh``, ``speed_down_kmh`` (length over time of the open
        directions that climb, are level or of unknown slope, or descend; steps apart; None where there are none),
        ``blocked_km`` (open to walkers, shut to this traveller in every direction), ``one_way_km`` (shut in one).
    """
    rules = load_slope_rules()
    slopes = costs.slopes or edge_slope(network)
    length, slope, known = network.edge_length_m, slopes.slope, ~slopes.unknown
    total, sure = max(float(length.sum()), 1e-9), max(float(length[known].sum()), 1e-9)
    names = [f"{100 * c:g}" for c in rules.classes]
    labels = [f"{a}-{b}%" for a, b in zip(["0", *names[:-1]], names, strict=True)] + [f">{names[-1]}%"]
    which = np.searchsorted(rules.classes, np.abs(slope), side="left")
    in_class = np.bincount(which[known], weights=length[known], minlength=len(labels)) / sure

    direction = np.concatenate([slope, -slope])
    time_ms = np.concatenate([costs.forward_ms, costs.backward_ms])
    counted = (time_ms > 0) & np.tile(network.edge_structure != _STEPS, 2)
    metres = np.tile(length, 2)

    def speed(rows: NDArray[np.bool_]) -> float | None:
        rows = rows & counted
        return round(float(metres[rows].sum() / time_ms[rows].sum() * 3600), 3) if rows.any() else None

    lost_go = network.edge_forward & (costs.forward_ms < 0)
    lost_back = network.edge_backward & (costs.backward_ms < 0)
    shut = (lost_go | lost_back) & (costs.forward_ms < 0) & (costs.backward_ms < 0)
    return {
        "slope": costs.slope,
        "known_share": round(float(length[known].sum()) / total, 4),
        "unknown_edges": int(slopes.unknown.sum()),
        "limited_edges": int(slopes.limited.sum()),
        "long_km": round(float(length[length >= rules.long_m].sum()) / 1000, 3),
        "share_by_class": {label: round(float(s), 4) for label, s in zip(labels, in_class, strict=True)},
        "speed_up_kmh": speed(direction > 0),
        "speed_level_kmh": speed(direction == 0),
        "speed_down_kmh": speed(direction < 0),
        "blocked_km": round(float(length[shut].sum()) / 1000, 3),
        "one_way_km": round(float(length[(lost_go | lost_back) & ~shut].sum()) / 1000, 3),
    }
