"""The command line: a thin door to the pipeline.

Exit codes: 0 fine, 1 more people lack a service than ``gaps --fail-above`` allows, 2 bad input, 3 no data, 4 output
could not be written, 5 a server did not give what was asked for, 130 interrupted.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import threading

from bishan_gis.cli import export_command, fetch_command, many_command, planning, report_command, study
from bishan_gis.cli.door import app

__all__ = ["app", "export_command", "fetch_command", "main", "many_command", "planning", "report_command", "study"]


def main() -> None:
    """Run the command line."""
    # Packages and tables are large and few: looking for cycles among them again and again costs a tenth of the time.
    gc.set_threshold(200_000, 50, 50)
    # Looking for plug-ins of the validator among all packages takes time, and there are none for a study.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        sys.stderr.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except SystemExit as end:
        _leave(end.code)
        raise


def _leave(code: object) -> None:
    """End the process at once where nothing waits: taking the loaded packages apart takes a fifth of a second."""
    status = 0 if code is None else code
    if not isinstance(status, int) or threading.active_count() > 1:
        return
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):  # what cannot be flushed is told the usual way
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
