"""What indicators are computed from: people, facilities and land of every zone of a run."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.crs import areas_km2
from bishan_gis.places.zones import ZONE_COLUMNS, zone_columns
from bishan_gis.planning.coverage import coverage
from bishan_gis.schema import weakest_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.results import Results

__all__ = ["ZoneSums"]


class ZoneSums:
    """Sums of a run over its zones, each computed once.

    Parameters
    ----------
    results : Results
        A run.

    Attributes
    ----------
    zones : pandas.DataFrame
        ``zone_kind, zone_id, zone_name, kind, geometry``; every array below is in their order.
    people : ndarray of int64
        People of each zone.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        #: What has been worked out of the run once and is asked for again, by what it is.
        self.kept: dict[str, dict[Any, Any]] = {"covered": {}, "answers": {}, "ground": {}}
        zones = pd.DataFrame(results.zones[results.zones["zone_kind"].isin(ZONE_COLUMNS)]).reset_index(drop=True)
        self.zones = zones.rename(columns={"name": "zone_name"})[
            ["zone_kind", "zone_id", "zone_name", "kind", "geometry"]
        ]
        self._kind = zones["zone_kind"].to_numpy(str)
        self.people = self.sum_cells(results.cells["people"].to_numpy(np.int64))

    @classmethod
    def of(cls, results: Results) -> ZoneSums:
        """Return the sums of a run, kept with it so that all who look at it share them."""
        kept = vars(results).get("_zone_sums")
        if not isinstance(kept, cls) or kept.results is not results:
            kept = cls(results)
            vars(results)["_zone_sums"] = kept
        return kept

    def _places(self, table: pd.DataFrame) -> list[NDArray[np.int64]]:
        """Return, for each kind of zone, the row of `zones` of every row of a table; -1 where it lies in none."""
        out = []
        for kind, column in zone_columns(self.zones).items():
            rows = np.flatnonzero(self._kind == kind)
            if column not in table.columns:
                # Facilities carry no district: they are inside when they have a township.
                inside = table["zone_id"].fillna("").astype(str).to_numpy() != ""
                out.append(np.where(inside, rows[0], -1))
                continue
            found = pd.Index(self.zones["zone_id"].to_numpy()[rows]).get_indexer(pd.Index(table[column]))
            out.append(np.where(found >= 0, rows[found], -1))
        return out

    def service_zh(self, key: str) -> str:
        """Return the Chinese name of a service of the run, else its key."""
        table = self.results.services
        return str(table.loc[key, "zh"]) if key in table.index else key

    @cached_property
    def _cell_places(self) -> list[NDArray[np.int64]]:
        return self._places(pd.DataFrame(self.results.cells))

    @cached_property
    def _facility_places(self) -> list[NDArray[np.int64]]:
        return self._places(pd.DataFrame(self.results.facilities))

    def _sum(self, places: list[NDArray[np.int64]], values: NDArray[Any]) -> NDArray[np.float64]:
        total = np.zeros(len(self.zones))
        for place in places:
            ok = place >= 0
            total += np.bincount(place[ok], weights=values[ok], minlength=len(self.zones))
        return total

    def sum_cells(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Add up whole numbers of the cells by zone."""
        return np.rint(self._sum(self._cell_places, values)).astype(np.int64)

    def sum_facilities(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Add up a number of the facilities by zone; those outside every zone count nowhere."""
        return self._sum(self._facility_places, values)

    def group(self, age_group: str) -> NDArray[np.int64] | None:
        """Return the people of an age group by zone, or None where the study has no such group."""
        spec = self.results.study.inputs.population
        parts = spec.groups.get(age_group, [age_group])
        if not all(p in self.results.cells.columns for p in parts):
            return None
        return self.sum_cells(self.results.cells[list(parts)].sum(axis=1).to_numpy(np.int64))

    @cached_property
    def _services(self) -> NDArray[np.str_]:
        return np.asarray(self.results.facilities["service"].to_numpy(str))

    def has(self, service: str) -> bool:
        """Say whether the run studied a service."""
        return service in self.results.services.index

    def of_service(self, service: str) -> NDArray[np.bool_]:
        """Return which facilities give a service."""
        return np.asarray(self._services == service, dtype=np.bool_)

    def covered(self, service: str, minutes: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the people within some minutes on foot of a service, and those for whom the data cannot tell."""
        done: dict[float, dict[str, NDArray[np.int64]]] = self.kept["covered"]
        if minutes not in done:
            done[minutes] = self._covered_within(float(minutes))
        covered, unknown = done[minutes][service]
        return covered, unknown

    def _covered_within(self, minutes: float) -> dict[str, NDArray[np.int64]]:
        """Return, for each service, the people covered and unknown of every zone."""
        table = self.results.coverage
        table = table[(table["age_group"] == "all") & (table["cutoff_min"] == minutes)]
        if table.empty:
            table = coverage(
                self.results.access,
                self.results.cells,
                self.results.zones,
                cutoffs_min=[minutes],
                age_groups={"all": ["people"]},
                member=zone_columns(self.zones),
            )
        key = ["zone_kind", "zone_id"]
        zone = pd.MultiIndex.from_frame(self.zones[key]).get_indexer(pd.MultiIndex.from_frame(table[key]))
        service, names = pd.factorize(table["service"])
        out = np.zeros((len(names), 2, len(self.zones)), dtype=np.int64)
        mine = zone >= 0
        for i, column in enumerate(["people_covered", "people_unknown"]):
            out[service[mine], i, zone[mine]] = table[column].to_numpy(np.int64)[mine]
        return dict(zip(map(str, names), out, strict=True))

    def within_m(self, service: str, radius_m: float, chosen: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Return which cells lie within a straight line of a service, or of some of its facilities."""
        from scipy.spatial import cKDTree

        cells, places = self.results.cells, self.results.facilities
        rows = self.of_service(service) if chosen is None else self.of_service(service) & chosen
        if not rows.any():
            return np.zeros(len(cells), dtype=np.bool_)
        tree = cKDTree(places.loc[rows, ["x", "y"]].to_numpy(float))
        distance, _ = tree.query(cells[["x", "y"]].to_numpy(float))
        return np.asarray(distance <= radius_m, dtype=np.bool_)

    @cached_property
    def facility_area_m2(self) -> NDArray[np.float64]:
        """Ground of every facility [m2]; NaN where it is a point.

        Taken from ``facilities.area_m2`` where the run kept it, else from the green areas of the map with the same id.
        """
        places = self.results.facilities
        if "area_m2" in places.columns:
            area = places["area_m2"].to_numpy(float)
            return np.where(area > 0, area, np.nan)
        green = self.results.green
        if green is None:
            return np.full(len(places), np.nan)
        areas = pd.Series(green.area.to_numpy(float), index=green["osm_id"].astype(str))
        areas = areas[~areas.index.duplicated()]
        return areas.reindex(places["facility_id"].astype(str)).to_numpy(float)

    @cached_property
    def area_km2(self) -> NDArray[np.float64]:
        """Area of every zone [km2]."""
        import geopandas as gpd

        return areas_km2(gpd.GeoDataFrame(geometry=list(self.zones["geometry"]), crs=self.results.cells.crs))

    def line_areas(self, line_type: str) -> NDArray[Any] | None:
        """Return the part of every zone inside one type of control line, or None where the study has none."""
        import shapely

        lines = self.results.control_lines
        if lines is None or not (lines["line_type"] == line_type).any():
            return None
        whole: Any = lines.loc[lines["line_type"] == line_type, "geometry"].union_all()
        return np.asarray(shapely.intersection(self.zones["geometry"].to_numpy(), whole))

    def kind(self, *services: str, more: tuple[str, ...] = (), streets: bool = False) -> list[str]:
        """Return what a result on each zone rests on: the weakest of people, facilities and the zones themselves."""
        results = self.results
        kinds = [*results.cells["kind"].unique(), *more]
        for service in services:
            kinds += list(results.facilities.loc[self.of_service(service), "kind"].unique())
        if streets:
            kinds.append(str(results.record.get("inputs", {}).get("inputs.osm", {}).get("kind") or results.kind))
        return [weakest_kind([*kinds, zone]) for zone in self.zones["kind"]]
