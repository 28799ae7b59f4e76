"""The sections of ``study.toml``, but for those of measures, fetching and transit, which have files of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bishan_gis.measure_settings import Section

__all__ = [
    "Cells",
    "Cycle",
    "Directions",
    "Drive",
    "FacilityInput",
    "Inputs",
    "LanduseInput",
    "LayerInput",
    "Limits",
    "Outputs",
    "Override",
    "Paths",
    "Policy",
    "PopulationInput",
    "Reach",
    "Report",
    "Services",
    "SitePlanWanted",
    "Siting",
    "Standards",
    "Walk",
]

Kind = Literal["observed", "derived", "assumed", "synthetic"]
Slope = Literal["none", "tobler", "naismith", "rees", "cycling"]
Positive = Annotated[float, Field(gt=0)]
#: A day, and a distance that no district is wider than: beyond them a number is a slip of the pen.
_Minutes = Annotated[float, Field(gt=0, le=1440)]
_Metres = Annotated[float, Field(ge=0.1, le=200_000)]


class LayerInput(Section):
    """One vector layer (any format that GDAL reads) and what its columns mean."""

    path: str
    layer: str | None = None
    encoding: str | None = None
    crs: str | None = Field(default=None, description="only where the file itself does not say")
    datum: Literal["wgs84", "cgcs2000", "gcj02", "bd09"] | None = Field(
        default=None, description="what the coordinates were shifted to; else what datasets.toml says, else WGS84"
    )
    columns: dict[str, str] = Field(default_factory=dict, description="our name = their name")
    kind: Kind | None = Field(default=None, description="only where datasets.toml does not say")
    services_csv: str | None = Field(default=None, description="facilities: id and service, wins over tags")


class FacilityInput(LayerInput):
    """Facilities: a vector layer, or a table of places (CSV, TSV, XLSX) with coordinates in its columns."""

    type: Literal["layer", "table"] = "layer"
    sheet: str | None = Field(default=None, description="of a workbook with several sheets")
    service: str | None = Field(default=None, description="table: what every row is that does not say itself")
    types_csv: str | None = Field(default=None, description="table: own rows of poi_classes.csv, which win")


class LanduseInput(LayerInput):
    """Land use: codes of the land and sea use classes, or of the third national land survey (DLTB)."""

    classification: Literal["landuse", "dltb"] = Field(
        default="landuse", description="dltb: DLBM of the third land survey, turned into land-use codes"
    )


class PopulationInput(Section):
    """People: a table per zone, a raster of counts, or a vector grid."""

    path: str
    type: Literal["table", "raster", "grid"] = "table"
    zone: str = Field(default="zone_id", description="table: column with the zone id")
    people: str = "people"
    parts: dict[str, str] = Field(
        default_factory=dict, description="age group = column; the parts must add up to `people`"
    )
    groups: dict[str, list[str]] = Field(default_factory=dict, description="further age groups as sums of parts")
    shares: dict[str, Positive] = Field(
        default_factory=dict, description="raster or grid without age columns: share of each part"
    )
    encoding: str | None = None
    layer: str | None = None
    kind: Kind | None = None
    date: str = ""

    @model_validator(mode="after")
    def _groups_name_parts(self) -> PopulationInput:
        known = set(self.parts) | set(self.shares)
        for group, members in self.groups.items():
            for member in members:
                if member not in known:
                    msg = f"groups.{group}: {member} is not one of the parts {sorted(known)}"
                    raise ValueError(msg)
        return self

    @property
    def age_groups(self) -> list[str]:
        """Every age group of the results, ``all`` first."""
        return ["all", *(self.parts or self.shares), *self.groups]


class Inputs(Section):
    """What the study reads."""

    district: LayerInput
    townships: LayerInput
    villages: LayerInput | None = Field(default=None, description="villages and communities: sums by them as well")
    grids: LayerInput | None = Field(default=None, description="governance grids: sums by them as well")
    osm: str
    osm_extent: LayerInput | None = None
    facilities: list[FacilityInput] = Field(default_factory=list)
    landuse: LanduseInput | None = None
    control_lines: LayerInput | None = None
    population: PopulationInput
    elevation: str | None = None


class Paths(Section):
    """Where the study reads and writes."""

    raw: str = "data/raw"
    datasets: str | None = "data/raw/datasets.toml"
    processed: str = "data/processed"
    maps: str = "maps"


class Directions(Section):
    """Development directions: a list of townships each, or polygons of their own."""

    kind: Kind = "assumed"
    zones: dict[str, list[str]] = Field(default_factory=dict)
    layer: LayerInput | None = None
    colors: dict[str, str] = Field(default_factory=dict)
    note: str = ""
    note_en: str = ""


class Cells(Section):
    """The cells that people are placed on."""

    type: Literal["square", "h3"] = "square"
    size_m: Annotated[float, Field(ge=1, le=10_000)] = 100.0
    resolution: Annotated[int, Field(ge=6, le=12)] = 10


class Walk(Section):
    """Who walks, and how far from a street a place may lie."""

    profile: str = "adult"
    slope: Slope | None = Field(default=None, description="how speed depends on slope; the profile's own if left out")
    max_snap_m: _Metres = 300.0
    island_m: float = Field(
        default=1000.0,
        ge=0,
        allow_inf_nan=False,
        description="places are not snapped to parts of the streets shorter than this in all; 0 snaps to any",
    )
    waits: bool = Field(default=False, description="wait at signals, crossings and signs, as the profile's delays say")


class Cycle(Walk):
    """Who cycles; the section makes a cycling network."""

    profile: str = "cyclist"
    waits: bool = Field(default=True, description="as for walk")


class Drive(Walk):
    """Who drives; the section makes a driving network."""

    profile: str = "car"
    waits: bool = Field(default=True, description="as for walk")


class Reach(Section):
    """Thresholds of the life circles."""

    cutoffs_min: list[_Minutes] = Field(default=[5, 10, 15], min_length=1)
    circles_m: list[_Metres] = Field(default=[300, 500, 1000], min_length=1)
    search_min: _Minutes = 60.0
    off_network_m: _Metres = 60.0
    grid_m: _Metres = 25.0

    @model_validator(mode="after")
    def _ordered(self) -> Reach:
        if sorted(set(self.cutoffs_min)) != self.cutoffs_min:
            msg = "cutoffs_min must rise"
            raise ValueError(msg)
        if self.search_min < self.cutoffs_min[-1]:
            msg = "search_min must not be below the largest cutoff"
            raise ValueError(msg)
        return self


class Services(Section):
    """Which services of the class table are studied."""

    include: list[str] = Field(default_factory=list, description="empty: all classes of the table")
    classes: str | None = Field(default=None, description="own facility_classes.toml")
    default: str | None = Field(default=None, description="the service a map shows first")


class Override(Section):
    """A value of a standard that the study sets itself, and why; it is shown as proposed."""

    id: str
    value: float | None = Field(default=None, ge=0)
    value_max: float | None = Field(default=None, ge=0)
    share_min: float | None = Field(default=None, ge=0, le=1)
    reason: Annotated[str, Field(min_length=1)]


class Standards(Section):
    """Which standards hold, the first one first."""

    sets: list[str] = Field(default_factory=list, description="empty: all, in the order of the table")
    file: str | None = Field(default=None, description="own standards.csv")
    override: list[Override] = Field(default_factory=list)


class Policy(Section):
    """The policy that is evaluated, and the tiers of its hierarchy."""

    catalogue: str | None = Field(default=None, description="own policy.csv")
    tiers: dict[str, list[str]] = Field(default_factory=dict, description="tier = townships, highest tier first")


class SitePlanWanted(Section):
    """A siting plan that every run makes."""

    service: str | Annotated[list[str], Field(min_length=1)] = Field(description="several share every site")
    sites: Annotated[int, Field(ge=1)] = 3
    model: Literal["lscp", "mclp", "p_median", "p_center", "backup", "hierarchical"] = "mclp"
    zone: str | None = Field(default=None, description="id or name; empty: the whole district")
    age: str = "all"
    cutoff_min: Positive | None = Field(default=None, description="in place of the level of the standards")
    budget: Annotated[float, Field(ge=0)] | None = Field(default=None, description="sum of costs")
    capacity: Positive | None = Field(default=None, description="people that a site can serve")
    equity: Literal["none", "weight", "first"] = Field(default="none", description="how the worst-off count")
    upper_sites: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="hierarchical: of the upper level"
    )
    codes: list[str] = Field(default_factory=list, description="land-use codes of candidates, such as 14 for shelters")


class Siting(Section):
    """Where the study may build, see :func:`bishan_gis.planning.candidates.candidate_sites`."""

    codes: list[str] = Field(default=["16", "08"], min_length=1, description="prefixes of land-use codes")
    lines: list[str] = Field(default=["永久基本农田", "生态保护红线"], description="control lines to keep out of")
    spacing_m: _Metres = Field(default=200.0, description="without land use: one street node per square of this size")
    min_area_m2: Annotated[float, Field(ge=0)] = 0.0
    max_slope: Positive | None = Field(default=None, description="steepest street at a site, rise over run")
    cost: Positive = Field(default=1.0, description="price of a site, in the unit of the budget")
    candidates: LayerInput | None = Field(default=None, description="own candidates, in place of land use and streets")
    fixed: LayerInput | None = Field(default=None, description="sites that are built in any case")
    forbidden: LayerInput | None = Field(default=None, description="places where nothing is built")
    hazards: LayerInput | None = Field(default=None, description="places to stay away from")
    hazard_m: Annotated[float, Field(ge=0)] = 0.0
    plans: list[SitePlanWanted] = Field(default_factory=list, description="made by every run")


class Outputs(Section):
    """What a run leaves."""

    maps: bool = True
    gpkg: bool = True
    facility_circles: bool = Field(default=True, description="circles of every facility, the largest layer of the gpkg")
    findings: bool = Field(default=True, description="gaps, policy and sites of every run")
    whatif: bool = Field(default=True, description="the page on which facilities are tried")
    tiles: Literal["none", "tianditu"] = "none"
    map_approval: str = Field(default="", description="审图号, printed on every map")


class Limits(Section):
    """What a run may take; checked before it begins (:mod:`bishan_gis.limits`)."""

    memory_mb: Positive | None = Field(default=None, description="default: 0.9 of what the machine has to give")
    file_mb: Positive = Field(default=4096.0, description="largest input file")


class Report(Section):
    """Who signs the report, and on which paper."""

    office: str = Field(default="", description="编制单位, on the first page")
    author: str = Field(default="", description="编制人, on the first page")
    logo: str | None = Field(default=None, description="PNG or JPEG of the office, on the first page")
    template: str | None = Field(default=None, description="own Word template (.docx)")
