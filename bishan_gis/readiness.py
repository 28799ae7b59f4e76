"""Whether the inputs of a study are there, how old they are, what they rest on, and what is impossible without them."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bishan_gis.errors import BishanGisError
from bishan_gis.sources.datasets import Dataset, file_problem, read_date, study_datasets
from bishan_gis.sources.safety import check_raster_file, check_vector_file, no_network, open_raster

if TYPE_CHECKING:
    import pandas as pd

    from bishan_gis.sources.inputs import StudyData
    from bishan_gis.study import Study

__all__ = ["COLUMNS", "STATES", "build_readiness"]

#: What may be said of an input, worst first.
STATES = ("missing", "doubtful", "stale", "present", "absent")

COLUMNS: tuple[str, ...] = ("input", "zh", "en", "status", "file", "kind", "date", "age_days", "licence", "better")
COLUMNS += ("reason_zh", "reason_en", "prevents_zh", "prevents_en")

_RASTER = (".tif", ".tiff", ".vrt", ".asc", ".img")
_TABLE = (".csv", ".tsv", ".xlsx", ".xls")
_OSM = (".pbf", ".osm", ".osm.gz", ".osm.bz2")
#: Share of the district's extent that a file must cover; streets do not lie everywhere.
_LEAST_SHARE = {"inputs.osm": 0.5, "inputs.elevation": 0.98, "inputs.population": 0.98}

Box = tuple[float, float, float, float]
Words = tuple[str, str]


@cache
def _knowledge() -> dict[str, Any]:
    text = files("bishan_gis").joinpath("data/readiness.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def build_readiness(study: Study, *, data: StudyData | None = None, today: dt.date | None = None) -> pd.DataFrame:
    """Judge every input of a study by itself; nothing is computed, and nothing raises because of a bad file.

    Parameters
    ----------
    study : Study
        The settings.
    data : StudyData, optional
        The inputs, where they could be read: then streets are held against the district and places are counted.
    today : datetime.date, optional
        What ages are counted from.

    Returns
    -------
    pandas.DataFrame
        One row per input that the study names or could name, in the order of the run: ``input`` (setting), ``zh, en``
        (its name), ``status``, ``file``, ``kind``, ``date``, ``age_days``, ``licence``, ``better`` (files named before
        the one used that are not there), ``reason_zh, reason_en`` (why it is missing, doubtful or stale) and
        ``prevents_zh, prevents_en`` (what is impossible or uncertain without it).

    Notes
    -----
    ``missing``: named and not there. ``doubtful``: synthetic or assumed, not in ``datasets.toml``, changed since it was
    listed, without coordinate system, or not where the district is; streets also where they hold few places for the
    people who live there. ``stale``: older than ``data/readiness.toml`` says, streets than ``[fetch] stale_days``.
    ``absent``: the study does without. The worst that is true is the status; every reason is named.
    """
    import pandas as pd

    rows = list(_Judge(study, data, today or dt.date.today()).rows())
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["age_days"] = table["age_days"].astype("Int64")
    return table


@dataclass
class _Judge:
    study: Study
    data: StudyData | None
    today: dt.date
    listed: dict[Path, Dataset] = field(default_factory=dict)
    wrong_list: Words | None = None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Judge one input after the other."""
        try:
            self.listed = study_datasets(self.study)
        except BishanGisError as err:
            self.wrong_list = (err.zh, err.en)
        used = dict(self.study.input_files())
        try:
            box = self._box(used.get("inputs.district"), "inputs.district")
        except ValueError:
            box = None
        for key in _knowledge()["inputs"]:
            setting = f"inputs.{key}"
            mine = [s for s in used if s == setting or s.startswith(f"{setting}[")]
            if not mine:
                yield self._row(setting, setting, "absent")
            for one in mine:
                yield self._file(setting, one, used[one], box)
        others = [s for s in used if not s.startswith("inputs.") and s != "directions.layer"]
        for one in others:
            yield self._file("other", one, used[one], box)
        yield self._directions(used, box)
        yield self._manifest()

    def _row(self, about: str, setting: str, status: str, **more: Any) -> dict[str, Any]:
        known: Any = _knowledge()
        for part in about.split("."):
            known = known[part]
        empty = {"file": "", "kind": "", "date": "", "age_days": None, "licence": "", "better": ""}
        own = {k: known[k] for k in ("zh", "en", "prevents_zh", "prevents_en")}
        return {"input": setting, **own, "status": status, **empty, "reason_zh": "", "reason_en": "", **more}

    def _file(self, about: str, setting: str, file: Path, box: Box | None) -> dict[str, Any]:
        """Judge one file."""
        item = self.listed.get(file.resolve())
        named = self.study.alternatives.get(setting, [])
        better = [self._short(p) for p in named[: named.index(file)]] if file in named else []
        when = self._date(setting, item)
        facts: dict[str, Any] = {
            "file": self._short(file),
            "better": ", ".join(better),
            "kind": self._kind(setting, item),
            "date": when,
            "licence": item.licence if item else "",
        }
        if not file.exists():
            shown = " | ".join(self._short(p) for p in named or [file])
            return self._row(about, setting, "missing", **facts, **_words([(f"没有 {shown}", f"no {shown}")]))
        doubts = [*self._doubts(setting, file, item, facts["kind"], box)]
        old, facts["age_days"] = self._age(about, when)
        status = "doubtful" if doubts else "stale" if old else "present"
        return self._row(about, setting, status, **facts, **_words([*doubts, *old]))

    def _short(self, file: Path) -> str:
        """Return a file as study.toml names it, or by its name."""
        base = self.study.raw(".")
        return file.relative_to(base).as_posix() if file.is_relative_to(base) else file.name

    def _date(self, setting: str, item: Dataset | None) -> str:
        if item and item.date:
            return item.date
        if setting == "inputs.population" and self.study.inputs.population.date:
            return self.study.inputs.population.date
        stamp = self.data.osm.header.get("timestamp", "") if self.data and setting == "inputs.osm" else ""
        return stamp[:10]

    def _kind(self, setting: str, item: Dataset | None) -> str:
        if self.data and setting in self.data.kinds:
            return self.data.kinds[setting]
        spec: Any = self.study
        for part in setting.replace("[", ".").replace("]", "").split("."):
            spec = spec[int(part)] if part.isdigit() else getattr(spec, part, None)
            if spec is None:
                break
        return getattr(spec, "kind", None) or (item.kind if item else "observed")

    def _age(self, about: str, when: str) -> tuple[list[Words], int | None]:
        day = read_date(when)
        if day is None:
            return [], None
        age = max((self.today - day).days, 0)
        most = self.study.fetch.stale_days
        if about != "inputs.osm":
            known: Any = _knowledge()
            for part in about.split("."):
                known = known[part]
            most = int(known["stale_days"])
        if not most or age <= most:
            return [], age
        return [
            (f"{when} 的资料, 已 {age:,} 天 (超过 {most:,} 天)", f"of {when}, {age:,} days old (over {most:,})")
        ], age

    def _doubts(self, setting: str, file: Path, item: Dataset | None, kind: str, box: Box | None) -> Iterator[Words]:
        """Yield what speaks against a file that is there."""
        if kind in ("synthetic", "assumed"):
            yield ("合成数据" if kind == "synthetic" else "假设数据"), f"{kind} data"
        if item is None:
            yield "未列入数据清单, 来源与许可不明", "not in the list of datasets: source and licence unknown"
        else:
            try:
                problem = file_problem(item)
            except OSError as err:
                problem = (f"无法读取: {err.strerror or err}", f"cannot be read: {err.strerror or err}")
            if problem:
                yield problem
        yield from self._place(setting, file, box)
        if setting == "inputs.osm" and self.data is not None:
            yield from self._few_places()

    def _place(self, setting: str, file: Path, box: Box | None) -> Iterator[Words]:
        """Yield a doubt where a file does not lie where the district does."""
        if (
            setting.startswith("transit.")
            or file.name.lower().endswith(_TABLE)
            or (setting == "inputs.district" and box)
        ):
            return
        try:
            mine = self._box(file, setting)
        except ValueError as err:
            cause = err.__cause__
            zh, en = (cause.zh, cause.en) if isinstance(cause, BishanGisError) else (str(err), str(err))
            yield f"无法读取: {' '.join(zh.split())[:120]}", f"cannot be read: {' '.join(en.split())[:120]}"
            return
        if mine is None:
            if not file.name.lower().endswith(_OSM):
                yield "没有坐标系或范围", "no coordinate system, or no extent"
        elif box is not None:
            share = _shared(box, mine)
            if share == 0:
                yield "与区界没有重叠", "does not overlap the district"
            elif share < _LEAST_SHARE.get(setting, 0):
                yield f"只覆盖区界范围的 {share:.0%}", f"covers only {share:.0%} of the district's extent"

    def _box(self, file: Path | None, setting: str) -> Box | None:
        """Return west, south, east, north of a file [degrees], None where it does not say."""
        if file is None or not file.exists():
            return None
        name = file.name.lower()
        if name.endswith(_OSM):
            return self.data.osm.bounds if self.data else None
        try:
            bounds, crs = _raster_box(file) if name.endswith(_RASTER) else _layer_box(file, self._spec(setting))
            return None if bounds is None or not crs else _degrees(bounds, crs)
        except Exception as err:  # the readers of GDAL raise many kinds; a bad file is a finding here, not an error
            raise ValueError(str(err)) from err

    def _spec(self, setting: str) -> Any:
        if setting == "directions.layer":
            return self.study.directions.layer
        if setting.startswith("siting."):
            return getattr(self.study.siting, setting.removeprefix("siting."), None)
        found = re.fullmatch(r"inputs\.facilities\[(\d+)\]", setting)
        if found:
            return self.study.inputs.facilities[int(found[1])]
        return getattr(self.study.inputs, setting.removeprefix("inputs."), None)

    def _few_places(self) -> Iterator[Words]:
        from bishan_gis.places.classes import load_classes
        from bishan_gis.places.facilities import find_facilities

        assert self.data is not None
        controls = self.data.population.controls
        if controls is None:
            return
        people = int(controls["people"].sum())
        own = self.study.raw(self.study.services.classes) if self.study.services.classes else None
        found = find_facilities(self.data.osm, load_classes(own), name="osm")
        least = float(_knowledge()["few_per_10000"])
        rate = len(found) / max(people, 1) * 10_000
        if rate < least:
            yield (
                f"只有 {len(found):,} 个设施 (每万人 {rate:.1f}, 少于 {least:g}): 地图可能不全",
                f"only {len(found):,} places ({rate:.1f} per 10,000 people, below {least:g}): thinly mapped",
            )

    def _directions(self, used: dict[str, Path], box: Box | None) -> dict[str, Any]:
        if "directions.layer" in used:
            return self._file("directions", "directions.layer", used["directions.layer"], box)
        settings = self.study.directions
        if not settings.zones:
            return self._row("directions", "directions", "absent")
        if settings.kind in ("assumed", "synthetic"):
            why = settings.note or "街镇名单为假设"
            return self._row(
                "directions", "directions", "doubtful", kind=settings.kind, **_words([(why, "assumed lists")])
            )
        return self._row("directions", "directions", "present", kind=settings.kind)

    def _manifest(self) -> dict[str, Any]:
        place = self.study.datasets
        name = place.name if place else ""
        if self.wrong_list:
            return self._row("datasets", "paths.datasets", "missing", file=name, **_words([self.wrong_list]))
        status = "present" if place or self.listed else "absent"
        return self._row("datasets", "paths.datasets", status, file=name)


def _words(reasons: list[Words]) -> dict[str, str]:
    return {"reason_zh": ";".join(r[0] for r in reasons), "reason_en": "; ".join(r[1] for r in reasons)}


def _shared(district: Box, other: Box) -> float:
    """Return the share of the district's extent that another extent covers; 1 where it lies inside in every way."""
    west, south = max(district[0], other[0]), max(district[1], other[1])
    east, north = min(district[2], other[2]), min(district[3], other[3])
    if east <= west or north <= south:
        inside = district[0] <= other[0] <= district[2] and district[1] <= other[1] <= district[3]
        return 1.0 if inside else 0.0
    whole = (district[2] - district[0]) * (district[3] - district[1])
    return (east - west) * (north - south) / whole if whole else 1.0


def _degrees(bounds: Box, crs: str) -> Box:
    from pyproj import Transformer

    west, south, east, north = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform_bounds(*bounds)
    return float(west), float(south), float(east), float(north)


def _raster_box(file: Path) -> tuple[Box | None, str]:
    import warnings

    check_raster_file(file, where=file.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what rasterio has to say it says again in the run
        with open_raster(file) as raster:
            if raster.crs is None or raster.transform.is_identity:
                return None, ""
            return tuple(raster.bounds), raster.crs.to_wkt()


def _layer_box(file: Path, spec: Any) -> tuple[Box | None, str]:
    import warnings

    import pyogrio

    check_vector_file(file, where=file.name)
    with warnings.catch_warnings(), no_network():
        warnings.simplefilter("ignore")
        info = pyogrio.read_info(file, layer=getattr(spec, "layer", None), force_total_bounds=True)
    bounds = info.get("total_bounds")
    crs = getattr(spec, "crs", None) or info.get("crs") or ""
    return (None if bounds is None else tuple(float(b) for b in bounds)), crs  # type: ignore[return-value]
