"""Plain tables, and the checks that every file goes through first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bishan_gis.errors import BishanGisError, BrokenFileError, MissingFileError
from bishan_gis.schema import check_columns, nearest_name

__all__ = ["check_file", "load_services", "raise_together", "read_csv", "zone_key"]


def raise_together(problems: Sequence[BishanGisError]) -> None:
    """Raise all problems of one input as one error of the first one's class; nothing when there is none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise type(problems[0])("; ".join(p.zh for p in problems), "; ".join(p.en for p in problems))


def check_file(path: Path) -> None:
    """Raise unless a file, or a folder such as a .gdb, is there and holds something.

    Raises
    ------
    MissingFileError
        Nothing is there.
    BrokenFileError
        It is empty.
    """
    if not path.exists():
        near = nearest_name(path.name, (p.name for p in path.parent.iterdir())) if path.parent.is_dir() else None
        raise MissingFileError(
            f"找不到文件 {path}" + (f";同一目录有 {near}" if near else ";请检查路径 (相对于 study.toml)"),
            f"no file {path}" + (f"; the folder has {near}" if near else "; check the path in study.toml"),
        )
    empty = not any(path.iterdir()) if path.is_dir() else path.stat().st_size == 0
    if empty:
        raise BrokenFileError(
            f"{path}: 文件是空的 (0 字节);请重新取得", f"{path}: the file is empty (0 bytes); get it again"
        )


def read_csv(path: str | Path, *, encoding: str | None = None) -> pd.DataFrame:
    """Read a CSV file as text columns: UTF-8 with or without BOM, or GBK.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, is empty, or is no table in that encoding.
    """
    from io import StringIO

    file = Path(path)
    check_file(file)
    data = file.read_bytes()
    for name in (encoding,) if encoding else ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        try:
            frame = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False, skip_blank_lines=True)
        except (ValueError, pd.errors.ParserError) as err:
            said = " ".join(str(err).split())
            raise BrokenFileError(f"{path}: 不是有效的 CSV ({said})", f"{path}: not a valid CSV ({said})") from err
        frame.columns = [str(c).strip() for c in frame.columns]
        return pd.DataFrame({c: frame[c].astype(str).str.strip() for c in frame.columns})
    raise BrokenFileError(
        f"{path}: 编码不是 {encoding or 'UTF-8 或 GBK'};请在 study.toml 写明 encoding",
        f"{path}: the encoding is not {encoding or 'UTF-8 or GBK'}; set `encoding` in study.toml",
    )


def load_services(path: str | Path) -> pd.DataFrame:
    """Read which services the objects of a facility layer give, where its own tags do not say.

    Returns
    -------
    pandas.DataFrame
        ``facility_id, service``; several rows give one object several services, an empty service none.
    """
    table = read_csv(path)
    columns = {"osm_id": "facility_id"} if "facility_id" not in table.columns else {}
    table = table.rename(columns=columns)
    check_columns(table, ["facility_id", "service"], where=str(path))
    return table[["facility_id", "service"]].drop_duplicates(ignore_index=True)


def zone_key(values: pd.Series) -> pd.Series:
    """Return ids as text: 500120001, 500120001.0 and "500120001 " are the same zone.

    Examples
    --------
    >>> zone_key(pd.Series([500120001.0, 2])).tolist()
    ['500120001', '2']
    """
    text = values.astype(str).str.strip()
    return text.str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
