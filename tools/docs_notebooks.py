"""Run the notebooks from their scripts and write the .ipynb files that the web shows.

Usage: python tools/docs_notebooks.py [NAME ...]

Needs jupytext and nbclient (extra ``docs``). What a machine or a moment would leave (paths, times, versions of the
kernel) is taken out, so that a notebook changes only where its results do.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
MOST_BYTES = 300_000


def scripts(names: list[str]) -> list[Path]:
    """Return the scripts that are notebooks: those whose name begins with a number."""
    return [p for p in sorted(FOLDER.glob("[0-9]*.py")) if not names or p.stem in names]


def build(script: Path) -> None:
    """Run one script as a notebook and write it beside the script."""
    notebook = jupytext.read(script)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}}, record_timing=False).execute()
    notebook.metadata = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            cell["outputs"] = [_clean(o) for o in cell["outputs"] if o.get("name") != "stderr"]
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    for word in (str(ROOT), str(Path.home()) + "/", "/tmp/"):
        if len(word) > 2 and word in text:
            msg = f"{script.name}: an output names {word}"
            raise SystemExit(msg)
    if len(text.encode()) > MOST_BYTES:
        msg = f"{script.name}: {len(text.encode()):,} bytes, more than {MOST_BYTES:,}"
        raise SystemExit(msg)
    script.with_suffix(".ipynb").write_text(text, encoding="utf-8")
    print(f"{script.stem}: {len(text.encode()) / 1000:.0f} kB")


def _clean(output: dict) -> dict:
    data = output.get("data", {})
    if "image/png" in data:
        data["text/plain"] = re.sub(r" at 0x[0-9a-f]+", "", str(data.get("text/plain", "")))
    return output


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    for found in scripts(sys.argv[1:]):
        build(found)
