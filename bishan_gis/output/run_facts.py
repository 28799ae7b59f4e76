"""What every file for print or exchange says of its run: who walks, what the data is, CRS, licence, approval."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bishan_gis.output.maps.context import Context

__all__ = ["run_facts"]


def run_facts(context: Context) -> list[str]:
    """Return the facts of a run, one line each, in the language of the context.

    Parameters
    ----------
    context : Context
        Results and words.
    """
    words, study = context.labels, context.results.study
    return [
        words("fact_profile", **context.profile),
        words("fact_kind", k=words(f"kind_{context.results.kind}")),
        *([words("fact_date", d=study.date)] if study.date else []),
        words("sm_crs", c=study.crs),
        words("fact_osm"),
        words("fact_approval", n=study.outputs.map_approval or "—"),
    ]
