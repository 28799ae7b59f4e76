"""Fetching open data: every way a server fails, going on where it stopped, and a study that turns observed by it."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import osmium
import pytest
import rasterio
import shapely
from helsinki import helsinki_pbf
from loopback import BUSY_PAGE, SLOTS_FREE, SLOTS_TAKEN, Loopback, Reply, loopback_server, quick_web
from toy_study import write_toy_study
from typer.testing import CliRunner

import bishan_gis as bg
from bishan_gis.cli import app
from bishan_gis.errors import BrokenFileError, DatasetError, NetworkError, NoDataError, StudyError
from bishan_gis.output.maps.context import Context
from bishan_gis.sources.datasets import file_sha256, load_datasets
from bishan_gis.sources.fetch.clip import clip_osm
from bishan_gis.sources.fetch.content import is_pbf, is_tiff, is_xml
from bishan_gis.sources.fetch.http import _moved, ask_text, download
from bishan_gis.sources.fetch.overpass import fetch_tiles, merge_tiles, plan_tiles, tile_query
from bishan_gis.sources.fetch.parts import kept_name
from bishan_gis.sources.fetch.rasters import cut_rasters
from bishan_gis.sources.fetch.record import record_dataset
from bishan_gis.sources.fetch.run import fetch_study, study_area

TODAY = dt.date(2026, 11, 24)
BODY = b"II*\0" + bytes(range(256)) * 400


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with loopback_server() as one:
        yield one


def get(server: Loopback, target: Path, waits: list[float] | None = None, **options):
    web = quick_web([] if waits is None else waits, **options.pop("web", {}))
    return download(web, f"{server.url}/f", target, **{"check": is_tiff, **options})


# One file ---------------------------------------------------------------------


def test_a_file_comes_whole_with_its_hash_and_our_name(server, tmp_path):
    server.on("/f", Reply(BODY, headers={"Last-Modified": "Tue, 24 Nov 2026 00:00:00 GMT"}))
    seen: list[tuple[int, int]] = []
    answer = get(server, tmp_path / "a.tif", progress=lambda *a: seen.append(a))
    assert (tmp_path / "a.tif").read_bytes() == BODY
    assert answer.sha256 == hashlib.sha256(BODY).hexdigest()
    assert answer.bytes == len(BODY)
    assert seen[-1] == (len(BODY), len(BODY))
    assert server.asked[0].headers["User-Agent"] == "test"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_and_waits_grow(server, tmp_path, status):
    server.on("/f", Reply(b"", status=status), Reply(BUSY_PAGE, status=status), Reply(b"", status=status), BODY)
    waits: list[float] = []
    get(server, tmp_path / "a.tif", waits)
    assert waits == [2, 4, 8]


def test_what_a_server_asks_to_wait_is_waited(server, tmp_path):
    late = "Fri, 31 Dec 2027 23:59:59 GMT"
    server.on("/f", Reply(status=429, headers={"Retry-After": "7"}), BODY)
    waits: list[float] = []
    get(server, tmp_path / "a.tif", waits)
    assert waits == [7.5]
    server.on("/f", Reply(status=429, headers={"Retry-After": late}))
    with pytest.raises(NetworkError, match="come back in"):
        get(server, tmp_path / "b.tif")


@pytest.mark.parametrize("status", [429, 504])
@pytest.mark.parametrize("how", [{"cut": 40}, {"block": 50, "rest_s": 9.0}, {"block": 1, "rest_s": 0.03}])
def test_a_status_whose_page_breaks_off_still_means_what_it_says(server, tmp_path, status, how):
    """Cut, silent or one byte at a time: the next try counts, and no disk is blamed."""
    server.on("/f", Reply(BUSY_PAGE * 9, status=status, **how), BODY)
    get(server, tmp_path / "a.tif", web={"timeout_s": 0.2})
    assert (tmp_path / "a.tif").read_bytes() == BODY
    server.on("/f", Reply(BUSY_PAGE, status=404, **how))
    with pytest.raises(NetworkError, match="refused"):
        get(server, tmp_path / "b.tif", web={"timeout_s": 0.2})
    server.on("/status", Reply(b"Rate limit: 2\n" + b" " * 9_000, **how))
    assert ask_text(quick_web([], timeout_s=0.2), f"{server.url}/status") in (None, "Rate limit: 2\n".ljust(40))


def test_a_trickle_is_slow_from_its_first_byte(server, tmp_path):
    server.on("/f", Reply(BODY, block=1, rest_s=0.03), BODY)
    waits: list[float] = []
    get(server, tmp_path / "a.tif", waits, web={"timeout_s": 0.2, "slow_bytes_s": 1e3})
    assert (tmp_path / "a.tif").read_bytes() == BODY
    assert len(waits) == 1
    assert "Range" not in server.asked[1].headers


@pytest.mark.parametrize("location", ["http://h:99999999/", "http://[::1/", "http://h:x/", "//[", "http://\xff\xfe:1/"])
def test_a_redirect_to_what_is_no_address(server, tmp_path, location):
    server.on("/f", Reply(status=302, headers={"Location": location}))
    with pytest.raises(NetworkError, match="sent on to"):
        get(server, tmp_path / "a.tif")


@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "\xb2"}, {"Retry-After": "Mon, 99 Foo 0000 99:99:99 -0000"}, {"Content-Range": "bytes */\xb2"}],
)
def test_headers_that_are_no_numbers_are_as_none(server, tmp_path, headers):
    waits: list[float] = []
    server.on("/f", Reply(status=429, headers=headers), BODY)
    get(server, tmp_path / "a.tif", waits)
    assert waits == [2]


@pytest.mark.parametrize("first", [Reply(BODY, cut=30_000), Reply(BODY, cut=10)])
def test_cut_off_goes_on_from_there(server, tmp_path, first):
    server.on("/f", first, BODY)
    get(server, tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == BODY
    assert server.asked[1].headers.get("Range") == ("bytes=30000-" if first.cut == 30_000 else None)


def test_a_file_that_changed_meanwhile_begins_anew(server, tmp_path):
    new = b"II*\0" + b"new" * 20_000
    server.on("/f", Reply(BODY, cut=30_000), new)
    get(server, tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == new
    assert "If-Range" in server.asked[1].headers


def test_without_a_mark_nothing_is_resumed(server, tmp_path):
    server.on("/f", Reply(BODY, cut=30_000, headers={"ETag": 'W/"weak"'}), BODY)
    get(server, tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == BODY
    assert "Range" not in server.asked[1].headers


def test_a_slow_server_counts_as_silent(server, tmp_path):
    ticks = iter(range(0, 10_000, 3))
    server.on("/f", Reply(BODY, block=300, rest_s=0.003, cut=6000), BODY)
    waits: list[float] = []
    get(server, tmp_path / "a.tif", waits, web={"clock": lambda: next(ticks), "slow_bytes_s": 1e6})
    assert (tmp_path / "a.tif").read_bytes() == BODY
    assert len(waits) >= 1
    server.on("/f", Reply(BODY, rest_s=1.0, block=1000))
    with pytest.raises(NetworkError, match="3 times in a row"):
        get(server, tmp_path / "b.tif", web={"timeout_s": 0.1, "tries": 3})


def test_a_web_page_is_no_data(server, tmp_path):
    server.on("/f", BUSY_PAGE, BUSY_PAGE, BODY)
    get(server, tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == BODY
    server.on("/f", BUSY_PAGE)
    with pytest.raises(NetworkError, match="OSM3S Response"):
        get(server, tmp_path / "b.tif")
    assert not (tmp_path / "b.tif").exists()


@pytest.mark.parametrize("body", [b"PK\3\4 a zip", b"", b"{}", b'{"elements": []}' * 9])
def test_wrong_content_is_refused_at_once(server, tmp_path, body):
    server.on("/f", body)
    for check in (is_tiff, is_pbf, is_xml):
        with pytest.raises(NetworkError, match="检查"):
            get(server, tmp_path / "a.tif", check=check)
    assert len(server.asked) == 3
    assert not (tmp_path / "a.tif").exists()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_repeated(server, tmp_path, status):
    server.on("/f", Reply(b"no", status=status))
    with pytest.raises(NetworkError, match=str(status)):
        get(server, tmp_path / "a.tif")
    assert len(server.asked) == 1


def test_redirects_only_to_hosts_that_were_named(server, tmp_path):
    server.on("/f", Reply(status=302, headers={"Location": "/g"}))
    server.on("/g", BODY)
    assert get(server, tmp_path / "a.tif").url == f"{server.url}/g"
    port = server.url.rsplit(":", 1)[1]
    elsewhere = f"http://localhost:{port}/g"
    for there in (
        elsewhere,
        "http://login.example/portal",
        "ftp://127.0.0.1/g",
        "file:///etc/passwd",
        "//evil.example/",
    ):
        server.on("/f", Reply(status=307, headers={"Location": there}))
        with pytest.raises(NetworkError, match="hosts"):
            get(server, tmp_path / "b.tif")
    server.on("/f", Reply(status=302, headers={"Location": elsewhere}))
    get(server, tmp_path / "b.tif", web={"hosts": frozenset({"localhost"})})
    server.on("/f", Reply(status=302, headers={"Location": "/f"}))
    with pytest.raises(NetworkError, match="moved more than"):
        get(server, tmp_path / "c.tif")


@pytest.mark.parametrize(
    ("at", "location", "good"),
    [
        ("http://a.org/x", "https://a.org/x", True),
        ("https://a.org/x", "http://a.org/x", False),
        ("https://www.a.org/x", "https://a.org/y", True),
        ("https://a.org/x", "https://data.a.org/x", True),
        ("https://data.a.org/x", "https://a.org/x", False),
        ("https://a.org/x", "https://evil-a.org/x", False),
        ("https://a.org/x", "https://a.org.evil.org/x", False),
        ("https://a.org/x", "https://a.org@evil.org/x", False),
        ("https://a.org/x", "https://A.ORG/y", True),
        ("https://a.org/x", "https://a.org:8443/y", False),
        ("https://a.org/x", "https://mirror.net/y", True),
        ("https://a.org/x", "", True),
    ],
)
def test_where_a_redirect_may_lead(at, location, good):
    web = quick_web([], hosts=frozenset({"mirror.net"}))
    if good:
        assert _moved(web, at, location).startswith("https://")
    else:
        with pytest.raises(NetworkError, match="nobody named"):
            _moved(web, at, location)


def test_too_large_is_refused_before_and_while_it_comes(server, tmp_path):
    server.on("/f", BODY)
    with pytest.raises(NetworkError, match="max_mb"):
        get(server, tmp_path / "a.tif", web={"max_bytes": 1000})
    assert not (tmp_path / "a.tif.part").exists()


def test_what_is_wrong_in_the_end_is_fetched_again(server, tmp_path):
    server.on("/f", BODY)
    said = [("不对", "wrong"), None]
    get(server, tmp_path / "a.tif", whole=lambda _: said.pop(0))
    assert len(server.asked) == 2
    with pytest.raises(NetworkError, match="4 times"):
        get(server, tmp_path / "b.tif", whole=lambda _: ("不对", "wrong"))


def test_packed_and_in_pieces_of_unknown_number(server, tmp_path):
    packed = {"Content-Encoding": "gzip"}
    text = b'<?xml version="1.0"?>\n<osm version="0.6">' + b"<node/>" * 50_000 + b"</osm>"
    body = gzip.compress(text)
    for cut in (len(body) // 2, len(body) - 3, 100):
        server.on(
            "/f",
            Reply(body, headers=packed, chunked=True, cut=cut, block=500),
            Reply(body, headers=packed, chunked=True),
        )
        get(server, tmp_path / "a.osm", check=is_xml, data={"data": "q"})
        assert (tmp_path / "a.osm").read_bytes() == text
    assert len(server.asked) == 6
    bomb = gzip.compress(b'<?xml version="1.0"?>' + bytes(5_000_000))
    server.on("/f", Reply(bomb, headers=packed, chunked=True))
    with pytest.raises(NetworkError, match="max_mb"):
        get(server, tmp_path / "b.osm", check=is_xml, data={"data": "q"}, web={"max_bytes": 100_000})
    assert (tmp_path / "b.osm.part").stat().st_size < 1_000_000


def test_no_server_at_all(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/f"
    with pytest.raises(NetworkError, match="no connection"):
        download(quick_web([]), url, tmp_path / "a", check=is_tiff)


def test_interrupted_work_goes_on(server, tmp_path):
    server.on("/f", BODY)

    def stop(got: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(server, tmp_path / "a.tif", progress=stop)
    held = (tmp_path / "a.tif.part").stat().st_size
    assert 0 < held < len(BODY)
    get(server, tmp_path / "a.tif")
    assert server.asked[-1].headers["Range"] == f"bytes={held}-"
    assert (tmp_path / "a.tif").read_bytes() == BODY


# Overpass ---------------------------------------------------------------------


def overpass_xml(source: Path, query: str, stamp: str = "2026-11-20T10:00:00Z") -> bytes:
    """Answer a query of ours from a file, as an Overpass server would: what lies in the box, and what it needs."""
    south, west, north, east = (float(v) for v in re.search(r"node\(([^)]*)\)", query)[1].split(","))
    nodes, ways = {}, {}
    for item in osmium.FileProcessor(str(source)):
        if item.is_node():
            nodes[item.id] = (item.location.lat, item.location.lon, dict(item.tags))
        elif item.is_way():
            ways[item.id] = ([n.ref for n in item.nodes], dict(item.tags))
    inside = {i for i, (lat, lon, _) in nodes.items() if south <= lat <= north and west <= lon <= east}
    used = {i: w for i, w in ways.items() if inside & set(w[0])}
    inside |= {r for refs, _ in used.values() for r in refs}
    out = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6" generator="Overpass API 0.7.62.1 084b4234">']
    out += ["<note>The data is made available under ODbL.</note>", f'<meta osm_base="{stamp}"/>']
    own = 'version="2" timestamp="2026-01-01T00:00:00Z" changeset="1" uid="7" user="somebody"'
    for i in sorted(inside):
        lat, lon, tags = nodes[i]
        out.append(f'<node id="{i}" lat="{lat:.7f}" lon="{lon:.7f}" {own}>{_tags(tags)}</node>')
    for i, (refs, tags) in sorted(used.items()):
        out.append(
            f'<way id="{i}" {own}>{"".join(f"<nd ref={chr(34)}{r}{chr(34)}/>" for r in refs)}{_tags(tags)}</way>'
        )
    return "\n".join([*out, "</osm>", ""]).encode()


def _tags(tags: dict[str, str]) -> str:
    from xml.sax.saxutils import quoteattr

    return "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items())


def _objects(path: Path) -> dict[tuple[str, int], object]:
    out: dict[tuple[str, int], object] = {}
    for item in osmium.FileProcessor(str(path)):
        key = (item.type_str(), item.id)
        assert key not in out
        body = [n.ref for n in item.nodes] if item.is_way() else None
        out[key] = (body, dict(item.tags))
    return out


@pytest.fixture
def toy(tmp_path) -> Path:
    return write_toy_study(tmp_path / "study")


def add(study: Path, text: str, *replace: tuple[str, str]) -> None:
    old = study.read_text(encoding="utf-8")
    for a, b in replace:
        assert a in old
        old = old.replace(a, b)
    study.write_text(old + text, encoding="utf-8")


def test_tiles_cover_the_area_and_ask_the_same_again():
    area = shapely.Point(106.2, 29.6).buffer(0.17)
    tiles = plan_tiles(area, tile_deg=0.1)
    union = shapely.union_all([shapely.box(t.west, t.south, t.east, t.north) for t in tiles])
    assert union.buffer(1e-9).contains(area)
    assert len(tiles) == len(set(tiles)) == 16
    assert set(plan_tiles(area.buffer(-0.01))) <= set(tiles)
    assert [t for tile in tiles for t in tile.quarters()][:2] == [
        (29.4, 106.0, 29.45, 106.05),
        (29.4, 106.05, 29.45, 106.1),
    ]


def test_tiles_come_once_each_and_make_one_file(server, toy, tmp_path):
    source = toy.parent / "data/raw/streets.osm"
    server.on("/api/status", SLOTS_FREE)
    server.on("/api/interpreter", lambda asked: Reply(overpass_xml(source, asked.data)))
    west, south, east, north = gpd.read_file(toy.parent / "data/raw/district.geojson").total_bounds
    tiles = plan_tiles(shapely.box(west, south, east, north).buffer(0.01), tile_deg=0.01)
    assert len(tiles) > 4
    waits: list[float] = []
    web = quick_web(waits)
    cache = tmp_path / "cache"
    found = fetch_tiles(web, f"{server.url}/api/", tiles, cache, today=TODAY)
    assert found.asked == len(tiles) == len(server.paths("POST"))
    assert set(found.stamps) == {"2026-11-20T10:00:00Z"}
    assert waits == [1.0] * (len(tiles) - 1)
    merge_tiles(found.files, tmp_path / "m.osm.pbf", stamp=found.stamps[0])
    assert _objects(tmp_path / "m.osm.pbf") == _objects(source)
    assert {(i.version, i.user) for i in osmium.FileProcessor(str(tmp_path / "m.osm.pbf"))} == {(2, "")}
    again = fetch_tiles(web, f"{server.url}/api", tiles, cache, today=TODAY + dt.timedelta(days=2))
    assert (again.asked, again.files) == (0, found.files)
    again = fetch_tiles(quick_web([], offline=True), f"{server.url}/api", tiles, cache, today=dt.date(2030, 1, 1))
    assert again.asked == 0
    again = fetch_tiles(web, f"{server.url}/api", tiles[:1], cache, today=TODAY + dt.timedelta(days=3))
    assert again.asked == 1


def test_an_overpass_server_in_all_its_moods(server, toy, tmp_path):
    source = toy.parent / "data/raw/streets.osm"
    tile = plan_tiles(study_area(bg.load_study(toy)), tile_deg=0.1)[0]
    good = overpass_xml(source, tile_query(tile))
    busy = good.replace(b"</osm>", b"<remark> runtime error: the server is too busy </remark></osm>")
    cut = good[: len(good) // 2]
    server.on("/api/status", SLOTS_TAKEN, SLOTS_TAKEN, SLOTS_FREE)
    replies = [Reply(status=429), Reply(BUSY_PAGE, status=504), Reply(BUSY_PAGE), Reply(busy), Reply(cut), Reply(good)]
    server.on("/api/interpreter", *replies)
    waits: list[float] = []
    found = fetch_tiles(quick_web(waits, tries=6), f"{server.url}/api", [tile], tmp_path, today=TODAY)
    assert found.files[0].read_bytes() == good
    assert waits == [71.0, 71.5, 0.5, 0.5, 16.0, 32.0]
    assert len(server.paths("POST")) == 6


def test_a_tile_too_much_is_asked_for_in_quarters(server, toy, tmp_path):
    source = toy.parent / "data/raw/streets.osm"
    tile = plan_tiles(study_area(bg.load_study(toy)), tile_deg=0.1)[0]
    whole = tile_query(tile)
    said = b' runtime error: Query timed out in "query" at line 4 after 181 seconds. '
    more = b'<osm version="0.6"><remark>' + said + b"</remark></osm>"
    server.on("/interpreter", lambda a: Reply(more if a.data == whole else overpass_xml(source, a.data)))
    found = fetch_tiles(quick_web([]), server.url, [tile], tmp_path, today=TODAY)
    assert len(found.files) == 4
    merge_tiles(found.files, tmp_path / "m.osm.pbf")
    assert _objects(tmp_path / "m.osm.pbf") == _objects(source)
    server.on("/interpreter", more)
    with pytest.raises(NetworkError, match="pbf"):
        fetch_tiles(quick_web([]), server.url, [tile], tmp_path / "b", today=TODAY)


# Cutting ------------------------------------------------------------------------


def references(path: Path) -> tuple[set[tuple[str, int]], dict[tuple[str, int], set[tuple[str, int]]], dict]:
    """Return what a file has, what each object refers to, and where its nodes are."""
    have, need, places = set(), {}, {}
    for item in osmium.FileProcessor(str(path)):
        key = (item.type_str(), item.id)
        have.add(key)
        if item.is_node():
            places[item.id] = (item.location.lon, item.location.lat)
        elif item.is_way():
            need[key] = {("n", n.ref) for n in item.nodes}
        else:
            need[key] = {(m.type, m.ref) for m in item.members}
    return have, need, places


@pytest.fixture(scope="module")
def helsinki_objects():
    return references(helsinki_pbf())


@pytest.mark.parametrize(("x", "y", "r"), [(24.94, 60.17, 0.001), (24.9412, 60.1683, 0.004), (24.936, 60.172, 0.0003)])
def test_a_cut_file_lacks_nothing_that_it_refers_to(helsinki_objects, tmp_path, x, y, r):
    area = shapely.Point(x, y).buffer(r)
    target = tmp_path / "cut.osm.pbf"
    cut = clip_osm(helsinki_pbf(), target, area)
    have, need, _ = references(target)
    all_have, all_need, places = helsinki_objects
    assert have <= all_have
    assert set().union(*need.values()) & all_have <= have
    assert all(members <= have for key, members in need.items() if key[0] == "r")
    assert (cut.nodes, cut.ways, cut.relations) == tuple(sum(k == t for k, _ in have) for t in "nwr")
    ids = np.array(list(places))
    at = np.array(list(places.values()))
    inner = {("n", int(i)) for i in ids[shapely.intersects_xy(area, at[:, 0], at[:, 1])]}
    assert inner <= have
    touched = {key for key, members in all_need.items() if key[0] == "w" and not members.isdisjoint(inner)}
    assert touched <= have


def test_lines_keep_their_stops_within(tmp_path):
    """A bus of four stops, two of them inside; a border with one way inside; a lake with one of two ways inside."""
    text = ['<osm version="0.6">']
    text += [f'<node id="{i}" lat="29.5" lon="{106 + i / 100}" version="1"/>' for i in range(1, 9)]
    text += [f'<way id="{i}" version="1"><nd ref="{i}"/><nd ref="{i + 1}"/></way>' for i in range(1, 8)]
    members = {
        1: ("route", [("n", 1), ("w", 1), ("n", 2), ("w", 2), ("n", 6), ("n", 8)]),
        2: ("boundary", [("w", 1), ("w", 6)]),
    }
    members |= {3: ("multipolygon", [("w", 1), ("w", 5)]), 4: ("multipolygon", [("w", 1), ("w", 99)])}
    members |= {5: ("boundary", [("w", 1), ("w", 2)]), 6: ("route", [("n", 8), ("w", 7)])}
    long = {"n": "node", "w": "way"}
    for i, (kind, parts) in members.items():
        inner = "".join(f'<member type="{long[t]}" ref="{r}" role="stop"/>' for t, r in parts)
        text.append(f'<relation id="{i}" version="1">{inner}<tag k="type" v="{kind}"/></relation>')
    (tmp_path / "a.osm").write_text("".join([*text, "</osm>"]), encoding="utf-8")
    cut = clip_osm(tmp_path / "a.osm", tmp_path / "b.osm.pbf", shapely.box(106.005, 29.4, 106.025, 29.6))
    have, need, _ = references(tmp_path / "b.osm.pbf")
    assert {i for k, i in have if k == "w"} == {1, 2, 5}
    assert {i for k, i in have if k == "n"} == {1, 2, 3, 5, 6}
    assert need[("r", 1)] == {("n", 1), ("w", 1), ("n", 2), ("w", 2), ("n", 6)}
    assert {i for k, i in have if k == "r"} == {1, 3, 5}
    assert (cut.relations, cut.relations_trimmed, cut.relations_left_out) == (3, 1, 2)


def test_nothing_there_and_nothing_readable(tmp_path):
    with pytest.raises(NoDataError):
        clip_osm(helsinki_pbf(), tmp_path / "a.osm.pbf", shapely.box(106, 29, 107, 30))
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(helsinki_pbf().read_bytes()[:-5000])
    with pytest.raises(BrokenFileError):
        clip_osm(broken, tmp_path / "a.osm.pbf", shapely.box(24.9, 60.1, 25.0, 60.2))
    assert not (tmp_path / "a.osm.pbf").exists()


def test_a_full_disk_is_said_and_the_process_goes_on(tmp_path):
    """Run in a process of its own: a writer that failed used to end it when it was destroyed."""
    code = """
import gc, sys
from pathlib import Path
import shapely
from bishan_gis.errors import OutputError
from bishan_gis.sources.fetch.clip import clip_osm
from bishan_gis.sources.fetch.overpass import merge_tiles
source, target = map(Path, sys.argv[1:])
area = shapely.box(24.9, 60.1, 25.0, 60.2)
for work in (lambda: clip_osm(source, target, area), lambda: merge_tiles([source], target)):
    target.unlink(missing_ok=True)
    target.symlink_to("/dev/full")
    try:
        work()
    except OutputError as err:
        print(err.en)
    gc.collect()
"""
    place = tmp_path / "a.osm.pbf"
    done = subprocess.run(
        [sys.executable, "-c", code, helsinki_pbf(), place], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"no space left on the disk to write {place}") == 2


def geotiff(path: Path, west: float, north: float, *, size: int = 100, deg: float = 1.0, add: float = 0.0) -> Path:
    """Write a raster that says where it lies: 1000 * row + column of a grid that begins at 100 E, 40 N."""
    step = deg / size
    row0, column0 = round((40 - north) / step), round((west - 100) / step)
    values = 1000 * (row0 + np.arange(size))[:, None] + column0 + np.arange(size)[None, :] + add
    profile = {"driver": "GTiff", "height": size, "width": size, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(
        path, "w", **profile, transform=rasterio.Affine(step, 0, west, 0, -step, north), nodata=-9999
    ) as out:
        out.write(values.astype("float32"), 1)
    return path


def test_rasters_are_joined_and_cut_pixel_by_pixel(tmp_path):
    tiles = [geotiff(tmp_path / f"{x}{y}.tif", x, y) for x in (106, 107) for y in (30, 31)]
    area = shapely.box(106.903, 29.951, 107.052, 30.049)
    rows, columns = cut_rasters(tiles, tmp_path / "out.tif", area)
    with rasterio.open(tmp_path / "out.tif") as got:
        assert got.bounds.left <= 106.903
        assert got.bounds.top >= 30.049
        values = got.read(1)
        middle = got.xy(np.repeat(np.arange(rows), columns), np.tile(np.arange(columns), rows))
    row = np.round((40 - np.array(middle[1])) * 100 - 0.5).reshape(rows, columns)
    column = np.round((np.array(middle[0]) - 100) * 100 - 0.5).reshape(rows, columns)
    np.testing.assert_array_equal(values, 1000 * row + column)
    with pytest.raises(NoDataError):
        cut_rasters(tiles, tmp_path / "no.tif", shapely.box(24, 60, 25, 61))


# The manifest -----------------------------------------------------------------


def test_an_entry_changes_alone(tmp_path):
    manifest = tmp_path / "datasets.toml"
    old = (
        '# our own words\r\n\r\n[[dataset]]  # first\r\npath = "a"\ntitle = \'甲\'\nsource = "s"\nlicence = "l"\n'
        'kind = "observed"\nsha256 = "0"\nnote = """\n[not a table]\n"""\n\n# before b\n[[dataset]]\npath = "b"\n'
        'title = "b"\nsource = "s"\nlicence = "l"\nkind = "assumed"\nsha256 = "1"\n\n# the end\n'
    )
    manifest.write_bytes(old.encode())
    entry = {
        "path": "b",
        "title": '引"号\\',
        "source": "s",
        "licence": "l",
        "kind": "observed",
        "sha256": "2",
        "bytes": 3,
    }
    record_dataset(manifest, entry)
    new = manifest.read_bytes().decode()
    assert new.startswith(old[: old.index('[[dataset]]\npath = "b"')])
    assert new.endswith("\n\n# the end\n")
    assert load_datasets(manifest)[(tmp_path / "b").resolve()].title == '引"号\\'
    record_dataset(manifest, {**entry, "path": "c"})
    assert [d["path"] for d in tomllib.loads(manifest.read_text(encoding="utf-8"))["dataset"]] == ["a", "b", "c"]
    assert manifest.read_bytes().decode().startswith(new.rstrip("\n"))
    manifest.write_text("not toml [", encoding="utf-8")
    with pytest.raises(DatasetError):
        record_dataset(manifest, entry)
    assert manifest.read_text(encoding="utf-8") == "not toml ["
    assert [p.name for p in tmp_path.iterdir()] == ["datasets.toml"]


# A study ------------------------------------------------------------------------

KINDS = """
[[dataset]]
path = "streets.osm"
title = "街道(合成)"
source = "invented"
licence = "Apache-2.0"
kind = "synthetic"
date = "2020"
sha256 = "{streets}"
[[dataset]]
path = "population.csv"
title = "人口(假定)"
source = "invented"
licence = "Apache-2.0"
kind = "{people}"
date = "2020"
sha256 = "{population}"
"""


def with_kinds(toy: Path, people: str = "observed") -> None:
    raw = toy.parent / "data/raw"
    hashes = {k: file_sha256(raw / f) for k, f in (("streets", "streets.osm"), ("population", "population.csv"))}
    (raw / "datasets.toml").write_text(KINDS.format(people=people, **hashes), encoding="utf-8")
    osm = ('osm = "streets.osm"', 'osm = ["fetched/streets.osm.pbf", "streets.osm"]')
    add(toy, "", ('datasets = ""', 'datasets = "data/raw/datasets.toml"'), osm)


def serve_toy(server: Loopback, toy: Path) -> None:
    source = toy.parent / "data/raw/streets.osm"
    server.on("/api/status", SLOTS_FREE)
    server.on("/api/interpreter", lambda asked: Reply(overpass_xml(source, asked.data)))
    add(toy, f'[fetch]\noverpass = "{server.url}/api"\npause_s = 0\nbuffer_m = 400\ntile_deg = 0.01\n')


def test_a_study_turns_from_synthetic_to_observed_by_data_alone(server, toy):
    with_kinds(toy)
    serve_toy(server, toy)
    add(toy, "", ('kind = "assumed"\n[directions.zones]', 'kind = "observed"\n[directions.zones]'))
    before = bg.run(toy, write=False)
    assert before.kind == "synthetic"
    assert "街道" in Context(before).warning()
    assert any("输入资料的性质不一" in w[0] for w in before.warnings)
    done = CliRunner().invoke(app, ["fetch", str(toy), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [(i["what"], i["kind"], i["date"], i["named"]) for i in found["items"]] == [
        ("osm", "observed", "2026-11-20", True)
    ]
    after = bg.run(toy, write=False)
    assert after.kind == "derived"
    assert Context(after).warning() == "来源未登记：district.geojson、townships.geojson。", (
        "observed, but nobody says by whom"
    )
    assert after.record["inputs"]["inputs.osm"]["file"] == "streets.osm.pbf"
    assert after.record["study"]["inputs"]["osm"] == "fetched/streets.osm.pbf"
    assert any("2020" in w[1] and "2026" in w[1] for w in after.warnings)
    # the same streets give the same answers, but for the ground beyond the border, which is now known
    assert after.network.n_nodes == before.network.n_nodes
    keys = ["zone_kind", "zone_id", "service", "cutoff_min", "age_group"]
    both = before.coverage.merge(after.coverage, on=keys, suffixes=("", "_after"))
    assert (both["people_covered_after"] >= both["people_covered"]).all()
    assert (both["people_unknown_after"] <= both["people_unknown"]).all()
    entry = load_datasets(Path(found["datasets"]))[Path(found["items"][0]["file"]).resolve()]
    assert (entry.licence, entry.kind, entry.date) == ("ODbL-1.0", "observed", "2026-11-20")
    assert entry.sha256 == file_sha256(entry.file)
    assert entry.url == f"{server.url}/api"


def test_each_input_is_judged_on_its_own_kind(server, toy):
    with_kinds(toy, people="synthetic")
    serve_toy(server, toy)
    fetch_study(bg.load_study(toy), today=TODAY)
    results = bg.run(toy, write=False)
    assert results.kind == "synthetic"
    warning = Context(results).warning()
    assert "人口" in warning
    assert "街道" not in warning
    assert set(results.network.edge_kind) == {"observed"}
    assert set(results.facilities["kind"]) == {"observed"}
    assert set(results.cells["kind"]) == {"synthetic"}


def test_the_helsinki_extract_moved_into_a_study_of_the_same_shape(server, tmp_path):
    """The ready extract, from its server to a map without a banner."""
    raw = tmp_path / "raw"
    raw.mkdir()
    clip_osm(helsinki_pbf(), raw / "streets.osm.pbf", shapely.box(24.935, 60.165, 24.945, 60.170))
    box = shapely.box(24.930, 60.163, 24.950, 60.172)
    for name, key in (("district", "name"), ("townships", "id")):
        frame = gpd.GeoDataFrame({"id": ["q1"], "name": ["Helsinki"]}, geometry=[box], crs=4326)
        frame.to_file(raw / f"{name}.gpkg")
        assert key in frame
    (raw / "population.csv").write_text("id,people\nq1,5001\n", encoding="utf-8")
    listed = ""
    for name in ("district.gpkg", "townships.gpkg"):
        own = {"title": name, "source": "drawn", "licence": "CC0", "kind": "observed", "date": "2024"}
        lines = [f'{k} = "{v}"' for k, v in {"path": name, **own, "sha256": file_sha256(raw / name)}.items()]
        listed += "\n".join(["[[dataset]]", *lines, ""])
    text = listed + KINDS.format(
        streets=file_sha256(raw / "streets.osm.pbf"), population=file_sha256(raw / "population.csv"), people="observed"
    )
    (raw / "datasets.toml").write_text(text.replace('"streets.osm"', '"streets.osm.pbf"'), encoding="utf-8")
    body = helsinki_pbf().read_bytes()
    server.on("/finland/helsinki-latest.osm.pbf", Reply(body, cut=200_000), body)
    server.on("/finland/helsinki-latest.osm.pbf.md5", hashlib.md5(body).hexdigest().encode() + b"  helsinki.osm.pbf\n")
    ring = "\n".join(f" {x} {y}" for x, y in shapely.box(24.0, 60.0, 24.9455, 61.0).exterior.coords)
    server.on("/finland/helsinki.poly", f"helsinki\n1\n{ring}\nEND\nEND\n".encode())
    (tmp_path / "study.toml").write_text(
        f"""
id = "helsinki"
name = "赫尔辛基"
name_en = "Helsinki"
lang = "en"
crs = "EPSG:3067"
[paths]
raw = "raw"
datasets = "raw/datasets.toml"
[inputs]
osm = ["fetched/streets.osm.pbf", "streets.osm.pbf"]
[inputs.district]
path = "district.gpkg"
columns = {{ name = "name" }}
[inputs.townships]
path = "townships.gpkg"
columns = {{ zone_id = "id", name = "name" }}
[inputs.population]
path = "population.csv"
zone = "id"
[directions]
kind = "observed"
[directions.zones]
all = ["q1"]
[services]
include = ["restaurant", "park"]
[outputs]
findings = false
gpkg = false
[fetch]
source = "pbf"
pbf = "{server.url}/finland/helsinki-latest.osm.pbf"
buffer_m = 200
""",
        encoding="utf-8",
    )
    before = bg.run(tmp_path)
    strip = re.compile(r'class="[^"]*\bstrip\b[^"]*"')
    assert strip.search((before.study.maps / "coverage.html").read_text(encoding="utf-8"))
    found = fetch_study(bg.load_study(tmp_path), web=quick_web([]), today=TODAY)
    assert any("do not cover" in note for note in found["notes"])
    assert [a.headers.get("Range") for a in server.asked if a.path.endswith(".pbf")] == [None, "bytes=200000-"]
    after = bg.run(tmp_path)
    assert after.kind == "derived"
    assert not strip.search((after.study.maps / "coverage.html").read_text(encoding="utf-8"))
    assert after.network.n_nodes > before.network.n_nodes
    # what the source does not hold completely is unknown, not uncovered
    extent = gpd.read_file(raw / "fetched/streets.extent.geojson").geometry.iloc[0]
    assert extent.bounds[2] == pytest.approx(24.9455)
    # a wrong MD5 is never taken
    server.on("/finland/helsinki-latest.osm.pbf", body)
    server.on("/finland/helsinki-latest.osm.pbf.md5", b"0" * 32)
    kept = file_sha256(raw / "fetched/streets.osm.pbf")
    with pytest.raises(NetworkError, match="MD5"):
        fetch_study(bg.load_study(tmp_path), web=quick_web([]), today=TODAY + dt.timedelta(days=9))
    assert file_sha256(raw / "fetched/streets.osm.pbf") == kept


MOODS = {
    "429": Reply(b"", status=429),
    "504": Reply(BUSY_PAGE, status=504),
    "rate limit page": Reply(BUSY_PAGE),
    "slow": Reply(b"", rest_s=0.5, block=100),
    "cut off": Reply(b"", cut=100),
    "wrong content": Reply(b'{"remark": "this is something else altogether", "elements": []}'),
    "redirect to elsewhere": Reply(status=302, headers={"Location": "https://login.example/"}),
}


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("door", ["overpass", "pbf", "elevation", "population"])
def test_every_door_in_every_mood(server, toy, tmp_path, door, mood):
    source = toy.parent / "data/raw/streets.osm"
    west, south, *_ = (int(v) for v in study_area(bg.load_study(toy)).bounds)
    tile = tile_query(plan_tiles(study_area(bg.load_study(toy)), tile_deg=1)[0])
    merge_tiles([source], tmp_path / "toy.osm.pbf")
    doors = {
        "overpass": ("/api/interpreter", lambda: overpass_xml(source, tile)),
        "pbf": ("/toy.osm.pbf", (tmp_path / "toy.osm.pbf").read_bytes),
        "elevation": (f"/N{south}_E{west}", geotiff(tmp_path / "t.tif", west, south + 1, size=200).read_bytes),
        "population": ("/people", geotiff(tmp_path / "p.tif", west, south + 1, size=100).read_bytes),
    }
    path, body = doors[door]
    first = MOODS[mood]
    if mood in ("slow", "cut off"):
        first = replace(first, body=body())
    server.on(path, first, body())
    add(
        toy,
        f'[fetch]\noverpass = "{server.url}/api"\npbf = "{server.url}/toy.osm.pbf"\ntile_deg = 1\n'
        f'elevation = "{server.url}/{{lat}}_{{lon}}"\npopulation = "{server.url}/people"\n',
    )
    study = bg.load_study(toy)
    what = door if door in ("elevation", "population") else "osm"
    options = {"only": [what], "source": door if what == "osm" else None, "today": TODAY}
    waits: list[float] = []
    web = quick_web(waits, timeout_s=0.2 if mood == "slow" else 5.0)
    if mood in ("wrong content", "redirect to elsewhere"):
        with pytest.raises(NetworkError):
            fetch_study(study, web=web, **options)
        assert not (study.fetched / "datasets.toml").exists()
        assert [p.name for p in study.fetched.iterdir()] == ["cache"]
        return
    (item,) = fetch_study(study, web=web, **options)["items"]
    assert len(waits) == 1
    entries = load_datasets(study.fetched / "datasets.toml")
    assert entries[Path(item["file"]).resolve()].bytes == item["bytes"] == Path(item["file"]).stat().st_size
    if what == "osm":
        assert _objects(Path(item["file"])) == _objects(source)


def test_heights_and_people_by_address(server, toy, tmp_path):
    study = bg.load_study(toy)
    west, south, east, north = study_area(study).bounds
    tile = geotiff(tmp_path / "t.tif", int(west), int(south) + 1, size=1200)
    server.on(f"/N{int(south)}_E{int(west)}.tif", tile.read_bytes())
    server.on("/chn.tif", geotiff(tmp_path / "p.tif", 100, 35, size=1200, deg=10, add=0.25).read_bytes())
    add(toy, f'[fetch]\nelevation = "{server.url}/{{lat}}_{{lon}}.tif"\npopulation = "{server.url}/chn.tif"\n')
    study = bg.load_study(toy)
    plan = fetch_study(study, only=["elevation", "population"], dry_run=True, today=TODAY)
    assert plan["items"][0]["bytes"] == tile.stat().st_size
    assert server.paths("GET") == []
    assert not study.fetched.exists()
    found = fetch_study(study, only=["elevation", "population"], web=quick_web([]), today=TODAY)
    assert [(i["what"], i["date"], i["kind"]) for i in found["items"]] == [
        ("elevation", "2015", "observed"),
        ("population", "2020", "derived"),
    ]
    assert len(found["notes"]) == 2  # the study does not name them yet
    for name in ("dem.tif", "population.tif"):
        with rasterio.open(study.fetched / name) as raster:
            assert raster.bounds.left <= west < east <= raster.bounds.right
            assert raster.bounds.bottom <= south < north <= raster.bounds.top
            assert raster.width < 120
    asked = len(server.asked)
    fetch_study(study, only=["elevation", "population"], web=quick_web([]), today=dt.date(2028, 1, 1))
    assert len(server.asked) == asked


def test_an_answer_of_no_use_is_not_kept_and_its_server_named(server, toy, tmp_path):
    """Without a node in the study, or no raster: the next call asks again and gets the good one."""
    source = toy.parent / "data/raw/streets.osm"
    empty = b'<?xml version="1.0"?>\n<osm version="0.6"></osm>\n'
    server.on("/api/status", SLOTS_FREE)
    server.on("/api/interpreter", empty)
    add(toy, f'[fetch]\noverpass = "{server.url}/api"\nelevation = "{server.url}/{{lat}}{{lon}}"\npause_s = 0\n')
    study = bg.load_study(toy)
    with pytest.raises(NoDataError, match=rf"answer of {server.url}/api: .*nothing of it") as said:
        fetch_study(study, only=["osm"], web=quick_web([]), today=TODAY)
    assert "merged" not in str(said.value)
    server.on("/api/interpreter", lambda asked: Reply(overpass_xml(source, asked.data)))
    fetch_study(study, only=["osm"], web=quick_web([]), today=TODAY)
    west, south, *_ = (int(v) for v in study_area(study).bounds)
    server.on(f"/N{south}E{west}", BODY, geotiff(tmp_path / "t.tif", west, south + 1, size=1200).read_bytes())
    with pytest.raises(BrokenFileError, match=rf"answer of {server.url}/"):
        fetch_study(study, only=["elevation"], web=quick_web([]), today=TODAY)
    fetch_study(study, only=["elevation"], web=quick_web([]), today=TODAY)
    # Another server's file of the same name is another file.
    server.on(f"/new/N{south}E{west}", BODY)
    add(toy, "", (f"{server.url}/{{lat}}", f"{server.url}/new/{{lat}}"))
    with pytest.raises(BrokenFileError, match="new"):
        fetch_study(bg.load_study(toy), only=["elevation"], web=quick_web([]), today=TODAY)


def test_offline_opens_no_connection(server, toy, monkeypatch):
    with_kinds(toy)
    serve_toy(server, toy)
    study = bg.load_study(toy)
    fetch_study(study, today=TODAY)

    def no(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no)
    monkeypatch.setattr(socket, "create_connection", no)
    monkeypatch.setattr(socket, "getaddrinfo", no)
    first = file_sha256(study.fetched / "streets.osm.pbf")
    fetch_study(study, offline=True, today=dt.date(2029, 1, 1))
    assert file_sha256(study.fetched / "streets.osm.pbf") == first
    plan = fetch_study(study, only=["osm", "elevation"], offline=True, dry_run=True)
    assert [i["bytes"] for i in plan["items"]] == [None, None]
    done = CliRunner().invoke(app, ["fetch", str(toy), "--offline", "--only", "elevation", "--lang", "en"])
    assert done.exit_code == 5
    assert "offline" in done.stderr


def test_the_command_killed_goes_on(server, toy, tmp_path):
    west, south, *_ = (int(v) for v in study_area(bg.load_study(toy)).bounds)
    tile = geotiff(tmp_path / "t.tif", west, south + 1, size=1200).read_bytes()
    name = f"/N{south}_E{west}.tif"
    server.on(name, Reply(tile, block=1 << 16, rest_s=0.2), tile)
    add(toy, f'[fetch]\nelevation = "{server.url}/{{lat}}_{{lon}}.tif"\n')
    start = "from bishan_gis.cli import main; main()"
    command = [sys.executable, "-c", start, "fetch", str(toy), "--only", "elevation", "--quiet"]
    part = toy.parent / "data/raw/fetched/cache" / (kept_name(server.url + name) + ".part")
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "NO_PROXY": "127.0.0.1"}) as running:
        until = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size > 100_000):
            assert running.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
    held = part.stat().st_size
    assert not (toy.parent / "data/raw/fetched/dem.tif").exists()
    assert CliRunner().invoke(app, ["fetch", str(toy), "--only", "elevation"]).exit_code == 0
    assert server.asked[-1].headers["Range"] == f"bytes={held}-"
    assert part.with_suffix("").read_bytes() == tile


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ('[fetch]\noverpass = "ftp://x"\n', [], "fetch.overpass"),
        ('[fetch]\nfolder = "../elsewhere"\n', [], "fetch.folder"),
        ('[fetch]\nsorce = "pbf"\n', [], "source"),
        ("", ["--source", "pbf"], "pbf ="),
    ],
)
def test_settings_that_cannot_be(toy, text, options, said):
    add(toy, text)
    done = CliRunner().invoke(app, ["fetch", str(toy), "--offline", "--lang", "en", *options])
    assert done.exit_code == 2
    assert said in done.stderr


def test_unknown_door(toy):
    with pytest.raises(StudyError, match="only"):
        fetch_study(bg.load_study(toy), only=["osmm"], offline=True)


# Alternatives ---------------------------------------------------------------------


def test_the_first_that_is_there_is_used(toy):
    raw = toy.parent / "data/raw"
    add(
        toy,
        "",
        ('path = "population.csv"\nzone = "code"', 'path = ["observed.csv", "population.csv"]\nzone = "code"'),
        (
            '[inputs.district]\npath = "district.geojson"\ncolumns = { name = "name" }',
            '[[inputs.district]]\npath = "survey.gpkg"\ncolumns = { name = "qmc" }\n'
            '[[inputs.district]]\npath = "district.geojson"\ncolumns = { name = "name" }',
        ),
    )
    study = bg.load_study(toy)
    assert (study.inputs.population.path, study.inputs.district.columns) == ("population.csv", {"name": "name"})
    assert study.alternatives["inputs.population"] == [raw / "observed.csv", raw / "population.csv"]
    (raw / "observed.csv").write_text((raw / "population.csv").read_text(encoding="utf-8"), encoding="utf-8")
    gpd.read_file(raw / "district.geojson").rename(columns={"name": "qmc"}).to_file(raw / "survey.gpkg")
    study = bg.load_study(toy)
    assert (study.inputs.population.path, study.inputs.district.columns) == ("observed.csv", {"name": "qmc"})
    assert bg.run(study, write=False).record["inputs"]["inputs.district"]["file"] == "survey.gpkg"
    for name in ("observed.csv", "population.csv"):
        (raw / name).unlink()
    with pytest.raises(bg.errors.MissingFileError, match=r"observed\.csv \| .*population\.csv"):
        bg.run(toy, write=False)


def test_alternatives_that_are_not_used_are_checked_too(toy):
    add(toy, "", ("[inputs.district]", '[[inputs.district]]\npath = "no.gpkg"\ncolums = {}\n[[inputs.district]]'))
    with pytest.raises(StudyError, match=r"inputs\.district\[0\]\.colums.*columns"):
        bg.load_study(toy)
