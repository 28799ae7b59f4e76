"""Tables of a region cut by district: GeoParquet with the box of every row, so that a part is read and no more.

A folder holds ``region.json``, and for each table and district a file ``<table>-<number>.parquet`` (GeoParquet 1.1 with
a bbox column as covering, rows along a Hilbert curve, small row groups). Files are numbered: the names of districts are
texts of others. ``region.json`` is written last.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import BrokenFileError, InputError, MissingFileError, OutputError

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["load_part", "load_region", "store_region"]

#: Rows of a group: what is read at the least.
_GROUP = 4096
_REGION = "region.json"
_FORMAT = 1
Box = tuple[float, float, float, float]


def store_region(
    folder: str | Path, tables: Mapping[str, gpd.GeoDataFrame], *, district: str, facts: Mapping[str, Any]
) -> Path:
    """Write the tables of a region, cut by district: all of them or none.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where to; a region that stands there is replaced, anything else is refused.
    tables : mapping
        Name (letters) -> rows with the column `district`.
    district : str
        The column that says which district a row belongs to; every row belongs to one.
    facts : mapping
        What else is to be remembered, as JSON can write it.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    InputError
        Rows belong to no district.
    OutputError
        The folder cannot be written, or holds something else.
    """
    target = Path(folder)
    for name, table in tables.items():
        lost = int(table[district].isna().sum())
        if lost:
            raise InputError(
                f"{name}: {lost} 行没有 {district};每行须属于一个区",
                f"{name}: {lost} rows without {district}; every row must belong to one district",
            )
    if target.exists() and not (target / _REGION).is_file() and any(target.iterdir()):
        raise OutputError(
            f"{target} 不是空文件夹, 也不是分区数据;请换一个文件夹",
            f"{target} is neither empty nor a partitioned region; choose another folder",
        )
    names = sorted({str(d) for table in tables.values() for d in table[district]})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
        try:
            boxes = {
                name: [_store(table, district, d, hidden / f"{name}-{i:05d}.parquet") for i, d in enumerate(names)]
                for name, table in tables.items()
            }
            region = {"format": _FORMAT, "districts": names, "boxes": boxes, "facts": dict(facts)}
            text = json.dumps(region, ensure_ascii=False)
            (hidden / _REGION).write_text(text, encoding="utf-8", newline="\n")
            hidden.chmod(0o755)
            if target.exists():
                shutil.rmtree(target)
            hidden.replace(target)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
    except OSError as err:
        raise OutputError(f"无法写入 {target}: {err}", f"cannot write {target}: {err}") from err
    return target


def _store(table: gpd.GeoDataFrame, district: str, name: str, path: Path) -> Box | None:
    """Write the rows of one district; return the box round them, None where there are none."""
    rows = table[table[district].astype(str) == name]
    if len(rows):
        # A stable sort: equal places keep the order they came in.
        along = rows.geometry.hilbert_distance(total_bounds=table.total_bounds).to_numpy()
        rows = rows.iloc[np.argsort(along, kind="stable")]
    rows.to_parquet(
        path,
        index=False,
        write_covering_bbox=True,
        schema_version="1.1.0",
        row_group_size=_GROUP,
        compression="zstd",
    )
    if not len(rows):
        return None
    west, south, east, north = (float(v) for v in rows.total_bounds)
    return west, south, east, north


def load_region(folder: str | Path) -> dict[str, Any]:
    """Return what a partitioned region says of itself.

    Parameters
    ----------
    folder : str or pathlib.Path
        From :func:`store_region`.

    Returns
    -------
    dict
        ``districts`` (names), ``boxes`` (table -> box of each district or None), ``facts``.

    Raises
    ------
    MissingFileError, BrokenFileError
        There is none, or it is not one of ours.
    """
    path = Path(folder) / _REGION
    try:
        region: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if region["format"] != _FORMAT or not {"districts", "boxes", "facts"} <= set(region):
            raise KeyError(_REGION)
    except FileNotFoundError as err:
        raise MissingFileError(f"{folder}: 没有 {_REGION}", f"{folder}: no {_REGION}") from err
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise BrokenFileError(f"{path}: 无法读取: {err}", f"{path}: cannot be read: {err}") from err
    return region


def load_part(folder: str | Path, table: str, box: Box, *, region: Mapping[str, Any]) -> gpd.GeoDataFrame:
    """Read the rows of a table whose box meets a box, and no row groups but those that can hold some.

    Parameters
    ----------
    folder : str or pathlib.Path
        From :func:`store_region`.
    table : str
        Name of the table.
    box : tuple of float
        West, south, east, north, in the CRS of the table; its border counts.
    region : mapping
        From :func:`load_region`.

    Returns
    -------
    geopandas.GeoDataFrame
        The rows, of all districts, in the order of the files.

    Raises
    ------
    BrokenFileError
        A file cannot be read.
    """
    import geopandas as gpd
    import pandas as pd

    parts = []
    for i, held in enumerate(region["boxes"][table]):
        if held is None or not _meet(box, held):
            continue
        path = Path(folder) / f"{table}-{i:05d}.parquet"
        try:
            parts.append(gpd.read_parquet(path, bbox=box))
        except (OSError, ValueError) as err:
            raise BrokenFileError(f"{path}: 无法读取: {err}", f"{path}: cannot be read: {err}") from err
    if not parts:
        path = Path(folder) / f"{table}-00000.parquet"
        parts = [gpd.read_parquet(path).iloc[:0]]
    out = parts[0] if len(parts) == 1 else pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    return out.reset_index(drop=True).drop(columns="bbox", errors="ignore")


def _meet(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
