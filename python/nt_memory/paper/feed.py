"""Where a paper trader has its bars from."""

from __future__ import annotations

import heapq
import os
import time
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from nt_memory._shown import shown
from nt_memory._values import finite
from nt_memory.agents._checks import text
from nt_memory.bars import read_bars
from nt_memory.clock import ManualClock, to_micros
from nt_memory.market import BarSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from typing import TypeAlias

    Source: TypeAlias = BarSeries | str | os.PathLike[str]


# Closes a second: one in twelve days.
_SLOWEST = 1e-6


class Feed(Protocol):
    """Tells bars as they close."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """All that it tells bars of."""
        ...

    def bars(self, since: datetime | None) -> Iterator[BarSeries]:
        """Yield bars, each a series of one, when they have closed.

        Parameters
        ----------
        since
            The first close wanted, inclusive; None for what is there.  Telling earlier
            ones as well does no harm.

        Returns
        -------
        The bars in the order of their closes, until there are no more.
        """
        ...


class ReplayFeed:
    """Tells bars of the past one after another, as if they came.

    Parameters
    ----------
    market
        A series or a file that `read_bars` reads, or several of them, one a symbol.
    speed
        Closes a second, at most; None as fast as they are taken.
    clock
        One that is moved to each close before its bars are told, so that what is written
        is written then; that of the memory.  None leaves the time to the machine.
    wait
        Waits for so many seconds.

    Raises
    ------
    ValueError
        There is no bar, a symbol comes twice, or the speed is below 1e-6.

    Examples
    --------
    >>> from nt_memory.backtest import load_sp500
    >>> feed = ReplayFeed(load_sp500().head(3))
    >>> feed.symbols, [float(bar.close[0]) for bar in feed.bars(None)]
    (('SPX',), [1228.099976, 1244.780029, 1272.339966])
    """

    def __init__(
        self,
        market: Source | Iterable[Source],
        speed: float | None = None,
        *,
        clock: ManualClock | None = None,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        if clock is not None and not isinstance(clock, ManualClock):
            msg = f"clock={shown(clock)}: give a ManualClock, or None where the time moves itself"
            raise TypeError(msg)
        if speed is not None and finite("speed", speed) < _SLOWEST:
            msg = f"speed={shown(speed)}: give closes a second, at least {_SLOWEST:g}, or None"
            raise ValueError(msg)
        given = [market] if isinstance(market, (BarSeries, str, os.PathLike)) else market
        series = [each if isinstance(each, BarSeries) else read_bars(each) for each in given]
        # As the ids of decisions sort: bars of one close come in one order for ever.
        self._series = sorted(series, key=lambda bars: quote(text("symbol", bars.symbol), safe=""))
        if not series or not all(map(len, series)):
            msg = "market: give at least one series, and no empty one"
            raise ValueError(msg)
        if len(set(self.symbols)) < len(series):
            msg = f"market: symbols={shown(self.symbols)}: give one series a symbol"
            raise ValueError(msg)
        self._speed = speed
        self._clock = clock
        self._wait = wait

    @property
    def symbols(self) -> tuple[str, ...]:
        """All that it tells bars of."""
        return tuple(bars.symbol for bars in self._series)

    def __len__(self) -> int:
        return sum(map(len, self._series))

    def bars(self, since: datetime | None = None) -> Iterator[BarSeries]:
        """Yield the bars that closed at a time or later, in the order of their closes."""
        last: int | None = None
        for at, place, bar in self._places(None if since is None else to_micros(since, "since")):
            if at != last and last is not None and self._speed is not None:
                self._wait(1.0 / self._speed)
            last = at
            told = self._series[place].window(bar, bar + 1)
            if self._clock is not None and self._clock.now() < told.closed_at(0):
                self._clock.set(told.closed_at(0))
            yield told

    def _places(self, since: int | None) -> Iterator[tuple[int, int, int]]:
        """Yield close, series and bar of all bars, in order."""
        parts = []
        for place, bars in enumerate(self._series):
            first = 0 if since is None else int(bars.times.searchsorted(since))
            times = bars.times[first:].tolist()
            parts.append([(at, place, first + n) for n, at in enumerate(times)])
        return heapq.merge(*parts)
