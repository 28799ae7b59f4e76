"""Vector tiles (PMTiles), a file for each layer, for web servers that hand out parts of a file. Written by GDAL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.errors import OutputError

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["LAYERS", "has_driver", "write_pmtiles"]

#: Layers of a run that tiles are made of, and the first zoom each is in.
LAYERS = {"zones": 6, "circles": 9, "cells": 9, "facilities": 9}
#: A tile of zoom 12 is drawn to 2.4 m; viewers enlarge it beyond.
MAX_ZOOM = 12
_SIMPLIFY_M = 5.0


def has_driver() -> bool:
    """Return whether the installed GDAL can write PMTiles (3.8 or later, with SQLite and GEOS)."""
    import pyogrio

    return "w" in pyogrio.list_drivers().get("PMTiles", "")


def write_pmtiles(layers: Mapping[str, gpd.GeoDataFrame], folder: Path, *, max_zoom: int = MAX_ZOOM) -> list[Path]:
    """Write layers as vector tiles, a file each.

    Parameters
    ----------
    layers : mapping
        Name -> layer; only :data:`LAYERS` are taken, empty ones left out.
    folder : pathlib.Path
        Where to; must exist.
    max_zoom : int
        Last zoom; time and size grow fourfold with each.

    Returns
    -------
    list of pathlib.Path
        ``<layer>.pmtiles``.

    Raises
    ------
    OutputError
        GDAL has no PMTiles driver, or cannot write, or there is nothing to write.

    Notes
    -----
    Tiles are in Web Mercator and simplified: for the eye, never for measuring. Files of one layer, because the driver
    makes all layers of a file at once, which the bindings cannot ask for.
    """
    import pyogrio

    if not has_driver():
        version = ".".join(map(str, pyogrio.__gdal_version__))
        raise OutputError(
            f"已安装的 GDAL {version} 不能写 PMTiles;请升级 pyogrio, 或用 --format qgis 写 GeoPackage",
            f"the installed GDAL {version} cannot write PMTiles; upgrade pyogrio, or write GeoPackage by --format qgis",
        )
    wanted = {n: layers[n] for n in LAYERS if n in layers and len(layers[n])}
    if not wanted:
        zh, en = "没有可以写入 PMTiles 的图层", "there is no layer to write as PMTiles"
        raise OutputError(zh, en)
    out = []
    for name, frame in wanted.items():
        path = folder / f"{name}.pmtiles"
        zooms = {"MINZOOM": str(min(LAYERS[name], max_zoom)), "MAXZOOM": str(max_zoom), "NAME": name}
        zooms |= {"MAX_SIZE": "50000000", "MAX_FEATURES": "10000000"}
        flat = frame.to_crs(3857)
        if name == "circles":
            flat = flat.set_geometry(flat.geometry.simplify(_SIMPLIFY_M))
        try:
            pyogrio.write_dataframe(flat, path, layer=name, driver="PMTiles", dataset_options=zooms)
        except (OSError, RuntimeError, ValueError) as err:
            raise OutputError(f"无法写入 {path.name}: {err}", f"cannot write {path.name}: {err}") from err
        out.append(path)
    return out
