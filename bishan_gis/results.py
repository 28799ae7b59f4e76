"""What a run found, as tables that show themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from bishan_gis.network.graph import Network
    from bishan_gis.sources.datasets import Dataset
    from bishan_gis.study import Study

__all__ = ["Results"]


@dataclass(eq=False)
class Results:
    """What a run found, as tables.

    Attributes
    ----------
    study : Study
        The settings.
    zones, cells, facilities : geopandas.GeoDataFrame
        District, directions and townships; people; facilities. Working CRS [m].
    services : pandas.DataFrame
        The service classes that were studied, indexed by key.
    network : Network
        Walkable streets.
    access : pandas.DataFrame
        Time from every cell to the nearest facility of each service, see `access.nearest.nearest_cost`.
    coverage : pandas.DataFrame
        People covered per zone, service, cutoff and age group, see `planning.coverage.coverage`.
    circles, facility_circles : geopandas.GeoDataFrame
        Service circles on foot: all facilities of a service together, and one by one.
    radii, facility_radii : pandas.DataFrame
        People within the plain circles of the standards: any facility of a service, and each alone.
    """

    study: Study
    zones: gpd.GeoDataFrame
    cells: gpd.GeoDataFrame
    facilities: gpd.GeoDataFrame
    services: pd.DataFrame
    network: Network
    access: pd.DataFrame
    coverage: pd.DataFrame
    circles: gpd.GeoDataFrame
    facility_circles: gpd.GeoDataFrame
    radii: pd.DataFrame
    facility_radii: pd.DataFrame
    access_points: pd.DataFrame
    population_check: pd.DataFrame
    merged: pd.DataFrame
    landuse: gpd.GeoDataFrame | None
    control_lines: gpd.GeoDataFrame | None
    water: gpd.GeoDataFrame | None
    green: gpd.GeoDataFrame | None
    datasets: list[Dataset]
    kind: str
    profile: dict[str, Any]
    warnings: list[tuple[str, str]] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)

    def notes(self, lang: str = "zh") -> list[str]:
        """Return what a reader should know, one line each."""
        placed, control = (
            int(self.population_check["placed"].sum()),
            int(self.population_check["control"].sum()),
        )
        zh = lang == "zh"
        lines = [
            f"人口: 落到单元 {placed:,} = 控制总数 {control:,}"
            if zh
            else f"people: placed {placed:,} = control {control:,}",
        ]
        if self.kind in ("assumed", "synthetic"):
            lines.append(
                "注意: 结果依赖合成或假设数据,不能用于决策"
                if zh
                else "note: the results rest on synthetic or assumed data; do not decide by them"
            )
        return [*lines, *((w[0] if zh else w[1]) for w in self.warnings)]

    def __repr__(self) -> str:
        """One line."""
        return (
            f"<Results {self.study.id}: {len(self.cells):,} cells, {len(self.facilities):,} facilities, "
            f"{len(self.services)} services, {self.kind}>"
        )

    def _repr_html_(self) -> str:
        rows = self.coverage
        rows = rows[(rows["zone_kind"] == "district") & (rows["age_group"] == "all")]
        share = (rows["people_covered"] / rows["people"]).map("{:.1%}".format)
        table = rows.assign(covered=share).pivot_table(
            index="service", columns="cutoff_min", values="covered", aggfunc="first"
        )
        return f"<p>{escape(repr(self))}</p>{table.to_html()}"
