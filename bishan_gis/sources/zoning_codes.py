"""Codes of official zoning: land and sea use, the third land survey, and the three control lines."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.errors import MissingColumnError
from bishan_gis.schema import nearest_name
from bishan_gis.sources.tables import read_csv

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "check_codes",
    "check_lines",
    "dltb_to_landuse",
    "find_classification",
    "line_name",
    "load_codes",
    "prepare_landuse",
    "prepare_lines",
    "zoning_columns",
]

_SHARE = 0.8


@lru_cache(maxsize=2)
def load_codes(classification: str) -> pd.DataFrame:
    """Return the codes that a classification has.

    Parameters
    ----------
    classification : {"landuse", "dltb"}
        Land and sea use (用地用海分类 2023), or the working classes of the third land survey (三调 DLBM).

    Returns
    -------
    pandas.DataFrame
        Indexed by code: ``name``; for ``dltb`` also ``landuse`` (its land-use code), ``relation`` and ``tag``. Relation
        ``several``: the land-use classes tell apart what the survey does not, and the code is then the class above or
        the most common one, as ``note`` says; else ``exact``.
    """
    with as_file(
        files("bishan_gis") / "data" / f"{'landuse_classes' if classification == 'landuse' else 'dltb_codes'}.csv"
    ) as f:
        return read_csv(f).set_index("code")


@lru_cache(maxsize=1)
def _zoning() -> dict[str, Any]:
    return tomllib.loads((files("bishan_gis") / "data" / "zoning.toml").read_text(encoding="utf-8"))


def zoning_columns(layer: pd.DataFrame, kind: str) -> dict[str, str]:
    """Return which columns of a layer are ours, by the names in ``zoning.toml``.

    Parameters
    ----------
    layer : pandas.DataFrame
        The layer.
    kind : {"landuse", "dltb", "lines"}
        What it is.

    Returns
    -------
    dict
        Ours (``code, name, area_m2`` or ``line_type, area_m2``) -> theirs.
    """
    have = {str(c).casefold(): str(c) for c in layer.columns}
    wanted = _zoning()["columns"][kind]
    hits = {
        ours: next((have[t.casefold()] for t in theirs if t.casefold() in have), None)
        for ours, theirs in wanted.items()
    }
    return {ours: theirs for ours, theirs in hits.items() if theirs is not None}


def _codes(layer: pd.DataFrame, column: str) -> pd.Series:
    text = layer[column].map(lambda v: "" if v is None or v != v else str(v)).str.strip().str.upper()
    return text.str.replace(r"\.0+$", "", regex=True)


def _need(columns: Mapping[str, str], wanted: str, layer: pd.DataFrame, where: str) -> str:
    if wanted in columns:
        return columns[wanted]
    shown = ", ".join(str(c) for c in layer.columns[:20])
    raise MissingColumnError(
        f"{where}: 没有列 {wanted};现有列: {shown};请在 columns 中对应",
        f"{where}: no column {wanted}; columns present: {shown}; map it under `columns`",
    )


def find_classification(layer: pd.DataFrame) -> str:
    """Say which classification the codes of a layer are from, by codes and names.

    Parameters
    ----------
    layer : pandas.DataFrame
        With a column of codes and, better, one of names. The two classifications share codes that mean different
        things (0601 is 农村道路 in one and 工业用地 in the other), so that codes alone do not always decide.

    Returns
    -------
    str
        ``landuse``, ``dltb``, ``both`` (nothing tells them apart) or ``unknown`` (fits neither).
    """
    columns = zoning_columns(layer, "landuse")
    if "code" not in columns:
        return "unknown"
    codes = _codes(layer, columns["code"])
    score = {}
    for one in ("landuse", "dltb"):
        table = load_codes(one)["name"]
        fits = codes.isin(table.index)
        if "name" in columns:
            names = layer[columns["name"]].map(lambda v: "" if v is None or v != v else str(v).strip())
            fits &= (names == "") | (names == codes.map(table).fillna(""))
        score[one] = float(fits.mean()) if len(fits) else 0.0
    best = max(score, key=lambda k: score[k])
    if score[best] < _SHARE:
        return "unknown"
    return "both" if score["landuse"] == score["dltb"] else best


def check_codes(layer: pd.DataFrame, *, classification: str = "landuse", where: str = "landuse") -> pd.DataFrame:
    """List the codes of a layer that the classification does not have, and names that contradict the code.

    Parameters
    ----------
    layer : pandas.DataFrame
        With a column of codes (``code, DLBM, YDYHFLDM ...``, see ``zoning.toml``) and, where there is one, of names.
    classification : {"landuse", "dltb"}
        What the codes should be of.
    where : str
        What messages call the layer.

    Returns
    -------
    pandas.DataFrame
        ``check`` (unknown_code, empty_code, name_differs), ``what`` (the code, with the name), ``count`` and
        ``detail`` (a code or name that is near); most frequent first.

    Raises
    ------
    MissingColumnError
        There is no column of codes.
    """
    columns = zoning_columns(layer, classification)
    codes = _codes(layer, _need(columns, "code", layer, where))
    table = load_codes(classification)["name"]
    known = codes.isin(table.index)
    rows: list[tuple[str, str, int, str]] = []
    for code, count in codes[~known].value_counts().items():
        check = "unknown_code" if code else "empty_code"
        rows.append((check, str(code), int(count), nearest_name(str(code), table.index) or ""))
    if "name" in columns:
        names = layer[columns["name"]].map(lambda v: "" if v is None or v != v else str(v).strip())
        right = codes.map(table).fillna("")
        wrong = known & (names != "") & (names != right)
        pairs = pd.DataFrame({"code": codes[wrong], "name": names[wrong], "right": right[wrong]})
        for three, count in pairs.value_counts().items():
            code, name, fits = three if isinstance(three, tuple) else (three, "", "")
            rows.append(("name_differs", f"{code} {name}", int(count), str(fits)))
    out = pd.DataFrame(rows, columns=["check", "what", "count", "detail"])
    return out.sort_values(["count", "check", "what"], ascending=[False, True, True], ignore_index=True)


def dltb_to_landuse(codes: pd.Series) -> pd.DataFrame:
    """Turn codes of the third land survey into land-use codes.

    Parameters
    ----------
    codes : pandas.Series
        DLBM, such as "0101" or "08H2A".

    Returns
    -------
    pandas.DataFrame
        On the same index: ``code`` ("" where unknown), ``relation`` (``exact``, ``several``, ``unknown``) and ``tag``.

    Notes
    -----
    The crosswalk is ``dltb_codes.csv``, tag [K]: made from the two classifications (TD/T 1055-2019, working classes;
    国土空间调查、规划、用途管制用地用海分类指南, 2023) by the definitions of their classes; the table of correspondence
    that the guide prints was not opened. Check it before an official use.

    Examples
    --------
    >>> dltb_to_landuse(pd.Series(["0101", "1006", "08H2", "99"]))["code"].tolist()
    ['0101', '0601', '08', '']
    """
    table = load_codes("dltb")
    plain = _codes(pd.DataFrame({"c": codes}), "c")
    out = pd.DataFrame(index=codes.index)
    out["code"] = plain.map(table["landuse"]).fillna("")
    out["relation"] = plain.map(table["relation"]).fillna("unknown")
    out["tag"] = plain.map(table["tag"]).fillna("")
    return out


def line_name(text: object) -> str:
    """Return which of the three control lines a text names; "" for none, the text itself is never guessed at.

    Examples
    --------
    >>> line_name("永农"), line_name("2035年城镇开发边界"), line_name("蓝线")
    ('永久基本农田', '城镇开发边界', '')
    """
    plain = "".join(str(text or "").upper().split())
    for name, rows in _zoning()["lines"].items():
        if any(all(word in plain for word in row) for row in rows):
            return str(name)
    return ""


def check_lines(layer: gpd.GeoDataFrame, *, where: str = "control_lines") -> pd.DataFrame:
    """List the types of control lines that are none of the three, and which of the three are not there.

    Parameters
    ----------
    layer : geopandas.GeoDataFrame
        With ``line_type`` or one of its other names in ``zoning.toml``.
    where : str
        What messages call the layer.

    Returns
    -------
    pandas.DataFrame
        ``check`` (other_line, missing_line), ``what``, ``count``, ``detail``.

    Raises
    ------
    MissingColumnError
        There is no column of types.
    """
    column = _need(zoning_columns(layer, "lines"), "line_type", layer, where)
    given = layer[column].map(lambda v: "" if v is None or v != v else str(v).strip())
    named = given.map(line_name)
    rows = [("other_line", str(t), int(n), "") for t, n in given[named == ""].value_counts().items()]
    rows += [("missing_line", str(n), 0, "") for n in _zoning()["lines"] if n not in set(named)]
    return pd.DataFrame(rows, columns=["check", "what", "count", "detail"]).astype({"count": np.int64})


def prepare_landuse(
    layer: gpd.GeoDataFrame, *, classification: str, where: str
) -> tuple[gpd.GeoDataFrame, list[tuple[str, str]]]:
    """Give a land-use layer a column ``code`` of land-use codes, and say what is doubtful about them.

    Parameters
    ----------
    layer : geopandas.GeoDataFrame
        As it was read.
    classification : {"landuse", "dltb"}
        What its codes are of.
    where : str
        What messages call it.

    Returns
    -------
    geopandas.GeoDataFrame, list of (zh, en)
        A new layer; of the land survey, ``code_source`` keeps DLBM and ``relation`` says how sure the new code is. A
        layer without codes is returned as it is.
    """
    columns = zoning_columns(layer, classification)
    if "code" not in columns:
        return layer, []
    notes: list[tuple[str, str]] = []
    checks = check_codes(layer, classification=classification, where=where)
    bad = checks[checks["check"] != "name_differs"]
    if len(bad):
        shown = ", ".join(f"{w or '(空)'} {n}" for w, n in zip(bad["what"].head(5), bad["count"], strict=False))
        total = int(bad["count"].sum())
        notes.append(
            (
                f"{where}: {total} 个图斑的代码不在分类表中,共 {len(bad)} 种: {shown}",
                f"{where}: {total} shapes have codes that are not in the classification, {len(bad)} kinds: {shown}",
            )
        )
    seems = find_classification(layer)
    if seems not in (classification, "both", "unknown"):
        notes.append(
            (
                f"{where}: 代码更像是 {seems} 而不是 {classification};请核对 classification",
                f"{where}: its codes look like {seems}, not {classification}; check `classification`",
            )
        )
    out = layer.copy()
    if classification == "dltb":
        made = dltb_to_landuse(layer[columns["code"]])
        out["code_source"], out["code"], out["relation"] = layer[columns["code"]], made["code"], made["relation"]
        counts = made["relation"].value_counts()
        told = [int(counts.get(k, 0)) for k in ("exact", "several", "unknown")]
        notes.append(
            (
                f"{where}: 三调 DLBM 按对照表 [K] 换算为用地用海代码: "
                f"一一对应 {told[0]}, 一对多 {told[1]}, 未知 {told[2]}",
                f"{where}: DLBM turned into land-use codes by a crosswalk [K]: one to one {told[0]}, one to several "
                f"{told[1]}, unknown {told[2]}",
            )
        )
    elif columns["code"] != "code":
        out = out.rename(columns={columns["code"]: "code"})
    return out, notes


def prepare_lines(layer: gpd.GeoDataFrame, *, where: str) -> tuple[gpd.GeoDataFrame, list[tuple[str, str]]]:
    """Give control lines a column ``line_type`` with the names of the three lines, where they are one of them.

    Parameters
    ----------
    layer : geopandas.GeoDataFrame
        As it was read.
    where : str
        What messages call it.

    Returns
    -------
    geopandas.GeoDataFrame, list of (zh, en)
        A new layer, and what was renamed. A layer without types is returned as it is.
    """
    column = zoning_columns(layer, "lines").get("line_type")
    if column is None:
        return layer, []
    given = layer[column].map(lambda v: "" if v is None or v != v else str(v).strip())
    named = given.map(line_name)
    out = layer.rename(columns={column: "line_type"}) if column != "line_type" else layer.copy()
    out["line_type"] = named.where(named != "", given)
    changed = (named != "") & (named != given)
    notes = []
    if changed.any():
        pairs = ", ".join(f"{a} = {b}" for a, b in dict(zip(given[changed], named[changed], strict=True)).items())
        notes.append((f"{where}: 控制线按名称归类: {pairs}", f"{where}: control lines were taken for: {pairs}"))
    return out, notes
