"""Vector layers: GeoPackage, GeoJSON, Shapefile, FlatGeobuf, OpenFileGDB, read and checked.

A layer arrives in EPSG:4326, XY only, with columns under our names. What had to be repaired or left
out is counted in ``frame.attrs["left_out"]``; what is doubtful is said in ``frame.attrs["warnings"]``.
"""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from bishan_gis.crs import WGS84, datum_notes, load_crs
from bishan_gis.datums import datum_label, frame_to_wgs84
from bishan_gis.errors import BishanGisError, BrokenFileError, CrsError, InputError, NoDataError
from bishan_gis.schema import check_columns, nearest_name
from bishan_gis.sources.bounds import check_bounds
from bishan_gis.sources.safety import check_vector_file, no_network
from bishan_gis.sources.tables import check_file, raise_together

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["describe_layer", "find_encoding", "load_layer"]

_LISTED = 1000


def load_layer(
    path: str | Path,
    *,
    layer: str | None = None,
    encoding: str | None = None,
    crs: str | None = None,
    datum: str | None = None,
    columns: Mapping[str, str] | None = None,
    where: str | None = None,
) -> gpd.GeoDataFrame:
    """Read one vector layer.

    Parameters
    ----------
    path : str or pathlib.Path
        Any vector file GDAL reads.
    layer : str, optional
        Needed where the file holds several layers.
    encoding : str, optional
        Of the attributes; found from the bytes for a Shapefile without .cpg.
    crs : str, optional
        Coordinate system, where the file does not say or says it wrongly: it wins.
    datum : {"wgs84", "cgcs2000", "gcj02", "bd09"}, optional
        What the coordinates were shifted to; they are brought back to WGS84 (see :mod:`bishan_gis.datums`). Projected
        coordinates too: the shift was applied to the degrees that they were projected from.
    columns : mapping, optional
        Our name -> their name. Columns not named here are kept as they are.
    where : str, optional
        What messages call the input; default the path.

    Returns
    -------
    geopandas.GeoDataFrame
        In EPSG:4326, two-dimensional, every geometry valid and not empty. ``attrs["left_out"]`` counts what
        was dropped or repaired; ``attrs["warnings"]`` is a list of (zh, en); ``attrs["file_crs"]`` is the CRS of the
        file; ``attrs["invalid"]`` lists (row of the layer from 1, reason) of what was repaired, at most 1000.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, is empty, or cannot be read.
    InputError
        It holds several layers and none is named, or not the one named.
    CrsError
        No coordinate system, or coordinates that cannot be in it.
    MissingColumnError
        A mapped column is not there.
    NoDataError
        The layer holds no feature.
    """
    file = Path(path)
    name = where or str(path)
    check_file(file)
    check_vector_file(file, where=name)
    raw, notes = _read(file, _choose_layer(file, layer, name), encoding, name)
    if len(raw) == 0:
        raise NoDataError(f"{name}: 图层没有任何要素", f"{name}: the layer holds no feature")
    problems: list[BishanGisError] = []
    try:
        check_columns(raw, list((columns or {}).values()), where=name)
    except BishanGisError as err:
        problems.append(err)
    frame = raw
    left_out: dict[str, int] = {}
    file_crs, invalid = "", list[tuple[int, str]]()
    try:
        frame, note = _with_crs(raw, crs, file, name)
        notes += note
        file_crs = frame.crs.to_wkt()
        invalid = _invalid_rows(frame)
        frame, left_out = _clean(frame, name)
        west, south, east, north = frame.total_bounds
        check_bounds((west, south, east, north), frame.crs, where=name)
        notes += datum_notes(frame.crs, (west + east) / 2, (south + north) / 2, where=name)
    except BishanGisError as err:
        problems.append(err)
    raise_together(problems)
    frame = _rename(frame, columns or {})
    if frame.crs != WGS84:
        frame = frame.to_crs(WGS84)
    if datum not in (None, "wgs84", "cgcs2000"):
        frame = frame_to_wgs84(frame, datum)
        label = datum_label(str(datum))
        notes.append(
            (f"{name}: 坐标由 {label} 换算为 WGS84", f"{name}: coordinates were brought from {label} to WGS84")
        )
    frame.attrs["left_out"] = left_out
    frame.attrs["warnings"] = notes
    frame.attrs["file_crs"] = file_crs
    frame.attrs["invalid"] = invalid
    return frame


def _choose_layer(file: Path, layer: str | None, name: str) -> str:
    import pyogrio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what GDAL has to say it says again while reading
            with no_network():
                found = pyogrio.list_layers(file)
    except (RuntimeError, ValueError, OSError) as err:
        raise _broken(name, err) from err
    known = [str(n) for n, kind in found if kind is not None]
    if not known:
        raise BrokenFileError(f"{name}: 没有空间图层 (无几何)", f"{name}: no layer with geometry in it")
    if layer is not None:
        if layer in known:
            return layer
        near = nearest_name(layer, known)
        raise InputError(
            f"{name}: 没有图层 {layer};现有: {'、'.join(known)}" + (f";是否指 {near}?" if near else ""),
            f"{name}: no layer {layer}; it has: {', '.join(known)}" + (f"; did you mean {near}?" if near else ""),
        )
    if len(known) > 1:
        raise InputError(
            f"{name}: 含 {len(known)} 个图层,请用 layer 指定其一: {'、'.join(known)}",
            f"{name}: holds {len(known)} layers, name one with `layer`: {', '.join(known)}",
        )
    return known[0]


def _read(file: Path, layer: str, encoding: str | None, name: str) -> tuple[gpd.GeoDataFrame, list[tuple[str, str]]]:
    import geopandas as gpd
    import pyogrio

    if file.suffix.lower() == ".shp":
        if _sibling(file, ".dbf") is None:
            raise BrokenFileError(
                f"{name}: 缺少同名 .dbf;Shapefile 需要 .shp .dbf .shx .prj 一起复制",
                f"{name}: its .dbf is missing; copy .shp .dbf .shx .prj together",
            )
        if encoding is None and _sibling(file, ".cpg") is None:
            encoding = find_encoding(file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with no_network():
                frame = pyogrio.read_dataframe(file, layer=layer, encoding=encoding)
        except (UnicodeDecodeError, LookupError) as err:
            raise BrokenFileError(
                f'{name}: 属性不是 {encoding or ".cpg 所写的编码"};请在 study.toml 写 encoding = "GBK" 或 "UTF-8"',
                f"{name}: attributes are not {encoding or 'what the .cpg says'}; "
                'set encoding = "GBK" or "UTF-8" in study.toml',
            ) from err
        except (RuntimeError, ValueError, OSError, shapely.errors.GEOSException) as err:
            raise _broken(name, err) from err
    if not isinstance(frame, gpd.GeoDataFrame):
        raise BrokenFileError(f"{name}: 图层没有几何", f"{name}: the layer has no geometry")
    notes = sorted({" ".join(str(w.message).split()) for w in caught})
    return frame, [(f"{name}: 读取时提示: {n}", f"{name}: said while reading: {n}") for n in notes]


def _broken(name: str, err: Exception) -> BrokenFileError:
    text = " ".join(str(err).split()).split(".; It might help")[0]
    return BrokenFileError(
        f"{name}: 无法作为空间数据读取,文件可能损坏或格式不符 ({text})",
        f"{name}: cannot be read as a spatial layer; it is damaged or of another format ({text})",
    )


def _sibling(file: Path, suffix: str) -> Path | None:
    for found in (file.with_suffix(suffix), file.with_suffix(suffix.upper())):
        if found.exists():
            return found
    return None


def find_encoding(shp: Path) -> str:
    """Tell from the bytes of the .dbf whether a Shapefile without .cpg is UTF-8 or GBK.

    Text cut off at the width of its field is allowed for. Plain ASCII counts as UTF-8.

    Raises
    ------
    BrokenFileError
        The bytes are neither.
    """
    dbf = _sibling(shp, ".dbf")
    data = dbf.read_bytes() if dbf else b""
    head, width = (int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little"))
    texts: list[bytes] = []
    at, pos = 32, 1
    while at + 32 <= head - 1 and data[at] != 0x0D:
        size = data[at + 16]
        texts.append(data[at : at + 11].split(b"\0")[0])
        if data[at + 11 : at + 12] == b"C" and width:
            starts = range(head + pos, len(data) - size + 1, width)
            texts += {data[s : s + size].rstrip(b" \0") for s in starts}
        pos += size
        at += 32
    for name in ("UTF-8", "GB18030"):
        if all(_decodes(t, name) for t in texts):
            return name
    raise BrokenFileError(
        f"{shp}: .dbf 既不是 UTF-8 也不是 GBK;请在 study.toml 写明 encoding",
        f"{shp}: the .dbf is neither UTF-8 nor GBK; set `encoding` in study.toml",
    )


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(text, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _with_crs(
    frame: gpd.GeoDataFrame, declared: str | None, file: Path, name: str
) -> tuple[gpd.GeoDataFrame, list[tuple[str, str]]]:
    if declared is None:
        if frame.crs is None:
            prj = file.suffix.lower() == ".shp" and _sibling(file, ".prj") is None
            raise CrsError(
                f'{name}: 没有坐标系{" (缺少 .prj)" if prj else ""};请在 study.toml 写明,例如 crs = "EPSG:4544"',
                f"{name}: no coordinate system{' (the .prj is missing)' if prj else ''}; "
                'declare it in study.toml, e.g. crs = "EPSG:4544"',
            )
        return frame, []
    wanted = load_crs(declared, where=f"{name} crs")
    own = frame.crs
    out = frame.set_crs(wanted, allow_override=True)
    if own is None or own == wanted or file.suffix.lower() in {".geojson", ".json"}:
        return out, []
    return out, [
        (
            f"{name}: 文件写的坐标系是 {own.to_string()},按 study.toml 采用 {wanted.to_string()}",
            f"{name}: the file says {own.to_string()}; {wanted.to_string()} is used as study.toml says",
        )
    ]


def _clean(frame: gpd.GeoDataFrame, name: str) -> tuple[gpd.GeoDataFrame, dict[str, int]]:
    """Drop what has no geometry, repair what is invalid, and count both."""
    geometry: NDArray[np.object_] = shapely.force_2d(frame.geometry.to_numpy())
    null = shapely.is_missing(geometry) | shapely.is_empty(geometry)
    invalid = ~null & ~shapely.is_valid(geometry)
    finite = np.isfinite(shapely.bounds(geometry)).all(axis=1) | null
    invalid &= finite
    if invalid.any():
        dimension = shapely.get_dimensions(geometry)
        for i in np.flatnonzero(invalid):
            geometry[i] = _same_dimension(shapely.make_valid(geometry[i]), int(dimension[i]))
    gone = invalid & shapely.is_empty(geometry)
    left_out = {
        "null_geometry": int(null.sum()),
        "not_finite": int((~finite).sum()),
        "repaired_geometry": int((invalid & ~gone).sum()),
        "collapsed_geometry": int(gone.sum()),
    }
    keep = ~null & finite & ~gone
    if not keep.any():
        raise NoDataError(
            f"{name}: {len(frame)} 个要素都没有可用的几何",
            f"{name}: none of its {len(frame)} features has a usable geometry",
        )
    out = frame.set_geometry(geometry, crs=frame.crs).loc[keep].reset_index(drop=True)
    return out, {k: v for k, v in left_out.items() if v}


def _invalid_rows(frame: gpd.GeoDataFrame) -> list[tuple[int, str]]:
    """Return which rows are invalid and why: what `_clean` repairs."""
    geometry = frame.geometry.to_numpy()
    rows = np.flatnonzero(~shapely.is_valid(geometry) & ~shapely.is_missing(geometry))[:_LISTED]
    return [(int(i) + 1, str(shapely.is_valid_reason(geometry[i])).split("[")[0]) for i in rows]


def _same_dimension(geometry: Any, dimension: int) -> Any:
    parts = shapely.get_parts(geometry)
    kept = parts[shapely.get_dimensions(parts) == dimension]
    return shapely.union_all(kept) if len(kept) else shapely.Point()


def _rename(frame: gpd.GeoDataFrame, columns: Mapping[str, str]) -> gpd.GeoDataFrame:
    """Give columns our names; a column that already has one of them and means something else steps aside."""
    geometry = frame.geometry.name
    out = frame.rename_geometry("geometry") if geometry != "geometry" else frame.copy()
    taken = {ours: out[theirs].copy() for ours, theirs in columns.items()}
    aside = {ours: f"{ours}_source" for ours, theirs in columns.items() if ours != theirs and ours in out.columns}
    out = out.rename(columns=aside)
    used = [t for t in set(columns.values()) if t in out.columns and t not in taken]
    out = out.drop(columns=used)
    for ours, values in taken.items():
        out[ours] = values
    others = [c for c in out.columns if c not in taken and c != "geometry"]
    return out[[*taken, *others, "geometry"]]


def describe_layer(path: str | Path) -> dict[str, Any]:
    """Say what a vector file holds, without judging it: layers, features, CRS, extent, columns.

    Raises
    ------
    MissingFileError, BrokenFileError
        The file is not there, is empty, or cannot be read.
    """
    import pyogrio

    file = Path(path)
    check_file(file)
    check_vector_file(file, where=str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with no_network():
                layers = [_describe(pyogrio.read_info(file, layer=str(n))) for n, _ in pyogrio.list_layers(file)]
    except (RuntimeError, ValueError, OSError) as err:
        raise _broken(str(path), err) from err
    return {"path": str(path), "layers": layers}


def _describe(info: Mapping[str, Any]) -> dict[str, Any]:
    bounds = info.get("total_bounds")
    return {
        "name": info["layer_name"],
        "driver": info["driver"],
        "geometry_type": info["geometry_type"],
        "features": int(info["features"]),
        "crs": info["crs"],
        "bounds": [float(b) for b in bounds] if bounds is not None else None,
        "columns": {str(n): str(t) for n, t in zip(info["fields"], info["dtypes"], strict=True)},
    }
