"""What the types of map services and the words of official lists mean in our services."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

from bishan_gis.errors import SchemaError
from bishan_gis.schema import check_columns
from bishan_gis.sources.tables import read_csv

__all__ = ["PoiType", "TypeMatch", "find_services", "load_poi_types"]

_HOW = ("code", "type", "word")
_TAGS = ("S", "K", "P")


@dataclass(frozen=True)
class PoiType:
    """One row of ``poi_classes.csv``.

    Attributes
    ----------
    match : str
        ``code``: the first digits of a type code; ``type``: the first parts of a type such as 大类;中类;小类;
        ``word``: the whole text.
    value : str
        What is compared.
    services : tuple of str
        Keys of the facility classes.
    names, not_names : str
        Expressions that the name must contain, and must not.
    scheme, source, tag : str
        Whose types they are, where that is from, and how sure: S seen, K known, P proposed.
    own : bool
        From the study's own table: asked first.
    """

    match: str
    value: str
    services: tuple[str, ...]
    names: str = ""
    not_names: str = ""
    scheme: str = ""
    source: str = ""
    tag: str = "P"
    own: bool = False


@dataclass(frozen=True)
class TypeMatch:
    """What a place was taken for, and by which row."""

    services: tuple[str, ...] = ()
    by: str = ""
    tag: str = ""


def load_poi_types(path: str | Path | None = None) -> list[PoiType]:
    """Read the table of types, the study's own rows first.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A study's own table: ``match, value, service`` and, where wanted, the other columns of ``poi_classes.csv``.

    Returns
    -------
    list of PoiType
        In the order they are asked: own rows, then codes, types and words; the longest value first.

    Raises
    ------
    MissingFileError, BrokenFileError, MissingColumnError
        The own table cannot be read.
    SchemaError
        Rows are wrong; all are named at once.
    """
    own = _read(Path(path), own=True) if path else []
    return [*own, *_shipped()]


@lru_cache(maxsize=1)
def _shipped() -> tuple[PoiType, ...]:
    with as_file(files("bishan_gis") / "data" / "poi_classes.csv") as file:
        return tuple(_read(file, own=False))


def _read(file: Path, *, own: bool) -> list[PoiType]:
    table = read_csv(file)
    check_columns(table, ["match", "value", "service"], where=file.name)
    problems: list[tuple[str, str]] = []
    out: list[PoiType] = []
    for number, row in enumerate(table.to_dict("records"), start=2):
        services = tuple(s.strip() for s in row["service"].split(";") if s.strip())
        if row["match"] not in _HOW or not row["value"]:
            problems.append(
                (f"第 {number} 行 match 应为 {'、'.join(_HOW)}", f"row {number}: match is one of {', '.join(_HOW)}")
            )
        for key in ("names", "not_names"):
            try:
                re.compile(row.get(key, ""))
            except re.error as err:
                problems.append((f"第 {number} 行 {key}: {err}", f"row {number} {key}: {err}"))
        tag = row.get("tag") or "P"
        if tag not in _TAGS:
            problems.append((f"第 {number} 行 tag = {tag}", f"row {number}: tag = {tag}"))
        value = _text(row["value"])
        more = {k: row.get(k, "") for k in ("names", "not_names", "scheme", "source")}
        out.append(PoiType(match=row["match"], value=value, services=services, tag=tag, own=own, **more))
    if problems:
        raise SchemaError(
            f"{file.name}: {len(problems)} 处有误: " + ";".join(p[0] for p in problems[:10]),
            f"{file.name}: {len(problems)} problems: " + "; ".join(p[1] for p in problems[:10]),
        )
    order = {how: i for i, how in enumerate(_HOW)}
    return sorted(out, key=lambda t: (order[t.match], -len(t.value)))


def find_services(types: Sequence[PoiType], *, code: str, type_text: str, name: str) -> TypeMatch:
    """Say which services a place gives by its types.

    Parameters
    ----------
    types : sequence of PoiType
        From `load_poi_types`.
    code : str
        Type codes, several separated by "|"; "" where there is none.
    type_text : str
        Types, parts separated by ";", several types by "|".
    name : str
        Of the place: some types need it.

    Returns
    -------
    TypeMatch
        Services of every type it has, in order; empty where no row of the table fits.

    Examples
    --------
    >>> find_services(load_poi_types(), code="", type_text="科教文化服务;学校;小学", name="某小学").services
    ('primary_school',)
    """
    codes = [c.strip().zfill(6) if c.strip().isdigit() else c.strip() for c in code.split("|") if c.strip()]
    texts = [t for t in (_text(part) for part in type_text.split("|")) if t]
    for own in (True, False):
        rows = [t for t in types if t.own is own]
        services: dict[str, None] = {}
        first: PoiType | None = None
        for values, hows in ((codes, ("code",)), (texts, ("type", "word"))):
            for value in values:
                found = next((t for t in rows if t.match in hows and _fits(t, value, name)), None)
                if found is not None:
                    services |= dict.fromkeys(found.services)
                    first = first or found
            if first is not None:
                by = f"{'own' if own else first.scheme}:{first.match}={first.value}"
                return TypeMatch(tuple(services), by, first.tag)
    return TypeMatch()


def _fits(one: PoiType, value: str, name: str) -> bool:
    if one.match == "code":
        same = value.startswith(one.value)
    elif one.match == "type":
        same = value == one.value or value.startswith(one.value + ";")
    else:
        same = value == one.value
    if not same or (one.names and not re.search(one.names, name)):
        return False
    return not (one.not_names and re.search(one.not_names, name))


def _text(value: str) -> str:
    """Return a type with one kind of separator and without spaces."""
    parts = re.split(r"[;;>]", value)
    return ";".join("".join(p.split()) for p in parts if p.strip())
