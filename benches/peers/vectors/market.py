"""Market states: the package's encoder over daily, hourly and minute bars.

Only daily bars of one index ship with the package.  Every other series is made
from them: a simulation, seeded, one symbol a seed.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import islice

import numpy as np
import numpy.typing as npt

from nt_memory.backtest import load_sp500
from nt_memory.market import BarSeries
from nt_memory.policy.encoder import StateEncoder

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

STATES = 2_000
"""States of one symbol: enough that its 377 bars of warm-up cost little."""
BARS_A_DAY = (1, 7, 390)
BLOCK = 21
"""Days that are drawn together, so that calm and wild months stay what they are."""


def market(count: int, stream: int) -> Vectors:
    """Return states of as many symbols as `count` needs: daily, hourly, minute in turn."""
    symbols = -(-count // STATES)
    with ProcessPoolExecutor(2) as pool:
        parts = pool.map(states, range(symbols), [stream] * symbols, chunksize=4)
        return np.concatenate(list(islice(parts, symbols)))[:count]


def market_queries(count: int, stream: int) -> Vectors:
    """Return states of other symbols, thirty of each, far from one another in time."""
    symbols = -(-count // 30)
    every = STATES // 30
    with ProcessPoolExecutor(2) as pool:
        parts = list(pool.map(states, range(symbols), [stream] * symbols))
    return np.concatenate([part[::every][:30] for part in parts])[:count]


def states(symbol: int, stream: int) -> Vectors:
    """Encode one symbol; the encoder takes a whole series at once."""
    encoder = StateEncoder()
    bars = simulated(symbol, stream, STATES + encoder.warm_up)
    return encoder.encode_all(bars)[encoder.warm_up :]


def simulated(symbol: int, stream: int, count: int) -> BarSeries:
    """Make bars of one symbol: daily, hourly or by the minute, by its number."""
    random = np.random.default_rng([11, stream, symbol])
    a_day = BARS_A_DAY[symbol % len(BARS_A_DAY)]
    days = -(-count // a_day)
    returns, spans, volumes = _days(random, days)
    steps, widths = _bars(random, returns, spans, a_day)
    steps, widths = steps[:count], widths[:count]
    close = 100.0 * np.exp(np.cumsum(steps) - steps.sum() / 2)
    opened = close * np.exp(-steps)
    above, below = widths * random.random((2, count))
    traded = np.repeat(volumes / a_day, a_day)[:count] * _day_shape(a_day, days)[:count]
    surprise = np.abs(steps) / np.abs(steps).mean()
    return BarSeries(
        symbol=f"SIM{symbol}",
        times=np.arange(count, dtype=np.int64) * 60_000_000,
        open=opened,
        high=np.maximum(opened, close) * np.exp(above),
        low=np.minimum(opened, close) * np.exp(-below),
        close=close,
        volume=traded * np.exp(0.3 * random.standard_normal(count) + 0.2 * surprise),
    )


@cache
def _real() -> tuple[Floats, Floats, Floats]:
    """Return daily log returns, spans of high over low, and volumes against their year."""
    bars = load_sp500()
    usual = np.convolve(bars.volume, np.ones(252) / 252, mode="same")
    spans = np.log(bars.high / bars.low)
    return np.diff(np.log(bars.close)), spans[1:], (bars.volume / usual)[1:]


def _days(random: np.random.Generator, days: int) -> tuple[Floats, Floats, Floats]:
    """Draw blocks of real days, and add what is a symbol's own."""
    returns, spans, volumes = _real()
    starts = random.integers(len(returns) - BLOCK, size=-(-days // BLOCK))
    drawn = (starts[:, None] + np.arange(BLOCK)).ravel()[:days]
    beta = random.uniform(0.5, 1.8)
    own = np.abs(returns[drawn]) * random.uniform(0.3, 1.2) * random.standard_normal(days)
    return beta * returns[drawn] + own, beta * spans[drawn], 1e6 * volumes[drawn]


def _bars(
    random: np.random.Generator, returns: Floats, spans: Floats, a_day: int
) -> tuple[Floats, Floats]:
    """Split days into bars: busy at the open and the close, with volatility that clusters."""
    days = len(returns)
    if a_day == 1:
        return returns, spans * 0.3
    wander = _persistent(random, days * a_day, 0.98 if a_day > 100 else 0.9)
    scale = np.repeat(spans, a_day) / (1.7 * np.sqrt(a_day)) * np.exp(0.5 * wander)
    scale *= np.sqrt(_day_shape(a_day, days))
    noise = scale * random.standard_t(5, days * a_day) * 0.77
    # Bars of a day add up to its return.
    gap = returns - noise.reshape(days, a_day).sum(axis=1)
    return noise + np.repeat(gap / a_day, a_day), scale


def _day_shape(a_day: int, days: int) -> Floats:
    """Return a U over the bars of a day, 1 on average."""
    if a_day == 1:
        return np.ones(days)
    shape = 0.6 + 1.2 * np.linspace(-1, 1, a_day) ** 2
    return np.tile(shape / shape.mean(), days)


def _persistent(random: np.random.Generator, count: int, memory: float) -> Floats:
    """Return an autoregression of order one with variance 1."""
    # A window of 400 past shocks says all that the recursion would, without a loop.
    weights = memory ** np.arange(400)
    shocks = random.standard_normal(count + 399) * np.sqrt(1 - memory**2)
    return np.convolve(shocks, weights, mode="valid")
