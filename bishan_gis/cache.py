"""What was computed before, kept on disk by what it was computed from.

The store is one folder of files ``<stage>-<key>-<digest>.<form>``. The *key* says what a value was made from (stage,
code, inputs); the *digest* is the SHA-256 of the file itself. So a file is found by its key, is checked by its
own name, and the stages that go on from it have its digest in their keys: what comes out the same stops the work there.

- A file appears by renaming: it is whole or not there. There are no locks: two processes at once write the same file.
- A file that is cut short or damaged does not match its name; it is made again.
- Values always pass through the file, also when they have just been made: a run from nothing and one from the store see
  the same tables, to the last bit.
- Nothing in a file is run when it is read.
- Of inputs that are large or many it is remembered which bytes they had, by size, times and inode (``seen.json``); what
  was changed less than two seconds before that is not believed, and read again.

As :mod:`bishan_gis.network.storage`, the store is the analyst's own and an exception to the rule that only ``sources/``
reads and only ``output/`` writes. It may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from bishan_gis.errors import OutputError

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

__all__ = ["Form", "Kept", "Store", "code_fingerprint"]

#: Hexadecimal digits of a key or digest in a file name.
_DIGITS = 32
_HIDDEN = ".writing-"
_ABANDONED_S = 3600.0
_SEEN = "seen.json"
#: A file that was changed this shortly before it was read [ns] may change again without a sign of it.
_RACY_NS = 2_000_000_000
#: Packages whose version may change a result.
_PACKAGES = (
    *("numpy", "pandas", "pyarrow", "scipy", "numba", "shapely", "pyproj", "geopandas", "pyogrio", "rasterio"),
    *("exactextract", "osmium", "h3", "contourpy"),
)


class Form(Protocol):
    """How a value is written into a file and read again; equal values give equal bytes."""

    suffix: str

    def write(self, value: Any, path: Path) -> None:
        """Write a value."""

    def read(self, data: bytes, path: Path) -> Any:
        """Read it from its bytes, which are those of the file."""


class Kept:
    """A value of a stage: known by its digest, read only when it is asked for.

    Attributes
    ----------
    digest : str
        SHA-256 of its file; stages that go on from it have it in their keys.
    """

    def __init__(self, path: Path, form: Form, again: Callable[[], Path]) -> None:
        self._path, self._form, self._again = path, form, again
        self._value: Any = None
        self._read = False

    @property
    def digest(self) -> str:
        """SHA-256 of the file, as its name says."""
        return self._path.stem.rpartition("-")[2]

    @property
    def value(self) -> Any:
        """The value; it is made again where the file is gone or damaged. Not to be changed."""
        if not self._read:
            data = _bytes(self._path)
            if data is None or _hash(data) != self.digest:
                self._path = self._again()
                data = self._path.read_bytes()
            self._value, self._read = self._form.read(data, self._path), True
        return self._value


class Store:
    """A folder of values that were computed before.

    Parameters
    ----------
    folder : pathlib.Path or None
        Made if it is not there. None: a folder of this process only, gone when the store is closed.
    code : str, optional
        What stands for the program in all keys; default :func:`code_fingerprint`.
    limit_mb : float
        When the store is closed, the files not used for longest go until the rest is at most this large [MB]; what
        this process used stays.

    Raises
    ------
    OutputError
        The folder cannot be written.

    Examples
    --------
    >>> from bishan_gis.stages import TABLES
    >>> with Store(None, code="1") as store:
    ...     people = store.keep("people", ["census 2020"], lambda: {"all": 3}, TABLES)
    ...     again = store.keep("people", ["census 2020"], lambda: {"all": 0}, TABLES)
    ...     dict(again.value), store.made
    ({'all': 3}, ['people'])
    """

    def __init__(self, folder: Path | None, *, code: str | None = None, limit_mb: float = 512.0) -> None:
        self._own = _own_folder() if folder is None else None
        self.folder = folder if folder is not None else Path(self._own.name if self._own else "")
        self.limit_mb = limit_mb
        #: Stages that were computed, not found, in this process; ``stage:part`` where a stage has parts.
        self.made: list[str] = []
        self._used: set[str] = set()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._files = {p.stem.rpartition("-")[0]: p for p in self.folder.iterdir() if _HIDDEN not in p.name}
        except OSError as err:
            raise _unwritable(self.folder, err) from err
        self._seen = _load_seen(self.folder / _SEEN)
        self._new: dict[str, Any] = {}
        self.code = code or self._code()

    def __enter__(self) -> Store:
        """Return the store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the folder within its size."""
        if self._own:
            self._own.cleanup()
        elif kind is None:
            self._save_seen()
            if self.made:
                self._tidy()

    def file_digest(self, path: Path) -> str:
        """Return the SHA-256 of a file, or of all in a folder; remembered for as long as the file stays as it is.

        Parameters
        ----------
        path : pathlib.Path
            The file.

        Notes
        -----
        A file is taken to be as it was where size, inode and both times (of its content, and of any change, which no
        program can set) are, and where it had not been touched for two seconds when it was read.
        """
        from bishan_gis.sources.datasets import file_sha256

        if path.is_dir():
            return file_sha256(path)
        return self._remember(str(path), _facts(path), lambda: file_sha256(path))

    def _remember(self, name: str, facts: list[Any], make: Callable[[], str]) -> str:
        known = self._seen.get(name)
        if known and known[0] == facts:
            self._new[name] = known
            return str(known[1])
        now, value = time.time_ns(), make()
        if max((t for t in facts if isinstance(t, int)), default=0) < now - _RACY_NS:
            self._new[name] = [facts, value]
        return value

    def _code(self) -> str:
        """Return the fingerprint of the program, remembered as that of a file is."""
        facts = [sys.version, *_package_facts()]
        return self._remember("code", facts, code_fingerprint)

    def _save_seen(self) -> None:
        """Remember what was seen; two processes at once may forget what the other saw, and read it again."""
        if self._new.items() <= self._seen.items():
            return
        text = json.dumps(self._seen | self._new, ensure_ascii=False, sort_keys=True)
        hidden = self.folder / f"{_HIDDEN}{os.getpid()}-{os.urandom(6).hex()}"
        try:
            hidden.write_text(f"{_hash(text.encode())}\n{text}", encoding="utf-8")
            hidden.replace(self.folder / _SEEN)
        except OSError as err:
            hidden.unlink(missing_ok=True)
            raise _unwritable(self.folder, err) from err

    def keep(self, stage: str, needs: Iterable[Any], make: Callable[[], Any], form: Form) -> Kept:
        """Return what a stage gives, from the store or by making it.

        Parameters
        ----------
        stage : str
            Name of the stage.
        needs : iterable
            Everything the value depends on besides the code: `Kept` values, and what JSON can write.
        make : callable
            Computes the value.
        form : Form
            How it is kept.

        Returns
        -------
        Kept
            The value, not read yet.
        """
        return self.keep_each(stage, {"": needs}, lambda _: {"": make()}, form)[""]

    def keep_each(
        self,
        stage: str,
        needs: Mapping[str, Iterable[Any]],
        make: Callable[[list[str]], Mapping[str, Any]],
        form: Form,
    ) -> dict[str, Kept]:
        """Return the parts of a stage, each from the store or, all that are missing at once, by making them.

        Parameters
        ----------
        stage : str
            Name of the stage.
        needs : mapping
            Part -> everything its value depends on, see :meth:`keep`.
        make : callable
            Takes the parts that are missing and returns their values; each must not depend on which others are.
        form : Form
            How they are kept.

        Returns
        -------
        dict
            Part -> its value, not read yet, in the order of `needs`.
        """
        keys = {part: f"{stage}-{self._key(stage, part, wanted)}" for part, wanted in needs.items()}
        absent = [part for part, key in keys.items() if not self._find(key)]
        if absent:
            self._make(stage, absent, keys, make, form)
        out = {}
        for part, key in keys.items():

            def again(part: str = part, key: str = key) -> Path:
                self._make(stage, [part], keys, make, form)
                return self._files[key]

            out[part] = Kept(self._files[key], form, again)
        return out

    def _key(self, stage: str, part: str, needs: Iterable[Any]) -> str:
        given = [n.digest if isinstance(n, Kept) else n for n in needs]
        text = json.dumps([self.code, stage, part, given], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]

    def _find(self, key: str) -> bool:
        """Say whether there is a file, and mark it as used."""
        self._used.add(key)
        try:
            os.utime(self._files[key])
        except (KeyError, OSError):
            return False
        return True

    def _make(
        self,
        stage: str,
        parts: list[str],
        keys: Mapping[str, str],
        make: Callable[[list[str]], Mapping[str, Any]],
        form: Form,
    ) -> None:
        values = make(parts)
        for part in parts:
            self._files[keys[part]] = self._write(keys[part], values[part], form)
            self.made.append(f"{stage}:{part}" if part else stage)

    def _write(self, key: str, value: Any, form: Form) -> Path:
        try:
            hidden = self.folder / f"{_HIDDEN}{os.getpid()}-{os.urandom(6).hex()}"
            try:
                form.write(value, hidden)
                path = self.folder / f"{key}-{_digest(hidden)}.{form.suffix}"
                old = self._files.get(key)
                hidden.replace(path)
            finally:
                hidden.unlink(missing_ok=True)
            if old and old != path:
                old.unlink(missing_ok=True)
        except OSError as err:
            raise _unwritable(self.folder, err) from err
        return path

    def _tidy(self) -> None:
        """Remove what was not used for longest, and what a killed process left half written."""
        files, now = [], time.time()
        for path in self.folder.iterdir():
            try:
                facts = path.stat()
                if path.name.startswith(_HIDDEN):
                    if now - facts.st_mtime > _ABANDONED_S:
                        path.unlink(missing_ok=True)
                else:
                    files.append((facts.st_mtime, facts.st_size, path))
            except OSError:  # another process was quicker
                continue
        files = [f for f in files if f[2].name != _SEEN]
        size = sum(f[1] for f in files)
        for _, length, path in sorted(files):
            if size <= self.limit_mb * 1e6:
                break
            if path.stem.rpartition("-")[0] in self._used:
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError:
                continue
            size -= length


def code_fingerprint() -> str:
    """Return what stands for the program: the package's own files, Python, and the packages that compute.

    Returns
    -------
    str
        Hexadecimal; changes whenever a file of the package or one of the versions does.
    """
    import platform
    from importlib.metadata import PackageNotFoundError, version

    digest = hashlib.sha256(f"{sys.version} {platform.machine()}".encode())
    for name in _PACKAGES:
        try:
            digest.update(f"{name} {version(name)}\n".encode())
        except PackageNotFoundError:
            digest.update(f"{name} none\n".encode())
    for name, file in _package_files():
        digest.update(f"{name}\0".encode() + Path(file.path).read_bytes() + b"\0")
    return digest.hexdigest()


def _package_files() -> list[tuple[str, os.DirEntry[str]]]:
    """Return the files of the package that may change a result, by name: not those that only pages carry."""
    out: list[tuple[str, os.DirEntry[str]]] = []
    waiting = [("", str(Path(__file__).parent))]
    while waiting:
        above, folder = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name not in ("__pycache__", "assets"):
                        waiting.append((f"{above}{entry.name}/", entry.path))
                else:
                    out.append((above + entry.name, entry))
    return sorted(out, key=lambda pair: pair[0])


def _package_facts() -> list[Any]:
    """Return what stands for the program without reading it: facts of its files, and of where packages live."""
    text, last = [], 0
    for name, entry in _package_files():
        facts = entry.stat()
        text.append(f"{name} {facts.st_size} {facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_ino}")
        last = max(last, facts.st_ctime_ns)
    for place in sys.path:
        # Packages that come, go or change their version change the folder they are listed in.
        own = _facts(Path(place)) if place.endswith("site-packages") else []
        text.append(f"{place} {own}")
    return [_hash("\n".join(text).encode("utf-8", "surrogatepass")), last]


def _facts(path: Path) -> list[Any]:
    """Return size, times and inode of a file; nothing where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return []
    return [str(facts.st_size), facts.st_mtime_ns, facts.st_ctime_ns, str(facts.st_ino)]


def _load_seen(path: Path) -> dict[str, Any]:
    """Read what was remembered; nothing where it is not there or not whole."""
    head, _, text = (_bytes(path) or b"").partition(b"\n")
    if not text or _hash(text) != head.decode("ascii", "replace"):
        return {}
    seen: dict[str, Any] = json.loads(text)
    return seen


def _own_folder() -> TemporaryDirectory[str]:
    from tempfile import TemporaryDirectory

    return TemporaryDirectory(prefix="bishan_gis-")


def _bytes(path: Path) -> bytes | None:
    """Return what a file holds; None where it is not there."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def _digest(path: Path) -> str:
    """Return the digest of a file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()[:_DIGITS]


def _unwritable(folder: Path, err: OSError) -> OutputError:
    return OutputError(
        f"无法写入缓存 {folder}: {err.strerror or err};请检查权限和磁盘空间,或加 --no-cache",
        f"cannot write the cache {folder}: {err.strerror or err}; check permissions and free space, or use --no-cache",
    )
