"""Goes where the volume accepts a new price, and stays out where trades move it too far."""

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
class LiquidityLimits:
    """When a market is too thin, and what counts as outside the value area.

    Parameters
    ----------
    impact
        Kyle's lambda above which it stays out, in trailing standard deviations; Amihud's
        bound is `Thresholds.illiquidity`.
    outside
        How far beyond the value area the close has to lie, in widths of it.
    confidence
        Of a side.
    """

    impact: float = 2.0
    outside: float = 0.1
    confidence: float = 0.55

    def __post_init__(self) -> None:
        bounded(self, confidence=(0.0, 1.0))


class LiquidityAgent(MemoryAwareAgent):
    """Long above the value area and short below it, where trades move the price as usual.

    A close outside the area that held most of the volume is a price that the market has
    gone on to trade at; where little volume moves the price far, it is not.
    """

    name = "liquidity"
    limits: LiquidityLimits = LiquidityLimits()

    def opinion(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> Opinion:  # noqa: ARG002
        """Take the side on which the close has left the value area."""
        told = features.get("liquidity")
        if told is None:
            return Opinion("neutral", 0.0, "liquidity is not known yet")
        limits, position = self.limits, told["volume_profile"]["position"]
        words = f"Amihud {told['amihud']:+.1f}, lambda {told['kyle_lambda']:+.1f}"
        if told["amihud"] > self.thresholds.illiquidity or told["kyle_lambda"] > limits.impact:
            return Opinion("neutral", 0.3, f"too thin to trade: {words}", "thin market")
        if position > 1.0 + limits.outside:
            return Opinion("long", limits.confidence, f"above value: {words}", "above value")
        if position < -limits.outside:
            return Opinion("short", limits.confidence, f"below value: {words}", "below value")
        return Opinion("neutral", 0.4, f"inside value: {words}")
