"""The layers of a run as files hold them: plain columns, seconds to the nearest facility beside each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.results import Results

__all__ = ["run_layers"]


def run_layers(results: Results, *, facility_circles: bool = True) -> dict[str, gpd.GeoDataFrame]:
    """Return the layers of a run in the working CRS.

    Parameters
    ----------
    results : Results
        A run.
    facility_circles : bool
        Also the service circles of every single facility, by far the largest layer.

    Returns
    -------
    dict
        ``zones, cells, facilities, circles, facility_circles, streets, landuse, control_lines``, as far as there are.
    """
    layers: dict[str, gpd.GeoDataFrame | None] = {
        "zones": results.zones,
        "cells": results.cells.merge(_seconds(results.access), left_on="cell_id", right_index=True),
        "facilities": results.facilities,
        "circles": results.circles,
        "facility_circles": results.facility_circles if facility_circles else None,
        "streets": results.network.edges,
        "landuse": results.landuse,
        "control_lines": results.control_lines,
    }
    return {name: _plain(frame) for name, frame in layers.items() if frame is not None}


def _seconds(access: pd.DataFrame) -> pd.DataFrame:
    """Return seconds to the nearest facility, one column per service."""
    wide = access.pivot_table(index="origin_id", columns="service", values="value", aggfunc="first", dropna=False)
    return wide.add_prefix("s_").add_suffix("_s")


def _plain(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Keep what a file can hold."""
    keep = [c for c in frame.columns if c == "geometry" or not _nested(frame[c])]
    return frame[keep].reset_index(drop=True)


def _nested(column: pd.Series) -> bool:
    """Return whether a column holds dicts, lists or sets; one without rows does not."""
    return column.dtype == object and any(isinstance(value, dict | list | set) for value in column)
