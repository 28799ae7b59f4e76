"""``datasets.toml``: where each raw file comes from, and whether it is still that file."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tomllib
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bishan_gis.errors import DatasetError, MissingFileError
from bishan_gis.schema import KIND_ZH, KINDS, nearest_name

if TYPE_CHECKING:
    from bishan_gis.study import Study

__all__ = [
    "Dataset",
    "check_datasets",
    "file_problem",
    "file_sha256",
    "load_datasets",
    "mixed_inputs",
    "read_date",
    "study_datasets",
]

_REQUIRED = ("path", "title", "source", "licence", "kind", "sha256")
_SHAPEFILE_PARTS = (".dbf", ".shx", ".prj", ".cpg")


@dataclass(frozen=True)
class Dataset:
    """One raw file: what it is, whose it is, what it rests on, and the bytes it must have."""

    path: str
    title: str
    source: str
    licence: str
    kind: str
    sha256: str
    title_en: str = ""
    url: str = ""
    date: str = ""
    datum: str = ""
    bytes: int = -1
    note: str = ""
    source_zh: str = ""
    licence_zh: str = ""
    note_zh: str = ""
    file: Path = field(default=Path(), compare=False)

    def label(self, lang: str = "zh") -> str:
        """Return the title in one language."""
        return (self.title_en or self.title) if lang == "en" else self.title

    def said(self, what: Literal["source", "licence", "note"], lang: str = "zh") -> str:
        """Return source, licence or note in one language; as it stands where it has no Chinese form."""
        text: str = getattr(self, what)
        return (str(getattr(self, f"{what}_zh")) or text) if lang == "zh" else text


def load_datasets(path: str | Path) -> dict[Path, Dataset]:
    """Read the manifest of the raw files.

    Parameters
    ----------
    path : str or pathlib.Path
        ``datasets.toml`` with one ``[[dataset]]`` table per file; paths are relative to its folder.

    Returns
    -------
    dict
        Resolved path of each file -> its `Dataset`. Nothing but the manifest is read.

    Raises
    ------
    MissingFileError
        The manifest is not there.
    DatasetError
        It is not TOML, or entries are wrong; all are named at once.
    """
    manifest = Path(path)
    try:
        data = tomllib.loads(manifest.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise MissingFileError(f"找不到数据清单 {manifest}", f"no dataset list at {manifest}") from err
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise DatasetError(
            f"{manifest}: 不是有效的 UTF-8 TOML: {err}", f"{manifest}: not valid UTF-8 TOML: {err}"
        ) from err
    entries = data.get("dataset", [])
    problems: list[tuple[str, str]] = []
    out: dict[Path, Dataset] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else [], start=1):
        problems += [(f"第 {number} 项: {zh}", f"entry {number}: {en}") for zh, en in _entry_problems(entry)]
        if problems:
            continue
        file = (manifest.parent / str(entry["path"])).resolve()
        if file in out:
            problems.append((f"{entry['path']} 列了两次", f"{entry['path']} is listed twice"))
        text: dict[str, Any] = {k: v if k == "bytes" else str(v) for k, v in entry.items()}
        out[file] = Dataset(**text, file=file)
    _raise(manifest, problems)
    return out


def study_datasets(study: Study) -> dict[Path, Dataset]:
    """Read the manifest of a study, and the one that ``bishan-gis fetch`` keeps beside what it fetched.

    Parameters
    ----------
    study : Study
        The settings.

    Returns
    -------
    dict
        As `load_datasets`. A file that both list is as the study's own manifest says.

    Raises
    ------
    MissingFileError, DatasetError
        A manifest is not there or wrong.
    OutputError
        A killed ``fetch`` left a set half moved, and it cannot be completed here.
    """
    from bishan_gis.sources.journal import recover_unfinished

    recover_unfinished(study.fetched)
    fetched = study.fetched / "datasets.toml"
    out = load_datasets(fetched) if fetched.exists() and fetched != study.datasets else {}
    return out | (load_datasets(study.datasets) if study.datasets else {})


def read_date(text: str) -> dt.date | None:
    """Return the last day that a date of the manifest may mean, or None where it names no year.

    Examples
    --------
    >>> str(read_date("2011-2015")), str(read_date("2024-02")), read_date("")
    ('2015-12-31', '2024-02-29', None)
    """
    found = re.findall(r"(?<!\d)((?:19|20)\d\d)(?:-(0[1-9]|1[0-2])(?!\d)(?:-(0[1-9]|[12]\d|3[01])(?!\d))?)?", text)
    if not found:
        return None
    year, month, day = found[-1]
    last = monthrange(int(year), int(month or 12))[1]
    return dt.date(int(year), int(month or 12), min(int(day or last), last))


def mixed_inputs(
    known: Mapping[Path, Dataset],
    kinds: Mapping[str, str],
    files: Mapping[str, Path],
    *,
    dates: Mapping[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Say where the inputs of a run are of different years, or rest on different ground.

    Parameters
    ----------
    known : mapping
        File -> what is known of it.
    kinds : mapping
        Setting -> kind.
    files : mapping
        Setting -> file.
    dates : mapping, optional
        Setting -> date, where the manifest has none.

    Returns
    -------
    list of (zh, en)
        A line on years, a line on kinds, or nothing.
    """
    years: dict[int, list[str]] = {}
    rests: dict[str, list[str]] = {}
    for setting, file in files.items():
        item = known.get(file)
        when = read_date((item.date if item else "") or (dates or {}).get(setting, ""))
        if when:
            years.setdefault(when.year, []).append(file.name)
        rests.setdefault(kinds.get(setting, item.kind if item else ""), []).append(file.name)
    rests.pop("", None)
    out = []
    for zh, en, groups in (
        ("输入资料的年份不一", "the inputs are of different years", {str(y): years[y] for y in sorted(years)}),
        ("输入资料的性质不一", "the inputs rest on different ground", {k: rests[k] for k in KINDS if k in rests}),
    ):
        if len(groups) > 1:
            lists = {key: list(dict.fromkeys(names)) for key, names in groups.items()}
            said = "；".join(f"{KIND_ZH.get(key, key)}（{'、'.join(names)}）" for key, names in lists.items())
            parts = [f"{key} ({', '.join(names)})" for key, names in lists.items()]
            out.append((f"{zh}：{said}", f"{en}: {'; '.join(parts)}"))
    return out


def _entry_problems(entry: Any) -> list[tuple[str, str]]:
    if not isinstance(entry, dict):
        return [("应写成 [[dataset]] 一节", "must be a section [[dataset]]")]
    known = [f.name for f in fields(Dataset) if f.name != "file"]
    out = [(f"缺少 {k}", f"{k} is missing") for k in _REQUIRED if k not in entry]
    for key in entry:
        if key not in known:
            near = nearest_name(key, known)
            out.append(
                (
                    f"未知的键 {key}" + (f";是否指 {near}?" if near else ""),
                    f"unknown key {key}" + (f"; did you mean {near}?" if near else ""),
                )
            )
    if entry.get("kind", KINDS[0]) not in KINDS:
        out.append(
            (
                f"kind = {entry['kind']} 应为 {'、'.join(KINDS)} 之一",
                f"kind = {entry['kind']} is not one of {', '.join(KINDS)}",
            )
        )
    if not isinstance(entry.get("bytes", 0), int):
        out.append(("bytes 应为整数", "bytes must be an integer"))
    return out


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents in a folder such as a .gdb."""
    digest = hashlib.sha256()
    if path.is_dir():
        for part in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(part.relative_to(path).as_posix().encode() + b"\0" + file_sha256(part).encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_datasets(
    datasets: Mapping[Path, Dataset], files: Iterable[Path] | None = None
) -> tuple[dict[Path, Dataset], list[tuple[str, str]]]:
    """Compare files with what the manifest says of them.

    Parameters
    ----------
    datasets : mapping
        From `load_datasets`.
    files : iterable of pathlib.Path, optional
        The files a study uses; default every file of the manifest. The parts of a Shapefile
        (.dbf, .shx, .prj, .cpg) that are listed are checked with it.

    Returns
    -------
    dict, list of (zh, en)
        The `Dataset` of each file that is listed, under the path given; a warning for each that is not.

    Raises
    ------
    DatasetError
        Files are missing or changed; all are named at once.
    """
    used = list(dict.fromkeys(datasets if files is None else files))
    out: dict[Path, Dataset] = {}
    problems: list[tuple[str, str]] = []
    notes: list[tuple[str, str]] = []
    for file in used:
        found = datasets.get(file.resolve())
        if found is None:
            if file.exists():
                notes.append(
                    (
                        f"{file.name} 未列入数据清单,来源与许可不明",
                        f"{file.name} is not in the dataset list: source and licence unknown",
                    )
                )
            else:
                problems.append((f"{file} 不存在", f"{file} is not there"))
            continue
        out[file] = found
        parts = [found]
        if file.suffix.lower() == ".shp":
            sides = (file.resolve().with_suffix(s) for s in _SHAPEFILE_PARTS)
            parts += [datasets[s] for s in sides if s in datasets]
        for part in parts:
            problem = file_problem(part)
            if problem:
                problems.append(problem)
    _raise(None, problems)
    return out, notes


def file_problem(item: Dataset) -> tuple[str, str] | None:
    """Say why a file is not the one that the manifest describes, or return None."""
    if not item.file.exists():
        return f"{item.path} 不存在", f"{item.path} is not there"
    if item.file.is_file() and item.bytes >= 0 and item.file.stat().st_size != item.bytes:
        size = item.file.stat().st_size
        return (
            f"{item.path} 已改变 ({size:,} 字节,清单为 {item.bytes:,})",
            f"{item.path} has changed ({size:,} bytes, {item.bytes:,} listed)",
        )
    actual = file_sha256(item.file)
    if actual != item.sha256.lower():
        return (
            f"{item.path} 已改变 (sha256 {actual[:12]}…,清单为 {item.sha256[:12]}…)",
            f"{item.path} has changed (sha256 {actual[:12]}…, {item.sha256[:12]}… listed)",
        )
    return None


def _raise(manifest: Path | None, problems: list[tuple[str, str]]) -> None:
    if not problems:
        return
    head = f"{manifest}: " if manifest else ""
    tail_zh = "" if manifest else ";请恢复文件,或确认后更新 datasets.toml"
    tail_en = "" if manifest else "; restore them, or update datasets.toml once you know why"
    n = len(problems)
    raise DatasetError(
        f"{head}{n} 处数据问题: " + ";".join(p[0] for p in problems) + tail_zh,
        f"{head}{n} dataset problem{'s' if n > 1 else ''}: " + "; ".join(p[1] for p in problems) + tail_en,
    )
