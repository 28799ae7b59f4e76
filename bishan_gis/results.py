"""What a run found, as tables that show themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import folium
    import geopandas as gpd
    import pandas as pd

    from bishan_gis.network.graph import Network
    from bishan_gis.planning.gaps import Gaps
    from bishan_gis.planning.study_sites import StudySites
    from bishan_gis.sources.datasets import Dataset
    from bishan_gis.study import Study

__all__ = ["Findings", "Results"]


@dataclass(eq=False)
class Findings:
    """What the results of a run mean for the plan.

    Attributes
    ----------
    gaps : Gaps
        What is missing where, see :func:`bishan_gis.planning.gaps.find_gaps`.
    policy : pandas.DataFrame
        The policy, element by element, see :func:`bishan_gis.planning.policy.evaluate_policy`.
    plans : list of StudySites
        Sites for the plans the study asks for under ``[[siting.plans]]``, in their order.
    """

    gaps: Gaps
    policy: pd.DataFrame
    plans: list[StudySites] = field(default_factory=list)


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
    radius_streets : pandas.DataFrame or None
        What the circle of each standard promises and what the streets deliver in its minutes, see
        :func:`bishan_gis.planning.radius_and_streets.radius_versus_streets`, with ``kind``.
    measures, zone_measures : pandas.DataFrame or None
        The study's measures per cell, and their means per zone, see :mod:`bishan_gis.access.study_measures`.
    networks : dict
        Mode -> network, for every mode of the study.
    findings : Findings or None
        Gaps, policy and sites, where the run looked for them.
    unused : pandas.DataFrame or None
        Rows of facility tables that were not used, and why.
    barrier_lines : geopandas.GeoDataFrame or None
        ``kind, name`` and lines of railways, rivers and canals.
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
    measures: pd.DataFrame | None = None
    zone_measures: pd.DataFrame | None = None
    networks: dict[str, Network] = field(default_factory=dict)
    findings: Findings | None = None
    unused: pd.DataFrame | None = None
    radius_streets: pd.DataFrame | None = None
    barrier_lines: gpd.GeoDataFrame | None = None

    @property
    def cutoffs_min(self) -> list[float]:
        """Thresholds at which coverage was counted [min]: those of the study, and the times of its standards."""
        return sorted(float(c) for c in self.coverage["cutoff_min"].unique())

    def explore(self, layer: str = "cells", column: str | None = None, **options: Any) -> folium.Map:
        """Draw a layer on a map that needs no internet, see :func:`bishan_gis.quick_map.explore`.

        Parameters
        ----------
        layer : str
            ``cells, zones, facilities, circles, facility_circles``, or the name of a measure of the study.
        column : str, optional
            Column that gives the colour; for a measure its value.
        **options
            Passed on to :func:`bishan_gis.quick_map.explore`, such as ``tooltip, bounds, limit, m``.

        Returns
        -------
        folium.Map
            Shows itself in a notebook; ``save("page.html")`` writes it.

        Raises
        ------
        InputError
            No such layer.
        """
        from bishan_gis.errors import InputError
        from bishan_gis.quick_map import explore

        layers = ["cells", "zones", "facilities", "circles", "facility_circles"]
        if layer in layers:
            return explore(getattr(self, layer), column, **{"name": layer, **options})
        names = [] if self.measures is None else list(self.measures["measure_name"].unique())
        if self.measures is None or layer not in names:
            shown = ", ".join([*layers, *names])
            raise InputError(f"没有图层 {layer};可用: {shown}", f"no layer {layer}; there are {shown}")
        rows = self.measures[self.measures["measure_name"] == layer]
        rows = rows[rows["cutoff_s"] == rows["cutoff_s"].max()]
        frame = self.cells[["cell_id", "people", "geometry"]].merge(
            rows[["origin_id", "value", "unit", "status"]], left_on="cell_id", right_on="origin_id", validate="1:1"
        )
        return explore(frame.drop(columns="origin_id"), column or "value", **{"name": layer, **options})

    def notes(self, lang: str = "zh") -> list[str]:
        """Return what a reader should know, one line each."""
        check = self.population_check
        everybody = check[check["part"] == "all"]
        placed, control = int(everybody["placed"].sum()), int(everybody["control"].sum())
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
        from bishan_gis.thumbnail import beside, legend

        lang = self.study.lang
        rows = self.coverage
        rows = rows[(rows["zone_kind"] == "district") & (rows["age_group"] == "all")]
        share = (rows["people_covered"] / rows["people"]).map("{:.1%}".format)
        table = rows.assign(covered=share).pivot_table(
            index="service", columns="cutoff_min", values="covered", aggfunc="first"
        )
        picture, service = self._picture(lang)
        head = [f"<p>{escape(repr(self))}</p>"]
        if self.kind in ("assumed", "synthetic"):
            word = "含合成或假设数据" if lang == "zh" else "rests on synthetic or assumed data"
            head.append(f'<p style="color:#8a4b00"><b>{word}</b></p>')
        if picture:
            word = "步行到最近" if lang == "zh" else "on foot to the nearest: "
            head.append(f"<p>{word}{escape(service)}<br>{legend(lang)}</p>")
        return beside(picture, *head, table.to_html())

    def _picture(self, lang: str) -> tuple[str, str]:
        """Return a small map of walking times to the service shown first, and the name of that service."""
        from bishan_gis.thumbnail import small_map, time_colors

        keys = [self.study.services.default, *self.services.index]
        found = set(self.access["service"].unique())
        service = next((k for k in keys if k in found), None)
        if service is None or not len(self.cells):
            return "", ""
        name = str(self.services.loc[service, lang]) if service in self.services.index else str(service)
        rows = self.access[(self.access["service"] == service) & (self.access["measure"] == "nearest")]
        rows = rows.drop_duplicates("origin_id").set_index("origin_id").reindex(self.cells["cell_id"])
        colors = time_colors(rows["value"].to_numpy(float), (rows["status"] == "unknown").to_numpy())
        outlines = self.zones[self.zones["zone_kind"].isin(["district", "township"])]
        return small_map(areas=[(self.cells.geometry, colors), (outlines.geometry, None)], alt=name), name
