"""Momentum, volatility and trend strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nt_memory.agents.features._trailing import (
    lagged,
    log_returns,
    ratio,
    trailing_deviation,
    trailing_mean,
    trailing_scores,
)

if TYPE_CHECKING:
    from nt_memory.agents.features.settings import FeatureSettings
    from nt_memory.market import BarSeries, Floats

# Rounding of log prices: what moves by less a bar stands still.
_STILL = 1e-12


def momentum(bars: BarSeries, window: int) -> Floats:
    """Return the log return over ``window`` bars up to each."""
    log_close = np.log(bars.close)
    change: Floats = log_close - lagged(log_close, window)
    return change


def volatility(bars: BarSeries, window: int) -> Floats:
    """Return the sample standard deviation of the last ``window`` log returns."""
    deviation = trailing_deviation(log_returns(bars.close), window)
    deviation[deviation <= _STILL] = 0.0
    return deviation


def trend_strength(bars: BarSeries, window: int) -> Floats:
    """Regress the last ``window`` log closes on time: R2, with the sign of the slope.

    A price that does not move has no trend: 0.
    """
    log_close = np.log(bars.close)
    mean = trailing_mean(log_close, window)
    cross, spread = np.zeros(len(bars)), np.zeros(len(bars))
    for age in range(window - 1, -1, -1):
        gap = lagged(log_close, age) - mean
        cross += ((window - 1) / 2.0 - age) * gap
        spread += gap * gap
    spread[spread <= window * _STILL**2] = 0.0
    time_spread = window * (window * window - 1) / 12.0
    signed: Floats = np.sign(cross) * ratio(cross * cross, spread * time_spread, 0.0)
    return signed


def sentiment_columns(bars: BarSeries, settings: FeatureSettings) -> dict[str, Floats]:
    """Compute the scores of all three, one value a bar."""
    raw = {
        "momentum": momentum(bars, settings.momentum_window),
        "volatility": volatility(bars, settings.volatility_window),
        "trend_strength": trend_strength(bars, settings.trend_window),
    }
    return {
        name: trailing_scores(values, settings.score_window, settings.score_limit)
        for name, values in raw.items()
    }
