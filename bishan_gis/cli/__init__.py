"""The command line: a thin door to the pipeline.

Exit codes: 0 fine, 1 more people lack a service than ``gaps --fail-above`` allows, 2 bad input, 3 no data, 4 output
could not be written, 130 interrupted.
"""

from __future__ import annotations

import sys

from bishan_gis.cli import planning, study
from bishan_gis.cli.door import app

__all__ = ["app", "main", "planning", "study"]


def main() -> None:
    """Run the command line."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        sys.stderr.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    app()
