"""Whether the coordinates of a source are shifted, and by which datum: judged by OSM, never corrected in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from bishan_gis.crs import to_working
from bishan_gis.datums import datum_label, from_wgs84, in_china, to_wgs84
from bishan_gis.names import normal_name

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray
    from pyproj import CRS

    from bishan_gis.sources.osm import OsmData

__all__ = ["Shift", "check_shift", "find_shift", "known_places", "street_lines"]

_HYPOTHESES = ("wgs84", "gcj02", "bd09")
_REACH_M = 2000.0  # two places of one name farther apart are two places
_NEAR_M = 150.0  # a place and its mapped twin: centre of the grounds against the gate [P]
_MIN_NAMES = 5
_MIN_SHARE = 0.5
_SAME_M = 60.0  # medians below this are no shift [P]
_MIN_CELLS = 40
_CELL_M = 250.0
_CAP_M = 100.0
_DIRECTIONS = 24
_BETTER = 0.75  # a datum must take the mean distance below this share of the declared one's [P]
_SIGMAS = 3.0


@dataclass(frozen=True)
class Shift:
    """What was found about the position of a source.

    Attributes
    ----------
    offset_m : float
        How far its points lie from where they should [m]; NaN where nothing can be said.
    direction_deg : float
        Which way, clockwise from north [degrees]; NaN where nothing can be said.
    likely_datum : str
        ``wgs84``, ``gcj02`` or ``bd09``: which the coordinates most likely are in; ``other`` where they are shifted
        alike and no datum explains it; ``unknown`` where nothing can be said.
    n : int
        Points, or pairs, that the judgement rests on.
    share : float
        Share of the pairs that agree; for streets, mean distance over that of the declared datum. NaN where unknown.
    by : str
        ``names``: places of one name in both; ``streets``: distance to the nearest street; "" where unknown.
    declared : str
        What the source was said to be in.
    """

    offset_m: float
    direction_deg: float
    likely_datum: str
    n: int
    share: float
    by: str
    declared: str = "wgs84"

    @property
    def shifted(self) -> bool:
        """Whether the coordinates are likely in something else than was declared."""
        return self.likely_datum not in ("unknown", _plain(self.declared))

    def message(self, where: str) -> tuple[str, str] | None:
        """Return a warning in both languages, or None where nothing speaks against what was declared."""
        if not self.shifted:
            return None
        said = datum_label(self.declared)
        zh = f"{where}: 坐标疑似整体偏移 {self.offset_m:.0f} m (方位 {self.direction_deg:.0f}°,依据 {self.n} "
        zh += "个同名地点" if self.by == "names" else "处到道路的距离"
        en = f"{where}: coordinates seem shifted by {self.offset_m:.0f} m towards {self.direction_deg:.0f} degrees "
        en += f"({self.n} places of one name)" if self.by == "names" else f"({self.n} distances to streets)"
        if self.likely_datum == "other":
            return f"{zh});与已知基准均不符,请核对来源", f"{en}; no known datum explains it: check the source"
        likely = datum_label(self.likely_datum)
        return (
            f'{zh}): 按 {said} 读取,但很可能是 {likely};核实后请写 datum = "{self.likely_datum}" (未自动改正)',
            f'{en}: read as {said}, most likely {likely}; if so, set datum = "{self.likely_datum}" (nothing was moved)',
        )


def _plain(datum: str) -> str:
    return "wgs84" if datum == "cgcs2000" else datum


def find_shift(
    points: gpd.GeoDataFrame,
    *,
    crs: CRS,
    known: gpd.GeoDataFrame | None = None,
    streets: NDArray[np.object_] | None = None,
    declared: str = "wgs84",
    prefixes: tuple[str, ...] = (),
) -> Shift:
    """Say whether points are shifted against what is known, and which datum explains it.

    Parameters
    ----------
    points : geopandas.GeoDataFrame
        The source as it is used, EPSG:4326; ``name`` where it has names. Areas count by a point inside them.
    crs : pyproj.CRS
        Working CRS [m].
    known : geopandas.GeoDataFrame, optional
        ``name`` and geometry of places in EPSG:4326 that are right, such as :func:`known_places`.
    streets : ndarray of shapely.LineString, optional
        In `crs`, such as :func:`street_lines`; asked where names do not decide.
    declared : str
        The datum the source was read as: `points` were brought to WGS84 from it.
    prefixes : tuple of str
        From :func:`bishan_gis.names.place_prefixes`.

    Returns
    -------
    Shift
        ``likely_datum`` is ``unknown`` with fewer than 5 places of one name and fewer than 40 places apart.

    Notes
    -----
    By names: places whose normal name stands once in `known`, within 2 km under any datum, are paired. The datum under
    which most pairs lie within 150 m is likely when they are at least half. By streets: places, one for each square of
    250 m, lie near streets if they are where they should be. The mean distance (at most 100 m each) under each datum is
    compared with the same shift turned into 24 other directions: a datum is likely when it beats all of them and the
    declared one by a quarter and three standard errors. [P] all of these figures.
    """
    middle = points.geometry.representative_point()
    lon, lat = middle.x.to_numpy(dtype=float), middle.y.to_numpy(dtype=float)
    fine = np.isfinite(lon) & np.isfinite(lat)
    fine &= in_china(lon, lat)
    unknown = Shift(float("nan"), float("nan"), "unknown", 0, float("nan"), "", declared)
    if not fine.any():
        return unknown
    raw = from_wgs84(lon[fine], lat[fine], declared)
    places = {h: np.column_stack(to_working(*to_wgs84(*raw, h), crs)) for h in _HYPOTHESES}
    found = None
    if known is not None and "name" in points.columns:
        found = _by_names(places, points["name"].to_numpy(dtype=object)[fine], known, crs, declared, prefixes)
    if found is None and streets is not None and len(streets):
        found = _by_streets(places, streets, declared)
    return found or unknown


def _by_names(
    places: dict[str, NDArray[np.float64]],
    names: NDArray[np.object_],
    known: gpd.GeoDataFrame,
    crs: CRS,
    declared: str,
    prefixes: tuple[str, ...],
) -> Shift | None:
    import pandas as pd

    theirs = pd.Series([normal_name(n, prefixes) for n in known["name"]])
    ours = pd.Series([normal_name(n, prefixes) for n in names])
    right = known.geometry.to_crs(crs).representative_point()
    table = pd.DataFrame({"name": theirs, "x": right.x.to_numpy(), "y": right.y.to_numpy()})
    table = table[(table["name"] != "") & ~table["name"].duplicated(keep=False)].set_index("name")
    use = ours.isin(table.index) & ~ours.duplicated(keep=False)
    rows = np.flatnonzero(use.to_numpy())
    if not len(rows):
        return None
    true = table.reindex(ours.iloc[rows]).to_numpy(dtype=float)
    off = {h: xy[rows] - true for h, xy in places.items()}
    far = np.min([np.hypot(*d.T) for d in off.values()], axis=0) > _REACH_M
    off = {h: d[~far] for h, d in off.items()}
    n = int((~far).sum())
    if n < _MIN_NAMES:
        return None
    share = {h: float((np.hypot(*d.T) <= _NEAR_M).mean()) for h, d in off.items()}
    own = _plain(declared)
    best = max(_HYPOTHESES, key=lambda h: (share[h], h == own))
    mine = off[own]
    east, north = np.median(mine, axis=0)
    length, angle = _polar(east, north)
    if share[best] >= _MIN_SHARE:
        return Shift(length, angle, best, n, round(share[best], 3), "names", declared)
    around = np.hypot(*(mine - [east, north]).T)
    agree = float((around <= _NEAR_M).mean())
    if length > _SAME_M and agree >= _MIN_SHARE:
        return Shift(length, angle, "other", n, round(agree, 3), "names", declared)
    return None


def _by_streets(places: dict[str, NDArray[np.float64]], streets: NDArray[np.object_], declared: str) -> Shift | None:
    own = _plain(declared)
    at = places[own]
    inside = _within(at, shapely.total_bounds(streets))
    squares = np.floor(at / _CELL_M).astype(np.int64)
    _, first = np.unique(squares[inside], axis=0, return_index=True)
    rows = np.flatnonzero(inside)[np.sort(first)]
    n = len(rows)
    if n < _MIN_CELLS:
        return None
    tree = shapely.STRtree(streets)

    def near(points: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.full(len(points), _CAP_M)
        (i, _), d = tree.query_nearest(shapely.points(points), max_distance=_CAP_M, return_distance=True)
        np.minimum.at(out, i, d)
        return out

    distance = {h: near(xy[rows]) for h, xy in places.items()}
    mean = {h: float(d.mean()) for h, d in distance.items()}
    best = min(_HYPOTHESES, key=lambda h: (mean[h], h != own))
    if best == own:
        return Shift(0.0, 0.0, own, n, 1.0, "streets", declared) if _stands_out(at[rows], near, mean[own]) else None
    gain = distance[own] - distance[best]
    sure = float(gain.mean()) > _SIGMAS * float(gain.std()) / np.sqrt(n)
    if not sure or mean[best] > _BETTER * mean[own] or not _stands_out(places[best][rows], near, mean[best]):
        return None
    length, angle = _polar(*np.median(at[rows] - places[best][rows], axis=0))
    return Shift(length, angle, best, n, round(mean[best] / mean[own], 3), "streets", declared)


def _stands_out(points: NDArray[np.float64], near: object, mean: float) -> bool:
    """Tell whether points lie nearer to streets than when moved by 450 m into any other direction."""
    turn = np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)
    others = [near(points + 450.0 * np.array([np.sin(t), np.cos(t)])).mean() for t in turn]  # type: ignore[operator]
    return bool(mean < min(others))


def _within(points: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.bool_]:
    west, south, east, north = bounds
    inside: NDArray[np.bool_] = (
        (points[:, 0] >= west) & (points[:, 0] <= east) & (points[:, 1] >= south) & (points[:, 1] <= north)
    )
    return inside


def _polar(east: float, north: float) -> tuple[float, float]:
    return round(float(np.hypot(east, north)), 1), round(float(np.degrees(np.arctan2(east, north))) % 360, 1)


def known_places(osm: OsmData) -> gpd.GeoDataFrame:
    """Return what has a name in an OSM extract: ``name`` and geometry, EPSG:4326."""
    import geopandas as gpd

    from bishan_gis.crs import WGS84

    spots = [
        (t["name"], x, y) for t, x, y in zip(osm.point_tags, osm.point_lon, osm.point_lat, strict=True) if t.get("name")
    ]
    areas = osm.areas
    has = areas["tags"].map(lambda t: bool(t.get("name"))).to_numpy(dtype=bool)
    names = [s[0] for s in spots] + [t["name"] for t in areas.loc[has, "tags"]]
    shapes = [*shapely.points([s[1:] for s in spots])] if spots else []
    shapes += areas.geometry[has].representative_point().to_list()
    return gpd.GeoDataFrame({"name": names}, geometry=gpd.GeoSeries(shapes, dtype="geometry"), crs=WGS84)


def street_lines(osm: OsmData, crs: CRS) -> NDArray[np.object_]:
    """Return the streets of an OSM extract as lines in the working CRS [m]; parts without position are left out."""
    number = np.repeat(np.arange(len(osm.way_id)), np.diff(osm.way_start))
    street = np.array(["highway" in tags for tags in osm.way_tags], dtype=bool)
    fine = np.isfinite(osm.way_lon) & np.isfinite(osm.way_lat) & street[number]
    number = number[fine]
    count = np.bincount(number, minlength=len(osm.way_id))
    enough = count[number] > 1
    if not enough.any():
        return np.array([], dtype=object)
    x, y = to_working(osm.way_lon[fine][enough], osm.way_lat[fine][enough], crs)
    _, index = np.unique(number[enough], return_inverse=True)
    return np.asarray(shapely.linestrings(np.column_stack([x, y]), indices=index), dtype=object)


def check_shift(
    layers: list[tuple[str, str, gpd.GeoDataFrame]], osm: OsmData, *, crs: CRS, prefixes: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Judge several point sources against an OSM extract.

    Parameters
    ----------
    layers : list of (where, declared, frame)
        What messages call the source, the datum it was read as, and its places in EPSG:4326.
    osm : OsmData
        Named places and streets.
    crs : pyproj.CRS
        Working CRS [m].
    prefixes : tuple of str
        From :func:`bishan_gis.names.place_prefixes`.

    Returns
    -------
    pandas.DataFrame, list of (zh, en)
        ``where, declared, likely_datum, offset_m, direction_deg, n, share, by`` of each source; and a warning for each
        that seems to be in something else than was declared.
    """
    import pandas as pd

    columns = ["where", "declared", "likely_datum", "offset_m", "direction_deg", "n", "share", "by"]
    if not layers:
        return pd.DataFrame(columns=columns), []
    known, streets = known_places(osm), street_lines(osm, crs)
    rows, notes = [], []
    for where, declared, frame in layers:
        shift = find_shift(frame, crs=crs, known=known, streets=streets, declared=declared, prefixes=prefixes)
        rows.append({"where": where, **{c: getattr(shift, c) for c in columns[1:]}})
        said = shift.message(where)
        if said:
            notes.append(said)
    return pd.DataFrame(rows, columns=columns), notes
