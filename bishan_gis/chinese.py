"""Chinese as a planner prints it: full-width marks in sentences, and citations without English words."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

__all__ = ["cite_zh", "full_width", "without_settings"]

_HAN = r"\u3400-\u9fff"
_MARKS = "，；：（）。、“”《》？！"
_ROOMS = "inputs|services|standards|paths|policy|outputs|siting"
_SETTING = re.compile(rf"\s*[(（](?:[^()（）]*[\s、,])?(?:(?:{_ROOMS})\.[a-z_]+|\[[a-z_]+\])[^()（）]*[)）]")


@cache
def _words() -> list[tuple[re.Pattern[str], str]]:
    """Return what stands for each English phrase of a citation, the longest first; ``#`` is a number or a letter."""
    text = (files("bishan_gis") / "data" / "citation_words.csv").read_text(encoding="utf-8")
    rows = sorted(csv.DictReader(text.splitlines()), key=lambda r: -len(r["en"]))
    out = []
    for row in rows:
        pattern = re.escape(row["en"]).replace(r"\#", r"([\w.+-]+)")
        out.append((re.compile(rf"(?<![A-Za-z]){pattern}(?![A-Za-z])"), row["zh"].replace("#", r"\1")))
    return out


@cache
def cite_zh(text: str) -> str:
    """Return a citation, or what a standard counts, in Chinese; numbers and names of standards stay as they are.

    Parameters
    ----------
    text : str
        Standard and clause, a denominator, or a source.

    Examples
    --------
    >>> cite_zh("GB 50180-2018 Annex B"), cite_zh("GB 51143-2015 Table 3.1.10"), cite_zh("residential land")
    ('GB 50180-2018 附录B', 'GB 51143-2015 表3.1.10', '居住用地')
    """
    for pattern, zh in _words():
        text = pattern.sub(zh, text)
    return full_width(text)


def full_width(text: str) -> str:
    """Return a sentence with Chinese marks; one without any Chinese character stays as it is.

    Parameters
    ----------
    text : str
        A sentence.

    Notes
    -----
    Marks between digits, within Latin words, formulas and addresses stay: 1,064 or 0.45 : 1 or ``t(i, j)``.

    Examples
    --------
    >>> full_width("覆盖 1,064 人, 其中 (按人口) 22.3 %; 见 coverage.csv")
    '覆盖 1,064 人，其中（按人口）22.3 %；见 coverage.csv'
    >>> full_width("t(i, j) = 3; see a: b")
    't(i, j) = 3; see a: b'
    """
    if not re.search(f"[{_HAN}]", text):
        return text
    text = _brackets(text)
    text = re.sub(r"\s*;\s*", "；", text)
    text = re.sub(rf"(?<=[{_HAN}{_MARKS}])\s*,\s*|\s*,\s*(?=[{_HAN}])", "，", text)
    text = re.sub(r"(?<![A-Za-z]),\s+|,\s+(?![A-Za-z])", "，", text)
    text = re.sub(rf"(?<=[{_HAN})）%\]])\s*:\s*(?!//)|(?<![\s\d]):\s*(?=[{_HAN}])", "：", text)
    text = re.sub(rf"(?<=[{_HAN}])\s*([?!])", lambda m: "？" if m[1] == "?" else "！", text)
    text = re.sub(rf"(?<=[{_HAN}）])\.(?=\s|$)", "。", text)
    return re.sub(rf"[ ]*([{_MARKS}])[ ]*", r"\1", text)


def _brackets(text: str) -> str:
    """Return the text with full-width brackets round what is Chinese, or follows it."""
    out, opened = list(text), []
    for i, c in enumerate(text):
        if c == "(":
            opened.append(i)
        elif c == ")" and opened:
            start = opened.pop()
            before = text[start - 1 : start]
            if re.search(f"[{_HAN}]", text[start:i]) or re.match(rf"[\s{_HAN}{_MARKS}]", before):
                out[start], out[i] = "（", "）"
    return "".join(out)


def without_settings(text: str) -> str:
    """Return a sentence without the names of settings in brackets: whoever reads a report does not see the file.

    Parameters
    ----------
    text : str
        A sentence.

    Examples
    --------
    >>> without_settings("提供土地利用 (inputs.landuse) 和控制线")
    '提供土地利用和控制线'
    """
    return re.sub(rf"(?<=[{_HAN}]) (?=[{_HAN}])", "", _SETTING.sub("", text))
