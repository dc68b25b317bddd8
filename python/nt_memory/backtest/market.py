"""Several series on one calendar: what may be traded when, and at which prices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from nt_memory._shown import shown
from nt_memory.market import BarSeries, time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from nt_memory.market import Floats, Times

Indices: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]


class Market:
    """Bars of one or more symbols on the union of their closes.

    A step is one time of the calendar.  A symbol without a bar that closes at
    a step cannot be traded in it; it is worth its last close there.

    Parameters
    ----------
    series
        One `BarSeries` a symbol, with a name of its own each.

    Raises
    ------
    ValueError
        There is no series, one has no bars, or two have the same symbol.

    Examples
    --------
    >>> from nt_memory.backtest import load_sp500
    >>> bars = load_sp500()
    >>> market = Market([bars])
    >>> market.symbols, len(market), market.closed_at(-1).date().isoformat()
    (('SPX',), 5031, '2018-12-31')
    >>> len(market.head(100)["SPX"])
    100
    """

    def __init__(self, series: Iterable[BarSeries]) -> None:
        found = tuple(series)
        if not found:
            msg = "series: a market needs at least one"
            raise ValueError(msg)
        for bars in found:
            if not isinstance(bars, BarSeries):
                msg = f"series: {shown(bars)} is no BarSeries"
                raise TypeError(msg)
        for bars in found:
            if not len(bars):
                msg = f"series: {shown(bars.symbol)} has no bars; leave it out"
                raise ValueError(msg)
            if sum(bars.symbol == other.symbol for other in found) > 1:
                msg = f"series: {shown(bars.symbol)} is there twice; give each its own symbol"
                raise ValueError(msg)
        times: Times = np.unique(np.concatenate([bars.times for bars in found]))
        # How many bars of each symbol have closed by each step.
        counts = [np.searchsorted(bars.times, times, side="right") for bars in found]
        self._series = {bars.symbol: bars for bars in found}
        self._counts: Indices = np.stack(counts, axis=1).astype(np.int64)
        self.times = times

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols, in the order in which the series were given."""
        return tuple(self._series)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, symbol: str) -> BarSeries:
        """Return the bars of a symbol; `KeyError` where there is no such symbol."""
        return self._series[symbol]

    def closed_at(self, step: int) -> datetime:
        """Return the time of a step, as an aware datetime; a negative one counts from the end.

        Raises
        ------
        ValueError
            There is no such step.
        """
        return time_of(self.times, step, "step")

    def head(self, steps: int) -> Market:
        """Return the first steps, at least one, without a copy: later bars cannot be reached.

        A symbol whose first bar comes later has an empty series.
        """
        view = object.__new__(Market)
        counts = self._counts[steps - 1].tolist()
        view._series = {
            bars.symbol: bars.head(count)
            for bars, count in zip(self._series.values(), counts, strict=True)
        }
        view._counts = self._counts[:steps]
        view.times = self.times[:steps]
        return view

    def closes_now(self, symbol: str) -> bool:
        """Whether the symbol has a bar that closes at the last step."""
        bars = self._series[symbol]
        return len(bars) > 0 and bool(bars.times[-1] == self.times[-1])

    def closing(self) -> Iterator[tuple[str, int]]:
        """Go through the symbols with a bar that closes at the last step, and its place."""
        for symbol, bars in self._series.items():
            if self.closes_now(symbol):
                yield symbol, len(bars) - 1

    def places(self, symbol: str) -> Indices:
        """Return which bar of a symbol is its last at each step; -1 before the first."""
        return self._counts[:, self.symbols.index(symbol)] - 1

    @cached_property
    def prices(self) -> Prices:
        """The prices of every symbol at every step."""
        places = self._counts - 1
        fresh = np.diff(self._counts, axis=0, prepend=0) > 0
        closes, opens = np.ones(places.shape), np.ones(places.shape)
        for column, bars in enumerate(self._series.values()):
            born = places[:, column] >= 0
            closes[born, column] = bars.close[places[born, column]]
            opens[born, column] = bars.open[places[born, column]]
        return Prices(np.where(fresh, opens, closes), closes, fresh)


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Prices, shape (steps, symbols); where nothing closed, both are the last close.

    Before the first bar of a symbol they are 1, and nothing of it is held.
    ``fresh`` says where a symbol has a bar of its own, and so can be traded.
    """

    open: Floats
    close: Floats
    fresh: Mask
