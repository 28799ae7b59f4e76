"""What a slope does to a traveller's speed: Tobler's function and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.errors import StudyError
from bishan_gis.schema import known_names

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SLOPE_FUNCTIONS", "cycling", "naismith", "rees", "slope_factor", "tobler"]


def tobler(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the speed on a slope as a share of that on the level, after Tobler.

    Parameters
    ----------
    slope : array_like
        Rise over run, positive uphill.

    Returns
    -------
    ndarray of float64
        Factor on the level speed; largest at a descent of 5 %.

    Notes
    -----
    W(s) = 6 exp(-3.5 |s + 0.05|) km/h (Tobler 1993, Three presentations on geographical analysis and modeling,
    NCGIA technical report 93-1). Here W(s) / W(0) = exp(-3.5 (|s + 0.05| - 0.05)), so that the level keeps the
    profile's own speed in place of Tobler's 5.04 km/h.

    Examples
    --------
    >>> tobler([0, -0.05, 0.2]).round(3).tolist()
    [1.0, 1.191, 0.497]
    """
    out: NDArray[np.float64] = np.exp(-3.5 * (np.abs(np.asarray(slope, dtype=float) + 0.05) - 0.05))
    return out


def naismith(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the speed on a slope as a share of that on the level, after Naismith.

    Parameters
    ----------
    slope : array_like
        Rise over run, positive uphill.

    Returns
    -------
    ndarray of float64
        Factor on the level speed; 1 downhill.

    Notes
    -----
    An hour for three miles and an hour for every 2000 feet of ascent (Naismith 1892, Scottish Mountaineering
    Club Journal 2:136): a metre up takes as long as 15840 / 2000 = 7.92 m on the level, so the factor is
    1 / (1 + 7.92 max(s, 0)). Langmuir's corrections for descents are left out on purpose: just below 12 degrees
    they give two and a half times the level speed, which no street allows.

    Examples
    --------
    >>> naismith([0, 0.1, -0.1]).round(3).tolist()
    [1.0, 0.558, 1.0]
    """
    out: NDArray[np.float64] = 1 / (1 + 7.92 * np.maximum(np.asarray(slope, dtype=float), 0.0))
    return out


def rees(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the speed on a slope as a share of that on the level, after Rees.

    Parameters
    ----------
    slope : array_like
        Rise over run; up and down cost the same.

    Returns
    -------
    ndarray of float64
        Factor on the level speed.

    Notes
    -----
    Seconds per metre = 0.75 + 0.09 |s| + 14.6 s^2 (Rees 2004, Least-cost paths in mountainous terrain, Computers &
    Geosciences 30:203-209, doi:10.1016/j.cageo.2003.11.001; coefficients as the R package leastcostpath has them).
    Here divided into the 0.75 s/m of the level.

    Examples
    --------
    >>> rees([0, 0.1, -0.1]).round(3).tolist()
    [1.0, 0.829, 0.829]
    """
    s = np.abs(np.asarray(slope, dtype=float))
    out: NDArray[np.float64] = 0.75 / (0.75 + 0.09 * s + 14.6 * s**2)
    return out


def cycling(slope: ArrayLike) -> NDArray[np.float64]:
    """Return the speed of a cyclist on a slope as a share of that on the level, after Parkin and Rotheram.

    Parameters
    ----------
    slope : array_like
        Rise over run, positive uphill.

    Returns
    -------
    ndarray of float64
        Factor on the level speed, from 0.201 on climbs of 12 % and more to 1.594 on descents of 15 % and more.

    Notes
    -----
    v(s) = 6.01 - 0.4002 (100 s) m/s uphill, 6.01 + 0.2379 (100 |s|) m/s downhill, here divided by v(0) (Parkin &
    Rotheram 2010, Design speeds and acceleration characteristics of bicycle traffic, Transport Policy,
    doi:10.1016/j.tranpol.2010.03.001; coefficients and their range as MATSim has them [S]). Beyond the range the
    speed stays: 12 % uphill leaves 4.4 km/h of 21.6, the pace at which one pushes. Measured on everyday cyclists in
    Leeds, without a motor: an electric bicycle loses less.

    Examples
    --------
    >>> cycling([0, 0.03, 0.2, -0.03]).round(3).tolist()
    [1.0, 0.8, 0.201, 1.119]
    """
    percent = 100 * np.clip(np.asarray(slope, dtype=float), -0.15, 0.12)
    out: NDArray[np.float64] = 1 - np.where(percent > 0, 0.4002, 0.2379) * percent / 6.01
    return out


#: Name -> factor on the level speed as a function of the slope.
SLOPE_FUNCTIONS: dict[str, Callable[[ArrayLike], NDArray[np.float64]]] = {
    "none": lambda slope: np.ones(np.shape(slope)),
    "tobler": tobler,
    "naismith": naismith,
    "rees": rees,
    "cycling": cycling,
}


def slope_factor(name: str, slope: ArrayLike, *, where: str = "walk.slope") -> NDArray[np.float64]:
    """Return the speed on slopes as a share of that on the level; exactly 1 on the level.

    Parameters
    ----------
    name : str
        Key of :data:`SLOPE_FUNCTIONS`.
    slope : array_like
        Rise over run in the direction of travel.
    where : str
        What messages call the setting.

    Raises
    ------
    StudyError
        No such function.
    """
    if name not in SLOPE_FUNCTIONS:
        zh, en = known_names(name, SLOPE_FUNCTIONS)
        raise StudyError(f"{where}: 没有坡度函数 {name!r};{zh}", f"{where}: no slope function {name!r}; {en}")
    s = np.asarray(slope, dtype=float)
    return np.where(s == 0, 1.0, SLOPE_FUNCTIONS[name](s))
