"""Short Chinese names of columns, from ``data/short_names.csv``: no more than five characters, ten bytes in GBK."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

__all__ = ["run_names", "short_names"]


@cache
def short_names() -> Mapping[str, str]:
    """Return the short name of each column that a run makes and whose name does not depend on the study.

    Examples
    --------
    >>> short_names()["people_covered"]
    '覆盖人口'
    """
    text = (files("bishan_gis") / "data" / "short_names.csv").read_text(encoding="utf-8")
    return {row["column"]: row["zh"] for row in csv.DictReader(text.splitlines())}


def run_names(services: Mapping[str, str], age_groups: Iterable[str]) -> dict[str, str]:
    """Return short names of all columns of a run.

    Parameters
    ----------
    services : mapping
        Key of a service -> its Chinese name. The column of its walking times is called ``幼儿园秒``; a name of more
        than four characters is cut to three and numbered, as ``社区卫07秒``.
    age_groups : iterable of str
        Age groups that are columns.

    Examples
    --------
    >>> run_names({"kindergarten": "幼儿园", "health_station": "社区卫生服务站"}, ["80+"])["s_health_station_s"]
    '社区卫02秒'
    """
    names = dict(short_names())
    taken: set[str] = set()
    for i, (key, zh) in enumerate(services.items(), start=1):
        name = f"{zh}秒"
        if len(zh) > 4 or not zh or name in taken:
            name = f"{zh[:3]}{i:02d}秒"
        taken.add(name)
        names[f"s_{key}_s"] = name
    for group in age_groups:
        names[group] = "人口" + re.sub(r"\W", "_", group.replace("+", "up"))
    return names
