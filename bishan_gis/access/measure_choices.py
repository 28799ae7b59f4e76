"""What a measure of the study chooses for itself: who travels, and at what time of the week."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bishan_gis.errors import StudyError
from bishan_gis.network.costs import edge_costs, load_profile

if TYPE_CHECKING:
    import pandas as pd

    from bishan_gis.measure_settings import Measure
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = ["measure_costs", "open_facilities"]


def measure_costs(measure: Measure, network: Network, costs: EdgeCosts, *, slope: str | None = None) -> EdgeCosts:
    """Return what the streets cost whom a measure is about.

    Parameters
    ----------
    measure : Measure
        With a profile of its own, or none.
    network : Network
        Streets of its mode.
    costs : EdgeCosts
        Their costs for the traveller of the mode.
    slope : str, optional
        Slope function of the mode's section, in place of the profile's own.

    Returns
    -------
    EdgeCosts
        `costs` themselves where the measure names no other profile.

    Raises
    ------
    StudyError
        The profile is unknown, of another mode, or moves by another table of rules than the network was built with.
    """
    if measure.profile is None or measure.profile == costs.profile.name:
        return costs
    profile = load_profile(measure.profile)
    where = f"measures.{measure.name}.profile"
    if profile.mode != measure.mode:
        raise StudyError(
            f"{where}: {profile.name} 用于 {profile.mode}, 指标的 mode 为 {measure.mode};请换一个",
            f"{where}: {profile.name} is for {profile.mode}, the measure's mode is {measure.mode}; choose another",
        )
    if profile.rules != costs.profile.rules:
        raise StudyError(
            f"{where}: {profile.name} 的通行规则与 {measure.mode}.profile = {costs.profile.name} 不同, 路网不能共用;"
            "请换一个, 或另建研究",
            f"{where}: {profile.name} moves by other rules than {measure.mode}.profile = {costs.profile.name}, so that "
            "they do not share streets; choose another, or make a study of its own",
        )
    return edge_costs(network, profile, slope=slope)


def open_facilities(
    measures: Sequence[Measure], facilities: pd.DataFrame
) -> tuple[pd.DataFrame, list[tuple[str, str]], bool]:
    """Keep the facilities that are open when some measures look.

    Parameters
    ----------
    measures : sequence of Measure
        All of one time, or of none.
    facilities : pandas.DataFrame
        Those of their services; ``opening_hours`` where known.

    Returns
    -------
    facilities : pandas.DataFrame
        The rows that count.
    notes : list of (zh, en)
        How many were open, closed and unknown, per measure; empty for measures of no time.
    assumed : bool
        Some count although nobody knows their hours.

    Raises
    ------
    StudyError
        None is open.
    """
    first = measures[0]
    if first.at is None:
        return facilities, [], False
    from bishan_gis.places.opening_hours import facilities_open

    table = facilities if "opening_hours" in facilities else facilities.assign(opening_hours="")
    kept = facilities_open(table, first.at, unknown=first.unknown_hours)
    n = kept.attrs["open_counts"]
    keeps = first.unknown_hours == "keep"
    what_zh, what_en = ("计入", "counted") if keeps else ("不计", "left out")
    notes = []
    for m in measures:
        at = f"measures.{m.name}: {first.at:%Y-%m-%d %H:%M}"
        zh = f"{at} 开放 {n['open']} 处, 关闭 {n['closed']} 处 (不计), 开放时间未知 {n['unknown']} 处 ({what_zh})"
        en = f"{at} {n['open']} open, {n['closed']} closed (left out), {n['unknown']} of unknown hours ({what_en})"
        notes.append((zh, en))
    if not len(kept):
        raise StudyError(
            f"{notes[0][0]};没有可用设施, 请改 at 或 unknown_hours",
            f"{notes[0][1]}; nothing is left, change at or unknown_hours",
        )
    return kept.drop(columns="open"), notes, keeps and n["unknown"] > 0
