"""Is a difference in Sharpe more than luck: the paired stationary bootstrap.

Blocks of random length are drawn from both arms on the same days (Politis and
Romano 1994), so the resamples keep the dependence within and between the arms.
The mean block length is chosen from the data (Politis and White 2004, as
corrected by Patton, Politis and White 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from nt_memory.metrics import BARS_A_YEAR, sharpe_ratio

if TYPE_CHECKING:
    from nt_memory.market import Floats

Indices: TypeAlias = npt.NDArray[np.int64]
# Resamples drawn at a time: 128 of 5,000 days are 5 MB an array.
CHUNK = 128
FEWEST = 20


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval of a difference in annualised Sharpe."""

    difference: float
    low: float
    high: float
    level: float
    resamples: int
    block: float

    @property
    def spans_zero(self) -> bool:
        """Whether no difference is among the plausible values."""
        return self.low <= 0.0 <= self.high


def sharpe_difference(
    left: Floats, right: Floats, *, seed: int, resamples: int = 5000, level: float = 0.95
) -> Interval:
    """Compare two arms on the same bars: annualised Sharpe of ``left`` minus that of ``right``.

    The blocks are as long as the more dependent of the two arms asks for.

    Raises
    ------
    ValueError
        The arms differ in length or have fewer than `FEWEST` bars.
    """
    if len(left) != len(right):
        msg = f"left, right: {len(left)} and {len(right)} bars cannot be paired"
        raise ValueError(msg)
    if len(left) < FEWEST:
        msg = f"left, right: {len(left)} bars are too few to resample, give {FEWEST}"
        raise ValueError(msg)
    block = max(optimal_block(left), optimal_block(right))
    rng = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    for start in range(0, resamples, CHUNK):
        rows = min(CHUNK, resamples - start)
        picks = stationary_indices(rng, rows, len(left), block)
        drawn[start : start + rows] = _sharpe_rows(left[picks]) - _sharpe_rows(right[picks])
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    difference = sharpe_ratio(left) - sharpe_ratio(right)
    return Interval(difference, float(low), float(high), level, resamples, block)


def stationary_indices(rng: np.random.Generator, rows: int, length: int, block: float) -> Indices:
    """Draw resamples as indices, shape (rows, length): blocks of geometric length, wrapping round.

    Each index follows its left neighbour, or, with probability ``1 / block``,
    starts a new block anywhere.
    """
    place = np.arange(length)
    fresh = rng.random((rows, length), dtype=np.float32) < 1.0 / block
    fresh[:, 0] = True
    begun = np.maximum.accumulate(np.where(fresh, place, 0), axis=1)
    starts = rng.integers(length, size=(rows, length))
    indices: Indices = (np.take_along_axis(starts, begun, axis=1) + place - begun) % length
    return indices


def optimal_block(series: Floats) -> float:
    """Estimate the best mean block length of the stationary bootstrap, at least 1.

    The cut-off lag is the first after which max(5, log10 n) autocorrelations
    stay within two of their standard errors; a flat-top window weighs the lags.
    """
    n = len(series)
    gaps = series - series.mean()
    if not gaps.any():
        return 1.0
    run = max(5, int(np.log10(n)))
    longest = min(int(np.ceil(np.sqrt(n))) + run, n - 2)
    covariances = np.array([gaps[lag:] @ gaps[: n - lag] for lag in range(longest + 1)]) / n
    cut = _cut_off(gaps, covariances * n, run)
    window = min(2 * max(cut, 1) if cut is not None else longest, longest)
    lags = np.arange(1, window + 1)
    weights = np.minimum(1.0, 2.0 * (1.0 - lags / window)) * covariances[1 : window + 1]
    slope = 2.0 * (lags * weights).sum()
    long_run = covariances[0] + 2.0 * weights.sum()
    if long_run == 0.0:
        return 1.0
    block = float(np.cbrt(slope**2 / long_run**2 * n))
    return float(np.clip(block, 1.0, np.ceil(min(3.0 * np.sqrt(n), n / 3.0))))


def _cut_off(gaps: Floats, products: Floats, run: int) -> int | None:
    """Return the first lag from which ``run`` autocorrelations are all insignificant."""
    n = len(gaps)
    squares = np.cumsum(gaps * gaps)
    lags = np.arange(len(products))
    # A lag's own two ends are left out, one bar more than the lag, as in Patton's program.
    scale = np.sqrt((squares[-1] - squares[lags]) * squares[n - lags - 2])
    small = np.abs(products) < 2.0 * np.sqrt(np.log10(n) / n) * scale
    for start in range(len(products) - run):
        if small[start : start + run].all():
            return start
    return None


def _sharpe_rows(returns: Floats) -> Floats:
    """Compute the annualised Sharpe of each row; 0 where a row does not move."""
    mean = returns.mean(axis=1)
    deviation = returns.std(axis=1, ddof=1)
    ratio = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0)
    scaled: Floats = ratio * np.sqrt(BARS_A_YEAR)
    return scaled
