"""How servers are asked, and what they answered."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Answer", "Web"]


@dataclass(frozen=True)
class Web:
    """How servers are asked.

    Attributes
    ----------
    agent : str
        The name given to servers.
    offline : bool
        Nothing is asked; every attempt is a `NetworkError`.
    hosts : frozenset of str
        Hosts beside the one asked, and those below it, that an answer may come from.
    tries : int
        Failures in a row after which it is given up.
    timeout_s : float
        Silence that counts as a failure [s].
    slow_bytes_s : float
        A server that stays below this speed for `timeout_s` counts as silent [bytes/s].
    max_bytes : int
        No answer larger than this is taken [bytes].
    first_wait_s, longest_wait_s : float
        Waits grow from the first, doubling and blurred by chance, to the longest [s]. A server that asks for more is
        not asked again.
    sleep, chance, clock : callable
        What waits, what blurs, what measures.
    """

    agent: str
    offline: bool = False
    hosts: frozenset[str] = frozenset()
    tries: int = 6
    timeout_s: float = 60.0
    slow_bytes_s: float = 100.0
    max_bytes: int = 4_000_000_000
    first_wait_s: float = 2.0
    longest_wait_s: float = 300.0
    sleep: Callable[[float], None] = field(default=time.sleep, compare=False)
    chance: Callable[[], float] = field(default=random.random, compare=False)
    clock: Callable[[], float] = field(default=time.monotonic, compare=False)


@dataclass(frozen=True)
class Answer:
    """What came: the address it came from in the end, its size and hash."""

    url: str
    bytes: int
    sha256: str
    last_modified: str = ""
