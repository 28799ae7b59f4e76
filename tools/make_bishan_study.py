"""Make the embedded Bishan study data.

Usage: ``python tools/make_bishan_study.py [--out data/raw]``. Reads the observed files in ``data/raw/bishan`` and
writes the derived, assumed and synthetic ones beside them (or under ``--out``), always the same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bishan_study.build import main  # noqa: E402

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "raw", help="folder to write to")
    counts = main(ROOT / "data" / "raw" / "bishan", parser.parse_args().out)
    sys.stdout.write(json.dumps(counts, ensure_ascii=False, indent=1) + "\n")
