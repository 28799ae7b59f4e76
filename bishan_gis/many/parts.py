"""Measures of a region, district by district: each reads its part and its halo, each cell is measured once."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.access.cumulative import cumulative_cutoff
from bishan_gis.access.decay import binary
from bishan_gis.access.floating_catchment import three_step, two_step
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.errors import InputError
from bishan_gis.many.halo import halo_m
from bishan_gis.many.region import Part, read_part
from bishan_gis.many.tasks import Outcome, run_tasks
from bishan_gis.network.snap import OFF_NETWORK, snap_points
from bishan_gis.schema import check_columns
from bishan_gis.sources.partition import load_region

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MEASURES", "part_measures", "run_part_task", "run_parts"]

#: What a part can be measured by.
MEASURES = ("nearest", "cumulative", "two_step", "three_step")


def part_measures(
    part: Part, cutoffs_s: Mapping[str, float], *, people: str = "people", max_snap_m: float = 300.0
) -> pd.DataFrame:
    """Measure the cells of a district.

    Parameters
    ----------
    part : Part
        The district with a halo wide enough for `cutoffs_s`.
    cutoffs_s : mapping
        Measure (of :data:`MEASURES`) -> cutoff, inclusive [s].
    people : str
        Column of the cells: demand.
    max_snap_m : float
        Places farther from every street are ``off_network`` [m].

    Returns
    -------
    pandas.DataFrame
        ``cell_id, service, measure, cutoff_s, value, status``, cells in their order. ``nearest`` [s] is NaN where
        nothing is reached within the cutoff: what lies beyond is beyond the halo, and not told apart. The others are
        0 there. ``status`` is ``reached, beyond_cutoff`` (nothing within the cutoff) or ``off_network``. Places count 1
        each, or what their column ``capacity`` says.

    Raises
    ------
    InputError
        A measure is not known.
    """
    unknown = sorted(set(cutoffs_s) - set(MEASURES))
    if unknown:
        known = ", ".join(MEASURES)
        raise InputError(f"没有指标 {unknown};可用: {known}", f"no measures {unknown}; known: {known}")
    check_columns(part.cells, ["cell_id", "x", "y", people, "own"], where="cells")
    origins = part.cells.rename(columns={"cell_id": "origin_id"})
    own = origins[origins["own"]].reset_index(drop=True)
    off = _off(part, own, max_snap_m)
    frames = []
    for measure, cutoff in cutoffs_s.items():
        near = measure == "nearest"
        values = _nearest(part, own, cutoff, max_snap_m) if near else {}
        for service in part.services:
            places = part.places[part.places["service"] == service]
            if not len(places):
                value = np.full(len(own), np.nan if near else 0.0)
            elif near:
                value = values[service]
            else:
                value = _shared(part, measure, origins, places, cutoff, people, max_snap_m)[origins["own"].to_numpy()]
            reached = ~np.isnan(value) if near else value > 0
            status = np.where(off, "off_network", np.where(reached, "reached", "beyond_cutoff")).astype(object)
            frames.append(
                pd.DataFrame(
                    {
                        "cell_id": own["origin_id"],
                        "service": service,
                        "measure": measure,
                        "cutoff_s": float(cutoff),
                        "value": value,
                        "status": status,
                    }
                )
            )
    columns = ["cell_id", "service", "measure", "cutoff_s", "value", "status"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _off(part: Part, own: pd.DataFrame, max_snap_m: float) -> NDArray[np.bool_]:
    """Say which cells are off the network."""
    snaps = snap_points(part.network, own["x"], own["y"], max_snap_m=max_snap_m, usable=part.costs.usable)
    out: NDArray[np.bool_] = snaps.edge == OFF_NETWORK
    return out


def _nearest(part: Part, own: pd.DataFrame, cutoff: float, max_snap_m: float) -> dict[str, NDArray[np.float64]]:
    """Return the times of the cells to each service [s], NaN beyond the cutoff."""
    near = nearest_cost(part.network, part.costs, own, part.places, search_s=cutoff, max_snap_m=max_snap_m)
    value = near.table["value"].where(near.table["status"] == "reached").to_numpy(np.float64)
    return dict(zip(near.services, value.reshape(len(near.services), len(own)), strict=True))


def _shared(
    part: Part,
    measure: str,
    origins: pd.DataFrame,
    places: pd.DataFrame,
    cutoff: float,
    people: str,
    max_snap_m: float,
) -> NDArray[np.float64]:
    """Return the measure of all origins for the places of one service."""
    matrix = travel_matrix(part.network, part.costs, origins, places, cutoff_s=cutoff, max_snap_m=max_snap_m, threads=1)
    each = places.drop_duplicates("facility_id").set_index("facility_id")
    supply = each["capacity"].astype(float) if "capacity" in each else pd.Series(1.0, index=each.index)
    demand = origins.set_index("origin_id")[people].astype(float)
    if measure == "cumulative":
        values = cumulative_cutoff(matrix, supply, cutoff_s=cutoff).reindex(demand.index, fill_value=0.0)
    elif measure == "two_step":
        values = two_step(matrix, supply, demand, cutoff_s=cutoff)
    else:
        values = three_step(matrix, supply, demand, decay=binary(cutoff_s=cutoff))
    out: NDArray[np.float64] = values.to_numpy(np.float64)
    return out


def run_part_task(
    folder: str, district: str, halo: float, cutoffs_s: Mapping[str, float], people: str, max_snap_m: float
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure one district from its files: what a worker does.

    Parameters
    ----------
    folder, district, halo : str, str, float
        See :func:`bishan_gis.many.region.read_part`.
    cutoffs_s, people, max_snap_m : mapping, str, float
        See :func:`part_measures`.

    Returns
    -------
    table, facts : pandas.DataFrame, dict
        The measures, and ``seconds, cpu_s, memory_mb, cells, cells_halo, edges, pid`` (memory: largest of the process
        so far).
    """
    import os

    begun, worked = time.perf_counter(), time.process_time()
    part = read_part(folder, district, halo)
    table = part_measures(part, cutoffs_s, people=people, max_snap_m=max_snap_m)
    table.insert(0, "district", district)
    facts = {
        "seconds": round(time.perf_counter() - begun, 3),
        "cpu_s": round(time.process_time() - worked, 3),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "cells": int(part.cells["own"].sum()),
        "cells_halo": int((~part.cells["own"]).sum()),
        "edges": part.network.n_edges,
        "pid": os.getpid(),
    }
    return table, facts


def run_parts(
    folder: str | Path,
    cutoffs_s: Mapping[str, float],
    *,
    districts: Sequence[str] | None = None,
    people: str = "people",
    max_snap_m: float = 300.0,
    scheduler: str | None = None,
    workers: int | None = None,
    retries: int = 2,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[pd.DataFrame, list[Outcome]]:
    """Measure a region, each district a task that reads its part and its halo.

    Parameters
    ----------
    folder : str or pathlib.Path
        From :func:`bishan_gis.many.region.partition_region`; every worker must see it.
    cutoffs_s : mapping
        See :func:`part_measures`; they decide on the halo.
    districts : sequence of str, optional
        Which ones; default all.
    people, max_snap_m : str, float
        See :func:`part_measures`.
    scheduler, workers, retries, progress : str, int, int, callable
        See :func:`bishan_gis.many.tasks.run_tasks`.

    Returns
    -------
    table, outcomes : pandas.DataFrame, list of Outcome
        The measures of every cell of every district that did not fail, each cell once, in the order of the districts;
        and for every district its facts (:func:`run_part_task`) or its error.

    Raises
    ------
    InputError, MissingFileError, NetworkError
        The folder is not a region, a setting is wrong, or the cluster does not answer.
    """
    region = load_region(folder)
    facts = region["facts"]
    wide = halo_m(cutoffs_s, speed_ms=facts["speed_ms"], max_snap_m=max_snap_m, island_m=facts["island_m"])
    held = dict(zip(region["districts"], region["boxes"]["cells"], strict=True))
    names = [d for d in held if held[d] is not None] if districts is None else list(districts)
    where = str(Path(folder).resolve())
    tasks = {d: (where, d, wide, dict(cutoffs_s), people, max_snap_m) for d in names}
    outcomes = run_tasks(run_part_task, tasks, scheduler=scheduler, workers=workers, retries=retries, progress=progress)
    tables = [o.value[0] for o in outcomes if o.error is None]
    plain = [Outcome(o.name, None if o.error else o.value[1], o.error) for o in outcomes]
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), plain
