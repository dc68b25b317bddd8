"""A window of bars as 256 floats that know nothing of the future.

Sixteen features at sixteen horizons, each measured against its own trailing
year.  Every sum runs over the lags in one fixed order, so a row depends on its
own window alone: whether a series is encoded whole or bar by bar, and whatever
comes after, the bytes are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from nt_memory.market import BarSeries, Floats

Vector: TypeAlias = npt.NDArray[np.float32]

HORIZONS = (3, 4, 5, 6, 8, 10, 12, 15, 19, 24, 30, 38, 48, 63, 90, 126)
FEATURES = (
    "return",
    "volatility",
    "range",
    "volume",
    "position in range",
    "trend",
    "distance to average",
    "downside",
    "skew",
    "drawdown",
    "rise from low",
    "efficiency",
    "autocorrelation",
    "close location",
    "signed volume",
    "illiquidity",
)
TRAILING = 252
# Windows up to which all of their lags are summed in one pass: of the last bars, as they come.
FEW = 16
# Beyond three trailing deviations a feature says "extreme", not how extreme:
# without a limit one wild volume day would own the whole vector.
LIMIT = 3.0


class StateEncoder:
    """Turn bars into unit vectors of 256 float32.

    Each feature is standardised by its mean and deviation over the trailing
    252 bars, limited to three deviations, and the whole is scaled to length 1,
    so that a dot product is a cosine.  The value at bar i reads the bars
    ``i - warm_up`` to ``i`` and nothing else.

    Examples
    --------
    >>> from nt_memory.backtest import load_sp500
    >>> bars = load_sp500().head(400)
    >>> encoder = StateEncoder()
    >>> states = encoder.encode_all(bars)
    >>> states.shape, states.dtype.name
    ((400, 256), 'float32')
    >>> bool((states[399] == encoder.encode(bars, 399)).all())
    True
    """

    id = "ohlcv-16x16-v1"
    """Names the encoding in a store, which refuses to mix it with another."""

    dim = len(FEATURES) * len(HORIZONS)
    """Length of a vector."""

    warm_up = HORIZONS[-1] + TRAILING - 1
    """Index of the first bar that has a vector."""

    def encode(self, bars: BarSeries, bar: int) -> Vector:
        """Encode the state at the close of one bar.

        Raises
        ------
        ValueError
            The bar lies before `warm_up` or after the series.
        """
        if not self.warm_up <= bar < len(bars):
            msg = f"bar={bar}: has no state; those from {self.warm_up} to {len(bars) - 1} do"
            raise ValueError(msg)
        row: Vector = self.encode_all(bars.window(bar - self.warm_up, bar + 1))[-1]
        return row

    def encode_all(self, bars: BarSeries) -> npt.NDArray[np.float32]:
        """Encode every bar: shape (bars, 256), NaN in the rows before `warm_up`."""
        states = np.full((len(bars), self.dim), np.nan, dtype=np.float32)
        if len(bars) > self.warm_up:
            states[self.warm_up :] = _unit(_standardise(_features(bars))).T
        return states

    def contributions(self, left: Vector, right: Vector) -> dict[str, float]:
        """Split the cosine of two states into the shares of the sixteen features."""
        products = left.astype(np.float64) * right.astype(np.float64)
        shares = products.reshape(len(FEATURES), len(HORIZONS)).sum(axis=1)
        return dict(zip(FEATURES, shares.tolist(), strict=True))


def _features(bars: BarSeries) -> Floats:
    """Compute all raw features, shape (256, bars - longest horizon)."""
    columns = _Columns(bars)
    size = len(bars) - HORIZONS[-1]
    by_horizon = [[row[-size:] for row in columns.at(horizon)] for horizon in HORIZONS]
    rows: Floats = np.array(by_horizon).transpose(1, 0, 2).reshape(-1, size)
    return rows


class _Columns:
    """What every horizon is computed from, one value a bar from the second bar on."""

    def __init__(self, bars: BarSeries) -> None:
        log_close = np.log(bars.close)
        span = bars.high - bars.low
        self.returns = log_close[1:] - log_close[:-1]
        self.log_close = log_close[1:]
        self.close = bars.close[1:]
        self.high, self.low = bars.high[1:], bars.low[1:]
        self.spans = np.log(bars.high[1:] / bars.low[1:])
        self.volume = bars.volume[1:] + 1.0
        self.location = _ratio(2.0 * bars.close - bars.high - bars.low, span)[1:]

    def at(self, h: int) -> list[Floats]:
        """Compute the features at one horizon, in the order of ``FEATURES``."""
        r = self.returns
        net = _sum(r, h)
        squares = _sum(r * r, h)
        drop = np.minimum(r, 0.0)
        mean_volume = _sum(self.volume, h) / h
        top = _max(self.high, h)
        bottom = -_max(-self.low, h)
        last = slice(h - 1, None)
        log_close = self.log_close[last]
        return [
            net,
            np.log(squares / h + 1e-12),
            np.log(_sum(self.spans, h) / h + 1e-6),
            np.log(self.volume[last] / mean_volume),
            _ratio(self.close[last] - bottom, top - bottom),
            _signed_r2(self.log_close, h),
            log_close - _sum(self.log_close, h) / h,
            _ratio(_sum(drop * drop, h), squares),
            _ratio(_sum(r * r * r, h) / h, (squares / h) * np.sqrt(squares / h)),
            log_close - np.log(top),
            log_close - np.log(bottom),
            _ratio(net, _sum(np.abs(r), h)),
            _lag_one(r, h, squares),
            _sum(self.location, h) / h,
            _sum(np.sign(r) * self.volume, h) / (mean_volume * h),
            np.log(_sum(np.abs(r) / self.volume, h) / h + 1e-18),
        ]


def _sum(values: Floats, window: int) -> Floats:
    """Sum each trailing window along the last axis, newest value first."""
    size = values.shape[-1] - window + 1
    if size <= FEW:
        return _in_order(sliding_window_view(values, window, axis=-1)[..., ::-1])
    total: Floats = values[..., window - 1 :].copy()
    for start in range(window - 2, -1, -1):
        total += values[..., start : start + size]
    return total


def _in_order(values: Floats) -> Floats:
    """Sum along the last axis, one value after the other: `sum` would take them in pairs."""
    total: Floats = np.add.accumulate(values, axis=-1)[..., -1]
    return total


def _max(values: Floats, window: int) -> Floats:
    peaks: Floats = sliding_window_view(values, window).max(axis=-1)
    return peaks


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """Divide; where the divisor is not positive there is nothing to say: 0."""
    out = np.zeros_like(top)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out


def _lag_one(returns: Floats, window: int, squares: Floats) -> Floats:
    pairs = _sum(returns[1:] * returns[:-1], window - 1)
    return _ratio(pairs, squares)


def _signed_r2(log_close: Floats, window: int) -> Floats:
    """Fit log price on time; the share explained, with the sign of the slope."""
    size = len(log_close) - window + 1
    mean = _sum(log_close, window) / window
    cross = np.zeros(size)
    spread = np.zeros(size)
    for start in range(window):
        gap = log_close[start : start + size] - mean
        cross += (start - (window - 1) / 2.0) * gap
        spread += gap * gap
    time_spread = window * (window * window - 1) / 12.0
    return np.sign(cross) * _ratio(cross * cross, spread * time_spread)


def _standardise(features: Floats) -> Floats:
    """Measure each value against its trailing year, itself included."""
    size = features.shape[1] - TRAILING + 1
    scores = np.empty((len(features), size))
    # A block of rows stays in the processor's cache over the 500 passes.
    for first in range(0, len(features), len(HORIZONS)):
        block = features[first : first + len(HORIZONS)]
        mean = _sum(block, TRAILING) / TRAILING
        spread = _squares(block, mean)
        deviation = np.sqrt(spread / TRAILING)
        gap = block[:, TRAILING - 1 :] - mean
        # Below this a feature has not moved for a year but for rounding.
        still = deviation <= 1e-9 * (1.0 + np.abs(mean))
        scores[first : first + len(HORIZONS)] = _ratio(gap, np.where(still, 0.0, deviation))
    return np.clip(scores, -LIMIT, LIMIT)


def _squares(block: Floats, mean: Floats) -> Floats:
    """Sum the squared distances of each trailing window from its mean, oldest value first."""
    if mean.shape[1] <= FEW:
        gaps = sliding_window_view(block, TRAILING, axis=1) - mean[:, :, np.newaxis]
        return _in_order(gaps * gaps)
    spread = np.zeros_like(mean)
    for start in range(TRAILING):
        gap = block[:, start : start + mean.shape[1]] - mean
        spread += gap * gap
    return spread


def _unit(scores: Floats) -> npt.NDArray[np.float32]:
    """Scale each column to length 1; a market without any movement points at the first axis."""
    length = np.zeros(scores.shape[1])
    for row in scores:
        length += row * row
    still = length == 0.0
    scores[0, still] = 1.0
    length[still] = 1.0
    return (scores / np.sqrt(length)).astype(np.float32)
