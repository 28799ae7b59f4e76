"""The command line: a thin door to the pipeline.

Exit codes: 0 fine, 1 more people lack a service than ``gaps --fail-above`` allows, 2 bad input, 3 no data, 4 output
could not be written, 5 a server did not give what was asked for, 130 interrupted.
"""

from __future__ import annotations

import sys

from bishan_gis.cli import export_command, fetch_command, many_command, planning, report_command, study
from bishan_gis.cli.door import app

__all__ = ["app", "export_command", "fetch_command", "main", "many_command", "planning", "report_command", "study"]


def main() -> None:
    """Run the command line."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        sys.stderr.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    app()
