"""Whether a strategy reads the future: change what comes after a bar, and look before it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import whole
from nt_memory.backtest.market import Market
from nt_memory.backtest.run import walk
from nt_memory.backtest.strategy import Stance
from nt_memory.backtest.windows import Window
from nt_memory.market import BarSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from nt_memory.backtest.settings import Settings
    from nt_memory.backtest.strategy import StrategyFactory


@dataclass(frozen=True, slots=True)
class Leak:
    """A decision that changed with bars that came after it.

    ``cut`` is the last step before the change, and ``parts`` what changed of
    the stance, such as "weights" or "remembered".
    """

    arm: str
    step: int
    at: datetime
    cut: int
    parts: tuple[str, ...]


def check_lookahead(
    market: Market,
    strategies: StrategyFactory,
    settings: Settings,
    *,
    cuts: int | Sequence[int] = 5,
    on_walk: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Leak]:
    """Return every decision before a cut that depends on what comes after it.

    The strategies are run on the market, and again on copies in which all bars
    after a cut are others.  What they decided up to the cut, and what they
    recalled for it, must be the same.  A strategy that looks one bar ahead shows
    it at the cut alone, so cuts are many rather than few; none can prove that
    there is no leak.

    Parameters
    ----------
    market
        Bars; the longer, the slower.
    strategies, settings
        As for `run_backtest`.  Nothing is kept on the disk.
    cuts
        How many, spread evenly, or the steps themselves.
    on_walk
        Called after each run with how many are done, and how many there are.

    Raises
    ------
    ValueError
        A cut is out of range, or the strategies decide otherwise when they are
        run again on the same bars: then nothing can be told.
    """
    places = _places(len(market), cuts)
    last = max(places)
    runs = 2 + len(places)
    base = _decided(market, strategies, settings, last)
    on_walk(1, runs)
    again = _compared(base, _decided(market, strategies, settings, last), market, last)
    if again:
        first = again[0]
        msg = (
            f"{first.arm}: decides otherwise at {first.at} when it is run again on the same bars; "
            "seed what it draws, and take time from the stage's clock"
        )
        raise ValueError(msg)
    on_walk(2, runs)
    leaks = []
    for done, cut in enumerate(places, 3):
        changed = other_future(market, cut, seed=settings.seed)
        leaks += _compared(base, _decided(changed, strategies, settings, cut), market, cut)
        on_walk(done, runs)
    return leaks


def _places(steps: int, cuts: int | Sequence[int]) -> list[int]:
    if isinstance(cuts, int):
        if not 1 <= cuts < steps:
            msg = f"cuts={shown(cuts)}: give 1 to {steps - 1}"
            raise ValueError(msg)
        return [int(place) for place in np.linspace(0, steps - 1, cuts + 2)[1:-1]]
    for cut in cuts:
        if not 0 <= cut < steps - 1:
            msg = f"cuts: {shown(cut)} is no step with one after it; give 0 to {steps - 2}"
            raise ValueError(msg)
    if not cuts:
        msg = "cuts: give one or more"
        raise ValueError(msg)
    return sorted(set(cuts))


def _decided(
    market: Market, strategies: StrategyFactory, settings: Settings, last: int
) -> Mapping[str, Mapping[int, Stance]]:
    """Run up to a step; the strategies are made from all of the market."""
    return walk(market, strategies, settings, Window(range(last + 1), range(0)))


def _compared(
    base: Mapping[str, Mapping[int, Stance]],
    other: Mapping[str, Mapping[int, Stance]],
    market: Market,
    cut: int,
) -> list[Leak]:
    if list(base) != list(other):
        msg = (
            f"strategies: are {shown(list(base))}, and {shown(list(other))} when they are made "
            "again; give the same arms"
        )
        raise ValueError(msg)
    return [
        Leak(arm, step, market.closed_at(step), cut, parts)
        for arm, stances in base.items()
        for step, stance in stances.items()
        if step <= cut and (parts := _differing(stance, other[arm][step]))
    ]


def _differing(one: Stance, other: Stance) -> tuple[str, ...]:
    # Texts of both tell all that differs, and a NaN from itself it does not.
    return tuple(
        part.name for part in fields(Stance) if _told(one, part.name) != _told(other, part.name)
    )


def _told(stance: Stance, part: str) -> str:
    try:
        return repr(getattr(stance, part))
    except Exception as error:
        msg = f"{part}={shown(getattr(stance, part))}: cannot be shown, and so not compared"
        raise ValueError(msg) from error


def other_future(market: Market, cut: int, *, seed: int) -> Market:
    """Return the market with other bars after a step: prices up to it are the same bytes.

    The moves that follow come in another order, turned round and three times as
    large, and so do volumes.  Times stay.
    """
    rng = np.random.default_rng([whole("seed", seed, 0), cut])
    return Market(
        [_other(market[symbol], int(market.places(symbol)[cut]), rng) for symbol in market.symbols]
    )


def _other(bars: BarSeries, last: int, rng: np.random.Generator) -> BarSeries:
    after = len(bars) - last - 1
    if after == 0:
        return bars
    begun = bars.close[last] if last >= 0 else bars.open[0]
    order = last + 1 + rng.permutation(after)
    before = np.concatenate([[begun], bars.close[last + 1 : -1]])
    # Bounded, so that no price runs out of what a float holds.
    swing = -3.0 * np.clip(np.log(bars.close[last + 1 :] / before), -0.2, 0.2)
    close = begun * np.exp(np.clip(np.cumsum(swing[order - last - 1]), -5.0, 5.0))
    inside = {
        name: getattr(bars, name)[order] / bars.close[order] for name in ("open", "high", "low")
    }
    columns = {
        name: np.concatenate([getattr(bars, name)[: last + 1], close * ratio])
        for name, ratio in inside.items()
    }
    closes = np.concatenate([bars.close[: last + 1], close])
    return BarSeries(
        symbol=bars.symbol,
        times=bars.times,
        open=columns["open"],
        high=np.maximum.reduce([columns["high"], columns["open"], closes]),
        low=np.minimum.reduce([columns["low"], columns["open"], closes]),
        close=closes,
        volume=np.concatenate([bars.volume[: last + 1], 3.0 * bars.volume[order]]),
    )
