"""How a run was done, in sentences for the foot of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nt_memory.backtest.report import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nt_memory.backtest.experiment import Experiment


def points(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield terms and what there is to say of them: the strategy's own, then the backtest's."""
    yield from experiment.about.how
    yield "Fills", _fills(experiment)
    yield "Interval", _interval(experiment)
    yield "Order", _order(experiment)


def _fills(experiment: Experiment) -> str:
    s = experiment.settings
    held = (
        f"The position is the mean of the last {s.holding} decisions: each is held from the open "
        f"after it to the open {s.holding} bars later, where the next one takes its place and "
        "only the difference is traded."
        if s.sizing.sleeves
        else "Each decision moves the whole position."
    )
    sized = (
        ""
        if s.sizing.volatility is None
        else f" Sized to a volatility of {words.percent(s.sizing.volatility)} a year over the "
        f"{s.sizing.window} bars before."
    )
    fee, slippage = (f"{1e4 * cost:g}" for cost in (s.costs.fee, s.costs.slippage))
    return (
        f"Decided at the close, filled at the next open. {held}{sized} All that is traded pays "
        f"{fee} bp fee and {slippage} bp slippage (basis points). A symbol without a bar cannot be "
        "traded. Cash earns nothing, shorts pay no borrowing fee."
    )


def _interval(experiment: Experiment) -> str:
    interval = experiment.decisive
    several = (
        ""
        if interval.family == 1
        else f" The {interval.family} comparisons hold together: with "
        f"{words.percent(interval.tail, 2)} cut off at each end of every one, "
        f"{words.percent(interval.level, 0)} of the resamples lie inside all of them. The more "
        "that is tried, the wider they are."
    )
    return (
        f"Paired stationary bootstrap: {interval.resamples:,} resamples of all arms on the same "
        f"bars, in blocks of {words.number(interval.block, 0)} bars on average (Politis and "
        f"White), percentile interval.{several}"
    )


def _order(experiment: Experiment) -> str:
    market, s = experiment.market, experiment.settings
    begun = words.day(market.closed_at(experiment.start))
    if s.test is None:
        first = words.day(market.closed_at(0))
        return (
            f"The first {s.train} bars from {first} on are only learnt from, and all arms trade "
            f"from {begun} on, learning as they go."
        )
    between = (s.step or s.test) - s.test
    idle = (
        f" The {between} bars after each test are not traded: the arms run down to flat, buying "
        "and holding stays in, and all of them count in every measure."
        if between > 0
        else ""
    )
    return (
        f"{len(experiment.windows)} windows: new strategies learn on {s.train} bars and trade the "
        f"next {s.test}, the first from {begun} on. The {s.holding + s.embargo} bars between, "
        f"whose outcomes would end in the test, are left out.{idle}"
    )
