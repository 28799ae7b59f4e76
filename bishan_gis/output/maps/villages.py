"""Villages on the pages: what they are called, where they lie, and how well each is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import shapely

from bishan_gis.output.maps import numbers as fmt
from bishan_gis.output.maps.elements import PackedPolygons
from bishan_gis.output.tokens import BASEMAP, INK

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from bishan_gis.output.maps.context import Context
    from bishan_gis.output.maps.pack import Column

__all__ = [
    "covered_by",
    "village_columns",
    "village_layer",
    "village_names",
    "village_rows",
    "village_zones",
    "villages",
]

KIND = "village"


def village_zones(context: Context) -> gpd.GeoDataFrame:
    """Return the zones that are villages, township by township; none where a study has no layer of them."""
    zones: gpd.GeoDataFrame = context.results.zones
    mine = zones[zones["zone_kind"] == KIND]
    if mine.empty or KIND not in context.results.cells.columns:
        return zones.iloc[:0]
    town = context.zone_of("township", mine["township"])
    return mine.iloc[np.argsort(np.where(town < 0, len(zones), town), kind="stable")].reset_index(drop=True)


def villages(context: Context) -> list[dict[str, Any]]:
    """Return the villages as the scripts know them: ``id, name, town``, the last a position among the zones or -1."""
    zones = village_zones(context)
    if zones.empty:
        return []
    town = context.zone_of("township", zones["township"])
    named = zip(zones["zone_id"], zones["name"], town.tolist(), strict=True)
    return [{"id": str(i), "name": str(name), "town": at} for i, name, at in named]


def village_columns(context: Context, cells: pd.DataFrame) -> dict[str, Column]:
    """Return the column of cells that says which village each is in; nothing where there are no villages.

    Parameters
    ----------
    context : Context
        The run.
    cells : pandas.DataFrame
        Cells in the order of the layer.
    """
    zones = village_zones(context)
    if zones.empty:
        return {}
    return {KIND: ("vi", pd.Index(zones["zone_id"].astype(str)).get_indexer(cells[KIND].astype(str)))}


def village_layer(context: Context) -> PackedPolygons:
    """Return the borders of the villages; the second class is that of one that is pointed at."""
    classes: list[dict[str, Any]] = [
        {"stroke": BASEMAP["township"], "width": [0.4, 0.9, 1.4], "dash": [1.5, 2.5]},
        {"stroke": INK["ink"], "width": 3},
    ]
    return PackedPolygons(
        village_zones(context).geometry.to_numpy(), context.crs, classes=classes, simplify_m=4, step=2.0, z=37
    )


def village_names(context: Context) -> list[tuple[str, NDArray[np.float64]]]:
    """Return the name of each village, and where it stands on the map."""
    zones = village_zones(context)
    mine = zones[zones["township"].astype(str) != ""] if len(zones) else zones
    middle = [shapely.maximum_inscribed_circle(shape, tolerance=50) for shape in mine.geometry]
    return [(str(n), shapely.get_coordinates(m)[0]) for n, m in zip(mine["name"], middle, strict=True)]


def covered_by(context: Context, kind: str) -> pd.DataFrame:
    """Return people within reach of each service at its standard, zones of one kind by services.

    Parameters
    ----------
    context : Context
        The run.
    kind : str
        Kind of zone.

    Returns
    -------
    pandas.DataFrame
        Index ``zone_id``; ``people``, then a column for each service that is walked to.
    """
    table: pd.DataFrame = context.results.coverage
    table = table[(table["zone_kind"] == kind) & (table["age_group"] == context.ages[0])]
    walked = {str(k): context.shown(str(k)) for k in context.services.index if context.level(str(k)) is not None}
    table = table[table["cutoff_min"] == table["service"].map(walked)]
    out = table.pivot_table(index="zone_id", columns="service", values="people_covered", aggfunc="first", sort=False)
    people = table.drop_duplicates("zone_id").set_index("zone_id")["people"]
    out = out.reindex(columns=list(walked)).astype(np.int64).assign(people=people)
    return out[["people", *walked]]


def village_rows(context: Context) -> list[dict[str, Any]]:
    """Return a row of the overview for each village, the worst served first.

    Parameters
    ----------
    context : Context
        The run.

    Returns
    -------
    list of dict
        ``name, town, people, share`` (completeness; "" where the run did not look for gaps)``, none`` (services that
        nobody there reaches in time, of how many)``, link``; the order is by completeness, or by mean coverage.
    """
    zones = village_zones(context)
    if zones.empty:
        return []
    covered = covered_by(context, KIND).reindex(zones["zone_id"])
    people = covered.pop("people").to_numpy(np.int64)
    share = covered.to_numpy(float) / np.maximum(people, 1)[:, None]
    whole = _completeness(context, zones)
    order = share.mean(axis=1) if whole is None else whole
    out = []
    for i in np.lexsort((-people, order)):
        if not people[i]:
            continue
        row = zones.iloc[i]
        link = {"level": KIND, "village": str(row["zone_id"])}
        if context.zone_of("township", pd.Series([row["township"]]))[0] >= 0:
            link["town"] = str(row["township"])
        out.append(
            {
                "name": str(row["name"]),
                "town": _town(context, str(row["township"])),
                "people": fmt.people(int(people[i])),
                "share": "" if whole is None else fmt.percent(float(whole[i]), 1),
                "none": f"{int((share[i] == 0).sum())} / {share.shape[1]}",
                "link": "coverage.html#" + urlencode(link),
            }
        )
    return out


def _town(context: Context, zone_id: str) -> str:
    at = context.zone_index.get(("township", zone_id))
    return "" if at is None else str(context.zone_rows["name"].iloc[at])


def _completeness(context: Context, zones: pd.DataFrame) -> NDArray[np.float64] | None:
    """Return the completeness of each village, the mean over its people; None without findings."""
    findings = getattr(context.results, "findings", None)
    if findings is None:
        return None
    cells = context.results.cells
    low = findings.gaps.completeness["completeness_low"].reindex(cells["cell_id"]).fillna(0).to_numpy(float)
    frame = pd.DataFrame({"of": cells[KIND].astype(str).to_numpy(), "n": cells["people"].to_numpy(float)})
    sums = frame.assign(has=frame["n"] * low).groupby("of")[["n", "has"]].sum().reindex(zones["zone_id"].astype(str))
    return np.asarray((sums["has"] / sums["n"].where(sums["n"] > 0)).fillna(0).to_numpy(float))
