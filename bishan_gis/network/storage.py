"""A network as one file of raw arrays: written once, opened in milliseconds.

The file is a cache of the analyst's own and the one exception to the rule that only ``sources/`` reads and only
``output/`` writes. It holds, in this order: eight bytes that say what it is, the length of the header, the SHA-256 of
the header, the header (JSON: version, CRS, mode, what was counted, and where each array lies), and the arrays, each
at a multiple of 64 bytes. Texts are codes and a list of values. Nothing in it is run when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import BrokenFileError, MissingFileError, OutputError
from bishan_gis.network.graph import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FORMAT_VERSION", "load_network", "save_network"]

#: Version of the format; files of a later one are not read.
FORMAT_VERSION = 3

#: What the first version did not have; files without it are still of that version, and of the second without forbidden
#: turns over edges in between and local edges.
_SECOND = ("sample_start", "sample_elevation_m")
_MAGIC = b"BGISNET\n"
_LEAD = struct.Struct("<8sQ32s")
_ALIGN = 64
_MAX_HEADER = 1 << 28
#: Array -> type and what it counts; ``?`` may be left out.
_ARRAYS = {
    "node_x": ("<f8", "n"),
    "node_y": ("<f8", "n"),
    "node_osmid": ("<i8", "n"),
    "node_frontier": ("|b1", "n"),
    "node_elevation_m": ("<f8", "n"),
    "node_control": ("|u1", "n?"),
    "edge_u": ("<i4", "m"),
    "edge_v": ("<i4", "m"),
    "edge_length_m": ("<f8", "m"),
    "edge_forward": ("|b1", "m"),
    "edge_backward": ("|b1", "m"),
    "edge_way": ("<i8", "m"),
    "edge_structure": ("|u1", "m"),
    "edge_speed_kmh": ("<f8", "m?"),
    "vertex_start": ("<i8", "m+1"),
    "vertex_x": ("<f8", "k"),
    "vertex_y": ("<f8", "k"),
    "turns": ("<i4", "turns?"),
    "sample_start": ("<i8", "m+1?"),
    "sample_elevation_m": ("<f8", "s?"),
    "edge_local": ("|b1", "m?"),
}
_TEXTS = ("edge_highway", "edge_name", "edge_kind")


def save_network(network: Network, path: str | Path) -> Path:
    """Write a network into one file, whole or not at all.

    Parameters
    ----------
    network : Network
        The streets.
    path : str or pathlib.Path
        The file; the customary ending is ``.bgnet``. One that stands there is replaced.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    OutputError
        It cannot be written; what stood there before still stands.

    Notes
    -----
    Equal networks give equal bytes.
    """
    target = Path(path)
    arrays = dict(_content(network))
    places: list[dict[str, Any]] = []
    offset, digest = 0, hashlib.sha256()
    for name, values in arrays.items():
        places.append({"name": name, "type": values.dtype.str, "shape": list(values.shape), "offset": offset})
        digest.update(values.data)
        offset += -(-values.nbytes // _ALIGN) * _ALIGN
    header = {
        "format": "bishan_gis network",
        "version": _version(network),
        "crs_wkt": network.crs.to_wkt(),
        "mode": network.mode,
        "island_m": network.island_m,
        "rule_table": network.rule_table,
        "rule_counts": network.rule_counts,
        "left_out": network.left_out,
        "arrays": places,
        "bytes": offset,
        "sha256": digest.hexdigest(),
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), default=_plain).encode("utf-8")
    hidden: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        number, hidden = tempfile.mkstemp(prefix=".writing-", dir=target.parent)
        with os.fdopen(number, "wb") as f:
            f.write(_LEAD.pack(_MAGIC, len(text), hashlib.sha256(text).digest()))
            f.write(text)
            f.write(bytes(-f.tell() % _ALIGN))
            for values in arrays.values():
                f.write(values.data)
                f.write(bytes(-values.nbytes % _ALIGN))
            f.flush()
            os.fsync(f.fileno())
        Path(hidden).chmod(0o644)
        Path(hidden).replace(target)
    except OSError as err:
        if hidden:
            Path(hidden).unlink(missing_ok=True)
        raise OutputError(
            f"无法写入路网文件 {target}: {err.strerror or err};请检查文件夹权限和磁盘空间",
            f"cannot write the network file {target}: {err.strerror or err}; check permissions and free space",
        ) from err
    return target


def load_network(path: str | Path, *, verify: bool = False) -> Network:
    """Open a file that :func:`save_network` wrote.

    Arrays are mapped, not read: what is used is fetched from the disk when it is used, and changes to an array stay
    in memory. Texts (``edge_highway, edge_name, edge_kind``) are made when they are first asked for.

    Parameters
    ----------
    path : str or pathlib.Path
        The file. It must not be changed in place while the network is in use; to replace it is safe.
    verify : bool
        Also read all of it and compare its checksum; takes as long as reading does.

    Returns
    -------
    Network
        Equal to the one that was saved.

    Raises
    ------
    MissingFileError
        There is no such file.
    BrokenFileError
        It is no network file, is damaged or cut short, or was written by a later version.
    """
    file = Path(path)
    try:
        with file.open("rb") as f:
            size = os.fstat(f.fileno()).st_size
            header, begin = _read_header(f.read(_LEAD.size), f, size, file)
        raw: NDArray[np.uint8] = np.asarray(np.memmap(file, dtype=np.uint8, mode="c"))
    except FileNotFoundError as err:
        raise MissingFileError(f"找不到路网文件 {file}", f"no network file at {file}") from err
    except (OSError, ValueError) as err:
        if isinstance(err, BrokenFileError):
            raise
        raise _broken(file, f"无法读取: {err}", f"cannot be read: {err}") from err
    try:
        arrays = _arrays(raw[begin:], header, file)
        network = _network(arrays, header, file)
    except (KeyError, TypeError, AttributeError) as err:
        raise _broken(file, f"文件头缺少内容: {err}", f"its header lacks something: {err}") from err
    if verify:
        digest = hashlib.sha256()
        for values in arrays.values():
            digest.update(values.data)
        if digest.hexdigest() != header.get("sha256"):
            raise _broken(file, "内容与校验和不符", "its content does not match its checksum")
    return network


def _version(network: Network) -> int:
    """Return the first version of the format that holds what there is."""
    if network.edge_local is not None or (network.turns is not None and network.turns.shape[1] > 3):
        return FORMAT_VERSION
    return 2 if any(getattr(network, name) is not None for name in _SECOND) else 1


def _content(network: Network) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield every array to be written, texts as codes, ends and letters."""
    for name, (kind, _) in _ARRAYS.items():
        values = getattr(network, name)
        if values is not None:
            yield name, np.ascontiguousarray(values, dtype=kind)
    import pandas as pd

    for name in _TEXTS:
        codes, values = pd.factorize(np.asarray(getattr(network, name), dtype=object), use_na_sentinel=False)
        texts = [str(v).encode("utf-8") for v in values]
        yield f"{name}.code", codes.astype("<i4")
        yield f"{name}.end", np.cumsum([len(t) for t in texts], dtype="<i8")
        yield f"{name}.text", np.frombuffer(b"".join(texts), dtype=np.uint8)


def _plain(value: Any) -> Any:
    """Return numbers of numpy as those of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(repr(value))


def _broken(file: Path, zh: str, en: str) -> BrokenFileError:
    return BrokenFileError(
        f"{file}: {zh};请用 Network.save 重新写出", f"{file}: {en}; write it again with Network.save"
    )


def _read_header(lead: bytes, f: Any, size: int, file: Path) -> tuple[dict[str, Any], int]:
    """Return the header and where the arrays begin."""
    if len(lead) < _LEAD.size or lead[: len(_MAGIC)] != _MAGIC:
        raise _broken(file, "不是路网文件", "is not a network file")
    _, length, checksum = _LEAD.unpack(lead)
    if length > min(size, _MAX_HEADER):
        raise _broken(file, "文件头不完整", "its header is cut short")
    text = f.read(length)
    if hashlib.sha256(text).digest() != checksum:
        raise _broken(file, "文件头已损坏", "its header is damaged")
    header: dict[str, Any] = json.loads(text)
    if not isinstance(header, dict) or not isinstance(header.get("bytes"), int):
        raise _broken(file, "文件头缺少内容", "its header lacks something")
    if header.get("version") not in range(1, FORMAT_VERSION + 1):
        version = header.get("version")
        raise BrokenFileError(
            f"{file}: 格式版本 {version},本程序只读到版本 {FORMAT_VERSION};请升级 bishan_gis 或重新写出",
            f"{file}: format version {version}, this program reads up to {FORMAT_VERSION}; upgrade, or write it again",
        )
    begin = -(-(_LEAD.size + length) // _ALIGN) * _ALIGN
    if size != begin + header["bytes"]:
        raise _broken(
            file,
            f"应有 {begin + header['bytes']:,} 字节,实有 {size:,},文件不完整",
            f"has {size:,} bytes where {begin + header['bytes']:,} are due; it is cut short",
        )
    return header, begin


def _arrays(raw: NDArray[np.uint8], header: dict[str, Any], file: Path) -> dict[str, NDArray[Any]]:
    """Return views of every array; each must lie in the file and be of the right type and length."""
    known = {name: kind for name, (kind, _) in _ARRAYS.items()}
    for name in _TEXTS:
        known |= {f"{name}.code": "<i4", f"{name}.end": "<i8", f"{name}.text": "|u1"}
    out: dict[str, NDArray[Any]] = {}
    for place in header["arrays"]:
        name, kind, shape, offset = place["name"], place["type"], tuple(place["shape"]), place["offset"]
        count = int(np.prod(shape, dtype=np.int64))
        end = offset + count * np.dtype(known.get(name, "u1")).itemsize
        if known.get(name) != kind or offset < 0 or count < 0 or end > len(raw):
            raise _broken(file, f"数组 {name} 有误", f"array {name} is wrong")
        out[name] = raw[offset:end].view(kind).reshape(shape)
    sizes = {"n": "node_x", "m": "edge_u", "k": "vertex_x", "s": "sample_elevation_m"}
    lengths = {letter: len(out.get(name, ())) for letter, name in sizes.items()}
    due = {name: rule for name, (_, rule) in _ARRAYS.items()} | {f"{t}.code": "m" for t in _TEXTS}
    wrong = []
    for name, rule in due.items():
        if name not in out:
            wrong += [] if rule.endswith("?") else [name]
        elif rule == "turns?":
            shape = out[name].shape
            wrong += [] if len(shape) == 2 and shape[1] >= 3 and shape[1] % 2 else [name]
        elif out[name].shape != (lengths[rule[0]] + ("+1" in rule),):
            wrong.append(name)
    wrong += [name for name in _SECOND if name not in out and any(n in out for n in _SECOND)]
    wrong += [f"{t}.{part}" for t in _TEXTS for part in ("end", "text") if f"{t}.{part}" not in out]
    if wrong:
        raise _broken(
            file, f"数组缺失或长度有误: {', '.join(wrong)}", f"arrays missing or too long: {', '.join(wrong)}"
        )
    return out


def _network(arrays: dict[str, NDArray[Any]], header: dict[str, Any], file: Path) -> Network:
    """Put a network together; its texts wait until they are asked for."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError as ProjError

    try:
        crs = CRS.from_wkt(header["crs_wkt"])
    except ProjError as err:
        raise _broken(file, "坐标系无法识别", "its CRS is not understood") from err
    network = object.__new__(Network)
    own = network.__dict__
    own |= {name: arrays.get(name) for name in _ARRAYS}
    own |= {"crs": crs, "mode": header["mode"], "island_m": float(header.get("island_m", 0.0))}
    own["rule_table"] = str(header.get("rule_table", ""))
    own |= {"rule_counts": header["rule_counts"], "left_out": header["left_out"]}
    own["_waiting"] = {t: tuple(arrays[f"{t}.{part}"] for part in ("code", "end", "text")) for t in _TEXTS}
    return network
