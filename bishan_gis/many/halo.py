"""How far beyond a district one has to look so that its results are those of the whole.

Proof, in words. Let ``v`` be the largest length of any street piece over its cost in whole milliseconds, or the speed
off the streets where that is higher. A trip of ``c`` ms is then at most ``v c`` long, so both its ends and all the
streets it takes lie within ``v c`` of where it starts, as the crow flies. What a measure of an origin looks at:

1. nearest, cumulative, gravity: trips from the origin within the cutoff, so within one such distance ``R``;
2. two-step catchments: each facility within ``R`` shares out among everybody within ``R`` of it, so ``2 R``;
3. three-step: everybody counted there chooses among all facilities within ``R`` of them, so ``3 R``.

A place out there meets the streets as in the whole if every street within the snapping distance of it is known: that
much more. A part of the streets that is an island (shorter in all than `island_m`) is known as one if all of it is
there: again that much more. A place still farther out may be met wrongly, but no trip to it is within the cutoff, for
no trip is quicker than the straight line at ``v``. All other trips of the part are trips of the whole, since streets
are only left out. So nothing is found that is not there, and by the above all that counts is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.errors import InputError

if TYPE_CHECKING:
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = ["LOOKS", "halo_m", "top_speed_ms"]

#: Measure -> how many times the distance of the cutoff it looks.
LOOKS: dict[str, int] = {
    "nearest": 1,
    "cumulative": 1,
    "gravity": 1,
    "two_step": 2,
    "enhanced_two_step": 2,
    "gaussian_two_step": 2,
    "kernel_two_step": 2,
    "modified_two_step": 2,
    "three_step": 3,
}
#: A trip has at most four places where half a millisecond may be rounded away besides its street pieces: two legs,
#: two pieces that are taken in part.
_ROUNDED_S = 0.002


def top_speed_ms(network: Network, costs: EdgeCosts) -> float:
    """Return the fastest that any metre is passed: on a street piece, by its cost in whole milliseconds, or off them.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        All streets and what they cost; a part may be slower.

    Returns
    -------
    float
        Speed [m/s].

    Examples
    --------
    >>> import geopandas as gpd
    >>> from bishan_gis.network.costs import edge_costs, load_profile
    >>> from bishan_gis.network.graph import Network
    >>> street = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 400 0)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame(geometry=street))
    >>> profile = load_profile("adult")
    >>> round(top_speed_ms(network, edge_costs(network, profile)) / profile.speed_ms, 6)
    1.0
    """
    import shapely

    top = costs.profile.leg_speed_ms
    length = np.maximum(network.edge_length_m, shapely.length(network.lines))
    for cost in (costs.forward_ms, costs.backward_ms):
        can = cost > 0
        top = max(top, float((length[can] / cost[can]).max(initial=0.0)) * 1000)
    return top


def halo_m(
    cutoffs_s: Mapping[str, float], *, speed_ms: float, max_snap_m: float = 300.0, island_m: float = 0.0
) -> float:
    """Return how wide the halo of a district must be for some measures.

    Parameters
    ----------
    cutoffs_s : mapping
        Measure (a key of :data:`LOOKS`) -> its largest cutoff [s].
    speed_ms : float
        Fastest speed, :func:`top_speed_ms` [m/s].
    max_snap_m : float
        How far a place may lie from the streets [m].
    island_m : float
        ``Network.island_m`` [m].

    Returns
    -------
    float
        Width round the places of the district [m].

    Raises
    ------
    InputError
        A measure is not known, there is none, or a number is below 0.

    Notes
    -----
    ``max_m(k_m (c_m + 2 ms)) v + max_snap_m + island_m`` with ``k`` = 1, 2 or 3; see the head of this module.

    Examples
    --------
    >>> halo_m({"nearest": 900, "two_step": 600}, speed_ms=1.5, max_snap_m=300)
    2100.006
    """
    unknown = [name for name in cutoffs_s if name not in LOOKS]
    if unknown or not cutoffs_s:
        known = ", ".join(LOOKS)
        raise InputError(
            f"halo_m: 没有指标 {'、'.join(unknown) or '(空)'};可用: {known}",
            f"halo_m: no measure {', '.join(unknown) or '(none given)'}; known: {known}",
        )
    numbers = [*cutoffs_s.values(), speed_ms, max_snap_m, island_m]
    if not all(np.isfinite(n) and n >= 0 for n in numbers):
        said = ("halo_m: 所有数值须为不小于 0 的有限数", "halo_m: every number must be finite, 0 or more")
        raise InputError(*said)
    looks = max(LOOKS[name] * (cutoff + _ROUNDED_S) for name, cutoff in cutoffs_s.items())
    return looks * speed_ms + max_snap_m + island_m
