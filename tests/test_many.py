"""Many districts: the parts equal the whole, and studies as tasks whatever happens to the workers."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from street_oracle import forbid, random_turns
from toy import EAST, NORTH, grid_network, make_network
from toy_study import write_toy_study
from typer.testing import CliRunner

from bishan_gis.cli import app
from bishan_gis.errors import BrokenFileError, InputError, MissingFileError, NetworkError, OutputError, SchemaError
from bishan_gis.many import (
    Part,
    find_studies,
    halo_m,
    part_measures,
    partition_region,
    read_part,
    run_many,
    run_parts,
    run_tasks,
    top_speed_ms,
)
from bishan_gis.many.studies import task_key
from bishan_gis.network.costs import SpeedProfile, edge_costs
from bishan_gis.output.city import city_table
from bishan_gis.study import load_study

METRE_A_SECOND = SpeedProfile("toy", "玩具", "toy", "walk", 3.6, 0.5, "by hand")
CUTOFFS = {"nearest": 200.0, "cumulative": 200.0, "two_step": 100.0, "three_step": 65.0}


def random_region(seed: int, *, island_m: float = 0.0):
    """Streets with one-way and missing pieces, turns, cells in four districts, places with capacities."""
    rng = np.random.default_rng(seed)
    network = grid_network(9, seed=seed, drop=0.3)
    if seed % 2:
        ends = [({u, v}, e) for e, (u, v) in enumerate(zip(network.edge_u, network.edge_v, strict=True))]
        pairs = [(a, n, b) for s, a in ends[::5] for n in s for t, b in ends if n in t and a != b][:30:3]
        network = forbid(network, *pairs, *random_turns(network, rng, 40))
        network = replace(network, edge_local=rng.random(network.n_edges) < 0.2)
    network = replace(network, island_m=island_m)
    costs = edge_costs(network, METRE_A_SECOND)

    def scatter(n: int) -> pd.DataFrame:
        return pd.DataFrame({"x": EAST + rng.uniform(-60, 860, n), "y": NORTH + rng.uniform(-60, 860, n)})

    cells = scatter(60).assign(cell_id=[f"c{i}" for i in range(60)], people=rng.integers(0, 90, 60))
    cells["district"] = np.where(cells["x"] < EAST + 400, "西", "东") + np.where(cells["y"] < NORTH + 400, "/a", "../b")
    places = scatter(14).assign(facility_id=[f"f{i}" for i in range(14)], service=rng.choice(["park", "school"], 14))
    return network, costs, cells, places.assign(capacity=rng.integers(1, 50, 14))


def whole(network, costs, cells, places, cutoffs=CUTOFFS, **options) -> pd.DataFrame:
    part = Part("all", network, costs, cells.assign(own=True), places, sorted(places["service"].unique()))
    return part_measures(part, cutoffs, **options)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    keys = ["measure", "service", "cell_id"]
    return table.sort_values(keys).reset_index(drop=True)


@pytest.mark.parametrize("measure", CUTOFFS)
@given(seed=st.integers(0, 10_000), island_m=st.sampled_from([0.0, 100.0, 300.0]))
@settings(max_examples=2, deadline=None)
def test_parts_with_their_halo_equal_the_whole(tmp_path_factory, measure, seed, island_m):
    cutoffs = {measure: CUTOFFS[measure]}
    region = random_region(seed, island_m=island_m)
    folder = partition_region(tmp_path_factory.mktemp("region") / "r", *region)
    table, outcomes = run_parts(folder, cutoffs, max_snap_m=40, scheduler="sync")
    assert [o.error for o in outcomes] == [None] * 4
    everything = whole(*region, cutoffs, max_snap_m=40)
    assert island_m or min(o.value["edges"] for o in outcomes) < region[0].n_edges
    assert len(table) == len(everything)
    assert not table.duplicated(["cell_id", "service", "measure"]).any()
    pd.testing.assert_frame_equal(in_order(table.drop(columns="district")), in_order(everything), check_exact=True)
    owner = region[2].set_index("cell_id")["district"]
    assert (table["district"] == table["cell_id"].map(owner)).all()


def street(*cells: tuple[float, int, str], places: tuple[float, ...]):
    """A street of 2 km, a metre a second, cells (x, people, district) and places along it."""
    network = make_network([(-1000, 0), (1000, 0)], [(0, 1)])
    table = pd.DataFrame(cells, columns=["x", "people", "district"]).assign(y=NORTH)
    table = table.assign(cell_id=[f"c{i}" for i in range(len(table))], x=EAST + table["x"])
    doors = pd.DataFrame({"x": [EAST + p for p in places], "y": NORTH, "service": "school", "capacity": 12})
    doors["facility_id"] = [f"f{i}" for i in range(len(places))]
    return network, edge_costs(network, METRE_A_SECOND), table, doors


@pytest.mark.parametrize(
    ("measure", "region", "answer"),
    [
        # A place at the end of the first distance.
        ("nearest", street((0, 1, "a"), places=(100,)), 100.0),
        ("cumulative", street((0, 1, "a"), places=(100,)), 12.0),
        # Somebody at the end of the second shares the place at the end of the first.
        ("two_step", street((0, 1, "a"), (200, 5, "b"), places=(100,)), 2.0),
        # A second place at the end of the third takes half of them, so 12 are for 1 + 5 x 1/2 x 1.
        ("three_step", street((0, 1, "a"), (200, 5, "b"), places=(100, 300)), 12 / 3.5),
    ],
)
def test_a_halo_one_metre_narrower_can_change_the_result(tmp_path, measure, region, answer):
    folder = partition_region(tmp_path / "r", *region)
    halo = halo_m({measure: 100}, speed_ms=top_speed_ms(*region[:2]), max_snap_m=0.5)

    def found(width: float) -> float:
        table = part_measures(read_part(folder, "a", width), {measure: 100.0}, max_snap_m=0.5)
        return float(table["value"].iloc[0])

    assert found(halo) == answer
    assert found(halo) == whole(*region, {measure: 100.0}, max_snap_m=0.5)["value"].iloc[0]
    assert found(halo - 1) != answer


def test_where_a_place_meets_the_streets_is_part_of_the_halo(tmp_path):
    """The street nearest to the place is a blind one, just farther out than the place itself."""
    network = make_network([(0, 0), (90.2, 0), (109.5, -50), (109.5, 50)], [(0, 1), (2, 3)])
    _, _, cells, places = street((0, 1, "a"), places=(100,))
    costs = edge_costs(network, METRE_A_SECOND)
    folder = partition_region(tmp_path / "r", network, costs, cells, places)
    halo = halo_m({"nearest": 100}, speed_ms=top_speed_ms(network, costs), max_snap_m=10)
    for width, status in ((halo, "beyond_cutoff"), (halo - 1, "reached")):
        table = part_measures(read_part(folder, "a", width), {"nearest": 100.0}, max_snap_m=10)
        assert table["status"].tolist() == [status]


def test_a_part_reads_only_what_it_needs_and_edges_whole(tmp_path):
    network, costs, cells, places = random_region(1)
    folder = partition_region(tmp_path / "r", network, costs, cells, places)
    part = read_part(folder, "西/a", 10.0)
    assert 0 < part.network.n_edges < network.n_edges
    assert set(part.cells["cell_id"]) < set(cells["cell_id"])
    at = {i: k for k, i in enumerate(network.node_osmid)}
    mine = [at[i] for i in part.network.node_osmid]
    assert mine == sorted(mine)
    assert np.array_equal(part.network.node_x, network.node_x[mine])
    degree = np.bincount(np.r_[network.edge_u, network.edge_v], minlength=network.n_nodes)[mine]
    here = np.bincount(np.r_[part.network.edge_u, part.network.edge_v], minlength=len(mine))
    assert np.array_equal(part.network.node_frontier, here < degree)
    metadata = json.loads(_geo(folder / "streets-00000.parquet"))
    assert metadata["version"] == "1.1.0"
    assert "bbox" in metadata["columns"]["geometry"]["covering"]
    # Names of districts are texts of others: they are in no path.
    assert sorted({p.name.split("-")[0] for p in folder.iterdir()}) == [
        "cells",
        "places",
        "region.json",
        "streets",
        "turns",
    ]
    assert not list(tmp_path.glob(".writing-*"))


def _geo(path: Path) -> bytes:
    import pyarrow.parquet as pq

    return pq.read_schema(path).metadata[b"geo"]


def test_bad_regions(tmp_path):
    network, costs, cells, places = random_region(0)
    with pytest.raises(SchemaError, match="1 without district"):
        partition_region(tmp_path / "r", network, costs, cells.assign(district=[None, *cells["district"][1:]]), places)
    with pytest.raises(SchemaError, match="repeat"):
        partition_region(tmp_path / "r", network, costs, pd.concat([cells, cells[:1]]), places)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="neither empty"):
        partition_region(tmp_path / "full", network, costs, cells, places)
    assert (tmp_path / "full" / "letter.txt").read_text() == "mine"
    folder = partition_region(tmp_path / "r", network, costs, cells, places)
    with pytest.raises(InputError, match="no district 南"):
        read_part(folder, "南", 100)
    with pytest.raises(MissingFileError):
        run_parts(tmp_path, CUTOFFS, scheduler="sync")
    with pytest.raises(InputError, match="no measure"):
        halo_m({"nearset": 5}, speed_ms=1)
    (folder / "streets-00001.parquet").write_bytes(b"PAR1")
    _, outcomes = run_parts(folder, CUTOFFS, scheduler="sync", retries=0)
    assert isinstance(next(o.error for o in outcomes if o.error), BrokenFileError)
    (folder / "region.json").write_text("{}")
    with pytest.raises(BrokenFileError):
        read_part(folder, "西/a", 100)


def flaky(path: str, fails: int) -> int:
    """Fail some times, counting in a file."""
    with Path(path).open("a") as f:
        f.write("x")
    n = len(Path(path).read_text())
    if n <= fails:
        msg = "not yet"
        raise RuntimeError(msg)
    return n


def test_tasks_are_tried_again_and_do_not_stop_each_other(tmp_path, monkeypatch):
    tasks = {name: (str(tmp_path / name), fails) for name, fails in (("a", 0), ("b", 2), ("c", 9))}
    a, b, c = run_tasks(flaky, tasks, scheduler="sync", retries=2)
    assert (a.value, b.value, c.value) == (1, 3, None)
    assert "not yet" in str(c.error)
    for wrong in ({"scheduler": "http://x"}, {"workers": 0}, {"retries": -1}):
        with pytest.raises(InputError):
            run_tasks(flaky, tasks, **wrong)
    monkeypatch.setattr("bishan_gis.many.tasks._ANSWER_S", 0.5)
    with pytest.raises(NetworkError):
        run_tasks(flaky, tasks, scheduler="tcp://127.0.0.1:9")


def write_city_of_toys(folder: Path) -> Path:
    """Four studies; the third cannot be run: its streets are missing."""
    for i in range(4):
        file = write_toy_study(folder / f"d{i}", names={"park": f"<b>{i}</b>"})
        text = file.read_text(encoding="utf-8").replace('id = "toy"', f'id = "d{i}"').replace("玩具区", f"<i>区{i}")
        text += "[outputs]\nmaps = false\nfindings = false\ngpkg = false\n"
        file.write_text(text, encoding="utf-8")
    (folder / "d2" / "data" / "raw" / "streets.osm").unlink()
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Every file but those that carry times, by its hash."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "run.json" and "/raw/" not in p.as_posix()]
    times = {p for p in files if p.name == "many.json"}
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p not in times}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The four studies run in this process, one after the other."""
    folder = write_city_of_toys(tmp_path_factory.mktemp("alone"))
    return folder, run_many([folder], scheduler="sync", retries=1, out=folder / "city")


def test_a_study_that_fails_is_named_and_the_others_go_on(alone):
    folder, ran = alone
    bad = str(folder.resolve() / "d2" / "study.toml")
    assert [s for f, s in ran.states.items() if f != bad] == ["done"] * 3
    assert ran.states[bad] == "failed"
    assert list(ran.errors) == [bad]
    assert "streets.osm" in ran.errors[bad].message("en")
    record = json.loads((folder / "city" / "city.json").read_text(encoding="utf-8"))
    assert [d["id"] for d in record["districts"]] == ["d0", "d1", "d3"]
    assert record["people"] == 3 * 1501
    assert list(record["failed"]) == ["d2"]
    table = pd.read_csv(folder / "city" / "city.csv")
    sums = table[table["district"] != "all"].groupby(["service", "cutoff_min"])["people_covered"].sum()
    total = table[table["district"] == "all"].set_index(["service", "cutoff_min"])["people_covered"]
    assert total.to_dict() == sums.to_dict()
    own = pd.read_csv(folder / "d0" / "data" / "processed" / "coverage.csv")
    own = own[(own["zone_kind"] == "district") & (own["age_group"] == "all")].set_index(["service", "cutoff_min"])
    assert (own["people_covered"] * 3).to_dict() == total.to_dict()
    html = (folder / "city" / "city.html").read_text(encoding="utf-8")
    assert "<i>区" not in html
    assert "&lt;i&gt;区0" in html
    assert "default-src 'none'" in html
    assert "http" not in html.replace("http-equiv", "")


def test_what_is_done_is_not_run_again(alone):
    folder, _ = alone
    good = [folder / d for d in ("d0", "d1", "d3")]
    before = {p: p.stat().st_mtime_ns for d in good for p in d.rglob("run.json")}
    assert set(run_many(good, scheduler="sync").states.values()) == {"kept"}
    assert {p: p.stat().st_mtime_ns for p in before} == before
    # What was changed since is: an output, a file it reads, nothing else.
    (folder / "d0" / "data" / "processed" / "coverage.csv").write_text("mine")
    key = task_key(load_study(folder / "d1"), "1")
    people = folder / "d1" / "data" / "raw" / "population.csv"
    people.write_text(people.read_text().replace("501,101", "502,102"))
    assert task_key(load_study(folder / "d1"), "1") != key
    assert task_key(load_study(folder / "d1"), "2") != task_key(load_study(folder / "d1"), "1")
    again = run_many(good, scheduler="sync")
    assert list(again.states.values()) == ["done", "done", "kept"]
    assert again.districts[1]["people"] == 1502
    people.write_text(people.read_text().replace("502,102", "501,101"))


def test_a_worker_killed_in_the_middle_changes_nothing(alone, tmp_path):
    """A cluster of two processes on loopback, one of which is killed while it is at a study."""
    distributed = pytest.importorskip("distributed")
    folder = write_city_of_toys(tmp_path / "many")
    killed: list[int] = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:

        def kill() -> None:
            """Kill whoever writes first, while it writes."""
            scheduler = cluster.scheduler
            for _ in range(60_000):
                for hidden in folder.glob("*/data/processed/.writing-*"):
                    number = sorted(f"d{i}" for i in range(4)).index(hidden.relative_to(folder).parts[0])
                    for state in list(scheduler.workers.values()):
                        if any(str(key.key).startswith(f"bishan-gis-{number}-") for key in list(state.processing)):
                            pid = cluster.workers[state.name].pid
                            os.kill(pid, signal.SIGKILL)
                            killed.append(pid)
                            return
                time.sleep(0.002)

        hunter = threading.Thread(target=kill)
        hunter.start()
        ran = run_many([folder], scheduler=cluster.scheduler_address, retries=1, out=folder / "city")
        hunter.join()
    assert len(killed) == 1
    assert sorted(ran.states.values()) == ["done", "done", "done", "failed"]
    first, _ = alone
    run_many([first], scheduler="sync", retries=0, out=first / "city")
    assert contents(folder) == contents(first)
    assert not list(folder.rglob(".writing-*"))


def test_the_command_says_what_became_of_each(alone, tmp_path):
    folder, _ = alone
    arguments = [
        "run-many",
        str(folder),
        "--scheduler",
        "sync",
        "--retries",
        "0",
        "--out",
        str(tmp_path / "o"),
        "--json",
    ]
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 1
    answer = json.loads(said.stdout)
    assert not answer["ok"]
    assert len(answer["states"]) == 4
    assert "streets.osm" in said.stderr
    assert {Path(f).name for f in answer["files"]} == {"city.csv", "city.json", "city.html", "many.json"}


def test_studies_that_would_meet_are_refused(tmp_path):
    a, b = write_toy_study(tmp_path / "a"), write_toy_study(tmp_path / "b")
    with pytest.raises(InputError, match="the same id"):
        run_many([a, b], scheduler="sync")
    assert not (tmp_path / "a" / "data" / "processed").exists()
    with pytest.raises(MissingFileError):
        find_studies([tmp_path / "c"])
    assert find_studies([tmp_path, a]) == [a.resolve(), b.resolve()]
    assert city_table([]).empty
