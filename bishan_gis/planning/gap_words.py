"""Gaps in words: where an area is, and one sentence that says what is missing, why, and what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.planning.nearest_points import nearest_points
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "HELP",
    "MOST",
    "compass",
    "gap_sentence",
    "is_most",
    "nearest_names",
    "parts_of_towns",
    "place_names",
    "place_words",
    "plain_name",
]

_COMPASS = (
    *(("东部", "the east"), ("东北部", "the north-east"), ("北部", "the north"), ("西北部", "the north-west")),
    *(("西部", "the west"), ("西南部", "the south-west"), ("南部", "the south"), ("东南部", "the south-east")),
)
_CENTRE = ("中心", "the centre")
_CODES = ("E", "NE", "N", "NW", "W", "SW", "S", "SE")
#: What an area with half of the people of a township, or more, is called.
MOST = ("大部分地区", "most of it")
_BARRIERS = {
    "water": ("水域", "water"),
    "river": ("河流", "a river"),
    "motorway": ("高速公路", "a motorway"),
    "railway": ("铁路", "a railway"),
}
#: What each reason calls for.
HELP = {
    "distance": ("需就近新增设施", "a facility nearby is needed"),
    "detour": ("可打通步行捷径或增设过街通道", "a shorter way or a crossing would help"),
    "slope": ("可改善坡道, 增设扶梯, 或就近新增设施", "better ramps, an escalator, or a facility nearby would help"),
    "not_connected": ("请接通道路并核对路网数据", "connect the streets, and check the street data"),
    "off_network": ("请补充道路数据", "complete the street data"),
    "data_edge": ("请扩大数据范围", "extend the data beyond the border"),
    "capacity": ("可扩容或增设设施", "more places, or one more facility, would help"),
}


def compass(dx: float, dy: float) -> tuple[str, str]:
    """Return which part of a town lies in a direction from its centre.

    Parameters
    ----------
    dx, dy : float
        Metres east and north of the centre.

    Examples
    --------
    >>> compass(10, 10)
    ('东北部', 'the north-east')
    """
    return _COMPASS[int(np.round(np.arctan2(dy, dx) / (np.pi / 4))) % 8]


def is_most(people: NDArray[np.int64], town_people: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which areas hold most of a town.

    Parameters
    ----------
    people, town_people : ndarray
        People of each area, and of the township that it is in.
    """
    out: NDArray[np.bool_] = people * 2 >= np.maximum(town_people, 1)
    return out


def place_names(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    zone_names: Mapping[str, str],
    landmarks: pd.DataFrame | Sequence[pd.DataFrame] | None = None,
    near_m: float = 300.0,
) -> tuple[list[str], list[str]]:
    """Say where areas are, as people would.

    Parameters
    ----------
    table : pandas.DataFrame
        ``zone_id, x, y`` [m] of each area, and ``people`` where known: an area with half of the people of a township
        is called most of it.
    cells : pandas.DataFrame
        ``zone_id, people, x, y`` [m]: all cells, for the centre of each township.
    zone_names : mapping
        Township id -> its name.
    landmarks : pandas.DataFrame or sequence of them, optional
        ``name, x, y`` [m]: named facilities and streets. Of equally near ones the first counts.
    near_m : float
        A landmark within this distance [m] names the place.

    Returns
    -------
    zh, en : list of str
        Township and landmark; without one the direction from where the people of the township live on average.

    Raises
    ------
    MissingColumnError
        A column is missing.

    Examples
    --------
    >>> area = pd.DataFrame({"zone_id": ["t", "t"], "x": [0.0, 4000.0], "y": [0.0, 0.0]})
    >>> cells = pd.DataFrame({"zone_id": "t", "people": [90, 10], "x": [0.0, 4000.0], "y": 0.0})
    >>> school = pd.DataFrame({"name": ["实验小学"], "x": [100.0], "y": [0.0]})
    >>> place_names(area, cells, zone_names={"t": "青杠街道"}, landmarks=school)[0]
    ['青杠街道实验小学附近', '青杠街道东部']
    """
    check_columns(table, ["zone_id", "x", "y"], where="areas")
    check_columns(cells, ["zone_id", "people", "x", "y"], where="cells")
    at = table[["x", "y"]].to_numpy(np.float64)
    return place_words(table, cells, zone_names=zone_names, named=_nearest_names(at, landmarks, near_m), near_m=near_m)


def place_words(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    zone_names: Mapping[str, str],
    named: Sequence[str],
    near_m: float = 300.0,
) -> tuple[list[str], list[str]]:
    """Say where areas are, once it is known which landmark is near each.

    Parameters
    ----------
    table, cells, zone_names
        As for :func:`place_names`.
    named : sequence of str
        The landmark near each area; empty where there is none.
    near_m : float
        So near to where the people of a township live on average is its centre [m].

    Returns
    -------
    zh, en : list of str
        As :func:`place_names`.
    """
    town_people = cells.groupby(cells["zone_id"].to_numpy())["people"].sum().reindex(table["zone_id"]).to_numpy()
    most = np.zeros(len(table), dtype=bool)
    if "people" in table.columns:
        most = is_most(table["people"].to_numpy(), town_people)
    central, sector = _parts(table, cells, near_m)
    most_zh, most_en = MOST
    towns = {z: plain_name(zone_names.get(z, str(z))) for z in table["zone_id"].unique()}
    zh, en = [], []
    for zone, whole, name, middle_, part in zip(table["zone_id"], most, named, central, sector, strict=True):
        town = towns[zone]
        if whole:
            pair = (most_zh, most_en)
        elif name:
            pair = (f"{name}附近", f"near {name}")
        else:
            pair = _CENTRE if middle_ else _COMPASS[part]
        zh.append(town + pair[0])
        en.append(f"{town}, {pair[1]}")
    return zh, en


def _parts(table: pd.DataFrame, cells: pd.DataFrame, near_m: float) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return whether each place is the centre of its township, and in which direction of it it lies."""
    heads = np.maximum(cells["people"].to_numpy(np.float64), 1e-9)
    moment = pd.DataFrame({"w": heads, "x": cells["x"] * heads, "y": cells["y"] * heads})
    sums = moment.groupby(cells["zone_id"].to_numpy()).sum()
    middle = sums[["x", "y"]].div(sums["w"], axis=0).reindex(table["zone_id"]).to_numpy(np.float64)
    apart = table[["x", "y"]].to_numpy(np.float64) - middle
    sector = np.round(np.arctan2(apart[:, 1], apart[:, 0]) / (np.pi / 4)).astype(np.int64) % 8
    return np.hypot(*apart.T) <= near_m, sector


def parts_of_towns(
    table: pd.DataFrame, cells: pd.DataFrame, *, near_m: float
) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """Say which part of its township each place lies in.

    Parameters
    ----------
    table : pandas.DataFrame
        ``zone_id, x, y`` [m].
    cells : pandas.DataFrame
        ``zone_id, people, x, y`` [m]: all cells.
    near_m : float
        So near to where the people of a township live on average is its centre [m].

    Returns
    -------
    part : list of str
        ``C`` (centre)``, E, NE, N, NW, W, SW, S`` or ``SE``.
    words : dict
        Part -> what it is called in Chinese and English.
    """
    central, sector = _parts(table, cells, near_m)
    part = ["C" if middle else _CODES[k] for middle, k in zip(central.tolist(), sector.tolist(), strict=True)]
    return part, {"C": _CENTRE, **dict(zip(_CODES, _COMPASS, strict=True))}


def _nearest_names(
    at: NDArray[np.float64], landmarks: pd.DataFrame | Sequence[pd.DataFrame] | None, near_m: float
) -> list[str]:
    tables = [landmarks] if isinstance(landmarks, pd.DataFrame) else list(landmarks or ())
    least, out = np.full(len(at), np.inf), np.full(len(at), "", dtype=object)
    for table in tables:
        distance, names = nearest_names(at, table, near_m=near_m)
        nearer = distance < least
        least[nearer], out[nearer] = distance[nearer], names[nearer]
    return [str(name) for name in out]


def nearest_names(
    at: NDArray[np.float64], landmarks: pd.DataFrame, *, near_m: float = 300.0
) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Return the nearest landmark of each point.

    Parameters
    ----------
    at : ndarray, shape (n, 2)
        Points [m].
    landmarks : pandas.DataFrame
        ``name, x, y`` [m]; of equally near ones the first counts.
    near_m : float
        Landmarks farther away are none [m].

    Returns
    -------
    distance_m, name : ndarray
        Distance [m], infinite where none is near; its name on one line.
    """
    check_columns(landmarks, ["name", "x", "y"], where="landmarks")
    distance, row = nearest_points(at, landmarks[["x", "y"]].to_numpy(np.float64))
    near = distance <= near_m
    names = landmarks["name"].to_numpy(dtype=object)
    plain = {i: plain_name(names[i]) for i in np.unique(row[near])}
    out = np.full(len(at), "", dtype=object)
    out[near] = [plain[i] for i in row[near]]
    return np.where(near, distance, np.inf), out


def plain_name(name: object) -> str:
    """Return a name on one line, not too long.

    Parameters
    ----------
    name : object
        Whatever stands for a name in the data.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in str(name)).split())[:40]


def gap_sentence(area: Mapping[str, Any], lang: str = "zh") -> str:
    """Say in one sentence where how many people lack what, how far the nearest is, why, and what would help.

    Parameters
    ----------
    area : mapping
        ``place_zh, place_en, service_zh, service_en, people, level_min, state, reason, nearest_min`` [min, NaN: no
        path]``, straight_m`` [m]``, detour_ratio, barrier, barrier_name, facility_name``; see
        :func:`bishan_gis.planning.gaps.find_gaps`.
    lang : str
        ``zh`` or ``en``.

    Examples
    --------
    >>> area = {"place_zh": "青杠街道东部", "service_zh": "幼儿园", "people": 1200, "level_min": 5.0,
    ...     "reason": "distance", "state": "deficient", "nearest_min": 18.0, "straight_m": 900.0,
    ...     "facility_name": "实验幼儿园"}
    >>> gap_sentence(area)
    '青杠街道东部: 1,200 人步行 5 分钟内没有幼儿园, 最近的实验幼儿园步行约 18 分钟, 直线距离 900 米, 需就近新增设施'
    """
    zh = lang == "zh"
    place, service = area[f"place_{lang}"], area[f"service_{lang}"]
    people, level, reason = int(area["people"]), float(area["level_min"]), str(area["reason"])
    if area["state"] == "short":
        first = f"{people:,} 人 {level:g} 分钟内可达的{service}容量不足"
        if not zh:
            first = f"{people:,} people reach a {service} in {level:g} min that has too few places"
    elif area["state"] == "unknown":
        first = f"{people:,} 人步行 {level:g} 分钟内有无{service}无法判断"
        if not zh:
            first = f"for {people:,} people it is not known whether a {service} is within {level:g} min on foot"
    else:
        first = f"{people:,} 人步行 {level:g} 分钟内没有{service}"
        if not zh:
            first = f"{people:,} people have no {service} within {level:g} min on foot"
    parts = [first, *_nearest(area, zh), *_why(area, zh), HELP[reason][0 if zh else 1]]
    return f"{place}: " + ", ".join(parts)


def _nearest(area: Mapping[str, Any], zh: bool) -> list[str]:
    minutes = area.get("nearest_min")
    if minutes is None or not np.isfinite(minutes) or area["state"] != "deficient":
        return []
    if area["reason"] == "not_connected":
        return []
    name = plain_name(area.get("facility_name") or "")
    if zh:
        return [f"最近的{name or area['service_zh']}步行约 {_duration(minutes, zh)}"]
    return [f"the nearest{f' ({name})' if name else ''} is about {_duration(minutes, zh)} away"]


def _duration(minutes: float, zh: bool) -> str:
    """Return minutes in words; above two hours as hours, which nobody reckons in minutes."""
    if minutes > 120:
        return f"{minutes / 60:.1f} {'小时' if zh else 'hours'}"
    return f"{minutes:.0f} {'分钟' if zh else 'min'}"


def _why(area: Mapping[str, Any], zh: bool) -> list[str]:
    reason, straight = str(area["reason"]), float(area.get("straight_m", np.nan))
    if reason == "distance" and np.isfinite(straight):
        return [f"直线距离 {straight:.0f} 米" if zh else f"{straight:.0f} m as the crow flies"]
    if reason == "detour":
        ratio = float(area.get("detour_ratio", np.nan))
        out = []
        if np.isfinite(straight) and np.isfinite(ratio):
            out.append(
                f"直线仅 {straight:.0f} 米而绕行 {ratio:.1f} 倍"
                if zh
                else f"only {straight:.0f} m as the crow flies, the way is {ratio:.1f} times that"
            )
        kind = str(area.get("barrier") or "")
        if kind:
            pair = _BARRIERS.get(kind, (kind, kind))
            name = plain_name(area.get("barrier_name") or "")
            out.append(f"隔着{name or pair[0]}" if zh else f"{name or pair[1]} lies between")
        return out
    said = {
        "slope": ("坡度使步行变慢", "slopes make the way slow"),
        "not_connected": ("无路可达", "no street leads there"),
        "off_network": ("附近没有道路数据", "there is no street data near"),
        "data_edge": ("数据在阈值内中断", "the data ends within that time"),
    }
    return [said[reason][0 if zh else 1]] if reason in said else []
