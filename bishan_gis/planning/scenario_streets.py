"""The edits of a scenario to streets: new ones that join at their ends, and ways that close."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.crs import to_lonlat, to_working
from bishan_gis.errors import NoDataError
from bishan_gis.network.costs import edge_costs
from bishan_gis.network.graph import STRUCTURES
from bishan_gis.network.pieces import sample_points
from bishan_gis.network.slope import load_slope_rules, smooth_elevation
from bishan_gis.network.turns import keep_turns
from bishan_gis.planning.scenario_edits import edit_profile
from bishan_gis.planning.scenarios import raise_problems
from bishan_gis.sources.elevation import sample_elevation

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.planning.scenarios import AddStreet, Scenario
    from bishan_gis.study import Study

__all__ = ["add_streets", "close_ways", "edit_networks", "unknown_ways"]

_Heights = Callable[["NDArray[np.float64]", "NDArray[np.float64]"], "ArrayLike"]


def edit_networks(
    networks: Mapping[str, tuple[Network, EdgeCosts]],
    scenario: Scenario,
    study: Study,
    *,
    elevation: Path | None = None,
) -> tuple[dict[str, tuple[Network, EdgeCosts]], list[tuple[str, str]]]:
    """Close and add streets in every mode, and price what changed.

    Parameters
    ----------
    networks : mapping of str to (Network, EdgeCosts)
        Mode -> streets with heights, and their costs.
    scenario : Scenario
        The edits; first streets close, then new ones are added.
    study : Study
        The settings: slope.
    elevation : pathlib.Path, optional
        Raster with the heights of ends that join nothing.

    Returns
    -------
    dict, list of (zh, en)
        The networks, and what a reader should know. A mode that no edit touches is the same object.

    Raises
    ------
    StudyError
        A way is in no network, or a new street joins no node at either end; all problems are named at once.

    Notes
    -----
    Streets that are not edited keep their heights and costs to the millisecond: an edit acts only where it is.
    """

    def heights(x: NDArray[np.float64], y: NDArray[np.float64]) -> ArrayLike:
        return np.nan * x if elevation is None else sample_elevation(elevation, *to_lonlat(x, y, crs))

    crs = next(iter(networks.values()))[0].crs
    problems = unknown_ways(scenario, {mode: pair[0] for mode, pair in networks.items()})
    notes: list[tuple[str, str]] = []
    out = {}
    for mode, (network, costs) in networks.items():
        closed = [c.way for c in scenario.close_street if mode in c.modes]
        added = [(i, s) for i, s in enumerate(scenario.add_street, start=1) if mode in s.modes]
        profile = edit_profile(costs.profile, scenario) if mode == "walk" else costs.profile
        if not closed and not added and profile is costs.profile:
            out[mode] = (network, costs)
            continue
        edited = close_ways(network, closed) if closed else network
        if added:
            edited, said = add_streets(edited, [s for _, s in added], heights=heights)
            for (i, _), (loose, zh, en) in zip(added, said, strict=True):
                target = problems if loose == 2 else notes
                if loose:
                    target.append((f"add_street[{i}] ({mode}): {zh}", f"add_street[{i}] ({mode}): {en}"))
        slope = {str(m): s.slope for m, s in study.modes.items()}[mode]
        out[mode] = (edited, edge_costs(edited, profile, slope=slope))
    raise_problems(scenario.file.name, problems)
    return out, notes


def unknown_ways(scenario: Scenario, networks: Mapping[str, Network]) -> list[tuple[str, str]]:
    """Name the streets of a scenario that close and are not there.

    Parameters
    ----------
    scenario : Scenario
        The edits.
    networks : mapping of str to Network
        Mode -> streets.

    Returns
    -------
    list of (zh, en)
        One problem each.
    """
    problems = []
    for i, close in enumerate(scenario.close_street, start=1):
        asked = [networks[m] for m in close.modes if m in networks]
        if not any((n.edge_way == close.way).any() for n in asked):
            where = f"close_street[{i}].way = {close.way}"
            problems.append((f"{where}: 没有这条道路", f"{where}: there is no such way in these modes"))
    return problems


def close_ways(network: Network, ways: Collection[int]) -> Network:
    """Return the network without some OSM ways and the nodes that only they had.

    Parameters
    ----------
    network : Network
        Stays as it is.
    ways : collection of int
        OSM way ids; those the network does not have are passed over.

    Returns
    -------
    Network
        Order of nodes and edges kept; forbidden turns over closed streets are gone.

    Raises
    ------
    NoDataError
        No street would be left.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from bishan_gis.network.graph import Network
    >>> lines = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 100 0)", "LINESTRING (100 0, 100 50)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame({"way": [7, 8]}, geometry=lines))
    >>> close_ways(network, [8]).n_nodes
    2
    """
    keep = ~np.isin(network.edge_way, np.fromiter(ways, dtype=np.int64))
    if not keep.any():
        zh, en = "关闭后没有剩下任何道路", "no street would be left after the closures"
        raise NoDataError(zh, en)
    used = np.zeros(network.n_nodes, dtype=bool)
    used[network.edge_u[keep]] = used[network.edge_v[keep]] = True
    had = np.zeros(network.n_nodes, dtype=bool)
    had[network.edge_u] = had[network.edge_v] = True
    stays = used | ~had
    node = (np.cumsum(stays) - 1).astype(np.int32)
    count = np.diff(network.vertex_start)
    vertex = np.repeat(keep, count)
    turns, first, inner = network.turns, network.sample_start, network.sample_elevation_m
    if first is not None and inner is not None:
        inner = inner[np.repeat(keep, np.diff(first))]
        first = np.r_[0, np.cumsum(np.diff(first)[keep])].astype(np.int64)
    if turns is not None:
        turns = keep_turns(turns, np.flatnonzero(keep), np.flatnonzero(stays))
    nodes = {k: getattr(network, k)[stays] for k in _NODE}
    edges = {k: getattr(network, k)[keep] for k in _EDGE if k not in ("edge_u", "edge_v")}
    return replace(
        network,
        **nodes,
        **edges,
        edge_u=node[network.edge_u[keep]],
        edge_v=node[network.edge_v[keep]],
        vertex_start=np.r_[0, np.cumsum(count[keep])].astype(np.int64),
        vertex_x=network.vertex_x[vertex],
        vertex_y=network.vertex_y[vertex],
        edge_speed_kmh=None if network.edge_speed_kmh is None else network.edge_speed_kmh[keep],
        node_control=None if network.node_control is None else network.node_control[stays],
        turns=turns,
        edge_local=None if network.edge_local is None else network.edge_local[keep],
        sample_start=first,
        sample_elevation_m=inner,
    )


_NODE = ("node_x", "node_y", "node_osmid", "node_frontier", "node_elevation_m")
_EDGE = (
    "edge_u",
    "edge_v",
    "edge_length_m",
    "edge_forward",
    "edge_backward",
    "edge_way",
    "edge_structure",
    "edge_highway",
    "edge_name",
    "edge_kind",
)


def add_streets(
    network: Network, streets: Sequence[AddStreet], *, heights: _Heights | None = None
) -> tuple[Network, list[tuple[int, str, str]]]:
    """Return the network with further streets, one edge each, behind the others.

    Parameters
    ----------
    network : Network
        Stays as it is.
    streets : sequence of AddStreet
        The new streets. Each end is moved to the nearest node within ``join_m`` (those of new streets before it
        included), or becomes a node; vertices in between and streets that are crossed are not joined.
    heights : callable, optional
        Elevation [m] of ``x, y`` for ends that become nodes, and along the new streets where the others have heights
        within them, evened out between their ends; unknown where left out.

    Returns
    -------
    Network, list of (int, str, str)
        Edges have the kind ``assumed`` and ways -1, -2 ...; and for every street how many of its ends join nothing,
        and how far the nearest nodes are, in both languages.
    """
    x, y = network.node_x.tolist(), network.node_y.tolist()
    n = len(x)
    new: list[dict[str, Any]] = []
    said = []
    for k, street in enumerate(streets, start=1):
        line = np.asarray(street.line, dtype=float)
        if street.coordinates == "lonlat":
            line = np.column_stack(to_working(line[:, 0], line[:, 1], network.crs))
        ends, loose = [], []
        for at in (0, -1):
            gap = np.hypot(np.asarray(x) - line[at, 0], np.asarray(y) - line[at, 1])
            one = int(gap.argmin()) if len(gap) else -1
            if len(gap) and gap[one] <= street.join_m:
                line[at] = x[one], y[one]
            else:
                loose.append(float(gap[one]) if len(gap) else np.inf)
                one = len(x)
                x.append(float(line[at, 0]))
                y.append(float(line[at, 1]))
            ends.append(one)
        far = ", ".join(f"{g:,.1f} m" for g in loose)
        if ends[0] == ends[1] and len(line) == 2:
            said.append((2, "两端接到同一个节点;请缩小 join_m", "both ends join the same node; lower join_m"))
            continue
        said.append(
            (
                len(loose),
                f"{len(loose)} 端没有接上路网 (最近节点 {far}, join_m = {street.join_m:g});请移动端点或放宽 join_m",
                f"{len(loose)} of its ends join no node (the nearest is {far} away, join_m = {street.join_m:g}); "
                "move the end or raise join_m",
            )
        )
        new.append({"street": street, "line": line, "u": ends[0], "v": ends[1], "way": -k})
    extra = len(x) - n
    ex, ey = np.asarray(x[n:], dtype=float), np.asarray(y[n:], dtype=float)
    height = np.full(extra, np.nan) if heights is None or not extra else np.asarray(heights(ex, ey), dtype=float)
    length = [float(np.hypot(*np.diff(one["line"], axis=0).T).sum()) for one in new]
    made: list[AddStreet] = [one["street"] for one in new]
    edges: dict[str, list[Any]] = {
        "edge_u": [one["u"] for one in new],
        "edge_v": [one["v"] for one in new],
        "edge_length_m": length,
        "edge_forward": [True] * len(new),
        "edge_backward": [not s.oneway for s in made],
        "edge_way": [one["way"] for one in new],
        "edge_structure": [STRUCTURES.index(s.structure) for s in made],
        "edge_highway": [s.highway for s in made],
        "edge_name": [s.name for s in made],
        "edge_kind": ["assumed"] * len(new),
    }
    nodes: dict[str, Any] = {
        "node_x": ex,
        "node_y": ey,
        "node_osmid": -np.arange(1, extra + 1),
        "node_frontier": np.zeros(extra, dtype=bool),
        "node_elevation_m": height,
    }
    vertices = np.concatenate([one["line"] for one in new]) if new else np.zeros((0, 2))
    count = [len(one["line"]) for one in new]
    speed, control = network.edge_speed_kmh, network.node_control
    own: dict[str, Any] = {k: _append(getattr(network, k), v) for k, v in {**nodes, **edges}.items()}
    edited = replace(
        network,
        **own,
        vertex_start=_append(network.vertex_start, network.vertex_start[-1] + np.cumsum(count, dtype=np.int64)),
        vertex_x=_append(network.vertex_x, vertices[:, 0]),
        vertex_y=_append(network.vertex_y, vertices[:, 1]),
        edge_speed_kmh=None if speed is None else _append(speed, [s.speed_kmh or np.nan for s in made]),
        node_control=None if control is None else _append(control, np.zeros(extra, dtype=np.uint8)),
        edge_local=None if network.edge_local is None else _append(network.edge_local, np.zeros(len(new), dtype=bool)),
        sample_start=None,
        sample_elevation_m=None,
    )
    return _sampled(edited, network, heights), said


def _sampled(edited: Network, before: Network, heights: _Heights | None) -> Network:
    """Give new streets heights within them, where the others have some."""
    first, inner = before.sample_start, before.sample_elevation_m
    if first is None or inner is None:
        return edited
    new = np.arange(edited.n_edges) >= before.n_edges
    start, x, y = sample_points(edited, load_slope_rules().sample_m if heights else 0.0, edges=new)
    start[: len(first)] = first
    start[len(first) :] += first[-1]
    along = np.zeros(0) if heights is None or not len(x) else np.asarray(heights(x, y), dtype=float)
    edited = replace(edited, sample_start=start, sample_elevation_m=np.concatenate([inner, along]))
    return smooth_elevation(edited, within=new) if len(along) else edited


def _append(there: NDArray[Any], values: ArrayLike) -> NDArray[Any]:
    if there.dtype == object:
        return np.concatenate([there, np.array(values, dtype=object)])
    return np.concatenate([there, np.asarray(values, dtype=there.dtype)])
