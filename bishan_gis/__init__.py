"""bishan_gis: the open toolkit that a Chinese district uses to plan its 15-minute circles of daily services.

Names load what they need when they are first used, so that ``import bishan_gis`` is quick.

Examples
--------
>>> import bishan_gis as bg
>>> results = bg.run("studies/bishan/study.toml")  # doctest: +SKIP
>>> results.coverage.head()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_LAZY = {
    "Network": "bishan_gis.network.graph",
    "Results": "bishan_gis.results",
    "Study": "bishan_gis.study",
    "build_network": "bishan_gis.network.build",
    "cost_to_reach": "bishan_gis.access.cost_measures",
    "coverage": "bishan_gis.planning.coverage",
    "cumulative_cutoff": "bishan_gis.access.cumulative",
    "enhanced_two_step": "bishan_gis.access.floating_catchment",
    "gini": "bishan_gis.access.equity",
    "gravity": "bishan_gis.access.gravity",
    "k_nearest_mean": "bishan_gis.access.cost_measures",
    "load_osm": "bishan_gis.sources.osm",
    "load_profile": "bishan_gis.network.costs",
    "load_study": "bishan_gis.study",
    "nearest_cost": "bishan_gis.access.nearest",
    "run": "bishan_gis.pipeline",
    "snap_points": "bishan_gis.network.snap",
    "theil_groups": "bishan_gis.access.equity",
    "travel_matrix": "bishan_gis.access.travel_matrix",
    "two_step": "bishan_gis.access.floating_catchment",
}

__all__ = ["__version__", *sorted(_LAZY)]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
