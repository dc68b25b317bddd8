"""Made-up markets of which it is known whether memory can help: one without, one with a pattern."""

from __future__ import annotations

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import whole
from nt_memory.market import BarSeries

_DAY_US = 86_400_000_000
_NOISE = 0.01
_MOST = 1_000_000
# A setup lasts so many bars, what it leads to the next ones, and one begins in every so many.
SETUP, AFTER, EVERY = 6, 5, 25


def empty_world(seed: int, bars: int = 1000) -> BarSeries:
    """Draw a random walk: nothing in it tells what comes next.

    Log returns are normal, 1 % a bar; volumes are drawn by themselves.

    Parameters
    ----------
    seed
        Of the draw.
    bars
        How many.
    """
    rng = _draws(seed, 0)
    returns = rng.normal(0.0, _NOISE, _counted(bars))
    return _series(rng, returns, np.full(bars, 0.004), rng.lognormal(10.0, 0.4, bars))


def planted_world(seed: int, bars: int = 2000, *, drift: float = 0.006) -> BarSeries:
    """Draw a random walk with two setups that come again and again, each with what follows.

    Quiet bars that sink on rising volume are followed by a rise, wild bars that climb on
    falling volume by a fall.  Whoever remembers how such bars ended knows the side.

    Parameters
    ----------
    seed
        Of the draw.
    bars
        How many.
    drift
        Log return a bar after a setup, beside the noise of 1 %; 0 leaves the setups and
        takes away what follows.
    """
    rng = _draws(seed, 1)
    returns = rng.normal(0.0, _NOISE, _counted(bars))
    reach, volume = np.full(bars, 0.004), rng.lognormal(10.0, 0.4, bars)
    at = int(rng.integers(EVERY))
    while at + SETUP + AFTER <= bars:
        setup, after = slice(at, at + SETUP), slice(at + SETUP, at + SETUP + AFTER)
        side = 1.0 if rng.random() < 0.5 else -1.0
        ramp = np.linspace(1.0, 3.0, SETUP)
        returns[setup] = -side * 0.006 + rng.normal(0.0, 0.002, SETUP)
        reach[setup] = 0.001 if side > 0.0 else 0.02
        volume[setup] *= ramp if side > 0.0 else 1.0 / ramp
        returns[after] += side * drift
        at += SETUP + AFTER + int(rng.integers(EVERY))
    return _series(rng, returns, reach, volume)


def _draws(seed: int, world: int) -> np.random.Generator:
    return np.random.default_rng([whole("seed", seed, 0), world])


def _counted(bars: int) -> int:
    if whole("bars", bars) > _MOST:
        msg = f"bars={shown(bars)}: give at most {_MOST:,}"
        raise ValueError(msg)
    return bars


def _series(
    rng: np.random.Generator,
    returns: np.ndarray[tuple[int], np.dtype[np.float64]],
    reach: np.ndarray[tuple[int], np.dtype[np.float64]],
    volume: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> BarSeries:
    close = 100.0 * np.exp(np.cumsum(returns))
    opened = np.concatenate([[100.0], close[:-1]])
    beyond = np.exp(np.abs(rng.normal(0.0, 1.0, (2, len(close)))) * reach)
    return BarSeries(
        symbol="WORLD",
        times=(1 + np.arange(len(close), dtype=np.int64)) * _DAY_US,
        open=opened,
        high=np.maximum(opened, close) * beyond[0],
        low=np.minimum(opened, close) / beyond[1],
        close=close,
        volume=volume,
    )
