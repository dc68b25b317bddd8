"""The regime of one series, bar by bar."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nt_memory.regime import rules
from nt_memory.regime.features import FeatureWindow
from nt_memory.regime.labels import Regime, Told
from nt_memory.regime.rules import Judgement, Past
from nt_memory.regime.states import named

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from nt_memory.regime.features import RegimeFeatures
    from nt_memory.regime.snapshot import OrderBook
    from nt_memory.regime.states import States

# What `named` tells by its place.
_NAMES = (Regime.VOLATILE, Regime.QUIET, Regime.TRENDING, Regime.MEAN_REVERTING)
# Chance from which a fitted state takes over; between one half and this, the old one stays.
_SURE = 0.6
# A crisis is wider by this than the widest state, so that no state explains it.
_BEYOND = 1.25


class Tracker:
    """Tells the regime of each bar of a series, and holds it until another is clear.

    Parameters
    ----------
    lookback
        Bars of the features.
    hold
        For how many bars in succession another regime must come first.
    states
        A fitted model, or None for the rules.
    vote
        What the memory says of features at a time; None where it says nothing.
    """

    def __init__(
        self,
        lookback: int,
        hold: int,
        states: States | None = None,
        vote: Callable[[RegimeFeatures, datetime], Judgement | None] | None = None,
    ) -> None:
        self.told: Told | None = None
        self._window = FeatureWindow(lookback)
        self._hold = hold
        self._past = Past()
        self._vote = vote
        self._states = states
        self._belief: tuple[float, ...] = () if states is None else states.start()
        self._names = () if states is None else tuple(_NAMES[name] for name in named(states))
        self._at: datetime | None = None
        self._price: float | None = None
        self._return: float | None = None
        self._rival: tuple[Regime | None, int] = (None, 0)

    def update(
        self,
        price: float,
        volume: float,
        at: datetime | None = None,
        book: OrderBook | None = None,
    ) -> Told | None:
        """Take in a bar; return its regime, or None before the look-back is full.

        A bar at or before the time of the last one was taken in already: it changes
        nothing, and what was told last is told again.
        """
        if at is not None and self._at is not None and at <= self._at:
            return self.told
        told = self.step(price, self._window.ahead(price, volume, book), at)
        self._window.take(price, volume)
        self._at = self._at if at is None else at
        return told

    def step(
        self, price: float, found: RegimeFeatures | None, at: datetime | None = None
    ) -> Told | None:
        """Do what `update` does, with the features of the bar at hand."""
        # The memory may fail: it is asked before anything moves, so that the bar can come again.
        voted = self._voted(found, at)
        self._past.price(price)
        self._believe(price)
        if found is None:
            return None
        self._past.volatility(found.volatility)
        said = self._judge(found, voted)
        regime = self._held(said)
        self.told = Told(regime, min(said.confidences.get(regime, 0.0), 1.0))
        return self.told

    def _voted(self, found: RegimeFeatures | None, at: datetime | None) -> Judgement | None:
        if self._vote is None or found is None or at is None:
            return None
        return self._vote(found, at)

    def _believe(self, price: float) -> None:
        last, self._price = self._price, price
        if last is None:
            return
        before, self._return = self._return, math.log(price) - math.log(last)
        if self._states is not None and before is not None:
            self._belief = self._states.filter(self._belief, before, self._return)

    def _judge(self, found: RegimeFeatures, voted: Judgement | None) -> Judgement:
        if voted is not None:
            return Judgement(voted.first, voted.confidences, self._hold)
        if self._states is None:
            return rules.judge(found, self._past, self._window.lookback, self._hold)
        confidences = dict(zip(self._names, self._belief, strict=True))
        if self._past.crisis and found.volatility > _BEYOND * max(self._states.deviations):
            return Judgement(Regime.CRISIS, {**confidences, Regime.CRISIS: self._past.rank}, 1)
        first = max(confidences, key=confidences.__getitem__)
        sure = confidences[first] >= _SURE or self.told is None
        # A crisis that is over leaves its place to whatever state comes first.
        sure = sure or (self.told is not None and self.told.regime not in confidences)
        return Judgement(first if sure else None, confidences, 1)

    def _held(self, said: Judgement) -> Regime:
        """Return the regime that holds after what is said of a bar."""
        rival, bars = self._rival
        bars = bars + 1 if said.first == rival else 1
        self._rival = (said.first, bars)
        if self.told is None:
            return said.first or Regime.QUIET
        takes_over = said.first is not None and bars >= said.bars
        return said.first if takes_over and said.first is not None else self.told.regime
