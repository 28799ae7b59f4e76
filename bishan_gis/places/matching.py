"""The same place in two sources: found by name, distance and service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from bishan_gis.crs import check_metric
from bishan_gis.names import name_similarity, normal_name
from bishan_gis.schema import FACILITIES, check_columns

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray
    from pyproj import CRS

__all__ = ["LIKENESS", "match_places", "similar_pairs"]

#: How far apart two may lie that are called alike, by likeness: (at least, at most apart [m]) [P].
LIKENESS = ((1.0, 150.0), (0.85, 100.0), (0.7, 60.0))
_COLUMNS = ("facility_id", "other_id", "service", "name", "other_name", "similarity", "distance_m", "state")


def match_places(
    places: gpd.GeoDataFrame,
    others: gpd.GeoDataFrame,
    *,
    crs: CRS,
    prefixes: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Pair the places of one source with those of another, such as a table of places with OSM.

    Parameters
    ----------
    places, others : geopandas.GeoDataFrame
        From :func:`bishan_gis.places.facilities.find_facilities`: ``facility_id, service, name, geometry``.
    crs : pyproj.CRS
        Working CRS [m].
    prefixes : tuple of str
        From :func:`bishan_gis.names.place_prefixes`: names of the district that may or may not stand in front.

    Returns
    -------
    pandas.DataFrame
        ``facility_id`` (of `places`), ``other_id``, ``service, name, other_name``, ``similarity`` (0 to 1, of
        :func:`bishan_gis.names.name_similarity`), ``distance_m``, and ``state``: ``matched`` for the pairs, at most
        one for each place; ``second`` where a place of the pair has a better partner; ``only_here`` and
        ``only_there``, with the other id empty, for those without any. By service, then by id.

    Raises
    ------
    MissingColumnError
        A column is missing.
    CrsError
        `crs` is not in metres.

    Notes
    -----
    A pair is of one service, and called the same within 150 m, nearly the same (0.85) within 100 m, alike (0.7) within
    60 m [P]: farther apart, two shops of one chain would be taken for one. Pairs are made from the most alike on, the
    nearest first, each place once: a result that does not depend on the order of rows.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> from bishan_gis.crs import load_crs
    >>> def layer(fid, name, x):
    ...     spot = [shapely.Point(600000 + x, 3270000)]
    ...     row = {"facility_id": fid, "service": "bank", "name": name}
    ...     more = {"capacity": float("nan"), "source": "x", "kind": "observed"}
    ...     return gpd.GeoDataFrame([{**row, **more}], geometry=spot, crs=4544)
    >>> pairs = match_places(layer("a", "甲区农商行", 0), layer("b", "农商行", 40), crs=load_crs("EPSG:4544"),
    ...                      prefixes=("甲区",))
    >>> pairs[["facility_id", "other_id", "similarity", "distance_m", "state"]].to_numpy().tolist()
    [['a', 'b', 1.0, 40.0, 'matched']]
    """
    for table, where in ((places, "places"), (others, "others")):
        check_columns(table, FACILITIES, where=where)
    ours, theirs = (t.sort_values("facility_id", ignore_index=True) for t in (places, others))
    pairs = _candidates(ours, theirs, crs, prefixes)
    taken_a: set[int] = set()
    taken_b: set[int] = set()
    state = []
    for a, b in zip(pairs["a"], pairs["b"], strict=True):
        free = a not in taken_a and b not in taken_b
        state.append("matched" if free else "second")
        if free:
            taken_a.add(a)
            taken_b.add(b)
    found = pd.DataFrame(
        {
            "facility_id": ours["facility_id"].to_numpy(dtype=object)[pairs["a"]],
            "other_id": theirs["facility_id"].to_numpy(dtype=object)[pairs["b"]],
            "service": ours["service"].to_numpy(dtype=object)[pairs["a"]],
            "name": ours["name"].to_numpy(dtype=object)[pairs["a"]],
            "other_name": theirs["name"].to_numpy(dtype=object)[pairs["b"]],
            "similarity": pairs["similarity"].to_numpy(),
            "distance_m": pairs["distance_m"].to_numpy(),
            "state": np.array(state, dtype=object),
        }
    )
    here = _alone(ours.drop(index=list(taken_a)), "facility_id", "name", "only_here")
    there = _alone(theirs.drop(index=list(taken_b)), "other_id", "other_name", "only_there")
    out = pd.concat([f for f in (found, here, there) if len(f)] or [found], ignore_index=True)
    return out[list(_COLUMNS)].sort_values(["service", "facility_id", "other_id", "state"], ignore_index=True)


def _candidates(ours: gpd.GeoDataFrame, theirs: gpd.GeoDataFrame, crs: CRS, prefixes: tuple[str, ...]) -> pd.DataFrame:
    """Return rows (a, b) that may be one, the best first."""
    here, there = ours.geometry.to_crs(crs), theirs.geometry.to_crs(crs)
    check_metric(here, where="places")
    if not len(here) or not len(there):
        return pd.DataFrame({"a": [], "b": [], "similarity": [], "distance_m": []}).astype({"a": int, "b": int})
    shape, other = here.to_numpy(), there.to_numpy()
    a, b = shapely.STRtree(other).query(shape, predicate="dwithin", distance=max(d for _, d in LIKENESS))
    same = ours["service"].to_numpy(dtype=object)[a] == theirs["service"].to_numpy(dtype=object)[b]
    a, b = a[same], b[same]
    left = [normal_name(n, prefixes) for n in ours["name"]]
    right = [normal_name(n, prefixes) for n in theirs["name"]]
    alike = np.array([name_similarity(left[i], right[j]) for i, j in zip(a, b, strict=True)], dtype=float)
    distance = np.asarray(shapely.distance(shape[a], other[b]), dtype=float)
    keep = is_alike(alike, distance)
    table = pd.DataFrame(
        {"a": a[keep], "b": b[keep], "similarity": alike[keep].round(3), "distance_m": distance[keep].round(2)}
    )
    return table.sort_values(["similarity", "distance_m", "a", "b"], ascending=[False, True, True, True])


def similar_pairs(
    facilities: gpd.GeoDataFrame, shape: NDArray[np.object_], *, prefixes: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Return pairs of rows from different sources that are called alike, each row at most once for each other source.

    Parameters
    ----------
    facilities : geopandas.GeoDataFrame
        ``service, name, source``.
    shape : ndarray of shapely.Geometry
        Their geometry in metres.
    prefixes : tuple of str
        From :func:`bishan_gis.names.place_prefixes`.

    Returns
    -------
    pandas.DataFrame
        Rows ``a`` < ``b``, ``similarity``, ``distance_m``.
    """
    name = [normal_name(n, prefixes) for n in facilities["name"]]
    service, source = (facilities[c].to_numpy(dtype=object) for c in ("service", "source"))
    a, b = shapely.STRtree(shape).query(shape, predicate="dwithin", distance=max(d for _, d in LIKENESS))
    keep = (a < b) & (service[a] == service[b]) & (source[a] != source[b])
    a, b = a[keep], b[keep]
    alike = np.array([name_similarity(name[i], name[j]) for i, j in zip(a, b, strict=True)], dtype=float)
    distance = np.asarray(shapely.distance(shape[a], shape[b]), dtype=float)
    fine = is_alike(alike, distance)
    table = pd.DataFrame({"a": a[fine], "b": b[fine], "similarity": alike[fine], "distance_m": distance[fine]})
    table = table.sort_values(["similarity", "distance_m", "a", "b"], ascending=[False, True, True, True])
    taken: set[tuple[int, str]] = set()
    once = []
    for i, j in zip(table["a"], table["b"], strict=True):
        both = {(int(i), str(source[j])), (int(j), str(source[i]))}
        once.append(not both & taken)
        if once[-1]:
            taken |= both
    return table.loc[np.array(once, dtype=bool)].reset_index(drop=True)


def is_alike(similarity: NDArray[np.float64], distance_m: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which pairs are called alike enough for how far apart they lie (see `LIKENESS`)."""
    out = np.zeros(len(similarity), dtype=bool)
    for least, most in LIKENESS:
        out |= (similarity >= least) & (distance_m <= most)
    return out


def _alone(table: pd.DataFrame, id_column: str, name_column: str, state: str) -> pd.DataFrame:
    out = pd.DataFrame(
        {id_column: table["facility_id"], "service": table["service"], name_column: table["name"]}, dtype=object
    )
    for column in ("facility_id", "other_id", "name", "other_name"):
        if column not in out.columns:
            out[column] = ""
    return out.assign(similarity=np.nan, distance_m=np.nan, state=state)
