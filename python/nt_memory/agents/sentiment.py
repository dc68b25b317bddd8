"""Follows where the price has been going."""

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
class SentimentLimits:
    """When momentum is worth following; all in trailing standard deviations.

    Parameters
    ----------
    momentum
        Least size of the momentum that is followed, where the trend has its sign.
    wild
        Volatility above which confidence is cut.
    wild_factor
        To this share.
    confidence, a_deviation, most
        Confidence at the least momentum, what each further deviation adds, and the most.
    """

    momentum: float = 0.5
    wild: float = 2.0
    wild_factor: float = 0.7
    confidence: float = 0.5
    a_deviation: float = 0.1
    most: float = 0.8

    def __post_init__(self) -> None:
        share = (0.0, 1.0)
        bounded(self, wild_factor=share, confidence=share, most=share)


class SentimentAgent(MemoryAwareAgent):
    """Goes with momentum that the trend bears out, with less confidence in wild markets.

    ``limits`` says when; see `MemoryAwareAgent` for what it remembers.
    """

    name = "sentiment"
    limits: SentimentLimits = SentimentLimits()

    def opinion(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> Opinion:  # noqa: ARG002
        """Follow the momentum where the trend has its sign."""
        told = features.get("sentiment")
        if told is None:
            return Opinion("neutral", 0.0, "sentiment is not known yet")
        limits = self.limits
        momentum, trend = told["momentum"], told["trend_strength"]
        wild = told["volatility"]
        words = f"momentum {momentum:+.1f}, trend {trend:+.1f}, volatility {wild:+.1f}"
        if abs(momentum) < limits.momentum or momentum * trend <= 0.0:
            return Opinion("neutral", 0.4, f"no clear direction: {words}")
        beyond = abs(momentum) - limits.momentum
        confidence = min(limits.confidence + limits.a_deviation * beyond, limits.most)
        if wild > limits.wild:
            confidence *= limits.wild_factor
        event = "strong momentum" if abs(momentum) > self.thresholds.momentum else "momentum"
        return Opinion("long" if momentum > 0.0 else "short", confidence, words, event)
