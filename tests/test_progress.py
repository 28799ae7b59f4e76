"""Long functions say how far they are, draw a bar when asked to, and end when they are told to."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from toy import EAST, NORTH, grid_network

import bishan_gis as bg
from bishan_gis.access import centrality
from bishan_gis.access.neighbours import Neighbours
from bishan_gis.network.costs import edge_costs, load_profile
from bishan_gis.progress import counting, in_threads


@pytest.fixture(scope="module")
def long_tasks():
    """Return every function that may take more than a second, ready to be called."""
    network, rng = grid_network(6, seed=3), np.random.default_rng(0)
    costs = edge_costs(network, load_profile("adult"))
    xy = pd.DataFrame({"x": EAST + rng.uniform(0, 500, 40), "y": NORTH + rng.uniform(0, 500, 40)})
    homes = xy.assign(origin_id=[f"h{i:02d}" for i in range(40)], people=1)
    places = xy[:5].assign(facility_id=list("abcde"), service=list("sssst"), seats=10)
    origins = places.rename(columns={"facility_id": "origin_id"})
    goals = places[["facility_id", "x", "y"]]
    pairs = bg.travel_matrix(network, costs, homes, goals, cutoff_s=900)
    ring = np.arange(40)
    near = Neighbours(pd.Index(homes["origin_id"]), ring.repeat(2), np.column_stack([ring - 1, ring + 1]).ravel() % 40)
    value = pd.Series(rng.random(40), index=homes["origin_id"])
    ask, circles = (network, costs), {"cutoffs_s": [200, 400], "people": homes}
    seats, people = places.set_index("facility_id")["seats"], homes.set_index("origin_id")["people"]
    return {
        "snap_points": lambda **o: bg.snap_points(grid_network(6, seed=3), xy["x"], xy["y"], max_snap_m=99, **o).leg_m,
        "nearest_cost": lambda **o: bg.nearest_cost(*ask, homes, places, **o).table,
        "k_nearest": lambda **o: bg.k_nearest(*ask, homes, places, k=2, **o),
        "travel_matrix": lambda **o: bg.travel_matrix(*ask, homes, goals, cutoff_s=900, **o),
        "reachable": lambda **o: (
            bg.reachable(*ask, homes, places[["facility_id", "x", "y", "seats"]], cutoffs_s=[300], **o).sums
        ),
        "network_centrality": lambda **o: bg.network_centrality(*ask, cutoff_s=300, **o).nodes,
        "service_areas": lambda **o: bg.service_areas(*ask, origins, cutoffs_s=[200, 400], **o),
        "exclusive_areas": lambda **o: bg.exclusive_areas(*ask, places, **circles, **o),
        "overlaps": lambda **o: bg.overlaps(*ask, places, **circles, **o),
        "reached_streets": lambda **o: bg.reached_streets(*ask, origins, cutoffs_s=[200, 400], **o),
        "travel_time_surface": lambda **o: bg.travel_time_surface(*ask, origins, cutoff_s=400, **o)[1],
        "raam": lambda **o: bg.raam(pairs, seats, people, tau_s=600, **o),
        "local_moran": lambda **o: bg.local_moran(value, near, permutations=99, **o),
        "hot_spots": lambda **o: bg.hot_spots(value, near, permutations=99, **o),
    }


def _equal(a, b):
    return a.equals(b) if hasattr(a, "equals") else bool((a == b).all())


def test_every_long_function_counts_to_its_end_and_can_be_stopped(long_tasks):
    for name, task in long_tasks.items():
        plain, said = task(), []
        assert _equal(plain, task(progress=lambda *a, s=said: s.append(a))), name
        done, total = zip(*said, strict=True)
        assert (done[-1], len(set(total))) == (total[-1], 1), (name, said)
        assert list(done) == sorted(done), name
        if name not in ("snap_points", "raam", "local_moran", "hot_spots"):
            assert _equal(plain, task(threads=1)), name

        def stop(*_):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            task(progress=stop)


def test_centrality_tells_its_searches_to_stop(monkeypatch, long_tasks):
    """A chunk of searches takes seconds on a large network: it looks at a flag after each."""
    flags, real = [], centrality._brandes
    monkeypatch.setattr(centrality, "_CHUNK", 4)
    monkeypatch.setattr(centrality, "_brandes", lambda *a: (flags.append(a[-1]), real(*a)))

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        long_tasks["network_centrality"](progress=stop)
    assert {flag[0] for flag in flags} == {1}


def test_a_bar_on_the_terminal_and_in_a_notebook(monkeypatch, capsys, long_tasks):
    long_tasks["service_areas"](progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "service areas" in err
    assert "100 %" in err
    drawn = []

    class Handle:
        def update(self, data, **_):
            drawn.append(data["text/plain"])

    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=True))
    display = SimpleNamespace(display=lambda data, **_: (drawn.append(data["text/plain"]), Handle())[1])
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    long_tasks["service_areas"](progress=True)
    assert drawn[0].startswith("service areas ░░░░")
    assert "████████████████████ 100%" in drawn[-1]
    monkeypatch.setattr("bishan_gis.progress._EVERY_S", 0)
    with counting(True, 0, "objects") as step:
        step(20_000)
    assert "20,000" in drawn[-1]


def test_an_error_ends_the_other_parts():
    begun, stop = [], np.zeros(1)

    def work(i):
        begun.append(i)
        while i > 3 and not stop[0]:
            pass
        return 1 // (i - 3)

    with pytest.raises(ZeroDivisionError):
        in_threads(work, range(1000), threads=2, stop=stop)
    assert len(begun) < 9
