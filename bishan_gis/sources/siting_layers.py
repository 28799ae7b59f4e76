"""The layers of a study's section ``[siting]``: own candidates, fixed sites, forbidden ground, hazards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bishan_gis.study_choices import SITE_LAYERS

if TYPE_CHECKING:
    import geopandas as gpd

    from bishan_gis.study import Study

__all__ = ["load_siting_layers"]


def load_siting_layers(study: Study) -> dict[str, gpd.GeoDataFrame]:
    """Read the layers that ``[siting]`` names.

    Parameters
    ----------
    study : Study
        The settings.

    Returns
    -------
    dict
        ``candidates, fixed, forbidden, hazards``, those that are given, in the working CRS [m], with ``kind``: what the
        study says they rest on, else the manifest, else ``observed``. Coordinates that were shifted (``datum`` of the
        study, else of the manifest) are shifted back, as those of every other input.

    Raises
    ------
    BishanGisError
        As :func:`bishan_gis.sources.layers.load_layer`; a manifest is wrong, or a file is not the one that it lists.
    """
    from bishan_gis.sources.datasets import check_datasets, study_datasets
    from bishan_gis.sources.layers import load_layer
    from bishan_gis.sources.place_inputs import input_datum

    files = {name: study.raw(spec.path) for name in SITE_LAYERS if (spec := getattr(study.siting, name)) is not None}
    if not files:
        return {}
    listed = study_datasets(study)
    checked = [f for f in files.values() if f.exists() and f.resolve() in listed]
    known = check_datasets(listed, checked)[0] if checked else {}
    out = {}
    for name, path in files.items():
        spec, where = getattr(study.siting, name), f"siting.{name} ({path.name})"
        datum, _ = input_datum(spec, known.get(path), where=where)
        frame = load_layer(
            path,
            layer=spec.layer,
            encoding=spec.encoding,
            crs=spec.crs,
            datum=datum,
            columns=spec.columns,
            where=where,
        ).to_crs(study.crs)
        if "kind" not in frame.columns:
            frame["kind"] = spec.kind or (known[path].kind if path in known else "observed")
        out[name] = frame
    return out
