"""``study.toml``: everything a run depends on, validated before any work starts.

All paths in the file are relative to the file's own folder. An input may name several files, best first; the first
that is there when the study is read is used (:func:`bishan_gis.study_choices.choose_inputs`).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from bishan_gis.errors import MissingFileError, StudyError
from bishan_gis.fetch_settings import Fetch
from bishan_gis.measure_settings import Measure, Mode, wrong
from bishan_gis.measure_settings import Section as _Section
from bishan_gis.schema import nearest_name
from bishan_gis.study_choices import SITE_LAYERS, choose_inputs, extent_file, other_tables
from bishan_gis.transit_settings import Transit

__all__ = ["FacilityInput", "LanduseInput", "LayerInput", "PopulationInput", "Study", "load_study"]

Kind = Literal["observed", "derived", "assumed", "synthetic"]
Slope = Literal["none", "tobler", "naismith", "rees", "cycling"]
Positive = Annotated[float, Field(gt=0)]
#: A day, and a distance that no district is wider than: beyond them a number is a slip of the pen.
_Minutes = Annotated[float, Field(gt=0, le=1440)]
_Metres = Annotated[float, Field(ge=0.1, le=200_000)]


class LayerInput(_Section):
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


class PopulationInput(_Section):
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


class Inputs(_Section):
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


class Paths(_Section):
    """Where the study reads and writes."""

    raw: str = "data/raw"
    datasets: str | None = "data/raw/datasets.toml"
    processed: str = "data/processed"
    maps: str = "maps"


class Directions(_Section):
    """Development directions: a list of townships each, or polygons of their own."""

    kind: Kind = "assumed"
    zones: dict[str, list[str]] = Field(default_factory=dict)
    layer: LayerInput | None = None
    colors: dict[str, str] = Field(default_factory=dict)
    note: str = ""
    note_en: str = ""


class Cells(_Section):
    """The cells that people are placed on."""

    type: Literal["square", "h3"] = "square"
    size_m: Annotated[float, Field(ge=1, le=10_000)] = 100.0
    resolution: Annotated[int, Field(ge=6, le=12)] = 10


class Walk(_Section):
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


class Reach(_Section):
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


class Services(_Section):
    """Which services of the class table are studied."""

    include: list[str] = Field(default_factory=list, description="empty: all classes of the table")
    classes: str | None = Field(default=None, description="own facility_classes.toml")
    default: str | None = Field(default=None, description="the service a map shows first")


class Override(_Section):
    """A value of a standard that the study sets itself, and why; it is shown as proposed."""

    id: str
    value: float | None = Field(default=None, ge=0)
    value_max: float | None = Field(default=None, ge=0)
    share_min: float | None = Field(default=None, ge=0, le=1)
    reason: Annotated[str, Field(min_length=1)]


class Standards(_Section):
    """Which standards hold, the first one first."""

    sets: list[str] = Field(default_factory=list, description="empty: all, in the order of the table")
    file: str | None = Field(default=None, description="own standards.csv")
    override: list[Override] = Field(default_factory=list)


class Policy(_Section):
    """The policy that is evaluated, and the tiers of its hierarchy."""

    catalogue: str | None = Field(default=None, description="own policy.csv")
    tiers: dict[str, list[str]] = Field(default_factory=dict, description="tier = townships, highest tier first")


class SitePlanWanted(_Section):
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


class Siting(_Section):
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


class Outputs(_Section):
    """What a run leaves."""

    maps: bool = True
    gpkg: bool = True
    facility_circles: bool = Field(default=True, description="circles of every facility, the largest layer of the gpkg")
    findings: bool = Field(default=True, description="gaps, policy and sites of every run")
    whatif: bool = Field(default=True, description="the page on which facilities are tried")
    tiles: Literal["none", "tianditu"] = "none"
    map_approval: str = Field(default="", description="审图号, printed on every map")


class Limits(_Section):
    """What a run may take; checked before it begins (:mod:`bishan_gis.limits`)."""

    memory_mb: Positive | None = Field(default=None, description="default: 0.9 of what the machine has to give")
    file_mb: Positive = Field(default=4096.0, description="largest input file")


class Report(_Section):
    """Who signs the report, and on which paper."""

    office: str = Field(default="", description="编制单位, on the first page")
    author: str = Field(default="", description="编制人, on the first page")
    logo: str | None = Field(default=None, description="PNG or JPEG of the office, on the first page")
    template: str | None = Field(default=None, description="own Word template (.docx)")


class Study(_Section):
    """A validated study.

    Examples
    --------
    >>> study = load_study("studies/bishan/study.toml")  # doctest: +SKIP
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]+$")]
    name: str
    name_en: str = ""
    title: str = ""
    title_en: str = ""
    lang: Literal["zh", "en"] = "zh"
    crs: str
    date: str = ""
    paths: Paths = Paths()
    inputs: Inputs
    directions: Directions = Directions()
    cells: Cells = Cells()
    walk: Walk = Walk()
    cycle: Cycle | None = None
    drive: Drive | None = None
    reach: Reach = Reach()
    services: Services = Services()
    transit: Transit = Transit()
    measures: list[Measure] = Field(default_factory=list)
    standards: Standards = Standards()
    policy: Policy = Policy()
    siting: Siting = Siting()
    fetch: Fetch = Fetch()
    outputs: Outputs = Outputs()
    report: Report = Report()
    limits: Limits = Limits()

    _file: Path = PrivateAttr(default=Path("study.toml"))
    _alternatives: dict[str, list[Path]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _measures_fit(self) -> Study:
        names = [m.name for m in self.measures]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise wrong(f"measures: 名称重复 {'、'.join(twice)}", f"measures: names repeat: {', '.join(twice)}")
        groups = self.inputs.population.age_groups
        for m in self.measures:
            if m.mode == "transit":
                if not self.transit.given or m.measure != "nearest_cost":
                    raise wrong(
                        f"measures.{m.name}: mode = transit 需要 [transit] 一节, 且只用于 nearest_cost",
                        f"measures.{m.name}: mode = transit needs a section [transit], and is for nearest_cost alone",
                    )
            elif m.mode not in self.modes:
                raise wrong(
                    f"measures.{m.name}: mode = {m.mode} 需要 [{m.mode}] 一节",
                    f"measures.{m.name}: mode = {m.mode} needs a section [{m.mode}]",
                )
            if m.demand not in groups:
                hint = nearest_name(m.demand, groups) or ", ".join(groups)
                raise wrong(
                    f"measures.{m.name}: 没有年龄组 {m.demand};可用: {hint}",
                    f"measures.{m.name}: no age group {m.demand}; known: {hint}",
                )
        return self

    @property
    def modes(self) -> dict[Mode, Walk]:
        """Modes of travel that the study has, and who travels."""
        given: dict[Mode, Walk | None] = {"walk": self.walk, "cycle": self.cycle, "drive": self.drive}
        return {mode: section for mode, section in given.items() if section is not None}

    @property
    def direction_kinds(self) -> list[str]:
        """What the directions rest on; empty: the study has none."""
        return [self.directions.kind] if self.directions.zones or self.directions.layer else []

    @property
    def file(self) -> Path:
        """The file the study was read from."""
        return self._file

    @property
    def folder(self) -> Path:
        """The folder that all paths are relative to."""
        return self._file.parent

    @property
    def processed(self) -> Path:
        """Folder for tables."""
        return _join(self.folder, self.paths.processed)

    @property
    def maps(self) -> Path:
        """Folder for maps."""
        return _join(self.folder, self.paths.maps)

    @property
    def datasets(self) -> Path | None:
        """The manifest of the raw files, if the study has one."""
        return _join(self.folder, self.paths.datasets) if self.paths.datasets else None

    def raw(self, path: str) -> Path:
        """Return the place of an input file."""
        return _join(self.folder / self.paths.raw, path)

    @property
    def fetched(self) -> Path:
        """The folder that ``bishan-gis fetch`` fills."""
        return self.raw(self.fetch.folder)

    @property
    def alternatives(self) -> dict[str, list[Path]]:
        """Setting -> every file that was named for it, best first, where there are several."""
        return {setting: list(files) for setting, files in self._alternatives.items()}

    def input_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the setting and place of every input file.

        Streets that say themselves how far they reach (``<name>.extent.geojson`` beside them) are taken at their word.
        """
        own = extent_file(self.raw(self.inputs.osm))
        one: dict[str, LayerInput | PopulationInput | None] = {
            "inputs.district": self.inputs.district,
            "inputs.townships": self.inputs.townships,
            "inputs.villages": self.inputs.villages,
            "inputs.grids": self.inputs.grids,
            "inputs.osm_extent": self.inputs.osm_extent,
            "inputs.landuse": self.inputs.landuse,
            "inputs.control_lines": self.inputs.control_lines,
            "inputs.population": self.inputs.population,
            "directions.layer": self.directions.layer,
        }
        one |= {f"inputs.facilities[{i}]": f for i, f in enumerate(self.inputs.facilities)}
        one |= {f"siting.{name}": getattr(self.siting, name) for name in SITE_LAYERS}
        yield "inputs.osm", self.raw(self.inputs.osm)
        if own.exists():
            del one["inputs.osm_extent"]
            yield "inputs.osm_extent", own
        for setting, layer in one.items():
            if layer is not None:
                yield setting, self.raw(layer.path)
                if isinstance(layer, LayerInput) and layer.services_csv:
                    yield f"{setting}.services_csv", self.raw(layer.services_csv)
                if isinstance(layer, FacilityInput) and layer.types_csv:
                    yield f"{setting}.types_csv", self.raw(layer.types_csv)
        if self.inputs.elevation:
            yield "inputs.elevation", self.raw(self.inputs.elevation)
        for i, feed in enumerate(self.transit.gtfs):
            yield f"transit.gtfs[{i}]", self.raw(feed)

    def label(self) -> str:
        """Return the name in the study's language."""
        return (self.name_en or self.name) if self.lang == "en" else self.name

    def _repr_html_(self) -> str:
        from html import escape

        from bishan_gis.thumbnail import beside

        rows = {"district": self.name, "crs": self.crs, "file": self.file.name, "lang": self.lang}
        cells = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
        return beside(self._picture(), f"<table>{cells}</table>")

    def _picture(self) -> str:
        """Return a small map of the townships; "" where they cannot be read: a repr never fails."""
        from importlib import import_module

        from bishan_gis.errors import BishanGisError
        from bishan_gis.thumbnail import small_map

        towns = self.inputs.townships
        try:
            # By name: the reader stands above the settings, and only a notebook asks for it here.
            load = import_module("bishan_gis.sources.layers").load_layer
            given = {"layer": towns.layer, "encoding": towns.encoding, "crs": towns.crs, "datum": towns.datum}
            shapes = load(self.raw(towns.path), **given).to_crs(self.crs).geometry
        except (BishanGisError, OSError, ValueError, RuntimeError):
            return ""
        return small_map(areas=[(shapes, ["#eef1f4"] * len(shapes)), (shapes, None)], alt=self.label())


def _join(folder: Path, path: str) -> Path:
    return Path(os.path.normpath(folder / Path(path).expanduser()))


def load_study(path: str | Path) -> Study:
    """Read and validate a study.

    Parameters
    ----------
    path : str or pathlib.Path
        ``study.toml``, or the folder that holds one.

    Returns
    -------
    Study
        The validated study; nothing has been read but the file itself.

    Raises
    ------
    MissingFileError
        The file is not there.
    StudyError
        It is not TOML, or keys or values are wrong; all problems are named at once.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "study.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise MissingFileError(
            f"找不到研究文件 {file};可用 bishan-gis init 目录 新建一个",
            f"no study file at {file}; `bishan-gis init DIR` writes one",
        ) from err
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise StudyError(f"{file}: 不是有效的 UTF-8 TOML: {err}", f"{file}: not valid UTF-8 TOML: {err}") from err
    except OSError as err:
        raise MissingFileError(f"无法读取 {file}: {err}", f"cannot read {file}: {err}") from err
    nul = _nul_in(data)
    if nul:
        raise StudyError(f"{file}: {nul} 含有 NUL 字符,请删去", f"{file}: {nul} holds a NUL character; remove it")
    chosen, named = choose_inputs(data, file.resolve().parent)
    errors: list[Any] = []
    try:
        study = Study.model_validate(chosen)
    except ValidationError as err:
        errors += err.errors()
    for key, i, table in other_tables(data):
        section = _section_of(Inputs.model_fields[key].annotation)
        try:
            if section is not None and table.get("path") != chosen["inputs"][key].get("path"):
                section.model_validate(table)
        except ValidationError as err:
            errors += [{**e, "loc": ("inputs", f"{key}[{i}]", *e["loc"])} for e in err.errors()]
    if errors:
        problems = [_problem(e) for e in errors]
        n = len(problems)
        raise StudyError(
            f"{file}: {n} 处有误: " + ";".join(p[0] for p in problems),
            f"{file}: {n} problem{'s' if n > 1 else ''}: " + "; ".join(p[1] for p in problems),
        )
    study._file = file.resolve()
    study._alternatives = named
    return study


def _nul_in(value: Any, at: str = "") -> str:
    """Return where a text holds a NUL, which no file name can; TOML allows it."""
    if isinstance(value, str):
        return at if "\0" in value else ""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((found for key, v in items if (found := _nul_in(v, f"{at}.{key}".lstrip(".")))), "")


def _problem(error: Any) -> tuple[str, str]:
    loc = [str(p) for p in error["loc"]]
    where = ".".join(loc)
    if error["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1])
        hint = nearest_name(loc[-1], known)
        zh = f";最接近的是 {hint}" if hint else f";可用的键: {', '.join(known)}"
        en = f"; the nearest is {hint}" if hint else f"; known keys: {', '.join(known)}"
        return f"未知的键 {where}{zh}", f"unknown key {where}{en}"
    if error["type"] == "missing":
        return f"缺少 {where}", f"{where} is missing"
    if error["type"] == "study":
        at = f"{where}: " if where else ""
        return at + error["ctx"]["zh"], at + error["ctx"]["en"]
    value = repr(error.get("input"))
    shown = value if len(value) <= 60 else value[:57] + "..."
    return f"{where} = {shown}: {error['msg']}", f"{where} = {shown}: {error['msg']}"


def _known_keys(loc: list[str]) -> list[str]:
    model: Any = Study
    for part in loc:
        if part.isdigit() or model is None:
            continue
        field = model.model_fields.get(part.split("[")[0])
        model = _section_of(field.annotation) if field else None
    return list(model.model_fields) if model is not None else []


def _section_of(annotation: Any) -> type[_Section] | None:
    from typing import get_args

    if isinstance(annotation, type) and issubclass(annotation, _Section):
        return annotation
    for arg in get_args(annotation):
        found = _section_of(arg)
        if found:
            return found
    return None
