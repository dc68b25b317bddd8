"""Series with known regimes and known persistence, for the tests."""

import numpy as np

from builders import day
from markets import DAY_US
from nt_memory import MarketSnapshot, Regime, RegimeDetectionAgent
from nt_memory.market import BarSeries


def fractional_noise(hurst, count, rng):
    """Draw fractional Gaussian noise exactly, by circulant embedding (Davies and Harte)."""
    lags = np.arange(count + 1.0)
    power = 2.0 * hurst
    covariance = ((lags + 1.0) ** power - 2.0 * lags**power + np.abs(lags - 1.0) ** power) / 2.0
    spectrum = np.fft.fft(np.concatenate([covariance, covariance[1:-1][::-1]])).real.clip(0.0)
    size = len(spectrum)
    noise = rng.normal(size=size) + 1j * rng.normal(size=size)
    return np.fft.fft(noise * np.sqrt(spectrum / size)).real[:count]


def switching(stays, means, pulls, deviations, count, rng):
    """Draw the states of a Markov chain and the log returns that come in them."""
    kinds = len(stays)
    changes = np.array([[(1.0 - stay) / (kinds - 1)] * kinds for stay in stays])
    np.fill_diagonal(changes, stays)
    bounds, drawn, noise = changes.cumsum(axis=1), rng.random(count), rng.normal(size=count)
    states, returns = np.zeros(count, dtype=int), np.zeros(count)
    for bar in range(count):
        if bar:
            row = bounds[states[bar - 1]]
            states[bar] = min(np.searchsorted(row, drawn[bar]), kinds - 1)
        now, before = states[bar], returns[bar - 1] if bar else 0.0
        returns[bar] = means[now] + pulls[now] * before + deviations[now] * noise[bar]
    return states, returns


def prices_of(returns):
    """Return what 100 becomes by log returns."""
    return 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))


def bars_of_closes(closes, volumes=None, symbol="TEST"):
    """Return daily bars that are nothing but their closes."""
    closes = np.asarray(closes, dtype=float)
    volumes = np.ones(len(closes)) if volumes is None else volumes
    times = (1 + np.arange(len(closes))) * DAY_US
    return BarSeries(symbol, times, closes, closes, closes, closes, volumes)


def snapshot(returns, at, symbol="TEST", volumes=None):
    """Return the snapshot of a series at a time."""
    prices = prices_of(returns)
    return MarketSnapshot(symbol, at, prices, np.ones(len(prices)) if volumes is None else volumes)


def calm(seed, count=120):
    return np.random.default_rng(seed).normal(0.0, 0.003, count)


def wild(seed, count=120):
    return np.random.default_rng(seed).normal(0.0, 0.04, count)


def taught(memory, known_at=None, **options):
    """Return an agent whose memory has ten labelled regimes, named other than rules would."""
    agent = RegimeDetectionAgent(memory, **options)
    for seed in range(5):
        seen = snapshot(calm(seed), day(seed))
        agent.remember_regime(seen, Regime.MEAN_REVERTING, 0.9, known_at=known_at)
        agent.remember_regime(
            snapshot(wild(seed), day(seed)), Regime.CRISIS, 0.8, known_at=known_at
        )
    return agent


def bars_at(returns, start, symbol="TEST"):
    """Return daily bars of which the first closes at a time."""
    closes = prices_of(returns)
    times = int(start.timestamp()) * 1_000_000 + np.arange(len(closes)) * DAY_US
    return BarSeries(symbol, times, closes, closes, closes, closes, np.ones(len(closes)))


def changing():
    """Bars that trend, then swing wildly, then trend again, and so on."""
    parts = [np.full(120, 0.002)] + [
        part for _ in range(2) for part in (wild(7, 40), np.full(200, 0.002))
    ]
    return bars_at(np.concatenate(parts), day(-900))
