"""The page of completeness: how much of a 15-minute circle every cell has, and what is missing there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.output.maps.findings import SCRIPTS, STYLES, finding_layers, gaps_of, judged_services
from bishan_gis.output.maps.page import map_page
from bishan_gis.output.tokens import COMPLETENESS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context

__all__ = ["completeness_page", "natural_breaks"]

_SAMPLE = 400


def natural_breaks(values: NDArray[np.float64], people: NDArray[np.int64], k: int) -> list[float]:
    """Return the upper ends of classes that people fall into, by Fisher and Jenks.

    Parameters
    ----------
    values : ndarray
        One value per cell.
    people : ndarray of int
        How many people each stands for: what is classed are 400 quantiles of the people, so that empty cells count
        nothing and equal runs give equal classes.
    k : int
        Number of classes; fewer where there are fewer different values.

    Returns
    -------
    list of float
        Rising; the last is at least the largest value.

    Notes
    -----
    Least sum of squares within classes (Fisher 1958, J. Am. Stat. Assoc. 53 (284), 789-798), found exactly; a test
    compares with ``mapclassify.FisherJenks``, whose import would take longer than all pages.

    Examples
    --------
    >>> natural_breaks(np.array([0.0, 0.1, 0.8, 0.9]), np.array([10, 10, 10, 10]), 2)
    [0.1, 0.9]
    """
    if not people.sum():
        return [float(values.max())] if len(values) else [1.0]
    order = np.argsort(values, kind="stable")
    heads = np.cumsum(people[order])
    at = np.searchsorted(heads, (np.arange(_SAMPLE) + 0.5) / _SAMPLE * heads[-1])
    sample = values[order][at]
    ends = _fisher_jenks(sample, min(k, len(np.unique(sample))))
    ends[-1] = max(ends[-1], float(values.max()))
    return ends


def _fisher_jenks(sample: NDArray[np.float64], k: int) -> list[float]:
    """Return the upper ends of the `k` classes of sorted values with the least sum of squares within classes."""
    n = len(sample)
    first = np.concatenate([[0.0], np.cumsum(sample)])
    second = np.concatenate([[0.0], np.cumsum(sample**2)])
    i, j = np.arange(n)[:, None], np.arange(n)[None, :]
    size = np.maximum(j - i + 1, 1)
    within = (second[j + 1] - second[i]) - (first[j + 1] - first[i]) ** 2 / size
    within = np.where(i <= j, np.maximum(within, 0.0), np.inf)
    best, starts = within[0], []
    for _ in range(1, k):
        total = within.copy()
        total[1:] += best[:-1, None]
        total[0] = np.inf
        starts.append(total.argmin(axis=0))
        best = total.min(axis=0)
    ends, at = [], n - 1
    for start in reversed(starts):
        ends.append(float(sample[at]))
        at = int(start[at]) - 1
    return [float(sample[at]), *reversed(ends)]


def completeness_page(context: Context) -> str:
    """Return the page of completeness.

    Raises
    ------
    ValueError
        The results carry no gaps.
    """
    gaps = gaps_of(context)
    if gaps is None:
        msg = "the results carry no gaps"
        raise ValueError(msg)
    layers, base = finding_layers(context)
    low = gaps.completeness["completeness_low"].reindex(gaps.cells["cell_id"]).fillna(0).to_numpy(float)
    config: dict[str, Any] = {
        "state": {"age": context.ages[0]},
        "services": judged_services(context),
        "breaks": natural_breaks(low, gaps.cells["people"].to_numpy(np.int64), len(COMPLETENESS)),
        "colors": list(COMPLETENESS),
    }
    switches = [("cells", True, ("cells", "outline")), ("facilities", False, ("facilities",)), *base]
    return map_page(context, "completeness", layers, switches=switches, config=config, scripts=SCRIPTS, styles=STYLES)
