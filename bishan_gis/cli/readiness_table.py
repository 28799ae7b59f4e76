"""The table of readiness on the terminal."""

from __future__ import annotations

from typing import Any

from bishan_gis.schema import KIND_ZH

__all__ = ["show_readiness"]

_STATES = {
    "missing": ("缺少", "red"),
    "doubtful": ("存疑", "yellow"),
    "stale": ("过期", "yellow"),
    "present": ("可用", "green"),
    "absent": ("未提供", "dim"),
}


def show_readiness(rows: list[dict[str, Any]], lang: str, *, title: str) -> None:
    """Show what is there, how old it is, what speaks against it, and what is impossible without it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    zh = lang == "zh"
    table = Table(title=Text(f"{title} · " + ("资料齐备情况" if zh else "readiness of the data")))
    for head in ("资料", "状态", "文件", "说明") if zh else ("data", "status", "file", "why, and what it is for"):
        table.add_column(head, overflow="fold")
    for row in rows:
        word, style = _STATES[row["status"]]
        kind = KIND_ZH.get(row["kind"], row["kind"]) if zh else row["kind"]
        about = [row["file"], " · ".join(v for v in (kind, row["date"], row["licence"]) if v)]
        said = [row[f"reason_{lang}"]]
        if row["better"]:
            said.append(f"更好的文件尚不存在: {row['better']}" if zh else f"better, not there yet: {row['better']}")
        if row["status"] != "present":
            word_for = "影响" if row["status"] in ("doubtful", "stale") else "没有它则无法"
            also = "rests on it" if row["status"] in ("doubtful", "stale") else "impossible without it"
            prevented = row[f"prevents_{lang}"]
            said.append(f"{word_for}: {prevented}" if zh else f"{also}: {prevented}")
        lines = ["\n".join(v for v in part if v) for part in (about, said)]
        state = Text(word if zh else row["status"], style=style)
        table.add_row(Text(row[lang]), state, *(Text(v) for v in lines))
    Console().print(table)
