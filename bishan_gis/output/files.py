"""Writing so that outputs appear whole or not at all.

Everything is first written to a hidden folder beside its place (same file system). Only when all of it stands is it
moved into place, file by file, the record of the run last. A failure before that leaves the last result untouched.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from bishan_gis.errors import OutputError
from bishan_gis.sources.datasets import file_sha256

__all__ = ["Staging"]


class Staging:
    """Hidden folders that turn into the outputs of a run.

    Parameters
    ----------
    places : mapping of str to pathlib.Path
        Short name -> final folder.

    Examples
    --------
    >>> with Staging({"tables": folder}) as out:  # doctest: +SKIP
    ...     out.path("tables", "a.csv").write_text("x")
    ...     out.commit()
    """

    def __init__(self, places: Mapping[str, Path]) -> None:
        self._places = dict(places)
        self._hidden: dict[str, Path] = {}
        self._files: list[tuple[str, str]] = []

    def __enter__(self) -> Staging:
        """Make the hidden folders."""
        for key, folder in self._places.items():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._hidden[key] = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
            except OSError as err:
                self._clean()
                raise OutputError(
                    f"无法写入 {folder}: {err.strerror or err};请检查文件夹权限和磁盘空间",
                    f"cannot write to {folder}: {err.strerror or err}; check permissions and free space",
                ) from err
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the hidden folders, whatever happened."""
        self._clean()

    def path(self, key: str, name: str) -> Path:
        """Return where to write a file now; it will be called `name` in its folder."""
        if Path(name).name != name or name.startswith("."):
            msg = f"not a plain file name: {name!r}"
            raise ValueError(msg)
        if (key, name) not in self._files:
            self._files.append((key, name))
        return self._hidden[key] / name

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every file written so far."""
        return {f"{key}/{name}": file_sha256(self._hidden[key] / name) for key, name in sorted(self._files)}

    def commit(self) -> list[Path]:
        """Move everything into place, in the order it was asked for; return the final paths."""
        final = []
        try:
            for key, name in self._files:
                with (self._hidden[key] / name).open("rb") as f:
                    os.fsync(f.fileno())
            for key, name in self._files:
                target = self._places[key] / name
                (self._hidden[key] / name).replace(target)
                final.append(target)
        except OSError as err:
            raise OutputError(
                f"写入结果失败: {err};请检查磁盘空间和权限",
                f"writing the results failed: {err}; check free space and permissions",
            ) from err
        return final

    def _clean(self) -> None:
        for folder in self._hidden.values():
            shutil.rmtree(folder, ignore_errors=True)
