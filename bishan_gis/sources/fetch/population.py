"""People per pixel, from one raster of a country."""

from __future__ import annotations

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

__all__ = ["fetch_population"]


def fetch_population(
    web: Web,
    url: str,
    area: BaseGeometry,
    target: Path,
    cache: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fetch a raster of people and write the part that holds an area.

    Parameters
    ----------
    web : Web
        How to ask.
    url : str
        The raster, a GeoTIFF.
    area : shapely geometry
        What is wanted [degrees, WGS84].
    target : pathlib.Path
        The GeoTIFF to write: the same pixels, whole.
    cache : pathlib.Path
        Folder of the whole raster, which is kept and asked for once.
    progress : callable, optional
        Called with bytes done and in all.

    Raises
    ------
    NetworkError
        It does not come.
    BrokenFileError, NoDataError
        It is no raster, or the area has nobody.
    """
    file = cache / kept_name(url)
    if not file.exists():
        download(web, url, file, check=is_tiff, progress=progress)
    with answer_of(web, url, [file]):
        cut_rasters([file], target, area)
