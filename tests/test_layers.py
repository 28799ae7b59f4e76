"""Layers, elevation and the dataset list: every format, both encodings, and what is wrong with a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from bishan_gis.crs import WGS84, load_crs, reproject
from bishan_gis.errors import (
    BrokenFileError,
    CrsError,
    DatasetError,
    InputError,
    MissingColumnError,
    MissingFileError,
    NoDataError,
)
from bishan_gis.sources.bounds import check_bounds
from bishan_gis.sources.datasets import check_datasets, file_sha256, load_datasets
from bishan_gis.sources.elevation import load_elevation, sample_elevation
from bishan_gis.sources.layers import describe_layer, find_encoding, load_layer
from bishan_gis.sources.tables import load_services, read_csv, zone_key

NAMES = ["璧城街道", "<script>alert(1)</script>", "=cmd()"]


def layer(crs: str = "EPSG:4326") -> gpd.GeoDataFrame:
    points = gpd.points_from_xy([106.20, 106.21, 106.22], [29.50, 29.51, 29.52])
    frame = gpd.GeoDataFrame(
        {"code": ["a", "b", "c"], "mc": NAMES, "people": np.int32([1, 2, 3])}, geometry=points, crs=4326
    )
    return frame.to_crs(crs)


def write(folder: Path, name: str, frame: gpd.GeoDataFrame | None = None, **options: object) -> Path:
    path = folder / name
    (layer() if frame is None else frame).to_file(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.gpkg", {}),
        ("a.geojson", {}),
        ("a.shp", {"encoding": "UTF-8"}),
        ("a.shp", {"encoding": "GBK"}),
        ("a.fgb", {"driver": "FlatGeobuf"}),
        ("a.gdb", {"driver": "OpenFileGDB"}),
    ],
)
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4544", "EPSG:4523"])
def test_every_format_round_trip(tmp_path: Path, name: str, options: dict[str, str], crs: str) -> None:
    path = write(tmp_path, name, layer(crs), **options)
    out = load_layer(path, columns={"zone_id": "code", "name": "mc"})
    assert out.crs.to_epsg() == 4326
    out = out.sort_values("zone_id", ignore_index=True)
    assert out["name"].tolist() == NAMES
    assert out["people"].tolist() == [1, 2, 3]
    assert list(out.columns) == ["zone_id", "name", "people", "geometry"]
    assert np.allclose(shapely.get_coordinates(out.geometry), shapely.get_coordinates(layer().geometry), atol=1e-7)
    assert out.attrs["left_out"] == {}


@pytest.mark.parametrize(("encoding", "found"), [("UTF-8", "UTF-8"), ("GBK", "GB18030")])
def test_shapefile_without_cpg(tmp_path: Path, encoding: str, found: str) -> None:
    path = write(tmp_path, "a.shp", encoding=encoding)
    path.with_suffix(".cpg").unlink()
    assert find_encoding(path) == found
    assert load_layer(path)["mc"].tolist() == NAMES


def test_shapefile_with_chinese_columns_and_cut_text(tmp_path: Path) -> None:
    frame = layer().rename(columns={"mc": "名称"})
    frame["名称"] = ["街" * 100, "道", "x"]  # 300 bytes in UTF-8: cut at 254, in the middle of a character
    path = write(tmp_path, "a.shp", frame, encoding="GBK")
    path.with_suffix(".cpg").unlink()
    assert load_layer(path, columns={"name": "名称"})["name"].tolist() == ["街" * 100, "道", "x"]


def test_shapefile_with_lying_cpg(tmp_path: Path) -> None:
    path = write(tmp_path, "a.shp", encoding="GBK")
    path.with_suffix(".cpg").write_text("UTF-8")
    with pytest.raises(BrokenFileError, match="encoding"):
        load_layer(path)
    assert load_layer(path, encoding="GBK")["mc"].tolist() == NAMES


def test_shapefile_parts_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "a.shp", encoding="UTF-8")
    path.with_suffix(".prj").unlink()
    with pytest.raises(CrsError, match=r"\.prj"):
        load_layer(path)
    assert len(load_layer(path, crs="EPSG:4490")) == 3
    path.with_suffix(".dbf").unlink()
    with pytest.raises(BrokenFileError, match=r"\.dbf"):
        load_layer(path)


def test_missing_empty_and_broken_files(tmp_path: Path) -> None:
    write(tmp_path, "towns.gpkg")
    with pytest.raises(MissingFileError, match=r"towns\.gpkg"):
        load_layer(tmp_path / "town.gpkg")
    for name, content in (
        ("e.geojson", b""),
        ("b.geojson", b"{"),
        ("b.gpkg", b"x" * 200),
        ("b.shp", b"x" * 200),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BrokenFileError) as caught:
            load_layer(tmp_path / name)
        assert name in caught.value.zh
        assert "\n" not in caught.value.message("en")


def test_a_table_is_no_layer(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"\.csv"):
        load_layer(tmp_path / "a.csv")


def test_several_layers(tmp_path: Path) -> None:
    write(tmp_path, "a.gpkg", layer="towns")
    write(tmp_path, "a.gpkg", layer="roads")
    with pytest.raises(InputError, match="towns, roads"):
        load_layer(tmp_path / "a.gpkg")
    with pytest.raises(InputError, match=r"did you mean towns\?"):
        load_layer(tmp_path / "a.gpkg", layer="town")
    assert len(load_layer(tmp_path / "a.gpkg", layer="towns")) == 3
    assert [x["name"] for x in describe_layer(tmp_path / "a.gpkg")["layers"]] == ["towns", "roads"]


def test_no_features(tmp_path: Path) -> None:
    with pytest.raises(NoDataError) as caught:
        load_layer(write(tmp_path, "a.gpkg", layer().iloc[:0]))
    assert caught.value.exit_code == 3


def test_missing_columns_are_named_together(tmp_path: Path) -> None:
    path = write(tmp_path, "a.geojson")
    with pytest.raises(MissingColumnError, match=r"cod, nam.*did you mean code"):
        load_layer(path, columns={"zone_id": "cod", "name": "nam"})


def test_all_problems_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "a.geojson", layer("EPSG:4544"))
    path.write_text(path.read_text().replace("EPSG::4544", "EPSG::4326"))
    with pytest.raises(InputError, match=r"missing column nope.*metres, not degrees"):
        load_layer(path, columns={"zone_id": "nope"})


@pytest.mark.parametrize(
    ("made", "claimed", "said"),
    [
        ("EPSG:4544", "EPSG:4326", "metres, not degrees"),
        ("EPSG:4523", "EPSG:4326", "zone number 35: EPSG:4523"),
        ("EPSG:4326", "EPSG:4544", "degrees, not metres"),
        ("EPSG:4523", "EPSG:4544", "EPSG:4523, not EPSG:4544"),
        ("EPSG:4544", "EPSG:4523", "EPSG:4544, not EPSG:4523"),
    ],
)
def test_wrong_crs_is_explained(tmp_path: Path, made: str, claimed: str, said: str) -> None:
    path = write(tmp_path, "a.gpkg", layer(made).set_crs(claimed, allow_override=True))
    with pytest.raises(CrsError, match=said):
        load_layer(path)
    out = load_layer(path, crs=made)  # the study knows better
    assert np.allclose(shapely.get_coordinates(out.geometry), shapely.get_coordinates(layer().geometry), atol=1e-7)
    assert len(out.attrs["warnings"]) == 1


@pytest.mark.parametrize(
    ("crs", "x", "y", "said"),
    [
        ("EPSG:4610", 106.2, 29.6, 1),
        ("EPSG:2343", 616_000, 3_275_000, 1),
        ("EPSG:2401", 25_500_000, 4_400_000, 1),
        ("EPSG:4214", 115.0, 20.5, 0),  # offshore Beijing 1954 has parameters
        ("EPSG:4490", 106.2, 29.6, 0),
        ("EPSG:4544", 616_000, 3_275_000, 0),
        ("EPSG:4523", 35_616_000, 3_275_000, 0),
        ("EPSG:32648", 616_000, 3_275_000, 0),
    ],
)
def test_a_datum_without_parameters_is_said(tmp_path: Path, crs: str, x: float, y: float, said: int) -> None:
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(x, y)], crs=crs).to_file(tmp_path / "a.gpkg")
    notes = load_layer(tmp_path / "a.gpkg").attrs["warnings"]
    assert sum("no parameters are known" in en for _, en in notes) == said


@pytest.mark.parametrize("code", [4544, 4523, 32648, 2360, 21480, 4490])
def test_shapes_land_where_proj_puts_them(code: int) -> None:
    # By its own steps or by PROJ's choice, both ways: equal in every bit.
    crs, rng = load_crs(f"EPSG:{code}"), np.random.default_rng(1)
    lonlat = gpd.GeoSeries(shapely.points(rng.uniform((100, 25), (110, 35), (500, 2))), crs=WGS84, name="shape")
    plane = reproject(lonlat, crs)
    assert plane.crs == crs
    assert plane.name == "shape"
    assert (shapely.get_coordinates(plane) == shapely.get_coordinates(lonlat.to_crs(crs))).all()
    back = shapely.get_coordinates(reproject(plane, WGS84)), shapely.get_coordinates(plane.to_crs(WGS84))
    assert (back[0] == back[1]).all()


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4544"])
def test_swapped_axes(crs: str) -> None:
    frame = layer(crs)
    west, south, east, north = frame.total_bounds
    check_bounds((west, south, east, north), frame.crs, where="x")
    with pytest.raises(CrsError, match="swapped"):
        check_bounds((south, west, north, east), frame.crs, where="x")


def test_geometries_are_flat_valid_and_counted(tmp_path: Path) -> None:
    bow = shapely.Polygon([(106, 29), (106.1, 29.1), (106.1, 29), (106, 29.1)])
    good = shapely.Polygon([(106, 29, 5), (106.1, 29, 5), (106.1, 29.1, 5)])
    line = shapely.Polygon([(106, 29), (106.1, 29), (106, 29), (106, 29)])
    frame = gpd.GeoDataFrame({"id": [1, 2, 3, 4]}, geometry=[good, bow, None, line], crs=4326)
    out = load_layer(write(tmp_path, "a.gpkg", frame))
    assert out["id"].tolist() == [1, 2]
    assert not out.has_z.any()
    assert out.is_valid.all()
    assert out.attrs["left_out"] == {"null_geometry": 1, "repaired_geometry": 1, "collapsed_geometry": 1}


def test_a_column_with_our_name_steps_aside(tmp_path: Path) -> None:
    frame = layer().assign(name="their own")
    out = load_layer(write(tmp_path, "a.gpkg", frame), columns={"name": "mc", "zone_id": "mc"})
    assert out["name"].tolist() == out["zone_id"].tolist() == NAMES
    assert out["name_source"].tolist() == ["their own"] * 3
    assert "mc" not in out.columns


def test_csv_encodings_and_services(tmp_path: Path) -> None:
    text = "osm_id,service,source\n1,rail_station,=cmd()\n1,rail_station,again\n2,,无\n"
    for encoding in ("utf-8", "utf-8-sig", "gbk"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        assert read_csv(path)["source"].tolist() == ["=cmd()", "again", "无"]
        out = load_services(path)
        assert out.to_numpy().tolist() == [["1", "rail_station"], ["2", ""]]
    with pytest.raises(BrokenFileError, match="encoding"):
        read_csv(tmp_path / "gbk.csv", encoding="utf-8")
    assert zone_key(out["facility_id"].astype(float)).tolist() == ["1", "2"]


def raster(folder: Path, values: np.ndarray, crs: str | None = "EPSG:4326", size: float = 0.01, **more: object) -> Path:
    path = folder / "r.tif"
    corner = (106.0, 30.0) if crs in (None, "EPSG:4326") else (600000.0, 3280000.0)
    options = {
        "driver": "GTiff",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": "float32",
    }
    options |= {
        "crs": crs,
        "transform": rasterio.Affine(size, 0, corner[0], 0, -size, corner[1]),
        "nodata": -9999,
        **more,
    }
    with rasterio.open(path, "w", **options) as out:
        out.write(values.astype("float32"), 1)
    return path


def test_elevation_is_bilinear(tmp_path: Path) -> None:
    values = np.add.outer(np.arange(4) * 10.0, np.arange(5) * 100.0)  # a plane: bilinear is exact
    values[3, 4] = -9999
    path = raster(tmp_path, values)
    lon = np.array([106.005, 106.015, 106.010, 106.0125, 106.045, 105.99, np.nan, 106.0, 106.044])
    lat = np.array([29.995, 29.985, 29.990, 29.9875, 29.965, 29.99, 29.99, 30.0, 29.974])
    out = sample_elevation(path, lon, lat)
    assert np.allclose(out, [0, 110, 55, 82.5, np.nan, np.nan, np.nan, 0, np.nan], equal_nan=True)
    assert np.allclose(sample_elevation(load_elevation(path), lon, lat), out, equal_nan=True)


def test_elevation_in_metres_agrees_with_degrees(tmp_path: Path) -> None:
    path = raster(tmp_path, np.add.outer(np.arange(40.0), np.arange(50.0)), crs="EPSG:4544", size=100.0)
    at = gpd.GeoSeries(gpd.points_from_xy([602000.0], [3278000.0]), crs=4544).to_crs(4326)
    assert np.allclose(sample_elevation(path, at.x, at.y), [19.5 + 19.5])


def test_bad_rasters(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        load_elevation(tmp_path / "no.tif")
    (tmp_path / "x.tif").write_bytes(b"II*\0" + b"x" * 40)
    with pytest.raises(BrokenFileError, match="raster"):
        load_elevation(tmp_path / "x.tif")
    path = raster(tmp_path, np.ones((3, 3)))
    with pytest.raises(NoDataError):
        load_elevation(path, bounds=(10, 10, 11, 11))
    path = raster(tmp_path, np.ones((3, 3)), crs=None)
    with pytest.raises(CrsError):
        load_elevation(path)
    path = raster(tmp_path, np.full((3, 3), -9999.0))
    with pytest.raises(NoDataError):
        load_elevation(path)


def manifest(folder: Path, files: dict[str, bytes], extra: str = "") -> Path:
    rows = []
    for name, content in files.items():
        (folder / name).write_bytes(content)
        rows.append(
            f'[[dataset]]\npath = "{name}"\ntitle = "标题"\ntitle_en = "Title"\nsource = "s"\nlicence = "CC0"\n'
            f'kind = "observed"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\nbytes = {len(content)}\n'
        )
    path = folder / "datasets.toml"
    path.write_text("\n".join(rows) + extra, encoding="utf-8")
    return path


def test_datasets(tmp_path: Path) -> None:
    listed = load_datasets(manifest(tmp_path, {"a": b"aa", "b": b"bb", "c": b"cc"}))
    used, notes = check_datasets(listed, [tmp_path / "a", tmp_path / "b"])
    assert [d.label("en") for d in used.values()] == ["Title", "Title"]
    assert notes == []
    (tmp_path / "other").write_bytes(b"1")
    used, notes = check_datasets(listed, [tmp_path / "other"])
    assert used == {}
    assert "other" in notes[0][1]
    (tmp_path / "a").write_bytes(b"ab")
    (tmp_path / "b").write_bytes(b"bbb")
    (tmp_path / "c").unlink()
    with pytest.raises(DatasetError, match=r"4 dataset problems: a has changed.*b has changed.*c is not.*gone"):
        check_datasets(listed, [*(tmp_path / n for n in "abc"), tmp_path / "gone"])


def test_datasets_manifest_is_checked(tmp_path: Path) -> None:
    extra = '\n[[dataset]]\npath = "a"\ntitel = "x"\nkind = "guessed"\n'
    with pytest.raises(DatasetError, match=r"entry 2: title is missing.*did you mean title.*guessed"):
        load_datasets(manifest(tmp_path, {"a": b"aa"}, extra))
    with pytest.raises(MissingFileError):
        load_datasets(tmp_path / "no.toml")
    (tmp_path / "gdb").mkdir()
    (tmp_path / "gdb" / "x").write_bytes(b"1")
    before = file_sha256(tmp_path / "gdb")
    (tmp_path / "gdb" / "x").write_bytes(b"2")
    assert file_sha256(tmp_path / "gdb") != before
