"""Whether the townships make up the district: what sticks out, what nobody covers, what two claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["LEAST_SHARE", "township_fit"]

#: Share of the district's area below which borders of two sources only disagree in their last digits.
LEAST_SHARE = 0.001


def township_fit(district: gpd.GeoDataFrame, townships: gpd.GeoDataFrame) -> list[tuple[str, str]]:
    """Say how far the townships do not fit the district.

    Parameters
    ----------
    district, townships : geopandas.GeoDataFrame
        Areas in the working CRS [m]; townships with ``name``.

    Returns
    -------
    list of (zh, en)
        Areas outside the district, uncovered in it, and in more than one township [km2, and share of the district],
        each where it is above `LEAST_SHARE`; townships that lie wholly outside by name. Empty: they fit.

    Examples
    --------
    >>> import geopandas as gpd
    >>> whole = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 4000, 1000)], crs=4544)
    >>> towns = gpd.GeoDataFrame(
    ...     {"name": ["a", "b"]}, geometry=[shapely.box(0, 0, 2000, 1000), shapely.box(2000, 0, 3000, 1000)], crs=4544
    ... )
    >>> township_fit(whole, towns)[0][1]
    'townships: 1.00 km² of the district (25.0 %) are in no township: nobody lives there in the results'
    """
    whole = shapely.union_all(shapely.make_valid(district.geometry.to_numpy()))
    shapes = shapely.make_valid(townships.geometry.to_numpy())
    together = shapely.union_all(shapes)
    total = float(shapely.area(whole))
    if not total:
        return []
    outside = float(shapely.area(shapely.difference(together, whole)))
    open_area = float(shapely.area(shapely.difference(whole, together)))
    double = float(shapely.area(shapes).sum() - shapely.area(together))
    out = []
    for area, zh, en in (
        (outside, "在区界之外: 其中的人口也计入结果", "of the townships lie outside the district: their people count"),
        (
            open_area,
            "不属于任何街镇: 结果中无人居住",
            "of the district {} are in no township: nobody lives there in the results",
        ),
        (double, "属于不止一个街镇: 各街镇结果重叠", "are in more than one township: their results overlap"),
    ):
        if area / total > LEAST_SHARE:
            km2, share = f"{area / 1e6:,.2f} km²", f"{area / total:.1%}"
            percent = f"({area / total * 100:.1f} %)"
            said = en.format(percent) if "{}" in en else f"{percent} {en}"
            out.append((f"街镇与区界不符: {km2} ({share}) {zh};请核对边界", f"townships: {km2} {said}"))
    far = ~shapely.intersects(shapes, whole)
    if far.any():
        names = [str(n) for n in np.asarray(townships["name"])[far]] if "name" in townships.columns else []
        n = int(far.sum())
        out.append(
            (
                f"{n} 个街镇完全在区界之外: {'、'.join(names)};请核对坐标或区界",
                f"{n} townships lie wholly outside the district: {', '.join(names)}; check coordinates and border",
            )
        )
    return out
