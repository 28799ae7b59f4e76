"""``bishan-gis fetch``: what a study lacks, fetched, cut to the study and entered in ``datasets.toml``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache as once
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bishan_gis import __version__
from bishan_gis.crs import WGS84, load_crs
from bishan_gis.errors import OutputError, StudyError
from bishan_gis.sources.fetch.answers import answer_of
from bishan_gis.sources.fetch.clip import Clipped, clip_osm
from bishan_gis.sources.fetch.elevation import elevation_tiles, fetch_elevation
from bishan_gis.sources.fetch.extract import extract_reach, fetch_extract
from bishan_gis.sources.fetch.http import ask_size
from bishan_gis.sources.fetch.overpass import fetch_tiles, merge_tiles, old_answers, plan_tiles
from bishan_gis.sources.fetch.population import fetch_population
from bishan_gis.sources.fetch.store import FetchedSet
from bishan_gis.sources.fetch.web import Web
from bishan_gis.study_choices import extent_file

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from bishan_gis.study import Study

__all__ = ["DOORS", "fetch_study", "study_area", "study_web"]

#: What can be fetched -> the input it is for.
DOORS = {"osm": "inputs.osm", "elevation": "inputs.elevation", "population": "inputs.population"}

Progress = Callable[[str, int, int], None]


def fetch_study(
    study: Study,
    *,
    only: Sequence[str] = (),
    source: str | None = None,
    offline: bool = False,
    dry_run: bool = False,
    web: Web | None = None,
    today: date | None = None,
    progress: Progress | None = None,
    lang: str = "",
) -> dict[str, Any]:
    """Fetch open data for a study: streets, heights, people.

    Parameters
    ----------
    study : Study
        Its district says where, its ``[fetch]`` from which servers. Its layers of the district must be there.
    only : sequence of str
        Names of :data:`DOORS`; left out: those whose fetched file the study names, or streets and heights where it
        names none.
    source : str, optional
        ``overpass`` or ``pbf``; default as ``[fetch]`` says.
    offline : bool
        Use what was kept, open no connection.
    dry_run : bool
        Only say what would be fetched, from where, and how big it is; unless offline, servers are asked for sizes.
    web : Web, optional
        How to ask; default :func:`study_web`.
    today : datetime.date, optional
        Date of what comes now.
    progress : callable, optional
        Called with the step, what is done and what there is in all.
    lang : str
        Language of the notes, ``zh`` or ``en``; default the study's.

    Returns
    -------
    dict
        ``study, folder, datasets, items, notes``. An item has ``what, file, url, requests, bytes, date, kind, licence,
        named``: whether the study names the file among its inputs. Sizes that nobody tells are None.

    Raises
    ------
    StudyError
        A name is unknown, or no address is set.
    NetworkError
        A server does not give what was asked for; what came so far is kept, and the next call goes on from there.
    BrokenFileError, NoDataError
        What came cannot be read, or does not hold the study.
    OutputError
        It cannot be written.
    """
    wanted = _wanted(study, only)
    settings = study.fetch
    door = source or settings.source
    if door not in ("overpass", "pbf"):
        raise StudyError(f"source = {door}: 应为 overpass 或 pbf", f"source = {door}: must be overpass or pbf")
    if "osm" in wanted and door == "pbf" and not settings.pbf:
        raise StudyError(
            f"{study.file.name}: --source pbf 需要 [fetch] pbf = 该省 .osm.pbf 的地址",
            f"{study.file.name}: --source pbf needs [fetch] pbf = the address of a province's .osm.pbf",
        )
    run = _Run(
        study, study_area(study), door, web or study_web(study, offline=offline), today or date.today(), progress
    )
    folder = study.fetched
    out: dict[str, Any] = {"study": study.id, "folder": str(folder), "datasets": str(folder / "datasets.toml")}
    if dry_run:
        out |= {"items": [run.plan(what) for what in wanted], "notes": []}
        return out
    with _storing(folder):
        if not run.web.offline:
            (folder / "cache").mkdir(parents=True, exist_ok=True)
        items = [getattr(run, what)() for what in wanted]
        if not run.web.offline:
            for file in old_answers(folder / "cache", run.today, settings.cache_days):
                file.unlink(missing_ok=True)
    notes = [*run.notes, *(_unnamed(study, item) for item in items if not item["named"])]
    return out | {"items": items, "notes": [n[0] if (lang or study.lang) == "zh" else n[1] for n in notes]}


def study_web(study: Study, *, offline: bool = False) -> Web:
    """Return how a study asks servers: its limits, and a name that says who asks."""
    settings = study.fetch
    contact = "".join(c for c in settings.contact if c.isascii() and c.isprintable())
    agent = f"bishan-gis/{__version__}" + (f" ({contact})" if contact else "")
    return Web(
        agent=agent,
        offline=offline,
        hosts=frozenset(settings.hosts),
        tries=settings.tries,
        timeout_s=settings.timeout_s,
        max_bytes=int(settings.max_mb * 1_000_000),
    )


def study_area(study: Study) -> BaseGeometry:
    """Return what is fetched for a study: its district with the buffer of ``[fetch]`` [degrees, WGS84]."""
    import geopandas as gpd

    from bishan_gis.sources.layers import load_layer

    spec = study.inputs.district
    district = load_layer(
        study.raw(spec.path),
        layer=spec.layer,
        encoding=spec.encoding,
        crs=spec.crs,
        columns=spec.columns,
        where=f"inputs.district ({Path(spec.path).name})",
    )
    crs = load_crs(study.crs, where=f"{study.file.name}: crs")
    ground = gpd.GeoSeries([district.to_crs(crs).union_all().buffer(study.fetch.buffer_m)], crs=crs)
    area: BaseGeometry = ground.to_crs(WGS84).iloc[0]
    return area


@once
def _sources() -> dict[str, dict[str, str]]:
    text = files("bishan_gis").joinpath("data/fetch_sources.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _file(study: Study, what: str) -> Path:
    return study.fetched / _sources()[what]["file"]


def _named(study: Study, what: str) -> bool:
    """Return whether the study names the file that a door writes."""
    setting = DOORS[what]
    known = study.alternatives.get(setting) or [p for s, p in study.input_files() if s == setting]
    return _file(study, what) in known


def _wanted(study: Study, only: Sequence[str]) -> list[str]:
    unknown = [name for name in only if name not in DOORS]
    if unknown:
        shown = ", ".join(DOORS)
        raise StudyError(f"--only {unknown[0]}: 应为 {shown} 之一", f"--only {unknown[0]}: must be one of {shown}")
    if only:
        return [what for what in DOORS if what in only]
    return [what for what in DOORS if _named(study, what)] or ["osm", "elevation"]


def _unnamed(study: Study, item: dict[str, Any]) -> tuple[str, str]:
    name = f"{study.fetch.folder}/{Path(item['file']).name}"
    setting = DOORS[item["what"]]
    return (
        f"{study.file.name} 还没有使用 {name};请在 {setting} 中把它写在首位",
        f"{study.file.name} does not use {name} yet; name it first under {setting}",
    )


def _entry(what: str, url: str, when: str) -> dict[str, str | int]:
    known = {k: v for k, v in _sources()[what].items() if k != "file"}
    entry: dict[str, str | int] = {**known, "date": when}
    return {**entry, "url": url} if url else entry


@dataclass
class _Run:
    """One call of `fetch_study`."""

    study: Study
    area: BaseGeometry
    door: str
    web: Web
    today: date
    progress: Progress | None
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return self.study.fetched / "cache"

    def report(self, step: str) -> Callable[[int, int], None] | None:
        progress = self.progress
        return (lambda done, total: progress(step, done, total)) if progress else None

    def plan(self, what: str) -> dict[str, Any]:
        """Say what would be fetched."""
        settings = self.study.fetch
        urls = {
            "osm": [settings.pbf if self.door == "pbf" else f"{settings.overpass.rstrip('/')}/interpreter"],
            "elevation": elevation_tiles(self.area, settings.elevation),
            "population": [settings.population],
        }[what]
        by_tiles = what == "osm" and self.door == "overpass"
        sizes = [None if by_tiles or self.web.offline else ask_size(self.web, url) for url in urls]
        size = None if None in sizes else sum(s for s in sizes if s is not None)
        requests = len(plan_tiles(self.area, tile_deg=settings.tile_deg)) if by_tiles else len(urls)
        return self._item(what, urls, requests, size, "")

    def osm(self) -> dict[str, Any]:
        """Fetch streets, buildings and facilities."""
        settings, target = self.study.fetch, _file(self.study, "osm")
        merged = None
        reach = None
        if self.door == "pbf":
            url, requests = settings.pbf, 1
            step = self.report("街道 streets")
            days = settings.cache_days
            source = fetch_extract(self.web, url, self.cache, today=self.today, keep_days=days, progress=step)
            stamps: list[str] = []
            answers = [source]
            with answer_of(self.web, url, answers):
                reach = extract_reach(self.web, url, source)
        else:
            url = settings.overpass.rstrip("/")
            tiles = fetch_tiles(
                self.web,
                url,
                plan_tiles(self.area, tile_deg=settings.tile_deg),
                self.cache,
                today=self.today,
                keep_days=settings.cache_days,
                pause_s=settings.pause_s,
                progress=self.report("街道 streets"),
            )
            requests, stamps = len(tiles.files), tiles.stamps
            answers, source = tiles.files, self.cache / "merged.osm.pbf"
            merged = source
        with FetchedSet(target.parent) as new:
            try:
                with answer_of(self.web, url, answers):
                    if merged is not None:
                        merge_tiles(answers, merged, stamp=min(stamps, default=""))
                    cut = clip_osm(source, new.path(target.name), self.area)
            finally:
                if merged is not None:
                    merged.unlink(missing_ok=True)
            when = (cut.stamp or min(stamps, default=""))[:10] or self.today.isoformat()
            new.enter(target.name, _entry("osm", url, when))
            self._extent(new, reach, extent_file(target).name)
            new.commit()
        self._judge(cut, stamps)
        return self._item("osm", [url], requests, target.stat().st_size, when)

    def elevation(self) -> dict[str, Any]:
        """Fetch heights."""
        target, template = _file(self.study, "elevation"), self.study.fetch.elevation
        step = self.report("高程 elevation")
        when = _sources()["elevation"]["date"]
        with FetchedSet(target.parent) as new:
            ready = new.path(target.name)
            urls = fetch_elevation(self.web, template, self.area, ready, self.cache, progress=step)
            new.enter(target.name, _entry("elevation", template, when))
            new.commit()
        return self._item("elevation", urls, len(urls), target.stat().st_size, when)

    def population(self) -> dict[str, Any]:
        """Fetch people."""
        settings, target = self.study.fetch, _file(self.study, "population")
        step = self.report("人口 population")
        with FetchedSet(target.parent) as new:
            ready = new.path(target.name)
            fetch_population(self.web, settings.population, self.area, ready, self.cache, progress=step)
            new.enter(target.name, _entry("population", settings.population, settings.population_date))
            new.commit()
        url, size = settings.population, target.stat().st_size
        return self._item("population", [url], 1, size, settings.population_date)

    def _extent(self, new: FetchedSet, reach: BaseGeometry | None, name: str) -> None:
        """Write how far the streets reach: what was asked for, as far as the source holds it."""
        from shapely.geometry import mapping

        ground = self.area if reach is None else self.area.intersection(reach)
        lost = 1 - ground.area / self.area.area
        if lost > 1e-6:
            self.notes.append(
                (
                    f"街道数据不覆盖研究区及缓冲区的 {lost:.1%};其边缘的结果记为无法判断",
                    f"the streets do not cover {lost:.1%} of the study and its buffer; answers there are unknown",
                )
            )
        feature = {"type": "Feature", "properties": {"kind": "derived"}, "geometry": mapping(ground)}
        text = json.dumps({"type": "FeatureCollection", "features": [feature]})
        new.path(name).write_text(text, encoding="utf-8")
        new.enter(name, _entry("extent", "", self.today.isoformat()))

    def _judge(self, cut: Clipped, stamps: list[str]) -> None:
        """Say what a reader should know of the streets that came."""
        if cut.relations_left_out:
            n = cut.relations_left_out
            self.notes.append(
                (
                    f"{n} 个关系的成员不全,未保留 (如边界)",
                    f"{n} relations with members elsewhere were left out",
                )
            )
        if stamps and min(stamps)[:10] != max(stamps)[:10]:
            self.notes.append(
                (
                    f"各格网的资料时间不同: {min(stamps)} 至 {max(stamps)}",
                    f"the tiles are of different times: {min(stamps)} to {max(stamps)}",
                )
            )

    def _item(self, what: str, urls: list[str], requests: int, size: int | None, when: str) -> dict[str, Any]:
        known = _sources()[what]
        return {
            "what": what,
            "file": str(_file(self.study, what)),
            "url": urls,
            "requests": requests,
            "bytes": size,
            "date": when,
            "kind": known["kind"],
            "licence": known["licence"],
            "named": _named(self.study, what),
        }


@contextmanager
def _storing(folder: Path) -> Iterator[None]:
    """Turn a full disk or a closed folder into an error of ours."""
    from bishan_gis.errors import BishanGisError

    try:
        yield
    except BishanGisError:
        raise
    except OSError as err:
        raise OutputError(
            f"无法写入 {folder}: {err.strerror or err};请检查磁盘空间和权限",
            f"cannot write to {folder}: {err.strerror or err}; check free space and permissions",
        ) from err
