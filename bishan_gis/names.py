"""Names of places as people write them: one form to compare, and how alike two of them are.

Full and half width, brackets, spaces and the names of the district in front are differences of writing; numbers and
branches are not: 第一小学 and 第二小学 are two schools, 和平药房(东街店) and 和平药房(西街店) two shops.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache

__all__ = ["name_similarity", "normal_name", "place_prefixes"]

_BRACKETS = re.compile(r"[((\[【〔「《<](.*?)[))\]】〕」》>]")
_NOISE = re.compile(r"[^\w一-鿿㐀-䶿]+|_+")
_NUMBER = re.compile(r"\d+|[一二三四五六七八九十百]+")
_HAN_DIGITS = {c: str(i) for i, c in enumerate("〇一二三四五六七八九十")} | {"零": "0"}
_UNITS = ("特别行政区", "自治区", "自治县", "新区", "省", "市", "区", "县", "旗")
_PROVINCE = r"(?:[一-鿿]{2,3}(?:省|自治区|市|特别行政区))"
_MIN_REST = 2


def place_prefixes(names: Iterable[str]) -> tuple[str, ...]:
    """Return what may stand in front of a place's name, from the names of the district and what it lies in.

    Parameters
    ----------
    names : iterable of str
        Such as the district, its city and its province; empty ones are passed over.

    Returns
    -------
    tuple of str
        Each name with and without what it is (区, 县, 市 ...), longest first.

    Examples
    --------
    >>> place_prefixes(["青山区"])
    ('青山区', '青山')
    """
    out: set[str] = set()
    for given in names:
        name = _plain(given)
        short = next((name[: -len(u)] for u in _UNITS if name.endswith(u) and len(name) - len(u) >= _MIN_REST), "")
        out |= {name, short}
    return tuple(sorted(out - {""}, key=lambda t: (-len(t), t)))


def normal_name(name: object, prefixes: tuple[str, ...] = ()) -> str:
    """Return a name in the form that names are compared in.

    Parameters
    ----------
    name : object
        A text; None and NaN are no name.
    prefixes : tuple of str
        From :func:`place_prefixes`: taken off in front, with a province or city before them, as long as a name of
        two characters is left.

    Returns
    -------
    str
        Half width, lower case, without brackets around branches (their text stays behind a "|"), spaces and signs.

    Examples
    --------
    >>> normal_name("重庆市青山区 人民医院(东院区)", place_prefixes(["青山区"]))
    '人民医院|东院区'
    """
    return _normal(name, prefixes) if isinstance(name, str) else ""


def name_similarity(a: str, b: str) -> float:
    """Say how alike two normal names are, from 0 to 1; 1 only when they are equal.

    Parameters
    ----------
    a, b : str
        From :func:`normal_name`. An empty one is like nothing.

    Returns
    -------
    float
        0 where numbers or branches contradict each other. Otherwise 2 M / T of Ratcliff and Obershelp's matching
        blocks, as :class:`difflib.SequenceMatcher` has it, made symmetric; a branch that only one of them names
        costs a twentieth.

    Examples
    --------
    >>> name_similarity("实验小学", "实验小学"), name_similarity("第一小学", "第二小学")
    (1.0, 0.0)
    >>> round(name_similarity("中心小学", "中心小学校"), 2)
    0.89
    """
    if not a or not b:
        return 0.0
    if a == b:
        return 1.0
    return _similarity(*sorted((a, b)))


@lru_cache(maxsize=65536)
def _normal(name: str, prefixes: tuple[str, ...]) -> str:
    text = unicodedata.normalize("NFKC", name)
    branches = [_plain(b) for b in _BRACKETS.findall(text)]
    main = _plain(_BRACKETS.sub(" ", text))
    if not main:
        main, branches = "".join(branches), []
    for prefix in prefixes:
        found = re.match(f"{_PROVINCE}*{re.escape(prefix)}", main)
        if found and len(main) - found.end() >= _MIN_REST:
            main = main[found.end() :]
            break
    return "|".join([main, *(b for b in branches if b)])


def _plain(text: str) -> str:
    return _NOISE.sub("", unicodedata.normalize("NFKC", str(text)).casefold())


@lru_cache(maxsize=262144)
def _similarity(a: str, b: str) -> float:
    base_a, _, branch_a = a.partition("|")
    base_b, _, branch_b = b.partition("|")
    numbers = [[_digits(n) for n in _NUMBER.findall(t)] for t in (a, b)]
    if numbers[0] and numbers[1] and numbers[0] != numbers[1]:
        return 0.0
    if branch_a and branch_b and branch_a != branch_b:
        return 0.0
    match = SequenceMatcher(None, base_a, base_b, autojunk=False).ratio()
    return match * (0.95 if branch_a != branch_b else 1.0)


def _digits(number: str) -> str:
    return "".join(_HAN_DIGITS.get(c, c) for c in number)
