"""Country roads: between the towns, through the ridges, and out to the villages."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from . import layout
from .barriers import structures
from .geo import SmoothNoise, chaikin, simplify_points, spline, stream, to_work
from .terrain import Grid, Terrain

RANK = ["trunk", "primary", "secondary", "tertiary", "unclassified", "track", "path"]


@dataclass
class CountryRoads:
    """Roads outside the city: chains ``(class, points)``, tunnel roads, and villages by township code."""

    chains: list[tuple[str, np.ndarray]] = field(default_factory=list)
    special: list[tuple[str, list[tuple[str, np.ndarray]]]] = field(default_factory=list)
    villages: list[tuple[str, int]] = field(default_factory=list)


def _work(lon: float, lat: float) -> np.ndarray:
    return np.array(to_work([lon], [lat]))[:, 0]


def _gate(text: str, gates: np.ndarray) -> np.ndarray:
    lon, lat = (float(v) for v in text.split(","))
    return gates[int(np.argmin(np.hypot(*(gates - _work(lon, lat)).T)))]


class RoadMaker:
    """Routes roads over the grid; later roads prefer the ground of earlier ones.

    Parameters
    ----------
    grid : Grid
        Cells with costs, barriers already pushed away from.
    core : shapely.Polygon
        The valley city, where the arterials take over.
    gates : numpy.ndarray
        Ends of the arterials at the city's outline [m].
    """

    def __init__(self, grid: Grid, core: Polygon, gates: np.ndarray) -> None:
        self.grid, self.gates = grid, gates
        self.mult = grid.mult.copy()
        self.mult[grid.cells_in(core)] *= 6
        self.edges: dict[tuple[int, int], int] = {}
        self.gate_at: dict[int, np.ndarray] = {}

    def close(self, geom: BaseGeometry) -> None:
        """Keep roads out of `geom` (lakes)."""
        self.mult[self.grid.cells_in(geom)] *= 400

    def gate_cell(self, gate: np.ndarray) -> int:
        """Cell that stands for an arterial end; the road's last leg goes to the arterial itself."""
        cell = self.grid.cell(*gate)
        self.gate_at[cell] = gate
        return cell

    def _terminal(self, name: str) -> int:
        if name.startswith("core:"):
            return self.gate_cell(_gate(name[5:], self.gates))
        if name.startswith("out:"):
            lon, lat = (float(v) for v in name[4:].split(","))
            return self.grid.cell(*_work(lon, lat))
        lon, lat = layout.TOWNS[name][:2]
        return self.grid.cell(*_work(lon, lat))

    def add_route(self, cells: list[int], rank: int, discount: float) -> None:
        """Lay a road of class `rank` along `cells`."""
        for a, b in itertools.pairwise(cells):
            edge = (min(a, b), max(a, b))
            self.edges[edge] = min(rank, self.edges.get(edge, 99))
        fresh = [c for c in cells if c not in self._laid]
        self.mult[fresh] *= discount
        self._laid.update(fresh)

    _laid: set[int]

    def towns(self) -> None:
        """Roads between towns and out of the district."""
        self._laid = set()
        for cls, start, end in layout.ROADS:
            graph = self.grid.graph(self.mult)
            cells = self.grid.route(graph, self._terminal(start), self._terminal(end))
            self.add_route(cells, RANK.index(cls), 0.45)

    def villages(self, sites: list[tuple[str, int]], extra: list[int]) -> None:
        """Join villages (and lonely real places, `extra`) to the roads, then add links between neighbours."""
        rng = stream("village roads")
        sources = sorted({c for e in self.edges for c in e} | {self.gate_cell(g) for g in self.gates})
        graph = self.grid.graph(self.mult, grade=0.07)
        _, before = self.grid.forest(graph, sources)
        for cell, rank in [*((c, 4) for _, c in sites), *((c, 6) for c in extra)]:
            path = [cell]
            while before[path[-1]] >= 0:
                path.append(int(before[path[-1]]))
            self.add_route(path, rank, 0.5)
        cells = np.array([c for _, c in sites])
        xy = np.column_stack([self.grid.px[cells], self.grid.py[cells]])
        pairs = []
        for i in range(len(cells)):
            d = np.hypot(*(xy - xy[i]).T)
            pairs += [(d[j], i, int(j)) for j in np.argsort(d, kind="stable")[1:4] if i < j and d[j] < 3400]
        graph = self.grid.graph(self.mult, grade=0.07)
        for _, i, j in sorted(pairs):
            if rng.random() < 0.55:
                route = self.grid.route(graph, int(cells[i]), int(cells[j]), 1500)
                self.add_route(route, int(rng.choice([4, 5, 6], p=[0.45, 0.35, 0.2])), 0.6)

    def chains(self) -> list[tuple[str, np.ndarray]]:
        """Roads as smooth lines between junctions; junction cells stay where they are."""
        star: dict[int, list[int]] = {}
        for a, b in sorted(self.edges):
            star.setdefault(a, []).append(b)
            star.setdefault(b, []).append(a)

        def rank(a: int, b: int) -> int:
            return self.edges[(min(a, b), max(a, b))]

        def is_end(c: int) -> bool:
            return len(star[c]) != 2 or rank(c, star[c][0]) != rank(c, star[c][1])

        seen: set[tuple[int, int]] = set()
        out = []
        for start in sorted(c for c in star if is_end(c)):
            for first in star[start]:
                if (start, first) in seen:
                    continue
                line = [start, first]
                while not is_end(line[-1]):
                    n = star[line[-1]]
                    line.append(n[0] if n[1] == line[-2] else n[1])
                seen.update([(line[0], line[1]), (line[-1], line[-2])])
                points = np.column_stack([self.grid.px[line], self.grid.py[line]])
                points = simplify_points(points, 30) if len(points) > 2 else points
                points = simplify_points(chaikin(points, 3), 2.5)
                if line[0] in self.gate_at:
                    points = np.vstack([self.gate_at[line[0]], points])
                if line[-1] in self.gate_at:
                    points = np.vstack([points, self.gate_at[line[-1]]])
                out.append((RANK[rank(line[0], line[1])], np.round(points, 2)))
        return out


def tunnel_roads(terrain: Terrain, gates: np.ndarray) -> list[tuple[str, list[tuple[str, np.ndarray]]]]:
    """Roads straight through the ridges, with their tunnels and viaducts."""
    out = []
    for cls, start, control in layout.TUNNEL_ROADS:
        first = _gate(start[5:], gates) if start.startswith("core:") else _work(*layout.TOWNS[start][:2])
        points = np.vstack([first, *[_work(*p) for p in control]])
        curve = chaikin(spline(points, 90), 1)
        along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
        calm = np.clip(np.minimum(along, along[-1] - along) / 700, 0, 1)[:, None]
        bend = SmoothNoise("tunnel" + start, 1700)
        curve = curve + 85 * calm * np.column_stack([bend(*curve.T), bend(curve[:, 1], curve[:, 0])])
        runs = structures(curve, terrain, 26, 60)
        out.append((cls, [("tunnel" if s == "tunnel" else "", p) for s, p in runs]))
    return out


def village_sites(
    grid: Grid, cells_of: list[tuple[str, BaseGeometry, float]], free: BaseGeometry, wet: BaseGeometry
) -> list[tuple[str, int]]:
    """Cells of the villages of every township.

    Parameters
    ----------
    grid : Grid
        Candidate cells.
    cells_of : list
        ``(code, polygon, number of villages)`` per township.
    free : shapely geometry
        Ground open to villages (outside towns).
    wet : shapely geometry
        Water and barriers, kept at a distance.
    """
    rng = stream("village sites")
    open_ground = grid.cells_in(free) & (grid.slope < 0.13) & ~grid.cells_in(wet.buffer(110))
    chosen: list[tuple[str, int]] = []
    taken: list[tuple[float, float]] = []
    for code, polygon, count in cells_of:
        candidates = np.flatnonzero(open_ground & grid.cells_in(polygon.buffer(-250)))
        weight = rng.random(len(candidates)) + 6 * grid.slope[candidates]
        order = candidates[np.argsort(weight, kind="stable")]
        for gap in (1500, 1200, 950, 700, 500):
            mine = sum(1 for c, _ in chosen if c == code)
            for cell in order.tolist():
                if mine >= count:
                    break
                x, y = grid.px[cell], grid.py[cell]
                if all((x - a) ** 2 + (y - b) ** 2 > gap**2 for a, b in taken):
                    chosen.append((code, cell))
                    taken.append((x, y))
                    mine += 1
    return chosen


def cross_zone(points: np.ndarray, zone: BaseGeometry) -> list[tuple[bool, np.ndarray]]:
    """Cut a line where it enters and leaves `zone`: ``(inside, points)`` runs in order."""
    line = LineString(points)
    if not zone.intersects(line):
        return [(False, points)]
    cuts = sorted(
        {0.0, line.length, *(line.project(Point(p)) for p in shapely.get_coordinates(line.intersection(zone.boundary)))}
    )
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    runs: list[tuple[bool, np.ndarray]] = []
    for a, b in itertools.pairwise(cuts):
        if b - a < 0.5:
            continue
        inner = points[(along > a + 0.01) & (along < b - 0.01)]
        ends = [np.array(line.interpolate(v).coords[0]) for v in (a, b)]
        piece = np.round(np.vstack([ends[0], inner, ends[1]]), 2)
        inside = zone.contains(line.interpolate((a + b) / 2))
        if runs and runs[-1][0] == inside:
            runs[-1] = (inside, np.vstack([runs[-1][1], piece[1:]]))
        else:
            if runs:
                piece[0] = runs[-1][1][-1]
            runs.append((inside, piece))
    return runs
