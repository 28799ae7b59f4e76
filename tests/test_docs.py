"""The documentation and the notebooks agree with the package and with each other."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import shapely

import bishan_gis as bg
from bishan_gis.thumbnail import TIMES, UNKNOWN, small_map, time_colors

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def _tool(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hooks():
    return _tool("docs_hooks")


def _script_cells(text: str) -> list[tuple[str, str, list[str]]]:
    """Return kind, source and tags of the cells of a percent script: jupytext's rules as far as we use them."""
    cells = []
    for block in re.split(r"^# %%", text.split("# ---\n", 2)[2], flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        tags = json.loads(found[1]) if (found := re.search(r"tags=(\[.*?\])", head)) else []
        body = body.strip("\n")
        if "[markdown]" in head:
            cells.append(("markdown", re.sub(r"^# ?", "", body, flags=re.MULTILINE), tags))
        else:
            cells.append(("code", re.sub(r"^# (%\w)", r"\1", body, flags=re.MULTILINE), tags))
    return cells


def test_there_are_eight_notebooks():
    assert [p.name[:2] for p in NOTEBOOKS] == [f"{n:02d}" for n in range(1, 9)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_its_script_with_small_outputs(path):
    raw = path.read_text(encoding="utf-8")
    notebook = json.loads(raw)
    mine = [(c["cell_type"], "".join(c["source"]), c["metadata"].get("tags", [])) for c in notebook["cells"]]
    assert mine == _script_cells(path.with_suffix(".py").read_text(encoding="utf-8"))
    assert sum("parameters" in tags for _, _, tags in mine) == 1
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(c["execution_count"] for c in code)
    assert (
        any("image/png" in o.get("data", {}) or "<img" in str(o) for c in code for o in c["outputs"])
        or "08" in path.stem
    )
    assert not [o for c in code for o in c["outputs"] if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert len(raw.encode()) < 300_000
    assert not re.search(r"/home/|/root/|/tmp/|/work/|iopub|[A-Z]:\\\\Users", raw)


def test_the_notebooks_study_is_what_the_tool_cuts(tmp_path):
    _tool("make_notebook_study").make(tmp_path)
    shipped = ROOT / "notebooks" / "data"
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (shipped / file.name).read_bytes(), file.name
    bg.load_inputs(bg.load_study(ROOT / "notebooks" / "study.toml"))  # checksums of datasets.toml


def test_tables_are_made_from_the_data(hooks):
    standards = hooks.fill("<!-- standards -->")
    assert "gb50180.circle15.distance" in standards
    assert all(f"[{tag}]" in standards for tag in "SK")
    assert len(re.findall(r"^\| \d+ \|", hooks.fill("<!-- policy -->"), re.MULTILINE)) == 65
    measures = tomllib.loads((ROOT / "bishan_gis/data/measures.toml").read_text(encoding="utf-8"))
    assert all(f"`{name}`" in hooks.fill("<!-- measures -->") for name in measures)
    assert "`ControlTotalError`" in hooks.fill("<!-- errors -->")
    assert "<script" not in hooks._table(["a"], [["<script>|"]])


def test_every_command_and_public_name_is_in_the_reference(hooks):
    from bishan_gis.cli import app

    text = hooks.fill("<!-- commands -->")
    assert all(f"### bishan-gis {c.name or c.callback.__name__}" in text for c in app.registered_commands)
    pages = "".join(hooks.reference_pages().values())
    assert all(f"::: {module}.{name}\n" in pages for name, module in bg._LAZY.items())


def test_pages_name_only_commands_and_options_that_exist(hooks):
    known = hooks.fill("<!-- commands -->")
    commands = set(re.findall(r"^### bishan-gis ([\w-]+)", known, re.MULTILINE))
    options = set(re.findall(r"--[a-z][a-z-]+", known))
    for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/en").glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"bishan-gis [^\n`#|]*", text):
            name = line.split()[1]
            assert name in commands or not re.fullmatch(r"[a-z-]+", name), (page.name, line)
            if name in commands:
                assert set(re.findall(r"--[a-z][a-z-]+", line.split("||")[0])) <= options, (page.name, line)


def test_the_site_builds_strictly_and_asks_the_network_for_nothing(tmp_path):
    pytest.importorskip("material")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(script|img|iframe)[^>]+src="https?:|<link[^>]+stylesheet[^>]+https?:', text), page.name
        assert "<!-- standards" not in text
    sizes = {p.name: p.stat().st_size for p in (ROOT / "docs/images").glob("page-*.png")}
    assert sizes
    assert max(sizes.values()) <= 150_000


def test_small_map_is_small_escaped_and_never_fails():
    square = shapely.box(0, 0, 10, 10)
    picture = small_map(areas=[([square, None, shapely.Polygon()], [TIMES[0]] * 3)], alt='"><script>')
    assert picture.startswith('<img alt="&quot;&gt;&lt;script&gt;"')
    nothing = (np.zeros(0), np.zeros(0), np.zeros(1, dtype=np.int64))
    assert small_map(lines=nothing) == ""
    point = small_map(dots=(np.array([1.0]), np.array([2.0])))
    assert "base64" in point
    unknown = np.array([False, True])
    assert time_colors(np.array([0.0, 1.0]), unknown) == [TIMES[0], UNKNOWN]


def test_reprs_hold_a_map_and_escape_names(tmp_path):
    from toy_study import write_toy_study

    results = bg.run(write_toy_study(tmp_path), write=False)
    results.study = named = results.study.model_copy(update={"name": "<b>x</b>"})
    named._file = tmp_path / "study.toml"
    for thing in (results, results.network, results.study):
        shown = thing._repr_html_()
        assert "data:image/png;base64," in shown
        assert len(shown) < 60_000
        assert "<b>x</b>" not in shown
        assert str(tmp_path) not in shown
    (tmp_path / "data/raw/townships.geojson").unlink()
    assert "<img" not in results.study._repr_html_()
