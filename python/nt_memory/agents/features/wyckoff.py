"""Wyckoff's reading of a trading range: accumulation, springs, upthrusts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.agents.features._trailing import (
    lagged,
    ratio,
    trailing_max,
    trailing_min,
    trailing_sum,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from nt_memory.agents.features.settings import FeatureSettings
    from nt_memory.market import BarSeries, Floats


def money_flow(bars: BarSeries) -> Floats:
    """Return volume times where the close lies in the bar: -1 at its low, 1 at its high.

    A bar without a range adds nothing.  (Chaikin's money flow volume.)
    """
    location = ratio((bars.close - bars.low) - (bars.high - bars.close), bars.high - bars.low, 0.0)
    flow: Floats = location * bars.volume
    return flow


def ad_line(bars: BarSeries) -> Floats:
    """Add up the money flow since the first bar: the accumulation/distribution line."""
    return np.cumsum(money_flow(bars))


def accumulation(bars: BarSeries, window: int) -> Floats:
    """Return money flow over volume of the last ``window`` bars; 0 where nothing was traded."""
    flow, volume = trailing_sum(money_flow(bars), window), trailing_sum(bars.volume, window)
    share: Floats = np.clip(ratio(flow, volume, 0.0), -1.0, 1.0)
    return share


@dataclass(frozen=True, slots=True)
class _Side:
    """A market seen so that what may break is its low; an upthrust is a spring upside down."""

    low: Floats
    high: Floats
    close: Floats

    def springs(self, settings: FeatureSettings) -> Floats:
        """Return 1 where a broken low was won back at the close, else 0; NaN before."""
        found = np.zeros(len(self.close), dtype=bool)
        for age in range(settings.recovery):
            found |= self._won_back(age, settings)
        return np.where(np.isnan(self._support(0, settings)), np.nan, found)

    def _won_back(self, age: int, settings: FeatureSettings) -> npt.NDArray[np.bool_]:
        """Whether the low that broke ``age`` bars ago is won back at this close, and not before."""
        window = settings.range_window
        support = self._support(age, settings)
        height = lagged(trailing_max(self.high, window), age + 1) - support
        before = lagged(self.close, age + 1)
        drift = np.abs(before - lagged(self.close, age + window))
        deepest = trailing_min(self.low, age + 1)
        found = (
            (lagged(self.low, age) < support)
            & (deepest >= support - settings.break_depth * height)
            & (drift <= settings.range_drift * height)
            & (self.close > support)
        )
        for between in range(1, age + 1):
            found &= lagged(self.close, between) <= support
        return found

    def _support(self, age: int, settings: FeatureSettings) -> Floats:
        return lagged(trailing_min(self.low, settings.range_window), age + 1)


def spring(bars: BarSeries, settings: FeatureSettings) -> Floats:
    """Return 1 at the close that wins back a broken low of a trading range, else 0.

    The range is that of the ``range_window`` bars before the break.  The event is
    told at the bar at whose close it is known, up to ``recovery - 1`` bars after
    the break, and once.
    """
    return _Side(bars.low, bars.high, bars.close).springs(settings)


def upthrust(bars: BarSeries, settings: FeatureSettings) -> Floats:
    """Return 1 at the close that falls back below a broken high of a trading range, else 0."""
    return _Side(-bars.high, -bars.low, -bars.close).springs(settings)


def wyckoff_columns(bars: BarSeries, settings: FeatureSettings) -> dict[str, Floats]:
    """Compute the line, the range and its events, one value a bar."""
    window = settings.range_window
    return {
        "ad_line": ad_line(bars),
        "accumulation": accumulation(bars, window),
        "range_low": lagged(trailing_min(bars.low, window), 1),
        "range_high": lagged(trailing_max(bars.high, window), 1),
        "spring": spring(bars, settings),
        "upthrust": upthrust(bars, settings),
    }
