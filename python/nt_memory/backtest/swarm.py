"""The swarm of agents as a strategy, beside itself without memory and on shuffled outcomes."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nt_memory.agents.analogue import AnalogueAgent
from nt_memory.agents.composer import AgentVote, Composer
from nt_memory.agents.evidence import Analogue, of_analogues
from nt_memory.agents.features import FeatureTable
from nt_memory.agents.ledger import ShuffledLedger
from nt_memory.agents.swarm import ON_BARS, Swarm
from nt_memory.backtest._memories import open_empty
from nt_memory.backtest.arms import shuffled
from nt_memory.backtest.settings import MEMORY, PLAIN, SHUFFLED
from nt_memory.backtest.strategy import About, Remembered, Stance
from nt_memory.policy import StateEncoder
from nt_memory.regime import RegimeDetectionAgent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nt_memory.agents.base import MemoryAwareAgent
    from nt_memory.agents.composer import Decision
    from nt_memory.agents.ledger import Ledger
    from nt_memory.agents.options import OptionChain
    from nt_memory.agents.swarm import SwarmDecision
    from nt_memory.backtest.market import Market
    from nt_memory.backtest.strategy import Stage, Strategy

SEAT = (
    " The analogue agent votes with memory alone: without, the position is the mean of one "
    "vote fewer."
)
# Latest outcomes of an event that the report shows of a decision.
PRECEDENTS = 10


@dataclass(frozen=True, slots=True)
class Swarms:
    """Makes the three arms of a swarm: a `StrategyFactory`.

    Parameters
    ----------
    agents
        Their classes; one alone is studied by itself.  All that bars tell something by
        default: the hedge agent needs ``chains``.
    chains
        Option chains by symbol; see `nt_memory.load_cboe_chain`.
    """

    agents: tuple[type[MemoryAwareAgent], ...] = ON_BARS
    chains: Mapping[str, Sequence[OptionChain]] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: Stage) -> Iterator[Mapping[str, Strategy]]:
        """Open empty memories, the first in the stage's folder, and close them in the end."""
        market = _Told(stage.market, self.chains)
        with ExitStack() as opened:
            kept = opened.enter_context(open_empty(stage))
            placebo = opened.enter_context(open_empty(stage, keeps=False))
            empty = opened.enter_context(open_empty(stage, keeps=False))
            holding, seed = stage.settings.holding, stage.settings.seed
            ledger = ShuffledLedger(placebo, seed=seed)
            dealt = [shuffled(agent, seed) for agent in self.agents]
            yield {
                MEMORY: _Remembering(Swarm(kept, self.agents, holding=holding), market),
                PLAIN: _Forgetting([agent(empty) for agent in self.agents], market),
                SHUFFLED: _Remembering(
                    Swarm(placebo, dealt, holding=holding, ledger=ledger), market
                ),
            }

    @property
    def about(self) -> About:
        """What the report tells of it."""
        names = ", ".join(agent.name for agent in self.agents)
        recalling = [agent for agent in self.agents if issubclass(agent, AnalogueAgent)]
        recalls = [("Analogues", _recalls(agent)) for agent in recalling]
        return About(
            strategy="swarm",
            parameters={"agents": [agent.name for agent in self.agents]},
            encoder=StateEncoder() if recalling else None,
            does=f"A swarm of agents ({names}) whose records in each regime weigh their votes",
            arms=(
                "Memory lets each agent's past outcomes move its confidence and its weight, by "
                "no more than 30 %; no memory takes the same votes as they are; shuffled memory "
                "is the placebo, outcomes dealt out at random among those known."
                + (SEAT if recalling else "")
            ),
            how=(
                (
                    "Votes",
                    "Each agent says long, short or neutral and how sure it is, from bars up to "
                    "the close. The position is the weighted mean of their votes, none where "
                    "it is below 0.1.",
                ),
                (
                    "Memory",
                    "An agent's confidence is multiplied by 0.7 where fewer than 40 % of its "
                    "last ten outcomes gained, by 1.2 where more than 60 % did, and likewise for "
                    "events of one kind; its weight is its chance to win in this regime (a Beta "
                    "posterior) over that of all. Only outcomes known at the close count.",
                ),
                *recalls,
            ),
        )


class _Told:
    """What is known of each symbol at its bars."""

    def __init__(self, market: Market, chains: Mapping[str, Sequence[OptionChain]]) -> None:
        detector = RegimeDetectionAgent()
        self.features = {
            symbol: FeatureTable(market[symbol], chains.get(symbol, ()))
            for symbol in market.symbols
        }
        self.regimes = {
            symbol: [
                None if label is None else label.value
                for label in detector.predict(market[symbol]).labels
            ]
            for symbol in market.symbols
        }


class _Remembering:
    """A swarm on a memory."""

    def __init__(self, swarm: Swarm, told: _Told) -> None:
        self._swarm, self._told = swarm, told

    def decide(self, past: Market) -> Stance:
        decisions = {}
        remembered: list[Remembered] = []
        for symbol, bar in past.closing():
            features = self._told.features[symbol].at(bar)
            if not features:
                continue
            regime = self._told.regimes[symbol][bar]
            made = self._swarm.decide(past[symbol], features, regime)
            decisions[symbol] = (made.decision, made.regime)
            remembered += _remembered(self._swarm, made)
        return replace(_stance(decisions, len(past.symbols)), remembered=tuple(remembered))


def _recalls(agent: type[AnalogueAgent]) -> str:
    limits = agent.limits
    return (
        f"The {agent.name} agent recalls, exactly and as of the close, the {limits.top_k} most "
        "similar earlier states (256 numbers from past bars) whose outcome was known, and takes "
        f"the side of their mean where it is {limits.threshold:g} of its standard errors or more "
        "from zero. The report tells of days on which its part of the position was the largest, "
        "or on which nothing was held."
    )


def _remembered(swarm: Swarm, made: SwarmDecision) -> list[Remembered]:
    """Return what the agent went by that moved the position most to where it is."""
    recalling = [
        act.context["base"]
        for name, act in made.acts.items()
        if isinstance(swarm.agents[name], AnalogueAgent)
    ]
    if recalling and not made.weight:
        return [_of(made.symbol, base.recall_id, base.precedents) for base in recalling]
    parts = made.contributions
    leading = max(parts, key=lambda agent: parts[agent] * made.weight, default="")
    if not parts.get(leading):
        return []
    context = made.acts[leading].context
    base = context["base"]
    if base.recall_id is not None:
        return [_of(made.symbol, base.recall_id, base.precedents)]
    if recalling:
        return []  # the report tells of states alone then
    return [_of(made.symbol, context["recall_id"], _events(swarm.ledger, made, leading))]


def _of(symbol: str, recall_id: str | None, told: tuple[Analogue, ...]) -> Remembered:
    return Remembered(symbol, recall_id or "", told, of_analogues(told))


def _events(ledger: Ledger, made: SwarmDecision, leading: str) -> tuple[Analogue, ...]:
    """Return how the last events of the kind had ended that an agent went by."""
    event = made.acts[leading].context["base"].event
    trades = ledger.trades(made.at, agent=leading, symbol=made.symbol, event=event, last=PRECEDENTS)
    return tuple(
        Analogue(trade.trade_id, trade.decided_at, 1.0, pnl / 100.0 * trade.direction)
        for trade, pnl in trades
        if event is not None and trade.decided_at is not None
    )


class _Forgetting:
    """The same agents, each vote as it is."""

    def __init__(self, agents: list[MemoryAwareAgent], told: _Told) -> None:
        self._agents, self._told = agents, told
        self._composer = Composer()

    def decide(self, past: Market) -> Stance:
        decisions = {}
        for symbol, bar in past.closing():
            features = self._told.features[symbol].at(bar)
            if not features:
                continue
            at = past[symbol].closed_at(bar)
            opinions = {
                agent.agent_id: agent.opinion(symbol, at, features) for agent in self._agents
            }
            votes = [
                AgentVote(each.signal, each.confidence, name) for name, each in opinions.items()
            ]
            decision = self._composer.decide(votes, symbol=symbol)
            decisions[symbol] = (decision, self._told.regimes[symbol][bar])
        return _stance(decisions, len(past.symbols))


def _stance(decisions: Mapping[str, tuple[Decision, str | None]], symbols: int) -> Stance:
    """Say what the decisions come to; every symbol has an equal part of the capital."""
    parts: dict[str, dict[str, float]] = {}
    for symbol, (decision, _) in decisions.items():
        for agent, part in decision.contributions.items():
            parts.setdefault(agent, {})[symbol] = part / symbols
    return Stance(
        weights={symbol: made.score / symbols for symbol, (made, _) in decisions.items()},
        why="; ".join(f"{symbol}: {made.why}" for symbol, (made, _) in decisions.items()),
        contributions=parts,
        regime=next((regime for _, regime in decisions.values()), None),
    )
