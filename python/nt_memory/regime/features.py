"""What a market does, in six numbers a bar that know nothing of the future.

All three forms (one bar, a table, bar by bar) hand windows of the same length to one
function, which works row by row: their results are the same bytes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nt_memory._shown import shown
from nt_memory._values import finite, whole

if TYPE_CHECKING:
    import numpy.typing as npt

    from nt_memory.market import Floats
    from nt_memory.regime.snapshot import OrderBook

LOOKBACK = 100
LEAST_LOOKBACK = 40
"""The boxes of the Hurst exponent need that many bars to have three sizes."""
FEATURES = (
    "volatility",
    "trend_strength",
    "mean_reversion",
    "volume_trend",
    "autocorrelation",
    "hurst_exponent",
)
MOST_LOOKBACK = 1_000_000
LAG = 10
# Smaller boxes bend the curve of the fluctuations (Kantelhardt and others, 2001).
_LEAST_BOX = 6
_BOXES = 16
# Log prices that stay within this of each other, or of a line, do not move but for rounding.
_STILL = 1e-12
# A slope nearer to 1 is 1 but for rounding: half of a gap would last a billion bars.
_PULLED = 1e-9
# Numbers of a block of windows: it stays in the processor's cache.
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class RegimeFeatures:
    """The features of a bar, over the ``lookback`` bars up to it.

    With N prices p, their logarithms x, the N - 1 log returns r = x[t] - x[t - 1], and
    volumes v.  "Still" means: moves no more than 1e-12 in logarithms.

    Parameters
    ----------
    volatility
        Population standard deviation of r, a bar; 0 where r is still.
    trend_strength
        The R2 of x on time by least squares, with the sign of its slope, -1 to 1; 0
        where x is still.
    mean_reversion
        Half-life in bars of an Ornstein-Uhlenbeck process fitted to x: with ``a`` the
        slope of x[t] on x[t - 1] by least squares, -ln 2 / ln a.  0 where ``a`` is not
        positive (back within a bar), infinite where it is within 1e-9 of 1 or more, or x
        is still (nothing pulls back).
    volume_trend
        What v gains from the first bar to the last by its least squares line, as a
        multiple of its mean, -6 to 6; 0 where nothing was traded.
    autocorrelation
        Of r at lag 10: sum((r[t] - m)(r[t + 10] - m)) / sum((r[t] - m)^2), m the mean;
        0 where r is still.
    hurst_exponent
        By first-order detrended fluctuation analysis (DFA-1; Peng and others, 1994) of r,
        that is of its profile x: the slope of log F(s) on log s, F(s) the root mean
        square distance of x from its own line in boxes of s bars, counted from the last
        bar; up to 16 sizes, spread evenly in log s from 6 to N / 4.  0.5 is a random walk,
        above persists, below reverts.  0.5 where x is still in the boxes of a size: then
        nothing tells one from the other.
    orderbook_imbalance
        (bid size - ask size) / (bid size + ask size), -1 to 1; None without a book.
    bid_ask_spread
        (best ask - best bid) / last price; None without a book.
    """

    volatility: float
    trend_strength: float
    mean_reversion: float
    volume_trend: float
    autocorrelation: float
    hurst_exponent: float
    orderbook_imbalance: float | None = None
    bid_ask_spread: float | None = None


def regime_features(
    prices: npt.ArrayLike,
    volumes: npt.ArrayLike,
    book: OrderBook | None = None,
    lookback: int = LOOKBACK,
) -> RegimeFeatures:
    """Return the features of the last bar.

    Parameters
    ----------
    prices
        Closes, oldest first, positive; the last ``lookback`` of them are read.
    volumes
        Traded quantities, one a price, not negative.
    book
        The order book at the close of the last bar.
    lookback
        Bars, 40 or more.

    Raises
    ------
    ValueError
        There are fewer bars, or a number is none of a market's.

    Examples
    --------
    >>> import numpy as np
    >>> bars = np.arange(100)
    >>> found = regime_features(100.0 * 1.01**bars, 1e6 + 0.0 * bars)
    >>> found.trend_strength, found.volatility, found.mean_reversion
    (1.0, 0.0, inf)
    """
    lookback = checked_lookback(lookback)
    p, v = checked_columns(prices, volumes)
    if len(p) < lookback:
        msg = f"prices has {len(p)} bars: give at least lookback={lookback}"
        raise ValueError(msg)
    row = _features(np.log(p[-lookback:])[None], v[-lookback:][None])[0]
    return as_features(row, book, float(p[-1]))


def feature_table(
    prices: npt.ArrayLike, volumes: npt.ArrayLike, lookback: int = LOOKBACK
) -> Floats:
    """Return the features of every bar that its series alone tells.

    Parameters
    ----------
    prices, volumes, lookback
        As for `regime_features`, of any length.

    Returns
    -------
    float64 of shape ``(n, 6)``, columns in the order of ``FEATURES``; NaN in the first
    ``lookback - 1`` rows.  Row i reads the bars up to i alone.

    Examples
    --------
    >>> import numpy as np
    >>> table = feature_table(np.linspace(100.0, 110.0, 120), np.ones(120))
    >>> table.shape, int(np.isnan(table[:, 0]).sum())
    ((120, 6), 99)
    """
    lookback = checked_lookback(lookback)
    p, v = checked_columns(prices, volumes)
    table = np.full((len(p), len(FEATURES)), np.nan)
    if len(p) < lookback:
        return table
    x, v = sliding_window_view(np.log(p), lookback), sliding_window_view(v, lookback)
    step = max(1, _BLOCK // lookback)
    for start in range(0, len(x), step):
        block = slice(start, min(start + step, len(x)))
        table[lookback - 1 :][block] = _features(x[block], v[block])
    return table


class FeatureWindow:
    """The features bar by bar, with the bytes of `feature_table`.

    It holds the last ``lookback`` bars, and a bar costs their number, not that of all
    bars so far.

    Parameters
    ----------
    lookback
        Bars, 40 or more.

    Examples
    --------
    >>> window = FeatureWindow(40)
    >>> told = [window.update(100.0 + bar, 1.0) for bar in range(40)]
    >>> told[38] is None, round(told[39].trend_strength, 2)
    (True, 1.0)
    """

    def __init__(self, lookback: int = LOOKBACK) -> None:
        self.lookback = checked_lookback(lookback)
        self._log_prices: deque[float] = deque(maxlen=lookback)
        self._volumes: deque[float] = deque(maxlen=lookback)

    def update(
        self, price: float, volume: float, book: OrderBook | None = None
    ) -> RegimeFeatures | None:
        """Take in a bar; return its features, or None before the look-back is full."""
        found = self.ahead(price, volume, book)
        self.take(price, volume)
        return found

    def take(self, price: float, volume: float) -> None:
        """Take in a bar, and compute nothing."""
        price, volume = checked_price(price), finite("volume", volume, 0.0)
        self._log_prices.append(_log(price))
        self._volumes.append(volume)

    def ahead(
        self, price: float, volume: float, book: OrderBook | None = None
    ) -> RegimeFeatures | None:
        """Return what `update` would of a bar, without taking it in."""
        price, volume = checked_price(price), finite("volume", volume, 0.0)
        if len(self._log_prices) < self.lookback - 1:
            return None
        before = slice(1 - self.lookback, None)
        log_prices = [*list(self._log_prices)[before], _log(price)]
        volumes = [*list(self._volumes)[before], volume]
        return as_features(_features(np.array([log_prices]), np.array([volumes]))[0], book, price)


def _log(price: float) -> float:
    # The logarithm of an array, as in a table: that of `math` may differ in its last bit.
    return float(np.log(np.array([price], dtype=np.float64))[0])


def as_features(row: Floats, book: OrderBook | None, price: float) -> RegimeFeatures:
    """Return a row of a table as features, with what the book tells."""
    told = dict(zip(FEATURES, row.tolist(), strict=True))
    if book is None:
        return RegimeFeatures(**told)
    from nt_memory.regime.snapshot import OrderBook  # it is made of columns that are checked here

    if not isinstance(book, OrderBook):
        msg = f"book={shown(book)}: give an OrderBook, or None"
        raise TypeError(msg)
    return RegimeFeatures(
        **told, orderbook_imbalance=book.imbalance, bid_ask_spread=book.spread / price
    )


def checked_lookback(lookback: int) -> int:
    """Return a look-back, refused where it is too short for the features."""
    if whole("lookback", lookback, LEAST_LOOKBACK) > MOST_LOOKBACK:
        msg = f"lookback={shown(lookback)}: give at most {MOST_LOOKBACK:,}"
        raise ValueError(msg)
    return lookback


def checked_price(price: float) -> float:
    """Return a price as a float, refused where it is none."""
    number = finite("price", price)
    if number <= 0.0:
        msg = f"price={shown(price)}: give a positive number"
        raise ValueError(msg)
    return number


def checked_columns(prices: npt.ArrayLike, volumes: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return prices and volumes as arrays, refused where a number is none of a market's."""
    p, v = column("prices", prices), column("volumes", volumes)
    if len(p) != len(v):
        msg = f"prices has {len(p)} bars, volumes {len(v)}: give one of each a bar"
        raise ValueError(msg)
    _refuse("prices", p, ~(np.isfinite(p) & (p > 0.0)), "finite and positive")
    _refuse("volumes", v, ~(np.isfinite(v) & (v >= 0.0)), "finite and not negative")
    return p, v


def column(name: str, values: npt.ArrayLike) -> Floats:
    """Return numbers as a flat array of float64."""
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"{name}={shown(values)}: give numbers, one a bar"
        raise ValueError(msg) from error
    if numbers.ndim != 1:
        msg = f"{name} has shape {numbers.shape}: give one number a bar"
        raise ValueError(msg)
    return np.ascontiguousarray(numbers)


def _refuse(name: str, values: Floats, bad: npt.NDArray[np.bool_], wanted: str) -> None:
    if bad.any():
        place = int(np.flatnonzero(bad)[0])
        msg = f"{name}[{place}]={shown(float(values[place]))}: give numbers that are {wanted}"
        raise ValueError(msg)


def _features(log_prices: Floats, volumes: Floats) -> Floats:
    """Compute all features of windows, shape (windows, bars), one row of the result a window."""
    # Measured from its last price, a window that does not move is zero to the last bit.
    x = log_prices - log_prices[:, -1:]
    r = x[:, 1:] - x[:, :-1]
    gap = r - _mean(r)
    squares = _sum(gap * gap)
    deviation = np.sqrt(squares / r.shape[1])
    # The last bars of a sum over all pairs of bars that are so far apart.
    together = _sum(gap[:, LAG:] * gap[:, :-LAG])
    moving = deviation > _STILL
    columns = [
        np.where(moving, deviation, 0.0),
        _trend_strength(x),
        _half_life(x),
        _volume_trend(volumes),
        _ratio(together, squares, moving),
        _hurst(x),
    ]
    return np.stack(columns, axis=1)


def _sum(rows: Floats) -> Floats:
    # One contiguous row after another, each in the same order whatever lies beside it.
    total: Floats = np.ascontiguousarray(rows).sum(axis=-1)
    return total


def _mean(rows: Floats) -> Floats:
    means: Floats = (_sum(rows) / rows.shape[-1])[..., None]
    return means


def _ratio(top: Floats, bottom: Floats, where: npt.NDArray[np.bool_]) -> Floats:
    """Divide where that says something; elsewhere 0."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=where)


@lru_cache(maxsize=64)
def _clock(count: int) -> Floats:
    """Return times a bar apart around 0."""
    times: Floats = np.arange(count, dtype=np.float64) - (count - 1) / 2.0
    times.flags.writeable = False
    return times


@lru_cache(maxsize=64)
def _boxes(bars: int) -> tuple[tuple[int, ...], Floats]:
    """Return the sizes of boxes, and their logarithms around 0."""
    sizes = np.unique(np.geomspace(_LEAST_BOX, bars // 4, _BOXES).round().astype(int))
    scale: Floats = np.log(sizes)
    scale -= scale.mean()
    scale.flags.writeable = False
    return tuple(sizes.tolist()), scale


def _trend_strength(x: Floats) -> Floats:
    n = x.shape[1]
    time = _clock(n)
    gap = x - _mean(x)
    cross, spread = _sum(gap * time), _sum(gap * gap)
    share = _ratio(cross * cross, spread * (time @ time), spread > n * _STILL**2)
    return np.sign(cross) * np.minimum(share, 1.0)


def _half_life(x: Floats) -> Floats:
    before, after = x[:, :-1], x[:, 1:]
    gap = before - _mean(before)
    spread, cross = _sum(gap * gap), _sum(gap * (after - _mean(after)))
    moving = spread > before.shape[1] * _STILL**2
    slope = np.where(moving, _ratio(cross, spread, moving), 1.0)
    pulled = slope < 1.0 - _PULLED
    life = np.where(pulled, 0.0, np.inf)
    reverts = pulled & (slope > 0.0)
    life[reverts] = -np.log(2.0) / np.log(slope[reverts])
    return life


def _volume_trend(volumes: Floats) -> Floats:
    n = volumes.shape[1]
    time = _clock(n)
    most = volumes.max(axis=1)
    # Shares of the largest: sums of them are numbers, however large volumes are.
    v = _ratio(volumes, np.broadcast_to(most[:, None], volumes.shape), volumes > 0.0)
    slope = _sum((v - _mean(v)) * time) / (time @ time)
    return _ratio(slope * (n - 1), _mean(v)[:, 0], most > 0.0)


def _hurst(x: Floats) -> Floats:
    sizes, scale = _boxes(x.shape[1])
    spreads = np.stack([_fluctuation(x, size) for size in sizes], axis=1)
    moving = (spreads > _STILL**2).all(axis=1)
    logs = np.log(spreads, out=np.zeros_like(spreads), where=spreads > 0.0) / 2.0
    return np.where(moving, _sum(logs * scale) / (scale @ scale), 0.5)


def _fluctuation(x: Floats, size: int) -> Floats:
    """Return the mean square distance from the lines of boxes, counted from the last bar."""
    count = x.shape[1] // size
    boxes = x[:, -count * size :].reshape(len(x), count, size)
    time = _clock(size)
    gap = boxes - _mean(boxes)
    rest = gap - (_sum(gap * time) / (time @ time))[..., None] * time
    mean: Floats = _sum(_sum(rest * rest)) / (count * size)
    return mean
