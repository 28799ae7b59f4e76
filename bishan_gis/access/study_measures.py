"""The measures that a study asks for, computed by name, and their means per zone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.access import decay as decays
from bishan_gis.access.completeness import load_required_set
from bishan_gis.access.measure_choices import measure_costs, open_facilities
from bishan_gis.access.nearest import nearest_cost
from bishan_gis.access.travel_matrix import travel_matrix
from bishan_gis.errors import SchemaError, StudyError
from bishan_gis.measure_settings import load_measures
from bishan_gis.progress import Progress, counting
from bishan_gis.schema import check_columns, nearest_name, weakest_kind

if TYPE_CHECKING:
    from bishan_gis.measure_settings import Decay, Measure
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network

__all__ = [
    "check_services",
    "compute_measures",
    "measure_function",
    "measure_services",
    "measure_settings",
    "zone_measures",
]

_COLUMNS = ["origin_id", "measure_name", "measure", "mode", "profile", "services", "cutoff_s", "value", "unit"]
_COLUMNS += ["status", "unknown_from_s", "kind"]


def measure_function(name: str) -> Callable[..., Any]:
    """Return the function behind a measure of ``data/measures.toml``.

    Examples
    --------
    >>> measure_function("gravity").__module__
    'bishan_gis.access.gravity'
    """
    module, _, function = load_measures()[name]["function"].partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def measure_settings(section: Measure | Decay, keys: Collection[str]) -> dict[str, Any]:
    """Return settings as the Python functions take them: minutes become seconds.

    Parameters
    ----------
    section : Measure or Decay
        Where they are.
    keys : collection of str
        Which; those that are not given are left out.

    Examples
    --------
    >>> from bishan_gis.measure_settings import Decay
    >>> measure_settings(Decay(type="exponential", rate_per_min=0.12), ["rate_per_min"])
    {'rate_per_s': 0.002}
    """
    out: dict[str, Any] = {}
    for key in keys:
        value = getattr(section, key)
        if value is None:
            continue
        if key.endswith("_per_min"):
            out[f"{key.removesuffix('_min')}_s"] = value / 60
        elif key.endswith("_min"):
            out[f"{key.removesuffix('_min')}_s"] = [v * 60 for v in value] if isinstance(value, list) else value * 60
        elif key == "decay":
            needs_may = [k for k in type(value).model_fields if k != "type"]
            out[key] = getattr(decays, value.type)(**measure_settings(value, needs_may))
        else:
            out[key] = value
    return out


def measure_services(measure: Measure) -> list[str]:
    """Return the services of a measure: its own, or those of the set it requires.

    Raises
    ------
    StudyError
        There is no such set.

    Examples
    --------
    >>> from bishan_gis.measure_settings import Measure
    >>> nexi = Measure(name="nexi", measure="completeness", required="nexi")
    >>> measure_services(nexi)[:3]
    ['bank', 'canteen', 'convenience']
    """
    if not measure.required:
        return sorted(set(measure.services))
    return sorted({s for group in load_required_set(measure.required).services.values() for s in group})


def check_services(measures: Sequence[Measure], services: Collection[str]) -> None:
    """Raise when a measure asks for a service that the study does not have; all are named at once.

    Parameters
    ----------
    measures : sequence of Measure
        What is asked for.
    services : collection of str
        What there is.

    Raises
    ------
    StudyError
        One or more services are unknown, or have no facility.
    """
    for m in measures:
        measure_services(m)  # a set that is not there is found before any work
    unknown = [(m.name, s) for m in measures for s in m.services if s not in services]
    if not unknown:
        return
    shown = []
    for name, service in unknown:
        hint = nearest_name(service, services)
        shown.append(f"measures.{name}: {service}" + (f" ({hint}?)" if hint else ""))
    known = ", ".join(sorted(services))
    raise StudyError(
        f"{len(unknown)} 个服务类别不存在或没有设施: {'; '.join(shown)};现有: {known}",
        f"{len(unknown)} services are unknown or have no facility: {'; '.join(shown)}; there are {known}",
    )


def compute_measures(
    measures: Sequence[Measure],
    networks: Mapping[str, tuple[Network, EdgeCosts]],
    cells: pd.DataFrame,
    facilities: pd.DataFrame,
    access_points: Mapping[str, pd.DataFrame],
    *,
    age_groups: Mapping[str, Sequence[str]],
    max_snap_m: Mapping[str, float],
    slope: Mapping[str, str | None] | None = None,
    kind: str = "observed",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Compute every measure of a study.

    Parameters
    ----------
    measures : sequence of Measure
        What is asked for, checked by the study.
    networks : mapping of str to (Network, EdgeCosts)
        Mode -> streets and their costs.
    cells : pandas.DataFrame
        ``cell_id, x, y`` [m] and people per age part.
    facilities : pandas.DataFrame
        ``facility_id, service, capacity``, and ``opening_hours`` for measures at a time; without it no hours are known.
    access_points : mapping of str to pandas.DataFrame
        Mode -> ``facility_id, service, x, y`` [m].
    age_groups : mapping of str to sequence of str
        Age group -> columns of `cells` to add up.
    max_snap_m : mapping of str to float
        Mode -> farther from every street is off the network [m].
    slope : mapping of str to str, optional
        Mode -> slope function in place of the profile's own, for measures with a profile of their own.
    kind : str
        What the inputs rest on.
    progress : callable or bool, optional
        Called with measures done and in all; True draws a bar.

    Returns
    -------
    pandas.DataFrame
        One row per measure (and cutoff) and cell: ``origin_id, measure_name, measure, mode, profile`` (who travels)``,
        services, cutoff_s`` [s], ``value`` in ``unit``, ``status, unknown_from_s`` [s], ``kind``. ``reached``:
        something counts within the cutoff; ``beyond_cutoff``: nothing does, or not enough for this measure; then a sum
        is 0 and a time is NaN, but the time to the nearest is given all the same; ``unreachable``: likewise, and no
        path exists; ``unknown``: nothing within the cutoff, but the data ends within it; ``off_network``: no street is
        near. The last two have no value, but an upper bound where the time to a nearest one is known. A ``reached``
        answer with ``unknown_from_s`` within the cutoff counts only what the data holds.

    Raises
    ------
    StudyError
        A service has no facility, or none that is open at the time of a measure; a profile is unknown, of another mode,
        or for streets that the network of its mode does not have.
    SchemaError
        Facilities lack a capacity and no default is given.

    Notes
    -----
    Travel matrices are made once for each mode, profile, time, direction, offset and set of services, up to the longest
    cutoff. At a time facilities that are known to be closed do not count; those of unknown hours count, and the measure
    is then ``assumed``, unless it says ``drop``. ``attrs["notes"]`` says, in Chinese and English, how many there were.
    Measures over a set of required services give what is certain (``completeness_low``, ``index_low``, ``mean_s``);
    ``unknown``: more data could make it better.
    """
    check_columns(cells, ["cell_id", "x", "y"], where="cells")
    check_columns(facilities, ["facility_id", "service", "capacity"], where="facilities")
    check_services(measures, set(facilities["service"]))
    origins = cells.rename(columns={"cell_id": "origin_id"})[["origin_id", "x", "y"]]
    index = pd.Index(origins["origin_id"], name="origin_id")
    groups: dict[tuple[Any, ...], list[Measure]] = {}
    for m in measures:
        when = (m.at, m.unknown_hours)
        key = (m.mode, m.profile, when, m.direction, m.offset_min, tuple(measure_services(m)))
        groups.setdefault(key, []).append(m)
    found: dict[str, list[pd.DataFrame]] = {}
    notes: list[tuple[str, str]] = []
    priced: dict[tuple[str, str | None], EdgeCosts] = {}
    everything, certain = facilities, kind
    with counting(progress, len(measures), "measures") as step:
        for (mode, who, _, direction, offset_min, services), members in groups.items():
            network = networks[mode][0]
            if (mode, who) not in priced:
                priced[mode, who] = measure_costs(members[0], *networks[mode], slope=(slope or {}).get(mode))
            costs = priced[mode, who]
            facilities, said, guessed = open_facilities(members, everything[everything["service"].isin(services)])
            notes += said
            kind = weakest_kind([certain, "assumed"]) if guessed else certain
            points = access_points[mode]
            points = points[points["service"].isin(services)].assign(offset_s=offset_min * 60)
            points = points[points["facility_id"].isin(facilities["facility_id"])]
            common: dict[str, Any] = {"max_snap_m": max_snap_m[mode], "direction": direction}
            sets = [m for m in members if m.required]
            if sets:
                each = nearest_cost(network, costs, origins, points, search_s=float("inf"), **common).table
                for m in sets:
                    found[m.name] = [_of_set(m, each, index, kind, costs.profile.name)]
                step(len(sets))
                members = [m for m in members if not m.required]
                if not members:
                    continue
            any_of = points.assign(service="any")
            near = nearest_cost(network, costs, origins, any_of, search_s=float("inf"), **common).table.set_index(index)
            matrix = None
            if any(m.measure != "nearest_cost" for m in members):
                longest = max(m.search_min for m in members if m.measure != "nearest_cost") * 60
                matrix = travel_matrix(network, costs, origins, points, cutoff_s=longest, **common)
            for m in members:
                supply, assumed = _supply(m, facilities)
                people = cells[list(age_groups[m.demand])].sum(axis=1).set_axis(index)
                values = (
                    near["value"]
                    if matrix is None or m.measure == "nearest_cost"
                    else _values(m, matrix, supply, people)
                )
                table = values if isinstance(values, pd.DataFrame) else values.to_frame(m.search_min * 60)
                rests_on = weakest_kind([kind, "assumed"]) if assumed else kind
                by = costs.profile.name
                found[m.name] = [_rows(m, near, table[c], float(c), rests_on, by) for c in table.columns]
                step(1)
    frames = [frame for m in measures for frame in found[m.name]]
    out = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=_COLUMNS)
    out.attrs["notes"] = notes
    return out


def _supply(measure: Measure, facilities: pd.DataFrame) -> tuple[pd.Series, bool]:
    """Return what each facility offers, and whether some of it is a default."""
    mine = facilities[facilities["service"].isin(measure.services)].set_index("facility_id")
    if measure.supply == "count":
        return pd.Series(1.0, index=mine.index), False
    capacity = pd.to_numeric(mine["capacity"], errors="coerce").astype(np.float64)
    lacking = int(capacity.isna().sum())
    if lacking and measure.default_capacity is None:
        raise SchemaError(
            f"measures.{measure.name}: {len(mine)} 个设施中 {lacking} 个没有容量;请补全, 设置 default_capacity, "
            '或用 supply = "count"',
            f"measures.{measure.name}: {lacking} of {len(mine)} facilities have no capacity; complete it, set "
            'default_capacity, or use supply = "count"',
        )
    return capacity.fillna(measure.default_capacity or 0.0), lacking > 0


def _values(measure: Measure, matrix: pd.DataFrame, supply: pd.Series, people: pd.Series) -> pd.Series | pd.DataFrame:
    """Call the function of a measure with what it takes."""
    function = measure_function(measure.measure)
    takes = signature(function).parameters
    row = load_measures()[measure.measure]
    given = [k for k in (*row["needs"], *row["may"]) if k not in ("supply", "demand", "cutoff_min")]
    settings = measure_settings(measure, given)
    if "cutoff_s" in takes:
        settings |= measure_settings(measure, ["cutoff_min"])
    if "demand" in takes:
        settings["demand"] = people
    else:
        settings["origins"] = people.index
    if "supply" in takes:
        settings["supply"] = supply
    within = matrix[matrix["cost_s"] <= measure.search_min * 60]
    values: pd.Series | pd.DataFrame = function(within, **settings)
    return values


def _of_set(measure: Measure, access: pd.DataFrame, index: pd.Index, kind: str, by: str) -> pd.DataFrame:
    """Return the rows of a measure over a set of required services; a service that is nowhere counts as missing."""
    wanted = load_required_set(measure.required or "")
    settings: dict[str, Any] = {"weights": wanted.weights, "absent": "missing"}
    function = measure_function(measure.measure)
    if "cutoff_s" in signature(function).parameters:
        settings["cutoff_s"] = wanted.cutoffs_s
    table = function(access, wanted.services, **settings).reindex(index)
    value = table.iloc[:, 0].to_numpy(dtype=np.float64)
    status = table["status"].to_numpy(dtype=object)
    return pd.DataFrame(
        {
            "origin_id": index,
            "measure_name": measure.name,
            "measure": measure.measure,
            "mode": measure.mode,
            "profile": by,
            "services": wanted.key,
            "cutoff_s": max(wanted.cutoffs_s.values()),
            "value": np.where(np.isfinite(value) & (status != "off_network"), value, np.nan),
            "unit": load_measures()[measure.measure]["unit"],
            "status": status,
            "unknown_from_s": access.groupby("origin_id")["unknown_from_s"].min().reindex(index).to_numpy(),
            "kind": kind,
        }
    )


def _rows(measure: Measure, near: pd.DataFrame, values: pd.Series, cutoff_s: float, kind: str, by: str) -> pd.DataFrame:
    """Say what each value is and how certain."""
    row = load_measures()[measure.measure]
    numbers = values.to_numpy(dtype=np.float64)
    first = near["value"].to_numpy(dtype=np.float64)
    status = near["status"].to_numpy(dtype=object).copy()
    off, lost = status == "off_network", status == "unknown"
    here = ~off & (first <= cutoff_s) & np.isfinite(numbers)
    path = ~off & np.isfinite(first)
    status[path] = "beyond_cutoff"
    status[here] = "reached"
    ends = path & ~here & (near["unknown_from_s"].to_numpy(dtype=np.float64) <= cutoff_s)
    status[ends] = "unknown"
    if measure.measure != "nearest_cost":
        numbers = np.where(off | lost | ends, np.nan, numbers)
    unit = "s" if measure.in_seconds else row["unit"].replace("supply", _SUPPLY[measure.supply])
    return pd.DataFrame(
        {
            "origin_id": near.index,
            "measure_name": measure.name,
            "measure": measure.measure,
            "mode": measure.mode,
            "profile": by,
            "services": "+".join(measure.services),
            "cutoff_s": cutoff_s,
            "value": numbers,
            "unit": unit,
            "status": status,
            "unknown_from_s": near["unknown_from_s"].to_numpy(dtype=np.float64),
            "kind": kind,
        }
    )


_SUPPLY = {"count": "facilities", "capacity": "places"}


def zone_measures(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    zones: pd.DataFrame,
    *,
    measures: Sequence[Measure],
    age_groups: Mapping[str, Sequence[str]],
    member: Mapping[str, str],
    lang: str = "zh",
) -> pd.DataFrame:
    """Average measures over the people of every zone.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`compute_measures` returned.
    cells : pandas.DataFrame
        ``cell_id``, people per age part, and the columns named by `member`.
    zones : pandas.DataFrame
        ``zone_kind, zone_id, name``.
    measures : sequence of Measure
        For the age group of each.
    age_groups : mapping of str to sequence of str
        Age group -> columns of `cells` to add up.
    member : mapping of str to str
        Kind of zone -> column of `cells` with the zone's id.
    lang : str
        Language of ``label``: zh or en.

    Returns
    -------
    pandas.DataFrame
        One row per measure, cutoff and zone: ``zone_kind, zone_id, zone_name, measure_name, label, measure, mode,
        profile, services, cutoff_s, age_group, people, people_reached, people_unknown, people_valued, value, unit,
        kind``. ``value`` is the mean over the ``people_valued`` who have one, NaN where nobody has;
        ``people_unknown`` are those off the network or for whom the data ends within the cutoff.
    """
    group = {m.name: m.demand for m in measures}
    label = {m.name: getattr(m, lang) or load_measures()[m.measure][lang] for m in measures}
    frames = []
    keys = ["measure_name", "measure", "mode", "profile", "services", "cutoff_s", "unit", "kind"]
    for key, rows in table.groupby(keys, sort=False):
        facts: dict[str, Any] = dict(zip(keys, key, strict=True))
        part = cells.merge(
            rows[["origin_id", "value", "status"]], left_on="cell_id", right_on="origin_id", validate="1:1"
        )
        facts["age_group"] = group[facts["measure_name"]]
        facts["label"] = label[facts["measure_name"]]
        people = part[list(age_groups[facts["age_group"]])].sum(axis=1)
        valued = part["value"].notna()
        sums = pd.DataFrame(
            {
                "people": people,
                "people_reached": people * (part["status"] == "reached"),
                "people_unknown": people * part["status"].isin(["off_network", "unknown"]),
                "people_valued": people * valued,
                "_sum": people * part["value"].fillna(0.0),
            }
        )
        for kind_of_zone, column in member.items():
            mine = zones.loc[zones["zone_kind"] == kind_of_zone, ["zone_kind", "zone_id", "name"]]
            total = sums.groupby(part[column]).sum().reindex(mine["zone_id"], fill_value=0)
            heads = total["people_valued"].to_numpy(dtype=np.float64)
            mean = np.divide(total["_sum"].to_numpy(), heads, out=np.full(len(heads), np.nan), where=heads > 0)
            out = mine.rename(columns={"name": "zone_name"}).reset_index(drop=True).assign(**facts, value=mean)
            for c in ("people", "people_reached", "people_unknown", "people_valued"):
                out[c] = total[c].to_numpy(dtype=np.int64)
            frames.append(out)
    order = ["zone_kind", "zone_id", "zone_name", "measure_name", "label", "measure", "mode", "profile", "services"]
    order += ["cutoff_s", "age_group", "people", "people_reached", "people_unknown", "people_valued", "value"]
    order += ["unit", "kind"]
    return pd.concat(frames, ignore_index=True)[order] if frames else pd.DataFrame(columns=order)
