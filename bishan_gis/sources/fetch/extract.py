"""Streets from a ready extract: one ``.osm.pbf`` by its address, and how far it reaches."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.sources.fetch.content import is_pbf
from bishan_gis.sources.fetch.http import ask_text, download
from bishan_gis.sources.fetch.overpass import find_answer
from bishan_gis.sources.fetch.web import Web

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["extract_reach", "fetch_extract", "read_poly"]


def fetch_extract(
    web: Web,
    url: str,
    cache: Path,
    *,
    today: date,
    keep_days: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Fetch an extract, and hold it against the MD5 that the server gives beside it.

    Parameters
    ----------
    web : Web
        How to ask.
    url : str
        The ``.osm.pbf``; ``<url>.md5`` is asked for as well.
    cache : pathlib.Path
        Folder of the answers, by date; one not older than `keep_days` is used again.
    today : datetime.date
        The date of an answer that comes now.
    keep_days : int
        How old an answer may be [days].
    progress : callable, optional
        Called with bytes here and in all.

    Returns
    -------
    pathlib.Path
        The extract, whole.

    Raises
    ------
    NetworkError
        It does not come, is no ``.osm.pbf``, or never agrees with its MD5.
    """
    name = hashlib.sha256(url.encode()).hexdigest()[:20]
    found = find_answer(cache, name, ".osm.pbf", today, None if web.offline else keep_days)
    if found:
        return found

    def whole(part: Path) -> tuple[str, str] | None:
        text = ask_text(web, url + ".md5") or ""
        offered = re.match(r"\s*([0-9a-fA-F]{32})\b", text)
        if offered and offered[1].lower() != _md5(part):
            return "与服务器给出的 MD5 不符", "it does not agree with the server's MD5"
        return None

    file = cache / f"{name}.{today.isoformat()}.osm.pbf"
    download(web, url, file, check=is_pbf, whole=whole, progress=progress)
    return file


def extract_reach(web: Web, url: str, file: Path) -> BaseGeometry | None:
    """Return the ground that an extract holds completely, as far as its header and its server say.

    Parameters
    ----------
    web : Web
        How to ask; offline only what was kept is read.
    url : str
        Address of the extract; beside ``<region>-latest.osm.pbf`` there may be ``<region>.poly``.
    file : pathlib.Path
        The extract; the ``.poly`` is kept beside it.

    Returns
    -------
    shapely geometry or None
        In degrees; None where nothing is said.
    """
    import osmium
    import shapely

    kept = file.with_name(file.name.split(".")[0] + ".poly")
    if not web.offline:
        text = ask_text(web, re.sub(r"(-latest|-\d{6})?\.osm\.pbf$", "", url) + ".poly", max_bytes=4_000_000)
        if text and read_poly(text) is not None:
            kept.write_text(text, encoding="utf-8")
    shape = read_poly(kept.read_text(encoding="utf-8")) if kept.exists() else None
    with osmium.io.Reader(str(file)) as reader:
        box = reader.header().box()
    if not box.valid():
        return shape
    low, high = box.bottom_left, box.top_right
    frame = shapely.box(low.lon, low.lat, high.lon, high.lat)
    return frame if shape is None else shapely.intersection(frame, shape)


def read_poly(text: str) -> BaseGeometry | None:
    r"""Read a polygon filter file: rings of longitude and latitude, those to take away marked by ``!``.

    Examples
    --------
    >>> read_poly("a\n1\n 0 0\n 2 0\n 2 2\n 0 2\nEND\n!2\n 0 0\n 1 0\n 1 1\n 0 1\nEND\nEND").area
    3.0
    >>> read_poly("<html>") is None
    True
    """
    import shapely

    shape: BaseGeometry = shapely.Polygon()
    rows = iter(text.splitlines()[1:])
    try:
        for name in rows:
            if not name.strip() or name.strip() == "END":
                continue
            ring = []
            for row in rows:
                if row.strip() == "END":
                    break
                x, y = row.split()[:2]
                ring.append((float(x), float(y)))
            part = shapely.make_valid(shapely.Polygon(ring))
            shape = shape.difference(part) if name.strip().startswith("!") else shape.union(part)
    except (ValueError, shapely.errors.GEOSException):
        return None
    return None if shape.is_empty else shape


def _md5(file: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
