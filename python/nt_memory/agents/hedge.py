"""Reads how option dealers have to hedge, and remembers squeezes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nt_memory.agents._checks import bounded
from nt_memory.agents.base import MemoryAwareAgent
from nt_memory.agents.opinion import Opinion
from nt_memory.agents.trading_item import TradingMemoryItem
from nt_memory.filters import Filter, lt

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.agents.features import AgentFeatures

SQUEEZE = "gamma squeeze"


@dataclass(frozen=True, slots=True)
class HedgeLimits:
    """When dealers' hedging takes a side, and what a squeeze is.

    Parameters
    ----------
    gamma
        Size of the net gamma exposure (-1 to 1) beyond which it counts.
    flow
        Size of the smart flow signal (-1 to 1) beyond which it bears that out.
    confidence, otherwise
        With a side, and without.
    move
        Size of a bar's return, in trailing standard deviations, that makes a squeeze of
        a negative gamma.
    squeezes
        More remembered squeezes than this make it cautious.
    cautious
        What its confidence is multiplied by then.
    score
        What the note of a squeeze or of their pattern counts for.
    """

    gamma: float = 0.5
    flow: float = 0.3
    confidence: float = 0.7
    otherwise: float = 0.4
    move: float = 2.0
    squeezes: int = 2
    cautious: float = 0.8
    score: float = 1.5

    def __post_init__(self) -> None:
        share = (0.0, 1.0)
        names = ("gamma", "flow", "confidence", "otherwise", "cautious")
        bounded(self, ("squeezes",), **dict.fromkeys(names, share))


class HedgeAgent(MemoryAwareAgent):
    """Goes with the flow that dealers short of gamma have to follow.

    It needs option chains (`load_cboe_chain`): history of them that matches prices is not
    public, so the backtests of this package run without it.
    """

    name = "hedge"
    limits: HedgeLimits = HedgeLimits()

    def opinion(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> Opinion:
        """Compare gamma and flow; with more than two squeezes in memory, be cautious."""
        told = features.get("hedge")
        if told is None:
            return Opinion("neutral", 0.0, "no option chain is known")
        limits = self.limits
        gamma, flow = told["net_gamma_exposure"], told["smart_flow_signal"]
        words = f"dealer gamma {gamma:+.2f}, flow {flow:+.2f}"
        cautious = limits.cautious if self._is_wary(symbol, bar_time) else 1.0
        if gamma < -limits.gamma and flow > limits.flow:
            return Opinion("long", limits.confidence * cautious, words, "short gamma")
        if gamma > limits.gamma and flow < -limits.flow:
            return Opinion("short", limits.confidence * cautious, words, "long gamma")
        return Opinion("neutral", limits.otherwise * cautious, words)

    def notable(
        self, symbol: str, bar_time: datetime, features: AgentFeatures
    ) -> list[TradingMemoryItem]:
        """Take note of squeezes, and of their coming back."""
        found = super().notable(symbol, bar_time, features)
        told = features.get("hedge")
        if told is None:
            return found
        gamma, move = told["net_gamma_exposure"], told["move"]
        kept = {"net_gamma_exposure": gamma, "smart_flow_signal": told["smart_flow_signal"]}
        if self._is_wary(symbol, bar_time):
            content = f"{SQUEEZE}s come back: dealer gamma {gamma:+.2f}"
            event = {**kept, "event": "recurring squeeze"}
            found.append(TradingMemoryItem("pattern", content, self.limits.score, symbol, event))
        if gamma < -self.limits.gamma and abs(move) > self.limits.move:
            content = f"{SQUEEZE}: dealer gamma {gamma:+.2f}, a move of {move:+.1f} deviations"
            event = {**kept, "event": SQUEEZE, "move": move}
            item = TradingMemoryItem("market_event", content, self.limits.score, symbol, event)
            found.append(item)
        return found

    def _is_wary(self, symbol: str, bar_time: datetime) -> bool:
        """Whether more squeezes of earlier bars are remembered than it takes to be cautious."""
        wanted = Filter(kind="market_event", symbol=symbol, attributes={"event": SQUEEZE})
        found = self._memory.recall(
            namespace=self.memory.namespace,
            # Whether this bar's own is written already does not count.
            filter=wanted & Filter(event_time=lt(bar_time)),
            as_of=bar_time,
            top_k=self.limits.squeezes + 1,
            order_by="-event_time",
            log=False,
        )
        return len(found.hits) > self.limits.squeezes
