"""The sentence of a gap as it is read: its numbers written as everywhere on the pages and in the report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.words import tidy
from bishan_gis.planning.gap_words import gap_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_gap"]


def read_gap(area: Mapping[str, Any], lang: str = "zh") -> str:
    r"""Return the sentence of an area with round people and metres, and minutes rounded up.

    Parameters
    ----------
    area : mapping
        As of :func:`bishan_gis.planning.gap_words.gap_sentence`.
    lang : {"zh", "en"}
        Language; marks are those of the sentence, see :func:`bishan_gis.chinese.full_width`.

    Examples
    --------
    >>> area = {"place_zh": "青杠街道东部", "service_zh": "幼儿园", "service_en": "Kindergarten", "people": 21_234,
    ...     "level_min": 5.0, "reason": "distance", "state": "deficient", "nearest_min": 17.2, "straight_m": 1_196.0}
    >>> read_gap(area).replace("\u00a0", " ")
    '青杠街道东部: 21,200 人步行 5 分钟内没有幼儿园, 最近的幼儿园步行约 18 分钟, 直线距离 1,200 米, 需就近新增设施'
    """
    straight, nearest = (float(area.get(k, math.nan)) for k in ("straight_m", "nearest_min"))
    shown = {**area, "people": fmt.rounded_people(area["people"]), "service_en": str(area["service_en"]).lower()}
    shown["straight_m"] = math.floor(straight / 10 + 0.5) * 10 if math.isfinite(straight) else straight
    shown["nearest_min"] = math.ceil(nearest - 1e-9) if math.isfinite(nearest) else nearest
    return tidy(gap_sentence(shown, lang))
