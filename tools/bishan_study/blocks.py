"""Street blocks: built-up land cut into faces by arterials and barriers, then split again and again.

Faces share their corner nodes. Splitting an edge is recorded once, so that both neighbours see the new node and
streets and land-use polygons fit together exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import polygonize

Edge = tuple[int, int]
NO_STREET = "none"


def edge(a: int, b: int) -> Edge:
    """Order the ends of an edge."""
    return (a, b) if a < b else (b, a)


@dataclass
class Mesh:
    """Faces over shared nodes; ``cls`` holds the street class of every edge."""

    xy: list[tuple[float, float]] = field(default_factory=list)
    cls: dict[Edge, str] = field(default_factory=dict)
    mid: dict[Edge, int] = field(default_factory=dict)
    junction: set[int] = field(default_factory=set)
    leaves: list[list[int]] = field(default_factory=list)
    bridges: list[tuple[str, list[int]]] = field(default_factory=list)
    _key: dict[tuple[int, int], int] = field(default_factory=dict)

    def node(self, x: float, y: float) -> int:
        """Return the node at a point, making it if needed."""
        key = (round(x * 100), round(y * 100))
        if key not in self._key:
            self._key[key] = len(self.xy)
            self.xy.append((key[0] / 100, key[1] / 100))
        return self._key[key]

    def expand(self, nodes: list[int], closed: bool = True) -> list[int]:
        """Insert the nodes that later splits put on the edges of a ring (or line)."""
        out: list[int] = []
        n = len(nodes)
        for k in range(n if closed else n - 1):
            stack = [(nodes[k], nodes[(k + 1) % n])]
            while stack:
                a, b = stack.pop()
                m = self.mid.get(edge(a, b))
                if m is None:
                    out.append(a)
                else:
                    stack.append((m, b))
                    stack.append((a, m))
        return out if closed else [*out, nodes[-1]]

    def split_edge(self, a: int, b: int, share: float) -> int:
        """Put a node on an edge that has none yet, at `share` of its length from `a`."""
        (ax, ay), (bx, by) = self.xy[a], self.xy[b]
        m = self.node(ax + share * (bx - ax), ay + share * (by - ay))
        if m in (a, b) or edge(a, b) in self.mid:
            return m if m in (a, b) else self.mid[edge(a, b)]
        self.mid[edge(a, b)] = m
        self.cls[edge(a, m)] = self.cls[edge(m, b)] = self.cls[edge(a, b)]
        return m

    def points(self, ring: list[int]) -> np.ndarray:
        """Coordinates of nodes."""
        return np.array([self.xy[n] for n in ring])

    def polygon(self, ring: list[int]) -> Polygon:
        """Polygon of a ring with every shared node in it."""
        return Polygon(self.points(self.expand(ring)))


def build_mesh(outline: Polygon, zone: BaseGeometry, arterials: list[tuple[str, LineString]]) -> Mesh:
    """Cut `outline` without `zone` into faces along the arterials.

    Parameters
    ----------
    outline : shapely.Polygon
        Built-up land.
    zone : shapely geometry
        Water, railways, motorways: no face there, arterials bridge it.
    arterials : list
        ``(class, line)``; they may leave the outline, where they are cut.
    """
    ground = outline.difference(zone.buffer(0.02))
    rings = [LineString(r.coords) for g in getattr(ground, "geoms", [ground]) for r in (g.exterior, *g.interiors)]
    clipped = [(c, line.intersection(outline)) for c, line in arterials]
    cross: list[LineString] = []
    for _ in range(3):
        noded = shapely.unary_union([*rings, *(g for _, g in clipped), *cross], grid_size=0.01)
        faces = [f for f in polygonize(noded) if ground.contains(f.representative_point())]
        holes = [(f, Polygon(r)) for f in faces for r in f.interiors]
        if not holes:
            break
        for face, hole in holes:  # a lake in a face: cut the face through it
            c = hole.centroid
            for angle in (0.35, 0.35 + np.pi / 2):
                d = np.array([np.cos(angle), np.sin(angle)]) * 4000
                ray = LineString([(c.x - d[0], c.y - d[1]), (c.x + d[0], c.y + d[1])])
                cut = ray.intersection(face)
                cross += [g for g in getattr(cut, "geoms", [cut]) if g.length > 1]
    mesh = Mesh()
    sources = [(c, g) for c, g in clipped if not g.is_empty] + [("tertiary", g) for g in cross]
    tree = shapely.STRtree([g for _, g in sources])
    shapely.prepare(ground)
    border = shapely.unary_union(rings)
    edge_of_town = outline.exterior
    over: dict[Edge, str] = {}
    for line in getattr(noded, "geoms", [noded]):
        pts = np.asarray(line.coords)
        for p, q in itertools.pairwise(pts):
            m = shapely.Point((p + q) / 2)
            near = sorted(tree.query(m, predicate="dwithin", distance=0.03).tolist())
            a, b = mesh.node(*p), mesh.node(*q)
            if a == b:
                continue
            cls = sources[near[0]][0] if near else "outline" if edge_of_town.distance(m) < 0.1 else "bank"
            if near and not ground.contains(m) and border.distance(m) > 0.05:
                over[edge(a, b)] = cls
            else:
                mesh.cls[edge(a, b)] = cls
    mesh.bridges = [(c, list(e)) for e, c in sorted(over.items())]
    ends = np.bincount([n for e in mesh.cls for n in e], minlength=len(mesh.xy))
    mesh.junction |= set(np.flatnonzero(ends > 2).tolist())
    for face in sorted(faces, key=lambda f: f.bounds):
        mesh.leaves.append([mesh.node(*p) for p in np.asarray(face.exterior.coords)[:-1]])
    return mesh


def _chord(mesh: Mesh, ring: list[int], rng: np.random.Generator) -> tuple[int, float, int, float] | None:
    """Best cut across a ring: (edge position, share) of its two ends."""
    pts = mesh.points(ring)
    box = np.asarray(shapely.oriented_envelope(Polygon(pts)).exterior.coords)
    sides = [box[1] - box[0], box[2] - box[1]]
    size = [float(np.hypot(*s)) for s in sides]
    long = int(size[1] > size[0])
    u = sides[long] / size[long]
    turn = np.radians(rng.normal(0, 5))
    u = np.array([u[0] * np.cos(turn) - u[1] * np.sin(turn), u[0] * np.sin(turn) + u[1] * np.cos(turn)])
    v = np.array([-u[1], u[0]])
    centre = box[:4].mean(0) + u * size[long] * float(np.clip(rng.normal(0, 0.07), -0.18, 0.18))
    d = (pts - centre) @ u
    e = np.roll(d, -1)
    hit = np.flatnonzero((d > 0) != (e > 0))
    share = d[hit] / (d[hit] - e[hit])
    where = pts[hit] + share[:, None] * (np.roll(pts, -1, 0)[hit] - pts[hit])
    lam = (where - centre) @ v
    order = np.argsort(lam, kind="stable")
    pairs = [(lam[order[k + 1]] - lam[order[k]], order[k], order[k + 1]) for k in range(0, len(order) - 1, 2)]
    if not pairs:
        return None
    _, i, j = max(pairs)
    return int(hit[i]), float(share[i]), int(hit[j]), float(share[j])


def _anchor(mesh: Mesh, ring: list[int], k: int, share: float) -> int:
    """Node on edge `k` of a ring: a nearby corner or junction if there is one, else a new node."""
    a, b = ring[k], ring[(k + 1) % len(ring)]
    length = float(np.hypot(*(np.array(mesh.xy[a]) - np.array(mesh.xy[b]))))
    for n, gap in sorted([(a, share * length), (b, (1 - share) * length)], key=lambda p: p[1]):
        if gap < (26 if n in mesh.junction else 9):
            return n
    return mesh.split_edge(a, b, share)


def subdivide(
    mesh: Mesh,
    target_m2: Callable[[np.ndarray], float],
    rng: np.random.Generator,
    street_of: Callable[[float, np.random.Generator], str],
) -> list[list[int]]:
    """Split all faces until they have the wanted size; return the chords (streets) laid.

    Parameters
    ----------
    mesh : Mesh
        Changed: ``leaves`` become the blocks.
    target_m2 : callable
        Wanted block area at a point.
    rng : numpy.random.Generator
        Random stream.
    street_of : callable
        Class of the street that splits a face of a given area.
    """
    chords, done = [], []
    stack = list(reversed(mesh.leaves))
    while stack:
        ring = mesh.expand(stack.pop())
        pts = mesh.points(ring)
        poly = Polygon(pts)
        area = poly.area
        limit = target_m2(pts.mean(0)) * float(rng.uniform(0.75, 1.7))
        if area < limit or not poly.is_valid:
            done.append(ring)
            continue
        for _ in range(4):
            cut = _chord(mesh, ring, rng)
            if cut is None:
                continue
            a, b = _anchor(mesh, ring, *cut[:2]), _anchor(mesh, ring, *cut[2:])
            ring = mesh.expand(ring)
            i, j = ring.index(a), ring.index(b)
            gap = abs(i - j)
            p, q = np.array(mesh.xy[a]), np.array(mesh.xy[b])
            length = float(np.hypot(*(q - p)))
            if a == b or gap in (1, len(ring) - 1) or length < 25:
                continue
            inner: list[np.ndarray] = []
            if length > 130:
                bow = length * float(rng.uniform(-0.035, 0.035))
                side = np.array([-(q - p)[1], (q - p)[0]]) / length
                count = min(3, int(length / 110))
                at = (np.arange(count) + 1) / (count + 1)
                inner = [p + w * (q - p) + side * bow * 4 * w * (1 - w) for w in at]
            line = LineString([p, *inner, q])
            if Polygon(mesh.points(ring)).buffer(0.05).contains(line):
                break
        else:
            done.append(ring)
            continue
        chord = [a, *(mesh.node(*m) for m in inner), b]
        cls = street_of(area, rng)
        for m, n in itertools.pairwise(chord):
            mesh.cls[edge(m, n)] = cls
        mesh.junction.update((a, b))
        chords.append(chord)
        lo, hi = (i, j) if i < j else (j, i)
        forward = chord if lo == i else chord[::-1]  # from ring[lo] to ring[hi]
        stack.append([*ring[hi:], *ring[:lo], *forward[:-1]])
        stack.append([*ring[lo:hi], *forward[::-1][:-1]])
    mesh.leaves = done
    return chords
