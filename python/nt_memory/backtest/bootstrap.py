"""Is a difference in Sharpe more than luck: the paired stationary bootstrap.

Blocks of random length are drawn from all arms on the same days (Politis and
Romano 1994), so the resamples keep the dependence within and between the arms.
The mean block length is chosen from the data (Politis and White 2004, as
corrected by Patton, Politis and White 2009).

Who compares many arms finds a difference by luck sooner.  So the intervals of
a family of comparisons hold together: all of them cover with the probability
that is asked for (Mandel and Betensky 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from nt_memory._shown import shown
from nt_memory._values import finite, whole
from nt_memory.metrics import BARS_A_YEAR, sharpe_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nt_memory.market import Floats

Indices: TypeAlias = npt.NDArray[np.int64]
# Resamples drawn at a time: 128 of 5,000 days are 5 MB an array.
CHUNK = 128
FEWEST = 20
MOST = 1_000_000
"""Resamples at most."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval of a difference in annualised Sharpe.

    ``family`` comparisons hold together at ``level``; ``tail`` is the share of
    the resamples that was cut off at each end for it.
    """

    difference: float
    low: float
    high: float
    level: float
    resamples: int
    block: float
    family: int = 1
    tail: float = 0.025

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
    arms, pairs = {"left": left, "right": right}, [("left", "right")]
    return sharpe_differences(arms, pairs, seed=seed, resamples=resamples, level=level)[0]


def sharpe_differences(
    arms: Mapping[str, Floats],
    pairs: Sequence[tuple[str, str]],
    *,
    seed: int,
    resamples: int = 5000,
    level: float = 0.95,
) -> list[Interval]:
    """Compare pairs of arms on the same bars, so that all intervals hold together.

    Each interval is cut from the resamples of its own difference, all with one
    and the same share in each tail: the largest with which ``level`` of the
    resamples lie inside all of them at once.  Of one pair that is the plain
    percentile interval; of many it is at most as wide as Bonferroni's, and
    less where the comparisons go together, as those with one common arm do.

    Parameters
    ----------
    arms
        Returns a bar, by name.
    pairs
        Which are compared: (left, right), by name.
    seed, resamples, level
        Of the bootstrap.  Blocks are as long as the most dependent arm asks for.

    Raises
    ------
    ValueError
        The arms differ in length or have fewer than `FEWEST` bars, or no pair is given.
    """
    whole("seed", seed, 0)
    if whole("resamples", resamples) > MOST:
        msg = f"resamples={shown(resamples)}: give at most {MOST:,}"
        raise ValueError(msg)
    if not 0.0 < finite("level", level) < 1.0:
        msg = f"level={shown(level)}: give a share between 0 and 1, such as 0.95"
        raise ValueError(msg)
    if not pairs:
        msg = "pairs: give one or more"
        raise ValueError(msg)
    used = {name: arms[name] for pair in pairs for name in pair}
    lengths = {name: len(returns) for name, returns in used.items()}
    size = next(iter(lengths.values()))
    if len(set(lengths.values())) > 1:
        msg = f"{shown(lengths)} bars cannot be paired"
        raise ValueError(msg)
    if size < FEWEST:
        msg = f"{', '.join(used)}: {size} bars are too few to resample, give {FEWEST}"
        raise ValueError(msg)
    block = max(optimal_block(returns) for returns in used.values())
    rng = np.random.default_rng(seed)
    drawn = np.empty((resamples, len(pairs)))
    for start in range(0, resamples, CHUNK):
        rows = min(CHUNK, resamples - start)
        picks = stationary_indices(rng, rows, size, block)
        ratios = {name: _sharpe_rows(returns[picks]) for name, returns in used.items()}
        for place, (left, right) in enumerate(pairs):
            drawn[start : start + rows, place] = ratios[left] - ratios[right]
    tail = common_tail(drawn, level)
    lows, highs = np.quantile(drawn, [tail, 1.0 - tail], axis=0).tolist()
    measured = {name: sharpe_ratio(returns) for name, returns in used.items()}
    return [
        Interval(
            difference=measured[left] - measured[right],
            low=low,
            high=high,
            level=level,
            resamples=resamples,
            block=block,
            family=len(pairs),
            tail=tail,
        )
        for (left, right), low, high in zip(pairs, lows, highs, strict=True)
    ]


def common_tail(drawn: Floats, level: float) -> float:
    """Return the share to cut off each end of every column, so that ``level`` of the rows stay.

    A row stays where none of its values is cut off.  One column loses
    ``(1 - level) / 2`` at each end; of k columns each loses at most that, and
    no less than a k-th of it, with which ``level`` of the rows stay in any case.
    """
    rows, columns = drawn.shape
    tail = (1.0 - level) / 2.0
    depth = np.full(rows, rows - 1)
    for values in drawn.T:
        # Of equal values none is cut off before all are: each counts as the innermost.
        ordered = np.sort(values)
        from_below = np.searchsorted(ordered, values, side="right") - 1
        from_above = rows - 1 - np.searchsorted(ordered, values, side="left")
        depth = np.minimum(depth, np.minimum(from_below, from_above))
    place = np.quantile(depth / max(rows - 1, 1), 1.0 - level)
    return float(np.clip(place, tail / columns, tail))


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
    moved = deviation > 1e-12 * np.abs(mean) + 1e-14  # as `sharpe_ratio` has it
    ratio = np.divide(mean, deviation, out=np.zeros_like(mean), where=moved)
    scaled: Floats = ratio * np.sqrt(BARS_A_YEAR)
    return scaled
