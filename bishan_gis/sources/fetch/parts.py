"""Names of what is kept; what has not come whole yet is ``<name>.part``, beside it how the server marked the file."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

__all__ = ["drop_part", "held_part", "kept_name", "marks_file"]


def kept_name(url: str) -> str:
    """Return how the file of an address is called where it is kept: another server or folder is another file.

    Examples
    --------
    >>> kept_name("https://h/a/N29.tif") == kept_name("https://h/b/N29.tif")
    False
    >>> kept_name("https://h/N29.tif?key=1").endswith("-N29.tif")
    True
    """
    last = re.sub(r"[^\w.-]", "_", url.partition("?")[0].rpartition("/")[2])[-60:]
    return f"{hashlib.sha256(url.encode()).hexdigest()[:20]}-{last}"


def marks_file(part: Path) -> Path:
    """Return where it is kept how the server marked the file that is coming."""
    return part.with_name(part.name + ".json")


def drop_part(part: Path) -> None:
    """Forget what came."""
    part.unlink(missing_ok=True)
    marks_file(part).unlink(missing_ok=True)


def held_part(part: Path, url: str) -> tuple[int, dict[str, str]]:
    """Return the bytes that are here, and how the server's file was marked when they came."""
    try:
        marks = json.loads(marks_file(part).read_text(encoding="utf-8"))
        held = part.stat().st_size
    except (OSError, ValueError):
        return 0, {}
    fits = isinstance(marks, dict) and marks.get("url") == url and isinstance(marks.get("mark"), str)
    return (held, marks) if fits and held else (0, {})
