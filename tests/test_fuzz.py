# ruff: noqa: E501, PT017
"""Valid files, broken at random: a reader takes them or says in an error of ours why not.

Short here; ``BISHAN_GIS_FUZZ=20000 pytest tests/test_fuzz.py`` does as many examples of each.
"""

from __future__ import annotations

import gzip
import os
import struct
import tempfile
import warnings
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_study import POPULATION, write_toy_study

from bishan_gis.errors import BishanGisError

EXAMPLES = int(os.environ.get("BISHAN_GIS_FUZZ", "25"))
DATA = files("bishan_gis") / "data"
#: What goes into files that is hard to swallow.
TOKENS = [
    *(
        b"",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b'"',
        b"'",
        b",",
        b"\n",
        b"\r",
        b"[",
        b"]]",
        b"{",
        b"}",
    ),
    *(
        b"nan",
        b"inf",
        b"-inf",
        b"1e999",
        b"-1",
        b"0",
        b"99999999999999999999999",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"1.5",
    ),
    *(
        b"=cmd|' /C calc'!A0",
        b"../../etc/passwd",
        b"/vsicurl/http://localhost:9/",
        b"&lt;",
        b"<!DOCTYPE x>",
        b"\xe5\x90\x8d",
    ),
    *(b"[" * 400, b"a." * 200, b"2026-13-45", b"99:99:99", b"EPSG:4544", b"  "),
]


@st.composite
def broken(draw, text: bytes):
    """Cut, flip, repeat, swap or replace parts of a file."""
    data = bytearray(text)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.sampled_from([0, 1, 2, 8, 60]))
        how = draw(st.sampled_from(["cut", "flip", "put", "over", "twice", "word", "line"]))
        if how == "cut":
            del data[at : at + draw(st.sampled_from([1, 10, 1000, 10**6]))]
        elif how == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "put":
            data[at:at] = draw(st.sampled_from(TOKENS))
        elif how == "over":
            data[at : at + length] = draw(st.sampled_from(TOKENS))
        elif how == "twice":
            data[at:at] = data[at : at + length]
        elif how == "word":
            words = bytes(data).replace(b",", b" ").replace(b'"', b" ").split()
            if words:
                data = bytearray(bytes(data).replace(draw(st.sampled_from(words)), draw(st.sampled_from(TOKENS)), 1))
        else:
            lines = bytes(data).split(b"\n")
            lines.insert(draw(st.integers(0, len(lines))), lines.pop(draw(st.integers(0, len(lines) - 1))))
            data = bytearray(b"\n".join(lines))
    return bytes(data)


def _toy():
    with tempfile.TemporaryDirectory() as folder:
        write_toy_study(Path(folder))
        names = ("study.toml", "data/raw/streets.osm", "data/raw/townships.geojson")
        return [(Path(folder) / name).read_bytes() for name in names]


STUDY, STREETS, TOWNS = _toy()


def _pbf() -> bytes:
    import osmium

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.osm").write_bytes(STREETS)
        with osmium.SimpleWriter(str(folder / "a.osm.pbf")) as out:
            for item in osmium.FileProcessor(str(folder / "a.osm")):
                out.add(item)
        return (folder / "a.osm.pbf").read_bytes()


def _gpkg() -> bytes:
    import geopandas as gpd

    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "a.geojson").write_bytes(TOWNS)
        gpd.read_file(Path(name) / "a.geojson").to_file(Path(name) / "a.gpkg", SPATIAL_INDEX="NO")
        return (Path(name) / "a.gpkg").read_bytes()


def _data(name: str) -> bytes:
    return (DATA / name).read_bytes()


DATASETS = b'[[dataset]]\npath = "a.csv"\ntitle = "t"\nsource = "s"\nlicence = "l"\nkind = "assumed"\nsha256 = "00"\nbytes = 3\n'
PLACES = "名称,类型,经度,纬度,容量\n甲,药店,106.24,29.545,3\n乙,公园,106.25,29.546,\n丙,,0,0,x\n".encode()
SERVICES = b"facility_id,service\nnode/1,pharmacy\nnode/2,park\n"


def _population(path):
    from bishan_gis.sources.population import load_population
    from bishan_gis.study_settings import PopulationInput

    parts = {"0-14": "young", "15-64": "middle", "65+": "old"}
    load_population(path, PopulationInput(path="a", zone="code", parts=parts))


def _study(path):
    from bishan_gis.study import load_study

    list(load_study(path).input_files())


def _call(module: str, name: str, **more):
    def call(path):
        from importlib import import_module

        getattr(import_module(f"bishan_gis.{module}"), name)(path, **more)

    return call


def _zipped(data: bytes) -> bytes:
    import io

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("stops.txt", "stop_id,stop_name,stop_lat,stop_lon\na,A,29.5,106.2\nb,B,29.6,106.2\n")
        out.writestr("routes.txt", "route_id,route_short_name,route_type\nr,1,3\n")
        out.writestr("trips.txt", "route_id,service_id,trip_id\nr,s,t\n")
        days = "monday,tuesday,wednesday,thursday,friday,saturday,sunday"
        out.writestr("calendar.txt", f"service_id,{days},start_date,end_date\ns,1,1,1,1,1,1,1,20260101,20261231\n")
        out.writestr("stop_times.txt", data)
    return stream.getvalue()


TIMES = b"trip_id,arrival_time,departure_time,stop_id,stop_sequence\nt,07:00:00,07:00:00,a,1\nt,07:10:00,07:10:00,b,2\n"

#: Reader -> file name, valid bytes, how it is read.
READERS = {
    "study": ("study.toml", STUDY, _study),
    "study template": ("study.toml", _data("study_template.toml"), _study),
    "datasets": ("datasets.toml", DATASETS, _call("sources.datasets", "load_datasets")),
    "population": ("p.csv", POPULATION.encode(), _population),
    "services": ("s.csv", SERVICES, _call("sources.tables", "load_services")),
    "places": ("p.csv", PLACES, _call("sources.poi_table", "load_poi_table", datum="wgs84", service="pharmacy")),
    "geojson": ("a.geojson", TOWNS, _call("sources.layers", "load_layer", columns={"zone_id": "code"})),
    "gpkg": ("a.gpkg", _gpkg(), _call("sources.layers", "load_layer", columns={"zone_id": "code"})),
    "osm": ("a.osm", STREETS[:6000], _call("sources.osm", "load_osm")),
    "osm.gz": ("a.osm.gz", gzip.compress(STREETS, mtime=0), _call("sources.osm", "load_osm")),
    "osm.pbf": ("a.osm.pbf", _pbf(), _call("sources.osm", "load_osm")),
    "standards": ("s.csv", _data("standards.csv")[:4000].rpartition(b"\n")[0], _call("planning.standards", "load_standards")),
    "policy": ("p.csv", _data("policy.csv")[:3000].rpartition(b"\n")[0], _call("planning.policy", "load_policy")),
    "scenario": ("s.toml", _data("scenario_template.toml"), _call("planning.scenarios", "load_scenario")),
    "classes": ("c.toml", _data("facility_classes.toml"), _call("places.classes", "load_classes")),
    "rules": ("r.toml", _data("walk_rules.toml"), _call("network.rules", "load_rules")),
    "types": ("t.csv", _data("poi_classes.csv")[:3000].rpartition(b"\n")[0], _call("sources.poi_classes", "load_poi_types")),
    "gtfs zip": ("g.zip", _zipped(TIMES), _call("sources.gtfs", "load_gtfs")),
    "gaps": ("gaps.json", b'{"version": 1, "cells": {"id": ["a"], "people": [1], "zone_id": ["z"]}}', _call("sources.gap_files", "load_gaps")),
}  # fmt: skip


def read(name: str, data: bytes) -> None:
    """Read it; anything but success or an error of ours is a fault."""
    file, _, reader = READERS[name]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / file
        path.write_bytes(data)
        try:
            reader(path)
        except BishanGisError as err:
            assert err.zh
            assert err.en
            assert "\n" not in err.message("zh")


@pytest.mark.parametrize("name", list(READERS))
def test_only_errors_of_ours(name):
    _, text, _ = READERS[name]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=EXAMPLES < 100,
        suppress_health_check=list(HealthCheck),
    )
    @given(broken(text))
    def fuzz(data):
        read(name, data)

    fuzz()


def test_times_of_a_feed():
    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=EXAMPLES < 100)
    @given(broken(TIMES))
    def fuzz(data):
        read("gtfs zip", _zipped(data))

    fuzz()


def test_a_pbf_header_that_lies():
    for size in (0, 1, 1 << 16, 1 << 31, (1 << 32) - 1):
        read("osm.pbf", struct.pack(">I", size) + _pbf()[4:])
