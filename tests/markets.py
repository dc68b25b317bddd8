"""Builders of small markets for the tests."""

import numpy as np

from nt_memory.backtest import Market
from nt_memory.market import BarSeries

DAY_US = 86_400_000_000


def random_bars(count, seed=0):
    """Build a random walk with gaps, ranges and volumes."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, count)))
    opened = close * np.exp(rng.normal(0.0, 0.004, count))
    reach = np.exp(np.abs(rng.normal(0.0, 0.004, (2, count))))
    return BarSeries(
        symbol="TEST",
        times=(1 + np.arange(count)) * DAY_US,
        open=opened,
        high=np.maximum(opened, close) * reach[0],
        low=np.minimum(opened, close) / reach[1],
        close=close,
        volume=rng.lognormal(10.0, 0.5, count),
    )


def bars_of(opens, closes):
    """Build bars from opens and closes alone."""
    opened, close = np.array(opens, dtype=float), np.array(closes, dtype=float)
    return BarSeries(
        symbol="TEST",
        times=(1 + np.arange(len(close))) * DAY_US,
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=np.ones(len(close)),
    )


def spliced(past, future, cut):
    """Return ``past`` up to bar ``cut`` and ``future`` after it, scaled to join."""
    scale = past.close[cut] / future.close[cut]
    join = {
        name: np.concatenate(
            [getattr(past, name)[: cut + 1], getattr(future, name)[cut + 1 :] * scale]
        )
        for name in ("open", "high", "low", "close")
    }
    volume = np.concatenate([past.volume[: cut + 1], future.volume[cut + 1 :]])
    return BarSeries(symbol=past.symbol, times=past.times, volume=volume, **join)


def mirrored(bars, cut):
    """Return the bars up to ``cut``; after it every move is turned round, five times as large."""
    after = np.arange(len(bars)) > cut
    base = bars.close[cut]

    def turned(column):
        return np.where(after, base * (base / column) ** 5, column)

    return BarSeries(
        symbol=bars.symbol,
        times=bars.times,
        open=turned(bars.open),
        high=np.where(after, turned(bars.low), bars.high),
        low=np.where(after, turned(bars.high), bars.low),
        close=turned(bars.close),
        volume=bars.volume,
    )


def thinned(bars, symbol, keep):
    """Return the bars at some places as a series of another symbol."""
    return BarSeries(
        symbol=symbol,
        times=bars.times[keep],
        **{name: getattr(bars, name)[keep] for name in ("open", "high", "low", "close", "volume")},
    )


def gappy_market(count, seed, symbols=3):
    """Build a market whose symbols each miss about a third of the bars."""
    rng = np.random.default_rng([seed, 7])
    every = np.arange(count)
    series = []
    for place in range(symbols):
        keep = every[rng.random(count) < 0.65] if place else every
        keep = keep if len(keep) else every[-1:]
        series.append(thinned(random_bars(count, seed + place), f"S{place}", keep))
    return Market(series)


def written(path, bars):
    """Write bars to a CSV file, to the last digit."""
    columns = ("open", "high", "low", "close", "volume")
    rows = [
        f"{bars.closed_at(n).date()},"
        + ",".join(repr(float(getattr(bars, name)[n])) for name in columns)
        for n in range(len(bars))
    ]
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows]) + "\n", encoding="utf-8")
    return path
