"""Mix: how evenly land is shared among uses, and how varied what lies within reach is.

A high figure says that shares are even, not that a place is good: three quarters forest and one quarter dwellings score
like the reverse. Read it beside the shares themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.matrix import match_amounts, match_pairs
from bishan_gis.access.parameters import check_positive
from bishan_gis.errors import InputError, SchemaError
from bishan_gis.schema import check_columns, check_unique

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["diversity", "landuse_entropy", "landuse_shares", "reach_diversity"]


def diversity(amounts: pd.DataFrame) -> pd.DataFrame:
    """Measure how evenly amounts are spread over classes, row by row.

    Parameters
    ----------
    amounts : pandas.DataFrame
        One row per zone or origin, one column per class; amounts, not negative, in one unit.

    Returns
    -------
    pandas.DataFrame
        On the same index: ``entropy`` (0: one class only; 1: all classes have the same), ``herfindahl`` (1 over the
        number of classes to 1: one class only), ``simpson`` (1 less that), ``n_classes`` (present) and ``status``:
        ``mixed``, ``one_class`` (entropy 0), ``empty`` (nothing there: the three indices are NaN).

    Raises
    ------
    InputError
        Fewer than two classes.
    SchemaError
        An amount is missing, negative or not a number, or ids repeat.

    Notes
    -----
    With shares ``p_k`` of K classes: ``entropy = - sum_k p_k ln p_k / ln K``, ``0 ln 0 = 0`` (Cervero & Kockelman 1997,
    doi:10.1016/S1361-9209(97)00009-6; land-use mix of Frank et al. 2010, doi:10.1136/bjsm.2009.058701). K is the number
    of classes asked for, not of those present, so that zones can be compared. ``herfindahl = sum_k p_k**2``; ``1 -
    herfindahl`` is the chance that two places drawn at random differ in class (Simpson 1949, doi:10.1038/163688a0).

    Examples
    --------
    >>> areas = pd.DataFrame({"homes": [50, 100, 0], "shops": [50, 0, 0]}, index=["A", "B", "C"])
    >>> diversity(areas)[["entropy", "herfindahl", "status"]].values.tolist()
    [[1.0, 0.5, 'mixed'], [0.0, 1.0, 'one_class'], [nan, nan, 'empty']]
    """
    if amounts.shape[1] < 2:
        raise InputError(
            f"须至少有两个类别,现有 {amounts.shape[1]} 个", f"give at least two classes; there are {amounts.shape[1]}"
        )
    value = np.column_stack([match_amounts(amounts[c], where=f"amounts[{c}]") for c in amounts.columns])
    total = value.sum(axis=1)
    share = np.divide(value, total[:, None], out=np.zeros_like(value), where=total[:, None] > 0)
    present = (share > 0).sum(axis=1)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    entropy = np.clip(-(share * logs).sum(axis=1) / np.log(share.shape[1]), 0.0, 1.0)
    square = np.clip((share**2).sum(axis=1), 0.0, 1.0)
    empty = total <= 0
    return pd.DataFrame(
        {
            "entropy": np.where(empty, np.nan, np.where(present == 1, 0.0, entropy)),
            "herfindahl": np.where(empty, np.nan, square),
            "simpson": np.where(empty, np.nan, 1.0 - square),
            "n_classes": present,
            "status": np.select([empty, present == 1], ["empty", "one_class"], "mixed").astype(object),
        },
        index=amounts.index,
    )


def landuse_shares(
    landuse: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    *,
    classes: Sequence[str] | Mapping[str, Sequence[str]],
    class_column: str = "code",
    zone_column: str = "zone_id",
) -> pd.DataFrame:
    """Measure the area of each class of land use in each zone.

    Parameters
    ----------
    landuse : geopandas.GeoDataFrame
        Polygons with their class, which do not overlap, in a CRS with metres.
    zones : geopandas.GeoDataFrame
        Zones or cells, in the same CRS; they may overlap.
    classes : sequence of str, or mapping
        Values of `class_column` that count; or class -> values that make it up. Other land does not count. A code also
        stands for what begins with it: ``05`` for 0501 and 0502; the longest that fits decides.
    class_column, zone_column : str
        Where class and zone stand.

    Returns
    -------
    pandas.DataFrame
        Indexed by zone in the order of `zones`, one column per class [m2]; 0 where there is none.

    Raises
    ------
    CrsError
        A layer is not in metres, or they differ in CRS.
    SchemaError
        A column is missing, zones repeat, or a value stands for two classes.
    InputError
        No classes.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> land = gpd.GeoDataFrame({"code": ["0701", "05"]}, geometry=[box(0, 0, 10, 10), box(10, 0, 40, 10)], crs=4544)
    >>> zone = gpd.GeoDataFrame({"zone_id": ["A"]}, geometry=[box(0, 0, 20, 10)], crs=4544)
    >>> landuse_shares(land, zone, classes={"homes": ["07"], "shops": ["05"]}).loc["A"].to_dict()
    {'homes': 100.0, 'shops': 100.0}
    """
    import shapely

    from bishan_gis.crs import check_metric
    from bishan_gis.errors import CrsError

    check_metric(landuse, where="landuse")
    check_metric(zones, where="zones")
    if landuse.crs != zones.crs:
        raise CrsError(
            f"landuse 与 zones 坐标系不同: {landuse.crs} 与 {zones.crs};请先转换",
            f"landuse and zones differ in CRS: {landuse.crs} and {zones.crs}; convert one of them",
        )
    check_columns(landuse, [class_column], where="landuse")
    check_columns(zones, [zone_column], where="zones")
    check_unique(zones[zone_column], where="zones")
    position = _class_positions(landuse[class_column], classes)
    names = list(classes)
    wanted = np.flatnonzero(position >= 0)
    shapes = shapely.make_valid(landuse.geometry.to_numpy()[wanted])
    areas = shapely.make_valid(zones.geometry.to_numpy())
    zone, piece = shapely.STRtree(shapes).query(areas, predicate="intersects")
    part = shapely.area(shapely.intersection(areas[zone], shapes[piece]))
    cell = zone * len(names) + position[wanted][piece]
    total = np.bincount(cell, weights=part, minlength=len(zones) * len(names)).reshape(len(zones), len(names))
    return pd.DataFrame(total, index=pd.Index(zones[zone_column].to_numpy(), name=zone_column), columns=names)


def _class_positions(values: pd.Series, classes: Sequence[str] | Mapping[str, Sequence[str]]) -> NDArray[np.int64]:
    """Return the position of the class of each value, -1 where it has none: the longest code it begins with."""
    groups = classes if isinstance(classes, Mapping) else {c: [c] for c in classes}
    if not groups or not all(len(g) for g in groups.values()):
        n = len(groups)
        raise InputError(f"classes 为空或有空的类别 ({n} 个)", f"classes are empty, or one of them is ({n} classes)")
    codes: dict[str, int] = {}
    for i, group in enumerate(groups.values()):
        for code in group:
            if codes.setdefault(str(code), i) != i:
                raise SchemaError(f"classes: {code} 属于两个类别", f"classes: {code} stands in two classes")

    def place(value: str) -> int:
        fits = [c for c in codes if value == c or (c.isdigit() and value.startswith(c))]
        return codes[max(fits, key=len)] if fits else -1

    kinds = {v: place(str(v)) for v in values.dropna().unique()}
    return values.map(kinds).fillna(-1).to_numpy(dtype=np.int64)


def landuse_entropy(
    landuse: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    *,
    classes: Sequence[str] | Mapping[str, Sequence[str]],
    class_column: str = "code",
    zone_column: str = "zone_id",
) -> pd.DataFrame:
    """Measure how evenly the land of each zone is shared among uses.

    Parameters
    ----------
    landuse, zones, classes, class_column, zone_column
        See :func:`landuse_shares`; at least two classes.

    Returns
    -------
    pandas.DataFrame
        Indexed by zone: the columns of :func:`diversity`, ``area_m2`` (of the zone) and ``known_share`` (the share of
        it that lies in the classes).

    Raises
    ------
    CrsError, SchemaError, InputError
        As :func:`landuse_shares` and :func:`diversity`.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> land = gpd.GeoDataFrame({"code": ["07", "05"]}, geometry=[box(0, 0, 10, 10), box(10, 0, 40, 10)], crs=4544)
    >>> zone = gpd.GeoDataFrame({"zone_id": ["A"]}, geometry=[box(0, 0, 20, 20)], crs=4544)
    >>> landuse_entropy(land, zone, classes=["07", "05"])[["entropy", "area_m2", "known_share"]].values.tolist()
    [[1.0, 400.0, 0.5]]
    """
    shares = landuse_shares(landuse, zones, classes=classes, class_column=class_column, zone_column=zone_column)
    out = diversity(shares)
    area = zones.geometry.area.to_numpy()
    known = np.divide(shares.sum(axis=1).to_numpy(), area, out=np.full(len(area), np.nan), where=area > 0)
    return out.assign(area_m2=area, known_share=known)


def reach_diversity(
    travel_matrix: pd.DataFrame,
    services: pd.Series,
    *,
    cutoff_s: float,
    origins: pd.Index | None = None,
    classes: Sequence[str] | None = None,
    cost: str = "cost_s",
) -> pd.DataFrame:
    """Measure how varied the facilities within reach of each origin are.

    Parameters
    ----------
    travel_matrix : pandas.DataFrame
        One row per reached pair: ``from_id, to_id, cost_s`` [s]. A missing pair is not reached.
    services : pandas.Series
        Indexed by facility; the service of each.
    cutoff_s : float
        Largest cost that counts, inclusive [s].
    origins : pandas.Index, optional
        Origins to answer for, in this order; default: those of the matrix, sorted.
    classes : sequence of str, optional
        Services that count; default: all of `services`, sorted.
    cost : str
        The column that holds the cost.

    Returns
    -------
    pandas.DataFrame
        Indexed by origin: the columns of :func:`diversity` over the numbers of facilities, and ``n_facilities``.
        ``empty`` where none is within reach.

    Raises
    ------
    InputError
        `cutoff_s` is not above 0, or there are fewer than two classes.
    SchemaError
        A column is missing, a pair repeats, a cost is negative or missing, or an id is unknown.

    Examples
    --------
    >>> matrix = pd.DataFrame({"from_id": ["A", "A", "B"], "to_id": ["f", "g", "g"], "cost_s": [300, 600, 900]})
    >>> services = pd.Series({"f": "school", "g": "clinic"})
    >>> reach_diversity(matrix, services, cutoff_s=600)[["entropy", "n_facilities", "status"]].values.tolist()
    [[1.0, 2, 'mixed'], [nan, 0, 'empty']]
    """
    check_positive(cutoff_s=cutoff_s)
    holders = ("origins", "services")
    pairs = match_pairs(travel_matrix, origins=origins, destinations=services.index, cost=cost, holders=holders)
    names = sorted(services.dropna().unique()) if classes is None else list(classes)
    kind = pd.Index(names).get_indexer(pd.Index(services))[pairs.destination]
    near = (pairs.cost <= cutoff_s) & (kind >= 0)
    cell = pairs.origin[near].astype(np.int64) * len(names) + kind[near]
    n = len(pairs.origins)
    count = np.bincount(cell, minlength=n * len(names)).reshape(n, len(names))
    table = pd.DataFrame(count, index=pairs.origins, columns=names)
    return diversity(table).assign(n_facilities=count.sum(axis=1))
