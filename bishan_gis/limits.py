"""What a study will need, and whether this machine and the study's own limits allow it: said before the work begins.

The constants were fitted to runs on 2 cores (:data:`PER`): the toy town (91 nodes), Bishan (32,881 nodes, 1.9 million
grid points) and the reading of Helsinki once, 4 and 16 times (3,859 to 61,744 nodes). They give orders, not promises;
a study is refused only where the estimate exceeds what there is.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.errors import BishanGisError, InputError, OutputError

if TYPE_CHECKING:
    from bishan_gis.study import Study

__all__ = ["PER", "Estimate", "available_memory_mb", "check_limits", "estimate"]

#: Part -> (memory [MB], time [s]) per unit: a run as such, a megabyte of ``.osm.pbf``, a million pairs of cell and
#: service, a million points of the grid, a megabyte of further inputs.
PER: dict[str, tuple[float, float]] = {
    "base": (395.0, 6.5),
    "streets": (25.0, 0.6),
    "pairs": (113.0, 7.0),
    "grid": (163.0, 5.0),
    "inputs": (8.0, 0.2),
}
#: A megabyte of each as megabytes of pbf.
_AS_PBF = {".osm": 0.08, ".gz": 0.6, ".bz2": 0.9}
_SERVICES = 40
#: Part of the available memory that may be used, and what the outputs need [MB] at least.
_SHARE = 0.9
_DISK_MB = 64.0
#: What to change, by the part that is largest.
_ADVICE = {
    "base": ("请关闭其他程序", "close other programs"),
    "streets": ("请把 OSM 文件裁剪到研究区 (bishan-gis fetch)", "clip the OSM file to the study (bishan-gis fetch)"),
    "pairs": ("请增大 cells.size_m, 或减少 services.include", "enlarge cells.size_m or name fewer services.include"),
    "grid": ("请增大 reach.grid_m", "enlarge reach.grid_m"),
    "inputs": ("请把图层裁剪到研究区", "clip the layers to the study"),
}


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to need.

    Attributes
    ----------
    memory_mb : float
        Peak memory [MB].
    seconds : float
        Time on 2 cores [s].
    parts : dict
        Part (:data:`PER`) -> (memory [MB], time [s]).
    """

    memory_mb: float
    seconds: float
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def largest(self) -> str:
        """The part that needs most memory."""
        return max(self.parts, key=lambda p: self.parts[p][0])


def estimate(study: Study) -> Estimate:
    """Estimate what a run of a study needs; nothing but the outline of the district is read.

    Parameters
    ----------
    study : Study
        The settings.

    Returns
    -------
    Estimate
        Memory and time.

    Raises
    ------
    BishanGisError
        The outline of the district cannot be read.
    """
    size = {setting: _size_mb(path) for setting, path in study.input_files()}
    streets = study.raw(study.inputs.osm)
    area_m2 = _area_m2(study)
    cell_m2 = study.cells.size_m**2 if study.cells.type == "square" else 5.16e6 / 7.0 ** (study.cells.resolution - 7)
    services = len(study.services.include) or _SERVICES
    units = {
        "base": 1.0,
        "streets": size.pop("inputs.osm", 0.0) * _AS_PBF.get(streets.suffix.lower(), 1.0),
        "pairs": area_m2 / cell_m2 * services / 1e6,
        "grid": area_m2 / study.reach.grid_m**2 / 1e6,
        "inputs": sum(size.values()),
    }
    parts = {p: (PER[p][0] * n, PER[p][1] * n) for p, n in units.items()}
    return Estimate(sum(m for m, _ in parts.values()), sum(s for _, s in parts.values()), parts)


def check_limits(study: Study, *, write: bool = True) -> Estimate | None:
    """Raise before the work where a study cannot fit.

    Parameters
    ----------
    study : Study
        The settings; ``[limits]`` holds its own limits.
    write : bool
        Also check that the outputs have a place.

    Returns
    -------
    Estimate or None
        What the run needs; None where the outline of the district cannot be read, which the run itself says better.

    Raises
    ------
    InputError
        A file is larger than ``limits.file_mb``, or the run needs more memory than there is.
    OutputError
        A folder for outputs cannot be written, or its disk is full.
    """
    for setting, path in study.input_files():
        found = _size_mb(path)
        if found > study.limits.file_mb:
            raise InputError(
                f"{setting} = {path.name}: {found:,.0f} MB,超过上限 limits.file_mb = {study.limits.file_mb:g};"
                "请裁剪到研究区,或在 study.toml 提高上限",
                f"{setting} = {path.name}: {found:,.0f} MB is above limits.file_mb = {study.limits.file_mb:g}; clip it "
                "to the study, or raise the limit in study.toml",
            )
    if write:
        for folder in (study.processed, study.maps):
            _check_place(folder)
    try:
        needed = estimate(study)
    except BishanGisError:
        return None
    allowed = study.limits.memory_mb
    limit = allowed if allowed is not None else available_memory_mb() * _SHARE
    if needed.memory_mb > limit:
        zh, en = _ADVICE[needed.largest]
        raise InputError(
            f"{study.file.name}: 预计需要内存 {needed.memory_mb:,.0f} MB,可用 {limit:,.0f} MB,未开始计算;{zh},"
            "或在内存更大的机器上运行 (limits.memory_mb 可另行指定)",
            f"{study.file.name}: the run would need about {needed.memory_mb:,.0f} MB of memory and {limit:,.0f} MB are "
            f"there; nothing was begun: {en}, or use a larger machine (limits.memory_mb sets another limit)",
        )
    return needed


def available_memory_mb() -> float:
    """Return the memory that this process may still take [MB]: of the machine, its container, its own limit.

    Examples
    --------
    >>> available_memory_mb() > 0
    True
    """
    found = [_meminfo_mb(), *_cgroup_mb()]
    try:
        import resource
    except ImportError:  # Windows
        pass
    else:
        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            found.append(soft / 2**20)
    return min(f for f in found if f > 0)


def _meminfo_mb() -> float:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    facts = {line.partition(":")[0]: line.split()[1] for line in lines if len(line.split()) > 1}
    return float(facts.get("MemAvailable", "inf")) / 1024


def _cgroup_mb() -> list[float]:
    out = []
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            text = Path(limit).read_text(encoding="ascii").strip()
            if text.isdecimal():
                out.append((int(text) - int(Path(used).read_text(encoding="ascii"))) / 2**20)
        except (OSError, ValueError):
            continue
    return out


def _check_place(folder: Path) -> None:
    """Raise unless a folder can be made and written, and its disk holds something more."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise OutputError(
            f"无法写入 {folder}: {there} 不是文件夹;请移走该文件或修改 [paths]",
            f"cannot write to {folder}: {there} is not a folder; move that file away or change [paths]",
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(
            f"无法写入 {folder}: 没有写入 {there} 的权限;请更改权限或修改 [paths]",
            f"cannot write to {folder}: no right to write to {there}; change its permissions or [paths]",
        )
    free = shutil.disk_usage(there).free / 2**20
    if free < _DISK_MB:
        raise OutputError(
            f"无法写入 {folder}: 磁盘只剩 {free:,.0f} MB,至少需要 {_DISK_MB:.0f} MB;请清理磁盘",
            f"cannot write to {folder}: {free:,.0f} MB are free and {_DISK_MB:.0f} MB are the least; free some space",
        )


def _size_mb(path: Path) -> float:
    try:
        if path.is_dir():
            return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) / 2**20
        return path.stat().st_size / 2**20
    except OSError:
        return 0.0


def _area_m2(study: Study) -> float:
    from bishan_gis.sources.layers import load_layer

    spec = study.inputs.district
    frame = load_layer(study.raw(spec.path), layer=spec.layer, encoding=spec.encoding, crs=spec.crs)
    # Equal-area: the working system of the study has not been checked yet.
    return float(frame.to_crs("EPSG:6933").area.sum())
