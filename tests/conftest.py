"""Runs that several test modules look at, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHROMIUM = "/usr/bin/chromium"


#: What takes minutes begins first, so that no process waits for another at the end.
LONG = ("bishan", "test_stages.py", "test_crash.py", "test_study_data.py", "test_browser_frame.py", "test_project.py")


def pytest_collection_modifyitems(items):
    """Keep what looks at the run of the embedded study in one process, so that it is made once; else go by files."""
    place = {}
    for item in items:
        whole = "bishan_results" in getattr(item, "fixturenames", ())
        place[item] = "bishan" if whole else item.path.name
        item.add_marker(pytest.mark.xdist_group(place[item]))
    items.sort(key=lambda item: LONG.index(place[item]) if place[item] in LONG else len(LONG))


@pytest.fixture(scope="session")
def toy_results(tmp_path_factory):
    """The toy study, run and written once."""
    from toy_study import write_toy_study

    import bishan_gis as bg

    return bg.run(write_toy_study(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="session")
def bishan_results(tmp_path_factory):
    """The embedded study, run into a folder of its own."""
    import bishan_gis as bg

    out = tmp_path_factory.mktemp("bishan")
    return bg.run(_elsewhere(ROOT / "studies/bishan/study.toml", out))


@pytest.fixture(scope="session")
def browser():
    if not Path(CHROMIUM).exists():
        pytest.fail(f"{CHROMIUM} is missing: apt-get install chromium fonts-noto-cjk")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


def _elsewhere(file: Path, out: Path):
    """Return the study with its outputs somewhere else."""
    import bishan_gis as bg

    study = bg.load_study(file)
    paths = study.paths.model_copy(update={"processed": str(out / "processed"), "maps": str(out / "maps")})
    copy = study.model_copy(update={"paths": paths})
    copy._file = study.file
    return copy
