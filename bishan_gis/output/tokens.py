"""Design tokens: every colour and width that a page, a picture or a report uses, in one place.

Contrast was checked against white paper: 4.5:1 for text, 3:1 for graphics that carry meaning.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BASEMAP",
    "CHANGE",
    "COMPLETENESS",
    "CONTROL_LINES",
    "DIRECTIONS",
    "FAMILIES",
    "FONT",
    "GAP",
    "GROUPS",
    "INK",
    "MISSING",
    "NEAREST",
    "NEAREST_MIN",
    "REACH",
    "ROADS",
    "ROAD_CLASSES",
    "SITE",
    "SPACES",
    "UNKNOWN",
    "css_variables",
    "reach_colors",
    "tokens",
]

FONT = '"Noto Sans SC", "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif'

INK = {
    "ink": "#1a1a1a",
    "muted": "#595959",
    "rule": "#d5d5d0",
    "paper": "#ffffff",
    "panel": "#f7f7f5",
    "warn": "#8a5a00",
    "warn-paper": "#fff3d6",
    "focus": "#08519c",
}

#: Covered within the first, second, third cutoff.
REACH = ("#08519c", "#4292c6", "#9ecae1")
GAP = "#d94801"
UNKNOWN = "#969696"

#: Upper limits [min] of the classes of nearest time; the last class is beyond or unreachable.
NEAREST_MIN = (5, 10, 15, 20, 30, 60)
#: Cividis, light = little.
NEAREST = ("#fee838", "#d2c060", "#a59c74", "#7c7b78", "#565c6c", "#2c3f6c", "#00204d")

#: Cividis, light = little.
COMPLETENESS = ("#fee838", "#bcae6c", "#7d7c78", "#424e6b", "#00224e")
#: Services missing in a place: none, then from few to all of them.
MISSING = ("#9ecae1", "#fee6ce", "#fdae6b", "#f16913", "#c23b00", "#7f2704")
#: A proposed site, drawn with a white rim.
SITE = "#7a0177"
#: Gain, loss, and what does not change.
CHANGE = {"gain": "#2166ac", "sooner": "#92c5de", "same": "#e4e4e0", "later": "#fdb863", "loss": "#d94801"}

#: Directions without a colour of their own take these in order.
DIRECTIONS = ("#0072b2", "#d55e00", "#cc79a7", "#009e73", "#e69f00", "#56b4e9", "#8c6bb1", "#666666")

#: Families of services on the district map; their name stands beside the colour in the legend.
GROUPS = ("#1b6ca8", "#b5478b", "#c2570c", "#6a51a3", "#12806a", "#4d4d4d", "#7a5c1e")
#: Groups that share a colour, so that no map has more than seven.
FAMILIES = {"health": "care", "elderly": "care", "admin": "civic", "safety": "civic", "utility": "civic"}

BASEMAP = {"water": "#cfe3ee", "green": "#e6eedc", "district": "#4d4d4d", "township": "#8c8c88", "outside": "#ffffff"}

#: OSM ``highway`` -> class of line, widest first.
ROAD_CLASSES: dict[str, int] = {
    **dict.fromkeys(("motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link"), 0),
    **dict.fromkeys(("secondary", "secondary_link", "tertiary", "tertiary_link"), 1),
    **dict.fromkeys(("unclassified", "residential", "living_street", "service", "road"), 2),
}
#: Colour, widths at zoom 10, 14 and 18, and the zoom a class appears at; the last one is for paths.
ROADS: tuple[dict[str, Any], ...] = (
    {"color": "#c3c3be", "widths": [0.9, 2.6, 8], "zoom": 0},
    {"color": "#cfcfca", "widths": [0.7, 1.8, 6], "zoom": 0},
    {"color": "#d9d9d4", "widths": [0.35, 1.0, 4], "zoom": 11.5},
    {"color": "#d6cfc4", "widths": [0.3, 0.7, 2], "zoom": 13.5, "dash": [4, 2]},
)

#: Land for production, living, ecology, several of them, and none.
SPACES = {
    "production": "#e69f00",
    "living": "#b0307a",
    "ecology": "#009e73",
    "mixed": "#56b4e9",
    "none": "#b5b5b0",
}

#: Control lines by a word in their type; the name stands in the legend and on the map.
CONTROL_LINES: tuple[tuple[str, str, list[int]], ...] = (
    ("基本农田", "#7a6a00", [2, 3]),
    ("生态", "#00682f", [8, 3]),
    ("城镇开发", "#a50f15", [10, 3, 2, 3]),
    ("历史", "#6a3d9a", [5, 3]),
    ("", "#4d4d4d", [4, 3]),
)


def _mix(a: str, b: str, share: float) -> str:
    pairs = [(int(a[i : i + 2], 16), int(b[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(p + (q - p) * share):02x}" for p, q in pairs)


def reach_colors(n: int) -> list[str]:
    """Return colours for `n` cutoffs, dark = soon.

    Examples
    --------
    >>> reach_colors(3)
    ['#08519c', '#4292c6', '#9ecae1']
    """
    if n <= len(REACH):
        return list(REACH[:n])
    out = []
    for i in range(n):
        t = i / (n - 1) * (len(REACH) - 1)
        k = min(int(t), len(REACH) - 2)
        out.append(_mix(REACH[k], REACH[k + 1], t - k))
    return out


def css_variables() -> str:
    """Return the tokens that the style sheet uses, as custom properties."""
    values = INK | {"gap": GAP, "unknown": UNKNOWN, "reach": REACH[0], "font": FONT}
    return ":root{" + "".join(f"--{k}:{v};" for k, v in values.items()) + "}"


def tokens(n_cutoffs: int) -> dict[str, Any]:
    """Return the tokens that the scripts use."""
    return {
        "reach": reach_colors(n_cutoffs),
        "gap": GAP,
        "unknown": UNKNOWN,
        "nearest": list(NEAREST),
        "nearestMin": list(NEAREST_MIN),
        "groups": list(GROUPS),
        "missing": list(MISSING),
        "site": SITE,
        "change": dict(CHANGE),
        "ink": INK["ink"],
        "muted": INK["muted"],
        "font": FONT,
    }
