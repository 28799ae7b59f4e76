"""Files that were fetched and their entries in ``datasets.toml``: they come into place as one set."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from bishan_gis.sources.datasets import file_sha256
from bishan_gis.sources.fetch.record import record_dataset
from bishan_gis.sources.journal import HIDDEN, Move, commit_set, hold, locked

__all__ = ["FetchedSet"]

_MANIFEST = "datasets.toml"


class FetchedSet:
    """A hidden folder whose files, and their entries, appear together wherever a kill falls.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files go; its ``datasets.toml`` lists them.

    Raises
    ------
    OSError
        The folder cannot be written; what stood there before still stands.
    OutputError
        Another process writes there all the time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._ident = folder, os.urandom(6).hex()
        self._hidden = folder / f"{HIDDEN}{self._ident}-0"
        self._held: int | None = None
        self._entries: dict[str, Mapping[str, str | int]] = {}

    def __enter__(self) -> FetchedSet:
        """Complete what a killed process left, and make the hidden folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked([self._folder]):
            self._hidden.mkdir()
            self._held = hold(self._hidden)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the hidden folder, whatever happened."""
        if self._held is not None:
            os.close(self._held)
        shutil.rmtree(self._hidden, ignore_errors=True)

    def path(self, name: str) -> Path:
        """Return where to write a file now; it will be called `name`."""
        return self._hidden / name

    def enter(self, name: str, entry: Mapping[str, str | int]) -> None:
        """Say what ``datasets.toml`` shall list of a file that was written; path, hash and size are added."""
        file = self.path(name)
        self._entries[name] = {**entry, "path": name, "sha256": file_sha256(file), "bytes": file.stat().st_size}

    def commit(self) -> None:
        """Move the files and the list into place, all of them or none."""
        draft = self.path(_MANIFEST)
        for entry in self._entries.values():
            record_dataset(self._folder / _MANIFEST, entry, draft=draft)
        moves = [Move(0, name, str(entry["sha256"])) for name, entry in self._entries.items()]
        commit_set(self._ident, [self._folder], [*moves, Move(0, _MANIFEST, file_sha256(draft))])
