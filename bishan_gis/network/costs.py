"""Travel costs: what each street piece costs in each direction, in whole milliseconds."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import BrokenFileError, MissingFileError, StudyError
from bishan_gis.network.graph import STRUCTURES, Network
from bishan_gis.network.slope import EdgeSlopes, edge_slope, slope_factor
from bishan_gis.schema import nearest_name

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["BLOCKED", "EdgeCosts", "SpeedProfile", "edge_costs", "load_profile"]

#: Cost of a direction that may not be used.
BLOCKED = -1
#: Table of the file that holds the figures of slopes.
_NOT_A_PROFILE = "slope"


@dataclass(frozen=True)
class SpeedProfile:
    """Speed of one kind of traveller; also charged for the leg off the network.

    Attributes
    ----------
    name, zh, en, mode, source : str
        Key, labels, mode of travel, and where the figures come from.
    speed_kmh : float
        Speed on the level [km/h].
    steps_factor : float
        Multiplies the speed on steps, up and down alike; 0: steps are not passable.
    slope : str
        How speed depends on slope: a key of :data:`~bishan_gis.network.slope.SLOPE_FUNCTIONS`.
    max_slope, max_descent : float or None
        Steepest climb and descent taken, rise over run; None: any.
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

    @property
    def speed_ms(self) -> float:
        """Speed on the level [m/s]."""
        return self.speed_kmh / 3.6

    def leg_ms(self, length_m: ArrayLike) -> NDArray[np.int64]:
        """Return the cost of a leg off the network [ms]."""
        return np.rint(np.asarray(length_m, dtype=float) / self.speed_ms * 1000).astype(np.int64)


@dataclass(frozen=True, eq=False)
class EdgeCosts:
    """Cost of every edge from u to v and from v to u [ms]; :data:`BLOCKED` where not allowed.

    Attributes
    ----------
    forward_ms, backward_ms : ndarray of int64, shape (m,)
        Costs [ms].
    profile : SpeedProfile
        Who walks.
    slope : str
        The slope function that was used.
    slopes : EdgeSlopes or None
        The slopes that were used; None where neither speed nor a limit of the profile depends on them.
    top_factor : float
        Fastest speed on any piece over the level speed; above 1 where a descent is quicker.
    """

    forward_ms: NDArray[np.int64]
    backward_ms: NDArray[np.int64]
    profile: SpeedProfile
    slope: str = "none"
    slopes: EdgeSlopes | None = None
    top_factor: float = 1.0

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Whether the traveller may use each edge in either direction."""
        out: NDArray[np.bool_] = (self.forward_ms != BLOCKED) | (self.backward_ms != BLOCKED)
        return out

    @property
    def top_speed_ms(self) -> float:
        """Fastest speed on any piece, and at least that on the level [m/s]: what bounds how far one can get."""
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
        hint = nearest_name(name, known) or "、".join(known)
        raise StudyError(
            f"walk.profile: 没有速度类型 {name!r};可用: {hint}",
            f"walk.profile: no speed profile {name!r}; known: {hint}",
        )
    return _read_profile(table[name], name, f"{where}: {name}")


def _read_profile(row: dict[str, Any], name: str, where: str) -> SpeedProfile:
    """Check the settings of one profile and name all that is wrong at once."""
    words, numbers, limits = ("zh", "en", "mode", "source"), ("speed_kmh", "steps_factor"), ("max_slope", "max_descent")
    wrong: list[tuple[str, str]] = []
    for key in (*words, *numbers):
        if key not in row:
            wrong.append((f"缺少 {key}", f"{key} is missing"))
    keys = [f.name for f in fields(SpeedProfile) if f.name != "name"]
    for key, value in row.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
        if key not in keys:
            hint = nearest_name(key, keys) or "、".join(keys)
            wrong.append((f"未知的键 {key};可用: {hint}", f"unknown key {key}; known: {hint}"))
        elif key in numbers or key in limits:
            if not number or value < 0 or (value == 0 and key == "speed_kmh"):
                least = ("必须为正数", "a positive number") if key == "speed_kmh" else ("必须为非负数", "0 or more")
                wrong.append((f"{key} = {value!r} {least[0]}", f"{key} = {value!r} must be {least[1]}"))
        elif not isinstance(value, str):
            wrong.append((f"{key} = {value!r} 必须为文字", f"{key} = {value!r} must be text"))
    if wrong:
        raise StudyError(f"{where}: " + ";".join(w[0] for w in wrong), f"{where}: " + "; ".join(w[1] for w in wrong))
    slope = row.get("slope", "none")
    slope_factor(slope, 0.0, where=f"{where}.slope")
    return SpeedProfile(
        name=name,
        zh=row["zh"],
        en=row["en"],
        mode=row["mode"],
        speed_kmh=float(row["speed_kmh"]),
        steps_factor=float(row["steps_factor"]),
        source=row["source"],
        slope=slope,
        max_slope=float(row["max_slope"]) if "max_slope" in row else None,
        max_descent=float(row["max_descent"]) if "max_descent" in row else None,
    )


def edge_costs(network: Network, profile: SpeedProfile, *, slope: str | None = None) -> EdgeCosts:
    """Price every edge in both directions.

    A cost is ``length / speed`` rounded to the millisecond and at least 1 ms, so that sums are exact
    integers and no path is free. Lengths are those of the map: slope functions are made for them.

    Parameters
    ----------
    network : Network
        Streets.
    profile : SpeedProfile
        Who walks.
    slope : str, optional
        How speed depends on slope, in place of the profile's own function: a key of
        :data:`~bishan_gis.network.slope.SLOPE_FUNCTIONS`. The limits of the profile hold all the same.

    Returns
    -------
    EdgeCosts
        One cost per edge and direction [ms]. Steps have the profile's factor, up and down alike, and neither a
        slope function nor a limit: that they climb is in the factor. Where a height is unknown a piece counts as
        level.

    Raises
    ------
    StudyError
        No such function, or speed is to depend on slope and no node has a height.
    """
    name = profile.slope if slope is None else slope
    slope_factor(name, 0.0)
    if name != "none" and network.n_nodes and not np.isfinite(network.node_elevation_m).any():
        raise StudyError(
            f"walk.slope = {name!r}: 路网没有高程;请设置 inputs.elevation, 或用 slope = 'none'",
            f"walk.slope = {name!r}: the network has no heights; set inputs.elevation, or use slope = 'none'",
        )
    used = name != "none" or profile.max_slope is not None or profile.max_descent is not None
    slopes = edge_slope(network) if used else None
    climb = np.zeros(network.n_edges) if slopes is None else slopes.slope
    climb = np.where(network.edge_structure == STRUCTURES.index("steps"), 0.0, climb)
    forward, fast = _one_way(network, profile, name, climb, network.edge_forward)
    backward, faster = _one_way(network, profile, name, -climb, network.edge_backward)
    return EdgeCosts(forward, backward, profile, name, slopes, max(1.0, fast, faster))


def _one_way(
    network: Network, profile: SpeedProfile, name: str, climb: NDArray[np.float64], allowed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], float]:
    """Return the costs in one direction [ms], and the largest factor on the level speed that slope gave."""
    factor = slope_factor(name, climb)
    speed = profile.speed_ms * factor
    speed[network.edge_structure == STRUCTURES.index("steps")] *= profile.steps_factor
    can = allowed & (speed > 0)
    if profile.max_slope is not None:
        can &= climb <= profile.max_slope
    if profile.max_descent is not None:
        can &= -climb <= profile.max_descent
    time_ms = np.rint(network.edge_length_m / np.where(can, speed, 1.0) * 1000).astype(np.int64)
    return np.where(can, np.maximum(time_ms, 1), BLOCKED), float(factor[can].max(initial=0.0))
