"""What arms came to on the same bars, and whether the first is better for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nt_memory import metrics
from nt_memory._shown import shown
from nt_memory.backtest.bootstrap import sharpe_differences
from nt_memory.backtest.engine import outcomes, simulate, trades
from nt_memory.backtest.settings import HOLD
from nt_memory.backtest.strategy import About

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nt_memory.backtest.bootstrap import Interval
    from nt_memory.backtest.engine import Run
    from nt_memory.backtest.market import Market
    from nt_memory.backtest.settings import Settings
    from nt_memory.backtest.strategy import Stance
    from nt_memory.backtest.windows import Window
    from nt_memory.market import Floats


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
    """One arm: the weights it decided from the first traded step on, and what came of them."""

    name: str
    weights: Floats
    run: Run
    metrics: Metrics


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """All that the report and the run card are made of.

    Parameters
    ----------
    market
        Up to the last step that was traded.
    settings, about
        As they were given.
    windows
        What was learnt from and what was traded.
    arms
        By name; the first is what the others are compared with.
    intervals
        By (left, right), names of arms: Sharpe of the left minus that of the
        right.  All hold together.
    stances
        Of the traded steps, by arm.
    regimes
        A label a step of the market, None where there is none; or empty.
    decay
        By name of a curve, points (age in bars, value) for the report.
    """

    market: Market
    settings: Settings
    windows: Sequence[Window]
    arms: Mapping[str, Arm]
    intervals: Mapping[tuple[str, str], Interval]
    about: About = field(default_factory=About)
    stances: Mapping[str, Mapping[int, Stance]] = field(default_factory=dict)
    regimes: Sequence[str | None] = ()
    decay: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """Step of the first decision that is traded."""
        return self.windows[0].test.start

    @property
    def main(self) -> str:
        """The arm that the others are compared with."""
        return next(iter(self.arms))

    @property
    def decisive(self) -> Interval:
        """The interval of the main arm minus the baseline, which the verdict is on."""
        return self.intervals[self.main, self.settings.baseline]

    @property
    def verdict(self) -> str:
        """Say in one sentence what the interval against the arm without memory says."""
        if self.decisive.spans_zero:
            return "no evidence that memory helps"
        return "memory helped" if self.decisive.low > 0 else "memory hurt"


def evaluate(
    market: Market, weights: Mapping[str, Floats], settings: Settings
) -> tuple[dict[str, Arm], dict[tuple[str, str], Interval]]:
    """Trade what arms decided beside buying and holding, and compare.

    Parameters
    ----------
    market
        Up to the last step that is traded.
    weights
        By arm, what was decided at each step from the first that is traded:
        shape (steps, symbols), as `Stance.weights`.  The first arm is compared
        with the others.
    settings
        See `Settings`.

    Returns
    -------
    dict, dict
        The arms, with buy and hold behind them, and the intervals by pair.

    Raises
    ------
    ValueError
        An arm that the settings name is missing, or arms differ in shape.
    """
    pairs = _family(list(weights), settings)
    arms = {name: _arm(name, decided, market, settings) for name, decided in weights.items()}
    arms[HOLD] = _held(market, len(next(iter(weights.values()))), settings)
    intervals = sharpe_differences(
        {name: arm.run.returns for name, arm in arms.items()},
        pairs,
        seed=settings.seed,
        resamples=settings.resamples,
        level=settings.level,
    )
    return arms, dict(zip(pairs, intervals, strict=True))


def _family(names: Sequence[str], settings: Settings) -> list[tuple[str, str]]:
    """Return what is compared: the first arm with each other, each variant with the baseline."""
    if HOLD in names:
        msg = f"arms: {HOLD!r} is always there; give that arm another name"
        raise ValueError(msg)
    main = names[0]
    for name in (settings.baseline, *settings.variants):
        if name not in names[1:]:
            msg = f"arms: {shown(name)} is not among those beside {main!r}: {shown(names[1:])}"
            raise ValueError(msg)
    others = [name for name in (*names[1:], HOLD) if name not in settings.variants]
    # The verdict's comparison stands first.
    others.sort(key=lambda name: name != settings.baseline)
    tried = [(name, settings.baseline) for name in settings.variants]
    return [(main, name) for name in others] + tried


def _arm(name: str, decided: Floats, market: Market, settings: Settings) -> Arm:
    start = len(market) - len(decided)
    positions = settings.sizing.positions(market, start, decided, settings.holding)
    run = simulate(market, start, positions, settings.costs)
    return Arm(name, decided, run, _measured(run, _ended(decided, market, settings)))


def _held(market: Market, steps: int, settings: Settings) -> Arm:
    """Buy an equal part of every symbol at its first open, and never trade again."""
    start, parts = len(market) - steps, len(market.symbols)
    decided = np.full((steps, parts), 1.0 / parts)
    positions = decided.copy()
    if parts > 1:  # a single symbol that is held whole never drifts
        fresh, opens = market.prices.fresh[start + 1 :], market.prices.open[start + 1 :]
        held = np.zeros_like(fresh)
        held[1:] = np.maximum.accumulate(fresh, axis=0)[:-1]
        paid = opens[fresh.argmax(axis=0), np.arange(parts)]
        # A part is one of the money at the start, whatever the others have become since.
        worth = np.where(held, (1.0 - settings.costs.total) * opens / paid, 1.0)
        share = 1.0 / parts / worth.mean(axis=1, keepdims=True)
        positions[:-1] = np.where(held, np.nan, share)
    run = simulate(market, start, positions, settings.costs)
    return Arm(HOLD, decided, run, _measured(run, _ended(decided, market, settings)))


def _ended(decided: Floats, market: Market, settings: Settings) -> Floats:
    """Return the result of each decision on a symbol at a bar of its own."""
    start, fresh = len(market) - len(decided), market.prices.fresh
    found = []
    for column, symbol in enumerate(market.symbols):
        own = fresh[start:, column]
        met = outcomes(market[symbol], settings.holding)
        places = market.places(symbol)[start:][own]
        found.append(trades(np.sign(decided[own, column]), met[places], settings.costs))
    return np.concatenate(found)


def _measured(run: Run, ended: Floats) -> Metrics:
    return Metrics(
        total_return=metrics.total_return(run.returns),
        annual_return=metrics.annualised_return(run.returns),
        sharpe=metrics.sharpe_ratio(run.returns),
        sortino=metrics.sortino_ratio(run.returns),
        max_drawdown=metrics.max_drawdown(run.returns),
        win_rate=metrics.win_rate(ended),
        turnover=metrics.annual_turnover(run.traded.sum(axis=1)),
        exposure=float(np.abs(run.position).sum(axis=1).mean()),
    )
