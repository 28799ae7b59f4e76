"""Whether bytes are what they were asked for: an OSM file, a GeoTIFF, and never a web page."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

__all__ = ["Check", "find_remark", "is_pbf", "is_tiff", "is_xml", "page_title", "xml_end"]

#: Says what is wrong with the first bytes of an answer, in Chinese and English; None where nothing is.
Check = Callable[[bytes], tuple[str, str] | None]

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PAGE = re.compile(rb"\A\s*(?:<!--.*?-->\s*)?(?:<\?xml[^>]*\?>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_TAIL = 4096


def page_title(head: bytes) -> str:
    """Return what a web page calls itself, or nothing where the bytes are no web page.

    Examples
    --------
    >>> page_title(b"<html><title>Too many requests</title>")
    'Too many requests'
    >>> page_title(b"<?xml version='1.0'?><osm>")
    ''
    """
    if not _PAGE.match(head):
        return ""
    found = re.search(rb"<title[^>]*>(.*?)</title>", head, re.I | re.S)
    text = unescape(found[1].decode("utf-8", errors="replace")) if found else ""
    shown = " ".join("".join(c for c in text if c.isprintable()).split())
    return shown[:80] or "HTML"


def is_pbf(head: bytes) -> tuple[str, str] | None:
    """Look for the header block that every ``.osm.pbf`` begins with."""
    size = int.from_bytes(head[:4], "big")
    good = 0 < size < 64 * 1024 and b"OSMHeader" in head[4:32]
    return None if good else ("不是 .osm.pbf 文件", "this is no .osm.pbf")


def is_tiff(head: bytes) -> tuple[str, str] | None:
    """Look for the mark of a TIFF or BigTIFF."""
    return None if head.startswith(_TIFF) else ("不是 GeoTIFF 文件", "this is no GeoTIFF")


def is_xml(head: bytes) -> tuple[str, str] | None:
    """Look for the root of an OSM XML file."""
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    good = text.startswith(b"<?xml") or text.startswith(b"<osm")
    return None if good else ("不是 OSM XML", "this is no OSM XML")


def xml_end(file: Path) -> bytes:
    """Return the last bytes of a file."""
    with file.open("rb") as stream:
        stream.seek(max(file.stat().st_size - _TAIL, 0))
        return stream.read()


def find_remark(file: Path) -> str:
    """Return what an Overpass server remarks at the end of an answer: why it is not complete."""
    found = re.search(rb"<remark>(.*?)</remark>", xml_end(file), re.S)
    return " ".join(unescape(found[1].decode("utf-8", errors="replace")).split())[:200] if found else ""
