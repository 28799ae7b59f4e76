"""Which gaps survive other assumptions: people who walk faster or slower, and the leg to the streets."""

from __future__ import annotations

import pandas as pd

from bishan_gis.access.uncertainty import band_tables, changed_access
from bishan_gis.planning.gap_cells import CellGaps, cell_gaps
from bishan_gis.schema import check_columns

__all__ = ["gap_band", "gap_sensitivity"]


def gap_band(
    access: pd.DataFrame,
    cells: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    speed_share: float = 0.1,
    leg_s: pd.Series | None = None,
) -> tuple[CellGaps, CellGaps]:
    """Return the state of every service and cell in the worst and in the best case.

    Parameters
    ----------
    access, cells, targets : pandas.DataFrame
        See :func:`bishan_gis.planning.gap_cells.cell_gaps`.
    speed_share : float
        Everybody walks slower or faster by this share.
    leg_s : pandas.Series, optional
        Indexed by origin: time of the leg to the streets [s]; charged twice in the worst case, left out in the best.

    Returns
    -------
    worst, best : CellGaps
        A gap that is none in the best case is fragile: it does not survive the assumptions.

    Raises
    ------
    InputError, SchemaError
        As :func:`bishan_gis.access.uncertainty.band_tables`.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "B"], "service": "school", "value": [650.0, 700.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B"]})
    >>> worst, best = gap_band(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> worst.deficient.tolist(), best.deficient.tolist()  # 650 / 1.1 s is within 600 s, 700 / 1.1 s is not
    ([[True, True]], [[False, True]])
    """
    low, high = band_tables(access, speed_share=speed_share, leg_s=leg_s)
    return cell_gaps(low, cells, targets), cell_gaps(high, cells, targets)


def gap_sensitivity(
    access: pd.DataFrame,
    cells: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    speed_share: float = 0.1,
    leg_s: pd.Series | None = None,
) -> pd.DataFrame:
    """Count the people without each service under one changed assumption after the other.

    Parameters
    ----------
    access, cells, targets : pandas.DataFrame
        See :func:`bishan_gis.planning.gap_cells.cell_gaps`; `cells` has ``people`` as well.
    speed_share : float
        Everybody walks slower or faster by this share.
    leg_s : pandas.Series, optional
        Indexed by origin: time of the leg to the streets [s]. Left out: no case of it.

    Returns
    -------
    pandas.DataFrame
        ``service, case, people_deficient, people_unknown``; ``case`` is ``central, slower, faster``, and with `leg_s`
        ``without_leg, worst, best``.

    Raises
    ------
    InputError, SchemaError
        As :func:`bishan_gis.access.uncertainty.changed_access`.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "B"], "service": "school", "value": [650.0, 570.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B"], "people": [10, 20]})
    >>> table = gap_sensitivity(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> table.set_index("case")["people_deficient"].to_dict()
    {'central': 10, 'slower': 30, 'faster': 0}
    """
    check_columns(cells, ["people"], where="cells")
    people = cells["people"].to_numpy("int64")
    tables = {
        "central": access,
        "slower": changed_access(access, speed=1 - speed_share),
        "faster": changed_access(access, speed=1 + speed_share),
    }
    if leg_s is not None:
        tables["without_leg"] = changed_access(access, leg_s=leg_s, legs=-1)
        tables["worst"], tables["best"] = band_tables(access, speed_share=speed_share, leg_s=leg_s)
    frames = []
    for case, table in tables.items():
        gaps = cell_gaps(table, cells, targets)
        lacking = gaps.deficient.astype("int64") @ people
        unknown = gaps.unknown.astype("int64") @ people
        frames.append(
            pd.DataFrame(
                {"service": gaps.services, "case": case, "people_deficient": lacking, "people_unknown": unknown}
            )
        )
    return pd.concat(frames, ignore_index=True)
