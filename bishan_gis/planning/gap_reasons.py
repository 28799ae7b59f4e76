"""Why the nearest facility is not within reach: too far, a way round, a slope, no way, or no data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError, SchemaError
from bishan_gis.planning.gap_cells import DEFICIENT, UNKNOWN, CellGaps, check_same_cells
from bishan_gis.planning.nearest_points import nearest_points
from bishan_gis.schema import check_columns

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = [
    "BARRIER_RATIO",
    "DETOUR_RATIO",
    "NO_REASON",
    "REASONS",
    "barriers_between",
    "crossed_lines",
    "detour_ratios",
    "gap_reasons",
    "goes_round",
    "straight_distances",
]

#: Why a service is not within reach, in the order of the codes. ``capacity``: it is, and has too few places.
REASONS = ("distance", "detour", "slope", "not_connected", "off_network", "data_edge", "capacity")
NO_REASON = 255
#: A way this many times as long as the straight line goes round: the longest that a right-angled grid of streets makes
#: of it is the square root of two [P].
DETOUR_RATIO = 1.4
#: With a known barrier across the line so much is enough: on the mean, walks in cities are some 1.2 times as long as
#: the line, and are as long without any barrier [P].
BARRIER_RATIO = 1.2


def straight_distances(gaps: CellGaps, cells: pd.DataFrame, access_points: pd.DataFrame) -> NDArray[np.float64]:
    """Measure how far each cell is from the nearest facility as the crow flies, where the service is not covered.

    Parameters
    ----------
    gaps : CellGaps
        From :func:`bishan_gis.planning.gap_cells.cell_gaps`.
    cells : pandas.DataFrame
        ``cell_id, x, y`` [m].
    access_points : pandas.DataFrame
        ``service, x, y`` [m, same CRS]: where facilities are entered.

    Returns
    -------
    ndarray, services x cells
        Distance [m]; NaN where the service is covered, infinite where it has no facility.

    Raises
    ------
    MissingColumnError
        A column is missing.
    SchemaError
        The cells are others than those of `gaps`.

    Examples
    --------
    >>> from bishan_gis.planning.gap_cells import cell_gaps
    >>> access = pd.DataFrame({"origin_id": ["A", "B"], "service": "school", "value": [300.0, 720.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B"], "x": [0.0, 400.0], "y": [0.0, 300.0]})
    >>> gaps = cell_gaps(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> straight_distances(gaps, cells, pd.DataFrame({"service": ["school"], "x": [0.0], "y": [0.0]})).tolist()
    [[nan, 500.0]]
    """
    check_same_cells(gaps, cells)
    check_columns(cells, ["x", "y"], where="cells")
    check_columns(access_points, ["service", "x", "y"], where="access_points")
    at = cells[["x", "y"]].to_numpy(np.float64)
    places = access_points[["x", "y"]].to_numpy(np.float64)
    rows_of = access_points.groupby("service", sort=False, observed=True).indices
    out = np.full(gaps.state.shape, np.nan)
    for i, service in enumerate(gaps.services):
        open_ = np.flatnonzero(gaps.state[i])
        if service in rows_of and len(open_):
            out[i, open_] = nearest_points(at[open_], places[rows_of[service]])[0]
        else:
            out[i, open_] = np.inf
    return out


def gap_reasons(
    gaps: CellGaps,
    straight_m: NDArray[np.float64],
    *,
    speed_ms: float,
    flat: CellGaps | None = None,
    crossed: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Say for every cell why a service is not covered.

    Parameters
    ----------
    gaps : CellGaps
        From :func:`bishan_gis.planning.gap_cells.cell_gaps`.
    straight_m : ndarray, services x cells
        From :func:`straight_distances` [m].
    speed_ms : float
        Speed of the traveller on the level [m/s].
    flat : CellGaps, optional
        The same services and cells where all streets are level. Left out: nothing is put down to slopes.
    crossed : ndarray of bool, services x cells, optional
        Where a known barrier lies across the straight line, from :func:`crossed_lines`. Left out: nowhere.

    Returns
    -------
    ndarray of uint8, services x cells
        Position in `REASONS`; `NO_REASON` where the service is covered.

    Raises
    ------
    InputError
        The speed is not above 0.
    SchemaError
        `straight_m` or `flat` has another shape, or other services or cells.

    Notes
    -----
    Of a deficient cell, the first that holds: ``not_connected``: no path; ``distance``: the straight distance is more
    than ``level * speed``, so that no street could be short enough; ``slope``: on level streets it would be covered;
    ``detour``: the streets go round, see :func:`goes_round`; else ``distance``: the streets are as direct as streets
    are, and a crossing would not help. An unknown cell: ``off_network`` or ``data_edge``.

    Examples
    --------
    B is 500 m from the school as the crow flies, and walks 12 minutes for what could take 7.5:

    >>> from bishan_gis.planning.gap_cells import cell_gaps
    >>> access = pd.DataFrame({"origin_id": ["A", "B"], "service": "school", "value": [300.0, 720.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B"]})
    >>> gaps = cell_gaps(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> codes = gap_reasons(gaps, np.array([[np.nan, 500.0]]), speed_ms=4 / 3.6)
    >>> REASONS[codes[0, 1]], bool(codes[0, 0] == NO_REASON)
    ('detour', True)
    """
    if not (np.isfinite(speed_ms) and speed_ms > 0):
        raise InputError(
            f"speed_ms 必须是大于 0 的有限数, 现为 {speed_ms}", f"speed_ms must be finite and above 0; it is {speed_ms}"
        )
    others = [straight_m.shape, flat.state.shape if flat is not None else straight_m.shape]
    same = flat is None or (flat.services == gaps.services and flat.cells.equals(gaps.cells))
    if others != [gaps.state.shape] * 2 or not same:
        raise SchemaError(
            f"gaps: 直线距离或平地时间的服务与单元 {others} 与缺口 {gaps.state.shape} 不一致",
            f"gaps: straight_m and flat must have the services and cells of gaps {gaps.state.shape}, not {others}",
        )
    code = {name: i for i, name in enumerate(REASONS)}
    out = np.full(gaps.state.shape, NO_REASON, dtype=np.uint8)
    lacking = gaps.state == DEFICIENT
    ratio = detour_ratios(gaps, straight_m, speed_ms=speed_ms, flat=flat)
    out[lacking] = code["distance"]
    out[lacking & goes_round(ratio, np.zeros_like(lacking) if crossed is None else crossed)] = code["detour"]
    if flat is not None:
        level = gaps.level_ms[:, None]
        out[lacking & (flat.value_ms >= 0) & (flat.value_ms <= level)] = code["slope"]
    reach_m = gaps.level_min * 60 * speed_ms
    out[lacking & (straight_m > reach_m[:, None])] = code["distance"]
    out[gaps.no_path] = code["not_connected"]
    unknown = gaps.state == UNKNOWN
    out[unknown] = code["data_edge"]
    out[unknown & gaps.off_network] = code["off_network"]
    return out


def goes_round(ratio: NDArray[np.float64], barrier: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say where a way goes round: by its length alone, or by less where a barrier is known.

    Parameters
    ----------
    ratio : ndarray
        Way over straight line; NaN: no path.
    barrier : ndarray of bool
        Where a known barrier lies across the line.

    Examples
    --------
    >>> goes_round(np.array([1.3, 1.3, 1.1, 1.5]), np.array([False, True, True, False])).tolist()
    [False, True, False, True]
    """
    out: NDArray[np.bool_] = (ratio >= DETOUR_RATIO) | (barrier & (ratio >= BARRIER_RATIO))
    return out


def detour_ratios(
    gaps: CellGaps, straight_m: NDArray[np.float64], *, speed_ms: float, flat: CellGaps | None = None
) -> NDArray[np.float64]:
    """Return how many times as long as the straight line the way on the level is.

    Parameters
    ----------
    gaps, straight_m, speed_ms, flat
        As for :func:`gap_reasons`.

    Returns
    -------
    ndarray, services x cells
        Way to the facility nearest by the streets over the distance of the one nearest as the crow flies; NaN where one
        of the two is not known.
    """
    walked = (gaps if flat is None else flat).value_ms
    known = (walked >= 0) & (straight_m > 0)
    out: NDArray[np.float64] = np.divide(
        walked / 1000 * speed_ms, straight_m, out=np.full(straight_m.shape, np.nan), where=known
    )
    return out


def crossed_lines(
    gaps: CellGaps,
    cells: pd.DataFrame,
    access_points: pd.DataFrame,
    barriers: gpd.GeoDataFrame | None,
    *,
    wanted: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Say where a known barrier lies between a cell and the facility nearest to it as the crow flies.

    Parameters
    ----------
    gaps : CellGaps
        From :func:`bishan_gis.planning.gap_cells.cell_gaps`.
    cells, access_points : pandas.DataFrame
        As for :func:`straight_distances`.
    barriers : geopandas.GeoDataFrame or None
        As for :func:`barriers_between`.
    wanted : ndarray of bool, services x cells
        Where to look.

    Returns
    -------
    ndarray of bool, services x cells
        False where nobody looked.
    """
    out = np.zeros(gaps.state.shape, dtype=np.bool_)
    if barriers is None or not len(barriers):
        return out
    at = cells[["x", "y"]].to_numpy(np.float64)
    for i, service in enumerate(gaps.services):
        here = np.flatnonzero(wanted[i])
        places = access_points.loc[access_points["service"] == service, ["x", "y"]].to_numpy(np.float64)
        if len(here) and len(places):
            nearest = places[nearest_points(at[here], places)[1]]
            out[i, here] = _first_across(at[here], nearest, barriers) < len(barriers)
    return out


def barriers_between(
    from_xy: NDArray[np.float64], to_xy: NDArray[np.float64], barriers: gpd.GeoDataFrame | None
) -> list[tuple[str, str]]:
    """Find what lies across the straight line between two places.

    Parameters
    ----------
    from_xy, to_xy : ndarray, shape (k, 2)
        Places [m, CRS of the barriers]; NaN: no place.
    barriers : geopandas.GeoDataFrame or None
        ``kind`` (``motorway, railway, river, water`` ...) and lines or areas; ``name`` where there is one. None:
        nothing is known of barriers.

    Returns
    -------
    list of (str, str)
        Kind and name ("" where it has none) of the first barrier across each line; ("", "") where there is none.

    Examples
    --------
    >>> import geopandas as gpd
    >>> river = gpd.GeoDataFrame({"kind": ["river"], "name": ["璧南河"]},
    ...     geometry=gpd.GeoSeries.from_wkt(["LINESTRING (50 -10, 50 10)"]), crs="EPSG:4544")
    >>> barriers_between(np.array([[0.0, 0.0], [60.0, 0.0]]), np.array([[100.0, 0.0], [100.0, 0.0]]), river)
    [('river', '璧南河'), ('', '')]
    """
    n = len(from_xy)
    if barriers is None or not len(barriers) or not n:
        return [("", "")] * n
    check_columns(barriers, ["kind"], where="barriers")
    first = _first_across(from_xy, to_xy, barriers)
    kinds = [*barriers["kind"].astype(str).tolist(), ""]
    names: Sequence[str] = [""] * (len(barriers) + 1)
    if "name" in barriers.columns:
        names = [*barriers["name"].fillna("").astype(str).tolist(), ""]
    return [(kinds[i], names[i]) for i in first.tolist()]


def _first_across(
    from_xy: NDArray[np.float64], to_xy: NDArray[np.float64], barriers: gpd.GeoDataFrame
) -> NDArray[np.int64]:
    """Return the first barrier across each straight line, by row; their number where there is none."""
    import shapely

    rows = np.flatnonzero(np.isfinite(from_xy).all(axis=1) & np.isfinite(to_xy).all(axis=1))
    lines = shapely.linestrings(np.stack([from_xy[rows], to_xy[rows]], axis=1))
    line, what = barriers.sindex.query(lines, predicate="intersects")
    first = np.full(len(from_xy), len(barriers), dtype=np.int64)
    np.minimum.at(first, rows[line], what)
    return first
