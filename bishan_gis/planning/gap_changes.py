"""What changed between two runs: which gaps opened, closed, grew, shrank or moved, in places and in people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bishan_gis.errors import InputError
from bishan_gis.planning.gap_words import plain_name

__all__ = ["CHANGES", "compare_gaps"]

#: What can become of an area; ``moved``: it lost some cells and gained others.
CHANGES = ("opened", "grown", "moved", "shrunk", "closed")


def compare_gaps(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the records of two runs, cell by cell.

    Parameters
    ----------
    old, new : mapping
        Records as in ``gaps.json``, see :func:`bishan_gis.output.gap_files.gap_record`.

    Returns
    -------
    dict
        ``services``: for every service that both know: ``service, people_before, people_after, people_opened`` (lack
        it now and did not)``, people_closed`` (lacked it and do not any more)``, people_other`` (change of the number
        of people where it was and is lacking); ``after = before + opened - closed + other``. ``areas``: every area
        that changed: ``service, change`` (one of `CHANGES`)``, gap_ids`` (now)``, gap_ids_before, people_before,
        people_after, people_gained, people_lost, zone_id, cell_id`` (the cell with most people and its township)``,
        place_zh, place_en`` (what the place is called: as in ``places`` of the records, else the township); most people
        first.
        ``services_added, services_removed``: services that one of the two does not know: not compared. ``levels``:
        services whose threshold changed.

    Raises
    ------
    InputError
        The runs are of other studies, or other zones were selected.

    Notes
    -----
    Areas that share a cell before and after are one event; people of a cell before are those of `old`, people after
    those of `new`. A cell that one run does not have counts as having nobody there.

    Examples
    --------
    >>> cells = {"id": ["A", "B"], "people": [10, 20], "zone_id": ["t", "t"]}
    >>> base = {"study": "s", "selection": {"zones": []}, "cells": cells, "levels": {"school": 10}}
    >>> change = compare_gaps({**base, "deficient": {"school": [[0]]}}, {**base, "deficient": {"school": [[1]]}})
    >>> [(a["change"], a["people_before"], a["people_after"]) for a in change["areas"]]
    [('opened', 0, 20), ('closed', 10, 0)]
    """
    if old["study"] != new["study"] or old["selection"]["zones"] != new["selection"]["zones"]:
        zones = "、".join(old["selection"]["zones"])
        raise InputError(
            f"--since: 旧结果属于研究 {old['study']} (分区 {zones or '全部'}), 与本次不同;请用同一研究同一分区的结果",
            f"--since: the old run is of study {old['study']}, zones {zones or 'all'}; use one of the same study and "
            "zones",
        )
    place_before, place_after = _place(old), _place(new)
    both = [s for s in new["deficient"] if s in old["deficient"]]
    before, after = _people(old), _people(new)
    towns = {**_towns(old), **_towns(new)}
    names = {**_names(old), **_names(new)}
    services, areas = [], []
    for service in both:
        was = [frozenset(_ids(old, group)) for group in old["deficient"][service]]
        now = [frozenset(_ids(new, group)) for group in new["deficient"][service]]
        lost_before, lacks_now = frozenset().union(*was), frozenset().union(*now)
        opened, closed = lacks_now - lost_before, lost_before - lacks_now
        stayed = lacks_now & lost_before
        services.append(
            {
                "service": service,
                "people_before": _sum(lost_before, before),
                "people_after": _sum(lacks_now, after),
                "people_opened": _sum(opened, after),
                "people_closed": _sum(closed, before),
                "people_other": _sum(stayed, after) - _sum(stayed, before),
            }
        )
        for olds, news in _events(was, now):
            a, b = frozenset().union(*olds), frozenset().union(*news)
            if a == b:
                continue
            kind = _kind(a, b)
            top = _top(b, after, place_after) if b else _top(a, before, place_before)
            areas.append(
                {
                    "service": service,
                    "change": kind,
                    "gap_ids": sorted(f"{service}/{_top(g, after, place_after)}" for g in news),
                    "gap_ids_before": sorted(f"{service}/{_top(g, before, place_before)}" for g in olds),
                    "people_before": _sum(a, before),
                    "people_after": _sum(b, after),
                    "people_gained": _sum(b - a, after),
                    "people_lost": _sum(a - b, before),
                    "zone_id": towns.get(top, ""),
                    "cell_id": top,
                    **dict(zip(("place_zh", "place_en"), names[top], strict=True)),
                }
            )
    areas.sort(key=lambda r: (-(r["people_gained"] + r["people_lost"]), r["service"], r["zone_id"], r["cell_id"]))
    levels = [
        {"service": s, "level_min_before": old["levels"][s], "level_min_after": new["levels"][s]}
        for s in both
        if old["levels"].get(s) != new["levels"].get(s)
    ]
    return {
        "services": services,
        "areas": areas,
        "services_added": sorted(set(new["deficient"]) - set(old["deficient"])),
        "services_removed": sorted(set(old["deficient"]) - set(new["deficient"])),
        "levels": levels,
    }


def _people(record: Mapping[str, Any]) -> dict[str, int]:
    return dict(zip(record["cells"]["id"], record["cells"]["people"], strict=True))


def _towns(record: Mapping[str, Any]) -> dict[str, str]:
    return dict(zip(record["cells"]["id"], record["cells"]["zone_id"], strict=True))


def _names(record: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return what the place of each cell is called."""
    people = record.get("people", {"columns": [], "rows": []})
    columns: list[str] = people["columns"]
    called: dict[str, str] = {}
    if {"zone_kind", "zone_id", "zone_name"} <= set(columns):
        kind, ident, name = (columns.index(c) for c in ("zone_kind", "zone_id", "zone_name"))
        called = {row[ident]: plain_name(row[name]) for row in people["rows"] if row[kind] == "township"}
    out = {cell: (called.get(zone, zone),) * 2 for cell, zone in _towns(record).items()}
    ids = record["cells"]["id"]
    for place in record.get("places", ()):
        out |= dict.fromkeys([ids[i] for i in place["cells"]], (place["place_zh"], place["place_en"]))
    return out


def _ids(record: Mapping[str, Any], group: list[int]) -> list[str]:
    ids = record["cells"]["id"]
    return [ids[i] for i in group]


def _sum(cells: frozenset[str], people: Mapping[str, int]) -> int:
    return sum(people.get(c, 0) for c in cells)


def _place(record: Mapping[str, Any]) -> dict[str, int]:
    return {c: i for i, c in enumerate(record["cells"]["id"])}


def _top(cells: frozenset[str], people: Mapping[str, int], place: Mapping[str, int]) -> str:
    """Return the cell with most people, as in the id of an area; of equals the first."""
    return min(cells, key=lambda c: (-people[c], place[c]))


def _kind(before: frozenset[str], after: frozenset[str]) -> str:
    if not before:
        return "opened"
    if not after:
        return "closed"
    if before < after:
        return "grown"
    return "shrunk" if after < before else "moved"


def _events(
    was: list[frozenset[str]], now: list[frozenset[str]]
) -> list[tuple[list[frozenset[str]], list[frozenset[str]]]]:
    """Join areas before and after that share cells into one event each."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n = len(was) + len(now)
    if not n:
        return []
    place = {cell: i for i, group in enumerate(was) for cell in group}
    pairs = {(place[cell], len(was) + j) for j, group in enumerate(now) for cell in group if cell in place}
    ends = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    graph = csr_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(n, n))
    count, label = connected_components(graph, directed=False)
    out: list[tuple[list[frozenset[str]], list[frozenset[str]]]] = [([], []) for _ in range(count)]
    for i, group in enumerate([*was, *now]):
        out[label[i]][int(i >= len(was))].append(group)
    return out
