"""Tables of places from map services and offices: CSV, TSV or XLSX with coordinates, as a layer of facilities.

Columns are recognised by the names in ``poi_columns.toml``, types by ``poi_classes.csv``. A row without coordinates is
listed, never guessed from its address; a type that no row of the table of types knows is listed with its count.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.crs import WGS84, datum_notes, load_crs
from bishan_gis.datums import datum_label, find_datum, frame_to_wgs84
from bishan_gis.errors import InputError, MissingColumnError, NoDataError
from bishan_gis.schema import nearest_name
from bishan_gis.sources.bounds import check_bounds
from bishan_gis.sources.poi_classes import find_services, load_poi_types
from bishan_gis.sources.table_file import TableRows, load_rows

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["PoiTable", "load_poi_table"]

_HEADER_ROWS = 15
_LISTED = ("row", "name", "address", "reason", "text")
_DMS = re.compile(r"^(\d{1,3})[°度](?:(\d{1,2}(?:\.\d+)?)[′'分])?(?:(\d{1,2}(?:\.\d+)?)(?:″|\"|''|秒))?$")
_MANY = 0.5


@dataclass(eq=False)
class PoiTable:
    """A table of places, read.

    Attributes
    ----------
    places : geopandas.GeoDataFrame
        EPSG:4326 (WGS84): ``facility_id, name, service`` (several joined by ";", "" where the type says nothing),
        ``capacity, opening_hours, address, poi_type, type_code, mapped_by, map_tag, datum, source_row, lon_source,
        lat_source, geometry``, in the order of the file; for :func:`bishan_gis.places.facilities.find_facilities`.
    left_out : pandas.DataFrame
        ``row`` of the file, ``name, address, reason`` (no_coordinates, bad_coordinates, swapped_coordinates,
        repeated_row), ``text`` of the coordinates.
    unmapped : pandas.DataFrame
        ``type_code, type, n, example``: types that say nothing about our services, most frequent first.
    columns : dict
        Ours -> the column of the file.
    datum : str
        What the coordinates were brought to WGS84 from.
    rows : TableRows
        How the file was read.
    warnings : list of (zh, en)
        What the reader should know.
    """

    places: gpd.GeoDataFrame
    left_out: pd.DataFrame
    unmapped: pd.DataFrame
    columns: dict[str, str]
    datum: str
    rows: TableRows
    warnings: list[tuple[str, str]] = field(default_factory=list)


def load_poi_table(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    crs: str | None = None,
    datum: str | None = None,
    service: str | None = None,
    types_csv: str | Path | None = None,
    where: str | None = None,
) -> PoiTable:
    """Read a table of places.

    Parameters
    ----------
    path : str or pathlib.Path
        See :func:`bishan_gis.sources.table_file.load_rows`; titles above the header are passed over.
    columns : mapping, optional
        Our name -> their name, for columns that ``poi_columns.toml`` does not know or takes wrongly.
    encoding, sheet : str, optional
        Where the file leaves a choice.
    crs : str, optional
        Of projected coordinates; degrees where left out.
    datum : str, optional
        ``wgs84``, ``cgcs2000``, ``gcj02`` or ``bd09``; else what a column such as "wgs84_lng" says; else WGS84.
    service : str, optional
        What every row is that does not say itself, for lists of one kind.
    types_csv : str or pathlib.Path, optional
        A study's own rows of ``poi_classes.csv``.
    where : str, optional
        What messages call the input; default the path.

    Returns
    -------
    PoiTable
        The places, and everything that was left out.

    Raises
    ------
    MissingFileError, BrokenFileError, InputError
        The file cannot be read as a table, or its coordinates are swapped as a whole.
    MissingColumnError
        No coordinates or names among its columns, or not those of `columns`.
    CrsError
        Coordinates that cannot be in the CRS.
    NoDataError
        No row has coordinates.
    """
    import geopandas as gpd

    name = where or str(path)
    types = load_poi_types(types_csv)
    read = load_rows(path, encoding=encoding, sheet=sheet, where=name)
    head, found = _find_header(read.rows, columns or {}, name)
    header = [_short(c) for c in read.rows[head]]
    at = {ours: read.rows[head].index(theirs) for ours, theirs in found.items()}
    body = [(i + 1, row) for i, row in enumerate(read.rows) if i > head and any(row)]
    table = pd.DataFrame({ours: [row[i] for _, row in body] for ours, i in at.items()}, dtype=object)
    table.insert(0, "row", [number for number, _ in body])
    for needed in ("name", "address", "type_code", "facility_id", "service"):
        if needed not in table.columns:
            table[needed] = ""
    notes: list[tuple[str, str]] = []
    used, said = _choose_datum(datum, found, header, name)
    notes += said
    metric = crs is not None and not load_crs(crs, where=f"{name} crs").is_geographic
    x, y, text = _coordinates(table, metric=metric)
    reason = _judge(x, y, text, metric=metric)
    _check_swapped(reason, name)
    reason = np.where((reason == "") & _repeated(table, x, y), "repeated_row", reason)
    keep = reason == ""
    left_out = table.assign(reason=reason, text=text).loc[~keep, list(_LISTED)].reset_index(drop=True)
    if not keep.any():
        raise NoDataError(
            f"{name}: {len(table)} 行都没有可用的坐标;请先做地址匹配 (地理编码),填入经度和纬度两列",
            f"{name}: none of its {len(table)} rows has usable coordinates; geocode the addresses first",
        )
    kept = table.loc[keep].reset_index(drop=True)
    out, unmapped = _describe(kept, types, service)
    geometry = gpd.points_from_xy(x[keep], y[keep])
    given = load_crs(crs, where=f"{name} crs") if crs else WGS84
    for extra in [c for c in columns or {} if c not in out.columns and c not in _synonyms()[0]]:
        out[extra] = kept[extra]
    places = gpd.GeoDataFrame(
        out.assign(datum=used, source_row=kept["row"], lon_source=x[keep], lat_source=y[keep]),
        geometry=geometry,
        crs=given,
    )
    west, south, east, north = places.total_bounds
    check_bounds((west, south, east, north), given, where=name)
    notes += datum_notes(given, (west + east) / 2, (south + north) / 2, where=name)
    places = frame_to_wgs84(places.to_crs(WGS84), used)
    notes += _notes(left_out, unmapped, read, len(table), name)
    return PoiTable(places, left_out, unmapped, found, used, read, notes)


@lru_cache(maxsize=1)
def _synonyms() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    data = tomllib.loads((files("bishan_gis") / "data" / "poi_columns.toml").read_text(encoding="utf-8"))
    columns = {ours: [_short(t) for t in theirs] for ours, theirs in data["columns"].items()}
    return columns, {k: [_short(t) for t in v] for k, v in data["datum"].items()}


def _short(text: str) -> str:
    """Return a column name in the form that names are compared in: half width, lower case, no unit behind it."""
    plain = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    bare = re.sub(r"[(\[【].*?[)\]】]", "", plain)
    return (bare or plain).strip("*:：")


def _find_header(rows: Sequence[Sequence[str]], own: Mapping[str, str], name: str) -> tuple[int, dict[str, str]]:
    """Return the row of the header, the one with most columns that are known, and the columns: ours -> theirs."""
    best, at, found = -1, 0, {}
    for i, row in enumerate(rows[:_HEADER_ROWS]):
        known = _recognise(row, own)
        score = len(known) + sum(theirs in row for theirs in own.values())
        if any(row) and score > best:
            best, at, found = score, i, known
    header = [c for c in rows[at] if c]
    missing = [theirs for theirs in own.values() if theirs not in header]
    if missing:
        near = [h for h in (nearest_name(m, header) for m in missing) if h]
        raise MissingColumnError(
            f"{name}: 缺少列 {'、'.join(missing)};现有列: {', '.join(header[:30])}"
            + (f";是否指 {near[0]}?" if near else ""),
            f"{name}: missing column {', '.join(missing)}; columns present: {', '.join(header[:30])}"
            + (f"; did you mean {near[0]}?" if near else ""),
        )
    if "location" not in found and not {"lon", "lat"} <= set(found):
        only = "address" in found
        raise MissingColumnError(
            f"{name}: 没有识别出坐标列 (经度、纬度);现有列: {', '.join(header[:30])};"
            + ("只有地址时请先做地理编码;" if only else "")
            + '请在 columns 中对应,例如 columns = { lon = "...", lat = "..." }',
            f"{name}: no columns with coordinates; columns present: {', '.join(header[:30])}; "
            + ("geocode the addresses first; " if only else "")
            + 'map them, e.g. columns = { lon = "...", lat = "..." }',
        )
    return at, found


def _recognise(row: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    short: dict[str, str] = {}
    for cell in row:
        if cell:
            short.setdefault(_short(cell), cell)
    out = {ours: theirs for ours, theirs in own.items() if theirs in row}
    taken = set(out.values())
    for ours, names in _synonyms()[0].items():
        theirs = next((short[n] for n in names if n in short and short[n] not in taken), None)
        if ours not in own and theirs is not None:
            out[ours] = theirs
            taken.add(theirs)
    if "location" not in own and {"lon", "lat"} <= set(out):
        out.pop("location", None)
    return out


def _choose_datum(
    declared: str | None, found: Mapping[str, str], header: Sequence[str], name: str
) -> tuple[str, list[tuple[str, str]]]:
    """Return the datum, and what to say where nobody declared it."""
    at = " ".join(found.get(c, "") for c in ("lon", "lat", "location")).casefold()
    plain = unicodedata.normalize("NFKC", "".join(at.split()).replace("-", ""))
    named = next((d for d, words in _synonyms()[1].items() if any(w in plain for w in words)), None)
    if declared:
        if named and find_datum(named) != declared and {named, declared} != {"wgs84", "cgcs2000"}:
            return declared, [
                (
                    f"{name}: 列名 {at} 像是 {datum_label(named)},按设置采用 {datum_label(declared)}",
                    f"{name}: columns {at} look like {datum_label(named)}; {datum_label(declared)} is used as set",
                )
            ]
        return declared, []
    if named:
        return named, [
            (f"{name}: 按列名采用 {datum_label(named)} 坐标", f"{name}: {datum_label(named)}, as its columns say")
        ]
    gaode = {"typecode", "adcode", "pname", "adname"} & set(header)
    hint = ("列名像高德导出 (GCJ-02);", "its columns look like Gaode's (GCJ-02); ") if len(gaode) > 1 else ("", "")
    return "wgs84", [
        (
            f'{name}: 没有声明坐标基准,按 WGS84 读取;{hint[0]}请写明 datum (高德 "gcj02", 百度 "bd09")',
            f'{name}: no datum is declared, read as WGS84; {hint[1]}set `datum` (Gaode "gcj02", Baidu "bd09")',
        )
    ]


def _coordinates(
    table: pd.DataFrame, *, metric: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.object_]]:
    """Return x, y and their text; NaN where a text is no number."""
    if "location" in table.columns and "lon" not in table.columns:
        parts = [re.split(r"[,,;;\s]+", re.sub(r"[()()\[\]]", "", t).strip()) for t in table["location"]]
        first = [p[0] if len(p) == 2 else "" for p in parts]
        second = [p[1] if len(p) == 2 else "" for p in parts]
        text = table["location"].to_numpy(dtype=object)
    else:
        first, second = table["lon"].tolist(), table["lat"].tolist()
        text = np.array([f"{a}, {b}" if a or b else "" for a, b in zip(first, second, strict=True)], dtype=object)
    x = np.array([_number(t, metric=metric) for t in first], dtype=float)
    y = np.array([_number(t, metric=metric) for t in second], dtype=float)
    return x, y, text


def _number(text: str, *, metric: bool) -> float:
    plain = "".join(unicodedata.normalize("NFKC", text).replace("′", "'").split()).replace("″", '"')
    if not metric:
        plain = re.sub(r"^(东经|北纬|[ENen])|[ENen]$", "", plain)
        dms = _DMS.match(plain.replace("'", "′", 1))
        if dms:
            degrees, minutes, seconds = (float(g) if g else 0.0 for g in dms.groups())
            return degrees + minutes / 60 + seconds / 3600 if minutes < 60 and seconds < 60 else float("nan")
    try:
        value = float(plain) if re.fullmatch(r"[-+]?\d{1,9}(\.\d+)?([eE][-+]?\d{1,2})?", plain) else float("nan")
    except ValueError:
        return float("nan")
    return value


def _judge(
    x: NDArray[np.float64], y: NDArray[np.float64], text: NDArray[np.object_], *, metric: bool
) -> NDArray[np.object_]:
    nothing = (text == "") | ((x == 0) & (y == 0))
    reason = np.where(nothing, "no_coordinates", "")
    bad = ~nothing & ~(np.isfinite(x) & np.isfinite(y))
    if not metric:
        turned = ~nothing & (np.abs(y) > 90) & (np.abs(y) <= 180) & (np.abs(x) <= 90)
        reason = np.where(turned, "swapped_coordinates", reason)
        bad |= ~nothing & ~turned & ((np.abs(x) > 180) | (np.abs(y) > 90))
    return np.asarray(np.where(bad, "bad_coordinates", reason), dtype=object)


def _check_swapped(reason: NDArray[np.object_], name: str) -> None:
    turned = int((reason == "swapped_coordinates").sum())
    usable = int(np.isin(reason, ["", "swapped_coordinates"]).sum())
    if turned and turned >= _MANY * usable:
        raise InputError(
            f"{name}: {turned} 行的经度和纬度颠倒了;请在 columns 中交换 lon 与 lat",
            f"{name}: longitude and latitude are swapped in {turned} rows; exchange lon and lat under `columns`",
        )


def _repeated(table: pd.DataFrame, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell the rows that say again what a row before them says: id, name, type and place are the same."""
    same = [c for c in table.columns if c != "row"]
    return table[same].assign(_x=x, _y=y).duplicated().to_numpy(dtype=bool)


def _describe(table: pd.DataFrame, types: list[Any], service: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return our columns of the places, and the types that said nothing."""
    parts = [table[c] for c in ("type_big", "type_mid", "type_small") if c in table.columns]
    path = ["|".join(t for t in (row,) if t) for row in table["type"]] if "type" in table.columns else [""] * len(table)
    if parts:
        joined = [";".join(p for p in row if p) for row in zip(*parts, strict=True)]
        path = [a if ";" in a or not b else b for a, b in zip(path, joined, strict=True)]
    rows, lost = [], []
    for own, code, text, title in zip(table["service"], table["type_code"], path, table["name"], strict=True):
        given = find_services(types, code="", type_text=own, name=title) if own else None
        match = given if given and given.services else find_services(types, code=code, type_text=text, name=title)
        if own and not (given and given.services):
            rows.append((own, "service", ""))
        elif match.services:
            rows.append((";".join(match.services), match.by, match.tag))
        elif service:
            rows.append((service, "study", ""))
        else:
            rows.append(("", "", ""))
            lost.append((code, text, title))
    out = pd.DataFrame(rows, columns=["service", "mapped_by", "map_tag"], dtype=object)
    ids = table["facility_id"].where(table["facility_id"] != "", table["row"].astype(str))
    twice = ids.duplicated(keep="first")
    out.insert(0, "facility_id", ids.where(~twice, ids + "#" + table["row"].astype(str)))
    out.insert(1, "name", table["name"])
    capacity = [table[c].map(_amount) for c in ("seats", "beds") if c in table.columns]
    out["capacity"] = capacity[0].fillna(capacity[1]) if len(capacity) == 2 else capacity[0] if capacity else np.nan
    out["opening_hours"] = table.get("opening_hours", pd.Series("", index=table.index))
    out["address"], out["poi_type"], out["type_code"] = table["address"], path, table["type_code"]
    unmapped = pd.DataFrame(lost, columns=["type_code", "type", "example"], dtype=object)
    groups = unmapped.groupby(["type_code", "type"], sort=True)["example"].agg(["size", "first"]).reset_index()
    groups.columns = pd.Index(["type_code", "type", "n", "example"])
    return out, groups.sort_values(["n", "type_code", "type"], ascending=[False, True, True], ignore_index=True)


def _amount(text: str) -> float:
    """Return the number of places a text gives: 120, 120张, 1,200; NaN for ranges and words."""
    found = re.fullmatch(
        r"约?\s*(\d{1,3}(?:,\d{3})+|\d+)(?:\.0+)?\s*(?:张|个|座|人|名)?", unicodedata.normalize("NFKC", text)
    )
    return float(found.group(1).replace(",", "")) if found else float("nan")


def _notes(left_out: pd.DataFrame, unmapped: pd.DataFrame, read: TableRows, n: int, name: str) -> list[tuple[str, str]]:
    out = []
    words = {
        "no_coordinates": ("没有坐标 (未按地址猜测)", "without coordinates (not guessed from the address)"),
        "bad_coordinates": ("坐标无法识别", "with coordinates that are no numbers or out of range"),
        "swapped_coordinates": ("经纬度颠倒", "with longitude and latitude swapped"),
        "repeated_row": ("与前面的行完全重复", "that repeat an earlier one"),
    }
    for reason, (zh, en) in words.items():
        rows = left_out.loc[left_out["reason"] == reason, "row"]
        if len(rows):
            shown = ", ".join(str(r) for r in rows.head(5))
            out.append(
                (f"{name}: {len(rows)} / {n} 行{zh} (第 {shown} 行)", f"{name}: {len(rows)} of {n} rows {en} ({shown})")
            )
    if len(unmapped):
        total = int(unmapped["n"].sum())
        top = unmapped.head(5)
        label = top["type"].where(top["type"] != "", top["type_code"]).str.slice(0, 40)
        shown = ", ".join(f"{t or '-'} {k}" for t, k in zip(label, top["n"], strict=True))
        out.append(
            (
                f"{name}: {total} 行的类型没有对应服务,共 {len(unmapped)} 种: {shown};需要时请写 types_csv",
                f"{name}: {total} rows of {len(unmapped)} types give no service: {shown}; add types_csv if they should",
            )
        )
    if read.ragged:
        out.append(
            (
                f"{name}: {read.ragged} 行比表头宽,多出的格被忽略",
                f"{name}: {read.ragged} rows are wider than the header",
            )
        )
    return out
