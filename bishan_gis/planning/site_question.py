"""What is asked of siting on a study: services with their levels, a model, limits; checked before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bishan_gis.errors import InputError
from bishan_gis.planning.site_plan import MODELS
from bishan_gis.planning.study_demand import ServiceLevel, age_columns, service_levels
from bishan_gis.schema import known_names

if TYPE_CHECKING:
    from bishan_gis.study import Study

__all__ = ["EQUITY", "SiteQuestion", "ask_sites"]

#: How the worst-off count: like everybody; by how far they are beyond the level; before everybody else.
EQUITY = ("none", "weight", "first")
#: Model -> the same within capacities.
_WITHIN = {"mclp": "capacitated_mclp", "p_median": "capacitated_median"}


@dataclass(frozen=True)
class SiteQuestion:
    """A checked question.

    Attributes
    ----------
    levels : tuple of ServiceLevel
        Services with the walking time that serves; for ``hierarchical`` the lower level first.
    model : str
        One of :data:`bishan_gis.planning.site_plan.MODELS`.
    sites : int or None
        Largest number of sites.
    upper_sites : int or None
        ``hierarchical``: how many of them have the upper level too.
    budget : float or None
        Largest sum of costs.
    zone : str or None
        Id or name of a zone.
    age : str
        Age group.
    capacity : float or None
        People that a site can serve.
    equity : str
        One of :data:`EQUITY`.
    codes : tuple of str
        Prefixes of the land-use codes of candidates; empty: those of the study.
    k_best : int
        How many plans to list.
    """

    levels: tuple[ServiceLevel, ...]
    model: str
    sites: int | None
    upper_sites: int | None
    budget: float | None
    zone: str | None
    age: str
    capacity: float | None
    equity: str
    codes: tuple[str, ...]
    k_best: int

    @property
    def key(self) -> str:
        """The services as one key, as in the names of files."""
        return "-".join(level.service for level in self.levels)


def ask_sites(
    study: Study,
    *,
    service: str | Sequence[str],
    model: str = "mclp",
    sites: int | None = None,
    budget: float | None = None,
    zone: str | None = None,
    age: str = "all",
    cutoff_min: float | None = None,
    capacity: float | None = None,
    equity: str = "none",
    upper_sites: int | None = None,
    codes: Sequence[str] = (),
    k_best: int = 1,
) -> SiteQuestion:
    """Check a question by the settings of a study alone, so that a slip of the pen costs no run.

    Parameters
    ----------
    study : Study
        The settings.
    service, model, sites, budget, zone, age, cutoff_min, capacity, equity, upper_sites, codes, k_best : object
        See :func:`bishan_gis.planning.study_sites.study_sites`; zones are only known to a run.

    Returns
    -------
    SiteQuestion
        With levels of the standards, and 3 sites where neither a number nor a budget is given and the model needs one.

    Raises
    ------
    InputError
        Something is unknown, or does not go together.
    """
    levels = service_levels(study, [service] if isinstance(service, str) else list(service), cutoff_min=cutoff_min)
    age_columns(study, age)
    known = [m for m in MODELS if not m.startswith("capacitated")]
    if model not in MODELS:
        zh, en = known_names(model, known)
        raise InputError(f"没有模型 {model};{zh}", f"no model {model}; {en}")
    bad: list[tuple[str, str]] = []
    if equity not in EQUITY:
        bad.append((f"equity 须为 {' | '.join(EQUITY)}", f"equity must be {' | '.join(EQUITY)}"))
    if equity == "first" and model not in ("mclp", "p_median"):
        bad.append(("equity = first 只用于 mclp, p_median", "equity = first is for mclp and p_median"))
    if capacity is not None:
        if not (np.isfinite(capacity) and capacity > 0):
            bad.append((f"capacity = {capacity}: 须大于 0", f"capacity = {capacity}: must be above 0"))
        if model not in (*_WITHIN, *_WITHIN.values()):
            bad.append(("capacity 只用于 mclp, p_median", "capacity is for mclp and p_median"))
        if len(levels) > 1 or equity != "none" or k_best > 1:
            zh, en = (
                "capacity 只用于一种设施, 且不与 equity, best 同用",
                "capacity takes one service, no equity, no best",
            )
            bad.append((zh, en))
        model = _WITHIN.get(model, model)
    elif model.startswith("capacitated"):
        bad.append((f"{model} 需要 capacity (每处可服务的人数)", f"{model} needs capacity (people a site can serve)"))
    if model == "hierarchical":
        if len(levels) != 2 or upper_sites is None:
            zh = "hierarchical 需要两种设施 (低级在前), 以及 sites 与 upper_sites"
            bad.append((zh, "hierarchical takes two services, the lower level first, with sites and upper_sites"))
        if budget is not None or equity != "none":
            bad.append(("hierarchical 不支持 budget, equity", "hierarchical takes no budget and no equity"))
    elif upper_sites is not None:
        bad.append(("upper_sites 只用于 hierarchical", "upper_sites is for hierarchical"))
    if k_best > 1 and (model not in ("lscp", "mclp", "p_median") or equity == "first"):
        bad.append(("best 只用于 lscp, mclp, p_median", "best is for lscp, mclp and p_median"))
    if bad:
        raise InputError(";".join(b[0] for b in bad), "; ".join(b[1] for b in bad))
    if model != "lscp" and sites is None and budget is None:
        sites = 3
    return SiteQuestion(
        tuple(levels), model, sites, upper_sites, budget, zone, age, capacity, equity, tuple(codes), k_best
    )
