"""The files of a siting plan: all candidates as GeoJSON, the sites chosen as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bishan_gis.errors import InputError
from bishan_gis.output.files import Staging
from bishan_gis.output.tables import write_csv

if TYPE_CHECKING:
    from bishan_gis.planning.study_sites import StudySites

__all__ = ["write_siting"]


def write_siting(found: StudySites, folder: Path) -> list[Path]:
    """Write the plan of a service, both files or none.

    Parameters
    ----------
    found : StudySites
        What was found.
    folder : pathlib.Path
        Folder of the tables of the study.

    Returns
    -------
    list of pathlib.Path
        ``siting_<service>.geojson``: every candidate in EPSG:4326, with ``order`` (0: not chosen) and
        ``reason_excluded``; ``siting_<service>.csv``: the sites in the order in which they help most.

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
    table = pd.DataFrame(found.plan.sites.drop(columns=["reason_excluded", "level"]))
    with Staging({"tables": folder}) as out:
        text = frame.to_json(drop_id=True, ensure_ascii=False)
        out.path("tables", f"{name}.geojson").write_text(text + "\n", encoding="utf-8", newline="\n")
        write_csv(table.assign(kind=found.facts["kind"]), out.path("tables", f"{name}.csv"))
        return out.commit()
