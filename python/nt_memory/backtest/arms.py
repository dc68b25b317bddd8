"""The arms that run on the same bars: what each decides at every close.

All but buy and hold share one rule: the sign of a mean, flat where its |t| is
below the threshold.  They differ in what the mean is taken of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nt_memory.agents import weigh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.agents import Decision
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


def shuffled_directions(
    decisions: Sequence[Decision],
    rewards: Sequence[float],
    *,
    holding: int,
    threshold: float,
    seed: int,
) -> list[int]:
    """Decide as the analogue agent would, had its memories each other's outcomes.

    The recalls are those of the analogue agent.  That is the same as running
    it again on permuted outcomes: what is recalled depends on the embeddings,
    and on whether an outcome is known, never on its value.

    Parameters
    ----------
    decisions
        Of the analogue agent, one a bar.
    rewards
        What each of them led to; read only from ``holding`` bars later on.
    holding, threshold
        As of the agent.
    seed
        Of the permutation.
    """
    known = ShuffledOutcomes(np.random.default_rng(seed))
    directions = []
    for bar, decision in enumerate(decisions):
        if bar >= holding:
            known.learn(decisions[bar - holding].id, rewards[bar - holding])
        if decision.evidence is None:
            directions.append(0)
            continue
        given = [known[a.id] for a in decision.analogues]
        evidence = weigh(given, [a.similarity for a in decision.analogues])
        directions.append(evidence.direction(threshold))
    return directions
