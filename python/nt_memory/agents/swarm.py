"""Several agents, their composer and a guard, bar by bar."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory.agents.composer import AgentVote, Composer, Decision
from nt_memory.agents.hedge import HedgeAgent
from nt_memory.agents.ledger import Ledger
from nt_memory.agents.liquidity import LiquidityAgent
from nt_memory.agents.markov import MarkovAgent
from nt_memory.agents.opinion import DIRECTIONS, SIGNAL, Act
from nt_memory.agents.outcomes import Settlement, decision_id
from nt_memory.agents.sentiment import SentimentAgent
from nt_memory.agents.trading_item import TradingMemoryItem
from nt_memory.agents.trading_memory import TradingMemoryStore
from nt_memory.agents.wyckoff import WyckoffAgent
from nt_memory.clock import to_micros
from nt_memory.filters import Filter
from nt_memory.records import Provenance, Record
from nt_memory.store import Query

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nt_memory.agents.base import MemoryAwareAgent
    from nt_memory.agents.features import AgentFeatures
    from nt_memory.agents.risk import RiskGuard
    from nt_memory.market import BarSeries
    from nt_memory.system import MemorySystem

AGENTS: tuple[type[MemoryAwareAgent], ...] = (
    HedgeAgent,
    LiquidityAgent,
    SentimentAgent,
    WyckoffAgent,
    MarkovAgent,
)
COMPOSER = "composer"
ERROR = "agent_error"
# Symbols that are decided on at one close, at most, where a bench is read again.
_AT_ONCE = 1000
_LOG = logging.getLogger("nt_memory.agents")


@dataclass(frozen=True, slots=True)
class SwarmDecision:
    """What the swarm decided at a close, and how.

    Parameters
    ----------
    id
        Of the record that keeps it.
    symbol, at, regime
        About what, when, and in which regime.
    decision
        What the votes came to, and each agent's part.
    exposure
        Share of it that the guard lets through.
    acts
        What each agent said, by name.
    benched
        Agents that were not asked, because they had raised.
    """

    id: str
    symbol: str
    at: datetime
    regime: str | None
    decision: Decision
    exposure: float
    acts: dict[str, Act]
    benched: tuple[str, ...]

    @property
    def weight(self) -> float:
        """Share of the equity to hold from the next open on: -1 (short) to 1."""
        return self.decision.score * self.exposure

    @property
    def contributions(self) -> dict[str, float]:
        """Each agent's part of the weight; they add up to it."""
        parts = self.decision.contributions
        return {agent: part * self.exposure for agent, part in parts.items()}


class Swarm:
    """Agents that look at a bar, vote, and learn how it ended; one decision a bar and symbol.

    At each close it settles what has ended, lets each agent perceive and act, composes the
    votes, asks the guard and remembers all of it in one batch.  What it goes by is in the
    memory: another swarm on it goes on where this one ended.

    Parameters
    ----------
    memory
        Where agents remember.
    agents
        They, or their classes; all five by default.
    holding
        Bars from a decision to its outcome.
    ledger
        Outcomes that records are taken of; those of the memory by default.
    composer
        Makes one decision of the votes; one on the ledger by default.
    guard
        Between a decision and the position; None lets all through.
    bench
        Decisions that an agent sits out after it has raised.
    """

    def __init__(
        self,
        memory: MemorySystem,
        agents: Sequence[MemoryAwareAgent | type[MemoryAwareAgent]] = AGENTS,
        *,
        holding: int = 5,
        ledger: Ledger | None = None,
        composer: Composer | None = None,
        guard: RiskGuard | None = None,
        bench: int = 20,
    ) -> None:
        self._memory = memory
        self.ledger = ledger or Ledger(memory)
        made = [
            agent(memory, ledger=self.ledger) if isinstance(agent, type) else agent
            for agent in agents
        ]
        self.agents = {agent.agent_id: agent for agent in made}
        if len(self.agents) < len(made) or not made or COMPOSER in self.agents:
            msg = f"agents={shown([agent.agent_id for agent in made])}: give each a name of its own"
            raise ValueError(msg)
        if isinstance(bench, bool) or not isinstance(bench, int) or bench < 0:
            msg = f"bench={shown(bench)}: give a whole number of decisions"
            raise ValueError(msg)
        self.composer = composer or Composer(self.ledger)
        self.guard = guard
        self._bench = bench
        self._benched: dict[str, int] | None = None
        # The swarm's own decisions lie beside those of its agents.
        self._store = TradingMemoryStore(memory, agent_id=COMPOSER, max_items=100_000)
        stores = {name: agent.memory for name, agent in self.agents.items()}
        self._settlement = Settlement(memory, {**stores, COMPOSER: self._store}, holding=holding)
        self.holding = holding
        """Bars from a decision to its outcome."""

    def settle(self, past: BarSeries) -> int:
        """Settle what the bars of a symbol have ended; return how many decisions those were."""
        settled = self._settlement.settle(past)
        if self.guard is not None and len(past):
            self._guard(self.guard, past.symbol, past.closed_at(-1))
        return settled

    def decide(
        self, past: BarSeries, features: AgentFeatures, regime: str | None = None
    ) -> SwarmDecision:
        """Decide at the close of the last bar of ``past``.

        Parameters
        ----------
        past
            Bars up to the close; nothing later is looked at.
        features
            Of that bar; an agent is shown the group of its name, or all where none is called so.
        regime
            The one that the market is in.

        Raises
        ------
        ValueError
            There is no bar.
        """
        if not len(past):
            msg = f"past: {past.symbol} has no bars yet; ask again after its first close"
            raise ValueError(msg)
        self.settle(past)
        at, symbol = past.closed_at(-1), past.symbol
        records: list[Record] = []
        acts: dict[str, Act] = {}
        if self._benched is None:
            self._benched = self._read_bench(at)
        benched = tuple(name for name in self.agents if self._benched.get(name, 0) > 0)
        for name, agent in self.agents.items():
            if name in benched:
                self._benched[name] -= 1
                continue
            try:
                found = agent.notes(symbol, at, _group(features, agent.name))
                thought = agent.think(symbol, at, _group(features, agent.name), regime)
            except Exception as error:  # noqa: BLE001 (the others go on)
                self._benched[name] = self._bench
                records.append(self._failed(agent, symbol, at, error))
                continue
            records += [*found, thought.record]
            acts[name] = thought.act
        votes = [
            AgentVote(act.signal, act.confidence, name, act.context["factor"])
            for name, act in acts.items()
        ]
        decision = self.composer.decide(votes, symbol=symbol, regime=regime, at=at)
        exposure = 1.0 if self.guard is None else self.guard.exposure(at)
        made = SwarmDecision(
            decision_id(COMPOSER, symbol, at), symbol, at, regime, decision, exposure, acts, benched
        )
        records.append(self._record(made))
        self._memory.remember_many(records)
        for record in records:
            if record.kind == SIGNAL:
                self._settlement.opened(record)
        return made

    def _record(self, made: SwarmDecision) -> Record:
        decision = made.decision
        told: dict[str, Any] = {
            "signal": decision.signal,
            "direction": float(DIRECTIONS[decision.signal]),
            "event": None,
            "score": decision.score,
            "exposure": made.exposure,
            "weight": made.weight,
            "contributions": made.contributions,
            "records": {name: each.weight for name, each in decision.records.items()},
            "benched": list(made.benched),
            "bench": {name: left for name, left in (self._benched or {}).items() if left},
            "why": decision.why,
        }
        content = f"decided {decision.signal} ({decision.score:+.2f}): {decision.why}"
        confidence = min(decision.confidence, 1.0)
        item = TradingMemoryItem(
            SIGNAL, content, confidence, made.symbol, told, made.at, id=made.id
        )
        votes = tuple(act.context["trade_id"] for act in made.acts.values())
        cites = Provenance(writer=COMPOSER, parents=votes)
        return self._store.record(item, confidence=confidence, regime=made.regime, provenance=cites)

    def _read_bench(self, at: datetime) -> dict[str, int]:
        """Return how long agents still sit out, as the last decision before tells it."""
        query = Query(
            namespace=self._store.namespace,
            filter=Filter(kind=SIGNAL).tree(),
            as_of=to_micros(at),
            order_by="-event_time",
            top_k=_AT_ONCE,
        )
        raws = [found.record for found in self._memory.store.vector_search(query).matches]
        # At one close there is a decision a symbol: the one that was written last.
        late = max(
            (raw for raw in raws if raw is not None),
            key=lambda raw: (raw.event_time, raw.commit),
            default=None,
        )
        return {} if late is None else dict(Record.from_raw(late).payload.get("bench", {}))

    def _failed(
        self, agent: MemoryAwareAgent, symbol: str, at: datetime, error: Exception
    ) -> Record:
        """Tell that an agent raised."""
        name = agent.agent_id
        _LOG.warning(
            "%s raised at %s and sits out %d decisions", name, at, self._bench, exc_info=error
        )
        content = f"{name} raised {type(error).__name__}: {error}"
        told = {"error": type(error).__name__, "bench": self._bench}
        item = TradingMemoryItem(ERROR, content, 2.0, symbol, told, at)
        return agent.memory.record(item)

    def _guard(self, guard: RiskGuard, symbol: str, at: datetime) -> None:
        """Tell the guard what has become known of a symbol since it was last told."""
        # Counted by symbol: which one of a close comes first is not the same for ever.
        trades = self.ledger.trades(at, agent=COMPOSER, symbol=symbol)
        for trade, pnl in trades[guard.state.told.get(symbol, 0) :]:
            raw = self._memory.store.versions(trade.trade_id)[0]
            weight = abs(float(str(raw.attributes["weight"])))
            # One of as many sleeves as the holding time has bars.
            earned = weight * pnl / 100.0 / self.holding
            equity = guard.state.equity * max(1.0 + earned, 1e-9)
            guard.outcome(pnl, trade.known_at, equity=equity, symbol=symbol)


def _group(features: AgentFeatures, name: str) -> AgentFeatures:
    """Return what an agent looks at, so that not all of them take note of one thing."""
    groups = {"hedge", "liquidity", "sentiment", "wyckoff", "markov"}
    if name not in groups:
        return features
    return {name: features[name]} if name in features else {}  # type: ignore[misc]
