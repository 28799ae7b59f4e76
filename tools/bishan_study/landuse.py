"""Land use: blocks inside the towns, a coarse mosaic in the countryside, one clean coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from rasterio import Affine
from rasterio.features import shapes, sieve
from scipy.ndimage import median_filter
from shapely.geometry import LineString, shape
from shapely.geometry.base import BaseGeometry

from .barriers import Barrier, Water
from .city import Block
from .geo import SmoothNoise, geom_to_lonlat
from .terrain import Terrain
from .uses import NAMES
from .villages import Village

PIXEL_M = 100.0
FOREST_SHARE = 0.46  # about what is published for the district


def _pieces(geom: BaseGeometry) -> list[Any]:
    parts = [g for g in shapely.get_parts(shapely.get_parts(geom)) if g.geom_type == "Polygon" and g.area > 0]
    return sorted(parts, key=lambda g: g.bounds)


def clean_pieces(geom: BaseGeometry) -> list[Any]:
    """Return the valid polygons of a geometry in degrees whose coordinates are rounded to 6 decimals."""
    done: list[Any] = []
    open_parts = _pieces(geom)
    for attempt in range(5):
        again: list[Any] = []
        for part in open_parts:
            part = shapely.transform(part, lambda c: np.round(c, 6))
            if part.is_valid:
                done.append(part)
            else:  # rounding made a ring touch itself
                again += _pieces(shapely.make_valid(part) if attempt < 3 else part.buffer(-2e-6))
        open_parts = again
    return sorted((p for p in done if p.area > 2e-9), key=lambda g: g.bounds)


def countryside(district: BaseGeometry, terrain: Terrain) -> list[tuple[str, BaseGeometry]]:
    """Coarse mosaic of forest, orchards and fields from slope and height, polygons sharing their borders."""
    x0, y0, x1, y1 = district.buffer(300).bounds
    gx, gy = np.meshgrid(np.arange(x0, x1, PIXEL_M) + PIXEL_M / 2, np.arange(y1, y0, -PIXEL_M) - PIXEL_M / 2)
    slope = terrain.slope(gx.ravel(), gy.ravel()).reshape(gx.shape)
    height = terrain.height(gx.ravel(), gy.ravel()).reshape(gx.shape)
    wood = slope / 0.13 + np.maximum(height - 380, 0) / 160 + 0.42 * SmoothNoise("wood", 2200)(gx, gy)
    fruit = SmoothNoise("fruit", 1700)(gx, gy)
    wood += 0.42 * SmoothNoise("copse", 900)(gx, gy) * (slope > 0.012)
    shapely.prepare(district)
    inside = shapely.contains_xy(district, gx, gy)
    limit = float(np.quantile(wood[inside], 1 - FOREST_SHARE))
    klass = np.where(wood > limit, 3, np.where(fruit > 1.15, 2, 1)).astype("uint8")
    klass = sieve(klass, 16)
    codes = {1: "01", 2: "0201", 3: "03"}
    found = [(codes[int(v)], shape(g)) for g, v in shapes(klass, transform=Affine(PIXEL_M, 0, x0, 0, -PIXEL_M, y1))]
    simple = shapely.coverage_simplify(np.array([g for _, g in found]), 120)
    wave = SmoothNoise("wave", 420)

    def bend(c: np.ndarray) -> np.ndarray:  # shared corners move together: the mosaic stays closed
        return c + 27 * np.column_stack([wave(c[:, 0], c[:, 1]), wave(c[:, 1], c[:, 0])])

    bent = shapely.transform(shapely.segmentize(simple, 190), bend)
    return [(c, g) for (c, _), g in zip(found, bent, strict=True)]


def build_landuse(
    blocks: list[Block],
    outlines: list[BaseGeometry],
    water: Water,
    lines: list[Barrier],
    villages: list[Village],
    district: BaseGeometry,
    terrain: Terrain,
) -> list[dict[str, Any]]:
    """Return the rows of landuse.geojson; earlier layers win over later ones, so that nothing overlaps."""
    layers: list[tuple[str, BaseGeometry]] = [(b.use, b.polygon) for b in blocks]
    taken = shapely.unary_union([g for _, g in layers])
    built = shapely.unary_union(outlines)

    def claim(code: str, geom: BaseGeometry, least_m2: float) -> None:
        nonlocal taken
        free = shapely.difference(geom, taken)
        layers.extend((code, g) for g in _pieces(free) if g.area > least_m2)
        taken = shapely.union(taken, free)

    rest = built.difference(taken)
    claim("1701", rest.intersection(water.river_area), 60)
    claim("1702", shapely.unary_union([g for n, g in water.lakes if "湖" in n]), 60)
    claim("1703", shapely.unary_union([g for n, g in water.lakes if "库" in n]), 60)
    for kind, code in (("railway", "1201"), ("motorway", "1202")):
        strips = [s.buffer(b.half_m, cap_style="flat") for b in lines if b.kind == kind for s in b.surface()]
        claim(code, shapely.unary_union(strips).simplify(1.5), 200)
    claim("1402", rest, 60)
    rivers = [LineString(r.parts[0][1]).buffer(12, quad_segs=2) for r in water.rivers]
    claim("1701", shapely.unary_union(rivers).simplify(2), 100)
    homes = []
    for v in villages:
        if v.houses:
            patch = shapely.unary_union([h.buffer(17, quad_segs=1) for h in v.houses]).buffer(-5, quad_segs=1)
            homes.append(patch.simplify(5))
    claim("0703", shapely.unary_union(homes), 500)
    for code, geom in countryside(district, terrain):
        layers.extend((code, g) for g in _pieces(shapely.difference(geom, taken)) if g.area > 300)
    border = geom_to_lonlat(district, 7)
    inner = district.buffer(-5)
    shapely.prepare(inner)
    rows = []
    for code, geom in layers:
        g = geom_to_lonlat(geom)
        if not inner.contains(geom):
            g = shapely.intersection(g, border)
        rows += [{"dlbm": code, "dlmc": NAMES[code], "kind": "synthetic", "geometry": p} for p in clean_pieces(g)]
    return rows


def control_lines(
    core: BaseGeometry,
    towns: dict[str, BaseGeometry],
    district: BaseGeometry,
    terrain: Terrain,
) -> list[dict[str, Any]]:
    """Return areas like the three control lines: ecology, farmland, urban growth boundary."""
    x0, y0, x1, y1 = district.bounds
    step = 200.0
    gx, gy = np.meshgrid(np.arange(x0, x1, step) + step / 2, np.arange(y1, y0, -step) - step / 2)
    slope = terrain.slope(gx.ravel(), gy.ravel()).reshape(gx.shape)
    height = terrain.height(gx.ravel(), gy.ravel()).reshape(gx.shape)
    eco = (slope / 0.16 + np.maximum(height - 420, 0) / 140 + 0.2 * SmoothNoise("eco", 2500)(gx, gy)) > 1.25
    farm = (slope < 0.075) & (SmoothNoise("farm", 1500)(gx, gy) > -0.35) & ~eco
    growth = shapely.unary_union([core.buffer(260), *(t.buffer(160) for t in towns.values())]).simplify(20)

    def vector(mask: np.ndarray, least: float) -> BaseGeometry:
        mask = median_filter(mask.astype("uint8"), size=3)
        found = [shape(g) for g, v in shapes(mask, transform=Affine(step, 0, x0, 0, -step, y1)) if v]
        return shapely.unary_union([g for g in found if g.area > least]).buffer(60).buffer(-60).simplify(70)

    eco_area = vector(eco, 900_000).intersection(district).difference(growth)
    farm_area = vector(farm, 400_000).intersection(district.buffer(-60)).difference(growth).difference(eco_area)
    rows = []
    for name, geom in (
        ("生态保护红线", eco_area),
        ("永久基本农田", farm_area),
        ("城镇开发边界", growth.intersection(district)),
    ):
        for part in clean_pieces(geom_to_lonlat(geom)):
            if part.area > 2e-6:
                rows.append({"line_type": name, "kind": "synthetic", "geometry": part})
    return rows
