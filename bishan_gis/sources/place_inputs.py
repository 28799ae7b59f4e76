"""Facility layers and tables of a study, read alike, and judged by the streets they should lie along."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bishan_gis.datums import datum_label, find_datum
from bishan_gis.names import place_prefixes
from bishan_gis.sources.layers import load_layer
from bishan_gis.sources.poi_table import load_poi_table
from bishan_gis.sources.shift import check_shift

if TYPE_CHECKING:
    import geopandas as gpd
    from pyproj import CRS

    from bishan_gis.sources.datasets import Dataset
    from bishan_gis.sources.osm import OsmData
    from bishan_gis.study_settings import FacilityInput, LayerInput

__all__ = ["UNUSED", "input_datum", "load_places", "name_prefixes", "shift_notes", "unused_rows"]

#: Columns of the table of what a run did not use of its inputs.
UNUSED = ("setting", "source", "reason", "row", "name", "address", "detail", "count")


def input_datum(spec: LayerInput, dataset: Dataset | None, *, where: str) -> tuple[str | None, list[tuple[str, str]]]:
    """Return the datum of an input: what the study says, else what the manifest says, else None.

    Parameters
    ----------
    spec : LayerInput
        The setting.
    dataset : Dataset or None
        What the manifest knows of the file.
    where : str
        What messages call the input.

    Returns
    -------
    str or None, list of (zh, en)
        The datum, and a warning where the manifest names one that is not known.
    """
    if spec.datum:
        return spec.datum, []
    text = dataset.datum if dataset is not None else ""
    found = find_datum(text)
    if text and found is None:
        return None, [
            (
                f"{where}: 数据清单中的 datum = {text!r} 无法识别,按 WGS84 读取",
                f"{where}: datum = {text!r} of the manifest is not known; read as WGS84",
            )
        ]
    return found, []


def load_places(
    spec: FacilityInput, path: Path, *, where: str, datum: str | None, types_csv: Path | None = None
) -> gpd.GeoDataFrame:
    """Read a facility input: a vector layer, or a table of places.

    Parameters
    ----------
    spec : FacilityInput
        The setting.
    path : pathlib.Path
        The file.
    where : str
        What messages call the input.
    datum : str or None
        From `input_datum`.
    types_csv : pathlib.Path, optional
        The study's own table of types.

    Returns
    -------
    geopandas.GeoDataFrame
        EPSG:4326, for :func:`bishan_gis.places.facilities.find_facilities`. ``attrs["warnings"]`` and
        ``attrs["left_out"]`` as of a layer; ``attrs["datum"]``; ``attrs["unused"]``: rows for `unused_rows`.

    Raises
    ------
    BishanGisError
        As of :func:`bishan_gis.sources.layers.load_layer` and :func:`bishan_gis.sources.poi_table.load_poi_table`.
    """
    if spec.type == "layer":
        frame = load_layer(
            path, layer=spec.layer, encoding=spec.encoding, crs=spec.crs, datum=datum, columns=spec.columns, where=where
        )
        frame.attrs["datum"] = datum or "wgs84"
        return frame
    table = load_poi_table(
        path,
        columns=spec.columns,
        encoding=spec.encoding,
        sheet=spec.sheet,
        crs=spec.crs,
        datum=datum,
        service=spec.service,
        types_csv=types_csv,
        where=where,
    )
    frame = table.places
    notes = list(table.warnings)
    if table.datum not in ("wgs84", "cgcs2000"):
        label = datum_label(table.datum)
        notes.append(
            (f"{where}: 坐标由 {label} 换算为 WGS84", f"{where}: coordinates were brought from {label} to WGS84")
        )
    lost = table.left_out.assign(detail=table.left_out["text"], count=1)
    types = table.unmapped.rename(columns={"n": "count", "example": "name"})
    types["detail"] = (types["type_code"] + " " + types["type"]).str.strip()
    types = types.assign(reason="unknown_type", row=0, address="")
    unused = pd.concat([t[list(UNUSED[2:])] for t in (lost, types) if len(t)] or [lost[list(UNUSED[2:])]])
    frame.attrs = {"warnings": notes, "left_out": {}, "datum": table.datum, "unused": unused.to_dict("records")}
    return frame


def unused_rows(frames: Mapping[str, tuple[str, gpd.GeoDataFrame]]) -> pd.DataFrame:
    """Put what was not used of several inputs into one table.

    Parameters
    ----------
    frames : mapping
        Setting -> (file name, frame of `load_places`).

    Returns
    -------
    pandas.DataFrame
        `UNUSED`: ``reason`` is no_coordinates, bad_coordinates, swapped_coordinates, repeated_row (one row each), or
        unknown_type (``count`` rows of a type, ``name`` an example).
    """
    rows = [
        {"setting": setting, "source": file, **row}
        for setting, (file, frame) in frames.items()
        for row in frame.attrs.get("unused", [])
    ]
    return pd.DataFrame(rows, columns=list(UNUSED))


def name_prefixes(district: gpd.GeoDataFrame, *more: str) -> tuple[str, ...]:
    """Return the names of the district that names of places may begin with."""
    names = [str(n) for n in district["name"]] if "name" in district.columns else []
    return place_prefixes([*names, *more])


def shift_notes(
    frames: Mapping[str, tuple[str, gpd.GeoDataFrame]], osm: OsmData, *, crs: CRS, prefixes: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    """Warn where the places of an input seem to be shifted against OSM (see :mod:`bishan_gis.sources.shift`)."""
    layers = [
        (f"{setting} ({file})", str(frame.attrs.get("datum", "wgs84")), frame)
        for setting, (file, frame) in frames.items()
    ]
    return check_shift(layers, osm, crs=crs, prefixes=prefixes)[1]
