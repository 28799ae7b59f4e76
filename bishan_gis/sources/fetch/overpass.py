"""Streets, buildings and facilities from an Overpass server, tile by tile."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bishan_gis.errors import BrokenFileError, NetworkError
from bishan_gis.sources.fetch.content import find_remark, is_xml, xml_end
from bishan_gis.sources.fetch.http import ask_text, download
from bishan_gis.sources.fetch.web import Web
from bishan_gis.sources.opl import disk_full, osm_writer

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["Tile", "Tiles", "fetch_tiles", "find_answer", "merge_tiles", "old_answers", "plan_tiles", "tile_query"]

_QUERY_S = 180
_QUERY_BYTES = 512 * 1024 * 1024
_LEAST_DEG = 0.01
_LINES = "bus|trolleybus|minibus|share_taxi|tram|light_rail|monorail|subway|train|ferry"
_TOO_MUCH = ("timed out", "out of memory")


class Tile(NamedTuple):
    """A rectangle in degrees."""

    south: float
    west: float
    north: float
    east: float

    def quarters(self) -> list[Tile]:
        """Return its four quarters."""
        y, x = round((self.south + self.north) / 2, 6), round((self.west + self.east) / 2, 6)
        s, w, n, e = self
        return [Tile(s, w, y, x), Tile(s, x, y, e), Tile(y, w, n, x), Tile(y, x, n, e)]


@dataclass(frozen=True)
class Tiles:
    """Answers of an Overpass server.

    Attributes
    ----------
    files : list of pathlib.Path
        One OSM XML file per tile.
    stamps : list of str
        Until when each server's data were up to date, where it says so.
    asked : int
        Tiles that were not in the cache.
    """

    files: list[Path]
    stamps: list[str]
    asked: int


def plan_tiles(area: BaseGeometry, *, tile_deg: float = 0.1) -> list[Tile]:
    """Cover an area with tiles.

    Parameters
    ----------
    area : shapely geometry
        What is wanted [degrees, WGS84].
    tile_deg : float
        Side of a tile [degrees].

    Returns
    -------
    list of Tile
        Those that touch the area, by rows from the south. They lie on a fixed grid, so that a slightly different area
        asks the same questions.

    Examples
    --------
    >>> import shapely
    >>> [tuple(t) for t in plan_tiles(shapely.box(106.05, 29.31, 106.15, 29.39))]
    [(29.3, 106.0, 29.4, 106.1), (29.3, 106.1, 29.4, 106.2)]
    """
    import shapely

    west, south, east, north = area.bounds
    eps = 1e-9
    rows = range(math.floor(south / tile_deg + eps), math.ceil(north / tile_deg - eps))
    columns = range(math.floor(west / tile_deg + eps), math.ceil(east / tile_deg - eps))
    out = []
    for r in rows:
        for c in columns:
            s, w, n, e = (round(v * tile_deg, 6) for v in (r, c, r + 1, c + 1))
            if shapely.box(w, s, e, n).intersects(area):
                out.append(Tile(s, w, n, e))
    return out


def tile_query(tile: Tile) -> str:
    """Return the question for one tile: all nodes and ways in it, and the relations that they make.

    Multipolygons and turn bans come with all of their members, lines of public transport as they are.

    Examples
    --------
    >>> "node(29.300000,106.000000,29.400000,106.100000)" in tile_query(Tile(29.3, 106.0, 29.4, 106.1))
    True
    """
    box = ",".join(f"{v:.6f}" for v in tile)
    return (
        f"[out:xml][timeout:{_QUERY_S}][maxsize:{_QUERY_BYTES}];\n"
        f"node({box})->.n;\n"
        f"way({box})->.w;\n"
        'rel(bw.w)["type"~"^(multipolygon|restriction)$"]->.r;\n'
        f'rel(bw.w)["type"="route"]["route"~"^({_LINES})$"]->.l;\n'
        'rel(bn.n)["type"="public_transport"]->.s;\n'
        "(.n; .w; .r;);\n"
        "(._; >;);\n"
        "(._; .l; .s;);\n"
        "out meta;\n"
    )


def fetch_tiles(
    web: Web,
    server: str,
    tiles: Sequence[Tile],
    cache: Path,
    *,
    today: date,
    keep_days: int = 2,
    pause_s: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> Tiles:
    """Ask a server for tiles, one after the other, and keep every answer.

    Parameters
    ----------
    web : Web
        How to ask.
    server : str
        Address of its interface, without ``/interpreter``.
    tiles : sequence of Tile
        From `plan_tiles`.
    cache : pathlib.Path
        Folder of the answers, named by the hash of server and question, and by date. What is there and not older than
        `keep_days` is not asked again: interrupted work goes on where it stopped.
    today : datetime.date
        The date of answers that come now.
    keep_days : int
        How old an answer may be [days].
    pause_s : float
        Wait between two questions [s].
    progress : callable, optional
        Called with tiles done and in all.

    Returns
    -------
    Tiles
        The answers. A tile too much for the server is asked for in quarters.

    Raises
    ------
    NetworkError
        A tile does not come, or offline and not in the cache.
    """
    server = server.rstrip("/")
    waiting = list(tiles)[::-1]
    files: list[Path] = []
    asked = done = 0
    while waiting:
        tile = waiting.pop()
        query = tile_query(tile)
        name = hashlib.sha256(f"{server}\n{query}".encode()).hexdigest()[:20]
        file = find_answer(cache, name, ".osm", today, None if web.offline else keep_days)
        if file is None:
            if asked:
                web.sleep(pause_s)
            file = cache / f"{name}.{today.isoformat()}.osm"
            asked += 1
            if not web.offline:
                _wait_for_slot(web, server)
            if _ask(web, server, query, file):
                if tile.north - tile.south < 2 * _LEAST_DEG:
                    raise NetworkError(
                        f"{server}: {_LEAST_DEG} 度的格网也超出服务器能力;请改用 --source pbf",
                        f"{server}: even a tile of {_LEAST_DEG} degrees is too much; use --source pbf",
                    )
                waiting += tile.quarters()[::-1]
                continue
        files.append(file)
        done += 1
        if progress:
            progress(done, done + len(waiting))
    return Tiles(files, [s for f in files if (s := _stamp(f))], asked)


def merge_tiles(files: Sequence[Path], target: Path, *, stamp: str = "") -> None:
    """Write one file of many: each object once, the newest, sorted.

    Parameters
    ----------
    files : sequence of pathlib.Path
        OSM files.
    target : pathlib.Path
        The ``.osm.pbf`` to write; versions and times are kept, names of mappers are not.
    stamp : str
        Until when the data are up to date, for the header.

    Raises
    ------
    BrokenFileError
        A file cannot be read.
    OutputError
        The disk is full.
    """
    import osmium

    merged = osmium.MergeInputReader()
    for file in files:
        try:
            merged.add_file(str(file))
        except RuntimeError as err:
            said = " ".join(str(err).split())[:200]
            raise BrokenFileError(
                f"{file}: 无法作为 OSM 读取 ({said});请删除后再运行",
                f"{file}: cannot be read as OSM ({said}); delete it",
            ) from err
    header = osmium.io.Header()
    header.set("generator", "bishan-gis")
    if stamp:
        header.set("osmosis_replication_timestamp", stamp)
    place = osmium.io.File(str(target), "pbf,add_metadata=version+timestamp")
    try:
        with osm_writer(place, header=header) as writer:
            merged.apply(writer)
    except RuntimeError as err:
        if full := disk_full(err, target):
            raise full from err
        raise


def find_answer(cache: Path, name: str, suffix: str, today: date, keep_days: int | None) -> Path | None:
    """Return the newest answer of a name that may still be used, if there is one; `keep_days` None: of any age."""
    found = sorted(cache.glob(f"{name}.????-??-??{suffix}"), reverse=True)
    return next((f for f in found if keep_days is None or 0 <= _age_days(f, today) <= keep_days), None)


def _ask(web: Web, server: str, query: str, file: Path) -> bool:
    """Get one answer; return whether it was too much for the server."""
    remarks: list[str] = []

    def whole(part: Path) -> tuple[str, str] | None:
        if remark := find_remark(part):
            remarks.append(remark)
            if any(word in remark for word in _TOO_MUCH):
                return None
            return f"服务器提示: {remark}", f"the server remarks: {remark}"
        if not xml_end(part).rstrip().endswith(b"</osm>"):
            return "回答不完整", "the answer is cut off"
        remarks.clear()
        return None

    download(
        web,
        f"{server}/interpreter",
        file,
        check=is_xml,
        whole=whole,
        data={"data": query},
        wait_hint=lambda: _slot_wait(web, server),
    )
    if remarks and any(word in remarks[-1] for word in _TOO_MUCH):
        file.unlink()
        return True
    return False


def _wait_for_slot(web: Web, server: str) -> None:
    wait = _slot_wait(web, server)
    if wait:
        web.sleep(min(wait, web.longest_wait_s))


def _slot_wait(web: Web, server: str) -> float | None:
    """Return after how long a server takes the next question [s]; None where its status page does not say."""
    text = ask_text(web, f"{server}/status")
    if not text:
        return None
    if re.search(r"\b[1-9]\d* slots? available now", text) or re.search(r"Rate limit: 0\b", text):
        return 0.0
    seconds = [int(s) for s in re.findall(r"Slot available after: \S+, in (-?\d+) seconds", text)]
    return float(max(min(seconds), 0)) + 1 if seconds else None


def _stamp(file: Path) -> str:
    with file.open("rb") as stream:
        head = stream.read(2048)
    found = re.search(rb'osm_base="([0-9TZ:\-]+)"', head)
    return found[1].decode("ascii") if found else ""


def old_answers(cache: Path, today: date, keep_days: int) -> Iterator[Path]:
    """Yield the answers, whole or begun, that were kept longer than they may be used."""
    for file in sorted(cache.glob("*.????-??-??.osm*")):
        if _age_days(file, today) > keep_days:
            yield file


def _age_days(file: Path, today: date) -> int:
    found = re.search(r"\.(\d{4}-\d\d-\d\d)\.osm", file.name)
    try:
        return (today - date.fromisoformat(found[1])).days if found else 0
    except ValueError:
        return 0
