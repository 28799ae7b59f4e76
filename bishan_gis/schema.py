"""The tables that travel between the rooms of the house, and their checks.

Tables are long inside and pivoted only on export. Each row says what it rests on (``kind``) and each
answer says how certain it is (``status``); neither is ever folded into 0 or NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.errors import InputError, MissingColumnError, SchemaError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COVERAGE",
    "FACILITIES",
    "KINDS",
    "KIND_ZH",
    "STATUS",
    "UNIT_KINDS",
    "check_columns",
    "check_listed",
    "check_unique",
    "known_names",
    "nearest_name",
    "weakest_kind",
]

#: What a row rests on, strongest first.
KINDS = ("observed", "derived", "assumed", "synthetic")
KIND_ZH = {"observed": "实测", "derived": "推算", "assumed": "假设", "synthetic": "合成"}

#: Kinds of zones below the townships that a study may have; the column of the cells is called as the kind is.
UNIT_KINDS = ("village", "grid")

#: What is known about one origin and one service.
STATUS = ("reached", "beyond_cutoff", "unreachable", "off_network", "unknown")

FACILITIES = ("facility_id", "service", "name", "capacity", "source", "kind", "geometry")
COVERAGE = (
    "zone_kind",
    "zone_id",
    "zone_name",
    "service",
    "cutoff_min",
    "age_group",
    "people",
    "people_covered",
    "people_unknown",
)
#: Of more names that are known only so many are listed in a message.
_SHOWN_NAMES = 20


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest in spelling, or None."""
    from difflib import get_close_matches

    found = get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.6)
    return found[0] if found else None


def known_names(name: str, known: Iterable[object]) -> tuple[str, str]:
    """Return what to say after a name that is not known, in Chinese and in English: the nearest one, else all.

    Parameters
    ----------
    name : str
        The name.
    known : iterable
        Names that are known; at most 20 are listed.

    Examples
    --------
    >>> known_names("nursey", ["nursery", "park"])
    ('最接近的是 nursery', 'the nearest is nursery')
    >>> known_names("x", ["nursery", "park"])
    ('可用: nursery、park', 'known: nursery, park')
    """
    names = [str(k) for k in known]
    near = nearest_name(name, names)
    if near:
        return f"最接近的是 {near}", f"the nearest is {near}"
    more = len(names) - _SHOWN_NAMES
    shown = names[:_SHOWN_NAMES]
    zh, en = (f" 等 {len(names)} 项", f" and {more} more") if more > 0 else ("", "")
    return f"可用: {'、'.join(shown)}{zh}", f"known: {', '.join(shown)}{en}"


def check_columns(table: pd.DataFrame, required: Sequence[str], *, where: str) -> None:
    """Raise when a table lacks columns; all that are missing are named at once.

    Parameters
    ----------
    table : pandas.DataFrame
        The table to check.
    required : sequence of str
        Columns it must have.
    where : str
        What the reader knows the table as: a file name or a table name.

    Raises
    ------
    MissingColumnError
        One or more columns are missing.
    InputError
        It is no table, such as a result that holds one.
    """
    if not hasattr(table, "columns"):
        kind = type(table).__name__
        zh, en = (";请用其 .table", "; use its .table") if hasattr(table, "table") else ("", "")
        raise InputError(
            f"{where}: 须为 DataFrame,现为 {kind}{zh}", f"{where}: must be a DataFrame; it is a {kind}{en}"
        )
    missing = [c for c in required if c not in table.columns]
    if not missing:
        return
    present = [str(c) for c in table.columns]
    hints = [h for h in (nearest_name(m, present) for m in missing) if h]
    hint_zh = f";是否指 {'、'.join(hints)}?" if hints else ""
    hint_en = f"; did you mean {', '.join(hints)}?" if hints else ""
    shown = ", ".join(present[:20])
    # A file is mapped by the study; a table is renamed by whoever made it.
    do = ("请在 study.toml 的 columns 中对应", "Map them under `columns` in study.toml")
    if not Path(where).suffix:
        do = ("请改列名", "Rename the columns")
    raise MissingColumnError(
        f"{where}: 缺少列 {'、'.join(missing)};现有列: {shown}{hint_zh} {do[0]}",
        f"{where}: missing column {', '.join(missing)}; columns present: {shown}{hint_en} {do[1]}",
    )


def check_listed(**values: object) -> None:
    """Raise when several things may be given and one alone is, not in a list; a text would be read letter by letter.

    Parameters
    ----------
    **values : object
        Parameters by name.

    Raises
    ------
    InputError
        One or more are a text, or nothing one can go through; all are named at once.

    Examples
    --------
    >>> try:
    ...     check_listed(services="nursery", cutoffs_s=[300])
    ... except InputError as error:
    ...     error.message("en")
    "give a list: services = ['nursery']"
    """
    wrong = [f"{n} = [{v!r}]" for n, v in values.items() if isinstance(v, str) or not isinstance(v, Iterable)]
    if wrong:
        raise InputError(f"须为列表: {'、'.join(wrong)}", f"give a list: {', '.join(wrong)}")


def check_unique(values: pd.Series, *, where: str) -> None:
    """Raise when a key repeats.

    Raises
    ------
    SchemaError
        One or more values occur more than once.
    """
    twice = values[values.duplicated()].astype(str).unique()
    if len(twice):
        shown = ", ".join(twice[:5])
        raise SchemaError(
            f"{where}: 列 {values.name} 有 {len(twice)} 个重复值 ({shown});键必须唯一",
            f"{where}: column {values.name} has {len(twice)} repeated values ({shown}); a key must be unique",
        )


def weakest_kind(kinds: Iterable[str]) -> str:
    """Return what a result rests on: the weakest of what went into it.

    Examples
    --------
    >>> weakest_kind(["observed", "synthetic", "assumed"])
    'synthetic'
    """
    ranks = [KINDS.index(k) for k in kinds]
    return KINDS[max(ranks)] if ranks else KINDS[0]
