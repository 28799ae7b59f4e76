"""``scenario.toml``: what would be different, as typed edits of a study, validated before any work starts."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from bishan_gis.errors import MissingFileError, StudyError
from bishan_gis.measure_settings import Mode, wrong
from bishan_gis.measure_settings import Section as _Section
from bishan_gis.schema import nearest_name

if TYPE_CHECKING:
    from bishan_gis.study import Study

__all__ = [
    "AddFacility",
    "AddHousing",
    "AddStreet",
    "CloseFacility",
    "CloseStreet",
    "GrowPopulation",
    "MoveFacility",
    "ResizeFacility",
    "Scenario",
    "Walkers",
    "load_scenario",
]

_Year = Annotated[int, Field(ge=1900, le=2200)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Line = list[tuple[_Number, _Number]]


class _Edit(_Section):
    """What all edits have: when they come, and a word on why."""

    year: _Year | None = Field(default=None, description="the edit holds from this year on; none: always")
    note: str = ""


class _Placed(_Edit):
    """An edit at a place: ``lon, lat`` in degrees (WGS84 or CGCS2000), or ``x, y`` in the CRS of the study [m]."""

    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    x: _Number | None = None
    y: _Number | None = None

    @property
    def _pairs(self) -> tuple[bool, bool, bool]:
        """Whether degrees are whole, metres are whole, and only half of a pair is there."""
        degrees, metres = [self.lon, self.lat], [self.x, self.y]
        half = any((pair[0] is None) != (pair[1] is None) for pair in (degrees, metres))
        return None not in degrees, None not in metres, half

    def _check_place(self, *, needed: bool = True) -> None:
        degrees, metres, half = self._pairs
        if half or (degrees and metres) or (needed and not degrees and not metres):
            zh = "位置须写成 lon 和 lat (度), 或 x 和 y (研究坐标系, 米), 两者取一"
            en = "give the place as lon and lat (degrees) or as x and y (CRS of the study, m), one of the two"
            raise wrong(zh, en)


class _PlacedFacility(_Placed):
    @model_validator(mode="after")
    def _place(self) -> _PlacedFacility:
        self._check_place()
        return self


class AddFacility(_PlacedFacility):
    """A planned facility."""

    service: str
    name: str = ""
    facility_id: str | None = Field(default=None, description="left out: plan/<number of the edit in the file>")
    capacity: _Positive | None = None


class MoveFacility(_PlacedFacility):
    """A facility goes elsewhere."""

    facility_id: str


class CloseFacility(_Edit):
    """A facility closes."""

    facility_id: str


class ResizeFacility(_Edit):
    """A facility gets another capacity."""

    facility_id: str
    capacity: _Positive


class AddStreet(_Edit):
    """A new street, path, bridge or tunnel: joins nodes of the streets at its two ends, and nothing in between."""

    line: Annotated[_Line, Field(min_length=2)]
    coordinates: Literal["lonlat", "study"] = "lonlat"
    name: str = ""
    highway: str = "footway"
    structure: Literal["", "bridge", "tunnel", "steps"] = ""
    modes: list[Mode] = Field(default=["walk"], min_length=1)
    oneway: bool = False
    speed_kmh: _Positive | None = Field(default=None, description="mean speed driven; needed for drive")
    join_m: Annotated[float, Field(ge=0, le=200)] = 15.0

    @model_validator(mode="after")
    def _has_speed(self) -> AddStreet:
        if "drive" in self.modes and self.speed_kmh is None:
            zh, en = "modes 含 drive 时须给出 speed_kmh", "speed_kmh is needed where modes has drive"
            raise wrong(zh, en)
        if len(set(self.line)) < 2:
            zh, en = "line 至少要有两个不同的点", "line needs two different points"
            raise wrong(zh, en)
        return self


class CloseStreet(_Edit):
    """A street closes to everybody, or to some modes."""

    way: int = Field(description="OSM way id")
    modes: list[Mode] = Field(default=["walk", "cycle", "drive"], min_length=1)


class AddHousing(_Placed):
    """New homes at a place, or spread evenly over a polygon."""

    name: str = ""
    people: Annotated[int, Field(gt=0)] | None = None
    ages: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict, description="age part = people")
    polygon: Annotated[_Line, Field(min_length=3)] | None = None
    coordinates: Literal["lonlat", "study"] = Field(default="lonlat", description="of the polygon")

    @model_validator(mode="after")
    def _whole(self) -> AddHousing:
        self._check_place(needed=self.polygon is None)
        if self.polygon is not None and any(self._pairs):
            zh, en = "位置与 polygon 只能给一个", "give a place or a polygon, not both"
            raise wrong(zh, en)
        total = sum(self.ages.values())
        if not (self.people or total):
            zh, en = "缺少 people 或 ages", "people or ages is missing"
            raise wrong(zh, en)
        if self.people and self.ages and self.people != total:
            raise wrong(f"people = {self.people}, 各组合计 {total}", f"people = {self.people}; the ages sum to {total}")
        return self


class GrowPopulation(_Edit):
    """The population of a township grows or shrinks, where people live already."""

    township: str = Field(description="id or name")
    factor: Annotated[float, Field(ge=0, le=100)] | None = None
    people: int | None = Field(default=None, description="added; negative: fewer")
    ages: dict[str, int] = Field(default_factory=dict, description="age part = people added")

    @model_validator(mode="after")
    def _one(self) -> GrowPopulation:
        if (self.factor is not None) + (self.people is not None) + bool(self.ages) != 1:
            zh, en = "factor, people, ages 须且只能给一个", "give one of factor, people, ages"
            raise wrong(zh, en)
        return self


class Walkers(_Edit):
    """Other people walk, or they walk faster or slower."""

    profile: str | None = None
    speed_factor: Annotated[float, Field(gt=0, le=10)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Walkers:
        if self.profile is None and self.speed_factor is None:
            zh, en = "缺少 profile 或 speed_factor", "profile or speed_factor is missing"
            raise wrong(zh, en)
        return self


class _Head(_Section):
    name: Annotated[str, Field(min_length=1)]
    name_en: str = ""
    base: str | None = Field(default=None, description="study.toml, relative to the scenario; guards against mistakes")
    year: _Year | None = Field(default=None, description="the year looked at where none is asked for")
    note: str = ""


class Scenario(_Section):
    """A validated scenario: lists of edits.

    Everything it adds is ``assumed``: results of a scenario never rest on more than that.

    Examples
    --------
    >>> plan = Scenario.model_validate(
    ...     {
    ...         "scenario": {"name": "两所托育机构"},
    ...         "add_facility": [
    ...             {"service": "nursery", "lon": 106.2, "lat": 29.4, "year": 2030},
    ...             {"service": "nursery", "lon": 106.3, "lat": 29.4, "year": 2035},
    ...         ],
    ...     }
    ... )
    >>> plan.years, plan.at_year(2030).n_edits
    ([2030, 2035], 1)
    """

    scenario: _Head
    add_facility: list[AddFacility] = Field(default_factory=list)
    close_facility: list[CloseFacility] = Field(default_factory=list)
    move_facility: list[MoveFacility] = Field(default_factory=list)
    resize_facility: list[ResizeFacility] = Field(default_factory=list)
    add_street: list[AddStreet] = Field(default_factory=list)
    close_street: list[CloseStreet] = Field(default_factory=list)
    add_housing: list[AddHousing] = Field(default_factory=list)
    grow_population: list[GrowPopulation] = Field(default_factory=list)
    walkers: list[Walkers] = Field(default_factory=list)

    _file: Path = PrivateAttr(default=Path("scenario.toml"))

    @model_validator(mode="before")
    @classmethod
    def _name_the_added(cls, data: Any) -> Any:
        """Give added facilities the number they have in the file, which a choice of years must not change."""
        added = data.get("add_facility") if isinstance(data, dict) else None
        if isinstance(added, list):
            named = [
                {"facility_id": f"plan/{i}", **a} if isinstance(a, dict) else a for i, a in enumerate(added, start=1)
            ]
            return {**data, "add_facility": named}
        return data

    @property
    def file(self) -> Path:
        """The file it was read from."""
        return self._file

    @property
    def base(self) -> Path | None:
        """The study it says it is made for."""
        if self.scenario.base is None:
            return None
        path = Path(os.path.normpath(self._file.parent / Path(self.scenario.base).expanduser()))
        return path / "study.toml" if path.suffix != ".toml" else path

    @property
    def edits(self) -> dict[str, list[_Edit]]:
        """The edits of each sort that there are."""
        return {k: getattr(self, k) for k in type(self).model_fields if k != "scenario" and getattr(self, k)}

    @property
    def n_edits(self) -> int:
        """Number of edits."""
        return sum(len(edits) for edits in self.edits.values())

    @property
    def years(self) -> list[int]:
        """Years in which something changes, in order."""
        return sorted({e.year for edits in self.edits.values() for e in edits if e.year is not None})

    @property
    def only_facilities(self) -> bool:
        """Whether nothing but facilities changes."""
        return all(sort.endswith("_facility") for sort in self.edits)

    def at_year(self, year: int | None = None) -> Scenario:
        """Return the scenario with only the edits that hold in a year, the earlier ones first.

        Parameters
        ----------
        year : int, optional
            Edits without a year, and those up to this year inclusive; left out: the year of ``[scenario]``, and
            where that says none either, all edits.
        """
        year = self.scenario.year if year is None else year
        chosen: dict[str, Any] = {"scenario": self.scenario.model_copy(update={"year": year})}
        for sort, edits in self.edits.items():
            due = [e for e in edits if e.year is None or year is None or e.year <= year]
            chosen[sort] = sorted(due, key=lambda e: e.year or 0)
        out = self.model_copy(update=chosen)
        out._file = self._file
        return out

    def label(self, lang: str = "zh") -> str:
        """Return its name, with the year where one was chosen."""
        name = (self.scenario.name_en or self.scenario.name) if lang == "en" else self.scenario.name
        return name if self.scenario.year is None else f"{name} ({self.scenario.year})"

    def record(self, lang: str = "zh") -> dict[str, Any]:
        """Return what ``run.json`` says of it."""
        head = self.scenario
        edits = {k: [e.model_dump(mode="json", exclude_unset=True) for e in v] for k, v in self.edits.items()}
        return {
            "name": head.name,
            "year": head.year,
            "label": self.label(lang),
            "file": self._file.name,
            "edits": edits,
        }

    def study(self, study: Study) -> Study:
        """Return the study under the name of the scenario, with folders of its own for what is written."""
        folder = Path("scenarios") / self._file.stem
        places = {k: str(Path(getattr(study.paths, k)) / folder) for k in ("processed", "maps")}
        names = {"name": f"{study.name} · {self.label()}", "name_en": f"{study.name_en} · {self.label('en')}"}
        if not study.name_en:
            del names["name_en"]
        return study.model_copy(update={**names, "paths": study.paths.model_copy(update=places)})

    @property
    def source(self) -> str:
        """What the column ``source`` says of what the scenario adds."""
        return f"{self._file.name}: {self.scenario.name}"


def load_scenario(path: str | Path) -> Scenario:
    """Read and validate a scenario.

    Parameters
    ----------
    path : str or pathlib.Path
        ``scenario.toml``.

    Returns
    -------
    Scenario
        The validated edits; whether what they name exists is checked against the data of a study, when they are
        applied.

    Raises
    ------
    MissingFileError
        The file is not there.
    StudyError
        It is not TOML, or keys or values are wrong; all problems are named at once.
    """
    file = Path(path)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as err:
        raise MissingFileError(
            f"找不到情景文件 {file};请给出 scenario.toml", f"no scenario file at {file}; give a scenario.toml"
        ) from err
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise StudyError(f"{file}: 不是有效的 UTF-8 TOML: {err}", f"{file}: not valid UTF-8 TOML: {err}") from err
    except OSError as err:
        raise MissingFileError(f"无法读取 {file}: {err}", f"cannot read {file}: {err}") from err
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as err:
        raise_problems(str(file), [_problem(e) for e in err.errors()])
    scenario._file = file.resolve()
    return scenario


def raise_problems(where: str, problems: list[tuple[str, str]]) -> None:
    """Raise all problems at once, or return where there are none."""
    if not problems:
        return
    n = len(problems)
    raise StudyError(
        f"{where}: {n} 处有误: " + ";".join(p[0] for p in problems),
        f"{where}: {n} problem{'s' if n > 1 else ''}: " + "; ".join(p[1] for p in problems),
    )


def _problem(error: Any) -> tuple[str, str]:
    # Edits are counted from 1, as a reader of the file does.
    loc = [f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in error["loc"]]
    where = "".join(loc).lstrip(".")
    if error["type"] == "extra_forbidden":
        known = _known_keys([p for p in error["loc"][:-1] if isinstance(p, str)])
        hint = nearest_name(str(error["loc"][-1]), known)
        zh = f";最接近的是 {hint}" if hint else f";可用的键: {', '.join(known)}"
        en = f"; the nearest is {hint}" if hint else f"; known keys: {', '.join(known)}"
        return f"未知的键 {where}{zh}", f"unknown key {where}{en}"
    if error["type"] == "missing":
        return f"缺少 {where}", f"{where} is missing"
    if error["type"] == "study":
        return f"{where}: {error['ctx']['zh']}", f"{where}: {error['ctx']['en']}"
    value = repr(error.get("input"))
    shown = value if len(value) <= 60 else value[:57] + "..."
    return f"{where} = {shown}: {error['msg']}", f"{where} = {shown}: {error['msg']}"


def _known_keys(loc: list[str]) -> list[str]:
    model: type[_Section] = Scenario
    for part in loc:
        annotation = model.model_fields[part].annotation
        model = next((a for a in get_args(annotation) if isinstance(a, type)), annotation)  # type: ignore[assignment]
    return list(model.model_fields)
