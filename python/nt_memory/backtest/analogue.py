"""The analogue agent as a strategy, beside the same rule without memory and on shuffled outcomes.

All three take the sign of a mean, flat where its |t| is below the threshold.
They differ in what the mean is taken of.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.agents import AnalogueAgent, weigh
from nt_memory.agents.analogue import AnalogueLimits
from nt_memory.agents.evidence import of_analogues
from nt_memory.agents.opinion import DIRECTIONS
from nt_memory.agents.outcomes import Settlement
from nt_memory.backtest._memories import open_empty
from nt_memory.backtest.arms import ShuffledOutcomes, momentum_direction
from nt_memory.backtest.settings import MEMORY, PLAIN, SHUFFLED
from nt_memory.backtest.strategy import About, Remembered, Stance
from nt_memory.policy import StateEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nt_memory.agents.features import AgentFeatures
    from nt_memory.agents.opinion import Opinion
    from nt_memory.backtest.market import Market
    from nt_memory.backtest.strategy import Stage, Strategy
    from nt_memory.market import BarSeries
    from nt_memory.policy.encoder import Vector
    from nt_memory.system import MemorySystem


@dataclass(frozen=True, slots=True)
class Analogues:
    """Makes the three arms around the analogue agent: a `StrategyFactory`.

    Parameters
    ----------
    top_k, threshold
        Of the agent; the other arms share ``threshold``.
    momentum
        Bars that the arm without memory looks back.
    """

    top_k: int = 10
    threshold: float = 1.0
    momentum: int = 63

    @contextmanager
    def __call__(self, stage: Stage) -> Iterator[dict[str, Strategy]]:
        """Open an empty memory in the stage's folder, and close it in the end."""
        with open_empty(stage) as memory:
            agent = _Memory(self, stage, memory)
            yield {MEMORY: agent, PLAIN: _Plain(self), SHUFFLED: _Shuffled(self, stage, agent)}

    @property
    def about(self) -> About:
        """What the report tells of it."""
        return About(
            strategy="analogue",
            parameters={**asdict(self), "encoder": StateEncoder.id},
            encoder=StateEncoder(),
            does=(
                f"An agent that recalls the {self.top_k} most similar earlier bars and follows "
                "what they led to"
            ),
            arms=(
                "Memory follows the mean outcome of what it recalls; no memory, the mean of the "
                f"last {self.momentum} returns; shuffled memory is the placebo, the same recalls "
                "with their outcomes dealt out at random. All three are flat where |t| is below "
                f"{self.threshold:g}."
            ),
            how=(
                (
                    "State",
                    "256 numbers from past bars alone: 16 features at 16 horizons of up to 126 "
                    "bars, each standardised over its trailing 252 bars, scaled to length 1. The "
                    f"first {StateEncoder.warm_up} bars have none.",
                ),
                (
                    "Recall",
                    "Exact, as of the close of the decision, on similarity alone, among the "
                    "states whose outcome was known by then.",
                ),
                (
                    "Decision",
                    "The sign of the similarity-weighted mean outcome, flat where it is less than "
                    f"{self.threshold:g} of its standard errors from zero. Recalled bars lie close "
                    "together in time and their outcomes overlap, so t is larger than independent "
                    "bars would give.",
                ),
            ),
        )


class _Memory:
    """The agent, for all symbols, on one memory."""

    def __init__(self, terms: Analogues, stage: Stage, memory: MemorySystem) -> None:
        encoder, market = StateEncoder(), stage.market
        self._states = {symbol: encoder.encode_all(market[symbol]) for symbol in market.symbols}
        limits = AnalogueLimits(top_k=terms.top_k, threshold=terms.threshold)
        self._agent = AnalogueAgent(memory, limits=limits)
        self._settlement = Settlement(
            memory, {self._agent.agent_id: self._agent.memory}, holding=stage.settings.holding
        )
        self._memory = memory
        self.decided: dict[str, tuple[str, Opinion]] = {}
        """What was decided at the last close, and the id of the state, by symbol."""

    def decide(self, past: Market) -> Stance:
        self.decided = {
            symbol: self._decide(past[symbol], self._states[symbol][bar])
            for symbol, bar in past.closing()
            if bar >= StateEncoder.warm_up
        }
        return _stance(self.decided, len(past.symbols))

    def _decide(self, bars: BarSeries, state: Vector) -> tuple[str, Opinion]:
        """Settle, decide, and remember the state."""
        self._settlement.settle(bars)
        at = bars.closed_at(-1)
        told: AgentFeatures = {"analogue": {"embedding": state.tolist()}}
        made = self._agent.opinion(bars.symbol, at, told)
        (record,) = self._agent.notes(bars.symbol, at, told)
        self._memory.remember(record)
        self._settlement.opened(record)
        return record.id, made


class _Plain:
    """The sign of the last returns, remembering nothing."""

    def __init__(self, terms: Analogues) -> None:
        self._terms = terms

    def decide(self, past: Market) -> Stance:
        window, threshold = self._terms.momentum, self._terms.threshold
        weights = {
            symbol: momentum_direction(past[symbol], window, threshold) / len(past.symbols)
            for symbol, bar in past.closing()
            if bar >= window
        }
        return Stance(weights, why=f"the last {window} returns")


class _Shuffled:
    """What the agent would decide, had its memories each other's outcomes.

    The recalls are those of the agent.  That is the same as running it again
    on permuted outcomes: what is recalled depends on the embeddings, and on
    whether an outcome is known, never on its value.
    """

    def __init__(self, terms: Analogues, stage: Stage, agent: _Memory) -> None:
        self._agent, self._threshold = agent, terms.threshold
        self._holding = stage.settings.holding
        symbols, seed = stage.market.symbols, stage.settings.seed
        self._known = {
            symbol: ShuffledOutcomes(np.random.default_rng([seed, place] if place else seed))
            for place, symbol in enumerate(symbols)
        }
        self._open: dict[str, deque[tuple[int, str]]] = {symbol: deque() for symbol in symbols}

    def decide(self, past: Market) -> Stance:
        weights = {}
        for symbol, (state, made) in self._agent.decided.items():
            bars, known, waiting = past[symbol], self._known[symbol], self._open[symbol]
            while waiting and waiting[0][0] + self._holding < len(bars):
                bar, name = waiting.popleft()
                known.learn(name, bars.outcome(bar, self._holding))
            waiting.append((len(bars) - 1, state))
            if not made.precedents:
                continue
            given = [known[analogue.id] for analogue in made.precedents]
            evidence = weigh(given, [analogue.similarity for analogue in made.precedents])
            weights[symbol] = evidence.direction(self._threshold) / len(past.symbols)
        return Stance(weights, why="the recalls of memory, their outcomes dealt out by lot")


def _stance(decided: dict[str, tuple[str, Opinion]], symbols: int) -> Stance:
    """Say what the decisions come to; every symbol has an equal part of the capital."""
    opinions = {symbol: made for symbol, (_, made) in decided.items()}
    return Stance(
        weights={symbol: DIRECTIONS[made.signal] / symbols for symbol, made in opinions.items()},
        why="; ".join(f"{symbol}: {made.why}" for symbol, made in opinions.items()),
        remembered=tuple(
            Remembered(symbol, made.recall_id or "", made.precedents, of_analogues(made.precedents))
            for symbol, made in opinions.items()
        ),
    )
