"""``[[measures]]`` of ``study.toml``: what is asked for, checked against the table of measures that there are."""

from __future__ import annotations

import tomllib
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from bishan_gis.schema import known_names

__all__ = ["DECAYS", "Decay", "Measure", "Mode", "Section", "load_measures", "wrong"]

Mode = Literal["walk", "cycle", "drive"]
Positive = Annotated[float, Field(gt=0)]

#: Decay function -> settings it needs, settings it may have; of time in minutes, in Python in seconds.
DECAYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "binary": (("cutoff_min",), ()),
    "linear": (("cutoff_min",), ()),
    "catchment_gaussian": (("cutoff_min",), ()),
    "exponential": (("rate_per_min",), ()),
    "gaussian": (("sigma_min",), ()),
    "logistic": (("midpoint_min", "sd_min"), ()),
    "power": (("exponent",), ("least_min",)),
    "stepped": (("steps_min", "weights"), ()),
}


class Section(BaseModel):
    """A table of ``study.toml``: no key that is not known, no number without end; nothing changes after."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


@cache
def load_measures() -> dict[str, dict[str, Any]]:
    """Return the table of measures: name -> ``function, needs, may, unit, zh, en``.

    Examples
    --------
    >>> load_measures()["gravity"]["needs"]
    ['cutoff_min', 'decay']
    """
    text = files("bishan_gis").joinpath("data/measures.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def wrong(zh: str, en: str) -> PydanticCustomError:
    """Return an error of a setting in both languages."""
    return PydanticCustomError("study", "{en}", {"zh": zh, "en": en})


def _check_settings(model: Section, what: str, needs: Any, may: Any, always: set[str]) -> None:
    """Raise when settings are missing or mean nothing here."""
    given = model.model_fields_set - always
    missing = [key for key in needs if key not in given]
    idle = sorted(given - set(needs) - set(may))
    if missing:
        raise wrong(f"{what} 还需要 {'、'.join(missing)}", f"{what} also needs {', '.join(missing)}")
    if idle:
        known = [*needs, *may]
        raise wrong(
            f"{what} 不使用 {'、'.join(idle)};可用: {'、'.join(known)}",
            f"{what} does not use {', '.join(idle)}; it knows {', '.join(known)}",
        )


def _rises(ends: list[float]) -> bool:
    return sorted(set(ends)) == ends


def _known_name(name: str, known: Any, zh: str, en: str) -> str:
    if name not in known:
        hint_zh, hint_en = known_names(name, known)
        raise wrong(f"没有{zh} {name};{hint_zh}", f"no {en} {name}; {hint_en}")
    return name


class Decay(Section):
    """How willingness to travel falls with time: a function of :mod:`bishan_gis.access.decay`."""

    type: str
    cutoff_min: Positive | None = None
    rate_per_min: Positive | None = None
    sigma_min: Positive | None = None
    midpoint_min: Positive | None = None
    sd_min: Positive | None = None
    exponent: Positive | None = None
    least_min: Positive | None = None
    steps_min: list[Positive] | None = None
    weights: list[Annotated[float, Field(ge=0)]] | None = None

    @field_validator("type")
    @classmethod
    def _type(cls, value: str) -> str:
        return _known_name(value, DECAYS, "衰减函数", "decay function")

    @model_validator(mode="after")
    def _settings(self) -> Decay:
        needs, may = DECAYS[self.type]
        _check_settings(self, f"decay {self.type}", needs, may, {"type"})
        return self


class Measure(Section):
    """One measure of the study: a function of :mod:`bishan_gis.access`, under its own name."""

    name: Annotated[str, Field(pattern=r"^[\w\-]+$")]
    measure: str
    services: list[str] = Field(default_factory=list, description="facilities of all of them together")
    required: str | None = Field(default=None, description="in place of services: a set of data/completeness.toml")
    zh: str = Field(default="", description="what it is called on tables and maps")
    en: str = ""
    mode: Mode | Literal["transit"] = "walk"
    direction: Literal["to", "from"] = Field(default="to", description="from: facilities travel to people")
    offset_min: Annotated[float, Field(ge=0)] = Field(default=0.0, description="what each trip costs besides: turn-out")
    supply: Literal["count", "capacity"] = "count"
    default_capacity: Positive | None = Field(default=None, description="where a facility has none: an assumption")
    demand: str = Field(default="all", description="age group it is for")
    profile: str | None = Field(default=None, description="who travels, where not the traveller of the mode's section")
    at: datetime | None = Field(default=None, description="only facilities that are open then, local time")
    unknown_hours: Literal["keep", "drop"] = Field(default="keep", description="facilities whose hours are not known")
    cutoff_min: Positive | None = None
    cutoffs_min: list[Positive] | None = Field(default=None, min_length=1)
    from_min: Positive | None = None
    to_min: Positive | None = None
    steps_min: list[Positive] | None = Field(default=None, min_length=1)
    weights: list[Annotated[float, Field(ge=0)]] | None = None
    decay: Decay | None = None
    k: Annotated[int, Field(ge=1)] | None = None
    amount: Positive | None = None
    rate_per_min: Positive | None = None
    size_exponent: Positive | None = None
    in_seconds: bool | None = None
    alpha: Positive | None = None
    tau_min: Positive | None = None
    rho: Positive | None = None
    line: Positive | None = Field(
        default=None, description="poverty line of the table of equity, in the unit of values"
    )
    poor: Literal["below", "above"] = Field(default="below", description="above: too high a cost is poor")

    @field_validator("measure")
    @classmethod
    def _measure(cls, value: str) -> str:
        return _known_name(value, load_measures(), "指标", "measure")

    @field_validator("at", mode="before")
    @classmethod
    def _moment(cls, value: object) -> object:
        """Refuse a day, which would be its midnight, and a number, which would be seconds since 1970."""
        if value is None or isinstance(value, datetime) or (isinstance(value, str) and ":" in value):
            return value
        zh, en = "须写明日期与时刻, 如 2026-11-25T19:00", "must be a date and a time of day, such as 2026-11-25T19:00"
        raise wrong(f"{zh},现为 {value!s}", f"{en}; it is {value!s}")

    @model_validator(mode="after")
    def _settings(self) -> Measure:
        row = load_measures()[self.measure]
        if not self.services and "required" not in row["needs"]:
            zh, en = "services 须列出至少一种服务", "services must name at least one service"
            raise wrong(zh, en)
        if self.services and "required" in row["needs"]:
            zh, en = "服务由 required 指定,不用 services", "required says which services; leave services out"
            raise wrong(zh, en)
        always = {"name", "measure", "services", "zh", "en", "mode", "direction", "offset_min", "demand"}
        always |= {"profile", "at", "unknown_hours", "line", "poor"}
        if self.line is None and "poor" in self.model_fields_set:
            zh, en = "poor 须与 line 同用", "poor is for measures with line"
            raise wrong(zh, en)
        if self.at is None and "unknown_hours" in self.model_fields_set:
            zh, en = "unknown_hours 须与 at 同用", "unknown_hours is for measures with at"
            raise wrong(zh, en)
        if self.profile and self.mode == "transit":
            zh, en = "mode = transit 不能另设 profile", "mode = transit takes no profile of its own"
            raise wrong(zh, en)
        may = [*row["may"], *(["default_capacity"] if self.supply == "capacity" else [])]
        _check_settings(self, self.measure, row["needs"], may, always)
        steps, weights = self.steps_min or [], self.weights or []
        rules = {
            ("cutoffs_min 须递增", "cutoffs_min must rise"): _rises(self.cutoffs_min or []),
            ("steps_min 须递增", "steps_min must rise"): _rises(steps),
            ("steps_min 与 weights 须一样多", "steps_min and weights must be as many"): len(steps) == len(weights),
            ("from_min 须小于 to_min", "from_min must be below to_min"): (self.from_min or 0.0) < self.search_min,
            ("offset_min 须小于时限", "offset_min must be below the cutoff"): self.offset_min < self.search_min,
        }
        for (zh, en), kept in rules.items():
            if not kept:
                raise wrong(zh, en)
        return self

    @property
    def search_min(self) -> float:
        """Longest time that counts [min]; infinite where the set of required services says it."""
        if self.required:
            return float("inf")
        several = [*(self.cutoffs_min or ()), *(self.steps_min or ())]
        one = [t for t in (self.cutoff_min, self.to_min) if t is not None]
        return float(max([*several, *one]))
