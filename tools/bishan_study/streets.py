"""The street network while it is being made: shared nodes, ways, crossings, connected parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

NOT_WALKABLE = {"motorway", "motorway_link"}


@dataclass
class Way:
    """A street: node numbers and tags. ``layer`` 0 is the ground."""

    nodes: list[int]
    tags: dict[str, str]
    layer: int = 0

    @property
    def walkable(self) -> bool:
        """Whether people may walk here at all."""
        return self.tags["highway"] not in NOT_WALKABLE


@dataclass
class Streets:
    """Streets that meet at shared nodes only."""

    xy: list[tuple[float, float]] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    node_tags: dict[int, dict[str, str]] = field(default_factory=dict)
    _key: dict[tuple[int, int], int] = field(default_factory=dict)

    def node(self, x: float, y: float) -> int:
        """Return the node at a point (centimetres decide), making it if needed."""
        key = (round(x * 100), round(y * 100))
        if key not in self._key:
            self._key[key] = len(self.xy)
            self.xy.append((key[0] / 100, key[1] / 100))
        return self._key[key]

    def add(self, points: Iterable[Any], tags: dict[str, str], layer: int = 0) -> Way | None:
        """Add a street through `points`; repeated points are dropped."""
        nodes: list[int] = []
        for x, y in points:
            n = self.node(float(x), float(y))
            if not nodes or nodes[-1] != n:
                nodes.append(n)
        if len(nodes) < 2:
            return None
        way = Way(nodes, dict(tags), layer)
        self.ways.append(way)
        return way

    def array(self) -> np.ndarray:
        """Coordinates of all nodes [m]."""
        return np.array(self.xy)

    def segments(self, *, ground: bool = True, walkable: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(way, position)`` and ``(from, to)`` of every segment wanted."""
        where, ends = [], []
        for w, way in enumerate(self.ways):
            if (ground and way.layer != 0) or (walkable and not way.walkable):
                continue
            for k in range(len(way.nodes) - 1):
                where.append((w, k))
                ends.append((way.nodes[k], way.nodes[k + 1]))
        return np.array(where, int).reshape(-1, 2), np.array(ends, int).reshape(-1, 2)

    def lines(self, ends: np.ndarray) -> np.ndarray:
        """Segments as shapely lines."""
        return shapely.linestrings(self.array()[ends])

    def insert(self, extra: dict[tuple[int, int], list[tuple[float, int]]]) -> None:
        """Insert nodes into segments: ``(way, position) -> [(share along, node)]``."""
        by_way: dict[int, dict[int, list[tuple[float, int]]]] = {}
        for (w, k), items in extra.items():
            by_way.setdefault(w, {})[k] = sorted(set(items))
        for w, places in by_way.items():
            old, new = self.ways[w].nodes, []
            for k, n in enumerate(old):
                if not new or new[-1] != n:
                    new.append(n)
                for _, m in places.get(k, []):
                    if new[-1] != m:
                        new.append(m)
            self.ways[w].nodes = new

    def node_crossings(self) -> int:
        """Give every crossing of streets at ground level a shared node; return how many were made."""
        where, ends = self.segments()
        lines = self.lines(ends)
        tree = shapely.STRtree(lines)
        i, j = tree.query(lines, predicate="intersects")
        keep = i < j
        i, j = i[keep], j[keep]
        apart = np.array([len({*ends[a], *ends[b]}) == 4 for a, b in zip(i, j, strict=True)], bool)
        i, j = i[apart], j[apart]
        points = shapely.intersection(lines[i], lines[j])
        extra: dict[tuple[int, int], list[tuple[float, int]]] = {}
        made = 0
        for a, b, point in zip(i.tolist(), j.tolist(), points, strict=True):
            if point.geom_type != "Point":
                continue
            node = self._end_near(point, ends[a], ends[b])
            made += 1
            for s in (a, b):
                if node not in ends[s]:
                    p, q = np.array(self.xy[ends[s][0]]), np.array(self.xy[ends[s][1]])
                    share = float(np.dot([point.x - p[0], point.y - p[1]], q - p) / np.dot(q - p, q - p))
                    extra.setdefault((int(where[s][0]), int(where[s][1])), []).append((round(share, 6), node))
        self.insert(extra)
        return made

    def tidy(self, reach_m: float = 0.3) -> None:
        """Weld nodes of ground-level streets that nearly coincide, drop repeated ways, node what crosses."""
        for _ in range(4):
            made = self.node_crossings()
            used = np.array(sorted({n for w in self.ways if w.layer == 0 for n in w.nodes}))
            pairs = cKDTree(self.array()[used]).query_pairs(reach_m, output_type="ndarray")
            target = dict(zip(used.tolist(), used.tolist(), strict=True))
            for a, b in sorted((int(used[min(p)]), int(used[max(p)])) for p in pairs.tolist()):
                target[b] = min(target[b], target[a])
            for way in self.ways:
                moved = [target.get(n, n) for n in way.nodes]
                way.nodes = [n for k, n in enumerate(moved) if k == 0 or n != moved[k - 1]]
            seen: set[tuple[int, ...]] = set()
            kept = []
            for way in self.ways:
                key = min(tuple(way.nodes), tuple(reversed(way.nodes)))
                if len(way.nodes) > 1 and key not in seen:
                    seen.add(key)
                    kept.append(way)
            self.ways = kept
            self.node_tags = {target.get(n, n): t for n, t in self.node_tags.items()}
            if made == 0 and len(pairs) == 0:
                break

    def _end_near(self, point: Any, one: np.ndarray, two: np.ndarray, reach_m: float = 0.6) -> int:
        """Existing end of either segment within `reach_m` of a crossing, else a new node."""
        for n in (*one.tolist(), *two.tolist()):
            x, y = self.xy[n]
            if abs(x - point.x) + abs(y - point.y) < reach_m:
                return int(n)
        return self.node(point.x, point.y)

    def connect(self, points: np.ndarray, tags: list[dict[str, str]], blocked: Any, start_m: float) -> list[float]:
        """Join points to the nearest walkable street by footways, where they are farther than `start_m`.

        Parameters
        ----------
        points : numpy.ndarray
            Points to join [m].
        tags : list of dict
            Tags of each footway.
        blocked : shapely geometry
            Ground the footway may not cross.
        start_m : float
            Points nearer than this to a street are left alone.

        Returns
        -------
        list of float
            Distance to the street before joining [m]; NaN where no free way was found.
        """
        where, ends = self.segments(walkable=True)
        lines = self.lines(ends)
        tree = shapely.STRtree(lines)
        shapely.prepare(blocked)
        extra: dict[tuple[int, int], list[tuple[float, int]]] = {}
        found = []
        for xy, tag in zip(points, tags, strict=True):
            target = shapely.Point(xy)
            for reach in (90, 250, 700, 2000):
                near = tree.query(target, predicate="dwithin", distance=reach)
                if len(near):
                    break
            gap = shapely.distance(lines[near], target)
            order = np.lexsort((near, gap))
            found.append(float("nan"))
            for o in order.tolist():
                s = near[o]
                if any(self.ways[where[s][0]].tags.get(k) in ("private", "no") for k in ("access", "foot")):
                    continue
                share = float(shapely.line_locate_point(lines[s], target, normalized=True))
                foot = shapely.line_interpolate_point(lines[s], share, normalized=True)
                if gap[o] > 3 and blocked.intersects(shapely.LineString([foot, target])):
                    continue
                found[-1] = float(gap[o])
                if gap[o] > start_m:
                    node = self._end_near(foot, ends[s], ends[s])
                    if node not in ends[s]:
                        extra.setdefault((int(where[s][0]), int(where[s][1])), []).append((round(share, 6), node))
                    self.add([self.xy[node], xy], tag)
                break
        self.insert(extra)
        return found

    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the connected part of every node, and walkable street length [m] of every part."""
        _, ends = self.segments(ground=False, walkable=True)
        n = len(self.xy)
        link = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
        count, label = connected_components(link, directed=False)
        xy = self.array()
        length = np.hypot(*(xy[ends[:, 0]] - xy[ends[:, 1]]).T)
        return label, np.bincount(label[ends[:, 0]], length, count)

    def drop_small_parts(self, keep: set[int]) -> None:
        """Remove walkable ways outside the main part, except those that hold a node of `keep`."""
        label, length = self.parts()
        wanted = {int(np.argmax(length))} | {int(label[n]) for n in keep}
        self.ways = [w for w in self.ways if not w.walkable or int(label[w.nodes[0]]) in wanted]

    def graph_nodes(self) -> int:
        """Junctions and dead ends of the walkable streets."""
        _, ends = self.segments(ground=False, walkable=True)
        degree = np.bincount(ends.ravel(), minlength=len(self.xy))
        return int(((degree > 0) & (degree != 2)).sum())


def merge_edges(
    edges: dict[tuple[int, int], str], xy: list[tuple[float, float]], max_m: float = 1600, max_turn: float = 40
) -> list[tuple[str, list[int]]]:
    """Chain edges of one class into long lines that go straight through junctions.

    Parameters
    ----------
    edges : dict
        ``(node, node) -> class``.
    xy : list
        Node coordinates [m].
    max_m : float
        Lines are cut beyond this length.
    max_turn : float
        Largest turn a line makes at a node [degrees]; at a node where it has no choice any turn is taken.
    """
    star: dict[tuple[str, int], list[int]] = {}
    for (a, b), c in sorted(edges.items()):
        star.setdefault((c, a), []).append(b)
        star.setdefault((c, b), []).append(a)
    used: set[tuple[int, int]] = set()

    def extend(line: list[int], c: str, length: float) -> float:
        while length < max_m:
            p, q = np.array(xy[line[-2]]), np.array(xy[line[-1]])
            choice, best = None, max_turn
            options = star[(c, line[-1])]
            for n in options:
                if (min(n, line[-1]), max(n, line[-1])) in used:
                    continue
                d = np.array(xy[n]) - q
                cos = np.dot(q - p, d) / max(np.hypot(*(q - p)) * np.hypot(*d), 1e-9)
                turn = float(np.degrees(np.arccos(np.clip(cos, -1, 1))))
                if turn < best or (len(options) == 2 and turn < 150):
                    choice, best = n, turn
            if choice is None:
                break
            used.add((min(choice, line[-1]), max(choice, line[-1])))
            length += float(np.hypot(*(np.array(xy[choice]) - q)))
            line.append(choice)
        return length

    out = []
    for (a, b), c in sorted(edges.items()):
        if (a, b) in used:
            continue
        used.add((a, b))
        line = [a, b]
        length = extend(line, c, float(np.hypot(*(np.array(xy[a]) - np.array(xy[b])))))
        line.reverse()
        extend(line, c, length)
        out.append((c, line))
    return out
