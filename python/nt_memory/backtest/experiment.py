"""The main job: four arms over the same bars, and whether memory helped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nt_memory import metrics
from nt_memory.agents import AnalogueAgent
from nt_memory.backtest.arms import momentum_direction, shuffled_directions
from nt_memory.backtest.bootstrap import FEWEST, Interval, sharpe_difference
from nt_memory.backtest.engine import Costs, Run, outcomes, overlapping, simulate, trades
from nt_memory.policy import StateEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nt_memory.agents import Decision
    from nt_memory.clock import ManualClock
    from nt_memory.market import BarSeries, Floats
    from nt_memory.system import MemorySystem

MEMORY, PLAIN, SHUFFLED, HOLD = "memory", "no memory", "shuffled memory", "buy and hold"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes a run, fixed before it.

    Parameters
    ----------
    seed
        Of ids, the placebo and the bootstrap.
    top_k, holding, threshold
        Of the agent; the other arms share ``holding`` and ``threshold``.
    burn_in
        Bars on which states are only remembered, before any arm trades.
    momentum
        Bars that the arm without memory looks back.
    resamples
        Of the bootstrap.
    costs
        Of every fill.
    """

    seed: int = 0
    top_k: int = 10
    holding: int = 5
    threshold: float = 1.0
    burn_in: int = 252
    momentum: int = 63
    resamples: int = 5000
    costs: Costs = field(default_factory=Costs)

    @property
    def start(self) -> int:
        """Bar of the first decision that is traded."""
        return StateEncoder.warm_up + self.burn_in

    @property
    def fewest_bars(self) -> int:
        """The shortest series on which the arms can be compared."""
        return self.start + FEWEST + 1


@dataclass(frozen=True, slots=True)
class Metrics:
    """The row of one arm in the table; shares, not percent."""

    total_return: float
    annual_return: float
    sharpe: float
    sortino: float
    max_drawdown: float
    win_rate: float | None
    turnover: float
    exposure: float


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One arm: what it decided from the first traded bar on, what came of it, its measures."""

    name: str
    directions: Floats
    run: Run
    metrics: Metrics


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """All that the report and the run card are made of.

    ``decisions`` holds one decision a bar from the encoder's warm-up on,
    ``intervals`` the comparison of memory with each arm it is named by.
    """

    bars: BarSeries
    settings: Settings
    decisions: tuple[Decision, ...]
    arms: dict[str, Arm]
    intervals: dict[str, Interval]

    @property
    def verdict(self) -> str:
        """Say in one sentence what the interval against the arm without memory says."""
        interval = self.intervals[PLAIN]
        if interval.spans_zero:
            return "no evidence that memory helps"
        return "memory helped" if interval.low > 0 else "memory hurt"


def walk(
    bars: BarSeries, memory: MemorySystem, clock: ManualClock, settings: Settings
) -> Iterator[Decision]:
    """Let the agent decide at each close from the encoder's warm-up on.

    The clock is moved to the close, and the agent is shown the bars up to it.
    """
    encoder = StateEncoder()
    states = encoder.encode_all(bars)
    agent = AnalogueAgent(
        memory, top_k=settings.top_k, holding=settings.holding, threshold=settings.threshold
    )
    for bar in range(encoder.warm_up, len(bars)):
        clock.set(bars.closed_at(bar))
        yield agent.decide(bars.head(bar + 1), states[bar])


def run_experiment(
    bars: BarSeries,
    memory: MemorySystem,
    clock: ManualClock,
    settings: Settings,
    on_bar: Callable[[], None] = lambda: None,
) -> Experiment:
    """Run all arms over the bars and compare them.

    Parameters
    ----------
    bars
        The market.
    memory
        An empty store whose clock is ``clock``.
    clock
        Moved from close to close.
    settings
        See `Settings`.
    on_bar
        Called after each bar that the agent has decided on.

    Raises
    ------
    ValueError
        The series is shorter than ``settings.fewest_bars``.
    """
    if len(bars) < settings.fewest_bars:
        msg = f"bars: {len(bars)} are too few, give {settings.fewest_bars} or more"
        raise ValueError(msg)
    decisions = []
    for decision in walk(bars, memory, clock, settings):
        decisions.append(decision)
        on_bar()
    return evaluate(bars, decisions, settings)


def evaluate(bars: BarSeries, decisions: Sequence[Decision], settings: Settings) -> Experiment:
    """Trade what the agent decided beside the other arms, and compare.

    ``decisions`` holds one decision a bar from the encoder's warm-up on.
    """
    arms = {arm.name: arm for arm in _arms(bars, decisions, settings)}
    intervals = {
        name: sharpe_difference(
            arms[MEMORY].run.returns,
            arms[name].run.returns,
            seed=settings.seed,
            resamples=settings.resamples,
        )
        for name in (PLAIN, SHUFFLED)
    }
    return Experiment(bars, settings, tuple(decisions), arms, intervals)


def _arms(bars: BarSeries, decisions: Sequence[Decision], settings: Settings) -> Iterator[Arm]:
    met = outcomes(bars, settings.holding)
    shuffled = shuffled_directions(
        decisions,
        met[StateEncoder.warm_up :].tolist(),
        holding=settings.holding,
        threshold=settings.threshold,
        seed=settings.seed,
    )
    start = settings.start
    plain = [
        momentum_direction(bars.head(bar + 1), settings.momentum, settings.threshold)
        for bar in range(start, len(bars))
    ]
    skip = settings.burn_in
    yield _arm(MEMORY, [d.direction for d in decisions[skip:]], bars, met, settings)
    yield _arm(PLAIN, plain, bars, met, settings)
    yield _arm(SHUFFLED, shuffled[skip:], bars, met, settings)
    yield _arm(HOLD, [1] * (len(bars) - start), bars, met, settings)


def _arm(
    name: str, decided: Sequence[int], bars: BarSeries, met: Floats, settings: Settings
) -> Arm:
    directions = np.array(decided, dtype=np.float64)
    # Buy and hold buys once; it has no sleeves that are filled one by one.
    targets = directions if name == HOLD else overlapping(directions, settings.holding)
    run = simulate(bars, settings.start, targets, settings.costs)
    ended = trades(directions, met[settings.start :], settings.costs)
    return Arm(name, directions, run, _metrics(run, ended))


def _metrics(run: Run, ended: Floats) -> Metrics:
    return Metrics(
        total_return=metrics.total_return(run.returns),
        annual_return=metrics.annualised_return(run.returns),
        sharpe=metrics.sharpe_ratio(run.returns),
        sortino=metrics.sortino_ratio(run.returns),
        max_drawdown=metrics.max_drawdown(run.returns),
        win_rate=metrics.win_rate(ended),
        turnover=metrics.annual_turnover(run.traded),
        exposure=float(np.abs(run.position).mean()),
    )
