"""What is known of a symbol at its last close, from a bounded number of bars."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.agents.features import FeatureTable
from nt_memory.agents.features.wyckoff import money_flow
from nt_memory.market import BarSeries
from nt_memory.policy.encoder import StateEncoder
from nt_memory.regime import RegimeDetectionAgent

if TYPE_CHECKING:
    from nt_memory.agents.features import AgentFeatures, FeatureSettings

_COLUMNS = tuple(column.name for column in fields(BarSeries)[1:])


def reach(settings: FeatureSettings) -> int:
    """Return how many bars, up to its own, the features of a bar are made of.

    The accumulation/distribution line alone goes back to the first.
    """
    scored = max(
        settings.liquidity_window + 1,  # of returns, the first of which has none
        settings.momentum_window + 1,
        settings.volatility_window + 1,
        settings.trend_window,
        2,
    )
    return max(
        settings.score_window + scored,
        # One more than the window: a sum over a single column may run in another order.
        settings.profile_window + 1,
        settings.range_window + settings.recovery,
        # A state needs the returns before its own, a transition the state before.
        settings.state_window + 2 + settings.transition_window,
    )


class Watch:
    """Bars of a symbol as they come, and what the agents are told at the last one.

    It is what a `FeatureTable` and a `RegimeDetectionAgent` over all bars would tell.

    Parameters
    ----------
    symbol
        Of the bars.
    settings
        Of the features.
    bars
        Fewest of the latest bars that are kept.
    lookback
        Of the regimes; None tells none.
    """

    def __init__(
        self, symbol: str, settings: FeatureSettings, bars: int, lookback: int | None
    ) -> None:
        none = np.empty(0)
        self.past = BarSeries(symbol, np.empty(0, dtype=np.int64), none, none, none, none, none)
        """The latest bars."""
        self.regime: str | None = None
        """At the last one."""
        self._settings = settings
        self._bars = max(bars, reach(settings), StateEncoder.warm_up + 1)
        self._regimes = None if lookback is None else RegimeDetectionAgent(lookback=lookback)
        self._line = 0.0

    def add(self, bars: BarSeries) -> None:
        """Take in the next bars."""
        if self._regimes is not None:
            for bar in range(len(bars)):
                told = self._regimes.update(bars.window(bar, bar + 1))
                self.regime = None if told is None else told.regime.value
        # One sum after another, as over all bars at once.
        with np.errstate(all="ignore"):  # beyond the floats it is not told
            line = np.cumsum(np.concatenate([[self._line], money_flow(bars)]))
        self._line = float(line[-1])
        late = bars.window(max(len(bars) - self._bars, 0), len(bars))
        kept = self.past.window(max(len(self.past) + len(late) - self._bars, 0), len(self.past))
        self.past = BarSeries(
            bars.symbol,
            **{
                name: np.concatenate([getattr(kept, name), getattr(late, name)])
                for name in _COLUMNS
            },
        )

    def features(self) -> AgentFeatures:
        """Return what the agents are told at the last bar."""
        told = FeatureTable(self.past, settings=self._settings).at(len(self.past) - 1)
        if "wyckoff" in told and np.isfinite(self._line):
            told["wyckoff"]["ad_line"] = self._line
        else:
            told.pop("wyckoff", None)
        return told
