"""How far vehicles come in time: the people, and the ground, reached from or to the facilities of a service."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.access.place_tables import whole_ms
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


@dataclass(frozen=True)
class _Times:
    """Time from or to the nearest facility without any turn-out, and when the data end [s]; who is off the streets."""

    value_s: NDArray[np.float64]
    unknown_from_s: NDArray[np.float64]
    off: NDArray[np.bool_]

    def states(self, trip: Trip) -> tuple[NDArray[np.bool_], ...]:
        """Return which origins are reached in time, and of which the data cannot tell."""
        limit = trip.minutes * 60
        total = (np.rint(self.value_s * 1000) + whole_ms(trip.turnout_min * 60)) / 1000
        reached = total <= limit
        # Beyond the edge of the data another facility may be nearer.
        return reached, ~reached & ~self.off & (self.unknown_from_s <= limit)


def _times(sums: ZoneSums, trip: Trip, origins: pd.DataFrame) -> _Times:
    """Search the way of a trip from every origin, however long it takes."""
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
    points = points[["facility_id", "service", "x", "y"]]
    # Of one service there is one row for each origin, in their order.
    table = nearest_cost(
        network, costs, origins, points, search_s=np.inf, max_snap_m=settings.max_snap_m, direction=trip.direction
    ).table
    return _Times(
        table["value"].to_numpy(np.float64),
        table["unknown_from_s"].to_numpy(np.float64),
        (table["status"] == "off_network").to_numpy(np.bool_),
    )


class _Ground:
    """Points that stand for the ground of a run, in which zones they lie, and times from or to them; each made once."""

    def __init__(self, sums: ZoneSums, step_m: float) -> None:
        self.sums = sums
        self.points = ground_points(sums, step_m)
        self._rows: dict[str, list[NDArray[np.int64]]] = {}
        self._times: dict[Trip, _Times] = {}

    @classmethod
    def of(cls, sums: ZoneSums, step_m: float) -> _Ground:
        """Return the ground of a run, kept with its sums."""
        kept: dict[float, _Ground] = sums.kept["ground"]
        if step_m not in kept:
            kept[step_m] = cls(sums, step_m)
        return kept[step_m]

    def rows(self, inside: str) -> list[NDArray[np.int64]]:
        """Return the rows of the points in each zone, or in its part inside a type of control line."""
        import shapely

        if inside not in self._rows:
            shapes = self.sums.line_areas(inside) if inside else self.sums.zones["geometry"].to_numpy()
            shapes = np.full(len(self.sums.zones), shapely.Polygon()) if shapes is None else shapes
            shapely.prepare(shapes)
            x, y = self.points["x"].to_numpy(float), self.points["y"].to_numpy(float)
            self._rows[inside] = [np.flatnonzero(shapely.intersects_xy(shape, x, y)) for shape in shapes]
        return self._rows[inside]

    def times(self, trip: Trip) -> _Times:
        """Return the times of a trip; one search will do for every limit and turn-out."""
        way = replace(trip, minutes=0.0, turnout_min=0.0)
        if way not in self._times:
            self._times[way] = _times(self.sums, trip, self.points)
        return self._times[way]


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
    times = _times(sums, trip, origins)
    reached, unsure = times.states(trip)
    people = cells["people"].to_numpy(np.int64)
    return sums.sum_cells(np.where(reached, people, 0)), sums.sum_cells(np.where(unsure | times.off, people, 0))


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
    ground = _Ground.of(sums, step_m)
    reached, unsure = ground.times(trip).states(trip)
    out = np.zeros((3, len(sums.zones)))
    for i, mine in enumerate(ground.rows(inside)):
        out[:, i] = [reached[mine].sum(), unsure[mine].sum(), len(mine)]
    out *= step_m**2 / 1e6
    return out[0], out[1], out[2]
