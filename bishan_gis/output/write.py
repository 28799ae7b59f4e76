"""Everything a run leaves: tables, layers, maps, and the record of the run, all of it or nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bishan_gis.access.study_equity import measure_equity
from bishan_gis.output.files import Staging
from bishan_gis.output.qgis import write_qgis
from bishan_gis.output.run_layers import run_layers
from bishan_gis.output.tables import write_csv, write_dictionary, write_parquet
from bishan_gis.places.zones import zone_columns
from bishan_gis.planning.gap_judge import age_groups

if TYPE_CHECKING:
    from bishan_gis.results import Results

__all__ = ["write_results"]


def write_results(results: Results, steps: list[dict[str, Any]]) -> dict[str, str]:
    """Write the results of a run.

    Parameters
    ----------
    results : Results
        What the run found.
    steps : list of dict
        Seconds and memory per step, for ``run.json``, the only file that carries times.

    Returns
    -------
    dict
        Folder and name of each file -> SHA-256.

    Raises
    ------
    OutputError
        A folder or file cannot be written; the last results still stand.
    """
    study = results.study
    with Staging({"tables": study.processed, "maps": study.maps}) as out:
        tables = {
            "access.parquet": results.access,
            "coverage.parquet": results.coverage,
            "coverage.csv": results.coverage,
            "radii.csv": results.radii,
            "facility_radii.csv": results.facility_radii,
            "population_check.csv": results.population_check,
            "access_points.csv": results.access_points,
            "merged_facilities.csv": results.merged,
            "walk_rules.csv": results.network.rules,
        }
        if results.radius_streets is not None:
            tables["radius_streets.csv"] = results.radius_streets
        if results.unused is not None and len(results.unused):
            tables["unused_rows.csv"] = results.unused
        if results.measures is not None and results.zone_measures is not None:
            tables |= {"measures.parquet": results.measures, "measures_zones.csv": results.zone_measures}
            tables["measures_equity.csv"] = measure_equity(
                results.measures,
                results.cells,
                measures=study.measures,
                age_groups=age_groups(results),
                member={k: c for k, c in zone_columns(results.zones).items() if k != "district"},
            )
        for name, table in tables.items():
            write = write_parquet if name.endswith(".parquet") else write_csv
            write(table, out.path("tables", name))
        layers = run_layers(results, facility_circles=study.outputs.facility_circles)
        described = {**tables, **{f"layers.gpkg/{k}": v for k, v in layers.items()}}
        write_dictionary(
            described,
            out.path("tables", "dictionary.csv"),
            age_groups=list(study.inputs.population.parts or study.inputs.population.shares),
            services=list(results.services.index),
        )
        with ThreadPoolExecutor(max_workers=1) as beside:
            job = beside.submit(write_qgis, results, layers, out, "tables") if study.outputs.gpkg else None
            if study.outputs.maps:
                from bishan_gis.output.maps import render_maps

                for name, html in render_maps(results).items():
                    out.path("maps", name).write_text(html, encoding="utf-8", newline="\n")
            if job:
                job.result()
        hashes = out.hashes()
        record = {**results.record, "outputs": hashes, "steps": steps}
        text = json.dumps(record, ensure_ascii=False, indent=2, sort_keys=False)
        out.path("tables", "run.json").write_text(text + "\n", encoding="utf-8")
        out.replaces("tables", "run.json")
        out.commit()
    return hashes
