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
from bishan_gis.measure_settings import Measure, Mode, Section, wrong
from bishan_gis.schema import known_names
from bishan_gis.study_choices import SITE_LAYERS, choose_inputs, extent_file, other_tables
from bishan_gis.study_settings import (
    Cells,
    Cycle,
    Directions,
    Drive,
    FacilityInput,
    Inputs,
    LayerInput,
    Limits,
    Outputs,
    Paths,
    Policy,
    PopulationInput,
    Reach,
    Report,
    Services,
    Siting,
    Standards,
    Walk,
)
from bishan_gis.transit_settings import Transit

__all__ = ["Study", "load_study"]


class Study(Section):
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
                zh, en = known_names(m.demand, groups)
                raise wrong(
                    f"measures.{m.name}: 没有年龄组 {m.demand};{zh}",
                    f"measures.{m.name}: no age group {m.demand}; {en}",
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
        zh, en = known_names(loc[-1], known)
        return f"未知的键 {where};{zh}", f"unknown key {where}; {en}"
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


def _section_of(annotation: Any) -> type[Section] | None:
    from typing import get_args

    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for arg in get_args(annotation):
        found = _section_of(arg)
        if found:
            return found
    return None
