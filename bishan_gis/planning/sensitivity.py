"""Which gaps survive other assumptions: people who walk faster or slower, and the leg to the streets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bishan_gis.errors import InputError, SchemaError
from bishan_gis.planning.gap_cells import CellGaps, cell_times
from bishan_gis.schema import check_columns, check_unique

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["count_cases", "gap_band", "gap_cases", "gap_sensitivity"]


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
        The share is not in 0 to 1, a column is missing, or a cell has no leg.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "B"], "service": "school", "value": [650.0, 700.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B"]})
    >>> worst, best = gap_band(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> worst.deficient.tolist(), best.deficient.tolist()  # 650 / 1.1 s is within 600 s, 700 / 1.1 s is not
    ([[True, True]], [[False, True]])
    """
    cases = gap_cases(access, cells, targets, speed_share=speed_share, leg_s=leg_s)
    return cases["worst"], cases["best"]


def gap_cases(
    access: pd.DataFrame,
    cells: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    speed_share: float = 0.1,
    leg_s: pd.Series | None = None,
) -> dict[str, CellGaps]:
    """Return the state of every service and cell under one changed assumption after the other.

    Parameters
    ----------
    access, cells, targets, speed_share, leg_s
        As for :func:`gap_band`.

    Returns
    -------
    dict
        ``central, slower, faster, without_leg`` (only with `leg_s`)``, worst, best``.
    """
    if not 0 <= speed_share < 1:
        raise InputError(
            f"speed_share 须在 0 (含) 至 1 (不含) 之间,现为 {speed_share}",
            f"speed_share must be 0 or more and below 1; it is {speed_share}",
        )
    times = cell_times(access, cells, targets)
    slow, fast, legs = 1 - speed_share, 1 + speed_share, _legs(times.cells, leg_s)
    out = {"central": times, "slower": times.changed(speed=slow), "faster": times.changed(speed=fast)}
    if leg_s is not None:
        out["without_leg"] = times.changed(speed=1.0, more_s=-legs)
    out["worst"] = times.changed(speed=slow, more_s=legs)
    out["best"] = times.changed(speed=fast, more_s=-legs)
    return {case: one.gaps() for case, one in out.items()}


def _legs(cells: pd.Index, leg_s: pd.Series | None) -> NDArray[np.float64]:
    """Return the leg of each cell; 0 off the network."""
    if leg_s is None:
        return np.zeros(len(cells))
    check_unique(leg_s.index.to_series(name="leg_s"), where="leg_s")
    at = leg_s.index.get_indexer(cells)
    legs = leg_s.to_numpy(dtype=np.float64, na_value=np.nan)[at]
    wrong = int((at < 0).sum() + (np.isnan(legs) | (legs < 0)).sum())
    if wrong:
        raise SchemaError(
            f"leg_s: {wrong} 个单元缺失或为负;每个单元须有不小于 0 的秒数",
            f"leg_s: {wrong} cells are missing or negative; give seconds, 0 or more, for every cell",
        )
    return np.where(np.isinf(legs), 0.0, legs)


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
        The share is not in 0 to 1, a column is missing, or a cell has no leg.

    Examples
    --------
    >>> access = pd.DataFrame({"origin_id": ["A", "B"], "service": "school", "value": [650.0, 570.0],
    ...     "status": "reached", "unknown_from_s": float("nan")})
    >>> cells = pd.DataFrame({"cell_id": ["A", "B"], "people": [10, 20]})
    >>> table = gap_sensitivity(access, cells, pd.DataFrame({"service": ["school"], "level_min": [10.0]}))
    >>> table.set_index("case")["people_deficient"].to_dict()
    {'central': 10, 'slower': 30, 'faster': 0}
    """
    cases = gap_cases(access, cells, targets, speed_share=speed_share, leg_s=leg_s)
    if leg_s is None:
        cases = {case: cases[case] for case in ("central", "slower", "faster")}
    return count_cases(cases, cells)


def count_cases(cases: Mapping[str, CellGaps], cells: pd.DataFrame) -> pd.DataFrame:
    """Count the people without each service in each case.

    Parameters
    ----------
    cases : mapping
        From :func:`gap_cases`.
    cells : pandas.DataFrame
        ``people``.

    Returns
    -------
    pandas.DataFrame
        As :func:`gap_sensitivity`.
    """
    check_columns(cells, ["people"], where="cells")
    people = cells["people"].to_numpy("int64")
    frames = []
    for case, gaps in cases.items():
        lacking = gaps.deficient.astype("int64") @ people
        unknown = gaps.unknown.astype("int64") @ people
        frames.append(
            pd.DataFrame(
                {"service": gaps.services, "case": case, "people_deficient": lacking, "people_unknown": unknown}
            )
        )
    return pd.concat(frames, ignore_index=True)
