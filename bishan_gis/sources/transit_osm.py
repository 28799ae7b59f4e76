"""Lines of public transport as OSM has them: route relations, their stops in order, headway and duration by tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bishan_gis.errors import BrokenFileError

__all__ = ["OsmRoute", "load_routes", "tag_minutes"]

_MODES = ("subway", "light_rail", "monorail", "tram", "train", "bus", "trolleybus", "ferry")
_STOPS = ("stop", "stop_entry_only", "stop_exit_only")


@dataclass(frozen=True)
class OsmRoute:
    """A route relation.

    Attributes
    ----------
    id : int
        OSM id of the relation.
    mode, name : str
        Tag ``route``; ``name`` or ``ref``.
    stops : tuple of (int, str, float, float)
        OSM id, name, lon, lat of the stops in their order.
    headway_min, duration_min : float or None
        Tags ``interval`` and ``duration`` [min].
    first, last : str or None
        First and last departure by a plain ``opening_hours``.
    """

    id: int
    mode: str
    name: str
    stops: tuple[tuple[int, str, float, float], ...]
    headway_min: float | None
    duration_min: float | None
    first: str | None
    last: str | None


def tag_minutes(text: str | None) -> float | None:
    """Return what a tag ``interval`` or ``duration`` says in minutes: ``10``, ``00:10`` or ``00:10:00``.

    Examples
    --------
    >>> tag_minutes("01:30"), tag_minutes("12"), tag_minutes("often")
    (90.0, 12.0, None)
    """
    if text is None:
        return None
    if found := re.fullmatch(r"\s*(\d+):(\d{2})(?::(\d{2}))?\s*", text):
        hours, minutes, seconds = (int(v or 0) for v in found.groups())
        return hours * 60 + minutes + seconds / 60
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:min(?:utes)?)?\s*", text)
    return float(found[1]) if found else None


def load_routes(path: str | Path) -> tuple[list[OsmRoute], list[tuple[str, str]]]:
    """Read the routes of an OSM file.

    Parameters
    ----------
    path : str or pathlib.Path
        As :func:`bishan_gis.sources.osm.load_osm` takes it.

    Returns
    -------
    routes : list of OsmRoute
        Those with two stops or more, by id. Members with the role ``stop`` count; where a route has none, its platforms
        do, as far as they are nodes.
    notes : list of (str, str)
        What was left out.

    Raises
    ------
    BrokenFileError
        The file cannot be read.
    """
    import osmium

    file = str(path)
    relation: Any
    node: Any
    try:
        found = []
        for relation in osmium.FileProcessor(file, osmium.osm.RELATION):
            tags = dict(relation.tags)
            if tags.get("type") == "route" and tags.get("route") in _MODES:
                nodes = [(m.role, m.ref) for m in relation.members if m.type == "n"]
                refs = [ref for role, ref in nodes if role in _STOPS] or [ref for r, ref in nodes if "platform" in r]
                found.append((relation.id, tags, refs))
        wanted = {ref for _, _, refs in found for ref in refs}
        places: dict[int, tuple[int, str, float, float]] = {}
        if wanted:
            for node in osmium.FileProcessor(file, osmium.osm.NODE).with_filter(osmium.filter.IdFilter(wanted)):
                if node.location.valid():
                    name = node.tags.get("name", "")
                    places[node.id] = (node.id, name, node.location.lon, node.location.lat)
    except RuntimeError as err:
        reason = " ".join(str(err).split())[:160]
        raise BrokenFileError(f"{file}: 无法读取线路: {reason}", f"{file}: routes cannot be read: {reason}") from err
    routes = [_route(number, tags, [places[r] for r in refs if r in places]) for number, tags, refs in sorted(found)]
    whole = [r for r in routes if len(r.stops) > 1]
    notes = []
    if len(whole) < len(routes):
        n = len(routes) - len(whole)
        notes.append((f"公交: {n} 条线路不足两站, 未用", f"transit: {n} routes with fewer than two stops left out"))
    return whole, notes


def _route(number: int, tags: dict[str, str], stops: list[Any]) -> OsmRoute:
    hours = re.search(r"(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})", tags.get("opening_hours", ""))
    return OsmRoute(
        id=number,
        mode=tags["route"],
        name=tags.get("name") or tags.get("ref", ""),
        stops=tuple(stops),
        headway_min=tag_minutes(tags.get("interval")),
        duration_min=tag_minutes(tags.get("duration")),
        first=hours[1] if hours else None,
        last=hours[2] if hours else None,
    )
