"""Classes of facilities: what a service is called, what standard asks for it, how it is recognised."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bishan_gis.errors import MissingFileError, StudyError
from bishan_gis.schema import nearest_name

__all__ = ["FacilityClass", "Matcher", "load_classes"]

Selector = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class FacilityClass:
    """One service: names, standard, and the tags that mean it. The fields are explained in the TOML file."""

    key: str
    zh: str
    en: str
    group: str
    level: int
    icon: str = ""
    radius_m: float | None = None
    standard: str = ""
    clause: str = ""
    tag: str = "P"
    tags: tuple[Selector, ...] = ()
    weak: tuple[Selector, ...] = ()
    fallback: tuple[Selector, ...] = ()
    names: str = ""
    not_names: str = ""
    not_tags: tuple[Selector, ...] = ()
    also_with: tuple[str, ...] = ()
    group_zh: str = ""
    group_en: str = ""
    studied: bool = True

    def label(self, lang: str = "zh") -> str:
        """Return the name in one language."""
        return self.en if lang == "en" else self.zh


def load_classes(path: str | Path | None = None, *, include: Iterable[str] = ()) -> dict[str, FacilityClass]:
    """Read the facility classes.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A study's own table; default the one of the package.
    include : iterable of str
        Only these services are studied; none named: all. The others stay in the table, so that what is
        theirs is not taken for something else, with ``studied`` False.

    Returns
    -------
    dict
        Service key -> `FacilityClass`, in the order of the table.

    Raises
    ------
    MissingFileError
        The table is not there.
    StudyError
        The table is wrong, or `include` names an unknown service; all problems are named at once.
    """
    name = str(path) if path else "facility_classes.toml"
    source = Path(path) if path else files("bishan_gis") / "data" / "facility_classes.toml"
    try:
        data = tomllib.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise MissingFileError(f"找不到设施分类表 {name}", f"no table of facility classes at {name}") from err
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise StudyError(f"{name}: 不是有效的 UTF-8 TOML: {err}", f"{name}: not valid UTF-8 TOML: {err}") from err
    groups = {g["key"]: g for g in data.get("group", [])}
    problems: list[tuple[str, str]] = []
    out: dict[str, FacilityClass] = {}
    for entry in data.get("class", []):
        made = _make(entry, groups, problems)
        if made is not None and made.key in out:
            problems.append((f"{made.key} 重复", f"{made.key} is there twice"))
        if made is not None:
            out[made.key] = made
    if not out and not problems:
        problems.append(("没有任何 [[class]]", "no [[class]] in it"))
    wanted = list(include)
    for key in wanted:
        if key not in out:
            near = nearest_name(key, out)
            problems.append(
                (
                    f"services.include 中的 {key} 未知" + (f",是否指 {near}?" if near else ""),
                    f"{key} of services.include is unknown" + (f", did you mean {near}?" if near else ""),
                )
            )
    if problems:
        n = len(problems)
        raise StudyError(
            f"{name}: {n} 处有误: " + ";".join(p[0] for p in problems),
            f"{name}: {n} problem{'s' if n > 1 else ''}: " + "; ".join(p[1] for p in problems),
        )
    return {k: replace(c, studied=not wanted or k in wanted) for k, c in out.items()}


def _make(
    entry: Mapping[str, Any], groups: Mapping[str, Mapping[str, str]], problems: list[tuple[str, str]]
) -> FacilityClass | None:
    key = str(entry.get("key", "?"))
    known = [f for f in FacilityClass.__dataclass_fields__ if f not in {"group_zh", "group_en", "studied"}]
    before = len(problems)
    for field_name in entry:
        if field_name not in known:
            near = nearest_name(field_name, known)
            hint = f" ({near}?)" if near else ""
            problems.append((f"{key}: 未知的键 {field_name}{hint}", f"{key}: unknown key {field_name}{hint}"))
    for field_name in ("key", "zh", "en", "group", "level"):
        if field_name not in entry:
            problems.append((f"{key}: 缺少 {field_name}", f"{key}: {field_name} is missing"))
    for field_name in ("names", "not_names"):
        try:
            re.compile(_pattern(str(entry.get(field_name, ""))))
        except re.error as err:
            problems.append(
                (f"{key}.{field_name}: 正则表达式有误: {err}", f"{key}.{field_name}: bad expression: {err}")
            )
    for field_name in ("tags", "weak", "fallback", "not_tags"):
        for selector in entry.get(field_name, []):
            if not isinstance(selector, dict) or not all(isinstance(v, list) and v for v in selector.values()):
                problems.append(
                    (
                        f'{key}.{field_name}: 应写成 {{ 键 = ["值"] }}',
                        f'{key}.{field_name}: write {{ key = ["value"] }}',
                    )
                )
    if len(problems) > before:
        return None
    group = groups.get(str(entry["group"]), {})
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    return FacilityClass(**values, group_zh=group.get("zh", entry["group"]), group_en=group.get("en", entry["group"]))


def _pattern(text: str) -> str:
    """Allow (?i) anywhere: it then holds for the whole expression, which changes nothing for Chinese."""
    return ("(?i)" if "(?i)" in text else "") + text.replace("(?i)", "")


@lru_cache(maxsize=256)
def _compiled(text: str) -> re.Pattern[str]:
    return re.compile(_pattern(text))


@dataclass
class Matcher:
    """Finds the services an object gives.

    Parameters
    ----------
    classes : mapping
        From `load_classes`.
    """

    classes: Mapping[str, FacilityClass]
    _index: dict[str, dict[str, list[tuple[FacilityClass, str, Selector]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index every selector by its first pair."""
        for one in self.classes.values():
            for strength in ("tags", "weak", "fallback"):
                for selector in getattr(one, strength):
                    key = next(iter(selector))
                    for value in selector[key]:
                        self._index.setdefault(key, {}).setdefault(value, []).append((one, strength, selector))

    def may_be(self, tags: Mapping[str, str]) -> bool:
        """Return whether any class asks for one of the tags; if not, :meth:`find` finds nothing.

        Parameters
        ----------
        tags : mapping
            OSM tags.
        """
        index = self._index
        for key, value in tags.items():
            by_value = index.get(key)
            if by_value is not None and (value in by_value or ";" in value or "*" in by_value):
                return True
        return False

    def find(self, tags: Mapping[str, str], name: str) -> tuple[list[str], bool]:
        """Return the services of an object, and whether it was a candidate that nothing decided.

        Parameters
        ----------
        tags : mapping
            OSM tags; several values may stand in one, separated by ";".
        name : str
            Its name, "" where it has none.
        """
        best: dict[str, float] = {}
        named: set[str] = set()
        doubtful = False
        for key in tags.keys() & self._index.keys():
            by_value = self._index[key]
            for value in (*_values(tags[key]), "*"):
                for one, strength, selector in by_value.get(value, ()):
                    if not all(_match(tags, k, v) for k, v in selector.items()) or _barred(one, tags):
                        continue
                    by_name = bool(one.names) and bool(_compiled(one.names).search(name))
                    not_by_name = bool(one.not_names) and bool(_compiled(one.not_names).search(name))
                    if not_by_name or (strength == "weak" and not by_name):
                        doubtful = doubtful or "building" not in (key, value)
                        continue
                    score = len(selector) + {"tags": 10.0, "weak": 10.5, "fallback": 0.0}[strength]
                    best[one.key] = max(best.get(one.key, -1.0), score)
                    if by_name:
                        named.add(one.key)
        if not best:
            return [], doubtful
        order = {k: i for i, k in enumerate(self.classes)}
        first = min(best, key=lambda k: (-best[k], order[k]))
        more = [k for k in order if k in named and k != first and first in named and self._together(k, first)]
        return [first, *more], False

    def _together(self, a: str, b: str) -> bool:
        return b in self.classes[a].also_with or a in self.classes[b].also_with


def _values(text: str) -> list[str]:
    return [v.strip() for v in text.split(";")] if ";" in text else [text]


def _match(tags: Mapping[str, str], key: str, wanted: Sequence[str]) -> bool:
    return key in tags and ("*" in wanted or any(v in wanted for v in _values(tags[key])))


def _barred(one: FacilityClass, tags: Mapping[str, str]) -> bool:
    return any(all(_match(tags, k, v) for k, v in s.items()) for s in one.not_tags)
