"""Heights from one-degree tiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.sources.fetch.answers import answer_of
from bishan_gis.sources.fetch.content import is_tiff
from bishan_gis.sources.fetch.http import download
from bishan_gis.sources.fetch.parts import kept_name
from bishan_gis.sources.fetch.rasters import cut_rasters
from bishan_gis.sources.fetch.web import Web

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["elevation_tiles", "fetch_elevation"]


def elevation_tiles(area: BaseGeometry, template: str) -> list[str]:
    """Return the addresses of the one-degree tiles that an area touches.

    Parameters
    ----------
    area : shapely geometry
        What is wanted [degrees, WGS84].
    template : str
        Address with ``{lat}`` and ``{lon}``: the south-west corner as ``N29`` and ``E106``.

    Examples
    --------
    >>> import shapely
    >>> elevation_tiles(shapely.box(106.1, 29.9, 106.2, 30.1), "https://h/{lat}_{lon}.tif")
    ['https://h/N29_E106.tif', 'https://h/N30_E106.tif']
    """
    import shapely

    west, south, east, north = area.bounds
    out = []
    for y in range(math.floor(south), math.ceil(north)):
        for x in range(math.floor(west), math.ceil(east)):
            if shapely.box(x, y, x + 1, y + 1).intersects(area):
                lat = f"{'N' if y >= 0 else 'S'}{abs(y):02d}"
                lon = f"{'E' if x >= 0 else 'W'}{abs(x):03d}"
                out.append(template.replace("{lat}", lat).replace("{lon}", lon))
    return out


def fetch_elevation(
    web: Web,
    template: str,
    area: BaseGeometry,
    target: Path,
    cache: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Fetch the tiles of an area and write their heights as one raster.

    Parameters
    ----------
    web : Web
        How to ask.
    template : str
        See `elevation_tiles`.
    area : shapely geometry
        What is wanted [degrees, WGS84].
    target : pathlib.Path
        The GeoTIFF to write.
    cache : pathlib.Path
        Folder of the tiles; they do not change and are asked for once.
    progress : callable, optional
        Called with tiles done and in all.

    Returns
    -------
    list of str
        The addresses of the tiles.

    Raises
    ------
    NetworkError
        A tile does not come.
    BrokenFileError, NoDataError
        A tile is no raster, or the area has no height.
    """
    addresses = elevation_tiles(area, template)
    files = []
    for done, url in enumerate(addresses):
        file = cache / kept_name(url)
        if not file.exists():
            download(web, url, file, check=is_tiff)
        files.append(file)
        if progress:
            progress(done + 1, len(addresses))
    with answer_of(web, template, files):
        cut_rasters(files, target, area)
    return addresses
