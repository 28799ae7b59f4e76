"""What the page of trials carries: streets, people and facilities, exactly as a search sees them.

Nothing here is rounded that decides a result: costs are the integers of the engine, positions along edges keep all 64
bits, and streets keep the coordinates they have in OSM, from which the browser computes the same metres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.crs import to_lonlat, to_working
from bishan_gis.errors import CrsError
from bishan_gis.network.snap import Snaps, enterable, find_islands
from bishan_gis.network.star import leg_costs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from pyproj import CRS

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.output.maps.pack import Column

__all__ = ["fit_projection", "project", "projection_of", "snap_columns", "street_columns", "transverse_mercator"]

#: Positions the browser computes from degrees may differ by this much from those of the engine [m].
_SAME_M = 1e-6
#: Pins may be off by this much where the projection is a fitted polynomial [m].
_NEAR_M = 0.01
_DEGREE = 7
#: Ground around the streets on which a pin may be put [degrees].
_MARGIN = 0.06
_OSM_UNITS = 1e7


def transverse_mercator(crs: CRS) -> dict[str, Any] | None:
    """Return a transverse Mercator projection as numbers, None where the CRS is of another kind.

    Parameters
    ----------
    crs : pyproj.CRS
        Working CRS [m].

    Returns
    -------
    dict or None
        ``kind`` ("tm"), ``e`` (eccentricity), ``lon0`` [degrees], ``scale`` (scale factor times rectifying radius) [m],
        ``alpha`` (six coefficients), ``east, north`` (what is added) [m].

    Notes
    -----
    Krueger's series in the third flattening n up to n^6, below 1 nm within 3 degrees of the central meridian
    (Karney 2011, doi:10.1007/s00190-011-0445-3, eq. 35).
    """
    operation = crs.coordinate_operation
    if operation is None or operation.method_name != "Transverse Mercator" or crs.ellipsoid is None:
        return None
    given = {p.name: float(p.value) for p in operation.params}
    f = 1 / crs.ellipsoid.inverse_flattening if crs.ellipsoid.inverse_flattening else 0.0
    n = f / (2 - f)
    radius = crs.ellipsoid.semi_major_metre / (1 + n) * (1 + n**2 / 4 + n**4 / 64 + n**6 / 256)
    alpha = [
        n / 2 - 2 / 3 * n**2 + 5 / 16 * n**3 + 41 / 180 * n**4 - 127 / 288 * n**5 + 7891 / 37800 * n**6,
        13 / 48 * n**2 - 3 / 5 * n**3 + 557 / 1440 * n**4 + 281 / 630 * n**5 - 1983433 / 1935360 * n**6,
        61 / 240 * n**3 - 103 / 140 * n**4 + 15061 / 26880 * n**5 + 167603 / 181440 * n**6,
        49561 / 161280 * n**4 - 179 / 168 * n**5 + 6601661 / 7257600 * n**6,
        34729 / 80640 * n**5 - 3418889 / 1995840 * n**6,
        212378941 / 319334400 * n**6,
    ]
    out: dict[str, Any] = {
        "kind": "tm",
        "e": float(np.sqrt(f * (2 - f))),
        "lon0": given["Longitude of natural origin"],
        "scale": given["Scale factor at natural origin"] * radius,
        "alpha": alpha,
        "east": given["False easting"],
        "north": 0.0,
    }
    _, at_origin = project(out, out["lon0"], given["Latitude of natural origin"])
    return out | {"north": given["False northing"] - float(at_origin)}


def project(p: dict[str, Any], lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project degrees as ``assets/engine.js`` does.

    Parameters
    ----------
    p : dict
        From :func:`transverse_mercator` or :func:`fit_projection`.
    lon, lat : array_like of float
        Degrees.

    Examples
    --------
    >>> from pyproj import CRS
    >>> x, y = project(transverse_mercator(CRS.from_epsg(4544)), 106.2, 29.6)
    >>> round(float(x), 3), round(float(y), 3)
    (616249.433, 3276375.127)
    """
    if p["kind"] == "poly":
        u = (np.asarray(lon, dtype=float) - p["lon0"]) / p["unit"]
        v = (np.asarray(lat, dtype=float) - p["lat0"]) / p["unit"]
        terms = np.array([u**i * v**j for i, j in _powers(p["degree"])])
        return np.tensordot(p["x"], terms, 1), np.tensordot(p["y"], terms, 1)
    lam = np.radians(np.asarray(lon, dtype=float) - p["lon0"])
    tau = np.tan(np.radians(np.asarray(lat, dtype=float)))
    root = np.sqrt(1 + tau * tau)
    sigma = np.sinh(p["e"] * np.arctanh(p["e"] * tau / root))
    conformal = tau * np.sqrt(1 + sigma * sigma) - sigma * root
    cos = np.cos(lam)
    xi = np.arctan2(conformal, cos)
    eta = np.arcsinh(np.sin(lam) / np.sqrt(conformal * conformal + cos * cos))
    north, east = xi.copy(), eta.copy()
    for j, a in enumerate(p["alpha"], start=1):
        north = north + a * np.sin(2 * j * xi) * np.cosh(2 * j * eta)
        east = east + a * np.cos(2 * j * xi) * np.sinh(2 * j * eta)
    return p["scale"] * east + p["east"], p["scale"] * north + p["north"]


def _powers(degree: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]


def fit_projection(crs: CRS, bounds: tuple[float, float, float, float]) -> dict[str, Any]:
    """Fit a polynomial to a projection that is not transverse Mercator.

    Parameters
    ----------
    crs : pyproj.CRS
        Working CRS [m].
    bounds : tuple of float
        West, south, east, north of the ground that counts [degrees].

    Returns
    -------
    dict
        ``kind`` ("poly"), ``lon0, lat0, unit`` [degrees], ``degree``, and the coefficients of ``x`` and ``y`` [m].

    Raises
    ------
    CrsError
        It cannot be fitted to 1 cm.
    """
    west, south, east, north = bounds
    p: dict[str, Any] = {"kind": "poly", "lon0": (west + east) / 2, "lat0": (south + north) / 2, "degree": _DEGREE}
    p["unit"] = max(east - west, north - south) / 2 or 1.0

    def ground(n: int) -> tuple[NDArray[np.float64], ...]:
        lon, lat = (a.ravel() for a in np.meshgrid(np.linspace(west, east, n), np.linspace(south, north, n)))
        return lon, lat, *to_working(lon, lat, crs)

    lon, lat, x, y = ground(24)
    u, v = (lon - p["lon0"]) / p["unit"], (lat - p["lat0"]) / p["unit"]
    terms = np.column_stack([u**i * v**j for i, j in _powers(_DEGREE)])
    for name, values in (("x", x), ("y", y)):
        p[name] = np.linalg.lstsq(terms, values, rcond=None)[0].tolist()
    lon, lat, x, y = ground(67)
    mine = project(p, lon, lat)
    if not _off(mine, (x, y)) <= _NEAR_M:
        raise CrsError(
            f"{crs.to_string()}: 浏览器无法以 1 厘米精度计算该投影",
            f"{crs.to_string()}: this projection cannot be computed in a browser to 1 cm",
        )
    return p


def street_columns(network: Network, costs: EdgeCosts) -> dict[str, Column]:
    """Return streets and costs as columns.

    Parameters
    ----------
    network, costs : Network, EdgeCosts
        Streets and what they cost; without forbidden turns.

    Returns
    -------
    dict
        ``meta`` (projection, unit, base of the coordinates); ``na, nb`` (and ``nr, ns``) nodes, ``k, ia, ib`` (and
        ``ir, is``) vertices between the ends of each edge as differences; ``u, v, f, b`` nodes and costs [ms] of
        edges; ``e`` 1 where an edge can be entered + 2 on islands; ``w`` waits [ms]; ``q`` nodes where the data ends.

    Raises
    ------
    CrsError
        The projection cannot be computed in a browser.
    """
    order = _near_each_other(network.node_x, network.node_y)
    rank = np.empty(network.n_nodes, dtype=np.int64)
    rank[order] = np.arange(network.n_nodes)
    inner = np.ones(len(network.vertex_x), dtype=bool)
    inner[network.vertex_start[:-1]] = inner[network.vertex_start[1:] - 1] = False
    of = np.repeat(np.arange(network.n_edges), np.diff(network.vertex_start))[inner]
    meta, nodes, vertices = _coordinates(network, order, inner)
    first = np.ones(len(of), dtype=bool)
    first[1:] = of[1:] != of[:-1]
    columns: dict[str, Column] = {"meta": ("js", meta)}
    for name, values in zip(("na", "nb", "nr", "ns"), nodes, strict=False):
        columns[name] = ("dv" if name in ("na", "nb") else "vi", values)
    columns["k"] = ("vi", np.bincount(of, minlength=network.n_edges))
    u, v = rank[network.edge_u], rank[network.edge_v]
    for name, values, node in zip(("ia", "ib"), vertices[:2], nodes[:2], strict=True):
        before = np.concatenate([[0], values[:-1]])
        columns[name] = ("vi", values - np.where(first, node[u[of]], before))
    for name, values in zip(("ir", "is"), vertices[2:], strict=False):
        columns[name] = ("vi", values)
    flags = enterable(network, costs.usable) + 2 * find_islands(network, network.island_m, usable=costs.usable)
    wait = np.zeros(0, dtype=np.int64) if costs.delay_ms is None else costs.delay_ms[order]
    return columns | {
        "u": ("dv", u),
        "v": ("vi", v - u),
        "f": ("vi", costs.forward_ms),
        "b": ("vi", costs.backward_ms - costs.forward_ms),
        "e": ("u8", flags),
        "w": ("vi", wait),
        "q": ("dv", np.sort(rank[np.flatnonzero(network.node_frontier)])),
    }


def projection_of(network: Network) -> dict[str, Any]:
    """Return the projection of the streets as the browser computes it: the series, or else a polynomial.

    Parameters
    ----------
    network : Network
        Streets.

    Raises
    ------
    CrsError
        The browser cannot compute it to 1 cm.
    """
    lon, lat = to_lonlat(network.node_x, network.node_y, network.crs)
    tm = transverse_mercator(network.crs)
    if tm is not None and _off(project(tm, lon, lat), (network.node_x, network.node_y)) <= _SAME_M:
        return tm
    ground = (lon.min() - _MARGIN, lat.min() - _MARGIN, lon.max() + _MARGIN, lat.max() + _MARGIN)
    return fit_projection(network.crs, ground)


def _off(one: Any, other: Any) -> float:
    """Return the largest distance between two sets of points [m]; inf where it is not known."""
    gap = np.hypot(one[0] - other[0], one[1] - other[1])
    return float(gap.max(initial=0.0)) if np.isfinite(gap).all() else np.inf


def _coordinates(
    network: Network, order: NDArray[np.int64], inner: NDArray[np.bool_]
) -> tuple[dict[str, Any], list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Return how coordinates are stored, those of the nodes in `order`, and those of the vertices between."""
    x, y = np.r_[network.node_x[order], network.vertex_x[inner]], np.r_[network.node_y[order], network.vertex_y[inner]]
    n, p = network.n_nodes, projection_of(network)
    degrees = [np.rint(v * _OSM_UNITS).astype(np.int64) for v in to_lonlat(x, y, network.crs)]
    if p["kind"] == "tm" and _off(project(p, *(d / _OSM_UNITS for d in degrees)), (x, y)) <= _SAME_M:
        base = [int(d.min()) for d in degrees]
        parts = [d - b for d, b in zip(degrees, base, strict=True)]
        return {"unit": "degrees", "base": base, "projection": p}, [v[:n] for v in parts], [v[n:] for v in parts]
    # Own roads: whole millimetres, and the nanometres beside them.
    fine = [np.rint(v * 1e9).astype(np.int64) for v in (x, y)]
    base = [int(v.min()) // 1_000_000 for v in fine]
    parts = [v // 1_000_000 - b for v, b in zip(fine, base, strict=True)] + [v % 1_000_000 for v in fine]
    middle = [float(d.mean()) / _OSM_UNITS for d in degrees]
    meta = {"unit": "metres", "base": base, "middle": middle, "projection": p}
    return meta, [v[:n] for v in parts], [v[n:] for v in parts]


def _near_each_other(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order nodes along a curve (Morton), so that differences are small."""
    key = np.zeros(len(x), dtype=np.int64)
    for bit in range(16):
        for shift, values in ((0, x), (1, y)):
            step = ((values - values.min()) / 20).astype(np.int64)
            key |= ((step >> bit) & 1) << (2 * bit + shift)
    return np.argsort(key, kind="stable")


def snap_columns(prefix: str, costs: EdgeCosts, snaps: Snaps) -> dict[str, Column]:
    """Return where places meet the streets: edge (-1 off the network), position along it, cost of the leg [ms].

    Parameters
    ----------
    prefix : str
        Put before the names ``e, f, l``.
    costs : EdgeCosts
        For the speed off the network.
    snaps : Snaps
        Places; positions are stored as the 8 bytes they are.
    """
    fraction = np.ascontiguousarray(snaps.fraction, dtype="<f8")
    return {
        f"{prefix}e": ("dv", snaps.edge.astype(np.int64)),
        f"{prefix}f": ("u8", fraction.view(np.uint8)),
        f"{prefix}l": ("vi", leg_costs(costs, snaps)),
    }
