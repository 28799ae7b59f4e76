"""Pieces of the files of gaps: rows without what depends on other services, so that they can be put together later."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bishan_gis.output.gap_files import COLUMNS, DECIMALS, column_rows, compact_json, plain_row, service_records
from bishan_gis.output.tables import no_formula
from bishan_gis.planning.gap_describe import area_scores
from bishan_gis.planning.gap_words import gap_sentence

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

    from bishan_gis.planning.gap_areas import GapAreas
    from bishan_gis.planning.gap_judge import Judged
    from bishan_gis.planning.gaps import Gaps

__all__ = [
    "BREAKS",
    "LISTED",
    "STEP",
    "csv_rows",
    "cut",
    "list_pieces",
    "listed_pieces",
    "listed_rows",
    "service_pieces",
]

#: Columns that depend on other services; the rest of a row lies before, between and after them.
BREAKS = ("rank", "place_zh", "place_en", "n_also_missing")
_SPANS = [
    list(COLUMNS[COLUMNS.index(a) + 1 : COLUMNS.index(b)])
    for a, b in (("rank", "place_zh"), ("place_en", "n_also_missing"))
]
_SPANS.append(list(COLUMNS[COLUMNS.index("n_also_missing") + 1 :]))
#: How many areas of each list the record and the map layer describe.
LISTED = 1000
#: Outlines are made for some more than are shown, so that a shift of ranks seldom asks for new ones.
STEP = 16
#: What a row of the table has around each span.
_AROUND = (b"%b,", b",%b,", b",%b\n")
#: Spans, the sentence in two languages, members, id, outline.
_N_PIECES = len(_SPANS) + 5


def cut(data: bytes, ends: NDArray[np.int64]) -> list[bytes]:
    """Return the rows of a piece.

    Parameters
    ----------
    data : bytes
        All rows, one after the other.
    ends : ndarray of int
        Where each of them ends.
    """
    return [data[a:b] for a, b in pairwise([0, *ends.tolist()])]


def _joined(rows: list[bytes]) -> tuple[bytes, NDArray[np.int64]]:
    return b"".join(rows), np.cumsum([len(r) for r in rows], dtype=np.int64)


def service_pieces(judged: Judged) -> dict[str, Any]:
    """Return the share of one service in what is said of all services.

    Parameters
    ----------
    judged : Judged
        Of one service.

    Returns
    -------
    dict
        ``service`` (its entry)``, people`` (rows of each kind of zone and age group)``, people_columns, unknown_cells``
        (all JSON)``, towns`` (rows for the hierarchy).
    """
    people = judged.people
    whole = cast(
        "Gaps",
        SimpleNamespace(
            people=people,
            areas=SimpleNamespace(table=judged.areas[0].table),
            targets=judged.targets,
            capacity=judged.capacity,
            sensitivity=judged.sensitivity,
        ),
    )
    rows: dict[str, list[Any]] = {}
    whose = [people[c].to_numpy(dtype=object) for c in ("zone_kind", "age_group")]
    for kind, group, row in zip(*whose, column_rows(people)["rows"], strict=True):
        rows.setdefault(f"{kind} {group}", []).append(row)
    towns = people[(people["zone_kind"] == "township") & (people["age_group"] == "all")]
    columns = ["zone_id", "zone_name", "service", "level_min", "people", "people_covered", "people_unknown"]
    return {
        "service": compact_json(service_records(whole)[0]),
        "people": {key: compact_json(some)[1:-1] for key, some in rows.items()},
        "people_columns": [str(c) for c in people.columns],
        "towns": {c: towns[c].tolist() for c in columns},
        "unknown_cells": compact_json(np.flatnonzero(judged.state.unknown[0]).tolist()).encode("ascii"),
    }


def list_pieces(
    areas: GapAreas, table: pd.DataFrame, targets: pd.DataFrame, most: NDArray[np.bool_], people: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the share of one service in a list of areas, by rank within the service.

    Parameters
    ----------
    areas : GapAreas
        Of one service.
    table : pandas.DataFrame
        From :func:`bishan_gis.planning.gap_describe.add_ways`.
    targets : pandas.DataFrame
        ``service, weight``.
    most : ndarray of bool
        Which areas hold most of their township.
    people : ndarray of int
        People of each cell.

    Returns
    -------
    dict
        ``score, people, severity, most, cell`` (with most people)``, start, member`` (cells)``; table`` (columns of the
        record, of as many as can be listed)``; csv 0, csv 1, csv 2`` (with the commas around them) and their ``ends``;
        ``cells`` (JSON of the members).
    """
    score = area_scores(table, weight=targets.set_index("service")["weight"])
    ids = table["gap_id"].to_numpy(dtype=str)
    order = np.lexsort((ids, -table["people"].to_numpy(), -score))
    by = areas.ordered(order)
    table = table.iloc[order].reset_index(drop=True).assign(score=score[order])
    top = np.zeros(len(table), dtype=np.int64)
    heaviest = np.lexsort((by.cell, -people[by.cell], by.area))
    first = np.searchsorted(by.area, np.arange(len(table)))
    top[:] = by.cell[heaviest][first] if len(table) else 0
    rounded = table.round(DECIMALS)
    out: dict[str, Any] = {
        "score": score[order],
        "people": table["people"].to_numpy(np.int64),
        "severity": table["severity_person_min"].to_numpy(np.float64),
        "most": most[order],
        "cell": top.astype(np.int32),
        "start": first.astype(np.int32),
        "member": by.cell.astype(np.int32),
        "table": rounded[[c for span in _SPANS for c in span]].head(LISTED + STEP),
        "cells": compact_json(by.cells_of()).encode("ascii"),
    }
    values = {c: _values(rounded[c]) for span in _SPANS for c in span}
    for i, span in enumerate(_SPANS):
        data, ends = _joined([_AROUND[i] % row for row in csv_rows(values[c] for c in span)])
        out |= {f"csv {i}": data, f"ends {i}": ends}
    return out


def csv_rows(columns: Iterable[Sequence[Any]]) -> list[bytes]:
    """Return the rows as a CSV has them, without their ends.

    Parameters
    ----------
    columns : iterable of sequence
        The values of each column.

    Examples
    --------
    >>> csv_rows([["a, b", "c"], [1, 2.5]])
    [b'"a, b",1', b'c,2.5']
    """
    out: list[str] = []
    # Each row is one call.
    csv.writer(cast("Any", SimpleNamespace(write=out.append)), lineterminator="").writerows(zip(*columns, strict=True))
    return [row.encode("utf-8") for row in out]


def _values(column: pd.Series) -> list[Any]:
    """Return the values of a column as a CSV has them."""
    values = column.tolist()
    if column.dtype == np.float64:
        return ["" if v != v else v for v in values]
    if column.dtype == object or str(column.dtype) == "str":
        return ["" if v is None or v != v else no_formula(v) for v in values]
    return values


def listed_pieces(part: Mapping[str, Any], shown: Mapping[str, int], cells: gpd.GeoDataFrame) -> dict[str, Any]:
    """Return what the record and the map layer say of the first areas of a service.

    Parameters
    ----------
    part : mapping
        From :func:`list_pieces`, under the name of each list.
    shown : mapping
        List -> how many.
    cells : geopandas.GeoDataFrame
        Cells with their polygons.

    Returns
    -------
    dict
        For each list: JSON of the spans between `BREAKS`, sentences, members, id and outline, see :func:`listed_rows`.
    """
    out = {}
    for name, n in shown.items():
        if not n:
            continue
        start = [*part[f"{name} start"][: n + 1].tolist(), len(part[f"{name} member"])][: n + 1]
        members = [part[f"{name} member"][a:b].tolist() for a, b in pairwise(start)]
        records = part[f"{name} table"].head(n).to_dict("records")
        rows = [
            _listed(record, cell, outline)
            for record, cell, outline in zip(records, members, outlines(members, cells), strict=True)
        ]
        # JSON never holds the character that stands between.
        out[name] = "\n".join(text for row in rows for text in row).encode("utf-8")
    return out


def listed_rows(data: bytes) -> list[list[str]]:
    """Return the rows of a list, from :func:`listed_pieces`.

    Parameters
    ----------
    data : bytes
        Under the name of the list.
    """
    texts = data.decode("utf-8").split("\n")
    return [texts[i : i + _N_PIECES] for i in range(0, len(texts), _N_PIECES)]


def _listed(record: Mapping[Any, Any], members: list[int], outline: str) -> list[str]:
    row = {str(k): v for k, v in record.items()}
    said = [gap_sentence({**row, "place_zh": "", "place_en": ""}, lang) for lang in ("zh", "en")]
    plain = plain_row(row)
    spans = [compact_json({c: plain[c] for c in span})[1:-1] for span in _SPANS]
    return [
        *spans,
        *(compact_json(text)[1:-1] for text in said),
        compact_json(members),
        compact_json(row["gap_id"]),
        outline,
    ]


def outlines(members: list[list[int]], cells: gpd.GeoDataFrame) -> list[str]:
    """Return the outlines of areas as GeoJSON in EPSG:4326.

    Parameters
    ----------
    members : list of list of int
        Cells of each area.
    cells : geopandas.GeoDataFrame
        Cells with their polygons.
    """
    import geopandas as gpd
    import shapely

    from bishan_gis.crs import WGS84, reproject
    from bishan_gis.planning.gap_areas import union_cells

    if not members:
        return []
    joined = gpd.GeoSeries(union_cells(members, cells.geometry.to_numpy()), crs=cells.crs)
    shapes = reproject(joined, WGS84).to_numpy()
    texts = shapely.to_geojson(shapely.transform(shapes, lambda xy: np.round(xy, 6)))
    return [compact_json(json.loads(text)) for text in texts]
