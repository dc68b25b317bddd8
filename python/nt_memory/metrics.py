"""Measures of a strategy, from its returns a bar and its finished trades.

Returns are simple returns a bar; 252 bars make a year; the risk-free rate is
zero.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._shown import shown
from nt_memory.clock import from_micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from nt_memory.market import Floats

BARS_A_YEAR = 252
# Returns and rewards up to this have squares, and sums of them, that are numbers.
LARGEST = 1e100
# Wealth beyond this is told as this: products of it stay finite.
_MOST = 1e150


def equity_curve(returns: Floats) -> Floats:
    """Compound returns into the value of 1 after each bar."""
    # A loss of all and more leaves nothing.
    curve: Floats = np.multiply.accumulate(np.maximum(1.0 + returns, 0.0))
    return curve


def total_return(returns: Floats) -> float:
    """Compound all returns: 0.5 is a gain of one half."""
    return float(equity_curve(returns)[-1] - 1.0) if len(returns) else 0.0


def annualised_return(returns: Floats) -> float:
    """Return the growth a year that compounds to the total return."""
    if not len(returns):
        return 0.0
    with np.errstate(over="ignore"):
        growth = np.float64(1.0 + total_return(returns)) ** (BARS_A_YEAR / len(returns))
    return float(min(growth, _MOST)) - 1.0


def sharpe_ratio(returns: Floats) -> float:
    """Divide the mean by the sample standard deviation, annualised; 0 where nothing moved."""
    if len(returns) < 2:
        return 0.0
    deviation, mean = float(returns.std(ddof=1)), float(returns.mean())
    return mean / deviation * math.sqrt(BARS_A_YEAR) if _varies(deviation, mean) else 0.0


def sortino_ratio(returns: Floats) -> float:
    """Divide the mean by the root mean square of the losses, annualised; 0 without a loss."""
    if not len(returns):
        return 0.0
    downside = np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))
    return float(returns.mean() / downside * np.sqrt(BARS_A_YEAR)) if downside > 0 else 0.0


def drawdowns(returns: Floats) -> Floats:
    """Return how far the equity is below its peak after each bar: 0 or negative."""
    curve = equity_curve(returns)
    # The starting value counts as a peak: a loss on the first bar is a drawdown.
    peaks = np.maximum.accumulate(np.maximum(curve, 1.0))
    below: Floats = curve / peaks - 1.0
    return below


def max_drawdown(returns: Floats) -> float:
    """Return the deepest drawdown: -0.2 is a fifth below the peak."""
    return float(drawdowns(returns).min()) if len(returns) else 0.0


def win_rate(trades: Floats) -> float | None:
    """Return the share of trades that gained; None without a trade."""
    return float(np.mean(trades > 0.0)) if len(trades) else None


def annual_turnover(traded: Floats) -> float:
    """Return what is bought and sold in a year, in multiples of the equity.

    ``traded`` is the traded share of the equity on each bar.
    """
    return float(traded.mean() * BARS_A_YEAR) if len(traded) else 0.0


@dataclass(frozen=True, slots=True)
class PerformanceMetrics:
    """What returns one after another came to; two runs `merge` into that of both.

    Returns are simple returns a step; ratios are annualised with 252 steps a
    year and a risk-free rate of zero, as the functions here have it.

    Parameters
    ----------
    n
        Number of returns.
    mean_return
        Their mean; 0 of none.
    spread
        Sum of their squared distances from the mean.
    wins
        How many are above 0.
    downside
        Sum of the squares of the losses.
    growth, peak, trough
        What 1 became, and the most and the least that it was on the way.
    max_drawdown
        The deepest fall from a peak: -0.2 is a fifth below it.
    first, last
        When the first and the last return became known; None of none.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> days = [datetime(2024, 1, day, tzinfo=timezone.utc) for day in (2, 3, 4, 5)]
    >>> early = PerformanceMetrics.of([0.01, -0.02], days[:2])
    >>> late = PerformanceMetrics.of([0.03, 0.01], days[2:])
    >>> both = early.merge(late)
    >>> both.n, round(both.mean_return, 4), both.win_rate
    (4, 0.0075, 0.75)
    """

    n: int = 0
    mean_return: float = 0.0
    spread: float = 0.0
    wins: int = 0
    downside: float = 0.0
    growth: float = 1.0
    peak: float = 1.0
    trough: float = 1.0
    max_drawdown: float = 0.0
    first: datetime | None = None
    last: datetime | None = None

    @classmethod
    def of(cls, returns: Sequence[float], times: Sequence[datetime]) -> PerformanceMetrics:
        """Measure returns in the order in which they became known.

        Raises
        ------
        ValueError
            A return is not finite, there is another number of times, or a time lies
            before the one in front of it.
        """
        r = np.asarray(returns, dtype=np.float64)
        at = [to_micros(time, "times") for time in times]
        if r.shape != (len(at),):
            msg = f"returns has shape {r.shape}, times has {len(at)}: give one time a return"
            raise ValueError(msg)
        beyond = ~(np.abs(r) <= LARGEST)  # NaN is no number within
        if beyond.any():
            bad = int(np.flatnonzero(beyond)[0])
            msg = f"returns[{bad}]={shown(float(r[bad]))}: give numbers up to {LARGEST:g}"
            raise ValueError(msg)
        if any(later < earlier for earlier, later in itertools.pairwise(at)):
            msg = "times go back: give the returns in the order in which they became known"
            raise ValueError(msg)
        if not at:
            return cls()
        curve = np.concatenate(([1.0], _compound(r)))
        peaks = np.maximum.accumulate(curve)
        mean = float(r.mean())
        return cls(
            n=len(r),
            mean_return=mean,
            spread=float(((r - mean) ** 2).sum()),
            wins=int((r > 0.0).sum()),
            downside=float((np.minimum(r, 0.0) ** 2).sum()),
            growth=float(curve[-1]),
            peak=float(peaks[-1]),
            trough=float(curve.min()),
            max_drawdown=float((curve / peaks - 1.0).min()),
            first=from_micros(at[0]),
            last=from_micros(at[-1]),
        )

    @property
    def std_return(self) -> float:
        """Sample standard deviation; 0 of fewer than two."""
        return math.sqrt(self.spread / (self.n - 1)) if self.n > 1 else 0.0

    @property
    def standard_error(self) -> float | None:
        """Of the mean; None of fewer than two."""
        return self.std_return / math.sqrt(self.n) if self.n > 1 else None

    @property
    def win_rate(self) -> float | None:
        """Share above 0; None of none."""
        return self.wins / self.n if self.n else None

    @property
    def sharpe(self) -> float:
        """Mean over standard deviation, annualised; 0 where nothing varied."""
        deviation, mean = self.std_return, self.mean_return
        return mean / deviation * math.sqrt(BARS_A_YEAR) if _varies(deviation, mean) else 0.0

    @property
    def sortino(self) -> float:
        """Mean over the root mean square of the losses, annualised; 0 without a loss."""
        if self.downside <= 0.0:
            return 0.0
        return self.mean_return / math.sqrt(self.downside / self.n) * math.sqrt(BARS_A_YEAR)

    def merge(self, later: PerformanceMetrics) -> PerformanceMetrics:
        """Return the performance of this run with another behind it."""
        if not self.n or not later.n:
            return self if self.n else later
        n = self.n + later.n
        gap = later.mean_return - self.mean_return
        return PerformanceMetrics(
            n=n,
            mean_return=self.mean_return + gap * later.n / n,
            spread=self.spread + later.spread + gap * gap * self.n * later.n / n,
            wins=self.wins + later.wins,
            downside=self.downside + later.downside,
            growth=min(self.growth * later.growth, _MOST),
            peak=min(max(self.peak, self.growth * later.peak), _MOST),
            trough=min(self.trough, self.growth * later.trough),
            max_drawdown=min(
                self.max_drawdown,
                later.max_drawdown,
                self.growth / self.peak * later.trough - 1.0,
            ),
            first=min(filter(None, (self.first, later.first))),
            last=max(filter(None, (self.last, later.last))),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types, times in microseconds."""
        fields = asdict(self)
        for name in ("first", "last"):
            fields[name] = None if fields[name] is None else to_micros(fields[name])
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> PerformanceMetrics:
        """Return what `to_json` gave."""
        times = {
            name: None if fields[name] is None else from_micros(fields[name])
            for name in ("first", "last")
        }
        return cls(**{**fields, **times})


def _varies(deviation: float, mean: float) -> bool:
    """Whether a deviation is more than the rounding of one and the same number."""
    # A return is a ratio of prices less 1: its rounding is that of 1, however small it is.
    return deviation > 1e-12 * abs(mean) + 1e-14


def _compound(returns: Floats) -> Floats:
    """Return what 1 becomes; a loss of all and more leaves nothing, and gains are bounded."""
    with np.errstate(divide="ignore"):
        steps = np.log1p(np.maximum(returns, -1.0))
    curve: Floats = np.exp(np.minimum(np.cumsum(steps), math.log(_MOST)))
    return curve
