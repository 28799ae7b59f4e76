"""``study.toml``: everything a run depends on, validated before any work starts.

All paths in the file are relative to the file's own folder.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from bishan_gis.errors import MissingFileError, StudyError
from bishan_gis.measure_settings import Measure, Mode, wrong
from bishan_gis.measure_settings import Section as _Section
from bishan_gis.schema import nearest_name

__all__ = ["LayerInput", "PopulationInput", "Study", "load_study"]

Kind = Literal["observed", "derived", "assumed", "synthetic"]
Slope = Literal["none", "tobler", "naismith", "rees", "cycling"]
Positive = Annotated[float, Field(gt=0)]


class LayerInput(_Section):
    """One vector layer (any format that GDAL reads) and what its columns mean."""

    path: str
    layer: str | None = None
    encoding: str | None = None
    crs: str | None = Field(default=None, description="only where the file itself does not say")
    columns: dict[str, str] = Field(default_factory=dict, description="our name = their name")
    kind: Kind | None = Field(default=None, description="only where datasets.toml does not say")
    services_csv: str | None = Field(default=None, description="facilities: id and service, wins over tags")


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
    osm: str
    osm_extent: LayerInput | None = None
    facilities: list[LayerInput] = Field(default_factory=list)
    landuse: LayerInput | None = None
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


class Cells(_Section):
    """The cells that people are placed on."""

    type: Literal["square", "h3"] = "square"
    size_m: Positive = 100.0
    resolution: Annotated[int, Field(ge=6, le=12)] = 10


class Walk(_Section):
    """Who walks, and how far from a street a place may lie."""

    profile: str = "adult"
    slope: Slope | None = Field(default=None, description="how speed depends on slope; the profile's own if left out")
    max_snap_m: Positive = 300.0
    island_m: float = Field(
        default=1000.0,
        ge=0,
        allow_inf_nan=False,
        description="places are not snapped to parts of the streets shorter than this in all; 0 snaps to any",
    )


class Cycle(Walk):
    """Who cycles; the section makes a cycling network."""

    profile: str = "cyclist"


class Drive(Walk):
    """Who drives; the section makes a driving network."""

    profile: str = "car"


class Reach(_Section):
    """Thresholds of the life circles."""

    cutoffs_min: list[Positive] = Field(default=[5, 10, 15], min_length=1)
    circles_m: list[Positive] = Field(default=[300, 500, 1000])
    search_min: Positive = 60.0
    off_network_m: Positive = 60.0
    grid_m: Positive = 25.0

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

    service: str
    sites: Annotated[int, Field(ge=1)] = 3
    model: Literal["lscp", "mclp", "p_median", "p_center", "backup"] = "mclp"
    zone: str | None = Field(default=None, description="id or name; empty: the whole district")
    age: str = "all"


class Siting(_Section):
    """Where the study may build, see :func:`bishan_gis.planning.candidates.candidate_sites`."""

    codes: list[str] = Field(default=["16", "08"], min_length=1, description="prefixes of land-use codes")
    lines: list[str] = Field(default=["永久基本农田", "生态保护红线"], description="control lines to keep out of")
    spacing_m: Positive = Field(default=200.0, description="without land use: one street node per square of this size")
    min_area_m2: Annotated[float, Field(ge=0)] = 0.0
    max_slope: Positive | None = Field(default=None, description="steepest street at a site, rise over run")
    cost: Positive = Field(default=1.0, description="price of a site, in the unit of the budget")
    plans: list[SitePlanWanted] = Field(default_factory=list, description="made by every run")


class Outputs(_Section):
    """What a run leaves."""

    maps: bool = True
    gpkg: bool = True
    findings: bool = Field(default=True, description="gaps, policy and sites of every run")
    tiles: Literal["none", "tianditu"] = "none"
    map_approval: str = Field(default="", description="审图号, printed on every map")


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
    measures: list[Measure] = Field(default_factory=list)
    standards: Standards = Standards()
    policy: Policy = Policy()
    siting: Siting = Siting()
    outputs: Outputs = Outputs()

    _file: Path = PrivateAttr(default=Path("study.toml"))

    @model_validator(mode="after")
    def _measures_fit(self) -> Study:
        names = [m.name for m in self.measures]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise wrong(f"measures: 名称重复 {'、'.join(twice)}", f"measures: names repeat: {', '.join(twice)}")
        groups = self.inputs.population.age_groups
        for m in self.measures:
            if m.mode not in self.modes:
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

    def input_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the setting and place of every input file."""
        one: dict[str, LayerInput | PopulationInput | None] = {
            "inputs.district": self.inputs.district,
            "inputs.townships": self.inputs.townships,
            "inputs.osm_extent": self.inputs.osm_extent,
            "inputs.landuse": self.inputs.landuse,
            "inputs.control_lines": self.inputs.control_lines,
            "inputs.population": self.inputs.population,
            "directions.layer": self.directions.layer,
        }
        one |= {f"inputs.facilities[{i}]": f for i, f in enumerate(self.inputs.facilities)}
        yield "inputs.osm", self.raw(self.inputs.osm)
        for setting, layer in one.items():
            if layer is not None:
                yield setting, self.raw(layer.path)
                if isinstance(layer, LayerInput) and layer.services_csv:
                    yield f"{setting}.services_csv", self.raw(layer.services_csv)
        if self.inputs.elevation:
            yield "inputs.elevation", self.raw(self.inputs.elevation)

    def label(self) -> str:
        """Return the name in the study's language."""
        return (self.name_en or self.name) if self.lang == "en" else self.name

    def _repr_html_(self) -> str:
        from html import escape

        rows = {"district": self.name, "crs": self.crs, "file": str(self.file), "lang": self.lang}
        cells = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
        return f"<table>{cells}</table>"


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
    try:
        study = Study.model_validate(data)
    except ValidationError as err:
        problems = [_problem(e) for e in err.errors()]
        n = len(problems)
        raise StudyError(
            f"{file}: {n} 处有误: " + ";".join(p[0] for p in problems),
            f"{file}: {n} problem{'s' if n > 1 else ''}: " + "; ".join(p[1] for p in problems),
        ) from err
    study._file = file.resolve()
    return study


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
        field = model.model_fields.get(part)
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
