"""The tables of the report: plain cells, right-aligned numbers, sums at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.chinese import cite_zh
from bishan_gis.crs import areas_km2
from bishan_gis.output.report import figures as fig
from bishan_gis.output.report.figures import Cell

if TYPE_CHECKING:
    from bishan_gis.output.report.source import Source

__all__ = ["Table", "coverage_tables", "make_table", "zone_tables"]

#: ``key, title, note, columns`` (``text, right, wide``), ``rows`` and ``sum`` (cells).
Table = dict[str, Any]

#: Most columns of figures that a page holds side by side.
_MOST = 9


def make_table(
    key: str,
    title: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Cell]],
    *,
    total: Sequence[Cell] | None = None,
    note: str = "",
) -> Table:
    """Return a table of the report.

    Parameters
    ----------
    key : str
        Its name for programs.
    title : str
        Its title.
    columns : sequence of (str, str)
        Head and kind: ``left``, ``right`` (numbers) or ``wide`` (sentences, which take what room there is).
    rows : sequence of sequence of dict
        Cells.
    total : sequence of dict, optional
        The last row.
    note : str
        What is said below.

    Raises
    ------
    ValueError
        A row has another number of cells than there are columns.
    """
    width = len(columns)
    if any(len(r) != width for r in [*rows, *([total] if total else [])]):
        msg = f"table {key}: rows do not have {width} cells"
        raise ValueError(msg)
    return {
        "key": key,
        "title": title,
        "note": note,
        "columns": [{"text": t, "right": kind == "right", "wide": kind == "wide"} for t, kind in columns],
        "rows": [list(r) for r in rows],
        "sum": list(total) if total else [],
    }


def _services_table(source: Source) -> Table:
    w, context = source.words, source.context
    rows = []
    for service in source.judged:
        found, clause = source.covered(source.district, service), source.clause(service)
        rows.append(
            [
                fig.text(source.name(service)),
                fig.text(" ".join(v for v in (clause["standard"], clause["clause"]) if v)),
                fig.plain(source.level(service)),
                fig.count(int(context.services["n"].loc[service])),
                fig.people(found.covered),
                fig.share(found.covered, found.people),
                fig.people(found.lacking),
                fig.people(found.unknown),
            ]
        )
    columns = [(w("service"), "left"), (w("standard"), "left"), (w("minutes_limit"), "right")]
    columns += [(w(k), "right") for k in ("n_facilities", "covered", "rate", "lacking", "unknown")]
    n = int(context.services["n"].loc[source.judged].sum())
    empty = [fig.text("")] * 4
    total = [fig.text(w("sum")), fig.text(""), fig.text(""), fig.count(n), *empty]
    people = fig.count(source.zone_people(source.district))["text"]
    note = w("note_services", people=people) + " " + w("note_rounding")
    return make_table("services", w("table_services"), columns, rows, total=total, note=note)


def _radius_table(source: Source) -> Table | None:
    """Return what the circle of each standard promises and what the streets deliver; None where nothing has both."""
    w, found = source.words, source.results.radius_streets
    if found is None or found.empty:
        return None
    rows = []
    for row in found.to_dict("records"):
        tag = "" if row["tag"] == "S" else f" [{row['tag']}]"
        cited = f"{row['standard']} {row['clause']}".strip()
        rows.append(
            [
                fig.text(source.name(row["service"])),
                fig.text((cite_zh(cited) if source.zh else cited) + tag),
                fig.plain(row["radius_m"]),
                fig.plain(row["level_min"]),
                fig.share(row["people_circle"], row["people"]),
                fig.share(row["people_streets"], row["people"]),
                fig.plain(100 * row["difference"], decimals=1),
            ]
        )
    columns = [(w("service"), "left"), (w("standard"), "left"), (w("radius_m"), "right"), (w("minutes_limit"), "right")]
    columns += [(w(k), "right") for k in ("circle_promises", "streets_deliver", "points_difference")]
    widest = found.iloc[int(found["difference"].abs().to_numpy().argmax())]
    note = w("note_radius", sentence=str(widest["sentence_zh" if source.zh else "sentence_en"]))
    return make_table("radius", w("table_radius"), columns, rows, note=note)


def _lacking_table(source: Source) -> Table | None:
    """People without a service by direction, adding up to the district."""
    w, parts = source.words, source.zones("direction")
    if not parts:
        return None
    rows = []
    for service in source.judged:
        each = [fig.people(source.covered(z, service).lacking) for z in parts]
        whole = fig.people(source.covered(source.district, service).lacking)
        rows.append([fig.text(source.name(service)), fig.plain(source.level(service)), *each, whole])
    columns = [(w("service"), "left"), (w("minutes_limit"), "right")]
    columns += [(source.zone_name(z), "right") for z in [*parts, source.district]]
    people = [fig.count(source.zone_people(z)) for z in [*parts, source.district]]
    total = [fig.text(w("all_people")), fig.text(""), *people]
    note = w("note_lacking") + " " + w("note_rounding")
    return make_table("lacking", w("table_lacking"), columns, rows, total=total, note=note)


def _pieces(source: Source) -> list[list[int]]:
    """Return the zones side by side: each direction after its townships, not more than fit on a page."""
    rows = source.context.zone_rows
    groups = []
    towns = source.zones("township")
    of = [str(v) for v in rows["direction"]] if "direction" in rows.columns else [""] * len(rows)
    for direction in source.zones("direction"):
        names = {str(rows.iloc[direction]["name"]), str(rows.iloc[direction]["zone_id"])}
        groups.append([*(t for t in towns if of[t] in names), direction])
    placed = {t for g in groups for t in g}
    groups += [[t] for t in towns if t not in placed]
    groups = [g[i : i + _MOST] for g in groups for i in range(0, len(g), _MOST)]
    out: list[list[int]] = []
    for group in groups:
        if out and len(out[-1]) + len(group) <= _MOST:
            out[-1].extend(group)
        else:
            out.append(list(group))
    return out


def coverage_tables(source: Source) -> list[Table]:
    """Return coverage by service: the district, the directions, and every township.

    Parameters
    ----------
    source : Source
        The run.
    """
    w = source.words
    lacking = _lacking_table(source)
    radius = _radius_table(source)
    out = [_services_table(source), *([radius] if radius else []), *([lacking] if lacking else [])]
    pieces = _pieces(source)
    for i, zones in enumerate(pieces, start=1):
        rows = []
        for service in source.judged:
            found = [source.covered(z, service) for z in [*zones, source.district]]
            shares = [fig.share(f.covered, f.people) for f in found]
            rows.append([fig.text(source.name(service)), fig.plain(source.level(service)), *shares])
        columns = [(w("service"), "left"), (w("minutes_limit"), "right")]
        columns += [(source.zone_name(z), "right") for z in [*zones, source.district]]
        people = [fig.count(source.zone_people(z)) for z in [*zones, source.district]]
        total = [fig.text(w("all_people")), fig.text(""), *people]
        number = f" {i}/{len(pieces)}" if len(pieces) > 1 else ""
        title = w("table_rates") + number
        out.append(make_table(f"rates_{i}", title, columns, rows, total=total, note=w("note_rates")))
    return out


def zone_tables(source: Source) -> list[Table]:
    """Return the directions and the townships, each with people, area, completeness, and what most people lack.

    Parameters
    ----------
    source : Source
        The run.
    """
    w = source.words
    area = areas_km2(source.context.zone_rows)
    out = []
    for kind in ("direction", "township"):
        zones = source.zones(kind)
        if not zones:
            continue
        columns = [(w(kind), "left"), *([(w("direction"), "left")] if kind == "township" else [])]
        columns += [(w(k), "right") for k in ("people", "people_share", "area", "density")]
        if source.gaps is not None:
            columns.append((w("completeness"), "right"))
        columns += [(w("worst"), "left"), (w("lacking"), "right")]
        rows = [_zone_row(source, z, area, kind) for z in zones]
        total = _zone_row(source, source.district, area, kind)
        total[0] = fig.text(w("sum_of", zone=source.zone_name(source.district)))
        said = source.results.study.directions
        note = (said.note if source.zh else said.note_en) if kind == "direction" else ""
        if kind == "direction" and source.results.study.directions.kind in ("assumed", "synthetic"):
            note = " ".join(n for n in (w("note_directions"), note) if n)
        out.append(make_table(f"{kind}s", w(f"table_{kind}s"), columns, rows, total=total, note=note))
    return out


def worst_service(source: Source, zone: int) -> str:
    """Return the service that most people of a zone lack, of those that people walk to.

    Parameters
    ----------
    source : Source
        The run.
    zone : int
        Position of the zone.
    """
    services = source.walked or source.judged
    return services[int(np.argmax([source.covered(zone, s).lacking for s in services]))]


def _zone_row(source: Source, zone: int, area: Any, kind: str) -> list[Cell]:
    people, whole = source.zone_people(zone), source.zone_people(source.district)
    km2 = float(area[zone])
    row = [fig.text(source.zone_name(zone))]
    if kind == "township":
        mine = source.context.zone_rows.iloc[zone].get("direction")
        row.append(fig.text(mine if isinstance(mine, str) and zone != source.district else ""))
    row += [fig.count(people), fig.share(people, whole), fig.area(km2)]
    row.append(fig.count(people / km2 if km2 > 0 else float("nan")))
    if source.gaps is not None:
        complete = source.completeness(zone)
        row.append(fig.share(complete, 1) if complete == complete else fig.text(fig.DASH))
    worst = worst_service(source, zone)
    words = source.words("service_within", service=source.name(worst), n=f"{source.level(worst):g}")
    return [*row, fig.text(words), fig.people(source.covered(zone, worst).lacking)]
