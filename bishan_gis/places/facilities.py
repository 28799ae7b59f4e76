"""Facilities: found by tags, names or a service column, and counted once each."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from bishan_gis.crs import WGS84, check_metric, reproject
from bishan_gis.errors import SchemaError
from bishan_gis.names import name_similarity, normal_name
from bishan_gis.places.classes import FacilityClass, Matcher, load_classes
from bishan_gis.places.matching import similar_pairs
from bishan_gis.schema import FACILITIES, KINDS, check_columns, nearest_name, weakest_kind

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray
    from pyproj import CRS

    from bishan_gis.sources.osm import OsmData

__all__ = ["FacilityClass", "clean_name", "find_facilities", "load_classes", "merge_duplicates"]

_NAME_MAX = 200
#: Tags and columns that name the class or level of a facility, such as that of a shelter.
_GRADE_KEYS = ("grade", "shelter_class", "shelter:level", "级别", "避难场所级别")
_CAPACITY_KEYS = ("capacity", "beds", "capacity:beds", "seats", "capacity:persons")
_INSIDE_M = 15.0
_SAME_NAME_M = 60.0
_UNNAMED_M = 15.0
#: Services that stand in pairs on both sides of a road under one name.
_PAIRED = frozenset({"bus_stop"})
_RULES = ("inside", "near", "same_name", "unnamed", "similar_name")
_SURE = ("inside", "same_name", "similar_name")
_PAIR = ("facility_id", "merged_id", "service", "rule", "distance_m", "similarity")
_MERGED = (*_PAIR, "name", "merged_name", "source", "merged_source", "kept_because")


def clean_name(text: object) -> str:
    """Return a name on one line: no control characters, single spaces, at most 200 characters.

    Nothing is escaped here: what a name means to HTML or to a spreadsheet is the business of the output.
    """
    if text is None or text is pd.NA or (isinstance(text, float) and np.isnan(text)):
        return ""
    text = str(text)
    if text.isprintable():
        return " ".join(text.split())[:_NAME_MAX].rstrip()
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    kept = "".join(c for c in kept if unicodedata.category(c) not in {"Cf", "Cs", "Co", "Cn"})
    return " ".join(kept.split())[:_NAME_MAX].rstrip()


def find_facilities(
    source: OsmData | gpd.GeoDataFrame,
    classes: Mapping[str, FacilityClass],
    *,
    name: str,
    kind: str = "observed",
    services: pd.DataFrame | None = None,
) -> gpd.GeoDataFrame:
    """Find the facilities in an OSM extract or in a layer.

    Parameters
    ----------
    source : OsmData or geopandas.GeoDataFrame
        Tagged points and areas; or a layer in EPSG:4326. Of a layer, ``class`` is matched as ``fclass``,
        ``service`` (a key of `classes`) wins over everything, ``facility_id`` names the object (else its row,
        counted from 1), and every other column is taken for an OSM tag of that name.
    classes : mapping
        From `load_classes`.
    name : str
        The file, for the column ``source``; without its ending it begins the ids of a layer.
    kind : str
        What the objects rest on where they do not say so themselves in ``data_kind``.
    services : pandas.DataFrame, optional
        ``facility_id, service`` (see :func:`bishan_gis.sources.tables.load_services`): wins over tags and
        columns; an empty service takes the object out.

    Returns
    -------
    geopandas.GeoDataFrame
        ``facility_id`` ("node/123", "way/12", "<layer>/<id>"; with ":<service>" behind it where one object
        gives several), ``service, name, capacity, source, kind, geometry`` in EPSG:4326, by id; ``grade`` (class or
        level in words) where any object says one.
        ``attrs["left_out"]`` counts objects that might be a service and that nothing decided.

    Raises
    ------
    SchemaError
        A service is no class, or ids repeat; all are named at once.
    """
    import geopandas as gpd

    matcher = Matcher(classes)
    declared = _declared(services)
    rows: list[dict[str, Any]] = []
    unclear: list[str] = []
    unknown: dict[str, int] = {}
    known_rows: set[str] = set()
    is_layer = isinstance(source, gpd.GeoDataFrame)
    objects = _layer_objects(source, name) if isinstance(source, gpd.GeoDataFrame) else _osm_objects(source)
    places: list[int] = []
    # In an extract equal tags are one dictionary: what they say is found out once.
    known: dict[int, tuple[bool, str, list[str], bool]] = {}
    for place, (object_id, raw_id, tags) in enumerate(objects):
        if is_layer or id(tags) not in known:
            known[id(tags)] = _match(matcher, tags, wanted=bool(declared) or is_layer)
        wanted, title, found, doubtful = known[id(tags)]
        if not wanted:
            continue
        if raw_id in declared:
            known_rows.add(raw_id)
            found, doubtful = [s for s in declared[raw_id] if s], False
        elif is_layer and tags.get("service"):
            found, doubtful = [v.strip() for v in tags["service"].split(";") if v.strip()], False
        if doubtful:
            unclear.append(object_id)
        for service in found:
            if service not in classes:
                unknown[service] = unknown.get(service, 0) + 1
                continue
            if not classes[service].studied:
                continue
            places.append(place)
            rows.append(
                {
                    "facility_id": object_id if len(found) == 1 else f"{object_id}:{service}",
                    "service": service,
                    "name": title,
                    "capacity": _capacity(tags),
                    "opening_hours": str(tags.get("opening_hours") or "").strip(),
                    "source": name,
                    "grade": next((str(tags[k]).strip() for k in _GRADE_KEYS if tags.get(k)), ""),
                    "kind": tags["data_kind"] if tags.get("data_kind") in KINDS else kind,
                }
            )
    _check_services(unknown, set(declared) - known_rows, classes, name)
    plain = pd.DataFrame(rows, columns=[*FACILITIES[:-1], "opening_hours", "grade"])
    at = np.array(places, dtype=np.int64)
    frame = gpd.GeoDataFrame(plain, geometry=_shapes(source, at), crs=WGS84)
    # A column for the few files that say it.
    if not frame["grade"].astype(bool).any():
        frame = frame.drop(columns="grade")
    frame["capacity"] = frame["capacity"].astype(float)
    frame = frame.sort_values("facility_id", ignore_index=True)
    twice = frame["facility_id"][frame["facility_id"].duplicated()]
    if len(twice):
        shown = ", ".join(twice.head(5))
        raise SchemaError(
            f"{name}: {len(twice)} 个设施编号重复 ({shown});请检查 columns.facility_id",
            f"{name}: {len(twice)} facility ids repeat ({shown}); check columns.facility_id",
        )
    frame.attrs["left_out"] = {"unclear_service": len(unclear)} if unclear else {}
    frame.attrs["unclear"] = sorted(unclear)
    return frame


def _match(matcher: Matcher, tags: Mapping[str, str], *, wanted: bool) -> tuple[bool, str, list[str], bool]:
    """Return whether tags are looked at, the name they give, the services they mean, and whether that is in doubt."""
    if not wanted and not matcher.may_be(tags):
        return False, "", [], False
    title = clean_name(tags.get("name") or tags.get("name:zh"))
    return (True, title, *matcher.find(tags, title))


def _declared(services: pd.DataFrame | None) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    if services is not None:
        check_columns(services, ["facility_id", "service"], where="services")
        for one, service in zip(services["facility_id"].astype(str), services["service"].astype(str), strict=True):
            out.setdefault(one, []).append(service.strip())
    return out


def _check_services(
    unknown: Mapping[str, int], absent: set[str], classes: Mapping[str, FacilityClass], name: str
) -> None:
    zh, en = [], []
    for service, count in sorted(unknown.items()):
        near = nearest_name(service, classes)
        zh.append(f"未知的服务 {service} ({count} 处)" + (f",是否指 {near}?" if near else ""))
        en.append(f"unknown service {service} ({count} times)" + (f", did you mean {near}?" if near else ""))
    if absent:
        shown = ", ".join(sorted(absent)[:5])
        zh.append(f"services_csv 中 {len(absent)} 个编号不在图层中 ({shown})")
        en.append(f"{len(absent)} ids of services_csv are not in the layer ({shown})")
    if zh:
        raise SchemaError(f"{name}: " + ";".join(zh), f"{name}: " + "; ".join(en))


def _osm_objects(source: OsmData) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    for number, tags in zip(source.point_id.tolist(), source.point_tags, strict=True):
        yield f"node/{number}", f"node/{number}", tags
    yield from zip(source.areas["osm_id"], source.areas["osm_id"], source.areas["tags"], strict=True)


def _shapes(source: OsmData | gpd.GeoDataFrame, places: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return the shapes of some objects by position: of many points few are wanted."""
    import geopandas as gpd

    if isinstance(source, gpd.GeoDataFrame):
        shapes: NDArray[np.object_] = source.geometry.to_crs(WGS84).to_numpy()[places]
        return shapes
    out = np.empty(len(places), dtype=object)
    n = len(source.point_id)
    points, areas = places[places < n], places[places >= n] - n
    out[places < n] = shapely.points(source.point_lon[points], source.point_lat[points])
    out[places >= n] = source.areas.geometry.to_numpy()[areas]
    return out


def _layer_objects(layer: gpd.GeoDataFrame, name: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    prefix = name.replace("\\", "/").rsplit("/", 1)[-1].split(".")[0]
    columns = [c for c in layer.columns if c != layer.geometry.name]
    values = {("fclass" if c == "class" else str(c)): layer[c].tolist() for c in columns}
    numbers = layer["facility_id"].tolist() if "facility_id" in layer.columns else range(1, len(layer) + 1)
    for i, number in enumerate(numbers):
        tags = {k: str(v[i]) for k, v in values.items() if v[i] is not None and v[i] == v[i] and v[i] != ""}
        own = str(number)[:-2] if isinstance(number, float) and number.is_integer() else str(number)
        yield f"{prefix}/{own}", own, tags


def _capacity(tags: Mapping[str, str]) -> float:
    for key in _CAPACITY_KEYS:
        try:
            value = float(tags[key])
        except (KeyError, ValueError):
            continue
        if np.isfinite(value) and value > 0:
            return value
    return float("nan")


def merge_duplicates(
    facilities: gpd.GeoDataFrame, *, crs: CRS, prefixes: tuple[str, ...] = ()
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Count every facility once: the same thing is often a point and an area, or in two files.

    Parameters
    ----------
    facilities : geopandas.GeoDataFrame
        From `find_facilities`, several concatenated.
    crs : pyproj.CRS
        Working CRS [m].
    prefixes : tuple of str
        From :func:`bishan_gis.names.place_prefixes`: names of the district that may or may not stand in front.

    Returns
    -------
    facilities : geopandas.GeoDataFrame
        What is left, in the CRS it came in. Of several, what is observed stays before what is assumed or
        synthetic, then an area before a point, then the smallest id; name and capacity come from the first
        that has them. The geometry is the area wherever one of them is an area (all of them together), and
        ``kind`` is then the weakest of what the shape rests on.
    merged : pandas.DataFrame
        ``facility_id`` (kept), ``merged_id`` (gone), ``service``; ``rule, distance_m, similarity`` (0 to 1, of the
        names) of the pair that decided for the one that is gone; ``name, merged_name, source, merged_source`` as they
        were; ``kept_because``: what made the kept one win over this one: ``kind``, ``area`` or ``id``.

    Notes
    -----
    Two of one service are the same when a point lies inside an area (``inside``), or within 15 m of it and
    their names do not differ (``near``); when they share a name within 60 m (``same_name``; 15 m for bus
    stops, which stand in pairs); when one has no name and they lie within 15 m (``unnamed``); when they come from
    different sources and are called alike (``similar_name``, see
    :func:`bishan_gis.places.matching.similar_pairs`). Pairs are joined in that order, nearest first, and two
    different names are never joined through a third one.
    """
    import geopandas as gpd

    check_columns(facilities, FACILITIES, where="facilities")
    frame = facilities.sort_values("facility_id", ignore_index=True)
    n = len(frame)
    projected = reproject(frame.geometry, crs)
    check_metric(projected, where="facilities")
    shape = projected.to_numpy()
    pairs = _pairs(frame, shape, prefixes)
    if pairs.empty:
        return frame, pd.DataFrame(columns=list(_MERGED))
    label = _clusters(frame, pairs)
    rank = np.lexsort(
        (
            np.arange(n),
            shapely.get_dimensions(shape) != 2,
            frame["kind"].map(KINDS.index).to_numpy(),
        )
    )
    first = pd.Series(rank).groupby(label[rank], sort=False).first()
    keeper = first.reindex(label).to_numpy()
    geometry = frame.geometry.to_numpy().copy()
    kinds, names = frame["kind"].to_list(), frame["name"].to_list()
    capacity = frame["capacity"].to_numpy(dtype=float).copy()
    hours = frame.get("opening_hours", pd.Series("", index=frame.index)).fillna("").to_list()
    members = pd.Series(rank).groupby(keeper[rank], sort=True).apply(list)
    for one, group in members[members.map(len) > 1].items():
        keep = int(str(one))
        names[keep] = next((names[i] for i in group if names[i]), "")
        capacity[keep] = next((capacity[i] for i in group if capacity[i] == capacity[i]), np.nan)
        hours[keep] = next((hours[i] for i in group if hours[i]), "")
        areas = [i for i in group if shapely.get_dimensions(geometry[i]) == 2]
        if areas and areas != [keep]:
            kinds[keep] = weakest_kind([kinds[keep], *(kinds[i] for i in areas)])
            geometry[keep] = shapely.union_all([geometry[i] for i in areas])
    columns: dict[str, Any] = {"name": names, "capacity": capacity, "kind": kinds}
    if "grade" in frame.columns:
        grade = frame["grade"].fillna("").to_list()
        for one, group in members[members.map(len) > 1].items():
            grade[int(str(one))] = next((grade[i] for i in group if grade[i]), "")
        columns["grade"] = grade
    if "opening_hours" in frame.columns:
        columns["opening_hours"] = hours
    out = gpd.GeoDataFrame(frame.assign(**columns), geometry=geometry, crs=frame.crs)
    merged = _merged_table(frame, shape, pairs, keeper, prefixes)
    return out.loc[keeper == np.arange(n)].reset_index(drop=True), merged


def _clusters(frame: gpd.GeoDataFrame, pairs: pd.DataFrame) -> NDArray[np.int64]:
    """Join pairs, surest first; two names are joined only where one lies inside the other."""
    label = np.arange(len(frame))
    members = {i: [i] for i in {*pairs["a"], *pairs["b"]}}
    names = {i: {_key(frame["name"].iloc[i])} - {""} for i in members}
    order = pairs.assign(rank=pairs["rule"].map(_RULES.index)).sort_values(["rank", "distance_m", "a", "b"])
    for a, b, rule in order[["a", "b", "rule"]].itertuples(index=False):
        one, other = sorted((int(label[a]), int(label[b])))
        both = names[one] | names[other]
        if one == other or (rule not in _SURE and both not in (names[one], names[other])):
            continue
        label[members[other]] = one
        members[one] += members.pop(other)
        names[one] = both
    return label


def _pairs(frame: gpd.GeoDataFrame, shape: NDArray[np.object_], prefixes: tuple[str, ...]) -> pd.DataFrame:
    """Return pairs (a, b) of rows that are the same facility, and why."""
    tree = shapely.STRtree(shape)
    a, b = tree.query(shape, predicate="dwithin", distance=_SAME_NAME_M)
    service, name = frame["service"].to_numpy(dtype=object), frame["name"].to_numpy(dtype=object)
    keep = (a < b) & (service[a] == service[b])
    a, b = a[keep], b[keep]
    distance = shapely.distance(shape[a], shape[b])
    area = shapely.get_dimensions(shape) == 2
    mixed = area[a] != area[b]
    key = np.array([_key(t) for t in name], dtype=object)
    has = key != ""
    same = has[a] & (key[a] == key[b])
    differ = has[a] & has[b] & ~same
    reach = np.where(np.isin(service[a], list(_PAIRED)), _UNNAMED_M, _SAME_NAME_M)
    rule = np.select(
        [
            mixed & (distance == 0),
            mixed & (distance <= _INSIDE_M) & ~differ,
            same & (distance <= reach),
            (~has[a] | ~has[b]) & (distance <= _UNNAMED_M),
        ],
        list(_RULES[:4]),
        default="",
    )
    table = pd.DataFrame({"a": a, "b": b, "rule": rule, "distance_m": np.round(distance, 2)})
    table = table.loc[table["rule"] != ""]
    alike = similar_pairs(frame, shape, prefixes=prefixes)
    alike = alike[~alike["a"].map(service.__getitem__).isin(_PAIRED).to_numpy(dtype=bool)]
    alike = alike.assign(rule="similar_name", distance_m=alike["distance_m"].round(2))[list(table.columns)]
    both = pd.concat([t for t in (table, alike) if len(t)] or [table], ignore_index=True)
    return both.drop_duplicates(["a", "b"], ignore_index=True)


def _key(name: object) -> str:
    return "".join(str(name).casefold().split())


def _merged_table(
    frame: gpd.GeoDataFrame,
    shape: NDArray[np.object_],
    pairs: pd.DataFrame,
    keeper: NDArray[np.int64],
    prefixes: tuple[str, ...],
) -> pd.DataFrame:
    both = pd.concat([pairs, pairs.rename(columns={"a": "b", "b": "a"})], ignore_index=True)
    both = both.loc[keeper[both["a"]] == keeper[both["b"]]]
    both = both.loc[keeper[both["a"]] != both["a"]]
    both["direct"] = both["b"].to_numpy() != keeper[both["a"]]
    best = both.sort_values(["a", "direct", "distance_m", "b"]).drop_duplicates("a")
    columns = {c: frame[c].to_numpy(dtype=object) for c in ("facility_id", "service", "name", "source", "kind")}
    gone, partner = best["a"].to_numpy(), best["b"].to_numpy()
    kept = keeper[gone]
    normal = [normal_name(n, prefixes) for n in columns["name"]]
    area = shapely.get_dimensions(shape) == 2
    out = pd.DataFrame(
        {
            "facility_id": columns["facility_id"][kept],
            "merged_id": columns["facility_id"][gone],
            "service": columns["service"][gone],
            "rule": best["rule"].to_numpy(),
            "distance_m": best["distance_m"].to_numpy(),
            "similarity": [round(name_similarity(normal[i], normal[j]), 3) for i, j in zip(gone, partner, strict=True)],
            "name": columns["name"][kept],
            "merged_name": columns["name"][gone],
            "source": columns["source"][kept],
            "merged_source": columns["source"][gone],
            "kept_because": np.select(
                [columns["kind"][kept] != columns["kind"][gone], area[kept] != area[gone]], ["kind", "area"], "id"
            ),
        },
        columns=list(_MERGED),
    )
    return out.sort_values(["service", "facility_id", "merged_id"], ignore_index=True)
