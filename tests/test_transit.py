"""Public transport: a timetable worked by hand, random ones against a time-expanded graph, feeds, lines, bad input."""

from __future__ import annotations

import contextlib
import io
import zipfile
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EAST, NORTH, TOY_CRS, grid_network, make_network
from toy_study import write_toy_study
from typer.testing import CliRunner

from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.study_transit import study_timetable
from bishan_gis.access.transit_times import transit_times
from bishan_gis.cli import app
from bishan_gis.errors import BishanGisError, BrokenFileError, InputError, MissingFileError, NoDataError, SchemaError
from bishan_gis.network.connection_scan import NEVER, Legs, arrivals, scan_connections
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.network.timetable import Line, Timetable, gtfs_timetable, join_timetables, line_timetable
from bishan_gis.pipeline import run
from bishan_gis.sources.datasets import file_sha256
from bishan_gis.sources.gtfs import load_gtfs
from bishan_gis.sources.transit_osm import load_routes

WALK = load_profile("adult")
H7 = 7 * 3600


def table(rows: list[tuple[int, int, int, int, int]], n_stops: int) -> Timetable:
    """Connections ``depart, arrive, from, to, trip`` in seconds."""
    stops = pd.DataFrame({"stop_id": range(n_stops), "name": "", "x": 0.0, "y": 0.0})
    rows = sorted(rows, key=lambda r: (r[0], r[4]))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    return Timetable(stops, *columns)


# --- against the time-expanded graph ---------------------------------------------------------------------------------


def expanded(timetable: Timetable, foot: dict[tuple[int, int], int], egress: dict[int, int], slack: int) -> nx.DiGraph:
    """Every event of the timetable as a node: aboard, standing at a stop after a ride, arrived."""
    graph = nx.DiGraph()
    rows = list(
        zip(
            *(timetable.depart_s, timetable.arrive_s, timetable.from_stop, timetable.to_stop, timetable.trip),
            strict=True,
        )
    )
    for i, (_, arrive, _, v, trip) in enumerate(rows):
        if v in egress:
            graph.add_edge(("aboard", i), ("end", arrive + egress[v]))
        for j, (_, _, u, _, other) in enumerate(rows):
            if other == trip and j > i and u == v:
                graph.add_edge(("aboard", i), ("aboard", j))
                break
        for j, (depart, _, u, _, _) in enumerate(rows):
            if (v, u) in foot and arrive + foot[v, u] + slack <= depart:
                graph.add_edge(("aboard", i), ("aboard", j))
    return graph


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_equal_to_the_time_expanded_graph(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, rows = int(rng.integers(2, 7)), []
    for trip in range(int(rng.integers(1, 9))):
        now = int(rng.integers(0, 600))
        stops = rng.permutation(n)[: int(rng.integers(2, n + 1))]
        for u, v in pairwise(stops):
            arrive = now + int(rng.integers(0, 120))
            rows.append((now, arrive, int(u), int(v), trip))
            now = arrive + int(rng.integers(0, 60))
    timetable = table(rows, n)
    foot = {(i, i): 0 for i in range(n)}
    foot |= {(int(a), int(b)): int(rng.integers(1, 200)) for a, b in rng.integers(0, n, (4, 2)) if a != b}
    egress = {int(s): int(rng.integers(0, 100)) for s in rng.integers(0, n, 2)}
    access = {int(s): int(rng.integers(0, 100)) for s in rng.integers(0, n, 2)}
    slack, times, walk = int(rng.integers(1, 60)), np.arange(0, 700, 37), int(rng.integers(200, 900))
    graph = expanded(timetable, foot, egress, slack)
    ends = np.full(n, NEVER)
    ends[list(egress)] = [1000 * v for v in egress.values()]
    pairs = np.array([[a, b, 1000 * c] for (a, b), c in foot.items()])
    legs = Legs.sorted(*pairs.T, n)
    mine = np.array([[0, s, 1000 * c] for s, c in access.items()])
    profiles = scan_connections(timetable, ends, legs, board_slack_s=slack)
    walks = np.array([walk * 1000])
    found = arrivals(profiles, Legs.sorted(*mine.T, 1), times, walks, board_slack_s=slack)[0]
    for t, ms in zip(times, found, strict=True):
        first = [
            i
            for i, u in enumerate(timetable.from_stop)
            if t + access.get(int(u), 10**9) + slack <= timetable.depart_s[i]
        ]
        reached = {node for i in first if ("aboard", i) in graph for node in nx.descendants(graph, ("aboard", i))}
        best = min([walk, *(node[1] - t for node in reached if node[0] == "end")])
        assert ms == 1000 * best


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_wait_ride_change_and_a_connection_that_is_missed() -> None:
    """Stops 0-1 by the red trip, 1-2 by blue ones at 7:12 and 7:30; a minute to board."""
    red, blue, late = (H7 + 300, H7 + 660, 0, 1, 0), (H7 + 720, H7 + 900, 1, 2, 1), (H7 + 1800, H7 + 1980, 1, 2, 2)
    timetable = table([red, blue, late], 3)
    stay = Legs.sorted(np.arange(3), np.arange(3), np.zeros(3, dtype=np.int64), 3)
    ends = np.array([NEVER, NEVER, 30_000])
    start = Legs.sorted(np.array([0]), np.array([0]), np.array([120_000]), 1)

    def minutes(slack: float, *times: int) -> list[float]:
        profiles = scan_connections(timetable, ends, stay, board_slack_s=slack)
        walk = np.array([NEVER])
        found = arrivals(profiles, start, np.array(times), walk, board_slack_s=slack)[0]
        return [float("inf") if v >= NEVER else v / 60_000 for v in found]

    # 7:00 walk to 7:02, red 7:05-7:11, blue 7:12-7:15, half a minute on foot; leaving at 7:02 exactly makes it too
    assert minutes(60, H7, H7 + 120, H7 + 121) == [15.5, 13.5, float("inf")]
    # with more than a minute to change the 7:12 is missed
    assert minutes(61, H7) == [33.5]


def test_streets_and_a_line() -> None:
    """A street of 3 km; a line along it every 10 minutes takes 3 minutes instead of 45 on foot."""
    network = make_network([(0, 0), (3000, 0)], [(0, 1)])
    costs = edge_costs(network, WALK)
    stops = pd.DataFrame({"stop_id": ["W", "E"], "x": [EAST, EAST + 3000.0], "y": NORTH})
    timetable = line_timetable(stops, [Line("1", ("W", "E"), (180,), 600, H7, H7 + 7200)])
    assert repr(timetable) == "<Timetable: 2 stops, 26 trips, 26 connections, assumed>"
    origins = pd.DataFrame({"origin_id": ["w", "far"], "x": [EAST, EAST - 5000.0], "y": [NORTH, NORTH]})
    goal = pd.DataFrame({"facility_id": ["school"], "x": [EAST + 3000.0], "y": [NORTH]})
    asked = {"window": ("07:00", "07:19"), "percentiles": (5, 50, 95, 100), "cutoff_s": 3600}
    found = transit_times(network, costs, timetable, origins, goal, **asked)
    mine = found[found["origin_id"] == "w"].set_index("percentile")["cost_s"]
    # One minute to board: leaving at 7:00 takes the 7:10; at 7:09 the same one. Waits are 60 to 600 s.
    waits = sorted([60 + 60 * i for i in range(10)] * 2)
    assert mine.to_dict() == {p: 180 + waits[int(np.ceil(p / 5)) - 1] for p in (5.0, 50.0, 95.0, 100.0)}
    assert found.loc[found["origin_id"] == "far", "status"].unique().tolist() == ["off_network"]
    assert found.loc[found["origin_id"] == "w", "share_within"].unique().tolist() == [1.0]
    short = transit_times(network, costs, timetable, origins, goal, **{**asked, "cutoff_s": 300})
    row = short[(short["origin_id"] == "w") & (short["percentile"] == 50.0)].iloc[0]
    assert (row["status"], row["share_within"]) == ("beyond_cutoff", 0.2)


@pytest.mark.parametrize("seed", [1, 2])
def test_never_slower_than_on_foot_and_a_line_more_never_harms(seed: int) -> None:
    network, rng = grid_network(8, seed=seed, drop=0.1, oneway=0.0), np.random.default_rng(seed)
    costs = edge_costs(network, WALK)
    x, y = EAST + rng.uniform(0, 700, 40), NORTH + rng.uniform(0, 700, 40)
    origins = pd.DataFrame({"origin_id": np.arange(40), "x": x, "y": y})
    goals = pd.DataFrame({"facility_id": ["a", "b"], "service": ["s", "s"], "x": x[:2], "y": y[:2]})
    stops = pd.DataFrame({"stop_id": list("ABCD"), "x": x[2:6], "y": y[2:6]})
    one, two = (
        Line("1", tuple("ABC"), (30, 30), 120, H7, H7 + 3600),
        Line("2", tuple("DB"), (20,), 180, H7, H7 + 3600),
    )
    asked = {"window": ("07:00", "07:30"), "percentiles": (50,), "cutoff_s": 7200, "max_walk_s": 400}
    foot = nearest_cost(network, costs, origins, goals, search_s=7200).table["value"].to_numpy()
    none = transit_times(network, costs, line_timetable(stops, []), origins, goals, **asked)["cost_s"].to_numpy()
    np.testing.assert_array_equal(none, foot)
    first = transit_times(network, costs, line_timetable(stops, [one]), origins, goals, **asked)["cost_s"].to_numpy()
    both = transit_times(network, costs, line_timetable(stops, [one, two]), origins, goals, **asked)["cost_s"]
    assert (np.nan_to_num(first, nan=1e9) <= np.nan_to_num(none, nan=1e9)).all()
    assert (np.nan_to_num(both.to_numpy(), nan=1e9) <= np.nan_to_num(first, nan=1e9)).all()
    assert (both.to_numpy() < none).any()
    apart = join_timetables([line_timetable(stops, [one]), line_timetable(stops, [two])])
    again = transit_times(network, costs, apart, origins, goals, **asked)["cost_s"].to_numpy()
    # The stops of the second line are others at the same places: a walk of nothing.
    np.testing.assert_array_equal(again, both.to_numpy())


# --- feeds -----------------------------------------------------------------------------------------------------------

FEED = {
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\nA,甲,29.60,106.20\nB,乙,29.61,106.20\nC,丙,29.62,106.21\n",
    "routes.txt": "route_id,route_short_name\nr,1\n",
    "trips.txt": "route_id,service_id,trip_id\nr,week,t1\nr,week,night\nr,week,often\nr,holiday,t2\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "t1,07:00:00,07:00:00,A,1\nt1,,,B,5\nt1,07:10:00,07:11:00,C,9\n"
    "night,23:50:00,23:50:00,A,1\nnight,24:20:00,24:20:00,B,2\nnight,24:40:00,24:40:00,C,3\n"
    "often,00:00:00,00:00:00,A,1\noften,00:05:00,00:05:00,B,2\n"
    "t2,09:00:00,09:00:00,A,1\nt2,09:30:00,09:30:00,C,2\n",
    "calendar.txt": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
    "week,1,1,1,1,1,0,0,20260101,20261231\n",
    "calendar_dates.txt": "service_id,date,exception_type\nholiday,20261002,1\nweek,20261002,2\n",
    "frequencies.txt": "trip_id,start_time,end_time,headway_secs\noften,08:00:00,08:30:00,600\n",
}


def feed(path: Path, **changes: str | None) -> Path:
    tables = {**FEED, **{f"{k}.txt": v for k, v in changes.items()}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in tables.items():
            if text is not None:
                packed.writestr(name, text)
    return path


def test_a_feed_by_hand(tmp_path: Path) -> None:
    gtfs = load_gtfs(feed(tmp_path / "feed.zip"))
    found = gtfs_timetable(gtfs, date="2026-11-24", crs=TOY_CRS)
    rows = pd.DataFrame(
        {"d": found.depart_s, "a": found.arrive_s, "u": found.from_stop, "v": found.to_stop, "t": found.trip}
    )
    # Tuesday: the end of Monday's night trip, t1 with its middle time filled in, three of `often`, and tonight's.
    assert rows[["d", "a", "u", "v"]].values.tolist() == [
        [1200, 2400, 1, 2],
        [25200, 25500, 0, 1],
        [25500, 25800, 1, 2],
        [28800, 29100, 0, 1],
        [29400, 29700, 0, 1],
        [30000, 30300, 0, 1],
        [85800, 87600, 0, 1],
        [87600, 88800, 1, 2],
    ]
    assert rows["t"].nunique() == 6
    assert found.notes
    assert found.notes[0][0].startswith("时刻表: 2 个时间为内插") or "内插" in found.notes[0][0]
    holiday = gtfs_timetable(gtfs, date="2026-10-02", crs=TOY_CRS)
    assert (holiday.depart_s >= 0).all()
    assert 32400 in holiday.depart_s
    assert 25200 not in holiday.depart_s
    with pytest.raises(NoDataError, match="20261231"):
        gtfs_timetable(gtfs, date="2027-06-01", crs=TOY_CRS)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, text in FEED.items():
        (folder / name).write_text(text, encoding="utf-8")
    again = gtfs_timetable(load_gtfs(folder), date="2026-11-24", crs=TOY_CRS)
    np.testing.assert_array_equal(again.depart_s, found.depart_s)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"stops": None}, MissingFileError, "stops.txt"),
        ({"calendar": None, "calendar_dates": None}, MissingFileError, "calendar.txt"),
        ({"stops": "stop_id,stop_name\nA,x\n"}, SchemaError, "stop_lat"),
        ({"stops": FEED["stops.txt"].replace("29.61", "129.61")}, SchemaError, "1 stops have wrong coordinates"),
        ({"stops": FEED["stops.txt"].replace("B,乙", "A,乙")}, SchemaError, "repeated stop_id"),
        ({"trips": FEED["trips.txt"].replace("t1", "t9")}, SchemaError, "3 rows name a trip_id"),
        ({"stop_times": FEED["stop_times.txt"].replace("07:10:00", "7h10")}, SchemaError, "'7h10'"),
        ({"stop_times": FEED["stop_times.txt"].replace("07:10:00", "06:10:00")}, SchemaError, "back in time"),
        ({"stop_times": FEED["stop_times.txt"].replace("A,1", "A,x")}, SchemaError, "stop_sequence"),
        ({"stop_times": FEED["stop_times.txt"].split("\n")[0] + "\n"}, NoDataError, "stop_times.txt"),
        ({"frequencies": FEED["frequencies.txt"].replace("600", "0")}, SchemaError, "headway_secs"),
    ],
)
def test_feeds_that_are_wrong(tmp_path: Path, changes: dict, error: type, words: str) -> None:
    with pytest.raises(error) as told:
        gtfs_timetable(load_gtfs(feed(tmp_path / "f.zip", **changes)), date="2026-11-24", crs=TOY_CRS)
    assert words in told.value.en
    assert "f.zip" in told.value.zh


def test_files_that_are_no_feed(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        load_gtfs(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(BrokenFileError):
        load_gtfs(tmp_path / "text.zip")
    whole = feed(tmp_path / "whole.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenFileError):
        load_gtfs(tmp_path / "cut.zip")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("stops.txt", b"0" * 20_000_000)
    (tmp_path / "bomb.zip").write_bytes(data.getvalue())
    with pytest.raises(BrokenFileError, match="unpacks"):
        load_gtfs(tmp_path / "bomb.zip")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FEED)), st.integers(0, 400), st.sampled_from(["", ",", '"', "\n", "\0", "９", "-1", "x"]))
def test_damaged_feeds_say_so(tmp_path_factory: pytest.TempPathFactory, name: str, at: int, put: str) -> None:
    text = FEED[name]
    at %= len(text)
    path = feed(tmp_path_factory.mktemp("f") / "f.zip", **{name.removesuffix(".txt"): text[:at] + put + text[at + 1 :]})
    with contextlib.suppress(BishanGisError):
        gtfs_timetable(load_gtfs(path), date="2026-11-24", crs=TOY_CRS)


def test_lines_and_windows_that_make_no_sense() -> None:
    stops = pd.DataFrame({"stop_id": ["W", "E"], "x": [EAST, EAST + 3000.0], "y": NORTH})
    good = Line("1", ("W", "E"), (180,), 600, H7, H7 + 600)
    for wrong in ({"run_s": ()}, {"headway_s": 0}, {"last_s": 0}, {"stops": ("W",)}):
        with pytest.raises(InputError, match="line 1"):
            line_timetable(stops, [Line(**{**good.__dict__, **wrong})])
    with pytest.raises(SchemaError, match="no stop N"):
        line_timetable(stops, [Line("1", ("W", "N"), (180,), 600, H7, H7)])
    with pytest.raises(NoDataError):
        join_timetables([])
    network = make_network([(0, 0), (3000, 0)], [(0, 1)])
    origins = pd.DataFrame({"origin_id": ["w"], "x": [EAST], "y": [NORTH]})
    goal = origins.rename(columns={"origin_id": "facility_id"})
    for wrong, word in (
        ({"window": ("08:00", "07:00")}, "window"),
        ({"window": ("8", "9")}, "HH:MM"),
        ({"window": (700, 800)}, "HH:MM"),
        ({"percentiles": (0,)}, "percentiles"),
        ({"percentiles": 50}, "give a list: percentiles"),
        ({"step_min": 0}, "step_min"),
        ({"board_slack_s": 0}, "board_slack_s"),
    ):
        asked = {"window": ("07:00", "08:00")} | wrong
        with pytest.raises(InputError, match=word):
            transit_times(network, edge_costs(network, WALK), line_timetable(stops, [good]), origins, goal, **asked)


# --- a study ---------------------------------------------------------------------------------------------------------

TRANSIT = """
[transit]
stations = ["kindergarten", "primary_school"]
osm_routes = true
[[transit.lines]]
name = "1"
stations = ["西镇幼儿园", "东镇小学"]
run_min = [3]
headway_min = 5
[[measures]]
name = "school"
measure = "nearest_cost"
mode = "transit"
services = ["primary_school"]
cutoff_min = 15
[[measures]]
name = "school_on_foot"
measure = "nearest_cost"
services = ["primary_school"]
cutoff_min = 15
"""
ROUTE = (
    '<relation id="7" version="1"><member type="node" ref="1" role="stop"/><member type="node" ref="13" role="stop"/>'
    '<tag k="type" v="route"/><tag k="route" v="bus"/><tag k="name" v="路线"/><tag k="interval" v="00:10"/>'
    '<tag k="duration" v="4"/><tag k="opening_hours" v="Mo-Su 06:00-22:30"/></relation>'
    '<relation id="8" version="1"><member type="node" ref="1" role="stop"/>'
    '<tag k="type" v="route"/><tag k="route" v="bus"/></relation>'
    '<relation id="9" version="1"><member type="node" ref="1" role="platform"/><member type="node" ref="14" '
    'role="platform"/><tag k="type" v="route"/><tag k="route" v="bus"/></relation></osm>'
)


def test_lines_and_routes_of_a_study(tmp_path: Path) -> None:
    file = write_toy_study(tmp_path)
    osm = tmp_path / "data" / "raw" / "streets.osm"
    osm.write_text(osm.read_text(encoding="utf-8").replace("</osm>", ROUTE), encoding="utf-8")
    file.write_text(file.read_text(encoding="utf-8") + TRANSIT, encoding="utf-8")
    routes, notes = load_routes(osm)
    assert [(r.id, r.name, r.headway_min, r.duration_min, r.first, r.last) for r in routes] == [
        (7, "路线", 10.0, 4.0, "06:00", "22:30"),
        (9, "", None, None, None, None),
    ]
    assert notes == [("公交: 1 条线路不足两站, 未用", "transit: 1 routes with fewer than two stops left out")]
    results = run(file, write=False)
    timetable = study_timetable(results.study, results.facilities)
    assert timetable.kind == "assumed"
    assert any("没有发车间隔" in zh for zh, _ in timetable.notes)
    bus = timetable.stops.index[timetable.stops["stop_id"] == "node/1"][0]
    leave = timetable.depart_s[timetable.from_stop == bus]
    assert (leave[0], leave[-1], len(leave)) == (21600, 81000, 100)
    table = results.measures.pivot_table(index="origin_id", columns="measure_name", values="value", dropna=False)
    ride, walk = table["school"], table["school_on_foot"]
    assert ((ride <= walk) | walk.isna()).all()
    assert (ride > 900).any()
    assert (ride < walk - 60).sum() > 5
    assert set(results.measures.loc[results.measures["measure_name"] == "school", "kind"]) <= {"assumed", "synthetic"}
    zones = results.zone_measures
    valued = zones.pivot_table(index="zone_id", columns="measure_name", values="people_valued")
    assert (valued["school"] == valued["school_on_foot"]).all()  # the means are over the same people
    means = zones.pivot_table(index="zone_id", columns="measure_name", values="value")
    assert (means["school"] <= means["school_on_foot"] + 1e-9).all()
    assert any("没有发车间隔" in zh for zh, _ in results.warnings)


def test_feeds_are_inputs_like_others(tmp_path: Path) -> None:
    """Missing, or without a trip on the day: said before the work; there: listed with the rest."""
    file = write_toy_study(tmp_path)
    settings = 'gtfs = ["feed.zip"]\ndate = "{}"\nwindow = ["03:00", "03:30"]'
    text = file.read_text(encoding="utf-8") + TRANSIT[: TRANSIT.index("[transit]")]
    measures = TRANSIT[TRANSIT.index("[[measures]]") :]

    def with_date(date: str) -> None:
        file.write_text(f"{text}[transit]\n{settings.format(date)}\n{measures}", encoding="utf-8")

    def check() -> tuple[int, str]:
        done = CliRunner().invoke(app, ["check", str(file), "--lang", "en"])
        return done.exit_code, done.output

    with_date("2026-11-24")
    code, said = check()
    assert code == 2, said
    assert "files are missing: transit.gtfs[0]" in said
    near = "stop_id,stop_name,stop_lat,stop_lon\nA,甲,29.545,106.24\nB,乙,29.546,106.242\nC,丙,29.547,106.245\n"
    place = feed(tmp_path / "data/raw/feed.zip", stops=near)
    code, said = check()
    assert code == 0, said
    assert place.name in said
    for date, words in (("2030-01-01", "20261231"), ("tomorrow", "is no date"), ("20261124", "is no date")):
        with_date(date)
        code, said = check()
        assert code in (2, 3), (date, said)
        assert words in said
    with_date("2026-11-24")
    results = run(file, write=False)
    assert place.name in {Path(d.path).name for d in results.datasets}
    assert any("nothing leaves in the window 03:00-03:30" in en for _, en in results.warnings)
    assert set(results.measures["kind"]) == {"derived"}
    # A ride is no surer than its timetable.
    listed = {"path": "feed.zip", "title": "班次", "source": "x", "licence": "x", "kind": "synthetic"}
    rows = [f'{key} = "{value}"' for key, value in {**listed, "sha256": file_sha256(place)}.items()]
    (tmp_path / "data/raw/datasets.toml").write_text("\n".join(["[[dataset]]", *rows]), encoding="utf-8")
    file.write_text(file.read_text(encoding="utf-8").replace('datasets = ""', ""), encoding="utf-8")
    kinds = run(file, write=False).measures.groupby("mode")["kind"].unique()
    assert {mode: list(k) for mode, k in kinds.items()} == {"transit": ["synthetic"], "walk": ["derived"]}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("东镇小学", "东镇中学", "东镇小学"),
        ("run_min = [3]", "run_min = [3, 4]", "2 stations need 1 run_min"),
        ("run_min = [3]", "", "length_km"),
        ("headway_min = 5", "headway_min = 0", "headway_min"),
        ("osm_routes = true", 'gtfs = ["f.zip"]', "gtfs needs a date"),
        ('services = ["primary_school"]\ncutoff_min = 15\n[[', 'services = ["clinic"]\ncutoff_min = 15\n[[', "clinic"),
        ('measure = "nearest_cost"\nmode', 'measure = "k_nearest_mean"\nk = 2\nmode', "nearest_cost alone"),
    ],
)
def test_transit_settings_that_are_wrong(tmp_path: Path, old: str, new: str, words: str) -> None:
    file = write_toy_study(tmp_path)
    text = TRANSIT.replace(old, new, 1)
    assert text != TRANSIT
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")
    with pytest.raises(BishanGisError) as told:
        run(file, write=False)
    assert words in told.value.en
