"""Memory that a reader has freed goes back to the system.

The allocator of glibc keeps what is freed for later, in a heap per thread, and keeps the more of it the larger the
blocks were that it has seen. libosmium decodes a file in blocks of megabytes in several threads, so that a reading
ends with tens of megabytes that nobody uses.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["freed_at_once"]

#: What mallopt calls the size from which a block is a mapping of its own, and what a heap may keep free at its end.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_SMALL = 256 << 10
#: Where glibc itself stops as it adapts to the blocks of a program.
_USUAL = 32 << 20


@contextmanager
def freed_at_once() -> Iterator[None]:
    """Give large blocks back as soon as they are freed, and what is left over at the end.

    Notes
    -----
    Only with glibc, and only where the environment does not tell its allocator what to do; nothing happens elsewhere.
    It holds for the whole process while it lasts. Afterwards the two limits are where glibc's own adapting leads to in
    a program that has once freed a block of 32 MB; it cannot be told to adapt again.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    tune, trim = libc
    tune(_MMAP_THRESHOLD, _SMALL)
    tune(_TRIM_THRESHOLD, _SMALL)
    try:
        yield
    finally:
        tune(_MMAP_THRESHOLD, _USUAL)
        tune(_TRIM_THRESHOLD, 2 * _USUAL)
        trim(0)


def _glibc() -> tuple[Callable[[int, int], int], Callable[[int], int]] | None:
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")) for name in os.environ):
        return None
    try:
        known = ctypes.CDLL(None)
        return known.mallopt, known.malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return None
