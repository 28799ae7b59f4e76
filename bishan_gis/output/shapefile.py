"""Shapefiles for old desktop programs: GBK, field names of at most ten bytes, one geometry type a file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import OutputError

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["ENCODING", "field_names", "gbk_table", "write_shapefiles"]

ENCODING = "GBK"
#: Bytes of a field name, and of a text.
NAME_BYTES, TEXT_BYTES = 10, 254
_FAMILIES = {"point": ("Point", "MultiPoint"), "line": ("LineString", "MultiLineString")}
_FAMILIES["polygon"] = ("Polygon", "MultiPolygon")
#: A name may not hold what old programs refuse.
_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


def field_names(columns: list[str], short: Mapping[str, str], *, layer: str = "") -> dict[str, str]:
    """Return a field name of at most ten bytes in GBK for each column.

    Parameters
    ----------
    columns : list of str
        Columns without the geometry.
    short : mapping
        Column -> short name; a column that is not in it keeps its own name, cut to ten bytes.
    layer : str
        Named in errors.

    Returns
    -------
    dict
        Column -> field, in the order of the columns.

    Raises
    ------
    OutputError
        Two columns would get the same name (case does not count), or a given name is too long or holds a character
        that GBK or old programs refuse. All are named at once.

    Examples
    --------
    >>> field_names(["people_covered", "zone"], {"people_covered": "覆盖人口"})
    {'people_covered': '覆盖人口', 'zone': 'zone'}
    """
    out: dict[str, str] = {}
    bad: list[str] = []
    for column in columns:
        name = short.get(column)
        if name is None:
            plain = "".join(c if c in _ALLOWED or ord(c) > 127 else "_" for c in column)
            name = _cut(plain.encode(ENCODING, "replace").decode(ENCODING).replace("?", "_"), NAME_BYTES)
        elif _bytes(name) > NAME_BYTES or not all(c in _ALLOWED or ord(c) > 127 for c in name):
            bad.append(f"{column} -> {name}")
        out[column] = name
    first: dict[str, str] = {}
    for column, name in out.items():
        other = first.setdefault(name.lower(), column)
        if other != column:
            bad.append(f"{other}, {column} -> {name}")
    if bad:
        listed = "; ".join(bad)
        raise OutputError(
            f"Shapefile 图层 {layer}: 字段名过长、含不允许的字符或重名: {listed};"
            "请为这些列指定不同的短名 (10 字节, 5 个汉字以内)",
            f"shapefile layer {layer}: field names too long, not allowed or the same: {listed}; "
            "give these columns short names that differ (10 bytes, 5 Chinese characters)",
        )
    return out


def _bytes(text: str) -> int:
    """Return the bytes of a text in GBK; what GBK lacks makes it too long for anything."""
    try:
        return len(text.encode(ENCODING))
    except UnicodeEncodeError:
        return 10**9


def _cut(text: str, most: int) -> str:
    """Cut a text to so many bytes, between characters."""
    return text.encode(ENCODING)[:most].decode(ENCODING, "ignore")


def gbk_table(frame: pd.DataFrame, *, layer: str) -> tuple[pd.DataFrame, int]:
    """Return a table whose texts a DBF in GBK can hold, and how many were cut.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of any type; geometry is left as it is.
    layer : str
        Named in errors.

    Returns
    -------
    table : pandas.DataFrame
        True and False as 1 and 0; dates as ``2026-11-24``; texts of more than 254 bytes cut between characters.
    cut : int
        Number of texts that were cut.

    Raises
    ------
    OutputError
        A text holds characters that GBK lacks; the error says how many, and gives an example.
    """
    out, cut = frame.copy(), 0
    wrong: list[str] = []
    for column in out.columns:
        values = out[column]
        if column == "geometry" or (pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)):
            continue
        if pd.api.types.is_bool_dtype(values):
            out[column] = values.astype("int32")
            continue
        if pd.api.types.is_datetime64_any_dtype(values):
            values = values.dt.strftime("%Y-%m-%d")
        texts: list[str | None] = []
        for value in values:
            text = None if value is None or value is pd.NA or value != value else str(value)
            if text is not None:
                size = _bytes(text)
                if size >= 10**9:
                    wrong.append(f"{column}: {text[:40]}")
                elif size > TEXT_BYTES:
                    text, cut = _cut(text, TEXT_BYTES), cut + 1
            texts.append(text)
        out[column] = pd.Series(texts, index=out.index, dtype=object)
    if wrong:
        raise OutputError(
            f"Shapefile 图层 {layer}: {len(wrong)} 处文字含 GBK 没有的字符, 例如 {wrong[0]!r};"
            "请改正文字或改用 GeoPackage",
            f"shapefile layer {layer}: {len(wrong)} texts hold characters that GBK lacks, such as {wrong[0]!r}; "
            "change them or use GeoPackage",
        )
    return out, cut


def _families(frame: gpd.GeoDataFrame) -> dict[str, NDArray[np.bool_]]:
    """Return which rows are points, lines and polygons; parts of a collection are taken out of it before."""
    kinds = frame.geometry.geom_type
    return {k: mask for k, types in _FAMILIES.items() if (mask := kinds.isin(types).to_numpy()).any()}


def write_shapefiles(
    layers: Mapping[str, gpd.GeoDataFrame], folder: Path, *, short: Mapping[str, str], lang: str = "zh"
) -> list[Path]:
    """Write each layer as Shapefiles, one for each type of geometry.

    Parameters
    ----------
    layers : mapping
        Name -> layer in the working CRS; empty ones are left out.
    folder : pathlib.Path
        Where to; must exist.
    short : mapping
        Column -> field name, see :func:`field_names`.
    lang : {"zh", "en"}
        ``en``: the columns keep their own names, cut to ten bytes.

    Returns
    -------
    list of pathlib.Path
        ``<layer>.shp, .shx, .dbf, .prj, .cpg``; ``<layer>_<type>.*`` where a layer holds more than one type; and
        ``fields.csv``: layer, field, column, texts that were cut.

    Raises
    ------
    OutputError
        Names collide, a text cannot be written in GBK, a geometry is of no type that Shapefiles hold, or GDAL fails.

    Notes
    -----
    Widths and the 2 GB of a DBF are those of the format. The date inside each DBF is fixed, so that equal layers give
    equal bytes.
    """
    import pyogrio

    rows: list[tuple[Any, ...]] = []
    for layer, whole in layers.items():
        frame = whole.explode(index_parts=False) if (whole.geom_type == "GeometryCollection").any() else whole
        frame = frame.reset_index(drop=True)
        names = field_names(
            [str(c) for c in frame.columns if c != "geometry"], short if lang == "zh" else {}, layer=layer
        )
        families = _families(frame)
        lost = len(frame) - sum(int(m.sum()) for m in families.values()) - int(frame.geometry.isna().sum())
        if lost:
            raise OutputError(
                f"Shapefile 图层 {layer}: {lost} 个要素的几何类型不能写入",
                f"shapefile layer {layer}: {lost} features are of a geometry type that cannot be written",
            )
        table, cut = gbk_table(frame, layer=layer)
        for family, mask in families.items():
            name = layer if len(families) == 1 else f"{layer}_{family}"
            part = table.loc[mask].rename(columns=names)
            path = folder / f"{name}.shp"
            try:
                pyogrio.write_dataframe(
                    part,
                    path,
                    driver="ESRI Shapefile",
                    encoding=ENCODING,
                    layer_options={"DBF_DATE_LAST_UPDATE": "2000-01-01"},
                )
            except (OSError, RuntimeError, ValueError) as err:
                raise OutputError(f"无法写入 {path.name}: {err}", f"cannot write {path.name}: {err}") from err
            rows += [(name, field, column, cut) for column, field in names.items()]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("layer", "field", "column", "texts_cut"))
    writer.writerows(rows)
    (folder / "fields.csv").write_text(text.getvalue(), encoding="utf-8-sig", newline="")
    return sorted(folder.iterdir())
