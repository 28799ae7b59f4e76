"""The evaluated policy for readers: a table on the terminal, and records for other programs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bishan_gis.schema import KIND_ZH

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

__all__ = ["policy_records", "policy_table"]

_STATE = {"evaluated": ("已评价", "evaluated"), "not_evaluated": ("未评价", "not evaluated")}
_VERDICT = {
    "met": ("达标", "met"),
    "not_met": ("未达标", "not met"),
    "unknown": ("无法判断", "unknown"),
    "no_threshold": ("无标准值", "no threshold"),
}
_UNIT = {"direction": "个", "person": "人", "point": "分"}


def policy_records(policy: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the elements as records that JSON can hold: what is not a finite number becomes None.

    Parameters
    ----------
    policy : pandas.DataFrame
        Of :func:`bishan_gis.planning.policy.evaluate_policy`.

    Returns
    -------
    list of dict
        One record per element, with the columns of the table.

    Examples
    --------
    >>> import pandas as pd
    >>> policy_records(pd.DataFrame({"number": [1], "value": [float("nan")]}))
    [{'number': 1, 'value': None}]
    """
    return [{str(k): _plain(v) for k, v in row.items()} for row in policy.to_dict("records")]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def policy_table(policy: pd.DataFrame, *, title: str, lang: str = "zh") -> Table:
    """Return the elements as a table for the terminal.

    Parameters
    ----------
    policy : pandas.DataFrame
        Of :func:`bishan_gis.planning.policy.evaluate_policy`.
    title : str
        Title of the table.
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    rich.table.Table
        One row per element: its number, its phrase, and what was found (state, indicator, value, verdict, tag of the
        weakest standard, what the figures rest on, and the sentence) or what is needed.
    """
    from rich.table import Table
    from rich.text import Text

    zh = lang == "zh"
    which = 0 if zh else 1
    table = Table(title=Text(title), show_lines=True, expand=True)
    table.add_column("序" if zh else "no", justify="right", width=3)
    table.add_column("要点" if zh else "element", ratio=1, overflow="fold")
    table.add_column("结果" if zh else "result", ratio=3, overflow="fold")
    for row in policy.to_dict("records"):
        phrase = row["phrase"] if zh else f"{row['meaning']} {row['phrase']}"
        state = _STATE[row["state"]][which]
        if row["state"] == "evaluated":
            figure = _figure(float(row["value"]), _UNIT.get(row["unit"], row["unit"]) if zh else row["unit"])
            facts = [state, f"{row['indicator' if zh else 'indicator_en']} {figure}", _VERDICT[row["verdict"]][which]]
            facts += [f"[{row['tag']}]", KIND_ZH[row["kind"]] if zh else row["kind"]]
            said = row["said_zh" if zh else "said_en"]
        else:
            facts, said = [state], row["said_zh" if zh else "said_en"]
            if not zh:
                said = f"{said} ({row['how_to_provide_en']})"
        table.add_row(Text(str(row["number"])), Text(str(phrase)), Text(" · ".join(facts) + "\n" + said))
    return table


def _figure(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "-"
    if unit == "1" and 0 <= value <= 1:
        return f"{value * 100:.1f} %"
    number = f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"
    return number if unit == "1" else f"{number} {unit}"
