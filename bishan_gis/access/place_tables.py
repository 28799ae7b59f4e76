"""Tables of places as they come in: checked once, in the CRS of the network, brought to the streets."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import BishanGisWarning, CrsError, InputError, SchemaError
from bishan_gis.network.snap import OFF_NETWORK, Snaps, snap_points
from bishan_gis.network.star import NO_LIMIT
from bishan_gis.schema import check_columns, check_unique

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

#: Places all farther than this from the extent of the network are taken for an error of the CRS [m].
_FAR_M = 1000.0

__all__ = ["check_no_gaps", "number_ids", "place_table", "snap_table", "whole_ms"]


def place_table(
    network: Network, table: pd.DataFrame, ids: Sequence[str], *, where: str, unique: bool = False
) -> pd.DataFrame:
    """Check a table of places and return it with numbers for ``x`` and ``y`` in the CRS of the network.

    Parameters
    ----------
    network : Network
        For its CRS.
    table : pandas.DataFrame
        The columns `ids` and ``x, y`` [m, CRS of the network]; or, without ``x, y``, a GeoDataFrame of points in any
        CRS, which are projected to that of the network.
    ids : sequence of str
        Columns that name the places; none may be empty.
    where : str
        What the reader knows the table as.
    unique : bool
        Whether the first of `ids` may not repeat.

    Returns
    -------
    pandas.DataFrame
        The table itself where nothing had to be changed.

    Raises
    ------
    InputError
        It is no table.
    MissingColumnError
        A column is missing.
    CrsError
        Points without a CRS; or ``x, y`` beside a geometry in another CRS than that of the network, so that it is not
        clear which is meant.
    SchemaError
        A coordinate is missing or not a number, a geometry is missing or no point, an id is missing or repeats.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from bishan_gis.network.graph import Network
    >>> street = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 400 0)"], crs="EPSG:4544")
    >>> network = Network.from_edges(gpd.GeoDataFrame(geometry=street))
    >>> home = gpd.GeoDataFrame({"origin_id": ["A"]}, geometry=gpd.points_from_xy([100], [5]), crs="EPSG:4544")
    >>> place_table(network, home, ["origin_id"], where="origins")[["x", "y"]].values.tolist()
    [[100.0, 5.0]]
    """
    import geopandas as gpd

    if not isinstance(table, pd.DataFrame):
        name = type(table).__name__
        raise InputError(f"{where}: 须为 DataFrame,现为 {name}", f"{where}: must be a DataFrame; it is a {name}")
    drawn = isinstance(table, gpd.GeoDataFrame) and table.active_geometry_name is not None
    if drawn and not {"x", "y"} <= set(table.columns):
        check_columns(table, ids, where=where)
        table = _from_points(network, table, where)
    else:
        check_columns(table, [*ids, "x", "y"], where=where)
        if drawn and table.crs is not None and table.crs != network.crs:
            raise CrsError(
                f"{where}: 既有 x、y 又有坐标系为 {table.crs.to_string()} 的几何,路网为 {network.crs.to_string()};"
                "请删去 x、y 以使用几何, 或用 to_crs 转换",
                f"{where}: has x, y and a geometry in {table.crs.to_string()}, the network is in "
                f"{network.crs.to_string()}; drop x, y to use the geometry, or convert it with to_crs",
            )
    numbers = {}
    for column in ("x", "y"):
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        odd = int((~np.isfinite(values)).sum())
        if odd:
            raise SchemaError(
                f"{where}: 列 {column} 有 {odd} 行缺失或不是数值;请补全坐标或删去这些行",
                f"{where}: {odd} rows of column {column} are missing or not numbers; complete or drop them",
            )
        if table[column].dtype != np.float64:
            numbers[column] = values
    check_no_gaps(table, ids, where=where)
    if unique:
        check_unique(table[ids[0]], where=where)
    return table.assign(**numbers) if numbers else table


def check_no_gaps(table: pd.DataFrame, ids: Sequence[str], *, where: str) -> None:
    """Raise when an id is missing.

    Parameters
    ----------
    table : pandas.DataFrame
        Any table.
    ids : sequence of str
        Columns of it.
    where : str
        What the reader knows the table as.

    Raises
    ------
    SchemaError
        One or more are.
    """
    for column in ids:
        lost = int(table[column].isna().sum())
        if lost:
            raise SchemaError(
                f"{where}: 列 {column} 有 {lost} 行缺失;请补全",
                f"{where}: {lost} rows without {column}; complete them",
            )


def _from_points(network: Network, table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a table of points with their coordinates in the CRS of the network."""
    import shapely

    shapes = table.geometry.to_numpy()
    odd = int((shapely.get_type_id(shapes) != shapely.GeometryType.POINT).sum() + shapely.is_empty(shapes).sum())
    if odd:
        raise SchemaError(
            f"{where}: {odd} 行的几何缺失、为空或不是点;请给出点, 或 x、y 两列 [m]",
            f"{where}: {odd} rows have no geometry or one that is no point; give points, or columns x, y [m]",
        )
    if table.crs is None:
        raise CrsError(
            f"{where}: {len(table)} 个点没有坐标系;请先 set_crs",
            f"{where}: {len(table)} points without a CRS; use set_crs",
        )
    points = table.geometry if table.crs == network.crs else table.geometry.to_crs(network.crs)
    return pd.DataFrame(table).assign(x=points.x.to_numpy(), y=points.y.to_numpy())


def snap_table(
    network: Network, costs: EdgeCosts, table: pd.DataFrame, *, max_snap_m: float, where: str, warn: bool = True
) -> Snaps:
    """Bring the places of a checked table to the streets; warn where they all lie elsewhere.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost the traveller.
    table : pandas.DataFrame
        ``x, y`` [m, CRS of the network].
    max_snap_m : float
        Places farther from every street are off the network [m].
    where : str
        What the reader knows the table as.
    warn : bool
        Whether to warn; False where the caller raises.

    Returns
    -------
    Snaps
        One row per place.

    Raises
    ------
    InputError
        `max_snap_m` is not above 0.

    Warns
    -----
    BishanGisWarning
        All places are far from the extent of the network, as degrees taken for metres are.
    """
    snaps = snap_points(network, table["x"], table["y"], max_snap_m=max_snap_m, usable=costs.usable)
    if warn and len(snaps) and (snaps.edge == OFF_NETWORK).all() and not _near(network, table, max_snap_m).any():
        x, y = float(table["x"].iloc[0]), float(table["y"].iloc[0])
        warnings.warn(
            BishanGisWarning(
                f"{where}: {len(snaps)} 个点全部在路网范围之外 (首点 {x:g}, {y:g});请检查坐标系"
                f" (路网 {network.crs.to_string()}) 和单位",
                f"{where}: none of {len(snaps)} places is where the network is (first: {x:g}, {y:g}); check their CRS ("
                f"the network is in {network.crs.to_string()}) and unit",
            ),
            stacklevel=3,
        )
    return snaps


def _near(network: Network, table: pd.DataFrame, max_snap_m: float) -> NDArray[np.bool_]:
    """Return which places lie in the extent of the network, or not far from it."""
    out = np.ones(len(table), dtype=np.bool_)
    for at, column in ((network.vertex_x, "x"), (network.vertex_y, "y")):
        if len(at):
            values = table[column].to_numpy(dtype=np.float64)
            margin = max(max_snap_m, _FAR_M)
            out &= (values >= at.min() - margin) & (values <= at.max() + margin)
    return out


def number_ids(values: pd.Series, *, where: str) -> tuple[NDArray[np.int32], pd.Index]:
    """Return a number per id in the order of the ids themselves, and the ids; their type is kept.

    Numbers come before texts where both occur.

    Parameters
    ----------
    values : pandas.Series
        Ids, none missing.
    where : str
        What the reader knows the table as.

    Raises
    ------
    SchemaError
        Ids that have no order among them.

    Examples
    --------
    >>> code, ids = number_ids(pd.Series([10, 9, 10]), where="access_points")
    >>> code.tolist(), ids.tolist()
    ([1, 0, 1], [9, 10])
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    try:
        code, ids = pd.factorize(values, sort=True)
        in_order = True
    except TypeError:
        in_order = False
    kinds = sorted({type(v).__name__ for v in values}) if values.dtype == object else []
    if not in_order:
        raise SchemaError(
            f"{where}: 列 {values.name} 混用无法排序的类型 ({'、'.join(kinds)});请统一为文字或整数",
            f"{where}: column {values.name} mixes kinds that cannot be sorted ({', '.join(kinds)}); make all of them "
            "text or whole numbers",
        )
    return code.astype(np.int32), pd.Index(ids, name=values.name)


def whole_ms(cutoff_s: float) -> int:
    """Return the longest cost in ms that is at most a cutoff in s, and that a search can hold.

    Parameters
    ----------
    cutoff_s : float
        Cutoff, inclusive [s]; inf for none.

    Examples
    --------
    1.001 s times 1000 is a little less than 1001:

    >>> whole_ms(1.001), whole_ms(1.0004), whole_ms(float("inf"))
    (1001, 1000, 2147483646)
    """
    limit = int(np.floor(min(cutoff_s * 1000, NO_LIMIT)))
    return limit + int(limit < NO_LIMIT and (limit + 1) / 1000 <= cutoff_s)
