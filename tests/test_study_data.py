"""The embedded Bishan data: made again byte for byte, true to the known facts, and marked for what it is."""

import csv
import hashlib
import importlib.util
import json
import sys
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import osmium
import pytest
import shapely
from pyproj import Transformer

ROOT = Path(__file__).resolve().parents[1]
RAW = ROOT / "data" / "raw"
BISHAN = RAW / "bishan"
OBSERVED = {"district.geojson", "townships.csv", "osm_features.geojson", "dem_30s.tif"}
CLOSED_TO_WALKERS = {"motorway", "motorway_link"}


@pytest.fixture(scope="module")
def datasets():
    return tomllib.loads((RAW / "datasets.toml").read_text(encoding="utf-8"))["dataset"]


@pytest.fixture(scope="module")
def osm():
    """Tagged nodes, ways as (tags, node ids, lon/lat) and relations of the synthetic file."""
    nodes, ways, relations = [], [], []
    for o in osmium.FileProcessor(str(BISHAN / "streets.osm.pbf")).with_locations():
        tags = dict(o.tags)
        if o.is_node():
            nodes.append((o.id, tags))
        elif o.is_way():
            ways.append((o.id, tags, [n.ref for n in o.nodes], [(n.lon, n.lat) for n in o.nodes]))
        else:
            relations.append((o.id, tags))
    return nodes, ways, relations


@pytest.fixture(scope="module")
def segments(osm):
    """Street segments in metres: lines, node pairs, on the ground or not, open to walkers or not."""
    ends, xy, ground, public = [], [], [], []
    for _, tags, refs, lonlat in osm[1]:
        if "highway" not in tags or tags["highway"] in CLOSED_TO_WALKERS:
            continue
        for k in range(len(refs) - 1):
            ends.append((refs[k], refs[k + 1]))
            xy.append((lonlat[k], lonlat[k + 1]))
            ground.append("layer" not in tags)
            public.append(tags.get("access") != "private" and tags.get("foot") != "no")
    xy = np.array(xy)
    work = np.stack(Transformer.from_crs(4490, 4544, always_xy=True).transform(xy[..., 0], xy[..., 1]), axis=-1)
    return shapely.linestrings(work), np.array(ends), np.array(ground), np.array(public)


def table(name):
    with (BISHAN / name).open(encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_hashes(datasets):
    listed = {Path(d["path"]).name for d in datasets}
    assert listed >= OBSERVED
    assert listed <= {p.name for p in BISHAN.iterdir()}
    for d in datasets:
        body = (RAW / d["path"]).read_bytes()
        assert hashlib.sha256(body).hexdigest() == d["sha256"], d["path"]
        assert len(body) == d["bytes"]
        assert (d["kind"] == "observed") == (Path(d["path"]).name in OBSERVED)
        assert d["source"]
        assert d["licence"]


def test_same_bytes_again(tmp_path):
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        main = importlib.import_module("bishan_study.build").main
    finally:
        sys.path.pop(0)
    main(BISHAN, tmp_path)
    made = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert len(made) == 12
    for path in made:
        assert (tmp_path / path).read_bytes() == (RAW / path).read_bytes(), path.name


def test_population_sums():
    rows = table("population.csv")
    ages = ["age_0_14", "age_15_64", "age_65_79", "age_80p"]
    assert [sum(int(r[a]) for r in rows) for a in ages] == [106_757, 523_375, 100_593, 25_297]
    assert all(sum(int(r[a]) for a in ages) == int(r["people"]) for r in rows)
    people = {r["name"]: int(r["people"]) for r in rows}
    assert sum(people.values()) == 756_022
    assert (people["璧城街道"], people["璧泉街道"]) == (187_284, 239_716)
    assert all("assumed" in r["source_note"] for r in rows)


def test_townships_partition_the_district():
    towns = gpd.read_file(BISHAN / "townships.geojson")
    district = gpd.read_file(BISHAN / "district.geojson").union_all()
    assert set(towns["kind"]) == {"derived"}
    assert shapely.coverage_is_valid(towns.geometry.to_numpy())
    # coordinates keep 6 decimals: what is left over is a few hundred square metres of 914 km2
    assert towns.union_all().symmetric_difference(district).area < 1e-7
    facts = {r["code"]: float(r["area_km2"]) for r in table("townships.csv")}
    have = towns.to_crs(4544).set_index("code").area / 1e6
    scale = have.sum() / sum(facts.values())
    assert all(abs(have[c] - a * scale) < 0.01 * a for c, a in facts.items())


def test_everything_invented_says_so(osm):
    nodes, ways, relations = osm
    for tags in [t for _, t in nodes] + [t for _, t, _, _ in ways] + [t for _, t in relations]:
        if tags:
            assert tags["data_kind"] == "synthetic"
            assert tags.get("name", "合成·").startswith("合成·")
    for name in ("landuse", "control_lines"):
        features = json.loads((BISHAN / f"{name}.geojson").read_text(encoding="utf-8"))["features"]
        assert {f["properties"]["kind"] for f in features} == {"synthetic"}


def test_osm_file_is_sorted(osm):
    for kind in osm:
        ids = [o[0] for o in kind]
        assert ids == sorted(set(ids))
        assert ids[0] > 0
    box = osmium.io.Reader(str(BISHAN / "streets.osm.pbf")).header().box()
    assert 105.9 < box.bottom_left.lon < 106.1
    assert 29.8 < box.top_right.lat < 30.0


def test_streets_meet_only_at_shared_nodes(segments):
    lines, ends, ground, _ = segments
    lines, ends = lines[ground], ends[ground]
    i, j = shapely.STRtree(lines).query(lines, predicate="intersects")
    pairs = [(a, b) for a, b in zip(i, j, strict=True) if a < b and len({*ends[a], *ends[b]}) == 4]
    assert pairs == []


def test_walkers_cross_barriers_only_on_bridges(osm, segments):
    lines, _, ground, _ = segments
    to_work = Transformer.from_crs(4490, 4544, always_xy=True)

    def work(points):
        return np.column_stack(to_work.transform(*np.array(points).T))

    fences, water, houses = [], [], []
    for _, tags, _, lonlat in osm[1]:
        cuts = tags.get("railway") == "rail" or tags.get("highway") == "motorway"
        if cuts and "layer" not in tags:
            fences.append(shapely.LineString(work(lonlat)))
        if tags.get("natural") == "water":
            water.append(shapely.Polygon(work(lonlat)).buffer(-1))
        if "building" in tags:
            houses.append(shapely.Polygon(work(lonlat)))
    assert len(shapely.STRtree(fences).query(lines[ground], predicate="intersects")[0]) == 0
    assert len(shapely.STRtree(water).query(lines[ground], predicate="intersects")[0]) == 0
    assert len(shapely.STRtree(water).query(houses, predicate="intersects")[0]) == 0
    assert len(shapely.STRtree(lines).query(houses, predicate="intersects")[0]) == 0
    assert len(shapely.STRtree(water).query(lines[~ground], predicate="intersects")[0]) > 10


def test_network_size_and_main_part(segments):
    lines, ends, _, _ = segments
    ids, at = np.unique(ends, return_inverse=True)
    at = at.reshape(-1, 2)
    degree = np.bincount(at.ravel(), minlength=len(ids))
    assert 25_000 <= ((degree > 0) & (degree != 2)).sum() <= 50_000
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    link = coo_matrix((np.ones(len(at)), (at[:, 0], at[:, 1])), shape=(len(ids), len(ids)))
    count, label = connected_components(link, directed=False)
    length = np.bincount(label[at[:, 0]], shapely.length(lines), count)
    assert length.max() / length.sum() > 0.97
    assert 5 <= (length > 50).sum() - 1 <= 12


def test_real_objects_are_near_a_public_street(segments):
    lines, _, _, public = segments
    features = json.loads((BISHAN / "osm_features.geojson").read_text(encoding="utf-8"))["features"]
    lonlat = np.array([f["geometry"]["coordinates"] for f in features])
    assert len(lonlat) == 109
    points = shapely.points(
        np.column_stack(Transformer.from_crs(4490, 4544, always_xy=True).transform(lonlat[:, 0], lonlat[:, 1]))
    )
    _, gap = shapely.STRtree(lines[public]).query_nearest(points, return_distance=True, all_matches=False)
    assert gap.max() <= 60


def test_landuse_covers_the_district_once():
    landuse = gpd.read_file(BISHAN / "landuse.geojson").to_crs(4544)
    district = gpd.read_file(BISHAN / "district.geojson").to_crs(4544).area.sum()
    assert landuse.is_valid.all()
    total, once = landuse.area.sum(), landuse.union_all().area
    assert (total - once) / once < 2e-4
    assert abs(once / district - 1) < 2e-3


def test_generated_files_stay_small(datasets):
    assert sum(d["bytes"] for d in datasets) < 10_000_000
