"""What each block is used for, and how many people live in it."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from . import layout
from .city import Block, around_commerce_at, commerce_at, industry_at, old_town_at
from .geo import stream

# Use of the block that holds a real object of this class, first match wins.
REAL_USES = [
    ("school", "080403"), ("hospital", "080601"), ("university", "080401"), ("park", "1401"), ("sports_centre", "0805"),
    ("building;library", "080301"), ("town_hall", "0801"), ("residential", "0701"), ("kindergarten", "0701"),
    ("industrial", "1001"), ("commercial", "0901"), ("mall", "0901"), ("hotel", "0901"), ("playground", "1401"),
    ("picnic_site", "1401"), ("theatre", "1401"), ("camp_site", "1401"),
]  # fmt: skip
NAMES = {
    "01": "耕地",
    "0201": "果园",
    "03": "林地",
    "0701": "城镇住宅用地",
    "0703": "农村宅基地",
    "0801": "机关团体用地",
    "0802": "科研用地",
    "080301": "图书与展览用地",
    "080302": "文化活动用地",
    "080401": "高等教育用地",
    "080403": "中小学用地",
    "0805": "体育用地",
    "080601": "医院用地",
    "080602": "基层医疗卫生设施用地",
    "080701": "老年人社会福利用地",
    "0901": "商业用地",
    "0902": "商务金融用地",
    "1001": "工业用地",
    "1101": "物流仓储用地",
    "1201": "铁路用地",
    "1202": "公路用地",
    "1310": "消防用地",
    "1401": "公园绿地",
    "1402": "防护绿地",
    "1403": "广场用地",
    "16": "留白用地",
    "1701": "河流水面",
    "1702": "湖泊水面",
    "1703": "水库水面",
    "2301": "空闲地",
}


def assign_uses(
    blocks: list[Block], outline: Polygon, water: BaseGeometry, real: np.ndarray, real_class: list[str], place: str
) -> None:
    """Set ``use`` of every block of one place.

    Parameters
    ----------
    blocks : list of Block
        Changed.
    outline : shapely.Polygon
        Outline of the place: its fringe holds reserved and vacant land.
    water : shapely geometry
        Rivers and lakes: parks lie along them.
    real : numpy.ndarray
        Real objects [m], and their classes in `real_class`.
    """
    rng = stream("uses" + place)
    tree = shapely.STRtree([b.polygon for b in blocks])
    inside: dict[int, list[int]] = {}
    for r, point in enumerate(shapely.points(real)):
        for b in tree.query(point, predicate="intersects").tolist():
            inside.setdefault(b, []).append(r)
    rim = outline.exterior
    for k, block in enumerate(blocks):
        block.real = inside.get(k, [])
        x, y = block.centre
        draw = float(rng.random())
        polygon = block.polygon
        classes = {real_class[r] for r in block.real}
        forced = [u for c, u in REAL_USES if c in classes]
        compact = 4 * np.pi * polygon.area / polygon.length**2
        if forced:
            block.use = forced[0]
        elif polygon.area < 1800 or compact < 0.22:
            block.use = "1402"
        elif industry_at(x, y) > 0.45:
            block.use = _pick(draw, [("1001", 0.80), ("1101", 0.07), ("16", 0.05), ("0802", 0.02), ("0701", 0.06)])
        elif commerce_at(x, y) > 0.45:
            block.use = _pick(draw, [("0901", 0.42), ("0902", 0.13), ("1403", 0.05), ("0701", 0.40)])
        elif water.distance(polygon) < 40 and draw < (0.38 if place == "core" else 0.2):
            block.use = "1401"
        elif rim.distance(polygon) < 180:
            block.use = _pick(
                float(rng.random()), [("16", 0.14), ("2301", 0.16), ("1402", 0.14), ("1001", 0.10), ("0701", 0.46)]
            )
        else:
            block.use = _pick(
                float(rng.random()),
                [("0701", 0.66), ("1401", 0.04), ("0901", 0.075), ("0801", 0.012), ("16", 0.045), ("2301", 0.055),
                 ("1001", 0.055), ("080302", 0.008), ("1101", 0.015), ("1403", 0.01), ("0802", 0.01), ("1402", 0.015)],
            )  # fmt: skip


def _pick(draw: float, table: list[tuple[str, float]]) -> str:
    total = 0.0
    for use, share in table:
        total += share
        if draw < total:
            return use
    return table[-1][0]


def assign_towns(blocks: list[Block], townships: list[tuple[str, BaseGeometry]]) -> None:
    """Set the township of every block: the derived polygon it lies in."""
    for block in blocks:
        point = shapely.Point(block.centre)
        block.town = min((g.distance(point), c) for c, g in townships)[1]


def urban_people(people: dict[str, int]) -> dict[str, float]:
    """People living in built-up land per township, scaled to the known urban total of the district."""
    share = {**layout.CORE_URBAN_SHARE, **{c: v[3] for c, v in layout.TOWNS.items()}}
    core = {c: people[c] * layout.CORE_URBAN_SHARE[c] for c in layout.CORE_URBAN_SHARE}
    towns = {c: people[c] * share[c] for c in layout.TOWNS}
    scale = (layout.DISTRICT_URBAN - sum(core.values())) / sum(towns.values())
    return {**core, **{c: min(v * scale, 0.75 * people[c]) for c, v in towns.items()}}


def settle_people(blocks: list[Block], urban: dict[str, float]) -> None:
    """Spread the urban people of each township over its residential blocks."""
    rng = stream("people")
    weight: dict[int, float] = {}
    total: dict[str, float] = {}
    for k, block in enumerate(blocks):
        if block.use == "0701":
            x, y = block.centre
            density = 0.5 + 0.8 * around_commerce_at(x, y) + 0.5 * old_town_at(x, y)
            density *= float(rng.uniform(0.55, 1.45))
            weight[k] = density * max(block.polygon.buffer(-9).area, 50)
            total[block.town] = total.get(block.town, 0) + weight[k]
    for k, w in weight.items():
        block = blocks[k]
        block.people = round(urban[block.town] * w / total[block.town], 1)
