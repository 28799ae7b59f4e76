"""Elements of a policy about land: three spaces, jobs and homes, land outside the boundary, red lines."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.planning.indicator_land import URBAN, built_land, line_kinds
from bishan_gis.planning.policy_evidence import Evidence, Finding, NotEvaluated, needs_data
from bishan_gis.schema import weakest_kind
from bishan_gis.sources.tables import read_csv

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["HOMES", "JOBS", "ecology", "land_balance", "land_spaces", "outside_line", "space_areas", "spaces"]

_SPACE_ZH = {"production": "生产", "living": "生活", "ecology": "生态", "mixed": "兼用", "none": "未定"}
#: Control lines that built land may not lie in.
_RED = ("永久基本农田", "生态保护红线")
#: Land that people work on, and land they live on, by classes of the 2023 guide.
JOBS, HOMES = ("08", "09", "10", "11"), ("07",)


def _areas_m2(evidence: Evidence, land: gpd.GeoDataFrame, within: Any = None) -> NDArray[np.float64]:
    """Return the area of each piece of land inside the district [m2]."""
    import shapely

    bound = evidence.sums.zones["geometry"].iloc[evidence.district] if within is None else within
    shape = shapely.make_valid(land.geometry.to_numpy())
    shapely.prepare(bound)
    out = np.where(shapely.covers(bound, shape), shapely.area(shape), 0.0)
    cut = np.flatnonzero((out == 0) & shapely.intersects(bound, shape))
    out[cut] = shapely.area(shapely.intersection(shape[cut], bound))
    return np.asarray(out, dtype=np.float64)


def space_areas(codes: pd.Series, area: NDArray[np.float64]) -> pd.Series:
    """Add up land by what it is for.

    Parameters
    ----------
    codes : pandas.Series
        Classes of the 2023 guide.
    area : ndarray
        Area of each piece, in any unit.

    Returns
    -------
    pandas.Series
        ``production, living, ecology, mixed`` (land that the table gives two purposes)``, none`` (classes of no
        purpose) -> area. A class without a row of its own takes that of its first two digits
        (``data/landuse_spaces.csv`` [P]).

    Examples
    --------
    >>> space_areas(pd.Series(["0101", "0802", "0701", "16"]), np.array([5.0, 1.0, 2.0, 3.0])).to_dict()
    {'production': 6.0, 'living': 2.0, 'ecology': 0.0, 'mixed': 0.0, 'none': 3.0}
    """
    of = land_spaces(codes)
    return pd.Series(area, index=of.to_numpy()).groupby(level=0).sum().reindex(list(_SPACE_ZH), fill_value=0.0)


def land_spaces(codes: pd.Series) -> pd.Series:
    """Return what each class of land is for, see :func:`space_areas`.

    Parameters
    ----------
    codes : pandas.Series
        Classes of the 2023 guide.

    Examples
    --------
    >>> land_spaces(pd.Series(["0101", "0701", "16"])).tolist()
    ['production', 'living', 'none']
    """
    with as_file(files("bishan_gis") / "data" / "landuse_spaces.csv") as file:
        table = read_csv(file)
    space = dict(zip(table["code"].astype(str), table["space"].astype(str), strict=True))
    return codes.astype(str).map(lambda c: next((space[c[:n]] for n in (6, 4, 2) if c[:n] in space), "none"))


def _line(evidence: Evidence, name: str) -> Any:
    parts = evidence.sums.line_areas(name)
    return None if parts is None else parts[evidence.district]


def _kind(evidence: Evidence, land: pd.DataFrame, *, lines: bool) -> str:
    return weakest_kind([*land["kind"].unique(), *(line_kinds(evidence.sums) if lines else ())])


def spaces(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Measure land for production, living and ecology, and what is built where it may not be."""
    land = evidence.results.landuse
    if land is None or land.empty:
        return needs_data(row)
    area = space_areas(land["code"], _areas_m2(evidence, land)) / 1e6
    whole, district = float(area.sum()), float(evidence.sums.area_km2[evidence.district])
    parts_zh = "、".join(f"{_SPACE_ZH[str(k)]} {v:.1f} km² ({v / whole:.1%})" for k, v in area.items())
    parts_en = ", ".join(f"{k} {v:.1f} km2 ({v / whole:.1%})" for k, v in area.items())
    built = built_land(evidence.sums, rural=True)
    clash_zh, clash_en = [], []
    for name in _RED:
        line = _line(evidence, name)
        if line is not None and built is not None and len(built):
            ha = float(_areas_m2(evidence, built, line).sum()) / 1e4
            clash_zh.append(f"建设用地占{name} {ha:.1f} ha")
            clash_en.append(f"{ha:.1f} ha of built land inside the line {name}")
    rest = district - whole
    return Finding(
        indicator_zh="生态空间比例",
        indicator_en="share of land for ecology",
        value=float(area["ecology"]) / whole,
        high=float(area["ecology"]) / whole,
        unit="1",
        verdict="no_threshold",
        clause="",
        tag="P",
        kind=_kind(evidence, land, lines=bool(clash_zh)),
        zh=";".join(
            [
                f"土地利用 {whole:.1f} km²: {parts_zh} (地类到三生空间 [P])",
                *clash_zh,
                f"全区另有 {max(rest, 0.0):.1f} km² 没有地类; 变化需要另一期土地利用",
            ]
        ),
        en="; ".join(
            [
                f"{whole:.1f} km2 of land use: {parts_en} (classes to spaces [P])",
                *clash_en,
                f"{max(rest, 0.0):.1f} km2 of the district have no class; change needs land use of another date",
            ]
        ),
    )


def land_balance(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Hold land to work on against land to live on, and people against built land."""
    land, built = evidence.results.landuse, built_land(evidence.sums, rural=True)
    if land is None or built is None or built.empty:
        return needs_data(row)
    area = _areas_m2(evidence, land)
    code = land["code"].astype(str).str
    jobs, homes = float(area[code.startswith(JOBS)].sum()), float(area[code.startswith(HOMES)].sum())
    if homes <= 0:
        return needs_data(row)
    people = int(evidence.sums.people[evidence.district])
    each = float(_areas_m2(evidence, built).sum()) / max(people, 1)
    ratio = jobs / homes
    return Finding(
        indicator_zh="城乡职住用地比例",
        indicator_en="land to work on over land to live on",
        value=ratio,
        high=ratio,
        unit="1",
        verdict="no_threshold",
        clause="TD/T 1063-2021 城乡职住用地比例",
        tag="P",
        kind=weakest_kind([*evidence.sums.kind(), _kind(evidence, land, lines=False)]),
        zh=f"就业用地 (08-11 类) {jobs / 1e6:.1f} km² : 居住用地 (07 类) {homes / 1e6:.1f} km² = {ratio:.2f} : 1 [P]; "
        f"人均建设用地 {each:.0f} m²; 产业与就业人数未计 ({row['how_zh']})",
        en=f"land to work on (classes 08 to 11) {jobs / 1e6:.1f} km2 to {homes / 1e6:.1f} km2 to live on (07): "
        f"{ratio:.2f} [P]; {each:.0f} m2 of built land per person; jobs are not counted ({row['how_en']})",
    )


def outside_line(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Measure the built land that lies outside the urban boundary."""
    line, built = _line(evidence, URBAN), built_land(evidence.sums, rural=True)
    if line is None or built is None or built.empty:
        return needs_data(row)
    whole, inside = _areas_m2(evidence, built) / 1e4, _areas_m2(evidence, built, line) / 1e4
    out = float((whole - inside).clip(min=0).sum())
    village = built["code"].astype(str).str.startswith("0703").to_numpy()
    homes = float((whole - inside).clip(min=0)[village].sum())
    return Finding(
        indicator_zh=f"{URBAN}外建设用地",
        indicator_en="built land outside the urban boundary",
        value=out,
        high=out,
        unit="ha",
        verdict="no_threshold",
        clause="TD/T 1063-2021 城镇开发边界范围内城乡建设用地面积",
        tag="P",
        kind=_kind(evidence, built, lines=True),
        zh=f"建设用地 {whole.sum():,.0f} ha, {URBAN}内 {inside.sum():,.0f} ha, 外 {out:,.0f} ha (其中农村宅基地 "
        f"{homes:,.0f} ha; 含铁路、公路); 合法性未评价 ({row['how_zh']})",
        en=f"{whole.sum():,.0f} ha of built land, {inside.sum():,.0f} ha inside the line {URBAN}, {out:,.0f} ha "
        f"outside ({homes:,.0f} ha of it homesteads; railways and highways included); "
        f"permits are not judged ({row['how_en']})",
    )


def ecology(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Measure the ecological red line: its share of the district, its patches, its woods."""
    import shapely

    line = _line(evidence, "生态保护红线")
    if line is None:
        return needs_data(row)
    km2 = float(shapely.area(line)) / 1e6
    patches = shapely.get_parts(line)
    patches = patches[shapely.get_dimensions(patches) == 2]
    largest = float(shapely.area(patches).max()) / 1e6 if len(patches) else 0.0
    share = km2 / float(evidence.sums.area_km2[evidence.district])
    land, wood_zh, wood_en = evidence.results.landuse, "", ""
    if land is not None and len(land):
        wood = land[land["code"].astype(str).str.startswith("03")]
        inside = float(_areas_m2(evidence, wood, line).sum()) / 1e6 if len(wood) else 0.0
        wood_zh, wood_en = f", 其中林地 {inside:.1f} km²", f", {inside:.1f} km2 of it woods"
    kinds = [*line_kinds(evidence.sums), *(land["kind"].unique() if land is not None else ())]
    return Finding(
        indicator_zh="生态保护红线占全区面积比例",
        indicator_en="share of the district inside the ecological red line",
        value=share,
        high=share,
        unit="1",
        verdict="no_threshold",
        clause="TD/T 1063-2021 生态保护红线面积",
        tag="S",
        kind=weakest_kind(kinds),
        zh=f"生态保护红线 {km2:.1f} km², {len(patches)} 个斑块, 最大 {largest:.1f} km²{wood_zh}; "
        f"廊道连通与物种未评价 ({row['how_zh']})",
        en=f"ecological red line {km2:.1f} km2 in {len(patches)} patches, the largest {largest:.1f} km2{wood_en}; "
        f"corridors and species are not judged ({row['how_en']})",
    )
