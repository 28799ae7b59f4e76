"""Files that are refused before a library opens them: those that point elsewhere, those that unpack to far too much.

GDAL opens what a file *is*, whatever its name says: a text that names other files or servers is followed. So the first
bytes are looked at, and only formats that hold their own data are let in. Paths never reach the network: what is not a
file on this machine is not there (``/vsicurl/`` and URLs included).
"""

from __future__ import annotations

import bz2
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bishan_gis.errors import BrokenFileError, InputError

__all__ = [
    "MAX_RATIO",
    "RASTER_DRIVERS",
    "VECTOR_SUFFIXES",
    "check_raster_file",
    "check_unpacked",
    "check_vector_file",
    "no_network",
    "open_raster",
]

#: Vector formats that hold their own data.
VECTOR_SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".gdb", ".kml", ".tab", ".mif")
#: Suffix -> the one driver of GDAL that is tried, whatever a file says that it is; all others are GeoTIFF.
RASTER_DRIVERS = {".asc": "AAIGrid"}
_RASTER_REFUSED = (".vrt", ".xml", ".wms", ".zip", ".gz", ".tar", ".tgz", ".rar", ".7z")
#: What files hold that only say where the data is, in small letters.
_POINTERS = (
    *(b"<ogrvrtdatasource", b"<ogrwfsdatasource", b"<vrtdataset", b"<gdal_wms", b"<wms_capabilities"),
    *(b"<wmt_ms_capabilities", b"<wcs_gdal", b"<tilemap", b"<gdal_wmts", b"<networklink", b"<mrf_meta"),
    *(b"<gdaltileindexdataset", b"gdal_streamed_alg", b'"stac_version"', b"/vsi", b"<!doctype", b"<!entity"),
)
#: Binary formats: what they begin with. Text in them is data, and is not looked at.
_MAGIC = {
    ".gpkg": (b"SQLite format 3\0",),
    ".shp": (b"\x00\x00\x27\x0a",),
    ".fgb": (b"fgb\x03fgb",),
}
#: Text formats: what the first 64 KiB must look like. GDAL looks at no more of a file to tell what it is.
_GEOJSON = "FeatureCollection|Feature|GeometryCollection|(?:Multi)?(?:Point|LineString|Polygon)"
_TEXT = {
    ".geojson": rb"\s*\{.*\"type\"\s*:\s*\"(?:" + _GEOJSON.encode() + rb")\"",
    ".json": rb"\s*\{.*\"type\"\s*:\s*\"(?:" + _GEOJSON.encode() + rb")\"",
    ".kml": rb"\s*(?:<\?xml[^>]*\?>)?(?:\s|<!--.*?-->)*<(?:\w+:)?kml[\s>]",
    ".tab": rb"\s*!table(?!.*(?:isseamless|create view|\btype\s+linked))",
    ".mif": rb"\s*version\s",
}
#: A coordinate system that is to be fetched.
_LINKED_CRS = re.compile(rb'"crs"\s*:\s*\{[^}]*"(?:link|url)"')
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEAD = 1 << 16
#: What the libraries are told while they read: no server, whoever asks for one.
_OFFLINE = {"CPL_VSIL_CURL_ALLOWED_FILENAME": "none", "GDAL_HTTP_PROXY": "127.0.0.1:1", "GDAL_HTTP_MAX_RETRY": "0"}
#: A packed file may unpack to this many times its size, and to `_FREE` bytes in any case.
MAX_RATIO = 200
_FREE = 1 << 26


def check_vector_file(path: Path, *, where: str) -> None:
    """Raise unless a file is of a vector format that holds its own data, by its suffix and by what it begins with.

    Parameters
    ----------
    path : pathlib.Path
        The file, or the folder of a file geodatabase.
    where : str
        What messages call it.

    Raises
    ------
    InputError
        It is of another format, or only points to data elsewhere.
    BrokenFileError
        It does not begin as files with its suffix do.
    """
    suffix = path.suffix.lower()
    if suffix not in VECTOR_SUFFIXES or path.name.lower().endswith(".gdalg.json"):
        known = " ".join(VECTOR_SUFFIXES)
        raise InputError(
            f"{where}: 不读取 {path.suffix or '无后缀的文件'};请转换为 GeoPackage (可用: {known})",
            f"{where}: {path.suffix or 'a file without suffix'} is not read; convert it to GeoPackage (read: {known})",
        )
    if suffix == ".gdb":
        fits = path.is_dir() and any(p.suffix.lower() == ".gdbtable" for p in path.iterdir())
    else:
        head = _head(path, where)
        if suffix in _MAGIC and head.startswith(_MAGIC[suffix]):
            return
        _refuse_pointers(head, where)
        text = head.removeprefix(b"\xef\xbb\xbf")
        fits = suffix in _TEXT and re.match(_TEXT[suffix], text, re.DOTALL | re.IGNORECASE) is not None
        if fits and suffix == ".kml":
            _refuse_links(path, where)
    if not fits:
        raise BrokenFileError(
            f"{where}: 内容不是 {suffix} 格式,文件可能损坏或后缀有误;请重新导出为 GeoPackage",
            f"{where}: what it holds is not {suffix}: damaged, or of the wrong suffix; export it again as GeoPackage",
        )


def check_raster_file(path: Path, *, where: str) -> None:
    """Raise where a raster file, or one that lies beside it for its mask, only points to data elsewhere, or is packed.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    where : str
        What messages call it.

    Raises
    ------
    InputError
        It does.
    """
    if path.suffix.lower() in _RASTER_REFUSED:
        raise InputError(
            f"{where}: 不读取 {path.suffix} (压缩包或指向别处的文件);请转换为 GeoTIFF",
            f"{where}: {path.suffix} is not read (packed, or points elsewhere); convert it to GeoTIFF",
        )
    head = _head(path, where)
    if not head.startswith(_TIFF):
        _refuse_pointers(head, where)
    for more in (".msk", ".ovr", ".aux.xml"):
        for beside in (path.with_name(path.name + more), path.with_suffix(more)):
            if beside.is_file():
                head = _head(beside, where)
                if not head.startswith(_TIFF):
                    _refuse_pointers(head + (b"/vsi" if b"OVERVIEW_FILE" in head else b""), f"{where} ({beside.name})")


@contextmanager
def open_raster(path: Path) -> Iterator[Any]:
    """Open a GeoTIFF, or what its suffix names in `RASTER_DRIVERS`, with that driver alone and without network.

    Parameters
    ----------
    path : pathlib.Path
        The file, after :func:`check_raster_file`.

    Yields
    ------
    rasterio.DatasetReader
        The open file.

    Raises
    ------
    rasterio.errors.RasterioError
        It is of no such format, or is damaged.
    """
    import rasterio

    driver = RASTER_DRIVERS.get(path.suffix.lower(), "GTiff")
    with rasterio.Env(**_OFFLINE), rasterio.open(path, driver=driver) as raster:
        yield raster


@contextmanager
def no_network() -> Iterator[None]:
    """Read layers without network: whatever a file asks for, nothing is fetched for it."""
    import pyogrio

    before = {name: pyogrio.get_gdal_config_option(name) for name in _OFFLINE}
    pyogrio.set_gdal_config_options(_OFFLINE)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def _head(path: Path, where: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError as err:
        raise BrokenFileError(f"{where}: 无法读取: {err}", f"{where}: cannot be read: {err}") from err


def _refuse_links(path: Path, where: str) -> None:
    """Raise where a KML file has a link to another one anywhere."""
    rest = b""
    with path.open("rb") as stream:
        while block := stream.read(_HEAD):
            _refuse_pointers(rest + block, where)
            rest = block[-64:]


def _refuse_pointers(head: bytes, where: str) -> None:
    small = head.lower()
    for mark in (*_POINTERS, *(found[0] for found in _LINKED_CRS.finditer(small))):
        if mark in small:
            at = small.find(mark)
            name = head[at : at + len(mark)].decode(errors="replace").strip('<"')
            raise InputError(
                f"{where}: 该文件 ({name}) 只指向别处的数据,不会打开;请把数据本身存为 GeoPackage 或 GeoTIFF",
                f"{where}: this file ({name}) only points to data elsewhere and is not followed; save the data itself "
                "as GeoPackage or GeoTIFF",
            )


def check_unpacked(path: Path, *, where: str, ratio: int = MAX_RATIO) -> None:
    """Raise where a ``.gz`` or ``.bz2`` file unpacks to far more than its size; nothing is kept while looking.

    Parameters
    ----------
    path : pathlib.Path
        The file; others than these two kinds are let through.
    where : str
        What messages call it.
    ratio : int
        How many times its size it may unpack to; 64 MiB in any case.

    Raises
    ------
    BrokenFileError
        It unpacks to more, or is damaged.
    """
    suffix = path.suffix.lower()
    if suffix not in (".gz", ".bz2"):
        return
    limit = max(_FREE, ratio * path.stat().st_size)
    seen = 0
    try:
        with gzip.open(path) if suffix == ".gz" else bz2.open(path) as stream:
            while block := stream.read(1 << 20):
                seen += len(block)
                if seen > limit:
                    break
    except (OSError, EOFError, zlib.error) as err:
        raise BrokenFileError(
            f"{where}: 压缩文件损坏或不完整 ({err});请重新下载", f"{where}: damaged or cut ({err}); fetch it again"
        ) from err
    if seen > limit:
        raise BrokenFileError(
            f"{where}: 解压后超过 {limit:,} 字节 (原文件的 {ratio} 倍),拒绝读取;请核对来源",
            f"{where}: unpacks to more than {limit:,} bytes ({ratio} times its size) and is refused; check its source",
        )
