"""Several agents, their composer and a guard, bar by bar."""

from __future__ import annotations

import logging
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING

from nt_memory._retrying import retried
from nt_memory._shown import shown
from nt_memory._values import optional, whole
from nt_memory._walking import walk
from nt_memory.agents._checks import GROUPS, checked_features, text
from nt_memory.agents._decided import SwarmDecision, act_of, decision_of, kept
from nt_memory.agents.analogue import AnalogueAgent
from nt_memory.agents.base import MemoryAwareAgent
from nt_memory.agents.composer import AgentVote, Composer, checked_vote
from nt_memory.agents.hedge import HedgeAgent
from nt_memory.agents.ledger import OUTCOME, Ledger
from nt_memory.agents.liquidity import LiquidityAgent
from nt_memory.agents.markov import MarkovAgent
from nt_memory.agents.opinion import SIGNAL
from nt_memory.agents.outcomes import Settlement, decision_id
from nt_memory.agents.risk import RiskGuard
from nt_memory.agents.sentiment import SentimentAgent
from nt_memory.agents.trading_item import TradingMemoryItem
from nt_memory.agents.trading_memory import TradingMemoryStore
from nt_memory.agents.wyckoff import WyckoffAgent
from nt_memory.clock import LAST, from_micros, to_micros
from nt_memory.errors import ForgottenError, RecordNotFoundError
from nt_memory.filters import Filter, ge, lt
from nt_memory.market import BarSeries
from nt_memory.records import Provenance
from nt_memory.store import Query

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nt_memory.agents.features import AgentFeatures
    from nt_memory.agents.opinion import Act
    from nt_memory.records import Record
    from nt_memory.store import RawRecord
    from nt_memory.system import MemorySystem

__all__ = ["AGENTS", "ON_BARS", "Swarm", "SwarmDecision"]

AGENTS: tuple[type[MemoryAwareAgent], ...] = (
    HedgeAgent,
    LiquidityAgent,
    SentimentAgent,
    WyckoffAgent,
    MarkovAgent,
)
# Those that bars alone tell something: the hedge agent needs option chains.
ON_BARS: tuple[type[MemoryAwareAgent], ...] = (*AGENTS[1:], AnalogueAgent)
COMPOSER = "composer"
ERROR = "agent_error"
# Letters of an error that are remembered.
_LONGEST = 500
_LOG = logging.getLogger("nt_memory.agents")


class Swarm:
    """Agents that look at a bar, vote, and learn how it ended; one decision a bar and symbol.

    At each close it settles what has ended, lets each agent perceive and act, composes the
    votes, asks the guard and remembers all of it in one batch.  What it goes by is in the
    memory: another swarm on it goes on where this one ended.  What was decided about a bar
    stays decided: asked again, it says the same and writes nothing.  Threads take turns.

    Parameters
    ----------
    memory
        Where agents remember.
    agents
        They, or their classes; by default the five that look at prices, volume and options.
    holding
        Bars from a decision to its outcome.
    ledger
        Outcomes that records are taken of; those of the memory by default.
    composer
        Makes one decision of the votes; one on the ledger by default.
    guard
        Between a decision and the position; None lets all through.
    bench
        Decisions about a symbol that an agent sits out after it has raised at one.

    Raises
    ------
    ValueError, TypeError
        There is no agent, two have one name or one is called "composer", or a number cannot be.

    Examples
    --------
    >>> from nt_memory import FeatureTable, MemorySystem, Swarm
    >>> from nt_memory.backtest import load_sp500
    >>> bars = load_sp500()
    >>> table = FeatureTable(bars)
    >>> with MemorySystem(":memory:") as memory:
    ...     swarm = Swarm(memory)
    ...     made = swarm.decide(bars.head(601), table.at(600))
    ...     made == swarm.decided(bars.symbol, bars.closed_at(600))
    True
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
        optional("ledger", ledger, Ledger)
        optional("composer", composer, Composer)
        optional("guard", guard, RiskGuard)
        self._memory = memory
        self.ledger = ledger or Ledger(memory)
        made = [self._made(agent) for agent in agents]
        self.agents = {agent.agent_id: agent for agent in made}
        if len(self.agents) < len(made) or not made or COMPOSER in self.agents:
            names = shown([agent.agent_id for agent in made])
            msg = f"agents={names}: give at least one, each with a name of its own"
            raise ValueError(msg)
        self._bench = whole("bench", bench, 0)
        self.composer = composer or Composer(self.ledger)
        self.guard = guard
        # The swarm's own decisions lie beside those of its agents.
        self._store = TradingMemoryStore(memory, agent_id=COMPOSER, max_items=100_000)
        stores = {name: agent.memory for name, agent in self.agents.items()}
        self._settlement = Settlement(
            memory,
            {**stores, COMPOSER: self._store},
            holding=holding,
            large_pnl={name: agent.thresholds.large_pnl for name, agent in self.agents.items()},
        )
        self.holding = holding
        # By symbol: the last decision, and how many more each agent sits out.
        self._sitting: dict[str, tuple[datetime, dict[str, int]]] = {}
        self._is_guard_told = False
        self._turn = RLock()

    def _made(self, agent: MemoryAwareAgent | type[MemoryAwareAgent]) -> MemoryAwareAgent:
        if isinstance(agent, type) and issubclass(agent, MemoryAwareAgent):
            return agent(self._memory, ledger=self.ledger)
        if not isinstance(agent, MemoryAwareAgent):
            msg = f"agents: {shown(agent)} is no MemoryAwareAgent"
            raise TypeError(msg)
        return agent

    def settle(self, past: BarSeries) -> int:
        """Settle what the bars of a symbol have ended; return how many decisions those were."""
        _checked(past)
        with self._turn:
            settled = self._settlement.settle(past)
            if self.guard is not None and (settled or not self._is_guard_told):
                self._is_guard_told = False
                retried(partial(self._tell, self.guard))
                self._is_guard_told = True
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
        ValueError, TypeError
            There is no bar, or a feature, the symbol or the regime cannot be; nothing was
            changed.
        """
        at, symbol = _last_close(past), text("symbol", past.symbol)
        checked_features(features)
        if regime is not None:
            text("regime", regime)
        with self._turn:
            self.settle(past)
            before = self.decided(symbol, at)
            return self._decide(symbol, at, features, regime) if before is None else before

    def _decide(
        self, symbol: str, at: datetime, features: AgentFeatures, regime: str | None
    ) -> SwarmDecision:
        bench = self._benched(symbol, at)
        # Nothing is written before all have said what they say.
        with self.ledger.resting(at):
            acts, votes, records = self._ask(symbol, at, features, regime, bench)
            decision = self.composer.decide(votes, symbol=symbol, regime=regime, at=at)
        exposure = 1.0 if self.guard is None else self.guard.exposure(at)
        id_ = decision_id(COMPOSER, symbol, at)
        made = SwarmDecision(id_, symbol, at, regime, decision, exposure, acts, tuple(bench))
        raised = [name for name in self.agents if name not in acts and name not in bench]
        after = {name: left - 1 for name, left in bench.items()} | dict.fromkeys(
            raised, self._bench
        )
        after = {name: left for name, left in after.items() if left}
        records.append(self._record(made, after))
        self._memory.remember_many(records)
        self._sitting[symbol] = at, after
        for record in records:
            self._settlement.opened(record)
        return made

    def _ask(
        self,
        symbol: str,
        at: datetime,
        features: AgentFeatures,
        regime: str | None,
        bench: dict[str, int],
    ) -> tuple[dict[str, Act], list[AgentVote], list[Record]]:
        """Return what each agent that is not benched says, and what is to be written of it."""
        acts: dict[str, Act] = {}
        votes: list[AgentVote] = []
        records: list[Record] = []
        for name, agent in self.agents.items():
            if name in bench:
                continue
            told = _group(features, agent.name)
            try:
                found = agent.notes(symbol, at, told)
                act, record = agent.think(symbol, at, told, regime)
                for each in (*found, record):
                    each.to_raw()  # what cannot be kept is this agent's error, not the batch's
                factor = act.context["factor"]
                votes.append(checked_vote(AgentVote(act.signal, act.confidence, name, factor)))
            except Exception as error:  # noqa: BLE001 (the others go on)
                records.append(self._failed(agent, symbol, at, error))
                continue
            records += [*found, record]
            acts[name] = act
        return acts, votes, records

    def decided(self, symbol: str, at: datetime) -> SwarmDecision | None:
        """Return what was decided about a symbol at a close; None where nothing was.

        Raises
        ------
        ForgottenError
            It was forgotten, or what an agent said for it.
        """
        found = self._memory.get_record(decision_id(COMPOSER, symbol, at), as_of=at)
        if found is None:
            return None
        acts = {}
        for name, id_ in found.payload["acts"].items():
            record = self._memory.get_record(id_, as_of=at)
            if record is not None:
                acts[name] = act_of(record)
        return decision_of(found, acts)

    def _record(self, made: SwarmDecision, bench: dict[str, int]) -> Record:
        decision = made.decision
        content = f"decided {decision.signal} ({decision.score:+.2f}): {decision.why}"
        item = TradingMemoryItem(
            SIGNAL, content, decision.confidence, made.symbol, kept(made, bench), made.at, made.id
        )
        votes = tuple(act.context["trade_id"] for act in made.acts.values())
        return self._store.record(
            item,
            confidence=decision.confidence,
            regime=made.regime,
            provenance=Provenance(writer=COMPOSER, parents=votes),
        )

    def _benched(self, symbol: str, at: datetime) -> dict[str, int]:
        """Return how many decisions about a symbol agents still sit out."""
        last, bench = self._sitting.get(symbol, (at, {}))
        if last < at:
            return bench
        found = self._memory.recall(
            namespace=self._store.namespace,
            filter=Filter(kind=SIGNAL, symbol=symbol, event_time=lt(at)),
            as_of=at,
            top_k=1,
            order_by="-event_time",
            log=False,
        )
        kept = found.hits[0].record.payload["bench"] if found.hits else {}
        return {name: left for name, left in kept.items() if name in self.agents}

    def _failed(
        self, agent: MemoryAwareAgent, symbol: str, at: datetime, error: Exception
    ) -> Record:
        """Tell that an agent raised."""
        name = agent.agent_id
        _LOG.warning(
            "%s raised at %s and sits out %d decisions", name, at, self._bench, exc_info=error
        )
        content = f"{name} raised {type(error).__name__}: {error}"[:_LONGEST]
        told = {"error": type(error).__name__, "bench": self._bench}
        item = TradingMemoryItem(ERROR, content, 2.0, symbol, told, at)
        id_ = f"error-{decision_id(name, symbol, at)}"
        return agent.memory.record(item, id=id_)

    def _tell(self, guard: RiskGuard) -> None:
        """Tell a guard the outcomes that were written since it was last told, each once."""
        for raw in self._untold(guard.state.told):
            weight = self._held(raw.id.removeprefix("outcome-"))
            if not weight:
                continue  # what was not held has not lost
            pnl = float(str(raw.attributes["pnl"]))
            # One of as many sleeves as the holding time has bars.
            earned = weight * pnl / 100.0 / self.holding
            equity = guard.state.equity * max(1.0 + earned, 1e-9)
            told = raw.recorded_at, raw.commit, raw.id
            guard.outcome(pnl, from_micros(raw.known_at), equity=equity, told=told)

    def _held(self, trade_id: str) -> float:
        """Return the size of the position that a decision took; 0 where nobody knows of one."""
        try:
            made = self._memory.store.versions(trade_id)[-1]
        except (RecordNotFoundError, ForgottenError):
            return 0.0
        return abs(float(str(made.attributes.get("weight", 0.0))))

    def _untold(self, told: tuple[int, int, str]) -> list[RawRecord]:
        """Return the outcomes of the swarm's decisions that lie behind one, as they were written.

        In that order, and not in that of their times: what is written later never comes before.
        """
        wanted = Filter(kind=OUTCOME, recorded_at=ge(from_micros(told[0])))
        # Of all times: what is known later was written, too.
        query = Query(
            namespace=self._store.namespace,
            filter=wanted.tree(),
            as_of=to_micros(LAST),
            order_by="known_at",
        )
        found = walk(self._memory.store, query)
        behind = [raw for raw in found if (raw.recorded_at, raw.commit, raw.id) > told]
        return sorted(behind, key=lambda raw: (raw.commit, raw.id))


def _checked(past: BarSeries) -> None:
    if not isinstance(past, BarSeries):
        msg = f"past={shown(past)}: give a BarSeries"
        raise TypeError(msg)


def _last_close(past: BarSeries) -> datetime:
    _checked(past)
    if not len(past):
        msg = f"past: {past.symbol} has no bars yet; ask again after its first close"
        raise ValueError(msg)
    return past.closed_at(-1)


def _group(features: AgentFeatures, name: str) -> AgentFeatures:
    """Return what an agent looks at, so that not all of them take note of one thing."""
    if name not in GROUPS:
        return features
    return {name: features[name]} if name in features else {}  # type: ignore[misc]
