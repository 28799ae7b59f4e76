"""The stages of a study: what each one needs, and how it is made when the store does not have it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from bishan_gis.cache import Kept, Store
from bishan_gis.schema import weakest_kind
from bishan_gis.stages.forms import NETWORK, TABLES
from bishan_gis.stages.study_files import StudyFiles

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from bishan_gis.measure_settings import Mode
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.study import Study
    from bishan_gis.study_settings import FacilityInput

__all__ = ["StudyStages"]

#: So few services are searched in plain Python: compiled kernels take longer to load.
_FEW = 2
#: A table of more facilities is kept in parts, by service: one service seldom needs the others.
_SHORT = 500


class StudyStages(StudyFiles):
    """The tables of a study, each from the store where nothing that it depends on has changed.

    ::

        district, townships, directions -- zones ----------------.
        population, land use, OSM, townships ---- cells -----.   |
        OSM, extent, elevation ------ network -- search -----+---+--- nearest (per service)
        OSM, facility layer i -- found -- places, doors (per service) --'

    Parameters
    ----------
    study : Study
        The settings.
    store : Store
        Where stages are kept.
    progress : callable, optional
        Called with the name of the step, what is done, and what there is in all.

    Raises
    ------
    BishanGisError
        Input files are missing or are not those listed, see :class:`~bishan_gis.stages.study_files.StudyFiles`.
    """

    def __init__(self, study: Study, store: Store, progress: Callable[[str, int, int], None] | None = None) -> None:
        super().__init__(study, store, progress)
        #: Networks by mode that a run has built already.
        self.streets_made: dict[str, Network] = {}

    # Zones, people, streets -----------------------------------------------------------------------------------------

    @cached_property
    def zones_kept(self) -> Kept:
        """District, directions, townships, as they are kept."""

        def make() -> dict[str, Any]:
            from bishan_gis.places.zones import build_zones

            d = self.data
            own = self.study.directions
            zones = build_zones(d.district, d.townships, own, direction_layer=d.directions, units=d.units)
            return {"zones": zones}

        layers = ("inputs.villages", "inputs.grids", "directions.layer")
        needs = self.needs("inputs.district", "inputs.townships", *layers)
        return self.store.keep("zones", [*needs, self.study.directions.model_dump(mode="json")], make, TABLES)

    @cached_property
    def cells_kept(self) -> Kept:
        """People on cells, as they are kept."""

        def make() -> dict[str, Any]:
            from bishan_gis.stages.steps import place_people

            cells, check, placed_by = place_people(self.study, self.data, self.zones)
            parts = list(self.data.population.parts)
            return {"cells": cells, "check": check, "placed_by": placed_by, "parts": parts}

        needs = self.needs("inputs.district", "inputs.townships", "inputs.osm", "inputs.landuse", "inputs.population")
        return self.store.keep(
            "cells", [*needs, self.study.cells.model_dump(mode="json"), self.zones_kept], make, TABLES
        )

    @cached_property
    def network_kept(self) -> Kept:
        """Walkable streets, as they are kept."""
        return self.streets_kept("walk")

    def streets_kept(self, mode: Mode) -> Kept:
        """Return the streets of a mode, as they are kept."""

        def make() -> Network:
            from bishan_gis.network.assemble import assemble_network

            if mode in self.streets_made:
                return self.streets_made[mode]
            return assemble_network(self.study, self.data, mode)[0]

        needs = self.needs("inputs.osm", "inputs.osm_extent", "inputs.district", "inputs.elevation")
        who = self.study.modes[mode]
        others = sorted({m.profile for m in self.study.measures if m.mode == mode and m.profile})
        own = [mode, who.profile, who.island_m, who.slope, who.waits, others]
        return self.store.keep("network", [*needs, *own], make, NETWORK)

    @property
    def zones(self) -> gpd.GeoDataFrame:
        """District, directions, townships."""
        return self.zones_kept.value["zones"]

    @property
    def cells(self) -> gpd.GeoDataFrame:
        """People on cells."""
        return self.cells_kept.value["cells"]

    @property
    def population_check(self) -> pd.DataFrame:
        """Control totals and what was placed."""
        return self.cells_kept.value["check"]  # type: ignore[no-any-return]

    @property
    def network(self) -> Network:
        """Walkable streets."""
        return self.network_kept.value  # type: ignore[no-any-return]

    @cached_property
    def networks(self) -> dict[str, Network]:
        """Streets of every mode of the study."""
        return {"walk": self.network, **{m: self.streets_kept(m).value for m in self.study.modes if m != "walk"}}

    @cached_property
    def water(self) -> gpd.GeoDataFrame | None:
        """Water areas of the streets file."""

        def make() -> dict[str, Any]:
            from bishan_gis.stages.steps import tagged_areas

            return {"water": tagged_areas(self.data, {"natural": ["water"], "waterway": ["riverbank"]})}

        return self.store.keep("water", self.needs("inputs.osm"), make, TABLES).value["water"]  # type: ignore[no-any-return]

    @cached_property
    def barrier_lines(self) -> gpd.GeoDataFrame | None:
        """Railways and rivers of the streets file, as lines."""

        def make() -> dict[str, Any]:
            from bishan_gis.stages.steps import barrier_lines

            return {"lines": barrier_lines(self.data)}

        return self.store.keep("lines", self.needs("inputs.osm"), make, TABLES).value["lines"]  # type: ignore[no-any-return]

    @cached_property
    def landuse(self) -> gpd.GeoDataFrame | None:
        """Land use of the study."""
        return self._layer("landuse")

    @cached_property
    def control_lines(self) -> gpd.GeoDataFrame | None:
        """Control lines of the study."""
        return self._layer("control_lines")

    def _layer(self, name: str) -> gpd.GeoDataFrame | None:
        setting = f"inputs.{name}"
        if setting not in self.files:
            return None

        def make() -> dict[str, Any]:
            return {name: getattr(self.data, name)}

        return self.store.keep("layer", self.needs(setting), make, TABLES).value[name]  # type: ignore[no-any-return]

    @cached_property
    def costs(self) -> EdgeCosts:
        """What the streets cost who walks."""
        from bishan_gis.network.costs import edge_costs, load_profile

        return edge_costs(self.network, load_profile(self.study.walk.profile), slope=self.study.walk.slope)

    # Facilities ---------------------------------------------------------------------------------------------------

    @cached_property
    def _found(self) -> list[Kept]:
        """Facilities of every source, by service: OSM, then each layer; one that changed does not touch the others."""
        settings = self.study.services
        known: list[Any] = [self.settings_hash(settings.classes), settings.include]
        out = [self.store.keep("found", [*self.needs("inputs.osm"), *known], self._from_osm, TABLES)]
        for i, spec in enumerate(self.study.inputs.facilities):
            needs = [*self.needs(f"inputs.facilities[{i}]"), *known]
            out.append(self.store.keep("found", needs, partial(self._from_layer, i, spec), TABLES))
        return out

    def _from_osm(self) -> dict[str, Any]:
        from bishan_gis.stages.steps import osm_facilities, study_classes

        return _by_service(osm_facilities(self.data, study_classes(self.study)))

    def _from_layer(self, i: int, spec: FacilityInput) -> dict[str, Any]:
        from bishan_gis.sources.layers import load_layer
        from bishan_gis.stages.steps import layer_facilities, study_classes

        setting = f"inputs.facilities[{i}]"
        path = self.files[setting]
        datum = spec.datum or self.datums.get(setting) or "wgs84"
        if spec.type == "layer" and datum.lower() in ("wgs84", "cgcs2000"):
            frame = load_layer(
                path,
                layer=spec.layer,
                encoding=spec.encoding,
                crs=spec.crs,
                columns=spec.columns,
                where=f"{setting} ({path.name})",
            )
        else:
            from bishan_gis.sources.inputs import load_inputs

            inputs = self.study.inputs.model_copy(update={"facilities": [spec]})
            frame = load_inputs(self.study.model_copy(update={"inputs": inputs})).facilities[0][1]
        found = layer_facilities(self.study, spec, frame, study_classes(self.study), kind=self.kinds[setting])
        self.check_still(s for s in self.files if s.startswith(setting))
        return _by_service(found)

    @cached_property
    def places_kept(self) -> dict[str, Kept]:
        """Facilities of each service, each once, with the zones they lie in, as they are kept."""
        from bishan_gis.stages.steps import check_any

        sources = [kept.value["services"] for kept in self._found]
        check_any(sum(map(len, sources)), osm=self.files["inputs.osm"].name)
        needs = {
            service: [[i, one[service]] for i, one in enumerate(sources) if service in one]
            for service in sorted({s for one in sources for s in one})
        }

        def make(services: list[str]) -> dict[str, Any]:
            return {s: self._count_service(s, [i for i, _ in needs[s]]) for s in services}

        known = [self.study.crs, self.study.name, self.zones_kept]
        return self.store.keep_each("places", {s: [n, *known] for s, n in needs.items()}, make, TABLES)

    def _count_service(self, service: str, sources: list[int]) -> dict[str, Any]:
        import shapely

        from bishan_gis.crs import load_crs
        from bishan_gis.planning.gap_describe import named_facilities
        from bishan_gis.stages.steps import count_once, district_prefixes, facility_places

        crs = load_crs(self.study.crs, where=f"{self.study.file.name}: crs")
        found = [_of_service(self._found[i].value, service) for i in sources]
        kept, merged = count_once(found, crs=crs, prefixes=district_prefixes(self.study, self.zones))
        places = facility_places(kept, self.zones)
        code, area = shapely.to_wkb(kept.geometry.to_numpy()), shapely.get_dimensions(kept.geometry.to_numpy()) == 2
        ids = kept["facility_id"].to_numpy(dtype=object)
        both = (("areas", area), ("points", ~area))
        doors = {name: _hash([*ids[mine], *code[mine]]) for name, mine in both if mine.any()}
        named = named_facilities(places)
        return {
            "facilities": kept,
            "places": places,
            "merged": merged if len(merged) else None,
            "doors": doors,
            "ids": list(ids),
            "kinds": sorted(places["kind"].unique()),
            "zones": list(places["zone_id"].unique()),
            "named": {c: named[c].tolist() for c in named.columns},
        }

    @cached_property
    def facilities(self) -> gpd.GeoDataFrame:
        """Facilities, each once, as points, with the zones they lie in."""
        import pandas as pd

        table = pd.concat([k.value["places"] for k in self.places_kept.values()], ignore_index=True)
        return table.sort_values("facility_id", ignore_index=True)  # type: ignore[no-any-return]

    @cached_property
    def services(self) -> pd.DataFrame:
        """The service classes that occur, by key, and how many facilities of each lie in the district."""
        from bishan_gis.stages.steps import count_services, judge_services, service_table, study_classes

        present = service_table(study_classes(self.study), set(self.places_kept))
        return count_services(judge_services(self.study, present)[0], self.facilities)

    @property
    def merged(self) -> pd.DataFrame:
        """What was counted once though it was there several times."""
        import pandas as pd

        some = [k.value["merged"] for k in self.places_kept.values() if k.value["merged"] is not None]
        if not some:
            from bishan_gis.places.facilities import merge_duplicates

            one: gpd.GeoDataFrame = next(iter(self.places_kept.values())).value["facilities"]
            some = [merge_duplicates(one, crs=self.network.crs)[1]]
        table: pd.DataFrame = pd.concat(some, ignore_index=True)
        return table

    @cached_property
    def doors_kept(self) -> dict[str, list[Kept]]:
        """Access points of each service, of points and of areas; facilities of other services do not count."""
        entrances = self.store.keep("entrances", self.needs("inputs.osm"), self._make_entrances, TABLES)
        needs = {
            f"{what} {service}": [digest, self.study.crs, *([self.network_kept, entrances] if what == "areas" else [])]
            for service, kept in self.places_kept.items()
            for what, digest in kept.value["doors"].items()
        }

        def make(wanted: list[str]) -> dict[str, Any]:
            import shapely

            from bishan_gis.places.entrances import find_access_points

            out: dict[str, Any] = {}
            for name in wanted:
                what, _, service = name.partition(" ")
                mine = self.places_kept[service].value["facilities"]
                mine = mine[(shapely.get_dimensions(mine.geometry.to_numpy()) == 2) == (what == "areas")]
                gates = entrances.value["entrances"] if what == "areas" else None
                points = find_access_points(mine, self.network, entrances=gates)
                points = points.merge(mine[["facility_id", "service"]], on="facility_id")
                out[name] = points.to_dict("list")
            return out

        out: dict[str, list[Kept]] = {}
        for name, kept in self.store.keep_each("doors", needs, make, TABLES).items():
            out.setdefault(name.partition(" ")[2], []).append(kept)
        return dict(sorted(out.items()))

    def _make_entrances(self) -> dict[str, Any]:
        from bishan_gis.places.entrances import find_entrances

        return {"entrances": find_entrances(self.data.osm)}

    def points(self, services: Iterable[str]) -> pd.DataFrame:
        """Return where the facilities of some services are entered."""
        import pandas as pd

        doors = [kept for service in services for kept in self.doors_kept[service]]
        table = pd.concat([pd.DataFrame(dict(kept.value)) for kept in doors], ignore_index=True)
        return table.sort_values(["facility_id", "x", "y"], ignore_index=True)

    @cached_property
    def access_points(self) -> pd.DataFrame:
        """Where every facility is entered."""
        return self.points(self.doors_kept).assign(kind=self.rests_on)

    # Times ----------------------------------------------------------------------------------------------------------

    @cached_property
    def origins_hash(self) -> str:
        """What stands for the places that people leave from."""

        def make() -> dict[str, Any]:
            cells = self.cells
            return {"hash": _hash([*cells["cell_id"].astype(object), cells[["x", "y"]].to_numpy().tobytes()])}

        return str(self.store.keep("origins", [self.cells_kept], make, TABLES).value["hash"])

    def nearest_kept(self, *, level: bool = False) -> dict[str, Kept]:
        """Find the times to the nearest facility of each service; `level`: as if all streets were level."""
        from bishan_gis.stages.quick_search import search_ground, search_service

        study = self.study
        ground = search_ground(self, level=level)

        def make(services: list[str]) -> dict[str, Any]:
            if len(services) <= _FEW and ("numba" not in sys.modules or len(services) < len(self.doors_kept)):
                return {s: search_service(self, ground, s, level=level) for s in services}
            self.say("步行时间 walking times", 0)
            from bishan_gis.access.nearest import nearest_cost
            from bishan_gis.network.costs import edge_costs
            from bishan_gis.stages.access_table import pack_access

            near = nearest_cost(
                self.network,
                edge_costs(self.network, self.costs.profile, slope="none") if level else self.costs,
                self.cells[["cell_id", "x", "y"]].rename(columns={"cell_id": "origin_id"}),
                self.points(services),
                search_s=study.reach.search_min * 60,
                max_snap_m=study.walk.max_snap_m,
            )
            rows = near.table.groupby("service", sort=False).indices
            self.say("步行时间 walking times", 1)
            return {s: pack_access(near.table.iloc[rows[s]]) for s in services}

        needs = {s: [ground, *kept, study.reach.search_min] for s, kept in self.doors_kept.items()}
        return self.store.keep_each("nearest", needs, make, TABLES)

    @cached_property
    def times(self) -> dict[str, Kept]:
        """Times to the nearest facility of each service, as they are kept."""
        return self.nearest_kept()

    @cached_property
    def rests_on(self) -> str:
        """The weakest kind of everything the times and people rest on."""
        kinds = [kind for kept in self.places_kept.values() for kind in kept.value["kinds"]]
        return weakest_kind([*self.kinds.values(), *self.cells["kind"].unique(), *kinds])

    @property
    def kind(self) -> str:
        """The weakest kind of everything, the directions too."""
        return self.kind_of(self.cells["kind"].unique())

    def kind_of(self, cells: Iterable[str]) -> str:
        """Return the weakest kind of everything, where the kinds of the cells are known."""
        kinds = [kind for kept in self.places_kept.values() for kind in kept.value["kinds"]]
        return weakest_kind([*self.kinds.values(), *cells, *kinds, *self.study.direction_kinds])

    @cached_property
    def sloped(self) -> bool:
        """Whether slopes count."""
        return self.costs.slope != "none"

    def table_of(self, times: Mapping[str, Kept]) -> pd.DataFrame:
        """Return the table of some services, see :func:`bishan_gis.access.nearest.nearest_cost`."""
        from bishan_gis.stages.access_table import unpack_access

        cutoff_s = float(self.study.reach.search_min * 60)
        return unpack_access({s: k.value for s, k in times.items()}, self.cells["cell_id"], cutoff_s=cutoff_s)

    @cached_property
    def access(self) -> pd.DataFrame:
        """Time from every cell to the nearest facility of each service."""
        return self.table_of(self.times).assign(kind=self.rests_on)


def _by_service(found: gpd.GeoDataFrame) -> dict[str, Any]:
    """Return the facilities of a source, and what stands for those of each service in a key."""
    import shapely

    found.attrs = {}
    plain = [c for c in found.columns if c != found.geometry.name]
    rows = zip(*(found[c].tolist() for c in plain), strict=True)
    texts = [json.dumps([str(v) for v in row], ensure_ascii=False) for row in rows]
    shapes = shapely.to_wkb(found.geometry.to_numpy())
    digests = {
        service: _hash([*plain, *(part for i in at for part in (texts[i], shapes[i]))])
        for service, at in sorted(found.groupby("service").indices.items())
    }
    if len(found) <= _SHORT:
        return {"services": digests, "every": found}
    return {"services": digests, **{f"of {s}": found[found["service"] == s].reset_index(drop=True) for s in digests}}


def _of_service(found: Mapping[str, Any], service: str) -> gpd.GeoDataFrame:
    """Return the facilities of one service from what :func:`_by_service` returned."""
    if "every" not in found:
        return found[f"of {service}"]
    every = found["every"]
    return every[every["service"] == service].reset_index(drop=True)


def _hash(parts: Iterable[str | bytes]) -> str:
    """Return the digest of several texts, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(f"{len(data)} ".encode() + data)
    return digest.hexdigest()
