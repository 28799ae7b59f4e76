"""The network of a study: streets, heights, and what they cost the study's traveller."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bishan_gis.crs import to_lonlat
from bishan_gis.errors import StudyError
from bishan_gis.network.build import build_network
from bishan_gis.network.costs import EdgeCosts, climbs, edge_costs, load_profile
from bishan_gis.network.elevation import with_elevation
from bishan_gis.network.rules import load_rules
from bishan_gis.network.slope import smooth_elevation
from bishan_gis.sources.elevation import sample_elevation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bishan_gis.measure_settings import Mode
    from bishan_gis.network.graph import Network
    from bishan_gis.sources.inputs import StudyData
    from bishan_gis.study import Study

__all__ = ["assemble_network"]


def assemble_network(study: Study, data: StudyData, mode: Mode = "walk") -> tuple[Network, EdgeCosts]:
    """Build the network of one mode of a study and price it.

    Parameters
    ----------
    study : Study
        The settings: profile, slope, waits.
    data : StudyData
        The inputs: streets, extent, elevation.
    mode : str
        ``walk``, ``cycle`` or ``drive``; the study must have the section.

    Returns
    -------
    Network, EdgeCosts
        Streets with heights where the study has elevation, and their costs. Heights within edges are taken where the
        slope function or a limit of the profile needs them.

    Raises
    ------
    NoDataError
        No street is open to this mode.
    StudyError
        The study lacks the section, the profile is of another mode, the profile or slope function is unknown, or
        slope is asked for and no height is known.
    """
    settings = study.modes.get(mode)
    if settings is None:
        raise StudyError(
            f"{study.file.name}: 没有 [{mode}] 一节;请加上它", f"{study.file.name}: no section [{mode}]; add one"
        )
    profile = load_profile(settings.profile)
    if profile.mode != mode:
        raise StudyError(
            f"{mode}.profile: {profile.name} 用于 {profile.mode};请换一个",
            f"{mode}.profile: {profile.name} is for {profile.mode}; choose another",
        )
    extent = data.extent.union_all()
    rules = load_rules(mode=mode, table=profile.rules)
    network = build_network(
        data.osm,
        crs=data.crs,
        rules=rules,
        extent=extent,
        kind=data.kinds["inputs.osm"],
        controls=settings.waits,
    )
    network = replace(network, island_m=settings.island_m)
    if study.inputs.elevation:
        raster = data.files["inputs.elevation"]

        def heights(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
            return sample_elevation(raster, *to_lonlat(x, y, network.crs))

        others = [load_profile(m.profile) for m in study.measures if m.mode == mode and m.profile]
        step_m = None if any(climbs(one, settings.slope) for one in (profile, *others)) else 0.0
        network = smooth_elevation(with_elevation(network, heights, step_m=step_m))
    return network, edge_costs(network, profile, slope=settings.slope)
