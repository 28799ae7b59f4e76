"""How the values of stages are written into files: named members, tables as Arrow, networks as they are saved."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from bishan_gis.network.graph import Network

__all__ = ["NETWORK", "TABLES", "NetworkForm", "Packed", "TablesForm", "pack", "unpack"]

_LENGTH = struct.Struct("<Q")


class Packed(Mapping[str, Any]):
    """What :func:`pack` wrote; a member is decoded when it is first asked for.

    Parameters
    ----------
    data : bytes
        The file.
    """

    def __init__(self, data: bytes) -> None:
        (length,) = _LENGTH.unpack_from(data)
        self._data = memoryview(data)[_LENGTH.size + length :]
        self._facts: dict[str, dict[str, Any]] = json.loads(data[_LENGTH.size : _LENGTH.size + length])
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a member; not to be changed."""
        if name not in self._made:
            fact = self._facts[name]
            self._made[name] = fact["value"] if fact["is"] == "json" else _decode(fact, self._data)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in the order they were given."""
        return iter(self._facts)

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self._facts)


class TablesForm:
    """A dictionary of tables, layers, arrays, bytes and plain values, see :func:`pack`."""

    suffix = "pack"

    def write(self, value: Mapping[str, Any], path: Path) -> None:
        """Write the dictionary."""
        path.write_bytes(pack(value))

    def read(self, data: bytes, path: Path) -> Packed:  # noqa: ARG002
        """Read it."""
        return Packed(data)


class NetworkForm:
    """A network, see :mod:`bishan_gis.network.storage`; its arrays are read from the disk as they are used."""

    suffix = "bgnet"

    def write(self, value: Network, path: Path) -> None:
        """Write the network."""
        from bishan_gis.network.storage import save_network

        save_network(value, path)

    def read(self, data: bytes, path: Path) -> Network:  # noqa: ARG002
        """Open it."""
        from bishan_gis.network.storage import load_network

        return load_network(path)


TABLES = TablesForm()
NETWORK = NetworkForm()


def pack(value: Mapping[str, Any]) -> bytes:
    """Write tables, layers, arrays, bytes and plain values into one file in memory.

    Parameters
    ----------
    value : mapping
        Name -> ``pandas.DataFrame``, ``geopandas.GeoDataFrame``, ``numpy.ndarray`` of numbers, ``bytes``, or what JSON
        can write. ``attrs`` of a table are kept as JSON: tuples in it come back as lists.

    Returns
    -------
    bytes
        The length of the header, the header (JSON), the members one after the other. Equal for equal values.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"zone_id": ["a", "b"], "people": [1, 2]})
    >>> back = unpack(pack({"zones": table, "notes": ["ok"], "raw": b"x"}))
    >>> back["zones"].equals(table), back["notes"], back["raw"]
    (True, ['ok'], b'x')
    """
    facts: dict[str, dict[str, Any]] = {}
    members: list[bytes] = []
    begin = 0
    for name, one in value.items():
        data: bytes | None = None
        fact: dict[str, Any]
        if isinstance(one, bytes):
            data, fact = one, {"is": "bytes"}
        elif hasattr(one, "iloc"):
            data, fact = _pack_table(one)
        elif hasattr(one, "dtype") and hasattr(one, "shape"):
            data, fact = _pack_array(one)
        else:
            fact = {"is": "json", "value": one}
        if data is not None:
            fact |= {"from": begin, "to": begin + len(data)}
            # What lies at a multiple of eight can be used in place.
            members += [data, bytes(-len(data) % 8)]
            begin += len(data) + -len(data) % 8
        facts[name] = fact
    header = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    header += b" " * (-len(header) % 8)
    return b"".join([_LENGTH.pack(len(header)), header, *members])


def unpack(data: bytes) -> dict[str, Any]:
    """Read all that :func:`pack` wrote.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    dict
        Name -> value, in the order they were given.
    """
    return dict(Packed(data))


def _decode(fact: Mapping[str, Any], whole: memoryview) -> Any:
    data = whole[fact["from"] : fact["to"]]
    if fact["is"] == "bytes":
        return bytes(data)
    if fact["is"] == "array":
        import numpy as np

        array: Any = np.frombuffer(data, dtype=fact["type"]).reshape(fact["shape"])
        return array
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
        table = stream.read_all().to_pandas()
    table = table.astype(dict.fromkeys(fact["object"], object))
    out = _layer(table, fact) if fact["is"] == "layer" else table
    out.attrs = fact["attrs"]
    return out


def _pack_array(array: Any) -> tuple[bytes, dict[str, Any]]:
    if array.dtype.hasobject:
        raise TypeError(array.dtype)
    return array.tobytes(), {"is": "array", "type": array.dtype.str, "shape": list(array.shape)}


def _pack_table(table: pd.DataFrame) -> tuple[bytes, dict[str, Any]]:
    import pandas as pd
    import pyarrow as pa

    fact: dict[str, Any] = {"is": "table", "attrs": table.attrs}
    plain = table.copy(deep=False)
    if hasattr(table, "geom_type"):
        import shapely

        layer: gpd.GeoDataFrame = table
        name = str(layer.geometry.name)
        fact |= {"is": "layer", "geometry": name, "crs": layer.crs.to_wkt() if layer.crs else None}
        plain = pd.DataFrame({c: layer[c] if c != name else None for c in layer.columns}, index=layer.index)
        plain[name] = pd.Series(shapely.to_wkb(layer.geometry.to_numpy()), index=layer.index, dtype=object)
    plain.attrs = {}
    fact["object"] = [c for c in plain.columns if plain[c].dtype == object and c != fact.get("geometry")]
    # Rows that were taken from a longer table leave the rest of it in the buffers: equal tables, other bytes.
    arrow = pa.Table.from_pandas(plain)
    arrow = arrow.take(pa.array(range(len(plain)), type=pa.int64())).combine_chunks()
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, arrow.schema) as writer:
        writer.write_table(arrow)
    return stream.getvalue(), fact


def _layer(table: pd.DataFrame, fact: Mapping[str, Any]) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import numpy as np
    import shapely
    from pyproj import CRS

    name = fact["geometry"]
    shape = np.asarray(shapely.from_wkb(table[name].to_numpy(dtype=object)), dtype=object)
    crs = CRS.from_wkt(fact["crs"]) if fact["crs"] else None
    table[name] = gpd.array.GeometryArray(shape, crs=crs)
    return gpd.GeoDataFrame(table, geometry=name)
