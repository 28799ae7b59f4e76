"""Layers made from the results: basemap, zones, cells with their times, circles, facilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from bishan_gis.output.maps.elements import (
    PackedCells,
    PackedData,
    PackedLayer,
    PackedLines,
    PackedNames,
    PackedPoints,
    PackedPolygons,
)
from bishan_gis.output.maps.pack import Column
from bishan_gis.output.maps.shapes import point_columns
from bishan_gis.output.maps.villages import village_columns, village_names
from bishan_gis.output.tokens import BASEMAP, FONT, INK, REACH, ROAD_CLASSES, ROADS
from bishan_gis.schema import KINDS, STATUS

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context

__all__ = [
    "basemap_layers",
    "cell_layer",
    "circle_layer",
    "facility_layer",
    "ordered_cells",
    "place_layer",
    "zone_layers",
]

_CIRCLES_BUDGET = 1_300_000


def basemap_layers(context: Context) -> dict[str, PackedLayer]:
    """Return green, water and streets."""
    results = context.results
    out: dict[str, PackedLayer] = {}
    for name, z in (("green", 2), ("water", 4)):
        frame = getattr(results, name, None)
        shapes = [] if frame is None else frame.geometry.to_numpy()
        out[name] = PackedPolygons(shapes, context.crs, classes=[{"fill": BASEMAP[name]}], simplify_m=3, z=z, step=2.0)
    network = results.network
    lines = network.lines if network is not None and network.n_edges else []
    highway = network.edge_highway if network is not None and network.n_edges else []
    of_class = [ROAD_CLASSES.get(str(h), len(ROADS) - 1) for h in highway]
    out["streets"] = PackedLines(lines, context.crs, classes=ROADS, of_class=of_class, simplify_m=1.5, z=6)
    return out


def _boundary(shapes: Any) -> Any:
    rings = shapely.union_all(shapely.boundary(np.asarray(shapes, dtype=object)))
    return shapely.line_merge(rings) if rings.geom_type == "MultiLineString" else rings


def _beside(shape: Any, middle: NDArray[np.float64], whole: Any) -> tuple[NDArray[np.float64], int]:
    """Return where the name of a direction stands: at the edge of the district, so that it hides no data."""
    west, _, east, _ = shapely.total_bounds(np.append(whole, shape))
    across = shapely.linestrings([[west - 1, middle[1]], [east + 1, middle[1]]])
    x = shapely.get_coordinates(shapely.intersection(across, shapely.union_all(whole)))[:, 0]
    own = shapely.get_coordinates(shapely.intersection(across, shape))[:, 0]
    if not len(x) or not len(own):
        return middle, 0
    gap_west, gap_east = own.min() - x.min(), x.max() - own.max()
    if abs(gap_west - gap_east) < 100:
        gap_west, gap_east = middle[0] - x.min(), x.max() - middle[0]
    side = -1 if gap_west < gap_east else 1
    return np.array([x.min() if side < 0 else x.max(), middle[1]]), side


def zone_layers(context: Context) -> dict[str, PackedLayer]:
    """Return the pale outside, boundaries, names, and the zones themselves (for pointing at)."""
    rows, crs = context.zone_rows, context.crs
    rank = {"district": 0, "direction": 1, "township": 2}
    kind = rows["zone_kind"].map(rank).to_numpy()
    lines = [_boundary(rows.geometry[kind == k].to_numpy()) for k in range(3) if (kind == k).any()]
    classes = [
        {"color": BASEMAP["district"], "widths": [1.6, 2.4, 3], "dash": [12, 3, 2, 3]},
        {"color": "#6b6b68", "widths": [1.1, 1.6, 2], "dash": [9, 3, 2, 3]},
        {"color": BASEMAP["township"], "widths": [0.7, 1, 1.4], "dash": [6, 3, 1.5, 3]},
    ]
    present = [k for k in range(3) if (kind == k).any()]
    whole = rows.geometry[kind == 0].to_numpy()
    order = [*np.flatnonzero(kind == 1), *np.flatnonzero(kind == 2)]
    points, names = [], []
    for i in order:
        shape = rows.geometry.iloc[i]
        if shape is None or shape.is_empty:
            continue
        middle = shapely.get_coordinates(shapely.maximum_inscribed_circle(shape, tolerance=100))[0]
        name = str(rows["name"].iloc[i])
        if kind[i] == 1:
            middle, side = _beside(shape, middle, whole)
            color = context.direction_colors[name]
            names.append({"text": name, "zoom": 0, "size": 14, "bold": True, "color": color, "side": side})
        else:
            names.append({"text": name, "zoom": 0, "size": 12})
        points.append(middle)
    for name, middle in village_names(context):
        names.append({"text": name, "zoom": 12.5, "size": 11, "ink": INK["muted"]})
        points.append(middle)
    xy = np.asarray(points, dtype=float).reshape(-1, 2)
    return {
        "outside": PackedPolygons(whole, crs, classes=[{"fill": "rgba(255,255,255,.72)", "mask": True}], z=8),
        "boundaries": PackedLines(lines, crs, classes=classes, of_class=present, simplify_m=2, z=36),
        "names": PackedNames(xy[:, 0], xy[:, 1], crs, extra={"names": ("js", names)}, font=FONT, z=50),
        "zones": PackedPolygons(
            rows.geometry.to_numpy(),
            crs,
            classes=[{"stroke": "#1a1a1a", "width": 3}],
            extra={"kind": ("u8", kind)},
            simplify_m=2,
            z=38,
        ),
    }


def _morton(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order in which neighbours stay near each other, so that differences are small."""
    key = np.zeros(len(x), dtype=np.int64)
    a = ((x - x.min()) / 50).astype(np.int64) if len(x) else key
    b = ((y - y.min()) / 50).astype(np.int64) if len(y) else key
    for bit in range(20):
        key |= ((a >> bit) & 1) << (2 * bit)
        key |= ((b >> bit) & 1) << (2 * bit + 1)
    return np.argsort(key, kind="stable")


def _seconds(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round up, so that comparing with whole seconds gives what the exact value gives; -1 for none."""
    known = np.isfinite(values)
    return np.where(known, np.ceil(np.where(known, values, 0)), -1).astype(np.int64)


def ordered_cells(cells: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return cells in the order that every page has them in."""
    return cells.iloc[_morton(cells["x"].to_numpy(float), cells["y"].to_numpy(float))]


def cell_layer(context: Context) -> PackedCells:
    """Return the cells with people, zone, and for each service time, status and which facility."""
    results = context.results
    cells = ordered_cells(results.cells)
    services = list(context.services.index)
    access = results.access
    access = access[(access["measure"] == "nearest") & access["service"].isin(services)]
    row = pd.Index(cells["cell_id"]).get_indexer(access["origin_id"])
    col = context.services.index.get_indexer(access["service"])
    use = row >= 0
    shape = (len(services), len(cells))
    status = pd.Index(STATUS).get_indexer(access["status"])

    def wide(values: NDArray[Any], empty: float) -> NDArray[np.int64]:
        out = np.full(shape, empty)
        out[col[use], row[use]] = values[use]
        return out.astype(np.int64)

    leaves = _seconds(access["unknown_from_s"].to_numpy(float))
    leaves[status == STATUS.index("off_network")] = 0
    near = pd.Index(context.facilities["facility_id"]).get_indexer(access["facility_id"])
    near[access["facility_id"].isna().to_numpy()] = -1
    extra: dict[str, Column] = {
        "zone": ("dv", context.zone_of("township", cells["zone_id"])),
        "dir": ("dv", context.zone_of("direction", cells["direction"])),
        "all": ("vi", cells["people"].to_numpy(np.int64)),
        "p": ("vi", cells[context.parts].to_numpy(np.int64).T if context.parts else []),
        "t": ("dv", wide(_seconds(access["value"].to_numpy(float)), -1)),
        "u": ("dv", wide(leaves, -1)),
        "st": ("u8", wide(status, STATUS.index("unknown"))),
        "f": ("dv", wide(near, -1)),
        **village_columns(context, cells),
    }
    return PackedCells(cells.geometry.to_numpy(), context.crs, classes=[], extra=extra, z=30)


def facility_layer(context: Context) -> PackedPoints:
    """Return the facilities with service, name, zone, kind and source."""
    f = context.facilities
    service = context.services.index.get_indexer(f["service"])
    sources = list(dict.fromkeys(f["source"].astype(str)))
    capacity = pd.to_numeric(f["capacity"], errors="coerce").fillna(-1).clip(upper=2**29)
    extra: dict[str, Column] = {
        "s": ("vi", service),
        "zone": ("vi", context.zone_of("township", f["zone_id"])),
        "dir": ("vi", context.zone_of("direction", f["direction"])),
        "kind": ("u8", pd.Index(KINDS).get_indexer(f["kind"])),
        "capacity": ("vi", np.rint(capacity.to_numpy(float))),
        "source": ("vi", pd.Index(sources).get_indexer(f["source"].astype(str))),
        "sources": ("js", sources),
        "names": ("js", [n if isinstance(n, str) else "" for n in f["name"]]),
    }
    points = f.geometry
    return PackedPoints(points.x.to_numpy(), points.y.to_numpy(), f.crs, extra=extra, z=40)


def circle_layer(context: Context) -> PackedPolygons:
    """Return the life circles, simplified until they fit into the page."""
    circles = context.results.circles
    service = context.services.index.get_indexer(circles["service"])
    cut = pd.Index(context.cutoffs).get_indexer(circles["cutoff_min"].astype(float))
    keep = (service >= 0) & (cut >= 0)
    shapes = circles.geometry.to_numpy()[keep]
    extra: dict[str, Column] = {"s": ("vi", service[keep]), "k": ("u8", cut[keep])}
    classes = [{"fill": "rgba(66,146,198,.20)", "stroke": REACH[0], "width": [0.4, 1.2, 2]}]
    for tolerance in (8.0, 16.0, 32.0):
        layer = PackedPolygons(shapes, context.crs, classes=classes, extra=extra, step=2.0, simplify_m=tolerance, z=20)
        if len(layer.packed) <= _CIRCLES_BUDGET:
            break
    return layer


def place_layer(context: Context) -> PackedData:
    """Return the streets that have a name, one place each, for the search."""
    network = context.results.network
    best: dict[str, int] = {}
    if network is not None:
        for i in np.flatnonzero(network.edge_name != ""):
            name = str(network.edge_name[i])
            if name not in best or network.edge_length_m[i] > network.edge_length_m[best[name]]:
                best[name] = int(i)
    names = sorted(best)
    middle = [(network.vertex_start[best[n]] + network.vertex_start[best[n] + 1]) // 2 for n in names]
    x = network.vertex_x[middle] if middle else []
    y = network.vertex_y[middle] if middle else []
    return PackedData(point_columns(x, y, context.crs) | {"names": ("js", names)})
