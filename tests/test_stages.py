"""Stages: what is kept, when it is made again, and that nothing but time depends on it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from toy_study import lonlat, write_toy_study

from bishan_gis.cache import Store, code_fingerprint
from bishan_gis.errors import BishanGisError, DatasetError, InputError, MissingFileError, OutputError
from bishan_gis.network.plain_search import search_nearest_plainly
from bishan_gis.network.scipy_search import search_nearest_by_scipy
from bishan_gis.network.star import Seeds, StarGraph
from bishan_gis.output.gap_files import write_gaps
from bishan_gis.planning.gaps import find_gaps
from bishan_gis.sources.datasets import file_sha256
from bishan_gis.stages import TABLES
from bishan_gis.stages.forms import pack, unpack
from bishan_gis.stages.gap_answer import GAP_FILES, gap_answer
from bishan_gis.stages.study_stages import StudyStages
from bishan_gis.study import load_study

ROOT = Path(__file__).parent.parent
TABLES_OF_A_RUN = ("zones", "cells", "facilities", "services", "access", "access_points", "merged")
LAYER = """
[[inputs.facilities]]
path = "extra.geojson"
columns = { facility_id = "id", class = "fclass", name = "name" }
"""


def write_layer(folder: Path, *, x: float | None = 1650.0, name: str = "新药房", service: str = "pharmacy") -> None:
    """A facility at (x, 745), or none, and a kindergarten that stays where it is."""
    rows = [("p", service, name, x, 745.0), ("k", "kindergarten", "东镇幼儿园", 1510.0, 155.0)]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": lonlat(east, north)},
            "properties": {"id": i, "fclass": c, "name": n},
        }
        for i, c, n, east, north in rows
        if east is not None
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    (folder / "data" / "raw" / "extra.geojson").write_text(text, encoding="utf-8")


@pytest.fixture
def toy(tmp_path):
    file = write_toy_study(tmp_path / "toy")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("[inputs.district]", LAYER + "[inputs.district]", 1), encoding="utf-8")
    write_layer(file.parent)
    return file.parent


def answer(study: Path, folder: Path | None, *, code: str = "1") -> tuple[dict[str, bytes], list[str]]:
    """The files of the gaps, and the stages that were computed for them."""
    with Store(folder, code=code) as store:
        return gap_answer(load_study(study), store), store.made


def equals_run(stages: StudyStages, results) -> None:
    for name in TABLES_OF_A_RUN:
        pd.testing.assert_frame_equal(getattr(stages, name), getattr(results, name), obj=name)
    pd.testing.assert_frame_equal(stages.population_check, results.population_check)
    assert stages.kind == results.kind
    assert stages.network.summary() == results.network.summary()


def files_of_a_run(results, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    write_gaps(find_gaps(results), folder)
    return {name: (folder / name).read_bytes() for name in GAP_FILES}


def write_hill(folder: Path) -> None:
    """Heights that rise to the east, and a walker who minds."""
    west, south = lonlat(-1000, -1000)
    step = 0.0005
    place = from_origin(west, south + 100 * step, step, step)
    heights = np.tile(np.arange(100, dtype=np.float32) * 4, (100, 1))
    layout = {"driver": "GTiff", "width": 100, "height": 100, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(folder / "data" / "raw" / "dem.tif", "w", transform=place, **layout) as out:
        out.write(heights, 1)
    edit(folder, "study.toml", 'osm = "streets.osm"', 'osm = "streets.osm"\nelevation = "dem.tif"')
    edit(folder, "study.toml", "[inputs]", '[walk]\nslope = "tobler"\n[inputs]')


@pytest.mark.parametrize("hilly", [False, True])
def test_stages_equal_a_whole_run(toy, tmp_path, hilly):
    from bishan_gis.pipeline import run

    if hilly:
        write_hill(toy)
    results = run(toy, write=False)
    wanted = files_of_a_run(results, tmp_path / "run")
    for folder in (None, tmp_path / "cache", tmp_path / "cache"):
        with Store(folder, code="1") as store:
            equals_run(StudyStages(load_study(toy), store), results)
            assert gap_answer(load_study(toy), store) == wanted
    for chosen in ({"services": ["park", "pharmacy"]}, {"levels": [5.0]}):
        folder = tmp_path / next(iter(chosen))
        folder.mkdir()
        write_gaps(find_gaps(results, **chosen), folder)
        with Store(tmp_path / "cache", code="1") as store:
            some = gap_answer(load_study(toy), store, **chosen)
            assert set(store.made) <= {"answer"} | {
                f"listed:{s}" for s in results.services.index
            }  # nothing is judged anew
        assert some == {name: (folder / name).read_bytes() for name in GAP_FILES}
    write_layer(toy, x=450.0)
    moved, made = answer(toy, tmp_path / "cache")
    assert "nearest:pharmacy" in made
    assert moved == files_of_a_run(run(toy, write=False), tmp_path / "again")


@pytest.mark.skipif("BISHAN_GIS_STRESS" not in os.environ, reason="long: make stress")
def test_bishan_with_one_more_facility(tmp_path, bishan_results):
    study, cache = tmp_path / "study", tmp_path / "cache"
    shutil.copytree(ROOT / "data" / "raw" / "bishan", study / "raw")
    text = (ROOT / "studies" / "bishan" / "study.toml").read_text(encoding="utf-8")
    text = text.replace('"../../data/raw/bishan"', '"raw"').replace("../../data/raw/datasets.toml", "raw/datasets.toml")
    (study / "study.toml").write_text(text, encoding="utf-8")
    listed = (ROOT / "data" / "raw" / "datasets.toml").read_text(encoding="utf-8").replace("bishan/", "")
    (study / "raw" / "datasets.toml").write_text(listed, encoding="utf-8")
    assert answer(study, cache)[0] == files_of_a_run(bishan_results, tmp_path / "run")
    layer = study / "raw" / "osm_features.geojson"
    old = hashlib.sha256(layer.read_bytes()).hexdigest()
    features = json.loads(layer.read_text(encoding="utf-8"))
    one = {"osm_id": "1", "fclass": "kindergarten", "name": "新幼儿园"}
    place = {"type": "Point", "coordinates": [106.2, 29.59]}
    features["features"].append({"type": "Feature", "geometry": place, "properties": one})
    layer.write_text(json.dumps(features, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(DatasetError, match="osm_features"):
        answer(study, cache)
    listed = listed.replace(old, hashlib.sha256(layer.read_bytes()).hexdigest())
    listed = re.sub(r"bytes = \d+", "", listed)
    (study / "raw" / "datasets.toml").write_text(listed, encoding="utf-8")
    made = set(answer(study, cache)[1])
    assert made - OTHERS <= mine("kindergarten")
    assert "gap:kindergarten" in made


#: Stages that hold a share of every service; all they do is put it together.
OTHERS = {"datasets", "found", "place names", "answer"}


def mine(service: str) -> set[str]:
    return {f"{stage}:{service}" for stage in ("places", "nearest", "gap", "listed")} | {f"doors:points {service}"}


def test_one_facility_recomputes_only_what_depends_on_it(toy, tmp_path):
    cache = tmp_path / "cache"
    first, made = answer(toy, cache)
    assert {"zones", "cells", "network", "nearest:park", "gap:bus_stop"} <= set(made)
    assert answer(toy, cache) == (first, [])

    def changed(**new) -> set[str]:
        write_layer(toy, **new)
        now, made = answer(toy, cache)
        assert now == answer(toy, None)[0]
        assert now != first
        return set(made) - OTHERS

    assert changed(x=450.0) == mine("pharmacy")  # moved
    # A name is that of a landmark and of the nearest facility; it changes no time.
    assert changed(x=450.0, name="别的药房") == mine("pharmacy") - {"nearest:pharmacy", "doors:points pharmacy"}
    both = mine("pharmacy") | mine("kindergarten")
    assert changed(service="kindergarten") == both  # one removed there, one added here
    assert changed(x=None) <= mine("kindergarten")  # removed
    write_layer(toy)  # as it was: everything is still there
    assert answer(toy, cache) == (first, [])


def test_services_csv_moves_one_facility_to_another_service(toy, tmp_path):
    cache = tmp_path / "cache"
    table = toy / "data" / "raw" / "services.csv"
    table.write_text("facility_id,service\nk,kindergarten\n", encoding="utf-8")
    edit(toy, "study.toml", 'path = "extra.geojson"', 'path = "extra.geojson"\nservices_csv = "services.csv"')
    first, _ = answer(toy, cache)
    table.write_text("facility_id,service\nk,primary_school\n", encoding="utf-8")
    now, made = answer(toy, cache)
    assert set(made) - OTHERS == mine("kindergarten") | mine("primary_school")
    assert now == answer(toy, None)[0] != first


def edit(folder: Path, file: str, old: str, new: str) -> str:
    """Replace a text in a file; what it was before."""
    path = folder / file
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new), encoding="utf-8")
    return before


def test_settings_and_inputs_recompute_what_reads_them(toy, tmp_path):
    cache = tmp_path / "cache"
    first, _ = answer(toy, cache)

    def made(old: str, new: str, file: str = "study.toml") -> set[str]:
        before = edit(toy, file, old, new)
        now, what = answer(toy, cache)
        assert not what or what == ["answer"] or now == answer(toy, None)[0]
        (toy / file).write_text(before, encoding="utf-8")
        return set(what) - {"answer", "datasets"}

    def kinds(what: set[str]) -> set[str]:
        return {w.partition(":")[0] for w in what}

    people = "data/raw/population.csv"
    own = '[[standards.override]]\nid = "gb50180.kindergarten.radius"\nvalue = 500\nreason = "x"\n'
    assert made('lang = "zh"', 'lang = "en"') == set()
    assert made("[services]", own + "[services]") <= {"targets", "gap:kindergarten", "listed:kindergarten"}
    assert kinds(made("[inputs]", '[walk]\nprofile = "elderly"\n[inputs]')) == {
        "network",
        "search",
        "nearest",
        "gap",
        "listed",
    }
    assert made("[inputs]", "[reach]\ncutoffs_min = [7, 12]\n[inputs]") == set()
    more = kinds(made("1,1000,200,600,200", "1,1001,201,600,200", people))
    # No cell has moved: nothing is searched anew.
    assert more == {"cells", "origins", "ground", "street names", "place names", "barriers", "gap", "listed"}
    streets = "data/raw/streets.osm"
    assert {"network", "search", "nearest", "found"} <= kinds(made('v="tertiary"', 'v="steps"', streets))
    assert made("[inputs.district]", '[inputs.district]\nkind = "assumed"') >= {"zones", "cells"}
    (toy / "data" / "raw" / "population.csv.aux.xml").write_text("<x/>")  # a file beside the file is part of it
    assert "cells" in answer(toy, cache)[1]
    assert len(answer(toy, cache, code="2")[1]) == len(answer(toy, None)[1])  # other code: nothing is believed
    assert answer(toy, cache)[0] == first


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "other"])
def test_damaged_files_are_made_again(toy, tmp_path, damage):
    cache = tmp_path / "cache"
    first, made = answer(toy, cache)
    files = sorted(cache.glob("*-*"))
    assert len(files) == len(made)
    for i, file in enumerate(files):
        data = bytearray(file.read_bytes())
        if damage == "cut":
            file.write_bytes(data[: len(data) // 2])
        elif damage == "flip":
            data[len(data) // 3] ^= 4
            file.write_bytes(data)
        elif damage == "gone":
            file.unlink()
        else:
            file.write_bytes(files[i - 1].read_bytes())
    assert answer(toy, cache)[0] == first
    assert answer(toy, cache) == (first, [])
    for name in (".writing-abc", "unknown", "a-b.zip", "zones-0-0.zip"):  # what others left there
        (cache / name).write_bytes(b"x")
    assert answer(toy, cache) == (first, [])


_PROGRAM = """
import sys
from pathlib import Path
from bishan_gis.cache import Store
from bishan_gis.stages.gap_answer import gap_answer, write_answer
from bishan_gis.study import load_study
study = load_study(sys.argv[1])
with Store(Path(sys.argv[2]), code="1") as store:
    write_answer(gap_answer(study, store), study)
"""


def written(study: Path) -> dict[str, bytes]:
    return {name: (load_study(study).processed / name).read_bytes() for name in GAP_FILES}


def _start(study: Path, cache: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", _PROGRAM, str(study), str(cache)]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def test_two_at_once_and_killed_ones_leave_the_last_result_right(toy, tmp_path):
    right, _ = answer(toy, None)
    cache = tmp_path / "cache"
    both = [_start(toy, cache) for _ in (0, 1)]
    assert [p.wait(300) for p in both] == [0, 0]
    assert written(toy) == right
    write_layer(toy, x=450.0)
    moved, _ = answer(toy, None)
    chance = random.Random(20261123)
    shutil.rmtree(cache)
    for _ in range(4):
        process = _start(toy, cache)
        begun = time.monotonic()
        while not cache.exists() and process.poll() is None and time.monotonic() - begun < 60:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.6))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        assert written(toy) in (right, moved)
    assert answer(toy, cache)[0] == moved
    assert answer(toy, cache) == (moved, [])
    (cache / ".writing-1-2").write_bytes(b"x")
    os.utime(cache / ".writing-1-2", (0, 0))  # what killed ones left goes after an hour
    write_layer(toy)
    answer(toy, cache)
    assert not (cache / ".writing-1-2").exists()


def test_what_is_remembered_of_a_file_is_not_believed_too_soon(tmp_path):
    file = tmp_path / "file"
    with Store(tmp_path / "cache", code="1") as store:
        file.write_text("a")
        old = store.file_digest(file)
        file.write_text("b")  # as long as before, within the same tick of the clock for all we know
        assert store.file_digest(file) != old
    seen = tmp_path / "cache" / "seen.json"
    assert not seen.exists()
    time.sleep(2.1)
    for _ in range(2):
        with Store(tmp_path / "cache", code="1") as store:
            new = store.file_digest(file)
    assert str(file) in seen.read_text(encoding="utf-8")
    os.utime(file, (0, 0))
    file.write_text("c")
    os.utime(file, (0, 0))  # whoever sets back the clock of a file cannot set that of its changes
    with Store(tmp_path / "cache", code="1") as store:
        assert store.file_digest(file) != new
    seen.write_text(seen.read_text(encoding="utf-8").replace("a", "b"), encoding="utf-8")  # damaged: forgotten
    with Store(tmp_path / "cache", code="1") as store:
        assert store.file_digest(file) == file_sha256(file)


def test_the_store_stays_within_its_size(tmp_path):
    def fill(numbers: range) -> None:
        with Store(tmp_path, code="1", limit_mb=0.5) as store:
            for i in numbers:
                kept = store.keep("big", [i], lambda i=i: {"a": np.full(12_500, i)}, TABLES)  # 0.1 MB
                assert kept.value["a"][0] == i

    fill(range(4))
    assert len(list(tmp_path.glob("big-*"))) == 4
    for age, file in enumerate(sorted(tmp_path.glob("big-*"))):
        os.utime(file, (age, age))
    oldest = min(tmp_path.glob("big-*"), key=lambda p: p.stat().st_mtime)
    fill(range(4, 6))
    assert len(list(tmp_path.glob("big-*"))) == 4
    assert not oldest.exists()
    fill(range(8))  # what a run uses itself stays, whatever its size
    assert len(list(tmp_path.glob("big-*"))) == 8


def test_a_file_that_changes_while_it_is_read_is_an_error(toy, tmp_path, monkeypatch):
    from bishan_gis.sources import inputs

    read = inputs.load_osm

    def change(path):
        out = read(path)
        people = toy / "data" / "raw" / "population.csv"
        people.write_text(people.read_text(encoding="utf-8").replace("501", "502"), encoding="utf-8")
        return out

    monkeypatch.setattr(inputs, "load_osm", change)
    with pytest.raises(InputError, match=r"population\.csv"):
        answer(toy, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("cells-*"))


def test_the_command_writes_the_same_with_and_without_the_store(toy):
    from typer.testing import CliRunner

    from bishan_gis.cli import app

    said = [CliRunner().invoke(app, ["gaps", str(toy), "--quiet", *more]) for more in ([], [], ["--no-cache"])]
    assert [one.exit_code for one in said] == [0, 0, 0], said[0].stderr
    files = written(toy)
    assert files == answer(toy, None)[0]
    assert any((load_study(toy).processed / ".cache").glob("gap-*"))
    done = CliRunner().invoke(app, ["gaps", str(toy), "--since", str(load_study(toy).processed), "--json", "-"])
    assert not any(row["people_opened"] for row in json.loads(done.stdout)["changes"]["services"])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_plain_search_equals_the_kernels(data):
    n = data.draw(st.integers(1, 12))
    links = data.draw(
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.integers(1, 9)), min_size=1, max_size=40)
    )
    star = StarGraph.from_links(n, *(np.array(c, dtype=np.int32) for c in zip(*links, strict=True)))
    one = st.tuples(st.integers(0, n - 1), st.integers(0, 5), st.integers(0, 4))
    node, cost, label = zip(*data.draw(st.lists(one, min_size=1, max_size=6)), strict=True)
    seeds = Seeds(np.array(node, dtype=np.int32), np.array(cost, dtype=np.int64), np.array(label, dtype=np.int32))
    wanted = search_nearest_by_scipy(star, [seeds])
    for mine_, theirs in zip(search_nearest_plainly(star, seeds), wanted, strict=True):
        assert mine_.tolist() == theirs[0].tolist()


def test_bad_input(toy, tmp_path):
    cache = tmp_path / "cache"
    answer(toy, cache)
    (toy / "data" / "raw" / "population.csv").rename(toy / "gone.csv")
    with pytest.raises(MissingFileError, match=r"population\.csv"):
        answer(toy, cache)
    (toy / "gone.csv").rename(toy / "data" / "raw" / "population.csv")
    extra = toy / "data" / "raw" / "extra.geojson"
    extra.write_text("{", encoding="utf-8")
    with pytest.raises(BishanGisError, match="extra"):
        answer(toy, cache)
    write_layer(toy)
    entry = '[[dataset]]\npath = "extra.geojson"\ntitle = "x"\nsource = "x"\nlicence = "x"\nkind = "assumed"\n'
    (toy / "data" / "raw" / "datasets.toml").write_text(entry + f'sha256 = "{"0" * 64}"\n', encoding="utf-8")
    study = toy / "study.toml"
    study.write_text(study.read_text(encoding="utf-8").replace('datasets = ""', ""), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"extra\.geojson"):  # the manifest is looked at on every run
        answer(toy, cache)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="--no-cache"):
        Store(tmp_path / "file" / "cache")


numbers = st.floats().map(lambda v: math.nan if math.isnan(v) else v)
texts = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(texts, numbers, st.integers(-(2**62), 2**62), st.booleans()), max_size=8),
    st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda s: st.lists(s, max_size=3)),
)
def test_tables_come_back_as_they_went(rows, value):
    table = pd.DataFrame(rows, columns=["text", "number", "whole", "flag"])
    table = table.astype({"number": "float64", "whole": "int64", "flag": "bool", "text": "str"})
    array = table["number"].to_numpy()
    data = pack({"table": table, "array": array, "value": value})
    back = unpack(data)
    pd.testing.assert_frame_equal(back["table"], table)
    assert np.array_equal(back["array"], array, equal_nan=True)
    assert back["value"] == value
    assert pack(back) == data


def test_the_fingerprint_is_that_of_the_program():
    assert code_fingerprint() == code_fingerprint()
    assert len(code_fingerprint()) == 64
