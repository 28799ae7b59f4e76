"""Where one could build: candidate sites from land, streets or a layer, and why some may not be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.crs import check_metric
from bishan_gis.errors import InputError
from bishan_gis.schema import check_columns, check_unique

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.network.graph import Network

__all__ = ["LINES", "REASONS", "candidate_sites", "street_slope", "surface_slope"]

#: Why a candidate is excluded, in the order in which it is asked.
REASONS = ("outside", "control_line", "area", "forbidden", "hazard", "slope", "off_network")
#: Control lines within which nothing is built.
LINES = ("永久基本农田", "生态保护红线")

Slope = Callable[["NDArray[np.float64]", "NDArray[np.float64]"], "NDArray[np.float64]"]


def candidate_sites(
    *,
    landuse: gpd.GeoDataFrame | None = None,
    codes: Sequence[str] = ("16", "08"),
    network: Network | None = None,
    spacing_m: float | None = None,
    layer: gpd.GeoDataFrame | None = None,
    fixed: gpd.GeoDataFrame | None = None,
    zones: gpd.GeoDataFrame | None = None,
    control_lines: gpd.GeoDataFrame | None = None,
    lines: Sequence[str] = LINES,
    min_area_m2: float = 0.0,
    forbidden: gpd.GeoDataFrame | None = None,
    hazards: gpd.GeoDataFrame | None = None,
    hazard_m: float = 0.0,
    slope: Slope | None = None,
    max_slope: float | None = None,
    max_snap_m: float | None = None,
    cost: float = 1.0,
) -> gpd.GeoDataFrame:
    """List the places where one could build, and say of each that may not be used why.

    Parameters
    ----------
    landuse : geopandas.GeoDataFrame, optional
        ``code`` and polygons [m]; those whose code begins with one of `codes` are candidates.
    codes : sequence of str
        Land-use code prefixes: 16 is reserved land, 08 land of public services, 14 open space (for shelters).
    network : Network, optional
        Streets; with `spacing_m` their nodes are candidates, with `max_snap_m` candidates must lie near them.
    spacing_m : float, optional
        One node of the streets in every square of this size, the one nearest to its middle [m].
    layer : geopandas.GeoDataFrame, optional
        Own candidates: points or polygons [m]; optional ``candidate_id, cost``.
    fixed : geopandas.GeoDataFrame, optional
        Sites that are built in any case; optional ``candidate_id, cost``; no rule excludes them.
    zones : geopandas.GeoDataFrame, optional
        From ``build_zones``: every candidate gets its district, direction and township, its village and grid where
        there are any; those outside are excluded.
    control_lines : geopandas.GeoDataFrame, optional
        ``line_type`` and polygons [m].
    lines : sequence of str
        Types of control line within which nothing is built: a polygon loses what lies within, and is excluded where
        nothing remains.
    min_area_m2 : float
        Smallest area of a polygon, after control lines [m2]; points have none and are not asked.
    forbidden, hazards : geopandas.GeoDataFrame, optional
        Places where nothing is built; places to stay more than `hazard_m` away from.
    hazard_m : float
        Distance from hazards [m].
    slope : callable, optional
        Steepness (rise over run) of ``x, y`` [m], NaN where unknown: :func:`street_slope` or :func:`surface_slope`.
    max_slope : float, optional
        Largest steepness; where it is unknown nobody is excluded.
    max_snap_m : float, optional
        Farthest from a street [m].
    cost : float
        Price of a candidate that has no own ``cost``.

    Returns
    -------
    geopandas.GeoDataFrame
        ``candidate_id, x, y`` [m]``, source`` (landuse, streets, layer, fixed)``, code, area_m2`` (NaN: a point)``,
        cost, fixed, district, direction, township`` (``village, grid``)``, slope, reason_excluded`` ("": it may be
        used; else the first of :data:`REASONS`), and the point. ``attrs["considered"]`` counts all,
        ``attrs["rejected"]`` those excluded by reason.

    Raises
    ------
    InputError
        There is no source of candidates, a spacing is not above 0, or `max_slope` has no `slope`.
    CrsError
        A layer is not in metres.
    MissingColumnError, SchemaError
        A column is missing or an id repeats.

    Notes
    -----
    A polygon is entered at a point within it (of what control lines leave); a long one may deserve several: split it.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> land = gpd.GeoDataFrame({"code": ["16", "0701", "0804"]}, geometry=[box(0, 0, 20, 20), box(20, 0, 40, 20),
    ...     box(40, 0, 50, 10)], crs="EPSG:4544")
    >>> sites = candidate_sites(landuse=land, min_area_m2=200)
    >>> sites[["candidate_id", "area_m2", "reason_excluded"]].values.tolist()
    [['landuse/0', 400.0, ''], ['landuse/2', 100.0, 'area']]
    """
    import geopandas as gpd

    if landuse is None and layer is None and fixed is None and (network is None or spacing_m is None):
        zh = "没有候选地来源;请给出 landuse, layer, 或 network 与 spacing_m"
        raise InputError(zh, "candidates have no source; give landuse, layer, or network with spacing_m")
    if max_slope is not None and slope is None:
        raise InputError("给出 max_slope 时也须给出 slope", "max_slope needs slope")  # noqa: EM101
    if spacing_m is not None and not (np.isfinite(spacing_m) and spacing_m > 0):
        raise InputError(f"spacing_m = {spacing_m}: 须大于 0", f"spacing_m = {spacing_m}: must be above 0")
    parts = []
    if landuse is not None:
        check_columns(landuse, ["code"], where="landuse")
        wanted = landuse["code"].astype(str).str.startswith(tuple(codes)).to_numpy()
        some = landuse.loc[wanted, ["code", "geometry"]]
        parts.append(some.assign(candidate_id=[f"landuse/{i}" for i in np.flatnonzero(wanted)], source="landuse"))
    if network is not None and spacing_m is not None:
        parts.append(_nodes(network, spacing_m))
    for name, given in (("layer", layer), ("fixed", fixed)):
        if given is not None:
            own = given[[c for c in ("candidate_id", "cost", "code", "geometry") if c in given.columns]].copy()
            if "candidate_id" not in own.columns:
                own["candidate_id"] = [f"{name}/{i}" for i in range(len(own))]
            parts.append(own.assign(source=name))
    for part in parts:
        check_metric(part, where=str(part["source"].iloc[0]) if len(part) else "candidates")
    crs = parts[0].crs
    shape = np.concatenate([p.geometry.to_crs(crs).to_numpy() for p in parts])
    table = pd.concat([pd.DataFrame(p.drop(columns=p.geometry.name)) for p in parts], ignore_index=True)
    check_unique(table["candidate_id"], where="candidates.candidate_id")
    for column, default in (("cost", np.nan), ("code", "")):
        if column not in table.columns:
            table[column] = default
    table["cost"] = table["cost"].astype(float).fillna(cost)
    table["code"] = table["code"].fillna("").astype(str)
    table["fixed"] = table["source"] == "fixed"
    rules = _Rules(shape, crs)
    rules.cut(control_lines, lines)
    rules.finish()
    x, y = rules.x, rules.y
    frame = gpd.GeoDataFrame(table.assign(x=x, y=y, area_m2=rules.area_m2), geometry=rules.point, crs=crs)
    frame["slope"] = slope(x, y) if slope is not None else np.nan
    units = _assign_zones(frame, zones)
    bad = {
        "outside": (frame["township"] == "").to_numpy() if zones is not None else np.zeros(len(frame), bool),
        "control_line": rules.gone,
        "area": rules.area_m2 < min_area_m2,
        "forbidden": rules.near(forbidden, 0.0, where="forbidden"),
        "hazard": rules.near(hazards, hazard_m, where="hazards"),
        "slope": (frame["slope"] > (np.inf if max_slope is None else max_slope)).to_numpy(),
        "off_network": _off(network, x, y, max_snap_m),
    }
    reason = np.select([bad[r] for r in REASONS], list(REASONS), default="").astype(object)
    frame["reason_excluded"] = np.where(frame["fixed"], "", reason)
    columns = ["candidate_id", "x", "y", "source", "code", "area_m2", "cost", "fixed", "district", "direction"]
    out: gpd.GeoDataFrame = frame[[*columns, "township", *units, "slope", "reason_excluded", "geometry"]]
    count = out["reason_excluded"].value_counts()
    out.attrs["considered"] = len(out)
    out.attrs["rejected"] = {r: int(count[r]) for r in REASONS if r in count.index}
    return out


class _Rules:
    """The shapes of candidates, and what rules say of them."""

    def __init__(self, shape: NDArray[np.object_], crs: Any) -> None:
        import shapely

        self.shape, self.crs = shape.copy(), crs
        self.flat = shapely.get_dimensions(shape) == 2
        self.gone = np.zeros(len(shape), dtype=bool)

    def cut(self, control_lines: gpd.GeoDataFrame | None, lines: Sequence[str]) -> None:
        """Take from each candidate what lies within a control line; points within are gone."""
        import shapely

        if control_lines is None:
            return
        check_columns(control_lines, ["line_type"], where="control_lines")
        check_metric(control_lines, where="control_lines")
        closed = control_lines.loc[control_lines["line_type"].isin(list(lines))].geometry.to_crs(self.crs).to_numpy()
        if len(closed) == 0:
            return
        hit, line = shapely.STRtree(closed).query(self.shape, predicate="intersects")
        self.gone[hit[~self.flat[hit]]] = True
        for i in np.unique(hit[self.flat[hit]]):
            left = shapely.difference(self.shape[i], shapely.union_all(closed[line[hit == i]]))
            if shapely.area(left) >= 1.0:
                self.shape[i] = left
            else:
                self.gone[i] = True

    def finish(self) -> None:
        """Place each candidate."""
        import shapely

        self.area_m2 = np.where(self.flat, shapely.area(self.shape), np.nan)
        self.point: Any = shapely.point_on_surface(self.shape)
        self.x: NDArray[np.float64] = shapely.get_x(self.point)
        self.y: NDArray[np.float64] = shapely.get_y(self.point)

    def near(self, layer: gpd.GeoDataFrame | None, distance_m: float, *, where: str) -> NDArray[np.bool_]:
        """Say which candidates touch a layer or lie within a distance of it."""
        import shapely

        out = np.zeros(len(self.shape), dtype=bool)
        if layer is None or len(layer) == 0:
            return out
        check_metric(layer, where=where)
        tree = shapely.STRtree(layer.geometry.to_crs(self.crs).to_numpy())
        hit, _ = tree.query(self.shape, predicate="dwithin", distance=distance_m)
        out[hit] = True
        return out


def _nodes(network: Network, spacing_m: float) -> gpd.GeoDataFrame:
    """Return one node per square of the spacing."""
    import geopandas as gpd

    x, y = network.node_x, network.node_y
    column, row = np.floor(x / spacing_m).astype(np.int64), np.floor(y / spacing_m).astype(np.int64)
    off = np.hypot(x - (column + 0.5) * spacing_m, y - (row + 0.5) * spacing_m)
    order = np.lexsort((network.node_osmid, off, row, column))
    first = np.r_[True, (np.diff(column[order]) != 0) | (np.diff(row[order]) != 0)] if len(order) else order > 0
    at = np.sort(order[first])
    points = gpd.points_from_xy(x[at], y[at])
    ids = [f"node/{i}" for i in network.node_osmid[at]]
    return gpd.GeoDataFrame({"candidate_id": ids, "source": "streets"}, geometry=points, crs=network.crs)


def _assign_zones(frame: gpd.GeoDataFrame, zones: gpd.GeoDataFrame | None) -> list[str]:
    """Say in which zones each candidate lies; return the kinds of units that there are."""
    from bishan_gis.places.units import unit_kinds, unit_of
    from bishan_gis.places.zones import zone_of

    for kind in ("district", "direction", "township"):
        frame[kind] = zone_of(frame, zones, kind) if zones is not None else ""
    if zones is None:
        return []
    within, units = frame.assign(zone_id=frame["township"]), unit_kinds(zones)
    for kind in units:
        frame[kind] = unit_of(within, zones, kind)
    return units


def _off(
    network: Network | None, x: NDArray[np.float64], y: NDArray[np.float64], max_snap_m: float | None
) -> NDArray[np.bool_]:
    from bishan_gis.network.snap import OFF_NETWORK, snap_points

    if network is None or max_snap_m is None:
        return np.zeros(len(x), dtype=bool)
    out: NDArray[np.bool_] = snap_points(network, x, y, max_snap_m=max_snap_m).edge == OFF_NETWORK
    return out


def street_slope(network: Network, *, max_snap_m: float = 300.0) -> Slope:
    """Return a function that gives the steepness of the street nearest to a place.

    Parameters
    ----------
    network : Network
        Streets with heights.
    max_snap_m : float
        Farther from every street it is unknown [m].

    Examples
    --------
    >>> steep = street_slope(network)  # doctest: +SKIP
    """

    def slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        from bishan_gis.network.slope import edge_slope
        from bishan_gis.network.snap import snap_points

        slopes = edge_slope(network)
        steep = np.append(np.where(slopes.unknown, np.nan, np.maximum(slopes.climb, slopes.descent)), np.nan)
        out: NDArray[np.float64] = steep[snap_points(network, x, y, max_snap_m=max_snap_m).edge]
        return out

    return slope


def surface_slope(height: Slope, *, step_m: float = 30.0) -> Slope:
    """Return a function that gives the steepness of the ground, from heights around a place.

    Parameters
    ----------
    height : callable
        Height of ``x, y`` [m], NaN where unknown; smooth over `step_m`, as a raster of about that cell size is.
    step_m : float
        Heights are taken this far to the east, west, north and south [m].

    Notes
    -----
    ``sqrt((dz/dx)^2 + (dz/dy)^2)`` by central differences.

    Examples
    --------
    >>> steep = surface_slope(lambda x, y: 0.03 * x + 0.04 * y)
    >>> steep(np.array([500.0]), np.array([500.0])).round(6).tolist()
    [0.05]
    """

    def slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        east = (height(x + step_m, y) - height(x - step_m, y)) / (2 * step_m)
        north = (height(x, y + step_m) - height(x, y - step_m)) / (2 * step_m)
        out: NDArray[np.float64] = np.hypot(east, north)
        return out

    return slope
