"""What is missing, service by service: all of the answer that does not depend on the other services."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from bishan_gis.stages.forms import TABLES
from bishan_gis.stages.gap_pieces import list_pieces, listed_pieces, service_pieces
from bishan_gis.stages.quick_search import search_ground

if TYPE_CHECKING:
    import pandas as pd

    from bishan_gis.access.neighbours import Neighbours
    from bishan_gis.cache import Kept
    from bishan_gis.planning.gap_cells import CellGaps
    from bishan_gis.planning.gap_judge import Judged
    from bishan_gis.results import Results
    from bishan_gis.stages.study_stages import StudyStages

__all__ = ["LISTS", "GapParts"]

#: Lists of the answer: where a service is missing, where the data cannot tell, where there are too few places.
LISTS = ("gaps", "unknown", "short")


class GapParts:
    """The gaps of a study in parts that are kept, a part for each service.

    Parameters
    ----------
    stages : StudyStages
        The tables of the study.
    services, levels : sequence
        Only these services, and services of these levels [min]; all where left out.

    Raises
    ------
    InputError
        A service or level is unknown, or nothing is left; raised when the parts are asked for.

    Notes
    -----
    A part holds its share of every file as bytes, in the order of rank within the service, without what depends on
    other services: rank, names of places (landmarks are facilities), further services missing.
    """

    def __init__(self, stages: StudyStages, *, services: Sequence[str] = (), levels: Sequence[float] = ()) -> None:
        self.stages, self.study, self.store = stages, stages.study, stages.store
        levels = sorted({float(v) for v in levels})
        self.selection: dict[str, list[Any]] = {"services": sorted(set(services)), "levels": levels, "zones": []}

    # What is asked for --------------------------------------------------------------------------------------------

    @cached_property
    def targets_kept(self) -> Kept:
        """What the standards ask for of the services that occur."""
        study = self.study
        present = sorted(self.stages.places_kept)

        def make() -> dict[str, Any]:
            from bishan_gis.planning.gap_quality import capacity_needs
            from bishan_gis.planning.gaps import absent_services
            from bishan_gis.planning.standards import service_targets, study_standards
            from bishan_gis.stages.steps import service_table, study_classes

            standards = study_standards(study)
            table = service_targets(standards, services=service_table(study_classes(study), set(present)))
            table = table[table["level_min"] > 0].reset_index(drop=True)
            absent = absent_services(study, standards, set(present))
            needs = capacity_needs(standards)
            asked = {one["service"]: one for one in needs.to_dict("records")}
            return {
                "rows": {one["service"]: [one, asked.get(one["service"])] for one in table.to_dict("records")},
                "targets": table,
                "needs": needs,
                "services": table["service"].tolist(),
                "levels": table["level_min"].tolist(),
                "weights": table["weight"].tolist(),
                "absent": absent.to_dict("records"),
                "no_level": sorted(set(present) - set(table["service"])),
            }

        own = [self.stages.settings_hash(path) for path in (study.standards.file, study.services.classes)]
        needs = [study.standards.model_dump(mode="json"), study.services.include, own, present]
        return self.store.keep("targets", needs, make, TABLES)

    # What lies under it -------------------------------------------------------------------------------------------

    @cached_property
    def ground_kept(self) -> Kept:
        """Cells, zones and neighbours: what all services share."""
        stages = self.stages

        def make() -> dict[str, Any]:
            import numpy as np
            import pandas as pd

            from bishan_gis.access.neighbours import find_neighbours
            from bishan_gis.planning.gap_places import cell_places
            from bishan_gis.planning.gaps import place_settings

            cells, zones = stages.cells, stages.zones
            near = find_neighbours(cells)
            about = SimpleNamespace(cells=cells, zones=zones)
            place, places = cell_places(cells, cells, **place_settings(cast("Results", about)))
            plain = [pd.DataFrame(t.drop(columns=t.geometry.name)) for t in (cells, zones)]
            ids = [str(c) for c in cells["cell_id"]]
            return {
                "cells": plain[0],
                "zones": plain[1],
                "focal": near.focal.astype(np.int32),
                "neighbour": near.neighbour.astype(np.int32),
                "people": cells["people"].to_numpy(np.int64),
                "xy": cells[["x", "y"]].to_numpy(np.float64),
                "order": np.argsort(np.argsort(np.array(ids))).astype(np.int32),
                "ids": ids,
                "zone_id": cells["zone_id"].astype(str).tolist(),
                "place": place,
                "places": places,
                "kinds": sorted(cells["kind"].unique()),
            }

        return self.store.keep("ground", [stages.cells_kept, stages.zones_kept], make, TABLES)

    @cached_property
    def _streets_kept(self) -> Kept:
        """The named street that is nearest to each cell."""
        stages = self.stages

        def make() -> dict[str, Any]:
            from bishan_gis.planning.gap_describe import named_streets
            from bishan_gis.planning.gap_words import nearest_names

            distance, names = nearest_names(self.ground_kept.value["xy"], named_streets(stages.network))
            return {"distance_m": distance, "names": names.tolist()}

        return self.store.keep("street names", [stages.network_kept, self.ground_kept], make, TABLES)

    @cached_property
    def names_kept(self) -> Kept:
        """What the place of each cell is called; landmarks are facilities of all services."""
        known = [kept.value["named"] for kept in self.stages.places_kept.values()]

        def make() -> dict[str, Any]:
            import numpy as np
            import pandas as pd

            from bishan_gis.planning.gap_describe import township_names
            from bishan_gis.planning.gap_words import nearest_names, place_words

            ground, streets = self.ground_kept.value, self._streets_kept.value
            marks = pd.concat([pd.DataFrame(one) for one in known], ignore_index=True).sort_values("facility_id")
            distance, names = nearest_names(ground["xy"], marks)
            named = np.where(streets["distance_m"] < distance, np.array(streets["names"], dtype=object), names)
            cells, towns = ground["cells"], township_names(ground["zones"])
            zh, en = place_words(cells[["zone_id", "x", "y"]], cells, zone_names=towns, named=named.tolist())
            whole = pd.DataFrame({"zone_id": list(dict.fromkeys(ground["zone_id"]))})
            whole = whole.assign(people=1 << 60, x=0.0, y=0.0)
            every = place_words(whole, cells, zone_names=towns, named=[""] * len(whole))
            return {
                "zh": zh,
                "en": en,
                "whole_zh": dict(zip(whole["zone_id"], every[0], strict=True)),
                "whole_en": dict(zip(whole["zone_id"], every[1], strict=True)),
            }

        return self.store.keep("place names", [self.ground_kept, self._streets_kept, known], make, TABLES)

    @cached_property
    def _barriers_kept(self) -> Kept:
        """Water, motorways, railways and rivers."""
        stages = self.stages

        def make() -> dict[str, Any]:
            from bishan_gis.planning.gap_describe import known_barriers

            return {"barriers": known_barriers(cast("Results", stages))}

        streets = [stages.streets_kept("drive")] if self.study.drive else []
        return self.store.keep("barriers", [*stages.needs("inputs.osm"), stages.cells_kept, *streets], make, TABLES)

    # Parts --------------------------------------------------------------------------------------------------------

    @cached_property
    def parts(self) -> dict[str, Kept]:
        """Part of each service that is judged, in the order of the targets."""
        stages, population = self.stages, self.study.inputs.population
        targets = self.targets_kept.value
        slopes = stages.sloped
        level = stages.nearest_kept(level=True) if slopes else {}
        places = stages.places_kept
        judged = [s for s in self._chosen() if s in places]
        shared = [self.ground_kept, search_ground(stages, level=False), self._barriers_kept]
        known = [population.groups, population.parts, population.shares, self.study.walk.model_dump(mode="json")]

        def make(services: list[str]) -> dict[str, Any]:
            stages.say("缺口 gaps", 0)
            out = {s: self._part(s) for s in services}
            stages.say("缺口 gaps", 1)
            return out

        needs: dict[str, list[Any]] = {}
        for s in judged:
            times = [stages.times[s], *([level[s]] if slopes else [])]
            needs[s] = [*shared, *known, targets["rows"][s], places[s], *stages.doors_kept[s], *times]
        return self.store.keep_each("gap", needs, make, TABLES)

    def _chosen(self) -> list[str]:
        """Return the services that are asked for; what is unknown is named."""
        targets = self.targets_kept.value
        if not any(self.selection.values()):
            return list(targets["services"])
        from bishan_gis.planning.gaps import select

        ground = self.ground_kept.value
        about = SimpleNamespace(zones=ground["zones"], cells=ground["cells"])
        return list(select(cast("Results", about), targets["targets"], {}, **self.selection)[0]["service"])

    def _part(self, service: str) -> dict[str, Any]:
        import numpy as np

        from bishan_gis.planning.gap_describe import add_ways, township_names
        from bishan_gis.planning.gap_places import place_sums
        from bishan_gis.planning.gap_words import is_most

        stages, ground = self.stages, self.ground_kept.value
        places, points = stages.places_kept[service].value["places"], stages.points([service])
        table = self.targets_kept.value["targets"]
        targets = table[table["service"] == service].reset_index(drop=True)
        cells = ground["cells"]
        judged = self._judge(service, targets, points)
        people = cells["people"].to_numpy(np.int64)
        towns = cells["people"].groupby(cells["zone_id"].to_numpy()).sum()
        sums = place_sums(judged.state, judged.reasons, people, ground["place"], len(ground["places"]))
        out: dict[str, Any] = {"state": judged.state.state[0], **service_pieces(judged)}
        out |= {f"place {name}": values[0] for name, values in sums.items()}
        for name, areas in zip(LISTS, judged.areas, strict=True):
            described = add_ways(
                areas,
                cells,
                judged.targets,
                town_names=township_names(ground["zones"]),
                facilities=places,
                access_points=points,
                barriers=self._barriers_kept.value["barriers"],
                way=judged.way,
                speed_ms=stages.costs.profile.speed_ms,
            )
            total = towns.reindex(described["zone_id"]).to_numpy()
            most = is_most(described["people"].to_numpy(), total)
            out |= {f"{name} {k}": v for k, v in list_pieces(areas, described, judged.targets, most, people).items()}
        return out

    def _judge(self, service: str, targets: pd.DataFrame, points: pd.DataFrame) -> Judged:
        import numpy as np
        import pandas as pd

        from bishan_gis.planning.gap_judge import judge_services

        stages, ground = self.stages, self.ground_kept.value
        cells = ground["cells"]
        results = SimpleNamespace(
            study=self.study,
            zones=ground["zones"],
            cells=cells,
            access=stages.table_of({service: stages.times[service]}),
            access_points=points,
            facilities=stages.places_kept[service].value["places"],
            network=stages.network,
        )
        index = pd.Index(cells["cell_id"])
        focal, neighbour = ground["focal"].astype(np.int64), ground["neighbour"].astype(np.int64)
        near = cast("Neighbours", SimpleNamespace(ids=index, focal=focal, neighbour=neighbour))
        legs = pd.Series(search_ground(stages, level=False).value["leg_s"], index=index, name="leg_s")
        return judge_services(
            cast("Results", results),
            targets,
            cells,
            self.targets_kept.value["needs"],
            neighbours=near,
            costs=stages.costs,
            flat=self._flat(service, targets),
            leg_s=legs,
            barriers=self._barriers_kept.value["barriers"],
        )

    def _flat(self, service: str, targets: pd.DataFrame) -> CellGaps | None:
        if not self.stages.sloped:
            return None
        from bishan_gis.planning.gap_cells import cell_gaps

        times = self.stages.table_of({service: self.stages.nearest_kept(level=True)[service]})
        return cell_gaps(times, self.ground_kept.value["cells"], targets)

    # What is shown of the first areas -----------------------------------------------------------------------------

    def listed(self, shown: dict[str, dict[str, int]]) -> dict[str, Kept]:
        """Return what the record and the map layer say of the first areas of each service.

        Parameters
        ----------
        shown : dict
            Service -> list -> how many of its areas.
        """
        stages, parts = self.stages, self.parts

        def make(services: list[str]) -> dict[str, Any]:
            cells = stages.cells
            return {s: listed_pieces(parts[s].value, shown[s], cells) for s in services}

        needs = {s: [parts[s], stages.cells_kept, n] for s, n in shown.items()}
        return self.store.keep_each("listed", needs, make, TABLES)
