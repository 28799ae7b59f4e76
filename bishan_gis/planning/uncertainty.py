"""Coverage with its band: how many people are covered in the worst, the central and the best case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from bishan_gis.access.parameters import check_positive
from bishan_gis.access.uncertainty import band_tables
from bishan_gis.planning.coverage import coverage

__all__ = ["coverage_with_band"]


def coverage_with_band(
    access: pd.DataFrame,
    cells: pd.DataFrame,
    zones: pd.DataFrame,
    *,
    cutoffs_min: Sequence[float],
    age_groups: Mapping[str, Sequence[str]],
    member: Mapping[str, str],
    speed_share: float = 0.1,
    leg_s: pd.Series | None = None,
    alternatives: Sequence[pd.DataFrame] = (),
    fragile_share: float = 0.1,
) -> pd.DataFrame:
    """Count people covered by zone, service, cutoff and age group, with the band of speed and snapping.

    Parameters
    ----------
    access, cells, zones, cutoffs_min, age_groups, member
        See :func:`bishan_gis.planning.coverage.coverage`.
    speed_share, leg_s, alternatives
        See :func:`bishan_gis.access.uncertainty.band_tables`.
    fragile_share : float
        A figure whose band is wider than this share of the people is marked, above 0.

    Returns
    -------
    pandas.DataFrame
        The table of :func:`~bishan_gis.planning.coverage.coverage` with ``people_covered_low, people_covered_high``
        (``low <= people_covered <= high``), ``people_unknown_low, people_unknown_high`` (not known in the worst and in
        the best case) and ``fragile``: ``high - low > fragile_share * people``.

    Raises
    ------
    InputError, SchemaError
        As :func:`bishan_gis.access.uncertainty.band_tables`.
    ControlTotalError
        As :func:`~bishan_gis.planning.coverage.coverage`.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "B"], "service": "school", "value": [880.0, 950.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B"], "zone": "z", "people": [30, 10]})
    >>> zones = pd.DataFrame({"zone_id": ["z"], "zone_kind": "district", "name": "Z"})
    >>> table = coverage_with_band(access, cells, zones, cutoffs_min=[15], age_groups={"all": ["people"]},
    ...     member={"district": "zone"})
    >>> table[["people_covered_low", "people_covered", "people_covered_high", "fragile"]].values.tolist()
    [[0, 30, 40, True]]
    """
    check_positive(fragile_share=fragile_share)
    low, high = band_tables(access, speed_share=speed_share, leg_s=leg_s, alternatives=alternatives)
    worst, central, best = (
        coverage(table, cells, zones, cutoffs_min=cutoffs_min, age_groups=age_groups, member=member)
        for table in (low, access, high)
    )
    width = best["people_covered"] - worst["people_covered"]
    return central.assign(
        people_covered_low=worst["people_covered"],
        people_covered_high=best["people_covered"],
        people_unknown_low=worst["people_unknown"],
        people_unknown_high=best["people_unknown"],
        fragile=width > fragile_share * central["people"],
    )
