"""What agents say, and how far their record moves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from nt_memory._shown import shown
from nt_memory.agents._checks import bounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nt_memory.agents.evidence import Analogue

Signal: TypeAlias = Literal["long", "short", "neutral"]
DIRECTIONS: Mapping[Signal, int] = {"long": 1, "short": -1, "neutral": 0}
SIGNAL = "signal"
# What memory may do to a confidence, all in all.
LEAST_FACTOR, MOST_FACTOR = 0.7, 1.3


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When an agent takes note, and how far its record moves its confidence.

    Parameters
    ----------
    illiquidity
        Amihud's measure above which a bar is worth a note, as a trailing score.
    illiquidity_score
        What that note counts for.
    momentum
        The same for the size of the momentum.
    momentum_score
        What that note counts for.
    record
        Outcomes, the latest, that the win rate is taken of.
    fewest
        Outcomes without which the win rate changes nothing.
    poor, poor_factor
        Below this win rate, the confidence is multiplied by the factor.
    good, good_factor
        The same above this win rate.
    large_pnl
        Percent of equity beyond which an outcome counts twice.

    Raises
    ------
    ValueError
        A number is not finite or out of its range, ``poor`` above ``good`` or ``fewest``
        above ``record``.
    """

    illiquidity: float = 2.0
    illiquidity_score: float = 1.5
    momentum: float = 1.5
    momentum_score: float = 1.3
    record: int = 10
    fewest: int = 5
    poor: float = 0.4
    poor_factor: float = 0.7
    good: float = 0.6
    good_factor: float = 1.2
    large_pnl: float = 1.0

    def __post_init__(self) -> None:
        share = (0.0, 1.0)
        factors = {"poor_factor": (LEAST_FACTOR, 1.0), "good_factor": (1.0, MOST_FACTOR)}
        bounded(self, ("record", "fewest"), poor=share, good=share, **factors)
        if self.poor > self.good:
            msg = f"poor={shown(self.poor)}: give no more than good, {self.good:g}"
            raise ValueError(msg)
        if self.fewest > self.record:
            msg = f"fewest={shown(self.fewest)}: give no more than record, {self.record}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an agent makes of the features, before its record counts.

    Parameters
    ----------
    signal
        ``"long"``, ``"short"`` or ``"neutral"``.
    confidence
        0 to 1.
    why
        In words; also what is looked for in memory.
    event
        What kind of event it stands on, where there is one; how such events ended is
        remembered.
    recall_id, precedents
        The recall that it stands on, where there is one, and what that found.
    """

    signal: Signal
    confidence: float
    why: str
    event: str | None = None
    recall_id: str | None = None
    precedents: tuple[Analogue, ...] = ()


class Act(NamedTuple):
    """A decision, and what it stands on.

    ``context`` has ``trade_id`` (of the decision), ``base`` (the opinion), ``factor``
    (what memory made of its confidence), ``win_rate`` and ``outcomes`` (of how many),
    ``past_trades`` (the last five with their outcome in percent), ``recalled`` (contents
    of like memories) and ``recall_id``.
    """

    signal: Signal
    confidence: float
    context: dict[str, Any]


def win_rate(outcomes: Sequence[float]) -> float:
    """Return the share of outcomes above zero; 0.5 without any."""
    return sum(pnl > 0.0 for pnl in outcomes) / len(outcomes) if outcomes else 0.5


def rated(outcomes: Sequence[float], limits: Thresholds) -> float:
    """Return what a win rate makes of a confidence; 1 where too little is known."""
    if len(outcomes) < limits.fewest:
        return 1.0
    rate = win_rate(outcomes)
    if rate < limits.poor:
        return limits.poor_factor
    return limits.good_factor if rate > limits.good else 1.0
