"""Every package that a run needs has a licence that allows it, and the page says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import audit  # noqa: E402
import licences  # noqa: E402
import sbom  # noqa: E402


def test_licences_are_on_the_list():
    found = licences.rows()
    assert len(found) > 40
    assert not [(name, text) for name, _, text, good in found if not good]
    page = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    named = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")} - {"package"}
    direct = {"geopandas", "numba", "osmium", "pydantic", "typer", "xstatic-leaflet"}
    assert direct <= named
    assert not {"pandana", "cityseer"} & {name for name, *_ in found}, "AGPL: tests only"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND Zlib", True),
        ("Apache Software License", True),
        ("LGPL-2.1", True),
        ("GPL-3.0 OR MIT", True),
        ("AGPL-3.0", False),
        ("GNU Affero General Public License v3", False),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0", False),
        ("BSD License; GNU General Public License v3 (GPLv3)", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_what_may_be_used(text, good):
    assert licences.allowed(text) is good


def test_bill_of_materials_is_whole_and_the_same_twice():
    found = sbom.sbom()
    assert json.dumps(found) == json.dumps(sbom.sbom())
    known = {c["bom-ref"] for c in found["components"]} | {found["metadata"]["component"]["bom-ref"]}
    assert {link["ref"] for link in found["dependencies"]} == known
    assert {n for link in found["dependencies"] for n in link["dependsOn"]} < known


def test_a_package_that_is_skipped_is_not_clean(monkeypatch, capsys):
    skipped = {"name": "b", "skip_reason": "not on the index"}
    found = [{"name": "a", "version": "1", "vulns": []}, skipped, {"name": "c", "vulns": [{"id": "PYSEC-1"}]}]
    assert audit.weaknesses(found) == ([("c", "PYSEC-1")], [("b", "not on the index")])
    monkeypatch.setattr(audit.importlib.util, "find_spec", lambda name: name)
    said = subprocess.CompletedProcess([], 0, stdout=json.dumps({"dependencies": found[:2]}))
    monkeypatch.setattr(audit, "_run", lambda *_: said)
    assert audit.pip_audit() == 1
    assert "b: NOT DONE, not on the index" in capsys.readouterr().out
