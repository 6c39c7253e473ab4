"""Shared buckets: allowances that all workers of a server draw on, in a little memory they share."""

import mmap
import os
import struct
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

SLOTS = 1 << 15
"""How many names are remembered at most, about: 0.8 MB."""

_SLOT = struct.Struct("=Qdd")
_PROBES = 8


class SharedBuckets:
    """A token bucket for each name: `rate` a second, `burst` at once, whichever process takes from it.

    A table of fixed size, by a hash of the name, without locks: two that take from one bucket in the same microsecond may count
    once. A name for which there is no room takes the place of the one that has most left, so that a flood of addresses costs no
    more memory.

    Args:
        file: The memory, made when absent; all processes that name it share it.
        rate: How many a second.
        burst: How many at once.
        clock: Tells seconds, the same to all of them.
    """

    def __init__(self, file: Path, *, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, SLOTS * _SLOT.size)
            self._memory = mmap.mmap(handle, SLOTS * _SLOT.size)
        finally:
            os.close(handle)

    def take(self, name: str) -> bool:
        """Take one, if there is one."""
        now = self._clock()
        key = int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") | 1
        place, level = self._place_of(key, now)
        _SLOT.pack_into(self._memory, place, key, max(level - 1, 0.0), now)
        return level >= 1

    def _place_of(self, key: int, now: float) -> tuple[int, float]:
        """Find a name's place, and what is left to it; a new one gets the place of whoever has most left."""
        best, most = 0, -1.0
        for probe in range(_PROBES):
            place = (key // 2 + probe) % SLOTS * _SLOT.size
            found, level, since = _SLOT.unpack_from(self._memory, place)
            left = min(self._burst, level + max(0.0, now - since) * self._rate) if found else self._burst
            if found == key:
                return place, left
            if not found:
                return place, self._burst
            if left > most:
                best, most = place, left
        return best, self._burst
