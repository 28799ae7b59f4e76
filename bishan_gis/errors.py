"""Every error this package raises on purpose: one tree, two languages, an exit code each.

An error carries its message in Chinese and in English; :meth:`BishanGisError.message` chooses.
Each class is also a builtin, so that ``except ValueError`` and ``except OSError`` keep their meaning.
"""

from __future__ import annotations

__all__ = [
    "BishanGisError",
    "BishanGisWarning",
    "BrokenFileError",
    "ControlTotalError",
    "CrsError",
    "DatasetError",
    "InputError",
    "MissingColumnError",
    "MissingFileError",
    "NetworkError",
    "NoDataError",
    "OutputError",
    "SchemaError",
    "StudyError",
]


class BishanGisError(Exception):
    """Root of the tree.

    Parameters
    ----------
    zh, en : str
        The same message in both languages: what is wrong, where, how many, what to do.
    """

    exit_code = 2

    def __init__(self, zh: str, en: str) -> None:
        self.zh = zh
        self.en = en
        super().__init__(f"{zh} | {en}")

    def __reduce__(self) -> tuple[type[BishanGisError], tuple[str, str]]:
        """Survive a trip between processes."""
        return type(self), (self.zh, self.en)

    def __str__(self) -> str:
        """Both languages on one line."""
        return f"{self.zh} | {self.en}"

    def message(self, lang: str = "zh") -> str:
        """Return the message in one language, on one line."""
        text = self.zh if lang == "zh" else self.en
        return " ".join(text.split())


class BishanGisWarning(UserWarning):
    """What can be computed, and is likely not what was meant.

    Parameters
    ----------
    zh, en : str
        The same message in both languages.
    """

    def __init__(self, zh: str, en: str) -> None:
        self.zh = zh
        self.en = en
        super().__init__(f"{zh} | {en}")


class InputError(BishanGisError, ValueError):
    """What came in cannot be used."""


class StudyError(InputError):
    """``study.toml`` is wrong."""


class MissingFileError(InputError, FileNotFoundError):
    """A file that was named is not there."""


class BrokenFileError(InputError, OSError):
    """A file is there and cannot be read as what it claims to be."""


class DatasetError(InputError):
    """A file is not the one that ``datasets.toml`` describes."""


class CrsError(InputError):
    """A coordinate reference system is missing, wrong, or in the wrong unit."""


class SchemaError(InputError):
    """A table breaks its contract."""


class MissingColumnError(SchemaError, KeyError):
    """A table lacks a column."""


class ControlTotalError(SchemaError, ArithmeticError):
    """Parts do not add up to the whole they were taken from."""


class NoDataError(BishanGisError, LookupError):
    """The input is readable and holds nothing to work on."""

    exit_code = 3


class OutputError(BishanGisError, OSError):
    """A result could not be written; what stood there before still stands."""

    exit_code = 4


class NetworkError(BishanGisError, ConnectionError):
    """A server could not be reached or did not give what was asked for; nothing that stood before was touched."""

    exit_code = 5
