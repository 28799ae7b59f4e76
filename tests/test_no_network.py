"""Files that name a server or another file: refused by check, run and info, and nobody is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loopback import loopback_server
from toy_study import write_toy_study

import bishan_gis as bg
from bishan_gis.errors import BrokenFileError, InputError
from bishan_gis.readiness import build_readiness
from bishan_gis.sources.layers import describe_layer, load_layer
from bishan_gis.sources.safety import check_raster_file, open_raster

RASTERS = {
    "tile index": "<GDALTileIndexDataset><IndexDataset>/vsicurl/URL/a.gpkg</IndexDataset></GDALTileIndexDataset>",
    "mrf": "<MRF_META><Raster><Size x='8' y='8'/><DataFile>made.dat</DataFile></Raster><GeoTags><Projection>URL/a"
    "</Projection></GeoTags></MRF_META>",
    "stac": '{"stac_version": "1.0.0", "type": "FeatureCollection", "features": [{"type": "Feature", "properties":'
    '{"proj:epsg": 4326, "proj:transform": [1,0,0,0,1,0]}, "assets": {"a": {"href": "URL/a.tif"}}}]}',
    "wms": "<GDAL_WMS><Service name='TMS'><ServerUrl>URL/a</ServerUrl></Service></GDAL_WMS>",
}
LAYERS = {
    "towns.json": '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /vsicurl/URL/a.geojson"}',
    "towns.gdalg.json": '{"type": "FeatureCollection", "features": []}',
    "towns.geojson": '{"type": "FeatureCollection", "crs": {"type": "link", "properties": {"href": "URL/a"}}, '
    '"features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [106, 29]}}]}',
    "late.geojson": '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"a": "SPACE"}, '
    '"geometry": {"type": "Point", "coordinates": [106, 29]}}], '
    '"crs": {"type": "link", "properties": {"href": "URL/a"}}}',
    "towns.kml": "<kml><Document><NetworkLink><href>URL/a.kml</href></NetworkLink></Document></kml>",
    "towns.tab": '!table\n!version 300\nDefinition Table\n Type LINKED Charset "x"\n Fields 1\nopen "/vsicurl/URL/a"',
    "towns.gpkg": "<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>/vsicurl/URL/a</SrcDataSource></OGRVRTLayer>"
    "</OGRVRTDataSource>",
    "towns.shp": '{"type": "Topology", "objects": {}}',
}


@pytest.fixture
def server():
    with loopback_server() as found:
        yield found


def _readiness(folder: Path, old: str, new: str) -> str:
    file = write_toy_study(folder)
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    table = build_readiness(bg.load_study(file)).set_index("file")
    return table.loc[new, "reason_en"]


@pytest.mark.parametrize("name", RASTERS)
def test_a_raster_that_names_a_server(server, tmp_path, name):
    raw = tmp_path / "data/raw"
    raw.mkdir(parents=True)
    place = raw / "people.tif"
    place.write_text(RASTERS[name].replace("URL", server.url), encoding="utf-8")
    with pytest.raises(InputError, match="points"):
        check_raster_file(place, where="x")
    with pytest.raises(OSError, match="supported"), open_raster(place):
        pass
    said = _readiness(tmp_path, "population.csv", "people.tif")
    assert "points to data elsewhere" in said, said
    assert server.paths() == []
    assert not (raw / "made.dat").exists()


def test_a_mask_beside_a_raster_is_no_door(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    check_raster_file(tmp_path / "a.tif", where="x")
    (tmp_path / "a.tif.msk").write_text("<VRTDataset>")
    with pytest.raises(InputError, match=r"a\.tif\.msk"):
        check_raster_file(tmp_path / "a.tif", where="x")


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_names_a_server(server, tmp_path, name):
    raw = tmp_path / "data/raw"
    raw.mkdir(parents=True)
    text = LAYERS[name].replace("URL", server.url).replace("SPACE", " " * 70_000)
    (raw / name).write_text(text, encoding="utf-8")
    for read in (load_layer, describe_layer):
        if name == "late.geojson":
            # Its link stands too late to be seen beforehand: then the library is told that there is no network.
            try:
                read(raw / name)
            except (InputError, BrokenFileError):
                continue
        else:
            with pytest.raises((InputError, BrokenFileError)):
                read(raw / name)
    said = _readiness(tmp_path, "townships.geojson" if name != "towns.geojson" else "district.geojson", name)
    assert said
    assert server.paths() == []


def test_what_holds_its_own_data_is_still_read(tmp_path):
    file = write_toy_study(tmp_path)
    towns = load_layer(file.parent / "data/raw/townships.geojson")
    formats = {"a.gpkg": "GPKG", "a.shp": None, "a.fgb": "FlatGeobuf", "a.kml": "KML", "a.tab": "MapInfo File"}
    for name, driver in {**formats, "a.mif": "MapInfo File", "a.gdb": "OpenFileGDB", "a.json": "GeoJSON"}.items():
        towns.to_file(tmp_path / name, **({"driver": driver} if driver else {}))
        assert len(load_layer(tmp_path / name)) == 2, name
    bare = json.loads((file.parent / "data/raw/townships.geojson").read_text(encoding="utf-8"))
    (tmp_path / "b.geojson").write_bytes(b"\xef\xbb\xbf" + json.dumps(bare).encode())
    assert len(load_layer(tmp_path / "b.geojson")) == 2
