"""Files that are refused before a library opens them: those that point elsewhere, those that unpack to far too much.

GDAL opens what a file *is*, whatever its name says: a text that names other files or servers is followed. So the first
bytes are looked at, and only formats that hold their own data are let in. Paths never reach the network: what is not a
file on this machine is not there (``/vsicurl/`` and URLs included).
"""

from __future__ import annotations

import bz2
import gzip
import zlib
from pathlib import Path

from bishan_gis.errors import BrokenFileError, InputError

__all__ = ["MAX_RATIO", "VECTOR_SUFFIXES", "check_raster_file", "check_unpacked", "check_vector_file"]

#: Vector formats that hold their own data.
VECTOR_SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".gdb", ".kml", ".tab", ".mif")
_RASTER_REFUSED = (".vrt", ".xml", ".wms", ".zip", ".gz", ".tar", ".tgz", ".rar", ".7z")
#: What files begin with that only say where the data is.
_POINTERS = (
    *(b"<OGRVRTDataSource", b"<OGRWFSDataSource", b"<VRTDataset", b"<GDAL_WMS", b"<WMS_Capabilities"),
    *(b"<WMT_MS_Capabilities", b"<WCS_GDAL", b"<TileMap", b"<GDAL_WMTS", b"<NetworkLink"),
)
_HEAD = 1 << 16
#: A packed file may unpack to this many times its size, and to `_FREE` bytes in any case.
MAX_RATIO = 200
_FREE = 1 << 26


def check_vector_file(path: Path, *, where: str) -> None:
    """Raise unless a file is of a vector format that holds its own data.

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
    """
    if path.suffix.lower() not in VECTOR_SUFFIXES:
        known = " ".join(VECTOR_SUFFIXES)
        raise InputError(
            f"{where}: 不读取 {path.suffix or '无后缀的文件'};请转换为 GeoPackage (可用: {known})",
            f"{where}: {path.suffix or 'a file without suffix'} is not read; convert it to GeoPackage (read: {known})",
        )
    _refuse_pointers(path, where)


def check_raster_file(path: Path, *, where: str) -> None:
    """Raise where a raster file only points to data elsewhere, or is packed.

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
    _refuse_pointers(path, where)


def _refuse_pointers(path: Path, where: str) -> None:
    if path.is_dir():
        return
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as err:
        raise BrokenFileError(f"{where}: 无法读取: {err}", f"{where}: cannot be read: {err}") from err
    for mark in _POINTERS:
        if mark in head:
            name = mark.decode().removeprefix("<")
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
