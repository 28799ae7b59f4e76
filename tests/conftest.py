"""Runs that several test modules look at, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHROMIUM = "/usr/bin/chromium"


#: Files whose tests look at the run of the embedded study: one process makes it once for all of them.
WHOLE = ("test_browser_bishan.py", "test_policy.py", "test_run.py", "test_standards.py", "test_whatif.py")
#: What takes minutes begins first, so that no process waits for another at the end.
LONG = (*WHOLE, "test_stages.py", "test_study_data.py", "test_crash.py", "test_browser_pages.py", "test_project.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a file to one process, and all files of `WHOLE` to the same one."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "whole" if Path(file).name in WHOLE else file

    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    """Begin with what takes minutes; whoever looks at the run of the embedded study must be of `WHOLE`."""
    for item in items:
        if "bishan_results" in getattr(item, "fixturenames", ()) and not list(item.iter_markers("skipif")):
            assert item.path.name in WHOLE, f"{item.path.name} looks at the run of the embedded study: add it to WHOLE"
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


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
