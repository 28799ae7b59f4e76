"""The edits of a scenario to facilities, people and walkers: tables in, new tables out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.crs import to_working
from bishan_gis.errors import StudyError
from bishan_gis.places.classes import load_classes
from bishan_gis.places.population import build_cells, largest_remainder
from bishan_gis.places.weights import cut_by_zone
from bishan_gis.planning.scenarios import raise_problems
from bishan_gis.schema import nearest_name

if TYPE_CHECKING:
    import geopandas as gpd
    from pyproj import CRS

    from bishan_gis.network.costs import SpeedProfile
    from bishan_gis.planning.scenarios import AddHousing, GrowPopulation, Scenario, _Placed
    from bishan_gis.study import Study
    from bishan_gis.study_settings import Cells

__all__ = [
    "add_housing",
    "edit_controls",
    "edit_facilities",
    "edit_places",
    "edit_profile",
    "touched_services",
    "unknown_townships",
]

_FAR_M = 5000.0


def _xy(edit: _Placed, crs: CRS) -> tuple[float, float]:
    if edit.x is not None and edit.y is not None:
        return edit.x, edit.y
    x, y = to_working(np.array([edit.lon], dtype=float), np.array([edit.lat], dtype=float), crs)
    return float(x[0]), float(y[0])


def _unknown(where: str, what: tuple[str, str], name: str, known: Iterable[str]) -> tuple[str, str]:
    """Return the problem that a name is not known, with the nearest one."""
    names = [str(k) for k in known]
    hint = nearest_name(name, names)
    zh = f"最接近的是 {hint}" if hint else f"可用: {', '.join(names[:12])}"
    en = f"the nearest is {hint}" if hint else f"known: {', '.join(names[:12])}"
    return f"{where}: 没有{what[0]} {name};{zh}", f"{where}: no {what[1]} {name}; {en}"


def edit_facilities(
    facilities: gpd.GeoDataFrame, scenario: Scenario, *, services: Iterable[str], crs: CRS
) -> tuple[gpd.GeoDataFrame, list[str]]:
    """Add, move, resize and close facilities, in this order.

    Parameters
    ----------
    facilities : geopandas.GeoDataFrame
        ``facility_id, service, name, capacity, source, kind, geometry`` in `crs`; further columns are empty for what
        is added.
    scenario : Scenario
        The edits; choose a year before with :meth:`~bishan_gis.planning.scenarios.Scenario.at_year`.
    services : iterable of str
        Services that may be added: those of the study's class table.
    crs : pyproj.CRS
        Working CRS [m].

    Returns
    -------
    geopandas.GeoDataFrame, list of str
        The facilities by id, and the ids that were added, moved or changed and are still there. What is added, moved
        or resized is ``assumed`` (unless it was synthetic) and its ``source`` names the scenario.

    Raises
    ------
    StudyError
        A service or facility is unknown, an id is taken, or a place lies farther than 5 km from every facility: all
        problems are named at once.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from bishan_gis.planning.scenarios import Scenario
    >>> row = {"facility_id": "a", "service": "park", "name": "", "capacity": 1.0, "source": "s", "kind": "observed"}
    >>> town = gpd.GeoDataFrame([row], geometry=gpd.points_from_xy([600000], [3270000]), crs="EPSG:4544")
    >>> plan = Scenario.model_validate(
    ...     {"scenario": {"name": "p"}, "add_facility": [{"service": "park", "x": 600100, "y": 3270000}]}
    ... )
    >>> edit_facilities(town, plan, services=["park"], crs=town.crs)[0][["facility_id", "kind"]].values.tolist()
    [['a', 'observed'], ['plan/1', 'assumed']]
    """
    import geopandas as gpd

    frame = facilities.sort_values("facility_id", ignore_index=True)
    services = list(services)
    ids = frame["facility_id"].tolist()
    problems: list[tuple[str, str]] = []
    rows = []
    for i, add in enumerate(scenario.add_facility, start=1):
        where, own = f"add_facility[{i}]", str(add.facility_id)
        if add.service not in services:
            problems.append(_unknown(f"{where}.service", ("服务类别", "service"), add.service, services))
        if own in ids:
            problems.append((f"{where}: 编号 {own} 已存在;请换一个", f"{where}: the id {own} is taken; choose another"))
        ids.append(own)
        problems += _too_far(where, _xy(add, crs), facilities)
        row: dict[str, Any] = {"facility_id": own, "service": add.service, "name": add.name}
        row |= {"capacity": np.nan if add.capacity is None else float(add.capacity), "source": scenario.source}
        rows.append({**row, "kind": "assumed", "geometry": gpd.points_from_xy(*([v] for v in _xy(add, crs)))[0]})
    for sort in ("move_facility", "resize_facility", "close_facility"):
        for i, edit in enumerate(getattr(scenario, sort), start=1):
            if edit.facility_id not in ids:
                where = f"{sort}[{i}].facility_id"
                problems.append(_unknown(where, ("设施", "facility"), edit.facility_id, ids))
    for i, move in enumerate(scenario.move_facility, start=1):
        problems += _too_far(f"move_facility[{i}]", _xy(move, crs), facilities)
    raise_problems(scenario.file.name, problems)

    if rows:
        # Columns the edit says nothing about: "" for texts, missing for the rest.
        texts = [c for c in frame.columns if c not in rows[0] and pd.api.types.infer_dtype(frame[c]) == "string"]
        added = gpd.GeoDataFrame(rows, geometry="geometry", crs=crs).assign(**dict.fromkeys(texts, ""))
        frame = pd.concat([frame, added.reindex(columns=frame.columns)], ignore_index=True)
    place = {v: i for i, v in enumerate(frame["facility_id"])}
    changed = {str(r["facility_id"]) for r in rows}
    shape, capacity = frame.geometry.to_numpy().copy(), frame["capacity"].to_numpy(dtype=float).copy()
    for move in scenario.move_facility:
        shape[place[move.facility_id]] = gpd.points_from_xy(*([v] for v in _xy(move, crs)))[0]
        changed.add(move.facility_id)
    for resize in scenario.resize_facility:
        capacity[place[resize.facility_id]] = resize.capacity
        changed.add(resize.facility_id)
    edited = frame["facility_id"].isin(changed)
    kind = frame["kind"].where(~edited | (frame["kind"] == "synthetic"), "assumed")
    out = frame.assign(capacity=capacity, kind=kind, source=frame["source"].where(~edited, scenario.source))
    out = gpd.GeoDataFrame(out.drop(columns=frame.geometry.name), geometry=shape, crs=crs)[list(frame.columns)]
    gone = {c.facility_id for c in scenario.close_facility}
    out = out[~out["facility_id"].isin(gone)].sort_values("facility_id", ignore_index=True)
    return out, sorted(changed - gone)


def _too_far(where: str, xy: tuple[float, float], facilities: gpd.GeoDataFrame) -> list[tuple[str, str]]:
    west, south, east, north = facilities.total_bounds
    far = max(west - xy[0], xy[0] - east, south - xy[1], xy[1] - north, 0.0)
    if far <= _FAR_M or not len(facilities):
        return []
    km = f"{far / 1000:,.0f} km"
    return [
        (
            f"{where}: 位置在所有设施以外 {km};请检查经纬度顺序或坐标系",
            f"{where}: the place lies {km} outside of all facilities; check the order of lon and lat, or the CRS",
        )
    ]


def touched_services(facilities: pd.DataFrame, scenario: Scenario) -> list[str]:
    """Return the services whose facilities a scenario changes, sorted.

    Parameters
    ----------
    facilities : pandas.DataFrame
        ``facility_id, service`` before the edits.
    scenario : Scenario
        The edits.
    """
    named = {e.facility_id for e in scenario.close_facility}
    named |= {e.facility_id for e in scenario.move_facility} | {e.facility_id for e in scenario.resize_facility}
    found = set(facilities.loc[facilities["facility_id"].isin(named), "service"])
    return sorted(found | {a.service for a in scenario.add_facility})


def edit_places(
    facilities: gpd.GeoDataFrame, services: pd.DataFrame, scenario: Scenario, study: Study
) -> tuple[gpd.GeoDataFrame, pd.DataFrame, list[str]]:
    """Edit the facilities of a study and the table of its services with them.

    Parameters
    ----------
    facilities : geopandas.GeoDataFrame
        See :func:`edit_facilities`; its CRS is the working one.
    services : pandas.DataFrame
        Classes that have facilities, indexed by ``key``.
    scenario : Scenario
        The edits.
    study : Study
        Says where the class table is.

    Returns
    -------
    geopandas.GeoDataFrame, pandas.DataFrame, list of str
        Facilities; the classes that have facilities now, in the order of the class table; the ids that changed.
    """
    own = study.raw(study.services.classes) if study.services.classes else None
    classes = load_classes(own, include=study.services.include)
    out, changed = edit_facilities(facilities, scenario, services=classes, crs=facilities.crs)
    columns = [c for c in services.columns if c != "n"]
    present = set(out["service"])
    rows = {k: [getattr(c, name) for name in columns] for k, c in classes.items() if k in present}
    table = pd.DataFrame(list(rows.values()), columns=columns, index=pd.Index(rows, name=services.index.name))
    return out, table, changed


def edit_controls(
    controls: pd.DataFrame, scenario: Scenario, townships: pd.DataFrame, *, parts: Sequence[str]
) -> pd.DataFrame:
    """Let the control totals of townships grow, so that people are placed where the same weights say.

    Parameters
    ----------
    controls : pandas.DataFrame
        ``zone_id, people`` and one integer column per part.
    scenario : Scenario
        The edits, applied one after the other.
    townships : pandas.DataFrame
        ``zone_id, name``.
    parts : sequence of str
        Age groups that add up to ``people``.

    Returns
    -------
    pandas.DataFrame
        Whole numbers: a factor is applied to everybody and rounded half up, the sum is shared among the parts by
        largest remainder; added people are shared likewise, or are those of the ages given.

    Raises
    ------
    StudyError
        A township or part is unknown, or fewer than nobody would be left; all problems are named at once.

    Examples
    --------
    >>> from bishan_gis.planning.scenarios import Scenario
    >>> controls = pd.DataFrame({"zone_id": ["1"], "people": [10], "young": [4], "old": [6]})
    >>> towns = pd.DataFrame({"zone_id": ["1"], "name": ["East"]})
    >>> plan = Scenario.model_validate(
    ...     {"scenario": {"name": "p"}, "grow_population": [{"township": "East", "factor": 1.5}]}
    ... )
    >>> edit_controls(controls, plan, towns, parts=["young", "old"]).values.tolist()
    [['1', 15, 6, 9]]
    """
    out = controls.copy()
    attrs = controls.attrs
    names = _township_ids(townships)
    parts = list(parts)
    problems: list[tuple[str, str]] = []
    for i, grow in enumerate(scenario.grow_population, start=1):
        where = f"grow_population[{i}]"
        zone = names.get(grow.township)
        row = out.index[out["zone_id"].astype(str) == zone]
        if zone is None or not len(row):
            problems.append(_unknown(f"{where}.township", ("街镇", "township"), grow.township, names))
            continue
        wrong = [_unknown(f"{where}.ages", ("年龄组", "age part"), a, parts) for a in grow.ages if a not in parts]
        problems += wrong
        if wrong:
            continue
        before = out.loc[row[0], ["people", *parts]].to_numpy(dtype=np.int64)
        after = _grown(before, grow, parts)
        if (after < 0).any():
            problems.append((f"{where}: 人口将为负", f"{where}: fewer than nobody would be left"))
            continue
        out.loc[row[0], ["people", *parts]] = after
    raise_problems(scenario.file.name, problems)
    out = out.astype(controls.dtypes.to_dict())
    out.attrs = attrs
    return out


def _township_ids(townships: pd.DataFrame) -> dict[str, str]:
    """Return the ids of townships by name and by id."""
    names = {str(n): str(z) for n, z in zip(townships["name"], townships["zone_id"], strict=True)}
    return names | {str(z): str(z) for z in townships["zone_id"]}


def unknown_townships(scenario: Scenario, townships: pd.DataFrame) -> list[tuple[str, str]]:
    """Name the townships of a scenario that are not there.

    Parameters
    ----------
    scenario : Scenario
        The edits.
    townships : pandas.DataFrame
        ``zone_id, name``.

    Returns
    -------
    list of (zh, en)
        One problem each.
    """
    names = _township_ids(townships)
    return [
        _unknown(f"grow_population[{i}].township", ("街镇", "township"), grow.township, names)
        for i, grow in enumerate(scenario.grow_population, start=1)
        if grow.township not in names
    ]


def _grown(before: Any, grow: GrowPopulation, parts: Sequence[str]) -> Any:
    if grow.ages:
        add = np.array([grow.ages.get(p, 0) for p in parts], dtype=np.int64)
        return np.r_[before[0] + add.sum(), before[1:] + add]
    total = (
        int(np.floor(before[0] * grow.factor + 0.5)) if grow.factor is not None else before[0] + int(grow.people or 0)
    )
    if total < 0 or not parts:
        return np.r_[total, before[1:]]
    return np.r_[total, largest_remainder(int(total), before[1:])]


def add_housing(
    cells: gpd.GeoDataFrame,
    check: pd.DataFrame,
    scenario: Scenario,
    townships: gpd.GeoDataFrame,
    *,
    settings: Cells,
    parts: Sequence[str],
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Put the people of new homes on cells of their own, so that those who live there already stay as they are.

    Parameters
    ----------
    cells, check : geopandas.GeoDataFrame, pandas.DataFrame
        From :func:`~bishan_gis.places.population.build_cells`.
    scenario : Scenario
        The edits.
    townships : geopandas.GeoDataFrame
        ``zone_id`` and polygons in the working CRS.
    settings : Cells
        Size of the cells.
    parts : sequence of str
        Age groups that add up to ``people``.

    Returns
    -------
    cells, check : geopandas.GeoDataFrame, pandas.DataFrame
        The new cells have ids with ``+h1`` (the number of the edit) behind them and are ``assumed``; controls and
        placed people grow by the same numbers. People whose ages are not given have those of their township.

    Raises
    ------
    StudyError
        A part is unknown, or homes lie outside of all townships; all problems are named at once.
    """
    import geopandas as gpd

    parts = list(parts)
    found: list[gpd.GeoDataFrame] = []
    problems: list[tuple[str, str]] = []
    for i, homes in enumerate(scenario.add_housing, start=1):
        where = f"add_housing[{i}]"
        problems += [_unknown(f"{where}.ages", ("年龄组", "age part"), a, parts) for a in homes.ages if a not in parts]
        ground = gpd.GeoDataFrame({"weight": [1.0]}, geometry=[_ground(homes, cells.crs)], crs=cells.crs)
        zones = townships.sort_values("zone_id", ignore_index=True)
        pieces, outside = cut_by_zone(ground, zones, ["weight"])
        if outside["weight"] > 0.01 or pieces.empty:
            problems.append(
                (
                    f"{where}: {outside['weight']:.0%} 在所有街镇之外;请检查坐标",
                    f"{where}: {outside['weight']:.0%} of it lies outside of all townships; check the coordinates",
                )
            )
        if problems:
            continue
        shares = pieces.groupby("zone_id")["weight"].sum()
        controls = _housing_controls(homes, shares, check, parts)
        some = zones[zones["zone_id"].isin(shares.index)]
        new, _ = build_cells(controls, some, ground, cells=settings, crs=cells.crs, parts=parts, kind="assumed")
        found.append(new.assign(cell_id=new["cell_id"] + f"+h{i}"))
    raise_problems(scenario.file.name, problems)
    if not found:
        return cells, check
    out = gpd.GeoDataFrame(pd.concat([cells, *found], ignore_index=True), crs=cells.crs)
    out = out[list(cells.columns)].sort_values("cell_id", ignore_index=True)
    out.attrs = cells.attrs
    added = pd.concat(found).groupby("zone_id")[["people", *parts]].sum().rename(columns={"people": "all"})
    long = added.reset_index().melt("zone_id", var_name="part", value_name="n")
    extra = check[["zone_id", "part"]].merge(long, how="left", validate="1:1")["n"].fillna(0).to_numpy(np.int64)
    return out, check.assign(control=check["control"] + extra, placed=check["placed"] + extra)


def _ground(homes: AddHousing, crs: CRS) -> Any:
    import shapely

    if homes.polygon is None:
        return shapely.Point(_xy(homes, crs))
    corners = np.asarray(homes.polygon, dtype=float)
    if homes.coordinates == "lonlat":
        corners = np.column_stack(to_working(corners[:, 0], corners[:, 1], crs))
    return shapely.make_valid(shapely.Polygon(corners))


def _housing_controls(homes: AddHousing, shares: pd.Series, check: pd.DataFrame, parts: Sequence[str]) -> pd.DataFrame:
    """Return the new people of each township and part."""
    weights = shares.to_numpy(dtype=float)
    out = pd.DataFrame({"zone_id": shares.index.to_numpy(dtype=object)})
    if homes.ages:
        for part in parts:
            out[part] = largest_remainder(homes.ages.get(part, 0), weights)
        out.insert(1, "people", out[list(parts)].sum(axis=1))
        return out
    out["people"] = largest_remainder(int(homes.people or 0), weights)
    if parts:
        there = check.pivot_table(index="zone_id", columns="part", values="control", aggfunc="sum")
        split = [
            largest_remainder(int(n), there.loc[zone, list(parts)])
            for zone, n in zip(out["zone_id"], out["people"], strict=True)
        ]
        out[list(parts)] = np.array(split, dtype=np.int64)
    return out


def edit_profile(profile: SpeedProfile, scenario: Scenario) -> SpeedProfile:
    """Return who walks in a scenario.

    Parameters
    ----------
    profile : SpeedProfile
        Who walks in the study.
    scenario : Scenario
        The last edit of walkers counts for the profile, the product of all factors for the speed.

    Raises
    ------
    StudyError
        No such profile, or not one that walks.
    """
    from bishan_gis.network.costs import load_profile

    factor = 1.0
    for i, edit in enumerate(scenario.walkers, start=1):
        if edit.profile is not None:
            profile = load_profile(edit.profile)
            if profile.mode != "walk":
                where = f"{scenario.file.name}: walkers[{i}].profile"
                raise StudyError(f"{where}: {profile.name} 不是步行者", f"{where}: {profile.name} does not walk")
        factor *= edit.speed_factor or 1.0
    if factor == 1.0:
        return profile
    return replace(
        profile,
        name=f"{profile.name}*{factor:g}",
        zh=f"{profile.zh} × {factor:g}",
        en=f"{profile.en} x {factor:g}",
        speed_kmh=profile.speed_kmh * factor,
        leg_kmh=None if profile.leg_kmh is None else profile.leg_kmh * factor,
        source=f"{profile.source}; {scenario.source}",
    )
