"""Inputs that ``study.toml`` names several files for, best first: the first that is there is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["SITE_LAYERS", "choose_inputs", "extent_file", "other_tables"]

_FILES = ("osm", "elevation")
#: Layers that ``[siting]`` may name.
SITE_LAYERS = ("candidates", "fixed", "forbidden", "hazards")
_LAYERS = ("district", "townships", "villages", "grids", "osm_extent", "landuse", "control_lines", "population")


def choose_inputs(data: dict[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, list[Path]]]:
    """Replace every list of alternatives by the first file that is there.

    Parameters
    ----------
    data : dict
        ``study.toml`` as it was read. ``osm`` and ``elevation`` may be a list of files; ``path`` of a layer may be
        one; and ``[[inputs.population]]`` or any other layer but ``facilities`` may be a list of tables, where the
        columns differ.
    folder : pathlib.Path
        Where ``study.toml`` lies.

    Returns
    -------
    dict, dict
        The same settings with one file each; and setting -> every file that was named, best first. Where none is
        there, the last one named is used, and is missed later.
    """
    paths, inputs = data.get("paths", {}), data.get("inputs")
    raw = paths.get("raw", "data/raw") if isinstance(paths, dict) else "data/raw"
    base = folder / (raw if isinstance(raw, str) else "data/raw")
    named: dict[str, list[Path]] = {}
    if not isinstance(inputs, dict):
        return data, named
    out = dict(inputs)
    for key in _FILES:
        if _is_texts(out.get(key)):
            out[key] = _first(out[key], base, f"inputs.{key}", named)
    for key in _LAYERS:
        if key in out:
            out[key] = _table(out[key], base, f"inputs.{key}", named)
    if isinstance(out.get("facilities"), list):
        items = enumerate(out["facilities"])
        out["facilities"] = [_table(item, base, f"inputs.facilities[{i}]", named) for i, item in items]
    whole = {**data, "inputs": out}
    for section, keys in (("directions", ("layer",)), ("siting", SITE_LAYERS)):
        given = data.get(section)
        if isinstance(given, dict):
            found = {k: _table(given[k], base, f"{section}.{k}", named) for k in keys if isinstance(given.get(k), dict)}
            whole[section] = {**given, **found}
    return whole, named


def other_tables(data: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield the tables of every layer that has several, so that those not used are checked as well.

    Yields
    ------
    str, int, dict
        Layer, position, table; of several paths the first.
    """
    inputs = data.get("inputs")
    for key in _LAYERS:
        tables = inputs.get(key) if isinstance(inputs, dict) else None
        if isinstance(tables, list) and all(isinstance(t, dict) for t in tables):
            for i, table in enumerate(tables):
                path = table.get("path")
                yield key, i, {**table, "path": path[0]} if _is_texts(path) else table


def extent_file(osm: Path) -> Path:
    """Return where the extent of a street file is written, beside it.

    Examples
    --------
    >>> extent_file(Path("fetched/streets.osm.pbf")).name
    'streets.extent.geojson'
    """
    return osm.with_name(osm.name.split(".")[0] + ".extent.geojson")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _place(base: Path, name: str) -> Path:
    return Path(os.path.normpath(base / Path(name).expanduser()))


def _first(names: list[str], base: Path, setting: str, named: dict[str, list[Path]]) -> str:
    places = [_place(base, name) for name in names]
    if len(places) > 1:
        named[setting] = places
    return next((n for n, p in zip(names, places, strict=True) if p.exists()), names[-1])


def _table(value: Any, base: Path, setting: str, named: dict[str, list[Path]]) -> Any:
    """Return one table with one path; what is not of that shape is left to the validation."""
    if isinstance(value, dict):
        return {**value, "path": _first(value["path"], base, setting, named)} if _is_texts(value.get("path")) else value
    if not (isinstance(value, list) and value and all(isinstance(v, dict) for v in value)):
        return value
    flat: list[tuple[str, dict[str, Any]]] = []
    for table in value:
        paths = table.get("path")
        flat += [(p, table) for p in (paths if _is_texts(paths) else [paths]) if isinstance(p, str)]
    if not flat:
        return value[-1]
    places = [_place(base, p) for p, _ in flat]
    if len(places) > 1:
        named[setting] = places
    at = next((i for i, place in enumerate(places) if place.exists()), len(places) - 1)
    return {**flat[at][1], "path": flat[at][0]}
