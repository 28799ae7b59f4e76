"""How fast cars go on each street: posted limits where the map has them, else the class of the road.

The figures are data (``data/drive_speeds.toml``) with their sources.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SPEED_BASES", "DriveSpeeds", "EdgeSpeeds", "edge_speeds", "load_speeds", "posted_speed", "speed_counts"]

#: What a speed rests on; the position is the code in :attr:`EdgeSpeeds.basis`. Implicit: ``CN:urban`` and the like.
SPEED_BASES = ("speed_posted", "speed_implicit", "speed_class", "speed_unreadable")
_POSTED, _IMPLICIT, _CLASS, _UNREADABLE = range(len(SPEED_BASES))

#: Speed limits in the order they are believed.
_LIMITS = ("maxspeed:motorcar", "maxspeed")
#: Where mappers say that a limit follows from the place alone.
_ZONES = ("maxspeed:type", "source:maxspeed", "zone:maxspeed")
_KMH = {"": 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "km": 1.0, "mph": 1.609344, "knots": 1.852}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z/]*)")
_ZONE = re.compile(r"[a-z]{2}(?:-[a-z]+)?:(?:zone)?:?([a-z_]+|\d+)")


@dataclass(frozen=True)
class DriveSpeeds:
    """The figures of ``drive_speeds.toml``.

    Attributes
    ----------
    mean_factor : float
        From the limit to the mean speed between junctions.
    max_kmh, min_kmh : float
        Posted limits outside these are not believed [km/h].
    walk_kmh : float
        What ``maxspeed=walk`` means [km/h].
    class_kmh : dict
        ``highway`` value -> limit where none is posted [km/h]; ``other`` for the rest.
    implicit_kmh : dict
        Zone (``urban`` in ``CN:urban``) -> limit [km/h].
    surface_kmh, tracktype_kmh, smoothness_kmh : dict
        Value of the tag -> no faster than this [km/h].
    mean_source : str
        What the factor rests on.
    """

    mean_factor: float
    max_kmh: float
    min_kmh: float
    walk_kmh: float
    class_kmh: dict[str, float]
    implicit_kmh: dict[str, float]
    surface_kmh: dict[str, float] = field(default_factory=dict)
    tracktype_kmh: dict[str, float] = field(default_factory=dict)
    smoothness_kmh: dict[str, float] = field(default_factory=dict)
    mean_source: str = ""


@dataclass(frozen=True, eq=False)
class EdgeSpeeds:
    """Speed of cars on a list of ways.

    Attributes
    ----------
    speed_kmh : ndarray of float64, shape (n,)
        Mean speed between junctions [km/h].
    basis : ndarray of uint8, shape (n,)
        Position in :data:`SPEED_BASES`; unreadable: by class, because the posted limit makes no sense.
    """

    speed_kmh: NDArray[np.float64]
    basis: NDArray[np.uint8]


@cache
def load_speeds() -> DriveSpeeds:
    """Read the speeds of the package.

    Examples
    --------
    >>> load_speeds().class_kmh["residential"]
    30
    """
    text = files("bishan_gis").joinpath("data/drive_speeds.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    table.pop("mode")
    return DriveSpeeds(**table)


def posted_speed(value: str, speeds: DriveSpeeds | None = None) -> float | None:
    """Return the limit that a ``maxspeed`` value posts.

    Parameters
    ----------
    value : str
        ``60``, ``60 km/h``, ``30 mph``, ``walk``, ``CN:urban``, ``DE:zone:30``; of a list the lowest counts.
    speeds : DriveSpeeds, optional
        The figures; those of the package where left out.

    Returns
    -------
    float or None
        Limit [km/h]; None for what posts no number (``none``, ``variable``, ``signals``) or cannot be read.

    Examples
    --------
    >>> [posted_speed(v) for v in ("60", "60 km/h", "80;60", "CN:urban", "none")]
    [60.0, 60.0, 60.0, 50.0, None]
    >>> round(posted_speed("30 mph"), 2)
    48.28
    """
    speeds = load_speeds() if speeds is None else speeds
    found = [_one_limit(part.strip().lower(), speeds)[0] for part in re.split(r"[;|]", value)]
    known = [limit for limit in found if limit is not None]
    return min(known) if known else None


def edge_speeds(tags: Iterable[Mapping[str, str]], *, speeds: DriveSpeeds | None = None) -> EdgeSpeeds:
    """Return the mean speed of cars on each way.

    Parameters
    ----------
    tags : iterable of mapping
        OSM tags of the ways.
    speeds : DriveSpeeds, optional
        The figures; those of the package where left out.

    Returns
    -------
    EdgeSpeeds
        In the order of `tags`.

    Notes
    -----
    min(limit x mean_factor, cap of the surface, of the track type, of the smoothness). The limit is the posted one
    (``maxspeed:motorcar``, ``maxspeed``; where the two directions differ, the lower for both), else that of the zone
    (``maxspeed:type=CN:urban``), else that of the class. A posted limit is not lowered to the class. Waits at
    signals are no part of it.

    Examples
    --------
    >>> town = [{"highway": "primary", "maxspeed": "50"}, {"highway": "residential"}]
    >>> edge_speeds(town).speed_kmh.tolist()
    [40.0, 24.0]
    """
    speeds = load_speeds() if speeds is None else speeds
    known: dict[tuple[str | None, ...], tuple[float, int]] = {}
    kmh: list[float] = []
    basis: list[int] = []
    for one in tags:
        combination = tuple(map(one.get, _KEYS))
        if combination not in known:
            known[combination] = _one_speed(one, speeds)
        kmh.append(known[combination][0])
        basis.append(known[combination][1])
    return EdgeSpeeds(np.array(kmh, dtype=np.float64), np.array(basis, dtype=np.uint8))


def speed_counts(
    basis: NDArray[np.uint8], way: NDArray[np.int64], length_m: NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    """Return how many ways and kilometres rest on each basis.

    Parameters
    ----------
    basis : ndarray of uint8, shape (m,)
        Of each edge, position in :data:`SPEED_BASES`.
    way : ndarray of int64, shape (m,)
        OSM way of each edge.
    length_m : ndarray of float64, shape (m,)
        Length of each edge [m].

    Returns
    -------
    dict
        Basis -> ``ways`` and ``length_km``; without those that do not occur.

    Examples
    --------
    >>> speed_counts(np.array([0, 0, 2]), np.array([7, 7, 8]), np.array([100.0, 100.0, 300.0]))
    {'speed_posted': {'ways': 1, 'length_km': 0.2}, 'speed_class': {'ways': 1, 'length_km': 0.3}}
    """
    return {
        name: {"ways": len(np.unique(way[rows])), "length_km": round(float(length_m[rows].sum()) / 1000, 3)}
        for code, name in enumerate(SPEED_BASES)
        if (rows := basis == code).any()
    }


_CAPS = ("surface", "tracktype", "smoothness")
_KEYS = ("highway", *_CAPS, *_ZONES, *(f"{key}{side}" for key in _LIMITS for side in ("", ":forward", ":backward")))


def _one_speed(tags: Mapping[str, str], speeds: DriveSpeeds) -> tuple[float, int]:
    limit, basis = _limit(tags, speeds)
    if limit is None:
        by_class = speeds.class_kmh
        limit = by_class.get(tags.get("highway", ""), by_class["other"])
    caps = [limit * speeds.mean_factor]
    for key in _CAPS:
        table: dict[str, float] = getattr(speeds, f"{key}_kmh")
        caps += [table[v] for part in tags.get(key, "").split(";") if (v := part.strip()) in table]
    return float(min(caps)), basis


def _limit(tags: Mapping[str, str], speeds: DriveSpeeds) -> tuple[float | None, int]:
    """Return the limit of a way, or None where only its class says something, and what it rests on."""
    unreadable = False
    for key in _LIMITS:
        general = tags.get(key)
        values = [tags.get(f"{key}:{side}", general) for side in ("forward", "backward")]
        parts = [p.strip().lower() for v in values if v is not None for p in re.split(r"[;|]", v)]
        found = [_one_limit(part, speeds) for part in parts]
        known = [(limit, basis) for limit, basis in found if limit is not None]
        if known:
            return min(known)
        unreadable |= any(basis == _UNREADABLE for _, basis in found)
    for key in _ZONES:
        limit, basis = _one_limit(tags.get(key, "").strip().lower(), speeds)
        if limit is not None and basis == _IMPLICIT:
            return limit, basis
    return None, _UNREADABLE if unreadable else _CLASS


def _one_limit(value: str, speeds: DriveSpeeds) -> tuple[float | None, int]:
    """Return the limit that one value stands for, and what it rests on."""
    if value in ("none", "signals", "variable", "implicit", "sign", ""):
        return None, _CLASS
    if value == "walk":
        return speeds.walk_kmh, _POSTED
    if zone := _ZONE.fullmatch(value):
        place = zone[1]
        limit = float(place) if place.isdigit() else speeds.implicit_kmh.get(place)
        return (None, _UNREADABLE) if limit is None else (float(limit), _IMPLICIT)
    number = _NUMBER.fullmatch(value)
    if number is None or number[2] not in _KMH:
        return None, _UNREADABLE
    limit = float(number[1]) * _KMH[number[2]]
    return (limit, _POSTED) if speeds.min_kmh <= limit <= speeds.max_kmh else (None, _UNREADABLE)
