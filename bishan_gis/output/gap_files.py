"""The gaps of a study as files: a map layer, a table, and a record for scripts, all of them or none."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis import __version__
from bishan_gis.output.files import Staging
from bishan_gis.output.tables import no_formula, write_csv
from bishan_gis.planning.gap_areas import also_missing, area_geometry
from bishan_gis.planning.gap_words import gap_sentence
from bishan_gis.sources.gap_files import GAPS_FORMAT

if TYPE_CHECKING:
    from bishan_gis.planning.gap_areas import GapAreas
    from bishan_gis.planning.gaps import Gaps

__all__ = [
    "COLUMNS",
    "DECIMALS",
    "PLACE_COLUMNS",
    "column_rows",
    "compact_json",
    "gap_record",
    "gap_rows",
    "json_text",
    "place_csv",
    "plain_row",
    "service_records",
    "write_gaps",
]

#: Columns of ``gaps.csv``, in their order.
COLUMNS = (
    *("rank", "gap_id", "state", "service", "service_zh", "service_en", "level_min", "zone_id", "zone_name"),
    *("place_zh", "place_en", "people", "people_no_path", "people_firm", "fragile", "severity_person_min", "depth_min"),
    *("nearest_min", "facility_id", "facility_name", "straight_m", "detour_ratio", "reason", "barrier", "barrier_name"),
    *("people_distance", "people_detour", "people_slope", "people_not_connected", "people_off_network"),
    *("people_data_edge", "people_capacity", "n_also_missing", "n_cells", "score", "cell_id", "x", "y"),
)
#: Columns of ``places.csv``, in their order.
PLACE_COLUMNS = (
    *("rank", "place_id", "place_zh", "place_en", "zone_id", "zone_name", "people", "people_lacking"),
    *("severity_person_min", "score", "n_missing", "missing_zh", "missing_en", "help_service", "help_people"),
    *("help_zh", "help_en", "text_zh", "text_en"),
)
#: Decimals of the columns that are no whole numbers.
DECIMALS = {"severity_person_min": 3, "depth_min": 3, "nearest_min": 3, "straight_m": 1, "detour_ratio": 3}
DECIMALS |= {"score": 3, "x": 2, "y": 2}
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def gap_rows(gaps: Gaps) -> pd.DataFrame:
    """Return every area as a row: missing, unknown, and short of places, each by rank.

    Parameters
    ----------
    gaps : Gaps
        From :func:`bishan_gis.planning.gaps.find_gaps`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; ``state`` is ``deficient``, ``unknown`` or ``short``.
    """
    parts = [part.table for part in (gaps.areas, gaps.unknown, gaps.short)]
    parts = [p for p in parts if len(p)] or parts[:1]
    return pd.DataFrame(pd.concat(parts, ignore_index=True)[list(COLUMNS)]).round(DECIMALS)


def gap_record(gaps: Gaps, *, listed: int = 1000, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the gaps as ``gaps.json`` has them.

    Parameters
    ----------
    gaps : Gaps
        From :func:`bishan_gis.planning.gaps.find_gaps`.
    listed : int
        How many areas of each list are described; the rest are in ``not_listed`` as a sum, and all are in ``deficient``
        as cells.
    changes : mapping, optional
        From :func:`bishan_gis.planning.gap_changes.compare_gaps`.

    Returns
    -------
    dict
        Plain values that JSON can hold; its schema is ``data/schemas/gaps.schema.json``. No time of day is in it:
        equal inputs give equal bytes.
    """
    state = gaps.state
    lists = {"gaps": gaps.areas, "unknown": gaps.unknown, "short": gaps.short}
    groups: dict[str, list[list[int]]] = {s: [] for s in state.services}
    for service, members in zip(gaps.areas.table["service"], gaps.areas.cells_of(), strict=True):
        groups[service].append(members)
    rest = {name: part.table.iloc[listed:] for name, part in lists.items()}
    record: dict[str, Any] = {
        "format": GAPS_FORMAT[0],
        "version": GAPS_FORMAT[1],
        "software": f"bishan_gis {__version__}",
        "study": gaps.study,
        "label": gaps.label,
        "kind": gaps.kind,
        "selection": gaps.selection,
        "totals": {
            "people": int(gaps.cells["people"].sum()),
            "people_lacking": gaps.people_lacking,
            "areas": len(gaps.areas.table),
            "areas_unknown": len(gaps.unknown.table),
            "areas_short": len(gaps.short.table),
        },
        "services": service_records(gaps),
        "people": column_rows(gaps.people),
        "places": gaps.places,
        **{name: _listed(gaps, part, listed) for name, part in lists.items()},
        "not_listed": {
            name: {
                "areas": len(table),
                "people": int(table["people"].sum()),
                "severity_person_min": round(math.fsum(table["severity_person_min"].tolist()), 3),
            }
            for name, table in rest.items()
        },
        "hierarchy": column_rows(gaps.hierarchy.round(6)),
        "absent": [plain_row(r) for r in gaps.absent.to_dict("records")],
        "no_level": gaps.no_level,
        "levels": dict(zip(state.services, state.level_min.tolist(), strict=True)),
        "cells": {
            "id": [str(c) for c in state.cells],
            "people": gaps.cells["people"].astype("int64").tolist(),
            "zone_id": gaps.cells["zone_id"].astype(str).tolist(),
            "completeness_low": _numbers(gaps.completeness["completeness_low"].reindex(state.cells)),
            "completeness_high": _numbers(gaps.completeness["completeness_high"].reindex(state.cells)),
        },
        "deficient": groups,
        "unknown_cells": {
            s: np.flatnonzero(row).tolist() for s, row in zip(state.services, state.unknown, strict=True)
        },
    }
    if changes is not None:
        record["changes"] = dict(changes)
    return record


def _numbers(values: pd.Series) -> list[float | None]:
    return [None if np.isnan(v) else round(v, 6) for v in values.to_numpy(np.float64).tolist()]


def plain_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as JSON can hold it: no NaN, no NumPy.

    Parameters
    ----------
    row : mapping
        Name -> value.
    """
    out = {}
    for key, value in row.items():
        plain = value.item() if isinstance(value, np.generic) else value
        out[str(key)] = None if isinstance(plain, float) and not np.isfinite(plain) else plain
    return out


def column_rows(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a table as columns and rows, minutes to a thousandth.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.

    Returns
    -------
    dict
        ``columns, rows``: plain values that JSON can hold.
    """
    table = table.round({c: 3 for c in ("severity_person_min", "depth_min") if c in table.columns})
    columns = [str(c) for c in table.columns]
    plain = [[None if isinstance(v, float) and np.isnan(v) else v for v in table[c].tolist()] for c in table.columns]
    return {"columns": columns, "rows": [list(row) for row in zip(*plain, strict=True)]}


def service_records(gaps: Gaps) -> list[dict[str, Any]]:
    """Return one entry per service: what is asked for, who lacks it, how sure that is, what is known of capacity.

    Parameters
    ----------
    gaps : Gaps
        ``people, areas, targets, capacity, sensitivity`` are read.

    Returns
    -------
    list of dict
        Plain values that JSON can hold.
    """
    people = gaps.people
    kinds = list(people["zone_kind"].unique())
    whole = people[(people["zone_kind"] == kinds[0]) & (people["age_group"] == "all")] if kinds else people
    columns = ["people", "people_covered", "people_deficient", "people_unknown", "people_no_path"]
    sums = whole.groupby("service")[[*columns, "severity_person_min"]].sum()
    number = gaps.areas.table.groupby("service")["fragile"].agg(["size", "sum"])
    capacity = gaps.capacity.set_index("service")
    cases = gaps.sensitivity.pivot_table(index="service", columns="case", values="people_deficient")
    out = []
    for target in gaps.targets.to_dict("records"):
        key = target["service"]
        row = {str(k): v for k, v in target.items() if k not in ("level_id", "radius_id", "drive_min")}
        row |= {c: int(sums.loc[key, c]) for c in columns}
        row["severity_person_min"] = round(float(sums.loc[key, "severity_person_min"]), 3)
        row["areas"] = int(number["size"].get(key, 0))
        row["areas_fragile"] = int(number["sum"].get(key, 0))
        row["people_deficient_if"] = {str(c): int(cases.loc[key, c]) for c in cases.columns}
        row["capacity"] = plain_row(capacity.loc[key].to_dict())
        out.append(plain_row(row))
    return out


def _listed(gaps: Gaps, part: GapAreas, listed: int) -> list[dict[str, Any]]:
    table = part.table.head(listed)
    rows = range(len(table))
    more = also_missing(part, gaps.state, gaps.cells, rows=rows)
    members = part.cells_of()
    records = table.round(DECIMALS)[list(COLUMNS)].to_dict("records")
    out = []
    for i, record in enumerate(records):
        row = {str(k): v for k, v in record.items()}
        text = {f"text_{lang}": gap_sentence(row, lang) for lang in ("zh", "en")}
        out.append({**plain_row(row), **text, "also_missing": more[i], "cells": members[i]})
    return out


def compact_json(value: Any) -> str:
    """Return JSON without spaces, the same text for the same value; a number that is none is an error, not ``NaN``."""
    return _JSON.encode(value)


def json_text(value: Any) -> str:
    """Return the text of a file, see :func:`compact_json`."""
    return compact_json(value) + "\n"


def _geojson(gaps: Gaps, record: Mapping[str, Any], listed: int) -> dict[str, Any]:
    import shapely

    features = []
    for name, part in (("gaps", gaps.areas), ("unknown", gaps.unknown), ("short", gaps.short)):
        rows = range(min(listed, len(part.table)))
        if not rows:
            continue
        shapes = area_geometry(part, gaps.cells, rows=rows).to_crs(4326).to_numpy()
        texts = shapely.to_geojson(shapely.transform(shapes, lambda xy: np.round(xy, 6)))
        for properties, text in zip(record[name], texts, strict=True):
            kept = {k: v for k, v in properties.items() if k != "cells"}
            features.append({"type": "Feature", "id": kept["gap_id"], "properties": kept, "geometry": json.loads(text)})
    return {"type": "FeatureCollection", "kind": gaps.kind, "features": features}


def write_gaps(
    gaps: Gaps,
    folder: Path,
    *,
    listed: int = 1000,
    changes: Mapping[str, Any] | None = None,
    extra: Path | None = None,
) -> dict[str, Any]:
    """Write ``gaps.geojson``, ``gaps.csv``, ``places.csv`` and ``gaps.json``.

    Parameters
    ----------
    gaps : Gaps
        From :func:`bishan_gis.planning.gaps.find_gaps`.
    folder : pathlib.Path
        Where to.
    listed : int
        How many areas of each list the map layer and the record describe; the table has them all.
    changes : mapping, optional
        From :func:`bishan_gis.planning.gap_changes.compare_gaps`.
    extra : pathlib.Path, optional
        A further place for the record.

    Returns
    -------
    dict
        The record that was written.

    Raises
    ------
    OutputError
        A file cannot be written; what stood there before still stands.
    """
    record = gap_record(gaps, listed=listed, changes=changes)
    places = {"gaps": folder} if extra is None else {"gaps": folder, "extra": extra.parent}
    with Staging(places) as out:
        out.path("gaps", "gaps.geojson").write_text(json_text(_geojson(gaps, record, listed)), encoding="utf-8")
        write_csv(gap_rows(gaps), out.path("gaps", "gaps.csv"))
        names = {t["service"]: {str(k): v for k, v in t.items()} for t in gaps.targets.to_dict("records")}
        out.path("gaps", "places.csv").write_bytes(place_csv(gaps.places, names))
        text = json_text(record)
        if extra is not None:
            out.path("extra", extra.name).write_text(text, encoding="utf-8")
        out.path("gaps", "gaps.json").write_text(text, encoding="utf-8")
        out.commit()
    return record


def place_csv(rows: Sequence[Mapping[str, Any]], names: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return the places as a table that a spreadsheet opens.

    Parameters
    ----------
    rows : sequence of mapping
        From :func:`bishan_gis.planning.gap_places.place_rows`.
    names : mapping
        Service -> ``name_zh, name_en``.

    Returns
    -------
    bytes
        CSV in UTF-8 with a mark at its beginning, `PLACE_COLUMNS`; no cell is a formula.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(PLACE_COLUMNS)
    for row in rows:
        said = {
            f"missing_{lang}": "; ".join(f"{names[m['service']][f'name_{lang}']} {m['people']}" for m in row["missing"])
            for lang in ("zh", "en")
        }
        values = [{**row, **said}[c] for c in PLACE_COLUMNS]
        writer.writerow([no_formula(v) for v in values])
    return b"\xef\xbb\xbf" + stream.getvalue().encode("utf-8")
