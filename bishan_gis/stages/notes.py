"""What a reader should know about a run: what was left out of the data, and what was moved or cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.access.nearest import NearestResult
    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.sources.inputs import StudyData

__all__ = ["run_notes"]

_PLACED_BY = {
    "buildings": "建筑面积",
    "landuse": "居住用地",
    "buildings+landuse": "建筑面积和居住用地",
    "population": "人口格网",
    "uniform": "面积均匀",
}


def run_notes(
    data: StudyData,
    zones: gpd.GeoDataFrame,
    networks: dict[str, tuple[Network, EdgeCosts]],
    near: NearestResult,
    placed_by: str,
) -> list[tuple[str, str]]:
    """Return what a reader should know about a run, in both languages.

    Parameters
    ----------
    data : StudyData
        Its inputs.
    zones : geopandas.GeoDataFrame
        Its zones; ``attrs["warnings"]`` are passed on.
    networks : dict
        Mode -> network and costs.
    near : NearestResult
        Walking times.
    placed_by : str
        What people were placed by, see :func:`bishan_gis.stages.steps.place_people`.

    Returns
    -------
    list of (zh, en)
        One line each.
    """
    from bishan_gis.network.build import STREETS_LEFT_OUT
    from bishan_gis.network.controls import TURNS_LEFT_OUT
    from bishan_gis.network.slope import limit_warnings
    from bishan_gis.sources.osm import LEFT_OUT

    network = networks["walk"][0]
    out = [*data.notes, *zones.attrs.get("warnings", []), *limit_warnings(networks)]
    names = {**LEFT_OUT, **STREETS_LEFT_OUT, **TURNS_LEFT_OUT}
    for what, count in {**data.osm.left_out, **network.left_out}.items():
        if count:
            zh, en = names.get(what, (what, what))
            out.append((f"OSM：{zh} {count:,} 处", f"OSM: {en}: {count:,}"))
    parts = int(network.component.max()) + 1
    if parts > 1:
        share = network.summary()["main_component_share"]
        out.append(
            (
                f"步行网络分为 {parts} 个不连通部分，最大部分占长度 {share:.1%}",
                f"the walking network has {parts} disconnected parts; the largest holds {share:.1%} of its length",
            )
        )
    off = near.table.drop_duplicates("origin_id")
    count = int((off["status"] == "off_network").sum())
    if count:
        out.append(
            (f"{count} 个人口单元远离道路，计为无法判断", f"{count} population cells are off the network"),
        )
    moved = (near.origin_snaps.n_moved, near.target_snaps.n_moved)
    if any(moved):
        out.append(
            (
                f"{moved[0]} 个人口单元和 {moved[1]} 个设施入口最近的道路为孤立路段（总长小于 "
                f"{network.island_m:g} m），已改接至最近的连通道路",
                f"{moved[0]} population cells and {moved[1]} facility access points lie nearest to an island of "
                f"streets (shorter than walk.island_m = {network.island_m:g} m in all) "
                "and were taken to the nearest other one",
            )
        )
    lost = int((near.target_snaps.edge < 0).sum())
    if lost:
        out.append((f"{lost} 个设施入口远离道路", f"{lost} facility access points are off the network"))
    by = _PLACED_BY.get(placed_by, placed_by)
    out.append((f"人口按{by}分配到单元", f"people are placed on cells by {placed_by}"))
    return out
