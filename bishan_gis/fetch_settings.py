"""``[fetch]`` of ``study.toml``: where ``bishan-gis fetch`` gets open data from, and how it behaves there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from bishan_gis.measure_settings import Section, wrong

__all__ = ["Fetch"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Fetch(Section):
    """Servers, limits and manners of ``bishan-gis fetch``.

    Notes
    -----
    The addresses are those that public projects use [S]; that they answer was not tried here [K].
    """

    folder: str = Field(default="fetched", description="below paths.raw; what was fetched and its datasets.toml")
    source: Literal["overpass", "pbf"] = Field(default="overpass", description="where streets come from")
    overpass: str = "https://overpass-api.de/api"
    pbf: str = Field(default="", description="an .osm.pbf that holds the district, such as Geofabrik's of a province")
    elevation: str = Field(
        default="https://copernicus-dem-30m.s3.amazonaws.com/"
        "Copernicus_DSM_COG_10_{lat}_00_{lon}_00_DEM/Copernicus_DSM_COG_10_{lat}_00_{lon}_00_DEM.tif",
        description="one-degree tiles; {lat} = N29, {lon} = E106: the south-west corner",
    )
    population: str = Field(
        default="https://data.worldpop.org/GIS/Population/Global_2000_2020_Constrained/2020/BSGM/CHN/"
        "chn_ppp_2020_constrained.tif",
        description="a raster of people per pixel",
    )
    population_date: str = "2020"
    contact: str = Field(default="", description="e-mail or page that servers may turn to; part of the user agent")
    hosts: list[str] = Field(default_factory=list, description="further hosts that a server may redirect to")
    buffer_m: NotNegative = Field(default=3000.0, description="ground around the district that is fetched with it")
    tile_deg: Annotated[float, Field(ge=0.01, le=1)] = Field(default=0.1, description="side of an Overpass tile")
    cache_days: Annotated[int, Field(ge=0)] = Field(default=2, description="how long an answer is used again")
    stale_days: Annotated[int, Field(ge=1)] = Field(default=365, description="older streets are called stale")
    timeout_s: Positive = Field(default=60.0, description="silence after which a server is asked again")
    tries: Annotated[int, Field(ge=1, le=20)] = 6
    pause_s: NotNegative = Field(default=1.0, description="between two queries")
    max_mb: Positive = Field(default=4000.0, description="no file larger than this is taken")

    @field_validator("overpass", "pbf", "elevation", "population")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not value.lower().startswith(("https://", "http://")):
            raise wrong(f"{value!r} 应以 https:// 或 http:// 开头", f"{value!r} must begin with https:// or http://")
        return value

    @field_validator("folder")
    @classmethod
    def _below(cls, value: str) -> str:
        parts = value.replace("\\", "/").split("/")
        if not value or value.startswith(("/", "~")) or ":" in value or ".." in parts:
            raise wrong(f"{value!r} 应是 paths.raw 之下的文件夹", f"{value!r} must be a folder below paths.raw")
        return value
