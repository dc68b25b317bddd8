"""Bets on what has tended to follow a bar like this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nt_memory.agents._checks import bounded
from nt_memory.agents.base import MemoryAwareAgent
from nt_memory.agents.opinion import Opinion

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.agents.features import AgentFeatures


@dataclass(frozen=True, slots=True)
class MarkovLimits:
    """When a difference of chances is worth a side.

    Parameters
    ----------
    edge
        Least difference between the chances of an up and of a down bar.
    samples
        Fewest bars that the chances rest on.
    confidence, most
        Confidence at the least edge, to which the rest of the edge is added, and the most.
    """

    edge: float = 0.10
    samples: int = 30
    confidence: float = 0.45
    most: float = 0.8

    def __post_init__(self) -> None:
        share = (0.0, 1.0)
        bounded(self, ("samples",), edge=share, confidence=share, most=share)


class MarkovAgent(MemoryAwareAgent):
    """Takes the side that has followed bars of this state more often."""

    name = "markov"
    limits: MarkovLimits = MarkovLimits()

    def opinion(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> Opinion:  # noqa: ARG002
        """Compare the chances of an up and of a down bar."""
        told = features.get("markov")
        if told is None:
            return Opinion("neutral", 0.0, "transitions are not known yet")
        limits = self.limits
        edge = told["probability_up"] - told["probability_down"]
        words = (
            f"after {told['state']}: up {told['probability_up']:.0%}, "
            f"down {told['probability_down']:.0%} of {told['samples']}"
        )
        if told["samples"] < limits.samples or abs(edge) < limits.edge:
            return Opinion("neutral", 0.4, words)
        confidence = min(limits.confidence + abs(edge) - limits.edge, limits.most)
        side = "long" if edge > 0.0 else "short"
        return Opinion(side, confidence, words, f"after {told['state']}")  # type: ignore[arg-type]
