"""Small maps for the reprs of a notebook: one PNG inside the HTML, without scripts and without network.

A picture and not a drawing of paths: its size does not grow with the data, and pages that clean HTML keep it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["TIMES", "TIMES_MIN", "UNKNOWN", "beside", "legend", "small_map", "time_colors"]

#: Upper limits of the classes of walking time [min]; the last colour is beyond.
TIMES_MIN = (5, 10, 15, 30)
#: Cividis of matplotlib, light = little.
TIMES = ("#fee838", "#bcae6c", "#7d7c78", "#424e6b", "#00224e")
#: What the data cannot tell.
UNKNOWN = "#969696"

_INK = "#404040"
_GROUND = "#ffffff"
_FINE = 2  # drawn twice as large and made smaller, so that lines are smooth
_SEGMENTS = 4_000_000


def time_colors(seconds: NDArray[np.float64], unknown: NDArray[np.bool_] | None = None) -> list[str]:
    """Return the colour of each walking time.

    Parameters
    ----------
    seconds : ndarray of float64
        Walking times [s]; NaN: no path or beyond what was searched.
    unknown : ndarray of bool, optional
        Where the data cannot tell.

    Returns
    -------
    list of str
        One of :data:`TIMES` or :data:`UNKNOWN` each.

    Examples
    --------
    >>> time_colors(np.array([300.0, 301.0, np.nan]))
    ['#fee838', '#bcae6c', '#00224e']
    """
    limits = np.array(TIMES_MIN, dtype=float) * 60
    index = np.searchsorted(limits, np.nan_to_num(seconds, nan=np.inf), side="left")
    if unknown is not None:
        index = np.where(unknown, len(TIMES), index)
    colors = (*TIMES, UNKNOWN)
    return [colors[i] for i in index]


def small_map(
    *,
    areas: Sequence[tuple[Any, Sequence[str] | None]] = (),
    lines: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]] | None = None,
    dots: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    alt: str = "",
    width_px: int = 260,
    height_px: int = 340,
) -> str:
    """Draw a small map, north up.

    Parameters
    ----------
    areas : sequence of (geometries, colours or None)
        Polygons in order from below: filled one colour each, or outlined where there are no colours.
    lines : tuple of ndarray, optional
        ``x, y`` of all vertices and where each line begins, with the end of the last one: as
        :attr:`Network.vertex_start <bishan_gis.network.graph.Network.vertex_start>`.
    dots : tuple of ndarray, optional
        ``x, y`` of points.
    alt : str
        What the picture shows, for those who do not see it; escaped here.
    width_px, height_px : int
        Largest size of the picture; it keeps its proportions.

    Returns
    -------
    str
        An ``<img>`` with the picture inside; "" where there is nothing to draw. All coordinates are in one CRS [m].

    Notes
    -----
    More than four million pieces of lines are thinned evenly: the picture has fewer pixels than that.

    Examples
    --------
    >>> import shapely
    >>> small_map(areas=[([shapely.box(0, 0, 2, 1)], ["#fee838"])], alt="a < b")[:22]
    '<img alt="a &lt; b" wi'
    >>> small_map()
    ''
    """
    import base64
    from io import BytesIO

    import shapely
    from PIL import Image, ImageDraw

    shapes = [(np.asarray(geometries, dtype=object), colors) for geometries, colors in areas]
    boxes = [shapely.total_bounds(g) for g, _ in shapes if len(g)]
    for pair in (lines[:2] if lines else None, dots):
        if pair is not None and len(pair[0]):
            boxes.append(np.array([pair[0].min(), pair[1].min(), pair[0].max(), pair[1].max()]))
    boxes = [b for b in boxes if np.isfinite(b).all()]
    if not boxes:
        return ""
    low, high = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
    size = np.maximum(high - low, 1e-9)
    margin = 4.0 * _FINE
    room = np.array([width_px, height_px]) * _FINE - 2 * margin
    scale = float((room / size).min())
    pixels = tuple(int(v) for v in np.ceil(size * scale + 2 * margin))
    image = Image.new("RGB", (max(pixels[0], _FINE), max(pixels[1], _FINE)), _GROUND)
    draw = ImageDraw.Draw(image)

    def place(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([(x - low[0]) * scale + margin, (high[1] - y) * scale + margin])

    for geometries, colors in shapes:
        parts, owner = shapely.get_parts(geometries, return_index=True)
        polygons = shapely.get_type_id(parts) == 3
        parts, owner = parts[polygons], owner[polygons]
        at, ring = shapely.get_coordinates(shapely.get_exterior_ring(parts), return_index=True)
        corners = place(at[:, 0], at[:, 1])
        cuts = np.searchsorted(ring, np.arange(1, len(parts)))
        for k, piece in enumerate(np.split(corners, cuts) if len(parts) else []):
            if len(piece) < 3:  # an empty polygon
                continue
            flat = piece.ravel().tolist()
            if colors is None:
                draw.line(flat, fill=_INK, width=_FINE)
            else:
                draw.polygon(flat, fill=colors[int(owner[k])])
    if lines is not None:
        _ink_lines(image, place(lines[0], lines[1]), np.asarray(lines[2]))
    if dots is not None:
        for x, y in place(dots[0], dots[1]).tolist():
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill="#d55e00", outline=_GROUND)
    done = image.resize((image.width // _FINE, image.height // _FINE), Image.Resampling.BOX).quantize(48)
    held = BytesIO()
    done.save(held, format="PNG", optimize=True)
    code = base64.b64encode(held.getvalue()).decode("ascii")
    place_html = f'width="{done.width}" height="{done.height}"'
    return f'<img alt="{escape(alt)}" {place_html} src="data:image/png;base64,{code}">'


def _ink_lines(image: Image, at: NDArray[np.float64], start: NDArray[np.int64]) -> None:
    """Blacken the pixels that lines pass, all at once."""
    from PIL import Image as Images

    first = np.ones(len(at), dtype=bool)
    first[np.minimum(start[1:] - 1, len(at) - 1)] = False  # the last vertex of a line begins no piece
    (begin,) = np.nonzero(first[:-1]) if len(at) > 1 else (np.zeros(0, dtype=np.int64),)
    begin = begin[:: max(1, len(begin) // _SEGMENTS)]
    a, b = at[begin], at[begin + 1]
    steps = np.ceil(np.abs(b - a).max(axis=1, initial=0)).astype(np.int64) + 1
    piece = np.repeat(np.arange(len(begin)), steps)
    nth = np.arange(len(piece)) - np.repeat(np.cumsum(steps) - steps, steps)
    way = (nth / np.maximum(steps[piece] - 1, 1))[:, None]
    pixel = (a[piece] + (b[piece] - a[piece]) * way).astype(np.int64)
    mask = np.zeros((image.height, image.width), dtype=np.uint8)
    mask[np.clip(pixel[:, 1], 0, image.height - 1), np.clip(pixel[:, 0], 0, image.width - 1)] = 255
    image.paste(_INK, (0, 0), Images.fromarray(mask))


def legend(lang: str = "zh") -> str:
    """Return the legend of :func:`time_colors` as HTML.

    Parameters
    ----------
    lang : {"zh", "en"}
        Language of the words.

    Examples
    --------
    >>> "15–30 min" in legend("en")
    True
    """
    unit = " 分钟" if lang == "zh" else " min"
    limits = [0, *TIMES_MIN]
    words = [f"{a}–{b}{unit}" for a, b in pairwise(limits)]
    words += [f"> {limits[-1]}{unit}" + (" 或无路可达" if lang == "zh" else " or no path")]
    words += ["无法判断" if lang == "zh" else "unknown"]
    rows = zip((*TIMES, UNKNOWN), words, strict=True)
    square = '<span style="background:{0};border:1px solid #666">&emsp;</span> {1}'
    return "<br>".join(square.format(color, word) for color, word in rows)


def beside(picture: str, *parts: str) -> str:
    """Return HTML with a picture to the left of other HTML; all of it must be escaped already.

    Parameters
    ----------
    picture : str
        As :func:`small_map` returns it.
    *parts : str
        HTML, one below the other.
    """
    rest = "".join(f"<div>{p}</div>" for p in parts if p)
    if not picture:
        return rest
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start">'
        f'<div>{picture}</div><div style="max-height:420px;overflow:auto">{rest}</div></div>'
    )
