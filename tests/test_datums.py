"""Datums: known offsets, exact round trips, layers, undeclared shifts, mixed-up zones and axes."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod
from toy import EAST, NORTH, TOY_CRS
from toy_study import write_toy_study

from bishan_gis.crs import to_lonlat
from bishan_gis.datums import DATUMS, find_datum, frame_to_wgs84, from_wgs84, to_wgs84
from bishan_gis.errors import CrsError, NoDataError
from bishan_gis.sources.bounds import check_bounds, check_overlap
from bishan_gis.sources.inputs import load_inputs
from bishan_gis.sources.layers import load_layer
from bishan_gis.sources.shift import find_shift
from bishan_gis.study import load_study

GEOD = Geod(ellps="WGS84")


def offset(lon: float, lat: float, datum: str) -> tuple[float, float]:
    x, y = from_wgs84(lon, lat, datum)
    azimuth, _, metres = GEOD.inv(lon, lat, float(x), float(y))
    return metres, azimuth % 360


def test_the_known_offset_at_bishan() -> None:
    seat, corner = offset(106.22684, 29.59104, "gcj02"), offset(106.0396, 29.2816, "gcj02")
    assert round(seat[0]) == 472
    assert round(corner[0]) == 481
    assert 120 < seat[1] < 135  # to the south-east
    assert 1040 < offset(106.22684, 29.59104, "bd09")[0] < 1100
    assert offset(106.22684, 29.59104, "cgcs2000")[0] == 0


def test_published_pairs() -> None:
    # github.com/googollee/eviltransform, its own test: Shanghai, Shenzhen, Beijing
    for lat, lon, gcj_lat, gcj_lon in [
        (31.1774276, 121.5272106, 31.17530398364597, 121.531541859215),
        (22.543847, 113.912316, 22.540796131694766, 113.9171764808363),
        (39.911954, 116.377817, 39.91334545536069, 116.38404722455657),
    ]:
        x, y = from_wgs84(lon, lat, "gcj02")
        assert float(GEOD.inv(float(x), float(y), gcj_lon, gcj_lat)[2]) < 0.01


@settings(max_examples=200, deadline=None)
@given(st.floats(73.0, 137.0), st.floats(3.0, 54.0), st.sampled_from(["gcj02", "bd09"]))
def test_round_trips(lon: float, lat: float, datum: str) -> None:
    back = to_wgs84(*from_wgs84(lon, lat, datum), datum)
    assert float(GEOD.inv(lon, lat, float(back[0]), float(back[1]))[2]) < 1e-5
    there = from_wgs84(*to_wgs84(lon, lat, datum), datum)
    assert float(GEOD.inv(lon, lat, float(there[0]), float(there[1]))[2]) < 1e-5


def test_outside_china_not_a_number_and_shapes() -> None:
    lon, lat = np.array([[24.94, np.nan], [106.2, 140.0]]), np.array([[60.17, 29.0], [29.6, 35.0]])
    before = lon.copy()
    x, y = from_wgs84(lon, lat, "bd09")
    assert np.array_equal(lon, before, equal_nan=True)
    assert (x[0, 0], y[0, 0], x[1, 1], y[1, 1]) == (24.94, 60.17, 140.0, 35.0)
    assert np.isnan(x[0, 1])
    assert x[1, 0] != 106.2
    assert to_wgs84([], [], "gcj02")[0].shape == (0,)
    with pytest.raises(CrsError, match=r"gcj2.*gcj02"):
        to_wgs84(1, 1, "gcj2")
    assert [find_datum(t) for t in ("GCJ-02", "百度", "EPSG:4490", "xian80")] == ["gcj02", "bd09", "cgcs2000", None]


def test_layers_of_every_kind(tmp_path: Path) -> None:
    shapes = [
        shapely.Point(106.2, 29.6),
        shapely.LineString([(106.2, 29.6), (106.21, 29.61)]),
        shapely.box(106.2, 29.6, 106.22, 29.61),
    ]
    frame = gpd.GeoDataFrame({"n": [1, 2, 3]}, geometry=shapes, crs=4326)
    for datum in DATUMS:
        moved = frame.set_geometry(
            shapely.transform(
                frame.geometry.to_numpy(), lambda p, d=datum: np.column_stack(from_wgs84(p[:, 0], p[:, 1], d))
            ),
            crs=4326,
        )
        for crs in (4326, 4544):
            path = tmp_path / f"{datum}{crs}.gpkg"
            moved.to_crs(crs).to_file(path)
            out = load_layer(path, datum=datum)
            assert np.allclose(
                shapely.get_coordinates(out.geometry), shapely.get_coordinates(frame.geometry), atol=1e-9
            )
            assert bool(out.attrs["warnings"]) == (datum in ("gcj02", "bd09"))
    with pytest.raises(CrsError, match="4326"):
        frame_to_wgs84(frame.to_crs(4544), "gcj02")


# --- shifts ------------------------------------------------------------------------------------------------


def town(n: int = 12, step: float = 400.0) -> np.ndarray:
    """Return the streets of a town whose blocks are too large for a shift to hide in."""
    size = step * (n - 1)
    rng = np.random.default_rng(3)
    at = np.arange(n) * step + rng.uniform(-60, 60, n)
    across = [shapely.LineString([(EAST, NORTH + y), (EAST + size, NORTH + y)]) for y in at]
    along = [shapely.LineString([(EAST + x, NORTH), (EAST + x, NORTH + size)]) for x in at]
    return np.array([*across, *along], dtype=object)


def places(n: int, *, seed: int = 0, names: bool = False) -> gpd.GeoDataFrame:
    """Return places 5 to 25 m beside the streets, WGS84."""
    rng = np.random.default_rng(seed)
    streets = town()
    picked = streets[rng.integers(0, len(streets), n)]
    spots = shapely.get_coordinates(shapely.line_interpolate_point(picked, rng.uniform(0.1, 0.9, n), normalized=True))
    spots += rng.uniform(5, 25, (n, 1)) * rng.choice([-1, 1], (n, 1))
    lon, lat = to_lonlat(spots[:, 0], spots[:, 1], TOY_CRS)
    title = [f"第{i}小学" if names else "" for i in range(n)]
    return gpd.GeoDataFrame({"name": title}, geometry=gpd.points_from_xy(lon, lat), crs=4326)


def shifted(frame: gpd.GeoDataFrame, datum: str) -> gpd.GeoDataFrame:
    x, y = from_wgs84(frame.geometry.x, frame.geometry.y, datum)
    return frame.set_geometry(gpd.points_from_xy(x, y), crs=4326)


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09"])
def test_undeclared_shift_is_found_by_streets_and_by_names(datum: str) -> None:
    right = places(120, names=True)
    used = shifted(right, datum)
    for found in (find_shift(used, crs=TOY_CRS, streets=town()), find_shift(used, crs=TOY_CRS, known=right)):
        assert found.likely_datum == datum
        assert found.shifted == (datum != "wgs84")
        expected = offset(*right.geometry.iloc[0].coords[0], datum)
        assert found.offset_m == pytest.approx(expected[0], abs=12)
        said = found.message("pois.csv")
        assert (said is None) == (datum == "wgs84")
        if said:
            assert f'datum = "{datum}"' in said[0]


def test_a_wrong_declaration_is_found() -> None:
    right = places(120)
    read = frame_to_wgs84(right, "gcj02")  # declared GCJ-02, is WGS84
    found = find_shift(read, crs=TOY_CRS, streets=town(), declared="gcj02")
    assert (found.likely_datum, found.shifted) == ("wgs84", True)
    good = find_shift(right, crs=TOY_CRS, streets=town(), declared="gcj02")  # was GCJ-02, was brought back
    assert (good.likely_datum, good.shifted) == ("gcj02", False)


def test_what_no_datum_explains_and_what_cannot_be_told() -> None:
    right = places(60, names=True)
    moved = right.set_geometry(
        shapely.transform(right.geometry.to_numpy(), lambda p: p - np.array([0.003, 0.0])), crs=4326
    )
    other = find_shift(moved, crs=TOY_CRS, known=right)
    assert (other.likely_datum, other.by) == ("other", "names")
    assert other.direction_deg == pytest.approx(270, abs=2)
    few = find_shift(right.head(4), crs=TOY_CRS, known=right, streets=town())
    assert (few.likely_datum, few.shifted, few.message("x")) == ("unknown", False, None)
    abroad = gpd.GeoDataFrame({"name": ["a"] * 50}, geometry=gpd.points_from_xy([24.9] * 50, [60.2] * 50), crs=4326)
    assert find_shift(abroad, crs=CRS.from_epsg(3067), streets=town()).likely_datum == "unknown"


def test_no_false_alarm() -> None:
    rng = np.random.default_rng(7)
    for seed in range(12):
        assert not find_shift(places(80, seed=seed), crs=TOY_CRS, streets=town()).shifted
        anywhere = to_lonlat(EAST + rng.uniform(0, 4400, 150), NORTH + rng.uniform(0, 4400, 150), TOY_CRS)
        frame = gpd.GeoDataFrame({"name": ""}, index=range(150), geometry=gpd.points_from_xy(*anywhere), crs=4326)
        assert not find_shift(frame, crs=TOY_CRS, streets=town()).shifted


def test_a_study_reads_by_the_declared_datum(tmp_path: Path) -> None:
    file = write_toy_study(tmp_path)
    raw = tmp_path / "data" / "raw"
    lon, lat = to_lonlat([EAST + 300], [NORTH + 300], TOY_CRS)
    gcj = from_wgs84(lon, lat, "gcj02")
    frame = gpd.GeoDataFrame({"service": ["park"]}, geometry=gpd.points_from_xy(*gcj), crs=4326)
    frame.to_file(raw / "p.geojson")
    text = file.read_text(encoding="utf-8").replace(
        "[directions]", '[[inputs.facilities]]\npath = "p.geojson"\ndatum = "gcj02"\n[directions]', 1
    )
    file.write_text(text, encoding="utf-8")
    data = load_inputs(load_study(file))
    spot = data.facilities[0][1].to_crs(TOY_CRS).geometry.iloc[0]
    assert spot.distance(shapely.Point(EAST + 300, NORTH + 300)) < 0.02
    assert any("GCJ-02" in zh for zh, _ in data.notes)


# --- zones and axes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "epsg", "said"),
    [
        ((35_600_000, 3_260_000, 35_610_000, 3_270_000), 4544, "EPSG:4523"),
        ((600_000, 3_260_000, 610_000, 3_270_000), 4523, "EPSG:4544"),
        ((18_600_000, 3_260_000, 18_610_000, 3_270_000), 4544, "EPSG:4496"),
        ((18_600_000, 3_260_000, 18_610_000, 3_270_000), 4326, "EPSG:4496"),
        ((35_600_000, 3_260_000, 35_610_000, 3_270_000), 4326, "EPSG:4523"),
        ((3_260_000, 600_000, 3_270_000, 610_000), 4544, "swapped"),
        ((29.5, 106.1, 29.7, 106.3), 4326, "swapped"),
        ((106.1, 29.5, 106.3, 29.7), 4544, "EPSG:4326"),
    ],
)
def test_impossible_coordinates_are_explained(bounds: tuple[float, ...], epsg: int, said: str) -> None:
    with pytest.raises(CrsError, match=said):
        check_bounds(bounds, CRS.from_epsg(epsg), where="x")


def test_possible_but_elsewhere_is_explained() -> None:
    study = (87.4, 43.6, 87.8, 44.0)
    lonlat, here = CRS.from_epsg(4326), (106.04, 29.28, 106.37, 29.89)
    check_overlap((87.5, 43.7, 87.6, 43.8), lonlat, study, where="x")
    with pytest.raises(NoDataError, match="swapped"):
        check_overlap((43.7, 87.5, 43.8, 87.6), lonlat, study, where="x")
    inside = (600_000, 3_260_000, 610_000, 3_270_000)
    check_overlap(inside, CRS.from_epsg(4544), here, where="x")
    with pytest.raises(NoDataError, match="EPSG:4544"):
        check_overlap(inside, CRS.from_epsg(4543), here, where="x")
    with pytest.raises(NoDataError, match="check the file"):
        check_overlap((10, 50, 11, 51), lonlat, here, where="x")
