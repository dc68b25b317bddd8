"""Which days the report tells of, and what there is to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.clock import to_micros
from nt_memory.policy import StateEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nt_memory.agents import Decision
    from nt_memory.backtest.experiment import Experiment
    from nt_memory.market import BarSeries, Floats

BEFORE = 42
"""Bars before a state that its picture shows."""

AUTUMN_2008 = {(2008, month) for month in (9, 10, 11)}


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """One decision and the earlier states it was taken from.

    ``outcome`` is what the market did after it; ``path`` and ``paths`` are
    the closes around the day and around each analogue, relative to the close
    of the decision; ``alike`` is the mean share of each feature in the cosine.
    """

    reason: str
    decision: Decision
    outcome: float
    path: Floats
    paths: tuple[Floats, ...]
    alike: dict[str, float]


def chosen_days(experiment: Experiment) -> list[Day]:
    """Choose days by rule: a strong call in autumn 2008, the best, the worst, the most divided."""
    days: dict[int, str] = {}
    for reason, bar in _picks(experiment):
        days.setdefault(bar, reason)
    return [_tell(experiment, bar, reason) for bar, reason in days.items()]


def _picks(experiment: Experiment) -> Iterator[tuple[str, int]]:
    """Yield reasons and indices into the decisions."""
    settings = experiment.settings
    ended = range(settings.burn_in, len(experiment.decisions) - settings.holding)
    told = [bar for bar in ended if experiment.decisions[bar].evidence is not None]
    sided = [bar for bar in told if experiment.decisions[bar].direction]

    def strength(bar: int) -> float:
        evidence = experiment.decisions[bar].evidence
        return abs(evidence.t) if evidence is not None else 0.0

    def gain(bar: int) -> float:
        return experiment.decisions[bar].direction * _outcome(experiment, bar)

    autumn = [bar for bar in sided if _month(experiment.decisions[bar]) in AUTUMN_2008]
    if autumn:
        yield "Its strongest call in the autumn of 2008", max(autumn, key=strength)
    if sided:
        yield "Its best call", max(sided, key=gain)
        yield "Its worst call", min(sided, key=gain)
    if told:
        yield "The day its memories were most divided", min(told, key=strength)


def _month(decision: Decision) -> tuple[int, int]:
    return decision.at.year, decision.at.month


def _outcome(experiment: Experiment, bar: int) -> float:
    return experiment.bars.outcome(StateEncoder.warm_up + bar, experiment.settings.holding)


def _tell(experiment: Experiment, bar: int, reason: str) -> Day:
    bars, holding = experiment.bars, experiment.settings.holding
    decision = experiment.decisions[bar]
    here = StateEncoder.warm_up + bar
    there = [int(np.searchsorted(bars.times, to_micros(a.at))) for a in decision.analogues]
    encoder = StateEncoder()
    state = encoder.encode(bars, here)
    shares = [encoder.contributions(state, encoder.encode(bars, other)) for other in there]
    return Day(
        reason=reason,
        decision=decision,
        outcome=_outcome(experiment, bar),
        path=_path(bars, here, holding),
        paths=tuple(_path(bars, other, holding) for other in there),
        alike={name: float(np.mean([share[name] for share in shares])) for name in shares[0]},
    )


def _path(bars: BarSeries, bar: int, holding: int) -> Floats:
    window = bars.close[bar - BEFORE : bar + holding + 1]
    path: Floats = window / bars.close[bar] - 1.0
    return path
