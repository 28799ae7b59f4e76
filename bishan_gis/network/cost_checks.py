"""Checks before streets are priced: that times can be counted, and that the traveller may be on these streets."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.errors import BishanGisWarning, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts, SpeedProfile
    from bishan_gis.network.graph import Network

__all__ = ["MOST_MS", "check_costs", "check_times", "check_traveller"]

#: Longest time of a link that a search can count [ms]: 596 hours.
MOST_MS = 2**31 - 2


def check_traveller(network: Network, profile: SpeedProfile) -> None:
    """Raise where the streets are for another mode of travel; warn where other rules decided who may pass.

    Parameters
    ----------
    network : Network
        Streets; ``rule_table`` may not be known.
    profile : SpeedProfile
        Who travels.

    Raises
    ------
    InputError
        The modes differ: other streets are open to walkers than to cars. Or it is no profile, but the name of one.

    Warns
    -----
    BishanGisWarning
        The rules differ: where fire engines may pass, cars may not.
    """
    if not hasattr(profile, "speed_kmh"):
        name = profile if isinstance(profile, str) else "adult"
        raise InputError(
            f"profile: 须为 SpeedProfile,现为 {type(profile).__name__};请用 load_profile({name!r})",
            f"profile: must be a SpeedProfile, it is a {type(profile).__name__}; use load_profile({name!r})",
        )
    if network.mode != profile.mode:
        raise InputError(
            f"路网用于 {network.mode}, 速度类型 {profile.name} 用于 {profile.mode};请以 mode={profile.mode!r} 构建路网,"
            "或换一个速度类型",
            f"the network is for mode {network.mode!r}, the profile {profile.name} for {profile.mode!r}; build the "
            f"network with mode={profile.mode!r}, or choose another profile",
        )
    wanted = profile.rules or profile.mode
    if network.rule_table and network.rule_table != wanted:
        warnings.warn(
            BishanGisWarning(
                f"路网按 {network.rule_table} 的通行规则构建, 速度类型 {profile.name} 需要 {wanted};请用"
                f" load_rules(mode={profile.mode!r}, table={profile.rules!r})",
                f"the network has the rules of {network.rule_table!r}, the profile {profile.name} wants {wanted!r}; "
                f"build it with load_rules(mode={profile.mode!r}, table={profile.rules!r})",
            ),
            stacklevel=3,
        )


def check_costs(network: Network, costs: EdgeCosts) -> None:
    """Raise where what is given as costs is none, or was made for another network.

    Parameters
    ----------
    network : Network
        Streets.
    costs : EdgeCosts
        What they should cost.

    Raises
    ------
    InputError
        It is a profile, a network or the like, or there are costs for other edges or nodes.
    """
    if not hasattr(costs, "forward_ms"):
        kind = type(costs).__name__
        raise InputError(
            f"costs: 须为 edge_costs(network, profile) 的结果,现为 {kind}",
            f"costs: must be what edge_costs(network, profile) gives, it is a {kind}",
        )
    mine, theirs = (network.n_edges, network.n_nodes), (len(costs.forward_ms), costs.states.n_nodes)
    if mine != theirs:
        raise InputError(
            f"costs: 属于另一路网 ({theirs[0]:,} 条路段, {theirs[1]:,} 个节点; 本路网 {mine[0]:,} 条, {mine[1]:,} 个);"
            "请对本路网调用 edge_costs",
            f"costs: those of another network ({theirs[0]:,} edges, {theirs[1]:,} nodes; this one has {mine[0]:,} and "
            f"{mine[1]:,}); call edge_costs for this one",
        )


def check_times(network: Network, time_ms: NDArray[np.float64], speed_ms: NDArray[np.float64]) -> None:
    """Raise where the time of an edge is none, or too long to be counted.

    Parameters
    ----------
    network : Network
        Streets.
    time_ms : ndarray of float64, shape (m,)
        Time on each edge [ms]; 0 where it may not be used.
    speed_ms : ndarray of float64, shape (m,)
        Speed [m/s].

    Raises
    ------
    InputError
        A length is not a number, infinite or negative, or an edge takes more than 596 hours.
    """
    odd = np.flatnonzero(~(np.isfinite(network.edge_length_m) & (network.edge_length_m >= 0)))
    if len(odd):
        e = int(odd[0])
        first = f"edge {e} (way {network.edge_way[e]}): {network.edge_length_m[e]} m"
        raise InputError(
            f"edge_length_m: {len(odd)} 条路段的长度缺失、无穷或为负, 首例 {first};请修正",
            f"edge_length_m: {len(odd)} edges have a length that is missing, infinite or negative, first {first}; "
            "mend them",
        )
    long = np.flatnonzero(time_ms > MOST_MS)
    if len(long):
        e = int(long[0])
        first = f"edge {e} (way {network.edge_way[e]}): {network.edge_length_m[e]:.0f} m, {speed_ms[e] * 3.6:g} km/h"
        raise InputError(
            f"edge_length_m: {len(long)} 条路段的时间超过 596 小时, 首例 {first};请检查长度单位和速度",
            f"edge_length_m: {len(long)} edges take more than 596 hours, first {first}; check the unit of lengths, and "
            "the speed",
        )
