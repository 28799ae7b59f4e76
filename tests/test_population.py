"""People: the three forms, their checks, and that every total is kept to the person."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from bishan_gis.errors import ControlTotalError, NoDataError, SchemaError
from bishan_gis.places.population import build_cells, build_controls, interleave_parts, largest_remainder
from bishan_gis.places.weights import cut_by_zone, residential_weights
from bishan_gis.sources.population import check_controls, load_population
from bishan_gis.study_settings import Cells, PopulationInput

WORK = CRS("EPSG:4544")
X0, Y0 = 600000.0, 3270000.0
PARTS = ("0-14", "15-64", "65+")
SQUARE = Cells(type="square", size_m=100)


def townships() -> gpd.GeoDataFrame:
    """Two towns side by side, 1 km x 1 km each; the border x = 950 m cuts a column of cells."""
    shape = [shapely.box(X0, Y0, X0 + 950, Y0 + 1000), shapely.box(X0 + 950, Y0, X0 + 2000, Y0 + 1000)]
    return gpd.GeoDataFrame({"zone_id": ["t1", "t2"], "name": ["甲", "乙"]}, geometry=shape, crs=WORK)


def controls(first: tuple[int, ...] = (2, 5, 3), second: tuple[int, ...] = (1, 1, 1)) -> pd.DataFrame:
    table = pd.DataFrame([first, second], columns=list(PARTS))
    table.insert(0, "people", table.sum(axis=1))
    table.insert(0, "zone_id", ["t1", "t2"])
    return table


def points(rows: list[tuple[float, float, float]]) -> gpd.GeoDataFrame:
    x, y, w = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    return gpd.GeoDataFrame({"weight": w}, geometry=gpd.points_from_xy(X0 + x, Y0 + y), crs=WORK)


# --- by hand -----------------------------------------------------------------------------------------------


def test_cells_by_hand() -> None:
    weights = points([(10, 10, 3), (30, 10, 1), (510, 510, 1), (1500, 500, 1)])
    cells, check = build_cells(controls(), townships(), weights, cells=SQUARE, crs=WORK, parts=PARTS)
    assert cells["cell_id"].tolist() == ["E6000N32700", "E6005N32705", "E6015N32705"]
    assert cells["people"].tolist() == [8, 2, 3]  # 10 people by weight 4 : 1
    assert cells[["x", "y"]].iloc[0].tolist() == [X0 + 15, Y0 + 10]  # (3 x 10 + 1 x 30) / 4
    assert cells.geometry.iloc[0].equals(shapely.box(X0, Y0, X0 + 100, Y0 + 100))
    assert (cells[list(PARTS)].sum(axis=1) == cells["people"]).all()
    assert check["difference"].eq(0).all()
    assert check.loc[check["part"] == "all", "placed"].tolist() == [10, 3]
    assert cells["kind"].unique().tolist() == ["derived"]


def test_a_cell_on_a_border_stands_once_per_township() -> None:
    weights = points([(910, 10, 1), (960, 10, 1)])
    cells, _ = build_cells(controls(), townships(), weights, cells=SQUARE, crs=WORK, parts=PARTS)
    assert cells["cell_id"].tolist() == ["E6009N32700-t1", "E6009N32700-t2"]
    assert cells["people"].tolist() == [10, 3]
    assert cells["zone_id"].tolist() == ["t1", "t2"]


def test_an_area_is_cut_at_borders_and_cell_sides() -> None:
    land = gpd.GeoDataFrame({"weight": [30.0]}, geometry=[shapely.box(X0 + 850, Y0, X0 + 1150, Y0 + 50)], crs=WORK)
    pieces, outside = cut_by_zone(land, townships(), ["weight"])
    assert pieces["weight"].tolist() == pytest.approx([10, 20])
    assert outside["weight"] == pytest.approx(0)
    cells, _ = build_cells(controls(), townships(), land, cells=SQUARE, crs=WORK, parts=PARTS)
    placed = dict(zip(cells["cell_id"], cells["people"], strict=True))
    assert placed == {
        "E6008N32700": 5,
        "E6009N32700-t1": 5,
        "E6009N32700-t2": 1,
        "E6010N32700": 1,
        "E6011N32700": 1,
    }
    assert cells["x"].iloc[0] == pytest.approx(X0 + 875)


def test_a_township_without_weights_is_spread_evenly_and_named() -> None:
    cells, _ = build_cells(
        controls((200, 300, 450), (1, 1, 1)),
        townships(),
        points([(1500, 500, 1)]),
        cells=SQUARE,
        crs=WORK,
        parts=PARTS,
    )
    first = cells[cells["zone_id"] == "t1"]
    assert len(first) == 100
    assert set(first["people"]) == {5, 10}  # 950 people: 10 a cell, 5 in the half cells at the border
    assert "t1" in cells.attrs["warnings"][0][1]


def test_parts_may_have_weights_of_their_own() -> None:
    weights = points([(10, 10, 10), (510, 510, 10), (1500, 500, 1)]).assign(
        **{"0-14": [2.0, 0.0, 1], "15-64": [0.0, 5.0, 1], "65+": [2.0, 1.0, 1]}
    )
    cells, _ = build_cells(controls(), townships(), weights, cells=SQUARE, crs=WORK, parts=PARTS)
    assert cells[list(PARTS)].to_numpy().tolist() == [[2, 0, 2], [0, 5, 1], [1, 1, 1]]


def test_largest_remainder_and_interleave() -> None:
    assert largest_remainder(5, [1, 1, 2]).tolist() == [1, 1, 3]
    assert largest_remainder(7, [0, 0, 0]).tolist() == [3, 2, 2]
    assert largest_remainder(0, [1, 2]).tolist() == [0, 0]
    assert interleave_parts([1, 1, 1, 1], [2, 1, 1]).sum(axis=0).tolist() == [2, 1, 1]
    # small parts are not drawn to large cells: 4 in 40 go one to each of four equal cells
    assert interleave_parts([10, 10, 10, 10], [36, 4])[:, 1].tolist() == [1, 1, 1, 1]


def test_h3_cells() -> None:
    weights = points([(10, 10, 3), (510, 510, 1), (1500, 500, 1)])
    for given_weights in (weights, None):
        cells, check = build_cells(
            controls((20, 50, 30)),
            townships(),
            given_weights,
            cells=Cells(type="h3", resolution=9),
            crs=WORK,
            parts=PARTS,
        )
        assert check["difference"].eq(0).all()
        where = shapely.points(cells["x"], cells["y"])
        assert (shapely.distance(cells.geometry.to_numpy(), where) < 0.01).all()


# --- properties --------------------------------------------------------------------------------------------

people = st.tuples(*[st.integers(0, 400)] * 3)
spots = st.lists(
    st.tuples(st.floats(0, 2000), st.floats(0, 1000), st.one_of(st.just(0.0), st.floats(1e-3, 1e4))),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(first=people, second=people, rows=spots, size=st.sampled_from([100.0, 333.0]), seed=st.integers(0, 99))
def test_totals_are_exact_and_order_does_not_matter(
    first: tuple[int, ...],
    second: tuple[int, ...],
    rows: list[tuple[float, float, float]],
    size: float,
    seed: int,
) -> None:
    if sum(first) + sum(second) == 0:
        return
    weights, table = points(rows), controls(first, second)
    options = {"cells": Cells(type="square", size_m=size), "crs": WORK, "parts": PARTS}
    cells, check = build_cells(table, townships(), weights, **options)
    columns = ["people", *PARTS]
    placed = cells.groupby("zone_id")[columns].sum().reindex(["t1", "t2"], fill_value=0)
    assert placed.to_numpy().tolist() == table[columns].to_numpy().tolist()
    assert (cells[list(PARTS)].sum(axis=1) == cells["people"]).all()
    assert (cells[columns].to_numpy() >= 0).all()
    assert (cells["people"] > 0).all()
    assert cells["cell_id"].is_unique
    assert cells[columns].dtypes.eq(np.int64).all()
    shuffle = np.random.default_rng(seed).permutation(len(weights))
    again, check_again = build_cells(table.iloc[::-1], townships().iloc[::-1], weights.iloc[shuffle], **options)
    pd.testing.assert_frame_equal(pd.DataFrame(cells), pd.DataFrame(again))
    pd.testing.assert_frame_equal(check, check_again)


@settings(max_examples=200, deadline=None)
@given(total=st.integers(0, 10**6), weights=st.lists(st.floats(0, 1e9), min_size=1, max_size=50))
def test_largest_remainder_stays_within_one(total: int, weights: list[float]) -> None:
    out = largest_remainder(total, weights)
    assert out.sum() == total
    assert (out >= 0).all()
    if sum(weights) > 0:
        quota = total * (np.array(weights) / max(weights)) / (np.array(weights) / max(weights)).sum()
        assert (np.abs(out - quota) < 1 + 1e-6).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=20))
def test_interleave_keeps_both_margins(table: list[tuple[int, ...]]) -> None:
    real = np.array(table)
    out = interleave_parts(real.sum(axis=1), real.sum(axis=0).tolist())
    assert (out >= 0).all()
    assert out.sum(axis=1).tolist() == real.sum(axis=1).tolist()
    assert out.sum(axis=0).tolist() == real.sum(axis=0).tolist()


# --- files -------------------------------------------------------------------------------------------------

SETTING = PopulationInput(
    path="p.csv", zone="code", parts={"0-14": "a", "15-64": "b", "65+": "c"}, groups={"all ages": list(PARTS)}
)
TABLE = 'code,名称,people,a,b,c\nt1,甲,10,2,5,3\nt2,乙,"1,003",1,"1,001",1\n'


def load(folder: Path, text: str = TABLE, encoding: str = "utf-8", setting: PopulationInput = SETTING) -> pd.DataFrame:
    path = folder / "p.csv"
    path.write_bytes(text.encode(encoding))
    out = load_population(path, setting, zones=townships()).controls
    assert out is not None
    return out


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_table(tmp_path: Path, encoding: str) -> None:
    out = load(tmp_path, encoding=encoding)
    assert out.to_numpy().tolist() == [["t1", 10, 2, 5, 3], ["t2", 1003, 1, 1001, 1]]


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("t1,甲,10", "t1,甲,11", ControlTotalError, r"t1: -1"),
        ("t1,甲,10,2", "t1,甲,10,-2", SchemaError, r"a 2: '-2'"),
        ("t1,甲,10,2", "t1,甲,10,2.5", SchemaError, r"a 2: '2\.5'"),
        ("t1,甲,10,2", "t1,甲,10,", SchemaError, r"a 2: ''"),
        ("t2,乙", "t3,丙", SchemaError, r"not in the township layer: t3.*1 townships have no row: t2 乙"),
        ("t2,乙", "t1,乙", SchemaError, r"listed twice: t1"),
        ("people,a", "peopl,a", SchemaError, r"missing column people.*did you mean peopl"),
        (TABLE[TABLE.index("t1") :], "", NoDataError, "no row"),
    ],
)
def test_bad_tables(tmp_path: Path, old: str, new: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        load(tmp_path, TABLE.replace(old, new))


def test_all_problems_of_a_table_at_once() -> None:
    table = controls().assign(people=[11, 3], zone_id=["t1", "t9"])
    with pytest.raises(ControlTotalError, match=r"off by t1: -1.*township layer: t9.*no row: t2"):
        check_controls(table, PARTS, zones=townships())


def test_shares(tmp_path: Path) -> None:
    setting = PopulationInput(path="p.csv", zone="code", shares={"young": 0.25, "old": 0.75})
    (tmp_path / "p.csv").write_text(TABLE, encoding="utf-8")
    found = load_population(tmp_path / "p.csv", setting, zones=townships())
    table = build_controls(found, townships(), crs=WORK)
    assert table[["young", "old"]].sum().tolist() == [253, 760]
    assert (table["young"] + table["old"] == table["people"]).all()
    wrong = setting.model_copy(update={"shares": {"young": 0.5, "old": 0.6}})
    with pytest.raises(ControlTotalError, match=r"1\.1"):
        load_population(tmp_path / "p.csv", wrong)


def make_raster(folder: Path, values: np.ndarray, **more: object) -> Path:
    path = folder / "p.tif"
    options = {
        "driver": "GTiff",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": "float64",
    }
    options |= {
        "crs": "EPSG:4544",
        "transform": rasterio.Affine(100, 0, X0 - 50, 0, -100, Y0 + 1050),
        "nodata": -1.0,
        **more,
    }
    with rasterio.open(path, "w", **options) as out:
        out.write(values, 1)
    return path


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_raster_agrees_with_exactextract(tmp_path: Path) -> None:
    from exactextract import exact_extract

    values = np.random.default_rng(1).gamma(0.7, 20, (12, 22))
    values[3, 3:6] = -1.0
    path = make_raster(tmp_path, values)
    setting = PopulationInput(path="p.tif", type="raster", shares={"0-14": 0.2, "15-64": 0.5, "65+": 0.3})
    found = load_population(path, setting, bounds=(105, 29, 107, 30))
    towns = townships()
    table = build_controls(found, towns, crs=WORK)
    truth = exact_extract(path, towns, ["sum"], output="pandas")["sum"].to_numpy()
    assert np.abs(table["people"] - truth).max() < 1
    assert table["people"].sum() == round(truth.sum())
    assert "outside" in table.attrs["warnings"][0][1]
    cells, check = build_cells(table, towns, found.weights, cells=SQUARE, crs=WORK, parts=found.parts)
    assert check["difference"].eq(0).all()
    assert cells["people"].sum() == round(truth.sum())


def test_bad_population_rasters(tmp_path: Path) -> None:
    setting = PopulationInput(path="p.tif", type="raster")
    with pytest.raises(SchemaError, match="below zero"):
        load_population(make_raster(tmp_path, np.full((2, 2), -5.0)), setting)
    with pytest.raises(NoDataError):
        load_population(make_raster(tmp_path, np.zeros((2, 2))), setting)
    with pytest.raises(NoDataError, match="cover"):
        load_population(make_raster(tmp_path, np.ones((2, 2))), setting, bounds=(10, 10, 11, 11))


def test_grid(tmp_path: Path) -> None:
    shape = [shapely.box(X0 + x, Y0, X0 + x + 500, Y0 + 500) for x in (0, 500, 1000)]
    frame = gpd.GeoDataFrame({"n": [10.0, 20.0, 0.0], "a": [4.0, 5, 0], "b": [6.0, 15, 0]}, geometry=shape, crs=WORK)
    frame.to_file(tmp_path / "g.gpkg")
    setting = PopulationInput(path="g.gpkg", type="grid", people="n", parts={"young": "a", "old": "b"})
    found = load_population(tmp_path / "g.gpkg", setting)
    table = build_controls(found, townships(), crs=WORK)
    assert table.to_numpy().tolist() == [["t1", 29, 9, 20], ["t2", 1, 0, 1]]  # 8.5 + 19.5 and 0.5 + 1.5
    cells, check = build_cells(table, townships(), found.weights, cells=SQUARE, crs=WORK, parts=found.parts)
    assert check["difference"].eq(0).all()
    assert cells["people"].sum() == 30
    frame.assign(a=[9.0, 5, 0]).to_file(tmp_path / "g.gpkg")
    with pytest.raises(ControlTotalError, match="1 cells"):
        load_population(tmp_path / "g.gpkg", setting)
    frame.assign(n=[-1.0, 5, 0]).to_file(tmp_path / "g.gpkg")
    with pytest.raises(SchemaError, match="n: 1"):
        load_population(tmp_path / "g.gpkg", setting)


# --- where people live -------------------------------------------------------------------------------------


def test_residential_weights() -> None:
    def house(x: float, **tags: str) -> dict[str, object]:
        return {"osm_id": f"way/{x}", "tags": tags, "geometry": shapely.box(X0 + x, Y0, X0 + x + 10, Y0 + 10)}

    areas = gpd.GeoDataFrame(
        [
            house(0, building="apartments", **{"building:levels": "10"}),
            house(20, building="house"),
            house(40, building="retail"),
            house(60, landuse="residential"),
            house(1500, building="house", **{"building:levels": "nonsense"}),
        ],
        geometry="geometry",
        crs=WORK,
    ).to_crs(4326)
    weights, rule = residential_weights(areas, None, crs=WORK)
    assert rule == "buildings"
    assert weights is not None
    assert weights["weight"].tolist() == pytest.approx([1000, 200, 200], rel=1e-4)
    land = gpd.GeoDataFrame(
        {"code": ["0701", "0703", "1401"]},
        geometry=[shapely.box(X0 + x, Y0, X0 + x + 100, Y0 + 100) for x in (0, 1200, 500)],
        crs=WORK,
    )
    weights, rule = residential_weights(None, land, crs=WORK)
    assert rule == "landuse"
    assert weights is not None
    assert weights["weight"].tolist() == pytest.approx([16000, 5000])
    few = controls((10, 20, 30), (100, 100, 100))  # 200 m2 of houses for 300 people in t2: use its land
    weights, rule = residential_weights(areas, land, crs=WORK, townships=townships(), controls=few)
    assert rule == "buildings+landuse"
    assert weights is not None
    assert weights["weight"].tolist() == pytest.approx([1000, 200, 5000], rel=1e-4)
    weights, rule = residential_weights(areas.iloc[3:4], None, crs=WORK)
    assert rule == "landuse"
    assert residential_weights(areas.iloc[2:3], None, crs=WORK) == (None, "uniform")
    assert residential_weights(None, None, crs=WORK) == (None, "uniform")
