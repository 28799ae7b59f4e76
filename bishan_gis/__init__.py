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
    "assemble_network": "bishan_gis.network.assemble",
    "availability_windows": "bishan_gis.places.opening_hours",
    "balancing_cost": "bishan_gis.access.competition",
    "binary": "bishan_gis.access.decay",
    "build_network": "bishan_gis.network.build",
    "catchment_gaussian": "bishan_gis.access.decay",
    "compare": "bishan_gis.planning.comparison",
    "completeness": "bishan_gis.access.completeness",
    "compute_measures": "bishan_gis.access.study_measures",
    "concentration_index": "bishan_gis.access.equity",
    "cost_to_reach": "bishan_gis.access.cost_measures",
    "coverage": "bishan_gis.planning.coverage",
    "coverage_band": "bishan_gis.access.uncertainty",
    "coverage_with_band": "bishan_gis.planning.uncertainty",
    "cumulative_cutoff": "bishan_gis.access.cumulative",
    "cumulative_interval": "bishan_gis.access.cumulative",
    "cumulative_range": "bishan_gis.access.cumulative",
    "diversity": "bishan_gis.access.diversity",
    "doubly_constrained": "bishan_gis.access.competition",
    "edge_costs": "bishan_gis.network.costs",
    "enhanced_two_step": "bishan_gis.access.floating_catchment",
    "equity_by_group": "bishan_gis.access.equity_groups",
    "exclusive_areas": "bishan_gis.access.exclusive",
    "explore": "bishan_gis.quick_map",
    "exponential": "bishan_gis.access.decay",
    "facilities_open": "bishan_gis.places.opening_hours",
    "fgt_poverty": "bishan_gis.access.equity",
    "fifteen_minute_index": "bishan_gis.access.fifteen_minutes",
    "find_neighbours": "bishan_gis.access.neighbours",
    "fit_decay": "bishan_gis.access.fitting",
    "fit_trips": "bishan_gis.access.fitting",
    "fold_travel_matrix": "bishan_gis.access.travel_matrix",
    "gaussian": "bishan_gis.access.decay",
    "gaussian_two_step": "bishan_gis.access.floating_catchment",
    "gini": "bishan_gis.access.equity",
    "global_moran": "bishan_gis.access.spatial_statistics",
    "gravity": "bishan_gis.access.gravity",
    "hot_spots": "bishan_gis.access.spatial_statistics",
    "k_nearest": "bishan_gis.access.k_nearest",
    "k_nearest_mean": "bishan_gis.access.cost_measures",
    "kernel_two_step": "bishan_gis.access.floating_catchment",
    "landuse_entropy": "bishan_gis.access.diversity",
    "linear": "bishan_gis.access.decay",
    "load_inputs": "bishan_gis.sources.inputs",
    "load_osm": "bishan_gis.sources.osm",
    "load_profile": "bishan_gis.network.costs",
    "load_rules": "bishan_gis.network.rules",
    "load_scenario": "bishan_gis.planning.scenarios",
    "load_study": "bishan_gis.study",
    "local_moran": "bishan_gis.access.spatial_statistics",
    "logistic": "bishan_gis.access.decay",
    "logsum": "bishan_gis.access.utility",
    "lorenz": "bishan_gis.access.equity",
    "modified_two_step": "bishan_gis.access.floating_catchment",
    "nearest": "bishan_gis.access.cost_measures",
    "nearest_cost": "bishan_gis.access.nearest",
    "network_centrality": "bishan_gis.access.centrality",
    "open_at": "bishan_gis.places.opening_hours",
    "overlaps": "bishan_gis.access.exclusive",
    "palma": "bishan_gis.access.equity",
    "power": "bishan_gis.access.decay",
    "proximity_time": "bishan_gis.access.fifteen_minutes",
    "raam": "bishan_gis.access.raam",
    "reach_diversity": "bishan_gis.access.diversity",
    "reachable": "bishan_gis.access.reachable",
    "reached_streets": "bishan_gis.access.reached_streets",
    "run": "bishan_gis.pipeline",
    "run_scenario": "bishan_gis.scenario_run",
    "run_years": "bishan_gis.scenario_run",
    "service_areas": "bishan_gis.access.service_area",
    "singly_constrained": "bishan_gis.access.competition",
    "slope_summary": "bishan_gis.network.slope",
    "smooth_elevation": "bishan_gis.network.slope",
    "snap_points": "bishan_gis.network.snap",
    "spatial_availability": "bishan_gis.access.competition",
    "stepped": "bishan_gis.access.decay",
    "street_measures": "bishan_gis.access.street_measures",
    "theil_between_groups": "bishan_gis.access.equity_groups",
    "theil_groups": "bishan_gis.access.equity",
    "theil_t": "bishan_gis.access.equity",
    "three_step": "bishan_gis.access.floating_catchment",
    "travel_blocks": "bishan_gis.access.travel_matrix",
    "travel_matrix": "bishan_gis.access.travel_matrix",
    "travel_time_surface": "bishan_gis.access.service_area",
    "trip_circuity": "bishan_gis.access.street_measures",
    "two_step": "bishan_gis.access.floating_catchment",
    "unknown_share": "bishan_gis.access.data_edge",
    "with_elevation": "bishan_gis.network.elevation",
    "write_time_raster": "bishan_gis.output.rasters",
    "write_travel_matrix": "bishan_gis.output.matrix_file",
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
