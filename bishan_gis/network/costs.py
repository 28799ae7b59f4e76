"""Travel costs: what each street piece costs in each direction, in whole milliseconds."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.errors import BrokenFileError, MissingFileError, StudyError
from bishan_gis.network.graph import STRUCTURES, Network
from bishan_gis.schema import nearest_name

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["BLOCKED", "EdgeCosts", "SpeedProfile", "edge_costs", "load_profile"]

#: Cost of a direction that may not be used.
BLOCKED = -1


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
        Multiplies the speed on steps.
    """

    name: str
    zh: str
    en: str
    mode: str
    speed_kmh: float
    steps_factor: float
    source: str

    @property
    def speed_ms(self) -> float:
        """Speed on the level [m/s]."""
        return self.speed_kmh / 3.6

    def leg_ms(self, length_m: ArrayLike) -> NDArray[np.int64]:
        """Return the cost of a leg off the network [ms]."""
        return np.rint(np.asarray(length_m, dtype=float) / self.speed_ms * 1000).astype(np.int64)


@dataclass(frozen=True, eq=False)
class EdgeCosts:
    """Cost of every edge from u to v and from v to u [ms]; :data:`BLOCKED` where not allowed."""

    forward_ms: NDArray[np.int64]
    backward_ms: NDArray[np.int64]
    profile: SpeedProfile


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
        No such profile, or a speed that is not positive.
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
    if name not in table:
        hint = nearest_name(name, table) or "、".join(table)
        raise StudyError(
            f"walk.profile: 没有速度类型 {name!r};可用: {hint}",
            f"walk.profile: no speed profile {name!r}; known: {hint}",
        )
    row = table[name]
    profile = SpeedProfile(
        name=name,
        zh=str(row["zh"]),
        en=str(row["en"]),
        mode=str(row["mode"]),
        speed_kmh=float(row["speed_kmh"]),
        steps_factor=float(row["steps_factor"]),
        source=str(row["source"]),
    )
    if profile.speed_kmh <= 0 or profile.steps_factor <= 0:
        raise StudyError(f"{where}: {name} 的速度必须为正", f"{where}: speeds of {name} must be positive")
    return profile


def edge_costs(network: Network, profile: SpeedProfile) -> EdgeCosts:
    """Price every edge in both directions.

    A cost is ``length / speed`` rounded to the millisecond and at least 1 ms, so that sums are exact
    integers and no path is free.

    Parameters
    ----------
    network : Network
        Streets.
    profile : SpeedProfile
        Who walks.

    Returns
    -------
    EdgeCosts
        One cost per edge and direction [ms].
    """
    speed = np.full(network.n_edges, profile.speed_ms)
    speed[network.edge_structure == STRUCTURES.index("steps")] *= profile.steps_factor
    cost = np.maximum(np.rint(network.edge_length_m / speed * 1000).astype(np.int64), 1)
    return EdgeCosts(
        forward_ms=np.where(network.edge_forward, cost, BLOCKED),
        backward_ms=np.where(network.edge_backward, cost, BLOCKED),
        profile=profile,
    )
