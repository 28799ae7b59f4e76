"""A whole run as the store keeps it: what a scenario is compared with is not computed again while nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bishan_gis.stages.forms import TABLES

if TYPE_CHECKING:
    from bishan_gis.results import Results
    from bishan_gis.stages.study_stages import StudyStages

__all__ = ["kept_results"]

#: What a run has that is no table, or is kept elsewhere.
_OWN = ("study", "network", "networks", "access", "datasets", "warnings", "findings")


def kept_results(stages: StudyStages, make: Callable[[], Results]) -> Results:
    """Return the results of a study, from the store or by making them.

    Parameters
    ----------
    stages : StudyStages
        The study.
    make : callable
        Runs it, without findings.

    Returns
    -------
    Results
        Equal to those that `make` gives, whichever way they came; tables not to be changed.
    """
    from bishan_gis.results import Results
    from bishan_gis.sources.datasets import Dataset
    from bishan_gis.stages.access_table import unpack_access

    def write() -> dict[str, Any]:
        results = make()
        stages.streets_made |= results.networks
        return _plain(results)

    kept = stages.store.keep("run", stages.everything, write, TABLES).value
    services = kept["access services"]
    columns = {s: {c: kept[f"access {i} {c}"] for c in _COLUMNS} for i, s in enumerate(services)}
    access = unpack_access(columns, kept["cells"]["cell_id"], cutoff_s=kept["access cutoff_s"])
    return Results(
        **{f.name: kept[f.name] for f in fields(Results) if f.name not in _OWN},
        study=stages.study,
        network=stages.network,
        networks=stages.networks,
        access=access.assign(kind=kept["access kind"]),
        datasets=[Dataset(**{**one, "file": Path(one["file"])}) for one in kept["datasets"]],
        warnings=[(zh, en) for zh, en in kept["warnings"]],
    )


_COLUMNS = ("value", "unknown_from_s", "status", "facility", "ids")


def _plain(results: Results) -> dict[str, Any]:
    """Return what is kept of a run."""
    from bishan_gis.stages.access_table import pack_access

    out: dict[str, Any] = {f.name: getattr(results, f.name) for f in fields(results) if f.name not in _OWN}
    out["datasets"] = [{**asdict(one), "file": str(one.file)} for one in results.datasets]
    out["warnings"] = results.warnings
    access = results.access
    rows = access.groupby("service", sort=False).indices
    out["access services"] = list(rows)
    out["access cutoff_s"] = float(results.study.reach.search_min * 60)
    out["access kind"] = str(access["kind"].iloc[0]) if len(access) else results.kind
    for i, at in enumerate(rows.values()):
        out |= {f"access {i} {name}": values for name, values in pack_access(access.iloc[at]).items()}
    return out
