"""Positions of text ids, found in the bytes of the text: no Python string is made or hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.network.jit import HAS_NUMBA, njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_texts"]

#: Odd numbers whose products spread the bits of a word: of the golden ratio, and another.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
#: What keeps 0 to 8 bytes of a word.
_BYTES = np.array([256**k - 1 for k in range(9)], dtype=np.uint64)


@njit(cache=True, nogil=True, inline="always")
def _word(words, at, left):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return up to 8 bytes from byte `at` as one number; of fewer than 8 that are `left` the rest is 0."""
    shift = np.uint64(8 * (at & 7))
    low = words[at >> 3] >> shift
    high = (words[(at >> 3) + 1] << np.uint64(1)) << (np.uint64(63) - shift)
    return (low | high) & _BYTES[min(left, 8)]


@njit(cache=True, nogil=True, inline="always")
def _slot(words, at, size, first, shift):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return where in a table the search for a text begins; `first` is its first word."""
    mixed = (first ^ np.uint64(size)) * _SPREAD
    k = 8
    while k < size:
        mixed = (mixed ^ (mixed >> np.uint64(32)) ^ _word(words, at + k, size - k)) * _SPREAD
        k += 8
    return ((mixed ^ (mixed >> np.uint64(32))) * _MIX) >> shift


@njit(cache=True, nogil=True, inline="always")
def _rest_same(words, at, size, others, there):  # type: ignore[no-untyped-def] # pragma: no cover
    """Say whether two texts of one size, whose first words are the same, are the same."""
    k = 8
    while k < size and _word(words, at + k, size - k) == _word(others, there + k, size - k):
        k += 8
    return k >= size


@njit(cache=True, nogil=True)
def _find(words, start, known_words, known_start, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write the position of each text among the known ones, -1 where it is not.

    A table with open addressing holds first word, size and position + 1 of each known text, so that one of up to
    8 bytes is found in one place of memory. A text that equals the one before is not looked up.
    """
    bits = 2
    while (1 << bits) < 3 * len(known_start):
        bits += 1
    shift, mask = np.uint64(64 - bits), np.uint64((1 << bits) - 1)
    table = np.zeros((1 << bits, 2), dtype=np.uint64)
    one, nobody, half, low = np.uint64(1), np.uint64(0), np.uint64(32), np.uint64(0xFFFFFFFF)
    for i in range(len(known_start) - 1):
        a = known_start[i]
        size = known_start[i + 1] - a
        first = _word(known_words, a, size)
        slot = _slot(known_words, a, size, first, shift)
        while table[slot, 1] != nobody:
            slot = (slot + one) & mask
        table[slot, 0], table[slot, 1] = first, (np.uint64(size) << half) | np.uint64(i + 1)
    end, last, last_size, found = start[0], nobody, np.int64(-1), np.int32(-1)
    for k in range(len(out)):
        a, end = end, start[k + 1]
        size = end - a
        first = _word(words, a, size)
        if first == last and size == last_size and (size <= 8 or _rest_same(words, a, size, words, a - size)):
            out[k] = found
            continue
        last, last_size, found = first, size, np.int32(-1)
        slot = _slot(words, a, size, first, shift)
        held = table[slot, 1]
        while held != nobody:
            if table[slot, 0] == first and held >> half == np.uint64(size):
                place = np.int64(held & low) - 1
                if size <= 8 or _rest_same(words, a, size, known_words, known_start[place]):
                    found = np.int32(place)
                    break
            slot = (slot + one) & mask
            held = table[slot, 1]
        out[k] = found


def _as_text(ids: pd.Series | pd.Index) -> Any:
    """Return ids that are all text or missing as an Arrow array; None for others."""
    import pyarrow as pa

    if isinstance(ids, pd.MultiIndex) or not pd.api.types.is_string_dtype(ids.dtype):
        return None
    try:
        made = pa.array(ids.array, from_pandas=True)
    except (ValueError, TypeError, OverflowError, NotImplementedError):  # several types in one column
        return None
    if isinstance(made, pa.ChunkedArray):
        made = made.combine_chunks()
    if not (pa.types.is_string(made.type) or pa.types.is_large_string(made.type)):
        return None
    return made.cast(pa.large_string())


def _bytes(text: Any) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the bytes of an Arrow array of text, eight to a number and one number more, and where each text begins."""
    _, starts, data = text.buffers()
    start = np.frombuffer(starts, dtype=np.int64, count=len(text) + 1, offset=8 * text.offset)
    first, last = int(start[0]), int(start[-1])
    words = np.zeros((last - first) // 8 + 2, dtype=np.uint64)
    if last > first:
        words.view(np.uint8)[: last - first] = np.frombuffer(data, dtype=np.uint8, count=last - first, offset=first)
    return words, start - first if first else start


def find_texts(ids: pd.Series, known: pd.Index) -> NDArray[np.int32] | None:
    """Find text ids among known ones.

    Parameters
    ----------
    ids : pandas.Series
        Ids of any type.
    known : pandas.Index
        Known ids, each once.

    Returns
    -------
    ndarray of int32 or None
        Position of each id in `known`, -1 where it is not or is missing; None where not all of them are text.
    """
    if not HAS_NUMBA or not len(ids) or not len(known):
        return None
    sought = _as_text(known)
    texts = None if sought is None or sought.null_count else _as_text(ids)
    if texts is None:
        return None
    out = np.empty(len(ids), dtype=np.int32)
    _find(*_bytes(texts), *_bytes(sought), out)
    if texts.null_count:
        out[texts.is_null().to_numpy(zero_copy_only=False)] = -1
    return out
