"""Market bars as columns: the one shape that encoders, agents and backtests share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from nt_memory._shown import shown
from nt_memory._values import column
from nt_memory.clock import from_micros

if TYPE_CHECKING:
    from datetime import datetime

Floats: TypeAlias = npt.NDArray[np.float64]
Times: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class BarSeries:
    """Bars of one symbol, oldest first.

    The columns are made read-only: a series is handed to many parts, and
    `head` and `window` are views of it.

    Parameters
    ----------
    symbol
        Name of the instrument.
    times
        When each bar closed, int64 microseconds since the epoch (UTC), rising.
    open, high, low, close
        Prices, float64, positive.
    volume
        Traded quantity, float64, not negative.

    Raises
    ------
    ValueError
        Columns differ in length, times do not rise, a number is not finite,
        or a bar's high and low do not enclose its open and close.
    """

    symbol: str
    times: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, str):
            msg = f"symbol={shown(self.symbol)}: give the name of an instrument"
            raise TypeError(msg)
        wanted = "one number a bar, of times microseconds"
        for each in fields(self)[1:]:
            kind = np.int64 if each.name == "times" else np.float64
            values = column(each.name, getattr(self, each.name), kind, wanted)
            if values.ndim != 1 or values.shape != np.shape(self.times):
                msg = f"{each.name}: every column needs one value a bar"
                raise ValueError(msg)
            values.flags.writeable = False
            object.__setattr__(self, each.name, values)
        self._check()

    def _check(self) -> None:
        prices = np.stack([self.open, self.high, self.low, self.close])
        if not (np.isfinite(prices).all() and (prices > 0).all()):
            msg = "open, high, low, close: prices must be finite and positive"
            raise ValueError(msg)
        if not (np.isfinite(self.volume).all() and (self.volume >= 0).all()):
            msg = "volume: must be finite and not negative"
            raise ValueError(msg)
        if (np.diff(self.times) <= 0).any():
            msg = "times: must rise from bar to bar"
            raise ValueError(msg)
        if (prices.min(axis=0) < self.low).any() or (prices.max(axis=0) > self.high).any():
            msg = "high, low: must enclose the open and the close"
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.times)

    def closed_at(self, bar: int) -> datetime:
        """Return when a bar closed, as an aware datetime; a negative one counts from the end.

        Raises
        ------
        ValueError
            There is no such bar, or its time is none of the years 1 to 9999.
        """
        return time_of(self.times, bar, "bar")

    def outcome(self, bar: int, holding: int) -> float:
        """Return what a decision at the close of ``bar`` leads to, per unit held long.

        It enters at the next open and leaves at the close ``holding`` bars
        later, so it is known from the close of ``bar + holding`` on.
        """
        try:
            return float(self.close[bar + holding] / self.open[bar + 1] - 1.0)
        except (IndexError, OverflowError, TypeError) as error:
            msg = f"bar={shown(bar)}, holding={shown(holding)}: end after {len(self)} bars"
            raise ValueError(msg) from error

    def head(self, bars: int) -> BarSeries:
        """Return the first bars, without a copy."""
        return self.window(0, bars)

    def window(self, start: int, stop: int) -> BarSeries:
        """Return the bars from ``start`` up to but not including ``stop``, without a copy."""
        view = object.__new__(BarSeries)
        object.__setattr__(view, "symbol", self.symbol)
        for each in fields(self)[1:]:
            object.__setattr__(view, each.name, getattr(self, each.name)[start:stop])
        return view


def time_of(times: Times, place: int, name: str) -> datetime:
    """Return the time at a place, which an error calls by a name."""
    try:
        return from_micros(int(times[place]))
    except (IndexError, OverflowError, TypeError) as error:
        msg = f"{name}={shown(place)}: give one from 0 to {len(times) - 1}"
        raise ValueError(msg) from error
