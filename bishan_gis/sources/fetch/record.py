"""Entries of ``datasets.toml``: written one by one, everything else in the file stays as it is."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from bishan_gis.errors import DatasetError, OutputError

__all__ = ["record_dataset"]

_ORDER = (
    *("path", "title", "title_en", "source", "source_zh", "url", "licence", "licence_zh", "date", "datum", "kind"),
    *("sha256", "bytes", "note", "note_zh"),
)
_HEAD = "# Written by `bishan-gis fetch`: what was fetched, from where, and its hashes. Paths start at this file.\n"
_TABLE = re.compile(r"^[ \t]*\[", re.M)


def record_dataset(manifest: Path, entry: Mapping[str, str | int], *, draft: Path | None = None) -> None:
    """Enter a file in a manifest, or bring its entry up to date.

    Parameters
    ----------
    manifest : pathlib.Path
        ``datasets.toml``; made where it is not there.
    entry : mapping
        Keys and values of the entry; ``path`` says which one it is.
    draft : pathlib.Path, optional
        Where the new text goes instead; what it says already is kept.

    Raises
    ------
    DatasetError
        The manifest is not TOML; it is left as it is.
    OutputError
        It cannot be written; it is left as it is.

    Notes
    -----
    Comments, order and the other entries are kept byte for byte. The file is replaced in one step.
    """
    text = _read(draft if draft and draft.exists() else manifest)
    lines = [f"{k} = {_value(entry[k])}" for k in _ORDER if k in entry]
    block = "\n".join(["[[dataset]]", *lines]) + "\n"
    span = _find(text, str(entry["path"]))
    if span is None:
        new = (text.rstrip("\n") + "\n\n" if text.strip() else _HEAD + "\n") + block
    else:
        new = text[: span[0]] + block + text[span[1] :]
    _same_but(manifest, text, new, str(entry["path"]))
    mode = manifest.stat().st_mode & 0o777 if manifest.exists() else 0o644
    _write(draft or manifest, new, mode)


def _value(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    # A JSON string is a TOML string, but for U+007F, which TOML wants escaped.
    return json.dumps("".join(c for c in value if c.isprintable() or c == " "), ensure_ascii=False)


def _read(manifest: Path) -> str:
    try:
        # Bytes, so that line ends stay what they are.
        text = manifest.read_bytes().decode("utf-8")
        tomllib.loads(text)
    except FileNotFoundError:
        return ""
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise DatasetError(
            f"{manifest}: 不是有效的 UTF-8 TOML: {err};请先更正",
            f"{manifest}: not valid UTF-8 TOML: {err}; mend it first",
        ) from err
    return text


def _find(text: str, path: str) -> tuple[int, int] | None:
    """Return where the entry of a path begins and ends: with its last key, before blank lines and comments."""
    starts = [m.start() for m in _TABLE.finditer(text)] + [len(text)]
    for begin, end in pairwise(starts):
        block = text[begin:end]
        if not re.match(r"\s*\[\[\s*dataset\s*\]\]", block):
            continue
        try:
            found = tomllib.loads(block)["dataset"][0]
        except tomllib.TOMLDecodeError:
            continue
        if found.get("path") == path:
            lines = block.splitlines(keepends=True)
            while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
                lines.pop()
            return begin, begin + len("".join(lines))
    return None


def _same_but(manifest: Path, old: str, new: str, path: str) -> None:
    """Raise unless the change touched one entry only."""

    def others(text: str) -> list[object]:
        return [d for d in tomllib.loads(text).get("dataset", []) if d.get("path") != path]

    try:
        good = others(old) == others(new)
    except tomllib.TOMLDecodeError:
        good = False
    if not good:
        raise DatasetError(
            f"{manifest}: 无法只改 {path} 一项;请手工更新",
            f"{manifest}: the entry of {path} cannot be changed alone; update it by hand",
        )


def _write(manifest: Path, text: str, mode: int) -> None:
    name = ""
    try:
        manifest.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", dir=manifest.parent)
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode("utf-8"))
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(mode)
        Path(name).replace(manifest)
    except OSError as err:
        if name:
            Path(name).unlink(missing_ok=True)
        raise OutputError(
            f"无法写入 {manifest}: {err.strerror or err}", f"cannot write {manifest}: {err.strerror or err}"
        ) from err
