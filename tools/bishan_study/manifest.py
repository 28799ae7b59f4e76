"""The list of datasets with their hashes, and the folder's README."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ORDER = ["path", "title", "title_en", "source", "source_zh", "licence", "licence_zh", "date", "datum", "kind", "sha256"]
ORDER += ["bytes", "note", "note_zh"]
HEAD = "# Written by tools/make_bishan_study.py: the files of the embedded study data, their sources and hashes."


def read_template() -> list[dict[str, str]]:
    """Read what is known of every file."""
    text = (HERE / "datasets_template.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["dataset"]


def write_datasets(path: Path, root: Path) -> None:
    """Write datasets.toml: one table per file, with its hash and size.

    Parameters
    ----------
    path : Path
        Target file.
    root : Path
        Folder that the datasets' paths start from.
    """
    lines = [HEAD, ""]
    for entry in read_template():
        body = (root / entry["path"]).read_bytes()
        values: dict[str, str | int] = {**entry, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
        lines.append("[[dataset]]")
        for key in [k for k in ORDER if k in values or not k.endswith("_zh")]:
            text = json.dumps(values[key], ensure_ascii=False)
            lines.append(f"{key} = {text}")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8", newline="\n")


def write_readme(path: Path, gaps: list[dict[str, str]]) -> None:
    """Write the folder's README from the list of datasets and the planted gaps."""
    rows = [
        f"| `{Path(d['path']).name}` | {d['title']} / {d['title_en']} | {d['kind']} | {d['source']} | {d['licence']} |"
        for d in read_template()
    ]
    planted = [f"| {g['service']} | {g['where']} | {g['factor']} | {g['why']} |" for g in gaps]
    text = (HERE / "readme_template.md").read_text(encoding="utf-8")
    text = text.replace("{{files}}", "\n".join(rows)).replace("{{gaps}}", "\n".join(planted))
    path.write_text(text, encoding="utf-8", newline="\n")
