"""Tables as files: Parquet, CSV and GeoPackage that are equal byte for byte when their content is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bishan_gis.crs import WGS84, reproject
from bishan_gis.errors import OutputError

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["DICTIONARY", "no_formula", "write_csv", "write_dictionary", "write_gpkg", "write_parquet"]

#: Column -> unit, Chinese, English, for every column that a run makes and whose name does not depend on the study.
DICTIONARY: dict[str, tuple[str, str, str]] = {
    "origin_id": ("", "起点单元编号", "population cell the journey starts from"),
    "service": ("", "服务设施类别", "service, key of facility_classes.toml"),
    "measure": ("", "指标", "measure: nearest"),
    "cutoff_s": ("s", "搜索上限", "longest time searched"),
    "value": ("s", "步行时间;空 = 没有可达路径", "walking time; empty: no path"),
    "status": (
        "",
        "状态: reached 到达, beyond_cutoff 超出上限, unreachable 无路可达, off_network 远离道路, unknown 数据边缘",
        "reached, beyond_cutoff, unreachable, off_network (no street near), unknown (the data ends first)",
    ),
    "facility_id": ("", "设施编号", "facility"),
    "unknown_from_s": (
        "s",
        "走出数据范围所需时间;晚于它的结果只是上限",
        "time to leave the data; a later answer is an upper bound only",
    ),
    "zone_kind": ("", "分区类型: district, direction, township", "kind of zone"),
    "zone_id": ("", "分区编号", "zone"),
    "zone_name": ("", "分区名称", "name of the zone"),
    "cutoff_min": ("min", "时间阈值", "threshold"),
    "age_group": ("", "年龄组;all = 全部", "age group; all: everybody"),
    "people": ("people", "人口", "people"),
    "people_not_studied": (
        "people",
        "未研究此类服务的区的人口",
        "people of districts that did not study the service",
    ),
    "people_covered": ("people", "阈值内可达的人口", "people who reach the service within the threshold"),
    "people_covered_low": (
        "people",
        "速度慢 10 % 且离路网一段加倍时可达的人口",
        "people covered when all walk 10 % slower and the leg to the streets is twice as long",
    ),
    "people_covered_high": (
        "people",
        "速度快 10 % 且不计离路网一段时可达的人口",
        "people covered when all walk 10 % faster and the leg to the streets costs nothing",
    ),
    "people_unknown_low": ("people", "最差情形下无法判断的人口", "people the data cannot decide on in the worst case"),
    "people_unknown_high": ("people", "最好情形下无法判断的人口", "people the data cannot decide on in the best case"),
    "fragile": ("", "结果不稳健: 上下限之差超过人口的 10 %", "the band is wider than 10 % of the people"),
    "people_unknown": (
        "people",
        "无法判断的人口 (远离道路, 或数据在阈值内中断)",
        "people for whom the data cannot tell (off the network, or the data ends within the threshold)",
    ),
    "people_reached": ("people", "阈值内到达的人口", "people with status reached"),
    "people_valued": ("people", "有指标值的人口", "people for whom there is a value"),
    "opening_hours": ("", "开放时间 (OSM 写法)", "opening hours, as OSM writes them"),
    "measure_name": ("", "指标在研究中的名称", "name of the measure in the study"),
    "label": ("", "指标的名称", "what the measure is called"),
    "profile": ("", "出行者 (speed_profiles.toml)", "who travels (speed_profiles.toml)"),
    "mode": ("", "出行方式: walk 步行, cycle 骑行, drive 驾车", "mode of travel: walk, cycle, drive"),
    "services": ("", "设施类别,以 + 相连", "services, joined by +"),
    "unit": (
        "",
        "value 的单位: s 秒, facilities 个, places 位, .../person 人均, 1 无量纲",
        "unit of `value`: s, facilities, places, .../person, 1: none",
    ),
    "people_total": ("people", "总人口", "all people"),
    "radius_m": ("m", "直线半径", "straight-line radius"),
    "cell_id": ("", "人口单元编号", "population cell"),
    "direction": ("", "发展方向", "development direction"),
    "township": ("", "所在街镇", "township it lies in"),
    "village": ("", "村社编号", "village"),
    "grid": ("", "网格编号", "governance grid"),
    "x": ("m", "东坐标 (工作坐标系)", "easting in the working CRS"),
    "y": ("m", "北坐标 (工作坐标系)", "northing in the working CRS"),
    "kind": (
        "",
        "数据性质: observed 实测, derived 推算, assumed 假设, synthetic 合成",
        "observed, derived, assumed or synthetic",
    ),
    "name": ("", "名称", "name"),
    "area_m2": ("m2", "占地面积; 0 表示点", "ground it takes up; 0: a point"),
    "capacity": ("places", "容量 (座, 床 ...)", "capacity (seats, beds ...)"),
    "grade": ("", "所载级别", "class or level as the source says it"),
    "source": ("", "来源文件", "source file"),
    "area_km2": ("km2", "面积", "area"),
    "rule": ("", "依据的规则 (入口, 合并, 通行)", "the rule applied: how an entrance or pair was found, who may walk"),
    "ways": ("ways", "规则决定的 OSM 道路数", "OSM ways the rule decided"),
    "length_km": ("km", "长度", "length"),
    "merged_id": ("", "并入的重复设施编号", "duplicate that was merged"),
    "distance_m": ("m", "重复设施之间的距离", "distance between the duplicates"),
    "similarity": ("", "重复设施名称的相似度 (0-1)", "likeness of the names of the duplicates, 0 to 1"),
    "merged_name": ("", "并入设施的名称", "name of the duplicate that was merged"),
    "merged_source": ("", "并入设施的来源文件", "source file of the duplicate that was merged"),
    "kept_because": (
        "",
        "保留的依据: kind 数据性质更强, area 有占地面积, id 编号较小",
        "why the kept one won: kind (rests on better data), area (has ground), id (comes first)",
    ),
    "district": ("", "所属区县编号", "district"),
    "u": ("", "起点节点序号", "first node of the edge"),
    "v": ("", "终点节点序号", "last node of the edge"),
    "way": ("", "OSM 道路编号", "OSM way id"),
    "forward": ("", "可否从 u 走到 v", "may be walked from u to v"),
    "backward": ("", "可否从 v 走到 u", "may be walked from v to u"),
    "code": ("", "用地用海代码", "land-use code"),
    "line_type": ("", "控制线类型", "type of control line"),
    "length_m": ("m", "长度", "length"),
    "highway": ("", "OSM 道路类型", "OSM highway value"),
    "structure": ("", "结构: bridge, tunnel, steps", "bridge, tunnel or steps"),
    "part": ("", "人口组", "age part"),
    "control": ("people", "控制总数", "control total"),
    "placed": ("people", "落到单元的人口", "people placed on cells"),
    "difference": ("people", "差 (应为 0)", "difference, must be 0"),
}


_MEASURE = {
    "measure": ("", "指标 (measures.toml)", "measure, key of measures.toml"),
    "cutoff_s": ("s", "时间阈值", "longest time that counts"),
    "kind": ("", "数据性质;容量取默认值时为 assumed", "what it rests on; assumed where a default capacity was used"),
}
_CHECKED = {
    "setting": ("", "study.toml 中的设置", "setting of study.toml"),
    "count": ("", "数量", "how many"),
    "detail": ("", "说明", "more about it"),
}
#: The same for columns that mean something of their own in one file.
OWN: dict[str, dict[str, tuple[str, str, str]]] = {
    "unused_rows.csv": {
        **_CHECKED,
        "reason": (
            "",
            "未采用的原因: no_coordinates 无坐标, bad_coordinates 坐标无法识别, swapped_coordinates 经纬度颠倒, "
            "repeated_row 重复行, unknown_type 类型无对应服务",
            "why a row of a facility table was not used",
        ),
        "row": ("", "文件中的行号;0 = 多行", "row of the file; 0: several"),
        "address": ("", "地址 (不据此猜测坐标)", "address; no position is guessed from it"),
    },
    "zoning_checks.csv": {
        **_CHECKED,
        "check": ("", "检查项", "what was looked for"),
        "what": ("", "图斑行号或代码", "rows of the layer, or a code"),
        "area_m2": ("m2", "涉及面积", "area concerned"),
        "lon": ("degrees", "最大一处的经度 (WGS84)", "longitude of the largest"),
        "lat": ("degrees", "最大一处的纬度 (WGS84)", "latitude of the largest"),
    },
    "radius_streets.csv": {
        "radius_m": ("m", "标准的服务半径", "radius of the standard"),
        "level_min": ("min", "标准的步行时间", "walking time of the standard"),
        "people_circle": ("people", "圆圈以内的人口", "people inside the circle"),
        "people_streets": ("people", "沿街道按时可达的人口", "people whom the streets bring there in time"),
        "share_circle": ("", "圆圈以内的人口比例 (0-1)", "share of the people inside the circle"),
        "share_streets": ("", "沿街道按时可达的人口比例 (0-1)", "share of the people whom the streets bring there"),
        "difference": ("", "街道减圆圈 (-1 至 1)", "streets less circle"),
        "sentence_zh": ("", "一句话 (中文)", "the sentence in Chinese"),
        "sentence_en": ("", "一句话 (英文)", "the sentence in English"),
        "standard": ("", "标准", "standard"),
        "clause": ("", "条款", "clause"),
        "tag": ("", "核对程度: S 已核对, K 未核对, P 建议", "S seen, K known and not checked, P proposed"),
    },
    "measures.parquet": {
        **_MEASURE,
        "value": ("see unit", "指标值,单位见 unit;空 = 无值", "the measure, in `unit`; empty: none"),
    },
    "measures_zones.csv": {
        **_MEASURE,
        "value": (
            "see unit",
            "有值人口的加权平均;空 = 无人有值",
            "mean over the people who have a value; empty: nobody has",
        ),
    },
    "measures_equity.csv": {
        **_MEASURE,
        "zones": (
            "",
            "按哪一级分区拆分 (泰尔指数);空 = 不拆分",
            "kind of zone Theil's index is split by; empty: no split",
        ),
        "index": (
            "",
            "mean 均值, gini 基尼, palma 帕尔马, theil_t 泰尔, theil_between/within 区间/区内, poverty_* 贫困 (FGT)",
            "mean, gini, palma, theil_t, its parts between and within zones, poverty (FGT) below or above the line",
        ),
        "value": ("see unit", "指数;空 = 无人有值", "the index; empty: nobody has a value"),
    },
}


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a table without geometry as Parquet."""
    table.to_parquet(path, index=False, compression="zstd")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV (UTF-8 with BOM, so that Excel reads Chinese).

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    safe = table.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = safe[column].map(no_formula, na_action="ignore")
    safe.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")


def no_formula(value: object) -> object:
    """Return a value with a mark before a text that a spreadsheet would take for a formula.

    Parameters
    ----------
    value : object
        What a cell holds.

    Examples
    --------
    >>> no_formula("=1+1"), no_formula("公园"), no_formula(-3)
    ("'=1+1", '公园', -3)
    """
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def write_gpkg(layers: Mapping[str, gpd.GeoDataFrame], path: Path) -> None:
    """Write layers into one GeoPackage in EPSG:4326; the time stamp inside is fixed.

    Raises
    ------
    OutputError
        GDAL cannot write a layer.
    """
    import pyogrio

    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        for name, frame in layers.items():
            if len(frame) == 0:
                continue
            shown = frame.set_geometry(reproject(frame.geometry, WGS84))
            pyogrio.write_dataframe(shown, path, layer=name, driver="GPKG", append=path.exists(), SPATIAL_INDEX="YES")
    except (OSError, RuntimeError) as err:
        raise OutputError(f"无法写入 {path.name}: {err}", f"cannot write {path.name}: {err}") from err
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def write_dictionary(
    tables: Mapping[str, pd.DataFrame], path: Path, *, age_groups: Collection[str], services: Collection[str]
) -> None:
    """Write which file holds which column, its unit, and what it means in both languages.

    A column that is neither ours nor an age group nor a service came with an input file, and is said to have.
    """
    known = dict(DICTIONARY)
    known |= {g: ("people", f"年龄组 {g} 的人口", f"people aged {g}") for g in age_groups}
    known |= {f"s_{s}_s": ("s", f"到最近 {s} 的步行时间", f"walking time to the nearest {s}") for s in services}
    given = ("", "输入文件自带的列", "a column of the input file")
    rows = []
    for file, table in tables.items():
        for column in table.columns:
            if column == "geometry":
                continue
            unit, zh, en = OWN.get(file, {}).get(str(column)) or known.get(str(column), given)
            rows.append((file, str(column), str(table[column].dtype), unit, zh, en))
    frame = pd.DataFrame(rows, columns=["file", "column", "type", "unit", "meaning_zh", "meaning_en"])
    write_csv(frame, path)
