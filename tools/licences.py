"""Licences of everything that a run needs: the packages reachable from `dependencies` in pyproject.toml.

    python tools/licences.py           # check, and write docs/licences.md
    python tools/licences.py --check   # only check

Exit code 1 where a licence is not on the list or not known. Runtime licences stay permissive, or LGPL or MPL, which
allow use as a library.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/licences.md"
#: SPDX id -> how else packages write it.
ALLOWED = {
    "0BSD": ("0BSD",),
    "Apache-2.0": ("Apache-2.0", "Apache 2.0", "Apache License", "Apache Software License", "Apache"),
    "BSD-2-Clause": ("BSD-2-Clause", "BSD 2-Clause"),
    "BSD-3-Clause": ("BSD-3-Clause", "BSD 3-Clause", "3-Clause BSD", "BSD License", "BSD"),
    "CC0-1.0": ("CC0-1.0",),
    "HPND": ("HPND", "MIT-CMU"),
    "ISC": ("ISC", "ISCL"),
    "LGPL-2.1": ("LGPL-2.1", "LGPL", "GNU Lesser General Public License"),
    "MIT": ("MIT", "MIT License", "MIT-0"),
    "MPL-2.0": ("MPL-2.0", "Mozilla Public License 2.0"),
    "OFL-1.1": ("OFL-1.1", "SIL Open Font License"),
    "PSF-2.0": ("PSF-2.0", "PSF", "Python Software Foundation License", "Python-2.0"),
    "Unlicense": ("Unlicense",),
    "Zlib": ("Zlib", "zlib"),
    "BSL-1.0": ("BSL-1.0", "Boost"),
}
#: Packages that do not say it in a way a program can read, and where it was read.
READ_BY_HAND: dict[str, tuple[str, str]] = {
    "xstatic-leaflet": ("BSD-2-Clause", "the licence of Leaflet; the package says the same as Leaflet"),
}
_NEVER = re.compile(r"\bA?GPL|Affero|GNU General Public", re.IGNORECASE)
_LESSER = re.compile(r"LGPL|Lesser|WITH GCC-exception|GCC-exception", re.IGNORECASE)


def plain(name: str) -> str:
    """Return a name as package indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def runtime() -> list[Distribution]:
    """Return the installed packages that a run needs, by name."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [Requirement(r) for r in project["dependencies"]]
    found: dict[str, Distribution] = {}
    while waiting:
        need = waiting.pop()
        if need.marker and not any(need.marker.evaluate({"extra": e}) for e in ("", *need.extras)):
            continue
        name = plain(need.name)
        if name in found:
            continue
        try:
            found[name] = distribution(need.name)
        except PackageNotFoundError:
            if need.marker is None:
                raise
            continue
        for line in found[name].requires or ():
            more = Requirement(line)
            if more.marker is None or any(more.marker.evaluate({"extra": e}) for e in ("", *need.extras)):
                more.marker = None
                waiting.append(more)
    return [found[name] for name in sorted(found)]


def said(one: Distribution) -> str:
    """Return what a package says its licence is: expression, else classifiers, else a short text."""
    meta = one.metadata
    if meta.get("License-Expression"):
        return str(meta["License-Expression"])
    kinds = [c.rpartition(" :: ")[2] for c in meta.get_all("Classifier") or () if c.startswith("License ::")]
    kinds = [k for k in kinds if k != "OSI Approved"]
    if kinds:
        return "; ".join(kinds)
    lines = str(meta.get("License") or "").strip().splitlines()
    return lines[0].strip()[:60] if lines else ""


def allowed(text: str) -> bool:
    """Say whether a licence may be used: every part of an `AND`, one part of an `OR`."""
    for choice in re.split(r"\bOR\b", text):
        parts = [p.strip(" ()") for p in re.split(r"\bAND\b|;", choice) if p.strip(" ()")]
        if parts and all(_part_allowed(p) for p in parts):
            return True
    return False


def _part_allowed(part: str) -> bool:
    if _NEVER.search(part) and not _LESSER.search(part):
        return False
    names = [n.lower() for forms in ALLOWED.values() for n in forms]
    low = part.lower()
    return low in names or any(re.search(rf"(?<![a-z]){re.escape(n)}(?![a-z])", low) for n in names)


def rows() -> list[tuple[str, str, str, bool]]:
    """Return name, version, licence and whether it may be used, of every package."""
    out = []
    for one in runtime():
        name = plain(one.metadata["Name"])
        text = READ_BY_HAND[name][0] if name in READ_BY_HAND else said(one)
        out.append((name, one.version, text, allowed(text)))
    return out


def page(found: list[tuple[str, str, str, bool]]) -> str:
    """Return docs/licences.md."""
    hands = "".join(f"- {n}: {t} ({where}).\n" for n, (t, where) in sorted(READ_BY_HAND.items()))
    return (
        "# Licences of what a run needs\n\n"
        "Every package reachable from `dependencies` in `pyproject.toml`, as its own metadata says; "
        "`tools/licences.py` writes this page and refuses what is neither permissive nor LGPL or MPL "
        "(`tests/test_licences.py`). Packages that only tests or benchmarks use are not part of it.\n\n"
        "| package | licence |\n|---|---|\n"
        + "".join(f"| {name} | {text} |\n" for name, _, text, _ in found)
        + (f"\nRead by hand:\n{hands}" if hands else "")
    )


def main() -> int:
    """Do as the command line says."""
    found = rows()
    wrong = [(n, t) for n, _, t, good in found if not good]
    for name, text in wrong:
        print(f"{name}: {text or 'says nothing'}: not on the list of tools/licences.py")
    if not wrong and "--check" not in sys.argv:
        PAGE.write_text(page(found), encoding="utf-8")
    print(f"{len(found)} packages, {len(wrong)} not allowed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
