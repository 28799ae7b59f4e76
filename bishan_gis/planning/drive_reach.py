"""How far vehicles come in time: the people, and the ground, reached from or to the facilities of a service."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import BishanGisWarning

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.planning.zone_sums import ZoneSums

__all__ = ["GROUND_M", "Trip", "ground_points", "ground_reached", "people_reached"]

#: Spacing of the points that stand for the ground of a zone [m].
GROUND_M = 100.0


@dataclass(frozen=True)
class Trip:
    """A trip by vehicle.

    Attributes
    ----------
    service : str
        Service of the facilities.
    minutes : float
        Longest time that counts, with the turn-out [min].
    direction : str
        ``to`` the facilities, or ``from`` them.
    turnout_min : float
        What passes before the vehicle leaves [min].
    profile : str
        Speed profile; empty: the study's under ``[drive]``.
    """

    service: str
    minutes: float
    direction: str = "to"
    turnout_min: float = 0.0
    profile: str = ""


def ground_points(sums: ZoneSums, step_m: float = GROUND_M) -> pd.DataFrame:
    """Return points at even spacing that stand for the ground of the district.

    Parameters
    ----------
    sums : ZoneSums
        A run.
    step_m : float
        Spacing [m].

    Returns
    -------
    pandas.DataFrame
        ``origin_id, x, y`` [m, working CRS]; the points of a lattice whose origin is that of the CRS, shifted by half a
        step, that lie in the district.
    """
    import shapely

    whole = sums.zones.loc[sums.zones["zone_kind"] == "district", "geometry"].iloc[0]
    left, low, right, top = shapely.bounds(whole)
    x = (np.arange(np.floor(left / step_m), np.ceil(right / step_m)) + 0.5) * step_m
    y = (np.arange(np.floor(low / step_m), np.ceil(top / step_m)) + 0.5) * step_m
    at = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    shapely.prepare(whole)
    at = at[shapely.intersects_xy(whole, at[:, 0], at[:, 1])]
    return pd.DataFrame({"origin_id": np.arange(len(at)).astype(str), "x": at[:, 0], "y": at[:, 1]})


def _states(sums: ZoneSums, trip: Trip, origins: pd.DataFrame) -> tuple[NDArray[np.bool_], ...]:
    """Return which origins are reached in time, of which the data cannot tell, and which are off the streets."""
    from bishan_gis.access.nearest import nearest_cost
    from bishan_gis.network.costs import edge_costs, load_profile

    results = sums.results
    network, settings = results.networks["drive"], results.study.modes["drive"]
    slope = settings.slope if not trip.profile else None
    # Where the streets of the study are those of emergency vehicles, cars are taken over them, too.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BishanGisWarning)
        costs = edge_costs(network, load_profile(trip.profile or settings.profile), slope=slope)
    points = results.access_points[results.access_points["service"] == trip.service]
    points = points.assign(offset_s=trip.turnout_min * 60)
    limit = trip.minutes * 60
    table = nearest_cost(
        network,
        costs,
        origins,
        points,
        search_s=limit,
        max_snap_m=settings.max_snap_m,
        direction=trip.direction,
    ).table.set_index("origin_id")
    table = table.loc[origins["origin_id"]]
    reached = (table["status"] == "reached").to_numpy() & (table["value"] <= limit).to_numpy()
    off = (table["status"] == "off_network").to_numpy(dtype=np.bool_)
    # Beyond the edge of the data another facility may be nearer.
    unsure = ~reached & ~off & (table["unknown_from_s"] <= limit).to_numpy()
    return np.asarray(reached, dtype=np.bool_), np.asarray(unsure, dtype=np.bool_), off


def people_reached(sums: ZoneSums, trip: Trip) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the people of every zone that a trip reaches in time, and those of whom the data cannot tell.

    Parameters
    ----------
    sums : ZoneSums
        A run with the mode ``drive``; arrays are in the order of its zones.
    trip : Trip
        The trip.
    """
    cells = pd.DataFrame(sums.results.cells)
    origins = cells[["cell_id", "x", "y"]].rename(columns={"cell_id": "origin_id"})
    reached, unsure, off = _states(sums, trip, origins)
    people = cells["people"].to_numpy(np.int64)
    return sums.sum_cells(np.where(reached, people, 0)), sums.sum_cells(np.where(unsure | off, people, 0))


def ground_reached(
    sums: ZoneSums, trip: Trip, *, inside: str = "", step_m: float = GROUND_M
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return how much of the ground of every zone a trip reaches in time.

    Parameters
    ----------
    sums : ZoneSums
        A run with the mode ``drive``; arrays are in the order of its zones.
    trip : Trip
        The trip.
    inside : str
        Type of control line that bounds the ground; empty: all of the zone.
    step_m : float
        Spacing of the points that stand for the ground [m].

    Returns
    -------
    reached, unsure, whole : ndarray
        Ground reached, ground of which the data cannot tell, and all of it [km2]: points times the square of their
        spacing. Ground farther from every street than the vehicles' ``max_snap_m`` is not reached.
    """
    import shapely

    points = ground_points(sums, step_m)
    x, y = points["x"].to_numpy(float), points["y"].to_numpy(float)
    if inside:
        shapes = sums.line_areas(inside)
        shapes = np.full(len(sums.zones), shapely.Polygon()) if shapes is None else shapes
    else:
        shapes = sums.zones["geometry"].to_numpy()
    key = (trip, step_m)
    done: dict[tuple[Trip, float], tuple[NDArray[np.bool_], ...]] = sums.__dict__.setdefault("_trips", {})
    if key not in done:
        done[key] = _states(sums, trip, points)
    reached, unsure, _ = done[key]
    out = np.zeros((3, len(sums.zones)))
    for i, shape in enumerate(shapes):
        shapely.prepare(shape)
        mine = shapely.intersects_xy(shape, x, y)
        out[:, i] = [(mine & reached).sum(), (mine & unsure).sum(), mine.sum()]
    out *= step_m**2 / 1e6
    return out[0], out[1], out[2]
