"""The project as a thing: its files agree, its wheel works, its command is quick and honest about errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from toy_study import write_toy_study

ROOT = Path(__file__).parent.parent
CLI = [sys.executable, "-m", "bishan_gis.cli"]


def _run(*args: object, cwd: Path | None = None, env: dict | None = None) -> subprocess.CompletedProcess:
    full = {**os.environ, "COLUMNS": "200", "LANG": "zh_CN.UTF-8", **(env or {})}
    return subprocess.run([*CLI, *map(str, args)], capture_output=True, text=True, encoding="utf-8", cwd=cwd, env=full)


def test_environment_yml_mirrors_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    after_pip = lines[lines.index("  - pip:") + 1 :]
    assert [x.strip().removeprefix("- ") for x in after_pip] == project["dependencies"]
    assert f"  - python{project['requires-python']}" in lines


def test_constraints_pin_every_dependency_and_name_no_index():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {x.split("==")[0].lower().replace("_", "-") for x in lines if "==" in x}
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(d for extra in extras for d in extra)]
    missing = [w for w in wanted if w.split(">")[0].lower() not in pinned]
    assert not missing
    assert not [x for x in lines if "://" in x or x.startswith("-")]


def test_nothing_of_bishan_in_the_code():
    words = ("bishan district", "璧山", "璧城", "北延")
    found = [
        f"{path}: {word}"
        for path in sorted((ROOT / "bishan_gis").rglob("*"))
        # policy.csv is the text of a policy, the catalogue that a study may replace by its own.
        if path.suffix in (".py", ".toml", ".csv", ".js", ".css") and "template" not in path.name
        if path.name != "policy.csv"
        for word in words
        if word in path.read_text(encoding="utf-8").lower()
    ]
    assert not found


def test_help_loads_nothing_heavy():
    code = (
        "import sys, bishan_gis.cli; print([m for m in ('geopandas', 'numba', 'osmnx', 'pandas') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
    assert "init" in _run("--help").stdout


def test_init_check_run_info(tmp_path):
    done = _run("init", tmp_path / "mine")
    assert done.returncode == 0
    template = (tmp_path / "mine" / "study.toml").read_text(encoding="utf-8")
    assert "人口" in template
    # the template is a valid study that only lacks its files
    lacking = _run("check", tmp_path / "mine")
    assert lacking.returncode == 2
    assert "缺少" in lacking.stderr
    assert _run("init", tmp_path / "mine").returncode == 4

    study = write_toy_study(tmp_path / "toy")
    checked = _run("check", study, "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["ok"] is True
    ran = _run("run", study, "--json")
    assert ran.returncode == 0, ran.stderr
    record = json.loads(ran.stdout)
    assert record["outputs"]
    quiet = _run("run", study.parent, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    for path in (study, study.parent / "data/raw/streets.osm", study.parent / "data/raw/townships.geojson"):
        facts = _run("info", path, "--json")
        assert facts.returncode == 0, facts.stderr
        assert json.loads(facts.stdout)
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(b"not a pbf at all")
    told = _run("info", broken)
    assert told.returncode == 2
    assert len(told.stderr.strip().splitlines()) == 1


def test_wheel_carries_its_data_and_runs_anywhere(tmp_path):
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    source = tmp_path / "checkout"
    for name in listed.stdout.splitlines():
        if name.startswith(("bishan_gis/", "pyproject", "README", "LICENSE")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    quiet = {"check": True, "capture_output": True}
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", source]
    subprocess.run(list(map(str, build)), **quiet)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    place = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", place, wheel]
    subprocess.run(list(map(str, pip)), **quiet)
    study = write_toy_study(tmp_path / "far" / "away")
    code = (
        "import sys, bishan_gis as bg; r = bg.run(sys.argv[1]); "
        "print(bg.__file__, len(r.coverage)); assert str(sys.argv[2]) in bg.__file__"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(study), str(place)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (study.parent / "maps" / "index.html").exists()


@pytest.mark.parametrize("target", ["run", "test", "check", "bench", "notebooks", "docs", "stress", "audit", "clean"])
def test_make_help_lists_every_target(target):
    out = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"make {target} " in out
