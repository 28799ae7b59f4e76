"""Random but plausible results of a run, for tests of what is drawn from them; some names are hostile."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from bishan_gis.crs import load_crs, to_working
from bishan_gis.network.graph import Network
from bishan_gis.results import Findings
from bishan_gis.study import Study, load_study

STUDY = Path(__file__).parent.parent / "studies" / "bishan" / "study.toml"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd()",
    "</script><script>alert(2)</script>",
    "'; alert(3); //{{ 7*7 }}${1}",
)
TOWNS = {
    "中优": ["璧城街道", "璧泉街道"],
    "东融": ["青杠街道"],
    "北延": ["大路街道", "八塘镇", "七塘镇", "河边镇"],
    "西拓": ["福禄镇", "大兴镇"],
    "南进": ["来凤街道", "丁家街道", "正兴镇", "广普镇", "三合镇", "健龙镇"],
}
PLACES = {
    "璧城街道": (106.228, 29.604, 187_284),
    "璧泉街道": (106.217, 29.566, 239_716),
    "青杠街道": (106.230, 29.500, 90_000),
    "大路街道": (106.218, 29.730, 45_000),
    "八塘镇": (106.293, 29.825, 16_000),
    "七塘镇": (106.260, 29.778, 15_000),
    "河边镇": (106.197, 29.667, 14_000),
    "福禄镇": (106.140, 29.618, 9_000),
    "大兴镇": (106.155, 29.548, 26_000),
    "来凤街道": (106.205, 29.445, 34_000),
    "丁家街道": (106.140, 29.409, 40_000),
    "正兴镇": (106.118, 29.470, 14_000),
    "广普镇": (106.142, 29.332, 11_000),
    "三合镇": (106.098, 29.348, 6_722),
    "健龙镇": (106.187, 29.372, 8_300),
}
SERVICES = {
    "kindergarten": ("幼儿园", "Kindergarten", "教育", 5, 300, 150),
    "primary_school": ("小学", "Primary school", "教育", 10, 500, 60),
    "middle_school": ("初中", "Middle school", "教育", 15, 1000, 28),
    "clinic": ("社区卫生服务站", "Health station", "医疗", 5, 300, 70),
    "hospital": ("医院", "Hospital", "医疗", 15, 1000, 12),
    "elderly_care": ("老年人日间照料中心", "Day care for the elderly", "养老", 5, 300, 34),
    "market": ("菜市场", "Market", "商业", 10, 500, 30),
    "convenience": ("便利店", "Convenience store", "商业", 5, None, 400),
    "library": ("图书馆", "Library", "文化", 15, 1000, 3),
    "park": ("公园", "Park", "休闲", 10, 500, 45),
    "bus_stop": ("公交站", "Bus stop", "交通", 10, 500, 300),
    "fire_station": ("消防站", "Fire station", "安全", 15, None, 3),
    "shelter": ("应急避难场所", "Emergency shelter", "安全", 10, 500, 24),
}
SHARES = {"0-14": 0.141, "15-64": 0.692, "65-79": 0.133, "80+": 0.034}
STREETS = ("双星大道", "璧青路", "黛山大道", "金剑路", "<b onmouseover=alert(4)>路</b>", "东林大道")


@dataclass
class FakeDataset:
    """A row of the manifest."""

    path: str
    title: str
    title_en: str
    source: str
    licence: str
    date: str
    kind: str

    def said(self, what: str, lang: str) -> str:
        """Return source or licence, which no language changes."""
        return str(getattr(self, what)) if lang else ""


@dataclass
class FakeResults:
    """What ``render_maps`` reads."""

    study: Study
    zones: gpd.GeoDataFrame
    cells: gpd.GeoDataFrame
    facilities: gpd.GeoDataFrame
    services: pd.DataFrame
    access: pd.DataFrame
    coverage: pd.DataFrame
    circles: gpd.GeoDataFrame
    radii: pd.DataFrame
    network: Network
    landuse: gpd.GeoDataFrame | None
    control_lines: gpd.GeoDataFrame | None
    water: gpd.GeoDataFrame | None
    green: gpd.GeoDataFrame | None
    datasets: list[FakeDataset]
    kind: str = "synthetic"
    warnings: list[str] = field(default_factory=list)
    profile: dict[str, Any] = field(default_factory=dict)
    access_points: pd.DataFrame | None = None
    measures: pd.DataFrame | None = None
    zone_measures: pd.DataFrame | None = None
    networks: dict[str, Network] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    findings: Findings | None = None
    barrier_lines: gpd.GeoDataFrame | None = None

    @property
    def cutoffs_min(self) -> list[float]:
        """Thresholds of the coverage table, as of a run."""
        return sorted(float(c) for c in self.coverage["cutoff_min"].unique())


def _zones(crs: Any, xy: np.ndarray, names: list[str]) -> gpd.GeoDataFrame:
    mid = (xy.min(axis=0) + xy.max(axis=0)) / 2
    angle = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    wobble = 1 + 0.05 * np.sin(7 * angle) + 0.03 * np.sin(17 * angle + 1)
    axis = np.column_stack([9_800 * np.cos(angle), 33_500 * np.sin(angle)]) * wobble[:, None]
    lean = np.array([[1, 0.23], [0, 1]])
    district = shapely.polygons(axis @ lean.T + mid)
    regions = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(xy), extend_to=district))
    tree = shapely.STRtree(regions)
    order = tree.query(shapely.points(xy), predicate="intersects")[1]
    towns = shapely.intersection(regions[order], district)
    of = {town: d for d, group in TOWNS.items() for town in group}
    rows = [("500120", "district", "璧山区", "", district)]
    rows += [
        (d, "direction", d, d, shapely.union_all([towns[names.index(t)] for t in group])) for d, group in TOWNS.items()
    ]
    rows += [(f"5001200{i:02d}", "township", n, of[n], towns[i]) for i, n in enumerate(names)]
    frame = pd.DataFrame(rows, columns=["zone_id", "zone_kind", "name", "direction", "geometry"])
    frame["kind"] = "derived"
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=crs)


def _streets(crs: Any, xy: np.ndarray, people: np.ndarray, rng: np.random.Generator, scale: float) -> Network:
    ends, ways = [], []
    for (cx, cy), n in zip(xy, people, strict=True):
        count = int(np.clip(np.sqrt(n) / 18 * np.sqrt(scale), 4, 60))
        turn = rng.uniform(0, 0.5)
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        g = np.arange(count + 1) * 150.0 - count * 75
        place = np.stack(np.meshgrid(g, g), axis=-1).reshape(-1, 2) + rng.normal(0, 12, ((count + 1) ** 2, 2))
        place = place @ spin.T + (cx, cy)
        index = np.arange((count + 1) ** 2).reshape(count + 1, count + 1)
        for a, b in ((index[:, :-1], index[:, 1:]), (index[:-1], index[1:])):
            line = np.broadcast_to(np.arange(a.shape[0])[:, None], a.shape).ravel()
            ends.append(np.hstack([place[a.ravel()], place[b.ravel()]]))
            ways.append(np.where(line % 5 == 0, "secondary", np.where(line % 2 == 0, "residential", "footway")))
    order = np.argsort(xy[:, 1])
    road = np.hstack([xy[order[:-1]], xy[order[1:]]])
    ends.append(road)
    ways.append(np.full(len(road), "primary"))
    e = np.vstack(ends)
    highway = np.concatenate(ways).astype(object)
    m = len(e)
    mid = (e[:, :2] + e[:, 2:]) / 2 + rng.normal(0, 8, (m, 2))
    mid[-len(road) :] += rng.normal(0, 500, (len(road), 2))
    vx = np.column_stack([e[:, 0], mid[:, 0], e[:, 2]]).ravel()
    vy = np.column_stack([e[:, 1], mid[:, 1], e[:, 3]]).ravel()
    names = np.full(m, "", dtype=object)
    major = np.flatnonzero(highway != "residential")
    names[major[:: max(1, len(major) // 40)]] = rng.choice(STREETS, len(major[:: max(1, len(major) // 40)]))
    return Network(
        crs=crs,
        node_x=e[:, [0, 2]].ravel(),
        node_y=e[:, [1, 3]].ravel(),
        node_osmid=np.arange(2 * m),
        edge_u=np.arange(0, 2 * m, 2, dtype=np.int32),
        edge_v=np.arange(1, 2 * m, 2, dtype=np.int32),
        edge_length_m=np.hypot(e[:, 2] - e[:, 0], e[:, 3] - e[:, 1]),
        edge_forward=np.ones(m, bool),
        edge_backward=np.ones(m, bool),
        edge_way=np.arange(m),
        edge_structure=np.zeros(m, np.uint8),
        edge_highway=highway,
        edge_name=names,
        edge_kind=np.full(m, "synthetic", dtype=object),
        vertex_start=np.arange(0, 3 * m + 1, 3),
        vertex_x=vx,
        vertex_y=vy,
        node_frontier=np.zeros(2 * m, bool),
        node_elevation_m=np.full(2 * m, np.nan),
    )


def _cells(
    zones: gpd.GeoDataFrame, xy: np.ndarray, people: np.ndarray, rng: np.random.Generator, scale: float
) -> gpd.GeoDataFrame:
    spots = []
    for (cx, cy), n in zip(xy, people, strict=True):
        core = int(np.sqrt(n) * 3 * scale)
        spots.append(rng.normal((cx, cy), np.sqrt(n) * 2.4, (core, 2)))
        spots.append(rng.normal((cx, cy), 3200, (int(60 * scale), 2)))
    at = np.unique(np.floor(np.vstack(spots) / 100).astype(int), axis=0) * 100.0 + 50
    towns = zones[zones["zone_kind"] == "township"].reset_index(drop=True)
    inside, town = shapely.STRtree(towns.geometry.to_numpy()).query(shapely.points(at), predicate="intersects")
    _, first = np.unique(inside, return_index=True)
    inside, town = inside[first], town[first]
    at = at[inside]
    weight = np.exp(-np.min(np.hypot(*(at[:, None] - xy[None]).T), axis=0) / 1500) * rng.uniform(0.3, 1, len(at))
    count = np.zeros(len(at), dtype=int)
    for t, n in enumerate(people):
        mine = town == t
        if mine.any():
            count[mine] = rng.multinomial(n, weight[mine] / weight[mine].sum())
    parts = np.array([rng.multinomial(n, list(SHARES.values())) for n in count])
    frame = pd.DataFrame(
        {
            "cell_id": [f"c{int(x)}_{int(y)}" for x, y in at],
            "zone_id": towns["zone_id"].to_numpy()[town],
            "direction": towns["direction"].to_numpy()[town],
            "people": count,
            "x": at[:, 0],
            "y": at[:, 1],
            "kind": "synthetic",
        }
    )
    for i, part in enumerate(SHARES):
        frame[part] = parts[:, i]
    boxes = shapely.box(at[:, 0] - 50, at[:, 1] - 50, at[:, 0] + 50, at[:, 1] + 50)
    return gpd.GeoDataFrame(frame, geometry=boxes, crs=zones.crs)


def _facilities(cells: gpd.GeoDataFrame, rng: np.random.Generator) -> gpd.GeoDataFrame:
    rows = []
    share = np.sqrt(cells["people"].to_numpy()) + 0.01
    share = share / share.sum()
    for key, (zh, _, _, _, _, n) in SERVICES.items():
        for k, i in enumerate(rng.choice(len(cells), n, replace=False, p=share)):
            name = HOSTILE[k] if key == "kindergarten" and k < len(HOSTILE) else f"璧山{zh}{k + 1}号"
            rows.append(
                {
                    "facility_id": f"{key}-{k}",
                    "service": key,
                    "name": name if k % 9 != 8 else None,
                    "capacity": float(rng.integers(20, 300)) if k % 3 else np.nan,
                    "area_m2": 0.0,
                    "source": "streets.osm.pbf",
                    "kind": "synthetic",
                    "zone_id": cells["zone_id"].iloc[i],
                    "direction": cells["direction"].iloc[i],
                    "x": cells["x"].iloc[i] + rng.uniform(-40, 40),
                    "y": cells["y"].iloc[i] + rng.uniform(-40, 40),
                }
            )
    frame = pd.DataFrame(rows)
    points = gpd.points_from_xy(frame["x"], frame["y"])
    return gpd.GeoDataFrame(frame, geometry=points, crs=cells.crs)


def _access(cells: gpd.GeoDataFrame, facilities: gpd.GeoDataFrame, rng: np.random.Generator) -> pd.DataFrame:
    at = cells[["x", "y"]].to_numpy()
    south = at[:, 1] - at[:, 1].min()
    leaves = np.where(south < 2500, south / 1.111, np.nan)
    off = rng.random(len(cells)) < 0.01
    detour = rng.uniform(1.15, 1.5, len(cells))
    frames = []
    for key in SERVICES:
        mine = facilities[facilities["service"] == key]
        gap = np.hypot(*(at[:, None] - mine[["x", "y"]].to_numpy()[None]).transpose(2, 0, 1))
        near = gap.argmin(axis=1)
        value = gap.min(axis=1) * detour / 1.111
        status = np.where(value > 3600, "beyond_cutoff", "reached").astype(object)
        status[rng.random(len(cells)) < 0.004] = "unreachable"
        status[off] = "off_network"
        reached = status == "reached"
        ids = mine["facility_id"].to_numpy(dtype=object)[near]
        frames.append(
            pd.DataFrame(
                {
                    "origin_id": cells["cell_id"].to_numpy(),
                    "service": key,
                    "measure": "nearest",
                    "cutoff_s": 3600.0,
                    "value": np.where(reached, value, np.nan),
                    "status": status,
                    "facility_id": np.where(reached, ids, None),
                    "unknown_from_s": leaves,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _circles(cells: gpd.GeoDataFrame, facilities: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    rows, radii = [], []
    people = cells["people"].to_numpy()
    points = shapely.points(cells[["x", "y"]].to_numpy())
    for key, mine in facilities.groupby("service"):
        for minutes in (5, 10, 15):
            r = minutes * 66.7 / 1.3
            blobs = shapely.buffer(mine.geometry.to_numpy(), r, quad_segs=6)
            holes = shapely.buffer(shapely.points(shapely.get_coordinates(mine.geometry) + r / 2), r / 6)
            area = shapely.difference(shapely.union_all(blobs), shapely.union_all(holes))
            inside = shapely.contains(area, points)
            rows.append((key, float(minutes), int(people[inside].sum()), area.area / 1e6, area))
        for radius in (300.0, 500.0, 1000.0):
            whole = shapely.union_all(shapely.buffer(mine.geometry.to_numpy(), radius))
            shapely.prepare(whole)
            radii.append((key, radius, int(people[shapely.contains(whole, points)].sum())))
    columns = ["service", "cutoff_min", "people", "area_km2", "geometry"]
    circles = gpd.GeoDataFrame(pd.DataFrame(rows, columns=columns), geometry="geometry", crs=cells.crs)
    return circles, pd.DataFrame(radii, columns=["service", "radius_m", "people"])


def _layers(zones: gpd.GeoDataFrame, xy: np.ndarray) -> dict[str, gpd.GeoDataFrame]:
    crs, district = zones.crs, zones.geometry.iloc[0]
    codes = ["070102", "0703", "0804", "0806", "0901", "100101", "1207", "1401", "0103", "0301", "1701", "0501"]
    shapes, code = [], []
    for k, (x, y) in enumerate(xy):
        for i in range(6):
            for j in range(6):
                shapes.append(shapely.box(x + 400 * i - 1200, y + 400 * j - 1200, x + 400 * i - 820, y + 400 * j - 820))
                code.append(codes[(i * 5 + j * 3 + k) % len(codes)])
    landuse = gpd.GeoDataFrame({"code": code, "name": None, "kind": "synthetic"}, geometry=shapes, crs=crs)
    core = shapely.union_all(shapely.buffer(shapely.points(xy), 2500))
    ridge = shapely.intersection(district, shapely.transform(district, lambda p: p + np.array([7500, 0])))
    lines = gpd.GeoDataFrame(
        {"line_type": ["城镇开发边界", "生态保护红线", "永久基本农田"], "kind": "synthetic"},
        geometry=[
            shapely.intersection(core, district),
            ridge,
            shapely.intersection(district, shapely.buffer(shapely.points(xy[3] + 5000), 2500)),
        ],
        crs=crs,
    )
    order = np.argsort(xy[:, 1])
    river = shapely.buffer(shapely.linestrings(xy[order] + np.array([900, 300])), 70)
    water = gpd.GeoDataFrame({"kind": ["synthetic"]}, geometry=[shapely.intersection(river, district)], crs=crs)
    hills = shapely.difference(ridge, shapely.buffer(core, 800))
    green = gpd.GeoDataFrame({"kind": ["synthetic"]}, geometry=[hills], crs=crs)
    return {"landuse": landuse, "control_lines": lines, "water": water, "green": green}


def _fire(cells: gpd.GeoDataFrame, access: pd.DataFrame, zones: gpd.GeoDataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the way of fire engines as the study's measure, and its sums: five times as fast as on foot."""
    rows = access[access["service"] == "fire_station"].reset_index(drop=True)
    value = rows["value"] / 5
    status = rows["status"].where(rows["status"] != "reached", np.where(value <= 300, "reached", "beyond_cutoff"))
    status = status.where((status != "unreachable") | rows["unknown_from_s"].isna(), "unknown")
    table = rows[["origin_id", "unknown_from_s"]].assign(
        measure_name="fire_5min", measure="nearest_cost", mode="drive", services="fire_station", cutoff_s=300.0
    )
    table = table.assign(value=value, unit="s", status=status, kind="synthetic")
    people = cells.set_index("cell_id")["people"].reindex(table["origin_id"]).to_numpy()
    columns = {"district": "district", "direction": "direction", "township": "zone_id"}
    sums = []
    for kind, zone, name in zones[["zone_kind", "zone_id", "name"]].itertuples(index=False):
        mine = (cells.set_index("cell_id")[columns[kind]].reindex(table["origin_id"]) == zone).to_numpy()
        n = {"people": people[mine].sum(), "people_reached": people[mine & (status == "reached").to_numpy()].sum()}
        n["people_unknown"] = people[mine & status.isin(["unknown", "off_network"]).to_numpy()].sum()
        n |= {"value": float(value[mine].mean()), "label": "消防车 5 分钟到场"}
        sums.append({"zone_kind": kind, "zone_id": zone, "zone_name": name, **n})
    facts = {"measure_name": "fire_5min", "measure": "nearest_cost", "mode": "drive", "services": "fire_station"}
    facts |= {"cutoff_s": 300.0, "age_group": "all", "unit": "s", "kind": "synthetic"}
    return table, pd.DataFrame(sums).assign(**facts)


def add_findings(results: FakeResults) -> None:
    """Look for gaps, evaluate the policy and choose sites, as a run does."""
    from bishan_gis.planning.gaps import find_gaps
    from bishan_gis.planning.policy import evaluate_policy
    from bishan_gis.planning.study_sites import study_sites

    plans = [
        study_sites(results, service="library", sites=3),
        study_sites(results, service="park", sites=2, zone="西拓"),
    ]
    results.findings = Findings(gaps=find_gaps(results), policy=evaluate_policy(results), plans=plans)


@cache
def shared_results() -> FakeResults:
    """Return results with findings, made once for all tests of pages; nobody changes them, copies are changed."""
    return fake_results(scale=0.4, findings=True)


def fake_results(*, scale: float = 1.0, seed: int = 7, findings: bool = False) -> FakeResults:
    """Return results of a run that never was; `scale` multiplies cells and streets."""
    from bishan_gis.planning.coverage import coverage

    rng = np.random.default_rng(seed)
    study = load_study(STUDY)
    crs = load_crs(study.crs)
    names = list(PLACES)
    xy = np.column_stack(to_working([p[0] for p in PLACES.values()], [p[1] for p in PLACES.values()], crs))
    people = np.array([p[2] for p in PLACES.values()])
    people[-1] += 756_022 - people.sum()
    zones = _zones(crs, xy, names)
    cells = _cells(zones, xy, people, rng, scale).assign(district="500120")
    facilities = _facilities(cells, rng)
    access = _access(cells, facilities, rng)
    circles, radii = _circles(cells, facilities)
    ages = {"all": list(SHARES), **{p: [p] for p in SHARES}, "65+": ["65-79", "80+"]}
    member = {"district": "district", "direction": "direction", "township": "zone_id"}
    table = coverage(
        access,
        cells,
        zones,
        cutoffs_min=study.reach.cutoffs_min,
        age_groups=ages,
        member=member,
    )
    columns = ["zh", "en", "group", "level", "radius_m", "n"]
    services = pd.DataFrame.from_dict(SERVICES, orient="index", columns=columns)
    services = services.assign(standard="GB 50180-2018", clause="附录 C", tag="K")
    data = [
        ("streets.osm.pbf", "街道与设施", "Streets and facilities", "synthetic"),
        ("townships.geojson", "街镇界线", "Townships", "derived"),
        ("population.csv", "第七次人口普查", "Census 2020", "observed"),
        ("landuse.geojson", "用地用海", "Land use", "synthetic"),
    ]
    datasets = [FakeDataset(p, zh, en, "tools/make_bishan.py", "CC0-1.0", "2026-11", k) for p, zh, en, k in data]
    measures, zone_measures = _fire(cells, access, zones)
    results = FakeResults(
        study=study,
        zones=zones,
        cells=cells,
        facilities=facilities,
        services=services,
        access=access.assign(kind="synthetic"),
        coverage=table.assign(kind="synthetic"),
        circles=circles,
        radii=radii,
        network=_streets(crs, xy, people, rng, scale),
        datasets=datasets,
        warnings=[("12 处设施没有名称 <i>", "12 facilities without a name <i>")],
        profile={"name_zh": "成人", "name_en": "adult", "speed_kmh": 4.0},
        access_points=pd.DataFrame(facilities[["facility_id", "service", "x", "y"]]),
        measures=measures,
        zone_measures=zone_measures,
        record={"inputs": {}},
        **_layers(zones, xy),
    )
    if findings:
        add_findings(results)
    return results
