"""Compiled kernels where numba is installed, the same functions as plain Python where it is not.

Kernels are decorated with :func:`njit` of this module. Without numba they give the same results, slowly; what has a
faster way then, such as :func:`~bishan_gis.access.nearest.nearest_cost` with scipy, takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["HAS_NUMBA", "njit"]


def _plain(*args: Any, **_: Any) -> Any:
    """Take what numba's decorator takes and return the function as it is."""
    if len(args) == 1 and callable(args[0]):
        return args[0]
    return _plain


njit: Callable[..., Any]
try:
    from numba import njit
except ImportError:
    njit = _plain
    HAS_NUMBA = False
else:
    HAS_NUMBA = True
