"""Moving a set of files into place as one step, also where the process is killed in the middle of it.

1. Everything is written into hidden folders ``.writing-<id>-<n>`` and flushed to the disk.
2. A journal ``.commit-<id>.json`` with names and hashes appears by renaming: from here on the new set is the result.
3. Each file is renamed into its place, the journal is deleted.

A kill before 2 leaves the old set; a kill after it leaves a journal, and whoever writes there next completes it. Locks
are the kernel's (``flock`` on the folders themselves): they end with their process and leave no file. A hidden folder
is locked by its writer for as long as it lives, so that what a dead process left is known and removed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bishan_gis.errors import OutputError
from bishan_gis.sources.datasets import file_sha256

try:
    import fcntl
except ImportError:  # not on Windows: no locks there
    fcntl = None  # type: ignore[assignment]

__all__ = ["HIDDEN", "Move", "commit_set", "flush", "hold", "locked", "recover", "recover_unfinished"]

#: How hidden folders begin.
HIDDEN = ".writing-"
_JOURNAL = ".commit-"
_OLD = ".old"
_WAIT_S = 60.0
_ABANDONED_S = 86_400.0
#: A file system that knows no locks says one of these.
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@dataclass(frozen=True)
class Move:
    """A file that goes to its place, or goes away.

    Attributes
    ----------
    folder : int
        Number of its folder.
    name : str
        Its name there.
    sha256 : str
        Of its bytes. A file that goes away must have these bytes still, or it stays.
    """

    folder: int
    name: str
    sha256: str


def hold(folder: Path, *, wait_s: float = 0.0) -> int | None:
    """Lock a folder until its descriptor is closed or the process ends.

    Parameters
    ----------
    folder : pathlib.Path
        The folder; no file is made in it.
    wait_s : float
        How long to wait for another process [s].

    Returns
    -------
    int or None
        The descriptor; None where the file system or system has no locks.

    Raises
    ------
    BlockingIOError
        Another process held it all the time.
    """
    if fcntl is None:
        return None
    end = time.monotonic() + wait_s
    number = os.open(folder, os.O_RDONLY)
    try:
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.02)
            else:
                return number
    except OSError as err:
        os.close(number)
        if err.errno in _NO_LOCKS and not isinstance(err, BlockingIOError):
            return None
        raise


@contextlib.contextmanager
def locked(folders: Iterable[Path], *, wait_s: float = _WAIT_S) -> Iterator[None]:
    """Hold folders, and those that unfinished sets in them reach into, and complete those sets first.

    Parameters
    ----------
    folders : iterable of pathlib.Path
        Folders that are there.
    wait_s : float
        How long to wait for another process [s].

    Raises
    ------
    OutputError
        Another process writes there all the time.
    """
    wanted = _linked(folders)
    while True:
        with contextlib.ExitStack() as stack:
            for folder in sorted(wanted):
                try:
                    number = hold(folder, wait_s=wait_s)
                except BlockingIOError as err:
                    raise OutputError(
                        f"另一个进程正在写入 {folder} (已等待 {wait_s:.0f} 秒);请等它结束后再运行",
                        f"another process is writing to {folder} (waited {wait_s:.0f} s); run again when it has ended",
                    ) from err
                if number is not None:
                    stack.callback(os.close, number)
            again = _linked(folders)
            if again <= wanted:
                for folder in sorted(wanted):
                    _complete_all(folder)
                yield
                return
        wanted |= again


def recover(folders: Iterable[Path]) -> None:
    """Complete what a killed process had begun to move, and remove what it had only begun to write.

    Parameters
    ----------
    folders : iterable of pathlib.Path
        Folders that are there.

    Raises
    ------
    OutputError
        Another process writes there all the time.
    """
    with locked(folders):
        pass


def recover_unfinished(folder: Path) -> None:
    """Complete the sets of a folder that a killed process had begun to move; nothing else is touched.

    Parameters
    ----------
    folder : pathlib.Path
        A folder that is read, there or not.

    Raises
    ------
    OutputError
        It may not be written, or another process writes there all the time.
    """
    if not any(folder.glob(f"{_JOURNAL}*.json")):
        return
    try:
        recover([folder])
    except OSError as err:
        raise OutputError(
            f"{folder}: 上次写入中断,无法补完: {err.strerror or err};请用有写权限的账户再运行一次",
            f"{folder}: a write was interrupted and cannot be completed: {err.strerror or err}; run once as a user "
            "who may write there",
        ) from err


def commit_set(ident: str, folders: Sequence[Path], moves: Sequence[Move], removes: Sequence[Move] = ()) -> None:
    """Move files from the hidden folders of `ident` into place, all of them or none.

    Parameters
    ----------
    ident : str
        Of the hidden folders ``.writing-<ident>-<n>``.
    folders : sequence of pathlib.Path
        Final folders, by number.
    moves : sequence of Move
        What goes into place, in this order.
    removes : sequence of Move
        What goes away.

    Raises
    ------
    OSError
        A file cannot be moved; what stood there before stands again.
    """
    for i in sorted({m.folder for m in moves}):
        hidden = _hidden(folders[i], ident, i)
        for m in moves:
            if m.folder == i:
                flush(hidden / m.name)
        flush(hidden)
    with locked(folders):
        _refuse_folders(folders, moves)
        journal = folders[0].resolve() / f"{_JOURNAL}{ident}.json"
        done: list[Move] = []
        try:
            _write_journals(journal, folders, moves, removes)
            for m in moves:
                _keep_old(folders[m.folder], ident, m)
                done.append(m)
                (_hidden(folders[m.folder], ident, m.folder) / m.name).replace(folders[m.folder] / m.name)
        except OSError:
            _undo(folders, ident, done)
            _forget(ident, folders, journal)
            raise
        _remove(folders, removes)
        for folder in folders:
            with contextlib.suppress(OSError):  # the set stands
                flush(folder)
        _forget(ident, folders, journal)


def flush(path: Path) -> None:
    """Make sure that a file, or what a folder lists, is on the disk.

    Parameters
    ----------
    path : pathlib.Path
        File or folder.

    Raises
    ------
    OSError
        The disk does not take it.
    """
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as err:
        if err.errno not in _NO_LOCKS | {errno.EBADF, errno.EROFS}:
            raise
    finally:
        os.close(number)


def _hidden(folder: Path, ident: str, number: int) -> Path:
    return folder / f"{HIDDEN}{ident}-{number}"


def _refuse_folders(folders: Sequence[Path], moves: Sequence[Move]) -> None:
    for m in moves:
        target = folders[m.folder] / m.name
        if target.is_dir() and not target.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))


def _write_journals(journal: Path, folders: Sequence[Path], moves: Sequence[Move], removes: Sequence[Move]) -> None:
    """Write where the journal is into the other folders, then the journal; its renaming is the moment that counts."""
    lead = journal.parent
    for folder in {f.resolve() for f in folders} - {lead}:
        _appear(folder / journal.name, {"lead": _way(lead, folder)})
    text = {
        "folders": [_way(f.resolve(), lead) for f in folders],
        "moves": [[m.folder, m.name, m.sha256] for m in moves],
        "removes": [[m.folder, m.name, m.sha256] for m in removes],
    }
    _appear(journal, text)


def _appear(path: Path, value: Any) -> None:
    """Write a small file that is whole or not there."""
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        flush(part)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    flush(path.parent)


def _way(folder: Path, start: Path) -> str:
    """Return the way from one folder to another, so that a study that is moved still completes."""
    try:
        return os.path.relpath(folder, start)
    except ValueError:  # another drive
        return str(folder)


def _keep_old(folder: Path, ident: str, m: Move) -> None:
    """Keep the file that is about to be replaced until the set stands."""
    target, kept = folder / m.name, _hidden(folder, ident, m.folder) / _OLD / m.name
    if target.exists():
        kept.parent.mkdir(exist_ok=True)
        try:
            os.link(target, kept)
        except OSError:  # FAT knows no second names
            shutil.copy2(target, kept)


def _undo(folders: Sequence[Path], ident: str, done: Sequence[Move]) -> None:
    """Take back what was moved. New files go back to the hidden folder: a kill now can still be completed."""
    for m in reversed(done):
        hidden, target = _hidden(folders[m.folder], ident, m.folder), folders[m.folder] / m.name
        if not (hidden / m.name).exists():
            target.replace(hidden / m.name)
        if (hidden / _OLD / m.name).exists():
            (hidden / _OLD / m.name).replace(target)


def _remove(folders: Sequence[Path], removes: Sequence[Move]) -> None:
    for m in removes:
        target = folders[m.folder] / m.name
        with contextlib.suppress(OSError):
            if target.is_file() and file_sha256(target) == m.sha256:
                target.unlink()


def _forget(ident: str, folders: Iterable[Path], journal: Path) -> None:
    """Delete the journal, then what points to it, then the hidden folders."""
    journal.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        flush(journal.parent)
    for i, folder in enumerate(folders):
        (folder / journal.name).unlink(missing_ok=True)
        shutil.rmtree(_hidden(folder, ident, i), ignore_errors=True)


def _linked(folders: Iterable[Path]) -> set[Path]:
    """Return the folders, and those that unfinished sets in them reach into."""
    out = {f.resolve() for f in folders}
    for folder in list(out):
        for file in folder.glob(f"{_JOURNAL}*.json"):
            lead, _ = _lead_of(file)
            for other in _read(lead / file.name).get("folders", ()):
                target = (lead / str(other)).resolve()
                if target.is_dir() and (target == lead or (target / file.name).is_file()):
                    out.add(target)
    return out


def _lead_of(file: Path) -> tuple[Path, bool]:
    lead = _read(file).get("lead")
    return ((file.parent / lead).resolve(), False) if isinstance(lead, str) else (file.parent.resolve(), True)


def _read(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _complete_all(folder: Path) -> None:
    """Complete the sets of a folder that is locked, and remove what dead processes left."""
    for file in sorted(folder.glob(f"{_JOURNAL}*.json")):
        ident = file.stem.removeprefix(_JOURNAL)
        lead, is_lead = _lead_of(file)
        text = _read(lead / file.name)
        if is_lead or "folders" in text:
            _complete(ident, lead, text)
        file.unlink(missing_ok=True)
    for part in folder.glob(f"{_JOURNAL}*.part"):
        part.unlink(missing_ok=True)
    for hidden in folder.glob(f"{HIDDEN}*"):
        if hidden.is_dir() and not hidden.is_symlink() and _is_abandoned(hidden):
            shutil.rmtree(hidden, ignore_errors=True)


def _complete(ident: str, lead: Path, text: dict[str, Any]) -> None:
    """Roll a set forward. Names are plain, and folders hold the journal or point to it: no journal reaches further."""
    file = lead / f"{_JOURNAL}{ident}.json"
    given = [(lead / str(f)).resolve() for f in text.get("folders", ())]
    # A set that was complete in one folder has lost its pointer there; nothing of it is left to move.
    folders = [f if f == lead or (f / file.name).is_file() else None for f in given]
    moves, removes = (
        [
            (folders[m[0]], _hidden(given[m[0]], ident, m[0]), Move(*m))
            for m in text.get(key, ())
            if isinstance(m, list) and len(m) == 3 and 0 <= m[0] < len(folders) and _is_plain(m[1])
        ]
        for key in ("moves", "removes")
    )
    waiting = [(f, h, m) for f, h, m in moves if f is not None and (h / m.name).is_file()]
    if all(file_sha256(h / m.name) == m.sha256 for _, h, m in waiting):
        for place, hidden, m in waiting:
            if place is not None:
                (hidden / m.name).replace(place / m.name)
        for folder, _, m in removes:
            if folder is not None:
                _remove([folder], [Move(0, m.name, m.sha256)])
    _forget(ident, [f or lead for f in folders], file)


def _is_plain(name: Any) -> bool:
    return isinstance(name, str) and Path(name).name == name and not name.startswith(".")


def _is_abandoned(hidden: Path) -> bool:
    try:
        number = hold(hidden)
    except OSError:
        return False
    if number is None:
        return time.time() - hidden.stat().st_mtime > _ABANDONED_S
    os.close(number)
    return True
