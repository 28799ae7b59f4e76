"""Maps for print: one sheet each, as PNG, SVG or PDF, equal byte for byte when the results are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import InputError
from bishan_gis.output.files import Staging
from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps.context import Context, whole
from bishan_gis.output.static_findings import completeness_map, gap_map, siting_map
from bishan_gis.output.static_marks import box, draw_classes, draw_facilities, finish_map
from bishan_gis.output.static_page import new_sheet
from bishan_gis.output.tokens import GAP, INK, NEAREST, NEAREST_MIN, UNKNOWN, reach_colors

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bishan_gis.results import Results

__all__ = ["FORMATS", "MAPS", "static_map", "static_map_files", "write_static_maps"]

MAPS = ("directions", "coverage", "nearest", "gaps", "completeness", "siting")
FORMATS = ("png", "svg", "pdf")
_DPI = 300


def static_map(
    results: Results, what: str, *, service: str | None = None, cutoff_min: float | None = None, lang: str = "zh"
) -> Figure:
    """Draw a map for print.

    Parameters
    ----------
    results : Results
        A run; ``gaps, completeness, siting`` need its findings.
    what : {"directions", "coverage", "nearest", "gaps", "completeness", "siting"}
        What is shown: directions and towns; who is covered; minutes to the nearest; what is missing; the share of
        services within reach; where a plan builds.
    service : str, optional
        Key of a service, for ``coverage, nearest, gaps, siting``. Left out: the study's default; all services for
        ``gaps``; the first plan for ``siting``.
    cutoff_min : float, optional
        Walking time of ``coverage`` [min], one of the study's; the standard of the service where left out.
    lang : {"zh", "en"}
        Language of all words.

    Returns
    -------
    matplotlib.figure.Figure
        A4, upright where the district is; ``figure.savefig(path)`` writes it.

    Raises
    ------
    InputError
        There is no such map, service, walking time or plan in the results.

    Notes
    -----
    The map is drawn in the working CRS, so the scale bar is true in metres. Cells are of the colour of their exact
    time, not of a polygon; those of which the data cannot tell are hatched. The legend counts people, and its sum is
    the population.

    Examples
    --------
    >>> figure = static_map(results, "coverage", service="kindergarten")  # doctest: +SKIP
    >>> figure.savefig("kindergarten.pdf")  # doctest: +SKIP
    """
    if what not in MAPS:
        raise InputError(f"没有地图 {what!r};可用: {', '.join(MAPS)}", f"no map {what!r}; there are {', '.join(MAPS)}")
    if results.study.lang != lang:
        results = replace(results, study=results.study.model_copy(update={"lang": lang}))
    context = Context(results)
    if service is not None and what != "siting" and service not in context.services.index:
        known = ", ".join(map(str, context.services.index))
        raise InputError(f"没有设施类别 {service!r};可用: {known}", f"no service {service!r}; there are {known}")
    if what in ("gaps", "completeness", "siting") and results.findings is None:
        raise InputError(
            f"地图 {what} 需要缺口分析;请以 findings=True 运行研究",
            f"map {what} needs the findings of a run; run the study with findings=True",
        )
    if what == "directions":
        return _directions(context)
    if what == "coverage":
        return _coverage(context, service or context.default_service, cutoff_min)
    if what == "nearest":
        return _nearest(context, service or context.default_service)
    if what == "gaps":
        return gap_map(context, service)
    return completeness_map(context) if what == "completeness" else siting_map(context, service)


def _directions(context: Context) -> Figure:
    words, rows = context.labels, context.zone_rows
    dirs = rows[rows["zone_kind"] == "direction"]
    total = int(context.numbers[0, 0, 0, 0, 0])
    towns = rows[rows["zone_kind"] == "township"]
    subtitle = words("sm_sub_directions", people=fmt.exact(total), n=len(dirs), towns=len(towns))
    directions = context.results.study.directions
    note = directions.note if context.labels.lang == "zh" else directions.note_en
    sheet = new_sheet(context, words("sm_title_directions", place=context.place), subtitle)
    colors = [context.direction_colors[str(n)] for n in dirs["name"]]
    sheet.polygons(dirs.geometry, np.array(colors, dtype=object), z=0.4, alpha=0.3)
    sheet.lines(dirs.geometry, INK["muted"], width=0.9, z=5.05)
    if len(dirs):
        at = dirs.geometry.representative_point()
        sheet.labels(dirs["name"].astype(str).tolist(), np.column_stack([at.x, at.y]), size=13, color=INK["ink"])
        sheet.heading(words("directions"), words("people"))
        heads = context.numbers[dirs.index.to_numpy(), 0, 0, 0, 0]
        for name, color, n in zip(dirs["name"], colors, heads, strict=True):
            sheet.row(box(_pale(color)), str(name), fmt.people(int(n)))
        sheet.row(None, words("sum"), fmt.exact(int(heads.sum())))
        if note:
            sheet.note(context.sentence(note))
    if len(towns):
        heads = context.numbers[towns.index.to_numpy(), 0, 0, 0, 0]
        sheet.heading(words("by_township"), words("people"))
        for i in np.argsort(-heads, kind="stable")[:30]:
            sheet.row(None, str(towns["name"].iloc[i]), fmt.people(int(heads[i])))
    return finish_map(sheet)


def _pale(color: str) -> str:
    parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - (255 - p) * 0.3):02x}" for p in parts)


def _times(context: Context, service: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the time to the nearest, and the time from which the data cannot tell, of each cell [s]."""
    access = context.results.access
    access = access[(access["service"] == service) & (access["measure"] == "nearest")]
    rows = access.set_index("origin_id").reindex(context.results.cells["cell_id"])
    leaves = rows["unknown_from_s"].to_numpy(float, copy=True)
    leaves[(rows["status"] == "off_network").to_numpy()] = 0
    return rows["value"].to_numpy(float), leaves


def _coverage(context: Context, service: str, cutoff_min: float | None) -> Figure:
    words, name = context.labels, context.service_name(service)
    cutoff = context.shown(service) if cutoff_min is None else float(cutoff_min)
    if cutoff not in context.cutoffs:
        shown = ", ".join(f"{c:g}" for c in context.cutoffs)
        raise InputError(
            f"没有 {cutoff:g} 分钟的结果;可用: {shown}", f"no results for {cutoff:g} min; there are {shown}"
        )
    place = (0, context.services.index.get_loc(service), context.cutoffs.index(cutoff), 0)
    people, covered, unknown = (int(v) for v in context.numbers[place])
    value, leaves = _times(context, service)
    reach = [c for c in context.cutoffs if c <= cutoff]
    of = np.full(len(value), len(reach), dtype=np.int64)
    of[~(value <= cutoff * 60) & (leaves <= cutoff * 60)] = len(reach) + 1
    for i in range(len(reach) - 1, -1, -1):
        of[value <= reach[i] * 60] = i
    shades = reach_colors(len(context.cutoffs))
    classes = [(shades[i], words("sm_within", n=whole(c))) for i, c in enumerate(reach)]
    classes += [(GAP, words("cov_gap")), (UNKNOWN, words("cov_unknown"))]
    title = words("sm_title_coverage", place=context.place, service=name, n=whole(cutoff))
    subtitle = words(
        "sm_sub_coverage",
        p=fmt.percent(covered, people),
        a=fmt.people(covered),
        b=fmt.exact(people),
        u=fmt.people(unknown),
    )
    sheet = new_sheet(context, title, subtitle)
    draw_classes(sheet, words("legend_minutes"), classes, of)
    draw_facilities(sheet, service)
    standard, clause, tag = (str(context.services.loc[service, c]) for c in ("standard", "clause", "tag"))
    sheet.note(words("sm_standard", n=whole(context.shown(service)), text=f"{standard} {clause} [{tag}]"))
    return finish_map(sheet)


def _nearest(context: Context, service: str) -> Figure:
    words, name = context.labels, context.service_name(service)
    value, leaves = _times(context, service)
    known = np.isfinite(value)
    of = np.searchsorted(np.array(NEAREST_MIN) * 60, np.where(known, value, 1e9))
    ends = (0, *NEAREST_MIN)
    # Unknown is what a facility beyond the data could put into a nearer class.
    of[(of > 0) & (leaves <= np.array(ends)[of] * 60)] = len(NEAREST)
    classes = [(NEAREST[i], f"{ends[i]}–{ends[i + 1]} {words('min')}") for i in range(len(NEAREST_MIN))]
    classes += [(NEAREST[-1], words("sm_over", n=NEAREST_MIN[-1])), (UNKNOWN, words("cov_unknown"))]
    people = context.results.cells["people"].to_numpy(np.int64)
    order = np.argsort(np.where(known, value, np.inf), kind="stable")
    middle = value[order][np.searchsorted(np.cumsum(people[order]), people.sum() / 2)] if people.sum() else np.nan
    half = fmt.minutes(float(middle)) if np.isfinite(middle) else "—"
    title = words("sm_title_nearest", place=context.place, service=name)
    sheet = new_sheet(context, title, words("sm_sub_nearest", service=name, n=half))
    draw_classes(sheet, words("legend_minutes"), classes, of)
    draw_facilities(sheet, service)
    return finish_map(sheet)


def static_map_files(
    results: Results,
    *,
    formats: Sequence[str] = ("png",),
    services: Sequence[str] = (),
    lang: str | None = None,
    dpi: int = _DPI,
) -> Iterator[tuple[str, bytes]]:
    """Draw the maps of a run, one after the other.

    Parameters
    ----------
    results : Results
        A run.
    formats : sequence of {"png", "svg", "pdf"}
        Kinds of file.
    services : sequence of str
        Services to draw coverage and nearest times of; the study's default where left out.
    lang : {"zh", "en"}, optional
        Language; the study's where left out.
    dpi : int
        Points of a PNG on an inch.

    Yields
    ------
    tuple of str and bytes
        Name of the file, and its content: the same for the same results.

    Raises
    ------
    InputError
        No such format or service.
    """
    import matplotlib as mpl

    if wrong := [f for f in formats if f not in FORMATS]:
        raise InputError(f"没有图片格式 {wrong};可用: {FORMATS}", f"no picture format {wrong}; there are {FORMATS}")
    context = Context(results)
    wanted: list[tuple[str, str, str | None]] = [("directions", "directions", None)]
    for s in dict.fromkeys(services or [context.default_service]):
        wanted += [(f"coverage_{s}", "coverage", s), (f"nearest_{s}", "nearest", s)]
    if results.findings is not None:
        wanted += [("gaps", "gaps", None), ("completeness", "completeness", None)]
        plans = dict.fromkeys(p.service for p in results.findings.plans)
        wanted += [(f"siting_{s}", "siting", s) for s in plans]
    settings: Any = {"svg.hashsalt": "bishan_gis", "svg.fonttype": "path", "pdf.compression": 9}
    bare: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    for name, what, service in wanted:
        figure = static_map(results, what, service=service, lang=lang or results.study.lang)
        for kind in formats:
            buffer = BytesIO()
            with mpl.rc_context(settings):
                figure.savefig(buffer, format=kind, dpi=dpi, metadata=bare[kind])
            yield f"map_{name}.{kind}", buffer.getvalue()
        figure.clear()


def write_static_maps(
    results: Results,
    folder: Path,
    *,
    formats: Sequence[str] = ("png",),
    services: Sequence[str] = (),
    lang: str | None = None,
) -> list[Path]:
    """Write the maps of a run, all of them or none.

    Parameters
    ----------
    results : Results
        A run; with findings also gaps, completeness and sites.
    folder : pathlib.Path
        Where to.
    formats : sequence of {"png", "svg", "pdf"}
        Kinds of file.
    services : sequence of str
        Services to draw coverage and nearest times of; the study's default where left out.
    lang : {"zh", "en"}, optional
        Language; the study's where left out.

    Returns
    -------
    list of pathlib.Path
        ``map_<what>.<format>``.

    Raises
    ------
    InputError
        No such format or service.
    OutputError
        A file cannot be written.
    """
    with Staging({"maps": folder}) as out:
        for name, content in static_map_files(results, formats=formats, services=services, lang=lang):
            out.path("maps", name).write_bytes(content)
        return out.commit()
