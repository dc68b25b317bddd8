"""ULIDs, as the engine makes them under a manual clock."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nt_memory.testing.model import TimeSource

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MASK = 2**64 - 1


class Ids:
    """Ids of one opening: from (seed, generation, counter), or random under the system's clock."""

    def __init__(self, clock: TimeSource, seed: int, generation: int) -> None:
        self._clock = clock
        self._base = _mix(seed ^ _mix(generation))
        self._counter = 0

    def next(self) -> str:
        """Return a fresh id."""
        if self._clock.manual:
            high = _mix((self._base + self._counter) & MASK)
            self._counter += 1
            bits = high << 16 | _mix(high) & 0xFFFF
        else:
            bits = secrets.randbits(80)
        millis = max(self._clock.now_us() // 1000, 0) & (2**48 - 1)
        value = millis << 80 | bits
        return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def _mix(value: int) -> int:
    """Spread the bits (the finaliser of SplitMix64)."""
    mixed = (value + 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)
