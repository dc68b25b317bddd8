"""Sums and scores over the bars before one.

Every sum runs over the lags in one fixed order, oldest first, so a value
depends on its own window alone: whatever comes after, its bytes are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nt_memory.market import Floats

# Numbers that differ by less than this part of themselves differ by rounding.
ROUNDING = 1e-9


def log_returns(close: Floats) -> Floats:
    """Return the log return of each bar; NaN at the first."""
    returns = np.full(len(close), np.nan)
    returns[1:] = np.log(close[1:] / close[:-1])
    return returns


def lagged(values: Floats, lag: int) -> Floats:
    """Return what the value was ``lag`` bars before each; NaN before the first."""
    out = np.full(len(values), np.nan)
    out[lag:] = values[: max(len(values) - lag, 0)]
    return out


def trailing_sum(values: Floats, window: int) -> Floats:
    """Sum each window that ends at a bar; NaN before the first full one."""
    out = np.full(len(values), np.nan)
    size = len(values) - window + 1
    if size > 0:
        total = values[:size].copy()
        for start in range(1, window):
            total += values[start : start + size]
        out[window - 1 :] = total
    return out


def trailing_mean(values: Floats, window: int) -> Floats:
    """Average each window that ends at a bar."""
    mean: Floats = trailing_sum(values, window) / window
    return mean


def trailing_max(values: Floats, window: int) -> Floats:
    """Return the greatest value of each window that ends at a bar."""
    out = np.full(len(values), np.nan)
    size = len(values) - window + 1
    if size > 0:
        peaks = values[:size].copy()
        for start in range(1, window):
            np.maximum(peaks, values[start : start + size], out=peaks)
        out[window - 1 :] = peaks
    return out


def trailing_min(values: Floats, window: int) -> Floats:
    """Return the least value of each window that ends at a bar."""
    return -trailing_max(-values, window)


def trailing_deviation(values: Floats, window: int) -> Floats:
    """Return the sample standard deviation of each window that ends at a bar."""
    mean = trailing_mean(values, window)
    out = np.full(len(values), np.nan)
    size = len(values) - window + 1
    if size > 0:
        spread = np.zeros(size)
        for start in range(window):
            gap = values[start : start + size] - mean[window - 1 :]
            spread += gap * gap
        out[window - 1 :] = np.sqrt(spread / (window - 1))
    return out


def trailing_scores(values: Floats, window: int, limit: float) -> Floats:
    """Measure each value against the ``window`` values before it, itself not among them.

    The score is the distance from their mean in their sample standard
    deviations, within ``limit``.  Where they did not vary, it is 0 for one
    more of the same and the limit for anything else.  It is NaN where one of
    them, or the value, is.
    """
    mean = lagged(trailing_mean(values, window), 1)
    deviation = lagged(trailing_deviation(values, window), 1)
    gap = values - mean
    rounding = ROUNDING * np.abs(mean)
    score = gap / np.where(deviation > rounding, deviation, np.nan)
    still = deviation <= rounding
    jump = np.where(np.abs(gap) > rounding, np.copysign(limit, gap), 0.0)
    out: Floats = np.clip(np.where(still & ~np.isnan(gap), jump, score), -limit, limit)
    return out


def ratio(top: Floats, bottom: Floats, otherwise: float) -> Floats:
    """Divide; where the divisor is not positive, there is another value."""
    out = np.full(np.broadcast(top, bottom).shape, otherwise)
    np.divide(top, bottom, out=out, where=bottom > 0)
    out[np.isnan(top) | np.isnan(bottom)] = np.nan
    return out
