"""The input files of a study as stages know them: by content and by what is said of them; read when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bishan_gis.cache import Store
from bishan_gis.errors import InputError
from bishan_gis.stages.forms import TABLES

if TYPE_CHECKING:
    from bishan_gis.sources.inputs import StudyData
    from bishan_gis.study import Study

__all__ = ["StudyFiles"]


class StudyFiles:
    """The input files of a study, each with what stands for it in the keys of stages.

    Parameters
    ----------
    study : Study
        The settings.
    store : Store
        Where stages are kept.
    progress : callable, optional
        Called with the name of the step, what is done, and what there is in all.

    Raises
    ------
    MissingFileError
        Input files are not there; all are named at once.
    InputError
        The manifest is wrong, or a file is not the one that it lists.

    Notes
    -----
    Input files are known by their content, with the files that belong to them (``.dbf``, ``.aux.xml`` ...). A file that
    changes while it is read is an error.
    """

    def __init__(self, study: Study, store: Store, progress: Callable[[str, int, int], None] | None = None) -> None:
        self.study, self.store, self.progress = study, store, progress
        self.files = dict(study.input_files())
        if not all(path.exists() for path in self.files.values()):
            from bishan_gis.sources.inputs import load_inputs

            load_inputs(study)  # names what is missing
        self.hashes = {setting: _file_hash(path, store.file_digest) for setting, path in self.files.items()}
        listed = self.store.keep("datasets", self._manifests(), self._check_files, TABLES).value
        # What only siting and transit read is not what times on foot and people rest on.
        own = [s for s in self.files if not s.startswith(("siting.", "transit."))]
        self.kinds: dict[str, str] = {s: listed["kinds"].get(s, "observed") for s in own}
        self.datums: dict[str, str] = listed["datums"]
        for setting, spec in self._specs().items():
            self.kinds[setting] = getattr(spec, "kind", None) or self.kinds.get(setting, "observed")

    def _manifests(self) -> list[Any]:
        """Return what the check of the files against the manifests depends on."""
        study = self.study
        both = [study.datasets, study.fetched / "datasets.toml"]
        known = [[str(p), self.store.file_digest(p)] if p and p.exists() else None for p in both]
        return [known, study.datasets is None, [[s, str(p), self.hashes[s]] for s, p in sorted(self.files.items())]]

    def _check_files(self) -> dict[str, Any]:
        from bishan_gis.sources.datasets import check_datasets, study_datasets

        listed = study_datasets(self.study)
        checked = [f for f in self.files.values() if self.study.datasets or f.resolve() in listed]
        known = check_datasets(listed, checked)[0] if checked else {}
        self.check_still(self.files)
        one = {setting: known[p] for setting, p in self.files.items() if p in known}
        return {"kinds": {s: d.kind for s, d in one.items()}, "datums": {s: d.datum for s, d in one.items()}}

    def _specs(self) -> dict[str, Any]:
        inputs = self.study.inputs
        one = {f"inputs.{n}": getattr(inputs, n) for n in ("district", "townships", "osm", "osm_extent", "landuse")}
        one |= {f"inputs.{n}": getattr(inputs, n) for n in ("villages", "grids")}
        one |= {"inputs.control_lines": inputs.control_lines, "inputs.population": inputs.population}
        one |= {"directions.layer": self.study.directions.layer}
        one |= {f"inputs.facilities[{i}]": spec for i, spec in enumerate(inputs.facilities)}
        return {setting: spec for setting, spec in one.items() if spec is not None}

    def needs(self, *settings: str) -> list[Any]:
        """Return what stands for some inputs in a key: content, file name, settings, and what they rest on."""
        specs = self._specs()
        out: list[Any] = []
        for setting in settings:
            if setting in self.files:
                spec: Any = specs.get(setting)
                dump = spec.model_dump(mode="json") if hasattr(spec, "model_dump") else None
                beside = [self.hashes.get(f"{setting}.{part}") for part in ("services_csv", "types_csv")]
                out.append([setting, self.hashes[setting], self.files[setting].name, self.datums.get(setting)])
                out.append([dump, self.kinds.get(setting), beside])
        return [*out, self.study.crs]

    def check_still(self, settings: Iterable[str]) -> None:
        """Raise when a file has changed since it was hashed: what was read may be neither the old nor the new."""
        from bishan_gis.sources.datasets import file_sha256

        changed = [self.files[s].name for s in settings if _file_hash(self.files[s], file_sha256) != self.hashes[s]]
        if changed:
            shown = ", ".join(changed)
            raise InputError(
                f"读取期间 {len(changed)} 个输入文件被修改: {shown};请再运行一次",
                f"{len(changed)} input files changed while they were read: {shown}; run again",
            )

    def say(self, step: str, done: int) -> None:
        """Tell whoever waits which step is being made, or done."""
        if self.progress:
            self.progress(step, done, 1)

    @cached_property
    def data(self) -> StudyData:
        """All inputs but the facility layers, read; only stages that have to be made ask for it."""
        from bishan_gis.sources.inputs import load_inputs

        self.say("读取输入 read", 0)
        inputs = self.study.inputs.model_copy(update={"facilities": []})
        data = load_inputs(self.study.model_copy(update={"inputs": inputs}))
        self.check_still(s for s in self.files if not s.startswith("inputs.facilities["))
        self.say("读取输入 read", 1)
        return data

    def settings_hash(self, path: str | None) -> str | None:
        """Return what stands for a file of the settings in a key."""
        return _file_hash(self.study.raw(path), self.store.file_digest) if path else None

    @property
    def everything(self) -> list[Any]:
        """What stands for all inputs and settings in the key of what depends on all of them."""
        study = self.study
        own = [study.services.classes, study.standards.file, study.policy.catalogue]
        hashes = [self.settings_hash(path) for path in own]
        dump = study.model_dump(mode="json", exclude={"fetch", "report"})
        return [dump, sorted(self.hashes.items()), sorted(self.kinds.items()), sorted(self.datums.items()), hashes]


def _file_hash(path: Path, digest_of: Callable[[Path], str]) -> str:
    """Return what stands for a file in a key: its content and that of the files that belong to it."""
    digest = hashlib.sha256(digest_of(path).encode())
    beside = [p for p in path.parent.iterdir() if p != path and p.name.startswith((f"{path.stem}.", f"{path.name}-"))]
    for part in sorted(beside):
        digest.update(part.name.encode() + b"\0" + digest_of(part).encode())
    return digest.hexdigest()
