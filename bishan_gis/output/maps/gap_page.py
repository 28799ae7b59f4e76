"""The page of gaps: a ranked list that can be read out, and where each area is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.output.gap_sentences import read_gap
from bishan_gis.output.maps.elements import PackedData
from bishan_gis.output.maps.findings import (
    SCRIPTS,
    STYLES,
    cell_places,
    finding_layers,
    gaps_of,
    judged_services,
    number,
    words,
)
from bishan_gis.output.maps.page import map_page
from bishan_gis.planning.gap_areas import also_missing
from bishan_gis.planning.gap_reasons import REASONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context
    from bishan_gis.output.maps.pack import Column
    from bishan_gis.planning.gap_areas import GapAreas
    from bishan_gis.planning.gaps import Gaps

__all__ = ["chosen_areas", "gaps_page"]

#: How many areas are told in words: in all, per service, per township, and per service in a township.
_MOST, _OF_SERVICE, _OF_TOWN, _OF_BOTH = 300, 20, 20, 3
_LISTS = ("gaps", "unknown", "short")
#: People from which an area is counted by itself in the headline.
_BIG = 100


def chosen_areas(table: pd.DataFrame) -> NDArray[np.int64]:
    """Return the positions of the areas that the page tells: the first of all, of each service, township and both.

    Parameters
    ----------
    table : pandas.DataFrame
        ``service, zone_id``, by rank.

    Returns
    -------
    ndarray of int
        Rising, so that the order of rank stays.

    Examples
    --------
    >>> chosen_areas(pd.DataFrame({"service": ["school"] * 4, "zone_id": ["a", "b", "a", "b"]})).tolist()
    [0, 1, 2, 3]
    """
    keep = np.arange(len(table)) < _MOST
    for by, most in (("service", _OF_SERVICE), ("zone_id", _OF_TOWN), (["service", "zone_id"], _OF_BOTH)):
        keep |= (table.groupby(by).cumcount() < most).to_numpy()
    return np.flatnonzero(keep)


def _places(context: Context, table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the service and the township of each area, as the scripts count them."""
    service = context.services.index.get_indexer(pd.Index(table["service"]))
    return np.asarray(service, dtype=np.int64), context.zone_of("township", table["zone_id"])


def _sentence(context: Context, row: dict[Any, Any]) -> str:
    """Return what is said of an area, without its place, which stands above."""
    nowhere = {"place_zh": "", "place_en": ""}
    said = read_gap({str(k): v for k, v in row.items()} | nowhere, context.labels.lang)
    return context.sentence(said.removeprefix(": "))


def _told(context: Context, gaps: Gaps, part: GapAreas, of: int) -> list[dict[str, Any]]:
    """Return the areas that are told, with their cells."""
    rows = chosen_areas(part.table)
    table = part.table.iloc[rows]
    service, zone = _places(context, table)
    more = also_missing(part, gaps.state, gaps.cells, rows=rows.tolist())
    index = {key: i for i, key in enumerate(context.services.index)}
    members = part.cells_of()
    place = cell_places(context, gaps.cells["cell_id"])
    out = []
    for i, (at, row) in enumerate(zip(rows.tolist(), table.to_dict("records"), strict=True)):
        out.append(
            {
                "list": of,
                "rank": int(row["rank"]),
                "s": int(service[i]),
                "zone": int(zone[i]),
                "people": int(row["people"]),
                "noPath": int(row["people_no_path"]),
                "firm": int(row["people_firm"]),
                "fragile": bool(row["fragile"]) and of == 0,
                "reason": REASONS.index(row["reason"]),
                "near": number(row["nearest_min"], 3),
                "straight": number(row["straight_m"], 0),
                "detour": number(row["detour_ratio"], 2),
                "barrier": str(row["barrier_name"] or ""),
                "facility": str(row["facility_name"] or ""),
                "place": words(row, context, "place"),
                "text": _sentence(context, row),
                "also": [index[s] for s in more[i] if s in index],
                "cells": np.sort(place[members[at]]),
            }
        )
    return out


def _sums(context: Context, gaps: Gaps) -> NDArray[np.int64]:
    """Return all areas by list, service, township, reason and fragility: people, areas, areas of many people."""
    parts = []
    for of, part in enumerate((gaps.areas, gaps.unknown, gaps.short)):
        table = part.table
        service, zone = _places(context, table)
        code = pd.Index(REASONS).get_indexer(pd.Index(table["reason"]))
        frail = table["fragile"].astype(bool).to_numpy() & (of == 0)
        frame = {"of": of, "s": service, "zone": zone, "reason": code, "fragile": frail.astype(int)}
        people = table["people"].to_numpy(np.int64)
        parts.append(pd.DataFrame({**frame, "people": people, "n": 1, "big": (people >= _BIG).astype(int)}))
    whole = pd.concat(parts, ignore_index=True)
    return whole.groupby(["of", "s", "zone", "reason", "fragile"], as_index=False).sum().to_numpy(np.int64)


def gaps_page(context: Context) -> str:
    """Return the page of gaps.

    Raises
    ------
    ValueError
        The results carry no gaps.
    """
    gaps = gaps_of(context)
    if gaps is None:
        msg = "the results carry no gaps"
        raise ValueError(msg)
    layers, base = finding_layers(context)
    told = [a for of, part in enumerate((gaps.areas, gaps.unknown, gaps.short)) for a in _told(context, gaps, part, of)]
    cells = [a.pop("cells") for a in told]
    sums = _sums(context, gaps)
    columns: dict[str, Column] = {
        "areas": ("js", told),
        "n": ("vi", [len(c) for c in cells]),
        "cells": ("dv", np.concatenate(cells) if cells else []),
        "sums": ("vi", sums.T.ravel()),
    }
    layers["areas"] = PackedData(columns)
    config = {
        "state": {"list": "gaps", "service": "", "reason": "", "age": context.ages[0], "area": ""},
        "services": judged_services(context),
        "lists": list(_LISTS),
        "big": _BIG,
        "reasons": list(REASONS),
        "totals": {
            "people": int(gaps.cells["people"].sum()),
            "lacking": gaps.people_lacking,
            "areas": [len(gaps.areas.table), len(gaps.unknown.table), len(gaps.short.table)],
            "fragile": int(gaps.areas.table["fragile"].sum()),
        },
        "absent": [
            {"name": words(r, context, "name"), "clause": context.cite(f"{r['standard']} {r['clause']}")}
            for r in gaps.absent.to_dict("records")
        ],
    }
    switches = [("cells", True, ("cells", "outline")), ("facilities", True, ("facilities",)), *base]
    return map_page(context, "gaps", layers, switches=switches, config=config, scripts=SCRIPTS, styles=STYLES)
