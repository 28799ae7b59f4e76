"""A report over many studies, and the record that a study is done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bishan_gis.output.files import Staging, relative_link
from bishan_gis.output.labels import load_labels
from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps.elements import asset
from bishan_gis.output.maps.page import finish, template
from bishan_gis.output.tables import write_csv
from bishan_gis.output.tokens import css_variables
from bishan_gis.schema import weakest_kind
from bishan_gis.sources.datasets import file_sha256

if TYPE_CHECKING:
    from bishan_gis.results import Results
    from bishan_gis.study import Study

__all__ = ["CITY_FILES", "city_table", "district_facts", "load_done", "write_city", "write_done"]

#: The report over all; ``many.json`` beside them carries times.
CITY_FILES = ("city.csv", "city.json", "city.html")
#: Beside the tables of a study: the key it was run with, the hash of its ``run.json``, and its facts.
_DONE = "many.json"
_SUMS = ["people", "people_covered", "people_unknown"]


def district_facts(results: Results) -> dict[str, Any]:
    """Return what a report over many studies says of one.

    Parameters
    ----------
    results : Results
        Of a run.

    Returns
    -------
    dict
        What JSON can hold: ``id, name, name_en, kind, people, facilities, page, services`` (``service, zh, en,
        level_min, facilities``; facilities are those that stand in the district), ``coverage`` (``service, cutoff_min,
        people, people_covered, people_unknown`` of the whole district and all ages), ``people_lacking`` (None where
        gaps were not looked for) and ``warnings`` (Chinese, English).
    """
    study, table = results.study, results.coverage
    rows = table[(table["zone_kind"] == "district") & (table["age_group"] == "all")]
    rows = rows[["service", "cutoff_min", *_SUMS]].sort_values(["service", "cutoff_min"], kind="stable")
    check = results.population_check
    # Those beyond the border serve people too, and are counted where they stand.
    inside = results.facilities[results.facilities["zone_id"].fillna("").astype(str) != ""]
    return {
        "id": study.id,
        "name": study.name,
        "name_en": study.name_en or study.name,
        "kind": results.kind,
        "people": int(check.loc[check["part"] == "all", "placed"].sum()),
        "facilities": len(inside),
        "page": str(study.maps / "index.html") if study.outputs.maps else "",
        "services": [
            {"service": str(key), "zh": str(s["zh"]), "en": str(s["en"]), "level_min": float(s["level"])}
            | {"facilities": int((inside["service"] == key).sum())}
            for key, s in results.services.iterrows()
            if s["level"] > 0
        ],
        "coverage": json.loads(rows.to_json(orient="records")),
        "people_lacking": None if results.findings is None else int(results.findings.gaps.people_lacking),
        "warnings": [list(w) for w in results.warnings],
    }


def load_done(study: Study, key: str) -> dict[str, Any] | None:
    """Return the facts of a study that is done, or None.

    Parameters
    ----------
    study : Study
        The settings.
    key : str
        What its results depend on, :func:`bishan_gis.many.studies.task_key`.

    Returns
    -------
    dict or None
        From :func:`district_facts`; None where the key or the hash of any file that the run wrote differs.
    """
    try:
        known = json.loads((study.processed / _DONE).read_text(encoding="utf-8"))
        if known["key"] != key or known["run_sha256"] != file_sha256(study.processed / "run.json"):
            return None
        record = json.loads((study.processed / "run.json").read_text(encoding="utf-8"))
        folders = {"tables": study.processed, "maps": study.maps}
        for name, digest in record["outputs"].items():
            folder, _, file = name.partition("/")
            if file_sha256(folders[folder] / file) != digest:
                return None
        facts: dict[str, Any] = known["facts"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not there, not whole, or not ours: it is made again
    return facts


def write_done(study: Study, key: str, facts: Mapping[str, Any]) -> None:
    """Record that a study is done, and remove what a killed process left half written.

    Parameters
    ----------
    study : Study
        The settings; its run has been written.
    key, facts : str, mapping
        See :func:`load_done`.

    Raises
    ------
    OutputError
        The record cannot be written.
    """
    record = {"key": key, "run_sha256": file_sha256(study.processed / "run.json"), "facts": facts}
    for folder in {study.processed, study.maps}:
        for left in folder.glob(".writing-*"):
            shutil.rmtree(left, ignore_errors=True)
    with Staging({"tables": study.processed}) as out:
        text = json.dumps(record, ensure_ascii=False, indent=1)
        out.path("tables", _DONE).write_text(text + "\n", encoding="utf-8", newline="\n")
        out.commit()


def city_table(districts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return who is covered, by district and over all.

    Parameters
    ----------
    districts : sequence of dict
        From :func:`district_facts`.

    Returns
    -------
    pandas.DataFrame
        ``district`` (id; ``all`` is the sum of the rest), ``service, cutoff_min, people, people_covered,
        people_unknown, people_not_studied, kind``. A service that a district did not study, or has no facility of,
        says nothing of its people: in the sum they are ``people_not_studied``, and not in ``people``.

    Examples
    --------
    >>> row = {"service": "park", "cutoff_min": 5.0, "people": 10, "people_covered": 4, "people_unknown": 0}
    >>> one = {"id": "a", "people": 10, "kind": "observed", "coverage": [row]}
    >>> other = {"id": "b", "people": 7, "kind": "assumed", "coverage": []}
    >>> table = city_table([one, other]).set_index("district")
    >>> [int(table.loc["all", column]) for column in ("people", "people_covered", "people_not_studied")]
    [10, 4, 7]
    """
    columns = ["district", "service", "cutoff_min", *_SUMS, "people_not_studied", "kind"]
    rows = [
        {"district": d["id"], **row, "people_not_studied": 0, "kind": d["kind"]}
        for d in districts
        for row in d["coverage"]
    ]
    if not rows:
        return pd.DataFrame(columns=columns)
    each = pd.DataFrame(rows)
    total = each.groupby(["service", "cutoff_min"], sort=True)[_SUMS].sum().reset_index()
    everybody = sum(int(d["people"]) for d in districts)
    total = total.assign(district="all", people_not_studied=everybody - total["people"])
    total["kind"] = weakest_kind([str(d["kind"]) for d in districts])
    return pd.concat([total, each], ignore_index=True)[columns]


def write_city(
    districts: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    failed: Mapping[str, tuple[str, str]],
    times: Mapping[str, Any],
    lang: str = "zh",
) -> list[Path]:
    """Write the report over many studies: a page, a table, a record; all of them or none.

    Parameters
    ----------
    districts : sequence of dict
        From :func:`district_facts`.
    folder : pathlib.Path
        Where to.
    failed : mapping
        Name of a study that failed -> why, in Chinese and English; the page names them.
    times : mapping
        Goes into ``many.json``, the only file that carries times.
    lang : {"zh", "en"}
        Language of the page.

    Returns
    -------
    list of pathlib.Path
        The files.

    Raises
    ------
    OutputError
        They cannot be written; what stood there still stands.
    """
    table = city_table(districts)
    plain = [{k: v for k, v in d.items() if k != "page"} | {"page": _link(d["page"], folder)} for d in districts]
    record = {
        "people": sum(int(d["people"]) for d in districts),
        "kind": weakest_kind([str(d["kind"]) for d in districts]) if districts else "",
        "districts": plain,
        "coverage": json.loads(table.to_json(orient="records")),
        "failed": {name: list(said) for name, said in failed.items()},
    }
    with Staging({"city": folder}) as out:
        write_csv(table, out.path("city", "city.csv"))
        for name, value in (("city.json", record), ("many.json", dict(times))):
            text = json.dumps(value, ensure_ascii=False, indent=1)
            out.path("city", name).write_text(text + "\n", encoding="utf-8", newline="\n")
        html = _page(plain, table, record, lang)
        out.path("city", "city.html").write_text(html, encoding="utf-8", newline="\n")
        return out.commit()


def _link(page: str, folder: Path) -> str:
    """Return the address of a page from the report; "" where there is none."""
    return relative_link(Path(page), folder) if page and Path(page).is_file() else ""


def _page(districts: list[dict[str, Any]], table: pd.DataFrame, record: Mapping[str, Any], lang: str) -> str:
    t, english = load_labels(lang), lang == "en"
    names: dict[str, dict[str, Any]] = {}
    for d in districts:
        for s in d["services"]:
            names.setdefault(s["service"], s)
    cutoffs = sorted(set(table["cutoff_min"]))
    sums = table.set_index(["district", "service", "cutoff_min"])[_SUMS].astype(int).to_dict("index")
    services = []
    for key, s in names.items():
        level = next((c for c in cutoffs if c >= s["level_min"]), cutoffs[-1])
        cells = [_cell(sums.get((d, key, level))) for d in ("all", *(str(x["id"]) for x in districts))]
        count = sum(x["facilities"] for d in districts for x in d["services"] if x["service"] == key)
        services.append(
            {"name": s["en" if english else "zh"], "level": f"{level:g}", "count": fmt.exact(count), "cells": cells}
        )
    weak = [d for d in districts if d["kind"] in ("assumed", "synthetic")]
    rows = [
        {
            "name": d["name_en" if english else "name"],
            "link": d["page"],
            "people": fmt.exact(d["people"]),
            "facilities": fmt.exact(d["facilities"]),
            "lacking": "—" if d["people_lacking"] is None else fmt.people(d["people_lacking"]),
            "kind": t(f"kind_{d['kind']}"),
            "weak": d in weak,
            "warnings": [w[1 if english else 0] for w in d["warnings"]],
        }
        for d in districts
    ]
    html = template(
        "city.html",
        t=t,
        lang="en" if english else "zh-CN",
        csp="@@content-policy@@",
        style=css_variables() + asset("page.css") + asset("index.css") + asset("media.css"),
        strip=t("city_weak", n=len(weak)) if weak else "",
        people=fmt.exact(record["people"]),
        n=len(districts),
        facilities=fmt.exact(sum(d["facilities"] for d in districts)),
        districts=rows,
        services=services,
        failed=[(name, said[1 if english else 0]) for name, said in record["failed"].items()],
    )
    return finish(html)


def _cell(sums: Mapping[Any, Any] | None) -> dict[str, Any]:
    """Return what stands in a cell of the matrix; a district that did not study the service has none."""
    if sums is None or not sums["people"]:
        return {"share": "—", "gap": "", "unknown": "", "shade": -1}
    people, covered, unknown = (sums[name] for name in _SUMS)
    return {
        "share": fmt.percent(covered, people),
        "gap": fmt.people(people - covered - unknown),
        "unknown": fmt.people(unknown) if unknown else "",
        "shade": int(covered / people * 5),
    }
