"""Reading OSM: formats, areas, clipped extracts, broken files."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import osmium
import pytest
from helsinki import helsinki_pbf
from osm_xml import OsmXml

from bishan_gis.errors import BishanGisError, BrokenFileError, MissingFileError
from bishan_gis.sources.osm import AREA_KEYS, LEFT_OUT, OsmData, Restriction, describe_osm, load_osm


def town() -> OsmXml:
    """A street, a shop, a school with a court in it, and everything that goes wrong in clipped extracts."""
    xml = OsmXml()
    for i, (x, y) in enumerate([(0, 0), (100, 0), (100, 100), (0, 100)], 1):
        xml.node(i, x, y)
    for i, (x, y) in enumerate([(40, 40), (60, 40), (60, 60), (40, 60)], 5):
        xml.node(i, x, y)
    xml.node(9, 10, 10, shop="convenience", name="便利店", data_kind="synthetic").node(10, 5, 5, fixme="?")
    xml.way(20, [1, 2, 3], highway="residential", name="<b>街</b>")
    xml.way(21, [3, 4, 99, 98, 1], highway="path")
    xml.way(22, [1], highway="path")
    xml.way(23, [1, 2, 3, 4, 1], highway="pedestrian")
    xml.way(24, [1, 2, 3, 4, 1], highway="pedestrian", area="yes")
    xml.way(30, [1, 2, 1], building="yes")
    xml.way(31, [1, 2, 99, 3, 1], building="yes")
    xml.way(32, [1, 3, 2, 4, 1], building="yes")
    xml.way(33, [1, 2, 3, 4, 1], building="yes", data_kind="synthetic")
    xml.way(34, [1, 2, 3, 4, 1], landuse="farmland", area="no")
    xml.way(35, [1, 2, 3, 4, 1]).way(36, [5, 6, 7, 8, 5])
    xml.way(37, [1, 2, 3, 4, 1], railway="rail").way(38, [5, 6, 7, 8, 5], railway="station")
    xml.relation(40, [(35, "outer"), (36, "inner")], type="multipolygon", amenity="school")
    xml.relation(41, [(35, "outer"), (77, "outer")], type="multipolygon", natural="water")
    xml.relation(42, [(20, "")], type="route", route="bus")
    return xml


@pytest.fixture
def data(tmp_path: Path) -> OsmData:
    return load_osm(town().write(tmp_path / "town.osm"))


def test_points_keep_only_what_is_asked_for(data: OsmData) -> None:
    assert data.point_id.tolist() == [9]
    assert data.point_tags == [{"shop": "convenience", "name": "便利店", "data_kind": "synthetic"}]


def test_ways_are_slices_of_flat_arrays(data: OsmData) -> None:
    assert data.way_id.tolist() == [20, 21, 23, 24, 37, 38]
    assert data.way_start.tolist() == [0, 3, 8, 13, 18, 23, 28]
    assert data.way_ref[:8].tolist() == [1, 2, 3, 3, 4, 99, 98, 1]
    assert np.isnan(data.way_lon[:8]).tolist() == [False] * 5 + [True] * 2 + [False]
    assert data.way_tags[0] == {"highway": "residential", "name": "<b>街</b>"}
    assert data.way_lon[0] == data.way_lon[7]
    assert np.nanmin(data.way_lat) == data.bounds[1]


def test_areas(data: OsmData) -> None:
    areas = data.areas.set_index("osm_id")
    # a closed street is an area only with area=yes, a closed railway only where it is a station
    assert set(areas.index) == {"way/24", "way/33", "way/38", "relation/40"}
    assert data.areas.crs.to_epsg() == 4326
    metres = areas.to_crs(4544).area
    assert metres["way/33"] == pytest.approx(10_000, rel=2e-3)
    assert metres["relation/40"] == pytest.approx(10_000 - 400, rel=2e-3)
    assert len(areas.geometry["relation/40"].interiors) == 1
    assert areas["tags"]["relation/40"] == {"amenity": "school"}  # libosmium drops `type`


def test_left_out_is_counted(data: OsmData) -> None:
    assert set(data.left_out) == set(LEFT_OUT)
    assert data.left_out == {
        "ways_too_short": 1,
        "ways_with_missing_nodes": 1,
        "missing_nodes": 2,
        "points_without_location": 0,
        "rings_too_short": 1,
        "rings_broken": 2,
        "relations_broken": 1,
    }


def test_describe(data: OsmData) -> None:
    told = describe_osm(data)
    assert (told["points"], told["ways"], told["areas"]) == (1, 6, 4)
    assert told["highways"] == {"residential": 1, "path": 1, "pedestrian": 2}
    assert told["services"] == {"shop=convenience": 1, "amenity=school": 1}
    assert told["data_kind"] == {"observed": round(9 / 11, 4), "synthetic": round(2 / 11, 4)}
    assert told["left_out"]["rings_broken"] == 2
    assert "1 points, 6 ways, 4 areas" in repr(data)


def same(a: OsmData, b: OsmData) -> None:
    for name in ("point_id", "point_lon", "point_lat", "way_id", "way_start", "way_ref", "way_lon", "way_lat"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.point_tags == b.point_tags
    assert a.way_tags == b.way_tags
    assert a.areas.osm_id.tolist() == b.areas.osm_id.tolist()
    assert a.areas.tags.tolist() == b.areas.tags.tolist()
    assert a.areas.geometry.geom_equals_exact(b.areas.geometry, 0).all()
    assert a.left_out == b.left_out
    assert a.restrictions == b.restrictions


@pytest.mark.parametrize("suffix", [".osm.pbf", ".pbf", ".osm", ".osm.gz", ".osm.bz2", ".OSM.PBF"])
def test_formats_hold_the_same(suffix: str, data: OsmData, tmp_path: Path) -> None:
    kind = suffix.lower().removeprefix(".").replace("osm.pbf", "pbf")
    file = osmium.io.File(str(tmp_path / f"copy{suffix}"), kind)
    with osmium.SimpleWriter(file) as writer:
        for item in osmium.FileProcessor(data.path):
            writer.add(item)
    same(data, load_osm(tmp_path / f"copy{suffix}"))


def test_only_what_is_asked_for(data: OsmData) -> None:
    streets = load_osm(data.path, way_keys=("highway",), point_keys=(), area_keys=())
    assert (len(streets.point_id), len(streets.way_id), len(streets.areas)) == (0, 4, 0)
    places = load_osm(data.path, way_keys=(), point_keys=("shop",), area_keys=("building",))
    assert (len(places.point_id), len(places.way_id), places.areas.osm_id.tolist()) == (1, 0, ["way/33"])
    assert places.left_out["relations_broken"] == 0


def test_restrictions(tmp_path: Path) -> None:
    xml = town()
    via = '<member type="node" ref="3" role="via"/>'
    ends = '<member type="way" ref="20" role="from"/><member type="way" ref="21" role="to"/>'
    tags = {"type": "restriction", "restriction": "no_left_turn"}
    xml.raw("relation", 51, "", via + ends, tags)
    xml.raw("relation", 50, "", ends + '<member type="way" ref="23" role="via"/>', {**tags, "except": "bicycle"})
    xml.raw("relation", 52, "", via + ends, {"type": "restriction", "restriction:hgv": "no_left_turn"})
    xml.raw("relation", 53, "", via + ends, {"type": "boundary", "restriction": "no_left_turn"})
    file = xml.write(tmp_path / "town.osm")
    data = load_osm(file)
    assert data.restrictions == [
        Restriction(50, {**tags, "except": "bicycle"}, (20,), (21,), (), (23,)),
        Restriction(51, tags, (20,), (21,), (3,)),
    ]
    assert data.left_out == load_osm(town().write(tmp_path / "bare.osm")).left_out
    assert load_osm(file, restrictions=False).restrictions == []
    streets = load_osm(file, way_keys=("highway",), point_keys=(), area_keys=())
    assert streets.restrictions == data.restrictions


def test_header(tmp_path: Path) -> None:
    xml = town().text.replace('"by hand">', '"by hand"><bounds minlon="1" minlat="2" maxlon="3" maxlat="4"/>')
    (tmp_path / "town.osm").write_text(xml, encoding="utf-8")
    data = load_osm(tmp_path / "town.osm")
    assert data.header == {"generator": "by hand"}
    assert data.box is not None
    assert data.box.bounds == (1, 2, 3, 4)


HEAD = '<?xml version="1.0"?><osm version="0.6">'
NODES = '<node id="1" lat="29.5" lon="106"/><node id="2" lat="29.6" lon="106"/>'
WAY = '<way id="5"><nd ref="1"/><nd ref="2"/><tag k="highway" v="path"/></way>'
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE osm [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;">]><osm version="0.6"><node id="1" lat="1" lon="1"><tag k="n" v="&c;"/></node></osm>'
)

BROKEN = {
    "zero.osm": (b"", "empty"),
    "zero.osm.pbf": (b"", "empty"),
    "page.osm": (b"<!DOCTYPE html><html><body>404</body></html>", "html"),
    "cut.osm": ((HEAD + NODES).encode(), "no element found"),
    "bomb.osm": (BOMB.encode(), "entities are not supported"),
    "letters.osm": ((HEAD + '<node id="abc" lat="1" lon="1"/></osm>').encode(), "illegal id"),
    "far.osm": ((HEAD + '<node id="1" lat="999" lon="1"/></osm>').encode(), "coordinate"),
    "noise.osm.pbf": (b"garbage" * 99, "PBF error"),
    "xml.osm.pbf": ((HEAD + "</osm>").encode(), "PBF error"),
    "cut.osm.pbf": (helsinki_pbf().read_bytes()[:400_000], "EOF"),
    "pbf.osm": (helsinki_pbf().read_bytes(), "XML parsing error"),
    "noise.osm.gz": (b"garbage" * 99, "fetch it again"),
    "noise2.osm.gz": (gzip.compress(b"garbage" * 99), "XML parsing error"),
    "cut.osm.gz": (gzip.compress((HEAD + NODES * 500 + "</osm>").encode())[:90], "fetch it again"),
    "noise.osm.bz2": (b"garbage" * 99, "fetch it again"),
    "cut.osm.bz2": (bz2.compress((HEAD + NODES * 500 + "</osm>").encode())[:90], "fetch it again"),
    "twice.osm": ((HEAD + NODES + WAY + WAY.replace("path", "steps") + "</osm>").encode(), "twice"),
    "unsorted.osm": ((HEAD + WAY + NODES + "</osm>").encode(), "osmium sort"),
    "negative.osm": ((HEAD + NODES + WAY + "</osm>").replace('"1"', '"-1"').encode(), "osmium renumber"),
    "encoding.osm": ((HEAD + NODES + "</osm>").encode().replace(b'id="2"', b'id="2" user="\xff"'), "token"),
    "layer.shp": (b"\x00", "suffix"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_get_one_clear_message(name: str, tmp_path: Path) -> None:
    content, reason = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BrokenFileError, match=reason) as caught:
        load_osm(tmp_path / name)
    for lang in ("zh", "en"):
        message = caught.value.message(lang)
        assert name in message
        assert "\n" not in message
        assert len(message) < 500
    assert caught.value.exit_code == 2


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.osm\.pbf"):
        load_osm(tmp_path / "none.osm.pbf")
    (tmp_path / "folder.osm").mkdir()
    with pytest.raises(BishanGisError, match="folder"):
        load_osm(tmp_path / "folder.osm")


def test_no_objects_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "bare.osm").write_text(HEAD + "</osm>")
    data = load_osm(tmp_path / "bare.osm")
    assert (len(data.way_id), len(data.point_id), len(data.areas), data.bounds) == (0, 0, 0, None)
    assert describe_osm(data)["data_kind"] == {}


def test_progress(tmp_path: Path) -> None:
    xml = OsmXml()
    for i in range(1, 20_002):
        xml.node(i, 0, 0, shop="yes")
    seen: list[tuple[int, int]] = []
    load_osm(xml.write(tmp_path / "many.osm"), progress=lambda *a: seen.append(a))
    assert seen == [(20_000, 0)]


def test_helsinki() -> None:
    data = load_osm(helsinki_pbf())
    assert (len(data.way_id), len(data.point_id), len(data.areas)) == (3401, 4123, 922)
    assert data.areas.is_valid.all()
    assert data.left_out["ways_with_missing_nodes"] == 256
    assert data.left_out["missing_nodes"] == int(np.isnan(data.way_lon).sum())
    whole = {int(i.removeprefix("relation/")) for i in data.areas.osm_id if i.startswith("relation/")}
    known = {way.id for way in osmium.FileProcessor(str(helsinki_pbf()), osmium.osm.WAY)}
    incomplete = broken = 0
    for relation in osmium.FileProcessor(str(helsinki_pbf()), osmium.osm.RELATION):
        is_area = relation.tags.get("type") in ("multipolygon", "boundary")
        if is_area and relation.id not in whole and any(key in relation.tags for key in AREA_KEYS):
            broken += 1
            incomplete += any(m.type == "w" and m.ref not in known for m in relation.members)
    # 20 lack members that lie outside the clip, 6 lack nodes of their members
    assert (data.left_out["relations_broken"], broken, incomplete) == (26, 26, 20)
    # the same file through the object interface, way by way
    ways = {}
    for way in osmium.FileProcessor(str(helsinki_pbf()), osmium.osm.WAY):
        if any(k in way.tags for k in ("highway", "railway", "waterway", "barrier")):
            ways[way.id] = [node.ref for node in way.nodes]
    assert data.way_id.tolist() == list(ways)
    assert data.way_ref.tolist() == [ref for refs in ways.values() for ref in refs]


_HEAP = """
import ctypes, json, sys
from contextlib import nullcontext
from bishan_gis.sources.heap import freed_at_once

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def resident():
    line = next(row for row in open("/proc/self/status") if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1024

libc.free(libc.malloc(30 << 20))  # from here on the allocator keeps large blocks
before = resident()
with freed_at_once() if sys.argv[1] == "at once" else nullcontext():
    blocks = [libc.malloc(1 << 20) for _ in range(50)]
    last = libc.malloc(100)  # what lies above keeps the heap from shrinking
    for block in blocks:
        ctypes.memset(block, 1, 1 << 20)
    for block in blocks:
        libc.free(block)
    print(json.dumps(resident() - before))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator of glibc")
def test_what_a_reading_frees_goes_back_to_the_system() -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD"))}

    def left_mb(how: str, **more: str) -> float:
        done = subprocess.run(
            [sys.executable, "-c", _HEAP, how], check=True, capture_output=True, text=True, env=env | more
        )
        return float(json.loads(done.stdout))

    assert left_mb("kept") > 40
    assert left_mb("at once") < 5
    # Who has told the allocator what to do is not contradicted.
    assert left_mb("at once", MALLOC_ARENA_MAX="2") > 40
