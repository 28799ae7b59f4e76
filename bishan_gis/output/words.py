"""Words of the report in two languages, and text made fit for every format."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from bishan_gis.output.labels import Labels

__all__ = ["clean", "each_text", "load_words", "site_name", "tidy", "unit_words"]

_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@cache
def _table() -> list[dict[str, str]]:
    text = (files("bishan_gis") / "data" / "report_words.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def load_words(lang: str = "zh") -> Labels:
    """Return the words of the report in one language, from ``data/report_words.csv``.

    Parameters
    ----------
    lang : {"zh", "en"}
        Language.

    Examples
    --------
    >>> load_words("zh")("gaps")
    '覆盖缺口'
    """
    column = "en" if lang == "en" else "zh"
    return Labels({row["key"]: row[column] for row in _table()}, column)


def site_name(key: str, lang: str = "zh") -> str:
    """Return the number of a candidate with the word for what it was taken from.

    Parameters
    ----------
    key : str
        Id of a candidate.
    lang : {"zh", "en"}
        Language.

    Examples
    --------
    >>> site_name("landuse/2180"), site_name("north")
    ('用地 2180', 'north')
    """
    kind, _, number = key.partition("/")
    word = load_words(lang).get(f"site_{kind}", "")
    return f"{word} {number}" if word and number else key


def clean(value: Any) -> Any:
    r"""Return a value whose texts are single lines of characters that every format can hold.

    Control characters, marks that turn the direction of writing, private and unassigned characters become blanks; so do
    ends of lines. Lists and mappings are cleaned through and through; numbers stay as they are.

    Parameters
    ----------
    value : object
        Text, number, list or mapping.

    Examples
    --------
    >>> clean({"name": "\x07=HYPERLINK(1)\n", "people": 3})
    {'name': '=HYPERLINK(1)', 'people': 3}
    """
    return each_text(value, _one_line)


def _one_line(text: str) -> str:
    kept = "".join(" " if unicodedata.category(c) in _DROPPED else c for c in text)
    return re.sub(r"[ \t]+", " ", kept).strip(" ")


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value with every text in it changed, through lists and mappings; all else stays as it is.

    Parameters
    ----------
    value : object
        Text, number, list or mapping.
    change : callable
        Takes a text and returns what stands in its place.

    Examples
    --------
    >>> each_text({"names": ["a", "b"], "people": 3}, str.upper)
    {'names': ['A', 'B'], 'people': 3}
    """
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {k: each_text(v, change) for k, v in value.items()}
    if isinstance(value, list):
        return [each_text(v, change) for v in value]
    return value


#: A number of thousands without a mark, before a unit of length, area or people.
_LARGE = re.compile(r"(?<![\d.,/])(\d{4,})((?:\.\d+)?)(?=[ \u00a0](?:米|人|ha|k?m[²2]?)(?![A-Za-z²]))")


def tidy(text: str) -> str:
    r"""Return a sentence with percentages and units written as everywhere in the report.

    Parameters
    ----------
    text : str
        A sentence that another part made.

    Examples
    --------
    >>> tidy("289.1 km2, 22.3%; 8 m2/person")
    '289.1\xa0km², 22.3\xa0%; 8\xa0m²/person'
    >>> tidy("straight 22160 m, 1064.4 ha in 2023")
    'straight 22,160\xa0m, 1,064.4 ha in 2023'
    """
    text = text.replace(">=", "≥").replace("<=", "≤")
    text = re.sub(r"(?<=\d)\s*%", "\u00a0%", text)
    text = _LARGE.sub(lambda m: f"{int(m[1]):,}{m[2]}", text)
    return re.sub(r"(?<=\d)\s+(km|m)2?\b(?![²³])", _unit, text)


def unit_words(unit: str, lang: str) -> str:
    r"""Return a unit of the standards in words; the keys of what has no unit stay as they are.

    Parameters
    ----------
    unit : str
        As in the table of standards.
    lang : {"zh", "en"}
        Language.

    Examples
    --------
    >>> unit_words("m2/person", "zh"), unit_words("km/km2", "en"), unit_words("1", "zh")
    ('m²/人', 'km/km²', '1')
    """
    if unit == "1":
        return unit
    return load_words(lang).get(f"unit_{unit}", tidy(f"1 {unit}")[1:].strip(" \u00a0"))


def _unit(found: re.Match[str]) -> str:
    square = "²" if found[0].endswith("2") else ""
    return f"\u00a0{found[1]}{square}"
