"""Which days the report tells of, and what there is to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.clock import to_micros

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nt_memory.agents import Analogue
    from nt_memory.backtest.experiment import Experiment
    from nt_memory.backtest.strategy import Remembered
    from nt_memory.market import BarSeries, Floats

BEFORE = 42
"""Bars before a state that its picture shows."""

AUTUMN_2008 = {(2008, month) for month in (9, 10, 11)}


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What was decided on one symbol at one of its bars, from what was recalled."""

    symbol: str
    bar: int
    at: datetime
    direction: int
    outcome: float
    remembered: Remembered

    @property
    def strength(self) -> float:
        """How sure it was."""
        evidence = self.remembered.evidence
        return abs(evidence.t) if evidence is not None else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """One decision and the earlier states it was taken from.

    ``path`` and ``paths`` are the closes around the day and around each
    analogue, relative to the close of the decision; ``alike`` is the mean share
    of each feature in the cosine, empty where that is not known.
    """

    reason: str
    call: Call
    path: Floats
    paths: tuple[Floats, ...]
    alike: dict[str, float]


def chosen_days(experiment: Experiment) -> list[Day]:
    """Choose days by rule: a strong call in autumn 2008, the best, the worst, the most divided."""
    days: dict[tuple[str, int], tuple[str, Call]] = {}
    for reason, call in _picks(list(_calls(experiment))):
        days.setdefault((call.symbol, call.bar), (reason, call))
    return [_tell(experiment, call, reason) for reason, call in days.values()]


def _calls(experiment: Experiment) -> Iterator[Call]:
    """Yield the traded decisions of the main arm that rest on evidence and have ended."""
    holding, market = experiment.settings.holding, experiment.market
    for step, stance in experiment.stances.get(experiment.main, {}).items():
        for remembered in stance.remembered:
            symbol = remembered.symbol
            if remembered.evidence is None or symbol not in market.symbols:
                continue
            bars, bar = market[symbol], int(market.places(symbol)[step])
            seen = [_place(bars, analogue) for analogue in remembered.analogues]
            if not seen or min(bar, *seen) < BEFORE or max(bar, *seen) + holding >= len(bars):
                continue
            yield Call(
                symbol=symbol,
                bar=bar,
                at=market.closed_at(step),
                direction=int(np.sign(stance.weights.get(symbol, 0.0))),
                outcome=bars.outcome(bar, holding),
                remembered=remembered,
            )


def _picks(told: list[Call]) -> Iterator[tuple[str, Call]]:
    """Yield reasons and calls."""
    sided = [call for call in told if call.direction]
    autumn = [call for call in sided if (call.at.year, call.at.month) in AUTUMN_2008]
    if autumn:
        yield "Its strongest call in the autumn of 2008", max(autumn, key=lambda c: c.strength)
    if sided:
        yield "Its best call", max(sided, key=lambda c: c.direction * c.outcome)
        yield "Its worst call", min(sided, key=lambda c: c.direction * c.outcome)
    if told:
        yield "The day its memories were most divided", min(told, key=lambda c: c.strength)


def _place(bars: BarSeries, analogue: Analogue) -> int:
    """Return the bar that closed at the time of an analogue, or else the last before it."""
    return int(np.searchsorted(bars.times, to_micros(analogue.at), side="right")) - 1


def _tell(experiment: Experiment, call: Call, reason: str) -> Day:
    bars, holding = experiment.market[call.symbol], experiment.settings.holding
    there = [_place(bars, analogue) for analogue in call.remembered.analogues]
    return Day(
        reason=reason,
        call=call,
        path=_path(bars, call.bar, holding),
        paths=tuple(_path(bars, other, holding) for other in there),
        alike=_alike(experiment, bars, call.bar, there),
    )


def _alike(experiment: Experiment, bars: BarSeries, bar: int, there: list[int]) -> dict[str, float]:
    encoder = experiment.about.encoder
    if encoder is None or min(bar, *there) < encoder.warm_up:
        return {}
    state = encoder.encode(bars, bar)
    shares = [encoder.contributions(state, encoder.encode(bars, other)) for other in there]
    return {name: float(np.mean([share[name] for share in shares])) for name in shares[0]}


def _path(bars: BarSeries, bar: int, holding: int) -> Floats:
    window = bars.close[bar - BEFORE : bar + holding + 1]
    path: Floats = window / bars.close[bar] - 1.0
    return path
