"""The times of one service as plain arrays, and the table of all services put together from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["STATUS", "pack_access", "unpack_access"]

#: Statuses in the order of their codes.
STATUS = ("reached", "beyond_cutoff", "unreachable", "off_network", "unknown")


def pack_access(table: pd.DataFrame) -> dict[str, Any]:
    """Return the rows of one service as arrays, in the order of the origins.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`bishan_gis.access.nearest.nearest_cost`.

    Returns
    -------
    dict
        ``value, unknown_from_s`` [s]``, status, facility`` (positions; -1: none), ``ids`` of the facilities.
    """
    facility, ids = pd.factorize(table["facility_id"].to_numpy(dtype=object), sort=True)
    return {
        "value": table["value"].to_numpy(np.float64),
        "unknown_from_s": table["unknown_from_s"].to_numpy(np.float64),
        "status": pd.Categorical(table["status"], categories=list(STATUS)).codes.astype(np.int8),
        "facility": facility.astype(np.int32),
        "ids": [str(i) for i in ids],
    }


def unpack_access(services: Mapping[str, Mapping[str, Any]], origins: pd.Series, *, cutoff_s: float) -> pd.DataFrame:
    """Put the table of all services together.

    Parameters
    ----------
    services : mapping
        Service -> what :func:`pack_access` returned.
    origins : pandas.Series
        Ids of the origins, in their order.
    cutoff_s : float
        The time that was searched [s].

    Returns
    -------
    pandas.DataFrame
        The table of :func:`bishan_gis.access.nearest.nearest_cost`.

    Examples
    --------
    >>> rows = pd.DataFrame({"facility_id": ["f", None], "value": [60.0, float("nan")],
    ...     "status": ["reached", "unreachable"], "unknown_from_s": float("nan")})
    >>> table = unpack_access({"school": pack_access(rows)}, pd.Series(["A", "B"]), cutoff_s=900)
    >>> table[["origin_id", "service", "value", "status"]].values.tolist()
    [['A', 'school', 60.0, 'reached'], ['B', 'school', nan, 'unreachable']]
    """
    n, k = len(origins), len(services)
    parts = list(services.values())
    ids: list[str] = []
    facility = []
    for part in parts:
        facility.append(np.where(part["facility"] >= 0, part["facility"] + len(ids), -1))
        ids += part["ids"]

    def texts(values: Any, at: np.ndarray) -> Any:
        return pd.Series(values, dtype="str").array.take(at, allow_fill=True)

    return pd.DataFrame(
        {
            "origin_id": texts(origins, np.tile(np.arange(n), k)),
            "service": texts(list(services), np.repeat(np.arange(k), n)),
            "measure": texts(["nearest"], np.zeros(n * k, dtype=np.int64)),
            "cutoff_s": cutoff_s,
            "value": np.concatenate([p["value"] for p in parts]),
            "status": texts(list(STATUS), np.concatenate([p["status"] for p in parts]).astype(np.int64)),
            "facility_id": texts(ids, np.concatenate(facility).astype(np.int64)),
            "unknown_from_s": np.concatenate([p["unknown_from_s"] for p in parts]),
        }
    )
