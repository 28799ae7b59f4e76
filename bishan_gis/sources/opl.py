"""Objects of an OSM file as lines of text (OPL), which is quicker to take apart than one object after the other.

libosmium filters the file, puts the coordinates of their nodes on the ways and writes what is wanted in its text format
(https://osmcode.org/opl-file-format/): fields parted by spaces, each known by its first letter.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["disk_full", "opl_fields", "opl_nodes", "opl_tags", "opl_words", "osm_writer", "write_opl"]

_ESCAPED = re.compile("%([0-9a-fA-F]+)%")
_LETTERS = str.maketrans("nxy,", "    ")
#: Stands for a coordinate that is not there; no place on earth.
_NOWHERE = 999.0
_EXACT = 2**53


def write_opl(source: Path, form: str, target: Path, *, point_keys: Sequence[str], way_keys: Sequence[str]) -> None:
    """Write the nodes and ways of an OSM file that carry one of the keys, ways with the places of their nodes.

    Parameters
    ----------
    source : pathlib.Path
        The OSM file.
    form : str
        Its format as libosmium calls it, such as ``pbf``.
    target : pathlib.Path
        The text.
    point_keys, way_keys : sequence of str
        A node, a way with one of these keys is wanted.

    Raises
    ------
    RuntimeError
        The file cannot be read to its end, or the text cannot be written.
    """
    import osmium
    from osmium.filter import KeyFilter

    wanted = osmium.osm.NOTHING
    filters = []
    for entity, keys in ((osmium.osm.NODE, point_keys), (osmium.osm.WAY, way_keys)):
        # A key that no object has keeps the nodes out that are read for their places alone.
        by_key = KeyFilter(*(keys or ("\0",)))
        by_key.enable_for(entity)
        filters.append(by_key)
        wanted = wanted | entity
    places = osmium.NodeLocationsForWays(osmium.index.create_map("flex_mem"))
    places.ignore_errors()
    text = osmium.io.File(str(target), "opl,locations_on_ways=true,add_metadata=false")
    with osm_writer(text) as writer:
        reader = osmium.io.Reader(osmium.io.File(str(source), form), wanted)
        try:
            osmium.apply(reader, places, *filters, writer)
        finally:
            reader.close()


@contextmanager
def osm_writer(place: Any, **how: Any) -> Iterator[Any]:
    """Open a writer of libosmium, and close it at the end; one that failed is kept, and its error is passed on.

    Parameters
    ----------
    place : osmium.io.File
        What to write; it is overwritten.
    **how
        Passed on to :class:`osmium.SimpleWriter`.

    Yields
    ------
    osmium.SimpleWriter
        The writer.

    Notes
    -----
    A writer that failed ends the whole process when it is destroyed, because its destructor throws. Errors are of
    several kinds: a full disk is a RuntimeError, a place that cannot be on earth one of osmium's own.
    """
    import osmium

    writer = osmium.SimpleWriter(place, overwrite=True, **how)
    try:
        yield writer
        writer.close()
    except BaseException:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(writer))
        with suppress(Exception):
            writer.close()
        raise


def disk_full(err: Exception, target: Path) -> OutputError | None:
    """Return the error of a full disk, where libosmium failed for that.

    Parameters
    ----------
    err : Exception
        What was met while writing.
    target : pathlib.Path
        What was being written.
    """
    if "No space left" not in str(err):
        return None
    return OutputError(
        f"磁盘空间不足, 无法写入 {target};请清理磁盘后重新运行",
        f"no space left on the disk to write {target}; free some and run again",
    )


def opl_tags(field: str) -> dict[str, str]:
    """Return the tags of a field ``T``.

    Examples
    --------
    >>> opl_tags("Thighway=service,name=a%20%b%2c%c")
    {'highway': 'service', 'name': 'a b,c'}
    """
    if len(field) < 2:
        return {}
    # A comma or sign of equality inside a key or value is escaped: what is left parts them. Words that come again and
    # again are kept once.
    words = field[1:].replace(",", "=").split("=")
    if "%" in field:
        words = [_plain(word) if "%" in word else word for word in words]
    words = list(map(intern, words))
    return dict(zip(words[::2], words[1::2], strict=True))


def opl_words(line: str) -> list[str]:
    """Return id, tags and place (of a node: two words) or nodes (of a way: one word), as ``write_opl`` orders them.

    Examples
    --------
    >>> opl_words("n17 Tshop=bakery x24.9 y60.1")
    ['n17', 'Tshop=bakery', 'x24.9', 'y60.1']
    >>> opl_words("n17 v2 x24.9 y60.1 Tshop=bakery"), opl_words("w3 v1 Nn1,n2 Tshop=bakery")
    (['n17', 'Tshop=bakery', 'x24.9', 'y60.1'], ['w3', 'Tshop=bakery', 'Nn1,n2'])
    """
    words = line.split(" ")
    if words[1][:1] != "T" or (len(words), words[-1][:1]) not in ((4, "y"), (3, "N")):
        fields = opl_fields(line)
        last = ("x", "y") if "n" in fields else ("N",)
        return [fields.get(letter, letter) for letter in (line[:1], "T", *last)]
    return words


def opl_fields(line: str) -> dict[str, str]:
    """Return the fields of a line by their first letter.

    Examples
    --------
    >>> opl_fields("n17 Tshop=bakery x24.9 y60.1")
    {'n': 'n17', 'T': 'Tshop=bakery', 'x': 'x24.9', 'y': 'y60.1'}
    """
    return {field[0]: field for field in line.split(" ") if field}


def opl_nodes(fields: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Return the ids and places of the nodes of several fields ``N``, one after the other.

    Parameters
    ----------
    fields : sequence of str
        As ``Nn1x24.9y60.1,n2x24.8y60.1``; a node without a place is ``n2xy``.

    Returns
    -------
    ids : ndarray of int64
        Of all fields.
    lonlat : ndarray, shape (n, 2)
        In degrees; NaN where there is no place, or none on earth.
    missing : int
        How many have none.

    Examples
    --------
    >>> ids, lonlat, missing = opl_nodes(["Nn1x24.9y60.1,n2xy"])
    >>> ids.tolist(), lonlat[0].tolist(), missing
    ([1, 2], [24.9, 60.1], 1)
    """
    text = ",".join(field[1:] for field in fields if len(field) > 1)
    text = text.replace("xy", f"x{_NOWHERE}y{_NOWHERE}").translate(_LETTERS)
    table = np.fromstring(text, sep=" ").reshape(-1, 3) if text else np.empty((0, 3))
    lonlat = table[:, 1:].copy()
    absent = ~((np.abs(lonlat[:, 0]) <= 180) & (np.abs(lonlat[:, 1]) <= 90))
    lonlat[absent] = np.nan
    ids = table[:, 0].astype(np.int64)
    if len(ids) and np.abs(table[:, 0]).max() >= _EXACT:
        ids = np.array(text.split()[::3], dtype=np.int64)
    return ids, lonlat, int(absent.sum())


@lru_cache(maxsize=50_000)
def _plain(text: str) -> str:
    """Return a text with its escaped letters as they are."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
