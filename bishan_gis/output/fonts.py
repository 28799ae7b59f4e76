"""The font of pictures, drawings and reports: Noto Sans SC from an installed package, never one of the system."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bishan_gis.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties
    from matplotlib.ft2font import FT2Font

__all__ = ["FONT_FAMILY", "GETA", "drawable_text", "font_characters", "font_file", "font_properties", "text_width_pt"]

#: Name of the family inside the file.
FONT_FAMILY = "Noto Sans SC"
#: Stands for a character that the font does not have, as printers do: never an empty box.
GETA = "〓"
_STEP_PT = 100.0


def font_file() -> Path:
    """Return where the font lies.

    Returns
    -------
    pathlib.Path
        An OpenType file under the SIL Open Font License 1.1, of the package ``pylopdf-fonts-zh-cn``.

    Raises
    ------
    OutputError
        The package is not installed.
    """
    try:
        from pylopdf_fonts_zh_cn import sans_path
    except ImportError as err:
        zh = "缺少中文字体包 pylopdf-fonts-zh-cn;请安装: pip install pylopdf-fonts-zh-cn"
        en = "the font package pylopdf-fonts-zh-cn is missing; install it: pip install pylopdf-fonts-zh-cn"
        raise OutputError(zh, en) from err
    return Path(sans_path())


@cache
def font_characters() -> frozenset[int]:
    """Return the code points that the font can draw."""
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font_file())).get_charmap())


def drawable_text(text: str) -> str:
    """Return a text on one line, with a mark in place of each character that the font does not have.

    Parameters
    ----------
    text : str
        Any text, such as a name somebody typed.

    Examples
    --------
    >>> drawable_text("重庆 é 🚲")
    '重庆 é 〓'
    """
    known = font_characters()
    return "".join(c if ord(c) in known else GETA for c in re.sub(r"[\t\r\n\f\v]+", " ", text))


@cache
def font_properties() -> FontProperties:
    """Return the font as matplotlib wants it; the size is given with the text."""
    from matplotlib.font_manager import FontProperties, fontManager

    fontManager.addfont(str(font_file()))
    return FontProperties(fname=str(font_file()))


@cache
def text_width_pt(text: str, size_pt: float) -> float:
    """Return how wide a text is drawn [pt].

    Parameters
    ----------
    text : str
        One line.
    size_pt : float
        Size of the font [pt].

    Examples
    --------
    >>> round(text_width_pt("重庆", 10))
    20
    """
    font = _ruler()
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0]) / 64 * size_pt / _STEP_PT


@cache
def _ruler() -> FT2Font:
    from matplotlib.ft2font import FT2Font

    font = FT2Font(str(font_file()))
    font.set_size(_STEP_PT, 72)
    return font
