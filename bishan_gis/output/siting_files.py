"""The files of a siting plan: all candidates as GeoJSON, the sites chosen as CSV."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bishan_gis.errors import InputError
from bishan_gis.output.files import Staging
from bishan_gis.output.tables import write_csv
from bishan_gis.planning.site_places import scenario_text

if TYPE_CHECKING:
    from bishan_gis.planning.study_sites import StudySites

__all__ = ["write_siting"]


def write_siting(
    found: StudySites, folder: Path, *, scenario: Path | None = None, study_file: Path | None = None
) -> list[Path]:
    """Write the plan of a service, all files or none.

    Parameters
    ----------
    found : StudySites
        What was found.
    folder : pathlib.Path
        Folder of the tables of the study.
    scenario : pathlib.Path, optional
        Also write the plan as a ``scenario.toml`` here, for ``bishan-gis compare``.
    study_file : pathlib.Path, optional
        The ``study.toml`` that the scenario is made for; needed with `scenario`.

    Returns
    -------
    list of pathlib.Path
        ``siting_<service>.geojson``: every candidate in EPSG:4326, with ``order`` (0: not chosen) and
        ``reason_excluded``; ``siting_<service>.csv``: the sites in the order in which they help most; then the
        scenario, where asked for.

    Raises
    ------
    InputError
        The key of the service cannot be part of a file name.
    OutputError
        A file cannot be written; what stood there before still stands.
    """
    name = f"siting_{found.service}"
    if not found.service.replace("-", "_").isidentifier():
        raise InputError(f"设施类别 {found.service!r} 不能作文件名", f"service {found.service!r} is no file name")
    gain = found.plan.sites[["candidate_id", "people_new", "people_total", "gain"]]
    frame = found.candidates.drop(columns=["x", "y"]).merge(gain, on="candidate_id", how="left").to_crs(4326)
    table = pd.DataFrame(found.plan.sites.drop(columns=["reason_excluded"]))
    if not table["level"].any():
        table = table.drop(columns="level")
    where = pd.DataFrame(
        found.facts["chosen"], columns=["order", "lon", "lat", "township_name", "place_zh", "place_en"]
    )
    table = table.merge(where, on="order", how="left", validate="1:1")
    places = {"tables": folder} | ({} if scenario is None else {"scenario": scenario.parent})
    with Staging(places) as out:
        text = frame.to_json(drop_id=True, ensure_ascii=False)
        out.path("tables", f"{name}.geojson").write_text(text + "\n", encoding="utf-8", newline="\n")
        write_csv(table.assign(kind=found.facts["kind"]), out.path("tables", f"{name}.csv"))
        if scenario is not None and study_file is not None:
            base = os.path.relpath(study_file.resolve(), scenario.parent.resolve())
            text = scenario_text(found, base=Path(base).as_posix())
            out.path("scenario", scenario.name).write_text(text, encoding="utf-8", newline="\n")
        return out.commit()
