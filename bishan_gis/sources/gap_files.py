"""Read the gaps of an earlier run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bishan_gis.errors import BrokenFileError, MissingFileError, SchemaError

__all__ = ["GAPS_FORMAT", "load_gaps"]

#: Format and version of ``gaps.json``; the version grows when a reader of the old one could not read the new one.
GAPS_FORMAT = ("bishan-gis-gaps", 2)
#: Versions that are read: the first has no ``places``.
_READ = (1, 2)

_NEEDED = {"study": str, "selection": dict, "cells": dict, "levels": dict, "deficient": dict}


def load_gaps(path: str | Path) -> dict[str, Any]:
    """Read ``gaps.json`` of an earlier run.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, or the folder it is in.

    Returns
    -------
    dict
        The record, see :func:`bishan_gis.output.gap_files.gap_record`.

    Raises
    ------
    MissingFileError
        There is no such file.
    BrokenFileError
        It is not JSON in UTF-8.
    SchemaError
        It is not a record of gaps, of another version, or its cells do not fit together.
    """
    place = Path(path)
    file = place / "gaps.json" if place.is_dir() else place
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise MissingFileError(
            f"找不到以前的缺口结果 {file};请先运行 bishan-gis gaps",
            f"no earlier gaps at {file}; run bishan-gis gaps first",
        ) from err
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as err:
        raise BrokenFileError(f"{file}: 无法读取为 JSON: {err}", f"{file}: cannot be read as JSON: {err}") from err
    name, version = GAPS_FORMAT
    found = (record.get("format"), record.get("version")) if isinstance(record, dict) else (None, None)
    if found not in [(name, v) for v in _READ]:
        raise SchemaError(
            f"{file}: 不是 {name} 第 {version} 版 (为 {found});请用同一版本重新计算",
            f"{file}: is no {name} of version {version} (it is {found}); compute it again with this version",
        )
    if not _fits(record):
        raise SchemaError(
            f"{file}: 内容不完整或互不一致;请重新运行 bishan-gis gaps",
            f"{file}: is incomplete or does not fit together; run bishan-gis gaps again",
        )
    return dict(record)


def _fits(record: dict[str, Any]) -> bool:
    if not all(isinstance(record.get(key), kind) for key, kind in _NEEDED.items()):
        return False
    given: list[Any] = [record["cells"].get(c) for c in ("id", "people", "zone_id")]
    if not all(isinstance(c, list) for c in given) or len({len(c) for c in given}) > 1:
        return False
    ids, people, zones = given
    if not all(isinstance(i, str) for i in [*ids, *zones]) or not all(type(p) is int for p in people):
        return False
    groups: list[Any] = [g for v in record["deficient"].values() for g in (v if isinstance(v, list) else [None])]
    if not all(isinstance(g, list) and g for g in groups):
        return False
    n = len(ids)
    return isinstance(record["selection"].get("zones"), list) and all(
        type(i) is int and 0 <= i < n for g in groups for i in g
    )
