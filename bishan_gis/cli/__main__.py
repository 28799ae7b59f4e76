"""``python -m bishan_gis.cli``."""

from __future__ import annotations

from bishan_gis.cli import main

if __name__ == "__main__":
    main()
