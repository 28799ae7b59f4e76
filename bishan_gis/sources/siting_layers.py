"""The layers of a study's section ``[siting]``: own candidates, fixed sites, forbidden ground, hazards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.study import Study

__all__ = ["load_siting_layers"]

_NAMES = ("candidates", "fixed", "forbidden", "hazards")


def load_siting_layers(study: Study) -> dict[str, gpd.GeoDataFrame]:
    """Read the layers that ``[siting]`` names.

    Parameters
    ----------
    study : Study
        The settings.

    Returns
    -------
    dict
        ``candidates, fixed, forbidden, hazards``, those that are given, in the working CRS [m].

    Raises
    ------
    BishanGisError
        As :func:`bishan_gis.sources.layers.load_layer`.
    """
    from bishan_gis.sources.layers import load_layer

    out = {}
    for name in _NAMES:
        spec = getattr(study.siting, name)
        if spec is not None:
            path = study.raw(spec.path)
            frame = load_layer(
                path,
                layer=spec.layer,
                encoding=spec.encoding,
                crs=spec.crs,
                columns=spec.columns,
                where=f"siting.{name} ({path.name})",
            )
            out[name] = frame.to_crs(study.crs)
    return out
