"""The element of a policy about data: what the study itself rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bishan_gis.planning.policy_evidence import Evidence, Finding, NotEvaluated, needs_data
from bishan_gis.schema import KIND_ZH, KINDS, weakest_kind

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["datasets"]


def datasets(evidence: Evidence, row: pd.Series) -> Finding | NotEvaluated:
    """Count the data sets of the run: how many are observed, and how many say their date."""
    rows = evidence.results.datasets
    if not rows:
        return needs_data(row)
    n, dated = len(rows), sorted(d.date for d in rows if d.date)
    kinds = {k: sum(d.kind == k for d in rows) for k in KINDS}
    some = {k: v for k, v in kinds.items() if v}
    span = (f" ({dated[0]} 至 {dated[-1]})", f" ({dated[0]} to {dated[-1]})") if dated else ("", "")
    return Finding(
        indicator_zh="实测数据集比例",
        indicator_en="share of data sets that are observed",
        value=kinds["observed"] / n,
        high=kinds["observed"] / n,
        unit="1",
        verdict="no_threshold",
        clause="",
        tag="P",
        kind=weakest_kind([d.kind for d in rows]),
        zh=f"本研究数据集 {n} 个: {'、'.join(f'{KIND_ZH[k]} {v}' for k, v in some.items())}; "
        f"注明时间 {len(dated)} 个{span[0]}; 更新频率与智能体未评价 ({row['how_zh']})",
        en=f"{n} data sets of this study: {', '.join(f'{v} {k}' for k, v in some.items())}; {len(dated)} say their "
        f"date{span[1]}; how often they are renewed is not judged ({row['how_en']})",
    )
