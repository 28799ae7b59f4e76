"""Writing so that outputs appear whole or not at all.

Everything is first written to a hidden folder beside its place (same file system). Only when all of it stands is it
moved into place as one set (:mod:`bishan_gis.sources.journal`). A failure before that leaves the last result untouched;
a kill during it is completed by whoever writes there next.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from bishan_gis.errors import BishanGisError, InputError, OutputError
from bishan_gis.sources.datasets import file_sha256
from bishan_gis.sources.journal import HIDDEN, Move, commit_set, hold, locked

__all__ = ["Staging", "check_ending", "relative_link"]

#: Packages whose errors, while outputs are written, are of the place and not of the program.
_WRITERS = ("pyogrio", "rasterio", "sqlite3", "xlsxwriter")


def check_ending(path: Path, endings: tuple[str, ...], form: str) -> None:
    """Raise when the name of a file says another form than what is written.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    endings : tuple of str
        What its name may end in; the first is the usual one.
    form : str
        What is written.

    Raises
    ------
    InputError
        It ends in something else.
    """
    if path.suffix.lower() not in endings:
        raise InputError(
            f"path: {path.name} 须以 {endings[0]} 结尾, 内容为 {form}",
            f"path: {path.name} must end in {endings[0]}, for {form} is what is written",
        )


def relative_link(target: Path, folder: Path) -> str:
    """Return the address of a file or folder for a page in `folder`, so that both can be moved together.

    Parameters
    ----------
    target, folder : pathlib.Path
        What is linked, and where the page lies.

    Returns
    -------
    str
        As a link in a page; "" where there is no way from one to the other: another drive.

    Examples
    --------
    >>> relative_link(Path("maps/总览 1.html"), Path("data/report"))
    '../../maps/%E6%80%BB%E8%A7%88%201.html'
    """
    try:
        return quote(Path(os.path.relpath(target.resolve(), folder.resolve())).as_posix())
    except ValueError:
        return ""


class Staging:
    """Hidden folders that turn into the outputs of a run.

    Parameters
    ----------
    places : mapping of str to pathlib.Path
        Short name -> final folder.

    Raises
    ------
    OutputError
        A folder cannot be made or written, the disk is full, or another process writes there all the time; what stood
        there before still stands.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, Staging({"tables": Path(folder)}) as out:
    ...     _ = out.path("tables", "a.csv").write_text("x")
    ...     [p.name for p in out.commit()]
    ['a.csv']
    """

    def __init__(self, places: Mapping[str, Path]) -> None:
        self._places = dict(places)
        self._ident = os.urandom(6).hex()
        self._hidden: dict[str, Path] = {}
        self._held: list[int] = []
        self._files: list[tuple[str, str]] = []
        self._removes: dict[tuple[str, str], str] = {}
        self._hashes: dict[tuple[str, str], tuple[tuple[int, int], str]] = {}

    def __enter__(self) -> Staging:
        """Complete what a killed process left, and make the hidden folders."""
        folder = next(iter(self._places.values()), Path())
        try:
            for folder in self._places.values():
                folder.mkdir(parents=True, exist_ok=True)
            with locked(self._places.values()):
                for i, (key, folder) in enumerate(self._places.items()):
                    self._hidden[key] = folder / f"{HIDDEN}{self._ident}-{i}"
                    self._hidden[key].mkdir(mode=0o700)
                    number = hold(self._hidden[key])
                    if number is not None:
                        self._held.append(number)
        except OSError as err:
            self._clean()
            if isinstance(err, BishanGisError):
                raise
            raise OutputError(
                f"无法写入 {folder}: {err.strerror or err};请检查文件夹权限和磁盘空间",
                f"cannot write to {folder}: {err.strerror or err}; check permissions and free space",
            ) from err
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the hidden folders, whatever happened; a disk that is full is said in one line."""
        self._clean()
        if isinstance(value, Exception) and not isinstance(value, BishanGisError) and _is_of_the_place(value):
            raise _failed(self._places, value) from value

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
        return {f"{key}/{name}": self._hash(key, name) for key, name in sorted(self._files)}

    def replaces(self, key: str, record: str) -> None:
        """Let what an earlier set wrote and this one does not go away with the commit.

        Parameters
        ----------
        key : str
            Where the record of the earlier set is.
        record : str
            Its name: JSON with ``outputs``, as :meth:`hashes` gives them. A file that was changed since stays.
        """
        try:
            earlier = json.loads((self._places[key] / record).read_text(encoding="utf-8"))["outputs"]
            listed = {(k.partition("/")[0], k.partition("/")[2]): str(v) for k, v in earlier.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return
        for (place, name), digest in listed.items():
            if place in self._places and name and Path(name).name == name and not name.startswith("."):
                self._removes[place, name] = digest

    def commit(self) -> list[Path]:
        """Move everything into place, all of it or nothing; return the final paths in the order asked for."""
        number = {key: i for i, key in enumerate(self._places)}
        try:
            moves = [Move(number[key], name, self._hash(key, name)) for key, name in self._files]
            written = {(self._places[key].resolve(), name) for key, name in self._files}
            removes = [
                Move(number[key], name, digest)
                for (key, name), digest in self._removes.items()
                if (self._places[key].resolve(), name) not in written
            ]
            if moves:
                commit_set(self._ident, list(self._places.values()), moves, removes)
        except BishanGisError:
            raise
        except OSError as err:
            raise _failed(self._places, err) from err
        return [self._places[key] / name for key, name in self._files]

    def _hash(self, key: str, name: str) -> str:
        """Return the SHA-256 of a file, worked out once for as long as it is not written again."""
        path = self._hidden[key] / name
        facts = path.stat()
        state = (facts.st_size, facts.st_mtime_ns)
        known = self._hashes.get((key, name))
        if known is None or known[0] != state:
            known = self._hashes[key, name] = (state, file_sha256(path))
        return known[1]

    def _clean(self) -> None:
        for folder in self._hidden.values():
            # What could neither be moved nor taken back is left to whoever writes here next.
            if not (folder.parent / f".commit-{self._ident}.json").exists():
                shutil.rmtree(folder, ignore_errors=True)
        for number in self._held:
            with contextlib.suppress(OSError):
                os.close(number)
        self._held.clear()


def _is_of_the_place(err: Exception) -> bool:
    if isinstance(err, FileNotFoundError):  # a file that is missing is ours only where it was to be written
        return HIDDEN in str(err.filename)
    return isinstance(err, OSError) or type(err).__module__.partition(".")[0] in _WRITERS


def _failed(places: Mapping[str, Path], err: Exception) -> OutputError:
    where = ", ".join(str(p) for p in dict.fromkeys(places.values()))
    reason = " ".join(str(getattr(err, "strerror", None) or err).split())[:200]
    file = getattr(err, "filename", None)
    at = f" ({Path(os.fsdecode(file)).name})" if isinstance(file, str | bytes) else ""
    return OutputError(
        f"写入结果失败: {where}{at}: {reason};原有结果未变,请检查磁盘空间和权限",
        f"writing the results failed: {where}{at}: {reason}; the last results still stand: check free space and "
        "permissions",
    )
