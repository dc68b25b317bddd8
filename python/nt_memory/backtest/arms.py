"""What the arms beside memory decide from: the last returns, or outcomes dealt out by lot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nt_memory.agents import weigh

if TYPE_CHECKING:
    from nt_memory.market import BarSeries


def momentum_direction(past: BarSeries, window: int, threshold: float) -> int:
    """Follow the last ``window`` returns up to the last close, with no memory beyond them."""
    returns = np.diff(np.log(past.close[-window - 1 :]))
    return weigh(returns.tolist(), [1.0] * len(returns)).direction(threshold)


class ShuffledOutcomes:
    """The outcomes known so far, each given to a random memory among those known.

    A memory that becomes known trades its outcome with a random one that is
    known already, or keeps it (the inside-out shuffle of Fisher and Yates).
    So at every bar the assignment is a uniform permutation, and it changes by
    one swap a bar: drawn anew at each bar, the placebo would pay for turnover
    that has nothing to do with memory.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._slots: dict[str, int] = {}
        self._rewards: list[float] = []

    def learn(self, id: str, reward: float) -> None:
        """Take in a memory whose outcome has become known."""
        slot = len(self._rewards)
        other = int(self._rng.integers(slot + 1))
        self._slots[id] = slot
        self._rewards.append(reward)
        self._rewards[slot], self._rewards[other] = self._rewards[other], self._rewards[slot]

    def __getitem__(self, id: str) -> float:
        """Return the outcome that a known memory was given."""
        return self._rewards[self._slots[id]]
