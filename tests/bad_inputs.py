# ruff: noqa: E501
"""What may be wrong with a study, and what is said of it: the table that tests run and `docs/bad-input.md` shows."""

from __future__ import annotations

import gzip
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd


@dataclass(frozen=True)
class Bad:
    """One thing that is wrong.

    `words` stand in the message in both languages, unless they are Chinese: then in the Chinese one alone.
    """

    zh: str
    en: str
    spoil: Callable[[Path], None]
    error: str
    words: tuple[str, ...]
    command: str = "check"

    @property
    def id(self) -> str:
        return self.en


def _replace(name: str, old: str, new: str):
    def spoil(folder: Path) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return spoil


def _write(name: str, content: bytes):
    return lambda folder: (folder / name).write_bytes(content)


def _append(text: str):
    def spoil(folder: Path) -> None:
        path = folder / "study.toml"
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    return spoil


def _metres_called_degrees(folder: Path) -> None:
    path = folder / "data/raw/district.geojson"
    frame = gpd.read_file(path).to_crs(4544)
    data = json.loads(frame.to_json(drop_id=True))
    data.pop("crs", None)
    path.write_text(json.dumps(data), encoding="utf-8")


def _degrees_called_metres(folder: Path) -> None:
    frame = gpd.read_file(folder / "data/raw/townships.geojson").set_crs(4544, allow_override=True)
    frame.to_file(folder / "data/raw/townships.gpkg")
    _replace("study.toml", "townships.geojson", "townships.gpkg")(folder)


def _without_crs(folder: Path) -> None:
    frame = gpd.read_file(folder / "data/raw/townships.geojson")
    frame.to_file(folder / "data/raw/townships.shp", encoding="UTF-8")
    (folder / "data/raw/townships.prj").unlink(missing_ok=True)
    _replace("study.toml", "townships.geojson", "townships.shp")(folder)


def _elsewhere(folder: Path) -> None:
    frame = gpd.read_file(folder / "data/raw/townships.geojson")
    frame.geometry = frame.translate(3, 0)
    frame.to_file(folder / "data/raw/townships.geojson", driver="GeoJSON")


def _truncated_pbf(folder: Path) -> None:
    import osmium

    source, target = folder / "data/raw/streets.osm", folder / "data/raw/streets.osm.pbf"
    writer = osmium.SimpleWriter(str(target))
    for item in osmium.FileProcessor(str(source)):
        writer.add(item)
    writer.close()
    target.write_bytes(target.read_bytes()[:-200])
    _replace("study.toml", 'osm = "streets.osm"', 'osm = "streets.osm.pbf"')(folder)


def _axes_swapped(folder: Path) -> None:
    path = folder / "data/raw/streets.osm"
    text = re.sub(r'lat="([^"]*)" lon="([^"]*)"', r'lat="\2" lon="\1"', path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")


def _osm_elsewhere(folder: Path) -> None:
    path = folder / "data/raw/streets.osm"
    path.write_text(path.read_text(encoding="utf-8").replace('lon="106.', 'lon="109.'), encoding="utf-8")


def _no_streets(folder: Path) -> None:
    path = folder / "data/raw/streets.osm"
    path.write_text(path.read_text(encoding="utf-8").replace('k="highway"', 'k="was:highway"'), encoding="utf-8")


def _no_features(folder: Path) -> None:
    empty = {"type": "FeatureCollection", "features": []}
    (folder / "data/raw/townships.geojson").write_text(json.dumps(empty), encoding="utf-8")


def _changed_file(folder: Path) -> None:
    _replace("study.toml", 'datasets = ""', 'datasets = "data/raw/datasets.toml"')(folder)
    (folder / "data/raw/datasets.toml").write_text(
        '[[dataset]]\npath = "population.csv"\ntitle = "人口"\nsource = "x"\nlicence = "x"\nkind = "assumed"\n'
        f'sha256 = "{"0" * 64}"\n',
        encoding="utf-8",
    )


def _raw(name: str, old: str, new: str):
    return _replace(f"data/raw/{name}", old, new)


def _both(*spoils):
    def spoil(folder: Path) -> None:
        for one in spoils:
            one(folder)

    return spoil


def _townships(name: str, content: bytes):
    """Write another file and name it as the townships."""
    return _both(_write(f"data/raw/{name}", content), _replace("study.toml", "townships.geojson", name))


def _geometry(change):
    """Change the coordinates of the first township."""

    def spoil(folder: Path) -> None:
        path = folder / "data/raw/townships.geojson"
        data = json.loads(path.read_text(encoding="utf-8"))
        data["features"][0]["geometry"] = change(data["features"][0]["geometry"])
        path.write_text(json.dumps(data), encoding="utf-8")

    return spoil


def _all_geometry(value):
    def spoil(folder: Path) -> None:
        path = folder / "data/raw/townships.geojson"
        data = json.loads(path.read_text(encoding="utf-8"))
        for one in data["features"]:
            one["geometry"] = value
        path.write_text(json.dumps(data), encoding="utf-8")

    return spoil


def _zoning(section: str, column: str):
    """Name a zoning layer of two points."""

    def spoil(folder: Path) -> None:
        towns = gpd.read_file(folder / "data/raw/townships.geojson")
        kinds = {"code": ["070102", "1401"], "line_type": ["城镇开发边界", "永久基本农田"]}
        points = gpd.GeoDataFrame({column: kinds[column]}, geometry=towns.representative_point(), crs=4326)
        points.to_file(folder / "data/raw/points.geojson", driver="GeoJSON")
        _append(f'\n[inputs.{section}]\npath = "points.geojson"\ncolumns = {{ {column} = "{column}" }}\n')(folder)

    return spoil


def _packed_streets(folder: Path) -> None:
    data = (folder / "data/raw/streets.osm").read_bytes()
    (folder / "data/raw/streets.osm.gz").write_bytes(gzip.compress(data)[:-300])
    _replace("study.toml", 'osm = "streets.osm"', 'osm = "streets.osm.gz"')(folder)


def _gzip_bomb(folder: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1 << 20)
    data = b"".join(packer.compress(block) for _ in range(80)) + packer.flush()
    (folder / "data/raw/streets.osm.gz").write_bytes(data)
    _replace("study.toml", 'osm = "streets.osm"', 'osm = "streets.osm.gz"')(folder)


def _pbf_bomb(folder: Path) -> None:
    """Write a block that says it unpacks to 1 GB."""
    packed = zlib.compress(b" " * 1000)
    blob = b"\x10" + _varint(1 << 30) + b"\x1a" + _varint(len(packed)) + packed
    head = b"\x0a\x09OSMHeader\x18" + _varint(len(blob))
    (folder / "data/raw/streets.osm.pbf").write_bytes(struct.pack(">I", len(head)) + head + blob)
    _replace("study.toml", 'osm = "streets.osm"', 'osm = "streets.osm.pbf"')(folder)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _zip_bomb(folder: Path) -> None:
    with zipfile.ZipFile(folder / "data/raw/places.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b" " * (8 << 20))
        packed.writestr("[Content_Types].xml", "<Types/>")
        packed.writestr("xl/workbook.xml", "<workbook/>")
    _places("places.xlsx")(folder)


def _places(name: str, more: str = ""):
    """Name a table of places."""
    text = f'type = "table"\ndatum = "wgs84"\nservice = "pharmacy"\n{more}'
    return _append(f'\n[[inputs.facilities]]\npath = "{name}"\n{text}')


def _table(content: str, encoding: str = "utf-8"):
    return _both(_write("data/raw/places.csv", content.encode(encoding)), _places("places.csv"))


def _raster(fill: float, *, shift: float = 0.0, crs: str | None = "EPSG:4326"):
    """Write a raster of people over the town and use it."""

    def spoil(folder: Path) -> None:
        import warnings

        import numpy as np
        import rasterio

        west, south, east, north = gpd.read_file(folder / "data/raw/district.geojson").total_bounds
        box = (west + shift, south, east + shift, north)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            place = rasterio.transform.from_bounds(*box, 8, 8)
            target = folder / "data/raw/people.tif"
            shape = {"width": 8, "height": 8, "count": 1, "dtype": "float32"}
            with rasterio.open(target, "w", driver="GTiff", crs=crs, transform=place, **shape) as out:
                out.write(np.full((1, 8, 8), fill, dtype="float32"))
        _population('type = "raster"\npath = "people.tif"\nshares = { "0-14" = 0.2, "15-64" = 0.6, "65+" = 0.2 }')(
            folder
        )

    return spoil


def _population(text: str):
    def spoil(folder: Path) -> None:
        path = folder / "study.toml"
        said = path.read_text(encoding="utf-8")
        begin, end = said.index("[inputs.population]"), said.index("[directions]")
        path.write_text(f"{said[:begin]}[inputs.population]\n{text}\n{said[end:]}", encoding="utf-8")

    return spoil


def _datasets(text: str):
    return _both(
        _replace("study.toml", 'datasets = ""', 'datasets = "data/raw/datasets.toml"'),
        _write("data/raw/datasets.toml", text.encode("utf-8")),
    )


def _own_classes(text: str):
    return _both(
        _replace("study.toml", "[services]\n", '[services]\nclasses = "own.toml"\n'),
        _write("data/raw/own.toml", text.encode("utf-8")),
    )


_ENTRY = '[[dataset]]\npath = "population.csv"\ntitle = "人口"\nsource = "x"\nlicence = "x"\nkind = "guessed"\nsha256 = "0"\n'
_VRT = (
    b'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/vsicurl/http://localhost:9/x.geojson</SrcDataSource>'
    b"</OGRVRTLayer></OGRVRTDataSource>"
)
_ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE osm [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]><osm version="0.6">&b;</osm>'
)
_BOX = [[106.2, 29.5], [106.3, 29.5], [106.3, 29.6], [106.2, 29.5]]

#: Of each: Chinese, English, how it is made, error, words of the message, command.
CASES = [
    # Settings
    Bad("未知的键", "unknown key", _replace("study.toml", "lang =", "langg ="), "StudyError", ("langg", "lang")),
    Bad(
        "节内未知的键",
        "unknown key in a section",
        _append("[reach]\ncutoff_min = [5]\n"),
        "StudyError",
        ("reach.cutoff_min", "cutoffs_min"),
    ),
    Bad(
        "多处同时有误",
        "several problems at once",
        _replace("study.toml", 'id = "toy"\nname = "玩具区"', 'id = "a b"'),
        "StudyError",
        ("id", "name", "2"),
    ),
    Bad("没有研究文件", "no study file", lambda f: (f / "study.toml").unlink(), "MissingFileError", ("study.toml", "init")),
    Bad("不是 TOML", "not TOML", _write("study.toml", b"id = [1,"), "StudyError", ("study.toml", "TOML")),
    Bad("设置不是 UTF-8", "settings not UTF-8", _write("study.toml", "名".encode("gbk")), "StudyError", ("UTF-8",)),
    Bad("设置含 NUL", "NUL in the settings", _write("study.toml", b'id = "a\0b"'), "StudyError", ("study.toml",)),
    Bad("设置是空文件", "empty settings", _write("study.toml", b""), "StudyError", ("id", "inputs")),
    Bad("阈值不递增", "cutoffs fall", _append("[reach]\ncutoffs_min = [15, 5]\n"), "StudyError", ("cutoffs_min",)),
    Bad("阈值为负", "cutoff below zero", _append("[reach]\ncutoffs_min = [-5]\n"), "StudyError", ("cutoffs_min", "-5")),
    Bad("阈值是文字", "cutoff is text", _append('[reach]\ncutoffs_min = ["five"]\n'), "StudyError", ("five",)),
    Bad("单元大小为零", "cell size zero", _append("[cells]\nsize_m = 0\n"), "StudyError", ("cells.size_m",)),
    Bad("单元大小为 NaN", "cell size not a number", _append("[cells]\nsize_m = nan\n"), "StudyError", ("cells.size_m",)),
    Bad("单元大小不可能", "cell size beyond measure", _append("[cells]\nsize_m = 1e308\n"), "StudyError", ("cells.size_m", "10000")),
    Bad("单元大小近于零", "cell size next to nothing", _append("[cells]\nsize_m = 1e-300\n"), "StudyError", ("cells.size_m",)),
    Bad("阈值无穷", "cutoff without end", _append("[reach]\ncutoffs_min = [5, inf]\n"), "StudyError", ("reach.cutoffs_min",)),
    Bad("搜索时间无穷", "search without end", _append("[reach]\nsearch_min = inf\n"), "StudyError", ("reach.search_min",)),
    Bad("没有直线半径", "no circles", _append("[reach]\ncircles_m = []\n"), "StudyError", ("reach.circles_m",)),
    Bad("半径无穷", "circle without end", _append("[reach]\ncircles_m = [inf]\n"), "StudyError", ("reach.circles_m",)),
    Bad("离路距离无穷", "snapping without end", _append("[walk]\nmax_snap_m = inf\n"), "StudyError", ("walk.max_snap_m",)),
    Bad("单元类型未知", "unknown kind of cell", _append('[cells]\ntype = "hex"\n'), "StudyError", ("hex", "h3")),
    Bad("H3 级别过大", "H3 level too high", _append("[cells]\nresolution = 15\n"), "StudyError", ("resolution", "15")),
    Bad("语言未知", "unknown language", _replace("study.toml", 'lang = "zh"', 'lang = "fr"'), "StudyError", ("fr",)),
    Bad("坐标系不存在", "unknown CRS", _replace("study.toml", "EPSG:4544", "EPSG:99999"), "CrsError", ("99999",)),
    Bad("坐标系不是文字", "CRS is nonsense", _replace("study.toml", "EPSG:4544", "米"), "CrsError", ("crs",)),
    Bad("坐标系以度为单位", "CRS in degrees", _replace("study.toml", "EPSG:4544", "EPSG:4326"), "CrsError", ("4326",)),
    Bad("网络墨卡托", "Web Mercator", _replace("study.toml", "EPSG:4544", "EPSG:3857"), "CrsError", ("3857",)),
    Bad("外国的坐标系", "zone of another country", _replace("study.toml", "EPSG:4544", "EPSG:3067"), "CrsError", ("3067",)),
    Bad("步行者未知", "unknown profile", _append('[walk]\nprofile = "adlut"\n'), "StudyError", ("adlut", "adult")),
    Bad("服务未知", "unknown service", _replace("study.toml", '"pharmacy"', '"farmacy"'), "", ("farmacy", "pharmacy"), "run"),
    Bad("方向中街镇未知", "unknown town in a direction", _replace("study.toml", '["西镇"]', '["西真"]'), "", ("西真",)),
    Bad("街镇属于两个方向", "town in two directions", _replace("study.toml", '["西镇"]', '["西镇", "东镇"]'), "", ("东镇",)),
    Bad(
        "指标未知",
        "unknown measure",
        _append('[[measures]]\nname = "x"\nmeasure = "gravty"\nservices = ["pharmacy"]\n'),
        "StudyError",
        ("gravty", "gravity"),
    ),
    Bad(
        "自有设施类别不是 TOML",
        "own classes not TOML",
        _own_classes("[[group]"),
        "",
        ("own.toml",),
        "run",
    ),
    Bad("自有设施类别缺键", "own classes lack keys", _own_classes("[[class]]\nkey = 1\n"), "", ("own.toml",), "run"),
    # Files
    Bad(
        "缺少文件",
        "file missing",
        lambda f: (f / "data/raw/population.csv").unlink(),
        "MissingFileError",
        ("population.csv", "inputs.population", "1"),
    ),
    Bad(
        "缺少两个文件",
        "two files missing",
        _both(
            lambda f: (f / "data/raw/population.csv").unlink(), lambda f: (f / "data/raw/streets.osm").unlink()
        ),
        "MissingFileError",
        ("population.csv", "streets.osm", "2"),
    ),
    Bad("路径是网址", "path is a URL", _replace("study.toml", "streets.osm", "http://localhost:9/a.osm"), "MissingFileError", ("a.osm",)),
    Bad(
        "路径在 /vsicurl/ 下",
        "path under /vsicurl/",
        _replace("study.toml", "townships.geojson", "/vsicurl/http://localhost:9/a.geojson"),
        "MissingFileError",
        ("vsicurl",),
    ),
    Bad("路径含 NUL", "NUL in a path", _replace("study.toml", "townships.geojson", "a\\u0000b.geojson"), "", ("inputs",)),
    Bad("文件已改变", "file changed", _changed_file, "DatasetError", ("population.csv", "1")),
    Bad("数据清单性质未知", "unknown kind in the manifest", _datasets(_ENTRY), "DatasetError", ("guessed", "observed")),
    Bad("数据清单不是 TOML", "manifest not TOML", _datasets("[[dataset"), "DatasetError", ("datasets.toml",)),
    Bad("数据清单项不是表", "manifest of another shape", _datasets("dataset = [1]"), "DatasetError", ("datasets.toml",)),
    # Streets
    Bad("OSM 文件为空", "empty OSM file", _write("data/raw/streets.osm", b""), "BrokenFileError", ("streets.osm", "0")),
    Bad(
        "OSM 文件是网页",
        "OSM file is a web page",
        _write("data/raw/streets.osm", b"<html><body>429</body></html>"),
        "BrokenFileError",
        ("streets.osm",),
    ),
    Bad("pbf 被截断", "truncated pbf", _truncated_pbf, "BrokenFileError", ("streets.osm.pbf",)),
    Bad("gz 被截断", "truncated gz", _packed_streets, "BrokenFileError", ("streets.osm.gz",)),
    Bad("gzip 炸弹", "gzip bomb", _gzip_bomb, "BrokenFileError", ("streets.osm.gz", "200")),
    Bad("pbf 块声称 1 GB", "pbf block that claims 1 GB", _pbf_bomb, "BrokenFileError", ("streets.osm.pbf",)),
    Bad("XML 含实体", "XML entities", _write("data/raw/streets.osm", _ENTITY), "BrokenFileError", ("streets.osm",)),
    Bad("OSM 后缀不符", "OSM suffix", _replace("study.toml", '"streets.osm"', '"population.csv"'), "BrokenFileError", (".osm.pbf",)),
    Bad("没有街道", "no streets", _no_streets, "NoDataError", ("streets.osm",)),
    Bad(
        "编号为负",
        "negative ids",
        lambda f: _write(
            "data/raw/streets.osm", (f / "data/raw/streets.osm").read_bytes().replace(b' id="', b' id="-').replace(b'ref="', b'ref="-')
        )(f),
        "BrokenFileError",
        ("streets.osm", "osmium renumber"),
    ),
    Bad("纬度不可能", "impossible latitude", _raw("streets.osm", 'lat="29.', 'lat="929.'), "", ("streets.osm",)),
    Bad("OSM 在别处", "OSM elsewhere", _osm_elsewhere, "NoDataError", ("streets.osm", "109.2")),
    Bad("OSM 经纬度写反", "OSM axes swapped", _axes_swapped, "BrokenFileError", ("streets.osm", "lat", "lon")),
    # Layers
    Bad("图层没有要素", "no features", _no_features, "NoDataError", ("townships.geojson",)),
    Bad("图层不是图层", "layer is no layer", _write("data/raw/townships.geojson", b"hello"), "BrokenFileError", ("townships.geojson",)),
    Bad("图层文件为空", "empty layer file", _write("data/raw/townships.geojson", b""), "BrokenFileError", ("townships.geojson", "0")),
    Bad("图层格式不读", "format that is not read", _townships("towns.gml", b"<gml/>"), "InputError", (".gml", "GeoPackage")),
    Bad("图层指向别处", "layer that points elsewhere", _townships("towns.kml", _VRT), "InputError", ("OGRVRTDataSource",)),
    Bad("图层是压缩包", "layer in a zip", _townships("towns.zip", b"PK\x03\x04"), "InputError", (".zip", "GeoPackage")),
    Bad("没有坐标系", "no CRS", _without_crs, "CrsError", ("townships.shp",)),
    Bad("米写成度", "metres called degrees", _metres_called_degrees, "CrsError", ("district.geojson",)),
    Bad("度写成米", "degrees called metres", _degrees_called_metres, "CrsError", ("townships.gpkg",)),
    Bad("街镇在别处", "towns elsewhere", _elsewhere, "NoDataError", ("townships.geojson", "109.237", "经纬度")),
    Bad("缺少列", "column missing", _replace("study.toml", 'zone_id = "code"', 'zone_id = "coed"'), "MissingColumnError", ("coed", "code")),
    Bad("没有几何", "no geometry", _all_geometry(None), "", ("townships.geojson",)),
    Bad("几何为点", "points for areas", _all_geometry({"type": "Point", "coordinates": [106.2, 29.6]}), "", ("townships",)),
    Bad("用地为点", "land use of points", _zoning("landuse", "code"), "SchemaError", ("inputs.landuse", "2")),
    Bad("控制线为点", "control lines of points", _zoning("control_lines", "line_type"), "SchemaError", ("inputs.control_lines", "2")),
    Bad("面积为零", "areas without area", _all_geometry({"type": "Polygon", "coordinates": [[[106.2, 29.6]] * 4]}), "", ("townships",)),
    Bad(
        "几何类型未知",
        "unknown geometry",
        _all_geometry({"type": "Blob", "coordinates": []}),
        "",
        ("townships",),
    ),
    Bad("街镇编号重复", "zone id twice", _raw("townships.geojson", '"code": "2"', '"code": "1"'), "", ("1",)),
    # People
    Bad("人口缺列", "population column missing", _replace("study.toml", '"young"', '"yuong"'), "MissingColumnError", ("population.csv", "yuong")),
    Bad("各组之和不等于合计", "parts do not add up", _raw("population.csv", "1000,200", "1000,201"), "ControlTotalError", ("population.csv", "1")),
    Bad("人数不是数", "not a number", _raw("population.csv", "501,101", "501,many"), "SchemaError", ("population.csv",)),
    Bad("人数为负", "negative people", _raw("population.csv", "501,101,300,100", "-1,-1,0,0"), "SchemaError", ("population.csv",)),
    Bad("人数为 NaN", "people NaN", _raw("population.csv", "501,101", "nan,101"), "SchemaError", ("population.csv",)),
    Bad("人数无穷", "people infinite", _raw("population.csv", "501,101", "inf,101"), "SchemaError", ("population.csv",)),
    Bad("街镇对不上", "town unknown to the population", _raw("population.csv", "\n2,", "\n7,"), "SchemaError", ("population.csv", "7")),
    Bad("街镇列了两次", "town listed twice", _raw("population.csv", "\n2,", "\n1,"), "SchemaError", ("population.csv", "1")),
    Bad("人口表为空", "empty population table", _write("data/raw/population.csv", b""), "BrokenFileError", ("population.csv", "0")),
    Bad("人口表只有表头", "population of no rows", _write("data/raw/population.csv", b"code,people,young,middle,old\n"), "", ("population.csv",)),
    Bad("人口表编码不明", "population in no encoding", _write("data/raw/population.csv", b"code,\xff\xff\xff\n"), "", ("population.csv",)),
    Bad("人口栅格为负", "raster below zero", _raster(-1), "SchemaError", ("people.tif", "nodata")),
    Bad("人口栅格在别处", "raster elsewhere", _raster(1, shift=2), "NoDataError", ("people.tif",)),
    Bad("人口栅格没有坐标系", "raster without CRS", _raster(1, crs=None), "CrsError", ("people.tif", "gdal_translate")),
    Bad("人口栅格全为零", "raster without people", _raster(0), "NoDataError", ("people.tif",)),
    Bad(
        "人口栅格指向别处",
        "raster that points elsewhere",
        _both(_raster(1), _write("data/raw/people.tif", b"<VRTDataset rasterXSize='9'></VRTDataset>")),
        "InputError",
        ("VRTDataset", "GeoTIFF"),
    ),
    # Tables of places
    Bad("地点表没有坐标列", "places without coordinates", _table("name,service\n甲,pharmacy\n"), "", ("places.csv",)),
    Bad("地点坐标为零", "places at zero", _table("name,lon,lat\n甲,0,0\n乙,0,0\n"), "", ("places.csv",)),
    Bad("地点表是旧 Excel", "places in old Excel", _both(_write("data/raw/p.xls", b"\xd0\xcf\x11\xe0"), _places("p.xls")), "InputError", (".xls", ".xlsx")),
    Bad("xlsx 不是工作簿", "xlsx is no workbook", _both(_write("data/raw/p.xlsx", b"PK\x03\x04junk"), _places("p.xlsx")), "BrokenFileError", ("p.xlsx",)),
    Bad("zip 炸弹", "zip bomb", _zip_bomb, "BrokenFileError", ("places.xlsx",)),
]  # fmt: skip
