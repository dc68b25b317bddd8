"""What the arms beside memory decide from: the last returns, or outcomes dealt out by lot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory.agents import AnalogueAgent, weigh
from nt_memory.agents.outcomes import SETTLED, STATE
from nt_memory.filters import Filter, gt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nt_memory.agents.base import MemoryAwareAgent
    from nt_memory.market import BarSeries
    from nt_memory.recall import Hit
    from nt_memory.system import MemorySystem


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


class ShuffledAnalogueAgent(AnalogueAgent):
    """A placebo: recalls as the agent does, and is told the outcomes of other states."""

    seed = 0

    def __init__(self, memory: MemorySystem, **options: Any) -> None:
        super().__init__(memory, **options)
        self._dealt: dict[str, ShuffledOutcomes] = {}
        # By symbol: the last state whose outcome was dealt out.
        self._last: dict[str, datetime] = {}

    def rewards(self, symbol: str, bar_time: datetime, hits: Sequence[Hit]) -> list[float]:
        """Return what was dealt out to recalled states."""
        if symbol not in self._dealt:
            rng = np.random.default_rng([self.seed, len(self._dealt)])
            self._dealt[symbol] = ShuffledOutcomes(rng)
        dealt, last = self._dealt[symbol], self._last.get(symbol)
        wanted = Filter(kind=STATE, symbol=symbol) & SETTLED
        if last is not None:
            wanted &= Filter(event_time=gt(last))
        for state in self._memory.records(namespace=self.states, filter=wanted, as_of=bar_time):
            if state.outcome is not None:
                dealt.learn(state.id, state.outcome.reward)
            self._last[symbol] = state.event_time
        return [dealt[hit.id] for hit in hits]


def shuffled(agent: type[MemoryAwareAgent], seed: int) -> type[MemoryAwareAgent]:
    """Return the placebo of a class of agents: of one that recalls states, else itself.

    What else agents remember is told by their ledger.
    """
    if not issubclass(agent, AnalogueAgent):
        return agent
    return type(
        f"Shuffled{agent.__name__}",
        (ShuffledAnalogueAgent, agent),
        {"seed": seed},
    )
