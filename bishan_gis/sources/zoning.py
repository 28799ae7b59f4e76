"""Checks of official zoning layers: overlaps, gaps, broken and repeated shapes, areas. Reported, never repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from bishan_gis.crs import WGS84, load_crs
from bishan_gis.sources.zoning_codes import check_codes, check_lines, find_classification, zoning_columns

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["CHECKS", "check_topology", "check_zoning", "describe_checks"]

#: What is looked for: key -> (Chinese, English).
CHECKS: dict[str, tuple[str, str]] = {
    "invalid": ("几何无效", "invalid geometry"),
    "empty": ("空几何", "no geometry"),
    "duplicate": ("重复图斑", "the same shape again"),
    "overlap": ("图斑重叠", "overlapping shapes"),
    "hole": ("图斑之间的空洞", "holes between shapes"),
    "sliver_gap": ("狭长缝隙", "slivers between shapes"),
    "uncovered": ("区内未覆盖", "parts of the district not covered"),
    "outside": ("超出区界", "parts outside the district"),
    "area": ("图斑面积与登记面积不符", "areas that differ from the declared ones"),
    "area_total": ("登记面积合计不符", "the sum of declared areas differs"),
    "area_unit": ("登记面积的单位疑似不是平方米", "declared areas seem to be in another unit"),
    "unknown_code": ("未知代码", "unknown codes"),
    "empty_code": ("代码为空", "empty codes"),
    "name_differs": ("名称与代码不符", "names that contradict the code"),
    "classification": ("分类标准与设置不符", "codes of another classification than was set"),
    "other_line": ("其他类型的控制线", "control lines of another type"),
    "missing_line": ("缺少的控制线", "control lines that are not there"),
}
_COLUMNS = ("check", "what", "count", "area_m2", "lon", "lat", "detail")
_SLIVER_WIDTH_M = 1.0
_LISTED = 5
_UNITS = {"ha": 1e4, "亩": 2000 / 3, "km2": 1e6}
_AREA_SHARE = 0.001
_AREA_M2 = 1.0


def check_topology(
    layer: gpd.GeoDataFrame,
    *,
    district: gpd.GeoDataFrame | None = None,
    area_column: str | None = None,
    whole: bool = True,
    tolerance_m2: float = 0.1,
) -> pd.DataFrame:
    """Look for what is wrong with the shapes of a layer of areas.

    Parameters
    ----------
    layer : geopandas.GeoDataFrame
        Areas in the CRS of their file, in which shared edges meet; as they are in the file, before any repair.
    district : geopandas.GeoDataFrame, optional
        The district: gaps and what sticks out are judged against it.
    area_column : str, optional
        Declared areas [m2], such as TBMJ; compared with the area on the ellipsoid.
    whole : bool
        Whether the layer should cover the district without gaps (land use does, control lines do not).
    tolerance_m2 : float
        Overlaps and gaps smaller than this are rounding [m2].

    Returns
    -------
    pandas.DataFrame
        ``check`` (a key of `CHECKS`), ``what`` (rows of the layer, counted from 1, or pairs of rows: the five
        largest), ``count``, ``area_m2`` in all (for ``area`` and ``area_total`` the difference), ``lon, lat`` of the
        largest [degrees, WGS84], ``detail``. Empty: nothing is wrong.

    Notes
    -----
    Areas are measured in an equal-area projection of the GRS80 ellipsoid centred on the layer (Lambert), which is the
    ellipsoidal area that the land survey declares; straight edges instead of geodesics change it by less than 1e-6.
    Invalid and repeated shapes are left out of the later checks, so that one fault is not reported twice. A gap is a
    sliver when its mean width, 2 A / P, is below 1 m. An area differs when it is off by more than 1 m2 and 0.1 % [P].
    """
    names = layer.index if pd.api.types.is_integer_dtype(layer.index) else pd.RangeIndex(len(layer))
    number = np.asarray(names, dtype=np.int64) + 1
    shape: NDArray[np.object_] = shapely.force_2d(layer.geometry.to_numpy())
    book = _Report(layer)
    null = shapely.is_missing(shape) | shapely.is_empty(shape)
    invalid = ~null & ~shapely.is_valid(shape)
    book.add("empty", shape[null], number[null])
    reasons = sorted({str(r).split("[")[0] for r in shapely.is_valid_reason(shape[invalid])})
    book.add("invalid", shape[invalid], number[invalid], detail=", ".join(reasons))
    usable = ~null & ~invalid & (shapely.get_dimensions(shape) == 2)
    fine = np.flatnonzero(usable)
    again = pd.Series(shapely.to_wkb(shapely.normalize(shape[fine])), dtype=object).duplicated().to_numpy(dtype=bool)
    book.add("duplicate", shape[fine[again]], number[fine[again]])
    fine = fine[~again]
    good = shape[fine]
    a, b, common = _overlaps(good)
    keep = book.measure(common) > tolerance_m2
    pairs = np.array(
        [f"{number[fine[i]]}+{number[fine[j]]}" for i, j in zip(a[keep], b[keep], strict=True)], dtype=object
    )
    book.add("overlap", common[keep], pairs)
    if len(good):
        together = shapely.union_all(good)
        border = None if district is None else shapely.make_valid(district.geometry.to_crs(layer.crs).union_all())
        for check, parts in _cover(together, border, whole=whole).items():
            large = parts[book.measure(parts) > tolerance_m2]
            thin = book.width(large) < _SLIVER_WIDTH_M if check == "hole" else np.zeros(len(large), dtype=bool)
            book.add(check, large[~thin])
            book.add("sliver_gap", large[thin])
    if area_column is not None and area_column in layer.columns:
        _areas(layer[area_column], shape, usable, number, book)
    return book.table()


class _Report:
    """Rows of a report; areas are those on the ellipsoid, whatever the CRS of the layer."""

    def __init__(self, layer: gpd.GeoDataFrame) -> None:
        import geopandas as gpd

        self._series = gpd.GeoSeries
        self._crs = layer.crs
        finite = layer.geometry[~(layer.geometry.isna() | layer.geometry.is_empty)]
        middle = shapely.box(*finite.to_crs(WGS84).total_bounds).centroid if len(finite) else shapely.Point(0, 0)
        self._equal = f"+proj=laea +lat_0={middle.y:.3f} +lon_0={middle.x:.3f} +ellps=GRS80 +units=m"
        self._rows: list[dict[str, Any]] = []

    def _flat(self, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
        return np.asarray(self._series(shapes, crs=self._crs).to_crs(self._equal).to_numpy(), dtype=object)

    def measure(self, shapes: NDArray[np.object_]) -> NDArray[np.float64]:
        """Return areas [m2]."""
        return np.asarray(shapely.area(self._flat(shapes)), dtype=float) if len(shapes) else np.zeros(0)

    def width(self, shapes: NDArray[np.object_]) -> NDArray[np.float64]:
        """Return mean widths, 2 A / P [m]."""
        if not len(shapes):
            return np.zeros(0)
        flat = self._flat(shapes)
        return np.asarray(2 * shapely.area(flat) / np.maximum(shapely.length(flat), 1e-9), dtype=float)

    def add(
        self,
        check: str,
        places: NDArray[np.object_],
        rows: NDArray[Any] | None = None,
        *,
        area_m2: NDArray[np.float64] | None = None,
        total_m2: float | None = None,
        detail: str = "",
    ) -> None:
        """Add a row for a check that found something; the largest place first."""
        if not len(places):
            return
        size = self.measure(places) if area_m2 is None else area_m2
        order = np.argsort(-size, kind="stable")
        what = "" if rows is None else ", ".join(str(r) for r in list(rows[order][:_LISTED]))
        total = round(float(size.sum()) if total_m2 is None else total_m2, 2)
        row = {"check": check, "what": what, "count": len(places), "area_m2": total, "detail": detail}
        self._rows.append({**row, "place": places[order[0]]})

    def table(self) -> pd.DataFrame:
        """Return the report."""
        spots = [shapely.point_on_surface(shapely.make_valid(r.pop("place"))) for r in self._rows]
        lonlat = self._series(spots, crs=self._crs).to_crs(WGS84) if spots else None
        out = pd.DataFrame(self._rows, columns=[c for c in _COLUMNS if c not in ("lon", "lat")])
        out["lon"] = lonlat.x.round(6).to_numpy() if lonlat is not None else np.zeros(0)
        out["lat"] = lonlat.y.round(6).to_numpy() if lonlat is not None else np.zeros(0)
        return out[list(_COLUMNS)]


def _overlaps(
    good: NDArray[np.object_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.object_]]:
    """Return pairs whose insides meet, and what they share."""
    a, b = shapely.STRtree(good).query(good, predicate="intersects")
    a, b = a[a < b], b[a < b]
    shapely.prepare(good)
    inside = ~shapely.touches(good[a], good[b])
    a, b = a[inside], b[inside]
    return a, b, np.asarray(shapely.intersection(good[a], good[b]), dtype=object)


def _cover(together: Any, border: Any, *, whole: bool) -> dict[str, NDArray[np.object_]]:
    """Return holes, what of the district is not covered, and what sticks out."""
    out: dict[str, NDArray[np.object_]] = {}
    if whole:
        parts = shapely.get_parts(together)
        parts = parts[shapely.get_dimensions(parts) == 2]
        empty = shapely.difference(shapely.union_all(shapely.polygons(shapely.get_exterior_ring(parts))), together)
        out["hole"] = shapely.get_parts(empty if border is None else shapely.intersection(empty, border))
        if border is not None:
            out["uncovered"] = shapely.get_parts(shapely.difference(border, together))
    if border is not None:
        out["outside"] = shapely.get_parts(shapely.difference(together, border))
    return out


def _areas(
    declared: pd.Series, shape: NDArray[np.object_], use: NDArray[np.bool_], number: NDArray[np.int64], book: _Report
) -> None:
    """Compare areas with the declared ones."""
    given = pd.to_numeric(declared, errors="coerce").to_numpy(dtype=float)
    use = use & np.isfinite(given) & (given > 0)
    if not use.any():
        return
    places, real, said = shape[use], book.measure(shape[use]), given[use]
    ratio = float(np.median(real / said))
    unit = next((u for u, m2 in _UNITS.items() if abs(ratio / m2 - 1) < 0.05), None)
    if unit is not None:
        book.add("area_unit", places, detail=unit)
        said = said * _UNITS[unit]
    off = np.abs(real - said)
    wrong = (off > _AREA_M2) & (off > _AREA_SHARE * said)
    book.add("area", places[wrong], number[use][wrong], area_m2=off[wrong])
    total = abs(float(real.sum() - said.sum()))
    if total > max(_AREA_M2, _AREA_SHARE * float(said.sum())):
        book.add("area_total", places, total_m2=total, detail=f"{said.sum():,.0f} -> {real.sum():,.0f} m2")


def check_zoning(
    layers: dict[str, gpd.GeoDataFrame], *, district: gpd.GeoDataFrame, classification: str = "landuse"
) -> pd.DataFrame:
    """Check codes and shapes of the zoning layers of a study.

    Parameters
    ----------
    layers : dict
        ``inputs.landuse`` and ``inputs.control_lines``, as they were read: ``attrs["file_crs"]``, where given, is the
        CRS that shapes are judged in, and ``attrs["invalid"]`` the rows that reading had to repair.
    district : geopandas.GeoDataFrame
        The district.
    classification : {"landuse", "dltb"}
        What the codes of the land use are of.

    Returns
    -------
    pandas.DataFrame
        ``setting`` and the columns of :func:`check_topology`.
    """
    found = []
    for setting, layer in layers.items():
        lines = setting.endswith("control_lines")
        one = classification
        if "code_source" in layer.columns:  # codes that were turned into others are judged as they came
            layer, one = layer.drop(columns="code").rename(columns={"code_source": "code"}), "dltb"
        columns = zoning_columns(layer, "lines" if lines else one)
        if lines:
            parts = [check_lines(layer, where=setting)] if "line_type" in columns else []
        else:
            parts = _check_classes(layer, one, setting) if "code" in columns else []
        repaired = layer.attrs.get("invalid", [])
        if repaired:
            what, detail = ", ".join(str(r) for r, _ in repaired[:_LISTED]), ", ".join(sorted({d for _, d in repaired}))
            parts.append(pd.DataFrame([{"check": "invalid", "what": what, "count": len(repaired), "detail": detail}]))
        crs = layer.attrs.get("file_crs")
        shown = layer.to_crs(load_crs(crs)) if crs else layer
        groups = (
            [("", shown)] if not (lines and "line_type" in columns) else shown.groupby(columns["line_type"], sort=True)
        )
        for kind, group in groups:
            shapes = check_topology(group, district=district, area_column=columns.get("area_m2"), whole=not lines)
            shapes["detail"] = [f"{kind} {d}".strip() for d in shapes["detail"]]
            parts.append(shapes)
        parts = [p.reindex(columns=list(_COLUMNS)).astype(object) for p in parts if len(p)]
        if parts:
            table = pd.concat(parts, ignore_index=True)
            table.insert(0, "setting", setting)
            found.append(table)
    if not found:
        return pd.DataFrame(columns=["setting", *_COLUMNS])
    out = pd.concat(found, ignore_index=True)
    out[["count"]] = out[["count"]].astype(np.int64)
    out[["area_m2", "lon", "lat"]] = out[["area_m2", "lon", "lat"]].astype(float)
    return out


def _check_classes(layer: gpd.GeoDataFrame, classification: str, setting: str) -> list[pd.DataFrame]:
    out = [check_codes(layer, classification=classification, where=setting)]
    seems = find_classification(layer)
    if seems not in (classification, "both", "unknown"):
        row = {"check": "classification", "what": seems, "count": len(layer), "detail": f"{classification} -> {seems}"}
        out.append(pd.DataFrame([row]))
    return out


def describe_checks(checks: pd.DataFrame) -> list[tuple[str, str]]:
    """Say the rows of a report in both languages, one line each."""
    out = []
    for row in checks.to_dict("records"):
        zh, en = CHECKS[str(row["check"])]
        has = isinstance(row["area_m2"], float) and row["area_m2"] == row["area_m2"]
        size = f" {row['area_m2']:,.1f} m2" if has else ""
        at = f" @ {row['lon']:.5f}, {row['lat']:.5f}" if row["lon"] == row["lon"] and row["lon"] is not None else ""
        what = f" [{row['what']}]" if row["what"] else ""
        more = f" ({row['detail']})" if isinstance(row["detail"], str) and row["detail"] else ""
        tail = f"{what} × {row['count']}{size}{at}{more}"
        out.append((f"{row['setting']}: {zh}{tail}", f"{row['setting']}: {en}{tail}"))
    return out
