"""Reads who wins in a trading range, and remembers how such signs ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nt_memory.agents._checks import bounded
from nt_memory.agents.base import MemoryAwareAgent
from nt_memory.agents.opinion import Opinion
from nt_memory.agents.trading_item import TradingMemoryItem

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.agents.features import AgentFeatures


@dataclass(frozen=True, slots=True)
class WyckoffLimits:
    """What counts as accumulation, and how sure each sign makes it.

    Parameters
    ----------
    accumulation
        Least size of the accumulation, per unit traded, that takes a side.
    event_confidence, flow_confidence
        Of a spring or an upthrust, and of accumulation or distribution alone.
    event_score
        What the note of an event counts for.
    """

    accumulation: float = 0.15
    event_confidence: float = 0.7
    flow_confidence: float = 0.55
    event_score: float = 1.5

    def __post_init__(self) -> None:
        share = (0.0, 1.0)
        bounded(self, accumulation=share, event_confidence=share, flow_confidence=share)


class WyckoffAgent(MemoryAwareAgent):
    """Long after a spring and in accumulation, short after an upthrust and in distribution.

    How its past springs and upthrusts ended moves its confidence in the next.
    """

    name = "wyckoff"
    limits: WyckoffLimits = WyckoffLimits()

    def opinion(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> Opinion:  # noqa: ARG002
        """Take the side of the sign, events before flows."""
        told = features.get("wyckoff")
        if told is None:
            return Opinion("neutral", 0.0, "the range is not known yet")
        limits, flow = self.limits, told["accumulation"]
        if told["spring"] != told["upthrust"]:
            event = "spring" if told["spring"] else "upthrust"
            words = f"{event} at a flow of {flow:+.2f}"
            side = "long" if told["spring"] else "short"
            return Opinion(side, limits.event_confidence, words, event)  # type: ignore[arg-type]
        if abs(flow) >= limits.accumulation:
            event = "accumulation" if flow > 0.0 else "distribution"
            side = "long" if flow > 0.0 else "short"
            words = f"{event}: flow {flow:+.2f}"
            return Opinion(side, limits.flow_confidence, words, event)  # type: ignore[arg-type]
        return Opinion("neutral", 0.4, f"nobody wins: flow {flow:+.2f}")

    def notable(
        self, symbol: str, bar_time: datetime, features: AgentFeatures
    ) -> list[TradingMemoryItem]:
        """Take note of springs and upthrusts too."""
        found = super().notable(symbol, bar_time, features)
        told = features.get("wyckoff")
        for event in ("spring", "upthrust"):
            if told is not None and told[event]:
                content = (
                    f"{event} of the range {told['range_low']:.6g} to {told['range_high']:.6g}"
                )
                kept = {"event": event, "accumulation": told["accumulation"]}
                item = TradingMemoryItem("pattern", content, self.limits.event_score, symbol, kept)
                found.append(item)
        return found
