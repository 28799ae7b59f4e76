"""Many numbers in few characters: columns of integers as varints, gzip, base64.

``assets/pack.js`` reads them back. The text holds nothing but base64, so names inside it cannot become markup.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Column", "pack", "varints"]

#: From this many bytes on, packing is quicker and the text a few per cent longer.
_LARGE = 4_000_000
#: How a column is stored: bytes, varints, varints of differences, JSON text.
Column = tuple[str, Any]


def varints(values: ArrayLike) -> bytes:
    """Return signed integers as zigzag LEB128.

    Parameters
    ----------
    values : array_like of int
        Each must fit into 31 bits.

    Examples
    --------
    >>> varints([0, -1, 1, 64]).hex()
    '0001028001'
    """
    signed = np.asarray(values, dtype=np.int64)
    if signed.size and np.abs(signed).max() >= 2**30:
        msg = "a packed value must fit into 31 bits"
        raise ValueError(msg)
    zigzag = ((signed << 1) ^ (signed >> 63)).astype(np.uint64)
    size = np.ones(len(zigzag), dtype=np.int64)
    for bits in (7, 14, 21, 28):
        size += zigzag >= np.uint64(1 << bits)
    start = np.concatenate([[0], np.cumsum(size)])
    out = np.zeros(int(start[-1]), dtype=np.uint8)
    for k in range(5):
        has = size > k
        part = (zigzag[has] >> np.uint64(7 * k)) & np.uint64(127)
        more = (size[has] > k + 1).astype(np.uint64) << np.uint64(7)
        out[start[:-1][has] + k] = (part | more).astype(np.uint8)
    return out.tobytes()


def _bytes(how: str, values: Any) -> tuple[int, bytes]:
    if how == "js":
        return 1, json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    array: NDArray[np.int64] = np.asarray(values, dtype=np.int64).ravel()
    if how == "u8":
        if array.size and (array.min() < 0 or array.max() > 255):
            msg = "a u8 column must hold 0 to 255"
            raise ValueError(msg)
        return len(array), array.astype(np.uint8).tobytes()
    if how == "dv":
        return len(array), varints(np.diff(array, prepend=0))
    return len(array), varints(array)


def pack(columns: Mapping[str, Column]) -> str:
    """Return columns as base64 text; equal columns give equal text.

    Parameters
    ----------
    columns : mapping
        Name -> (``"u8"``, ``"vi"``, ``"dv"`` or ``"js"``, values).
    """
    head, body = [], []
    for name, (how, values) in columns.items():
        count, data = _bytes(how, values)
        head.append({"n": name, "t": how, "c": count, "b": len(data)})
        body.append(data)
    header = json.dumps(head, separators=(",", ":")).encode()
    raw = b"".join([len(header).to_bytes(4, "little"), header, *body])
    level = 9 if len(raw) < _LARGE else 6
    return base64.b64encode(gzip.compress(raw, compresslevel=level, mtime=0)).decode("ascii")
