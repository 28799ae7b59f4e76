"""The network of a study: streets, heights, and what they cost the study's traveller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bishan_gis.crs import to_lonlat
from bishan_gis.network.build import build_network
from bishan_gis.network.costs import EdgeCosts, edge_costs, load_profile
from bishan_gis.network.elevation import with_elevation
from bishan_gis.network.slope import smooth_elevation
from bishan_gis.sources.elevation import sample_elevation

if TYPE_CHECKING:
    from bishan_gis.network.graph import Network
    from bishan_gis.sources.inputs import StudyData
    from bishan_gis.study import Study

__all__ = ["assemble_network"]


def assemble_network(study: Study, data: StudyData) -> tuple[Network, EdgeCosts]:
    """Build the walking network of a study and price it.

    Parameters
    ----------
    study : Study
        The settings: profile, slope.
    data : StudyData
        The inputs: streets, extent, elevation.

    Returns
    -------
    Network, EdgeCosts
        Streets with heights where the study has elevation, and their costs.

    Raises
    ------
    NoDataError
        No street can be walked.
    StudyError
        The profile or slope function is unknown, or slope is asked for and no height is known.
    """
    profile = load_profile(study.walk.profile)
    extent = data.extent.union_all()
    network = build_network(data.osm, crs=data.crs, extent=extent, kind=data.kinds["inputs.osm"])
    if study.inputs.elevation:
        lon, lat = to_lonlat(network.node_x, network.node_y, network.crs)
        heights = sample_elevation(data.files["inputs.elevation"], lon, lat)
        network = smooth_elevation(with_elevation(network, heights))
    return network, edge_costs(network, profile, slope=study.walk.slope)
