"""Slope: how steep the streets are, along each edge.

Heights are known at the nodes and, where :func:`~bishan_gis.network.elevation.with_elevation` took them there, at
samples within the edges: an edge is then a row of pieces of equal length, each with its own slope. Without samples an
edge is one piece, and a hill between its ends is not seen; :func:`slope_summary` says how much street that may concern.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import StudyError
from bishan_gis.network.graph import STRUCTURES, Network
from bishan_gis.network.pieces import DECKS, SHORTEST_M, Pieces, edge_pieces
from bishan_gis.network.slope_functions import (
    SLOPE_FUNCTIONS,
    cycling,
    naismith,
    rees,
    slope_factor,
    tobler,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts

__all__ = ["SLOPE_FUNCTIONS", "EdgeSlopes", "SlopeRules", "cycling", "edge_slope", "ground_summary", "limit_warnings"]
__all__ += ["load_slope_rules", "naismith"]
__all__ += ["rees", "slope_factor", "slope_summary", "smooth_elevation", "structure_elevation", "tobler"]

_STEPS = STRUCTURES.index("steps")


@dataclass(frozen=True)
class SlopeRules:
    """Figures of the ``[slope]`` table of ``speed_profiles.toml``.

    Attributes
    ----------
    limit : float
        A street is not taken as steeper than this, up or down.
    smooth_m : float
        Length over which heights are evened out [m].
    sample_m : float
        Heights within edges are taken at most this far apart [m].
    long_m : float
        From this length on a hill in an edge without samples may be missed [m].
    classes : tuple of float
        Bounds of the slope classes of the summary.
    """

    limit: float
    smooth_m: float
    sample_m: float
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
    return SlopeRules(row["limit"], row["smooth_m"], row["sample_m"], row["long_m"], tuple(row["classes"]))


@dataclass(frozen=True, eq=False)
class EdgeSlopes:
    """Slope of every edge, and of the pieces it is made of.

    Attributes
    ----------
    slope : ndarray of float64, shape (m,)
        Rise over run from u to v, the mean of the pieces; from v to u it is the opposite. 0 where unknown.
    climb, descent : ndarray of float64, shape (m,)
        Steepest piece on the way from u to v, up and down; 0 where none does. From v to u they change places.
    unknown : ndarray of bool, shape (m,)
        Some height along the edge is not known.
    limited : ndarray of bool, shape (m,)
        The heights of some piece gave a steeper slope than the limit.
    pieces : Pieces
        The pieces, edge by edge.
    piece_slope : ndarray of float64, shape (p,)
        Slope of each piece on the way from u to v; 0 where unknown.
    piece_unknown : ndarray of bool, shape (p,)
        The height of an end of the piece is not known.
    """

    slope: NDArray[np.float64]
    climb: NDArray[np.float64]
    descent: NDArray[np.float64]
    unknown: NDArray[np.bool_]
    limited: NDArray[np.bool_]
    pieces: Pieces
    piece_slope: NDArray[np.float64]
    piece_unknown: NDArray[np.bool_]


def edge_slope(network: Network, *, limit: float | None = None) -> EdgeSlopes:
    """Return the slope of every edge, from the heights of its ends and of the samples within it.

    Parameters
    ----------
    network : Network
        Streets with heights; give those of a fine raster through :func:`smooth_elevation` first.
    limit : float, optional
        Largest slope up or down; ``limit`` of the ``[slope]`` table where left out.

    Returns
    -------
    EdgeSlopes
        One row per edge, and one per piece.

    Notes
    -----
    A piece has s = (z_b - z_a) / length. Bridges and tunnels run straight from end to end: they are one piece, and
    nodes within them take no height from the ground (:func:`structure_elevation`). Steps are one piece too.
    """
    limit = load_slope_rules().limit if limit is None else limit
    network = structure_elevation(network)
    pieces = edge_pieces(network)
    z = pieces.heights(network)
    rise = z[pieces.end] - z[pieces.begin]
    unknown = ~np.isfinite(rise)
    steep = np.where(unknown, 0.0, rise) / np.maximum(pieces.length_m, SHORTEST_M)
    slope = np.clip(steep, -limit, limit) + 0.0
    return EdgeSlopes(
        slope=pieces.mean(slope),
        climb=pieces.largest(np.maximum(slope, 0.0)),
        descent=pieces.largest(np.maximum(-slope, 0.0)),
        unknown=pieces.largest(unknown),
        limited=pieces.largest(np.abs(steep) > limit),
        pieces=pieces,
        piece_slope=slope,
        piece_unknown=unknown,
    )


def _laplacian(pieces: Pieces, used: NDArray[np.bool_]) -> Any:
    """Weights 1 / length between the points of some pieces: heights that are linear along a street are in balance."""
    from scipy.sparse import coo_array

    n = pieces.n_points
    used = used & (pieces.begin != pieces.end)
    a, b = pieces.begin[used], pieces.end[used]
    w = 1 / np.maximum(pieces.length_m[used], SHORTEST_M)
    data = np.concatenate([w, w, -w, -w])
    return coo_array((data, (np.r_[a, b, a, b], np.r_[a, b, b, a])), shape=(n, n)).tocsr()


def _within(network: Network) -> NDArray[np.bool_]:
    """Nodes that only bridges and tunnels meet at: they do not lie on the ground."""
    deck = np.isin(network.edge_structure, DECKS)
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
    ends = edge_pieces(network, samples=False)
    open_ = (free | fixed)[ends.begin] & (free | fixed)[ends.end]
    matrix = _laplacian(ends, open_)
    inner, pull = matrix[free][:, free], matrix[free][:, fixed]
    count, part = connected_components(inner, directed=False)
    anchored = np.zeros(count, dtype=bool)
    anchored[part[np.asarray(abs(pull).sum(axis=1)).ravel() > 0]] = True
    solve = anchored[part]
    if solve.any():
        z[np.flatnonzero(free)[solve]] = spsolve(inner[solve][:, solve].tocsc(), -(pull @ z[fixed])[solve])
    return replace(network, node_elevation_m=z)


def smooth_elevation(
    network: Network, smooth_m: float | None = None, *, within: NDArray[np.bool_] | None = None
) -> Network:
    """Even out the heights along the streets, so that errors of the raster do not make slopes.

    Parameters
    ----------
    network : Network
        Streets with heights.
    smooth_m : float, optional
        Length over which heights are evened out, about one cell of a fine raster [m]; 0 leaves the ground as it
        is; ``smooth_m`` of the ``[slope]`` table where left out.
    within : ndarray of bool, shape (m,), optional
        Only the samples within these edges are evened out; everything else, their ends too, stays.

    Returns
    -------
    Network
        The same streets. Heights stay within the range they had, and their mean weighted by street length stays;
        a street that climbs evenly stays as it is but near its ends; NaN stays NaN. Bridges and tunnels are
        laid straight. Nothing is evened out across steps: there the ground does break.

    Notes
    -----
    The heights z' that minimise sum_i m_i (z'_i - z_i)^2 + h^2 sum_p (z'_a - z'_b)^2 / L_p over the nodes and samples
    i, with m_i half of the length of the pieces at i, L_p the length of a piece, h = `smooth_m`: Whittaker's smoother
    (1923, doi:10.1017/S0013091500077853) on a graph. Along a street it weights neighbours by exp(-distance / h).
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import spsolve

    h = load_slope_rules().smooth_m if smooth_m is None else smooth_m
    if not (np.isfinite(h) and h >= 0):
        raise StudyError(f"smooth_m = {h}: 必须为非负数", f"smooth_m = {h}: must be 0 or more")
    if within is None:
        network = structure_elevation(network)
    pieces = edge_pieces(network)
    z = pieces.heights(network)
    kept = np.isfinite(z[pieces.begin]) & np.isfinite(z[pieces.end]) & (pieces.begin != pieces.end)
    kept &= network.edge_structure[pieces.edge] != _STEPS
    if within is not None:
        kept &= within[pieces.edge]
    if h == 0 or not kept.any():
        return network
    half = np.maximum(pieces.length_m[kept], SHORTEST_M) / 2
    mass = np.zeros(pieces.n_points)
    for end in (pieces.begin, pieces.end):
        mass += np.bincount(end[kept], weights=half, minlength=pieces.n_points)
    rows = mass > 0
    fixed = np.zeros(pieces.n_points, dtype=bool)
    if within is None:
        mass[: network.n_nodes][_within(network)] = 0.0
    else:
        fixed[: network.n_nodes] = True
    solve = rows & ~fixed
    pull = h**2 * _laplacian(pieces, kept)
    matrix = (diags_array(mass) + pull).tocsr()[solve]
    known = mass[solve] * np.where(rows, z, 0.0)[solve] - matrix[:, rows & fixed] @ z[rows & fixed]
    out = z.copy()
    if solve.any():
        out[solve] = spsolve(matrix[:, solve].tocsc(), known)
    return pieces.with_heights(network, out)


def ground_summary(network: Network, slopes: EdgeSlopes | None = None) -> dict[str, Any]:
    """Return how steep the streets are and how well that is known, whoever travels.

    Parameters
    ----------
    network : Network
        Streets.
    slopes : EdgeSlopes, optional
        Their slopes, where they are known already.

    Returns
    -------
    dict
        ``known_share`` of street length, ``unknown_edges``, ``limited_edges``, ``long_km`` (edges without samples, so
        long that a hill between their ends may be missed), ``share_by_class`` (share of the length of known slope by
        |slope|, piece by piece).
    """
    rules = load_slope_rules()
    slopes = slopes or edge_slope(network)
    length, pieces, known = network.edge_length_m, slopes.pieces, ~slopes.piece_unknown
    metres = pieces.length_m
    total, sure = max(float(length.sum()), 1e-9), max(float(metres[known].sum()), 1e-9)
    names = [f"{100 * c:g}" for c in rules.classes]
    labels = [f"{a}-{b}%" for a, b in zip(["0", *names[:-1]], names, strict=True)] + [f">{names[-1]}%"]
    which = np.searchsorted(rules.classes, np.abs(slopes.piece_slope), side="left")
    in_class = np.bincount(which[known], weights=metres[known], minlength=len(labels)) / sure
    unseen = (length >= rules.long_m) & (pieces.count == 1)
    if network.sample_start is not None:
        unseen &= ~np.isin(network.edge_structure, DECKS)
    return {
        "known_share": round(float(metres[known].sum()) / total, 4),
        "unknown_edges": int(slopes.unknown.sum()),
        "limited_edges": int(slopes.limited.sum()),
        "long_km": round(float(length[unseen].sum()) / 1000, 3),
        "share_by_class": {label: round(float(s), 4) for label, s in zip(labels, in_class, strict=True)},
    }


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
        ``slope`` (the function), the figures of :func:`ground_summary`, ``speed_up_kmh``, ``speed_level_kmh``,
        ``speed_down_kmh`` (length over time of the pieces of open directions that climb, are level or of unknown slope,
        or descend; steps apart; None where there are none), ``blocked_km`` (open to walkers, shut to this traveller in
        every direction), ``one_way_km`` (shut in one). A profile with a limit also has ``limit_not_applied_km``: what
        it may use though its slope is not known, steps apart.
    """
    slopes = costs.slopes or edge_slope(network)
    length, pieces, slope = network.edge_length_m, slopes.pieces, slopes.piece_slope
    direction = np.concatenate([slope, -slope])
    time_ms = np.concatenate(
        [
            pieces.shared(costs.forward_ms, 1 / slope_factor(costs.slope, slope)),
            pieces.shared(costs.backward_ms, 1 / slope_factor(costs.slope, -slope)),
        ]
    )
    steps = network.edge_structure == _STEPS
    counted = (time_ms > 0) & np.tile(~steps[pieces.edge], 2)
    metres = np.tile(pieces.length_m, 2)

    def speed(rows: NDArray[np.bool_]) -> float | None:
        rows = rows & counted
        return round(float(metres[rows].sum() / time_ms[rows].sum() * 3600), 3) if rows.any() else None

    lost_go = network.edge_forward & (costs.forward_ms < 0)
    lost_back = network.edge_backward & (costs.backward_ms < 0)
    shut = (lost_go | lost_back) & (costs.forward_ms < 0) & (costs.backward_ms < 0)
    out = {
        "slope": costs.slope,
        **ground_summary(network, slopes),
        "speed_up_kmh": speed(direction > 0),
        "speed_level_kmh": speed(direction == 0),
        "speed_down_kmh": speed(direction < 0),
        "blocked_km": round(float(length[shut].sum()) / 1000, 3),
        "one_way_km": round(float(length[(lost_go | lost_back) & ~shut].sum()) / 1000, 3),
    }
    if costs.profile.max_slope is not None or costs.profile.max_descent is not None:
        open_ = (costs.usable & ~steps)[pieces.edge] & slopes.piece_unknown
        out["limit_not_applied_km"] = round(float(pieces.length_m[open_].sum()) / 1000, 3)
    return out


def limit_warnings(networks: Mapping[str, tuple[Network, EdgeCosts]]) -> list[tuple[str, str]]:
    """Say, in Chinese and English, where a limit of a profile cannot hold since heights are not known.

    Parameters
    ----------
    networks : mapping of str to (Network, EdgeCosts)
        Mode -> streets and their costs.

    Returns
    -------
    list of (zh, en)
        One per mode whose traveller has a limit and streets of unknown slope; empty where there is none.
    """
    out = []
    for mode, (network, costs) in networks.items():
        who = costs.profile
        if who.max_slope is None and who.max_descent is None:
            continue
        km = slope_summary(network, costs)["limit_not_applied_km"]
        if km > 0:
            limit = ", ".join(f"{100 * x:g}%" for x in sorted({x for x in (who.max_slope, who.max_descent) if x}))
            at, of = f"{mode}.profile = {who.name}", network.edge_length_m.sum() / 1000
            out.append(
                (
                    f"{at}: 坡度限值 {limit} 在 {km:,.1f} km 道路上未执行 (全网 {of:,.1f} km), 因为没有高程, 按平路计;"
                    "请设置 inputs.elevation",
                    f"{at}: its limit of {limit} is not applied on {km:,.1f} of {of:,.1f} km of streets, which have no "
                    "heights and count as level; set inputs.elevation",
                )
            )
    return out
