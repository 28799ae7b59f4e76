"""The engine of the what-if page, in a real browser, against the engine in Python: to the millisecond."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from helsinki import HELSINKI_CRS, helsinki_pbf
from pyproj import CRS
from toy import grid_network

from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.reached_streets import reached_streets
from bishan_gis.crs import to_working
from bishan_gis.errors import CrsError
from bishan_gis.network.costs import EdgeCosts, edge_costs, load_profile
from bishan_gis.network.graph import Network
from bishan_gis.network.snap import snap_points
from bishan_gis.network.star import NOT_REACHED
from bishan_gis.output.maps.elements import asset
from bishan_gis.output.maps.pack import pack
from bishan_gis.output.maps.whatif_pack import (
    fit_projection,
    project,
    snap_columns,
    street_columns,
    transverse_mercator,
)

MAX_SNAP_M, SERVICE = 200.0, "s"
SCRIPTS = ("pack.js", "engine.js", "engine_search.js", "engine_ask.js")
CUTOFFS_S = [300.0, 600.0, 900.0]


def hard(network: Network) -> Network:
    """Some streets one way, and hills: every cost depends on the direction."""
    rng = np.random.default_rng(5)
    one_way = rng.random(network.n_edges) < 0.1
    height = 20 * np.sin(network.node_x / 300) + rng.uniform(0, 2, network.n_nodes)
    return replace(network, edge_backward=network.edge_backward & ~one_way, node_elevation_m=height)


@pytest.fixture(scope="module")
def helsinki() -> Network:
    return replace(Network.from_osm(helsinki_pbf(), crs=HELSINKI_CRS), island_m=1000.0)


@pytest.fixture(scope="module", params=["streets", "hills and waits", "another projection", "own roads"])
def town(request, helsinki):
    """Streets, their costs, what they are stored as, and how many places are tried."""
    adult = load_profile("adult")
    if request.param == "streets":
        return helsinki, edge_costs(helsinki, adult), ("degrees", "tm"), 60
    if request.param == "hills and waits":
        network = hard(Network.from_osm(helsinki_pbf(), crs=HELSINKI_CRS, controls=True))
        waits = replace(adult, delays={"signals": 20.0, "crossing": 3.5, "crossing_signals": 11.0})
        return network, edge_costs(network, waits, slope="tobler"), ("metres", "tm"), 25
    if request.param == "another projection":
        network = Network.from_osm(helsinki_pbf(), crs="EPSG:3035")
        return network, edge_costs(network, adult), ("metres", "poly"), 15
    network = grid_network(25, seed=4)
    return network, edge_costs(network, replace(adult, leg_kmh=3.3)), ("metres", "tm"), 15


class Side:
    """Cells and facilities of a town, and the engine in the browser that holds them."""

    def __init__(self, browser: Any, network: Network, costs: EdgeCosts) -> None:
        rng = np.random.default_rng(11)
        self.network, self.costs = network, costs
        self.columns = street_columns(network, costs)
        cells = self.near_nodes(rng, 400, 60)
        self.cells = pd.DataFrame({"origin_id": np.arange(len(cells)), "x": cells[:, 0], "y": cells[:, 1]})
        doors = np.vstack([self.near_nodes(rng, 30, 40), np.column_stack([network.node_x, network.node_y])[:4]])
        ids = [f"f{i % 28}" for i in range(len(doors))]
        self.doors = pd.DataFrame({"facility_id": ids, "service": SERVICE, "x": doors[:, 0], "y": doors[:, 1]})
        self.ids = sorted(set(ids))
        columns = {
            **self.columns,
            **self._snapped("c", self.cells),
            "do": ("dv", [self.ids.index(i) for i in ids]),
            **self._snapped("d", self.doors),
            "ids": ("js", self.ids),
        }
        self.page = browser.new_page()
        self.page.set_content(f'<script type="text/plain" id="d">{pack(columns)}</script>')
        self.page.add_script_tag(content="\n".join(asset(n) for n in SCRIPTS))
        legs = costs.profile.leg_kmh or costs.profile.speed_kmh
        found = self.page.evaluate(
            """async ([services, rules]) => { const d = await BG.unpack("d"); window.E = {};
            BG.engineParts.forEach((part) => part(E));
            const o = E.answers.setup({columns: d, ids: d.ids, services, rules});
            return [...o.leave]; }""",
            [[SERVICE] * len(self.ids), {"maxSnap": MAX_SNAP_M, "legKmh": legs}],
        )
        self.leave = self._seconds(found)

    def near_nodes(self, rng: np.random.Generator, n: int, off_m: float) -> np.ndarray:
        """Return places near streets, in whole centimetres."""
        at = rng.integers(0, self.network.n_nodes, n)
        xy = np.column_stack([self.network.node_x, self.network.node_y])[at]
        return np.round(xy + rng.normal(0, off_m, (n, 2)), 2)

    def _snapped(self, prefix: str, table: pd.DataFrame) -> dict[str, Any]:
        usable = self.costs.usable
        snaps = snap_points(self.network, table["x"], table["y"], max_snap_m=MAX_SNAP_M, usable=usable)
        return snap_columns(prefix, self.costs, snaps)

    @staticmethod
    def _seconds(ms: list[int]) -> np.ndarray:
        out = np.array(ms, dtype=float)
        return np.where(out == NOT_REACHED, np.nan, out / 1000)

    def ask(self, what: str, how: Any) -> Any:
        return self.page.evaluate(
            """([what, how]) => { const o = E.answers[what](how);
            return JSON.parse(JSON.stringify(o, (k, v) => (ArrayBuffer.isView(v) ? [...v] : v))); }""",
            [what, how],
        )

    def nearest(self, points: pd.DataFrame, origins: pd.DataFrame | None = None, **options: Any) -> pd.DataFrame:
        origins = self.cells if origins is None else origins
        return nearest_cost(self.network, self.costs, origins, points, max_snap_m=MAX_SNAP_M, **options).table

    def places(self, n: int) -> np.ndarray:
        """Return places near, at and far from streets, in whole centimetres."""
        rng = np.random.default_rng(n)
        at_nodes = np.round(self.near_nodes(rng, max(n // 6, 2), 0), 2)
        outside = [self.network.node_x.max() + 900, self.network.node_y.max() + 900]
        near, far = (self.near_nodes(rng, k, m) for k, m in ((n - 2 * len(at_nodes) - 1, 40), (len(at_nodes), 300)))
        return np.vstack([near, at_nodes, far, np.round([outside], 2)])


@pytest.fixture(scope="module")
def side(browser, town):
    network, costs, stored, n = town
    out = Side(browser, network, costs)
    meta = out.columns["meta"][1]
    assert (meta["unit"], meta["projection"]["kind"]) == stored
    out.n = n
    yield out
    out.page.close()


def test_time_to_leave_the_data(side):
    table = side.nearest(side.doors)
    np.testing.assert_array_equal(side.leave, table["unknown_from_s"].to_numpy())


def test_places_random_and_at_corners(side):
    """A new facility at a random place, others closed: time and nearest facility of every cell are the same."""
    rng = np.random.default_rng(2)
    off = 0
    for x, y in side.places(side.n):
        gone = rng.choice(len(side.ids), size=int(rng.integers(0, 5)), replace=False).tolist()
        found = side.ask("nearest", {"service": SERVICE, "gone": gone, "add": [{"x": x, "y": y, "id": "e"}]})
        kept = side.doors[~side.doors["facility_id"].isin([side.ids[i] for i in gone])]
        new = pd.DataFrame({"facility_id": ["e"], "service": [SERVICE], "x": [x], "y": [y]})
        table = side.nearest(pd.concat([kept, new], ignore_index=True))
        np.testing.assert_array_equal(side._seconds(found["ms"]), table["value"].to_numpy())
        who = [None if i < 0 else "e" if i == len(side.ids) else side.ids[i] for i in found["who"]]
        assert who == [i if isinstance(i, str) else None for i in table["facility_id"]]
        status = table["status"].eq("off_network").to_numpy()
        assert (np.array(found["ms"])[status] == NOT_REACHED).all()
        off += found["snaps"][0]["off"]
    assert 0 < off < side.n / 2


def test_from_anywhere(side):
    """What is reached from a place: cells, facilities and streets."""
    for x, y in side.places(side.n)[:: side.n // 4]:
        found = side.ask("reach", {"x": x, "y": y, "limits": [int(c * 1000) for c in CUTOFFS_S]})
        place = pd.DataFrame({"facility_id": ["p"], "origin_id": ["p"], "service": [SERVICE], "x": [x], "y": [y]})
        table = side.nearest(place, direction="from")
        np.testing.assert_array_equal(side._seconds(found["ms"]), table["value"].to_numpy())
        alone = side.doors.assign(service=side.doors["facility_id"])
        table = side.nearest(alone, place).set_index("service")["value"].reindex(side.ids)
        np.testing.assert_array_equal(side._seconds(found["fac"]), table.to_numpy())
        streets = reached_streets(
            side.network, side.costs, place, cutoffs_s=CUTOFFS_S, direction="from", max_snap_m=MAX_SNAP_M
        )
        count = np.bincount(np.array(found["lines"]["c"], dtype=int), minlength=3)
        assert count.tolist() == [int((streets["cutoff_s"] == c).sum()) for c in CUTOFFS_S]


def test_the_suggested_site_is_the_best_of_all_corners(side):
    """Its gain is what a pin there gains, and no other corner near gains more."""
    weight = np.random.default_rng(1).integers(0, 50, len(side.cells))
    base = side._seconds(side.ask("nearest", {"service": SERVICE, "gone": [], "add": []})["ms"])
    missing = np.where(base <= 240, 0, weight)
    x, y = side.cells[["x", "y"]].mean()
    how = {"x": x, "y": y, "radius": 400, "limit": 240_000, "missing": missing.tolist(), "apart": 0, "count": 10_000}
    found = side.ask("suggest", how)
    assert found["tried"] >= len(found["best"]) > 0
    for site in [found["best"][0], *found["best"][-2:]]:
        add = [{"x": site["x"], "y": site["y"], "id": "new"}]
        now = side._seconds(side.ask("nearest", {"service": SERVICE, "gone": [], "add": add})["ms"])
        assert int(weight[(now <= 240) & ~(base <= 240)].sum()) == site["gain"]
    gains = [s["gain"] for s in found["best"]]
    assert gains == sorted(gains, reverse=True)


def test_degrees_and_metres_in_the_browser(side):
    network = side.network
    lon, lat = (a[:: len(a) // 40] for a in _degrees(network))
    xy = np.array(side.ask("project", np.column_stack([lon, lat]).tolist()))
    near = 1e-6 if side.columns["meta"][1]["projection"]["kind"] == "tm" else 0.01
    assert np.abs(xy - np.column_stack(to_working(lon, lat, network.crs))).max() < near
    back = np.array(side.ask("unproject", xy.tolist()))
    assert np.abs(back - np.column_stack([lon, lat])).max() < 1e-10


def _degrees(network: Network) -> tuple[np.ndarray, np.ndarray]:
    points = gpd.GeoSeries.from_xy(network.node_x, network.node_y, crs=network.crs).to_crs(4326)
    return points.x.to_numpy(), points.y.to_numpy()


@pytest.mark.parametrize("code", [4544, 4490 + 33, 32648, 2100, 27700, 3067])
def test_the_series_is_proj_within_a_nanometre(code):
    crs = CRS.from_epsg(code)
    p = transverse_mercator(crs)
    west, south, east, north = crs.area_of_use.bounds
    lon, lat = np.random.default_rng(0).uniform([west, south], [east, north], (200, 2)).T
    mine = np.column_stack(project(p, lon, lat))
    theirs = np.column_stack(to_working(lon, lat, crs))
    if code in (2100, 27700):
        # Other ellipsoids and shifts: what differs is the datum, and such streets are stored in metres.
        assert np.abs(mine - theirs).max() > 1
    else:
        assert np.abs(mine - theirs).max() < 1e-7


def test_a_projection_that_cannot_be_fitted_is_refused():
    assert transverse_mercator(CRS.from_epsg(3035)) is None
    p = fit_projection(CRS.from_epsg(3035), (24.0, 60.0, 25.0, 60.5))
    assert p["kind"] == "poly"
    with pytest.raises(CrsError, match="1 厘米"):
        fit_projection(CRS.from_epsg(3035), (-60.0, 10.0, 60.0, 80.0))
