"""Travel costs: what each street piece costs in each direction, in whole milliseconds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import BrokenFileError, MissingFileError, StudyError
from bishan_gis.network.cost_checks import check_times, check_traveller
from bishan_gis.network.graph import CONTROLS, STRUCTURES, Network
from bishan_gis.network.local_streets import find_local
from bishan_gis.network.slope import EdgeSlopes, edge_slope, slope_factor
from bishan_gis.network.turns import SearchStates, build_states
from bishan_gis.schema import known_names

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["BLOCKED", "EdgeCosts", "SpeedProfile", "climbs", "edge_costs", "load_profile"]

#: Cost of a direction that may not be used.
BLOCKED = -1
#: Table of the file that holds the figures of slopes.
_NOT_A_PROFILE = "slope"
#: Where the speed of a traveller comes from: the traveller, or the street with the traveller's as the highest.
_SPEEDS = ("own", "street")
_MODES = ("walk", "cycle", "drive")
_WAITS = [control for control in CONTROLS if control and not control.endswith("_arm")]


@dataclass(frozen=True)
class SpeedProfile:
    """Speed of one kind of traveller, on streets and off them, and what it waits for.

    Attributes
    ----------
    name, zh, en, mode, source : str
        Key, labels, mode of travel, and where the figures come from.
    speed_kmh : float
        Speed on the level [km/h]; with ``speeds = "street"`` the highest.
    steps_factor : float
        Multiplies the speed on steps, up and down alike; 0: steps are not passable.
    slope : str
        How speed depends on slope: a key of :data:`~bishan_gis.network.slope.SLOPE_FUNCTIONS`.
    max_slope, max_descent : float or None
        Steepest climb and descent taken, rise over run; None: any.
    speeds : str
        ``own``: the speed is the traveller's; ``street``: it is that of the street times `street_factor`, at most
        the traveller's.
    street_factor : float
        This traveller's speed over the mean speed driven on the street (``Network.edge_speed_kmh``).
    leg_kmh : float or None
        Speed of the leg off the network [km/h]; None: `speed_kmh`.
    delays : mapping of str to float
        Mean wait at each kind of node, a key of :data:`~bishan_gis.network.graph.CONTROLS` but for the arms of
        junctions, which have half of it [s]; 0 where left out.
    rules : str
        Table of who may pass, ``data/<rules>_rules.toml``; that of the mode where empty.
    source_zh : str
        `source` in Chinese.
    """

    name: str
    zh: str
    en: str
    mode: str
    speed_kmh: float
    steps_factor: float
    source: str
    slope: str = "none"
    max_slope: float | None = None
    max_descent: float | None = None
    speeds: str = "own"
    street_factor: float = 1.0
    leg_kmh: float | None = None
    delays: Mapping[str, float] = field(default_factory=dict, hash=False)
    rules: str = ""
    source_zh: str = ""

    @property
    def speed_ms(self) -> float:
        """Speed on the level, for street speeds the highest [m/s]."""
        return self.speed_kmh / 3.6

    @property
    def leg_speed_ms(self) -> float:
        """Speed of the leg off the network [m/s]."""
        return (self.speed_kmh if self.leg_kmh is None else self.leg_kmh) / 3.6

    def leg_ms(self, length_m: ArrayLike) -> NDArray[np.int64]:
        """Return the cost of a leg off the network [ms]."""
        return np.rint(np.asarray(length_m, dtype=float) / self.leg_speed_ms * 1000).astype(np.int64)


@dataclass(frozen=True, eq=False)
class EdgeCosts:
    """Cost of every edge from u to v and from v to u [ms]; :data:`BLOCKED` where not allowed.

    Attributes
    ----------
    forward_ms, backward_ms : ndarray of int64, shape (m,)
        Costs [ms].
    profile : SpeedProfile
        Who travels.
    states : SearchStates
        Nodes, and further states of a search where turns or through traffic are forbidden.
    slope : str
        The slope function that was used.
    slopes : EdgeSlopes or None
        The slopes that were used; None where neither speed nor a limit of the profile depends on them.
    top_factor : float
        Fastest speed on any piece, or off the streets, over that of the profile; above 1 where a descent is
        quicker, below 1 where no street lets one go as fast as the profile can.
    delay_ms : ndarray of int64, shape (n_nodes,), or None
        Wait paid on arriving at each node on the way [ms]; never for starting or ending on an edge. None: no waits.
    """

    forward_ms: NDArray[np.int64]
    backward_ms: NDArray[np.int64]
    profile: SpeedProfile
    states: SearchStates
    slope: str = "none"
    slopes: EdgeSlopes | None = None
    top_factor: float = 1.0
    delay_ms: NDArray[np.int64] | None = None

    @property
    def n_states(self) -> int:
        """Number of search states: nodes, and further ones where it matters how one came."""
        return self.states.n_states

    @property
    def state_node(self) -> NDArray[np.int32]:
        """Node of each state; the first ones are the nodes themselves."""
        return self.states.node

    @cached_property
    def state_delay_ms(self) -> NDArray[np.int64]:
        """Wait on arriving in each state [ms]; empty where nobody waits."""
        return np.zeros(0, dtype=np.int64) if self.delay_ms is None else self.delay_ms[self.state_node]

    @property
    def end_u(self) -> NDArray[np.int32]:
        """State in which one arrives at u along each edge (backward); u itself where all may go on."""
        return self.states.end_u

    @property
    def end_v(self) -> NDArray[np.int32]:
        """State in which one arrives at v along each edge (forward)."""
        return self.states.end_v

    def check(self, network: Network, node_cost: NDArray[np.int32]) -> None:
        """Check that these are the costs of a network and that a row of a search has one number per state.

        Raises
        ------
        ValueError
            Other edges or nodes, or `node_cost` is not as long as there are states.
        """
        mine = (len(self.forward_ms), self.states.n_nodes, self.n_states)
        if mine != (network.n_edges, network.n_nodes, len(node_cost)):
            msg = (
                f"costs of {mine[0]:,} edges, {mine[1]:,} nodes, {mine[2]:,} states do not go with a network of "
                f"{network.n_edges:,} edges, {network.n_nodes:,} nodes and a search over {len(node_cost):,} states"
            )
            raise ValueError(msg)

    def reversed(self) -> EdgeCosts:
        """Return the costs of the same streets travelled the other way round.

        What a trip from A to B costs here, one from B to A costs there: directions and forbidden turns are
        exchanged, waits stay at their nodes. A search *to* X over reversed costs gives the cost *from* X.
        """
        return replace(self, forward_ms=self.backward_ms, backward_ms=self.forward_ms, states=self.states.reversed())

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Whether the traveller may use each edge in either direction."""
        out: NDArray[np.bool_] = (self.forward_ms != BLOCKED) | (self.backward_ms != BLOCKED)
        return out

    @property
    def top_speed_ms(self) -> float:
        """Fastest speed on any piece or off the streets [m/s]: what bounds how far one can get."""
        return self.profile.speed_ms * self.top_factor


def load_profile(name: str, path: str | Path | None = None) -> SpeedProfile:
    """Read one speed profile.

    Parameters
    ----------
    name : str
        Key of the profile.
    path : str or pathlib.Path, optional
        Own TOML table; the package's where left out.

    Raises
    ------
    StudyError
        No such profile, an unknown, missing or wrong setting in it, or a speed that is not positive.
    MissingFileError, BrokenFileError
        The own table is not there or is not TOML.

    Examples
    --------
    >>> engine = load_profile("fire_engine")
    >>> engine.mode, engine.speeds, engine.leg_ms(100).item()
    ('drive', 'street', 36000)
    """
    where = str(path or "speed_profiles.toml")
    try:
        source = Path(path) if path else files("bishan_gis").joinpath("data/speed_profiles.toml")
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise MissingFileError(f"找不到速度表 {where}", f"no speed table at {where}") from err
    except tomllib.TOMLDecodeError as err:
        raise BrokenFileError(f"{where}: 不是有效的 TOML: {err}", f"{where}: not valid TOML: {err}") from err
    known = [key for key, row in table.items() if key != _NOT_A_PROFILE and isinstance(row, dict)]
    if name not in known:
        zh, en = known_names(name, known)
        raise StudyError(f"profile: 没有速度类型 {name!r};{zh}", f"profile: no speed profile {name!r}; {en}")
    return _read_profile(table[name], name, f"{where}: {name}")


def _read_profile(row: dict[str, Any], name: str, where: str) -> SpeedProfile:
    """Check the settings of one profile and name all that is wrong at once."""
    words, choices = ("zh", "en", "source", "source_zh", "rules"), {"mode": _MODES, "speeds": _SPEEDS}
    positive, least_0 = ("speed_kmh", "street_factor", "leg_kmh"), ("steps_factor", "max_slope", "max_descent")
    wrong: list[tuple[str, str]] = []
    for key in ("zh", "en", "mode", "source", "speed_kmh", "steps_factor"):
        if key not in row:
            wrong.append((f"缺少 {key}", f"{key} is missing"))
    keys = [f.name for f in fields(SpeedProfile) if f.name != "name"]
    for key, value in row.items():
        if key not in keys:
            zh, en = known_names(key, keys)
            wrong.append((f"未知的键 {key};{zh}", f"unknown key {key}; {en}"))
        elif key in positive or key in least_0:
            wrong += _wrong_number(key, value, positive=key in positive)
        elif key == "delays":
            wrong += _wrong_delays(value)
        elif key in choices and value not in choices[key]:
            known = "、".join(choices[key])
            wrong.append((f"{key} = {value!r};可用: {known}", f"{key} = {value!r}; known: {known}"))
        elif not isinstance(value, str):
            wrong.append((f"{key} = {value!r} 必须为文字", f"{key} = {value!r} must be text"))
    if wrong:
        raise StudyError(f"{where}: " + ";".join(w[0] for w in wrong), f"{where}: " + "; ".join(w[1] for w in wrong))
    slope_factor(row.get("slope", "none"), 0.0, where=f"{where}.slope")
    numbers: dict[str, Any] = {key: float(row[key]) for key in (*positive, *least_0) if key in row}
    texts = {key: row[key] for key in (*words, *choices, "slope") if key in row}
    delays = {key: float(value) for key, value in row.get("delays", {}).items()}
    return SpeedProfile(name=name, delays=delays, **texts, **numbers)


def _wrong_number(key: str, value: object, *, positive: bool = False) -> list[tuple[str, str]]:
    """Say what is wrong with a number, in Chinese and English; nothing where it is right."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
    if number and (value > 0 if positive else value >= 0):  # type: ignore[operator]
        return []
    least = ("必须为正数", "a positive number") if positive else ("必须为非负数", "0 or more")
    return [(f"{key} = {value!r} {least[0]}", f"{key} = {value!r} must be {least[1]}")]


def _wrong_delays(value: object) -> list[tuple[str, str]]:
    """Say what is wrong with a table of waits."""
    if not isinstance(value, dict):
        return [(f"delays = {value!r} 必须为表", f"delays = {value!r} must be a table")]
    wrong = []
    for key, seconds in value.items():
        if key not in _WAITS:
            zh, en = known_names(key, _WAITS)
            wrong.append((f"未知的键 delays.{key};{zh}", f"unknown key delays.{key}; {en}"))
        else:
            wrong += _wrong_number(f"delays.{key}", seconds)
    return wrong


def climbs(profile: SpeedProfile, slope: str | None = None) -> bool:
    """Say whether slopes change what a traveller's ways cost: by a slope function, or by a limit of the profile."""
    function = profile.slope if slope is None else slope
    return function != "none" or profile.max_slope is not None or profile.max_descent is not None


def edge_costs(network: Network, profile: SpeedProfile, *, slope: str | None = None) -> EdgeCosts:
    """Price every edge in both directions.

    A cost is ``length / speed`` rounded to the millisecond and at least 1 ms, so that sums are exact
    integers and no path is free. Lengths are those of the map: slope functions are made for them. Where heights
    are known along an edge, it costs the sum of its pieces, and the steepest piece (of at most ``sample_m``) is what
    the profile's limit is held against. A trip that uses a part of an edge pays that share of the edge's cost: within
    an edge the cost is spread evenly.

    Parameters
    ----------
    network : Network
        Streets of the mode of the profile.
    profile : SpeedProfile
        Who travels.
    slope : str, optional
        How speed depends on slope, in place of the profile's own function: a key of
        :data:`~bishan_gis.network.slope.SLOPE_FUNCTIONS`. The limits of the profile hold all the same.

    Returns
    -------
    EdgeCosts
        One cost per edge and direction [ms]. Steps have the profile's factor, up and down alike, and neither a
        slope function nor a limit: that they climb is in the factor. Where a height is unknown a piece counts as
        level. Waits, forbidden turns and streets without through traffic are those of the network.

    Raises
    ------
    StudyError
        No such function, or speed is to depend on slope and no node has a height; or it is to be that of the street
        and the network has none.
    InputError
        The network is for another mode than the profile; a length is missing, infinite or negative, or an edge takes
        more than 596 hours (2^31 ms).

    Warns
    -----
    BishanGisWarning
        Other rules than those of the profile decided who may pass.

    Notes
    -----
    The speed is ``own * slope`` or, with ``speeds = "street"``, ``min(own * slope, street * street_factor)``. A trip
    costs its legs, the edges it uses or the parts of them, and the wait at every node it passes: once each, at
    whichever it arrives on the way, so that a trip and its reverse wait alike. Signals of one junction count once.
    """
    check_traveller(network, profile)
    name = profile.slope if slope is None else slope
    slope_factor(name, 0.0)
    if name != "none" and network.n_nodes and not np.isfinite(network.node_elevation_m).any():
        raise StudyError(
            f"walk.slope = {name!r}: 路网没有高程;请设置 inputs.elevation, 或用 slope = 'none'",
            f"walk.slope = {name!r}: the network has no heights; set inputs.elevation, or use slope = 'none'",
        )
    street = _street_speed(network, profile)
    slopes = edge_slope(network) if climbs(profile, name) else None
    forward, fast = _one_way(network, profile, name, slopes, 1, street)
    backward, faster = _one_way(network, profile, name, slopes, -1, street)
    local = find_local(network, forward != BLOCKED, backward != BLOCKED)
    return EdgeCosts(
        forward_ms=forward,
        backward_ms=backward,
        profile=profile,
        states=build_states(network.n_nodes, network.edge_u, network.edge_v, network.turns, local),
        slope=name,
        slopes=slopes,
        top_factor=max(1.0 if street is None else 0.0, fast, faster, profile.leg_speed_ms / profile.speed_ms),
        delay_ms=_waits(network, profile),
    )


def _street_speed(network: Network, profile: SpeedProfile) -> NDArray[np.float64] | None:
    """Return the speed that streets give this traveller [m/s], or None where it is the traveller's own."""
    if profile.speeds == "own":
        return None
    if network.edge_speed_kmh is None:
        raise StudyError(
            f"{profile.name}.speeds = 'street': 路网 (mode = {network.mode!r}) 没有道路速度;请用 mode = 'drive' 的规则"
            "构建路网, 或用 speeds = 'own'",
            f"{profile.name}.speeds = 'street': the network (mode = {network.mode!r}) has no speeds of streets; build "
            "it with the rules of mode 'drive', or use speeds = 'own'",
        )
    bad = int((~(np.isfinite(network.edge_speed_kmh) & (network.edge_speed_kmh > 0))).sum())
    if bad:
        raise StudyError(
            f"edge_speed_kmh: {bad} 条路段的速度不是正数;请检查规则表中的速度",
            f"edge_speed_kmh: {bad} edges have no positive speed; check the speeds of the rules",
        )
    out: NDArray[np.float64] = network.edge_speed_kmh * profile.street_factor / 3.6
    return out


def _waits(network: Network, profile: SpeedProfile) -> NDArray[np.int64] | None:
    """Return the wait at each node [ms], or None where nobody waits."""
    if network.node_control is None:
        return None
    arm = [control.endswith("_arm") for control in CONTROLS]
    waits = [profile.delays.get(control.removesuffix("_arm"), 0.0) for control in CONTROLS]
    seconds = np.array(waits) / np.where(arm, 2.0, 1.0)
    wait = np.rint(seconds * 1000).astype(np.int64)[network.node_control]
    return wait if wait.any() else None


def _one_way(
    network: Network,
    profile: SpeedProfile,
    name: str,
    slopes: EdgeSlopes | None,
    sign: int,
    street: NDArray[np.float64] | None,
) -> tuple[NDArray[np.int64], float]:
    """Return the costs from u to v (`sign` 1) or back [ms], and the fastest speed over that of the profile."""
    steps = network.edge_structure == STRUCTURES.index("steps")
    can = (network.edge_forward if sign > 0 else network.edge_backward).copy()
    speed = np.full(network.n_edges, profile.speed_ms)
    if slopes is None:
        speed = speed if street is None else np.minimum(speed, street)
    else:
        edge = slopes.pieces.edge
        climb = np.where(steps[edge], 0.0, sign * slopes.piece_slope)
        piece = profile.speed_ms * slope_factor(name, climb)
        piece = piece if street is None else np.minimum(piece, street[edge])
        speed = slopes.pieces.speed(piece)
        up, down = (slopes.climb, slopes.descent) if sign > 0 else (slopes.descent, slopes.climb)
        for steepest, limit in ((up, profile.max_slope), (down, profile.max_descent)):
            if limit is not None:
                can &= steps | (steepest <= limit)
    factor = speed / profile.speed_ms
    speed[steps] *= profile.steps_factor
    can &= speed > 0
    time_ms = np.where(can, np.rint(network.edge_length_m / np.where(can, speed, 1.0) * 1000), 0.0)
    check_times(network, time_ms, speed)
    return np.where(can, np.maximum(time_ms.astype(np.int64), 1), BLOCKED), float(factor[can].max(initial=0.0))
