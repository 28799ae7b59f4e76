"""Words of the output in two languages, from ``data/labels.csv`` (``key, zh, en``)."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

__all__ = ["Labels", "load_labels"]


class Labels(dict[str, str]):
    """Words by key; a key that is not in the table raises ``KeyError``.

    Examples
    --------
    >>> load_labels("zh")("people")
    '人'
    """

    def __init__(self, words: dict[str, str], lang: str) -> None:
        super().__init__(words)
        self.lang = lang

    def __call__(self, key: str, /, **values: object) -> str:
        """Return the words of `key`, with ``{name}`` replaced by `values`."""
        text = self[key]
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        return text


@cache
def _table() -> dict[str, dict[str, str]]:
    text = (files("bishan_gis") / "data" / "labels.csv").read_text(encoding="utf-8")
    return {row["key"]: row for row in csv.DictReader(text.splitlines())}


def load_labels(lang: str = "zh") -> Labels:
    """Return all words in one language.

    Parameters
    ----------
    lang : {"zh", "en"}
        Language.
    """
    column = "en" if lang == "en" else "zh"
    return Labels({key: row[column] for key, row in _table().items()}, column)
