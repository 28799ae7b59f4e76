"""What an office adds to its report: a Word template and a logo."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.errors import BrokenFileError, MissingFileError

if TYPE_CHECKING:
    from bishan_gis.study import Study

__all__ = ["ReportFiles", "load_report_files"]


@dataclass(frozen=True)
class ReportFiles:
    """Files of the section ``[report]``.

    Attributes
    ----------
    template : bytes or None
        Word template (.docx); None: the package's.
    logo : bytes or None
        PNG or JPEG.
    """

    template: bytes | None = None
    logo: bytes | None = None


def load_report_files(study: Study) -> ReportFiles:
    """Read the template and logo that a study names, relative to its raw data.

    Parameters
    ----------
    study : Study
        The settings.

    Returns
    -------
    ReportFiles
        What is named; nothing is filled in.

    Raises
    ------
    MissingFileError
        A file is not there.
    BrokenFileError
        The template is no Word document, or the logo neither PNG nor JPEG.
    """
    wanted = study.report
    template = _read(study.raw(wanted.template), "report.template") if wanted.template else None
    if template is not None and not _is_docx(template):
        where = study.raw(str(wanted.template))
        raise BrokenFileError(
            f"report.template: {where} 不是 Word 文档 (.docx);请另存为 .docx",
            f"report.template: {where} is no Word document (.docx); save it as one",
        )
    logo = _read(study.raw(wanted.logo), "report.logo") if wanted.logo else None
    if logo is not None and not _is_picture(logo):
        where = study.raw(str(wanted.logo))
        raise BrokenFileError(
            f"report.logo: {where} 不是完好的 PNG 或 JPEG 图片", f"report.logo: {where} is no intact PNG or JPEG"
        )
    return ReportFiles(template, logo)


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise MissingFileError(
            f"{setting}: 无法读取 {path}: {err.strerror or err};请检查路径, 或删去此项",
            f"{setting}: cannot read {path}: {err.strerror or err}; check the path, or leave it out",
        ) from err


def _is_docx(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return "word/document.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def _is_picture(data: bytes) -> bool:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(data)) as picture:
            kind = picture.format
            picture.load()
    except (UnidentifiedImageError, OSError, ValueError):
        return False
    return kind in ("PNG", "JPEG")
