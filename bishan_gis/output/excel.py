"""The results as one Excel workbook: sheets with formats, sums and a dictionary; no text is ever a formula."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import OutputError
from bishan_gis.output.excel_tables import SheetTable, workbook_tables
from bishan_gis.output.tokens import INK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bishan_gis.results import Results

__all__ = ["clean_text", "write_tables", "write_workbook"]

#: Rows of a sheet and characters of a cell that Excel can hold.
MAX_ROWS, MAX_TEXT = 1_048_576, 32_767
#: What XML 1.0 cannot hold.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_HEAD_ROWS = 2
_FIXED = datetime(2000, 1, 1)


def clean_text(value: object) -> str:
    r"""Return a text that a cell can hold: without characters that XML forbids, cut at 32,767 with an ellipsis.

    Parameters
    ----------
    value : object
        What is written.

    Examples
    --------
    >>> clean_text("a\x07b")
    'ab'
    """
    text = _ILLEGAL.sub("", str(value))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _format_of(column: str) -> str:
    """Return how numbers of a column are written."""
    if column.startswith(("people", "control", "placed", "difference")) or column.endswith("_people"):
        return "#,##0"
    if column.startswith("share") or column == "completeness":
        return "0.0%"
    if column.endswith("_km2"):
        return "#,##0.00"
    if column.endswith(("_m", "_m2")) or column in ("x", "y"):
        return "#,##0"
    return "General"


def _width(table: SheetTable, i: int) -> float:
    """Return the width of a column by its first rows: a Chinese character is two wide."""
    values = [*table.heads[i].split("\n"), *(str(v) for v in table.frame.iloc[:200, i] if not _empty(v))]
    widest = max((sum(1 if c.isascii() else 2 for c in v) for v in values), default=8)
    return float(min(max(widest + 2, 7), table.widest))


def _empty(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)) or value is pd.NaT


def write_tables(tables: Sequence[SheetTable], path: Path) -> None:
    """Write tables as the sheets of a workbook.

    Parameters
    ----------
    tables : sequence of SheetTable
        What the sheets hold, in their order.
    path : pathlib.Path
        Where to; the file is the same byte for byte when the tables are.

    Raises
    ------
    OutputError
        A table has more rows than a sheet can hold, or the file cannot be written.
    """
    for table in tables:
        if len(table.frame) + _HEAD_ROWS + 1 > MAX_ROWS:
            n, most = f"{len(table.frame):,}", f"{MAX_ROWS:,}"
            raise OutputError(
                f"工作表 {table.name} 有 {n} 行, 超过 Excel 的 {most} 行;请改用 CSV 或 Parquet, 或缩小范围",
                f"sheet {table.name} has {n} rows, above the {most} of Excel; use CSV or Parquet, or less of the study",
            )
    with _workbook(path) as book:
        for table in tables:
            _write_sheet(book, table)


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    import xlsxwriter
    from xlsxwriter.exceptions import XlsxFileError

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd",
    }
    book = xlsxwriter.Workbook(str(path), options)
    book.set_properties({"created": _FIXED})
    yield book
    try:
        book.close()
    except (OSError, XlsxFileError) as err:
        raise OutputError(f"无法写入 {path.name}: {err}", f"cannot write {path.name}: {err}") from err


def _write_sheet(book: Any, table: SheetTable) -> None:
    sheet = book.add_worksheet(table.name)
    base = {"font_name": "Microsoft YaHei", "font_size": 10, "valign": "top"}
    style = {
        "title": book.add_format({**base, "bold": True, "font_size": 12}),
        "warn": book.add_format({**base, "font_color": INK["warn"], "bg_color": INK["warn-paper"]}),
        "head": book.add_format(
            {**base, "bold": True, "bg_color": INK["panel"], "bottom": 1, "text_wrap": True, "valign": "vcenter"}
        ),
        "text": book.add_format(base),
        "wrap": book.add_format({**base, "text_wrap": True}),
    }
    columns = [str(c) for c in table.frame.columns]
    codes = [table.formats.get(c, _format_of(c)) for c in columns]
    number = {f: book.add_format({**base, "num_format": f}) for f in dict.fromkeys(codes)}
    total = {f: book.add_format({**base, "num_format": f, "bold": True, "top": 1}) for f in dict.fromkeys(codes)}
    for i in range(len(columns)):
        sheet.set_column(i, i, _width(table, i))
    sheet.set_row(1, 30)
    sheet.freeze_panes(_HEAD_ROWS, table.frozen)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0, 1)
    # Rows come in order, as constant memory asks for.
    sheet.write_string(0, 0, clean_text(table.title), style["title"])
    if table.warning:
        sheet.write_string(0, table.frozen or 1, clean_text(table.warning), style["warn"])
    for i, head in enumerate(table.heads):
        sheet.write_string(1, i, clean_text(head), style["head"])
    kinds = [_column_kind(table.frame.iloc[:, i]) for i in range(len(columns))]
    values = [table.frame.iloc[:, i].tolist() for i in range(len(columns))]
    row = _HEAD_ROWS
    for record in zip(*values, strict=True):
        for i, value in enumerate(record):
            if _empty(value):
                continue
            if kinds[i] == "bool" and isinstance(value, bool):
                sheet.write_boolean(row, i, value, style["text"])
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                sheet.write_number(row, i, value, number[codes[i]])
            else:
                text = clean_text(value)
                sheet.write_string(row, i, text, style["wrap" if len(text) > 30 else "text"])
        row += 1
    if len(table.frame):
        if table.filters:
            sheet.autofilter(1, 0, row - 1, len(columns) - 1)
        if table.sums:
            _write_sums(sheet, table, row, total, codes)


def _column_kind(column: pd.Series) -> str:
    return "bool" if pd.api.types.is_bool_dtype(column) else ""


def _write_sums(sheet: Any, table: SheetTable, row: int, total: dict[str, Any], codes: list[str]) -> None:
    """Write sums as formulas over the rows above, with the value that they have."""
    from xlsxwriter.utility import xl_range

    columns = [str(c) for c in table.frame.columns]
    sheet.write_string(row, 0, table.sum_word, total[codes[0]])
    for i, column in enumerate(columns):
        if column in table.sums:
            value = table.frame.iloc[:, i].sum()
            plain = int(value) if isinstance(value, (int, np.integer)) else float(value)
            sheet.write_formula(row, i, f"=SUM({xl_range(_HEAD_ROWS, i, row - 1, i)})", total[codes[i]], plain)


def write_workbook(results: Results, path: Path) -> None:
    """Write the results of a run as a workbook.

    Parameters
    ----------
    results : Results
        A run; with findings the sheets of gaps, policy and sites are filled, else they say that they were not computed.
    path : pathlib.Path
        Where to.

    Raises
    ------
    OutputError
        A table has more rows than a sheet can hold, or the file cannot be written.

    Notes
    -----
    Sheets: 摘要, 覆盖, 覆盖汇总, 缺口, 政策, 选址, 设施, 人口核对, 数据来源, 数据字典; with villages, 覆盖汇总·村社.
    The second row of each is its head, and stays in sight. A text stays a text whatever it begins with; sums are
    formulas over the rows above. The sheet of gaps lists the first 5,000 of each state and says in its title what is
    left out; so does that of coverage where its rows would be too many. The file carries no time of day: equal results
    give equal bytes.
    """
    write_tables(workbook_tables(results), path)
