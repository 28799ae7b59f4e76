"""Write what a run is made of as CycloneDX 1.5 JSON: the same environment gives the same bytes.

python tools/sbom.py [FILE]    # default: dist/sbom.cdx.json
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from licences import ROOT, plain, rows, runtime


def sbom() -> dict[str, Any]:
    """Return the bill of materials."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    licence = {name: text for name, _, text, _ in rows()}
    found = {plain(d.metadata["Name"]): d for d in runtime()}
    ref = {name: f"pkg:pypi/{name}@{d.version}" for name, d in found.items()}
    own = f"pkg:pypi/{plain(project['name'])}@{project['version']}"
    parts = [
        {
            "type": "library",
            "bom-ref": ref[name],
            "name": name,
            "version": d.version,
            "purl": ref[name],
            "licenses": [{"license": {"name": licence[name]}}],
        }
        for name, d in sorted(found.items())
    ]
    links = [{"ref": own, "dependsOn": sorted(ref[plain(Requirement(r).name)] for r in project["dependencies"])}]
    for name, d in sorted(found.items()):
        needs = {plain(Requirement(r).name) for r in d.requires or () if "extra ==" not in r}
        links.append({"ref": ref[name], "dependsOn": sorted(ref[n] for n in needs if n in ref)})
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": own,
            }
        },
        "components": parts,
        "dependencies": links,
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    return {**body, "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}"}


def main() -> int:
    """Do as the command line says."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist/sbom.cdx.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    found = sbom()
    target.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{target}: {len(found['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
