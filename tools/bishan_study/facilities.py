"""Facilities at the densities of the standards, with gaps planted on purpose."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon

from . import layout
from .blocks import Mesh, edge
from .city import STREETS, Block
from .geo import stream
from .settlement import Frame
from .streets import Streets
from .villages import Village

HERE = Path(__file__).parent
AREA_HA = {
    "primary_school": (0.9, 3.0, "080403"), "middle_school": (1.4, 5.0, "080403"), "high_school": (2.0, 9.0, "080403"),
    "hospital": (1.2, 6.0, "080601"), "sports_center": (0.9, 4.5, "0805"),
}  # fmt: skip
DUPLICATED = {
    "kindergarten": 9,
    "health_center": 4,
    "market": 5,
    "nursing_home": 3,
    "culture_center": 2,
    "supermarket": 3,
}


@dataclass
class Facility:
    """A facility: a point, or an area with entrances on its ring."""

    service: str
    tags: dict[str, str]
    x: float
    y: float
    area: Polygon | None = None
    entrances: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Stock:
    """Places where facilities can go, and what has been placed."""

    blocks: list[Block]
    villages: list[Village]
    mesh_of: dict[str, Mesh]
    names: dict[str, str]
    directions: dict[str, str]
    frame: Frame
    placed: list[Facility] = field(default_factory=list)
    number: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with (HERE / "services.csv").open(encoding="utf-8") as f:
            self.specs = list(csv.DictReader(f))
        with (HERE / "gaps.csv").open(encoding="utf-8") as f:
            self.gaps = list(csv.DictReader(f))
        xy = np.array([b.centre for b in self.blocks])
        s, t = self.frame.locate(xy[:, 0], xy[:, 1])
        self.labels = []
        for block, a, c in zip(self.blocks, s / self.frame.length, t, strict=True):
            label = {block.town, self.directions[block.town]} if block.place != "core" else {block.town, "core"}
            if block.place == "core" and a > 0.70:
                label.add("core_south")
            if block.place == "core" and c > 1350 and a < 0.70:
                label.add("core_west")
            self.labels.append(label)

    def factor(self, service: str, label: set[str]) -> float:
        """Share of the usual density that the planted gaps leave."""
        out = 1.0
        for g in self.gaps:
            if g["service"] == service and g["where"] in label:
                out *= float(g["factor"])
        return out

    def tags(self, spec: dict[str, str], town: str, rng: np.random.Generator, zh: str | None = None) -> dict[str, str]:
        """Tags of a new facility: its class, a name that says it is synthetic, sometimes a capacity."""
        service = spec["service"]
        self.number[service] = self.number.get(service, 0) + 1
        tags = dict(pair.split("=", 1) for pair in spec["tags"].split(";"))
        if rng.random() >= float(spec["unnamed"]):
            kind = zh or spec["zh"]
            if service == "townhall" and town in layout.TOWNS and not self.names[town].endswith("街道"):
                kind = "镇政府" if town >= "500120100" else kind
            tags["name"] = f"合成·{self.names[town]}{kind}{self.number[service]:03d}"
        if service == "primary_school" and rng.random() < 0.5:
            tags["isced:level"] = "1"
        if service == "health_center" and town in layout.TOWNS and "name" in tags:
            tags["name"] = tags["name"].replace("社区卫生服务中心", "卫生院")
        if spec["capacity"] and rng.random() < 0.75:
            low, high = int(spec["low"]), int(spec["high"])
            tags[spec["capacity"]] = str(int(round(rng.uniform(low, high) / 10) * 10) or low)
        return tags

    def frontage(self, block: Block, rng: np.random.Generator, depth: float) -> tuple[float, float] | None:
        """Return a point inside a block, `depth` metres behind one of its streets."""
        mesh = self.mesh_of[block.place]
        ring = mesh.expand(block.ring)
        sides = []
        for k, a in enumerate(ring):
            b = ring[(k + 1) % len(ring)]
            p, q = np.array(mesh.xy[a]), np.array(mesh.xy[b])
            length = float(np.hypot(*(q - p)))
            if mesh.cls[edge(a, b)] in STREETS and length > 14:
                sides.append((length, p, q))
        if not sides:
            return None
        weight = np.array([s[0] for s in sides])
        for _ in range(6):
            _, p, q = sides[int(rng.choice(len(sides), p=weight / weight.sum()))]
            m = p + float(rng.uniform(0.15, 0.85)) * (q - p)
            v = np.array([-(q - p)[1], (q - p)[0]]) / np.hypot(*(q - p)) * depth
            for w in (v, -v):
                if block.polygon.contains(shapely.Point(m + w)):
                    return round(float(m[0] + w[0]), 2), round(float(m[1] + w[1]), 2)
        return None

    def choose(
        self, spec: dict[str, str], rng: np.random.Generator, wanted: int, pool: list[int], weight: np.ndarray
    ) -> list[int]:
        """Blocks for `wanted` facilities: weighted draw, keeping the service's spacing (relaxed when needed)."""
        order = np.argsort(-np.log(rng.random(len(pool))) / np.maximum(weight, 1e-12), kind="stable")
        chosen: list[int] = []
        taken = [(f.x, f.y) for f in self.placed if f.service == spec["service"]]
        for relax in (1.0, 0.75, 0.5):
            gap = float(spec["spacing_m"]) * relax
            for k in order.tolist():
                if len(chosen) >= wanted:
                    return chosen
                if weight[k] <= 0 or pool[k] in chosen:
                    continue
                x, y = self.blocks[pool[k]].centre
                if all((x - a) ** 2 + (y - b) ** 2 > gap**2 for a, b in taken):
                    chosen.append(pool[k])
                    taken.append((x, y))
        return chosen


def place_areas(stock: Stock) -> None:
    """Give whole blocks to schools, hospitals and sports centres; their use changes accordingly."""
    for spec in (s for s in stock.specs if s["form"] == "area"):
        rng = stream("area:" + spec["service"])
        low, high, use = AREA_HA[spec["service"]]
        for place in sorted({b.place for b in stock.blocks}):
            each = float(spec["city_each"] if place == "core" else spec["town_each"])
            if each == 0:
                continue
            pool = [k for k, b in enumerate(stock.blocks) if b.place == place]
            people = sum(stock.blocks[k].people * stock.factor(spec["service"], stock.labels[k]) for k in pool)
            wanted = round(people / each)
            if place != "core" and spec["service"] in ("primary_school", "middle_school"):
                wanted = max(wanted, int(people > 0))
            fit = [
                k for k in pool
                if stock.blocks[k].use == "0701" and not stock.blocks[k].real
                and low * 1e4 * (1 if place == "core" else 0.5) <= stock.blocks[k].polygon.area <= high * 1e4
            ]  # fmt: skip
            if not fit or not wanted:
                continue
            weight = np.array(
                [stock.factor(spec["service"], stock.labels[k]) * (1 + stock.blocks[k].people) for k in fit]
            )
            for k in stock.choose(spec, rng, wanted, fit, weight):
                block = stock.blocks[k]
                area = block.polygon.buffer(-7, join_style="mitre")
                if area.geom_type != "Polygon":
                    continue
                block.use, block.people = use, 0.0
                x, y = area.representative_point().coords[0]
                stock.placed.append(
                    Facility(spec["service"], stock.tags(spec, block.town, rng), round(x, 2), round(y, 2), area)
                )


def place_points(stock: Stock) -> None:
    """Place all other services in blocks and villages."""
    for spec in (s for s in stock.specs if s["form"] == "node"):
        rng = stream("point:" + spec["service"])
        for place in sorted({b.place for b in stock.blocks}):
            each = float(spec["city_each"] if place == "core" else spec["town_each"])
            if each == 0:
                continue
            pool = [
                k for k, b in enumerate(stock.blocks) if b.place == place and b.use in ("0701", "0901", "0902", "0801")
            ]
            factor = np.array([stock.factor(spec["service"], stock.labels[k]) for k in pool])
            people = np.array([stock.blocks[k].people for k in pool])
            exact = float((people * factor).sum()) / each
            wanted = int(exact) + int(rng.random() < exact - int(exact))
            if place != "core" and float(spec["town_each"]) <= 14000:
                wanted = max(wanted, int(factor.max() > 0))
            shop = spec["tags"].startswith(("shop", "amenity=restaurant", "amenity=bank", "amenity=pharmacy"))
            extra = np.array([150.0 if shop and stock.blocks[k].use in ("0901", "0902") else 8.0 for k in pool])
            for k in stock.choose(spec, rng, wanted, pool, factor * (people + extra)):
                spot = stock.frontage(stock.blocks[k], rng, float(rng.uniform(7, 15)))
                if spot:
                    stock.placed.append(Facility(spec["service"], stock.tags(spec, stock.blocks[k].town, rng), *spot))
        share = float(spec["village_share"])
        if share:
            for village in stock.villages:
                label = {village.town, stock.directions[village.town]}
                if village.lanes and rng.random() < share * stock.factor(spec["service"], label):
                    line = village.lanes[int(rng.integers(min(8, len(village.lanes))))]
                    spot = _beside(line, rng)
                    zh = "村便民服务中心" if spec["service"] == "community_station" else None
                    zh = "村小学" if spec["service"] == "primary_school" else zh
                    stock.placed.append(Facility(spec["service"], stock.tags(spec, village.town, rng, zh), *spot))


def _beside(line: LineString, rng: np.random.Generator) -> tuple[float, float]:
    (ax, ay), (bx, by) = line.coords[0], line.coords[-1]
    w, side = float(rng.uniform(0.2, 0.8)), 4.5 * float(rng.choice([-1, 1]))
    length = max(line.length, 1.0)
    return round(ax + w * (bx - ax) - side * (by - ay) / length, 2), round(
        ay + w * (by - ay) + side * (bx - ax) / length, 2
    )


def place_village_schools(stock: Stock) -> None:
    """Primary schools of a few villages are points: nobody mapped their grounds."""
    spec = next(s for s in stock.specs if s["service"] == "primary_school")
    rng = stream("village schools")
    for village in stock.villages:
        if village.lanes and rng.random() < float(spec["village_share"]):
            spot = _beside(village.lanes[0], rng)
            stock.placed.append(Facility("primary_school", stock.tags(spec, village.town, rng, "村小学"), *spot))


def choose_duplicates(stock: Stock) -> list[Facility]:
    """Choose the facilities that are mapped twice, as a point and as a building: an error for checks to find."""
    rng = stream("duplicates")
    out = []
    for service, count in DUPLICATED.items():
        mine = [f for f in stock.placed if f.service == service and f.area is None and "name" in f.tags]
        out += [mine[k] for k in sorted(rng.permutation(len(mine))[:count].tolist())]
    return out


def duplicates(chosen: list[Facility], streets: Streets) -> list[Facility]:
    """Return the building of every facility mapped twice, as large as the streets around leave room for."""
    rng = stream("duplicate buildings")
    _, ends = streets.segments(ground=False)
    lines = streets.lines(ends)
    tree = shapely.STRtree(lines)
    out = []
    for f in chosen:
        gap = float(shapely.distance(lines[int(tree.nearest(shapely.Point(f.x, f.y)))], shapely.Point(f.x, f.y)))
        half = min(8.0, (gap - 0.8) / 1.5)
        if half < 2.5:
            continue
        x, y = f.x + float(rng.uniform(-0.4, 0.4)), f.y + float(rng.uniform(-0.4, 0.4))
        ring = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
        area = Polygon(np.round(ring, 2))
        out.append(Facility(f.service, {**f.tags, "building": "yes"}, round(x, 2), round(y, 2), area))
    return out


def bus_stops(streets: Streets, built: shapely.Geometry) -> list[Facility]:
    """Bus stops along main roads, every 400 to 600 m in built-up land and farther apart outside."""
    rng = stream("bus")
    out: list[Facility] = []
    taken: list[tuple[float, float]] = []
    shapely.prepare(built)
    for way in streets.ways:
        if way.layer != 0 or way.tags["highway"] not in ("primary", "secondary", "tertiary", "unclassified"):
            continue
        line = LineString([streets.xy[n] for n in way.nodes])
        at = float(rng.uniform(60, 350))
        while at < line.length:
            p = line.interpolate(at)
            city = built.contains(p)
            minor = way.tags["highway"] in ("tertiary", "unclassified")
            gap = (430 if not minor else 560) if city else (900 if not minor else 1700)
            if all((p.x - a) ** 2 + (p.y - b) ** 2 > (0.72 * gap) ** 2 for a, b in taken) and rng.random() < (
                0.9 if not minor else 0.5
            ):
                q = line.interpolate(min(at + 3, line.length))
                d = max(p.distance(q), 1e-6)
                side = float(rng.choice([-1, 1])) * 5
                tags = {"highway": "bus_stop", "public_transport": "platform"}
                if rng.random() < 0.85:
                    tags["name"] = f"合成·公交站{len(out) + 1:03d}"
                if rng.random() < 0.4:
                    tags["shelter"] = "yes"
                x, y = p.x - side * (q.y - p.y) / d, p.y + side * (q.x - p.x) / d
                out.append(Facility("bus_stop", tags, round(x, 2), round(y, 2)))
                taken.append((p.x, p.y))
            at += float(rng.uniform(0.9, 1.3)) * gap
    return out
