"""The regime of a bar, by rules on its features against those of the bars before it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nt_memory.regime.labels import Regime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.regime.features import RegimeFeatures

TRAILING = 2520
"""Bars whose volatility the current one is ranked among: ten years of days."""
PEAK = 252
"""Bars of the peak that a drawdown is measured from: a year of days."""
FALLEN = 0.15
"""A drawdown of this much is a crisis when volatility is extreme, turbulence when it is raised."""
# Ranks among fewer say nothing.
_FEWEST = 20
_EXTREME, _HIGH, _MIDDLE = 0.95, 0.75, 0.5
# Over a hundred bars, the volatility of one and the same market errs by 7 %.
_ABOVE = 1.1
_STRAIGHT, _RULED = 0.75, 0.9
# Shorter half-lives, as a share of the look-back, have 5 % of random walks
# (Dickey and Fuller, 1979: 100 (a - 1) = -13.7).
_PULLED = 0.05


@dataclass(frozen=True, slots=True)
class Judgement:
    """What speaks for each regime at a bar.

    Parameters
    ----------
    first
        The regime that it looks like; None where it looks like nothing clearly.
    confidences
        How sure each would be, 0 to 1; a regime that is missing has 0.
    bars
        For how many bars in succession it must be the first to take over.
    """

    first: Regime | None
    confidences: Mapping[Regime, float]
    bars: int


class Past:
    """What the volatility and the price of a bar are beside those before it."""

    def __init__(self) -> None:
        self._order: list[float] = []
        self._volatilities: deque[float] = deque()
        self._prices: deque[float] = deque(maxlen=PEAK)
        self.drawdown = 0.0
        self.rank = 0.5
        """Share of the past volatilities that are lower, and half of those that are equal."""
        self.median: float | None = None

    def price(self, price: float) -> None:
        """Take in a price."""
        self._prices.append(price)
        self.drawdown = 1.0 - price / max(self._prices)

    def volatility(self, now: float) -> None:
        """Rank a volatility among the past ones, and count it among them from then on."""
        order = self._order
        self.rank, self.median = 0.5, None
        if len(order) >= _FEWEST:
            self.rank = (bisect_left(order, now) + bisect_right(order, now)) / (2.0 * len(order))
            self.median = order[len(order) // 2]
        insort(order, now)
        self._volatilities.append(now)
        if len(order) > TRAILING:
            del order[bisect_left(order, self._volatilities.popleft())]

    @property
    def crisis(self) -> bool:
        """Whether volatility is extreme and the price has fallen far."""
        return self.rank > _EXTREME and self.drawdown >= FALLEN

    @property
    def volatile(self) -> bool:
        """Whether volatility is high."""
        raised = self.median is not None and self._volatilities[-1] > _ABOVE * self.median
        return raised and self.rank > _HIGH

    @property
    def turbulent(self) -> bool:
        """Whether volatility is above its middle and the price has fallen far."""
        return self.rank > _MIDDLE and self.drawdown >= FALLEN


def judge(found: RegimeFeatures, past: Past, lookback: int, bars: int) -> Judgement:
    """Return what the rules say of a bar."""
    pulled, straight = found.mean_reversion / lookback, abs(found.trend_strength)
    confidences = {
        Regime.CRISIS: past.rank,
        Regime.VOLATILE: past.rank,
        Regime.TRENDING: straight,
        Regime.MEAN_REVERTING: max(0.0, 1.0 - 5.0 * pulled),
        Regime.QUIET: 1.0 - past.rank,
    }
    holds = {
        Regime.CRISIS: past.crisis,
        # A fall in a straight line is a trend.
        Regime.VOLATILE: past.volatile or (past.turbulent and straight < _RULED),
        Regime.TRENDING: straight >= _STRAIGHT,
        Regime.MEAN_REVERTING: pulled < _PULLED,
        Regime.QUIET: True,
    }
    return Judgement(next(regime for regime, is_so in holds.items() if is_so), confidences, bars)
