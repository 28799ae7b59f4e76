"""What auditors ask: known weaknesses of packages (pip-audit), of our own code (bandit), licences, bill of materials.

    python tools/audit.py

Both come with the extra `audit`. pip-audit asks a server; without one, or where it skips a package, it says NOT DONE.
What bandit reports must stand in `EXPLAINED` with its reason. Exit code 1 where something is neither clean nor
explained, or a package was skipped.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_WAIT_S = 120
#: (file, test of bandit) -> why it is no weakness here.
EXPLAINED = {
    ("bishan_gis/output/maps/page.py", "B704"): "what a template of ours gave, whose texts jinja2 escaped (autoescape)",
    ("bishan_gis/output/report/html.py", "B704"): "style sheets of the package; nothing of a study in them",
    ("bishan_gis/output/qgis.py", "B405"): "ElementTree writes the project file; nothing is parsed",
    ("bishan_gis/output/qgis_xml.py", "B405"): "ElementTree writes the project file; nothing is parsed",
    ("bishan_gis/output/qgis_xml.py", "B105"): "the word 'pass' is a setting of the drawing, not a password",
    ("bishan_gis/readiness.py", "B101"): "tells the type checker what the line before made sure of",
    ("bishan_gis/stages/gap_text.py", "B101"): "tells the type checker what the line before made sure of",
}


def bandit() -> int:
    """Look at our own code; return how many findings nobody explained."""
    if not importlib.util.find_spec("bandit"):
        print("bandit: NOT DONE, not installed (pip install -e .[audit])")
        return 1
    done = _run("bandit", "-q", "-r", "bishan_gis", "-f", "json")
    found = json.loads(done.stdout)["results"]
    wrong = [r for r in found if (r["filename"].removeprefix("./"), r["test_id"]) not in EXPLAINED]
    for r in wrong:
        print(f"bandit: {r['filename']}:{r['line_number']} {r['test_id']} {r['issue_text']}")
    print(f"bandit: {len(found)} findings, {len(found) - len(wrong)} explained in tools/audit.py")
    return len(wrong)


def pip_audit() -> int:
    """Ask for known weaknesses of the pinned packages; return how many there are."""
    if not importlib.util.find_spec("pip_audit"):
        print("pip-audit: NOT DONE, not installed (pip install -e .[audit])")
        return 1
    options = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "10", "-f", "json")
    try:
        done = _run("pip_audit", "-r", "constraints.txt", *options)
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, subprocess.TimeoutExpired):
        print("pip-audit: NOT DONE, no answer from the vulnerability service; repeat it where there is a network")
        return 0
    wrong, skipped = weaknesses(packages)
    for name, number in wrong:
        print(f"pip-audit: {name}: {number}")
    if packages and len(skipped) == len(packages):
        # An index that is no PyPI knows nothing of weaknesses: as if nobody had answered.
        print(f"pip-audit: NOT DONE, the service knows none of {len(packages)} packages; repeat it where PyPI answers")
        return 0
    for name, why in skipped:
        print(f"pip-audit: {name}: NOT DONE, {why}")
    print(f"pip-audit: {len(packages) - len(skipped)} packages asked for, {len(wrong)} known weaknesses")
    return len(wrong) + len(skipped)


def weaknesses(packages: list[dict[str, Any]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the known weaknesses of packages, and the packages that nothing was found out about, with the reason."""
    skipped = [(str(p["name"]), str(p["skip_reason"])) for p in packages if "skip_reason" in p]
    return [(str(p["name"]), str(v["id"])) for p in packages for v in p.get("vulns", ())], skipped


def _run(module: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_WAIT_S)


def main() -> int:
    """Do all of it."""
    wrong = bandit() + pip_audit()
    for tool in ("licences.py", "sbom.py"):
        done = subprocess.run([sys.executable, str(ROOT / "tools" / tool)], cwd=ROOT, check=False)
        wrong += done.returncode
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
