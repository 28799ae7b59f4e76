"""Gaps by place: how many people of a village or part of a township lack something, what, and what to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.planning.gap_reasons import REASONS
from bishan_gis.planning.gap_words import HELP, parts_of_towns, plain_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.planning.gap_cells import CellGaps

__all__ = ["cell_places", "place_rows", "place_sentence", "place_sums"]
#: So near to where the people of a township live on average is its centre [m] [P].
_CENTRE_M = 500.0
#: In the score nobody counts as more than so many minutes beyond a threshold, and people without any path as so many,
#: as in the rank of areas [min] [P]: a mall six hours' walk away is no worse than one that nobody can walk to.
_MOST_MIN = 60
#: So many services are named in a sentence.
_NAMED = 5


def cell_places(
    cells: pd.DataFrame,
    every: pd.DataFrame,
    *,
    zone_names: Mapping[str, str],
    village_names: Mapping[str, str] | None = None,
) -> tuple[NDArray[np.int32], list[dict[str, str]]]:
    """Say which place each cell belongs to: its village where they are known, else its part of the township.

    Parameters
    ----------
    cells : pandas.DataFrame
        ``zone_id`` (township)``, x, y`` [m], and ``village`` where `village_names` are given.
    every : pandas.DataFrame
        ``zone_id, people, x, y`` [m]: all cells, for where the people of each township live on average.
    zone_names : mapping
        Township id -> its name.
    village_names : mapping, optional
        Village id -> its name.

    Returns
    -------
    place : ndarray of int32
        Position of each cell's place in the list.
    places : list of dict
        ``place_id, place_zh, place_en, zone_id, zone_name``, by id.

    Examples
    --------
    >>> cells = pd.DataFrame({"zone_id": "t", "people": [90, 10], "x": [0.0, 4000.0], "y": 0.0})
    >>> place, places = cell_places(cells, cells, zone_names={"t": "青杠街道"})
    >>> [places[i]["place_zh"] for i in place]
    ['青杠街道中心', '青杠街道东部']
    """
    zone = cells["zone_id"].astype(str).to_numpy(dtype=object)
    names = {str(z): plain_name(name) for z, name in zone_names.items()}
    if village_names is None:
        part, words = parts_of_towns(cells, every, near_m=_CENTRE_M)
        key = [f"{z}/{p}" for z, p in zip(zone, part, strict=True)]
        own = [words[p] for p in part]
    else:
        village = cells["village"].astype(str).to_numpy(dtype=object)
        key = [f"{z}/{v}" for z, v in zip(zone, village, strict=True)]
        own = [(plain_name(village_names[v]),) * 2 for v in village]
    ids, first, place = np.unique(np.array(key, dtype=str), return_index=True, return_inverse=True)
    places = []
    for ident, i in zip(ids.tolist(), first.tolist(), strict=True):
        town = names.get(zone[i], zone[i])
        one = {"place_id": ident, "place_zh": town + own[i][0], "place_en": f"{town}, {own[i][1]}"}
        places.append({**one, "zone_id": zone[i], "zone_name": town})
    return place.ravel().astype(np.int32), places


def place_sums(
    gaps: CellGaps, reasons: NDArray[np.uint8], people: NDArray[np.int64], place: NDArray[np.int32], n: int
) -> dict[str, NDArray[np.int64]]:
    """Add up who lacks each service in each place; no service depends on another.

    Parameters
    ----------
    gaps : CellGaps
        From :func:`bishan_gis.planning.gap_cells.cell_gaps`.
    reasons : ndarray of uint8, services x cells
        From :func:`bishan_gis.planning.gap_reasons.gap_reasons`.
    people : ndarray of int
        People of each cell.
    place : ndarray of int
        From :func:`cell_places`.
    n : int
        How many places there are.

    Returns
    -------
    dict
        ``people, severity_ms, counted_ms`` (services x places) and ``reason`` (services x places x `REASONS`): people
        who lack it; person-milliseconds beyond the threshold; the same with at most an hour each, and an hour where
        there is no path; people by reason. Whole numbers, so that places add up to any zone of theirs exactly.
    """
    k, width = len(gaps.services), len(REASONS)
    out = {name: np.zeros((k, n), dtype=np.int64) for name in ("people", "severity_ms", "counted_ms")}
    out["reason"] = np.zeros((k, n, width), dtype=np.int64)
    for i in range(k):
        here = np.flatnonzero(gaps.deficient[i])
        at, heads = place[here], people[here]
        np.add.at(out["people"][i], at, heads)
        beyond = gaps.depth_ms[i, here].astype(np.int64)
        counted = np.where(gaps.no_path[i, here], _MOST_MIN * 60_000, np.minimum(beyond, _MOST_MIN * 60_000))
        np.add.at(out["severity_ms"][i], at, heads * beyond)
        np.add.at(out["counted_ms"][i], at, heads * counted)
        np.add.at(out["reason"][i], (at, reasons[i, here].astype(np.int64)), heads)
    return out


def place_rows(
    places: Sequence[Mapping[str, str]],
    place: NDArray[np.int32],
    people: NDArray[np.int64],
    deficient: NDArray[np.bool_],
    sums: Mapping[str, NDArray[np.int64]],
    targets: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return the places where somebody lacks something, those with most to gain first.

    Parameters
    ----------
    places, place
        From :func:`cell_places`.
    people : ndarray of int
        People of each cell.
    deficient : ndarray of bool, services x cells
        Who certainly lacks what.
    sums : mapping
        From :func:`place_sums`.
    targets : sequence of mapping
        ``service, name_zh, name_en, weight`` of each service, in the order of `deficient`.

    Returns
    -------
    list of dict
        ``rank`` (by score; of equals more people, then the id)``, place_id, place_zh, place_en, zone_id, zone_name``;
        ``people``; ``people_lacking`` (at least one service; each person once)``; severity_person_min`` (over all
        services); ``score`` (weighted, 60 minutes each at most, and without a path); ``n_missing``; ``missing``: of
        each service that somebody lacks ``service, people, severity_person_min, reason`` (of most), most people first;
        ``help_service, help_people, help_zh, help_en``: the service with most of the score, how many lack it, and what
        its most frequent reason calls for; ``text_zh, text_en``: one sentence; ``cells``: positions of all cells
        there.
    """
    n = len(places)
    total = np.bincount(place, weights=people, minlength=n).astype(np.int64).tolist()
    lacking = np.bincount(place, weights=people * deficient.any(axis=0), minlength=n).astype(np.int64)
    weight = np.array([float(t["weight"]) for t in targets])
    minutes = sums["severity_ms"] / 60_000
    score = weight[:, None] * (sums["counted_ms"] / 60_000)
    every = score.sum(axis=0)
    order = np.lexsort((np.arange(n), -lacking, -every)).tolist()
    by_place = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[by_place], np.arange(n + 1)).tolist()
    names = {str(t["service"]): t for t in targets}
    services = list(names)
    # By place, as plain numbers.
    heads, depth, points = (one.T.tolist() for one in (sums["people"], minutes, score))
    why = sums["reason"].argmax(axis=2).T.tolist()
    rows: list[dict[str, Any]] = []
    for j in order:
        short = [i for i, one in enumerate(heads[j]) if one]
        if not short:
            continue
        short.sort(key=lambda i: (-heads[j][i], services[i]))
        best = max(short, key=lambda i: (points[j][i], heads[j][i], -i))
        missing = [
            {
                "service": services[i],
                "people": heads[j][i],
                "severity_person_min": round(depth[j][i], 3),
                "reason": REASONS[why[j][i]],
            }
            for i in short
        ]
        cure = HELP[REASONS[why[j][best]]]
        row: dict[str, Any] = {
            "rank": len(rows) + 1,
            **places[j],
            "people": total[j],
            "people_lacking": int(lacking[j]),
            "severity_person_min": round(float(minutes[:, j].sum()), 3),
            "score": round(float(every[j]), 3),
            "n_missing": len(short),
            "missing": missing,
            "help_service": services[best],
            "help_people": heads[j][best],
            "help_zh": cure[0],
            "help_en": cure[1],
        }
        row |= {f"text_{lang}": place_sentence(row, names, lang) for lang in ("zh", "en")}
        row["cells"] = by_place[starts[j] : starts[j + 1]].tolist()
        rows.append(row)
    return rows


def place_sentence(row: Mapping[str, Any], names: Mapping[str, Mapping[str, Any]], lang: str = "zh") -> str:
    """Say in one sentence how many people of a place lack something, what, and what to begin with.

    Parameters
    ----------
    row : mapping
        From :func:`place_rows`.
    names : mapping
        Service -> ``name_zh, name_en``.
    lang : str
        ``zh`` or ``en``.

    Examples
    --------
    >>> row = {"place_zh": "青杠街道东部", "people": 1200, "people_lacking": 900, "n_missing": 1, "help_people": 900,
    ...     "missing": [{"service": "park", "people": 900}], "help_service": "park", "help_zh": "需就近新增设施"}
    >>> place_sentence(row, {"park": {"name_zh": "公园"}})
    '青杠街道东部: 1,200 人中 900 人至少缺一项: 公园 900 人; 先补公园: 需就近新增设施'
    """
    zh = lang == "zh"
    first = row["missing"][:_NAMED]
    name = {m["service"]: names[m["service"]][f"name_{lang}"] for m in row["missing"]}
    more = row["n_missing"] - len(first)
    best = name[row["help_service"]]
    if zh:
        said = ", ".join(f"{name[m['service']]} {m['people']:,} 人" for m in first)
        rest = f" 等 {row['n_missing']} 项" if more else ""
        head = f"{row['people']:,} 人中 {row['people_lacking']:,} 人至少缺一项"
        return f"{row['place_zh']}: {head}: {said}{rest}; 先补{best}: {row['help_zh']}"
    said = ", ".join(f"{name[m['service']]} ({m['people']:,})" for m in first)
    rest = f" and {more} more" if more else ""
    head = f"{row['people_lacking']:,} of {row['people']:,} people lack something"
    return f"{row['place_en']}: {head}: {said}{rest}; begin with {best}: {row['help_en']}"
