"""What all trading agents with a memory share: perceive, recall, act, remember what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from nt_memory._handle import TEXT
from nt_memory._shown import shown
from nt_memory._values import finite, optional
from nt_memory.agents._checks import checked_features, text
from nt_memory.agents.evidence import Analogue
from nt_memory.agents.ledger import OUTCOME, Ledger
from nt_memory.agents.opinion import (
    DIRECTIONS,
    LEAST_FACTOR,
    MOST_FACTOR,
    SIGNAL,
    Act,
    Opinion,
    Thresholds,
    rated,
    win_rate,
)
from nt_memory.agents.outcomes import Result, decision_id, outcome_id, outcome_ops
from nt_memory.agents.trading_item import TradingMemoryItem
from nt_memory.agents.trading_memory import HALF_LIVES, WEIGHTS, TradingMemoryStore
from nt_memory.clock import to_micros
from nt_memory.errors import ConflictError, SettledError
from nt_memory.filters import Filter, lt
from nt_memory.records import Provenance

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.agents.features import AgentFeatures
    from nt_memory.clock import Duration
    from nt_memory.records import Record
    from nt_memory.system import MemorySystem

# Items of a symbol that an agent keeps: decades of daily bars.
_MAX_ITEMS = 100_000


class Thought(NamedTuple):
    """A decision, and the record that keeps it."""

    act: Act
    record: Record


class MemoryAwareAgent(ABC):
    """An agent that decides on features and on how its earlier decisions ended.

    A subclass says what it makes of the features (`opinion`) and, where it likes, what is
    worth a note (`notable`).

    Parameters
    ----------
    memory
        Where it remembers: namespace ``swarm/<agent_id>/trading``.
    agent_id
        Its name; that of its class by default.
    half_life
        Age at which a memory's recency is one half.
    thresholds
        See `Thresholds`.
    ledger
        Outcomes that its record is taken of; its own by default.
    limits
        Thresholds of the subclass, where they shall differ.
    """

    limits: Any = None
    """Thresholds of the subclass."""

    name = "agent"
    """What it is called by default, and the group of features that it looks at."""

    def __init__(
        self,
        memory: MemorySystem,
        *,
        agent_id: str | None = None,
        half_life: Duration = HALF_LIVES["daily"],
        thresholds: Thresholds | None = None,
        ledger: Ledger | None = None,
        limits: object = None,
    ) -> None:
        self._memory = memory
        optional("thresholds", thresholds, Thresholds)
        optional("ledger", ledger, Ledger)
        if limits is not None:
            if not isinstance(limits, type(self.limits)):
                msg = f"limits={shown(limits)}: give {type(self.limits).__name__}"
                raise TypeError(msg)
            self.limits = limits
        self.agent_id = (memory.agent_id or self.name) if agent_id is None else agent_id
        self.thresholds = thresholds or Thresholds()
        self.memory = TradingMemoryStore(
            memory, agent_id=self.agent_id, half_life=half_life, max_items=_MAX_ITEMS
        )
        self.ledger = ledger or Ledger(memory, self.memory.namespace)

    @abstractmethod
    def opinion(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> Opinion:
        """Say what the features call for; neutral where its group is absent."""

    def notable(
        self,
        symbol: str,
        bar_time: datetime,  # noqa: ARG002 (for what a subclass remembers by then)
        features: AgentFeatures,
    ) -> list[TradingMemoryItem]:
        """Return what is worth a note; a subclass may add to it."""
        found = []
        limits = self.thresholds
        liquidity, sentiment = features.get("liquidity"), features.get("sentiment")
        if liquidity is not None and liquidity["amihud"] > limits.illiquidity:
            content = f"high illiquidity: Amihud {liquidity['amihud']:.2f} deviations above usual"
            told = {"event": "illiquidity", "amihud": liquidity["amihud"]}
            score = limits.illiquidity_score
            found.append(TradingMemoryItem("market_event", content, score, symbol, told))
        if sentiment is not None and abs(sentiment["momentum"]) > limits.momentum:
            content = f"strong momentum: {sentiment['momentum']:+.2f} deviations from usual"
            told = {"event": "momentum", "momentum": sentiment["momentum"]}
            score = limits.momentum_score
            found.append(TradingMemoryItem("sentiment_extreme", content, score, symbol, told))
        return found

    def perceive(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> list[str]:
        """Take note of what is remarkable in a bar; return the ids of the notes."""
        notes = self.notes(symbol, bar_time, features)
        return self._memory.remember_many(notes) if notes else []

    def notes(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> list[Record]:
        """Return what `perceive` would write.

        A note that is taken again, after a restart for one, is a version of the same record.
        """
        text("symbol", symbol)
        bar = decision_id(self.agent_id, symbol, bar_time)
        found = _checked_notes(self.notable(symbol, bar_time, checked_features(features)))
        count: Counter[str] = Counter()
        records = []
        for item in found:
            what = quote(f"{item.kind}.{item.metadata.get('event', '')}", safe="")[:64]
            count[what] += 1
            id_ = f"note-{bar}.{what}.{count[what]}"
            records.append(self.memory.record(item, event_time=bar_time, id=id_))
        return records

    def recall(
        self, symbol: str, query: str, topk: int = 3, *, as_of: datetime | None = None
    ) -> list[TradingMemoryItem]:
        """Return what it remembers of a symbol that is most like some words."""
        return self.memory.search(query, symbol=symbol, topk=topk, as_of=as_of)

    def act_with_memory(
        self,
        symbol: str,
        bar_time: datetime,
        features: AgentFeatures,
        regime: str | None = None,
    ) -> Act:
        """Decide at the close of a bar, and remember the decision.

        Parameters
        ----------
        symbol
            What to decide about.
        bar_time
            The close; nothing later is looked at.
        features
            See `nt_memory.FeatureTable`.
        regime
            The one that the market is in, where that is known.

        Returns
        -------
        Act
            Signal, confidence and context.

        Raises
        ------
        ValueError, TypeError
            The symbol, the time or a feature cannot be; nothing was remembered.
        """
        thought = self.think(symbol, bar_time, features, regime)
        self._memory.remember(thought.record)
        return thought.act

    def think(
        self,
        symbol: str,
        bar_time: datetime,
        features: AgentFeatures,
        regime: str | None = None,
    ) -> Thought:
        """Return what `act_with_memory` would decide, and the record that it would write."""
        text("symbol", symbol)
        id_ = decision_id(self.agent_id, symbol, bar_time)
        base = _checked(self.opinion(symbol, bar_time, checked_features(features)))
        found = self._memory.recall(
            # A memory without texts tells what is late and weighty.
            text=base.why if TEXT in self._memory.config.spaces else None,
            namespace=self.memory.namespace,
            # What had happened, and not what it said then or saw at this bar.
            filter=Filter(symbol=symbol)
            & ~Filter(kind=SIGNAL)
            & (Filter(kind=OUTCOME) | Filter(event_time=lt(bar_time))),
            as_of=bar_time,
            top_k=3,
            half_life=self.memory.half_life,
            weights=WEIGHTS,
        )
        trades = self.ledger.trades(
            bar_time, agent=self.agent_id, symbol=symbol, last=self.thresholds.record
        )
        outcomes = [pnl for _, pnl in trades]
        rate, factor = win_rate(outcomes), self.factor(base, outcomes, bar_time, symbol)
        finite("factor", factor, LEAST_FACTOR, MOST_FACTOR)
        confidence = min(base.confidence * factor, 1.0)
        context = {
            "trade_id": id_,
            "base": base,
            "factor": factor,
            "win_rate": rate,
            "outcomes": len(trades),
            "past_trades": [[trade.trade_id, pnl] for trade, pnl in trades[-5:]],
            "recalled": [hit.record.text or hit.record.kind for hit in found],
            "recall_id": found.id,
        }
        told = {
            "signal": base.signal,
            "recall_id": base.recall_id,
            "precedents": [
                [each.id, to_micros(each.at), each.similarity, each.reward]
                for each in base.precedents
            ],
            "direction": float(DIRECTIONS[base.signal]),
            "why": base.why,
            "event": base.event,
            "base_confidence": base.confidence,
            "factor": factor,
            "win_rate": rate,
            "outcomes": len(trades),
            "past_trades": context["past_trades"],
            "recalled": context["recalled"],
        }
        parents = (found.id,) if base.recall_id is None else (found.id, base.recall_id)
        content = f"{self.agent_id} says {base.signal} ({confidence:.2f}): {base.why}"
        item = TradingMemoryItem(SIGNAL, content, confidence, symbol, told, bar_time, id_)
        record = self.memory.record(
            item,
            confidence=confidence,
            regime=regime,
            provenance=Provenance(writer=self.agent_id, parents=parents),
        )
        return Thought(Act(base.signal, confidence, context), record)

    def factor(
        self, base: Opinion, outcomes: list[float], bar_time: datetime, symbol: str
    ) -> float:
        """Return what the record makes of a confidence: `LEAST_FACTOR` to `MOST_FACTOR`."""
        limits = self.thresholds
        factor = rated(outcomes, limits)
        if base.event is not None:
            # How events of this kind ended for it counts like its last decisions.
            of = {"agent": self.agent_id, "symbol": symbol, "event": base.event}
            factor *= rated(self.ledger.pnl(bar_time, last=limits.record, **of), limits)
        return min(max(factor, LEAST_FACTOR), MOST_FACTOR)

    def remember_outcome(
        self,
        symbol: str,
        trade_id: str,
        pnl: float,
        entry_price: float,
        exit_price: float,
        *,
        known_at: datetime | None = None,
    ) -> str:
        """Remember what a decision led to; return the id of the outcome.

        Parameters
        ----------
        symbol
            What was traded.
        trade_id
            Of the decision (``context["trade_id"]``), which is settled, or a name of one's
            own for a trade that was decided elsewhere.
        pnl
            In percent of equity.
        entry_price, exit_price
            Positive.
        known_at
            From when it was known; the clock's now by default.

        Raises
        ------
        SettledError
            The outcome of this trade is there already; nothing was changed.
        ValueError
            A number is not finite, or a price not positive.
        """
        at = self._memory.clock.now() if known_at is None else known_at
        result = Result(symbol, trade_id, pnl, entry_price, exit_price, at)
        ops = outcome_ops(self._memory, self.memory, result, self.thresholds.large_pnl)
        try:
            self._memory.store.commit(ops)
        except ConflictError as error:
            msg = f"trade_id={shown(trade_id)}: its outcome is there already"
            raise SettledError(msg) from error
        return outcome_id(trade_id)


def _checked(opinion: Opinion) -> Opinion:
    """Return what a subclass said, where it is an opinion."""
    if not isinstance(opinion, Opinion):
        msg = f"opinion={shown(opinion)}: return an Opinion"
        raise TypeError(msg)
    if not isinstance(opinion.signal, str) or opinion.signal not in DIRECTIONS:
        msg = f"signal={shown(opinion.signal)}: give one of {', '.join(DIRECTIONS)}"
        raise ValueError(msg)
    finite("confidence", opinion.confidence, 0.0, 1.0)
    text("why", opinion.why)
    for name in ("event", "recall_id"):
        if getattr(opinion, name) is not None:
            text(name, getattr(opinion, name))
    given = opinion.precedents
    if not isinstance(given, (list, tuple)) or not all(map(_is_precedent, given)):
        msg = f"precedents={shown(given)}: give a tuple of Analogue"
        raise TypeError(msg)
    return opinion


def _is_precedent(given: object) -> bool:
    if not isinstance(given, Analogue) or not isinstance(given.id, str):
        return False
    to_micros(given.at, "precedents: at")
    finite("precedents: similarity", given.similarity)
    finite("precedents: reward", given.reward)
    return True


def _checked_notes(notes: list[TradingMemoryItem]) -> list[TradingMemoryItem]:
    """Return what a subclass thinks worth a note, where that can be noted."""
    if not isinstance(notes, (list, tuple)) or not all(
        isinstance(note, TradingMemoryItem) for note in notes
    ):
        msg = f"notable={shown(notes)}: return a list of TradingMemoryItem"
        raise TypeError(msg)
    return notes
