"""From the weights that a strategy wants to the positions that it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nt_memory._shown import shown
from nt_memory._values import finite, whole
from nt_memory.metrics import BARS_A_YEAR

if TYPE_CHECKING:
    from nt_memory.backtest.market import Indices, Market
    from nt_memory.market import BarSeries, Floats


@dataclass(frozen=True, slots=True)
class Sizing:
    """How large a position a weight of 1 is.

    Parameters
    ----------
    fraction
        Share of the equity.
    volatility
        Volatility a year that a weight of 1 should have, such as 0.1; then
        ``fraction`` is multiplied by this and divided by the trailing
        volatility of the symbol over ``window`` bars.  None: sizes do not depend on it.
    window
        Bars, up to the one of the decision; before there are as many, the
        position is 0.
    most
        The gross position at most, in multiples of the equity; one that is
        above is scaled down as a whole.  Where symbols close at different times,
        a decision takes no more than what stands leaves.
    sleeves
        Capital is split into as many sleeves as an outcome takes bars, and
        each decision fills one; otherwise each decision moves everything.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    fraction: float = 1.0
    volatility: float | None = None
    window: int = 63
    most: float = 1.0
    sleeves: bool = True

    def __post_init__(self) -> None:
        for name in ("fraction", "volatility", "most"):
            value = getattr(self, name)
            if value is not None and not finite(name, value) > 0.0:
                msg = f"{name}={shown(value)}: give a number above 0"
                raise ValueError(msg)
        whole("window", self.window, 2)

    def positions(self, market: Market, start: int, weights: Floats, holding: int) -> Floats:
        """Return the position wanted after each decision, in shares of the equity.

        It is `sized`, scaled down where the gross position is too large.  What
        was decided on a symbol at a step at which it has no bar does not count:
        its last decision stands.

        Parameters
        ----------
        market
            Only its bars up to each decision are read.
        start
            Step of the first decision.
        weights
            What was decided, shape (steps from ``start`` on, symbols).
        holding
            Sleeves, where they are wanted.
        """
        sized = self.sized(market, start, weights, holding)
        return sized * self.scale(market, start, sized)

    def sized(self, market: Market, start: int, weights: Floats, holding: int) -> Floats:
        """Return the positions before they are bounded: those of a sum are the sum of those."""
        sized = np.zeros(weights.shape)
        fresh = market.prices.fresh[start:]
        for column, symbol in enumerate(market.symbols):
            own = fresh[:, column]
            places = market.places(symbol)[start:][own]
            decided = weights[own, column] * self._size(market[symbol], places)
            decided = overlapping(decided, holding) if self.sleeves else decided
            last = np.cumsum(own)
            sized[last > 0, column] = decided[last[last > 0] - 1]
        return sized

    def scale(self, market: Market, start: int, sized: Floats) -> Floats:
        """Return what each position is scaled by, as was known at the symbol's own last bar."""
        bound = self._bound(sized)
        fresh = market.prices.fresh[start:]
        if fresh.all():
            return bound
        # What stands is not made smaller for what comes later: that takes what room is left.
        scale, factor = np.ones_like(bound), np.zeros(sized.shape[1])
        standing = np.zeros(sized.shape[1])
        for step, own in enumerate(fresh):
            size = np.abs(sized[step, own]) * bound[step, own]
            room, gross = self.most - standing[~own].sum(), size.sum()
            fits = max(room, 0.0) / gross if gross > room * (1.0 + 1e-12) else 1.0
            factor[own] = bound[step, own] * fits
            standing[own] = size * fits
            scale[step] = factor
        return scale

    def _bound(self, sized: Floats) -> Floats:
        """Return what each position is scaled by, so that none and no row is too large."""
        size = np.abs(sized)
        # By itself first: one that asks for any size would leave nothing to the others.
        alone = self.most / np.maximum(size, self.most)
        gross = (size * alone).sum(axis=1, keepdims=True)
        # Sums of sleeves may be a rounding above: such a position is left alone.
        over = gross > self.most * (1.0 + 1e-12)
        return alone * np.where(over, self.most / np.where(over, gross, 1.0), 1.0)

    def _size(self, bars: BarSeries, places: Indices) -> Floats | float:
        """Return the position that a weight of 1 stands for, at some bars of a symbol."""
        if self.volatility is None:
            return self.fraction
        known = trailing_volatility(bars, self.window)[places]
        # Prices that did not move would ask for any size: `most` bounds it.
        size = self.fraction * self.volatility / np.maximum(known, 1e-6)
        return np.where(np.isnan(size), 0.0, size)


def trailing_volatility(bars: BarSeries, window: int) -> Floats:
    """Return the standard deviation of the last ``window`` log returns, a year, at each bar.

    It is NaN before there are as many.
    """
    found = np.full(len(bars), np.nan)
    if len(bars) > window:
        returns = np.diff(np.log(bars.close))
        deviation = sliding_window_view(returns, window).std(axis=1, ddof=1)
        found[window:] = deviation * np.sqrt(BARS_A_YEAR)
    return found


def overlapping(decided: Floats, holding: int) -> Floats:
    """Average the last ``holding`` decisions (rows); before the first there were none (0)."""
    size = len(decided)
    # Those of before the first are 0, however many.
    lags = max(min(holding, size), 1)
    padded = np.concatenate([np.zeros((lags - 1, *decided.shape[1:])), decided])
    total: Floats = np.sum([padded[lag : lag + size] for lag in range(lags)], axis=0)
    return total / holding
