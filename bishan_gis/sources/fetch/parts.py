"""Files that have not come whole yet: ``<name>.part``, and beside it how the server marked the file."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["drop_part", "held_part", "marks_file"]


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
