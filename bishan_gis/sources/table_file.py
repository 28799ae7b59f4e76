"""Tables of unknown make, CSV, TSV or XLSX, as rows of text: encoding found, size bounded, nothing executed."""

from __future__ import annotations

import csv
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from bishan_gis.errors import BishanGisError, BrokenFileError, InputError, NoDataError
from bishan_gis.schema import nearest_name
from bishan_gis.sources.tables import check_file

__all__ = ["TableRows", "find_text_encoding", "load_rows"]

_MAX_BYTES = 256 * 2**20
_MAX_UNPACKED = 1024 * 2**20
_MAX_RATIO = 300
_MAX_PARTS = 5000
_MAX_ROWS = 1_048_576
_MAX_COLUMNS = 300
_PLAUSIBLE = 0.9
_OLD = {".xls": "Excel 97-2003", ".et": "WPS", ".xlsb": "Excel (binary)", ".ods": "OpenDocument", ".numbers": "Numbers"}


@dataclass(frozen=True)
class TableRows:
    """Rows of text, as long as the widest, and how they were read.

    Attributes
    ----------
    rows : list of list of str
        Every row of the file, blank ones too, so that the n-th is row n + 1 of the file as a spreadsheet shows it.
    encoding : str
        What the text was in; "" for a workbook.
    sheet : str
        Of a workbook; "" for text.
    ragged : int
        Rows wider than the table.
    """

    rows: list[list[str]]
    encoding: str = ""
    sheet: str = ""
    ragged: int = 0


def load_rows(
    path: str | Path, *, encoding: str | None = None, sheet: str | None = None, where: str | None = None
) -> TableRows:
    """Read a table.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.csv``, ``.tsv``, ``.txt`` or ``.xlsx`` (``.xlsm``: macros are not looked at). Of a workbook the values are
        read that its formulas last gave; no formula, link or macro is followed.
    encoding : str, optional
        Of text; found from the bytes where left out.
    sheet : str, optional
        Needed where a workbook has several sheets that hold something.
    where : str, optional
        What messages call the input; default the path.

    Returns
    -------
    TableRows
        Text, stripped; whole numbers of a workbook without ".0".

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, is empty, too big, or no such table.
    InputError
        An old kind of workbook; several sheets and none named, or not the one named.
    NoDataError
        Nothing is in it.
    """
    file = Path(path)
    name = where or str(path)
    check_file(file)
    suffix = file.suffix.lower()
    if suffix in _OLD:
        raise InputError(
            f"{name}: 不能读取 {suffix} ({_OLD[suffix]});请用 Excel 或 WPS 另存为 .xlsx 或 CSV UTF-8",
            f"{name}: {suffix} ({_OLD[suffix]}) is not read; save it as .xlsx or as CSV UTF-8",
        )
    if file.stat().st_size > _MAX_BYTES:
        raise _too_big(name)
    found = _workbook(file, sheet, name) if suffix in {".xlsx", ".xlsm"} else _text(file, encoding, name)
    if not any(any(row) for row in found.rows):
        raise NoDataError(f"{name}: 表格是空的", f"{name}: the table is empty")
    return found


def _too_big(name: str) -> BrokenFileError:
    return BrokenFileError(
        f"{name}: 文件过大 (上限 {_MAX_BYTES >> 20} MB, 解压后 {_MAX_UNPACKED >> 20} MB, {_MAX_ROWS} 行);请拆分",
        f"{name}: too big (limits: {_MAX_BYTES >> 20} MB, unpacked {_MAX_UNPACKED >> 20}, {_MAX_ROWS} rows); split it",
    )


def find_text_encoding(data: bytes, *, where: str) -> str:
    """Tell the encoding of a text from its bytes: UTF-8, UTF-8 or UTF-16 with BOM, GBK (as GB18030).

    Parameters
    ----------
    data : bytes
        The whole text.
    where : str
        What messages call it.

    Returns
    -------
    str
        For :meth:`bytes.decode`: ``utf-8``, ``utf-8-sig``, ``utf-16`` or ``gb18030``.

    Raises
    ------
    BrokenFileError
        None of them gives a Chinese or plain text, or two of them do.

    Examples
    --------
    >>> find_text_encoding("名称".encode("gbk"), where="a.csv")
    'gb18030'
    """
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" not in data:
        texts = {name: _decoded(data, name) for name in ("utf-8", "gb18030")}
        utf, gbk = texts["utf-8"], texts["gb18030"]
        likely = {name for name, text in texts.items() if text is not None and _share_common(text) >= _PLAUSIBLE}
        if utf is not None and (data.isascii() or likely == {"utf-8"} or gbk is None or "gb18030" not in likely):
            return "utf-8"
        if likely == {"gb18030"} and utf is None:
            return "gb18030"
        if likely == {"utf-8", "gb18030"} and len(data) > 64:
            return "utf-8"  # a longer text is hardly ever valid UTF-8 by chance
    raise BrokenFileError(
        f'{where}: 无法判断编码 (UTF-8 还是 GBK?);请写明 encoding = "GBK" 或 "UTF-8"',
        f'{where}: the encoding cannot be told (UTF-8 or GBK?); set encoding = "GBK" or "UTF-8"',
    )


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _share_common(text: str) -> float:
    """Return the share of the characters beyond ASCII that Chinese texts use; 1 where there are none."""
    others = [c for c in text if ord(c) > 127]
    if not others:
        return 1.0
    sample = others[:20000]
    return sum(_decoded_common(c) for c in sample) / len(sample)


def _decoded_common(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return character in "—–·•“”‘’…′″°㎡³²"
    return True


def _text(file: Path, encoding: str | None, name: str) -> TableRows:
    data = file.read_bytes()
    if data[:4] == b"\xd0\xcf\x11\xe0" or data[:2] == b"PK":
        raise InputError(
            f"{name}: 这是工作簿而不是文本;请另存为 .xlsx 或 CSV UTF-8",
            f"{name}: this is a workbook, not text; save it as .xlsx or as CSV UTF-8",
        )
    chosen = encoding or find_text_encoding(data, where=name)
    text = _decoded(data, chosen)
    if text is None:
        raise BrokenFileError(
            f"{name}: 编码不是 {chosen};请改正 encoding", f"{name}: the encoding is not {chosen}; correct `encoding`"
        )
    text = text.removeprefix("\ufeff")
    first = text[:4096]
    mark = max((",", "\t", ";", "|"), key=lambda m: (_columns(first, m), m == ","))
    mark = "\t" if file.suffix.lower() == ".tsv" else mark
    try:
        rows = _bounded(csv.reader(StringIO(text, newline=""), delimiter=mark), name)
    except csv.Error as err:
        raise BrokenFileError(f"{name}: 不是有效的 CSV ({err})", f"{name}: not a valid CSV ({err})") from err
    return _square(rows, encoding=chosen)


def _columns(text: str, mark: str) -> int:
    """Return how many columns most of the first lines have with a separator."""
    counts = sorted(line.count(mark) for line in text.splitlines()[:10] if line.strip())
    return counts[len(counts) // 2] if counts else 0


def _bounded(rows: Iterable[Iterable[object]], name: str) -> list[list[str]]:
    out: list[list[str]] = []
    for row in rows:
        out.append([_cell(v) for v in row])
        if len(out) > _MAX_ROWS:
            raise _too_big(name)
    while out and not any(out[-1]):
        out.pop()
    return out


def _cell(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value).replace("\u00a0", " ").strip()


def _square(rows: list[list[str]], *, encoding: str = "", sheet: str = "") -> TableRows:
    """Give all rows one width, that of the widest of the first rows."""
    width = min(max((len(r) for r in rows[:50]), default=0), _MAX_COLUMNS)
    ragged = sum(any(r[width:]) for r in rows)
    return TableRows([r[:width] + [""] * (width - len(r)) for r in rows], encoding, sheet, ragged)


def _workbook(file: Path, sheet: str | None, name: str) -> TableRows:
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ImportError as err:
        raise InputError(
            f"{name}: 读取 .xlsx 需要 openpyxl;请安装,或另存为 CSV UTF-8",
            f"{name}: reading .xlsx needs openpyxl; install it, or save the table as CSV UTF-8",
        ) from err
    _check_zip(file, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and validations that are of no interest here
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                return _choose_sheet(book, sheet, name)
            finally:
                book.close()
    except BishanGisError:
        raise
    except Exception as err:  # openpyxl raises whatever a broken part of a workbook makes it stumble over
        raise _broken(name, " ".join(str(err).split())[:200]) from err


def _check_zip(file: Path, name: str) -> None:
    """Refuse what is no workbook, and what unpacks to far more than it is."""
    with file.open("rb") as data:
        old = data.read(4) == b"\xd0\xcf\x11\xe0"
    if old:
        raise InputError(
            f"{name}: 是旧版 .xls 或加密的工作簿;请去掉密码并另存为 .xlsx 或 CSV UTF-8",
            f"{name}: an old .xls or an encrypted workbook; remove the password and save it as .xlsx or CSV UTF-8",
        )
    try:
        with zipfile.ZipFile(file) as packed:
            parts = packed.infolist()
            size = sum(p.file_size for p in parts)
            small = file.stat().st_size * _MAX_RATIO
            if len(parts) > _MAX_PARTS or size > _MAX_UNPACKED or (size > 2**25 and size > small):
                raise _too_big(name)
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    with packed.open(part) as content:
                        if b"<!DOCTYPE" in content.read(4096).upper():
                            raise _broken(name, "DOCTYPE")
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as err:
        if isinstance(err, BishanGisError):
            raise
        raise _broken(name, str(err)) from err


def _broken(name: str, said: str) -> BrokenFileError:
    return BrokenFileError(
        f"{name}: 不是有效的 .xlsx 工作簿 ({said});请重新导出",
        f"{name}: not a valid .xlsx workbook ({said}); export it again",
    )


def _choose_sheet(book: Any, sheet: str | None, name: str) -> TableRows:
    titles = [str(s.title) for s in book.worksheets]
    if sheet is not None and sheet not in titles:
        near = nearest_name(sheet, titles)
        raise InputError(
            f"{name}: 没有工作表 {sheet};现有: {'、'.join(titles)}" + (f";是否指 {near}?" if near else ""),
            f"{name}: no sheet {sheet}; it has: {', '.join(titles)}" + (f"; did you mean {near}?" if near else ""),
        )
    wanted = [s for s in book.worksheets if (s.title == sheet if sheet else s.sheet_state == "visible")]
    found = {}
    for one in wanted:
        one.reset_dimensions()
        rows = _bounded(one.iter_rows(values_only=True, max_col=_MAX_COLUMNS, max_row=_MAX_ROWS + 1), name)
        if rows:
            width = max(max((i for i, v in enumerate(r) if v), default=-1) for r in rows) + 1
            found[str(one.title)] = [r[:width] for r in rows]
    if len(found) > 1:
        raise InputError(
            f"{name}: 含 {len(found)} 个有内容的工作表,请用 sheet 指定其一: {'、'.join(found)}",
            f"{name}: holds {len(found)} sheets with content, name one with `sheet`: {', '.join(found)}",
        )
    title, rows = next(iter(found.items()), ("", []))
    return _square(rows, sheet=title)
